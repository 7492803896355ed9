// SPDX-License-Identifier: GPL-2.0-only
/* Blocks of a device or a file; see io.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/ybd_format.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../fdio.h"
#include "io.h"

#define BYTES(blocks)	((u64)(blocks) << YBD_FMT_BLOCK_SHIFT)
#define ZERO_BLOCKS	256u	/* written at a time where zeroes have to be written */

void *pool_io_alloc(u32 nr)
{
	void *p = aligned_alloc(YBD_FMT_BLOCK_SIZE, BYTES(nr));

	if (p)
		memset(p, 0, BYTES(nr));
	return p;
}

/* ---- a file descriptor ---- */

/* A file system may take O_DIRECT at open and refuse it at the first access. */
static bool go_buffered(struct pool_io *io, int error)
{
	int fl = fcntl(io->fd, F_GETFL);

	if (error != -EINVAL || !io->direct || fl < 0 || fcntl(io->fd, F_SETFL, fl & ~O_DIRECT) < 0)
		return false;
	io->direct = false;
	return true;
}

static int fd_read(struct pool_io *io, u64 block, void *buf, u32 nr)
{
	int rc = pread_all(io->fd, buf, BYTES(nr), BYTES(block));

	return go_buffered(io, rc) ? pread_all(io->fd, buf, BYTES(nr), BYTES(block)) : rc;
}

static int write_all(struct pool_io *io, u64 off, const u8 *buf, size_t len, int flags)
{
	while (len) {
		struct iovec iov = { (void *)buf, len };
		ssize_t n = pwritev2(io->fd, &iov, 1, (off_t)off, flags);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		off += (u64)n;
		len -= (size_t)n;
	}
	return 0;
}

static int fd_flush(struct pool_io *io)
{
	return fdatasync(io->fd) ? -errno : 0;
}

static int fd_write(struct pool_io *io, u64 block, const void *buf, u32 nr, bool fua)
{
	int flags = fua ? RWF_DSYNC : 0;
	int rc = write_all(io, BYTES(block), buf, BYTES(nr), flags);

	if (go_buffered(io, rc))
		rc = write_all(io, BYTES(block), buf, BYTES(nr), flags);
	if (rc != -EOPNOTSUPP || !fua)
		return rc;
	rc = write_all(io, BYTES(block), buf, BYTES(nr), 0);
	return rc ? rc : fd_flush(io);
}

static int fd_discard(struct pool_io *io, u64 block, u64 nr)
{
	u64 range[2] = { BYTES(block), BYTES(nr) };
	int rc;

	if (io->regular)
		rc = fallocate(io->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)range[0],
			       (off_t)range[1]);
	else
		rc = ioctl(io->fd, BLKDISCARD, range);
	return rc ? -errno : 0;
}

static int write_zeroes(struct pool_io *io, u64 block, u64 nr)
{
	void *buf = pool_io_alloc(ZERO_BLOCKS);
	int rc = buf ? 0 : -ENOMEM;

	while (!rc && nr) {
		u32 n = nr < ZERO_BLOCKS ? (u32)nr : ZERO_BLOCKS;

		rc = fd_write(io, block, buf, n, false);
		block += n;
		nr -= n;
	}
	free(buf);
	return rc;
}

static int fd_zero(struct pool_io *io, u64 block, u64 nr)
{
	u64 range[2] = { BYTES(block), BYTES(nr) };

	/* a hole reads as zeroes; a discarded block of a device need not */
	if (io->regular && !fd_discard(io, block, nr))
		return 0;
	if (!io->regular && !ioctl(io->fd, BLKZEROOUT, range))
		return 0;
	return write_zeroes(io, block, nr);
}

static int fd_extend(struct pool_io *io, u64 nr)
{
	if (!io->regular)
		return -EOPNOTSUPP;
	if (ftruncate(io->fd, (off_t)BYTES(nr)) || fsync(io->fd))
		return -errno;
	io->nr_blocks = nr;
	return 0;
}

static u64 fd_next_data(struct pool_io *io, u64 block)
{
	off_t r;

	if (!io->regular)
		return block;
	r = lseek(io->fd, (off_t)BYTES(block), SEEK_DATA);
	if (r < 0)
		return errno == ENXIO ? io->nr_blocks : block;
	r >>= YBD_FMT_BLOCK_SHIFT;
	return (u64)r < io->nr_blocks ? (u64)r : io->nr_blocks;
}

static void fd_close(struct pool_io *io)
{
	if (io->fd >= 0)
		close(io->fd);
}

static const struct pool_io_ops fd_ops = {
	.read = fd_read,
	.write = fd_write,
	.zero = fd_zero,
	.discard = fd_discard,
	.flush = fd_flush,
	.extend = fd_extend,
	.next_data = fd_next_data,
	.close = fd_close,
};

/* ---- opening one ---- */

