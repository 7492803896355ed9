// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "priv.h"

/**
 * struct out - metadata on their way
 * @e: .
 * @p: .
 * @inodes: stream of inodes
 * @blocks: stream of directory blocks
 * @nr: inodes so far
 */
struct out {
	struct erofs *e;
	const struct ero_plan *p;
	struct ero_stream inodes;
	struct ero_stream blocks;
	u32 nr;
};

/* ---- what an inode has ---- */

/* A block of a directory, from the name that @n stands at; bytes that it takes. */
static u32 fill_block(struct out *o, struct ero_names *n, bool *more, u8 block[IMGFS_BLOCK])
{
	struct ero_names first = *n;
	u32 nr = 0, used = 0, at;

	/* how many fit */
	while (*more && used + sizeof(struct ero_dirent) + n->len <= IMGFS_BLOCK) {
		used += (u32)sizeof(struct ero_dirent) + n->len;
		nr++;
		*more = ero_names_next(n);
	}
	at = nr * (u32)sizeof(struct ero_dirent);
	for (u32 i = 0; i < nr; i++) {
		const struct ero_inode *to = ero_inode(o->e, first.ino);
		struct ero_dirent d = {
			.nid = htole64(to->nid), .name = htole16((u16)at),
			.type = ero_type(to->mode),
		};

		memcpy(block + i * sizeof(d), &d, sizeof(d));
		memcpy(block + at, first.name, first.len);
		at += first.len;
		ero_names_next(&first);
	}
	memset(block + at, 0, IMGFS_BLOCK - at);
	return at;
}

static int put_dir(struct out *o, u32 ino)
{
	const struct ero_inode *i = ero_inode(o->e, ino);
	u64 at = (o->p->dirs + i->dir_blk) * IMGFS_BLOCK;
	u8 block[IMGFS_BLOCK];
	struct ero_names n;
	bool more;
	int rc = 0;

	ero_names_begin(&n, &o->e->tree, ino);
	more = ero_names_next(&n);
	while (!rc && more) {
		u32 used = fill_block(o, &n, &more, block);

		if (more || !i->tail)
			rc = ero_stream_put(&o->blocks, at, block, IMGFS_BLOCK);
		else
			rc = ero_stream_put(&o->inodes, o->inodes.at + o->inodes.fill, block, used);
		at += IMGFS_BLOCK;
	}
	return rc;
}

static int put_symlink(struct out *o, const struct ero_inode *i)
{
	if (i->tail)
		return ero_stream_put(&o->inodes, o->inodes.at + o->inodes.fill, i->target,
				      i->size);
	return ero_stream_put(&o->blocks, (o->p->dirs + i->dir_blk) * IMGFS_BLOCK, i->target,
			      i->size);
}

static int put_table(struct out *o, const struct ero_inode *i)
{
	u32 nr = ero_chunks(i->size, i->chunk_bits), le;
	int rc = 0;

	for (u32 k = 0; !rc && k < nr; k++) {
		le = htole32(i->map[k]);
		rc = ero_stream_put(&o->inodes, o->inodes.at + o->inodes.fill, &le, sizeof(le));
	}
	return rc;
}

/* ---- inodes ---- */

static void describe(const struct out *o, const struct ero_inode *i, struct ero_inode_disk *d)
{
	u32 layout = ERO_PLAIN, at = 0;

	if (S_ISDIR(i->mode) || S_ISLNK(i->mode)) {
		layout = i->tail ? ERO_INLINE : ERO_PLAIN;
		at = (u32)(o->p->dirs + i->dir_blk);
	} else if (S_ISCHR(i->mode) || S_ISBLK(i->mode)) {
		at = i->rdev;
	} else if (S_ISREG(i->mode) && i->chunk_bits) {
		layout = ERO_CHUNKS;
		at = i->chunk_bits - ERO_BLOCK_BITS;
	} else if (S_ISREG(i->mode)) {
		at = i->blk;
	}
	*d = (struct ero_inode_disk){
		.format = htole16((u16)(ERO_FORMAT_LONG | layout << 1)),
		.mode = htole16(i->mode), .size = htole64(i->size), .at = htole32(at),
		.ino = htole32(o->nr), .uid = htole32(i->uid), .gid = htole32(i->gid),
		.sec = htole64((u64)i->sec), .nsec = htole32(i->nsec), .links = htole32(i->links),
	};
	if (i->xattr_len)
		d->xattr_units = htole16((u16)(1 + i->xattr_len / 4));
}

static int put_inode(struct out *o, u32 ino)
{
	static const u8 head[ERO_XATTR_HEAD];
	const struct ero_inode *i = ero_inode(o->e, ino);
	u64 at = o->p->meta * IMGFS_BLOCK + (u64)i->nid * ERO_SLOT;
	struct ero_inode_disk d;
	int rc = ero_stream_zero(&o->inodes, at);

	o->nr++;
	describe(o, i, &d);
	if (!rc)
		rc = ero_stream_put(&o->inodes, at, &d, sizeof(d));
	if (!rc && i->xattr_len)
		rc = ero_stream_put(&o->inodes, at + sizeof(d), head, sizeof(head));
	if (!rc && i->xattr_len)
		rc = ero_stream_put(&o->inodes, at + sizeof(d) + sizeof(head), i->xattr,
				    i->xattr_len);
	if (rc)
		return rc;
	if (S_ISDIR(i->mode))
		return put_dir(o, ino);
	if (S_ISLNK(i->mode))
		return put_symlink(o, i);
	return S_ISREG(i->mode) && i->chunk_bits ? put_table(o, i) : 0;
}

int ero_write_tree(struct erofs *e, const struct ero_plan *p, struct ybd_error *err)
{
	struct out o = { .e = e, .p = p };
	struct ero_walk w = { 0 };
	u32 ino;
	int rc = ero_stream_init(&o.inodes, e->b);

	if (!rc)
		rc = ero_stream_init(&o.blocks, e->b);
	o.inodes.at = p->meta * IMGFS_BLOCK;
	if (!rc && !ero_walk_begin(&w, &e->tree, &e->b->err)) {
		while (!rc && !ero_walk_next(&w, &ino, &e->b->err))
			rc = put_inode(&o, ino);
		ero_walk_end(&w);
	}
	if (!rc && !e->b->err.code)
		rc = ero_stream_flush(&o.inodes);
	if (!rc && !e->b->err.code)
		rc = ero_stream_flush(&o.blocks);
	free(o.inodes.buf);
	free(o.blocks.buf);
	if (!e->b->err.code)
		return 0;
	return ero_store_error(e->b, err, "writing the erofs");
}
