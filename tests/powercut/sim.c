// SPDX-License-Identifier: GPL-2.0-only
/*
 * The workload on the recorder, in one process: sim [OPTION]... TRACE
 *
 * On the disk itself, or with --pool FILE on uppers of a stand-in for the module, FILE being the
 * pool as it is at first. Shows that a trace of what keeps its promises has no violations, and
 * that one of what does not has some, without guest and module.
 */
#include <getopt.h>

#include "sim.h"
#include "test.h"

#define DEVICES		3
#define DEVICE_SECTORS	(8u << 11)

static struct record *disk;
static bool pool;
static enum sim_mutant mutant;

static int sim_write(struct target *t, u64 sector, const void *buf, u32 nr, bool fua)
{
	return record_write(disk, t->first + sector, buf, nr, fua);
}

static int sim_zero(struct target *t, u64 sector, u32 nr)
{
	return record_zero(disk, t->first + sector, nr, false);
}

static int sim_discard(struct target *t, u64 sector, u32 nr)
{
	return record_trim(disk, t->first + sector, nr, false);
}

static int sim_flush(struct target *t)
{
	return record_flush(disk);
}

static int sim_mark(const struct mark *m, u32 nr)
{
	return record_marks(disk, m, nr * sizeof(*m));
}

static const struct target_ops ops = { sim_write, sim_zero, sim_discard, sim_flush };

static enum sim_mutant find_mutant(const char *name)
{
	for (u32 i = 0; i < NR_SIM_MUTANTS; i++)
		if (!strcmp(name, sim_mutant_names[i]))
			return i;
	die("no mutant %s", name);
}

static struct target part(u32 i)
{
	struct target t = {
		.ops = &ops, .dev = i + 1, .flags = MARK_IDENTITY, .first = i * DEVICE_SECTORS,
		.sectors = DEVICE_SECTORS, .lbs = i ? SECTOR : BLOCK,
	};

	snprintf(t.name, MARK_NAME, "part%u", i + 1);
	return t;
}

static void parse(int argc, char **argv, struct load *l, struct record_config *c)
{
	static const struct option longs[] = {
		{ "seed", 1, NULL, 's' }, { "ops", 1, NULL, 'o' }, { "lie", 1, NULL, 'l' },
		{ "lie-every", 1, NULL, 'e' }, { "run", 1, NULL, 'r' }, { "base", 1, NULL, 'b' },
		{ "file", 1, NULL, 'f' }, { "pool", 1, NULL, 'p' }, { "mutant", 1, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (o) {
		case 's': l->seed = c->seed = strtoull(optarg, NULL, 0); break;
		case 'o': l->ops = atoi(optarg); break;
		case 'l': c->lie = !strcmp(optarg, "fua") ? LIE_FUA : LIE_FLUSH; break;
		case 'e': c->lie_every = atoi(optarg); break;
		case 'r': l->run = atoi(optarg); break;
		case 'b': c->base = optarg; break;
		case 'f': c->file = optarg; break;
		case 'p': c->base = optarg; pool = true; break;
		case 'm': mutant = find_mutant(optarg); break;
		default: die("unknown option");
		}
	}
	if (optind + 1 != argc)
		die("sim [OPTION]... TRACE");
	c->trace = argv[optind];
}

int main(int argc, char **argv)
{
	struct record_config c = { .sectors = DEVICES * DEVICE_SECTORS, .delay = 3000 };
	struct target target[DEVICES] = { 0 };
	struct load l = {
		.mark = sim_mark, .target = target, .nr = DEVICES, .run = 1, .stream = 1,
		.threads = 4, .ops = 3000, .flush = 8, .fua = 10, .discard = 8,
	};
	struct load_done done;

	parse(argc, argv, &l, &c);
	if (pool) {
		sim_pool_make(c.base, DEVICES, c.seed);
		c.sectors = 0;
	}
	disk = record_open(&c);
	if (!disk)
		die("%m");
	for (u32 i = 0; i < DEVICES; i++)
		target[i] = pool ? sim_pool_target(disk, i, mutant) : part(i);
	load_run(&l, &done);
	record_close(disk);
	return done.failed ? 1 : 0;
}
