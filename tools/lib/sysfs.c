// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sysfs.h"

static int __printf(3, 0) read_line(char *buf, size_t len, const char *fmt,
				    va_list ap)
{
	char path[PATH_MAX];
	ssize_t n, lead;
	int fd;

	buf[0] = '\0';
	if (vsnprintf(path, sizeof(path), fmt, ap) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, len - 1);
	if (n < 0) {
		n = -errno;
		close(fd);
		buf[0] = '\0';
		return n;
	}
	close(fd);
	while (n && strchr(" \t\n", buf[n - 1]))
		n--;
	buf[n] = '\0';
	lead = strspn(buf, " \t");
	memmove(buf, buf + lead, n - lead + 1);
	return 0;
}

int ybd_sysfs_read(char *buf, size_t len, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = read_line(buf, len, fmt, ap);
	va_end(ap);
	return rc;
}

u64 ybd_sysfs_u64(const char *fmt, ...)
{
	char buf[32];
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = read_line(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	return rc ? 0 : strtoull(buf, NULL, 10);
}
