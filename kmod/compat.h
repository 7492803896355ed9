/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The differences between the kernels this module is built for, and the only
 * file that has conditions on them. The conditions come from probes/, see
 * Kbuild. The rest of the module is written against the newest interface.
 */
#ifndef YBD_COMPAT_H
#define YBD_COMPAT_H

#include <linux/blkdev.h>
#include <linux/netlink.h>
#include <linux/part_stat.h>
#include <linux/srcu.h>

/* An open, claimed block device. */
struct ybd_bdev {
	struct block_device *bdev;
#ifdef YBD_HAVE_BDEV_FILE_OPEN
	struct file *file;
#else
	fmode_t mode;
#endif
};

/**
 * ybd_bdev_open - open and claim a block device
 * @b: filled in
 * @dev: its number
 * @write: for writing too
 * @holder: who claims it; the same holder may claim again
 *
 * May sleep. Return: 0 or a negative errno.
 */
static inline int ybd_bdev_open(struct ybd_bdev *b, dev_t dev, bool write, void *holder)
{
#ifdef YBD_HAVE_BDEV_FILE_OPEN
	b->file = bdev_file_open_by_dev(dev, BLK_OPEN_READ | (write ? BLK_OPEN_WRITE : 0),
					holder, NULL);
	if (IS_ERR(b->file))
		return PTR_ERR(b->file);
	b->bdev = file_bdev(b->file);
#else
	b->mode = FMODE_READ | FMODE_EXCL | (write ? FMODE_WRITE : 0);
	b->bdev = blkdev_get_by_dev(dev, b->mode, holder);
	if (IS_ERR(b->bdev))
		return PTR_ERR(b->bdev);
#endif
	return 0;
}

/* May sleep. */
static inline void ybd_bdev_close(struct ybd_bdev *b)
{
#ifdef YBD_HAVE_BDEV_FILE_OPEN
	bdev_fput(b->file);
#else
	blkdev_put(b->bdev, b->mode);
#endif
}

/* Front @sectors of @bio as a bio of its own, or NULL. */
static inline struct bio *ybd_bio_split(struct bio *bio, unsigned int sectors,
					gfp_t gfp, struct bio_set *bs)
{
	struct bio *front = bio_split(bio, sectors, gfp, bs);

	return IS_ERR_OR_NULL(front) ? NULL : front;
}

/* Older kernels count sectors at the start, newer ones at the end. */
static inline unsigned long ybd_acct_start(struct block_device *bdev, enum req_op op,
					   unsigned int sectors, unsigned long start)
{
#ifdef YBD_HAVE_BDEV_START_IO_ACCT_3
	return bdev_start_io_acct(bdev, op, start);
#else
	return bdev_start_io_acct(bdev, sectors, op, start);
#endif
}

static inline void ybd_acct_end(struct block_device *bdev, enum req_op op,
				unsigned int sectors, unsigned long start)
{
#ifdef YBD_HAVE_BDEV_START_IO_ACCT_3
	bdev_end_io_acct(bdev, op, sectors, start);
#else
	bdev_end_io_acct(bdev, op, start);
#endif
}

/**
 * ybd_link_holder - show that @disk stands on @bdev
 * @bdev: claimed
 * @disk: added
 *
 * May sleep. Return: 0, -ENODEV when the disk of @bdev is gone, or another
 * negative errno.
 */
static inline int ybd_link_holder(struct block_device *bdev, struct gendisk *disk)
{
#ifdef YBD_HAVE_BDEV_FILE_OPEN
	return bd_link_disk_holder(bdev, disk);
#else
	bool live;
	int ret;

	/* Here bd_link_disk_holder() would use the directory of a dead disk. */
	mutex_lock(&bdev->bd_disk->open_mutex);
	live = disk_live(bdev->bd_disk);
	if (live)
		kobject_get(bdev->bd_holder_dir);
	mutex_unlock(&bdev->bd_disk->open_mutex);
	if (!live)
		return -ENODEV;
	ret = bd_link_disk_holder(bdev, disk);
	kobject_put(bdev->bd_holder_dir);
	return ret;
#endif
}

/*
 * A reader of SRCU that leaves in another context than it entered in, maybe an
 * interrupt.
 */
static inline int ybd_srcu_enter(struct srcu_struct *srcu)
{
#ifdef YBD_HAVE_SRCU_DOWN_READ
	return srcu_down_read(srcu);
#else
	return __srcu_read_lock(srcu);
#endif
}

static inline void ybd_srcu_leave(struct srcu_struct *srcu, int idx)
{
#ifdef YBD_HAVE_SRCU_DOWN_READ
	srcu_up_read(srcu, idx);
#else
	__srcu_read_unlock(srcu, idx);
#endif
}

/* What a device shows of itself; see ybd_disk_alloc(). */
struct ybd_limits {
	unsigned int	logical_block_size;
	unsigned int	discard_sectors;	/* 0: no discard, no write zeroes */
	bool		write_cache;		/* takes FLUSH and FUA */
};

#ifdef YBD_HAVE_QUEUE_LIMITS_FEATURES

/**
 * ybd_disk_alloc - allocate a disk that stacks on @lowers
 * @want: what it shows beside what it takes over from below
 * @lowers: block devices below
 * @nr: how many
 *
 * The lowers split what they get by their own limits, so what is taken over
 * is what a caller has to know: memory alignment and NOWAIT. May sleep.
 *
 * Return: the disk, or an error pointer.
 */
