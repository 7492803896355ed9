/* SPDX-License-Identifier: GPL-2.0-only */
/* Fixed-width types under the kernel's names, and unaligned little-endian reads and writes. */
#ifndef YBD_LIB_TYPES_H
#define YBD_LIB_TYPES_H

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <linux/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#ifndef __packed
#define __packed __attribute__((packed))
#endif
#ifndef __printf
#define __printf(a, b) __attribute__((format(printf, a, b)))
#endif
#ifndef __must_check
#define __must_check __attribute__((warn_unused_result))
#endif

#ifndef BIT
#define BIT(n) (1UL << (n))
#endif

#ifdef __CHECKER__
#define __le_force __attribute__((force))
#else
#define __le_force
#endif

static inline u16 le16_to_cpu(__le16 v)
{
	return le16toh((__le_force u16)v);
}

static inline u32 le32_to_cpu(__le32 v)
{
	return le32toh((__le_force u32)v);
}

static inline u64 le64_to_cpu(__le64 v)
{
	return le64toh((__le_force u64)v);
}

static inline __le16 cpu_to_le16(u16 v)
{
	return (__le_force __le16)htole16(v);
}

static inline __le32 cpu_to_le32(u32 v)
{
	return (__le_force __le32)htole32(v);
}

static inline __le64 cpu_to_le64(u64 v)
{
	return (__le_force __le64)htole64(v);
}

static inline u16 get_le16(const void *p)
{
	__le16 v;

	memcpy(&v, p, sizeof(v));
	return le16_to_cpu(v);
}

static inline u32 get_le32(const void *p)
{
	__le32 v;

	memcpy(&v, p, sizeof(v));
	return le32_to_cpu(v);
}

static inline u64 get_le64(const void *p)
{
	__le64 v;

	memcpy(&v, p, sizeof(v));
	return le64_to_cpu(v);
}

static inline void put_le32(void *p, u32 val)
{
	__le32 v = cpu_to_le32(val);

	memcpy(p, &v, sizeof(v));
}

static inline void put_le64(void *p, u64 val)
{
	__le64 v = cpu_to_le64(val);

	memcpy(p, &v, sizeof(v));
}

#endif
