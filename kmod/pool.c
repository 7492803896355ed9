// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pools: opened and claimed by descriptor, one object per block device.
 */
#include <linux/bitmap.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <linux/suspend.h>

#include "device.h"
#include "netlink.h"
#include "pool_priv.h"
#include "upper_priv.h"

/* Protects the list, pool->users, opening and closing. */
static DEFINE_MUTEX(pool_list_lock);
static LIST_HEAD(pool_list);
static u32 pool_next_id;
/* Nothing is opened: the system is about to be saved to disk. Same lock. */
static bool pool_list_closed;

/* May this open file be a pool? */
static int pool_check_file(struct file *file, struct netlink_ext_ack *extack)
{
	struct inode *inode = file->f_mapping->host;

	if (!S_ISBLK(inode->i_mode)) {
		NL_SET_ERR_MSG(extack, "pool-fd is not a block device");
		return -ENOTBLK;
	}
	if (!(file->f_mode & FMODE_READ) || !(file->f_mode & FMODE_WRITE)) {
		NL_SET_ERR_MSG(extack, "pool-fd is not open for reading and writing");
		return -EACCES;
	}
	if (ybd_disk_is_ours(I_BDEV(inode)->bd_disk)) {
		NL_SET_ERR_MSG(extack, "pool: a ybd device cannot be a pool");
		return -ELOOP;
	}
	return 0;
}

/* The numbers that decide about all others. */
static bool super_is_sane(const struct ybd_fmt_super *s)
{
	u64 nr_blocks = le64_to_cpu(s->nr_blocks), max_blocks = le64_to_cpu(s->max_blocks);
	u32 segment = le32_to_cpu(s->segment_blocks), uppers = le32_to_cpu(s->nr_uppers);

	return nr_blocks >= YBD_FMT_MIN_BLOCKS && nr_blocks <= max_blocks &&
	       max_blocks <= YBD_FMT_MAX_BLOCKS && is_power_of_2(segment) &&
	       segment >= YBD_FMT_MIN_SEGMENT_BLOCKS &&
	       segment <= YBD_FMT_MAX_SEGMENT_BLOCKS &&
	       max_blocks / segment <= YBD_FMT_MAX_SEGMENTS && uppers &&
	       uppers <= YBD_FMT_MAX_UPPERS && uppers <= nr_blocks / 200 &&
	       le32_to_cpu(s->chunk_blocks) == YBD_FMT_CHUNK_BLOCKS;
}

/* Where everything is follows from those (pool-format.rst, section 1). */
static bool super_set_layout(struct ybd_pool *pool, const struct ybd_fmt_super *s)
{
	struct pool_table *seg = &pool->segments, *chunk = &pool->chunks;
	u64 max_blocks = le64_to_cpu(s->max_blocks);
	u32 seg_blocks, chunk_blocks;

	pool->nr_blocks = le64_to_cpu(s->nr_blocks);
	pool->segment_shift = ilog2(le32_to_cpu(s->segment_blocks));
	pool->chunks_per_segment = pool_segment_blocks(pool) / YBD_FMT_CHUNK_BLOCKS;
	pool->nr_uppers = le32_to_cpu(s->nr_uppers);
	seg->magic = YBD_FMT_MAGIC_SEGMENTS;
	seg->max = max_blocks >> pool->segment_shift;
	chunk->magic = YBD_FMT_MAGIC_CHUNKS;
	chunk->max = max_blocks / YBD_FMT_CHUNK_BLOCKS / 8;
	seg_blocks = DIV_ROUND_UP(seg->max, YBD_FMT_OWNERS_PER_BLOCK);
	chunk_blocks = DIV_ROUND_UP(chunk->max, YBD_FMT_OWNERS_PER_BLOCK);
	seg->first[0] = YBD_FMT_SUPER_BACKUP_BLOCK + 1;
	seg->first[1] = seg->first[0] + seg_blocks;
	chunk->first[0] = seg->first[1] + seg_blocks;
	chunk->first[1] = chunk->first[0] + chunk_blocks;
	pool->directory = chunk->first[1] + chunk_blocks;
	pool->data = round_up(pool->directory + 2ULL * pool->nr_uppers, 256ULL);
	if (pool->data >= pool->nr_blocks)
		return false;
	pool->nr_segments = (pool->nr_blocks - pool->data) >> pool->segment_shift;
	return pool->nr_segments >= YBD_FMT_MIN_SEGMENTS &&
	       pool->nr_segments == le32_to_cpu(s->nr_segments) &&
	       seg->max == le32_to_cpu(s->max_segments) &&
	       chunk->max == le32_to_cpu(s->max_chunks) &&
	       seg->first[0] == le64_to_cpu(s->segment_table[0]) &&
	       seg->first[1] == le64_to_cpu(s->segment_table[1]) &&
	       chunk->first[0] == le64_to_cpu(s->chunk_table[0]) &&
	       chunk->first[1] == le64_to_cpu(s->chunk_table[1]) &&
	       pool->directory == le64_to_cpu(s->directory) &&
	       pool->data == le64_to_cpu(s->data);
}

