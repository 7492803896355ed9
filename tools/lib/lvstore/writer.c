// SPDX-License-Identifier: GPL-2.0-only
/* Opening a store for writing, closing it; what an open one says of itself. */
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "writer.h"

/* ---- reading through the writer's device ---- */

static int over_read(struct lvs_io *io, u64 off, void *buf, size_t len)
{
	return wio_read(io->priv, off, buf, len);
}

static u64 over_next_data(struct lvs_io *io, u64 off)
{
	return wio_next_data(io->priv, off);
}

static const struct lvs_io_ops over_ops = {
	.read = over_read,
	.next_data = over_next_data,
};

int lvs_io_over_wio(struct wio *io, struct lvs_io **out)
{
	return lvs_io_open_ops(&over_ops, io->size, io, out);
}

/* ---- what is not written ---- */

static int check_version(const struct lvs_store *s, struct lvs_error *err)
{
	if (s->version != LVS_VERSION_MAX || !le64_to_cpu(s->raw.size))
		return lvs_err(err, -EOPNOTSUPP,
			       "made by an older SPDK (version %u): it can only be read",
			       s->version);
	if (s->md_page_size != LVS_DISK_PAGE)
		return lvs_err(err, -EOPNOTSUPP,
			       "metadata pages of %u bytes: it can only be read", s->md_page_size);
	return 0;
}

u64 mask_pages(u64 bits)
{
	return (sizeof(struct lvs_disk_mask) + (bits + 7) / 8 + LVS_DISK_PAGE - 1) / LVS_DISK_PAGE;
}

/**
 * struct region - pages of a mask, for checking
 * @start: first page
 * @len: pages
 * @bits: what it has to hold
 */
struct region {
	u64 start;
	u64 len;
	u64 bits;
};

/* The masks will be written: each has its room, before the metadata, and its alone. */
static int check_masks(const struct lvs_store *s, struct lvs_error *err)
{
	const struct lvs_disk_super *sb = &s->raw;
	const struct region r[] = {
		{ le32_to_cpu(sb->used_page_mask_start), le32_to_cpu(sb->used_page_mask_len),
		  s->md_len },
		{ le32_to_cpu(sb->used_cluster_mask_start), le32_to_cpu(sb->used_cluster_mask_len),
		  s->total_clusters },
		{ le32_to_cpu(sb->used_blobid_mask_start), le32_to_cpu(sb->used_blobid_mask_len),
		  s->md_len },
	};

	for (int i = 0; i < 3; i++) {
		if (!r[i].start || r[i].len < mask_pages(r[i].bits) ||
		    r[i].start + r[i].len > le32_to_cpu(sb->md_start))
			return lvs_err(err, -EUCLEAN,
				       "super block: mask %d at page %llu, %llu pages, does not fit",
				       i, (unsigned long long)r[i].start,
				       (unsigned long long)r[i].len);
		for (int k = 0; k < i; k++)
			if (r[i].start < r[k].start + r[k].len &&
			    r[k].start < r[i].start + r[i].len)
				return lvs_err(err, -EUCLEAN, "super block: masks %d and %d overlap",
					       k, i);
	}
	return 0;
}

static int check_clean(const struct lvs_store *s, unsigned int flags, struct lvs_error *err)
{
	if (s->clean || flags & LVW_FORCE)
		return 0;
	if (s->bad_masks)
		return lvs_err(err, -EUCLEAN,
			       "said to be clean, but a used mask is damaged (--force: make it anew)");
	return lvs_err(err, -EUCLEAN,
		       "not unloaded cleanly: SPDK may have it loaded (--force: it has not)");
}

/* ---- opening ---- */

int writer_init(struct lvs_writer *w)
{
	int rc = space_init(&w->pages, w->md_len);

	if (!rc)
		rc = space_init(&w->clusters, w->total_clusters);
	for (u64 c = 0; c < w->md_clusters && !rc; c++)
		space_take(&w->clusters, c);
	return rc ? rc : cache_init(w);
}

static int writer_fill(struct lvs_writer *w, struct lvs_store *s, struct lvs_error *err)
{
	int rc;

	w->super = s->raw;
	w->cluster_size = s->cluster_size;
	w->size = s->size;
	w->total_clusters = s->total_clusters;
	w->md_clusters = s->md_clusters;
	w->md_start = s->md_start;
	w->md_len = s->md_len;
	memcpy(w->name, s->name, sizeof(w->name));
	memcpy(w->uuid, s->uuid, sizeof(w->uuid));
	rc = writer_init(w);
	if (rc)
		return lvs_err(err, rc, "%s", strerror(-rc));
	return import_store(w, s, err);
}

