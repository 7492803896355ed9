// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a device stands on: the block devices of its sources, how long they stay
 * open for it, and what lsblk and holders/ show of them. See source.h for what
 * keeps a block device open.
 *
 * A read without a hook may be on its way to a source for as long as somebody has
 * the device open. So a device that sends such reads holds the block devices that
 * its sources were when it began to, and with them all that came after, until it
 * is freed. A device with a replug timeout hooks all its reads of sources, each of
 * which holds what it goes to, so that it need not hold anything.
 */
#include <linux/netlink.h>
#include <linux/slab.h>

#include "compat.h"
#include "device.h"
#include "image.h"
#include "park.h"
#include "source.h"
#include "upper_pool.h"

/* Reads without a hook are sent from now on. */
static void lower_hold(struct ybd_device *dev)
{
	unsigned int i;

	for (i = 0; i < dev->image->nr_sources; i++)
		if (!dev->lower[i].held)
			dev->lower[i].held = ybd_backing_hold(dev->image->sources[i]);
}

/**
 * ybd_device_lower_init - before anything else is done with the sources
 * @dev: with its image and fast.replug
 *
 * May sleep. Return: 0 or -ENOMEM.
 */
int ybd_device_lower_init(struct ybd_device *dev)
{
	unsigned int i, nr = dev->image->nr_sources;

	mutex_init(&dev->lower_lock);
	dev->lower = kcalloc(nr, sizeof(*dev->lower), GFP_KERNEL);
	if (!dev->lower)
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		dev->lower[i].link = ybd_backing_hold(dev->image->sources[i]);
	if (!dev->fast.replug)
		lower_hold(dev);
	return 0;
}

/**
 * ybd_device_lower_exit - no I/O of the device can be anywhere any more
 * @dev: the device, which still has its image; may sleep
 */
void ybd_device_lower_exit(struct ybd_device *dev)
{
	unsigned int i;

	for (i = 0; i < dev->image->nr_sources; i++) {
		ybd_backing_put(dev->lower[i].link);
		ybd_backing_put(dev->lower[i].held);
	}
	kfree(dev->lower);
}

/**
 * ybd_device_lower_disk - a disk that stacks on what is below
 * @dev: the device, with its upper
 * @limits: what it shows beside that
 *
 * May sleep. Return: the disk, or an error pointer.
 */
struct gendisk *ybd_device_lower_disk(struct ybd_device *dev, const struct ybd_limits *limits)
{
	unsigned int i, nr = dev->image->nr_sources;
	struct block_device **lowers;
	struct gendisk *disk;

	lowers = kcalloc(nr + 1, sizeof(*lowers), GFP_KERNEL);
	if (!lowers)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&dev->lower_lock);
	for (i = 0; i < nr; i++)
		lowers[i] = dev->lower[i].link->b.bdev;
	if (dev->upper)
		lowers[nr++] = ybd_upper_bdev(dev->upper);
	disk = ybd_disk_alloc(limits, lowers, nr);
	mutex_unlock(&dev->lower_lock);
	kfree(lowers);
	return disk;
}

/* ---- holders/ and slaves/ ---- */

static int lower_link(struct ybd_device *dev, struct ybd_lower *lower)
{
	int ret = ybd_link_holder(lower->link->b.bdev, dev->disk);

	lower->linked = !ret;
	return ret;
}

static void lower_unlink(struct ybd_device *dev, struct ybd_lower *lower)
{
	if (lower->linked)
		bd_unlink_disk_holder(lower->link->b.bdev, dev->disk);
	lower->linked = false;
}

static void lower_unlink_all(struct ybd_device *dev)
{
	unsigned int i;

	for (i = 0; i < dev->image->nr_sources; i++)
		lower_unlink(dev, &dev->lower[i]);
}

/* Another block device has come: show that, and let the other one go. */
static void lower_follow(struct ybd_device *dev, struct ybd_source *source,
			 struct ybd_lower *lower)
{
	struct ybd_backing *now = ybd_backing_hold(source), *was = lower->link;