static int super_check(struct ybd_pool *pool, const struct ybd_fmt_super *s,
		       struct netlink_ext_ack *extack)
{
	if (le64_to_cpu(s->h.magic) != YBD_FMT_MAGIC_SUPER) {
		NL_SET_ERR_MSG(extack, "pool: the device is no pool");
		return -EINVAL;
	}
	import_uuid(&pool->uuid, s->h.pool_uuid);
	if (!ybd_fmt_valid(pool, s, YBD_FMT_MAGIC_SUPER, NULL, YBD_FMT_SUPER_BLOCK)) {
		NL_SET_ERR_MSG(extack, "pool: its superblock is damaged: run ybdctl pool check");
		return -EUCLEAN;
	}
	if (le32_to_cpu(s->version) != YBD_FMT_VERSION || s->incompat || s->ro_compat) {
		NL_SET_ERR_MSG(extack, "pool: it has features that this module does not know");
		return -EOPNOTSUPP;
	}
	if (s->flags || memchr_inv(s->reserved, 0, sizeof(s->reserved)) ||
	    s->name[sizeof(s->name) - 1] || !super_is_sane(s) || !super_set_layout(pool, s)) {
		NL_SET_ERR_MSG(extack, "pool: its superblock says what cannot be: run ybdctl pool check");
		return -EUCLEAN;
	}
	if (pool->nr_blocks > bdev_nr_sectors(pool->b.bdev) / YBD_BLOCK_SECTORS) {
		NL_SET_ERR_MSG(extack, "pool: the device is smaller than the pool");
		return -EUCLEAN;
	}
	memcpy(pool->name, s->name, sizeof(pool->name));
	return 0;
}

/*
 * A power cut while the pool grew leaves an older backup. It would take away
 * what was added, were it needed later.
 */
static int super_renew_backup(struct ybd_pool *pool, struct ybd_fmt_super *s)
{
	struct ybd_fmt_super *backup = (void *)__get_free_page(GFP_KERNEL);
	int ret;

	if (!backup)
		return -ENOMEM;
	ret = ybd_pool_rw(pool, REQ_OP_READ, YBD_FMT_SUPER_BACKUP_BLOCK, backup, 1);
	if (ret || !ybd_fmt_valid(pool, backup, YBD_FMT_MAGIC_SUPER, NULL,
				  YBD_FMT_SUPER_BACKUP_BLOCK) ||
	    le64_to_cpu(backup->h.seq) != le64_to_cpu(s->h.seq)) {
		pr_warn("pool %pUb: block %u: the backup of the superblock is damaged or old: written again\n",
			&pool->uuid, YBD_FMT_SUPER_BACKUP_BLOCK);
		ybd_fmt_seal(pool, s, YBD_FMT_MAGIC_SUPER, NULL, YBD_FMT_SUPER_BACKUP_BLOCK,
			     le64_to_cpu(s->h.seq));
		ret = ybd_pool_rw(pool, REQ_OP_WRITE | REQ_FUA, YBD_FMT_SUPER_BACKUP_BLOCK,
				  s, 1);
	}
	free_page((unsigned long)backup);
	return ret;
}

static int pool_read_super(struct ybd_pool *pool, struct netlink_ext_ack *extack)
{
	struct ybd_fmt_super *s = (void *)__get_free_page(GFP_KERNEL);
	int ret;

	if (!s)
		return -ENOMEM;
	ret = ybd_pool_rw(pool, REQ_OP_READ, YBD_FMT_SUPER_BLOCK, s, 1);
	if (ret)
		NL_SET_ERR_MSG(extack, "pool: its superblock cannot be read");
	else
		ret = super_check(pool, s, extack);
	if (!ret) {
		ret = super_renew_backup(pool, s);
		if (ret)
			NL_SET_ERR_MSG(extack, "pool: the backup of its superblock cannot be written");
	}
	free_page((unsigned long)s);
	return ret;
}

