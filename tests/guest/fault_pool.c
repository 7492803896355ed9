// SPDX-License-Identifier: GPL-2.0-only
/*
 * Uppers in a pool while allocations and requests fail: in every command, in writes, flushes and
 * checkpoints. Afterwards the pool is always without damage, and each upper has what a flush that
 * succeeded has made durable.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fault.h"
#include "fault_inject.h"
#include "nl_pool.h"
#include "pool/pool.h"
#include "upper_model.h"

#define SECTORS		(BLOCK / UM_SECTOR)
#define MOST		(65536 + 512)	/* bytes of a write */
#define MOST_READ	16384
#define PART		1		/* of the allocations of a command */

/**
 * struct victim - the upper that is written to
 * @m: what it must have
 * @uuid: of the upper
 * @fd: its device, or -1
 * @fresh: next block that was never written
 * @buf: for I/O
 */
static struct victim {
	struct upper_model m;
	u8 uuid[16];
	int fd;
	u64 fresh;
	u8 *buf;
} v = { .fd = -1 };

static const char *pool_path;
static int pool_fd;
static u8 gone_uuid[16];	/* of an upper that is never attached */

/* -------- the pool -------- */

static struct pool *open_checked(struct pool_io **io)
{
	struct ybd_error err = { 0 };
	struct pool *p;

	if (pool_io_open(pool_path, POOL_IO_CHECK, 0, io, &err) || pool_check(*io, &p, &err))
		die("%s: %s", pool_path, err.text);
	return p;
}

/* Nobody has it. Is it without damage? Says how many uppers are in it. */
static u32 check_pool(void)
{
	struct pools_info info;
	struct pool_io *io;
	struct pool *p;
	u32 live, i;

	/* what was open when it was detached goes a moment after its last close */
	for (i = 0; i < 500 && !pools_get(&fault.n, &info) && info.nr; i++)
		usleep(10000);
	ktap_check(!info.nr, "%u pools are in use", info.nr);
	p = open_checked(&io);
	for (i = 0; i < p->report.nr; i++)
		if (p->report.find[i].error)
			ktap_fail("pool check: %s", p->report.find[i].text);
	live = p->totals.live;
	pool_close(p);
	pool_io_close(io);
	return live;
}

static void expect_live(u32 want)
{
	u32 live = check_pool();

	ktap_check(live == want, "%u uppers are in the pool, expected %u", live, want);
}

/* Destroy all that is in it. The check claims the disk as long as it is open. */
static void empty_pool(void)
{
	struct pool_io *io;
	struct pool *p = open_checked(&io);

	pool_io_close(io);
	for (u32 i = 0; i < p->info.layout.nr_uppers; i++)
		if (p->upper[i].place == POOL_PLACE_LIVE)
			must(upper_destroy(&fault.n, pool_fd, p->upper[i].uuid), "destroy");
	pool_close(p);
	expect_live(0);
}

/* -------- the control path -------- */

static struct upper_arg arg = { .image = "base" };
static int layers;

static void make_create(struct nlm *m, u32 flags, u64 reserve)
{
	arg.name = "new";
	arg.pool = pool_fd;
	arg.flags = flags;
	arg.reserve = reserve;
	upper_create_msg(m, &fault.n, &arg, flags & YBD_UPPER_FLAGS_VOLATILE ? -1 : layers);
}

static void make_persistent(struct nlm *m) { make_create(m, 0, 0); }
static void make_reserve(struct nlm *m) { make_create(m, 0, 2 * MIB); }
static void make_volatile(struct nlm *m) { make_create(m, YBD_UPPER_FLAGS_VOLATILE, 0); }
static void make_pools(struct nlm *m) { nlm_init(m, &fault.n, YBD_CMD_POOL_GET, NLM_F_DUMP); }

/* What was made goes; what failed has left nothing. */
static void settle_new(void)
{
	int ret = fault_detach("new", YBD_DETACH_FLAGS_DESTROY);

	if (ret != -ENODEV)
		must(ret, "destroy");
	expect_live(1);
}

static void settle_new_open(void)
{
	int ret = fault_detach("new", YBD_DETACH_FLAGS_DESTROY);

	if (ret != -ENODEV)
		must(ret, "destroy");
}

static void make_attach(struct nlm *m)
{
	upper_msg(m, &fault.n, YBD_CMD_DEVICE_ATTACH, pool_fd, v.uuid, "base");
}

