/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sending a bio on to a device below.
 */
#ifndef YBD_IO_REMAP_H
#define YBD_IO_REMAP_H

#include <linux/blkdev.h>
#include <trace/events/block.h>

#include "device.h"
#include "trace.h"

/* Off it goes, as a bio of @lower. */
static __always_inline void ybd_io_remap(struct ybd_device *dev, struct bio *bio,
					 struct block_device *lower, sector_t phys,
					 unsigned int nr)
{
	sector_t sector = bio->bi_iter.bi_sector;

	bio_set_dev(bio, lower);
	bio->bi_iter.bi_sector = phys;
	trace_block_bio_remap(bio, disk_devt(dev->disk), sector);
	trace_ybd_remap(disk_devt(dev->disk), sector, nr, bio_dev(bio), phys);
	submit_bio_noacct(bio);
}

#endif /* YBD_IO_REMAP_H */
