// SPDX-License-Identifier: GPL-2.0-only
/* An lvol's map in memory: for each slot of 512 clusters an array, where it has any. */
#include <errno.h>
#include <stdlib.h>

#include "writer.h"

/* more slots in use than this need another page of the chain, at most */
#define NEW_SLOTS_PER_PAGE 128u

int map_init(struct lvw_vol *v, u64 clusters)
{
	u64 nr = map_slots(clusters);

	v->slots = calloc(nr + 1, sizeof(*v->slots));
	if (!v->slots)
		return -ENOMEM;
	v->nr_slots = nr;
	v->clusters = clusters;
	return 0;
}

void map_free(struct wslot *slots, size_t nr)
{
	for (size_t i = 0; slots && i < nr; i++)
		free(slots[i].map);
	free(slots);
}

/* What a commit takes more when @slot of @v becomes dirty, and the chain with it. */
static u32 need_more(const struct lvw_vol *v, const struct wslot *slot, u32 *slots)
{
	*slots = !slot->dirty;
	if (!slot->map && v->new_slots % NEW_SLOTS_PER_PAGE == 0)
		++*slots;
	return *slots + (v->chain_dirty ? 0 : vol_dirty_need(v));
}

int map_prepare(struct lvw_vol *v, u64 i)
{
	struct wslot *slot = &v->slots[i / LVS_EXTENTS_PER_PAGE];
	u32 slots;

	if (v->w->need + need_more(v, slot, &slots) > v->w->pages.free)
		return -ENOSPC;
	if (vol_dirty_chain(v))
		return -ENOMEM;
	if (!slot->map) {
		slot->map = calloc(LVS_EXTENTS_PER_PAGE, sizeof(*slot->map));
		if (!slot->map)
			return -ENOMEM;
		v->new_slots++;
	}
	slot->dirty = true;
	v->need_slots += slots;
	v->w->need += slots;
	return 0;
}

void map_set(struct lvw_vol *v, u64 i, u32 cluster)
{
	struct wslot *slot = &v->slots[i / LVS_EXTENTS_PER_PAGE];
	u32 *at = &slot->map[i % LVS_EXTENTS_PER_PAGE];
	int more = !!cluster - !!*at;

	slot->used = (u32)((int)slot->used + more);
	v->allocated = (u64)((int64_t)v->allocated + more);
	*at = cluster;
}

u64 map_next(const struct lvw_vol *v, u64 from)
{
	while (from < v->clusters && !map_get(v, from)) {
		const struct wslot *slot = &v->slots[from / LVS_EXTENTS_PER_PAGE];

		if (slot->used)
			from++;
		else
			from = (from / LVS_EXTENTS_PER_PAGE + 1) * LVS_EXTENTS_PER_PAGE;
	}
	return from < v->clusters ? from : v->clusters;
}

static int give_back_cluster(struct lvs_writer *w, u32 cluster)
{
	cache_forget(w, cluster);
	return space_give_back(&w->clusters, cluster);
}

/* A slot's clusters from @from on, and the page itself when nothing is left of it. */
static int give_back_slot(struct lvw_vol *v, struct wslot *slot, u32 from)
{
	int rc = 0;

	for (u32 i = from; slot->map && i < LVS_EXTENTS_PER_PAGE && !rc; i++) {
		if (!slot->map[i])
			continue;
		rc = give_back_cluster(v->w, slot->map[i]);
		slot->map[i] = 0;
		slot->used--;
		v->allocated--;
	}
	if (from || rc)
		return rc;
	if (slot->page)
		rc = space_give_back(&v->w->pages, slot->page);
	free(slot->map);
	memset(slot, 0, sizeof(*slot));
	return rc;
}

int map_give_back(struct lvw_vol *v)
{
	int rc = 0;

	for (size_t i = 0; i < v->nr_slots && !rc; i++)
		rc = give_back_slot(v, &v->slots[i], 0);
	return rc;
}

int map_resize(struct lvw_vol *v, u64 clusters)
{
	u64 nr = map_slots(clusters), last = clusters < v->clusters ? clusters : v->clusters;
	struct wslot *n;
	int rc = vol_dirty_chain(v);

	/* the page that has been, or will be, the last one changes its length */
	if (!rc && last % LVS_EXTENTS_PER_PAGE && v->slots[last / LVS_EXTENTS_PER_PAGE].map)
		rc = map_prepare(v, last);
	if (!rc && clusters < v->clusters && clusters % LVS_EXTENTS_PER_PAGE)
		rc = give_back_slot(v, &v->slots[nr - 1], clusters % LVS_EXTENTS_PER_PAGE);
	for (u64 i = nr; i < v->nr_slots && !rc; i++)
		rc = give_back_slot(v, &v->slots[i], 0);
	if (rc)
		return rc;
	n = reallocarray(v->slots, nr + 1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	if (nr > v->nr_slots)
		memset(n + v->nr_slots, 0, (nr + 1 - v->nr_slots) * sizeof(*n));
	v->slots = n;
	v->nr_slots = nr;
	v->clusters = clusters;
	return 0;
}

u32 map_resolve(const struct lvw_vol *v, u64 i)
{
	u32 c = map_get(v, i);

	return c ? c : map_below(v, i);
}

u32 map_below(const struct lvw_vol *v, u64 i)
{
	while (v) {
		u32 c;

		if (vol_flag(v, LVS_INVALID_ESNAP))
			return MAP_ESNAP;
		v = v->parent;
		if (!v || i >= v->clusters)
			return 0;
		c = map_get(v, i);
		if (c)
			return c;
	}
	return 0;
}
