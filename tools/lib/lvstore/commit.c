// SPDX-License-Identifier: GPL-2.0-only
/*
 * From memory to the device (section 9). What is in use is never written in place, but for one
 * sector of a root or of the super block, so a write that is cut off, even inside a page, leaves
 * the old or the new state:
 *
 *   data, new extent pages, new chain pages -> sync -> roots -> sync -> old pages are zeroed
 *
 * A root that SPDK wrote is replaced as a whole, the first time: SPDK does so every time.
 */
#include <errno.h>
#include <stdlib.h>

#include "../crc32c.h"
#include "writer.h"

#define SECTOR 512u

int commit_alive(const struct lvs_writer *w, struct lvs_error *err)
{
	if (!w->dead)
		return 0;
	return lvs_err(err, -EIO, "the store was left in the middle of a change: %s",
		       strerror(-w->dead));
}

int commit_die(struct lvs_writer *w, int rc, struct lvs_error *err, const char *what)
{
	w->dead = rc;
	return lvs_err(err, rc, "%s: %s", what, strerror(-rc));
}

static int sync_or_die(struct lvs_writer *w, struct lvs_error *err)
{
	int rc = wio_sync(w->io);

	return rc ? commit_die(w, rc, err, "flushing") : 0;
}

static int write_page(struct lvs_writer *w, u32 page, const struct lvs_disk_page *p,
		      struct lvs_error *err)
{
	int rc = wio_write(w->io, md_page_byte(w, page), p, sizeof(*p));

	return rc ? commit_die(w, rc, err, "writing metadata") : 0;
}

static const struct lvs_disk_page no_page;

static int zero_page(struct lvs_writer *w, u32 page, struct lvs_error *err)
{
	return write_page(w, page, &no_page, err);
}

static int read_page(struct lvs_writer *w, u32 page, struct lvs_disk_page *p,
		     struct lvs_error *err)
{
	int rc = wio_read(w->io, md_page_byte(w, page), p, sizeof(*p));

	return rc ? commit_die(w, rc, err, "reading metadata") : 0;
}

/*
 * A root is one while its first sector says so. That goes alone: what is left is no blob, and not
 * a damaged one.
 */
static int unroot_page(struct lvs_writer *w, u32 page, struct lvs_error *err)
{
	struct lvs_disk_page p;
	int rc = read_page(w, page, &p, err);

	if (rc)
		return rc;
	memset(&p, 0, SECTOR);
	return write_page(w, page, &p, err);
}

/* ---- the super block ---- */

/*
 * Everything that changes lies in the first sector, the crc in the last. So the crc stays as it is,
 * and four reserved bytes at the end of the first sector make it right. When a field has its old
 * value again, so have they.
 */
int commit_super(struct lvs_writer *w, const struct lvs_disk_super *want, struct lvs_error *err)
{
	struct lvs_disk_super sb = *want;
	int rc;

	crc32c_force(&sb, SECTOR, crc32c(&w->super, SECTOR));
	rc = wio_write(w->io, 0, &sb, sizeof(sb));
	if (rc)
		return commit_die(w, rc, err, "writing the super block");
	w->super = sb;
	return 0;
}

/* ---- the first change ---- */

static int drop_dead_blobs(struct lvs_writer *w, struct lvs_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < w->nr_dead_roots && !rc; i++)
		rc = unroot_page(w, w->dead_roots[i], err);
	if (!rc && w->nr_dead_roots)
		rc = sync_or_die(w, err);
	for (size_t i = 0; i < w->nr_dead_roots && !rc; i++)
		rc = zero_page(w, w->dead_roots[i], err);
	for (size_t i = 0; i < w->nr_dead_pages && !rc; i++)
		rc = zero_page(w, w->dead_pages[i], err);
	w->nr_dead_roots = 0;
	w->nr_dead_pages = 0;
	return rc;
}

static int zero_clusters(struct lvs_writer *w, u64 first, u64 nr, struct lvs_error *err)
{
	int rc = wio_zero(w->io, first * w->cluster_size, nr * w->cluster_size);

	return rc ? commit_die(w, rc, err, "zeroing free clusters") : 0;
}

