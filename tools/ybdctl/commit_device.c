// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that is attached says to nobody which blocks its upper has: all of it is read, and
 * compared with what the lvol holds. It must not be written to meanwhile: nobody has it open, or
 * the file system on it is read-only, or frozen.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "commit.h"
#include "fdio.h"
#include "mounts.h"

#define CHUNK	(1u << 20)
#define ALIGN	4096u
#define WAIT_MS	2000		/* for udev, which opens what is new */

/* How it is kept from being written to. */
enum quiet {
	QUIET_CLAIMED,		/* nobody else has it open */
	QUIET_READ_ONLY,	/* the file system on it is */
	QUIET_FROZEN,		/* somebody froze that */
	QUIET_FREEZE,		/* this program did */
};

/**
 * struct device - a device that is read
 * @info: it
 * @nl: the kernel
 * @freeze: freeze the file system on it
 * @fd: it, open
 * @quiet: how it is kept as it is
 * @dir: where it is mounted; "" for nowhere
 * @dir_fd: that, while it is frozen; else -1
 * @signals: as they were before it was frozen
 * @buf: CHUNK bytes
 */
struct device {
	const struct ybd_device_info *info;
	struct ybd_nl *nl;
	bool freeze;
	int fd;
	enum quiet quiet;
	char dir[4096];
	int dir_fd;
	sigset_t signals;
	u8 *buf;
};

static void device_close(struct changes *c)
{
	struct device *d = c->priv;

	if (d->quiet == QUIET_FREEZE) {
		ioctl(d->dir_fd, FITHAW, 0);
		sigprocmask(SIG_SETMASK, &d->signals, NULL);
	}
	if (d->dir_fd >= 0)
		close(d->dir_fd);
	if (d->fd >= 0)
		close(d->fd);
	free(d->buf);
	free(d);
}

/* ---- nobody writes ---- */

static bool take_mount(const struct mount_entry *m, void *arg)
{
	struct device *d = arg;

	snprintf(d->dir, sizeof(d->dir), "%s", m->dir);
	d->quiet = m->ro ? QUIET_READ_ONLY : QUIET_FROZEN;
	return true;
}

static bool find_mount(struct device *d)
{
	return mounts_find(makedev(d->info->major, d->info->minor), take_mount, d);
}

/* Ending in the middle would leave it frozen. */
static void hold_signals(struct device *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGPIPE);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &d->signals);
}

static bool signal_came(void)
{
	sigset_t set;

	return !sigpending(&set) && (sigismember(&set, SIGHUP) || sigismember(&set, SIGINT) ||
				     sigismember(&set, SIGPIPE) || sigismember(&set, SIGTERM));
}

/* Whether it is frozen cannot be asked for: who tries to freeze it is told. */
static int freeze_fs(struct device *d, struct ybd_error *err)
{
	int rc;

	d->dir_fd = open(d->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dir_fd < 0)
		return ybd_error_sys(err, -errno, "%s", d->dir);
	hold_signals(d);
	if (!ioctl(d->dir_fd, FIFREEZE, 0)) {
		d->quiet = QUIET_FREEZE;
		if (d->freeze)
			return 0;
		return ybd_error_set(err, -EBUSY,
				     "%s is mounted on %s and may be written to: unmount it, or use --freeze",
				     d->info->name, d->dir);
	}
	rc = -errno;
	sigprocmask(SIG_SETMASK, &d->signals, NULL);
	if (rc != -EBUSY)
		return ybd_error_sys(err, rc, "freezing %s", d->dir);
	d->quiet = QUIET_FROZEN;
	return 0;
}

static int is_claimed(const struct device *d, struct ybd_error *err)
{
	return ybd_error_set(err, -EBUSY,
			     "%s is in use, but not mounted here: in another mount namespace, or by another device (run this there, or unmount it)",
			     d->info->name);
}

static int wait_for_openers(struct device *d, struct ybd_error *err)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	struct ybd_device_info now;

	for (int ms = 0; ms < WAIT_MS; ms += 20) {
		int rc = ybd_nl_device_get(d->nl, d->info->name, &now, err);

		if (rc)
			return rc;
		if (now.openers <= 1)
			return 0;
		nanosleep(&pause, NULL);
	}
	return ybd_error_set(err, -EBUSY, "%s is open %u times besides this program: it may be written to",
			     d->info->name, now.openers - 1);
}

