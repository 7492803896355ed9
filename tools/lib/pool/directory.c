// SPDX-License-Identifier: GPL-2.0-only
/* Headers of uppers (pool-format.rst, section 5). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "priv.h"

#define MAX_BLOCKS	(UINT64_MAX >> YBD_FMT_BLOCK_SHIFT)	/* as bytes they fit 64 bits */

enum slot {
	SLOT_EMPTY,
	SLOT_BAD,
	SLOT_VALID,
};

static void header_decode(const struct ybd_fmt_upper *h, struct pool_upper *u)
{
	memset(u, 0, sizeof(*u));
	u->place = le32_to_cpu(h->state) == YBD_FMT_UPPER_LIVE ? POOL_PLACE_LIVE : POOL_PLACE_FREE;
	memcpy(u->uuid, h->h.owner, sizeof(u->uuid));
	memcpy(u->name, h->name, sizeof(u->name));
	u->name[sizeof(u->name) - 1] = '\0';
	u->seq = le64_to_cpu(h->h.seq);
	u->generation = le32_to_cpu(h->generation);
	u->flags = le32_to_cpu(h->flags);
	u->block_size = le32_to_cpu(h->block_size);
	u->epoch = le64_to_cpu(h->epoch);
	u->nr_blocks = le64_to_cpu(h->nr_blocks);
	u->quota_blocks = le64_to_cpu(h->quota_blocks);
	u->reserve_blocks = le64_to_cpu(h->reserve_blocks);
	u->created = le64_to_cpu(h->created);
	memcpy(u->image_identity, h->image_identity, sizeof(u->image_identity));
	u->layers = le64_to_cpu(h->layers);
	u->layers_bytes = le32_to_cpu(h->layers_bytes);
	u->layers_crc = le32_to_cpu(h->layers_crc);
	u->ckpt = le64_to_cpu(h->ckpt);
	u->ckpt_blocks = le32_to_cpu(h->ckpt_blocks);
	u->ckpt_records = le64_to_cpu(h->ckpt_records);
	u->log = le64_to_cpu(h->log);
	u->log_seq = le64_to_cpu(h->log_seq);
	u->committed_seq = le64_to_cpu(h->committed_seq);
	u->log_prev_crc = le32_to_cpu(h->log_prev_crc);
}

static bool wrong(char *why, const char *what, u64 val, const char *want)
{
	snprintf(why, POOL_WHY_LEN, "%s %llu, expected %s", what, (unsigned long long)val, want);
	return false;
}

/* Is the place of the chain's first block, of @nr in all, one where it can be? */
static bool check_place(const struct pool *p, const char *what, u64 block, char *why)
{
	return pool_in_data(p, block) || wrong(why, what, block, "a block of a segment");
}

static bool check_chains(const struct pool *p, const struct pool_upper *u, char *why)
{
	if (!check_place(p, "layers", u->layers, why) || !check_place(p, "log", u->log, why))
		return false;
	if (!u->layers_bytes || u->layers_bytes > YBD_FMT_LAYERS_MAX)
		return wrong(why, "layers_bytes", u->layers_bytes, "1 to 64512");
	if (!u->ckpt && u->ckpt_blocks)
		return wrong(why, "ckpt_blocks", u->ckpt_blocks, "0 without a checkpoint");
	if (!u->ckpt && u->ckpt_records)
		return wrong(why, "ckpt_records", u->ckpt_records, "0 without a checkpoint");
	if (u->ckpt && !u->ckpt_blocks)
		return wrong(why, "ckpt_blocks", 0, "at least 1");
	if (u->ckpt_records > (u64)u->ckpt_blocks * YBD_FMT_CKPT_RECORDS)
		return wrong(why, "ckpt_records", u->ckpt_records, "no more than fit");
	return !u->ckpt || check_place(p, "ckpt", u->ckpt, why);
}

static bool check_live(const struct pool *p, const struct pool_upper *u, char *why)
{
	if (u->flags & ~YBD_FMT_UPPER_FLAGS)
		return wrong(why, "flags", u->flags, "0 or 1");
	if (u->block_size != 512 && u->block_size != 4096)
		return wrong(why, "block_size", u->block_size, "512 or 4096");
	if (!u->nr_blocks || u->nr_blocks > YBD_FMT_UPPER_BLOCKS_MAX)
		return wrong(why, "nr_blocks", u->nr_blocks, "1 to 2^34");
	if (u->quota_blocks > MAX_BLOCKS)
		return wrong(why, "quota_blocks", u->quota_blocks, "below 2^52");
	if (u->reserve_blocks > (u->quota_blocks ? u->quota_blocks : MAX_BLOCKS))
		return wrong(why, "reserve_blocks", u->reserve_blocks, "no more than the quota");
	if (pool_is_zero(u->uuid, sizeof(u->uuid)))
		return wrong(why, "owner", 0, "the uuid of an upper");
	return check_chains(p, u, why);
}

