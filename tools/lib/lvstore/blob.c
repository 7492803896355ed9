// SPDX-License-Identifier: GPL-2.0-only
/*
 * One blob: its chain of metadata pages, and the descriptors in them (section 4). Whatever is
 * wrong is noted in the blob, with the page, and leaves the other blobs alone.
 */
#include <errno.h>
#include <stdlib.h>

#include "store.h"

/* how often a blob that does not parse is read again when another program may be writing */
#define BLOB_RETRIES 3

const struct blob_xattr *blob_xattr(const struct lvs_lvol *l, const char *name, bool internal)
{
	for (size_t i = 0; i < l->nr_xattrs; i++) {
		const struct blob_xattr *x = &l->xattrs[i];

		if (x->internal == internal && !strcmp(x->pub.name, name))
			return x;
	}
	return NULL;
}

int blob_ref(struct lvs_lvol *l, u32 page, const struct lvs_disk_page *p)
{
	int rc = lvs_grow(&l->refs, &l->cap_refs, l->nr_refs, sizeof(*l->refs));

	if (rc)
		return rc;
	l->refs[l->nr_refs++] = (struct page_ref){ .page = page, .crc = le32_to_cpu(p->crc) };
	return 0;
}

int blob_refuse(struct lvs_lvol *l, enum lvol_state state, const struct lvs_error *why)
{
	l->state = state;
	if (l->reason)
		return 0;
	l->reason = strdup(why->text);
	l->reason_page = why->page;
	return l->reason ? 0 : -ENOMEM;
}

static int parse_flags(struct lvs_lvol *l, u32 page, const u8 *p, u32 len, struct lvs_error *err)
{
	struct lvs_disk_flags f;

	if (len != sizeof(f))
		return lvs_err_page(err, -EUCLEAN, l->store, page,
				    "flags descriptor of %u bytes, expected %zu", len, sizeof(f));
	memcpy(&f, p, sizeof(f));
	l->invalid_flags = le64_to_cpu(f.invalid);
	l->data_ro_flags = le64_to_cpu(f.data_ro);
	l->md_ro_flags = le64_to_cpu(f.md_ro);
	if (l->invalid_flags & ~(u64)LVS_INVALID_KNOWN)
		return lvs_err_page(err, -EUCLEAN, l->store, page,
				    "unknown flags 0x%llx: made by a newer SPDK",
				    (unsigned long long)l->invalid_flags);
	l->has_flags = true;
	return 0;
}

/* The name, its NUL and the value lie in one allocation. */
static int add_xattr(struct lvs_lvol *l, const u8 *p, u32 nlen, u32 vlen, bool internal)
{
	char *b;
	int rc;

	rc = lvs_grow(&l->xattrs, &l->cap_xattrs, l->nr_xattrs, sizeof(*l->xattrs));
	if (rc)
		return rc;
	b = malloc((size_t)nlen + 1 + vlen);
	if (!b)
		return -ENOMEM;
	memcpy(b, p, nlen);
	b[nlen] = 0;
	memcpy(b + nlen + 1, p + nlen, vlen);
	l->xattrs[l->nr_xattrs++] = (struct blob_xattr){
		.pub = { .name = b, .value = b + nlen + 1, .len = vlen },
		.internal = internal,
	};
	return 0;
}

static int parse_xattr(struct lvs_lvol *l, u32 page, const u8 *p, u32 len, bool internal,
		       struct lvs_error *err)
{
	struct lvs_disk_xattr x;
	u32 nlen, vlen;

	if (len < sizeof(x))
		return lvs_err_page(err, -EUCLEAN, l->store, page, "xattr descriptor of %u bytes",
				    len);
	memcpy(&x, p, sizeof(x));
	nlen = le16_to_cpu(x.name_len);
	vlen = le16_to_cpu(x.value_len);
	if (len != sizeof(x) + nlen + vlen)
		return lvs_err_page(err, -EUCLEAN, l->store, page,
				    "xattr descriptor of %u bytes for a name of %u and a value of %u",
				    len, nlen, vlen);
	return add_xattr(l, p + sizeof(x), nlen, vlen, internal);
}

