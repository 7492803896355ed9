// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two archives of libarchive, one behind the other: the first only undoes the compression, so that
 * what comes out of it can be hashed, the second reads the tar. The first has a thread of its own.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../dl.h"
#include "../util.h"
#include "ahead.h"
#include "layer.h"
#include "spool.h"

#define ARCHIVE_SONAME	"libarchive.so.13"
#define CHUNK		(256u << 10)

static struct {
	typeof(archive_read_new) *read_new;
	typeof(archive_read_free) *read_free;
	typeof(archive_read_support_filter_gzip) *filter_gzip;
	typeof(archive_read_support_filter_zstd) *filter_zstd;
	typeof(archive_read_support_format_raw) *format_raw;
	typeof(archive_read_support_format_tar) *format_tar;
	typeof(archive_read_support_format_empty) *format_empty;
	typeof(archive_read_open) *open;
	typeof(archive_read_next_header) *next_header;
	typeof(archive_read_data_block) *data_block;
	typeof(archive_errno) *error;
	typeof(archive_error_string) *error_string;
	typeof(archive_set_error) *set_error;
	typeof(archive_filter_code) *filter_code;
	typeof(archive_entry_pathname) *pathname;
	typeof(archive_entry_hardlink) *hardlink;
	typeof(archive_entry_symlink) *symlink;
	typeof(archive_entry_filetype) *filetype;
	typeof(archive_entry_perm) *perm;
	typeof(archive_entry_uid) *uid;
	typeof(archive_entry_gid) *gid;
	typeof(archive_entry_rdevmajor) *rdevmajor;
	typeof(archive_entry_rdevminor) *rdevminor;
	typeof(archive_entry_mtime) *mtime;
	typeof(archive_entry_mtime_nsec) *mtime_nsec;
	typeof(archive_entry_size) *size;
	typeof(archive_entry_sparse_count) *sparse_count;
	typeof(archive_entry_xattr_reset) *xattr_reset;
	typeof(archive_entry_xattr_next) *xattr_next;
} la;

static int load_library(struct ybd_error *err)
{
	const struct ybd_dl_sym sym[] = {
		{ "archive_read_new", &la.read_new },
		{ "archive_read_free", &la.read_free },
		{ "archive_read_support_filter_gzip", &la.filter_gzip },
		{ "archive_read_support_filter_zstd", &la.filter_zstd },
		{ "archive_read_support_format_raw", &la.format_raw },
		{ "archive_read_support_format_tar", &la.format_tar },
		{ "archive_read_support_format_empty", &la.format_empty },
		{ "archive_read_open", &la.open },
		{ "archive_read_next_header", &la.next_header },
		{ "archive_read_data_block", &la.data_block },
		{ "archive_errno", &la.error },
		{ "archive_error_string", &la.error_string },
		{ "archive_set_error", &la.set_error },
		{ "archive_filter_code", &la.filter_code },
		{ "archive_entry_pathname", &la.pathname },
		{ "archive_entry_hardlink", &la.hardlink },
		{ "archive_entry_symlink", &la.symlink },
		{ "archive_entry_filetype", &la.filetype },
		{ "archive_entry_perm", &la.perm },
		{ "archive_entry_uid", &la.uid },
		{ "archive_entry_gid", &la.gid },
		{ "archive_entry_rdevmajor", &la.rdevmajor },
		{ "archive_entry_rdevminor", &la.rdevminor },
		{ "archive_entry_mtime", &la.mtime },
		{ "archive_entry_mtime_nsec", &la.mtime_nsec },
		{ "archive_entry_size", &la.size },
		{ "archive_entry_sparse_count", &la.sparse_count },
		{ "archive_entry_xattr_reset", &la.xattr_reset },
		{ "archive_entry_xattr_next", &la.xattr_next },
	};

	if (la.xattr_next || !ybd_dl_open(ARCHIVE_SONAME, sym, ARRAY_SIZE(sym)))
		return 0;
	return ybd_error_set(err, -ELIBACC, "reading layers needs %s: install libarchive13",
			     ARCHIVE_SONAME);
}

