// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metadata of a pool: reading and writing whole blocks, and what every block
 * begins with (Documentation/pool-format.rst, section 2).
 */
#include <linux/bio.h>
#include <linux/crc32c.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "pool_priv.h"

#define RW_BLOCKS_MAX	YBD_FMT_CHUNK_BLOCKS

/* Not once it has failed: nobody knows what of it is there. */
static int pool_submit_wait(struct ybd_pool *pool, struct bio *bio)
{
	int ret = pool_has_failed(pool) ? -EIO : submit_bio_wait(bio);

	if (bio->bi_status)
		ybd_pool_io_error(pool, bio->bi_status);
	bio_uninit(bio);
	return ret;
}

/**
 * ybd_pool_buf_alloc - memory for ybd_pool_rw()
 * @nr: blocks
 * @gfp: GFP_KERNEL or GFP_NOIO, maybe with __GFP_ZERO
 *
 * Not from kmalloc(): what is below may take references to the pages, as 9p does
 * below a loop device. Of large ones of kmalloc(), iov_iter_get_pages_alloc2() of 7.3
 * takes one that put_page() does not drop, and they are freed with it.
 *
 * May sleep. Return: for ybd_pool_buf_free(), or NULL.
 */
void *ybd_pool_buf_alloc(unsigned int nr, gfp_t gfp)
{
	return __vmalloc((size_t)nr << YBD_BLOCK_SHIFT, gfp | __GFP_NOWARN);
}

/* May sleep. */
void ybd_pool_buf_free(void *buf)
{
	vfree(buf);
}

/**
 * ybd_pool_rw - read or write blocks, and wait
 * @pool: the pool
 * @opf: REQ_OP_READ or REQ_OP_WRITE, with flags
 * @block: the first
 * @mem: of ybd_pool_buf_alloc(), or a page
 * @nr: how many blocks, at most 16
 *
 * May sleep; not below submit_bio(). Return: 0 or a negative errno.
 */
int ybd_pool_rw(struct ybd_pool *pool, blk_opf_t opf, u64 block, void *mem, unsigned int nr)
{
	struct bio_vec vec[RW_BLOCKS_MAX];
	struct bio bio;
	unsigned int i;

	bio_init(&bio, pool->b.bdev, vec, RW_BLOCKS_MAX, opf | REQ_META | REQ_SYNC);
	bio.bi_iter.bi_sector = block * YBD_BLOCK_SECTORS;
	for (i = 0; i < nr; i++, mem += YBD_BLOCK_SIZE) {
		struct page *page = is_vmalloc_addr(mem) ? vmalloc_to_page(mem) :
							   virt_to_page(mem);

		__bio_add_page(&bio, page, YBD_BLOCK_SIZE, 0);
	}
	return pool_submit_wait(pool, &bio);
}

/**
 * ybd_pool_flush - make durable what was written
 * @pool: the pool
 *
 * May sleep; not below submit_bio(). Return: 0 or a negative errno.
 */
int ybd_pool_flush(struct ybd_pool *pool)
{
	struct bio bio;

	bio_init(&bio, pool->b.bdev, NULL, 0, REQ_OP_WRITE | REQ_PREFLUSH);
	return pool_submit_wait(pool, &bio);
}

static u32 fmt_crc(const void *mem)
{
	const struct ybd_fmt_header *h = mem;
	const size_t head = offsetof(struct ybd_fmt_header, crc);
	const size_t rest = head + sizeof(h->crc);
	__le32 zero = 0;
	u32 crc;

	crc = crc32c(~0, mem, head);
	crc = crc32c(crc, &zero, sizeof(zero));
	return ~crc32c(crc, mem + rest, YBD_FMT_BLOCK_SIZE - rest);
}

/**
 * ybd_fmt_seal - fill in what a block begins with
 * @pool: the pool
 * @mem: the block
 * @magic: YBD_FMT_MAGIC_*
 * @owner: uuid of the upper it belongs to, or NULL
 * @block: where it goes
 * @seq: which version it is
 */
void ybd_fmt_seal(const struct ybd_pool *pool, void *mem, u64 magic, const uuid_t *owner,
		  u64 block, u64 seq)
{
	struct ybd_fmt_header *h = mem;

	h->magic = cpu_to_le64(magic);
	h->reserved = 0;
	export_uuid(h->pool_uuid, &pool->uuid);
	export_uuid(h->owner, owner ?: &uuid_null);
	h->block = cpu_to_le64(block);
	h->seq = cpu_to_le64(seq);
	h->crc = cpu_to_le32(fmt_crc(mem));
}

/**
 * ybd_fmt_valid - is it a whole block of this kind, and the one asked for?
 * @pool: the pool
 * @mem: the block
 * @magic: YBD_FMT_MAGIC_*
 * @owner: as in ybd_fmt_seal()
 * @block: where it was read
 */
bool ybd_fmt_valid(const struct ybd_pool *pool, const void *mem, u64 magic,
		   const uuid_t *owner, u64 block)
{
	const struct ybd_fmt_header *h = mem;
	uuid_t pool_uuid, owner_uuid;

	import_uuid(&pool_uuid, h->pool_uuid);
	import_uuid(&owner_uuid, h->owner);
	return le64_to_cpu(h->magic) == magic && le64_to_cpu(h->block) == block &&
	       !h->reserved && uuid_equal(&pool_uuid, &pool->uuid) &&
	       uuid_equal(&owner_uuid, owner ?: &uuid_null) &&
	       le32_to_cpu(h->crc) == fmt_crc(mem);
}
