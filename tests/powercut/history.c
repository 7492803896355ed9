// SPDX-License-Identifier: GPL-2.0-only
#include "history.h"
#include "test.h"

const char *const verdict_text[NR_VERDICTS] = {
	[IS_OK] = "ok",
	[IS_LOST] = "lost: a younger value was durable",
	[IS_THIRD] = "a third value",
	[IS_ALIEN] = "another device's, or from another place",
	[IS_EARLY] = "not yet begun",
	[IS_TORN] = "half of a first write",
};

/* ---- before the start: which END belongs to which beginning ---- */

static bool is_data(u32 what)
{
	return what == MARK_WRITE || what == MARK_FUA || what == MARK_DISCARD || what == MARK_ZERO;
}

static bool is_zero_op(const struct op *o)
{
	return o->what == MARK_DISCARD || o->what == MARK_ZERO;
}

/* Does an operation begin there? */
static bool begins(const struct mark *m)
{
	return m->what != MARK_END && m->what != MARK_DEVICE && m->what != MARK_FILE;
}

/* Numbers of data operations are unique in a run and ascend, roughly; others come again. */
static u32 find_begin(const struct history *h, const struct mark *end, u32 before)
{
	while (before--) {
		const struct mark *m = h->t->mark[before];

		if (m->op == end->op && begins(m))
			return before;
	}
	die("mark of an end without a beginning, operation %#x", end->op);
}

/* Its place in the table, or the empty one where it would be. */
static u32 *find_op(const struct history *h, u32 number)
{
	u32 i = (u32)tag_mix(number) & h->mask;

	while (h->table[i] && h->op[h->table[i] - 1].op != number)
		i = (i + 1) & h->mask;
	return &h->table[i];
}

static void number_op(struct history *h, const struct mark *m, u32 n)
{
	u32 *at;

	/* the rest of it when it begins */
	h->op[n].op = m->op;
	if (!is_data(m->what))
		return;
	at = find_op(h, m->op);
	if (*at)
		die("operation %#x began twice", m->op);
	*at = n + 1;
}

static void pair_marks(struct history *h)
{
	const struct trace *t = h->t;

	h->by_mark = xalloc((t->nr_mark + 1) * sizeof(*h->by_mark));
	h->op = xalloc((t->nr_mark + 1) * sizeof(*h->op));
	for (h->mask = 1; h->mask < 2 * t->nr_mark; h->mask *= 2)
		;
	h->table = xalloc(h->mask-- * sizeof(*h->table));
	for (u32 i = 0, nr = 0; i < t->nr_mark; i++) {
		const struct mark *m = t->mark[i];

		if (!m->what || m->what >= NR_MARKS || m->dev >= MAX_DEVICES)
			die("mark %u makes no sense", i);
		if (m->what == MARK_END) {
			h->by_mark[i] = h->by_mark[find_begin(h, m, i)];
		} else if (begins(m)) {
			number_op(h, m, nr);
			h->by_mark[i] = nr++;
		}
		h->run = m->run;
	}
}

/* ---- devices ---- */

static void sector_init(struct device *d, u64 s)
{
	struct sector *x = &d->sector[s];

	*x = (struct sector){ .known = !(d->flags & MARK_PARTLY) };
	if (d->flags & MARK_PARTLY)
		return;
	x->initial = (struct value){ .kind = VALUE_IMAGE, .sector = s };
	if (s < d->nr_initial)
		x->initial = d->initial[s];
}

static void block_init(struct device *d, u64 b)
{
	bool fresh = !d->initial && !(d->flags & MARK_PARTLY);

	d->block[b] = (struct block){ .map = fresh ? BLOCK_NO : BLOCK_MAYBE };
}

static void device_grow(struct device *d, u64 nr)
{
	u64 cap = (nr + BLOCK_SECTORS - 1) / BLOCK_SECTORS * BLOCK_SECTORS;

	if (cap <= d->cap)
		return;
	d->sector = reallocarray(d->sector, cap, sizeof(*d->sector));
	d->block = reallocarray(d->block, cap / BLOCK_SECTORS, sizeof(*d->block));
	if (!d->sector || !d->block)
		die("out of memory");
	for (u64 s = d->cap; s < cap; s++)
		sector_init(d, s);
	for (u64 b = d->cap / BLOCK_SECTORS; b < cap / BLOCK_SECTORS; b++)
		block_init(d, b);
	d->cap = cap;
}

static void device_is(struct history *h, const struct mark *m)
{
	struct device *d = &h->dev[m->dev];

	memcpy(d->name, m->name, MARK_NAME);
	d->flags |= m->flags;
	if (m->flags & MARK_IDENTITY)
		d->first = m->op;
	if (d->state == DEVICE_NONE) {
		d->state = DEVICE_THERE;
		d->nr = d->new_nr = m->sector;
		device_grow(d, m->sector);
	}
	/* one that was created here: it is only known now what is done to it */
	if (!(d->flags & MARK_PARTLY) || d->written)
		return;
	for (u64 s = 0; s < d->cap; s++)
		sector_init(d, s);
	for (u64 b = 0; b < d->cap / BLOCK_SECTORS; b++)
		block_init(d, b);
}

