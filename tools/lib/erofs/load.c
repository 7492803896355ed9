// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metadata read back: the tree that a layer below has left. Everything that is on disk is looked at
 * before it is used; what the writer does not make is not taken.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "priv.h"

#define WINDOW	(256u << 10)

/**
 * struct window - a part of the disk that is in memory
 * @buf: WINDOW bytes
 * @at: .
 * @len: .
 */
struct window {
	u8 *buf;
	u64 at;
	u64 len;
};

/**
 * struct load - a tree being read
 * @e: .
 * @meta: byte that node ids count from
 * @end: the first byte behind what there is
 * @inodes: .
 * @dirs: directory blocks
 * @slot: inodes by node id; 0 = empty; a power of two
 * @slots: .
 * @used: .
 * @err: .
 */
struct load {
	struct erofs *e;
	u64 meta;
	u64 end;
	struct window inodes;
	struct window dirs;
	u32 *slot;
	u32 slots;
	u32 used;
	struct ybd_error *err;
};

static int bad_node(const struct load *l, u64 nid, const char *what)
{
	return ybd_error_set(l->err, -EUCLEAN, "the erofs is damaged: node %llu %s",
			     (unsigned long long)nid, what);
}

static int foreign(const struct load *l)
{
	return ybd_error_set(l->err, -EOPNOTSUPP, "not an erofs that ybdctl has made");
}

/* ---- reading ---- */

static int fill_window(struct load *l, struct window *w, u64 at)
{
	struct bytestore *b = l->e->b;

	w->at = at / IMGFS_BLOCK * IMGFS_BLOCK;
	w->len = l->end - w->at < WINDOW ? l->end - w->at : WINDOW;
	if (!b->ops->read(b, w->at, w->buf, w->len))
		return 0;
	w->len = 0;
	return ero_store_error(b, l->err, "reading the erofs");
}

/* The caller has looked that it is not behind the end. */
static int get(struct load *l, struct window *w, u64 at, void *buf, u64 len)
{
	u8 *p = buf;

	while (len) {
		u64 n;
		int rc = at >= w->at && at < w->at + w->len ? 0 : fill_window(l, w, at);

		if (rc)
			return rc;
		n = w->at + w->len - at;
		n = n < len ? n : len;
		memcpy(p, w->buf + (at - w->at), n);
		p += n;
		at += n;
		len -= n;
	}
	return 0;
}

static bool inside(const struct load *l, u64 at, u64 len)
{
	return at <= l->end && len <= l->end - at;
}

static bool blocks_inside(const struct load *l, u32 blk, u64 bytes)
{
	return inside(l, (u64)blk * IMGFS_BLOCK, bytes);
}

/* ---- node ids ---- */

static u32 nid_slot(const struct load *l, u32 nid)
{
	u32 mask = l->slots - 1, i = nid * 0x9e3779b1u & mask;

	while (l->slot[i] && ero_inode(l->e, l->slot[i])->nid != nid)
		i = (i + 1) & mask;
	return i;
}

static int remember(struct load *l, u32 ino)
{
	u32 *old = l->slot, n = l->slots;

	if (l->used >= l->slots / 2) {
		l->slot = calloc(n ? n * 2 : 1024, sizeof(*l->slot));
		if (!l->slot) {
			l->slot = old;
			return ybd_error_sys(l->err, -ENOMEM, "erofs");
		}
		l->slots = n ? n * 2 : 1024;
		for (u32 i = 0; i < n; i++)
			if (old[i])
				l->slot[nid_slot(l, ero_inode(l->e, old[i])->nid)] = old[i];
		free(old);
	}
	l->slot[nid_slot(l, ero_inode(l->e, ino)->nid)] = ino;
	l->used++;
	return 0;
}

/* ---- inodes ---- */

