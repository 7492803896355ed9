// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "priv.h"

/* errno of what libext2fs says in its own words */
static int to_errno(errcode_t rc)
{
	if (rc > 0 && rc < 256)
		return (int)-rc;
	switch (rc) {
	case EXT2_ET_NO_MEMORY:
		return -ENOMEM;
	case EXT2_ET_BLOCK_ALLOC_FAIL:
	case EXT2_ET_INODE_ALLOC_FAIL:
	case EXT2_ET_TOOSMALL:
		return -ENOSPC;
	case EXT2_ET_EA_NO_SPACE:
		return -E2BIG;
	default:
		return -EUCLEAN;
	}
}

int extfs_fail(struct extfs *e, errcode_t rc, struct ybd_error *err, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (e->b->err.code)
		return ybd_error_set(err, e->b->err.code, "%s: %s", what, e->b->err.text);
	return ybd_error_set(err, to_errno(rc), "%s: %s", what, e2_error_text(rc));
}

static void release(struct extfs *e)
{
	extfs_dirs_free(e);
	if (e->fs)
		e2.free(e->fs);
	free(e->file.map.ext);
	extfs_io_free(e);
	free(e);
}

static const struct imgfs_ops extfs_ops = {
	.finish = extfs_finish,
	.abort = extfs_abort,
	.newest = extfs_newest,
	.lookup = extfs_lookup,
	.parent = extfs_parent,
	.next = extfs_next,
	.link = extfs_link,
	.unlink = extfs_unlink,
	.mkdir = extfs_mkdir,
	.symlink = extfs_symlink,
	.mknod = extfs_mknod,
	.set_attr = extfs_set_attr,
	.get_attr = extfs_get_attr,
	.readlink = extfs_readlink,
	.set_xattrs = extfs_set_xattrs,
	.has_xattr = extfs_has_xattr,
	.copy_xattrs = extfs_copy_xattrs,
	.stat = extfs_stat,
	.ranges = extfs_ranges,
	.read = extfs_read,
	.each_xattr = extfs_each_xattr,
	.reserve = extfs_reserve,
	.file_begin = extfs_file_begin,
	.file_place = extfs_file_place,
	.file_write = extfs_file_write,
	.file_end = extfs_file_end,
};

static int begin(struct bytestore *b, struct extfs **out, struct ybd_error *err)
{
	struct extfs *e;
	int rc;

	if (b->size < IMGFS_SIZE_MIN || b->size > IMGFS_SIZE_MAX)
		return ybd_error_set(err, -EINVAL,
				     "ext4 of %llu bytes is not made: 16M to 16T are possible",
				     (unsigned long long)b->size);
	rc = e2_load(err);
	if (rc)
		return rc;
	e = calloc(1, sizeof(*e));
	if (!e)
		return ybd_error_sys(err, -ENOMEM, "ext4");
	e->base.ops = &extfs_ops;
	e->b = b;
	rc = extfs_io_init(e, err);
	if (rc) {
		release(e);
		return rc;
	}
	*out = e;
	return 0;
}

static void ready(struct extfs *e)
{
	/* the superblock's times are set when it is finished; never by the clock */
	e->fs->now = 1;
	extfs_alloc_init(e);
}

int extfs_make(struct bytestore *b, const struct extfs_opts *o, struct imgfs **out,
	       struct ybd_error *err)
{
	struct extfs *e;
	int rc = begin(b, &e, err);

	if (rc)
		return rc;
	rc = extfs_layout(e, o, err);
	if (rc) {
		release(e);
		return rc;
	}
	e->newest = INT64_MIN;
	ready(e);
	*out = &e->base;
	return 0;
}

/* What this writer makes, and nothing else: anything else it might not keep as it is. */
static int refuse_foreign(struct extfs *e, struct ybd_error *err)
{
	const struct ext2_super_block *s = e->fs->super;

	if (e->fs->blocksize != IMGFS_BLOCK || s->s_inode_size != EXTFS_INODE ||
	    !(s->s_feature_compat & EXT4_FEATURE_COMPAT_SPARSE_SUPER2) ||
	    !(s->s_feature_incompat & EXT3_FEATURE_INCOMPAT_EXTENTS) ||
	    s->s_feature_incompat & (EXT3_FEATURE_INCOMPAT_RECOVER |
				     EXT4_FEATURE_INCOMPAT_INLINE_DATA |
				     EXT4_FEATURE_INCOMPAT_ENCRYPT) ||
	    !(s->s_state & EXT2_VALID_FS))
		return ybd_error_set(err, -EOPNOTSUPP, "not an ext4 that ybdctl has made");
	return 0;
}

