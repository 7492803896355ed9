/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The writer's own structures, and what its files offer each other:
 *
 *   wio.c      the device
 *   space.c    which clusters, which metadata pages are in use
 *   wmap.c     an lvol's map in memory
 *   wblob.c    an lvol's names and xattrs in memory; all of it -> descriptors
 *   commit.c   from memory to the device, in an order that may stop anywhere
 *   import.c   what the reader found -> memory; what has to be put right
 *   writer.c   opening, closing, the super block and the masks
 *   mkstore.c  a new store; a larger one
 *   wvol.c     create, clone, rename, resize, inflate
 *   wsnap.c    snapshot and delete
 *   wdata.c    bytes, copy-on-write
 *
 * Order of writes: Documentation/lvstore.rst, section 9.
 */
#ifndef YBD_LVSTORE_WRITER_H
#define YBD_LVSTORE_WRITER_H

#include "store.h"
#include "wio.h"
#include "write.h"

/**
 * struct space - numbers that can be allocated: clusters, or metadata pages
 * @used: one bit each
 * @nr: how many there are
 * @next: none below is free
 * @free: how many are
 * @freed: given back, but still used on the device: free after the next commit
 * @nr_freed: how many of those
 * @cap_freed: room in @freed
 */
struct space {
	u64 *used;
	u64 nr;
	u64 next;
	u64 free;
	u32 *freed;
	size_t nr_freed, cap_freed;
};

/**
 * struct wslot - the clusters of one extent page
 * @map: LVS_EXTENTS_PER_PAGE cluster numbers, 0 = none; NULL: all none
 * @page: where it is on the device; 0: nowhere
 * @used: clusters in @map
 * @dirty: @map is newer than @page
 */
struct wslot {
	u32 *map;
	u32 page;
	u32 used;
	bool dirty;
};

struct lvw_vol {
	struct lvs_writer *w;
	u32 root;
	struct lvs_disk_flags flags;	/* as they shall be */
	struct lvs_disk_flags on_disk;	/* as they are */
	u64 clusters;
	u64 allocated;
	struct wslot *slots;
	size_t nr_slots;
	u32 *chain;			/* md pages after the root */
	size_t nr_chain;
	struct blob_xattr *xattrs;
	size_t nr_xattrs, cap_xattrs;
	char name[LVS_NAME_MAX];
	char uuid[64];
	struct lvw_vol *parent;
	size_t nr_clones;
	bool fresh;			/* not on the device yet */
	bool chain_dirty;		/* the chain has to be written again */
	bool dirty;			/* in the writer's list */
	bool whole;			/* commit.c: the root is written as a whole */
	u32 need_chain;			/* md pages that its commit takes at most: for the chain */
	u32 need_slots;			/* and for extent pages */
	u32 new_slots;			/* slots that got a map since */
};

/**
 * struct wcache_entry - a cluster that was allocated, but is not written yet
 * @cluster: its number; 0: none
 * @buf: all of it
 */
struct wcache_entry {
	u32 cluster;
	u8 *buf;
};

struct lvs_writer {
	struct wio *io;
	unsigned int flags;
	int dead;			/* the error that killed it */
	bool begun;			/* the device says "not clean" because of us */
	struct lvs_disk_super super;	/* as on the device */
	u32 cluster_size;
	u64 size;
	u64 total_clusters;
	u64 md_clusters;
	u64 md_start;			/* bytes */
	u32 md_len;
	struct space pages;
	struct space clusters;
	struct lvw_vol *own;		/* the lvstore's own blob */
	struct lvw_vol **vols;		/* by root page */
	size_t nr_vols, cap_vols;
	struct lvw_vol **dirty;
	size_t nr_dirty, cap_dirty;
	u64 need;			/* sum of all lvols' */
	/* to be put right before the first change */
	u32 *dead_roots;		/* of interrupted operations that come to nothing */
	size_t nr_dead_roots, cap_dead_roots;
	u32 *dead_pages;		/* their chains and extent pages, as far as nobody's */
	size_t nr_dead_pages, cap_dead_pages;
	u8 *suspect;			/* clusters that are free, but may not read zero */
	bool suspect_pages;		/* so may free md pages */
	struct wcache_entry *cache;
	u32 nr_cache;
	u8 *copy;			/* a cluster, for copying */
	lvw_esnap_fn *esnap_find;	/* NULL: nobody knows where external snapshots are */
	void *esnap_arg;
	char *esnap_id;			/* the one that was found last; NULL: none */
	u64 esnap_len;			/* bytes that it has at least */
	int esnap_fd;			/* the finder's */
	char name[LVS_NAME_MAX];
	char uuid[LVS_UUID_LEN];
};

