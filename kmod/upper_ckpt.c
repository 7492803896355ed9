// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keeper of a log: provides the chunk where it goes on, and makes a
 * checkpoint when it has become long (Documentation/pool-format.rst, section 7).
 *
 * The log behind a checkpoint begins where the next block goes at that moment.
 * The map is written as it is found, while it goes on changing: what changed
 * since then is in the log behind it too, and a record says what is there, not
 * what is different.
 */
#include <linux/slab.h>

#include "device.h"
#include "trace.h"
#include "upper_log.h"

/**
 * struct ckpt - a checkpoint while it is written
 * @log: of which log
 * @from: where the log goes on behind it
 * @chunks: it has
 * @filled: of those, that are written or being filled
 * @buf: blocks of one chunk
 * @block: the block in @buf that is being filled
 * @nr: blocks of the checkpoint, that one included
 * @records: in them
 */
struct ckpt {
	struct upper_log	*log;
	struct log_position	from;
	struct chunk_list	chunks;
	u32			filled;
	void			*buf;
	unsigned int		block;
	u32			nr;
	u64			records;
};

/* See to it that one more can be added. Return: 0 or -ENOMEM. */
static int chunk_list_grow(struct chunk_list *list)
{
	u32 room, *more;

	if (list->nr < list->room)
		return 0;
	room = max(16U, 2 * list->room);
	more = kvmalloc_array(room, sizeof(*more), GFP_NOIO);
	if (!more)
		return -ENOMEM;
	memcpy(more, list->chunk, list->nr * sizeof(*more));
	kvfree(list->chunk);
	list->chunk = more;
	list->room = room;
	return 0;
}

/* One more at the end. Return: 0 or -ENOMEM. */
int ybd_chunk_list_add(struct chunk_list *list, u32 chunk)
{
	int ret;

	ret = chunk_list_grow(list);
	if (ret)
		return ret;
	list->chunk[list->nr++] = chunk;
	return 0;
}

/* The chunk that has a block, or U32_MAX. The caller holds meta_lock. */
u32 ybd_chunk_of(const struct ybd_pool *pool, u64 block)
{
	u32 segment, ordinal;

	lockdep_assert_held(&pool->meta_lock);
	if (!pool_in_data(pool, block))
		return U32_MAX;
	segment = pool_segment_of(pool, block);
	if (pool->segments.entry[segment].owner != YBD_FMT_OWNER_METADATA)
		return U32_MAX;
	ordinal = pool->segments.entry[segment].generation;
	return ordinal * pool->chunks_per_segment +
	       (block - pool_segment_start(pool, segment)) / YBD_FMT_CHUNK_BLOCKS;
}

static u64 chunk_block(struct ybd_pool *pool, u32 chunk)
{
	u64 block;

	pool_lock_meta(pool);
	block = pool_chunk_start(pool, chunk);
	pool_unlock_meta(pool);
	return block;
}

/* ---- room ---- */

/*
 * Chunks for a checkpoint after so many changes more, each of which can split a run
 * in three. A run of data takes a record for each YBD_FMT_MAP_MAX blocks.
 */
static u32 ckpt_chunks(const struct ybd_upper *upper, u64 changes)
{
	u64 records = upper->map.nr_runs + 2 * changes + upper->nr_used / YBD_FMT_MAP_MAX;

	lockdep_assert_held(&upper->lock);
	/* It may be empty now and not later. */
	return max_t(u32, DIV_ROUND_UP_ULL(records, YBD_FMT_CKPT_RECORDS * YBD_FMT_CHUNK_BLOCKS),
		     1);
}

/* Chunks that have to be promised for the log and a checkpoint that has so many. */
static u32 room_wanted(const struct upper_log *log, u32 next)
{
	u32 want = next + LOG_CHUNKS_ASIDE;

	/* Afterwards as much is wanted again, and only the last one comes free. */
	if (next > log->ckpt_nr_chunks)
		want += next - log->ckpt_nr_chunks;
	return want;
}

/**
 * ybd_log_room - is there room for one change more?
 * @upper: a persistent upper; the caller holds its lock
 * @need: how urgent it is
 *
 * Return: false if the pool is full.
 */
