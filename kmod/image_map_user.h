/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What image_map.c needs of the kernel, for its user-space build.
 */
#ifndef YBD_IMAGE_MAP_USER_H
#define YBD_IMAGE_MAP_USER_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <linux/ybd_map.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define GFP_KERNEL_ACCOUNT	0
#define __GFP_NOWARN		0
#define U32_MAX			UINT32_MAX
#define U16_MAX			UINT16_MAX
#define SZ_1M			(1U << 20)
#define SECTOR_SHIFT		9
#define noinline		__attribute__((noinline))
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define min(a, b)		((a) < (b) ? (a) : (b))
#define min_t(t, a, b)		((t)(a) < (t)(b) ? (t)(a) : (t)(b))
#define __ffs64(x)		__builtin_ctzll(x)
#define ilog2(x)		(63 - __builtin_clzll(x))
#define kvcalloc(n, size, gfp)	calloc(n, size)
#define kvfree(p)		free(p)
#define cond_resched()		do { } while (0)

#endif /* YBD_IMAGE_MAP_USER_H */
