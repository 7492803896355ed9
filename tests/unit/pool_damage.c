// SPDX-License-Identifier: GPL-2.0-only
/*
 * Damaged pools: each case changes a few bytes of a good one and says what the check must say, of
 * which block, and whether --repair makes it clean. What it does not mend it must not touch.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crc32c.h"
#include "ktap.h"
#include "pool/pool.h"
#include "pool_disk.h"
#include "pool_make.h"
#include "util.h"

#define ANY		POOL_NO_BLOCK	/* the case does not care which block */
#define BYTES(n)	((u64)(n) * YBD_FMT_BLOCK_SIZE)

static u64 unreadable;
static int base_fd;

/* ---- places ---- */

static u64 slot(struct mk *m, u32 n)
{
	return m->super.directory + 2 * n + (m->upper[n].slot_seq & 1);
}

static u64 old_slot(struct mk *m, u32 n)
{
	return m->super.directory + 2 * n + !(m->upper[n].slot_seq & 1);
}

static struct ybd_fmt_upper *header(struct mk *m, u32 n)
{
	return mk_block(m, slot(m, n));
}

static u64 flip(struct mk *m, u64 block)
{
	*((u8 *)mk_block(m, block) + 200) ^= 4;
	return block;
}

static u64 fix(struct mk *m, u64 block)
{
	mk_fix_crc(m, block);
	return block;
}

static u64 wrong_uuid(struct mk *m, u64 block)
{
	((struct ybd_fmt_header *)mk_block(m, block))->pool_uuid[3] ^= 1;
	return fix(m, block);
}

static u64 wrong_owner(struct mk *m, u64 block)
{
	((struct ybd_fmt_header *)mk_block(m, block))->owner[3] ^= 1;
	return fix(m, block);
}

static u64 wrong_place(struct mk *m, u64 block)
{
	((struct ybd_fmt_header *)mk_block(m, block))->block++;
	return fix(m, block);
}

static u64 wrong_seq(struct mk *m, u64 block)
{
	((struct ybd_fmt_header *)mk_block(m, block))->seq += 10;
	return fix(m, block);
}

static u64 last_log(struct mk *m, u32 n)
{
	return m->upper[n].log[m->upper[n].nr_log - 1];
}

static struct ybd_fmt_log *log_block(struct mk *m, u64 at)
{
	return mk_block(m, at);
}

/* An entry of both copies of a table. */
static void set_entry(struct mk *m, const __le64 *table, u32 i, u32 owner, u32 generation)
{
	for (int c = 0; c < 2; c++) {
		u64 at = table[c] + i / YBD_FMT_OWNERS_PER_BLOCK;
		struct ybd_fmt_table *t = mk_block(m, at);

		t->entry[i % YBD_FMT_OWNERS_PER_BLOCK] =
			(struct ybd_fmt_owner){ owner, generation };
		mk_fix_crc(m, at);
	}
}

static struct ybd_fmt_owner get_entry(struct mk *m, const __le64 *table, u32 i)
{
	struct ybd_fmt_table *t = mk_block(m, table[0] + i / YBD_FMT_OWNERS_PER_BLOCK);

	return t->entry[i % YBD_FMT_OWNERS_PER_BLOCK];
}

static u32 find_entry(struct mk *m, const __le64 *table, u32 owner, u32 generation)
{
	u32 i = 0;

	for (;; i++) {
		struct ybd_fmt_owner e = get_entry(m, table, i);

		if (e.owner == owner && e.generation == generation)
			return i;
	}
}

static void forget_commits(struct mk *m, u32 n)
{
	header(m, n)->committed_seq = header(m, n)->log_seq;
	fix(m, slot(m, n));
}

#define SEG	(m->super.segment_table)
#define CHK	(m->super.chunk_table)

/* ---- damages: each returns the block that has to be named ---- */

#define DAMAGE(name) static u64 name(struct mk *m)

DAMAGE(super_flip) { flip(m, 0); return ANY; }
DAMAGE(super_zero) { memset(mk_block(m, 0), 0, 4096); return ANY; }
DAMAGE(backup_flip) { flip(m, 256); return ANY; }
DAMAGE(super_copied) { memcpy(mk_block(m, 0), mk_block(m, 256), 4096); return ANY; }
DAMAGE(super_both) { flip(m, 0); flip(m, 256); return ANY; }

DAMAGE(backup_old)
{
	struct ybd_fmt_super *s = mk_block(m, 0);

	s->h.seq++;
	fix(m, 0);
	return 256;
}

DAMAGE(backup_new)
{
	struct ybd_fmt_super *s = mk_block(m, 256);

	s->h.seq++;
	return fix(m, 256);
}

DAMAGE(seg_a_flip) { return flip(m, SEG[0]); }
DAMAGE(seg_b_flip) { return flip(m, SEG[1] + 1); }
DAMAGE(chunk_a_flip) { return flip(m, CHK[0]); }
DAMAGE(chunk_b_uuid) { return wrong_uuid(m, CHK[1]); }
DAMAGE(seg_a_place) { return wrong_place(m, SEG[0]); }
DAMAGE(seg_both_flip) { flip(m, SEG[1]); return flip(m, SEG[0]); }
DAMAGE(chunk_both_flip) { flip(m, CHK[1]); return flip(m, CHK[0]); }
DAMAGE(tables_both_flip) { seg_both_flip(m); chunk_both_flip(m); return ANY; }

