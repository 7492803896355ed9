// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replaying record by record would need a tree of ranges. All records being known, a sweep over the
 * device does: at each point the youngest of the records that cover it is the one that counts, and
 * a heap has it on top.
 */
#include <errno.h>
#include <stdlib.h>

#include "priv.h"

int pool_records_add(struct pool_records *r, struct pool_record rec)
{
	int rc = pool_room(&r->rec, &r->cap, r->nr, sizeof(rec));

	if (!rc)
		r->rec[r->nr++] = rec;
	return rc;
}

/**
 * struct sweep - the state of it
 * @rec: records, the later the younger
 * @nr: how many
 * @order: their numbers, sorted by where they begin
 * @next: in @order: the first one that begins further on
 * @heap: numbers of those that began, the youngest on top
 * @nr_heap: how many
 */
struct sweep {
	const struct pool_record *rec;
	u32 nr;
	u32 *order;
	u32 next;
	u32 *heap;
	u32 nr_heap;
};

static void heap_push(struct sweep *s, u32 n)
{
	u32 i = s->nr_heap++;

	while (i && s->heap[(i - 1) / 2] < n) {
		s->heap[i] = s->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	s->heap[i] = n;
}

static void heap_pop(struct sweep *s)
{
	u32 last = s->heap[--s->nr_heap], i = 0;

	for (;;) {
		u32 child = 2 * i + 1;

		if (child >= s->nr_heap)
			break;
		if (child + 1 < s->nr_heap && s->heap[child + 1] > s->heap[child])
			child++;
		if (s->heap[child] <= last)
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	s->heap[i] = last;
}

static int by_start(const void *a, const void *b, void *rec)
{
	const struct pool_record *r = rec;
	u64 x = r[*(const u32 *)a].start, y = r[*(const u32 *)b].start;

	return (x > y) - (x < y);
}

static bool continues(const struct pool_record *last, const struct pool_record *r)
{
	if (last->start + last->nr != r->start)
		return false;
	if (r->where == POOL_ZEROES || last->where == POOL_ZEROES)
		return r->where == last->where;
	return last->where + last->nr == r->where;
}

/* [pos, end) of record @r. */
static int emit(struct pool_records *map, const struct pool_record *r, u64 pos, u64 end)
{
	struct pool_record e = { pos, end - pos, r->where };

	if (r->where == POOL_IMAGE)
		return 0;
	if (r->where != POOL_ZEROES)
		e.where += pos - r->start;
	if (map->nr && continues(&map->rec[map->nr - 1], &e)) {
		map->rec[map->nr - 1].nr += e.nr;
		return 0;
	}
	return pool_records_add(map, e);
}

static u64 rec_end(const struct pool_record *r)
{
	return r->start + r->nr;
}

static int sweep(struct sweep *s, struct pool_records *map)
{
	u64 pos = 0, end;
	int rc = 0;

	while (!rc && (s->nr_heap || s->next < s->nr)) {
		if (!s->nr_heap)
			pos = s->rec[s->order[s->next]].start;
		while (s->next < s->nr && s->rec[s->order[s->next]].start == pos)
			heap_push(s, s->order[s->next++]);
		while (s->nr_heap && rec_end(&s->rec[s->heap[0]]) <= pos)
			heap_pop(s);
		if (!s->nr_heap)
			continue;
		end = rec_end(&s->rec[s->heap[0]]);
		if (s->next < s->nr && s->rec[s->order[s->next]].start < end)
			end = s->rec[s->order[s->next]].start;
		rc = emit(map, &s->rec[s->heap[0]], pos, end);
		pos = end;
	}
	return rc;
}

int pool_map_build(const struct pool_records *r, struct pool_records *map)
{
	struct sweep s = { .rec = r->rec, .nr = (u32)r->nr };
	int rc = -ENOMEM;

	memset(map, 0, sizeof(*map));
	if (!r->nr)
		return 0;
	if (r->nr > UINT32_MAX)
		return -E2BIG;
	s.order = reallocarray(NULL, r->nr, sizeof(*s.order));
	s.heap = reallocarray(NULL, r->nr, sizeof(*s.heap));
	if (s.order && s.heap) {
		for (u32 i = 0; i < s.nr; i++)
			s.order[i] = i;
		qsort_r(s.order, s.nr, sizeof(*s.order), by_start, r->rec);
		rc = sweep(&s, map);
	}
	free(s.order);
	free(s.heap);
	if (rc) {
		free(map->rec);
		memset(map, 0, sizeof(*map));
	}
	return rc;
}
