/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices: life cycle of a gendisk, its image and its upper.
 */
#ifndef YBD_DEVICE_H
#define YBD_DEVICE_H

#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/uuid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "stats.h"
#include "ybd.h"

struct ybd_backing;
struct ybd_image;
struct ybd_limits;
struct ybd_pool;
struct ybd_ram;
struct ybd_source;
struct ybd_upper;

/**
 * enum ybd_device_life - where a device is between create and free
 * @YBD_DEVICE_NEW: number and name are taken, the disk is not there yet
 * @YBD_DEVICE_LIVE: usable
 * @YBD_DEVICE_DETACHING: somebody is removing the disk
 * @YBD_DEVICE_DETACHED: the disk is removed, the last opener may remain
 */
enum ybd_device_life {
	YBD_DEVICE_NEW,
	YBD_DEVICE_LIVE,
	YBD_DEVICE_DETACHING,
	YBD_DEVICE_DETACHED,
};

/**
 * struct ybd_fast - what most reads need, side by side
 * @table: the image's table, or NULL when it has another form of map, or its
 *	source larger logical blocks than the device
 * @source: the one source of such a table
 * @part0: the device itself, for accounting
 * @queue: for its iostats switch
 * @nr_units: length of @table
 * @shift: log2 of the sectors of a unit
 * @written: the upper may have blocks; never unset
 * @replug: milliseconds that reads wait for a source that is gone, 0 for none;
 *	written with lower_lock, see device_lower.c
 */
struct ybd_fast {
	const u32		*table;
	struct ybd_source	*source;
	struct block_device	*part0;
	struct request_queue	*queue;
	u32			nr_units;
	u8			shift;
	bool			written;
	u32			replug;
};

/**
 * struct ybd_lower - one source of a device
 * @link: what of it is shown below the device; a reference
 * @linked: it is
 * @held: the first that I/O without a hook may have gone to; a reference, or NULL
 */
struct ybd_lower {
	struct ybd_backing	*link;
	bool			linked;
	struct ybd_backing	*held;
};

/**
 * struct ybd_device - a device
 * @fast: copies for the read path; immutable but for @written and @replug
 * @pcpu: counters
 * @disk: the gendisk; NULL once it is released, under ybd_registry_lock
 * @image: what it shows below its upper; one reference
 * @ram: its RAM upper, or NULL; owned
 * @upper: its upper in a pool, or NULL; owned
 * @block_mask: logical block size in sectors, minus 1
 * @nr_sectors: virtual size; the disk forgets it when it is removed
 * @unparked: no read waits for a source any more; never unset
 * @lower_lock: protects @lower, @links_live and the change of @fast.replug
 * @links_live: the links to what is below are there
 * @lower: for each source of the image
 * @draining: tells completions to wake @drained; written once
 * @drained: woken when an I/O ends while @draining
 * @detach_work: the rest of a detach that takes long; holds a reference
 * @detached: completed by @detach_work
 * @ref: the disk, requests under way
 * @life: protected by ybd_registry_lock
 * @detaching: refuse opens; protected by disk->open_mutex
 * @id: number of the device and its minor
 * @upper_kind: an enum ybd_upper_kind
 * @name_node: in the table by name; protected by ybd_registry_lock
 * @name: unique
 */
struct ybd_device {
	struct ybd_fast		fast;
	struct ybd_pcpu __percpu *pcpu;
	struct gendisk		*disk;
	struct ybd_image	*image;
	struct ybd_ram		*ram;
	struct ybd_upper	*upper;
	unsigned int		block_mask;
	sector_t		nr_sectors;
	bool			unparked;
	struct mutex		lower_lock;	/* @lower, @links_live */
	bool			links_live;
	struct ybd_lower	*lower;
	bool			draining;
	wait_queue_head_t	drained;
	struct work_struct	detach_work;
	struct completion	detached;
	refcount_t		ref;
	enum ybd_device_life	life;
	bool			detaching;
	u32			id;
	u32			upper_kind;
	struct hlist_node	name_node;
	char			name[YBD_NAME_LEN + 1];
};

