/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Images: immutable extent maps with the sources they point to.
 */
#ifndef YBD_IMAGE_H
#define YBD_IMAGE_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/uuid.h>
#include "image_map.h"
#include "ybd.h"

struct ybd_source;

#define YBD_IMAGE_IDENTITY_LEN	32

/**
 * struct ybd_image - an image
 * @map: where each block is; immutable
 * @nr_sources: entries of @sources
 * @nr_sectors: virtual size
 * @ref: registry, devices, requests under way
 * @name_node: in the table by name; protected by ybd_registry_lock
 * @devices: devices that use it; protected by ybd_registry_lock
 * @unloaded: no longer in the registry; protected by ybd_registry_lock
 * @id: number, never used twice
 * @logical_block_size: in bytes, what devices get by default
 * @flags: of enum ybd_image_flags
 * @layers: told back to user space
 * @extents: records it was loaded from
 * @uuid: of the topmost lvol
 * @identity: told back to user space
 * @name: unique
 * @sources: one reference on each
 */
struct ybd_image {
	struct ybd_map		map;
	unsigned int		nr_sources;
	sector_t		nr_sectors;
	refcount_t		ref;
	struct hlist_node	name_node;
	unsigned int		devices;
	bool			unloaded;
	u32			id;
	u32			logical_block_size;
	u32			flags;
	u32			layers;
	u32			extents;
	uuid_t			uuid;
	u8			identity[YBD_IMAGE_IDENTITY_LEN];
	char			name[YBD_IMAGE_NAME_LEN + 1];
	struct ybd_source	*sources[];
};

struct ybd_image *ybd_image_alloc(unsigned int nr_sources);
int ybd_image_read_map(struct ybd_image *image, int map_fd, u32 nr,
		       struct netlink_ext_ack *extack);
int ybd_image_register(struct ybd_image *image, struct netlink_ext_ack *extack);
int ybd_image_unload(struct ybd_image *image, struct netlink_ext_ack *extack);
void ybd_image_put(struct ybd_image *image);

struct ybd_image *ybd_image_find(u32 id);
struct ybd_image *ybd_image_find_name(const char *name);
struct ybd_image *ybd_image_next(unsigned long *id);
unsigned int ybd_image_count(void);
void ybd_image_init(void);

#endif /* YBD_IMAGE_H */
