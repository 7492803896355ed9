/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The immutable extent map of an image: built once, then only looked up.
 *
 * Pure code without bios, locks or devices: it is built for user space too,
 * where its unit test and its benchmark run.
 */
#ifndef YBD_IMAGE_MAP_H
#define YBD_IMAGE_MAP_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/minmax.h>
#include <uapi/linux/ybd_map.h>
#else
#include "image_map_user.h"
#endif

/* Sectors, as everywhere in the kernel, are of 512 bytes. */
#define YBD_MAP_HOLE	(-1)

/**
 * struct ybd_map_run - answer of a lookup
 * @source: index of the source, or YBD_MAP_HOLE
 * @phys: first sector on that source
 * @nr: length of the run in sectors, from the sector asked for
 */
struct ybd_map_run {
	int	source;
	u64	phys;
	u32	nr;
};

/* One general extent, in units; 12 bytes, and 4 of index, are what it costs. */
struct ybd_map_ext {
	u32	end;
	u32	phys_lo;
	u16	len;
	u8	phys_hi;
	u8	source;
};

/**
 * struct ybd_map - the map
 * @shift: log2 of the unit in sectors; all fields below count units
 * @bucket_shift: log2 of the units that share one entry of @bucket
 * @nr_units: length of the table, or the end of the last extent
 * @nr: extents in @ext
 * @single: the one source of a @table32
 * @table32: unit -> physical unit + 1, or 0 for a hole; one source
 * @table64: the same with the source in the upper 8 bits; several sources
 * @ext: sorted extents; none of the tables is set then
 * @bucket: for each 2^@bucket_shift units the first extent that ends
 *	behind their start
 * @bytes: memory of the map
 * @mapped: sectors that are not a hole
 */
struct ybd_map {
	u8	shift;
	u8	bucket_shift;
	u8	single;
	u32	nr_units;
	u32	nr;
	u32	*table32;
	u64	*table64;
	struct ybd_map_ext *ext;
	u32	*bucket;
	u64	bytes;
	u64	mapped;
};

/**
 * struct ybd_map_error - why a map was refused
 * @index: record that is wrong
 * @reason: what is wrong with it and what was expected, a literal
 */
struct ybd_map_error {
	u32		index;
	const char	*reason;
};

int ybd_map_build(struct ybd_map *map, const struct ybd_map_extent *rec, u32 nr,
		  u64 size, const u64 *source_size, u32 nr_sources,
		  struct ybd_map_error *err);
void ybd_map_destroy(struct ybd_map *map);
void ybd_map_lookup_ext(const struct ybd_map *map, u64 sector, u32 nr,
			struct ybd_map_run *run);

static inline bool ybd_map_is_table(const struct ybd_map *map)
{
	return !map->ext;
}

/* The entry of @unit as source << 56 | physical unit + 1, or 0. */
static inline u64 ybd_map_table_entry(const struct ybd_map *map, u32 unit)
{
	return map->table32 ? map->table32[unit] : map->table64[unit];
}

#define YBD_MAP_PHYS_MASK	((1ULL << 56) - 1)

/**
 * ybd_map_lookup - who has this sector?
 * @map: the map
 * @sector: first sector
 * @nr: most sectors the caller can use, not 0
 * @run: answer; run->nr is at least 1 and at most @nr
 *
 * Any context. Neighbours that continue the run are taken along, as far as
 * @nr reaches, so a caller splits only where the data is really apart.
 */
static inline void ybd_map_lookup(const struct ybd_map *map, u64 sector, u32 nr,
				  struct ybd_map_run *run)
{
	u32 within, have;
	u64 entry, next, step, unit;

	unit = sector >> map->shift;
	if (unlikely(unit >= map->nr_units)) {
		run->source = YBD_MAP_HOLE;
		run->nr = nr;
		return;
	}
	if (!ybd_map_is_table(map)) {
		ybd_map_lookup_ext(map, sector, nr, run);
		return;
	}
	entry = ybd_map_table_entry(map, unit);
	within = sector & ((1U << map->shift) - 1);
	have = (1U << map->shift) - within;
	step = !!entry;
	next = entry;
	while (have < nr && ++unit < map->nr_units &&
	       ybd_map_table_entry(map, unit) == (next += step))
		have += 1U << map->shift;
	if (!step) {
		run->source = YBD_MAP_HOLE;
	} else {
		run->source = map->table32 ? map->single : (int)(entry >> 56);
		run->phys = (((entry & YBD_MAP_PHYS_MASK) - 1) << map->shift) + within;
	}
	run->nr = min(have, nr);
}

#endif /* YBD_IMAGE_MAP_H */
