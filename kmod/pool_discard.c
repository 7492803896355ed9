// SPDX-License-Identifier: GPL-2.0-only
/*
 * Telling the device of a pool what is free.
 *
 * A segment that was given back is stale until its device was told, or until it is
 * taken again, which goes first. While it is discarded it is hidden: it counts as
 * free, but nobody can have it, and who finds no other one waits until the device is
 * done. So a discard is sent when nothing refers to what was there any more (see
 * upper_priv.h), and never meets a write of whoever is next.
 */
#include <linux/blkdev.h>
#include <linux/module.h>

#include "pool_priv.h"

/* What is given back may be taken again soon. */
#define DISCARD_DELAY	HZ
/* Most segments at a time: so long others may have to wait. */
#define DISCARD_RUN	64U
/* Who drops the last reference goes on for so long, and one run. */
#define DISCARD_REST	(5 * HZ)

static bool pool_discard = true;
module_param(pool_discard, bool, 0644);
MODULE_PARM_DESC(pool_discard, "discard what becomes free in a pool, if its device takes discards (Y)");

/*
 * Hide stale segments in a row, at most a quarter of what is free: the rest is there
 * for who comes meanwhile. Return: how many, from @first.
 */
static u32 discard_hide(struct ybd_pool *pool, u32 *first)
{
	unsigned long flags;
	u32 nr = 0, bit, max;

	spin_lock_irqsave(&pool->lock, flags);
	max = min(pool->free_segments / 4, DISCARD_RUN);
	bit = find_first_bit(pool->stale, pool->nr_segments);
	*first = bit;
	while (nr < max && bit < pool->nr_segments && test_bit(bit, pool->stale)) {
		ybd_pool_hide_segment(pool, bit);
		bit++;
		nr++;
	}
	spin_unlock_irqrestore(&pool->lock, flags);
	return nr;
}

static void discard_show(struct ybd_pool *pool, u32 first, u32 nr)
{
	unsigned long flags;
	u32 i;

	spin_lock_irqsave(&pool->lock, flags);
	for (i = first; i < first + nr; i++)
		ybd_pool_show_segment(pool, i);
	spin_unlock_irqrestore(&pool->lock, flags);
	wake_up_all(&pool->shown);
}

/* Return: is there nothing left to do, or no point in it? */
static bool discard_some(struct ybd_pool *pool)
{
	sector_t size = (sector_t)pool_segment_blocks(pool) * YBD_BLOCK_SECTORS;
	u32 first, nr;
	int ret;

	if (!READ_ONCE(pool_discard) || pool_has_failed(pool))
		return true;
	nr = discard_hide(pool, &first);
	if (!nr)
		return true;
	ret = blkdev_issue_discard(pool->b.bdev,
				   pool_segment_start(pool, first) * YBD_BLOCK_SECTORS,
				   nr * size, GFP_NOIO);
	/* It may be the first that learns that the device was lost. */
	if (ret)
		ybd_pool_io_error(pool, errno_to_blk_status(ret));
	discard_show(pool, first, nr);
	/* It was an offer. What is left is discarded when something else is freed. */
	return ret;
}

static void discard_work(struct work_struct *work)
{
	struct ybd_pool *pool = container_of(work, struct ybd_pool, discard.work);

	while (!READ_ONCE(pool->discard_leave) && !discard_some(pool))
		cond_resched();
}

/* It goes on to the end of the run that it is at. May sleep. */
static void discard_stop(struct ybd_pool *pool)
{
	WRITE_ONCE(pool->discard_leave, true);
	cancel_delayed_work_sync(&pool->discard);
	WRITE_ONCE(pool->discard_leave, false);
}

/**
 * ybd_pool_discard_soon - a segment has become stale
 * @pool: the pool
 *
 * Any context.
 */
void ybd_pool_discard_soon(struct ybd_pool *pool)
{
	queue_delayed_work(ybd_wait_wq, &pool->discard, DISCARD_DELAY);
}

static bool discard_is_shown(struct ybd_pool *pool)
{
	unsigned long flags;
	bool shown;

	spin_lock_irqsave(&pool->lock, flags);
	shown = pool->free_segments || !pool->hidden_segments;
	spin_unlock_irqrestore(&pool->lock, flags);
	return shown;
}

/**
 * ybd_pool_discard_wait - wait for segments that are being discarded
 * @pool: the pool
 *
 * May sleep, with meta_lock too; not inside an upper.
 */
void ybd_pool_discard_wait(struct ybd_pool *pool)
{
	wait_event(pool->shown, discard_is_shown(pool));
}

void ybd_pool_discard_init(struct ybd_pool *pool)
{
	INIT_DELAYED_WORK(&pool->discard, discard_work);
	init_waitqueue_head(&pool->shown);
}

/* Is there anything that nobody will discard if the pool is closed? */
bool ybd_pool_discard_pending(struct ybd_pool *pool)
{
	unsigned long flags;
	bool pending;

	if (!pool->stale)
		return false;
	spin_lock_irqsave(&pool->lock, flags);
	pending = !bitmap_empty(pool->stale, pool->nr_segments);
	spin_unlock_irqrestore(&pool->lock, flags);
	return pending;
}

/**
 * ybd_pool_discard_rest - discard what is stale, for nobody will do so later
 * @pool: the caller has a reference
 *
 * May sleep; for some seconds at most, if the device answers.
 */
void ybd_pool_discard_rest(struct ybd_pool *pool)
{
	unsigned long end = jiffies + DISCARD_REST;

	discard_stop(pool);
	while (time_before(jiffies, end) && !discard_some(pool))
		cond_resched();
}

/* Nobody uses the pool any more. May sleep. */
void ybd_pool_discard_exit(struct ybd_pool *pool)
{
	discard_stop(pool);
}
