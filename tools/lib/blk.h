/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What lies on a block device or in a file, by libblkid, which is opened when
 * it is first needed.
 */
#ifndef YBD_LIB_BLK_H
#define YBD_LIB_BLK_H

#include "error.h"

/**
 * struct ybd_blk_content - what was found
 * @type: ext4, xfs, LVM2_member, ...; "" when nothing is known of it
 * @usage: filesystem, raid, crypto, other; or "partitions"
 * @uuid: its uuid as text, or ""
 * @label: its label, or ""
 */
struct ybd_blk_content {
	char type[32];
	char usage[16];
	char uuid[64];
	char label[128];
};

/**
 * ybd_blk_probe() - look what it is
 * @fd: open for reading; a block device or a regular file
 * @out: the answer; @out->type is "" when there is nothing
 * @err: why not
 *
 * Return: 0; -EUCLEAN when it looks like two things at once; -ELIBACC without
 * libblkid; an I/O error.
 */
int ybd_blk_probe(int fd, struct ybd_blk_content *out, struct ybd_error *err);

#endif
