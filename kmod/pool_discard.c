// SPDX-License-Identifier: GPL-2.0-only
/*
 * Telling the device of a pool what is free.
 *
 * A segment that was given back is stale until its device was told, or until it is
 * taken again, which goes first. While it is discarded nobody has it: it is taken as
 * if for data, so that what is promised to others stays, and comes back when the
 * device is done. So a discard is sent when nothing refers to what was there any
 * more (see upper_priv.h), and never meets a write of whoever is next.
 */
#include <linux/blkdev.h>
#include <linux/module.h>

#include "pool_priv.h"

/* What is given back may be taken again soon. */
#define DISCARD_DELAY	HZ
/* Most segments at a time: others miss them until their device is done. */
#define DISCARD_RUN	64U
/* So nothing is discarded while no more than this part of a pool is free. */
#define DISCARD_KEEP	16
/* Whoever closes a pool waits so long at most. */
#define DISCARD_CLOSE	(5 * HZ)

static bool pool_discard = true;
module_param(pool_discard, bool, 0644);
MODULE_PARM_DESC(pool_discard, "discard what becomes free in a pool, if its device takes discards (Y)");

/* How many may others do without? The caller holds the lock. */
static u32 discard_allowed(const struct ybd_pool *pool)
{
	u32 keep = max(pool->nr_segments / DISCARD_KEEP, 1U);

	return pool->free_segments > keep ? min(pool->free_segments - keep, DISCARD_RUN) : 0;
}

/* Take stale segments in a row, of a pool in @use. Return: how many, from @first. */
static u32 discard_take(struct ybd_pool *pool, bool use, u32 *first)
{
	unsigned long flags;
	u32 nr = 0, bit, max;

	spin_lock_irqsave(&pool->lock, flags);
	max = use ? discard_allowed(pool) : U32_MAX;
	bit = find_first_bit(pool->stale, pool->nr_segments);
	*first = bit;
	while (nr < max && bit < pool->nr_segments && test_bit(bit, pool->stale) &&
	       (!use || ybd_pool_allows_data(pool))) {
		ybd_pool_hide_segment(pool, bit);
		bit++;
		nr++;
	}
	spin_unlock_irqrestore(&pool->lock, flags);
	return nr;
}

static void discard_return(struct ybd_pool *pool, u32 first, u32 nr)
{
	unsigned long flags;
	u32 i;

	spin_lock_irqsave(&pool->lock, flags);
	for (i = first; i < first + nr; i++)
		ybd_pool_show_segment(pool, i);
	spin_unlock_irqrestore(&pool->lock, flags);
	atomic64_inc(&pool->given);
}

/* Return: is there nothing left to do, or no point in it? */
static bool discard_some(struct ybd_pool *pool, bool use)
{
	sector_t size = (sector_t)pool_segment_blocks(pool) * YBD_BLOCK_SECTORS;
	u32 first, nr;
	int ret;

	if (!pool->stale || !READ_ONCE(pool_discard) || pool_has_failed(pool))
		return true;
	nr = discard_take(pool, use, &first);
	if (!nr)
		return true;
	ret = blkdev_issue_discard(pool->b.bdev,
				   pool_segment_start(pool, first) * YBD_BLOCK_SECTORS,
				   nr * size, GFP_NOIO);
	discard_return(pool, first, nr);
	/* It was an offer. What is left is discarded when something else is freed. */
	return ret;
}

static void discard_work(struct work_struct *work)
{
	struct ybd_pool *pool = container_of(work, struct ybd_pool, discard.work);

	/* By itself, so that it can be stopped in between. */
	if (!discard_some(pool, true))
		queue_delayed_work(ybd_wait_wq, &pool->discard, 0);
}

/**
 * ybd_pool_discard_pause - have all that is free
 * @pool: the pool; until ybd_pool_discard_soon()
 *
 * May sleep.
 */
void ybd_pool_discard_pause(struct ybd_pool *pool)
{
	cancel_delayed_work_sync(&pool->discard);
}

/**
 * ybd_pool_discard_soon - a segment may be stale
 * @pool: the pool
 *
 * Any context.
 */
void ybd_pool_discard_soon(struct ybd_pool *pool)
{
	queue_delayed_work(ybd_wait_wq, &pool->discard, DISCARD_DELAY);
}

void ybd_pool_discard_init(struct ybd_pool *pool)
{
	INIT_DELAYED_WORK(&pool->discard, discard_work);
}

/**
 * ybd_pool_discard_exit - discard what is stale, for nobody will do so later
 * @pool: nobody uses it any more
 *
 * May sleep.
 */
void ybd_pool_discard_exit(struct ybd_pool *pool)
{
	unsigned long end = jiffies + DISCARD_CLOSE;

	cancel_delayed_work_sync(&pool->discard);
	while (time_before(jiffies, end) && !discard_some(pool, false))
		cond_resched();
}
