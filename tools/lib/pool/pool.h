/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pools: made, looked at, checked, mended, grown and destroyed, offline. The format and the reasons
 * are in Documentation/pool-format.rst.
 */
#ifndef YBD_POOL_POOL_H
#define YBD_POOL_POOL_H

#include <linux/ybd_format.h>

#include "io.h"
#include "layout.h"
#include "map.h"

/**
 * struct pool_info - what a superblock says
 * @uuid: of the pool
 * @name: may be empty
 * @seq: how often it was written
 * @compat: features that are ignored when they are not known
 * @ro_compat: features that one who does not know them must not write over
 * @read_only: there are such features here
 * @layout: sizes and places
 */
struct pool_info {
	u8 uuid[16];
	char name[YBD_FMT_NAME_LEN];
	u64 seq;
	u64 compat;
	u64 ro_compat;
	bool read_only;
	struct pool_layout layout;
};

/* ---- what is wrong ---- */

#define POOL_NO_BLOCK	UINT64_MAX
#define POOL_NO_UPPER	UINT32_MAX
#define POOL_FINDINGS	10000	/* are kept; the others are counted */

/* What pool_repair() does about a finding. */
enum pool_fix {
	POOL_FIX_NONE,
	POOL_FIX_SUPER,		/* a superblock from the other one */
	POOL_FIX_COPY,		/* a block of a table from its copy */
	POOL_FIX_SEGMENTS,	/* a block of the segment table from the uppers */
	POOL_FIX_CHUNKS,	/* a block of the chunk table from the uppers */
	POOL_FIX_LEAK,		/* what is not used is given back */
};

/**
 * struct pool_finding - something that is not as it should be
 * @block: where, or POOL_NO_BLOCK
 * @upper: which upper it harms, or POOL_NO_UPPER
 * @error: damage; otherwise it is what a power cut or a tool that was killed may leave
 * @fix: how pool_repair() may mend it
 * @repaired: it has
 * @text: one line, which names the block
 */
struct pool_finding {
	u64 block;
	u32 upper;
	bool error;
	enum pool_fix fix;
	bool repaired;
	char *text;
};

/**
 * struct pool_report - all that is wrong
 * @find: in the order in which it was found
 * @nr: how many
 * @more: how many more there were
 * @cap: for which there is room
 */
struct pool_report {
	struct pool_finding *find;
	size_t nr;
	size_t more;
	size_t cap;
};

/* Are there errors that were not repaired? */
bool pool_report_errors(const struct pool_report *r);

/* ---- a pool ---- */

/**
 * struct pool_owner - an entry of the segment or of the chunk table
 * @owner: YBD_FMT_OWNER_*, or number of an upper + 1
 * @generation: as in struct ybd_fmt_owner
 */
struct pool_owner {
	u32 owner;
	u32 generation;
};

/* Of a block of a table, see struct pool_table. */
#define POOL_TABLE_BAD(copy)	(1u << (copy))	/* that copy has to be written again */
#define POOL_TABLE_LOST		4u		/* neither can be used */
#define POOL_TABLE_DIRTY	8u		/* its entries were changed */

/**
 * struct pool_table - the segment or the chunk table
 * @magic: YBD_FMT_MAGIC_*
 * @first: where the copies begin
 * @nr: entries
 * @entry: them
 * @nr_blocks: blocks of each copy
 * @seq: sequence number of each
 * @flags: of each, POOL_TABLE_*
 */
struct pool_table {
	u64 magic;
	u64 first[2];
	u32 nr;
	struct pool_owner *entry;
	u32 nr_blocks;
	u64 *seq;
	u8 *flags;
};

/* Nothing is known of this entry: no copy of its block is valid. */
static inline bool pool_entry_lost(const struct pool_table *t, u32 i)
{
	return t->flags[i / YBD_FMT_OWNERS_PER_BLOCK] & POOL_TABLE_LOST;
}

enum pool_place {
	POOL_PLACE_EMPTY,	/* never used */
	POOL_PLACE_FREE,	/* was used */
	POOL_PLACE_LIVE,
	POOL_PLACE_FENCED,	/* damaged: nothing is known of it */
};

