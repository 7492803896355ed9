// SPDX-License-Identifier: GPL-2.0-only
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../dl.h"
#include "../util.h"
#include "totar.h"

#define ARCHIVE_SONAME	"libarchive.so.13"
#define CHUNK		(256u << 10)
#define PATH_ROOM	(1u << 20)	/* far beyond what can be used */
#define DEPTH_MAX	2000u		/* only damage is deeper */
#define LINK_BUCKETS	65536u

static struct {
	typeof(archive_write_new) *write_new;
	typeof(archive_write_free) *write_free;
	typeof(archive_write_set_format_pax) *set_format_pax;
	typeof(archive_write_set_format_option) *set_format_option;
	typeof(archive_write_open) *open;
	typeof(archive_write_header) *header;
	typeof(archive_write_data) *data;
	typeof(archive_write_close) *close;
	typeof(archive_error_string) *error_string;
	typeof(archive_set_error) *set_error;
	typeof(archive_entry_new) *entry_new;
	typeof(archive_entry_clear) *entry_clear;
	typeof(archive_entry_free) *entry_free;
	typeof(archive_entry_set_pathname) *set_pathname;
	typeof(archive_entry_set_hardlink) *set_hardlink;
	typeof(archive_entry_set_symlink) *set_symlink;
	typeof(archive_entry_set_filetype) *set_filetype;
	typeof(archive_entry_set_perm) *set_perm;
	typeof(archive_entry_set_uid) *set_uid;
	typeof(archive_entry_set_gid) *set_gid;
	typeof(archive_entry_set_rdevmajor) *set_rdevmajor;
	typeof(archive_entry_set_rdevminor) *set_rdevminor;
	typeof(archive_entry_set_mtime) *set_mtime;
	typeof(archive_entry_set_size) *set_size;
	typeof(archive_entry_sparse_add_entry) *sparse_add_entry;
	typeof(archive_entry_xattr_add_entry) *xattr_add_entry;
} la;

static int load_library(struct ybd_error *err)
{
	const struct ybd_dl_sym sym[] = {
		{ "archive_write_new", &la.write_new },
		{ "archive_write_free", &la.write_free },
		{ "archive_write_set_format_pax", &la.set_format_pax },
		{ "archive_write_set_format_option", &la.set_format_option },
		{ "archive_write_open", &la.open },
		{ "archive_write_header", &la.header },
		{ "archive_write_data", &la.data },
		{ "archive_write_close", &la.close },
		{ "archive_error_string", &la.error_string },
		{ "archive_set_error", &la.set_error },
		{ "archive_entry_new", &la.entry_new },
		{ "archive_entry_clear", &la.entry_clear },
		{ "archive_entry_free", &la.entry_free },
		{ "archive_entry_set_pathname", &la.set_pathname },
		{ "archive_entry_set_hardlink", &la.set_hardlink },
		{ "archive_entry_set_symlink", &la.set_symlink },
		{ "archive_entry_set_filetype", &la.set_filetype },
		{ "archive_entry_set_perm", &la.set_perm },
		{ "archive_entry_set_uid", &la.set_uid },
		{ "archive_entry_set_gid", &la.set_gid },
		{ "archive_entry_set_rdevmajor", &la.set_rdevmajor },
		{ "archive_entry_set_rdevminor", &la.set_rdevminor },
		{ "archive_entry_set_mtime", &la.set_mtime },
		{ "archive_entry_set_size", &la.set_size },
		{ "archive_entry_sparse_add_entry", &la.sparse_add_entry },
		{ "archive_entry_xattr_add_entry", &la.xattr_add_entry },
	};

	if (la.xattr_add_entry || !ybd_dl_open(ARCHIVE_SONAME, sym, ARRAY_SIZE(sym)))
		return 0;
	return ybd_error_set(err, -ELIBACC, "writing a tar needs %s: install libarchive13",
			     ARCHIVE_SONAME);
}

