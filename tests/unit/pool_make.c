// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>

#include "crc32c.h"
#include "pool_make.h"

#define BLOCK	YBD_FMT_BLOCK_SIZE
#define CHUNK	YBD_FMT_CHUNK_BLOCKS

/* little-endian machines only: tests */
static void must(bool ok, const char *what)
{
	if (ok)
		return;
	printf("Bail out! pool_make: %s\n", what);
	fflush(stdout);
	abort();
}

u32 mk_random(struct mk *m, u32 below)
{
	m->rng = m->rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(m->rng >> 33) % below;
}

static void random_bytes(struct mk *m, u8 *p, size_t len)
{
	while (len--)
		*p++ = (u8)mk_random(m, 256);
}

/* ---- blocks ---- */

void mk_fix_crc(struct mk *m, u64 block)
{
	struct ybd_fmt_header *h = mk_block(m, block);

	h->crc = 0;
	h->crc = crc32c(h, BLOCK);
}

void mk_seal(struct mk *m, u64 block, u64 magic, const u8 *owner, u64 seq)
{
	struct ybd_fmt_header *h = mk_block(m, block);

	memset(h, 0, sizeof(*h));
	h->magic = magic;
	memcpy(h->pool_uuid, m->uuid, 16);
	if (owner)
		memcpy(h->owner, owner, 16);
	h->block = block;
	h->seq = seq;
	mk_fix_crc(m, block);
}

static void write_owners(struct mk *m, u64 first, u64 magic, const struct ybd_fmt_owner *e, u32 nr)
{
	for (u32 i = 0; i < nr; i += YBD_FMT_OWNERS_PER_BLOCK, first++) {
		struct ybd_fmt_table *t = mk_block(m, first);
		u32 n = nr - i < YBD_FMT_OWNERS_PER_BLOCK ? nr - i : YBD_FMT_OWNERS_PER_BLOCK;

		memset(t, 0, BLOCK);
		memcpy(t->entry, e + i, n * sizeof(*e));
		mk_seal(m, first, magic, NULL, m->table_seq);
	}
}

void mk_tables(struct mk *m)
{
	m->table_seq++;
	for (int i = 0; i < 2; i++) {
		write_owners(m, m->super.segment_table[i], YBD_FMT_MAGIC_SEGMENTS, m->seg,
			     m->super.max_segments);
		write_owners(m, m->super.chunk_table[i], YBD_FMT_MAGIC_CHUNKS, m->chunk,
			     m->super.max_chunks);
	}
}

void mk_header(struct mk *m, u32 n)
{
	struct mk_upper *u = &m->upper[n];
	u64 at;

	u->slot_seq++;
	at = m->super.directory + 2 * n + (u->slot_seq & 1);
	memcpy(mk_block(m, at), &u->header, BLOCK);
	mk_seal(m, at, YBD_FMT_MAGIC_UPPER, u->uuid, u->slot_seq);
}

/* ---- an empty pool ---- */

static u64 table_blocks(u64 n)
{
	return (n + YBD_FMT_OWNERS_PER_BLOCK - 1) / YBD_FMT_OWNERS_PER_BLOCK;
}

