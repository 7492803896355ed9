// SPDX-License-Identifier: GPL-2.0-only
/*
 * An lvol in memory: flags, names, xattrs; and as descriptors in metadata pages (section 4).
 *
 * The root holds the flags alone, all else is in the chain: so a change is a new chain, and one
 * sector of the root that names it (section 9).
 */
#include <errno.h>
#include <stdlib.h>

#include "writer.h"

/* ---- flags ---- */

void vol_flag_set(struct lvw_vol *v, u64 flag)
{
	v->flags.invalid = cpu_to_le64(le64_to_cpu(v->flags.invalid) | flag);
}

void vol_flag_clear(struct lvw_vol *v, u64 flag)
{
	v->flags.invalid = cpu_to_le64(le64_to_cpu(v->flags.invalid) & ~flag);
}

void vol_set_ro(struct lvw_vol *v)
{
	v->flags.data_ro = cpu_to_le64(le64_to_cpu(v->flags.data_ro) | LVS_DATA_RO_READ_ONLY);
}

bool vol_is_gone(const struct lvw_vol *v)
{
	return !v->allocated && v->nr_clones <= 1 && vol_xattr(v, WXATTR_GONE, true);
}

/* ---- the lists ---- */

struct lvw_vol *vol_make(struct lvs_writer *w, u32 root)
{
	struct lvw_vol *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->w = w;
	v->fresh = true;
	v->root = root;
	vol_flag_set(v, LVS_INVALID_TABLE);
	return v;
}

int vol_new(struct lvs_writer *w, struct lvw_vol **out)
{
	u32 root = space_alloc(&w->pages);

	if (!root)
		return -ENOSPC;
	*out = vol_make(w, root);
	if (*out)
		return 0;
	space_drop(&w->pages, root);
	return -ENOMEM;
}

void vol_discard(struct lvw_vol *v)
{
	if (!v)
		return;
	space_drop(&v->w->pages, v->root);
	vol_free(v);
}

int vol_insert(struct lvw_vol *v)
{
	struct lvs_writer *w = v->w;
	size_t i = w->nr_vols;
	int rc = lvs_grow(&w->vols, &w->cap_vols, w->nr_vols, sizeof(struct lvw_vol *));

	if (rc)
		return rc;
	for (; i && w->vols[i - 1]->root > v->root; i--)
		w->vols[i] = w->vols[i - 1];
	w->vols[i] = v;
	w->nr_vols++;
	if (v->parent)
		v->parent->nr_clones++;
	return 0;
}

void vol_remove(struct lvw_vol *v)
{
	struct lvs_writer *w = v->w;
	size_t i = 0;

	while (i < w->nr_vols && w->vols[i] != v)
		i++;
	if (i == w->nr_vols)
		return;
	memmove(&w->vols[i], &w->vols[i + 1], (w->nr_vols - i - 1) * sizeof(struct lvw_vol *));
	w->nr_vols--;
	if (v->parent)
		v->parent->nr_clones--;
}

void vol_free(struct lvw_vol *v)
{
	if (!v)
		return;
	vol_undirty(v);
	for (size_t i = 0; i < v->nr_xattrs; i++)
		free((void *)v->xattrs[i].pub.name);
	free(v->xattrs);
	map_free(v->slots, v->nr_slots);
	free(v->chain);
	free(v);
}

int vol_dirty(struct lvw_vol *v)
{
	struct lvs_writer *w = v->w;
	int rc;

	if (v->dirty)
		return 0;
	rc = lvs_grow(&w->dirty, &w->cap_dirty, w->nr_dirty, sizeof(struct lvw_vol *));
	if (rc)
		return rc;
	w->dirty[w->nr_dirty++] = v;
	v->dirty = true;
	return 0;
}

/* Slots may be dirty before: a map of style B gets extent pages when it is written. */
static u32 dirty_slots(const struct lvw_vol *v)
{
	u32 n = 0;

	for (u64 i = 0; i < v->nr_slots; i++)
		n += v->slots[i].dirty;
	return n;
}

u32 vol_dirty_need(const struct lvw_vol *v)
{
	return vol_chain_len(v) + dirty_slots(v);
}

