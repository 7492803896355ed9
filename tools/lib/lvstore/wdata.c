// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes of an lvol, copy-on-write by whole clusters (section 5).
 *
 * A cluster that is allocated by a small write is kept in memory, where the next small writes will
 * find it, until another one needs its place or everything is flushed. What is allocated already is
 * written in place.
 */
#include <errno.h>
#include <stdlib.h>

#include "../util.h"
#include "writer.h"

#define CACHE_BYTES	(16u << 20)
#define CACHE_MIN	4u
#define CACHE_MAX	256u
#define PIECE		4096u	/* zeros are looked for in pieces of this size */

/* ---- clusters that are not written yet ---- */

int cache_init(struct lvs_writer *w)
{
	u32 n = CACHE_BYTES / w->cluster_size;

	w->nr_cache = n < CACHE_MIN ? CACHE_MIN : n > CACHE_MAX ? CACHE_MAX : n;
	w->cache = calloc(w->nr_cache, sizeof(*w->cache));
	w->copy = malloc(w->cluster_size);
	return w->cache && w->copy ? 0 : -ENOMEM;
}

void cache_free(struct lvs_writer *w)
{
	for (u32 i = 0; w->cache && i < w->nr_cache; i++)
		free(w->cache[i].buf);
	free(w->cache);
	free(w->copy);
}

/* Clusters are allocated in a row, so they do not meet often in one place. */
static struct wcache_entry *cache_place(struct lvs_writer *w, u32 cluster)
{
	return &w->cache[cluster % w->nr_cache];
}

static struct wcache_entry *cache_find(struct lvs_writer *w, u32 cluster)
{
	struct wcache_entry *e = cache_place(w, cluster);

	return e->cluster == cluster ? e : NULL;
}

static int cache_evict(struct lvs_writer *w, struct wcache_entry *e, struct lvs_error *err)
{
	int rc = e->cluster ? cluster_write(w, e->cluster, e->buf, err) : 0;

	e->cluster = 0;
	return rc;
}

int cache_flush(struct lvs_writer *w, struct lvs_error *err)
{
	int rc = 0;

	for (u32 i = 0; i < w->nr_cache && !rc; i++)
		rc = cache_evict(w, &w->cache[i], err);
	return rc;
}

void cache_forget(struct lvs_writer *w, u32 cluster)
{
	struct wcache_entry *e = cache_find(w, cluster);

	if (e)
		e->cluster = 0;
}

/* ---- whole clusters ---- */

/* Where zeros are already, only what is other than zero is written: a file stays sparse. */
static int write_sparse(struct lvs_writer *w, u64 off, const u8 *buf)
{
	size_t at = 0;
	int rc = 0;

	while (at < w->cluster_size && !rc) {
		size_t end = at;

		while (end < w->cluster_size && !mem_is_zero(buf + end, PIECE))
			end += PIECE;
		if (end > at)
			rc = wio_write(w->io, off + at, buf + at, end - at);
		at = end + PIECE;
	}
	return rc;
}

int cluster_write(struct lvs_writer *w, u32 cluster, const u8 *buf, struct lvs_error *err)
{
	u64 off = (u64)cluster * w->cluster_size;
	int rc;

	if (!buf)
		rc = wio_zero(w->io, off, w->cluster_size);
	else if (wio_is_hole(w->io, off, w->cluster_size))
		rc = write_sparse(w, off, buf);
	else
		rc = wio_write(w->io, off, buf, w->cluster_size);
	return rc ? commit_die(w, rc, err, "writing data") : 0;
}

/* Part of what @v shows at @i: @cluster, or what is said by its place there. */
static int read_part(struct lvw_vol *v, u64 i, u32 cluster, u32 in, u8 *buf, size_t len,
		     struct lvs_error *err)
{
	struct lvs_writer *w = v->w;
	struct wcache_entry *e;
	int rc = 0;

	if (cluster == MAP_ESNAP)
		return wesnap_read(v, i * w->cluster_size + in, buf, len, err);
	e = cluster ? cache_find(w, cluster) : NULL;
	if (!cluster)
		memset(buf, 0, len);
	else if (e)
		memcpy(buf, e->buf + in, len);
	else
		rc = wio_read(w->io, (u64)cluster * w->cluster_size + in, buf, len);
	return rc ? lvs_err(err, rc, "reading data: %s", strerror(-rc)) : 0;
}

