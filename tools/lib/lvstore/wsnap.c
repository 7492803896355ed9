// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshot and delete: what changes two blobs. Each step is a commit, and between any two of them
 * the store is one that every load settles well (sections 7 and 9).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../names.h"
#include "writer.h"

static int no_memory(struct lvs_error *err)
{
	return lvs_err(err, -ENOMEM, "%s", strerror(ENOMEM));
}

static u64 id_of(const struct lvw_vol *v)
{
	return LVS_BLOB_ID(v->root);
}

static int write_chain_of(struct lvw_vol *v, struct lvs_error *err)
{
	if (vol_dirty_chain(v))
		return commit_die(v->w, -ENOMEM, err, "metadata");
	return commit(v->w, err);
}

static int copy_internal(struct lvw_vol *to, const struct lvw_vol *from, const char *name)
{
	const struct blob_xattr *x = vol_xattr(from, name, true);

	return x ? vol_xattr_put(to, name, x->pub.value, x->pub.len, true) : 0;
}

/* ---- snapshot ---- */

/* All that @v is, its map borrowed; marked as being made. */
static int snap_fill(struct lvw_vol *s, struct lvw_vol *v)
{
	s->flags = v->flags;
	vol_set_ro(s);
	s->slots = v->slots;
	s->nr_slots = v->nr_slots;
	s->clusters = v->clusters;
	s->allocated = v->allocated;
	s->parent = v->parent;
	if (copy_internal(s, v, LVS_XATTR_SNAP) || copy_internal(s, v, LVS_XATTR_ESNAP))
		return -ENOMEM;
	return vol_xattr_put_id(s, LVS_XATTR_SNAP_CREATE, id_of(v));
}

/* The origin becomes an empty clone of it, which owns the map from here on. */
static int snap_switch(struct lvw_vol *s, struct lvw_vol *v, struct wslot *empty)
{
	v->slots = empty;
	v->allocated = 0;
	if (v->parent)
		v->parent->nr_clones--;
	v->parent = s;
	s->nr_clones++;
	vol_flag_set(v, LVS_INVALID_THIN);
	vol_flag_clear(v, LVS_INVALID_ESNAP);
	vol_xattr_drop(v, LVS_XATTR_ESNAP, true);
	return vol_xattr_put_id(v, LVS_XATTR_SNAP, id_of(s));
}

static int snap_commit(struct lvw_vol *s, struct lvw_vol *v, struct lvs_error *err)
{
	struct wslot *empty = calloc(v->nr_slots + 1, sizeof(*empty));
	int rc;

	if (!empty || vol_insert(s)) {
		free(empty);
		s->slots = NULL;
		s->nr_slots = 0;
		vol_discard(s);
		return no_memory(err);
	}
	rc = write_chain_of(s, err);
	/* the map is the snapshot's from here on, also in memory, whatever comes */
	if (snap_switch(s, v, empty) && !rc)
		rc = commit_die(v->w, -ENOMEM, err, "snapshot");
	if (!rc)
		rc = write_chain_of(v, err);
	if (rc)
		return rc;
	vol_xattr_drop(s, LVS_XATTR_SNAP_CREATE, true);
	return write_chain_of(s, err);
}

int lvw_vol_snapshot(struct lvw_vol *v, const struct lvw_vol_opts *o, struct lvw_vol **out,
		     struct lvs_error *err)
{
	struct lvs_writer *w = v->w;
	struct lvw_vol *s;
	int rc = commit_alive(w, err);

	if (rc)
		return rc;
	if (vol_is_ro(v))
		return lvs_err(err, -EROFS, "\"%s\" is read-only: clone it as it is", v->name);
	rc = vol_from_opts(w, o, &s, err);
	if (rc)
		return rc;
	/* its map is on the device then, and nothing of it is changing */
	rc = commit(w, err);
	if (!rc && snap_fill(s, v))
		rc = no_memory(err);
	if (!rc)
		rc = want_room(w, 2 * vol_chain_len(s) + vol_chain_len(v) + 1 +
			       (vol_flag(v, LVS_INVALID_TABLE) ? 0 : v->nr_slots), 0, err);
	if (rc) {
		s->slots = NULL;
		s->nr_slots = 0;
		vol_discard(s);
		return rc;
	}
	if (out)
		*out = s;
	return snap_commit(s, v, err);
}

