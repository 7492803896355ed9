/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A digest of the blocks of an lvol that are not zero, for emulated guests:
 * SHA-256 does some MB a second there. The host makes it of bytes whose SHA-256
 * it has compared with SPDK's. It is 64 bits wide and good against accidents.
 */
#ifndef YBD_TEST_FAST_DIGEST_H
#define YBD_TEST_FAST_DIGEST_H

#include "types.h"

#define FAST_DIGEST_BLOCK	4096

static inline u64 fast_digest_mix(u64 h, u64 w)
{
	h = (h ^ w) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 29;
}

/* Go on from @h with block @nr; every bit of it and of its number counts. */
static inline u64 fast_digest(u64 h, u64 nr, const void *block)
{
	u64 lane[4] = { h, nr, ~h, ~nr }, w;
	size_t i, k;

	for (i = 0; i < FAST_DIGEST_BLOCK; i += sizeof(lane)) {
		for (k = 0; k < 4; k++) {
			memcpy(&w, (const u8 *)block + i + 8 * k, sizeof(w));
			lane[k] = fast_digest_mix(lane[k], w);
		}
	}
	for (k = 0; k < 4; k++)
		h = fast_digest_mix(h, lane[k]);
	return h;
}

#endif