void mk_pool(struct mk *m, u64 seed, u64 max_blocks)
{
	struct ybd_fmt_super *s = &m->super;

	memset(m, 0, sizeof(*m));
	m->rng = seed;
	m->blocks = YBD_FMT_MIN_BLOCKS;
	m->mem = calloc(m->blocks, BLOCK);
	must(m->mem, "no memory");
	random_bytes(m, m->uuid, 16);
	s->version = 1;
	memcpy(s->name, "made", 4);
	s->nr_blocks = m->blocks;
	s->max_blocks = max_blocks;
	s->segment_blocks = 64;
	s->chunk_blocks = 16;
	s->max_segments = max_blocks / 64;
	s->max_chunks = max_blocks / 128;
	s->nr_uppers = 81;
	s->segment_table[0] = 257;
	s->segment_table[1] = s->segment_table[0] + table_blocks(s->max_segments);
	s->chunk_table[0] = s->segment_table[1] + table_blocks(s->max_segments);
	s->chunk_table[1] = s->chunk_table[0] + table_blocks(s->max_chunks);
	s->directory = s->chunk_table[1] + table_blocks(s->max_chunks);
	s->data = (s->directory + 162 + 255) / 256 * 256;
	s->nr_segments = (s->nr_blocks - s->data) / 64;
	m->seg = calloc(s->max_segments, sizeof(*m->seg));
	m->chunk = calloc(s->max_chunks, sizeof(*m->chunk));
	must(m->seg && m->chunk, "no memory");
	for (int i = 0; i < 2; i++) {
		memcpy(mk_block(m, i * 256), s, BLOCK);
		mk_seal(m, i * 256, YBD_FMT_MAGIC_SUPER, NULL, 1);
	}
	mk_tables(m);
}

void mk_free(struct mk *m)
{
	free(m->mem);
	free(m->seg);
	free(m->chunk);
}

/* ---- space ---- */

static bool entry_free(struct mk *m, const struct ybd_fmt_owner *e)
{
	struct mk_upper *u;

	if (!e->owner)
		return true;
	if (e->owner == YBD_FMT_OWNER_METADATA)
		return false;
	u = &m->upper[e->owner - 1];
	return u->header.state != YBD_FMT_UPPER_LIVE || u->header.generation != e->generation;
}

u32 mk_take_segment(struct mk *m, u32 owner, u32 generation)
{
	u32 i;

	do {
		i = mk_random(m, m->super.nr_segments);
	} while (!entry_free(m, &m->seg[i]));
	m->seg[i] = (struct ybd_fmt_owner){ owner, generation };
	return i;
}

static u64 segment_block(struct mk *m, u32 seg)
{
	return m->super.data + (u64)seg * m->super.segment_blocks;
}

u64 mk_take_chunk(struct mk *m, u32 n)
{
	u32 i = 0, per = m->super.segment_blocks / CHUNK;

	while (i < m->nr_meta * per && !entry_free(m, &m->chunk[i]))
		i++;
	if (i == m->nr_meta * per) {
		must(m->nr_meta < MK_META && i < m->super.max_chunks, "no more metadata");
		m->meta[m->nr_meta] = mk_take_segment(m, YBD_FMT_OWNER_METADATA, m->nr_meta);
		m->nr_meta++;
	}
	m->chunk[i] = (struct ybd_fmt_owner){ n + 1, m->upper[n].header.generation };
	return segment_block(m, m->meta[i / per]) + i % per * CHUNK;
}

static void free_chunk(struct mk *m, u64 block)
{
	u64 place = (block - m->super.data) / CHUNK;
	u32 per = m->super.segment_blocks / CHUNK;

	m->chunk[m->seg[place / per].generation * per + place % per] =
		(struct ybd_fmt_owner){ 0 };
}

/* A run of blocks for data, within a segment. */
static u64 take_data(struct mk *m, u32 n, u32 nr)
{
	struct mk_upper *u = &m->upper[n];
	u64 at;

	if (!u->data_used || u->data_used + nr > m->super.segment_blocks) {
		u->data_seg = mk_take_segment(m, n + 1, u->header.generation);
		u->data_used = 0;
	}
	at = segment_block(m, u->data_seg) + u->data_used;
	u->data_used += nr;
	return at;
}

/* ---- an upper ---- */

static u32 make_layers(struct mk *m, u8 *list, u32 max)
{
	u32 len = 0, nr = 1 + mk_random(m, 40);

	for (u32 i = 0; i < nr; i++) {
		struct ybd_fmt_layer *l = (void *)(list + len);
		u32 text = 8 * (1 + mk_random(m, 12));

		if (len + sizeof(*l) + text > max)
			break;
		l->kind = 1 + mk_random(m, 3);
		l->len = sizeof(*l) + text;
		l->size = (u64)mk_random(m, 1000) << 20;
		random_bytes(m, l->identity, 80);
		memset(l->text, 'a' + i % 26, mk_random(m, text));
		len += l->len;
	}
	return len;
}

