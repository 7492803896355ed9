// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmod/image_map.c, built for user space, against a naive model: a list of
 * records searched from its beginning. Random maps of every shape, lookups at
 * every edge and at random, and records that have to be refused.
 *
 *   image_map_test [SEED [MAPS]]
 */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "ktap.h"
#include "rng.h"
#include "../../kmod/image_map.h"

#define MAX_SOURCES	255
#define KIB		1024ULL
#define MIB		(1024 * KIB)
#define TIB		(1024 * 1024 * MIB)

/* What is fed to ybd_map_build(). */
struct input {
	struct ybd_map_extent *rec;
	u32 nr;
	u64 size;
	u64 source_size[MAX_SOURCES];
	u32 nr_sources;
};

/* -------- the model -------- */

/* Source and byte of one sector, or YBD_MAP_HOLE. */
static int model_at(const struct input *in, u64 sector, u64 *phys)
{
	u64 byte = sector << SECTOR_SHIFT;
	u32 lo = 0, hi = in->nr;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (in->rec[mid].start + in->rec[mid].len <= byte)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == in->nr || in->rec[lo].start > byte)
		return YBD_MAP_HOLE;
	*phys = (in->rec[lo].phys + (byte - in->rec[lo].start)) >> SECTOR_SHIFT;
	return in->rec[lo].source;
}

/* Is the whole run where the lookup says? Its ends and each edge inside tell. */
static bool model_agrees(const struct input *in, u64 sector, const struct ybd_map_run *run)
{
	u64 end = sector + run->nr, at = sector, phys = 0;
	u32 i;

	if (model_at(in, at, &phys) != run->source)
		return false;
	if (run->source != YBD_MAP_HOLE && phys != run->phys)
		return false;
	for (i = 0; i < in->nr; i++) {
		u64 edge[2] = { in->rec[i].start >> SECTOR_SHIFT,
			(in->rec[i].start + in->rec[i].len) >> SECTOR_SHIFT };
		unsigned int e;

		if (edge[0] >= end)
			break;
		for (e = 0; e < 2; e++) {
			if (edge[e] <= sector || edge[e] >= end)
				continue;
			if (model_at(in, edge[e], &phys) != run->source)
				return false;
			if (run->source != YBD_MAP_HOLE &&
			    phys != run->phys + (edge[e] - sector))
				return false;
		}
	}
	return true;
}

/* -------- checks -------- */

static bool check_lookup(const struct input *in, const struct ybd_map *map, u64 sector,
			 u32 nr)
{
	struct ybd_map_run run = { 0 };

	ybd_map_lookup(map, sector, nr, &run);
	if (run.nr && run.nr <= nr && model_agrees(in, sector, &run))
		return true;
	ktap_fail("lookup of %" PRIu64 "+%u: source %d phys %" PRIu64 " nr %u",
		  sector, nr, run.source, run.phys, run.nr);
	return false;
}

static bool check_around(const struct input *in, const struct ybd_map *map, u64 byte)
{
	u64 sectors = in->size >> SECTOR_SHIFT, sector = byte >> SECTOR_SHIFT;
	static const u32 lens[] = { 1, 8, 255, 65536, 1U << 31 };
	unsigned int l;
	int d;

	for (d = -1; d <= 1; d++) {
		u64 at = sector + d;

		if (at >= sectors)
			continue;
		for (l = 0; l < sizeof(lens) / sizeof(lens[0]); l++)
			if (!check_lookup(in, map, at, lens[l]))
				return false;
	}
	return true;
}

static bool check_map(const struct input *in, const struct ybd_map *map, unsigned int lookups)
{
	u64 sectors = in->size >> SECTOR_SHIFT, mapped = 0;
	unsigned int i;

	for (i = 0; i < in->nr; i++)
		mapped += in->rec[i].len >> SECTOR_SHIFT;
	ktap_check(mapped == map->mapped, "mapped %" PRIu64 ", not %" PRIu64, map->mapped,
		   mapped);
	for (i = 0; i < lookups; i++) {
		const struct ybd_map_extent *rec = in->nr ? &in->rec[below(in->nr)] : NULL;

		if (rec && !check_around(in, map, rec->start))
			return false;
		if (rec && !check_around(in, map, rec->start + rec->len))
			return false;
		if (rec && !check_lookup(in, map, (rec->start + (below(rec->len) & ~511ULL)) >>
					 SECTOR_SHIFT, 1 + below(4096)))
			return false;
		if (!check_lookup(in, map, below(sectors), 1 + below(1U << (1 + below(30)))))
			return false;
	}
	return check_around(in, map, 0) && check_around(in, map, in->size - 512);
}

