// SPDX-License-Identifier: GPL-2.0-only
/*
 * The RAM upper. A block of 4 KiB is in one of three states:
 *
 *   lower  the image has it
 *   zero   it reads as zeroes: discarded, or zeroed without a write
 *   owned  a page of the upper has it
 *
 * 64 blocks make a chunk. A chunk that was never touched is absent; one that
 * was only ever discarded as a whole is a value in the XArray instead of an
 * object. A chunk that exists stays until the upper goes, so that a pointer
 * to it needs no reference; its pages go when they are discarded.
 *
 * A block of which the image has anything never goes back to "lower". What
 * was read from the image for a short write is therefore still right, or no
 * longer needed, when it comes to be merged: no block has to be locked while
 * the image is read.
 */
#include <linux/bio.h>
#include <linux/cgroup.h>
#include <linux/highmem.h>
#include <linux/memcontrol.h>
#include <linux/netlink.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "bio_copy.h"
#include "device.h"
#include "image.h"
#include "slow.h"
#include "trace.h"
#include "upper_ram.h"

#define CHUNK_SHIFT	6
#define CHUNK_BLOCKS	64U
#define CHUNK_SECTORS	(CHUNK_BLOCKS * YBD_BLOCK_SECTORS)
/* In place of a chunk of which every block is zero. */
#define CHUNK_ZERO	xa_mk_value(1)
/* What such a value costs, as part of a node of the XArray. */
#define CHUNK_ZERO_BYTES	16

/**
 * struct ram_chunk - 64 blocks
 * @lock: protects all below; taken alone, never held over an allocation
 * @owned: bit per block: @page has it
 * @upper: bit per block: it is no longer the image's, but owned or zero; never
 *	cleared, so that a look at it without @lock cannot catch a block on
 *	its way from one to the other
 * @page: the pages of the owned blocks
 */
struct ram_chunk {
	spinlock_t	lock;	/* the fields below */
	u64		owned;
	u64		upper;
	struct page	*page[CHUNK_BLOCKS];
};

/**
 * struct ybd_ram - a RAM upper
 * @chunks: chunk number -> chunk, CHUNK_ZERO or nothing
 * @used: bytes of pages and chunks
 * @limit: most bytes in @used
 * @memcg: who pays, or NULL for nobody; one reference
 */
struct ybd_ram {
	struct xarray		chunks;
	atomic64_t		used;
	u64			limit;
	struct mem_cgroup	*memcg;
};

/**
 * struct ram_request - how one bio may allocate, and what it has in hand
 * @dev: the device
 * @hint: a discard, which may as well not be done
 * @gfp: for pages and chunks
 * @spare: pages allocated and charged beforehand, linked by page_private
 */
struct ram_request {
	struct ybd_device	*dev;
	bool			hint;
	gfp_t			gfp;
	struct page		*spare;
};

static struct kmem_cache *ram_chunk_cache;

static void ram_request_init(struct ram_request *req, struct ybd_device *dev,
			     const struct bio *bio)
{
	req->dev = dev;
	req->hint = bio_op(bio) == REQ_OP_DISCARD;
	req->spare = NULL;
	if (bio->bi_opf & REQ_NOWAIT)
		req->gfp = GFP_NOWAIT;
	else
		/* Tries hard, but fails rather than have anything killed. */
		req->gfp = GFP_NOIO | __GFP_RETRY_MAYFAIL;
	/* Not even for those who free memory: these pages are not given back. */
	req->gfp |= __GFP_NOWARN | __GFP_NOMEMALLOC;
	if (dev->ram->memcg)
		req->gfp |= __GFP_ACCOUNT;
}

/* Take @bytes of the bound. */
static bool ram_charge(struct ybd_ram *ram, unsigned int bytes)
{
	s64 used = atomic64_read(&ram->used);

	/* Never above the bound, or one that fails would make others fail. */
	do {
		if (used + bytes > ram->limit)
			return false;
	} while (!atomic64_try_cmpxchg(&ram->used, &used, used + bytes));
	return true;
}

static void ram_uncharge(struct ybd_ram *ram, unsigned int bytes)
{
	atomic64_sub(bytes, &ram->used);
}

