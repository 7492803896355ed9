/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pools: a block device that many uppers share, opened when the first device
 * needs it and closed with the last. See Documentation/pool-format.rst.
 */
#ifndef YBD_POOL_H
#define YBD_POOL_H

#include <linux/blkdev.h>
#include <linux/types.h>
#include <linux/uuid.h>
#include <uapi/linux/ybd_format.h>

struct netlink_ext_ack;
struct ybd_pool;

/**
 * struct ybd_pool_info - a pool in numbers
 * @id: number, never used twice
 * @uuid: of the pool
 * @name: of the pool, may be empty
 * @disk: kernel name of its block device
 * @dev: number of its block device
 * @block_size: logical block size of its block device, in bytes
 * @size: in bytes
 * @segment_size: in bytes
 * @segments: there are this many
 * @free_segments: nobody has them
 * @metadata_segments: hold chunks
 * @level: fill level that is reached, in percent, or 0
 * @failure: why nothing is written any more, or NULL
 * @promised: bytes kept for the next checkpoints of uppers
 * @users: devices that have their upper here, and requests under way
 * @commits: log writes
 * @flushes: flushes sent to the pool that were shared by several commits
 * @flushes_merged: commits that needed no flush of their own
 */
struct ybd_pool_info {
	u32	id;
	uuid_t	uuid;
	char	name[YBD_FMT_NAME_LEN];
	char	disk[BDEVNAME_SIZE];
	dev_t	dev;
	u32	block_size;
	u64	size;
	u64	segment_size;
	u32	segments;
	u32	free_segments;
	u32	metadata_segments;
	u32	level;
	const char *failure;
	u64	promised;
	u32	users;
	u64	commits;
	u64	flushes;
	u64	flushes_merged;
};

struct ybd_pool *ybd_pool_get_fd(int fd, struct netlink_ext_ack *extack);
void ybd_pool_put(struct ybd_pool *pool);
void ybd_pool_info(struct ybd_pool *pool, struct ybd_pool_info *info);
int ybd_pool_for_each(int (*fn)(struct ybd_pool *pool, void *arg), void *arg);

int ybd_pool_init(void);
void ybd_pool_exit(void);

#endif /* YBD_POOL_H */
