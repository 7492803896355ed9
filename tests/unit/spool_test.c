// SPDX-License-Identifier: GPL-2.0-only
/* spool_test DIRECTORY: how much of a filesystem the spools of layers may take, and how far a file goes. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "ktap.h"
#include "oci/spool.h"

#define ROOM_MAX	(1ull << 30)
#define SOME		(8ull << 20)

static char store[4096];

static u64 free_bytes(void)
{
	struct statfs fs;

	return statfs(store, &fs) ? 0 : (u64)fs.f_bavail * (u64)fs.f_bsize;
}

/* A file of @size bytes, of which all are holes. */
static void make_store(u64 size)
{
	int fd = open(store, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ktap_check(fd >= 0 && !ftruncate(fd, (off_t)size), "%s: %s", store, strerror(errno));
	close(fd);
}

static void test_room(void)
{
	u64 room, free, left;

	make_store(0);
	free = free_bytes();
	room = spool_room(store);
	ktap_check(room && room <= ROOM_MAX && room <= free / 3, "%" PRIu64 " of %" PRIu64, room, free);
	ktap_done("a part of what is free");

	make_store(free + (1ull << 30));
	ktap_check(!spool_room(store), "%" PRIu64, spool_room(store));
	ktap_done("nothing of what a store in the same filesystem can come to need");

	/* others use the filesystem, too */
	free = free_bytes();
	left = free >> 6;
	make_store(free - left);
	room = spool_room(store);
	ktap_check(room && room < left / 2, "%" PRIu64 " of %" PRIu64, room, left);
	ktap_done("only of what it leaves");
	unlink(store);
}

static void test_places(const char *dir)
{
	struct statfs fs;
	u64 end;
	int fd;

	setenv("TMPDIR", "/no/such/place", 1);
	fd = spool_open(&end);
	ktap_check(!spool_room(store) && fd < 0, "there is room, or a file %d", fd);
	ktap_done("a directory that is not there");
	if (!statfs("/dev/shm", &fs) && fs.f_type == TMPFS_MAGIC) {
		setenv("TMPDIR", "/dev/shm", 1);
		ktap_check(!spool_room(store), "%" PRIu64, spool_room(store));
		ktap_done("nothing in memory");
	} else {
		printf("ok %u - nothing in memory # SKIP /dev/shm is no tmpfs\n", ++ktap.n);
	}
	setenv("TMPDIR", dir, 1);
}

static void test_limit(void)
{
	const struct rlimit limit = { SOME, SOME };
	u64 end = 0;
	int fd = spool_open(&end);

	ktap_check(fd >= 0 && end > 1ull << 60, "file %d up to %" PRIu64, fd, end);
	close(fd);
	setrlimit(RLIMIT_FSIZE, &limit);
	fd = spool_open(&end);
	ktap_check(fd >= 0 && end == SOME && pwrite(fd, "x", 1, (off_t)end - 1) == 1,
		   "file %d up to %" PRIu64, fd, end);
	signal(SIGXFSZ, SIG_IGN);
	ktap_check(pwrite(fd, "x", 1, (off_t)end) < 0, "more can be written");
	close(fd);
	ktap_done("not beyond what a file may have");
}

int main(int argc, char **argv)
{
	struct statfs fs;

	if (argc != 2)
		return 2;
	if (statfs(argv[1], &fs) || fs.f_type == TMPFS_MAGIC) {
		printf("1..0 # SKIP the directory is in memory\n");
		return 0;
	}
	snprintf(store, sizeof(store), "%s/spool-store", argv[1]);
	setenv("TMPDIR", argv[1], 1);
	ktap_plan(6);
	test_room();
	test_places(argv[1]);
	test_limit();
	return ktap_exit();
}
