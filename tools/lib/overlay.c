// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include "overlay.h"

static bool is_sound(const struct ybd_map_extent *e, size_t nr, u64 size)
{
	u64 at = 0;

	for (; nr--; e++) {
		if (e->start < at || !e->len || e->len > size ||
		    e->start > size - e->len || e->phys + e->len < e->phys)
			return false;
		at = e->start + e->len;
	}
	return true;
}

/* Append; joined with the last one when both sides continue. */
static void push(struct ybd_overlay *o, const struct ybd_map_extent *e)
{
	struct ybd_map_extent *last = o->nr ? &o->ext[o->nr - 1] : NULL;

	if (last && last->source == e->source &&
	    last->start + last->len == e->start &&
	    last->phys + last->len == e->phys)
		last->len += e->len;
	else
		o->ext[o->nr++] = *e;
}

/* Append what of @e lies in [from, to). */
static void push_part(struct ybd_overlay *o, const struct ybd_map_extent *e,
		      u64 from, u64 to)
{
	struct ybd_map_extent part = *e;

	if (from < e->start)
		from = e->start;
	if (to > e->start + e->len)
		to = e->start + e->len;
	if (from >= to)
		return;
	part.phys += from - e->start;
	part.start = from;
	part.len = to - from;
	push(o, &part);
}

/**
 * push_below() - append what the lower map has in a gap of the upper
 * @o: result
 * @low: lower map
 * @i: its first extent that reaches beyond what was done before; moved
 * @from: begin of the gap
 * @to: end of the gap
 */
static void push_below(struct ybd_overlay *o, const struct ybd_overlay *low,
		       size_t *i, u64 from, u64 to)
{
	while (*i < low->nr && low->ext[*i].start < to) {
		const struct ybd_map_extent *e = &low->ext[*i];

		push_part(o, e, from, to);
		if (e->start + e->len > to)
			break;
		++*i;
	}
}

int ybd_overlay_add(struct ybd_overlay *o, const struct ybd_map_extent *ext,
		    size_t nr, u64 size)
{
	struct ybd_overlay out = { 0 };
	size_t i, low = 0;
	u64 at = 0;

	if (!is_sound(ext, nr, size))
		return -EINVAL;
	/* an upper extent can cut a lower one in two */
	out.ext = calloc(o->nr + 2 * nr + 1, sizeof(*out.ext));
	if (!out.ext)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		push_below(&out, o, &low, at, ext[i].start);
		push(&out, &ext[i]);
		at = ext[i].start + ext[i].len;
		while (low < o->nr && o->ext[low].start + o->ext[low].len <= at)
			low++;
	}
	push_below(&out, o, &low, at, UINT64_MAX);
	out.size = size > o->size ? size : o->size;
	free(o->ext);
	*o = out;
	return 0;
}

void ybd_overlay_free(struct ybd_overlay *o)
{
	free(o->ext);
	*o = (struct ybd_overlay){ 0 };
}
