// SPDX-License-Identifier: GPL-2.0-only
/* Bad requests made by hand: one for each thing the module says no to. */
#include <fcntl.h>
#include <linux/ybd_format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nlfuzz.h"

static struct nlm m;

/* Call it; it must fail like this, with these words, and change nothing. */
static void refused(struct fuzz *f, const char *name, int want, const char *text)
{
	struct state before, after;
	const char *bad;
	u32 off;
	int ret;

	bad = state_read(&f->n, &before);
	ktap_check(!bad, "before: %s", bad);
	ret = nlr_call(&f->n, &m, NULL, NULL);
	ktap_check(ret == want, "%s (%d), expected %s", strerror(-ret), -ret, strerror(-want));
	if (text)
		ktap_check(!strcmp(f->n.text, text), "it says \"%s\"", f->n.text);
	off = f->n.off;
	ktap_check(off < m.len && (!off || off >= NLMSG_HDRLEN + GENL_HDRLEN),
		   "the attribute at %u, of %zu bytes", off, m.len);
	bad = state_read(&f->n, &after);
	ktap_check(!bad, "after: %s", bad);
	if (!state_same(&before, &after)) {
		unsigned int gone, come;

		ktap_fail("something changed");
		state_diff(&before, &after, 'D', &gone, &come, true);
		state_diff(&before, &after, 'I', &gone, &come, true);
		state_diff(&before, &after, 'S', &gone, &come, true);
	}
	state_free(&before);
	state_free(&after);
	if (text)
		ktap_done("refused: %s: %s", name, text);
	else
		ktap_done("refused: %s", name);
}

static struct image_arg good_image(struct fuzz *f)
{
	return (struct image_arg){
		.name = "new", .size = MIB, .ext = good_map, .nr = 2, .fds = f->fd, .nr_fds = 1,
	};
}

static void refused_image(struct fuzz *f, const char *name, const struct image_arg *a, int want,
			  const char *text)
{
	int map = map_fd(a->ext, a->nr);

	image_msg(&m, &f->n, a, map);
	refused(f, name, want, text);
	close(map);
}

static void image_attributes(struct fuzz *f)
{
	static const struct {
		u16 attr;
		const char *text;
	} need[] = {
		{ YBD_A_IMAGE_NAME, "missing attribute YBD_A_IMAGE_NAME" },
		{ YBD_A_IMAGE_SIZE, "missing attribute YBD_A_IMAGE_SIZE" },
		{ YBD_A_IMAGE_LOGICAL_BLOCK_SIZE,
		  "missing attribute YBD_A_IMAGE_LOGICAL_BLOCK_SIZE" },
		{ YBD_A_IMAGE_MAP_FD, "missing attribute YBD_A_IMAGE_MAP_FD" },
		{ YBD_A_IMAGE_EXTENT_COUNT, "missing attribute YBD_A_IMAGE_EXTENT_COUNT" },
	};
	static const char size_text[] =
		"size: expected a multiple of the logical block size, above 0, below 8 EiB";
	static const u64 sizes[] = { 0, 511, 513, 1ULL << 63, UINT64_MAX };
	static const char *const bad_names[] = { "", "a b", "a\n", "\033[2J", "a\177" };
	static const u32 blocks[] = { 0, 1, 513, 1024, 8192, UINT32_MAX };
	struct image_arg a = good_image(f);
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(need); i++) {
		nlm_init(&m, &f->n, YBD_CMD_IMAGE_LOAD, 0);
		if (need[i].attr != YBD_A_IMAGE_NAME)
			nlm_str(&m, YBD_A_IMAGE_NAME, "new");
		if (need[i].attr != YBD_A_IMAGE_SIZE)
			nlm_u64(&m, YBD_A_IMAGE_SIZE, MIB);
		if (need[i].attr != YBD_A_IMAGE_LOGICAL_BLOCK_SIZE)
			nlm_u32(&m, YBD_A_IMAGE_LOGICAL_BLOCK_SIZE, 512);
		if (need[i].attr != YBD_A_IMAGE_MAP_FD)
			nlm_u32(&m, YBD_A_IMAGE_MAP_FD, 0);
		if (need[i].attr != YBD_A_IMAGE_EXTENT_COUNT)
			nlm_u32(&m, YBD_A_IMAGE_EXTENT_COUNT, 0);
		refused(f, "image-load", -EINVAL, need[i].text);
	}
	for (i = 0; i < ARRAY_LEN(sizes); i++) {
		a.size = sizes[i];
		refused_image(f, "image-load", &a, -EINVAL, size_text);
	}
	a = good_image(f);
	a.block = 4096;
	a.size = MIB + 512;
	refused_image(f, "image-load, blocks of 4096", &a, -EINVAL, size_text);
	a = good_image(f);
	for (i = 0; i < ARRAY_LEN(blocks); i++) {
		image_msg(&m, &f->n, &a, 0);
		nlm_u32(&m, YBD_A_IMAGE_LOGICAL_BLOCK_SIZE, blocks[i]);
		refused(f, "image-load", -EINVAL, "logical-block-size: expected 512 or 4096");
	}
	image_msg(&m, &f->n, &a, 0);
	nlm_u32(&m, YBD_A_IMAGE_EXTENT_COUNT, YBD_MAX_EXTENTS + 1);
	refused(f, "image-load", -E2BIG, "extent-count: more than 16777216");
	for (i = 0; i < ARRAY_LEN(bad_names); i++) {
		a.name = bad_names[i];
		refused_image(f, "image-load", &a, -EINVAL,
			      "name: expected printable characters without spaces");
	}
	a.name = "base";
	refused_image(f, "image-load", &a, -EEXIST, "an image of that name is loaded");
	a.name = "new";
	a.flags = 2;
	refused_image(f, "image-load: unknown flag", &a, -EINVAL, NULL);
}

