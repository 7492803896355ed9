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

#endif
