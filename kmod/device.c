// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices: create, publish, detach, free, and the tables by number and name.
 */
#include <linux/ctype.h>
#include <linux/delay.h>
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <linux/stringhash.h>
#include <linux/xarray.h>

#include "compat.h"
#include "device.h"
#include "image.h"
#include "io.h"
#include "netlink.h"
#include "park.h"
#include "source.h"
#include "upper_pool.h"
#include "upper_ram.h"

/* See ybd.h for what it protects and its place in the order. */
DEFINE_MUTEX(ybd_registry_lock);
unsigned int ybd_registry_generation;

/* Both tables are protected by ybd_registry_lock. */
static DEFINE_XARRAY_ALLOC(ybd_devices);
static DEFINE_HASHTABLE(ybd_device_names, 12);
static unsigned int ybd_devices_nr;

static int ybd_major;

/* How long a detach waits for the I/O below before it goes on by itself. */
#define DETACH_SECONDS	30

static void detach_work(struct work_struct *work);

static unsigned int hash_name(const char *name)
{
	return full_name_hash(NULL, name, strlen(name));
}

/* A detach that has found nobody in here must not be overtaken by an open. */
static int ybd_open(YBD_OPEN_PARAMS)
{
	struct ybd_device *dev = YBD_OPEN_DISK->private_data;

	lockdep_assert_held(&YBD_OPEN_DISK->open_mutex);
	return dev->detaching ? -ENXIO : 0;
}

/* The last opener has gone; requests that still hold the device see no disk. */
static void ybd_free_disk(struct gendisk *disk)
{
	struct ybd_device *dev = disk->private_data;

	mutex_lock(&ybd_registry_lock);
	dev->disk = NULL;
	mutex_unlock(&ybd_registry_lock);
	ybd_device_put(dev);
}

static const struct block_device_operations ybd_fops = {
	.owner		= THIS_MODULE,
	.open		= ybd_open,
	.submit_bio	= ybd_submit_bio,
	.free_disk	= ybd_free_disk,
};

/**
 * ybd_disk_is_ours - is this disk a ybd device?
 * @disk: any disk
 */
bool ybd_disk_is_ours(const struct gendisk *disk)
{
	return disk->fops == &ybd_fops;
}

static bool name_is_valid(const char *name)
{
	const char *c;

	if (!*name || *name == '.' || *name == '-')
		return false;
	for (c = name; *c; c++)
		if (!isascii(*c) || (!isalnum(*c) && !strchr("._-", *c)))
			return false;
	return true;
}

static int check_config(const struct ybd_device_config *config,
			struct netlink_ext_ack *extack)
{
	u64 image_size = (u64)config->image->nr_sectors << SECTOR_SHIFT;
	u32 block = config->logical_block_size;

	if (!name_is_valid(config->name)) {
		NL_SET_ERR_MSG(extack, "name: expected [A-Za-z0-9._-], not beginning with a dot or dash");
		return -EINVAL;
	}
	if (block != 512 && block != 4096) {
		NL_SET_ERR_MSG(extack, "logical-block-size: expected 512 or 4096");
		return -EINVAL;
	}
	if (config->size < image_size) {
		NL_SET_ERR_MSG(extack, "size: below the size of the image");
		return -EINVAL;
	}
	if (!config->size || config->size & (block - 1) ||
	    config->size > LLONG_MAX) {
		NL_SET_ERR_MSG(extack, "size: expected a multiple of the logical block size, above 0, below 8 EiB");
		return -EINVAL;
	}
	if (config->upper_kind != YBD_UPPER_KIND_NONE &&
	    config->image->flags & YBD_IMAGE_FLAGS_READ_ONLY) {
		NL_SET_ERR_MSG(extack, "upper: the image was loaded for read-only devices");
		return -EROFS;
	}
	switch (config->upper_kind) {
	case YBD_UPPER_KIND_NONE:
		if (config->upper_limit || config->cgroup_fd >= 0) {
			NL_SET_ERR_MSG(extack, "upper-limit and cgroup-fd need an upper");
			return -EINVAL;
		}
		return 0;
	case YBD_UPPER_KIND_RAM:
		if (config->upper_limit < YBD_RAM_MIN_LIMIT) {
			NL_SET_ERR_MSG(extack, "upper-limit: a RAM upper needs a bound of at least 8192 bytes");
			return -EINVAL;
		}
		return 0;
	default:
		if (!config->pool) {
			NL_SET_ERR_MSG(extack, "pool-fd: an upper in a pool needs it");
			return -EINVAL;
		}
		return 0;
	}
}

