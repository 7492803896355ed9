/* SPDX-License-Identifier: GPL-2.0-only */
/* What the programs of this directory have in common. */
#ifndef YBD_TEST_H
#define YBD_TEST_H

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "types.h"

/* A test that cannot be run: not a result, an end. */
#define die(fmt, ...)							\
	do {								\
		printf("# %s: " fmt "\n", program_invocation_short_name, \
		       ##__VA_ARGS__);					\
		exit(2);						\
	} while (0)

/* splitmix64: small, and the same everywhere for one seed. */
struct rng {
	u64 s;
};

static inline u64 rng_next(struct rng *r)
{
	u64 z = r->s += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* From 0 below @n. */
static inline u64 rng_below(struct rng *r, u64 n)
{
	return rng_next(r) % n;
}

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* In @percent of all cases. */
static inline bool rng_chance(struct rng *r, unsigned int percent)
{
	return rng_below(r, 100) < percent;
}

static inline bool is_zero(const void *p, size_t len)
{
	const u64 *w = p;

	/* Mostly data or mostly zeroes: the first word decides most cases. */
	return !*w && !memcmp(p, (const char *)p + 8, len - 8);
}

static inline void *xalloc(size_t len)
{
	void *p = NULL;

	if (posix_memalign(&p, 4096, len ? len : 1))
		die("out of memory (%zu bytes)", len);
	memset(p, 0, len);
	return p;
}

#endif
