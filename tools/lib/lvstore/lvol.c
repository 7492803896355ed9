// SPDX-License-Identifier: GPL-2.0-only
/* What an open store says of its lvols. */
#include <stdlib.h>

#include "store.h"

size_t lvs_lvols(const struct lvs_store *s)
{
	return s->nr_lvols;
}

const struct lvs_lvol *lvs_lvol_at(const struct lvs_store *s, size_t i)
{
	return i < s->nr_lvols ? s->lvols[i] : NULL;
}

const struct lvs_lvol *lvs_find(const struct lvs_store *s, const char *name_or_uuid)
{
	for (size_t i = 0; i < s->nr_lvols; i++)
		if (!strcmp(s->lvols[i]->name, name_or_uuid))
			return s->lvols[i];
	for (size_t i = 0; i < s->nr_lvols; i++)
		if (!strcasecmp(s->lvols[i]->uuid, name_or_uuid))
			return s->lvols[i];
	return NULL;
}

const struct lvs_refusal *lvs_find_refusal(const struct lvs_store *s, const char *name_or_uuid)
{
	for (size_t i = 0; i < s->nr_refusals; i++) {
		const struct lvs_refusal *r = &s->refusals[i];

		if (r->blob_id == LVS_NO_BLOB)
			continue;
		if (!strcmp(r->name, name_or_uuid) || !strcasecmp(r->uuid, name_or_uuid))
			return r;
	}
	return NULL;
}

bool lvs_lvol_listed(const struct lvs_lvol *l)
{
	return l->state == LVOL_OK;
}

const char *lvs_lvol_name(const struct lvs_lvol *l)
{
	return l->name;
}

const char *lvs_lvol_uuid(const struct lvs_lvol *l)
{
	return l->uuid;
}

uint64_t lvs_lvol_blob_id(const struct lvs_lvol *l)
{
	return LVS_BLOB_ID(l->root);
}

uint64_t lvs_lvol_size(const struct lvs_lvol *l)
{
	return l->num_clusters * l->store->cluster_size;
}

uint64_t lvs_lvol_allocated(const struct lvs_lvol *l)
{
	return l->allocated;
}

bool lvs_lvol_thin(const struct lvs_lvol *l)
{
	return l->invalid_flags & LVS_INVALID_THIN;
}

static bool data_read_only(const struct lvs_lvol *l)
{
	return l->data_ro_flags & (LVS_DATA_RO_READ_ONLY | ~(u64)LVS_DATA_RO_KNOWN);
}

bool lvs_lvol_read_only(const struct lvs_lvol *l)
{
	return data_read_only(l) || l->md_ro_flags & ~(u64)LVS_MD_RO_KNOWN;
}

bool lvs_lvol_is_snapshot(const struct lvs_lvol *l)
{
	return l->nr_clones;
}

const struct lvs_lvol *lvs_lvol_parent(const struct lvs_lvol *l)
{
	return l->parent;
}

unsigned int lvs_lvol_depth(const struct lvs_lvol *l)
{
	return l->depth;
}

size_t lvs_lvol_clones(const struct lvs_lvol *l)
{
	return l->nr_clones;
}

const struct lvs_lvol *lvs_lvol_clone_at(const struct lvs_lvol *l, size_t i)
{
	return i < l->nr_clones ? l->clones[i] : NULL;
}

const char *lvs_lvol_esnap_id(const struct lvs_lvol *l)
{
	return l->esnap_id;
}

enum lvs_pending lvs_lvol_pending(const struct lvs_lvol *l)
{
	return l->pending;
}

bool lvs_chain_read_only(const struct lvs_lvol *l, const struct lvs_lvol **why)
{
	for (; l; l = l->parent) {
		if (data_read_only(l) && l->pending != LVS_PENDING_REMOVE)
			continue;
		if (why)
			*why = l;
		return false;
	}
	return true;
}

const struct lvs_xattr *lvs_lvol_xattr_at(const struct lvs_lvol *l, size_t i)
{
	for (size_t k = 0; k < l->nr_xattrs; k++)
		if (!l->xattrs[k].internal && !i--)
			return &l->xattrs[k].pub;
	return NULL;
}

const struct lvs_run *lvs_lvol_runs(const struct lvs_lvol *l, size_t *nr)
{
	*nr = l->nr_runs;
	return l->runs;
}
