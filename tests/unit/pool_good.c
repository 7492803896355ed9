// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pools without damage: pool_good SEED
 *
 * Layouts of all sizes, and pools by a writer that knows nothing of the library: they are clean,
 * and each upper's map is what the writer meant.
 */
#include <stdlib.h>

#include "ktap.h"
#include "pool/priv.h"
#include "pool_disk.h"
#include "pool_make.h"
#include "util.h"

/* ---- layout ---- */

static void check_layout(const struct pool_want *w)
{
	struct pool_layout l;
	struct ybd_error err;
	u64 part[7];

	if (pool_layout(w, &l, &err)) {
		ktap_fail("%llu blocks: %s", (unsigned long long)w->nr_blocks, err.text);
		return;
	}
	if (pool_layout_check(&l, &err))
		ktap_fail("%llu blocks: its own layout is wrong: %s",
			  (unsigned long long)w->nr_blocks, err.text);
	/* written out once more, by the document */
	part[0] = 257;
	part[1] = part[0] + (l.max_segments + 503) / 504;
	part[2] = part[1] + (l.max_segments + 503) / 504;
	part[3] = part[2] + (l.max_chunks + 503) / 504;
	part[4] = part[3] + (l.max_chunks + 503) / 504;
	part[5] = part[4] + 2ULL * l.nr_uppers;
	part[6] = (part[5] + 255) / 256 * 256;
	ktap_check(l.segment_table[0] == part[0] && l.segment_table[1] == part[1] &&
		   l.chunk_table[0] == part[2] && l.chunk_table[1] == part[3] &&
		   l.directory == part[4] && l.data == part[6], "%llu blocks: parts overlap",
		   (unsigned long long)w->nr_blocks);
	ktap_check(l.nr_uppers * 2ULL * 100 <= l.nr_blocks && l.nr_uppers <= 65536,
		   "%llu blocks: directory of %u", (unsigned long long)w->nr_blocks, l.nr_uppers);
	ktap_check(l.data + (u64)l.nr_segments * l.segment_blocks <= l.nr_blocks &&
		   l.nr_blocks - l.data < (l.nr_segments + 1ULL) * l.segment_blocks,
		   "%llu blocks: %u segments", (unsigned long long)w->nr_blocks, l.nr_segments);
	ktap_check(l.max_segments <= 1u << 22 && l.nr_segments <= l.max_segments,
		   "%llu blocks: at most %u segments", (unsigned long long)w->nr_blocks,
		   l.max_segments);
}

static void layouts(void)
{
	for (u64 n = YBD_FMT_MIN_BLOCKS; n <= YBD_FMT_MAX_BLOCKS; n += n / 7 + 1)
		check_layout(&(struct pool_want){ .nr_blocks = n });
	check_layout(&(struct pool_want){ .nr_blocks = YBD_FMT_MAX_BLOCKS });
	check_layout(&(struct pool_want){ .nr_blocks = YBD_FMT_MIN_BLOCKS,
					  .max_blocks = YBD_FMT_MIN_BLOCKS });
	check_layout(&(struct pool_want){ .nr_blocks = 1 << 20, .segment_blocks = 16384,
					  .nr_uppers = 1 });
	ktap_done("layouts from 64 MiB to 64 TiB");
}

static void uppers_of(u64 blocks, u32 want)
{
	struct pool_layout l;

	struct pool_want w = { .nr_blocks = blocks };

	if (pool_layout(&w, &l, NULL))
		ktap_fail("no layout");
	else
		ktap_check(l.nr_uppers == want && pool_small_uppers(&l) == want,
			   "%llu blocks hold %u, %u small ones, expected %u",
			   (unsigned long long)blocks, l.nr_uppers, pool_small_uppers(&l), want);
}

static void numbers(void)
{
	uppers_of(1 << 14, 81);
	uppers_of(1 << 18, 1310);
	uppers_of(50ULL << 18, 65536);
	ktap_done("how many uppers a pool holds is what the document says");
}

static void refused_layout(u64 nr, u64 max, u64 segment, u64 uppers, const char *text)
{
	struct pool_want w = { nr, max, segment, uppers };
	struct pool_layout l;
	struct ybd_error err = { 0 };

	ktap_check(pool_layout(&w, &l, &err) == -EINVAL && strstr(err.text, text),
		   "\"%s\", expected \"%s\"", err.text, text);
}

static void refused_layouts(void)
{
	refused_layout(16383, 0, 0, 0, "nr_blocks 16383, expected 16384 to");
	refused_layout((1ULL << 34) + 1, 0, 0, 0, "nr_blocks 17179869185");
	refused_layout(20000, 19999, 0, 0, "nr_blocks 20000, expected 16384 to 19999");
	refused_layout(20000, 1ULL << 35, 0, 0, "max_blocks 34359738368");
	refused_layout(20000, 0, 32, 0, "segment_blocks 32, expected 64 to");
	refused_layout(20000, 0, 96, 0, "a power of two");
	refused_layout(20000, 0, 32768, 0, "segment_blocks 32768");
	refused_layout(1ULL << 30, 1ULL << 30, 64, 0, "max_segments 16777216");
	refused_layout(20000, 0, 0, 101, "nr_uppers 101, expected 1 to 100");
	refused_layout(20000, 0, 16384, 0, "expected at least 4");
	refused_layout(20000, 1ULL << 34, 0, 0, "behind");
	ktap_done("layouts that cannot be");
}

/* ---- maps ---- */

#define SPACE 300

