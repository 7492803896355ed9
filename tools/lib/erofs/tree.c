// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "priv.h"

#define NAMES_MAX	(1u << 30)

int ero_tree_charge(struct ero_tree *t, int64_t bytes, struct ybd_error *err)
{
	t->bytes += (u64)bytes;
	if (bytes <= 0 || t->bytes <= ERO_MEMORY_MAX)
		return 0;
	t->bytes -= (u64)bytes;
	return ybd_error_set(err, -EOPNOTSUPP,
			     "the tree takes more than %u MiB of memory: ext4 has no such limit",
			     ERO_MEMORY_MAX >> 20);
}

/* Twice as many of @size bytes each, 16 at first. */
static int grow(struct ero_tree *t, void **v, u32 *room, size_t size, struct ybd_error *err)
{
	u32 more = *room ? *room : 16;
	void *p;
	int rc = ero_tree_charge(t, (int64_t)(more * size), err);

	if (rc)
		return rc;
	p = reallocarray(*v, *room + more, size);
	if (!p) {
		ero_tree_charge(t, -(int64_t)(more * size), NULL);
		return ybd_error_sys(err, -ENOMEM, "erofs");
	}
	*v = p;
	*room += more;
	return 0;
}

/* ---- inodes ---- */

int ero_tree_inode(struct ero_tree *t, u32 *ino, struct ybd_error *err)
{
	if (t->nr == t->room) {
		void *v = t->inode;
		int rc = grow(t, &v, &t->room, sizeof(*t->inode), err);

		if (rc)
			return rc;
		t->inode = v;
	}
	*ino = t->nr++;
	memset(&t->inode[*ino], 0, sizeof(*t->inode));
	return 0;
}

static void give_back(struct ero_tree *t, void *p, u64 bytes)
{
	free(p);
	ero_tree_charge(t, -(int64_t)bytes, NULL);
}

void ero_inode_drop(struct ero_tree *t, struct ero_inode *i)
{
	if (i->xattr)
		give_back(t, i->xattr, i->xattr_len);
	if (S_ISLNK(i->mode) && i->target)
		give_back(t, i->target, i->size + 1);
	if (S_ISREG(i->mode) && i->chunk_bits && i->map)
		give_back(t, i->map, (u64)ero_chunks(i->size, i->chunk_bits) * sizeof(*i->map));
	memset(i, 0, sizeof(*i));
}

/* ---- names ---- */

static u32 hash(u32 dir, const char *name, size_t len)
{
	u64 h = 0xcbf29ce484222325ull ^ dir * 0x9e3779b97f4a7c15ull;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (u8)name[i]) * 0x100000001b3ull;
	return (u32)(h ^ h >> 32);
}

u32 ero_tree_find(const struct ero_tree *t, u32 dir, const char *name, size_t len)
{
	u32 mask = t->slots - 1, i = hash(dir, name, len) & mask;
	const struct ero_dent *d;

	/* what was taken away ends no search */
	for (; t->slot[i]; i = (i + 1) & mask) {
		d = &t->dent[t->slot[i]];
		if (d->ino && d->dir == dir && d->len == len &&
		    !memcmp(t->names + d->name, name, len))
			return t->slot[i];
	}
	return 0;
}

static void put_slot(struct ero_tree *t, u32 dent)
{
	const struct ero_dent *d = &t->dent[dent];
	u32 mask = t->slots - 1, i = hash(d->dir, t->names + d->name, d->len) & mask;

	while (t->slot[i])
		i = (i + 1) & mask;
	t->slot[i] = dent;
}

static int more_slots(struct ero_tree *t, struct ybd_error *err)
{
	u32 *slot;
	int rc = ero_tree_charge(t, (int64_t)(t->slots * sizeof(*slot)), err);

	if (rc)
		return rc;
	slot = calloc(t->slots * 2, sizeof(*slot));
	if (!slot)
		return ybd_error_sys(err, -ENOMEM, "erofs");
	free(t->slot);
	t->slot = slot;
	t->slots *= 2;
	for (u32 i = 1; i < t->nr_dents; i++)
		if (t->dent[i].ino)
			put_slot(t, i);
	return 0;
}

