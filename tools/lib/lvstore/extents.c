// SPDX-License-Identifier: GPL-2.0-only
/*
 * A blob's own map: which clusters hold its data (section 4, styles A and B). Kept as runs, so
 * that its cost is what is allocated, whatever the blob's size.
 */
#include <errno.h>
#include <stdlib.h>

#include "store.h"

/* A blob's clusters must be countable by the 32 bits of an extent page's first index. */
#define CLUSTERS_MAX	((u64)UINT32_MAX)

/* Is the whole of the run in the data area, and (clean store) marked used? */
static int check_clusters(struct lvs_lvol *l, u32 page, u32 cluster, u32 n, struct lvs_error *err)
{
	struct lvs_store *s = l->store;

	if (cluster < s->md_clusters)
		return lvs_err_page(err, -EUCLEAN, s, page,
				    "cluster %u is the metadata's (0 to %llu)", cluster,
				    (unsigned long long)s->md_clusters - 1);
	if (n > s->total_clusters || cluster > s->total_clusters - n)
		return lvs_err_page(err, -EUCLEAN, s, page,
				    "clusters %u to %llu, the store has %llu", cluster,
				    (unsigned long long)cluster + n - 1,
				    (unsigned long long)s->total_clusters);
	/*
	 * Each cluster belongs to one blob, or to two while a snapshot is made or deleted. Beyond
	 * that a small store could name more than memory can hold.
	 */
	if (s->claims + n > 2 * s->total_clusters)
		return lvs_err_page(err, -EUCLEAN, s, page,
				    "the maps of this store name each cluster more than twice");
	if (!s->clean)
		return 0;
	for (u64 c = cluster; c < (u64)cluster + n; c++)
		if (!md_bit(s->used_clusters, c))
			return lvs_err_page(err, -EUCLEAN, s, page,
					    "cluster %llu is not marked used",
					    (unsigned long long)c);
	return 0;
}

static int add_run(struct lvs_lvol *l, u32 page, u64 start, u32 phys, u32 n, struct lvs_error *err)
{
	struct lvs_run *last = l->nr_runs ? &l->runs[l->nr_runs - 1] : NULL;
	int rc = check_clusters(l, page, phys, n, err);

	if (rc)
		return rc;
	l->allocated += n;
	l->store->claims += n;
	if (last && (u64)last->start + last->len == start && (u64)last->phys + last->len == phys) {
		last->len += n;
		return 0;
	}
	rc = lvs_grow(&l->runs, &l->cap_runs, l->nr_runs, sizeof(*l->runs));
	if (rc)
		return rc;
	l->runs[l->nr_runs++] = (struct lvs_run){ .start = (u32)start, .phys = phys, .len = n };
	return 0;
}

static int need_thin(struct lvs_lvol *l, u32 page, struct lvs_error *err)
{
	if (l->invalid_flags & LVS_INVALID_THIN)
		return 0;
	return lvs_err_page(err, -EUCLEAN, l->store, page,
			    "unallocated clusters in a blob that is not thin");
}

static int check_size(struct lvs_lvol *l, u32 page, u64 clusters, struct lvs_error *err)
{
	if (clusters <= CLUSTERS_MAX && clusters <= INT64_MAX / l->store->cluster_size)
		return 0;
	return lvs_err_page(err, -EUCLEAN, l->store, page, "size of %llu clusters",
			    (unsigned long long)clusters);
}

static int no_mix(struct lvs_lvol *l, u32 page, bool other, struct lvs_error *err)
{
	if (!other)
		return 0;
	return lvs_err_page(err, -EUCLEAN, l->store, page,
			    "run-length extents and an extent table in one blob");
}

int extents_parse_rle(struct lvs_lvol *l, u32 page, const u8 *p, u32 len, struct lvs_error *err)
{
	int rc = no_mix(l, page, l->has_table, err);

	if (rc)
		return rc;
	if (!len || len % 8)
		return lvs_err_page(err, -EUCLEAN, l->store, page,
				    "run-length extents of %u bytes", len);
	l->has_rle = true;
	for (u32 i = 0; i < len; i += 8) {
		u32 cluster = get_le32(p + i), n = get_le32(p + i + 4);

		if (!n)
			continue;
		rc = check_size(l, page, l->num_clusters + n, err);
		if (!rc)
			rc = cluster ? add_run(l, page, l->num_clusters, cluster, n, err) :
				       need_thin(l, page, err);
		if (rc)
			return rc;
		l->num_clusters += n;
	}
	return 0;
}

static u64 table_slots(const struct lvs_lvol *l)
{
	return (l->num_clusters + LVS_EXTENTS_PER_PAGE - 1) / LVS_EXTENTS_PER_PAGE;
}

