/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading a layer: its file is decompressed and taken apart as it streams by, and both digests are
 * computed on the way. Nothing that was read may be kept before oci_layer_verify() has succeeded.
 */
#ifndef YBD_OCI_LAYER_H
#define YBD_OCI_LAYER_H

#include "image.h"

struct ahead_gate;
struct oci_layer_reader;

/**
 * struct oci_xattr - an extended attribute of an entry
 * @name: .
 * @value: .
 * @len: .
 */
struct oci_xattr {
	const char *name;
	const void *value;
	size_t len;
};

#define OCI_XATTRS_MAX	256u

/**
 * struct oci_entry - an entry of a layer; valid until the next one is read
 * @name: as it is in the tar
 * @hardlink: name of what it is another name for; NULL for none
 * @symlink: target of a symlink; NULL for none
 * @mode: type and permissions
 * @uid: .
 * @gid: .
 * @major: .
 * @minor: .
 * @sec: modification time
 * @nsec: .
 * @size: of a regular file
 * @sparse: it has holes
 * @xattr: .
 * @nr_xattrs: .
 */
struct oci_entry {
	const char *name;
	const char *hardlink;
	const char *symlink;
	u32 mode;
	u64 uid;
	u64 gid;
	u64 major;
	u64 minor;
	int64_t sec;
	u32 nsec;
	u64 size;
	bool sparse;
	struct oci_xattr xattr[OCI_XATTRS_MAX];
	size_t nr_xattrs;
};

/**
 * oci_layer_open() - begin to read a layer
 * @s: where it is
 * @l: what it is
 * @gate: it is read later, and unpacked as far as that gets until then; NULL: it is read now
 * @out: end with oci_layer_close()
 * @err: why not
 *
 * Return: 0; -ELIBACC without libarchive; else as oci_source_file(); -EBADMSG when the size is not
 * right. What the file holds is looked at when an entry is read.
 */
int oci_layer_open(struct oci_source *s, const struct oci_layer *l, struct ahead_gate *gate,
		   struct oci_layer_reader **out, struct ybd_error *err);
void oci_layer_close(struct oci_layer_reader *r);

/*
 * The next entry. -ENOENT without a message after the last one; -EBADMSG; -ELIBACC for a
 * compression that the library cannot undo.
 */
int oci_layer_next(struct oci_layer_reader *r, const struct oci_entry **out,
		   struct ybd_error *err);

/* Data of the entry, in the order of @off. -ENOENT without a message at the end. */
int oci_layer_data(struct oci_layer_reader *r, const void **buf, size_t *len, u64 *off,
		   struct ybd_error *err);

/* Read what is left, and compare digests. -EBADMSG, or as oci_layer_next(). */
int oci_layer_verify(struct oci_layer_reader *r, struct ybd_error *err);

/*
 * After a failure: is it that the file is not what was promised? Reads the rest of it, and replaces
 * the message then.
 */
int oci_layer_blame(struct oci_layer_reader *r, int rc, struct ybd_error *err);

/*
 * Bytes of the file whose contents were read so far, about: who undoes the compression may be far
 * ahead.
 */
u64 oci_layer_pos(struct oci_layer_reader *r);
/* Bytes of the tar that were read so far. */
u64 oci_layer_unpacked(const struct oci_layer_reader *r);

#endif
