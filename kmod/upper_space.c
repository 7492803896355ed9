// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks and segments of an upper: who takes them, and when one may be used
 * again. See upper_priv.h.
 */
#include <linux/bitmap.h>
#include <linux/slab.h>

#include "device.h"
#include "upper_log.h"

/* Most segments that are taken at a time. */
#define TAKE_MAX	8U

static u32 segment_free(const struct ybd_upper *upper, const struct upper_segment *segment)
{
	return pool_segment_blocks(upper->pool) - segment->nr_used;
}

/* To the segments with free blocks, in order of how many. */
static void segment_file(struct ybd_upper *upper, struct upper_segment *segment)
{
	u32 nr = segment_free(upper, segment);

	if (segment == upper->open)
		return;
	if (!nr)
		list_del_init(&segment->node);
	else
		list_move(&segment->node,
			  &upper->bucket[(nr - 1) * UPPER_BUCKETS >>
					 upper->pool->segment_shift]);
}

/**
 * ybd_upper_segment_alloc - an object for a segment
 * @upper: whose
 * @gfp: how
 */
struct upper_segment *ybd_upper_segment_alloc(const struct ybd_upper *upper, gfp_t gfp)
{
	unsigned int longs = BITS_TO_LONGS(pool_segment_blocks(upper->pool));
	struct upper_segment *segment;

	segment = kzalloc(struct_size(segment, bits, 3 * longs), gfp);
	if (!segment)
		return NULL;
	INIT_LIST_HEAD(&segment->node);
	INIT_LIST_HEAD(&segment->gone_node[0]);
	INIT_LIST_HEAD(&segment->gone_node[1]);
	segment->used = segment->bits;
	segment->gone[0] = segment->bits + longs;
	segment->gone[1] = segment->bits + 2 * longs;
	return segment;
}

/**
 * ybd_upper_segment_add - the upper has one segment more
 * @upper: the upper; its lock is held, or nobody else knows it yet
 * @segment: an object, the upper's from now on
 * @nr: number in the pool; empty
 */
void ybd_upper_segment_add(struct ybd_upper *upper, struct upper_segment *segment, u32 nr)
{
	upper->pool->segment_at[nr] = segment;
	segment->nr = nr;
	upper->nr_segments++;
	list_add_tail(&segment->all_node, &upper->segments);
	list_add_tail(&segment->node, &upper->fresh);
}

static struct upper_segment *segment_of(struct ybd_upper *upper, u64 block)
{
	return upper->pool->segment_at[pool_segment_of(upper->pool, block)];
}

static u32 block_in_segment(const struct ybd_upper *upper, u64 block)
{
	return (block - upper->pool->data) & (pool_segment_blocks(upper->pool) - 1);
}

/* The pool gets back what is wholly free, but for one to go on with. */
static void segment_give(struct ybd_upper *upper, struct upper_segment *segment)
{
	if (segment->nr_used || segment == upper->open ||
	    upper->nr_segments <= upper->keep_segments + 1)
		return;
	list_del(&segment->node);
	list_del(&segment->all_node);
	upper->nr_segments--;
	ybd_pool_give_segment(upper->pool, segment->nr);
	kfree(segment);
}

/* A segment more for a volatile upper, at once. */
static bool take_now(struct ybd_upper *upper)
{
	u32 nr;
	int ret;

	if (!upper->is_volatile || !upper->spare)
		return false;
	ret = ybd_pool_take_volatile(upper->pool, &nr);
	upper->space_hidden = ret == -EAGAIN;
	if (ret)
		return false;
	ybd_upper_segment_add(upper, upper->spare, nr);
	upper->spare = NULL;
	return true;
}

/* In the background, unless it is being done, or would be in vain as before. */
static void want_segments(struct ybd_upper *upper)
{
	if (upper->is_volatile || upper->space_wanted ||
	    upper->full_at == atomic64_read(&upper->pool->given))
		return;
	upper->space_wanted = true;
	queue_work(ybd_log_wq, &upper->space_work);
}

/*
 * The next segment to allocate from: one of which a good part was freed, or
 * else a new one, or else whatever has a free block.
 */
static struct upper_segment *segment_choose(struct ybd_upper *upper)
{
	int i;

