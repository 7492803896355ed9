/* SPDX-License-Identifier: GPL-2.0-only */
/* Taking away what a layer replaces or hides. */
#ifndef YBD_CONVERT_REMOVE_H
#define YBD_CONVERT_REMOVE_H

#include "../imgfs.h"
#include "touched.h"

/**
 * remove_tree() - take away a name, and all below when it is a directory
 * @e: the filesystem
 * @dir: .
 * @name: .
 * @len: .
 * @keep: names that stay, and the directories that they are in; NULL: none
 * @err: why not
 *
 * Return: 0, also when there is no such name.
 */
int remove_tree(struct imgfs *e, u32 dir, const char *name, size_t len,
		const struct touched *keep, struct ybd_error *err);

/* All that is in @dir, but not @dir itself. */
int remove_content(struct imgfs *e, u32 dir, const struct touched *keep, struct ybd_error *err);

#endif
