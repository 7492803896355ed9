// SPDX-License-Identifier: GPL-2.0-only
/*
 * ybd-readback: load lvols as images and compare what their devices show with
 * what SPDK read. It does what "ybdctl image load" and "create" do, in one
 * process, since starting programs is what takes the time in a guest.
 *
 *	ybd-readback [--sha256] LIST
 *
 * LIST has lines of words:
 *
 *	store NAME LVSTORE-UUID DEVICE BLOCK-SIZE [ESNAP-UUID=DEVICE]
 *	lvol NAME UUID SIZE ro|rw SHA256 SPARSE-SHA256 FAST ALL|RANGES
 *
 * FAST is the fast_digest() of what the host has read, and found to be of that
 * SHA-256. With --sha256 that is made here again.
 *
 * RANGES, "first+bytes" with commas, say where a huge lvol can have data: these
 * are read, with their surroundings, and the holes are sampled.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../unit/fast_digest.h"
#include "detach.h"
#include "image.h"
#include "sha256.h"
#include "test.h"

#define CHUNK		(1U << 20)
#define BLOCK		4096U
#define HOLE_SAMPLES	400
#define SAMPLE		65536U

/**
 * struct lvol - what is expected
 * @block_size: of the store's device
 */
struct lvol {
	char name[80];
	char uuid[48];
	u64 size;
	u32 block_size;
	bool ro;
	char sha256[65];
	char sparse[65];
	u64 fast;
	const char *ranges;
};

/**
 * struct digest - of what was read
 * @full: over everything
 * @sparse: over the blocks that are not zero, with their numbers
 * @fast: fast_digest() of the same
 * @want_sha256: keep @full and @sparse
 */
struct digest {
	struct sha256 full;
	struct sha256 sparse;
	u64 fast;
	bool want_sha256;
};

static struct ybd_nl *nl;
static u8 *buf;
static unsigned int nr_cases;
static unsigned int nr_failed;
static char why[1024];

static int fail(const char *fmt, ...) __printf(1, 2);

static int fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return -1;
}

/* ---- reading ---- */

static void digest_update(struct digest *d, u64 pos, const u8 *data, size_t len)
{
	size_t i;
	__le64 nr;

	if (d->want_sha256)
		sha256_update(&d->full, data, len);
	for (i = 0; i < len; i += BLOCK) {
		if (is_zero(data + i, BLOCK))
			continue;
		d->fast = fast_digest(d->fast, (pos + i) / BLOCK, data + i);
		if (!d->want_sha256)
			continue;
		nr = htole64((pos + i) / BLOCK);
		sha256_update(&d->sparse, &nr, sizeof(nr));
		sha256_update(&d->sparse, data + i, BLOCK);
	}
}

static int read_range(int fd, u64 pos, u64 end, struct digest *d)
{
	while (pos < end) {
		size_t len = end - pos < CHUNK ? end - pos : CHUNK;

		/* what is there must have been read */
		memset(buf, 0xa5, len);
		if (pread(fd, buf, len, pos) != (ssize_t)len)
			return fail("read of %zu bytes at %" PRIu64 ": %m", len, pos);
		digest_update(d, pos, buf, len);
		pos += len;
	}
	return 0;
}

static int sample_holes(int fd, const struct lvol *l, u64 from, u64 to, struct rng *rng, int nr)
{
	u64 pos;

	while (nr--) {
		if (to - from < SAMPLE)
			return 0;
		pos = from + rng_below(rng, (to - from) / SAMPLE) * SAMPLE;
		memset(buf, 0xa5, SAMPLE);
		if (pread(fd, buf, SAMPLE, pos) != SAMPLE)
			return fail("read of a hole at %" PRIu64 ": %m", pos);
		if (!is_zero(buf, SAMPLE))
			return fail("%s: the hole at %" PRIu64 " is not zero", l->name, pos);
	}
	return 0;
}