static blk_status_t ram_no_space(struct ram_request *req)
{
	if (!req->hint)
		ybd_stat_inc(req->dev->pcpu, YBD_STAT_NO_SPACE);
	return BLK_STS_NOSPC;
}

static blk_status_t ram_no_memory(struct ram_request *req)
{
	if (!gfpflags_allow_blocking(req->gfp))
		return BLK_STS_AGAIN;
	ybd_stat_inc(req->dev->pcpu, YBD_STAT_NO_MEMORY);
	return BLK_STS_RESOURCE;
}

static struct page *ram_page_alloc(struct ram_request *req, blk_status_t *status)
{
	struct ybd_ram *ram = req->dev->ram;
	struct page *page = req->spare;
	struct mem_cgroup *old;

	if (page) {
		req->spare = (struct page *)page_private(page);
		set_page_private(page, 0);
		return page;
	}
	if (!ram_charge(ram, PAGE_SIZE)) {
		*status = ram_no_space(req);
		return NULL;
	}
	old = set_active_memcg(ram->memcg);
	page = alloc_page(req->gfp | __GFP_HIGHMEM);
	set_active_memcg(old);
	if (!page) {
		ram_uncharge(ram, PAGE_SIZE);
		*status = ram_no_memory(req);
	}
	return page;
}

static void ram_page_free(struct ybd_ram *ram, struct page *page)
{
	__free_page(page);
	ram_uncharge(ram, PAGE_SIZE);
}

/* Free a list linked by page_private; return how many pages it had. */
static unsigned int ram_free_list(struct ybd_ram *ram, struct page *list)
{
	unsigned int nr = 0;

	while (list) {
		struct page *next = (struct page *)page_private(list);

		set_page_private(list, 0);
		ram_page_free(ram, list);
		list = next;
		nr++;
	}
	return nr;
}

/* Put @chunk, or CHUNK_ZERO, where @old is expected; whose entry is there? */
static void *ram_chunk_insert(struct ram_request *req, unsigned long index, void *old,
			      void *entry)
{
	struct ybd_ram *ram = req->dev->ram;
	struct mem_cgroup *memcg = set_active_memcg(ram->memcg);
	void *was = xa_cmpxchg(&ram->chunks, index, old, entry, req->gfp & ~__GFP_ACCOUNT);

	set_active_memcg(memcg);
	return was;
}

static struct ram_chunk *ram_chunk_new(struct ram_request *req, bool zero)
{
	struct mem_cgroup *memcg = set_active_memcg(req->dev->ram->memcg);
	struct ram_chunk *chunk = kmem_cache_zalloc(ram_chunk_cache, req->gfp);

	set_active_memcg(memcg);
	if (!chunk)
		return NULL;
	spin_lock_init(&chunk->lock);
	if (zero)
		chunk->upper = U64_MAX;
	return chunk;
}

/* The chunk of a block, made if need be; NULL with @status set if it can't. */
static struct ram_chunk *ram_chunk_get(struct ram_request *req, unsigned long index,
				       blk_status_t *status)
{
	struct ybd_ram *ram = req->dev->ram;
	struct ram_chunk *chunk;
	void *entry, *was;

	for (;;) {
		entry = xa_load(&ram->chunks, index);
		if (likely(entry && !xa_is_value(entry)))
			return entry;
		if (!ram_charge(ram, sizeof(*chunk))) {
			*status = ram_no_space(req);
			return NULL;
		}
		chunk = ram_chunk_new(req, entry);
		if (!chunk)
			break;
		was = ram_chunk_insert(req, index, entry, chunk);
		if (was == entry)
			return chunk;
		kmem_cache_free(ram_chunk_cache, chunk);
		if (xa_is_err(was))
			break;
		/* Somebody was faster. */
		ram_uncharge(ram, sizeof(*chunk));
	}
	ram_uncharge(ram, sizeof(*chunk));
	*status = ram_no_memory(req);
	return NULL;
}

