// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "record.h"

/**
 * struct record - the disk
 * @lock: of all that follows but @c, @sectors and the descriptors
 * @c: how it is
 * @sectors: its size
 * @mem: what a reader sees
 * @dirty: sectors that differ from the file, a byte each; NULL without a file
 * @fd: of the file, or -1
 * @trace: the file, or -1
 * @requests: numbers given
 * @lies: requests that could have been lied about
 */
struct record {
	pthread_mutex_t lock;
	struct record_config c;
	u64 sectors;
	u8 *mem;
	u8 *dirty;
	int fd;
	int trace;
	u32 requests;
	u32 lies;
};

/* ---- the trace ---- */

static int note(struct record *r, struct trace_entry e, const void *data)
{
	struct iovec iov[2] = { { &e, sizeof(e) }, { (void *)data, e.bytes } };
	ssize_t len = sizeof(e) + e.bytes;

	if (r->trace < 0 || (r->c.marks_only && e.type != TRACE_MARK))
		return 0;
	return writev(r->trace, iov, e.bytes ? 2 : 1) == len ? 0 : -EIO;
}

/* A request came. Its number, or a negative errno. */
static int64_t note_request(struct record *r, struct trace_entry e, const void *data)
{
	int rc;

	pthread_mutex_lock(&r->lock);
	e.id = r->requests++;
	rc = note(r, e, data);
	pthread_mutex_unlock(&r->lock);
	return rc ? rc : (int64_t)e.id;
}

/*
 * Most requests are quick, and some take so long that whoever does not wait for them has done many
 * other things meanwhile.
 */
static void wait_some(const struct record *r, u32 id)
{
	u64 z = tag_mix(r->c.seed ^ id * 0x9e3779b97f4a7c15ULL), us;

	if (!r->c.delay)
		return;
	us = z % (r->c.delay + 1);
	if (z >> 32 & 15)
		us /= 32;
	usleep(us);
}

/* ---- the file ---- */

static int put(struct record *r, u64 sector, u32 nr)
{
	if (r->fd < 0)
		return 0;
	if (pwrite(r->fd, r->mem + sector * SECTOR, (size_t)nr * SECTOR, sector * SECTOR) !=
	    (ssize_t)nr * SECTOR)
		return -EIO;
	memset(r->dirty + sector, 0, nr);
	return 0;
}

/* All that is dirty in [@sector, @end), and marked in @which when that is given. */
static int put_dirty(struct record *r, const u8 *which)
{
	u64 s = 0, first;
	int rc = 0;

	while (!rc && s < r->sectors) {
		const u8 *d = memchr(r->dirty + s, 1, r->sectors - s);

		if (!d)
			break;
		first = s = d - r->dirty;
		while (s < r->sectors && r->dirty[s] && which[s])
			s++;
		if (s > first)
			rc = put(r, first, s - first);
		else
			s++;
	}
	return rc;
}

/* A cache writes back what it likes, when it likes. */
static int evict(struct record *r, u64 sector, u32 nr, u32 id)
{
	u64 z = tag_mix(r->c.seed + id);
	u32 first;

	if (z % 100 >= r->c.evict)
		return 0;
	first = (z >> 8) % nr;
	return put(r, sector + first, 1 + (z >> 40) % (nr - first));
}

static int written(struct record *r, u64 sector, u32 nr, u32 id, bool fua)
{
	if (r->fd < 0)
		return 0;
	memset(r->dirty + sector, 1, nr);
	return fua ? put(r, sector, nr) : evict(r, sector, nr, id);
}

/* ---- requests ---- */

static bool lies(struct record *r, enum record_lie about)
{
	bool lie;

	if (r->c.lie != about)
		return false;
	pthread_mutex_lock(&r->lock);
	lie = ++r->lies % (r->c.lie_every ? r->c.lie_every : 1) == 0;
	pthread_mutex_unlock(&r->lock);
	return lie;
}

int record_read(struct record *r, u64 sector, void *buf, u32 nr)
{
	pthread_mutex_lock(&r->lock);
	memcpy(buf, r->mem + sector * SECTOR, (size_t)nr * SECTOR);
	pthread_mutex_unlock(&r->lock);
	return 0;
}

/* @buf: NULL for zeroes. */
static int change(struct record *r, struct trace_entry e, const void *buf)
{
	struct trace_entry done = { .type = TRACE_DONE };
	int64_t id;
	int rc;

	if (e.fua && lies(r, LIE_FUA))
		e.fua = 0;
	e.bytes = buf ? e.nr * SECTOR : 0;
	id = note_request(r, e, buf);
	if (id < 0)
		return (int)id;
	wait_some(r, (u32)id);
	done.id = (u32)id;
	pthread_mutex_lock(&r->lock);
	if (buf)
		memcpy(r->mem + e.sector * SECTOR, buf, e.bytes);
	else
		memset(r->mem + e.sector * SECTOR, 0, (size_t)e.nr * SECTOR);
	rc = written(r, e.sector, e.nr, (u32)id, e.fua);
	if (!rc)
		rc = note(r, done, NULL);
	pthread_mutex_unlock(&r->lock);
	return rc;
}

int record_write(struct record *r, u64 sector, const void *buf, u32 nr, bool fua)
{
	struct trace_entry e = { .type = TRACE_WRITE, .fua = fua, .sector = sector, .nr = nr };

	return change(r, e, buf);
}

