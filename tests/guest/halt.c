// SPDX-License-Identifier: GPL-2.0-only
/*
 * ybd-halt.so, preloaded: stop a program in front of its n-th step, and have
 * something done meanwhile.
 *
 *	HALT_STEPS	kernel: messages to the kernel, and devices that are opened;
 *			all: also what is read, written and flushed
 *	HALT_AT		the step, from 1 on; 0 for none
 *	HALT_RUN	the command that is run there
 *	HALT_COUNT	a file that gets the number of steps there were
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_ulong steps;
static unsigned long halt_at;
static const char *halt_run;
static bool halt_all;

/* Before main(): what the command inherits has none of it. */
static void __attribute__((constructor)) halt_init(void)
{
	const char *what = getenv("HALT_STEPS"), *at = getenv("HALT_AT");

	halt_all = what && !strcmp(what, "all");
	halt_at = at ? strtoul(at, NULL, 0) : 0;
	halt_run = getenv("HALT_RUN");
	unsetenv("LD_PRELOAD");
}

static void __attribute__((destructor)) halt_exit(void)
{
	const char *path = getenv("HALT_COUNT");
	FILE *f = path ? fopen(path, "w") : NULL;

	if (!f)
		return;
	fprintf(f, "%lu\n", steps);
	fclose(f);
}

static void step(void)
{
	if (++steps == halt_at && halt_run && system(halt_run))
		fprintf(stderr, "ybd-halt: failed: %s\n", halt_run);
}

static void data_step(void)
{
	if (halt_all)
		step();
}

static void *next(const char *name)
{
	void *fn = dlsym(RTLD_NEXT, name);

	if (!fn)
		abort();
	return fn;
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	static ssize_t (*fn)(int, const void *, size_t, int);

	if (!fn)
		fn = next("send");
	step();
	return fn(fd, buf, len, flags);
}

int open64(const char *path, int flags, ...)
{
	static int (*fn)(const char *, int, ...);
	mode_t mode = 0;
	va_list ap;

	if (!fn)
		fn = next("open64");
	if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	if (!strncmp(path, "/dev/", 5))
		step();
	return fn(path, flags, mode);
}

ssize_t pread64(int fd, void *buf, size_t len, off64_t off)
{
	static ssize_t (*fn)(int, void *, size_t, off64_t);

	if (!fn)
		fn = next("pread64");
	data_step();
	return fn(fd, buf, len, off);
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t off)
{
	static ssize_t (*fn)(int, const void *, size_t, off64_t);

	if (!fn)
		fn = next("pwrite64");
	data_step();
	return fn(fd, buf, len, off);
}

ssize_t pwritev64v2(int fd, const struct iovec *iov, int n, off64_t off, int flags)
{
	static ssize_t (*fn)(int, const struct iovec *, int, off64_t, int);

	if (!fn)
		fn = next("pwritev64v2");
	data_step();
	return fn(fd, iov, n, off, flags);
}

int fsync(int fd)
{
	static int (*fn)(int);

	if (!fn)
		fn = next("fsync");
	data_step();
	return fn(fd);
}

int fdatasync(int fd)
{
	static int (*fn)(int);

	if (!fn)
		fn = next("fdatasync");
	data_step();
	return fn(fd);
}
