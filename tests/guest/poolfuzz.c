// SPDX-License-Identifier: GPL-2.0-only
/*
 * ybd-poolfuzz [-s SEED] [-t SECONDS] [-n POOLS] [-a] DISK [INPUT]...
 *
 * Pools whose metadata was changed, with crcs put right, so that what the module verifies behind
 * them is reached. It refuses an upper with a reason, or attaches it: then what is read is what the
 * library reads by its map, and it can be written to and attached again. What the library finds
 * nothing wrong with is not refused.
 *
 * The changes are those of INPUTs, which are what the library's fuzzer takes (pool_input.h), then
 * random ones, until there were so many or the time is over. DISK, of at least 64 MiB, is
 * overwritten. With -a all of a device is read, not only a part of it.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "../unit/ktap.h"
#include "nl_pool.h"
#include "nl_state.h"
#include "pool/pool.h"
#include "pool_mutate.h"
#include "test.h"

#define BLOCK		YBD_FMT_BLOCK_SIZE
#define WINDOW		64u	/* blocks of a device that are read at once */
#define DISK_MOST	256u	/* and of the disk */
#define INPUT_MAX	(INPUT_HEAD + INPUT_RECS_MAX * INPUT_REC)

/**
 * struct tally - what became of uppers
 * @attached: and were read
 * @unread: attached, though the library would not say what is in them
 * @refused: with a reason
 * @written: written to, and attached again
 */
struct tally {
	u32 attached;
	u32 unread;
	u32 refused;
	u32 written;
};

static struct nlr n;
static struct rng rng;
static struct mutant *bases[INPUT_POOLS];
static struct mutant *on_disk;	/* what the disk has */
static struct tally tally;
static int disk_fd;
static bool read_all;
static u8 *buf;		/* of DISK_MOST blocks, for what is read */
static u8 *out;		/* and what is written */

/* -------- the disk -------- */

static void disk_write(u64 block, const void *mem, u32 nr)
{
	memcpy(out, mem, (size_t)nr * BLOCK);
	if (pwrite(disk_fd, out, (size_t)nr * BLOCK, block * BLOCK) != (ssize_t)nr * BLOCK)
		die("write of block %" PRIu64 ": %m", block);
}

/* All of it as it is in memory. Returns how many blocks were not. */
static u32 disk_same(const struct mutant *b)
{
	u32 nr = DISK_MOST, differ = 0;

	for (u64 at = 0; at < b->m.blocks; at += nr) {
		u8 *mem = b->m.mem + at * BLOCK;

		if (pread(disk_fd, buf, nr * BLOCK, at * BLOCK) != nr * BLOCK)
			die("read of block %" PRIu64 ": %m", at);
		if (!memcmp(buf, mem, nr * BLOCK))
			continue;
		for (u32 i = 0; i < nr; i++)
			differ += !!memcmp(buf + i * BLOCK, mem + i * BLOCK, BLOCK);
		disk_write(at, mem, nr);
	}
	return differ;
}

/* What an attach may write: the backup of the superblock, tables and headers. */
static void disk_same_tables(const struct mutant *b)
{
	u32 nr = (u32)(b->m.super.directory + 2 * MK_UPPERS) - YBD_FMT_SUPER_BACKUP_BLOCK;

	disk_write(YBD_FMT_SUPER_BACKUP_BLOCK,
		   b->m.mem + YBD_FMT_SUPER_BACKUP_BLOCK * (size_t)BLOCK, nr);
}

static void disk_take(struct mutant *b)
{
	if (on_disk != b)
		disk_same(b);
	on_disk = b;
	for (u32 i = 0; i < b->nr_undo; i++)
		disk_write(b->undo[i], (u8 *)b->m.mem + (size_t)b->undo[i] * BLOCK, 1);
}

static void disk_give_back(struct mutant *b, bool everything)
{
	u32 nr = b->nr_undo, block[MUT_UNDO];

	memcpy(block, b->undo, sizeof(block));
	mut_restore(b);
	for (u32 i = 0; i < nr; i++)
		disk_write(block[i], (u8 *)b->m.mem + (size_t)block[i] * BLOCK, 1);
	disk_same_tables(b);
	if (everything)
		disk_same(b);
}

/* -------- what the library says -------- */

static int base_read(struct pool_io *io, u64 block, void *mem, u32 nr)
{
	struct mutant *b = io->priv;

	memcpy(mem, b->m.mem + block * BLOCK, (size_t)nr * BLOCK);
	return 0;
}

static u64 base_next_data(struct pool_io *io, u64 block)
{
	struct mutant *b = io->priv;

	while (block < b->m.blocks && !b->data[block])
		block++;
	return block;
}

