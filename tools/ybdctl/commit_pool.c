// SPDX-License-Identifier: GPL-2.0-only
/*
 * The upper may not change while it is read. It is not attached, so only somebody who attaches or
 * destroys it could change it: either writes its header, which is compared at the end. Nothing is
 * locked, as the module may have the pool open for other devices.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "commit.h"
#include "layerlist.h"
#include "pools.h"
#include "util.h"

#define CHUNK	256u		/* blocks */

/**
 * struct upper - an upper that is read
 * @pools: where it was looked for
 * @found: it
 * @io: its pool
 * @p: the pool, checked
 * @n: its number
 * @map: where its blocks are
 * @buf: CHUNK blocks
 * @layer: @nr_layer layers of its image
 * @finder: where they are looked for
 */
struct upper {
	struct pool_refs pools;
	struct upper_refs found;
	struct pool_io *io;
	struct pool *p;
	u32 n;
	struct pool_records map;
	u8 *buf;
	struct ybd_layer *layer;
	size_t nr_layer;
	struct ybd_finder *finder;
};

static void upper_close(struct changes *c)
{
	struct upper *u = c->priv;

	ybd_layers_free(u->layer, u->nr_layer);
	free(u->buf);
	free(u->map.rec);
	if (u->p)
		pool_close(u->p);
	if (u->io)
		pool_io_close(u->io);
	uppers_free(&u->found);
	pools_free(&u->pools);
	free(u);
}

/* ---- reading ---- */

static int upper_copy_image(struct changes *c, struct delta *d, struct ybd_error *err)
{
	struct upper *u = c->priv;
	struct ybd_plan plan;
	int rc = ybd_layers_plan(u->finder, u->layer, u->nr_layer, &plan, err);

	if (rc)
		return rc;
	rc = image_copy(&plan, c->size, d, err);
	ybd_plan_free(&plan);
	return rc;
}

static int copy_data(struct upper *u, const struct pool_record *r, struct delta *d,
		     struct ybd_error *err)
{
	struct lvs_error e = { 0 };
	int rc = 0;

	for (u64 at = 0; at < r->nr && !rc; at += CHUNK) {
		u32 n = r->nr - at < CHUNK ? (u32)(r->nr - at) : CHUNK;

		rc = pool_io_read(u->io, r->where + at, u->buf, n);
		if (rc)
			return ybd_error_sys(err, rc, "%s: reading block %llu",
					     u->found.v->pool->path,
					     (unsigned long long)(r->where + at));
		rc = delta_write(d, (r->start + at) << YBD_FMT_BLOCK_SHIFT, u->buf,
				 (size_t)n << YBD_FMT_BLOCK_SHIFT, &e);
	}
	return rc ? ybd_error_set(err, rc, "%s", e.text) : 0;
}

static int copy_zeroes(const struct pool_record *r, struct delta *d, struct ybd_error *err)
{
	struct lvs_error e = { 0 };
	int rc = delta_zero(d, r->start << YBD_FMT_BLOCK_SHIFT, r->nr << YBD_FMT_BLOCK_SHIFT, &e);

	return rc ? ybd_error_set(err, rc, "%s", e.text) : 0;
}

/* Each attach raises the epoch, and who destroys it frees its place. */
static int still_the_same(struct upper *u, struct ybd_error *err)
{
	const struct pool_upper *was = &u->p->upper[u->n], *is;
	struct pool *now;
	bool same;
	int rc = pool_open(u->io, POOL_READ_LIVE, &now, err);

	if (rc)
		return rc;
	is = &now->upper[u->n];
	same = is->place == POOL_PLACE_LIVE && is->seq == was->seq && is->epoch == was->epoch &&
	       is->generation == was->generation;
	pool_close(now);
	if (same)
		return 0;
	return ybd_error_set(err, -EBUSY, "%s: it was attached or destroyed meanwhile: try again",
			     was->name);
}

static int upper_copy(struct changes *c, struct delta *d, struct ybd_error *err)
{
	struct upper *u = c->priv;
	int rc = 0;

	for (size_t i = 0; i < u->map.nr && !rc; i++) {
		const struct pool_record *r = &u->map.rec[i];

		rc = r->where == POOL_ZEROES ? copy_zeroes(r, d, err) : copy_data(u, r, d, err);
	}
	return rc ? rc : still_the_same(u, err);
}

