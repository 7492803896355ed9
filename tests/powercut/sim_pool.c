// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stand-in for the module, as small as can be: uppers in a pool, first writes, discards, a log
 * with group commit. It has no checkpoints, and one I/O at a time for a block. What the checker of
 * power cuts reads of a pool is tried with it, and whether it notices what goes wrong.
 */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "pool_make.h"
#include "sim.h"
#include "test.h"

#define MAX_RECORDS 65536u

const char *const sim_mutant_names[NR_SIM_MUTANTS] = {
	"none", "no-preflush", "no-fua", "reuse-before-durable", "ack-early", "no-table",
};

/**
 * struct upper - one
 * @n: number
 * @disk: where
 * @mutant: what is done wrong
 * @commit: one at a time
 * @idle: a block is not busy any more
 * @busy: for each block
 * @rec: records that are not in the log
 * @nr_rec: how many
 * @limbo: blocks of the pool that those records give back
 * @nr_limbo: how many
 * @spare: blocks of the pool that can be used
 * @nr_spare: how many
 */
struct upper {
	u32 n;
	struct record *disk;
	enum sim_mutant mutant;
	pthread_mutex_t commit;
	pthread_cond_t idle;
	bool busy[MK_BLOCKS];
	struct ybd_fmt_record rec[MAX_RECORDS];
	u32 nr_rec;
	u64 limbo[MAX_RECORDS];
	u32 nr_limbo;
	u64 spare[MAX_RECORDS];
	u32 nr_spare;
};

/* Of @made and of all that is in an upper; never held over I/O but that of tables. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct mk *made;
static struct upper uppers[MK_UPPERS];

void sim_pool_make(const char *path, u32 nr, u64 seed)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	made = xalloc(sizeof(*made));
	mk_pool(made, seed, 4 * YBD_FMT_MIN_BLOCKS);
	for (u32 i = 0; i < nr; i++)
		mk_create(made, i);
	mk_tables(made);
	if (fd < 0 || ftruncate(fd, (off_t)(made->blocks * BLOCK)))
		die("%s: %m", path);
	for (u64 b = 0; b < made->blocks; b++)
		if (!is_zero(mk_block(made, b), BLOCK) &&
		    pwrite(fd, mk_block(made, b), BLOCK, (off_t)(b * BLOCK)) != (ssize_t)BLOCK)
			die("%s: %m", path);
	close(fd);
}

/* ---- tables ---- */

static void put_block(const struct upper *u, u64 block, bool fua)
{
	record_write(u->disk, block * BLOCK_SECTORS, mk_block(made, block), BLOCK_SECTORS, fua);
}

/* All of them, first A, then B, as if everything in them had changed. */
static void put_tables(const struct upper *u)
{
	const struct ybd_fmt_super *s = &made->super;
	u64 segments = s->segment_table[1] - s->segment_table[0];
	u64 chunks = s->chunk_table[1] - s->chunk_table[0];

	mk_tables(made);
	for (u32 copy = 0; copy < 2; copy++) {
		for (u64 i = 0; i < segments; i++)
			put_block(u, s->segment_table[copy] + i, true);
		for (u64 i = 0; i < chunks; i++)
			put_block(u, s->chunk_table[copy] + i, true);
	}
}

static u64 take_block(struct upper *u)
{
	u32 seg;

	if (!u->nr_spare) {
		seg = mk_take_segment(made, u->n + 1, made->upper[u->n].header.generation);
		if (u->mutant != SIM_NO_TABLE)
			put_tables(u);
		for (u32 i = made->super.segment_blocks; i--;)
			u->spare[u->nr_spare++] = made->super.data + i +
						  (u64)seg * made->super.segment_blocks;
	}
	return u->spare[--u->nr_spare];
}

/* ---- records ---- */

static void add_record(struct upper *u, struct ybd_fmt_record r)
{
	if (u->nr_rec == MAX_RECORDS)
		die("too many records");
	u->rec[u->nr_rec++] = r;
}

