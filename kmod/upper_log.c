// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records and commits. A commit writes the records that waited when it began,
 * behind a flush that makes durable what they refer to; one commit of an upper
 * is under way at a time. Where several uppers of a pool want one, they share
 * the flush: who comes while one is under way waits for the next.
 *
 * A commit is passed on from context to context: gathered before its flush is
 * submitted, written when that is done, ended in the interrupt of the last log
 * write. Who has made log->busy true owns it.
 */
#include <linux/bio.h>
#include <linux/blk-cgroup.h>
#include <linux/crc32c.h>
#include <linux/slab.h>

#include "device.h"
#include "trace.h"
#include "upper_log.h"

/**
 * struct ybd_commit - what commits of one pool share
 * @pool: the pool
 * @lock: protects what follows up to @flushing; taken alone
 * @busy: a flush is under way, or about to be
 * @waiting: logs whose commits wait for the next flush
 * @flushing: logs whose commits wait for the flush under way; of who has made
 *	it @busy
 * @flush: that flush
 * @work: goes on where nothing can be submitted
 * @commits: log writes
 * @flushes: flushes that are no part of a log write
 * @merged: commits that had no flush of their own
 */
struct ybd_commit {
	struct ybd_pool		*pool;
	spinlock_t		lock;	/* up to @flushing */
	bool			busy;
	struct list_head	waiting;
	struct list_head	flushing;
	struct bio		flush;
	struct work_struct	work;
	atomic64_t		commits;
	atomic64_t		flushes;
	atomic64_t		merged;
};

static void commit_add(struct upper_log *log, bool may_submit);
static void flush_done(struct ybd_commit *commit);

/* ---- records ---- */

/**
 * ybd_log_encode - a run as it is on disk
 * @record: the record
 * @run: the run; of YBD_UMAP_DATA at most YBD_FMT_MAP_MAX blocks
 */
void ybd_log_encode(struct ybd_fmt_record *record, const struct ybd_umap_run *run)
{
	static const u8 ops[] = {
		[YBD_UMAP_NONE]	= YBD_FMT_OP_DROP,
		[YBD_UMAP_ZERO]	= YBD_FMT_OP_ZERO,
		[YBD_UMAP_DATA]	= YBD_FMT_OP_MAP,
	};
	u64 where = run->nr;

	if (run->kind == YBD_UMAP_DATA)
		where = (run->nr - 1) << YBD_FMT_NR_SHIFT | run->phys;
	record->what = cpu_to_le64((u64)ops[run->kind] << YBD_FMT_OP_SHIFT | run->start);
	record->where = cpu_to_le64(where);
}

/* Make @record longer by @run, if that continues it. */
static bool record_extend(struct ybd_fmt_record *record, const struct ybd_umap_run *run)
{
	u64 what = le64_to_cpu(record->what), where = le64_to_cpu(record->where), nr;
	struct ybd_fmt_record other;

	ybd_log_encode(&other, run);
	if (what >> YBD_FMT_OP_SHIFT != le64_to_cpu(other.what) >> YBD_FMT_OP_SHIFT)
		return false;
	nr = run->kind == YBD_UMAP_DATA ? (where >> YBD_FMT_NR_SHIFT) + 1 : where;
	if (what + nr != le64_to_cpu(other.what))
		return false;
	if (run->kind != YBD_UMAP_DATA) {
		record->where = cpu_to_le64(nr + run->nr);
		return true;
	}
	if ((where & ((1ULL << YBD_FMT_NR_SHIFT) - 1)) + nr != run->phys ||
	    nr + run->nr > YBD_FMT_MAP_MAX)
		return false;
	record->where = cpu_to_le64(where + (run->nr << YBD_FMT_NR_SHIFT));
	return true;
}

/**
 * ybd_log_ready - is there memory for records?
 * @upper: the upper; the caller holds its lock
 * @more: records, besides those of changes under way
 */
bool ybd_log_ready(const struct ybd_upper *upper, unsigned int more)
{
	const struct upper_log *log = upper->log;
	unsigned int room = log->nr_spare * ARRAY_SIZE(log->spare->record);

	if (log->last)
		room += ARRAY_SIZE(log->last->record) - log->last->nr;
	return room >= upper->changes + more;
}

