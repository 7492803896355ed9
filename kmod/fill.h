/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fill levels: somebody is told before a pool or a quota is full.
 */
#ifndef YBD_FILL_H
#define YBD_FILL_H

#include <linux/types.h>
#include <linux/workqueue.h>

/**
 * struct ybd_fill - how full something is, and what was said of it
 * @work: tells of a new @level; queued with the owner's lock held
 * @levels: ybd_fill_levels when @above and @below were computed
 * @above: at so much a higher level is reached
 * @below: under so much the level is lower
 * @level: percentage of the highest level that is reached, or 0
 *
 * Embedded in what is filled, whose lock protects all but @work.
 */
struct ybd_fill {
	struct work_struct	work;
	u32			levels;
	u64			above;
	u64			below;
	u8			level;
};

/* The levels in percent, one in each byte, lowest first; read without a lock. */
extern u32 ybd_fill_levels;

void ybd_fill_init(struct ybd_fill *fill, work_func_t tell);
void ybd_fill_exit(struct ybd_fill *fill);
void ybd_fill_moved(struct ybd_fill *fill, u64 used, u64 total);

/**
 * ybd_fill_update - so much is used now
 * @fill: what is filled; the caller holds its lock
 * @used: so much
 * @total: of so much, not 0, at most 2^57
 *
 * Any context.
 */
static inline void ybd_fill_update(struct ybd_fill *fill, u64 used, u64 total)
{
	if (unlikely(used >= fill->above || used < fill->below ||
		     fill->levels != READ_ONCE(ybd_fill_levels)))
		ybd_fill_moved(fill, used, total);
}

#endif /* YBD_FILL_H */
