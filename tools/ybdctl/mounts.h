/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a block device is mounted, as far as this mount namespace knows. */
#ifndef YBDCTL_MOUNTS_H
#define YBDCTL_MOUNTS_H

#include <sys/types.h>

#include "types.h"

/**
 * struct mount_entry - a mount of a device
 * @dir: where
 * @ro: the filesystem itself is read-only, not just this mount of it
 */
struct mount_entry {
	const char *dir;
	bool ro;
};

/**
 * mounts_find() - look through the mounts of a device
 * @dev: the device
 * @want: called for each, until it returns true
 * @arg: for @want
 *
 * Return: whether it did.
 */
bool mounts_find(dev_t dev, bool (*want)(const struct mount_entry *m, void *arg), void *arg);

#endif
