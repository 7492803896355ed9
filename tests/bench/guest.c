// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the benchmarks do through the library, in the guest.
 *
 *	bench-guest load NAME DEV LAYERS	an image of DEV's size
 *	bench-guest create NAME IMAGE [LIMIT]	prints the disk; LIMIT: RAM upper
 *	bench-guest detach NAME
 *	bench-guest unload NAME
 *	bench-guest fill IMAGE FROM TO		devices idleFROM... up to idleTO
 *	bench-guest drop FROM TO		and away with them
 *	bench-guest cycle IMAGE NR		create until read, destroy: ns each
 *	bench-guest burst IMAGE NR		the same from NR processes at once
 *	bench-guest until DISK CMD...		ns until DISK can be read
 *	bench-guest run CMD...			ns until CMD has ended
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/fs.h>

#include "detach.h"
#include "nl.h"
#include "overlay.h"
#include "util.h"

#define CLUSTER	(1024 * 1024ULL)

static struct ybd_error err;

static void die(const char *what)
{
	fprintf(stderr, "bench-guest: %s: %s\n", what,
		err.code ? err.text : strerror(errno));
	exit(1);
}

static struct ybd_nl *connect_module(void)
{
	struct ybd_nl *nl;

	if (ybd_nl_open(&nl, &err))
		die("open");
	return nl;
}

/*
 * A chain of @layers in which every cluster has been written: by which layer,
 * a generator says, and the clusters of a layer follow one another, as they do
 * in an lvstore that was filled layer by layer.
 */
static void make_map(struct ybd_overlay *map, u64 size, unsigned int layers)
{
	u64 clusters = size / CLUSTER, phys = 0, i;
	struct ybd_map_extent *ext = calloc(clusters, sizeof(*ext));
	unsigned int layer, x;
	size_t nr;

	if (!ext)
		die("map");
	for (layer = 0; layer < layers; layer++) {
		x = 12345;
		for (nr = 0, i = 0; i < clusters; i++) {
			x = x * 1103515245 + 12345;
			if ((x >> 16) % layers != layer)
				continue;
			ext[nr++] = (struct ybd_map_extent){
				.start = i * CLUSTER,
				.phys = phys,
				.len = CLUSTER,
			};
			phys += CLUSTER;
		}
		errno = -ybd_overlay_add(map, ext, nr, size);
		if (errno)
			die("map");
	}
	free(ext);
}

static int cmd_load(char **arg)
{
	struct ybd_image_req req = {
		.name = arg[0],
		.logical_block_size = 512,
		.layers = atoi(arg[2]),
		.nr_sources = 1,
	};
	struct ybd_source_req source = { .name = arg[1] };
	struct ybd_overlay map = { 0 };
	struct ybd_nl *nl = connect_module();
	size_t bytes;
	u64 size;

	source.fd = open(arg[1], O_RDONLY | O_CLOEXEC);
	if (source.fd < 0 || ioctl(source.fd, BLKGETSIZE64, &size))
		die(arg[1]);
	make_map(&map, size / CLUSTER * CLUSTER, req.layers);
	req.sources = &source;
	req.size = map.size;
	req.extents = map.nr;
	bytes = map.nr * sizeof(*map.ext);
	req.map_fd = memfd_create("map", MFD_CLOEXEC);
	if (req.map_fd < 0 || write(req.map_fd, map.ext, bytes) != (ssize_t)bytes)
		die("memfd");
	if (ybd_nl_image_load(nl, &req, NULL, &err))
		die("load");
	return 0;
}

static int cmd_create(char **arg)
{
	struct ybd_device_req req = {
		.name = arg[0],
		.image_name = arg[1],
		.upper = arg[2] ? YBD_UPPER_KIND_RAM : YBD_UPPER_KIND_NONE,
		.upper_limit = arg[2] ? strtoull(arg[2], NULL, 0) : 0,
		.cgroup_fd = -1,
	};
	struct ybd_nl *nl = connect_module();
	struct ybd_device_info info;

	if (ybd_nl_device_create(nl, &req, &info, &err))
		die("create");
	puts(info.disk);
	return 0;
}

static int cmd_detach(char **arg)
{
	if (ybd_detach(connect_module(), arg[0], 0, ybd_detach_deadline(), &err))
		die("detach");
	return 0;
}

static int cmd_unload(char **arg)
{
	if (ybd_nl_image_unload(connect_module(), arg[0], &err))
		die("unload");
	return 0;
}

extern char **environ;

