// SPDX-License-Identifier: GPL-2.0-only
/*
 * I/O that has to read the image first and wait for it: reads of less than a
 * logical block of the source, and writes of less than a block. Each waits in
 * a work item of its own. The bio is hooked, so the device stays.
 */
#include <linux/bio.h>
#include <linux/mempool.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "bio_copy.h"
#include "device.h"
#include "image.h"
#include "slow.h"
#include "source.h"
#include "trace.h"
#include "upper_ram.h"

#define SLOW_RESERVE	16

/**
 * struct slow_io - one such I/O
 * @work: in ybd_wq
 * @dev: the device
 * @bio: held by one count of its remaining
 * @source: of a bounce
 * @phys: of a bounce, sector on @source
 * @iter: of a copy-up, the part of @bio to be written
 */
struct slow_io {
	struct work_struct	work;
	struct ybd_device	*dev;
	struct bio		*bio;
	struct ybd_source	*source;
	sector_t		phys;
	struct bvec_iter	iter;
};

static struct kmem_cache *slow_cache;
static mempool_t slow_pool;
static mempool_t slow_page_pool;

/* Read @nr sectors, at most a page, into @page at @offset and wait. */
static blk_status_t slow_read(struct ybd_source *source, sector_t phys, unsigned int nr,
			      struct page *page, unsigned int offset, struct bio *payer)
{
	struct bio_vec bv;
	struct bio bio;
	int ret;

	bio_init(&bio, source->b.bdev, &bv, 1, REQ_OP_READ);
	bio_clone_blkg_association(&bio, payer);
	bio.bi_iter.bi_sector = phys;
	__bio_add_page(&bio, page, nr << SECTOR_SHIFT, offset);
	ret = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return errno_to_blk_status(ret);
}

static void slow_end(struct slow_io *slow, blk_status_t status)
{
	struct bio *bio = slow->bio;

	if (status && !bio->bi_status)
		bio->bi_status = status;
	mempool_free(slow, &slow_pool);
	bio_endio(bio);
}

static void slow_queue(struct ybd_device *dev, struct bio *bio, struct slow_io *slow,
		       work_func_t fn)
{
	slow->dev = dev;
	slow->bio = bio;
	INIT_WORK(&slow->work, fn);
	queue_work(ybd_wq, &slow->work);
}

static void bounce_work(struct work_struct *work)
{
	struct slow_io *slow = container_of(work, struct slow_io, work);
	struct page *page = mempool_alloc(&slow_page_pool, GFP_NOIO);
	unsigned int mask = slow->source->block_mask;
	struct bio *bio = slow->bio;
	blk_status_t status = BLK_STS_OK;

	while (!status && bio_sectors(bio)) {
		unsigned int skip = slow->phys & mask;
		unsigned int nr = min(mask + 1 - skip, bio_sectors(bio));

		status = slow_read(slow->source, slow->phys - skip, mask + 1, page, 0, bio);
		if (status)
			break;
		ybd_bio_fill(bio, page_address(page) + (skip << SECTOR_SHIFT),
			     nr << SECTOR_SHIFT);
		slow->phys += nr;
	}
	mempool_free(page, &slow_page_pool);
	slow_end(slow, status);
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
	struct slow_io *slow = mempool_alloc(&slow_pool, GFP_NOIO);

	ybd_stat_inc(dev->pcpu, YBD_STAT_BOUNCES);
	slow->source = source;
	slow->phys = phys;
	slow_queue(dev, bio, slow, bounce_work);
}

/* The image's view of one block. */
static blk_status_t slow_read_block(struct slow_io *slow, sector_t block, struct page *page)
{
	struct ybd_image *image = slow->dev->image;
	unsigned int done = 0;
	struct ybd_map_run run;
	blk_status_t status;

	while (done < YBD_BLOCK_SECTORS) {
		ybd_map_lookup(&image->map, block * YBD_BLOCK_SECTORS + done,
			       YBD_BLOCK_SECTORS - done, &run);
		if (run.source == YBD_MAP_HOLE) {
			memset(page_address(page) + (done << SECTOR_SHIFT), 0,
			       run.nr << SECTOR_SHIFT);
		} else {
			status = slow_read(image->sources[run.source], run.phys, run.nr,
					   page, done << SECTOR_SHIFT, slow->bio);
			if (status)
				return status;
		}
		done += run.nr;
	}
	return BLK_STS_OK;
}

static void copy_up_work(struct work_struct *work)
{
	struct slow_io *slow = container_of(work, struct slow_io, work);
	struct page *page = mempool_alloc(&slow_page_pool, GFP_NOIO);
	sector_t block = slow->iter.bi_sector / YBD_BLOCK_SECTORS;
	blk_status_t status;

	status = slow_read_block(slow, block, page);
	if (!status)
		status = ybd_ram_copy_up(slow->dev, slow->bio, &slow->iter,
					 page_address(page));
	mempool_free(page, &slow_page_pool);
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
	struct slow_io *slow = mempool_alloc(&slow_pool, GFP_NOIO);

	trace_ybd_copy_up(disk_devt(dev->disk), bio->bi_iter.bi_sector,
			  len >> SECTOR_SHIFT);
	ybd_stat_inc(dev->pcpu, YBD_STAT_COPY_UPS);
	slow->iter = bio->bi_iter;
	slow->iter.bi_size = len;
	bio_inc_remaining(bio);
	bio_advance(bio, len);
	slow_queue(dev, bio, slow, copy_up_work);
}

/* Caches and reserves. */
int ybd_slow_init(void)
{
	int ret;

	slow_cache = KMEM_CACHE(slow_io, 0);
	if (!slow_cache)
		return -ENOMEM;
	ret = mempool_init_slab_pool(&slow_pool, SLOW_RESERVE, slow_cache);
	if (ret)
		goto err_cache;
	ret = mempool_init_page_pool(&slow_page_pool, SLOW_RESERVE, 0);
	if (ret)
		goto err_pool;
	return 0;

err_pool:
	mempool_exit(&slow_pool);
err_cache:
	kmem_cache_destroy(slow_cache);
	return ret;
}

void ybd_slow_exit(void)
{
	mempool_exit(&slow_page_pool);
	mempool_exit(&slow_pool);
	kmem_cache_destroy(slow_cache);
}
