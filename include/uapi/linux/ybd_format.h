/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/*
 * A pool on disk, version 1. Documentation/pool-format.rst says what the fields
 * are for, in which order things are written and why.
 *
 * Everything is little-endian. A "block" is always one of YBD_FMT_BLOCK_SIZE
 * bytes, and its number counts from the start of the pool, whatever the logical
 * block size of the device. Every block of metadata begins with a
 * struct ybd_fmt_header; reserved fields are 0.
 */
#ifndef _UAPI_LINUX_YBD_FORMAT_H
#define _UAPI_LINUX_YBD_FORMAT_H

#include <linux/types.h>

#define YBD_FMT_VERSION		1
#define YBD_FMT_BLOCK_SIZE	4096
#define YBD_FMT_BLOCK_SHIFT	12

/* Eight letters in the order of the bytes on disk. */
#define YBD_FMT_MAGIC_SUPER	0x6c6f6f702d646279ULL	/* "ybd-pool" */
#define YBD_FMT_MAGIC_SEGMENTS	0x746765732d646279ULL	/* "ybd-segt" */
#define YBD_FMT_MAGIC_CHUNKS	0x746b68632d646279ULL	/* "ybd-chkt" */
#define YBD_FMT_MAGIC_UPPER	0x727070752d646279ULL	/* "ybd-uppr" */
#define YBD_FMT_MAGIC_LOG	0x2d676f6c2d646279ULL	/* "ybd-log-" */
#define YBD_FMT_MAGIC_CKPT	0x74706b632d646279ULL	/* "ybd-ckpt" */
#define YBD_FMT_MAGIC_LAYERS	0x7279616c2d646279ULL	/* "ybd-layr" */

/**
 * struct ybd_fmt_header - start of every block of metadata
 * @magic: kind of block, YBD_FMT_MAGIC_*
 * @crc: crc32c of the whole block with this field 0
 * @reserved: 0
 * @pool_uuid: of the pool
 * @owner: uuid of the upper that the block belongs to, or zeroes
 * @block: where it is; one that is read from elsewhere is not this block
 * @seq: which of several versions is newer; each kind says how
 */
struct ybd_fmt_header {
	__le64	magic;
	__le32	crc;
	__le32	reserved;
	__u8	pool_uuid[16];
	__u8	owner[16];
	__le64	block;
	__le64	seq;
};

#define YBD_FMT_SUPER_BLOCK		0
#define YBD_FMT_SUPER_BACKUP_BLOCK	256
#define YBD_FMT_NAME_LEN		64

#define YBD_FMT_MIN_BLOCKS		(1ULL << 14)	/* 64 MiB */
#define YBD_FMT_MAX_BLOCKS		(1ULL << 34)	/* 64 TiB */
#define YBD_FMT_MIN_SEGMENT_BLOCKS	64		/* 256 KiB */
#define YBD_FMT_MAX_SEGMENT_BLOCKS	16384		/* 64 MiB */
#define YBD_FMT_MIN_SEGMENTS		4	/* in a pool, whatever its size */
#define YBD_FMT_MAX_SEGMENTS		(1U << 22)
#define YBD_FMT_CHUNK_BLOCKS		16		/* 64 KiB */
#define YBD_FMT_MAX_UPPERS		65536

/* Features this version knows. */
#define YBD_FMT_COMPAT_KNOWN		0ULL
#define YBD_FMT_RO_COMPAT_KNOWN		0ULL
#define YBD_FMT_INCOMPAT_KNOWN		0ULL

/**
 * struct ybd_fmt_super - the superblock, and its backup
 * @h: @h.seq is raised with every change; a backup may be one behind
 * @version: YBD_FMT_VERSION
 * @flags: 0
 * @compat: features that one who does not know them can ignore
 * @ro_compat: features that one who does not know them must not write over
 * @incompat: features without which nothing can be made of the pool
 * @name: of the pool; padded with zeroes, at least one
 * @nr_blocks: size of the pool; the device is at least as large
 * @max_blocks: size up to which the pool can grow
 * @segment_blocks: size of a segment, a power of two
 * @chunk_blocks: size of a chunk of metadata, YBD_FMT_CHUNK_BLOCKS
 * @nr_segments: there are this many
 * @max_segments: entries in each copy of the segment table
 * @max_chunks: entries in each copy of the chunk table
 * @nr_uppers: places in the directory
 * @segment_table: first blocks of the two copies
 * @chunk_table: first blocks of the two copies
 * @directory: its first block; upper N has the two at @directory + 2 * N
 * @data: first block of segment 0; segments follow each other
 */
