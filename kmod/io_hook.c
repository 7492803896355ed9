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
static mempool_t hook_pool[YBD_NR_HOOK_KINDS];
/* A reserve is not full. Set by who took from one, and as long as it is true. */
static bool hook_is_short;

static noinline struct io_hook *hook_alloc_slow(enum ybd_hook_kind kind, gfp_t gfp)
{
	struct io_hook *hook = mempool_alloc(&hook_pool[kind], gfp);

	if (unlikely(READ_ONCE(hook_pool[kind].curr_nr) < HOOK_RESERVE)) {
		/* Taken first, then said so: pairs with hook_free_slow(). */
		smp_wmb();
		WRITE_ONCE(hook_is_short, true);
	}
	return hook;
}

static __always_inline struct io_hook *hook_alloc(enum ybd_hook_kind kind, gfp_t gfp)
{
	struct hook_stash *stash;
	struct io_hook *hook = NULL;
	unsigned long flags;

	local_irq_save(flags);
	stash = this_cpu_ptr(&hook_stash);
	if (likely(stash->nr))
		hook = stash->hook[--stash->nr];
	local_irq_restore(flags);
	if (unlikely(!hook))
		hook = hook_alloc_slow(kind, gfp);
	if (likely(hook))
		hook->kind = kind;
	return hook;
}

/*
 * To its own reserve, and if that is full, to the slab. Not to another one: those
 * that wait for sources would end up with all of them.
 */
static noinline void hook_free_slow(struct io_hook *hook)
{
	int kind;

	/* Before looking: who takes one that is not seen here sets it after this. */
	WRITE_ONCE(hook_is_short, false);
	smp_mb(); /* pairs with hook_alloc_slow() */
	for (kind = 0; kind < YBD_NR_HOOK_KINDS; kind++) {
		if (READ_ONCE(hook_pool[kind].curr_nr) < HOOK_RESERVE) {
			WRITE_ONCE(hook_is_short, true);
			break;
		}
	}
	mempool_free(hook, &hook_pool[hook->kind]);
}

static __always_inline void hook_free(struct io_hook *hook)
{
	struct hook_stash *stash;
	unsigned long flags;

	if (unlikely(READ_ONCE(hook_is_short))) {
		hook_free_slow(hook);
		return;
	}
	/* With KASAN every hook goes back, so that a use after the end is seen. */
	if (!IS_ENABLED(CONFIG_KASAN)) {
		local_irq_save(flags);
		stash = this_cpu_ptr(&hook_stash);
		if (likely(stash->nr < ARRAY_SIZE(stash->hook))) {
			stash->hook[stash->nr++] = hook;
			hook = NULL;
		}
		local_irq_restore(flags);
	}
	if (unlikely(hook))
		mempool_free(hook, &hook_pool[hook->kind]);
}

/**
 * ybd_hook_free - give a hook back
 * @hook: of no bio
 *
 * Any context.
 */
