// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data path: reads, and writes to a RAM upper. A read is remapped in place
 * where one extent has all of it.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>

#include "bio_copy.h"
#include "compat.h"
#include "device.h"
#include "image.h"
#include "io.h"
#include "io_hook.h"
#include "io_remap.h"
#include "park.h"
#include "slow.h"
#include "source.h"
#include "trace.h"
#include "upper_pool.h"
#include "upper_ram.h"

/* Of all devices: a ybd device is no source, so one reserve of a kind will do. */
static struct bio_set io_sets[YBD_NR_IO_SETS];

#define PARK_RESERVE	64

static gfp_t io_gfp(const struct bio *bio)
{
	return bio->bi_opf & REQ_NOWAIT ? GFP_NOWAIT | __GFP_NOWARN : GFP_NOIO;
}

/* The caller may try again, from where it can wait. */
void ybd_io_would_block(struct ybd_device *dev, struct bio *bio)
{
	ybd_stat_inc(dev->pcpu, YBD_STAT_WOULD_BLOCK);
	bio_wouldblock_error(bio);
}

/* Account for and end a bio that was served from memory. */
static void io_read_done(struct ybd_device *dev, struct bio *bio, unsigned int sectors)
{
	if (ybd_hook_is_rest(dev, bio)) {
		;
	} else if (blk_queue_io_stat(dev->fast.queue)) {
		unsigned long start = ybd_acct_start(dev->fast.part0, REQ_OP_READ,
						     sectors, jiffies);

		ybd_acct_end(dev->fast.part0, REQ_OP_READ, sectors, start);
	} else {
		ybd_io_count(dev, REQ_OP_READ, sectors);
	}
	bio_endio(bio);
}

/**
 * struct io_front - where the front of a read is
 * @run: in the image
 * @piece: in the pool, if @in_pool
 * @in_pool: it is there
 */
struct io_front {
	struct ybd_map_run	run;
	struct ybd_piece	piece;
	bool			in_pool;
};

/* What the upper has to say of the front; 0 if it has served it. */
static unsigned int io_read_upper(struct ybd_device *dev, struct bio *bio,
				  struct io_front *front)
{
	struct ybd_piece *piece = &front->piece;

	ybd_upper_read_piece(dev->upper, bio->bi_iter.bi_sector, bio_sectors(bio), piece);
	if (piece->kind == YBD_PIECE_DATA) {
		front->in_pool = true;
	} else if (piece->kind == YBD_PIECE_ZERO) {
		ybd_stat_inc(dev->pcpu, YBD_STAT_UPPER_READS);
		ybd_bio_fill(bio, NULL, piece->sectors << SECTOR_SHIFT);
		return 0;
	}
	return piece->sectors;
}

/*
 * Serve what is at the front of @bio from memory. Return false when nothing is
 * left, else true with @front telling where the front now is to be read.
 */
