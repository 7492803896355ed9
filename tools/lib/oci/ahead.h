/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stream that is made by a thread of its own, ahead of who reads it. What it makes is the same as
 * without the thread.
 *
 * A stream that is read at once is at most 4 MiB ahead. One that is started long before, an early
 * one, goes on into a file without a name, its spool, with half a MiB in memory. A gate lets a few
 * early ones run at a time, in the order in which they were started.
 */
#ifndef YBD_OCI_AHEAD_H
#define YBD_OCI_AHEAD_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "../types.h"

struct ahead;

/**
 * struct ahead_gate - what early streams share
 * @lock: protects what is below, and what the streams say it does; no other lock is taken
 * @moved: something of that has changed
 * @places: streams that may still enter
 * @tickets: streams that were started
 * @serving: the stream that enters next
 * @spool_left: bytes that may still be put into their spools
 */
struct ahead_gate {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned int places;
	u64 tickets;
	u64 serving;
	u64 spool_left;
};

/* Let @places streams run at a time, with @spool bytes in all spools together. */
void ahead_gate_init(struct ahead_gate *g, unsigned int places, u64 spool);
void ahead_gate_destroy(struct ahead_gate *g);

/**
 * struct ahead_how - of an early stream
 * @gate: lives longer than the stream
 * @spool: a file, empty, which becomes the stream's; -1: none
 * @spool_end: nothing is written behind this byte of it
 */
struct ahead_how {
	struct ahead_gate *gate;
	int spool;
	u64 spool_end;
};

#define AHEAD_NO_SPOOL (-2)

/**
 * ahead_start() - begin
 * @make: gives the next piece, valid until it is called again, and its length; 0 at the end, -1;
 *	  not called again after these
 * @arg: for it; nobody else may touch it until ahead_stop() or the end has been read
 * @how: of an early stream, whose turn comes with the first ahead_next(); NULL: it is read at once
 *
 * Return: NULL when there is no memory or no thread; the spool is closed then too.
 */
struct ahead *ahead_start(ssize_t (*make)(void *arg, const void **buf), void *arg,
			  const struct ahead_how *how);

/*
 * The next piece, valid until the next call: its length, 0 at the end, -1, or AHEAD_NO_SPOOL when
 * the spool cannot be read: @err is a negative errno then, and there is no going on.
 */
ssize_t ahead_next(struct ahead *a, const void **buf, int *err);

/* What was made and not read is lost. NULL is fine. */
void ahead_stop(struct ahead *a);

#endif
