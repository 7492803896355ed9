// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmod/upper_map.c, built for user space, against an array with one entry per
 * block: random changes of every kind and length, compared by lookups and by
 * walking; what it says to be gone, block by block; how full nodes are; readers
 * beside a writer.
 *
 *   upper_map_test [SEED [CHANGES]]
 *
 * It is built a second time with nodes of a few entries (NODE_BYTES), so that
 * there are many levels and every change splits or merges something.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ktap.h"
#include "rng.h"
#include "../../kmod/upper_map.h"

#define BLOCKS		60000
#define PHYS		(4 * BLOCKS)
#define FAR		(YBD_UMAP_BLOCKS_MAX - BLOCKS)

/* -------- nodes -------- */

/* Readers may still look at a node that was freed, as below RCU. */
static struct ybd_umap_node **limbo;
static size_t nr_limbo, room_limbo;
static bool keep_freed;
static long nodes;

struct ybd_umap_node *ybd_umap_node_alloc(unsigned int flags)
{
	(void)flags;
	nodes++;
	return malloc(1024);
}

void ybd_umap_node_free(struct ybd_umap_node *node)
{
	nodes--;
	if (!keep_freed) {
		free(node);
		return;
	}
	if (nr_limbo == room_limbo) {
		room_limbo = room_limbo ? 2 * room_limbo : 1024;
		limbo = realloc(limbo, room_limbo * sizeof(*limbo));
	}
	limbo[nr_limbo++] = node;
}

static void drain_limbo(void)
{
	while (nr_limbo)
		free(limbo[--nr_limbo]);
}

static void must_set(struct ybd_umap *map, const struct ybd_umap_run *run,
		     ybd_umap_gone_t gone)
{
	int rc = ybd_umap_set(map, run, gone, NULL);

	if (rc)
		ktap_fail("set of %" PRIu64 "+%" PRIu64 ": %d", run->start, run->nr, rc);
}

static void fill_spares(struct ybd_umap *map)
{
	while (map->nr_spare < YBD_UMAP_CHANGE_NODES)
		ybd_umap_give(map, ybd_umap_node_alloc(0));
}

/* -------- the model -------- */

#define M_NONE	0
#define M_ZERO	1
#define M_DATA	2	/* + block of the pool */

/**
 * struct model - what should be there
 * @at: by block of the device, from @base on
 * @base: first block
 * @used: by block of the pool: is it mapped?
 * @data: how many are
 */
struct model {
	u64 at[BLOCKS];
	u64 base;
	u8 used[PHYS];
	u64 data;
};

static struct model model;

static void on_gone(void *ctx, u64 phys, u64 nr)
{
	(void)ctx;
	ktap_check(phys + nr <= PHYS, "gone: %" PRIu64 "+%" PRIu64, phys, nr);
	for (; nr && phys < PHYS; nr--, phys++) {
		ktap_check(model.used[phys], "gone but not mapped: %" PRIu64, phys);
		model.used[phys] = 0;
		model.data--;
	}
}

/* Free blocks of the pool, at most @nr of them, that follow each other. */
static u64 find_phys(u64 *nr)
{
	u64 start = below(PHYS), n, i;

	for (i = 0; i < PHYS; i++, start = (start + 1) % PHYS) {
		for (n = 0; n < *nr && start + n < PHYS && !model.used[start + n]; n++)
			;
		if (n) {
			*nr = n;
			return start;
		}
	}
	abort();
}

static void change(struct ybd_umap *map, struct ybd_umap_run run)
{
	u64 i;

	fill_spares(map);
	/* What is written takes its blocks before it lets go of the old ones. */
	if (run.kind == YBD_UMAP_DATA) {
		for (i = 0; i < run.nr; i++)
			model.used[run.phys + i] = 1;
		model.data += run.nr;
	}
	must_set(map, &run, on_gone);
	for (i = 0; i < run.nr; i++)
		model.at[run.start - model.base + i] =
			run.kind == YBD_UMAP_NONE ? M_NONE :
			run.kind == YBD_UMAP_ZERO ? M_ZERO : M_DATA + run.phys + i;
}

static void change_random(struct ybd_umap *map, u64 longest)
{
	struct ybd_umap_run run = { .kind = below(4) };
	u64 at = below(BLOCKS);

	if (run.kind > YBD_UMAP_DATA)
		run.kind = YBD_UMAP_DATA;
	run.start = model.base + at;
	run.nr = 1 + below(below(10) ? 1 + longest / 50 : longest);
	if (run.nr > BLOCKS - at)
		run.nr = BLOCKS - at;
	if (run.kind == YBD_UMAP_DATA)
		run.phys = find_phys(&run.nr);
	change(map, run);
}

