// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tool dies or the power fails: pool_crash SEED
 *
 * All that create, grow, destroy and --repair write is noted and then cut short at each point: of
 * what was not durable by then, everything, all but one, and random parts, torn at 512 bytes, gets
 * to disk. What is then there is the old pool, the new one, or what a repair makes one of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crc32c.h"
#include "ktap.h"
#include "pool/pool.h"
#include "pool_disk.h"
#include "pool_make.h"
#include "util.h"

#define BLOCK	YBD_FMT_BLOCK_SIZE
#define SECTOR	512
#define BLOCKS	(1u << 15)	/* of the device: twice the pool that is made */

/**
 * struct crash - an operation
 * @name: what it does
 * @prepare: what is there before; into a pool or nothing
 * @run: the operation; 0 or an errno
 * @none: there may be no pool then
 * @keeps: the old pool's uuid stays
 * @sound: there is never an error, before the repair either
 */
struct crash {
	const char *name;
	void (*prepare)(struct mk *m);
	int (*run)(struct pool_io *io);
	bool none;
	bool keeps;
	bool sound;
};

static const u8 new_uuid[16] = "the new pool";
static u64 states;

/* ---- before ---- */

static void nothing(struct mk *m)
{
	memset(m->mem, 0x33, (size_t)m->blocks * BLOCK);
}

static void a_pool(struct mk *m)
{
}

static void flip(struct mk *m, u64 block)
{
	*((u8 *)mk_block(m, block) + 99) ^= 1;
}

static void bad_super(struct mk *m)
{
	flip(m, 0);
}

static void bad_tables(struct mk *m)
{
	flip(m, m->super.segment_table[1]);
	flip(m, m->super.chunk_table[0]);
	flip(m, 256);
}

/* All leaks are given back from table blocks that have one good copy. */
static void bad_copies(struct mk *m, int copy)
{
	u64 at = m->super.segment_table[0];
	u32 i = 100;	/* not in the sector of the header, or nothing can be torn */

	while (m->seg[i].owner)
		i++;
	for (int c = 0; c < 2; c++, at = m->super.segment_table[1]) {
		struct ybd_fmt_table *t = mk_block(m, at);

		t->entry[i] = (struct ybd_fmt_owner){ 1, 1 };
		mk_fix_crc(m, at);
	}
	flip(m, m->super.segment_table[copy]);
}

static void bad_copy_a(struct mk *m)
{
	bad_copies(m, 0);
}

static void bad_copy_b(struct mk *m)
{
	bad_copies(m, 1);
}

static void lost_chunks(struct mk *m)
{
	flip(m, m->super.chunk_table[0]);
	flip(m, m->super.chunk_table[1]);
}

static void lost_segments(struct mk *m)
{
	flip(m, m->super.segment_table[0]);
	flip(m, m->super.segment_table[1]);
}

static void lost_upper(struct mk *m)
{
	flip(m, m->super.directory + 2);
	flip(m, m->super.directory + 3);
	flip(m, m->super.segment_table[1]);
}

/* ---- operations ---- */

static int create(struct pool_io *io)
{
	struct pool_want want = { .nr_blocks = BLOCKS };
	struct pool_layout l;

	return pool_layout(&want, &l, NULL) ?: pool_create(io, &l, new_uuid, "new", NULL);
}

static int grow(struct pool_io *io)
{
	struct pool_info info;

	return pool_grow(io, BLOCKS, &info, NULL);
}

static int destroy(struct pool_io *io)
{
	return pool_destroy(io, NULL);
}

static int repair_drop(struct pool_io *io, u32 drop)
{
	struct pool_mend how = { .drop = drop };
	struct pool *p;
	int rc = pool_check(io, &p, NULL);

	if (rc)
		return rc;
	rc = pool_repair(p, &how, NULL);
	pool_close(p);
	return rc;
}

static int repair(struct pool_io *io)
{
	return repair_drop(io, POOL_NO_UPPER);
}

static int drop(struct pool_io *io)
{
	return repair_drop(io, 1);
}

/* ---- what is there then ---- */

/* Of what need not be clean nothing is said. */
static int clean(struct pool_io *io, bool has_to)
{
	struct ybd_error err;
	struct pool *p;
	int rc = pool_check(io, &p, &err);

	if (rc)
		return rc;
	rc = pool_report_errors(&p->report) ? 1 : 0;
	for (size_t i = 0; i < p->report.nr && rc && has_to; i++)
		if (p->report.find[i].error)
			printf("# %s\n", p->report.find[i].text);
	pool_close(p);
	return rc;
}

static void check_state(const struct mk *m, const struct crash *c, struct pool_io *io, bool done)
{
	struct pool_info info;
	struct ybd_error err = { 0 };
	int rc = pool_probe(io, &info, &err);

	states++;
	if (rc == -ENODATA) {
		ktap_check(c->none, "there is no pool");
		return;
	}
	if (c->sound && (rc || clean(io, true)))
		ktap_fail("it is damaged: %d %s", rc, err.text);
	if (rc && rc != -EUCLEAN) {
		ktap_fail("%d %s", rc, err.text);
		return;
	}
	rc = c->run == drop && !clean(io, false) ? 0 : c->run == drop ? drop(io) : repair(io);
	rc = rc ? rc : clean(io, true);
	if (rc || pool_probe(io, &info, &err))
		ktap_fail("not clean after the repair: %d", rc);
	else if (memcmp(info.uuid, m->uuid, 16) && memcmp(info.uuid, new_uuid, 16))
		ktap_fail("neither the old pool nor the new one");
	else if (c->keeps && memcmp(info.uuid, m->uuid, 16))
		ktap_fail("another pool");
	else if (done && !c->keeps)
		ktap_check(!memcmp(info.uuid, new_uuid, 16), "the old pool after the end");
}

