// SPDX-License-Identifier: GPL-2.0-only
/* What has to hold between the parts of a pool (pool-format.rst, section 9). */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../names.h"
#include "priv.h"

static int pool_error(struct pool *p, u64 block, const char *fmt, ...) __printf(3, 4);

/* An error that is no upper's. */
static int pool_error(struct pool *p, u64 block, const char *fmt, ...)
{
	struct pool_at at = { block, POOL_NO_UPPER, true, POOL_FIX_NONE };
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return pool_say(p, at, "%s", text);
}

static u64 table_block(const struct pool_table *t, u32 entry)
{
	return t->first[0] + entry / YBD_FMT_OWNERS_PER_BLOCK;
}

bool pool_table_lost(const struct pool_table *t)
{
	for (u32 k = 0; k < t->nr_blocks; k++)
		if (t->flags[k] & POOL_TABLE_LOST)
			return true;
	return false;
}

/* ---- segments of metadata ---- */

static int add_ordinal(struct pool *p, struct pool_check *c, u32 seg)
{
	u32 ord = p->segments.entry[seg].generation, per = pool_chunks_per_segment(&p->info.layout);
	u64 at = table_block(&p->segments, seg);

	if ((u64)ord * per >= p->info.layout.max_chunks)
		return pool_error(p, at, "segment %u: metadata segment %u, expected less than %u",
				  seg, ord, (p->info.layout.max_chunks + per - 1) / per);
	if (c->ordinal[ord])
		return pool_error(p, at, "segments %u and %u are both metadata segment %u",
				  c->ordinal[ord] - 1, seg, ord);
	c->ordinal[ord] = seg + 1;
	if (ord >= c->nr_ordinals)
		c->nr_ordinals = ord + 1;
	return 0;
}

static int check_ordinals(struct pool *p, struct pool_check *c)
{
	const struct pool_layout *l = &p->info.layout;
	u32 per = pool_chunks_per_segment(l);
	bool lost = pool_table_lost(&p->segments);
	int rc = 0;

	c->ordinal = calloc(l->max_chunks / per + 1, sizeof(*c->ordinal));
	if (!c->ordinal)
		return -ENOMEM;
	for (u32 i = 0; i < l->nr_segments && !rc; i++)
		if (p->segments.entry[i].owner == YBD_FMT_OWNER_METADATA)
			rc = add_ordinal(p, c, i);
	for (u32 o = 0; o < c->nr_ordinals && !rc && !lost; o++)
		if (!c->ordinal[o])
			rc = pool_error(p, l->segment_table[0],
					"no segment is metadata segment %u of %u", o,
					c->nr_ordinals);
	return rc;
}

static u32 ordinal_of(const struct pool *p, const struct pool_check *c, u32 chunk)
{
	u32 ord = chunk / pool_chunks_per_segment(&p->info.layout);

	return ord < c->nr_ordinals ? c->ordinal[ord] : 0;
}

static struct pool_at chunk_at(const struct pool *p, u32 chunk, u32 upper)
{
	return (struct pool_at){ table_block(&p->chunks, chunk), upper, true, POOL_FIX_LEAK };
}

/* All owned chunks lie in metadata segments; each upper gets a list of its. */
static int list_owned(struct pool *p, struct pool_check *c)
{
	u32 per = pool_chunks_per_segment(&p->info.layout), n, nr = p->info.layout.nr_uppers;
	bool lost = pool_table_lost(&p->segments);
	u32 *fill;
	int rc = 0;

	c->owned.first = calloc((size_t)nr + 2, sizeof(*c->owned.first));
	c->owned.place = calloc((size_t)p->totals.owned_chunks + 1, sizeof(*c->owned.place));
	if (!c->owned.first || !c->owned.place)
		return -ENOMEM;
	/* first[n + 1] is where n's are filled in, and in the end where they end */
	fill = c->owned.first + 1;
	for (u32 i = 1; i < nr; i++)
		fill[i] = fill[i - 1] + p->upper[i - 1].chunks;
	for (u32 i = 0; i < p->chunks.nr && !rc; i++) {
		n = pool_owner_of(p, p->chunks.entry[i]);
		if (n == POOL_NO_UPPER)
			continue;
		if (ordinal_of(p, c, i))
			c->owned.place[fill[n]++] =
				(u64)(ordinal_of(p, c, i) - 1) * per + i % per;
		else if (!lost)
			rc = pool_say(p, chunk_at(p, i, n),
				      "chunk %u is owned by upper %u, but there is no metadata segment %u",
				      i, n, i / per);
	}
	return rc;
}