static bool same(const struct ybd_umap_run *run, u64 off, u64 want)
{
	switch (run->kind) {
	case YBD_UMAP_NONE:
		return want == M_NONE;
	case YBD_UMAP_ZERO:
		return want == M_ZERO;
	default:
		return want == M_DATA + run->phys + off;
	}
}

/* All of it by lookups. */
static void compare(const struct ybd_umap *map)
{
	struct ybd_umap_run run;
	u64 at, i;

	for (at = 0; at < BLOCKS && !ktap.bad; at += run.nr) {
		ybd_umap_lookup(map, model.base + at, BLOCKS - at, &run);
		if (!run.nr || run.nr > BLOCKS - at || run.start != model.base + at) {
			ktap_fail("lookup of %" PRIu64 ": %" PRIu64 "+%" PRIu64, at,
				  run.start, run.nr);
			return;
		}
		for (i = 0; i < run.nr; i++)
			ktap_check(same(&run, i, model.at[at + i]),
				   "block %" PRIu64 ": kind %d phys %" PRIu64 ", expected %"
				   PRIu64, at + i, run.kind, run.phys + i, model.at[at + i]);
	}
	ktap_check(map->nr_data == model.data, "%" PRIu64 " blocks of data, expected %" PRIu64,
		   map->nr_data, model.data);
}

/* All of it by walking; runs are in order and none is missing. */
static void compare_walk(const struct ybd_umap *map)
{
	u64 pos = 0, runs = 0, covered = 0, want = 0, i;
	struct ybd_umap_run run;

	while (ybd_umap_next(map, pos, &run) && !ktap.bad) {
		ktap_check(run.start >= pos && run.nr, "walk: %" PRIu64 "+%" PRIu64
			   " at %" PRIu64, run.start, run.nr, pos);
		ktap_check(same(&run, 0, model.at[run.start - model.base]), "walk: wrong run");
		pos = run.start + run.nr;
		covered += run.nr;
		runs++;
	}
	for (i = 0; i < BLOCKS; i++)
		want += model.at[i] != M_NONE;
	ktap_check(runs == map->nr_runs, "%" PRIu64 " runs, says %" PRIu64, runs, map->nr_runs);
	ktap_check(covered == want, "%" PRIu64 " blocks, expected %" PRIu64, covered, want);
}

static void start_over(struct ybd_umap *map, u64 base)
{
	memset(&model, 0, sizeof(model));
	model.base = base;
	ybd_umap_init(map);
}

static void end(struct ybd_umap *map)
{
	ybd_umap_destroy(map);
	drain_limbo();
	ktap_check(!nodes, "%ld nodes are left", nodes);
	nodes = 0;
}

static void test_random(u64 base, u64 longest, unsigned int changes)
{
	struct ybd_umap map;
	unsigned int i;

	start_over(&map, base);
	for (i = 0; i < changes && !ktap.bad; i++) {
		change_random(&map, longest);
		if (i % (changes / 20) == 0) {
			compare(&map);
			compare_walk(&map);
		}
	}
	compare(&map);
	compare_walk(&map);
	printf("# %" PRIu64 " runs in %u nodes\n", map.nr_runs, map.nr_nodes);
	/* back to nothing */
	for (i = 0; i < BLOCKS; i += 1000)
		change(&map, (struct ybd_umap_run){ YBD_UMAP_NONE, base + i, 1000, 0 });
	ktap_check(!map.root && !map.nr_runs && !map.nr_nodes && !model.data,
		   "%" PRIu64 " runs, %u nodes, %" PRIu64 " blocks are left", map.nr_runs,
		   map.nr_nodes, model.data);
	end(&map);
	ktap_done("random changes of up to %" PRIu64 " blocks from block %" PRIu64, longest, base);
}

/* -------- how many nodes a change takes -------- */

#ifdef NODE_BYTES
#define FULL_RUNS	(5 * 4 * 4 * 4)		/* of four levels */
#define FULL_LEVELS	4
#else
#define FULL_RUNS	(83 * 62 * 62)
#define FULL_LEVELS	3
#endif

static void ignore_gone(void *ctx, u64 phys, u64 nr)
{
	(void)ctx;
	(void)phys;
	(void)nr;
}

static void nothing_gone(void *ctx, u64 phys, u64 nr)
{
	(void)ctx;
	ktap_fail("%" PRIu64 "+%" PRIu64 " are gone", phys, nr);
}

