// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "priv.h"

static int read_rest(struct pool *p, enum pool_read what)
{
	const struct pool_layout *l = &p->info.layout;
	int rc;

	rc = pool_table_read(p, &p->segments, YBD_FMT_MAGIC_SEGMENTS, l->segment_table,
			     l->max_segments);
	if (!rc)
		rc = pool_table_read(p, &p->chunks, YBD_FMT_MAGIC_CHUNKS, l->chunk_table,
				     l->max_chunks);
	if (!rc)
		rc = pool_directory_read(p, what);
	if (!rc)
		pool_count(p);
	return rc;
}

static int read_all(struct pool *p, bool check, enum pool_read what, struct ybd_error *err)
{
	struct ybd_error why = { 0 };
	int rc;

	rc = check ? pool_super_check(p, &why) : pool_probe(p->io, &p->info, &why);
	if (rc && why.code == rc) {
		if (err)
			*err = why;
		return rc;
	}
	if (!rc)
		rc = read_rest(p, what);
	if (!rc && check)
		rc = pool_check_all(p);
	return rc ? ybd_error_sys(err, rc, "reading the pool") : 0;
}

static int open_io(struct pool_io *io, bool check, enum pool_read what, struct pool **out,
		   struct ybd_error *err)
{
	struct pool *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return ybd_error_sys(err, -ENOMEM, "reading the pool");
	p->io = io;
	rc = read_all(p, check, what, err);
	if (rc) {
		pool_close(p);
		return rc;
	}
	*out = p;
	return 0;
}

int pool_open(struct pool_io *io, enum pool_read what, struct pool **out, struct ybd_error *err)
{
	return open_io(io, false, what, out, err);
}

int pool_check(struct pool_io *io, struct pool **out, struct ybd_error *err)
{
	return open_io(io, true, POOL_READ_ALL, out, err);
}

void pool_close(struct pool *p)
{
	if (!p)
		return;
	pool_table_free(&p->segments);
	pool_table_free(&p->chunks);
	pool_report_free(&p->report);
	pool_cache_free(p);
	pool_check_free(p);
	free(p->upper);
	free(p);
}
