// SPDX-License-Identifier: GPL-2.0-only
/*
 * ybd-replug: verified reads while what they come from goes and comes back.
 *
 *	ybd-replug fill FILE BYTES [HOLES]
 *	ybd-replug read DEVICE...
 *
 * fill makes a file in which each 8 bytes follow from where they are. With HOLES
 * every other so many bytes are left out. read reads such devices at random, two
 * threads for each, until stdin ends, and says of each device how many reads it
 * did, how many failed, how many were wrong, how long the longest took, and in what
 * time half, 99% and 99.9% were done (to a factor of two). What
 * can be written is now and then written with what it has already: pieces of less
 * than a block, so that something has to be read for it. YBD_PACE=N leaves N times
 * as long between two reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <linux/fs.h>

#define MAX_LEN		(256U << 10)
#define THREADS		2U
#define BUCKETS		48U

/**
 * struct dev - a device that is read
 * @path: where
 * @size: bytes
 * @block: logical block size
 * @rw: it can be written
 * @reads: done
 * @writes: done
 * @errors: reads and writes that failed
 * @wrong: reads that gave something else
 * @longest: nanoseconds
 * @took: reads that took less than 2^i nanoseconds, and not less than half of that
 */
struct dev {
	const char *path;
	uint64_t size;
	unsigned int block;
	bool rw;
	atomic_ulong reads;
	atomic_ulong writes;
	atomic_ulong errors;
	atomic_ulong wrong;
	atomic_ullong longest;
	atomic_ulong took[BUCKETS];
};

static atomic_bool over;
/* microseconds between two reads of a thread: the guest has other things to do */
static unsigned int pace;

static uint64_t word_at(uint64_t off)
{
	uint64_t x = off * 0x9e3779b97f4a7c15ULL + 1;

	x ^= x >> 29;
	return x * 0xbf58476d1ce4e5b9ULL;
}

static void fill(uint64_t *buf, uint64_t off, size_t len)
{
	size_t i;

	for (i = 0; i < len / 8; i++)
		buf[i] = word_at(off + i * 8);
}

static bool is_right(const uint64_t *buf, uint64_t off, size_t len)
{
	size_t i;

	for (i = 0; i < len / 8; i++)
		if (buf[i] != word_at(off + i * 8))
			return false;
	return true;
}

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "ybd-replug: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void note_time(struct dev *d, uint64_t took)
{
	unsigned int i = took ? 64 - __builtin_clzll(took) : 0;
	unsigned long long was = d->longest;

	d->took[i < BUCKETS ? i : BUCKETS - 1]++;

	while (took > was && !atomic_compare_exchange_weak(&d->longest, &was, took))
		;
}

static void one_read(struct dev *d, int fd, void *buf, uint64_t r)
{
	size_t len = (1 + (r >> 40) % (MAX_LEN / d->block)) * d->block;
	uint64_t off, began = now();
	ssize_t got;

	/* most are small, as those of containers are */
	if (r & 7)
		len = 4096;
	off = (r >> 3) % ((d->size - len) / d->block + 1) * d->block;
	memset(buf, 0xee, len);
	got = pread(fd, buf, len, off);
	note_time(d, now() - began);
	d->reads++;
	if (got != (ssize_t)len) {
		if (!d->errors++)
			fprintf(stderr, "%s: read of %zu at %" PRIu64 ": %s\n", d->path,
				len, off, got < 0 ? strerror(errno) : "short");
	} else if (!is_right(buf, off, len) && !d->wrong++) {
		fprintf(stderr, "%s: read of %zu at %" PRIu64 ": wrong\n", d->path, len,
			off);
	}
}

