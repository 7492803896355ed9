/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An upper in a pool: what a device wrote, persistent or volatile.
 */
#ifndef YBD_UPPER_POOL_H
#define YBD_UPPER_POOL_H

#include <linux/blk_types.h>
#include <linux/list.h>
#include <linux/types.h>
#include <linux/uuid.h>
#include <linux/workqueue.h>

struct netlink_ext_ack;
struct ybd_device;
struct ybd_device_config;
struct ybd_image;
struct ybd_pool;
struct ybd_upper;

/**
 * struct ybd_upper_info - an upper in numbers; sizes in bytes
 * @uuid: of the upper
 * @flags: of enum ybd_upper_flags
 * @quota: most it may take
 * @reserve: kept for it
 * @quota_level: fill level of the quota that is reached, in percent, or 0
 * @mapped: blocks of the pool that are mapped
 * @allocated: segments it has taken
 * @map_bytes: kernel memory of its map
 * @extents: runs in its map
 * @log_blocks: blocks of the log behind the checkpoint
 * @commits: log writes
 * @checkpoints: written since it was attached
 */
struct ybd_upper_info {
	uuid_t	uuid;
	u32	flags;
	u64	quota;
	u64	reserve;
	u32	quota_level;
	u64	mapped;
	u64	allocated;
	u64	map_bytes;
	u64	extents;
	u64	log_blocks;
	u64	commits;
	u64	checkpoints;
};

/**
 * enum ybd_piece_kind - what is to be done with the front of a bio
 * @YBD_PIECE_IMAGE: the image has it
 * @YBD_PIECE_ZERO: it reads as zeroes
 * @YBD_PIECE_DATA: the pool has it, at @phys
 * @YBD_PIECE_FIRST: a first write of whole blocks, to @block of the pool
 * @YBD_PIECE_SLOW: less than a block that the upper has not got
 */
enum ybd_piece_kind {
	YBD_PIECE_IMAGE,
	YBD_PIECE_ZERO,
	YBD_PIECE_DATA,
	YBD_PIECE_FIRST,
	YBD_PIECE_SLOW,
};

/**
 * struct ybd_piece - the front of a bio
 * @kind: what is to be done with it
 * @sectors: how long it is
 * @phys: sector of the pool
 * @block: of a first write, block of the device
 * @lower_zero: of a slow one, the block reads as zeroes
 */
struct ybd_piece {
	enum ybd_piece_kind	kind;
	unsigned int		sectors;
	sector_t		phys;
	u64			block;
	bool			lower_zero;
};

/**
 * struct ybd_waiter - work that waits for space
 * @node: in the list of waiters; protected by the lock of the upper
 * @work: is queued when there may be space
 * @status: and if not, why
 */
struct ybd_waiter {
	struct list_head	node;
	struct work_struct	*work;
	blk_status_t		status;
};

struct ybd_upper *ybd_upper_create(struct ybd_device *dev,
				   const struct ybd_device_config *config,
				   struct netlink_ext_ack *extack);
struct ybd_upper *ybd_upper_attach(struct ybd_pool *pool, const uuid_t *uuid,
				   struct ybd_device_config *config,
				   struct netlink_ext_ack *extack);
void ybd_upper_set_device(struct ybd_upper *upper, struct ybd_device *dev);
void ybd_upper_stop(struct ybd_upper *upper);
void ybd_upper_free(struct ybd_upper *upper);
int ybd_upper_resize(struct ybd_upper *upper, u64 size, struct netlink_ext_ack *extack);
void ybd_upper_set_destroy(struct ybd_upper *upper);
/* The pool that has @upper; borrowed for as long as the upper is there. */
struct ybd_pool *ybd_upper_pool(const struct ybd_upper *upper);
void ybd_upper_info(struct ybd_upper *upper, struct ybd_upper_info *info);
int ybd_upper_destroy(struct ybd_pool *pool, const uuid_t *uuid,
		      struct netlink_ext_ack *extack);

bool ybd_upper_is_persistent(const struct ybd_upper *upper);
bool ybd_upper_is_empty(const struct ybd_upper *upper);
bool ybd_upper_is_lost(const struct ybd_upper *upper);
bool ybd_upper_is_cut_off(const struct ybd_upper *upper);
void ybd_upper_io_error(struct ybd_upper *upper, blk_status_t status);
struct block_device *ybd_upper_bdev(const struct ybd_upper *upper);
int ybd_upper_enter(struct ybd_upper *upper);
void ybd_upper_leave(struct ybd_upper *upper, int idx);
bool ybd_upper_is_clean(struct ybd_upper *upper);
void ybd_upper_commit(struct ybd_upper *upper, struct bio *bio, bool may_submit);
void ybd_upper_wait(struct ybd_upper *upper, struct bio *bio);
void ybd_upper_wait_work(struct ybd_upper *upper, struct ybd_waiter *waiter);

void ybd_upper_read_piece(struct ybd_upper *upper, sector_t sector, unsigned int nr,
			  struct ybd_piece *piece);
blk_status_t ybd_upper_write_piece(struct ybd_upper *upper, struct bio *bio,
				   struct ybd_piece *piece);
blk_status_t ybd_upper_merge_piece(struct ybd_upper *upper, struct bio *bio, u64 block,
				   struct ybd_piece *piece);
blk_status_t ybd_upper_refill(struct ybd_upper *upper, const struct bio *bio);
blk_status_t ybd_upper_written(struct ybd_upper *upper, const struct ybd_piece *piece,
			       blk_status_t status);
blk_status_t ybd_upper_zero_blocks(struct ybd_upper *upper, struct bio *bio, u64 block,
				   unsigned int nr, unsigned int *done);
bool ybd_upper_publish(struct ybd_upper *upper, const struct ybd_piece *piece,
		       bool over_zero, blk_status_t *status);

#endif /* YBD_UPPER_POOL_H */
