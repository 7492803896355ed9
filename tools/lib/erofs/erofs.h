/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * EROFS filesystems, written and read without mounting them; see ../imgfs.h. Nothing is compressed.
 *
 * The tree is in memory while layers are applied, and all of its metadata are written anew when
 * that is done, behind everything that is there. Data of files never move: what a layer below has
 * is not written again.
 */
#ifndef YBD_EROFS_EROFS_H
#define YBD_EROFS_EROFS_H

#include "../imgfs.h"

/**
 * erofs_open() - a filesystem that is there, and that erofs_make() has begun
 * @b: what it is in; has to stay
 * @out: end with imgfs_finish() or imgfs_abort()
 * @err: why not
 *
 * Return: 0; -EOPNOTSUPP for one of somebody else, -EUCLEAN for damage.
 */
int erofs_open(struct bytestore *b, struct imgfs **out, struct ybd_error *err);

/* A new one with nothing but a root directory of mode 0755, of all of @b. */
int erofs_make(struct bytestore *b, const u8 uuid[16], struct imgfs **out,
	       struct ybd_error *err);

/* Is there an EROFS? 1, 0 or a negative errno. */
int erofs_is_there(struct bytestore *b, struct ybd_error *err);

#endif
