// SPDX-License-Identifier: GPL-2.0-only
/* Segment table and chunk table: who owns what (pool-format.rst, section 4). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "priv.h"

#define PER_BLOCK YBD_FMT_OWNERS_PER_BLOCK

static const char *what_of(const struct pool_table *t)
{
	return t->magic == YBD_FMT_MAGIC_SEGMENTS ? "segment" : "chunk";
}

/* A number of entries may not be one of blocks: the rest of the last block has to be empty. */
static bool tail_is_zero(const struct pool_table *t, u32 k, const struct ybd_fmt_table *b)
{
	u32 used = t->nr - k * PER_BLOCK;

	return used >= PER_BLOCK ||
	       pool_is_zero(&b->entry[used], (PER_BLOCK - used) * sizeof(b->entry[0]));
}

static bool copy_valid(struct pool *p, struct pool_table *t, u32 k, int copy, const void *b,
		       char *why)
{
	if (!b)		/* why says why not */
		return false;
	if (!pool_verify(b, t->magic, p->info.uuid, pool_no_owner, t->first[copy] + k, why))
		return false;
	if (tail_is_zero(t, k, b))
		return true;
	snprintf(why, POOL_WHY_LEN, "reserved bytes are not zero");
	return false;
}

static void take_entries(struct pool_table *t, u32 k, const struct ybd_fmt_table *b)
{
	u32 from = k * PER_BLOCK, nr = t->nr - from < PER_BLOCK ? t->nr - from : PER_BLOCK;

	t->seq[k] = le64_to_cpu(b->h.seq);
	for (u32 i = 0; i < nr; i++) {
		t->entry[from + i].owner = le32_to_cpu(b->entry[i].owner);
		t->entry[from + i].generation = le32_to_cpu(b->entry[i].generation);
	}
}

static int lose(struct pool *p, struct pool_table *t, u32 k, const char *why_a, const char *why_b)
{
	u32 from = k * PER_BLOCK, nr = t->nr - from < PER_BLOCK ? t->nr - from : PER_BLOCK;
	struct pool_at at = { t->first[0] + k, POOL_NO_UPPER, true, POOL_FIX_SEGMENTS };

	t->flags[k] = POOL_TABLE_LOST;
	if (t->magic == YBD_FMT_MAGIC_CHUNKS)
		at.fix = POOL_FIX_CHUNKS;
	return pool_say(p, at, "%s; and its copy in block %llu: %s; owners of %ss %u to %u are lost",
			why_a, (unsigned long long)(t->first[1] + k), why_b, what_of(t), from,
			from + nr - 1);
}

/* One copy is damaged or old: what a power cut leaves between the two writes. */
static int set_right(struct pool *p, struct pool_table *t, u32 k, int copy, const char *why)
{
	struct pool_at at = { t->first[copy] + k, POOL_NO_UPPER, false, POOL_FIX_COPY };

	t->flags[k] = POOL_TABLE_BAD(copy);
	return pool_say(p, at, "%s; its copy in block %llu is good", why,
			(unsigned long long)(t->first[!copy] + k));
}

static int both_valid(struct pool *p, struct pool_table *t, u32 k, const struct ybd_fmt_table *a,
		      const struct ybd_fmt_table *b)
{
	u64 seq[2] = { le64_to_cpu(a->h.seq), le64_to_cpu(b->h.seq) };
	char why[POOL_WHY_LEN];

	if (seq[0] == seq[1]) {
		t->seq[k] = seq[0];
		if (memcmp(a->entry, b->entry, sizeof(a->entry)))
			return lose(p, t, k, "it has the sequence number of its copy",
				    "other owners");
		take_entries(t, k, a);
		return 0;
	}
	take_entries(t, k, seq[0] > seq[1] ? a : b);
	snprintf(why, sizeof(why), "it is older than its copy (seq %llu, expected %llu)",
		 (unsigned long long)(seq[0] < seq[1] ? seq[0] : seq[1]),
		 (unsigned long long)(seq[0] < seq[1] ? seq[1] : seq[0]));
	return set_right(p, t, k, seq[0] < seq[1] ? 0 : 1, why);
}

static int settle(struct pool *p, struct pool_table *t, u32 k, const void *a, const void *b,
		  const char *io_a, const char *io_b)
{
	char why_a[POOL_WHY_LEN], why_b[POOL_WHY_LEN];
	bool ok_a, ok_b;

	snprintf(why_a, sizeof(why_a), "%s", io_a);
	snprintf(why_b, sizeof(why_b), "%s", io_b);
	ok_a = copy_valid(p, t, k, 0, a, why_a);
	ok_b = copy_valid(p, t, k, 1, b, why_b);
	if (ok_a && ok_b)
		return both_valid(p, t, k, a, b);
	if (!ok_a && !ok_b)
		return lose(p, t, k, why_a, why_b);
	take_entries(t, k, ok_a ? a : b);
	return set_right(p, t, k, ok_a ? 1 : 0, ok_a ? why_b : why_a);
}

/* Read at once. The fuzzer has less. */
#ifndef TABLE_BATCH
#define TABLE_BATCH 64u
#endif