DAMAGE(seg_b_old)
{
	struct ybd_fmt_table *t = mk_block(m, SEG[1]);

	t->h.seq--;
	memset(t->entry, 0, 400);
	return fix(m, SEG[1]);
}

DAMAGE(seg_same_seq)
{
	struct ybd_fmt_table *t = mk_block(m, SEG[1]);

	t->entry[100].owner ^= 3;
	fix(m, SEG[1]);
	return SEG[0];
}

DAMAGE(seg_tail)
{
	struct ybd_fmt_table *t = mk_block(m, SEG[0] + 2);

	t->entry[500].owner = 1;
	return fix(m, SEG[0] + 2);
}

DAMAGE(owner_beyond) { set_entry(m, SEG, 900, 82, 1); return SEG[0] + 1; }
DAMAGE(segment_beyond) { set_entry(m, SEG, 1000, 1, 1); return SEG[0] + 1; }

DAMAGE(other_generation)
{
	set_entry(m, SEG, find_entry(m, SEG, 2, 1), 2, 2);
	return ANY;
}

DAMAGE(other_owner)
{
	set_entry(m, SEG, find_entry(m, SEG, 2, 1), 1, 1);
	return ANY;
}

DAMAGE(ordinal_twice)
{
	set_entry(m, SEG, find_entry(m, SEG, 0, 0), YBD_FMT_OWNER_METADATA, 1);
	return SEG[0];
}

DAMAGE(ordinal_beyond)
{
	set_entry(m, SEG, find_entry(m, SEG, 0, 0), YBD_FMT_OWNER_METADATA, 128);
	return SEG[0];
}

DAMAGE(ordinal_gap)
{
	set_entry(m, SEG, find_entry(m, SEG, 0, 0), YBD_FMT_OWNER_METADATA, m->nr_meta + 1);
	return SEG[0];
}

DAMAGE(chunk_beyond) { set_entry(m, CHK, 400, 1, 1); return CHK[0]; }
DAMAGE(chunk_metadata) { set_entry(m, CHK, 300, YBD_FMT_OWNER_METADATA, 0); return CHK[0]; }
DAMAGE(segment_leak) { set_entry(m, SEG, find_entry(m, SEG, 0, 0), 2, 1); return ANY; }
DAMAGE(stale_entry) { set_entry(m, SEG, find_entry(m, SEG, 0, 0), 2, 77); return ANY; }

DAMAGE(chunk_leak)
{
	set_entry(m, CHK, find_entry(m, CHK, 0, 0), 2, 1);
	return ANY;
}

DAMAGE(chunk_unowned)
{
	set_entry(m, CHK, find_entry(m, CHK, 1, 1), 0, 0);
	return ANY;
}

DAMAGE(slot_old_flip) { return flip(m, old_slot(m, 2)); }
DAMAGE(slot_flip) { return flip(m, slot(m, 6)); }
DAMAGE(slot_both) { flip(m, slot(m, 1)); flip(m, old_slot(m, 1)); return m->super.directory + 2; }
DAMAGE(slot_only) { return flip(m, slot(m, 0)); }
DAMAGE(slot_uuid) { return wrong_uuid(m, old_slot(m, 2)); }
DAMAGE(slot_place) { return wrong_place(m, old_slot(m, 2)); }
DAMAGE(slot_parity) { header(m, 0)->h.seq++; return fix(m, slot(m, 0)); }


static u64 take_identity(struct mk *m, bool uuid)
{
	if (uuid)
		memcpy(header(m, 0)->h.owner, m->upper[1].uuid, 16);
	else
		memcpy(header(m, 0)->name, header(m, 1)->name, 64);
	fix(m, slot(m, 0));
	return ANY;
}

DAMAGE(same_name) { return take_identity(m, false); }
DAMAGE(same_uuid) { return take_identity(m, true); }

#define LAYERS(n) (m->upper[n].header.layers)
DAMAGE(layers_flip) { return flip(m, LAYERS(1)); }
DAMAGE(layers_owner) { return wrong_owner(m, LAYERS(1)); }
DAMAGE(layers_place) { return wrong_place(m, LAYERS(1)); }
DAMAGE(layers_uuid) { return wrong_uuid(m, LAYERS(1)); }
DAMAGE(layers_seq) { return wrong_seq(m, LAYERS(1)); }
DAMAGE(layers_crc) { header(m, 0)->layers_crc ^= 1; fix(m, slot(m, 0)); return LAYERS(0); }

DAMAGE(layers_end)
{
	header(m, 0)->layers += 14;
	header(m, 0)->layers_bytes = 64512;
	fix(m, slot(m, 0));
	return LAYERS(0) + 14;
}

