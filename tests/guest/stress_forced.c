// SPDX-License-Identifier: GPL-2.0-only
/*
 * Forced detach while asynchronous I/O is under way on a slow source: it
 * returns, every request completes, new I/O fails, and the rest goes with the
 * last close.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "nl_pool.h"
#include "stress.h"

#define DEPTH	64
#define SIZE	(16 * 1024)

struct aio {
	aio_context_t ctx;
	int fd;
	u8 *buf;
	struct iocb cb[DEPTH];
	unsigned int under_way;
};

static void submit(struct stress *s, struct aio *a, unsigned int i, bool write)
{
	struct iocb *cb = &a->cb[i];
	/* Short writes have to read the image first. */
	u32 len = write ? 512 * (1 + rng_below(&s->rng, 12)) : SIZE;
	u64 at = 512 * rng_below(&s->rng, (IMAGE_SIZE - SIZE) / 512);

	*cb = (struct iocb){
		.aio_data = i, .aio_lio_opcode = write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
		.aio_fildes = a->fd, .aio_buf = (u64)(unsigned long)(a->buf + i * SIZE),
		.aio_nbytes = len, .aio_offset = at,
	};
	if (syscall(SYS_io_submit, a->ctx, 1, &cb) == 1)
		a->under_way++;
}

/* Take what has ended; wait for at least @min, at most a while. */
static unsigned int reap(struct aio *a, unsigned int min, unsigned int *failed,
			 unsigned int *strange)
{
	struct timespec ts = { .tv_sec = min ? 60 : 0 };
	struct io_event ev[DEPTH];
	long got = syscall(SYS_io_getevents, a->ctx, min, DEPTH, ev, &ts), i;

	for (i = 0; i < got; i++) {
		if (ev[i].res == (long long)a->cb[ev[i].data].aio_nbytes)
			continue;
		++*failed;
		if (ev[i].res != -EIO && ev[i].res != -ENODEV && ev[i].res != -ENXIO) {
			printf("# a request ended with %lld\n", (long long)ev[i].res);
			++*strange;
		}
	}
	if (got > 0)
		a->under_way -= got;
	return got > 0 ? got : 0;
}

enum kind { KIND_RO, KIND_RAM, KIND_PERSISTENT, KIND_VOLATILE, NR_KINDS };

/**
 * struct forced - the device that is taken away
 * @kind: what its writes go to
 * @pool: descriptor of the pool, or -1
 * @uuid: of its upper, once there is one that stays
 */
struct forced {
	enum kind kind;
	int pool;
	u8 uuid[16];
};

static int make_device(struct stress *s, struct forced *f, u32 *id)
{
	struct device_arg d = { .name = "forced", .image = "whole" };
	struct upper_arg a = { .name = "forced", .image = "whole", .pool = f->pool };
	struct upper_info u;
	int ret;

	if (f->kind == KIND_RO || f->kind == KIND_RAM) {
		d.ram = f->kind == KIND_RAM ? 64ULL * MIB : 0;
		return device_create(&s->n, &d, id);
	}
	a.flags = f->kind == KIND_VOLATILE ? YBD_UPPER_FLAGS_VOLATILE : 0;
	ret = upper_create(&s->n, &a, &u);
	if (!ret) {
		memcpy(f->uuid, u.uuid, sizeof(u.uuid));
		*id = u.id;
	}
	return ret;
}

/* It comes back, or one like it. */
static void make_again(struct stress *s, struct forced *f)
{
	u32 flags = YBD_DETACH_FLAGS_FORCE, id;
	int ret;

	if (f->kind == KIND_PERSISTENT) {
		ret = upper_attach(&s->n, f->pool, f->uuid, "whole", NULL);
		flags |= YBD_DETACH_FLAGS_DESTROY;
	} else {
		ret = make_device(s, f, &id);
	}
	ktap_check(!ret, "after the last close: %s", s->n.text);
	ktap_check(!device_detach_flags(&s->n, "forced", flags), "%s", s->n.text);
	wait_gone(&s->n);
}

