// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data path. A read is remapped in place where one extent has all of it;
 * a completion hook is put on a bio only where something is to be done at its
 * end: exact accounting, a split, or work that a detach must wait for.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/mempool.h>
#include <linux/part_stat.h>
#include <linux/slab.h>
#include <trace/events/block.h>

#include "bio_copy.h"
#include "compat.h"
#include "device.h"
#include "image.h"
#include "io.h"
#include "slow.h"
#include "source.h"
#include "trace.h"
#include "upper_ram.h"

#define HOOK_RESERVE	256

/**
 * struct io_hook - what a hooked bio is to do at its end
 * @end_io: the bio's own completion
 * @private: and its argument
 * @dev: counted in its pcpu->inflight
 * @start: for accounting
 * @sectors: length of the whole bio
 * @op: its operation
 * @acct: account for it
 */
struct io_hook {
	bio_end_io_t		*end_io;
	void			*private;
	struct ybd_device	*dev;
	unsigned long		start;
	unsigned int		sectors;
	enum req_op		op;
	bool			acct;
};

/**
 * struct io_hook_stash - hooks at hand on one CPU
 * @nr: entries of @hook
 * @hook: free hooks
 *
 * Used with interrupts off. Spares each I/O the way through mempool and slab.
 */
struct io_hook_stash {
	unsigned int	nr;
	struct io_hook	*hook[30];
};

static DEFINE_PER_CPU(struct io_hook_stash, io_hook_stash);
static struct kmem_cache *io_hook_cache;
static mempool_t io_hook_pool;
/* Splits of all devices: a ybd device is no source, so one reserve will do. */
static struct bio_set io_split_set;

static struct io_hook *io_hook_alloc(gfp_t gfp)
{
	struct io_hook_stash *stash;
	struct io_hook *hook = NULL;
	unsigned long flags;

	local_irq_save(flags);
	stash = this_cpu_ptr(&io_hook_stash);
	if (likely(stash->nr))
		hook = stash->hook[--stash->nr];
	local_irq_restore(flags);
	return hook ?: mempool_alloc(&io_hook_pool, gfp);
}

static void io_hook_free(struct io_hook *hook)
{
	struct io_hook_stash *stash;
	unsigned long flags;

	/*
	 * The reserve is refilled first: somebody may be waiting for it. With
	 * KASAN every hook goes back, so that a use after the end is seen.
	 */
	if (!IS_ENABLED(CONFIG_KASAN) &&
	    likely(READ_ONCE(io_hook_pool.curr_nr) >= HOOK_RESERVE)) {
		local_irq_save(flags);
		stash = this_cpu_ptr(&io_hook_stash);
		if (likely(stash->nr < ARRAY_SIZE(stash->hook))) {
			stash->hook[stash->nr++] = hook;
			hook = NULL;
		}
		local_irq_restore(flags);
	}
	if (unlikely(hook))
		mempool_free(hook, &io_hook_pool);
}

static void io_hook_end(struct bio *bio)
{
	struct io_hook *hook = bio->bi_private;
	struct ybd_device *dev = hook->dev;

	bio->bi_end_io = hook->end_io;
	bio->bi_private = hook->private;
	if (hook->acct)
		ybd_acct_end(dev->fast.part0, hook->op, hook->sectors, hook->start);
	io_hook_free(hook);
	ybd_device_io_end(dev);
	/* Not ->bi_end_io(): that of a chained bio must not be called. */
	bio_endio(bio);
}

/*
 * A bio with a hook of this device is the rest of one we have split: it was
 * accounted for when it first came in.
 */
static bool io_is_rest(const struct ybd_device *dev, const struct bio *bio)
{
	const struct io_hook *hook = bio->bi_private;

	return unlikely(bio->bi_end_io == io_hook_end) && hook->dev == dev;
}

static gfp_t io_gfp(const struct bio *bio)
{
	return bio->bi_opf & REQ_NOWAIT ? GFP_NOWAIT | __GFP_NOWARN : GFP_NOIO;
}

