/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading SPDK lvstores without SPDK.
 *
 * A store is read once, when it is opened: what an open store answers never changes and needs no
 * I/O (lvs_map_read() excepted). Nothing here writes. Nothing here is thread-safe for one store,
 * different stores may be read at the same time.
 *
 * Functions return 0 or a negative errno; those that take a struct lvs_error fill it when they
 * fail (it may be NULL). Strings and structs that an accessor returns belong to the store and live
 * until lvs_close().
 */
#ifndef YBD_LVSTORE_H
#define YBD_LVSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lvs_store;
struct lvs_lvol;

#define LVS_NO_PAGE 0xffffffffu

/**
 * struct lvs_error - what went wrong, and where
 * @code: negative errno
 * @page: md page number (relative to the metadata region), or LVS_NO_PAGE
 * @byte: byte offset on the device, where @page is given or the text names one; else 0
 * @text: one line without a newline, for example
 *        "md page 17 (byte 73728): crc 0x00000000, expected 0x1b2c3d4e"
 */
struct lvs_error {
	int code;
	uint32_t page;
	uint64_t byte;
	char text[256];
};

/* ---- opening ---- */

/**
 * lvs_open_fd() - read the lvstore on a block device or in a file
 * @fd: open for reading; stays the caller's, is not needed after the open has returned unless
 *      lvs_map_read() is used, and its offset is not touched
 * @out: the store; free with lvs_close()
 * @err: why not; may be NULL
 *
 * Reads with O_DIRECT where the file takes it (through a file description of its own, so @fd's
 * flags stay), otherwise drops what the page cache holds of the metadata first.
 *
 * A store that another program has loaded, or that was not unloaded cleanly, is read by its roots
 * and chains (as SPDK's recovery would); each piece is read again at the end, and what changed
 * meanwhile is read anew. lvols that are damaged, or that do not hold still, do not make the open
 * fail: they are left out and listed by lvs_refusal_at().
 *
 * Return: 0; -ENODATA when there is no blobstore here; -EMEDIUMTYPE when it is a blobstore but no
 * lvstore; -EUCLEAN when the super block or the lvstore's own blob is damaged; -EOPNOTSUPP for a
 * version or geometry that is not supported; -EBUSY when the super block kept changing; -ENOMEM;
 * an I/O error. Documentation/lvstore.rst, sections 2, 3, 6, 7.
 */
int lvs_open_fd(int fd, struct lvs_store **out, struct lvs_error *err);

/**
 * lvs_open_path() - like lvs_open_fd() for a path
 * @path: block device or file; opened read-only
 * @out: the store
 * @err: why not; may be NULL
 *
 * Return: as lvs_open_fd(), or the error of open(2).
 */
int lvs_open_path(const char *path, struct lvs_store **out, struct lvs_error *err);

/* Free the store and all that was got from it but struct lvs_map. NULL is fine. */
void lvs_close(struct lvs_store *s);

/**
 * struct lvs_probe - what is known of an lvstore from its super block and its own blob
 * @uuid: the lvstore's uuid, lower case text; "" when its blob cannot be read
 * @name: its name; "" when its blob cannot be read
 * @cluster_size: bytes
 * @size: bytes
 * @clean: was unloaded (or never changed since it was loaded)
 */
struct lvs_probe {
	char uuid[37];
	char name[64];
	uint32_t cluster_size;
	uint64_t size;
	bool clean;
};

/**
 * lvs_probe_fd() - is this an lvstore, and which?
 * @fd: open for reading; stays the caller's
 * @p: the answer
 * @err: why not; may be NULL
 *
 * Reads a few pages whatever the size of the store: for looking over all devices.
 *
 * Return: 0; -ENODATA, -EMEDIUMTYPE and the rest as lvs_open_fd().
 */
int lvs_probe_fd(int fd, struct lvs_probe *p, struct lvs_error *err);

/* ---- the store ---- */

const char *lvs_uuid(const struct lvs_store *s);
const char *lvs_name(const struct lvs_store *s);
/* Bytes; a power of two from 4096. */
uint32_t lvs_cluster_size(const struct lvs_store *s);
/* Logical block size of the device it was made on; bytes. */
uint32_t lvs_block_size(const struct lvs_store *s);
/* Bytes of the store; the device may be larger. */
uint64_t lvs_size(const struct lvs_store *s);
/* Clusters that can hold data: all but those of the metadata. */
uint64_t lvs_data_clusters(const struct lvs_store *s);
/*
 * Free clusters as SPDK reports them right after loading this store. From the used-cluster mask
 * when it is clean; otherwise counted as SPDK's recovery does, where a cluster that an interrupted
 * snapshot deletion left listed twice counts twice.
 */
