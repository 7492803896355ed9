// SPDX-License-Identifier: GPL-2.0-only
/*
 * The segment table and the chunk table of a pool: read at opening, written
 * ahead of use (Documentation/pool-format.rst, section 4).
 */
#include <linux/bitmap.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "pool_priv.h"

#define PER_BLOCK	YBD_FMT_OWNERS_PER_BLOCK
#define NO_COPY		2	/* as the better one of a block */

static int table_alloc(struct pool_table *table, u32 room)
{
	u32 blocks = DIV_ROUND_UP(table->max, PER_BLOCK);

	table->room = room;
	table->entry = kvcalloc(room, sizeof(*table->entry), GFP_KERNEL);
	table->seq = kvcalloc(blocks, sizeof(*table->seq), GFP_KERNEL);
	table->better = kvcalloc(blocks, sizeof(*table->better), GFP_KERNEL);
	table->dirty = kvcalloc(BITS_TO_LONGS(blocks), sizeof(long), GFP_KERNEL);
	return table->entry && table->seq && table->better && table->dirty ? 0 : -ENOMEM;
}

static void table_free(struct pool_table *table)
{
	kvfree(table->entry);
	kvfree(table->seq);
	kvfree(table->better);
	kvfree(table->dirty);
}

/* The number of entries may not be one of blocks: the rest of the last one is zero. */
static bool copy_valid(const struct ybd_pool *pool, const struct pool_table *table, u32 i,
		       int copy, const struct ybd_fmt_table *b)
{
	u32 used = min_t(u32, table->max - i * PER_BLOCK, PER_BLOCK);

	return b && ybd_fmt_valid(pool, b, table->magic, NULL, table->first[copy] + i) &&
	       (used == PER_BLOCK ||
		!memchr_inv(&b->entry[used], 0, (PER_BLOCK - used) * sizeof(b->entry[0])));
}

/*
 * Which of two copies is right? -1 for neither: both have the same number, but
 * say different things, or none is valid.
 */
static int better_copy(const struct ybd_pool *pool, const struct pool_table *table, u32 i,
		       const struct ybd_fmt_table *a, const struct ybd_fmt_table *b)
{
	bool ok_a = copy_valid(pool, table, i, 0, a);
	bool ok_b = copy_valid(pool, table, i, 1, b);
	u64 seq_a, seq_b;

	if (!ok_a || !ok_b)
		return ok_a ? 0 : ok_b ? 1 : -1;
	seq_a = le64_to_cpu(a->h.seq);
	seq_b = le64_to_cpu(b->h.seq);
	if (seq_a == seq_b)
		return memcmp(a->entry, b->entry, sizeof(a->entry)) ? -1 : 0;
	return seq_a > seq_b ? 0 : 1;
}

static void take_block(struct ybd_pool *pool, struct pool_table *table, u32 i,
		       const struct ybd_fmt_table *a, const struct ybd_fmt_table *b)
{
	u32 first = i * PER_BLOCK, nr = min_t(u32, PER_BLOCK, table->nr - first), k;
	int better = better_copy(pool, table, i, a, b);
	const struct ybd_fmt_table *from = better ? b : a;

	if (better < 0) {
		pr_err("pool %pUb: blocks %llu and %llu: no copy of the table of %ss %u to %u is valid: they are not used\n",
		       &pool->uuid, table->first[0] + i, table->first[1] + i,
		       table == &pool->segments ? "segment" : "chunk", first, first + nr - 1);
		table->better[i] = NO_COPY;
		for (k = 0; k < nr; k++)
			table->entry[first + k].owner = POOL_OWNER_LOST;
		return;
	}
	table->better[i] = better;
	table->seq[i] = le64_to_cpu(from->h.seq);
	for (k = 0; k < nr; k++) {
		table->entry[first + k].owner = le32_to_cpu(from->entry[k].owner);
		table->entry[first + k].generation = le32_to_cpu(from->entry[k].generation);
	}
}

/* Blocks [@i, @i + @nr) of both copies. */
static void read_blocks(struct ybd_pool *pool, struct pool_table *table, u32 i, u32 nr,
			void *a, void *b)
{
	bool ok_a = !ybd_pool_rw(pool, REQ_OP_READ, table->first[0] + i, a, nr);
	bool ok_b = !ybd_pool_rw(pool, REQ_OP_READ, table->first[1] + i, b, nr);
	u32 k;

	/* One bad block must not take the others with it. */
	if ((!ok_a || !ok_b) && nr > 1) {
		for (k = 0; k < nr; k++)
			read_blocks(pool, table, i + k, 1, a, b);
		return;
	}
	for (k = 0; k < nr; k++)
		take_block(pool, table, i + k, ok_a ? a + k * YBD_FMT_BLOCK_SIZE : NULL,
			   ok_b ? b + k * YBD_FMT_BLOCK_SIZE : NULL);
}