static u64 layer_field(struct mk *m, size_t off, u16 val)
{
	struct ybd_fmt_layers *b = mk_block(m, LAYERS(0));
	static u8 list[YBD_FMT_LAYERS_MAX];
	struct ybd_fmt_upper *h = header(m, 0);

	memcpy(b->data + off, &val, 2);
	fix(m, LAYERS(0));
	for (u32 i = 0; i < 16; i++)
		memcpy(list + i * YBD_FMT_LAYERS_BYTES,
		       ((struct ybd_fmt_layers *)mk_block(m, LAYERS(0) + i))->data,
		       YBD_FMT_LAYERS_BYTES);
	h->layers_crc = crc32c(list, h->layers_bytes);
	fix(m, slot(m, 0));
	return LAYERS(0);
}

DAMAGE(layer_len_0) { return layer_field(m, 2, 0); }
DAMAGE(layer_len_odd) { return layer_field(m, 2, 108); }
DAMAGE(layer_len_large) { return layer_field(m, 2, 65528); }
DAMAGE(layer_kind) { return layer_field(m, 0, 4); }

#define CKPT(i) (m->upper[2].ckpt[i])
#define CKPT_BLOCK(i) ((struct ybd_fmt_ckpt *)mk_block(m, CKPT(i)))
DAMAGE(ckpt_flip) { return flip(m, CKPT(1)); }
DAMAGE(ckpt_uuid) { return wrong_uuid(m, CKPT(0)); }
DAMAGE(ckpt_owner) { return wrong_owner(m, CKPT(1)); }
DAMAGE(ckpt_place) { return wrong_place(m, CKPT(1)); }
DAMAGE(ckpt_seq) { return wrong_seq(m, CKPT(1)); }
DAMAGE(ckpt_index) { CKPT_BLOCK(1)->index = 7; return fix(m, CKPT(1)); }
DAMAGE(ckpt_cycle) { CKPT_BLOCK(1)->next = CKPT(0); fix(m, CKPT(1)); return CKPT(0); }
DAMAGE(ckpt_nowhere) { CKPT_BLOCK(0)->next = 1ULL << 40; return fix(m, CKPT(0)); }
DAMAGE(ckpt_nr) { CKPT_BLOCK(0)->nr = 252; return fix(m, CKPT(0)); }
DAMAGE(ckpt_fewer) { CKPT_BLOCK(0)->nr--; fix(m, CKPT(0)); return CKPT(0); }
DAMAGE(ckpt_drop) { CKPT_BLOCK(0)->record[3] = mk_drop(4000, 1); return fix(m, CKPT(0)); }

DAMAGE(ckpt_order)
{
	CKPT_BLOCK(0)->record[3] = CKPT_BLOCK(0)->record[2];
	return fix(m, CKPT(0));
}

DAMAGE(ckpt_longer)
{
	u64 last = CKPT(m->upper[2].nr_ckpt - 1);

	((struct ybd_fmt_ckpt *)mk_block(m, last))->next = CKPT(0);
	return fix(m, last);
}

#define LOG(n, i) (m->upper[n].log[i])
DAMAGE(log_flip) { return flip(m, LOG(1, 5)); }
DAMAGE(log_gone) { forget_commits(m, 1); return flip(m, LOG(1, 5)); }

DAMAGE(log_zeroed)
{
	forget_commits(m, 1);
	memset(mk_block(m, LOG(1, 5)), 0, 4096);
	return LOG(1, 5);
}

DAMAGE(log_gone_last) { forget_commits(m, 1); return flip(m, LOG(1, 15)); }
DAMAGE(log_gone_first) { forget_commits(m, 1); return flip(m, LOG(1, 16)); }
DAMAGE(log_end_torn) { return flip(m, last_log(m, 1)); }
DAMAGE(log_end_zero) { memset(mk_block(m, last_log(m, 1)), 0, 4096); return ANY; }
DAMAGE(log_uuid) { return wrong_uuid(m, LOG(1, 7)); }
DAMAGE(log_owner) { return wrong_owner(m, LOG(1, 7)); }
DAMAGE(log_place) { return wrong_place(m, LOG(1, 7)); }
DAMAGE(log_seq) { return wrong_seq(m, LOG(1, 7)); }
DAMAGE(log_unreadable) { unreadable = LOG(1, 7); return unreadable; }

DAMAGE(committed_beyond)
{
	header(m, 1)->committed_seq += 2;
	fix(m, slot(m, 1));
	return m->upper[1].at;
}

static u64 last_record(struct mk *m, struct ybd_fmt_record r)
{
	log_block(m, last_log(m, 1))->record[0] = r;
	return fix(m, last_log(m, 1));
}

DAMAGE(log_next_odd)
{
	log_block(m, last_log(m, 1))->next = last_log(m, 1);
	return fix(m, last_log(m, 1));
}

DAMAGE(log_op) { return last_record(m, mk_drop(0, 0)); }
DAMAGE(log_device) { return last_record(m, mk_zero(MK_BLOCKS - 1, 2)); }
DAMAGE(log_before) { return last_record(m, mk_map(0, 1, m->super.data - 1)); }
DAMAGE(log_behind) { return last_record(m, mk_map(0, 2, m->super.data + 248 * 64 - 1)); }

DAMAGE(log_cycle)
{
	log_block(m, last_log(m, 1))->next = LOG(1, 0);
	fix(m, last_log(m, 1));
	return LOG(1, 0);
}

