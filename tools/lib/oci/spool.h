/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files without a name for what is kept for a while, in $TMPDIR, or else in /var/tmp, which is for
 * what is large. It goes without them, too.
 */
#ifndef YBD_OCI_SPOOL_H
#define YBD_OCI_SPOOL_H

#include "../types.h"

/**
 * spool_room() - how much may be put into all such files together
 * @store: path of a store that is being written
 *
 * At most a quarter of what is free, and nothing that the store may need if it is a file of the
 * same filesystem. Nothing in memory (tmpfs): memory is what they are to spare.
 *
 * Return: bytes, at most 1 GiB.
 */
u64 spool_room(const char *store);

/* A descriptor, or -1; nothing may be written behind byte @end. */
int spool_open(u64 *end);

#endif