bool ybd_log_room(struct ybd_upper *upper, enum pool_need need)
{
	struct upper_log *log = upper->log;
	u32 next = ckpt_chunks(upper, upper->changes + 1ULL);
	u32 want = room_wanted(log, next);
	u32 have = log->promised + log->ckpt_took, more = 0;

	/* What the log took comes back with the next checkpoint, which cannot use it. */
	if (next > have)
		more = next - have;
	have += log->log_took;
	if (want > have)
		more = max(more, want - have);
	if (likely(!more))
		return true;
	if (!ybd_pool_promise(upper->pool, more, need))
		return false;
	log->promised += more;
	return true;
}

/*
 * Has the map shrunk, so that most of what is kept for it is needed no more? A new
 * checkpoint costs as much as what is left of it, and the next one comes only when
 * the map has become half of that again.
 */
static bool room_shrunk(const struct upper_log *log)
{
	u32 next = ckpt_chunks(log->upper, log->upper->changes + 1ULL);

	return log->promised + log->ckpt_nr_chunks >
	       2 * (room_wanted(log, next) + next) + LOG_CHUNKS_TOO_MANY;
}

/*
 * Give back what is promised and needed no more. The keeper's: what is promised
 * again after a checkpoint is so in the pool only when its chunks are.
 */
static void room_trim(struct upper_log *log)
{
	struct ybd_upper *upper = log->upper;
	unsigned long flags;
	u32 want;

	spin_lock_irqsave(&upper->lock, flags);
	want = room_wanted(log, ckpt_chunks(upper, upper->changes + 1ULL));
	if (log->promised > want) {
		ybd_pool_unpromise(upper->pool, log->promised - want);
		log->promised = want;
	}
	spin_unlock_irqrestore(&upper->lock, flags);
}

/* Take promised chunks; @took counts them. */
static int take_promised(struct upper_log *log, u32 nr, u32 *chunk, u32 *took)
{
	struct ybd_upper *upper = log->upper;
	unsigned long flags;
	int ret;

	spin_lock_irqsave(&upper->lock, flags);
	log->promised -= nr;
	*took += nr;
	spin_unlock_irqrestore(&upper->lock, flags);
	ret = ybd_pool_take_chunks(upper->pool, upper->place, upper->generation,
				   POOL_NEED_PROMISED, nr, chunk);
	if (ret) {
		spin_lock_irqsave(&upper->lock, flags);
		log->promised += nr;
		*took -= nr;
		spin_unlock_irqrestore(&upper->lock, flags);
	}
	return ret;
}

/*
 * Take a chunk for the log. It must leave what the next checkpoint needs, as that
 * is what gives back those that the log has.
 */
static int take_log_chunk(struct upper_log *log, u32 *chunk)
{
	struct ybd_upper *upper = log->upper;
	unsigned long flags;
	bool aside;
	int ret;

	ret = ybd_pool_take_chunks(upper->pool, upper->place, upper->generation,
				   POOL_NEED_DATA, 1, chunk);
	if (ret != -ENOSPC)
		return ret;
	spin_lock_irqsave(&upper->lock, flags);
	aside = log->promised > ckpt_chunks(upper, upper->changes);
	spin_unlock_irqrestore(&upper->lock, flags);
	return aside ? take_promised(log, 1, chunk, &log->log_took) : -ENOSPC;
}

/* Take chunks for a checkpoint: promised ones, where nothing else is left. */
static int take_chunks(struct upper_log *log, u32 nr, u32 *chunk)
{
	struct ybd_upper *upper = log->upper;
	unsigned long flags;
	u32 mine;
	int ret;

	ret = ybd_pool_take_chunks(upper->pool, upper->place, upper->generation,
				   POOL_NEED_DATA, nr, chunk);
	if (ret != -ENOSPC)
		return ret;
	/* Nobody else takes what is promised. */
	spin_lock_irqsave(&upper->lock, flags);
	mine = min(log->promised, nr);
	spin_unlock_irqrestore(&upper->lock, flags);
	if (mine < nr) {
		ret = ybd_pool_take_chunks(upper->pool, upper->place, upper->generation,
					   POOL_NEED_ROOM, nr - mine, chunk + mine);
		if (ret)
			return ret;
	}
	if (!mine)
		return 0;
	ret = take_promised(log, mine, chunk, &log->ckpt_took);
	if (ret && mine < nr)
		ybd_pool_give_chunks(upper->pool, chunk + mine, nr - mine, 0);
	return ret;
}

