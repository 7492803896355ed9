// SPDX-License-Identifier: GPL-2.0-only
/*
 * ybd-powercut: what runs in a guest while its disk is recorded, until the power fails.
 *
 *   run [OPTION]... ID:NAME:PATH[:FIRST]...	write to devices, see powercut_workload.h. With FIRST
 *						a device is a part of the disk that begins there;
 *						with @OFFSET PATH is a file on the device, in one
 *						piece that begins there
 *   command [OPTION]... WHAT ID NAME SECTORS COMMAND...	run one that creates, destroys, resizes or
 *						attaches an upper
 *   files [OPTION]... DIRECTORY FILES RECORDS	append to files, with an fsync after each
 *   check-file FILE NUMBER RECORDS		has the file so many of that?
 *
 * What is about to be done, and what came of it, is written to the disk of --marks first and last.
 */
#include <fcntl.h>
#include <getopt.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "powercut_workload.h"
#include "test.h"

#define MAX_TARGETS 64

static int marks_fd = -1;
static bool partly;
static struct target targets[MAX_TARGETS];
static struct load load = {
	.target = targets, .run = 1, .stream = 1, .threads = 4, .ops = 1000, .flush = 8,
	.fua = 10, .discard = 8,
};

/* ---- marks ---- */

/* Each thread has a buffer of its own; where on that disk it is written does not matter. */
static int put_marks(const struct mark *m, u32 nr)
{
	static __thread u8 *buf;

	if (!buf)
		buf = xalloc(SECTOR);
	memset(buf, 0, SECTOR);
	memcpy(buf, m, nr * sizeof(*m));
	return pwrite(marks_fd, buf, SECTOR, 0) == (ssize_t)SECTOR ? 0 : -errno;
}

static void open_marks(const char *path)
{
	marks_fd = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
	if (marks_fd < 0)
		die("%s: %m", path);
}

/* ---- block devices ---- */

static int dev_write(struct target *t, u64 sector, const void *buf, u32 nr, bool fua)
{
	struct iovec iov = { (void *)buf, (size_t)nr * SECTOR };
	ssize_t done = pwritev2(t->fd, &iov, 1, (off_t)(sector * SECTOR), fua ? RWF_DSYNC : 0);

	if (done < 0)
		return -errno;
	/* the rest would have failed; whoever expects all or nothing is told that */
	return done == (ssize_t)iov.iov_len ? 0 : -ENOSPC;
}

static int dev_range(struct target *t, unsigned long request, u64 sector, u32 nr)
{
	u64 range[2] = { sector * SECTOR, (u64)nr * SECTOR };

	return ioctl(t->fd, request, range) ? -errno : 0;
}

static int dev_zero(struct target *t, u64 sector, u32 nr)
{
	return dev_range(t, BLKZEROOUT, sector, nr);
}

static int dev_discard(struct target *t, u64 sector, u32 nr)
{
	return dev_range(t, BLKDISCARD, sector, nr);
}

static int dev_flush(struct target *t)
{
	return fdatasync(t->fd) ? -errno : 0;
}

static void measure(struct target *t, const char *path)
{
	u64 bytes;
	int lbs;

	if (ioctl(t->fd, BLKGETSIZE64, &bytes) || ioctl(t->fd, BLKSSZGET, &lbs))
		die("%s: %m", path);
	t->sectors = bytes / SECTOR;
	t->lbs = lbs;
}

static void open_target(struct target *t, char *spec)
{
	static const struct target_ops ops = { dev_write, dev_zero, dev_discard, dev_flush };
	char *id = strsep(&spec, ":"), *name = strsep(&spec, ":"), *path = strsep(&spec, ":");
	struct stat st;

	if (!path)
		die("%s: expected ID:NAME:PATH[:FIRST]", id);
	t->ops = &ops;
	t->dev = atoi(id);
	snprintf(t->name, MARK_NAME, "%s", name);
	t->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (t->fd < 0 || fstat(t->fd, &st))
		die("%s: %m", path);
	if (S_ISREG(st.st_mode)) {
		t->sectors = st.st_size / SECTOR;
		t->lbs = BLOCK;
	} else {
		measure(t, path);
	}
	if (spec && *spec == '@') {
		t->flags = MARK_PARTLY;
		t->offset = strtoull(spec + 1, NULL, 0);
	} else if (spec) {
		t->flags = MARK_IDENTITY;
		t->first = strtoull(spec, NULL, 0);
	}
}

static int run(char **spec, int nr)
{
	struct load_done done;

	if (nr < 1 || nr > MAX_TARGETS)
		die("no devices, or too many");
	for (int i = 0; i < nr; i++)
		open_target(&targets[i], spec[i]);
	load.nr = nr;
	load.mark = put_marks;
	load_run(&load, &done);
	printf("# %u writes, %u with FUA, %u discards, %u zeroes, %u flushes, %u without room\n",
	       done.ops[MARK_WRITE], done.ops[MARK_FUA], done.ops[MARK_DISCARD],
	       done.ops[MARK_ZERO], done.ops[MARK_FLUSH], done.full);
	return done.failed ? 1 : 0;
}

/* ---- commands ---- */

static u16 find_what(const char *name)
{
	static const char *const names[NR_MARKS] = {
		[MARK_CREATE] = "create", [MARK_DESTROY] = "destroy", [MARK_RESIZE] = "resize",
		[MARK_ATTACH] = "attach",
	};

	for (u32 i = 0; i < NR_MARKS; i++)
		if (names[i] && !strcmp(name, names[i]))
			return i;
	die("%s: expected create, destroy, resize or attach", name);
}

