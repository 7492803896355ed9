// SPDX-License-Identifier: GPL-2.0-only
#include <pthread.h>
#include <stdlib.h>

#include "../types.h"
#include "ahead.h"

#define SLOTS		32u
#define SLOT_BYTES	(128u << 10)

/**
 * struct ahead - a ring of pieces
 * @make: .
 * @arg: .
 * @thread: .
 * @lock: protects all below but what is in the slots
 * @moved: @put, @got, @ended or @stop has changed
 * @put: pieces that were made
 * @got: pieces that the reader has done with
 * @reading: the reader has one more
 * @ended: there are no more: 0 or -1 is what follows
 * @stop: nobody wants more
 * @last: what @make said at the end
 * @len: of each slot
 * @slot: those from @got to @put are the reader's, the others the thread's
 */
struct ahead {
	ssize_t (*make)(void *arg, const void **buf);
	void *arg;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	u64 put;
	u64 got;
	bool reading;
	bool ended;
	bool stop;
	ssize_t last;
	size_t len[SLOTS];
	u8 slot[SLOTS][SLOT_BYTES];
};

/* Wait for room; false: nobody wants it. */
static bool wait_room(struct ahead *a)
{
	bool go;

	pthread_mutex_lock(&a->lock);
	while (!a->stop && a->put - a->got == SLOTS)
		pthread_cond_wait(&a->moved, &a->lock);
	go = !a->stop;
	pthread_mutex_unlock(&a->lock);
	return go;
}

static bool hand_over(struct ahead *a, const u8 *p, size_t len)
{
	while (len) {
		size_t n = len < SLOT_BYTES ? len : SLOT_BYTES;

		if (!wait_room(a))
			return false;
		memcpy(a->slot[a->put % SLOTS], p, n);
		a->len[a->put % SLOTS] = n;
		pthread_mutex_lock(&a->lock);
		a->put++;
		pthread_cond_signal(&a->moved);
		pthread_mutex_unlock(&a->lock);
		p += n;
		len -= n;
	}
	return true;
}

static void *run(void *arg)
{
	struct ahead *a = arg;
	const void *buf;
	ssize_t n;

	do {
		n = a->make(a->arg, &buf);
	} while (n > 0 && hand_over(a, buf, (size_t)n));
	pthread_mutex_lock(&a->lock);
	a->ended = true;
	a->last = n > 0 ? 0 : n;
	pthread_cond_signal(&a->moved);
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

struct ahead *ahead_start(ssize_t (*make)(void *arg, const void **buf), void *arg)
{
	struct ahead *a = malloc(sizeof(*a));

	if (!a)
		return NULL;
	/* not the slots, which take no memory before they are used */
	memset(a, 0, offsetof(struct ahead, slot));
	a->make = make;
	a->arg = arg;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->moved, NULL);
	if (!pthread_create(&a->thread, NULL, run, a))
		return a;
	pthread_cond_destroy(&a->moved);
	pthread_mutex_destroy(&a->lock);
	free(a);
	return NULL;
}

ssize_t ahead_next(struct ahead *a, const void **buf)
{
	ssize_t n;

	pthread_mutex_lock(&a->lock);
	if (a->reading) {
		a->got++;
		a->reading = false;
		pthread_cond_signal(&a->moved);
	}
	while (a->put == a->got && !a->ended)
		pthread_cond_wait(&a->moved, &a->lock);
	if (a->put == a->got) {
		n = a->last;
	} else {
		a->reading = true;
		*buf = a->slot[a->got % SLOTS];
		n = (ssize_t)a->len[a->got % SLOTS];
	}
	pthread_mutex_unlock(&a->lock);
	return n;
}

void ahead_stop(struct ahead *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_signal(&a->moved);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	pthread_cond_destroy(&a->moved);
	pthread_mutex_destroy(&a->lock);
	free(a);
}