int extfs_open(struct bytestore *b, struct imgfs **out, struct ybd_error *err)
{
	struct extfs *e;
	errcode_t ret;
	int rc = begin(b, &e, err);

	if (rc)
		return rc;
	ret = e2.open2("image", NULL, EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0,
		       extfs_io_manager(e), &e->fs);
	if (ret) {
		e->fs = NULL;
		rc = extfs_fail(e, ret, err, "reading the superblock of the ext4");
		goto err_release;
	}
	rc = refuse_foreign(e, err);
	if (rc)
		goto err_release;
	ret = e2.read_bitmaps(e->fs);
	if (!ret)
		ret = e2.create_inode_cache(e->fs, 16);
	if (ret) {
		rc = extfs_fail(e, ret, err, "reading the bitmaps of the ext4");
		goto err_release;
	}
	e->newest = e->fs->super->s_wtime | (int64_t)e->fs->super->s_wtime_hi << 32;
	ready(e);
	*out = &e->base;
	return 0;
err_release:
	release(e);
	return rc;
}

/* Of others: what has to be understood to read names and data. */
static int refuse_unreadable(struct extfs *e, struct ybd_error *err)
{
	const struct ext2_super_block *s = e->fs->super;

	if (e->fs->blocksize != IMGFS_BLOCK)
		return ybd_error_set(err, -EOPNOTSUPP, "ext4 with blocks of %u bytes is not read",
				     e->fs->blocksize);
	if (s->s_feature_incompat & (EXT4_FEATURE_INCOMPAT_INLINE_DATA |
				     EXT4_FEATURE_INCOMPAT_ENCRYPT))
		return ybd_error_set(err, -EOPNOTSUPP,
				     "ext4 with inline data or encryption is not read");
	if (s->s_feature_incompat & EXT3_FEATURE_INCOMPAT_RECOVER || !(s->s_state & EXT2_VALID_FS))
		return ybd_error_set(err, -EOPNOTSUPP,
				     "the ext4 was not unmounted: its journal has to be replayed first");
	return 0;
}

int extfs_look(struct bytestore *b, struct imgfs **out, struct ybd_error *err)
{
	struct extfs *e;
	errcode_t ret;
	int rc = begin(b, &e, err);

	if (rc)
		return rc;
	ret = e2.open2("image", NULL, EXT2_FLAG_64BITS, 0, 0, extfs_io_manager(e), &e->fs);
	if (ret) {
		e->fs = NULL;
		rc = extfs_fail(e, ret, err, "reading the superblock of the ext4");
	} else {
		rc = refuse_unreadable(e, err);
	}
	if (rc) {
		release(e);
		return rc;
	}
	*out = &e->base;
	return 0;
}

int64_t extfs_newest(struct imgfs *fs)
{
	return extfs_of(fs)->newest;
}

static void set_times(struct ext2_super_block *s, int64_t sec)
{
	u64 t = sec < 1 ? 1 : (u64)sec & 0xffffffffffull;

	/* only when it was made; later layers keep it */
	if (!s->s_mkfs_time && !s->s_mkfs_time_hi) {
		s->s_mkfs_time = (u32)t;
		s->s_mkfs_time_hi = (u8)(t >> 32);
	}
	s->s_lastcheck = (u32)t;
	s->s_lastcheck_hi = (u8)(t >> 32);
	s->s_wtime_hi = (u8)(t >> 32);
}

int extfs_finish(struct imgfs *fs, int64_t sec, struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	int rc = extfs_dirs_flush(e, err);
	errcode_t ret;

	if (rc)
		goto out;
	set_times(e->fs->super, sec);
	e->fs->now = sec < 1 ? 1 : (time_t)(sec & 0xffffffff) ?: 1;
	e->fs->flags |= EXT2_FLAG_DIRTY | EXT2_FLAG_CHANGED;
	ret = e2.flush2(e->fs, 0);
	if (!ret)
		ret = -extfs_io_flush(e);
	if (!ret)
		ret = -e->b->ops->flush(e->b);
	if (ret)
		rc = extfs_fail(e, ret, err, "writing the ext4");
out:
	release(e);
	return rc;
}

void extfs_abort(struct imgfs *fs)
{
	release(extfs_of(fs));
}