	for (i = UPPER_BUCKETS - 1; i >= 1; i--)
		if (!list_empty(&upper->bucket[i]))
			return list_first_entry(&upper->bucket[i], struct upper_segment, node);
	if (list_empty(&upper->fresh) && !take_now(upper))
		want_segments(upper);
	if (!list_empty(&upper->fresh)) {
		struct upper_segment *segment;

		segment = list_first_entry(&upper->fresh, struct upper_segment, node);
		/* Ahead of need: it takes two writes. */
		if (list_is_last(&segment->node, &upper->fresh))
			want_segments(upper);
		return segment;
	}
	return list_first_entry_or_null(&upper->bucket[0], struct upper_segment, node);
}

static void update_fill(struct ybd_upper *upper)
{
	if (upper->quota != U64_MAX)
		ybd_fill_update(&upper->fill, upper_nr_counted(upper), upper->quota);
}

static u32 alloc_from(struct ybd_upper *upper, struct upper_segment *segment, u32 want,
		      u64 *block)
{
	u32 size = pool_segment_blocks(upper->pool), start, end;

	start = find_next_zero_bit(segment->used, size, segment->next);
	if (start >= size)
		return 0;
	end = find_next_bit(segment->used, min(size, start + want), start);
	bitmap_set(segment->used, start, end - start);
	segment->nr_used += end - start;
	segment->next = end;
	upper->nr_used += end - start;
	update_fill(upper);
	*block = pool_segment_start(upper->pool, segment->nr) + start;
	return end - start;
}

/**
 * ybd_upper_alloc - take free blocks
 * @upper: the upper; the caller holds its lock
 * @want: how many at most
 * @block: the first of them
 *
 * Return: how many, in one piece; 0 if there are none.
 */
u32 ybd_upper_alloc(struct ybd_upper *upper, u32 want, u64 *block)
{
	struct upper_segment *segment;
	u32 nr;

	lockdep_assert_held(&upper->lock);
	for (;;) {
		segment = upper->open;
		nr = segment ? alloc_from(upper, segment, want, block) : 0;
		if (nr)
			return nr;
		upper->open = NULL;
		if (segment)
			segment_file(upper, segment);
		segment = segment_choose(upper);
		if (!segment)
			return 0;
		list_del_init(&segment->node);
		segment->next = 0;
		upper->open = segment;
	}
}

/* Blocks of one segment are free. */
static void segment_free_blocks(struct ybd_upper *upper, struct upper_segment *segment, u32 nr)
{
	segment->nr_used -= nr;
	upper->nr_used -= nr;
	update_fill(upper);
	segment_file(upper, segment);
	segment_give(upper, segment);
}

/**
 * ybd_upper_unalloc - give back blocks that were never mapped
 * @upper: the upper; the caller holds its lock
 * @block: the first
 * @nr: how many, from one ybd_upper_alloc(); I/O to them has ended
 */
void ybd_upper_unalloc(struct ybd_upper *upper, u64 block, u32 nr)
{
	struct upper_segment *segment = segment_of(upper, block);

	lockdep_assert_held(&upper->lock);
	bitmap_clear(segment->used, block_in_segment(upper, block), nr);
	segment_free_blocks(upper, segment, nr);
}

/**
 * ybd_upper_gone - blocks are not in the map any more
 * @arg: the upper; the caller holds its lock
 * @block: the first
 * @nr: how many; they may be of several segments
 *
 * Called by ybd_umap_set().
 */
void ybd_upper_gone(void *arg, u64 block, u64 nr)
{
	struct ybd_upper *upper = arg;
	struct upper_gone *gone = &upper->gone[upper->phase];

	gone->nr += nr;
	update_fill(upper);
	ybd_stat_add(upper->dev->pcpu, YBD_STAT_FREED, nr);
	while (nr) {
		struct upper_segment *segment = segment_of(upper, block);
		u32 first = block_in_segment(upper, block);
		u32 n = min_t(u64, nr, pool_segment_blocks(upper->pool) - first);

		bitmap_set(segment->gone[upper->phase], first, n);
		if (list_empty(&segment->gone_node[upper->phase]))
			list_add_tail(&segment->gone_node[upper->phase], &gone->segments);
		block += n;
		nr -= n;
	}
}