/**
 * ybd_log_refill - memory for more records
 * @upper: the upper
 * @gfp: how
 *
 * Return: 0 or -ENOMEM.
 */
int ybd_log_refill(struct ybd_upper *upper, gfp_t gfp)
{
	struct log_records *records = (void *)__get_free_page(gfp);
	struct upper_log *log = upper->log;
	unsigned long flags;

	BUILD_BUG_ON(sizeof(*records) > PAGE_SIZE);
	if (!records)
		return -ENOMEM;
	records->nr = 0;
	records->taken = 0;
	spin_lock_irqsave(&upper->lock, flags);
	records->next = log->spare;
	log->spare = records;
	log->nr_spare++;
	spin_unlock_irqrestore(&upper->lock, flags);
	return 0;
}

/**
 * ybd_log_record - the map has changed
 * @upper: the upper; the caller holds its lock, and ybd_log_ready() was true
 * @run: what it has now
 */
void ybd_log_record(struct ybd_upper *upper, const struct ybd_umap_run *run)
{
	struct upper_log *log = upper->log;
	struct log_records *last = log->last;

	lockdep_assert_held(&upper->lock);
	/* Not with one that a commit has gathered: its flush does not cover this. */
	if (log->nr_records > log->gathered && last->nr &&
	    record_extend(&last->record[last->nr - 1], run))
		return;
	if (!last || last->nr == ARRAY_SIZE(last->record)) {
		last = log->spare;
		log->spare = last->next;
		log->nr_spare--;
		last->next = NULL;
		if (log->last)
			log->last->next = last;
		else
			log->first = last;
		log->last = last;
	}
	ybd_log_encode(&last->record[last->nr++], run);
	log->nr_records++;
}

/* An empty one is used again, or freed. */
static void records_drop(struct upper_log *log)
{
	struct log_records *records = log->first;

	log->first = records->next;
	if (!log->first)
		log->last = NULL;
	if (log->nr_spare >= 2 &&
	    log->nr_spare * ARRAY_SIZE(records->record) > log->upper->changes) {
		free_page((unsigned long)records);
		return;
	}
	records->nr = 0;
	records->taken = 0;
	records->next = log->spare;
	log->spare = records;
	log->nr_spare++;
}

/* Move gathered records to a block. Returns how many. */
static u32 records_take(struct upper_log *log, struct ybd_fmt_record *to, u32 most)
{
	struct log_records *from;
	u32 nr = 0, n;

	while (nr < most && log->gathered) {
		from = log->first;
		n = min3(from->nr - from->taken, most - nr, (u32)min_t(u64, log->gathered, most));
		memcpy(to + nr, from->record + from->taken, n * sizeof(*to));
		from->taken += n;
		log->gathered -= n;
		log->nr_records -= n;
		nr += n;
		if (from->taken == from->nr)
			records_drop(log);
	}
	return nr;
}

/* ---- the commit of one upper ---- */

/* What waits now is what the commit is about. */
static void log_gather(struct upper_log *log)
{
	struct ybd_upper *upper = log->upper;
	unsigned long flags;

	spin_lock_irqsave(&upper->lock, flags);
	log->committing = log->waiters;
	bio_list_init(&log->waiters);
	log->wanted = false;
	log->gathered = log->nr_records;
	if (!log->gone_closed)
		log->gone_closed = ybd_upper_gone_close(upper);
	spin_unlock_irqrestore(&upper->lock, flags);
	log->status = ybd_upper_has_failed(upper) ? BLK_STS_IOERR : BLK_STS_OK;
}

static void log_answer(struct upper_log *log)
{
	struct bio *bio;

	while ((bio = bio_list_pop(&log->committing))) {
		if (log->status)
			bio->bi_status = log->status;
		if (!log->status && bio->bi_opf & REQ_PREFLUSH && bio_sectors(bio)) {
			/* What is before it is durable: now for its data. */
			bio->bi_opf &= ~REQ_PREFLUSH;
			ybd_upper_resend(log->upper, bio);
		} else {
			bio_endio(bio);
		}
	}
}

/*
 * What was flushed, or what was written of the log, may be lost: nothing may be
 * built on it. Any context.
 */
