// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "../fdio.h"
#include "ahead.h"

#define SLOTS		32u
#define EARLY_SLOTS	4u
#define SLOT_BYTES	(128u << 10)
/* Before it punches a hole a filesystem may write what is there: only when need be, not often. */
#define SPOOL_LOW	(64u << 20)
#define PUNCH_MIN	(4u << 20)
#define PUNCH_ALIGN	4096u

/**
 * struct ahead - pieces that wait: the older ones in a ring, the newer ones in the spool
 * @make: .
 * @arg: .
 * @thread: .
 * @back: a piece from the spool, the reader's
 * @spool: .
 * @gate: what is below is protected by its lock, but not the bytes in slots and spool
 * @own: the gate of a stream that shares none
 * @ticket: its place in the row
 * @early: nobody reads yet
 * @inside: it has one of the gate's places
 * @reading: the reader has one more piece of the ring
 * @ended: there are no more: 0 or -1 is what follows
 * @stop: nobody wants more
 * @last: what @make said at the end
 * @put: pieces that were put into the ring
 * @got: pieces of it that the reader has done with
 * @spool_end: nothing is written behind it; 0 after an error, too
 * @spool_put: where in the spool the thread goes on writing
 * @spool_got: where in it the reader goes on reading
 * @spool_freed: what is before this byte of it takes no room any more
 * @len: of each slot
 * @slot: those from @got to @put are the reader's, the others the thread's
 */
struct ahead {
	ssize_t (*make)(void *arg, const void **buf);
	void *arg;
	pthread_t thread;
	u8 *back;
	int spool;
	struct ahead_gate *gate;
	struct ahead_gate own;
	u64 ticket;
	bool early;
	bool inside;
	bool reading;
	bool ended;
	bool stop;
	ssize_t last;
	u64 put;
	u64 got;
	u64 spool_end;
	u64 spool_put;
	u64 spool_got;
	u64 spool_freed;
	size_t len[SLOTS];
	u8 slot[SLOTS][SLOT_BYTES];
};

/* ---- the gate ---- */

void ahead_gate_init(struct ahead_gate *g, unsigned int places, u64 spool)
{
	*g = (struct ahead_gate){ .places = places, .spool_left = spool };
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->moved, NULL);
}

void ahead_gate_destroy(struct ahead_gate *g)
{
	pthread_cond_destroy(&g->moved);
	pthread_mutex_destroy(&g->lock);
}

static void lock(struct ahead *a)
{
	pthread_mutex_lock(&a->gate->lock);
}

static void unlock(struct ahead *a)
{
	pthread_mutex_unlock(&a->gate->lock);
}

/* Something that others wait for has changed. */
static void unlock_moved(struct ahead *a)
{
	pthread_cond_broadcast(&a->gate->moved);
	unlock(a);
}

static void wait_moved(struct ahead *a)
{
	pthread_cond_wait(&a->gate->moved, &a->gate->lock);
}

/* Locked. A stream that is not early, or not any more, needs no place. */
static void gate_enter(struct ahead *a)
{
	struct ahead_gate *g = a->gate;

	while (a->early && !a->stop && (!g->places || g->serving < a->ticket))
		wait_moved(a);
	a->inside = a->early && !a->stop;
	g->places -= a->inside;
	/* who does not wait any more is not waited for */
	if (g->serving <= a->ticket)
		g->serving = a->ticket + 1;
}

/* Locked. */
static void gate_leave(struct ahead *a)
{
	a->gate->places += a->inside;
	a->inside = false;
}

/* ---- the thread ---- */

enum place { RING, SPOOL, NOWHERE };

/* Locked. Where does the next piece go? Waits for room; NOWHERE: nobody wants it. */
static enum place find_place(struct ahead *a, size_t len)
{
	while (!a->stop) {
		bool spooled = a->spool_put != a->spool_got;

		if (!spooled && a->put - a->got < (a->early ? EARLY_SLOTS : SLOTS))
			return RING;
		if ((spooled || a->early) && a->spool_put + len <= a->spool_end &&
		    a->gate->spool_left >= len) {
			a->gate->spool_left -= len;
			return SPOOL;
		}
		wait_moved(a);
	}
	return NOWHERE;
}

static void put_ring(struct ahead *a, const u8 *p, size_t len)
{
	memcpy(a->slot[a->put % SLOTS], p, len);
	a->len[a->put % SLOTS] = len;
	lock(a);
	a->put++;
	unlock_moved(a);
}

/* False: it could not be written, and there is no spool any more. */
static bool put_spool(struct ahead *a, const u8 *p, size_t len)
{
	bool good = !pwrite_all(a->spool, p, len, a->spool_put);

	lock(a);
	if (good) {
		a->spool_put += len;
	} else {
		a->spool_end = 0;
		a->gate->spool_left += len;
	}
	unlock_moved(a);
	return good;
}

