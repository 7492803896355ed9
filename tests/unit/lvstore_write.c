// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lvstore writer: lvstore_write SEED
 *
 * Random operations against a model, read back by the writer and, when the store is closed, by the
 * reader; full stores; the same bytes for the same calls; what is refused; what a write costs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "crc32c.h"
#include "ktap.h"
#include "lvstore_play.h"
#include "rng.h"

u64 play_rnd(u64 n)
{
	return below(n);
}

static void random_ops(u64 seed, u32 cluster, u64 max, unsigned int steps)
{
	struct play p;

	rng_state = seed;
	play_init(&p, 8 << 20, 9 << 20, cluster, 0);
	p.max_clusters = max;
	while (p.step < steps && !ktap.bad) {
		play_step(&p);
		if (!below(10))
			play_check_writer(&p);
		if (!below(40)) {
			play_close(&p);
			play_check_closed(&p);
			play_reopen(&p, 0);
		}
	}
	play_close(&p);
	play_check_closed(&p);
	printf("# %u steps, %u of them found no space\n", p.step, p.spaces);
	play_free(&p);
}

static void full_store(u64 seed)
{
	struct play p;

	rng_state = seed;
	play_init(&p, 1 << 20, 1 << 20, 4096, 40);
	while (p.step < 3000 && !ktap.bad) {
		play_step(&p);
		if (!below(40)) {
			play_close(&p);
			play_check_closed(&p);
			play_reopen(&p, 0);
		}
	}
	ktap_check(p.spaces > 30, "only %u steps found no space", p.spaces);
	play_close(&p);
	play_check_closed(&p);
	play_free(&p);
}

static void deterministic(u64 seed)
{
	struct play p[2];

	for (int i = 0; i < 2; i++) {
		rng_state = seed;
		play_init(&p[i], 4 << 20, 5 << 20, 8192, 0);
		while (p[i].step < 300)
			play_step(&p[i]);
		play_close(&p[i]);
	}
	ktap_check(p[0].d.len == p[1].d.len && !memcmp(p[0].d.mem, p[1].d.mem, p[0].d.len),
		   "the same calls gave other bytes");
	play_free(&p[0]);
	play_free(&p[1]);
}

static void crc_forced(u64 seed)
{
	u8 buf[64];

	rng_state = seed;
	for (int i = 0; i < 1000; i++) {
		size_t len = 4 + below(61);
		u32 want = (u32)rnd();

		for (size_t k = 0; k < sizeof(buf); k++)
			buf[k] = (u8)rnd();
		crc32c_force(buf, len, want);
		ktap_check(crc32c(buf, len) == want, "crc of %zu bytes not as wanted", len);
	}
}

/* Small writes in a row cost no metadata until they are flushed. */
static void cheap_writes(void)
{
	struct lvw_vol_opts o = { .name = "v" };
	struct lvs_error err;
	struct lvw_vol *v;
	unsigned long writes, flushes;
	struct play p;
	u8 b[512];

	play_init(&p, 64 << 20, 64 << 20, 65536, 0);
	if (lvw_vol_create(p.w, &o, 32 << 20, true, &v, &err))
		ktap_fail("create: %s", err.text);
	writes = p.d.writes;
	flushes = p.d.flushes;
	memset(b, 0x5a, sizeof(b));
	for (u64 off = 0; off < 32 << 20; off += sizeof(b))
		if (lvw_pwrite(v, off, b, sizeof(b), &err))
			ktap_fail("write: %s", err.text);
	if (lvw_flush(p.w, &err))
		ktap_fail("flush: %s", err.text);
	printf("# 65536 writes of 512 bytes: %lu writes, %lu flushes of the disk\n",
	       p.d.writes - writes, p.d.flushes - flushes);
	ktap_check(p.d.writes - writes < 512 + 10 && p.d.flushes - flushes <= 3,
		   "%lu writes, %lu flushes", p.d.writes - writes, p.d.flushes - flushes);
	memset(b, 0, sizeof(b));
	o.name = "z";
	if (lvw_vol_create(p.w, &o, 1 << 20, true, &v, &err) ||
	    lvw_pwrite(v, 100, b, sizeof(b), &err))
		ktap_fail("zeros: %s", err.text);
	ktap_check(!lvw_vol_allocated(v), "zeros over nothing took a cluster");
	play_close(&p);
	play_free(&p);
}

