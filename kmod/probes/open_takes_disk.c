// SPDX-License-Identifier: GPL-2.0-only
/*
 * The open method takes a disk and a blk_mode_t. Since d32e2bf83791 ("block:
 * pass a gendisk to ->open"), Linux 6.5.
 */
#include <linux/blkdev.h>

static int ybd_probe_open(struct gendisk *disk, blk_mode_t mode)
{
	return 0;
}

extern const struct block_device_operations ybd_probe;
const struct block_device_operations ybd_probe = { .open = ybd_probe_open };
