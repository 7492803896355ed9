/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log of a persistent upper, shared by what writes it, what makes
 * checkpoints of it and what reads it (Documentation/pool-format.rst, sections
 * 6 and 7).
 */
#ifndef YBD_UPPER_LOG_H
#define YBD_UPPER_LOG_H

#include "upper_priv.h"

/* Blocks in one log write: those of a chunk. */
#define LOG_WRITE_MAX	YBD_FMT_CHUNK_BLOCKS
/* So many records wait for a flush at most: then they are written anyway. */
#define LOG_RECORDS_LONG	(16 * YBD_FMT_LOG_RECORDS)
/* So many segments of gone blocks, likewise. */
#define GONE_SEGMENTS		4
/* Shorter ones need no checkpoint. */
#define LOG_BLOCKS_LONG		256U
/* Chunks that are promised beside those of the next checkpoint. */
#define LOG_CHUNKS_ASIDE	2U
/* So many that are needed no more are worth a checkpoint. */
#define LOG_CHUNKS_TOO_MANY	4U

/**
 * struct chunk_list - chunks in the order of their use
 * @chunk: numbers
 * @nr: how many
 * @room: for which @chunk has room
 */
struct chunk_list {
	u32	*chunk;
	u32	nr;
	u32	room;
};

/**
 * struct log_records - records that wait for a commit
 * @next: those behind them
 * @nr: in @record
 * @taken: that are in a block of the log already
 * @record: them
 */
struct log_records {
	struct log_records	*next;
	u32			nr;
	u32			taken;
	struct ybd_fmt_record	record[255];
};

/**
 * struct log_position - where the log goes on
 * @block: where the next block goes
 * @seq: its sequence number
 * @prev_crc: crc of the one before it
 */
struct log_position {
	u64	block;
	u64	seq;
	u32	prev_crc;
};

/**
 * struct upper_log - the log of a persistent upper
 * @upper: whose; its lock protects what follows up to @node
 * @first: records that wait
 * @last: the newest of those
 * @spare: empty ones
 * @nr_spare: how many
 * @nr_records: that wait
 * @gathered: so many of those belong to the commit under way
 * @waiters: bios that wait for the next commit
 * @busy: a commit is under way, or about to be
 * @wanted: another one is wanted, though nobody waits for it
 * @gone_closed: blocks become free when the commit under way is durable
 * @at: where the next block goes
 * @next_chunk: where the log goes on when its chunk is full, or 0
 * @part_blocks: blocks behind the checkpoint
 * @stalled: a commit waits for @next_chunk
 * @promised: chunks that the pool keeps for the next checkpoint
 * @ckpt_took: of those, taken by one that is under way
 * @log_took: of those, taken for the log since the last one
 * @ckpt_nr_chunks: of the last checkpoint
 * @ckpt_blocks: of the last checkpoint
 * @ckpt_at: @part_blocks at which the next one is made
 * @ckpt_failed: the last attempt at one did
 * @nr_commits: log writes
 * @nr_ckpts: checkpoints
 * @node: in the lists of the pool's commits; protected by their lock
 * @idle: woken when no commit is under way any more
 *
 * Of the one who commits, that is who has made it @busy:
 * @committing: bios that wait for the commit under way
 * @status: of the commit under way
 * @preflush: its next write is to flush before
 * @alone: that flush is nobody else's
 * @taken: records in the write under way
 * @after: where the log goes on after the write under way
 * @page: blocks of the log
 * @nr_pages: of those there are
 * @bio: the write under way
 * @vec: of @bio
 * @write_work: goes on with a commit where nothing can be submitted
 *
 * Of the keeper, which makes room and checkpoints:
 * @keeper: its work
 * @header_lock: protects @header, @epoch and the lists of chunks
 * @header: as it is on disk
 * @log_chunks: that the log has, the oldest first; @next_chunk, if there is one, is in the
 *	last of them
 * @ckpt_chunks: of the last checkpoint
 * @layers_chunk: of the list of layers
 */
struct upper_log {
	struct ybd_upper	*upper;
	struct log_records	*first;
	struct log_records	*last;
	struct log_records	*spare;
	unsigned int		nr_spare;
	u64			nr_records;
	u64			gathered;
	struct bio_list		waiters;
	bool			busy;
	bool			wanted;
	bool			gone_closed;
	struct log_position	at;
	u64			next_chunk;
	u64			part_blocks;
	bool			stalled;
	u32			promised;
	u32			ckpt_took;
	u32			log_took;
	u32			ckpt_nr_chunks;
	u32			ckpt_blocks;
	u64			ckpt_at;
	bool			ckpt_failed;
	u64			nr_commits;
	u64			nr_ckpts;
	struct list_head	node;
	wait_queue_head_t	idle;

	struct bio_list		committing;
	blk_status_t		status;
	bool			preflush;
	bool			alone;
	u32			taken;
	struct log_position	after;
	struct page		*page[LOG_WRITE_MAX];
	unsigned int		nr_pages;
	struct bio		bio;
	struct bio_vec		vec[LOG_WRITE_MAX];
	struct work_struct	write_work;

	struct work_struct	keeper;
	struct mutex		header_lock;	/* the header and the lists of chunks */
	struct ybd_fmt_upper	*header;
	struct chunk_list	log_chunks;
	struct chunk_list	ckpt_chunks;
	u32			layers_chunk;
};

/* ---- upper_log.c ---- */

void ybd_log_go_on(struct upper_log *log);
void ybd_log_encode(struct ybd_fmt_record *record, const struct ybd_umap_run *run);

/* ---- upper_ckpt.c ---- */

void ybd_log_keep(struct work_struct *work);
void ybd_log_give_ahead(struct upper_log *log);
bool ybd_log_keeper_needed(const struct upper_log *log);
int ybd_chunk_list_add(struct chunk_list *list, u32 chunk);
u32 ybd_chunk_of(const struct ybd_pool *pool, u64 block);

/* ---- upper_attach.c ---- */

int ybd_log_read(struct ybd_upper *upper, struct netlink_ext_ack *extack);

/*
 * Deliberate faults, to show that the tests find them. In a test build alone.
 */
enum ybd_mutant {
	YBD_MUTANT_NONE,
	YBD_MUTANT_NO_PREFLUSH,
	YBD_MUTANT_NO_FUA,
	YBD_MUTANT_REUSE_BEFORE_DURABLE,
	YBD_MUTANT_REUSE_BEFORE_DRAINED,
	YBD_MUTANT_HEADER_BEFORE_CHECKPOINT,
	YBD_MUTANT_NO_EPOCH,
	YBD_MUTANT_ACK_EARLY,
};

#ifdef YBD_MUTANTS
bool ybd_is_mutant(enum ybd_mutant which);
#else
static inline bool ybd_is_mutant(enum ybd_mutant which)
{
	return false;
}
#endif

#endif /* YBD_UPPER_LOG_H */
