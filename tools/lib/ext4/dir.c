// SPDX-License-Identifier: GPL-2.0-only
/*
 * Directories in memory: read when something in them is asked for, written as a whole when the
 * filesystem is closed or when they take too much memory.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "../util.h"
#include "priv.h"

#define DIR_BYTES_MAX	(24u << 20)
#define NAMES_MAX	(1u << 30)

/* ---- one directory ---- */

static u32 hash_name(const char *name, size_t len)
{
	u64 h = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (u8)name[i]) * 0x100000001b3ull;
	return (u32)(h >> 32 ^ h);
}

static size_t dir_memory(const struct extfs_dir *d)
{
	return sizeof(*d) + d->room * sizeof(*d->dent) + d->index_size * sizeof(*d->index) +
	       d->names_room;
}

static void dir_free(struct extfs_dir *d)
{
	free(d->dent);
	free(d->index);
	free(d->names);
	free(d);
}

/* The place of @name in @dent + 1, or 0; *@at: its place in the index, or the free one. */
static u32 dir_find(const struct extfs_dir *d, const char *name, size_t len, u32 *at)
{
	u32 h = hash_name(name, len), mask = d->index_size - 1, i;

	if (!d->index_size)
		return 0;
	for (i = h & mask; d->index[i]; i = (i + 1) & mask) {
		const struct extfs_dent *t = &d->dent[d->index[i] - 1];

		if (t->hash == h && t->len == len && t->ino &&
		    !memcmp(d->names + t->name, name, len))
			break;
	}
	if (at)
		*at = i;
	return d->index[i];
}

static int index_grow(struct extfs_dir *d)
{
	u32 size = d->index_size ? d->index_size * 2 : 16, mask = size - 1;
	u32 *index = calloc(size, sizeof(*index));

	if (!index)
		return -ENOMEM;
	for (u32 i = 0; i < d->nr; i++) {
		u32 k = d->dent[i].hash & mask;

		while (index[k])
			k = (k + 1) & mask;
		index[k] = i + 1;
	}
	free(d->index);
	d->index = index;
	d->index_size = size;
	return 0;
}

static int room_for_one(struct extfs_dir *d, size_t len)
{
	if (d->nr == d->room) {
		u32 room = d->room ? d->room * 2 : 8;
		void *v = reallocarray(d->dent, room, sizeof(*d->dent));

		if (!v)
			return -ENOMEM;
		d->dent = v;
		d->room = room;
	}
	if (d->names_len + len > d->names_room) {
		u32 room = d->names_room ? d->names_room * 2 : 256;
		void *v = room > NAMES_MAX ? NULL : realloc(d->names, room);

		if (!v)
			return -ENOMEM;
		d->names = v;
		d->names_room = room;
	}
	return (d->nr + 1) * 2 > d->index_size ? index_grow(d) : 0;
}

static int dir_insert(struct extfs_dir *d, const char *name, u8 len, u32 ino, u8 type)
{
	int rc = room_for_one(d, len);
	u32 at;

	if (rc)
		return rc;
	if (dir_find(d, name, len, &at))
		return -EEXIST;
	d->dent[d->nr] = (struct extfs_dent){
		.ino = ino,
		.name = d->names_len,
		.hash = hash_name(name, len),
		.len = len,
		.type = type,
	};
	memcpy(d->names + d->names_len, name, len);
	d->names_len += len;
	d->index[at] = ++d->nr;
	d->live++;
	return 0;
}

/* ---- all of them ---- */

static struct extfs_dir **dir_slot(struct extfs *e, u32 ino)
{
	struct extfs_dir **p = &e->dirs[ino % EXTFS_DIR_BUCKETS];

	while (*p && (*p)->ino != ino)
		p = &(*p)->next;
	return p;
}

static struct extfs_dir *dir_begin(struct extfs *e, u32 ino)
{
	struct extfs_dir *d = calloc(1, sizeof(*d)), **p = dir_slot(e, ino);

	if (!d)
		return NULL;
	d->ino = ino;
	*p = d;
	return d;
}