/* A device is claimed by O_EXCL. One that is only read is taken as it is. */
static int open_device(struct pool_io *io, const char *path, enum pool_io_mode mode)
{
	int flags = (mode == POOL_IO_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_DIRECT;

	io->direct = true;
	io->fd = open(path, flags | (mode == POOL_IO_LOOK ? 0 : O_EXCL));
	if (io->fd < 0 && errno == EBUSY && mode == POOL_IO_CHECK) {
		io->busy = true;
		io->fd = open(path, flags);
	}
	if (io->fd < 0)
		return -errno;
	if (ioctl(io->fd, BLKGETSIZE64, &io->nr_blocks) < 0)
		return -errno;
	io->nr_blocks >>= YBD_FMT_BLOCK_SHIFT;
	return 0;
}

static int open_file(struct pool_io *io, const char *path, enum pool_io_mode mode, u64 create)
{
	int flags = (mode == POOL_IO_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK;
	struct stat st;

	if (io->created)
		flags |= O_CREAT | O_EXCL;
	io->direct = true;
	io->regular = true;
	io->fd = open(path, flags | O_DIRECT, 0600);
	if (io->fd < 0 && errno == EINVAL) {
		io->direct = false;
		/* some file systems make the file before they refuse */
		io->fd = open(path, flags & ~O_EXCL, 0600);
	}
	if (io->fd < 0)
		return -errno;
	if (mode != POOL_IO_LOOK &&
	    flock(io->fd, (mode == POOL_IO_WRITE ? LOCK_EX : LOCK_SH) | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (io->created && ftruncate(io->fd, (off_t)create))
		return -errno;
	if (fstat(io->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	io->nr_blocks = (u64)st.st_size >> YBD_FMT_BLOCK_SHIFT;
	return 0;
}

static int open_path(struct pool_io *io, const char *path, enum pool_io_mode mode, u64 create,
		     struct ybd_error *err)
{
	struct stat st = { 0 };
	int rc = 0;

	if (stat(path, &st)) {
		rc = -errno;
		io->created = rc == -ENOENT && create;
	}
	if (!rc && !S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return ybd_error_set(err, -EINVAL, "neither a block device nor a plain file");
	if (!rc && S_ISBLK(st.st_mode))
		rc = open_device(io, path, mode);
	else if (!rc || io->created)
		rc = open_file(io, path, mode, create);
	if (rc == -EBUSY)
		return ybd_error_set(err, rc, "in use by somebody else");
	return rc ? ybd_error_sys(err, rc, "cannot be opened") : 0;
}

int pool_io_open(const char *path, enum pool_io_mode mode, u64 create, struct pool_io **out,
		 struct ybd_error *err)
{
	struct pool_io *io;
	int rc = pool_io_open_ops(&fd_ops, 0, mode == POOL_IO_WRITE, NULL, &io);

	if (rc)
		return ybd_error_sys(err, rc, "opening");
	rc = open_path(io, path, mode, create, err);
	if (rc) {
		pool_io_close(io);
		return rc;
	}
	*out = io;
	return 0;
}

int pool_io_open_ops(const struct pool_io_ops *ops, u64 nr_blocks, bool writable, void *priv,
		     struct pool_io **out)
{
	struct pool_io *io = calloc(1, sizeof(*io));

	if (!io)
		return -ENOMEM;
	io->ops = ops;
	io->nr_blocks = nr_blocks;
	io->writable = writable;
	io->priv = priv;
	io->fd = -1;
	*out = io;
	return 0;
}

void pool_io_close(struct pool_io *io)
{
	if (!io)
		return;
	if (io->ops->close)
		io->ops->close(io);
	free(io);
}

/* ---- what the others call ---- */

static int check_range(const struct pool_io *io, u64 block, u64 nr)
{
	return block > io->nr_blocks || nr > io->nr_blocks - block ? -ERANGE : 0;
}

int pool_io_read(struct pool_io *io, u64 block, void *buf, u32 nr)
{
	int rc = check_range(io, block, nr);

	return rc || !nr ? rc : io->ops->read(io, block, buf, nr);
}

int pool_io_write(struct pool_io *io, u64 block, const void *buf, u32 nr, bool fua)
{
	int rc = check_range(io, block, nr);

	if (!io->writable)
		return -EROFS;
	return rc || !nr ? rc : io->ops->write(io, block, buf, nr, fua);
}

int pool_io_zero(struct pool_io *io, u64 block, u64 nr)
{
	int rc = check_range(io, block, nr);

	if (!io->writable)
		return -EROFS;
	return rc || !nr ? rc : io->ops->zero(io, block, nr);
}

int pool_io_flush(struct pool_io *io)
{
	return io->writable ? io->ops->flush(io) : -EROFS;
}

void pool_io_discard(struct pool_io *io, u64 block, u64 nr)
{
	if (io->writable && io->ops->discard && nr && !check_range(io, block, nr))
		io->ops->discard(io, block, nr);
}

int pool_io_extend(struct pool_io *io, u64 nr)
{
	if (nr <= io->nr_blocks)
		return 0;
	if (!io->writable)
		return -EROFS;
	return io->ops->extend ? io->ops->extend(io, nr) : -EOPNOTSUPP;
}

u64 pool_io_next_data(struct pool_io *io, u64 block)
{
	return io->ops->next_data ? io->ops->next_data(io, block) : block;
}
