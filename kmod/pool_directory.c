// SPDX-License-Identifier: GPL-2.0-only
/*
 * The directory of a pool: headers of uppers, two slots each
 * (Documentation/pool-format.rst, section 5).
 */
#include <linux/bitmap.h>
#include <linux/netlink.h>
#include <linux/slab.h>

#include "pool_priv.h"

/* Free places that cannot be read, of which each may take its time, in a search for one. */
#define UNREAD_MAX	8U

/* Places that are read at once. */
#define READ_PLACES	(YBD_FMT_CHUNK_BLOCKS / 2)

static u64 slot_block(const struct ybd_pool *pool, u32 place, u64 seq)
{
	return pool->directory + 2ULL * place + (seq & 1);
}

static bool is_zero(const void *mem)
{
	return !memchr_inv(mem, 0, YBD_FMT_BLOCK_SIZE);
}

/* The device's size, and what it takes of the pool. */
static bool sizes_valid(const struct ybd_fmt_upper *h)
{
	u64 nr = le64_to_cpu(h->nr_blocks), quota = le64_to_cpu(h->quota_blocks);
	u64 reserve = le64_to_cpu(h->reserve_blocks);

	return nr && nr <= YBD_FMT_UPPER_BLOCKS_MAX && quota <= U64_MAX >> YBD_BLOCK_SHIFT &&
	       reserve <= (quota ?: U64_MAX >> YBD_BLOCK_SHIFT);
}

/* Is a slot whole, and does it say what can be? */
static bool slot_valid(const struct ybd_pool *pool, u64 block, const struct ybd_fmt_upper *h)
{
	u32 state = le32_to_cpu(h->state), size = le32_to_cpu(h->block_size);
	uuid_t owner;

	import_uuid(&owner, h->h.owner);
	if (!ybd_fmt_valid(pool, h, YBD_FMT_MAGIC_UPPER, &owner, block) || !h->generation ||
	    (le64_to_cpu(h->h.seq) & 1) != ((block - pool->directory) & 1) ||
	    h->ckpt_reserved || memchr_inv(h->reserved, 0, sizeof(h->reserved)))
		return false;
	if (state == YBD_FMT_UPPER_FREE)
		return true;
	return state == YBD_FMT_UPPER_LIVE && (size == 512 || size == 4096) &&
	       !uuid_is_null(&owner) && h->name[0] &&
	       strnlen(h->name, sizeof(h->name)) < sizeof(h->name) &&
	       !(le32_to_cpu(h->flags) & ~YBD_FMT_UPPER_FLAGS) && sizes_valid(h) &&
	       pool_in_data(pool, le64_to_cpu(h->log)) &&
	       pool_in_data(pool, le64_to_cpu(h->layers));
}

/*
 * Which of two slots is right? NULL when both are zeroes; an error pointer
 * when nothing is known of the place.
 */
static const struct ybd_fmt_upper *slot_right(const struct ybd_pool *pool, u32 place,
					      const struct ybd_fmt_upper *slot)
{
	bool valid[2];
	int i;

	for (i = 0; i < 2; i++)
		valid[i] = slot_valid(pool, slot_block(pool, place, i), &slot[i]);
	if (valid[0] && valid[1])
		return le64_to_cpu(slot[0].h.seq) > le64_to_cpu(slot[1].h.seq) ? &slot[0] :
										 &slot[1];
	if (valid[0] || valid[1])
		return valid[0] ? &slot[0] : &slot[1];
	return is_zero(&slot[0]) && is_zero(&slot[1]) ? NULL : ERR_PTR(-EUCLEAN);
}

/**
 * ybd_pool_header_read - read the header of an upper
 * @pool: the pool
 * @place: number of the upper
 * @header: the newer valid slot; zeroes if there was never one
 *
 * May sleep. Return: 0, -EUCLEAN when no slot is valid, or another negative
 * errno.
 */
int ybd_pool_header_read(struct ybd_pool *pool, u32 place, struct ybd_fmt_upper *header)
{
	const struct ybd_fmt_upper *right;
	struct ybd_fmt_upper *slot;
	int ret;

	slot = ybd_pool_buf_alloc(2, GFP_KERNEL);
	if (!slot)
		return -ENOMEM;
	ret = ybd_pool_rw(pool, REQ_OP_READ, slot_block(pool, place, 0), slot, 2);
	if (!ret) {
		right = slot_right(pool, place, slot);
		if (IS_ERR(right))
			ret = PTR_ERR(right);
		else if (right)
			memcpy(header, right, sizeof(*header));
		else
			memset(header, 0, sizeof(*header));
	}
	ybd_pool_buf_free(slot);
	return ret;
}

/**
 * ybd_pool_header_write - write the next version of a header
 * @pool: the pool
 * @place: number of the upper
 * @header: page-aligned; its owner and sequence number are those of the version
 *	before, the latter is raised
 *
 * What was written before is durable before the header is. May sleep; not below
 * submit_bio(). Return: 0 or a negative errno; then either version may be there.
 */