/**
 * struct pool_upper - an upper, or a place for one
 * @place: what is there
 * @broken: it is live, but has an error that it cannot be attached with
 * @slot_bad: a slot is damaged (bits)
 * @uuid: its uuid
 * @name: its name
 * @seq: of its newer header
 * @generation: and so on: as in struct ybd_fmt_upper
 * @flags: YBD_FMT_UPPER_*
 * @block_size: logical block size
 * @epoch: of the last attach
 * @nr_blocks: size
 * @quota_blocks: most blocks that it may take
 * @reserve_blocks: as many are kept for it
 * @created: when
 * @image_identity: of its image
 * @layers: first block of the list of layers
 * @layers_bytes: length of the list
 * @layers_crc: its crc
 * @ckpt: first block of the checkpoint
 * @ckpt_blocks: blocks of it
 * @ckpt_records: records in them
 * @log: first block of the log
 * @log_seq: sequence number of that
 * @committed_seq: blocks of the log before this were durable
 * @log_prev_crc: previous crc of the first block of the log
 * @segments: that it owns
 * @chunks: that it owns
 * @nr_layers: found by pool_check(): layers of its image
 * @log_blocks: found by pool_check(): blocks of its log
 * @mapped: found by pool_check(): blocks of the pool that it uses
 * @extents: found by pool_check(): extents of its map
 */
struct pool_upper {
	enum pool_place place;
	bool broken;
	u8 slot_bad;
	u8 uuid[16];
	char name[YBD_FMT_NAME_LEN];
	u64 seq;
	u32 generation;
	u32 flags;
	u32 block_size;
	u64 epoch;
	u64 nr_blocks;
	u64 quota_blocks;
	u64 reserve_blocks;
	u64 created;
	u8 image_identity[32];
	u64 layers;
	u32 layers_bytes;
	u32 layers_crc;
	u64 ckpt;
	u32 ckpt_blocks;
	u64 ckpt_records;
	u64 log;
	u64 log_seq;
	u64 committed_seq;
	u32 log_prev_crc;
	u32 segments;
	u32 chunks;
	u32 nr_layers;
	u64 log_blocks;
	u64 mapped;
	u64 extents;
};

/**
 * struct pool_totals - a pool in numbers
 * @metadata_segments: segments that hold chunks
 * @owned_segments: those that uppers own
 * @free_segments: all others, but those of which nothing is known
 * @owned_chunks: chunks that uppers own
 * @live: uppers
 * @fenced: places that are damaged
 * @broken: live uppers that are damaged; found by pool_check()
 * @leaked_segments: owned and not used; found by pool_check()
 * @leaked_chunks: the same of chunks
 */
struct pool_totals {
	u32 metadata_segments;
	u32 owned_segments;
	u32 free_segments;
	u32 owned_chunks;
	u32 live;
	u32 fenced;
	u32 broken;
	u32 leaked_segments;
	u32 leaked_chunks;
};

/* What pool.c and check.c know and others need not. */
struct pool_cache;
struct pool_check;

/**
 * struct pool - a pool whose tables and directory were read
 * @io: where it is
 * @info: its superblock
 * @super_bad: superblocks that have to be written again: bit 0 the first, bit 1 the backup
 * @segments: segment table
 * @chunks: chunk table
 * @upper: all places of the directory, @info.layout.nr_uppers
 * @totals: the pool in numbers
 * @report: what is wrong
 * @cache: of blocks
 * @check: what pool_check() found to be used
 */
struct pool {
	struct pool_io *io;
	struct pool_info info;
	u8 super_bad;
	struct pool_table segments;
	struct pool_table chunks;
	struct pool_upper *upper;
	struct pool_totals totals;
	struct pool_report report;
	struct pool_cache *cache;
	struct pool_check *check;
};

