/* SPDX-License-Identifier: GPL-2.0-only */
/* Data for the kernel in a file of memory. */
#ifndef YBD_LIB_MEMFILE_H
#define YBD_LIB_MEMFILE_H

#include <stddef.h>

/**
 * ybd_memfile() - a file with these contents that nobody can change any more
 * @name: shown in /proc
 * @data: its contents
 * @len: bytes of @data
 *
 * Return: a descriptor or a negative errno.
 */
int ybd_memfile(const char *name, const void *data, size_t len);

#endif
