// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sources: open and claim block devices, one object per block device however
 * many images read from it.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/slab.h>

#include "device.h"
#include "source.h"

/* Protects ybd_sources and source->images, the reference count. */
static DEFINE_MUTEX(ybd_source_lock);
static LIST_HEAD(ybd_sources);
static u32 ybd_source_next_id;

/* All claims carry this holder, so that images may share a source. */
static int ybd_holder;

/* May this open file be a source? */
static int source_check(struct file *file, struct netlink_ext_ack *extack)
{
	struct inode *inode = file->f_mapping->host;

	if (!S_ISBLK(inode->i_mode)) {
		NL_SET_ERR_MSG(extack, "source: fd is not a block device");
		return -ENOTBLK;
	}
	if (!(file->f_mode & FMODE_READ)) {
		NL_SET_ERR_MSG(extack, "source: fd is not open for reading");
		return -EACCES;
	}
	if (ybd_disk_is_ours(I_BDEV(inode)->bd_disk)) {
		NL_SET_ERR_MSG(extack, "source: a ybd device cannot be a source");
		return -ELOOP;
	}
	return 0;
}

/* Open and claim @bdev for ourselves. */
static struct ybd_source *source_open(struct block_device *bdev, const char *name,
				      struct netlink_ext_ack *extack)
{
	struct ybd_source *source;
	int ret;

	source = kzalloc(sizeof(*source), GFP_KERNEL);
	if (!source)
		return ERR_PTR(-ENOMEM);
	ret = ybd_bdev_open(&source->b, bdev->bd_dev, false, &ybd_holder);
	if (ret) {
		ybd_extack_set(extack, ret == -EBUSY ?
			       "source: claimed by somebody else" :
			       "source: cannot be opened");
		goto err_free;
	}
	/* It is opened by number, which another disk may have by now. */
	if (source->b.bdev != bdev) {
		NL_SET_ERR_MSG(extack, "source: the device behind fd is gone");
		ret = -ENODEV;
		goto err_close;
	}
	if (bdev_is_zoned(source->b.bdev)) {
		NL_SET_ERR_MSG(extack, "source: zoned devices are not supported");
		ret = -EOPNOTSUPP;
		goto err_close;
	}
	if (bdev_logical_block_size(source->b.bdev) > YBD_BLOCK_SIZE) {
		NL_SET_ERR_MSG(extack, "source: logical blocks of more than 4096 bytes are not supported");
		ret = -EOPNOTSUPP;
		goto err_close;
	}
	source->block_mask = (bdev_logical_block_size(source->b.bdev) >> SECTOR_SHIFT) - 1;
	source->size = (u64)bdev_nr_sectors(source->b.bdev) << SECTOR_SHIFT;
	strscpy(source->name, name, sizeof(source->name));
	return source;

err_close:
	ybd_bdev_close(&source->b);
err_free:
	kfree(source);
	return ERR_PTR(ret);
}

/**
 * ybd_source_get_fd - find or open the source behind a descriptor
 * @fd: descriptor of the calling process, open for reading
 * @name: identity in user space, kept if the source is new
 * @extack: told why when refused
 *
 * May sleep. Return: the source with a reference for the caller, or an error
 * pointer.
 */
struct ybd_source *ybd_source_get_fd(int fd, const char *name,
				     struct netlink_ext_ack *extack)
{
	struct file *file = fget(fd);
	struct ybd_source *source;
	struct block_device *bdev;
	int ret;

	if (!file) {
		NL_SET_ERR_MSG(extack, "source: fd is not an open descriptor");
		return ERR_PTR(-EBADF);
	}
	ret = source_check(file, extack);
	if (ret) {
		fput(file);
		return ERR_PTR(ret);
	}
	bdev = I_BDEV(file->f_mapping->host);

	mutex_lock(&ybd_source_lock);
	list_for_each_entry(source, &ybd_sources, node)
		if (source->b.bdev == bdev)
			goto out;
	source = source_open(bdev, name, extack);
	if (IS_ERR(source))
		goto out_unlock;
	source->id = ++ybd_source_next_id;
	list_add_tail(&source->node, &ybd_sources);
out:
	source->images++;
out_unlock:
	mutex_unlock(&ybd_source_lock);
	fput(file);
	return source;
}

/**
 * ybd_source_put - drop a reference from ybd_source_get_fd()
 * @source: closed with the last one; may sleep
 */
void ybd_source_put(struct ybd_source *source)
{
	mutex_lock(&ybd_source_lock);
	if (!--source->images) {
		list_del(&source->node);
		ybd_bdev_close(&source->b);
		kfree(source);
	}
	mutex_unlock(&ybd_source_lock);
}

/**
 * ybd_source_for_each - call @fn for each source, in order of their numbers
 * @fn: called with ybd_source_lock held; a value other than 0 ends the walk
 * @arg: handed to @fn
 *
 * Return: what @fn returned last, or 0.
 */
int ybd_source_for_each(int (*fn)(struct ybd_source *source, void *arg), void *arg)
{
	struct ybd_source *source;
	int ret = 0;

	mutex_lock(&ybd_source_lock);
	list_for_each_entry(source, &ybd_sources, node) {
		ret = fn(source, arg);
		if (ret)
			break;
	}
	mutex_unlock(&ybd_source_lock);
	return ret;
}