uint64_t lvs_free_clusters(const struct lvs_store *s);
/* The super block said "clean", and the masks were usable. */
bool lvs_clean(const struct lvs_store *s);
/* Version field of the super block: 1..3. */
uint32_t lvs_version(const struct lvs_store *s);

/* ---- what was left out ---- */

/**
 * struct lvs_refusal - an lvol that is not listed, or a note about the store
 * @blob_id: its blob id; ~0 for a note about the store as a whole
 * @name: its name as far as known, else ""
 * @uuid: its uuid as far as known, else ""
 * @page: md page at fault, or LVS_NO_PAGE
 * @byte: that page's byte offset on the device
 * @text: the reason; begins with the page where there is one
 */
struct lvs_refusal {
	uint64_t blob_id;
	const char *name;
	const char *uuid;
	uint32_t page;
	uint64_t byte;
	const char *text;
};

size_t lvs_refusals(const struct lvs_store *s);
/* @i from 0 below lvs_refusals(); NULL beyond. */
const struct lvs_refusal *lvs_refusal_at(const struct lvs_store *s, size_t i);

/* ---- lvols ---- */

size_t lvs_lvols(const struct lvs_store *s);
/* In blob id order; @i from 0 below lvs_lvols(); NULL beyond. */
const struct lvs_lvol *lvs_lvol_at(const struct lvs_store *s, size_t i);
/* By name, or else by uuid (any case); NULL when there is none. */
const struct lvs_lvol *lvs_find(const struct lvs_store *s, const char *name_or_uuid);
/* The refusal of the lvol of this name or uuid, to say why lvs_find() found nothing; or NULL. */
const struct lvs_refusal *lvs_find_refusal(const struct lvs_store *s, const char *name_or_uuid);

/**
 * enum lvs_pending - an operation on a snapshot that was interrupted, or is running
 * @LVS_PENDING_NONE: none
 * @LVS_PENDING_CREATE: the snapshot is complete, but still carries the mark of its creation
 * @LVS_PENDING_REMOVE: it is being deleted, its clusters may be moving into its clone
 */
enum lvs_pending {
	LVS_PENDING_NONE,
	LVS_PENDING_CREATE,
	LVS_PENDING_REMOVE,
};

/*
 * Is it among lvs_lvol_at()? Not so only for a parent that SPDK would not list either (its name is
 * taken, say) while what is above it can be read.
 */
bool lvs_lvol_listed(const struct lvs_lvol *l);
const char *lvs_lvol_name(const struct lvs_lvol *l);
/* Text; "<lvstore uuid>_<blob id>" for an lvol without a usable uuid, as SPDK calls it. */
const char *lvs_lvol_uuid(const struct lvs_lvol *l);
uint64_t lvs_lvol_blob_id(const struct lvs_lvol *l);
/* Bytes: whole clusters. */
uint64_t lvs_lvol_size(const struct lvs_lvol *l);
/* Clusters in its own map. */
uint64_t lvs_lvol_allocated(const struct lvs_lvol *l);
bool lvs_lvol_thin(const struct lvs_lvol *l);
/* Data read-only, or its metadata is (SPDK reports both so). */
bool lvs_lvol_read_only(const struct lvs_lvol *l);
/* Has clones: some lvol's parent is this one. */
bool lvs_lvol_is_snapshot(const struct lvs_lvol *l);
/* The snapshot it is a clone of; NULL for none. */
const struct lvs_lvol *lvs_lvol_parent(const struct lvs_lvol *l);
/* Number of lvols from here to the base of the chain, this one counted. */
unsigned int lvs_lvol_depth(const struct lvs_lvol *l);
/* Direct clones; @i from 0 below lvs_lvol_clones(), in blob id order; NULL beyond. */
size_t lvs_lvol_clones(const struct lvs_lvol *l);
const struct lvs_lvol *lvs_lvol_clone_at(const struct lvs_lvol *l, size_t i);
/* Id (SPDK: bdev uuid as text) of its own external snapshot; NULL for none. */
const char *lvs_lvol_esnap_id(const struct lvs_lvol *l);
enum lvs_pending lvs_lvol_pending(const struct lvs_lvol *l);

/**
 * lvs_chain_read_only() - may this lvol be loaded as an image?
 * @l: the lvol
 * @why: set, when the answer is no, to the first lvol of the chain (from @l down) that is writable
 *       or is being deleted; may be NULL
 *
 * Return: true when @l and every parent of it carry the READ_ONLY data flag and no snapshot
 * deletion is under way on any of them.
 */
