/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes pools for tests, and knows what is in them. Written from pool-format.rst and the uapi
 * header alone: it shares nothing with tools/lib/pool but crc32c.
 */
#ifndef YBD_TEST_POOL_MAKE_H
#define YBD_TEST_POOL_MAKE_H

#include <linux/ybd_format.h>

#include "types.h"

#define MK_UPPERS	8
#define MK_BLOCKS	4096		/* of each device */
#define MK_CHUNKS	64		/* of a log */
#define MK_META		24		/* segments */

/* In mk_upper.model, besides blocks of the pool. */
#define MK_IMAGE	0ULL
#define MK_ZERO		1ULL

/**
 * struct mk_upper - an upper
 * @header: as it will be written
 * @slot_seq: of the last header that was written; 0 for none
 * @uuid: its uuid
 * @model: for each block of the device: block of the pool, MK_ZERO or MK_IMAGE
 * @at: block of the log where the next one goes
 * @seq: its sequence number
 * @prev_crc: crc of the block before it
 * @epoch: of this attach
 * @log: blocks of the log that were written, in order
 * @nr_log: how many
 * @ckpt: blocks of the checkpoint
 * @nr_ckpt: how many
 * @data_seg: segment that data goes to
 * @data_used: blocks of it
 */
struct mk_upper {
	struct ybd_fmt_upper header;
	u64 slot_seq;
	u8 uuid[16];
	u64 model[MK_BLOCKS];
	u64 at;
	u64 seq;
	u32 prev_crc;
	u64 epoch;
	u64 log[1024];
	u32 nr_log;
	u64 ckpt[64];
	u32 nr_ckpt;
	u32 data_seg;
	u32 data_used;
};

/**
 * struct mk - a pool in memory
 * @mem: its bytes
 * @blocks: size
 * @uuid: its uuid
 * @super: superblock
 * @seg: owners of segments, as on disk
 * @chunk: owners of chunks
 * @meta: segments of the metadata
 * @nr_meta: how many
 * @table_seq: of all blocks of the tables
 * @upper: uppers
 * @rng: state of the random numbers
 */
struct mk {
	u8 *mem;
	u64 blocks;
	u8 uuid[16];
	struct ybd_fmt_super super;
	struct ybd_fmt_owner *seg;
	struct ybd_fmt_owner *chunk;
	u32 meta[MK_META];
	u32 nr_meta;
	u64 table_seq;
	struct mk_upper upper[MK_UPPERS];
	u64 rng;
};

/* An empty pool of 64 MiB with room for @max_blocks. */
void mk_pool(struct mk *m, u64 seed, u64 max_blocks);
void mk_free(struct mk *m);

u32 mk_random(struct mk *m, u32 below);
static inline void *mk_block(struct mk *m, u64 n)
{
	return m->mem + n * YBD_FMT_BLOCK_SIZE;
}

/* The crc of a block put right, and nothing else. */
void mk_fix_crc(struct mk *m, u64 block);
/* All of the header, with the sequence number as it is; @owner may be NULL. */
void mk_seal(struct mk *m, u64 block, u64 magic, const u8 *owner, u64 seq);

/* Upper @n comes into being: chunks, list of layers, header. @generation is raised. */
void mk_create(struct mk *m, u32 n);
/* Another attach: a higher epoch. */
void mk_attach(struct mk *m, u32 n);
/* One block of the log with @nr records made by @fn, or random ones; 0: only the records in it. */
void mk_append(struct mk *m, u32 n, u32 nr);
/* A block with the given records. */
void mk_append_records(struct mk *m, u32 n, const struct ybd_fmt_record *r, u32 nr);
struct ybd_fmt_record mk_map(u64 start, u64 nr, u64 where);
struct ybd_fmt_record mk_zero(u64 start, u64 nr);
struct ybd_fmt_record mk_drop(u64 start, u64 nr);
/* As many blocks of random records. */
void mk_write(struct mk *m, u32 n, u32 blocks);
/* A checkpoint; the log goes on in new chunks, the old ones are given back. */
void mk_checkpoint(struct mk *m, u32 n);
void mk_destroy(struct mk *m, u32 n);
/* A new segment or chunk of an upper. */
u32 mk_take_segment(struct mk *m, u32 owner, u32 generation);
u64 mk_take_chunk(struct mk *m, u32 n);
/* Put the tables, or the header of @n, to disk. */
void mk_tables(struct mk *m);
void mk_header(struct mk *m, u32 n);

/* A pool with all that there is in it; the same for the same seed. */
void mk_everything(struct mk *m, u64 seed);

#endif
