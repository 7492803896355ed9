// SPDX-License-Identifier: GPL-2.0-only
/* Random operations and their model; see lvstore_play.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ktap.h"
#include "lvstore_play.h"

static void *must(void *p)
{
	if (p)
		return p;
	perror("memory");
	exit(2);
}

/* Numbered, so that the same seed makes the same store. */
static void number_uuid(char *out, unsigned int n)
{
	snprintf(out, 37, "00000000-0000-4000-8000-%012x", n);
}

void play_init(struct play *p, size_t len, size_t limit, u32 cluster, u32 md_pages)
{
	struct lvw_create_opts o = {
		.name = "play", .uuid = "11111111-2222-4333-8444-555555555555",
		.cluster_size = cluster, .size = len, .md_pages = md_pages,
	};
	struct lvs_error err;
	struct wio *io;

	memset(p, 0, sizeof(*p));
	disk_init(&p->d, len, limit);
	p->max_clusters = 24;
	io = disk_wio(&p->d);
	if (lvw_create_io(io, &o, &err)) {
		ktap_fail("create: %s", err.text);
		exit(2);
	}
	wio_close(io);
	play_reopen(p, 0);
}

static void mvol_free(struct mvol *m)
{
	free(m->data);
	for (size_t i = 0; i < m->nr_old; i++)
		free(m->old[i].data);
	free(m->old);
	memset(m, 0, sizeof(*m));
}

void play_free(struct play *p)
{
	lvw_abort(p->w);
	for (int i = 0; i < PLAY_VOLS; i++)
		mvol_free(&p->vol[i]);
	for (size_t i = 0; i < p->nr_dead; i++)
		mvol_free(&p->dead[i]);
	free(p->dead);
	disk_free(&p->d);
}

void play_reopen(struct play *p, unsigned int flags)
{
	struct lvs_error err;

	if (lvw_open_io(disk_wio(&p->d), flags, &p->w, &err)) {
		ktap_fail("step %u: open: %s", p->step, err.text);
		exit(2);
	}
}

void play_close(struct play *p)
{
	struct lvs_error err;

	if (lvw_close(p->w, &err))
		ktap_fail("step %u: close: %s", p->step, err.text);
	p->w = NULL;
	p->committed = p->step;
}

/* ---- the model ---- */

static struct mvol *pick(struct play *p)
{
	for (int i = 0; i < 40; i++) {
		struct mvol *m = &p->vol[play_rnd(PLAY_VOLS)];

		if (m->used)
			return m;
	}
	return NULL;
}

static struct mvol *pick_free(struct play *p)
{
	for (int i = 0; i < PLAY_VOLS; i++)
		if (!p->vol[i].used)
			return &p->vol[i];
	return NULL;
}

static struct lvw_vol *handle(struct play *p, const struct mvol *m)
{
	struct lvw_vol *v = lvw_find(p->w, m->uuid);

	if (!v) {
		ktap_fail("step %u: \"%s\" is gone", p->step, m->name);
		exit(2);
	}
	return v;
}

/* What it held until now, for the checks of a crash. */
static void remember(struct play *p, struct mvol *m)
{
	struct version *v;

	if (!p->keep)
		return;
	m->old = must(reallocarray(m->old, m->nr_old + 1, sizeof(*m->old)));
	v = &m->old[m->nr_old++];
	v->step = p->step;
	v->len = m->len;
	v->data = must(malloc(m->len + 1));
	memcpy(v->data, m->data, m->len);
}

static void mvol_new(struct play *p, struct mvol *m, unsigned int nr, size_t len)
{
	memset(m, 0, sizeof(*m));
	m->used = true;
	m->born = p->step;
	m->len = len;
	m->data = must(calloc(1, len + 1));
	number_uuid(m->uuid, nr);
	snprintf(m->name, sizeof(m->name), "vol-%u", nr);
}