/* Everything that is in memory while the pool is open. */
static int pool_read(struct ybd_pool *pool, struct netlink_ext_ack *extack)
{
	int ret;

	ret = pool_read_super(pool, extack);
	if (ret)
		return ret;
	pool->spare_chunks = max(pool->nr_segments / 256, 1U) * pool->chunks_per_segment;
	pool->free = kvcalloc(BITS_TO_LONGS(pool->nr_segments), sizeof(long), GFP_KERNEL);
	pool->segment_at = kvcalloc(pool->nr_segments, sizeof(*pool->segment_at), GFP_KERNEL);
	if (!pool->free || !pool->segment_at)
		return -ENOMEM;
	if (bdev_max_discard_sectors(pool->b.bdev)) {
		pool->stale = kvcalloc(BITS_TO_LONGS(pool->nr_segments), sizeof(long),
				       GFP_KERNEL);
		if (!pool->stale)
			return -ENOMEM;
	}
	ret = ybd_pool_tables_read(pool) ?: ybd_pool_directory_read(pool);
	if (ret && ret != -ENOMEM)
		NL_SET_ERR_MSG(extack, "pool: its tables cannot be read: run ybdctl pool check");
	return ret;
}

static void pool_free(struct ybd_pool *pool)
{
	ybd_pool_directory_free(pool);
	ybd_pool_tables_free(pool);
	kvfree(pool->stale);
	kvfree(pool->free);
	kvfree(pool->segment_at);
	ybd_commit_free(pool->commit);
	cleanup_srcu_struct(&pool->srcu);
	kfree(pool);
	module_put(THIS_MODULE);
}

/* Another level of being full is reached, or one is left. */
static void pool_tell_level(struct work_struct *work)
{
	struct ybd_pool *pool = container_of(work, struct ybd_pool, fill.work);
	struct ybd_pool_info info;

	ybd_pool_info(pool, &info);
	if (info.level)
		pr_warn_ratelimited("pool %s (%pUb) on %s: %u%% full: %u of %u segments free\n",
				    info.name, &info.uuid, info.disk, info.level,
				    info.free_segments, info.segments);
	ybd_nl_pool_level(pool);
}

static void pool_tell_failure(struct work_struct *work)
{
	struct ybd_pool *pool = container_of(work, struct ybd_pool, fail_work);

	pr_err("pool %s (%pUb) on %s: %s: nothing is written to it any more, detach its devices\n",
	       pool->name, &pool->uuid, dev_name(&pool->b.bdev->bd_device), pool->failure);
	ybd_nl_pool_failed(pool);
}

/**
 * ybd_pool_io_error - I/O to the pool has failed
 * @pool: the pool
 * @status: why
 *
 * An error of the medium is of one block, and who wrote it is told. Not so when the
 * device was lost: what it had taken and not yet flushed may be lost with it, and
 * nobody could tell when it is back. So the pool is not used any more until it is
 * closed and read anew; what was flushed is there then. Any context.
 */
void ybd_pool_io_error(struct ybd_pool *pool, blk_status_t status)
{
	const char *why;

	switch (status) {
	case BLK_STS_TRANSPORT:
	case BLK_STS_OFFLINE:
	case BLK_STS_TIMEOUT:
		why = "the way to its device was lost, and what was not flushed may be";
		break;
	case BLK_STS_IOERR:
	case BLK_STS_NOTSUPP:
		/* What 6.1 says of everything. */
		if (!test_bit(GD_DEAD, &pool->b.bdev->bd_disk->state))
			return;
		why = "its device is gone, and what was not flushed may be";
		break;
	default:
		return;
	}
	if (!cmpxchg(&pool->failure, NULL, why))
		queue_work(ybd_wait_wq, &pool->fail_work);
}

static struct ybd_pool *pool_alloc(void)
{
	struct ybd_pool *pool;

	if (!try_module_get(THIS_MODULE))
		return NULL;
	pool = kzalloc(sizeof(*pool), GFP_KERNEL);
	if (!pool)
		goto err_module;
	if (init_srcu_struct(&pool->srcu))
		goto err_free;
	pool->commit = ybd_commit_alloc(pool);
	if (!pool->commit)
		goto err_srcu;
	spin_lock_init(&pool->lock);
	mutex_init(&pool->meta_lock);
	pool->next_metadata = NO_SEGMENT;
	ybd_fill_init(&pool->fill, pool_tell_level);
	INIT_WORK(&pool->fail_work, pool_tell_failure);
	ybd_pool_discard_init(pool);
	xa_init(&pool->places);
	return pool;

err_srcu:
	cleanup_srcu_struct(&pool->srcu);
err_free:
	kfree(pool);
err_module:
	module_put(THIS_MODULE);
	return NULL;
}

