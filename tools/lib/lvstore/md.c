// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metadata pages: read in large pieces, kept by number until the store is open.
 *
 * Of a clean store the used-page mask says what to read; otherwise everything is, as in SPDK's
 * recovery: a store that a target has loaded has its roots on the device at once, its masks only
 * when it is unloaded (section 7).
 */
#include <errno.h>
#include <stdlib.h>

#include "../crc32c.h"
#include "store.h"

/* unused pages that are read along rather than starting another read */
#define MD_GAP 16u

int md_init(struct lvs_store *s)
{
	struct md_cache *c = &s->md;

	c->size = 1024;
	c->slot = calloc(c->size, sizeof(*c->slot));
	c->data = calloc(c->size, sizeof(*c->data));
	c->scratch = lvs_io_alloc(sizeof(*c->scratch));
	c->batch = lvs_io_alloc(LVS_IO_CHUNK);
	return c->slot && c->data && c->scratch && c->batch ? 0 : -ENOMEM;
}

void md_free(struct lvs_store *s)
{
	struct md_cache *c = &s->md;

	for (size_t i = 0; c->data && i < c->size; i++)
		free(c->data[i]);
	free(c->slot);
	free(c->data);
	free(c->scratch);
	free(c->batch);
	memset(c, 0, sizeof(*c));
	free(s->used_pages);
	free(s->blobids);
	free(s->used_clusters);
	s->used_pages = NULL;
	s->blobids = NULL;
	s->used_clusters = NULL;
	free(s->roots);
	s->roots = NULL;
	s->nr_roots = 0;
	s->cap_roots = 0;
}

/* The slot of @page, or the empty one where it belongs. */
static size_t md_slot(const struct md_cache *c, u32 page)
{
	size_t i = page * 0x9e3779b97f4a7c15ULL >> 32 & (c->size - 1);

	while (c->slot[i] && c->slot[i] != (u64)page + 1)
		i = (i + 1) & (c->size - 1);
	return i;
}

static int md_rehash(struct md_cache *c)
{
	struct md_cache n = *c;

	n.size = c->size * 2;
	n.slot = calloc(n.size, sizeof(*n.slot));
	n.data = calloc(n.size, sizeof(*n.data));
	if (!n.slot || !n.data) {
		free(n.slot);
		free(n.data);
		return -ENOMEM;
	}
	for (size_t i = 0; i < c->size; i++) {
		size_t j;

		if (!c->slot[i])
			continue;
		j = md_slot(&n, (u32)(c->slot[i] - 1));
		n.slot[j] = c->slot[i];
		n.data[j] = c->data[i];
	}
	free(c->slot);
	free(c->data);
	*c = n;
	return 0;
}

static int md_keep(struct lvs_store *s, u32 page, const struct lvs_disk_page *p)
{
	struct md_cache *c = &s->md;
	size_t i = md_slot(c, page);

	if (!c->slot[i]) {
		if (c->used >= MD_CACHE_MAX)
			return 0;
		if (c->used * 2 >= c->size) {
			if (md_rehash(c))
				return -ENOMEM;
			i = md_slot(c, page);
		}
		c->data[i] = malloc(sizeof(*p));
		if (!c->data[i])
			return -ENOMEM;
		c->slot[i] = (u64)page + 1;
		c->used++;
	}
	memcpy(c->data[i], p, sizeof(*p));
	return 0;
}

static bool md_wanted(const u8 *bits, u32 page)
{
	return !bits || md_bit(bits, page);
}

/* First wanted page from @page on, or md_len; holes of a file hold none. */
static u32 md_next(struct lvs_store *s, const u8 *bits, u32 from)
{
	u64 page = from;

	while (bits && page < s->md_len && !md_bit(bits, page))
		page += page % 8 || bits[page / 8] ? 1 : 8;
	if (!bits && page < s->md_len) {
		u64 data = lvs_io_next_data(s->io, md_byte(s, from));

		page += (data - md_byte(s, from)) / s->md_page_size;
	}
	return page < s->md_len ? (u32)page : s->md_len;
}

/* One read that starts at @page: the end of the run of wanted pages, small gaps included. */
static u32 md_run_end(const struct lvs_store *s, const u8 *bits, u32 page)
{
	u32 max = LVS_IO_CHUNK / s->md_page_size;
	u32 end = page + 1, stop;

	stop = max < s->md_len - page ? page + max : s->md_len;
	for (u32 p = page + 1; p < stop && p - end <= MD_GAP; p++)
		if (md_wanted(bits, p))
			end = p + 1;
	return end;
}

int md_for_each(struct lvs_store *s, const u8 *bits, md_page_fn fn, void *arg)
{
	u32 page = md_next(s, bits, 0);

	while (page < s->md_len) {
		u32 end = md_run_end(s, bits, page);
		int bad = lvs_io_read(s->io, md_byte(s, page), s->md.batch,
				      (size_t)(end - page) * s->md_page_size);

		for (u32 p = page; p < end; p++) {
			u8 *b = s->md.batch + (size_t)(p - page) * s->md_page_size;
			int rc = 0;

			if (!md_wanted(bits, p))
				continue;
			if (bad)	/* find out which page it is */
				rc = lvs_io_read(s->io, md_byte(s, p), b, LVS_DISK_PAGE);
			rc = fn(s, p, rc ? NULL : (const struct lvs_disk_page *)b, arg);
			if (rc)
				return rc;
		}
		page = md_next(s, bits, end);
	}
	return 0;
}

