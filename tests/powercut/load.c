// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "load.h"
#include "test.h"

const struct value value_zero = { .kind = VALUE_ZERO };

void value_decode(const void *sector, struct value *v)
{
	u8 want[SECTOR];
	struct tag t;

	memset(v, 0, sizeof(*v));
	if (is_zero(sector, SECTOR)) {
		v->kind = VALUE_ZERO;
		return;
	}
	memcpy(&t, sector, sizeof(t));
	if (t.magic == TAG_MAGIC) {
		tag_fill(want, &t);
		v->kind = memcmp(want, sector, SECTOR) ? VALUE_OTHER : VALUE_TAG;
	}
	if (v->kind != VALUE_TAG) {
		v->kind = VALUE_OTHER;
		v->op = crc32c(sector, SECTOR);
		return;
	}
	v->sector = t.sector;
	if (!t.run && t.op == TAG_IMAGE) {
		v->kind = VALUE_IMAGE;
		return;
	}
	v->run = t.run;
	v->op = t.op;
	v->dev = t.dev;
}

bool value_equal(const struct value *a, const struct value *b)
{
	return a->kind == b->kind && a->run == b->run && a->op == b->op && a->dev == b->dev &&
	       a->sector == b->sector;
}

/**
 * struct loader - the file
 * @at: next byte
 * @end: behind the last one
 */
struct loader {
	const u8 *at;
	const u8 *end;
};

/* Entries are as they were written, one after the other, so not aligned. */
static bool next_entry(struct loader *l, struct trace_entry *e, const u8 **data)
{
	if (l->end - l->at < (ssize_t)sizeof(*e))
		return false;
	memcpy(e, l->at, sizeof(*e));
	if ((u64)(l->end - l->at) - sizeof(*e) < e->bytes)
		return false;
	*data = l->at + sizeof(*e);
	l->at = *data + e->bytes;
	return true;
}

static void count(struct trace *t, struct loader l)
{
	struct trace_entry e;
	const u8 *data;

	while (next_entry(&l, &e, &data)) {
		t->nr_event++;
		t->nr_mark += e.type == TRACE_MARK;
		if (e.type != TRACE_MARK && e.type != TRACE_DONE && e.id >= t->nr_req)
			t->nr_req = e.id + 1;
	}
	t->req = xalloc(t->nr_req * sizeof(*t->req));
	t->event = xalloc(t->nr_event * sizeof(*t->event));
	t->mark = xalloc(t->nr_mark * sizeof(*t->mark));
}

static void take_request(struct trace *t, const struct trace_entry *e, const u8 *data, u32 n)
{
	struct request *r = &t->req[e->id];

	if (e->type != TRACE_FLUSH && (e->sector + e->nr > t->sectors || !e->nr))
		die("request %u lies behind the end", e->id);
	*r = (struct request){
		.type = e->type, .fua = e->fua, .sector = e->sector, .nr = e->nr, .submit = n,
		.done = NEVER,
	};
	if (e->type != TRACE_WRITE)
		return;
	r->data = data;
	r->value = xalloc(e->nr * sizeof(*r->value));
	for (u32 i = 0; i < e->nr; i++)
		value_decode(data + i * SECTOR, &r->value[i]);
	t->bytes += e->bytes;
}

static void take(struct trace *t, const struct trace_entry *e, const u8 *data, u32 n)
{
	struct event *v = &t->event[n];
	struct mark *m;

	switch (e->type) {
	case TRACE_MARK:
		m = xalloc(sizeof(*m));
		memcpy(m, data, sizeof(*m));
		m->name[MARK_NAME - 1] = 0;
		*v = (struct event){ EVENT_MARK, t->nr_mark };
		t->mark[t->nr_mark++] = m;
		break;
	case TRACE_DONE:
		if (e->id >= t->nr_req || !t->req[e->id].type)
			die("request %u is done, but never came", e->id);
		t->req[e->id].done = n;
		*v = (struct event){ EVENT_DONE, e->id };
		break;
	default:
		take_request(t, e, data, n);
		*v = (struct event){ EVENT_SUBMIT, e->id };
	}
}

struct trace *trace_load(const char *path)
{
	struct trace *t = xalloc(sizeof(*t));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct trace_entry e;
	struct trace_head h;
	struct loader l;
	struct stat st;
	const u8 *data, *mem;

	if (fd < 0 || fstat(fd, &st))
		die("%s: %m", path);
	mem = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (mem == MAP_FAILED || (size_t)st.st_size < sizeof(h))
		die("%s: no trace", path);
	close(fd);
	memcpy(&h, mem, sizeof(h));
	if (h.magic != TRACE_MAGIC)
		die("%s: no trace", path);
	t->sectors = h.sectors;
	l = (struct loader){ mem + sizeof(h), mem + st.st_size };
	count(t, l);
	t->nr_mark = 0;
	for (u32 n = 0; next_entry(&l, &e, &data); n++)
		take(t, &e, data, n);
	return t;
}
