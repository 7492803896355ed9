/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data path: classify, split, remap, account.
 */
#ifndef YBD_IO_H
#define YBD_IO_H

#include <linux/bio.h>
#include <linux/part_stat.h>

#include "device.h"
#include "io_hook.h"

void ybd_submit_bio(struct bio *bio);

/**
 * enum ybd_io_set - where a part of a bio is taken from
 * @YBD_IO_IMAGE: to a source, which ends it
 * @YBD_IO_PARK: to a source that may be gone for long
 * @YBD_IO_MERGE: a front that is merged and may wait for space
 * @YBD_IO_REST: what is left behind that, which may do so too
 * @YBD_IO_POOL: to the pool, which ends it
 * @YBD_NR_IO_SETS: how many there are
 *
 * The same holds as for enum ybd_hook_kind.
 */
enum ybd_io_set {
	YBD_IO_IMAGE,
	YBD_IO_PARK,
	YBD_IO_MERGE,
	YBD_IO_REST,
	YBD_IO_POOL,
	YBD_NR_IO_SETS,
};

struct bio *ybd_io_cut(struct ybd_device *dev, struct bio *bio, unsigned int nr,
		       enum ybd_io_set set);
struct bio *ybd_io_clone(struct bio *bio, enum ybd_io_set set);
struct bio *ybd_io_part(struct ybd_device *dev, struct bio *bio, unsigned int nr,
			enum ybd_io_set set);
void ybd_io_would_block(struct ybd_device *dev, struct bio *bio);
void ybd_io_pool_write(struct ybd_device *dev, struct bio *bio);

/* For a bio as it comes in. */
static __always_inline enum ybd_hook_kind ybd_io_hook_kind(const struct ybd_device *dev)
{
	return READ_ONCE(dev->fast.replug) ? YBD_HOOK_REPLUG : YBD_HOOK_BIO;
}

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