static int build(const struct input *in, struct ybd_map *map, struct ybd_map_error *err)
{
	/* What the caller of the kernel promises: a zeroed map. */
	memset(map, 0, sizeof(*map));
	memset(err, 0, sizeof(*err));
	return ybd_map_build(map, in->rec, in->nr, in->size, in->source_size,
			     in->nr_sources, err);
}

/* -------- random maps -------- */

/**
 * struct shape - a kind of map
 * @name: for the reader
 * @unit: alignment of everything, in bytes
 * @max_nr: most records
 * @max_len: longest record in units
 * @hole: one record in so many follows a hole
 * @max_hole: longest hole in units
 * @nr_sources: most sources
 * @source_size: size of each source
 * @run: one record in so many does not continue the one before on its source
 */
struct shape {
	const char *name;
	u64 unit;
	u32 max_nr;
	u64 max_len;
	u32 hole;
	u64 max_hole;
	u32 nr_sources;
	u64 source_size;
	u32 run;
};

static const struct shape shapes[] = {
	{ "one source, clusters", MIB, 500, 3, 4, 50, 1, TIB, 2 },
	{ "one source, small clusters", 4 * KIB, 2000, 1, 3, 4, 1, TIB, 3 },
	{ "several sources, clusters", MIB, 500, 3, 4, 50, 5, TIB, 2 },
	{ "255 sources", 64 * KIB, 600, 2, 4, 5, 255, TIB, 2 },
	{ "512-byte extents, sparse", 512, 300, 40, 1, 1 << 20, 3, TIB, 1 },
	{ "4-KiB extents, sparse", 4 * KIB, 4000, 100, 2, 1 << 14, 3, 4 * TIB, 2 },
	{ "long extents", 512, 20, 1 << 20, 2, 1 << 22, 2, 64 * TIB, 2 },
	{ "very long extents", 4 * KIB, 4, 1 << 26, 2, 1 << 25, 2, 1024 * TIB, 2 },
	{ "far apart", 4 * KIB, 8, 4, 1, 1 << 26, 2, 64 * TIB, 1 },
	{ "huge units", 1ULL << 40, 6, 3, 2, 4, 2, 1ULL << 50, 2 },
	{ "neighbours", 4 * KIB, 3000, 1, 0, 0, 2, TIB, 50 },
	{ "past 32 bits of units", 512, 300, 20, 1, 1 << 20, 1, 16 * TIB, 1 },
};

static void make_input(struct input *in, const struct shape *s)
{
	u64 at = 0, phys = 0;
	u32 i, source = 0;

	in->nr = 1 + below(s->max_nr);
	in->rec = calloc(in->nr, sizeof(*in->rec));
	assert(in->rec);
	in->nr_sources = 1 + below(s->nr_sources);
	for (i = 0; i < in->nr_sources; i++)
		in->source_size[i] = s->source_size;
	for (i = 0; i < in->nr; i++) {
		struct ybd_map_extent *rec = &in->rec[i];
		u64 len = (1 + below(s->max_len)) * s->unit;

		if (s->hole && !below(s->hole))
			at += (1 + below(s->max_hole)) * s->unit;
		if (!i || !below(s->run) || phys + len > s->source_size) {
			source = below(in->nr_sources);
			/* the same place of another source continues nothing */
			if (!i || below(4) || phys + len > s->source_size)
				phys = below((s->source_size - len) / s->unit + 1) *
				       s->unit;
		}
		*rec = (struct ybd_map_extent) {
			.start = at, .phys = phys, .len = len, .source = source,
		};
		at += len;
		phys += len;
	}
	in->size = at + (below(2) ? 0 : (1 + below(100)) * 4096);
}

static void test_shape(const struct shape *s, unsigned int maps)
{
	unsigned int i, refused = 0, tables = 0;
	struct ybd_map_error err;
	struct ybd_map map;
	struct input in;

	for (i = 0; i < maps && !ktap.bad; i++) {
		u64 seed = rng_state;
		int ret;

		make_input(&in, s);
		ret = build(&in, &map, &err);
		if (ret == -EFBIG && err.reason)
			refused++;
		else if (ret)
			ktap_fail("build: %d (%s)", ret, err.reason ?: "no reason");
		else if (!check_map(&in, &map, 20))
			ktap_fail("seed of this map: %#" PRIx64, seed);
		if (!ret)
			tables += ybd_map_is_table(&map);
		ktap_check(ret || map.bytes <= 16ULL * in.nr + (1 << 20) ||
			   s->max_len > UINT16_MAX,
			   "%" PRIu64 " bytes for %u records", map.bytes, in.nr);
		ybd_map_destroy(&map);
		free(in.rec);
	}
	printf("# %s: %u maps, %u tables, %u too large\n", s->name, i, tables, refused);
	ktap_check(refused < maps, "every map was refused");
	ktap_done("lookups: %s", s->name);
}