/* Hook a bio of @sectors; false only for a NOWAIT one, which is left alone. */
static bool io_hook(struct ybd_device *dev, struct bio *bio, unsigned int sectors,
		    bool acct)
{
	struct io_hook *hook = io_hook_alloc(io_gfp(bio));

	if (unlikely(!hook))
		return false;
	hook->end_io = bio->bi_end_io;
	hook->private = bio->bi_private;
	hook->dev = dev;
	hook->sectors = sectors;
	hook->op = bio_op(bio);
	hook->acct = acct;
	if (acct)
		hook->start = ybd_acct_start(dev->fast.part0, hook->op, sectors, jiffies);
	ybd_device_io_begin(dev);
	bio->bi_end_io = io_hook_end;
	bio->bi_private = hook;
	return true;
}

/* With iostats off, I/O and sectors are still counted, without a hook. */
static __always_inline void io_count(struct ybd_device *dev, enum req_op op,
				     unsigned int sectors)
{
	struct block_device *part = dev->fast.part0;
	const int sgrp = op_stat_group(op);

	part_stat_lock();
	part_stat_inc(part, ios[sgrp]);
	part_stat_add(part, sectors[sgrp], sectors);
	part_stat_unlock();
}

static void io_would_block(struct ybd_device *dev, struct bio *bio)
{
	ybd_stat_inc(dev->pcpu, YBD_STAT_WOULD_BLOCK);
	bio_wouldblock_error(bio);
}

/* Account for and end a bio that was served from memory. */
static void io_read_done(struct ybd_device *dev, struct bio *bio, unsigned int sectors)
{
	if (io_is_rest(dev, bio)) {
		;
	} else if (blk_queue_io_stat(dev->fast.queue)) {
		unsigned long start = ybd_acct_start(dev->fast.part0, REQ_OP_READ,
						     sectors, jiffies);

		ybd_acct_end(dev->fast.part0, REQ_OP_READ, sectors, start);
	} else {
		io_count(dev, REQ_OP_READ, sectors);
	}
	bio_endio(bio);
}

/*
 * Serve what is at the front of @bio from memory. Return false when nothing is
 * left, else true with @run telling where the front now is to be read.
 */
static bool io_read_front(struct ybd_device *dev, struct bio *bio,
			  struct ybd_map_run *run)
{
	unsigned int nr;

	while ((nr = bio_sectors(bio))) {
		if (dev->ram) {
			nr = ybd_ram_read(dev, bio);
			if (!nr)
				return false;
		}
		ybd_map_lookup(&dev->image->map, bio->bi_iter.bi_sector, nr, run);
		if (run->source != YBD_MAP_HOLE)
			return true;
		ybd_stat_inc(dev->pcpu, YBD_STAT_HOLE_READS);
		ybd_bio_fill(bio, NULL, run->nr << SECTOR_SHIFT);
	}
	return false;
}

/* Could a cut between two logical blocks of the source miss the segments? */
static bool io_segments_unaligned(struct bio *bio, unsigned int mask)
{
	struct bvec_iter iter;
	struct bio_vec bv;

	bio_for_each_bvec(bv, bio, iter)
		if ((bv.bv_offset | bv.bv_len) & mask)
			return true;
	return false;
}

/*
 * The source has larger logical blocks than the device: cut the run to what
 * can go down as it is, or to what has to be bounced. Return true for that.
 */
static bool io_needs_bounce(struct bio *bio, const struct ybd_source *source,
			    struct ybd_map_run *run)
{
	unsigned int mask = source->block_mask;

	if (io_segments_unaligned(bio, (mask << SECTOR_SHIFT) | 511))
		return true;
	if (run->phys & mask) {
		run->nr = min_t(u32, run->nr, mask + 1 - (run->phys & mask));
		return true;
	}
	if (run->nr <= mask)
		return true;
	run->nr &= ~mask;
	return false;
}

/* Cut off the first @nr sectors and send the rest round again. */
static struct bio *io_split(struct ybd_device *dev, struct bio *bio, unsigned int nr)
{
	struct bio *front = ybd_bio_split(bio, nr, io_gfp(bio), &io_split_set);