/* Entries [@table->nr, @nr) from disk. */
static int table_read(struct ybd_pool *pool, struct pool_table *table, u32 nr)
{
	u32 i = table->nr / PER_BLOCK, end = DIV_ROUND_UP(nr, PER_BLOCK), n, k;
	void *a = ybd_pool_buf_alloc(YBD_FMT_CHUNK_BLOCKS, GFP_KERNEL);
	void *b = ybd_pool_buf_alloc(YBD_FMT_CHUNK_BLOCKS, GFP_KERNEL);
	int ret = -ENOMEM;

	if (!a || !b)
		goto out;
	ret = 0;
	/* A block of which a part is in memory already is known, or lost as a whole. */
	if (table->nr % PER_BLOCK) {
		for (k = table->nr; k < min(nr, (i + 1) * PER_BLOCK); k++)
			if (table->better[i] == NO_COPY)
				table->entry[k].owner = POOL_OWNER_LOST;
		i++;
	}
	table->nr = nr;
	for (; i < end; i += n) {
		n = min_t(u32, end - i, YBD_FMT_CHUNK_BLOCKS);
		read_blocks(pool, table, i, n, a, b);
		cond_resched();
	}
out:
	ybd_pool_buf_free(a);
	ybd_pool_buf_free(b);
	return ret;
}

/* Metadata segments, by their ordinals. */
static int find_metadata(struct ybd_pool *pool)
{
	u32 nr = 0, i, ordinal;

	for (i = 0; i < pool->nr_segments; i++)
		if (pool->segments.entry[i].owner == YBD_FMT_OWNER_METADATA)
			nr++;
	pool->metadata = kvmalloc_array(pool->chunks.max / pool->chunks_per_segment + 1,
					sizeof(*pool->metadata), GFP_KERNEL);
	if (!pool->metadata)
		return -ENOMEM;
	if (nr > pool->chunks.max / pool->chunks_per_segment) {
		pr_err("pool %pUb: %u segments of metadata, expected at most %u\n",
		       &pool->uuid, nr, pool->chunks.max / pool->chunks_per_segment);
		return -EUCLEAN;
	}
	for (i = 0; i < nr; i++)
		pool->metadata[i] = U32_MAX;
	for (i = 0; i < pool->nr_segments; i++) {
		if (pool->segments.entry[i].owner != YBD_FMT_OWNER_METADATA)
			continue;
		ordinal = pool->segments.entry[i].generation;
		if (ordinal >= nr || pool->metadata[ordinal] != U32_MAX) {
			pr_err("pool %pUb: segment %u says that it is metadata segment %u of %u: run ybdctl pool check\n",
			       &pool->uuid, i, ordinal, nr);
			return -EUCLEAN;
		}
		pool->metadata[ordinal] = i;
	}
	pool->chunks.nr = 0;
	nr = min_t(u64, (u64)nr * pool->chunks_per_segment, pool->chunks.max);
	pool->chunks.room = nr;
	return 0;
}

/**
 * ybd_pool_tables_read - read both tables
 * @pool: the pool, with its layout known
 *
 * May sleep. Return: 0 or a negative errno; ybd_pool_tables_free() in any case.
 */
int ybd_pool_tables_read(struct ybd_pool *pool)
{
	u32 nr_chunks;
	int ret;

	ret = table_alloc(&pool->segments, pool->nr_segments) ?:
	      table_read(pool, &pool->segments, pool->nr_segments) ?:
	      find_metadata(pool);
	if (ret)
		return ret;
	nr_chunks = pool->chunks.room;
	return table_alloc(&pool->chunks, max(nr_chunks, pool->chunks_per_segment)) ?:
	       table_read(pool, &pool->chunks, nr_chunks);
}

void ybd_pool_tables_free(struct ybd_pool *pool)
{
	table_free(&pool->segments);
	table_free(&pool->chunks);
	kvfree(pool->metadata);
}

/**
 * ybd_pool_table_write - make durable the block of a table that has an entry
 * @pool: the pool; the caller holds meta_lock
 * @table: which
 * @entry: the entry
 *
 * The copy that is not the better one is written first. May sleep. Return: 0 or
 * a negative errno: then nothing is known of what is on disk, but at least one
 * copy is valid.
 */
