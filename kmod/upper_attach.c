// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading a persistent upper: its checkpoint, then its log, up to where a power
 * cut may have ended it (Documentation/pool-format.rst, sections 6 and 7).
 * Nothing is written. It can take long, and others write meanwhile: meta_lock is
 * held for a look at the tables alone. What they say is the upper's stays so.
 */
#include <linux/bitmap.h>
#include <linux/netlink.h>
#include <linux/slab.h>

#include "device.h"
#include "upper_log.h"

/**
 * struct attach - an upper while it is read
 * @upper: whose
 * @log: of that
 * @name: of that, for messages
 * @nr_blocks: size of the device
 * @buf: blocks of one chunk
 * @buf_at: first block in @buf, or 0
 * @epoch: of the last block of the log
 * @nr_chunks: there were when it began; those that come later are others'
 * @seen: bit per chunk: it is used
 */
struct attach {
	struct ybd_upper	*upper;
	struct upper_log	*log;
	const char		*name;
	u64			nr_blocks;
	void			*buf;
	u64			buf_at;
	u64			epoch;
	u32			nr_chunks;
	unsigned long		*seen;
};

/* Which block, and what is wrong with it: the log of the kernel has it. */
static __printf(3, 4) void refuse(const struct attach *a, u64 block, const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	va_start(args, fmt);
	vaf.va = &args;
	pr_err("%s: pool %pUb: block %llu: %pV\n", a->name, &a->upper->pool->uuid, block, &vaf);
	va_end(args);
}

/* A block, by whole chunks; NULL if it cannot be read. */
static const void *attach_block(struct attach *a, u64 block)
{
	u64 start = round_down(block, (u64)YBD_FMT_CHUNK_BLOCKS);

	if (a->buf_at != start) {
		a->buf_at = 0;
		if (ybd_pool_rw(a->upper->pool, REQ_OP_READ, start, a->buf,
				YBD_FMT_CHUNK_BLOCKS))
			return NULL;
		a->buf_at = start;
	}
	return a->buf + (block - start) * YBD_FMT_BLOCK_SIZE;
}

static bool is_own(const struct attach *a, const struct pool_owner *owner)
{
	lockdep_assert_held(&a->upper->pool->meta_lock);
	return owner->owner == a->upper->place + 1 &&
	       owner->generation == a->upper->generation;
}

/* Is the chunk that has a block the upper's? It goes to @list, once. */
static int attach_chunk(struct attach *a, u64 block, struct chunk_list *list)
{
	struct ybd_pool *pool = a->upper->pool;
	bool own = false;
	u32 chunk;

	pool_lock_meta(pool);
	chunk = ybd_chunk_of(pool, block);
	if (chunk < a->nr_chunks)
		own = is_own(a, &pool->chunks.entry[chunk]);
	pool_unlock_meta(pool);
	if (chunk >= a->nr_chunks) {
		refuse(a, block, "expected metadata of the upper, but the segment has none");
		return -EUCLEAN;
	}
	if (!own) {
		refuse(a, block, "expected metadata of the upper, but chunk %u is not its own",
		       chunk);
		return -EUCLEAN;
	}
	if (list->nr && list->chunk[list->nr - 1] == chunk)
		return 0;
	if (__test_and_set_bit(chunk, a->seen)) {
		refuse(a, block, "chunk %u is used twice", chunk);
		return -EUCLEAN;
	}
	return ybd_chunk_list_add(list, chunk);
}

/* Nothing is known of blocks yet. */
static void forget(void *ctx, u64 phys, u64 nr)
{
}

