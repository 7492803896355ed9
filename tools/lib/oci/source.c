// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../fdio.h"
#include "../util.h"
#include "source.h"
#include "tarindex.h"

/**
 * struct oci_source - see source.h
 * @fd: of the directory or the archive
 * @dir: it is a directory
 * @tar: else, its members
 */
struct oci_source {
	int fd;
	bool dir;
	struct tarindex tar;
};

int oci_source_open(const char *path, struct oci_source **out, struct ybd_error *err)
{
	struct oci_source *s = calloc(1, sizeof(*s));
	struct stat st;
	int rc = 0;

	if (!s)
		return ybd_error_sys(err, -ENOMEM, "%s", path);
	s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (s->fd < 0 || fstat(s->fd, &st)) {
		rc = ybd_error_sys(err, -errno, "%s", path);
		goto err_close;
	}
	s->dir = S_ISDIR(st.st_mode);
	if (!s->dir) {
		rc = tarindex_read(s->fd, &s->tar, err);
		if (rc)
			ybd_error_prefix(err, "%s", path);
	}
	if (rc)
		goto err_close;
	*out = s;
	return 0;
err_close:
	oci_source_close(s);
	return rc;
}

void oci_source_close(struct oci_source *s)
{
	if (!s)
		return;
	tarindex_free(&s->tar);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

/* Component by component, so that no symlink leads out of the directory. */
static int open_beneath(int dir, const char *name)
{
	char part[NAME_MAX + 1];
	int fd = dir, next;

	while (strchr(name, '/')) {
		size_t len = (size_t)(strchr(name, '/') - name);

		if (len > NAME_MAX || !len || (name[0] == '.' && len <= 2)) {
			next = -1;
			errno = EINVAL;
		} else {
			memcpy(part, name, len);
			part[len] = '\0';
			next = openat(fd, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		}
		if (fd != dir)
			close(fd);
		if (next < 0)
			return -1;
		fd = next;
		name += len + 1;
	}
	next = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd != dir)
		close(fd);
	return next;
}

static int dir_file(struct oci_source *s, const char *name, struct oci_file *f,
		    struct ybd_error *err)
{
	struct stat st;

	f->fd = open_beneath(s->fd, name);
	if (f->fd < 0)
		return ybd_error_sys(err, -errno, "%s", name);
	if (fstat(f->fd, &st) || !S_ISREG(st.st_mode)) {
		oci_file_close(f);
		return ybd_error_set(err, -EBADMSG, "%s is no regular file", name);
	}
	f->off = 0;
	f->size = (u64)st.st_size;
	return 0;
}

int oci_source_file(struct oci_source *s, const char *name, struct oci_file *f,
		    struct ybd_error *err)
{
	const struct tarindex_member *m;

	f->fd = -1;
	if (s->dir)
		return dir_file(s, name, f, err);
	m = tarindex_find(&s->tar, name);
	if (!m)
		return ybd_error_set(err, -ENOENT, "the archive has no file %s", name);
	f->fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
	if (f->fd < 0)
		return ybd_error_sys(err, -errno, "%s", name);
	f->off = m->off;
	f->size = m->size;
	return 0;
}

bool oci_source_has(struct oci_source *s, const char *name)
{
	struct oci_file f;
	bool there = !oci_source_file(s, name, &f, NULL);

	oci_file_close(&f);
	return there;
}

int oci_file_read(const struct oci_file *f, u64 off, void *buf, size_t len)
{
	return pread_all(f->fd, buf, len, f->off + off);
}

void oci_file_close(struct oci_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

int oci_source_text(struct oci_source *s, const char *name, u64 max, char **text, size_t *len,
		    struct ybd_error *err)
{
	struct oci_file f;
	int rc = oci_source_file(s, name, &f, err);

	if (rc)
		return rc;
	*text = NULL;
	if (f.size > max)
		rc = ybd_error_set(err, -E2BIG, "%s has %llu bytes, more than %llu", name,
				   (unsigned long long)f.size, (unsigned long long)max);
	else
		*text = calloc(1, f.size + 1);
	if (!rc && !*text)
		rc = ybd_error_sys(err, -ENOMEM, "%s", name);
	if (!rc) {
		rc = oci_file_read(&f, 0, *text, f.size);
		if (rc)
			ybd_error_sys(err, rc, "%s", name);
	}
	*len = f.size;
	oci_file_close(&f);
	if (rc) {
		free(*text);
		*text = NULL;
	}
	return rc;
}

const char *oci_blob_name(const struct oci_digest *d, char buf[OCI_BLOB_NAME_LEN + 1])
{
	char text[OCI_DIGEST_STRLEN + 1];

	snprintf(buf, OCI_BLOB_NAME_LEN + 1, "blobs/sha256/%s",
		 oci_digest_text(d, text) + strlen(OCI_DIGEST_PREFIX));
	return buf;
}

int oci_source_blob(struct oci_source *s, const struct oci_digest *d, u64 size, u64 max,
		    char **text, size_t *len, struct ybd_error *err)
{
	char name[OCI_BLOB_NAME_LEN + 1], is_text[OCI_DIGEST_STRLEN + 1];
	struct oci_digest is;
	int rc = oci_source_text(s, oci_blob_name(d, name), max, text, len, err);

	if (rc)
		return rc;
	oci_digest_of(*text, *len, &is);
	if (size != UINT64_MAX && *len != size)
		rc = ybd_error_set(err, -EBADMSG, "%s has %zu bytes, but %llu are promised", name,
				   *len, (unsigned long long)size);
	else if (!oci_digest_same(d, &is))
		rc = ybd_error_set(err, -EBADMSG, "%s is damaged: its digest is %s", name,
				   oci_digest_text(&is, is_text));
	if (rc) {
		free(*text);
		*text = NULL;
	}
	return rc;
}
