/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sources: the block devices that images are read from.
 */
#ifndef YBD_SOURCE_H
#define YBD_SOURCE_H

#include <linux/bio.h>
#include <linux/list.h>
#include <linux/percpu-refcount.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "compat.h"
#include "ybd.h"

/**
 * struct ybd_backing - a block device that a source is, or was
 * @b: open and claimed
 * @ref: the source, until another one came and hooked I/O to this one has ended;
 *	devices that show it below them or send it I/O without a hook; the backing
 *	before it. The last one closes it.
 * @ios: hooked I/O that is below
 * @nr: how many the source had before it
 * @source: whose it is; valid while that counts it in @retiring
 * @next: what came in its place: who may use this one may use that one, too.
 *	One reference; written once, under source->lock
 * @work: the source lets it go
 */
struct ybd_backing {
	struct ybd_bdev		b;
	refcount_t		ref;
	struct percpu_ref	ios;
	u32			nr;
	struct ybd_source	*source;
	struct ybd_backing	*next;
	struct work_struct	work;
};

/**
 * struct ybd_source - a claimed block device
 * @lower: the block device of @backing, for I/O without a hook
 * @backing: the block device now; read below RCU or @lock, written with
 *	ybd_source_lock and @lock
 * @block_mask: logical block size in sectors, minus 1
 * @lock: taken with interrupts off; protects what follows, up to @retiring
 * @swaps: how often another block device came in its place
 * @parked: bios that wait for that, see park.c
 * @nr_parked: how many
 * @beats: of @tick, since @parked was empty
 * @retiring: backings before @backing that still may have hooked I/O
 * @tick: looks through @parked
 * @resend: sends what is in @parked
 * @retired: woken when @retiring falls
 * @node: in the list of sources; protected by ybd_source_lock
 * @images: references, one per image; protected by ybd_source_lock
 * @id: number, never used twice
 * @size: in bytes; written with ybd_source_lock
 * @name: identity in user space
 */
struct ybd_source {
	struct block_device	*lower;
	struct ybd_backing __rcu *backing;
	unsigned int		block_mask;

	spinlock_t		lock;	/* up to @retiring */
	u32			swaps;
	struct bio_list		parked;
	unsigned int		nr_parked;
	unsigned int		beats;
	unsigned int		retiring;

	struct delayed_work	tick;
	struct work_struct	resend;
	wait_queue_head_t	retired;
	struct list_head	node;
	unsigned int		images;
	u32			id;
	u64			size;
	char			name[YBD_SOURCE_NAME_LEN + 1];
};

/**
 * ybd_backing_enter - the block device of a source, for one hooked I/O
 * @source: held
 *
 * Any context. Return: it stays open until ybd_backing_leave().
 */
static inline struct ybd_backing *ybd_backing_enter(struct ybd_source *source)
{
	struct ybd_backing *backing;

	rcu_read_lock();
	backing = rcu_dereference(source->backing);
	/* Its count is ended after another has come, and falls a grace period later. */
	percpu_ref_get(&backing->ios);
	rcu_read_unlock();
	return backing;
}

/* Any context. */
static inline void ybd_backing_leave(struct ybd_backing *backing)
{
	percpu_ref_put(&backing->ios);
}

struct ybd_backing *ybd_backing_hold(struct ybd_source *source);
void ybd_backing_put(struct ybd_backing *backing);

struct ybd_source *ybd_source_get_fd(int fd, const char *name,
				     struct netlink_ext_ack *extack);
void ybd_source_put(struct ybd_source *source);
struct ybd_source *ybd_source_swap(u32 id, const char *name, int fd,
				   struct netlink_ext_ack *extack);
int ybd_source_for_each(int (*fn)(struct ybd_source *source, void *arg), void *arg);

#endif /* YBD_SOURCE_H */
