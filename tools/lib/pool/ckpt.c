// SPDX-License-Identifier: GPL-2.0-only
/* Records, and the checkpoint: the map of an upper as it was (pool-format.rst, section 7). */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "priv.h"

static int bad(char *why, const char *fmt, ...) __printf(2, 3);

static int bad(char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, POOL_WHY_LEN, fmt, ap);
	va_end(ap);
	return -EUCLEAN;
}

/* u64 is no long long everywhere */
#define N(val) ((unsigned long long)(val))

int pool_record_decode(const struct pool_walk *w, const struct ybd_fmt_record *r,
		       struct pool_record *out, char *why)
{
	u64 what = le64_to_cpu(r->what), where = le64_to_cpu(r->where);
	u64 op = what >> YBD_FMT_OP_SHIFT;

	if (op < YBD_FMT_OP_MAP || op > YBD_FMT_OP_DROP)
		return bad(why, "operation %llu, expected 1 to 3", N(op));
	out->start = what & ((1ULL << YBD_FMT_OP_SHIFT) - 1);
	out->nr = op == YBD_FMT_OP_MAP ? (where >> YBD_FMT_NR_SHIFT) + 1 : where;
	if (!out->nr || out->start >= w->u->nr_blocks || out->nr > w->u->nr_blocks - out->start)
		return bad(why, "%llu blocks at %llu of a device of %llu", N(out->nr),
			   N(out->start), N(w->u->nr_blocks));
	out->where = op == YBD_FMT_OP_ZERO ? POOL_ZEROES : POOL_IMAGE;
	if (op != YBD_FMT_OP_MAP)
		return 0;
	out->where = where & ((1ULL << YBD_FMT_NR_SHIFT) - 1);
	if (!pool_in_data(w->p, out->where) || !pool_in_data(w->p, out->where + out->nr - 1))
		return bad(why, "%llu blocks at block %llu, but the segments are blocks %llu to %llu",
			   N(out->nr), N(out->where), N(w->p->info.layout.data),
			   N(pool_data_end(&w->p->info.layout) - 1));
	return 0;
}

/**
 * struct chain - a checkpoint as it is read
 * @at: block
 * @index: how many came before
 * @records: in these
 * @end: the device block behind the last record
 */
struct chain {
	u64 at;
	u32 index;
	u64 records;
	u64 end;
};

/* The fields of a block that is the right one. */
static bool check_fields(const struct pool_walk *w, const struct chain *c,
			 const struct ybd_fmt_ckpt *b, char *why)
{
	bool last = c->index + 1 == w->u->ckpt_blocks;
	u64 next = le64_to_cpu(b->next);
	int rc = 0;

	if (le64_to_cpu(b->h.seq) != w->u->log_seq)
		rc = bad(why, "seq %llu, expected %llu", N(le64_to_cpu(b->h.seq)),
			 N(w->u->log_seq));
	else if (le32_to_cpu(b->index) != c->index)
		rc = bad(why, "index %u, expected %u", le32_to_cpu(b->index), c->index);
	else if (le16_to_cpu(b->nr) > YBD_FMT_CKPT_RECORDS || b->reserved)
		rc = bad(why, "%u records, expected at most %u", le16_to_cpu(b->nr),
			 YBD_FMT_CKPT_RECORDS);
	else if (last && next)
		rc = bad(why, "next %llu, but it is the last of %u", N(next), w->u->ckpt_blocks);
	else if (!last && !pool_in_data(w->p, next))
		rc = bad(why, "next %llu after %u of %u blocks, expected one in a segment",
			 N(next), c->index + 1, w->u->ckpt_blocks);
	return !rc;
}

/* 0; 1: @why says what is wrong; -ENOMEM */
static int take_records(struct pool_walk *w, struct chain *c, const struct ybd_fmt_ckpt *b,
			char *why)
{
	u32 nr = le16_to_cpu(b->nr);
	struct pool_record r;
	char what[POOL_WHY_LEN];
	int rc = 0;

	for (u32 i = 0; i < nr && !rc; i++) {
		rc = pool_record_decode(w, &b->record[i], &r, what);
		if (!rc && r.where == POOL_IMAGE)
			rc = bad(what, "operation 3 in a checkpoint");
		if (!rc && r.start < c->end)
			rc = bad(what, "block %llu of the device, expected at least %llu",
				 N(r.start), N(c->end));
		if (rc) {
			snprintf(why, POOL_WHY_LEN, "record %u: %.150s", i, what);
			return 1;
		}
		c->end = r.start + r.nr;
		rc = pool_records_add(&w->rec, r);
	}
	c->records += nr;
	return rc;
}

static int walk_block(struct pool_walk *w, struct chain *c)
{
	const struct ybd_fmt_ckpt *b;
	char why[POOL_WHY_LEN];
	u64 next = 0;
	int rc = 1;

	b = pool_block(w->p, c->at, why);
	if (b && pool_verify(b, YBD_FMT_MAGIC_CKPT, w->p->info.uuid, w->u->uuid, c->at, why) &&
	    check_fields(w, c, b, why)) {
		next = le64_to_cpu(b->next);
		rc = take_records(w, c, b, why);
	}
	if (rc == 1)
		return pool_upper_error(w->p, w->n, c->at, "checkpoint of upper %u: %s", w->n,
					why) ?: 1;
	c->at = next;
	c->index++;
	return rc;
}

int pool_ckpt_walk(struct pool_walk *w)
{
	struct chain c = { .at = w->u->ckpt };
	u64 last = 0;
	int rc = 0;

	/* a block has only one index, so that a chain that bites its tail ends there */
	while (!rc && c.index < w->u->ckpt_blocks) {
		if (!c.index || c.at != last + 1 || pool_chunk_end(w->p, last) == c.at)
			rc = pool_use_chunk(w, c.at, POOL_FOR_CKPT);
		last = c.at;
		if (!rc)
			rc = walk_block(w, &c);
	}
	if (!rc && c.records != w->u->ckpt_records)
		rc = pool_upper_error(w->p, w->n, w->u->ckpt,
				      "checkpoint of upper %u: %llu records, expected %llu", w->n,
				      (unsigned long long)c.records,
				      (unsigned long long)w->u->ckpt_records);
	return rc < 0 ? rc : 0;
}
