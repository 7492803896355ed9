// SPDX-License-Identifier: GPL-2.0-only
/*
 * A chain of lvols -> one sorted array of extents.
 *
 * Each lvol of the chain is a sorted array of runs, cut off at the smallest size above it: beyond
 * its own size an lvol reads zeros, whatever lies below (section 5, rule 3). "Upper over lower" is
 * associative, so neighbours are merged in pairs, then the results in pairs: each run is looked at
 * once per level, log2(lvols) times, and not once per lvol.
 */
#include <errno.h>
#include <stdlib.h>

#include "../sha256.h"
#include "store.h"

/* Clusters, consecutive on both sides. */
struct run {
	u32 start;
	u32 phys;
	u32 len;
	u32 source;
};

struct runs {
	struct run *v;
	size_t nr;
	size_t cap;
};

static u64 run_end(const struct run *r)
{
	return (u64)r->start + r->len;
}

static void runs_add(struct runs *out, u64 start, u64 end, const struct run *from)
{
	struct run r = {
		.start = (u32)start,
		.phys = from->phys + (u32)(start - from->start),
		.len = (u32)(end - start),
		.source = from->source,
	};
	struct run *last = out->nr ? &out->v[out->nr - 1] : NULL;

	if (last && run_end(last) == start && last->source == r.source &&
	    (u64)last->phys + last->len == r.phys)
		last->len += r.len;
	else
		out->v[out->nr++] = r;
}

/* The parts of @lo that lie in [*@pos, @end); *@pos becomes @end. */
static void fill_gap(struct runs *out, const struct runs *lo, size_t *k, u64 *pos, u64 end)
{
	while (*k < lo->nr && lo->v[*k].start < end) {
		const struct run *r = &lo->v[*k];
		u64 a = r->start > *pos ? r->start : *pos;
		u64 b = run_end(r) < end ? run_end(r) : end;

		if (a < b)
			runs_add(out, a, b, r);
		if (run_end(r) > end)
			break;	/* the rest comes after what covers it */
		(*k)++;
	}
	*pos = end;
}

/*
 * @up over @lo. Each run of either contributes at most one piece, and each run of @up may split
 * one of @lo: @up->nr * 2 + @lo->nr in all.
 */
static int merge(const struct runs *up, const struct runs *lo, struct runs *out)
{
	size_t k = 0;
	u64 pos = 0;

	*out = (struct runs){ .cap = up->nr * 2 + lo->nr + 1 };
	out->v = malloc(out->cap * sizeof(*out->v));
	if (!out->v)
		return -ENOMEM;
	for (size_t i = 0; i < up->nr; i++) {
		fill_gap(out, lo, &k, &pos, up->v[i].start);
		runs_add(out, up->v[i].start, run_end(&up->v[i]), &up->v[i]);
		pos = run_end(&up->v[i]);
	}
	fill_gap(out, lo, &k, &pos, UINT64_MAX);
	return 0;
}

/* One lvol's own runs, as far as they show: below @limit clusters. */
static int layer_runs(const struct lvs_lvol *l, u64 limit, struct runs *out)
{
	*out = (struct runs){ .cap = l->nr_runs + 1 };
	out->v = malloc(out->cap * sizeof(*out->v));
	if (!out->v)
		return -ENOMEM;
	for (size_t i = 0; i < l->nr_runs && l->runs[i].start < limit; i++) {
		struct run r = {
			.start = l->runs[i].start,
			.phys = l->runs[i].phys,
			.len = l->runs[i].len,
			.source = LVS_SOURCE_STORE,
		};
		u64 end = run_end(&r) < limit ? run_end(&r) : limit;

		runs_add(out, r.start, end, &r);
	}
	return 0;
}

/* An external snapshot lies under all of its clone. */
static int esnap_runs(u64 limit, struct runs *out)
{
	*out = (struct runs){ .cap = 1 };
	out->v = malloc(sizeof(*out->v));
	if (!out->v)
		return -ENOMEM;
	if (limit)
		out->v[out->nr++] = (struct run){ .len = (u32)limit, .source = LVS_SOURCE_ESNAP };
	return 0;
}

