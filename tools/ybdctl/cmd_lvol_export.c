// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl export, ybdctl lvol export: whole contents, to files: as they are, or as a tar. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd_lvol.h"
#include "convert/totar.h"
#include "erofs/erofs.h"
#include "esnap.h"
#include "ext4/extfs.h"
#include "util.h"

#define CHUNK	(1u << 20)
#define BLOCK	4096u

/**
 * struct export - what is written, and where to
 * @s: the store
 * @map: the lvol
 * @esnap: --esnap
 * @esnap_fd: the external snapshot under it, or -1
 * @dst: path of the file; "-" for stdout
 * @force: overwrite it
 * @tar: the file system in it as a tar
 */
struct export {
	struct lvs_store *s;
	struct lvs_map map;
	struct opt_list esnap;
	int esnap_fd;
	const char *dst;
	bool force;
	bool tar;
};

/* ---- as it is ---- */

static int write_all(int fd, const u8 *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

/* @sparse: what is zero becomes a hole of the file. */
static int write_out(int fd, const u8 *buf, size_t len, bool sparse)
{
	for (size_t at = 0; at < len; at += BLOCK) {
		size_t n = len - at < BLOCK ? len - at : BLOCK;
		int rc = 0;

		if (!sparse || !mem_is_zero(buf + at, n))
			rc = write_all(fd, buf + at, n);
		else if (lseek(fd, (off_t)n, SEEK_CUR) < 0)
			rc = -errno;
		if (rc)
			return rc;
	}
	return 0;
}

static int copy_out(const struct export *x, int fd, bool sparse)
{
	__cleanup_free u8 *buf = malloc(CHUNK);
	const struct lvs_map *map = &x->map;
	int rc = buf ? 0 : -ENOMEM;

	for (u64 off = 0; off < map->size && !rc; off += CHUNK) {
		size_t n = map->size - off < CHUNK ? (size_t)(map->size - off) : CHUNK;

		rc = lvs_map_read(x->s, map, x->esnap_fd, off, buf, n);
		if (!rc)
			rc = write_out(fd, buf, n, sparse);
	}
	if (!rc && sparse && (ftruncate(fd, (off_t)map->size) || fsync(fd)))
		rc = -errno;
	return rc;
}

/* ---- as a tar ---- */

/**
 * struct mapbytes - an lvol that is read, as a bytestore
 * @b: see bytestore.h
 * @x: .
 */
struct mapbytes {
	struct bytestore b;
	const struct export *x;
};

static int map_read(struct bytestore *b, u64 off, void *buf, size_t len)
{
	const struct export *x = ((struct mapbytes *)b)->x;
	int rc = lvs_map_read(x->s, &x->map, x->esnap_fd, off, buf, len);

	return rc ? ybd_error_sys(&b->err, rc, "reading at %llu", (unsigned long long)off) : 0;
}

static int map_write(struct bytestore *b, u64 off, const void *buf, size_t len)
{
	return ybd_error_sys(&b->err, -EROFS, "an lvol that is read");
}

static int map_zero(struct bytestore *b, u64 off, u64 len)
{
	return ybd_error_sys(&b->err, -EROFS, "an lvol that is read");
}

static int map_flush(struct bytestore *b)
{
	return 0;
}

static int open_fs(struct bytestore *b, struct imgfs **fs, struct ybd_error *err)
{
	int rc = erofs_is_there(b, err);

	if (rc < 0)
		return rc;
	return rc ? erofs_open(b, fs, err) : extfs_look(b, fs, err);
}

static int write_tar(const struct export *x, int fd, struct ybd_error *err)
{
	static const struct bytestore_ops ops = { map_read, map_write, map_zero, map_flush };
	struct mapbytes m = {
		.b = { .ops = &ops, .size = x->map.size, .unit = CHUNK }, .x = x,
	};
	struct imgfs *fs;
	u64 sockets;
	int rc = open_fs(&m.b, &fs, err);

	if (rc)
		return rc;
	rc = totar_write(fs, fd, &sockets, err);
	imgfs_abort(fs);
	if (!rc && sockets)
		cmd_warn("%llu sockets are left out: a tar cannot hold them",
			 (unsigned long long)sockets);
	return rc;
}

/* ---- the command ---- */

static int write_file(const struct export *x, int fd, bool to_stdout)
{
	struct ybd_error err = { 0 };
	int rc;

	if (x->tar)
		rc = write_tar(x, fd, &err);
	else
		rc = copy_out(x, fd, !to_stdout);
	if (close(fd) && !rc)
		rc = -errno;
	if (rc && !to_stdout)
		unlink(x->dst);
	if (rc && err.code)
		return cmd_fail(rc, "%s", err.text);
	return rc ? cmd_fail(rc, "%s: %s", x->dst, strerror(-rc)) : CMD_OK;
}

static int export_map(const struct export *x)
{
	bool to_stdout = !strcmp(x->dst, "-");
	int fd;

	fd = to_stdout ? dup(1) :
	     open(x->dst, O_WRONLY | O_CREAT | O_CLOEXEC | (x->force ? O_TRUNC : O_EXCL), 0666);
	if (fd < 0)
		return cmd_fail(-errno, "%s: %s%s", x->dst, strerror(errno),
				errno == EEXIST ? " (--force: overwrite it)" : "");
	return write_file(x, fd, to_stdout);
}

/* With what is under it, if that is not in the store. */
static int export_all(struct export *x)
{
	struct ybd_error err = { 0 };
	struct ybd_finder finder;
	struct ybd_source *s;
	int rc;

	x->esnap_fd = -1;
	if (!x->map.esnap_len)
		return export_map(x);
	rc = ybd_finder_init(&finder, NULL, 0, x->esnap.v, x->esnap.n, &err);
	if (rc)
		return cmd_fail_err(&err);
	rc = ybd_finder_esnap(&finder, x->map.esnap_id, x->map.esnap_len, &s, &err);
	if (rc) {
		rc = cmd_fail_err(&err);
	} else {
		x->esnap_fd = s->fd;
		rc = export_map(x);
	}
	ybd_finder_exit(&finder);
	return rc;
}

static int export_lvol(struct export *x, char **argv)
{
	const struct lvs_lvol *l = lvs_find(x->s, argv[1]);
	const struct lvs_refusal *r = l ? NULL : lvs_find_refusal(x->s, argv[1]);
	int rc;

	if (r)
		return cmd_fail(-EUCLEAN, "%s: %s: %s", argv[0], argv[1], r->text);
	if (!l)
		return cmd_fail(-ENOENT, "%s: no lvol \"%s\"", argv[0], argv[1]);
	if (lvs_flatten(l, &x->map))
		return cmd_fail(-ENOMEM, "no memory");
	rc = export_all(x);
	lvs_map_free(&x->map);
	return rc;
}

int lvol_export_run(const struct cmd *cmd, int argc, char **argv)
{
	const char *format = "raw";
	struct export x = { 0 };
	const struct opt opts[] = {
		OPT_STR("format", "FORMAT", &format, "raw, the default, or tar."),
		OPT_FLAG("force", &x.force, "Overwrite the file."),
		OPT_ESNAP(&x.esnap),
		OPT_END
	};
	struct lvs_error err;
	int rc;

	cmd_parse(cmd, opts, argc, argv, 3, 3);
	esnap_check(&x.esnap);
	x.dst = argv[2];
	x.tar = !strcmp(format, "tar");
	if (!x.tar && strcmp(format, "raw"))
		cmd_usage("--format: \"%s\" is neither raw nor tar", format);
	rc = lvs_open_path(argv[0], &x.s, &err);
	if (rc)
		return cmd_fail(rc, "%s: %s", argv[0], err.text);
	rc = export_lvol(&x, argv);
	lvs_close(x.s);
	free(x.esnap.v);
	return rc;
}
