// SPDX-License-Identifier: GPL-2.0-only
/*
 * From blobs to lvols: who is whose parent, what interrupted snapshot operations come to, what the
 * names are; and which blobs SPDK would leave out, with everything above them (sections 5, 6, 7).
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "store.h"

static unsigned long long blob_id(const struct lvs_lvol *l)
{
	return LVS_BLOB_ID(l->root);
}

struct lvs_lvol *tree_find_id(const struct lvs_store *s, u64 id)
{
	size_t lo = 0, hi = s->nr_blobs;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (LVS_BLOB_ID(s->blobs[mid]->root) < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < s->nr_blobs && LVS_BLOB_ID(s->blobs[lo]->root) == id)
		return s->blobs[lo];
	return NULL;
}

/* A user xattr as text; false when it is missing, empty or does not fit into @max with its NUL. */
static bool text_xattr(const struct lvs_lvol *l, const char *name, char *out, size_t max)
{
	const struct blob_xattr *x = blob_xattr(l, name, false);
	size_t len;

	if (!x)
		return false;
	len = strnlen(x->pub.value, x->pub.len);
	if (!len || len >= max)
		return false;
	memcpy(out, x->pub.value, len);
	out[len] = 0;
	return true;
}

/* 8-4-4-4-12 hex digits, made lower case. */
static bool uuid_normalise(char *u)
{
	for (int i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? u[i] != '-' : !isxdigit((unsigned char)u[i]))
			return false;
		u[i] = (char)tolower((unsigned char)u[i]);
	}
	return !u[36];
}

static bool uuid_xattr(const struct lvs_lvol *l, char out[LVS_UUID_LEN])
{
	return text_xattr(l, "uuid", out, LVS_UUID_LEN) && strlen(out) == LVS_UUID_LEN - 1 &&
	       uuid_normalise(out);
}

int tree_super_blob(struct lvs_store *s, struct lvs_lvol *l, struct lvs_error *err)
{
	if (!l)
		return lvs_err(err, -EUCLEAN, "the lvstore's own blob 0x%llx is not there",
			       (unsigned long long)s->super_blob);
	if (l->state == LVOL_REFUSED)
		return lvs_err(err, -EUCLEAN, "the lvstore's own blob 0x%llx: %s", blob_id(l),
			       l->reason);
	if (!uuid_xattr(l, s->uuid))
		return lvs_err_page(err, -EUCLEAN, s, l->root, "no usable uuid of the lvstore");
	if (!text_xattr(l, "name", s->name, sizeof(s->name)))
		return lvs_err_page(err, -EUCLEAN, s, l->root, "no usable name of the lvstore");
	l->state = LVOL_SUPER;
	return 0;
}

static int name_blob(struct lvs_lvol *l)
{
	struct lvs_error why;

	if (!uuid_xattr(l, l->uuid))
		snprintf(l->uuid, sizeof(l->uuid), "%s_%llu", l->store->uuid, blob_id(l));
	if (text_xattr(l, "name", l->name, sizeof(l->name)) || l->state != LVOL_OK)
		return 0;
	lvs_err_page(&why, -EUCLEAN, l->store, l->root,
		     "blob without an lvol's name: SPDK does not load this store");
	return blob_refuse(l, LVOL_REFUSED, &why);
}

static int link_parent(struct lvs_lvol *l)
{
	struct lvs_error why;

	if (l->parent_id == LVS_NO_BLOB || l->state == LVOL_REFUSED)
		return 0;
	l->parent = tree_find_id(l->store, l->parent_id);
	if (l->parent && l->parent->state != LVOL_SUPER)
		return 0;
	l->parent = NULL;
	lvs_err_page(&why, -EUCLEAN, l->store, l->root,
		     "its parent 0x%llx is no snapshot of this store",
		     (unsigned long long)l->parent_id);
	return blob_refuse(l, LVOL_REFUSED, &why);
}

static bool gone(const struct lvs_lvol *l)
{
	return l->state == LVOL_REFUSED || l->state == LVOL_REMOVED;
}

