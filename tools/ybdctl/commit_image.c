// SPDX-License-Identifier: GPL-2.0-only
/*
 * An image whose upper is committed over an lvol that is not the image: what it shows is copied
 * first. What the lvol has already takes no room, see delta_write().
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "commit.h"
#include "fdio.h"
#include "util.h"

#define CHUNK	(1u << 20)

static int read_source(const struct ybd_source *s, u64 off, u8 *buf, size_t len,
		       struct ybd_error *err)
{
	int rc = pread_all(s->fd, buf, len, off);

	return rc ? ybd_error_sys(err, rc, "%s: reading at %llu", s->path,
				  (unsigned long long)off) : 0;
}

static int copy_extent(const struct ybd_plan *p, const struct ybd_map_extent *e, u8 *buf,
		       struct delta *d, struct ybd_error *err)
{
	struct lvs_error le = { 0 };
	int rc = 0;

	for (u64 at = 0; at < e->len && !rc; at += CHUNK) {
		size_t n = e->len - at < CHUNK ? (size_t)(e->len - at) : CHUNK;

		rc = read_source(p->sources[e->source], e->phys + at, buf, n, err);
		if (rc)
			return rc;
		rc = delta_write(d, e->start + at, buf, n, &le);
	}
	return rc ? ybd_error_set(err, rc, "%s", le.text) : 0;
}

/* From @off to @end the image has nothing. */
static int copy_hole(struct delta *d, u64 off, u64 end, struct ybd_error *err)
{
	struct lvs_error e = { 0 };
	int rc = delta_clear(d, off, end, &e);

	return rc ? ybd_error_set(err, rc, "%s", e.text) : 0;
}

static int copy_all(const struct ybd_plan *p, u64 size, u8 *buf, struct delta *d,
		    struct ybd_error *err)
{
	u64 off = 0;
	int rc = 0;

	for (size_t i = 0; i < p->map.nr && !rc; i++) {
		const struct ybd_map_extent *e = &p->map.ext[i];

		rc = copy_hole(d, off, e->start, err);
		if (!rc)
			rc = copy_extent(p, e, buf, d, err);
		off = e->start + e->len;
	}
	return rc ? rc : copy_hole(d, off, size, err);
}

int image_copy(const struct ybd_plan *p, u64 size, struct delta *d, struct ybd_error *err)
{
	__cleanup_free u8 *buf = NULL;

	if (p->map.size > size)
		return ybd_error_set(err, -EUCLEAN, "the image has %llu bytes, the device only %llu",
				     (unsigned long long)p->map.size, (unsigned long long)size);
	buf = malloc(CHUNK);
	if (!buf)
		return ybd_error_sys(err, -ENOMEM, "%s", p->name);
	/* what was cached of them may be older than what the storage side wrote */
	for (size_t i = 0; i < p->nr_sources; i++)
		posix_fadvise(p->sources[i]->fd, 0, 0, POSIX_FADV_DONTNEED);
	return copy_all(p, size, buf, d, err);
}