static void mvol_gone(struct play *p, struct mvol *m)
{
	for (int i = 0; i < PLAY_VOLS; i++)
		if (p->vol[i].used && !strcmp(p->vol[i].parent, m->uuid))
			memcpy(p->vol[i].parent, m->parent, sizeof(m->parent));
	m->gone = p->step;
	if (p->keep) {
		p->dead = must(reallocarray(p->dead, p->nr_dead + 1, sizeof(*p->dead)));
		p->dead[p->nr_dead++] = *m;
		memset(m, 0, sizeof(*m));
	} else {
		mvol_free(m);
	}
}

static unsigned int clones(const struct play *p, const struct mvol *m)
{
	unsigned int n = 0;

	for (int i = 0; i < PLAY_VOLS; i++)
		n += p->vol[i].used && !strcmp(p->vol[i].parent, m->uuid);
	return n;
}

/* An operation's result: 0 and what was expected; true: it has been done. */
static bool outcome(struct play *p, int rc, int want, const struct lvs_error *err, bool committed)
{
	if (rc == -ENOSPC && want == 0) {
		p->spaces++;
		return false;
	}
	if (rc != want)
		ktap_fail("step %u: %s: %d (%s), expected %d", p->step, p->log, rc,
			  rc ? err->text : "", want);
	if (!rc && committed)
		p->committed = p->step;
	return !rc;
}

#define LOG(p, ...) snprintf((p)->log, sizeof((p)->log), __VA_ARGS__)

/* ---- operations ---- */

static size_t some_size(struct play *p)
{
	return (1 + play_rnd(p->max_clusters)) * lvw_cluster_size(p->w);
}

static void do_create(struct play *p)
{
	struct mvol *m = pick_free(p);
	bool thin = play_rnd(3);
	struct lvw_vol_opts o;
	struct lvs_error err;
	struct mvol n;

	if (!m)
		return;
	mvol_new(p, &n, p->step, some_size(p));
	n.thick = !thin;
	o = (struct lvw_vol_opts){ .name = n.name, .uuid = n.uuid };
	LOG(p, "create %s, %zu, thin %d", n.name, n.len, thin);
	if (outcome(p, lvw_vol_create(p->w, &o, n.len, thin, NULL, &err), 0, &err, true))
		*m = n;
	else
		mvol_free(&n);
}

static void do_snapshot(struct play *p)
{
	struct mvol *m = pick(p), *s = pick_free(p);
	static const struct lvs_xattr x = { "chain", "sha256:abc", 10 };
	struct lvw_vol_opts o;
	struct lvs_error err;
	struct mvol n;

	if (!m || !s)
		return;
	mvol_new(p, &n, p->step, m->len);
	o = (struct lvw_vol_opts){ .name = n.name, .uuid = n.uuid, .xattrs = &x, .nr_xattrs = 1 };
	LOG(p, "snapshot %s of %s", n.name, m->name);
	if (!outcome(p, lvw_vol_snapshot(handle(p, m), &o, NULL, &err), m->ro ? -EROFS : 0, &err,
		     true)) {
		mvol_free(&n);
		return;
	}
	memcpy(n.data, m->data, m->len);
	memcpy(n.parent, m->parent, sizeof(n.parent));
	n.ro = true;
	n.thick = m->thick;
	m->thick = false;
	memcpy(m->parent, n.uuid, sizeof(m->parent));
	*s = n;
}

static void do_clone(struct play *p)
{
	struct mvol *m = pick(p), *c = pick_free(p);
	struct lvw_vol_opts o;
	struct lvs_error err;
	struct mvol n;

	if (!m || !c)
		return;
	mvol_new(p, &n, p->step, m->len);
	o = (struct lvw_vol_opts){ .name = n.name, .uuid = n.uuid };
	LOG(p, "clone %s of %s", n.name, m->name);
	if (!outcome(p, lvw_vol_clone(handle(p, m), &o, NULL, &err), m->ro ? 0 : -EINVAL, &err,
		     true)) {
		mvol_free(&n);
		return;
	}
	memcpy(n.data, m->data, m->len);
	memcpy(n.parent, m->uuid, sizeof(n.parent));
	*c = n;
}