struct ybd_fmt_super {
	struct ybd_fmt_header h;
	__le32	version;
	__le32	flags;
	__le64	compat;
	__le64	ro_compat;
	__le64	incompat;
	__u8	name[YBD_FMT_NAME_LEN];
	__le64	nr_blocks;
	__le64	max_blocks;
	__le32	segment_blocks;
	__le32	chunk_blocks;
	__le32	nr_segments;
	__le32	max_segments;
	__le32	max_chunks;
	__le32	nr_uppers;
	__le64	segment_table[2];
	__le64	chunk_table[2];
	__le64	directory;
	__le64	data;
	__u8	reserved[3848];
};

/* Owners besides upper N, which is N + 1. */
#define YBD_FMT_OWNER_NONE	0U
#define YBD_FMT_OWNER_METADATA	0xffffffffU	/* segment table only */

/**
 * struct ybd_fmt_owner - entry of the segment and of the chunk table
 * @owner: YBD_FMT_OWNER_NONE, _METADATA, or number of an upper + 1
 * @generation: of that upper: an entry of another generation than its header
 *	says is free. Of a metadata segment its ordinal: it holds the chunks
 *	from ordinal * chunks-per-segment on.
 */
struct ybd_fmt_owner {
	__le32	owner;
	__le32	generation;
};

#define YBD_FMT_OWNERS_PER_BLOCK	504

/**
 * struct ybd_fmt_table - a block of the segment or of the chunk table
 * @h: @h.seq is raised with every write; of the two copies the newer is right
 * @entry: those of segments (chunks) N * YBD_FMT_OWNERS_PER_BLOCK on, in
 *	block N of the table
 */
struct ybd_fmt_table {
	struct ybd_fmt_header h;
	struct ybd_fmt_owner entry[YBD_FMT_OWNERS_PER_BLOCK];
};

enum ybd_fmt_upper_state {
	YBD_FMT_UPPER_FREE	= 0,
	YBD_FMT_UPPER_LIVE	= 1,
};

/* Flags of an upper. */
#define YBD_FMT_UPPER_AUTOSTART	(1U << 0)
#define YBD_FMT_UPPER_FLAGS	(YBD_FMT_UPPER_AUTOSTART)
#define YBD_FMT_UPPER_BLOCKS_MAX	(1ULL << 34)	/* 64 TiB */

/**
 * struct ybd_fmt_upper - one of the two slots of an upper in the directory
 * @h: @h.owner is the upper's uuid. @h.seq is raised with every write, which
 *	goes to slot @h.seq & 1; the newer slot is right. A place that was
 *	never used is two blocks of zeroes.
 * @state: enum ybd_fmt_upper_state
 * @generation: raised whenever the place is taken again; never 0 in use
 * @flags: YBD_FMT_UPPER_*
 * @block_size: logical block size of the device, 512 or 4096 bytes
 * @epoch: raised durably by every attach before it appends to the log
 * @name: of the device; padded with zeroes, at least one
 * @nr_blocks: size of the device, 1 to YBD_FMT_UPPER_BLOCKS_MAX
 * @quota_blocks: most blocks it may take, 0 for as many as it has; below 2^52
 * @reserve_blocks: as many are kept for it; no more than the quota
 * @created: seconds since 1970
 * @image_identity: identity of the image's contents (struct ybd image)
 * @layers: first block of the list of layers; the rest follow it
 * @layers_bytes: its length, without the headers of its blocks
 * @layers_crc: crc32c of the list
 * @ckpt: first block of the checkpoint, 0 for none
 * @ckpt_blocks: how many blocks it has
 * @ckpt_reserved: 0
 * @ckpt_records: how many records they hold
 * @log: first block of the log behind the checkpoint
 * @log_seq: @h.seq of that block
 * @committed_seq: all blocks of the log before this one were durable
 * @log_prev_crc: what that block has as prev_crc
 */
struct ybd_fmt_upper {
	struct ybd_fmt_header h;
	__le32	state;
	__le32	generation;
	__le32	flags;
	__le32	block_size;
	__le64	epoch;
	__u8	name[YBD_FMT_NAME_LEN];
	__le64	nr_blocks;
	__le64	quota_blocks;
	__le64	reserve_blocks;
	__le64	created;
	__u8	image_identity[32];
	__le64	layers;
	__le32	layers_bytes;
	__le32	layers_crc;
	__le64	ckpt;
	__le32	ckpt_blocks;
	__le32	ckpt_reserved;
	__le64	ckpt_records;
	__le64	log;
	__le64	log_seq;
	__le64	committed_seq;
	__le32	log_prev_crc;
	__u8	reserved[3812];
};

