// SPDX-License-Identifier: GPL-2.0-only
/*
 * ybd-model: random I/O on ybd devices, checked against what it may read.
 *
 * Makes an image, devices with uppers in RAM or in a pool on it, and lets threads
 * read, write, zero and discard overlapping ranges through several interfaces of
 * the kernel. The amount of work is given; time decides nothing. What is in a
 * pool and persistent is read once more after it was attached again.
 */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <linux/ybd_format.h>

#include "detach.h"
#include "memfile.h"
#include "model_history.h"
#include "model_image.h"
#include "model_io.h"

#define MAX_DEVICES	4
#define MAX_IO		(1U << 20)
#define HOT_SPOTS	4
#define HOT_SECTORS	256
#define DENSE_SECTORS	(10U << 11)
/* --narrow: a few blocks, for what is wrong for an instant only */
#define NARROW_SECTORS	24
#define VERIFY_IO	(256U << 10)

enum sabotage {
	SABOTAGE_NONE,
	SABOTAGE_STALE,		/* put back what a sector had before */
	SABOTAGE_GARBAGE,
	SABOTAGE_ZERO,
	NR_SABOTAGES,
};

static const char *const sabotage_names[NR_SABOTAGES] = {
	"none", "stale", "garbage", "zero",
};

static const char *const style_names[] = { "cluster", "multi", "general" };

/* The command line. */
static struct options {
	const char *sources[MAX_SOURCES];
	unsigned int nr_sources;
	const char *lvol;
	u64 size;
	u64 ram;
	const char *pool;
	bool vol;
	u64 seed;
	u64 ops;
	u32 store_block;
	u32 device_block;
	unsigned int devices;
	unsigned int threads;
	unsigned int layers;
	unsigned int refill;
	enum map_style style;
	enum sabotage sabotage;
	bool expect_full;
	bool narrow;
} opt = {
	.size = (12 << 20) + 5 * 512,
	.ram = 64 << 20,
	.ops = 20000,
	.store_block = 512,
	.device_block = 512,
	.devices = 2,
	.threads = 4,
	.layers = 3,
	.style = MAP_GENERAL,
};

/**
 * struct device - one under test
 * @name: its name
 * @disk: "ybdN"
 * @fd: open with O_DIRECT
 * @h: its history
 * @ops_left: to be begun
 * @full: writes refused for want of space
 * @again: operations that would have waited
 */
struct device {
	char name[32];
	char disk[32];
	int fd;
	struct history h;
	_Atomic long ops_left;
	_Atomic u64 full;
	_Atomic u64 again;
	_Atomic u64 done[NR_OPS];
};

/**
 * struct worker - a thread
 * @dev: its device
 * @rng: its random numbers
 * @jobs: @depth operations at a time
 */
struct worker {
	pthread_t thread;
	unsigned int nr;
	struct device *dev;
	struct rng rng;
	struct engine_state *engine;
	enum engine kind;
	struct job jobs[MAX_DEPTH];
	int depth;
};

static struct device devices[MAX_DEVICES];
static int pool_fd = -1;
static u64 narrow_start;
static struct ybd_nl *nl;

/* ---- choosing ---- */

static u32 lbs_sectors(void)
{
	return opt.device_block / SECTOR;
}

static enum op_kind pick_kind(struct rng *rng)
{
	unsigned int n = rng_below(rng, 100);

	if (n < 42)
		return OP_READ;
	if (n < 80)
		return OP_WRITE;
	if (n < 89)
		return OP_DISCARD;
	if (n < 93)
		return OP_ZERO;
	return n < 97 ? OP_PUNCH : OP_FLUSH;
}

/* Mostly small and not aligned; whole blocks and long ones too. */
static u32 pick_sectors(struct rng *rng)
{
	unsigned int n = rng_below(rng, 100);

	if (opt.narrow)
		return n < 30 ? 1 + rng_below(rng, 12) : 8;
	if (n < 45)
		return 1 + rng_below(rng, 20);
	if (n < 80)
		return 8 * (1 + rng_below(rng, 4));
	if (n < 98)
		return 1 + rng_below(rng, 300);
	return 1 + rng_below(rng, MAX_IO / SECTOR);
}