/**
 * struct link - the first name of an inode that has several
 * @next: of the same bucket
 * @ino: .
 * @path: .
 */
struct link {
	struct link *next;
	u32 ino;
	char path[];
};

/**
 * struct totar - a tar that is written
 * @fs: .
 * @fd: .
 * @a: .
 * @entry: the entry in the making
 * @links: by inode
 * @sockets: left out
 * @depth: of the directory that is looked through
 * @io_error: negative errno of writing
 * @path: of the entry; "./" and what the file system calls it
 * @buf: CHUNK bytes
 */
struct totar {
	struct imgfs *fs;
	int fd;
	struct archive *a;
	struct archive_entry *entry;
	struct link *links[LINK_BUCKETS];
	u64 sockets;
	u32 depth;
	int io_error;
	char path[PATH_ROOM];
	u8 buf[CHUNK];
};

/* ---- libarchive ---- */

static la_ssize_t put(struct archive *a, void *arg, const void *buf, size_t len)
{
	struct totar *t = arg;
	ssize_t n;

	do {
		n = write(t->fd, buf, len);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	t->io_error = -errno;
	la.set_error(a, errno, "%s", strerror(errno));
	return -1;
}

static int fail(struct totar *t, struct ybd_error *err)
{
	const char *why = la.error_string(t->a);

	if (t->io_error)
		return ybd_error_sys(err, t->io_error, "writing the tar");
	return ybd_error_set(err, -EOPNOTSUPP, "entry \"%.200s\": %s", t->path,
			     why ? why : "cannot be written");
}

static int open_archive(struct totar *t, struct ybd_error *err)
{
	t->a = la.write_new();
	t->entry = la.entry_new();
	if (!t->a || !t->entry)
		return ybd_error_sys(err, -ENOMEM, "tar");
	/* xattrs in the one form that all read */
	if (la.set_format_pax(t->a) ||
	    la.set_format_option(t->a, "pax", "xattrheader", "SCHILY") ||
	    la.open(t->a, t, NULL, put, NULL))
		return fail(t, err);
	return 0;
}

/* A warning is that a name is no ASCII: then it is said to be bytes, which it is. */
static int put_header(struct totar *t, struct ybd_error *err)
{
	return la.header(t->a, t->entry) < ARCHIVE_WARN ? fail(t, err) : 0;
}

/* ---- one entry ---- */

static int add_xattr(void *arg, const struct imgfs_xattr *x)
{
	struct totar *t = arg;

	la.xattr_add_entry(t->entry, x->name, x->value, x->len);
	return 0;
}

static int describe(struct totar *t, u32 ino, const struct imgfs_stat *st, struct ybd_error *err)
{
	const struct imgfs_attr *a = &st->attr;
	char target[IMGFS_BLOCK];
	int rc = 0;

	la.entry_clear(t->entry);
	la.set_pathname(t->entry, t->path);
	la.set_filetype(t->entry, a->mode & S_IFMT);
	la.set_perm(t->entry, a->mode & 07777);
	la.set_uid(t->entry, a->uid);
	la.set_gid(t->entry, a->gid);
	la.set_mtime(t->entry, (time_t)a->sec, a->nsec);
	la.set_size(t->entry, S_ISREG(a->mode) ? (la_int64_t)st->size : 0);
	if (S_ISCHR(a->mode) || S_ISBLK(a->mode)) {
		la.set_rdevmajor(t->entry, a->major);
		la.set_rdevminor(t->entry, a->minor);
	}
	if (S_ISLNK(a->mode)) {
		rc = imgfs_readlink(t->fs, ino, target, err);
		if (!rc)
			la.set_symlink(t->entry, target);
	}
	return rc ? rc : imgfs_each_xattr(t->fs, ino, add_xattr, t, err);
}

/* @nr bytes of the tar, from the file system; @at ~0: zeros, which libarchive leaves out again. */
static int put_data(struct totar *t, u64 at, u64 nr, struct ybd_error *err)
{
	bool hole = at == ~0ull;

	if (hole)
		memset(t->buf, 0, CHUNK);
	while (nr) {
		size_t n = nr < CHUNK ? (size_t)nr : CHUNK;
		int rc = hole ? 0 : imgfs_read(t->fs, at, t->buf, n, err);

		if (rc)
			return rc;
		if (la.data(t->a, t->buf, n) != (la_ssize_t)n)
			return fail(t, err);
		at += hole ? 0 : n;
		nr -= n;
	}
	return 0;
}

static bool has_holes(const struct imgfs_range *r, size_t n, u64 size)
{
	u64 sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += r[i].len;
	return sum < size;
}

static int put_ranges(struct totar *t, const struct imgfs_range *r, size_t n, u64 size,
		      struct ybd_error *err)
{
	u64 pos = 0;
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		rc = put_data(t, ~0ull, r[i].off - pos, err);
		if (!rc)
			rc = put_data(t, r[i].at, r[i].len, err);
		pos = r[i].off + r[i].len;
	}
	return rc ? rc : put_data(t, ~0ull, size - pos, err);
}

