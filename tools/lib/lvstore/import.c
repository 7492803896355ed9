// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the reader found, into the writer's memory. A store is only written when all of it is
 * understood: who owns what no lvol lists is free.
 *
 * Interrupted snapshot operations are settled as SPDK's next load would (section 7). Where a
 * snapshot that is kept shares clusters with its clone, the clone lets go of them: it reads the
 * same through the snapshot.
 */
#include <errno.h>
#include <stdlib.h>

#include "writer.h"

struct import {
	struct lvs_writer *w;
	struct lvs_store *s;
	struct lvs_error *err;
	u64 shared;		/* clusters found in two maps */
};

static int no_memory(struct lvs_error *err)
{
	return lvs_err(err, -ENOMEM, "%s", strerror(ENOMEM));
}

static int take_page(struct import *im, const struct lvs_lvol *l, u32 page)
{
	if (page < im->w->md_len && space_take(&im->w->pages, page))
		return 0;
	return lvs_err_page(im->err, -EUCLEAN, im->s, page,
			    "used twice, the second time by lvol \"%s\": not to be written",
			    l->name);
}

static int import_chain(struct import *im, struct lvw_vol *v, const struct lvs_lvol *l)
{
	int rc = 0;

	v->nr_chain = l->nr_chain - 1;
	v->chain = calloc(v->nr_chain + 1, sizeof(*v->chain));
	if (!v->chain)
		return no_memory(im->err);
	for (size_t i = 0; i < l->nr_chain && !rc; i++) {
		rc = take_page(im, l, l->refs[i].page);
		if (i)
			v->chain[i - 1] = l->refs[i].page;
	}
	return rc;
}

static int import_xattrs(struct import *im, struct lvw_vol *v, const struct lvs_lvol *l)
{
	for (size_t i = 0; i < l->nr_xattrs; i++) {
		const struct blob_xattr *x = &l->xattrs[i];

		if (vol_xattr(v, x->pub.name, x->internal))
			return lvs_err_page(im->err, -EUCLEAN, im->s, l->root,
					    "two xattrs \"%s\": not to be written", x->pub.name);
		if (vol_xattr_put(v, x->pub.name, x->pub.value, x->pub.len, x->internal))
			return no_memory(im->err);
	}
	return 0;
}

/* Not through map_prepare(): nothing has to be written. */
static int import_cluster(struct import *im, struct lvw_vol *v, u64 i, u32 cluster)
{
	struct wslot *slot = &v->slots[i / LVS_EXTENTS_PER_PAGE];

	if (!slot->map)
		slot->map = calloc(LVS_EXTENTS_PER_PAGE, sizeof(*slot->map));
	if (!slot->map)
		return no_memory(im->err);
	map_set(v, i, cluster);
	im->shared += !space_take(&im->w->clusters, cluster);
	return 0;
}

static int import_map(struct import *im, struct lvw_vol *v, const struct lvs_lvol *l)
{
	int rc = map_init(v, l->num_clusters) ? no_memory(im->err) : 0;

	for (size_t i = 0; i < l->nr_table && !rc; i++) {
		v->slots[l->table[i].slot].page = l->table[i].page;
		rc = take_page(im, l, l->table[i].page);
	}
	for (size_t i = 0; i < l->nr_runs && !rc; i++)
		for (u32 k = 0; k < l->runs[i].len && !rc; k++)
			rc = import_cluster(im, v, l->runs[i].start + k, l->runs[i].phys + k);
	/* style B has no extent pages: written again, it gets some */
	for (u64 i = 0; l->has_rle && i < v->nr_slots && !rc; i++)
		v->slots[i].dirty = v->slots[i].used;
	return rc;
}

static int import_blob(struct import *im, struct lvs_lvol *l, struct lvw_vol **out)
{
	struct lvw_vol *v = calloc(1, sizeof(*v));
	int rc;

	if (!v)
		return no_memory(im->err);
	*out = v;
	v->w = im->w;
	v->root = l->root;
	v->flags.data_ro = cpu_to_le64(l->data_ro_flags);
	v->flags.md_ro = cpu_to_le64(l->md_ro_flags);
	rc = import_chain(im, v, l);
	if (!rc)
		rc = import_xattrs(im, v, l);
	if (!rc)
		rc = import_map(im, v, l);
	v->flags.invalid = cpu_to_le64(l->invalid_flags);
	v->on_disk = v->flags;
	vol_flag_set(v, LVS_INVALID_TABLE);
	memcpy(v->name, l->name, sizeof(v->name));
	memcpy(v->uuid, l->uuid, sizeof(v->uuid));
	return rc;
}

/* An interrupted operation that comes to nothing: its pages are noted, where they are its own. */
static int note_dead(struct import *im, const struct lvs_lvol *l)
{
	struct lvs_writer *w = im->w;
	int rc;

	rc = lvs_grow(&w->dead_roots, &w->cap_dead_roots, w->nr_dead_roots, sizeof(u32));
	if (rc)
		return no_memory(im->err);
	w->dead_roots[w->nr_dead_roots++] = l->root;
	for (size_t i = 1; i < l->nr_refs; i++) {
		rc = lvs_grow(&w->dead_pages, &w->cap_dead_pages, w->nr_dead_pages, sizeof(u32));
		if (rc)
			return no_memory(im->err);
		w->dead_pages[w->nr_dead_pages++] = l->refs[i].page;
	}
	return 0;
}

