/* SPDX-License-Identifier: GPL-2.0-only */
/* A disk in memory for the lvstore writer: it notes what is written, and fails when told. */
#ifndef YBD_TEST_LVSTORE_DISK_H
#define YBD_TEST_LVSTORE_DISK_H

#include "lvstore/writer.h"

#define SECTOR 512u

/**
 * struct disk_event - what was done to the disk
 * @off: first byte
 * @len: bytes; 0: a flush
 * @data: what was written; NULL: zeros
 */
struct disk_event {
	u64 off;
	size_t len;
	u8 *data;
};

/**
 * struct disk - a disk
 * @mem: its bytes
 * @len: how many
 * @limit: up to where it can be extended
 * @ev: what was done, while @record is set
 * @nr: how many
 * @cap: room
 * @record: note what is done
 * @fail_after: so many writes more succeed, then none; -1: all
 * @writes: how many there were
 * @flushes: how many there were
 */
struct disk {
	u8 *mem;
	size_t len;
	size_t limit;
	struct disk_event *ev;
	size_t nr, cap;
	bool record;
	long fail_after;
	unsigned long writes;
	unsigned long flushes;
};

void disk_init(struct disk *d, size_t len, size_t limit);
void disk_free(struct disk *d);
/* Forget the events. */
void disk_forget(struct disk *d);
struct wio *disk_wio(struct disk *d);
/* Do to @mem what an event did to the disk; of its sectors only those @keep says (NULL: all). */
void disk_apply(u8 *mem, const struct disk_event *e, bool (*keep)(u64 sector));
/* Open a store in @mem read-only. */
int disk_open_reader(const void *mem, size_t len, struct lvs_store **s, struct lvs_error *err);

#endif