/* One record into the map. Returns 0, -EUCLEAN or -ENOMEM. */
static int attach_record(struct attach *a, u64 block, const struct ybd_fmt_record *record,
			 bool in_ckpt)
{
	static const enum ybd_umap_kind kinds[] = {
		[YBD_FMT_OP_MAP]  = YBD_UMAP_DATA,
		[YBD_FMT_OP_ZERO] = YBD_UMAP_ZERO,
		[YBD_FMT_OP_DROP] = YBD_UMAP_NONE,
	};
	u64 what = le64_to_cpu(record->what), where = le64_to_cpu(record->where);
	u64 op = what >> YBD_FMT_OP_SHIFT, left;
	struct ybd_umap *map = &a->upper->map;
	struct ybd_pool *pool = a->upper->pool;
	struct ybd_umap_run run;
	int ret;

	if (op < YBD_FMT_OP_MAP || op > (in_ckpt ? YBD_FMT_OP_ZERO : YBD_FMT_OP_DROP)) {
		refuse(a, block, "operation %llu of a record is unknown", op);
		return -EUCLEAN;
	}
	run.kind = kinds[op];
	run.start = what & ((1ULL << YBD_FMT_OP_SHIFT) - 1);
	left = run.kind == YBD_UMAP_DATA ? (where >> YBD_FMT_NR_SHIFT) + 1 : where;
	run.phys = where & ((1ULL << YBD_FMT_NR_SHIFT) - 1);
	if (!left || run.start >= a->nr_blocks || left > a->nr_blocks - run.start) {
		refuse(a, block, "a record has %llu blocks at %llu of a device of %llu", left,
		       run.start, a->nr_blocks);
		return -EUCLEAN;
	}
	if (run.kind != YBD_UMAP_DATA) {
		run.phys = 0;
	} else if (!pool_in_data(pool, run.phys) || !pool_in_data(pool, run.phys + left - 1)) {
		refuse(a, block, "a record has block %llu, which is in no segment", run.phys);
		return -EUCLEAN;
	}
	while (left) {
		while (map->nr_spare < YBD_UMAP_CHANGE_NODES) {
			struct ybd_umap_node *node = ybd_umap_node_alloc(GFP_KERNEL);

			if (!node)
				return -ENOMEM;
			ybd_umap_give(map, node);
		}
		run.nr = min_t(u64, left, YBD_UMAP_CHANGE_MAX);
		/* The writers' lock, though nobody else is there. */
		spin_lock_irq(&a->upper->lock);
		ret = ybd_umap_set(map, &run, forget, NULL);
		spin_unlock_irq(&a->upper->lock);
		if (ret)
			return ret;
		run.start += run.nr;
		if (run.kind == YBD_UMAP_DATA)
			run.phys += run.nr;
		left -= run.nr;
		/* A damaged pool can make this last. */
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static int attach_records(struct attach *a, u64 block, const struct ybd_fmt_record *record,
			  u32 nr, bool in_ckpt)
{
	u32 i;
	int ret = 0;

	for (i = 0; i < nr && !ret; i++)
		ret = attach_record(a, block, &record[i], in_ckpt);
	return ret;
}

/* ---- checkpoint ---- */

static int ckpt_block_refused(struct attach *a, const struct ybd_fmt_ckpt *b, u64 block,
			      u32 index)
{
	const struct ybd_fmt_upper *h = a->log->header;
	bool last = index + 1 == le32_to_cpu(h->ckpt_blocks);

	if (!b) {
		refuse(a, block, "the checkpoint cannot be read");
		return -EIO;
	}
	if (!ybd_fmt_valid(a->upper->pool, b, YBD_FMT_MAGIC_CKPT, &a->upper->uuid, block) ||
	    b->h.seq != h->log_seq || le32_to_cpu(b->index) != index ||
	    le16_to_cpu(b->nr) > YBD_FMT_CKPT_RECORDS || b->reserved ||
	    (last ? !!b->next : !pool_in_data(a->upper->pool, le64_to_cpu(b->next)))) {
		refuse(a, block, "expected block %u of %u of the checkpoint: damaged", index,
		       le32_to_cpu(h->ckpt_blocks));
		return -EUCLEAN;
	}
	return 0;
}

static int attach_ckpt(struct attach *a)
{
	const struct ybd_fmt_upper *h = a->log->header;
	u64 block = le64_to_cpu(h->ckpt), records = 0, next;
	u32 nr = le32_to_cpu(h->ckpt_blocks), i, k;
	const struct ybd_fmt_ckpt *b;
	int ret;

	if (!block != !nr) {
		refuse(a, block, "a checkpoint of %u blocks cannot be", nr);
		return -EUCLEAN;
	}
	for (i = 0; i < nr; i++, block = next) {
		ret = attach_chunk(a, block, &a->log->ckpt_chunks);
		if (ret)
			return ret;
		b = attach_block(a, block);
		ret = ckpt_block_refused(a, b, block, i);
		if (ret)
			return ret;
		k = le16_to_cpu(b->nr);
		next = le64_to_cpu(b->next);
		records += k;
		ret = attach_records(a, block, b->record, k, true);
		if (ret)
			return ret;
		cond_resched();
	}
	if (records != le64_to_cpu(h->ckpt_records)) {
		refuse(a, le64_to_cpu(h->ckpt), "the checkpoint has %llu records, expected %llu",
		       records, le64_to_cpu(h->ckpt_records));
		return -EUCLEAN;
	}
	a->log->ckpt_blocks = nr;
	return 0;
}

/* ---- log ---- */

/* Is it the block that continues the log here? */
static bool log_fits(const struct attach *a, const struct ybd_fmt_log *b)
{
	const struct log_position *at = &a->log->at;

	return ybd_fmt_valid(a->upper->pool, b, YBD_FMT_MAGIC_LOG, &a->upper->uuid,
			     at->block) &&
	       le64_to_cpu(b->h.seq) == at->seq && le32_to_cpu(b->prev_crc) == at->prev_crc &&
	       le64_to_cpu(b->epoch) >= a->epoch;
}

/* It does: no power cut makes these wrong. */
static int log_refused(struct attach *a, const struct ybd_fmt_log *b)
{
	const struct log_position *at = &a->log->at;
	u64 next = le64_to_cpu(b->next), epoch = le64_to_cpu(a->log->header->epoch);
	const char *why;

	if (le64_to_cpu(b->epoch) > epoch)
		why = "its epoch is above that of the header, which must be an old one";
	else if (le16_to_cpu(b->nr) > YBD_FMT_LOG_RECORDS || b->reserved)
		why = "its number of records cannot be";
	else if (le64_to_cpu(b->durable_seq) > at->seq)
		why = "its durable_seq is above its own";
	else if ((next != at->block + 1 && next % YBD_FMT_CHUNK_BLOCKS) ||
		 !pool_in_data(a->upper->pool, next))
		why = "the block behind it cannot be there";
	else
		return 0;
	refuse(a, at->block, "seq %llu of the log: %s", at->seq, why);
	return -EUCLEAN;
}

/* Does a block in [@from, @to) say that the one that is missing was durable? */
static int log_look(struct attach *a, u64 from, u64 to)
{
	const struct log_position *at = &a->log->at;
	u64 block;

	for (block = from; block < to; block++) {
		const struct ybd_fmt_log *b = attach_block(a, block);

		if (!b) {
			refuse(a, block, "it cannot be read: does the log go on there?");
			return -EIO;
		}
		if (le64_to_cpu(b->h.magic) == YBD_FMT_MAGIC_LOG &&
		    le64_to_cpu(b->h.seq) > at->seq &&
		    le64_to_cpu(b->durable_seq) > at->seq &&
		    ybd_fmt_valid(a->upper->pool, b, YBD_FMT_MAGIC_LOG, &a->upper->uuid,
				  block)) {
			refuse(a, at->block, "seq %llu of the log is missing, but was durable, as block %llu says",
			       at->seq, block);
			return -EUCLEAN;
		}
	}
	return 0;
}

/* The first chunk from @i on that is the upper's and was not seen; @nr_chunks: none. */
static u32 next_unseen(const struct attach *a, u32 i, u64 *start)
{
	struct ybd_pool *pool = a->upper->pool;

	pool_lock_meta(pool);
	while (i < a->nr_chunks && (!is_own(a, &pool->chunks.entry[i]) || test_bit(i, a->seen)))
		i++;
	if (i < a->nr_chunks)
		*start = pool_chunk_start(pool, i);
	pool_unlock_meta(pool);
	return i;
}

/* The block that comes next does not fit: may the log end there? */
static int log_end(struct attach *a)
{
	struct upper_log *log = a->log;
	u64 block = log->at.block, start;
	u32 i;
	int ret;

	if (le64_to_cpu(log->header->committed_seq) > log->at.seq) {
		refuse(a, block, "the log ends before seq %llu, but all before %llu were durable",
		       log->at.seq, le64_to_cpu(log->header->committed_seq));
		return -EUCLEAN;
	}
	ret = log_look(a, block + 1, round_down(block, (u64)YBD_FMT_CHUNK_BLOCKS) +
		       YBD_FMT_CHUNK_BLOCKS);
	/* The last block of a chunk alone says where the log goes on. */
	for (i = 0; !ret && (i = next_unseen(a, i, &start)) < a->nr_chunks; i++)
		ret = log_look(a, start, start + YBD_FMT_CHUNK_BLOCKS);
	return ret;
}

static int attach_log(struct attach *a)
{
	const struct ybd_fmt_upper *h = a->log->header;
	struct log_position *at = &a->log->at;
	const struct ybd_fmt_log *b;
	int ret;

	at->block = le64_to_cpu(h->log);
	at->seq = le64_to_cpu(h->log_seq);
	at->prev_crc = le32_to_cpu(h->log_prev_crc);
	for (;;) {
		ret = attach_chunk(a, at->block, &a->log->log_chunks);
		if (ret)
			return ret;
		b = attach_block(a, at->block);
		if (!b) {
			refuse(a, at->block, "the log cannot be read");
			return -EIO;
		}
		if (!log_fits(a, b))
			return log_end(a);
		ret = log_refused(a, b) ?:
		      attach_records(a, at->block, b->record, le16_to_cpu(b->nr), false);
		if (ret)
			return ret;
		a->epoch = le64_to_cpu(b->epoch);
		at->prev_crc = le32_to_cpu(b->h.crc);
		at->block = le64_to_cpu(b->next);
		at->seq++;
		a->log->part_blocks++;
		cond_resched();
	}
}

/* ---- blocks ---- */

/* The segments that are the upper's, by the tables. */
static int attach_segments(struct attach *a)
{
	struct ybd_pool *pool = a->upper->pool;
	struct upper_segment *segment;
	int ret = 0;
	u32 i;

	pool_lock_meta(pool);
	for (i = 0; i < pool->nr_segments; i++) {
		if (!is_own(a, &pool->segments.entry[i]))
			continue;
		segment = ybd_upper_segment_alloc(a->upper, GFP_KERNEL);
		if (!segment) {
			ret = -ENOMEM;
			break;
		}
		ybd_upper_segment_add(a->upper, segment, i);
	}
	pool_unlock_meta(pool);
	return ret;
}

/* The next runs of the map from @pos on. Return: 1 if there are more, 0, or -EUCLEAN. */
static int attach_some_blocks(struct attach *a, u64 *pos)
{
	struct ybd_umap_run run;
	unsigned int i;
	bool found;

	for (i = 0; i < 512; i++) {
		rcu_read_lock();
		found = ybd_umap_next(&a->upper->map, *pos, &run);
		rcu_read_unlock();
		if (!found)
			return 0;
		*pos = run.start + run.nr;
		if (run.kind == YBD_UMAP_DATA &&
		    !ybd_upper_use(a->upper, run.phys, run.nr)) {
			refuse(a, run.phys, "it is mapped by the upper, but not its own, or mapped twice");
			return -EUCLEAN;
		}
	}
	return 1;
}

/* What the map has is used, and nothing twice. */
static int attach_blocks(struct attach *a)
{
	u64 pos = 0;
	int ret;

	do {
		pool_lock_meta(a->upper->pool);
		ret = attach_some_blocks(a, &pos);
		pool_unlock_meta(a->upper->pool);
		cond_resched();
	} while (ret > 0);
	return ret;
}

/* Chunks that nothing refers to, as a power cut leaves them, are free. */
static void attach_give_chunks(struct attach *a)
{
	struct ybd_pool *pool = a->upper->pool;
	struct upper_log *log = a->log;
	unsigned long flags;
	u32 i, nr = 0;

	pool_lock_meta(pool);
	for (i = 0; i < a->nr_chunks; i++) {
		struct pool_owner *owner = &pool->chunks.entry[i];

		if (!is_own(a, owner) || i == log->layers_chunk || test_bit(i, a->seen))
			continue;
		owner->owner = YBD_FMT_OWNER_NONE;
		set_bit(i / YBD_FMT_OWNERS_PER_BLOCK, pool->chunks.dirty);
		nr++;
	}
	spin_lock_irqsave(&pool->lock, flags);
	pool->free_chunks += nr;
	spin_unlock_irqrestore(&pool->lock, flags);
	pool_unlock_meta(pool);
	if (nr)
		atomic64_inc(&pool->given);
}

/* Which chunks are there, and which one has the list of layers? */
static int attach_begin(struct attach *a)
{
	struct ybd_pool *pool = a->upper->pool;

	a->buf = ybd_pool_buf_alloc(YBD_FMT_CHUNK_BLOCKS, GFP_KERNEL);
	if (!a->buf)
		return -ENOMEM;
	pool_lock_meta(pool);
	a->nr_chunks = pool->chunks.nr;
	a->log->layers_chunk = ybd_chunk_of(pool, le64_to_cpu(a->log->header->layers));
	pool_unlock_meta(pool);
	a->seen = kvcalloc(BITS_TO_LONGS(a->nr_chunks), sizeof(long), GFP_KERNEL);
	if (!a->seen)
		return -ENOMEM;
	if (a->log->layers_chunk < a->nr_chunks)
		__set_bit(a->log->layers_chunk, a->seen);
	return 0;
}

/**
 * ybd_log_read - read an upper
 * @upper: with its log allocated and the header in it; its place is claimed, and
 *	nobody else knows it
 * @extack: told why when refused; the log of the kernel has block and reason
 *
 * May sleep. Return: 0, -EUCLEAN for damage, or another negative errno.
 */
int ybd_log_read(struct ybd_upper *upper, struct netlink_ext_ack *extack)
{
	struct upper_log *log = upper->log;
	struct attach a = {
		.upper = upper,
		.log = log,
		.name = log->header->name,
		.nr_blocks = le64_to_cpu(log->header->nr_blocks),
	};
	int ret;

	ret = attach_begin(&a);
	if (ret)
		goto out;
	ret = attach_ckpt(&a) ?: attach_log(&a) ?: attach_segments(&a) ?: attach_blocks(&a);
	if (!ret) {
		attach_give_chunks(&a);
		upper->is_read = true;
		log->ckpt_nr_chunks = log->ckpt_chunks.nr;
		log->ckpt_at = max(LOG_BLOCKS_LONG, 2 * log->ckpt_blocks);
	} else if (ret != -ENOMEM) {
		NL_SET_ERR_MSG(extack, "upper: its metadata is damaged: the kernel's log and ybdctl pool check say where");
	}
out:
	kvfree(a.seen);
	ybd_pool_buf_free(a.buf);
	return ret;
}