static void settle_attach(void)
{
	int ret = fault_detach("victim", 0);

	if (ret != -ENODEV)
		must(ret, "detach");
	expect_live(1);
}

static void make_resize(struct nlm *m)
{
	static u64 size = 16ULL * MIB;

	size += BLOCK;
	resize_msg(m, &fault.n, "new", size);
}

static void make_destroy(struct nlm *m)
{
	upper_msg(m, &fault.n, YBD_CMD_UPPER_DESTROY, pool_fd, gone_uuid, NULL);
}

/* There is one, whether the last one is still there or not. */
static void make_gone(void)
{
	struct upper_arg a = { .name = "gone", .image = "base", .pool = pool_fd };
	struct upper_info u;
	int ret = upper_create(&fault.n, &a, &u);

	if (ret == -EEXIST)
		return;
	must(ret, "create");
	memcpy(gone_uuid, u.uuid, sizeof(gone_uuid));
	must(fault_detach("gone", 0), "detach");
}

static void settle_destroy(void)
{
	make_gone();
	expect_live(2);
}

/* -------- reading and writing -------- */

static void attach_victim(void)
{
	struct upper_info u;
	char path[32];

	must(upper_attach(&fault.n, pool_fd, v.uuid, "base", &u), "attach");
	snprintf(path, sizeof(path), "/dev/ybd%u", u.id);
	v.fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (v.fd < 0)
		die("%s: %m", path);
}

/* While it is open, or not. */
static void detach_victim(bool open)
{
	if (!open) {
		close(v.fd);
		v.fd = -1;
	}
	must(fault_detach("victim", open ? YBD_DETACH_FLAGS_FORCE : 0), "detach");
	if (v.fd >= 0)
		close(v.fd);
	v.fd = -1;
}

/* All of it; @lost: after it was detached in spite of errors. */
static void check_victim(bool lost)
{
	const char *why;

	for (u64 at = 0; at < v.m.nr && !ktap.bad; at += MIB / UM_SECTOR) {
		if (pread(v.fd, v.buf, MIB, at * UM_SECTOR) != MIB) {
			ktap_fail("read of the MiB at sector %" PRIu64 ": %m", at);
			return;
		}
		why = lost ? um_adopt(&v.m, at, MIB / UM_SECTOR, v.buf) :
			     um_check(&v.m, at, MIB / UM_SECTOR, v.buf);
		ktap_check(!why, "%s", why);
	}
}

enum what { W_FIRST, W_OVERWRITE, W_SHORT, W_LARGE, W_FUA, W_DISCARD, W_ZEROES, W_FLUSH, W_NOWAIT,
	W_READ, NR_WHAT };

static const char *const what_names[] = {
	"first write", "overwrite", "short first write", "large write", "write with FUA", "discard",
	"write zeroes", "flush", "NOWAIT write", "read",
};

/* Which sectors? Those of a first write nobody has written to, as long as there are any. */
static void where(enum what what, u64 *at, u32 *nr)
{
	u64 blocks = v.m.nr / SECTORS - 32;
	bool fresh = what != W_OVERWRITE && what != W_DISCARD && what != W_READ;

	*nr = SECTORS;
	*at = (fresh ? v.fresh : rng_below(&fault.rng, v.fresh + 1)) * SECTORS;
	if (what == W_SHORT) {
		*at += 1;
		*nr = 3;
	} else if (what == W_LARGE) {
		*nr = MOST / UM_SECTOR;
	} else if (what == W_DISCARD || what == W_ZEROES) {
		*nr = 3 * SECTORS;
	}
	if (fresh)
		v.fresh = (v.fresh + 1 + *nr / SECTORS) % blocks;
}

static int read_some(u64 at, u32 nr)
{
	ssize_t got = pread(v.fd, v.buf, nr * UM_SECTOR, at * UM_SECTOR);
	const char *why;

	if (got < 0)
		return -errno;
	why = um_check(&v.m, at, nr, v.buf);
	ktap_check(!why, "%s", why);
	return 0;
}

static int write_some(enum what what, u32 op, u64 at, u32 nr)
{
	static const int flags[NR_WHAT] = { [W_FUA] = RWF_DSYNC, [W_NOWAIT] = RWF_NOWAIT };
	struct iovec iov = { v.buf, nr * UM_SECTOR };
	ssize_t got;

	um_fill(&v.m, op, v.buf);
	got = pwritev2(v.fd, &iov, 1, at * UM_SECTOR, flags[what]);
	if (got < 0)
		return -errno;
	return (size_t)got == iov.iov_len ? 0 : -EIO;
}

