// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "spool.h"

#define ROOM_MAX	(1ull << 30)
#define ROOM_SHARE	4u

static const char *directory(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && *dir ? dir : "/var/tmp";
}

/* Is their room the same? Subvolumes have numbers of their own, but the same figures. */
static bool share_room(const char *a, const struct statfs *b)
{
	struct statfs fs;

	return !statfs(a, &fs) && fs.f_type == b->f_type && fs.f_blocks == b->f_blocks &&
	       fs.f_bfree == b->f_bfree;
}

/* Bytes that @store takes of the filesystem of @dir when all of it will have been written. */
static u64 still_needed(const char *store, const char *dir, const struct statfs *fs)
{
	struct stat s, d;
	u64 has;

	if (stat(store, &s) || stat(dir, &d) || !S_ISREG(s.st_mode))
		return 0;
	if (s.st_dev != d.st_dev && !share_room(store, fs))
		return 0;
	has = (u64)s.st_blocks * 512;
	return has < (u64)s.st_size ? (u64)s.st_size - has : 0;
}

u64 spool_room(const char *store)
{
	const char *dir = directory();
	u64 room, needed;
	struct statfs fs;

	if (statfs(dir, &fs) || fs.f_type == TMPFS_MAGIC)
		return 0;
	room = (u64)fs.f_bavail * (u64)fs.f_bsize;
	needed = still_needed(store, dir, &fs);
	room = room > needed ? (room - needed) / ROOM_SHARE : 0;
	return room < ROOM_MAX ? room : ROOM_MAX;
}

int spool_open(u64 *end)
{
	struct rlimit limit;

	/* who writes behind that is killed */
	if (getrlimit(RLIMIT_FSIZE, &limit))
		return -1;
	*end = limit.rlim_cur == RLIM_INFINITY ? INT64_MAX : limit.rlim_cur;
	return open(directory(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}
