// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mending a pool. Each write stands for itself: a pool that was mended by half is one that has less
 * to be mended.
 */
#include <errno.h>
#include <stdlib.h>

#include "priv.h"

/* Is all known of it? Of a damaged upper, or of one whose header is lost, nothing is given back. */
static bool is_sound(const struct pool *p, u32 n)
{
	return !p->upper[n].broken && p->upper[n].place == POOL_PLACE_LIVE;
}

static void mark(struct pool *p, enum pool_fix fix)
{
	struct pool_finding *f = p->report.find;

	for (size_t i = 0; i < p->report.nr; i++)
		if (f[i].fix == fix && (fix != POOL_FIX_LEAK || is_sound(p, f[i].upper)))
			f[i].repaired = true;
}

static int mend_super(struct pool *p)
{
	int rc = 0;

	if (p->super_bad & 1)
		rc = pool_super_write(p->io, &p->info, YBD_FMT_SUPER_BLOCK);
	else if (p->super_bad & 2)
		rc = pool_super_write(p->io, &p->info, YBD_FMT_SUPER_BACKUP_BLOCK);
	if (!rc)
		mark(p, POOL_FIX_SUPER);
	return rc;
}

static int drop_upper(struct pool *p, u32 n)
{
	int rc = pool_upper_drop(p, n);

	for (size_t i = 0; i < p->report.nr && !rc; i++)
		if (p->report.find[i].upper == n)
			p->report.find[i].repaired = true;
	return rc;
}

/* ---- a table from the uppers ---- */

/* Is all known of what the uppers use? Else what is used would look free. */
static bool all_sound(const struct pool *p)
{
	for (u32 n = 0; n < p->info.layout.nr_uppers; n++)
		if (p->upper[n].broken || p->upper[n].place == POOL_PLACE_FENCED)
			return false;
	return true;
}

static struct pool_owner owner_entry(const struct pool *p, u32 n)
{
	return (struct pool_owner){ n + 1, p->upper[n].generation };
}

