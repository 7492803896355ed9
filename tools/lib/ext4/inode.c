// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "../util.h"
#include "priv.h"

#define FAST_SYMLINK	sizeof(((struct ext2_inode *)0)->i_block)

int extfs_inode_read(struct extfs *e, u32 ino, struct ext2_inode_large *inode,
		     struct ybd_error *err)
{
	errcode_t rc = e2.read_inode_full(e->fs, ino, (struct ext2_inode *)inode,
					  sizeof(*inode));

	return rc ? extfs_fail(e, rc, err, "inode %u", ino) : 0;
}

int extfs_inode_write(struct extfs *e, u32 ino, struct ext2_inode_large *inode,
		      struct ybd_error *err)
{
	errcode_t rc = e2.write_inode_full(e->fs, ino, (struct ext2_inode *)inode,
					   sizeof(*inode));

	return rc ? extfs_fail(e, rc, err, "inode %u", ino) : 0;
}

/* ---- attributes ---- */

#define TIME_MIN	(-0x80000000ll)
#define TIME_MAX	(0x37fffffffll)

/* Seconds in 34 bits, of which the upper two are kept with the nanoseconds. */
static void set_time(struct extfs *e, struct ext2_inode_large *inode,
		     const struct imgfs_attr *a)
{
	int64_t sec = a->sec < TIME_MIN ? TIME_MIN : a->sec > TIME_MAX ? TIME_MAX : a->sec;
	u32 extra = (u32)((sec - (int32_t)sec) >> 32 & 3) | a->nsec << 2;

	inode->i_atime = (u32)sec;
	inode->i_mtime = (u32)sec;
	inode->i_ctime = (u32)sec;
	inode->i_crtime = (u32)sec;
	inode->i_atime_extra = extra;
	inode->i_mtime_extra = extra;
	inode->i_ctime_extra = extra;
	inode->i_crtime_extra = extra;
	if (sec > e->newest)
		e->newest = sec;
}

static void set_owner(struct ext2_inode_large *inode, const struct imgfs_attr *a)
{
	inode->i_uid = (u16)a->uid;
	inode->osd2.linux2.l_i_uid_high = (u16)(a->uid >> 16);
	inode->i_gid = (u16)a->gid;
	inode->osd2.linux2.l_i_gid_high = (u16)(a->gid >> 16);
}

void extfs_inode_fill(struct extfs *e, struct ext2_inode_large *inode,
		      const struct imgfs_attr *a)
{
	memset(inode, 0, sizeof(*inode));
	inode->i_mode = a->mode;
	inode->i_extra_isize = sizeof(*inode) - EXT2_GOOD_OLD_INODE_SIZE;
	inode->i_links_count = 1;
	set_owner(inode, a);
	set_time(e, inode, a);
}

int extfs_set_attr(struct imgfs *fs, u32 ino, const struct imgfs_attr *a, struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct ext2_inode_large inode;
	int rc = extfs_inode_read(e, ino, &inode, err);

	if (rc)
		return rc;
	inode.i_mode = (u16)((inode.i_mode & S_IFMT) | (a->mode & 07777));
	set_owner(&inode, a);
	set_time(e, &inode, a);
	return extfs_inode_write(e, ino, &inode, err);
}

static void get_device(const struct ext2_inode_large *inode, struct imgfs_attr *a)
{
	u32 old = inode->i_block[0], new = inode->i_block[1];

	a->major = old ? old >> 8 : new >> 8 & 0xfff;
	a->minor = old ? old & 0xff : (new & 0xff) | (new >> 12 & 0xfff00);
}

int extfs_get_attr(struct imgfs *fs, u32 ino, struct imgfs_attr *a, struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct ext2_inode_large inode;
	int rc = extfs_inode_read(e, ino, &inode, err);

	if (rc)
		return rc;
	memset(a, 0, sizeof(*a));
	a->mode = inode.i_mode;
	a->uid = inode.i_uid | (u32)inode.osd2.linux2.l_i_uid_high << 16;
	a->gid = inode.i_gid | (u32)inode.osd2.linux2.l_i_gid_high << 16;
	a->sec = (int32_t)inode.i_mtime + ((int64_t)(inode.i_mtime_extra & 3) << 32);
	a->nsec = inode.i_mtime_extra >> 2;
	if (S_ISCHR(inode.i_mode) || S_ISBLK(inode.i_mode))
		get_device(&inode, a);
	return 0;
}

