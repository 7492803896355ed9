/* SPDX-License-Identifier: GPL-2.0-only */
/* A file as a block device. */
#ifndef YBD_LIB_LOOPDEV_H
#define YBD_LIB_LOOPDEV_H

#include "error.h"

/**
 * ybd_loop_open() - a loop device over a file
 * @file_fd: the file, open for reading, and for writing if @write; stays the
 *	     caller's
 * @path: its name, for errors
 * @write: not a read-only one
 * @err: why not
 *
 * With direct I/O where the file system has it, so that nothing is cached
 * twice, and with autoclear: the loop device goes when the last user closes it,
 * which is the kernel's claim on it once an image is loaded, or else this
 * process. One that exists already in the same form is used again; for writing
 * one in any form that has the whole file, as two would not see each other's
 * data.
 *
 * A writable one holds a lock (flock(2)) on the file, so that what works on
 * pools in files leaves it alone.
 *
 * Return: a descriptor of the loop device, or a negative errno.
 */
int ybd_loop_open(int file_fd, const char *path, bool write,
		  struct ybd_error *err);

#endif