static void log_fail(struct upper_log *log, blk_status_t status)
{
	struct ybd_upper *upper = log->upper;
	unsigned long flags;

	spin_lock_irqsave(&upper->lock, flags);
	upper->failed = true;
	spin_unlock_irqrestore(&upper->lock, flags);
	ybd_pool_io_error(upper->pool, status);
	log->status = status;
	pr_err("%s: the pool cannot be written (%d): nothing more is accepted\n",
	       upper->dev->name, blk_status_to_errno(status));
}

/* The commit is durable, or has failed. Any context. */
static void log_commit_end(struct upper_log *log)
{
	struct ybd_upper *upper = log->upper;
	bool again, durable = false;
	unsigned long flags;

	spin_lock_irqsave(&upper->lock, flags);
	if (!log->status) {
		durable = log->gone_closed;
		log->gone_closed = false;
	}
	log->gathered = 0;
	spin_unlock_irqrestore(&upper->lock, flags);
	if (durable)
		ybd_upper_gone_durable(upper);
	if (log->status)
		ybd_upper_kick_waiters(upper);
	log_answer(log);

	spin_lock_irqsave(&upper->lock, flags);
	again = !bio_list_empty(&log->waiters) || (log->wanted && !ybd_upper_has_failed(upper));
	if (!again) {
		log->busy = false;
		wake_up(&log->idle);
	}
	spin_unlock_irqrestore(&upper->lock, flags);
	/* Not to be touched any more, unless it is ours again. */
	if (again)
		commit_add(log, false);
}

/* Make one block of the log. Records are taken, the position goes on. */
static void log_fill(struct upper_log *log, struct page *page, u64 durable_seq,
		     struct log_position *at)
{
	struct ybd_fmt_log *b = page_address(page);
	struct ybd_upper *upper = log->upper;
	u64 next = at->block + 1;
	unsigned long flags;
	u32 nr;

	if (next % YBD_FMT_CHUNK_BLOCKS == 0) {
		next = log->next_chunk;
		log->next_chunk = 0;
	}
	memset(b, 0, sizeof(*b));
	spin_lock_irqsave(&upper->lock, flags);
	nr = records_take(log, b->record, YBD_FMT_LOG_RECORDS);
	spin_unlock_irqrestore(&upper->lock, flags);
	b->epoch = log->header->epoch;
	b->next = cpu_to_le64(next);
	b->durable_seq = cpu_to_le64(durable_seq);
	b->prev_crc = cpu_to_le32(at->prev_crc);
	b->nr = cpu_to_le16(nr);
	ybd_fmt_seal(upper->pool, b, YBD_FMT_MAGIC_LOG, &upper->uuid, at->block, at->seq);
	log->taken += nr;
	at->block = next;
	at->seq++;
	at->prev_crc = le32_to_cpu(b->h.crc);
}

/* Blocks for the records that are left, as far as the chunk goes; 0 to wait. */
static unsigned int log_blocks(struct upper_log *log)
{
	unsigned int left = YBD_FMT_CHUNK_BLOCKS - log->at.block % YBD_FMT_CHUNK_BLOCKS;
	u64 want = DIV_ROUND_UP_ULL(log->gathered, YBD_FMT_LOG_RECORDS);
	unsigned int nr = min_t(u64, want, left);

	/* The last block of a chunk says where the next one is. */
	if (nr == left && !READ_ONCE(log->next_chunk))
		nr--;
	while (log->nr_pages < nr) {
		struct page *page = alloc_page(GFP_NOWAIT | __GFP_NOWARN);

		if (!page)
			break;
		log->page[log->nr_pages++] = page;
	}
	return min(nr, log->nr_pages);
}

/* If this one flushes for itself: nobody has to wait for that any more. Any context. */
static void log_let_others(struct upper_log *log)
{
	bool alone = log->alone;

	log->alone = false;
	if (alone)
		flush_done(log->upper->pool->commit);
}

