// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is free in a pool, who takes it, and what is promised to whom.
 *
 * Everything is counted in chunks: a free segment is worth as many as it would
 * hold as metadata. Data leaves alone what uppers were promised for logs and
 * checkpoints, and a reserve for what makes room.
 *
 * Taking writes the tables ahead; giving back writes nothing, as the entry on
 * disk may name the former owner until the next one's is written: an attach
 * finds that nothing refers to it.
 */
#include <linux/bitmap.h>

#include "pool_priv.h"

/* Chunks that could be had, if so many segments are free. */
static u64 chunks_left(const struct ybd_pool *pool, u32 free_segments)
{
	u64 more = (u64)free_segments * pool->chunks_per_segment;
	u32 table = READ_ONCE(pool->chunks.nr) < pool->chunks.max ?
		    pool->chunks.max - READ_ONCE(pool->chunks.nr) : 0;

	/* The table has room for only so many, those that are coming among them. */
	return pool->free_chunks + min_t(u64, more + pool->coming_chunks,
					 table - table % pool->chunks_per_segment);
}

/* What is left to others. */
static u64 space_kept(const struct ybd_pool *pool, enum pool_need need)
{
	switch (need) {
	case POOL_NEED_PROMISED:
		return 0;
	case POOL_NEED_ROOM:
		return pool->promised;
	default:
		return pool->promised + pool->spare_chunks;
	}
}

/* Segments that are free, or will be as soon as they are discarded. */
static u32 segments_left(const struct ybd_pool *pool)
{
	lockdep_assert_held(&pool->lock);
	return pool->free_segments + pool->hidden_segments;
}

/* May so many chunks be taken, or promised? */
static bool space_allows(const struct ybd_pool *pool, u64 chunks, enum pool_need need)
{
	return chunks_left(pool, segments_left(pool)) >= space_kept(pool, need) + chunks;
}

/* May a segment be taken for data? */
static bool space_allows_data(const struct ybd_pool *pool)
{
	u32 left = segments_left(pool);

	return left && chunks_left(pool, left - 1) >= space_kept(pool, POOL_NEED_DATA);
}

/**
 * ybd_pool_promise - keep chunks for later
 * @pool: the pool
 * @chunks: how many; to be given back with ybd_pool_unpromise(), or taken with
 *	POOL_NEED_PROMISED
 * @need: how urgent
 *
 * Any context. Return: false if the pool is full.
 */
bool ybd_pool_promise(struct ybd_pool *pool, u32 chunks, enum pool_need need)
{
	unsigned long flags;
	bool ok;

	spin_lock_irqsave(&pool->lock, flags);
	ok = space_allows(pool, chunks, need);
	if (ok)
		pool->promised += chunks;
	spin_unlock_irqrestore(&pool->lock, flags);
	return ok;
}

/* Any context. */
void ybd_pool_unpromise(struct ybd_pool *pool, u32 chunks)
{
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	pool->promised -= chunks;
	spin_unlock_irqrestore(&pool->lock, flags);
	atomic64_inc(&pool->given);
}

/* How full the pool is has changed. The caller holds the lock. */
static void update_fill(struct ybd_pool *pool)
{
	ybd_fill_update(&pool->fill, pool->nr_segments - segments_left(pool),
			pool->nr_segments);
}

/*
 * Take a free segment away from others. Returns -EAGAIN if one will be there as
 * soon as it is discarded: ybd_pool_discard_wait().
 */
static int segment_pick(struct ybd_pool *pool, enum pool_need need, u32 *segment)
{
	unsigned long flags, bit;
	int ret = -ENOSPC;

	spin_lock_irqsave(&pool->lock, flags);
	/* For metadata it stays what it is worth. */
	if (!segments_left(pool) || (need == POOL_NEED_DATA && !space_allows_data(pool)))
		goto out;
	ret = -EAGAIN;
	if (!pool->free_segments)
		goto out;
	bit = find_next_bit(pool->free, pool->nr_segments, pool->cursor);
	if (bit >= pool->nr_segments)
		bit = find_first_bit(pool->free, pool->nr_segments);
	if (WARN_ON_ONCE(bit >= pool->nr_segments))
		goto out;
	__clear_bit(bit, pool->free);
	if (pool->stale)
		__clear_bit(bit, pool->stale);
	pool->free_segments--;
	/* What becomes metadata is worth the same all the time. */
	if (need != POOL_NEED_DATA)
		pool->coming_chunks += pool->chunks_per_segment;
	pool->cursor = bit + 1;
	update_fill(pool);
	*segment = bit;
	ret = 0;
out:
	spin_unlock_irqrestore(&pool->lock, flags);
	return ret;
}

/* The opposite, for data. */
static void segment_unpick(struct ybd_pool *pool, u32 segment)
{
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	__set_bit(segment, pool->free);
	pool->free_segments++;
	if (pool->stale) {
		__set_bit(segment, pool->stale);
		ybd_pool_discard_soon(pool);
	}
	update_fill(pool);
	spin_unlock_irqrestore(&pool->lock, flags);
}

