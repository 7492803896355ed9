// SPDX-License-Identifier: GPL-2.0-only
/*
 * ybd-fault [-a] [-s SEED] [-n OPERATIONS] [-t PART] [-p POOL] DISK
 * ybd-fault -t lower -b FIRST:LAST -w UNDERLYING DISK
 *
 * Makes one allocation after the other fail, in every command and in the data
 * path: the n-th of a system call fails, with n from 1 until there is none left.
 * Not every n is tried, the larger the fewer, unless -a asks for all. What fails
 * must change nothing, what succeeds must be whole. Needs a kernel with fault
 * injection; DISK is overwritten. POOL is a disk with an empty pool: uppers in it
 * are the part "pool" (fault_pool.c).
 *
 * The part "lower" is for a DISK of which the sectors FIRST to LAST cannot be
 * read: just what stands on them must fail.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"
#include "fault_inject.h"
#include "nl_pool.h"

#define IMAGE_SIZE	(16ULL * MIB)

struct fault fault = { .nr_ops = 3000 };
static int source_fd, cgroup_fd = -1;
static const char *disk, *fill;
static u64 bad_first = 1, bad_last;	/* sectors of the disk that fail */

/* -------- the control path -------- */

static struct ybd_map_extent maps[3][600];
static u32 map_nr[3];
static int map_fds[3];

static void make_image(struct nlm *m, int which, unsigned int nr_fds)
{
	int fds[8];
	struct image_arg a = {
		.name = "new", .size = IMAGE_SIZE, .nr = map_nr[which], .fds = fds,
		.nr_fds = nr_fds,
	};
	unsigned int i;

	for (i = 0; i < nr_fds; i++)
		fds[i] = source_fd;
	image_msg(m, &fault.n, &a, map_fds[which]);
}

static void make_image_table(struct nlm *m) { make_image(m, 0, 1); }
static void make_image_wide(struct nlm *m) { make_image(m, 1, 8); }
static void make_image_ext(struct nlm *m) { make_image(m, 2, 4); }

static void make_device(struct nlm *m, u64 ram, int cgroup)
{
	struct device_arg a = { .name = "new", .image = "base", .ram = ram, .cgroup = cgroup };

	device_msg(m, &fault.n, &a);
}

static void make_device_ro(struct nlm *m) { make_device(m, 0, 0); }
static void make_device_ram(struct nlm *m) { make_device(m, MIB, 0); }
static void make_device_cgroup(struct nlm *m) { make_device(m, MIB, cgroup_fd + 1); }

static void make_detach(struct nlm *m)
{
	named_msg(m, &fault.n, YBD_CMD_DEVICE_DETACH, YBD_A_DEVICE_NAME, "rw");
}

static void make_force(struct nlm *m)
{
	make_detach(m);
	nlm_u32(m, YBD_A_DEVICE_DETACH_FLAGS, YBD_DETACH_FLAGS_FORCE);
}

static void make_unload(struct nlm *m)
{
	named_msg(m, &fault.n, YBD_CMD_IMAGE_UNLOAD, YBD_A_IMAGE_NAME, "spare");
}

static void make_device_get(struct nlm *m)
{
	named_msg(m, &fault.n, YBD_CMD_DEVICE_GET, YBD_A_DEVICE_NAME, "rw");
}

static void make_image_get(struct nlm *m)
{
	named_msg(m, &fault.n, YBD_CMD_IMAGE_GET, YBD_A_IMAGE_NAME, "base");
}

static void make_source_get(struct nlm *m)
{
	size_t nest;

	nlm_init(m, &fault.n, YBD_CMD_SOURCE_GET, 0);
	nest = nlm_nest(m, YBD_A_SOURCES_SOURCE);
	nlm_u32(m, YBD_A_SOURCE_ID, 1);
	nlm_end(m, nest);
}

static void make_info(struct nlm *m) { nlm_init(m, &fault.n, YBD_CMD_INFO_GET, 0); }

static void make_device_dump(struct nlm *m)
{
	nlm_init(m, &fault.n, YBD_CMD_DEVICE_GET, NLM_F_DUMP);
}

static void make_image_dump(struct nlm *m)
{
	nlm_init(m, &fault.n, YBD_CMD_IMAGE_GET, NLM_F_DUMP);
}

static void make_source_dump(struct nlm *m)
{
	nlm_init(m, &fault.n, YBD_CMD_SOURCE_GET, NLM_F_DUMP);
}

