// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lowers.h"

#define OPAQUE	LOWERS_PREFIX "opaque"

/* ---- looking up ---- */

int lowers_is_whiteout(const struct lowers *l, const struct imgfs_node *node,
		       struct ybd_error *err)
{
	struct imgfs_attr a;
	int rc;

	if (!S_ISCHR(node->mode))
		return 0;
	rc = imgfs_get_attr(l->e, node->ino, &a, err);
	return rc ? rc : !a.major && !a.minor;
}

/* 1 when nothing shows through it. */
static int is_opaque(const struct lowers *l, u32 ino, struct ybd_error *err)
{
	return imgfs_has_xattr(l->e, ino, OPAQUE, err);
}

int lowers_set_opaque(const struct lowers *l, u32 ino, struct ybd_error *err)
{
	const struct imgfs_xattr x = { OPAQUE, "y", 1 };

	return imgfs_set_xattrs(l->e, ino, &x, 1, err);
}

void lowers_root(const struct lowers *l, struct lowers_dir *d)
{
	d->cur = l->root[l->nr - 1];
	d->nr = 0;
	for (size_t i = l->opaque ? 0 : l->nr - 1; i--;)
		d->low[d->nr++] = l->root[i];
}

int lowers_below(const struct lowers *l, const struct lowers_dir *d, const char *name, size_t len,
		 struct imgfs_node *node, struct lowers_dir *sub, struct ybd_error *err)
{
	struct imgfs_node n;
	bool found = false;
	int rc;

	for (size_t i = 0; i < d->nr; i++) {
		rc = imgfs_lookup(l->e, d->low[i], name, len, &n, err);
		if (rc == -ENOENT)
			continue;
		if (!rc && !found)
			rc = lowers_is_whiteout(l, &n, err);
		if (rc)
			return rc < 0 ? rc : -ENOENT;
		if (found && !S_ISDIR(n.mode))
			break;
		if (!found) {
			*node = n;
			if (!sub || !S_ISDIR(n.mode))
				return 0;
			sub->cur = 0;
			sub->nr = 0;
			found = true;
		}
		sub->low[sub->nr++] = n.ino;
		rc = is_opaque(l, n.ino, err);
		if (rc < 0)
			return rc;
		if (rc)
			break;
	}
	return found ? 0 : -ENOENT;
}

int lowers_look(const struct lowers *l, const struct lowers_dir *d, const char *name, size_t len,
		struct imgfs_node *node, struct lowers_dir *sub, struct ybd_error *err)
{
	struct imgfs_node low;
	int rc = d->cur ? imgfs_lookup(l->e, d->cur, name, len, node, err) : -ENOENT;

	if (rc == -ENOENT)
		return lowers_below(l, d, name, len, node, sub, err);
	if (!rc)
		rc = lowers_is_whiteout(l, node, err);
	if (rc)
		return rc < 0 ? rc : -ENOENT;
	if (!S_ISDIR(node->mode))
		return 0;
	sub->nr = 0;
	rc = is_opaque(l, node->ino, err);
	if (!rc)
		rc = lowers_below(l, d, name, len, &low, sub, err);
	sub->cur = node->ino;
	return rc < 0 && rc != -ENOENT ? rc : 0;
}

/* ---- making directories ---- */

int lowers_mkdir(const struct lowers *l, const struct lowers_dir *d, const char *name, size_t len,
		 struct lowers_new *new, u32 *ino, struct ybd_error *err)
{
	struct imgfs_attr a = new->attr;
	struct imgfs_node low;
	int rc = lowers_below(l, d, name, len, &low, NULL, err);
	bool over = !rc && S_ISDIR(low.mode);

	new->own = !over || new->hiding;
	if (rc == -ENOENT)
		rc = 0;
	if (!rc && new->implied && !new->own)
		rc = imgfs_get_attr(l->e, low.ino, &a, err);
	if (!rc)
		rc = imgfs_mkdir(l->e, d->cur, name, len, &a, ino, err);
	if (rc || !over)
		return rc;
	if (new->hiding)
		return lowers_set_opaque(l, *ino, err);
	return imgfs_copy_xattrs(l->e, low.ino, *ino, LOWERS_PREFIX, err);
}

/* What the path leads to when the layer does not have it, or has a whiteout there. */
static int make_step(const struct lowers *l, const struct lowers_dir *d, const char *name,
		     size_t len, const struct imgfs_attr *make, struct touched *touched,
		     struct ybd_error *err)
{
	struct lowers_new new = { .attr = *make, .implied = true };
	struct imgfs_node node;
	u32 ino;
	int rc = imgfs_lookup(l->e, d->cur, name, len, &node, err);

	if (!rc && S_ISDIR(node.mode))
		return 0;
	if (!rc) {
		new.hiding = true;
		rc = imgfs_unlink(l->e, d->cur, name, len, err);
	}
	if (rc && rc != -ENOENT)
		return rc;
	rc = lowers_mkdir(l, d, name, len, &new, &ino, err);
	if (!rc && new.own && touched_add(touched, d->cur, name, len))
		rc = ybd_error_sys(err, -ENOMEM, "directory");
	return rc;
}

int lowers_make_path(const struct lowers *l, const char *path, const struct imgfs_attr *make,
		     struct touched *touched, struct lowers_dir *d, struct ybd_error *err)
{
	struct lowers_dir sub;
	struct imgfs_node node;
	size_t len;
	int rc = 0;

	lowers_root(l, d);
	for (; !rc && *path; path += len, path += *path == '/') {
		len = strcspn(path, "/");
		rc = make_step(l, d, path, len, make, touched, err);
		if (!rc)
			rc = lowers_look(l, d, path, len, &node, &sub, err);
		if (!rc)
			*d = sub;
	}
	return rc;
}

/* ---- the layers themselves ---- */

static int find_layer(struct lowers *l, size_t i, struct ybd_error *err)
{
	char name[24];
	struct imgfs_node node = { 0 };
	int n = snprintf(name, sizeof(name), "%zu", i + 1);
	int rc = imgfs_lookup(l->e, IMGFS_ROOT, name, (size_t)n, &node, err);

	if (rc == -ENOENT || (!rc && !S_ISDIR(node.mode)))
		return ybd_error_set(err, -EUCLEAN, "the layer below has no directory \"%s\"",
				     name);
	l->root[i] = node.ino;
	return rc;
}

int lowers_begin(struct lowers *l, struct imgfs *e, size_t nr, struct ybd_error *err)
{
	struct imgfs_attr a = { .mode = S_IFDIR | 0755 };
	char name[24];
	int n = snprintf(name, sizeof(name), "%zu", nr), rc = 0;

	memset(l, 0, sizeof(*l));
	if (nr > LOWERS_MAX)
		return ybd_error_set(err, -EOPNOTSUPP, "overlayfs takes no more than %u layers",
				     LOWERS_MAX);
	l->e = e;
	l->nr = nr;
	for (size_t i = 0; !rc && i + 1 < nr; i++)
		rc = find_layer(l, i, err);
	if (!rc && nr > 1)
		rc = imgfs_get_attr(e, l->root[nr - 2], &a, err);
	if (!rc)
		rc = imgfs_mkdir(e, IMGFS_ROOT, name, (size_t)n, &a, &l->root[nr - 1], err);
	if (!rc && nr > 1)
		rc = imgfs_copy_xattrs(e, l->root[nr - 2], l->root[nr - 1], LOWERS_PREFIX, err);
	return rc;
}