static void image_maps(struct fuzz *f)
{
	static const struct {
		struct ybd_map_extent rec[2];
		const char *text;
	} maps[] = {
		{ { { 0, 0, 4096, 0, 1 }, { 8192, 0, 512, 0, 0 } }, "reserved is not 0" },
		{ { { 0, 0, 4096, 0, 0 }, { 8192, 0, 0, 0, 0 } }, "len is 0" },
		{ { { 0, 0, 4096, 0, 0 }, { 8192, 1, 512, 0, 0 } },
		  "start, phys or len is not a multiple of 512" },
		{ { { 0, 0, 4096, 0, 0 }, { 512, 0, 512, 0, 0 } },
		  "start is below the end of the record before" },
		{ { { 4096, 0, 4096, 0, 0 }, { 0, 0, 512, 0, 0 } },
		  "start is below the end of the record before" },
		{ { { 0, 0, 4096, 0, 0 }, { MIB, 0, 512, 0, 0 } },
		  "start + len is past the size of the image" },
		{ { { 0, 0, 4096, 0, 0 }, { 8192, 0, 1ULL << 63, 0, 0 } },
		  "start + len is past the size of the image" },
		{ { { 0, 0, 4096, 0, 0 }, { 1ULL << 63, 0, 512, 0, 0 } },
		  "start + len is past the size of the image" },
		{ { { 0, 0, 4096, 0, 0 }, { 8192, 0, 512, 1, 0 } },
		  "source is not the index of a source given" },
		{ { { 0, 0, 4096, 0, 0 }, { 8192, 0, 512, UINT32_MAX, 0 } },
		  "source is not the index of a source given" },
		{ { { 0, 0, 4096, 0, 0 }, { 8192, 1ULL << 62, 512, 0, 0 } },
		  "phys + len is past the end of the source" },
		{ { { 0, 0, 4096, 0, 0 }, { 8192, -512ULL, 1024, 0, 0 } },
		  "phys + len is past the end of the source" },
	};
	static const struct ybd_map_extent far[2] = {
		{ 0, 0, 512, 0, 0 }, { 1ULL << 62, 512, 512, 0, 0 },
	};
	static const struct ybd_map_extent fine[1] = { { 0, 512, 512, 0, 0 } };
	struct image_arg a = good_image(f);
	unsigned int i;
	int fd, map;

	for (i = 0; i < ARRAY_LEN(maps); i++) {
		a.ext = maps[i].rec;
		refused_image(f, "map", &a, -EINVAL, maps[i].text);
	}
	a.ext = far;
	a.size = INT64_MAX & ~511ULL;
	refused_image(f, "map", &a, -EFBIG, "image too large for the alignment of its extents");
	a = good_image(f);
	a.ext = fine;
	a.nr = 1;
	a.fds = &f->fd[f->nr_disks - 1];
	refused_image(f, "map of 512 over blocks of 4096", &a, -EINVAL,
		      "extents are not multiples of a source's logical block size");
	a = good_image(f);
	a.nr_fds = 0;
	refused_image(f, "map without sources", &a, -EINVAL,
		      "source is not the index of a source given");

	a = good_image(f);
	image_msg(&m, &f->n, &a, 9999);
	refused(f, "image-load", -EBADF, "map-fd is not an open descriptor");
	image_msg(&m, &f->n, &a, -1);
	refused(f, "image-load: map-fd -1", -ERANGE, NULL);
	image_msg(&m, &f->n, &a, f->fd[0]);
	refused(f, "image-load, a block device", -EINVAL, "map-fd is not a readable regular file");
	fd = open("/tmp/ybd-map", O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
	image_msg(&m, &f->n, &a, fd);
	refused(f, "image-load, write-only", -EINVAL, "map-fd is not a readable regular file");
	close(fd);
	unlink("/tmp/ybd-map");
	fd = open("/tmp", O_RDONLY | O_CLOEXEC);
	image_msg(&m, &f->n, &a, fd);
	refused(f, "image-load, a directory", -EINVAL, "map-fd is not a readable regular file");
	close(fd);
	fd = open("/tmp", O_PATH | O_CLOEXEC);
	image_msg(&m, &f->n, &a, fd);
	refused(f, "image-load, O_PATH", -EBADF, "map-fd is not an open descriptor");
	close(fd);
	map = map_fd(good_map, 1);
	image_msg(&m, &f->n, &a, map);
	refused(f, "image-load, too short", -EINVAL,
		"map-fd: size is not extent-count times 32 bytes");
	close(map);
	/* A page long by its looks, and not by what can be read. */
	fd = open("/sys/kernel/uevent_seqnum", O_RDONLY | O_CLOEXEC);
	a.nr = 4096 / sizeof(struct ybd_map_extent);
	image_msg(&m, &f->n, &a, fd);
	refused(f, "image-load", -EIO, "map-fd: cannot be read");
	close(fd);
}

static int open_ybd(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("%s: %m", path);
	return fd;
}

static void image_sources(struct fuzz *f)
{
	struct image_arg a = good_image(f);
	int fds[256], fd, map;
	unsigned int i;
	size_t nest;

	a.fds = fds;
	fds[0] = 9999;
	refused_image(f, "source", &a, -EBADF, "source: fd is not an open descriptor");
	fds[0] = map_fd(good_map, 2);
	refused_image(f, "source", &a, -ENOTBLK, "source: fd is not a block device");
	close(fds[0]);
	fds[0] = f->n.fd;
	refused_image(f, "source, a socket", &a, -ENOTBLK, "source: fd is not a block device");
	fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	refused_image(f, "source, a character device", &a, -ENOTBLK,
		      "source: fd is not a block device");
	close(fds[0]);
	fds[0] = open(f->disk[1], O_WRONLY | O_CLOEXEC);
	refused_image(f, "source", &a, -EACCES, "source: fd is not open for reading");
	close(fds[0]);
	fds[0] = open_ybd("ybd0");
	refused_image(f, "source", &a, -ELOOP, "source: a ybd device cannot be a source");
	close(fds[0]);
	fd = open(f->disk[1], O_RDONLY | O_EXCL | O_CLOEXEC);
	if (fd < 0)
		die("%s: %m", f->disk[1]);
	fds[0] = f->fd[1];
	refused_image(f, "source", &a, -EBUSY, "source: claimed by somebody else");
	/* What was opened before it must be let go. */
	fds[0] = f->fd[f->nr_disks - 1];
	fds[1] = f->fd[1];
	a.nr_fds = 2;
	refused_image(f, "second source", &a, -EBUSY, "source: claimed by somebody else");
	close(fd);
	fds[1] = 9999;
	refused_image(f, "second source", &a, -EBADF, "source: fd is not an open descriptor");
	for (i = 0; i < 256; i++)
		fds[i] = f->fd[0];
	a.nr_fds = 256;
	refused_image(f, "source", &a, -E2BIG, "source: more than 255");

	a.nr_fds = 0;
	map = map_fd(good_map, 2);
	image_msg(&m, &f->n, &a, map);
	nest = nlm_nest(&m, YBD_A_IMAGE_SOURCE);
	nlm_u32(&m, YBD_A_SOURCE_FD, f->fd[0]);
	nlm_end(&m, nest);
	refused(f, "source without name", -EINVAL, "source: missing fd or name");
	image_msg(&m, &f->n, &a, map);
	nest = nlm_nest(&m, YBD_A_IMAGE_SOURCE);
	nlm_str(&m, YBD_A_SOURCE_NAME, "path:x");
	nlm_end(&m, nest);
	refused(f, "source without fd", -EINVAL, "source: missing fd or name");
	image_msg(&m, &f->n, &a, map);
	nest = nlm_nest(&m, YBD_A_IMAGE_SOURCE);
	nlm_end(&m, nest);
	refused(f, "source, empty", -EINVAL, "source: missing fd or name");
	image_msg(&m, &f->n, &a, map);
	nlm_u32(&m, YBD_A_IMAGE_SOURCE, 1);
	refused(f, "source: not a nest", -EINVAL, NULL);
	close(map);
}

static void source_get(struct fuzz *f)
{
	size_t nest;

	nlm_init(&m, &f->n, YBD_CMD_SOURCE_GET, 0);
	refused(f, "source-get", -EINVAL, "missing attribute YBD_A_SOURCES_SOURCE");
	nest = nlm_nest(&m, YBD_A_SOURCES_SOURCE);
	nlm_end(&m, nest);
	refused(f, "source-get", -EINVAL, "source: missing id");
	nlm_init(&m, &f->n, YBD_CMD_SOURCE_GET, 0);
	nest = nlm_nest(&m, YBD_A_SOURCES_SOURCE);
	nlm_u32(&m, YBD_A_SOURCE_ID, 123456);
	nlm_end(&m, nest);
	refused(f, "source-get", -ENOENT, "no such source");
}

static void image_by_name(struct fuzz *f)
{
	static const u8 cmds[] = { YBD_CMD_IMAGE_GET, YBD_CMD_IMAGE_UNLOAD };
	static const char *const names[] = { "image-get", "image-unload" };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		nlm_init(&m, &f->n, cmds[i], 0);
		refused(f, names[i], -EINVAL, "image: expected either its id or its name");
		nlm_str(&m, YBD_A_IMAGE_NAME, "base");
		nlm_u32(&m, YBD_A_IMAGE_ID, 1);
		refused(f, names[i], -EINVAL, "image: expected either its id or its name");
		named_msg(&m, &f->n, cmds[i], YBD_A_IMAGE_NAME, "nowhere");
		refused(f, names[i], -ENOENT, "no such image");
		nlm_init(&m, &f->n, cmds[i], 0);
		nlm_u32(&m, YBD_A_IMAGE_ID, UINT32_MAX);
		refused(f, names[i], -ENOENT, "no such image");
	}
	named_msg(&m, &f->n, YBD_CMD_IMAGE_UNLOAD, YBD_A_IMAGE_NAME, "base");
	refused(f, "image-unload", -EBUSY, "image is in use by a device");
}