static int md_note_page(struct lvs_store *s, u32 page, const struct lvs_disk_page *p, void *arg)
{
	u64 id;
	int rc;

	if (!p) {	/* of a clean store, the roots are known: blob.c meets the error again */
		if (!s->clean && !s->bad_pages++)
			s->first_bad = page;
		return 0;
	}
	id = le64_to_cpu(p->id);
	if (id >> 32 != 1)	/* no page in use names anything but a blob */
		return 0;
	if (!s->clean && id == LVS_BLOB_ID(page) && !le32_to_cpu(p->seq)) {
		rc = lvs_grow(&s->roots, &s->cap_roots, s->nr_roots, sizeof(*s->roots));
		if (rc)
			return rc;
		s->roots[s->nr_roots++] = page;
	}
	return md_keep(s, page, p);
}

static int md_roots_by_mask(struct lvs_store *s)
{
	for (u32 p = 0; p < s->md_len; p++) {
		int rc;

		if (!md_bit(s->blobids, p))
			continue;
		rc = lvs_grow(&s->roots, &s->cap_roots, s->nr_roots, sizeof(*s->roots));
		if (rc)
			return rc;
		s->roots[s->nr_roots++] = p;
	}
	return 0;
}

int md_load(struct lvs_store *s)
{
	if (s->clean) {
		int rc = md_roots_by_mask(s);

		if (rc)
			return rc;
	}
	return md_for_each(s, s->clean ? s->used_pages : NULL, md_note_page, NULL);
}

static int md_fetch(struct lvs_store *s, u32 page, const struct lvs_disk_page **out)
{
	struct md_cache *c = &s->md;
	size_t i = md_slot(c, page);
	int rc;

	if (!c->slot[i] || s->fresh) {
		rc = lvs_io_read(s->io, md_byte(s, page), c->scratch, sizeof(*c->scratch));
		if (rc)
			return rc;
		*out = c->scratch;
		return c->slot[i] ? md_keep(s, page, c->scratch) : 0;
	}
	*out = c->data[i];
	return 0;
}

int md_read(struct lvs_store *s, u32 page, const struct lvs_disk_page **out, struct lvs_error *err)
{
	u32 crc;
	int rc;

	*out = NULL;
	if (page >= s->md_len)
		return lvs_err(err, -EUCLEAN, "md page %u is beyond the %u pages of the metadata",
			       page, s->md_len);
	rc = md_fetch(s, page, out);
	if (rc)
		return lvs_err_page(err, rc, s, page, "cannot be read: %s", strerror(-rc));
	crc = crc32c(*out, LVS_DISK_CRC_LEN);
	if (crc != le32_to_cpu((*out)->crc))
		return lvs_err_page(err, -EUCLEAN, s, page, "crc 0x%08x, expected 0x%08x",
				    le32_to_cpu((*out)->crc), crc);
	return 0;
}

/* One mask of at least @bits bits; -EUCLEAN when it is not what it should be. */
static int md_load_mask(struct lvs_store *s, __le32 start, __le32 pages, u8 type, u64 bits,
			u8 **out)
{
	u64 off = (u64)le32_to_cpu(start) * s->md_page_size;
	u64 room = (u64)le32_to_cpu(pages) * s->md_page_size;
	struct lvs_disk_mask head;
	size_t len = sizeof(head) + (bits + 7) / 8;
	u32 have;
	int rc;

	if (room < len || off < s->md_page_size || off >= s->md_start ||
	    room > s->md_start - off)
		return -EUCLEAN;
	*out = malloc(len);
	if (!*out)
		return -ENOMEM;
	rc = lvs_io_read(s->io, off, *out, len);
	if (rc)
		return rc;
	memcpy(&head, *out, sizeof(head));
	memmove(*out, *out + sizeof(head), len - sizeof(head));
	have = le32_to_cpu(head.length);
	if (head.type != type || have < bits || (have > bits && type != LVS_MASK_CLUSTERS))
		return -EUCLEAN;
	return 0;
}

int md_load_masks(struct lvs_store *s)
{
	const struct lvs_disk_super *sb = &s->raw;
	int rc;

	rc = md_load_mask(s, sb->used_page_mask_start, sb->used_page_mask_len, LVS_MASK_PAGES,
			  s->md_len, &s->used_pages);
	if (!rc)
		rc = md_load_mask(s, sb->used_cluster_mask_start, sb->used_cluster_mask_len,
				  LVS_MASK_CLUSTERS, s->total_clusters, &s->used_clusters);
	if (!rc)
		rc = md_load_mask(s, sb->used_blobid_mask_start, sb->used_blobid_mask_len,
				  LVS_MASK_BLOBIDS, s->md_len, &s->blobids);
	if (!rc || rc == -ENOMEM)
		return rc;
	s->clean = false;
	s->bad_masks = true;
	return 0;
}
