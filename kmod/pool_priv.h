/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files about pools share. Locks, outermost first:
 *
 *   pool_list_lock (mutex)   the list of pools, and opening and closing them
 *   log->header_lock (mutex) the header of an upper, and its lists of chunks
 *   pool->meta_lock (mutex)  the tables and the directory, in memory and on disk
 *   upper->lock (spin, irq)  see upper_priv.h
 *   pool->lock (spin, irq)   what is free and what is promised
 *   commit->lock (spin, irq) who shares the next flush; taken alone
 *
 * A pool is referenced by each of its uppers and by netlink requests under way;
 * the last reference closes the block device. An upper belongs to its device.
 */
#ifndef YBD_POOL_PRIV_H
#define YBD_POOL_PRIV_H

#include <linux/bio.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/xarray.h>

#include "compat.h"
#include "fill.h"
#include "pool.h"
#include "ybd.h"

/* Owner of a segment or chunk in memory, for what is on no disk. */
#define POOL_OWNER_VOLATILE	0xfffffffeU
/* Neither copy of its table block is valid: given to nobody. */
#define POOL_OWNER_LOST		0xfffffffdU

#define NO_SEGMENT		U32_MAX

/**
 * struct pool_owner - an entry of a table
 * @owner: as in struct ybd_fmt_owner, or POOL_OWNER_*
 * @generation: as there
 */
struct pool_owner {
	u32	owner;
	u32	generation;
};

/**
 * struct pool_table - the segment or the chunk table
 * @magic: YBD_FMT_MAGIC_*
 * @first: of the two copies
 * @max: entries it can have
 * @nr: entries that are in memory
 * @room: for which @entry has room
 * @entry: them
 * @seq: of each block of the table
 * @better: copy of each block that is valid; it is written last
 * @dirty: bit per block: something in it is free that is not on disk; atomic
 *
 * Protected by pool->meta_lock; @entry.owner of segments also by pool->lock.
 */
struct pool_table {
	u64			magic;
	u64			first[2];
	u32			max;
	u32			nr;
	u32			room;
	struct pool_owner	*entry;
	u64			*seq;
	u8			*better;
	unsigned long		*dirty;
};

/**
 * struct pool_place - an upper that is live on disk
 * @uuid: of the upper
 * @generation: of its place
 * @attached: a device has it
 * @name: of the upper
 */
struct pool_place {
	uuid_t	uuid;
	u32	generation;
	bool	attached;
	char	name[YBD_FMT_NAME_LEN];
};

/**
 * struct ybd_pool - a pool that is open
 * @node: in the list of pools; protected by pool_list_lock
 * @users: devices and requests under way; protected by pool_list_lock
 * @id: number, never used twice
 * @b: its block device, opened for writing and claimed
 * @uuid: of the pool
 * @name: of the pool
 * @failure: why nothing is written any more, a literal, or NULL; never unset
 * @fail_work: tells of it
 * @discard: tells the device what is free, see pool_discard.c
 * @discard_leave: it is to end, and not only when all is told
 * @shown: woken when segments are free that were hidden
 * @block_mask: logical block size of @b in sectors, minus 1
 * @nr_blocks: size
 * @segment_shift: log2 of the blocks of a segment
 * @nr_segments: there are
 * @nr_uppers: places in the directory
 * @directory: its first block
 * @data: first block of segment 0
 * @chunks_per_segment: of metadata
 * @srcu: held over each I/O to a block that an upper has mapped or is about to
 *	map; a freed block is used again when a grace period has passed
 * @commit: shares flushes, see upper_log.c
 * @lock: protects what follows, up to @meta_lock
 * @free: bit per segment: it can be taken
 * @stale: bit per free segment: its device knows nothing of that yet; NULL if the
 *	device takes no discards
 * @cursor: where to look for the next one
 * @free_segments: bits in @free
 * @hidden_segments: free too, but being discarded
 * @free_chunks: in metadata segments
 * @coming_chunks: of a segment that is about to be one
 * @promised: chunks that uppers may still take, however full the pool is
 * @fill: segments that are not free
 * @spare_chunks: kept for what makes room: discards, destroying
 * @given: how often anything was given back; needs no lock
 * @segment_at: for each segment what its upper knows of it; the upper's lock
 * @meta_lock: protects what follows; see pool_lock_meta()
 * @noio: what is to be restored when it is released
 * @segments: segment table
 * @chunks: chunk table; what is in memory is in metadata segments
 * @metadata: segment of each ordinal, @chunks.nr / @chunks_per_segment of them
 * @next_metadata: segment that is to be the next of them, or NO_SEGMENT
 * @places: number -> struct pool_place
 * @next_place: where to look for a free place
 */
