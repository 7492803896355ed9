// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "priv.h"

/* ---- names ---- */

static void to_node(struct erofs *e, u32 dent, struct imgfs_node *out)
{
	out->ino = e->tree.dent[dent].ino;
	out->mode = ero_inode(e, out->ino)->mode & S_IFMT;
}

int ero_lookup(struct imgfs *fs, u32 dir, const char *name, size_t len, struct imgfs_node *out,
	       struct ybd_error *err)
{
	struct erofs *e = erofs_of(fs);
	u32 d = ero_tree_find(&e->tree, dir, name, len);

	if (!d)
		return -ENOENT;
	to_node(e, d, out);
	return 0;
}

int ero_parent(struct imgfs *fs, u32 dir, u32 *out, struct ybd_error *err)
{
	*out = ero_inode(erofs_of(fs), dir)->parent;
	return 0;
}

/* @pos is the name that was met last, which stays in its place when it is taken away. */
int ero_next(struct imgfs *fs, u32 dir, size_t *pos, char name[IMGFS_NAME_MAX + 1],
	     struct imgfs_node *out, struct ybd_error *err)
{
	struct erofs *e = erofs_of(fs);
	const struct ero_tree *t = &e->tree;
	u32 d = ero_tree_live(t, *pos ? t->dent[*pos].next : t->inode[dir].names[0]);

	if (!d)
		return -ENOENT;
	*pos = d;
	memcpy(name, t->names + t->dent[d].name, t->dent[d].len);
	name[t->dent[d].len] = '\0';
	to_node(e, d, out);
	return 0;
}

int ero_link(struct imgfs *fs, u32 dir, const char *name, size_t len,
	     const struct imgfs_node *node, struct ybd_error *err)
{
	struct erofs *e = erofs_of(fs);
	int rc = ero_tree_add(&e->tree, dir, name, len, node->ino, err);

	if (!rc)
		ero_inode(e, node->ino)->links++;
	return rc;
}

int ero_unlink(struct imgfs *fs, u32 dir, const char *name, size_t len, struct ybd_error *err)
{
	struct erofs *e = erofs_of(fs);
	u32 d = ero_tree_find(&e->tree, dir, name, len), ino;
	struct ero_inode *i;

	if (!d)
		return ybd_error_set(err, -ENOENT, "directory %u has no such name", dir);
	ino = e->tree.dent[d].ino;
	i = ero_inode(e, ino);
	if (S_ISDIR(i->mode)) {
		if (ero_tree_live(&e->tree, i->names[0]))
			return ybd_error_set(err, -ENOTEMPTY,
					     "inode %u is a directory that is not empty", ino);
		ero_inode(e, dir)->links--;
		i->links = 1;
	}
	e->tree.dent[d].ino = 0;
	if (--i->links)
		return 0;
	ero_file_gone(e, i);
	ero_inode_drop(&e->tree, i);
	return 0;
}

u8 ero_type(u16 mode)
{
	/* as they are in every filesystem: S_IFMT shifted, by a table */
	static const u8 type[16] = {
		[S_IFREG >> 12] = 1, [S_IFDIR >> 12] = 2, [S_IFCHR >> 12] = 3,
		[S_IFBLK >> 12] = 4, [S_IFIFO >> 12] = 5, [S_IFSOCK >> 12] = 6,
		[S_IFLNK >> 12] = 7,
	};

	return type[mode >> 12];
}

/* ---- attributes ---- */

static void fill(struct erofs *e, struct ero_inode *i, const struct imgfs_attr *a)
{
	i->mode = (u16)((i->mode & S_IFMT) | (a->mode & 07777));
	i->uid = a->uid;
	i->gid = a->gid;
	i->sec = a->sec;
	i->nsec = a->nsec;
	if (a->sec > e->newest)
		e->newest = a->sec;
}

int ero_set_attr(struct imgfs *fs, u32 ino, const struct imgfs_attr *a, struct ybd_error *err)
{
	struct erofs *e = erofs_of(fs);

	fill(e, ero_inode(e, ino), a);
	return 0;
}