/* ---- names ---- */

static int by_name(const void *a, const void *b, void *priv)
{
	const struct pool_upper *u = priv;

	return strcmp(u[*(const u32 *)a].name, u[*(const u32 *)b].name);
}

static int by_uuid(const void *a, const void *b, void *priv)
{
	const struct pool_upper *u = priv;

	return memcmp(u[*(const u32 *)a].uuid, u[*(const u32 *)b].uuid, 16);
}

static int check_unique(struct pool *p, u32 *n, u32 nr, const char *what,
			int (*cmp)(const void *a, const void *b, void *priv))
{
	int rc = 0;

	qsort_r(n, nr, sizeof(*n), cmp, p->upper);
	for (u32 i = 1; i < nr && !rc; i++) {
		if (cmp(&n[i - 1], &n[i], p->upper))
			continue;
		p->upper[n[i - 1]].broken = true;
		rc = pool_upper_error(p, n[i], p->info.layout.directory + 2ULL * n[i],
				      "uppers %u and %u have the same %s", n[i - 1], n[i], what);
	}
	return rc;
}

/* The kernel makes no device of another name. */
static int check_name(struct pool *p, u32 n)
{
	const struct pool_upper *u = &p->upper[n];
	const char *why = ybd_check_device_name(u->name);

	return !why ? 0 : pool_upper_error(p, n,
					   p->info.layout.directory + 2ULL * n + (u->seq & 1),
					   "name of upper %u: %s", n, why);
}

static int check_names(struct pool *p)
{
	u32 *n = calloc((size_t)p->totals.live + 1, sizeof(*n)), nr = 0;
	int rc = 0;

	if (!n)
		return -ENOMEM;
	for (u32 i = 0; i < p->info.layout.nr_uppers && !rc; i++) {
		if (p->upper[i].place != POOL_PLACE_LIVE)
			continue;
		n[nr++] = i;
		rc = check_name(p, i);
	}
	if (!rc)
		rc = check_unique(p, n, nr, "name", by_name);
	if (!rc)
		rc = check_unique(p, n, nr, "uuid", by_uuid);
	free(n);
	return rc;
}

/* ---- the map of an upper ---- */

/* Upper @n maps @block in segment @seg, which was not seen before. */
static int check_segment(struct pool *p, struct pool_check *c, u32 n, u32 seg, u64 block)
{
	struct pool_owner e = p->segments.entry[seg];

	if (!pool_entry_lost(&p->segments, seg) && !pool_owns(p, e, n))
		return pool_upper_error(p, n, block,
					"upper %u maps it, but segment %u has owner %u of generation %u, expected %u of %u",
					n, seg, e.owner, e.generation, n + 1,
					p->upper[n].generation);
	if (c->used[seg])
		return pool_upper_error(p, n, block, "uppers %u and %u both map segment %u",
					c->used[seg] - 1, n, seg);
	c->used[seg] = n + 1;
	return 0;
}

static int check_extent(struct pool *p, struct pool_check *c, u32 n, const struct pool_record *e)
{
	const struct pool_layout *l = &p->info.layout;
	u64 from = (e->where - l->data) / l->segment_blocks;
	u64 to = (e->where + e->nr - 1 - l->data) / l->segment_blocks;
	int rc = 0;

	for (u64 seg = from; seg <= to && !rc; seg++) {
		if (c->seen[seg] == n + 1)
			continue;
		c->seen[seg] = n + 1;
		rc = check_segment(p, c, n, (u32)seg, seg == from ? e->where :
				   l->data + seg * l->segment_blocks);
	}
	return rc;
}

static int by_where(const void *a, const void *b)
{
	u64 x = ((const struct pool_record *)a)->where, y = ((const struct pool_record *)b)->where;

	return (x > y) - (x < y);
}

/* Sorted by where they are, no two overlap. Zeroes come last. */
static int check_twice(struct pool *p, u32 n, struct pool_records *map)
{
	const struct pool_record *last = NULL;
	int rc = 0;

	if (map->nr)
		qsort(map->rec, map->nr, sizeof(*map->rec), by_where);
	for (size_t i = 0; i < map->nr && !rc; i++) {
		const struct pool_record *e = &map->rec[i];

		if (e->where == POOL_ZEROES)
			break;
		p->upper[n].mapped += e->nr;
		if (last && last->where + last->nr > e->where)
			rc = pool_upper_error(p, n, e->where,
					      "it is mapped twice by upper %u: for its blocks %llu and %llu",
					      n, (unsigned long long)(last->start + e->where -
								      last->where),
					      (unsigned long long)e->start);
		if (!last || last->where + last->nr < e->where + e->nr)
			last = e;
	}
	return rc;
}

