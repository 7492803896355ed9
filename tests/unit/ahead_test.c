// SPDX-License-Identifier: GPL-2.0-only
/*
 * ahead_test [SEED [ROUNDS]]: streams that are made ahead of who reads them: early or not, with a
 * spool that is large, small, missing, or fails; read, read in part, or not at all. What is read is
 * what was made, and no more early streams are made at a time than the gate lets through.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ktap.h"
#include "oci/ahead.h"
#include "rng.h"

#define STREAMS		12
#define PIECE_MAX	(300u << 10)	/* more than a slot */

enum spool { GOOD, SMALL, NONE, READ_ONLY, WRITE_ONLY, NR_SPOOLS };

static const char *const spool_names[] = {
	"with a spool", "with a small spool", "without a spool",
	"with a spool that cannot be written", "with a spool that cannot be read",
};

/**
 * struct stream - one of them
 * @a: .
 * @no: its number: what it is made of
 * @len: of all of it
 * @made: bytes of it so far
 * @piece: pieces are at most so long
 * @pause: microseconds for a piece, at most
 * @error: it ends with -1
 * @early: .
 * @turn: it is being read, or was (count_lock)
 * @making: early, and a piece of it is being made (count_lock)
 * @spool: a copy of the descriptor of its spool; -1: there is none
 * @spool_end: .
 * @rng: for @make
 * @buf: the piece
 */
struct stream {
	struct ahead *a;
	unsigned int no;
	u64 len;
	u64 made;
	u32 piece;
	u32 pause;
	bool error;
	bool early;
	bool turn;
	bool making;
	int spool;
	u64 spool_end;
	u64 rng;
	u8 buf[PIECE_MAX];
};

static struct stream streams[STREAMS];
static unsigned int gate_size;
static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int most;	/* early streams that were made at a time before their turn */

static u8 byte_of(unsigned int no, u64 at)
{
	u64 z = (at / 8 + 1) * 0x9e3779b97f4a7c15ULL + no;

	return (u8)((z ^ z >> 29) >> (at % 8 * 8));
}

static u64 next(u64 *s)
{
	*s = *s * 6364136223846793005ULL + 1442695040888963407ULL;
	return *s >> 33;
}

static void set_making(struct stream *s, bool making)
{
	unsigned int n = 0;

	pthread_mutex_lock(&count_lock);
	s->making = making;
	for (int i = 0; i < STREAMS; i++)
		n += streams[i].making && !streams[i].turn;
	if (n > most)
		most = n;
	pthread_mutex_unlock(&count_lock);
}

static void set_turn(struct stream *s, bool turn)
{
	pthread_mutex_lock(&count_lock);
	s->turn = turn;
	pthread_mutex_unlock(&count_lock);
}

static ssize_t make(void *arg, const void **buf)
{
	struct stream *s = arg;
	u64 left = s->len - s->made, n = 1 + next(&s->rng) % s->piece;

	if (s->early)
		set_making(s, true);
	if (s->pause)
		usleep((useconds_t)(next(&s->rng) % s->pause));
	if (n > left)
		n = left;
	for (u64 i = 0; i < n; i++)
		s->buf[i] = byte_of(s->no, s->made + i);
	s->made += n;
	*buf = s->buf;
	if (s->early)
		set_making(s, false);
	return n ? (ssize_t)n : s->error ? -1 : 0;
}

#define SMALL_MAX	(3u << 20)

static int open_spool(enum spool kind, u64 *max)
{
	static const int mode[] = { O_RDWR, O_RDWR, 0, O_RDONLY, O_WRONLY };
	char path[] = "/tmp/ahead-XXXXXX";
	int fd, copy;

	*max = kind == SMALL ? 1 + below(SMALL_MAX) : 1u << 30;
	if (kind == NONE)
		return -1;
	fd = mkstemp(path);
	copy = open(path, mode[kind] | O_CLOEXEC);
	unlink(path);
	close(fd);
	return copy;
}

static void begin(struct stream *s, struct ahead_gate *gate, enum spool kind)
{
	struct ahead_how how = { .gate = gate };

	s->made = 0;
	s->rng = rnd();
	set_turn(s, !s->early);
	s->spool = -1;
	if (s->early) {
		how.spool = open_spool(kind, &how.spool_end);
		s->spool = how.spool < 0 ? -1 : dup(how.spool);
		s->spool_end = how.spool_end;
	}
	s->a = ahead_start(make, s, s->early ? &how : NULL);
	ktap_check(s->a, "no stream");
}

static void end(struct stream *s)
{
	struct stat st;

	ahead_stop(s->a);
	s->a = NULL;
	if (s->spool < 0)
		return;
	if (!fstat(s->spool, &st))
		ktap_check((u64)st.st_size <= s->spool_end, "%lld bytes are spooled, %" PRIu64 " may",
			   (long long)st.st_size, s->spool_end);
	close(s->spool);
	s->spool = -1;
}

