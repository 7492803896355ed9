// SPDX-License-Identifier: GPL-2.0-only
/*
 * The race: processes that do anything to anything. Each operation may fail for
 * what the others do, but only in the ways that are listed with it.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nl_pool.h"
#include "stress.h"

#define NAMES	6
#define IMAGES	3

/* Shared by all: what went wrong, how often what happened, and what may be in the pool. */
struct board {
	_Atomic int bad;
	_Atomic u64 done[24];
	_Atomic u64 ok[24];
	u8 uuid[NAMES][16];	/* of uppers that were made; may be torn, or gone */
};

/**
 * struct racer - a process
 * @s: its own copy, with a socket of its own
 * @board: everybody's
 * @pool: descriptor of the pool, or -1
 * @me: number of the process
 * @fd: devices it has open, or -1
 * @rw: which of them are for writing
 * @buf: for I/O
 */
struct racer {
	struct stress *s;
	struct board *board;
	int pool;
	unsigned int me;
	int fd[4];
	bool rw[4];
	u8 *buf;
};

static void image_name(char *name, unsigned int i)
{
	snprintf(name, 32, "image%u", i);
}

static int op_load(struct racer *r)
{
	u32 flags = rng_chance(&r->s->rng, 20) ? YBD_IMAGE_FLAGS_READ_ONLY : 0;
	char name[32];

	image_name(name, rng_below(&r->s->rng, IMAGES));
	return load_whole(&r->s->n, name, r->s->fd, flags);
}

static int op_unload(struct racer *r)
{
	char name[32];

	image_name(name, rng_below(&r->s->rng, IMAGES));
	return image_unload(&r->s->n, name);
}

static int op_create(struct racer *r)
{
	char name[32], image[32];
	struct device_arg a = { .name = name, .image = image };

	snprintf(name, sizeof(name), "race%u", (unsigned int)rng_below(&r->s->rng, NAMES));
	image_name(image, rng_below(&r->s->rng, IMAGES));
	if (rng_chance(&r->s->rng, 60))
		a.ram = rng_chance(&r->s->rng, 50) ? MIB : 64ULL * MIB;
	return device_create(&r->s->n, &a, NULL);
}

static int op_detach(struct racer *r)
{
	char name[32];

	snprintf(name, sizeof(name), "race%u", (unsigned int)rng_below(&r->s->rng, NAMES));
	return device_detach(&r->s->n, name, rng_chance(&r->s->rng, 50));
}

/* -------- in a pool -------- */

static int op_upper_create(struct racer *r)
{
	u32 dev = rng_below(&r->s->rng, NAMES);
	char name[32], image[32];
	struct upper_arg a = { .name = name, .image = image, .pool = r->pool };
	struct upper_info u;
	int ret;

	if (r->pool < 0)
		return 0;
	snprintf(name, sizeof(name), "race%u", dev);
	image_name(image, rng_below(&r->s->rng, IMAGES));
	if (rng_chance(&r->s->rng, 40))
		a.flags = YBD_UPPER_FLAGS_VOLATILE;
	if (rng_chance(&r->s->rng, 20))
		a.reserve = 4 * MIB;
	ret = upper_create(&r->s->n, &a, &u);
	if (!ret && !a.flags)
		memcpy(r->board->uuid[dev], u.uuid, sizeof(u.uuid));
	return ret;
}

static int op_upper_attach(struct racer *r)
{
	char image[32];

	if (r->pool < 0)
		return 0;
	image_name(image, rng_below(&r->s->rng, IMAGES));
	return upper_attach(&r->s->n, r->pool, r->board->uuid[rng_below(&r->s->rng, NAMES)],
			    image, NULL);
}

static int op_upper_destroy(struct racer *r)
{
	u32 dev = rng_below(&r->s->rng, NAMES), flags = YBD_DETACH_FLAGS_DESTROY;
	char name[32];

	if (r->pool < 0)
		return 0;
	if (rng_chance(&r->s->rng, 50))
		return upper_destroy(&r->s->n, r->pool, r->board->uuid[dev]);
	if (rng_chance(&r->s->rng, 50))
		flags |= YBD_DETACH_FLAGS_FORCE;
	snprintf(name, sizeof(name), "race%u", dev);
	return device_detach_flags(&r->s->n, name, flags);
}