/* Has the image nothing but a hole in these blocks? */
static bool ram_lower_is_hole(struct ybd_device *dev, sector_t block, unsigned int nr)
{
	unsigned int sectors = nr * YBD_BLOCK_SECTORS;
	struct ybd_map_run run;

	ybd_map_lookup(&dev->image->map, block * YBD_BLOCK_SECTORS, sectors, &run);
	return run.source == YBD_MAP_HOLE && run.nr == sectors;
}

/* Sectors from @sector on, at most @nr, that the image still has. */
static unsigned int ram_lower_run(struct ybd_ram *ram, sector_t sector, unsigned int nr)
{
	sector_t pos = sector, end = sector + nr;
	u64 taken = 0;

	while (pos < end && !taken) {
		sector_t block = pos / YBD_BLOCK_SECTORS;
		unsigned int index = block & (CHUNK_BLOCKS - 1);
		struct ram_chunk *chunk = xa_load(&ram->chunks, block >> CHUNK_SHIFT);

		if (xa_is_value(chunk))
			break;
		if (chunk)
			taken = READ_ONCE(chunk->upper) >> index;
		block += taken ? __ffs64(taken) : CHUNK_BLOCKS - index;
		pos = max(pos, block * YBD_BLOCK_SECTORS);
	}
	return min(pos, end) - sector;
}

/* Serve @len bytes within one block; false if the image has the block. */
static bool ram_read_block(struct ybd_ram *ram, struct bio *bio, sector_t block,
			   unsigned int offset, unsigned int len)
{
	struct ram_chunk *chunk = xa_load(&ram->chunks, block >> CHUNK_SHIFT);
	unsigned int index = block & (CHUNK_BLOCKS - 1);
	struct page *page;

	if (!chunk)
		return false;
	if (xa_is_value(chunk)) {
		ybd_bio_fill(bio, NULL, len);
		return true;
	}
	if (!(READ_ONCE(chunk->upper) >> index & 1))
		return false;
	spin_lock(&chunk->lock);
	page = chunk->page[index];
	if (page) {
		void *mem = kmap_local_page(page);

		ybd_bio_fill(bio, mem + offset, len);
		kunmap_local(mem);
	}
	spin_unlock(&chunk->lock);
	/* Not owned (any more) means zero: it never goes back to the image. */
	if (!page)
		ybd_bio_fill(bio, NULL, len);
	return true;
}

/**
 * ybd_ram_read - serve what the upper has at the front of a read
 * @dev: the device
 * @bio: advanced past what was served
 *
 * Any context. Return: 0 when nothing of the bio is left, else how many
 * sectors at its front the image has.
 */
unsigned int ybd_ram_read(struct ybd_device *dev, struct bio *bio)
{
	struct ybd_ram *ram = dev->ram;
	unsigned int run = 0;
	bool served = false;

	if (!atomic64_read(&ram->used))
		return bio_sectors(bio);
	/* The run is empty where a write came between the two looks. */
	while (bio->bi_iter.bi_size && !run) {
		sector_t sector = bio->bi_iter.bi_sector;
		unsigned int offset = (sector & (YBD_BLOCK_SECTORS - 1)) << SECTOR_SHIFT;
		unsigned int len = min(YBD_BLOCK_SIZE - offset, bio->bi_iter.bi_size);

		if (ram_read_block(ram, bio, sector / YBD_BLOCK_SECTORS, offset, len))
			served = true;
		else
			run = ram_lower_run(ram, sector, bio_sectors(bio));
	}
	if (served)
		ybd_stat_inc(dev->pcpu, YBD_STAT_UPPER_READS);
	return run;
}

/* Write @len bytes of @bio at @iter into a page. */
static void ram_fill_page(struct page *page, unsigned int offset, struct bio *bio,
			  struct bvec_iter *iter, unsigned int len)
{
	void *mem = kmap_local_page(page);

	ybd_bio_drain(bio, iter, mem + offset, len);
	kunmap_local(mem);
}

/* Write into a block that is owned; false if it is not. */
static bool ram_overwrite(struct ram_chunk *chunk, unsigned int index, struct bio *bio,
			  struct bvec_iter *iter, unsigned int offset, unsigned int len)
{
	struct page *page;

	if (!(READ_ONCE(chunk->owned) >> index & 1))
		return false;
	spin_lock(&chunk->lock);
	page = chunk->page[index];
	if (page)
		ram_fill_page(page, offset, bio, iter, len);
	spin_unlock(&chunk->lock);
	return page;
}