/* ---- operations ---- */

/* Of a discard only whole blocks count: of others a device may do nothing. */
static void raise_floor(struct device *d, struct op *o)
{
	u64 from = o->sector, to = o->sector + o->nr;

	if (o->what == MARK_DISCARD) {
		from = (from + BLOCK_SECTORS - 1) / BLOCK_SECTORS * BLOCK_SECTORS;
		to = to / BLOCK_SECTORS * BLOCK_SECTORS;
	}
	o->durable = true;
	for (u64 s = from; s < to; s++)
		if (d->sector[s].floor < o->begin)
			d->sector[s].floor = o->begin;
}

static void wait_for_flush(struct device *d, u32 n)
{
	if (d->nr_waiting == d->cap_waiting) {
		d->cap_waiting = d->cap_waiting ? 2 * d->cap_waiting : 256;
		d->waiting = reallocarray(d->waiting, d->cap_waiting, sizeof(*d->waiting));
		if (!d->waiting)
			die("out of memory");
	}
	d->waiting[d->nr_waiting++] = n;
}

static void flush_ended(struct history *h, struct device *d, const struct op *f)
{
	u32 keep = 0;

	for (u32 i = 0; i < d->nr_waiting; i++) {
		struct op *o = &h->op[d->waiting[i]];

		if (o->end < f->begin)
			raise_floor(d, o);
		else
			d->waiting[keep++] = d->waiting[i];
	}
	d->nr_waiting = keep;
}

/* Of a block: whole ones only are what a discard gives back. */
static bool covers(const struct op *o, u64 block)
{
	return o->sector <= block * BLOCK_SECTORS &&
	       o->sector + o->nr >= (block + 1) * BLOCK_SECTORS;
}

static void block_begin(struct history *h, struct block *b, const struct op *o)
{
	if (b->busy++) {
		/* which of those that are under way comes first is not known */
		if (b->first && h->op[b->first - 1].end == NEVER)
			b->first = 0;
		b->mixed = true;
		b->map = BLOCK_MAYBE;
	} else if (b->map == BLOCK_NO && !is_zero_op(o)) {
		b->first = (u32)(o - h->op) + 1;
		b->map = BLOCK_YES;
	}
}

static void block_end(const struct history *h, struct block *b, const struct op *o, u64 block)
{
	/* what was refused for want of room may have left nothing for later ones to add to */
	if (o->status && b->first && o == &h->op[b->first - 1])
		b->first = 0;
	if (--b->busy)
		return;
	/* a part of a block is made zeroes by writing to it */
	if (!b->mixed && (o->status || (is_zero_op(o) && !covers(o, block))))
		b->map = BLOCK_MAYBE;
	else if (!b->mixed && is_zero_op(o))
		b->map = BLOCK_NO;
	b->mixed = false;
}

static void data_begin(struct history *h, struct device *d, const struct op *o)
{
	if (!o->nr || o->sector + o->nr > d->cap)
		die("operation %#x lies behind the end of device %u", o->op, o->dev);
	d->written = true;
	for (u64 s = o->sector; s < o->sector + o->nr; s++) {
		d->sector[s].known = true;
		if (is_zero_op(o)) {
			d->sector[s].zero_begin = o->begin;
			d->sector[s].zero_busy++;
		}
	}
	for (u64 b = o->sector / BLOCK_SECTORS; b * BLOCK_SECTORS < o->sector + o->nr; b++)
		block_begin(h, &d->block[b], o);
}

static void data_end(struct history *h, struct device *d, struct op *o)
{
	for (u64 s = o->sector; is_zero_op(o) && s < o->sector + o->nr; s++) {
		d->sector[s].zero_end = o->end;
		d->sector[s].zero_busy--;
	}
	for (u64 b = o->sector / BLOCK_SECTORS; b * BLOCK_SECTORS < o->sector + o->nr; b++)
		block_end(h, &d->block[b], o, b);
	if (o->status)
		return;
	if (o->what == MARK_FUA)
		raise_floor(d, o);
	else
		wait_for_flush(d, (u32)(o - h->op));
}

static void op_begin(struct history *h, const struct mark *m)
{
	struct device *d = &h->dev[m->dev];
	struct op *o = &h->op[h->nr_op++];

	*o = (struct op){
		.what = m->what, .dev = m->dev, .op = m->op, .sector = m->sector, .nr = m->nr,
		.begin = h->at, .end = NEVER,
	};
	if (is_data(m->what)) {
		data_begin(h, d, o);
	} else if (m->what == MARK_CREATE) {
		memcpy(d->name, m->name, MARK_NAME);
		d->state = DEVICE_COMING;
		d->flags = m->flags;
		d->nr = d->new_nr = m->sector;
		device_grow(d, m->sector);
	} else if (m->what == MARK_DESTROY) {
		d->state = DEVICE_GOING;
	} else if (m->what == MARK_RESIZE) {
		d->new_nr = m->sector;
		device_grow(d, m->sector);
	}
}