	if (unlikely(!front))
		return NULL;
	trace_ybd_split(disk_devt(dev->disk), front->bi_iter.bi_sector, nr);
	ybd_stat_inc(dev->pcpu, YBD_STAT_SPLITS);
	/*
	 * From here on no part may give up alone: when the other parts have
	 * ended, maybe in an interrupt, it is too late for the caller to try
	 * again, and io_uring hands -EAGAIN to those who did not ask for it.
	 */
	front->bi_opf &= ~REQ_NOWAIT;
	bio->bi_opf &= ~REQ_NOWAIT;
	bio_chain(front, bio);
	/* Queued behind what the front becomes: see submit_bio_noacct(). */
	submit_bio_noacct(bio);
	return front;
}

/* Off it goes, as a bio of the source. */
static __always_inline void io_remap(struct ybd_device *dev, struct bio *bio,
				     struct block_device *lower, sector_t phys,
				     unsigned int nr)
{
	sector_t sector = bio->bi_iter.bi_sector;

	ybd_stat_inc(dev->pcpu, YBD_STAT_IMAGE_READS);
	bio_set_dev(bio, lower);
	bio->bi_iter.bi_sector = phys;
	trace_block_bio_remap(bio, disk_devt(dev->disk), sector);
	trace_ybd_remap(disk_devt(dev->disk), sector, nr, bio_dev(bio), phys);
	submit_bio_noacct(bio);
}

static noinline void io_read(struct ybd_device *dev, struct bio *bio)
{
	unsigned int sectors = bio_sectors(bio);
	bool rest = io_is_rest(dev, bio);
	bool acct = blk_queue_io_stat(dev->fast.queue);
	struct ybd_source *source;
	struct ybd_map_run run;
	bool bounce = false;

	if (!io_read_front(dev, bio, &run)) {
		io_read_done(dev, bio, sectors);
		return;
	}
	source = dev->image->sources[run.source];
	if (unlikely(source->block_mask > dev->block_mask))
		bounce = io_needs_bounce(bio, source, &run);
	/* Before it is counted: it will come again. */
	if (bounce && bio->bi_opf & REQ_NOWAIT) {
		io_would_block(dev, bio);
		return;
	}

	if (!rest) {
		if (acct || bounce || run.nr < bio_sectors(bio)) {
			if (!io_hook(dev, bio, sectors, acct)) {
				io_would_block(dev, bio);
				return;
			}
		}
		if (!acct)
			io_count(dev, REQ_OP_READ, sectors);
	}
	if (run.nr < bio_sectors(bio)) {
		struct bio *front = io_split(dev, bio, run.nr);

		if (!front) {
			io_would_block(dev, bio);
			return;
		}
		bio = front;
	}
	if (bounce) {
		ybd_slow_bounce(dev, source, run.phys, bio);
		return;
	}
	io_remap(dev, bio, source->b.bdev, run.phys, run.nr);
}

/*
 * The common read: a table of one source, all of it in one cluster, nothing
 * written yet. What io_read() does, without what it does not need here. Return
 * false to leave it to that.
 */
static __always_inline bool io_read_fast(struct ybd_device *dev, struct bio *bio)
{
	const struct ybd_fast *fast = &dev->fast;
	sector_t sector = bio->bi_iter.bi_sector;
	unsigned int sectors = bio_sectors(bio);
	unsigned int within = sector & ((1U << fast->shift) - 1);
	u64 unit = sector >> fast->shift;
	u32 entry;

	if (unlikely(!fast->table || READ_ONCE(fast->written) || unit >= fast->nr_units ||
		     within + sectors > 1U << fast->shift ||
		     bio->bi_end_io == io_hook_end))
		return false;
	entry = fast->table[unit];
	if (unlikely(!entry))
		return false;
	if (!blk_queue_io_stat(fast->queue)) {
		io_count(dev, REQ_OP_READ, sectors);
	} else if (unlikely(!io_hook(dev, bio, sectors, true))) {
		io_would_block(dev, bio);
		return true;
	}
	io_remap(dev, bio, fast->lower, ((u64)(entry - 1) << fast->shift) + within, sectors);
	return true;
}