/* One operation, of which the @nth allocation fails; 0: none. */
static int do_what(enum what what, unsigned int nth, bool *injected)
{
	bool zero = what == W_DISCARD || what == W_ZEROES;
	u64 at, range[2];
	u32 nr, op = 0;
	int ret;

	where(what, &at, &nr);
	range[0] = at * UM_SECTOR;
	range[1] = nr * UM_SECTOR;
	if (what != W_FLUSH && what != W_READ)
		op = um_begin(&v.m, at, nr, zero);
	fail_set(nth);
	if (what == W_FLUSH)
		ret = fsync(v.fd) ? -errno : 0;
	else if (what == W_READ)
		ret = read_some(at, nr);
	else if (zero)
		ret = ioctl(v.fd, what == W_DISCARD ? BLKDISCARD : BLKZEROOUT, range) ? -errno : 0;
	else
		ret = write_some(what, op, at, nr);
	*injected = fail_end();
	if (op)
		um_end(&v.m, op, !ret, what == W_FUA);
	else if (what == W_FLUSH && !ret)
		um_flushed(&v.m);
	return ret;
}

static int do_plain(enum what what)
{
	bool injected;

	return do_what(what, 0, &injected);
}

/* The null_blk below the image injects time-outs, too. */
static bool may_fail_so(int ret)
{
	return !ret || ret == -ENOMEM || ret == -EIO || ret == -EAGAIN || ret == -ETIMEDOUT;
}

/* What fails for want of memory fails alone: what comes next does not. */
static void fault_what(enum what what)
{
	unsigned int nth, failed = 0;
	bool injected = true;
	int ret;

	for (nth = 1; injected && nth < MAX_NTH && !ktap.bad;
	     nth = fail_next(&fault.rng, fault.all, nth, 6)) {
		if (what == W_FLUSH)
			do_plain(W_FIRST);
		ret = do_what(what, nth, &injected);
		failed += !!ret;
		ktap_check(may_fail_so(ret), "allocation %u: %s", nth, strerror(-ret));
		if (!injected && what != W_NOWAIT)
			ktap_check(!ret, "without a fault: %s", strerror(-ret));
		ret = do_plain(W_FIRST) ?: do_plain(W_FLUSH);
		ktap_check(!ret, "after allocation %u: %s", nth, strerror(-ret));
	}
	ktap_check(!injected || ktap.bad, "no end");
	check_victim(false);
	printf("# about %u allocations, %u failed\n", nth, failed);
	ktap_done("pool: %s", what_names[what]);
}

/* -------- what others do, and the device below -------- */

static void random_io(const char *name, unsigned int nr)
{
	unsigned int failed = 0;

	for (unsigned int i = 0; i < nr && !ktap.bad; i++) {
		enum what what = rng_below(&fault.rng, NR_WHAT);
		int ret = do_plain(what);

		failed += ret && ret != -EAGAIN;
		ktap_check(may_fail_so(ret), "%s: %s", what_names[what], strerror(-ret));
	}
	printf("# %s: %u of %u operations failed\n", name, failed, nr);
}

/* What was durable is there when it comes back; and then it works. */
static void come_back(bool open)
{
	detach_victim(open);
	expect_live(1);
	attach_victim();
	check_victim(true);
	ktap_check(!do_plain(W_FIRST) && !do_plain(W_FLUSH), "it cannot be written: %m");
}

/* Log blocks, so that a checkpoint becomes due in one round or another. */
static void many_commits(void)
{
	for (unsigned int i = 0; i < 40 && !ktap.bad; i++) {
		do_plain(W_FIRST);
		do_plain(W_FLUSH);
	}
}

static void test_workers(void)
{
	unsigned int i, nr = 0, dead = 0, rounds = 10;

	for (i = 0; i < rounds && !ktap.bad; i++) {
		fail_in_module(i % 2 ? 20 : 3);
		random_io("anywhere in the module", fault.nr_ops / rounds);
		many_commits();
		nr += fail_in_module(0);
		/* a commit that found no memory at all may have ended it */
		if (do_plain(W_FIRST)) {
			dead++;
			come_back(i % 2);
		}
		check_victim(false);
	}
	printf("# %u allocations failed; %u of %u times nothing more was accepted\n", nr, dead,
	       rounds);
	ktap_check(nr, "no allocation failed");
	ktap_done("pool: allocations fail in workers too");
}