/* Nothing is written before the first change, nor by what fails for a wrong argument. */
static void nothing_written(void)
{
	struct lvw_vol_opts o = { .name = "v" };
	struct lvs_error err;
	struct lvw_vol *v;
	struct play p;
	unsigned long writes;

	play_init(&p, 4 << 20, 4 << 20, 4096, 0);
	if (lvw_vol_create(p.w, &o, 4096, true, &v, &err))
		ktap_fail("create: %s", err.text);
	play_close(&p);
	writes = p.d.writes;
	play_reopen(&p, 0);
	v = lvw_find(p.w, "v");
#define REFUSED(want, call) do {						\
	int rc_ = (call);							\
	ktap_check(rc_ == (want), "%s: %d, expected %d", #call, rc_, want);	\
} while (0)
	REFUSED(-EEXIST, lvw_vol_create(p.w, &o, 4096, true, NULL, &err));
	o.name = "";
	REFUSED(-EINVAL, lvw_vol_create(p.w, &o, 4096, true, NULL, &err));
	o.name = "0123456789012345678901234567890123456789012345678901234567890123";
	REFUSED(-EINVAL, lvw_vol_create(p.w, &o, 4096, true, NULL, &err));
	o = (struct lvw_vol_opts){ .name = "w", .uuid = "no uuid" };
	REFUSED(-EINVAL, lvw_vol_create(p.w, &o, 4096, true, NULL, &err));
	o.uuid = lvw_vol_uuid(v);
	REFUSED(-EEXIST, lvw_vol_create(p.w, &o, 4096, true, NULL, &err));
	o.uuid = NULL;
	REFUSED(-EINVAL, lvw_vol_create(p.w, &o, 0, true, NULL, &err));
	REFUSED(-EINVAL, lvw_vol_create(p.w, &o, UINT64_MAX, true, NULL, &err));
	REFUSED(-EINVAL, lvw_vol_clone(v, &o, NULL, &err));
	REFUSED(-ERANGE, lvw_pwrite(v, 4090, "0123456789", 10, &err));
	REFUSED(-ERANGE, lvw_pwrite(v, UINT64_MAX, "0123456789", 10, &err));
	REFUSED(-EPERM, lvw_vol_xattr_set(v, "uuid", "", 0, &err));
	REFUSED(-ENODATA, lvw_vol_xattr_set(v, "x", NULL, 0, &err));
	REFUSED(-E2BIG, lvw_vol_xattr_set(v, "x", p.d.mem, 4063, &err));
	REFUSED(-EINVAL, lvw_grow(p.w, 1 << 20, &err));
	play_close(&p);
	ktap_check(p.d.writes == writes, "%lu writes", p.d.writes - writes);
	play_free(&p);
}

/* With a source in use, what read-only lvols hold stays. */
static void append_only(void)
{
	static const struct lvw_vol_opts o[] = {
		{ .name = "v" }, { .name = "s" }, { .name = "c" }, { .name = "unfinished" },
	};
	struct lvw_vol *v, *s, *c, *n;
	struct lvs_error err;
	struct play p;

	play_init(&p, 4 << 20, 4 << 20, 4096, 0);
	play_close(&p);
	play_reopen(&p, LVW_APPEND);
	if (lvw_vol_create(p.w, &o[0], 8192, true, &v, &err) ||
	    lvw_pwrite(v, 0, "data", 4, &err) ||
	    lvw_vol_snapshot(v, &o[1], &s, &err) || lvw_vol_clone(s, &o[2], &c, &err))
		ktap_fail("append: %s", err.text);
	REFUSED(-EPERM, lvw_vol_delete(s, &err));
	REFUSED(-EPERM, lvw_vol_rename(s, "t", &err));
	REFUSED(-EROFS, lvw_vol_resize(s, 4096, &err));
	REFUSED(-EROFS, lvw_vol_inflate(s, &err));
	REFUSED(0, lvw_vol_delete(v, &err));
	/* the snapshot's last clone does not take its clusters along */
	REFUSED(-EPERM, lvw_vol_delete(s, &err));
	REFUSED(0, lvw_vol_delete(c, &err));
	REFUSED(-EPERM, lvw_vol_delete(s, &err));
	/* one that is new may get its name when it is complete */
	REFUSED(0, lvw_vol_clone(s, &o[3], &n, &err));
	REFUSED(-EEXIST, lvw_vol_publish(n, "s", &err));
	REFUSED(0, lvw_vol_publish(n, "finished", &err));
	ktap_check(lvw_find(p.w, "finished") == n && lvw_vol_read_only(n), "not published");
	REFUSED(-EROFS, lvw_vol_publish(n, "again", &err));
	REFUSED(-EPERM, lvw_vol_rename(n, "again", &err));
	play_close(&p);
	play_free(&p);
}

int main(int argc, char **argv)
{
	u64 seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;

	ktap_plan(9);
	crc_forced(seed);
	ktap_done("lvstore writer: crcs can be kept");
	random_ops(seed, 4096, 24, 2500);
	ktap_done("lvstore writer: random operations, small lvols");
	random_ops(seed + 1, 16384, 40, 1500);
	ktap_done("lvstore writer: random operations, larger clusters");
	random_ops(seed + 2, 4096, 700, 600);
	ktap_done("lvstore writer: random operations, several extent pages");
	full_store(seed);
	ktap_done("lvstore writer: full stores");
	deterministic(seed);
	ktap_done("lvstore writer: the same calls, the same bytes");
	cheap_writes();
	ktap_done("lvstore writer: small writes");
	nothing_written();
	ktap_done("lvstore writer: refusals write nothing");
	append_only();
	ktap_done("lvstore writer: append only");
	return ktap_exit();
}
