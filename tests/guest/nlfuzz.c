// SPDX-License-Identifier: GPL-2.0-only
/*
 * ybd-nlfuzz [-s SEED] [-n MESSAGES] [-p POOL] [-t PART]... DISK... DISK4K
 *
 * Wrong, malformed, forbidden and random requests by raw netlink messages: what
 * is refused changes nothing, what is accepted does what it says. The last disk
 * has logical blocks of 4096 bytes, and POOL an empty pool. Nothing else may use the module meanwhile.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "nlfuzz.h"

const struct ybd_map_extent good_map[2] = {
	{ .start = 0, .phys = MIB, .len = 64 * 1024 },
	{ .start = 512 * 1024, .phys = 0, .len = 128 * 1024 },
};

static const struct {
	const char *name;
	void (*fn)(struct fuzz *f);
} parts[] = {
	{ "requests", test_requests },
	{ "pool", test_pool },
	{ "permissions", test_permissions },
	{ "dumps", test_dumps },
	{ "events", test_events },
	{ "random", test_random },
	{ "pair", test_pair },
};

static void must(int ret, const char *what, const struct nlr *n)
{
	if (ret)
		die("%s: %s (%s)", what, strerror(-ret), n->text);
}

void fuzz_setup(struct fuzz *f)
{
	struct image_arg image = {
		.name = "base", .size = MIB, .ext = good_map, .nr = 2, .fds = f->fd, .nr_fds = 1,
	};
	struct device_arg dev = { .name = "rw", .image = "base", .ram = MIB };

	must(image_load(&f->n, &image), "load base", &f->n);
	image.name = "base-ro";
	image.flags = YBD_IMAGE_FLAGS_READ_ONLY;
	must(image_load(&f->n, &image), "load base-ro", &f->n);
	must(device_create(&f->n, &dev, NULL), "create rw", &f->n);
	dev = (struct device_arg){ .name = "ro", .image = "base-ro" };
	must(device_create(&f->n, &dev, NULL), "create ro", &f->n);
}

void fuzz_teardown(struct fuzz *f)
{
	must(device_detach(&f->n, "rw", false), "detach rw", &f->n);
	must(device_detach(&f->n, "ro", false), "detach ro", &f->n);
	must(image_unload(&f->n, "base"), "unload base", &f->n);
	must(image_unload(&f->n, "base-ro"), "unload base-ro", &f->n);
}

static bool wanted(const char *name, char **only, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!strcmp(only[i], name))
			return true;
	return !nr;
}

int main(int argc, char **argv)
{
	struct fuzz f = { .messages = 2000 };
	u64 seed = (u64)time(NULL);
	unsigned int i, nr_only = 0;
	struct state s;
	const char *bad;
	char *only[8];
	int c;

	while ((c = getopt(argc, argv, "s:n:p:t:")) != -1) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 'n')
			f.messages = strtoul(optarg, NULL, 0);
		else if (c == 'p')
			f.pool = optarg;
		else if (c == 't' && nr_only < ARRAY_LEN(only))
			only[nr_only++] = optarg;
		else
			return 2;
	}
	printf("KTAP version 1\n# ybd-nlfuzz -s %#" PRIx64 " -n %u\n", seed, f.messages);
	f.rng.s = seed;
	for (; optind < argc && f.nr_disks < MAX_DISKS; optind++) {
		f.disk[f.nr_disks] = argv[optind];
		f.fd[f.nr_disks] = open(argv[optind], O_RDONLY | O_CLOEXEC);
		if (f.fd[f.nr_disks++] < 0)
			die("%s: %m", argv[optind]);
	}
	if (f.nr_disks < 2)
		die("expected at least two disks");
	must(nlr_open(&f.n), "open", &f.n);
	for (i = 0; i < ARRAY_LEN(parts); i++)
		if (wanted(parts[i].name, only, nr_only))
			parts[i].fn(&f);
	bad = state_read(&f.n, &s);
	ktap_check(!bad && !s.n, "%s, %zu objects", bad ? bad : "left", s.n);
	ktap_done("nothing is left at the end");
	printf("1..%u\n", ktap.n);
	return ktap_exit();
}