static void write_layers(struct mk *m, struct mk_upper *u)
{
	static u8 list[YBD_FMT_LAYERS_MAX];
	u32 len;

	memset(list, 0, sizeof(list));
	len = make_layers(m, list, sizeof(list));
	u->header.layers_bytes = len;
	u->header.layers_crc = crc32c(list, len);
	for (u32 i = 0; i * YBD_FMT_LAYERS_BYTES < len; i++) {
		struct ybd_fmt_layers *b = mk_block(m, u->header.layers + i);

		memcpy(b->data, list + i * YBD_FMT_LAYERS_BYTES, YBD_FMT_LAYERS_BYTES);
		mk_seal(m, u->header.layers + i, YBD_FMT_MAGIC_LAYERS, u->uuid, i);
	}
}

void mk_create(struct mk *m, u32 n)
{
	struct mk_upper *u = &m->upper[n];
	u32 generation = u->header.generation + 1;

	memset(&u->header, 0, sizeof(u->header));
	memset(u->model, 0, sizeof(u->model));
	random_bytes(m, u->uuid, 16);
	u->header.generation = generation;
	u->header.state = YBD_FMT_UPPER_LIVE;
	u->header.block_size = 512;
	u->header.epoch = 1;
	u->epoch = 1;
	snprintf((char *)u->header.name, sizeof(u->header.name), "upper-%u.%u", n, generation);
	u->header.nr_blocks = MK_BLOCKS;
	random_bytes(m, u->header.image_identity, 32);
	u->header.layers = mk_take_chunk(m, n);
	u->at = mk_take_chunk(m, n);
	u->seq = 1 + mk_random(m, 5);
	u->prev_crc = mk_random(m, 1u << 31);
	u->header.log = u->at;
	u->header.log_seq = u->seq;
	u->header.committed_seq = u->seq;
	u->header.log_prev_crc = u->prev_crc;
	u->nr_log = 0;
	u->nr_ckpt = 0;
	u->data_used = 0;
	write_layers(m, u);
	mk_header(m, n);
}

void mk_attach(struct mk *m, u32 n)
{
	struct mk_upper *u = &m->upper[n];

	u->epoch = ++u->header.epoch;
	u->header.committed_seq = u->seq;
	mk_header(m, n);
}

void mk_destroy(struct mk *m, u32 n)
{
	struct mk_upper *u = &m->upper[n];

	u->header.state = YBD_FMT_UPPER_FREE;
	mk_header(m, n);
}

/* ---- log ---- */

struct ybd_fmt_record mk_map(u64 start, u64 nr, u64 where)
{
	return (struct ybd_fmt_record){
		(u64)YBD_FMT_OP_MAP << YBD_FMT_OP_SHIFT | start,
		(nr - 1) << YBD_FMT_NR_SHIFT | where,
	};
}

struct ybd_fmt_record mk_zero(u64 start, u64 nr)
{
	return (struct ybd_fmt_record){ (u64)YBD_FMT_OP_ZERO << YBD_FMT_OP_SHIFT | start, nr };
}

struct ybd_fmt_record mk_drop(u64 start, u64 nr)
{
	return (struct ybd_fmt_record){ (u64)YBD_FMT_OP_DROP << YBD_FMT_OP_SHIFT | start, nr };
}