struct ybd_pool {
	struct list_head	node;
	unsigned int		users;
	u32			id;
	struct ybd_bdev		b;
	uuid_t			uuid;
	char			name[YBD_FMT_NAME_LEN];
	const char		*failure;
	struct work_struct	fail_work;
	struct delayed_work	discard;
	bool			discard_leave;
	wait_queue_head_t	shown;
	unsigned int		block_mask;
	u64			nr_blocks;
	unsigned int		segment_shift;
	u32			nr_segments;
	u32			nr_uppers;
	u64			directory;
	u64			data;
	u32			chunks_per_segment;
	struct srcu_struct	srcu;
	struct ybd_commit	*commit;

	spinlock_t		lock;	/* up to @meta_lock */
	unsigned long		*free;
	unsigned long		*stale;
	u32			cursor;
	u32			free_segments;
	u32			hidden_segments;
	u32			free_chunks;
	u32			coming_chunks;
	u64			promised;
	struct ybd_fill		fill;
	u32			spare_chunks;
	atomic64_t		given;
	struct upper_segment	**segment_at;

	struct mutex		meta_lock;	/* what follows */
	unsigned int		noio;
	struct pool_table	segments;
	struct pool_table	chunks;
	u32			*metadata;
	u32			next_metadata;
	struct xarray		places;
	u32			next_place;
};

/*
 * Writes wait for who has this lock, so whoever has it must not wait for writes:
 * memory is not got by writing back.
 */
static inline void pool_lock_meta(struct ybd_pool *pool)
{
	mutex_lock(&pool->meta_lock);
	pool->noio = memalloc_noio_save();
}

static inline void pool_unlock_meta(struct ybd_pool *pool)
{
	unsigned int noio = pool->noio;

	mutex_unlock(&pool->meta_lock);
	memalloc_noio_restore(noio);
}

static inline bool pool_has_failed(const struct ybd_pool *pool)
{
	return unlikely(READ_ONCE(pool->failure));
}

static inline u32 pool_segment_blocks(const struct ybd_pool *pool)
{
	return 1U << pool->segment_shift;
}

/* First block of a segment. */
static inline u64 pool_segment_start(const struct ybd_pool *pool, u32 segment)
{
	return pool->data + ((u64)segment << pool->segment_shift);
}

static inline u32 pool_segment_of(const struct ybd_pool *pool, u64 block)
{
	return (block - pool->data) >> pool->segment_shift;
}

static inline bool pool_in_data(const struct ybd_pool *pool, u64 block)
{
	return block >= pool->data &&
	       (block - pool->data) >> pool->segment_shift < pool->nr_segments;
}

/* First block of a chunk. */
static inline u64 pool_chunk_start(const struct ybd_pool *pool, u32 chunk)
{
	return pool_segment_start(pool, pool->metadata[chunk / pool->chunks_per_segment]) +
	       (u64)(chunk % pool->chunks_per_segment) * YBD_FMT_CHUNK_BLOCKS;
}

/* ---- pool_io.c ---- */

