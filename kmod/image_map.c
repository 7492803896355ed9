// SPDX-License-Identifier: GPL-2.0-only
/*
 * Build and look up the extent map of an image.
 *
 * Lvols are made of clusters, so most maps are a direct table: one load per
 * lookup. Extents of other shapes are kept sorted behind a bucket index: the
 * address space is cut into about as many buckets as there are extents, each
 * knows the first extent that reaches into it, and what is left is a search
 * within one bucket, without branches: one that is guessed wrong costs more
 * than the comparisons, and keeps the processor from starting on the next.
 * For a large map time is spent on memory, and how many lookups wait for it at
 * once depends on how few instructions each has: so what is rare is done by
 * ybd_map_lookup_rare() from the start, and the rest needs few registers.
 */
#ifdef __KERNEL__
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/blk_types.h>
#endif

#include "image_map.h"

#define MAP_GFP			(GFP_KERNEL_ACCOUNT | __GFP_NOWARN)
/* A table may cost this much however few extents it stands for. */
#define TABLE_FREE_BYTES	SZ_1M
/* Otherwise as much per record as the general form would. */
#define EXTENT_BYTES		16
/* Physical units of a general extent have 40 bits. */
#define EXT_PHYS_MAX		((1ULL << 40) - 1)
/* So many extents of a bucket are compared at once; few buckets have more. */
#define SCAN_MAX		4

static const char *check_record(const struct ybd_map_extent *rec, u64 prev_end,
				u64 size, const u64 *source_size, u32 nr_sources)
{
	if (rec->reserved)
		return "reserved is not 0";
	if (!rec->len)
		return "len is 0";
	if ((rec->start | rec->phys | rec->len) & 511)
		return "start, phys or len is not a multiple of 512";
	if (rec->start < prev_end)
		return "start is below the end of the record before";
	if (rec->start > size || rec->len > size - rec->start)
		return "start + len is past the size of the image";
	if (rec->source >= nr_sources)
		return "source is not the index of a source given";
	if (rec->phys > source_size[rec->source] ||
	    rec->len > source_size[rec->source] - rec->phys)
		return "phys + len is past the end of the source";
	return NULL;
}

static int check_all(struct ybd_map *map, const struct ybd_map_extent *rec, u32 nr,
		     u64 size, const u64 *source_size, u32 nr_sources,
		     struct ybd_map_error *err)
{
	u64 align = 1ULL << 40, end = 0;
	u32 i;

	for (i = 0; i < nr; i++) {
		err->reason = check_record(&rec[i], end, size, source_size,
					   nr_sources);
		if (err->reason) {
			err->index = i;
			return -EINVAL;
		}
		align |= rec[i].start | rec[i].phys | rec[i].len;
		end = rec[i].start + rec[i].len;
		map->mapped += rec[i].len >> SECTOR_SHIFT;
		if (!(i & 0xfff))
			cond_resched();
	}
	/* A lone extent needs no finer unit than its own alignment. */
	map->shift = min_t(u32, __ffs64(align) - SECTOR_SHIFT, 31);
	if (end >> SECTOR_SHIFT >> map->shift > U32_MAX) {
		err->index = nr - 1;
		err->reason = "image too large for the alignment of its extents";
		return -EFBIG;
	}
	map->nr_units = end >> SECTOR_SHIFT >> map->shift;
	return 0;
}

static u64 to_units(const struct ybd_map *map, u64 bytes)
{
	return bytes >> SECTOR_SHIFT >> map->shift;
}

static bool table_is_small(const struct ybd_map *map, u32 nr, u32 entry_bytes)
{
	u64 bytes = (u64)map->nr_units * entry_bytes;

	return bytes <= TABLE_FREE_BYTES || bytes <= (u64)nr * EXTENT_BYTES;
}

/* Could every physical unit + 1 be kept in an u32, all on one source? */
static bool fits_table32(const struct ybd_map *map, const struct ybd_map_extent *rec,
			 u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (rec[i].source != rec[0].source ||
		    to_units(map, rec[i].phys + rec[i].len) >= U32_MAX)
			return false;
	return true;
}

