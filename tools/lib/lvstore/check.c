// SPDX-License-Identifier: GPL-2.0-only
/*
 * store check: what the reader refuses, what two own, and what the masks say that is not so
 * (sections 3, 5, 6, 7). Nothing is written.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../crc32c.h"
#include "check.h"
#include "store.h"

/**
 * struct check - a check under way
 * @s: the store
 * @fn: who wants to know
 * @arg: for it
 * @r: the sum
 * @cluster: of each cluster, the blob that has it: its index + 1; 0 for nobody
 * @page: the same of md pages
 * @root: md pages that are roots of blobs that were read
 */
struct check {
	struct lvs_store *s;
	lvs_finding_fn fn;
	void *arg;
	struct lvs_check_result *r;
	u32 *cluster;
	u32 *page;
	bool *root;
};

static __printf(4, 5) void found(struct check *c, bool error, u32 page, const char *fmt, ...)
{
	char text[320];
	struct lvs_finding f = { .error = error, .page = page, .text = text };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (error)
		c->r->errors++;
	else
		c->r->notes++;
	c->fn(&f, c->arg);
}

static const char *blob_name(const struct lvs_lvol *l)
{
	if (l->state == LVOL_SUPER)
		return "(the store's own blob)";
	return *l->name ? l->name : "(no name)";
}

/* ---- who has what ---- */

/*
 * While a snapshot is deleted, and after it was kept by a recovery, it and its clone list the same
 * clusters in the same places.
 */
static bool may_share(const struct lvs_lvol *a, const struct lvs_lvol *b)
{
	return a->parent == b || b->parent == a || a->state == LVOL_REMOVED ||
	       b->state == LVOL_REMOVED;
}

static void report_shared(struct check *c, u32 a, u32 b, u64 first, u64 nr)
{
	const struct lvs_lvol *x = c->s->blobs[a - 1], *y = c->s->blobs[b - 1];
	const char *left = may_share(x, y) ? " (left by an interrupted deletion)" : "";

	found(c, !*left, LVS_NO_PAGE, "clusters %llu to %llu belong to \"%s\" and to \"%s\"%s",
	      (unsigned long long)first, (unsigned long long)(first + nr - 1), blob_name(x),
	      blob_name(y), left);
}

static void own_run(struct check *c, u32 me, const struct lvs_run *run)
{
	u64 shared = 0, at = 0;
	u32 other = 0;

	for (u64 k = run->phys; k < (u64)run->phys + run->len; k++) {
		u32 had = c->cluster[k];

		if (!had) {
			c->cluster[k] = me;
			c->r->owned_clusters++;
		}
		if (had && had == other && at + shared == k) {
			shared++;
			continue;
		}
		if (shared)
			report_shared(c, other, me, at, shared);
		shared = !!had;
		other = had;
		at = k;
	}
	if (shared)
		report_shared(c, other, me, at, shared);
}

static void own_pages(struct check *c, u32 me, const struct lvs_lvol *l)
{
	for (size_t i = 0; i < l->nr_refs; i++) {
		u32 page = l->refs[i].page, had;

		if (page >= c->s->md_len)
			continue;
		had = c->page[page];
		c->page[page] = me;
		if (had && had != me)
			found(c, !may_share(l, c->s->blobs[had - 1]), page,
			      "md page %u (byte %llu): belongs to \"%s\" and to \"%s\"", page,
			      (unsigned long long)md_byte(c->s, page),
			      blob_name(c->s->blobs[had - 1]), blob_name(l));
		else if (had)
			found(c, true, page, "md page %u (byte %llu): twice in the map of \"%s\"",
			      page, (unsigned long long)md_byte(c->s, page), blob_name(l));
	}
}

static void check_owners(struct check *c)
{
	for (size_t i = 0; i < c->s->nr_blobs; i++) {
		const struct lvs_lvol *l = c->s->blobs[i];

		own_pages(c, (u32)i + 1, l);
		c->root[l->root] = true;
		for (size_t k = 0; k < l->nr_runs; k++)
			own_run(c, (u32)i + 1, &l->runs[k]);
		if (l->state == LVOL_OK && l->pending)
			found(c, false, l->root, "\"%s\": an interrupted %s, which the next load ends",
			      l->name, l->pending == LVS_PENDING_CREATE ? "snapshot" : "deletion");
		if (l->state == LVOL_REMOVED)
			found(c, false, l->root,
			      "\"%s\": an interrupted snapshot or deletion, which the next load removes",
			      blob_name(l));
	}
}

/* ---- parents ---- */

static void check_parents(struct check *c)
{
	for (size_t i = 0; i < c->s->nr_blobs; i++) {
		const struct lvs_lvol *l = c->s->blobs[i];

		if (l->state == LVOL_OK && l->parent && !lvs_lvol_read_only(l->parent))
			found(c, true, l->parent->root,
			      "\"%s\" is writable, but \"%s\" is a clone of it",
			      blob_name(l->parent), l->name);
	}
}

static void check_refusals(struct check *c)
{
	for (size_t i = 0; i < c->s->nr_refusals; i++) {
		const struct lvs_refusal *r = &c->s->refusals[i];

		found(c, true, r->page, "%s%s%s", r->name, *r->name ? ": " : "", r->text);
	}
}

/* ---- the masks ---- */

