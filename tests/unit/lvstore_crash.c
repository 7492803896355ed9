// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lvstore writer is cut short: lvstore_crash SEED [SCENARIOS]
 *
 * Everything that random operations write is noted, and cut at each write. What is then on the
 * disk: all up to there (the program was killed); that and parts of the next write, torn at 512
 * bytes; or what was flushed, and random sectors of what was not (the power failed). Each time:
 *
 * - the store loads, and no lvol is refused;
 * - every lvol that was complete is there, and each sector of it is what it was at the last flush,
 *   or at a later time; there is no lvol that nobody made;
 * - it is not in the state at which SPDK crashes on load;
 * - it can be opened for writing again, changed and closed; then it is clean, nothing is leaked,
 *   deletions that had begun are done, and all other lvols hold what they did.
 *
 * To show that this can fail, the same is done with a disk that forgets flushes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ktap.h"
#include "lvstore_play.h"
#include "rng.h"

#define DISK_LEN	(3u << 20)
#define DISK_LIMIT	(4u << 20)
#define STEPS		200

u64 play_rnd(u64 n)
{
	return below(n);
}

/**
 * struct moment - how far it has come
 * @k: events done
 * @step: the operation that is under way
 * @committed: the last one after which everything was on the disk
 * @what: kind of cut
 */
struct moment {
	size_t k;
	unsigned int step;
	unsigned int committed;
	const char *what;
};

static struct play p;
static size_t ev_end[STEPS + 1];
static unsigned int committed[STEPS + 1];
static unsigned long states, reopened;
static bool expect_faults;
static unsigned long faults;

static __printf(2, 3) void wrong(const struct moment *t, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	faults++;
	if (expect_faults)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ktap_fail("write %zu, step %u, %s: %s", t->k, t->step, t->what, text);
}

static void *must(void *q)
{
	if (q)
		return q;
	perror("memory");
	exit(2);
}

/* ---- what an lvol may hold ---- */

/* What it held after a step. */
static const u8 *held(const struct mvol *m, unsigned int step, size_t *len)
{
	for (size_t i = 0; i < m->nr_old; i++) {
		if (m->old[i].step > step) {
			*len = m->old[i].len;
			return m->old[i].data;
		}
	}
	*len = m->len;
	return m->data;
}

static bool sector_ok(const struct mvol *m, const struct moment *t, const u8 *buf, size_t at)
{
	for (unsigned int s = t->step + 1; s-- > t->committed;) {
		size_t len;
		const u8 *want = held(m, s, &len);

		if (s < m->born)
			break;
		if (at + SECTOR <= len && !memcmp(buf + at, want + at, SECTOR))
			return true;
	}
	return false;
}

static void check_content(const struct mvol *m, const struct moment *t, const u8 *buf, size_t len)
{
	size_t before, after;
	const u8 *now = held(m, t->step, &after);

	held(m, t->step - 1, &before);
	if (len != before && len != after) {
		wrong(t, "\"%s\" has %zu bytes, expected %zu or %zu", m->name, len, before, after);
		return;
	}
	if (len == after && !memcmp(buf, now, len))
		return;
	for (size_t at = 0; at < len; at += SECTOR) {
		if (sector_ok(m, t, buf, at))
			continue;
		wrong(t, "\"%s\" at %zu is 0x%02x, which it was not since step %u", m->name, at,
		      buf[at], t->committed);
		return;
	}
}

static u8 *read_lvol(struct lvs_store *s, const struct lvs_lvol *l)
{
	u8 *buf = must(malloc(lvs_lvol_size(l) + 1));
	struct lvs_map map;

	if (lvs_flatten(l, &map) || lvs_map_read(s, &map, -1, 0, buf, lvs_lvol_size(l)))
		must(NULL);
	lvs_map_free(&map);
	return buf;
}

static void check_one(struct lvs_store *s, const struct mvol *m, const struct moment *t)
{
	const struct lvs_lvol *l = lvs_find(s, m->uuid);
	bool sure = m->born < t->step && (!m->gone || m->gone > t->step);
	u8 *buf;

	if (!l) {
		if (sure)
			wrong(t, "\"%s\" is lost", m->name);
		return;
	}
	if (m->born > t->step || (m->gone && m->gone < t->step)) {
		wrong(t, "\"%s\" should not be there", m->name);
		return;
	}
	buf = read_lvol(s, l);
	check_content(m, t, buf, lvs_lvol_size(l));
	free(buf);
}