/* -------- records that are refused -------- */

static struct ybd_map_extent base_rec[] = {
	{ .start = 0, .phys = 0, .len = 4096 },
	{ .start = 4096, .phys = 1 * MIB, .len = 8192 },
	{ .start = 64 * KIB, .phys = 2 * MIB, .len = 4096, .source = 1 },
};

struct hostile {
	const char *name;
	u32 index;
	struct ybd_map_extent rec;
	const char *reason;
};

static const struct hostile hostile[] = {
	{ "reserved", 1, { 4096, MIB, 8192, 0, 1 }, "reserved is not 0" },
	{ "reserved, all bits", 2, { 64 * KIB, MIB, 4096, 0, UINT32_MAX }, "reserved is not 0" },
	{ "zero length", 1, { 4096, MIB, 0, 0, 0 }, "len is 0" },
	{ "odd start", 1, { 4097, MIB, 512, 0, 0 },
	  "start, phys or len is not a multiple of 512" },
	{ "odd phys", 1, { 4096, MIB + 256, 512, 0, 0 },
	  "start, phys or len is not a multiple of 512" },
	{ "odd len", 1, { 4096, MIB, 511, 0, 0 },
	  "start, phys or len is not a multiple of 512" },
	{ "overlap", 1, { 3584, MIB, 512, 0, 0 },
	  "start is below the end of the record before" },
	{ "unsorted", 2, { 0, MIB, 512, 0, 0 }, "start is below the end of the record before" },
	{ "same twice", 1, { 0, 0, 4096, 0, 0 }, "start is below the end of the record before" },
	{ "past the image", 2, { MIB - 512, MIB, 1024, 0, 0 },
	  "start + len is past the size of the image" },
	{ "start past the image", 2, { MIB + 512, MIB, 512, 0, 0 },
	  "start + len is past the size of the image" },
	{ "len 2^63", 2, { 64 * KIB, MIB, 1ULL << 63, 0, 0 },
	  "start + len is past the size of the image" },
	{ "start + len wraps", 2, { 64 * KIB, MIB, -64 * KIB, 0, 0 },
	  "start + len is past the size of the image" },
	{ "start 2^63", 2, { 1ULL << 63, MIB, 512, 0, 0 },
	  "start + len is past the size of the image" },
	{ "source", 1, { 4096, MIB, 4096, 2, 0 }, "source is not the index of a source given" },
	{ "source 2^32-1", 1, { 4096, MIB, 4096, UINT32_MAX, 0 },
	  "source is not the index of a source given" },
	{ "past the source", 1, { 4096, 4 * MIB - 512, 1024, 0, 0 },
	  "phys + len is past the end of the source" },
	{ "phys past the source", 1, { 4096, 4 * MIB + 512, 512, 0, 0 },
	  "phys + len is past the end of the source" },
	{ "phys 2^63", 1, { 4096, 1ULL << 63, 512, 0, 0 },
	  "phys + len is past the end of the source" },
	{ "phys + len wraps", 1, { 4096, -512ULL, 4096, 0, 0 },
	  "phys + len is past the end of the source" },
};

static void test_hostile(const struct hostile *h)
{
	struct ybd_map_extent rec[3];
	struct input in = {
		.rec = rec, .nr = 3, .size = MIB, .nr_sources = 2,
		.source_size = { 4 * MIB, 4 * MIB },
	};
	struct ybd_map_error err;
	struct ybd_map map;
	int ret;

	memcpy(rec, base_rec, sizeof(rec));
	rec[h->index] = h->rec;
	ret = build(&in, &map, &err);
	ktap_check(ret == -EINVAL, "build: %d", ret);
	ktap_check(err.reason && !strcmp(err.reason, h->reason), "reason: %s",
		   err.reason ?: "none");
	ktap_check(err.index == h->index, "record %u", err.index);
	ybd_map_destroy(&map);
	ktap_done("refused: %s", h->name);
}

/* What is refused for its size, and not for one record alone. */
static void test_too_big(void)
{
	struct ybd_map_extent rec[] = {
		{ .start = 0, .phys = 0, .len = 512 },
		{ .start = 4 * TIB, .phys = 512, .len = 512 },
	};
	struct input in = { .rec = rec, .nr = 2, .size = 8 * TIB, .nr_sources = 1,
		.source_size = { 1ULL << 62 } };
	struct ybd_map_error err;
	struct ybd_map map;
	int ret;

	ret = build(&in, &map, &err);
	ktap_check(ret == -EFBIG && err.index == 1, "units: %d, record %u", ret, err.index);
	ktap_check(err.reason &&
		   !strcmp(err.reason, "image too large for the alignment of its extents"),
		   "units: %s", err.reason ?: "none");
	ybd_map_destroy(&map);

	rec[0].phys = 1ULL << 60;
	rec[1].start = TIB;
	ret = build(&in, &map, &err);
	ktap_check(ret == -EFBIG && err.index == 0, "phys: %d, record %u", ret, err.index);
	ktap_check(err.reason &&
		   !strcmp(err.reason, "phys needs more than 40 bits at its alignment"),
		   "phys: %s", err.reason ?: "none");
	ybd_map_destroy(&map);
	ktap_done("refused: too large");
}

