/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of a layer's entries, looked up in the filesystem as it is in the making: symlinks in the
 * middle lead inside the image, as they would with the image for a root. What would climb out of it
 * is refused.
 */
#ifndef YBD_CONVERT_PATH_H
#define YBD_CONVERT_PATH_H

#include "../imgfs.h"
#include "lowers.h"

#define CONVERT_PATH_MAX	4096u
#define CONVERT_LINKS_MAX	255u

/**
 * struct place - where an entry goes
 * @dir: inode of its directory
 * @name: its last component, in @clean; of @len bytes. "" for the root itself
 * @len: .
 * @in: the directory, where layers are not merged
 * @clean: the name without "." and "..", without a slash in front
 */
struct place {
	u32 dir;
	const char *name;
	size_t len;
	struct lowers_dir in;
	char clean[CONVERT_PATH_MAX + 1];
};

/**
 * place_clean() - take a name apart; nothing is looked up
 * @name: as it is in the tar
 * @p: @clean, @name and @len are set
 * @err: why not
 *
 * Return: 0; -EOPNOTSUPP when it is too long; -EBADMSG when it leads out of the image.
 */
int place_clean(const char *name, struct place *p, struct ybd_error *err);

/**
 * place_find() - find the directory
 * @e: the filesystem
 * @l: its layers; NULL: they are merged
 * @p: after place_clean()
 * @make: what directories that are missing are made like; NULL: they are not made. With @l, the
 *        layer also gets those that only layers below have
 * @touched: names of those that were made; NULL without @make
 * @err: why not
 *
 * Return: 0; -ENOENT without a message when one is missing and @make is NULL; -ELOOP;
 * -EBADMSG when a symlink leads out of the image.
 */
int place_find(struct imgfs *e, const struct lowers *l, struct place *p,
	       const struct imgfs_attr *make, struct touched *touched, struct ybd_error *err);

#endif