int ero_get_attr(struct imgfs *fs, u32 ino, struct imgfs_attr *a, struct ybd_error *err)
{
	const struct ero_inode *i = ero_inode(erofs_of(fs), ino);

	*a = (struct imgfs_attr){
		.mode = i->mode, .uid = i->uid, .gid = i->gid, .sec = i->sec, .nsec = i->nsec,
	};
	if (S_ISCHR(i->mode) || S_ISBLK(i->mode)) {
		a->major = i->rdev >> 8 & 0xfff;
		a->minor = (i->rdev & 0xff) | (i->rdev >> 12 & 0xfff00);
	}
	return 0;
}

int ero_stat(struct imgfs *fs, u32 ino, struct imgfs_stat *st, struct ybd_error *err)
{
	const struct ero_inode *i = ero_inode(erofs_of(fs), ino);

	st->size = S_ISREG(i->mode) ? i->size : 0;
	st->links = i->links;
	return ero_get_attr(fs, ino, &st->attr, err);
}

int ero_readlink(struct imgfs *fs, u32 ino, char target[IMGFS_BLOCK], struct ybd_error *err)
{
	const struct ero_inode *i = ero_inode(erofs_of(fs), ino);

	if (!S_ISLNK(i->mode))
		return ybd_error_set(err, -EUCLEAN, "inode %u is no symlink", ino);
	memcpy(target, i->target, i->size + 1);
	return 0;
}

/* ---- new ones ---- */

int ero_new_inode(struct erofs *e, const struct imgfs_attr *a, u32 *ino, struct ybd_error *err)
{
	int rc = ero_tree_inode(&e->tree, ino, err);

	if (rc)
		return rc;
	ero_inode(e, *ino)->mode = a->mode & S_IFMT;
	fill(e, ero_inode(e, *ino), a);
	return 0;
}

int ero_first_name(struct erofs *e, u32 dir, const char *name, size_t len, u32 ino,
		   struct ybd_error *err)
{
	ero_inode(e, ino)->links = 1;
	return ero_tree_add(&e->tree, dir, name, len, ino, err);
}

int ero_mkdir(struct imgfs *fs, u32 dir, const char *name, size_t len,
	      const struct imgfs_attr *a, u32 *ino, struct ybd_error *err)
{
	struct erofs *e = erofs_of(fs);
	int rc = ero_new_inode(e, a, ino, err);

	if (!rc)
		rc = ero_first_name(e, dir, name, len, *ino, err);
	if (rc)
		return rc;
	ero_inode(e, *ino)->links = 2;
	ero_inode(e, *ino)->parent = dir;
	ero_inode(e, dir)->links++;
	return 0;
}

int ero_symlink(struct imgfs *fs, u32 dir, const char *name, size_t len,
		const struct imgfs_attr *a, const char *target, u32 *ino, struct ybd_error *err)
{
	struct erofs *e = erofs_of(fs);
	size_t size = strlen(target);
	int rc;

	if (!size || size >= IMGFS_BLOCK)
		return ybd_error_set(err, size ? -EOPNOTSUPP : -EBADMSG,
				     "the target of the symlink has %zu bytes", size);
	rc = ero_new_inode(e, a, ino, err);
	if (!rc)
		rc = ero_tree_charge(&e->tree, (int64_t)size + 1, err);
	if (rc)
		return rc;
	ero_inode(e, *ino)->size = size;
	ero_inode(e, *ino)->target = strdup(target);
	if (!ero_inode(e, *ino)->target)
		return ybd_error_sys(err, -ENOMEM, "symlink");
	return ero_first_name(e, dir, name, len, *ino, err);
}

int ero_mknod(struct imgfs *fs, u32 dir, const char *name, size_t len,
	      const struct imgfs_attr *a, u32 *ino, struct ybd_error *err)
{
	struct erofs *e = erofs_of(fs);
	int rc;

	if (a->major > 0xfff || a->minor > 0xfffff)
		return ybd_error_set(err, -EOPNOTSUPP, "there is no device %u:%u", a->major,
				     a->minor);
	rc = ero_new_inode(e, a, ino, err);
	if (rc)
		return rc;
	if (S_ISCHR(a->mode) || S_ISBLK(a->mode))
		ero_inode(e, *ino)->rdev = (a->minor & 0xff) | a->major << 8 |
					   (a->minor & ~0xffu) << 12;
	return ero_first_name(e, dir, name, len, *ino, err);
}