/**
 * ybd_device_find_name - look a device up by name
 * @name: its name
 *
 * The caller holds ybd_registry_lock. Return: the device, borrowed, in any
 * state of life, or NULL.
 */
struct ybd_device *ybd_device_find_name(const char *name)
{
	struct ybd_device *dev;

	lockdep_assert_held(&ybd_registry_lock);
	hash_for_each_possible(ybd_device_names, dev, name_node, hash_name(name))
		if (!strcmp(dev->name, name))
			return dev;
	return NULL;
}

/**
 * ybd_device_find - look a device up by number
 * @id: its number
 *
 * The caller holds ybd_registry_lock. Return: the device, borrowed, in any
 * state of life, or NULL.
 */
struct ybd_device *ybd_device_find(u32 id)
{
	lockdep_assert_held(&ybd_registry_lock);
	return xa_load(&ybd_devices, id);
}

/**
 * ybd_device_next - walk the devices
 * @id: cursor, 0 to begin; set to the number found
 *
 * The caller holds ybd_registry_lock. Return: the first device with a number
 * of at least *@id, borrowed, or NULL.
 */
struct ybd_device *ybd_device_next(unsigned long *id)
{
	lockdep_assert_held(&ybd_registry_lock);
	return xa_find(&ybd_devices, id, ULONG_MAX, XA_PRESENT);
}

/* Devices that exist; the caller holds ybd_registry_lock. */
unsigned int ybd_device_count(void)
{
	lockdep_assert_held(&ybd_registry_lock);
	return ybd_devices_nr;
}

/* Block major of all devices. */
unsigned int ybd_device_major(void)
{
	return ybd_major;
}

/**
 * ybd_device_stat - sum of a counter over all CPUs
 * @dev: the device
 * @what: the counter
 */
u64 ybd_device_stat(const struct ybd_device *dev, enum ybd_stat what)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(dev->pcpu, cpu)->stat[what]);
	return sum;
}

/* Take number and name, and the image for as long as the device exists. */
static int device_enter(struct ybd_device *dev, struct netlink_ext_ack *extack)
{
	int ret;

	mutex_lock(&ybd_registry_lock);
	if (ybd_device_find_name(dev->name)) {
		NL_SET_ERR_MSG(extack, "a device of that name exists");
		ret = -EEXIST;
		goto out;
	}
	if (dev->image->unloaded) {
		NL_SET_ERR_MSG(extack, "no such image");
		ret = -ENOENT;
		goto out;
	}
	ret = xa_alloc(&ybd_devices, &dev->id, dev, XA_LIMIT(0, MINORMASK), GFP_KERNEL);
	if (ret) {
		if (ret == -EBUSY)
			NL_SET_ERR_MSG(extack, "no device number is free");
		goto out;
	}
	hash_add(ybd_device_names, &dev->name_node, hash_name(dev->name));
	dev->image->devices++;
	ybd_devices_nr++;
out:
	mutex_unlock(&ybd_registry_lock);
	return ret;
}

static void device_leave(struct ybd_device *dev)
{
	mutex_lock(&ybd_registry_lock);
	hash_del(&dev->name_node);
	xa_erase(&ybd_devices, dev->id);
	dev->image->devices--;
	ybd_devices_nr--;
	ybd_registry_generation++;
	mutex_unlock(&ybd_registry_lock);
}

static void device_set_life(struct ybd_device *dev, enum ybd_device_life life)
{
	mutex_lock(&ybd_registry_lock);
	dev->life = life;
	ybd_registry_generation++;
	mutex_unlock(&ybd_registry_lock);
}

