// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks of a directory. One block is enough for most; with more, names are sorted by their hash,
 * and an index of one or two levels (as in the kernel's fs/ext4/namei.c) leads to their block.
 * Every block ends with a checksum, which libext2fs fills in when it writes it.
 */
#include <stdlib.h>

#include "../util.h"
#include "priv.h"

#define TAIL		12u		/* the checksum, dressed as a name that is not used */
#define ROOM		(IMGFS_BLOCK - TAIL)
#define HEAD		12u		/* each of "." and ".." */
#define INFO		8u
/* entries of an index block, of which the first is the count; its tail takes one */
#define ROOT_LIMIT	((IMGFS_BLOCK - 2 * HEAD - INFO) / 8 - 1)
#define NODE_LIMIT	((IMGFS_BLOCK - 8) / 8 - 1)

/**
 * struct sorted - a name by its hash
 * @hash: of the filesystem
 * @minor: .
 * @dent: .
 */
struct sorted {
	u32 hash;
	u32 minor;
	const struct extfs_dent *dent;
};

/**
 * struct leaf - a block of names
 * @hash: the lowest that is looked for in it; the lowest bit says that it goes on from before
 */
struct leaf {
	u32 hash;
};

static void put16(u8 *p, u32 v)
{
	p[0] = (u8)v;
	p[1] = (u8)(v >> 8);
}

static u32 rec_len(u32 name_len)
{
	return (8 + name_len + 3) & ~3u;
}

static void put_entry(u8 *p, u32 ino, u32 len, const char *name, u32 name_len, u8 type)
{
	put_le32(p, ino);
	put16(p + 4, len);
	p[6] = (u8)name_len;
	p[7] = type;
	memcpy(p + 8, name, name_len);
}

/* The last name, at @last, takes what is left; the tail follows. */
static void close_block(u8 *block, u32 last)
{
	put16(block + last + 4, ROOM - last);
	put16(block + ROOM + 4, TAIL);
	block[ROOM + 7] = 0xde;
}

/* ---- without an index ---- */

static u32 bytes_of(const struct extfs_dir *d)
{
	u64 sum = 0;

	for (u32 i = 0; i < d->nr; i++)
		if (d->dent[i].ino)
			sum += rec_len(d->dent[i].len);
	return sum > UINT32_MAX ? UINT32_MAX : (u32)sum;
}

static u32 put_dots(const struct extfs_dir *d, u8 *block)
{
	put_entry(block, d->ino, HEAD, ".", 1, EXT2_FT_DIR);
	put_entry(block + HEAD, d->parent, HEAD, "..", 2, EXT2_FT_DIR);
	return HEAD;
}

static int one_block(const struct extfs_dir *d, u8 **blocks)
{
	u8 *b = calloc(1, IMGFS_BLOCK);
	u32 last, at;

	if (!b)
		return -ENOMEM;
	last = put_dots(d, b);
	at = last + HEAD;
	for (u32 i = 0; i < d->nr; i++) {
		const struct extfs_dent *t = &d->dent[i];

		if (!t->ino)
			continue;
		last = at;
		at += rec_len(t->len);
		put_entry(b + last, t->ino, at - last, d->names + t->name, t->len, t->type);
	}
	close_block(b, last);
	*blocks = b;
	return 0;
}

/* ---- with one ---- */

static int by_hash(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	if (x->minor != y->minor)
		return x->minor < y->minor ? -1 : 1;
	return x->dent->name < y->dent->name ? -1 : x->dent->name > y->dent->name;
}

static int sort_names(struct extfs *e, const struct extfs_dir *d, struct sorted **out)
{
	struct ext2_super_block *s = e->fs->super;
	int version = s->s_def_hash_version;
	struct sorted *v = calloc(d->live + 1, sizeof(*v));
	u32 n = 0;

	if (!v)
		return -ENOMEM;
	if (version <= EXT2_HASH_TEA && s->s_flags & EXT2_FLAGS_UNSIGNED_HASH)
		version += 3;
	for (u32 i = 0; i < d->nr; i++) {
		const struct extfs_dent *t = &d->dent[i];
		ext2_dirhash_t hash = 0, minor = 0;

		if (!t->ino)
			continue;
		e2.dirhash(version, d->names + t->name, t->len, s->s_hash_seed, &hash, &minor);
		v[n++] = (struct sorted){ hash, minor, t };
	}
	qsort(v, n, sizeof(*v), by_hash);
	*out = v;
	return 0;
}

/* Fill blocks with sorted names. @block NULL: only count them. */
static u32 fill_leaves(const struct extfs_dir *d, const struct sorted *v, u8 *block,
		       struct leaf *leaf)
{
	u32 nr = 0, at = ROOM, last = 0;

	for (u32 i = 0; i < d->live; i++) {
		const struct extfs_dent *t = v[i].dent;
		u32 len = rec_len(t->len);

		if (at + len > ROOM) {
			if (nr && block)
				close_block(block + (size_t)(nr - 1) * IMGFS_BLOCK, last);
			if (leaf)
				leaf[nr].hash = !i ? 0 :
					v[i].hash | (v[i - 1].hash == v[i].hash);
			nr++;
			at = 0;
		}
		if (block)
			put_entry(block + (size_t)(nr - 1) * IMGFS_BLOCK + at, t->ino, len,
				  d->names + t->name, t->len, t->type);
		last = at;
		at += len;
	}
	if (nr && block)
		close_block(block + (size_t)(nr - 1) * IMGFS_BLOCK, last);
	return nr;
}

/* @n entries from @leaf on; the hash of the first is that of the block itself. */
static void put_index(u8 *p, u32 limit, const struct leaf *leaf, u32 n, u32 step, u32 first)
{
	for (u32 i = 0; i < n; i++) {
		put_le32(p + 8 * i, leaf[i * step].hash);
		put_le32(p + 8 * i + 4, first + i);
	}
	put16(p, limit);
	put16(p + 2, n);
}

static void put_root(const struct extfs *e, const struct extfs_dir *d, u8 *b, u8 levels)
{
	put_dots(d, b);
	put16(b + HEAD + 4, IMGFS_BLOCK - HEAD);
	b[2 * HEAD + 4] = e->fs->super->s_def_hash_version;
	b[2 * HEAD + 5] = INFO;
	b[2 * HEAD + 6] = levels;
}

static int indexed_blocks(struct extfs *e, const struct extfs_dir *d, const struct sorted *v,
			  u8 **blocks, u32 *nr)
{
	u32 leaves = fill_leaves(d, v, NULL, NULL), nodes = 0;
	struct leaf *leaf;
	u8 *b;

	if (leaves > ROOT_LIMIT)
		nodes = (leaves + NODE_LIMIT - 1) / NODE_LIMIT;
	if (nodes > ROOT_LIMIT)
		return -EFBIG;
	leaf = calloc(leaves, sizeof(*leaf));
	b = calloc(1 + nodes + leaves, IMGFS_BLOCK);
	if (!leaf || !b) {
		free(leaf);
		free(b);
		return -ENOMEM;
	}
	fill_leaves(d, v, b + (size_t)(1 + nodes) * IMGFS_BLOCK, leaf);
	put_root(e, d, b, nodes ? 1 : 0);
	put_index(b + 2 * HEAD + INFO, ROOT_LIMIT, leaf, nodes ?: leaves, nodes ? NODE_LIMIT : 1,
		  1);
	for (u32 i = 0; i < nodes; i++) {
		u8 *p = b + (size_t)(1 + i) * IMGFS_BLOCK;
		u32 from = i * NODE_LIMIT;
		u32 n = leaves - from < NODE_LIMIT ? leaves - from : NODE_LIMIT;

		put16(p + 4, IMGFS_BLOCK);
		put_index(p + 8, NODE_LIMIT, leaf + from, n, 1, 1 + nodes + from);
	}
	free(leaf);
	*blocks = b;
	*nr = 1 + nodes + leaves;
	return 0;
}

int extfs_dir_build(struct extfs *e, const struct extfs_dir *d, u8 **blocks, u32 *nr,
		    bool *indexed, struct ybd_error *err)
{
	__cleanup_free struct sorted *v = NULL;
	int rc;

	*nr = 1;
	*indexed = bytes_of(d) > ROOM - 2 * HEAD;
	if (!*indexed) {
		rc = one_block(d, blocks);
	} else {
		rc = sort_names(e, d, &v);
		if (!rc)
			rc = indexed_blocks(e, d, v, blocks, nr);
	}
	return rc ? ybd_error_sys(err, rc, "directory %u", d->ino) : 0;
}

/* ---- reading ---- */

int extfs_dir_parse(const u8 *block, int (*fn)(void *arg, const char *name, u8 len, u32 ino,
					       u8 type), void *arg)
{
	u32 at = 0;
	int rc;

	while (at + 8 <= IMGFS_BLOCK) {
		const u8 *p = block + at;
		u32 ino = get_le32(p), len = get_le16(p + 4), name_len = p[6];

		if (len < rec_len(name_len) || len % 4 || len > IMGFS_BLOCK - at)
			return -EUCLEAN;
		if (ino) {
			rc = fn(arg, (const char *)p + 8, (u8)name_len, ino, p[7]);
			if (rc)
				return rc;
		}
		at += len;
	}
	return at == IMGFS_BLOCK ? 0 : -EUCLEAN;
}
