// SPDX-License-Identifier: GPL-2.0-only
/*
 * Features are part of struct queue_limits and blk_alloc_disk() takes the
 * limits. Since 1122c0c1cc71 ("block: move cache control settings out of
 * queue->flags"), Linux 6.11.
 */
#include <linux/blkdev.h>

struct gendisk *ybd_probe(struct queue_limits *lim);
struct gendisk *ybd_probe(struct queue_limits *lim)
{
	lim->features |= BLK_FEAT_IO_STAT | BLK_FEAT_NOWAIT;
	return blk_alloc_disk(lim, NUMA_NO_NODE);
}