/* Is it time for a checkpoint? The caller holds upper->lock. */
static bool ckpt_due(const struct upper_log *log)
{
	return log->part_blocks >= log->ckpt_at ||
	       (log->part_blocks && !log->ckpt_failed && room_shrunk(log));
}

/* Is there something for the keeper to do? The caller holds upper->lock. */
bool ybd_log_keeper_needed(const struct upper_log *log)
{
	return (!log->next_chunk &&
		log->at.block % YBD_FMT_CHUNK_BLOCKS >= YBD_FMT_CHUNK_BLOCKS / 2) ||
	       ckpt_due(log);
}

/* Where the log goes on. */
static int provide_chunk(struct upper_log *log)
{
	struct ybd_upper *upper = log->upper;
	unsigned long flags;
	u32 chunk;
	u64 block;
	int ret;

	/* First: to give one back that was promised would have to tell which kind it was. */
	mutex_lock(&log->header_lock);
	ret = chunk_list_grow(&log->log_chunks);
	mutex_unlock(&log->header_lock);
	if (ret)
		return ret;
	ret = take_log_chunk(log, &chunk);
	if (ret)
		return ret;
	mutex_lock(&log->header_lock);
	log->log_chunks.chunk[log->log_chunks.nr++] = chunk;
	mutex_unlock(&log->header_lock);
	block = chunk_block(upper->pool, chunk);
	spin_lock_irqsave(&upper->lock, flags);
	log->next_chunk = block;
	spin_unlock_irqrestore(&upper->lock, flags);
	return 0;
}

/**
 * ybd_log_give_ahead - give back the chunk where the log would have gone on
 * @log: ybd_log_stop() has returned, and its upper has not failed
 *
 * No block of the log says that it goes on there, so nobody will look. Not for a log
 * that goes on: what is counted as taken since the last checkpoint stays. The upper
 * must still count as attached. May sleep.
 */
void ybd_log_give_ahead(struct upper_log *log)
{
	struct chunk_list *chunks = &log->log_chunks;

	if (!log->next_chunk)
		return;
	/* To give back one that the log goes through would lose what is in it. */
	if (WARN_ON_ONCE(!chunks->nr || log->next_chunk !=
			 chunk_block(log->upper->pool, chunks->chunk[chunks->nr - 1])))
		return;
	log->next_chunk = 0;
	ybd_pool_give_chunks(log->upper->pool, &chunks->chunk[--chunks->nr], 1, 0);
}

/* ---- writing a checkpoint ---- */

static struct ybd_fmt_ckpt *ckpt_block(const struct ckpt *ckpt)
{
	return ckpt->buf + (ckpt->block % YBD_FMT_CHUNK_BLOCKS) * YBD_FMT_BLOCK_SIZE;
}

static u64 ckpt_where(const struct ckpt *ckpt)
{
	return chunk_block(ckpt->log->upper->pool, ckpt->chunks.chunk[ckpt->filled - 1]) +
	       ckpt->block % YBD_FMT_CHUNK_BLOCKS;
}

/* The block is full, or the last one: where is the one behind it? */
static void ckpt_seal(struct ckpt *ckpt, u64 next)
{
	struct ybd_upper *upper = ckpt->log->upper;
	struct ybd_fmt_ckpt *b = ckpt_block(ckpt);

	b->next = cpu_to_le64(next);
	ybd_fmt_seal(upper->pool, b, YBD_FMT_MAGIC_CKPT, &upper->uuid, ckpt_where(ckpt),
		     ckpt->from.seq);
}

