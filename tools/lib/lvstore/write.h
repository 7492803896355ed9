/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing SPDK lvstores without SPDK.
 *
 * A store that is open for writing is held in memory: its lvols, their maps, and which clusters and
 * metadata pages are in use. Data go to the device as they are written; maps, names and xattrs stay
 * in memory until lvw_flush(), lvw_close() or an operation on lvols that must be seen on the device
 * as a whole. A program that is killed at any point leaves a store that loads, with every lvol that
 * was complete at the last flush as it was then, or newer: Documentation/lvstore.rst, section 9.
 *
 * The same calls with the same uuids on an equal store give the same bytes: the lowest free cluster
 * and page are taken first, no time is stored, and nothing is random but uuids that were not given.
 *
 * Functions return 0 or a negative errno; those that take a struct lvs_error fill it when they fail
 * (it may be NULL). After an I/O error in the middle of a change the writer is dead: every further
 * call but lvw_abort() returns -EIO, and what is on the device is as after a kill. Nothing here is
 * thread-safe for one writer.
 */
#ifndef YBD_LVSTORE_WRITE_H
#define YBD_LVSTORE_WRITE_H

#include "lvstore.h"

struct lvs_writer;	/* a store open for writing */
struct lvw_vol;		/* an lvol of it; valid until it is deleted or the writer is closed */

/* ---- the store ---- */

/**
 * enum lvw_flags - how to open
 * @LVW_FORCE: also when the store was not unloaded cleanly, so that SPDK may have it loaded
 * @LVW_APPEND: the device is in use as a source: it is not claimed exclusively, and what a
 *              read-only lvol holds stays where it is: such lvols are neither deleted nor changed
 */
enum lvw_flags {
	LVW_FORCE = 1 << 0,
	LVW_APPEND = 1 << 1,
};

/**
 * lvw_open() - open a store for writing
 * @path: block device or file
 * @flags: enum lvw_flags
 * @out: the writer; end with lvw_close() or lvw_abort()
 * @err: why not; may be NULL
 *
 * Locks the file (flock) or claims the device (O_EXCL). A store that was not unloaded cleanly is
 * brought in order as SPDK does when it loads one; that is written with the first change. Nothing
 * is written before the first change.
 *
 * Return: 0; -EBUSY when another program writes or uses it; -EUCLEAN when it is not clean and
 * LVW_FORCE is not given, or when it is damaged: a store in which any lvol cannot be read is not
 * written, as its clusters are not known; -EOPNOTSUPP for a geometry that can only be read; else as
 * lvs_open_path().
 */
int lvw_open(const char *path, unsigned int flags, struct lvs_writer **out, struct lvs_error *err);

/**
 * struct lvw_create_opts - a new store
 * @name: at most 63 bytes
 * @uuid: text, or NULL for a random one
 * @cluster_size: bytes, a power of two from 4096; 0: 1 MiB
 * @size: bytes; 0: all of the device or file. A file that does not exist, or is shorter, gets it
 * @block_size: logical block size of the device SPDK will open it with, 512 or 4096; 0: the
 *              device's own, 512 for a file
 * @md_pages: metadata pages; 0: enough for as many clusters as there are, and at least some hundred
 *            lvols where there is room
 * @force: also over what libblkid would call a filesystem, or an lvstore. The library itself only
 *         looks for an lvstore
 */
struct lvw_create_opts {
	const char *name;
	const char *uuid;
	uint32_t cluster_size;
	uint64_t size;
	uint32_t block_size;
	uint32_t md_pages;
	bool force;
};

/**
 * lvw_create() - make a new, empty store and open it for writing
 * @path: block device, file, or a file that does not exist yet
 * @o: what to make
 * @out: the writer; may be NULL to only make it
 * @err: why not; may be NULL
 *
 * Free clusters must read as zeros, so all of the device is discarded or zeroed.
 *
 * Return: 0; -EEXIST when there is an lvstore and @force is not given; -EINVAL; -ENOSPC when the
 * size leaves no room for data; -EBUSY; an I/O error.
 */