/* ---- links ---- */

int extfs_inode_links(struct extfs *e, u32 ino, int change, struct ybd_error *err)
{
	struct ext2_inode_large inode;
	int rc = extfs_inode_read(e, ino, &inode, err);

	if (rc)
		return rc;
	/* a directory with too many says 1, and stays so */
	if (inode.i_links_count == 1)
		return 0;
	if (change > 0 && inode.i_links_count >= 65000)
		inode.i_links_count = 1;
	else
		inode.i_links_count = (u16)(inode.i_links_count + change);
	return extfs_inode_write(e, ino, &inode, err);
}

static bool has_blocks(const struct ext2_inode_large *inode)
{
	if (S_ISREG(inode->i_mode) || S_ISDIR(inode->i_mode))
		return true;
	return S_ISLNK(inode->i_mode) && inode->i_size >= FAST_SYMLINK;
}

int extfs_inode_free(struct extfs *e, u32 ino, struct ext2_inode_large *inode,
		     struct ybd_error *err)
{
	/* behind what the struct has are xattrs, which the next one to get it must not find */
	static const u8 none[EXTFS_INODE];
	bool dir = S_ISDIR(inode->i_mode);
	errcode_t rc = 0;

	if (has_blocks(inode))
		rc = e2.punch(e->fs, ino, (struct ext2_inode *)inode, NULL, 0, ~0ull);
	if (!rc)
		rc = e2.free_ext_attr(e->fs, ino, inode);
	if (rc)
		return extfs_fail(e, rc, err, "freeing inode %u", ino);
	e2.inode_alloc_stats2(e->fs, ino, -1, dir);
	memset(inode, 0, sizeof(*inode));
	rc = e2.write_inode_full(e->fs, ino, (struct ext2_inode *)none, sizeof(none));
	return rc ? extfs_fail(e, rc, err, "inode %u", ino) : 0;
}

int extfs_link(struct imgfs *fs, u32 dir, const char *name, size_t len,
	       const struct imgfs_node *node, struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct ext2_inode_large inode;
	int rc = extfs_inode_read(e, node->ino, &inode, err);

	if (rc)
		return rc;
	if (inode.i_links_count >= 65000)
		return ybd_error_set(err, -EOPNOTSUPP, "ext4 allows no more than 65000 hard links");
	rc = extfs_dir_add(e, dir, name, len, node->ino, inode.i_mode, err);
	if (rc)
		return rc;
	inode.i_links_count++;
	return extfs_inode_write(e, node->ino, &inode, err);
}

static int unlink_dir(struct extfs *e, u32 dir, u32 ino, struct ext2_inode_large *inode,
		      struct ybd_error *err)
{
	int rc;

	if (!extfs_dir_empty(e, ino))
		return ybd_error_set(err, -ENOTEMPTY, "inode %u is a directory that is not empty",
				     ino);
	extfs_dir_drop(e, ino);
	rc = extfs_inode_free(e, ino, inode, err);
	return rc ? rc : extfs_inode_links(e, dir, -1, err);
}

int extfs_unlink(struct imgfs *fs, u32 dir, const char *name, size_t len, struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct ext2_inode_large inode;
	struct imgfs_node node;
	int rc = extfs_lookup(fs, dir, name, len, &node, err);

	if (!rc && S_ISDIR(node.mode)) {
		struct imgfs_node none;

		/* bring it into memory, where it is asked for being empty */
		rc = extfs_lookup(fs, node.ino, "", 0, &none, err);
		rc = rc == -ENOENT ? 0 : rc;
	}
	if (!rc)
		rc = extfs_inode_read(e, node.ino, &inode, err);
	if (rc)
		return rc;
	if (S_ISDIR(inode.i_mode))
		rc = unlink_dir(e, dir, node.ino, &inode, err);
	else if (inode.i_links_count > 1)
		rc = (inode.i_links_count--, extfs_inode_write(e, node.ino, &inode, err));
	else
		rc = extfs_inode_free(e, node.ino, &inode, err);
	return rc ? rc : extfs_dir_del(e, dir, name, len, err);
}

/* ---- new ones ---- */

