// SPDX-License-Identifier: GPL-2.0-only
#include <pthread.h>

#include "powercut_workload.h"
#include "test.h"

#define MAX_WRITE	128u	/* sectors */
#define HOT		512u	/* sectors that half of the writes go to */
#define MAX_THREADS	64

/* What a thread does. */
enum kind {
	KIND_RANDOM,		/* writes of all sizes, anywhere; flushes, discards */
	KIND_JOURNAL,		/* a journal, fsync, the pages, fsync, no journal, fsync */
	KIND_FILL,		/* fills a part of the device, then trims it */
};

/**
 * struct worker - a thread
 * @l: what to do
 * @t: its device
 * @kind: enum kind
 * @nr: its number among those of the device
 * @rng: its random numbers
 * @buf: of MAX_WRITE sectors
 * @end: mark of the last operation's end, which goes along with the next one's beginning
 * @done: what it did
 */
struct worker {
	pthread_t thread;
	const struct load *l;
	struct target *t;
	enum kind kind;
	u32 nr;
	struct rng rng;
	u8 *buf;
	struct mark end;
	struct load_done done;
};

static _Atomic u32 next_op;
static _Atomic long ops_left;

static void put_marks(const struct load *l, const struct mark *m, u32 nr)
{
	int rc = l->mark(m, nr);

	if (rc)
		die("a mark cannot be written: %s", strerror(-rc));
}

static void fill(const struct worker *w, u32 op, u64 sector, u32 nr)
{
	struct tag t = { .magic = TAG_MAGIC, .run = w->l->run, .op = op, .dev = w->t->dev };

	for (u32 i = 0; i < nr; i++) {
		t.sector = w->t->offset + sector + i;
		tag_fill(w->buf + i * SECTOR, &t);
	}
}

static int submit(struct worker *w, u16 what, u32 op, u64 sector, u32 nr)
{
	struct target *t = w->t;

	switch (what) {
	case MARK_FLUSH:
		return t->ops->flush(t);
	case MARK_DISCARD:
		return t->ops->discard(t, sector, nr);
	case MARK_ZERO:
		return t->ops->zero(t, sector, nr);
	default:
		fill(w, op, sector, nr);
		return t->ops->write(t, sector, w->buf, nr, what == MARK_FUA);
	}
}

/* It may be said later that an operation has ended, but not that one begins. */
static void mark_begin(struct worker *w, const struct mark *m)
{
	struct mark both[LOAD_MARKS] = { w->end, *m };
	bool first = !w->end.magic;

	put_marks(w->l, both + first, LOAD_MARKS - first);
}

static int run_op(struct worker *w, u16 what, u64 sector, u32 nr)
{
	struct mark m = {
		.magic = MARK_MAGIC, .run = w->l->run, .op = w->l->stream << 24 | ++next_op,
		.what = what, .dev = w->t->dev, .sector = w->t->offset + sector, .nr = nr,
	};

	mark_begin(w, &m);
	m.status = submit(w, what, m.op, sector, nr);
	m.what = MARK_END;
	w->end = m;
	ops_left--;
	if (!m.status)
		w->done.ops[what]++;
	else if (m.status == -ENOSPC && w->l->may_fill)
		w->done.full++;
	else if (!w->done.failed++)
		printf("# %s: operation %u at %llu+%u: %s\n", w->t->name, what,
		       (unsigned long long)sector, nr, strerror(-m.status));
	return m.status;
}

static bool go_on(const struct worker *w)
{
	return ops_left > 0 && w->done.failed < 3;
}

/* ---- random ---- */

static u32 unit(const struct worker *w)
{
	return w->t->lbs / SECTOR;
}

static u32 pick_nr(struct worker *w)
{
	u32 n = rng_below(&w->rng, 100), nr;

	if (n < 30)
		nr = 1 + rng_below(&w->rng, 8);
	else if (n < 65)
		nr = 8;
	else if (n < 90)
		nr = 8 * (1 + rng_below(&w->rng, 4));
	else
		nr = 1 + rng_below(&w->rng, MAX_WRITE);
	return (nr + unit(w) - 1) / unit(w) * unit(w);
}

static u64 span(const struct worker *w)
{
	return w->l->span && w->l->span < w->t->sectors ? w->l->span : w->t->sectors;
}

static u64 pick_sector(struct worker *w, u32 nr)
{
	u64 size = span(w), s;

	s = rng_below(&w->rng, rng_chance(&w->rng, 50) && size > HOT ? HOT : size);
	s -= s % (rng_chance(&w->rng, 60) ? BLOCK_SECTORS : unit(w));
	return s + nr > size ? (size - nr) / unit(w) * unit(w) : s;
}

