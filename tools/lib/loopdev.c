// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "kmodlib.h"
#include "loopdev.h"
#include "util.h"

#define TRIES 64

/* Between them where somebody holds the file; 2 seconds in all. */
#define PAUSE_NS (2000000000 / TRIES)

/* As the kernel's huge_encode_dev() puts it into lo_device. */
static u64 encode_dev(dev_t dev)
{
	u64 maj = major(dev), min = minor(dev);

	return (min & 0xff) | maj << 8 | (min & ~0xffULL) << 12;
}

static bool flags_do(u32 flags, bool write)
{
	const u32 need = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;

	if (write)
		return !(flags & LO_FLAGS_READ_ONLY);
	return (flags & need) == need && !(flags & LO_FLAGS_PARTSCAN);
}

/* Is this loop device one that can be used for the file? */
static bool is_same(int fd, const struct stat *st, bool write)
{
	struct loop_info64 info;
	u64 size;

	if (ioctl(fd, LOOP_GET_STATUS64, &info) || ioctl(fd, BLKGETSIZE64, &size))
		return false;
	return info.lo_device == encode_dev(st->st_dev) &&
	       info.lo_inode == st->st_ino && !info.lo_offset &&
	       !info.lo_sizelimit && flags_do(info.lo_flags, write) &&
	       size == ((u64)st->st_size & ~511ULL);
}

static int is_loop(const struct dirent *d)
{
	return !strncmp(d->d_name, "loop", 4);
}

/* Looked at read-only: udev works on what was open for writing. */
static int open_same(const char *path, const struct stat *st, bool write)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rw;

	if (fd >= 0 && !is_same(fd, st, write)) {
		close(fd);
		return -1;
	}
	if (fd < 0 || !write)
		return fd;
	rw = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	close(fd);
	return rw;
}

/* A descriptor; -1 when there is none. While it is open it cannot go away. */
static int find_same(const struct stat *st, bool write)
{
	struct dirent **d;
	int found = -1, i, n;
	char path[300];

	n = scandir("/sys/block", &d, is_loop, versionsort);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "/sys/block/%s/loop", d[i]->d_name);
		if (found < 0 && !access(path, F_OK)) {
			snprintf(path, sizeof(path), "/dev/%s", d[i]->d_name);
			found = open_same(path, st, write);
		}
		free(d[i]);
	}
	if (n >= 0)
		free(d);
	return found;
}

static int configure(int fd, int file_fd, const char *path, bool write)
{
	struct loop_config c = { .fd = file_fd };

	c.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO;
	if (!write)
		c.info.lo_flags |= LO_FLAGS_READ_ONLY;
	snprintf((char *)c.info.lo_file_name, sizeof(c.info.lo_file_name), "%s",
		 path);
	return ioctl(fd, LOOP_CONFIGURE, &c) ? -errno : 0;
}

/* A free loop device, made into one of the file. A descriptor or an errno. */
static int take_free(int ctl, int file_fd, const char *path, bool write)
{
	int n = ioctl(ctl, LOOP_CTL_GET_FREE), fd, rc;
	char dev[32];

	if (n < 0)
		return -errno;
	snprintf(dev, sizeof(dev), "/dev/loop%d", n);
	fd = open(dev, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = configure(fd, file_fd, path, write);
	if (!rc)
		return fd;
	close(fd);
	return rc;
}

/* /dev/loop-control; it is made when the module is loaded, or at boot. */
static int open_control(struct ybd_error *err)
{
	int fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC), rc;

	if (fd < 0 && errno == ENOENT) {
		rc = ybd_kmod_load("loop", err);
		if (rc)
			return rc;
		fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	}
	return fd < 0 ? ybd_error_sys(err, -errno, "/dev/loop-control") : fd;
}

static int make_loop(int file_fd, const char *path, bool write,
		     struct ybd_error *err)
{
	int ctl __cleanup_fd = open_control(err);
	int rc = -EBUSY, i;

	if (ctl < 0)
		return ctl;
	/* somebody else may take the free one first */
	for (i = 0; i < TRIES && rc == -EBUSY; i++) {
		rc = take_free(ctl, file_fd, path, write);
		if (rc >= 0)
			return rc;
	}
	return ybd_error_sys(err, rc, "%s: making a loop device of it", path);
}

/*
 * The lock is the open file's, which the loop device keeps. Whoever has it may
 * be about to make the loop device that is wanted here.
 */
static int find_or_lock(int file_fd, const struct stat *st)
{
	const struct timespec ts = { .tv_nsec = PAUSE_NS };
	int fd, i;

	for (i = 0; i < TRIES; i++) {
		fd = find_same(st, true);
		if (fd >= 0)
			return fd;
		if (!flock(file_fd, LOCK_EX | LOCK_NB))
			return -ENOENT;
		if (errno != EWOULDBLOCK)
			return -errno;
		nanosleep(&ts, NULL);
	}
	return -EBUSY;
}

int ybd_loop_open(int file_fd, const char *path, bool write,
		  struct ybd_error *err)
{
	struct stat st;
	int fd;

	if (fstat(file_fd, &st))
		return ybd_error_sys(err, -errno, "%s", path);
	if (write) {
		fd = find_or_lock(file_fd, &st);
		if (fd < 0 && fd != -ENOENT)
			return ybd_error_sys(err, fd, "%s", path);
	} else {
		fd = find_same(&st, false);
	}
	return fd >= 0 ? fd : make_loop(file_fd, path, write, err);
}