static struct ybd_device *device_alloc(const struct ybd_device_config *config,
				       struct netlink_ext_ack *extack)
{
	struct ybd_device *dev;
	int ret = -ENOMEM;

	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev)
		return ERR_PTR(-ENOMEM);
	dev->pcpu = alloc_percpu(struct ybd_pcpu);
	if (!dev->pcpu)
		goto err_free;
	if (config->upper_kind == YBD_UPPER_KIND_RAM) {
		dev->ram = ybd_ram_create(config->upper_limit, config->cgroup_fd, extack);
		if (IS_ERR(dev->ram)) {
			ret = PTR_ERR(dev->ram);
			goto err_pcpu;
		}
	}
	refcount_set(&dev->ref, 1);
	init_waitqueue_head(&dev->drained);
	INIT_WORK(&dev->detach_work, detach_work);
	init_completion(&dev->detached);
	dev->upper_kind = config->upper_kind;
	dev->nr_sectors = config->size >> SECTOR_SHIFT;
	dev->block_mask = (config->logical_block_size >> SECTOR_SHIFT) - 1;
	strscpy(dev->name, config->name, sizeof(dev->name));
	dev->image = config->image;
	dev->fast.replug = config->replug;
	ret = ybd_device_lower_init(dev);
	if (ret)
		goto err_ram;
	refcount_inc(&dev->image->ref);
	__module_get(THIS_MODULE);
	return dev;

err_ram:
	if (dev->ram)
		ybd_ram_destroy(dev->ram);
err_pcpu:
	free_percpu(dev->pcpu);
err_free:
	kfree(dev);
	return ERR_PTR(ret);
}

static void device_free(struct ybd_device *dev)
{
	if (dev->ram)
		ybd_ram_destroy(dev->ram);
	if (dev->upper)
		ybd_upper_free(dev->upper);
	ybd_device_lower_exit(dev);
	ybd_image_put(dev->image);
	free_percpu(dev->pcpu);
	kfree(dev);
	/*
	 * A tail call, so that nothing of the module runs behind it. Netlink
	 * requests hold off genl_unregister_family() besides; what remains is
	 * a last close preempted right here, on kernels built with frame
	 * pointers, while the module is unloaded.
	 */
	module_put(THIS_MODULE);
}

/**
 * ybd_device_put - drop a reference
 * @dev: unregistered and freed with the last one; may sleep
 */
void ybd_device_put(struct ybd_device *dev)
{
	if (!refcount_dec_and_test(&dev->ref))
		return;
	device_leave(dev);
	device_free(dev);
}

static bool device_is_writable(const struct ybd_device *dev)
{
	return dev->ram || dev->upper;
}

static struct gendisk *device_alloc_disk(struct ybd_device *dev,
					 const struct ybd_device_config *config)
{
	struct ybd_limits limits = {
		.logical_block_size = config->logical_block_size,
		/* A bio counts bytes in 32 bits, and 6.1 does not look. */
		.discard_sectors = device_is_writable(dev) ?
			round_down(UINT_MAX >> SECTOR_SHIFT, YBD_BLOCK_SECTORS) : 0,
		.write_cache = dev->upper && ybd_upper_is_persistent(dev->upper),
	};
	struct gendisk *disk = ybd_device_lower_disk(dev, &limits);

	if (IS_ERR(disk))
		return disk;
	disk->major = ybd_major;
	disk->first_minor = dev->id;
	disk->minors = 1;
	disk->flags |= GENHD_FL_NO_PART;
	disk->fops = &ybd_fops;
	disk->private_data = dev;
	snprintf(disk->disk_name, sizeof(disk->disk_name), "ybd%u", dev->id);
	set_capacity(disk, config->size >> SECTOR_SHIFT);
	set_disk_ro(disk, !device_is_writable(dev));
	return disk;
}

static void device_set_fast(struct ybd_device *dev)
{
	const struct ybd_map *map = &dev->image->map;
	struct ybd_fast *fast = &dev->fast;
	struct ybd_source *source;

	fast->part0 = dev->disk->part0;
	fast->queue = dev->disk->queue;
	fast->written = dev->upper && !ybd_upper_is_empty(dev->upper);
	if (!map->table32)
		return;
	source = dev->image->sources[map->single];
	if (source->block_mask > dev->block_mask)
		return;
	fast->table = map->table32;
	fast->nr_units = map->nr_units;
	fast->shift = map->shift;
	fast->source = source;
}