int vol_dirty_chain(struct lvw_vol *v)
{
	int rc;

	if (v->chain_dirty)
		return 0;
	rc = vol_dirty(v);
	if (rc)
		return rc;
	v->chain_dirty = true;
	vol_recount(v);
	v->need_slots = dirty_slots(v);
	v->w->need += v->need_slots;
	return 0;
}

void vol_recount(struct lvw_vol *v)
{
	if (!v->chain_dirty)
		return;
	v->w->need -= v->need_chain;
	v->need_chain = vol_chain_len(v);
	v->w->need += v->need_chain;
}

void vol_undirty(struct lvw_vol *v)
{
	struct lvs_writer *w = v->w;
	size_t i = 0;

	if (!v->dirty)
		return;
	while (w->dirty[i] != v)
		i++;
	memmove(&w->dirty[i], &w->dirty[i + 1],
		(w->nr_dirty - i - 1) * sizeof(struct lvw_vol *));
	w->nr_dirty--;
	w->need -= v->need_chain + v->need_slots;
	v->need_chain = 0;
	v->need_slots = 0;
	v->new_slots = 0;
	v->dirty = false;
	v->chain_dirty = false;
}

/* ---- xattrs ---- */

struct blob_xattr *vol_xattr(const struct lvw_vol *v, const char *name, bool internal)
{
	for (size_t i = 0; i < v->nr_xattrs; i++)
		if (v->xattrs[i].internal == internal && !strcmp(v->xattrs[i].pub.name, name))
			return &v->xattrs[i];
	return NULL;
}

int vol_xattr_put(struct lvw_vol *v, const char *name, const void *value, size_t len,
		  bool internal)
{
	struct blob_xattr *x = vol_xattr(v, name, internal);
	size_t n = strlen(name) + 1;
	char *b;

	if (!x && lvs_grow(&v->xattrs, &v->cap_xattrs, v->nr_xattrs, sizeof(*v->xattrs)))
		return -ENOMEM;
	b = malloc(n + len);
	if (!b)
		return -ENOMEM;
	memcpy(b, name, n);
	memcpy(b + n, value, len);
	if (x)
		free((void *)x->pub.name);
	else
		x = &v->xattrs[v->nr_xattrs++];
	*x = (struct blob_xattr){
		.pub = { .name = b, .value = b + n, .len = len },
		.internal = internal,
	};
	if (internal)
		vol_flag_set(v, LVS_INVALID_XATTR);
	vol_recount(v);
	return 0;
}

void vol_xattr_drop(struct lvw_vol *v, const char *name, bool internal)
{
	struct blob_xattr *x = vol_xattr(v, name, internal);
	size_t i = x ? (size_t)(x - v->xattrs) : 0;

	if (!x)
		return;
	free((void *)x->pub.name);
	memmove(x, x + 1, (v->nr_xattrs - i - 1) * sizeof(*x));
	v->nr_xattrs--;
	vol_recount(v);
}

int vol_xattr_put_id(struct lvw_vol *v, const char *name, u64 id)
{
	__le64 val = cpu_to_le64(id);

	return vol_xattr_put(v, name, &val, sizeof(val), true);
}

/* ---- descriptors ---- */

/**
 * struct cursor - a place in a chain of pages
 * @out: the pages; NULL when they are only counted
 * @pages: pages begun
 * @at: bytes of descriptors in the last of them
 */
struct cursor {
	struct lvs_disk_page *out;
	u32 pages;
	u32 at;
};

static u32 room(const struct cursor *c)
{
	return c->pages ? LVS_DISK_DESC_LEN - c->at : 0;
}

static u8 *here(const struct cursor *c)
{
	return c->out ? c->out[c->pages - 1].desc + c->at : NULL;
}

static void need_room(struct cursor *c, size_t len)
{
	if (room(c) >= len)
		return;
	c->pages++;
	c->at = 0;
}

static void put_head(u8 *p, u8 type, size_t len)
{
	p[0] = type;
	put_le32(p + 1, (u32)len);
}