/*
 * Writes, zeroing and discards of a RAM upper. All of it is done here and now,
 * save blocks that have to be read first: those hold the bio.
 */
static noinline void io_write(struct ybd_device *dev, struct bio *bio)
{
	unsigned int sectors = bio_sectors(bio);
	enum req_op op = bio_op(bio);
	bool acct = blk_queue_io_stat(dev->fast.queue);
	unsigned long start = jiffies;
	blk_status_t status;
	bool hooked;

	/* An empty flush, where user space turned the write cache on. */
	if (unlikely(!sectors)) {
		bio_endio(bio);
		return;
	}
	if (unlikely(!dev->ram)) {
		bio_io_error(bio);
		return;
	}
	if (!READ_ONCE(dev->fast.written))
		WRITE_ONCE(dev->fast.written, true);
	/* Only a part of a block can be left to the workqueue, NOWAIT never. */
	hooked = (bio->bi_iter.bi_sector | sectors) & (YBD_BLOCK_SECTORS - 1) &&
		 !(bio->bi_opf & REQ_NOWAIT);
	if (hooked)
		io_hook(dev, bio, sectors, acct);

	status = op == REQ_OP_WRITE ? ybd_ram_write(dev, bio) : ybd_ram_zero(dev, bio);

	if (unlikely(status == BLK_STS_AGAIN)) {
		io_would_block(dev, bio);
		return;
	}
	if (!acct) {
		io_count(dev, op, sectors);
	} else if (!hooked) {
		start = ybd_acct_start(dev->fast.part0, op, sectors, start);
		ybd_acct_end(dev->fast.part0, op, sectors, start);
	}
	if (unlikely(status))
		bio->bi_status = status;
	bio_endio(bio);
}

/**
 * ybd_submit_bio - the submit_bio method
 * @bio: for a ybd device
 *
 * Process context; may sleep unless the bio is REQ_NOWAIT. The block layer
 * has checked the bounds and stripped FLUSH and FUA, as there is no write
 * cache.
 */
void ybd_submit_bio(struct bio *bio)
{
	struct ybd_device *dev = bio->bi_bdev->bd_disk->private_data;

	trace_ybd_submit(disk_devt(dev->disk), bio);
	switch (bio_op(bio)) {
	case REQ_OP_READ:
		if (!io_read_fast(dev, bio))
			io_read(dev, bio);
		break;
	case REQ_OP_WRITE:
	case REQ_OP_WRITE_ZEROES:
	case REQ_OP_DISCARD:
		io_write(dev, bio);
		break;
	default:
		bio->bi_status = BLK_STS_NOTSUPP;
		bio_endio(bio);
	}
}

/* Caches and reserves of the data path. */
int ybd_io_init(void)
{
	int ret;

	io_hook_cache = KMEM_CACHE(io_hook, 0);
	if (!io_hook_cache)
		return -ENOMEM;
	ret = mempool_init_slab_pool(&io_hook_pool, HOOK_RESERVE, io_hook_cache);
	if (ret)
		goto err_cache;
	ret = bioset_init(&io_split_set, BIO_POOL_SIZE, 0, 0);
	if (ret)
		goto err_pool;
	return 0;

err_pool:
	mempool_exit(&io_hook_pool);
err_cache:
	kmem_cache_destroy(io_hook_cache);
	return ret;
}

static void io_hook_drain_stashes(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct io_hook_stash *stash = per_cpu_ptr(&io_hook_stash, cpu);

		while (stash->nr)
			mempool_free(stash->hook[--stash->nr], &io_hook_pool);
	}
}

void ybd_io_exit(void)
{
	io_hook_drain_stashes();
	bioset_exit(&io_split_set);
	mempool_exit(&io_hook_pool);
	kmem_cache_destroy(io_hook_cache);
}