static int open_store(struct lvs_writer *w, struct lvs_error *err)
{
	struct lvs_store *s;
	struct lvs_io *io;
	int rc = lvs_io_over_wio(w->io, &io);

	if (rc)
		return lvs_err(err, rc, "%s", strerror(-rc));
	rc = lvs_open_io(io, &s, err);
	if (rc)
		return rc;
	rc = check_version(s, err);
	if (!rc)
		rc = check_masks(s, err);
	if (!rc)
		rc = check_clean(s, w->flags, err);
	if (!rc)
		rc = writer_fill(w, s, err);
	lvs_close(s);
	return rc;
}

int lvw_open_io(struct wio *io, unsigned int flags, struct lvs_writer **out,
		struct lvs_error *err)
{
	struct lvs_writer *w = calloc(1, sizeof(*w));
	int rc;

	if (!w) {
		wio_close(io);
		return lvs_err(err, -ENOMEM, "%s", strerror(ENOMEM));
	}
	w->io = io;
	w->flags = flags;
	rc = open_store(w, err);
	if (rc) {
		writer_free(w);
		return rc;
	}
	*out = w;
	return 0;
}

int lvw_open(const char *path, unsigned int flags, struct lvs_writer **out, struct lvs_error *err)
{
	struct wio *io;
	int rc = wio_open(path, flags & LVW_APPEND ? WIO_SHARED : 0, &io);

	if (rc == -EINVAL)
		return lvs_err(err, rc, "neither a block device nor a regular file");
	if (rc == -EBUSY)
		return lvs_err(err, rc, "in use by another program");
	if (rc)
		return lvs_err(err, rc, "cannot be opened for writing: %s", strerror(-rc));
	return lvw_open_io(io, flags, out, err);
}

void writer_free(struct lvs_writer *w)
{
	if (!w)
		return;
	cache_free(w);
	wesnap_free(w);
	for (size_t i = 0; i < w->nr_vols; i++)
		vol_free(w->vols[i]);
	vol_free(w->own);
	free(w->vols);
	free(w->dirty);
	free(w->dead_roots);
	free(w->dead_pages);
	free(w->suspect);
	space_free(&w->pages);
	space_free(&w->clusters);
	wio_close(w->io);
	free(w);
}

/* ---- closing ---- */

/* One mask, with zeros to the end of its room. */
static int write_mask(struct lvs_writer *w, u32 start, u32 pages, u8 type, u64 bits, const u8 *b)
{
	struct lvs_disk_mask head = { .type = type, .length = cpu_to_le32((u32)bits) };
	size_t len = (size_t)pages * LVS_DISK_PAGE;
	u8 *buf = calloc(1, len);
	int rc;

	if (!buf)
		return -ENOMEM;
	memcpy(buf, &head, sizeof(head));
	memcpy(buf + sizeof(head), b, (bits + 7) / 8);
	rc = wio_write(w->io, (u64)start * LVS_DISK_PAGE, buf, len);
	free(buf);
	return rc;
}

static u8 *space_bytes(const struct space *s)
{
	u8 *b = calloc(1, s->nr / 8 + 1);

	for (u64 i = 0; b && i < s->nr; i++)
		b[i / 8] |= (u8)(space_is_used(s, i) << (i % 8));
	return b;
}

static u8 *root_bytes(const struct lvs_writer *w)
{
	u8 *b = calloc(1, w->md_len / 8 + 1);

	if (!b)
		return NULL;
	b[w->own->root / 8] |= 1 << (w->own->root % 8);
	for (size_t i = 0; i < w->nr_vols; i++)
		b[w->vols[i]->root / 8] |= 1 << (w->vols[i]->root % 8);
	return b;
}