/**
 * ybd_upper_use - blocks that the map has since the upper was read
 * @upper: an upper that nobody else knows yet; the caller holds meta_lock
 * @block: the first
 * @nr: how many; they may be of several segments
 *
 * Return: false if they are not the upper's, or used twice.
 */
bool ybd_upper_use(struct ybd_upper *upper, u64 block, u64 nr)
{
	lockdep_assert_held(&upper->pool->meta_lock);
	while (nr) {
		u32 in_pool = pool_segment_of(upper->pool, block);
		const struct pool_owner *owner = &upper->pool->segments.entry[in_pool];
		struct upper_segment *segment = segment_of(upper, block);
		u32 first = block_in_segment(upper, block);
		u32 n = min_t(u64, nr, pool_segment_blocks(upper->pool) - first);

		/* It may be there, and be that of another upper. */
		if (owner->owner != upper->place + 1 || owner->generation != upper->generation)
			return false;
		if (!segment || find_next_bit(segment->used, first + n, first) < first + n)
			return false;
		bitmap_set(segment->used, first, n);
		segment->nr_used += n;
		upper->nr_used += n;
		segment_file(upper, segment);
		block += n;
		nr -= n;
	}
	return true;
}

/* May blocks become free, or segments come, without anybody freeing more? */
bool ybd_upper_space_may_come(const struct ybd_upper *upper)
{
	lockdep_assert_held(&upper->lock);
	return upper->space_wanted || upper->space_hidden || upper->reclaiming ||
	       upper->gone[upper->phase].nr;
}

static bool has_free(const struct ybd_upper *upper)
{
	int i;

	for (i = 0; i < UPPER_BUCKETS; i++)
		if (!list_empty(&upper->bucket[i]))
			return true;
	return !list_empty(&upper->fresh) ||
	       (upper->open && segment_free(upper, upper->open));
}

/* Does anybody wait for space? */
static bool has_waiters(const struct ybd_upper *upper)
{
	return !bio_list_empty(&upper->waiting) || !list_empty(&upper->waiting_work);
}

/* ---- gone blocks ---- */

/* The blocks of one segment that were gone in @phase are free now. */
static void segment_reclaim(struct ybd_upper *upper, struct upper_segment *segment,
			    unsigned int phase)
{
	u32 size = pool_segment_blocks(upper->pool);
	u32 nr = bitmap_weight(segment->gone[phase], size);

	list_del_init(&segment->gone_node[phase]);
	bitmap_andnot(segment->used, segment->used, segment->gone[phase], size);
	bitmap_zero(segment->gone[phase], size);
	upper->gone[phase].nr -= nr;
	segment_free_blocks(upper, segment, nr);
}

/* Those of all segments. Not too long with interrupts off. */
static void reclaim_phase(struct ybd_upper *upper, unsigned int phase)
{
	struct upper_segment *segment;
	unsigned long flags;

	do {
		spin_lock_irqsave(&upper->lock, flags);
		segment = list_first_entry_or_null(&upper->gone[phase].segments,
						   struct upper_segment, gone_node[phase]);
		if (segment)
			segment_reclaim(upper, segment, phase);
		spin_unlock_irqrestore(&upper->lock, flags);
	} while (segment);
}

/**
 * struct upper_reclaim - a grace period of an upper, which may go before that has passed
 * @rcu: of it
 * @lock: protects @upper, and keeps it; taken before its own
 * @upper: whose blocks are to be used again; NULL once it has gone
 *
 * One grace period is of all I/O to the pool, and what other uppers have under way may
 * be held back for long. Nobody waits for that here: I/O of an upper that goes has
 * ended, and no other's can meet its blocks. It leaves this behind.
 */
struct upper_reclaim {
	struct rcu_head		rcu;
	spinlock_t		lock;	/* upper */
	struct ybd_upper	*upper;
};

static void reclaim_begin(struct ybd_upper *upper);

/* A grace period has passed since these blocks were gone. */
static void reclaim_end(struct ybd_upper *upper)
{
	unsigned long flags;
	bool again;

	/* It stays so until it is said that no reclaim is under way. */
	reclaim_phase(upper, !upper->phase);
	spin_lock_irqsave(&upper->lock, flags);
	upper->reclaiming = false;
	upper->reclaim_queued = false;
	again = upper->is_volatile && !upper->dying && ybd_upper_gone_close(upper);
	upper->reclaim_queued = again;
	if (has_waiters(upper) || (!upper->dying && ybd_upper_gone_is_much(upper)))
		queue_work(ybd_log_wq, &upper->space_work);
	spin_unlock_irqrestore(&upper->lock, flags);
	if (again)
		reclaim_begin(upper);
}

