// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "../util.h"
#include "layout.h"

#define GROWTH		4	/* how much larger a pool can become, unless somebody says */
#define SEGMENTS_BEST	(1u << 20)
#define DATA_ALIGN	256

u32 pool_table_blocks(u32 entries)
{
	return (entries + YBD_FMT_OWNERS_PER_BLOCK - 1) / YBD_FMT_OWNERS_PER_BLOCK;
}

static u64 max_uppers(u64 nr_blocks)
{
	u64 n = nr_blocks / 100 / 2;

	return n < YBD_FMT_MAX_UPPERS ? n : YBD_FMT_MAX_UPPERS;
}

static int bad(struct ybd_error *err, const char *what, u64 val, u64 from, u64 to)
{
	return ybd_error_set(err, -EINVAL, "%s %llu, expected %llu to %llu", what,
			     (unsigned long long)val, (unsigned long long)from,
			     (unsigned long long)to);
}

static int check_range(struct ybd_error *err, const char *what, u64 val, u64 from, u64 to)
{
	return val < from || val > to ? bad(err, what, val, from, to) : 0;
}

/* The four numbers that decide about the rest. */
static int check_want(const struct pool_want *w, struct ybd_error *err)
{
	u64 seg = w->segment_blocks;
	int rc;

	rc = check_range(err, "max_blocks", w->max_blocks, YBD_FMT_MIN_BLOCKS, YBD_FMT_MAX_BLOCKS);
	if (!rc)
		rc = check_range(err, "nr_blocks", w->nr_blocks, YBD_FMT_MIN_BLOCKS, w->max_blocks);
	if (!rc)
		rc = check_range(err, "segment_blocks", seg, YBD_FMT_MIN_SEGMENT_BLOCKS,
				 YBD_FMT_MAX_SEGMENT_BLOCKS);
	if (!rc && seg & (seg - 1))
		rc = ybd_error_set(err, -EINVAL, "segment_blocks %llu, expected a power of two",
				   (unsigned long long)seg);
	if (!rc)
		rc = check_range(err, "max_segments", w->max_blocks / seg, 1, YBD_FMT_MAX_SEGMENTS);
	if (!rc)
		rc = check_range(err, "nr_uppers", w->nr_uppers, 1, max_uppers(w->nr_blocks));
	return rc;
}

/* Everything else; all in range, so that nothing overflows. */
static int compute(const struct pool_want *w, struct pool_layout *l, struct ybd_error *err)
{
	u32 seg, chunk;

	l->nr_blocks = w->nr_blocks;
	l->max_blocks = w->max_blocks;
	l->segment_blocks = (u32)w->segment_blocks;
	l->nr_uppers = (u32)w->nr_uppers;
	l->max_segments = (u32)(w->max_blocks / l->segment_blocks);
	l->max_chunks = (u32)(w->max_blocks / YBD_FMT_CHUNK_BLOCKS / 8);
	seg = pool_table_blocks(l->max_segments);
	chunk = pool_table_blocks(l->max_chunks);
	l->segment_table[0] = YBD_FMT_SUPER_BACKUP_BLOCK + 1;
	l->segment_table[1] = l->segment_table[0] + seg;
	l->chunk_table[0] = l->segment_table[1] + seg;
	l->chunk_table[1] = l->chunk_table[0] + chunk;
	l->directory = l->chunk_table[1] + chunk;
	l->data = l->directory + 2ULL * l->nr_uppers;
	l->data = (l->data + DATA_ALIGN - 1) & ~(u64)(DATA_ALIGN - 1);
	l->nr_segments = 0;
	if (l->data < l->nr_blocks)
		l->nr_segments = (u32)((l->nr_blocks - l->data) / l->segment_blocks);
	if (l->nr_segments >= YBD_FMT_MIN_SEGMENTS)
		return 0;
	return ybd_error_set(err, -EINVAL,
			     "only %u segments of %u KiB fit into %llu MiB behind %llu MiB of tables, expected at least %u: make segments or maximum smaller",
			     l->nr_segments, l->segment_blocks * 4,
			     (unsigned long long)(l->nr_blocks >> 8),
			     (unsigned long long)(l->data >> 8), YBD_FMT_MIN_SEGMENTS);
}