static void device_create_bad(struct fuzz *f)
{
	static const char *const names[] = { "", ".a", "-a", "a/b", "a b", "\303\251", "a\n" };
	static const char name_text[] =
		"name: expected [A-Za-z0-9._-], not beginning with a dot or dash";
	struct device_arg good = { .name = "new", .image = "base" }, a = good;
	unsigned int i;
	char far[256];
	int fd;

	nlm_init(&m, &f->n, YBD_CMD_DEVICE_CREATE, 0);
	nlm_str(&m, YBD_A_DEVICE_IMAGE_NAME, "base");
	refused(f, "device-create", -EINVAL, "missing attribute YBD_A_DEVICE_NAME");
	nlm_init(&m, &f->n, YBD_CMD_DEVICE_CREATE, 0);
	nlm_str(&m, YBD_A_DEVICE_NAME, "new");
	refused(f, "device-create", -EINVAL, "image: expected either its id or its name");
	a.image = "nowhere";
	device_msg(&m, &f->n, &a);
	refused(f, "device-create", -ENOENT, "no such image");
	a = good;
	for (i = 0; i < ARRAY_LEN(names); i++) {
		a.name = names[i];
		device_msg(&m, &f->n, &a);
		refused(f, "device-create", -EINVAL, name_text);
	}
	memset(far, 'a', sizeof(far));
	far[64] = 0;
	a.name = far;
	device_msg(&m, &f->n, &a);
	refused(f, "device-create: name of 64 bytes", -EINVAL, NULL);
	a.name = "rw";
	device_msg(&m, &f->n, &a);
	refused(f, "device-create", -EEXIST, "a device of that name exists");
	a = good;
	a.block = 1024;
	device_msg(&m, &f->n, &a);
	refused(f, "device-create", -EINVAL, "logical-block-size: expected 512 or 4096");
	device_msg(&m, &f->n, &good);
	nlm_u64(&m, YBD_A_DEVICE_SIZE, MIB - 512);
	refused(f, "device-create", -EINVAL, "size: below the size of the image");
	device_msg(&m, &f->n, &good);
	nlm_u64(&m, YBD_A_DEVICE_SIZE, MIB + 1);
	refused(f, "device-create", -EINVAL,
		"size: expected a multiple of the logical block size, above 0, below 8 EiB");
	device_msg(&m, &f->n, &good);
	nlm_u64(&m, YBD_A_DEVICE_SIZE, 1ULL << 63);
	refused(f, "device-create", -EINVAL,
		"size: expected a multiple of the logical block size, above 0, below 8 EiB");
	device_msg(&m, &f->n, &good);
	nlm_u64(&m, YBD_A_DEVICE_UPPER_LIMIT, MIB);
	refused(f, "device-create", -EINVAL, "upper-limit and cgroup-fd need an upper");
	a = good;
	a.cgroup = 1;
	device_msg(&m, &f->n, &a);
	refused(f, "device-create", -EINVAL, "upper-limit and cgroup-fd need an upper");
	a = good;
	a.ram = 8191;
	device_msg(&m, &f->n, &a);
	refused(f, "device-create", -EINVAL,
		"upper-limit: a RAM upper needs a bound of at least 8192 bytes");
	device_msg(&m, &f->n, &good);
	nlm_u32(&m, YBD_A_DEVICE_UPPER, 3);
	refused(f, "device-create: unknown upper", -ERANGE, NULL);
	a = good;
	a.image = "base-ro";
	a.ram = MIB;
	device_msg(&m, &f->n, &a);
	refused(f, "device-create", -EROFS, "upper: the image was loaded for read-only devices");
	a = good;
	a.ram = MIB;
	fd = open("/tmp", O_RDONLY | O_CLOEXEC);
	a.cgroup = fd + 1;
	device_msg(&m, &f->n, &a);
	refused(f, "device-create", -EBADF, "cgroup-fd is not the directory of a cgroup");
	close(fd);
	a.cgroup = 10000;
	device_msg(&m, &f->n, &a);
	refused(f, "device-create", -EBADF, "cgroup-fd is not the directory of a cgroup");
}