/* Process context. */
static void reclaim_rcu(struct rcu_head *rcu)
{
	struct upper_reclaim *reclaim = container_of(rcu, struct upper_reclaim, rcu);
	bool gone;

	spin_lock_bh(&reclaim->lock);
	gone = !reclaim->upper;
	if (!gone)
		reclaim_end(reclaim->upper);
	spin_unlock_bh(&reclaim->lock);
	if (gone)
		kfree(reclaim);
}

/* The upper goes; no commit and no I/O of it is under way. Process context. */
static void reclaim_leave(struct ybd_upper *upper)
{
	struct upper_reclaim *reclaim = upper->reclaim;
	bool queued;

	spin_lock_bh(&reclaim->lock);
	reclaim->upper = NULL;
	/* Only the end of one begins another by now. */
	queued = upper->reclaim_queued;
	spin_unlock_bh(&reclaim->lock);
	if (!queued)
		kfree(reclaim);
}

/* Is so much gone that it is worth a commit, for others to use? Not while one is due. */
bool ybd_upper_gone_is_much(const struct ybd_upper *upper)
{
	return upper->log && !upper->reclaiming &&
	       upper->gone[upper->phase].nr > GONE_SEGMENTS * pool_segment_blocks(upper->pool);
}

/**
 * ybd_upper_gone_close - what is gone until now is to be used again
 * @upper: the upper; the caller holds its lock
 *
 * Return: true if there is anything, and nothing is under way: then the caller
 * calls ybd_upper_gone_durable() as soon as the records that were made until
 * now are durable.
 */
bool ybd_upper_gone_close(struct ybd_upper *upper)
{
	lockdep_assert_held(&upper->lock);
	if (upper->reclaiming || !upper->gone[upper->phase].nr)
		return false;
	upper->reclaiming = true;
	upper->phase = !upper->phase;
	return true;
}

static void reclaim_begin(struct ybd_upper *upper)
{
	if (ybd_is_mutant(YBD_MUTANT_REUSE_BEFORE_DRAINED))
		reclaim_end(upper);
	else
		call_srcu(&upper->pool->srcu, &upper->reclaim->rcu, reclaim_rcu);
}

/* See above. Any context, without the lock. */
void ybd_upper_gone_durable(struct ybd_upper *upper)
{
	unsigned long flags;

	spin_lock_irqsave(&upper->lock, flags);
	upper->reclaim_queued = true;
	spin_unlock_irqrestore(&upper->lock, flags);
	reclaim_begin(upper);
}

/* Nothing has to be durable for that: use again what is gone. Any context. */
void ybd_upper_reclaim(struct ybd_upper *upper)
{
	unsigned long flags;
	bool closed;

	spin_lock_irqsave(&upper->lock, flags);
	closed = ybd_upper_gone_close(upper);
	spin_unlock_irqrestore(&upper->lock, flags);
	if (closed)
		ybd_upper_gone_durable(upper);
}

/* ---- waiting ---- */

/**
 * ybd_upper_wait - send a bio again when there may be space
 * @upper: the upper
 * @bio: hooked
 *
 * Any context.
 */
void ybd_upper_wait(struct ybd_upper *upper, struct bio *bio)
{
	unsigned long flags;

	spin_lock_irqsave(&upper->lock, flags);
	bio_list_add(&upper->waiting, bio);
	queue_work(ybd_log_wq, &upper->space_work);
	spin_unlock_irqrestore(&upper->lock, flags);
}

/**
 * ybd_upper_wait_work - queue work when there may be space
 * @upper: the upper
 * @waiter: with its work set; not touched any more when that is queued
 *
 * Any context.
 */
void ybd_upper_wait_work(struct ybd_upper *upper, struct ybd_waiter *waiter)
{
	unsigned long flags;

	spin_lock_irqsave(&upper->lock, flags);
	list_add_tail(&waiter->node, &upper->waiting_work);
	queue_work(ybd_log_wq, &upper->space_work);
	spin_unlock_irqrestore(&upper->lock, flags);
}

