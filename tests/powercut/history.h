/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What each sector of each device may hold at a cut, by what the workload was told: the last value
 * that it knows to be durable, or any that it began to write since and that was not replaced
 * before that one was begun.
 */
#ifndef YBD_POWERCUT_HISTORY_H
#define YBD_POWERCUT_HISTORY_H

#include "load.h"

#define MAX_DEVICES 256

/**
 * struct op - something that the workload did
 * @what: enum mark_what
 * @dev: number of the device
 * @op: its number in the run
 * @sector: where; a size for some
 * @nr: sectors
 * @begin: event of its first mark
 * @end: event of its last mark, or NEVER
 * @status: as it ended
 * @durable: the workload knows that it is
 */
struct op {
	u16 what;
	u16 dev;
	u32 op;
	u64 sector;
	u32 nr;
	u32 begin;
	u32 end;
	int status;
	bool durable;
};

/**
 * struct sector - what may be in a sector
 * @floor: event where the last write began that is known to be durable; 0 for none
 * @zero_begin: event where the last one to make it zeroes began
 * @zero_end: event where the last one to make it zeroes ended
 * @zero_busy: how many of these are under way
 * @known: it is one that the workload writes
 * @initial: what was there before all of it; VALUE_UNKNOWN for anything
 */
struct sector {
	u32 floor;
	u32 zero_begin;
	u32 zero_end;
	u16 zero_busy;
	bool known;
	struct value initial;
};

/**
 * enum block_map - is the block mapped, as far as the workload can tell?
 */
enum block_map {
	BLOCK_MAYBE,
	BLOCK_NO,
	BLOCK_YES,
};

/**
 * struct block - a block, which is mapped as a whole
 * @map: enum block_map
 * @mixed: operations on it overlapped since none was under way
 * @busy: operations on it that are under way
 * @first: op + 1 that was the first to write to it since it was not mapped, or 0
 */
struct block {
	u8 map;
	bool mixed;
	u16 busy;
	u32 first;
};

enum device_state {
	DEVICE_NONE,		/* not heard of */
	DEVICE_COMING,		/* being created: there or not */
	DEVICE_THERE,
	DEVICE_GOING,		/* being destroyed: there or not */
	DEVICE_GONE,
};

/**
 * struct device - one
 * @name: of the upper
 * @state: enum device_state
 * @flags: MARK_*
 * @first: first sector on the disk of one that is the disk itself
 * @nr: sectors
 * @new_nr: sectors that it may have as well
 * @cap: of @sector
 * @written: the workload said that it writes to it
 * @attached: times that an attach of it ended
 * @sector: each
 * @block: each
 * @epoch: it had that before the trace begins
 * @initial: what was there before the trace begins; NULL for the image
 * @nr_initial: sectors of it
 * @waiting: writes that ended and are not known to be durable
 * @nr_waiting: how many
 * @cap_waiting: for which there is room
 */
struct device {
	char name[MARK_NAME];
	u8 state;
	u32 flags;
	u64 first;
	u64 nr;
	u64 new_nr;
	u64 cap;
	bool written;
	u32 attached;
	u64 epoch;
	struct sector *sector;
	struct block *block;
	struct value *initial;
	u64 nr_initial;
	u32 *waiting;
	u32 nr_waiting;
	u32 cap_waiting;
};

/**
 * struct file - one in a file system on a device
 * @name: its name
 * @records: so many are durable
 */
struct file {
	char name[MARK_NAME];
	u64 records;
};

/**
 * struct history - all that the workload said up to a cut
 * @t: the trace
 * @at: events [0, @at) have happened
 * @op: operations, in the order in which they began
 * @nr_op: how many began
 * @by_mark: for each mark: the operation, for MARK_END too
 * @table: operations on data by their numbers: index + 1, a power of two of them
 * @mask: their number - 1
 * @run: number of the run
 * @dev: devices, by number
 * @file: files, by number
 * @image_sectors: what the image has is no zeroes up to there
 */
struct history {
	const struct trace *t;
	u32 at;
	struct op *op;
	u32 nr_op;
	u32 *by_mark;
	u32 *table;
	u32 mask;
	u32 run;
	struct device dev[MAX_DEVICES];
	struct file file[MAX_FILES];
	u64 image_sectors;
};

/* Tells the values in @t which operations they are of. */
struct history *history_open(struct trace *t, u64 image_sectors);
void history_advance(struct history *h, u32 at);

/**
 * enum verdict - what is wrong with a sector
 * @IS_OK: nothing
 * @IS_LOST: the workload knows a younger value to be durable
 * @IS_THIRD: a value that nobody wrote
 * @IS_ALIEN: it belongs to another device, or to another place
 * @IS_EARLY: a value that the workload had not begun to write
 * @IS_TORN: half of a first write
 */
enum verdict {
	IS_OK,
	IS_LOST,
	IS_THIRD,
	IS_ALIEN,
	IS_EARLY,
	IS_TORN,
	NR_VERDICTS,
};

extern const char *const verdict_text[NR_VERDICTS];

/* May sector @s of device @dev hold @v? */
enum verdict history_check(const struct history *h, u32 dev, u64 s, const struct value *v);

/* A block of pool-like devices: are those parts of it there together that have to be? */
enum verdict history_check_block(const struct history *h, u32 dev, u64 block,
				 const struct value *const v[BLOCK_SECTORS]);

/* The operation that made the value, or NULL. */
const struct op *history_op(const struct history *h, const struct value *v);

#endif
