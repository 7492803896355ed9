// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sources: open and claim block devices, one object per block device however
 * many images read from it, and let another one take the place of one that is
 * gone.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/slab.h>

#include "device.h"
#include "park.h"
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

/* ---- the block devices of a source ---- */

static void backing_retire_work(struct work_struct *work)
{
	struct ybd_backing *backing = container_of(work, struct ybd_backing, work);
	struct ybd_source *source = backing->source;

	ybd_backing_put(backing);
	/* All of it under the lock: who waits for this frees the source. */
	spin_lock_irq(&source->lock);
	source->retiring--;
	wake_up(&source->retired);
	spin_unlock_irq(&source->lock);
}

/* All hooked I/O to what the source no longer is has ended. Any context. */
static void backing_drained(struct percpu_ref *ref)
{
	struct ybd_backing *backing = container_of(ref, struct ybd_backing, ios);

	queue_work(ybd_wait_wq, &backing->work);
}

/**
 * ybd_backing_hold - the block device of a source
 * @source: held
 *
 * Process context. Return: it and all that come after it stay open until
 * ybd_backing_put().
 */
struct ybd_backing *ybd_backing_hold(struct ybd_source *source)
{
	struct ybd_backing *backing;
	unsigned long flags;

	spin_lock_irqsave(&source->lock, flags);
	backing = rcu_dereference_protected(source->backing, lockdep_is_held(&source->lock));
	refcount_inc(&backing->ref);
	spin_unlock_irqrestore(&source->lock, flags);
	return backing;
}

/**
 * ybd_backing_put - drop a reference from ybd_backing_hold()
 * @backing: closed with the last one, or NULL; may sleep
 */
void ybd_backing_put(struct ybd_backing *backing)
{
	while (backing && refcount_dec_and_test(&backing->ref)) {
		struct ybd_backing *next = backing->next;

		percpu_ref_exit(&backing->ios);
		ybd_bdev_close(&backing->b);
		kfree(backing);
		backing = next;
	}
}

static int backing_check(const struct ybd_backing *backing, const struct block_device *bdev,
			 struct netlink_ext_ack *extack)
{
	/* It is opened by number, which another disk may have by now. */
	if (backing->b.bdev != bdev) {
		NL_SET_ERR_MSG(extack, "source: the device behind fd is gone");
		return -ENODEV;
	}
	if (bdev_is_zoned(backing->b.bdev)) {
		NL_SET_ERR_MSG(extack, "source: zoned devices are not supported");
		return -EOPNOTSUPP;
	}
	if (bdev_logical_block_size(backing->b.bdev) > YBD_BLOCK_SIZE) {
		NL_SET_ERR_MSG(extack, "source: logical blocks of more than 4096 bytes are not supported");
		return -EOPNOTSUPP;
	}
	return 0;
}

/* Open and claim @bdev for ourselves. */
static struct ybd_backing *backing_open(struct block_device *bdev,
					struct netlink_ext_ack *extack)
{
	struct ybd_backing *backing;
	int ret = -ENOMEM;

	backing = kzalloc(sizeof(*backing), GFP_KERNEL);
	if (!backing)
		return ERR_PTR(-ENOMEM);
	if (percpu_ref_init(&backing->ios, backing_drained, 0, GFP_KERNEL))
		goto err_free;
	refcount_set(&backing->ref, 1);
	INIT_WORK(&backing->work, backing_retire_work);
	ret = ybd_bdev_open(&backing->b, bdev->bd_dev, false, &ybd_holder);
	if (ret) {
		ybd_extack_set(extack, ret == -EBUSY ?
			       "source: claimed by somebody else" :
			       "source: cannot be opened");
		goto err_ios;
	}
	ret = backing_check(backing, bdev, extack);
	if (ret)
		goto err_close;
	return backing;

err_close:
	ybd_bdev_close(&backing->b);
err_ios:
	percpu_ref_exit(&backing->ios);
err_free:
	kfree(backing);
	return ERR_PTR(ret);
}