static int op_resize(struct racer *r)
{
	u64 size = IMAGE_SIZE + 4096 * rng_below(&r->s->rng, 4096);
	char name[32];

	snprintf(name, sizeof(name), "race%u", (unsigned int)rng_below(&r->s->rng, NAMES));
	return device_resize(&r->s->n, name, size, NULL);
}

/* -------- what uses a device -------- */

static int op_open(struct racer *r)
{
	unsigned int i = rng_below(&r->s->rng, ARRAY_LEN(r->fd));
	bool rw = rng_chance(&r->s->rng, 50);
	int fd;

	if (r->fd[i] >= 0) {
		close(r->fd[i]);
		r->fd[i] = -1;
		return 0;
	}
	fd = open_device(rng_below(&r->s->rng, NAMES), (rw ? O_RDWR : O_RDONLY) |
			 (rng_chance(&r->s->rng, 70) ? O_DIRECT : 0));
	r->rw[i] = rw;
	if (fd < 0)
		return fd;
	r->fd[i] = fd;
	return 0;
}

static int io_result(ssize_t got, size_t want)
{
	if (got < 0)
		return -errno;
	return (size_t)got == want ? 0 : -EIO;
}

static int op_read(struct racer *r)
{
	unsigned int i = rng_below(&r->s->rng, ARRAY_LEN(r->fd));
	u64 len = 512 * (1 + rng_below(&r->s->rng, 128));
	u64 at = 512 * rng_below(&r->s->rng, (IMAGE_SIZE - len) / 512);

	if (r->fd[i] < 0)
		return 0;
	return io_result(pread(r->fd[i], r->buf, len, at), len);
}

static int op_write(struct racer *r)
{
	unsigned int i = rng_below(&r->s->rng, ARRAY_LEN(r->fd));
	u64 len = 512 * (1 + rng_below(&r->s->rng, 64));
	u64 at = 512 * rng_below(&r->s->rng, (IMAGE_SIZE - len) / 512);

	if (r->fd[i] < 0 || !r->rw[i])
		return 0;
	if (rng_chance(&r->s->rng, 15))
		return fsync(r->fd[i]) ? -errno : 0;
	if (rng_chance(&r->s->rng, 25))
		return fallocate(r->fd[i], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				 at, len) ? -errno : 0;
	return io_result(pwrite(r->fd[i], r->buf, len, at), len);
}

static void see_nothing(const struct nlmsghdr *h, void *arg)
{
	(void)h;
	(void)arg;
}

static int op_list(struct racer *r)
{
	static const u8 cmds[] = { YBD_CMD_DEVICE_GET, YBD_CMD_IMAGE_GET, YBD_CMD_SOURCE_GET,
		YBD_CMD_POOL_GET };
	static struct nlm m;

	nlm_init(&m, &r->s->n, cmds[rng_below(&r->s->rng, ARRAY_LEN(cmds))], NLM_F_DUMP);
	return nlr_call(&r->s->n, &m, see_nothing, NULL);
}

static int op_sysfs(struct racer *r)
{
	char cmd[96];

	snprintf(cmd, sizeof(cmd), "cat /sys/block/ybd%u/ybd/* /sys/block/ybd%u/stat >/dev/null 2>&1",
		 (unsigned int)rng_below(&r->s->rng, NAMES),
		 (unsigned int)rng_below(&r->s->rng, NAMES));
	return system(cmd) < 0 ? -errno : 0;
}

static int op_rmmod(struct racer *r)
{
	(void)r;
	return unload_module();
}

/* Clear everything away, and the module with it, if nobody is in between. */
static int op_sweep(struct racer *r)
{
	char name[32];
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(r->fd); i++) {
		if (r->fd[i] >= 0)
			close(r->fd[i]);
		r->fd[i] = -1;
	}
	for (i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "race%u", i);
		device_detach(&r->s->n, name, true);
	}
	for (i = 0; i < IMAGES; i++) {
		image_name(name, i);
		image_unload(&r->s->n, name);
	}
	return unload_module();
}

