/* SPDX-License-Identifier: GPL-2.0-only */
/* The ways an operation of the model checker can take into the kernel. */
#ifndef YBD_MODEL_IO_H
#define YBD_MODEL_IO_H

#include <sys/uio.h>

#include "model_history.h"

#define MAX_IOV		4
#define MAX_DEPTH	8

enum engine {
	ENGINE_SYNC,	/* preadv2, pwritev2 */
	ENGINE_AIO,
	ENGINE_URING,
	NR_ENGINES,
};

extern const char *const engine_names[NR_ENGINES];

/**
 * struct job - an operation and its memory
 * @op: what it is
 * @iov: @nr_iov pieces of the buffer, for reads and writes
 * @rwf: flags of preadv2
 * @buf: the data, contiguous
 * @res: result: bytes, or negative errno
 */
struct job {
	struct op op;
	struct iovec iov[MAX_IOV];
	int nr_iov;
	int rwf;
	u8 *buf;
	long res;
};

struct engine_state;

/* NULL where the kernel does not have it. */
struct engine_state *engine_open(enum engine e, int fd);
void engine_close(struct engine_state *s);
/* Reads and writes: submit all of @jobs, then wait for all of them. */
void engine_run(struct engine_state *s, struct job *const *jobs, int nr);
/* Everything else. */
long job_ioctl(int fd, const struct job *job);

#endif
