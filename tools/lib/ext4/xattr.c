// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include "../util.h"
#include "priv.h"

/* libext2fs would take any name, the kernel shows those with a prefix that it knows. */
static bool storable(const char *name)
{
	static const char *const prefix[] = { "user.", "security.", "trusted." };

	if (!strcmp(name, "system.posix_acl_access") || !strcmp(name, "system.posix_acl_default"))
		return true;
	if (strlen(name) > IMGFS_NAME_MAX)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(prefix); i++)
		if (!strncmp(name, prefix[i], strlen(prefix[i])) && name[strlen(prefix[i])])
			return true;
	return false;
}

int extfs_set_xattrs(struct imgfs *fs, u32 ino, const struct imgfs_xattr *x, size_t n,
		     struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct ext2_xattr_handle *h;
	const char *name = "its attributes";
	errcode_t ret;
	int rc = 0;

	if (!n)
		return 0;
	ret = e2.xattrs_open(e->fs, ino, &h);
	if (ret)
		return extfs_fail(e, ret, err, "xattrs of inode %u", ino);
	ret = e2.xattrs_read(h);
	for (size_t i = 0; !ret && i < n; i++) {
		name = x[i].name;
		if (!storable(name)) {
			rc = ybd_error_set(err, -EOPNOTSUPP, "ext4 cannot store the xattr %s",
					   name);
			goto out;
		}
		ret = e2.xattr_set(h, name, x[i].value, x[i].len);
	}
	if (!ret)
		ret = e2.xattrs_write(h);
	if (ret == EXT2_ET_EA_NO_SPACE || ret == EXT2_ET_EA_BAD_VALUE_SIZE)
		rc = ybd_error_set(err, -E2BIG,
				   "the xattr %s does not fit: inode and one block hold them all",
				   name);
	else if (ret)
		rc = extfs_fail(e, ret, err, "xattr %s", name);
out:
	e2.xattrs_close(&h);
	return rc;
}

/* May it have any? Most inodes can be told not to by themselves. */
static int may_have_xattrs(struct extfs *e, u32 ino, struct ybd_error *err)
{
	union {
		struct ext2_inode_large i;
		u8 b[EXTFS_INODE];
	} u;
	u32 magic;
	errcode_t ret = e2.read_inode_full(e->fs, ino, (struct ext2_inode *)&u.i, sizeof(u));

	if (ret)
		return extfs_fail(e, ret, err, "inode %u", ino);
	if (u.i.i_file_acl || u.i.osd2.linux2.l_i_file_acl_high)
		return 1;
	if (u.i.i_extra_isize > sizeof(u) - EXT2_GOOD_OLD_INODE_SIZE - sizeof(magic))
		return 0;
	memcpy(&magic, u.b + EXT2_GOOD_OLD_INODE_SIZE + u.i.i_extra_isize, sizeof(magic));
	return magic == EXT2_EXT_ATTR_MAGIC;
}

static int open_xattrs(struct extfs *e, u32 ino, struct ext2_xattr_handle **h,
		       struct ybd_error *err)
{
	errcode_t ret = e2.xattrs_open(e->fs, ino, h);

	if (!ret) {
		ret = e2.xattrs_read(*h);
		if (ret)
			e2.xattrs_close(h);
	}
	return ret ? extfs_fail(e, ret, err, "xattrs of inode %u", ino) : 0;
}

int extfs_has_xattr(struct imgfs *fs, u32 ino, const char *name, struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct ext2_xattr_handle *h;
	void *value = NULL;
	errcode_t ret;
	size_t len;
	int rc = may_have_xattrs(e, ino, err);

	if (rc <= 0)
		return rc;
	rc = open_xattrs(e, ino, &h, err);
	if (rc)
		return rc;
	ret = e2.xattr_get(h, name, &value, &len);
	e2.xattrs_close(&h);
	free(value);
	if (ret && ret != EXT2_ET_EA_KEY_NOT_FOUND)
		return extfs_fail(e, ret, err, "xattr %s of inode %u", name, ino);
	return !ret;
}

/**
 * struct copying - attributes on their way
 * @from: where they are
 * @to: where they go
 * @but: the beginning of names that stay
 * @ret: the first error
 */
struct copying {
	struct ext2_xattr_handle *from;
	struct ext2_xattr_handle *to;
	const char *but;
	errcode_t ret;
};

static int copy_xattr(char *name, char *stored, size_t stored_len, void *arg)
{
	struct copying *c = arg;
	void *value = NULL;
	size_t len;

	/* what is stored is not what has to be set again, with ACLs */
	(void)stored;
	(void)stored_len;
	if (!strncmp(name, c->but, strlen(c->but)))
		return 0;
	c->ret = e2.xattr_get(c->from, name, &value, &len);
	if (!c->ret)
		c->ret = e2.xattr_set(c->to, name, value, len);
	free(value);
	return c->ret ? XATTR_ABORT : 0;
}

int extfs_copy_xattrs(struct imgfs *fs, u32 from, u32 to, const char *but, struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct copying c = { .but = but };
	errcode_t ret;
	int rc = may_have_xattrs(e, from, err);

	if (rc <= 0)
		return rc;
	rc = open_xattrs(e, from, &c.from, err);
	if (rc)
		return rc;
	rc = open_xattrs(e, to, &c.to, err);
	if (rc)
		goto out_from;
	ret = e2.xattrs_iterate(c.from, copy_xattr, &c);
	if (!ret)
		ret = c.ret ?: e2.xattrs_write(c.to);
	if (ret)
		rc = extfs_fail(e, ret, err, "xattrs of inode %u", from);
	e2.xattrs_close(&c.to);
out_from:
	e2.xattrs_close(&c.from);
	return rc;
}