static bool check_header(const struct pool *p, const struct ybd_fmt_upper *h,
			 const struct pool_upper *u, unsigned int slot, char *why)
{
	u32 state = le32_to_cpu(h->state);
	const char *name;

	if ((u->seq & 1) != slot)
		return wrong(why, "seq", u->seq, slot ? "an odd one" : "an even one");
	if (h->ckpt_reserved || !pool_is_zero(h->reserved, sizeof(h->reserved))) {
		snprintf(why, POOL_WHY_LEN, "reserved bytes are not zero");
		return false;
	}
	if (state != YBD_FMT_UPPER_LIVE && state != YBD_FMT_UPPER_FREE)
		return wrong(why, "state", state, "0 or 1");
	if (!u->generation)
		return wrong(why, "generation", 0, "at least 1");
	if (state == YBD_FMT_UPPER_FREE)
		return true;
	name = pool_check_name(h->name);
	if (name) {
		snprintf(why, POOL_WHY_LEN, "%s", name);
		return false;
	}
	return check_live(p, u, why);
}

static enum slot slot_read(const struct pool *p, u64 at, unsigned int slot, const void *b,
			   struct pool_upper *u, char *why)
{
	if (pool_is_zero(b, YBD_FMT_BLOCK_SIZE))
		return SLOT_EMPTY;
	if (!pool_verify(b, YBD_FMT_MAGIC_UPPER, p->info.uuid, NULL, at, why))
		return SLOT_BAD;
	header_decode(b, u);
	return check_header(p, b, u, slot, why) ? SLOT_VALID : SLOT_BAD;
}

static int say_slots(struct pool *p, u32 n, u64 block, const enum slot st[2],
		     char why[2][POOL_WHY_LEN])
{
	struct pool_upper *u = &p->upper[n];
	struct pool_at at = { block, n, true, POOL_FIX_NONE };

	if (st[0] == SLOT_BAD && st[1] == SLOT_BAD)
		return pool_say(p, at, "%s; and block %llu: %s; upper %u is lost, see --drop-upper",
				why[0], (unsigned long long)block + 1, why[1], n);
	at.block += st[1] == SLOT_BAD;
	if (u->place == POOL_PLACE_FENCED)
		return pool_say(p, at, "%s; upper %u is lost, see --drop-upper",
				why[at.block - block], n);
	return pool_say(p, at, "%s; upper %u goes by its other header (seq %llu), maybe older",
			why[at.block - block], n, (unsigned long long)u->seq);
}

/* Two blocks of the directory. */
static int read_place(struct pool *p, u64 block, const u8 *b, const char *io, void *priv)
{
	u32 n = (u32)((block - p->info.layout.directory) / 2);
	struct pool_upper *u = &p->upper[n], got[2] = { 0 };
	enum slot st[2] = { SLOT_BAD, SLOT_BAD };
	char why[2][POOL_WHY_LEN];

	for (unsigned int i = 0; i < 2; i++) {
		snprintf(why[i], sizeof(why[i]), "%s", b ? "" : io);
		if (b)
			st[i] = slot_read(p, block + i, i, b + i * YBD_FMT_BLOCK_SIZE, &got[i],
					  why[i]);
	}
	if (st[0] == SLOT_VALID && (st[1] != SLOT_VALID || got[0].seq > got[1].seq))
		*u = got[0];
	else if (st[1] == SLOT_VALID)
		*u = got[1];
	else if (st[0] == SLOT_BAD || st[1] == SLOT_BAD)
		u->place = POOL_PLACE_FENCED;
	u->slot_bad = (st[0] == SLOT_BAD) | (st[1] == SLOT_BAD) << 1;
	return u->slot_bad ? say_slots(p, n, block, st, why) : 0;
}

static int read_places(struct pool *p, u32 first, u32 nr)
{
	return pool_scan(p, p->info.layout.directory + 2ULL * first, 2ULL * nr, 2, read_place,
			 NULL);
}

static void name_owners(const struct pool *p, const struct pool_table *t, u8 *named)
{
	for (u32 i = 0; i < t->nr; i++)
		if (t->entry[i].owner && t->entry[i].owner <= p->info.layout.nr_uppers)
			named[t->entry[i].owner - 1] = 1;
}

/* Places that are near each other cost less together than one by one. */
#define READ_GAP	32u

