// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: the check and the repair of pools, over good pools with blocks of metadata
 * changed. Beyond not crashing: a check writes nothing, a repair that is repeated changes nothing,
 * and what it says to have mended is not found again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "crc32c.h"
#include "pool/pool.h"
#include "pool_input.h"
#include "pool_make.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#define must(cond) do { if (!(cond)) broken(#cond, __LINE__); } while (0)

#define BLOCK	YBD_FMT_BLOCK_SIZE
#define UNDO	2048
#define META	4096

static void broken(const char *what, int line)
{
	fprintf(stderr, "line %d: not so: %s\n", line, what);
	abort();
}

/**
 * struct base - a good pool
 * @m: it
 * @meta: its blocks of metadata
 * @nr_meta: how many
 * @undo: blocks that were changed
 * @old: what they were
 * @nr_undo: how many
 * @writes: writes that changed something
 * @data: for each block: it may be something else than zeroes
 */
struct base {
	struct mk m;
	u32 meta[META];
	u32 nr_meta;
	u32 undo[UNDO];
	u8 old[UNDO][BLOCK];
	u32 nr_undo;
	u32 writes;
	bool data[YBD_FMT_MIN_BLOCKS];
};

/* ---- the pools ---- */

static bool is_meta(struct base *b, u64 block)
{
	u64 magic = *(u64 *)mk_block(&b->m, block);

	return (magic & 0xffffffff) == (YBD_FMT_MAGIC_LOG & 0xffffffff);
}

static struct base *make_base(u32 n)
{
	struct base *b = calloc(1, sizeof(*b));

	must(b);
	if (!n) {
		mk_pool(&b->m, 1, 1 << 14);
		mk_create(&b->m, 0);
		mk_write(&b->m, 0, 3);
		mk_tables(&b->m);
	} else {
		mk_everything(&b->m, n);
	}
	if (n == 2) {
		for (int i = 0; i < 3; i++)
			mk_append(&b->m, 2, 250);
		mk_checkpoint(&b->m, 2);
		mk_write(&b->m, 2, 3);
		mk_tables(&b->m);
	}
	for (u64 i = 0; i < b->m.blocks; i++)
		b->data[i] = *(u64 *)mk_block(&b->m, i);
	for (u64 i = 0; i < b->m.blocks && b->nr_meta < META; i++)
		if (is_meta(b, i) || (i >= b->m.super.directory && i < b->m.super.directory + 8))
			b->meta[b->nr_meta++] = (u32)i;
	return b;
}

static void save(struct base *b, u64 block)
{
	for (u32 i = 0; i < b->nr_undo; i++)
		if (b->undo[i] == block)
			return;
	must(b->nr_undo < UNDO);
	b->data[block] = true;
	b->undo[b->nr_undo] = (u32)block;
	memcpy(b->old[b->nr_undo++], mk_block(&b->m, block), BLOCK);
}

static void restore(struct base *b)
{
	for (u32 i = 0; i < b->nr_undo; i++)
		memcpy(mk_block(&b->m, b->undo[i]), b->old[i], BLOCK);
	b->nr_undo = 0;
}

/* ---- changes ---- */

static u64 pick(const struct base *b, u64 n)
{
	return b->meta[n % b->nr_meta];
}

static void change_field(struct base *b, u8 *p, u32 op, u32 off, u32 width, u64 val)
{
	u64 old = 0;

	if (off + width > BLOCK)
		return;
	memcpy(&old, p + off, width);
	if (op == INPUT_ADD)
		val += old;
	else if (op == INPUT_BLOCK)
		val = pick(b, val);
	else if (op == INPUT_FIELD)
		memcpy(&val, (u8 *)mk_block(&b->m, pick(b, val)) + off, width);
	memcpy(p + off, &val, width);
}

static void change(struct base *b, const u8 *r)
{
	u64 block = pick(b, get_le16(r)), val = get_le64(r + 6);
	u32 off = get_le16(r + 2), op = (r[4] & 0x3f) % INPUT_OPS;
	struct ybd_fmt_header *h = mk_block(&b->m, block);

	off = r[4] & INPUT_FAR ? off % BLOCK : off % 288;
	save(b, block);
	if (op == INPUT_ZERO) {
		memset(h, 0, BLOCK);
		return;
	}
	if (op == INPUT_COPY || op == INPUT_MOVE)
		memmove(h, mk_block(&b->m, pick(b, val)), BLOCK);
	else
		change_field(b, (u8 *)h, op, off, 1u << (r[5] & 3), val);
	if (op == INPUT_MOVE)
		h->block = block;
	if (!(r[4] & INPUT_BAD_CRC))
		mk_fix_crc(&b->m, block);
}

