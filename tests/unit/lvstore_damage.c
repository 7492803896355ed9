// SPDX-License-Identifier: GPL-2.0-only
/*
 * Damaged stores: lvstore_damage IMAGE-DIR
 *
 * Each case changes a few bytes of a fixture, puts the crc right (but where the crc is the case),
 * and says what the reader must say: either why there is no store, or which lvol is left out, at
 * which metadata page, and why; with everything above it, and nothing else.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ktap.h"
#include "lvstore_image.h"
#include "util.h"

enum where {
	SUPER,		/* the super block */
	ROOT,		/* the lvol's root page */
	NEXT,		/* the second page of its chain */
	EXTENTS,	/* its first extent page */
	DESC,		/* payload of a descriptor in its root */
	HEAD,		/* the five bytes in front of it */
	XATTR,		/* value of an xattr in its root */
};

/* One change. @width 0: none. */
struct poke {
	enum where where;
	u8 type;		/* DESC, HEAD: descriptor type */
	const char *xattr;	/* XATTR: name */
	int off;
	int width;
	u64 val;
};

/**
 * struct damage - a case
 * @name: what is damaged
 * @image: fixture
 * @lvol: whose metadata, and who is left out
 * @p: the changes
 * @unclean: also clear the super block's "clean"
 * @keep_crc: do not put the crc right
 * @at_root: the page reported is the root, whatever was changed
 * @fn: or a change in words of its own
 * @code: the error of the open; 0: it opens
 * @text: part of the reason; NULL: nothing is left out
 * @note: the reason is a note about the store, no lvol is left out
 */
struct damage {
	const char *name;
	const char *image;
	const char *lvol;
	struct poke p[4];
	bool unclean;
	bool keep_crc;
	bool at_root;
	void (*fn)(struct image *im);
	int code;
	const char *text;
	bool note;
};

static const char *image_dir;

/* ---- changes that take more than a poke ---- */

static void cut_file(struct image *im)
{
	im->len = im->len / 2 + 100;
}

static void tiny_file(struct image *im)
{
	im->len = 1000;
}

static void empty_file(struct image *im)
{
	im->len = 0;
}

static void page_mask_type(struct image *im)
{
	im->mem[get_le32(im->mem + 32) * im->s.md_page_size] = 1;
}

static void cluster_mask_length(struct image *im)
{
	put_le32(im->mem + get_le32(im->mem + 40) * im->s.md_page_size + 1, 3);
}

static void blobid_mask_beyond(struct image *im)
{
	put_le32(im->mem + 72, 0xfffffff0);
	image_fix_super(im);
}

static void no_blobid_mask(struct image *im)
{
	put_le32(im->mem + 76, 0);
	image_fix_super(im);
}

static void cluster_not_used(struct image *im)
{
	u8 *bits = im->mem + get_le32(im->mem + 40) * im->s.md_page_size + 5;
	u8 *rle = image_desc(im, image_root(im, "rle-thick"), LVS_DESC_EXTENT_RLE, 0);
	u32 cluster = get_le32(rle) + 7;

	bits[cluster / 8] &= (u8)~(1 << cluster % 8);
}

static void set_snap(struct image *im, const char *lvol, u32 parent)
{
	u32 root = image_root(im, lvol);

	put_le64(image_xattr(im, root, "SNAP"), LVS_BLOB_ID(parent));
	image_fix_page(im, root);
}

/* snap-02 becomes the parent of snap-01, whose clone it is */
static void parents_in_a_circle(struct image *im)
{
	set_snap(im, "snap-01", image_root(im, "snap-03"));
}

static void own_parent(struct image *im)
{
	set_snap(im, "snap-03", image_root(im, "snap-03"));
}

static void short_parent_id(struct image *im)
{
	u32 root = image_root(im, "snap-03");
	u8 *x = image_desc(im, root, LVS_DESC_XATTR_INTERNAL, 0);
	u8 *end = image_page(im, root)->desc + LVS_DISK_DESC_LEN;

	memmove(x + 15, x + 16, (size_t)(end - x) - 16);
	put_le32(x - 4, 15);
	x[2] = 7;
	image_fix_page(im, root);
}

