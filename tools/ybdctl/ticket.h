/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Many runs that each do all there is to do, such as one for each event: one at
 * a time, and only as many as are needed. A run that was waiting while another
 * began and ended has nothing left to do, as what it was called for was there
 * to be seen. A hundred at once come to two or three.
 */
#ifndef YBDCTL_TICKET_H
#define YBDCTL_TICKET_H

#include "error.h"

/**
 * struct ticket - a place in the queue
 * @fd: the file with the numbers, and the locks
 * @mine: number of this run
 * @covers: the last run whose work this one does
 */
struct ticket {
	int fd;
	u64 mine;
	u64 covers;
};

/**
 * ticket_wait() - wait for the turn
 * @t: to be ended by ticket_done() or ticket_drop()
 * @dir: directory of the file, made when it is not there
 * @err: why not
 *
 * A run that is killed lets the next one go on, which does its work.
 *
 * Return: 1 when the work is to be done; 0 when another run has done it, and
 * nothing is to be released; a negative errno.
 */
int ticket_wait(struct ticket *t, const char *dir, struct ybd_error *err);
/* The work is done. */
void ticket_done(struct ticket *t);
/* It is not: the next one does it. */
void ticket_drop(struct ticket *t);

#endif