/* The parent is settled: what does that mean for its clone? */
static int settle_one(struct lvs_lvol *l)
{
	struct lvs_error why;

	l->mark = 2;
	l->depth = l->parent ? l->parent->depth + 1 : 1;
	if (!l->parent || !gone(l->parent) || gone(l))
		return 0;
	lvs_err_page(&why, -EUCLEAN, l->store, l->root,
		     *l->parent->name ? "its parent 0x%llx (\"%s\") is left out" :
					"its parent 0x%llx%s is left out",
		     blob_id(l->parent), l->parent->name);
	return blob_refuse(l, LVOL_REFUSED, &why);
}

/* Cut a circle of parents at @l; its other members then have a parent that is left out. */
static int cut_circle(struct lvs_lvol *l)
{
	struct lvs_error why;

	l->parent = NULL;
	lvs_err_page(&why, -EUCLEAN, l->store, l->root,
		     "its chain of parents comes back to itself");
	return blob_refuse(l, LVOL_REFUSED, &why);
}

/* Refuse what is above a refused blob, find circles, count depths: once each, parents first. */
static int settle_chains(struct lvs_store *s)
{
	struct lvs_lvol **path = calloc(s->nr_blobs + 1, sizeof(struct lvs_lvol *));
	int rc = path ? 0 : -ENOMEM;

	for (size_t i = 0; i < s->nr_blobs; i++)
		s->blobs[i]->mark = 0;
	for (size_t i = 0; i < s->nr_blobs && !rc; i++) {
		struct lvs_lvol *l = s->blobs[i];
		size_t n = 0;

		for (; l && !l->mark; l = l->parent) {
			l->mark = 1;
			path[n++] = l;
		}
		if (l && l->mark == 1)
			rc = cut_circle(l);
		while (n && !rc)
			rc = settle_one(path[--n]);
	}
	free(path);
	return rc;
}

/* A snapshot that was being made or deleted: what SPDK's next load makes of it. */
static int settle_pending(struct lvs_lvol *l)
{
	struct lvs_lvol *clone;
	struct lvs_error why;

	if (l->pending == LVS_PENDING_NONE || l->state != LVOL_OK)
		return 0;
	clone = tree_find_id(l->store, l->pending_id);
	if (clone && !gone(clone)) {
		if (clone->parent == l)
			l->data_ro_flags |= LVS_DATA_RO_READ_ONLY;
		else
			l->state = LVOL_REMOVED;
		return 0;
	}
	lvs_err_page(&why, -EUCLEAN, l->store, l->root,
		     "snapshot in an interrupted operation whose clone 0x%llx does not open",
		     (unsigned long long)l->pending_id);
	return blob_refuse(l, LVOL_HIDDEN, &why);
}

static int name_cmp(const void *a, const void *b)
{
	const struct lvs_lvol *x = *(struct lvs_lvol *const *)a, *y = *(struct lvs_lvol *const *)b;
	int c = strcmp(x->name, y->name);

	return c ? c : (x->root > y->root) - (x->root < y->root);
}

static int uuid_cmp(const void *a, const void *b)
{
	const struct lvs_lvol *x = *(struct lvs_lvol *const *)a, *y = *(struct lvs_lvol *const *)b;
	int c = strcmp(x->uuid, y->uuid);

	return c ? c : (x->root > y->root) - (x->root < y->root);
}

static int hide_twin(struct lvs_lvol *l, const struct lvs_lvol *first, const char *what)
{
	struct lvs_error why;

	lvs_err_page(&why, -EUCLEAN, l->store, l->root,
		     "has the same %s as blob 0x%llx (md page %u)",
		     what, blob_id(first), first->root);
	return blob_refuse(l, LVOL_HIDDEN, &why);
}

/* Of several with one name (or uuid) the first in page order is listed. */
static int hide_twins(struct lvs_store *s, int (*cmp)(const void *a, const void *b),
		      size_t key, const char *what)
{
	struct lvs_lvol **v = calloc(s->nr_blobs + 1, sizeof(struct lvs_lvol *)), *first = NULL;
	size_t n = 0;
	int rc = v ? 0 : -ENOMEM;

	for (size_t i = 0; i < s->nr_blobs && !rc; i++)
		if (s->blobs[i]->state == LVOL_OK)
			v[n++] = s->blobs[i];
	if (!rc)
		qsort(v, n, sizeof(struct lvs_lvol *), cmp);
	for (size_t i = 0; i < n && !rc; i++) {
		if (first && !strcmp((char *)first + key, (char *)v[i] + key))
			rc = hide_twin(v[i], first, what);
		else
			first = v[i];
	}
	free(v);
	return rc;
}