static void same_names(struct image *im)
{
	u32 root = image_root(im, "mid-clone");

	memcpy(image_xattr(im, root, "name"), "snap-01", 8);
	image_fix_page(im, root);
}

static void same_uuids(struct image *im)
{
	u32 a = image_root(im, "snap-03"), b = image_root(im, "mid-clone");

	memcpy(image_xattr(im, b, "uuid"), image_xattr(im, a, "uuid"), 37);
	image_fix_page(im, b);
}

/* Three lvols, each of which has all clusters of the store. */
static void cluster_bomb(struct image *im)
{
	static const char *const lvols[] = { "rle-s0", "rle-s1", "rle-thick" };

	put_le32(im->mem + 16, 0);
	image_fix_super(im);
	for (int i = 0; i < 3; i++) {
		u32 root = image_root(im, lvols[i]);
		u8 *rle = image_desc(im, root, LVS_DESC_EXTENT_RLE, 0);

		put_le32(rle, (u32)im->s.md_clusters);
		put_le32(rle + 4, (u32)(im->s.total_clusters - im->s.md_clusters));
		for (int k = 8; k < 160 && i < 2; k += 8)
			put_le32(rle + k, 0);
		image_fix_page(im, root);
	}
}

static void unreadable_root(struct image *im)
{
	im->bad_page = image_root(im, "et-clone");
}

static void unreadable_extents(struct image *im)
{
	u8 *table = image_desc(im, image_root(im, "et"), LVS_DESC_EXTENT_TABLE, 0);

	im->bad_page = get_le32(table + 8);
}

static void unreadable_unclean(struct image *im)
{
	im->bad_page = image_root(im, "et-clone");
	put_le32(im->mem + 16, 0);
	image_fix_super(im);
}

static void super_blob_crc(struct image *im)
{
	image_page(im, 0)->desc[100] ^= 1;
}

static void super_blob_name(struct image *im)
{
	image_xattr(im, 0, "name")[0] = 0;
	image_fix_page(im, 0);
}

/* ---- cases ---- */

#define D(t, o, w, v)	{ DESC, t, NULL, o, w, v }
#define H(t, o, w, v)	{ HEAD, t, NULL, o, w, v }
#define P(where, o, w, v) { where, 0, NULL, o, w, v }
#define X(name, o, w, v) { XATTR, 0, name, o, w, v }
#define SUPER_CASE(n, o, w, v, c, t) \
	{ .name = "super block: " n, .image = "rle", .p = { P(SUPER, o, w, v) }, .code = c, \
	  .text = t }
#define FLAGS	LVS_DESC_FLAGS
#define RLE	LVS_DESC_EXTENT_RLE
#define TABLE	LVS_DESC_EXTENT_TABLE
#define XATTRS	LVS_DESC_XATTR
#define INTERNAL LVS_DESC_XATTR_INTERNAL