void must(int ret, const char *what)
{
	if (ret)
		die("%s: %s (%s)", what, strerror(-ret), fault.n.text);
}

int fault_detach(const char *name, u32 flags)
{
	int i, ret = device_detach_flags(&fault.n, name, flags);

	for (i = 0; ret == -EBUSY && i < 500; i++) {
		if (!i)
			say_openers(&fault.n);
		usleep(20000);
		ret = device_detach_flags(&fault.n, name, flags);
	}
	return ret;
}

static void undo_image(void) { must(image_unload(&fault.n, "new"), "unload"); }
static void undo_device(void) { must(fault_detach("new", 0), "detach"); }

static void redo_device(void)
{
	struct device_arg a = { .name = "rw", .image = "base", .ram = 8 * MIB };

	must(device_create(&fault.n, &a, NULL), "create");
}

static void redo_image(void)
{
	struct image_arg a = { .name = "spare", .size = MIB };

	must(image_load(&fault.n, &a), "load");
}

static const struct command commands[] = {
	{ .name = "info-get", .make = make_info },
	{ .name = "source-get", .make = make_source_get },
	{ .name = "source-get dump", .make = make_source_dump },
	{ .name = "image-get", .make = make_image_get },
	{ .name = "image-get dump", .make = make_image_dump },
	{ .name = "device-get", .make = make_device_get },
	{ .name = "device-get dump", .make = make_device_dump },
	{ .name = "image-load, table", .make = make_image_table, .undo = undo_image,
	  .kind = 'I' },
	{ .name = "image-load, wide table", .make = make_image_wide, .undo = undo_image,
	  .kind = 'I' },
	{ .name = "image-load, extents", .make = make_image_ext, .undo = undo_image,
	  .kind = 'I' },
	{ .name = "image-unload", .make = make_unload, .redo = redo_image, .kind = 'I',
	  .goes = true },
	{ .name = "device-create, read-only", .make = make_device_ro, .undo = undo_device,
	  .kind = 'D' },
	{ .name = "device-create, RAM", .make = make_device_ram, .undo = undo_device,
	  .kind = 'D' },
	{ .name = "device-create, cgroup", .make = make_device_cgroup, .undo = undo_device,
	  .kind = 'D' },
	{ .name = "device-detach", .make = make_detach, .redo = redo_device, .kind = 'D',
	  .goes = true },
	{ .name = "device-detach, forced", .make = make_force, .redo = redo_device, .kind = 'D',
	  .goes = true },
};

/* Does the state fit the answer? -ENOMSG: the answer itself was lost. */
static bool check_command(const struct command *c, int ret, const struct state *a,
			  const struct state *b)
{
	unsigned int gone[2], come[2];
	bool changed;

	state_diff(a, b, 'D', &gone[0], &come[0], false);
	state_diff(a, b, 'I', &gone[1], &come[1], false);
	changed = gone[0] + come[0] + gone[1] + come[1];
	if (!changed)
		return ret || !c->kind;
	if (ret && ret != -ENOMSG && ret != -ENOBUFS)
		return false;
	if (c->changes)
		return gone[0] == 1 && come[0] == 1 && !gone[1] && !come[1];
	if (!c->kind || gone[0] + come[0] + gone[1] + come[1] != 1)
		return false;
	return c->goes ? gone[c->kind == 'I'] : come[c->kind == 'I'];
}

void fault_command(const struct command *c)
{
	unsigned int nth, failed = 0, lost = 0, passed = 0;
	struct state before, after;
	static struct nlm m;
	bool injected = true;
	const char *bad;

	if (c->make == make_device_cgroup && cgroup_fd < 0) {
		printf("ok %u - %s # SKIP no cgroup\n", ++ktap.n, c->name);
		return;
	}
	bad = state_read(&fault.n, &before);
	for (nth = 1; injected && nth < MAX_NTH && !bad && !ktap.bad;
	     nth = fail_next(&fault.rng, fault.all, nth, c->part ? c->part : 6)) {
		int ret;

		c->make(&m);
		fail_set(nth);
		ret = nlr_send(&fault.n, &m);
		injected = fail_end();
		if (!ret)
			ret = nlr_answer(&fault.n, NULL, NULL);
		if (ret == -ENOMSG || ret == -ENOBUFS)
			lost++;
		else if (ret)
			failed++;
		else
			passed++;
		bad = state_read(&fault.n, &after);
		if (bad)
			ktap_fail("allocation %u: %s", nth, bad);
		else if (!check_command(c, ret, &before, &after))
			ktap_fail("allocation %u: answer %d (%s), and the state does not fit",
				  nth, ret, fault.n.text);
		if (!injected)
			ktap_check(!ret, "without a fault: %d %s", ret, fault.n.text);
		if (c->settle || (c->kind && !state_same(&before, &after))) {
			if (c->settle)
				c->settle();
			if (c->undo)
				c->undo();
			if (c->redo)
				c->redo();
			state_free(&before);
			bad = state_read(&fault.n, &before);
		}
		state_free(&after);
	}
	state_free(&before);
	ktap_check(!injected || ktap.bad, "no end after %u", nth);
	printf("# about %u allocations: %u failed, %u did without, %u answers lost\n", nth, failed,
	       passed, lost);
	ktap_done("control: %s", c->name);
}