static inline struct gendisk *ybd_disk_alloc(const struct ybd_limits *want,
					     struct block_device **lowers, unsigned int nr)
{
	struct queue_limits lim = {};
	unsigned int i;

	blk_set_stacking_limits(&lim);
	lim.features = BLK_FEAT_IO_STAT | BLK_FEAT_NOWAIT;
	for (i = 0; i < nr; i++)
		queue_limits_stack_bdev(&lim, lowers[i], 0, "ybd");
	/* Caches, spinning and page stability belong to what is written to. */
	lim.features &= BLK_FEAT_IO_STAT | BLK_FEAT_NOWAIT;
	lim.flags = 0;
	if (want->write_cache)
		lim.features |= BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA;
	lim.logical_block_size = want->logical_block_size;
	lim.physical_block_size = PAGE_SIZE;
	lim.io_min = PAGE_SIZE;
	lim.io_opt = 0;
	lim.alignment_offset = 0;
	lim.chunk_sectors = 0;
	lim.max_hw_sectors = UINT_MAX;
	lim.max_dev_sectors = 0;
	lim.max_user_sectors = 0;
	/* Stacking takes this back, but an image of zeroes stacks on nothing. */
	lim.max_zone_append_sectors = 0;
	lim.max_hw_discard_sectors = want->discard_sectors;
	lim.max_user_discard_sectors = UINT_MAX;
	lim.discard_granularity = want->discard_sectors ? PAGE_SIZE : 0;
	lim.discard_alignment = 0;
	lim.max_secure_erase_sectors = 0;
	lim.max_write_zeroes_sectors = want->discard_sectors;
#ifdef YBD_HAVE_WZEROES_UNMAP
	lim.max_hw_wzeroes_unmap_sectors = want->discard_sectors;
#endif
	return blk_alloc_disk(&lim, NUMA_NO_NODE);
}

#else

static inline struct gendisk *ybd_disk_alloc(const struct ybd_limits *want,
					     struct block_device **lowers, unsigned int nr)
{
	struct gendisk *disk = blk_alloc_disk(NUMA_NO_NODE);
	struct queue_limits *lim;
	bool nowait = true;
	unsigned int i;

	if (!disk)
		return ERR_PTR(-ENOMEM);
	lim = &disk->queue->limits;
	blk_set_stacking_limits(lim);
	for (i = 0; i < nr; i++) {
		struct request_queue *q = bdev_get_queue(lowers[i]);

		blk_stack_limits(lim, &q->limits, get_start_sect(lowers[i]));
		blk_queue_update_dma_alignment(disk->queue, queue_dma_alignment(q));
		nowait &= bdev_nowait(lowers[i]);
	}
	lim->misaligned = 0;
	lim->alignment_offset = 0;
	lim->chunk_sectors = 0;
	lim->max_hw_sectors = UINT_MAX;
	lim->max_dev_sectors = 0;
	lim->max_sectors = BLK_DEF_MAX_SECTORS;
	lim->io_opt = 0;
	/* The setters below only ever raise these. */
	lim->logical_block_size = SECTOR_SIZE;
	lim->physical_block_size = SECTOR_SIZE;
	lim->io_min = SECTOR_SIZE;
	blk_queue_logical_block_size(disk->queue, want->logical_block_size);
	blk_queue_physical_block_size(disk->queue, PAGE_SIZE);
	blk_queue_io_min(disk->queue, PAGE_SIZE);
	blk_queue_max_discard_sectors(disk->queue, want->discard_sectors);
	lim->discard_granularity = want->discard_sectors ? PAGE_SIZE : 0;
	lim->discard_alignment = 0;
	lim->discard_misaligned = 0;
	lim->max_secure_erase_sectors = 0;
	blk_queue_max_write_zeroes_sectors(disk->queue, want->discard_sectors);
	blk_queue_write_cache(disk->queue, want->write_cache, want->write_cache);
	blk_queue_flag_set(QUEUE_FLAG_IO_STAT, disk->queue);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, disk->queue);
	if (nowait)
		blk_queue_flag_set(QUEUE_FLAG_NOWAIT, disk->queue);
	return disk;
}

#endif /* YBD_HAVE_QUEUE_LIMITS_FEATURES */

/*
 * Tell @extack values, in at most 79 characters. Older kernels take literals only:
 * there the values go to the log, and @plain is what the caller sees.
 */
#ifdef NL_SET_ERR_MSG_FMT
#define YBD_EXTACK_FMT(extack, plain, fmt, ...) do {		\
	(void)(plain);						\
	NL_SET_ERR_MSG_FMT(extack, fmt, ##__VA_ARGS__);		\
} while (0)
#else
#define YBD_EXTACK_FMT(extack, plain, fmt, ...) do {		\
	pr_warn_ratelimited("ybd: " fmt "\n", ##__VA_ARGS__);	\
	NL_SET_ERR_MSG(extack, plain " (values: kernel log)");	\
} while (0)
#endif

/* Parameters of the open method, and the disk that they name. */
#ifdef YBD_HAVE_OPEN_TAKES_DISK
#define YBD_OPEN_PARAMS		struct gendisk *disk, blk_mode_t mode
#define YBD_OPEN_DISK		disk
#else
#define YBD_OPEN_PARAMS		struct block_device *bdev, fmode_t mode
#define YBD_OPEN_DISK		(bdev->bd_disk)
#endif

#endif /* YBD_COMPAT_H */
