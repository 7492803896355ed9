// SPDX-License-Identifier: GPL-2.0-only
/*
 * ybd-fsx: random operations on one file per process, compared with memory.
 *
 *	ybd-fsx DIR PROCESSES OPERATIONS SEED
 *
 * Reads and writes through the page cache, around it and through mappings,
 * changes of the length, holes and zeroed ranges, fsync, and dropping of the
 * cache, so that what is read back comes from the device.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define MAX_LEN		(3U << 20)
#define MAX_IO		(192U << 10)
#define BLOCK		4096U

/**
 * struct file - the one under test
 * @fd: through the page cache
 * @direct: around it
 * @size: its length
 * @want: its content; zero behind @size
 * @io: room for what is read or written
 * @op: number of the operation
 */
struct file {
	char path[256];
	int fd;
	int direct;
	u32 size;
	u8 *want;
	u8 *io;
	u64 op;
	struct rng rng;
};

#define fail(f, fmt, ...)						\
	die("%s: operation %" PRIu64 ": " fmt, (f)->path, (f)->op, ##__VA_ARGS__)

static void pick(struct file *f, u32 max, u32 *pos, u32 *len)
{
	*pos = rng_below(&f->rng, max);
	*len = 1 + rng_below(&f->rng, rng_chance(&f->rng, 70) ? 9000 : MAX_IO);
	if (*len > max - *pos)
		*len = max - *pos;
}

static void new_data(struct file *f, u32 len)
{
	u32 i;

	for (i = 0; i < len; i += 8)
		*(u64 *)(f->io + i) = rng_next(&f->rng);
}

static void compare(struct file *f, const u8 *got, u32 pos, u32 len, const char *how)
{
	u32 i;

	if (!memcmp(got, f->want + pos, len))
		return;
	for (i = 0; got[i] == f->want[pos + i]; i++)
		;
	fail(f, "%s of %u at %u: byte %u is %#x, not %#x", how, len, pos, pos + i, got[i],
	     f->want[pos + i]);
}

static void do_read(struct file *f)
{
	u32 pos, len;

	if (!f->size)
		return;
	pick(f, f->size, &pos, &len);
	if (pread(f->fd, f->io, len, pos) != (ssize_t)len)
		fail(f, "read: %m");
	compare(f, f->io, pos, len, "read");
}

static void grow(struct file *f, u32 end)
{
	if (end > f->size)
		f->size = end;
}

static void do_write(struct file *f)
{
	u32 pos, len;

	pick(f, MAX_LEN, &pos, &len);
	new_data(f, len);
	if (pwrite(f->fd, f->io, len, pos) != (ssize_t)len)
		fail(f, "write: %m");
	memcpy(f->want + pos, f->io, len);
	grow(f, pos + len);
}

static void do_direct(struct file *f)
{
	u32 pos, len;

	pick(f, MAX_LEN - BLOCK, &pos, &len);
	pos &= ~(BLOCK - 1);
	len = (len + BLOCK - 1) & ~(BLOCK - 1);
	if (rng_chance(&f->rng, 50)) {
		new_data(f, len);
		if (pwrite(f->direct, f->io, len, pos) != (ssize_t)len)
			fail(f, "direct write: %m");
		memcpy(f->want + pos, f->io, len);
		grow(f, pos + len);
	} else if (pos + len <= f->size) {
		if (pread(f->direct, f->io, len, pos) != (ssize_t)len)
			fail(f, "direct read: %m");
		compare(f, f->io, pos, len, "direct read");
	}
}

static void do_map(struct file *f)
{
	u32 pos, len, skip;
	bool write = rng_chance(&f->rng, 50);
	u8 *p;

	if (!f->size)
		return;
	pick(f, f->size, &pos, &len);
	skip = pos & (BLOCK - 1);
	p = mmap(NULL, len + skip, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, pos - skip);
	if (p == MAP_FAILED)
		fail(f, "mmap: %m");
	if (write) {
		new_data(f, len);
		memcpy(p + skip, f->io, len);
		memcpy(f->want + pos, f->io, len);
		if (rng_chance(&f->rng, 20) && msync(p, len + skip, MS_SYNC))
			fail(f, "msync: %m");
	} else {
		compare(f, p + skip, pos, len, "mapped read");
	}
	munmap(p, len + skip);
}

static void do_truncate(struct file *f)
{
	u32 size = rng_below(&f->rng, MAX_LEN);

	if (ftruncate(f->fd, size))
		fail(f, "truncate: %m");
	if (size < f->size)
		memset(f->want + size, 0, f->size - size);
	f->size = size;
}

static void do_fallocate(struct file *f)
{
	static const int modes[] = {
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_KEEP_SIZE,
	};
	int mode = modes[rng_below(&f->rng, ARRAY_LEN(modes))];
	u32 pos, len;

	if (!f->size)
		return;
	pick(f, f->size, &pos, &len);
	if (fallocate(f->fd, mode, pos, len))
		fail(f, "fallocate %#x: %m", mode);
	if (mode != FALLOC_FL_KEEP_SIZE)
		memset(f->want + pos, 0, len);
}

static void drop_cache(struct file *f)
{
	if (fsync(f->fd) || posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED))
		fail(f, "fsync: %m");
}

static void verify(struct file *f)
{
	struct stat st;
	u32 pos, len;

	drop_cache(f);
	if (fstat(f->fd, &st) || st.st_size != f->size)
		fail(f, "length is %lld, not %u", (long long)st.st_size, f->size);
	for (pos = 0; pos < f->size; pos += len) {
		len = f->size - pos < MAX_IO ? f->size - pos : MAX_IO;
		if (pread(f->fd, f->io, len, pos) != (ssize_t)len)
			fail(f, "read: %m");
		compare(f, f->io, pos, len, "last read");
	}
}

static void step(struct file *f)
{
	unsigned int n = rng_below(&f->rng, 100);

	if (n < 30)
		do_read(f);
	else if (n < 60)
		do_write(f);
	else if (n < 72)
		do_direct(f);
	else if (n < 84)
		do_map(f);
	else if (n < 88)
		do_truncate(f);
	else if (n < 96)
		do_fallocate(f);
	else
		drop_cache(f);
}

static void run(const char *dir, unsigned int nr, u64 ops, u64 seed)
{
	struct file f = { .rng = { seed * 1000 + nr } };

	snprintf(f.path, sizeof(f.path), "%s/fsx%u", dir, nr);
	f.fd = open(f.path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	f.direct = open(f.path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (f.fd < 0 || f.direct < 0)
		fail(&f, "open: %m");
	f.want = xalloc(MAX_LEN + BLOCK);
	f.io = xalloc(MAX_IO + 2 * BLOCK);
	for (f.op = 0; f.op < ops; f.op++)
		step(&f);
	verify(&f);
}

int main(int argc, char **argv)
{
	unsigned int nr, i;
	int status, bad = 0;
	u64 ops, seed;

	if (argc != 5)
		die("usage: ybd-fsx DIR PROCESSES OPERATIONS SEED");
	nr = strtoul(argv[2], NULL, 0);
	ops = strtoull(argv[3], NULL, 0);
	seed = strtoull(argv[4], NULL, 0);
	setlinebuf(stdout);
	for (i = 0; i < nr; i++) {
		if (fork())
			continue;
		run(argv[1], i, ops, seed);
		exit(0);
	}
	while (wait(&status) > 0)
		bad |= status;
	printf("# ybd-fsx: %u files, %" PRIu64 " operations each, seed %" PRIu64 ": %s\n", nr,
	       ops, seed, bad ? "FAILED" : "no difference");
	return !!bad;
}