int write_masks(struct lvs_writer *w)
{
	const struct lvs_disk_super *sb = &w->super;
	u8 *pages = space_bytes(&w->pages), *clusters = space_bytes(&w->clusters);
	u8 *roots = root_bytes(w);
	int rc = pages && clusters && roots ? 0 : -ENOMEM;

	if (!rc)
		rc = write_mask(w, le32_to_cpu(sb->used_page_mask_start),
				le32_to_cpu(sb->used_page_mask_len), LVS_MASK_PAGES, w->md_len,
				pages);
	if (!rc)
		rc = write_mask(w, le32_to_cpu(sb->used_cluster_mask_start),
				le32_to_cpu(sb->used_cluster_mask_len), LVS_MASK_CLUSTERS,
				w->total_clusters, clusters);
	if (!rc)
		rc = write_mask(w, le32_to_cpu(sb->used_blobid_mask_start),
				le32_to_cpu(sb->used_blobid_mask_len), LVS_MASK_BLOBIDS, w->md_len,
				roots);
	free(pages);
	free(clusters);
	free(roots);
	return rc ? rc : wio_sync(w->io);
}

static int mark_clean(struct lvs_writer *w, struct lvs_error *err)
{
	struct lvs_disk_super sb = w->super;
	int rc = write_masks(w);

	if (rc)
		return commit_die(w, rc, err, "writing the masks");
	sb.clean = cpu_to_le32(1);
	rc = commit_super(w, &sb, err);
	if (rc)
		return rc;
	rc = wio_sync(w->io);
	return rc ? commit_die(w, rc, err, "flushing") : 0;
}

int lvw_flush(struct lvs_writer *w, struct lvs_error *err)
{
	int rc = commit_alive(w, err);

	return rc || !w->begun ? rc : commit(w, err);
}

int lvw_close(struct lvs_writer *w, struct lvs_error *err)
{
	int rc = lvw_flush(w, err);

	if (!rc && w->begun)
		rc = mark_clean(w, err);
	writer_free(w);
	return rc;
}

void lvw_abort(struct lvs_writer *w)
{
	writer_free(w);
}

/* ---- what it says of itself ---- */

const char *lvw_uuid(const struct lvs_writer *w)
{
	return w->uuid;
}

const char *lvw_name(const struct lvs_writer *w)
{
	return w->name;
}

uint32_t lvw_cluster_size(const struct lvs_writer *w)
{
	return w->cluster_size;
}

uint64_t lvw_size(const struct lvs_writer *w)
{
	return w->size;
}

uint64_t lvw_data_clusters(const struct lvs_writer *w)
{
	return w->total_clusters - w->md_clusters;
}

uint64_t lvw_free_clusters(const struct lvs_writer *w)
{
	return w->clusters.free;
}

size_t lvw_vols(const struct lvs_writer *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->nr_vols; i++)
		n += !vol_is_gone(w->vols[i]);
	return n;
}

struct lvw_vol *lvw_vol_at(struct lvs_writer *w, size_t i)
{
	for (size_t k = 0; k < w->nr_vols; k++)
		if (!vol_is_gone(w->vols[k]) && !i--)
			return w->vols[k];
	return NULL;
}

struct lvw_vol *lvw_find(struct lvs_writer *w, const char *name_or_uuid)
{
	for (size_t i = 0; i < w->nr_vols; i++)
		if (!strcmp(w->vols[i]->name, name_or_uuid) && !vol_is_gone(w->vols[i]))
			return w->vols[i];
	for (size_t i = 0; i < w->nr_vols; i++)
		if (!strcasecmp(w->vols[i]->uuid, name_or_uuid) && !vol_is_gone(w->vols[i]))
			return w->vols[i];
	return NULL;
}

const char *lvw_vol_name(const struct lvw_vol *v)
{
	return v->name;
}

const char *lvw_vol_uuid(const struct lvw_vol *v)
{
	return v->uuid;
}

uint64_t lvw_vol_blob_id(const struct lvw_vol *v)
{
	return LVS_BLOB_ID(v->root);
}

uint64_t lvw_vol_size(const struct lvw_vol *v)
{
	return v->clusters * v->w->cluster_size;
}

uint64_t lvw_vol_allocated(const struct lvw_vol *v)
{
	return v->allocated;
}

bool lvw_vol_thin(const struct lvw_vol *v)
{
	return vol_flag(v, LVS_INVALID_THIN);
}

bool lvw_vol_read_only(const struct lvw_vol *v)
{
	return vol_is_ro(v);
}

struct lvw_vol *lvw_vol_parent(const struct lvw_vol *v)
{
	struct lvw_vol *p = v->parent;

	while (p && vol_is_gone(p))
		p = p->parent;
	return p;
}

size_t lvw_vol_clones(const struct lvw_vol *v)
{
	return v->nr_clones;
}