static int take_name(void *arg, const char *name, u8 len, u32 ino, u8 type)
{
	struct extfs_dir *d = arg;

	if (len == 1 && name[0] == '.')
		return 0;
	if (len == 2 && name[0] == '.' && name[1] == '.') {
		d->parent = ino;
		return 0;
	}
	return dir_insert(d, name, len, ino, type);
}

static int dir_read(struct extfs *e, struct extfs_dir *d, struct ybd_error *err)
{
	struct ext2_inode_large inode;
	u8 block[IMGFS_BLOCK];
	blk64_t blk;
	u32 nr;
	int rc = extfs_inode_read(e, d->ino, &inode, err);

	if (rc)
		return rc;
	if (!S_ISDIR(inode.i_mode) || inode.i_size_high || inode.i_size % IMGFS_BLOCK)
		return ybd_error_set(err, -EUCLEAN, "inode %u is no sound directory", d->ino);
	nr = inode.i_size / IMGFS_BLOCK;
	for (u32 i = 0; i < nr; i++) {
		errcode_t ret = e2.bmap2(e->fs, d->ino, (struct ext2_inode *)&inode, NULL, 0, i,
					 NULL, &blk);

		if (!ret)
			ret = e2.read_dir_block4(e->fs, blk, block, 0, d->ino);
		if (ret)
			return extfs_fail(e, ret, err, "block %u of directory %u", i, d->ino);
		rc = extfs_dir_parse(block, take_name, d);
		if (rc)
			return ybd_error_sys(err, rc, "block %u of directory %u", i, d->ino);
	}
	if (!d->parent)
		return ybd_error_set(err, -EUCLEAN, "directory %u has no parent", d->ino);
	return 0;
}

/* The directory in memory; it stays there until another one is asked for. */
static int dir_get(struct extfs *e, u32 ino, struct extfs_dir **out, struct ybd_error *err)
{
	struct extfs_dir *d = *dir_slot(e, ino);
	int rc;

	if (d) {
		*out = d;
		return 0;
	}
	if (e->dir_bytes > DIR_BYTES_MAX) {
		rc = extfs_dirs_flush(e, err);
		if (rc)
			return rc;
	}
	d = dir_begin(e, ino);
	if (!d)
		return ybd_error_sys(err, -ENOMEM, "directory");
	rc = dir_read(e, d, err);
	if (rc) {
		*dir_slot(e, ino) = d->next;
		dir_free(d);
		return rc;
	}
	e->dir_bytes += dir_memory(d);
	*out = d;
	return 0;
}

int extfs_dir_new(struct extfs *e, u32 ino, u32 parent, struct ybd_error *err)
{
	struct extfs_dir *d = dir_begin(e, ino);

	if (!d)
		return ybd_error_sys(err, -ENOMEM, "directory");
	d->parent = parent;
	d->dirty = true;
	d->fresh = true;
	e->dir_bytes += dir_memory(d);
	return 0;
}

void extfs_dir_drop(struct extfs *e, u32 ino)
{
	struct extfs_dir **p = dir_slot(e, ino), *d = *p;

	if (!d)
		return;
	*p = d->next;
	e->dir_bytes -= dir_memory(d);
	dir_free(d);
}

void extfs_dirs_free(struct extfs *e)
{
	for (u32 i = 0; i < EXTFS_DIR_BUCKETS; i++)
		while (e->dirs[i])
			extfs_dir_drop(e, e->dirs[i]->ino);
}

/* ---- what is asked of them ---- */

