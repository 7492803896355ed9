// SPDX-License-Identifier: GPL-2.0-only
/* Superblock and backup (pool-format.rst, section 3). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "priv.h"

static void layout_decode(const struct ybd_fmt_super *s, struct pool_layout *l)
{
	l->nr_blocks = le64_to_cpu(s->nr_blocks);
	l->max_blocks = le64_to_cpu(s->max_blocks);
	l->segment_blocks = le32_to_cpu(s->segment_blocks);
	l->nr_uppers = le32_to_cpu(s->nr_uppers);
	l->nr_segments = le32_to_cpu(s->nr_segments);
	l->max_segments = le32_to_cpu(s->max_segments);
	l->max_chunks = le32_to_cpu(s->max_chunks);
	for (int i = 0; i < 2; i++) {
		l->segment_table[i] = le64_to_cpu(s->segment_table[i]);
		l->chunk_table[i] = le64_to_cpu(s->chunk_table[i]);
	}
	l->directory = le64_to_cpu(s->directory);
	l->data = le64_to_cpu(s->data);
}

static int check_features(const struct ybd_fmt_super *s, struct ybd_error *err)
{
	u64 unknown = le64_to_cpu(s->incompat) & ~YBD_FMT_INCOMPAT_KNOWN;

	if (le32_to_cpu(s->version) != YBD_FMT_VERSION)
		return ybd_error_set(err, -EOPNOTSUPP, "version %u, expected %u",
				     le32_to_cpu(s->version), YBD_FMT_VERSION);
	if (unknown)
		return ybd_error_set(err, -EOPNOTSUPP,
				     "it has the unknown features 0x%llx: use a newer ybdctl",
				     (unsigned long long)unknown);
	if (s->flags)
		return ybd_error_set(err, -EUCLEAN, "flags 0x%x, expected 0",
				     le32_to_cpu(s->flags));
	return 0;
}

/* The numbers, and the place of everything. */
static int check_super(const struct ybd_fmt_super *s, u64 blocks, struct pool_info *info,
		       struct ybd_error *err)
{
	u32 chunk = le32_to_cpu(s->chunk_blocks);
	int rc = check_features(s, err);

	if (rc)
		return rc;
	if (!pool_is_zero(s->reserved, sizeof(s->reserved)))
		return ybd_error_set(err, -EUCLEAN, "reserved bytes are not zero");
	if (s->name[0] && pool_check_name(s->name))
		return ybd_error_set(err, -EUCLEAN, "%s", pool_check_name(s->name));
	if (!s->name[0] && !pool_is_zero(s->name, sizeof(s->name)))
		return ybd_error_set(err, -EUCLEAN, "the name is not padded with zeroes");
	if (chunk != YBD_FMT_CHUNK_BLOCKS)
		return ybd_error_set(err, -EUCLEAN, "chunk_blocks %u, expected %u", chunk,
				     YBD_FMT_CHUNK_BLOCKS);
	rc = pool_layout_check(&info->layout, err);
	if (rc)
		return rc;
	if (info->layout.nr_blocks > blocks)
		return ybd_error_set(err, -EUCLEAN, "nr_blocks %llu, but the device has only %llu",
				     (unsigned long long)info->layout.nr_blocks,
				     (unsigned long long)blocks);
	return 0;
}

int pool_super_decode(const void *b, u64 at, u64 blocks, struct pool_info *info,
		      struct ybd_error *err)
{
	const struct ybd_fmt_super *s = b;
	char why[POOL_WHY_LEN];
	int rc;

	memset(info, 0, sizeof(*info));
	if (!pool_verify(b, YBD_FMT_MAGIC_SUPER, NULL, pool_no_owner, at, why)) {
		rc = le64_to_cpu(s->h.magic) == YBD_FMT_MAGIC_SUPER ? -EUCLEAN : -ENODATA;
		rc = ybd_error_set(err, rc, "%s", why);
	} else {
		memcpy(info->uuid, s->h.pool_uuid, sizeof(info->uuid));
		memcpy(info->name, s->name, sizeof(info->name));
		info->name[sizeof(info->name) - 1] = '\0';
		info->seq = le64_to_cpu(s->h.seq);
		info->compat = le64_to_cpu(s->compat);
		info->ro_compat = le64_to_cpu(s->ro_compat);
		info->read_only = info->ro_compat & ~YBD_FMT_RO_COMPAT_KNOWN;
		layout_decode(s, &info->layout);
		rc = check_super(s, blocks, info, err);
	}
	if (rc)
		ybd_error_prefix(err, "block %llu", (unsigned long long)at);
	return rc;
}