/* One line for a run of clusters that are marked and nobody's. */
static void check_leaks(struct check *c)
{
	struct lvs_store *s = c->s;
	u64 n = 0;

	for (u64 k = s->md_clusters; k <= s->total_clusters; k++) {
		if (k < s->total_clusters && !c->cluster[k] && md_bit(s->used_clusters, k)) {
			n++;
			continue;
		}
		if (n)
			found(c, true, LVS_NO_PAGE,
			      "clusters %llu to %llu are marked used, but nobody's: leaked",
			      (unsigned long long)(k - n), (unsigned long long)(k - 1));
		c->r->leaked_clusters += n;
		n = 0;
	}
}

static void check_unmarked(struct check *c)
{
	struct lvs_store *s = c->s;

	for (u64 k = 0; k < s->total_clusters; k++) {
		if (md_bit(s->used_clusters, k) || (k >= s->md_clusters && !c->cluster[k]))
			continue;
		found(c, true, LVS_NO_PAGE, "cluster %llu of %s%s%s is not marked used",
		      (unsigned long long)k, k < s->md_clusters ? "the metadata" : "\"",
		      k < s->md_clusters ? "" : blob_name(s->blobs[c->cluster[k] - 1]),
		      k < s->md_clusters ? "" : "\"");
	}
}

static void check_page_mask(struct check *c)
{
	struct lvs_store *s = c->s;

	for (u32 p = 0; p < s->md_len; p++) {
		bool marked = md_bit(s->used_pages, p), root = md_bit(s->blobids, p);

		if (marked && !c->page[p])
			found(c, true, p, "md page %u (byte %llu): marked used, but nobody's: leaked",
			      p, (unsigned long long)md_byte(s, p));
		if (!marked && c->page[p])
			found(c, true, p, "md page %u (byte %llu): not marked used, but \"%s\" has it",
			      p, (unsigned long long)md_byte(s, p),
			      blob_name(s->blobs[c->page[p] - 1]));
		if (root && !c->root[p])
			found(c, true, p, "md page %u (byte %llu): marked as a root, but is none",
			      p, (unsigned long long)md_byte(s, p));
	}
}

/* A root that the mask does not name: a recovery would bring it back. */
static int find_lost_root(struct lvs_store *s, u32 page, const struct lvs_disk_page *p, void *arg)
{
	struct check *c = arg;

	if (p && le64_to_cpu(p->id) == LVS_BLOB_ID(page) && !le32_to_cpu(p->seq) &&
	    crc32c(p, LVS_DISK_CRC_LEN) == le32_to_cpu(p->crc) && !md_bit(s->blobids, page))
		found(c, true, page,
		      "md page %u (byte %llu): a root that is not marked: a recovery would bring it back",
		      page, (unsigned long long)md_byte(s, page));
	return 0;
}

static int check_masks(struct check *c)
{
	struct lvs_store *s = c->s;
	int rc;

	if (!s->clean) {
		found(c, false, LVS_NO_PAGE,
		      "not unloaded cleanly, or in use: the masks are not compared");
		return 0;
	}
	rc = md_init(s);
	if (!rc)
		rc = md_load_masks(s);
	if (rc)
		return rc;
	check_leaks(c);
	check_unmarked(c);
	check_page_mask(c);
	return md_for_each(s, NULL, find_lost_root, c);
}

/* ---- all of it ---- */

static int check_store(struct check *c)
{
	struct lvs_store *s = c->s;
	int rc;

	c->cluster = calloc(s->total_clusters + 1, sizeof(*c->cluster));
	c->page = calloc((size_t)s->md_len + 1, sizeof(*c->page));
	c->root = calloc((size_t)s->md_len + 1, sizeof(*c->root));
	if (!c->cluster || !c->page || !c->root)
		return -ENOMEM;
	check_refusals(c);
	check_owners(c);
	check_parents(c);
	rc = check_masks(c);
	c->r->lvols = s->nr_lvols;
	c->r->free_clusters = s->total_clusters - s->md_clusters - c->r->owned_clusters -
			      c->r->leaked_clusters;
	snprintf(c->r->probe.name, sizeof(c->r->probe.name), "%s", s->name);
	snprintf(c->r->probe.uuid, sizeof(c->r->probe.uuid), "%s", s->uuid);
	c->r->probe.size = s->size;
	c->r->probe.cluster_size = s->cluster_size;
	c->r->probe.clean = s->clean;
	return rc;
}

static void check_free(struct check *c)
{
	free(c->cluster);
	free(c->page);
	free(c->root);
	lvs_close(c->s);
}

int lvs_check_fd(int fd, lvs_finding_fn fn, void *arg, struct lvs_check_result *r,
		 struct lvs_error *err)
{
	struct check c = { .fn = fn, .arg = arg, .r = r };
	struct lvs_error why;
	int rc;

	memset(r, 0, sizeof(*r));
	rc = lvs_open_fd(fd, &c.s, &why);
	if (rc == -EUCLEAN || rc == -EOPNOTSUPP) {
		found(&c, true, why.page, "%s", why.text);
		return 0;
	}
	if (rc)
		return lvs_err(err, rc, "%s", why.text);
	rc = check_store(&c);
	check_free(&c);
	return rc ? lvs_err(err, rc, "%s", strerror(-rc)) : 0;
}