/* ---- delete ---- */

/* Nothing names it any more. */
static int delete_leaf(struct lvw_vol *v, struct lvs_error *err)
{
	struct lvs_writer *w = v->w;
	int rc;

	vol_undirty(v);		/* what was not flushed is of no interest */
	/* what others have given back is theirs on the device until they are committed */
	rc = commit(w, err);
	if (!rc)
		rc = commit_unroot(v, err);
	if (rc)
		return rc;
	rc = map_give_back(v);
	for (size_t i = 0; i < v->nr_chain && !rc; i++)
		rc = space_give_back(&w->pages, v->chain[i]);
	if (!rc)
		rc = space_give_back(&w->pages, v->root);
	if (rc)
		return commit_die(w, rc, err, "deleting");
	vol_remove(v);
	vol_free(v);
	return commit_settle(w, err);
}

static struct lvw_vol *only_clone(const struct lvw_vol *v)
{
	for (size_t i = 0; i < v->w->nr_vols; i++)
		if (v->w->vols[i]->parent == v)
			return v->w->vols[i];
	return NULL;
}

/*
 * Beyond the snapshot's end the clone reads zeros; without the snapshot, what is further down would
 * show there.
 */
static bool would_uncover(const struct lvw_vol *s, const struct lvw_vol *c, u64 i)
{
	const struct lvw_vol *p = s->parent;

	if (i < s->clusters || map_get(c, i))
		return false;
	return vol_flag(s, LVS_INVALID_ESNAP) || (p && i < p->clusters && map_resolve(p, i));
}

/* Beyond this nothing would be uncovered. */
static u64 uncover_end(const struct lvw_vol *s, const struct lvw_vol *c)
{
	if (vol_flag(s, LVS_INVALID_ESNAP))
		return c->clusters;
	if (!s->parent)
		return 0;
	return c->clusters < s->parent->clusters ? c->clusters : s->parent->clusters;
}

static int merge_room(const struct lvw_vol *s, const struct lvw_vol *c, struct lvs_error *err)
{
	u64 pages = 3 * (vol_chain_len(s) + vol_chain_len(c) + 4) + 2 * c->nr_slots +
		    s->nr_slots + c->nr_slots / 64;
	u64 n = 0;

	for (u64 i = s->clusters; i < uncover_end(s, c); i++)
		n += would_uncover(s, c, i);
	return want_room(s->w, pages, n, err);
}

static int merge_mark(struct lvw_vol *s, struct lvw_vol *c, struct lvs_error *err)
{
	vol_flag_set(s, LVS_INVALID_THIN);	/* it will have no map */
	if (vol_xattr_put_id(s, LVS_XATTR_SNAP_REMOVE, id_of(c)))
		return no_memory(err);
	return write_chain_of(s, err);
}

/* The clone lists what it shows of the snapshot; both list it now. */
static int merge_map(struct lvw_vol *s, struct lvw_vol *c, struct lvs_error *err)
{
	int rc = 0;

	for (u64 i = map_next(s, 0); i < s->clusters && !rc; i = map_next(s, i + 1)) {
		if (i >= c->clusters || map_get(c, i))
			continue;
		rc = map_prepare(c, i);
		if (rc)
			return commit_die(c->w, rc, err, "deleting a snapshot");
		map_set(c, i, map_get(s, i));
	}
	for (u64 i = s->clusters; i < uncover_end(s, c) && !rc; i++)
		if (would_uncover(s, c, i))
			rc = alloc_zero(c, i, err);
	return rc ? rc : write_chain_of(c, err);
}

/*
 * A name and a uuid that nobody asks for, and no xattrs: what is empty now must not be taken for
 * what it was, should it come to nothing more. The mark says that the rest is to be done.
 */