/* Any context. */
static void log_write_end(struct bio *bio)
{
	struct upper_log *log = bio->bi_private;
	struct ybd_upper *upper = log->upper;
	blk_status_t status = bio->bi_status;
	bool more, keep;
	unsigned long flags;

	bio_uninit(bio);
	/* What the flush before it was for may be lost. */
	if (!status && pool_has_failed(upper->pool))
		status = BLK_STS_IOERR;
	if (status)
		log_fail(log, status);
	spin_lock_irqsave(&upper->lock, flags);
	if (!status) {
		log->part_blocks += log->after.seq - log->at.seq;
		log->at = log->after;
		log->nr_commits++;
	}
	more = !status && log->gathered;
	keep = !status && ybd_log_keeper_needed(log);
	spin_unlock_irqrestore(&upper->lock, flags);
	if (keep)
		queue_work(ybd_log_wq, &log->keeper);
	log_let_others(log);
	if (more)
		queue_work(ybd_commit_wq, &log->write_work);
	else
		log_commit_end(log);
}

/* Wait for the next chunk; false if it has come meanwhile. */
static bool log_stall(struct upper_log *log)
{
	struct ybd_upper *upper = log->upper;
	unsigned long flags;
	bool stalled;

	spin_lock_irqsave(&upper->lock, flags);
	stalled = !log->next_chunk;
	log->stalled = stalled;
	spin_unlock_irqrestore(&upper->lock, flags);
	/* From here on the keeper may have let the commit go on. */
	if (!stalled)
		return false;
	queue_work(ybd_log_wq, &log->keeper);
	return true;
}

/*
 * Others wait for a commit too, whoever began it: no cgroup's share may hold it back.
 * That it is metadata does not see to that on 6.1, nor for a flush without any.
 */
static void log_bio_for_all(struct bio *bio)
{
	bio_associate_blkg_from_css(bio, blkcg_root_css);
}

/* Write what is gathered, or the first part of it. Process context. */
static void log_write(struct upper_log *log)
{
	struct ybd_upper *upper = log->upper;
	unsigned int nr, i;
	blk_opf_t opf = REQ_OP_WRITE | REQ_FUA | REQ_META | REQ_SYNC | REQ_IDLE;

	/* A flush of a device that has lost what it was to flush says nothing. */
	if (!log->status && ybd_upper_has_failed(upper))
		log->status = BLK_STS_IOERR;
	if (log->status || !log->gathered) {
		log_let_others(log);
		log_commit_end(log);
		return;
	}
	while (!(nr = log_blocks(log))) {
		/* It flushes for itself when it goes on. */
		log_let_others(log);
		if (log_stall(log))
			return;
	}
	if (log->preflush)
		opf |= REQ_PREFLUSH;
	if (ybd_is_mutant(YBD_MUTANT_NO_PREFLUSH))
		opf &= ~REQ_PREFLUSH;
	if (ybd_is_mutant(YBD_MUTANT_NO_FUA))
		opf &= ~REQ_FUA;
	log->preflush = false;
	log->after = log->at;
	log->taken = 0;
	bio_init(&log->bio, upper->pool->b.bdev, log->vec, LOG_WRITE_MAX, opf);
	log_bio_for_all(&log->bio);
	log->bio.bi_iter.bi_sector = log->at.block * YBD_BLOCK_SECTORS;
	log->bio.bi_private = log;
	log->bio.bi_end_io = log_write_end;
	for (i = 0; i < nr; i++) {
		log_fill(log, log->page[i], log->at.seq, &log->after);
		__bio_add_page(&log->bio, log->page[i], YBD_BLOCK_SIZE, 0);
	}
	trace_ybd_commit(MKDEV(0, upper->dev->id), log->at.seq, nr, log->taken);
	atomic64_inc(&upper->pool->commit->commits);
	if (ybd_is_mutant(YBD_MUTANT_ACK_EARLY))
		log_answer(log);
	submit_bio(&log->bio);
}

static void log_write_work(struct work_struct *work)
{
	log_write(container_of(work, struct upper_log, write_work));
}

/* The keeper has provided a chunk for a commit that was stalled. */
void ybd_log_go_on(struct upper_log *log)
{
	queue_work(ybd_commit_wq, &log->write_work);
}

/* ---- commits of a pool ---- */

/* Any context. */
static void flush_end(struct bio *bio)
{
	struct ybd_commit *commit = bio->bi_private;

	queue_work(ybd_commit_wq, &commit->work);
}

