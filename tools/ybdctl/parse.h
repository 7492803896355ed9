/* SPDX-License-Identifier: GPL-2.0-only */
/* Words of a command line turned into values. Pure. */
#ifndef YBDCTL_PARSE_H
#define YBDCTL_PARSE_H

#include "types.h"

/**
 * parse_size() - bytes
 * @s: decimal digits and at most one of K, M, G, T (binary, either case)
 * @out: the value
 *
 * Return: 0; -EINVAL when it is no such thing; -ERANGE beyond 2^63 - 1.
 */
int parse_size(const char *s, u64 *out);

/* Decimal digits below 2^31; 0 or -EINVAL. */
int parse_seconds(const char *s, u32 *out);

/**
 * parse_milliseconds() - a time
 * @s: decimal digits, and a point and at most three more
 * @ms: the value in milliseconds
 *
 * Return: 0; -EINVAL when it is no such thing; -ERANGE beyond 10^6 seconds.
 */
int parse_milliseconds(const char *s, u32 *ms);

#endif