static void map_once(struct mk *m, u32 nr)
{
	struct pool_records r = { 0 }, map;
	u64 model[SPACE];
	size_t at = 0;

	for (u32 i = 0; i < SPACE; i++)
		model[i] = POOL_IMAGE;
	for (u32 i = 0; i < nr; i++) {
		u64 start = mk_random(m, SPACE), len = 1 + mk_random(m, 1 + mk_random(m, 60));
		u64 where = mk_random(m, 5000), what = mk_random(m, 6);

		if (what < 2)
			where = what ? POOL_ZEROES : POOL_IMAGE;
		len = len > SPACE - start ? SPACE - start : len;
		pool_records_add(&r, (struct pool_record){ start, len, where });
		for (u64 k = 0; k < len; k++)
			model[start + k] = where >= POOL_IMAGE ? where : where + k;
	}
	if (pool_map_build(&r, &map))
		ktap_fail("no map");
	for (u64 i = 0; i < SPACE; i++) {
		u64 got = POOL_IMAGE;

		while (at < map.nr && map.rec[at].start + map.rec[at].nr <= i)
			at++;
		if (at < map.nr && map.rec[at].start <= i)
			got = map.rec[at].where == POOL_ZEROES ? POOL_ZEROES :
			      map.rec[at].where + (i - map.rec[at].start);
		if (got != model[i]) {
			ktap_fail("block %llu of %u records", (unsigned long long)i, nr);
			break;
		}
	}
	for (size_t i = 1; i < map.nr; i++)
		if (map.rec[i - 1].start + map.rec[i - 1].nr > map.rec[i].start)
			ktap_fail("extents overlap");
	free(r.rec);
	free(map.rec);
}

static void maps(struct mk *m)
{
	for (u32 i = 0; i < 3000 && !ktap.bad; i++)
		map_once(m, mk_random(m, 200));
	ktap_done("3000 maps from random records");
}

/* All of the device again and again: a naive replay would take hours. */
static void large_map(struct mk *m)
{
	struct pool_records r = { 0 }, map;
	const u64 nr = 1000000;

	for (u64 i = 0; i < nr; i++)
		pool_records_add(&r, (struct pool_record){ (i * 7919) % nr,
				 1 + mk_random(m, 1 + mk_random(m, 1000)), 2 * nr + i * 1024 });
	ktap_check(!pool_map_build(&r, &map) && map.nr > 1000, "no map");
	free(r.rec);
	free(map.rec);
	ktap_done("a map from a million records");
}

/* ---- pools ---- */

static u64 value_at(const struct pool_records *map, u64 block)
{
	size_t lo = 0, hi = map->nr;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (map->rec[mid].start + map->rec[mid].nr <= block)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == map->nr || map->rec[lo].start > block)
		return MK_IMAGE;
	if (map->rec[lo].where == POOL_ZEROES)
		return MK_ZERO;
	return map->rec[lo].where + (block - map->rec[lo].start);
}

static void compare_map(struct pool *p, const struct mk *m, u32 n)
{
	struct pool_owned owned = { NULL, NULL };
	struct pool_walk w = { .p = p, .n = n, .u = &p->upper[n], .owned = &owned };
	struct pool_records map;

	owned.first = calloc(p->info.layout.nr_uppers + 2, sizeof(u32));
	ktap_check(!pool_ckpt_walk(&w) && !pool_log_walk(&w) && !pool_map_build(&w.rec, &map),
		   "upper %u cannot be replayed", n);
	for (u64 i = 0; i < MK_BLOCKS; i++) {
		u64 got = value_at(&map, i);

		if (got == m->upper[n].model[i])
			continue;
		ktap_fail("upper %u, block %llu: %llu, expected %llu", n, (unsigned long long)i,
			  (unsigned long long)got, (unsigned long long)m->upper[n].model[i]);
		break;
	}
	free(map.rec);
	free(w.rec.rec);
	free(w.use);
	free(owned.first);
}

/* Nothing but the torn end of upper 5, and what it took for that. */
static void check_notes(const struct pool *p)
{
	for (size_t i = 0; i < p->report.nr; i++) {
		const struct pool_finding *f = &p->report.find[i];

		if (f->error || (f->upper != 5 && f->fix != POOL_FIX_LEAK))
			ktap_fail("%s", f->text);
	}
}

static void one_pool(u64 seed)
{
	struct mk *m = calloc(1, sizeof(*m));
	struct ybd_error err;
	struct pool_io *io;
	struct disk d = { 0 };
	struct pool *p;

	mk_everything(m, seed);
	d.mem = m->mem;
	d.blocks = m->blocks;
	io = disk_open(&d, false);
	if (pool_check(io, &p, &err)) {
		ktap_fail("seed %llu: %s", (unsigned long long)seed, err.text);
	} else {
		check_notes(p);
		ktap_check(p->totals.live == 6 && !p->totals.broken, "%u uppers, %u broken",
			   p->totals.live, p->totals.broken);
		for (u32 n = 0; n < 7; n++)
			if (n != 4)
				compare_map(p, m, n);
		pool_close(p);
	}
	if (ktap.bad)
		printf("# seed %llu\n", (unsigned long long)seed);
	pool_io_close(io);
	mk_free(m);
	free(m);
}

int main(int argc, char **argv)
{
	u64 seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
	struct mk rng = { .rng = seed };

	ktap_plan(6);
	layouts();
	numbers();
	refused_layouts();
	maps(&rng);
	large_map(&rng);
	for (u64 i = 0; i < 50 && !ktap.bad; i++)
		one_pool(seed + i);
	ktap_done("50 pools are clean, and each map is what was written");
	return ktap_exit();
}