/* @l: an lvol of the store. A snapshot that is being deleted loses its name before its map. */
static bool known(const struct lvs_lvol *l, const struct moment *t)
{
	const char *uuid = lvs_lvol_uuid(l);

	for (size_t i = 0; i < p.nr_dead; i++)
		if (p.dead[i].gone == t->step && !strncmp(lvs_lvol_name(l), "deleted-", 8) &&
		    !strcmp(lvs_lvol_name(l) + 8, p.dead[i].uuid))
			return true;
	for (int i = 0; i < PLAY_VOLS; i++)
		if (p.vol[i].used && !strcmp(p.vol[i].uuid, uuid))
			return true;
	for (size_t i = 0; i < p.nr_dead; i++)
		if (!strcmp(p.dead[i].uuid, uuid))
			return true;
	return false;
}

/* Section 7: a snapshot marked as being deleted, its clone moved on, itself with a parent. */
static bool crashes_spdk(const struct lvs_lvol *l)
{
	return l->state == LVOL_REMOVED && l->pending == LVS_PENDING_REMOVE &&
	       l->parent_id != LVS_NO_BLOB;
}

static void check_loaded(struct lvs_store *s, const struct moment *t)
{
	for (size_t i = 0; i < lvs_refusals(s); i++)
		wrong(t, "refused: %s", lvs_refusal_at(s, i)->text);
	for (size_t i = 0; i < s->nr_blobs; i++)
		if (crashes_spdk(s->blobs[i]))
			wrong(t, "SPDK would crash over blob %u", s->blobs[i]->root);
	for (size_t i = 0; i < lvs_lvols(s); i++)
		if (!known(lvs_lvol_at(s, i), t))
			wrong(t, "who made \"%s\"?", lvs_lvol_name(lvs_lvol_at(s, i)));
	for (int i = 0; i < PLAY_VOLS; i++)
		if (p.vol[i].used)
			check_one(s, &p.vol[i], t);
	for (size_t i = 0; i < p.nr_dead; i++)
		check_one(s, &p.dead[i], t);
}

/* ---- the next run ---- */

/* Something of everything, so that all that was freed is used again. */
static int work(struct lvs_writer *w, struct lvs_error *err)
{
	static const struct lvw_vol_opts o = { .name = "after" }, s = { .name = "after-s" };
	u64 len = 8 * lvw_cluster_size(w);
	struct lvw_vol *v;
	u8 buf[100];
	int rc;

	memset(buf, 0xaf, sizeof(buf));
	rc = lvw_vol_create(w, &o, len, true, &v, err);
	for (u64 off = 0; off < len && !rc; off += 1000)
		rc = lvw_pwrite(v, off, buf, sizeof(buf), err);
	if (!rc)
		rc = lvw_vol_snapshot(v, &s, NULL, err);
	if (!rc)
		rc = lvw_vol_delete(v, err);
	return rc == -ENOSPC ? 0 : rc;
}

static void compare(struct lvs_store *a, struct lvs_store *b, const struct moment *t)
{
	for (size_t i = 0; i < lvs_lvols(a); i++) {
		const struct lvs_lvol *x = lvs_lvol_at(a, i);
		const struct lvs_lvol *y = lvs_find(b, lvs_lvol_uuid(x));
		u8 *bx, *by;

		if (!strncmp(lvs_lvol_name(x), "deleted-", 8)) {
			if (y)
				wrong(t, "\"%s\" is still there", lvs_lvol_name(x));
			continue;
		}
		if (!y || lvs_lvol_size(x) != lvs_lvol_size(y)) {
			wrong(t, "\"%s\" is lost in the next run", lvs_lvol_name(x));
			continue;
		}
		bx = read_lvol(a, x);
		by = read_lvol(b, y);
		if (memcmp(bx, by, lvs_lvol_size(x)))
			wrong(t, "\"%s\" was changed by the next run", lvs_lvol_name(x));
		free(bx);
		free(by);
	}
}

static void check_clean(struct lvs_store *s, const u8 *mem, const struct moment *t)
{
	u64 claims = 0;

	for (size_t i = 0; i < lvs_lvols(s); i++) {
		claims += lvs_lvol_allocated(lvs_lvol_at(s, i));
		if (lvs_lvol_pending(lvs_lvol_at(s, i)))
			wrong(t, "an operation is still pending");
	}
	if (!lvs_clean(s) || lvs_refusals(s))
		wrong(t, "not clean after the next run");
	if (lvs_free_clusters(s) + claims != lvs_data_clusters(s))
		wrong(t, "clusters are leaked after the next run");
	if (!expect_faults)
		play_check_free(mem, s);
}

static void next_run(const u8 *img, struct lvs_store *s, const struct moment *t)
{
	struct lvs_error err = { .text = "" };
	struct lvs_writer *w;
	struct lvs_store *n;
	struct disk d;
	int rc;

	reopened++;
	disk_init(&d, DISK_LIMIT, DISK_LIMIT);
	memcpy(d.mem, img, DISK_LIMIT);
	rc = lvw_open_io(disk_wio(&d), LVW_FORCE, &w, &err);
	if (!rc) {
		rc = work(w, &err);
		if (rc)
			lvw_abort(w);
		else
			rc = lvw_close(w, &err);
	}
	if (rc) {
		wrong(t, "the next run: %s", err.text);
	} else if (disk_open_reader(d.mem, d.len, &n, &err)) {
		wrong(t, "after the next run: %s", err.text);
	} else {
		compare(s, n, t);
		check_clean(n, d.mem, t);
		lvs_close(n);
	}
	disk_free(&d);
}