static int read_xattrs(struct load *l, struct ero_inode *i, u64 at, u32 len)
{
	static const u8 none[ERO_XATTR_HEAD];
	u8 head[ERO_XATTR_HEAD];
	int rc;

	if (!len)
		return 0;
	if (!inside(l, at, len))
		return bad_node(l, i->nid, "has xattrs beyond the end");
	rc = get(l, &l->inodes, at, head, sizeof(head));
	if (rc)
		return rc;
	if (memcmp(head, none, sizeof(head)))
		return foreign(l);
	len -= (u32)sizeof(head);
	/* a header without entries would not be counted when the inode is measured */
	if (!len)
		return foreign(l);
	rc = ero_tree_charge(&l->e->tree, len, l->err);
	if (rc)
		return rc;
	i->xattr = malloc(len);
	i->xattr_len = len;
	if (!i->xattr)
		return ybd_error_sys(l->err, -ENOMEM, "xattrs");
	rc = get(l, &l->inodes, at + sizeof(head), i->xattr, len);
	if (!rc && !ero_xattrs_sound(i->xattr, len))
		rc = bad_node(l, i->nid, "has damaged xattrs");
	return rc;
}

static int read_target(struct load *l, struct ero_inode *i, u64 at, u64 size)
{
	int rc;

	if (!size || size >= IMGFS_BLOCK || !inside(l, at, size))
		return bad_node(l, i->nid, "is no sound symlink");
	rc = ero_tree_charge(&l->e->tree, (int64_t)size + 1, l->err);
	if (rc)
		return rc;
	i->size = size;
	i->target = calloc(1, size + 1);
	if (!i->target)
		return ybd_error_sys(l->err, -ENOMEM, "symlink");
	rc = get(l, &l->inodes, at, i->target, size);
	if (!rc && strlen(i->target) != size)
		rc = bad_node(l, i->nid, "is no sound symlink");
	return rc;
}

static int read_table(struct load *l, struct ero_inode *i, u64 at, u32 format)
{
	u8 bits = (u8)(format + ERO_BLOCK_BITS);
	u64 bytes = (u64)ero_chunks(i->size, bits) * sizeof(u32), left = i->size;
	int rc;

	if (!i->size || format > ERO_CHUNK_BITS || bits != ero_chunk_bits(i->size) ||
	    !inside(l, at, bytes))
		return bad_node(l, i->nid, "is no sound file");
	rc = ero_tree_charge(&l->e->tree, (int64_t)bytes, l->err);
	if (rc)
		return rc;
	i->map = malloc(bytes);
	if (!i->map) {
		ero_tree_charge(&l->e->tree, -(int64_t)bytes, NULL);
		return ybd_error_sys(l->err, -ENOMEM, "file");
	}
	i->chunk_bits = bits;
	rc = get(l, &l->inodes, at, i->map, bytes);
	for (u32 k = 0; !rc && k < bytes / sizeof(u32); k++) {
		u64 n = left < 1ull << bits ? left : 1ull << bits;

		i->map[k] = le32toh(i->map[k]);
		if (i->map[k] != ERO_HOLE && !blocks_inside(l, i->map[k], n))
			rc = bad_node(l, i->nid, "has data beyond the end");
		left -= n;
	}
	return rc;
}

/* What is behind the inode, or where it is: @at is behind the xattrs. */
static int read_rest(struct load *l, struct ero_inode *i, const struct ero_inode_disk *d, u64 at)
{
	u32 layout = le16toh(d->format) >> 1, blk = le32toh(d->at);
	u64 size = le64toh(d->size);

	if (S_ISCHR(i->mode) || S_ISBLK(i->mode)) {
		i->rdev = blk;
		return 0;
	}
	if (size > (u64)UINT32_MAX * IMGFS_BLOCK)
		return bad_node(l, i->nid, "is too large");
	if (S_ISLNK(i->mode))
		return read_target(l, i, layout == ERO_INLINE ? at : (u64)blk * IMGFS_BLOCK, size);
	i->size = size;
	if (S_ISREG(i->mode) && layout == ERO_CHUNKS)
		return read_table(l, i, at, blk);
	if (S_ISDIR(i->mode)) {
		/* for reading its names; the tail is in the window of inodes */
		i->tail = layout == ERO_INLINE ? (u16)(size % IMGFS_BLOCK) : 0;
		i->dir_blk = blk;
		if (!blocks_inside(l, blk, size - i->tail) || !inside(l, at, i->tail))
			return bad_node(l, i->nid, "is no sound directory");
	} else if (S_ISREG(i->mode)) {
		i->blk = blk;
		if (!blocks_inside(l, blk, size))
			return bad_node(l, i->nid, "has data beyond the end");
	}
	return 0;
}

