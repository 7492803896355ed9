/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a store's bytes come from: a file descriptor (O_DIRECT through an aligned buffer), memory,
 * or, for tests, a function. No other file of the reader does I/O.
 */
#ifndef YBD_LVSTORE_IO_H
#define YBD_LVSTORE_IO_H

#include "../types.h"

#define LVS_IO_ALIGN	4096u		/* of offsets, lengths and buffers under O_DIRECT */

/* Most bytes of one read: a multiple of the largest md page. The fuzzer has a smaller one. */
#ifndef LVS_IO_CHUNK
#define LVS_IO_CHUNK	(1024u * 1024u)
#endif

struct lvs_io;

/**
 * struct lvs_io_ops - a kind of source
 * @read: read @len bytes at @off, all inside [0, size); 0 or a negative errno
 * @next_data: the first offset from @off on that may be non-zero, or the size; may be NULL
 * @close: free what belongs to the source, not the lvs_io; may be NULL
 */
struct lvs_io_ops {
	int (*read)(struct lvs_io *io, u64 off, void *buf, size_t len);
	u64 (*next_data)(struct lvs_io *io, u64 off);
	void (*close)(struct lvs_io *io);
};

/**
 * struct lvs_io - a readable range of bytes [0, size)
 * @ops: its kind
 * @size: bytes
 * @fd: own file descriptor, or -1
 * @direct: @fd has O_DIRECT
 * @regular: @fd is a regular file: it may have holes
 * @bounce: LVS_IO_CHUNK bytes, aligned
 * @priv: memory, or a test's own
 */
struct lvs_io {
	const struct lvs_io_ops *ops;
	u64 size;
	int fd;
	bool direct;
	bool regular;
	u8 *bounce;
	void *priv;
};

/**
 * lvs_io_open_fd() - read through a file descriptor
 * @fd: block device or regular file, open for reading; the caller's
 * @out: the source; close with lvs_io_close()
 *
 * Return: 0, -EINVAL for another kind of file, -EBADF when @fd is not open for reading, or the
 * error of the call that failed.
 */
int lvs_io_open_fd(int fd, struct lvs_io **out);

/* Read from @len bytes at @mem, which stay the caller's. 0 or -ENOMEM. */
int lvs_io_open_mem(const void *mem, size_t len, struct lvs_io **out);

/* Read through @ops; @priv is for them. 0 or -ENOMEM. */
int lvs_io_open_ops(const struct lvs_io_ops *ops, u64 size, void *priv, struct lvs_io **out);

void lvs_io_close(struct lvs_io *io);

/* Read [off, off + len) into @buf. 0; -ERANGE when it is not inside the source; an I/O error. */
int lvs_io_read(struct lvs_io *io, u64 off, void *buf, size_t len);

/* The first offset from @off on that may hold non-zero bytes, or the size. */
u64 lvs_io_next_data(struct lvs_io *io, u64 off);

/* The same for a regular file of @size bytes. */
u64 lvs_file_next_data(int fd, u64 size, u64 off);

/* @len bytes aligned for O_DIRECT; free with free(3). */
void *lvs_io_alloc(size_t len);

#endif
