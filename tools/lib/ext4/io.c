// SPDX-License-Identifier: GPL-2.0-only
/*
 * libext2fs reads and writes metadata a block at a time, most blocks many times: those are kept,
 * and written in order of their numbers when the cache is full or all is done. File data are
 * written once and never read, so they only wait for those that come behind them on the device.
 */
#include <stdlib.h>

#include "../util.h"
#include "priv.h"

#define BUCKETS		(EXTFS_CACHE_BLOCKS * 2)
#define RUN_BLOCKS	(EXTFS_RUN_BYTES / IMGFS_BLOCK)

/* ---- file data ---- */

static int run_flush(struct extfs *e)
{
	struct extfs_run *r = &e->run;
	u32 nr = r->nr;

	r->nr = 0;
	if (!nr)
		return 0;
	return e->b->ops->write(e->b, r->blk * IMGFS_BLOCK, r->data, (size_t)nr * IMGFS_BLOCK);
}

int extfs_io_data(struct extfs *e, u64 blk, const void *buf, u32 nr)
{
	struct extfs_run *r = &e->run;
	const u8 *p = buf;
	int rc;

	while (nr) {
		u32 n = RUN_BLOCKS - r->nr;

		if (r->nr && (blk != r->blk + r->nr || !n)) {
			rc = run_flush(e);
			if (rc)
				return rc;
			continue;
		}
		if (!r->nr) {
			/* so that the next ones begin where a long write is aligned */
			r->blk = blk;
			n = RUN_BLOCKS - (u32)(blk % RUN_BLOCKS);
		}
		n = n < nr ? n : nr;
		if ((r->blk + r->nr) % RUN_BLOCKS + n > RUN_BLOCKS)
			n = RUN_BLOCKS - (u32)((r->blk + r->nr) % RUN_BLOCKS);
		memcpy(r->data + (size_t)r->nr * IMGFS_BLOCK, p, (size_t)n * IMGFS_BLOCK);
		r->nr += n;
		p += (size_t)n * IMGFS_BLOCK;
		blk += n;
		nr -= n;
		if (!((r->blk + r->nr) % RUN_BLOCKS)) {
			rc = run_flush(e);
			if (rc)
				return rc;
		}
	}
	return 0;
}

static bool in_run(const struct extfs *e, u64 blk, u64 nr)
{
	return e->run.nr && blk < e->run.blk + e->run.nr && e->run.blk < blk + nr;
}

/* ---- the cache ---- */

static u8 *slot_data(struct extfs_cache *c, u32 i)
{
	return c->data + (size_t)i * IMGFS_BLOCK;
}

static u32 bucket_of(u64 blk)
{
	return (u32)((blk * 0x9e3779b97f4a7c15ull) >> 40) % BUCKETS;
}

/* Its slot, or -1. */
static int cache_find(const struct extfs_cache *c, u64 blk)
{
	u32 i;

	for (i = c->bucket[bucket_of(blk)]; i; i = c->slot[i - 1].next)
		if (c->slot[i - 1].blk == blk)
			return (int)i - 1;
	return -1;
}

static int by_block(const void *a, const void *b, void *arg)
{
	const struct extfs_slot *slot = arg;
	u64 x = slot[*(const u32 *)a].blk, y = slot[*(const u32 *)b].blk;

	return x < y ? -1 : x > y;
}

static int write_dirty(struct extfs *e)
{
	struct extfs_cache *c = &e->cache;
	u32 n = 0;
	int rc;

	for (u32 i = 0; i < c->used; i++)
		if (c->slot[i].dirty)
			c->order[n++] = i;
	qsort_r(c->order, n, sizeof(*c->order), by_block, c->slot);
	for (u32 i = 0; i < n; i++) {
		rc = extfs_io_data(e, c->slot[c->order[i]].blk, slot_data(c, c->order[i]), 1);
		if (rc)
			return rc;
		c->slot[c->order[i]].dirty = false;
	}
	return run_flush(e);
}