DAMAGE(log_into_layers)
{
	log_block(m, last_log(m, 1))->next = LAYERS(1);
	fix(m, last_log(m, 1));
	return LAYERS(1);
}

DAMAGE(log_into_other)
{
	log_block(m, last_log(m, 1))->next = LAYERS(3);
	fix(m, last_log(m, 1));
	return LAYERS(3);
}

DAMAGE(log_into_data)
{
	u64 at = m->super.data + find_entry(m, SEG, 2, 1) * 64;

	log_block(m, last_log(m, 1))->next = at;
	fix(m, last_log(m, 1));
	return at;
}

static u64 mapped_block(struct mk *m, u32 n)
{
	u32 i = 0;

	while (m->upper[n].model[i] <= MK_ZERO)
		i++;
	return m->upper[n].model[i];
}

static u64 map_last(struct mk *m, u32 n, u64 block)
{
	struct ybd_fmt_log *b = log_block(m, last_log(m, n));

	b->record[0] = mk_map(MK_BLOCKS - 2, 1, block);
	b->nr = 1;
	fix(m, last_log(m, n));
	return block;
}

DAMAGE(mapped_twice) { return map_last(m, 1, mapped_block(m, 1)); }
DAMAGE(mapped_of_other) { return map_last(m, 1, mapped_block(m, 3)); }
DAMAGE(mapped_metadata) { return map_last(m, 1, LAYERS(3)); }

DAMAGE(mapped_free)
{
	return map_last(m, 1, m->super.data + find_entry(m, SEG, 0, 0) * 64);
}

/* ---- cases ---- */

enum outcome {
	KEEPS,		/* an error that --repair leaves alone */
	MENDS,		/* an error that --repair mends */
	NOTE,		/* no error, and nothing to mend */
	NOTE_MENDS,	/* no error, and --repair mends it */
	CLEAN,		/* not even that */
	DROPS,		/* an error that --drop-upper mends */
	FAILS,		/* no pool at all */
};

enum where {
	SUPER,
	HEADER,		/* the header of upper 0 */
	LAST,		/* the last block of the log of upper 1 */
};

/* A field that gets another value. */
struct poke {
	enum where where;
	u16 off;
	u16 width;
	u64 val;
};

#define FIELD(w, s, f, v) { w, offsetof(struct s, f), sizeof(((struct s *)0)->f), v }
#define IN_SUPER(f, v)	FIELD(SUPER, ybd_fmt_super, f, v)
#define IN_HEADER(f, v)	FIELD(HEADER, ybd_fmt_upper, f, v)
#define IN_LOG(f, v)	FIELD(LAST, ybd_fmt_log, f, v)

/**
 * struct damage - a case
 * @name: what is damaged
 * @fn: does it; NULL: @poke does
 * @text: part of what has to be said
 * @out: what then
 * @upper: which upper it harms + 1
 * @poke: the change
 */
struct damage {
	const char *name;
	u64 (*fn)(struct mk *m);
	const char *text;
	enum outcome out;
	u32 upper;
	struct poke poke;
};

