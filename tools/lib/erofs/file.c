// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regular files, written from the beginning to the end, one behind the other. One that comes
 * without holes is one piece; others are tables of chunks, in which what was not written is a hole
 * or reads as zeros, as nothing was ever written there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "priv.h"

static u64 blocks_of(u64 bytes)
{
	return bytes / IMGFS_BLOCK + !!(bytes % IMGFS_BLOCK);
}

u8 ero_chunk_bits(u64 size)
{
	u8 bits = ERO_BLOCK_BITS;

	while (size >> bits >= ERO_CHUNKS_MAX)
		bits++;
	return bits;
}

/* ---- room ---- */

static int take_blocks(struct erofs *e, u64 nr, u32 *blk, struct ybd_error *err)
{
	u64 all = ero_blocks(e);

	if (e->goal >= all || nr > all - e->goal)
		return ero_full(e, err);
	*blk = (u32)e->goal;
	e->goal += nr;
	return 0;
}

u64 ero_reserve(struct imgfs *fs, u64 nr)
{
	struct erofs *e = erofs_of(fs);
	u32 blk = 0;

	if (e->nr_kept == e->kept_room) {
		void *v = reallocarray(e->kept, e->kept_room * 2 + 64, sizeof(*e->kept));

		if (!v)
			return 0;
		e->kept = v;
		e->kept_room = e->kept_room * 2 + 64;
	}
	if (take_blocks(e, nr, &blk, NULL))
		return 0;
	e->kept[e->nr_kept++] = (struct ero_room){ .blk = blk, .nr = (u32)nr };
	return blk;
}

static struct ero_room *find_room(struct erofs *e, u64 blk)
{
	size_t low = 0, high = e->nr_kept, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (e->kept[mid].blk == blk)
			return &e->kept[mid];
		if (e->kept[mid].blk < blk)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

void ero_file_gone(struct erofs *e, const struct ero_inode *i)
{
	struct ero_room *r = NULL;

	if (S_ISREG(i->mode) && i->size && !i->chunk_bits)
		r = find_room(e, i->blk);
	if (r)
		r->used = false;
}

/* ---- writing ---- */

int ero_file_begin(struct imgfs *fs, const struct imgfs_attr *a, u64 size, struct ybd_error *err)
{
	struct erofs *e = erofs_of(fs);
	int rc;

	if (size > (u64)UINT32_MAX * IMGFS_BLOCK)
		return ybd_error_set(err, -EOPNOTSUPP, "%llu bytes are too many for a file",
				     (unsigned long long)size);
	memset(&e->file, 0, sizeof(e->file));
	rc = ero_new_inode(e, a, &e->file.ino, err);
	if (!rc)
		ero_inode(e, e->file.ino)->size = size;
	return rc;
}

void ero_file_place(struct imgfs *fs, u64 blk)
{
	erofs_of(fs)->file.place = blk;
}

/* One piece: where it was asked for, if it fits there. */
static int begin_piece(struct erofs *e, struct ero_inode *i, struct ybd_error *err)
{
	struct ero_room *r = e->file.place ? find_room(e, e->file.place) : NULL;
	u64 nr = blocks_of(i->size);

	if (!r || r->used || nr > r->nr)
		return take_blocks(e, nr, &i->blk, err);
	r->used = true;
	i->blk = r->blk;
	return 0;
}

static int begin_chunks(struct erofs *e, struct ero_inode *i, struct ybd_error *err)
{
	u8 bits = ero_chunk_bits(i->size);
	size_t bytes = (size_t)ero_chunks(i->size, bits) * sizeof(*i->map);
	int rc = ero_tree_charge(&e->tree, (int64_t)bytes, err);

	if (rc)
		return rc;
	i->map = malloc(bytes);
	if (!i->map) {
		ero_tree_charge(&e->tree, -(int64_t)bytes, NULL);
		return ybd_error_sys(err, -ENOMEM, "table of chunks");
	}
	memset(i->map, 0xff, bytes);
	i->chunk_bits = bits;
	return 0;
}

static int begin_data(struct erofs *e, bool whole, struct ybd_error *err)
{
	struct ero_inode *i = ero_inode(e, e->file.ino);

	e->file.begun = true;
	return whole ? begin_piece(e, i, err) : begin_chunks(e, i, err);
}

/* Where a byte of the file is, and how many that follow are behind it. */
static int locate(struct erofs *e, u64 off, u64 *at, u64 *len, struct ybd_error *err)
{
	struct ero_inode *i = ero_inode(e, e->file.ino);
	u64 chunk, in;
	int rc = 0;

	if (!i->chunk_bits) {
		*at = (u64)i->blk * IMGFS_BLOCK + off;
		*len = i->size - off;
		return 0;
	}
	chunk = 1ull << i->chunk_bits;
	in = off & (chunk - 1);
	*len = chunk < i->size - (off - in) ? chunk : i->size - (off - in);
	if (i->map[off >> i->chunk_bits] == ERO_HOLE)
		rc = take_blocks(e, blocks_of(*len), &i->map[off >> i->chunk_bits], err);
	*at = (u64)i->map[off >> i->chunk_bits] * IMGFS_BLOCK + in;
	*len -= in;
	return rc;
}

int ero_file_write(struct imgfs *fs, u64 off, const void *buf, size_t len, u64 more,
		   struct ybd_error *err)
{
	struct erofs *e = erofs_of(fs);
	u64 size = ero_inode(e, e->file.ino)->size, at, n;
	const u8 *p = buf;
	int rc = 0;