static int merge_unname(struct lvw_vol *s)
{
	char name[LVS_NAME_MAX], text[YBD_UUID_TEXT_LEN];
	u8 uuid[16] = { 0 };

	snprintf(name, sizeof(name), "deleted-%.36s", s->uuid);
	ybd_uuid_parse(s->uuid, uuid);
	for (int i = 0; i < 16; i++)
		uuid[i] = (u8)~uuid[i];
	ybd_uuid_text(uuid, text);
	for (size_t i = s->nr_xattrs; i--;)
		if (!s->xattrs[i].internal)
			vol_xattr_drop(s, s->xattrs[i].pub.name, false);
	memcpy(s->name, name, sizeof(s->name));
	memcpy(s->uuid, text, sizeof(text));
	if (vol_xattr_put(s, "name", name, strlen(name) + 1, false) ||
	    vol_xattr_put(s, "uuid", text, sizeof(text), false))
		return -ENOMEM;
	return vol_xattr_put_id(s, WXATTR_GONE, id_of(s));
}

/* The snapshot lets go of its map; what the clone has not taken is free. */
static int merge_empty(struct lvw_vol *s, struct lvw_vol *c, struct lvs_error *err)
{
	for (u64 i = map_next(s, 0); i < s->clusters; i = map_next(s, i + 1))
		if (i < c->clusters && map_get(c, i) == map_get(s, i))
			map_set(s, i, 0);
	vol_xattr_drop(s, LVS_XATTR_SNAP_REMOVE, true);
	if (map_give_back(s) || merge_unname(s))
		return commit_die(s->w, -ENOMEM, err, "deleting a snapshot");
	return write_chain_of(s, err);
}

/* The clone goes over to the snapshot's parent. */
static int merge_relink(struct lvw_vol *s, struct lvw_vol *c, struct lvs_error *err)
{
	int rc = 0;

	vol_xattr_drop(c, LVS_XATTR_SNAP, true);
	if (vol_flag(s, LVS_INVALID_ESNAP))
		vol_flag_set(c, LVS_INVALID_ESNAP);
	rc = copy_internal(c, s, LVS_XATTR_ESNAP);
	if (!rc && s->parent)
		rc = vol_xattr_put_id(c, LVS_XATTR_SNAP, id_of(s->parent));
	if (rc)
		return commit_die(c->w, rc, err, "deleting a snapshot");
	c->parent = s->parent;
	if (c->parent)
		c->parent->nr_clones++;
	s->nr_clones--;
	return write_chain_of(c, err);
}

/*
 * SPDK marks the snapshot, moves the map and the parent of the clone in one step, and crashes on
 * load when it is stopped right there. So here the snapshot is empty, and without its mark, before
 * the clone leaves it: a chain like any other.
 */
static int delete_merge(struct lvw_vol *s, struct lvs_error *err)
{
	struct lvw_vol *c = only_clone(s);
	int rc = commit(s->w, err);

	if (!rc)
		rc = merge_room(s, c, err);
	if (!rc)
		rc = merge_mark(s, c, err);
	if (!rc)
		rc = merge_map(s, c, err);
	if (!rc)
		rc = merge_empty(s, c, err);
	if (!rc)
		rc = merge_relink(s, c, err);
	return rc ? rc : delete_leaf(s, err);
}

int finish_deletions(struct lvs_writer *w, struct lvs_error *err)
{
	int rc = 0;

	for (size_t i = w->nr_vols; i-- && !rc;) {
		struct lvw_vol *v = w->vols[i];

		if (!vol_is_gone(v))
			continue;
		if (v->nr_clones)
			rc = merge_relink(v, only_clone(v), err);
		if (!rc)
			rc = delete_leaf(v, err);
	}
	return rc;
}

int lvw_vol_delete(struct lvw_vol *v, struct lvs_error *err)
{
	int rc = commit_alive(v->w, err);

	if (!rc)
		rc = check_append(v, err);
	if (!rc && v->nr_clones > 1)
		rc = lvs_err(err, -EBUSY, "\"%s\" has %zu clones: delete them first", v->name,
			     v->nr_clones);
	if (!rc)
		rc = commit_begin(v->w, err);
	if (rc)
		return rc;
	return v->nr_clones ? delete_merge(v, err) : delete_leaf(v, err);
}
