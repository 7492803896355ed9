/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data path: classify, split, remap, account.
 */
#ifndef YBD_IO_H
#define YBD_IO_H

#include <linux/bio.h>
#include <linux/part_stat.h>

#include "device.h"

void ybd_submit_bio(struct bio *bio);

struct bio *ybd_io_cut(struct ybd_device *dev, struct bio *bio, unsigned int nr);
struct bio *ybd_io_clone(struct ybd_device *dev, struct bio *bio);
struct bio *ybd_io_split(struct ybd_device *dev, struct bio *bio, unsigned int nr);
void ybd_io_would_block(struct ybd_device *dev, struct bio *bio);
void ybd_io_pool_write(struct ybd_device *dev, struct bio *bio);

/* With iostats off, I/O and sectors are still counted, without a hook. */
static __always_inline void ybd_io_count(struct ybd_device *dev, enum req_op op,
					 unsigned int sectors)
{
	struct block_device *part = dev->fast.part0;
	const int sgrp = op_stat_group(op);

	part_stat_lock();
	part_stat_inc(part, ios[sgrp]);
	part_stat_add(part, sectors[sgrp], sectors);
	part_stat_unlock();
}

int ybd_io_init(void);
void ybd_io_exit(void);

#endif /* YBD_IO_H */