static bool io_read_front(struct ybd_device *dev, struct bio *bio, struct io_front *front)
{
	struct ybd_map_run *run = &front->run;
	unsigned int nr;

	front->in_pool = false;
	while ((nr = bio_sectors(bio))) {
		if (dev->ram) {
			nr = ybd_ram_read(dev, bio);
			if (!nr)
				return false;
		} else if (dev->upper) {
			nr = io_read_upper(dev, bio, front);
			if (!nr)
				continue;
			if (front->in_pool)
				return true;
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

/**
 * ybd_io_cut - cut off the first sectors
 * @dev: the device
 * @bio: hooked; ends when the front has ended too
 * @nr: sectors, less than it has
 * @set: where the front is taken from
 *
 * Process context; sleeps unless the bio is REQ_NOWAIT. Return: the front, or
 * NULL if a REQ_NOWAIT bio cannot be split.
 */
struct bio *ybd_io_cut(struct ybd_device *dev, struct bio *bio, unsigned int nr,
		       enum ybd_io_set set)
{
	struct bio *front = ybd_bio_split(bio, nr, io_gfp(bio), &io_sets[set]);

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
	return front;
}

/**
 * ybd_io_clone - a bio that has all that is left of another
 * @bio: hooked; ends when the clone has ended too
 * @set: where the clone is taken from
 *
 * Process context; sleeps unless the bio is REQ_NOWAIT. Return: the clone, or NULL
 * if there is none for a REQ_NOWAIT bio.
 */
struct bio *ybd_io_clone(struct bio *bio, enum ybd_io_set set)
{
	struct bio *clone = bio_alloc_clone(bio->bi_bdev, bio, io_gfp(bio), &io_sets[set]);

	if (unlikely(!clone))
		return NULL;
	/* As in ybd_io_cut(). */
	clone->bi_opf &= ~REQ_NOWAIT;
	bio->bi_opf &= ~REQ_NOWAIT;
	/* It has been throttled and counted as a part of that. */
	if (bio_flagged(bio, BIO_BPS_THROTTLED))
		bio_set_flag(clone, BIO_BPS_THROTTLED);
	if (bio_flagged(bio, BIO_CGROUP_ACCT))
		bio_set_flag(clone, BIO_CGROUP_ACCT);
	bio_chain(clone, bio);
	return clone;
}

/**
 * ybd_io_part - the front of a bio, or all of it, as a bio that nothing is chained to
 * @dev: the device
 * @bio: hooked; what is left of it goes round again, and it ends with the last part
 * @nr: sectors, at most what it has
 * @set: where the part is taken from
 *
 * The error of a part is its own. Process context; sleeps unless the bio is
 * REQ_NOWAIT. Return: the part, to be sent, or NULL if there is none for a
 * REQ_NOWAIT bio.
 */
struct bio *ybd_io_part(struct ybd_device *dev, struct bio *bio, unsigned int nr,
			enum ybd_io_set set)
{
	struct bio *part;

	if (nr < bio_sectors(bio)) {
		part = ybd_io_cut(dev, bio, nr, set);
		/* Queued behind what the part becomes: see submit_bio_noacct(). */
		if (likely(part))
			submit_bio_noacct(bio);
	} else {
		part = ybd_io_clone(bio, set);
		if (likely(part))
			bio_endio(bio);
	}
	return part;
}

/*
 * The front is in the pool, where it is to stay until it was read. What is sent
 * there is all of the bio, or a part, but never something that others are chained
 * to: their error would be taken for one of the pool. Return: false if the bio has
 * to be hooked first, and nothing was done.
 */
static bool io_read_pool(struct ybd_device *dev, struct bio *bio, unsigned int sectors,
			 const struct ybd_piece *piece, int srcu)
{
	bool alone = piece->sectors == bio_sectors(bio) && !bio_flagged(bio, BIO_CHAIN);
	bool rest = ybd_hook_is_rest(dev, bio);
	bool acct = !rest && blk_queue_io_stat(dev->fast.queue);
	struct bio *part = bio;
	struct io_hook *hook;

	if (!alone && !rest && !ybd_hook_try(dev, bio, sectors, acct, ybd_io_hook_kind(dev))) {
		ybd_upper_leave(dev->upper, srcu);
		return false;
	}
	if (!rest && !acct)
		ybd_io_count(dev, REQ_OP_READ, sectors);
	if (unlikely(ybd_upper_is_lost(dev->upper))) {
		ybd_upper_leave(dev->upper, srcu);
		bio_io_error(bio);
		return true;
	}
	if (!alone)
		part = ybd_io_part(dev, bio, piece->sectors, YBD_IO_POOL);
	hook = !part ? NULL : ybd_hook(dev, part, alone ? sectors : piece->sectors,
				       alone && acct, YBD_HOOK_PIECE);
	if (unlikely(!hook)) {
		ybd_upper_leave(dev->upper, srcu);
		ybd_io_would_block(dev, bio);
		return true;
	}
	hook->entered = true;
	hook->srcu = srcu;
	hook->pool = true;
	ybd_stat_inc(dev->pcpu, YBD_STAT_UPPER_READS);
	ybd_io_remap(dev, part, ybd_upper_bdev(dev->upper), piece->phys, piece->sectors);
	return true;
}

/* Hook it where that may be waited for. Return: false if it has ended instead. */
static bool io_read_hook(struct ybd_device *dev, struct bio *bio, unsigned int sectors)
{
	bool acct = blk_queue_io_stat(dev->fast.queue);

	if (!ybd_hook(dev, bio, sectors, acct, ybd_io_hook_kind(dev))) {
		ybd_io_would_block(dev, bio);
		return false;
	}
	if (!acct)
		ybd_io_count(dev, REQ_OP_READ, sectors);
	return true;
}

/* To a source, as a read that can be parked there. */
static void io_send_parkable(struct ybd_device *dev, struct bio *bio, struct io_hook *hook,
			     struct ybd_source *source, sector_t phys)
{
	struct ybd_backing *backing = ybd_backing_enter(source);

	ybd_stat_inc(dev->pcpu, YBD_STAT_IMAGE_READS);
	ybd_park_arm(hook, bio, source, backing, phys);
	ybd_io_remap(dev, bio, backing->b.bdev, phys, bio_sectors(bio));
}

/*
 * The device waits for sources. What is sent has to be one read of one source
 * with nothing chained to it, whose error is its own: if it is to be sent again,
 * that must not lose the error of another. So what others are chained to is not
 * sent, but a clone of it.
 */
static noinline void io_read_parkable(struct ybd_device *dev, struct bio *bio,
				      unsigned int sectors, const struct ybd_map_run *run)
{
	struct ybd_source *source = dev->image->sources[run->source];
	bool rest = ybd_hook_is_rest(dev, bio);
	bool acct = !rest && blk_queue_io_stat(dev->fast.queue);
	bool single = !rest && run->nr == bio_sectors(bio) && !bio_flagged(bio, BIO_CHAIN);
	struct io_hook *hook = NULL;
	struct bio *piece = bio;

	if (single)
		hook = ybd_hook(dev, bio, sectors, acct, YBD_HOOK_PARK);
	else if (!rest)
		hook = ybd_hook(dev, bio, sectors, acct, YBD_HOOK_REPLUG);
	if (!rest && !hook)
		goto would_block;
	if (!rest && !acct)
		ybd_io_count(dev, REQ_OP_READ, sectors);
	if (!single) {
		piece = ybd_io_part(dev, bio, run->nr, YBD_IO_PARK);
		if (!piece)
			goto would_block;
		hook = ybd_hook(dev, piece, run->nr, false, YBD_HOOK_PARK);
	}
	io_send_parkable(dev, piece, hook, source, run->phys);
	return;

would_block:
	ybd_io_would_block(dev, bio);
}

static void io_read_image(struct ybd_device *dev, struct bio *bio, unsigned int sectors,
			  struct ybd_map_run *run)
{
	struct ybd_source *source = dev->image->sources[run->source];
	bool acct = blk_queue_io_stat(dev->fast.queue);
	bool bounce = false;

	if (unlikely(source->block_mask > dev->block_mask))
		bounce = io_needs_bounce(bio, source, run);
	/* Before it is counted: it will come again. */
	if (bounce && bio->bi_opf & REQ_NOWAIT) {
		ybd_io_would_block(dev, bio);
		return;
	}

	/* The source is read below only after this: see ybd_device_set_replug(). */
	if (unlikely(smp_load_acquire(&dev->fast.replug)) && !bounce) {
		io_read_parkable(dev, bio, sectors, run);
		return;
	}
	if (!ybd_hook_is_rest(dev, bio)) {
		if (acct || bounce || run->nr < bio_sectors(bio)) {
			if (!ybd_hook(dev, bio, sectors, acct, ybd_io_hook_kind(dev))) {
				ybd_io_would_block(dev, bio);
				return;
			}
		}
		if (!acct)
			ybd_io_count(dev, REQ_OP_READ, sectors);
	}
	if (run->nr < bio_sectors(bio)) {
		enum ybd_io_set set = READ_ONCE(dev->fast.replug) ? YBD_IO_PARK : YBD_IO_IMAGE;
		struct bio *front = ybd_io_part(dev, bio, run->nr, set);

		if (!front) {
			ybd_io_would_block(dev, bio);
			return;
		}
		bio = front;
	}
	if (bounce) {
		ybd_slow_bounce(dev, source, run->phys, bio);
		return;
	}
	ybd_stat_inc(dev->pcpu, YBD_STAT_IMAGE_READS);
	ybd_io_remap(dev, bio, READ_ONCE(source->lower), run->phys, run->nr);
}

static noinline void io_read(struct ybd_device *dev, struct bio *bio)
{
	unsigned int sectors = bio_sectors(bio);
	struct io_front front;
	int srcu = 0;

again:
	if (dev->upper)
		srcu = ybd_upper_enter(dev->upper);
	if (io_read_front(dev, bio, &front) && front.in_pool) {
		if (unlikely(!io_read_pool(dev, bio, sectors, &front.piece, srcu)) &&
		    io_read_hook(dev, bio, sectors))
			goto again;
		return;
	}
	if (dev->upper)
		ybd_upper_leave(dev->upper, srcu);
	if (bio_sectors(bio))
		io_read_image(dev, bio, sectors, &front.run);
	else
		io_read_done(dev, bio, sectors);
}

/* What io_read_parkable() does, where there is one piece. */
static bool io_read_fast_parkable(struct ybd_device *dev, struct bio *bio, sector_t phys)
{
	bool acct = blk_queue_io_stat(dev->fast.queue);
	unsigned int sectors = bio_sectors(bio);
	struct io_hook *hook;

	if (unlikely(bio_flagged(bio, BIO_CHAIN)))
		return false;
	hook = ybd_hook(dev, bio, sectors, acct, YBD_HOOK_PARK);
	if (unlikely(!hook)) {
		ybd_io_would_block(dev, bio);
		return true;
	}
	if (!acct)
		ybd_io_count(dev, REQ_OP_READ, sectors);
	io_send_parkable(dev, bio, hook, dev->fast.source, phys);
	return true;
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
	u64 phys;
	u32 entry;

	if (unlikely(!fast->table || READ_ONCE(fast->written) || unit >= fast->nr_units ||
		     within + sectors > 1U << fast->shift ||
		     bio->bi_end_io == ybd_hook_end))
		return false;
	entry = fast->table[unit];
	if (unlikely(!entry))
		return false;
	phys = ((u64)(entry - 1) << fast->shift) + within;
	/* The source is read below only after this: see ybd_device_set_replug(). */
	if (unlikely(smp_load_acquire(&fast->replug)))
		return io_read_fast_parkable(dev, bio, phys);
	if (!blk_queue_io_stat(fast->queue)) {
		ybd_io_count(dev, REQ_OP_READ, sectors);
	} else if (unlikely(!ybd_hook(dev, bio, sectors, true, YBD_HOOK_BIO))) {
		ybd_io_would_block(dev, bio);
		return true;
	}
	ybd_stat_inc(dev->pcpu, YBD_STAT_IMAGE_READS);
	ybd_io_remap(dev, bio, READ_ONCE(fast->source->lower), phys, sectors);
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
		ybd_hook(dev, bio, sectors, acct, ybd_io_hook_kind(dev));

	status = op == REQ_OP_WRITE ? ybd_ram_write(dev, bio) : ybd_ram_zero(dev, bio);

	if (unlikely(status == BLK_STS_AGAIN)) {
		ybd_io_would_block(dev, bio);
		return;
	}
	if (!acct) {
		ybd_io_count(dev, op, sectors);
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
 * has checked the bounds and stripped FLUSH and FUA, where there is no write
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
		if (dev->upper)
			ybd_io_pool_write(dev, bio);
		else
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
	int i, ret;

	ret = ybd_hook_init();
	if (ret)
		return ret;
	for (i = 0; i < YBD_NR_IO_SETS; i++) {
		/* What is parked is missing for long. */
		ret = bioset_init(&io_sets[i], i == YBD_IO_PARK ? PARK_RESERVE :
				  BIO_POOL_SIZE, 0, 0);
		if (ret)
			goto err_sets;
	}
	return 0;

err_sets:
	while (--i >= 0)
		bioset_exit(&io_sets[i]);
	ybd_hook_exit();
	return ret;
}

void ybd_io_exit(void)
{
	int i;

	for (i = YBD_NR_IO_SETS - 1; i >= 0; i--)
		bioset_exit(&io_sets[i]);
	ybd_hook_exit();
}