static void round_of(struct stress *s, struct forced *f, bool iostats, unsigned int *failed)
{
	bool rw = f->kind != KIND_RO;
	unsigned int i, strange = 0;
	struct aio aio = { 0 };
	char cmd[96];
	ssize_t got;
	u32 id;

	ktap_check(!make_device(s, f, &id), "%s", s->n.text);
	if (!iostats) {
		snprintf(cmd, sizeof(cmd), "echo 0 >/sys/block/ybd%u/queue/iostats", id);
		ktap_check(!system(cmd), "iostats");
	}
	aio.fd = open_device(id, (rw ? O_RDWR : O_RDONLY) | O_DIRECT);
	aio.buf = xalloc(DEPTH * SIZE);
	if (aio.fd < 0 || syscall(SYS_io_setup, DEPTH, &aio.ctx))
		die("aio: fd %d: %m", aio.fd);
	for (i = 0; i < DEPTH; i++)
		submit(s, &aio, i, rw && i % 2);
	ktap_check(aio.under_way, "no I/O is under way");
	ktap_check(!device_detach(&s->n, "forced", true), "detach: %s", s->n.text);

	/* Held, and dead. */
	got = pread(aio.fd, aio.buf, 4096, 0);
	/* As with all disks that are gone: its size is 0, so this is behind its end. */
	ktap_check(!got || (got < 0 && errno == EIO), "read: %zd", got);
	if (rw)
		ktap_check(pwrite(aio.fd, aio.buf, 4096, 0) < 0, "a write went through");
	ktap_check(make_device(s, f, &id) == -EEXIST, "the name was free already");
	i = open_device(id, O_RDONLY) >= 0;
	ktap_check(!i, "it could be opened again");
	while (aio.under_way && reap(&aio, 1, failed, &strange))
		;
	ktap_check(!aio.under_way, "%u requests never completed", aio.under_way);
	ktap_check(!strange, "strange errors");
	syscall(SYS_io_destroy, aio.ctx);
	close(aio.fd);
	free(aio.buf);
	wait_gone(&s->n);
	make_again(s, f);
}

/* The data is right, and the device is there, until it is detached. */
static void check_reads(struct stress *s)
{
	struct device_arg a = { .name = "plain", .image = "whole" };
	u8 *buf = xalloc(SIZE);
	unsigned int i;
	u32 id;
	int fd;

	ktap_check(!device_create(&s->n, &a, &id), "%s", s->n.text);
	fd = open_device(id, O_RDONLY);
	for (i = 0; i < 50; i++) {
		u64 at = rng_below(&s->rng, (IMAGE_SIZE - SIZE) / 512);

		ktap_check(pread(fd, buf, SIZE, at * 512) == SIZE &&
			   right_data(buf, at, SIZE / 512), "sector %llu: %m",
			   (unsigned long long)at);
	}
	ktap_check(device_detach(&s->n, "plain", false) == -EBUSY, "detached while open");
	ktap_check(pread(fd, buf, SIZE, 0) == SIZE, "read after a refused detach: %m");
	close(fd);
	free(buf);
	/* udev may be looking at it. */
	for (i = 0; i < 3000 && device_detach(&s->n, "plain", false) == -EBUSY; i++)
		usleep(20000);
	ktap_check(i < 3000, "%s", s->n.text);
	ktap_done("plain detach waits for the last close and harms nobody");
}

void test_forced(struct stress *s)
{
	struct forced f = { .pool = -1 };
	unsigned int i, failed = 0;

	if (s->pool)
		f.pool = open(s->pool, O_RDWR | O_CLOEXEC);
	if (load_whole(&s->n, "whole", s->fd, 0))
		die("forced: %s", s->n.text);
	check_reads(s);
	for (i = 0; i < 24 && !ktap.bad; i++) {
		f.kind = i % (f.pool < 0 ? KIND_PERSISTENT : NR_KINDS);
		round_of(s, &f, i & 4, &failed);
	}
	if (f.pool >= 0)
		close(f.pool);
	printf("# %u requests were cut off\n", failed);
	ktap_check(!image_unload(&s->n, "whole"), "%s", s->n.text);
	ktap_done("forced detach under I/O: all of it completes, nothing new does, gone with the last close");
}
