/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a device may answer.
 *
 * Every sector is a register. Each write gives it a value of its own, so what
 * is read tells which write it comes from. A value may be read as long as it
 * can be the latest one in some order of the operations that agrees with their
 * beginnings and ends:
 *
 *  - a write that has ended makes impossible what had ended before it began;
 *  - a read that has ended makes impossible what had ended before it began
 *    and is not what it read;
 *  - a write that failed, or a discard of a part of a block, may have happened
 *    until it ended, or not at all;
 *  - a write that gave up because it would have had to wait never happened.
 *
 * Time is a counter that every beginning and every end advances.
 */
#ifndef YBD_MODEL_HISTORY_H
#define YBD_MODEL_HISTORY_H

#include <pthread.h>
#include <stdatomic.h>

#include "test.h"

#define SECTOR		512u
#define VALUE_BASE	1ULL	/* what the image has there */
#define VALUE_ZERO	2ULL
#define VALUE_FIRST	16ULL	/* of writes */

#define HISTORY_LOCKS	256
#define HISTORY_SLOTS	512

/**
 * struct history - all that happened to one device
 * @id: part of every value written, so that another device's are known
 * @nr_sectors: size of the device
 * @base: what the image has, as long as the device
 * @cell: per sector; under @lock of its block
 * @clock: time
 * @active: per slot, a time not after the beginning of what it does; ~0: idle
 * @next_value: of the next write
 * @failures: found so far
 * @shared: the upper is on a device whose sectors can be read while they are
 *	written: then both may be seen, word by word. It is an emulator's, which
 *	copies to and from a file; a real one does not do that.
 * @full: where there is no room, a discard may do nothing
 */
struct history {
	u32 id;
	u64 nr_sectors;
	u8 *base;
	struct cell *cell;
	pthread_mutex_t lock[HISTORY_LOCKS];
	_Atomic u64 clock;
	_Atomic u64 active[HISTORY_SLOTS];
	_Atomic u64 next_value;
	_Atomic u64 failures;
	bool shared;
	bool full;
};

enum op_kind {
	OP_READ,
	OP_WRITE,
	OP_ZERO,	/* BLKZEROOUT */
	OP_PUNCH,	/* fallocate */
	OP_DISCARD,
	OP_FLUSH,
	NR_OPS,
};

extern const char *const op_names[NR_OPS];

/**
 * struct op - an operation under way
 * @kind: what
 * @slot: who; one operation at a time
 * @sector: first one
 * @nr: how many
 * @value: what it writes
 * @begin: when it began
 */
struct op {
	enum op_kind kind;
	unsigned int slot;
	u64 sector;
	u32 nr;
	u64 value;
	u64 begin;
};

void history_init(struct history *h, u32 id, u8 *base, u64 nr_sectors);

/* An operation begins; call it before it is submitted. */
void history_begin(struct history *h, struct op *op);

/**
 * history_end() - an operation has ended
 * @h: the history
 * @op: the operation
 * @done: sectors done as they should; the rest failed
 * @never: what failed has had no effect
 * @buf: what was read
 */
void history_end(struct history *h, struct op *op, u32 done, bool never, const u8 *buf);

/* Fill a sector with what a write is to leave there. */
void history_fill(const struct history *h, u64 sector, u64 value, u8 *buf);

#endif