/**
 * ybd_upper_resend - send bios again, soon
 * @upper: the upper
 * @bio: hooked
 *
 * For contexts that cannot submit. Any context.
 */
void ybd_upper_resend(struct ybd_upper *upper, struct bio *bio)
{
	unsigned long flags;

	spin_lock_irqsave(&upper->lock, flags);
	bio_list_add(&upper->resend, bio);
	queue_work(ybd_resend_wq, &upper->resend_work);
	spin_unlock_irqrestore(&upper->lock, flags);
}

/* Segments for a persistent upper. Returns 0 when there is one more. */
static int take_more(struct ybd_upper *upper)
{
	u32 nr[TAKE_MAX], want = clamp(upper->nr_segments / 4, 1U, TAKE_MAX);
	struct upper_segment *segment;
	unsigned long flags;
	int got, i, used = 0;

	got = ybd_pool_take_segments(upper->pool, upper->place, upper->generation, want, nr);
	for (i = 0; i < got; i++) {
		segment = ybd_upper_segment_alloc(upper, GFP_NOIO);
		if (!segment) {
			ybd_pool_give_segment(upper->pool, nr[i]);
			continue;
		}
		spin_lock_irqsave(&upper->lock, flags);
		ybd_upper_segment_add(upper, segment, nr[i]);
		spin_unlock_irqrestore(&upper->lock, flags);
		used++;
	}
	return got < 0 ? got : used ? 0 : -ENOMEM;
}

/* Bios that cannot be written. */
static void fail_bios(struct bio_list *bios, blk_status_t status)
{
	struct bio *bio;

	while ((bio = bio_list_pop(bios))) {
		bio->bi_status = status;
		bio_endio(bio);
	}
}

static void wake_works(struct list_head *works, blk_status_t status)
{
	struct ybd_waiter *waiter, *next;

	list_for_each_entry_safe(waiter, next, works, node) {
		waiter->status = status;
		queue_work(ybd_wq, waiter->work);
	}
}

/* What was asked for. Returns 0, also when nothing was. */
static int provide(struct ybd_upper *upper)
{
	s64 given = atomic64_read(&upper->pool->given);
	unsigned long flags;
	bool wanted;
	int ret = 0;

	spin_lock_irqsave(&upper->lock, flags);
	wanted = upper->space_wanted;
	spin_unlock_irqrestore(&upper->lock, flags);
	if (!wanted)
		return 0;
	ret = take_more(upper);
	spin_lock_irqsave(&upper->lock, flags);
	upper->space_wanted = false;
	if (ret == -ENOSPC)
		upper->full_at = given;
	spin_unlock_irqrestore(&upper->lock, flags);
	return ret;
}

/* A volatile upper has found that all that is free is being discarded. */
static void wait_for_hidden(struct ybd_upper *upper)
{
	unsigned long flags;
	bool hidden;

	spin_lock_irqsave(&upper->lock, flags);
	hidden = upper->space_hidden;
	upper->space_hidden = false;
	spin_unlock_irqrestore(&upper->lock, flags);
	if (hidden)
		ybd_pool_discard_wait(upper->pool);
}

/*
 * Space is provided here; nobody who waits for that may be waited for. Those that
 * find none when they are sent again see that for themselves.
 */
static void space_work(struct work_struct *work)
{
	struct ybd_upper *upper = container_of(work, struct ybd_upper, space_work);
	struct bio_list bios = BIO_EMPTY_LIST;
	blk_status_t status = BLK_STS_OK;
	unsigned long flags;
	LIST_HEAD(works);
	bool later, much, hidden;
	int ret;

	wait_for_hidden(upper);
	ret = provide(upper);
	if (ret && ret != -ENOSPC)
		status = errno_to_blk_status(ret);
	if (ybd_upper_has_failed(upper))
		status = BLK_STS_IOERR;
	spin_lock_irqsave(&upper->lock, flags);
	later = !status && !has_free(upper) && ybd_upper_space_may_come(upper) &&
		has_waiters(upper);
	much = !upper->dying && ybd_upper_gone_is_much(upper);
	hidden = upper->space_hidden;
	if (!later) {
		bios = upper->waiting;
		bio_list_init(&upper->waiting);
		list_splice_init(&upper->waiting_work, &works);
		if (!status)
			bio_list_merge(&upper->resend, &bios);
	}
	spin_unlock_irqrestore(&upper->lock, flags);

	if (status)
		fail_bios(&bios, status);
	else
		queue_work(ybd_resend_wq, &upper->resend_work);
	wake_works(&works, status);
	/* Again, by somebody who does not wait: nobody else would come back to those who do. */
	if (later && hidden)
		queue_work(ybd_log_wq, &upper->space_work);
	if (!later && !much)
		return;
	/* What is gone becomes free with the next commit, or at once. */
	if (upper->is_volatile)
		ybd_upper_reclaim(upper);
	else
		ybd_log_commit(upper, NULL, true);
}

