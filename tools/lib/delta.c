// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "delta.h"
#include "names.h"
#include "util.h"

static bool is_left(const struct lvw_vol *v)
{
	return !strncmp(lvw_vol_name(v), DELTA_PREFIX, strlen(DELTA_PREFIX)) &&
	       lvw_vol_xattr(v, DELTA_XATTR);
}

/*
 * What a killed program has left. One that is read-only already was complete, but for its name: in
 * a store that is only added to it stays.
 */
static int delete_left(struct lvs_writer *w, struct lvs_error *err)
{
	for (size_t i = lvw_vols(w); i--;) {
		struct lvw_vol *v = lvw_vol_at(w, i);
		int rc = is_left(v) ? lvw_vol_delete(v, err) : 0;

		if (rc && rc != -EPERM)
			return rc;
	}
	return 0;
}

static int make_clone(struct delta *d, struct lvw_vol *below, const char *uuid,
		      struct lvs_error *err)
{
	const struct lvs_xattr x = { DELTA_XATTR, d->name, strlen(d->name) };
	char text[YBD_UUID_TEXT_LEN], temp[64];
	const struct lvw_vol_opts o = {
		.name = temp, .uuid = text, .xattrs = &x, .nr_xattrs = 1,
	};
	u8 bytes[16];
	int rc = uuid ? ybd_uuid_parse(uuid, bytes) : ybd_uuid_random(bytes);

	if (rc) {
		err->code = rc;
		snprintf(err->text, sizeof(err->text), "uuid: %s", strerror(-rc));
		return rc;
	}
	snprintf(temp, sizeof(temp), DELTA_PREFIX "%s", ybd_uuid_text(bytes, text));
	return lvw_vol_clone(below, &o, &d->v, err);
}

int delta_begin(struct delta *d, struct lvs_writer *w, struct lvw_vol *below, const char *name,
		const char *uuid, u64 size, struct lvs_error *err)
{
	int rc;

	*d = (struct delta){ .w = w, .name = name };
	if (is_left(below)) {
		err->code = -EBUSY;
		snprintf(err->text, sizeof(err->text), "lvol \"%s\" was never completed",
			 lvw_vol_name(below));
		return -EBUSY;
	}
	if (lvw_find(w, name)) {
		err->code = -EEXIST;
		snprintf(err->text, sizeof(err->text), "there is an lvol \"%s\" already", name);
		return -EEXIST;
	}
	d->buf = malloc(lvw_cluster_size(w));
	if (!d->buf) {
		err->code = -ENOMEM;
		snprintf(err->text, sizeof(err->text), "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	rc = delete_left(w, err);
	if (!rc)
		rc = make_clone(d, below, uuid, err);
	if (!rc && size > lvw_vol_size(d->v))
		rc = lvw_vol_resize(d->v, size, err);
	if (rc)
		delta_abort(d);
	return rc;
}

/* Inside one cluster. */
static int write_piece(struct delta *d, u64 off, const void *buf, size_t len,
		       struct lvs_error *err)
{
	int rc = lvw_pread(d->v, off, d->buf, len, err);

	if (rc || !memcmp(d->buf, buf, len))
		return rc;
	d->changed += len;
	return lvw_pwrite(d->v, off, buf, len, err);
}

int delta_write(struct delta *d, u64 off, const void *buf, size_t len, struct lvs_error *err)
{
	u32 cs = lvw_cluster_size(d->w);
	const u8 *p = buf;
	int rc = 0;

	while (len && !rc) {
		size_t n = cs - off % cs;

		n = len < n ? len : n;
		rc = write_piece(d, off, p, n, err);
		off += n;
		p += n;
		len -= n;
	}
	return rc;
}

int delta_zero(struct delta *d, u64 off, u64 len, struct lvs_error *err)
{
	d->changed += len;
	return lvw_zero(d->v, off, len, err);
}

/* Inside one cluster. */
static int clear_piece(struct delta *d, u64 off, size_t len, struct lvs_error *err)
{
	int rc = lvw_pread(d->v, off, d->buf, len, err);

	return rc || mem_is_zero(d->buf, len) ? rc : delta_zero(d, off, len, err);
}

int delta_clear(struct delta *d, u64 off, u64 end, struct lvs_error *err)
{
	u32 cs = lvw_cluster_size(d->w);
	int rc = 0;

	while (off < end && !rc) {
		u64 next;

		if (off >= d->data)
			d->data = lvw_next_data(d->v, off);
		off = d->data > off ? d->data : off;
		if (off >= end)
			break;
		next = off - off % cs + cs;
		next = next < end ? next : end;
		rc = clear_piece(d, off, next - off, err);
		off = next;
	}
	return rc;
}

int delta_finish(struct delta *d, struct lvs_error *err)
{
	int rc = lvw_vol_xattr_set(d->v, DELTA_XATTR, NULL, 0, err);

	if (!rc)
		rc = lvw_vol_publish(d->v, d->name, err);
	if (rc) {
		delta_abort(d);
		return rc;
	}
	free(d->buf);
	d->buf = NULL;
	return 0;
}

void delta_abort(struct delta *d)
{
	/* when the writer is dead, the next program does it */
	if (d->v)
		lvw_vol_delete(d->v, NULL);
	free(d->buf);
	*d = (struct delta){ 0 };
}