/* The opposite of pool_open(). Work that is queued looks at the device. */
static void pool_close(struct ybd_pool *pool)
{
	/* First: it may find that the pool has failed. */
	ybd_pool_discard_exit(pool);
	ybd_fill_exit(&pool->fill);
	cancel_work_sync(&pool->fail_work);
	srcu_barrier(&pool->srcu);
	ybd_bdev_close(&pool->b);
	pool_free(pool);
}

/* Open and claim @bdev, and read what is on it. */
static struct ybd_pool *pool_open(struct block_device *bdev, struct netlink_ext_ack *extack)
{
	struct ybd_pool *pool = pool_alloc();
	int ret;

	if (!pool)
		return ERR_PTR(-ENOMEM);
	ret = ybd_bdev_open(&pool->b, bdev->bd_dev, true, pool);
	if (ret) {
		ybd_extack_set(extack, ret == -EBUSY ? "pool: claimed by somebody else" :
						       "pool: cannot be opened");
		goto err_free;
	}
	/* It is opened by number, which another disk may have by now. */
	ret = -ENODEV;
	if (pool->b.bdev != bdev) {
		NL_SET_ERR_MSG(extack, "pool: the device behind pool-fd is gone");
		goto err_close;
	}
	ret = -EOPNOTSUPP;
	if (bdev_is_zoned(bdev) || bdev_logical_block_size(bdev) > YBD_BLOCK_SIZE) {
		NL_SET_ERR_MSG(extack, "pool: zoned devices, and logical blocks of more than 4096 bytes, are not supported");
		goto err_close;
	}
	ret = -EROFS;
	if (bdev_read_only(bdev)) {
		NL_SET_ERR_MSG(extack, "pool: the device is read-only");
		goto err_close;
	}
	pool->block_mask = (bdev_logical_block_size(bdev) >> SECTOR_SHIFT) - 1;
	ret = pool_read(pool, extack);
	if (ret)
		goto err_close;
	return pool;

err_close:
	pool_close(pool);
	return ERR_PTR(ret);
err_free:
	pool_free(pool);
	return ERR_PTR(ret);
}

/* Two devices with one uuid are copies of each other: which one was meant? */
static bool pool_uuid_in_use(const struct ybd_pool *pool)
{
	struct ybd_pool *other;

	list_for_each_entry(other, &pool_list, node)
		if (uuid_equal(&other->uuid, &pool->uuid))
			return true;
	return false;
}

/**
 * ybd_pool_get_fd - find or open the pool behind a descriptor
 * @fd: descriptor of the calling process, open for reading and writing
 * @extack: told why when refused
 *
 * May sleep. Return: the pool with a reference for the caller, or an error
 * pointer.
 */
struct ybd_pool *ybd_pool_get_fd(int fd, struct netlink_ext_ack *extack)
{
	struct file *file = fget(fd);
	struct block_device *bdev;
	struct ybd_pool *pool;
	int ret;

	if (!file) {
		NL_SET_ERR_MSG(extack, "pool-fd is not an open descriptor");
		return ERR_PTR(-EBADF);
	}
	ret = pool_check_file(file, extack);
	if (ret) {
		fput(file);
		return ERR_PTR(ret);
	}
	bdev = I_BDEV(file->f_mapping->host);

	mutex_lock(&pool_list_lock);
	list_for_each_entry(pool, &pool_list, node) {
		if (pool->b.bdev != bdev)
			continue;
		if (!pool_has_failed(pool))
			goto out;
		NL_SET_ERR_MSG(extack, "pool: it has failed: detach its devices first");
		pool = ERR_PTR(-EIO);
		goto out_unlock;
	}
	if (pool_list_closed) {
		NL_SET_ERR_MSG(extack, "pool: the system is about to hibernate");
		pool = ERR_PTR(-EBUSY);
		goto out_unlock;
	}
	pool = pool_open(bdev, extack);
	if (IS_ERR(pool))
		goto out_unlock;
	if (pool_uuid_in_use(pool)) {
		NL_SET_ERR_MSG(extack, "pool: one with the same uuid is in use: is it a copy?");
		pool_close(pool);
		pool = ERR_PTR(-EEXIST);
		goto out_unlock;
	}
	pool->id = ++pool_next_id;
	list_add_tail(&pool->node, &pool_list);
	ybd_pool_space_opened(pool);
out:
	pool->users++;
out_unlock:
	mutex_unlock(&pool_list_lock);
	fput(file);
	return pool;
}

/* One reference more; the caller has one. May sleep. */
void ybd_pool_hold(struct ybd_pool *pool)
{
	mutex_lock(&pool_list_lock);
	pool->users++;
	mutex_unlock(&pool_list_lock);
}