/*
 * Publish a filled page; false if somebody has published one before, or if the
 * block was zeroed since the page was filled up from the image.
 */
static bool ram_publish(struct ram_chunk *chunk, unsigned int index, struct page *page,
			bool from_image)
{
	bool done = false;

	spin_lock(&chunk->lock);
	if (!chunk->page[index] &&
	    !(from_image && chunk->upper >> index & 1)) {
		chunk->page[index] = page;
		WRITE_ONCE(chunk->owned, chunk->owned | BIT_ULL(index));
		WRITE_ONCE(chunk->upper, chunk->upper | BIT_ULL(index));
		done = true;
	}
	spin_unlock(&chunk->lock);
	return done;
}

/*
 * First write: fill a page beside the map, with @base (or zeroes) where the
 * bio has nothing, and publish it. Returns with @iter advanced.
 */
static blk_status_t ram_first_write(struct ram_request *req, struct ram_chunk *chunk,
				    sector_t block, struct bio *bio, struct bvec_iter *iter,
				    unsigned int offset, unsigned int len, const void *base)
{
	unsigned int index = block & (CHUNK_BLOCKS - 1);
	struct bvec_iter begin = *iter;
	blk_status_t status = BLK_STS_OK;
	struct page *page;

	page = ram_page_alloc(req, &status);
	if (!page) {
		/* The last room may have gone to a write of the same block. */
		if (!ram_overwrite(chunk, index, bio, iter, offset, len))
			return status;
		ybd_stat_inc(req->dev->pcpu, YBD_STAT_OVERWRITES);
		return BLK_STS_OK;
	}
	for (;;) {
		if (base)
			memcpy_to_page(page, 0, base, YBD_BLOCK_SIZE);
		else if (len < YBD_BLOCK_SIZE)
			clear_highpage(page);
		ram_fill_page(page, offset, bio, iter, len);
		if (ram_publish(chunk, index, page, base))
			break;
		*iter = begin;
		if (ram_overwrite(chunk, index, bio, iter, offset, len)) {
			ram_page_free(req->dev->ram, page);
			ybd_stat_inc(req->dev->pcpu, YBD_STAT_OVERWRITES);
			return BLK_STS_OK;
		}
		/* Zeroed in between: so is now what is around the data. */
		base = NULL;
	}
	trace_ybd_cow(disk_devt(req->dev->disk), block * YBD_BLOCK_SECTORS,
		      YBD_BLOCK_SECTORS);
	ybd_stat_inc(req->dev->pcpu, YBD_STAT_FIRST_WRITES);
	return BLK_STS_OK;
}

static blk_status_t ram_write_block(struct ram_request *req, struct bio *bio,
				    unsigned int offset, unsigned int len)
{
	sector_t block = bio->bi_iter.bi_sector / YBD_BLOCK_SECTORS;
	unsigned int index = block & (CHUNK_BLOCKS - 1);
	blk_status_t status = BLK_STS_OK;
	struct ram_chunk *chunk;

	chunk = ram_chunk_get(req, block >> CHUNK_SHIFT, &status);
	if (!chunk)
		return status;
	if (ram_overwrite(chunk, index, bio, &bio->bi_iter, offset, len)) {
		ybd_stat_inc(req->dev->pcpu, YBD_STAT_OVERWRITES);
		return BLK_STS_OK;
	}
	if (len < YBD_BLOCK_SIZE && !(READ_ONCE(chunk->upper) >> index & 1) &&
	    !ram_lower_is_hole(req->dev, block, 1)) {
		if (bio->bi_opf & REQ_NOWAIT)
			return BLK_STS_AGAIN;
		ybd_slow_copy_up(req->dev, bio, len);
		return BLK_STS_OK;
	}
	return ram_first_write(req, chunk, block, bio, &bio->bi_iter, offset, len, NULL);
}

