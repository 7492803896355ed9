/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Layers that are not merged: a filesystem with a directory for each, "1" for the lowest, which
 * overlayfs takes as its lowerdirs. What a layer hides is marked as overlayfs marks it: a character
 * device 0/0 is a whiteout, and a directory with the xattr trusted.overlay.opaque hides what those
 * of the same name below it have.
 *
 * A layer is applied to its own directory, but its names mean what they mean in the merged tree:
 * lookups go through all layers, as overlayfs does.
 */
#ifndef YBD_CONVERT_LOWERS_H
#define YBD_CONVERT_LOWERS_H

#include "../imgfs.h"
#include "touched.h"

#define LOWERS_MAX	500u		/* as many as overlayfs takes */
#define LOWERS_PREFIX	"trusted.overlay."	/* xattrs that are overlayfs's own */

/**
 * struct lowers - the layers
 * @e: the filesystem
 * @root: inode of each layer's directory, from the lowest one
 * @nr: how many; the last one is being applied
 * @opaque: the layer hides all that is below it
 * @hider: owner and time of what does so
 */
struct lowers {
	struct imgfs *e;
	u32 root[LOWERS_MAX];
	size_t nr;
	bool opaque;
	struct imgfs_attr hider;
};

/**
 * struct lowers_dir - a directory of the merged tree
 * @cur: the one of the layer that is being applied; 0 for none
 * @low: those of the layers below that show through, the uppermost first
 * @nr: how many
 */
struct lowers_dir {
	u32 cur;
	u32 low[LOWERS_MAX];
	size_t nr;
};

/* Layer @nr is going to be applied, from 1: its directory is made, like that of the one below. */
int lowers_begin(struct lowers *l, struct imgfs *e, size_t nr, struct ybd_error *err);

void lowers_root(const struct lowers *l, struct lowers_dir *d);

/**
 * lowers_look() - look up a name in the merged tree
 * @l: .
 * @d: where
 * @name: .
 * @len: .
 * @node: what is there
 * @sub: when it is a directory: that
 * @err: why not
 *
 * Return: 0; -ENOENT without a message.
 */
int lowers_look(const struct lowers *l, const struct lowers_dir *d, const char *name, size_t len,
		struct imgfs_node *node, struct lowers_dir *sub, struct ybd_error *err);

/* The same in the layers below alone; @sub may be NULL. */
int lowers_below(const struct lowers *l, const struct lowers_dir *d, const char *name, size_t len,
		 struct imgfs_node *node, struct lowers_dir *sub, struct ybd_error *err);

/* A whiteout? 1, 0 or a negative errno. */
int lowers_is_whiteout(const struct lowers *l, const struct imgfs_node *node,
		       struct ybd_error *err);

/**
 * struct lowers_new - a directory that the layer is going to have
 * @attr: what it is like
 * @implied: no entry describes it: it is like the one below, if there is one
 * @hiding: something of the layer hid what is below it, and so does it
 * @own: set when it has nothing of one below
 */
struct lowers_new {
	struct imgfs_attr attr;
	bool implied;
	bool hiding;
	bool own;
};

/* Make one; the layer has nothing of this name. The one below gives it its xattrs. */
int lowers_mkdir(const struct lowers *l, const struct lowers_dir *d, const char *name, size_t len,
		 struct lowers_new *new, u32 *ino, struct ybd_error *err);

/**
 * lowers_make_path() - the layer gets a directory, with those that it is in
 * @l: .
 * @path: its name in the merged tree, where it is a directory or not there
 * @make: what it is like where the layers below have none
 * @touched: names of those
 * @d: the result
 * @err: why not
 */
int lowers_make_path(const struct lowers *l, const char *path, const struct imgfs_attr *make,
		     struct touched *touched, struct lowers_dir *d, struct ybd_error *err);

/* ---- whiteout.c ---- */

/**
 * lowers_hide() - what the layers below have of a name is not part of the image any more
 * @l: .
 * @d: where; the layer has it
 * @name: .
 * @len: .
 * @a: owner and time of the whiteout
 * @touched: what the layer itself has made, which stays
 * @err: why not
 */
int lowers_hide(const struct lowers *l, const struct lowers_dir *d, const char *name, size_t len,
		const struct imgfs_attr *a, const struct touched *touched, struct ybd_error *err);

/* The same for all that they have in @d. */
int lowers_hide_content(struct lowers *l, const struct lowers_dir *d, const struct imgfs_attr *a,
			const struct touched *touched, struct ybd_error *err);

/* The directory hides those below it. */
int lowers_set_opaque(const struct lowers *l, u32 ino, struct ybd_error *err);

/* The layer is complete. */
int lowers_finish(struct lowers *l, struct ybd_error *err);

#endif