static int ckpt_write_chunk(struct ckpt *ckpt)
{
	return ybd_pool_rw(ckpt->log->upper->pool, REQ_OP_WRITE,
			   ckpt_where(ckpt) - ckpt->block % YBD_FMT_CHUNK_BLOCKS, ckpt->buf,
			   ckpt->block % YBD_FMT_CHUNK_BLOCKS + 1);
}

/* A chunk more, when the map has grown meanwhile. */
static int ckpt_more_chunks(struct ckpt *ckpt)
{
	u32 chunk;
	int ret = take_chunks(ckpt->log, 1, &chunk);

	if (ret)
		return ret;
	ret = ybd_chunk_list_add(&ckpt->chunks, chunk);
	if (ret)
		ybd_pool_give_chunks(ckpt->log->upper->pool, &chunk, 1, 0);
	return ret;
}

/* On to the next block. */
static int ckpt_next_block(struct ckpt *ckpt)
{
	struct ybd_pool *pool = ckpt->log->upper->pool;
	int ret = 0;

	if (!ckpt->nr) {
		ckpt->filled = 1;
	} else if ((ckpt->block + 1) % YBD_FMT_CHUNK_BLOCKS) {
		ckpt_seal(ckpt, ckpt_where(ckpt) + 1);
		ckpt->block++;
	} else {
		if (ckpt->filled == ckpt->chunks.nr)
			ret = ckpt_more_chunks(ckpt);
		if (ret)
			return ret;
		ckpt_seal(ckpt, chunk_block(pool, ckpt->chunks.chunk[ckpt->filled]));
		ret = ckpt_write_chunk(ckpt);
		ckpt->filled++;
		ckpt->block++;
	}
	memset(ckpt_block(ckpt), 0, YBD_FMT_BLOCK_SIZE);
	ckpt_block(ckpt)->index = cpu_to_le32(ckpt->nr);
	ckpt->nr++;
	return ret;
}

static int ckpt_add(struct ckpt *ckpt, const struct ybd_umap_run *run)
{
	struct ybd_fmt_ckpt *b;
	int ret;
	u16 nr;

	if (!ckpt->nr || le16_to_cpu(ckpt_block(ckpt)->nr) == YBD_FMT_CKPT_RECORDS) {
		ret = ckpt_next_block(ckpt);
		if (ret)
			return ret;
	}
	b = ckpt_block(ckpt);
	nr = le16_to_cpu(b->nr);
	ybd_log_encode(&b->record[nr], run);
	b->nr = cpu_to_le16(nr + 1);
	ckpt->records++;
	return 0;
}

/* The whole map, as it is found. */
static int ckpt_write_map(struct ckpt *ckpt)
{
	struct ybd_upper *upper = ckpt->log->upper;
	struct ybd_umap_run run;
	u64 pos = 0;
	bool found;
	int ret;

	for (;;) {
		rcu_read_lock();
		found = ybd_umap_next(&upper->map, pos, &run);
		rcu_read_unlock();
		if (!found)
			break;
		if (run.kind == YBD_UMAP_DATA)
			run.nr = min_t(u64, run.nr, YBD_FMT_MAP_MAX);
		ret = ckpt_add(ckpt, &run);
		if (ret)
			return ret;
		pos = run.start + run.nr;
		cond_resched();
	}
	if (!ckpt->nr)
		return 0;
	ckpt_seal(ckpt, 0);
	return ckpt_write_chunk(ckpt);
}

/* ---- making one ---- */

/* Chunks of the log that lie before the one that has @block. */
static u32 old_log_chunks(struct upper_log *log, u64 block)
{
	struct ybd_pool *pool = log->upper->pool;
	u32 chunk, i;

	pool_lock_meta(pool);
	chunk = ybd_chunk_of(pool, block);
	pool_unlock_meta(pool);
	for (i = 0; i < log->log_chunks.nr; i++)
		if (log->log_chunks.chunk[i] == chunk)
			return i;
	WARN_ON_ONCE(1);
	return 0;
}

/*
 * Give back what the header names no longer. Of that, what the next checkpoint needs
 * is promised at once, before others can have it: the map may have grown meanwhile.
 */
