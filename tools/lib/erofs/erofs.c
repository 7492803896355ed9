// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../crc32c.h"
#include "priv.h"

int ero_full(const struct erofs *e, struct ybd_error *err)
{
	return ybd_error_set(err, -ENOSPC, "the filesystem of %llu bytes is full",
			     (unsigned long long)e->b->size);
}

int ero_store_error(const struct bytestore *b, struct ybd_error *err, const char *what)
{
	if (err) {
		*err = b->err;
		ybd_error_prefix(err, "%s", what);
	}
	return b->err.code;
}

static void release(struct imgfs *fs)
{
	struct erofs *e = erofs_of(fs);

	ero_tree_free(&e->tree);
	free(e->data.buf);
	free(e->kept);
	free(e);
}

/* ---- the superblock ---- */

static u32 checksum(const u8 block[IMGFS_BLOCK])
{
	u8 copy[IMGFS_BLOCK - ERO_SUPER_OFFSET];

	memcpy(copy, block + ERO_SUPER_OFFSET, sizeof(copy));
	memset(copy + offsetof(struct ero_super, checksum), 0, sizeof(u32));
	/* not inverted at the end, as the kernel has it */
	return ~crc32c(copy, sizeof(copy));
}

static int write_super(struct erofs *e, const struct ero_plan *p, int64_t sec)
{
	u8 block[IMGFS_BLOCK] = { 0 };
	struct ero_super s = {
		.magic = htole32(ERO_MAGIC),
		.compat = htole32(ERO_COMPAT_CHECKSUM | ERO_COMPAT_MTIME),
		.block_bits = ERO_BLOCK_BITS,
		.root = htole16((u16)ero_inode(e, IMGFS_ROOT)->nid),
		.inodes = htole64(p->inodes),
		.sec = htole64(sec < 1 ? 1 : (u64)sec),
		.blocks = htole32((u32)p->end),
		.meta = htole32((u32)p->meta),
		.incompat = htole32(ERO_INCOMPAT_CHUNKED),
	};

	memcpy(s.uuid, e->uuid, sizeof(s.uuid));
	memcpy(block + ERO_SUPER_OFFSET, &s, sizeof(s));
	s.checksum = htole32(checksum(block));
	memcpy(block + ERO_SUPER_OFFSET, &s, sizeof(s));
	return e->b->ops->write(e->b, 0, block, sizeof(block));
}

static int read_block(struct bytestore *b, u8 block[IMGFS_BLOCK], struct ybd_error *err)
{
	if (b->size < IMGFS_BLOCK)
		return ybd_error_set(err, -EUCLEAN, "there is no room for a superblock");
	if (!b->ops->read(b, 0, block, IMGFS_BLOCK))
		return 0;
	return ero_store_error(b, err, "reading the superblock");
}

static bool has_magic(const u8 block[IMGFS_BLOCK])
{
	u32 magic;

	memcpy(&magic, block + ERO_SUPER_OFFSET, sizeof(magic));
	return le32toh(magic) == ERO_MAGIC;
}

int erofs_is_there(struct bytestore *b, struct ybd_error *err)
{
	u8 block[IMGFS_BLOCK];
	int rc = read_block(b, block, err);

	return rc ? rc : has_magic(block);
}

/* What this writer makes, and nothing else. */
static int read_super(struct bytestore *b, struct ero_super *s, struct ybd_error *err)
{
	u8 block[IMGFS_BLOCK];
	int rc = read_block(b, block, err);

	if (rc)
		return rc;
	if (!has_magic(block))
		return ybd_error_set(err, -EUCLEAN, "there is no superblock of an erofs");
	memcpy(s, block + ERO_SUPER_OFFSET, sizeof(*s));
	if (le32toh(s->checksum) != checksum(block))
		return ybd_error_set(err, le32toh(s->compat) & ERO_COMPAT_CHECKSUM ? -EUCLEAN :
				     -EOPNOTSUPP, "the superblock of the erofs has no right checksum");
	if (le32toh(s->compat) != (ERO_COMPAT_CHECKSUM | ERO_COMPAT_MTIME) ||
	    le32toh(s->incompat) != ERO_INCOMPAT_CHUNKED || s->block_bits != ERO_BLOCK_BITS ||
	    s->slots || s->xattrs)
		return ybd_error_set(err, -EOPNOTSUPP, "not an erofs that ybdctl has made");
	if (le32toh(s->blocks) > b->size / IMGFS_BLOCK || le32toh(s->meta) >= le32toh(s->blocks))
		return ybd_error_set(err, -EUCLEAN, "the erofs is larger than what it is in");
	return 0;
}