static struct pool *library_check(struct mutant *b, struct pool_io **io)
{
	static const struct pool_io_ops ops = { .read = base_read, .next_data = base_next_data };
	struct ybd_error err = { 0 };
	struct pool *p;

	if (pool_io_open_ops(&ops, b->m.blocks, false, b, io))
		die("out of memory");
	return pool_check(*io, &p, &err) ? NULL : p;
}

static bool library_is_content(const struct pool *p)
{
	return p && !pool_report_errors(&p->report);
}

/* Which blocks of the pool has the upper? POOL_IMAGE and POOL_ZEROES are zeroes here. */
static u64 *library_map(struct pool *p, u32 upper)
{
	struct pool_records map;
	u64 *where;

	if (!p || p->upper[upper].place != POOL_PLACE_LIVE || pool_upper_map(p, upper, &map))
		return NULL;
	where = xalloc(MK_BLOCKS * sizeof(*where));
	for (u64 i = 0; i < MK_BLOCKS; i++)
		where[i] = POOL_IMAGE;
	for (size_t i = 0; i < map.nr; i++)
		for (u64 k = 0; k < map.rec[i].nr && map.rec[i].start + k < MK_BLOCKS; k++)
			where[map.rec[i].start + k] = map.rec[i].where >= POOL_IMAGE ?
						      POOL_IMAGE : map.rec[i].where + k;
	free(map.rec);
	return where;
}

/* -------- one upper -------- */

static int open_device(u32 id)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/ybd%u", id);
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		die("%s: %m", path);
	return fd;
}

static void check_window(struct mutant *b, u32 upper, int fd, const u64 *where, u64 at)
{
	if (pread(fd, buf, WINDOW * BLOCK, at * BLOCK) != WINDOW * BLOCK) {
		ktap_fail("upper %u: read at block %" PRIu64 ": %m", upper, at);
		return;
	}
	for (u64 i = 0; where && i < WINDOW; i++) {
		u64 w = where[at + i];
		bool same = w == POOL_IMAGE ? is_zero(buf + i * BLOCK, BLOCK) :
			    !memcmp(buf + i * BLOCK, b->m.mem + w * BLOCK, BLOCK);

		ktap_check(same, "upper %u: block %" PRIu64 " is not block %" PRIu64 " of the pool",
			   upper, at + i, w);
		if (!same)
			return;
	}
}

static void check_upper(struct mutant *b, u32 upper, int fd, const u64 *where)
{
	u64 at, blocks = lseek(fd, 0, SEEK_END) / BLOCK, i;

	if (blocks > MK_BLOCKS)
		blocks = MK_BLOCKS;
	if (blocks < WINDOW)
		return;
	for (i = 0, at = 0; read_all && at + WINDOW <= blocks; at += WINDOW)
		check_window(b, upper, fd, where, at);
	for (; !read_all && i < 4; i++)
		check_window(b, upper, fd, where, rng_below(&rng, blocks - WINDOW + 1));
}

static void detach(u32 id)
{
	static struct nlm m;
	int i, ret = -EBUSY;

	for (i = 0; ret == -EBUSY && i < 500; i++) {
		if (i == 1)
			say_openers(&n);
		if (i)
			usleep(20000);
		nlm_init(&m, &n, YBD_CMD_DEVICE_DETACH, 0);
		nlm_u32(&m, YBD_A_DEVICE_ID, id);
		ret = nlr_call(&n, &m, NULL, NULL);
	}
	ktap_check(!ret, "detach: %d %s", ret, n.text);
}

/* It can be used: what is written is there after an attach. */
static void write_upper(u32 upper, const char *image, struct upper_info *u)
{
	u64 at = rng_below(&rng, u->size / BLOCK) * BLOCK;
	int fd = open_device(u->id), ret;
	u8 want[BLOCK], uuid[16];

	memset(buf, 0x41 + upper, BLOCK);
	memcpy(want, buf, BLOCK);
	ret = pwrite(fd, buf, BLOCK, at) == BLOCK && !fsync(fd) ? 0 : -errno;
	/* a damage may have left no room */
	ktap_check(!ret || ret == -ENOSPC, "upper %u: write: %s", upper, strerror(-ret));
	close(fd);
	detach(u->id);
	memcpy(uuid, u->uuid, sizeof(uuid));
	if (upper_attach(&n, disk_fd, uuid, image, u)) {
		ktap_fail("upper %u: attach after a write: %s", upper, n.text);
		return;
	}
	fd = open_device(u->id);
	ktap_check(pread(fd, buf, BLOCK, at) == BLOCK && (ret || !memcmp(buf, want, BLOCK)),
		   "upper %u: what was written is not there", upper);
	close(fd);
	tally.written++;
}

