/* SPDX-License-Identifier: GPL-2.0-only */
/* The header that every block of metadata has (pool-format.rst, section 2). Pure. */
#ifndef YBD_POOL_BLOCK_H
#define YBD_POOL_BLOCK_H

#include <linux/ybd_format.h>

#include "../types.h"

#define POOL_WHY_LEN 192

/* The owner of what belongs to no upper. */
extern const u8 pool_no_owner[16];

/**
 * pool_seal() - write the header of a block
 * @block: YBD_FMT_BLOCK_SIZE bytes, all set but the header
 * @magic: its kind
 * @pool: uuid of the pool
 * @owner: uuid of the upper, or pool_no_owner
 * @at: where it will be
 * @seq: its sequence number
 */
void pool_seal(void *block, u64 magic, const u8 *pool, const u8 *owner, u64 at, u64 seq);

/**
 * pool_verify() - is it the block that should be there?
 * @block: as it was read
 * @magic: the kind that should be there
 * @pool: uuid of the pool; NULL for any
 * @owner: uuid of the upper, or pool_no_owner; NULL for any
 * @at: where it was read
 * @why: POOL_WHY_LEN bytes: what is wrong, when something is
 */
bool pool_verify(const void *block, u64 magic, const u8 *pool, const u8 *owner, u64 at, char *why);

/* The crc that belongs into a block. */
u32 pool_block_crc(const void *block);

bool pool_is_zero(const void *p, size_t len);

/* A name of YBD_FMT_NAME_LEN bytes: not empty, ended, zeroes behind it. NULL, or what is wrong. */
const char *pool_check_name(const u8 *name);

#endif