/* In the first quarter, so that most of the rest is still read from below. */
static void one_write(struct dev *d, int fd, void *buf, uint64_t r)
{
	uint64_t off = r % (d->size / 4 / d->block) * d->block;

	fill(buf, off, d->block);
	d->writes++;
	if (pwrite(fd, buf, d->block, off) == (ssize_t)d->block)
		return;
	if (!d->errors++)
		fprintf(stderr, "%s: write at %" PRIu64 ": %s\n", d->path, off,
			strerror(errno));
}

static void *reader(void *arg)
{
	struct dev *d = arg;
	int fd = open(d->path, (d->rw ? O_RDWR : O_RDONLY) | O_DIRECT | O_CLOEXEC);
	uint64_t state = now() ^ (uintptr_t)&fd;
	void *buf;

	if (fd < 0)
		die(d->path);
	if (posix_memalign(&buf, 4096, MAX_LEN))
		die("memory");
	while (!over) {
		uint64_t r = next_random(&state);

		if (d->rw && !(r >> 58))
			one_write(d, fd, buf, r);
		else
			one_read(d, fd, buf, r);
		usleep(pace);
	}
	free(buf);
	close(fd);
	return NULL;
}

static void dev_open(struct dev *d, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ro = 1;

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &d->size) || ioctl(fd, BLKROGET, &ro) ||
	    ioctl(fd, BLKSSZGET, &d->block))
		die(path);
	close(fd);
	d->path = path;
	d->rw = !ro;
}

/* In what time @part of 1000 reads were done: microseconds, the end of a bucket. */
static unsigned long long percentile(const struct dev *d, unsigned int part)
{
	unsigned long sum = 0;
	unsigned int i;

	for (i = 0; i < BUCKETS; i++) {
		sum += d->took[i];
		if (sum * 1000 >= d->reads * part)
			break;
	}
	return (1ULL << i) / 1000;
}

static void report(const struct dev *d)
{
	printf("%s reads %lu writes %lu errors %lu wrong %lu longest %llu ms half %llu us 99%% %llu us 99.9%% %llu us\n",
	       d->path, d->reads, d->writes, d->errors, d->wrong, d->longest / 1000000,
	       percentile(d, 500), percentile(d, 990), percentile(d, 999));
}

static int do_read(int n, char **path)
{
	const char *times = getenv("YBD_PACE");
	unsigned int slower = times ? strtoul(times, NULL, 10) : 1;
	struct dev *d = calloc(n, sizeof(*d));
	pthread_t *id = calloc(n * THREADS, sizeof(*id));
	char c;
	int i;

	if (!d || !id)
		die("memory");
	pace = (2000 + 3000 * n) * slower;
	for (i = 0; i < n; i++)
		dev_open(&d[i], path[i]);
	for (i = 0; i < n * (int)THREADS; i++)
		if (pthread_create(&id[i], NULL, reader, &d[i / THREADS]))
			die("thread");
	printf("reading\n");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	over = true;
	for (i = 0; i < n * (int)THREADS; i++)
		pthread_join(id[i], NULL);
	for (i = 0; i < n; i++)
		report(&d[i]);
	return 0;
}

static int do_fill(const char *path, uint64_t size, uint64_t holes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	static uint64_t buf[512];
	uint64_t off;

	if (fd < 0 || ftruncate(fd, size))
		die(path);
	for (off = 0; off < size; off += sizeof(buf)) {
		if (holes && off / holes % 2)
			continue;
		fill(buf, off, sizeof(buf));
		if (pwrite(fd, buf, sizeof(buf), off) != (ssize_t)sizeof(buf))
			die(path);
	}
	if (close(fd))
		die(path);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && !strcmp(argv[1], "fill"))
		return do_fill(argv[2], strtoull(argv[3], NULL, 0),
			       argc > 4 ? strtoull(argv[4], NULL, 0) : 0);
	if (argc >= 3 && !strcmp(argv[1], "read"))
		return do_read(argc - 2, argv + 2);
	fprintf(stderr, "usage: ybd-replug fill FILE BYTES [HOLES] | read DEVICE...\n");
	return 2;
}