/* Take a stale segment, to discard it. The caller holds the lock. */
void ybd_pool_hide_segment(struct ybd_pool *pool, u32 segment)
{
	lockdep_assert_held(&pool->lock);
	__clear_bit(segment, pool->stale);
	__clear_bit(segment, pool->free);
	pool->free_segments--;
	pool->hidden_segments++;
}

/* The opposite; it is not stale any more. The caller holds the lock. */
void ybd_pool_show_segment(struct ybd_pool *pool, u32 segment)
{
	lockdep_assert_held(&pool->lock);
	__set_bit(segment, pool->free);
	pool->free_segments++;
	pool->hidden_segments--;
}

/* Any context. */
u32 ybd_pool_free_segments(struct ybd_pool *pool)
{
	unsigned long flags;
	u32 nr;

	spin_lock_irqsave(&pool->lock, flags);
	nr = segments_left(pool);
	spin_unlock_irqrestore(&pool->lock, flags);
	return nr;
}

/**
 * ybd_pool_take_volatile - a segment for a volatile upper
 * @pool: the pool
 * @segment: which one
 *
 * Nothing on disk says so. Any context. Return: 0, -ENOSPC, or -EAGAIN: try again
 * after ybd_pool_discard_wait().
 */
int ybd_pool_take_volatile(struct ybd_pool *pool, u32 *segment)
{
	int ret = segment_pick(pool, POOL_NEED_DATA, segment);

	/* Nobody else looks at the entry of a segment that is not free. */
	if (!ret)
		pool->segments.entry[*segment].owner = POOL_OWNER_VOLATILE;
	return ret;
}

/**
 * ybd_pool_take_segments - segments for a persistent upper
 * @pool: the pool
 * @place: number of the upper
 * @generation: of its place
 * @nr: how many are wanted
 * @segment: which ones
 *
 * When it returns, the table says durably whose they are. May sleep; not below
 * submit_bio(). Return: how many were taken, at least 1, or a negative errno.
 */
int ybd_pool_take_segments(struct ybd_pool *pool, u32 place, u32 generation, u32 nr,
			   u32 *segment)
{
	struct pool_owner *entry;
	u32 i, got = 0, last = 0;
	int ret = 0;

again:
	pool_lock_meta(pool);
	while (got < nr && !ret) {
		ret = segment_pick(pool, POOL_NEED_DATA, &segment[got]);
		if (!ret)
			got++;
	}
	if (!got && ret == -EAGAIN) {
		pool_unlock_meta(pool);
		ybd_pool_discard_wait(pool);
		ret = 0;
		goto again;
	}
	if (!got)
		goto out;
	for (i = 0; i < got; i++) {
		entry = &pool->segments.entry[segment[i]];
		entry->owner = place + 1;
		entry->generation = generation;
	}
	ret = 0;
	for (i = 0; i < got && !ret; i++) {
		u32 block = segment[i] / YBD_FMT_OWNERS_PER_BLOCK;

		if (i && block == last)
			continue;
		last = block;
		ret = ybd_pool_table_write(pool, &pool->segments, segment[i]);
	}
	if (ret)
		for (i = 0; i < got; i++) {
			pool->segments.entry[segment[i]].owner = YBD_FMT_OWNER_NONE;
			segment_unpick(pool, segment[i]);
		}
out:
	pool_unlock_meta(pool);
	return ret ?: got;
}

/* The pool was opened: how full is it? */
void ybd_pool_space_opened(struct ybd_pool *pool)
{
	spin_lock_irq(&pool->lock);
	update_fill(pool);
	spin_unlock_irq(&pool->lock);
}

/**
 * ybd_pool_give_segment - a segment is free
 * @pool: the pool
 * @segment: what ended its use is durable, and all I/O to it has ended
 *
 * Any context.
 */
void ybd_pool_give_segment(struct ybd_pool *pool, u32 segment)
{
	struct pool_owner *entry = &pool->segments.entry[segment];

	pool->segment_at[segment] = NULL;
	if (entry->owner != POOL_OWNER_VOLATILE)
		set_bit(segment / YBD_FMT_OWNERS_PER_BLOCK, pool->segments.dirty);
	entry->owner = YBD_FMT_OWNER_NONE;
	segment_unpick(pool, segment);
	atomic64_inc(&pool->given);
}

/* Take so many off what is free, if that is allowed. */
static int chunks_deduct(struct ybd_pool *pool, enum pool_need need, u32 nr)
{
	unsigned long flags;
	int ret = 0;

	spin_lock_irqsave(&pool->lock, flags);
	if (!space_allows(pool, nr, need)) {
		ret = -ENOSPC;
	} else if (pool->free_chunks < nr) {
		ret = -EAGAIN;
	} else {
		pool->free_chunks -= nr;
		if (need == POOL_NEED_PROMISED)
			pool->promised -= nr;
	}
	spin_unlock_irqrestore(&pool->lock, flags);
	return ret;
}

static void chunks_undeduct(struct ybd_pool *pool, enum pool_need need, u32 nr)
{
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	pool->free_chunks += nr;
	if (need == POOL_NEED_PROMISED)
		pool->promised += nr;
	spin_unlock_irqrestore(&pool->lock, flags);
}