static void do_delete(struct play *p)
{
	struct mvol *m = pick(p);
	struct lvs_error err;

	if (!m)
		return;
	LOG(p, "delete %s, %u clones", m->name, clones(p, m));
	if (outcome(p, lvw_vol_delete(handle(p, m), &err), clones(p, m) > 1 ? -EBUSY : 0, &err,
		    true))
		mvol_gone(p, m);
}

static void do_rename(struct play *p)
{
	struct mvol *m = pick(p);
	struct lvs_error err;
	char name[64];

	if (!m)
		return;
	snprintf(name, sizeof(name), "renamed-%u", p->step);
	LOG(p, "rename %s to %s", m->name, name);
	if (outcome(p, lvw_vol_rename(handle(p, m), name, &err), 0, &err, true))
		memcpy(m->name, name, sizeof(name));
}

static void do_resize(struct play *p)
{
	struct mvol *m = pick(p);
	struct lvs_error err;
	size_t len;

	if (!m)
		return;
	len = some_size(p);
	LOG(p, "resize %s from %zu to %zu", m->name, m->len, len);
	/* to what it has is nothing to be done, and nothing is flushed for it */
	if (!outcome(p, lvw_vol_resize(handle(p, m), len, &err), m->ro ? -EROFS : 0, &err,
		     len != m->len))
		return;
	remember(p, m);
	m->data = must(realloc(m->data, len + 1));
	if (len > m->len)
		memset(m->data + m->len, 0, len - m->len);
	m->len = len;
}

static void do_set_ro(struct play *p)
{
	struct mvol *m = pick(p);
	struct lvs_error err;

	if (!m)
		return;
	LOG(p, "set-ro %s", m->name);
	if (outcome(p, lvw_vol_set_read_only(handle(p, m), &err), 0, &err, false))
		m->ro = true;
}

static void do_publish(struct play *p)
{
	struct mvol *m = pick(p);
	struct lvs_error err;
	char name[64];

	if (!m)
		return;
	snprintf(name, sizeof(name), "published-%u", p->step);
	LOG(p, "publish %s as %s", m->name, name);
	if (!outcome(p, lvw_vol_publish(handle(p, m), name, &err), m->ro ? -EROFS : 0, &err, true))
		return;
	m->ro = true;
	memcpy(m->name, name, sizeof(name));
}

static void do_inflate(struct play *p)
{
	struct mvol *m = pick(p);
	struct lvs_error err;

	if (!m)
		return;
	LOG(p, "inflate %s", m->name);
	if (!outcome(p, lvw_vol_inflate(handle(p, m), &err), m->ro ? -EROFS : 0, &err, false))
		return;
	m->thick = true;
	m->parent[0] = 0;
}

static void do_xattr(struct play *p)
{
	struct mvol *m = pick(p);
	static const u8 value[4000] = "value";
	struct lvs_error err;
	char name[32];

	if (!m)
		return;
	snprintf(name, sizeof(name), "x%u", (unsigned int)play_rnd(3));
	LOG(p, "xattr %s of %s", name, m->name);
	outcome(p, lvw_vol_xattr_set(handle(p, m), name, value, play_rnd(sizeof(value)), &err), 0,
		&err, false);
}