static const struct changes_ops upper_ops = {
	.copy_image = upper_copy_image,
	.copy = upper_copy,
	.close = upper_close,
};

/* ---- finding it ---- */

static int number_of(const struct pool *p, const u8 uuid[16], u32 *n)
{
	for (u32 i = 0; i < p->info.layout.nr_uppers; i++) {
		if (p->upper[i].place == POOL_PLACE_LIVE &&
		    !memcmp(p->upper[i].uuid, uuid, sizeof(p->upper[i].uuid))) {
			*n = i;
			return 0;
		}
	}
	return -ENOENT;
}

static int open_pool(struct upper *u, const struct upper_ref *ref, struct ybd_error *err)
{
	int rc = pool_io_open(ref->pool->path, POOL_IO_LOOK, 0, &u->io, err);

	if (rc) {
		ybd_error_prefix(err, "%s", ref->pool->path);
		return rc;
	}
	rc = pool_check(u->io, &u->p, err);
	if (rc)
		return rc;
	if (number_of(u->p, ref->uuid, &u->n))
		return ybd_error_set(err, -ENOENT, "%s: it has just been destroyed", ref->name);
	if (u->p->upper[u->n].broken)
		return ybd_error_set(err, -EUCLEAN, "%s: it is damaged (see: ybdctl pool check %s)",
				     ref->name, ref->pool->path);
	rc = pool_upper_map(u->p, u->n, &u->map);
	if (rc)
		return ybd_error_sys(err, rc, "%s: its map", ref->name);
	u->buf = pool_io_alloc(CHUNK);
	return u->buf ? 0 : ybd_error_sys(err, -ENOMEM, "%s", ref->name);
}

static int find_image(struct upper *u, const struct upper_ref *ref, struct changes *c,
		      struct ybd_error *err)
{
	const struct ybd_layer *top;
	struct ybd_source *s;
	int rc;

	if (!ref->list)
		return ybd_error_set(err, -EUCLEAN, "%s: %s", ref->name, ref->damage);
	rc = ybd_layers_decode(ref->list, ref->list_bytes, &u->layer, &u->nr_layer, err);
	if (rc)
		return rc;
	top = &u->layer[u->nr_layer - 1];
	c->is_lvol = u->nr_layer == 1 && top->kind == YBD_FMT_LAYER_LVOL;
	memcpy(c->lvol, top->lvol_uuid, sizeof(c->lvol));
	/* it may have moved: then it is found elsewhere, or --source says where */
	for (size_t i = 0; i < u->nr_layer && !rc; i++)
		if (u->layer[i].where &&
		    ybd_finder_source(u->finder, u->layer[i].where, &s, err) == -ENOMEM)
			rc = -ENOMEM;
	return rc;
}

static int find_upper(struct upper *u, const char *name, const char *pool, struct changes *c,
		      struct ybd_error *err)
{
	char *word = (char *)name;
	const struct upper_ref *ref;
	int rc = pools_find(pool, &u->pools, err);

	if (!rc)
		rc = uppers_find(&u->pools, &word, 1, &u->found, err);
	if (!rc)
		rc = upper_pick(&u->found, name, &ref, err);
	if (!rc)
		rc = find_image(u, ref, c, err);
	if (!rc)
		rc = open_pool(u, ref, err);
	if (rc)
		return rc;
	memcpy(c->identity, ref->image_identity, sizeof(c->identity));
	c->size = u->p->upper[u->n].nr_blocks << YBD_FMT_BLOCK_SHIFT;
	return 0;
}

int changes_of_upper(const char *name, const char *pool, struct ybd_finder *f, struct changes *c,
		     struct ybd_error *err)
{
	struct upper *u = calloc(1, sizeof(*u));
	int rc;

	*c = (struct changes){ .ops = &upper_ops, .priv = u };
	if (!u)
		return ybd_error_sys(err, -ENOMEM, "%s", name);
	u->finder = f;
	rc = find_upper(u, name, pool, c, err);
	if (rc)
		upper_close(c);
	return rc;
}