static void test_empty(void)
{
	struct input in = { .size = 8 * TIB };
	struct ybd_map_error err;
	struct ybd_map map;

	ktap_check(!build(&in, &map, &err), "refused");
	check_map(&in, &map, 100);
	ybd_map_destroy(&map);
	ktap_done("no records: all zeroes");
}

static void test_extremes(void)
{
	static const struct ybd_map_extent recs[] = {
		/* one sector at the end of the largest image */
		{ .start = (1ULL << 63) - 512 - 512, .phys = 0, .len = 512 },
		{ .start = 0, .phys = (1ULL << 62) - 512, .len = 512 },
		{ .start = 0, .phys = 0, .len = 1ULL << 40 },
		/* 2^32 - 1 units, and one extent at 2^31 */
		{ .start = 0, .phys = 0, .len = 2 * TIB - 512 },
		{ .start = TIB + 512, .phys = 0, .len = 512 },
		{ .start = 2 * TIB - 1024, .phys = 0, .len = 512 },
		{ .start = 1ULL << 62, .phys = 0, .len = 1ULL << 61 },
		{ .start = 1ULL << 40, .phys = 1ULL << 61, .len = 1ULL << 61 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(recs) / sizeof(recs[0]); i++) {
		struct ybd_map_extent rec = recs[i];
		struct input in = { .rec = &rec, .nr = 1, .nr_sources = 1,
			.size = (1ULL << 63) - 512, .source_size = { 1ULL << 62 } };
		struct ybd_map_error err;
		struct ybd_map map;
		int ret = build(&in, &map, &err);

		if (ret)
			ktap_check(ret == -EFBIG && err.reason, "%u: %d", i, ret);
		else
			check_map(&in, &map, 100);
		ktap_check(map.bucket_shift < 32, "%u: bucket of 2^%u units", i,
			   map.bucket_shift);
		ybd_map_destroy(&map);
	}
	ktap_done("extremes: what is taken is looked up right");
}

/* Random damage to good maps: refused with a reason, or right as it is. */
static void test_mutations(unsigned int maps)
{
	unsigned int i, taken = 0;

	for (i = 0; i < maps && !ktap.bad; i++) {
		const struct shape *s = &shapes[below(sizeof(shapes) / sizeof(shapes[0]))];
		struct ybd_map_error err;
		struct ybd_map map;
		struct input in;
		u32 m;
		int ret;

		make_input(&in, s);
		for (m = 1 + below(3); m; m--) {
			u64 *word = (u64 *)&in.rec[below(in.nr)] + below(4);

			switch (below(4)) {
			case 0: *word = rnd(); break;
			case 1: *word ^= 1ULL << below(64); break;
			case 2: *word += s->unit; break;
			default: *word = *((u64 *)&in.rec[below(in.nr)] + below(4)); break;
			}
		}
		ret = build(&in, &map, &err);
		if (ret) {
			ktap_check((ret == -EINVAL || ret == -EFBIG) && err.reason &&
				   err.index < in.nr, "ret %d", ret);
		} else {
			taken++;
			check_map(&in, &map, 4);
		}
		ybd_map_destroy(&map);
		free(in.rec);
	}
	printf("# %u of %u damaged maps were still maps\n", taken, i);
	ktap_done("damaged maps");
}

int main(int argc, char **argv)
{
	const unsigned int nr_shapes = sizeof(shapes) / sizeof(shapes[0]);
	const unsigned int nr_hostile = sizeof(hostile) / sizeof(hostile[0]);
	unsigned int maps, i;

	rng_state = argc > 1 ? strtoull(argv[1], NULL, 0) : (u64)time(NULL);
	maps = argc > 2 ? strtoul(argv[2], NULL, 0) : 100;
	ktap_plan(nr_shapes + nr_hostile + 4);
	printf("# image_map_test %#" PRIx64 " %u\n", rng_state, maps);
	for (i = 0; i < nr_shapes; i++)
		test_shape(&shapes[i], maps);
	for (i = 0; i < nr_hostile; i++)
		test_hostile(&hostile[i]);
	test_too_big();
	test_empty();
	test_extremes();
	test_mutations(maps * 10);
	return ktap_exit();
}