/* ---- sources ---- */

static struct ybd_source *source_open(struct block_device *bdev, const char *name,
				      struct netlink_ext_ack *extack)
{
	struct ybd_backing *backing;
	struct ybd_source *source;

	source = kzalloc(sizeof(*source), GFP_KERNEL);
	if (!source)
		return ERR_PTR(-ENOMEM);
	backing = backing_open(bdev, extack);
	if (IS_ERR(backing)) {
		kfree(source);
		return ERR_CAST(backing);
	}
	backing->source = source;
	RCU_INIT_POINTER(source->backing, backing);
	source->lower = bdev;
	source->block_mask = (bdev_logical_block_size(bdev) >> SECTOR_SHIFT) - 1;
	source->size = (u64)bdev_nr_sectors(bdev) << SECTOR_SHIFT;
	spin_lock_init(&source->lock);
	init_waitqueue_head(&source->retired);
	ybd_park_init(source);
	strscpy(source->name, name, sizeof(source->name));
	return source;
}

/* Nobody uses it any more, and it is in no list. */
static void source_free(struct ybd_source *source)
{
	ybd_park_exit(source);
	/* Nothing is below any more, but that may not have been noticed yet. */
	spin_lock_irq(&source->lock);
	wait_event_lock_irq(source->retired, !source->retiring, source->lock);
	spin_unlock_irq(&source->lock);
	ybd_backing_put(rcu_dereference_protected(source->backing, true));
	kfree(source);
}

/* The block device behind a descriptor, held by *@file, if it may be a source. */
static struct block_device *source_fget(int fd, struct file **file,
					struct netlink_ext_ack *extack)
{
	int ret;

	*file = fget(fd);
	if (!*file) {
		NL_SET_ERR_MSG(extack, "source: fd is not an open descriptor");
		return ERR_PTR(-EBADF);
	}
	ret = source_check(*file, extack);
	if (ret) {
		fput(*file);
		return ERR_PTR(ret);
	}
	return I_BDEV((*file)->f_mapping->host);
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
	struct ybd_source *source;
	struct block_device *bdev;
	struct file *file;

	bdev = source_fget(fd, &file, extack);
	if (IS_ERR(bdev))
		return ERR_CAST(bdev);

	mutex_lock(&ybd_source_lock);
	list_for_each_entry(source, &ybd_sources, node)
		if (source->lower == bdev)
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
	bool last;

	mutex_lock(&ybd_source_lock);
	last = !--source->images;
	if (last)
		list_del(&source->node);
	mutex_unlock(&ybd_source_lock);
	if (last)
		source_free(source);
}

/* ---- another block device in the place of one that is gone ---- */

/* The source that is meant. The caller holds ybd_source_lock. */
static struct ybd_source *source_find(u32 id, const char *name,
				      struct netlink_ext_ack *extack)
{
	struct ybd_source *source, *found = NULL;

	list_for_each_entry(source, &ybd_sources, node) {
		if (id ? source->id != id : strcmp(source->name, name))
			continue;
		if (found) {
			NL_SET_ERR_MSG(extack, "source: several have that name: its id is needed too");
			return ERR_PTR(-ENOTUNIQ);
		}
		found = source;
	}
	if (!found) {
		NL_SET_ERR_MSG(extack, "no such source");
		return ERR_PTR(-ENOENT);
	}
	if (strcmp(found->name, name)) {
		NL_SET_ERR_MSG(extack, "source: the one with that id has another name");
		return ERR_PTR(-EINVAL);
	}
	return found;
}

/*
 * Devices that stand on the source have told their callers what it can do, and
 * go on doing so. What only says how much goes down at once is another matter:
 * the new one splits by limits of its own.
 */
static int source_check_new(const struct ybd_source *source, struct block_device *old,
			    struct block_device *bdev, struct netlink_ext_ack *extack)
{
	u64 size = (u64)bdev_nr_sectors(bdev) << SECTOR_SHIFT;