/* Blocks [k, k + n) of both copies; on an I/O error one by one. */
static int read_batch(struct pool *p, struct pool_table *t, u32 k, u32 n, u8 *a, u8 *b)
{
	int rc = 0, io_a, io_b;

	io_a = pool_io_read(p->io, t->first[0] + k, a, n);
	io_b = pool_io_read(p->io, t->first[1] + k, b, n);
	if ((io_a || io_b) && n > 1) {
		for (u32 i = 0; i < n && !rc; i++)
			rc = read_batch(p, t, k + i, 1, a, b);
		return rc;
	}
	for (u32 i = 0; i < n && !rc; i++) {
		size_t off = (size_t)i * YBD_FMT_BLOCK_SIZE;

		rc = settle(p, t, k + i, io_a ? NULL : a + off, io_b ? NULL : b + off,
			    strerror(-io_a), strerror(-io_b));
	}
	return rc;
}

/* What an entry may say at all. */
static int check_entry(struct pool *p, struct pool_table *t, u32 i)
{
	struct pool_at at = { t->first[0] + i / PER_BLOCK, POOL_NO_UPPER, true, POOL_FIX_NONE };
	const struct pool_layout *l = &p->info.layout;
	bool segments = t->magic == YBD_FMT_MAGIC_SEGMENTS;
	u32 owner = t->entry[i].owner;

	if (owner == YBD_FMT_OWNER_NONE)
		return 0;
	if (owner > l->nr_uppers && !(segments && owner == YBD_FMT_OWNER_METADATA))
		return pool_say(p, at, "owner of %s %u is %u, expected at most %u", what_of(t), i,
				owner, l->nr_uppers);
	if (segments && i >= l->nr_segments)
		return pool_say(p, at, "segment %u has an owner (%u), but there are only %u", i,
				owner, l->nr_segments);
	return 0;
}

int pool_table_read(struct pool *p, struct pool_table *t, u64 magic, const u64 first[2], u32 nr)
{
	u8 *a = pool_io_alloc(TABLE_BATCH), *b = pool_io_alloc(TABLE_BATCH);
	int rc = -ENOMEM;

	t->magic = magic;
	t->first[0] = first[0];
	t->first[1] = first[1];
	t->nr = nr;
	t->nr_blocks = pool_table_blocks(nr);
	t->entry = calloc(nr, sizeof(*t->entry));
	t->seq = calloc(t->nr_blocks, sizeof(*t->seq));
	t->flags = calloc(t->nr_blocks, sizeof(*t->flags));
	if (a && b && t->entry && t->seq && t->flags)
		rc = 0;
	for (u32 k = 0, n; k < t->nr_blocks && !rc; k += n) {
		n = t->nr_blocks - k < TABLE_BATCH ? t->nr_blocks - k : TABLE_BATCH;
		rc = read_batch(p, t, k, n, a, b);
	}
	for (u32 i = 0; i < nr && !rc; i++)
		rc = check_entry(p, t, i);
	free(a);
	free(b);
	return rc;
}

void pool_table_free(struct pool_table *t)
{
	free(t->entry);
	free(t->seq);
	free(t->flags);
}

bool pool_owns(const struct pool *p, struct pool_owner e, u32 n)
{
	return pool_owner_of(p, e) == n;
}

u32 pool_owner_of(const struct pool *p, struct pool_owner e)
{
	const struct pool_upper *u;

	if (e.owner == YBD_FMT_OWNER_NONE || e.owner > p->info.layout.nr_uppers)
		return POOL_NO_UPPER;
	u = &p->upper[e.owner - 1];
	/* what may belong to a damaged upper is given to nobody */
	if (u->place == POOL_PLACE_FENCED)
		return e.owner - 1;
	if (u->place != POOL_PLACE_LIVE || u->generation != e.generation)
		return POOL_NO_UPPER;
	return e.owner - 1;
}

static void encode_block(const struct pool *p, const struct pool_table *t, u32 k, int copy,
			 struct ybd_fmt_table *b)
{
	u32 from = k * PER_BLOCK, nr = t->nr - from < PER_BLOCK ? t->nr - from : PER_BLOCK;

	memset(b, 0, sizeof(*b));
	for (u32 i = 0; i < nr; i++) {
		b->entry[i].owner = cpu_to_le32(t->entry[from + i].owner);
		b->entry[i].generation = cpu_to_le32(t->entry[from + i].generation);
	}
	pool_seal(b, t->magic, p->info.uuid, pool_no_owner, t->first[copy] + k, t->seq[k]);
}

/*
 * New entries go to both copies, one after the other; a bad copy is written as the good one is. A
 * bad one comes first: until it is good again, the other is the only one there is.
 */
static int write_block(struct pool *p, struct pool_table *t, u32 k, struct ybd_fmt_table *b)
{
	int first = t->flags[k] & POOL_TABLE_BAD(1) ? 1 : 0, rc = 0;

	if (t->flags[k] & POOL_TABLE_DIRTY)
		t->seq[k]++;
	for (int i = 0; i < 2 && !rc; i++) {
		int copy = first ^ i;

		if (!(t->flags[k] & (POOL_TABLE_DIRTY | POOL_TABLE_BAD(copy))))
			continue;
		encode_block(p, t, k, copy, b);
		rc = pool_io_write(p->io, t->first[copy] + k, b, 1, true);
	}
	if (!rc)
		t->flags[k] = 0;
	return rc;
}

int pool_table_write(struct pool *p, struct pool_table *t)
{
	struct ybd_fmt_table *b = pool_io_alloc(1);
	int rc = b ? 0 : -ENOMEM;

	for (u32 k = 0; k < t->nr_blocks && !rc; k++)
		if (t->flags[k] && !(t->flags[k] & POOL_TABLE_LOST))
			rc = write_block(p, t, k, b);
	free(b);
	return rc;
}