/* Pages that the clone, say, has as well are not to be zeroed. */
static void keep_used_pages(struct lvs_writer *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->nr_dead_pages; i++)
		if (!space_is_used(&w->pages, w->dead_pages[i]))
			w->dead_pages[n++] = w->dead_pages[i];
	w->nr_dead_pages = n;
}

static int refuse(struct import *im)
{
	for (size_t i = 0; i < im->s->nr_refusals; i++) {
		const struct lvs_refusal *r = &im->s->refusals[i];

		if (r->blob_id == LVS_NO_BLOB && r->page == LVS_NO_PAGE)
			continue;	/* the masks: they are made anew */
		return lvs_err(im->err, -EUCLEAN,
			       "a store with damaged lvols is not written: %s%s%s",
			       r->name, *r->name ? ": " : "", r->text);
	}
	return 0;
}

static int import_blobs(struct import *im)
{
	struct lvs_writer *w = im->w;
	int rc = 0;

	for (size_t i = 0; i < im->s->nr_blobs && !rc; i++) {
		struct lvs_lvol *l = im->s->blobs[i];
		struct lvw_vol *v = NULL;

		if (l->state == LVOL_REMOVED) {
			rc = note_dead(im, l);
			continue;
		}
		rc = import_blob(im, l, &v);
		if (!rc && l->state != LVOL_SUPER && vol_insert(v))
			rc = no_memory(im->err);
		if (rc)
			vol_free(v);
		else if (l->state == LVOL_SUPER)
			w->own = v;
	}
	keep_used_pages(w);
	return rc;
}

static struct lvw_vol *find_root(struct lvs_writer *w, u32 root)
{
	for (size_t lo = 0, hi = w->nr_vols; lo < hi;) {
		size_t mid = (lo + hi) / 2;

		if (w->vols[mid]->root == root)
			return w->vols[mid];
		if (w->vols[mid]->root < root)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* The clone lets go of what its parent has in the same place. */
static int unshare(struct import *im, struct lvw_vol *v)
{
	struct lvw_vol *p = v->parent;

	if (!p)
		return 0;
	for (u64 i = map_next(v, 0); im->shared && i < v->clusters; i = map_next(v, i + 1)) {
		int rc;

		if (i >= p->clusters || map_get(p, i) != map_get(v, i))
			continue;
		rc = map_prepare(v, i);
		if (rc)
			return lvs_err(im->err, rc, "%s", strerror(-rc));
		map_set(v, i, 0);
		im->shared--;
	}
	return 0;
}

static int link_parents(struct import *im)
{
	struct lvs_writer *w = im->w;
	int rc = 0;

	for (size_t i = 0; i < im->s->nr_blobs; i++) {
		const struct lvs_lvol *l = im->s->blobs[i];
		struct lvw_vol *v = l->parent ? find_root(w, l->root) : NULL;

		if (!v)
			continue;
		v->parent = find_root(w, l->parent->root);
		if (!v->parent)
			return lvs_err_page(im->err, -EUCLEAN, im->s, l->root,
					    "\"%s\" has no parent: not to be written", v->name);
		v->parent->nr_clones++;
	}
	for (size_t i = 0; i < w->nr_vols && !rc; i++)
		rc = unshare(im, w->vols[i]);
	if (!rc && im->shared)
		rc = lvs_err(im->err, -EUCLEAN,
			     "%llu clusters are listed by more than one lvol: not to be written (see: store check)",
			     (unsigned long long)im->shared);
	return rc;
}

/* A snapshot whose making, or deletion, was interrupted and which stays. */
static int finish_kept(struct import *im)
{
	struct lvs_writer *w = im->w;

	for (size_t i = 0; i < w->nr_vols; i++) {
		struct lvw_vol *v = w->vols[i];

		if (!vol_xattr(v, LVS_XATTR_SNAP_CREATE, true) &&
		    !vol_xattr(v, LVS_XATTR_SNAP_REMOVE, true))
			continue;
		vol_xattr_drop(v, LVS_XATTR_SNAP_CREATE, true);
		vol_xattr_drop(v, LVS_XATTR_SNAP_REMOVE, true);
		vol_set_ro(v);
		if (vol_dirty_chain(v))
			return no_memory(im->err);
	}
	return 0;
}

/*
 * Free clusters should read zero. SPDK counts upon it; but those that an interrupted operation had
 * taken may not, nor those that are marked used and nobody's. The same with pages.
 */
static int note_suspects(struct import *im)
{
	struct lvs_writer *w = im->w;
	u8 *marked = NULL;

	if (im->s->clean) {
		if (md_load_masks(im->s))
			return lvs_err(im->err, -EIO, "the masks cannot be read");
		marked = im->s->used_clusters;
	}
	w->suspect_pages = !marked;
	w->suspect = calloc(w->total_clusters / 8 + 1, 1);
	if (!w->suspect)
		return no_memory(im->err);
	for (u64 c = w->md_clusters; c < w->total_clusters; c++)
		if (!space_is_used(&w->clusters, c) && (!marked || md_bit(marked, c)))
			w->suspect[c / 8] |= 1 << (c % 8);
	return 0;
}

int import_store(struct lvs_writer *w, struct lvs_store *s, struct lvs_error *err)
{
	struct import im = { .w = w, .s = s, .err = err };
	int rc = refuse(&im);

	if (!rc)
		rc = import_blobs(&im);
	/* page 0 of the extent tables means none, so it is never given out */
	if (!rc)
		space_take(&w->pages, 0);
	if (!rc)
		rc = link_parents(&im);
	if (!rc)
		rc = finish_kept(&im);
	return rc ? rc : note_suspects(&im);
}
