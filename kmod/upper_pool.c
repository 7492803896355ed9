// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data path of an upper in a pool: what has a block, where does a first
 * write go, and what is there when it has ended.
 *
 * A first write goes to blocks that nobody else knows; they enter the map when
 * it has ended. Until then readers find what was there before. Two first
 * writes of one block go to two places, and the one that ends last stays: they
 * are under way at the same time, so either may win. A write of less than a
 * block is merged with what it has read from below; it enters the map only if
 * that is still what is below, and begins anew otherwise.
 */
#include <linux/bio.h>
#include <linux/slab.h>

#include "device.h"
#include "image.h"
#include "trace.h"
#include "upper_log.h"

/* Nodes of the map, as one change after the other may need. */
static unsigned int nodes_wanted(const struct ybd_upper *upper)
{
	return YBD_UMAP_CHANGE_NODES + upper->changes + 1;
}

/* Is there memory for one change more? The caller holds the lock. */
static bool change_ready(const struct ybd_upper *upper)
{
	return upper->map.nr_spare >= nodes_wanted(upper) &&
	       (!upper->is_volatile || upper->spare) &&
	       (!upper->log || ybd_log_ready(upper, 1));
}

/* Nodes for the map, which is asked for them without the lock. */
static bool refill_nodes(struct ybd_upper *upper, gfp_t gfp)
{
	struct ybd_umap_node *node;
	unsigned long flags;

	while (READ_ONCE(upper->map.nr_spare) < nodes_wanted(upper)) {
		node = ybd_umap_node_alloc(gfp);
		if (!node)
			return false;
		spin_lock_irqsave(&upper->lock, flags);
		ybd_umap_give(&upper->map, node);
		spin_unlock_irqrestore(&upper->lock, flags);
	}
	return true;
}

/* Memory for one change more. */
static bool change_refill(struct ybd_upper *upper, gfp_t gfp)
{
	struct upper_segment *segment;
	unsigned long flags;
	bool ready;

	if (!refill_nodes(upper, gfp))
		return false;
	if (upper->is_volatile && !READ_ONCE(upper->spare)) {
		segment = ybd_upper_segment_alloc(upper, gfp);
		if (!segment)
			return false;
		spin_lock_irqsave(&upper->lock, flags);
		if (!upper->spare)
			swap(upper->spare, segment);
		spin_unlock_irqrestore(&upper->lock, flags);
		kfree(segment);
	}
	if (!upper->log)
		return true;
	spin_lock_irqsave(&upper->lock, flags);
	ready = ybd_log_ready(upper, 1);
	spin_unlock_irqrestore(&upper->lock, flags);
	return ready || !ybd_log_refill(upper, gfp);
}

static gfp_t change_gfp(const struct bio *bio)
{
	if (bio->bi_opf & REQ_NOWAIT)
		return GFP_NOWAIT | __GFP_NOWARN;
	return GFP_NOIO | __GFP_NOWARN;
}

static blk_status_t no_memory(const struct ybd_upper *upper, const struct bio *bio)
{
	if (bio->bi_opf & REQ_NOWAIT)
		return BLK_STS_AGAIN;
	ybd_stat_inc(upper->dev->pcpu, YBD_STAT_NO_MEMORY);
	return BLK_STS_RESOURCE;
}

static blk_status_t no_space(const struct ybd_upper *upper)
{
	ybd_stat_inc(upper->dev->pcpu, YBD_STAT_NO_SPACE);
	return BLK_STS_NOSPC;
}

/* Blocks that the quota leaves. The caller holds the lock. */
static u64 quota_left(const struct ybd_upper *upper)
{
	u64 used = upper_nr_counted(upper);

	return used < upper->quota ? upper->quota - used : 0;
}

/*
 * Blocks for a first write. BLK_STS_DEV_RESOURCE: wait for some;
 * BLK_STS_RESOURCE: memory is short.
 */
static blk_status_t first_write(struct ybd_upper *upper, u64 block, u64 want,
				struct ybd_piece *piece)
{
	u64 phys;
	u32 nr;