	if (size < source->size) {
		YBD_EXTACK_FMT(extack, "source: the new device is too small",
			       "source: new device: %llu bytes, expected at least %llu",
			       size, source->size);
		return -EINVAL;
	}
	if (bdev_logical_block_size(bdev) != (source->block_mask + 1) << SECTOR_SHIFT) {
		YBD_EXTACK_FMT(extack, "source: the new device has other logical blocks",
			       "source: new device: logical blocks of %u bytes, expected %u",
			       bdev_logical_block_size(bdev),
			       (source->block_mask + 1) << SECTOR_SHIFT);
		return -EINVAL;
	}
	if (bdev_dma_alignment(bdev) & ~bdev_dma_alignment(old)) {
		YBD_EXTACK_FMT(extack, "source: the new device needs memory aligned to more",
			       "source: new device: memory aligned to %u bytes, expected at most %u",
			       bdev_dma_alignment(bdev) + 1, bdev_dma_alignment(old) + 1);
		return -EINVAL;
	}
	if (bdev_nowait(old) && !bdev_nowait(bdev)) {
		NL_SET_ERR_MSG(extack, "source: the new device does not do REQ_NOWAIT, expected that it does");
		return -EINVAL;
	}
	return 0;
}

/* From here on I/O goes to @new. The caller holds ybd_source_lock. */
static void source_install(struct ybd_source *source, struct ybd_backing *old,
			   struct ybd_backing *new)
{
	unsigned long flags;

	/* For @old, before anybody can have that and not this. */
	refcount_inc(&new->ref);
	new->source = source;
	new->nr = source->swaps + 1;
	spin_lock_irqsave(&source->lock, flags);
	old->next = new;
	rcu_assign_pointer(source->backing, new);
	WRITE_ONCE(source->lower, new->b.bdev);
	source->swaps = new->nr;
	source->retiring++;
	spin_unlock_irqrestore(&source->lock, flags);
	source->size = (u64)bdev_nr_sectors(new->b.bdev) << SECTOR_SHIFT;
	percpu_ref_kill(&old->ios);
}

static int source_replace(struct ybd_source *source, struct block_device *bdev,
			  struct netlink_ext_ack *extack)
{
	struct ybd_backing *old, *new;
	int ret;

	old = rcu_dereference_protected(source->backing, lockdep_is_held(&ybd_source_lock));
	/* The one it has: it answers again. */
	if (old->b.bdev == bdev)
		return 0;
	new = backing_open(bdev, extack);
	if (IS_ERR(new))
		return PTR_ERR(new);
	ret = source_check_new(source, old->b.bdev, bdev, extack);
	if (ret) {
		ybd_backing_put(new);
		return ret;
	}
	source_install(source, old, new);
	return 0;
}

/**
 * ybd_source_swap - another block device takes the place of one that is gone
 * @id: number of the source, or 0
 * @name: its identity
 * @fd: descriptor of the calling process, open for reading: what it is from now on
 * @extack: told why when refused
 *
 * That it has the same contents is for the caller to know. I/O goes to it when
 * this returns; the caller sees to parked I/O with ybd_park_resend(), and to what
 * devices show below them. May sleep. Return: the source with a reference, to be
 * dropped with ybd_source_put(), or an error pointer with nothing changed.
 */
struct ybd_source *ybd_source_swap(u32 id, const char *name, int fd,
				   struct netlink_ext_ack *extack)
{
	struct ybd_source *source;
	struct block_device *bdev;
	struct file *file;
	int ret;

	bdev = source_fget(fd, &file, extack);
	if (IS_ERR(bdev))
		return ERR_CAST(bdev);
	mutex_lock(&ybd_source_lock);
	source = source_find(id, name, extack);
	if (!IS_ERR(source)) {
		ret = source_replace(source, bdev, extack);
		if (ret)
			source = ERR_PTR(ret);
		else
			source->images++;
	}
	mutex_unlock(&ybd_source_lock);
	fput(file);
	return source;
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