/* Put runs in order, so that all nodes are full, and cut the last one in two. */
static void test_full(void)
{
	struct ybd_umap_run run = { YBD_UMAP_ZERO, 0, 3, 0 };
	struct ybd_umap map;
	u32 spare;
	u64 i;

	ybd_umap_init(&map);
	for (i = 0; i < FULL_RUNS; i++) {
		fill_spares(&map);
		run.start = 4 * i;
		must_set(&map, &run, ignore_gone);
	}
	fill_spares(&map);
	spare = map.nr_spare;
	run = (struct ybd_umap_run){ YBD_UMAP_DATA, run.start + 1, 1, 77 };
	must_set(&map, &run, ignore_gone);
	ktap_check(map.nr_runs == FULL_RUNS + 2, "%" PRIu64 " runs", map.nr_runs);
	ktap_check(spare - map.nr_spare <= FULL_LEVELS + 1, "it took %u nodes, expected %u at most",
		   spare - map.nr_spare, FULL_LEVELS + 1);
	end(&map);
	ktap_done("a change of a full map takes a node for each level and a root");
}

/* Without enough spare nodes nothing changes. */
static void test_no_spares(void)
{
	struct ybd_umap_run run = { YBD_UMAP_DATA, 5, 1, 7 }, found;
	struct ybd_umap map;
	int rc;

	ybd_umap_init(&map);
	while (map.nr_spare < YBD_UMAP_CHANGE_NODES - 1)
		ybd_umap_give(&map, ybd_umap_node_alloc(0));
	rc = ybd_umap_set(&map, &run, nothing_gone, NULL);
	ybd_umap_lookup(&map, 5, 1, &found);
	ktap_check(rc == -ENOMEM && !map.nr_runs && found.kind == YBD_UMAP_NONE,
		   "one node too few: %d, %" PRIu64 " runs", rc, map.nr_runs);
	fill_spares(&map);
	must_set(&map, &run, nothing_gone);
	ybd_umap_lookup(&map, 5, 1, &found);
	ktap_check(found.kind == YBD_UMAP_DATA && found.phys == 7, "kind %d", found.kind);
	end(&map);
	ktap_done("no change without enough spare nodes");
}

/* -------- how much memory -------- */

#ifndef NODE_BYTES

/* Map every second block of @nr, in an order that @step makes. */
static double bytes_per_run(u64 nr, u64 step)
{
	struct ybd_umap map;
	double bytes;
	u64 i;

	ybd_umap_init(&map);
	for (i = 0; i < nr; i++) {
		fill_spares(&map);
		must_set(&map, &(struct ybd_umap_run){ YBD_UMAP_DATA,
			     i * step % nr * 2, 1, i }, nothing_gone);
	}
	ktap_check(map.nr_runs == nr, "%" PRIu64 " runs", map.nr_runs);
	bytes = (double)ybd_umap_bytes(&map) / nr;
	end(&map);
	return bytes;
}

/* Map every second block, then drop all but one of twenty. */
static double bytes_per_run_left(void)
{
	u64 nr = 1 << 16, i;
	struct ybd_umap map;
	double bytes;

	ybd_umap_init(&map);
	for (i = 0; i < 2 * nr; i++) {
		bool drop = i >= nr;
		u64 n = i % nr * 12345701 % nr;

		fill_spares(&map);
		if (!drop || n % 20)
			must_set(&map, &(struct ybd_umap_run){ drop ? YBD_UMAP_NONE :
				     YBD_UMAP_DATA, n * 2, 1, n }, ignore_gone);
	}
	bytes = (double)ybd_umap_bytes(&map) / map.nr_runs;
	end(&map);
	return bytes;
}

static void test_memory(void)
{
	struct ybd_umap map;
	double b;
	u64 i;

	/* 1 GiB of scattered blocks; a prime makes the order */
	b = bytes_per_run(1 << 18, 98764321);
	printf("# scattered: %.2f bytes per run\n", b);
	ktap_check(b <= 17.6, "scattered: %.2f bytes per run, expected 17.6 at most", b);
	b = bytes_per_run(1 << 18, 1);
	printf("# in order: %.2f bytes per run\n", b);
	ktap_check(b <= 12.6, "in order: %.2f bytes per run, expected 12.6 at most", b);
	b = bytes_per_run(1 << 18, (1 << 18) - 1);
	printf("# backwards: %.2f bytes per run\n", b);
	ktap_check(b <= 17.6, "backwards: %.2f bytes per run, expected 17.6 at most", b);

	b = bytes_per_run_left();
	printf("# one of twenty left: %.2f bytes per run\n", b);
	ktap_check(b <= 60, "one of twenty left: %.2f bytes per run, expected 60 at most", b);

	ybd_umap_init(&map);
	for (i = 0; i < 1 << 18; i++) {
		fill_spares(&map);
		must_set(&map, &(struct ybd_umap_run){ YBD_UMAP_DATA, i, 1, i + 77 },
			     nothing_gone);
	}
	ktap_check(map.nr_runs == 1, "sequential: %" PRIu64 " runs", map.nr_runs);
	end(&map);
	ktap_done("memory: scattered, in order, backwards, few left, sequential");
}
#endif