	if (!change_ready(upper))
		return BLK_STS_RESOURCE;
	want = min3(want, (u64)YBD_UMAP_CHANGE_MAX, quota_left(upper));
	if (!want || (upper->log && !ybd_log_room(upper, POOL_NEED_DATA)))
		return no_space(upper);
	nr = ybd_upper_alloc(upper, want, &phys);
	if (!nr)
		return ybd_upper_space_may_come(upper) ? BLK_STS_DEV_RESOURCE :
							 no_space(upper);
	upper->changes++;
	piece->kind = YBD_PIECE_FIRST;
	piece->block = block;
	piece->phys = phys * YBD_BLOCK_SECTORS;
	piece->sectors = nr * YBD_BLOCK_SECTORS;
	return BLK_STS_OK;
}

/* The front of @nr sectors that are to be written. The caller holds the lock. */
static blk_status_t find_piece(struct ybd_upper *upper, sector_t sector, unsigned int nr,
			       struct ybd_piece *piece)
{
	unsigned int within = sector & (YBD_BLOCK_SECTORS - 1);
	u64 block = sector / YBD_BLOCK_SECTORS;
	struct ybd_umap_run run;

	ybd_umap_lookup(&upper->map, block, (within + nr - 1) / YBD_BLOCK_SECTORS + 1, &run);
	if (run.kind == YBD_UMAP_DATA) {
		piece->kind = YBD_PIECE_DATA;
		piece->sectors = min_t(u64, nr, run.nr * YBD_BLOCK_SECTORS - within);
		piece->phys = run.phys * YBD_BLOCK_SECTORS + within;
		return BLK_STS_OK;
	}
	if (within || nr < YBD_BLOCK_SECTORS) {
		piece->kind = YBD_PIECE_SLOW;
		piece->sectors = min(nr, YBD_BLOCK_SECTORS - within);
		piece->lower_zero = run.kind == YBD_UMAP_ZERO;
		return BLK_STS_OK;
	}
	return first_write(upper, block, min_t(u64, nr / YBD_BLOCK_SECTORS, run.nr), piece);
}

/**
 * ybd_upper_write_piece - what is to be done with the front of a write?
 * @upper: the upper; the caller has entered it
 * @bio: the write
 * @piece: answer; after a first write, ybd_upper_written() must be called
 *
 * Process context; sleeps for memory unless the bio is REQ_NOWAIT. Return: 0;
 * BLK_STS_AGAIN for a REQ_NOWAIT bio; BLK_STS_DEV_RESOURCE when the bio is to
 * wait for space; or an error.
 */
blk_status_t ybd_upper_write_piece(struct ybd_upper *upper, struct bio *bio,
				   struct ybd_piece *piece)
{
	blk_status_t status;
	unsigned long flags;

	for (;;) {
		if (unlikely(ybd_upper_has_failed(upper)))
			return BLK_STS_IOERR;
		spin_lock_irqsave(&upper->lock, flags);
		status = find_piece(upper, bio->bi_iter.bi_sector, bio_sectors(bio), piece);
		spin_unlock_irqrestore(&upper->lock, flags);
		if (likely(status != BLK_STS_RESOURCE))
			break;
		/* The caller may wait, but not here: others wait until it has left. */
		if (!change_refill(upper, GFP_NOWAIT | __GFP_NOWARN))
			return bio->bi_opf & REQ_NOWAIT ? BLK_STS_AGAIN : BLK_STS_RESOURCE;
	}
	if (status == BLK_STS_DEV_RESOURCE && bio->bi_opf & REQ_NOWAIT)
		return BLK_STS_AGAIN;
	return status;
}

/**
 * ybd_upper_merge_piece - where does one block go that was merged with what is below?
 * @upper: the upper; the caller has entered it
 * @bio: the write that it is for
 * @block: of the device
 * @piece: YBD_PIECE_DATA if the upper has got the block by now, else
 *	YBD_PIECE_FIRST, with @lower_zero set if it reads as zeroes
 *
 * After YBD_PIECE_FIRST, ybd_upper_publish() must be called. Return: as
 * ybd_upper_write_piece().
 */