static const struct damage cases[] = {
	{ "superblock: a bit", super_flip, "block 0: crc 0x", MENDS, 0, {} },
	{ "superblock: zeroes", super_zero, "block 0: magic 0x0000000000000000, expected 0x6c6f", MENDS, 0, {} },
	{ "superblock: wrong place", super_copied, "block 0: it was written as block 256", MENDS, 0, {} },
	{ "superblock and backup", super_both, "block 0: crc", FAILS, 0, {} },
	{ "superblock: version", NULL, "version 2, expected 1", FAILS, 0,
	  IN_SUPER(version, 2) },
	{ "superblock: incompat", NULL, "unknown features 0x4", FAILS, 0,
	  IN_SUPER(incompat, 4) },
	{ "superblock: flags", NULL, "flags 0x1, expected 0", MENDS, 0,
	  IN_SUPER(flags, 1) },
	{ "superblock: nr_segments", NULL, "nr_segments 5, expected 248", MENDS, 0,
	  IN_SUPER(nr_segments, 5) },
	{ "superblock: max_chunks", NULL, "max_chunks 513, expected 512", MENDS, 0,
	  IN_SUPER(max_chunks, 513) },
	{ "superblock: directory", NULL, "directory 270, expected 267", MENDS, 0,
	  IN_SUPER(directory, 270) },
	{ "superblock: data", NULL, "data 768, expected 512", MENDS, 0,
	  IN_SUPER(data, 768) },
	{ "superblock: chunk_blocks", NULL, "chunk_blocks 8, expected 16", MENDS, 0,
	  IN_SUPER(chunk_blocks, 8) },
	{ "superblock: nr_blocks", NULL, "has only 16384", MENDS, 0,
	  IN_SUPER(nr_blocks, 16385) },
	{ "superblock: reserved", NULL, "reserved bytes", MENDS, 0,
	  IN_SUPER(reserved[100], 1) },
	{ "superblock: name", NULL, "name is not padded", MENDS, 0,
	  IN_SUPER(name[60], 0x61616161) },
	{ "backup: a bit", backup_flip, "block 256: crc 0x", MENDS, 0, {} },
	{ "backup: older", backup_old, "older (1, expected 2)", NOTE_MENDS, 0, {} },
	{ "backup: newer", backup_new, "says something else (seq 2, the superblock 1)", KEEPS, 0, {} },

	{ "segment table: copy A", seg_a_flip, "is good", NOTE_MENDS, 0, {} },
	{ "segment table: copy B", seg_b_flip, "is good", NOTE_MENDS, 0, {} },
	{ "segment table: copy A in the wrong place", seg_a_place, "written as block", NOTE_MENDS, 0, {} },
	{ "segment table: copy B older", seg_b_old, "older than its copy", NOTE_MENDS, 0, {} },
	{ "segment table: both", seg_both_flip, "owners of segments 0 to 503 are lost", MENDS, 0, {} },
	{ "segment table: two of one age", seg_same_seq, "sequence number of its copy", MENDS, 0, {} },
	{ "segment table: behind its end", seg_tail, "reserved bytes", NOTE_MENDS, 0, {} },
	{ "chunk table: copy A", chunk_a_flip, "is good", NOTE_MENDS, 0, {} },
	{ "chunk table: copy B of another pool", chunk_b_uuid, "pool uuid", NOTE_MENDS, 0, {} },
	{ "chunk table: both", chunk_both_flip, "owners of chunks 0 to 503 are lost", MENDS, 0, {} },
	{ "both tables, both copies", tables_both_flip, "are lost", KEEPS, 0, {} },
	{ "segment table: no such owner", owner_beyond, "owner of segment 900 is 82, expected at most 81", KEEPS, 0, {} },
	{ "segment table: no such segment", segment_beyond, "segment 1000 has an owner (1), but there are only 248", KEEPS, 0, {} },
	{ "segment of another generation", other_generation, "of generation 2, expected 2 of 1", KEEPS, 2, {} },
	{ "segment of another upper", other_owner, "has owner 1 of generation 1, expected 2 of 1", KEEPS, 2, {} },
	{ "metadata segment twice", ordinal_twice, "are both metadata segment 1", KEEPS, 0, {} },
	{ "metadata segment beyond the chunks", ordinal_beyond, "metadata segment 128, expected less than 128", KEEPS, 0, {} },
	{ "metadata segments with a gap", ordinal_gap, "no segment is metadata segment", KEEPS, 0, {} },
	{ "owned chunk without a segment", chunk_beyond, "chunk 400 is owned by upper 0, but there is no metadata segment 100", MENDS, 1, {} },
	{ "chunk table: metadata as owner", chunk_metadata, "owner of chunk 300 is 4294967295", KEEPS, 0, {} },
	{ "segment leaked", segment_leak, "upper 1 owns 1 segments and 0 chunks", NOTE_MENDS, 2, {} },
	{ "chunk leaked", chunk_leak, "upper 1 owns 0 segments and 1 chunks", NOTE_MENDS, 2, {} },
	{ "entry of an earlier generation", stale_entry, "", CLEAN, 0, {} },
	{ "chunk that nobody owns", chunk_unowned, "has owner 0 of generation 0, expected 1 of 1", KEEPS, 1, {} },

	{ "header: older slot", slot_old_flip, "goes by its other header", KEEPS, 3, {} },
	{ "header: newer slot", slot_flip, "goes by its other header", KEEPS, 7, {} },
	{ "header: both slots", slot_both, "upper 1 is lost, see --drop-upper", DROPS, 2, {} },
	{ "header: the only slot", slot_only, "upper 0 is lost", DROPS, 1, {} },
	{ "header: of another pool", slot_uuid, "pool uuid", KEEPS, 3, {} },
	{ "header: wrong place", slot_place, "written as block", KEEPS, 3, {} },
	{ "header: in the other's slot", slot_parity, "seq 2, expected an odd one", DROPS, 1, {} },
	{ "header: state", NULL, "state 2, expected 0 or 1", DROPS, 1,
	  IN_HEADER(state, 2) },
	{ "header: generation", NULL, "generation 0", DROPS, 1,
	  IN_HEADER(generation, 0) },
	{ "header: flags", NULL, "flags 8", DROPS, 1,
	  IN_HEADER(flags, 8) },
	{ "header: block size", NULL, "block_size 1024, expected 512 or 4096", DROPS, 1,
	  IN_HEADER(block_size, 1024) },
	{ "header: size", NULL, "nr_blocks 0", DROPS, 1,
	  IN_HEADER(nr_blocks, 0) },
	{ "header: more than 64 TiB", NULL, "nr_blocks 17179869185, expected 1 to 2^34", DROPS, 1,
	  IN_HEADER(nr_blocks, (1ULL << 34) + 1) },
	{ "header: quota", NULL, "quota_blocks 4503599627370496", DROPS, 1,
	  IN_HEADER(quota_blocks, 1ULL << 52) },
	{ "header: reserve", NULL, "reserve_blocks 4503599627370496", DROPS, 1,
	  IN_HEADER(reserve_blocks, 1ULL << 52) },
	{ "header: no name", NULL, "name is empty", DROPS, 1,
	  IN_HEADER(name[0], 0) },
	{ "header: name without an end", NULL, "not padded", DROPS, 1,
	  IN_HEADER(name[63], 1) },
	{ "header: layers", NULL, "layers 100, expected a block of a segment", DROPS, 1,
	  IN_HEADER(layers, 100) },
	{ "header: layers_bytes", NULL, "layers_bytes 64513", DROPS, 1,
	  IN_HEADER(layers_bytes, 64513) },
	{ "header: log", NULL, "log 9223372036854775808", DROPS, 1,
	  IN_HEADER(log, 1ULL << 63) },
	{ "header: ckpt_blocks", NULL, "ckpt_blocks 1", DROPS, 1,
	  IN_HEADER(ckpt_blocks, 1) },
	{ "header: ckpt", NULL, "ckpt_blocks 0, expected at least 1", DROPS, 1,
	  IN_HEADER(ckpt, 600) },
	{ "header: reserved", NULL, "reserved bytes", DROPS, 1,
	  IN_HEADER(reserved[3000], 1) },
	{ "header: name of no device", NULL, "name of upper 0: only A-Z", DROPS, 1,
	  IN_HEADER(name[0], '/') },
	{ "two uppers of one name", same_name, "uppers 0 and 1 have the same name", KEEPS, 0, {} },
	{ "two uppers of one uuid", same_uuid, "have the same uuid", KEEPS, 0, {} },

	{ "layers: a bit", layers_flip, "list of layers of upper 1: crc 0x", DROPS, 2, {} },
	{ "layers: of another upper", layers_owner, "owner ", DROPS, 2, {} },
	{ "layers: of another pool", layers_uuid, "pool uuid", DROPS, 2, {} },
	{ "layers: wrong place", layers_place, "written as block", DROPS, 2, {} },
	{ "layers: wrong sequence", layers_seq, "seq 10, expected 0", DROPS, 2, {} },
	{ "layers: crc of the list", layers_crc, "list of layers of upper 0: crc", DROPS, 1, {} },
	{ "layers: beyond the chunk", layers_end, "do not fit into the chunk", DROPS, 1, {} },
	{ "layer: length 0", layer_len_0, "layer 0 of upper 0: len 0", DROPS, 1, {} },
	{ "layer: length no multiple of 8", layer_len_odd, "len 108", DROPS, 1, {} },
	{ "layer: length beyond the list", layer_len_large, "len 65528", DROPS, 1, {} },
	{ "layer: kind", layer_kind, "kind 4, expected 1 to 3", DROPS, 1, {} },

	{ "checkpoint: a bit", ckpt_flip, "checkpoint of upper 2: crc 0x", DROPS, 3, {} },
	{ "checkpoint: of another pool", ckpt_uuid, "pool uuid", DROPS, 3, {} },
	{ "checkpoint: of another upper", ckpt_owner, "owner ", DROPS, 3, {} },
	{ "checkpoint: wrong place", ckpt_place, "written as block", DROPS, 3, {} },
	{ "checkpoint: of another age", ckpt_seq, "seq ", DROPS, 3, {} },
	{ "checkpoint: index", ckpt_index, "index 7, expected 1", DROPS, 3, {} },
	{ "checkpoint: cycle", ckpt_cycle, "index 0, expected 2", DROPS, 3, {} },
	{ "checkpoint: next", ckpt_nowhere, "next 1099511627776 after 1 of", DROPS, 3, {} },
	{ "checkpoint: more than there should be", ckpt_longer, "but it is the last of", DROPS, 3, {} },
	{ "checkpoint: number of records", ckpt_nr, "252 records", DROPS, 3, {} },
	{ "checkpoint: fewer records", ckpt_fewer, "records, expected", DROPS, 3, {} },
	{ "checkpoint: drop", ckpt_drop, "operation 3 in a checkpoint", DROPS, 3, {} },
	{ "checkpoint: not sorted", ckpt_order, "record 3: block", DROPS, 3, {} },

	{ "log: a bit", log_flip, "were durable", DROPS, 2, {} },
	{ "log: a block with a durable successor", log_gone, "is missing (crc", DROPS, 2, {} },
	{ "log: zeroes with a durable successor", log_zeroed, "is missing (magic", DROPS, 2, {} },
	{ "log: last of a chunk, successor elsewhere", log_gone_last, "is missing (crc", DROPS, 2, {} },
	{ "log: first of a chunk", log_gone_first, "is missing (crc", DROPS, 2, {} },
	{ "log: torn end", log_end_torn, "taken for the end of the log of upper 1", NOTE, 2, {} },
	{ "log: its last block is not there", log_end_zero, "", CLEAN, 0, {} },
	{ "log: of another pool", log_uuid, "(pool uuid", DROPS, 2, {} },
	{ "log: of another upper", log_owner, "(owner ", DROPS, 2, {} },
	{ "log: wrong place", log_place, "(it was written as block", DROPS, 2, {} },
	{ "log: wrong sequence", log_seq, "(seq ", DROPS, 2, {} },
	{ "log: unreadable", log_unreadable, "cannot be read: Input/output error", DROPS, 2, {} },
	{ "log: ends before committed_seq", committed_beyond, "were durable", DROPS, 2, {} },
	{ "log: epoch of the future", NULL, "header is older than the log: epoch 9", DROPS, 2,
	  IN_LOG(epoch, 9) },
	{ "log: durable_seq", NULL, "durable_seq 999, expected at most", DROPS, 2,
	  IN_LOG(durable_seq, 999) },
	{ "log: number of records", NULL, "records 251, expected at most 250", DROPS, 2,
	  IN_LOG(nr, 251) },
	{ "log: next out of the segments", NULL, "next 5", DROPS, 2,
	  IN_LOG(next, 5) },
	{ "log: next is itself", log_next_odd, "next ", DROPS, 2, {} },
	{ "log: cycle", log_cycle, "the chunk is used twice: log of upper 1, log of upper 1", DROPS, 2, {} },
	{ "log: into the list of layers", log_into_layers, "used twice: list of layers of upper 1, log", DROPS, 2, {} },
	{ "log: into another upper's chunk", log_into_other, "expected 2 of 1", KEEPS, 2, {} },
	{ "log: into data", log_into_data, "which is none of the metadata", DROPS, 2, {} },
	{ "record: no blocks", log_op, "record 0: 0 blocks", DROPS, 2, {} },
	{ "record: beyond the device", log_device, "record 0: 2 blocks at 4095 of a device of 4096", DROPS, 2, {} },
	{ "record: before the segments", log_before, "record 0: 1 blocks at block 511", DROPS, 2, {} },
	{ "record: beyond the segments", log_behind, "record 0: 2 blocks at block 16383", DROPS, 2, {} },
	{ "mapped twice", mapped_twice, "mapped twice by upper 1", DROPS, 2, {} },
	{ "mapped: another upper's", mapped_of_other, "expected 2 of 1", DROPS, 2, {} },
	{ "mapped: metadata", mapped_metadata, "has owner 4294967295", DROPS, 2, {} },
	{ "mapped: nobody's", mapped_free, "has owner 0 of generation 0", DROPS, 2, {} },
};