static void fill_maps(void)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		maps[0][i] = (struct ybd_map_extent){ i * MIB, (15 - i) * MIB, MIB / 2, 0, 0 };
	map_nr[0] = 16;
	for (i = 0; i < 64; i++)
		maps[1][i] = (struct ybd_map_extent){ i * 65536, i * 65536, 65536, i % 8, 0 };
	map_nr[1] = 64;
	for (i = 0; i < 600; i++)
		maps[2][i] = (struct ybd_map_extent){ i * 24576ULL + 512 * (i % 3), i * 8192,
			4096 + 512 * (i % 5), i % 4, 0 };
	/* Far enough apart that a table would be too large. */
	maps[2][599].start = IMAGE_SIZE - 8192;
	map_nr[2] = 600;
	for (i = 0; i < 3; i++)
		map_fds[i] = map_fd(maps[i], map_nr[i]);
}

static void test_control(void)
{
	unsigned int i;

	fill_maps();
	mkdir("/sys/fs/cgroup/ybd-fault", 0700);
	cgroup_fd = open("/sys/fs/cgroup/ybd-fault", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	redo_image();
	redo_device();
	for (i = 0; i < ARRAY_LEN(commands); i++)
		fault_command(&commands[i]);
	must(fault_detach("rw", 0), "detach");
	must(image_unload(&fault.n, "spare"), "unload");
}

/* -------- the module -------- */

/*
 * Only what is allocated below the module's own init function, and not what
 * the kernel allocates for a cache in sysfs: it leaks the name when that fails.
 */
static void test_module(void)
{
	unsigned long init[2], slab[2];
	unsigned int nth, failed = 0;
	bool injected = true;
	struct state none;
	int fd, ret = 0;

	fd = open("/tmp/ybd.ko", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || !find_symbol("do_one_initcall", &init[0], &init[1]) ||
	    !find_symbol("sysfs_slab_add", &slab[0], &slab[1])) {
		printf("ok %u - module: load # SKIP no /tmp/ybd.ko\n", ++ktap.n);
		return;
	}
	nlr_close(&fault.n);
	if (syscall(SYS_delete_module, "ybd", O_NONBLOCK))
		ktap_fail("unload: %m");
	fail_range("require", init[0], init[1]);
	fail_range("reject", slab[0], slab[1]);
	for (nth = 1; injected && nth < MAX_NTH && !ktap.bad;
	     nth = fail_next(&fault.rng, fault.all, nth, 3)) {
		fail_set(nth);
		ret = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
		injected = fail_end();
		failed += !!ret;
		ktap_check(!ret || ret == -ENOMEM || (ret == -EEXIST && injected), "%u: %s", nth,
			   strerror(-ret));
		if (!ret && injected && syscall(SYS_delete_module, "ybd", O_NONBLOCK))
			ktap_fail("%u: unload: %m", nth);
	}
	ktap_check(!injected, "no end after %u", nth);
	ktap_check(!ret, "without a fault: %s", strerror(-ret));
	fail_range("require", 0, ULONG_MAX);
	fail_range("reject", 0, 0);
	must(nlr_open(&fault.n), "open");
	ktap_check(!state_read(&fault.n, &none) && !none.n, "something is there");
	printf("# about %u allocations, %u failed\n", nth, failed);
	ktap_done("module: load");
}

/* -------- the data path -------- */

enum what { W_READ, W_READ_SPLIT, W_READ_HOLE, W_READ_UPPER, W_FIRST, W_OVERWRITE, W_SHORT,
	W_LARGE, W_DISCARD, W_ZEROES, W_NOWAIT_READ, W_NOWAIT_WRITE, W_FLUSH, NR_WHAT };

static const char *const what_names[] = {
	"read", "read across extents", "read of a hole", "read of the upper", "first write",
	"overwrite", "short first write", "large write", "discard", "write zeroes",
	"NOWAIT read", "NOWAIT write", "flush",
};

static u8 *shadow, *buf;
static bool *unknown;	/* per sector: a write of it failed */

static void expected_image(u8 *to)
{
	unsigned int i;
	u64 s, v;

	for (i = 0; i < map_nr[0]; i++) {
		for (s = 0; s < maps[0][i].len / 512; s++) {
			v = maps[0][i].phys / 512 + s;
			memset(to + maps[0][i].start + s * 512, 0, 512);
			memcpy(to + maps[0][i].start + s * 512, &v, sizeof(v));
		}
	}
}

static bool check_data(u64 at, u64 len)
{
	u64 s;

	for (s = 0; s < len; s += 512)
		if (!unknown[(at + s) / 512] && memcmp(buf + s, shadow + at + s, 512))
			return false;
	return true;
}

/* One operation; the n-th time on blocks that nobody has touched. */
static int do_what(int fd, enum what what, unsigned int nth, u64 *at, u64 *len, bool *write)
{
	struct iovec iov = { .iov_base = buf };
	/* Extents are the first half of each MiB. */
	u64 block = (nth * 3) % 100, mib = 1 + nth % 14;
	u64 range[2];
	ssize_t ret;

	*write = what >= W_FIRST && what <= W_ZEROES;
	*write |= what == W_NOWAIT_WRITE;
	*len = BLOCK;
	*at = mib * MIB + block * BLOCK;
	switch (what) {
	case W_READ_SPLIT:
		*at = mib * MIB + MIB / 2 - 8192;
		*len = 65536;
		break;
	case W_READ_HOLE:
		*at = mib * MIB + MIB / 2 + block * BLOCK;
		break;
	case W_READ_UPPER:
	case W_OVERWRITE:
		*at = block % 8 * BLOCK;
		break;
	case W_SHORT:
		*at += 512;
		*len = 1536;
		break;
	case W_LARGE:
		*len = 65536 + 512;
		break;
	case W_DISCARD:
	case W_ZEROES:
		*len = 3 * BLOCK;
		break;
	case W_FLUSH:
		return fsync(fd) ? -errno : 0;
	default:
		break;
	}
	iov.iov_len = *len;
	range[0] = *at;
	range[1] = *len;
	if (*write)
		memset(buf, nth, *len);
	if (what == W_DISCARD || what == W_ZEROES) {
		memset(buf, 0, *len);
		ret = ioctl(fd, what == W_DISCARD ? BLKDISCARD : BLKZEROOUT, range);
		return ret ? -errno : 0;
	}
	if (*write)
		ret = pwritev2(fd, &iov, 1, *at, what == W_NOWAIT_WRITE ? RWF_NOWAIT : 0);
	else
		ret = preadv2(fd, &iov, 1, *at, what == W_NOWAIT_READ ? RWF_NOWAIT : 0);
	if (ret < 0)
		return -errno;
	return (u64)ret == *len ? 0 : -EIO;
}

static void after(enum what what, int ret, u64 at, u64 len, bool write)
{
	u64 s;

	(void)what;
	if (!write) {
		if (!ret)
			ktap_check(check_data(at, len), "wrong data at %" PRIu64, at);
		return;
	}
	for (s = 0; s < len; s += 512)
		unknown[(at + s) / 512] = ret && ret != -EAGAIN;
	if (!ret)
		memcpy(shadow + at, buf, len);
}

/* Everything once more, without faults. */
static void check_all(int fd)
{
	u64 at;

	for (at = 0; at < IMAGE_SIZE; at += MIB) {
		ktap_check(pread(fd, buf, MIB, at) == MIB, "read at %" PRIu64 ": %m", at);
		ktap_check(check_data(at, MIB), "wrong data in the MiB at %" PRIu64, at);
	}
}

static void fault_io(int fd, enum what what)
{
	unsigned int nth, failed = 0, again = 0;
	bool injected = true, write;
	u64 at = 0, len = 0;

	for (nth = 1; injected && nth < MAX_NTH && !ktap.bad;
	     nth = fail_next(&fault.rng, fault.all, nth, 6)) {
		int ret;

		fail_set(nth);
		ret = do_what(fd, what, nth, &at, &len, &write);
		injected = fail_end();
		failed += ret && ret != -EAGAIN;
		again += ret == -EAGAIN;
		ktap_check(!ret || ret == -ENOMEM || ret == -EIO || ret == -EAGAIN ||
			   ret == -ETIMEDOUT /* null_blk injects that, too */,
			   "allocation %u: %s", nth, strerror(-ret));
		if (!injected && what != W_NOWAIT_READ && what != W_NOWAIT_WRITE)
			ktap_check(!ret, "without a fault: %s", strerror(-ret));
		if (what != W_FLUSH)
			after(what, ret, at, len, write);
	}
	check_all(fd);
	ktap_check(!injected || ktap.bad, "no end");
	printf("# about %u allocations: %u failed, %u told to try again\n", nth, failed, again);
	ktap_done("data: %s", what_names[what]);
}

static void random_io(int fd, const char *name)
{
	unsigned int i, failed = 0;

	for (i = 0; i < fault.nr_ops && !ktap.bad; i++) {
		bool write;
		u64 at = 0, len = 0;
		enum what what = rng_below(&fault.rng, NR_WHAT);
		int ret = do_what(fd, what, rng_below(&fault.rng, 1000), &at, &len, &write);

		failed += ret && ret != -EAGAIN;
		ktap_check(!ret || ret == -ENOMEM || ret == -EIO || ret == -EAGAIN,
			   "%s: %s", what_names[what], strerror(-ret));
		if (what != W_FLUSH)
			after(what, ret, at, len, write);
	}
	printf("# %s: %u of %u operations failed\n", name, failed, fault.nr_ops);
}

/* Also what is allocated by workers: anything below the module's text. */
static void test_workers(int fd)
{
	fail_in_module(20);
	random_io(fd, "anywhere in the module");
	ktap_check(fail_in_module(0), "no allocation failed");
	check_all(fd);
	ktap_done("data: one allocation in five fails, in workers too");
}

/* The source reports errors, one request in five. */
static void test_requests(int fd)
{
	fail_requests(disk, 20);
	random_io(fd, "the source");
	ktap_check(fail_requests(disk, 0), "no request failed");
	check_all(fd);
	ktap_done("data: one request to the source in five fails");
}

static void fill_source(void)
{
	int fd = open(fill, O_RDWR | O_CLOEXEC);
	u64 at, i, v;

	memset(buf, 0, MIB);
	for (at = 0; at < IMAGE_SIZE; at += MIB) {
		for (i = 0; i < MIB / 512; i++) {
			v = at / 512 + i;
			memcpy(buf + i * 512, &v, sizeof(v));
		}
		if (pwrite(fd, buf, MIB, at) != MIB)
			die("%s: %m", fill);
	}
	if (fsync(fd))
		die("%s: %m", fill);
	close(fd);
	source_fd = open(disk, O_RDONLY | O_CLOEXEC);
	if (source_fd < 0)
		die("%s: %m", disk);
}

/* -------- a source of which a part cannot be read -------- */

static bool stands_on_bad(u64 at, u64 len)
{
	unsigned int i;

	for (i = 0; i < map_nr[0]; i++) {
		const struct ybd_map_extent *e = &maps[0][i];
		u64 lo = at > e->start ? at : e->start;
		u64 hi = at + len < e->start + e->len ? at + len : e->start + e->len;

		if (lo >= hi)
			continue;
		lo = (e->phys + lo - e->start) / 512;
		hi = (e->phys + hi - e->start) / 512;
		if (lo <= bad_last && hi > bad_first)
			return true;
	}
	return false;
}

static void check_reads(int fd, u64 len, const char *name)
{
	unsigned int failed = 0;
	u64 at;

	for (at = 0; at + len <= IMAGE_SIZE; at += len) {
		bool bad = stands_on_bad(at, len);
		ssize_t got = pread(fd, buf, len, at);

		failed += got < 0;
		/* Memory that bios had read before they failed is not looked at. */
		ktap_check(bad ? got < 0 && errno == EIO : got == (ssize_t)len,
			   "%" PRIu64 "+%" PRIu64 ": %zd (%m)", at, len, got);
		if (got == (ssize_t)len)
			ktap_check(check_data(at, len), "wrong data at %" PRIu64, at);
	}
	printf("# %u reads failed\n", failed);
	ktap_check(failed, "no read failed");
	ktap_done("lower: %s: just what cannot be read is EIO", name);
}

static void test_lower(void)
{
	struct device_arg a = { .name = "lower", .image = "base", .ram = 64ULL * MIB };
	char path[32];
	u64 at;
	u32 id;
	int fd;

	shadow = xalloc(IMAGE_SIZE);
	unknown = xalloc(IMAGE_SIZE / 512);
	expected_image(shadow);
	must(device_create(&fault.n, &a, &id), "create");
	snprintf(path, sizeof(path), "/dev/ybd%u", id);
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		die("%s: %m", path);
	check_reads(fd, BLOCK, "blocks");
	check_reads(fd, 256 * 1024, "reads that are split");

	/* A short write has to read the block; a whole one has not. */
	for (at = 0; at < IMAGE_SIZE && !stands_on_bad(at, BLOCK); at += BLOCK)
		;
	memset(buf, 7, BLOCK);
	ktap_check(pwrite(fd, buf, 512, at + 512) < 0 && errno == EIO, "short write: %m");
	ktap_check(pread(fd, buf, BLOCK, at) < 0, "the block reads after a failed short write");
	memset(buf, 7, BLOCK);
	ktap_check(pwrite(fd, buf, BLOCK, at) == BLOCK, "whole write: %m");
	memset(buf, 0, BLOCK);
	ktap_check(pread(fd, buf, BLOCK, at) == BLOCK && buf[0] == 7 && buf[BLOCK - 1] == 7,
		   "read after a whole write: %m");
	ktap_done("lower: a block that cannot be read can be written as a whole only");
	close(fd);
	must(fault_detach("lower", 0), "detach");
}

static void test_data(void)
{
	struct device_arg a = { .name = "data", .image = "base", .ram = 64ULL * MIB };
	enum what what;
	char path[32];
	u32 id;
	int fd;

	must(device_create(&fault.n, &a, &id), "create");
	shadow = xalloc(IMAGE_SIZE);
	unknown = xalloc(IMAGE_SIZE / 512);
	expected_image(shadow);
	snprintf(path, sizeof(path), "/dev/ybd%u", id);
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		die("%s: %m", path);
	check_all(fd);
	ktap_done("data: without faults");
	memset(buf, 1, MIB);
	if (pwrite(fd, buf, 8 * BLOCK, 0) != 8 * BLOCK)
		die("%s: %m", path);
	memcpy(shadow, buf, 8 * BLOCK);
	for (what = 0; what < NR_WHAT; what++)
		fault_io(fd, what);
	test_workers(fd);
	test_requests(fd);
	close(fd);
	must(fault_detach("data", 0), "detach");
}

int main(int argc, char **argv)
{
	struct image_arg base = { .name = "base", .size = IMAGE_SIZE, .fds = &source_fd,
		.nr_fds = 1 };
	u64 seed = (u64)time(NULL);
	const char *only = NULL, *pool = NULL;
	struct state s;
	int c;

	while ((c = getopt(argc, argv, "as:n:t:b:w:p:")) != -1) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 'n')
			fault.nr_ops = strtoul(optarg, NULL, 0);
		else if (c == 't')
			only = optarg;
		else if (c == 'a')
			fault.all = true;
		else if (c == 'p')
			pool = optarg;
		else if (c == 'w')
			fill = optarg;
		else if (c == 'b' &&
			 sscanf(optarg, "%" SCNu64 ":%" SCNu64, &bad_first, &bad_last) == 2)
			continue;
		else
			return 2;
	}
	if (optind >= argc)
		die("expected a disk");
	disk = argv[optind];
	if (!fill)
		fill = disk;
	fault.rng.s = seed;
	printf("KTAP version 1\n# ybd-fault -s %#" PRIx64 " -n %u\n", seed, fault.nr_ops);
	if (!only || strcmp(only, "lower"))
		fail_init();
	buf = xalloc(MIB);
	fill_source();
	must(nlr_open(&fault.n), "open");
	if (!only || !strcmp(only, "module"))
		test_module();
	fill_maps();
	base.ext = maps[0];
	base.nr = map_nr[0];
	must(image_load(&fault.n, &base), "load");
	if (!only || !strcmp(only, "control"))
		test_control();
	if (!only || !strcmp(only, "data"))
		test_data();
	if (only && !strcmp(only, "lower"))
		test_lower();
	if (pool && (!only || !strcmp(only, "pool"))) {
		expected_image(shadow = xalloc(IMAGE_SIZE));
		test_pools(pool, disk, shadow, IMAGE_SIZE);
	}
	must(image_unload(&fault.n, "base"), "unload");
	ktap_check(!state_read(&fault.n, &s) && !s.n, "something is left");
	ktap_done("nothing is left at the end");
	openers_done();
	printf("1..%u\n", ktap.n);
	return ktap_exit();
}
