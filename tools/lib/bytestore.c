// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <unistd.h>

#include "bytestore.h"

static int file_fd(struct bytestore *b)
{
	return ((struct bytestore_file *)b)->fd;
}

static int file_read(struct bytestore *b, u64 off, void *buf, size_t len)
{
	u8 *p = buf;

	while (len) {
		ssize_t n = pread(file_fd(b), p, len, (off_t)off);

		if (n <= 0)
			return ybd_error_sys(&b->err, n ? -errno : -EIO, "reading at byte %llu",
					     (unsigned long long)off);
		p += n;
		off += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int file_write(struct bytestore *b, u64 off, const void *buf, size_t len)
{
	const u8 *p = buf;

	while (len) {
		ssize_t n = pwrite(file_fd(b), p, len, (off_t)off);

		if (n < 0)
			return ybd_error_sys(&b->err, -errno, "writing at byte %llu",
					     (unsigned long long)off);
		p += n;
		off += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int file_zero(struct bytestore *b, u64 off, u64 len)
{
	if (fallocate(file_fd(b), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
		      (off_t)len))
		return ybd_error_sys(&b->err, -errno, "punching a hole at byte %llu",
				     (unsigned long long)off);
	return 0;
}

static int file_flush(struct bytestore *b)
{
	return fdatasync(file_fd(b)) ? ybd_error_sys(&b->err, -errno, "flushing") : 0;
}

void bytestore_file_init(struct bytestore_file *f, int fd, u64 size, u32 unit)
{
	static const struct bytestore_ops ops = {
		.read = file_read,
		.write = file_write,
		.zero = file_zero,
		.flush = file_flush,
	};

	memset(f, 0, sizeof(*f));
	f->b.ops = &ops;
	f->b.size = size;
	f->b.unit = unit;
	f->fd = fd;
}