static void random_op(struct worker *w)
{
	u32 n = rng_below(&w->rng, 100), nr = pick_nr(w), most = span(w) / BLOCK_SECTORS / 8;
	u64 s;

	if (n < w->l->flush) {
		run_op(w, MARK_FLUSH, 0, 0);
		return;
	}
	n -= w->l->flush;
	if (n < w->l->discard) {
		nr = BLOCK_SECTORS * (1 + rng_below(&w->rng, most > 32 ? 32 : most ? most : 1));
		s = pick_sector(w, nr);
		if (rng_chance(&w->rng, 80))
			s -= s % BLOCK_SECTORS;
		run_op(w, rng_chance(&w->rng, 30) ? MARK_ZERO : MARK_DISCARD, s, nr);
		return;
	}
	s = pick_sector(w, nr);
	run_op(w, rng_chance(&w->rng, w->l->fua) ? MARK_FUA : MARK_WRITE, s, nr);
}

/* ---- like a database ---- */

static void journal(struct worker *w)
{
	u64 quarter = w->t->sectors / 4 / BLOCK_SECTORS * BLOCK_SECTORS;
	u64 at = quarter + (w->nr % 4) * 64 * BLOCK_SECTORS;
	u32 pages = 1 + rng_below(&w->rng, 6);

	for (u32 i = 0; i <= pages; i++)
		run_op(w, MARK_WRITE, at + i * BLOCK_SECTORS, BLOCK_SECTORS);
	run_op(w, MARK_FLUSH, 0, 0);
	for (u32 i = 0; i < pages; i++)
		run_op(w, MARK_WRITE, 2 * quarter + BLOCK_SECTORS *
		       rng_below(&w->rng, quarter / BLOCK_SECTORS), BLOCK_SECTORS);
	run_op(w, MARK_FLUSH, 0, 0);
	run_op(w, MARK_ZERO, at, BLOCK_SECTORS);
	run_op(w, MARK_FLUSH, 0, 0);
}

/* ---- full and empty ---- */

static void fill_and_trim(struct worker *w)
{
	u64 half = w->t->sectors / 2 / MAX_WRITE * MAX_WRITE, nr = half / MAX_WRITE;
	u64 at = half + (w->nr % 2) * (half / 2), s;

	nr = nr / 2 < 48 ? nr / 2 : 48;
	for (s = 0; s < nr && go_on(w); s++) {
		if (run_op(w, MARK_WRITE, at + s * MAX_WRITE, MAX_WRITE))
			break;
		if (rng_chance(&w->rng, 10))
			run_op(w, MARK_FLUSH, 0, 0);
	}
	/* what is given back is taken again: by others, when it is not flushed here */
	for (s = 0; s < nr; s += 8)
		run_op(w, MARK_DISCARD, at + s * MAX_WRITE,
		       (nr - s < 8 ? nr - s : 8) * MAX_WRITE);
	if (rng_chance(&w->rng, 50))
		run_op(w, MARK_FLUSH, 0, 0);
}

/* ---- threads ---- */

static void *work(void *arg)
{
	struct worker *w = arg;

	while (go_on(w)) {
		if (w->kind == KIND_JOURNAL)
			journal(w);
		else if (w->kind == KIND_FILL)
			fill_and_trim(w);
		else
			random_op(w);
	}
	if (w->end.magic)
		put_marks(w->l, &w->end, 1);
	return NULL;
}

static void introduce(const struct load *l, const struct target *t)
{
	struct mark m = {
		.magic = MARK_MAGIC, .run = l->run, .what = MARK_DEVICE, .dev = t->dev,
		.op = (u32)t->first, .sector = t->sectors, .nr = t->lbs, .flags = t->flags,
	};

	memcpy(m.name, t->name, MARK_NAME);
	put_marks(l, &m, 1);
}

static void add(struct load_done *to, const struct load_done *d)
{
	for (u32 i = 0; i < NR_MARKS; i++)
		to->ops[i] += d->ops[i];
	to->full += d->full;
	to->failed += d->failed;
}

/* Two of four are random, and so is a lone one. */
static enum kind kind_of(const struct load *l, u32 nr)
{
	static const enum kind kinds[] = { KIND_RANDOM, KIND_JOURNAL, KIND_RANDOM, KIND_FILL };

	return l->random ? KIND_RANDOM : kinds[nr % ARRAY_LEN(kinds)];
}

void load_run(const struct load *l, struct load_done *done)
{
	struct worker *w = xalloc(MAX_THREADS * sizeof(*w));
	struct rng seeds = { l->seed };
	u32 nr = 0;

	ops_left = l->ops;
	next_op = 0;
	for (u32 i = 0; i < l->nr; i++)
		introduce(l, &l->target[i]);
	for (u32 i = 0; i < l->nr * l->threads && nr < MAX_THREADS; i++, nr++) {
		w[i].l = l;
		w[i].t = &l->target[i % l->nr];
		w[i].nr = i / l->nr;
		w[i].kind = kind_of(l, w[i].nr);
		w[i].rng.s = rng_next(&seeds);
		w[i].buf = xalloc(MAX_WRITE * SECTOR);
		if (pthread_create(&w[i].thread, NULL, work, &w[i]))
			die("threads: %m");
	}
	memset(done, 0, sizeof(*done));
	for (u32 i = 0; i < nr; i++) {
		pthread_join(w[i].thread, NULL);
		add(done, &w[i].done);
		free(w[i].buf);
	}
	free(w);
}
