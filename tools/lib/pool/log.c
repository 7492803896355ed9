// SPDX-License-Identifier: GPL-2.0-only
/* The log of an upper, and where it ends (pool-format.rst, section 6). */
#include <errno.h>
#include <stdio.h>

#include "priv.h"

/**
 * struct log - a log as it is read
 * @at: where the next block is expected
 * @seq: its sequence number
 * @prev_crc: crc of the block before it
 * @epoch: of the block before it
 * @why: why the log ends there
 */
struct log {
	u64 at;
	u64 seq;
	u32 prev_crc;
	u64 epoch;
	char why[POOL_WHY_LEN];
};

enum fit {
	FIT_YES,
	FIT_NOT,	/* something else is there */
	FIT_WRONG,	/* it is the one, but says what cannot be */
};

static enum fit misfit(struct log *l, enum fit how, const char *what, u64 val, const char *want,
		       u64 expected)
{
	snprintf(l->why, sizeof(l->why), "%s %llu, expected %s%llu", what, (unsigned long long)val,
		 want, (unsigned long long)expected);
	return how;
}

/* What a block of ours says that is in its place: no power cut makes these wrong. */
static enum fit check_fields(struct pool_walk *w, struct log *l, const struct ybd_fmt_log *b)
{
	u64 durable = le64_to_cpu(b->durable_seq), next = le64_to_cpu(b->next);
	u64 behind = l->at + 1;

	if (le64_to_cpu(b->epoch) > w->u->epoch)
		return misfit(l, FIT_WRONG, "the header is older than the log: epoch",
			      le64_to_cpu(b->epoch), "at most ", w->u->epoch);
	if (le16_to_cpu(b->nr) > YBD_FMT_LOG_RECORDS || b->reserved)
		return misfit(l, FIT_WRONG, "records", le16_to_cpu(b->nr), "at most ",
			      YBD_FMT_LOG_RECORDS);
	if (durable > l->seq)
		return misfit(l, FIT_WRONG, "durable_seq", durable, "at most ", l->seq);
	if ((next != behind && next % YBD_FMT_CHUNK_BLOCKS) || !pool_in_data(w->p, next))
		return misfit(l, FIT_WRONG, "next", next, "the start of a chunk or ", behind);
	return FIT_YES;
}

static enum fit fits(struct pool_walk *w, struct log *l, const struct ybd_fmt_log *b)
{
	if (!pool_verify(b, YBD_FMT_MAGIC_LOG, w->p->info.uuid, w->u->uuid, l->at, l->why))
		return FIT_NOT;
	if (le64_to_cpu(b->h.seq) != l->seq)
		return misfit(l, FIT_NOT, "seq", le64_to_cpu(b->h.seq), "", l->seq);
	if (le32_to_cpu(b->prev_crc) != l->prev_crc)
		return misfit(l, FIT_NOT, "prev_crc", le32_to_cpu(b->prev_crc), "", l->prev_crc);
	if (le64_to_cpu(b->epoch) < l->epoch)
		return misfit(l, FIT_NOT, "epoch", le64_to_cpu(b->epoch), "at least ", l->epoch);
	return check_fields(w, l, b);
}

/* 0; 1: @l->why says what is wrong; -ENOMEM */
static int take_records(struct pool_walk *w, struct log *l, const struct ybd_fmt_log *b)
{
	u32 nr = le16_to_cpu(b->nr);
	char what[POOL_WHY_LEN];
	struct pool_record r;
	int rc = 0;

	for (u32 i = 0; i < nr && !rc; i++) {
		if (pool_record_decode(w, &b->record[i], &r, what)) {
			snprintf(l->why, sizeof(l->why), "record %u: %.150s", i, what);
			return 1;
		}
		rc = pool_records_add(&w->rec, r);
	}
	return rc;
}

static int is_wrong(struct pool_walk *w, struct log *l)
{
	return pool_upper_error(w->p, w->n, l->at, "log of upper %u: %s", w->n, l->why) ?: 1;
}

/*
 * Was the block that is missing at the end durable once? Then a later one, which was written in
 * that knowledge, says so.
 */
static bool later_block(const struct pool_walk *w, const struct log *l, u64 at, const void *block)
{
	const struct ybd_fmt_log *b = block;
	char why[POOL_WHY_LEN];

	return le64_to_cpu(b->h.magic) == YBD_FMT_MAGIC_LOG &&
	       le64_to_cpu(b->h.seq) > l->seq && le64_to_cpu(b->durable_seq) > l->seq &&
	       pool_verify(b, YBD_FMT_MAGIC_LOG, w->p->info.uuid, w->u->uuid, at, why);
}