static void ckpt_free_old(struct upper_log *log, struct ckpt *ckpt)
{
	struct ybd_upper *upper = log->upper;
	struct chunk_list *logs = &log->log_chunks, *old = &log->ckpt_chunks;
	u32 nr = old_log_chunks(log, ckpt->from.block), want, back = 0, first;
	unsigned long flags;

	spin_lock_irqsave(&upper->lock, flags);
	log->ckpt_took = 0;
	log->log_took = 0;
	log->ckpt_nr_chunks = ckpt->chunks.nr;
	want = room_wanted(log, ckpt_chunks(upper, upper->changes + 1ULL));
	if (want > log->promised)
		back = min(want - log->promised, old->nr + nr);
	log->promised += back;
	spin_unlock_irqrestore(&upper->lock, flags);
	first = min(back, old->nr);
	ybd_pool_give_chunks(upper->pool, old->chunk, old->nr, first);
	ybd_pool_give_chunks(upper->pool, logs->chunk, nr, back - first);
	logs->nr -= nr;
	memmove(logs->chunk, logs->chunk + nr, logs->nr * sizeof(*logs->chunk));
	kvfree(old->chunk);
	*old = ckpt->chunks;
	room_trim(log);
}

/* Unused chunks at the end of the estimate. */
static void ckpt_trim(struct ckpt *ckpt)
{
	struct chunk_list *list = &ckpt->chunks;

	if (list->nr > ckpt->filled)
		ybd_pool_give_chunks(ckpt->log->upper->pool, list->chunk + ckpt->filled,
				     list->nr - ckpt->filled, 0);
	list->nr = ckpt->filled;
}

static void ckpt_set_header(struct ckpt *ckpt, struct ybd_fmt_upper *header)
{
	struct ybd_pool *pool = ckpt->log->upper->pool;

	header->ckpt = 0;
	if (ckpt->nr)
		header->ckpt = cpu_to_le64(chunk_block(pool, ckpt->chunks.chunk[0]));
	header->ckpt_blocks = cpu_to_le32(ckpt->nr);
	header->ckpt_records = cpu_to_le64(ckpt->records);
	header->log = cpu_to_le64(ckpt->from.block);
	header->log_seq = cpu_to_le64(ckpt->from.seq);
	header->log_prev_crc = cpu_to_le32(ckpt->from.prev_crc);
	header->committed_seq = cpu_to_le64(ckpt->from.seq);
}

/* It is as if it had not been begun. */
static void ckpt_undo(struct ckpt *ckpt)
{
	struct upper_log *log = ckpt->log;
	struct ybd_upper *upper = log->upper;
	unsigned long flags;
	u32 back;

	spin_lock_irqsave(&upper->lock, flags);
	back = min(log->ckpt_took, ckpt->chunks.nr);
	log->ckpt_took = 0;
	log->promised += back;
	/* Not again at once. */
	log->ckpt_at = max(log->ckpt_at, log->part_blocks * 2);
	spin_unlock_irqrestore(&upper->lock, flags);
	ybd_pool_give_chunks(upper->pool, ckpt->chunks.chunk, ckpt->chunks.nr, back);
	kvfree(ckpt->chunks.chunk);
}

/* The header names the new checkpoint from here on. The caller holds header_lock. */
static int ckpt_switch(struct ckpt *ckpt)
{
	struct upper_log *log = ckpt->log;
	struct ybd_upper *upper = log->upper;
	unsigned long flags;
	int ret;

	ckpt_set_header(ckpt, log->header);
	ret = ybd_pool_header_write(upper->pool, upper->place, log->header);
	spin_lock_irqsave(&upper->lock, flags);
	if (ret) {
		/* Either header may be there, so neither can lose anything. */
		upper->failed = true;
	} else {
		log->part_blocks = log->at.seq - ckpt->from.seq;
		log->ckpt_blocks = ckpt->nr;
		log->ckpt_at = max(LOG_BLOCKS_LONG, 2 * ckpt->nr);
		log->nr_ckpts++;
	}
	spin_unlock_irqrestore(&upper->lock, flags);
	if (ret)
		pr_err("%s: the header cannot be written (%d): nothing more is accepted\n",
		       upper->dev->name, ret);
	return ret;
}