/**
 * pool_probe() - is it a pool, and which?
 * @io: where
 * @info: its superblock
 * @err: why not
 *
 * Reads block 0, and the backup when that is damaged.
 *
 * Return: 0; -ENODATA when nothing of a pool is there; -EUCLEAN when it is damaged; -EOPNOTSUPP
 * when it has features that this version does not know; an I/O error.
 */
int pool_probe(struct pool_io *io, struct pool_info *info, struct ybd_error *err);

/**
 * enum pool_read - how much of the directory is read
 * @POOL_READ_ALL: every header
 * @POOL_READ_LIVE: those that the tables name, which are all that are live; other places are taken
 *	for free. All of them when a table is damaged.
 */
enum pool_read {
	POOL_READ_ALL,
	POOL_READ_LIVE,
};

/**
 * pool_open() - read superblock, tables and directory
 * @io: where; stays the caller's
 * @what: how much of the directory
 * @out: the pool, with what is wrong in its report; close with pool_close()
 * @err: why not
 *
 * Return: as pool_probe(), or -ENOMEM.
 */
int pool_open(struct pool_io *io, enum pool_read what, struct pool **out, struct ybd_error *err);

void pool_close(struct pool *p);

/**
 * pool_layers_read() - the list of layers of an upper
 * @p: the pool
 * @n: the upper, which is live
 * @list: a struct ybd_fmt_layer after the other, verified; free with free(3)
 * @err: why not
 *
 * Return: 0; -EUCLEAN when it is damaged; -ENOMEM.
 */
int pool_layers_read(struct pool *p, u32 n, u8 **list, struct ybd_error *err);

/**
 * pool_check() - read and verify everything
 * @io: where; nothing is written to it
 * @out: the pool, with what is wrong in its report; close with pool_close()
 * @err: why it could not be checked
 *
 * Goes on with the backup when the superblock is damaged.
 *
 * Return: 0, also when something is wrong; otherwise as pool_probe(), or -ENOMEM.
 */
int pool_check(struct pool_io *io, struct pool **out, struct ybd_error *err);

/**
 * pool_upper_map() - where the blocks of an upper are
 * @p: what pool_check() has made; its report stays as it is
 * @n: which upper; live, and not broken
 * @map: sorted; what is not in it is as the image has it. @map->rec is to be freed.
 *
 * Return: 0; -EINVAL when there is no such map; -ENOMEM.
 */
int pool_upper_map(struct pool *p, u32 n, struct pool_records *map);

/**
 * struct pool_mend - how to repair
 * @drop: an upper that is to be given up, or POOL_NO_UPPER
 * @alien: what else was found on the device, or NULL: then the superblock is not restored
 */
struct pool_mend {
	u32 drop;
	const char *alien;
};

/**
 * pool_repair() - mend what can be mended without guessing
 * @p: what pool_check() has made, opened for writing; @p->report is brought up to date
 * @how: how
 * @err: why not
 *
 * Return: 0; -EOPNOTSUPP when the pool must not be written; -EINVAL when the upper to be given up
 * is sound or is not there; an I/O error.
 */
int pool_repair(struct pool *p, const struct pool_mend *how, struct ybd_error *err);

/**
 * pool_create() - make a pool
 * @io: where, opened for writing; what is there is lost
 * @layout: from pool_layout()
 * @uuid: of the pool
 * @name: at most YBD_FMT_NAME_LEN - 1 bytes; may be empty
 * @err: why not
 *
 * Return: 0 or a negative errno; then there is no pool.
 */
int pool_create(struct pool_io *io, const struct pool_layout *layout, const u8 uuid[16],
		const char *name, struct ybd_error *err);

/**
 * pool_grow() - make a pool larger
 * @io: where, opened for writing; a file is extended when it has to be
 * @nr_blocks: new size
 * @out: the pool as it is then
 * @err: why not
 *
 * Return: 0, also when it has that size; -ERANGE when it cannot have it; otherwise as pool_probe().
 */
int pool_grow(struct pool_io *io, u64 nr_blocks, struct pool_info *out, struct ybd_error *err);

/* Make it no pool any more, whatever is in it. 0, or an I/O error. */
int pool_destroy(struct pool_io *io, struct ybd_error *err);

#endif