static int device_drained(struct ybd_device *dev)
{
	long sum = 0;
	int cpu;

	/*
	 * Nothing begins any more, so each CPU's part only falls from here on
	 * and a sum of 0 cannot come from reading the parts one by one.
	 */
	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(dev->pcpu, cpu)->inflight);
	return !sum;
}

static void device_drain(struct ybd_device *dev)
{
	WRITE_ONCE(dev->draining, true);
	/* A completion may have missed @draining, hence the time-out. */
	while (!wait_event_timeout(dev->drained, device_drained(dev), HZ / 50 + 1))
		;
}

/* The rest of a detach, when no I/O begins any more. */
static void device_finish_detach(struct ybd_device *dev)
{
	device_drain(dev);
	if (dev->upper)
		ybd_upper_stop(dev->upper);
	device_set_life(dev, YBD_DEVICE_DETACHED);
	/* Here, as whoever has asked for it may have gone. */
	ybd_nl_device_detached(dev);
	put_disk(dev->disk);
}

static void detach_work(struct work_struct *work)
{
	struct ybd_device *dev = container_of(work, struct ybd_device, detach_work);

	device_finish_detach(dev);
	complete_all(&dev->detached);
	ybd_device_put(dev);
}

/*
 * Remove the disk and wait for the I/O below, but not for ever: the caller
 * holds off all of generic netlink, and a lower that does not answer may hold
 * I/O for minutes. The rest is done without the caller then.
 */
static int device_remove_disk(struct ybd_device *dev, struct netlink_ext_ack *extack)
{
	long left;

	ybd_device_lower_unlink(dev);
	del_gendisk(dev->disk);
	/* What is in a pool is written to that first, which can take as long. */
	if (!dev->upper && device_drained(dev)) {
		device_finish_detach(dev);
		return 0;
	}
	refcount_inc(&dev->ref);
	queue_work(ybd_wait_wq, &dev->detach_work);
	left = wait_for_completion_killable_timeout(&dev->detached,
						    DETACH_SECONDS * HZ);
	if (left > 0) {
		/* Its reference has to go before the caller's, which is the last. */
		flush_work(&dev->detach_work);
		return 0;
	}
	NL_SET_ERR_MSG(extack, "new I/O fails, but I/O below has not ended yet: the detach goes on by itself");
	return left ? -EINTR : -EINPROGRESS;
}

/* Those who wait for a source are told now, or nothing below would end. */
static void device_unpark(struct ybd_device *dev)
{
	WRITE_ONCE(dev->unparked, true);
	ybd_park_drop(dev);
}

/* The disk of a device whose name, image and upper are there. */
static int device_start(struct ybd_device *dev, const struct ybd_device_config *config,
			struct netlink_ext_ack *extack)
{
	int ret;

	dev->disk = device_alloc_disk(dev, config);
	if (IS_ERR(dev->disk)) {
		ret = PTR_ERR(dev->disk);
		dev->disk = NULL;
		return ret;
	}
	device_set_fast(dev);
	/* One reference is the disk's from here on, the other the caller's. */
	refcount_inc(&dev->ref);
	ret = device_add_disk(NULL, dev->disk, ybd_device_groups);
	if (ret) {
		/* ->free_disk() is only called for a disk that was added. */
		put_disk(dev->disk);
		ybd_device_put(dev);
		return ret;
	}
	ret = ybd_device_lower_link(dev, extack);
	if (ret) {
		device_unpark(dev);
		del_gendisk(dev->disk);
		put_disk(dev->disk);
		return ret;
	}
	device_set_life(dev, YBD_DEVICE_LIVE);
	return 0;
}

/**
 * ybd_device_create - make a block device
 * @config: what it is to be
 * @extack: told why when refused
 *
 * May sleep. Return: the live device with a reference for the caller, or an
 * error pointer. The device node exists.
 */