int extfs_lookup(struct imgfs *fs, u32 dir, const char *name, size_t len, struct imgfs_node *out,
		 struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	static const u16 mode[] = {
		[EXT2_FT_REG_FILE] = S_IFREG, [EXT2_FT_DIR] = S_IFDIR,
		[EXT2_FT_CHRDEV] = S_IFCHR, [EXT2_FT_BLKDEV] = S_IFBLK,
		[EXT2_FT_FIFO] = S_IFIFO, [EXT2_FT_SOCK] = S_IFSOCK,
		[EXT2_FT_SYMLINK] = S_IFLNK,
	};
	struct extfs_dir *d;
	const struct extfs_dent *t;
	u32 i;
	int rc = dir_get(e, dir, &d, err);

	if (rc)
		return rc;
	i = dir_find(d, name, len, NULL);
	if (!i)
		return -ENOENT;
	t = &d->dent[i - 1];
	out->ino = t->ino;
	out->mode = t->type < ARRAY_SIZE(mode) ? mode[t->type] : 0;
	return 0;
}

int extfs_parent(struct imgfs *fs, u32 dir, u32 *out, struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct extfs_dir *d;
	int rc = dir_get(e, dir, &d, err);

	if (!rc)
		*out = d->parent;
	return rc;
}

int extfs_next(struct imgfs *fs, u32 dir, size_t *pos, char name[IMGFS_NAME_MAX + 1],
	       struct imgfs_node *out, struct ybd_error *err)
{
	struct extfs *e = extfs_of(fs);
	struct extfs_dir *d;
	int rc = dir_get(e, dir, &d, err);

	if (rc)
		return rc;
	while (*pos < d->nr && !d->dent[*pos].ino)
		++*pos;
	if (*pos >= d->nr)
		return -ENOENT;
	memcpy(name, d->names + d->dent[*pos].name, d->dent[*pos].len);
	name[d->dent[*pos].len] = '\0';
	return extfs_lookup(fs, dir, name, d->dent[(*pos)++].len, out, err);
}

static u8 type_of(u16 mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return EXT2_FT_REG_FILE;
	case S_IFDIR:
		return EXT2_FT_DIR;
	case S_IFCHR:
		return EXT2_FT_CHRDEV;
	case S_IFBLK:
		return EXT2_FT_BLKDEV;
	case S_IFIFO:
		return EXT2_FT_FIFO;
	case S_IFSOCK:
		return EXT2_FT_SOCK;
	default:
		return EXT2_FT_SYMLINK;
	}
}

int extfs_dir_add(struct extfs *e, u32 dir, const char *name, size_t len, u32 ino, u16 mode,
		  struct ybd_error *err)
{
	struct extfs_dir *d;
	size_t before;
	int rc = dir_get(e, dir, &d, err);

	if (rc)
		return rc;
	if (!len || len > IMGFS_NAME_MAX)
		return ybd_error_set(err, -EOPNOTSUPP, "a name of %zu bytes", len);
	before = dir_memory(d);
	rc = dir_insert(d, name, (u8)len, ino, type_of(mode));
	if (rc)
		return ybd_error_sys(err, rc, "directory %u", dir);
	e->dir_bytes += dir_memory(d) - before;
	d->dirty = true;
	return 0;
}

int extfs_dir_del(struct extfs *e, u32 dir, const char *name, size_t len, struct ybd_error *err)
{
	struct extfs_dir *d;
	u32 i;
	int rc = dir_get(e, dir, &d, err);

	if (rc)
		return rc;
	i = dir_find(d, name, len, NULL);
	if (!i)
		return ybd_error_set(err, -ENOENT, "directory %u has no such name", dir);
	/* it stays in the index, where it ends no search */
	d->dent[i - 1].ino = 0;
	d->live--;
	d->dirty = true;
	return 0;
}

bool extfs_dir_empty(struct extfs *e, u32 dir)
{
	struct extfs_dir *d = *dir_slot(e, dir);

	return d && !d->live;
}

/* ---- writing ---- */

/* Where its blocks are: *@m; all new when their number changes. */
static int place(struct extfs *e, struct extfs_dir *d, struct ext2_inode_large *inode, u32 nr,
		 struct extfs_map *m, struct ybd_error *err)
{
	u32 old = inode->i_size / IMGFS_BLOCK;
	errcode_t ret = 0;
	blk64_t old_blk;
	u64 blk, got;
	int rc = 0;

