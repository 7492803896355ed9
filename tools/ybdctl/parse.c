// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/ybd.h>

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

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

const char *parse_device_name(const char *s)
{
	const char *p;

	if (!*s)
		return "it is empty";
	if (*s == '.' || *s == '-')
		return "it begins with a dot or a dash";
	for (p = s; *p; p++)
		if (!name_char(*p))
			return "only A-Z a-z 0-9 . _ - may be in it";
	if (p - s > YBD_NAME_LEN)
		return "it is longer than 63 characters";
	return NULL;
}

const char *parse_image_name(const char *s)
{
	const char *p;

	if (!*s)
		return "it is empty";
	for (p = s; *p; p++)
		if (*p < 0x21 || *p > 0x7e)
			return "only printable ASCII without blanks may be in it";
	if (p - s > YBD_IMAGE_NAME_LEN)
		return "it is longer than 127 characters";
	return NULL;
}