static void device_by_name(struct fuzz *f)
{
	static const u8 cmds[] = { YBD_CMD_DEVICE_GET, YBD_CMD_DEVICE_DETACH };
	static const char *const names[] = { "device-get", "device-detach" };
	struct device_arg a = { .name = "held", .image = "base" };
	unsigned int i;
	char disk[32];
	u32 id;
	int fd;

	for (i = 0; i < 2; i++) {
		nlm_init(&m, &f->n, cmds[i], 0);
		refused(f, names[i], -EINVAL, "device: expected either its id or its name");
		nlm_str(&m, YBD_A_DEVICE_NAME, "rw");
		nlm_u32(&m, YBD_A_DEVICE_ID, 0);
		refused(f, names[i], -EINVAL, "device: expected either its id or its name");
		named_msg(&m, &f->n, cmds[i], YBD_A_DEVICE_NAME, "nowhere");
		refused(f, names[i], -ENODEV, "no such device");
		nlm_init(&m, &f->n, cmds[i], 0);
		nlm_u32(&m, YBD_A_DEVICE_ID, UINT32_MAX);
		refused(f, names[i], -ENODEV, "no such device");
	}
	if (device_create(&f->n, &a, &id))
		die("create: %s", f->n.text);
	snprintf(disk, sizeof(disk), "ybd%u", id);
	fd = open_ybd(disk);
	named_msg(&m, &f->n, YBD_CMD_DEVICE_DETACH, YBD_A_DEVICE_NAME, "held");
	refused(f, "device-detach", -EBUSY, "device is open");
	nlm_u32(&m, YBD_A_DEVICE_DETACH_FLAGS, YBD_DETACH_FLAGS_DESTROY);
	refused(f, "device-detach, to destroy it", -EBUSY, "device is open");
	named_msg(&m, &f->n, YBD_CMD_DEVICE_DETACH, YBD_A_DEVICE_NAME, "held");
	nlm_u32(&m, YBD_A_DEVICE_DETACH_FLAGS, 4);
	refused(f, "device-detach: unknown flag", -EINVAL, NULL);
	ktap_check(!device_detach(&f->n, "held", true), "%s", f->n.text);
	ktap_done("forced detach of an open device");
	named_msg(&m, &f->n, YBD_CMD_DEVICE_DETACH, YBD_A_DEVICE_NAME, "held");
	nlm_u32(&m, YBD_A_DEVICE_DETACH_FLAGS, YBD_DETACH_FLAGS_FORCE);
	refused(f, "device-detach", -ENODEV, "device is detached and waits for its last close");
	device_msg(&m, &f->n, &a);
	refused(f, "device-create, held", -EEXIST, "a device of that name exists");
	named_msg(&m, &f->n, YBD_CMD_IMAGE_UNLOAD, YBD_A_IMAGE_NAME, "base");
	refused(f, "image-unload, held", -EBUSY, "image is in use by a device");
	close(fd);
	ktap_check(!device_create(&f->n, &a, NULL), "%s", f->n.text);
	ktap_check(!device_detach(&f->n, "held", false), "%s", f->n.text);
	ktap_done("the name is free with the last close");
}

