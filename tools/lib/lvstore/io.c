// SPDX-License-Identifier: GPL-2.0-only
/* Byte ranges of a device, a file or memory; see io.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"

void *lvs_io_alloc(size_t len)
{
	return aligned_alloc(LVS_IO_ALIGN, (len + LVS_IO_ALIGN - 1) & ~(size_t)(LVS_IO_ALIGN - 1));
}

/* Read until @want bytes are there; fewer than @need is -EIO (the file got shorter). */
static int pread_full(int fd, u8 *buf, size_t want, size_t need, u64 off)
{
	size_t got = 0;

	while (got < need) {
		ssize_t n = pread(fd, buf + got, want - got, (off_t)(off + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EIO;
		got += (size_t)n;
	}
	return 0;
}

/* A file system may take O_DIRECT at open and refuse it at the first read. */
static int fd_go_buffered(struct lvs_io *io)
{
	int fl = fcntl(io->fd, F_GETFL);

	if (!io->direct || fl < 0 || fcntl(io->fd, F_SETFL, fl & ~O_DIRECT) < 0)
		return -EINVAL;
	io->direct = false;
	return 0;
}

/* One piece of at most a chunk, rounded out to the alignment and read into the bounce buffer. */
static int fd_read_piece(struct lvs_io *io, u64 off, u8 *buf, size_t len)
{
	u64 a = off & ~(u64)(LVS_IO_ALIGN - 1);
	size_t skip = off - a;
	size_t want = (skip + len + LVS_IO_ALIGN - 1) & ~(size_t)(LVS_IO_ALIGN - 1);
	int rc = pread_full(io->fd, io->bounce, want, skip + len, a);

	if (!rc)
		memcpy(buf, io->bounce + skip, len);
	return rc;
}

static bool fd_aligned(const void *buf, u64 off, size_t len)
{
	return !(((uintptr_t)buf | off | len) & (LVS_IO_ALIGN - 1));
}

static int fd_read_direct(struct lvs_io *io, u64 off, u8 *buf, size_t len)
{
	while (len) {
		size_t room = LVS_IO_CHUNK - (off & (LVS_IO_ALIGN - 1));
		size_t n = len < room ? len : room;
		int rc;

		if (fd_aligned(buf, off, n))
			rc = pread_full(io->fd, buf, n, n, off);
		else
			rc = fd_read_piece(io, off, buf, n);
		if (rc)
			return rc;
		buf += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int fd_read(struct lvs_io *io, u64 off, void *buf, size_t len)
{
	int rc;

	if (io->direct) {
		rc = fd_read_direct(io, off, buf, len);
		if (rc != -EINVAL || fd_go_buffered(io))
			return rc;
	}
	/* another host may have written: what the cache holds is not to be trusted */
	posix_fadvise(io->fd, (off_t)off, (off_t)len, POSIX_FADV_DONTNEED);
	return pread_full(io->fd, buf, len, len, off);
}

u64 lvs_file_next_data(int fd, u64 size, u64 off)
{
	off_t r = lseek(fd, (off_t)off, SEEK_DATA);

	if (r < 0)
		return errno == ENXIO ? size : off;
	return (u64)r < size ? (u64)r : size;
}

static u64 fd_next_data(struct lvs_io *io, u64 off)
{
	return io->regular ? lvs_file_next_data(io->fd, io->size, off) : off;
}

static void fd_close(struct lvs_io *io)
{
	if (io->fd >= 0)
		close(io->fd);
}

static const struct lvs_io_ops fd_ops = {
	.read = fd_read,
	.next_data = fd_next_data,
	.close = fd_close,
};

/*
 * A file description of our own, so that O_DIRECT and the offset do not become the caller's. Where
 * /proc is missing, or forbids it, a duplicate serves without O_DIRECT.
 */
static int fd_reopen(struct lvs_io *io, int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	io->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC | O_NONBLOCK);
	io->direct = io->fd >= 0;
	if (io->fd < 0)
		io->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (io->fd < 0) {
		io->regular = false;	/* looking for holes would move the caller's offset */
		io->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	}
	return io->fd < 0 ? -errno : 0;
}

static int fd_size(int fd, const struct stat *st, u64 *size)
{
	if (S_ISREG(st->st_mode))
		*size = (u64)st->st_size;
	else if (!S_ISBLK(st->st_mode))
		return -EINVAL;
	else if (ioctl(fd, BLKGETSIZE64, size) < 0)
		return -errno;
	return 0;
}

int lvs_io_open_fd(int fd, struct lvs_io **out)
{
	struct lvs_io *io;
	struct stat st;
	u64 size;
	int rc, fl;

	fl = fcntl(fd, F_GETFL);
	if (fl < 0 || fstat(fd, &st) < 0)
		return -errno;
	if ((fl & O_ACCMODE) == O_WRONLY || (fl & O_PATH))
		return -EBADF;
	rc = fd_size(fd, &st, &size);
	if (rc)
		return rc;
	rc = lvs_io_open_ops(&fd_ops, size, NULL, &io);
	if (rc)
		return rc;
	io->regular = S_ISREG(st.st_mode);
	io->bounce = lvs_io_alloc(LVS_IO_CHUNK);
	rc = io->bounce ? fd_reopen(io, fd) : -ENOMEM;
	if (rc) {
		lvs_io_close(io);
		return rc;
	}
	*out = io;
	return 0;
}

static int mem_read(struct lvs_io *io, u64 off, void *buf, size_t len)
{
	memcpy(buf, (const u8 *)io->priv + off, len);
	return 0;
}

static const struct lvs_io_ops mem_ops = {
	.read = mem_read,
};

int lvs_io_open_mem(const void *mem, size_t len, struct lvs_io **out)
{
	return lvs_io_open_ops(&mem_ops, len, (void *)mem, out);
}

int lvs_io_open_ops(const struct lvs_io_ops *ops, u64 size, void *priv, struct lvs_io **out)
{
	struct lvs_io *io = calloc(1, sizeof(*io));

	if (!io)
		return -ENOMEM;
	io->ops = ops;
	io->size = size;
	io->priv = priv;
	io->fd = -1;
	*out = io;
	return 0;
}

void lvs_io_close(struct lvs_io *io)
{
	if (!io)
		return;
	if (io->ops->close)
		io->ops->close(io);
	free(io->bounce);
	free(io);
}

int lvs_io_read(struct lvs_io *io, u64 off, void *buf, size_t len)
{
	if (off > io->size || len > io->size - off)
		return -ERANGE;
	return len ? io->ops->read(io, off, buf, len) : 0;
}

u64 lvs_io_next_data(struct lvs_io *io, u64 off)
{
	return io->ops->next_data ? io->ops->next_data(io, off) : off;
}
