/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files about uppers in a pool share.
 *
 * upper->lock protects the map's writers, the blocks and the records that wait
 * for a commit. It is taken with interrupts off, as writes end in interrupts,
 * and held for no longer than one change of the map. pool->lock is taken
 * inside it.
 *
 * A block of the pool is, for its upper: free; used, when a write is on its way
 * to it or the map has it; or gone, when the map has it no longer. It goes from
 * gone to free when (a) the record that says so is durable and (b) all I/O
 * ended that may have found it in the map. Both are done for all gone blocks of
 * an upper at a time, while new ones gather behind them.
 */
#ifndef YBD_UPPER_PRIV_H
#define YBD_UPPER_PRIV_H

#include <linux/bio.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "pool_priv.h"
#include "upper_map.h"
#include "upper_pool.h"

/* Segments by how much of them is free: 1/4 to all of it in the last. */
#define UPPER_BUCKETS	4

/**
 * struct upper_segment - a segment of the pool that an upper has
 * @all_node: in upper->segments
 * @node: in upper->fresh or upper->bucket[]; empty for the open one and full ones
 * @gone_node: in upper->gone[].segments, per phase
 * @nr: number in the pool
 * @nr_used: blocks that are not free
 * @next: where to look for a free block, while it is the open one
 * @used: bit per block: it is not free
 * @gone: bit per block and phase: it is gone
 *
 * Owned by the upper, protected by its lock.
 */
struct upper_segment {
	struct list_head	all_node;
	struct list_head	node;
	struct list_head	gone_node[2];
	u32			nr;
	u32			nr_used;
	u32			next;
	unsigned long		*used;
	unsigned long		*gone[2];
	unsigned long		bits[];
};

/**
 * struct upper_gone - gone blocks of one phase
 * @segments: that have any
 * @nr: blocks
 */
struct upper_gone {
	struct list_head	segments;
	u64			nr;
};

/**
 * struct ybd_upper - an upper in a pool
 * @pool: one reference
 * @dev: whose it is
 * @uuid: of the upper
 * @is_volatile: nothing of it is on disk
 * @place: number in the directory, of a persistent one
 * @generation: of its place
 * @log: of a persistent one, else NULL
 * @flags: of enum ybd_upper_flags
 * @reserve: bytes that are kept for it
 * @has_place: @place is its own
 * @is_read: what is used of its segments is known
 * @stopped: everything that is to be on disk is there
 * @destroy: it is to be free when the device has gone
 * @failed: metadata could not be written: nothing is accepted any more
 * @lock: protects what follows
 * @map: what the upper has; readers need no lock
 * @changes: writes under way that will change the map
 * @segments: all of them
 * @nr_segments: there are
 * @keep_segments: are not given back
 * @open: where blocks are allocated
 * @bucket: segments that have free blocks
 * @fresh: segments that were taken and never used
 * @spare: an object for the next segment
 * @nr_used: blocks that are not free
 * @quota: most blocks that may be used
 * @fill: of the quota
 * @gone: blocks that are gone, in two phases
 * @phase: the one that gathers
 * @reclaiming: the other one is under way
 * @reclaim_queued: @reclaim is under way
 * @dying: neither a further one nor a commit is to begin by itself
 * @reclaim: for its grace period
 * @waiting: bios that wait for space
 * @waiting_work: the same of struct ybd_waiter
 * @resend: bios that wait to be sent again
 * @space_work: sees to the former
 * @resend_work: sends the latter
 * @space_wanted: segments were asked for
 * @space_hidden: the pool has a segment as soon as that is discarded
 * @full_at: pool->given when the pool had none left
 */
struct ybd_upper {
	struct ybd_pool		*pool;
	struct ybd_device	*dev;
	uuid_t			uuid;
	bool			is_volatile;
	u32			place;
	u32			generation;
	struct upper_log	*log;
	u32			flags;
	u64			reserve;
	bool			has_place;
	bool			is_read;
	bool			stopped;
	bool			destroy;
	bool			failed;

	spinlock_t		lock;	/* what follows */
	struct ybd_umap		map;
	unsigned int		changes;
	struct list_head	segments;
	u32			nr_segments;
	u32			keep_segments;
	struct upper_segment	*open;
	struct list_head	bucket[UPPER_BUCKETS];
	struct list_head	fresh;
	struct upper_segment	*spare;
	u64			nr_used;
	u64			quota;
	struct ybd_fill		fill;
	struct upper_gone	gone[2];
	unsigned int		phase;
	bool			reclaiming;
	bool			reclaim_queued;
	bool			dying;
	struct upper_reclaim	*reclaim;
	struct bio_list		waiting;
	struct list_head	waiting_work;
	struct bio_list		resend;
	struct work_struct	space_work;
	struct work_struct	resend_work;
	bool			space_wanted;
	bool			space_hidden;
	s64			full_at;
};

/* Nothing is accepted any more. */
static inline bool ybd_upper_has_failed(const struct ybd_upper *upper)
{
	return READ_ONCE(upper->failed) || pool_has_failed(upper->pool);
}

/* Blocks that count for the quota. The caller holds the lock. */
static inline u64 upper_nr_counted(const struct ybd_upper *upper)
{
	return upper->nr_used - upper->gone[0].nr - upper->gone[1].nr;
}

/* ---- upper_space.c: blocks and segments ---- */

int ybd_upper_space_init(struct ybd_upper *upper);
void ybd_upper_space_stop(struct ybd_upper *upper);
void ybd_upper_space_exit(struct ybd_upper *upper);
struct upper_segment *ybd_upper_segment_alloc(const struct ybd_upper *upper, gfp_t gfp);
void ybd_upper_segment_add(struct ybd_upper *upper, struct upper_segment *segment, u32 nr);
u32 ybd_upper_alloc(struct ybd_upper *upper, u32 want, u64 *block);
void ybd_upper_unalloc(struct ybd_upper *upper, u64 block, u32 nr);
void ybd_upper_gone(void *upper, u64 block, u64 nr);
bool ybd_upper_use(struct ybd_upper *upper, u64 block, u64 nr);
bool ybd_upper_space_may_come(const struct ybd_upper *upper);
void ybd_upper_resend(struct ybd_upper *upper, struct bio *bio);
bool ybd_upper_gone_is_much(const struct ybd_upper *upper);
bool ybd_upper_gone_close(struct ybd_upper *upper);
void ybd_upper_gone_durable(struct ybd_upper *upper);
void ybd_upper_reclaim(struct ybd_upper *upper);
void ybd_upper_kick_waiters(struct ybd_upper *upper);

/* ---- upper_log.c: records and commits ---- */

struct ybd_commit *ybd_commit_alloc(struct ybd_pool *pool);
void ybd_commit_free(struct ybd_commit *commit);
void ybd_commit_info(struct ybd_commit *commit, struct ybd_pool_info *info);

struct upper_log *ybd_log_alloc(struct ybd_upper *upper);
void ybd_log_free(struct upper_log *log);
bool ybd_log_ready(const struct ybd_upper *upper, unsigned int more);
int ybd_log_refill(struct ybd_upper *upper, gfp_t gfp);
void ybd_log_record(struct ybd_upper *upper, const struct ybd_umap_run *run);
bool ybd_log_room(struct ybd_upper *upper, enum pool_need need);
bool ybd_log_is_clean(struct ybd_upper *upper);
void ybd_log_commit(struct ybd_upper *upper, struct bio *bio, bool may_submit);
int ybd_log_sync(struct ybd_upper *upper);
void ybd_log_stop(struct upper_log *log);

#endif /* YBD_UPPER_PRIV_H */