/* Chunks of a segment are next to each other in the sorted list. */
static size_t first_use(const struct pool *p, u64 place)
{
	const struct pool_check *c = p->check;
	size_t lo = 0, hi = c->nr_use;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (c->use[mid].place < place)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool live_use(const struct pool *p, const struct pool_use *u)
{
	return p->upper[u->upper].place == POOL_PLACE_LIVE;
}

static bool has_chunks(const struct pool *p, u32 seg)
{
	u32 per = pool_chunks_per_segment(&p->info.layout);
	const struct pool_check *c = p->check;

	for (size_t i = first_use(p, (u64)seg * per);
	     i < c->nr_use && c->use[i].place / per == seg; i++)
		if (live_use(p, &c->use[i]))
			return true;
	return false;
}

/* Could the segment be this metadata segment, by who owns its chunks? */
static bool could_be(const struct pool *p, u32 seg, u32 ord)
{
	u32 per = pool_chunks_per_segment(&p->info.layout);
	const struct pool_check *c = p->check;
	u64 chunk;

	for (size_t i = first_use(p, (u64)seg * per);
	     i < c->nr_use && c->use[i].place / per == seg; i++) {
		chunk = (u64)ord * per + c->use[i].place % per;
		if (live_use(p, &c->use[i]) &&
		    (chunk >= p->chunks.nr ||
		     !pool_owns(p, p->chunks.entry[chunk], c->use[i].upper)))
			return false;
	}
	return true;
}

/**
 * struct rebuild - the segment table as it becomes
 * @p: the pool
 * @ordinal: for each metadata segment: the segment + 1, or 0
 * @nr: how many metadata segments there have to be
 * @entry: the entries
 */
struct rebuild {
	struct pool *p;
	u32 *ordinal;
	u32 nr;
	struct pool_owner *entry;
};

/* The only ordinal that the segment can have; 1 for none, 2 for several. */
static int find_ordinal(const struct rebuild *r, u32 seg, u32 *ord)
{
	int found = 1;

	for (u32 o = 0; o < r->nr; o++) {
		if (r->ordinal[o] || !could_be(r->p, seg, o))
			continue;
		if (!found)
			return 2;
		*ord = o;
		found = 0;
	}
	return found;
}

static bool is_open(const struct rebuild *r, u32 seg)
{
	return pool_entry_lost(&r->p->segments, seg) && !r->entry[seg].owner;
}

static void assign(struct rebuild *r, u32 seg, u32 ord)
{
	r->entry[seg] = (struct pool_owner){ YBD_FMT_OWNER_METADATA, ord };
	r->ordinal[ord] = seg + 1;
}

/* Segments with chunks that are used: again and again, as each answer leaves fewer for others. */
static bool assign_used(struct rebuild *r)
{
	bool more = true, open = true;
	u32 ord;

	while (more && open) {
		more = false;
		open = false;
		for (u32 s = 0; s < r->p->info.layout.nr_segments; s++) {
			if (!is_open(r, s) || !has_chunks(r->p, s))
				continue;
			if (find_ordinal(r, s, &ord)) {
				open = true;
				continue;
			}
			assign(r, s, ord);
			more = true;
		}
	}
	return !open;
}

/* What is left of the ordinals has no chunk that is used: any free segment will do. */
static bool assign_others(struct rebuild *r)
{
	u32 seg = 0;

	for (u32 o = 0; o < r->nr; o++) {
		if (r->ordinal[o])
			continue;
		while (seg < r->p->info.layout.nr_segments && !is_open(r, seg))
			seg++;
		if (seg == r->p->info.layout.nr_segments)
			return false;
		assign(r, seg, o);
	}
	return true;
}

static void count_ordinals(struct rebuild *r)
{
	u32 per = pool_chunks_per_segment(&r->p->info.layout);

	r->nr = r->p->check->nr_ordinals;
	for (u32 i = 0; i < r->p->chunks.nr; i++)
		if (pool_owner_of(r->p, r->p->chunks.entry[i]) != POOL_NO_UPPER && i / per >= r->nr)
			r->nr = i / per + 1;
}

static bool rebuild_segments(struct rebuild *r)
{
	struct pool *p = r->p;
	u32 n;

	count_ordinals(r);
	for (u32 s = 0; s < p->info.layout.nr_segments; s++) {
		n = p->check->used[s];
		if (n && p->upper[n - 1].place != POOL_PLACE_LIVE)
			n = 0;
		if (pool_entry_lost(&p->segments, s))
			r->entry[s] = n ? owner_entry(p, n - 1) : (struct pool_owner){ 0 };
		else
			r->entry[s] = p->segments.entry[s];
	}
	return assign_used(r) && assign_others(r);
}

static void adopt(struct pool_table *t, const struct pool_owner *entry, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		if (pool_entry_lost(t, i))
			t->entry[i] = entry[i];
	for (u32 k = 0; k < t->nr_blocks; k++)
		if (t->flags[k] & POOL_TABLE_LOST)
			t->flags[k] = POOL_TABLE_DIRTY;
}

static int mend_segments(struct pool *p)
{
	u32 nr = p->info.layout.nr_segments, per = pool_chunks_per_segment(&p->info.layout);
	struct rebuild r = { .p = p };
	int rc = -ENOMEM;

	r.entry = calloc(nr, sizeof(*r.entry));
	r.ordinal = calloc(p->info.layout.max_chunks / per + 1, sizeof(*r.ordinal));
	if (r.entry && r.ordinal) {
		rc = 0;
		for (u32 o = 0; o < p->check->nr_ordinals; o++)
			r.ordinal[o] = p->check->ordinal[o];
		if (rebuild_segments(&r)) {
			adopt(&p->segments, r.entry, nr);
			mark(p, POOL_FIX_SEGMENTS);
		}
	}
	free(r.entry);
	free(r.ordinal);
	return rc;
}

static int mend_chunks(struct pool *p)
{
	u32 per = pool_chunks_per_segment(&p->info.layout), chunk;
	struct pool_owner *entry = calloc(p->chunks.nr, sizeof(*entry));
	const struct pool_check *c = p->check;

	if (!entry)
		return -ENOMEM;
	for (size_t i = 0; i < c->nr_use; i++) {
		if (!live_use(p, &c->use[i]))
			continue;
		chunk = p->segments.entry[c->use[i].place / per].generation * per +
			(u32)(c->use[i].place % per);
		if (chunk < p->chunks.nr)	/* otherwise the upper would be broken */
			entry[chunk] = owner_entry(p, c->use[i].upper);
	}
	adopt(&p->chunks, entry, p->chunks.nr);
	mark(p, POOL_FIX_CHUNKS);
	free(entry);
	return 0;
}

/* With one of the tables the other can be made, with neither it would be a guess. */
static int mend_lost(struct pool *p)
{
	bool segments = pool_table_lost(&p->segments), chunks = pool_table_lost(&p->chunks);

	if (segments == chunks || !all_sound(p))
		return 0;
	return segments ? mend_segments(p) : mend_chunks(p);
}

/* ---- what is not used ---- */

static void give_back(struct pool_table *t, u32 i)
{
	t->entry[i] = (struct pool_owner){ 0 };
	t->flags[i / YBD_FMT_OWNERS_PER_BLOCK] |= POOL_TABLE_DIRTY;
}

/* The upper that owns it and of which all is known, or POOL_NO_UPPER. */
static u32 sound_owner(const struct pool *p, struct pool_owner e)
{
	u32 n = pool_owner_of(p, e);

	return n != POOL_NO_UPPER && is_sound(p, n) ? n : POOL_NO_UPPER;
}

static int mend_leaks(struct pool *p)
{
	u32 nr = p->info.layout.nr_segments, n;
	u32 *left = calloc(p->info.layout.nr_uppers, sizeof(*left));

	if (!left)
		return -ENOMEM;
	/* what somebody maps is in use, also if it is not the owner's */
	for (u32 i = 0; i < nr; i++) {
		n = sound_owner(p, p->segments.entry[i]);
		if (n != POOL_NO_UPPER && p->check->seen[i])
			left[n]++;
	}
	for (n = 0; n < p->info.layout.nr_uppers; n++)
		left[n] = pool_leaked_segments(p, n, left[n]);
	while (nr--) {
		n = sound_owner(p, p->segments.entry[nr]);
		if (n == POOL_NO_UPPER || p->check->seen[nr] || !left[n])
			continue;
		left[n]--;
		give_back(&p->segments, nr);
	}
	for (u32 i = 0; i < p->chunks.nr; i++)
		if (!p->check->chunk_used[i] &&
		    sound_owner(p, p->chunks.entry[i]) != POOL_NO_UPPER)
			give_back(&p->chunks, i);
	free(left);
	mark(p, POOL_FIX_LEAK);
	return 0;
}

static int check_mend(struct pool *p, const struct pool_mend *how, struct ybd_error *err)
{
	u32 n = how->drop;

	if (p->info.read_only)
		return ybd_error_set(err, -EOPNOTSUPP,
				     "it has the features 0x%llx, without which it must not be written: use a newer ybdctl",
				     (unsigned long long)(p->info.ro_compat &
							  ~YBD_FMT_RO_COMPAT_KNOWN));
	if (p->super_bad & 1 && how->alien)
		return ybd_error_set(err, -EUCLEAN,
				     "the superblock is damaged, and there is something else (%s): not repaired",
				     how->alien);
	if (n == POOL_NO_UPPER)
		return 0;
	if (n >= p->info.layout.nr_uppers)
		return ybd_error_set(err, -EINVAL, "upper %u, expected less than %u", n,
				     p->info.layout.nr_uppers);
	if (p->upper[n].place != POOL_PLACE_FENCED && !p->upper[n].broken)
		return ybd_error_set(err, -EINVAL, "upper %u is not damaged", n);
	return 0;
}

int pool_repair(struct pool *p, const struct pool_mend *how, struct ybd_error *err)
{
	bool lost = pool_table_lost(&p->segments) || pool_table_lost(&p->chunks);
	int rc = check_mend(p, how, err);

	if (rc)
		return rc;
	rc = mend_super(p);
	if (!rc && how->drop != POOL_NO_UPPER)
		rc = drop_upper(p, how->drop);
	if (!rc)
		rc = lost ? mend_lost(p) : mend_leaks(p);
	if (!rc)
		rc = pool_table_write(p, &p->segments);
	if (!rc)
		rc = pool_table_write(p, &p->chunks);
	if (!rc)
		rc = pool_io_flush(p->io);
	if (rc)
		return ybd_error_sys(err, rc, "repairing");
	mark(p, POOL_FIX_COPY);
	pool_count(p);
	return 0;
}
