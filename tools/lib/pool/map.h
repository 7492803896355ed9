/* SPDX-License-Identifier: GPL-2.0-only */
/* Records in the order in which they took effect become a map. Pure. */
#ifndef YBD_POOL_MAP_H
#define YBD_POOL_MAP_H

#include "../types.h"

#define POOL_ZEROES	UINT64_MAX		/* these blocks are zeroes */
#define POOL_IMAGE	(UINT64_MAX - 1)	/* as the image has them; not in a map */

/**
 * struct pool_record - blocks of a device, and where they are
 * @start: first block of the device
 * @nr: how many; not 0
 * @where: first block of the pool, POOL_ZEROES or POOL_IMAGE
 */
struct pool_record {
	u64 start;
	u64 nr;
	u64 where;
};

/**
 * struct pool_records - many of them
 * @rec: to be freed
 * @nr: how many
 * @cap: for which there is room
 */
struct pool_records {
	struct pool_record *rec;
	size_t nr;
	size_t cap;
};

/* One more at the end. 0 or -ENOMEM. */
int pool_records_add(struct pool_records *r, struct pool_record rec);

/**
 * pool_map_build() - what is left of records after the last one
 * @r: in the order in which they took effect; @start + @nr of each fits into 64 bits
 * @map: the map: sorted, not overlapping, and what continues itself in one piece; @map->rec is to
 *	be freed
 *
 * Takes time in proportion to n log n, and memory to n.
 *
 * Return: 0; -ENOMEM; -E2BIG when there are more than 2^32 - 1.
 */
int pool_map_build(const struct pool_records *r, struct pool_records *map);

#endif