	if (old == nr && !d->fresh) {
		for (u32 i = 0; !ret && !rc && i < nr; i++) {
			ret = e2.bmap2(e->fs, d->ino, (struct ext2_inode *)inode, NULL, 0, i,
				       NULL, &old_blk);
			rc = ret ? 0 : extfs_map_add(m, i, old_blk, 1);
		}
	} else {
		if (!d->fresh)
			ret = e2.punch(e->fs, d->ino, (struct ext2_inode *)inode, NULL, 0,
				       ~0ull);
		for (u32 i = 0; !ret && !rc && i < nr; i += (u32)got) {
			rc = extfs_alloc_blocks(e, nr - i, &blk, &got, err);
			if (rc)
				return rc;
			rc = extfs_map_add(m, i, blk, (u32)got);
		}
	}
	if (ret)
		return extfs_fail(e, ret, err, "directory %u", d->ino);
	return rc ? ybd_error_sys(err, rc, "directory %u", d->ino) : 0;
}

static int write_blocks(struct extfs *e, const struct extfs_dir *d, const struct extfs_map *m,
			u8 *blocks, struct ybd_error *err)
{
	errcode_t ret;

	for (size_t i = 0; i < m->nr; i++)
		for (u32 k = 0; k < m->ext[i].len; k++) {
			u8 *p = blocks + (size_t)(m->ext[i].lblk + k) * IMGFS_BLOCK;

			ret = e2.write_dir_block4(e->fs, m->ext[i].pblk + k, p, 0, d->ino);
			if (ret)
				return extfs_fail(e, ret, err, "directory %u", d->ino);
		}
	return 0;
}

static int dir_write(struct extfs *e, struct extfs_dir *d, struct ybd_error *err)
{
	__cleanup_free u8 *blocks = NULL;
	struct extfs_map m = { 0 };
	struct ext2_inode_large inode;
	bool indexed, moved;
	u32 nr;
	int rc = extfs_inode_read(e, d->ino, &inode, err);

	if (!rc)
		rc = extfs_dir_build(e, d, &blocks, &nr, &indexed, err);
	if (rc)
		return rc;
	moved = d->fresh || inode.i_size / IMGFS_BLOCK != nr;
	rc = place(e, d, &inode, nr, &m, err);
	if (!rc)
		rc = write_blocks(e, d, &m, blocks, err);
	inode.i_size = nr * IMGFS_BLOCK;
	inode.i_flags &= ~(u32)EXT2_INDEX_FL;
	if (indexed)
		inode.i_flags |= EXT2_INDEX_FL;
	if (!rc)
		rc = moved ? extfs_map_store(e, d->ino, &inode, &m, err) :
			     extfs_inode_write(e, d->ino, &inode, err);
	free(m.ext);
	d->dirty = false;
	d->fresh = false;
	return rc;
}

static int by_ino(const void *a, const void *b)
{
	u32 x = (*(struct extfs_dir *const *)a)->ino, y = (*(struct extfs_dir *const *)b)->ino;

	return x < y ? -1 : x > y;
}

int extfs_dirs_flush(struct extfs *e, struct ybd_error *err)
{
	struct extfs_dir **all, *d;
	size_t n = 0;
	int rc = 0;

	for (u32 i = 0; i < EXTFS_DIR_BUCKETS; i++)
		for (d = e->dirs[i]; d; d = d->next)
			n++;
	all = calloc(n + 1, sizeof(*all));
	if (!all)
		return ybd_error_sys(err, -ENOMEM, "directories");
	n = 0;
	for (u32 i = 0; i < EXTFS_DIR_BUCKETS; i++)
		for (d = e->dirs[i]; d; d = d->next)
			all[n++] = d;
	/* side by side in the order in which they were made */
	qsort(all, n, sizeof(*all), by_ino);
	for (size_t i = 0; !rc && i < n; i++)
		if (all[i]->dirty)
			rc = dir_write(e, all[i], err);
	free(all);
	if (!rc)
		extfs_dirs_free(e);
	return rc;
}