int record_zero(struct record *r, u64 sector, u32 nr, bool fua)
{
	struct trace_entry e = { .type = TRACE_ZERO, .fua = fua, .sector = sector, .nr = nr };

	return change(r, e, NULL);
}

int record_trim(struct record *r, u64 sector, u32 nr, bool fua)
{
	struct trace_entry e = { .type = TRACE_TRIM, .fua = fua, .sector = sector, .nr = nr };

	return change(r, e, NULL);
}

/* What was dirty when a flush came; what came later has no right to be durable. */
static u8 *dirty_now(struct record *r)
{
	u8 *copy = malloc(r->sectors);

	if (!copy)
		return NULL;
	pthread_mutex_lock(&r->lock);
	memcpy(copy, r->dirty, r->sectors);
	pthread_mutex_unlock(&r->lock);
	return copy;
}

int record_flush(struct record *r)
{
	struct trace_entry e = { .type = TRACE_FLUSH }, done = { .type = TRACE_DONE };
	u8 *which = NULL;
	int64_t id;
	int rc = 0;

	if (lies(r, LIE_FLUSH))
		return 0;
	id = note_request(r, e, NULL);
	if (id >= 0 && r->fd >= 0) {
		which = dirty_now(r);
		if (!which)
			return -ENOMEM;
	}
	if (id < 0)
		return (int)id;
	wait_some(r, (u32)id);
	done.id = (u32)id;
	pthread_mutex_lock(&r->lock);
	if (which)
		rc = put_dirty(r, which);
	if (!rc)
		rc = note(r, done, NULL);
	pthread_mutex_unlock(&r->lock);
	free(which);
	return rc;
}

int record_marks(struct record *r, const void *buf, u32 bytes)
{
	struct trace_entry e = { .type = TRACE_MARK, .bytes = sizeof(struct mark) };
	const struct mark *m = buf;
	int rc = 0;

	pthread_mutex_lock(&r->lock);
	for (u32 i = 0; i < bytes / sizeof(*m) && !rc; i++)
		if (m[i].magic == MARK_MAGIC)
			rc = note(r, e, &m[i]);
	pthread_mutex_unlock(&r->lock);
	return rc;
}

/* ---- life ---- */

u64 record_sectors(const struct record *r)
{
	return r->sectors;
}

/* Into memory, without what is a hole. */
static int load(struct record *r, int fd)
{
	off_t end, at = 0;
	ssize_t len;

	for (;;) {
		at = lseek(fd, at, SEEK_DATA);
		if (at < 0 || (u64)at >= r->sectors * SECTOR)
			return at < 0 && errno != ENXIO ? -errno : 0;
		end = lseek(fd, at, SEEK_HOLE);
		if ((u64)end > r->sectors * SECTOR)
			end = r->sectors * SECTOR;
		for (; at < end; at += len) {
			len = pread(fd, r->mem + at, end - at, at);
			if (len <= 0)
				return -EIO;
		}
	}
}

static int open_base(struct record *r)
{
	const char *path = r->c.file ? r->c.file : r->c.base;
	struct stat st;
	int fd, rc;

	if (!path)
		return 0;
	fd = open(path, (r->c.file ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (r->c.file)
		r->fd = fd;
	rc = fstat(fd, &st) ? -errno : 0;
	if (!r->sectors)
		r->sectors = st.st_size / SECTOR;
	if (!rc && (u64)st.st_size != r->sectors * SECTOR)
		rc = -EINVAL;
	if (!rc) {
		r->mem = mmap(NULL, r->sectors * SECTOR, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		rc = r->mem == MAP_FAILED ? -errno : load(r, fd);
	}
	if (!r->c.file)
		close(fd);
	return rc;
}

static int open_trace(struct record *r)
{
	struct trace_head h = { TRACE_MAGIC, r->sectors };

	if (!r->c.trace)
		return 0;
	r->trace = open(r->c.trace, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (r->trace < 0)
		return -errno;
	return write(r->trace, &h, sizeof(h)) == sizeof(h) ? 0 : -EIO;
}

static int open_all(struct record *r)
{
	int rc = open_base(r);

	if (!rc && !r->mem) {
		r->mem = mmap(NULL, r->sectors * SECTOR, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		rc = r->mem == MAP_FAILED ? -errno : 0;
	}
	if (!rc && r->c.file) {
		r->dirty = calloc(1, r->sectors);
		rc = r->dirty ? 0 : -ENOMEM;
	}
	return rc ? rc : open_trace(r);
}

struct record *record_open(const struct record_config *c)
{
	struct record *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return NULL;
	r->c = *c;
	r->sectors = c->sectors;
	r->fd = -1;
	r->trace = -1;
	pthread_mutex_init(&r->lock, NULL);
	rc = open_all(r);
	if (!rc)
		return r;
	record_close(r);
	errno = -rc;
	return NULL;
}

void record_close(struct record *r)
{
	if (!r)
		return;
	if (r->mem && r->mem != MAP_FAILED)
		munmap(r->mem, r->sectors * SECTOR);
	if (r->fd >= 0)
		close(r->fd);
	if (r->trace >= 0)
		close(r->trace);
	free(r->dirty);
	free(r);
}
