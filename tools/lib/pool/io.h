/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the blocks of a pool are: a block device or a plain file (O_DIRECT where there is such a
 * thing), or, for tests, functions. No other file here does I/O.
 */
#ifndef YBD_POOL_IO_H
#define YBD_POOL_IO_H

#include "../error.h"

struct pool_io;

/**
 * struct pool_io_ops - a kind of store; everything counts in blocks of YBD_FMT_BLOCK_SIZE
 * @read: read @nr blocks
 * @write: write @nr blocks; with @fua they are durable when it returns
 * @zero: make @nr blocks read as zeroes
 * @discard: the contents of @nr blocks do not matter any more; may be NULL
 * @flush: what was written is durable when it returns
 * @extend: become at least @nr blocks large; NULL where that cannot be
 * @next_data: the first block from @block on that may not be zeroes, or the size; may be NULL
 * @close: free what is the store's, not the pool_io; may be NULL
 *
 * All but @next_data return 0 or a negative errno. Ranges were checked, buffers are aligned.
 */
struct pool_io_ops {
	int (*read)(struct pool_io *io, u64 block, void *buf, u32 nr);
	int (*write)(struct pool_io *io, u64 block, const void *buf, u32 nr, bool fua);
	int (*zero)(struct pool_io *io, u64 block, u64 nr);
	int (*discard)(struct pool_io *io, u64 block, u64 nr);
	int (*flush)(struct pool_io *io);
	int (*extend)(struct pool_io *io, u64 nr);
	u64 (*next_data)(struct pool_io *io, u64 block);
	void (*close)(struct pool_io *io);
};

/**
 * struct pool_io - blocks [0, @nr_blocks)
 * @ops: their kind
 * @nr_blocks: how many
 * @fd: own file descriptor, or -1
 * @writable: opened for writing
 * @direct: @fd has O_DIRECT
 * @regular: @fd is a regular file
 * @busy: somebody else has claimed the device: what is read may change meanwhile
 * @created: the file was not there before
 * @priv: a test's own
 */
struct pool_io {
	const struct pool_io_ops *ops;
	u64 nr_blocks;
	int fd;
	bool writable;
	bool direct;
	bool regular;
	bool busy;
	bool created;
	void *priv;
};

/**
 * enum pool_io_mode - what a pool is opened for
 * @POOL_IO_LOOK: reading; whatever others do
 * @POOL_IO_CHECK: reading, while nobody writes: a file is locked (shared); a device that somebody
 *	has claimed is opened all the same, and @busy set
 * @POOL_IO_WRITE: writing: a device is claimed, a file locked
 */
enum pool_io_mode {
	POOL_IO_LOOK,
	POOL_IO_CHECK,
	POOL_IO_WRITE,
};

/**
 * pool_io_open() - open a block device or a file
 * @path: which
 * @mode: what for
 * @create: size in bytes of a file that is made (sparse) when it is not there; 0: it has to be
 * @out: close with pool_io_close()
 * @err: why not
 *
 * Return: 0; -EBUSY when somebody else has it; -EINVAL when it is something else; or the error of
 * the call that failed.
 */
int pool_io_open(const char *path, enum pool_io_mode mode, u64 create, struct pool_io **out,
		 struct ybd_error *err);

/* Through @ops; @priv is for them. 0 or -ENOMEM. */
int pool_io_open_ops(const struct pool_io_ops *ops, u64 nr_blocks, bool writable, void *priv,
		     struct pool_io **out);

void pool_io_close(struct pool_io *io);

/* 0; -ERANGE when it is not all inside; an I/O error. */
int pool_io_read(struct pool_io *io, u64 block, void *buf, u32 nr);
/* The same; -EROFS when it was not opened for writing. */
int pool_io_write(struct pool_io *io, u64 block, const void *buf, u32 nr, bool fua);
int pool_io_zero(struct pool_io *io, u64 block, u64 nr);
int pool_io_flush(struct pool_io *io);
/* Failing to discard is no failure. */
void pool_io_discard(struct pool_io *io, u64 block, u64 nr);
/* -EOPNOTSUPP for what cannot become larger. */
int pool_io_extend(struct pool_io *io, u64 nr);
/* The first block from @block on that may not be zeroes, or the size. */
u64 pool_io_next_data(struct pool_io *io, u64 block);

/* @nr blocks of zeroes, aligned; free with free(3). */
void *pool_io_alloc(u32 nr);

#endif