static int run_command(char **argv)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		die("%s: %m", argv[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int run_marked(char **argv, int argc)
{
	struct mark m = { .magic = MARK_MAGIC, .run = load.run, .op = 0xff000000u | getpid() };
	int status;

	if (argc < 5)
		die("expected WHAT ID NAME SECTORS COMMAND...");
	m.what = find_what(argv[0]);
	m.dev = atoi(argv[1]);
	m.flags = partly ? MARK_PARTLY : 0;
	m.sector = strtoull(argv[3], NULL, 0);
	snprintf(m.name, MARK_NAME, "%s", argv[2]);
	if (put_marks(&m, 1))
		die("a mark cannot be written: %m");
	status = run_command(argv + 4);
	m.what = MARK_END;
	m.status = status ? -EIO : 0;
	if (put_marks(&m, 1))
		die("a mark cannot be written: %m");
	return status;
}

/* ---- files ---- */

static void fill_record(u8 *buf, u32 file, u64 record)
{
	struct tag t = { .magic = TAG_MAGIC, .run = load.run, .op = (u32)record + 1, .dev = file };

	for (u32 i = 0; i < RECORD_SIZE / SECTOR; i++) {
		t.sector = record * (RECORD_SIZE / SECTOR) + i;
		tag_fill(buf + i * SECTOR, &t);
	}
}

static void append(int fd, u32 file, u64 record, u8 *buf)
{
	struct mark m = {
		.magic = MARK_MAGIC, .run = load.run, .what = MARK_FILE, .dev = file,
		.sector = record + 1,
	};

	snprintf(m.name, MARK_NAME, "file%u", file);
	fill_record(buf, file, record);
	if (pwrite(fd, buf, RECORD_SIZE, (off_t)(record * RECORD_SIZE)) != RECORD_SIZE)
		die("%s: %m", m.name);
	/* some at a time */
	if (tag_mix(record + file) % 3)
		return;
	if (fsync(fd) || put_marks(&m, 1))
		die("%s: %m", m.name);
}

static int append_files(char **argv, int argc)
{
	u8 *buf = xalloc(RECORD_SIZE);
	int fd[MAX_FILES], dir, nr, records;
	char name[32];

	if (argc != 3)
		die("expected DIRECTORY FILES RECORDS");
	nr = atoi(argv[1]);
	records = atoi(argv[2]);
	dir = open(argv[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (nr < 1 || nr >= MAX_FILES || dir < 0)
		die("%s: %m", argv[0]);
	for (int i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "file%u", i);
		fd[i] = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd[i] < 0 || fsync(fd[i]))
			die("%s: %m", name);
	}
	if (fsync(dir))
		die("%s: %m", argv[0]);
	for (int k = 0; k < nr * records; k++)
		append(fd[k % nr], k % nr, k / nr, buf);
	return 0;
}

static int check_file(char **argv, int argc)
{
	u8 want[RECORD_SIZE], is[RECORD_SIZE];
	u64 records = argc == 3 ? strtoull(argv[2], NULL, 0) : 0;
	int fd = argc == 3 ? open(argv[0], O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		die("expected FILE NUMBER RECORDS; %m");
	for (u64 i = 0; i < records; i++) {
		fill_record(want, atoi(argv[1]), i);
		if (pread(fd, is, RECORD_SIZE, (off_t)(i * RECORD_SIZE)) != RECORD_SIZE ||
		    memcmp(is, want, RECORD_SIZE))
			die("%s: record %llu of %llu is not there", argv[0],
			    (unsigned long long)i, (unsigned long long)records);
	}
	return 0;
}

/* ---- the command line ---- */

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "marks", 1, NULL, 'm' }, { "run", 1, NULL, 'r' }, { "stream", 1, NULL, 't' },
		{ "seed", 1, NULL, 's' }, { "threads", 1, NULL, 'n' }, { "ops", 1, NULL, 'o' },
		{ "flush", 1, NULL, 'f' }, { "discard", 1, NULL, 'd' }, { "may-fill", 0, NULL, 'F' },
		{ "partly", 0, NULL, 'p' }, { "random", 0, NULL, 'R' }, { "span", 1, NULL, 'S' },
		{ "fua", 1, NULL, 'u' },
		{ NULL, 0, NULL, 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "+", longs, NULL)) != -1) {
		switch (o) {
		case 'm': open_marks(optarg); break;
		case 'r': load.run = atoi(optarg); break;
		case 't': load.stream = atoi(optarg); break;
		case 's': load.seed = strtoull(optarg, NULL, 0); break;
		case 'n': load.threads = atoi(optarg); break;
		case 'o': load.ops = atoi(optarg); break;
		case 'f': load.flush = atoi(optarg); break;
		case 'u': load.fua = atoi(optarg); break;
		case 'd': load.discard = atoi(optarg); break;
		case 'p': partly = true; break;
		case 'R': load.random = true; break;
		case 'S': load.span = strtoull(optarg, NULL, 0); break;
		case 'F': load.may_fill = true; break;
		default: exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	argc--;
	argv++;
	parse(argc, argv);
	argc -= optind;
	argv += optind;
	if (!strcmp(what, "check-file"))
		return check_file(argv, argc);
	if (marks_fd < 0)
		die("no --marks");
	if (!strcmp(what, "run"))
		return run(argv, argc);
	if (!strcmp(what, "command"))
		return run_marked(argv, argc);
	if (!strcmp(what, "files"))
		return append_files(argv, argc);
	die("expected run, command, files or check-file");
}