/* What a write that ran out of space has done is asked for. */
static void do_write(struct play *p)
{
	struct mvol *m = pick(p);
	u32 cs = lvw_cluster_size(p->w);
	struct lvs_error err;
	size_t off, len;
	int rc;
	u8 *buf;

	if (!m)
		return;
	off = play_rnd(m->len);
	len = 1 + play_rnd(play_rnd(2) ? 3000 : 3 * cs);
	if (!play_rnd(3)) {
		off -= off % cs;
		len = cs * (1 + play_rnd(3));
	}
	if (len > m->len - off)
		len = m->len - off;
	buf = must(malloc(len));
	memset(buf, play_rnd(5) ? (int)(1 + play_rnd(255)) : 0, len);
	LOG(p, "write %s, %zu at %zu, 0x%02x", m->name, len, off, buf[0]);
	rc = lvw_pwrite(handle(p, m), off, buf, len, &err);
	outcome(p, rc, m->ro ? -EROFS : 0, &err, false);
	if (!m->ro) {
		remember(p, m);
		memcpy(m->data + off, buf, len);
		if (rc && lvw_pread(handle(p, m), off, m->data + off, len, &err))
			ktap_fail("step %u: read back: %s", p->step, err.text);
	}
	free(buf);
}

static void do_zero(struct play *p)
{
	struct mvol *m = pick(p);
	struct lvs_error err;
	size_t off, len;
	int rc;

	if (!m)
		return;
	off = play_rnd(m->len);
	len = 1 + play_rnd(m->len - off);
	LOG(p, "zero %s, %zu at %zu", m->name, len, off);
	rc = lvw_zero(handle(p, m), off, len, &err);
	outcome(p, rc, m->ro ? -EROFS : 0, &err, false);
	if (m->ro)
		return;
	remember(p, m);
	memset(m->data + off, 0, len);
	if (rc && lvw_pread(handle(p, m), off, m->data + off, len, &err))
		ktap_fail("step %u: read back: %s", p->step, err.text);
}

static void do_flush(struct play *p)
{
	struct lvs_error err;

	LOG(p, "flush");
	outcome(p, lvw_flush(p->w, &err), 0, &err, true);
}

static void do_reopen(struct play *p)
{
	LOG(p, "close and open");
	play_close(p);
	play_reopen(p, 0);
}

static void do_grow(struct play *p)
{
	struct lvs_error err;
	u64 size = lvw_size(p->w) + lvw_cluster_size(p->w) * (1 + play_rnd(8));

	if (size > p->d.limit)
		return;
	LOG(p, "grow to %llu", (unsigned long long)size);
	outcome(p, lvw_grow(p->w, size, &err), 0, &err, true);
}

void play_step(struct play *p)
{
	static const struct {
		unsigned int weight;
		void (*run)(struct play *p);
	} ops[] = {
		{ 10, do_create }, { 14, do_snapshot }, { 12, do_clone }, { 12, do_delete },
		{ 3, do_rename }, { 6, do_resize }, { 3, do_set_ro }, { 4, do_inflate },
		{ 5, do_xattr }, { 60, do_write }, { 12, do_zero }, { 6, do_flush },
		{ 4, do_reopen }, { 1, do_grow }, { 2, do_publish },
	};
	u64 n = play_rnd(154);
	size_t i = 0;

	p->step++;
	p->log[0] = 0;
	while (n >= ops[i].weight)
		n -= ops[i++].weight;
	ops[i].run(p);
}

/* ---- checks ---- */

void play_check_writer(struct play *p)
{
	struct lvs_error err;
	size_t n = 0;

	for (int i = 0; i < PLAY_VOLS; i++) {
		struct mvol *m = &p->vol[i];
		struct lvw_vol *v;
		u8 *buf;

		if (!m->used)
			continue;
		n++;
		v = handle(p, m);
		buf = must(malloc(m->len + 1));
		if (lvw_vol_size(v) != m->len || lvw_pread(v, 0, buf, m->len, &err) ||
		    memcmp(buf, m->data, m->len))
			ktap_fail("step %u (%s): the writer's \"%s\" is not what it should be",
				  p->step, p->log, m->name);
		free(buf);
	}
	if (n != lvw_vols(p->w))
		ktap_fail("step %u: %zu lvols, expected %zu", p->step, lvw_vols(p->w), n);
}