/* ---- opening ---- */

static int finish(struct imgfs *fs, int64_t sec, struct ybd_error *err)
{
	struct erofs *e = erofs_of(fs);
	struct ero_plan p;
	int rc = ero_stream_flush(&e->data);

	if (rc) {
		ero_store_error(e->b, err, "writing the erofs");
		goto out;
	}
	rc = ero_place(e, &p, err);
	if (!rc)
		rc = ero_write_tree(e, &p, err);
	if (!rc && (write_super(e, &p, sec) || e->b->ops->flush(e->b)))
		rc = ero_store_error(e->b, err, "writing the erofs");
out:
	release(fs);
	return rc;
}

static int64_t newest(struct imgfs *fs)
{
	return erofs_of(fs)->newest;
}

static const struct imgfs_ops erofs_ops = {
	.finish = finish,
	.abort = release,
	.newest = newest,
	.lookup = ero_lookup,
	.parent = ero_parent,
	.next = ero_next,
	.link = ero_link,
	.unlink = ero_unlink,
	.mkdir = ero_mkdir,
	.symlink = ero_symlink,
	.mknod = ero_mknod,
	.set_attr = ero_set_attr,
	.get_attr = ero_get_attr,
	.readlink = ero_readlink,
	.set_xattrs = ero_set_xattrs,
	.has_xattr = ero_has_xattr,
	.copy_xattrs = ero_copy_xattrs,
	.stat = ero_stat,
	.ranges = ero_ranges,
	.read = ero_read,
	.each_xattr = ero_each_xattr,
	.reserve = ero_reserve,
	.file_begin = ero_file_begin,
	.file_place = ero_file_place,
	.file_write = ero_file_write,
	.file_end = ero_file_end,
};

static int begin(struct bytestore *b, struct erofs **out, struct ybd_error *err)
{
	struct erofs *e;
	int rc;

	if (b->size < IMGFS_SIZE_MIN || b->size > IMGFS_SIZE_MAX)
		return ybd_error_set(err, -EINVAL,
				     "erofs of %llu bytes is not made: 16M to 16T are possible",
				     (unsigned long long)b->size);
	e = calloc(1, sizeof(*e));
	if (!e)
		return ybd_error_sys(err, -ENOMEM, "erofs");
	e->base.ops = &erofs_ops;
	e->b = b;
	rc = ero_tree_init(&e->tree, err);
	if (!rc && ero_stream_init(&e->data, b))
		rc = ero_store_error(b, err, "erofs");
	if (rc)
		release(&e->base);
	else
		*out = e;
	return rc;
}

/* What is written begins at a unit of the store: what is below is not copied. */
static void set_goal(struct erofs *e, u32 end)
{
	u64 unit = e->b->unit / IMGFS_BLOCK ?: 1;

	e->goal = (end + unit - 1) / unit * unit;
}

int erofs_make(struct bytestore *b, const u8 uuid[16], struct imgfs **out,
	       struct ybd_error *err)
{
	const struct imgfs_attr a = { .mode = S_IFDIR | 0755 };
	struct erofs *e;
	u32 ino;
	int rc = begin(b, &e, err);

	if (rc)
		return rc;
	memcpy(e->uuid, uuid, sizeof(e->uuid));
	rc = ero_new_inode(e, &a, &ino, err);
	if (rc) {
		release(&e->base);
		return rc;
	}
	ero_inode(e, ino)->parent = ino;
	ero_inode(e, ino)->links = 2;
	e->newest = INT64_MIN;
	set_goal(e, 1);
	*out = &e->base;
	return 0;
}

int erofs_open(struct bytestore *b, struct imgfs **out, struct ybd_error *err)
{
	struct ero_super s;
	struct erofs *e;
	int rc = read_super(b, &s, err);

	if (!rc)
		rc = begin(b, &e, err);
	if (rc)
		return rc;
	rc = ero_load(e, &s, err);
	if (rc) {
		release(&e->base);
		return rc;
	}
	memcpy(e->uuid, s.uuid, sizeof(e->uuid));
	e->newest = (int64_t)le64toh(s.sec);
	set_goal(e, le32toh(s.blocks));
	*out = &e->base;
	return 0;
}