int pool_layout(const struct pool_want *want, struct pool_layout *out, struct ybd_error *err)
{
	struct pool_want w = *want;
	int rc;

	rc = check_range(err, "nr_blocks", w.nr_blocks, YBD_FMT_MIN_BLOCKS, YBD_FMT_MAX_BLOCKS);
	if (rc)
		return rc;
	if (!w.max_blocks)
		w.max_blocks = w.nr_blocks * GROWTH;
	if (!want->max_blocks && w.max_blocks > YBD_FMT_MAX_BLOCKS)
		w.max_blocks = YBD_FMT_MAX_BLOCKS;
	if (!w.segment_blocks) {
		w.segment_blocks = YBD_FMT_MIN_SEGMENT_BLOCKS;
		while (w.max_blocks / w.segment_blocks > SEGMENTS_BEST &&
		       w.segment_blocks < YBD_FMT_MAX_SEGMENT_BLOCKS)
			w.segment_blocks *= 2;
	}
	if (!w.nr_uppers)
		w.nr_uppers = max_uppers(w.nr_blocks);
	rc = check_want(&w, err);
	return rc ? rc : compute(&w, out, err);
}

static int check_same(struct ybd_error *err, const char *what, u64 val, u64 want)
{
	if (val == want)
		return 0;
	return ybd_error_set(err, -EUCLEAN, "%s %llu, expected %llu", what,
			     (unsigned long long)val, (unsigned long long)want);
}

/* Everything that follows from those four. */
static int check_rest(const struct pool_layout *l, const struct pool_layout *want,
		      struct ybd_error *err)
{
	const struct {
		const char *what;
		u64 val;
		u64 want;
	} v[] = {
		{ "nr_segments", l->nr_segments, want->nr_segments },
		{ "max_segments", l->max_segments, want->max_segments },
		{ "max_chunks", l->max_chunks, want->max_chunks },
		{ "segment_table[0]", l->segment_table[0], want->segment_table[0] },
		{ "segment_table[1]", l->segment_table[1], want->segment_table[1] },
		{ "chunk_table[0]", l->chunk_table[0], want->chunk_table[0] },
		{ "chunk_table[1]", l->chunk_table[1], want->chunk_table[1] },
		{ "directory", l->directory, want->directory },
		{ "data", l->data, want->data },
	};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(v) && !rc; i++)
		rc = check_same(err, v[i].what, v[i].val, v[i].want);
	return rc;
}

int pool_layout_check(const struct pool_layout *l, struct ybd_error *err)
{
	struct pool_want w = {
		.nr_blocks = l->nr_blocks,
		.max_blocks = l->max_blocks,
		.segment_blocks = l->segment_blocks,
		.nr_uppers = l->nr_uppers,
	};
	struct pool_layout want;
	int rc = check_want(&w, err);

	if (!rc)
		rc = compute(&w, &want, err);
	if (rc) {
		if (err)
			err->code = -EUCLEAN;
		return -EUCLEAN;
	}
	return check_rest(l, &want, err);
}

u32 pool_small_uppers(const struct pool_layout *l)
{
	u32 per_segment = pool_chunks_per_segment(l), n = l->nr_uppers;
	/* what is kept for those who give back (section 8) */
	u32 kept = l->nr_segments / 256 ? l->nr_segments / 256 : 1;
	u64 room = l->nr_segments - kept;

	if (n > l->max_chunks / 2)
		n = l->max_chunks / 2;
	/* n segments of data and 2 * n chunks, rounded up to segments */
	if (n > room * per_segment / (per_segment + 2))
		n = (u32)(room * per_segment / (per_segment + 2));
	return n;
}
