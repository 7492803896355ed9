// SPDX-License-Identifier: GPL-2.0-only
/*
 * A store that is in use by another program: after everything was read, every page that matters is
 * read again. What has not changed belonged together at one moment; what has is read anew, a few
 * times; what never holds still is refused (section 7).
 */
#include <errno.h>
#include <stdlib.h>

#include "store.h"

#define LIVE_ROUNDS 5

/* One use of a page by a blob. */
struct use {
	u32 page;
	u32 crc;
	struct lvs_lvol *l;
	enum lvol_stale means;
};

struct uses {
	struct use *v;
	size_t nr;
	size_t at;
	size_t stale;
};

static int use_cmp(const void *a, const void *b)
{
	const struct use *x = a, *y = b;

	return (x->page > y->page) - (x->page < y->page);
}

static int collect_uses(struct lvs_store *s, struct uses *u)
{
	size_t nr = 0;

	for (size_t i = 0; i < s->nr_blobs; i++)
		nr += s->blobs[i]->nr_refs;
	u->v = calloc(nr + 1, sizeof(*u->v));
	if (!u->v)
		return -ENOMEM;
	for (size_t i = 0; i < s->nr_blobs; i++) {
		struct lvs_lvol *l = s->blobs[i];
		bool ro = l->data_ro_flags & LVS_DATA_RO_READ_ONLY;

		l->stale = STALE_NONE;
		for (size_t k = 0; k < l->nr_refs; k++)
			u->v[u->nr++] = (struct use){
				.page = l->refs[k].page,
				.crc = l->refs[k].crc,
				.l = l,
				.means = k < l->nr_chain || ro ? STALE_CHAIN : STALE_EXTENTS,
			};
	}
	qsort(u->v, u->nr, sizeof(*u->v), use_cmp);
	return 0;
}

static int check_page(struct lvs_store *s, u32 page, const struct lvs_disk_page *p, void *arg)
{
	struct uses *u = arg;

	for (; u->at < u->nr && u->v[u->at].page == page; u->at++) {
		const struct use *x = &u->v[u->at];

		if (p && le32_to_cpu(p->crc) == x->crc)
			continue;
		if (x->l->stale < x->means)
			x->l->stale = x->means;
		u->stale++;
	}
	return 0;
}

/* Mark the blobs that changed; the number of changed pages, or -ENOMEM. */
static long find_stale(struct lvs_store *s)
{
	struct uses u = { 0 };
	u8 *bits = calloc(s->md_len / 8 + 1, 1);
	int rc = bits ? collect_uses(s, &u) : -ENOMEM;

	if (!rc) {
		for (size_t i = 0; i < u.nr; i++)
			bits[u.v[i].page / 8] |= (u8)(1 << u.v[i].page % 8);
		rc = md_for_each(s, bits, check_page, &u);
	}
	free(bits);
	free(u.v);
	return rc ? rc : (long)u.stale;
}

/* Insert by root page: there is none of that number yet. */
static int insert_blob(struct lvs_store *s, struct lvs_lvol *l)
{
	int rc = lvs_grow(&s->blobs, &s->cap_blobs, s->nr_blobs, sizeof(*s->blobs));
	size_t i = s->nr_blobs;

	if (rc)
		return rc;
	for (; i && s->blobs[i - 1]->root > l->root; i--)
		s->blobs[i] = s->blobs[i - 1];
	s->blobs[i] = l;
	s->nr_blobs++;
	return 0;
}

/* 1 when there is a root at this page now. */
static int adopt(struct lvs_store *s, u32 page)
{
	struct lvs_lvol *l = blob_new(s, page);
	int rc = l ? blob_reload(l) : -ENOMEM;

	if (!rc)
		rc = insert_blob(s, l);
	if (!rc)
		return 1;
	blob_free(l);
	return rc < 0 ? rc : 0;
}

/* Snapshots that were made behind the scan's back: their clones name them. */
static long adopt_parents(struct lvs_store *s)
{
	long n = 0;

	for (size_t i = 0; i < s->nr_blobs; i++) {
		u64 id = s->blobs[i]->parent_id;
		int rc;

		if (id >> 32 != 1 || (u32)id >= s->md_len || tree_find_id(s, id))
			continue;
		rc = adopt(s, (u32)id);
		if (rc < 0)
			return rc;
		n += rc;
	}
	return n;
}

static int reload_stale(struct lvs_store *s)
{
	size_t keep = 0;
	int rc = 0;

	for (size_t i = 0; i < s->nr_blobs; i++) {
		struct lvs_lvol *l = s->blobs[i];
		int r = l->stale && rc >= 0 ? blob_reload(l) : 0;

		if (r == 1)
			blob_free(l);
		else
			s->blobs[keep++] = l;
		if (r < 0)
			rc = r;
	}
	s->nr_blobs = keep;
	return rc;
}

static int refuse_stale(struct lvs_store *s)
{
	int rc = 0;

	for (size_t i = 0; i < s->nr_blobs && !rc; i++) {
		struct lvs_lvol *l = s->blobs[i];
		struct lvs_error why;

		if (l->stale != STALE_CHAIN)
			continue;
		lvs_err_page(&why, -EBUSY, s, l->root,
			     "the blob's metadata kept changing while it was read: the store is in use");
		rc = blob_refuse(l, LVOL_REFUSED, &why);
	}
	return rc;
}

int live_settle(struct lvs_store *s)
{
	for (int round = 0; round < LIVE_ROUNDS; round++) {
		long adopted = adopt_parents(s), stale;
		int rc;

		stale = adopted < 0 ? adopted : find_stale(s);
		if (stale < 0)
			return (int)stale;
		if (!stale && !adopted)
			return 0;
		rc = round < LIVE_ROUNDS - 1 ? reload_stale(s) : refuse_stale(s);
		if (rc)
			return rc;
	}
	return 0;
}
