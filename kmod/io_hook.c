// SPDX-License-Identifier: GPL-2.0-only
/*
 * The completion hook. It is put on a bio only where something is to be done at
 * its end: exact accounting, a split, a change of the map, or work that a
 * detach must wait for.
 */
#include <linux/bio.h>
#include <linux/mempool.h>
#include <linux/slab.h>

#include "compat.h"
#include "device.h"
#include "io_hook.h"
#include "upper_pool.h"

#define HOOK_RESERVE	256

/**
 * struct hook_stash - hooks at hand on one CPU
 * @nr: entries of @hook
 * @hook: free hooks
 *
 * Used with interrupts off. Spares each I/O the way through mempool and slab.
 */
struct hook_stash {
	unsigned int	nr;
	struct io_hook	*hook[30];
};

static DEFINE_PER_CPU(struct hook_stash, hook_stash);
static struct kmem_cache *hook_cache;
/*
 * Of bios as they came in: they may have to wait, for space or for a commit. And
 * of pieces of those, which wait for the device below: whoever has one of the
 * former can wait for one of these. (What is left behind a merge has one of these
 * and may wait for space, which takes no hook to come.)
 */
static mempool_t hook_pool;
static mempool_t hook_piece_pool;
/* And of reads of sources that may be gone for long: nobody else waits for these. */
static mempool_t hook_park_pool;

static struct io_hook *hook_alloc(mempool_t *pool, gfp_t gfp)
{
	struct hook_stash *stash;
	struct io_hook *hook = NULL;
	unsigned long flags;

	local_irq_save(flags);
	stash = this_cpu_ptr(&hook_stash);
	if (likely(stash->nr))
		hook = stash->hook[--stash->nr];
	local_irq_restore(flags);
	return hook ?: mempool_alloc(pool, gfp);
}

static void hook_free(struct io_hook *hook)
{
	struct hook_stash *stash;
	unsigned long flags;

	/*
	 * The reserves are refilled first: somebody may be waiting for them. With
	 * KASAN every hook goes back, so that a use after the end is seen.
	 */
	if (unlikely(READ_ONCE(hook_piece_pool.curr_nr) < HOOK_RESERVE)) {
		mempool_free(hook, &hook_piece_pool);
		return;
	}
	if (unlikely(READ_ONCE(hook_park_pool.curr_nr) < HOOK_RESERVE)) {
		mempool_free(hook, &hook_park_pool);
		return;
	}
	if (!IS_ENABLED(CONFIG_KASAN) &&
	    likely(READ_ONCE(hook_pool.curr_nr) >= HOOK_RESERVE)) {
		local_irq_save(flags);
		stash = this_cpu_ptr(&hook_stash);
		if (likely(stash->nr < ARRAY_SIZE(stash->hook))) {
			stash->hook[stash->nr++] = hook;
			hook = NULL;
		}
		local_irq_restore(flags);
	}
	if (unlikely(hook))
		mempool_free(hook, &hook_pool);
}

/* The part of a bio that an upper in a pool is concerned with. */
static void hook_end_upper(struct io_hook *hook, struct bio *bio)
{
	struct ybd_upper *upper = hook->dev->upper;

	if (hook->first)
		bio->bi_status = ybd_upper_written(upper, &hook->piece, bio->bi_status);
	if (hook->entered)
		ybd_upper_leave(upper, hook->srcu);
}

/* It was of the pool and nothing else. */
static void hook_end_pool(struct io_hook *hook, struct bio *bio)
{
	struct ybd_upper *upper = hook->dev->upper;

	/* Readahead may fail where others wait, so it tells nothing. */
	if (unlikely(bio->bi_status && !(bio->bi_opf & REQ_RAHEAD)))
		ybd_upper_io_error(upper, bio->bi_status);
	/* Nor does a flush of a device that has lost what it was to flush. */
	else if (!hook->sectors && unlikely(ybd_upper_is_lost(upper)))
		bio->bi_status = BLK_STS_IOERR;
}

/**
 * ybd_hook_end - the end of a hooked bio
 * @bio: its bi_private is the hook
 *
 * Any context.
 */
