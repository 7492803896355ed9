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
		if (len > IMGFS_NAME_MAX || at + len + 1 > CONVERT_PATH_MAX)
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
 * @l: .
 * @dir: where it is, in layers that are merged
 * @in: where it is, in others
 * @at: its name there
 * @rest: what is still to go; a symlink's target is put in front of it
 * @links: symlinks so far
 * @make: .
 * @touched: .
 */
struct walk {
	struct imgfs *e;
	const struct lowers *l;
	u32 dir;
	struct lowers_dir in;
	char at[CONVERT_PATH_MAX + 1];
	char rest[2 * CONVERT_PATH_MAX];
	unsigned int links;
	const struct imgfs_attr *make;
	struct touched *touched;
};

static void top(struct walk *w)
{
	w->dir = IMGFS_ROOT;
	w->at[0] = '\0';
	if (w->l)
		lowers_root(w->l, &w->in);
}

static int append(struct walk *w, const char *name, size_t len, struct ybd_error *err)
{
	size_t at = strlen(w->at);

	if (at + len + 1 > CONVERT_PATH_MAX)
		return ybd_error_set(err, -EOPNOTSUPP,
				     "the symlinks on its way make the name too long");
	if (at)
		w->at[at++] = '/';
	memcpy(w->at + at, name, len);
	w->at[at + len] = '\0';
	return 0;
}

/* Into a directory that has just been looked up. */
static int enter(struct walk *w, const char *name, size_t len, const struct imgfs_node *node,
		 const struct lowers_dir *sub, struct ybd_error *err)
{
	if (!w->l) {
		w->dir = node->ino;
		return 0;
	}
	w->in = *sub;
	return append(w, name, len, err);
}

static int look(struct walk *w, const char *name, size_t len, struct imgfs_node *node,
		struct lowers_dir *sub, struct ybd_error *err)
{
	if (w->l)
		return lowers_look(w->l, &w->in, name, len, node, sub, err);
	return imgfs_lookup(w->e, w->dir, name, len, node, err);
}

/* Merged directories have no "..": from the top again, to all of the name but its end. */
static int up_merged(struct walk *w, struct ybd_error *err)
{
	char old[sizeof(w->at)], *end, *name, *rest = old;
	struct lowers_dir sub;
	struct imgfs_node node;
	int rc = 0;

	memcpy(old, w->at, sizeof(old));
	end = strrchr(old, '/') ?: old;
	*end = '\0';
	top(w);
	while (!rc && (name = strsep(&rest, "/")) && *name) {
		rc = look(w, name, strlen(name), &node, &sub, err);
		if (rc == -ENOENT)
			sub = (struct lowers_dir){ 0 };
		if (!rc || rc == -ENOENT)
			rc = enter(w, name, strlen(name), &node, &sub, err);
	}
	return rc;
}

static int up(struct walk *w, struct ybd_error *err)
{
	if (w->l ? !w->at[0] : w->dir == IMGFS_ROOT)
		return ybd_error_set(err, -EBADMSG, "a symlink on its way leads out of the image");
	return w->l ? up_merged(w, err) : imgfs_parent(w->e, w->dir, &w->dir, err);
}

static int follow(struct walk *w, u32 ino, const char *behind, struct ybd_error *err)
{
	char target[IMGFS_BLOCK], rest[sizeof(w->rest)];
	int n, rc = imgfs_readlink(w->e, ino, target, err);

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
		top(w);
	return 0;
}

static int make_dir(struct walk *w, const char *name, size_t len, struct ybd_error *err)
{
	u32 ino, dir = w->dir;
	int rc;

	if (!w->make)
		return -ENOENT;
	if (w->l) {
		/* in one go, when it is known where the way ends */
		w->in = (struct lowers_dir){ 0 };
		return append(w, name, len, err);
	}
	rc = imgfs_mkdir(w->e, dir, name, len, w->make, &ino, err);
	if (!rc && touched_add(w->touched, dir, name, len))
		rc = ybd_error_sys(err, -ENOMEM, "directory");
	w->dir = ino;
	return rc;
}

/* One component; what is behind it stays in @rest. */
static int step(struct walk *w, struct ybd_error *err)
{
	char name[IMGFS_NAME_MAX + 1];
	const char *from = w->rest + strspn(w->rest, "/"), *behind;
	size_t len = strcspn(from, "/");
	struct lowers_dir sub;
	struct imgfs_node node;
	int rc;

	if (len > IMGFS_NAME_MAX)
		return ybd_error_set(err, -EOPNOTSUPP, "a symlink on its way is too long");
	memcpy(name, from, len);
	name[len] = '\0';
	behind = from + len;
	rc = 0;
	if (!strcmp(name, "..")) {
		rc = up(w, err);
	} else if (len && strcmp(name, ".")) {
		rc = look(w, name, len, &node, &sub, err);
		if (rc == -ENOENT)
			rc = make_dir(w, name, len, err);
		else if (!rc && S_ISLNK(node.mode))
			return follow(w, node.ino, behind, err);
		else if (!rc && S_ISDIR(node.mode))
			rc = enter(w, name, len, &node, &sub, err);
		else if (!rc)
			rc = ybd_error_set(err, -EBADMSG, "\"%s\" on its way is no directory",
					   name);
	}
	memmove(w->rest, behind, strlen(behind) + 1);
	return rc;
}

int place_find(struct imgfs *e, const struct lowers *l, struct place *p,
	       const struct imgfs_attr *make, struct touched *touched, struct ybd_error *err)
{
	struct walk w = { .e = e, .l = l, .make = make, .touched = touched };
	size_t len = (size_t)(p->name - p->clean);
	int rc = 0;

	top(&w);
	memcpy(w.rest, p->clean, len);
	w.rest[len] = '\0';
	while (!rc && w.rest[strspn(w.rest, "/")])
		rc = step(&w, err);
	p->dir = w.dir;
	if (rc || !l)
		return rc;
	if (make && !w.in.cur)
		rc = lowers_make_path(l, w.at, make, touched, &w.in, err);
	p->in = w.in;
	p->dir = w.in.cur;
	return rc;
}