int cluster_read_below(struct lvw_vol *v, u64 i, u8 *buf, struct lvs_error *err)
{
	return read_part(v, i, map_below(v, i), 0, buf, v->w->cluster_size, err);
}

/* ---- allocating ---- */

static int no_space(const struct lvs_writer *w, struct lvs_error *err)
{
	return lvs_err(err, -ENOSPC,
		       "the store is full: %llu of %llu clusters, %llu of %u metadata pages are free",
		       (unsigned long long)w->clusters.free,
		       (unsigned long long)lvw_data_clusters(w), (unsigned long long)w->pages.free,
		       w->md_len);
}

/*
 * The map may change at @i, and @cluster is a new one for it (if not NULL). When there is none
 * left, or no metadata page, what was given back since the last commit may help.
 */
static int map_change(struct lvw_vol *v, u64 i, u32 *cluster, struct lvs_error *err)
{
	struct lvs_writer *w = v->w;

	for (int attempt = 0; attempt < 2; attempt++) {
		int rc = map_prepare(v, i);

		if (rc && rc != -ENOSPC)
			return lvs_err(err, rc, "%s", strerror(-rc));
		if (!rc && !cluster)
			return 0;
		if (!rc)
			*cluster = space_alloc(&w->clusters);
		if (!rc && *cluster)
			return 0;
		rc = attempt ? 0 : commit(w, err);
		if (rc)
			return rc;
	}
	return no_space(w, err);
}

/* @buf: the whole cluster; NULL: zeros. */
static int alloc_whole(struct lvw_vol *v, u64 i, const u8 *buf, struct lvs_error *err)
{
	u32 cluster;
	int rc = map_change(v, i, &cluster, err);

	if (rc)
		return rc;
	rc = cluster_write(v->w, cluster, buf, err);
	if (!rc)
		map_set(v, i, cluster);
	return rc;
}

/* The place for it in the cache, with what is seen there now. */
static int fill_place(struct lvw_vol *v, u64 i, u32 cluster, struct lvs_error *err)
{
	struct lvs_writer *w = v->w;
	struct wcache_entry *e = cache_place(w, cluster);
	int rc;

	if (!e->buf)
		e->buf = malloc(w->cluster_size);
	if (!e->buf)
		return lvs_err(err, -ENOMEM, "%s", strerror(ENOMEM));
	rc = cache_evict(w, e, err);
	if (!rc)
		rc = cluster_read_below(v, i, e->buf, err);
	if (!rc)
		e->cluster = cluster;
	return rc;
}

static int alloc_part(struct lvw_vol *v, u64 i, u32 in, const u8 *buf, size_t len,
		      struct lvs_error *err)
{
	u32 cluster;
	int rc = map_change(v, i, &cluster, err);

	if (rc)
		return rc;
	rc = fill_place(v, i, cluster, err);
	if (rc) {
		space_drop(&v->w->clusters, cluster);
		return rc;
	}
	map_set(v, i, cluster);
	memcpy(cache_place(v->w, cluster)->buf + in, buf, len);
	return 0;
}

/* ---- reading and writing ---- */

static int check_range(const struct lvw_vol *v, u64 off, u64 len, struct lvs_error *err)
{
	u64 size = lvw_vol_size(v);

	if (off <= size && len <= size - off)
		return 0;
	return lvs_err(err, -ERANGE, "bytes %llu to %llu, the lvol has %llu",
		       (unsigned long long)off, (unsigned long long)(off + len),
		       (unsigned long long)size);
}

int lvw_pread(struct lvw_vol *v, uint64_t off, void *buf, size_t len, struct lvs_error *err)
{
	u32 cs = v->w->cluster_size;
	int rc = check_range(v, off, len, err);
	u8 *p = buf;

	while (len && !rc) {
		u32 in = (u32)(off % cs);
		size_t n = len < cs - in ? len : cs - in;

		rc = read_part(v, off / cs, map_resolve(v, off / cs), in, p, n, err);
		p += n;
		off += n;
		len -= n;
	}
	return rc;
}