static u64 pick_start(struct worker *w, u32 nr)
{
	u64 size = w->dev->h.nr_sectors, s;

	if (opt.narrow) {
		s = narrow_start + rng_below(&w->rng, NARROW_SECTORS);
	} else if (rng_chance(&w->rng, 60)) {
		s = (size - HOT_SECTORS) / HOT_SPOTS * rng_below(&w->rng, HOT_SPOTS + 1);
		s += rng_below(&w->rng, HOT_SECTORS);
	} else if (rng_chance(&w->rng, 75)) {
		s = rng_below(&w->rng, size < DENSE_SECTORS ? size : DENSE_SECTORS);
	} else {
		s = rng_below(&w->rng, size);
	}
	if (rng_chance(&w->rng, 50))
		s &= ~7ULL;
	return s + nr > size ? size - nr : s;
}

/* Memory in pieces that are cut anywhere the kernel allows. */
static void pick_memory(struct worker *w, struct job *job, u8 *room)
{
	u32 left = job->op.nr * SECTOR, len, unit = opt.device_block;
	u8 *p;

	job->buf = room + SECTOR * (rng_chance(&w->rng, 60) ? 0 : rng_below(&w->rng, 8));
	p = job->buf;
	job->nr_iov = 0;
	while (left) {
		len = left;
		if (job->nr_iov < MAX_IOV - 1 && rng_chance(&w->rng, 30))
			len = (1 + rng_below(&w->rng, left / unit)) * unit;
		job->iov[job->nr_iov++] = (struct iovec){ p, len };
		p += len;
		left -= len;
	}
}

static void pick_job(struct worker *w, struct job *job, u8 *room)
{
	u32 unit = lbs_sectors();
	struct op *op = &job->op;

	op->kind = pick_kind(&w->rng);
	op->nr = (pick_sectors(&w->rng) + unit - 1) / unit * unit;
	op->sector = pick_start(w, op->nr) / unit * unit;
	if (opt.narrow && op->kind == OP_READ && rng_chance(&w->rng, 50)) {
		/* from a block that only the image ever has */
		op->sector = narrow_start - 8;
		op->nr = 8 + NARROW_SECTORS;
	}
	job->rwf = 0;
	if (op->kind != OP_READ && op->kind != OP_WRITE)
		return;
	pick_memory(w, job, room);
	if (rng_chance(&w->rng, 25))
		job->rwf |= RWF_NOWAIT;
	if (op->kind == OP_WRITE && rng_chance(&w->rng, 10))
		job->rwf |= RWF_DSYNC;
}

/* ---- running ---- */

static void job_begin(struct worker *w, struct job *job)
{
	struct op *op = &job->op;
	u32 i;

	history_begin(&w->dev->h, op);
	if (op->kind == OP_WRITE)
		for (i = 0; i < op->nr; i++)
			history_fill(&w->dev->h, op->sector + i, op->value,
				     job->buf + i * SECTOR);
	else if (op->kind == OP_READ)
		memset(job->buf, 0x5a, op->nr * SECTOR);
}

static void report_error(struct worker *w, const struct job *job)
{
	printf("# %s: %s of %" PRIu64 "+%u by %s, flags %#x: %s\n", w->dev->disk,
	       op_names[job->op.kind], job->op.sector, job->op.nr, engine_names[w->kind],
	       job->rwf, strerror(-job->res));
	w->dev->h.failures++;
}

static void job_end(struct worker *w, struct job *job)
{
	struct device *dev = w->dev;
	long res = job->res;

	if (res == -ENOSPC || res == -EREMOTEIO)
		dev->full++;
	else if (res == -EAGAIN && job->rwf & RWF_NOWAIT)
		dev->again++;
	else if (res < 0)
		report_error(w, job);
	else
		dev->done[job->op.kind]++;
	history_end(&dev->h, &job->op, res < 0 ? 0 : res / SECTOR,
		    res == -EAGAIN && job->rwf & RWF_NOWAIT, job->buf);
}