static int put_file(struct totar *t, u32 ino, u64 size, struct ybd_error *err)
{
	__cleanup_free struct imgfs_range *r = NULL;
	size_t n;
	int rc = imgfs_ranges(t->fs, ino, &r, &n, err);

	if (rc)
		return rc;
	if (has_holes(r, n, size)) {
		for (size_t i = 0; i < n; i++)
			la.sparse_add_entry(t->entry, (la_int64_t)r[i].off, (la_int64_t)r[i].len);
		/* nothing but a hole */
		if (!n)
			la.sparse_add_entry(t->entry, (la_int64_t)size, 0);
	}
	rc = put_header(t, err);
	return rc ? rc : put_ranges(t, r, n, size, err);
}

static const char *first_name(struct totar *t, u32 ino)
{
	struct link *l = t->links[ino % LINK_BUCKETS];

	while (l && l->ino != ino)
		l = l->next;
	return l ? l->path : NULL;
}

static int remember_name(struct totar *t, u32 ino)
{
	size_t len = strlen(t->path) + 1;
	struct link *l = malloc(sizeof(*l) + len);

	if (!l)
		return -ENOMEM;
	l->ino = ino;
	memcpy(l->path, t->path, len);
	l->next = t->links[ino % LINK_BUCKETS];
	t->links[ino % LINK_BUCKETS] = l;
	return 0;
}

/* What is no directory. */
static int put_leaf(struct totar *t, u32 ino, const struct imgfs_stat *st, struct ybd_error *err)
{
	const char *first = st->links > 1 ? first_name(t, ino) : NULL;
	int rc = describe(t, ino, st, err);

	if (rc)
		return rc;
	if (first) {
		la.set_hardlink(t->entry, first);
		la.set_size(t->entry, 0);
	} else if (st->links > 1 && remember_name(t, ino)) {
		return ybd_error_sys(err, -ENOMEM, "tar");
	}
	if (!first && S_ISREG(st->attr.mode))
		return put_file(t, ino, st->size, err);
	return put_header(t, err);
}

/* ---- directories ---- */

/**
 * struct names - what is in a directory
 * @v: sorted
 * @nr: how many
 * @cap: for which there is room
 */
struct names {
	char **v;
	size_t nr;
	size_t cap;
};

