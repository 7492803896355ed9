// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "../erofs/erofs.h"
#include "../ext4/extfs.h"
#include "../util.h"
#include "convert.h"
#include "lvolbytes.h"

static int store_error(struct ybd_error *err, int rc, const struct lvs_error *e)
{
	return ybd_error_set(err, rc, "the store: %s", e->text);
}

/* ---- what is there ---- */

static bool xattr_is(const struct lvw_vol *v, const char *name, const char *want)
{
	const struct lvs_xattr *x = lvw_vol_xattr(v, name);

	return x && x->len == strlen(want) && !memcmp(x->value, want, x->len);
}

/*
 * The lvol of a layer, *@v; NULL when it has to be made. What a killed run left of it is deleted.
 */
static int find_layer(struct convert *c, size_t i, struct lvw_vol **v, struct ybd_error *err)
{
	const struct convert_layer *l = &c->layer[i];
	char chain[OCI_DIGEST_STRLEN + 1];
	struct lvs_error e = { 0 };
	int rc;

	*v = lvw_find(c->w, l->id.name);
	if (!*v)
		return 0;
	oci_digest_text(&c->image->layer[i].chain_id, chain);
	if (!xattr_is(*v, CONVERT_XATTR_CHAIN, chain))
		return ybd_error_set(err, -EEXIST, "the store has an lvol %s that is not of this image",
				     l->id.name);
	if (lvw_vol_read_only(*v))
		return 0;
	rc = lvw_vol_delete(*v, &e);
	*v = NULL;
	return rc ? store_error(err, rc, &e) : 0;
}

/* The uppermost layer that is there; its number + 1, and @v. */
static int find_chain(struct convert *c, size_t *nr, struct lvw_vol **top, struct ybd_error *err)
{
	struct lvw_vol *v;
	int rc;

	*nr = 0;
	*top = NULL;
	for (size_t i = c->image->nr; i--;) {
		rc = find_layer(c, i, &v, err);
		if (rc)
			return rc;
		if (!v)
			continue;
		c->layer[i].there = true;
		c->layer[i].allocated = lvw_vol_allocated(v) * lvw_cluster_size(c->w);
		if (!*top) {
			*top = v;
			*nr = i + 1;
		}
	}
	return 0;
}

/* ---- making one ---- */

static int new_lvol(struct convert *c, size_t i, struct lvw_vol *below, struct lvw_vol **v,
		    struct ybd_error *err)
{
	const struct oci_layer *l = &c->image->layer[i];
	char chain[OCI_DIGEST_STRLEN + 1], diff[OCI_DIGEST_STRLEN + 1];
	char text[CHAIN_HOW_LEN];
	const char *how = chain_how_text(&c->how, text);
	const struct lvs_xattr x[] = {
		{ CONVERT_XATTR_CHAIN, oci_digest_text(&l->chain_id, chain), OCI_DIGEST_STRLEN },
		{ CONVERT_XATTR_DIFF, oci_digest_text(&l->diff_id, diff), OCI_DIGEST_STRLEN },
		{ CONVERT_XATTR_HOW, how, strlen(how) },
	};
	const struct lvw_vol_opts o = {
		.name = c->layer[i].id.name,
		.uuid = c->layer[i].id.uuid,
		.xattrs = x,
		.nr_xattrs = ARRAY_SIZE(x),
	};
	struct lvs_error e = { 0 };
	int rc;

	if (below)
		rc = lvw_vol_clone(below, &o, v, &e);
	else
		rc = lvw_vol_create(c->w, &o, c->how.size, true, v, &e);
	return rc ? store_error(err, rc, &e) : 0;
}

static int open_fs(struct convert *c, struct lvolbytes *b, bool first, struct imgfs **fs,
		   struct ybd_error *err)
{
	struct extfs_opts o = { .no_journal = c->how.no_journal };
	bool erofs = chain_is_erofs(&c->how);

	if (!first)
		return erofs ? erofs_open(&b->b, fs, err) : extfs_open(&b->b, fs, err);
	chain_fs_ids(&c->image->layer[0].chain_id, &c->how, o.uuid, o.hash_seed);
	return erofs ? erofs_make(&b->b, o.uuid, fs, err) : extfs_make(&b->b, &o, fs, err);
}

