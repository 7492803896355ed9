// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regular files, written from the beginning to the end. Room is taken for as much as is known to
 * follow, so that a file is in one piece where there is one.
 */
#include <stdlib.h>

#include "../util.h"
#include "priv.h"

#define INLINE_EXTENTS	4u
#define EXTENT_MAX	32768u		/* blocks of an extent that is initialised */

/* ---- extents ---- */

int extfs_map_add(struct extfs_map *m, u32 lblk, u64 pblk, u32 len)
{
	struct extfs_extent *last = m->nr ? &m->ext[m->nr - 1] : NULL, *v;

	m->blocks += len;
	if (last && last->lblk + last->len == lblk && last->pblk + last->len == pblk &&
	    last->len + len <= EXTENT_MAX) {
		last->len += len;
		return 0;
	}
	if (m->nr == m->room) {
		v = reallocarray(m->ext, m->room * 2 + 8, sizeof(*v));
		if (!v)
			return -ENOMEM;
		m->ext = v;
		m->room = m->room * 2 + 8;
	}
	m->ext[m->nr++] = (struct extfs_extent){ lblk, pblk, len };
	return 0;
}

static void inline_map(struct ext2_inode_large *inode, const struct extfs_map *m)
{
	struct ext3_extent_header *h = (void *)inode->i_block;
	struct ext3_extent *x = (void *)(h + 1);

	memset(inode->i_block, 0, sizeof(inode->i_block));
	h->eh_magic = EXT3_EXT_MAGIC;
	h->eh_max = INLINE_EXTENTS;
	if (m->nr > INLINE_EXTENTS)
		return;
	h->eh_entries = (u16)m->nr;
	for (size_t i = 0; i < m->nr; i++, x++) {
		x->ee_block = m->ext[i].lblk;
		x->ee_len = (u16)m->ext[i].len;
		x->ee_start = (u32)m->ext[i].pblk;
		x->ee_start_hi = (u16)(m->ext[i].pblk >> 32);
	}
}

/* More than fit into the inode: libext2fs makes the tree. */
static int tree_map(struct extfs *e, u32 ino, struct ext2_inode_large *inode,
		    const struct extfs_map *m, struct ybd_error *err)
{
	ext2_extent_handle_t h;
	errcode_t rc = e2.extent_open2(e->fs, ino, (struct ext2_inode *)inode, &h);

	if (rc)
		return extfs_fail(e, rc, err, "extents of inode %u", ino);
	for (size_t i = 0; !rc && i < m->nr; i++) {
		struct ext2fs_extent x = {
			.e_lblk = m->ext[i].lblk,
			.e_pblk = m->ext[i].pblk,
			.e_len = m->ext[i].len,
		};

		rc = e2.extent_insert(h, EXT2_EXTENT_INSERT_AFTER, &x);
		if (!rc)
			rc = e2.extent_fix_parents(h);
	}
	e2.extent_free(h);
	if (rc)
		return extfs_fail(e, rc, err, "extents of inode %u", ino);
	/* it has written the inode, with the blocks of the tree counted */
	return extfs_inode_read(e, ino, inode, err);
}

/* In units of 512 bytes, which is what i_blocks counts in below 2 TiB. */
static int count_blocks(struct ext2_inode_large *inode, u64 blocks, struct ybd_error *err)
{
	u64 n = (inode->i_blocks | (u64)inode->osd2.linux2.l_i_blocks_hi << 32) + blocks * 8;

	if (n >> 48)
		return ybd_error_set(err, -EOPNOTSUPP, "the file is too large for ext4");
	inode->i_blocks = (u32)n;
	inode->osd2.linux2.l_i_blocks_hi = (u16)(n >> 32);
	return 0;
}

int extfs_map_store(struct extfs *e, u32 ino, struct ext2_inode_large *inode,
		    const struct extfs_map *m, struct ybd_error *err)
{
	int rc = 0;

	inode->i_flags |= EXT4_EXTENTS_FL;
	inode->i_blocks = 0;
	inode->osd2.linux2.l_i_blocks_hi = 0;
	if (inode->i_file_acl || inode->osd2.linux2.l_i_file_acl_high)
		rc = count_blocks(inode, 1, err);
	inline_map(inode, m);
	if (!rc && m->nr > INLINE_EXTENTS) {
		rc = extfs_inode_write(e, ino, inode, err);
		if (!rc)
			rc = tree_map(e, ino, inode, m, err);
	}
	if (!rc)
		rc = count_blocks(inode, m->blocks, err);
	return rc ? rc : extfs_inode_write(e, ino, inode, err);
}

/* ---- files ---- */

int extfs_file_begin(struct imgfs *fs, const struct imgfs_attr *a, u64 size,
		     struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct extfs_file *f = &e->file;

	if (size > (u64)UINT32_MAX * IMGFS_BLOCK)
		return ybd_error_set(err, -EOPNOTSUPP, "%llu bytes are too many for a file on ext4",
				     (unsigned long long)size);
	f->map.nr = 0;
	f->map.blocks = 0;
	f->size = size;
	f->pos = 0;
	f->fill = 0;
	f->at = 0;
	f->ready = 0;
	extfs_inode_fill(e, &f->inode, a);
	f->inode.i_size = (u32)size;
	f->inode.i_size_high = (u32)(size >> 32);
	return extfs_alloc_inode(e, false, &f->ino, err);
}

