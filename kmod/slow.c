// SPDX-License-Identifier: GPL-2.0-only
/*
 * I/O that has to read the image first: reads of less than a logical block of
 * the source, and writes of less than a block. Each is a work item that runs
 * once per read and does not wait for it to end, nor for memory that another
 * item would have to give back. It can wait in submit_bio(), for a tag of the
 * source or for a cgroup's share of it. The bio is hooked, so the device stays.
 */
#include <linux/bio.h>
#include <linux/mempool.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "bio_copy.h"
#include "device.h"
#include "image.h"
#include "io_hook.h"
#include "park.h"
#include "slow.h"
#include "source.h"
#include "trace.h"
#include "upper_pool.h"
#include "upper_ram.h"

#define SLOW_RESERVE	16

/* Those of devices that wait for sources keep no others waiting. */
enum slow_kind {
	SLOW_FAST,
	SLOW_REPLUG,
	NR_SLOW_KINDS,
};

/**
 * struct slow_io - one such I/O
 * @work: in ybd_wq; queued at first, and when @read is done
 * @kind: whose reserves it and @page are from
 * @dev: the device
 * @bio: held by one count of its remaining
 * @source: of a bounce
 * @phys: of a bounce, sector on @source
 * @iter: of a copy-up, the part of @bio to be written
 * @done: of a copy-up, sectors of the block that are in @page
 * @page: what is read goes here
 * @reading: @read was submitted; the next run of @work is for its end
 * @read: from a source or to the pool, under way between two runs of @work
 * @vec: of @read
 * @hook: of @read, where the device waits for sources
 * @piece: of a merge, where the block goes
 * @waiter: of a merge, waits for space
 * @over_zero: of a merge, what is below are zeroes
 * @srcu: of a merge, held while it overwrites what the upper has
 */
struct slow_io {
	struct work_struct	work;
	enum slow_kind		kind;
	struct ybd_device	*dev;
	struct bio		*bio;
	struct ybd_source	*source;
	sector_t		phys;
	struct bvec_iter	iter;
	unsigned int		done;
	struct page		*page;
	bool			reading;
	struct bio		read;
	struct bio_vec		vec;
	struct io_hook		hook;
	struct ybd_piece	piece;
	struct ybd_waiter	waiter;
	bool			over_zero;
	int			srcu;
};

static struct kmem_cache *slow_cache;
static mempool_t slow_pool[NR_SLOW_KINDS];
static mempool_t slow_page_pool[NR_SLOW_KINDS];

/* Any context. */
static void slow_read_endio(struct bio *bio)
{
	struct slow_io *slow = bio->bi_private;

	queue_work(ybd_wq, &slow->work);
}

/*
 * Read @nr sectors, at most a page, to @offset of the page. The work item runs
 * again when they are there, maybe before this returns.
 */
static void slow_read(struct slow_io *slow, struct ybd_source *source, sector_t phys,
		      unsigned int nr, unsigned int offset)
{
	struct ybd_device *dev = slow->dev;
	struct bio *bio = &slow->read;
	struct ybd_backing *backing = NULL;
	struct block_device *bdev;

	/* The source is read below only after this: see ybd_device_set_replug(). */
	if (smp_load_acquire(&dev->fast.replug)) {
		backing = ybd_backing_enter(source);
		bdev = backing->b.bdev;
	} else {
		bdev = READ_ONCE(source->lower);
	}
	/* For whom it is matters to those who hold back a cgroup's I/O. */
	bio_init(bio, bdev, &slow->vec, 1, REQ_OP_READ |
		 (slow->bio->bi_opf & (REQ_META | REQ_PRIO | REQ_SWAP)));
	bio_clone_blkg_association(bio, slow->bio);
	bio->bi_ioprio = slow->bio->bi_ioprio;
	bio->bi_iter.bi_sector = phys;
	bio->bi_private = slow;
	bio->bi_end_io = slow_read_endio;
	__bio_add_page(bio, slow->page, nr << SECTOR_SHIFT, offset);
	slow->reading = true;
	if (backing) {
		ybd_hook_embedded(dev, bio, &slow->hook);
		ybd_park_arm(&slow->hook, bio, source, backing, phys);
	}
	submit_bio(bio);
}

