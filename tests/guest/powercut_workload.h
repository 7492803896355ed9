/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads that write to devices, and say what they are about to do and what they were told. What
 * they write to is the caller's: block devices in a guest, or functions.
 */
#ifndef YBD_POWERCUT_WORKLOAD_H
#define YBD_POWERCUT_WORKLOAD_H

#include "../powercut/trace.h"

struct target;

/**
 * struct target_ops - how to get at a device; all return 0 or a negative errno
 * @write: write @nr sectors; with @fua they are durable when it returns
 * @zero: make sectors zeroes
 * @discard: the same, if the device likes
 * @flush: what was completed is durable when it returns
 */
struct target_ops {
	int (*write)(struct target *t, u64 sector, const void *buf, u32 nr, bool fua);
	int (*zero)(struct target *t, u64 sector, u32 nr);
	int (*discard)(struct target *t, u64 sector, u32 nr);
	int (*flush)(struct target *t);
};

/**
 * struct target - a device
 * @ops: how to get at it
 * @dev: its number
 * @name: its name
 * @flags: MARK_*
 * @first: of one that is the disk itself: where it begins there
 * @offset: of one that is a part of a device: where that begins
 * @sectors: its size
 * @lbs: logical block size
 * @fd: the caller's
 * @priv: the caller's
 */
struct target {
	const struct target_ops *ops;
	u16 dev;
	char name[MARK_NAME];
	u32 flags;
	u64 first;
	u64 offset;
	u64 sectors;
	u32 lbs;
	int fd;
	void *priv;
};

#define LOAD_MARKS 2

/**
 * struct load - what to do
 * @mark: puts up to LOAD_MARKS marks where the recorder finds them; 0 or a negative errno. They
 *	are there when it returns.
 * @target: devices
 * @nr: how many
 * @run: number of the run, not 0
 * @stream: upper 8 bits of the numbers of operations
 * @threads: for each device
 * @ops: operations of all threads
 * @flush: of 100 operations so many flush
 * @fua: of 100 writes so many have FUA
 * @discard: of 100 operations so many discard
 * @seed: of what is random
 * @span: sectors of each device that random operations are in; 0 for all
 * @random: all threads do random operations
 * @may_fill: writes may fail for want of room
 */
struct load {
	int (*mark)(const struct mark *m, u32 nr);
	struct target *target;
	u32 nr;
	u32 run;
	u32 stream;
	u32 threads;
	u32 ops;
	u32 flush;
	u32 fua;
	u32 discard;
	u64 seed;
	u64 span;
	bool random;
	bool may_fill;
};

/**
 * struct load_done - what was done
 * @ops: operations by enum mark_what
 * @full: writes for which there was no room
 * @failed: others that failed
 */
struct load_done {
	u32 ops[NR_MARKS];
	u32 full;
	u32 failed;
};

/* Until all operations are done or too many have failed. */
void load_run(const struct load *l, struct load_done *done);

#endif
