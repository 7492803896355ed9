// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: the lvstore reader over any metadata whatever. Beyond not crashing, what the
 * reader says must hold together: extents in order and inside the device, and each cluster where a
 * plain walk down the chain finds it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "crc32c.h"
#include "lvstore/store.h"
#include "lvstore_input.h"
#include "lvstore_naive.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max);

#define must(cond) do { if (!(cond)) broken(#cond, __LINE__); } while (0)

static void broken(const char *what, int line)
{
	fprintf(stderr, "line %d: not so: %s\n", line, what);
	abort();
}

/* ---- the input as a device ---- */

struct rec {
	u32 block;
	u32 order;
	u8 flags;
	u32 next;
	u16 len;
	const u8 *bytes;
	u8 *page;	/* all of it, made when it is first read */
};

static u8 pages[INPUT_RECS_MAX][4096];

/**
 * struct device - an input
 * @recs: sorted by block, then by order
 * @nr: how many
 * @blocks: size
 * @turn: reads until later records count
 * @reads: reads so far
 */
struct device {
	struct rec recs[INPUT_RECS_MAX];
	size_t nr;
	u32 blocks;
	unsigned int turn;
	unsigned int reads;
};

static size_t parse_rec(const u8 *p, size_t left, struct rec *r)
{
	size_t head;

	if (left < INPUT_REC)
		return 0;
	r->flags = p[0] & INPUT_FLAGS;
	r->block = p[1] | p[2] << 8 | (u32)p[3] << 16;
	r->len = get_le16(p + 4);
	head = input_rec_head(r->flags);
	if (left < head)
		return 0;
	r->next = r->flags & INPUT_RAW ? 0 : get_le32(p + INPUT_REC);
	if (r->len > left - head)
		r->len = (u16)(left - head);
	r->bytes = p + head;
	head += r->len;
	if (r->len > 4096)
		r->len = 4096;
	return head;
}

