// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool_mutate.h"
#include "util.h"

#define BLOCK	YBD_FMT_BLOCK_SIZE

static void must(bool cond, const char *what)
{
	if (cond)
		return;
	fprintf(stderr, "pool_mutate: %s\n", what);
	abort();
}

static bool is_meta(struct mutant *b, u64 block)
{
	u64 magic = *(u64 *)mk_block(&b->m, block);

	return (magic & 0xffffffff) == (YBD_FMT_MAGIC_LOG & 0xffffffff);
}

static void make_pool(struct mutant *b, u32 which)
{
	if (!which) {
		mk_pool(&b->m, 1, 1 << 14);
		mk_create(&b->m, 0);
		mk_write(&b->m, 0, 3);
		mk_tables(&b->m);
		return;
	}
	mk_everything(&b->m, which);
	if (which != 2)
		return;
	for (int i = 0; i < 3; i++)
		mk_append(&b->m, 2, 250);
	mk_checkpoint(&b->m, 2);
	mk_write(&b->m, 2, 3);
	mk_tables(&b->m);
}

void mut_make(struct mutant *b, u32 which)
{
	memset(b, 0, sizeof(*b));
	make_pool(b, which);
	for (u64 i = 0; i < b->m.blocks; i++)
		b->data[i] = *(u64 *)mk_block(&b->m, i);
	for (u64 i = 0; i < b->m.blocks && b->nr_meta < MUT_META; i++)
		if (is_meta(b, i) || (i >= b->m.super.directory && i < b->m.super.directory + 8))
			b->meta[b->nr_meta++] = (u32)i;
}

void mut_save(struct mutant *b, u64 block)
{
	for (u32 i = 0; i < b->nr_undo; i++)
		if (b->undo[i] == block)
			return;
	must(b->nr_undo < MUT_UNDO, "too many blocks were changed");
	b->data[block] = true;
	b->undo[b->nr_undo] = (u32)block;
	memcpy(b->old[b->nr_undo++], mk_block(&b->m, block), BLOCK);
}

void mut_restore(struct mutant *b)
{
	for (u32 i = 0; i < b->nr_undo; i++)
		memcpy(mk_block(&b->m, b->undo[i]), b->old[i], BLOCK);
	b->nr_undo = 0;
}

static u64 pick(const struct mutant *b, u64 n)
{
	return b->meta[n % b->nr_meta];
}

static void change_field(struct mutant *b, u8 *p, u32 op, u32 off, u32 width, u64 val)
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

static void change(struct mutant *b, const u8 *r)
{
	u64 block = pick(b, get_le16(r)), val = get_le64(r + 6);
	u32 off = get_le16(r + 2), op = (r[4] & 0x3f) % INPUT_OPS;
	struct ybd_fmt_header *h = mk_block(&b->m, block);

	off = r[4] & INPUT_FAR ? off % BLOCK : off % 288;
	mut_save(b, block);
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

void mut_change(struct mutant *b, const u8 *data, size_t size)
{
	for (size_t at = 0, n = 0; at + INPUT_REC <= size && n < INPUT_RECS_MAX;
	     at += INPUT_REC, n++)
		change(b, data + at);
}