static const struct damage cases[] = {
	SUPER_CASE("signature", 0, 1, 'X', -ENODATA, "no SPDK blobstore"),
	SUPER_CASE("version 4", 8, 4, 4, -EOPNOTSUPP, "version 4"),
	SUPER_CASE("version 0", 8, 4, 0, -EOPNOTSUPP, "version 0"),
	SUPER_CASE("length", 12, 4, 8192, -EUCLEAN, "length 8192"),
	SUPER_CASE("bstype", 56, 1, 'B', -EMEDIUMTYPE, "not an lvstore"),
	SUPER_CASE("cluster size 0", 28, 4, 0, -EUCLEAN, "cluster size 0"),
	SUPER_CASE("cluster size 20480", 28, 4, 20480, -EOPNOTSUPP, "no power of two"),
	SUPER_CASE("cluster size below md page size", 92, 4, 131072, -EOPNOTSUPP, "md page size"),
	SUPER_CASE("md page size", 92, 4, 12288, -EOPNOTSUPP, "md page size 12288"),
	SUPER_CASE("store larger than the device", 80, 8, 1ULL << 40, -EUCLEAN, "on a device of"),
	SUPER_CASE("metadata at 0", 48, 4, 0, -EUCLEAN, "metadata at byte 0"),
	SUPER_CASE("metadata beyond the end", 52, 4, 0xffffffff, -EUCLEAN, "metadata ends"),
	SUPER_CASE("no metadata", 52, 4, 0, -EUCLEAN, "0 pages"),
	SUPER_CASE("own blob is none", 20, 8, ~0ULL, -EUCLEAN, "own blob"),
	SUPER_CASE("own blob is no blob", 20, 8, LVS_BLOB_ID(2), -EUCLEAN, "own blob"),
	{ .name = "super block: crc", .image = "rle", .p = { P(SUPER, 100, 1, 1) },
	  .keep_crc = true, .code = -EUCLEAN, .text = "(byte 0): crc 0x" },
	{ .name = "own blob: crc", .image = "rle", .fn = super_blob_crc, .code = -EUCLEAN,
	  .text = "md page 0 (byte " },
	{ .name = "own blob: no name", .image = "rle", .fn = super_blob_name, .code = -EUCLEAN,
	  .text = "no usable name" },
	{ .name = "file cut short", .image = "rle", .fn = cut_file, .code = -EUCLEAN,
	  .text = "on a device of" },
	{ .name = "file too short for a super block", .image = "rle", .fn = tiny_file,
	  .code = -ENODATA, .text = "1000 bytes only" },
	{ .name = "empty file", .image = "rle", .fn = empty_file, .code = -ENODATA,
	  .text = "0 bytes only" },

	{ .name = "mask: page mask's type", .image = "rle", .fn = page_mask_type, .note = true,
	  .text = "a used mask is damaged" },
	{ .name = "mask: cluster mask's length", .image = "rle", .fn = cluster_mask_length,
	  .note = true, .text = "a used mask is damaged" },
	{ .name = "mask: blobid mask beyond the metadata", .image = "rle",
	  .fn = blobid_mask_beyond, .note = true, .text = "a used mask is damaged" },
	{ .name = "mask: no blobid mask", .image = "rle", .fn = no_blobid_mask },
	{ .name = "mask: cluster not marked used", .image = "rle", .lvol = "rle-thick",
	  .fn = cluster_not_used, .text = "is not marked used" },

	{ .name = "root: crc", .image = "rle", .lvol = "et-s", .p = { P(ROOT, 200, 1, 9) },
	  .keep_crc = true, .text = "): crc 0x" },
	{ .name = "root: crc, not clean", .image = "rle", .lvol = "et-s",
	  .p = { P(ROOT, 200, 1, 9) }, .unclean = true, .keep_crc = true, .text = "): crc 0x" },
	{ .name = "root: another blob's id", .image = "rle", .lvol = "et-s",
	  .p = { P(ROOT, 0, 8, LVS_BLOB_ID(77)) }, .text = "belongs to blob 0x10000004d" },
	{ .name = "root: sequence number", .image = "rle", .lvol = "et", .p = { P(ROOT, 8, 4, 1) },
	  .text = "sequence number 1, expected 0" },
	{ .name = "chain: back to its root", .image = "rle", .lvol = "rle-frag",
	  .p = { P(ROOT, 4088, 4, 9) }, .text = "sequence number 0, expected 1" },
	{ .name = "chain: second page to itself", .image = "rle", .lvol = "rle-frag",
	  .p = { P(NEXT, 4088, 4, 10) }, .text = "sequence number 1, expected 2" },
	{ .name = "chain: beyond the metadata", .image = "rle", .lvol = "rle-frag",
	  .p = { P(ROOT, 4088, 4, 0xfffffffe) }, .at_root = true,
	  .text = "md page 4294967294 is beyond" },
	{ .name = "chain: into another blob", .image = "rle", .lvol = "rle-frag",
	  .p = { P(NEXT, 0, 8, LVS_BLOB_ID(1)) }, .text = "belongs to blob 0x100000001" },
	{ .name = "chain: crc of the second page", .image = "rle", .lvol = "rle-frag",
	  .p = { P(NEXT, 100, 1, 9) }, .keep_crc = true, .text = "): crc 0x" },

	{ .name = "descriptor: past its page", .image = "rle", .lvol = "et",
	  .p = { H(TABLE, 1, 4, 4000) }, .text = "has 4000 bytes, the page" },
	{ .name = "descriptor: of 4 GiB", .image = "rle", .lvol = "et",
	  .p = { H(XATTRS, 1, 4, 0xffffffff) }, .text = "has 4294967295 bytes, the page" },
	{ .name = "descriptor: unknown, clean", .image = "rle", .lvol = "et-clone",
	  .p = { H(INTERNAL, 0, 1, 99) } },
	{ .name = "descriptor: unknown, not clean", .image = "rle", .lvol = "et-clone",
	  .p = { H(INTERNAL, 0, 1, 99) }, .unclean = true, .text = "unknown descriptor type 99" },
	{ .name = "descriptor: extent page in a chain", .image = "rle", .lvol = "et",
	  .p = { H(TABLE, 0, 1, 6) }, .text = "extent page descriptor in" },
	{ .name = "flags: length", .image = "rle", .lvol = "et", .p = { H(FLAGS, 1, 4, 23) },
	  .text = "flags descriptor of 23 bytes" },
	{ .name = "flags: unknown", .image = "rle", .lvol = "et-s",
	  .p = { D(FLAGS, 0, 1, 0x15) }, .text = "unknown flags" },
	{ .name = "flags: missing", .image = "rle", .lvol = "rle-empty",
	  .p = { H(FLAGS, 0, 1, LVS_DESC_PADDING), H(RLE, 0, 1, LVS_DESC_PADDING) },
	  .text = "blob without flags" },
	{ .name = "xattr: value longer than its descriptor", .image = "rle", .lvol = "et",
	  .p = { D(XATTRS, 2, 1, 200) }, .text = "and a value of 200" },
	{ .name = "xattr: too short for its head", .image = "rle", .lvol = "et",
	  .p = { H(XATTRS, 1, 4, 3) }, .text = "xattr descriptor of 3 bytes" },

	{ .name = "table: 2^60 clusters", .image = "rle", .lvol = "et",
	  .p = { D(TABLE, 0, 8, 1ULL << 60) }, .text = "size of 1152921504606846976 clusters" },
	{ .name = "table: more clusters than slots", .image = "rle", .lvol = "et",
	  .p = { D(TABLE, 0, 8, 5000) }, .text = "extent table of 1 slots, expected 10" },
	{ .name = "table: more slots than clusters", .image = "rle", .lvol = "et-clone",
	  .p = { D(TABLE, 12, 4, 0xffffffff) }, .text = "count 4294967295) after 0 of 1 slots" },
	{ .name = "table: an entry of no slots", .image = "rle", .lvol = "et-clone",
	  .p = { D(TABLE, 12, 4, 0) }, .text = "count 0) after 0 of" },
	{ .name = "table: an extent page twice", .image = "rle", .lvol = "et",
	  .p = { D(TABLE, 0, 8, 1000), D(TABLE, 12, 4, 2) }, .text = "count 2) after 0 of 2" },
	{ .name = "table: odd length", .image = "rle", .lvol = "et", .p = { H(TABLE, 1, 4, 12) },
	  .text = "extent table of 12 bytes" },
	{ .name = "table: too short", .image = "rle", .lvol = "et", .p = { H(TABLE, 1, 4, 4) },
	  .text = "extent table of 4 bytes" },
	{ .name = "table: extent page beyond the metadata", .image = "rle", .lvol = "et",
	  .p = { D(TABLE, 8, 4, 0x7fffffff) }, .at_root = true, .text = "md page 2147483647 is" },
	{ .name = "table: extent page is a root", .image = "rle", .lvol = "et",
	  .p = { D(TABLE, 8, 4, 3) }, .at_root = true, .text = "not an extent page" },
	{ .name = "table: missing page in a thick blob", .image = "variants",
	  .lvol = "grown-thick", .p = { D(FLAGS, 0, 1, 4) }, .at_root = true,
	  .text = "unallocated clusters in a blob that is not thin" },
	{ .name = "extent page: crc", .image = "rle", .lvol = "et", .p = { P(EXTENTS, 100, 1, 9) },
	  .keep_crc = true, .text = "): crc 0x" },
	{ .name = "extent page: start", .image = "rle", .lvol = "et",
	  .p = { P(EXTENTS, 21, 4, 512) }, .text = "starts at cluster 512, expected 0" },
	{ .name = "extent page: length", .image = "rle", .lvol = "et",
	  .p = { P(EXTENTS, 17, 4, 2052) }, .text = "extent page of 2052 bytes" },
	{ .name = "extent page: a second descriptor", .image = "rle", .lvol = "et",
	  .p = { P(EXTENTS, 16 + 5 + 516 + 1, 4, 8) }, .text = "a second descriptor" },
	{ .name = "extent page: cluster of the metadata", .image = "rle", .lvol = "et",
	  .p = { P(EXTENTS, 25, 4, 1) }, .text = "cluster 1 is the metadata's" },
	{ .name = "extent page: cluster beyond the store", .image = "rle", .lvol = "et",
	  .p = { P(EXTENTS, 25, 4, 0xffffffff) }, .text = "clusters 4294967295 to" },
	{ .name = "run: beyond the store", .image = "rle", .lvol = "rle-thick",
	  .p = { D(RLE, 4, 4, 0x10000) }, .text = ", the store has" },
	{ .name = "run: of 2^32 clusters", .image = "rle", .lvol = "rle-thick",
	  .p = { D(RLE, 4, 4, 0xffffffff) }, .text = ", the store has" },
	{ .name = "run: sizes that add up to too much", .image = "rle", .lvol = "rle-s0",
	  .p = { D(RLE, 0, 4, 0), D(RLE, 4, 4, 0xffffffff) }, .text = "size of" },
	{ .name = "run: a hole in a thick blob", .image = "rle", .lvol = "rle-thick",
	  .p = { D(RLE, 0, 4, 0) }, .text = "in a blob that is not thin" },
	{ .name = "run: odd length", .image = "rle", .lvol = "rle-thick",
	  .p = { H(RLE, 1, 4, 7) }, .text = "run-length extents of 7 bytes" },
	{ .name = "runs and a table", .image = "rle", .lvol = "rle-s1",
	  .p = { H(INTERNAL, 0, 1, TABLE), D(INTERNAL, 0, 8, 64), D(INTERNAL, 8, 4, 0),
		 D(INTERNAL, 12, 4, 1) }, .text = "and an extent table in one blob" },
	{ .name = "clusters named three times", .image = "rle", .lvol = "rle-s1",
	  .fn = cluster_bomb, .text = "more than twice" },

	{ .name = "parent: not there", .image = "chain5", .lvol = "snap-03",
	  .p = { X("SNAP", 0, 8, LVS_BLOB_ID(500)) }, .text = "parent 0x1000001f4 is no" },
	{ .name = "parent: no blob id", .image = "chain5", .lvol = "snap-03",
	  .p = { X("SNAP", 0, 8, 7) }, .text = "its parent 0x7 is no" },
	{ .name = "parent: the lvstore's own blob", .image = "chain5", .lvol = "snap-03",
	  .p = { X("SNAP", 0, 8, LVS_BLOB_ID(0)) }, .text = "is no snapshot of this store" },
	{ .name = "parent: id too short", .image = "chain5", .lvol = "snap-03",
	  .fn = short_parent_id, .text = "id of 7 bytes" },
	{ .name = "parent: itself", .image = "chain5", .lvol = "snap-03", .fn = own_parent,
	  .text = "comes back to itself" },
	{ .name = "parent: a circle", .image = "chain5", .lvol = "snap-01",
	  .fn = parents_in_a_circle, .text = "its parent" },
	{ .name = "external snapshot without its id", .image = "esnap", .lvol = "ec-snap",
	  .p = { H(INTERNAL, 0, 1, LVS_DESC_XATTR) }, .text = "without its id" },
	{ .name = "interrupted snapshot: its clone is not there",
	  .image = "unclean-snapdelete-01", .lvol = "s1",
	  .p = { X("SNAPRM", 0, 8, LVS_BLOB_ID(300)) }, .text = "clone 0x10000012c does not open" },

	{ .name = "name: missing", .image = "chain5", .lvol = "work",
	  .p = { D(XATTRS, 4, 1, 'N') }, .text = "without an lvol's name" },
	{ .name = "name: empty", .image = "chain5", .lvol = "work", .p = { X("name", 0, 1, 0) },
	  .text = "without an lvol's name" },
	{ .name = "name: taken", .image = "chain5", .lvol = "mid-clone", .fn = same_names,
	  .text = "has the same name as blob" },
	{ .name = "uuid: taken", .image = "chain5", .lvol = "mid-clone", .fn = same_uuids,
	  .text = "has the same uuid as blob" },
	{ .name = "uuid: none, one is made up", .image = "chain5", .lvol = "work",
	  .p = { X("uuid", 8, 1, 'x') } },

	{ .name = "unreadable root", .image = "rle", .lvol = "et-clone", .fn = unreadable_root,
	  .text = "cannot be read: Input/output error" },
	{ .name = "unreadable extent page", .image = "rle", .lvol = "et", .at_root = true,
	  .fn = unreadable_extents, .text = "cannot be read: Input/output error" },
	{ .name = "unreadable page, not clean", .image = "rle", .fn = unreadable_unclean,
	  .note = true, .text = "are not seen" },
};