/**
 * struct oci_layer_reader - a layer being read
 * @l: what is promised of it
 * @ahead: the thread that undoes the compression; NULL: who reads does it
 * @tar: reads what comes out of it
 * @tar_open: it has begun to
 * @tar_sum: digest of what came out of it so far
 * @tar_pos: its bytes
 * @shown: oci_layer_pos() never goes back
 * @entry: .
 * @failed: there is no more to come, for the reason in @why
 * @file: from here on it is the thread's, as long as there is one, but @pos and @unpacked can be
 *	  looked at, and @why when it has ended
 * @pos: bytes of the file that were read
 * @file_sum: their digest so far
 * @unpacked: bytes that came out of them
 * @raw: undoes the compression; NULL before it begins and when it has ended
 * @raw_end: it has ended well
 * @why: it has ended otherwise
 * @io_error: negative errno of reading the file
 * @buf: CHUNK bytes
 */
struct oci_layer_reader {
	const struct oci_layer *l;
	struct ahead *ahead;
	struct archive *tar;
	bool tar_open;
	struct sha256 tar_sum;
	u64 tar_pos;
	u64 shown;
	struct oci_entry entry;
	bool failed;
	struct oci_file file;
	atomic_ullong pos;
	struct sha256 file_sum;
	atomic_ullong unpacked;
	struct archive *raw;
	bool raw_end;
	struct ybd_error why;
	int io_error;
	u8 buf[CHUNK];
};

/* ---- the two streams ---- */

/* The next piece of the file in @buf, hashed; 0 at its end, -1. */
static ssize_t read_file(struct oci_layer_reader *r)
{
	u64 left = r->file.size - r->pos;
	size_t n = left < CHUNK ? left : CHUNK;

	if (!n)
		return 0;
	r->io_error = oci_file_read(&r->file, r->pos, r->buf, n);
	if (r->io_error)
		return -1;
	r->pos += n;
	sha256_update(&r->file_sum, r->buf, n);
	return (ssize_t)n;
}

static la_ssize_t feed_raw(struct archive *a, void *arg, const void **buf)
{
	struct oci_layer_reader *r = arg;
	ssize_t n = read_file(r);

	if (n < 0)
		la.set_error(a, -r->io_error, "reading it failed: %s", strerror(-r->io_error));
	*buf = r->buf;
	return n;
}

static int fail(struct archive *a, struct ybd_error *err)
{
	return ybd_error_set(err, -EBADMSG, "%s", la.error_string(a) ?: "it is damaged");
}

static int open_raw(struct oci_layer_reader *r, struct ybd_error *err)
{
	enum oci_filter f = r->l->filter;
	struct archive_entry *e;
	int rc;

	r->raw = la.read_new();
	if (!r->raw)
		return ybd_error_sys(err, -ENOMEM, "layer");
	rc = la.format_raw(r->raw);
	if (!rc)
		rc = la.format_empty(r->raw);
	/* a warning says that the library lacks it and will run a program */
	if (!rc && (f == OCI_FILTER_GZIP || f == OCI_FILTER_ANY))
		rc = la.filter_gzip(r->raw);
	if (!rc && (f == OCI_FILTER_ZSTD || f == OCI_FILTER_ANY))
		rc = la.filter_zstd(r->raw);
	if (rc)
		return ybd_error_set(err, -ELIBACC, "%s cannot read this compression",
				     ARCHIVE_SONAME);
	if (la.open(r->raw, r, NULL, feed_raw, NULL))
		return fail(r->raw, err);
	rc = la.next_header(r->raw, &e);
	if (rc == ARCHIVE_EOF)
		r->raw_end = true;
	else if (rc)
		return fail(r->raw, err);
	if ((f == OCI_FILTER_GZIP && la.filter_code(r->raw, 0) != ARCHIVE_FILTER_GZIP) ||
	    (f == OCI_FILTER_ZSTD && la.filter_code(r->raw, 0) != ARCHIVE_FILTER_ZSTD))
		return ybd_error_set(err, -EBADMSG, "it is not compressed as its media type says");
	return 0;
}

/* Its window may be large: it is not kept until somebody reads what came out of it. */
static void close_raw(struct oci_layer_reader *r)
{
	if (r->raw)
		la.read_free(r->raw);
	r->raw = NULL;
}

static int next_piece(struct oci_layer_reader *r, const void **buf, size_t *len)
{
	la_int64_t off;
	int rc = r->raw || r->raw_end ? 0 : open_raw(r, &r->why);

	if (rc)
		return rc;
	if (r->raw_end) {
		*len = 0;
		return 0;
	}
	do {
		rc = la.data_block(r->raw, buf, len, &off);
	} while (rc == ARCHIVE_OK && !*len);
	if (rc != ARCHIVE_EOF)
		return rc == ARCHIVE_OK ? 0 : fail(r->raw, &r->why);
	r->raw_end = true;
	*len = 0;
	return 0;
}