/* One pair: an extent page, or @n slots that have none. */
static int add_slots(struct lvs_lvol *l, u32 page, u32 extent_page, u32 n, struct lvs_error *err)
{
	int rc;

	if (!n || (extent_page && n != 1) || n > table_slots(l) - l->slots)
		return lvs_err_page(err, -EUCLEAN, l->store, page,
				    "extent table entry (page %u, count %u) after %llu of %llu slots",
				    extent_page, n, (unsigned long long)l->slots,
				    (unsigned long long)table_slots(l));
	if (!extent_page) {
		rc = need_thin(l, page, err);
	} else {
		rc = lvs_grow(&l->table, &l->cap_table, l->nr_table, sizeof(*l->table));
		if (!rc) {
			l->table[l->nr_table].slot = (u32)l->slots;
			l->table[l->nr_table++].page = extent_page;
		}
	}
	l->slots += n;
	return rc;
}

int extents_parse_table(struct lvs_lvol *l, u32 page, const u8 *p, u32 len, struct lvs_error *err)
{
	int rc = no_mix(l, page, l->has_rle, err);
	u64 clusters;

	if (rc)
		return rc;
	if (len < 8 || len % 8)
		return lvs_err_page(err, -EUCLEAN, l->store, page, "extent table of %u bytes", len);
	clusters = get_le64(p);
	if (l->has_table && clusters != l->num_clusters)
		return lvs_err_page(err, -EUCLEAN, l->store, page,
				    "extent table of %llu clusters continues one of %llu",
				    (unsigned long long)clusters,
				    (unsigned long long)l->num_clusters);
	rc = check_size(l, page, clusters, err);
	if (rc)
		return rc;
	l->has_table = true;
	l->num_clusters = clusters;
	for (u32 i = 8; i < len && !rc; i += 8)
		rc = add_slots(l, page, get_le32(p + i), get_le32(p + i + 4), err);
	return rc;
}

/* The head of an extent page's only descriptor; the clusters follow it. */
struct extent_head {
	struct lvs_disk_desc d;
	__le32 start;
} __packed;

static_assert(sizeof(struct extent_head) == 9, "extent page head size");

static int check_extent_page(struct lvs_lvol *l, u32 slot, u32 page, const struct lvs_disk_page *p,
			     u32 expect, struct lvs_error *err)
{
	struct extent_head h;
	u32 len, end;

	memcpy(&h, p->desc, sizeof(h));
	len = le32_to_cpu(h.d.length);
	if (h.d.type != LVS_DESC_EXTENT_PAGE || le32_to_cpu(p->seq) ||
	    le32_to_cpu(p->next) != LVS_NO_NEXT)
		return lvs_err_page(err, -EUCLEAN, l->store, page,
				    "not an extent page (descriptor type %u, sequence number %u)",
				    h.d.type, le32_to_cpu(p->seq));
	if (len != sizeof(h.start) + expect * sizeof(__le32))
		return lvs_err_page(err, -EUCLEAN, l->store, page,
				    "extent page of %u bytes, expected %zu for %u clusters", len,
				    sizeof(h.start) + expect * sizeof(__le32), expect);
	if (le32_to_cpu(h.start) != (u64)slot * LVS_EXTENTS_PER_PAGE)
		return lvs_err_page(err, -EUCLEAN, l->store, page,
				    "extent page starts at cluster %u, expected %llu",
				    le32_to_cpu(h.start),
				    (unsigned long long)slot * LVS_EXTENTS_PER_PAGE);
	end = sizeof(h.d) + len;
	if (get_le32(p->desc + end + 1))
		return lvs_err_page(err, -EUCLEAN, l->store, page,
				    "a second descriptor in an extent page");
	return 0;
}

static int load_extent_page(struct lvs_lvol *l, u32 slot, u32 page, struct lvs_error *err)
{
	u64 start = (u64)slot * LVS_EXTENTS_PER_PAGE, left = l->num_clusters - start;
	u32 n = left < LVS_EXTENTS_PER_PAGE ? (u32)left : LVS_EXTENTS_PER_PAGE;
	const struct lvs_disk_page *p;
	int rc;

	/* as for clusters: each belongs to one blob, at most two for a while */
	if (l->store->extent_pages >= 2ULL * l->store->md_len)
		return lvs_err_page(err, -EUCLEAN, l->store, page,
				    "the extent tables of this store name each md page more than twice");
	rc = md_read(l->store, page, &p, err);
	if (p && blob_ref(l, page, p))
		return -ENOMEM;
	l->store->extent_pages += !!p;
	if (!rc)
		rc = check_extent_page(l, slot, page, p, n, err);
	if (rc)
		return rc;
	for (u32 i = 0; i < n && !rc; i++) {
		u32 cluster = get_le32(p->desc + sizeof(struct extent_head) + 4 * i);

		rc = cluster ? add_run(l, page, start + i, cluster, 1, err) :
			       need_thin(l, page, err);
	}
	return rc;
}

int extents_load(struct lvs_lvol *l, struct lvs_error *err)
{
	int rc = 0;

	if (l->has_table && l->slots != table_slots(l))
		return lvs_err_page(err, -EUCLEAN, l->store, l->root,
				    "extent table of %llu slots, expected %llu",
				    (unsigned long long)l->slots,
				    (unsigned long long)table_slots(l));
	for (size_t i = 0; i < l->nr_table && !rc; i++)
		rc = load_extent_page(l, l->table[i].slot, l->table[i].page, err);
	return rc;
}
