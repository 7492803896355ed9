/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef YBD_LIB_SHA256_H
#define YBD_LIB_SHA256_H

#include "types.h"

#define SHA256_LEN 32

/**
 * struct sha256 - a SHA-256 in progress (FIPS 180-4)
 * @h: chaining value
 * @total: bytes taken so far
 * @buf: the bytes of the last, incomplete block
 */
struct sha256 {
	u32 h[8];
	u64 total;
	u8 buf[64];
};

/* Start a hash; the struct needs no freeing. */
void sha256_init(struct sha256 *s);
/* Take @len more bytes. */
void sha256_update(struct sha256 *s, const void *data, size_t len);
/* Finish: write the digest. @s must be started anew before the next use. */
void sha256_final(struct sha256 *s, u8 out[SHA256_LEN]);

#endif