static void start(struct stream *s, struct ahead_gate *gate, enum spool kind, bool small)
{
	s->no = (unsigned int)rnd();
	s->len = below(4) ? below(small ? 1u << 20 : 12u << 20) : 0;
	s->piece = 1 + (u32)below(PIECE_MAX);
	s->pause = below(3) ? 0 : 300;
	s->error = !below(6);
	s->early = below(8);
	begin(s, gate, kind);
}

/* Read all of it, or some. */
static void look(struct stream *s, enum spool kind, bool all)
{
	u64 at = 0, end = all ? UINT64_MAX : below(s->len);
	const u8 *p;
	ssize_t n;
	int err;

	if (below(3))
		usleep((useconds_t)below(2000));
	set_turn(s, true);
	while ((n = ahead_next(s->a, (const void **)&p, &err)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (p[i] == byte_of(s->no, at + (u64)i))
				continue;
			ktap_fail("byte %" PRIu64 " of %" PRIu64 " is wrong", at + (u64)i, s->len);
			return;
		}
		at += (u64)n;
		if (at >= end)
			return;
		if (!below(200))
			usleep((useconds_t)below(3000));
	}
	if (n == AHEAD_NO_SPOOL)
		ktap_check(kind == WRITE_ONLY && err == -EBADF, "the spool: %s", strerror(-err));
	else
		ktap_check(at == s->len && n == (s->error ? -1 : 0),
			   "%zd after %" PRIu64 " bytes of %" PRIu64, n, at, s->len);
}

static void round_of(enum spool kind, bool small)
{
	u64 spool = below(3) ? 1u << 30 : below(20u << 20);
	struct ahead_gate gate;

	gate_size = 1 + (unsigned int)below(3);
	most = 0;
	ahead_gate_init(&gate, gate_size, spool);
	for (int i = 0; i < STREAMS; i++)
		start(&streams[i], &gate, kind, small);
	for (int i = 0; i < STREAMS && !ktap.bad; i++) {
		if (below(6))
			look(&streams[i], kind, below(5));
		set_turn(&streams[i], true);
		end(&streams[i]);
	}
	for (int i = 0; i < STREAMS; i++)
		end(&streams[i]);
	ktap_check(gate.places == gate_size, "%u of %u are still in", gate_size - gate.places, gate_size);
	ktap_check(gate.spool_left == spool, "%" PRIu64 " bytes of spools are left, of %" PRIu64,
		   gate.spool_left, spool);
	ktap_check(most <= gate_size, "%u were made at a time, %u may", most, gate_size);
	ahead_gate_destroy(&gate);
}

static u64 bytes_spooled(const struct stream *s)
{
	struct stat st;

	return fstat(s->spool, &st) ? 0 : (u64)st.st_size;
}

static void begin_early(struct stream *s, struct ahead_gate *gate, enum spool kind)
{
	s->no = (unsigned int)rnd();
	s->len = 8u << 20;
	s->piece = 128u << 10;
	s->pause = 0;
	s->error = false;
	s->early = true;
	begin(s, gate, kind);
}

/* All are made though nobody reads: what the ring does not hold is in the spool in the end. */
static void test_unread(void)
{
	struct ahead_gate gate;

	ahead_gate_init(&gate, 1, 1u << 30);
	for (int i = 0; i < STREAMS; i++)
		begin_early(&streams[i], &gate, GOOD);
	for (int i = 0; i < STREAMS; i++) {
		/* for ever, when it never comes */
		while (bytes_spooled(&streams[i]) < 7u << 20)
			usleep(1000);
		look(&streams[i], GOOD, true);
		end(&streams[i]);
	}
	ahead_gate_destroy(&gate);
	ktap_done("streams that nobody reads yet are made, one after the other");
}

/* The first has filled its spool and waits; when it is read, the second does not wait for it. */
static void test_full(void)
{
	struct stream *a = &streams[0], *b = &streams[1];
	struct ahead_gate gate;
	const void *buf;
	int err;

	ahead_gate_init(&gate, 1, 1u << 30);
	begin_early(a, &gate, SMALL);
	begin_early(b, &gate, GOOD);
	while (bytes_spooled(a) + (128u << 10) <= a->spool_end)
		usleep(1000);
	set_turn(a, true);
	ktap_check(ahead_next(a->a, &buf, &err) > 0, "nothing is made");
	while (bytes_spooled(b) < 7u << 20)
		usleep(1000);
	end(a);
	look(b, GOOD, true);
	end(b);
	ahead_gate_destroy(&gate);
	ktap_done("one that waits for room while it is read does not keep the next one from being made");
}

int main(int argc, char **argv)
{
	unsigned int rounds;

	rng_state = argc > 1 ? strtoull(argv[1], NULL, 0) : (u64)time(NULL);
	rounds = argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 0) : 20;
	ktap_plan(NR_SPOOLS + 2);
	printf("# ahead_test %#" PRIx64 " %u\n", rng_state, rounds);
	for (enum spool kind = 0; kind < NR_SPOOLS; kind++) {
		for (unsigned int i = 0; i < rounds && !ktap.bad; i++)
			round_of(kind, i % 2);
		ktap_done("streams %s: %u rounds", spool_names[kind], rounds);
	}
	test_unread();
	test_full();
	return ktap_exit();
}
