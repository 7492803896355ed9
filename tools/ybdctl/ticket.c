// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "ticket.h"
#include "util.h"

/* In the file: the number that was given last, and up to which the work is done. */
struct numbers {
	u64 last;
	u64 done;
};

/* Its bytes are what the locks are on: one for the numbers, one for the work. */
enum { LOCK_NUMBERS, LOCK_WORK };

static int lock(int fd, int byte, short type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
	int rc;

	/* of the open file: it ends with the process */
	do {
		rc = fcntl(fd, F_OFD_SETLKW, &l);
	} while (rc && errno == EINTR);
	return rc ? -errno : 0;
}

static int read_numbers(int fd, struct numbers *n)
{
	ssize_t len = pread(fd, n, sizeof(*n), 0);

	if (len < 0)
		return -errno;
	if (len != sizeof(*n))
		*n = (struct numbers){ 0 };
	return 0;
}

static int write_numbers(int fd, const struct numbers *n)
{
	return pwrite(fd, n, sizeof(*n), 0) == sizeof(*n) ? 0 : -EIO;
}

static int take_number(struct ticket *t)
{
	struct numbers n;
	int rc = lock(t->fd, LOCK_NUMBERS, F_WRLCK);

	if (rc)
		return rc;
	rc = read_numbers(t->fd, &n);
	if (!rc) {
		t->mine = ++n.last;
		rc = write_numbers(t->fd, &n);
	}
	lock(t->fd, LOCK_NUMBERS, F_UNLCK);
	return rc;
}

/* The work is ours alone now: whose is it? 1, or 0 when it was done meanwhile. */
static int look(struct ticket *t)
{
	struct numbers n;
	int rc = lock(t->fd, LOCK_NUMBERS, F_WRLCK);

	if (rc)
		return rc;
	rc = read_numbers(t->fd, &n);
	lock(t->fd, LOCK_NUMBERS, F_UNLCK);
	t->covers = n.last;
	return rc ? rc : n.done < t->mine;
}

int ticket_wait(struct ticket *t, const char *dir, struct ybd_error *err)
{
	char path[256];
	int rc;

	snprintf(path, sizeof(path), "%s/hotplug", dir);
	mkdir(dir, 0755);
	t->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (t->fd < 0)
		return ybd_error_sys(err, -errno, "%s", path);
	rc = take_number(t);
	if (!rc)
		rc = lock(t->fd, LOCK_WORK, F_WRLCK);
	if (!rc)
		rc = look(t);
	if (rc <= 0)
		close(t->fd);
	return rc < 0 ? ybd_error_sys(err, rc, "%s", path) : rc;
}

void ticket_done(struct ticket *t)
{
	struct numbers n;

	if (!lock(t->fd, LOCK_NUMBERS, F_WRLCK) && !read_numbers(t->fd, &n)) {
		n.done = t->covers;
		write_numbers(t->fd, &n);
	}
	close(t->fd);
}

void ticket_drop(struct ticket *t)
{
	close(t->fd);
}