/* Give up before anything is written, or make sure that nothing will wait. */
static blk_status_t ram_reserve(struct ram_request *req, struct bio *bio)
{
	sector_t sector = bio->bi_iter.bi_sector, end = bio_end_sector(bio);
	blk_status_t status = BLK_STS_OK;
	struct page *spare = NULL;

	while (sector < end && !status) {
		sector_t block = sector / YBD_BLOCK_SECTORS;
		sector_t next = min_t(sector_t, (block + 1) * YBD_BLOCK_SECTORS, end);
		unsigned int index = block & (CHUNK_BLOCKS - 1);
		struct ram_chunk *chunk;
		struct page *page;

		chunk = ram_chunk_get(req, block >> CHUNK_SHIFT, &status);
		if (!chunk)
			break;
		if (READ_ONCE(chunk->owned) >> index & 1) {
			sector = next;
			continue;
		}
		if (next - sector < YBD_BLOCK_SECTORS &&
		    !(READ_ONCE(chunk->upper) >> index & 1) &&
		    !ram_lower_is_hole(req->dev, block, 1)) {
			status = BLK_STS_AGAIN;
			break;
		}
		page = ram_page_alloc(req, &status);
		if (page) {
			set_page_private(page, (unsigned long)spare);
			spare = page;
		}
		sector = next;
	}
	req->spare = spare;
	return status;
}

/**
 * ybd_ram_write - write to the upper
 * @dev: the device
 * @bio: WRITE or WRITE_ZEROES; hooked if a part of it is less than a block.
 *	Blocks that have to be read first take a count of its remaining.
 *
 * Process context; sleeps unless the bio is REQ_NOWAIT. Return: BLK_STS_OK, or
 * BLK_STS_AGAIN before any side effect, BLK_STS_NOSPC past the bound,
 * BLK_STS_RESOURCE without memory; whole blocks are written or not.
 */
blk_status_t ybd_ram_write(struct ybd_device *dev, struct bio *bio)
{
	blk_status_t status = BLK_STS_OK;
	struct ram_request req;

	ram_request_init(&req, dev, bio);
	/* One whole block fails before it does anything; more may fail halfway. */
	if (bio->bi_opf & REQ_NOWAIT &&
	    (bio->bi_iter.bi_size != YBD_BLOCK_SIZE ||
	     bio->bi_iter.bi_sector & (YBD_BLOCK_SECTORS - 1)))
		status = ram_reserve(&req, bio);
	while (!status && bio->bi_iter.bi_size) {
		unsigned int offset = (bio->bi_iter.bi_sector & (YBD_BLOCK_SECTORS - 1))
				      << SECTOR_SHIFT;
		unsigned int len = min(YBD_BLOCK_SIZE - offset, bio->bi_iter.bi_size);

		status = ram_write_block(&req, bio, offset, len);
		/* Nobody has cut the bio to size. */
		if (gfpflags_allow_blocking(req.gfp))
			cond_resched();
	}
	ram_free_list(dev->ram, req.spare);
	return status;
}

/**
 * ybd_ram_copy_up - finish a write of less than a block
 * @dev: the device
 * @bio: the write
 * @iter: the part of it, within one block
 * @lower: that block as the image has it
 *
 * Process context, may sleep. Return: as ybd_ram_write().
 */
blk_status_t ybd_ram_copy_up(struct ybd_device *dev, struct bio *bio,
			     struct bvec_iter *iter, const void *lower)
{
	sector_t block = iter->bi_sector / YBD_BLOCK_SECTORS;
	unsigned int offset = (iter->bi_sector & (YBD_BLOCK_SECTORS - 1)) << SECTOR_SHIFT;
	unsigned int index = block & (CHUNK_BLOCKS - 1), len = iter->bi_size;
	blk_status_t status = BLK_STS_OK;
	struct ram_request req;
	struct ram_chunk *chunk;

	ram_request_init(&req, dev, bio);
	chunk = ram_chunk_get(&req, block >> CHUNK_SHIFT, &status);
	if (!chunk)
		return status;
	if (ram_overwrite(chunk, index, bio, iter, offset, len)) {
		ybd_stat_inc(dev->pcpu, YBD_STAT_OVERWRITES);
		return BLK_STS_OK;
	}
	return ram_first_write(&req, chunk, block, bio, iter, offset, len, lower);
}

