// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include "parse.h"

static int suffix_shift(const char *s)
{
	static const char unit[] = "KkMmGgTt";
	const char *p;

	if (!s[0])
		return 0;
	p = strchr(unit, s[0]);
	if (!p || s[1])
		return -EINVAL;
	return 10 * ((int)(p - unit) / 2 + 1);
}

int parse_size(const char *s, u64 *out)
{
	u64 v = 0;
	int shift;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (v > ((u64)INT64_MAX - (u64)(*s - '0')) / 10)
			return -ERANGE;
		v = v * 10 + (*s - '0');
	}
	shift = suffix_shift(s);
	if (shift < 0)
		return shift;
	if (v > (u64)INT64_MAX >> shift)
		return -ERANGE;
	*out = v << shift;
	return 0;
}

int parse_seconds(const char *s, u32 *out)
{
	size_t n = strspn(s, "0123456789");
	u64 v;

	if (!n || s[n] || n > 10)
		return -EINVAL;
	v = strtoull(s, NULL, 10);
	if (v > INT32_MAX)
		return -EINVAL;
	*out = v;
	return 0;
}

int parse_milliseconds(const char *s, u32 *ms)
{
	unsigned int unit = 1000;
	u64 val = 0;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	for (; *s >= '0' && *s <= '9'; s++) {
		val = val * 10 + (u64)(*s - '0') * 1000;
		if (val > 1000000000)
			return -ERANGE;
	}
	if (*s == '.' && s[1]) {
		for (s++; unit > 1 && *s >= '0' && *s <= '9'; s++) {
			unit /= 10;
			val += (u64)(*s - '0') * unit;
		}
	}
	if (*s)
		return -EINVAL;
	*ms = val;
	return 0;
}