/* The ranges with a chunk before and behind, and a few places in between. */
static int read_ranges(int fd, const struct lvol *l, struct digest *d)
{
	struct rng rng = { 42 };
	const char *p = l->ranges;
	u64 pos = 0, first, last, len;
	int used;

	while (sscanf(p, "%" SCNu64 "+%" SCNu64 "%n", &first, &len, &used) == 2) {
		p += used + (p[used] == ',');
		last = first + len + SAMPLE < l->size ? first + len + SAMPLE : l->size;
		first = first > SAMPLE ? first - SAMPLE : 0;
		if (last <= pos)
			continue;
		first = first < pos ? pos : first;
		if (sample_holes(fd, l, pos, first, &rng, 1) ||
		    read_range(fd, first, last, d))
			return -1;
		pos = last;
	}
	if (sample_holes(fd, l, pos, l->size, &rng, HOLE_SAMPLES))
		return -1;
	/* the last block */
	return read_range(fd, pos < l->size - BLOCK ? l->size - BLOCK : pos, l->size, d);
}

static void hex(struct sha256 *s, char out[65])
{
	u8 digest[SHA256_LEN];
	int i;

	sha256_final(s, digest);
	for (i = 0; i < SHA256_LEN; i++)
		sprintf(out + 2 * i, "%02x", digest[i]);
}

static int compare(int fd, const struct lvol *l, bool want_sha256)
{
	bool all = !strcmp(l->ranges, "ALL");
	struct digest d = { .want_sha256 = want_sha256 };
	char got[65];
	int rc;

	sha256_init(&d.full);
	sha256_init(&d.sparse);
	rc = all ? read_range(fd, 0, l->size, &d) : read_ranges(fd, l, &d);
	if (rc)
		return rc;
	if (d.fast != l->fast)
		return fail("digest is %016" PRIx64 ", expected %016" PRIx64, d.fast, l->fast);
	if (!want_sha256)
		return 0;
	hex(&d.sparse, got);
	if (strcmp(got, l->sparse))
		return fail("sparse sha256 is %s, expected %s", got, l->sparse);
	if (!all)
		return 0;
	hex(&d.full, got);
	return strcmp(got, l->sha256) ? fail("sha256 is %s, expected %s", got, l->sha256) : 0;
}

/* ---- devices ---- */

static int check_disk(int fd, const struct lvol *l)
{
	u64 size = 0;
	int lbs = 0, ro = 0;

	if (ioctl(fd, BLKGETSIZE64, &size) || ioctl(fd, BLKSSZGET, &lbs) ||
	    ioctl(fd, BLKROGET, &ro))
		return fail("ioctl: %m");
	if (size != l->size)
		return fail("size is %" PRIu64 ", expected %" PRIu64, size, l->size);
	if (lbs != (int)l->block_size)
		return fail("logical blocks of %d bytes, expected %u", lbs, l->block_size);
	if (ro == l->ro)
		return fail("read-only is %d", ro);
	return 0;
}

/* Read-only lvols get a RAM upper, which stays empty; others get none. */
static int read_device(const struct ybd_image_info *img, const struct lvol *l, bool want_sha256)
{
	struct ybd_device_req req = {
		.name = "readback",
		.image_id = img->id,
		.upper = l->ro ? YBD_UPPER_KIND_RAM : YBD_UPPER_KIND_NONE,
		.upper_limit = l->ro ? CHUNK : 0,
		.cgroup_fd = -1,
	};
	struct ybd_device_info info;
	struct ybd_error err = { 0 };
	char path[64];
	int fd, rc;

	if (ybd_nl_device_create(nl, &req, &info, &err))
		return fail("create: %s", err.text);
	snprintf(path, sizeof(path), "/dev/%s", info.disk);
	fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		rc = fail("%s: %m", path);
	else
		rc = check_disk(fd, l) ? -1 : compare(fd, l, want_sha256);
	if (fd >= 0)
		close(fd);
	if (ybd_detach(nl, req.name, 0, ybd_detach_deadline(), &err) && !rc)
		rc = fail("detach: %s", err.text);
	return rc;
}