/* Several at once, or one alone when it is not a read or a write. */
static void run_batch(struct worker *w)
{
	struct job *jobs[MAX_DEPTH];
	int i, nr = 0, want = 1 + rng_below(&w->rng, w->depth);

	for (i = 0; i < want; i++) {
		struct job *job = &w->jobs[i];

		pick_job(w, job, job->buf - ((uintptr_t)job->buf & 4095));
		if (job->op.kind != OP_READ && job->op.kind != OP_WRITE) {
			job_begin(w, job);
			job->res = job_ioctl(w->dev->fd, job);
			job_end(w, job);
			continue;
		}
		jobs[nr++] = job;
	}
	for (i = 0; i < nr; i++)
		job_begin(w, jobs[i]);
	engine_run(w->engine, jobs, nr);
	for (i = 0; i < nr; i++)
		job_end(w, jobs[i]);
	w->dev->ops_left -= want;
}

static void *worker(void *arg)
{
	struct worker *w = arg;

	while (w->dev->ops_left > 0 && !w->dev->h.failures)
		run_batch(w);
	return NULL;
}

/* Both ways of accounting, changed under load. */
static void set_iostats(const struct device *dev, int on)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/%s/queue/iostats", dev->disk);
	f = fopen(path, "w");
	if (!f || fprintf(f, "%d\n", on) < 0 || fclose(f))
		die("%s: %m", path);
}

static void worker_init(struct worker *w, unsigned int nr, struct rng *rng)
{
	int i;

	w->nr = nr;
	w->dev = &devices[nr % opt.devices];
	w->rng.s = rng_next(rng);
	w->kind = nr / opt.devices % NR_ENGINES;
	w->engine = engine_open(w->kind, w->dev->fd);
	if (!w->engine) {
		w->kind = ENGINE_SYNC;
		w->engine = engine_open(w->kind, w->dev->fd);
	}
	w->depth = w->kind == ENGINE_SYNC ? 1 : MAX_DEPTH;
	for (i = 0; i < w->depth; i++) {
		w->jobs[i].buf = xalloc(MAX_IO + 8192);
		w->jobs[i].op.slot = nr * MAX_DEPTH + i;
	}
}

static void worker_exit(struct worker *w)
{
	int i;

	engine_close(w->engine);
	for (i = 0; i < w->depth; i++)
		free(w->jobs[i].buf - ((uintptr_t)w->jobs[i].buf & 4095));
}

static bool work_left(void)
{
	unsigned int i;

	for (i = 0; i < opt.devices; i++)
		if (devices[i].ops_left > 0 && !devices[i].h.failures)
			return true;
	return false;
}

static void run_workers(struct rng *rng)
{
	unsigned int i, n = opt.threads * opt.devices;
	struct worker *w = xalloc(n * sizeof(*w));

	for (i = 0; i < opt.devices; i++)
		devices[i].ops_left = opt.ops / opt.devices;
	for (i = 0; i < n; i++)
		worker_init(&w[i], i, rng);
	for (i = 0; i < n; i++)
		if (pthread_create(&w[i].thread, NULL, worker, &w[i]))
			die("threads: %m");
	while (work_left()) {
		usleep(100000);
		set_iostats(&devices[rng_below(rng, opt.devices)], rng_below(rng, 2));
	}
	for (i = 0; i < n; i++) {
		pthread_join(w[i].thread, NULL);
		worker_exit(&w[i]);
	}
	free(w);
}

/* ---- afterwards ---- */

static void verify(struct device *dev)
{
	u64 size = dev->h.nr_sectors, pos;
	u8 *buf = xalloc(VERIFY_IO);
	struct op op = { .kind = OP_READ };

	for (pos = 0; pos < size; pos += op.nr) {
		op.sector = pos;
		op.nr = size - pos < VERIFY_IO / SECTOR ? size - pos : VERIFY_IO / SECTOR;
		history_begin(&dev->h, &op);
		if (pread(dev->fd, buf, op.nr * SECTOR, pos * SECTOR) != op.nr * SECTOR)
			die("%s: read: %m", dev->disk);
		history_end(&dev->h, &op, op.nr, false, buf);
	}
	free(buf);
}

