/* SPDX-License-Identifier: GPL-2.0-only */
/* Where things lie in a pool (Documentation/pool-format.rst, section 1). Pure. */
#ifndef YBD_POOL_LAYOUT_H
#define YBD_POOL_LAYOUT_H

#include <linux/ybd_format.h>

#include "../error.h"

/**
 * struct pool_want - what a pool shall be like; 0 for what is best
 * @nr_blocks: its size; not 0
 * @max_blocks: up to where it can grow
 * @segment_blocks: size of a segment
 * @nr_uppers: places in the directory
 */
struct pool_want {
	u64 nr_blocks;
	u64 max_blocks;
	u64 segment_blocks;
	u64 nr_uppers;
};

/**
 * struct pool_layout - as in struct ybd_fmt_super
 *
 * The first four decide about the others.
 */
struct pool_layout {
	u64 nr_blocks;
	u64 max_blocks;
	u32 segment_blocks;
	u32 nr_uppers;
	u32 nr_segments;
	u32 max_segments;
	u32 max_chunks;
	u64 segment_table[2];
	u64 chunk_table[2];
	u64 directory;
	u64 data;
};

/**
 * pool_layout() - lay out a pool
 * @want: what it shall be like
 * @out: the layout
 * @err: what cannot be, and what can
 *
 * Return: 0 or -EINVAL.
 */
int pool_layout(const struct pool_want *want, struct pool_layout *out, struct ybd_error *err);

/**
 * pool_layout_check() - is it one that pool_layout() makes?
 * @l: as read from somewhere
 * @err: which number is wrong, and what was expected
 *
 * Return: 0 or -EUCLEAN.
 */
int pool_layout_check(const struct pool_layout *l, struct ybd_error *err);

/* Blocks of one copy of a table with this many entries. */
u32 pool_table_blocks(u32 entries);

static inline u32 pool_chunks_per_segment(const struct pool_layout *l)
{
	return l->segment_blocks / YBD_FMT_CHUNK_BLOCKS;
}

/* The block behind the last segment. */
static inline u64 pool_data_end(const struct pool_layout *l)
{
	return l->data + (u64)l->nr_segments * l->segment_blocks;
}

/* How many uppers with a segment of data and two chunks of metadata it holds. */
u32 pool_small_uppers(const struct pool_layout *l);

#endif
