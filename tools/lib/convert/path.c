// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "path.h"

int place_clean(const char *name, struct place *p, struct ybd_error *err)
{
	size_t at = 0, len;

	for (; *name; name += len) {
		name += strspn(name, "/");
		len = strcspn(name, "/");
		if (!len || (len == 1 && name[0] == '.'))
			continue;
		if (len == 2 && name[0] == '.' && name[1] == '.') {
			if (!at)
				return ybd_error_set(err, -EBADMSG,
						     "the name leads out of the image");
			while (at && p->clean[at - 1] != '/')
				at--;
			at -= at ? 1 : 0;
			continue;
		}
		if (len > EXTFS_NAME_MAX || at + len + 1 > CONVERT_PATH_MAX)
			return ybd_error_set(err, -EOPNOTSUPP, "the name is too long");
		if (at)
			p->clean[at++] = '/';
		memcpy(p->clean + at, name, len);
		at += len;
	}
	p->clean[at] = '\0';
	p->name = strrchr(p->clean, '/') ? strrchr(p->clean, '/') + 1 : p->clean;
	p->len = strlen(p->name);
	return 0;
}

/**
 * struct walk - on the way
 * @e: .
 * @dir: where it is
 * @rest: what is still to go; a symlink's target is put in front of it
 * @links: symlinks so far
 * @make: .
 * @touched: .
 */
struct walk {
	struct extfs *e;
	u32 dir;
	char rest[2 * CONVERT_PATH_MAX];
	unsigned int links;
	const struct extfs_attr *make;
	struct touched *touched;
};

static int up(struct walk *w, struct ybd_error *err)
{
	if (w->dir == EXTFS_ROOT)
		return ybd_error_set(err, -EBADMSG, "a symlink on its way leads out of the image");
	return extfs_parent(w->e, w->dir, &w->dir, err);
}

static int follow(struct walk *w, u32 ino, const char *behind, struct ybd_error *err)
{
	char target[EXTFS_BLOCK], rest[sizeof(w->rest)];
	int n, rc = extfs_readlink(w->e, ino, target, err);

	if (rc)
		return rc;
	if (++w->links > CONVERT_LINKS_MAX)
		return ybd_error_set(err, -ELOOP, "there are too many symlinks on its way");
	n = snprintf(rest, sizeof(rest), "%s/%s", target, behind);
	if (n < 0 || (size_t)n >= sizeof(rest))
		return ybd_error_set(err, -EOPNOTSUPP,
				     "the symlinks on its way make the name too long");
	memcpy(w->rest, rest, (size_t)n + 1);
	if (target[0] == '/')
		w->dir = EXTFS_ROOT;
	return 0;
}

static int make_dir(struct walk *w, const char *name, size_t len, struct ybd_error *err)
{
	u32 ino, dir = w->dir;
	int rc;

	if (!w->make)
		return -ENOENT;
	rc = extfs_mkdir(w->e, dir, name, len, w->make, &ino, err);
	if (!rc && touched_add(w->touched, dir, name, len))
		rc = ybd_error_sys(err, -ENOMEM, "directory");
	w->dir = ino;
	return rc;
}

/* One component; what is behind it stays in @rest. */
static int step(struct walk *w, struct ybd_error *err)
{
	char name[EXTFS_NAME_MAX + 1];
	const char *from = w->rest + strspn(w->rest, "/"), *behind;
	size_t len = strcspn(from, "/");
	struct extfs_node node;
	int rc;

	if (len > EXTFS_NAME_MAX)
		return ybd_error_set(err, -EOPNOTSUPP, "a symlink on its way is too long");
	memcpy(name, from, len);
	name[len] = '\0';
	behind = from + len;
	rc = 0;
	if (!strcmp(name, "..")) {
		rc = up(w, err);
	} else if (len && strcmp(name, ".")) {
		rc = extfs_lookup(w->e, w->dir, name, len, &node, err);
		if (rc == -ENOENT)
			rc = make_dir(w, name, len, err);
		else if (!rc && S_ISLNK(node.mode))
			return follow(w, node.ino, behind, err);
		else if (!rc && S_ISDIR(node.mode))
			w->dir = node.ino;
		else if (!rc)
			rc = ybd_error_set(err, -EBADMSG, "\"%s\" on its way is no directory",
					   name);
	}
	memmove(w->rest, behind, strlen(behind) + 1);
	return rc;
}

int place_find(struct extfs *e, struct place *p, const struct extfs_attr *make,
	       struct touched *touched, struct ybd_error *err)
{
	struct walk w = { .e = e, .dir = EXTFS_ROOT, .make = make, .touched = touched };
	size_t len = (size_t)(p->name - p->clean);
	int rc = 0;

	memcpy(w.rest, p->clean, len);
	w.rest[len] = '\0';
	while (!rc && w.rest[strspn(w.rest, "/")])
		rc = step(&w, err);
	p->dir = w.dir;
	return rc;
}