/* Zero blocks [index, index + nr) of a chunk; return the pages they had. */
static struct page *ram_zero_chunk(struct ybd_device *dev, struct ram_chunk *chunk,
				   unsigned int index, unsigned int nr)
{
	u64 mask = GENMASK_ULL(index + nr - 1, index);
	struct page *list = NULL;
	unsigned long bit;
	u64 owned;

	spin_lock(&chunk->lock);
	owned = chunk->owned & mask;
	ybd_stat_add(dev->pcpu, YBD_STAT_ZEROED, hweight64(mask & (owned | ~chunk->upper)));
	WRITE_ONCE(chunk->upper, chunk->upper | mask);
	WRITE_ONCE(chunk->owned, chunk->owned & ~mask);
	while (owned) {
		bit = __ffs64(owned);
		owned &= owned - 1;
		set_page_private(chunk->page[bit], (unsigned long)list);
		list = chunk->page[bit];
		chunk->page[bit] = NULL;
	}
	spin_unlock(&chunk->lock);
	return list;
}

/* A chunk that was never touched becomes zero as a whole, without an object. */
static blk_status_t ram_zero_absent(struct ram_request *req, unsigned long index)
{
	struct ybd_ram *ram = req->dev->ram;
	void *was;

	if (!ram_charge(ram, CHUNK_ZERO_BYTES))
		return ram_no_space(req);
	was = ram_chunk_insert(req, index, NULL, CHUNK_ZERO);
	if (!was) {
		ybd_stat_add(req->dev->pcpu, YBD_STAT_ZEROED, CHUNK_BLOCKS);
		return BLK_STS_OK;
	}
	ram_uncharge(ram, CHUNK_ZERO_BYTES);
	if (xa_is_err(was))
		return ram_no_memory(req);
	/* Somebody was faster: it is no longer absent. */
	return BLK_STS_AGAIN;
}

/* Zero whole blocks within one chunk. */
static blk_status_t ram_zero_blocks(struct ram_request *req, sector_t block,
				    unsigned int nr)
{
	unsigned long index = block >> CHUNK_SHIFT;
	struct ybd_device *dev = req->dev;
	blk_status_t status = BLK_STS_OK;
	struct ram_chunk *chunk;
	unsigned int freed;

	chunk = xa_load(&dev->ram->chunks, index);
	if (xa_is_value(chunk))
		return BLK_STS_OK;
	if (!chunk) {
		if (ram_lower_is_hole(dev, block, nr))
			return BLK_STS_OK;
		if (nr == CHUNK_BLOCKS) {
			status = ram_zero_absent(req, index);
			if (status != BLK_STS_AGAIN)
				return status;
		}
		chunk = ram_chunk_get(req, index, &status);
		if (!chunk)
			return status;
	}
	freed = ram_free_list(dev->ram, ram_zero_chunk(dev, chunk,
						       block & (CHUNK_BLOCKS - 1), nr));
	ybd_stat_add(dev->pcpu, YBD_STAT_FREED, freed);
	return BLK_STS_OK;
}

/**
 * ybd_ram_zero - discard, or write zeroes
 * @dev: the device
 * @bio: DISCARD or WRITE_ZEROES; hooked if its ends are not whole blocks
 *
 * Pages are given back. The parts of blocks at the ends are written by
 * WRITE_ZEROES and left alone by DISCARD. Process context; sleeps unless the
 * bio is REQ_NOWAIT. Return: as ybd_ram_write(); done again it does the same.
 */