static void test_pool_requests(void)
{
	unsigned int i, nr = 0, rounds = 10;

	for (i = 0; i < rounds && !ktap.bad; i++) {
		fail_requests(pool_path, i % 2 ? 20 : 1);
		random_io("the pool", fault.nr_ops / rounds);
		nr += fail_requests(pool_path, 0);
		come_back(i % 2);
	}
	ktap_check(nr, "no request failed");
	ktap_done("pool: requests to it fail");
}

/* An upper nobody has written to: all of it comes from the source. Says how many reads failed. */
static unsigned int read_untouched(const u8 *content)
{
	struct upper_arg a = { .name = "new", .image = "base", .pool = pool_fd,
			       .flags = YBD_UPPER_FLAGS_VOLATILE };
	unsigned int failed = 0;
	struct upper_info u;
	char path[32];
	int fd;

	must(upper_create(&fault.n, &a, &u), "create");
	snprintf(path, sizeof(path), "/dev/ybd%u", u.id);
	fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		die("%s: %m", path);
	for (u64 at = 0; at < v.m.nr * UM_SECTOR && failed < 20 && !ktap.bad; at += MOST_READ) {
		ssize_t got = pread(fd, v.buf, MOST_READ, at);

		failed += got < 0;
		ktap_check(got < 0 ? errno == EIO : got == MOST_READ &&
			   !memcmp(v.buf, content + at, MOST_READ), "read at %" PRIu64, at);
	}
	close(fd);
	must(fault_detach("new", YBD_DETACH_FLAGS_DESTROY), "destroy");
	return failed;
}

/* That harms nothing but what is to be read of it. */
static void test_source_requests(const char *disk, const u8 *content)
{
	fail_requests(disk, 20);
	random_io("the source", fault.nr_ops);
	ktap_check(read_untouched(content), "no request failed");
	fail_requests(disk, 0);
	check_victim(false);
	ktap_check(!do_plain(W_FIRST) && !do_plain(W_FLUSH), "it cannot be written: %m");
	ktap_done("pool: requests to the source fail");
}

/* -------- commands, while requests to the pool fail -------- */

static void random_command(void)
{
	struct upper_arg a = { .image = "base", .pool = pool_fd };
	char name[16];
	u8 *uuid = rng_chance(&fault.rng, 50) ? gone_uuid : v.uuid;

	snprintf(name, sizeof(name), "io%u", (unsigned int)rng_below(&fault.rng, 3));
	a.name = name;
	if (rng_chance(&fault.rng, 20))
		a.reserve = MIB;
	switch (rng_below(&fault.rng, 6)) {
	case 0: upper_create(&fault.n, &a, NULL); break;
	case 1: upper_attach(&fault.n, pool_fd, uuid, "base", NULL); break;
	case 2: device_detach(&fault.n, rng_chance(&fault.rng, 50) ? "gone" : name, false); break;
	case 3: device_detach_flags(&fault.n, name, YBD_DETACH_FLAGS_DESTROY); break;
	case 4: upper_destroy(&fault.n, pool_fd, gone_uuid); break;
	case 5: device_resize(&fault.n, name, (16 + rng_below(&fault.rng, 64)) * MIB, NULL); break;
	}
}

static void detach_all(void)
{
	static const char *const names[] = { "io0", "io1", "io2", "gone", "victim" };
	int ret;

	for (unsigned int i = 0; i < ARRAY_LEN(names); i++) {
		ret = fault_detach(names[i], 0);
		if (ret != -ENODEV)
			must(ret, names[i]);
	}
}

static void test_commands_io(void)
{
	unsigned int i, k, nr = 0;

	for (i = 0; i < 12 && !ktap.bad; i++) {
		make_gone();
		fail_requests(pool_path, 3 + 10 * (i % 3));
		for (k = 0; k < 30; k++)
			random_command();
		nr += fail_requests(pool_path, 0);
		detach_all();
		check_pool();
		attach_victim();
		check_victim(true);
		detach_victim(false);
	}
	printf("# %u requests failed\n", nr);
	ktap_check(nr, "no request failed");
	ktap_done("pool: commands while requests to it fail: no damage, and nothing is lost");
}

/* -------- */