static void put_xattr(struct cursor *c, const struct blob_xattr *x)
{
	struct lvs_disk_xattr h;
	size_t n = strlen(x->pub.name), len = sizeof(h) + n + x->pub.len;
	u8 *p;

	need_room(c, sizeof(struct lvs_disk_desc) + len);
	p = here(c);
	c->at += (u32)(sizeof(struct lvs_disk_desc) + len);
	if (!p)
		return;
	put_head(p, x->internal ? LVS_DESC_XATTR_INTERNAL : LVS_DESC_XATTR, len);
	p += sizeof(struct lvs_disk_desc);
	h.name_len = cpu_to_le16((u16)n);
	h.value_len = cpu_to_le16((u16)x->pub.len);
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), x->pub.name, n);
	memcpy(p + sizeof(h) + n, x->pub.value, x->pub.len);
}

/* The next pair of an extent table: a slot with a page, or all up to the next such slot. */
static u64 table_pair(const struct lvw_vol *v, u64 i, u32 *page, u32 *count)
{
	u64 end = i + 1;

	*page = v->slots[i].used ? v->slots[i].page : 0;
	while (!v->slots[i].used && end < v->nr_slots && !v->slots[end].used)
		end++;
	*count = (u32)(end - i);
	return end;
}

/* One descriptor with as many pairs as the page takes; the next slot. */
static u64 put_table_piece(struct cursor *c, const struct lvw_vol *v, u64 i)
{
	size_t len = sizeof(__le64);
	u8 *p;

	need_room(c, sizeof(struct lvs_disk_desc) + len + 8);
	p = here(c);
	while (i < v->nr_slots && room(c) >= sizeof(struct lvs_disk_desc) + len + 8) {
		u32 page, count;

		i = table_pair(v, i, &page, &count);
		if (p) {
			put_le32(p + sizeof(struct lvs_disk_desc) + len, page);
			put_le32(p + sizeof(struct lvs_disk_desc) + len + 4, count);
		}
		len += 8;
	}
	if (p) {
		put_head(p, LVS_DESC_EXTENT_TABLE, len);
		put_le64(p + sizeof(struct lvs_disk_desc), v->clusters);
	}
	c->at += (u32)(sizeof(struct lvs_disk_desc) + len);
	return i;
}

static void put_all(struct cursor *c, const struct lvw_vol *v)
{
	u64 slot = 0;

	for (int internal = 0; internal < 2; internal++)
		for (size_t i = 0; i < v->nr_xattrs; i++)
			if (v->xattrs[i].internal == internal)
				put_xattr(c, &v->xattrs[i]);
	do {
		slot = put_table_piece(c, v, slot);
	} while (slot < v->nr_slots);
}

u32 vol_chain_len(const struct lvw_vol *v)
{
	struct cursor c = { 0 };

	put_all(&c, v);
	return c.pages;
}

void vol_encode_chain(const struct lvw_vol *v, struct lvs_disk_page *out, const u32 *page)
{
	struct cursor c = { .out = out };
	u32 nr = vol_chain_len(v);

	memset(out, 0, nr * sizeof(*out));
	put_all(&c, v);
	for (u32 i = 0; i < nr; i++) {
		out[i].id = cpu_to_le64(LVS_BLOB_ID(v->root));
		out[i].seq = cpu_to_le32(i + 1);
		out[i].next = cpu_to_le32(i + 1 < nr ? page[i + 1] : LVS_NO_NEXT);
	}
}

void vol_encode_slot(const struct lvw_vol *v, u64 slot, struct lvs_disk_page *out)
{
	u32 n = map_slot_len(v->clusters, slot);
	u8 *p = out->desc;

	memset(out, 0, sizeof(*out));
	out->id = cpu_to_le64(LVS_BLOB_ID(v->root));
	out->next = cpu_to_le32(LVS_NO_NEXT);
	put_head(p, LVS_DESC_EXTENT_PAGE, sizeof(__le32) * (n + 1));
	p += sizeof(struct lvs_disk_desc);
	put_le32(p, (u32)(slot * LVS_EXTENTS_PER_PAGE));
	for (u32 i = 0; i < n; i++)
		put_le32(p + 4 * (i + 1), v->slots[slot].map[i]);
}
