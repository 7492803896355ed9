/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef YBD_POWERCUT_SIM_H
#define YBD_POWERCUT_SIM_H

#include "powercut_workload.h"
#include "record.h"

/**
 * enum sim_mutant - what the stand-in for the module does wrong
 * @SIM_NONE: nothing
 * @SIM_NO_PREFLUSH: the log is written without a flush before it
 * @SIM_NO_FUA: the log is not written through
 * @SIM_REUSE: blocks that a discard gives back are used again at once
 * @SIM_ACK_EARLY: a flush is answered before the log is written
 * @SIM_NO_TABLE: a segment is used before the table says whose it is
 */
enum sim_mutant {
	SIM_NONE,
	SIM_NO_PREFLUSH,
	SIM_NO_FUA,
	SIM_REUSE,
	SIM_ACK_EARLY,
	SIM_NO_TABLE,
	NR_SIM_MUTANTS,
};

extern const char *const sim_mutant_names[NR_SIM_MUTANTS];

/* Write a pool with @nr uppers to @path, and remember it. */
void sim_pool_make(const char *path, u32 nr, u64 seed);

/* Upper @n of it as a target, on @disk. */
struct target sim_pool_target(struct record *disk, u32 n, enum sim_mutant mutant);

#endif