/* A device in a pool, but for the attributes that @without says (bits). */
enum { POOL_FD = 1, LAYERS_FD = 2 };

static void pool_msg(struct fuzz *f, unsigned int without, int layers)
{
	struct device_arg a = { .name = "new", .image = "base" };

	device_msg(&m, &f->n, &a);
	nlm_u32(&m, YBD_A_DEVICE_UPPER, YBD_UPPER_KIND_POOL);
	if (!(without & POOL_FD))
		nlm_u32(&m, YBD_A_DEVICE_POOL_FD, f->fd[0]);
	if (!(without & LAYERS_FD))
		nlm_u32(&m, YBD_A_DEVICE_LAYERS_FD, layers);
}

static void pool_others(struct fuzz *f)
{
	static const struct {
		u16 attr;
		const char *text;
	} no[] = {
		{ YBD_A_DEVICE_POOL_FD, "pool-fd: expected only with upper 2 (pool)" },
		{ YBD_A_DEVICE_UPPER_FLAGS, "upper-flags: expected only with upper 2 (pool)" },
		{ YBD_A_DEVICE_LAYERS_FD, "layers-fd: expected only with upper 2 (pool)" },
	};
	struct device_arg a = { .name = "new", .image = "base" };
	unsigned int i, ram;

	for (ram = 0; ram < 2; ram++) {
		a.ram = ram * MIB;
		for (i = 0; i < ARRAY_LEN(no); i++) {
			device_msg(&m, &f->n, &a);
			nlm_u32(&m, no[i].attr, 1);
			refused(f, "device-create", -EINVAL, no[i].text);
		}
		device_msg(&m, &f->n, &a);
		nlm_u64(&m, YBD_A_DEVICE_QUOTA, MIB);
		refused(f, "device-create", -EINVAL, "quota: expected only with upper 2 (pool)");
		device_msg(&m, &f->n, &a);
		nlm_u64(&m, YBD_A_DEVICE_RESERVE, MIB);
		refused(f, "device-create", -EINVAL,
			"reserve: expected only with upper 2 (pool)");
	}
}