/* ---- the device ---- */

static int base_read(struct pool_io *io, u64 block, void *buf, u32 nr)
{
	struct base *b = io->priv;

	memcpy(buf, mk_block(&b->m, block), (size_t)nr * BLOCK);
	return 0;
}

static int base_write(struct pool_io *io, u64 block, const void *buf, u32 nr, bool fua)
{
	struct base *b = io->priv;

	must(nr == 1 && fua);
	b->writes += !!memcmp(mk_block(&b->m, block), buf, BLOCK);
	save(b, block);
	memcpy(mk_block(&b->m, block), buf, BLOCK);
	return 0;
}

static int base_flush(struct pool_io *io)
{
	return 0;
}

/* Most of the directory was never used. */
static u64 base_next_data(struct pool_io *io, u64 block)
{
	struct base *b = io->priv;

	while (block < b->m.blocks && !b->data[block])
		block++;
	return block;
}

static struct pool_io *open_base(struct base *b, bool writable)
{
	static const struct pool_io_ops ops = {
		.read = base_read,
		.write = base_write,
		.flush = base_flush,
		.next_data = base_next_data,
	};
	struct pool_io *io;

	must(!pool_io_open_ops(&ops, b->m.blocks, writable, b, &io));
	return io;
}

/* ---- what must hold ---- */

static void check_report(const struct pool *p)
{
	for (size_t i = 0; i < p->report.nr; i++) {
		const struct pool_finding *f = &p->report.find[i];

		must(*f->text && !strchr(f->text, '\n'));
		must(f->upper == POOL_NO_UPPER || f->upper < p->info.layout.nr_uppers);
	}
	must(p->totals.free_segments + p->totals.owned_segments + p->totals.metadata_segments <=
	     p->info.layout.nr_segments);
}

static struct pool *check(struct pool_io *io)
{
	struct ybd_error err = { 0 };
	struct pool *p;
	int rc = pool_check(io, &p, &err);

	if (rc) {
		must(err.code == rc && *err.text && rc != -ENOMEM);
		return NULL;
	}
	check_report(p);
	return p;
}

static void not_again(const struct pool *before, const struct pool *after)
{
	for (size_t i = 0; i < before->report.nr; i++)
		for (size_t k = 0; k < after->report.nr && before->report.find[i].repaired; k++)
			must(strcmp(before->report.find[i].text, after->report.find[k].text));
}

static void check_repair(struct base *b, struct pool_io *io, struct pool *p)
{
	struct pool_mend how = { .drop = POOL_NO_UPPER };
	struct ybd_error err = { 0 };
	bool sound = !pool_report_errors(&p->report);
	struct pool *again;

	if (pool_repair(p, &how, &err))
		must(err.code == -EOPNOTSUPP);
	if (err.code)
		return;
	again = check(io);
	must(again);
	not_again(p, again);
	must(!sound || !pool_report_errors(&again->report));
	/* what could only be seen now is mended now; then there is an end */
	must(!pool_repair(again, &how, &err));
	pool_close(again);
	again = check(io);
	must(again);
	b->writes = 0;
	must(!pool_repair(again, &how, &err) && !b->writes);
	pool_close(again);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct base *bases[INPUT_POOLS];
	struct pool_io *io;
	struct base *b;
	struct pool *p;

	if (size < INPUT_HEAD + INPUT_REC)
		return -1;
	if (!bases[data[0] % INPUT_POOLS])
		bases[data[0] % INPUT_POOLS] = make_base(data[0] % INPUT_POOLS);
	b = bases[data[0] % INPUT_POOLS];
	for (size_t at = INPUT_HEAD, n = 0; at + INPUT_REC <= size && n < INPUT_RECS_MAX;
	     at += INPUT_REC, n++)
		change(b, data + at);
	io = open_base(b, true);
	b->writes = 0;
	p = check(io);
	must(!b->writes);
	if (p) {
		check_repair(b, io, p);
		pool_close(p);
	}
	pool_io_close(io);
	restore(b);
	return 0;
}