static void resend_work(struct work_struct *work)
{
	struct ybd_upper *upper = container_of(work, struct ybd_upper, resend_work);
	struct bio_list bios;
	struct bio *bio;

	spin_lock_irq(&upper->lock);
	bios = upper->resend;
	bio_list_init(&upper->resend);
	spin_unlock_irq(&upper->lock);
	while ((bio = bio_list_pop(&bios)))
		submit_bio_noacct(bio);
}

/* Any context: those that wait for space are told if none will come. */
void ybd_upper_kick_waiters(struct ybd_upper *upper)
{
	unsigned long flags;

	spin_lock_irqsave(&upper->lock, flags);
	if (has_waiters(upper))
		queue_work(ybd_log_wq, &upper->space_work);
	spin_unlock_irqrestore(&upper->lock, flags);
}

/* An upper without segments. May sleep. Return: 0 or -ENOMEM. */
int ybd_upper_space_init(struct ybd_upper *upper)
{
	int i;

	upper->reclaim = kzalloc(sizeof(*upper->reclaim), GFP_KERNEL);
	if (!upper->reclaim)
		return -ENOMEM;
	spin_lock_init(&upper->reclaim->lock);
	upper->reclaim->upper = upper;
	INIT_LIST_HEAD(&upper->segments);
	for (i = 0; i < UPPER_BUCKETS; i++)
		INIT_LIST_HEAD(&upper->bucket[i]);
	INIT_LIST_HEAD(&upper->fresh);
	INIT_LIST_HEAD(&upper->gone[0].segments);
	INIT_LIST_HEAD(&upper->gone[1].segments);
	bio_list_init(&upper->waiting);
	bio_list_init(&upper->resend);
	INIT_LIST_HEAD(&upper->waiting_work);
	INIT_WORK(&upper->space_work, space_work);
	INIT_WORK(&upper->resend_work, resend_work);
	upper->full_at = -1;
	return 0;
}

/**
 * ybd_upper_space_stop - no commit comes from here any more
 * @upper: no I/O is under way
 *
 * May sleep.
 */
void ybd_upper_space_stop(struct ybd_upper *upper)
{
	spin_lock_irq(&upper->lock);
	upper->dying = true;
	spin_unlock_irq(&upper->lock);
	cancel_work_sync(&upper->space_work);
	cancel_work_sync(&upper->resend_work);
}

/**
 * ybd_upper_space_exit - give back what is not used, and free the rest
 * @upper: no I/O is under way, and no commit; after ybd_upper_space_stop()
 *
 * May sleep.
 */
void ybd_upper_space_exit(struct ybd_upper *upper)
{
	struct upper_segment *segment, *next;

	reclaim_leave(upper);
	/* All that was recorded is durable, and there is no I/O that is to drain. */
	if (upper->stopped && !ybd_upper_has_failed(upper) && !upper->destroy) {
		reclaim_phase(upper, 0);
		reclaim_phase(upper, 1);
	}
	list_for_each_entry_safe(segment, next, &upper->segments, all_node) {
		/* What a persistent one keeps stays its own on disk. */
		if (upper->is_volatile ||
		    (upper->is_read && !segment->nr_used &&
		     upper->nr_segments > upper->keep_segments)) {
			ybd_pool_give_segment(upper->pool, segment->nr);
			upper->nr_segments--;
		} else {
			upper->pool->segment_at[segment->nr] = NULL;
		}
		kfree(segment);
	}
	kfree(upper->spare);
}