static void op_end(struct history *h, const struct mark *m, u32 n)
{
	struct op *o = &h->op[n];
	struct device *d = &h->dev[o->dev];

	o->end = h->at;
	o->status = m->status;
	if (is_data(o->what))
		data_end(h, d, o);
	else if (o->what == MARK_FLUSH && !o->status)
		flush_ended(h, d, o);
	else if (o->what == MARK_CREATE)
		d->state = o->status ? DEVICE_GONE : DEVICE_THERE;
	else if (o->what == MARK_DESTROY)
		d->state = o->status ? DEVICE_THERE : DEVICE_GONE;
	else if (o->what == MARK_RESIZE && !o->status)
		d->nr = d->new_nr;
	else if (o->what == MARK_RESIZE)
		d->new_nr = d->nr;
	else if (o->what == MARK_ATTACH && !o->status)
		d->attached++;
}

static void number_values(const struct history *h, struct trace *t)
{
	for (u32 i = 0; i < t->nr_req; i++) {
		struct request *r = &t->req[i];

		for (u32 k = 0; r->value && k < r->nr; k++)
			if (r->value[k].kind == VALUE_TAG && r->value[k].run == h->run)
				r->value[k].index = *find_op(h, r->value[k].op);
	}
}

static void file_has(struct history *h, const struct mark *m)
{
	struct file *f = &h->file[m->dev % MAX_FILES];

	memcpy(f->name, m->name, MARK_NAME);
	if (f->records < m->sector)
		f->records = m->sector;
}

struct history *history_open(struct trace *t, u64 image_sectors)
{
	struct history *h = xalloc(sizeof(*h));

	h->t = t;
	h->image_sectors = image_sectors;
	pair_marks(h);
	number_values(h, t);
	return h;
}

void history_advance(struct history *h, u32 at)
{
	for (; h->at < at; h->at++) {
		const struct event *e = &h->t->event[h->at];
		const struct mark *m;

		if (e->kind != EVENT_MARK)
			continue;
		m = h->t->mark[e->n];
		if (m->what == MARK_DEVICE)
			device_is(h, m);
		else if (m->what == MARK_FILE)
			file_has(h, m);
		else if (m->what == MARK_END)
			op_end(h, m, h->by_mark[e->n]);
		else
			op_begin(h, m);
	}
}

/* ---- checking ---- */

const struct op *history_op(const struct history *h, const struct value *v)
{
	u32 n = v->index;

	/* what was on the disk before the trace has not been told */
	if (!n && v->kind == VALUE_TAG && v->run == h->run)
		n = *find_op(h, v->op);
	return n && n <= h->nr_op ? &h->op[n - 1] : NULL;
}

static enum verdict check_zero(const struct history *h, const struct sector *x, u64 s)
{
	if (x->zero_busy || x->zero_end > x->floor)
		return IS_OK;
	if (!x->floor && (x->initial.kind == VALUE_ZERO ||
			  (x->initial.kind == VALUE_IMAGE && s >= h->image_sectors)))
		return IS_OK;
	return x->floor ? IS_LOST : IS_THIRD;
}

enum verdict history_check(const struct history *h, u32 dev, u64 s, const struct value *v)
{
	const struct sector *x = &h->dev[dev].sector[s];
	const struct op *o;

	if (!x->known || (!x->floor && x->initial.kind == VALUE_UNKNOWN))
		return IS_OK;
	if (v->kind == VALUE_ZERO)
		return check_zero(h, x, s);
	if (value_equal(v, &x->initial))
		return x->floor ? IS_LOST : IS_OK;
	if (v->kind == VALUE_IMAGE)
		return v->sector == s ? IS_LOST : IS_ALIEN;
	if (v->kind == VALUE_OTHER)
		return IS_THIRD;
	if (v->dev != dev || v->sector != s)
		return IS_ALIEN;
	if (v->run != h->run)
		return IS_THIRD;
	o = history_op(h, v);
	if (!o || s < o->sector || s >= o->sector + o->nr)
		return IS_EARLY;
	return o->end > x->floor ? IS_OK : IS_LOST;
}

enum verdict history_check_block(const struct history *h, u32 dev, u64 block,
				 const struct value *const v[BLOCK_SECTORS])
{
	const struct device *d = &h->dev[dev];
	bool old = true, new = true;
	const struct op *first, *o;

	if (d->flags & MARK_IDENTITY || !d->block[block].first)
		return IS_OK;
	first = &h->op[d->block[block].first - 1];
	for (u32 i = 0; i < BLOCK_SECTORS; i++) {
		u64 s = block * BLOCK_SECTORS + i;

		if (s < first->sector || s >= first->sector + first->nr)
			continue;
		o = history_op(h, v[i]);
		if (o && o->begin >= first->begin)
			old = false;
		if (!o && !(v[i]->kind == VALUE_ZERO && d->sector[s].zero_begin > first->begin))
			new = false;
		if (o && o->begin < first->begin)
			new = false;
	}
	return old || new ? IS_OK : IS_TORN;
}
