// SPDX-License-Identifier: GPL-2.0-only
/* A new store, laid out as SPDK does it (section 3); and a larger one (section 9). */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "../crc32c.h"
#include "../names.h"
#include "writer.h"

#define DEFAULT_CLUSTER	(1u << 20)
/* Metadata pages by default: one per cluster, but this part of the store at least and at most. */
#define MD_PART_MIN	64u
#define MD_PART_MAX	8u
#define MD_PAGES_MIN	16u
#define MD_PAGES_SOME	4096u	/* enough: the least part does not count beyond */

/**
 * struct geometry - what a new store will be
 * @size: bytes
 * @cluster_size: bytes
 * @block_size: bytes
 * @total_clusters: of the whole device
 * @md_len: metadata pages
 * @cluster_mask: first page of the used-cluster mask
 * @blobid_mask: first page of the used-blobid mask
 * @md_start: first page of the metadata
 */
struct geometry {
	u64 size;
	u32 cluster_size;
	u32 block_size;
	u64 total_clusters;
	u64 md_len;
	u64 cluster_mask;
	u64 blobid_mask;
	u64 md_start;
};

static u64 default_md_len(const struct geometry *g)
{
	u64 least = g->size / MD_PART_MIN / LVS_DISK_PAGE, n = g->total_clusters;
	u64 most = g->size / MD_PART_MAX / LVS_DISK_PAGE;

	if (least > MD_PAGES_SOME)
		least = MD_PAGES_SOME;
	n = n < least ? least : n;
	n = n > most ? most : n;
	return n < MD_PAGES_MIN ? MD_PAGES_MIN : n;
}

static void place_regions(struct geometry *g)
{
	u64 room = mask_pages(g->total_clusters);

	if (room < mask_pages(g->md_len))
		room = mask_pages(g->md_len);
	g->cluster_mask = 1 + mask_pages(g->md_len);
	g->blobid_mask = g->cluster_mask + room;
	g->md_start = g->blobid_mask + mask_pages(g->md_len);
}

static int check_options(const struct lvw_create_opts *o, const struct geometry *g,
			 struct lvs_error *err)
{
	u8 uuid[16];

	if (!o->name || !*o->name || strlen(o->name) >= LVS_NAME_MAX)
		return lvs_err(err, -EINVAL, "a store's name has 1 to %u bytes", LVS_NAME_MAX - 1);
	if (o->uuid && ybd_uuid_parse(o->uuid, uuid))
		return lvs_err(err, -EINVAL, "\"%s\" is no uuid", o->uuid);
	if (g->cluster_size < LVS_CLUSTER_MIN || g->cluster_size & (g->cluster_size - 1))
		return lvs_err(err, -EINVAL, "cluster size %u is no power of two from %u on",
			       g->cluster_size, LVS_CLUSTER_MIN);
	if (g->block_size != 512 && g->block_size != 4096)
		return lvs_err(err, -EINVAL, "block size %u is neither 512 nor 4096",
			       g->block_size);
	return 0;
}

static int choose_geometry(const struct wio *io, const struct lvw_create_opts *o,
			   struct geometry *g, struct lvs_error *err)
{
	int rc;

	g->cluster_size = o->cluster_size ? o->cluster_size : DEFAULT_CLUSTER;
	g->block_size = o->block_size ? o->block_size : io->block_size;
	g->size = (o->size ? o->size : io->size) & ~(u64)(LVS_DISK_PAGE - 1);
	rc = check_options(o, g, err);
	if (rc)
		return rc;
	g->total_clusters = g->size / g->cluster_size;
	g->md_len = o->md_pages ? o->md_pages : default_md_len(g);
	place_regions(g);
	if (g->total_clusters >= UINT32_MAX || g->md_start + g->md_len >= UINT32_MAX)
		return lvs_err(err, -EINVAL, "%llu clusters are too many: take larger ones",
			       (unsigned long long)g->total_clusters);
	if ((g->md_start + g->md_len) * LVS_DISK_PAGE + g->cluster_size >
	    g->total_clusters * g->cluster_size)
		return lvs_err(err, -ENOSPC,
			       "%llu bytes have no room for %llu pages of metadata and a cluster of %u bytes",
			       (unsigned long long)g->size, (unsigned long long)g->md_len,
			       g->cluster_size);
	return 0;
}

static int prepare_device(struct wio *io, const struct geometry *g, bool force,
			  struct lvs_error *err)
{
	u8 head[LVS_DISK_PAGE] = { 0 };
	int rc = 0;

