// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flattening: chains made up at random, each cluster compared with a walk down the chain; and how
 * its cost grows with the chain.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ktap.h"
#include "lvstore_naive.h"
#include "util.h"

#define DEPTH_MAX 260

static struct lvs_store store = { .cluster_size = 65536, .uuid = "u" };
static unsigned int seed = 1;

static u32 rnd(u32 n)
{
	return (u32)rand_r(&seed) % n;
}

/**
 * struct shape - how a chain looks
 * @name: of the case
 * @depth: up to so many lvols
 * @clusters: up to so many clusters each
 * @gap: up to so many clusters between runs; 0: no holes
 * @sizes: lvols differ in size
 * @esnap: with an external snapshot
 * @chains: how many to try
 */
struct shape {
	const char *name;
	u32 depth;
	u32 clusters;
	u32 gap;
	bool sizes;
	bool esnap;
	u32 chains;
};

static void fill_runs(struct lvs_lvol *l, const struct shape *sh)
{
	u64 at = rnd(sh->gap + 1);
	u32 phys = 100 + rnd(1000);

	l->runs = calloc(l->num_clusters + 1, sizeof(*l->runs));
	while (at < l->num_clusters) {
		u64 n = 1 + rnd(5);

		if (n > l->num_clusters - at)
			n = l->num_clusters - at;
		l->runs[l->nr_runs++] = (struct lvs_run){ (u32)at, phys, (u32)n };
		at += n + rnd(sh->gap + 1);
		phys += (u32)n + rnd(2) * rnd(50);	/* often consecutive */
	}
}

static void make_chain(struct lvs_lvol *v, u32 depth, const struct shape *sh)
{
	memset(v, 0, depth * sizeof(*v));
	for (u32 i = 0; i < depth; i++) {
		v[i].store = &store;
		v[i].depth = depth - i;
		v[i].parent = i + 1 < depth ? &v[i + 1] : NULL;
		v[i].num_clusters = sh->sizes ? rnd(sh->clusters + 1) : sh->clusters;
		fill_runs(&v[i], sh);
	}
	if (sh->esnap)
		v[depth - 1].esnap_id = strdup("external");
}

static void free_chain(struct lvs_lvol *v, u32 depth)
{
	for (u32 i = 0; i < depth; i++) {
		free(v[i].runs);
		free(v[i].esnap_id);
	}
}

static bool merged(const struct lvs_map *m)
{
	for (size_t i = 1; i < m->nr; i++) {
		const struct lvs_extent *a = &m->ext[i - 1], *b = &m->ext[i];

		if (a->start + a->len > b->start)
			return false;
		if (a->start + a->len == b->start && a->source == b->source &&
		    a->phys + a->len == b->phys)
			return false;
	}
	return true;
}

static void check_chain(const struct lvs_lvol *l)
{
	struct lvs_map m;

	if (lvs_flatten(l, &m)) {
		ktap_fail("out of memory");
		return;
	}
	ktap_check(m.size == l->num_clusters * store.cluster_size, "wrong size");
	ktap_check(merged(&m), "extents out of order, or not merged");
	for (u64 c = 0; c < l->num_clusters && !ktap.bad; c++)
		ktap_check(naive_agrees(l, &m, c), "cluster %llu of a chain of %u",
			   (unsigned long long)c, l->depth);
	lvs_map_free(&m);
}

static void run_shape(const struct shape *sh)
{
	static struct lvs_lvol v[DEPTH_MAX];

	for (u32 i = 0; i < sh->chains && !ktap.bad; i++) {
		u32 depth = 1 + rnd(sh->depth);

		make_chain(v, depth, sh);
		check_chain(v);
		free_chain(v, depth);
	}
	ktap_done("lvstore flatten: %s", sh->name);
}

/* Microseconds for a chain of @depth lvols that have @runs runs in all. */
static double time_chain(u32 depth, u32 runs)
{
	static struct lvs_lvol v[DEPTH_MAX];
	const struct shape sh = { .clusters = runs / depth * 4, .gap = 4 };
	struct timespec a, b;
	double best = 1e9;

	make_chain(v, depth, &sh);
	for (int i = 0; i < 5; i++) {
		struct lvs_map m;
		double us;

		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
		if (lvs_flatten(v, &m))
			return best;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
		lvs_map_free(&m);
		us = (b.tv_sec - a.tv_sec) * 1e6 + (b.tv_nsec - a.tv_nsec) / 1e3;
		best = us < best ? us : best;
	}
	free_chain(v, depth);
	return best;
}

/* The same runs in 16 times as many lvols: twice the levels of merging, not 16 times the work. */
static void chain_cost(void)
{
	double few = time_chain(16, 256 * 256), many = time_chain(256, 256 * 256);

	printf("# 65536 runs: %.0f us in 16 lvols, %.0f us in 256\n", few, many);
	ktap_check(many < 6 * few, "the cost grows with the length of the chain");
	ktap_done("lvstore flatten: cost of a long chain");
}

int main(void)
{
	static const struct shape shapes[] = {
		{ "single lvols", 1, 300, 6, true, false, 200 },
		{ "chains of lvols of one size", 12, 200, 12, false, false, 200 },
		{ "chains of lvols that were grown and shrunk", 12, 200, 12, true, false, 400 },
		{ "over an external snapshot", 6, 200, 12, true, true, 400 },
		{ "without holes", 6, 100, 0, true, false, 100 },
		{ "nearly empty lvols", 40, 400, 300, true, true, 100 },
		{ "chains of 256 lvols", 256, 64, 40, false, false, 40 },
		{ "empty lvols", 6, 0, 1, true, true, 10 },
	};

	ktap_plan(ARRAY_SIZE(shapes) + 1);
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
		run_shape(&shapes[i]);
	chain_cost();
	return ktap_exit();
}