static int check_format(const struct load *l, const struct ero_inode_disk *d, u64 nid)
{
	u32 format = le16toh(d->format), layout = format >> 1;
	u16 mode = le16toh(d->mode);

	if (!ero_type(mode))
		return bad_node(l, nid, "has no type");
	if (!(format & ERO_FORMAT_LONG) ||
	    (layout != ERO_PLAIN && layout != ERO_INLINE && layout != ERO_CHUNKS) ||
	    (layout == ERO_INLINE && !S_ISDIR(mode) && !S_ISLNK(mode)) ||
	    (layout == ERO_CHUNKS && !S_ISREG(mode)))
		return foreign(l);
	if (le32toh(d->nsec) >= 1000000000)
		return bad_node(l, nid, "has no sound time");
	return 0;
}

/* A new inode; its names are counted as they are met. */
static int read_inode(struct load *l, u64 nid, u32 *ino)
{
	u64 at = l->meta + nid * ERO_SLOT;
	struct ero_inode_disk d;
	struct ero_inode *i;
	u32 xattrs;
	int rc;

	if (nid > (l->end - l->meta) / ERO_SLOT || !inside(l, at, sizeof(d)))
		return bad_node(l, nid, "is beyond the end");
	rc = get(l, &l->inodes, at, &d, sizeof(d));
	if (!rc)
		rc = check_format(l, &d, nid);
	if (!rc)
		rc = ero_tree_inode(&l->e->tree, ino, l->err);
	if (rc)
		return rc;
	i = ero_inode(l->e, *ino);
	i->nid = (u32)nid;
	i->mode = le16toh(d.mode);
	i->uid = le32toh(d.uid);
	i->gid = le32toh(d.gid);
	i->sec = (int64_t)le64toh(d.sec);
	i->nsec = le32toh(d.nsec);
	xattrs = le16toh(d.xattr_units);
	xattrs = xattrs ? ERO_XATTR_HEAD + (xattrs - 1) * 4 : 0;
	rc = remember(l, *ino);
	if (!rc)
		rc = read_xattrs(l, i, at + sizeof(d), xattrs);
	return rc ? rc : read_rest(l, i, &d, at + sizeof(d) + xattrs);
}

/* ---- directories ---- */

/**
 * struct reading - a directory being read
 * @l: .
 * @ino: .
 * @nid: .
 * @last: the name before
 * @last_len: .
 * @dots: which of "." and ".." there were
 */
struct reading {
	struct load *l;
	u32 ino;
	u32 nid;
	char last[IMGFS_NAME_MAX];
	size_t last_len;
	u32 dots;
};

static int take_dot(struct reading *r, const char *name, size_t len, u64 nid)
{
	const struct ero_inode *i = ero_inode(r->l->e, r->ino);

	if (nid != (len == 1 ? r->nid : ero_inode(r->l->e, i->parent)->nid))
		return bad_node(r->l, r->nid, "has a wrong \".\" or \"..\"");
	r->dots |= 1u << len;
	return 0;
}

static int take_child(struct reading *r, const char *name, size_t len, u64 nid, u8 type)
{
	struct load *l = r->l;
	u32 ino = nid <= UINT32_MAX ? l->slot[nid_slot(l, (u32)nid)] : 0;
	bool old = ino;
	struct ero_inode *i;
	int rc = ino ? 0 : read_inode(l, nid, &ino);

	if (rc)
		return rc;
	i = ero_inode(l->e, ino);
	if (ero_type(i->mode) != type || (old && S_ISDIR(i->mode)))
		return bad_node(l, nid, "is not what its name says");
	i->links++;
	if (S_ISDIR(i->mode)) {
		i->links = 2;
		i->parent = r->ino;
		ero_inode(l->e, r->ino)->links++;
	}
	return ero_tree_add(&l->e->tree, r->ino, name, len, ino, l->err);
}

static int take_name(struct reading *r, const char *name, size_t len, u64 nid, u8 type)
{
	if (!len || len > IMGFS_NAME_MAX || memchr(name, '\0', len) || memchr(name, '/', len) ||
	    (r->last_len && ero_name_cmp(r->last, r->last_len, name, len) >= 0))
		return bad_node(r->l, r->nid, "has a damaged name");
	memcpy(r->last, name, len);
	r->last_len = len;
	if (len <= 2 && !memcmp(name, "..", len))
		return take_dot(r, name, len, nid);
	return take_child(r, name, len, nid, type);
}

