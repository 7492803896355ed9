// SPDX-License-Identifier: GPL-2.0-only
#include "upper_model.h"

#define MAGIC	0x756d6f64u
#define WORDS	(UM_SECTOR / sizeof(u64))

/* In place of the number of an operation. */
#define VALUE_ZERO	0xfffffffeu
#define VALUE_ALIEN	0xffffffffu

void um_init(struct upper_model *m, const u8 *image, u64 nr)
{
	memset(m, 0, sizeof(*m));
	m->nr = nr;
	m->image = image;
	m->sector = xalloc(nr * sizeof(*m->sector));
}

void um_free(struct upper_model *m)
{
	free(m->sector);
	free(m->op);
}

u32 um_begin(struct upper_model *m, u64 sector, u32 nr, bool zero)
{
	if (m->nr_op + 1 >= m->cap) {
		m->cap = m->cap ? 2 * m->cap : 1024;
		m->op = reallocarray(m->op, m->cap, sizeof(*m->op));
		if (!m->op)
			die("out of memory");
	}
	m->op[++m->nr_op] = (struct um_op){ sector, nr, zero };
	for (u32 i = 0; zero && i < nr; i++)
		m->sector[sector + i].zero = m->nr_op;
	return m->nr_op;
}

static void fill_sector(u64 *w, u32 op, u64 sector)
{
	w[0] = (u64)MAGIC << 32 | op;
	w[1] = sector;
	for (u32 i = 2; i < WORDS; i++)
		w[i] = (w[0] ^ sector * 0x9e3779b97f4a7c15ULL) + i;
}

void um_fill(const struct upper_model *m, u32 op, u8 *buf)
{
	const struct um_op *o = &m->op[op];

	for (u32 i = 0; i < o->nr; i++)
		fill_sector((u64 *)(buf + i * UM_SECTOR), op, o->sector + i);
}

void um_end(struct upper_model *m, u32 op, bool ok, bool durable)
{
	const struct um_op *o = &m->op[op];

	for (u32 i = 0; i < o->nr; i++) {
		struct um_sector *s = &m->sector[o->sector + i];

		s->loose = !ok;
		if (ok)
			s->last = op;
		if (ok && durable)
			s->floor = op;
	}
}

void um_flushed(struct upper_model *m)
{
	for (u64 i = 0; i < m->nr; i++)
		m->sector[i].floor = m->sector[i].last;
}

/* Which operation has made it? That of the image is 0. */
static u32 value_of(const struct upper_model *m, u64 sector, const u8 *buf)
{
	u64 want[WORDS], first;
	u32 op;

	memcpy(&first, buf, sizeof(first));
	op = (u32)first;
	if (first >> 32 == MAGIC && op && op <= m->nr_op) {
		const struct um_op *o = &m->op[op];

		fill_sector(want, op, sector);
		if (o->zero || sector < o->sector || sector >= o->sector + o->nr ||
		    memcmp(want, buf, UM_SECTOR))
			return VALUE_ALIEN;
		return op;
	}
	if (is_zero(buf, UM_SECTOR))
		return VALUE_ZERO;
	return memcmp(buf, m->image + sector * UM_SECTOR, UM_SECTOR) ? VALUE_ALIEN : 0;
}

/* Where two have made the same, the one that suits. */
static u32 settle_zero(const struct upper_model *m, u64 sector)
{
	const struct um_sector *s = &m->sector[sector];

	if (s->zero && s->zero >= s->floor)
		return s->zero;
	return is_zero(m->image + sector * UM_SECTOR, UM_SECTOR) ? 0 : VALUE_ZERO;
}

static const char *check_sector(const struct upper_model *m, u64 sector, u32 value, bool lost)
{
	const struct um_sector *s = &m->sector[sector];

	if (value == VALUE_ALIEN)
		return "what nobody has written there";
	if (value == VALUE_ZERO)
		return "zeroes that nobody has made, or that were written over";
	if (value < s->floor)
		return "older than what was durable";
	if (!lost && !s->loose && value != s->last)
		return "not what was written last";
	return NULL;
}

static u32 look(const struct upper_model *m, u64 sector, const u8 *buf)
{
	u32 value = value_of(m, sector, buf);

	return value == VALUE_ZERO ? settle_zero(m, sector) : value;
}

static const char *check(const struct upper_model *m, u64 sector, u32 nr, const u8 *buf, bool lost)
{
	static __thread char text[160];

	for (u64 i = sector; i < sector + nr; i++, buf += UM_SECTOR) {
		const char *why = check_sector(m, i, look(m, i, buf), lost);

		if (!why)
			continue;
		snprintf(text, sizeof(text), "sector %llu: %s (%d; last %u, durable %u)",
			 (unsigned long long)i, why, (int)look(m, i, buf), m->sector[i].last,
			 m->sector[i].floor);
		return text;
	}
	return NULL;
}

const char *um_check(const struct upper_model *m, u64 sector, u32 nr, const u8 *buf)
{
	return check(m, sector, nr, buf, false);
}

const char *um_adopt(struct upper_model *m, u64 sector, u32 nr, const u8 *buf)
{
	const char *why = check(m, sector, nr, buf, true);

	for (u32 i = 0; i < nr && !why; i++) {
		struct um_sector *s = &m->sector[sector + i];

		s->last = look(m, sector + i, buf + i * UM_SECTOR);
		s->floor = s->last;
		s->loose = false;
	}
	return why;
}
