// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "apply.h"
#include "hot.h"
#include "path.h"
#include "lowers.h"
#include "remove.h"

#define WHITEOUT	".wh."
#define WHITEOUT_META	".wh..wh."
#define OPAQUE		".wh..wh..opq"

/**
 * struct apply - a layer being applied
 * @e: .
 * @l: layers that are not merged; NULL when they are
 * @r: .
 * @hot: files that have a place; NULL for none
 * @touched: names that the layer has made
 * @hiding: what the entry replaces hid what is below it
 * @place: of the entry
 * @target: of the hard link
 */
struct apply {
	struct imgfs *e;
	struct lowers *l;
	struct oci_layer_reader *r;
	const struct hot_list *hot;
	struct touched touched;
	bool hiding;
	struct place place;
	struct place target;
};

static int to_attr(const struct oci_entry *t, struct imgfs_attr *a, struct ybd_error *err)
{
	if (t->uid > UINT32_MAX || t->gid > UINT32_MAX)
		return ybd_error_set(err, -EOPNOTSUPP, "there is no owner %llu:%llu on Linux",
				     (unsigned long long)t->uid, (unsigned long long)t->gid);
	if (t->major > UINT32_MAX || t->minor > UINT32_MAX)
		return ybd_error_set(err, -EOPNOTSUPP, "there is no device %llu:%llu on Linux",
				     (unsigned long long)t->major, (unsigned long long)t->minor);
	*a = (struct imgfs_attr){
		.mode = (u16)t->mode,
		.uid = (u32)t->uid,
		.gid = (u32)t->gid,
		.major = (u32)t->major,
		.minor = (u32)t->minor,
		.sec = t->sec,
		.nsec = t->nsec < 1000000000 ? t->nsec : 0,
	};
	return 0;
}

/* ---- one entry ---- */

static int put_file(struct apply *p, const struct oci_entry *t, const struct imgfs_attr *a,
		    u32 *ino, struct ybd_error *err)
{
	const void *buf;
	size_t len;
	u64 off;
	int rc = imgfs_file_begin(p->e, a, t->size, err);

	if (!rc && p->hot)
		imgfs_file_place(p->e, hot_list_blk(p->hot, p->place.clean));
	while (!rc) {
		rc = oci_layer_data(p->r, &buf, &len, &off, err);
		if (rc)
			break;
		rc = imgfs_file_write(p->e, off, buf, len, t->sparse ? len : t->size - off, err);
	}
	if (rc != -ENOENT)
		return rc;
	return imgfs_file_end(p->e, p->place.dir, p->place.name, p->place.len, ino, err);
}

/* What the place is called in the image that the layers come to. */
static int look(struct apply *p, const struct place *at, struct imgfs_node *node,
		struct ybd_error *err)
{
	struct lowers_dir sub;

	if (p->l)
		return lowers_look(p->l, &at->in, at->name, at->len, node, &sub, err);
	return imgfs_lookup(p->e, at->dir, at->name, at->len, node, err);
}

static bool is_same(const struct place *a, const struct place *b)
{
	return a->dir == b->dir && !strcmp(a->name, b->name);
}

static int put_hardlink(struct apply *p, const struct oci_entry *t, u32 *ino,
			struct ybd_error *err)
{
	struct imgfs_node node;
	int rc = place_clean(t->hardlink, &p->target, err);

	if (!rc)
		rc = place_find(p->e, p->l, &p->target, NULL, NULL, err);
	if (!rc && !is_same(&p->target, &p->place))
		rc = look(p, &p->target, &node, err);
	else if (!rc)
		rc = -ENOENT;
	if (rc == -ENOENT)
		return ybd_error_set(err, -EBADMSG,
				     "a hard link to \"%s\", which is not there%s", t->hardlink,
				     is_same(&p->target, &p->place) ?
				     ": it is the link itself" : "");
	if (rc)
		return rc;
	if (S_ISDIR(node.mode))
		return ybd_error_set(err, -EBADMSG, "a hard link to \"%s\", a directory",
				     t->hardlink);
	*ino = node.ino;
	return imgfs_link(p->e, p->place.dir, p->place.name, p->place.len, &node, err);
}

