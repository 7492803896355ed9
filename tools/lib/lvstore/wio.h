/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a store is written to: a block device or a file, locked against other writers, or, for
 * tests, functions. No other file of the writer does I/O.
 */
#ifndef YBD_LVSTORE_WIO_H
#define YBD_LVSTORE_WIO_H

#include "../types.h"

struct wio;

/**
 * struct wio_ops - a kind of device; each function returns 0 or a negative errno
 * @read: read @len bytes at @off
 * @write: write them; durable after the next @sync
 * @zero: make a range read as zeros, without taking room where possible; durable after @sync
 * @sync: all that was written before is durable, before anything written later is
 * @extend: make it @size bytes long
 * @next_data: the first offset from @off on that may be other than zero, or the size; may be NULL
 * @close: free what belongs to the device, not the wio; may be NULL
 */
struct wio_ops {
	int (*read)(struct wio *io, u64 off, void *buf, size_t len);
	int (*write)(struct wio *io, u64 off, const void *buf, size_t len);
	int (*zero)(struct wio *io, u64 off, u64 len);
	int (*sync)(struct wio *io);
	int (*extend)(struct wio *io, u64 size);
	u64 (*next_data)(struct wio *io, u64 off);
	void (*close)(struct wio *io);
};

/**
 * struct wio - a writable range of bytes [0, size)
 * @ops: its kind
 * @size: bytes
 * @block_size: logical block size; 512 for a file
 * @fd: own file descriptor, or -1
 * @regular: @fd is a regular file
 * @created: the file did not exist
 * @priv: a test's own
 */
struct wio {
	const struct wio_ops *ops;
	u64 size;
	u32 block_size;
	int fd;
	bool regular;
	bool created;
	void *priv;
};

/**
 * enum wio_flags - how to open
 * @WIO_SHARED: do not claim a block device: the kernel uses it
 * @WIO_CREATE: make a file that does not exist
 */
enum wio_flags {
	WIO_SHARED = 1 << 0,
	WIO_CREATE = 1 << 1,
};

/**
 * wio_open() - open and lock
 * @path: block device or regular file
 * @flags: enum wio_flags
 * @out: the device; close with wio_close()
 *
 * Return: 0; -EBUSY when another program has it; -EINVAL for another kind of file; the error of
 * the call that failed.
 */
int wio_open(const char *path, unsigned int flags, struct wio **out);
/* Write through @ops; @priv is for them. 0 or -ENOMEM. */
int wio_open_ops(const struct wio_ops *ops, u64 size, void *priv, struct wio **out);
void wio_close(struct wio *io);

/* The operations, with their ranges checked: -ERANGE outside of the device. */
int wio_read(struct wio *io, u64 off, void *buf, size_t len);
int wio_write(struct wio *io, u64 off, const void *buf, size_t len);
int wio_zero(struct wio *io, u64 off, u64 len);
int wio_sync(struct wio *io);
int wio_extend(struct wio *io, u64 size);
u64 wio_next_data(struct wio *io, u64 off);
/* Is the range known to hold nothing but zeros, without reading it? */
bool wio_is_hole(struct wio *io, u64 off, u64 len);

#endif
