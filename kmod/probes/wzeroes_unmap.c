// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits say whether write zeroes unmaps. Since 0c40d7cb5ef3 ("block:
 * introduce max_{hw|user}_wzeroes_unmap_sectors to queue limits"), Linux 6.17.
 */
#include <linux/blkdev.h>

unsigned int ybd_probe(const struct queue_limits *lim);
unsigned int ybd_probe(const struct queue_limits *lim)
{
	return lim->max_hw_wzeroes_unmap_sectors;
}