/* ---- running them ---- */

static u32 poke_page(struct image *im, const struct poke *p, u32 root)
{
	switch (p->where) {
	case NEXT:
		return le32_to_cpu(image_page(im, root)->next);
	case EXTENTS:
		return get_le32(image_desc(im, root, TABLE, 0) + 8);
	default:
		return root;
	}
}

static u8 *poke_at(struct image *im, const struct poke *p, u32 root, u32 page)
{
	switch (p->where) {
	case SUPER:
		return im->mem;
	case DESC:
		return image_desc(im, root, p->type, 0);
	case HEAD:
		return image_desc(im, root, p->type, 0) - 5;
	case XATTR:
		return image_xattr(im, root, p->xattr);
	default:
		return (u8 *)image_page(im, page);
	}
}

/* Make the changes; the page at fault, or LVS_NO_PAGE. */
static u32 apply(struct image *im, const struct damage *d, u32 root)
{
	u8 *at[ARRAY_SIZE(d->p)];
	u32 page = LVS_NO_PAGE;

	/* all places are looked up before the first change hides one */
	for (size_t i = 0; i < ARRAY_SIZE(d->p) && d->p[i].width; i++) {
		if (d->p[i].where != SUPER)
			page = poke_page(im, &d->p[i], root);
		at[i] = poke_at(im, &d->p[i], root, page) + d->p[i].off;
	}
	for (size_t i = 0; i < ARRAY_SIZE(d->p) && d->p[i].width; i++) {
		if (d->p[i].width == 8)
			put_le64(at[i], d->p[i].val);
		else if (d->p[i].width == 4)
			put_le32(at[i], (u32)d->p[i].val);
		else
			*at[i] = (u8)d->p[i].val;
	}
	if (d->unclean)
		put_le32(im->mem + 16, 0);
	if (page != LVS_NO_PAGE && !d->keep_crc)
		image_fix_page(im, page);
	if (d->unclean || (d->p[0].width && d->p[0].where == SUPER && !d->keep_crc))
		image_fix_super(im);
	if (d->fn)
		d->fn(im);
	return page;
}

