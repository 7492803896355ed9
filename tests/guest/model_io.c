// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "model_io.h"

const char *const engine_names[NR_ENGINES] = { "sync", "aio", "io_uring" };

/**
 * struct uring - the rings of io_uring
 * @fd: the ring
 * @ring: both rings, @ring_len bytes
 * @sqe: submission entries
 * @sq_tail: of the submission ring, and so on
 */
struct uring {
	int fd;
	u8 *ring;
	size_t ring_len;
	struct io_uring_sqe *sqe;
	_Atomic u32 *sq_tail;
	u32 *sq_array;
	u32 sq_mask;
	_Atomic u32 *cq_head;
	_Atomic u32 *cq_tail;
	u32 cq_mask;
	struct io_uring_cqe *cqe;
};

struct engine_state {
	enum engine kind;
	int fd;
	aio_context_t aio;
	struct uring ring;
};

/* ---- io_uring ---- */

static bool uring_open(struct uring *r)
{
	struct io_uring_params p = { 0 };

	r->fd = syscall(__NR_io_uring_setup, MAX_DEPTH, &p);
	if (r->fd < 0)
		return false;
	r->ring_len = p.cq_off.cqes + p.cq_entries * sizeof(*r->cqe);
	r->ring = mmap(NULL, r->ring_len, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING);
	r->sqe = mmap(NULL, p.sq_entries * sizeof(*r->sqe), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
	if (r->ring == MAP_FAILED || r->sqe == MAP_FAILED)
		die("io_uring: mmap: %m");
	r->sq_tail = (_Atomic u32 *)(r->ring + p.sq_off.tail);
	r->sq_array = (u32 *)(r->ring + p.sq_off.array);
	r->sq_mask = *(u32 *)(r->ring + p.sq_off.ring_mask);
	r->cq_head = (_Atomic u32 *)(r->ring + p.cq_off.head);
	r->cq_tail = (_Atomic u32 *)(r->ring + p.cq_off.tail);
	r->cq_mask = *(u32 *)(r->ring + p.cq_off.ring_mask);
	r->cqe = (struct io_uring_cqe *)(r->ring + p.cq_off.cqes);
	return true;
}

static void uring_queue(struct uring *r, int fd, struct job *job)
{
	u32 tail = atomic_load(r->sq_tail), i = tail & r->sq_mask;

	r->sqe[i] = (struct io_uring_sqe){
		.opcode = job->op.kind == OP_READ ? IORING_OP_READV : IORING_OP_WRITEV,
		.fd = fd,
		.off = job->op.sector * SECTOR,
		.addr = (uintptr_t)job->iov,
		.len = job->nr_iov,
		.rw_flags = job->rwf,
		.user_data = (uintptr_t)job,
	};
	r->sq_array[i] = i;
	atomic_store(r->sq_tail, tail + 1);
}

static void uring_run(struct uring *r, int fd, struct job *const *jobs, int nr)
{
	int i, got = 0;

	for (i = 0; i < nr; i++)
		uring_queue(r, fd, jobs[i]);
	if (syscall(__NR_io_uring_enter, r->fd, nr, nr, IORING_ENTER_GETEVENTS,
		    NULL, 0) != nr)
		die("io_uring_enter: %m");
	while (got < nr) {
		u32 head = atomic_load(r->cq_head);
		const struct io_uring_cqe *c = &r->cqe[head & r->cq_mask];

		if (head == atomic_load(r->cq_tail)) {
			syscall(__NR_io_uring_enter, r->fd, 0, nr - got,
				IORING_ENTER_GETEVENTS, NULL, 0);
			continue;
		}
		((struct job *)(uintptr_t)c->user_data)->res = c->res;
		atomic_store(r->cq_head, head + 1);
		got++;
	}
}

/* ---- Linux AIO ---- */

static void aio_run(struct engine_state *s, struct job *const *jobs, int nr)
{
	struct io_event ev[MAX_DEPTH];
	struct iocb cb[MAX_DEPTH], *list[MAX_DEPTH];
	int i, n, got, sent = 0;

	for (i = 0; i < nr; i++) {
		const struct job *job = jobs[i];

		cb[i] = (struct iocb){
			.aio_data = i,
			.aio_lio_opcode = job->op.kind == OP_READ ? IOCB_CMD_PREADV
								  : IOCB_CMD_PWRITEV,
			.aio_fildes = s->fd,
			.aio_buf = (uintptr_t)job->iov,
			.aio_nbytes = job->nr_iov,
			.aio_offset = job->op.sector * SECTOR,
			.aio_rw_flags = job->rwf,
		};
		list[i] = &cb[i];
	}
	while (sent < nr) {
		n = syscall(__NR_io_submit, s->aio, nr - sent, list + sent);
		if (n <= 0)
			die("io_submit: %m");
		sent += n;
	}
	for (got = 0; got < nr; got += n) {
		n = syscall(__NR_io_getevents, s->aio, 1, nr - got, ev, NULL);
		if (n < 0)
			n = 0;
		for (i = 0; i < n; i++)
			jobs[ev[i].data]->res = ev[i].res;
	}
}

/* ---- all ---- */

struct engine_state *engine_open(enum engine e, int fd)
{
	struct engine_state *s = xalloc(sizeof(*s));

	s->kind = e;
	s->fd = fd;
	if (e == ENGINE_AIO && syscall(__NR_io_setup, MAX_DEPTH, &s->aio))
		die("io_setup: %m");
	if (e == ENGINE_URING && !uring_open(&s->ring)) {
		free(s);
		return NULL;
	}
	return s;
}

void engine_close(struct engine_state *s)
{
	if (s->kind == ENGINE_AIO)
		syscall(__NR_io_destroy, s->aio);
	if (s->kind == ENGINE_URING) {
		munmap(s->ring.ring, s->ring.ring_len);
		close(s->ring.fd);
	}
	free(s);
}

static void sync_run(int fd, struct job *job)
{
	off_t off = job->op.sector * SECTOR;

	if (job->op.kind == OP_READ)
		job->res = preadv2(fd, job->iov, job->nr_iov, off, job->rwf);
	else
		job->res = pwritev2(fd, job->iov, job->nr_iov, off, job->rwf);
	if (job->res < 0)
		job->res = -errno;
}

void engine_run(struct engine_state *s, struct job *const *jobs, int nr)
{
	int i;

	if (s->kind == ENGINE_AIO) {
		aio_run(s, jobs, nr);
	} else if (s->kind == ENGINE_URING) {
		uring_run(&s->ring, s->fd, jobs, nr);
	} else {
		for (i = 0; i < nr; i++)
			sync_run(s->fd, jobs[i]);
	}
}

long job_ioctl(int fd, const struct job *job)
{
	u64 range[2] = { job->op.sector * SECTOR, (u64)job->op.nr * SECTOR };
	int ret = -1;

	errno = EINVAL;
	switch (job->op.kind) {
	case OP_ZERO:
		ret = ioctl(fd, BLKZEROOUT, range);
		break;
	case OP_DISCARD:
		ret = ioctl(fd, BLKDISCARD, range);
		break;
	case OP_PUNCH:
		ret = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				range[0], range[1]);
		break;
	case OP_FLUSH:
		ret = fdatasync(fd);
		break;
	default:
		break;
	}
	return ret ? -errno : (long)range[1];
}
