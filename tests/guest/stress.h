/* SPDX-License-Identifier: GPL-2.0-only */
/* Lifetimes under stress; the parts of ybd-stress. */
#ifndef YBD_STRESS_H
#define YBD_STRESS_H

#include "../unit/ktap.h"
#include "nl_raw.h"
#include "nl_state.h"

#define MIB		(1024u * 1024)
#define IMAGE_SIZE	(32ULL * MIB)

/**
 * struct stress - what all parts share
 * @n: a socket
 * @fd: the source, open for reading: each sector begins with its number
 * @disk: its path
 * @pool: a disk with a pool, or NULL
 * @fs: a disk with an ext4 of IMAGE_SIZE, or NULL
 * @rng: of the random parts
 * @procs: processes of the race
 * @ops: operations of each
 * @devices: how many to make in a row
 */
struct stress {
	struct nlr n;
	const char *disk;
	int fd;
	const char *pool;
	const char *fs;
	struct rng rng;
	unsigned int procs;
	unsigned int ops;
	unsigned int devices;
};

/* An image of all of @fd; its name is taken. */
int load_whole(struct nlr *n, const char *name, int fd, u32 flags);
/* /dev/ybd@id; -errno. */
int open_device(u32 id, int flags);
/* Is this what the source has at @sector? */
bool right_data(const u8 *buf, u64 sector, u32 nr);
/* delete_module() without waiting: 0 or -errno. */
int unload_module(void);
int load_module(void);
/* No device is left, soon. */
bool wait_gone(struct nlr *n);

void test_race(struct stress *s);
void test_forced(struct stress *s);

#endif