/* A file system over it, that may lose its device at any time. */
static int op_mount(struct racer *r)
{
	unsigned int dev = rng_below(&r->s->rng, NAMES);
	char path[32], dir[32], file[64];
	int fd;

	if (!r->s->fs)
		return 0;
	snprintf(path, sizeof(path), "/dev/ybd%u", dev);
	snprintf(dir, sizeof(dir), "/tmp/mnt%u", r->me);
	mkdir(dir, 0700);
	if (mount(path, dir, "ext4", rng_chance(&r->s->rng, 50) ? MS_RDONLY : 0, "errors=continue"))
		return 0;
	snprintf(file, sizeof(file), "%s/f%u", dir, r->me);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0) {
		if (write(fd, r->buf, 64 * 1024) == 64 * 1024)
			fsync(fd);
		close(fd);
	}
	umount2(dir, MNT_DETACH);
	return 0;
}

#define MAX_ERRORS 10
static const struct {
	const char *name;
	int (*fn)(struct racer *r);
	unsigned int share[2];	/* of all; and where the module is to go often */
	int may[MAX_ERRORS];	/* errors that others may cause */
} ops[] = {
	/* ENOMEM: the module is just going */
	{ "load", op_load, { 6, 5 }, { EEXIST, EBUSY, ENOMEM } },
	{ "unload", op_unload, { 3, 5 }, { ENOENT, EBUSY } },
	{ "create", op_create, { 12, 5 }, { EEXIST, ENOENT, EROFS } },
	{ "detach", op_detach, { 8, 8 }, { ENODEV, EBUSY } },
	{ "open", op_open, { 20, 1 }, { ENOENT, ENXIO, EACCES, EROFS, EBUSY, EPERM } },
	{ "read", op_read, { 20, 1 }, { EIO, ENXIO, ENODEV } },
	{ "write", op_write, { 15, 0 }, { EIO, ENXIO, ENOSPC, EPERM, EROFS, EBUSY, EOPNOTSUPP,
		ENODEV, EINVAL /* a hole behind the end: gone */ } },
	{ "list", op_list, { 6, 5 }, { 0 } },
	{ "sysfs", op_sysfs, { 1, 0 }, { 0 } },
	{ "rmmod", op_rmmod, { 2, 8 }, { EWOULDBLOCK, EBUSY, ENOENT } },
	{ "sweep", op_sweep, { 2, 10 }, { EWOULDBLOCK, EBUSY, ENOENT } },
	{ "mount", op_mount, { 3, 0 }, { 0 } },
	{ "upper-create", op_upper_create, { 12, 5 }, { EEXIST, ENOENT, EROFS, ENOSPC, EBUSY,
		ENOMEM } },
	{ "upper-attach", op_upper_attach, { 12, 3 }, { EEXIST, ENOENT, EROFS, EBUSY, ENOMEM } },
	{ "upper-destroy", op_upper_destroy, { 6, 5 }, { ENOENT, ENODEV, EBUSY, ENOMEM } },
	{ "resize", op_resize, { 3, 1 }, { ENODEV, EINVAL, EBUSY } },
};

/* Index of rmmod in ops; sweep, which does the same, comes next. */
#define OP_RMMOD 9

static unsigned int pick_op(struct rng *rng, unsigned int mode)
{
	unsigned int i, total = 0, at;

	for (i = 0; i < ARRAY_LEN(ops); i++)
		total += ops[i].share[mode];
	at = rng_below(rng, total);
	for (i = 0; at >= ops[i].share[mode]; i++)
		at -= ops[i].share[mode];
	return i;
}

static bool may_fail(unsigned int op, int error)
{
	unsigned int i;

	for (i = 0; i < MAX_ERRORS; i++)
		if (ops[op].may[i] == error)
			return true;
	return false;
}

/* Somebody has unloaded the module; bring it back, together with others. */
static bool reconnect(struct racer *r)
{
	int i;

	nlr_close(&r->s->n);
	for (i = 0; i < 100; i++) {
		if (!nlr_open(&r->s->n))
			return true;
		nlr_close(&r->s->n);
		load_module();
	}
	return false;
}

static bool uses_netlink(unsigned int op)
{
	return ops[op].fn == op_load || ops[op].fn == op_unload || ops[op].fn == op_create ||
	       ops[op].fn == op_detach || ops[op].fn == op_list ||
	       ops[op].fn == op_upper_create || ops[op].fn == op_upper_attach ||
	       ops[op].fn == op_upper_destroy || ops[op].fn == op_resize;
}

