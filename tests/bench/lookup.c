// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lookup of the image map alone, the module's own source at native speed:
 * independent uniform keys, median of nine rounds. Prints one line a case:
 *
 *	CASE ENTRIES MILLIONS-PER-SECOND BYTES
 *
 * "independent" means that no lookup waits for the answer of the one before,
 * as with reads of many queues; the answers are summed up, so that none is
 * optimised away.
 */
#include <stdio.h>
#include <time.h>

#include "image_map.h"

#define ROUNDS	9
#define KEYS	1000000U
#define CLUSTER	(1024 * 1024ULL)
#define BLOCK	4096ULL

static u64 seed = 0x9e3779b97f4a7c15ULL;

static u64 rnd(void)
{
	/* xorshift64* */
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1dULL;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "lookup: %s\n", what);
	exit(1);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Clusters in random order, no two neighbours of the image side by side. */
static u64 make_clusters(struct ybd_map_extent *rec, u32 nr)
{
	u32 i, j;

	for (i = 0; i < nr; i++) {
		rec[i].start = i * CLUSTER;
		rec[i].len = CLUSTER;
		rec[i].phys = i * CLUSTER;
	}
	for (i = nr - 1; i; i--) {
		u64 phys = rec[i].phys;

		j = rnd() % (i + 1);
		rec[i].phys = rec[j].phys;
		rec[j].phys = phys;
	}
	return nr * CLUSTER;
}

/* Runs of 1 to 64 blocks with holes of 0 to 64 in between: mean 32.5 + 32. */
static u64 make_extents(struct ybd_map_extent *rec, u32 nr)
{
	u64 pos = 0;
	u32 i;

	for (i = 0; i < nr; i++) {
		pos += rnd() % 65 * BLOCK;
		rec[i].start = pos;
		rec[i].len = (1 + rnd() % 64) * BLOCK;
		rec[i].phys = rnd() % (1ULL << 28) * BLOCK;
		pos += rec[i].len;
	}
	return pos;
}

static double measure(const struct ybd_map *map, const u64 *key)
{
	struct ybd_map_run run = {};
	double rate[ROUNDS];
	unsigned int r;

	for (r = 0; r < ROUNDS; r++) {
		u64 sum = 0, n = 0;
		double t = now(), took;
		u32 i;

		do {
			for (i = 0; i < KEYS; i++) {
				ybd_map_lookup(map, key[i], 8, &run);
				sum += run.phys + run.nr;
			}
			n += KEYS;
			took = now() - t;
		} while (took < 0.1);
		/* pretend that somebody looks at the sum */
		__asm__ volatile("" : : "r" (sum));
		rate[r] = n / took / 1e6;
	}
	qsort(rate, ROUNDS, sizeof(*rate), by_value);
	return rate[ROUNDS / 2];
}

static void bench(const char *name, u32 nr,
		  u64 (*make)(struct ybd_map_extent *rec, u32 nr), bool table)
{
	struct ybd_map_extent *rec = calloc(nr, sizeof(*rec));
	u64 *key = malloc(KEYS * sizeof(*key));
	u64 size, source_size = 1ULL << 50;
	struct ybd_map_error err;
	struct ybd_map map = {};
	u32 i;

	if (!rec || !key)
		die("out of memory");
	size = make(rec, nr);
	if (ybd_map_build(&map, rec, nr, size, &source_size, 1, &err))
		die(err.reason ? err.reason : "out of memory");
	if (ybd_map_is_table(&map) != table)
		die("the map has another form than was to be measured");
	for (i = 0; i < KEYS; i++)
		key[i] = rnd() % (size / BLOCK) * (BLOCK >> SECTOR_SHIFT);
	printf("%s %u %.1f %llu\n", name, nr, measure(&map, key),
	       (unsigned long long)map.bytes);
	ybd_map_destroy(&map);
	free(key);
	free(rec);
}

int main(void)
{
	bench("table", 10000, make_clusters, true);
	bench("table", 1000000, make_clusters, true);
	bench("extents", 10000, make_extents, false);
	bench("extents", 1000000, make_extents, false);
	return 0;
}