blk_status_t ybd_upper_merge_piece(struct ybd_upper *upper, struct bio *bio, u64 block,
				   struct ybd_piece *piece)
{
	struct ybd_umap_run run;
	blk_status_t status;
	unsigned long flags;

	for (;;) {
		if (unlikely(ybd_upper_has_failed(upper)))
			return BLK_STS_IOERR;
		spin_lock_irqsave(&upper->lock, flags);
		ybd_umap_lookup(&upper->map, block, 1, &run);
		status = find_piece(upper, block * YBD_BLOCK_SECTORS, YBD_BLOCK_SECTORS,
				    piece);
		piece->lower_zero = run.kind == YBD_UMAP_ZERO;
		spin_unlock_irqrestore(&upper->lock, flags);
		if (status != BLK_STS_RESOURCE)
			return status;
		if (!change_refill(upper, GFP_NOWAIT | __GFP_NOWARN))
			return BLK_STS_RESOURCE;
	}
}

/**
 * ybd_upper_refill - get the memory that a change of the map takes
 * @upper: the upper; the caller has not entered it
 * @bio: what the change is for; not REQ_NOWAIT
 *
 * For those that got BLK_STS_RESOURCE, before they try again. May sleep. Return:
 * BLK_STS_OK, or BLK_STS_RESOURCE if there is none.
 */
blk_status_t ybd_upper_refill(struct ybd_upper *upper, const struct bio *bio)
{
	return change_refill(upper, GFP_NOIO | __GFP_NOWARN) ? BLK_STS_OK :
							       no_memory(upper, bio);
}

/**
 * ybd_upper_read_piece - who has the front of a read?
 * @upper: the upper; the caller has entered it
 * @sector: of the device
 * @nr: sectors, not 0
 * @piece: answer
 */
void ybd_upper_read_piece(struct ybd_upper *upper, sector_t sector, unsigned int nr,
			  struct ybd_piece *piece)
{
	static const enum ybd_piece_kind kinds[] = {
		[YBD_UMAP_NONE] = YBD_PIECE_IMAGE,
		[YBD_UMAP_ZERO] = YBD_PIECE_ZERO,
		[YBD_UMAP_DATA] = YBD_PIECE_DATA,
	};
	unsigned int within = sector & (YBD_BLOCK_SECTORS - 1);
	struct ybd_umap_run run;

	rcu_read_lock();
	ybd_umap_lookup(&upper->map, sector / YBD_BLOCK_SECTORS,
			(within + nr - 1) / YBD_BLOCK_SECTORS + 1, &run);
	rcu_read_unlock();
	piece->kind = kinds[run.kind];
	piece->sectors = min_t(u64, nr, run.nr * YBD_BLOCK_SECTORS - within);
	piece->phys = run.phys * YBD_BLOCK_SECTORS + within;
}

/* One change of the map, and its record. The caller holds the lock. */
static blk_status_t change(struct ybd_upper *upper, const struct ybd_umap_run *run)
{
	struct ybd_umap_node *node;
	int ret;

	/* Each change brought one with it, so that this is next to impossible. */
	while (unlikely(upper->map.nr_spare < YBD_UMAP_CHANGE_NODES)) {
		node = ybd_umap_node_alloc(GFP_ATOMIC | __GFP_NOWARN);
		if (!node)
			return BLK_STS_RESOURCE;
		ybd_umap_give(&upper->map, node);
	}
	ret = ybd_umap_set(&upper->map, run, ybd_upper_gone, upper);
	if (unlikely(ret))
		return errno_to_blk_status(ret);
	if (upper->log)
		ybd_log_record(upper, run);
	return BLK_STS_OK;
}

static blk_status_t publish(struct ybd_upper *upper, const struct ybd_piece *piece)
{
	struct ybd_umap_run run = {
		.kind = YBD_UMAP_DATA,
		.start = piece->block,
		.nr = piece->sectors / YBD_BLOCK_SECTORS,
		.phys = piece->phys / YBD_BLOCK_SECTORS,
	};

	return change(upper, &run);
}

/*
 * Neither records nor blocks that others could use should gather without end where
 * nobody flushes.
 */
static bool log_is_long(const struct ybd_upper *upper)
{
	return upper->log && !upper->log->busy &&
	       (upper->log->nr_records > LOG_RECORDS_LONG || ybd_upper_gone_is_much(upper));
}