void *ybd_pool_buf_alloc(unsigned int nr, gfp_t gfp);
void ybd_pool_buf_free(void *buf);
int ybd_pool_rw(struct ybd_pool *pool, blk_opf_t opf, u64 block, void *mem, unsigned int nr);
int ybd_pool_flush(struct ybd_pool *pool);
void ybd_fmt_seal(const struct ybd_pool *pool, void *mem, u64 magic, const uuid_t *owner,
		  u64 block, u64 seq);
bool ybd_fmt_valid(const struct ybd_pool *pool, const void *mem, u64 magic,
		   const uuid_t *owner, u64 block);

/* ---- pool_table.c ---- */

int ybd_pool_tables_read(struct ybd_pool *pool);
void ybd_pool_tables_free(struct ybd_pool *pool);
int ybd_pool_table_write(struct ybd_pool *pool, struct pool_table *table, u32 entry);
void ybd_pool_tables_tidy(struct ybd_pool *pool);
int ybd_pool_add_metadata(struct ybd_pool *pool, u32 segment);

/* ---- pool_directory.c ---- */

int ybd_pool_directory_read(struct ybd_pool *pool);
void ybd_pool_directory_free(struct ybd_pool *pool);
int ybd_pool_header_read(struct ybd_pool *pool, u32 place, struct ybd_fmt_upper *header);
int ybd_pool_header_write(struct ybd_pool *pool, u32 place, struct ybd_fmt_upper *header);
int ybd_pool_place_take(struct ybd_pool *pool, const char *name, const uuid_t *uuid,
			struct ybd_fmt_upper *header, u32 *place,
			struct netlink_ext_ack *extack);
void ybd_pool_place_drop(struct ybd_pool *pool, u32 place);
struct pool_place *ybd_pool_place_find(struct ybd_pool *pool, const uuid_t *uuid,
				       u32 *place);

/* ---- pool_space.c ---- */

/* How much a taker may leave to others. */
enum pool_need {
	POOL_NEED_DATA,		/* leaves what is promised, and the spare chunks */
	POOL_NEED_ROOM,		/* makes room: takes the spare chunks too */
	POOL_NEED_PROMISED,	/* takes what was promised to it */
};

bool ybd_pool_promise(struct ybd_pool *pool, u32 chunks, enum pool_need need);
void ybd_pool_unpromise(struct ybd_pool *pool, u32 chunks);
u32 ybd_pool_free_segments(struct ybd_pool *pool);
int ybd_pool_take_volatile(struct ybd_pool *pool, u32 *segment);
int ybd_pool_take_segments(struct ybd_pool *pool, u32 place, u32 generation, u32 nr,
			   u32 *segment);
void ybd_pool_space_opened(struct ybd_pool *pool);
void ybd_pool_give_segment(struct ybd_pool *pool, u32 segment);
void ybd_pool_hide_segment(struct ybd_pool *pool, u32 segment);
void ybd_pool_show_segment(struct ybd_pool *pool, u32 segment);
int ybd_pool_take_chunks(struct ybd_pool *pool, u32 place, u32 generation,
			 enum pool_need need, u32 nr, u32 *chunk);
void ybd_pool_give_chunks(struct ybd_pool *pool, const u32 *chunk, u32 nr, u32 promise);
void ybd_pool_give_all(struct ybd_pool *pool, u32 place, u32 generation);

/* ---- pool_discard.c ---- */

void ybd_pool_discard_init(struct ybd_pool *pool);
void ybd_pool_discard_wait(struct ybd_pool *pool);
void ybd_pool_discard_soon(struct ybd_pool *pool);
bool ybd_pool_discard_pending(struct ybd_pool *pool);
void ybd_pool_discard_rest(struct ybd_pool *pool);
void ybd_pool_discard_exit(struct ybd_pool *pool);

/* ---- pool.c ---- */

void ybd_pool_hold(struct ybd_pool *pool);
void ybd_pool_io_error(struct ybd_pool *pool, blk_status_t status);

#endif /* YBD_POOL_PRIV_H */