blk_status_t ybd_ram_zero(struct ybd_device *dev, struct bio *bio)
{
	bool discard = bio_op(bio) == REQ_OP_DISCARD;
	blk_status_t status = BLK_STS_OK;
	struct ram_request req;

	ram_request_init(&req, dev, bio);
	while (!status && bio->bi_iter.bi_size) {
		sector_t sector = bio->bi_iter.bi_sector;
		unsigned int within = sector & (YBD_BLOCK_SECTORS - 1);
		sector_t block = sector / YBD_BLOCK_SECTORS;
		unsigned int nr = bio_sectors(bio) / YBD_BLOCK_SECTORS;

		if (within || !nr) {
			unsigned int len = min_t(unsigned int, bio_sectors(bio),
						 YBD_BLOCK_SECTORS - within) << SECTOR_SHIFT;

			if (discard)
				bio_advance(bio, len);
			else
				status = ram_write_block(&req, bio, within << SECTOR_SHIFT,
							 len);
			continue;
		}
		nr = min_t(unsigned int, nr, CHUNK_BLOCKS - (block & (CHUNK_BLOCKS - 1)));
		status = ram_zero_blocks(&req, block, nr);
		/* A full upper must not keep what can be freed further on. */
		if (discard && status == BLK_STS_NOSPC)
			status = BLK_STS_OK;
		bio_advance(bio, nr * YBD_BLOCK_SIZE);
		if (gfpflags_allow_blocking(req.gfp))
			cond_resched();
	}
	return status;
}

/* Bytes held now; any context. */
u64 ybd_ram_used(const struct ybd_ram *ram)
{
	return atomic64_read(&ram->used);
}

/* Bytes that may be held; any context. */
u64 ybd_ram_limit(const struct ybd_ram *ram)
{
	return ram->limit;
}

static int ram_set_memcg(struct ybd_ram *ram, int fd, struct netlink_ext_ack *extack)
{
#ifdef CONFIG_MEMCG
	struct cgroup *cgrp = cgroup_get_from_fd(fd);
	struct cgroup_subsys_state *css;

	if (IS_ERR(cgrp)) {
		NL_SET_ERR_MSG(extack, "cgroup-fd is not the directory of a cgroup");
		return PTR_ERR(cgrp);
	}
	css = cgroup_get_e_css(cgrp, &memory_cgrp_subsys);
	cgroup_put(cgrp);
	ram->memcg = mem_cgroup_from_css(css);
	return 0;
#else
	NL_SET_ERR_MSG(extack, "cgroup-fd: this kernel has no memory cgroups");
	return -EOPNOTSUPP;
#endif
}

static void ram_put_memcg(struct ybd_ram *ram)
{
#ifdef CONFIG_MEMCG
	if (ram->memcg)
		css_put(&ram->memcg->css);
#endif
}

/**
 * ybd_ram_create - make an empty RAM upper
 * @limit: most bytes it may hold, its index included
 * @cgroup_fd: directory of the cgroup that pays, or -1 for nobody
 * @extack: told why when refused
 *
 * May sleep. Return: the upper or an error pointer.
 */
struct ybd_ram *ybd_ram_create(u64 limit, int cgroup_fd, struct netlink_ext_ack *extack)
{
	struct ybd_ram *ram;
	int ret;

	ram = kzalloc(sizeof(*ram), GFP_KERNEL);
	if (!ram)
		return ERR_PTR(-ENOMEM);
	ram->limit = limit;
	if (cgroup_fd >= 0) {
		ret = ram_set_memcg(ram, cgroup_fd, extack);
		if (ret) {
			kfree(ram);
			return ERR_PTR(ret);
		}
	}
	xa_init_flags(&ram->chunks, ram->memcg ? XA_FLAGS_ACCOUNT : 0);
	return ram;
}

/**
 * ybd_ram_destroy - free an upper and all it holds
 * @ram: no I/O is under way and none will come; may sleep
 */
void ybd_ram_destroy(struct ybd_ram *ram)
{
	struct ram_chunk *chunk;
	unsigned long index;
	unsigned int i;

	xa_for_each(&ram->chunks, index, chunk) {
		if (xa_is_value(chunk))
			continue;
		for (i = 0; i < CHUNK_BLOCKS; i++)
			if (chunk->page[i])
				__free_page(chunk->page[i]);
		kmem_cache_free(ram_chunk_cache, chunk);
		cond_resched();
	}
	xa_destroy(&ram->chunks);
	ram_put_memcg(ram);
	kfree(ram);
}

/* The cache of chunks. */
int ybd_ram_init(void)
{
	ram_chunk_cache = KMEM_CACHE(ram_chunk, 0);
	return ram_chunk_cache ? 0 : -ENOMEM;
}

void ybd_ram_exit(void)
{
	kmem_cache_destroy(ram_chunk_cache);
}