/**
 * struct ybd_device_config - what a new device is to be
 * @name: checked for length, not yet for characters
 * @image: borrowed; the device takes a reference of its own
 * @upper_kind: an enum ybd_upper_kind
 * @upper_limit: bytes a RAM upper may hold
 * @size: in bytes, or 0 for the image's
 * @logical_block_size: in bytes, or 0 for the image's
 * @cgroup_fd: cgroup that pays for a RAM upper, or -1
 * @pool: of an upper in a pool; borrowed, the device takes a reference of its own
 * @upper_flags: of such an upper, enum ybd_upper_flags
 * @quota: of such an upper, most bytes it may take, or 0
 * @reserve: of such an upper, bytes that are kept for it
 * @layers: of a persistent upper, the list of layers that its header names
 * @layers_bytes: length of @layers
 * @replug: milliseconds that reads wait for a source that is gone, or 0
 */
struct ybd_device_config {
	const char		*name;
	struct ybd_image	*image;
	u32			upper_kind;
	u64			upper_limit;
	u64			size;
	u32			logical_block_size;
	int			cgroup_fd;
	struct ybd_pool		*pool;
	u32			upper_flags;
	u64			quota;
	u64			reserve;
	const void		*layers;
	u32			layers_bytes;
	u32			replug;
};

struct ybd_device *ybd_device_create(const struct ybd_device_config *config,
				     struct netlink_ext_ack *extack);
struct ybd_device *ybd_device_attach(struct ybd_pool *pool, const uuid_t *uuid,
				     struct ybd_image *image, u32 replug,
				     struct netlink_ext_ack *extack);
int ybd_device_resize(struct ybd_device *dev, u64 size, struct netlink_ext_ack *extack);
int ybd_device_detach(struct ybd_device *dev, u32 flags, struct netlink_ext_ack *extack);
void ybd_device_put(struct ybd_device *dev);

struct ybd_device *ybd_device_find(u32 id);
struct ybd_device *ybd_device_find_name(const char *name);
struct ybd_device *ybd_device_next(unsigned long *id);
unsigned int ybd_device_count(void);
unsigned int ybd_device_major(void);
u64 ybd_device_stat(const struct ybd_device *dev, enum ybd_stat what);
bool ybd_disk_is_ours(const struct gendisk *disk);

/* ---- device_lower.c: what devices stand on ---- */

int ybd_device_lower_init(struct ybd_device *dev);
void ybd_device_lower_exit(struct ybd_device *dev);
struct gendisk *ybd_device_lower_disk(struct ybd_device *dev, const struct ybd_limits *limits);
int ybd_device_lower_link(struct ybd_device *dev, struct netlink_ext_ack *extack);
void ybd_device_lower_unlink(struct ybd_device *dev);
void ybd_device_set_replug(struct ybd_device *dev, u32 replug);
struct ybd_source *ybd_device_swap_source(u32 id, const char *name, int fd,
					  struct netlink_ext_ack *extack);

int ybd_device_init(void);
void ybd_device_exit(void);

extern const struct attribute_group *ybd_device_groups[];

/* I/O that began and that ybd_device_detach() has to wait for. */
static inline void ybd_device_io_begin(struct ybd_device *dev)
{
	this_cpu_inc(dev->pcpu->inflight);
}

/*
 * The device may be freed as soon as the bio is ended, so this comes first:
 * whoever waits for that bio keeps the device open until then.
 */
static inline void ybd_device_io_end(struct ybd_device *dev)
{
	this_cpu_dec(dev->pcpu->inflight);
	/* No barrier between the two on the hot path: device_drain() polls. */
	if (unlikely(READ_ONCE(dev->draining)))
		wake_up(&dev->drained);
}

#endif /* YBD_DEVICE_H */