static int put_own_dir(struct apply *p, const struct imgfs_attr *a, u32 *ino,
		       struct ybd_error *err)
{
	struct lowers_new new = { .attr = *a, .hiding = p->hiding };

	return lowers_mkdir(p->l, &p->place.in, p->place.name, p->place.len, &new, ino, err);
}

static int put_dir(struct apply *p, const struct imgfs_attr *a, u32 *ino, struct ybd_error *err)
{
	struct imgfs_node node;
	int rc = imgfs_lookup(p->e, p->place.dir, p->place.name, p->place.len, &node, err);

	if (rc == -ENOENT && p->l)
		return put_own_dir(p, a, ino, err);
	if (rc == -ENOENT)
		return imgfs_mkdir(p->e, p->place.dir, p->place.name, p->place.len, a, ino, err);
	*ino = node.ino;
	return rc ? rc : imgfs_set_attr(p->e, node.ino, a, err);
}

/* What is there makes room, unless it is a directory and stays one. */
static int make_room(struct apply *p, const struct oci_entry *t, struct ybd_error *err)
{
	struct imgfs_node node;
	int rc = imgfs_lookup(p->e, p->place.dir, p->place.name, p->place.len, &node, err);

	p->hiding = false;
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	if (S_ISDIR(node.mode) && S_ISDIR(t->mode) && !t->hardlink)
		return 0;
	p->hiding = true;
	return remove_tree(p->e, p->place.dir, p->place.name, p->place.len, NULL, err);
}

static int put_inode(struct apply *p, const struct oci_entry *t, const struct imgfs_attr *a,
		     u32 *ino, struct ybd_error *err)
{
	struct place *at = &p->place;

	if (t->hardlink) {
		int rc = put_hardlink(p, t, ino, err);

		/* owner and time of a hard link are those of what it links to, and applied to it */
		return rc ? rc : imgfs_set_attr(p->e, *ino, a, err);
	}
	switch (t->mode & S_IFMT) {
	case S_IFREG:
		return put_file(p, t, a, ino, err);
	case S_IFDIR:
		return put_dir(p, a, ino, err);
	case S_IFLNK:
		return imgfs_symlink(p->e, at->dir, at->name, at->len, a, t->symlink ?: "", ino,
				     err);
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
		return imgfs_mknod(p->e, at->dir, at->name, at->len, a, ino, err);
	default:
		return ybd_error_set(err, -EOPNOTSUPP, "entries of type 0%o are not supported",
				     t->mode & S_IFMT);
	}
}

static int put_xattrs(struct apply *p, const struct oci_entry *t, u32 ino, struct ybd_error *err)
{
	struct imgfs_xattr x[OCI_XATTRS_MAX];

	for (size_t i = 0; i < t->nr_xattrs; i++)
		x[i] = (struct imgfs_xattr){ t->xattr[i].name, t->xattr[i].value,
					     t->xattr[i].len };
	return imgfs_set_xattrs(p->e, ino, x, t->nr_xattrs, err);
}

/* What would mean something else to overlayfs than it says. */
static int refuse_marks(const struct oci_entry *t, const struct imgfs_attr *a,
			struct ybd_error *err)
{
	if (S_ISCHR(t->mode) && !a->major && !a->minor)
		return ybd_error_set(err, -EOPNOTSUPP,
				     "a character device 0:0 is a whiteout to overlayfs");
	for (size_t i = 0; i < t->nr_xattrs; i++)
		if (!strncmp(t->xattr[i].name, LOWERS_PREFIX, strlen(LOWERS_PREFIX)))
			return ybd_error_set(err, -EOPNOTSUPP, "the xattr %s is overlayfs's own",
					     t->xattr[i].name);
	return 0;
}

static int put_root(struct apply *p, const struct oci_entry *t, const struct imgfs_attr *a,
		    struct ybd_error *err)
{
	u32 root = p->l ? p->l->root[p->l->nr - 1] : IMGFS_ROOT;
	int rc;

	if (!S_ISDIR(t->mode) || t->hardlink)
		return ybd_error_set(err, -EBADMSG, "the root of the image is a directory");
	rc = imgfs_set_attr(p->e, root, a, err);
	return rc ? rc : put_xattrs(p, t, root, err);
}