static void get_stats(const struct device *dev, struct ybd_device_info *info)
{
	struct ybd_error err = { 0 };

	if (ybd_nl_device_get(nl, dev->name, info, &err))
		die("%s: %s", dev->name, err.text);
}

static int check(bool good, const char *what)
{
	if (!good)
		printf("# FAILED: %s\n", what);
	return !good;
}

/* Nothing may be counted as under way any more. */
static bool is_idle(const struct device *dev)
{
	unsigned int r = 1, w = 1;
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/%s/inflight", dev->disk);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%u %u", &r, &w) != 2)
		die("%s: %m", path);
	fclose(f);
	return !r && !w;
}

static int check_stats(const struct device *dev)
{
	struct ybd_device_info info;
	const struct ybd_stats *s = &info.stats;
	int i, bad;

	get_stats(dev, &info);
	printf("# %s:", dev->disk);
	for (i = 0; i < NR_OPS; i++)
		printf(" %" PRIu64 " %s", (u64)dev->done[i], op_names[i]);
	printf(", %" PRIu64 " full, %" PRIu64 " again\n", (u64)dev->full, (u64)dev->again);
	printf("# %s: image %" PRIu64 " hole %" PRIu64 " upper %" PRIu64 " split %" PRIu64
	       " bounce %" PRIu64 " first %" PRIu64 " copy-up %" PRIu64 " over %" PRIu64
	       " zeroed %" PRIu64 " freed %" PRIu64 " no-space %" PRIu64 " again %" PRIu64
	       " used %" PRIu64 "\n", dev->disk, s->image_reads, s->hole_reads, s->upper_reads,
	       s->splits, s->bounces, s->first_writes, s->copy_ups, s->overwrites, s->zeroed,
	       s->freed, s->no_space, s->would_block, s->upper_used);
	bad = check(s->upper_used <= s->upper_limit || opt.pool,
		    "the upper holds more than its bound");
	bad += check(s->upper_mapped <= s->upper_allocated,
		     "more is mapped than was taken of the pool");
	bad += check(is_idle(dev), "I/O is counted as under way");
	bad += check(s->first_writes && s->overwrites && s->zeroed && s->freed && s->image_reads,
		     "an operation that has to happen was not seen");
	if (opt.pool)
		printf("# %s: mapped %" PRIu64 " allocated %" PRIu64 " extents %" PRIu64
		       " map %" PRIu64 " commits %" PRIu64 " checkpoints %" PRIu64 "\n",
		       dev->disk, s->upper_mapped, s->upper_allocated, s->map_extents,
		       s->map_bytes, s->commits, s->checkpoints);
	if (opt.device_block == 512 && !opt.narrow)
		bad += check(s->copy_ups, "no copy-up was seen");
	bad += check(!!dev->full == !!s->no_space, "refused writes and no-space differ");
	bad += check(!!dev->full == opt.expect_full,
		     opt.expect_full ? "the bound was never hit" : "the bound was hit");
	return bad;
}

/* Give everything back and fill up again, many times: nothing may get lost. */
static int refill(struct device *dev)
{
	u64 range[2] = { 0, dev->h.nr_sectors * SECTOR }, written, first = 0, pos;
	struct ybd_device_info info;
	u8 *buf = xalloc(VERIFY_IO);
	unsigned int round;
	int bad = 0;

	for (round = 0; round < opt.refill && !bad; round++) {
		if (ioctl(dev->fd, BLKDISCARD, range))
			die("%s: discard: %m", dev->disk);
		get_stats(dev, &info);
		/* what stays is the index: 16 bytes a block at most */
		bad += check(info.stats.upper_used <= range[1] / 256 + 4096 &&
			     !info.stats.upper_mapped, "what was discarded was not given back");
		written = 0;
		memset(buf, round + 1, VERIFY_IO);
		for (pos = 0; pos + 4096 <= range[1]; pos += 4096) {
			if (pwrite(dev->fd, buf, 4096, pos) != 4096) {
				if (errno != ENOSPC)
					die("%s: write: %m", dev->disk);
				break;
			}
			written += 4096;
		}
		if (!round)
			first = written;
		bad += check(written == first, "less room than at the first time");
	}
	printf("# %s: %u times filled with %" PRIu64 " bytes\n", dev->disk, round, first);
	free(buf);
	return bad;
}