static void pool_attributes(struct fuzz *f, int layers)
{
	pool_msg(f, POOL_FD, layers);
	refused(f, "device-create, pool", -EINVAL,
		"missing attribute pool-fd: expected a descriptor of the pool, upper is 2 (pool)");
	pool_msg(f, LAYERS_FD, layers);
	refused(f, "device-create, pool", -EINVAL,
		"missing attribute layers-fd: expected a list of layers, the upper is persistent");
	pool_msg(f, 0, layers);
	nlm_u64(&m, YBD_A_DEVICE_UPPER_LIMIT, MIB);
	refused(f, "device-create, pool", -EINVAL,
		"upper-limit: expected only with upper 1 (ram)");
	pool_msg(f, 0, layers);
	nlm_u32(&m, YBD_A_DEVICE_CGROUP_FD, 1);
	refused(f, "device-create, pool", -EINVAL, "cgroup-fd: expected only with upper 1 (ram)");
	pool_msg(f, 0, layers);
	nlm_u64(&m, YBD_A_DEVICE_QUOTA, 4097);
	refused(f, "device-create, pool", -EINVAL, "quota: expected a multiple of 4096");
	pool_msg(f, 0, layers);
	nlm_u64(&m, YBD_A_DEVICE_RESERVE, 512);
	refused(f, "device-create, pool", -EINVAL, "reserve: expected a multiple of 4096");
	pool_msg(f, 0, layers);
	nlm_u64(&m, YBD_A_DEVICE_QUOTA, 4096);
	nlm_u64(&m, YBD_A_DEVICE_RESERVE, 8192);
	refused(f, "device-create, pool", -EINVAL, "reserve: expected no more than quota");
	pool_msg(f, 0, layers);
	nlm_u32(&m, YBD_A_DEVICE_UPPER_FLAGS, YBD_UPPER_FLAGS_VOLATILE);
	refused(f, "device-create, volatile", -EINVAL,
		"layers-fd: expected only for a persistent upper");
	pool_msg(f, LAYERS_FD, layers);
	nlm_u32(&m, YBD_A_DEVICE_UPPER_FLAGS,
		YBD_UPPER_FLAGS_VOLATILE | YBD_UPPER_FLAGS_AUTOSTART);
	refused(f, "device-create, volatile", -EINVAL,
		"upper-flags: expected autostart (2) only for a persistent upper");
	pool_msg(f, 0, layers);
	nlm_u32(&m, YBD_A_DEVICE_UPPER_FLAGS, 4);
	refused(f, "device-create: unknown upper-flags", -EINVAL, NULL);
}

/* A list of one layer in a memfd, with a mistake of @kind. */
enum { GOOD, BAD_LEN, BAD_KIND, BAD_RESERVED, BAD_TEXT, BAD_TAIL, TOO_MANY };

static int layers_fd(int kind)
{
	struct {
		struct ybd_fmt_layer l;
		char text[8];
	} v[YBD_FMT_MAX_LAYERS + 1] = { 0 };
	size_t i, nr = kind == TOO_MANY ? ARRAY_LEN(v) : 1, bytes = nr * sizeof(v[0]);
	int fd = memfd_create("layers", MFD_CLOEXEC);

	for (i = 0; i < nr; i++) {
		v[i].l.kind = kind == BAD_KIND ? 9 : YBD_FMT_LAYER_FILE;
		v[i].l.len = sizeof(v[i]) + (kind == BAD_LEN ? 8 : 0);
		v[i].l.reserved = kind == BAD_RESERVED;
		memset(v[i].text, 'x', kind == BAD_TEXT ? 8 : 7);
	}
	if (kind == BAD_TAIL)
		bytes += 8;
	if (fd < 0 || write(fd, v, bytes) != (ssize_t)bytes)
		die("layers: %m");
	return fd;
}

