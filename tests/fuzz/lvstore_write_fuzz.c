// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: the lvstore writer over damaged metadata. The input changes a few bytes of a
 * good store (crcs are put right again) and then asks for operations.
 *
 *	u8 store, u8 patches
 *	patch: u8 where, u8 page, u16 offset, u8 len, bytes
 *	operation: u8 what, u8 which, u8 how
 *
 * Whatever is refused is refused; but a store that was opened can be closed, and then the reader
 * finds it clean, without a refusal, and every lvol that was not touched holds what it did.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "crc32c.h"
#include "lvstore_play.h"
#include "rng.h"

#define STORES		4
#define STORE_LEN	(640u << 10)
#define CLUSTER		4096u
#define CONTENT_MAX	(64 * CLUSTER)
#define OPS_MAX		24

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define must(cond) do { if (!(cond)) broken(#cond, __LINE__); } while (0)

static u8 *good[STORES];

static void broken(const char *what, int line)
{
	fprintf(stderr, "line %d: not so: %s\n", line, what);
	abort();
}

u64 play_rnd(u64 n)
{
	return below(n);
}

/* Good ones: closed, closed after many snapshots, cut short twice. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct play p;

	(void)argc;
	(void)argv;
	for (int i = 0; i < STORES; i++) {
		rng_state = 7 + i;
		play_init(&p, STORE_LEN, STORE_LEN, CLUSTER, 60);
		p.max_clusters = 12;
		for (int k = 0; k < 25 + 20 * i; k++)
			play_step(&p);
		if (i < 2) {
			play_close(&p);
			p.w = NULL;
		}
		good[i] = malloc(STORE_LEN);
		must(good[i]);
		memcpy(good[i], p.d.mem, STORE_LEN);
		play_free(&p);
	}
	return 0;
}

struct input {
	const u8 *p;
	size_t left;
};

static u8 next(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static void fix_crc(u8 *block)
{
	put_le32(block + LVS_DISK_CRC_LEN, crc32c(block, LVS_DISK_CRC_LEN));
}

/* Where: the super block, a mask, or (most often) a page of the metadata. */
static void patch(u8 *mem, struct input *in)
{
	u8 where = next(in), page = next(in);
	u32 off = next(in) | (u32)next(in) << 8, len = next(in) % 16;
	u8 *block;

	if (where % 16 == 0)
		block = mem;
	else if (where % 16 == 1)
		block = mem + (1 + page % 3) * LVS_DISK_PAGE;
	else
		block = mem + (4 + page % 60) * LVS_DISK_PAGE;
	/* most of what matters is in the first bytes */
	off = where & 128 ? off % LVS_DISK_PAGE : off % 256;
	for (u32 i = 0; i < len && off + i < LVS_DISK_PAGE; i++)
		block[off + i] = next(in);
	if (where % 16 != 1)
		fix_crc(block);
}

/**
 * struct kept - an lvol before the operations
 * @blob_id: which
 * @data: what it holds; NULL: touched, or too large to look at
 * @len: how much
 */
struct kept {
	u64 blob_id;
	u8 *data;
	size_t len;
};

static struct kept kept[256];
static size_t nr_kept;

static void keep_all(struct lvs_writer *w)
{
	nr_kept = 0;
	for (size_t i = 0; i < lvw_vols(w) && nr_kept < 256; i++) {
		struct lvw_vol *v = lvw_vol_at(w, i);
		struct kept *k = &kept[nr_kept];

		k->blob_id = lvw_vol_blob_id(v);
		k->len = lvw_vol_size(v);
		if (!k->len || k->len > CONTENT_MAX)
			continue;
		k->data = malloc(k->len);
		must(k->data);
		if (lvw_pread(v, 0, k->data, k->len, NULL)) {
			free(k->data);	/* an external snapshot's */
			continue;
		}
		nr_kept++;
	}
}

static void touched(const struct lvw_vol *v)
{
	for (size_t i = 0; i < nr_kept; i++) {
		if (kept[i].blob_id != lvw_vol_blob_id(v))
			continue;
		free(kept[i].data);
		kept[i].data = NULL;
	}
}

static void operate(struct lvs_writer *w, struct input *in)
{
	u8 what = next(in), which = next(in), how = next(in);
	struct lvw_vol *v = lvw_vols(w) ? lvw_vol_at(w, which % lvw_vols(w)) : NULL;
	struct lvw_vol_opts o = { 0 };
	char name[8], uuid[37];
	u8 buf[600];
	u64 off;

	snprintf(name, sizeof(name), "f%u", how);
	snprintf(uuid, sizeof(uuid), "ffffffff-0000-4000-8000-%012x", how);
	o.name = name;
	o.uuid = uuid;
	memset(buf, how, sizeof(buf));
	if (!v || what % 12 == 0) {
		lvw_vol_create(w, &o, (u64)(how % 20) * CLUSTER, how & 128, NULL, NULL);
		return;
	}
	off = lvw_vol_size(v) ? (u64)how * 977 % lvw_vol_size(v) : 0;
	switch (what % 12) {
	case 1:
		lvw_vol_snapshot(v, &o, NULL, NULL);
		return;
	case 2:
		lvw_vol_clone(v, &o, NULL, NULL);
		return;
	case 3:
		touched(v);
		lvw_vol_delete(v, NULL);
		return;
	case 4:
		lvw_vol_rename(v, name, NULL);
		return;
	case 5:
		touched(v);
		lvw_vol_resize(v, (u64)(how % 40) * CLUSTER, NULL);
		return;
	case 6:
		lvw_vol_set_read_only(v, NULL);
		return;
	case 7:
		lvw_vol_inflate(v, NULL);
		return;
	case 8:
		lvw_vol_xattr_set(v, name, how & 1 ? buf : NULL, how, NULL);
		return;
	case 9:
		must(!lvw_flush(w, NULL));
		return;
	case 10:
		touched(v);
		lvw_zero(v, off, (u64)how * 100, NULL);
		return;
	default:
		touched(v);
		lvw_pwrite(v, off, buf, sizeof(buf), NULL);
	}
}

static void check_kept(struct lvs_store *s, const struct kept *k)
{
	const struct lvs_lvol *l = NULL;
	struct lvs_map map;
	u8 *buf;

	for (size_t i = 0; i < lvs_lvols(s); i++)
		if (lvs_lvol_blob_id(lvs_lvol_at(s, i)) == k->blob_id)
			l = lvs_lvol_at(s, i);
	must(l && lvs_lvol_size(l) == k->len);
	buf = malloc(k->len);
	must(buf && !lvs_flatten(l, &map));
	must(!lvs_map_read(s, &map, -1, 0, buf, k->len));
	must(!memcmp(buf, k->data, k->len));
	lvs_map_free(&map);
	free(buf);
}

static void check_all(const struct disk *d, bool begun)
{
	struct lvs_error err;
	struct lvs_store *s;

	must(!disk_open_reader(d->mem, d->len, &s, &err));
	must(!begun || lvs_clean(s));
	must(!begun || !lvs_refusals(s));
	for (size_t i = 0; i < nr_kept; i++)
		if (kept[i].data)
			check_kept(s, &kept[i]);
	lvs_close(s);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	struct lvs_writer *w;
	struct lvs_error err;
	struct disk d;
	bool begun;

	if (size < 4 || size > 4096)
		return -1;
	disk_init(&d, STORE_LEN, STORE_LEN);
	memcpy(d.mem, good[next(&in) % STORES], STORE_LEN);
	for (unsigned int n = next(&in) % 12; n; n--)
		patch(d.mem, &in);
	if (!lvw_open_io(disk_wio(&d), LVW_FORCE, &w, &err)) {
		keep_all(w);
		for (int i = 0; i < OPS_MAX && in.left; i++)
			operate(w, &in);
		begun = w->begun;
		must(!lvw_close(w, &err));
		check_all(&d, begun);
		for (size_t i = 0; i < nr_kept; i++)
			free(kept[i].data);
	}
	disk_free(&d);
	return 0;
}