static int check_map(struct pool *p, struct pool_check *c, u32 n, const struct pool_records *rec)
{
	struct pool_records map;
	int rc = pool_map_build(rec, &map);

	if (rc == -E2BIG)
		return pool_upper_error(p, n, POOL_NO_BLOCK, "upper %u has too many records", n);
	p->upper[n].extents = map.nr;
	for (size_t i = 0; i < map.nr && !rc; i++)
		if (map.rec[i].where != POOL_ZEROES)
			rc = check_extent(p, c, n, &map.rec[i]);
	if (!rc)
		rc = check_twice(p, n, &map);
	free(map.rec);
	return rc;
}

static int check_upper(struct pool *p, struct pool_check *c, struct pool_walk *w, u32 n)
{
	int rc;

	w->n = n;
	w->u = &p->upper[n];
	w->rec.nr = 0;
	w->first_use = w->nr_use;
	rc = pool_layers_walk(w);
	if (!rc)
		rc = pool_ckpt_walk(w);
	if (!rc)
		rc = pool_log_walk(w);
	/* the map of one that cannot be read to its end says little */
	if (!rc && !w->u->broken)
		rc = check_map(p, c, n, &w->rec);
	return rc;
}

static int check_uppers(struct pool *p, struct pool_check *c)
{
	struct pool_walk w = { .p = p, .owned = &c->owned };
	int rc = 0;

	for (u32 n = 0; n < p->info.layout.nr_uppers && !rc; n++)
		if (p->upper[n].place == POOL_PLACE_LIVE)
			rc = check_upper(p, c, &w, n);
	free(w.rec.rec);
	c->use = w.use;
	c->nr_use = w.nr_use;
	return rc;
}

/* It has been walked before, so what there is to say was said. */
static void forget_since(struct pool_report *r, size_t nr)
{
	while (r->nr > nr)
		free(r->find[--r->nr].text);
}

int pool_upper_map(struct pool *p, u32 n, struct pool_records *map)
{
	struct pool_upper u;
	struct pool_walk w = { .p = p, .n = n, .u = &u };
	size_t said = p->report.nr;
	int rc;

	memset(map, 0, sizeof(*map));
	if (!p->check || n >= p->info.layout.nr_uppers ||
	    p->upper[n].place != POOL_PLACE_LIVE || p->upper[n].broken)
		return -EINVAL;
	u = p->upper[n];
	w.owned = &p->check->owned;
	rc = pool_ckpt_walk(&w);
	if (!rc)
		rc = pool_log_walk(&w);
	if (!rc)
		rc = pool_map_build(&w.rec, map);
	free(w.rec.rec);
	free(w.use);
	forget_since(&p->report, said);
	return rc;
}

/* ---- chunks ---- */

static const char *purpose_text(enum pool_purpose p)
{
	static const char *const text[] = {
		[POOL_FOR_LAYERS] = "list of layers",
		[POOL_FOR_CKPT] = "checkpoint",
		[POOL_FOR_LOG] = "log",
	};

	return text[p];
}

static int by_place(const void *a, const void *b)
{
	const struct pool_use *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	if (x->upper != y->upper)
		return x->upper < y->upper ? -1 : 1;
	return (int)x->purpose - (int)y->purpose;
}

static int check_use(struct pool *p, struct pool_check *c, const struct pool_use *use)
{
	u32 per = pool_chunks_per_segment(&p->info.layout), seg = (u32)(use->place / per), n;
	u64 block = p->info.layout.data + use->place * YBD_FMT_CHUNK_BLOCKS, chunk;
	struct pool_owner e = p->segments.entry[seg];
	const char *what = purpose_text(use->purpose);

	n = use->upper;
	if (pool_entry_lost(&p->segments, seg))
		return 0;
	if (e.owner != YBD_FMT_OWNER_METADATA)
		return pool_upper_error(p, n, block,
					"%s of upper %u lies in segment %u, which is none of the metadata",
					what, n, seg);
	chunk = (u64)e.generation * per + use->place % per;
	if (chunk >= p->chunks.nr)
		return pool_upper_error(p, n, block, "%s of upper %u lies in chunk %llu of %u",
					what, n, (unsigned long long)chunk, p->chunks.nr);
	c->chunk_used[chunk] = 1;
	e = p->chunks.entry[chunk];
	if (pool_entry_lost(&p->chunks, (u32)chunk) || pool_owns(p, e, n))
		return 0;
	return pool_upper_error(p, n, block,
				"%s of upper %u lies in chunk %llu, which has owner %u of generation %u, expected %u of %u",
				what, n, (unsigned long long)chunk, e.owner, e.generation, n + 1,
				p->upper[n].generation);
}