static int zero_suspects(struct lvs_writer *w, struct lvs_error *err)
{
	u64 c = w->md_clusters;
	int rc = 0;

	while (w->suspect && c < w->total_clusters && !rc) {
		u64 end = c;

		while (end < w->total_clusters && md_bit(w->suspect, end))
			end++;
		if (end > c)
			rc = zero_clusters(w, c, end - c, err);
		c = end + 1;
	}
	free(w->suspect);
	w->suspect = NULL;
	return rc;
}

/* Pages that were written, and then named by no root. */
static int zero_orphans(struct lvs_writer *w, struct lvs_error *err)
{
	struct lvs_disk_page p;
	int rc = 0;

	for (u32 i = 0; w->suspect_pages && i < w->md_len && !rc; i++) {
		if (space_is_used(&w->pages, i) ||
		    wio_is_hole(w->io, md_page_byte(w, i), sizeof(p)))
			continue;
		rc = read_page(w, i, &p, err);
		if (!rc && memcmp(&p, &no_page, sizeof(p)))
			rc = zero_page(w, i, err);
	}
	w->suspect_pages = false;
	return rc;
}

int commit_begin(struct lvs_writer *w, struct lvs_error *err)
{
	struct lvs_disk_super sb = w->super;
	int rc = commit_alive(w, err);

	if (rc || w->begun)
		return rc;
	sb.clean = 0;
	if (w->super.clean) {
		rc = commit_super(w, &sb, err);
		if (!rc)
			rc = sync_or_die(w, err);
	}
	if (rc)
		return rc;
	w->begun = true;
	rc = drop_dead_blobs(w, err);
	if (!rc)
		rc = zero_suspects(w, err);
	if (!rc)
		rc = zero_orphans(w, err);
	return rc ? rc : finish_deletions(w, err);
}

/* ---- one blob ---- */

static int write_slot(struct lvw_vol *v, u64 i, struct lvs_error *err)
{
	struct wslot *slot = &v->slots[i];
	struct lvs_disk_page p;
	u32 old = slot->page;
	int rc = 0;

	slot->page = 0;
	slot->dirty = false;
	if (slot->used) {
		slot->page = space_alloc(&v->w->pages);
		vol_encode_slot(v, i, &p);
		p.crc = cpu_to_le32(crc32c(&p, LVS_DISK_CRC_LEN));
		rc = write_page(v->w, slot->page, &p, err);
	} else {
		free(slot->map);
		slot->map = NULL;
	}
	if (!rc && old && space_give_back(&v->w->pages, old))
		rc = commit_die(v->w, -ENOMEM, err, "metadata");
	return rc;
}

static int write_chain(struct lvw_vol *v, struct lvs_error *err)
{
	u32 nr = vol_chain_len(v);
	struct lvs_disk_page *buf = calloc(nr, sizeof(*buf));
	u32 *page = calloc(nr, sizeof(*page));
	int rc = 0;

	if (!buf || !page)
		rc = commit_die(v->w, -ENOMEM, err, "metadata");
	for (u32 i = 0; i < nr && !rc; i++)
		page[i] = space_alloc(&v->w->pages);
	if (!rc)
		vol_encode_chain(v, buf, page);
	for (u32 i = 0; i < nr && !rc; i++) {
		buf[i].crc = cpu_to_le32(crc32c(&buf[i], LVS_DISK_CRC_LEN));
		rc = write_page(v->w, page[i], &buf[i], err);
	}
	for (size_t i = 0; i < v->nr_chain && !rc; i++)
		if (space_give_back(&v->w->pages, v->chain[i]))
			rc = commit_die(v->w, -ENOMEM, err, "metadata");
	free(buf);
	if (rc) {
		free(page);
		return rc;
	}
	free(v->chain);
	v->chain = page;
	v->nr_chain = nr;
	return 0;
}

/*
 * Behind the flags descriptor, padding of four bytes (it is skipped) may keep the crc right; then
 * nothing more.
 */
#define FLAGS_DESC_LEN	(sizeof(struct lvs_disk_desc) + sizeof(struct lvs_disk_flags))
#define PAD_DESC_LEN	(sizeof(struct lvs_disk_desc) + 4)
#define PAD_END		(offsetof(struct lvs_disk_page, desc) + FLAGS_DESC_LEN + PAD_DESC_LEN)