void extfs_file_place(struct imgfs *fs, u64 blk)
{
	struct extfs *e = extfs_of(fs);

	e->file.at = blk;
}

/* From where the file was placed, which moves on, or from where all others go. */
static int take_blocks(struct extfs *e, u64 want, u64 *blk, u64 *got, struct ybd_error *err)
{
	u64 goal = e->goal;
	int rc;

	if (e->file.at)
		e->goal = e->file.at;
	rc = extfs_alloc_blocks(e, want, blk, got, err);
	if (e->file.at) {
		e->file.at = e->goal;
		e->goal = goal;
	}
	return rc;
}

/* Allocate for the block @lblk and what follows it, @want blocks at most. */
static int make_ready(struct extfs *e, u32 lblk, u64 want, struct ybd_error *err)
{
	struct extfs_file *f = &e->file;
	u64 blk, got;
	int rc;

	if (want > EXTENT_MAX)
		want = EXTENT_MAX;
	rc = take_blocks(e, want, &blk, &got, err);
	if (rc)
		return rc;
	rc = extfs_map_add(&f->map, lblk, blk, (u32)got);
	if (rc)
		return ybd_error_sys(err, rc, "extents");
	f->ready = (u32)got;
	return 0;
}

/* Whole blocks; @want: as many are known to follow without a hole. */
static int put_blocks(struct extfs *e, u32 lblk, const u8 *p, u64 nr, u64 want,
		      struct ybd_error *err)
{
	struct extfs_file *f = &e->file;
	const struct extfs_extent *x;
	u32 n;
	int rc;

	while (nr) {
		if (!f->ready) {
			rc = make_ready(e, lblk, want > nr ? want : nr, err);
			if (rc)
				return rc;
		}
		x = &f->map.ext[f->map.nr - 1];
		n = f->ready < nr ? f->ready : (u32)nr;
		rc = extfs_io_data(e, x->pblk + x->len - f->ready, p, n);
		if (rc)
			return extfs_fail(e, -rc, err, "writing the file system");
		f->ready -= n;
		lblk += n;
		p += (size_t)n * IMGFS_BLOCK;
		nr -= n;
		want -= want < n ? want : n;
	}
	return 0;
}

static int put_partial(struct extfs *e, u64 want, struct ybd_error *err)
{
	struct extfs_file *f = &e->file;

	if (!f->fill)
		return 0;
	memset(f->block + f->fill, 0, IMGFS_BLOCK - f->fill);
	f->fill = 0;
	return put_blocks(e, f->lblk, f->block, 1, want, err);
}

static u64 blocks_of(u64 bytes)
{
	return (bytes + IMGFS_BLOCK - 1) / IMGFS_BLOCK;
}

int extfs_file_write(struct imgfs *fs, u64 off, const void *buf, size_t len, u64 more,
		     struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct extfs_file *f = &e->file;
	const u8 *p = buf;
	int rc = 0;

	if (off > f->size || len > f->size - off)
		return ybd_error_set(err, -EBADMSG, "data beyond the size of the file");
	if (off < f->pos)
		return ybd_error_set(err, -EBADMSG, "data of the file come twice");
	f->pos = off + len;
	if (more < len)
		more = len;
	if (f->fill && off / IMGFS_BLOCK != f->lblk)
		rc = put_partial(e, 1, err);
	while (!rc && len) {
		u32 in = (u32)(off % IMGFS_BLOCK);
		size_t n = len;

		if (!in && !f->fill && len >= IMGFS_BLOCK) {
			n -= n % IMGFS_BLOCK;
			rc = put_blocks(e, (u32)(off / IMGFS_BLOCK), p, n / IMGFS_BLOCK,
					blocks_of(more), err);
		} else {
			n = IMGFS_BLOCK - in < len ? IMGFS_BLOCK - in : len;
			memset(f->block + f->fill, 0, in - f->fill);
			memcpy(f->block + in, p, n);
			f->lblk = (u32)(off / IMGFS_BLOCK);
			f->fill = in + (u32)n;
			if (f->fill == IMGFS_BLOCK)
				rc = put_partial(e, blocks_of(more + in), err);
		}
		p += n;
		off += n;
		len -= n;
		more -= more < n ? more : n;
	}
	return rc;
}

int extfs_file_end(struct imgfs *fs, u32 dir, const char *name, size_t len, u32 *ino,
		   struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct extfs_file *f = &e->file;
	int rc = put_partial(e, 1, err);

	if (!rc && f->ready)
		rc = ybd_error_set(err, -EBADMSG, "the file's data end too early");
	if (!rc)
		rc = extfs_map_store(e, f->ino, &f->inode, &f->map, err);
	if (!rc)
		rc = extfs_dir_add(e, dir, name, len, f->ino, f->inode.i_mode, err);
	*ino = f->ino;
	return rc;
}