static int fill(struct convert *c, size_t i, struct lvw_vol *v, struct ybd_error *err)
{
	struct lowers own = { 0 }, *l = chain_is_overlayfs(&c->how) ? &own : NULL;
	struct oci_layer_reader *r;
	struct lvolbytes b;
	struct imgfs *fs;
	int rc = readers_take(c->readers, c->source, &c->image->layer[i], &r, err);

	if (rc)
		return rc;
	lvolbytes_init(&b, c->w, v, c->how.size);
	rc = open_fs(c, &b, !i, &fs, err);
	if (rc)
		goto out_close;
	if (c->hot)
		rc = hot_list_place(c->hot, fs, c->source, &c->image->layer[i], err);
	if (!rc && l)
		rc = lowers_begin(l, fs, i + 1, err);
	if (!rc)
		rc = apply_layer(fs, l, r, c->hot, c->progress, err);
	if (rc)
		imgfs_abort(fs);
	else
		rc = imgfs_finish(fs, imgfs_newest(fs), err);
out_close:
	oci_layer_close(r);
	return rc;
}

static int make_layer(struct convert *c, size_t i, struct lvw_vol *below, struct lvw_vol **out,
		      struct ybd_error *err)
{
	struct lvs_error e = { 0 };
	struct lvw_vol *v;
	int rc = new_lvol(c, i, below, &v, err);

	if (rc)
		return rc;
	rc = fill(c, i, v, err);
	if (!rc) {
		rc = lvw_vol_set_read_only(v, &e);
		if (rc)
			store_error(err, rc, &e);
	}
	if (rc) {
		/* when the writer is dead, the next run takes it away */
		lvw_vol_delete(v, NULL);
		return rc;
	}
	c->layer[i].there = true;
	c->layer[i].made = true;
	c->layer[i].allocated = lvw_vol_allocated(v) * lvw_cluster_size(c->w);
	*out = v;
	return 0;
}

/*
 * Take away the layers from @first to below @end, which this run has made: from the top, as each
 * is a clone of the one below. Where a reader may have them already, or the writer is dead, they
 * stay: each is right by itself.
 */
static void undo(struct convert *c, size_t first, size_t end)
{
	struct lvw_vol *v;

	while (end-- > first) {
		v = lvw_find(c->w, c->layer[end].id.name);
		if (!v || lvw_vol_delete(v, NULL))
			return;
		c->layer[end].there = false;
		c->layer[end].made = false;
		c->layer[end].allocated = 0;
	}
}

/* Is it complete, or will it be before the image's turn comes? */
static bool is_expected(const struct convert *c, size_t i)
{
	const char *name = c->layer[i].id.name;
	const struct lvw_vol *v = lvw_find(c->w, name);

	return (v && lvw_vol_read_only(v)) || readers_has(c->readers, name);
}

int convert_expect(struct convert *c, struct ybd_error *err)
{
	size_t i = c->image->nr;

	for (size_t k = 0; k < c->image->nr; k++)
		chain_identify(&c->image->layer[k].chain_id, &c->how, &c->layer[k].id);
	while (i && !is_expected(c, i - 1))
		i--;
	for (; i < c->image->nr; i++)
		if (readers_add(c->readers, c->source, &c->image->layer[i], c->layer[i].id.name))
			return ybd_error_sys(err, -ENOMEM, "image");
	return 0;
}

int convert_image(struct convert *c, struct ybd_error *err)
{
	char digest[OCI_DIGEST_STRLEN + 1];
	struct lvw_vol *top;
	size_t nr;
	int rc;

	rc = find_chain(c, &nr, &top, err);
	for (size_t i = 0; !rc && i < nr; i++)
		if (c->done)
			c->done(c->arg, i);
	for (size_t i = nr; !rc && i < c->image->nr; i++) {
		const struct oci_layer *l = &c->image->layer[i];

		if (c->begin)
			c->begin(c->arg, i);
		rc = make_layer(c, i, top, &top, err);
		if (!rc) {
			if (c->done)
				c->done(c->arg, i);
			continue;
		}
		ybd_error_prefix(err, "layer %zu (%s)", i + 1,
				 oci_digest_text(l->has_digest ? &l->digest : &l->diff_id, digest));
		undo(c, nr, i);
	}
	return rc;
}