static void put_flags(struct lvs_disk_page *p, const struct lvs_disk_flags *f)
{
	p->desc[0] = LVS_DESC_FLAGS;
	put_le32(p->desc + 1, sizeof(*f));
	memcpy(p->desc + sizeof(struct lvs_disk_desc), f, sizeof(*f));
}

/* Can its flags, and its chain, be changed in one sector? */
static bool root_is_ours(const struct lvs_disk_page *p)
{
	size_t at = FLAGS_DESC_LEN;

	if (p->desc[0] != LVS_DESC_FLAGS || get_le32(p->desc + 1) != sizeof(struct lvs_disk_flags))
		return false;
	if (!p->desc[at] && get_le32(p->desc + at + 1) == 4)
		at += PAD_DESC_LEN;
	while (at < LVS_DISK_DESC_LEN)
		if (p->desc[at++])
			return false;
	return true;
}

static int flip_flags(struct lvw_vol *v, const struct lvs_disk_flags *f, struct lvs_error *err)
{
	struct lvs_disk_page p;
	int rc = read_page(v->w, v->root, &p, err);
	u32 crc;

	if (rc)
		return rc;
	crc = crc32c(&p, PAD_END);
	put_flags(&p, f);
	p.desc[FLAGS_DESC_LEN] = LVS_DESC_PADDING;
	put_le32(p.desc + FLAGS_DESC_LEN + 1, 4);
	crc32c_force(&p, PAD_END, crc);
	v->on_disk = *f;
	return write_page(v->w, v->root, &p, err);
}

static int flip_chain(struct lvw_vol *v, struct lvs_error *err)
{
	struct lvs_disk_page p;
	int rc = read_page(v->w, v->root, &p, err);

	if (rc)
		return rc;
	p.next = cpu_to_le32(v->chain[0]);
	p.crc = cpu_to_le32(crc32c(&p, LVS_DISK_CRC_LEN));
	return write_page(v->w, v->root, &p, err);
}

static void encode_root(struct lvw_vol *v, struct lvs_disk_page *p)
{
	memset(p, 0, sizeof(*p));
	p->id = cpu_to_le64(LVS_BLOB_ID(v->root));
	p->next = cpu_to_le32(v->chain[0]);
	put_flags(p, &v->flags);
	p->crc = cpu_to_le32(crc32c(p, LVS_DISK_CRC_LEN));
}

static int write_root(struct lvw_vol *v, struct lvs_error *err)
{
	struct lvs_disk_page p;

	encode_root(v, &p);
	v->on_disk = v->flags;
	v->fresh = false;
	return write_page(v->w, v->root, &p, err);
}

/* Of a new root all but the first sector, which will make it one. */
static int prepare_root(struct lvw_vol *v, struct lvs_error *err)
{
	struct lvs_disk_page p;

	encode_root(v, &p);
	memset(&p, 0, SECTOR);
	return write_page(v->w, v->root, &p, err);
}

static int write_body(struct lvw_vol *v, struct lvs_error *err)
{
	int rc = 0;

	for (u64 i = 0; i < v->nr_slots && !rc; i++)
		if (v->slots[i].dirty)
			rc = write_slot(v, i, err);
	if (!rc && v->chain_dirty)
		rc = write_chain(v, err);
	return rc || !v->fresh ? rc : prepare_root(v, err);
}

/* ---- all that is dirty ---- */

/* Must the root be written as a whole? An external snapshot's flag must change with its xattr. */
static int choose_whole(struct lvw_vol *v, struct lvs_error *err)
{
	u64 changed = le64_to_cpu(v->flags.invalid) ^ le64_to_cpu(v->on_disk.invalid);
	struct lvs_disk_page p;
	int rc = 0;

	v->whole = v->fresh || changed & LVS_INVALID_ESNAP;
	if (!v->whole) {
		rc = read_page(v->w, v->root, &p, err);
		if (!rc)
			v->whole = !root_is_ours(&p);
	}
	if (!rc && v->whole && vol_dirty_chain(v))
		rc = lvs_err(err, -ENOMEM, "%s", strerror(ENOMEM));
	return rc;
}