static void give_back(struct upper *u, u64 where)
{
	if (u->mutant == SIM_REUSE)
		u->spare[u->nr_spare++] = where;
	else
		u->limbo[u->nr_limbo++] = where;
}

/* One block of the log, with the first @nr records. */
static void append(struct upper *u, u32 nr)
{
	struct mk_upper *m = &made->upper[u->n];
	u64 at;

	pthread_mutex_lock(&lock);
	mk_append_records(made, u->n, u->rec, nr);
	at = m->log[m->nr_log - 1];
	u->nr_rec -= nr;
	memmove(u->rec, u->rec + nr, u->nr_rec * sizeof(*u->rec));
	/* it goes on in another chunk, which was just taken */
	if (m->at % YBD_FMT_CHUNK_BLOCKS == 0)
		put_tables(u);
	pthread_mutex_unlock(&lock);
	put_block(u, at, u->mutant != SIM_NO_FUA);
}

/* What the first @nr gave back can be used again. */
static void reuse(struct upper *u, u32 nr)
{
	pthread_mutex_lock(&lock);
	memcpy(u->spare + u->nr_spare, u->limbo, nr * sizeof(*u->limbo));
	u->nr_spare += nr;
	u->nr_limbo -= nr;
	memmove(u->limbo, u->limbo + nr, u->nr_limbo * sizeof(*u->limbo));
	pthread_mutex_unlock(&lock);
}

/* Only records whose data the flush covers may go into the log. */
static int commit(struct upper *u)
{
	u32 nr, limbo, some;

	pthread_mutex_lock(&u->commit);
	pthread_mutex_lock(&lock);
	nr = u->nr_rec;
	limbo = u->nr_limbo;
	pthread_mutex_unlock(&lock);
	if (u->mutant == SIM_ACK_EARLY && nr % 8 == 7) {
		nr = 0;
		limbo = 0;
	}
	if (!nr || u->mutant != SIM_NO_PREFLUSH)
		record_flush(u->disk);
	for (; nr; nr -= some) {
		some = nr < YBD_FMT_LOG_RECORDS ? nr : YBD_FMT_LOG_RECORDS;
		append(u, some);
	}
	reuse(u, limbo);
	pthread_mutex_unlock(&u->commit);
	return 0;
}

/* ---- blocks ---- */

static bool any_busy(const struct upper *u, u64 first, u64 last)
{
	for (u64 b = first; b <= last; b++)
		if (u->busy[b])
			return true;
	return false;
}

static void take(struct upper *u, u64 first, u64 last)
{
	pthread_mutex_lock(&lock);
	while (any_busy(u, first, last))
		pthread_cond_wait(&u->idle, &lock);
	memset(u->busy + first, true, last - first + 1);
	pthread_mutex_unlock(&lock);
}

static void leave(struct upper *u, u64 first, u64 last)
{
	memset(u->busy + first, false, last - first + 1);
	pthread_cond_broadcast(&u->idle);
	pthread_mutex_unlock(&lock);
}

/*
 * What upper @u has mapped there, as records that are not in the log yet say, or the log. The
 * writer of mk changes its map when it appends.
 */
static u64 look_up(const struct upper *u, u64 block, bool *durable)
{
	*durable = false;
	for (u32 i = u->nr_rec; i--;) {
		u64 op = u->rec[i].what >> YBD_FMT_OP_SHIFT, start = u->rec[i].what << 8 >> 8;
		u64 nr = op == YBD_FMT_OP_MAP ? (u->rec[i].where >> YBD_FMT_NR_SHIFT) + 1 :
			 u->rec[i].where;

		if (block >= start && block < start + nr)
			return op == YBD_FMT_OP_MAP ?
			       (u->rec[i].where << 16 >> 16) + block - start : MK_ZERO;
	}
	*durable = true;
	return made->upper[u->n].model[block];
}