bool lvs_chain_read_only(const struct lvs_lvol *l, const struct lvs_lvol **why);

/**
 * struct lvs_xattr - a user xattr
 * @name: NUL-terminated here (a NUL inside a damaged name cuts it)
 * @value: @len bytes, no NUL added
 * @len: bytes of @value
 */
struct lvs_xattr {
	const char *name;
	const void *value;
	size_t len;
};

/* User xattrs as stored, "name" and "uuid" among them; @i from 0; NULL beyond. */
const struct lvs_xattr *lvs_lvol_xattr_at(const struct lvs_lvol *l, size_t i);

/**
 * struct lvs_run - clusters of an lvol's own map, consecutive on both sides
 * @start: first logical cluster
 * @phys: the cluster on the device that holds it; never 0
 * @len: how many clusters
 */
struct lvs_run {
	uint32_t start;
	uint32_t phys;
	uint32_t len;
};

/* The own map: sorted by @start, without overlap. @nr: number of runs. */
const struct lvs_run *lvs_lvol_runs(const struct lvs_lvol *l, size_t *nr);

/* ---- the chain, flattened ---- */

enum lvs_source {
	LVS_SOURCE_STORE = 0,	/* the device that the store lies on */
	LVS_SOURCE_ESNAP = 1,	/* the external snapshot: struct lvs_map.esnap_id */
};

/**
 * struct lvs_extent - where bytes of an lvol lie
 * @start: first byte of the lvol
 * @phys: first byte on the source
 * @len: bytes
 * @source: enum lvs_source
 * @reserved: 0
 */
struct lvs_extent {
	uint64_t start;
	uint64_t phys;
	uint64_t len;
	uint32_t source;
	uint32_t reserved;
};

/**
 * struct lvs_map - an lvol's whole content
 * @size: bytes of the lvol
 * @ext: @nr extents, sorted by start, without overlap, merged where they touch on both sides; all
 *       values are multiples of the cluster size. What no extent covers reads as zeros.
 * @nr: number of extents
 * @esnap_id: id of the external snapshot at the base of the chain, NULL when there is none; a copy
 * @esnap_len: bytes of the external snapshot that the map can reach; 0 for none. SPDK fails reads
 *             past that device's end, so it must be at least this long.
 */
struct lvs_map {
	uint64_t size;
	struct lvs_extent *ext;
	size_t nr;
	char *esnap_id;
	uint64_t esnap_len;
};

/**
 * lvs_flatten() - the extents of an lvol through its whole chain
 * @l: the lvol
 * @map: the result; free with lvs_map_free(). It does not depend on the store any more.
 *
 * Costs time and memory by the clusters that the lvols of the chain have allocated (times the
 * logarithm of the chain's length), not by their sizes. Documentation/lvstore.rst, section 5.
 *
 * Return: 0 or -ENOMEM.
 */
int lvs_flatten(const struct lvs_lvol *l, struct lvs_map *map);
void lvs_map_free(struct lvs_map *map);

#define LVS_IDENTITY_LEN 32

/**
 * lvs_identity() - a digest that changes whenever the content of an lvol could have
 * @l: the lvol
 * @map: its flattened map
 * @id: the digest
 *
 * SHA-256 over the lvstore's uuid, the cluster size, and the uuid, blob id, size and external
 * snapshot of each lvol of the chain, then every extent of the map. Data are not read: for an lvol
 * whose chain is read-only, equal identities mean that the same lvols hold the same clusters. A
 * snapshot deleted from the middle of the chain, an inflated, decoupled or re-parented lvol all
 * change it; renaming and xattrs do not. The exact input is in Documentation/lvstore.rst.
 */
void lvs_identity(const struct lvs_lvol *l, const struct lvs_map *map,
		  uint8_t id[LVS_IDENTITY_LEN]);

/**
 * lvs_map_read() - read content through a map
 * @s: the store that the map was made from; opened with lvs_open_path(), or with lvs_open_fd() and
 *     a file descriptor that is still open
 * @map: the map
 * @esnap_fd: the external snapshot open for reading; -1 when the map has none
 * @off: byte of the lvol
 * @buf: where to
 * @len: bytes; [off, off + len) must lie inside the lvol
 *
 * Return: 0; -ERANGE outside of the lvol; -ENODEV when an external snapshot is needed and
 * @esnap_fd is -1; -EIO also where the external snapshot is too short.
 */
int lvs_map_read(struct lvs_store *s, const struct lvs_map *map, int esnap_fd, uint64_t off,
		 void *buf, size_t len);

#endif
