// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "mounts.h"
#include "util.h"

static unsigned int octal(const char *s)
{
	return (s[0] - '0') * 64 + (s[1] - '0') * 8 + s[2] - '0';
}

/* mountinfo has blanks and backslashes as \ooo. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && strspn(s + 1, "01234567") >= 3) {
			*out++ = octal(s + 1);
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

/* The options of the filesystem are the third word behind the dash. */
static bool fs_is_ro(const char *rest)
{
	char options[3] = "";

	rest = strstr(rest, " - ");
	return rest && sscanf(rest, " - %*s %*s %2[^,\n]", options) == 1 && !strcmp(options, "ro");
}

static bool parse(char *line, dev_t dev, struct mount_entry *m)
{
	unsigned int maj, min;
	int at = 0, end = 0;

	if (sscanf(line, "%*d %*d %u:%u %*s %n%*s%n", &maj, &min, &at, &end) != 2 || !end)
		return false;
	m->ro = fs_is_ro(line + end);
	line[end] = '\0';
	unescape(line + at);
	m->dir = line + at;
	return makedev(maj, min) == dev;
}

bool mounts_find(dev_t dev, bool (*want)(const struct mount_entry *m, void *arg), void *arg)
{
	FILE *f __cleanup_file = fopen("/proc/self/mountinfo", "re");
	char *line __cleanup_free = NULL;
	struct mount_entry m;
	size_t cap = 0;

	while (f && getline(&line, &cap, f) > 0)
		if (parse(line, dev, &m) && want(&m, arg))
			return true;
	return false;
}
