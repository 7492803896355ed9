/* SPDX-License-Identifier: GPL-2.0-only */
/* What a file or block device stands on, down to the disks. */
#ifndef YBD_LIB_STACK_H
#define YBD_LIB_STACK_H

#include "error.h"

/**
 * ybd_stack_check() - refuse what stands on a ybd device
 * @fd: a block device or a regular file
 * @path: its name, for @err
 * @err: why not
 *
 * Follows partitions, slaves (device mapper, md), loop devices to the file
 * system that their file is on, btrfs, and the lower and upper directories of
 * overlayfs as far as they can be seen from here. What cannot be followed
 * (network file systems, FUSE) is taken for good.
 *
 * Return: 0; -ELOOP when there is a ybd device below.
 */
int ybd_stack_check(int fd, const char *path, struct ybd_error *err);

#endif