	if (now != was) {
		lower_unlink(dev, lower);
		lower->link = now;
		now = was;
		/* That one may be gone already; there is nothing to show then. */
		if (dev->links_live)
			lower_link(dev, lower);
	}
	ybd_backing_put(now);
}

/**
 * ybd_device_lower_link - let lsblk and holders/ show what the device stands on
 * @dev: its disk was added
 * @extack: told why not
 *
 * May sleep. Return: 0, or a negative errno with no link left.
 */
int ybd_device_lower_link(struct ybd_device *dev, struct netlink_ext_ack *extack)
{
	unsigned int i;
	int ret = 0;

	mutex_lock(&dev->lower_lock);
	for (i = 0; !ret && i < dev->image->nr_sources; i++) {
		/* Who swapped it before the device was to be found has not seen this. */
		lower_follow(dev, dev->image->sources[i], &dev->lower[i]);
		ret = lower_link(dev, &dev->lower[i]);
	}
	if (!ret && dev->upper)
		ret = ybd_link_holder(ybd_upper_bdev(dev->upper), dev->disk);
	if (ret) {
		ybd_extack_set(extack, ret == -ENODEV ?
			       "a source of the image, or the pool, is gone" :
			       "cannot link the device to its sources");
		lower_unlink_all(dev);
	}
	dev->links_live = !ret;
	mutex_unlock(&dev->lower_lock);
	return ret;
}

/**
 * ybd_device_lower_unlink - and no more
 * @dev: its disk is about to be removed; may sleep
 */
void ybd_device_lower_unlink(struct ybd_device *dev)
{
	mutex_lock(&dev->lower_lock);
	dev->links_live = false;
	lower_unlink_all(dev);
	if (dev->upper)
		bd_unlink_disk_holder(ybd_upper_bdev(dev->upper), dev->disk);
	mutex_unlock(&dev->lower_lock);
}

/* ---- sources that vanish and return ---- */

/**
 * ybd_device_set_replug - how long reads wait for a source that is gone
 * @dev: held
 * @replug: milliseconds, or 0 for not at all: then what waits ends now
 *
 * May sleep.
 */
void ybd_device_set_replug(struct ybd_device *dev, u32 replug)
{
	mutex_lock(&dev->lower_lock);
	if (!replug)
		lower_hold(dev);
	/* Held before the first read without a hook: pairs with those in io.c and slow.c. */
	smp_store_release(&dev->fast.replug, replug);
	if (!replug)
		ybd_park_drop(dev);
	mutex_unlock(&dev->lower_lock);
}

static void device_follow(struct ybd_device *dev, struct ybd_source *source)
{
	unsigned int i;

	mutex_lock(&dev->lower_lock);
	for (i = 0; i < dev->image->nr_sources; i++)
		if (dev->image->sources[i] == source)
			lower_follow(dev, source, &dev->lower[i]);
	mutex_unlock(&dev->lower_lock);
}

static void devices_follow(struct ybd_source *source)
{
	struct ybd_device *dev;
	unsigned long id;

	for (id = 0; ; id++) {
		mutex_lock(&ybd_registry_lock);
		while ((dev = ybd_device_next(&id)) && !refcount_inc_not_zero(&dev->ref))
			id++;
		mutex_unlock(&ybd_registry_lock);
		if (!dev)
			return;
		device_follow(dev, source);
		ybd_device_put(dev);
	}
}

/**
 * ybd_device_swap_source - another block device takes the place of one that is gone
 * @id: see ybd_source_swap()
 * @name: see there
 * @fd: see there
 * @extack: told why when refused
 *
 * What is parked goes on. May sleep. Return: as ybd_source_swap().
 */
struct ybd_source *ybd_device_swap_source(u32 id, const char *name, int fd,
					  struct netlink_ext_ack *extack)
{
	struct ybd_source *source = ybd_source_swap(id, name, fd, extack);

	if (IS_ERR(source))
		return source;
	ybd_park_resend(source);
	devices_follow(source);
	return source;
}