	if (io->size >= sizeof(head))
		rc = wio_read(io, 0, head, sizeof(head));
	if (!rc && !force && !memcmp(head, LVS_SIGNATURE, 8))
		return lvs_err(err, -EEXIST, "there is a blobstore on it (--force: take it)");
	if (!rc && g->size > io->size)
		rc = wio_extend(io, g->size);
	if (rc == -EOPNOTSUPP)
		return lvs_err(err, -ERANGE, "the device has only %llu bytes",
			       (unsigned long long)io->size);
	/* nothing is there from the first moment on; then all of it reads zero */
	if (!rc)
		rc = wio_zero(io, 0, LVS_DISK_PAGE);
	if (!rc)
		rc = wio_sync(io);
	if (!rc)
		rc = wio_zero(io, 0, g->size);
	return rc ? lvs_err(err, rc, "zeroing the device: %s", strerror(-rc)) : 0;
}

static void fill_super(struct lvs_disk_super *sb, const struct geometry *g)
{
	memcpy(sb->signature, LVS_SIGNATURE, sizeof(sb->signature));
	sb->version = cpu_to_le32(LVS_VERSION_MAX);
	sb->length = cpu_to_le32(LVS_DISK_PAGE);
	sb->clean = cpu_to_le32(1);
	sb->super_blob = cpu_to_le64(LVS_BLOB_ID(0));
	sb->cluster_size = cpu_to_le32(g->cluster_size);
	sb->used_page_mask_start = cpu_to_le32(1);
	sb->used_page_mask_len = cpu_to_le32((u32)mask_pages(g->md_len));
	sb->used_cluster_mask_start = cpu_to_le32((u32)g->cluster_mask);
	sb->used_cluster_mask_len = cpu_to_le32((u32)mask_pages(g->total_clusters));
	sb->md_start = cpu_to_le32((u32)g->md_start);
	sb->md_len = cpu_to_le32((u32)g->md_len);
	memcpy(sb->bstype, LVS_BSTYPE, sizeof(sb->bstype));
	sb->used_blobid_mask_start = cpu_to_le32((u32)g->blobid_mask);
	sb->used_blobid_mask_len = cpu_to_le32((u32)mask_pages(g->md_len));
	sb->size = cpu_to_le64(g->size);
	sb->io_unit_size = cpu_to_le32(g->block_size);
	sb->md_page_size = cpu_to_le32(LVS_DISK_PAGE);
	sb->crc = cpu_to_le32(crc32c(sb, LVS_DISK_CRC_LEN));
}

/* The lvstore's own blob: a uuid and a name. */
static int make_own(struct lvs_writer *w, const struct lvw_create_opts *o)
{
	char text[YBD_UUID_TEXT_LEN];
	u8 uuid[16];
	int rc = o->uuid ? ybd_uuid_parse(o->uuid, uuid) : ybd_uuid_random(uuid);

	if (rc)
		return rc;
	ybd_uuid_text(uuid, text);
	space_take(&w->pages, 0);
	w->own = vol_make(w, 0);
	if (!w->own || map_init(w->own, 0) ||
	    vol_xattr_put(w->own, "uuid", text, sizeof(text), false) ||
	    vol_xattr_put(w->own, "name", o->name, strlen(o->name) + 1, false))
		return -ENOMEM;
	return vol_dirty_chain(w->own);
}

static int make_store(struct lvs_writer *w, const struct geometry *g,
		      const struct lvw_create_opts *o, struct lvs_error *err)
{
	u64 md_end = (g->md_start + g->md_len) * LVS_DISK_PAGE;
	int rc;

	w->cluster_size = g->cluster_size;
	w->size = g->size;
	w->total_clusters = g->total_clusters;
	w->md_start = g->md_start * LVS_DISK_PAGE;
	w->md_len = (u32)g->md_len;
	w->md_clusters = (md_end + g->cluster_size - 1) / g->cluster_size;
	w->begun = true;
	fill_super(&w->super, g);
	rc = writer_init(w);
	if (!rc)
		rc = make_own(w, o);
	if (rc)
		return lvs_err(err, rc, "%s", strerror(-rc));
	rc = commit(w, err);
	if (rc)
		return rc;
	rc = write_masks(w);
	if (!rc)
		rc = wio_write(w->io, 0, &w->super, sizeof(w->super));
	if (!rc)
		rc = wio_sync(w->io);
	return rc ? lvs_err(err, rc, "writing the new store: %s", strerror(-rc)) : 0;
}