/* A slot for a block that has none; what is in it is up to the caller. -errno. */
static int cache_add(struct extfs *e, u64 blk)
{
	struct extfs_cache *c = &e->cache;
	u32 i, *bucket = &c->bucket[bucket_of(blk)];
	int rc;

	if (c->used == EXTFS_CACHE_BLOCKS) {
		rc = run_flush(e);
		if (!rc)
			rc = write_dirty(e);
		if (rc)
			return rc;
		memset(c->bucket, 0, BUCKETS * sizeof(*c->bucket));
		c->used = 0;
	}
	i = c->used++;
	c->slot[i] = (struct extfs_slot){ .blk = blk, .next = *bucket };
	*bucket = i + 1;
	return (int)i;
}

static int read_block(struct extfs *e, u64 blk, void *buf)
{
	int i = cache_find(&e->cache, blk), rc;

	if (i < 0) {
		i = cache_add(e, blk);
		if (i < 0)
			return i;
		rc = in_run(e, blk, 1) ? run_flush(e) : 0;
		if (!rc)
			rc = e->b->ops->read(e->b, blk * IMGFS_BLOCK, slot_data(&e->cache, (u32)i),
					     IMGFS_BLOCK);
		if (rc) {
			/* the next one to want it reads it again */
			e->cache.slot[i].blk = UINT64_MAX;
			return rc;
		}
	}
	if (buf)
		memcpy(buf, slot_data(&e->cache, (u32)i), IMGFS_BLOCK);
	return 0;
}

static int write_block(struct extfs *e, u64 blk, const void *buf)
{
	int i = cache_find(&e->cache, blk);

	if (i < 0) {
		int rc = in_run(e, blk, 1) ? run_flush(e) : 0;

		if (rc)
			return rc;
		i = cache_add(e, blk);
		if (i < 0)
			return i;
	}
	memcpy(slot_data(&e->cache, (u32)i), buf, IMGFS_BLOCK);
	e->cache.slot[i].dirty = true;
	return 0;
}

void extfs_io_forget(struct extfs *e, u64 blk, u64 nr)
{
	for (u64 k = 0; k < nr; k++) {
		int i = cache_find(&e->cache, blk + k);

		if (i >= 0)
			e->cache.slot[i].dirty = false;
	}
}

int extfs_io_flush(struct extfs *e)
{
	int rc = run_flush(e);

	return rc ? rc : write_dirty(e);
}

/* ---- libext2fs's view ---- */

/* Its open() only gets a name. */
static __thread struct extfs *opening;

static struct extfs *of(io_channel c)
{
	return c->private_data;
}

/* A positive errno is an errcode_t. */
static errcode_t code(int rc)
{
	return -rc;
}

static errcode_t io_open(const char *name, int flags, io_channel *out)
{
	io_channel c = calloc(1, sizeof(*c));

	if (!c)
		return EXT2_ET_NO_MEMORY;
	c->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	c->manager = extfs_io_manager(opening);
	c->name = strdup(name);
	c->block_size = IMGFS_BLOCK;
	c->refcount = 1;
	c->private_data = opening;
	if (!c->name) {
		free(c);
		return EXT2_ET_NO_MEMORY;
	}
	*out = c;
	return 0;
}

static errcode_t io_close(io_channel c)
{
	if (--c->refcount > 0)
		return 0;
	free(c->name);
	free(c);
	return 0;
}

static errcode_t io_set_blksize(io_channel c, int size)
{
	c->block_size = size;
	return 0;
}

/* The bytes of a request, whose block size may be that of the superblock. */
static void range(io_channel c, u64 block, int count, u64 *off, u64 *len)
{
	*off = block * (u64)c->block_size;
	*len = count < 0 ? (u64)-(int64_t)count : (u64)count * (u64)c->block_size;
}

