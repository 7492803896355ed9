/* SPDX-License-Identifier: GPL-2.0-only */
/* Options of mount(2) for the file systems that an image can hold. Pure. */
#ifndef YBDCTL_FS_H
#define YBDCTL_FS_H

#include "types.h"

/**
 * struct fs_options - for mount(2)
 * @flags: MS_...
 * @data: the file system's own, joined by commas
 */
struct fs_options {
	unsigned long flags;
	char data[512];
};

/**
 * fs_check() - can it be mounted as a container's root?
 * @type: as libblkid names it
 *
 * Return: NULL when it can, else why not.
 */
const char *fs_check(const char *type);

/**
 * fs_options() - options for a file system of an image
 * @type: one that fs_check() takes
 * @user: -o of the command line, such as "noatime,context=..."; may be NULL
 * @ro: read-only
 * @out: the result
 *
 * All containers of an image have the same file system uuid, which xfs refuses
 * without nouuid. A read-only view may come from a snapshot of a mounted file
 * system, and its journal cannot be replayed: noload, norecovery.
 *
 * Return: 0, or -E2BIG.
 */
int fs_options(const char *type, const char *user, bool ro,
	       struct fs_options *out);

#endif
