/* SPDX-License-Identifier: GPL-2.0-only */
/* A pool_io over memory, which can note what is written to it. */
#ifndef YBD_TEST_POOL_DISK_H
#define YBD_TEST_POOL_DISK_H

#include "pool/pool.h"

#define DISK_WRITES 512

/**
 * struct disk_write - one write
 * @block: where
 * @nr: blocks
 * @data: what; NULL for a flush
 * @fua: durable when it is complete
 */
struct disk_write {
	u64 block;
	u32 nr;
	u8 *data;
	bool fua;
};

/**
 * struct disk - memory as a device
 * @mem: its bytes
 * @blocks: size
 * @bad: a block that cannot be read; 0 for none
 * @record: note writes
 * @w: writes
 * @nr: how many
 */
struct disk {
	u8 *mem;
	u64 blocks;
	u64 bad;
	bool record;
	struct disk_write w[DISK_WRITES];
	u32 nr;
};

struct pool_io *disk_open(struct disk *d, bool writable);
/* Forget the writes. */
void disk_forget(struct disk *d);

#endif
