// SPDX-License-Identifier: GPL-2.0-only
/* A disk in memory; see lvstore_disk.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lvstore_disk.h"

static void *must(void *p)
{
	if (p)
		return p;
	perror("memory");
	exit(2);
}

void disk_init(struct disk *d, size_t len, size_t limit)
{
	memset(d, 0, sizeof(*d));
	d->mem = must(calloc(1, limit));
	d->len = len;
	d->limit = limit;
	d->fail_after = -1;
}

void disk_forget(struct disk *d)
{
	for (size_t i = 0; i < d->nr; i++)
		free(d->ev[i].data);
	d->nr = 0;
}

void disk_free(struct disk *d)
{
	disk_forget(d);
	free(d->ev);
	free(d->mem);
	memset(d, 0, sizeof(*d));
}

/* 0, or -EIO when it is time to fail. */
static int note(struct disk *d, u64 off, size_t len, const void *data)
{
	struct disk_event *e;

	if (d->fail_after == 0)
		return -EIO;
	if (d->fail_after > 0)
		d->fail_after--;
	if (len)
		d->writes++;
	else
		d->flushes++;
	if (!d->record)
		return 0;
	if (d->nr == d->cap) {
		d->cap = d->cap ? 2 * d->cap : 64;
		d->ev = must(reallocarray(d->ev, d->cap, sizeof(*d->ev)));
	}
	e = &d->ev[d->nr++];
	*e = (struct disk_event){ .off = off, .len = len };
	if (data) {
		e->data = must(malloc(len));
		memcpy(e->data, data, len);
	}
	return 0;
}

static int disk_read(struct wio *io, u64 off, void *buf, size_t len)
{
	struct disk *d = io->priv;

	memcpy(buf, d->mem + off, len);
	return 0;
}

static int disk_write(struct wio *io, u64 off, const void *buf, size_t len)
{
	struct disk *d = io->priv;
	int rc = note(d, off, len, buf);

	if (!rc)
		memcpy(d->mem + off, buf, len);
	return rc;
}

static int disk_zero(struct wio *io, u64 off, u64 len)
{
	struct disk *d = io->priv;
	int rc = note(d, off, (size_t)len, NULL);

	if (!rc)
		memset(d->mem + off, 0, (size_t)len);
	return rc;
}

static int disk_sync(struct wio *io)
{
	return note(io->priv, 0, 0, NULL);
}

static int disk_extend(struct wio *io, u64 size)
{
	struct disk *d = io->priv;

	if (size > d->limit)
		return -EOPNOTSUPP;
	d->len = (size_t)size;
	return 0;
}

static const struct wio_ops disk_ops = {
	.read = disk_read,
	.write = disk_write,
	.zero = disk_zero,
	.sync = disk_sync,
	.extend = disk_extend,
};

struct wio *disk_wio(struct disk *d)
{
	struct wio *io;

	if (wio_open_ops(&disk_ops, d->len, d, &io))
		must(NULL);
	return io;
}

void disk_apply(u8 *mem, const struct disk_event *e, bool (*keep)(u64 sector))
{
	for (size_t at = 0; at < e->len;) {
		u64 sector = (e->off + at) / SECTOR;
		size_t n = (sector + 1) * SECTOR - (e->off + at);

		if (n > e->len - at)
			n = e->len - at;
		if (!keep || keep(sector)) {
			if (e->data)
				memcpy(mem + e->off + at, e->data + at, n);
			else
				memset(mem + e->off + at, 0, n);
		}
		at += n;
	}
}

int disk_open_reader(const void *mem, size_t len, struct lvs_store **s, struct lvs_error *err)
{
	struct lvs_io *io;

	if (lvs_io_open_mem(mem, len, &io))
		must(NULL);
	return lvs_open_io(io, s, err);
}
