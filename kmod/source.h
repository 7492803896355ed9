/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sources: the block devices that images are read from.
 */
#ifndef YBD_SOURCE_H
#define YBD_SOURCE_H

#include <linux/list.h>
#include "compat.h"
#include "ybd.h"

/**
 * struct ybd_source - a claimed block device
 * @node: in the list of sources; protected by ybd_source_lock
 * @images: references, one per image; protected by ybd_source_lock
 * @b: the open device
 * @id: number, never used twice
 * @block_mask: logical block size in sectors, minus 1
 * @size: in bytes, when it was opened
 * @name: identity in user space
 */
struct ybd_source {
	struct list_head	node;
	unsigned int		images;
	struct ybd_bdev		b;
	u32			id;
	unsigned int		block_mask;
	u64			size;
	char			name[YBD_SOURCE_NAME_LEN + 1];
};

struct ybd_source *ybd_source_get_fd(int fd, const char *name,
				     struct netlink_ext_ack *extack);
void ybd_source_put(struct ybd_source *source);
int ybd_source_for_each(int (*fn)(struct ybd_source *source, void *arg), void *arg);

#endif /* YBD_SOURCE_H */