/* Sectors [@from, @to) of a block that is busy; @first: it was not mapped before. */
static bool write_block(struct upper *u, u64 block, u32 from, u32 to, const u8 *data, bool *first)
{
	u8 whole[BLOCK] = { 0 };
	bool durable;
	u64 where;

	pthread_mutex_lock(&lock);
	where = look_up(u, block, &durable);
	*first = where == MK_IMAGE || where == MK_ZERO;
	if (*first)
		where = take_block(u);
	pthread_mutex_unlock(&lock);
	if (!*first) {
		record_write(u->disk, where * BLOCK_SECTORS + from, data, to - from, durable);
		return durable;
	}
	/* the image is zeroes */
	memcpy(whole + from * SECTOR, data, (to - from) * SECTOR);
	record_write(u->disk, where * BLOCK_SECTORS, whole, BLOCK_SECTORS, false);
	pthread_mutex_lock(&lock);
	add_record(u, mk_map(block, 1, where));
	pthread_mutex_unlock(&lock);
	return false;
}

static int pool_write(struct target *t, u64 sector, const void *buf, u32 nr, bool fua)
{
	u64 first = sector / BLOCK_SECTORS, last = (sector + nr - 1) / BLOCK_SECTORS;
	struct upper *u = t->priv;
	bool durable = true, is_first;
	const u8 *data = buf;

	take(u, first, last);
	for (u64 b = first; b <= last; b++) {
		u32 from = b == first ? sector % BLOCK_SECTORS : 0;
		u32 to = b == last ? (sector + nr - 1) % BLOCK_SECTORS + 1 : BLOCK_SECTORS;

		durable &= write_block(u, b, from, to, data, &is_first);
		data += (to - from) * SECTOR;
	}
	pthread_mutex_lock(&lock);
	leave(u, first, last);
	return fua && !durable ? commit(u) : 0;
}

/* Whole blocks only; of others nothing is done. */
static int pool_discard(struct target *t, u64 sector, u32 nr)
{
	u64 first = (sector + BLOCK_SECTORS - 1) / BLOCK_SECTORS, where;
	u64 end = (sector + nr) / BLOCK_SECTORS;
	struct upper *u = t->priv;
	bool durable;

	if (first >= end)
		return 0;
	take(u, first, end - 1);
	pthread_mutex_lock(&lock);
	for (u64 b = first; b < end; b++) {
		where = look_up(u, b, &durable);
		if (where != MK_IMAGE && where != MK_ZERO)
			give_back(u, where);
	}
	add_record(u, mk_zero(first, end - first));
	leave(u, first, end - 1);
	return 0;
}

static int pool_zero(struct target *t, u64 sector, u32 nr)
{
	u64 first = (sector + BLOCK_SECTORS - 1) / BLOCK_SECTORS * BLOCK_SECTORS;
	u64 end = (sector + nr) / BLOCK_SECTORS * BLOCK_SECTORS;
	static const u8 zeroes[BLOCK];

	if (first >= end)
		return pool_write(t, sector, zeroes, nr, false);
	if (sector < first)
		pool_write(t, sector, zeroes, (u32)(first - sector), false);
	if (sector + nr > end)
		pool_write(t, end, zeroes, (u32)(sector + nr - end), false);
	return pool_discard(t, first, (u32)(end - first));
}

static int pool_flush(struct target *t)
{
	return commit(t->priv);
}

struct target sim_pool_target(struct record *disk, u32 n, enum sim_mutant mutant)
{
	static const struct target_ops ops = { pool_write, pool_zero, pool_discard, pool_flush };
	struct upper *u = &uppers[n];
	struct target t = {
		.ops = &ops, .dev = n + 1, .sectors = MK_BLOCKS * BLOCK_SECTORS, .lbs = SECTOR,
		.priv = u,
	};

	u->n = n;
	u->disk = disk;
	u->mutant = mutant;
	pthread_mutex_init(&u->commit, NULL);
	pthread_cond_init(&u->idle, NULL);
	memcpy(t.name, made->upper[n].header.name, MARK_NAME);
	return t;
}
