/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The RAM upper: what a device wrote, in pages, bounded, gone with the device.
 */
#ifndef YBD_UPPER_RAM_H
#define YBD_UPPER_RAM_H

#include <linux/blk_types.h>

/* Less would not hold one block and its index. */
#define YBD_RAM_MIN_LIMIT	8192

struct netlink_ext_ack;
struct ybd_device;
struct ybd_ram;

struct ybd_ram *ybd_ram_create(u64 limit, int cgroup_fd, struct netlink_ext_ack *extack);
void ybd_ram_destroy(struct ybd_ram *ram);
u64 ybd_ram_used(const struct ybd_ram *ram);
u64 ybd_ram_limit(const struct ybd_ram *ram);

unsigned int ybd_ram_read(struct ybd_device *dev, struct bio *bio);
blk_status_t ybd_ram_write(struct ybd_device *dev, struct bio *bio);
blk_status_t ybd_ram_zero(struct ybd_device *dev, struct bio *bio);
blk_status_t ybd_ram_copy_up(struct ybd_device *dev, struct bio *bio,
			     struct bvec_iter *iter, const void *lower);

int ybd_ram_init(void);
void ybd_ram_exit(void);

#endif /* YBD_UPPER_RAM_H */