static int parse_desc(struct lvs_lvol *l, u32 page, u8 type, const u8 *p, u32 len,
		      struct lvs_error *err)
{
	switch (type) {
	case LVS_DESC_PADDING:
		return 0;
	case LVS_DESC_FLAGS:
		return parse_flags(l, page, p, len, err);
	case LVS_DESC_XATTR:
		return parse_xattr(l, page, p, len, false, err);
	case LVS_DESC_XATTR_INTERNAL:
		return parse_xattr(l, page, p, len, true, err);
	case LVS_DESC_EXTENT_RLE:
		return extents_parse_rle(l, page, p, len, err);
	case LVS_DESC_EXTENT_TABLE:
		return extents_parse_table(l, page, p, len, err);
	case LVS_DESC_EXTENT_PAGE:
		return lvs_err_page(err, -EUCLEAN, l->store, page,
				    "extent page descriptor in a blob's chain");
	}
	/* SPDK skips it when it opens a blob, and gives up the store when it recovers one */
	if (l->store->clean)
		return 0;
	return lvs_err_page(err, -EUCLEAN, l->store, page,
			    "unknown descriptor type %u in a store that is not clean", type);
}

static int parse_page(struct lvs_lvol *l, u32 page, const struct lvs_disk_page *p,
		      struct lvs_error *err)
{
	u32 at = 0;

	while (LVS_DISK_DESC_LEN - at >= sizeof(struct lvs_disk_desc)) {
		u8 type = p->desc[at];
		u32 len = get_le32(p->desc + at + 1);
		u32 room = LVS_DISK_DESC_LEN - at - sizeof(struct lvs_disk_desc);
		int rc;

		if (type == LVS_DESC_PADDING && !len)
			break;
		if (len > room)
			return lvs_err_page(err, -EUCLEAN, l->store, page,
					    "descriptor of type %u at offset %zu has %u bytes, the page %u",
					    type, offsetof(struct lvs_disk_page, desc) + at, len,
					    room);
		at += sizeof(struct lvs_disk_desc);
		rc = parse_desc(l, page, type, p->desc + at, len, err);
		if (rc)
			return rc;
		at += len;
	}
	return 0;
}

/*
 * The sequence number of a chain's page is its position, and is checked: no chain can come back to
 * a page of its own, so this ends.
 */
static int parse_chain(struct lvs_lvol *l, struct lvs_error *err)
{
	u64 id = LVS_BLOB_ID(l->root);
	u32 page = l->root;

	for (u32 seq = 0; page != LVS_NO_NEXT; seq++) {
		const struct lvs_disk_page *p;
		u32 next;
		int rc;

		rc = md_read(l->store, page, &p, err);
		if (p && !blob_ref(l, page, p))
			l->nr_chain++;
		if (rc)
			return rc;
		if (l->nr_refs == seq)
			return -ENOMEM;
		if (le64_to_cpu(p->id) != id)
			return lvs_err_page(err, -EUCLEAN, l->store, page,
					    "belongs to blob 0x%llx, expected 0x%llx",
					    (unsigned long long)le64_to_cpu(p->id),
					    (unsigned long long)id);
		if (le32_to_cpu(p->seq) != seq)
			return lvs_err_page(err, -EUCLEAN, l->store, page,
					    "sequence number %u, expected %u",
					    le32_to_cpu(p->seq), seq);
		next = le32_to_cpu(p->next);
		rc = parse_page(l, page, p, err);
		if (rc)
			return rc;
		page = next;
	}
	return 0;
}

/* What the flags and internal xattrs say about parents. */
static int derive_parent(struct lvs_lvol *l, struct lvs_error *err)
{
	const struct blob_xattr *x;

	if (l->invalid_flags & LVS_INVALID_ESNAP) {
		x = blob_xattr(l, LVS_XATTR_ESNAP, true);
		if (!x || !x->pub.len)
			return lvs_err_page(err, -EUCLEAN, l->store, l->root,
					    "clone of an external snapshot without its id");
		l->esnap_id = strndup(x->pub.value, x->pub.len);
		return l->esnap_id ? 0 : -ENOMEM;
	}
	x = blob_xattr(l, LVS_XATTR_SNAP, true);
	if (!x || !(l->invalid_flags & LVS_INVALID_THIN))
		return 0;
	if (x->pub.len != sizeof(l->parent_id))
		return lvs_err_page(err, -EUCLEAN, l->store, l->root,
				    "parent's id of %zu bytes, expected 8", x->pub.len);
	l->parent_id = get_le64(x->pub.value);
	return 0;
}

