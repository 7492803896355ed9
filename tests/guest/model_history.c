// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>

#include "model_history.h"

#define MAGIC		0x3a4d6c65646f6d79ULL
#define NEVER		UINT64_MAX
#define MAX_REPORTS	20

/**
 * struct entry - a value that a sector may have
 * @value: the value
 * @begin: when its write began
 * @end: when it ended; NEVER while it is under way
 * @dead: since when it is impossible; NEVER while it is not
 */
struct entry {
	u64 value;
	u64 begin;
	u64 end;
	u64 dead;
};

/**
 * struct cell - a sector
 * @v: @n entries, room for @cap
 */
struct cell {
	struct entry *v;
	u32 n;
	u32 cap;
};

const char *const op_names[NR_OPS] = {
	"read", "write", "zeroout", "punch", "discard", "flush",
};

static u64 tick(struct history *h)
{
	return atomic_fetch_add(&h->clock, 1) + 1;
}

static pthread_mutex_t *lock_of(struct history *h, u64 sector)
{
	return &h->lock[sector / 8 % HISTORY_LOCKS];
}

static bool is_write(const struct op *op)
{
	return op->kind != OP_READ && op->kind != OP_FLUSH;
}

static struct entry *add_entry(struct cell *c)
{
	if (c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 2;
		c->v = reallocarray(c->v, c->cap, sizeof(*c->v));
		if (!c->v)
			die("out of memory");
	}
	return &c->v[c->n++];
}

void history_init(struct history *h, u32 id, u8 *base, u64 nr_sectors)
{
	struct entry *e;
	u64 s;
	int i;

	memset(h, 0, sizeof(*h));
	h->id = id;
	h->base = base;
	h->nr_sectors = nr_sectors;
	h->next_value = VALUE_FIRST;
	for (i = 0; i < HISTORY_LOCKS; i++)
		pthread_mutex_init(&h->lock[i], NULL);
	for (i = 0; i < HISTORY_SLOTS; i++)
		h->active[i] = NEVER;
	h->cell = xalloc(nr_sectors * sizeof(*h->cell));
	for (s = 0; s < nr_sectors; s++) {
		e = add_entry(&h->cell[s]);
		*e = (struct entry){ .dead = NEVER };
		e->value = is_zero(base + s * SECTOR, SECTOR) ? VALUE_ZERO : VALUE_BASE;
	}
}

void history_fill(const struct history *h, u64 sector, u64 value, u8 *buf)
{
	u64 *w = (u64 *)buf;
	u64 x = sector * 0x9e3779b97f4a7c15ULL ^ value << 8 ^ h->id;
	unsigned int i;

	w[0] = MAGIC;
	w[1] = sector;
	w[2] = value;
	w[3] = h->id;
	for (i = 4; i < SECTOR / 8; i++)
		w[i] = x += 0xd1342543de82ef95ULL;
}

/* What is this? 0 for nothing that ever was a value of this sector. */
static u64 identify(const struct history *h, u64 sector, const u8 *buf)
{
	u64 want[SECTOR / 8];
	const u64 *w = (const u64 *)buf;

	if (w[0] == MAGIC && w[2] >= VALUE_FIRST) {
		history_fill(h, sector, w[2], (u8 *)want);
		if (!memcmp(want, buf, SECTOR))
			return w[2];
	}
	if (is_zero(buf, SECTOR))
		return VALUE_ZERO;
	return memcmp(buf, h->base + sector * SECTOR, SECTOR) ? 0 : VALUE_BASE;
}

/* Before this time nothing under way has begun. */
static u64 oldest(struct history *h)
{
	u64 min = atomic_load(&h->clock);
	int i;

	for (i = 0; i < HISTORY_SLOTS; i++) {
		u64 t = atomic_load(&h->active[i]);

		if (t < min)
			min = t;
	}
	return min;
}

static void forget(struct cell *c, u64 before)
{
	u32 i, n = 0;

	for (i = 0; i < c->n; i++)
		if (c->v[i].dead >= before)
			c->v[n++] = c->v[i];
	c->n = n;
}

void history_begin(struct history *h, struct op *op)
{
	u64 s, before;

	/* First this, so that nobody forgets what is needed from now on. */
	atomic_store(&h->active[op->slot], atomic_load(&h->clock));
	op->begin = tick(h);
	if (op->kind == OP_WRITE)
		op->value = atomic_fetch_add(&h->next_value, 1);
	else
		op->value = VALUE_ZERO;
	if (!is_write(op))
		return;
	before = oldest(h);
	for (s = op->sector; s < op->sector + op->nr; s++) {
		pthread_mutex_t *lock = lock_of(h, s);

		pthread_mutex_lock(lock);
		forget(&h->cell[s], before);
		*add_entry(&h->cell[s]) = (struct entry){
			op->value, op->begin, NEVER, NEVER
		};
		pthread_mutex_unlock(lock);
	}
}

/* @op has ended: what ended before it began is past, but for @value. */
static void bury(struct cell *c, const struct op *op, u64 value, u64 now)
{
	u32 i;

	for (i = 0; i < c->n; i++) {
		struct entry *e = &c->v[i];

		if (e->end < op->begin && e->value != value && e->dead == NEVER)
			e->dead = now;
	}
}