static int build_table(struct ybd_map *map, const struct ybd_map_extent *rec, u32 nr,
		       bool narrow)
{
	u32 entry_bytes = narrow ? sizeof(u32) : sizeof(u64);
	u32 i, n, unit;
	u64 phys;

	if (narrow)
		map->table32 = kvcalloc(map->nr_units, entry_bytes, MAP_GFP);
	else
		map->table64 = kvcalloc(map->nr_units, entry_bytes, MAP_GFP);
	if (!map->table32 && !map->table64)
		return -ENOMEM;
	map->single = rec[0].source;
	map->bytes = (u64)map->nr_units * entry_bytes;
	for (i = 0; i < nr; i++) {
		unit = to_units(map, rec[i].start);
		phys = to_units(map, rec[i].phys) + 1;
		for (n = to_units(map, rec[i].len); n; n--, unit++, phys++) {
			if (!(n & 0xfffff))
				cond_resched();
			if (narrow)
				map->table32[unit] = phys;
			else
				map->table64[unit] = (u64)rec[i].source << 56 | phys;
		}
		cond_resched();
	}
	return 0;
}

/* An extent holds 16 bits of length: longer ones become several. */
static u64 count_exts(const struct ybd_map *map, const struct ybd_map_extent *rec, u32 nr)
{
	u64 total = 0;
	u32 i;

	for (i = 0; i < nr; i++)
		total += (to_units(map, rec[i].len) + U16_MAX - 1) / U16_MAX;
	return total;
}

/* The comparisons of a bucket may reach behind the last extent. */
static void fill_sentinels(struct ybd_map_ext *ext)
{
	u32 i;

	for (i = 0; i < SCAN_MAX; i++) {
		ext[i].end = U32_MAX;
		ext[i].len = U16_MAX;
	}
}

static void fill_exts(struct ybd_map *map, const struct ybd_map_extent *rec, u32 nr)
{
	struct ybd_map_ext *ext = map->ext;
	u64 start, phys, left;
	u32 i;

	for (i = 0; i < nr; i++) {
		start = to_units(map, rec[i].start);
		phys = to_units(map, rec[i].phys);
		left = to_units(map, rec[i].len);
		while (left) {
			u16 len = min_t(u64, left, U16_MAX);

			ext->end = start + len;
			ext->len = len;
			ext->phys_lo = phys;
			ext->phys_hi = phys >> 32;
			ext->source = rec[i].source;
			start += len;
			phys += len;
			left -= len;
			ext++;
		}
		if (!(i & 0xfff))
			cond_resched();
	}
	fill_sentinels(ext);
}

static void fill_buckets(struct ybd_map *map, u32 nr_buckets)
{
	u32 b, e = 0;

	for (b = 0; b < nr_buckets; b++) {
		u64 first = (u64)b << map->bucket_shift;

		while (e < map->nr && map->ext[e].end <= first)
			e++;
		map->bucket[b] = e;
		if (!(b & 0xfff))
			cond_resched();
	}
}

static int build_exts(struct ybd_map *map, const struct ybd_map_extent *rec, u32 nr,
		      struct ybd_map_error *err)
{
	u64 total = count_exts(map, rec, nr);
	u32 i, nr_buckets;

	for (i = 0; i < nr; i++) {
		if (to_units(map, rec[i].phys + rec[i].len) > EXT_PHYS_MAX) {
			err->index = i;
			err->reason = "phys needs more than 40 bits at its alignment";
			return -EFBIG;
		}
	}
	if (total > U32_MAX - SCAN_MAX) {
		err->reason = "too many extents after cutting the long ones";
		return -EFBIG;
	}
	map->nr = total;
	map->ext = kvcalloc(map->nr + SCAN_MAX, sizeof(*map->ext), MAP_GFP);
	if (!map->ext)
		return -ENOMEM;
	fill_exts(map, rec, nr);

	/*
	 * At most one bucket per extent, and one entry to end the last; units
	 * have 32 bits, which a shift must stay below.
	 */
	map->bucket_shift = 0;
	while (map->bucket_shift < 31 &&
	       (u64)(map->nr_units >> map->bucket_shift) + 2 > map->nr &&
	       map->nr_units >> map->bucket_shift)
		map->bucket_shift++;
	nr_buckets = (map->nr_units >> map->bucket_shift) + 2;
	map->bucket = kvcalloc(nr_buckets, sizeof(*map->bucket), MAP_GFP);
	if (!map->bucket)
		return -ENOMEM;
	fill_buckets(map, nr_buckets);
	map->bytes = (u64)map->nr * sizeof(*map->ext) +
		     (u64)nr_buckets * sizeof(*map->bucket);
	return 0;
}

/**
 * ybd_map_build - build a map from the records of user space
 * @map: filled in; zeroed by the caller
 * @rec: records, of which nothing is taken on trust
 * @nr: number of records, may be 0 for an image of zeroes
 * @size: virtual size of the image in bytes
 * @source_size: size of each source in bytes
 * @nr_sources: number of sources, at most 255
 * @err: filled in when a record is refused
 *
 * May sleep. Return: 0, -EINVAL or -EFBIG with @err->reason set, or -ENOMEM.
 * On an error the caller still calls ybd_map_destroy().
 */