/* Change one sector without telling the history. */
static void do_sabotage(struct device *dev)
{
	u64 sector = dev->h.nr_sectors / 2 & ~7ULL;
	u8 *old = xalloc(4096), *buf = xalloc(4096);
	struct job job = { .op = { .kind = OP_WRITE, .sector = sector, .nr = 8 } };
	u32 i;

	for (i = 0; i < 2; i++) {
		history_begin(&dev->h, &job.op);
		for (u32 s = 0; s < 8; s++)
			history_fill(&dev->h, sector + s, job.op.value, buf + s * SECTOR);
		if (pwrite(dev->fd, buf, 4096, sector * SECTOR) != 4096)
			die("%s: write: %m", dev->disk);
		history_end(&dev->h, &job.op, 8, false, NULL);
		if (!i)
			memcpy(old, buf, 4096);
	}
	if (opt.sabotage == SABOTAGE_STALE)
		memcpy(buf + 512, old + 512, SECTOR);
	else if (opt.sabotage == SABOTAGE_GARBAGE)
		buf[512 + 300] ^= 0x10;
	else
		memset(buf + 512, 0, SECTOR);
	if (pwrite(dev->fd, buf, 4096, sector * SECTOR) != 4096)
		die("%s: write: %m", dev->disk);
}

/* ---- setting up ---- */

/* Blocks that the image has: what shines through must not look right. */
static void find_narrow(const struct test_image *img)
{
	u64 s, nr = img->size / SECTOR, run = 0;

	for (s = 0; s < nr && run < NARROW_SECTORS + 24; s++)
		run = is_zero(img->content + s * SECTOR, SECTOR) ? 0 : run + 1;
	narrow_start = ((s - run + 7) & ~7ULL) + 8;
	printf("# a few blocks from sector %" PRIu64 "\n", narrow_start);
}

/* Nobody reads the list here, but it has to be one. */
static int layers_file(void)
{
	struct {
		struct ybd_fmt_layer layer;
		char text[8];
	} list = {
		.layer.kind = YBD_FMT_LAYER_FILE,
		.layer.len = sizeof(list),
		.layer.size = 4096,
		.text = "model",
	};
	int fd = ybd_memfile("layers", &list, sizeof(list));

	if (fd < 0)
		die("memfd: %m");
	return fd;
}

static void open_device(struct device *dev, const struct ybd_device_info *info)
{
	char path[64];

	snprintf(dev->disk, sizeof(dev->disk), "%s", info->disk);
	snprintf(path, sizeof(path), "/dev/%s", info->disk);
	dev->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (dev->fd < 0)
		die("%s: %m", path);
}

static void create_device(unsigned int i, const struct test_image *img)
{
	struct device *dev = &devices[i];
	u32 unit = opt.pool ? 4096 : opt.device_block;
	struct ybd_device_req req = {
		.name = dev->name,
		.image_name = img->name,
		.upper = opt.pool ? YBD_UPPER_KIND_POOL : YBD_UPPER_KIND_RAM,
		.upper_limit = opt.pool ? 0 : opt.ram,
		.quota = opt.pool && opt.expect_full ? opt.ram : 0,
		.logical_block_size = opt.device_block,
		.cgroup_fd = -1,
		.pool_fd = pool_fd,
		.upper_flags = opt.vol ? YBD_UPPER_FLAGS_VOLATILE : 0,
		.layers_fd = -1,
	};
	struct ybd_device_info info;
	struct ybd_error err = { 0 };
	u8 *base;

	snprintf(dev->name, sizeof(dev->name), "model%u", i);
	if (opt.pool && !opt.vol)
		req.layers_fd = layers_file();
	/* the second one is larger than the image */
	req.size = img->size + i * 3 * 65536;
	req.size = (req.size + unit - 1) / unit * unit;
	if (ybd_nl_device_create(nl, &req, &info, &err))
		die("device: %s", err.text);
	if (req.layers_fd >= 0)
		close(req.layers_fd);
	open_device(dev, &info);
	base = xalloc(req.size);
	memcpy(base, img->content, img->size);
	history_init(&dev->h, i + 1, base, req.size / SECTOR);
	dev->h.shared = opt.pool;
	dev->h.full = opt.expect_full;
}