/* @v: the layers from the top down, @esnap_len clusters of external snapshot at the bottom. */
static int chain_layers(const struct lvs_lvol *l, struct runs *v, size_t *nr, u64 *esnap_len)
{
	u64 limit = UINT64_MAX;
	int rc = 0;

	*esnap_len = 0;
	for (; l && !rc; l = l->parent) {
		if (l->num_clusters < limit)
			limit = l->num_clusters;
		rc = layer_runs(l, limit, &v[*nr]);
		(*nr)++;
		if (rc || !l->esnap_id)
			continue;
		*esnap_len = limit;
		rc = esnap_runs(limit, &v[*nr]);
		(*nr)++;
	}
	return rc;
}

/* Merge neighbours in pairs until one is left, in v[0]. */
static int merge_all(struct runs *v, size_t nr)
{
	for (; nr > 1; nr = (nr + 1) / 2) {
		for (size_t i = 0; i < nr; i += 2) {
			struct runs m = v[i];
			int rc = 0;

			if (i + 1 < nr) {
				rc = merge(&v[i], &v[i + 1], &m);
				free(v[i].v);
				free(v[i + 1].v);
				v[i + 1].v = NULL;
				v[i].v = NULL;
			}
			if (rc)
				return rc;
			v[i].v = NULL;
			v[i / 2] = m;
		}
	}
	return 0;
}

static const char *chain_esnap_id(const struct lvs_lvol *l)
{
	while (l->parent)
		l = l->parent;
	return l->esnap_id;
}

static int map_fill(struct lvs_map *map, const struct lvs_lvol *l, const struct runs *r)
{
	const char *id = chain_esnap_id(l);
	u64 cs = l->store->cluster_size;

	map->size = lvs_lvol_size(l);
	map->ext = calloc(r->nr + 1, sizeof(*map->ext));
	map->esnap_id = id ? strdup(id) : NULL;
	if (!map->ext || (id && !map->esnap_id))
		return -ENOMEM;
	for (size_t i = 0; i < r->nr; i++)
		map->ext[map->nr++] = (struct lvs_extent){
			.start = r->v[i].start * cs,
			.phys = r->v[i].phys * cs,
			.len = r->v[i].len * cs,
			.source = r->v[i].source,
		};
	return 0;
}

int lvs_flatten(const struct lvs_lvol *l, struct lvs_map *map)
{
	struct runs *v = calloc((size_t)l->depth + 1, sizeof(*v));
	u64 esnap_len;
	size_t nr = 0;
	int rc;

	memset(map, 0, sizeof(*map));
	if (!v)
		return -ENOMEM;
	rc = chain_layers(l, v, &nr, &esnap_len);
	if (!rc)
		rc = merge_all(v, nr);
	if (!rc)
		rc = map_fill(map, l, &v[0]);
	map->esnap_len = esnap_len * l->store->cluster_size;
	for (size_t i = 0; i < (size_t)l->depth + 1; i++)
		free(v[i].v);
	free(v);
	if (rc)
		lvs_map_free(map);
	return rc;
}

void lvs_map_free(struct lvs_map *map)
{
	free(map->ext);
	free(map->esnap_id);
	memset(map, 0, sizeof(*map));
}

static void hash_u64(struct sha256 *h, u64 v)
{
	u8 b[8];

	for (int i = 0; i < 8; i++)
		b[i] = (u8)(v >> (8 * i));
	sha256_update(h, b, sizeof(b));
}

static void hash_text(struct sha256 *h, const char *t)
{
	sha256_update(h, t, strlen(t) + 1);
}

void lvs_identity(const struct lvs_lvol *l, const struct lvs_map *map,
		  uint8_t id[LVS_IDENTITY_LEN])
{
	struct sha256 h;

	static_assert(LVS_IDENTITY_LEN == SHA256_LEN, "identity is a SHA-256");
	sha256_init(&h);
	hash_text(&h, "ybd lvol identity 1");
	hash_text(&h, l->store->uuid);
	hash_u64(&h, l->store->cluster_size);
	for (const struct lvs_lvol *p = l; p; p = p->parent) {
		hash_text(&h, p->uuid);
		hash_u64(&h, LVS_BLOB_ID(p->root));
		hash_u64(&h, p->num_clusters);
		hash_text(&h, p->esnap_id ? p->esnap_id : "");
	}
	hash_u64(&h, map->nr);
	for (size_t i = 0; i < map->nr; i++) {
		hash_u64(&h, map->ext[i].start);
		hash_u64(&h, map->ext[i].phys);
		hash_u64(&h, map->ext[i].len);
		hash_u64(&h, map->ext[i].source);
	}
	sha256_final(&h, id);
}