/* ---- running them ---- */

/* With nothing that could be mended. */
static void base_pool(struct mk *m)
{
	struct pool_mend how = { .drop = POOL_NO_UPPER };
	struct disk d = { 0 };
	struct pool_io *io;
	struct pool *p;

	mk_everything(m, 7);
	for (int i = 0; i < 3; i++)
		mk_append(m, 2, 250);
	mk_checkpoint(m, 2);
	mk_write(m, 2, 5);
	mk_tables(m);
	d.mem = m->mem;
	d.blocks = m->blocks;
	io = disk_open(&d, true);
	if (pool_check(io, &p, NULL) || pool_repair(p, &how, NULL))
		abort();
	pool_close(p);
	pool_io_close(io);
	base_fd = memfd_create("pool", MFD_CLOEXEC);
	if (base_fd < 0 || ftruncate(base_fd, (off_t)BYTES(m->blocks)))
		abort();
	for (u64 i = 0; i < m->blocks; i++)
		if (*(u8 *)mk_block(m, i) && pwrite(base_fd, mk_block(m, i), 4096,
						    (off_t)BYTES(i)) != 4096)
			abort();
}

static bool is_error(enum outcome out)
{
	return out == KEEPS || out == MENDS || out == DROPS;
}

static const struct pool_finding *find(const struct pool *p, const char *text)
{
	for (size_t i = 0; i < p->report.nr; i++)
		if (strstr(p->report.find[i].text, text))
			return &p->report.find[i];
	return NULL;
}