int extfs_mkdir(struct imgfs *fs, u32 dir, const char *name, size_t len,
		const struct imgfs_attr *a, u32 *ino, struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct ext2_inode_large inode;
	int rc = extfs_alloc_inode(e, true, ino, err);

	if (rc)
		return rc;
	extfs_inode_fill(e, &inode, a);
	inode.i_links_count = 2;
	rc = extfs_inode_write(e, *ino, &inode, err);
	if (!rc)
		rc = extfs_dir_new(e, *ino, dir, err);
	if (!rc)
		rc = extfs_inode_links(e, dir, 1, err);
	return rc ? rc : extfs_dir_add(e, dir, name, len, *ino, a->mode, err);
}

/* A target that does not fit into the inode has a block. */
static int slow_symlink(struct extfs *e, u32 ino, struct ext2_inode_large *inode,
			const char *target, struct ybd_error *err)
{
	u8 block[IMGFS_BLOCK] = { 0 };
	struct extfs_map m = { 0 };
	u64 blk, got;
	int rc = extfs_alloc_blocks(e, 1, &blk, &got, err);

	if (rc)
		return rc;
	memcpy(block, target, inode->i_size);
	rc = extfs_io_data(e, blk, block, 1);
	if (rc)
		return extfs_fail(e, -rc, err, "symlink");
	rc = extfs_map_add(&m, 0, blk, 1);
	if (!rc)
		rc = extfs_map_store(e, ino, inode, &m, err);
	else
		ybd_error_sys(err, rc, "symlink");
	free(m.ext);
	return rc;
}

int extfs_symlink(struct imgfs *fs, u32 dir, const char *name, size_t len,
		  const struct imgfs_attr *a, const char *target, u32 *ino,
		  struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct ext2_inode_large inode;
	size_t size = strlen(target);
	int rc;

	if (!size || size >= IMGFS_BLOCK)
		return ybd_error_set(err, size ? -EOPNOTSUPP : -EBADMSG,
				     "the target of the symlink has %zu bytes", size);
	rc = extfs_alloc_inode(e, false, ino, err);
	if (rc)
		return rc;
	extfs_inode_fill(e, &inode, a);
	inode.i_size = (u32)size;
	if (size < FAST_SYMLINK) {
		memcpy(inode.i_block, target, size);
		rc = extfs_inode_write(e, *ino, &inode, err);
	} else {
		rc = slow_symlink(e, *ino, &inode, target, err);
	}
	return rc ? rc : extfs_dir_add(e, dir, name, len, *ino, a->mode, err);
}

int extfs_readlink(struct imgfs *fs, u32 ino, char target[IMGFS_BLOCK], struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct ext2_inode_large inode;
	blk64_t blk;
	errcode_t ret;
	int rc = extfs_inode_read(e, ino, &inode, err);

	if (rc)
		return rc;
	if (!S_ISLNK(inode.i_mode) || inode.i_size >= IMGFS_BLOCK)
		return ybd_error_set(err, -EUCLEAN, "inode %u is no symlink", ino);
	memset(target, 0, IMGFS_BLOCK);
	if (inode.i_size < FAST_SYMLINK) {
		memcpy(target, inode.i_block, inode.i_size);
		return 0;
	}
	ret = e2.bmap2(e->fs, ino, (struct ext2_inode *)&inode, NULL, 0, 0, NULL, &blk);
	if (!ret)
		ret = e->fs->io->manager->read_blk64(e->fs->io, blk, 1, target);
	if (ret)
		return extfs_fail(e, ret, err, "symlink, inode %u", ino);
	target[inode.i_size] = '\0';
	return 0;
}

int extfs_mknod(struct imgfs *fs, u32 dir, const char *name, size_t len,
		const struct imgfs_attr *a, u32 *ino, struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct ext2_inode_large inode;
	int rc;

	if (a->major > 0xfff || a->minor > 0xfffff)
		return ybd_error_set(err, -EOPNOTSUPP, "there is no device %u:%u", a->major,
				     a->minor);
	rc = extfs_alloc_inode(e, false, ino, err);
	if (rc)
		return rc;
	extfs_inode_fill(e, &inode, a);
	if (!S_ISCHR(a->mode) && !S_ISBLK(a->mode))
		;
	else if (a->major < 256 && a->minor < 256)
		inode.i_block[0] = a->major << 8 | a->minor;
	else
		inode.i_block[1] = (a->minor & 0xff) | a->major << 8 | (a->minor & ~0xffu) << 12;
	rc = extfs_inode_write(e, *ino, &inode, err);
	return rc ? rc : extfs_dir_add(e, dir, name, len, *ino, a->mode, err);
}