static const struct command closed_commands[] = {
	{ .name = "create, persistent", .make = make_persistent, .kind = 'D',
	  .settle = settle_new, .part = PART },
	{ .name = "create, with a reserve", .make = make_reserve, .kind = 'D',
	  .settle = settle_new, .part = PART },
	{ .name = "create, volatile", .make = make_volatile, .kind = 'D', .settle = settle_new,
	  .part = PART },
	{ .name = "attach", .make = make_attach, .kind = 'D', .settle = settle_attach,
	  .part = PART },
};

static const struct command destroy_commands[] = {
	{ .name = "upper-destroy", .make = make_destroy, .settle = settle_destroy, .part = PART },
};

static void make_detach_new(struct nlm *m) { detach_msg(m, &fault.n, "new", 0); }

static void make_detach_destroy(struct nlm *m)
{
	detach_msg(m, &fault.n, "new", YBD_DETACH_FLAGS_DESTROY);
}

static u8 new_uuid[16];

/* A device that has something to commit. */
static void redo_new(void)
{
	struct upper_arg a = { .name = "new", .image = "base", .pool = pool_fd };
	struct upper_info u;
	char path[32];
	int fd, ret;

	ret = upper_attach(&fault.n, pool_fd, new_uuid, "base", &u);
	if (ret == -ENOENT) {
		ret = upper_create(&fault.n, &a, &u);
		memcpy(new_uuid, u.uuid, sizeof(new_uuid));
	}
	must(ret, "attach or create");
	snprintf(path, sizeof(path), "/dev/ybd%u", u.id);
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	memset(v.buf, 1, BLOCK);
	if (fd < 0 || pwrite(fd, v.buf, BLOCK, BLOCK * rng_below(&fault.rng, 1000)) != BLOCK)
		die("%s: %m", path);
	close(fd);
}

static const struct command open_commands[] = {
	{ .name = "resize", .make = make_resize, .kind = 'D', .changes = true, .part = PART },
	{ .name = "pool-get dump", .make = make_pools },
	{ .name = "detach", .make = make_detach_new, .kind = 'D', .goes = true, .redo = redo_new,
	  .part = PART },
	{ .name = "detach and destroy", .make = make_detach_destroy, .kind = 'D', .goes = true,
	  .redo = redo_new, .part = PART },
};

/* One more that is in the pool meanwhile. */
static const struct command second_commands[] = {
	{ .name = "create, in an open pool", .make = make_persistent, .kind = 'D',
	  .settle = settle_new_open, .part = PART },
};

static void run_commands(const struct command *c, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		fault_command(&c[i]);
}

/* Enough for a checkpoint and a log behind it. */
static void make_victim(const u8 *content, u64 size)
{
	struct upper_arg a = { .name = "victim", .image = "base", .pool = pool_fd };
	struct upper_info u;
	int i, ret = 0;

	um_init(&v.m, content, size / UM_SECTOR);
	v.buf = xalloc(MIB);
	must(upper_create(&fault.n, &a, &u), "create");
	memcpy(v.uuid, u.uuid, sizeof(v.uuid));
	must(fault_detach("victim", 0), "detach");
	attach_victim();
	for (i = 0; i < 300 && !ret; i++)
		ret = do_plain(i % 2 ? W_OVERWRITE : W_FIRST) ?: do_plain(W_FLUSH);
	must(ret, "write");
	check_victim(false);
	ktap_done("pool: without faults");
	detach_victim(false);
}

void test_pools(const char *disk, const char *lower, const u8 *content, u64 size)
{
	enum what what;

	pool_path = disk;
	pool_fd = open(disk, O_RDWR | O_CLOEXEC);
	if (pool_fd < 0)
		die("%s: %m", disk);
	layers = layers_fd();
	make_victim(content, size);
	run_commands(closed_commands, ARRAY_LEN(closed_commands));
	make_gone();
	run_commands(destroy_commands, ARRAY_LEN(destroy_commands));
	must(upper_destroy(&fault.n, pool_fd, gone_uuid), "destroy");
	redo_new();
	run_commands(open_commands, ARRAY_LEN(open_commands));
	must(fault_detach("new", YBD_DETACH_FLAGS_DESTROY), "destroy");
	attach_victim();
	check_victim(false);
	run_commands(second_commands, ARRAY_LEN(second_commands));
	for (what = 0; what < NR_WHAT; what++)
		fault_what(what);
	test_workers();
	test_pool_requests();
	test_source_requests(lower, content);
	detach_victim(false);
	test_commands_io();
	empty_pool();
	ktap_done("pool: and it can be emptied");
	close(layers);
	close(pool_fd);
	um_free(&v.m);
}