static int list_lvols(struct lvs_store *s)
{
	s->lvols = calloc(s->nr_blobs + 1, sizeof(struct lvs_lvol *));
	if (!s->lvols)
		return -ENOMEM;
	for (size_t i = 0; i < s->nr_blobs; i++) {
		struct lvs_lvol *l = s->blobs[i], *p = l->parent;
		int rc;

		if (l->state != LVOL_OK)
			continue;
		s->lvols[s->nr_lvols++] = l;
		if (!p)
			continue;
		rc = lvs_grow(&p->clones, &p->cap_clones, p->nr_clones, sizeof(struct lvs_lvol *));
		if (rc)
			return rc;
		p->clones[p->nr_clones++] = l;
	}
	return 0;
}

/* @l: NULL for a note about the store. */
static void add_refusal(struct lvs_store *s, u32 page, const char *text, const struct lvs_lvol *l)
{
	struct lvs_refusal *r = &s->refusals[s->nr_refusals++];

	r->blob_id = l ? blob_id(l) : LVS_NO_BLOB;
	r->name = l ? l->name : "";
	r->uuid = l ? l->uuid : "";
	r->page = page;
	r->byte = page == LVS_NO_PAGE ? 0 : md_byte(s, page);
	r->text = text;
}

static int add_note(struct lvs_store *s, u32 page, char *text)
{
	if (!text)
		return -ENOMEM;
	add_refusal(s, page, text, NULL);
	return 0;
}

static int note_bad_pages(struct lvs_store *s)
{
	char *text;

	if (asprintf(&text,
		     "md page %u (byte %llu): it and %u more cannot be read: lvols whose roots lie there are not seen",
		     s->first_bad, (unsigned long long)md_byte(s, s->first_bad),
		     s->bad_pages - 1) < 0)
		text = NULL;
	return add_note(s, s->first_bad, text);
}

static int list_refusals(struct lvs_store *s)
{
	static const char bad_masks[] =
		"said to be clean, but a used mask is damaged: read as a store that is not";
	int rc = 0;

	s->refusals = calloc(s->nr_blobs + 2, sizeof(*s->refusals));
	if (!s->refusals)
		return -ENOMEM;
	if (s->bad_masks)
		rc = add_note(s, LVS_NO_PAGE, strdup(bad_masks));
	if (!rc && s->bad_pages)
		rc = note_bad_pages(s);
	for (size_t i = 0; i < s->nr_blobs && !rc; i++) {
		struct lvs_lvol *l = s->blobs[i];

		if (l->state != LVOL_REFUSED && l->state != LVOL_HIDDEN)
			continue;
		add_refusal(s, l->reason_page, l->reason, l);
	}
	return rc;
}

typedef int (*blob_fn)(struct lvs_lvol *l);

static int visit_blobs(struct lvs_store *s, blob_fn fn)
{
	int rc = 0;

	for (size_t i = 0; i < s->nr_blobs && !rc; i++)
		if (s->blobs[i]->state != LVOL_SUPER)
			rc = fn(s->blobs[i]);
	return rc;
}

int tree_build(struct lvs_store *s, struct lvs_error *err)
{
	int rc = tree_super_blob(s, tree_find_id(s, s->super_blob), err);

	if (rc)
		return rc;
	rc = visit_blobs(s, name_blob);
	if (!rc)
		rc = visit_blobs(s, link_parent);
	if (!rc)
		rc = settle_chains(s);
	if (!rc)
		rc = visit_blobs(s, settle_pending);
	if (!rc)	/* once more: a snapshot that goes takes what is above it along */
		rc = settle_chains(s);
	if (!rc)
		rc = hide_twins(s, name_cmp, offsetof(struct lvs_lvol, name), "name");
	if (!rc)
		rc = hide_twins(s, uuid_cmp, offsetof(struct lvs_lvol, uuid), "uuid");
	if (!rc)
		rc = list_lvols(s);
	if (!rc)
		rc = list_refusals(s);
	return rc ? lvs_err(err, rc, "%s", strerror(-rc)) : 0;
}