/**
 * ybd_pool_put - drop a reference
 * @pool: closed with the last one; may sleep
 */
void ybd_pool_put(struct ybd_pool *pool)
{
	bool rest = false;

	mutex_lock(&pool_list_lock);
	/* Without the lock, but as long as it is in the list: who comes meanwhile uses it. */
	if (pool->users == 1 && ybd_pool_discard_pending(pool)) {
		mutex_unlock(&pool_list_lock);
		ybd_pool_discard_rest(pool);
		mutex_lock(&pool_list_lock);
		rest = true;
	}
	if (!--pool->users) {
		list_del(&pool->node);
		pool_close(pool);
	} else if (rest && ybd_pool_discard_pending(pool)) {
		/* Somebody has come, and nobody is at it any more. */
		ybd_pool_discard_soon(pool);
	}
	mutex_unlock(&pool_list_lock);
}

/**
 * ybd_pool_info - a pool in numbers
 * @pool: the pool; the caller has a reference
 * @info: filled in
 */
void ybd_pool_info(struct ybd_pool *pool, struct ybd_pool_info *info)
{
	unsigned long flags;

	memset(info, 0, sizeof(*info));
	info->id = pool->id;
	info->uuid = pool->uuid;
	memcpy(info->name, pool->name, sizeof(info->name));
	strscpy(info->disk, dev_name(&pool->b.bdev->bd_device), sizeof(info->disk));
	info->dev = pool->b.bdev->bd_dev;
	info->block_size = (pool->block_mask + 1) << SECTOR_SHIFT;
	info->size = pool->nr_blocks << YBD_BLOCK_SHIFT;
	info->segment_size = (u64)pool_segment_blocks(pool) << YBD_BLOCK_SHIFT;
	info->segments = pool->nr_segments;
	info->users = READ_ONCE(pool->users);
	info->failure = READ_ONCE(pool->failure);
	info->metadata_segments = READ_ONCE(pool->chunks.nr) / pool->chunks_per_segment;
	spin_lock_irqsave(&pool->lock, flags);
	info->free_segments = pool->free_segments + pool->hidden_segments;
	info->level = pool->fill.level;
	info->promised = pool->promised * YBD_FMT_CHUNK_BLOCKS << YBD_BLOCK_SHIFT;
	spin_unlock_irqrestore(&pool->lock, flags);
	ybd_commit_info(pool->commit, info);
}

/**
 * ybd_pool_for_each - call @fn for each pool, in order of their numbers
 * @fn: called with pool_list_lock held; a value other than 0 ends the walk
 * @arg: handed to @fn
 *
 * Return: what @fn returned last, or 0.
 */
int ybd_pool_for_each(int (*fn)(struct ybd_pool *pool, void *arg), void *arg)
{
	struct ybd_pool *pool;
	int ret = 0;

	mutex_lock(&pool_list_lock);
	list_for_each_entry(pool, &pool_list, node) {
		ret = fn(pool, arg);
		if (ret)
			break;
	}
	mutex_unlock(&pool_list_lock);
	return ret;
}

/* No pool is in use, and none will be? */
static int pool_list_close(void)
{
	struct ybd_pool *pool;

	/* Whoever opens or closes one may have to wait for its device. */
	if (!mutex_trylock(&pool_list_lock)) {
		pr_warn("a pool is being opened or closed: no hibernation now\n");
		return -EBUSY;
	}
	pool = list_first_entry_or_null(&pool_list, struct ybd_pool, node);
	pool_list_closed = !pool;
	if (pool)
		pr_warn("pool %pUb is in use: no hibernation before its devices are detached\n",
			&pool->uuid);
	mutex_unlock(&pool_list_lock);
	return pool ? -EBUSY : 0;
}

/*
 * What is known of a pool must not outlive the moment at which it may be opened by
 * another boot, which writes to it: after that, the one that comes back from the
 * disk would give to one upper what another has.
 */
static int pool_pm_event(struct notifier_block *nb, unsigned long event, void *unused)
{
	switch (event) {
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		return notifier_from_errno(pool_list_close());
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		mutex_lock(&pool_list_lock);
		pool_list_closed = false;
		mutex_unlock(&pool_list_lock);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block pool_pm_notifier = {
	.notifier_call = pool_pm_event,
};

int __init ybd_pool_init(void)
{
	return register_pm_notifier(&pool_pm_notifier);
}

void ybd_pool_exit(void)
{
	unregister_pm_notifier(&pool_pm_notifier);
}
