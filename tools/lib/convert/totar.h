/* SPDX-License-Identifier: GPL-2.0-only */
/* A file system as a tar: the other direction. The same tree gives the same bytes. */
#ifndef YBD_CONVERT_TOTAR_H
#define YBD_CONVERT_TOTAR_H

#include "../imgfs.h"

/**
 * totar_write() - write all that is in a file system as a pax archive
 * @fs: from extfs_look()
 * @fd: where to
 * @sockets: how many sockets were left out, which no tar can hold
 * @err: why not; names the entry
 *
 * "./" is first, each directory before what is in it, in the order of the bytes of the names. Of
 * several names of an inode the first has the data, the others are hard links. Holes of files stay
 * holes.
 */
int totar_write(struct imgfs *fs, int fd, u64 *sockets, struct ybd_error *err);

#endif