static void apply(struct mk_upper *u, const struct ybd_fmt_record *r)
{
	u64 op = r->what >> YBD_FMT_OP_SHIFT, start = r->what << 8 >> 8, nr = r->where;

	if (op == YBD_FMT_OP_MAP)
		nr = (r->where >> YBD_FMT_NR_SHIFT) + 1;
	for (u64 i = 0; i < nr && start + i < MK_BLOCKS; i++)
		u->model[start + i] = op == YBD_FMT_OP_MAP ? (r->where << 16 >> 16) + i :
				      op == YBD_FMT_OP_ZERO ? MK_ZERO : MK_IMAGE;
}

static void append(struct mk *m, u32 n, const struct ybd_fmt_record *r, u32 nr, u64 next)
{
	struct mk_upper *u = &m->upper[n];
	struct ybd_fmt_log *b = mk_block(m, u->at);

	memset(b, 0, BLOCK);
	memcpy(b->record, r, nr * sizeof(*r));
	b->epoch = u->epoch;
	b->next = next;
	b->durable_seq = u->seq;
	b->prev_crc = u->prev_crc;
	b->nr = nr;
	mk_seal(m, u->at, YBD_FMT_MAGIC_LOG, u->uuid, u->seq);
	for (u32 i = 0; i < nr; i++)
		apply(u, &r[i]);
	must(u->nr_log < 1024, "log too long");
	u->log[u->nr_log++] = u->at;
	u->prev_crc = b->h.crc;
	u->at = next;
	u->seq++;
}

static u64 next_of(struct mk *m, u32 n)
{
	u64 at = m->upper[n].at + 1;

	return at % CHUNK ? at : mk_take_chunk(m, n);
}

void mk_append_records(struct mk *m, u32 n, const struct ybd_fmt_record *r, u32 nr)
{
	append(m, n, r, nr, next_of(m, n));
}

static struct ybd_fmt_record random_record(struct mk *m, u32 n)
{
	u32 nr = 1 + mk_random(m, mk_random(m, 4) ? 4 : 40), what = mk_random(m, 10);
	u64 start = mk_random(m, MK_BLOCKS - 64);

	if (what == 0)
		return mk_zero(start, nr);
	if (what == 1)
		return mk_drop(start, nr);
	return mk_map(start, nr, take_data(m, n, nr));
}

void mk_append(struct mk *m, u32 n, u32 nr)
{
	static struct ybd_fmt_record r[YBD_FMT_LOG_RECORDS];

	for (u32 i = 0; i < nr; i++)
		r[i] = random_record(m, n);
	mk_append_records(m, n, r, nr);
}

void mk_write(struct mk *m, u32 n, u32 blocks)
{
	while (blocks--)
		mk_append(m, n, 1 + mk_random(m, 5));
}

/* ---- checkpoint ---- */

static u32 map_records(const struct mk_upper *u, struct ybd_fmt_record *r)
{
	u32 nr = 0;

	for (u64 i = 0, k; i < MK_BLOCKS; i = k) {
		u64 v = u->model[i];

		for (k = i + 1; k < MK_BLOCKS; k++)
			if (u->model[k] != (v <= MK_ZERO ? v : v + (k - i)))
				break;
		if (v == MK_ZERO)
			r[nr++] = mk_zero(i, k - i);
		else if (v != MK_IMAGE)
			r[nr++] = mk_map(i, k - i, v);
	}
	return nr;
}

static void write_ckpt(struct mk *m, u32 n, const struct ybd_fmt_record *r, u32 nr)
{
	struct mk_upper *u = &m->upper[n];
	u64 at = mk_take_chunk(m, n), next;

	u->header.ckpt = at;
	u->header.ckpt_records = nr;
	u->nr_ckpt = 0;
	for (u32 i = 0; i == 0 || nr; i++, at = next) {
		struct ybd_fmt_ckpt *b = mk_block(m, at);
		u32 some = nr < YBD_FMT_CKPT_RECORDS ? nr : YBD_FMT_CKPT_RECORDS;

		memset(b, 0, BLOCK);
		memcpy(b->record, r, some * sizeof(*r));
		r += some;
		nr -= some;
		next = !nr ? 0 : (at + 1) % CHUNK ? at + 1 : mk_take_chunk(m, n);
		b->next = next;
		b->index = i;
		b->nr = some;
		mk_seal(m, at, YBD_FMT_MAGIC_CKPT, u->uuid, u->seq);
		u->ckpt[u->nr_ckpt++] = at;
	}
	u->header.ckpt_blocks = u->nr_ckpt;
}

