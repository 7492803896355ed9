// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sectors are counted when an I/O ends, so starting takes no count. Since
 * 5f0614a55ecf ("block: account iostats when completing a bio"), Linux 6.4.
 */
#include <linux/blkdev.h>

unsigned long ybd_probe(struct block_device *bdev);
unsigned long ybd_probe(struct block_device *bdev)
{
	return bdev_start_io_acct(bdev, REQ_OP_READ, 0);
}
