/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading attributes of sysfs, which are one line each. */
#ifndef YBD_LIB_SYSFS_H
#define YBD_LIB_SYSFS_H

#include "types.h"

/**
 * ybd_sysfs_read() - one attribute
 * @buf: the line, without its newline and blanks around it; "" when it fails
 * @len: of @buf; what is longer is cut off
 * @fmt: path, as of printf()
 *
 * Return: 0 or a negative errno.
 */
int ybd_sysfs_read(char *buf, size_t len, const char *fmt, ...)
	__printf(3, 4);

/* The same for a decimal number; 0 when there is none. */
u64 ybd_sysfs_u64(const char *fmt, ...) __printf(1, 2);

#endif
