/* SPDX-License-Identifier: GPL-2.0-only */
/* Abuse of the control path; the parts of ybd-nlfuzz. */
#ifndef YBD_NLFUZZ_H
#define YBD_NLFUZZ_H

#include "../unit/ktap.h"
#include "nl_raw.h"
#include "nl_state.h"

#define MIB		(1024u * 1024)
#define MAX_DISKS	4

/**
 * struct fuzz - what all parts share
 * @n: a socket
 * @disk: paths of @nr_disks block devices, the last with blocks of 4096
 * @fd: the same, open for reading
 * @rng: of the random parts
 * @messages: how many of them
 * @pool: path of a block device with an empty pool called "fuzz", or NULL
 */
struct fuzz {
	struct nlr n;
	const char *disk[MAX_DISKS];
	int fd[MAX_DISKS];
	unsigned int nr_disks;
	struct rng rng;
	unsigned int messages;
	const char *pool;
};

extern const struct ybd_map_extent good_map[2];

/* Two images and two devices that others stand on. */
void fuzz_setup(struct fuzz *f);
void fuzz_teardown(struct fuzz *f);

void test_requests(struct fuzz *f);
void test_pool(struct fuzz *f);
void test_permissions(struct fuzz *f);
void test_dumps(struct fuzz *f);
void test_events(struct fuzz *f);
void test_random(struct fuzz *f);
void test_pair(struct fuzz *f);

#endif
