// SPDX-License-Identifier: GPL-2.0-only
#include "lvolbytes.h"

/*
 * What keeps one layer's data away from another's. Not the store's own cluster size: an image has
 * the same content in all stores.
 */
#define UNIT	(1u << 20)

static struct lvolbytes *of(struct bytestore *b)
{
	return (struct lvolbytes *)b;
}

static int take(struct bytestore *b, int rc, const struct lvs_error *e)
{
	return rc ? ybd_error_set(&b->err, rc, "%s", e->text) : 0;
}

static int lvol_read(struct bytestore *b, u64 off, void *buf, size_t len)
{
	struct lvs_error e = { 0 };

	return take(b, lvw_pread(of(b)->v, off, buf, len, &e), &e);
}

static int lvol_write(struct bytestore *b, u64 off, const void *buf, size_t len)
{
	struct lvs_error e = { 0 };

	return take(b, lvw_pwrite(of(b)->v, off, buf, len, &e), &e);
}

static int lvol_zero(struct bytestore *b, u64 off, u64 len)
{
	struct lvs_error e = { 0 };

	return take(b, lvw_zero(of(b)->v, off, len, &e), &e);
}

static int lvol_flush(struct bytestore *b)
{
	struct lvs_error e = { 0 };

	return take(b, lvw_flush(of(b)->w, &e), &e);
}

void lvolbytes_init(struct lvolbytes *l, struct lvs_writer *w, struct lvw_vol *v, u64 size)
{
	static const struct bytestore_ops ops = {
		.read = lvol_read,
		.write = lvol_write,
		.zero = lvol_zero,
		.flush = lvol_flush,
	};

	memset(l, 0, sizeof(*l));
	l->b.ops = &ops;
	l->b.size = size;
	l->b.unit = UNIT;
	l->w = w;
	l->v = v;
}