static int read_plan(struct ybd_plan *p, const struct lvol *l, bool want_sha256)
{
	struct ybd_image_info img;
	struct ybd_error err = { 0 };
	int rc;

	if (!(p->flags & YBD_IMAGE_FLAGS_READ_ONLY) != l->ro)
		return fail("flags are %#x", p->flags);
	if (ybd_plan_load(nl, p, "readback", &img, &err) != 1)
		return fail("image load: %s", err.text);
	rc = read_device(&img, l, want_sha256);
	ybd_image_info_free(&img);
	if (ybd_nl_image_unload(nl, "readback", &err) && !rc)
		rc = fail("image unload: %s", err.text);
	return rc;
}

static int check_lvol(struct ybd_finder *f, const char *store, const struct lvol *l,
		      bool want_sha256)
{
	struct ybd_error err = { 0 };
	char spec[160];
	const char *one = spec;
	struct ybd_plan p;
	int rc;

	snprintf(spec, sizeof(spec), "%s/%s", store, l->uuid);
	rc = ybd_plan_make(f, &one, 1, false, &p, &err);
	if (!l->ro) {
		if (rc != -EROFS) {
			if (!rc)
				ybd_plan_free(&p);
			return fail("not refused as writable: %d %s", rc, err.text);
		}
		rc = ybd_plan_make(f, &one, 1, true, &p, &err);
	}
	if (rc)
		return fail("%s", err.text);
	rc = read_plan(&p, l, want_sha256);
	ybd_plan_free(&p);
	return rc;
}

/* ---- the list ---- */

/**
 * struct store - the one whose lvols come
 * @name: of the fixture
 * @lvs: uuid of the lvstore
 * @device: what it lies on
 * @esnap: pair for the finder, which keeps pointing to @esnap_list
 */
struct store {
	char name[64];
	char lvs[48];
	char device[256];
	char esnap[320];
	const char *esnap_list[1];
	u32 block_size;
	struct ybd_finder f;
	bool open;
};

static void store_open(struct store *s, char *line)
{
	const char *device = s->device;
	struct ybd_error err = { 0 };

	if (s->open)
		ybd_finder_exit(&s->f);
	s->esnap[0] = '\0';
	if (sscanf(line, "store %63s %47s %255s %u %319s", s->name, s->lvs, s->device,
		   &s->block_size, s->esnap) < 4)
		die("bad line: %s", line);
	s->esnap_list[0] = s->esnap;
	if (ybd_finder_init(&s->f, &device, 1, s->esnap_list, !!s->esnap[0], &err))
		die("%s: %s", s->device, err.text);
	s->open = true;
}

static void do_lvol(struct store *s, char *line, bool want_sha256)
{
	struct lvol l = { .block_size = s->block_size };
	const char *kernel = getenv("YBD_KERNEL");
	char mode[4];
	int at = 0, rc;

	if (sscanf(line, "lvol %79s %47s %" SCNu64 " %3s %64s %64s %" SCNx64 " %n",
		   l.name, l.uuid,
		   &l.size, mode, l.sha256, l.sparse, &l.fast, &at) != 7 || !at)
		die("bad line: %s", line);
	l.ro = !strcmp(mode, "ro");
	l.ranges = line + at;
	rc = check_lvol(&s->f, s->lvs, &l, want_sha256);
	if (rc) {
		printf("# %s/%s: %s\nnot ", s->name, l.name, why);
		nr_failed++;
	}
	printf("ok %u - %s %s/%s\n", ++nr_cases, kernel ? kernel : "", s->name, l.name);
}

int main(int argc, char **argv)
{
	bool want_sha256 = argc > 2 && !strcmp(argv[1], "--sha256");
	struct ybd_error err = { 0 };
	static struct store store;
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	FILE *f;

	setlinebuf(stdout);
	if (argc != 2 + want_sha256)
		die("usage: ybd-readback [--sha256] LIST");
	f = fopen(argv[1 + want_sha256], "r");
	if (!f)
		die("%s: %m", argv[1 + want_sha256]);
	if (ybd_nl_open(&nl, &err))
		die("%s", err.text);
	buf = xalloc(CHUNK);
	while ((len = getline(&line, &cap, f)) > 0) {
		line[len - 1] = '\0';
		if (!strncmp(line, "store ", 6))
			store_open(&store, line);
		else
			do_lvol(&store, line, want_sha256);
	}
	printf("1..%u\n", nr_cases);
	return !!nr_failed;
}