static int take_block(struct reading *r, const u8 *block, u32 size)
{
	struct ero_dirent d, next;
	u32 nr, at, end;
	int rc = 0;

	if (size < sizeof(d))
		return bad_node(r->l, r->nid, "has a block that is too short");
	memcpy(&d, block, sizeof(d));
	at = le16toh(d.name);
	nr = at / (u32)sizeof(d);
	if (!nr || at % sizeof(d) || at >= size)
		return bad_node(r->l, r->nid, "has a damaged block");
	for (u32 k = 0; !rc && k < nr; k++, at = end) {
		memcpy(&d, block + k * sizeof(d), sizeof(d));
		if (k + 1 < nr) {
			memcpy(&next, block + (k + 1) * sizeof(d), sizeof(next));
			end = le16toh(next.name);
		} else {
			end = at + (u32)strnlen((const char *)block + at, size - at);
		}
		if (end <= at || end > size)
			return bad_node(r->l, r->nid, "has a damaged block");
		rc = take_name(r, (const char *)block + at, end - at, le64toh(d.nid), d.type);
	}
	return rc;
}

static int read_dir(struct load *l, u32 ino)
{
	const struct ero_inode *i = ero_inode(l->e, ino);
	struct reading r = { .l = l, .ino = ino, .nid = i->nid };
	u64 size = i->size, blk = i->dir_blk, tail = i->tail;
	u64 tail_at = l->meta + (u64)i->nid * ERO_SLOT + ero_inode_bytes(i);
	u8 block[IMGFS_BLOCK];
	int rc = 0;

	for (u64 off = 0; !rc && off < size; off += IMGFS_BLOCK) {
		u32 n = size - off < IMGFS_BLOCK ? (u32)(size - off) : IMGFS_BLOCK;

		if (tail && size - off == tail)
			rc = get(l, &l->inodes, tail_at, block, n);
		else
			rc = get(l, &l->dirs, blk * IMGFS_BLOCK + off, block, n);
		if (!rc)
			rc = take_block(&r, block, n);
	}
	if (!rc && r.dots != (1u << 1 | 1u << 2))
		rc = bad_node(l, r.nid, "has no \".\" or \"..\"");
	return rc;
}

/* ---- all of it ---- */

/* In the order in which they were written, so that what is read is near. */
static int read_all(struct load *l, u64 root)
{
	struct ero_walk w;
	u32 ino;
	int rc = read_inode(l, root, &ino);

	if (rc)
		return rc;
	if (!S_ISDIR(ero_inode(l->e, ino)->mode))
		return bad_node(l, root, "is the root, and no directory");
	ero_inode(l->e, ino)->links = 2;
	ero_inode(l->e, ino)->parent = ino;
	rc = ero_walk_begin(&w, &l->e->tree, l->err);
	if (rc)
		return rc;
	while (!(rc = ero_walk_next(&w, &ino, l->err))) {
		if (!S_ISDIR(ero_inode(l->e, ino)->mode))
			continue;
		rc = read_dir(l, ino);
		if (rc)
			break;
		/* nothing is left to be met here but directories */
		w.dent = 0;
	}
	ero_walk_end(&w);
	return rc == -ENOENT ? 0 : rc;
}

int ero_load(struct erofs *e, const struct ero_super *s, struct ybd_error *err)
{
	struct load l = {
		.e = e, .meta = (u64)le32toh(s->meta) * IMGFS_BLOCK,
		.end = (u64)le32toh(s->blocks) * IMGFS_BLOCK, .err = err,
	};
	int rc;

	l.inodes.buf = malloc(WINDOW);
	l.dirs.buf = malloc(WINDOW);
	if (l.inodes.buf && l.dirs.buf)
		rc = read_all(&l, le16toh(s->root));
	else
		rc = ybd_error_sys(err, -ENOMEM, "erofs");
	free(l.inodes.buf);
	free(l.dirs.buf);
	free(l.slot);
	return rc;
}