int ybd_pool_header_write(struct ybd_pool *pool, u32 place, struct ybd_fmt_upper *header)
{
	u64 seq = le64_to_cpu(header->h.seq) + 1;
	u64 block = slot_block(pool, place, seq);
	uuid_t owner;

	import_uuid(&owner, header->h.owner);
	ybd_fmt_seal(pool, header, YBD_FMT_MAGIC_UPPER, &owner, block, seq);
	return ybd_pool_rw(pool, REQ_OP_WRITE | REQ_PREFLUSH | REQ_FUA, block, header, 1);
}

static struct pool_place *place_new(struct ybd_pool *pool, u32 nr,
				    const struct ybd_fmt_upper *header)
{
	struct pool_place *place = kzalloc(sizeof(*place), GFP_KERNEL);
	int ret;

	if (!place)
		return ERR_PTR(-ENOMEM);
	import_uuid(&place->uuid, header->h.owner);
	place->generation = le32_to_cpu(header->generation);
	memcpy(place->name, header->name, sizeof(place->name));
	ret = xa_err(xa_store(&pool->places, nr, place, GFP_KERNEL));
	if (ret) {
		kfree(place);
		return ERR_PTR(ret);
	}
	return place;
}

/* In place of one of which nothing is known: what it owns is given to nobody. */
#define PLACE_FENCED	xa_mk_value(1)

static int fence_place(struct ybd_pool *pool, u32 nr, const char *why)
{
	pr_err("pool %pUb: upper %u: %s: it and what it has cannot be used\n", &pool->uuid, nr,
	       why);
	return xa_err(xa_store(&pool->places, nr, PLACE_FENCED, GFP_KERNEL));
}

/* One of the places that the tables name. */
static int read_place(struct ybd_pool *pool, u32 nr, const struct ybd_fmt_upper *slot)
{
	const struct ybd_fmt_upper *header = slot_right(pool, nr, slot);

	if (IS_ERR(header))
		return fence_place(pool, nr, "no header is valid");
	if (!header || le32_to_cpu(header->state) != YBD_FMT_UPPER_LIVE)
		return 0;
	return PTR_ERR_OR_ZERO(place_new(pool, nr, header));
}

/*
 * Those of [@first, @first + @nr) that are named. One of which a slot cannot be read is
 * fenced: the other slot may be the older one, and what is written next would go over
 * the newer.
 */
static int read_places(struct ybd_pool *pool, u32 first, u32 nr, const unsigned long *named,
		       void *slots)
{
	int ret = ybd_pool_rw(pool, REQ_OP_READ, slot_block(pool, first, 0), slots, 2 * nr);
	bool ok = !ret;
	u32 k;

	if (pool_has_failed(pool))
		return -EIO;
	/* Says nothing of the block. */
	if (ret == -ENOMEM)
		return ret;
	for (k = 0, ret = 0; k < nr && !ret; k++) {
		if (!test_bit(first + k, named))
			continue;
		if (ok)
			ret = read_place(pool, first + k, slots + 2 * k * YBD_FMT_BLOCK_SIZE);
		else if (nr > 1)
			/* One bad block must not take the others with it. */
			ret = read_places(pool, first + k, 1, named, slots);
		else
			ret = fence_place(pool, first, "its header cannot be read");
	}
	return ret;
}

/* Whoever is live has a chunk for its log: the tables name all that matter. */
static unsigned long *named_places(struct ybd_pool *pool)
{
	unsigned long *named = bitmap_zalloc(pool->nr_uppers, GFP_KERNEL);
	u32 i, owner;

	if (!named)
		return NULL;
	for (i = 0; i < pool->segments.nr; i++) {
		owner = pool->segments.entry[i].owner;
		if (owner && owner <= pool->nr_uppers)
			__set_bit(owner - 1, named);
	}
	for (i = 0; i < pool->chunks.nr; i++) {
		owner = pool->chunks.entry[i].owner;
		if (owner && owner <= pool->nr_uppers)
			__set_bit(owner - 1, named);
	}
	return named;
}

/* Is the entry that of an upper as it is now, or may it be? */
static bool entry_counts(struct ybd_pool *pool, struct pool_owner entry)
{
	struct pool_place *place;

	if (entry.owner == YBD_FMT_OWNER_NONE)
		return false;
	if (entry.owner > pool->nr_uppers)
		return true;
	place = xa_load(&pool->places, entry.owner - 1);
	return place == PLACE_FENCED || (place && place->generation == entry.generation);
}

/* What nobody has, now that the places are known. */
static void find_free(struct ybd_pool *pool)
{
	u32 i;

	for (i = 0; i < pool->nr_segments; i++) {
		if (entry_counts(pool, pool->segments.entry[i]))
			continue;
		pool->segments.entry[i] = (struct pool_owner){};
		__set_bit(i, pool->free);
		pool->free_segments++;
	}
	for (i = 0; i < pool->chunks.nr; i++) {
		if (entry_counts(pool, pool->chunks.entry[i]))
			continue;
		pool->chunks.entry[i] = (struct pool_owner){};
		pool->free_chunks++;
	}
}

