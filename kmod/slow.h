/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * I/O that has to read the image first, in the workqueue.
 */
#ifndef YBD_SLOW_H
#define YBD_SLOW_H

#include <linux/blk_types.h>

struct ybd_device;
struct ybd_source;

void ybd_slow_bounce(struct ybd_device *dev, struct ybd_source *source,
		     sector_t phys, struct bio *bio);
void ybd_slow_copy_up(struct ybd_device *dev, struct bio *bio, unsigned int len);
void ybd_slow_merge(struct ybd_device *dev, struct bio *bio, bool over_zero);

int ybd_slow_init(void);
void ybd_slow_exit(void);

#endif /* YBD_SLOW_H */
