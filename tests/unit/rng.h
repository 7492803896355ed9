/* SPDX-License-Identifier: GPL-2.0-only */
/* Random numbers that a seed repeats (splitmix64); one stream for a program. */
#ifndef YBD_TEST_RNG_H
#define YBD_TEST_RNG_H

#include "types.h"

static u64 rng_state;

static inline u64 rnd(void)
{
	u64 z = (rng_state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* 0 to @n - 1; 0 for an @n of 0. */
static inline u64 below(u64 n)
{
	return n ? rnd() % n : 0;
}

#endif
