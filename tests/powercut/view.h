/* SPDX-License-Identifier: GPL-2.0-only */
/* A device as it is read from an image: one that is the disk itself, or an upper in a pool. */
#ifndef YBD_POWERCUT_VIEW_H
#define YBD_POWERCUT_VIEW_H

#include "history.h"
#include "image.h"
#include "pool/pool.h"

/**
 * struct view - the devices of an image
 * @m: the image
 * @h: the history, which knows what devices there are
 * @io: the image for the library; NULL where there is no pool
 * @pool: as it was read last
 * @upper: for each device: number of its upper, or POOL_NO_UPPER
 * @where: for each device: for each of its blocks a block of the pool, POOL_ZEROES or POOL_IMAGE
 * @cap: for each device: entries in @where
 * @image: for each sector: that it is as the image has it
 * @nr_image: how many
 */
struct view {
	struct image *m;
	const struct history *h;
	struct pool_io *io;
	struct pool *pool;
	u32 upper[MAX_DEVICES];
	u64 *where[MAX_DEVICES];
	u64 cap[MAX_DEVICES];
	struct value *image;
	u64 nr_image;
};

struct view *view_open(struct image *m, const struct history *h, bool pool);

/**
 * view_read() - read the pool, if there is one, and the maps
 * @v: the view
 * @complain: for each error that there is
 * @priv: for it
 *
 * Return: whether there is something to look at.
 */
bool view_read(struct view *v, void (*complain)(void *priv, const char *text), void *priv);

/* Is it there? */
bool view_has(const struct view *v, u32 dev);
/* Its size in sectors. */
u64 view_size(const struct view *v, u32 dev);

/* How often it was attached, as its header says; 0 for one without. */
u64 view_epoch(const struct view *v, u32 dev);

/* What is in sector @s, which lies inside. It stays where it is as long as the view. */
const struct value *view_value(struct view *v, u32 dev, u64 s);

/* The same as bytes; @image: sector of the image there. */
void view_bytes(struct view *v, u32 dev, u64 s, const void *image, void *buf);

#endif