struct ybd_device *ybd_device_create(const struct ybd_device_config *config,
				     struct netlink_ext_ack *extack)
{
	struct ybd_device *dev;
	int ret;

	ret = check_config(config, extack);
	if (ret)
		return ERR_PTR(ret);
	dev = device_alloc(config, extack);
	if (IS_ERR(dev))
		return dev;
	ret = device_enter(dev, extack);
	if (ret) {
		device_free(dev);
		return ERR_PTR(ret);
	}
	if (config->upper_kind == YBD_UPPER_KIND_POOL) {
		struct ybd_upper *upper = ybd_upper_create(dev, config, extack);

		if (IS_ERR(upper)) {
			ybd_device_put(dev);
			return ERR_CAST(upper);
		}
		dev->upper = upper;
	}
	ret = device_start(dev, config, extack);
	if (ret) {
		/* It is as if it had never been made. */
		if (dev->upper)
			ybd_upper_set_destroy(dev->upper);
		ybd_device_put(dev);
		return ERR_PTR(ret);
	}
	return dev;
}

/**
 * ybd_device_attach - make a block device of an upper that is on disk
 * @pool: where it is; borrowed
 * @uuid: of the upper
 * @image: what it was made over; borrowed
 * @replug: milliseconds that reads wait for a source that is gone, or 0
 * @extack: told why when refused
 *
 * May sleep. Return: as ybd_device_create().
 */
struct ybd_device *ybd_device_attach(struct ybd_pool *pool, const uuid_t *uuid,
				     struct ybd_image *image, u32 replug,
				     struct netlink_ext_ack *extack)
{
	struct ybd_device_config config = { .image = image, .replug = replug };
	struct ybd_upper *upper;
	struct ybd_device *dev;
	int ret;

	upper = ybd_upper_attach(pool, uuid, &config, extack);
	if (IS_ERR(upper))
		return ERR_CAST(upper);
	ret = check_config(&config, extack);
	if (ret)
		goto err_upper;
	dev = device_alloc(&config, extack);
	if (IS_ERR(dev)) {
		ret = PTR_ERR(dev);
		goto err_upper;
	}
	/* The upper is freed with the device from here on. */
	dev->upper = upper;
	ybd_upper_set_device(upper, dev);
	ret = device_enter(dev, extack);
	if (ret) {
		device_free(dev);
		return ERR_PTR(ret);
	}
	ret = device_start(dev, &config, extack);
	if (ret) {
		ybd_device_put(dev);
		return ERR_PTR(ret);
	}
	return dev;

err_upper:
	ybd_upper_free(upper);
	return ERR_PTR(ret);
}

/* One at a time detaches or resizes; it alone goes on. */
static int device_claim(struct ybd_device *dev, struct netlink_ext_ack *extack)
{
	int ret = 0;

	mutex_lock(&ybd_registry_lock);
	if (dev->life == YBD_DEVICE_LIVE) {
		dev->life = YBD_DEVICE_DETACHING;
	} else if (dev->life == YBD_DEVICE_DETACHED) {
		NL_SET_ERR_MSG(extack, "device is detached and waits for its last close");
		ret = -ENODEV;
	} else {
		NL_SET_ERR_MSG(extack, "device is being created, resized or detached");
		ret = -EBUSY;
	}
	mutex_unlock(&ybd_registry_lock);
	return ret;
}

/**
 * ybd_device_resize - make a device larger
 * @dev: the caller holds a reference
 * @size: in bytes
 * @extack: told why when refused
 *
 * May sleep. Return: 0, or a negative errno.
 */
