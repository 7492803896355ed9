/* SPDX-License-Identifier: GPL-2.0-only */
/* A file as a block device. */
#ifndef YBD_LIB_LOOPDEV_H
#define YBD_LIB_LOOPDEV_H

#include "error.h"

/**
 * ybd_loop_open() - a read-only loop device over a file
 * @file_fd: the file, open for reading; stays the caller's
 * @path: its name, for errors
 * @err: why not
 *
 * With direct I/O where the file system has it, so that nothing is cached
 * twice, and with autoclear: the loop device goes when the last user closes it,
 * which is the kernel's claim on it once an image is loaded, or else this
 * process. One that exists already in the same form is used again.
 *
 * Return: a descriptor of the loop device, or a negative errno.
 */
int ybd_loop_open(int file_fd, const char *path, struct ybd_error *err);

#endif