static int make_quiet(struct device *d, struct ybd_error *err)
{
	char path[48];
	int rc;

	snprintf(path, sizeof(path), "/dev/%s", d->info->disk);
	d->fd = open(path, O_RDONLY | O_DIRECT | O_EXCL | O_CLOEXEC);
	if (d->fd >= 0) {
		d->quiet = QUIET_CLAIMED;
		rc = wait_for_openers(d, err);
	} else if (errno == EBUSY) {
		d->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
		if (!find_mount(d))
			rc = is_claimed(d, err);
		else
			rc = d->quiet == QUIET_READ_ONLY ? 0 : freeze_fs(d, err);
	} else {
		return ybd_error_sys(err, -errno, "%s", path);
	}
	if (!rc && (d->fd < 0 || fsync(d->fd)))
		rc = ybd_error_sys(err, -errno, "%s", path);
	return rc;
}

/* Somebody may have thawed it, or mounted it read-write. */
static int still_quiet(struct device *d, struct ybd_error *err)
{
	bool quiet = true;

	if (d->quiet == QUIET_READ_ONLY)
		quiet = find_mount(d) && d->quiet == QUIET_READ_ONLY;
	else if (d->quiet == QUIET_FROZEN && !ioctl(d->dir_fd, FIFREEZE, 0))
		quiet = ioctl(d->dir_fd, FITHAW, 0);
	return quiet ? 0 : ybd_error_set(err, -EBUSY,
					 "%s could be written to meanwhile: it is no longer read-only or frozen",
					 d->info->name);
}

/* ---- reading ---- */

static int read_chunk(struct device *d, u64 off, size_t len, struct ybd_error *err)
{
	int rc = pread_all(d->fd, d->buf, len, off);

	return rc ? ybd_error_sys(err, rc, "reading %s at %llu", d->info->name,
				  (unsigned long long)off) : 0;
}

static int device_copy(struct changes *c, struct delta *delta, struct ybd_error *err)
{
	struct device *d = c->priv;
	struct lvs_error e = { 0 };
	int rc = 0;

	for (u64 off = 0; off < c->size && !rc; off += CHUNK) {
		size_t len = c->size - off < CHUNK ? (size_t)(c->size - off) : CHUNK;

		if (d->quiet == QUIET_FREEZE && signal_came())
			return ybd_error_set(err, -EINTR, "interrupted");
		rc = read_chunk(d, off, len, err);
		if (rc)
			return rc;
		rc = delta_write(delta, off, d->buf, len, &e);
	}
	return rc ? ybd_error_set(err, rc, "%s", e.text) : still_quiet(d, err);
}

static const struct changes_ops device_ops = {
	.copy = device_copy,
	.close = device_close,
};

static int find_image(struct device *d, struct changes *c, struct ybd_error *err)
{
	struct ybd_image_info img;
	int rc;

	if (d->info->state != YBD_DEVICE_STATE_LIVE)
		return ybd_error_set(err, -ENODEV, "%s was detached", d->info->name);
	if (d->info->upper == YBD_UPPER_KIND_NONE)
		return ybd_error_set(err, -EROFS, "%s is read-only: nothing was written to it",
				     d->info->name);
	rc = ybd_nl_image_get(d->nl, d->info->image_name, &img, err);
	if (rc)
		return rc;
	memcpy(c->lvol, img.uuid, sizeof(c->lvol));
	c->is_lvol = true;
	memcpy(c->identity, img.identity, sizeof(c->identity));
	ybd_image_info_free(&img);
	d->buf = aligned_alloc(ALIGN, CHUNK);
	return d->buf ? 0 : ybd_error_sys(err, -ENOMEM, "%s", d->info->name);
}

int changes_of_device(const struct ybd_device_info *info, struct ybd_nl *nl, bool freeze,
		      struct changes *c, struct ybd_error *err)
{
	struct device *d = calloc(1, sizeof(*d));
	int rc;

	*c = (struct changes){ .ops = &device_ops, .priv = d, .size = info->size };
	if (!d)
		return ybd_error_sys(err, -ENOMEM, "%s", info->name);
	*d = (struct device){
		.info = info, .nl = nl, .freeze = freeze, .fd = -1, .dir_fd = -1,
	};
	rc = find_image(d, c, err);
	if (!rc)
		rc = make_quiet(d, err);
	if (rc)
		device_close(c);
	return rc;
}
