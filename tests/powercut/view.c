// SPDX-License-Identifier: GPL-2.0-only
#include "test.h"
#include "view.h"

static int image_io_read(struct pool_io *io, u64 block, void *buf, u32 nr)
{
	image_read(io->priv, block * BLOCK_SECTORS, buf, nr * BLOCK_SECTORS);
	return 0;
}

struct view *view_open(struct image *m, const struct history *h, bool pool)
{
	static const struct pool_io_ops ops = { .read = image_io_read };
	struct view *v = xalloc(sizeof(*v));

	v->m = m;
	v->h = h;
	v->nr_image = h->image_sectors;
	v->image = xalloc(v->nr_image * sizeof(*v->image));
	for (u64 i = 0; i < v->nr_image; i++)
		v->image[i] = (struct value){ .kind = VALUE_IMAGE, .sector = i };
	if (pool && pool_io_open_ops(&ops, m->t->sectors / BLOCK_SECTORS, false, m, &v->io))
		die("out of memory");
	return v;
}

static u32 find_upper(const struct pool *p, const char *name)
{
	for (u32 n = 0; n < p->info.layout.nr_uppers; n++)
		if (p->upper[n].place == POOL_PLACE_LIVE && !strcmp(p->upper[n].name, name))
			return n;
	return POOL_NO_UPPER;
}

static void fill_where(struct view *v, u32 dev, const struct pool_records *map, u64 nr)
{
	if (nr > v->cap[dev]) {
		v->where[dev] = reallocarray(v->where[dev], nr, sizeof(u64));
		if (!v->where[dev])
			die("out of memory");
		v->cap[dev] = nr;
	}
	for (u64 b = 0; b < nr; b++)
		v->where[dev][b] = POOL_IMAGE;
	for (size_t i = 0; i < map->nr; i++) {
		const struct pool_record *r = &map->rec[i];

		for (u64 b = 0; b < r->nr; b++)
			v->where[dev][r->start + b] = r->where == POOL_ZEROES ? POOL_ZEROES :
						      r->where + b;
	}
}

/* The map of an upper that is live. */
static bool read_map(struct view *v, u32 dev)
{
	u32 n = v->upper[dev];
	struct pool_records map;

	if (pool_upper_map(v->pool, n, &map))
		return false;
	fill_where(v, dev, &map, v->pool->upper[n].nr_blocks);
	free(map.rec);
	return true;
}

static bool read_pool(struct view *v, void (*complain)(void *priv, const char *text), void *priv)
{
	struct ybd_error err = { 0 };

	pool_close(v->pool);
	v->pool = NULL;
	if (pool_check(v->io, &v->pool, &err)) {
		complain(priv, err.text);
		v->pool = NULL;
		return false;
	}
	for (size_t i = 0; i < v->pool->report.nr; i++)
		if (v->pool->report.find[i].error)
			complain(priv, v->pool->report.find[i].text);
	return true;
}

bool view_read(struct view *v, void (*complain)(void *priv, const char *text), void *priv)
{
	if (!v->io)
		return true;
	if (!read_pool(v, complain, priv))
		return false;
	for (u32 dev = 1; dev < MAX_DEVICES; dev++) {
		const struct device *d = &v->h->dev[dev];

		v->upper[dev] = POOL_NO_UPPER;
		if (d->state == DEVICE_NONE || d->flags & MARK_IDENTITY)
			continue;
		v->upper[dev] = find_upper(v->pool, d->name);
		/* what is wrong was said by the check */
		if (v->upper[dev] != POOL_NO_UPPER && !read_map(v, dev))
			v->upper[dev] = POOL_NO_UPPER;
	}
	return true;
}

bool view_has(const struct view *v, u32 dev)
{
	return v->h->dev[dev].flags & MARK_IDENTITY || v->upper[dev] != POOL_NO_UPPER;
}

u64 view_size(const struct view *v, u32 dev)
{
	if (v->h->dev[dev].flags & MARK_IDENTITY)
		return v->h->dev[dev].nr;
	return v->pool->upper[v->upper[dev]].nr_blocks * BLOCK_SECTORS;
}

u64 view_epoch(const struct view *v, u32 dev)
{
	return v->h->dev[dev].flags & MARK_IDENTITY ? 0 : v->pool->upper[v->upper[dev]].epoch;
}

const struct value *view_value(struct view *v, u32 dev, u64 s)
{
	u64 where;

	if (v->h->dev[dev].flags & MARK_IDENTITY)
		return image_value(v->m, v->h->dev[dev].first + s);
	where = v->where[dev][s / BLOCK_SECTORS];
	if (where == POOL_ZEROES)
		return &value_zero;
	if (where != POOL_IMAGE)
		return image_value(v->m, where * BLOCK_SECTORS + s % BLOCK_SECTORS);
	return s < v->nr_image ? &v->image[s] : &value_zero;
}

void view_bytes(struct view *v, u32 dev, u64 s, const void *image, void *buf)
{
	u64 where = v->where[dev][s / BLOCK_SECTORS];

	if (where == POOL_IMAGE && image)
		memcpy(buf, image, SECTOR);
	else if (where >= POOL_IMAGE)
		memset(buf, 0, SECTOR);
	else
		image_read(v->m, where * BLOCK_SECTORS + s % BLOCK_SECTORS, buf, 1);
}