static int make_checkpoint(struct upper_log *log)
{
	struct ybd_upper *upper = log->upper;
	struct ckpt ckpt = { .log = log };
	unsigned long flags;
	u32 i, nr, *chunk;
	int ret;

	spin_lock_irqsave(&upper->lock, flags);
	ckpt.from = log->at;
	nr = ckpt_chunks(upper, 0);
	spin_unlock_irqrestore(&upper->lock, flags);
	ckpt.buf = ybd_pool_buf_alloc(YBD_FMT_CHUNK_BLOCKS, GFP_NOIO);
	chunk = kvmalloc_array(nr, sizeof(*chunk), GFP_NOIO);
	ret = -ENOMEM;
	if (!ckpt.buf || !chunk)
		goto out;
	ret = take_chunks(log, nr, chunk);
	if (ret)
		goto out;
	for (i = 0; i < nr && !ret; i++)
		ret = ybd_chunk_list_add(&ckpt.chunks, chunk[i]);
	if (ret) {
		ybd_pool_give_chunks(upper->pool, chunk + i - 1, nr - i + 1, 0);
		ckpt_undo(&ckpt);
		goto out;
	}
	mutex_lock(&log->header_lock);
	if (ybd_is_mutant(YBD_MUTANT_HEADER_BEFORE_CHECKPOINT))
		ret = ckpt_switch(&ckpt);
	ret = ret ?: ckpt_write_map(&ckpt);
	if (ret) {
		ckpt_undo(&ckpt);
	} else {
		ckpt_trim(&ckpt);
		ret = ckpt_switch(&ckpt);
		if (!ret)
			ckpt_free_old(log, &ckpt);
		else
			kvfree(ckpt.chunks.chunk);
	}
	mutex_unlock(&log->header_lock);
	trace_ybd_checkpoint(MKDEV(0, upper->dev->id), ckpt.from.seq, ckpt.nr, ckpt.records);
out:
	spin_lock_irqsave(&upper->lock, flags);
	log->ckpt_failed = ret;
	spin_unlock_irqrestore(&upper->lock, flags);
	kvfree(chunk);
	ybd_pool_buf_free(ckpt.buf);
	return ret;
}

/* A commit cannot go on: all that wait for it are told. */
static void give_up(struct upper_log *log, int ret)
{
	struct ybd_upper *upper = log->upper;
	unsigned long flags;

	pr_err("%s: no room for the log (%d): nothing more is accepted\n",
	       upper->dev->name, ret);
	spin_lock_irqsave(&upper->lock, flags);
	upper->failed = true;
	spin_unlock_irqrestore(&upper->lock, flags);
	log->status = errno_to_blk_status(ret);
}

/**
 * ybd_log_keep - what the log needs to go on
 * @work: of the log
 */
void ybd_log_keep(struct work_struct *work)
{
	struct upper_log *log = container_of(work, struct upper_log, keeper);
	struct ybd_upper *upper = log->upper;
	bool chunk, stalled, due;
	unsigned long flags;
	int ret = 0;

	spin_lock_irqsave(&upper->lock, flags);
	chunk = !log->next_chunk;
	due = ckpt_due(log);
	spin_unlock_irqrestore(&upper->lock, flags);
	if (ybd_upper_has_failed(upper))
		ret = -EIO;
	else if (chunk)
		ret = provide_chunk(log);
	/* Where there is no chunk left, a checkpoint frees those of the log. */
	if (ret == -ENOSPC) {
		ret = make_checkpoint(log) ?: provide_chunk(log);
		due = false;
	}

	spin_lock_irqsave(&upper->lock, flags);
	stalled = log->stalled;
	log->stalled = false;
	spin_unlock_irqrestore(&upper->lock, flags);
	if (stalled) {
		if (ret)
			give_up(log, ret);
		ybd_log_go_on(log);
	}
	if (due && !ybd_upper_has_failed(upper))
		make_checkpoint(log);
}
