/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef YBD_POWERCUT_CUT_H
#define YBD_POWERCUT_CUT_H

#include "view.h"

/**
 * struct sums - what was done and found
 * @cuts: points at which the power failed
 * @most: requests that were not durable at one of them, at most
 * @images: that were looked at
 * @bad: with which something was wrong
 * @violations: what was wrong with them
 * @unclean: of these, what the pool's check said
 * @forgotten: values that were written and not flushed, and are gone
 * @pending: requests that were not durable, of all cuts
 * @wrong: sectors by what is wrong with them
 */
struct sums {
	u32 cuts;
	u32 most;
	u64 images;
	u64 bad;
	u64 violations;
	u64 unclean;
	u64 forgotten;
	u64 pending;
	u64 wrong[NR_VERDICTS];
};

/**
 * struct cutter - the work
 * @t: the trace
 * @m: what is on the disk
 * @h: what may be there
 * @v: what is on the devices
 * @fine: for each device: for each sector the value last seen there, and found to be allowed
 * @at: the cut is after so many events
 * @what: which image it is
 * @rng: state of the random numbers
 * @job: number of this process
 * @exported: an image of this cut is for others to look at
 * @sum: what was found
 */
struct cutter {
	struct trace *t;
	struct image *m;
	struct history *h;
	struct view *v;
	const struct value **fine[MAX_DEVICES];
	u32 at;
	const char *what;
	u64 rng;
	u32 job;
	bool exported;
	struct sums sum;
};

/* The disk as it is now, as a file that has holes. Ends the program on failure. */
void export_disk(const struct image *m, const char *path);

/*
 * What the uppers have to read as then: a line of "upper", name, bytes and sha256 for each. And
 * what files have to have in them: "file", name, number and records.
 */
void export_uppers(struct view *v, const char *path, const u8 *image);

#endif
