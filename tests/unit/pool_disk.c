// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "pool_disk.h"

#define BLOCK YBD_FMT_BLOCK_SIZE

static void note(struct disk *d, u64 block, u32 nr, const void *data, bool fua)
{
	struct disk_write *w = &d->w[d->nr];

	if (!d->record)
		return;
	if (d->nr == DISK_WRITES) {
		printf("Bail out! more than %u writes\n", DISK_WRITES);
		exit(1);
	}
	*w = (struct disk_write){ block, nr, NULL, fua };
	if (nr) {
		w->data = malloc((size_t)nr * BLOCK);
		memcpy(w->data, data, (size_t)nr * BLOCK);
	}
	d->nr++;
}

static int disk_read(struct pool_io *io, u64 block, void *buf, u32 nr)
{
	struct disk *d = io->priv;

	if (d->bad && block <= d->bad && d->bad < block + nr)
		return -EIO;
	memcpy(buf, d->mem + block * BLOCK, (size_t)nr * BLOCK);
	return 0;
}

static int disk_write(struct pool_io *io, u64 block, const void *buf, u32 nr, bool fua)
{
	struct disk *d = io->priv;

	note(d, block, nr, buf, fua);
	memcpy(d->mem + block * BLOCK, buf, (size_t)nr * BLOCK);
	return 0;
}

static int disk_zero(struct pool_io *io, u64 block, u64 nr)
{
	struct disk *d = io->priv;

	/* one by one, so that it can be cut in between, but in pieces that are few */
	for (u64 i = 0, n; i < nr; i += n) {
		n = nr - i < 100 ? nr - i : 100;
		memset(d->mem + (block + i) * BLOCK, 0, n * BLOCK);
		note(d, block + i, (u32)n, d->mem + (block + i) * BLOCK, false);
	}
	return 0;
}

static int disk_flush(struct pool_io *io)
{
	note(io->priv, 0, 0, NULL, true);
	return 0;
}

struct pool_io *disk_open(struct disk *d, bool writable)
{
	static const struct pool_io_ops ops = {
		.read = disk_read,
		.write = disk_write,
		.zero = disk_zero,
		.flush = disk_flush,
	};
	struct pool_io *io;

	if (pool_io_open_ops(&ops, d->blocks, writable, d, &io))
		abort();
	return io;
}

void disk_forget(struct disk *d)
{
	for (u32 i = 0; i < d->nr; i++)
		free(d->w[i].data);
	d->nr = 0;
}