/* Is @l, as the undamaged store has it, above the lvol of this blob id, or that lvol? */
static bool above(const struct lvs_lvol *l, u64 id)
{
	for (; l; l = lvs_lvol_parent(l))
		if (lvs_lvol_blob_id(l) == id)
			return true;
	return false;
}

static const struct lvs_lvol *find_id(const struct lvs_store *s, u64 id)
{
	for (size_t i = 0; i < lvs_lvols(s); i++)
		if (lvs_lvol_blob_id(lvs_lvol_at(s, i)) == id)
			return lvs_lvol_at(s, i);
	return NULL;
}

static const struct lvs_refusal *find_refusal(const struct lvs_store *s, u64 id)
{
	for (size_t i = 0; i < lvs_refusals(s); i++)
		if (lvs_refusal_at(s, i)->blob_id == id)
			return lvs_refusal_at(s, i);
	return NULL;
}

/* Each reason begins with the page it names. */
static void check_reasons(const struct lvs_store *s)
{
	for (size_t i = 0; i < lvs_refusals(s); i++) {
		const struct lvs_refusal *r = lvs_refusal_at(s, i);
		char head[64];

		if (r->page == LVS_NO_PAGE)
			continue;
		snprintf(head, sizeof(head), "md page %u (byte %llu): ", r->page,
			 (unsigned long long)r->byte);
		ktap_check(!strncmp(r->text, head, strlen(head)), "reason without \"%s\": %s",
			   head, r->text);
	}
}