static void show(const struct pool *p)
{
	for (size_t i = 0; i < p->report.nr && i < 20; i++)
		printf("# %s: %s\n", p->report.find[i].error ? "error" : "note",
		       p->report.find[i].text);
}

static void check_said(const struct pool *p, const struct damage *c, u64 block)
{
	const struct pool_finding *f = find(p, *c->text ? c->text : "\n");

	ktap_check(pool_report_errors(&p->report) == is_error(c->out), "errors: %s",
		   is_error(c->out) ? "none" : "some");
	if (c->out == CLEAN)	/* the torn end of upper 5 is always there */
		ktap_check(p->report.nr <= 1, "it has something to say");
	else if (!f)
		ktap_fail("\"%s\" is not said", c->text);
	else if (f->error != is_error(c->out))
		ktap_fail("\"%s\" is %san error", c->text, f->error ? "" : "not ");
	else if (block != ANY && f->block != block)
		ktap_fail("block %llu, expected %llu", (unsigned long long)f->block,
			  (unsigned long long)block);
	else if (c->upper && f->upper != c->upper - 1)
		ktap_fail("upper %u, expected %u", f->upper, c->upper - 1);
	/* harm to one upper is no harm to others */
	for (size_t i = 0; i < p->report.nr && c->upper && is_error(c->out); i++)
		if (p->report.find[i].error && p->report.find[i].upper != c->upper - 1 &&
		    c->fn != log_into_other)
			ktap_fail("and \"%s\"", p->report.find[i].text);
	if (ktap.bad)
		show(p);
}

static void check_again(struct disk *d, const char *text)
{
	struct pool_io *io = disk_open(d, false);
	struct ybd_error err;
	struct pool *p;

	if (pool_check(io, &p, &err)) {
		ktap_fail("after the repair: %s", err.text);
	} else {
		if (pool_report_errors(&p->report) || find(p, text)) {
			ktap_fail("not clean after the repair");
			show(p);
		}
		pool_close(p);
	}
	pool_io_close(io);
}

