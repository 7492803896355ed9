/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The reader's own structures, and what its files offer each other:
 *
 *   super.c    super block -> geometry
 *   md.c       metadata pages: batched reads, the page cache, masks
 *   blob.c     one blob's chain of pages -> flags, xattrs, extents
 *   extents.c  extent descriptors and extent pages -> runs
 *   live.c     a store that another program writes: is what was read still there?
 *   tree.c     parents, interrupted snapshots, names: which blobs are lvols
 *   store.c    opening: in what order, and again when a writer interferes
 *   lvol.c     accessors
 *   flatten.c, content.c  a chain -> extents -> bytes
 */
#ifndef YBD_LVSTORE_STORE_H
#define YBD_LVSTORE_STORE_H

#include "format.h"
#include "io.h"
#include "lvstore.h"

/* md pages kept while a store is being opened; beyond, they are read again. Fewer in the fuzzer. */
#ifndef MD_CACHE_MAX
#define MD_CACHE_MAX		16384u
#endif

/**
 * struct md_cache - metadata pages read so far, by number (open addressing)
 * @slot: page number + 1, 0 = empty; @size slots, a power of two
 * @data: page of each slot
 * @size: number of slots
 * @used: number of pages kept
 * @scratch: a page that was not kept; valid until the next read
 * @batch: LVS_IO_CHUNK bytes for batched reads
 */
struct md_cache {
	u64 *slot;
	struct lvs_disk_page **data;
	size_t size;
	size_t used;
	struct lvs_disk_page *scratch;
	u8 *batch;
};

/**
 * struct page_ref - a metadata page that a blob was made from
 * @page: its number
 * @crc: its crc field when it was read: what tells whether it has changed
 */
struct page_ref {
	u32 page;
	u32 crc;
};

/**
 * enum lvol_state - what became of a blob
 * @LVOL_OK: an lvol
 * @LVOL_SUPER: the lvstore's own blob
 * @LVOL_HIDDEN: cannot be listed, but what is above it can: not an lvol for SPDK, readable
 * @LVOL_REFUSED: it and everything above it is left out
 * @LVOL_REMOVED: an interrupted operation that SPDK settles by deleting it; not worth a word
 */
enum lvol_state {
	LVOL_OK,
	LVOL_SUPER,
	LVOL_HIDDEN,
	LVOL_REFUSED,
	LVOL_REMOVED,
};

/**
 * enum lvol_stale - did a page of the blob change on the device since it was read?
 * @STALE_NONE: no
 * @STALE_EXTENTS: only extent pages of a writable blob: clusters were added in place, any mixture
 *                 of old and new pages is a map that the blob has had or could have had
 * @STALE_CHAIN: its chain, or anything of a read-only blob
 */
enum lvol_stale {
	STALE_NONE,
	STALE_EXTENTS,
	STALE_CHAIN,
};

struct blob_xattr {
	struct lvs_xattr pub;
	bool internal;
};

struct lvs_lvol {
	struct lvs_store *store;
	u32 root;			/* md page */
	enum lvol_state state;
	enum lvol_stale stale;

	/* as stored */
	u64 invalid_flags;
	u64 data_ro_flags;
	u64 md_ro_flags;
	bool has_flags;
	bool has_rle;
	bool has_table;
	u64 num_clusters;
	u64 slots;			/* extent page slots seen so far */
	u64 allocated;
	struct lvs_run *runs;
	size_t nr_runs, cap_runs;
	struct page_ref *refs;		/* the chain, then the extent pages */
	size_t nr_refs, cap_refs, nr_chain;
	struct { u32 slot; u32 page; } *table;	/* extent pages */
	size_t nr_table, cap_table;
	struct blob_xattr *xattrs;
	size_t nr_xattrs, cap_xattrs;

	/* derived */
	char name[LVS_NAME_MAX];
	char uuid[64];
	char *esnap_id;
	u64 parent_id;			/* LVS_NO_BLOB: none */
	u64 pending_id;			/* the clone of an interrupted operation */
	enum lvs_pending pending;
	struct lvs_lvol *parent;
	unsigned int depth;
	u8 mark;			/* tree.c: 0 new, 1 on the path, 2 done */
	struct lvs_lvol **clones;
	size_t nr_clones, cap_clones;

	/* why not */
	char *reason;
	u32 reason_page;
};

struct lvs_store {
	struct lvs_io *io;
	struct lvs_disk_super raw;

	/* geometry */
	u32 version;
	u32 cluster_size;
	u32 block_size;
	u32 md_page_size;
	u64 size;
	u64 total_clusters;
	u64 md_clusters;		/* 0 .. md_clusters - 1 are the metadata's */
	u64 md_start;			/* bytes */
	u32 md_len;			/* pages */
	u64 super_blob;
	bool clean;

	/* masks; NULL unless clean */
	u8 *used_clusters;
	u8 *used_pages;
	u8 *blobids;

	struct md_cache md;
	bool fresh;			/* read pages from the device, not from the cache */
	u32 *roots;
	size_t nr_roots, cap_roots;
	u64 claims;			/* clusters in all maps, with repetition */
	u64 extent_pages;		/* extent pages of all blobs, with repetition */