/*
 * What is left out, and only that: the lvol and what is above it; what is above an lvol that is
 * only hidden stays.
 */
static void check_left(const struct damage *d, const struct lvs_store *was,
		       const struct lvs_store *s, u64 id)
{
	bool hidden = d->text && (strstr(d->text, "has the same") || strstr(d->text, "not open"));

	for (size_t i = 0; i < lvs_lvols(was); i++) {
		const struct lvs_lvol *l = lvs_lvol_at(was, i);
		bool gone = hidden ? lvs_lvol_blob_id(l) == id : above(l, id);
		bool listed = find_id(s, lvs_lvol_blob_id(l));

		if (gone && !d->note && d->text)
			ktap_check(!listed && find_refusal(s, lvs_lvol_blob_id(l)),
				   "%s is not left out", lvs_lvol_name(l));
		else if (d->fn != cluster_bomb && d->fn != unreadable_unclean)
			ktap_check(listed, "%s is left out too: %s", lvs_lvol_name(l),
				   find_refusal(s, lvs_lvol_blob_id(l)) ?
				   find_refusal(s, lvs_lvol_blob_id(l))->text : "no reason");
	}
}

static void check_refusal(const struct damage *d, const struct lvs_store *s, u64 id, u32 page)
{
	const struct lvs_refusal *r = find_refusal(s, d->note ? UINT64_MAX : id);

	if (!r) {
		ktap_fail("nothing is left out");
		return;
	}
	ktap_check(strstr(r->text, d->text), "the reason is: %s", r->text);
	if (page != LVS_NO_PAGE && !d->at_root)
		ktap_check(r->page == page, "at md page %u, expected %u", r->page, page);
}

