/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Core types of ybd: who owns what, and which lock is taken in which order.
 *
 * Objects and lifetimes
 *
 *   source   where images are read from: a claimed block device, its backing,
 *            and after a swap another one. Each image holds a reference on each
 *            of its sources; the last one closes the block device. For how long
 *            a backing that was swapped stays open see source.h.
 *   image    an immutable extent map. Referenced by the registry (until it
 *            is unloaded), by each device and by netlink requests under way.
 *   device   a gendisk, its image and its upper. Referenced by its disk
 *            (until ->free_disk(), that is until the last opener has gone)
 *            and by netlink requests under way. Image and upper stay until
 *            the last reference, so a bio that was only queued when
 *            ->submit_bio() returned always finds its source open: whoever
 *            waits for that bio keeps the device open.
 *   pool     a claimed block device with uppers of many devices. Each of those
 *            holds a reference; see pool_priv.h and upper_priv.h.
 *
 * Fill levels are told by work items of pools and uppers (fill.h), which are
 * cancelled before those are freed.
 *
 * Locks, outermost first
 *
 *   ybd_registry_lock (mutex)  the tables of devices and images by number
 *                              and name, device->state, image->unloaded
 *   disk->open_mutex           (block layer) device->detaching against open
 *   device->lower_lock (mutex) what the device shows and holds of its sources,
 *                              the change of its replug timeout; taken below
 *                              none of the others
 *   ybd_source_lock (mutex)    the list of sources, their last put, swaps
 *   source->lock (spin, irq)   its backing against who takes a reference on it,
 *                              and its parked bios
 *   xa_lock of ram->chunks     (XArray) adding a chunk
 *   ram_chunk->lock (spin)     the pages of one chunk
 *   of pools                   see pool_priv.h; taken below none of the others
 *                              but for ybd_registry_lock around pool->lock
 *
 * Nothing sleeps under a spinlock, and no lock is held across a submission.
 */
#ifndef YBD_H
#define YBD_H

#include <linux/blkdev.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <uapi/linux/ybd.h>

/* Blocks of the upper and of the kernel's pages: 4 KiB. */
#define YBD_BLOCK_SHIFT		12
#define YBD_BLOCK_SIZE		4096U
#define YBD_BLOCK_SECTORS	(YBD_BLOCK_SIZE >> SECTOR_SHIFT)

extern struct mutex ybd_registry_lock;

/* Raised with each change of the registry, for dumps; ybd_registry_lock. */
extern unsigned int ybd_registry_generation;

/* For I/O that may not be done where it arises; WQ_MEM_RECLAIM. */
extern struct workqueue_struct *ybd_wq;

/*
 * For commits, and for the clocks of sources: nothing in it waits for a source, or for
 * a cgroup's share of one, as what is in ybd_wq can; WQ_MEM_RECLAIM.
 */
extern struct workqueue_struct *ybd_commit_wq;

/* For what waits for I/O to a pool, which can need the two; WQ_MEM_RECLAIM. */
extern struct workqueue_struct *ybd_log_wq;

/*
 * For bios that are sent again, which can wait for what the other three have to give
 * back; WQ_MEM_RECLAIM.
 */
extern struct workqueue_struct *ybd_resend_wq;

/* For what waits for I/O to end, which can need ybd_wq. */
extern struct workqueue_struct *ybd_wait_wq;

/* NL_SET_ERR_MSG() for a string that is a literal elsewhere. */
static inline void ybd_extack_set(struct netlink_ext_ack *extack, const char *literal)
{
	if (extack)
		extack->_msg = literal;
}

#endif /* YBD_H */