static int put_whiteout(struct apply *p, const struct imgfs_attr *a, struct ybd_error *err)
{
	const char *name = p->place.name + strlen(WHITEOUT);
	const struct lowers_dir *in = &p->place.in;

	if (!strcmp(p->place.name, OPAQUE))
		return p->l ? lowers_hide_content(p->l, in, a, &p->touched, err) :
			      remove_content(p->e, p->place.dir, &p->touched, err);
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return ybd_error_set(err, -EBADMSG, "a whiteout of nothing");
	if (p->l)
		return lowers_hide(p->l, in, name, strlen(name), a, &p->touched, err);
	return remove_tree(p->e, p->place.dir, name, strlen(name), &p->touched, err);
}

/* What aufs kept for itself, and docker took over: not part of the image. */
static bool is_meta(const struct place *p)
{
	if (!strncmp(p->clean, WHITEOUT_META, strlen(WHITEOUT_META)))
		return strcmp(p->clean, OPAQUE);
	return !strncmp(p->name, WHITEOUT_META, strlen(WHITEOUT_META)) &&
	       strcmp(p->name, OPAQUE);
}

static int put_entry(struct apply *p, const struct oci_entry *t, struct ybd_error *err)
{
	struct imgfs_attr a, dir;
	u32 ino;
	int rc = place_clean(t->name, &p->place, err);

	if (rc || is_meta(&p->place))
		return rc;
	rc = to_attr(t, &a, err);
	if (!rc && p->l)
		rc = refuse_marks(t, &a, err);
	if (rc)
		return rc;
	if (!p->place.len)
		return put_root(p, t, &a, err);
	/* directories that no entry describes */
	dir = (struct imgfs_attr){ .mode = S_IFDIR | 0755, .sec = a.sec, .nsec = a.nsec };
	rc = place_find(p->e, p->l, &p->place, &dir, &p->touched, err);
	if (rc)
		return rc;
	if (!strncmp(p->place.name, WHITEOUT, strlen(WHITEOUT)))
		return put_whiteout(p, &a, err);
	rc = make_room(p, t, err);
	if (!rc)
		rc = put_inode(p, t, &a, &ino, err);
	if (!rc)
		rc = put_xattrs(p, t, ino, err);
	if (!rc && touched_add(&p->touched, p->place.dir, p->place.name, p->place.len))
		rc = ybd_error_sys(err, -ENOMEM, "layer");
	return rc;
}

/* ---- all of them ---- */

static void report(struct apply *p, const struct apply_progress *progress, u64 entries)
{
	if (progress)
		progress->fn(progress->arg, oci_layer_pos(p->r), oci_layer_unpacked(p->r),
			     entries);
}

static int put_entries(struct apply *p, const struct apply_progress *progress,
		       struct ybd_error *err)
{
	const struct oci_entry *t = NULL;
	char last[256] = "";
	u64 n = 0;
	int rc;

	while (!(rc = oci_layer_next(p->r, &t, err))) {
		rc = put_entry(p, t, err);
		if (rc) {
			ybd_error_prefix(err, "entry \"%.200s\"", t->name);
			return oci_layer_blame(p->r, rc, err);
		}
		snprintf(last, sizeof(last), "%s", t->name);
		if (!(++n % 64) || t->size > 1 << 20)
			report(p, progress, n);
	}
	if (rc != -ENOENT) {
		if (last[0])
			ybd_error_prefix(err, "after entry \"%.200s\"", last);
		return oci_layer_blame(p->r, rc, err);
	}
	rc = oci_layer_verify(p->r, err);
	report(p, progress, n);
	return rc || !p->l ? rc : lowers_finish(p->l, err);
}

int apply_layer(struct imgfs *e, struct lowers *l, struct oci_layer_reader *r,
		const struct hot_list *hot, const struct apply_progress *progress,
		struct ybd_error *err)
{
	struct apply *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return ybd_error_sys(err, -ENOMEM, "layer");
	p->e = e;
	p->l = l;
	p->r = r;
	p->hot = hot;
	rc = put_entries(p, progress, err);
	touched_free(&p->touched);
	free(p);
	return rc;
}
