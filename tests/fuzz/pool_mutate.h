/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Good pools in memory, and the changes that pool_input.h describes, made to them and taken back.
 * The fuzzers of the library and of the module share it, so that what one finds the other can try.
 */
#ifndef YBD_FUZZ_POOL_MUTATE_H
#define YBD_FUZZ_POOL_MUTATE_H

#include "pool_input.h"
#include "pool_make.h"

#define MUT_UNDO	2048
#define MUT_META	4096

/**
 * struct mutant - a pool
 * @m: it
 * @meta: its blocks of metadata
 * @nr_meta: how many
 * @undo: blocks that were changed
 * @old: what they were
 * @nr_undo: how many
 * @data: for each block: it may be something else than zeroes
 */
struct mutant {
	struct mk m;
	u32 meta[MUT_META];
	u32 nr_meta;
	u32 undo[MUT_UNDO];
	u8 old[MUT_UNDO][YBD_FMT_BLOCK_SIZE];
	u32 nr_undo;
	bool data[YBD_FMT_MIN_BLOCKS];
};

/* Make pool @which, below INPUT_POOLS. */
void mut_make(struct mutant *b, u32 which);
/* A block is about to be changed. */
void mut_save(struct mutant *b, u64 block);
/* The changes of an input: what follows its INPUT_HEAD. */
void mut_change(struct mutant *b, const u8 *data, size_t size);
void mut_restore(struct mutant *b);

#endif
