/* SPDX-License-Identifier: GPL-2.0-only */
/* All of it, or a reason why not: pread() and pwrite() may do a part, or be interrupted. */
#ifndef YBD_LIB_FDIO_H
#define YBD_LIB_FDIO_H

#include <errno.h>
#include <unistd.h>

#include "types.h"

/* 0 or a negative errno; -EIO when the file ends before. */
static inline int pread_all(int fd, void *buf, size_t len, u64 off)
{
	u8 *p = buf;

	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		off += (u64)n;
		len -= (size_t)n;
	}
	return 0;
}

/* 0 or a negative errno. */
static inline int pwrite_all(int fd, const void *buf, size_t len, u64 off)
{
	const u8 *p = buf;

	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		off += (u64)n;
		len -= (size_t)n;
	}
	return 0;
}

#endif