/* Is this a run after a read? Its end then. */
static bool slow_was_read(struct slow_io *slow, blk_status_t *status)
{
	*status = BLK_STS_OK;
	if (!slow->reading)
		return false;
	*status = slow->read.bi_status;
	bio_uninit(&slow->read);
	return true;
}

static void slow_end(struct slow_io *slow, blk_status_t status)
{
	struct bio *bio = slow->bio;

	if (status && !bio->bi_status)
		bio->bi_status = status;
	mempool_free(slow->page, &slow_page_pool[slow->kind]);
	mempool_free(slow, &slow_pool[slow->kind]);
	bio_endio(bio);
}

/*
 * The reserves are waited for here, where nobody needs what the caller holds:
 * items of the workqueue that waited for each other would do so for ever.
 */
static struct slow_io *slow_alloc(struct ybd_device *dev, struct bio *bio, work_func_t fn)
{
	enum slow_kind kind = READ_ONCE(dev->fast.replug) ? SLOW_REPLUG : SLOW_FAST;
	struct slow_io *slow = mempool_alloc(&slow_pool[kind], GFP_NOIO);

	slow->page = mempool_alloc(&slow_page_pool[kind], GFP_NOIO);
	slow->kind = kind;
	slow->reading = false;
	slow->dev = dev;
	slow->bio = bio;
	INIT_WORK(&slow->work, fn);
	return slow;
}

static void bounce_work(struct work_struct *work)
{
	struct slow_io *slow = container_of(work, struct slow_io, work);
	unsigned int mask = slow->source->block_mask;
	unsigned int skip = slow->phys & mask;
	struct bio *bio = slow->bio;
	blk_status_t status;

	if (slow_was_read(slow, &status) && !status) {
		unsigned int nr = min(mask + 1 - skip, bio_sectors(bio));

		ybd_bio_fill(bio, page_address(slow->page) + (skip << SECTOR_SHIFT),
			     nr << SECTOR_SHIFT);
		slow->phys += nr;
		skip = 0;
	}
	if (status || !bio_sectors(bio))
		slow_end(slow, status);
	else
		slow_read(slow, slow->source, slow->phys - skip, mask + 1, 0);
}

/**
 * ybd_slow_bounce - read less than a logical block of the source
 * @dev: the device
 * @source: where it is
 * @phys: first sector there
 * @bio: read, within one run; ended when it is done. It, or the bio it was
 *	split off, is hooked.
 *
 * Process context, may sleep.
 */
void ybd_slow_bounce(struct ybd_device *dev, struct ybd_source *source,
		     sector_t phys, struct bio *bio)
{
	struct slow_io *slow = slow_alloc(dev, bio, bounce_work);

	ybd_stat_inc(dev->pcpu, YBD_STAT_BOUNCES);
	slow->source = source;
	slow->phys = phys;
	queue_work(ybd_wq, &slow->work);
}

/*
 * Gather the image's view of one block. Return: false if a read is under way,
 * and @slow is not to be touched.
 */
static bool slow_gather(struct slow_io *slow, sector_t block)
{
	struct ybd_image *image = slow->dev->image;
	struct ybd_map_run run;

	while (slow->done < YBD_BLOCK_SECTORS) {
		unsigned int offset = slow->done << SECTOR_SHIFT;

		ybd_map_lookup(&image->map, block * YBD_BLOCK_SECTORS + slow->done,
			       YBD_BLOCK_SECTORS - slow->done, &run);
		slow->done += run.nr;
		if (run.source != YBD_MAP_HOLE) {
			slow_read(slow, image->sources[run.source], run.phys, run.nr,
				  offset);
			return false;
		}
		memset(page_address(slow->page) + offset, 0, run.nr << SECTOR_SHIFT);
	}
	return true;
}

static void copy_up_work(struct work_struct *work)
{
	struct slow_io *slow = container_of(work, struct slow_io, work);
	sector_t block = slow->iter.bi_sector / YBD_BLOCK_SECTORS;
	blk_status_t status;

	slow_was_read(slow, &status);
	if (!status) {
		if (!slow_gather(slow, block))
			return;
		status = ybd_ram_copy_up(slow->dev, slow->bio, &slow->iter,
					 page_address(slow->page));
	}
	slow_end(slow, status);
}

