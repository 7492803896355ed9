// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "stack.h"
#include "sysfs.h"
#include "util.h"

#define MAX_DEPTH 16

/* Each returns true when a ybd device was found; its name is in @found then. */
static bool below_dev(dev_t dev, int depth, char found[32]);
static bool below_mount(u64 id, int depth, char found[32]);

/*
 * btrfs and overlayfs give files device numbers that no mount has: what a file
 * is on is told by its mount.
 */
static bool below_file(const struct statx *st, int depth, char found[32])
{
	if (S_ISBLK(st->stx_mode))
		return below_dev(makedev(st->stx_rdev_major,
					 st->stx_rdev_minor), depth, found);
	if (st->stx_dev_major)
		return below_dev(makedev(st->stx_dev_major, st->stx_dev_minor),
				 depth, found);
	return st->stx_mask & STATX_MNT_ID &&
	       below_mount(st->stx_mnt_id, depth, found);
}

static bool below_path(const char *path, int depth, char found[32])
{
	struct statx st;

	return depth < MAX_DEPTH &&
	       !statx(AT_FDCWD, path, 0, STATX_TYPE | STATX_MNT_ID, &st) &&
	       below_file(&st, depth + 1, found);
}

/* ---- file systems without a device number of their own ---- */

/* "lowerdir=a:b,upperdir=c,..." */
static bool below_overlay(char *opts, int depth, char found[32])
{
	char *opt, *dir, *dirs, *save, *save2;

	for (opt = strtok_r(opts, ",", &save); opt;
	     opt = strtok_r(NULL, ",", &save)) {
		if (strncmp(opt, "lowerdir", 8) && strncmp(opt, "upperdir=", 9))
			continue;
		dirs = strchr(opt, '=');
		if (!dirs)
			continue;
		for (dir = strtok_r(dirs + 1, ":", &save2); dir;
		     dir = strtok_r(NULL, ":", &save2))
			if (below_path(dir, depth, found))
				return true;
	}
	return false;
}

/*
 * A line of mountinfo: "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3
 * /dev/root rw,errors=continue". True when it is the one of mount @id, whose
 * type, source and options are cut out of it then.
 */
static bool mount_line(char *line, u64 id, char **type, char **src,
		       char **opts)
{
	char *rest, *save;

	if (strtoull(line, NULL, 10) != id)
		return false;
	rest = strstr(line, " - ");
	if (!rest)
		return false;
	*type = strtok_r(rest + 3, "\n ", &save);
	*src = strtok_r(NULL, "\n ", &save);
	*opts = strtok_r(NULL, "\n ", &save);
	return *type && *src && *opts;
}

static bool below_mount(u64 id, int depth, char found[32])
{
	FILE *f __cleanup_file = fopen("/proc/self/mountinfo", "re");
	char *line __cleanup_free = NULL;
	size_t cap = 0;
	char *type, *src, *opts;

	while (f && getline(&line, &cap, f) > 0) {
		if (!mount_line(line, id, &type, &src, &opts))
			continue;
		if (!strcmp(type, "overlay"))
			return below_overlay(opts, depth, found);
		return src[0] == '/' && below_path(src, depth, found);
	}
	return false;
}

/* ---- block devices ---- */

/* Where its file is; 0 when that is not to be had, or is no block device. */
static dev_t loop_file_dev(const char *disk)
{
	int fd __cleanup_fd = -1;
	struct loop_info64 info;
	char path[64];

	snprintf(path, sizeof(path), "/dev/%s", disk);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || ioctl(fd, LOOP_GET_STATUS64, &info))
		return 0;
	/* as the kernel's huge_encode_dev() has it */
	return makedev((info.lo_device >> 8) & 0xfff,
		       (info.lo_device & 0xff) |
		       ((info.lo_device >> 12) & ~0xffULL));
}

static bool below_loop(const char *disk, int depth, char found[32])
{
	dev_t dev = loop_file_dev(disk);
	char file[PATH_MAX];

	/* the inode tells even what has no name any more */
	if (major(dev))
		return below_dev(dev, depth, found);
	return !ybd_sysfs_read(file, sizeof(file),
			       "/sys/block/%s/loop/backing_file", disk) &&
	       below_path(file, depth, found);
}

static bool below_slaves(const char *dir, int depth, char found[32])
{
	unsigned int maj, min;
	struct dirent **d;
	bool hit = false;
	char dev[32];
	int n, i;

	n = scandir(dir, &d, NULL, alphasort);
	for (i = 0; i < n; i++) {
		if (!hit && d[i]->d_name[0] != '.' &&
		    !ybd_sysfs_read(dev, sizeof(dev), "%s/%s/dev", dir,
				    d[i]->d_name) &&
		    sscanf(dev, "%u:%u", &maj, &min) == 2)
			hit = below_dev(makedev(maj, min), depth, found);
		free(d[i]);
	}
	if (n >= 0)
		free(d);
	return hit;
}

static bool below_disk(const char *dir, int depth, char found[32])
{
	const char *name = strrchr(dir, '/') + 1;
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/ybd", dir);
	if (!strncmp(name, "ybd", 3) && !access(path, F_OK)) {
		snprintf(found, 32, "%.31s", name);
		return true;
	}
	if (!strncmp(name, "loop", 4) && below_loop(name, depth, found))
		return true;
	snprintf(path, sizeof(path), "%s/slaves", dir);
	return below_slaves(path, depth, found);
}

static bool below_dev(dev_t dev, int depth, char found[32])
{
	char link[64], dir[PATH_MAX], path[PATH_MAX + 16];

	if (depth >= MAX_DEPTH)
		return false;
	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(dev),
		 minor(dev));
	if (!realpath(link, dir))
		return false;
	snprintf(path, sizeof(path), "%s/partition", dir);
	if (!access(path, F_OK))
		*strrchr(dir, '/') = '\0';
	return below_disk(dir, depth + 1, found);
}

int ybd_stack_check(int fd, const char *path, struct ybd_error *err)
{
	char found[32];
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &st))
		return ybd_error_sys(err, -errno, "%s", path);
	if (!below_file(&st, 0, found))
		return 0;
	return ybd_error_set(err, -ELOOP,
			     "%s stands on the ybd device %s: a ybd device over another is not supported",
			     path, found);
}
