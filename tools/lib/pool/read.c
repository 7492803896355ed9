// SPDX-License-Identifier: GPL-2.0-only
/* Blocks on their way in, many at a time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "priv.h"

/* Read at once. The fuzzer has less. */
#ifndef SCAN_BLOCKS
#define SCAN_BLOCKS	256u
#endif

/**
 * struct pool_cache - the chunk that was read last
 * @first: its first block; POOL_NO_BLOCK for none
 * @nr: blocks of it; 1 where the chunk as a whole could not be read
 * @buf: YBD_FMT_CHUNK_BLOCKS blocks
 */
struct pool_cache {
	u64 first;
	u32 nr;
	u8 *buf;
};

static struct pool_cache *cache_get(struct pool *p)
{
	struct pool_cache *c = p->cache;

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->first = POOL_NO_BLOCK;
	c->buf = pool_io_alloc(YBD_FMT_CHUNK_BLOCKS);
	if (!c->buf) {
		free(c);
		return NULL;
	}
	p->cache = c;
	return c;
}

static int cache_fill(struct pool *p, struct pool_cache *c, u64 block)
{
	int rc;

	/* segments begin at a multiple of YBD_FMT_CHUNK_BLOCKS */
	c->first = block - block % YBD_FMT_CHUNK_BLOCKS;
	c->nr = YBD_FMT_CHUNK_BLOCKS;
	rc = pool_io_read(p->io, c->first, c->buf, c->nr);
	if (!rc)
		return 0;
	c->first = block;
	c->nr = 1;
	rc = pool_io_read(p->io, block, c->buf, 1);
	if (rc)
		c->first = POOL_NO_BLOCK;
	return rc;
}

const void *pool_block(struct pool *p, u64 block, char *why)
{
	struct pool_cache *c = cache_get(p);
	int rc = c ? 0 : -ENOMEM;

	if (c && (c->first == POOL_NO_BLOCK || block < c->first || block - c->first >= c->nr))
		rc = cache_fill(p, c, block);
	if (rc) {
		snprintf(why, POOL_WHY_LEN, "it cannot be read: %s", strerror(-rc));
		return NULL;
	}
	return c->buf + (block - c->first) * YBD_FMT_BLOCK_SIZE;
}

typedef int (*scan_fn)(struct pool *p, u64 block, const u8 *b, const char *why, void *priv);

/* What cannot be read as a whole is read step by step. */
static int scan_slowly(struct pool *p, u64 first, u32 nr, u32 step, u8 *buf, scan_fn fn, void *priv)
{
	char why[POOL_WHY_LEN];
	int rc = 0;

	for (u32 i = 0; i < nr && !rc; i += step) {
		int io = pool_io_read(p->io, first + i, buf, step);

		snprintf(why, sizeof(why), "it cannot be read: %s", strerror(-io));
		rc = fn(p, first + i, io ? NULL : buf, why, priv);
	}
	return rc;
}

static int scan_some(struct pool *p, u64 first, u32 nr, u32 step, u8 *buf, scan_fn fn, void *priv)
{
	int rc = 0;

	if (pool_io_read(p->io, first, buf, nr))
		return scan_slowly(p, first, nr, step, buf, fn, priv);
	for (u32 i = 0; i < nr && !rc; i += step)
		rc = fn(p, first + i, buf + (size_t)i * YBD_FMT_BLOCK_SIZE, NULL, priv);
	return rc;
}

int pool_scan(struct pool *p, u64 first, u64 nr, u32 step, scan_fn fn, void *priv)
{
	u64 at = first, end = first + nr, data;
	u8 *buf = pool_io_alloc(SCAN_BLOCKS);
	int rc = buf ? 0 : -ENOMEM;

	while (!rc && at < end) {
		u32 n = end - at < SCAN_BLOCKS ? (u32)(end - at) : SCAN_BLOCKS;

		data = pool_io_next_data(p->io, at);
		if (data >= at + n) {
			/* on to where there is something, in whole steps */
			data = data < end ? data : end;
			at += (data - at) / step * step;
			continue;
		}
		rc = scan_some(p, at, n, step, buf, fn, priv);
		at += n;
	}
	free(buf);
	return rc;
}

void pool_cache_free(struct pool *p)
{
	if (p->cache)
		free(p->cache->buf);
	free(p->cache);
	p->cache = NULL;
}