static void check_lvol(struct play *p, struct lvs_store *s, const struct mvol *m)
{
	const struct lvs_lvol *l = lvs_find(s, m->uuid), *parent;
	struct lvs_map map;
	u8 *buf;

	if (!l) {
		ktap_fail("step %u: the reader does not find \"%s\"", p->step, m->name);
		return;
	}
	parent = lvs_lvol_parent(l);
	if (lvs_lvol_size(l) != m->len || lvs_lvol_read_only(l) != m->ro ||
	    lvs_lvol_thin(l) == m->thick || strcmp(lvs_lvol_name(l), m->name) ||
	    strcmp(parent ? lvs_lvol_uuid(parent) : "", m->parent) || lvs_lvol_pending(l))
		ktap_fail("step %u: \"%s\": size %llu of %zu, ro %d, thin %d, parent %s of %s",
			  p->step, m->name, (unsigned long long)lvs_lvol_size(l), m->len,
			  lvs_lvol_read_only(l), lvs_lvol_thin(l),
			  parent ? lvs_lvol_uuid(parent) : "none", m->parent);
	if (lvs_lvol_size(l) != m->len)
		return;
	buf = must(malloc(m->len + 1));
	if (lvs_flatten(l, &map))
		must(NULL);
	if (lvs_map_read(s, &map, -1, 0, buf, m->len) || memcmp(buf, m->data, m->len))
		ktap_fail("step %u: the reader's \"%s\" is not what it should be", p->step,
			  m->name);
	lvs_map_free(&map);
	free(buf);
}

static bool is_zero(const u8 *p, size_t len)
{
	return !*p && !memcmp(p, p + 1, len - 1);
}

void play_check_free(const u8 *mem, struct lvs_store *s)
{
	u8 *used = must(calloc(1, s->total_clusters + 1));
	u8 *pages = must(calloc(1, s->md_len + 1));

	for (size_t i = 0; i < s->nr_blobs; i++) {
		const struct lvs_lvol *l = s->blobs[i];

		for (size_t k = 0; k < l->nr_runs; k++)
			memset(used + l->runs[k].phys, 1, l->runs[k].len);
		for (size_t k = 0; k < l->nr_refs; k++)
			pages[l->refs[k].page] = 1;
	}
	for (u64 c = s->md_clusters; c < s->total_clusters; c++)
		if (!used[c] && !is_zero(mem + c * s->cluster_size, s->cluster_size))
			ktap_fail("free cluster %llu is not zero", (unsigned long long)c);
	for (u32 i = 0; i < s->md_len; i++)
		if (!pages[i] && !is_zero(mem + md_byte(s, i), LVS_DISK_PAGE))
			ktap_fail("free md page %u is not zero", i);
	free(used);
	free(pages);
}

void play_check_closed(struct play *p)
{
	struct lvs_store *s;
	struct lvs_error err;
	u64 claims = 0;
	size_t n = 0;

	if (disk_open_reader(p->d.mem, p->d.len, &s, &err)) {
		ktap_fail("step %u: the reader: %s", p->step, err.text);
		return;
	}
	ktap_check(lvs_clean(s), "step %u: not clean", p->step);
	for (size_t i = 0; i < lvs_refusals(s); i++)
		ktap_fail("step %u: refused: %s", p->step, lvs_refusal_at(s, i)->text);
	for (int i = 0; i < PLAY_VOLS; i++) {
		if (!p->vol[i].used)
			continue;
		check_lvol(p, s, &p->vol[i]);
		n++;
	}
	for (size_t i = 0; i < lvs_lvols(s); i++)
		claims += lvs_lvol_allocated(lvs_lvol_at(s, i));
	ktap_check(lvs_lvols(s) == n, "step %u: %zu lvols, expected %zu", p->step, lvs_lvols(s), n);
	ktap_check(lvs_free_clusters(s) + claims == lvs_data_clusters(s),
		   "step %u: %llu free, %llu owned, of %llu", p->step,
		   (unsigned long long)lvs_free_clusters(s), (unsigned long long)claims,
		   (unsigned long long)lvs_data_clusters(s));
	play_check_free(p->d.mem, s);
	lvs_close(s);
}
