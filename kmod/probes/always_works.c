// SPDX-License-Identifier: GPL-2.0-only
/* Sentinel: compiles on every kernel, or the probes say nothing. */
#include <linux/blkdev.h>

int ybd_probe(struct gendisk *disk);
int ybd_probe(struct gendisk *disk)
{
	return disk->first_minor;
}