int ybd_device_resize(struct ybd_device *dev, u64 size, struct netlink_ext_ack *extack)
{
	u32 block = (dev->block_mask + 1) << SECTOR_SHIFT;
	int ret;

	ret = device_claim(dev, extack);
	if (ret)
		return ret;
	ret = -EINVAL;
	if (!device_is_writable(dev)) {
		NL_SET_ERR_MSG(extack, "size: the device is read-only");
		goto out;
	}
	if (size & (block - 1) || size > LLONG_MAX || size >> SECTOR_SHIFT < dev->nr_sectors) {
		NL_SET_ERR_MSG(extack, "size: expected a multiple of the logical block size, at least the present size");
		goto out;
	}
	ret = dev->upper ? ybd_upper_resize(dev->upper, size, extack) : 0;
	if (!ret) {
		mutex_lock(&ybd_registry_lock);
		dev->nr_sectors = size >> SECTOR_SHIFT;
		mutex_unlock(&ybd_registry_lock);
		set_capacity_and_notify(dev->disk, size >> SECTOR_SHIFT);
	}
out:
	device_set_life(dev, YBD_DEVICE_LIVE);
	return ret;
}

/*
 * What has the lock may wait for a source: a sync(2) of an open device, or the last
 * close, when it drops pages that are being read. False after a second of that.
 */
static bool device_lock_openers(struct gendisk *disk, bool force)
{
	unsigned int i;

	if (force) {
		mutex_lock(&disk->open_mutex);
		return true;
	}
	for (i = 0; !mutex_trylock(&disk->open_mutex); i++) {
		if (i == 50)
			return false;
		msleep(20);
	}
	return true;
}

/* Would what is to be destroyed be there again with its pool? */
static bool device_would_return(const struct ybd_device *dev)
{
	return dev->upper && ybd_upper_is_persistent(dev->upper) &&
	       ybd_upper_is_cut_off(dev->upper);
}

/**
 * ybd_device_detach - remove a device
 * @dev: the caller holds a reference
 * @flags: of enum ybd_detach_flags
 * @extack: told why when refused
 *
 * Reads that wait for a source that is gone end at once.
 *
 * When it returns 0, new I/O fails and none is below, save reads of the image
 * that were sent without a hook (iostats off): those touch nothing but the
 * source, which stays open until the last close. May sleep.
 *
 * Return: 0, -EBUSY while it is open, -ENODEV when it is gone already, -EIO when
 * it cannot be destroyed (nothing was done), or -EINPROGRESS (-EINTR after a
 * signal) when the I/O below takes too long: new I/O fails, and the rest is done
 * when it has ended.
 */
int ybd_device_detach(struct ybd_device *dev, u32 flags, struct netlink_ext_ack *extack)
{
	bool force = flags & YBD_DETACH_FLAGS_FORCE;
	struct gendisk *disk = dev->disk;
	bool locked, busy = true;
	int ret;

	if (flags & YBD_DETACH_FLAGS_DESTROY && device_would_return(dev)) {
		NL_SET_ERR_MSG(extack,
			       "its pool is gone: detach it, and destroy it when the pool is back");
		return -EIO;
	}
	ret = device_claim(dev, extack);
	if (ret)
		return ret;
	/* A close that has the lock may wait for what is parked. */
	if (force)
		device_unpark(dev);
	locked = device_lock_openers(disk, force);
	if (locked) {
		busy = !force && disk_openers(disk);
		if (!busy)
			dev->detaching = true;
		mutex_unlock(&disk->open_mutex);
	}
	if (busy) {
		if (locked)
			NL_SET_ERR_MSG(extack, "device is open");
		else
			NL_SET_ERR_MSG(extack, "device is in use: an open, close or sync of it has not ended");
		mutex_lock(&ybd_registry_lock);
		dev->life = YBD_DEVICE_LIVE;
		mutex_unlock(&ybd_registry_lock);
		return -EBUSY;
	}
	device_unpark(dev);
	if (flags & YBD_DETACH_FLAGS_DESTROY && dev->upper)
		ybd_upper_set_destroy(dev->upper);
	/* Without this del_gendisk() would first write everything back. */
	if (force)
		blk_mark_disk_dead(disk);
	return device_remove_disk(dev, extack);
}

/* Register the block major. */
int ybd_device_init(void)
{
	ybd_major = register_blkdev(0, "ybd");
	return ybd_major < 0 ? ybd_major : 0;
}

/* No device exists any more: each one pins the module. */
void ybd_device_exit(void)
{
	unregister_blkdev(ybd_major, "ybd");
}