int ybd_map_build(struct ybd_map *map, const struct ybd_map_extent *rec, u32 nr,
		  u64 size, const u64 *source_size, u32 nr_sources,
		  struct ybd_map_error *err)
{
	bool narrow;
	int ret;

	err->reason = NULL;
	if (!nr)
		return 0;
	ret = check_all(map, rec, nr, size, source_size, nr_sources, err);
	if (ret)
		return ret;
	narrow = fits_table32(map, rec, nr);
	if (table_is_small(map, nr, narrow ? sizeof(u32) : sizeof(u64)))
		return build_table(map, rec, nr, narrow);
	return build_exts(map, rec, nr, err);
}

/**
 * ybd_map_destroy - free what ybd_map_build() allocated
 * @map: the map; looked up by nobody any more
 */
void ybd_map_destroy(struct ybd_map *map)
{
	kvfree(map->bucket);
	kvfree(map->ext);
	kvfree(map->table64);
	kvfree(map->table32);
}

/* First extent of [lo, hi) that ends behind @unit, or @hi. */
static u32 bisect(const struct ybd_map_ext *ext, u32 lo, u32 hi, u32 unit)
{
	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (ext[mid].end <= unit)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* 1 if the extent ends at or before @unit, else 0. */
static u32 ends_by(const struct ybd_map_ext *ext, u32 unit)
{
	return ext->end <= unit;
}

static u64 ext_phys(const struct ybd_map_ext *ext)
{
	return (u64)ext->phys_hi << 32 | ext->phys_lo;
}

static bool continues(const struct ybd_map_ext *a, const struct ybd_map_ext *b)
{
	return b->source == a->source && b->end - b->len == a->end &&
	       ext_phys(b) == ext_phys(a) + a->len;
}

/*
 * Where @sector is, when @e is the first extent that ends behind it. Returns
 * the sectors up to the end of the extent, or of the hole in front of it. The
 * compiler makes a jump of ?:, and holes cannot be guessed.
 */
static inline u64 ext_answer(const struct ybd_map *map, const struct ybd_map_ext *e,
			     u64 sector, struct ybd_map_run *run)
{
	u32 unit = sector >> map->shift;
	u32 start = e->end - e->len;
	u32 hole = -(u32)(start > unit);
	u32 end = e->end - (e->len & hole);

	run->source = e->source | (int)hole;
	run->phys = ((ext_phys(e) - start) << map->shift) + sector;
	return ((u64)end << map->shift) - sector;
}

/* All of ybd_map_lookup_ext(), for large buckets and for runs of several extents. */
static noinline void ybd_map_lookup_rare(const struct ybd_map *map, u64 sector, u32 nr,
					 struct ybd_map_run *run)
{
	u32 unit = sector >> map->shift;
	const u32 *bucket = &map->bucket[unit >> map->bucket_shift];
	const struct ybd_map_ext *last = map->ext + map->nr - 1;
	const struct ybd_map_ext *e = map->ext + bisect(map->ext, bucket[0], bucket[1], unit);
	u64 have = ext_answer(map, e, sector, run);

	/* Extents that were cut for their length continue in the next. */
	while (run->source != YBD_MAP_HOLE && have < nr && e < last && continues(e, e + 1)) {
		e++;
		have += (u64)e->len << map->shift;
	}
	run->nr = min_t(u64, have, nr);
}

/**
 * ybd_map_lookup_ext - ybd_map_lookup() for general extents
 * @map: the map, not a table
 * @sector: first sector, below the end of the last extent
 * @nr: most sectors the caller can use
 * @run: answer
 */
void ybd_map_lookup_ext(const struct ybd_map *map, u64 sector, u32 nr,
			struct ybd_map_run *run)
{
	u32 unit = sector >> map->shift;
	const struct ybd_map_ext *e = map->ext + map->bucket[unit >> map->bucket_shift];
	u32 before;

	/* nr_units ends with the last extent, so there is one behind unit. */
	before = ends_by(e, unit) + ends_by(e + 1, unit) +
		 ends_by(e + 2, unit) + ends_by(e + 3, unit);
	if (unlikely(before == SCAN_MAX || ext_answer(map, e + before, sector, run) < nr)) {
		ybd_map_lookup_rare(map, sector, nr, run);
		return;
	}
	run->nr = nr;
}
