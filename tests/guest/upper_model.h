/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What each sector of a device may hold, by what its only writer was told: the last value whose
 * write succeeded; and when a write failed, or the device was lost, any from the last one on that
 * a flush which succeeded has made durable.
 */
#ifndef YBD_UPPER_MODEL_H
#define YBD_UPPER_MODEL_H

#include "test.h"

#define UM_SECTOR	512u

/**
 * struct um_op - a write, or what makes zeroes
 * @sector: the first
 * @nr: how many
 * @zero: it makes zeroes
 */
struct um_op {
	u64 sector;
	u32 nr;
	bool zero;
};

/**
 * struct um_sector - by numbers of operations, 0 for the image
 * @floor: the last one that is known to be durable
 * @last: the last one that succeeded
 * @zero: the last one that made zeroes, or failed to
 * @loose: one that came after @last failed
 */
struct um_sector {
	u32 floor;
	u32 last;
	u32 zero;
	bool loose;
};

/**
 * struct upper_model - a device
 * @nr: sectors
 * @image: what is in them before anything is written
 * @sector: each
 * @op: operations, from 1 on
 * @nr_op: how many
 * @cap: for which there is room
 */
struct upper_model {
	u64 nr;
	const u8 *image;
	struct um_sector *sector;
	struct um_op *op;
	u32 nr_op;
	u32 cap;
};

void um_init(struct upper_model *m, const u8 *image, u64 nr);
void um_free(struct upper_model *m);

/* Begin one; its number. Its data is what um_fill() says. */
u32 um_begin(struct upper_model *m, u64 sector, u32 nr, bool zero);
void um_fill(const struct upper_model *m, u32 op, u8 *buf);
/* It has ended; @durable: and it had FUA. */
void um_end(struct upper_model *m, u32 op, bool ok, bool durable);
/* A flush that began when nothing was under way has succeeded. */
void um_flushed(struct upper_model *m);

/* Is this what may be there? NULL, or what is wrong with the first sector that is not. */
const char *um_check(const struct upper_model *m, u64 sector, u32 nr, const u8 *buf);
/* The same after the device was lost; from now on it is what must be there. */
const char *um_adopt(struct upper_model *m, u64 sector, u32 nr, const u8 *buf);

#endif