static void names_free(struct names *n)
{
	for (size_t i = 0; i < n->nr; i++)
		free(n->v[i]);
	free(n->v);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_add(struct names *n, const char *name)
{
	if (n->nr == n->cap) {
		char **v = reallocarray(n->v, n->cap * 2 + 16, sizeof(*v));

		if (!v)
			return -ENOMEM;
		n->v = v;
		n->cap = n->cap * 2 + 16;
	}
	n->v[n->nr] = strdup(name);
	return n->v[n->nr++] ? 0 : -ENOMEM;
}

static int read_names(struct totar *t, u32 dir, struct names *n, struct ybd_error *err)
{
	char name[IMGFS_NAME_MAX + 1];
	struct imgfs_node node;
	size_t pos = 0;
	int rc;

	while (!(rc = imgfs_next(t->fs, dir, &pos, name, &node, err))) {
		if (!*name || !strcmp(name, ".") || !strcmp(name, "..") || strchr(name, '/'))
			return ybd_error_set(err, -EUCLEAN, "a name in \"%.200s\" is damaged",
					     t->path);
		if (names_add(n, name))
			return ybd_error_sys(err, -ENOMEM, "tar");
	}
	if (rc != -ENOENT)
		return rc;
	if (n->nr)
		qsort(n->v, n->nr, sizeof(*n->v), by_bytes);
	return 0;
}

static int put_dir(struct totar *t, u32 ino, const struct imgfs_stat *st, struct ybd_error *err);

/* @len: of the path of the directory, which ends in a slash. */
static int put_name(struct totar *t, u32 dir, size_t len, const char *name, struct ybd_error *err)
{
	struct imgfs_node node;
	struct imgfs_stat st;
	size_t n = strlen(name);
	int rc = imgfs_lookup(t->fs, dir, name, n, &node, err);

	if (len + n + 2 > PATH_ROOM)
		return ybd_error_set(err, -ENAMETOOLONG, "a path of more than %u bytes", PATH_ROOM);
	memcpy(t->path + len, name, n + 1);
	if (!rc)
		rc = imgfs_stat(t->fs, node.ino, &st, err);
	if (rc) {
		ybd_error_prefix(err, "entry \"%.200s\"", t->path);
		return rc;
	}
	if (S_ISSOCK(st.attr.mode)) {
		t->sockets++;
		return 0;
	}
	if (!S_ISDIR(st.attr.mode))
		return put_leaf(t, node.ino, &st, err);
	strcpy(t->path + len + n, "/");
	return put_dir(t, node.ino, &st, err);
}

static int put_dir(struct totar *t, u32 ino, const struct imgfs_stat *st, struct ybd_error *err)
{
	size_t len = strlen(t->path);
	struct names n = { 0 };
	int rc = describe(t, ino, st, err);

	if (!rc)
		rc = put_header(t, err);
	if (rc)
		return rc;
	if (++t->depth > DEPTH_MAX)
		return ybd_error_set(err, -EUCLEAN, "directories are more than %u deep", DEPTH_MAX);
	rc = read_names(t, ino, &n, err);
	for (size_t i = 0; i < n.nr && !rc; i++)
		rc = put_name(t, ino, len, n.v[i], err);
	names_free(&n);
	t->path[len] = '\0';
	t->depth--;
	return rc;
}

static void totar_free(struct totar *t)
{
	for (size_t i = 0; i < LINK_BUCKETS; i++)
		while (t->links[i]) {
			struct link *l = t->links[i];

			t->links[i] = l->next;
			free(l);
		}
	if (t->entry)
		la.entry_free(t->entry);
	if (t->a)
		la.write_free(t->a);
	free(t);
}

int totar_write(struct imgfs *fs, int fd, u64 *sockets, struct ybd_error *err)
{
	struct totar *t;
	struct imgfs_stat st;
	int rc = load_library(err);

	if (rc)
		return rc;
	t = calloc(1, sizeof(*t));
	if (!t)
		return ybd_error_sys(err, -ENOMEM, "tar");
	t->fs = fs;
	t->fd = fd;
	strcpy(t->path, "./");
	rc = open_archive(t, err);
	if (!rc)
		rc = imgfs_stat(fs, IMGFS_ROOT, &st, err);
	if (!rc)
		rc = put_dir(t, IMGFS_ROOT, &st, err);
	if (!rc && la.close(t->a))
		rc = fail(t, err);
	*sockets = t->sockets;
	totar_free(t);
	return rc;
}