int ybd_pool_table_write(struct ybd_pool *pool, struct pool_table *table, u32 entry)
{
	u32 i = entry / PER_BLOCK, first = i * PER_BLOCK, k;
	u32 nr = min_t(u32, PER_BLOCK, table->nr - first);
	unsigned int copy, n, better = table->better[i], other = !better;
	struct ybd_fmt_table *b;
	int ret = 0;

	lockdep_assert_held(&pool->meta_lock);
	/* Nothing in it is given to anybody, so there is nothing to write. */
	if (WARN_ON_ONCE(better == NO_COPY))
		return -EUCLEAN;
	b = (void *)get_zeroed_page(GFP_NOIO);
	if (!b)
		return -ENOMEM;
	clear_bit(i, table->dirty);
	for (k = 0; k < nr; k++) {
		const struct pool_owner *from = &table->entry[first + k];

		/* What is in memory alone is free on disk. */
		if (from->owner == POOL_OWNER_VOLATILE || from->owner == YBD_FMT_OWNER_NONE)
			continue;
		b->entry[k].owner = cpu_to_le32(from->owner);
		b->entry[k].generation = cpu_to_le32(from->generation);
	}
	for (n = 0; n < 2 && !ret; n++) {
		copy = n ? !other : other;
		ybd_fmt_seal(pool, b, table->magic, NULL, table->first[copy] + i,
			     table->seq[i] + 1);
		ret = ybd_pool_rw(pool, REQ_OP_WRITE | REQ_FUA, table->first[copy] + i, b, 1);
		/* If the other cannot be written, this is the good one from now on. */
		if (!ret)
			better = copy;
	}
	table->better[i] = better;
	/*
	 * If it failed, the copies may differ with the same number next time:
	 * go on from a number that neither has.
	 */
	table->seq[i] += ret ? 2 : 1;
	if (ret)
		set_bit(i, table->dirty);
	free_page((unsigned long)b);
	return ret;
}

/**
 * ybd_pool_tables_tidy - say on disk too what is free
 * @pool: the pool
 *
 * Nothing depends on it: what is owned on disk and not used is found by who
 * owns it. May sleep.
 */
void ybd_pool_tables_tidy(struct ybd_pool *pool)
{
	struct pool_table *tables[] = { &pool->segments, &pool->chunks };
	unsigned int t, i, blocks;

	pool_lock_meta(pool);
	for (t = 0; t < ARRAY_SIZE(tables); t++) {
		blocks = DIV_ROUND_UP(tables[t]->nr, PER_BLOCK);
		for_each_set_bit(i, tables[t]->dirty, blocks)
			if (ybd_pool_table_write(pool, tables[t], i * PER_BLOCK))
				break;
	}
	pool_unlock_meta(pool);
}

/* Room for the chunks of one metadata segment more. */
static int chunks_grow(struct ybd_pool *pool, u32 nr)
{
	struct pool_table *table = &pool->chunks;
	struct pool_owner *entry;
	u32 room;

	if (nr <= table->room)
		return 0;
	room = min(max(nr, 2 * table->room), table->max);
	entry = kvcalloc(room, sizeof(*entry), GFP_NOIO);
	if (!entry)
		return -ENOMEM;
	memcpy(entry, table->entry, table->nr * sizeof(*entry));
	kvfree(table->entry);
	table->entry = entry;
	table->room = room;
	return 0;
}

/**
 * ybd_pool_add_metadata - give a segment to the metadata
 * @pool: the pool; the caller holds meta_lock
 * @segment: a free one, taken from others; it counts as coming until then
 *
 * May sleep. Return: 0 or a negative errno: then the disk may say already that it is
 * metadata, and the next one must be the same.
 */
int ybd_pool_add_metadata(struct ybd_pool *pool, u32 segment)
{
	u32 ordinal = pool->chunks.nr / pool->chunks_per_segment;
	u32 nr = pool->chunks.nr + pool->chunks_per_segment, old = pool->chunks.nr, i;
	struct pool_owner *entry = &pool->segments.entry[segment], was = *entry;
	unsigned long flags;
	int ret;

	if (nr > pool->chunks.max)
		return -ENOSPC;
	ret = chunks_grow(pool, nr) ?: table_read(pool, &pool->chunks, nr);
	if (ret)
		return ret;
	entry->owner = YBD_FMT_OWNER_METADATA;
	entry->generation = ordinal;
	ret = ybd_pool_table_write(pool, &pool->segments, segment);
	if (ret) {
		*entry = was;
		pool->chunks.nr = old;
		return ret;
	}
	pool->metadata[ordinal] = segment;
	/* A power cut may have left owners here. */
	for (i = old; i < nr; i++)
		if (pool->chunks.entry[i].owner != POOL_OWNER_LOST)
			pool->chunks.entry[i] = (struct pool_owner){};
	spin_lock_irqsave(&pool->lock, flags);
	pool->coming_chunks -= pool->chunks_per_segment;
	for (i = old; i < nr; i++)
		if (pool->chunks.entry[i].owner == YBD_FMT_OWNER_NONE)
			pool->free_chunks++;
	spin_unlock_irqrestore(&pool->lock, flags);
	return 0;
}