static int room_for_name(struct ero_tree *t, size_t len, struct ybd_error *err)
{
	int rc = 0;
	void *v;

	if (t->nr_dents == t->dent_room) {
		v = t->dent;
		rc = grow(t, &v, &t->dent_room, sizeof(*t->dent), err);
		t->dent = v;
	}
	while (!rc && len > t->names_room - t->names_len) {
		if (t->names_room >= NAMES_MAX)
			return ybd_error_sys(err, -ENOMEM, "erofs");
		v = t->names;
		rc = grow(t, &v, &t->names_room, 1, err);
		t->names = v;
	}
	if (!rc && t->nr_dents >= t->slots / 4 * 3)
		rc = more_slots(t, err);
	return rc;
}

int ero_tree_add(struct ero_tree *t, u32 dir, const char *name, size_t len, u32 ino,
		 struct ybd_error *err)
{
	struct ero_inode *in;
	u32 n = t->nr_dents;
	int rc;

	if (!len || len > IMGFS_NAME_MAX)
		return ybd_error_set(err, -EOPNOTSUPP, "a name of %zu bytes", len);
	if (ero_tree_find(t, dir, name, len))
		return ybd_error_sys(err, -EEXIST, "directory %u", dir);
	rc = room_for_name(t, len, err);
	if (rc)
		return rc;
	t->dent[n] = (struct ero_dent){
		.dir = dir, .ino = ino, .name = t->names_len, .len = (u8)len,
	};
	memcpy(t->names + t->names_len, name, len);
	t->names_len += (u32)len;
	t->nr_dents++;
	put_slot(t, n);
	in = &t->inode[dir];
	if (in->names[1])
		t->dent[in->names[1]].next = n;
	else
		in->names[0] = n;
	in->names[1] = n;
	return 0;
}

u32 ero_tree_live(const struct ero_tree *t, u32 dent)
{
	while (dent && !t->dent[dent].ino)
		dent = t->dent[dent].next;
	return dent;
}

int ero_name_cmp(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int d = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return d ? d : (a_len > b_len) - (a_len < b_len);
}

static int by_name(const void *a, const void *b, void *arg)
{
	const struct ero_tree *t = arg;
	const struct ero_dent *x = &t->dent[*(const u32 *)a], *y = &t->dent[*(const u32 *)b];

	return ero_name_cmp(t->names + x->name, x->len, t->names + y->name, y->len);
}

int ero_tree_sort(struct ero_tree *t, u32 dir, struct ybd_error *err)
{
	struct ero_inode *in = &t->inode[dir];
	bool sorted = true;
	u32 *all, n = 0, last = 0, d;

	for (d = ero_tree_live(t, in->names[0]); d; d = ero_tree_live(t, t->dent[d].next), n++) {
		sorted = sorted && (!last || by_name(&last, &d, t) < 0);
		last = d;
	}
	if (sorted)
		return 0;
	all = calloc(n, sizeof(*all));
	if (!all)
		return ybd_error_sys(err, -ENOMEM, "erofs");
	n = 0;
	for (d = ero_tree_live(t, in->names[0]); d; d = ero_tree_live(t, t->dent[d].next))
		all[n++] = d;
	qsort_r(all, n, sizeof(*all), by_name, t);
	in->names[0] = all[0];
	in->names[1] = all[n - 1];
	for (u32 i = 0; i < n; i++)
		t->dent[all[i]].next = i + 1 < n ? all[i + 1] : 0;
	free(all);
	return 0;
}

/* ---- all of it ---- */

int ero_tree_init(struct ero_tree *t, struct ybd_error *err)
{
	u32 ino;
	int rc = 0;

	t->slots = 1024;
	t->slot = calloc(t->slots, sizeof(*t->slot));
	if (!t->slot)
		return ybd_error_sys(err, -ENOMEM, "erofs");
	/* numbers that no inode and no name has */
	for (u32 i = 0; !rc && i < IMGFS_ROOT; i++)
		rc = ero_tree_inode(t, &ino, err);
	if (!rc)
		rc = room_for_name(t, 1, err);
	t->nr_dents = 1;
	return rc;
}

void ero_tree_free(struct ero_tree *t)
{
	for (u32 i = 0; i < t->nr; i++)
		ero_inode_drop(t, &t->inode[i]);
	free(t->inode);
	free(t->dent);
	free(t->names);
	free(t->slot);
}