void ybd_hook_free(struct io_hook *hook)
{
	hook_free(hook);
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

/*
 * The end of what was accounted for. A NOWAIT bio that the device below sends back
 * comes again, and is counted then.
 */
static void hook_end_acct(const struct io_hook *hook, blk_status_t status)
{
	struct block_device *bdev = hook->dev->fast.part0;

	ybd_acct_end(bdev, hook->op, hook->sectors, hook->start);
	if (unlikely(status == BLK_STS_AGAIN)) {
		const int group = op_stat_group(hook->op);

		part_stat_lock();
		part_stat_dec(bdev, ios[group]);
		part_stat_sub(bdev, sectors[group], (unsigned long)hook->sectors);
		part_stat_unlock();
	}
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
		hook_end_acct(hook, bio->bi_status);
	if (likely(!hook->embedded)) {
		hook_free(hook);
		ybd_device_io_end(dev);
	}
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
	/* What it is done for counts already, and this may begin when all are counted. */
	if (!embedded)
		ybd_device_io_begin(dev);
	bio->bi_end_io = ybd_hook_end;
	bio->bi_private = hook;
}

/**
 * ybd_hook_alloc - a hook for later
 * @bio: what it is for
 * @kind: see there what may be waited for
 *
 * Process context; sleeps unless the bio is REQ_NOWAIT. Return: the hook, for
 * ybd_hook_set() or ybd_hook_free(), or NULL, but only for a REQ_NOWAIT bio.
 */
struct io_hook *ybd_hook_alloc(const struct bio *bio, enum ybd_hook_kind kind)
{
	return hook_alloc(kind, hook_gfp(bio));
}

/**
 * ybd_hook_set - hook a bio with a hook that is there already
 * @hook: from ybd_hook_alloc(); freed at the end of the bio
 * @dev: the device
 * @bio: the bio
 * @sectors: its length
 * @acct: account for it
 */
void ybd_hook_set(struct io_hook *hook, struct ybd_device *dev, struct bio *bio,
		  unsigned int sectors, bool acct)
{
	hook_on(hook, dev, bio, sectors, acct, false);
}

/**
 * ybd_hook - hook a bio
 * @dev: the device
 * @bio: the bio
 * @sectors: its length
 * @acct: account for it
 * @kind: see there what may be waited for
 *
 * Process context; sleeps unless the bio is REQ_NOWAIT. Return: the hook, or
 * NULL, but only for a REQ_NOWAIT bio, which is left alone.
 */
struct io_hook *ybd_hook(struct ybd_device *dev, struct bio *bio, unsigned int sectors,
			 bool acct, enum ybd_hook_kind kind)
{
	struct io_hook *hook = hook_alloc(kind, hook_gfp(bio));

	if (likely(hook))
		hook_on(hook, dev, bio, sectors, acct, false);
	return hook;
}

/**
 * ybd_hook_try - hook a bio as it came in, if that takes no waiting
 * @dev: the device
 * @bio: the bio
 * @sectors: its length
 * @acct: account for it
 * @kind: see there
 *
 * Any context that may not wait for a hook of that kind. Return: is it hooked?
 */
bool ybd_hook_try(struct ybd_device *dev, struct bio *bio, unsigned int sectors, bool acct,
		  enum ybd_hook_kind kind)
{
	struct io_hook *hook = hook_alloc(kind, GFP_NOWAIT | __GFP_NOWARN);

	if (likely(hook))
		hook_on(hook, dev, bio, sectors, acct, false);
	return hook;
}

/**
 * ybd_hook_embedded - hook a bio, not accounted for, with a hook of the caller's
 * @dev: the device
 * @bio: the bio
 * @hook: stays until the bio has ended; so does a hooked bio that this is done for
 */
void ybd_hook_embedded(struct ybd_device *dev, struct bio *bio, struct io_hook *hook)
{
	hook_on(hook, dev, bio, bio_sectors(bio), false, true);
}

/* Cache and reserve. */
int ybd_hook_init(void)
{
	int kind, ret;

	hook_cache = KMEM_CACHE(io_hook, 0);
	if (!hook_cache)
		return -ENOMEM;
	for (kind = 0; kind < YBD_NR_HOOK_KINDS; kind++) {
		ret = mempool_init_slab_pool(&hook_pool[kind], HOOK_RESERVE, hook_cache);
		if (ret)
			goto err_pools;
	}
	return 0;

err_pools:
	while (--kind >= 0)
		mempool_exit(&hook_pool[kind]);
	kmem_cache_destroy(hook_cache);
	return ret;
}

void ybd_hook_exit(void)
{
	int cpu, kind;

	for_each_possible_cpu(cpu) {
		struct hook_stash *stash = per_cpu_ptr(&hook_stash, cpu);

		while (stash->nr)
			mempool_free(stash->hook[--stash->nr], &hook_pool[YBD_HOOK_BIO]);
	}
	for (kind = YBD_NR_HOOK_KINDS - 1; kind >= 0; kind--)
		mempool_exit(&hook_pool[kind]);
	kmem_cache_destroy(hook_cache);
}