static bool hand_over(struct ahead *a, const u8 *p, size_t len)
{
	while (len) {
		size_t n = len < SLOT_BYTES ? len : SLOT_BYTES;
		enum place place;

		lock(a);
		place = find_place(a, n);
		unlock(a);
		if (place == NOWHERE)
			return false;
		if (place == RING)
			put_ring(a, p, n);
		else if (!put_spool(a, p, n))
			continue;
		p += n;
		len -= n;
	}
	return true;
}

static void *run(void *arg)
{
	struct ahead *a = arg;
	const void *buf;
	bool wanted;
	ssize_t n = 0;

	lock(a);
	gate_enter(a);
	wanted = !a->stop;
	unlock_moved(a);
	while (wanted) {
		n = a->make(a->arg, &buf);
		wanted = n > 0 && hand_over(a, buf, (size_t)n);
	}
	lock(a);
	gate_leave(a);
	a->ended = true;
	a->last = n > 0 ? 0 : n;
	unlock_moved(a);
	return NULL;
}

/* ---- who reads ---- */

static void ahead_free(struct ahead *a)
{
	if (a->spool >= 0) {
		close(a->spool);
		lock(a);
		a->gate->spool_left += a->spool_put - a->spool_freed;
		unlock_moved(a);
	}
	ahead_gate_destroy(&a->own);
	free(a->back);
	free(a);
}

/* Locked. */
static void become_early(struct ahead *a, const struct ahead_how *how)
{
	a->early = true;
	a->ticket = a->gate->tickets++;
	a->spool = how->spool;
	a->back = a->spool < 0 ? NULL : malloc(SLOT_BYTES);
	a->spool_end = a->back ? how->spool_end : 0;
}

struct ahead *ahead_start(ssize_t (*make)(void *arg, const void **buf), void *arg,
			  const struct ahead_how *how)
{
	struct ahead *a = malloc(sizeof(*a));

	if (!a) {
		if (how && how->spool >= 0)
			close(how->spool);
		return NULL;
	}
	/* not the slots, which take no memory before they are used */
	memset(a, 0, offsetof(struct ahead, slot));
	a->make = make;
	a->arg = arg;
	a->spool = -1;
	ahead_gate_init(&a->own, 1, 0);
	a->gate = how ? how->gate : &a->own;
	lock(a);
	if (how)
		become_early(a, how);
	unlock(a);
	if (!pthread_create(&a->thread, NULL, run, a))
		return a;
	/* nobody waits for a ticket that nobody has */
	lock(a);
	a->gate->tickets -= a->early;
	unlock(a);
	ahead_free(a);
	return NULL;
}

/* Locked. The reader has done with what it had, and its turn has come if it had not. */
static void move_on(struct ahead *a)
{
	if (a->early) {
		a->early = false;
		gate_leave(a);
	}
	if (a->reading)
		a->got++;
	a->reading = false;
}

/* What was read of the spool goes, when there is not much room for more. */
static void free_spool(struct ahead *a)
{
	u64 from = a->spool_freed, end = a->spool_got & ~(u64)(PUNCH_ALIGN - 1);
	bool low;

	lock(a);
	low = a->gate->spool_left < SPOOL_LOW;
	unlock(a);
	if (!low || end < from + PUNCH_MIN ||
	    fallocate(a->spool, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
		      (off_t)(end - from)))
		return;
	a->spool_freed = end;
	lock(a);
	a->gate->spool_left += end - from;
	unlock_moved(a);
}

static ssize_t get_spool(struct ahead *a, u64 spooled, const void **buf, int *err)
{
	size_t len = spooled < SLOT_BYTES ? (size_t)spooled : SLOT_BYTES;

	*err = pread_all(a->spool, a->back, len, a->spool_got);
	if (*err)
		return AHEAD_NO_SPOOL;
	lock(a);
	a->spool_got += len;
	unlock_moved(a);
	free_spool(a);
	*buf = a->back;
	return (ssize_t)len;
}

ssize_t ahead_next(struct ahead *a, const void **buf, int *err)
{
	u64 spooled = 0;
	ssize_t n = 0;

	*err = 0;
	lock(a);
	move_on(a);
	pthread_cond_broadcast(&a->gate->moved);
	while (a->put == a->got && a->spool_put == a->spool_got && !a->ended)
		wait_moved(a);
	if (a->put != a->got) {
		a->reading = true;
		*buf = a->slot[a->got % SLOTS];
		n = (ssize_t)a->len[a->got % SLOTS];
	} else {
		spooled = a->spool_put - a->spool_got;
		n = a->last;
	}
	unlock(a);
	return spooled ? get_spool(a, spooled, buf, err) : n;
}

void ahead_stop(struct ahead *a)
{
	if (!a)
		return;
	lock(a);
	a->stop = true;
	unlock_moved(a);
	pthread_join(a->thread, NULL);
	ahead_free(a);
}