/*
 * One metadata segment more. If that fails, it is the next one all the same: two
 * segments on disk that say they are the same one make a pool that is refused.
 */
static int metadata_grow(struct ybd_pool *pool)
{
	int ret;

	if (pool->next_metadata == NO_SEGMENT) {
		do {
			ret = segment_pick(pool, POOL_NEED_PROMISED, &pool->next_metadata);
			/* With the lock: who discards does not take it. */
			if (ret == -EAGAIN)
				ybd_pool_discard_wait(pool);
		} while (ret == -EAGAIN);
		if (ret)
			return ret;
	}
	ret = ybd_pool_add_metadata(pool, pool->next_metadata);
	if (!ret)
		pool->next_metadata = NO_SEGMENT;
	return ret;
}

/* The same, with more metadata segments if the free chunks do not suffice. */
static int chunks_provide(struct ybd_pool *pool, enum pool_need need, u32 nr)
{
	int ret;

	while ((ret = chunks_deduct(pool, need, nr)) == -EAGAIN) {
		ret = metadata_grow(pool);
		if (ret)
			return ret;
	}
	return ret;
}

/**
 * ybd_pool_take_chunks - chunks for an upper's metadata
 * @pool: the pool
 * @place: number of the upper
 * @generation: of its place
 * @need: POOL_NEED_PROMISED takes them off what was promised
 * @nr: how many
 * @chunk: which ones
 *
 * When it returns, the table says durably whose they are. May sleep; not below
 * submit_bio(). Return: 0, or a negative errno and none is taken.
 */
int ybd_pool_take_chunks(struct ybd_pool *pool, u32 place, u32 generation,
			 enum pool_need need, u32 nr, u32 *chunk)
{
	struct pool_table *table = &pool->chunks;
	u32 i, got = 0;
	int ret;

	pool_lock_meta(pool);
	ret = chunks_provide(pool, need, nr);
	if (ret)
		goto out;
	for (i = 0; i < table->nr && got < nr; i++)
		if (table->entry[i].owner == YBD_FMT_OWNER_NONE)
			chunk[got++] = i;
	if (WARN_ON_ONCE(got < nr)) {
		ret = -EUCLEAN;
		goto err_deducted;
	}
	for (i = 0; i < nr; i++)
		table->entry[chunk[i]] = (struct pool_owner){ place + 1, generation };
	for (i = 0; i < nr && !ret; i++)
		if (!i || chunk[i] / YBD_FMT_OWNERS_PER_BLOCK !=
			  chunk[i - 1] / YBD_FMT_OWNERS_PER_BLOCK)
			ret = ybd_pool_table_write(pool, table, chunk[i]);
	if (!ret)
		goto out;
	for (i = 0; i < nr; i++)
		table->entry[chunk[i]].owner = YBD_FMT_OWNER_NONE;
err_deducted:
	chunks_undeduct(pool, need, nr);
out:
	pool_unlock_meta(pool);
	return ret;
}

/**
 * ybd_pool_give_chunks - chunks are free
 * @pool: the pool
 * @chunk: which ones; the header that no longer names them is durable, or no block that is
 *	durable ever named them
 * @nr: how many
 * @promise: so many of them are promised at once to who gives them
 *
 * May sleep.
 */
void ybd_pool_give_chunks(struct ybd_pool *pool, const u32 *chunk, u32 nr, u32 promise)
{
	unsigned long flags;
	u32 i;

	pool_lock_meta(pool);
	for (i = 0; i < nr; i++) {
		pool->chunks.entry[chunk[i]].owner = YBD_FMT_OWNER_NONE;
		set_bit(chunk[i] / YBD_FMT_OWNERS_PER_BLOCK, pool->chunks.dirty);
	}
	spin_lock_irqsave(&pool->lock, flags);
	pool->free_chunks += nr;
	pool->promised += promise;
	spin_unlock_irqrestore(&pool->lock, flags);
	pool_unlock_meta(pool);
	atomic64_inc(&pool->given);
}

/**
 * ybd_pool_give_all - everything that an upper has is free
 * @pool: the pool; the caller holds meta_lock
 * @place: number of the upper; its header says durably that it is free
 * @generation: of its place
 *
 * May sleep.
 */
void ybd_pool_give_all(struct ybd_pool *pool, u32 place, u32 generation)
{
	unsigned long flags;
	u32 i;

	lockdep_assert_held(&pool->meta_lock);
	for (i = 0; i < pool->nr_segments; i++) {
		struct pool_owner *entry = &pool->segments.entry[i];

		if (entry->owner == place + 1 && entry->generation == generation)
			ybd_pool_give_segment(pool, i);
	}
	for (i = 0; i < pool->chunks.nr; i++) {
		struct pool_owner *entry = &pool->chunks.entry[i];

		if (entry->owner != place + 1 || entry->generation != generation)
			continue;
		entry->owner = YBD_FMT_OWNER_NONE;
		spin_lock_irqsave(&pool->lock, flags);
		pool->free_chunks++;
		spin_unlock_irqrestore(&pool->lock, flags);
	}
	atomic64_inc(&pool->given);
}
