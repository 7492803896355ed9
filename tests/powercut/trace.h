/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a recorder saw of a disk, and what a workload said about it, in one order. Shared by the
 * recorder, the checker and the workload in the guest; the numbers are the machine's own.
 */
#ifndef YBD_POWERCUT_TRACE_H
#define YBD_POWERCUT_TRACE_H

#include "types.h"

#define SECTOR	512u
#define BLOCK	4096u
#define BLOCK_SECTORS (BLOCK / SECTOR)

#define TRACE_MAGIC	0x3165636172747063ULL	/* "cptrace1" */

/**
 * struct trace_head - start of a trace
 * @magic: TRACE_MAGIC
 * @sectors: size of the disk
 */
struct trace_head {
	u64 magic;
	u64 sectors;
};

enum trace_type {
	TRACE_WRITE = 1,	/* submitted; data follows */
	TRACE_ZERO,		/* submitted: write zeroes */
	TRACE_TRIM,		/* submitted */
	TRACE_FLUSH,		/* submitted */
	TRACE_DONE,		/* @id took effect, and is completed at once */
	TRACE_MARK,		/* a struct mark follows */
};

/**
 * struct trace_entry - one of what follows
 * @type: enum trace_type
 * @fua: it is durable when it is done
 * @id: number of the request; a DONE has that of what is done
 * @sector: where
 * @nr: sectors
 * @bytes: of data that follow
 */
struct trace_entry {
	u8 type;
	u8 fua;
	u16 reserved;
	u32 id;
	u64 sector;
	u32 nr;
	u32 bytes;
};

#define MARK_MAGIC	0x316b72616d637059ULL	/* "Ypcmark1" */
#define MARK_NAME	24

enum mark_what {
	MARK_DEVICE = 1,	/* what @dev is; see struct mark */
	MARK_WRITE,		/* about to write @nr sectors at @sector */
	MARK_FUA,		/* the same, durable when it is done */
	MARK_DISCARD,
	MARK_ZERO,
	MARK_FLUSH,
	MARK_CREATE,		/* about to create device @dev, @name, of @sector sectors */
	MARK_DESTROY,
	MARK_RESIZE,		/* to @sector sectors */
	MARK_ATTACH,
	MARK_FILE,		/* file @dev, @name, has @sector records that are durable */
	MARK_END,		/* @op has ended, with @status */
	NR_MARKS,
};

/* Flags of MARK_DEVICE and MARK_CREATE. */
#define MARK_IDENTITY	1u	/* it is the disk itself, from @op on */
#define MARK_PARTLY	2u	/* other things than marked writes are on it */

#define MAX_FILES	64
#define RECORD_SIZE	4096	/* in bytes, of a file; its sectors have tags */

/**
 * struct mark - a workload is about to do something, or has done it
 * @magic: MARK_MAGIC
 * @run: number of the workload's run, so that what an earlier one left is told apart
 * @op: number of the operation in this run; of a MARK_DEVICE that is MARK_IDENTITY the first sector
 * @what: enum mark_what
 * @dev: number of the device, or file; 0 for none
 * @status: 0 or a negative errno, of MARK_END
 * @sector: where on the device; its size for some
 * @nr: sectors; of MARK_DEVICE its logical block size
 * @flags: of MARK_DEVICE
 * @name: of the device
 */
struct mark {
	u64 magic;
	u32 run;
	u32 op;
	u16 what;
	u16 dev;
	int32_t status;
	u64 sector;
	u32 nr;
	u32 flags;
	char name[MARK_NAME];
};

#define TAG_MAGIC	0x6474636577703159ULL	/* "Y1pwectd" */
#define TAG_IMAGE	0u			/* as op and run: it belongs to the image */

/**
 * struct tag - what a sector begins with; the rest of it follows from that
 * @magic: TAG_MAGIC
 * @run: whose write
 * @op: which
 * @dev: which device it was for
 * @reserved: 0
 * @sector: which sector of it
 */
struct tag {
	u64 magic;
	u32 run;
	u32 op;
	u32 dev;
	u32 reserved;
	u64 sector;
};

static inline u64 tag_mix(u64 z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* Make the sector that @t describes. */
static inline void tag_fill(void *sector, const struct tag *t)
{
	u64 *w = sector, s = tag_mix(t->op | (u64)t->run << 32);

	s ^= tag_mix(t->sector ^ (u64)t->dev << 48);
	memcpy(w, t, sizeof(*t));
	for (size_t i = sizeof(*t) / 8; i < SECTOR / 8; i++)
		w[i] = s += 0x9e3779b97f4a7c15ULL;
}

#endif
