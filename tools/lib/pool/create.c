// SPDX-License-Identifier: GPL-2.0-only
/* A pool comes into being and ends. The order is that of pool-format.rst, section 3. */
#include <errno.h>
#include <stdlib.h>

#include "priv.h"

#define TAIL_BLOCKS	256	/* where others have signatures at the end of a device */
#define BATCH		64u

/*
 * First there is no pool, for good; then nothing else. Discarding leaves out what has to stay
 * zeroes: what is discarded may show what was there before.
 */
static int wipe(struct pool_io *io)
{
	u64 head = YBD_FMT_SUPER_BACKUP_BLOCK + 1, tail = io->nr_blocks - TAIL_BLOCKS;
	int rc;

	rc = pool_io_zero(io, YBD_FMT_SUPER_BLOCK, 1);
	if (!rc)
		rc = pool_io_zero(io, YBD_FMT_SUPER_BACKUP_BLOCK, 1);
	if (!rc)
		rc = pool_io_flush(io);
	if (rc)
		return rc;
	pool_io_discard(io, head, io->nr_blocks - head);
	rc = pool_io_zero(io, 0, head);
	return rc ? rc : pool_io_zero(io, tail, TAIL_BLOCKS);
}

static int write_table(struct pool_io *io, const u8 *uuid, u64 magic, u64 first, u32 nr)
{
	struct ybd_fmt_table *b = pool_io_alloc(BATCH);
	int rc = b ? 0 : -ENOMEM;

	for (u32 k = 0, n; k < nr && !rc; k += n) {
		n = nr - k < BATCH ? nr - k : BATCH;
		for (u32 i = 0; i < n; i++)
			pool_seal(&b[i], magic, uuid, pool_no_owner, first + k + i, 1);
		rc = pool_io_write(io, first + k, b, n, false);
	}
	free(b);
	return rc;
}

static int write_tables(struct pool_io *io, const struct pool_info *info)
{
	const struct pool_layout *l = &info->layout;
	u32 seg = pool_table_blocks(l->max_segments), chunk = pool_table_blocks(l->max_chunks);
	int rc = pool_io_zero(io, l->directory, 2ULL * l->nr_uppers);

	for (int i = 0; i < 2 && !rc; i++)
		rc = write_table(io, info->uuid, YBD_FMT_MAGIC_SEGMENTS, l->segment_table[i], seg);
	for (int i = 0; i < 2 && !rc; i++)
		rc = write_table(io, info->uuid, YBD_FMT_MAGIC_CHUNKS, l->chunk_table[i], chunk);
	return rc ? rc : pool_io_flush(io);
}

int pool_create(struct pool_io *io, const struct pool_layout *layout, const u8 uuid[16],
		const char *name, struct ybd_error *err)
{
	struct pool_info info = { .seq = 1, .layout = *layout };
	int rc;

	if (io->nr_blocks < layout->nr_blocks)
		return ybd_error_set(err, -ERANGE, "%llu blocks, expected %llu",
				     (unsigned long long)io->nr_blocks,
				     (unsigned long long)layout->nr_blocks);
	if (strlen(name) >= sizeof(info.name))
		return ybd_error_set(err, -EINVAL, "the name is longer than %zu bytes",
				     sizeof(info.name) - 1);
	memcpy(info.uuid, uuid, sizeof(info.uuid));
	memcpy(info.name, name, strlen(name));
	rc = wipe(io);
	if (!rc)
		rc = write_tables(io, &info);
	if (!rc)
		rc = pool_super_write(io, &info, YBD_FMT_SUPER_BACKUP_BLOCK);
	if (!rc)
		rc = pool_super_write(io, &info, YBD_FMT_SUPER_BLOCK);
	return rc ? ybd_error_sys(err, rc, "writing") : 0;
}

/* The layout of a pool that gets another size: only that and what follows from it changes. */
static int grown_layout(const struct pool_layout *l, u64 nr_blocks, struct pool_layout *out,
			struct ybd_error *err)
{
	struct pool_want want = {
		.nr_blocks = nr_blocks,
		.max_blocks = l->max_blocks,
		.segment_blocks = l->segment_blocks,
		.nr_uppers = l->nr_uppers,
	};

	if (nr_blocks < l->nr_blocks || nr_blocks > l->max_blocks)
		return ybd_error_set(err, -ERANGE,
				     "a size of %llu, but it can be from %llu to %llu",
				     (unsigned long long)nr_blocks << YBD_FMT_BLOCK_SHIFT,
				     (unsigned long long)l->nr_blocks << YBD_FMT_BLOCK_SHIFT,
				     (unsigned long long)l->max_blocks << YBD_FMT_BLOCK_SHIFT);
	return pool_layout(&want, out, err);
}

int pool_grow(struct pool_io *io, u64 nr_blocks, struct pool_info *out, struct ybd_error *err)
{
	struct pool_layout layout;
	int rc = pool_probe(io, out, err);

	if (!rc && out->read_only)
		rc = ybd_error_set(err, -EOPNOTSUPP, "it has unknown features: use a newer ybdctl");
	if (!rc)
		rc = grown_layout(&out->layout, nr_blocks, &layout, err);
	if (rc || nr_blocks == out->layout.nr_blocks)
		return rc;
	rc = pool_io_extend(io, nr_blocks);
	if (rc)
		return ybd_error_set(err, -ERANGE, "the device has only %llu bytes",
				     (unsigned long long)io->nr_blocks << YBD_FMT_BLOCK_SHIFT);
	out->layout = layout;
	out->seq++;
	rc = pool_super_write(io, out, YBD_FMT_SUPER_BLOCK);
	if (!rc)
		rc = pool_super_write(io, out, YBD_FMT_SUPER_BACKUP_BLOCK);
	return rc ? ybd_error_sys(err, rc, "writing") : 0;
}

int pool_destroy(struct pool_io *io, struct ybd_error *err)
{
	void *b = pool_io_alloc(1);
	int rc = b ? 0 : -ENOMEM;

	if (!rc)
		rc = pool_io_write(io, YBD_FMT_SUPER_BLOCK, b, 1, true);
	if (!rc)
		rc = pool_io_write(io, YBD_FMT_SUPER_BACKUP_BLOCK, b, 1, true);
	free(b);
	return rc ? ybd_error_sys(err, rc, "writing") : 0;
}