/* ---- cutting ---- */

static bool is_durable(const struct disk *d, u32 n, u32 cut)
{
	if (d->w[n].fua)
		return true;
	for (u32 i = n + 1; i < cut; i++)
		if (!d->w[i].nr)
			return true;
	return false;
}

/* @part: how many of 8 sectors get to disk, on average; 8 for all. */
static void apply(struct mk *rng, u8 *mem, const struct disk_write *w, u32 part)
{
	for (u32 s = 0; s < w->nr * BLOCK / SECTOR; s++)
		if (part == 8 || mk_random(rng, 8) < part)
			memcpy(mem + w->block * BLOCK + s * SECTOR, w->data + s * SECTOR, SECTOR);
}

enum how {
	ALL,
	ALL_BUT_ONE,
	SOME,
};

/* Writes [0, cut) were submitted; @one is the one that is left out. */
static void one_state(struct mk *m, const struct crash *c, int fd, const struct disk *d, u32 cut,
		      enum how how, u32 one)
{
	size_t len = (size_t)BLOCKS * BLOCK;
	struct disk state = { .blocks = BLOCKS };
	struct pool_io *io;

	state.mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (state.mem == MAP_FAILED)
		abort();
	for (u32 i = 0; i < cut; i++) {
		/* the last one may be under way: then it is not durable, whatever it is */
		bool durable = is_durable(d, i, cut) && (how == ALL || i + 1 < cut);

		if (durable || how == ALL)
			apply(m, state.mem, &d->w[i], 8);
		else if (how == SOME)
			apply(m, state.mem, &d->w[i], mk_random(m, 9));
		else if (i != one)
			apply(m, state.mem, &d->w[i], 8);
	}
	io = disk_open(&state, true);
	check_state(m, c, io, how == ALL && cut == d->nr);
	if (ktap.bad)
		printf("# cut before write %u of %u, how %u, without %u\n", cut, d->nr, how, one);
	pool_io_close(io);
	munmap(state.mem, len);
}

static void cut_all(struct mk *m, const struct crash *c, int fd, const struct disk *d)
{
	for (u32 cut = 0; cut <= d->nr && !ktap.bad; cut++) {
		one_state(m, c, fd, d, cut, ALL, 0);
		for (u32 i = 0; i < cut && !ktap.bad; i++)
			if (!is_durable(d, i, cut) || i + 1 == cut)
				one_state(m, c, fd, d, cut, ALL_BUT_ONE, i);
		for (u32 i = 0; i < 4 && cut && !ktap.bad; i++)
			one_state(m, c, fd, d, cut, SOME, 0);
	}
}

/* The pool in a file in memory, so that states cost only what is changed. */
static int to_file(const struct mk *m)
{
	int fd = memfd_create("pool", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)BLOCKS * BLOCK))
		abort();
	for (u64 i = 0; i < m->blocks; i++) {
		const u8 *b = m->mem + i * BLOCK;

		if ((*b || memcmp(b, b + 1, BLOCK - 1)) &&
		    pwrite(fd, b, BLOCK, (off_t)(i * BLOCK)) != BLOCK)
			abort();
	}
	return fd;
}

static void run(const struct crash *c, u64 seed)
{
	struct mk *m = calloc(1, sizeof(*m));
	struct disk *d = calloc(1, sizeof(*d));
	struct pool_io *io;
	u64 before = states;
	int fd;

	mk_everything(m, seed);
	c->prepare(m);
	fd = to_file(m);
	d->blocks = BLOCKS;
	d->record = true;
	d->mem = mmap(NULL, (size_t)BLOCKS * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (d->mem == MAP_FAILED)
		abort();
	io = disk_open(d, true);
	if (c->run(io))
		ktap_fail("it fails");
	ktap_check(d->nr, "it writes nothing");
	cut_all(m, c, fd, d);
	ktap_done("%s: %u writes, %llu states", c->name, d->nr,
		  (unsigned long long)(states - before));
	pool_io_close(io);
	munmap(d->mem, (size_t)BLOCKS * BLOCK);
	close(fd);
	disk_forget(d);
	free(d);
	mk_free(m);
	free(m);
}

int main(int argc, char **argv)
{
	static const struct crash cases[] = {
		{ "create", nothing, create, true, false, false },
		{ "create over a pool", a_pool, create, true, false, false },
		{ "grow", a_pool, grow, false, true, true },
		{ "destroy", a_pool, destroy, true, true, false },
		{ "repair: what is not used", a_pool, repair, false, true, true },
		{ "repair: superblock", bad_super, repair, false, true, false },
		{ "repair: copies and backup", bad_tables, repair, false, true, false },
		{ "repair: what is not used, copy A bad", bad_copy_a, repair, false, true, true },
		{ "repair: what is not used, copy B bad", bad_copy_b, repair, false, true, true },
		{ "repair: chunk table", lost_chunks, repair, false, true, false },
		{ "repair: segment table", lost_segments, repair, false, true, false },
		{ "repair: upper given up", lost_upper, drop, false, true, false },
	};
	u64 seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 7;

	ktap_plan(ARRAY_SIZE(cases));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		/* which ordinals can be told apart depends on the pool */
		run(&cases[i], cases[i].prepare == lost_segments ? 7 : seed);
	return ktap_exit();
}
