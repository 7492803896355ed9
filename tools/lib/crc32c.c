// SPDX-License-Identifier: GPL-2.0-only
/* CRC-32C: SSE4.2 where the CPU has it, else one table lookup per byte. */
#include "crc32c.h"

#define CRC32C_POLY 0x82f63b78u

static u32 crc32c_table[256];

__attribute__((constructor))
static void crc32c_init(void)
{
	for (u32 i = 0; i < 256; i++) {
		u32 c = i;

		for (int k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? CRC32C_POLY : 0);
		crc32c_table[i] = c;
	}
}

static u32 crc32c_bytes(u32 crc, const u8 *p, size_t len)
{
	while (len--)
		crc = crc32c_table[(crc ^ *p++) & 0xff] ^ crc >> 8;
	return crc;
}

#if defined(__x86_64__) && !defined(__CHECKER__)
__attribute__((target("sse4.2")))
static u32 crc32c_sse42(u32 crc, const u8 *p, size_t len)
{
	u64 c = crc;

	for (; len >= 8; len -= 8, p += 8)
		c = __builtin_ia32_crc32di(c, get_le64(p));
	while (len--)
		c = __builtin_ia32_crc32qi((u32)c, *p++);
	return (u32)c;
}
#endif

u32 crc32c(const void *buf, size_t len)
{
#if defined(__x86_64__) && !defined(__CHECKER__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc32c_sse42(~0u, buf, len);
#endif
	return ~crc32c_bytes(~0u, buf, len);
}

/*
 * The register after four bytes is that of (register before, xor the bytes) shifted 32 times. The
 * shift can be undone: the polynomial's highest bit is set, so the highest bit of the result tells
 * whether it was added.
 */
void crc32c_force(void *buf, size_t len, u32 crc)
{
	u8 *last = (u8 *)buf + len - 4;
	u32 c = ~crc;

	for (int k = 0; k < 32; k++)
		c = c & 0x80000000u ? (c ^ CRC32C_POLY) << 1 | 1 : c << 1;
	put_le32(last, c ^ ~crc32c(buf, len - 4));
}