static errcode_t io_read(io_channel c, unsigned long long block, int count, void *data)
{
	struct extfs *e = of(c);
	u8 *p = data, tmp[IMGFS_BLOCK];
	u64 off, len;
	int rc;

	range(c, block, count, &off, &len);
	if (off > e->b->size || len > e->b->size - off)
		return EXT2_ET_SHORT_READ;
	while (len) {
		u32 in = (u32)(off % IMGFS_BLOCK);
		u64 n = IMGFS_BLOCK - in < len ? IMGFS_BLOCK - in : len;

		rc = read_block(e, off / IMGFS_BLOCK, tmp);
		if (rc)
			return code(rc);
		memcpy(p, tmp + in, n);
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

static errcode_t write_bytes(struct extfs *e, u64 off, u64 len, const void *data)
{
	const u8 *p = data;
	u8 tmp[IMGFS_BLOCK];
	int rc;

	if (off > e->b->size || len > e->b->size - off)
		return EXT2_ET_SHORT_WRITE;
	while (len) {
		u32 in = (u32)(off % IMGFS_BLOCK);
		u64 n = IMGFS_BLOCK - in < len ? IMGFS_BLOCK - in : len;
		const u8 *from = p;

		if (n < IMGFS_BLOCK) {
			rc = read_block(e, off / IMGFS_BLOCK, tmp);
			if (rc)
				return code(rc);
			memcpy(tmp + in, p, n);
			from = tmp;
		}
		rc = write_block(e, off / IMGFS_BLOCK, from);
		if (rc)
			return code(rc);
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

static errcode_t io_write(io_channel c, unsigned long long block, int count, const void *data)
{
	u64 off, len;

	range(c, block, count, &off, &len);
	return write_bytes(of(c), off, len, data);
}

static errcode_t io_read32(io_channel c, unsigned long block, int count, void *data)
{
	return io_read(c, block, count, data);
}

static errcode_t io_write32(io_channel c, unsigned long block, int count, const void *data)
{
	return io_write(c, block, count, data);
}

static errcode_t io_write_byte(io_channel c, unsigned long off, int count, const void *data)
{
	return count < 0 ? EXT2_ET_INVALID_ARGUMENT :
	       write_bytes(of(c), off, (u64)count, data);
}

/* What it wants on the device when it flushes in the middle may wait: nobody else reads. */
static errcode_t io_flush(io_channel c)
{
	return 0;
}

static errcode_t io_zeroout(io_channel c, unsigned long long block, unsigned long long count)
{
	struct extfs *e = of(c);
	int rc;

	if (c->block_size != (int)IMGFS_BLOCK || block > e->b->size / IMGFS_BLOCK ||
	    count > e->b->size / IMGFS_BLOCK - block)
		return EXT2_ET_UNIMPLEMENTED;
	rc = in_run(e, block, count) ? run_flush(e) : 0;
	for (u64 i = 0; !rc && i < count; i++) {
		int slot = cache_find(&e->cache, block + i);

		if (slot < 0)
			continue;
		memset(slot_data(&e->cache, (u32)slot), 0, IMGFS_BLOCK);
		e->cache.slot[slot].dirty = false;
	}
	if (!rc)
		rc = e->b->ops->zero(e->b, block * IMGFS_BLOCK, count * IMGFS_BLOCK);
	return code(rc);
}

io_manager extfs_io_manager(struct extfs *e)
{
	static struct struct_io_manager manager = {
		.magic = EXT2_ET_MAGIC_IO_MANAGER,
		.name = "ybd",
		.open = io_open,
		.close = io_close,
		.set_blksize = io_set_blksize,
		.read_blk = io_read32,
		.write_blk = io_write32,
		.flush = io_flush,
		.write_byte = io_write_byte,
		.read_blk64 = io_read,
		.write_blk64 = io_write,
		.zeroout = io_zeroout,
	};

	opening = e;
	return &manager;
}

int extfs_io_init(struct extfs *e, struct ybd_error *err)
{
	struct extfs_cache *c = &e->cache;

	c->slot = calloc(EXTFS_CACHE_BLOCKS, sizeof(*c->slot));
	c->bucket = calloc(BUCKETS, sizeof(*c->bucket));
	c->data = malloc((size_t)EXTFS_CACHE_BLOCKS * IMGFS_BLOCK);
	c->order = calloc(EXTFS_CACHE_BLOCKS, sizeof(*c->order));
	e->run.data = malloc(EXTFS_RUN_BYTES);
	if (!c->slot || !c->bucket || !c->data || !c->order || !e->run.data)
		return ybd_error_sys(err, -ENOMEM, "ext4");
	return 0;
}

void extfs_io_free(struct extfs *e)
{
	free(e->cache.slot);
	free(e->cache.bucket);
	free(e->cache.data);
	free(e->cache.order);
	free(e->run.data);
}
