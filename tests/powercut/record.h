/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk in memory that loses what was not flushed, and notes what is done to it. Requests may come
 * from many threads; each takes effect at one moment, just before it is answered, at random some
 * time after it came.
 */
#ifndef YBD_POWERCUT_RECORD_H
#define YBD_POWERCUT_RECORD_H

#include "trace.h"

/**
 * enum record_lie - what it only pretends to do, so that a check has something to find
 * @LIE_NONE: nothing
 * @LIE_FLUSH: flushes
 * @LIE_FUA: to write through
 */
enum record_lie {
	LIE_NONE,
	LIE_FLUSH,
	LIE_FUA,
};

/**
 * struct record_config - how it is to be
 * @sectors: size; 0: that of @file
 * @base: file with what is on it at first; NULL for zeroes
 * @file: file that what is durable goes to; NULL for none. It is the base, too.
 * @trace: file that is written; NULL for none
 * @marks_only: of the trace only the marks are needed
 * @delay: most microseconds that a request takes; few take more than a little of that
 * @evict: of 100 writes so many go to @file early
 * @seed: of what is random
 * @lie: about what
 * @lie_every: only every so many times
 */
struct record_config {
	u64 sectors;
	const char *base;
	const char *file;
	const char *trace;
	bool marks_only;
	unsigned int delay;
	unsigned int evict;
	u64 seed;
	enum record_lie lie;
	unsigned int lie_every;
};

struct record;

/* NULL and errno when that cannot be. */
struct record *record_open(const struct record_config *c);
void record_close(struct record *r);
u64 record_sectors(const struct record *r);

/* All: 0 or a negative errno, when what is to be written cannot be. Ranges are the caller's care. */
int record_read(struct record *r, u64 sector, void *buf, u32 nr);
int record_write(struct record *r, u64 sector, const void *buf, u32 nr, bool fua);
int record_zero(struct record *r, u64 sector, u32 nr, bool fua);
int record_trim(struct record *r, u64 sector, u32 nr, bool fua);
int record_flush(struct record *r);

/* What of @buf is marks goes into the trace; it is not part of the disk. */
int record_marks(struct record *r, const void *buf, u32 bytes);

#endif
