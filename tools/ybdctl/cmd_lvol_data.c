// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl lvol import: whole contents of files. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd_lvol.h"
#include "names.h"
#include "print.h"

#define CHUNK	(1u << 20)

/* ---- import ---- */

/**
 * struct import - a file on its way into an lvol
 * @path: its name, for messages; "-" for stdin
 * @fd: it
 * @size: bytes of the lvol
 * @len: bytes of the file; 0: unknown
 * @seekable: holes of it can be passed over
 * @buf: CHUNK bytes
 * @ro: the lvol becomes read-only
 */
struct import {
	const char *path;
	int fd;
	u64 size;
	u64 len;
	bool seekable;
	u8 *buf;
	bool ro;
};

static int src_fail(struct lvs_error *err, const char *path, int code)
{
	err->code = code;
	snprintf(err->text, sizeof(err->text), "%.200s: %s", path, strerror(-code));
	return code;
}

/* As much as there is, up to a chunk. */
static ssize_t read_chunk(int fd, u8 *buf, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = read(fd, buf + got, len - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

/* Where the next data are; the end when there are none. */
static u64 skip_hole(const struct import *im, u64 off)
{
	off_t r = im->seekable ? lseek(im->fd, (off_t)off, SEEK_DATA) : (off_t)off;

	if (r < 0)
		return errno == ENXIO ? im->len : off;
	r -= r % CHUNK;		/* whole clusters are cheaper */
	return (u64)r > off ? (u64)r : off;
}

static int copy_in(struct import *im, struct lvw_vol *v, struct lvs_error *err)
{
	u64 off = 0;

	for (;;) {
		ssize_t n;
		int rc;

		off = skip_hole(im, off);
		if (im->seekable && lseek(im->fd, (off_t)off, SEEK_SET) < 0)
			return src_fail(err, im->path, -errno);
		n = read_chunk(im->fd, im->buf, CHUNK);
		if (n < 0)
			return src_fail(err, im->path, (int)n);
		if (!n)
			return 0;
		if ((u64)n > im->size - off) {
			err->code = -EFBIG;
			snprintf(err->text, sizeof(err->text), "%.200s: has more than %llu bytes",
				 im->path, (unsigned long long)im->size);
			return -EFBIG;
		}
		rc = lvw_pwrite(v, off, im->buf, (size_t)n, err);
		if (rc)
			return rc;
		off += (u64)n;
	}
}

/* Under another name until it is complete: an import that is killed leaves no half lvol. */
static int import_into(struct import *im, struct lvs_writer *w, const char *name,
		       const char *uuid, struct lvs_error *err)
{
	char text[YBD_UUID_TEXT_LEN], temp[64];
	struct lvw_vol_opts o = { .name = temp, .uuid = text };
	struct lvs_error undo;
	struct lvw_vol *v;
	u8 bytes[16];
	int rc = uuid ? ybd_uuid_parse(uuid, bytes) : ybd_uuid_random(bytes);

	if (rc)
		return src_fail(err, "uuid", rc);
	if (lvw_find(w, name)) {
		err->code = -EEXIST;
		snprintf(err->text, sizeof(err->text), "there is an lvol \"%s\" already", name);
		return -EEXIST;
	}
	snprintf(temp, sizeof(temp), "import-%s", ybd_uuid_text(bytes, text));
	rc = lvw_vol_create(w, &o, im->size, true, &v, err);
	if (rc)
		return rc;
	rc = copy_in(im, v, err);
	if (!rc)
		rc = im->ro ? lvw_vol_publish(v, name, err) : lvw_vol_rename(v, name, err);
	if (!rc)
		lvol_print(v);
	else
		lvw_vol_delete(v, &undo);
	return rc;
}

static int src_open(struct import *im, u64 size)
{
	struct stat st;

	im->fd = strcmp(im->path, "-") ? open(im->path, O_RDONLY | O_CLOEXEC) : dup(0);
	if (im->fd < 0 || fstat(im->fd, &st))
		return cmd_fail(-errno, "%s: %s", im->path, strerror(errno));
	if (S_ISREG(st.st_mode))
		im->len = (u64)st.st_size;
	else if (S_ISBLK(st.st_mode) && ioctl(im->fd, BLKGETSIZE64, &im->len))
		return cmd_fail(-errno, "%s: %s", im->path, strerror(errno));
	im->seekable = S_ISREG(st.st_mode) && strcmp(im->path, "-");
	if (!size && !im->len)
		return cmd_fail(-EINVAL, "%s: how large it is cannot be told, or it is empty (--size)",
				im->path);
	if (size && size < im->len)
		return cmd_fail(-EFBIG, "%s: has %llu bytes, --size are less", im->path,
				(unsigned long long)im->len);
	im->size = size ? size : im->len;
	im->buf = malloc(CHUNK);
	return im->buf ? CMD_OK : cmd_fail(-ENOMEM, "no memory");
}

/* The size of the lvol that is made is whole clusters, and so may be that of what comes in. */
static int import_run(struct import *im, char **argv, const char *uuid)
{
	struct lvs_writer *w;
	struct lvs_error err;
	int rc = store_open_write(argv[0], &w);

	if (rc)
		return rc;
	rc = import_into(im, w, argv[1], uuid, &err);
	return store_end(w, argv[0], rc, &err);
}

int lvol_import_run(const struct cmd *cmd, int argc, char **argv)
{
	struct import im = { .fd = -1 };
	const char *uuid = NULL;
	u64 size = 0;
	const struct opt opts[] = {
		OPT_SIZE("size", &size, "Size of the lvol; default that of the file."),
		OPT_STR("uuid", "UUID", &uuid, "Its uuid; default a random one."),
		OPT_FLAG("read-only", &im.ro, "Make it read-only, for images."),
		OPT_MORE(store_write_opts),
		OPT_END
	};
	int rc;

	cmd_parse(cmd, opts, argc, argv, 3, 3);
	lvol_check_names(argv[1], uuid);
	im.path = argv[2];
	rc = src_open(&im, size);
	if (!rc)
		rc = import_run(&im, argv, uuid);
	if (im.fd >= 0)
		close(im.fd);
	free(im.buf);
	return rc;
}