/* What the library has against an upper that the module attaches. */
static void say_findings(const struct pool *p, u32 upper)
{
	static u32 said;

	for (size_t i = 0; p && i < p->report.nr && said < 20; i++) {
		const struct pool_finding *f = &p->report.find[i];

		if (!f->error || f->upper != upper)
			continue;
		printf("# upper %u is attached; pool check: %s\n", upper, f->text);
		said++;
	}
}

/* Was the upper, says a header that is right, made over another image than the one that is here? */
static bool is_over_another(const struct mutant *b, const struct pool *p, u32 upper)
{
	return p && p->upper[upper].place == POOL_PLACE_LIVE &&
	       memcmp(p->upper[upper].image_identity, b->m.upper[upper].header.image_identity,
		      sizeof(p->upper[upper].image_identity));
}

static void try_upper(struct mutant *b, struct pool *p, u32 upper, bool write)
{
	/* which uuid it has may have been changed, too */
	const u8 *uuid = p && p->upper[upper].place == POOL_PLACE_LIVE ? p->upper[upper].uuid :
			 b->m.upper[upper].uuid;
	bool over_another = is_over_another(b, p, upper);
	u64 *where = library_map(p, upper);
	struct upper_info u;
	char image[16];
	int fd;

	snprintf(image, sizeof(image), "image%u", upper);
	if (upper_attach(&n, disk_fd, uuid, image, &u)) {
		tally.refused++;
		ktap_check(n.text[0], "upper %u: refused without a reason", upper);
		ktap_check(!library_is_content(p) || !where || over_another,
			   "upper %u: refused: %s; but nothing is wrong with it", upper, n.text);
		free(where);
		return;
	}
	ktap_check(!library_is_content(p) || !where || !over_another,
		   "upper %u: attached over an image that it was not made over", upper);
	if (where) {
		tally.attached++;
	} else {
		tally.unread++;
		say_findings(p, upper);
	}
	fd = open_device(u.id);
	check_upper(b, upper, fd, where);
	close(fd);
	if (write && !ktap.bad)
		write_upper(upper, image, &u);
	free(where);
	detach(u.id);
}

/* -------- pools -------- */

static void load_images(struct mutant *b, bool load)
{
	struct image_arg a = { .size = MK_BLOCKS * (u64)BLOCK };
	char name[16];
	int ret;

	a.name = name;
	for (u32 i = 0; i < MK_UPPERS; i++) {
		snprintf(name, sizeof(name), "image%u", i);
		a.identity = b->m.upper[i].header.image_identity;
		ret = load ? image_load(&n, &a) : image_unload(&n, name);
		if (ret)
			die("%s: %s", name, n.text);
	}
}

static void use_base(struct mutant *b)
{
	if (on_disk == b)
		return;
	if (on_disk)
		load_images(on_disk, false);
	load_images(b, true);
	disk_take(b);
}

/* Data can be told from each other, and from zeroes. */
static void stamp(struct mutant *b)
{
	for (u32 s = 0; s < b->m.super.nr_segments; s++) {
		u64 first = b->m.super.data + (u64)s * b->m.super.segment_blocks;

		if (b->m.seg[s].owner == YBD_FMT_OWNER_METADATA)
			continue;
		for (u64 i = first; i < first + b->m.super.segment_blocks; i++) {
			u64 *w = mk_block(&b->m, i);

			for (u64 k = 0; k < BLOCK / 8; k++)
				w[k] = i << 20 | k;
			b->data[i] = true;
		}
	}
}

/* So that it can be tried again. */
static void say_input(const char *what, const u8 *data, size_t size)
{
	printf("# %s: as bytes:", what);
	for (size_t i = 0; i < size; i++)
		printf(" %02x", data[i]);
	printf("\n");
}

static void one_pool(const u8 *data, size_t size, const char *what)
{
	u32 which = data[0] % INPUT_POOLS;
	struct mutant *b = bases[which];
	bool write = rng_chance(&rng, 15);
	u32 first = rng_below(&rng, MK_UPPERS);
	struct pools_info info;
	struct pool_io *io;
	struct pool *p;

	use_base(b);
	mut_change(b, data + INPUT_HEAD, size - INPUT_HEAD);
	p = library_check(b, &io);
	disk_take(b);
	for (u32 i = 0; i < MK_UPPERS && !ktap.bad; i++)
		if (b->m.upper[(first + i) % MK_UPPERS].slot_seq)
			try_upper(b, p, (first + i) % MK_UPPERS, write && !i);
	ktap_check(!pools_get(&n, &info) && !info.nr, "%u pools are in use", info.nr);
	if (ktap.bad)
		say_input(what, data, size);
	pool_close(p);
	pool_io_close(io);
	disk_give_back(b, write);
}