int lvw_create(const char *path, const struct lvw_create_opts *o, struct lvs_writer **out,
	       struct lvs_error *err);

/* Let the store use all of a device or file that has become larger; @size 0: all of it. */
int lvw_grow(struct lvs_writer *w, uint64_t size, struct lvs_error *err);

/**
 * lvw_flush() - everything so far is on the device, and complete
 * @w: the writer
 * @err: why not; may be NULL
 *
 * The store still counts as not clean.
 */
int lvw_flush(struct lvs_writer *w, struct lvs_error *err);

/* Flush, write the masks, mark the store clean. The writer is gone, also when this fails. */
int lvw_close(struct lvs_writer *w, struct lvs_error *err);

/*
 * Let go of it at once, as if killed: what was not flushed is lost, and the store stays not clean
 * if anything was written. NULL is fine.
 */
void lvw_abort(struct lvs_writer *w);

/**
 * typedef lvw_esnap_fn - find an external snapshot
 * @arg: as it was given to lvw_set_esnap()
 * @id: of the snapshot, as the store has it (SPDK: a bdev's uuid as text)
 * @len: bytes that it must have
 * @err: why not
 *
 * Return: a descriptor, open for reading until the writer is closed, which does not close it; or a
 * negative errno.
 */
typedef int lvw_esnap_fn(void *arg, const char *id, uint64_t len, struct lvs_error *err);

/**
 * lvw_set_esnap() - say who finds external snapshots
 * @w: the writer
 * @find: called when bytes are needed that only an external snapshot has
 * @arg: for it
 *
 * Without it such bytes cannot be read (-ENODEV), and less than a cluster cannot be written over
 * them.
 */
void lvw_set_esnap(struct lvs_writer *w, lvw_esnap_fn *find, void *arg);

const char *lvw_uuid(const struct lvs_writer *w);
const char *lvw_name(const struct lvs_writer *w);
uint32_t lvw_cluster_size(const struct lvs_writer *w);
uint64_t lvw_size(const struct lvs_writer *w);
uint64_t lvw_data_clusters(const struct lvs_writer *w);
/* Clusters that can still be allocated; those freed since the last flush not counted. */
uint64_t lvw_free_clusters(const struct lvs_writer *w);

/* ---- lvols ---- */

size_t lvw_vols(const struct lvs_writer *w);
/* In blob id order; @i from 0 below lvw_vols(); NULL beyond. */
struct lvw_vol *lvw_vol_at(struct lvs_writer *w, size_t i);
/* By name, or else by uuid (any case); NULL when there is none. */
struct lvw_vol *lvw_find(struct lvs_writer *w, const char *name_or_uuid);

const char *lvw_vol_name(const struct lvw_vol *v);
const char *lvw_vol_uuid(const struct lvw_vol *v);
uint64_t lvw_vol_blob_id(const struct lvw_vol *v);
/* Bytes: whole clusters. */
uint64_t lvw_vol_size(const struct lvw_vol *v);
/* Clusters in its own map. */
uint64_t lvw_vol_allocated(const struct lvw_vol *v);
bool lvw_vol_thin(const struct lvw_vol *v);
bool lvw_vol_read_only(const struct lvw_vol *v);
struct lvw_vol *lvw_vol_parent(const struct lvw_vol *v);
/* Number of direct clones. */
size_t lvw_vol_clones(const struct lvw_vol *v);

/**
 * struct lvw_vol_opts - a new lvol
 * @name: 1 to 63 bytes, unique in the store
 * @uuid: text, unique in the store; NULL for a random one
 * @xattrs: user xattrs that it has from the first moment on; not "name", "uuid"
 * @nr_xattrs: how many
 */
struct lvw_vol_opts {
	const char *name;
	const char *uuid;
	const struct lvs_xattr *xattrs;
	size_t nr_xattrs;
};

/*
 * Operations on lvols. Each is on the device, as a whole, when it has returned 0; killed before,
 * it has happened or not (an interrupted snapshot or deletion is settled by the next load, SPDK's
 * or ours). Common errors: -EINVAL for a bad name, uuid or size; -EEXIST for a name or uuid that is
 * taken; -ENOSPC without free clusters or metadata pages, and nothing has changed; -EROFS for a
 * read-only lvol; -EPERM for what LVW_APPEND forbids.
 */

