/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzzer of the lvstore reader eats: the metadata blocks of a store, without their crcs.
 * The crcs are put in when the input becomes a device, or every change would end at the first one.
 *
 *	u32 blocks	size of the device in 4096-byte blocks
 *	u8 turn		number of reads after which the INPUT_LATER records take effect
 *	records: u8 flags, u24 block, u16 len, [u32 next], u8 bytes[len]
 *
 * All little-endian. A record is the beginning of a block, the rest is zeros; of two for one block
 * the last counts. What has no record reads as zeros.
 */
#ifndef YBD_FUZZ_LVSTORE_INPUT_H
#define YBD_FUZZ_LVSTORE_INPUT_H

#include "lvstore/format.h"

#define INPUT_HEAD	5u
#define INPUT_REC	6u
#define INPUT_BLOCKS_MAX 262144u
#define INPUT_RECS_MAX	1024u

enum input_flags {
	INPUT_RAW = 1,		/* a mask: no "next", no crc */
	INPUT_LATER = 2,	/* only from some read on */
	INPUT_BAD_CRC = 4,	/* a wrong crc */
	INPUT_FAILS = 8,	/* cannot be read */
	INPUT_FLAGS = 15,
};

static inline u32 input_rec_head(u8 flags)
{
	return flags & INPUT_RAW ? INPUT_REC : INPUT_REC + 4;
}

#endif