/**
 * ybd_upper_written - a first write has ended
 * @upper: the upper
 * @piece: which
 * @status: how
 *
 * Any context. Return: @status, or why it could not enter the map.
 */
blk_status_t ybd_upper_written(struct ybd_upper *upper, const struct ybd_piece *piece,
			       blk_status_t status)
{
	unsigned long flags;
	bool commit;

	spin_lock_irqsave(&upper->lock, flags);
	upper->changes--;
	if (likely(!status))
		status = publish(upper, piece);
	if (unlikely(status))
		ybd_upper_unalloc(upper, piece->phys / YBD_BLOCK_SECTORS,
				  piece->sectors / YBD_BLOCK_SECTORS);
	commit = log_is_long(upper);
	spin_unlock_irqrestore(&upper->lock, flags);
	if (unlikely(commit))
		ybd_log_commit(upper, NULL, false);
	return status;
}

/**
 * ybd_upper_publish - a block that was merged with what is below was written
 * @upper: the upper
 * @piece: of a first write, of one block
 * @over_zero: it was merged with zeroes, not with the image
 * @status: how the write has ended, and then whether it could enter the map
 *
 * Process context. Return: false if that is not below any more: nothing has
 * changed, and the blocks are given back.
 */
bool ybd_upper_publish(struct ybd_upper *upper, const struct ybd_piece *piece,
		       bool over_zero, blk_status_t *status)
{
	enum ybd_umap_kind want = over_zero ? YBD_UMAP_ZERO : YBD_UMAP_NONE;
	struct ybd_umap_run run;
	unsigned long flags;
	bool right, commit;

	spin_lock_irqsave(&upper->lock, flags);
	upper->changes--;
	ybd_umap_lookup(&upper->map, piece->block, 1, &run);
	right = run.kind == want;
	if (!*status && right)
		*status = publish(upper, piece);
	if (*status || !right)
		ybd_upper_unalloc(upper, piece->phys / YBD_BLOCK_SECTORS, 1);
	commit = log_is_long(upper);
	spin_unlock_irqrestore(&upper->lock, flags);
	if (unlikely(commit))
		ybd_log_commit(upper, NULL, false);
	return *status || right;
}

/* ---- zeroes ---- */

/* Has the image nothing in the first of these blocks? @nr: as far as that goes. */
static bool lower_is_hole(const struct ybd_upper *upper, u64 block, u64 *nr)
{
	struct ybd_map_run run;
	u64 blocks;

	ybd_map_lookup(&upper->dev->image->map, block * YBD_BLOCK_SECTORS,
		       *nr * YBD_BLOCK_SECTORS, &run);
	blocks = run.nr / YBD_BLOCK_SECTORS;
	if (run.source == YBD_MAP_HOLE && blocks) {
		*nr = min(*nr, blocks);
		return true;
	}
	*nr = clamp(blocks, 1ULL, *nr);
	return false;
}

/* The caller holds the lock. BLK_STS_RESOURCE: memory is short. */
static blk_status_t zero_some(struct ybd_upper *upper, struct ybd_umap_run *run)
{
	u64 block = run->start, nr = run->nr;
	enum ybd_umap_kind want;
	blk_status_t status;

	ybd_umap_lookup(&upper->map, block, nr, run);
	nr = run->nr;
	want = lower_is_hole(upper, block, &nr) ? YBD_UMAP_NONE : YBD_UMAP_ZERO;
	run->nr = nr;
	if (run->kind == want || (run->kind == YBD_UMAP_ZERO && want == YBD_UMAP_NONE))
		return BLK_STS_OK;
	if (!change_ready(upper))
		return BLK_STS_RESOURCE;
	if (upper->log && !ybd_log_room(upper, POOL_NEED_ROOM))
		return BLK_STS_NOSPC;
	run->kind = want;
	run->phys = 0;
	status = change(upper, run);
	if (!status)
		ybd_stat_add(upper->dev->pcpu, YBD_STAT_ZEROED, nr);
	return status;
}

