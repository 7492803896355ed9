// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <sys/stat.h>

#include "priv.h"

#define POSIX_ACL "system.posix_acl_"
#define ACL_USER	2	/* tags of its entries */
#define ACL_GROUP	8

/* ---- inodes ---- */

/* As the kernel: the old form where it is used, else the new one. */
static void device_numbers(const struct ext2_inode_large *inode, struct imgfs_attr *a)
{
	u32 old = inode->i_block[0], new = inode->i_block[1];

	a->major = old ? old >> 8 & 0xff : new >> 8 & 0xfff;
	a->minor = old ? old & 0xff : (new & 0xff) | (new >> 12 & 0xfff00);
}

int extfs_stat(struct imgfs *fs, u32 ino, struct imgfs_stat *st, struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct ext2_inode_large inode;
	int rc = extfs_get_attr(fs, ino, &st->attr, err);

	if (!rc)
		rc = extfs_inode_read(e, ino, &inode, err);
	if (rc)
		return rc;
	st->size = inode.i_size | (u64)inode.i_size_high << 32;
	st->links = inode.i_links_count;
	if (S_ISCHR(inode.i_mode) || S_ISBLK(inode.i_mode))
		device_numbers(&inode, &st->attr);
	return 0;
}

/* ---- data ---- */

/* The blocks of a file whose extents are a tree. */
static errcode_t walk_extents(struct extfs *e, u32 ino, struct ext2_inode_large *inode,
			      struct extfs_map *m, int *rc)
{
	struct ext2fs_extent x;
	ext2_extent_handle_t h;
	int op = EXT2_EXTENT_ROOT;
	errcode_t ret = e2.extent_open2(e->fs, ino, (struct ext2_inode *)inode, &h);

	if (ret)
		return ret;
	while (!*rc) {
		ret = e2.extent_get(h, op, &x);
		if (ret)
			break;
		op = EXT2_EXTENT_NEXT;
		/* what was allocated and not written reads as zeros */
		if (x.e_flags & EXT2_EXTENT_FLAGS_LEAF &&
		    !(x.e_flags & (EXT2_EXTENT_FLAGS_SECOND_VISIT | EXT2_EXTENT_FLAGS_UNINIT)))
			*rc = extfs_map_add(m, (u32)x.e_lblk, x.e_pblk, x.e_len);
	}
	e2.extent_free(h);
	return ret == EXT2_ET_EXTENT_NO_NEXT ? 0 : ret;
}

/* The same of one with a list of blocks, as ext2 and ext3 have it. */
static errcode_t walk_blocks(struct extfs *e, u32 ino, struct ext2_inode_large *inode, u64 blocks,
			     struct extfs_map *m, int *rc)
{
	errcode_t ret = 0;

	for (u64 i = 0; i < blocks && !ret && !*rc; i++) {
		blk64_t blk = 0;

		ret = e2.bmap2(e->fs, ino, (struct ext2_inode *)inode, NULL, 0, i, NULL, &blk);
		if (!ret && blk)
			*rc = extfs_map_add(m, (u32)i, blk, 1);
	}
	return ret;
}

static int to_ranges(const struct extfs_map *m, u64 size, struct imgfs_range **r, size_t *n)
{
	*n = 0;
	*r = calloc(m->nr + 1, sizeof(**r));
	if (!*r)
		return -ENOMEM;
	for (size_t i = 0; i < m->nr; i++) {
		struct imgfs_range x = {
			.off = (u64)m->ext[i].lblk * IMGFS_BLOCK,
			.at = m->ext[i].pblk * IMGFS_BLOCK,
			.len = (u64)m->ext[i].len * IMGFS_BLOCK,
		};

		if (*n && x.off < (*r)[*n - 1].off + (*r)[*n - 1].len)
			return -EUCLEAN;
		if (x.off >= size)
			break;
		if (x.len > size - x.off)
			x.len = size - x.off;
		(*r)[(*n)++] = x;
	}
	return 0;
}

int extfs_ranges(struct imgfs *fs, u32 ino, struct imgfs_range **r, size_t *n,
		 struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct ext2_inode_large inode;
	struct extfs_map m = { 0 };
	errcode_t ret = 0;
	u64 size;
	int rc = extfs_inode_read(e, ino, &inode, err);

	*r = NULL;
	if (rc)
		return rc;
	size = inode.i_size | (u64)inode.i_size_high << 32;
	if (size && inode.i_flags & EXT4_EXTENTS_FL)
		ret = walk_extents(e, ino, &inode, &m, &rc);
	else if (size)
		ret = walk_blocks(e, ino, &inode, (size + IMGFS_BLOCK - 1) / IMGFS_BLOCK, &m, &rc);
	if (!ret && !rc)
		rc = to_ranges(&m, size, r, n);
	free(m.ext);
	if (!ret && !rc)
		return 0;
	free(*r);
	*r = NULL;
	if (ret)
		return extfs_fail(e, ret, err, "the blocks of inode %u", ino);
	return ybd_error_sys(err, rc, "the blocks of inode %u", ino);
}

int extfs_read(struct imgfs *fs, u64 at, void *buf, size_t len, struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);

	if (at > e->b->size || len > e->b->size - at)
		return ybd_error_set(err, -EUCLEAN, "data beyond the end of the ext4");
	if (!e->b->ops->read(e->b, at, buf, len))
		return 0;
	if (err)
		*err = e->b->err;
	return e->b->err.code;
}

/* ---- attributes ---- */

struct each {
	struct ext2_xattr_handle *h;
	int (*fn)(void *arg, const struct imgfs_xattr *x);
	void *arg;
	errcode_t ret;
	int rc;
};

/* Entries that are of no user or group have no id; libext2fs says 0, the kernel -1. */
static void fix_acl(u8 *acl, size_t len)
{
	for (u8 *p = acl + 4; len >= 12 && p <= acl + len - 8; p += 8)
		if (p[0] != ACL_USER && p[0] != ACL_GROUP)
			memset(p + 4, 0xff, 4);
}

/* ACLs are kept in a form of their own: only asked for by name they are as the kernel has them. */
static int one_xattr(char *name, char *value, size_t len, void *arg)
{
	struct each *each = arg;
	struct imgfs_xattr x = { name, value, len };
	void *own = NULL;

	if (!strncmp(name, POSIX_ACL, strlen(POSIX_ACL))) {
		each->ret = e2.xattr_get(each->h, name, &own, &len);
		if (own)
			fix_acl(own, len);
		x.value = own;
		x.len = len;
	}
	if (!each->ret)
		each->rc = each->fn(each->arg, &x);
	free(own);
	return each->ret || each->rc ? XATTR_ABORT : 0;
}

int extfs_each_xattr(struct imgfs *fs, u32 ino,
		     int (*fn)(void *arg, const struct imgfs_xattr *x), void *arg,
		     struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct each each = { .fn = fn, .arg = arg };
	errcode_t ret = e2.xattrs_open(e->fs, ino, &each.h);

	if (ret)
		return extfs_fail(e, ret, err, "xattrs of inode %u", ino);
	ret = e2.xattrs_read(each.h);
	if (!ret)
		ret = e2.xattrs_iterate(each.h, one_xattr, &each);
	e2.xattrs_close(&each.h);
	if (!ret)
		ret = each.ret;
	if (ret)
		return extfs_fail(e, ret, err, "xattrs of inode %u", ino);
	return each.rc ? ybd_error_sys(err, each.rc, "xattrs of inode %u", ino) : 0;
}