static unsigned long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Read the first block from the device itself; 0 or an errno. */
static int first_block(const char *disk)
{
	static char buf[4096] __aligned(4096);
	int fd = open(disk, O_RDONLY | O_DIRECT | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return errno;
	errno = EIO;
	if (pread(fd, buf, sizeof(buf), 0) != (ssize_t)sizeof(buf))
		ret = errno;
	close(fd);
	return ret;
}

static int create_one(struct ybd_nl *nl, const char *image, const char *name,
		      struct ybd_device_info *info)
{
	struct ybd_device_req req = {
		.name = name,
		.image_name = image,
		.upper = YBD_UPPER_KIND_NONE,
		.cgroup_fd = -1,
	};

	return ybd_nl_device_create(nl, &req, info, &err);
}

static int cmd_fill(char **arg)
{
	int i, to = atoi(arg[2]);
	struct ybd_nl *nl = connect_module();
	struct ybd_device_info info;
	char name[32];

	for (i = atoi(arg[1]); i < to; i++) {
		snprintf(name, sizeof(name), "idle%d", i);
		if (create_one(nl, arg[0], name, &info))
			die(name);
	}
	return 0;
}

static int cmd_drop(char **arg)
{
	int i, to = atoi(arg[1]);
	struct ybd_nl *nl = connect_module();
	char name[32];

	for (i = atoi(arg[0]); i < to; i++) {
		snprintf(name, sizeof(name), "idle%d", i);
		if (ybd_detach(nl, name, 0, ybd_detach_deadline(), &err))
			die(name);
	}
	return 0;
}

/* From no connection to the first block, in ns. */
static unsigned long long create_and_read(const char *image, const char *name)
{
	unsigned long long start = now();
	struct ybd_device_info info;
	struct ybd_nl *nl = connect_module();
	char disk[64];

	if (create_one(nl, image, name, &info))
		die("create");
	snprintf(disk, sizeof(disk), "/dev/%s", info.disk);
	errno = first_block(disk);
	if (errno)
		die(disk);
	start = now() - start;
	ybd_nl_close(nl);
	return start;
}

static unsigned long long destroy(const char *name)
{
	unsigned long long start = now();
	struct ybd_nl *nl = connect_module();

	if (ybd_detach(nl, name, 0, ybd_detach_deadline(), &err))
		die("detach");
	ybd_nl_close(nl);
	return now() - start;
}

static int cmd_cycle(char **arg)
{
	int i, nr = atoi(arg[1]);

	for (i = 0; i < nr; i++) {
		printf("create %llu\n", create_and_read(arg[0], "cycle"));
		printf("destroy %llu\n", destroy("cycle"));
		/* What was deferred is not the next one's to pay. */
		usleep(50000);
	}
	return 0;
}

struct burst {
	int done;
	unsigned long long took[];
};

/* Ends only when it is told to: exits would be counted for those still at it. */
static void burst_child(struct burst *b, int i, const char *image, int go)
{
	unsigned long long start;
	char name[32], c;

	snprintf(name, sizeof(name), "burst%d", i);
	if (read(go, &c, 1))
		die("pipe");
	start = now();
	create_and_read(image, name);
	b->took[i] = now() - start;
	__atomic_add_fetch(&b->done, 1, __ATOMIC_RELEASE);
	for (;;)
		pause();
}

static int cmd_burst(char **arg)
{
	int i, go[2], failed = 0, nr = atoi(arg[1]);
	size_t bytes = sizeof(struct burst) + nr * sizeof(unsigned long long);
	struct burst *b = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned long long start;
	pid_t *pid = calloc(nr, sizeof(*pid));
	char name[32];

	if (b == MAP_FAILED || !pid || pipe(go))
		die("burst");
	for (i = 0; i < nr; i++) {
		pid[i] = fork();
		if (pid[i])
			continue;
		close(go[1]);
		burst_child(b, i, arg[0], go[0]);
	}
	usleep(200000);
	start = now();
	close(go[1]);
	while (__atomic_load_n(&b->done, __ATOMIC_ACQUIRE) + failed < nr) {
		usleep(500);
		if (waitpid(-1, NULL, WNOHANG) > 0)
			failed++;
	}
	printf("all %llu\nlost %d\n", now() - start, failed);
	for (i = 0; i < nr; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
		printf("one %llu\n", b->took[i]);
		snprintf(name, sizeof(name), "burst%d", i);
		if (b->took[i])
			destroy(name);
	}
	return 0;
}

/* What it prints is not ours. */
static void run(char **argv)
{
	posix_spawn_file_actions_t actions;
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	errno = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	if (errno || waitpid(pid, &status, 0) != pid)
		die(argv[0]);
	errno = ECHILD;
	if (status)
		die(argv[0]);
}

static int cmd_until(char **arg)
{
	unsigned long long start = now();
	int ret;

	run(arg + 1);
	while ((ret = first_block(arg[0]))) {
		if (now() - start > 20000000000ULL) {
			errno = ret;
			die(arg[0]);
		}
		usleep(100);
	}
	printf("%llu\n", now() - start);
	return 0;
}

static int cmd_run(char **arg)
{
	unsigned long long start = now();

	run(arg);
	printf("%llu\n", now() - start);
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(char **arg);
	int min;
} cmds[] = {
	{ "load", cmd_load, 3 },
	{ "create", cmd_create, 2 },
	{ "detach", cmd_detach, 1 },
	{ "unload", cmd_unload, 1 },
	{ "fill", cmd_fill, 3 },
	{ "drop", cmd_drop, 2 },
	{ "cycle", cmd_cycle, 2 },
	{ "burst", cmd_burst, 2 },
	{ "until", cmd_until, 2 },
	{ "run", cmd_run, 1 },
};

int main(int argc, char **argv)
{
	unsigned int i;

	for (i = 0; argc > 1 && i < sizeof(cmds) / sizeof(*cmds); i++)
		if (!strcmp(argv[1], cmds[i].name) && argc - 2 >= cmds[i].min)
			return cmds[i].fn(argv + 2);
	fprintf(stderr, "bench-guest: unknown command or too few arguments\n");
	return 2;
}