/**
 * ybd_upper_zero_blocks - make whole blocks read as zeroes, and free what they had
 * @upper: the upper
 * @bio: a discard, or a write of zeroes
 * @block: first block of the device
 * @nr: how many, not 0
 * @done: so many were dealt with, at least 1 if it returns 0
 *
 * Process context; sleeps for memory unless the bio is REQ_NOWAIT. Return: 0,
 * or an error.
 */
blk_status_t ybd_upper_zero_blocks(struct ybd_upper *upper, struct bio *bio, u64 block,
				   unsigned int nr, unsigned int *done)
{
	struct ybd_umap_run run;
	blk_status_t status;
	unsigned long flags;
	bool commit;

	for (;;) {
		if (unlikely(ybd_upper_has_failed(upper)))
			return BLK_STS_IOERR;
		run.start = block;
		run.nr = min(nr, YBD_UMAP_CHANGE_MAX);
		spin_lock_irqsave(&upper->lock, flags);
		status = zero_some(upper, &run);
		commit = log_is_long(upper);
		spin_unlock_irqrestore(&upper->lock, flags);
		if (status != BLK_STS_RESOURCE)
			break;
		if (!change_refill(upper, change_gfp(bio)))
			return no_memory(upper, bio);
	}
	*done = run.nr;
	if (upper->is_volatile || ybd_is_mutant(YBD_MUTANT_REUSE_BEFORE_DURABLE))
		ybd_upper_reclaim(upper);
	/* Not submitted here: it would wait until this bio is done with. */
	if (commit)
		ybd_log_commit(upper, NULL, false);
	if (status == BLK_STS_NOSPC && bio_op(bio) != REQ_OP_DISCARD)
		no_space(upper);
	return status;
}

/* ---- what the data path asks ---- */

bool ybd_upper_is_persistent(const struct ybd_upper *upper)
{
	return upper->log;
}

/* Has it nothing, not even a block that was discarded? */
bool ybd_upper_is_empty(const struct ybd_upper *upper)
{
	return !READ_ONCE(upper->map.root);
}

/* What it has may be lost: its pool has failed. */
bool ybd_upper_is_lost(const struct ybd_upper *upper)
{
	return pool_has_failed(upper->pool);
}

/* Can nothing be written to its pool any more? */
bool ybd_upper_is_cut_off(const struct ybd_upper *upper)
{
	return ybd_upper_is_lost(upper) ||
	       test_bit(GD_DEAD, &upper->pool->b.bdev->bd_disk->state);
}

/* I/O to its pool has failed. Any context. */
void ybd_upper_io_error(struct ybd_upper *upper, blk_status_t status)
{
	ybd_pool_io_error(upper->pool, status);
}

/* Where its data are. */
struct block_device *ybd_upper_bdev(const struct ybd_upper *upper)
{
	return upper->pool->b.bdev;
}

/**
 * ybd_upper_enter - what is found in the map stays where it is
 * @upper: the upper
 *
 * Any context. Return: for ybd_upper_leave(), which may be called in another
 * context, when the I/O has ended.
 */
int ybd_upper_enter(struct ybd_upper *upper)
	__acquires(&upper->pool->srcu)
{
	return ybd_srcu_enter(&upper->pool->srcu);
}

void ybd_upper_leave(struct ybd_upper *upper, int idx)
	__releases(&upper->pool->srcu)
{
	ybd_srcu_leave(&upper->pool->srcu, idx);
}

/* Is everything in the map durable? */
bool ybd_upper_is_clean(struct ybd_upper *upper)
{
	return ybd_log_is_clean(upper);
}

/* See ybd_log_commit(). */
void ybd_upper_commit(struct ybd_upper *upper, struct bio *bio, bool may_submit)
{
	ybd_log_commit(upper, bio, may_submit);
}

/* ---- memory of the map ---- */

struct ybd_umap_node *ybd_umap_node_alloc(gfp_t gfp)
{
	return kmalloc(YBD_UMAP_NODE_BYTES, gfp);
}

/* Lookups may still be in it. */
void ybd_umap_node_free(struct ybd_umap_node *node)
{
	kfree_rcu((struct ybd_umap_gone_node *)node, rcu);
}