static u64 number(const char *s)
{
	char *end;
	u64 v = strtoull(s, &end, 0);

	switch (*end) {
	case 'M':
		v <<= 10;
		/* fall through */
	case 'K':
		v <<= 10;
		end++;
	}
	if (*end)
		die("not a number: %s", s);
	return v;
}

static unsigned int word(const char *s, const char *const *words, unsigned int nr)
{
	while (nr--)
		if (!strcmp(words[nr], s))
			return nr;
	die("unknown: %s", s);
}

static void usage(void)
{
	puts("usage: ybd-model --source DEV... | --lvol STORE/LVOL --source DEV\n"
	     "  --seed N --ops N --threads N (per device) --devices N\n"
	     "  --store-block B --device-block B --map cluster|multi|general\n"
	     "  --layers N --size BYTES --narrow (a few blocks only)\n"
	     "  --pool DEV [--volatile] (where the uppers are; not in RAM then)\n"
	     "  --ram BYTES (or quota) --full (the bound has to be hit) --refill TIMES\n"
	     "  --sabotage stale|garbage|zero (has to be found)");
	exit(2);
}

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "source", 1, NULL, 's' },	{ "lvol", 1, NULL, 'l' },
		{ "seed", 1, NULL, 'r' },	{ "ops", 1, NULL, 'o' },
		{ "threads", 1, NULL, 't' },	{ "devices", 1, NULL, 'd' },
		{ "store-block", 1, NULL, 'S' },{ "device-block", 1, NULL, 'D' },
		{ "map", 1, NULL, 'm' },	{ "layers", 1, NULL, 'L' },
		{ "size", 1, NULL, 'z' },	{ "ram", 1, NULL, 'R' },
		{ "full", 0, NULL, 'f' },	{ "refill", 1, NULL, 'F' },
		{ "pool", 1, NULL, 'p' },	{ "volatile", 0, NULL, 'v' },
		{ "sabotage", 1, NULL, 'x' },	{ "narrow", 0, NULL, 'n' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		switch (c) {
		case 's':
			if (opt.nr_sources == MAX_SOURCES)
				usage();
			opt.sources[opt.nr_sources++] = optarg;
			break;
		case 'l': opt.lvol = optarg; break;
		case 'r': opt.seed = number(optarg); break;
		case 'o': opt.ops = number(optarg); break;
		case 't': opt.threads = number(optarg); break;
		case 'd': opt.devices = number(optarg); break;
		case 'S': opt.store_block = number(optarg); break;
		case 'D': opt.device_block = number(optarg); break;
		case 'm': opt.style = word(optarg, style_names, 3); break;
		case 'L': opt.layers = number(optarg); break;
		case 'z': opt.size = number(optarg); break;
		case 'R': opt.ram = number(optarg); break;
		case 'p': opt.pool = optarg; break;
		case 'v': opt.vol = true; break;
		case 'f': opt.expect_full = true; break;
		case 'F': opt.refill = number(optarg); break;
		case 'n': opt.narrow = true; break;
		case 'x': opt.sabotage = word(optarg, sabotage_names, NR_SABOTAGES); break;
		default: usage();
		}
	}
	if (!opt.nr_sources || !opt.devices || opt.devices > MAX_DEVICES ||
	    !opt.threads || opt.threads * opt.devices * MAX_DEPTH > HISTORY_SLOTS)
		usage();
}

static u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