/* -------- changes -------- */

static u64 random_value(void)
{
	switch (rng_below(&rng, 6)) {
	case 0: return rng_below(&rng, 16);
	case 1: return rng_below(&rng, YBD_FMT_MIN_BLOCKS);
	case 2: return -1 - rng_below(&rng, 4);
	case 3: return 1ULL << rng_below(&rng, 64);
	case 4: return (1ULL + rng_below(&rng, 3)) << YBD_FMT_OP_SHIFT |
		       rng_below(&rng, MK_BLOCKS + 8);
	default: return rng_next(&rng);
	}
}

/* Some with the same pool: to write another one to the disk takes longest. */
static size_t random_input(u8 *data, u32 pool)
{
	u32 nr = 1 + rng_below(&rng, rng_chance(&rng, 80) ? 3 : 12);

	data[0] = pool / 50 + 1;
	for (u32 i = 0; i < nr; i++) {
		u8 *r = data + INPUT_HEAD + i * INPUT_REC;
		u16 block = rng_next(&rng), off = rng_next(&rng);
		u64 value = random_value();

		/* mostly where fields and records are */
		off = off % (rng_chance(&rng, 70) ? 288 : BLOCK) & (rng_chance(&rng, 90) ? ~3 : ~0);
		memcpy(r, &block, 2);
		memcpy(r + 2, &off, 2);
		r[4] = rng_chance(&rng, 60) ? INPUT_SET + rng_below(&rng, 3) :
					      rng_below(&rng, INPUT_OPS);
		r[4] |= INPUT_FAR | (rng_chance(&rng, 4) ? INPUT_BAD_CRC : 0);
		r[5] = rng_next(&rng);
		memcpy(r + 6, &value, 8);
	}
	return INPUT_HEAD + nr * INPUT_REC;
}

static void run_file(const char *path)
{
	u8 data[INPUT_MAX];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, data, sizeof(data));

	if (got < 0)
		die("%s: %m", path);
	close(fd);
	if (got >= INPUT_HEAD + INPUT_REC)
		one_pool(data, got, path);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void say(const char *what, u32 pools)
{
	printf("# %u pools: %u uppers attached and read, %u attached, %u refused, %u written to\n",
	       pools, tally.attached, tally.unread, tally.refused, tally.written);
	ktap_check(tally.attached || !pools, "none was attached");
	ktap_done("%s", what);
	memset(&tally, 0, sizeof(tally));
}

int main(int argc, char **argv)
{
	double seconds = 30, end;
	u64 seed = (u64)time(NULL);
	u32 pools = 0, most = UINT32_MAX, inputs = 0;
	u8 data[INPUT_MAX];
	char what[64];
	struct state s;
	int c;

	while ((c = getopt(argc, argv, "s:t:n:a")) != -1) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 't')
			seconds = atof(optarg);
		else if (c == 'n')
			most = strtoul(optarg, NULL, 0);
		else if (c == 'a')
			read_all = true;
		else
			return 2;
	}
	if (optind >= argc)
		die("expected a disk");
	disk_fd = open(argv[optind], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (disk_fd < 0)
		die("%s: %m", argv[optind]);
	printf("KTAP version 1\n# ybd-poolfuzz -s %#" PRIx64 "\n", seed);
	rng.s = seed;
	buf = xalloc(DISK_MOST * BLOCK);
	out = xalloc(DISK_MOST * BLOCK);
	if (nlr_open(&n))
		die("no module");
	for (u32 i = 0; i < INPUT_POOLS; i++) {
		bases[i] = xalloc(sizeof(*bases[i]));
		mut_make(bases[i], i);
		stamp(bases[i]);
	}
	for (int i = optind + 1; i < argc && !ktap.bad; i++, inputs++)
		run_file(argv[i]);
	say("the library's corpus", inputs);
	end = now() + seconds;
	while (pools < most && !ktap.bad && now() < end) {
		snprintf(what, sizeof(what), "random pool %u", pools++);
		one_pool(data, random_input(data, pools), what);
		/* nothing but what an attach writes was written */
		if (pools % 64 == 0)
			ktap_check(!disk_same(on_disk), "blocks changed that nobody may write");
	}
	say("random changes", pools);
	load_images(on_disk, false);
	ktap_check(!state_read(&n, &s) && !s.n, "something is left");
	ktap_done("nothing is left at the end");
	openers_done();
	printf("1..%u\n", ktap.n);
	return ktap_exit();
}