static int check_chunks(struct pool *p, struct pool_check *c)
{
	int rc = 0;

	if (c->nr_use)
		qsort(c->use, c->nr_use, sizeof(*c->use), by_place);
	for (size_t i = 0; i < c->nr_use && !rc; i++) {
		const struct pool_use *u = &c->use[i], *last = i ? u - 1 : NULL;

		rc = check_use(p, c, u);
		if (rc || !last || last->place != u->place)
			continue;
		p->upper[last->upper].broken = true;
		rc = pool_upper_error(p, u->upper,
				      p->info.layout.data + u->place * YBD_FMT_CHUNK_BLOCKS,
				      "the chunk is used twice: %s of upper %u, %s of upper %u",
				      purpose_text(last->purpose), last->upper,
				      purpose_text(u->purpose), u->upper);
	}
	return rc;
}

/* ---- owned, not used ---- */

u32 pool_leaked_segments(const struct pool *p, u32 n, u32 used)
{
	const struct pool_upper *u = &p->upper[n];
	u64 keep = u->reserve_blocks / p->info.layout.segment_blocks;

	keep += !!(u->reserve_blocks % p->info.layout.segment_blocks);
	if (keep < used)
		keep = used;
	return u->segments > keep ? (u32)(u->segments - keep) : 0;
}

static int say_leaks(struct pool *p, u32 n, u32 segments, u32 chunks)
{
	struct pool_at at = { POOL_NO_BLOCK, n, false, POOL_FIX_LEAK };

	/* without all of the tables it is not known what is used */
	if (pool_table_lost(&p->segments) || pool_table_lost(&p->chunks))
		return 0;
	if (!segments && !chunks)
		return 0;
	p->totals.leaked_segments += segments;
	p->totals.leaked_chunks += chunks;
	return pool_say(p, at, "upper %u owns %u segments and %u chunks that it does not use", n,
			segments, chunks);
}

static int check_leaks(struct pool *p, struct pool_check *c)
{
	u32 nr = p->info.layout.nr_uppers, n;
	u32 *used = calloc((size_t)nr * 2, sizeof(*used));
	int rc = 0;

	if (!used)
		return -ENOMEM;
	for (u32 i = 0; i < p->info.layout.nr_segments; i++) {
		n = pool_owner_of(p, p->segments.entry[i]);
		if (n != POOL_NO_UPPER && c->seen[i])
			used[2 * n]++;
	}
	for (u32 i = 0; i < p->chunks.nr; i++) {
		n = pool_owner_of(p, p->chunks.entry[i]);
		if (n != POOL_NO_UPPER && !c->chunk_used[i])
			used[2 * n + 1]++;
	}
	for (n = 0; n < nr && !rc; n++) {
		/* what a damaged one uses is not known */
		if (p->upper[n].place == POOL_PLACE_LIVE && !p->upper[n].broken)
			rc = say_leaks(p, n, pool_leaked_segments(p, n, used[2 * n]),
				       used[2 * n + 1]);
		p->totals.broken += p->upper[n].broken;
	}
	free(used);
	return rc;
}

int pool_check_all(struct pool *p)
{
	struct pool_check *c = calloc(1, sizeof(*c));
	int rc;

	p->check = c;
	if (!c)
		return -ENOMEM;
	c->used = calloc(p->info.layout.nr_segments, sizeof(*c->used));
	c->seen = calloc(p->info.layout.nr_segments, sizeof(*c->seen));
	c->chunk_used = calloc(p->chunks.nr, 1);
	if (!c->used || !c->seen || !c->chunk_used)
		return -ENOMEM;
	rc = check_ordinals(p, c);
	if (!rc)
		rc = list_owned(p, c);
	if (!rc)
		rc = check_names(p);
	if (!rc)
		rc = check_uppers(p, c);
	if (!rc)
		rc = check_chunks(p, c);
	if (!rc)
		rc = check_leaks(p, c);
	return rc;
}

void pool_check_free(struct pool *p)
{
	struct pool_check *c = p->check;

	if (!c)
		return;
	free(c->ordinal);
	free(c->used);
	free(c->seen);
	free(c->use);
	free(c->chunk_used);
	free(c->owned.first);
	free(c->owned.place);
	free(c);
	p->check = NULL;
}