static void free_chunks(struct mk *m, const u64 *block, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		if (!i || block[i] / CHUNK != block[i - 1] / CHUNK)
			free_chunk(m, block[i]);
}

void mk_checkpoint(struct mk *m, u32 n)
{
	static struct ybd_fmt_record r[MK_BLOCKS];
	static u64 old_log[1024], old_ckpt[64];
	struct mk_upper *u = &m->upper[n];
	u32 nr_log, nr_ckpt = u->nr_ckpt;
	u64 log = mk_take_chunk(m, n);

	memcpy(old_ckpt, u->ckpt, sizeof(old_ckpt));
	append(m, n, r, 0, log);	/* the last one of the old part */
	memcpy(old_log, u->log, sizeof(old_log));
	nr_log = u->nr_log;
	u->nr_log = 0;
	write_ckpt(m, n, r, map_records(u, r));
	u->header.log = log;
	u->header.log_seq = u->seq;
	u->header.committed_seq = u->seq;
	u->header.log_prev_crc = u->prev_crc;
	mk_header(m, n);
	free_chunks(m, old_log, nr_log);
	free_chunks(m, old_ckpt, nr_ckpt);
}

/* ---- everything ---- */

/*
 * A write of two blocks, of which only the second gets to disk; after the next attach the first is
 * written anew, and what was behind it is of an older epoch.
 */
static void leave_stale(struct mk *m, u32 n)
{
	struct mk_upper *u = &m->upper[n], was = *u;
	struct ybd_fmt_log *second;
	u64 first = u->at;

	mk_append(m, n, 3);
	second = mk_block(m, u->at);
	mk_append(m, n, 3);
	second->durable_seq = was.seq;
	mk_fix_crc(m, second->h.block);
	memset(mk_block(m, first), 0x5a, BLOCK);
	/* the segments that it took stay taken, so that data is not given out twice */
	was.data_seg = u->data_seg;
	was.data_used = u->data_used;
	*u = was;
	mk_attach(m, n);
	mk_append(m, n, 2);
}

/* The first sectors of a block that would have been the next. */
static void leave_torn(struct mk *m, u32 n)
{
	struct mk_upper *u = &m->upper[n], was = *u;
	u8 *b = mk_block(m, u->at);

	mk_append(m, n, 200);
	memset(b + 1024, 0x77, BLOCK - 1024);
	was.data_seg = u->data_seg;
	was.data_used = u->data_used;
	*u = was;
}

void mk_everything(struct mk *m, u64 seed)
{
	mk_pool(m, seed, 1 << 16);
	mk_create(m, 0);
	mk_create(m, 1);
	mk_write(m, 1, 20);
	mk_create(m, 3);
	mk_write(m, 3, 40);
	mk_create(m, 2);
	mk_write(m, 2, 30);
	mk_destroy(m, 3);
	mk_create(m, 3);
	mk_write(m, 3, 25);
	mk_create(m, 4);
	mk_write(m, 4, 3);
	mk_destroy(m, 4);
	mk_checkpoint(m, 2);
	mk_write(m, 2, 20);
	mk_attach(m, 2);
	mk_checkpoint(m, 2);
	mk_write(m, 2, 20);
	mk_create(m, 5);
	mk_write(m, 5, 3);
	leave_torn(m, 5);
	mk_create(m, 6);
	mk_write(m, 6, 2);
	leave_stale(m, 6);
	mk_write(m, 1, 22);
	mk_attach(m, 1);
	mk_append(m, 1, 1);
	mk_tables(m);
}
