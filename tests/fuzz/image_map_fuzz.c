// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target for kmod/image_map.c: bytes become a size, sources and
 * records; what is taken must be looked up inside its sources.
 */
#include <stddef.h>

#include "../../kmod/image_map.h"

#define MAX_RECORDS	64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct ybd_map *map, u64 sector, u32 nr, const u64 *source_size,
		  u32 nr_sources)
{
	struct ybd_map_run run;

	ybd_map_lookup(map, sector, nr, &run);
	if (!run.nr || run.nr > nr)
		abort();
	if (run.source == YBD_MAP_HOLE)
		return;
	if (run.source < 0 || (u32)run.source >= nr_sources ||
	    run.phys + run.nr > source_size[run.source] >> SECTOR_SHIFT)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ybd_map_extent rec[MAX_RECORDS];
	u64 head[4], source_size[3], end;
	struct ybd_map_error err = { 0 };
	struct ybd_map map = { 0 };
	u32 nr, i;

	if (size < sizeof(head))
		return 0;
	memcpy(head, data, sizeof(head));
	data += sizeof(head);
	size -= sizeof(head);
	nr = size / sizeof(rec[0]);
	if (nr > MAX_RECORDS)
		nr = MAX_RECORDS;
	memcpy(rec, data, nr * sizeof(rec[0]));
	/* What the callers in the kernel have checked before. */
	end = head[0] & INT64_MAX & ~511ULL;
	for (i = 0; i < 3; i++)
		source_size[i] = head[i + 1] & INT64_MAX & ~511ULL;

	if (!ybd_map_build(&map, rec, nr, end, source_size, 3, &err)) {
		for (i = 0; i < nr; i++) {
			u64 first = rec[i].start >> SECTOR_SHIFT;
			u64 len = rec[i].len >> SECTOR_SHIFT;

			check(&map, first, 1, source_size, 3);
			check(&map, first, 1U << 31, source_size, 3);
			check(&map, first + len - 1, 4096, source_size, 3);
			check(&map, first + len, 4096, source_size, 3);
			if (first)
				check(&map, first - 1, 4096, source_size, 3);
		}
	} else if (nr && !err.reason) {
		abort();
	}
	ybd_map_destroy(&map);
	return 0;
}
