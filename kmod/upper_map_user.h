/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What upper_map.c needs of the kernel, for its user-space build. The program
 * that it is part of provides ybd_umap_node_alloc() and ybd_umap_node_free().
 */
#ifndef YBD_UPPER_MAP_USER_H
#define YBD_UPPER_MAP_USER_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
#define gfp_t unsigned int

#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define BIT(n)			(1UL << (n))
#define BIT_ULL(n)		(1ULL << (n))
#define min(a, b)		((a) < (b) ? (a) : (b))
#define max(a, b)		((a) > (b) ? (a) : (b))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define U64_MAX			UINT64_MAX
#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#define min_t(t, a, b)		((t)(a) < (t)(b) ? (t)(a) : (t)(b))
/* barriers: C11's do what the kernel's do */
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
/* and this one */
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define lockdep_assert_held(l)	((void)(l))

struct rcu_head {
	void *next[2];
};

struct user_seqcount {
	u32 sequence;
};

#define seqcount_t		struct user_seqcount

#define seqcount_init(s)	((s)->sequence = 0)

static inline u32 read_seqcount_begin(const seqcount_t *s)
{
	u32 seq;

	/* pairs with write_seqcount_end() */
	while ((seq = smp_load_acquire(&s->sequence)) & 1)
		;
	return seq;
}

static inline bool read_seqcount_retry(const seqcount_t *s, u32 seq)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return READ_ONCE(s->sequence) != seq;
}

static inline void write_seqcount_begin(seqcount_t *s)
{
	WRITE_ONCE(s->sequence, s->sequence + 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void write_seqcount_end(seqcount_t *s)
{
	/* pairs with read_seqcount_begin() */
	smp_store_release(&s->sequence, s->sequence + 1);
}

#endif /* YBD_UPPER_MAP_USER_H */