/*
 * Begin the next flush for who has waited, or let go. The caller has made
 * commit->busy true. Process context.
 */
static void commit_run(struct ybd_commit *commit)
{
	struct upper_log *log;
	unsigned long flags;
	bool none;

	spin_lock_irqsave(&commit->lock, flags);
	list_splice_init(&commit->waiting, &commit->flushing);
	none = list_empty(&commit->flushing);
	if (none)
		commit->busy = false;
	spin_unlock_irqrestore(&commit->lock, flags);
	/* It may be somebody else's by now. */
	if (none)
		return;
	list_for_each_entry(log, &commit->flushing, node)
		log_gather(log);
	log = list_first_entry(&commit->flushing, struct upper_log, node);
	if (list_is_singular(&commit->flushing) && log->gathered && !log->status) {
		list_del_init(&log->node);
		log->preflush = true;
		log->alone = true;
		log_write(log);
		return;
	}
	bio_init(&commit->flush, commit->pool->b.bdev, NULL, 0,
		 REQ_OP_WRITE | REQ_PREFLUSH | REQ_SYNC);
	log_bio_for_all(&commit->flush);
	commit->flush.bi_private = commit;
	commit->flush.bi_end_io = flush_end;
	atomic64_inc(&commit->flushes);
	if (ybd_is_mutant(YBD_MUTANT_NO_PREFLUSH)) {
		flush_end(&commit->flush);
		return;
	}
	submit_bio(&commit->flush);
}

/* After a flush, or when a commit comes that cannot submit for itself. */
static void commit_work(struct work_struct *work)
{
	struct ybd_commit *commit = container_of(work, struct ybd_commit, work);
	struct upper_log *log, *next;
	blk_status_t status;

	if (!list_empty(&commit->flushing)) {
		status = commit->flush.bi_status;
		bio_uninit(&commit->flush);
		list_for_each_entry_safe(log, next, &commit->flushing, node) {
			list_del_init(&log->node);
			if (log->gathered)
				atomic64_inc(&commit->merged);
			if (status && !log->status)
				log_fail(log, status);
			log_write(log);
		}
	}
	commit_run(commit);
}

/* The flush of a commit that was alone has ended. Any context. */
static void flush_done(struct ybd_commit *commit)
{
	unsigned long flags;

	spin_lock_irqsave(&commit->lock, flags);
	if (list_empty(&commit->waiting))
		commit->busy = false;
	else
		queue_work(ybd_commit_wq, &commit->work);
	spin_unlock_irqrestore(&commit->lock, flags);
}

/* A commit begins. The caller has made log->busy true. */
static void commit_add(struct upper_log *log, bool may_submit)
{
	struct ybd_commit *commit = log->upper->pool->commit;
	unsigned long flags;
	bool run;

	/* Nothing to share where a flush does nothing. */
	if (!bdev_write_cache(commit->pool->b.bdev)) {
		log_gather(log);
		if (may_submit)
			log_write(log);
		else
			queue_work(ybd_commit_wq, &log->write_work);
		return;
	}
	spin_lock_irqsave(&commit->lock, flags);
	list_add_tail(&log->node, &commit->waiting);
	run = !commit->busy;
	commit->busy = true;
	spin_unlock_irqrestore(&commit->lock, flags);
	if (!run)
		return;
	if (may_submit)
		commit_run(commit);
	else
		queue_work(ybd_commit_wq, &commit->work);
}

/**
 * ybd_log_commit - make durable what is in the map, and what was written
 * @upper: a persistent upper
 * @bio: is ended then, or sent again without REQ_PREFLUSH if it has data;
 *	hooked. NULL if nobody waits.
 * @may_submit: in process context
 */
void ybd_log_commit(struct ybd_upper *upper, struct bio *bio, bool may_submit)
{
	struct upper_log *log = upper->log;
	unsigned long flags;
	bool start;

	spin_lock_irqsave(&upper->lock, flags);
	if (bio)
		bio_list_add(&log->waiters, bio);
	else
		log->wanted = true;
	start = !log->busy;
	log->busy = true;
	spin_unlock_irqrestore(&upper->lock, flags);
	if (start)
		commit_add(log, may_submit);
}

