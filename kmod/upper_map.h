/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an upper in a pool has: runs of blocks that are zeroes, or that lie
 * somewhere in the pool. Everything else is as the image has it.
 *
 * A B+tree with nodes of 1 KiB and 12 bytes per run. One writer at a time, who
 * holds a spinlock of the caller's (a raw one where others can be preempted, for
 * readers wait until the writer is done); readers take none. They walk below RCU and try
 * again when the sequence count says that a writer was there: a walk through a
 * tree that changes may find nonsense, but never leaves it.
 *
 * Pure code without bios or devices: it is built for user space too, where its
 * unit test and its benchmark run.
 */
#ifndef YBD_UPPER_MAP_H
#define YBD_UPPER_MAP_H

#ifdef __KERNEL__
#include <linux/bits.h>
#include <linux/seqlock.h>
#include <linux/types.h>
#else
#include "upper_map_user.h"
#endif

/* Blocks are of 4096 bytes; a device and a pool have at most 64 TiB. */
#define YBD_UMAP_BLOCKS_MAX	BIT_ULL(34)
/* Most blocks in one call that changes the map: it bounds the time it takes. */
#define YBD_UMAP_CHANGE_MAX	2048U
/* What one change can need at most: a split on each level, and a new root. */
#ifndef YBD_UMAP_CHANGE_NODES
#define YBD_UMAP_CHANGE_NODES	9
#endif

enum ybd_umap_kind {
	YBD_UMAP_NONE,		/* the image has it */
	YBD_UMAP_ZERO,		/* zeroes */
	YBD_UMAP_DATA,		/* in the pool */
};

/**
 * struct ybd_umap_run - a run of blocks that belong together
 * @kind: what they are
 * @start: first block of the device
 * @nr: how many, at least 1
 * @phys: of YBD_UMAP_DATA, first block of the pool
 */
struct ybd_umap_run {
	enum ybd_umap_kind kind;
	u64	start;
	u64	nr;
	u64	phys;
};

#define YBD_UMAP_NODE_BYTES	1024

struct ybd_umap_node;

/* What a node begins with, for who frees it. */
struct ybd_umap_gone_node {
	struct rcu_head		rcu;
};

/**
 * struct ybd_umap - the map
 * @seq: odd while the writer is at work
 * @root: the topmost node, NULL when the map is empty
 * @spare: nodes for the next changes; the writer's
 * @nr_spare: how many
 * @nr_nodes: in the tree
 * @nr_runs: in the tree
 * @nr_data: blocks that are YBD_UMAP_DATA
 */
struct ybd_umap {
	seqcount_t		seq;
	struct ybd_umap_node	*root;
	struct ybd_umap_node	*spare;
	u32			nr_spare;
	u32			nr_nodes;
	u64			nr_runs;
	u64			nr_data;
};

/**
 * typedef ybd_umap_gone_t - blocks of the pool are not mapped any more
 * @ctx: of the caller
 * @phys: first block of the pool
 * @nr: how many
 *
 * Called within the change, so it must neither sleep nor look into the map.
 */
typedef void (*ybd_umap_gone_t)(void *ctx, u64 phys, u64 nr);

/* Of the caller; the second is used from RCU callbacks on. */
struct ybd_umap_node *ybd_umap_node_alloc(gfp_t gfp);
void ybd_umap_node_free(struct ybd_umap_node *node);

void ybd_umap_init(struct ybd_umap *map);
void ybd_umap_destroy(struct ybd_umap *map);
void ybd_umap_give(struct ybd_umap *map, struct ybd_umap_node *node);
void ybd_umap_lookup(const struct ybd_umap *map, u64 start, u64 nr,
		     struct ybd_umap_run *run);
bool ybd_umap_next(const struct ybd_umap *map, u64 start, struct ybd_umap_run *run);
int ybd_umap_set(struct ybd_umap *map, const struct ybd_umap_run *run,
		 ybd_umap_gone_t gone, void *ctx);

/* Bytes of memory of the map. */
u64 ybd_umap_bytes(const struct ybd_umap *map);

#endif /* YBD_UPPER_MAP_H */
