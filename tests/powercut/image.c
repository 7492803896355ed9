// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "test.h"

static const u8 *map_base(const char *path, u64 sectors)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *mem;

	if (fd < 0 || fstat(fd, &st))
		die("%s: %m", path);
	if ((u64)st.st_size != sectors * SECTOR)
		die("%s: %lld bytes, but the disk has %llu sectors", path, (long long)st.st_size,
		    (unsigned long long)sectors);
	mem = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (mem == MAP_FAILED)
		die("%s: %m", path);
	close(fd);
	return mem;
}

struct image *image_open(const struct trace *t, const char *base)
{
	struct image *m = xalloc(sizeof(*m));

	m->t = t;
	if (base) {
		m->base = map_base(base, t->sectors);
		m->base_value = xalloc(t->sectors * sizeof(*m->base_value));
	}
	m->durable = xalloc(t->sectors * sizeof(*m->durable));
	m->untrimmed = xalloc(t->sectors * sizeof(*m->untrimmed));
	m->pending = xalloc((t->nr_req + 1) * sizeof(*m->pending));
	m->now = m->durable;
	return m;
}

/* Did @n take effect after what is there? */
static bool is_later(const struct image *m, u32 n, u32 there)
{
	return !there || m->t->req[n].done > m->t->req[there - 1].done;
}

static void make_durable(struct image *m, u32 n)
{
	const struct request *r = &m->t->req[n];

	for (u64 s = r->sector; s < r->sector + r->nr; s++) {
		if (is_later(m, n, m->durable[s]))
			m->durable[s] = n + 1;
		if (r->type != TRACE_TRIM && is_later(m, n, m->untrimmed[s]))
			m->untrimmed[s] = n + 1;
	}
}

static void remove_pending(struct image *m, u32 i)
{
	m->nr_pending--;
	memmove(m->pending + i, m->pending + i + 1,
		(m->nr_pending - i) * sizeof(*m->pending));
}

/* All that was done when the flush came is durable. */
static void flush_done(struct image *m, const struct request *f)
{
	u32 keep = 0;

	for (u32 i = 0; i < m->nr_pending; i++) {
		u32 n = m->pending[i];

		if (i < m->nr_done && m->t->req[n].done < f->submit)
			make_durable(m, n);
		else
			m->pending[keep++] = n;
	}
	m->nr_done -= m->nr_pending - keep;
	m->nr_pending = keep;
}

static void request_done(struct image *m, u32 n)
{
	const struct request *r = &m->t->req[n];
	u32 i = m->nr_done;

	if (r->type == TRACE_FLUSH) {
		flush_done(m, r);
		return;
	}
	while (m->pending[i] != n)
		i++;
	remove_pending(m, i);
	if (r->fua) {
		make_durable(m, n);
		return;
	}
	memmove(m->pending + m->nr_done + 1, m->pending + m->nr_done,
		(m->nr_pending - m->nr_done) * sizeof(*m->pending));
	m->pending[m->nr_done++] = n;
	m->nr_pending++;
}

void image_advance(struct image *m, u32 at)
{
	image_reset(m, false);
	for (; m->at < at; m->at++) {
		const struct event *e = &m->t->event[m->at];

		if (e->kind == EVENT_DONE)
			request_done(m, e->n);
		else if (e->kind == EVENT_SUBMIT && m->t->req[e->n].type != TRACE_FLUSH)
			m->pending[m->nr_pending++] = e->n;
	}
}

static void set(struct image *m, u64 sector, u32 n)
{
	if (m->nr_undo == m->cap_undo) {
		m->cap_undo = m->cap_undo ? 2 * m->cap_undo : 4096;
		m->undo = reallocarray(m->undo, m->cap_undo, sizeof(*m->undo));
		if (!m->undo)
			die("out of memory");
	}
	m->undo[m->nr_undo++] = (struct image_undo){ sector, m->now[sector] };
	m->now[sector] = n + 1;
}

static u64 random_of(u64 *rng)
{
	return tag_mix(*rng += 0x9e3779b97f4a7c15ULL);
}

void image_apply(struct image *m, u32 n, u32 part, u64 *rng)
{
	u32 req = m->pending[n];
	const struct request *r = &m->t->req[req];

	if (r->type == TRACE_TRIM && m->now == m->untrimmed)
		return;
	for (u64 s = r->sector; s < r->sector + r->nr; s++) {
		/* what is under way may yet come over anything, what is done only over older */
		if (n < m->nr_done && !is_later(m, req, m->now[s]))
			continue;
		if (part == 8 || random_of(rng) % 8 < part)
			set(m, s, req);
	}
}

void image_reset(struct image *m, bool untrimmed)
{
	while (m->nr_undo) {
		const struct image_undo *u = &m->undo[--m->nr_undo];

		m->now[u->sector] = u->was;
	}
	m->now = untrimmed ? m->untrimmed : m->durable;
}

const struct value *image_value(struct image *m, u64 sector)
{
	u32 n = m->now[sector];
	const struct request *r;

	if (n) {
		r = &m->t->req[n - 1];
		return r->value ? &r->value[sector - r->sector] : &value_zero;
	}
	if (!m->base)
		return &value_zero;
	if (m->base_value[sector].kind == VALUE_UNKNOWN)
		value_decode(m->base + sector * SECTOR, &m->base_value[sector]);
	return &m->base_value[sector];
}

void image_read(const struct image *m, u64 sector, void *buf, u32 nr)
{
	u8 *to = buf;

	for (u32 i = 0; i < nr; i++, to += SECTOR) {
		u32 n = m->now[sector + i];
		const struct request *r = n ? &m->t->req[n - 1] : NULL;

		if (r && r->data)
			memcpy(to, r->data + (sector + i - r->sector) * SECTOR, SECTOR);
		else if (!r && m->base)
			memcpy(to, m->base + (sector + i) * SECTOR, SECTOR);
		else
			memset(to, 0, SECTOR);
	}
}