static void check_repair(struct disk *d, struct pool *p, const struct damage *c, bool drop)
{
	struct pool_mend how = { .drop = drop ? c->upper - 1 : POOL_NO_UPPER };
	bool mends = c->out == MENDS || c->out == NOTE_MENDS || (drop && c->out == DROPS);
	struct ybd_error err = { 0 };

	if (pool_repair(p, &how, &err))
		ktap_fail("%s", err.text);
	if (mends) {
		ktap_check(!pool_report_errors(&p->report), "the repair leaves errors");
		d->bad = 0;
		check_again(d, c->text);
	}
	for (u32 i = 0; i < d->nr && !mends; i++)
		ktap_check(!d->w[i].nr, "the repair has written block %llu",
			   (unsigned long long)d->w[i].block);
}

static u64 poke(struct mk *m, const struct poke *p)
{
	u64 at = p->where == SUPER ? 0 : p->where == HEADER ? slot(m, 0) : last_log(m, 1);

	memcpy((u8 *)mk_block(m, at) + p->off, &p->val, p->width);
	fix(m, at);
	return p->where == SUPER ? ANY : at;
}

static void run(const struct mk *base, const struct damage *c, bool drop)
{
	struct disk d = { .blocks = base->blocks, .record = true };
	struct ybd_error err = { 0 };
	struct pool_io *io;
	struct pool *p;
	struct mk *m = malloc(sizeof(*m));
	u64 block;
	int rc;

	*m = *base;
	/* only what is changed is copied */
	m->mem = mmap(NULL, BYTES(m->blocks), PROT_READ | PROT_WRITE, MAP_PRIVATE, base_fd, 0);
	if (m->mem == MAP_FAILED)
		abort();
	unreadable = 0;
	block = c->fn ? c->fn(m) : poke(m, &c->poke);
	d.mem = m->mem;
	d.bad = unreadable;
	io = disk_open(&d, true);
	rc = pool_check(io, &p, &err);
	if (c->out == FAILS) {
		ktap_check(rc && strstr(err.text, c->text), "%d, %s", rc, err.text);
	} else if (rc) {
		ktap_fail("%s", err.text);
	} else {
		check_said(p, c, block);
		check_repair(&d, p, c, drop);
	}
	if (!rc)
		pool_close(p);
	pool_io_close(io);
	disk_forget(&d);
	munmap(m->mem, BYTES(m->blocks));
	free(m);
}

static void read_only(struct mk *base)
{
	struct disk d = { .mem = base->mem, .blocks = base->blocks };
	struct pool_mend how = { .drop = POOL_NO_UPPER };
	struct pool_io *io = disk_open(&d, false);
	struct ybd_error err;
	struct pool *p;

	flip(base, base->super.segment_table[0]);
	if (pool_check(io, &p, &err)) {
		ktap_fail("%s", err.text);
	} else {
		ktap_check(pool_repair(p, &how, &err) == -EROFS, "it was repaired");
		pool_close(p);
	}
	flip(base, base->super.segment_table[0]);
	pool_io_close(io);
	ktap_done("nothing is written to what was opened for reading");
}

static void ro_compat(struct mk *base)
{
	struct disk d = { .mem = base->mem, .blocks = base->blocks };
	struct pool_mend how = { .drop = POOL_NO_UPPER };
	struct pool_io *io = disk_open(&d, true);
	struct pool_info info;
	struct ybd_error err;
	struct pool *p;

	for (u64 at = 0; at <= 256; at += 256) {
		((struct ybd_fmt_super *)mk_block(base, at))->ro_compat = 2;
		mk_fix_crc(base, at);
	}
	if (pool_check(io, &p, &err)) {
		ktap_fail("%s", err.text);
	} else {
		ktap_check(pool_repair(p, &how, &err) == -EOPNOTSUPP, "it was repaired");
		ktap_check(pool_grow(io, base->blocks, &info, &err) == -EOPNOTSUPP, "it grows");
		pool_close(p);
	}
	pool_io_close(io);
	ktap_done("a feature for reading only");
}

static void drop_sound(struct mk *base)
{
	struct disk d = { .mem = base->mem, .blocks = base->blocks };
	struct pool_mend how = { .drop = 1 };
	struct pool_io *io = disk_open(&d, true);
	struct ybd_error err;
	struct pool *p;

	if (pool_check(io, &p, &err)) {
		ktap_fail("%s", err.text);
	} else {
		ktap_check(pool_repair(p, &how, &err) == -EINVAL, "it was dropped");
		pool_close(p);
	}
	pool_io_close(io);
	ktap_done("an upper that is sound is not dropped");
}

int main(void)
{
	struct mk *base = calloc(1, sizeof(*base));

	base_pool(base);
	ktap_plan(ARRAY_SIZE(cases) + 3);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		run(base, &cases[i], false);
		if (cases[i].out == DROPS)
			run(base, &cases[i], true);
		ktap_done("%s", cases[i].name);
	}
	read_only(base);
	drop_sound(base);
	ro_compat(base);
	mk_free(base);
	free(base);
	return ktap_exit();
}