static void super_encode(const struct pool_info *info, u64 at, void *b)
{
	const struct pool_layout *l = &info->layout;
	struct ybd_fmt_super *s = b;

	memset(s, 0, sizeof(*s));
	s->version = cpu_to_le32(YBD_FMT_VERSION);
	s->compat = cpu_to_le64(info->compat);
	s->ro_compat = cpu_to_le64(info->ro_compat);
	memcpy(s->name, info->name, sizeof(s->name));
	s->nr_blocks = cpu_to_le64(l->nr_blocks);
	s->max_blocks = cpu_to_le64(l->max_blocks);
	s->segment_blocks = cpu_to_le32(l->segment_blocks);
	s->chunk_blocks = cpu_to_le32(YBD_FMT_CHUNK_BLOCKS);
	s->nr_segments = cpu_to_le32(l->nr_segments);
	s->max_segments = cpu_to_le32(l->max_segments);
	s->max_chunks = cpu_to_le32(l->max_chunks);
	s->nr_uppers = cpu_to_le32(l->nr_uppers);
	for (int i = 0; i < 2; i++) {
		s->segment_table[i] = cpu_to_le64(l->segment_table[i]);
		s->chunk_table[i] = cpu_to_le64(l->chunk_table[i]);
	}
	s->directory = cpu_to_le64(l->directory);
	s->data = cpu_to_le64(l->data);
	pool_seal(s, YBD_FMT_MAGIC_SUPER, info->uuid, pool_no_owner, at, info->seq);
}

int pool_super_write(struct pool_io *io, const struct pool_info *info, u64 at)
{
	void *b = pool_io_alloc(1);
	int rc;

	if (!b)
		return -ENOMEM;
	super_encode(info, at, b);
	rc = pool_io_write(io, at, b, 1, true);
	free(b);
	return rc;
}

/* Read one of the two. */
static int read_super(struct pool_io *io, u64 at, struct pool_info *info, struct ybd_error *err)
{
	void *b;
	int rc;

	if (at >= io->nr_blocks)
		return ybd_error_set(err, -ENODATA, "too small for a pool");
	b = pool_io_alloc(1);
	if (!b)
		return ybd_error_sys(err, -ENOMEM, "reading the superblock");
	rc = pool_io_read(io, at, b, 1);
	if (rc)
		ybd_error_sys(err, rc, "block %llu: it cannot be read", (unsigned long long)at);
	else
		rc = pool_super_decode(b, at, io->nr_blocks, info, err);
	free(b);
	return rc;
}

int pool_probe(struct pool_io *io, struct pool_info *info, struct ybd_error *err)
{
	struct pool_info backup;
	int rc = read_super(io, YBD_FMT_SUPER_BLOCK, info, err);

	if (!rc || rc == -EOPNOTSUPP || rc == -ENOMEM)
		return rc;
	if (!read_super(io, YBD_FMT_SUPER_BACKUP_BLOCK, &backup, NULL)) {
		char text[sizeof(err->text)];

		if (err) {
			snprintf(text, sizeof(text), "%.400s; the backup is good: see ybdctl pool check",
				 err->text);
			ybd_error_set(err, -EUCLEAN, "%s", text);
		}
		return -EUCLEAN;
	}
	if (rc == -ENODATA)
		ybd_error_set(err, rc, "no pool here");
	return rc;
}

/* The superblock is good. What about the backup? */
static int check_backup(struct pool *p, int rc, const struct pool_info *b,
			const struct ybd_error *why)
{
	struct pool_at at = { YBD_FMT_SUPER_BACKUP_BLOCK, POOL_NO_UPPER, true, POOL_FIX_SUPER };
	struct pool_info old = *b;

	p->super_bad = 2;
	if (rc) {
		at.block = POOL_NO_BLOCK;	/* the text names it */
		return pool_say(p, at, "%s (the backup of the superblock)", why->text);
	}
	if (!memcmp(b, &p->info, sizeof(*b))) {
		p->super_bad = 0;
		return 0;
	}
	/* what grow changes, if it was cut short between the two */
	old.seq = p->info.seq;
	old.layout = p->info.layout;
	at.error = b->seq >= p->info.seq || memcmp(&old, &p->info, sizeof(old));
	if (!at.error)
		return pool_say(p, at, "the backup of the superblock is older (%llu, expected %llu)",
				(unsigned long long)b->seq, (unsigned long long)p->info.seq);
	at.fix = POOL_FIX_NONE;
	p->super_bad = 0;
	return pool_say(p, at, "the backup of the superblock says something else (seq %llu, the superblock %llu)",
			(unsigned long long)b->seq, (unsigned long long)p->info.seq);
}

int pool_super_check(struct pool *p, struct ybd_error *err)
{
	struct pool_at at = { POOL_NO_BLOCK, POOL_NO_UPPER, true, POOL_FIX_SUPER };
	struct ybd_error why[2] = { 0 };
	struct pool_info backup;
	int rc[2];

	rc[0] = read_super(p->io, YBD_FMT_SUPER_BLOCK, &p->info, &why[0]);
	rc[1] = read_super(p->io, YBD_FMT_SUPER_BACKUP_BLOCK, &backup, &why[1]);
	if (rc[0] == -EOPNOTSUPP || rc[0] == -ENOMEM) {
		*err = why[0];
		return rc[0];
	}
	if (!rc[0])
		return check_backup(p, rc[1], &backup, &why[1]);
	if (rc[0] == -ENODATA && rc[1] == -ENODATA)
		return ybd_error_set(err, -ENODATA, "no pool here");
	if (rc[1])
		return ybd_error_set(err, -EUCLEAN, "%.250s; and the backup: %.250s", why[0].text,
				     why[1].text);
	p->info = backup;
	p->super_bad = 1;
	return pool_say(p, at, "%s; going by the backup in block %u", why[0].text,
			YBD_FMT_SUPER_BACKUP_BLOCK);
}