static int derive_pending(struct lvs_lvol *l, struct lvs_error *err)
{
	const struct blob_xattr *x = blob_xattr(l, LVS_XATTR_SNAP_REMOVE, true);

	l->pending = LVS_PENDING_REMOVE;
	if (!x) {
		x = blob_xattr(l, LVS_XATTR_SNAP_CREATE, true);
		l->pending = x ? LVS_PENDING_CREATE : LVS_PENDING_NONE;
	}
	if (!x)
		return 0;
	if (x->pub.len != sizeof(l->pending_id))
		return lvs_err_page(err, -EUCLEAN, l->store, l->root,
				    "%s of %zu bytes, expected 8", x->pub.name, x->pub.len);
	l->pending_id = get_le64(x->pub.value);
	return 0;
}

static int blob_parse(struct lvs_lvol *l, struct lvs_error *err)
{
	int rc = parse_chain(l, err);

	if (rc)
		return rc;
	if (!l->has_flags)
		return lvs_err_page(err, -EUCLEAN, l->store, l->root, "blob without flags");
	rc = extents_load(l, err);
	if (rc)
		return rc;
	rc = derive_parent(l, err);
	return rc ? rc : derive_pending(l, err);
}

/* Back to knowing nothing but where the root is. */
static void blob_clear(struct lvs_lvol *l)
{
	struct lvs_lvol clear = { .store = l->store, .root = l->root };

	for (size_t i = 0; i < l->nr_xattrs; i++)
		free((void *)l->xattrs[i].pub.name);
	free(l->xattrs);
	free(l->runs);
	free(l->refs);
	free(l->table);
	free(l->clones);
	free(l->esnap_id);
	free(l->reason);
	l->store->claims -= l->allocated;
	l->store->extent_pages -= l->nr_refs - l->nr_chain;
	clear.parent_id = LVS_NO_BLOB;
	clear.reason_page = LVS_NO_PAGE;
	*l = clear;
}

void blob_free(struct lvs_lvol *l)
{
	if (!l)
		return;
	blob_clear(l);
	free(l);
}

/* Parse; when that fails, note why. Only running out of memory is an error. */
static int blob_try(struct lvs_lvol *l)
{
	struct lvs_error why = { .page = LVS_NO_PAGE };
	int rc = blob_parse(l, &why);

	if (!rc || rc == -ENOMEM)
		return rc;
	return blob_refuse(l, LVOL_REFUSED, &why);
}

/* Does the device still have a root at this page? An unreadable one counts: it is refused. */
static bool root_exists(struct lvs_lvol *l)
{
	const struct lvs_disk_page *p;
	int rc = md_read(l->store, l->root, &p, NULL);

	if (rc && !p)
		return true;
	return le64_to_cpu(p->id) == LVS_BLOB_ID(l->root) && !le32_to_cpu(p->seq);
}

/*
 * With another program at work, what does not fit together may only have been read too early: read
 * it again, from the device. 1: it is gone.
 */
static int blob_retry(struct lvs_lvol *l)
{
	int rc = 0;

	l->store->fresh = true;
	for (int i = 0; i < BLOB_RETRIES && !rc && l->state == LVOL_REFUSED; i++) {
		blob_clear(l);
		rc = root_exists(l) ? blob_try(l) : 1;
	}
	l->store->fresh = false;
	return rc;
}

struct lvs_lvol *blob_new(struct lvs_store *s, u32 page)
{
	struct lvs_lvol *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->store = s;
	l->root = page;
	blob_clear(l);
	return l;
}

int blob_load(struct lvs_store *s, u32 page, struct lvs_lvol **out)
{
	struct lvs_lvol *l = blob_new(s, page);
	int rc;

	if (!l)
		return -ENOMEM;
	rc = blob_try(l);
	if (!rc && !s->clean)
		rc = blob_retry(l);
	if (rc)
		blob_free(l);
	else
		*out = l;
	return rc;
}

int blob_reload(struct lvs_lvol *l)
{
	blob_clear(l);
	l->state = LVOL_REFUSED;	/* until it is read */
	return blob_retry(l);
}