/* The next piece of the tar; 0 at its end, -1. In the thread, if there is one. */
static ssize_t make_piece(void *arg, const void **buf)
{
	struct oci_layer_reader *r = arg;
	size_t len;
	int rc = next_piece(r, buf, &len);

	if (rc || !len) {
		close_raw(r);
		return rc ? -1 : 0;
	}
	r->unpacked += len;
	return (ssize_t)len;
}

/* From here on nothing else touches what is in front of the tar. */
static void stop_ahead(struct oci_layer_reader *r)
{
	ahead_stop(r->ahead);
	r->ahead = NULL;
}

/* Hashed here: undoing the compression is what takes longest, and has a thread for itself. */
static ssize_t unpack(struct oci_layer_reader *r, const void **buf)
{
	int spool = 0;
	ssize_t n;

	if (r->failed)
		return -1;
	n = r->ahead ? ahead_next(r->ahead, buf, &spool) : make_piece(r, buf);
	if (n == AHEAD_NO_SPOOL) {
		stop_ahead(r);
		ybd_error_sys(&r->why, spool, "what was unpacked of it early");
	}
	if (n < 0) {
		r->failed = true;
		return -1;
	}
	if (n) {
		sha256_update(&r->tar_sum, *buf, (size_t)n);
		r->tar_pos += (u64)n;
	}
	return n;
}

static la_ssize_t feed_tar(struct archive *a, void *arg, const void **buf)
{
	struct oci_layer_reader *r = arg;
	ssize_t n = unpack(r, buf);

	if (n < 0)
		la.set_error(a, EIO, "%s", r->why.text);
	return n;
}

/* The tar cannot be read: what there is of it is not right, or there is no more. */
static int fail_tar(struct oci_layer_reader *r, struct ybd_error *err)
{
	if (!r->failed)
		return fail(r->tar, err);
	*err = r->why;
	return err->code;
}

static int open_tar(struct oci_layer_reader *r, struct ybd_error *err)
{
	if (la.format_tar(r->tar) || la.format_empty(r->tar) ||
	    la.open(r->tar, r, NULL, feed_tar, NULL))
		return fail_tar(r, err);
	r->tar_open = true;
	return 0;
}

/* Without a thread it works as well. */
static void start_ahead(struct oci_layer_reader *r, struct ahead_gate *gate)
{
	struct ahead_how how = { .gate = gate };

	if (gate)
		how.spool = spool_open(&how.spool_end);
	r->ahead = ahead_start(make_piece, r, gate ? &how : NULL);
}

int oci_layer_open(struct oci_source *s, const struct oci_layer *l, struct ahead_gate *gate,
		   struct oci_layer_reader **out, struct ybd_error *err)
{
	struct oci_layer_reader *r;
	int rc = load_library(err);

	if (rc)
		return rc;
	r = calloc(1, sizeof(*r));
	if (!r)
		return ybd_error_sys(err, -ENOMEM, "layer");
	r->l = l;
	r->file.fd = -1;
	sha256_init(&r->file_sum);
	sha256_init(&r->tar_sum);
	rc = oci_source_file(s, l->file, &r->file, err);
	if (!rc && l->has_digest && r->file.size != l->size)
		rc = ybd_error_set(err, -EBADMSG, "%s has %llu bytes, but %llu are promised",
				   l->file, (unsigned long long)r->file.size,
				   (unsigned long long)l->size);
	if (rc)
		goto err_close;
	r->tar = la.read_new();
	if (!r->tar) {
		rc = ybd_error_sys(err, -ENOMEM, "layer");
		goto err_close;
	}
	start_ahead(r, gate);
	*out = r;
	return 0;
err_close:
	oci_layer_close(r);
	return rc;
}

void oci_layer_close(struct oci_layer_reader *r)
{
	if (!r)
		return;
	stop_ahead(r);
	if (r->tar)
		la.read_free(r->tar);
	close_raw(r);
	oci_file_close(&r->file);
	free(r);
}

/* ---- entries ---- */

/*
 * The names are bytes, whatever the locale: in "C", which this runs in, the library warns that it
 * cannot convert UTF-8 and gives the bytes. Any other warning is about something that it left out.
 */
static bool only_charset(struct archive *a)
{
	const char *text = la.error_string(a);

	return text && strstr(text, "can't be converted");
}