/**
 * ybd_slow_copy_up - write less than a block that the image has
 * @dev: the device, with a RAM upper
 * @bio: hooked; its front is taken off and holds one count of its remaining
 * @len: bytes at the front, within one block
 *
 * Process context, may sleep.
 */
void ybd_slow_copy_up(struct ybd_device *dev, struct bio *bio, unsigned int len)
{
	struct slow_io *slow = slow_alloc(dev, bio, copy_up_work);

	trace_ybd_copy_up(disk_devt(dev->disk), bio->bi_iter.bi_sector,
			  len >> SECTOR_SHIFT);
	ybd_stat_inc(dev->pcpu, YBD_STAT_COPY_UPS);
	slow->iter = bio->bi_iter;
	slow->iter.bi_size = len;
	slow->done = 0;
	bio_inc_remaining(bio);
	bio_advance(bio, len);
	queue_work(ybd_wq, &slow->work);
}

/* ---- merging with what is below, for an upper in a pool ---- */

static void merge_place(struct slow_io *slow);

/* The data of the write into the page. */
static void merge_fill(struct slow_io *slow)
{
	unsigned int offset = (slow->iter.bi_sector & (YBD_BLOCK_SECTORS - 1)) << SECTOR_SHIFT;
	struct bvec_iter iter = slow->iter;

	ybd_bio_drain(slow->bio, &iter, page_address(slow->page) + offset, iter.bi_size);
}

static void merge_write_endio(struct bio *bio)
{
	struct slow_io *slow = bio->bi_private;

	if (unlikely(bio->bi_status))
		ybd_upper_io_error(slow->dev->upper, bio->bi_status);
	queue_work(ybd_wq, &slow->work);
}

/* Write a part of the page to the pool; @work goes on when that is done. */
static void merge_write(struct slow_io *slow, sector_t phys, unsigned int offset,
			unsigned int len)
{
	struct bio *bio = &slow->read;

	bio_init(bio, ybd_upper_bdev(slow->dev->upper), &slow->vec, 1, REQ_OP_WRITE |
		 (slow->bio->bi_opf & (REQ_META | REQ_PRIO | REQ_SWAP | REQ_SYNC | REQ_IDLE)));
	bio_clone_blkg_association(bio, slow->bio);
	bio->bi_ioprio = slow->bio->bi_ioprio;
	bio->bi_iter.bi_sector = phys;
	bio->bi_private = slow;
	bio->bi_end_io = merge_write_endio;
	__bio_add_page(bio, slow->page, len, offset);
	submit_bio(bio);
}

/* What the upper had already was overwritten. */
static void merge_overwritten_work(struct work_struct *work)
{
	struct slow_io *slow = container_of(work, struct slow_io, work);
	blk_status_t status = slow->read.bi_status;

	bio_uninit(&slow->read);
	ybd_upper_leave(slow->dev->upper, slow->srcu);
	slow_end(slow, status);
}

/* The merged block was written; is what it was merged with still below? */
static void merge_written_work(struct work_struct *work)
{
	struct slow_io *slow = container_of(work, struct slow_io, work);
	blk_status_t status = slow->read.bi_status;

	bio_uninit(&slow->read);
	if (ybd_upper_publish(slow->dev->upper, &slow->piece, slow->over_zero, &status))
		slow_end(slow, status);
	else
		merge_place(slow);
}

static void merge_place_work(struct work_struct *work)
{
	struct slow_io *slow = container_of(work, struct slow_io, work);

	if (slow->waiter.status)
		slow_end(slow, slow->waiter.status);
	else
		merge_place(slow);
}