static void end_write(struct cell *c, const struct op *op, bool done, bool never, u64 now)
{
	struct entry *e = c->v;

	while (e->value != op->value || e->begin != op->begin)
		e++;
	e->end = now;
	if (!done) {
		if (never)
			e->dead = 0;
		return;
	}
	/* An earlier zero is the same as this one: keeping it is harmless. */
	bury(c, op, op->value, now);
}

static bool acceptable(const struct cell *c, const struct op *op, u64 value)
{
	u32 i;

	for (i = 0; i < c->n; i++)
		if (c->v[i].value == value && c->v[i].dead > op->begin)
			return true;
	return false;
}

static const char *value_text(u64 value, char buf[40])
{
	if (value == VALUE_BASE)
		return "the image's";
	if (value == VALUE_ZERO)
		return "zero";
	snprintf(buf, 40, "write %" PRIu64, value);
	return buf;
}

static void report(struct history *h, const struct op *op, u64 sector, u64 value,
		   const u8 *buf, u64 now)
{
	static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
	const struct cell *c = &h->cell[sector];
	const u64 *w = (const u64 *)buf;
	char text[40];
	u32 i;

	if (atomic_fetch_add(&h->failures, 1) >= MAX_REPORTS)
		return;
	pthread_mutex_lock(&one);
	printf("# device %u sector %" PRIu64 ": read of %" PRIu64 "+%u during [%" PRIu64
	       ", %" PRIu64 "] found ", h->id, sector, op->sector, op->nr, op->begin, now);
	if (value)
		printf("%s", value_text(value, text));
	else if (w[0] == MAGIC)
		printf("data of device %" PRIu64 " sector %" PRIu64 " write %" PRIu64
		       " (or a part of it)", w[3], w[1], w[2]);
	else
		printf("%016" PRIx64 " %016" PRIx64 " %016" PRIx64 "...", w[0], w[1], w[2]);
	printf("; possible:");
	for (i = 0; i < c->n; i++) {
		const struct entry *e = &c->v[i];

		printf(" %s [%" PRIu64 ", ", value_text(e->value, text), e->begin);
		if (e->end == NEVER)
			printf("...]");
		else
			printf("%" PRIu64 "]", e->end);
		if (e->dead != NEVER)
			printf(" until %" PRIu64, e->dead);
		printf(i + 1 < c->n ? "," : "\n");
	}
	pthread_mutex_unlock(&one);
}

/* Is it put together of what was there and what is being written? */
static bool is_torn(const struct history *h, const struct cell *c, const struct op *op,
		    u64 sector, const u8 *buf)
{
	const u64 *have = (const u64 *)buf, *base = (const u64 *)(h->base + sector * SECTOR);
	u64 want[SECTOR / 8], seen[SECTOR / 64] = { 0 };
	unsigned int i, w, writes = 0;

	for (i = 0; i < c->n; i++) {
		const struct entry *e = &c->v[i];

		if (e->dead <= op->begin)
			continue;
		if (e->value >= VALUE_FIRST)
			history_fill(h, sector, e->value, (u8 *)want);
		else if (e->value == VALUE_BASE)
			memcpy(want, base, SECTOR);
		else
			memset(want, 0, SECTOR);
		writes += e->value >= VALUE_FIRST && e->end > op->begin;
		for (w = 0; w < SECTOR / 8; w++)
			if (want[w] == have[w])
				seen[w / 8] |= 1ULL << w % 8;
	}
	for (w = 0; w < SECTOR / 64; w++)
		if (seen[w] != 0xff)
			return false;
	return writes;
}

static void end_read(struct history *h, const struct op *op, u64 sector, const u8 *buf, u64 now)
{
	u64 value = identify(h, sector, buf);
	struct cell *c = &h->cell[sector];

	if (value && acceptable(c, op, value))
		bury(c, op, value, now);
	else if (value || !h->shared || !is_torn(h, c, op, sector, buf))
		report(h, op, sector, value, buf, now);
}

/* The parts of blocks at the ends of a discard may keep what they have. */
static bool is_certain(const struct history *h, const struct op *op, u64 sector)
{
	u64 block = sector & ~7ULL;

	return op->kind != OP_DISCARD ||
	       (!h->full && block >= op->sector && block + 8 <= op->sector + op->nr);
}

void history_end(struct history *h, struct op *op, u32 done, bool never, const u8 *buf)
{
	u64 now = tick(h);
	u32 i;

	for (i = 0; i < op->nr && op->kind != OP_FLUSH; i++) {
		u64 s = op->sector + i;
		pthread_mutex_t *lock = lock_of(h, s);

		if (op->kind == OP_READ && i >= done)
			break;
		pthread_mutex_lock(lock);
		if (op->kind == OP_READ)
			end_read(h, op, s, buf + (u64)i * SECTOR, now);
		else
			end_write(&h->cell[s], op, i < done && is_certain(h, op, s), never, now);
		pthread_mutex_unlock(lock);
	}
	atomic_store(&h->active[op->slot], NEVER);
}