static int read_named(struct pool *p, const u8 *named)
{
	u32 nr = p->info.layout.nr_uppers, first, last;
	int rc = 0;

	for (u32 i = 0; i < nr && !rc; i++) {
		if (!named[i])
			continue;
		first = i;
		last = i;
		for (; i < nr && i - last <= READ_GAP; i++)
			if (named[i])
				last = i;
		rc = read_places(p, first, last - first + 1);
		i = last;
	}
	return rc;
}

/* Whoever is live has a chunk for its log, so that the tables name all that matter. */
static int read_live(struct pool *p)
{
	u8 *named = calloc(p->info.layout.nr_uppers, 1);
	int rc;

	if (!named)
		return -ENOMEM;
	name_owners(p, &p->segments, named);
	name_owners(p, &p->chunks, named);
	rc = read_named(p, named);
	free(named);
	return rc;
}

int pool_directory_read(struct pool *p, enum pool_read what)
{
	u32 nr = p->info.layout.nr_uppers;

	p->upper = calloc(nr, sizeof(*p->upper));
	if (!p->upper)
		return -ENOMEM;
	if (what == POOL_READ_LIVE && !pool_table_lost(&p->segments) &&
	    !pool_table_lost(&p->chunks))
		return read_live(p);
	return read_places(p, 0, nr);
}

void pool_count(struct pool *p)
{
	struct pool_totals *t = &p->totals;
	u32 n;

	memset(t, 0, sizeof(*t));
	for (u32 i = 0; i < p->info.layout.nr_uppers; i++) {
		t->live += p->upper[i].place == POOL_PLACE_LIVE;
		t->fenced += p->upper[i].place == POOL_PLACE_FENCED;
		p->upper[i].segments = 0;
		p->upper[i].chunks = 0;
	}
	for (u32 i = 0; i < p->info.layout.nr_segments; i++) {
		n = pool_owner_of(p, p->segments.entry[i]);
		if (n != POOL_NO_UPPER) {
			t->owned_segments++;
			p->upper[n].segments++;
		} else if (p->segments.entry[i].owner == YBD_FMT_OWNER_METADATA) {
			t->metadata_segments++;
		} else if (!pool_entry_lost(&p->segments, i)) {
			t->free_segments++;
		}
	}
	for (u32 i = 0; i < p->chunks.nr; i++) {
		n = pool_owner_of(p, p->chunks.entry[i]);
		if (n != POOL_NO_UPPER) {
			t->owned_chunks++;
			p->upper[n].chunks++;
		}
	}
}

/* The highest generation in which the tables know the upper. */
static u32 last_generation(const struct pool *p, u32 n)
{
	u32 gen = p->upper[n].generation ? p->upper[n].generation : 1;
	const struct pool_table *t[] = { &p->segments, &p->chunks };

	for (int i = 0; i < 2; i++)
		for (u32 k = 0; k < t[i]->nr; k++)
			if (t[i]->entry[k].owner == n + 1 && t[i]->entry[k].generation > gen)
				gen = t[i]->entry[k].generation;
	return gen;
}

static int write_header(struct pool *p, u32 n, u32 generation, u64 seq, const u8 *owner)
{
	u64 at = p->info.layout.directory + 2ULL * n + (seq & 1);
	struct ybd_fmt_upper *h = pool_io_alloc(1);
	int rc;

	if (!h)
		return -ENOMEM;
	h->state = cpu_to_le32(YBD_FMT_UPPER_FREE);
	h->generation = cpu_to_le32(generation);
	pool_seal(h, YBD_FMT_MAGIC_UPPER, p->info.uuid, owner, at, seq);
	rc = pool_io_write(p->io, at, h, 1, true);
	free(h);
	return rc;
}

int pool_upper_drop(struct pool *p, u32 n)
{
	struct pool_upper *u = &p->upper[n];
	u64 slots = p->info.layout.directory + 2ULL * n;
	u32 gen = last_generation(p, n);
	int rc = 0;

	if (u->place == POOL_PLACE_FENCED) {
		/* one of them zeroes, the other new: fenced until that is there */
		void *zero = pool_io_alloc(1);

		rc = zero ? pool_io_write(p->io, slots + 1, zero, 1, true) : -ENOMEM;
		free(zero);
	}
	if (!rc && u->place == POOL_PLACE_FENCED)
		rc = write_header(p, n, gen, 2, pool_no_owner);
	else if (!rc)
		rc = write_header(p, n, gen, u->seq + 1, u->uuid);
	if (!rc) {
		memset(u, 0, sizeof(*u));
		u->place = POOL_PLACE_FREE;
		u->generation = gen;
	}
	return rc;
}