	struct lvs_lvol **blobs;	/* all, by root page */
	size_t nr_blobs, cap_blobs;
	struct lvs_lvol **lvols;	/* those listed */
	size_t nr_lvols;
	char name[LVS_NAME_MAX];
	char uuid[LVS_UUID_LEN];
	u64 free_clusters;
	struct lvs_refusal *refusals;
	size_t nr_refusals;
	bool bad_masks;			/* said clean, but the masks are damaged */
	u32 bad_pages;			/* md pages that could not be read ... */
	u32 first_bad;			/* ... and the first of them */
};

/* error.c: fill @err (may be NULL), return @code. */
int lvs_err(struct lvs_error *err, int code, const char *fmt, ...) __printf(3, 4);
/* The same about an md page: the text is preceded by the page's number and byte. */
int lvs_err_page(struct lvs_error *err, int code, const struct lvs_store *s, u32 page,
		 const char *fmt, ...) __printf(5, 6);
/* Grow an array to hold one more element than @nr. 0 or -ENOMEM. */
int lvs_grow(void *array, size_t *cap, size_t nr, size_t elem) __must_check;

/* super.c: read and check the super block, fill the geometry. */
int lvs_read_super(struct lvs_store *s, struct lvs_error *err) __must_check;
/* Is the super block still the one that was read? 1 yes, 0 no, or a negative errno. */
int lvs_super_same(struct lvs_store *s) __must_check;

/* md.c */
int md_init(struct lvs_store *s) __must_check;
void md_free(struct lvs_store *s);
static inline u64 md_byte(const struct lvs_store *s, u32 page)
{
	return s->md_start + (u64)page * s->md_page_size;
}

/*
 * Call @fn for the pages whose bits are set in @bits (all for NULL), in order, in large reads; with
 * a NULL page where one cannot be read. All pages: holes of a file are passed over.
 */
typedef int (*md_page_fn)(struct lvs_store *s, u32 page, const struct lvs_disk_page *p, void *arg);
int md_for_each(struct lvs_store *s, const u8 *bits, md_page_fn fn, void *arg) __must_check;
/* Keep the pages of the store that are in use, note the roots. */
int md_load(struct lvs_store *s) __must_check;
/*
 * A page with a good crc; valid until the next md_read(). -EUCLEAN when the number or the crc is
 * wrong, else an I/O error; @err tells. A page with a wrong crc is in *@out all the same.
 */
int md_read(struct lvs_store *s, u32 page, const struct lvs_disk_page **out,
	    struct lvs_error *err) __must_check;
/* Read the three masks of a clean store; when they are unusable it counts as not clean. */
int md_load_masks(struct lvs_store *s) __must_check;
static inline bool md_bit(const u8 *bits, u64 i)
{
	return bits[i / 8] >> (i % 8) & 1;
}

/* blob.c: a blob of which only the root's place is known; NULL without memory. */
struct lvs_lvol *blob_new(struct lvs_store *s, u32 page);
/*
 * Read the blob whose root is @page; damage is noted in it and is no error. 1: there is no such
 * blob any more (it was freed meanwhile), and none in *@out.
 */
int blob_load(struct lvs_store *s, u32 page, struct lvs_lvol **out) __must_check;
/* Read it again, from the device. 1: as above; it is the caller's to free. */
int blob_reload(struct lvs_lvol *l) __must_check;
void blob_free(struct lvs_lvol *l);
/* Note why it is left out (the first reason counts). */
int blob_refuse(struct lvs_lvol *l, enum lvol_state state,
		const struct lvs_error *why) __must_check;
const struct blob_xattr *blob_xattr(const struct lvs_lvol *l, const char *name, bool internal);
/* Remember that the blob depends on a page. */
int blob_ref(struct lvs_lvol *l, u32 page, const struct lvs_disk_page *p) __must_check;

/* extents.c: one descriptor's payload; -EUCLEAN with @err for damage. */
int extents_parse_rle(struct lvs_lvol *l, u32 page, const u8 *p, u32 len, struct lvs_error *err);
int extents_parse_table(struct lvs_lvol *l, u32 page, const u8 *p, u32 len, struct lvs_error *err);
/* Read the extent pages that the table names. */
int extents_load(struct lvs_lvol *l, struct lvs_error *err);

/* live.c: read again what another program changed meanwhile. */
int live_settle(struct lvs_store *s) __must_check;

/* tree.c: link parents, settle interrupted snapshots, choose the lvols, list refusals. */
int tree_build(struct lvs_store *s, struct lvs_error *err) __must_check;
struct lvs_lvol *tree_find_id(const struct lvs_store *s, u64 id);
/* The lvstore's uuid and name, from its own blob. */
int tree_super_blob(struct lvs_store *s, struct lvs_lvol *l, struct lvs_error *err) __must_check;

/* content.c: all of @len bytes; -ENODEV when @fd is -1, -EIO beyond its end. */
int esnap_read(int fd, u64 off, u8 *buf, size_t len) __must_check;

/* store.c: open through any lvs_io, which becomes the store's whether this fails or not. */
int lvs_open_io(struct lvs_io *io, struct lvs_store **out, struct lvs_error *err) __must_check;

#endif