static void check_image(const u8 *img, struct moment *t, const char *what, bool again)
{
	struct lvs_error err;
	struct lvs_store *s;

	states++;
	t->what = what;
	if (disk_open_reader(img, DISK_LIMIT, &s, &err)) {
		wrong(t, "does not load: %s", err.text);
		return;
	}
	check_loaded(s, t);
	if (again)
		next_run(img, s, t);
	lvs_close(s);
}

/* ---- where it is cut ---- */

/* As if the sector's number had something to do with it. */
static bool any(u64 sector)
{
	return (rnd() ^ sector) & 1;
}

static u64 cut_salt;
static size_t cut_at, cut_from, cut_to;

/* The page cache writes whole sectors: of each, it is all writes up to some time. */
static bool early(u64 sector)
{
	u64 h = (sector ^ cut_salt) * 0x9e3779b97f4a7c15ULL;
	size_t n = cut_to - cut_from;

	h ^= h >> 29;
	if (h % 3 == 0)
		return false;
	return h % 3 == 1 || cut_at - cut_from < (h >> 8) % (n + 1);
}

/* Of what was not flushed, random sectors as they were at random times. */
static void power_cut(const u8 *flushed, size_t from, size_t to, u8 *img)
{
	memcpy(img, flushed, DISK_LIMIT);
	cut_salt = rnd();
	cut_from = from;
	cut_to = to;
	for (cut_at = from; cut_at < to; cut_at++)
		disk_apply(img, &p.d.ev[cut_at], early);
}

static void cut_everywhere(const u8 *base, bool lie)
{
	u8 *img = must(malloc(DISK_LIMIT)), *flushed = must(malloc(DISK_LIMIT));
	u8 *torn = must(malloc(DISK_LIMIT));
	struct moment t = { .step = 1 };
	size_t since = 0;

	memcpy(img, base, DISK_LIMIT);
	memcpy(flushed, base, DISK_LIMIT);
	for (t.k = 0; t.k < p.d.nr && (!ktap.bad || lie); t.k++) {
		const struct disk_event *e = &p.d.ev[t.k];

		while (t.k >= ev_end[t.step])
			t.step++;
		t.committed = committed[t.step - 1];
		if (e->len && !lie) {
			check_image(img, &t, "killed", !below(8));
			memcpy(torn, img, DISK_LIMIT);
			disk_apply(torn, e, any);
			check_image(torn, &t, "torn", !below(8));
		}
		if (e->len && !below(3)) {
			power_cut(flushed, since, t.k + 1, torn);
			check_image(torn, &t, "power cut", !below(8));
		}
		disk_apply(img, e, NULL);
		if (!e->len && (!lie || !below(12))) {
			memcpy(flushed, img, DISK_LIMIT);
			since = t.k;
		}
	}
	free(img);
	free(flushed);
	free(torn);
}

static void scenario(u64 seed, bool lie)
{
	u8 *base = must(malloc(DISK_LIMIT));

	rng_state = seed;
	play_init(&p, DISK_LEN, DISK_LIMIT, 4096, 120);
	p.keep = true;
	memcpy(base, p.d.mem, DISK_LIMIT);
	p.d.record = true;
	while (p.step < STEPS - 1) {
		play_step(&p);
		ev_end[p.step] = p.d.nr;
		committed[p.step] = p.committed;
	}
	p.step++;
	play_close(&p);
	ev_end[STEPS] = p.d.nr;
	cut_everywhere(base, lie);
	play_free(&p);
	free(base);
}

int main(int argc, char **argv)
{
	u64 seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	unsigned int n = argc > 2 ? (unsigned int)atoi(argv[2]) : 4;

	ktap_plan(n + 1);
	for (unsigned int i = 0; i < n; i++) {
		states = 0;
		reopened = 0;
		scenario(seed + i, false);
		printf("# %lu states, %lu of them written again\n", states, reopened);
		ktap_check(states > 300, "only %lu states", states);
		ktap_done("lvstore writer: cut short, seed %llu", (unsigned long long)(seed + i));
	}
	expect_faults = true;
	scenario(seed, true);
	printf("# %lu faults\n", faults);
	ktap_check(faults, "a disk that forgets flushes was not noticed");
	ktap_done("lvstore writer: cut short on a disk that forgets flushes");
	return ktap_exit();
}
