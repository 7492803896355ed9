/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef YBD_LIB_CRC32C_H
#define YBD_LIB_CRC32C_H

#include "types.h"

/**
 * crc32c() - CRC-32C (Castagnoli) of a buffer
 * @buf: the bytes; may be unaligned
 * @len: how many
 *
 * Reflected polynomial 0x82F63B78, initial value and final xor 0xFFFFFFFF: what SPDK's blobstore
 * and the pool format use. Takes the CPU's instruction where there is one.
 */
u32 crc32c(const void *buf, size_t len);

/**
 * crc32c_force() - choose four bytes so that a buffer has a given crc
 * @buf: the bytes; the last four of them are overwritten
 * @len: how many, at least 4
 * @crc: what crc32c() of the result is
 *
 * With it a block can be changed while the crc at its end, in another sector, stays right.
 */
void crc32c_force(void *buf, size_t len, u32 crc);

#endif
