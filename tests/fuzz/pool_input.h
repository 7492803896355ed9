/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Input of the pool fuzzer: which good pool, then changes to its blocks of metadata. Crcs are put
 * right afterwards unless a change says otherwise, so that what follows them is reached.
 */
#ifndef YBD_FUZZ_POOL_INPUT_H
#define YBD_FUZZ_POOL_INPUT_H

#define INPUT_POOLS	3	/* first byte */
#define INPUT_HEAD	1
#define INPUT_REC	14	/* block (2), offset (2), operation, width, value (8) */
#define INPUT_RECS_MAX	64

/* Operation, in the lower bits. */
enum input_op {
	INPUT_SET,		/* the field becomes the value */
	INPUT_ADD,		/* or this much more */
	INPUT_BLOCK,		/* or the number of a block of metadata */
	INPUT_COPY,		/* all of the block becomes another one */
	INPUT_MOVE,		/* the same, and it says that it belongs here */
	INPUT_ZERO,		/* all of it zeroes */
	INPUT_FIELD,		/* the value of a field of another block at that offset */
	INPUT_OPS
};

#define INPUT_FAR	0x40	/* offset anywhere; otherwise where fields are */
#define INPUT_BAD_CRC	0x80	/* the crc stays as it was */

#endif