static void race(struct stress *s, struct board *board, unsigned int me, unsigned int mode)
{
	struct racer r = { .s = s, .board = board, .me = me, .fd = { -1, -1, -1, -1 },
		.buf = xalloc(64 * 1024), .pool = -1 };
	unsigned int i, op;
	int ret;

	s->rng.s += me * 0x1234567ULL;
	if (s->pool)
		r.pool = open(s->pool, O_RDWR | O_CLOEXEC);
	if (nlr_open(&s->n) && !reconnect(&r))
		_exit(1);
	for (i = 0; i < s->ops; i++) {
		op = pick_op(&s->rng, mode);
		ret = ops[op].fn(&r);
		board->done[op]++;
		if (!ret) {
			board->ok[op]++;
			continue;
		}
		/* The family's number is gone or another's, or its module is going. */
		if (uses_netlink(op) && !s->n.text[0] &&
		    (ret == -ENOENT || ret == -EOPNOTSUPP || ret == -EINVAL ||
		     ret == -EPROTONOSUPPORT)) {
			if (reconnect(&r))
				continue;
			printf("# the module cannot be loaded again\n");
			board->bad++;
			break;
		}
		if (!may_fail(op, -ret)) {
			printf("# process %u, operation %u: %s: %s (%s)\n", me, i, ops[op].name,
			       strerror(-ret), s->n.text);
			board->bad++;
		}
	}
	fflush(stdout);
	_exit(0);
}

static void clear(struct stress *s)
{
	char name[160];
	unsigned int i;

	for (i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "race%u", i);
		device_detach(&s->n, name, true);
	}
	/* A lazy unmount may take a moment, too. */
	wait_gone(&s->n);
	for (i = 0; i < IMAGES; i++) {
		image_name(name, i);
		image_unload(&s->n, name);
	}
}

static void run_race(struct stress *s, unsigned int mode, unsigned int procs)
{
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct stress mine;
	int status, ret;
	struct state st;
	unsigned int i;
	const char *bad;

	if (board == MAP_FAILED)
		die("mmap: %m");
	nlr_close(&s->n);
	fflush(stdout);
	for (i = 0; i < procs; i++) {
		mine = *s;
		if (!fork())
			race(&mine, board, i, mode);
	}
	for (i = 0; i < procs; i++)
		if (wait(&status) < 0 || status)
			ktap_fail("a process ended with %#x", status);
	for (i = 0; i < ARRAY_LEN(ops); i++)
		if (ops[i].share[mode])
			printf("# %s: %" PRIu64 ", %" PRIu64 " well\n", ops[i].name,
			       (u64)board->done[i], (u64)board->ok[i]);
	ktap_check(!board->bad, "%d unexpected errors", (int)board->bad);
	ktap_check(mode != 1 || board->ok[OP_RMMOD] + board->ok[OP_RMMOD + 1],
		   "the module was never unloaded");
	ktap_done("%u processes, %u operations each: no error that is not expected", procs,
		  s->ops);
	load_module();
	if (nlr_open(&s->n))
		die("the module is gone");
	clear(s);
	bad = state_read(&s->n, &st);
	ktap_check(!bad && !st.n, "%s", bad ? bad : "something is left");
	for (i = 0; i < st.n; i++)
		printf("# %s\n", st.line[i]);
	state_free(&st);
	ktap_check(!system("! ls -d /sys/block/ybd* 2>/dev/null"), "/sys/block has ybd left");
	ret = unload_module();
	ktap_check(!ret, "rmmod: %d", ret);
	ktap_done("everything goes afterwards, the module too");
	if (load_module() || nlr_open(&s->n))
		die("the module does not come back");
}

void test_race(struct stress *s)
{
	if (s->fs) {
		close(s->fd);
		s->fd = open(s->fs, O_RDONLY | O_CLOEXEC);
		if (s->fd < 0)
			die("%s: %m", s->fs);
	}
	run_race(s, 0, s->procs);
	/* Few, so that there are moments with nothing in use. */
	run_race(s, 1, 3);
}
