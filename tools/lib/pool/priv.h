/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of tools/lib/pool call of each other. */
#ifndef YBD_POOL_PRIV_H
#define YBD_POOL_PRIV_H

#include "block.h"
#include "map.h"
#include "pool.h"

/* An array that grows: room for one element more at the end. 0 or -ENOMEM. */
int pool_room(void *array, size_t *cap, size_t nr, size_t elem);

/* ---- report.c ---- */

/**
 * struct pool_at - what a finding is about
 * @block: where, or POOL_NO_BLOCK
 * @upper: whose, or POOL_NO_UPPER
 * @error: damage
 * @fix: how pool_repair() can mend it
 */
struct pool_at {
	u64 block;
	u32 upper;
	bool error;
	enum pool_fix fix;
};

/* One finding more; "block N: " is put in front of the text. 0 or -ENOMEM. */
int pool_say(struct pool *p, struct pool_at at, const char *fmt, ...) __printf(3, 4);

/* An error that only harms an upper, which is broken from now on. 0 or -ENOMEM. */
int pool_upper_error(struct pool *p, u32 upper, u64 block, const char *fmt, ...) __printf(4, 5);

void pool_report_free(struct pool_report *r);

/* ---- read.c ---- */

/* One block; it stays valid until the next call. NULL: @why says why not. */
const void *pool_block(struct pool *p, u64 block, char *why);
void pool_cache_free(struct pool *p);

/**
 * pool_scan() - read a range block by block
 * @p: the pool
 * @first: block
 * @nr: blocks; a multiple of @step
 * @step: as many at once are given to @fn
 * @fn: @b is NULL for what could not be read: @why says why
 *
 * What is known to be a hole is not given to @fn.
 */
int pool_scan(struct pool *p, u64 first, u64 nr, u32 step,
	      int (*fn)(struct pool *p, u64 block, const u8 *b, const char *why, void *priv),
	      void *priv);

/* ---- super.c ---- */

/* The superblock in @b into @info; @blocks: size of the device. 0 or why not. */
int pool_super_decode(const void *b, u64 at, u64 blocks, struct pool_info *info,
		      struct ybd_error *err);
/* Write @info to @at, the superblock's place or the backup's; durable with the answer. */
int pool_super_write(struct pool_io *io, const struct pool_info *info, u64 at);
/* Both, for pool_check(): what is wrong goes into the report. */
int pool_super_check(struct pool *p, struct ybd_error *err);

/* ---- table.c ---- */

int pool_table_read(struct pool *p, struct pool_table *t, u64 magic, const u64 first[2], u32 nr);
void pool_table_free(struct pool_table *t);
/* Is the entry that of upper @n, as it is now? */
bool pool_owns(const struct pool *p, struct pool_owner e, u32 n);
/* The upper that the entry belongs to, or POOL_NO_UPPER when it is free or of the metadata. */
u32 pool_owner_of(const struct pool *p, struct pool_owner e);
/* Write blocks that are flagged. */
int pool_table_write(struct pool *p, struct pool_table *t);

/* ---- directory.c ---- */

int pool_directory_read(struct pool *p, enum pool_read what);
/* Count what is owned by whom. */
void pool_count(struct pool *p);
/* The header of an upper that is given up. */
int pool_upper_drop(struct pool *p, u32 n);

/* ---- one upper: layers.c, ckpt.c, log.c ---- */

enum pool_purpose {
	POOL_FOR_LAYERS,
	POOL_FOR_CKPT,
	POOL_FOR_LOG,
};

/**
 * struct pool_use - a chunk that somebody uses
 * @place: (block - data) / YBD_FMT_CHUNK_BLOCKS
 * @upper: who
 * @purpose: what for
 */
struct pool_use {
	u64 place;
	u32 upper;
	enum pool_purpose purpose;
};

/**
 * struct pool_owned - the chunks that each upper owns
 * @first: for each upper, and one more: where in @place its chunks begin
 * @place: (block - data) / YBD_FMT_CHUNK_BLOCKS of each, in no order
 */
struct pool_owned {
	u32 *first;
	u64 *place;
};

/**
 * struct pool_walk - the metadata of an upper as it is read
 * @p: the pool
 * @n: number of the upper
 * @u: the upper
 * @rec: records of its checkpoint, then of its log
 * @use: chunks that were seen, of all uppers
 * @nr_use: how many
 * @cap_use: room for
 * @first_use: where those of this upper begin
 * @owned: chunks that uppers own
 */
struct pool_walk {
	struct pool *p;
	u32 n;
	struct pool_upper *u;
	struct pool_records rec;
	struct pool_use *use;
	size_t nr_use;
	size_t cap_use;
	size_t first_use;
	const struct pool_owned *owned;
};

/* Does the block lie in the segments? */
bool pool_in_data(const struct pool *p, u64 block);
/* First block of the next chunk. */
u64 pool_chunk_end(const struct pool *p, u64 block);
/* The walk comes into the chunk of @block. 0 or -ENOMEM. */
int pool_use_chunk(struct pool_walk *w, u64 block, enum pool_purpose purpose);
/* A record of @w->u: 0 and into @out, or -EUCLEAN and @why. */
int pool_record_decode(const struct pool_walk *w, const struct ybd_fmt_record *r,
		       struct pool_record *out, char *why);

/* Each: 0, also when the upper is broken now; -ENOMEM. */
int pool_layers_walk(struct pool_walk *w);
int pool_ckpt_walk(struct pool_walk *w);
int pool_log_walk(struct pool_walk *w);

/* ---- check.c ---- */

/**
 * struct pool_check - what all uppers use
 * @ordinal: for each ordinal of a metadata segment: the segment + 1, or 0
 * @nr_ordinals: the highest + 1
 * @used: for each segment: number of the upper that maps it + 1, or 0
 * @seen: for each segment: the last upper that was found to map it + 1, whether it may or not
 * @use: chunks that are used; sorted by place in the end
 * @nr_use: how many
 * @chunk_used: for each chunk
 * @owned: chunks that uppers own
 */
struct pool_check {
	u32 *ordinal;
	u32 nr_ordinals;
	u32 *used;
	u32 *seen;
	struct pool_use *use;
	size_t nr_use;
	u8 *chunk_used;
	struct pool_owned owned;
};

/* Everything but the superblocks, into @p->check. */
int pool_check_all(struct pool *p);
void pool_check_free(struct pool *p);
/* Is there a block of the table of which no copy is valid? */
bool pool_table_lost(const struct pool_table *t);
/* How many segments of those that the upper owns it has to give back, when it uses @used. */
u32 pool_leaked_segments(const struct pool *p, u32 n, u32 used);

#endif
