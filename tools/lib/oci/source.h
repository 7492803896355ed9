/* SPDX-License-Identifier: GPL-2.0-only */
/* Where an image comes from: a directory, or a tar. Both hold files by name. */
#ifndef YBD_OCI_SOURCE_H
#define YBD_OCI_SOURCE_H

#include "../error.h"
#include "digest.h"

struct oci_source;

/**
 * struct oci_file - a file of a source, open
 * @fd: its own; -1 for none
 * @off: first byte
 * @size: bytes
 */
struct oci_file {
	int fd;
	u64 off;
	u64 size;
};

/**
 * oci_source_open() - open a directory or an archive
 * @path: .
 * @out: close with oci_source_close()
 * @err: why not
 *
 * Return: 0; -EMEDIUMTYPE when it is neither; -EBADMSG when it is damaged; the error of open(2).
 */
int oci_source_open(const char *path, struct oci_source **out, struct ybd_error *err);
void oci_source_close(struct oci_source *s);

/* -ENOENT when there is no such file; symlinks in a directory are not followed (-ELOOP). */
int oci_source_file(struct oci_source *s, const char *name, struct oci_file *f,
		    struct ybd_error *err);
/* Is it there? */
bool oci_source_has(struct oci_source *s, const char *name);

/* All of @len bytes at @off of the file. 0 or a negative errno. */
int oci_file_read(const struct oci_file *f, u64 off, void *buf, size_t len);
void oci_file_close(struct oci_file *f);

/* The whole file of at most @max bytes, with a NUL behind it, to be freed. */
int oci_source_text(struct oci_source *s, const char *name, u64 max, char **text, size_t *len,
		    struct ybd_error *err);

/* "blobs/sha256/..." */
#define OCI_BLOB_NAME_LEN (13 + 2 * SHA256_LEN)
const char *oci_blob_name(const struct oci_digest *d, char buf[OCI_BLOB_NAME_LEN + 1]);

/* A blob as text, of the size and the digest that are wanted; @size UINT64_MAX: any. */
int oci_source_blob(struct oci_source *s, const struct oci_digest *d, u64 size, u64 max,
		    char **text, size_t *len, struct ybd_error *err);

#endif