/* The page has the merged block. Where does it go? */
static void merge_place(struct slow_io *slow)
{
	unsigned int offset = (slow->iter.bi_sector & (YBD_BLOCK_SECTORS - 1)) << SECTOR_SHIFT;
	struct ybd_upper *upper = slow->dev->upper;
	blk_status_t status;

	do {
		slow->srcu = ybd_upper_enter(upper);
		status = ybd_upper_merge_piece(upper, slow->bio, slow->iter.bi_sector /
					       YBD_BLOCK_SECTORS, &slow->piece);
		if (!status && slow->piece.kind == YBD_PIECE_DATA) {
			INIT_WORK(&slow->work, merge_overwritten_work);
			merge_write(slow, slow->piece.phys + (offset >> SECTOR_SHIFT), offset,
				    slow->iter.bi_size);
			return;
		}
		ybd_upper_leave(upper, slow->srcu);
	} while (status == BLK_STS_RESOURCE && !ybd_upper_refill(upper, slow->bio));
	if (status == BLK_STS_DEV_RESOURCE) {
		INIT_WORK(&slow->work, merge_place_work);
		slow->waiter.work = &slow->work;
		ybd_upper_wait_work(upper, &slow->waiter);
		return;
	}
	if (status) {
		slow_end(slow, status);
		return;
	}
	/* It was zeroed meanwhile: so is now what is around the data. */
	if (slow->piece.lower_zero && !slow->over_zero) {
		memset(page_address(slow->page), 0, YBD_BLOCK_SIZE);
		merge_fill(slow);
	}
	slow->over_zero = slow->piece.lower_zero;
	ybd_stat_inc(slow->dev->pcpu, YBD_STAT_FIRST_WRITES);
	INIT_WORK(&slow->work, merge_written_work);
	merge_write(slow, slow->piece.phys, 0, YBD_BLOCK_SIZE);
}

static void merge_read_work(struct work_struct *work)
{
	struct slow_io *slow = container_of(work, struct slow_io, work);
	blk_status_t status;

	slow_was_read(slow, &status);
	if (status) {
		slow_end(slow, status);
		return;
	}
	if (slow->over_zero)
		memset(page_address(slow->page), 0, YBD_BLOCK_SIZE);
	else if (!slow_gather(slow, slow->iter.bi_sector / YBD_BLOCK_SECTORS))
		return;
	merge_fill(slow);
	merge_place(slow);
}

/**
 * ybd_slow_merge - write less than a block that the upper has not got
 * @dev: the device, with an upper in a pool
 * @bio: WRITE or WRITE_ZEROES within one block; ended when it is done. It, or the
 *	bio it was split off, is hooked.
 * @over_zero: what is below are zeroes
 *
 * Process context, may sleep.
 */
void ybd_slow_merge(struct ybd_device *dev, struct bio *bio, bool over_zero)
{
	struct slow_io *slow = slow_alloc(dev, bio, merge_read_work);

	trace_ybd_copy_up(disk_devt(dev->disk), bio->bi_iter.bi_sector, bio_sectors(bio));
	ybd_stat_inc(dev->pcpu, YBD_STAT_COPY_UPS);
	slow->iter = bio->bi_iter;
	slow->done = 0;
	slow->over_zero = over_zero;
	queue_work(ybd_wq, &slow->work);
}

/* Caches and reserves. */
int ybd_slow_init(void)
{
	int kind, ret;

	slow_cache = KMEM_CACHE(slow_io, 0);
	if (!slow_cache)
		return -ENOMEM;
	for (kind = 0; kind < NR_SLOW_KINDS; kind++) {
		ret = mempool_init_slab_pool(&slow_pool[kind], SLOW_RESERVE, slow_cache);
		if (ret)
			goto err_pools;
		ret = mempool_init_page_pool(&slow_page_pool[kind], SLOW_RESERVE, 0);
		if (ret)
			goto err_page_pool;
	}
	return 0;

err_page_pool:
	mempool_exit(&slow_pool[kind]);
err_pools:
	while (--kind >= 0) {
		mempool_exit(&slow_page_pool[kind]);
		mempool_exit(&slow_pool[kind]);
	}
	kmem_cache_destroy(slow_cache);
	return ret;
}

void ybd_slow_exit(void)
{
	int kind;

	for (kind = NR_SLOW_KINDS - 1; kind >= 0; kind--) {
		mempool_exit(&slow_page_pool[kind]);
		mempool_exit(&slow_pool[kind]);
	}
	kmem_cache_destroy(slow_cache);
}
