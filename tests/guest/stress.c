// SPDX-License-Identifier: GPL-2.0-only
/*
 * ybd-stress [-s SEED] [-p PROCESSES] [-n OPERATIONS] [-d DEVICES] [-t PART]...
 *	[-P POOL] DISK [FSDISK]
 *
 * Who lives how long: devices and images made and removed by many at once. DISK
 * is overwritten; FSDISK has an ext4, POOL an empty pool. Nothing else may use the module meanwhile.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stress.h"

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

int load_whole(struct nlr *n, const char *name, int fd, u32 flags)
{
	struct ybd_map_extent ext = { .len = IMAGE_SIZE };
	struct image_arg a = {
		.name = name, .size = IMAGE_SIZE, .ext = &ext, .nr = 1, .fds = &fd,
		.nr_fds = 1, .flags = flags,
	};

	return image_load(n, &a);
}

int open_device(u32 id, int flags)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/ybd%u", id);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool right_data(const u8 *buf, u64 sector, u32 nr)
{
	u64 v;
	u32 i;

	for (i = 0; i < nr; i++) {
		memcpy(&v, buf + i * 512, sizeof(v));
		if (v != sector + i)
			return false;
	}
	return true;
}

int unload_module(void)
{
	return syscall(SYS_delete_module, "ybd", O_NONBLOCK) ? -errno : 0;
}

int load_module(void)
{
	return system("modprobe -q ybd") ? -EIO : 0;
}

/* udev may still be looking at a device that was detached by force. */
bool wait_gone(struct nlr *n)
{
	u32 devices = 0, images;
	int i;

	for (i = 0; i < 2000; i++) {
		if (!info_get(n, &devices, &images) && !devices)
			return true;
		usleep(10000);
	}
	ktap_fail("%u devices do not go", devices);
	return false;
}

static void fill_disk(struct stress *s)
{
	u8 *buf = xalloc(MIB);
	u64 at, i, v;
	int fd = open(s->disk, O_RDWR | O_CLOEXEC);

	for (at = 0; at < IMAGE_SIZE; at += MIB) {
		for (i = 0; i < MIB / 512; i++) {
			v = at / 512 + i;
			memcpy(buf + i * 512, &v, sizeof(v));
		}
		if (pwrite(fd, buf, MIB, at) != MIB)
			die("%s: %m", s->disk);
	}
	if (fsync(fd))
		die("%s: %m", s->disk);
	close(fd);
	free(buf);
	s->fd = open(s->disk, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0)
		die("%s: %m", s->disk);
}

static void check_empty(struct stress *s, const char *when)
{
	struct state st;
	const char *bad = state_read(&s->n, &st);
	unsigned int gone, come;
	struct state none = { 0 };

	ktap_check(!bad && !st.n, "%s: %s", when, bad ? bad : "something is left");
	state_diff(&none, &st, 'D', &gone, &come, true);
	state_diff(&none, &st, 'I', &gone, &come, true);
	state_diff(&none, &st, 'S', &gone, &come, true);
	state_free(&st);
	ktap_check(!system("! ls -d /sys/block/ybd* 2>/dev/null"), "/sys/block has ybd left");
}

/* -------- many at once -------- */

#define BURST	100

struct burst {
	_Atomic int ready;
	_Atomic int go;
	_Atomic int bad;
	double took[BURST];
};