void ybd_hook_end(struct bio *bio)
{
	struct io_hook *hook = bio->bi_private;
	struct ybd_device *dev = hook->dev;

	if (hook->source && ybd_park_end(hook, bio))
		return;
	if (hook->pool)
		hook_end_pool(hook, bio);
	if (hook->first || hook->entered) {
		hook_end_upper(hook, bio);
		hook->first = false;
		hook->entered = false;
	}
	if (unlikely(hook->commit) && !bio->bi_status) {
		/* It comes again when what it wrote is durable. */
		hook->commit = false;
		ybd_upper_commit(dev->upper, bio, false);
		return;
	}
	bio->bi_end_io = hook->end_io;
	bio->bi_private = hook->private;
	if (hook->acct)
		ybd_acct_end(dev->fast.part0, hook->op, hook->sectors, hook->start);
	if (likely(!hook->embedded))
		hook_free(hook);
	ybd_device_io_end(dev);
	/* Not ->bi_end_io(): that of a chained bio must not be called. */
	bio_endio(bio);
}

static gfp_t hook_gfp(const struct bio *bio)
{
	return bio->bi_opf & REQ_NOWAIT ? GFP_NOWAIT | __GFP_NOWARN : GFP_NOIO;
}

static __always_inline void hook_on(struct io_hook *hook, struct ybd_device *dev,
				    struct bio *bio, unsigned int sectors, bool acct,
				    bool embedded)
{
	hook->end_io = bio->bi_end_io;
	hook->private = bio->bi_private;
	hook->dev = dev;
	hook->source = NULL;
	hook->sectors = sectors;
	hook->op = bio_op(bio);
	hook->acct = acct;
	hook->first = false;
	hook->entered = false;
	hook->commit = false;
	hook->pool = false;
	hook->embedded = embedded;
	if (acct)
		hook->start = ybd_acct_start(dev->fast.part0, hook->op, sectors, jiffies);
	ybd_device_io_begin(dev);
	bio->bi_end_io = ybd_hook_end;
	bio->bi_private = hook;
}

/**
 * ybd_hook - hook a bio
 * @dev: the device
 * @bio: the bio
 * @sectors: its length
 * @acct: account for it
 * @is_piece: it, or the bio it was split off, has one already
 *
 * Process context; sleeps unless the bio is REQ_NOWAIT. Return: the hook, or
 * NULL, but only for a REQ_NOWAIT bio, which is left alone.
 */
struct io_hook *ybd_hook(struct ybd_device *dev, struct bio *bio, unsigned int sectors,
			 bool acct, bool is_piece)
{
	struct io_hook *hook;

	hook = hook_alloc(is_piece ? &hook_piece_pool : &hook_pool, hook_gfp(bio));
	if (likely(hook))
		hook_on(hook, dev, bio, sectors, acct, false);
	return hook;
}

/**
 * ybd_hook_read - hook a read that may be parked
 * @dev: the device
 * @bio: the read; the caller arms it with ybd_park_arm()
 * @sectors: its length
 * @acct: account for it
 *
 * As ybd_hook().
 */
struct io_hook *ybd_hook_read(struct ybd_device *dev, struct bio *bio,
			      unsigned int sectors, bool acct)
{
	struct io_hook *hook = hook_alloc(&hook_park_pool, hook_gfp(bio));

	if (likely(hook))
		hook_on(hook, dev, bio, sectors, acct, false);
	return hook;
}

/**
 * ybd_hook_embedded - hook a bio, not accounted for, with a hook of the caller's
 * @dev: the device
 * @bio: the bio
 * @hook: stays until the bio has ended
 */
void ybd_hook_embedded(struct ybd_device *dev, struct bio *bio, struct io_hook *hook)
{
	hook_on(hook, dev, bio, bio_sectors(bio), false, true);
}

/* Cache and reserve. */
int ybd_hook_init(void)
{
	int ret;

	hook_cache = KMEM_CACHE(io_hook, 0);
	if (!hook_cache)
		return -ENOMEM;
	ret = mempool_init_slab_pool(&hook_pool, HOOK_RESERVE, hook_cache);
	if (ret)
		goto err_cache;
	ret = mempool_init_slab_pool(&hook_piece_pool, HOOK_RESERVE, hook_cache);
	if (ret)
		goto err_pool;
	ret = mempool_init_slab_pool(&hook_park_pool, HOOK_RESERVE, hook_cache);
	if (ret)
		goto err_piece_pool;
	return 0;

err_piece_pool:
	mempool_exit(&hook_piece_pool);
err_pool:
	mempool_exit(&hook_pool);
err_cache:
	kmem_cache_destroy(hook_cache);
	return ret;
}

void ybd_hook_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct hook_stash *stash = per_cpu_ptr(&hook_stash, cpu);

		while (stash->nr)
			mempool_free(stash->hook[--stash->nr], &hook_pool);
	}
	mempool_exit(&hook_park_pool);
	mempool_exit(&hook_piece_pool);
	mempool_exit(&hook_pool);
	kmem_cache_destroy(hook_cache);
}
