// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks are taken in the order in which they are asked for, beginning behind all that was used
 * when the filesystem was opened, at a unit of the store: what a layer adds does not make the store
 * copy what the layers below have. Only when the end is reached are the gaps used.
 */
#include "priv.h"

static u64 blocks(struct extfs *e)
{
	return e2.blocks_count(e->fs->super);
}

static bool used(struct extfs *e, u64 blk)
{
	return e2.test_generic_bmap(e->fs->block_map, blk);
}

/* The first block behind the last one that is used. */
static u64 last_used_end(struct extfs *e)
{
	u32 per = e->fs->super->s_blocks_per_group;
	u64 end = blocks(e), begin;

	for (u32 g = e->fs->group_desc_count; g--; end = begin) {
		begin = (u64)g * per;
		if (e2.bg_free_blocks_count(e->fs, g) == end - begin)
			continue;
		while (end > begin && !used(e, end - 1))
			end--;
		if (end > begin)
			return end;
	}
	return 0;
}

void extfs_alloc_init(struct extfs *e)
{
	u64 unit = e->b->unit / IMGFS_BLOCK ?: 1;

	e->goal = (last_used_end(e) + unit - 1) / unit * unit;
	e->ino_goal = e->fs->super->s_first_ino;
}

static int find_blocks(struct extfs *e, u64 from, u64 want, u64 *blk, u64 *got)
{
	u64 end = blocks(e) - 1, last;
	blk64_t first, next;

	if (from > end || e2.find_first_zero_generic_bmap(e->fs->block_map, from, end, &first))
		return -ENOSPC;
	last = want - 1 < end - first ? first + want - 1 : end;
	if (!e2.find_first_set_generic_bmap(e->fs->block_map, first, last, &next))
		last = next - 1;
	*blk = first;
	*got = last - first + 1;
	return 0;
}

int extfs_alloc_blocks(struct extfs *e, u64 want, u64 *blk, u64 *got, struct ybd_error *err)
{
	int rc = find_blocks(e, e->goal, want, blk, got);

	if (rc)
		rc = find_blocks(e, 0, want, blk, got);
	if (rc)
		return ybd_error_set(err, rc, "the filesystem of %llu bytes is full",
				     (unsigned long long)e->b->size);
	e2.block_alloc_stats_range(e->fs, *blk, *got, 1);
	extfs_io_forget(e, *blk, *got);
	e->goal = *blk + *got;
	return 0;
}

void extfs_free_blocks(struct extfs *e, u64 blk, u64 nr)
{
	e2.block_alloc_stats_range(e->fs, blk, nr, -1);
}

u64 extfs_reserve(struct imgfs *fs, u64 nr)
{
	struct extfs *e = extfs_of(fs);
	u64 at = e->goal;

	if (at >= blocks(e) || nr > blocks(e) - at)
		return 0;
	e->goal += nr;
	return at;
}

int extfs_alloc_inode(struct extfs *e, bool dir, u32 *ino, struct ybd_error *err)
{
	u32 count = e->fs->super->s_inodes_count;
	blk64_t hit;

	if (e->ino_goal > count ||
	    e2.find_first_zero_generic_bmap(e->fs->inode_map, e->ino_goal, count, &hit))
		return ybd_error_set(err, -ENOSPC, "the filesystem has no more than %u inodes",
				     count);
	*ino = (u32)hit;
	e2.inode_alloc_stats2(e->fs, *ino, 1, dir);
	e->ino_goal = *ino + 1;
	return 0;
}