	if (off > size || len > size - off)
		return ybd_error_set(err, -EBADMSG, "data beyond the size of the file");
	if (off < e->file.pos)
		return ybd_error_set(err, -EBADMSG, "data of the file come twice");
	e->file.pos = off + len;
	if (len && !e->file.begun)
		rc = begin_data(e, !off && (more >= size || len == size), err);
	while (!rc && len) {
		rc = locate(e, off, &at, &n, err);
		if (rc)
			break;
		n = n < len ? n : len;
		if (ero_stream_put(&e->data, at, p, n))
			rc = ero_store_error(e->b, err, "writing the erofs");
		off += n;
		p += n;
		len -= n;
	}
	return rc;
}

/* A table of chunks without a hole, one behind the other, says no more than where the first is. */
static void join(struct ero_tree *t, struct ero_inode *i)
{
	u32 nr = ero_chunks(i->size, i->chunk_bits), *map = i->map;

	for (u32 k = 0; k < nr; k++)
		if (map[k] == ERO_HOLE ||
		    map[k] != map[0] + ((u64)k << (i->chunk_bits - ERO_BLOCK_BITS)))
			return;
	i->chunk_bits = 0;
	i->blk = map[0];
	free(map);
	ero_tree_charge(t, -(int64_t)(nr * sizeof(*map)), NULL);
}

int ero_file_end(struct imgfs *fs, u32 dir, const char *name, size_t len, u32 *ino,
		 struct ybd_error *err)
{
	struct erofs *e = erofs_of(fs);
	struct ero_inode *i = ero_inode(e, e->file.ino);
	int rc = 0;

	if (e->file.begun && !i->chunk_bits && e->file.pos < i->size)
		return ybd_error_set(err, -EBADMSG, "the file's data end too early");
	if (i->size && !e->file.begun)
		rc = begin_data(e, false, err);
	if (rc)
		return rc;
	if (i->chunk_bits)
		join(&e->tree, i);
	*ino = e->file.ino;
	e->file.ino = 0;
	return ero_first_name(e, dir, name, len, *ino, err);
}

/* ---- reading ---- */

static void add_range(struct imgfs_range *r, size_t *n, u64 off, u64 at, u64 len)
{
	if (*n && r[*n - 1].off + r[*n - 1].len == off && r[*n - 1].at + r[*n - 1].len == at)
		r[*n - 1].len += len;
	else
		r[(*n)++] = (struct imgfs_range){ off, at, len };
}

int ero_ranges(struct imgfs *fs, u32 ino, struct imgfs_range **r, size_t *n,
	       struct ybd_error *err)
{
	const struct ero_inode *i = ero_inode(erofs_of(fs), ino);
	u8 bits = i->chunk_bits ? i->chunk_bits : 63;
	u32 nr = ero_chunks(i->size, bits);

	*n = 0;
	*r = calloc(nr + 1, sizeof(**r));
	if (!*r)
		return ybd_error_sys(err, -ENOMEM, "file");
	for (u32 k = 0; k < nr; k++) {
		u64 off = (u64)k << bits, left = i->size - off;
		u32 blk = i->chunk_bits ? i->map[k] : i->blk;

		if (blk != ERO_HOLE)
			add_range(*r, n, off, (u64)blk * IMGFS_BLOCK,
				  left < 1ull << bits ? left : 1ull << bits);
	}
	return 0;
}

int ero_read(struct imgfs *fs, u64 at, void *buf, size_t len, struct ybd_error *err)
{
	struct erofs *e = erofs_of(fs);

	if (at > e->b->size || len > e->b->size - at)
		return ybd_error_set(err, -EUCLEAN, "data beyond the end of the erofs");
	if (!e->b->ops->read(e->b, at, buf, len))
		return 0;
	return ero_store_error(e->b, err, "reading the erofs");
}