static int take_xattrs(struct archive_entry *ae, struct oci_entry *e, struct ybd_error *err)
{
	struct oci_xattr x;

	e->nr_xattrs = 0;
	la.xattr_reset(ae);
	while (!la.xattr_next(ae, &x.name, &x.value, &x.len)) {
		if (e->nr_xattrs == OCI_XATTRS_MAX)
			return ybd_error_set(err, -E2BIG, "more than %u xattrs", OCI_XATTRS_MAX);
		e->xattr[e->nr_xattrs++] = x;
	}
	return 0;
}

int oci_layer_next(struct oci_layer_reader *r, const struct oci_entry **out,
		   struct ybd_error *err)
{
	struct oci_entry *e = &r->entry;
	struct archive_entry *ae;
	int rc = r->tar_open ? 0 : open_tar(r, err);

	if (rc)
		return rc;
	rc = la.next_header(r->tar, &ae);
	if (rc == ARCHIVE_EOF)
		return -ENOENT;
	if (rc != ARCHIVE_OK && (rc != ARCHIVE_WARN || !only_charset(r->tar)))
		return fail_tar(r, err);
	e->name = la.pathname(ae);
	if (!e->name)
		return ybd_error_set(err, -EBADMSG, "an entry without a name");
	e->hardlink = la.hardlink(ae);
	e->symlink = la.symlink(ae);
	e->mode = la.filetype(ae) | (la.perm(ae) & 07777);
	e->uid = (u64)la.uid(ae);
	e->gid = (u64)la.gid(ae);
	e->major = la.rdevmajor(ae);
	e->minor = la.rdevminor(ae);
	e->sec = la.mtime(ae);
	e->nsec = (u32)la.mtime_nsec(ae);
	e->size = (u64)la.size(ae);
	e->sparse = la.sparse_count(ae) > 0;
	*out = e;
	return take_xattrs(ae, e, err);
}

int oci_layer_data(struct oci_layer_reader *r, const void **buf, size_t *len, u64 *off,
		   struct ybd_error *err)
{
	la_int64_t at;
	int rc;

	do {
		rc = la.data_block(r->tar, buf, len, &at);
	} while (rc == ARCHIVE_OK && !*len);
	if (rc == ARCHIVE_EOF)
		return -ENOENT;
	if (rc != ARCHIVE_OK)
		return fail_tar(r, err);
	*off = (u64)at;
	return 0;
}

/* ---- what was promised ---- */

static int check_file(struct oci_layer_reader *r, struct ybd_error *err)
{
	char is_text[OCI_DIGEST_STRLEN + 1];
	struct oci_digest is;
	ssize_t n;

	do {
		n = read_file(r);
	} while (n > 0);
	if (n < 0)
		return ybd_error_sys(err, r->io_error, "%s", r->l->file);
	sha256_final(&r->file_sum, is.b);
	if (!r->l->has_digest || oci_digest_same(&is, &r->l->digest))
		return 0;
	return ybd_error_set(err, -EBADMSG, "%s is damaged: its digest is %s", r->l->file,
			     oci_digest_text(&is, is_text));
}

int oci_layer_verify(struct oci_layer_reader *r, struct ybd_error *err)
{
	char is_text[OCI_DIGEST_STRLEN + 1], want[OCI_DIGEST_STRLEN + 1];
	struct oci_digest is;
	const void *buf;
	ssize_t n;
	int rc;

	do {
		n = unpack(r, &buf);
	} while (n > 0);
	stop_ahead(r);
	if (n < 0)
		return oci_layer_blame(r, fail_tar(r, err), err);
	rc = check_file(r, err);
	if (rc)
		return rc;
	sha256_final(&r->tar_sum, is.b);
	if (oci_digest_same(&is, &r->l->diff_id))
		return 0;
	return ybd_error_set(err, -EBADMSG,
			     "unpacked, its digest is %s, but the config promises %s",
			     oci_digest_text(&is, is_text),
			     oci_digest_text(&r->l->diff_id, want));
}

int oci_layer_blame(struct oci_layer_reader *r, int rc, struct ybd_error *err)
{
	struct ybd_error better;

	stop_ahead(r);
	if (!r->l->has_digest || r->io_error)
		return rc;
	if (!check_file(r, &better))
		return rc;
	*err = better;
	return better.code;
}

u64 oci_layer_pos(struct oci_layer_reader *r)
{
	u64 made = r->unpacked;
	double part = made ? (double)r->tar_pos / (double)made : 0;
	u64 at = (u64)((double)r->pos * part);

	if (at > r->shown)
		r->shown = at;
	return r->shown;
}

u64 oci_layer_unpacked(const struct oci_layer_reader *r)
{
	return r->tar_pos;
}
