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
#include <sys/mman.h>
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
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define min(a, b)		((a) < (b) ? (a) : (b))
#define min_t(t, a, b)		((t)(a) < (t)(b) ? (t)(a) : (t)(b))
#define __ffs64(x)		__builtin_ctzll(x)
#define ilog2(x)		(63 - __builtin_clzll(x))
#define kvcalloc(n, size, gfp)	user_kvcalloc(n, size)
#define kvfree(p)		free(p)
#define cond_resched()		do { } while (0)

#define USER_HUGE_PAGE		(2U << 20)

/* As the kernel's since 5.18: what is larger than a huge page lies on such. */
static inline void *user_kvcalloc(size_t n, size_t size)
{
	size_t bytes = n * size;
	void *p;

	if (bytes < USER_HUGE_PAGE)
		return calloc(n, size);
	p = aligned_alloc(USER_HUGE_PAGE, (bytes + USER_HUGE_PAGE - 1) & -USER_HUGE_PAGE);
	if (!p)
		return NULL;
	/* only for speed: the bench wants it, tests run without */
	madvise(p, bytes, MADV_HUGEPAGE);
	return memset(p, 0, bytes);
}

#endif /* YBD_IMAGE_MAP_USER_H */
