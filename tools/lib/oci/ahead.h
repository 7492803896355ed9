/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stream that is made by a thread of its own, some MiB ahead of who reads it. What it makes is
 * the same as without the thread.
 */
#ifndef YBD_OCI_AHEAD_H
#define YBD_OCI_AHEAD_H

#include <sys/types.h>

struct ahead;

/**
 * ahead_start() - begin
 * @make: gives the next piece, valid until it is called again, and its length; 0 at the end, -1;
 *	  not called again after these
 * @arg: for it; nobody else may touch it until ahead_stop() or the end has been read
 *
 * Return: NULL when there is no memory or no thread.
 */
struct ahead *ahead_start(ssize_t (*make)(void *arg, const void **buf), void *arg);

/* The next piece, valid until the next call: its length, 0 at the end, -1. */
ssize_t ahead_next(struct ahead *a, const void **buf);

/* What was made and not read is lost. NULL is fine. */
void ahead_stop(struct ahead *a);

#endif