static void pool_layers(struct fuzz *f)
{
	static const char text[] = "layers-fd: expected 1 to 256 layers, and nothing else";
	static const char size[] = "layers-fd: expected 1 to 64512 bytes";
	int fd, kind;

	for (kind = BAD_LEN; kind <= TOO_MANY; kind++) {
		fd = layers_fd(kind);
		pool_msg(f, 0, fd);
		refused(f, "device-create, pool", -EINVAL, text);
		close(fd);
	}
	fd = memfd_create("layers", MFD_CLOEXEC);
	pool_msg(f, 0, fd);
	refused(f, "device-create, no layers", -EINVAL, size);
	if (ftruncate(fd, YBD_FMT_LAYERS_MAX + 1))
		die("layers: %m");
	pool_msg(f, 0, fd);
	refused(f, "device-create, pool", -EINVAL, size);
	close(fd);
	pool_msg(f, 0, 9999);
	refused(f, "device-create, pool", -EBADF, "layers-fd: expected an open descriptor");
	pool_msg(f, 0, f->fd[0]);
	refused(f, "device-create, pool", -EINVAL,
		"layers-fd: expected a readable regular file");
	/* There is no pool on the disk, and it is open for reading only. */
	fd = layers_fd(GOOD);
	pool_msg(f, POOL_FD, fd);
	nlm_u32(&m, YBD_A_DEVICE_POOL_FD, 9999);
	refused(f, "device-create, no pool-fd", -EBADF, NULL);
	pool_msg(f, 0, fd);
	refused(f, "device-create, pool-fd read-only", -EACCES, NULL);
	close(fd);
}

static void upper_msg(struct fuzz *f, u8 cmd, int fd)
{
	static const u8 uuid[16] = { 1, 2, 3 };

	nlm_init(&m, &f->n, cmd, 0);
	nlm_u32(&m, YBD_A_DEVICE_POOL_FD, fd);
	nlm_put(&m, YBD_A_DEVICE_UPPER_UUID, uuid, sizeof(uuid));
}

static void pool_uppers(struct fuzz *f)
{
	static const u8 cmds[] = { YBD_CMD_DEVICE_ATTACH, YBD_CMD_UPPER_DESTROY };
	static const char *const names[] = { "device-attach", "upper-destroy" };
	unsigned int i;
	int fd;

	for (i = 0; i < 2; i++) {
		bool attach = !i;

		nlm_init(&m, &f->n, cmds[i], 0);
		refused(f, names[i], -EINVAL, "missing attribute YBD_A_DEVICE_POOL_FD");
		nlm_u32(&m, YBD_A_DEVICE_POOL_FD, f->fd[0]);
		refused(f, names[i], -EINVAL, "missing attribute YBD_A_DEVICE_UPPER_UUID");
		nlm_put(&m, YBD_A_DEVICE_UPPER_UUID, "short", 5);
		refused(f, names[i], -ERANGE, NULL);
		upper_msg(f, cmds[i], -1);
		refused(f, names[i], -ERANGE, NULL);
		upper_msg(f, cmds[i], 9999);
		if (attach)
			nlm_str(&m, YBD_A_DEVICE_IMAGE_NAME, "base");
		refused(f, names[i], -EBADF, NULL);
		upper_msg(f, cmds[i], f->fd[0]);
		if (attach)
			nlm_str(&m, YBD_A_DEVICE_IMAGE_NAME, "base");
		refused(f, names[i], -EACCES, NULL);
		fd = open(f->disk[0], O_RDWR | O_CLOEXEC);
		upper_msg(f, cmds[i], fd);
		if (attach)
			nlm_str(&m, YBD_A_DEVICE_IMAGE_NAME, "base");
		/* It is a source: nobody writes there. */
		refused(f, names[i], -EBUSY, NULL);
		close(fd);
	}
	upper_msg(f, YBD_CMD_DEVICE_ATTACH, f->fd[0]);
	refused(f, "device-attach", -EINVAL, "image: expected either its id or its name");
	nlm_str(&m, YBD_A_DEVICE_IMAGE_NAME, "nowhere");
	refused(f, "device-attach", -ENOENT, "no such image");
	upper_msg(f, YBD_CMD_UPPER_DESTROY, f->fd[0]);
	nlm_str(&m, YBD_A_DEVICE_NAME, "rw");
	refused(f, "upper-destroy: a name", -EINVAL, NULL);
}

static void pool_get(struct fuzz *f)
{
	static const u8 uuid[16] = { 1 };

	nlm_init(&m, &f->n, YBD_CMD_POOL_GET, 0);
	refused(f, "pool-get", -EINVAL, "pool: expected either its id or its uuid");
	nlm_u32(&m, YBD_A_POOL_ID, 1);
	nlm_put(&m, YBD_A_POOL_UUID, uuid, sizeof(uuid));
	refused(f, "pool-get", -EINVAL, "pool: expected either its id or its uuid");
	nlm_init(&m, &f->n, YBD_CMD_POOL_GET, 0);
	nlm_u32(&m, YBD_A_POOL_ID, 123456);
	refused(f, "pool-get", -ENOENT, "no such pool is in use");
	nlm_init(&m, &f->n, YBD_CMD_POOL_GET, 0);
	nlm_put(&m, YBD_A_POOL_UUID, uuid, sizeof(uuid));
	refused(f, "pool-get", -ENOENT, "no such pool is in use");
	nlm_init(&m, &f->n, YBD_CMD_POOL_GET, NLM_F_DUMP);
	ktap_check(!nlr_call(&f->n, &m, NULL, NULL), "%s", f->n.text);
	ktap_done("pool-get: a dump without pools");
}

