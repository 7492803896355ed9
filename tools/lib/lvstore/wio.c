// SPDX-License-Identifier: GPL-2.0-only
/* Bytes of a device or a file that is written; see wio.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../fdio.h"
#include "io.h"
#include "wio.h"

#define LOCK_WAIT_MS	3000
#define ZERO_CHUNK	(256u * 1024)	/* written at a time where zeros have to be written */

/* ---- a file descriptor ---- */

static int fd_read(struct wio *io, u64 off, void *buf, size_t len)
{
	return pread_all(io->fd, buf, len, off);
}

static int fd_write(struct wio *io, u64 off, const void *buf, size_t len)
{
	return pwrite_all(io->fd, buf, len, off);
}

static int write_zeros(struct wio *io, u64 off, u64 len)
{
	void *buf = calloc(1, ZERO_CHUNK);
	int rc = buf ? 0 : -ENOMEM;

	while (!rc && len) {
		size_t n = len < ZERO_CHUNK ? (size_t)len : ZERO_CHUNK;

		rc = fd_write(io, off, buf, n);
		off += n;
		len -= n;
	}
	free(buf);
	return rc;
}

/* On a block device too, a hole made by fallocate() is one that reads as zeros. */
static int fd_zero(struct wio *io, u64 off, u64 len)
{
	static const int modes[] = { FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE };

	for (int i = 0; i < 2; i++)
		if (!fallocate(io->fd, modes[i] | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len))
			return 0;
	return write_zeros(io, off, len);
}

static int fd_sync(struct wio *io)
{
	return fdatasync(io->fd) ? -errno : 0;
}

static int fd_extend(struct wio *io, u64 size)
{
	if (!io->regular)
		return -EOPNOTSUPP;
	if (ftruncate(io->fd, (off_t)size) || fsync(io->fd))
		return -errno;
	return 0;
}

static u64 fd_next_data(struct wio *io, u64 off)
{
	return io->regular ? lvs_file_next_data(io->fd, io->size, off) : off;
}

static void fd_close(struct wio *io)
{
	if (io->fd >= 0)
		close(io->fd);
}

static const struct wio_ops fd_ops = {
	.read = fd_read,
	.write = fd_write,
	.zero = fd_zero,
	.sync = fd_sync,
	.extend = fd_extend,
	.next_data = fd_next_data,
	.close = fd_close,
};

/* ---- opening one ---- */

static int device_size(struct wio *io)
{
	int block;

	if (ioctl(io->fd, BLKGETSIZE64, &io->size) < 0 || ioctl(io->fd, BLKSSZGET, &block) < 0)
		return -errno;
	io->block_size = (u32)block;
	return 0;
}

static int open_existing(struct wio *io, const char *path, unsigned int flags,
			 const struct stat *st)
{
	int mode = O_RDWR | O_CLOEXEC | O_NONBLOCK;

	if (!S_ISBLK(st->st_mode) && !S_ISREG(st->st_mode))
		return -EINVAL;
	io->regular = S_ISREG(st->st_mode);
	if (!io->regular && !(flags & WIO_SHARED))
		mode |= O_EXCL;
	io->fd = open(path, mode);
	return io->fd < 0 ? -errno : 0;
}

static int open_new(struct wio *io, const char *path)
{
	io->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (io->fd < 0)
		return -errno;
	io->created = true;
	io->regular = true;
	return 0;
}

/*
 * The lock on a device is against others that write to one in use as a source. udev holds one for a
 * moment after somebody has written to it: without waiting, one command after the other fails.
 */
static int lock(struct wio *io)
{
	const struct timespec pause = { .tv_nsec = 20000000 };

	for (int ms = 0; flock(io->fd, LOCK_EX | LOCK_NB); ms += 20) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (io->regular || ms >= LOCK_WAIT_MS)
			return -EBUSY;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int lock_and_size(struct wio *io)
{
	struct stat st;
	int rc = lock(io);

	if (rc)
		return rc;
	/* another host may have written: what the cache holds is not to be trusted */
	posix_fadvise(io->fd, 0, 0, POSIX_FADV_DONTNEED);
	if (!io->regular)
		return device_size(io);
	if (fstat(io->fd, &st))
		return -errno;
	io->size = (u64)st.st_size;
	return 0;
}

int wio_open(const char *path, unsigned int flags, struct wio **out)
{
	struct stat st;
	struct wio *io;
	int rc;

	rc = wio_open_ops(&fd_ops, 0, NULL, &io);
	if (rc)
		return rc;
	rc = stat(path, &st) ? -errno : 0;
	if (rc == -ENOENT && flags & WIO_CREATE)
		rc = open_new(io, path);
	else if (!rc)
		rc = open_existing(io, path, flags, &st);
	if (!rc)
		rc = lock_and_size(io);
	if (rc) {
		wio_close(io);
		return rc;
	}
	*out = io;
	return 0;
}

int wio_open_ops(const struct wio_ops *ops, u64 size, void *priv, struct wio **out)
{
	struct wio *io = calloc(1, sizeof(*io));

	if (!io)
		return -ENOMEM;
	io->ops = ops;
	io->size = size;
	io->block_size = 512;
	io->fd = -1;
	io->priv = priv;
	*out = io;
	return 0;
}

void wio_close(struct wio *io)
{
	if (!io)
		return;
	if (io->ops->close)
		io->ops->close(io);
	free(io);
}

/* ---- what the others call ---- */

static bool inside(const struct wio *io, u64 off, u64 len)
{
	return off <= io->size && len <= io->size - off;
}

int wio_read(struct wio *io, u64 off, void *buf, size_t len)
{
	if (!inside(io, off, len))
		return -ERANGE;
	return len ? io->ops->read(io, off, buf, len) : 0;
}

int wio_write(struct wio *io, u64 off, const void *buf, size_t len)
{
	if (!inside(io, off, len))
		return -ERANGE;
	return len ? io->ops->write(io, off, buf, len) : 0;
}

int wio_zero(struct wio *io, u64 off, u64 len)
{
	if (!inside(io, off, len))
		return -ERANGE;
	if (!len || wio_is_hole(io, off, len))
		return 0;
	return io->ops->zero(io, off, len);
}

int wio_sync(struct wio *io)
{
	return io->ops->sync(io);
}

int wio_extend(struct wio *io, u64 size)
{
	int rc = io->ops->extend ? io->ops->extend(io, size) : -EOPNOTSUPP;

	if (!rc)
		io->size = size;
	return rc;
}

u64 wio_next_data(struct wio *io, u64 off)
{
	return io->ops->next_data ? io->ops->next_data(io, off) : off;
}

bool wio_is_hole(struct wio *io, u64 off, u64 len)
{
	return wio_next_data(io, off) >= off + len;
}