/*
 * Records of the log and of checkpoints.
 *
 * @what has the operation in its upper 8 bits and the first block of the device
 * in the others. @where of YBD_FMT_OP_MAP has the number of blocks - 1 in its
 * upper 16 bits and the first block of the pool in the others; of the other
 * operations it is the number of blocks.
 */
struct ybd_fmt_record {
	__le64	what;
	__le64	where;
};

#define YBD_FMT_OP_SHIFT	56
#define YBD_FMT_NR_SHIFT	48
#define YBD_FMT_MAP_MAX		65536	/* blocks in one record of a mapping */

enum ybd_fmt_op {
	YBD_FMT_OP_MAP	= 1,	/* these blocks are there */
	YBD_FMT_OP_ZERO	= 2,	/* these blocks are zeroes */
	YBD_FMT_OP_DROP	= 3,	/* these blocks are as the image has them */
};

#define YBD_FMT_LOG_RECORDS	250

/**
 * struct ybd_fmt_log - a block of a log
 * @h: @h.seq is one more than that of the block before it
 * @epoch: of the attach that wrote it
 * @next: where the block after it is or will be
 * @durable_seq: all blocks before this one were durable when it was submitted
 * @prev_crc: @h.crc of the block before it
 * @nr: records in it
 * @reserved: 0
 * @record: in the order in which they took effect
 */
struct ybd_fmt_log {
	struct ybd_fmt_header h;
	__le64	epoch;
	__le64	next;
	__le64	durable_seq;
	__le32	prev_crc;
	__le16	nr;
	__le16	reserved;
	struct ybd_fmt_record record[YBD_FMT_LOG_RECORDS];
};

#define YBD_FMT_CKPT_RECORDS	251

/**
 * struct ybd_fmt_ckpt - a block of a checkpoint
 * @h: @h.seq is the first of the log that is not in the checkpoint
 * @next: where the block after it is, 0 for the last
 * @index: how many come before it
 * @nr: records in it
 * @reserved: 0
 * @record: sorted, not overlapping, through all blocks; YBD_FMT_OP_DROP does
 *	not occur
 */
struct ybd_fmt_ckpt {
	struct ybd_fmt_header h;
	__le64	next;
	__le32	index;
	__le16	nr;
	__le16	reserved;
	struct ybd_fmt_record record[YBD_FMT_CKPT_RECORDS];
};

#define YBD_FMT_LAYERS_BYTES	4032	/* in one block */
#define YBD_FMT_LAYERS_MAX	(YBD_FMT_LAYERS_BYTES * YBD_FMT_CHUNK_BLOCKS)

/**
 * struct ybd_fmt_layers - a block of the list of layers
 * @h: @h.seq is how many blocks of the list come before it
 * @data: the list: a struct ybd_fmt_layer after the other
 */
struct ybd_fmt_layers {
	struct ybd_fmt_header h;
	__u8	data[YBD_FMT_LAYERS_BYTES];
};

enum ybd_fmt_layer_kind {
	YBD_FMT_LAYER_LVOL	= 1,
	YBD_FMT_LAYER_DEVICE	= 2,
	YBD_FMT_LAYER_FILE	= 3,
};

#define YBD_FMT_MAX_LAYERS	256

/**
 * struct ybd_fmt_layer - what a layer of the image is; the topmost comes first
 * @kind: enum ybd_fmt_layer_kind
 * @len: of this and of @text, a multiple of 8
 * @size: of the layer in bytes
 * @identity: of its contents
 * @source_uuid: of the namespace, or zeroes
 * @store_uuid: of the lvstore, or zeroes
 * @lvol_uuid: of the lvol, or zeroes
 * @text: the name of an lvol; where a device or file is, as a path or
 *	"uuid:...", "nguid:...", "eui:...". Of an lvol another string may follow,
 *	which is where the store is. Padded with zeroes, at least one
 */
struct ybd_fmt_layer {
	__le16	kind;
	__le16	len;
	__le32	reserved;
	__le64	size;
	__u8	identity[32];
	__u8	source_uuid[16];
	__u8	store_uuid[16];
	__u8	lvol_uuid[16];
	__u8	text[];
};

#endif /* _UAPI_LINUX_YBD_FORMAT_H */
