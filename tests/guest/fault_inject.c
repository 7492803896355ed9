// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "fault_inject.h"

static const char *const allocations[] = { "failslab", "fail_page_alloc" };

static int fail_fd;

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("%s: %m", path);
	close(fd);
}

void fail_set(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(fail_fd, text, len, 0) != len)
		die("fail-nth: %m");
}

unsigned int fail_next(struct rng *rng, bool all, unsigned int nth, unsigned int part)
{
	return nth + 1 + (all ? 0 : rng_below(rng, 1 + nth / part));
}

bool fail_end(void)
{
	char text[16] = "";

	if (pread(fail_fd, text, sizeof(text) - 1, 0) < 0)
		die("fail-nth: %m");
	fail_set(0);
	return !atoi(text);
}

void fail_init(void)
{
	static const char *const files[] = { "failslab", "fail_page_alloc", "fail_make_request" };
	char path[96];
	unsigned int i;

	fail_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_fd < 0) {
		printf("1..0 # SKIP this kernel injects no faults\n");
		exit(0);
	}
	for (i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose", files[i]);
		put(path, "0");
	}
	put("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	put("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	put("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N");
	put("/sys/kernel/debug/fail_page_alloc/min-order", "0");
}

bool find_symbol(const char *name, unsigned long *start, unsigned long *end)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[256], sym[128], type;
	unsigned long at;

	*start = *end = 0;
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx %c %127s", &at, &type, sym) != 3)
			continue;
		if (*start && at > *start) {
			*end = at;
			break;
		}
		if (!strcmp(sym, name))
			*start = at;
	}
	if (f)
		fclose(f);
	return *end;
}

void fail_range(const char *what, unsigned long start, unsigned long end)
{
	char path[96], text[32];
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(allocations); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s-start",
			 allocations[i], what);
		snprintf(text, sizeof(text), "%#lx", start);
		put(path, text);
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s-end", allocations[i],
			 what);
		snprintf(text, sizeof(text), "%#lx", end);
		put(path, text);
	}
}

static unsigned long read_number(const char *path, int base)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		die("%s: %m", path);
	close(fd);
	return strtoul(text, NULL, base);
}

/* The kernel counts down; so it can be told how many there were. */
#define TIMES 1000000u

static unsigned int set_probability(const char *kind, unsigned int percent)
{
	unsigned int left;
	char path[96], text[16];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/probability", kind);
	snprintf(text, sizeof(text), "%u", percent);
	put(path, text);
	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/times", kind);
	left = read_number(path, 10);
	snprintf(text, sizeof(text), "%u", TIMES);
	put(path, text);
	return percent ? 0 : TIMES - left;
}

unsigned int fail_in_module(unsigned int percent)
{
	unsigned long start = read_number("/sys/module/ybd/sections/.text", 16);
	unsigned long size = read_number("/sys/module/ybd/coresize", 10);
	unsigned int i, nr = 0;

	if (percent)
		fail_range("require", start, start + size);
	for (i = 0; i < ARRAY_LEN(allocations); i++)
		nr += set_probability(allocations[i], percent);
	if (!percent)
		fail_range("require", 0, ULONG_MAX);
	return nr;
}

unsigned int fail_requests(const char *disk, unsigned int percent)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/block/%s/make-it-fail", strrchr(disk, '/') + 1);
	put(path, percent ? "1" : "0");
	return set_probability("fail_make_request", percent);
}