/* ---- space.c ---- */
int space_init(struct space *s, u64 nr) __must_check;
void space_free(struct space *s);
bool space_is_used(const struct space *s, u64 i);
/* Mark as used; false when it was already. */
bool space_take(struct space *s, u64 i);
/* The lowest free one, marked; 0 when there is none (0 is never free). */
u32 space_alloc(struct space *s);
/* Never reached the device: free at once. */
void space_drop(struct space *s, u32 i);
/* Free after the next commit. 0 or -ENOMEM. */
int space_give_back(struct space *s, u32 i) __must_check;
/* What was given back is free now. */
void space_settle(struct space *s);
/* Add numbers at the end. */
int space_extend(struct space *s, u64 nr) __must_check;

/* ---- wmap.c ---- */
static inline u64 map_slots(u64 clusters)
{
	return (clusters + LVS_EXTENTS_PER_PAGE - 1) / LVS_EXTENTS_PER_PAGE;
}

/* Clusters of slot @i of a map of @clusters. */
static inline u32 map_slot_len(u64 clusters, u64 i)
{
	u64 left = clusters - i * LVS_EXTENTS_PER_PAGE;

	return left < LVS_EXTENTS_PER_PAGE ? (u32)left : LVS_EXTENTS_PER_PAGE;
}

static inline u32 map_get(const struct lvw_vol *v, u64 i)
{
	const struct wslot *s = &v->slots[i / LVS_EXTENTS_PER_PAGE];

	return s->map ? s->map[i % LVS_EXTENTS_PER_PAGE] : 0;
}

/* Room for @clusters, all none; replaces nothing that is there. */
int map_init(struct lvw_vol *v, u64 clusters) __must_check;
void map_free(struct wslot *slots, size_t nr);
/* Is there memory, and will there be md pages, for a change at @i? -ENOSPC. */
int map_prepare(struct lvw_vol *v, u64 i) __must_check;
/* After map_prepare(). The old cluster is not given back. */
void map_set(struct lvw_vol *v, u64 i, u32 cluster);
/* The first @i at or after @from with a cluster, or the size. */
u64 map_next(const struct lvw_vol *v, u64 from);
/* Change the size; what is cut off is given back. */
int map_resize(struct lvw_vol *v, u64 clusters) __must_check;
/* Give back all clusters and extent pages. */
int map_give_back(struct lvw_vol *v) __must_check;

#define MAP_ESNAP 0xffffffffu	/* an external snapshot's; never a cluster number */

/* Whose bytes cluster @i of @v shows: a cluster, 0 for zeros, or MAP_ESNAP. */
u32 map_resolve(const struct lvw_vol *v, u64 i);
/* The same without what @v itself has. */
u32 map_below(const struct lvw_vol *v, u64 i);

/* ---- wblob.c ---- */
static inline bool vol_flag(const struct lvw_vol *v, u64 flag)
{
	return le64_to_cpu(v->flags.invalid) & flag;
}

static inline bool vol_is_ro(const struct lvw_vol *v)
{
	return le64_to_cpu(v->flags.data_ro) || le64_to_cpu(v->flags.md_ro) & ~(u64)LVS_MD_RO_KNOWN;
}

/* In what is left of a snapshot whose deletion has only to be finished. */
#define WXATTR_GONE "YBDGONE"

/* Is that what @v is? It is not shown, and gone with the first change. */
bool vol_is_gone(const struct lvw_vol *v);
void vol_flag_set(struct lvw_vol *v, u64 flag);
void vol_flag_clear(struct lvw_vol *v, u64 flag);
void vol_set_ro(struct lvw_vol *v);
/* An lvol at an md page that is taken already, in memory alone; NULL without memory. */
struct lvw_vol *vol_make(struct lvs_writer *w, u32 root);
/* The same at a free one. -ENOSPC. */
int vol_new(struct lvs_writer *w, struct lvw_vol **out) __must_check;
/* It came to nothing: nothing of it was written. */
void vol_discard(struct lvw_vol *v);
/* Into the list; by root page. */
int vol_insert(struct lvw_vol *v) __must_check;
void vol_remove(struct lvw_vol *v);
void vol_free(struct lvw_vol *v);
/* It has to be written; the chain too. */
int vol_dirty(struct lvw_vol *v) __must_check;
int vol_dirty_chain(struct lvw_vol *v) __must_check;
/* Md pages that a commit takes for it once its chain is dirty. */
u32 vol_dirty_need(const struct lvw_vol *v);
/* What is in its chain has changed its length: count again what the commit will take. */
void vol_recount(struct lvw_vol *v);
/* Not, or no longer, to be written. */
void vol_undirty(struct lvw_vol *v);
struct blob_xattr *vol_xattr(const struct lvw_vol *v, const char *name, bool internal);
int vol_xattr_put(struct lvw_vol *v, const char *name, const void *value, size_t len,
		  bool internal) __must_check;
