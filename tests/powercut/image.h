/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What may be on the disk when the power fails after some event of a trace: all that was durable,
 * and any part of the rest. Nothing is copied: for each sector it is known which request wrote it.
 */
#ifndef YBD_POWERCUT_IMAGE_H
#define YBD_POWERCUT_IMAGE_H

#include "load.h"

/**
 * struct image_undo - a sector as it was
 * @sector: which
 * @was: request + 1 that wrote it
 */
struct image_undo {
	u64 sector;
	u32 was;
};

/**
 * struct image - disk at a cut
 * @t: the trace
 * @base: what was on the disk at first; NULL for zeroes
 * @base_value: of its sectors, as far as somebody has looked
 * @at: events [0, @at) have happened
 * @durable: for each sector: request + 1 that wrote it, or 0 for the base
 * @untrimmed: the same on a disk that forgets nothing that was trimmed
 * @now: one of the two, with parts of the rest applied
 * @pending: requests that came and are not durable: those that are done, in the order in which
 *	they took effect, then those under way
 * @nr_pending: how many
 * @nr_done: how many of them are done
 * @undo: how to get back to what is durable
 * @nr_undo: how many
 * @cap_undo: for which there is room
 */
struct image {
	const struct trace *t;
	const u8 *base;
	struct value *base_value;
	u32 at;
	u32 *durable;
	u32 *untrimmed;
	u32 *now;
	u32 *pending;
	u32 nr_pending;
	u32 nr_done;
	struct image_undo *undo;
	size_t nr_undo;
	size_t cap_undo;
};

/* @base: path of a file with what was on the disk at first, or NULL. Ends the program on failure. */
struct image *image_open(const struct trace *t, const char *base);

/* On to the cut after @at events; there is only what is durable then. */
void image_advance(struct image *m, u32 at);

/**
 * image_apply() - a request that is pending got to the disk
 * @m: the image
 * @n: in @m->pending; those that are done have to be applied in their order
 * @part: how many of 8 sectors, on average; 8 for all
 * @rng: decides which
 */
void image_apply(struct image *m, u32 n, u32 part, u64 *rng);

/* Only what is durable again. @untrimmed: on a disk that forgets nothing that was trimmed. */
void image_reset(struct image *m, bool untrimmed);

/* What is there. */
const struct value *image_value(struct image *m, u64 sector);
void image_read(const struct image *m, u64 sector, void *buf, u32 nr);

#endif