static void burst_child(struct burst *b, int i)
{
	struct device_arg a = { .image = "whole", .ram = i % 2 ? MIB : 0 };
	u8 *buf = xalloc(4096);
	double begin;
	char name[32];
	struct nlr n;
	int fd, ret;
	u32 id;

	if (nlr_open(&n))
		_exit(1);
	snprintf(name, sizeof(name), "burst%d", i);
	a.name = name;
	b->ready++;
	while (!b->go)
		usleep(1000);
	begin = seconds();
	ret = device_create(&n, &a, &id);
	if (ret) {
		printf("# %s: create: %d %s\n", name, ret, n.text);
		b->bad++;
		_exit(1);
	}
	fd = open_device(id, O_RDONLY | O_DIRECT);
	if (fd < 0 || pread(fd, buf, 4096, i * 4096) != 4096 || !right_data(buf, i * 8, 8)) {
		printf("# %s: ybd%u: open %d: %m\n", name, id, fd);
		b->bad++;
		_exit(1);
	}
	b->took[i] = seconds() - begin;
	_exit(0);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void test_burst(struct stress *s)
{
	struct burst *b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char name[32];
	int i, status;

	if (b == MAP_FAILED || load_whole(&s->n, "whole", s->fd, 0))
		die("burst: %s", s->n.text);
	fflush(stdout);
	for (i = 0; i < BURST; i++) {
		pid_t pid = fork();

		if (!pid)
			burst_child(b, i);
		if (pid < 0)
			die("fork: %m");
	}
	while (b->ready < BURST)
		usleep(1000);
	b->go = 1;
	for (i = 0; i < BURST; i++)
		if (wait(&status) < 0 || status)
			b->bad++;
	ktap_check(!b->bad, "%d failures", (int)b->bad);
	qsort(b->took, BURST, sizeof(b->took[0]), by_value);
	printf("# create, open, read: median %.1f ms, longest %.1f ms\n",
	       b->took[BURST / 2] * 1e3, b->took[BURST - 1] * 1e3);
	ktap_done("%d devices by %d processes at once, usable when the answer comes", BURST,
		  BURST);
	for (i = 0; i < BURST; i++) {
		snprintf(name, sizeof(name), "burst%d", i);
		status = device_detach(&s->n, name, true);
		ktap_check(!status, "%s: %d %s", name, status, s->n.text);
	}
	wait_gone(&s->n);
	ktap_check(!image_unload(&s->n, "whole"), "%s", s->n.text);
	check_empty(s, "afterwards");
	ktap_done("and they all go");
}

/* -------- many in a row -------- */

static void test_many(struct stress *s)
{
	struct device_arg a = { .image = "whole", .ram = MIB };
	double begin = seconds(), made;
	u32 devices = 0, images = 0;
	unsigned int i;
	char name[32];
	int ret = 0;

	if (load_whole(&s->n, "whole", s->fd, 0))
		die("many: %s", s->n.text);
	a.name = name;
	for (i = 0; i < s->devices && !ret; i++) {
		snprintf(name, sizeof(name), "many%u", i);
		ret = device_create(&s->n, &a, NULL);
		ktap_check(!ret, "%s: %d %s", name, ret, s->n.text);
	}
	info_get(&s->n, &devices, &images);
	ktap_check(devices == s->devices, "%u devices", devices);
	ktap_check(unload_module() == -EWOULDBLOCK, "the module could be unloaded");
	made = seconds();
	while (i--) {
		snprintf(name, sizeof(name), "many%u", i);
		ret = device_detach(&s->n, name, true);
		ktap_check(!ret, "%s: %d %s", name, ret, s->n.text);
	}
	wait_gone(&s->n);
	printf("# %u devices: %.2f ms to make, %.2f ms to remove, each\n", s->devices,
	       (made - begin) * 1e3 / s->devices, (seconds() - made) * 1e3 / s->devices);
	ktap_check(!image_unload(&s->n, "whole"), "%s", s->n.text);
	check_empty(s, "afterwards");
	ktap_done("%u devices made and removed", s->devices);
}

/* -------- names, numbers, the module -------- */

static void test_reuse(struct stress *s)
{
	struct device_arg a = { .name = "again", .image = "whole" };
	unsigned int i;
	u32 id, first = 0;

	if (load_whole(&s->n, "whole", s->fd, 0))
		die("reuse: %s", s->n.text);
	for (i = 0; i < 100 && !ktap.bad; i++) {
		ktap_check(!device_create(&s->n, &a, &id), "%u: %s", i, s->n.text);
		if (!i)
			first = id;
		ktap_check(id == first, "%u: number %u after %u", i, id, first);
		ktap_check(!device_detach(&s->n, "again", true), "%u: %s", i, s->n.text);
		wait_gone(&s->n);
	}
	ktap_check(!image_unload(&s->n, "whole"), "%s", s->n.text);
	check_empty(s, "afterwards");
	ktap_done("name and number used again at once, 100 times");
}

static void test_module(struct stress *s)
{
	struct device_arg a = { .name = "held", .image = "whole" };
	int fd, ret;
	u32 id;

	ktap_check(!load_whole(&s->n, "whole", s->fd, 0), "%s", s->n.text);
	ret = unload_module();
	ktap_check(ret == -EWOULDBLOCK, "with an image: %d", ret);
	ktap_check(!device_create(&s->n, &a, &id), "%s", s->n.text);
	ret = unload_module();
	ktap_check(ret == -EWOULDBLOCK, "with a device: %d", ret);
	fd = open_device(id, O_RDONLY);
	ktap_check(!device_detach(&s->n, "held", true), "%s", s->n.text);
	ret = unload_module();
	ktap_check(ret == -EWOULDBLOCK, "with an open detached device: %d", ret);
	ktap_check(image_unload(&s->n, "whole") == -EBUSY, "the image went too early");
	close(fd);
	wait_gone(&s->n);
	ktap_check(!image_unload(&s->n, "whole"), "%s", s->n.text);
	ret = unload_module();
	ktap_check(!ret, "when nothing is left: %d", ret);
	if (load_module())
		die("the module does not load again");
	nlr_close(&s->n);
	if (nlr_open(&s->n))
		die("the family does not come back");
	ktap_done("the module goes only when nothing is left");
}

/* -------- */

static const struct {
	const char *name;
	void (*fn)(struct stress *s);
} parts[] = {
	{ "burst", test_burst },
	{ "many", test_many },
	{ "reuse", test_reuse },
	{ "module", test_module },
	{ "forced", test_forced },
	{ "race", test_race },
};

static bool wanted(const char *name, char **only, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!strcmp(only[i], name))
			return true;
	return !nr;
}

int main(int argc, char **argv)
{
	struct stress s = { .procs = 8, .ops = 200, .devices = 1000 };
	u64 seed = (u64)time(NULL);
	unsigned int i, nr_only = 0;
	char *only[8];
	int c;

	while ((c = getopt(argc, argv, "s:p:n:d:t:P:")) != -1) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 'p')
			s.procs = strtoul(optarg, NULL, 0);
		else if (c == 'n')
			s.ops = strtoul(optarg, NULL, 0);
		else if (c == 'd')
			s.devices = strtoul(optarg, NULL, 0);
		else if (c == 'P')
			s.pool = optarg;
		else if (c == 't' && nr_only < ARRAY_LEN(only))
			only[nr_only++] = optarg;
		else
			return 2;
	}
	if (optind >= argc)
		die("expected a disk");
	s.disk = argv[optind];
	s.fs = argv[optind + 1];
	s.rng.s = seed;
	printf("KTAP version 1\n# ybd-stress -s %#" PRIx64 " -p %u -n %u -d %u\n", seed, s.procs,
	       s.ops, s.devices);
	fill_disk(&s);
	if (nlr_open(&s.n))
		die("no module");
	for (i = 0; i < ARRAY_LEN(parts); i++)
		if (wanted(parts[i].name, only, nr_only))
			parts[i].fn(&s);
	printf("1..%u\n", ktap.n);
	return ktap_exit();
}