void vol_xattr_drop(struct lvw_vol *v, const char *name, bool internal);
int vol_xattr_put_id(struct lvw_vol *v, const char *name, u64 id) __must_check;
/* Number of md pages that its chain takes, the root not counted. */
u32 vol_chain_len(const struct lvw_vol *v);
/* Write chain pages into @out, vol_chain_len() of them; @page: their numbers. */
void vol_encode_chain(const struct lvw_vol *v, struct lvs_disk_page *out, const u32 *page);
void vol_encode_slot(const struct lvw_vol *v, u64 slot, struct lvs_disk_page *out);

/* ---- commit.c ---- */
/* Say "not clean" on the device, put right what has to be; before any other change. */
int commit_begin(struct lvs_writer *w, struct lvs_error *err) __must_check;
/* All that is dirty. -ENOSPC: not enough md pages, and nothing was written. */
int commit(struct lvs_writer *w, struct lvs_error *err) __must_check;
/* Take an lvol's root off the device; its pages and clusters are given back by the caller. */
int commit_unroot(struct lvw_vol *v, struct lvs_error *err) __must_check;
/* Zero what was given back, then it is free. */
int commit_settle(struct lvs_writer *w, struct lvs_error *err) __must_check;
/* Change the super block in one sector's write. */
int commit_super(struct lvs_writer *w, const struct lvs_disk_super *want,
		 struct lvs_error *err) __must_check;
/* An I/O error in the middle: nothing is written any more. */
int commit_die(struct lvs_writer *w, int rc, struct lvs_error *err, const char *what);
/* -EIO when that has happened. */
int commit_alive(const struct lvs_writer *w, struct lvs_error *err) __must_check;
static inline u64 md_page_byte(const struct lvs_writer *w, u32 page)
{
	return w->md_start + (u64)page * LVS_DISK_PAGE;
}

/* ---- import.c ---- */
int import_store(struct lvs_writer *w, struct lvs_store *s, struct lvs_error *err) __must_check;

/* ---- writer.c ---- */
/* Open through any wio, which becomes the writer's whether this fails or not. */
int lvw_open_io(struct wio *io, unsigned int flags, struct lvs_writer **out,
		struct lvs_error *err) __must_check;
/* A reader over a wio, which stays the caller's. */
int lvs_io_over_wio(struct wio *io, struct lvs_io **out) __must_check;
void writer_free(struct lvs_writer *w);
/* Pages that a mask of @bits takes. */
u64 mask_pages(u64 bits);
/* The three masks, as the memory has it; durable. 0 or a negative errno. */
int write_masks(struct lvs_writer *w) __must_check;
/* Memory for as many clusters and pages as the geometry says. */
int writer_init(struct lvs_writer *w) __must_check;

/* ---- mkstore.c ---- */
int lvw_create_io(struct wio *io, const struct lvw_create_opts *o,
		  struct lvs_error *err) __must_check;

/* ---- wvol.c ---- */
/* A new lvol with name, uuid, xattrs; neither in the list nor dirty. */
int vol_from_opts(struct lvs_writer *w, const struct lvw_vol_opts *o, struct lvw_vol **out,
		  struct lvs_error *err) __must_check;
/* Are there @pages md pages and @clusters clusters? If need be, after a commit. */
int want_room(struct lvs_writer *w, u64 pages, u64 clusters, struct lvs_error *err) __must_check;
/* A new cluster of zeros at @i; without a commit, so after want_room(). */
int alloc_zero(struct lvw_vol *v, u64 i, struct lvs_error *err) __must_check;
/* -EPERM: the store is open for appending, and @v is read-only. */
int check_append(const struct lvw_vol *v, struct lvs_error *err) __must_check;

/* ---- wsnap.c ---- */
/* Snapshots whose deletion was interrupted when nothing of them was left but an empty map. */
int finish_deletions(struct lvs_writer *w, struct lvs_error *err) __must_check;

/* ---- wdata.c ---- */
int cache_init(struct lvs_writer *w) __must_check;
void cache_free(struct lvs_writer *w);
int cache_flush(struct lvs_writer *w, struct lvs_error *err) __must_check;
/* The cluster is given back: its bytes are of no interest any more. */
void cache_forget(struct lvs_writer *w, u32 cluster);
/* Write a whole new cluster; NULL: zeros. */
int cluster_write(struct lvs_writer *w, u32 cluster, const u8 *buf,
		  struct lvs_error *err) __must_check;
/* What cluster @i of @v shows of what is under it. */
int cluster_read_below(struct lvw_vol *v, u64 i, u8 *buf, struct lvs_error *err) __must_check;

/* ---- wesnap.c ---- */
/* Bytes of the external snapshot under @v. */
int wesnap_read(struct lvw_vol *v, u64 off, u8 *buf, size_t len,
		struct lvs_error *err) __must_check;
/* If it shows any, could they be read? Nothing is changed before that is known. */
int wesnap_need(struct lvw_vol *v, struct lvs_error *err) __must_check;
void wesnap_free(struct lvs_writer *w);

#endif