static int check_room(struct lvs_writer *w, struct lvs_error *err)
{
	u64 need = 0;

	for (size_t i = 0; i < w->nr_dirty; i++) {
		const struct lvw_vol *v = w->dirty[i];

		need += v->chain_dirty ? vol_chain_len(v) : 0;
		for (u64 k = 0; k < v->nr_slots; k++)
			need += v->slots[k].dirty && v->slots[k].used;
	}
	if (need <= w->pages.free)
		return 0;
	return lvs_err(err, -ENOSPC, "%llu metadata pages are needed, %llu of %u are free",
		       (unsigned long long)need, (unsigned long long)w->pages.free, w->md_len);
}

static bool same_flags(const struct lvs_disk_flags *a, const struct lvs_disk_flags *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/*
 * Flags go ahead of the map that needs them, or follow the one that did: a blob may be thin without
 * holes, and have room for internal xattrs without any. @also: what it still has, too.
 */
static int flip_all_flags(struct lvs_writer *w, bool also, struct lvs_error *err)
{
	bool any = false;
	int rc = 0;

	for (size_t i = 0; i < w->nr_dirty && !rc; i++) {
		struct lvw_vol *v = w->dirty[i];
		struct lvs_disk_flags f = v->flags;

		if (also) {
			f.invalid |= v->on_disk.invalid;
			f.data_ro |= v->on_disk.data_ro;
			f.md_ro |= v->on_disk.md_ro;
		}
		if (v->whole || same_flags(&f, &v->on_disk))
			continue;
		rc = flip_flags(v, &f, err);
		any = true;
	}
	return rc || !any ? rc : sync_or_die(w, err);
}

static int write_roots(struct lvs_writer *w, struct lvs_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < w->nr_dirty && !rc; i++) {
		struct lvw_vol *v = w->dirty[i];

		if (v->whole)
			rc = write_root(v, err);
		else if (v->chain_dirty)
			rc = flip_chain(v, err);
	}
	return rc ? rc : sync_or_die(w, err);
}

static int write_dirty(struct lvs_writer *w, struct lvs_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < w->nr_dirty && !rc; i++)
		rc = write_body(w->dirty[i], err);
	if (!rc)
		rc = sync_or_die(w, err);
	if (!rc)
		rc = flip_all_flags(w, true, err);
	if (!rc)
		rc = write_roots(w, err);
	return rc ? rc : flip_all_flags(w, false, err);
}

int commit(struct lvs_writer *w, struct lvs_error *err)
{
	int rc = commit_begin(w, err);

	if (!rc)
		rc = cache_flush(w, err);
	for (size_t i = 0; i < w->nr_dirty && !rc; i++)
		rc = choose_whole(w->dirty[i], err);
	if (!rc)
		rc = check_room(w, err);
	if (!rc)
		rc = w->nr_dirty ? write_dirty(w, err) : sync_or_die(w, err);
	if (rc)
		return rc;
	while (w->nr_dirty)
		vol_undirty(w->dirty[w->nr_dirty - 1]);
	return commit_settle(w, err);
}

int commit_unroot(struct lvw_vol *v, struct lvs_error *err)
{
	int rc = unroot_page(v->w, v->root, err);

	return rc ? rc : sync_or_die(v->w, err);
}

static int u32_cmp(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return (x > y) - (x < y);
}

int commit_settle(struct lvs_writer *w, struct lvs_error *err)
{
	struct space *c = &w->clusters;
	int rc = 0;

	for (size_t i = 0; i < w->pages.nr_freed && !rc; i++)
		rc = zero_page(w, w->pages.freed[i], err);
	if (c->nr_freed)
		qsort(c->freed, c->nr_freed, sizeof(*c->freed), u32_cmp);
	for (size_t i = 0, n; i < c->nr_freed && !rc; i += n) {
		for (n = 1; i + n < c->nr_freed && c->freed[i + n] == c->freed[i] + n; n++)
			;
		rc = zero_clusters(w, c->freed[i], n, err);
	}
	if (rc)
		return rc;
	space_settle(&w->pages);
	space_settle(c);
	return 0;
}