/* -------- limits of the packing -------- */

static void test_limits(void)
{
	static const struct ybd_umap_run runs[] = {
		{ YBD_UMAP_DATA, YBD_UMAP_BLOCKS_MAX - 1, 1, YBD_UMAP_BLOCKS_MAX - 1 },
		{ YBD_UMAP_DATA, 0, 1, YBD_UMAP_BLOCKS_MAX - 2 },
		{ YBD_UMAP_ZERO, 1ULL << 32, YBD_UMAP_CHANGE_MAX, 0 },
		{ YBD_UMAP_DATA, (1ULL << 33) - 7, YBD_UMAP_CHANGE_MAX, (1ULL << 33) - 9 },
	};
	struct ybd_umap_run run;
	struct ybd_umap map;
	unsigned int i;

	ybd_umap_init(&map);
	for (i = 0; i < ARRAY_SIZE(runs); i++) {
		fill_spares(&map);
		must_set(&map, &runs[i], nothing_gone);
	}
	for (i = 0; i < ARRAY_SIZE(runs); i++) {
		ybd_umap_lookup(&map, runs[i].start, U64_MAX, &run);
		ktap_check(run.kind == runs[i].kind && run.nr == runs[i].nr &&
			   run.phys == runs[i].phys, "run %u", i);
	}
	/* zeroes behind zeroes: one run, until its length does not fit */
	for (i = 0; i < 70000; i++) {
		fill_spares(&map);
		run = (struct ybd_umap_run){ YBD_UMAP_ZERO, (1ULL << 32) +
			(u64)i * YBD_UMAP_CHANGE_MAX, YBD_UMAP_CHANGE_MAX, 0 };
		must_set(&map, &run, nothing_gone);
	}
	ktap_check(map.nr_runs == 3 + 2, "%" PRIu64 " runs of zeroes and others", map.nr_runs);
	end(&map);
	ktap_done("limits of start, length and place");
}

/* -------- readers beside a writer -------- */

static struct ybd_umap shared;
static volatile bool stop;

/*
 * A block N of the device is only ever mapped to N + K * BLOCKS, so a reader
 * can tell an answer that never was true.
 */
static void *reader(void *arg)
{
	u64 z = (uintptr_t)arg, n = 0;
	struct ybd_umap_run run;

	while (!stop) {
		z = z * 6364136223846793005ULL + 1442695040888963407ULL;
		ybd_umap_lookup(&shared, (z >> 33) % BLOCKS, 1 + (z >> 20) % 64, &run);
		if (!run.nr || (run.kind == YBD_UMAP_DATA &&
				(run.phys % BLOCKS != run.start || run.phys >= PHYS)))
			return (void *)-1;
		n++;
	}
	return (void *)(uintptr_t)n;
}

static void test_readers(unsigned int changes)
{
	pthread_t id[2];
	unsigned int i;
	void *n;

	keep_freed = true;
	stop = false;
	ybd_umap_init(&shared);
	for (i = 0; i < ARRAY_SIZE(id); i++)
		pthread_create(&id[i], NULL, reader, (void *)(uintptr_t)(i + 1));
	for (i = 0; i < changes; i++) {
		u64 start = below(BLOCKS), nr = 1 + below(below(20) ? 3 : 2000);

		if (nr > BLOCKS - start)
			nr = BLOCKS - start;
		fill_spares(&shared);
		must_set(&shared, &(struct ybd_umap_run){ below(5) ? YBD_UMAP_DATA :
			     below(2), start, nr, start + below(4) * BLOCKS },
			     ignore_gone);
	}
	stop = true;
	for (i = 0; i < ARRAY_SIZE(id); i++) {
		pthread_join(id[i], &n);
		ktap_check(n != (void *)-1, "a reader saw what never was");
		ktap_check(n, "a reader did nothing");
	}
	end(&shared);
	keep_freed = false;
	ktap_done("readers beside a writer");
}

int main(int argc, char **argv)
{
	u64 seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (u64)time(NULL);
	unsigned int changes = argc > 2 ? atoi(argv[2]) : 20000;

	printf("# seed %" PRIu64 "\n", seed);
	rng_state = seed;
#ifdef NODE_BYTES
	ktap_plan(8);
#else
	ktap_plan(9);
	test_memory();
#endif
	test_full();
	test_no_spares();
	test_random(0, 4, changes);
	test_random(0, 400, changes);
	test_random(0, YBD_UMAP_CHANGE_MAX, changes / 2);
	test_random(FAR, 50, changes);
	test_limits();
	test_readers(2 * changes);
	return ktap_exit();
}