static int write_in_place(struct lvs_writer *w, u32 cluster, u32 in, const u8 *buf, size_t len,
			  struct lvs_error *err)
{
	struct wcache_entry *e = cache_find(w, cluster);
	int rc;

	if (e) {
		memcpy(e->buf + in, buf, len);
		return 0;
	}
	rc = wio_write(w->io, (u64)cluster * w->cluster_size + in, buf, len);
	return rc ? commit_die(w, rc, err, "writing data") : 0;
}

/* Inside one cluster. */
static int write_part(struct lvw_vol *v, u64 i, u32 in, const u8 *buf, size_t len,
		      struct lvs_error *err)
{
	u32 cluster = map_get(v, i);

	if (cluster)
		return write_in_place(v->w, cluster, in, buf, len, err);
	if (!map_below(v, i) && mem_is_zero(buf, len))
		return 0;
	if (len == v->w->cluster_size)
		return alloc_whole(v, i, buf, err);
	return alloc_part(v, i, in, buf, len, err);
}

static int write_begin(struct lvw_vol *v, u64 off, u64 len, struct lvs_error *err)
{
	int rc = check_range(v, off, len, err);

	if (!rc && vol_is_ro(v))
		rc = lvs_err(err, -EROFS, "\"%s\" is read-only", v->name);
	return rc ? rc : commit_begin(v->w, err);
}

int lvw_pwrite(struct lvw_vol *v, uint64_t off, const void *buf, size_t len,
	       struct lvs_error *err)
{
	u32 cs = v->w->cluster_size;
	int rc = write_begin(v, off, len, err);
	const u8 *p = buf;

	while (len && !rc) {
		u32 in = (u32)(off % cs);
		size_t n = len < cs - in ? len : cs - in;

		rc = write_part(v, off / cs, in, p, n, err);
		p += n;
		off += n;
		len -= n;
	}
	return rc;
}

static int give_back(struct lvw_vol *v, u64 i, struct lvs_error *err)
{
	u32 cluster = map_get(v, i);
	int rc = map_change(v, i, NULL, err);

	if (rc)
		return rc;
	if (space_give_back(&v->w->clusters, cluster))
		return lvs_err(err, -ENOMEM, "%s", strerror(ENOMEM));
	cache_forget(v->w, cluster);
	map_set(v, i, 0);
	return 0;
}

static int zero_whole(struct lvw_vol *v, u64 i, struct lvs_error *err)
{
	u32 cluster = map_get(v, i), below = map_below(v, i);

	if (!cluster)
		return below ? alloc_whole(v, i, NULL, err) : 0;
	if (!below && vol_flag(v, LVS_INVALID_THIN))
		return give_back(v, i, err);
	cache_forget(v->w, cluster);
	return cluster_write(v->w, cluster, NULL, err);
}

static int zero_part(struct lvw_vol *v, u64 i, u32 in, size_t len, struct lvs_error *err)
{
	static const u8 zeros[PIECE];
	int rc = 0;

	while (len && !rc) {
		size_t n = len < PIECE ? len : PIECE;

		rc = write_part(v, i, in, zeros, n, err);
		in += (u32)n;
		len -= n;
	}
	return rc;
}

int lvw_zero(struct lvw_vol *v, uint64_t off, uint64_t len, struct lvs_error *err)
{
	u32 cs = v->w->cluster_size;
	int rc = write_begin(v, off, len, err);

	while (len && !rc) {
		u32 in = (u32)(off % cs);
		size_t n = len < cs - in ? (size_t)len : cs - in;

		rc = n == cs ? zero_whole(v, off / cs, err) :
			       zero_part(v, off / cs, in, n, err);
		off += n;
		len -= n;
	}
	return rc;
}

/* ---- where there is something ---- */

static u64 next_where(struct lvw_vol *v, u64 off, bool data)
{
	u32 cs = v->w->cluster_size;
	u64 i = off / cs;

	while (i < v->clusters && !!map_resolve(v, i) != data)
		i++;
	if (i >= v->clusters)
		return lvw_vol_size(v);
	return i * cs > off ? i * cs : off;
}

uint64_t lvw_next_data(struct lvw_vol *v, uint64_t off)
{
	return next_where(v, off, true);
}

uint64_t lvw_next_hole(struct lvw_vol *v, uint64_t off)
{
	return next_where(v, off, false);
}