/* A new lvol of @size bytes, rounded up to clusters, all zeros. Not @thin: all of it allocated. */
int lvw_vol_create(struct lvs_writer *w, const struct lvw_vol_opts *o, uint64_t size, bool thin,
		   struct lvw_vol **out, struct lvs_error *err);
/*
 * A read-only snapshot of @v as it is now (data included); @v becomes its clone. -EROFS when @v is
 * read-only: it can be cloned as it is.
 */
int lvw_vol_snapshot(struct lvw_vol *v, const struct lvw_vol_opts *o, struct lvw_vol **out,
		     struct lvs_error *err);
/* A writable thin lvol over the read-only lvol @snap. -EINVAL when @snap is writable. */
int lvw_vol_clone(struct lvw_vol *snap, const struct lvw_vol_opts *o, struct lvw_vol **out,
		  struct lvs_error *err);
/*
 * Delete @v. What a snapshot with one clone holds goes over to the clone; -EBUSY when it has
 * several.
 */
int lvw_vol_delete(struct lvw_vol *v, struct lvs_error *err);
int lvw_vol_rename(struct lvw_vol *v, const char *name, struct lvs_error *err);
/* @size bytes, rounded up to clusters; what is cut off is gone, what is added is zeros. */
int lvw_vol_resize(struct lvw_vol *v, uint64_t size, struct lvs_error *err);
int lvw_vol_set_read_only(struct lvw_vol *v, struct lvs_error *err);
/*
 * It is complete: read-only, and has its name, which it has not before it is read-only. For lvols
 * that are made under another name; also with LVW_APPEND, as nobody knows them yet.
 */
int lvw_vol_publish(struct lvw_vol *v, const char *name, struct lvs_error *err);
/* Allocate everything, copy what the parents hold; it is thick and has no parent then. */
int lvw_vol_inflate(struct lvw_vol *v, struct lvs_error *err);

/* User xattrs: @i from 0; NULL beyond. */
const struct lvs_xattr *lvw_vol_xattr_at(const struct lvw_vol *v, size_t i);
/* By name; NULL when there is none. Valid until the next change of @v. */
const struct lvs_xattr *lvw_vol_xattr(const struct lvw_vol *v, const char *name);
/*
 * Set (@value not NULL) or remove one; also of a read-only lvol. In memory until the next flush.
 * -EPERM for "name" and "uuid", -ENODATA when there is none to remove, -E2BIG: name and value do
 * not fit into a page (4063 bytes).
 */
int lvw_vol_xattr_set(struct lvw_vol *v, const char *name, const void *value, size_t len,
		      struct lvs_error *err);

/* ---- data ---- */

/*
 * Bytes of an lvol; [off, off + len) must lie inside it (-ERANGE). Any offset and length. A write
 * allocates clusters as it needs them (-ENOSPC) and fills them up from the parents; zeros written
 * to what is not allocated in the whole chain allocate nothing. -EROFS for a read-only lvol.
 */
int lvw_pread(struct lvw_vol *v, uint64_t off, void *buf, size_t len, struct lvs_error *err);
int lvw_pwrite(struct lvw_vol *v, uint64_t off, const void *buf, size_t len,
	       struct lvs_error *err);
/*
 * Make it read zero. Whole clusters of a thin lvol are given back where nothing below them would
 * show; otherwise zeros are written.
 */
int lvw_zero(struct lvw_vol *v, uint64_t off, uint64_t len, struct lvs_error *err);
/*
 * The first byte from @off on, of a cluster that the lvol or its chain holds, that may be other
 * than zero; the lvol's size when there is none. For sparse copies.
 */
uint64_t lvw_next_data(struct lvw_vol *v, uint64_t off);
/* The end of that data: the first byte from @off on that is allocated nowhere, or the size. */
uint64_t lvw_next_hole(struct lvw_vol *v, uint64_t off);

#endif