static void device_resize(struct fuzz *f)
{
	nlm_init(&m, &f->n, YBD_CMD_DEVICE_RESIZE, 0);
	refused(f, "device-resize", -EINVAL, "missing attribute YBD_A_DEVICE_SIZE");
	nlm_u64(&m, YBD_A_DEVICE_SIZE, 2 * MIB);
	refused(f, "device-resize", -EINVAL, "device: expected either its id or its name");
	named_msg(&m, &f->n, YBD_CMD_DEVICE_RESIZE, YBD_A_DEVICE_NAME, "nowhere");
	nlm_u64(&m, YBD_A_DEVICE_SIZE, 2 * MIB);
	refused(f, "device-resize", -ENODEV, "no such device");
	named_msg(&m, &f->n, YBD_CMD_DEVICE_RESIZE, YBD_A_DEVICE_NAME, "rw");
	nlm_u64(&m, YBD_A_DEVICE_SIZE, MIB - 512);
	refused(f, "device-resize: smaller", -EINVAL, NULL);
	named_msg(&m, &f->n, YBD_CMD_DEVICE_RESIZE, YBD_A_DEVICE_NAME, "rw");
	nlm_u64(&m, YBD_A_DEVICE_SIZE, 2 * MIB + 1);
	refused(f, "device-resize: half a block", -EINVAL, NULL);
	named_msg(&m, &f->n, YBD_CMD_DEVICE_RESIZE, YBD_A_DEVICE_NAME, "rw");
	nlm_u64(&m, YBD_A_DEVICE_SIZE, 1ULL << 63);
	refused(f, "device-resize: 8 EiB", -EINVAL, NULL);
}

static void pools(struct fuzz *f)
{
	int fd = layers_fd(GOOD);

	pool_others(f);
	pool_attributes(f, fd);
	pool_layers(f);
	pool_uppers(f);
	pool_get(f);
	device_resize(f);
	close(fd);
}

static void shapes(struct fuzz *f)
{
	u32 v = 7;

	nlm_init(&m, &f->n, YBD_CMD_INFO_GET, 0);
	nlm_u32(&m, YBD_A_INFO_ABI, YBD_ABI_VERSION + 1);
	refused(f, "info-get", -EPROTO, "abi: tool and module are of different versions");
	nlm_init(&m, &f->n, 0, 0);
	refused(f, "command 0", -EOPNOTSUPP, NULL);
	nlm_init(&m, &f->n, 255, 0);
	refused(f, "command 255", -EOPNOTSUPP, NULL);
	nlm_init(&m, &f->n, YBD_CMD_DEVICE_CREATED_NTF, 0);
	refused(f, "an event as a command", -EOPNOTSUPP, NULL);
	nlm_init(&m, &f->n, YBD_CMD_IMAGE_LOAD, NLM_F_DUMP);
	refused(f, "a dump of a command without", -EOPNOTSUPP, NULL);
	named_msg(&m, &f->n, YBD_CMD_DEVICE_GET, YBD_A_DEVICE_NAME, "rw");
	nlm_u32(&m, YBD_A_DEVICE_SIZE, 1);
	refused(f, "an attribute that the command does not take", -EINVAL, NULL);
	named_msg(&m, &f->n, YBD_CMD_DEVICE_GET, YBD_A_DEVICE_NAME, "rw");
	nlm_u32(&m, 200, 1);
	refused(f, "an unknown attribute", -EINVAL, NULL);
	nlm_init(&m, &f->n, YBD_CMD_DEVICE_GET, 0);
	nlm_put(&m, YBD_A_DEVICE_ID, &v, 2);
	refused(f, "an u32 of 2 bytes", -EINVAL, NULL);
	nlm_init(&m, &f->n, YBD_CMD_DEVICE_GET, 0);
	nlm_put(&m, YBD_A_DEVICE_NAME, "rw", 2);
	refused(f, "a string without NUL", -EINVAL, NULL);
	nlm_init(&m, &f->n, YBD_CMD_DEVICE_GET, 0);
	nlm_put(&m, YBD_A_DEVICE_NAME, NULL, 0);
	refused(f, "a string without anything", -EINVAL, NULL);
	named_msg(&m, &f->n, YBD_CMD_DEVICE_GET, YBD_A_DEVICE_NAME, "rw");
	m.len += 2;
	refused(f, "two bytes behind the last attribute", -EINVAL, NULL);
}

void test_requests(struct fuzz *f)
{
	fuzz_setup(f);
	shapes(f);
	source_get(f);
	image_by_name(f);
	image_attributes(f);
	image_maps(f);
	image_sources(f);
	device_create_bad(f);
	device_by_name(f);
	pools(f);
	fuzz_teardown(f);
}
