/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Something that holds bytes and can be written at any place, such as an lvol of a store that is
 * being written. What was never written reads as zeros.
 */
#ifndef YBD_LIB_BYTESTORE_H
#define YBD_LIB_BYTESTORE_H

#include "error.h"
#include "types.h"

struct bytestore;

/**
 * struct bytestore_ops - a kind of store; all return 0 or a negative errno and fill @err of the
 *			  store when they fail
 * @read: all of @len bytes at @off
 * @write: all of @len bytes at @off
 * @zero: make @len bytes at @off read as zeros, giving back room where that is possible
 * @flush: what was written is there after a power cut
 */
struct bytestore_ops {
	int (*read)(struct bytestore *b, u64 off, void *buf, size_t len);
	int (*write)(struct bytestore *b, u64 off, const void *buf, size_t len);
	int (*zero)(struct bytestore *b, u64 off, u64 len);
	int (*flush)(struct bytestore *b);
};

/**
 * struct bytestore - a store
 * @ops: its kind
 * @size: bytes
 * @unit: bytes that it keeps as one, a power of two from 4096: what is written once is best kept
 *	  away from what is written again
 * @err: the first call that failed
 */
struct bytestore {
	const struct bytestore_ops *ops;
	u64 size;
	u32 unit;
	struct ybd_error err;
};

#endif