/* Blocks [@from, @to). 0; 1 and reported; -ENOMEM. */
static int look_for_later(struct pool_walk *w, struct log *l, u64 from, u64 to)
{
	char why[POOL_WHY_LEN];

	for (u64 at = from; at < to; at++) {
		const void *b = pool_block(w->p, at, why);

		if (b && later_block(w, l, at, b))
			return pool_upper_error(w->p, w->n, l->at,
						"log of upper %u: seq %llu is missing (%.100s), but was durable, as block %llu says",
						w->n, (unsigned long long)l->seq, l->why,
						(unsigned long long)at) ?: 1;
	}
	return 0;
}

static bool was_seen(const struct pool_walk *w, u64 place)
{
	for (size_t i = w->first_use; i < w->nr_use; i++)
		if (w->use[i].place == place)
			return true;
	return false;
}

/*
 * The missing block may have been the last of its chunk, so that nothing but the block itself says
 * where the log went on: in one of the other chunks that are the upper's.
 */
static int look_elsewhere(struct pool_walk *w, struct log *l)
{
	const struct pool_owned *o = w->owned;
	int rc = 0;

	for (u32 i = o->first[w->n]; i < o->first[w->n + 1] && !rc; i++) {
		u64 place = o->place[i];
		u64 at = w->p->info.layout.data + place * YBD_FMT_CHUNK_BLOCKS;

		if (!was_seen(w, place))
			rc = look_for_later(w, l, at, at + YBD_FMT_CHUNK_BLOCKS);
	}
	return rc;
}

/* Half of a block of ours, rather than what was there before? */
static bool torn(const struct pool_walk *w, const struct log *l, const struct ybd_fmt_log *b)
{
	int like = (le64_to_cpu(b->h.magic) == YBD_FMT_MAGIC_LOG) +
		   !memcmp(b->h.pool_uuid, w->p->info.uuid, 16) +
		   !memcmp(b->h.owner, w->u->uuid, 16) +
		   (le64_to_cpu(b->h.block) == l->at) + (le64_to_cpu(b->h.seq) == l->seq);

	return like >= 3 && pool_block_crc(b) != le32_to_cpu(b->h.crc);
}

/* The block at @l->at does not fit. Is that the end? */
static int check_end(struct pool_walk *w, struct log *l, const void *b)
{
	struct pool_at at = { .block = l->at, .upper = w->n };
	bool half = b && torn(w, l, b);
	int rc;

	if (w->u->committed_seq > l->seq)
		return pool_upper_error(w->p, w->n, l->at,
					"log of upper %u ends before seq %llu (%s), but all before %llu were durable",
					w->n, (unsigned long long)l->seq, l->why,
					(unsigned long long)w->u->committed_seq);
	rc = look_for_later(w, l, l->at + 1, pool_chunk_end(w->p, l->at));
	if (!rc)
		rc = look_elsewhere(w, l);
	if (!rc && half)
		rc = pool_say(w->p, at, "%s; taken for the end of the log of upper %u", l->why,
			      w->n);
	return rc;
}

/* One block. 0; 1 when it was the last; -ENOMEM. */
static int walk_block(struct pool_walk *w, struct log *l)
{
	const struct ybd_fmt_log *b = pool_block(w->p, l->at, l->why);
	enum fit how;
	int rc;

	if (!b)		/* no power cut makes a block unreadable */
		return is_wrong(w, l);
	how = fits(w, l, b);
	if (how == FIT_NOT)
		return check_end(w, l, b) ?: 1;
	rc = how == FIT_YES ? take_records(w, l, b) : 1;
	if (rc)
		return rc < 0 ? rc : is_wrong(w, l);
	l->prev_crc = le32_to_cpu(b->h.crc);
	l->epoch = le64_to_cpu(b->epoch);
	l->at = le64_to_cpu(b->next);
	l->seq++;
	w->u->log_blocks++;
	return 0;
}

int pool_log_walk(struct pool_walk *w)
{
	struct log l = {
		.at = w->u->log,
		.seq = w->u->log_seq,
		.prev_crc = w->u->log_prev_crc,
	};
	u64 last = 0;
	int rc = 0;

	/* sequence numbers rise, so that a chain that bites its tail ends there */
	while (!rc) {
		if (!last || l.at != last + 1 || pool_chunk_end(w->p, last) == l.at)
			rc = pool_use_chunk(w, l.at, POOL_FOR_LOG);
		last = l.at;
		if (!rc)
			rc = walk_block(w, &l);
	}
	return rc < 0 ? rc : 0;
}