int lvw_create_io(struct wio *io, const struct lvw_create_opts *o, struct lvs_error *err)
{
	struct lvs_writer *w = calloc(1, sizeof(*w));
	struct geometry g = { 0 };
	int rc = w ? choose_geometry(io, o, &g, err) : lvs_err(err, -ENOMEM, "no memory");

	if (!rc)
		rc = prepare_device(io, &g, o->force, err);
	if (!rc) {
		w->io = io;
		rc = make_store(w, &g, o, err);
		w->io = NULL;	/* the caller's */
	}
	writer_free(w);
	return rc;
}

int lvw_create(const char *path, const struct lvw_create_opts *o, struct lvs_writer **out,
	       struct lvs_error *err)
{
	struct wio *io;
	bool created;
	int rc = wio_open(path, o->size ? WIO_CREATE : 0, &io);

	if (rc == -EINVAL)
		return lvs_err(err, rc, "neither a block device nor a regular file");
	if (rc == -EBUSY)
		return lvs_err(err, rc, "in use by another program");
	if (rc)
		return lvs_err(err, rc, "cannot be opened for writing: %s", strerror(-rc));
	created = io->created;
	rc = lvw_create_io(io, o, err);
	if (rc || !out)
		wio_close(io);
	else
		return lvw_open_io(io, 0, out, err);
	if (rc && created)
		unlink(path);
	return rc;
}

/* ---- growing ---- */

static int check_growth(const struct lvs_writer *w, u64 size, u64 total, struct lvs_error *err)
{
	const struct lvs_disk_super *sb = &w->super;
	u64 end = le32_to_cpu(sb->md_start), start = le32_to_cpu(sb->used_cluster_mask_start);
	u64 others[] = { le32_to_cpu(sb->used_page_mask_start),
			 le32_to_cpu(sb->used_blobid_mask_start) };

	if (size < w->size)
		return lvs_err(err, -EINVAL, "a store cannot become smaller (it has %llu bytes)",
			       (unsigned long long)w->size);
	for (int i = 0; i < 2; i++)
		if (others[i] > start && others[i] < end)
			end = others[i];
	if (total < UINT32_MAX && mask_pages(total) <= end - start)
		return 0;
	return lvs_err(err, -EFBIG,
		       "the store's metadata have room for %llu clusters, %llu bytes; asked for %llu",
		       (unsigned long long)((end - start) * LVS_DISK_PAGE -
					    sizeof(struct lvs_disk_mask)) * 8,
		       (unsigned long long)((end - start) * LVS_DISK_PAGE -
					    sizeof(struct lvs_disk_mask)) * 8 * w->cluster_size,
		       (unsigned long long)size);
}

/* The new clusters read zero before they are the store's. */
static int grow_device(struct lvs_writer *w, u64 size, u64 total, struct lvs_error *err)
{
	u64 old = w->total_clusters * w->cluster_size;
	int rc = 0;

	if (size > w->io->size)
		rc = wio_extend(w->io, size);
	if (rc == -EOPNOTSUPP)
		return lvs_err(err, -ERANGE, "the device has only %llu bytes",
			       (unsigned long long)w->io->size);
	if (!rc)
		rc = wio_zero(w->io, old, total * w->cluster_size - old);
	if (!rc)
		rc = wio_sync(w->io);
	return rc ? lvs_err(err, rc, "%s", strerror(-rc)) : 0;
}

int lvw_grow(struct lvs_writer *w, uint64_t size, struct lvs_error *err)
{
	struct lvs_disk_super sb;
	u64 total;
	int rc;

	size = (size ? size : w->io->size) & ~(u64)(LVS_DISK_PAGE - 1);
	total = size / w->cluster_size;
	rc = check_growth(w, size, total, err);
	if (!rc)
		rc = commit_begin(w, err);
	if (!rc)
		rc = grow_device(w, size, total, err);
	if (rc)
		return rc;
	sb = w->super;
	sb.size = cpu_to_le64(size);
	if (mask_pages(total) > le32_to_cpu(sb.used_cluster_mask_len))
		sb.used_cluster_mask_len = cpu_to_le32((u32)mask_pages(total));
	if (space_extend(&w->clusters, total))
		return lvs_err(err, -ENOMEM, "%s", strerror(ENOMEM));
	w->size = size;
	w->total_clusters = total;
	rc = commit_super(w, &sb, err);
	return rc ? rc : lvw_flush(w, err);
}