static void run_case(const struct damage *d)
{
	struct lvs_store *was, *s;
	struct lvs_error err;
	struct image im;
	u32 root = 0, page;
	int rc;

	image_load(&im, image_dir, d->image);
	if (image_open(&im, &was, &err)) {
		ktap_fail("the fixture does not open: %s", err.text);
		return;
	}
	if (d->lvol)
		root = image_root(&im, d->lvol);
	page = apply(&im, d, root);
	rc = image_open(&im, &s, &err);
	ktap_check(rc == d->code, "open is %d, expected %d: %s", rc, d->code, rc ? err.text : "");
	if (rc) {
		ktap_check(d->code && strstr(err.text, d->text), "the reason is: %s", err.text);
	} else {
		check_left(d, was, s, LVS_BLOB_ID(root));
		check_reasons(s);
		if (d->text)
			check_refusal(d, s, LVS_BLOB_ID(root), page);
		lvs_close(s);
	}
	lvs_close(was);
	image_free(&im);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s IMAGE-DIR\n", argv[0]);
		return 2;
	}
	image_dir = argv[1];
	ktap_plan(ARRAY_SIZE(cases));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		run_case(&cases[i]);
		ktap_done("lvstore damage: %s", cases[i].name);
	}
	return ktap_exit();
}