static int rec_cmp(const void *a, const void *b)
{
	const struct rec *x = a, *y = b;

	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static bool device_init(struct device *d, const u8 *p, size_t len)
{
	d->nr = 0;
	d->reads = 0;
	if (len < INPUT_HEAD)
		return false;
	d->blocks = get_le32(p) % (INPUT_BLOCKS_MAX + 1);
	d->turn = p[4];
	p += INPUT_HEAD;
	len -= INPUT_HEAD;
	while (d->nr < INPUT_RECS_MAX) {
		struct rec *r = &d->recs[d->nr];
		size_t n = parse_rec(p, len, r);

		if (!n)
			break;
		p += n;
		len -= n;
		r->page = NULL;
		r->order = (u32)d->nr++;
	}
	qsort(d->recs, d->nr, sizeof(*d->recs), rec_cmp);
	return true;
}

static bool rec_counts(const struct device *d, const struct rec *r)
{
	return !(r->flags & INPUT_LATER) || d->reads > d->turn;
}

/* First record of this block or a later one. */
static size_t find_rec(const struct device *d, u64 block)
{
	size_t lo = 0, hi = d->nr;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (d->recs[mid].block < block)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static const u8 *rec_page(struct rec *r)
{
	u8 *out = pages[r->order];
	u32 crc;

	if (r->page)
		return r->page;
	r->page = out;
	memset(out, 0, 4096);
	memcpy(out, r->bytes, r->len);
	if (r->flags & INPUT_RAW)
		return out;
	out[4088] = (u8)r->next;
	out[4089] = (u8)(r->next >> 8);
	out[4090] = (u8)(r->next >> 16);
	out[4091] = (u8)(r->next >> 24);
	crc = crc32c(out, LVS_DISK_CRC_LEN);
	if (r->flags & INPUT_BAD_CRC)
		crc++;
	for (int i = 0; i < 4; i++)
		out[4092 + i] = (u8)(crc >> (8 * i));
	return out;
}

static int device_read(struct lvs_io *io, u64 off, void *buf, size_t len)
{
	struct device *d = io->priv;

	memset(buf, 0, len);
	d->reads++;
	for (size_t i = find_rec(d, off / 4096); i < d->nr; i++) {
		u64 at = d->recs[i].block * 4096ULL;
		u64 a = at > off ? at : off;
		u64 b = at + 4096 < off + len ? at + 4096 : off + len;

		if (at >= off + len)
			break;
		if (!rec_counts(d, &d->recs[i]))
			continue;
		if (d->recs[i].flags & INPUT_FAILS)
			return -EIO;
		memcpy((u8 *)buf + (a - off), rec_page(&d->recs[i]) + (a - at), b - a);
	}
	return 0;
}

static u64 device_next_data(struct lvs_io *io, u64 off)
{
	struct device *d = io->priv;
	size_t i = find_rec(d, off / 4096);
	u64 at = i < d->nr ? d->recs[i].block * 4096ULL : io->size;

	if (at < off)
		return off;
	return at < io->size ? at : io->size;
}

/* ---- what must hold ---- */

static void check_cluster(const struct lvs_lvol *l, const struct lvs_map *m, u64 cluster)
{
	if (cluster < l->num_clusters)
		must(naive_agrees(l, m, cluster));
}

static void check_map(struct lvs_store *s, const struct lvs_lvol *l, const struct lvs_map *m)
{
	u64 cs = lvs_cluster_size(s), end = 0;

	must(m->size == lvs_lvol_size(l));
	for (size_t i = 0; i < m->nr; i++) {
		const struct lvs_extent *e = &m->ext[i];
		u8 byte;

		must(e->start >= end && e->len && !(e->start % cs) && !(e->len % cs));
		must(e->len <= m->size && e->start <= m->size - e->len);
		if (e->source == LVS_SOURCE_STORE)
			must(e->len <= lvs_size(s) && e->phys <= lvs_size(s) - e->len);
		else
			must(m->esnap_id && e->phys + e->len <= m->esnap_len);
		end = e->start + e->len;
		if (i % (m->nr / 8 + 1))	/* a few of them will do */
			continue;
		check_cluster(l, m, e->start / cs);
		check_cluster(l, m, end / cs);
		if (e->source == LVS_SOURCE_STORE)
			lvs_map_read(s, m, -1, end - 1, &byte, 1);
	}
}

static void check_lvol(struct lvs_store *s, const struct lvs_lvol *l)
{
	const struct lvs_lvol *why = NULL, *p = lvs_lvol_parent(l);
	u8 id[LVS_IDENTITY_LEN];
	struct lvs_map m;

	must(lvs_lvol_listed(l) && *lvs_lvol_name(l) && *lvs_lvol_uuid(l));
	must(lvs_lvol_depth(l) == (p ? lvs_lvol_depth(p) + 1 : 1));
	must(lvs_chain_read_only(l, &why) == !why);
	must(lvs_find(s, lvs_lvol_name(l)) == l);
	for (size_t i = 0; lvs_lvol_xattr_at(l, i); i++)
		must(lvs_lvol_xattr_at(l, i)->name);
	for (size_t i = 0; i < lvs_lvol_clones(l); i++)
		must(lvs_lvol_parent(lvs_lvol_clone_at(l, i)) == l);
	if (lvs_flatten(l, &m))
		return;
	check_map(s, l, &m);
	lvs_identity(l, &m, id);
	lvs_map_free(&m);
}

static void check_store(struct lvs_store *s)
{
	must(lvs_free_clusters(s) <= lvs_size(s) / lvs_cluster_size(s));
	for (size_t i = 0; i < lvs_refusals(s); i++)
		must(*lvs_refusal_at(s, i)->text);
	for (size_t i = 0; i < lvs_lvols(s); i++)
		check_lvol(s, lvs_lvol_at(s, i));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const struct lvs_io_ops ops = {
		.read = device_read,
		.next_data = device_next_data,
	};
	static struct device d;
	struct lvs_error err;
	struct lvs_store *s;
	struct lvs_io *io;
	int rc;

	if (!device_init(&d, data, size) ||
	    lvs_io_open_ops(&ops, d.blocks * 4096ULL, &d, &io))
		return -1;
	rc = lvs_open_io(io, &s, &err);
	if (rc) {
		must(err.code == rc && *err.text);
		return 0;
	}
	check_store(s);
	lvs_close(s);
	return 0;
}

/* ---- mutation: of fields rather than of bytes ---- */

struct rng {
	u64 s;
};

static u32 rnd(struct rng *r, u32 n)
{
	r->s = r->s * 6364136223846793005ULL + 1442695040888963407ULL;
	return n ? (u32)(r->s >> 33) % n : 0;
}

/* Start of a record chosen at random, or 0. */
static size_t pick_rec(const u8 *data, size_t size, struct rng *r, struct rec *out)
{
	size_t at = INPUT_HEAD, found = 0, n;
	u32 seen = 0;
	struct rec rec;

	while (at < size) {
		n = parse_rec(data + at, size - at, &rec);
		if (!n)
			break;
		if (!rnd(r, ++seen)) {
			found = at;
			*out = rec;
		}
		at += n;
	}
	return found;
}

/* A number that may mean something here: a page, a blob, a size, an end of a range. */
static u64 pick_value(const u8 *data, size_t size, struct rng *r)
{
	static const u64 some[] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, 64, 511, 512, 513, 2052, 4067, 4072, 4096, 65536,
		0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 0x100000000, 0x7fffffffffffffff,
		0xffffffffffffffff, 0xfffffffffffff000,
	};
	struct rec rec;

	switch (rnd(r, 4)) {
	case 0:
		return some[rnd(r, ARRAY_SIZE(some))];
	case 1:
		return rnd(r, 64);
	case 2:
		if (pick_rec(data, size, r, &rec) && rec.len >= 8)
			return get_le64(rec.bytes);	/* a blob's id */
		return rnd(r, 4096);
	default:
		if (pick_rec(data, size, r, &rec))
			return rec.block - rnd(r, 12);	/* about a page's number */
		return rnd(r, 256);
	}
}

/* Where a descriptor, or a field of one, begins. */
static u32 pick_offset(const struct rec *rec, struct rng *r)
{
	static const u8 fields[] = { 0, 1, 5, 9, 13, 17, 21, 25 };
	u32 at = 16, n = rnd(r, 12);

	if (rec->flags & INPUT_RAW || !rnd(r, 4))
		return rnd(r, rec->len);
	if (!rec->block)
		return rnd(r, 24) * 4;	/* the super block */
	while (n-- && at + 5 < rec->len && get_le32(rec->bytes + at + 1) < 4096)
		at += 5 + get_le32(rec->bytes + at + 1);
	return at + fields[rnd(r, sizeof(fields))];
}

static size_t mutate_field(u8 *data, size_t size, struct rng *r)
{
	static const u8 widths[] = { 1, 2, 4, 4, 8 };
	u64 v = pick_value(data, size, r);
	struct rec rec;
	size_t at = pick_rec(data, size, r, &rec);
	u32 w = widths[rnd(r, sizeof(widths))], off;

	if (!at)
		return size;
	off = pick_offset(&rec, r);
	if (off + w > rec.len)
		return size;
	at = (size_t)(rec.bytes - data) + off;
	if (!rnd(r, 4) && w <= 8)	/* a little more or less */
		v = data[at] + rnd(r, 5) - 2;
	for (u32 i = 0; i < w; i++)
		data[at + i] = (u8)(v >> (8 * i));
	return size;
}

/* The flags, the block or "next". */
static size_t mutate_head(u8 *data, size_t size, struct rng *r)
{
	u64 v = pick_value(data, size, r);
	struct rec rec;
	size_t at = pick_rec(data, size, r, &rec);

	if (!at)
		return size;
	switch (rnd(r, 4)) {
	case 0:
		data[at] ^= (u8)(1 << rnd(r, 4));
		break;
	case 1:
		data[at + 1 + rnd(r, 2)] = (u8)v;
		break;
	case 2:
		data[4] = (u8)v;
		break;
	default:
		if (rec.flags & INPUT_RAW)
			break;
		for (int i = 0; i < 4; i++)
			data[at + INPUT_REC + i] = (u8)(v >> (8 * i));
	}
	return size;
}

/* A record once more: for another page, or for later. */
static size_t mutate_copy(u8 *data, size_t size, size_t max, struct rng *r)
{
	struct rec rec;
	size_t at = pick_rec(data, size, r, &rec), n;

	if (!at)
		return size;
	n = input_rec_head(rec.flags) + rec.len;
	if (size + n > max)
		return size;
	memcpy(data + size, data + at, n);
	if (rnd(r, 2))
		data[size] |= INPUT_LATER;
	else
		data[size + 1] = (u8)(data[size + 1] + rnd(r, 9) - 4);
	return size + n;
}

static size_t mutate_drop(u8 *data, size_t size, struct rng *r)
{
	struct rec rec;
	size_t at = pick_rec(data, size, r, &rec), n;

	if (!at)
		return size;
	n = input_rec_head(rec.flags) + rec.len;
	memmove(data + at, data + at + n, size - at - n);
	return size - n;
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed)
{
	struct rng r = { seed };

	for (u32 n = 1 + rnd(&r, 4); n; n--) {
		switch (rnd(&r, 16)) {
		case 0:
		case 1:
			size = LLVMFuzzerMutate(data, size, max);
			break;
		case 2:
			size = mutate_drop(data, size, &r);
			break;
		case 3:
		case 4:
			size = mutate_copy(data, size, max, &r);
			break;
		case 5:
		case 6:
			size = mutate_head(data, size, &r);
			break;
		default:
			size = mutate_field(data, size, &r);
		}
	}
	return size;
}
