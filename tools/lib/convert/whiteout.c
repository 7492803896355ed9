// SPDX-License-Identifier: GPL-2.0-only
/* What a layer hides, as overlayfs has it; see lowers.h. */
#include <errno.h>
#include <sys/stat.h>

#include "lowers.h"
#include "remove.h"

static int put_whiteout(const struct lowers *l, const char *name, size_t len, u32 dir,
			const struct imgfs_attr *a, struct ybd_error *err)
{
	struct imgfs_attr white = *a;
	u32 ino;

	white.mode = S_IFCHR;
	white.major = 0;
	white.minor = 0;
	return imgfs_mknod(l->e, dir, name, len, &white, &ino, err);
}

/*
 * Only where there is something to hide: in a directory that overlayfs has nothing to merge with, a
 * whiteout would be seen.
 */
static int hide(const struct lowers *l, const struct lowers_dir *d, const char *name, size_t len,
		const struct imgfs_attr *a, struct ybd_error *err)
{
	struct imgfs_node low, node;
	int rc = lowers_below(l, d, name, len, &low, NULL, err);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = imgfs_lookup(l->e, d->cur, name, len, &node, err);
	if (rc == -ENOENT)
		return put_whiteout(l, name, len, d->cur, a, err);
	if (!rc && S_ISDIR(node.mode) && S_ISDIR(low.mode))
		rc = lowers_set_opaque(l, node.ino, err);
	return rc;
}

int lowers_hide(const struct lowers *l, const struct lowers_dir *d, const char *name, size_t len,
		const struct imgfs_attr *a, const struct touched *touched, struct ybd_error *err)
{
	int rc = remove_tree(l->e, d->cur, name, len, touched, err);

	return rc ? rc : hide(l, d, name, len, a, err);
}

int lowers_hide_content(struct lowers *l, const struct lowers_dir *d, const struct imgfs_attr *a,
			const struct touched *touched, struct ybd_error *err)
{
	int rc = remove_content(l->e, d->cur, touched, err);

	if (rc)
		return rc;
	if (d->cur != l->root[l->nr - 1])
		return d->nr ? lowers_set_opaque(l, d->cur, err) : 0;
	l->opaque = true;
	l->hider = *a;
	return 0;
}

static int hide_names_of(const struct lowers *l, const struct lowers_dir *all, u32 dir,
			 struct ybd_error *err)
{
	char name[IMGFS_NAME_MAX + 1];
	struct imgfs_node node;
	size_t pos = 0;
	int rc;

	while (!(rc = imgfs_next(l->e, dir, &pos, name, &node, err))) {
		rc = hide(l, all, name, strlen(name), &l->hider, err);
		if (rc)
			return rc;
	}
	return rc == -ENOENT ? 0 : rc;
}

/* overlayfs always merges the roots, opaque or not: each name is hidden by itself. */
int lowers_finish(struct lowers *l, struct ybd_error *err)
{
	struct lowers_dir all;
	int rc = 0;

	if (!l->opaque)
		return 0;
	l->opaque = false;
	lowers_root(l, &all);
	for (size_t i = 0; !rc && i < all.nr; i++)
		rc = hide_names_of(l, &all, all.low[i], err);
	return rc;
}