/**
 * ybd_pool_directory_read - who is there, and what is free
 * @pool: the pool, with its tables read
 *
 * May sleep. Return: 0 or a negative errno; ybd_pool_directory_free() in any
 * case.
 */
int ybd_pool_directory_read(struct ybd_pool *pool)
{
	unsigned long *named = named_places(pool);
	void *slots = ybd_pool_buf_alloc(YBD_FMT_CHUNK_BLOCKS, GFP_KERNEL);
	u32 i, nr;
	int ret = 0;

	if (!named || !slots) {
		ret = -ENOMEM;
		goto out;
	}
	for (i = find_first_bit(named, pool->nr_uppers); i < pool->nr_uppers && !ret;
	     i = find_next_bit(named, pool->nr_uppers, i + nr)) {
		nr = min_t(u32, READ_PLACES, pool->nr_uppers - i);
		ret = read_places(pool, i, nr, named, slots);
	}
	if (!ret)
		find_free(pool);
out:
	ybd_pool_buf_free(slots);
	bitmap_free(named);
	return ret;
}

void ybd_pool_directory_free(struct ybd_pool *pool)
{
	struct pool_place *place;
	unsigned long i;

	xa_for_each(&pool->places, i, place)
		if (place != PLACE_FENCED)
			kfree(place);
	xa_destroy(&pool->places);
}

/**
 * ybd_pool_place_find - find an upper by its uuid
 * @pool: the pool; the caller holds meta_lock
 * @uuid: of the upper
 * @nr: number of its place
 *
 * Return: the place, or NULL.
 */
struct pool_place *ybd_pool_place_find(struct ybd_pool *pool, const uuid_t *uuid, u32 *nr)
{
	struct pool_place *place;
	unsigned long i;

	lockdep_assert_held(&pool->meta_lock);
	xa_for_each(&pool->places, i, place) {
		if (place == PLACE_FENCED || !uuid_equal(&place->uuid, uuid))
			continue;
		*nr = i;
		return place;
	}
	return NULL;
}

static bool name_in_use(struct ybd_pool *pool, const char *name)
{
	struct pool_place *place;
	unsigned long i;

	xa_for_each(&pool->places, i, place)
		if (place != PLACE_FENCED && !strcmp(place->name, name))
			return true;
	return false;
}

/**
 * ybd_pool_place_take - find a place for a new upper
 * @pool: the pool; the caller holds meta_lock
 * @name: of the upper
 * @uuid: of the upper
 * @header: page-aligned; gets a generation, owner and sequence number to go on from
 * @nr: number of the place
 * @extack: told why when refused
 *
 * Nothing is written. May sleep. Return: 0 or a negative errno.
 */
int ybd_pool_place_take(struct ybd_pool *pool, const char *name, const uuid_t *uuid,
			struct ybd_fmt_upper *header, u32 *nr,
			struct netlink_ext_ack *extack)
{
	struct pool_place *place;
	u32 i, tries, generation, unread = 0;
	u64 seq;
	int ret;

	lockdep_assert_held(&pool->meta_lock);
	if (name_in_use(pool, name)) {
		NL_SET_ERR_MSG(extack, "name: the pool has an upper of that name");
		return -EEXIST;
	}
	for (tries = 0; tries < pool->nr_uppers; tries++) {
		i = (pool->next_place + tries) % pool->nr_uppers;
		if (xa_load(&pool->places, i))
			continue;
		ret = ybd_pool_header_read(pool, i, header);
		if (ret == -ENOMEM || pool_has_failed(pool) ||
		    (ret && ret != -EUCLEAN && ++unread == UNREAD_MAX)) {
			NL_SET_ERR_MSG(extack, "pool: its directory cannot be read");
			return ret ?: -EIO;
		}
		/* One that is live has chunks, so this would be damage too. */
		if (ret || le32_to_cpu(header->state) == YBD_FMT_UPPER_LIVE)
			continue;
		generation = le32_to_cpu(header->generation) + 1 ?: 1;
		seq = le64_to_cpu(header->h.seq);
		memset(header, 0, sizeof(*header));
		header->generation = cpu_to_le32(generation);
		header->h.seq = cpu_to_le64(seq);
		export_uuid(header->h.owner, uuid);
		strscpy(header->name, name, sizeof(header->name));
		place = place_new(pool, i, header);
		if (IS_ERR(place))
			return PTR_ERR(place);
		place->attached = true;
		pool->next_place = i + 1;
		*nr = i;
		return 0;
	}
	NL_SET_ERR_MSG(extack, "pool: its directory is full");
	return -ENOSPC;
}

/* A place is free; the caller holds meta_lock, and the header says so. */
void ybd_pool_place_drop(struct ybd_pool *pool, u32 nr)
{
	lockdep_assert_held(&pool->meta_lock);
	kfree(xa_erase(&pool->places, nr));
}