/**
 * ybd_log_is_clean - is everything in the map durable, but what was overwritten?
 * @upper: a persistent upper
 */
bool ybd_log_is_clean(struct ybd_upper *upper)
{
	struct upper_log *log = upper->log;
	unsigned long flags;
	bool clean;

	spin_lock_irqsave(&upper->lock, flags);
	clean = !log->busy && !log->nr_records && !ybd_upper_has_failed(upper);
	spin_unlock_irqrestore(&upper->lock, flags);
	return clean;
}

/**
 * ybd_log_sync - commit, and wait
 * @upper: a persistent upper
 *
 * May sleep; not below submit_bio(). Return: 0 or -EIO.
 */
int ybd_log_sync(struct ybd_upper *upper)
{
	ybd_log_commit(upper, NULL, true);
	wait_event(upper->log->idle, !READ_ONCE(upper->log->busy));
	return ybd_upper_has_failed(upper) ? -EIO : 0;
}

/**
 * ybd_log_stop - wait for what is under way
 * @log: of an upper that nobody uses any more
 */
void ybd_log_stop(struct upper_log *log)
{
	wait_event(log->idle, !READ_ONCE(log->busy));
	/* Who has woken us is still in there. */
	spin_lock_irq(&log->upper->lock);
	spin_unlock_irq(&log->upper->lock);
	cancel_work_sync(&log->keeper);
}

/* ---- making and freeing ---- */

/* May sleep. */
struct upper_log *ybd_log_alloc(struct ybd_upper *upper)
{
	struct upper_log *log = kzalloc(sizeof(*log), GFP_KERNEL);

	if (!log)
		return NULL;
	log->upper = upper;
	bio_list_init(&log->waiters);
	bio_list_init(&log->committing);
	INIT_LIST_HEAD(&log->node);
	init_waitqueue_head(&log->idle);
	INIT_WORK(&log->write_work, log_write_work);
	INIT_WORK(&log->keeper, ybd_log_keep);
	mutex_init(&log->header_lock);
	log->ckpt_at = LOG_BLOCKS_LONG;
	log->header = (void *)get_zeroed_page(GFP_KERNEL);
	log->page[0] = alloc_page(GFP_KERNEL);
	if (!log->header || !log->page[0]) {
		ybd_log_free(log);
		return NULL;
	}
	log->nr_pages = 1;
	return log;
}

static void records_free(struct log_records *records)
{
	while (records) {
		struct log_records *next = records->next;

		free_page((unsigned long)records);
		records = next;
	}
}

/* After ybd_log_stop(), or when it was never used. */
void ybd_log_free(struct upper_log *log)
{
	unsigned int i;

	if (!log)
		return;
	if (log->promised)
		ybd_pool_unpromise(log->upper->pool, log->promised);
	records_free(log->first);
	records_free(log->spare);
	for (i = 0; i < LOG_WRITE_MAX; i++)
		if (log->page[i])
			__free_page(log->page[i]);
	kvfree(log->log_chunks.chunk);
	kvfree(log->ckpt_chunks.chunk);
	free_page((unsigned long)log->header);
	kfree(log);
}

/* May sleep. */
struct ybd_commit *ybd_commit_alloc(struct ybd_pool *pool)
{
	struct ybd_commit *commit = kzalloc(sizeof(*commit), GFP_KERNEL);

	if (!commit)
		return NULL;
	commit->pool = pool;
	spin_lock_init(&commit->lock);
	INIT_LIST_HEAD(&commit->waiting);
	INIT_LIST_HEAD(&commit->flushing);
	INIT_WORK(&commit->work, commit_work);
	return commit;
}

/* No upper of the pool is left. */
void ybd_commit_free(struct ybd_commit *commit)
{
	cancel_work_sync(&commit->work);
	kfree(commit);
}

/* The pool's counters. */
void ybd_commit_info(struct ybd_commit *commit, struct ybd_pool_info *info)
{
	info->commits = atomic64_read(&commit->commits);
	info->flushes = atomic64_read(&commit->flushes);
	info->flushes_merged = atomic64_read(&commit->merged);
}