/* Detach and attach: what is there is all that was there. */
static void again(struct device *dev, const struct test_image *img)
{
	struct ybd_error err = { 0 };
	struct ybd_device_info info;
	u32 image_id;

	get_stats(dev, &info);
	image_id = info.image_id;
	close(dev->fd);
	if (ybd_detach(nl, dev->name, 0, ybd_detach_deadline(), &err))
		die("%s", err.text);
	if (ybd_nl_device_attach(nl, pool_fd, info.upper_uuid, image_id, 0, &info, &err))
		die("attach %s over %s: %s", dev->name, img->name, err.text);
	open_device(dev, &info);
	verify(dev);
}

/* Whatever happens, the next run can be done. */
static void clean_up(void)
{
	struct ybd_error err;
	unsigned int i;

	for (i = 0; i < opt.devices; i++) {
		if (!devices[i].disk[0])
			continue;
		close(devices[i].fd);
		ybd_nl_device_detach(nl, devices[i].name,
				     YBD_DETACH_FLAGS_FORCE | YBD_DETACH_FLAGS_DESTROY, &err);
	}
	ybd_nl_image_unload(nl, "model", &err);
}

static int finish(const struct test_image *img)
{
	struct ybd_error err = { 0 };
	unsigned int i;
	int bad = 0;
	u64 n;

	for (i = 0; i < opt.devices; i++) {
		close(devices[i].fd);
		if (ybd_detach(nl, devices[i].name, YBD_DETACH_FLAGS_DESTROY,
			       ybd_detach_deadline(), &err))
			bad += check(false, err.text);
		devices[i].disk[0] = '\0';
	}
	if (ybd_nl_image_unload(nl, img->name, &err))
		bad += check(false, err.text);
	n = image_check_sources(img);
	if (n)
		printf("# %" PRIu64 " sectors of the sources changed\n", n);
	return bad + !!n;
}

int main(int argc, char **argv)
{
	struct test_image img = { 0 };
	struct ybd_error err = { 0 };
	struct rng rng;
	unsigned int i;
	u64 start, failures = 0;
	int bad = 0;

	setlinebuf(stdout);
	parse(argc, argv);
	if (!opt.seed)
		opt.seed = time(NULL) * 1000003ULL ^ getpid();
	rng.s = opt.seed;
	printf("# seed %" PRIu64 "\n", opt.seed);
	if (ybd_nl_open(&nl, &err))
		die("%s", err.text);
	if (opt.pool) {
		pool_fd = open(opt.pool, O_RDWR | O_CLOEXEC);
		if (pool_fd < 0)
			die("%s: %m", opt.pool);
	}
	atexit(clean_up);
	img.size = opt.size / opt.store_block * opt.store_block;
	img.block_size = opt.store_block;
	if (opt.lvol) {
		image_from_lvol(&img, opt.lvol, opt.sources[0], nl);
	} else {
		image_generate(&img, opt.sources, opt.nr_sources, opt.style, opt.layers, &rng);
		image_load(&img, nl);
	}
	if (opt.narrow)
		find_narrow(&img);
	for (i = 0; i < opt.devices; i++)
		create_device(i, &img);
	start = now_ms();
	run_workers(&rng);
	printf("# %" PRIu64 " operations in %" PRIu64 " ms\n", opt.ops, now_ms() - start);
	if (opt.sabotage)
		do_sabotage(&devices[0]);
	for (i = 0; i < opt.devices; i++) {
		verify(&devices[i]);
		failures += devices[i].h.failures;
	}
	if (opt.sabotage) {
		printf("# sabotage (%s): %" PRIu64 " wrong sectors found, 1 expected\n",
		       sabotage_names[opt.sabotage], failures);
		bad = failures != 1;
		failures = 0;
	} else {
		for (i = 0; i < opt.devices; i++)
			bad += check_stats(&devices[i]);
	}
	for (i = 0; i < opt.devices && opt.pool && !opt.vol && !opt.sabotage; i++) {
		again(&devices[i], &img);
		failures += devices[i].h.failures;
	}
	for (i = 0; i < opt.devices && opt.refill; i++)
		bad += refill(&devices[i]);
	bad += finish(&img);
	if (failures)
		printf("# %" PRIu64 " wrong sectors or failed operations\n", failures);
	return failures || bad;
}
