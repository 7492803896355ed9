// SPDX-License-Identifier: GPL-2.0-only
/* The super block: is this an lvstore, and where does everything lie? (sections 1, 2, 3) */
#include <errno.h>
#include <stdlib.h>

#include "../crc32c.h"
#include "store.h"

static bool power_of_two(u64 v)
{
	return v && !(v & (v - 1));
}

/* Is this ours, and whole? */
static int super_check_head(const struct lvs_disk_super *sb, struct lvs_error *err)
{
	u32 crc = crc32c(sb, LVS_DISK_CRC_LEN);
	u32 version = le32_to_cpu(sb->version);

	if (memcmp(sb->signature, LVS_SIGNATURE, sizeof(sb->signature)))
		return lvs_err(err, -ENODATA, "super block (byte 0): no SPDK blobstore here");
	if (crc != le32_to_cpu(sb->crc))
		return lvs_err(err, -EUCLEAN, "super block (byte 0): crc 0x%08x, expected 0x%08x",
			       le32_to_cpu(sb->crc), crc);
	if (version < LVS_VERSION_MIN || version > LVS_VERSION_MAX)
		return lvs_err(err, -EOPNOTSUPP,
			       "super block (byte 8): version %u, supported are %u to %u",
			       version, LVS_VERSION_MIN, LVS_VERSION_MAX);
	if (le32_to_cpu(sb->length) != LVS_DISK_PAGE)
		return lvs_err(err, -EUCLEAN, "super block (byte 12): length %u, expected %u",
			       le32_to_cpu(sb->length), LVS_DISK_PAGE);
	if (memcmp(sb->bstype, LVS_BSTYPE, sizeof(sb->bstype)))
		return lvs_err(err, -EMEDIUMTYPE,
			       "super block (byte 56): a blobstore, but not an lvstore");
	return 0;
}

static int super_check_sizes(struct lvs_store *s, struct lvs_error *err)
{
	if (s->md_page_size < LVS_DISK_PAGE || s->md_page_size > LVS_MD_PAGE_MAX ||
	    !power_of_two(s->md_page_size))
		return lvs_err(err, -EOPNOTSUPP, "super block (byte 92): md page size %u",
			       s->md_page_size);
	if (s->cluster_size < LVS_CLUSTER_MIN || s->cluster_size < s->md_page_size)
		return lvs_err(err, -EUCLEAN, "super block (byte 28): cluster size %u",
			       s->cluster_size);
	if (!power_of_two(s->cluster_size))
		return lvs_err(err, -EOPNOTSUPP,
			       "super block (byte 28): cluster size %u is no power of two: SPDK itself reads such a store wrongly",
			       s->cluster_size);
	if (s->size > s->io->size)
		return lvs_err(err, -EUCLEAN,
			       "super block (byte 80): store of %llu bytes on a device of %llu",
			       (unsigned long long)s->size, (unsigned long long)s->io->size);
	if (s->total_clusters > UINT32_MAX)
		return lvs_err(err, -EOPNOTSUPP,
			       "super block: %llu clusters, a cluster number has 32 bits",
			       (unsigned long long)s->total_clusters);
	return 0;
}

static int super_check_md(struct lvs_store *s, struct lvs_error *err)
{
	u64 end = s->md_start + (u64)s->md_len * s->md_page_size;

	if (s->md_start < s->md_page_size || !s->md_len)
		return lvs_err(err, -EUCLEAN,
			       "super block (byte 48): metadata at byte %llu, %u pages",
			       (unsigned long long)s->md_start, s->md_len);
	if (end > s->size)
		return lvs_err(err, -EUCLEAN,
			       "super block (byte 48): metadata ends at byte %llu, the store at %llu",
			       (unsigned long long)end, (unsigned long long)s->size);
	s->md_clusters = (end + s->cluster_size - 1) / s->cluster_size;
	if (s->md_clusters > s->total_clusters)
		s->md_clusters = s->total_clusters;
	return 0;
}

int lvs_read_super(struct lvs_store *s, struct lvs_error *err)
{
	struct lvs_disk_super *sb = &s->raw;
	int rc;

	if (s->io->size < sizeof(*sb))
		return lvs_err(err, -ENODATA,
			       "super block (byte 0): the device has %llu bytes only",
			       (unsigned long long)s->io->size);
	rc = lvs_io_read(s->io, 0, sb, sizeof(*sb));
	if (rc)
		return lvs_err(err, rc, "super block (byte 0): %s", strerror(-rc));
	rc = super_check_head(sb, err);
	if (rc)
		return rc;

	s->version = le32_to_cpu(sb->version);
	s->cluster_size = le32_to_cpu(sb->cluster_size);
	s->block_size = le32_to_cpu(sb->io_unit_size);
	if (!s->block_size)
		s->block_size = 4096;
	s->md_page_size = le32_to_cpu(sb->md_page_size);
	if (!s->md_page_size)
		s->md_page_size = LVS_DISK_PAGE;
	s->size = le64_to_cpu(sb->size);
	if (!s->size)
		s->size = s->io->size;
	s->total_clusters = s->cluster_size ? s->size / s->cluster_size : 0;
	s->md_start = (u64)le32_to_cpu(sb->md_start) * s->md_page_size;
	s->md_len = le32_to_cpu(sb->md_len);
	s->super_blob = le64_to_cpu(sb->super_blob);
	s->clean = le32_to_cpu(sb->clean) == 1 && le32_to_cpu(sb->used_blobid_mask_len);

	rc = super_check_sizes(s, err);
	return rc ? rc : super_check_md(s, err);
}

int lvs_super_same(struct lvs_store *s)
{
	struct lvs_disk_super *now = lvs_io_alloc(sizeof(*now));
	int rc;

	if (!now)
		return -ENOMEM;
	rc = lvs_io_read(s->io, 0, now, sizeof(*now));
	if (!rc)
		rc = !memcmp(now, &s->raw, sizeof(*now));
	free(now);
	return rc;
}
