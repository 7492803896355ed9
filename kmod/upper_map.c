// SPDX-License-Identifier: GPL-2.0-only
/*
 * The map of an upper; see upper_map.h for who may do what.
 *
 * Child N of an inner node has the runs from key[N] up to key[N + 1]; key[0] is
 * never looked at, the first child begins where its parent does. A key need not
 * be the start of a run, but no run reaches across one: a lookup ends in the
 * only leaf that can have the block. There are no empty nodes.
 *
 * A full leaf gives to a neighbour below the same parent before it is split,
 * which keeps leaves at about five sixths when runs come at random, and full
 * when they come in order.
 */
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#endif

#include "upper_map.h"

/* The test makes nodes small, to see every split and every merge. */
#ifndef NODE_BYTES
#define NODE_BYTES	YBD_UMAP_NODE_BYTES
#define LEVELS		8
#endif
#define NODE_HEAD	24
#define LEAF_MAX	((NODE_BYTES - NODE_HEAD) / 12)
#define INNER_MAX	((NODE_BYTES - NODE_HEAD) / 16)

/* One run: 34 bits of start and of phys, 27 of length, and the kind. */
struct packed_run {
	u32	start_lo;
	u32	phys_lo;
	u32	rest;
};

#define REST_LEN_SHIFT	5
#define REST_ZERO	0x10
#define REST_START_HI	2	/* shift; two bits */
#define RUN_LEN_MAX	((1U << 27) - 1)

/**
 * struct ybd_umap_node - a node, of 1 KiB
 * @rcu: for freeing it
 * @next: in the list of spares
 * @nr: runs or children in use; released after they are written
 * @level: 0 for a leaf; never changes while the node is in the tree
 * @run: of a leaf
 * @key: of an inner node, where each child begins
 * @child: of an inner node; written one by one, for readers follow them
 */
struct ybd_umap_node {
	union {
		struct rcu_head		rcu;
		struct ybd_umap_node	*next;
	};
	u16	nr;
	u16	level;
	union {
		struct packed_run	run[LEAF_MAX];
		struct {
			u64			key[INNER_MAX];
			struct ybd_umap_node	*child[INNER_MAX];
		};
	};
};

static_assert(sizeof(struct ybd_umap_node) <= NODE_BYTES);

/**
 * struct umap_path - the way from the root to a leaf
 * @node: by level; @node[0] is the leaf
 * @slot: which child was taken, by level of its parent
 * @height: levels there are
 */
struct umap_path {
	struct ybd_umap_node	*node[LEVELS];
	unsigned int		slot[LEVELS];
	unsigned int		height;
};

/* -------- runs -------- */

static u64 run_start(const struct packed_run *r)
{
	return READ_ONCE(r->start_lo) |
	       (u64)(READ_ONCE(r->rest) >> REST_START_HI & 3) << 32;
}

static u64 run_len(const struct packed_run *r)
{
	return READ_ONCE(r->rest) >> REST_LEN_SHIFT;
}

static u64 run_end(const struct packed_run *r)
{
	return run_start(r) + run_len(r);
}

static bool run_is_zero(const struct packed_run *r)
{
	return READ_ONCE(r->rest) & REST_ZERO;
}

static u64 run_phys(const struct packed_run *r)
{
	return READ_ONCE(r->phys_lo) | (u64)(READ_ONCE(r->rest) & 3) << 32;
}

static struct packed_run run_pack(u64 start, u64 len, bool zero, u64 phys)
{
	return (struct packed_run){
		.start_lo = start,
		.phys_lo = phys,
		.rest = len << REST_LEN_SHIFT | (zero ? REST_ZERO : 0) |
			(start >> 32) << REST_START_HI | phys >> 32,
	};
}

/* The part of @r from its block @skip on, @len long. */
static struct packed_run run_part(const struct packed_run *r, u64 skip, u64 len)
{
	bool zero = run_is_zero(r);

	return run_pack(run_start(r) + skip, len, zero, zero ? 0 : run_phys(r) + skip);
}

/* Is @b the continuation of @a, and can both be one? */
static bool run_joins(const struct packed_run *a, const struct packed_run *b)
{
	return run_end(a) == run_start(b) && run_is_zero(a) == run_is_zero(b) &&
	       (run_is_zero(a) || run_phys(a) + run_len(a) == run_phys(b)) &&
	       run_len(a) + run_len(b) <= RUN_LEN_MAX;
}

/* -------- what readers follow -------- */

static unsigned int node_nr(const struct ybd_umap_node *node, unsigned int most)
{
	/* Pairs with set_nr(): the entries are there when they count. */
	return min_t(unsigned int, smp_load_acquire(&node->nr), most);
}

static void set_nr(struct ybd_umap_node *node, unsigned int nr)
{
	/* Pairs with node_nr(). */
	smp_store_release(&node->nr, (u16)nr);
}

static void set_root(struct ybd_umap *map, struct ybd_umap_node *root)
{
	/* Pairs with the dependent loads of find_leaf(). */
	smp_store_release(&map->root, root);
}

/* -------- searching -------- */

/* The child that has @block. Readers: @nr may be nonsense, but not too large. */
static unsigned int inner_find(const struct ybd_umap_node *node, unsigned int nr, u64 block)
{
	unsigned int base = 0, half;

	while (nr > 1) {
		half = nr / 2;
		if (READ_ONCE(node->key[base + half]) <= block)
			base += half;
		nr -= half;
	}
	return base;
}

/* The first run of the leaf that ends behind @block; @nr if there is none. */
static unsigned int leaf_find(const struct ybd_umap_node *leaf, unsigned int nr, u64 block)
{
	unsigned int base = 0, left = nr, half;

	while (left > 1) {
		half = left / 2;
		if (run_start(&leaf->run[base + half]) <= block)
			base += half;
		left -= half;
	}
	return nr && run_end(&leaf->run[base]) <= block ? base + 1 : base;
}

/*
 * The leaf that has @block, and in @limit where the next one begins. Readers:
 * NULL when the way there changed meanwhile.
 */
static const struct ybd_umap_node *find_leaf(const struct ybd_umap *map, u64 block, u64 *limit)
{
	const struct ybd_umap_node *node = READ_ONCE(map->root);
	unsigned int level, nr, i;

	*limit = U64_MAX;
	if (!node)
		return NULL;
	for (level = node->level; level; level--) {
		nr = node_nr(node, INNER_MAX);
		if (!nr)
			return NULL;
		i = inner_find(node, nr, block);
		if (i + 1 < nr)
			*limit = READ_ONCE(node->key[i + 1]);
		node = READ_ONCE(node->child[i]);
		if (node->level != level - 1)
			return NULL;
	}
	return node;
}

/* One try of ybd_umap_next(): false if there is no run in the leaf. */
static bool next_in_leaf(const struct ybd_umap *map, u64 start, u64 *limit,
			 struct ybd_umap_run *run)
{
	const struct ybd_umap_node *leaf = find_leaf(map, start, limit);
	const struct packed_run *r;
	unsigned int nr, i;
	u64 skip;

	if (!leaf)
		return false;
	nr = node_nr(leaf, LEAF_MAX);
	i = leaf_find(leaf, nr, start);
	if (i == nr)
		return false;
	r = &leaf->run[i];
	skip = run_start(r) < start ? start - run_start(r) : 0;
	run->kind = run_is_zero(r) ? YBD_UMAP_ZERO : YBD_UMAP_DATA;
	run->start = run_start(r) + skip;
	run->nr = run_len(r) - skip;
	run->phys = run->kind == YBD_UMAP_DATA ? run_phys(r) + skip : 0;
	return true;
}

/**
 * ybd_umap_lookup - what is at a block?
 * @map: the map
 * @start: block of the device
 * @nr: most blocks the caller can use, not 0
 * @run: answer, beginning at @start; run->nr is at most @nr. The next run may
 *	be of the same kind.
 *
 * Below rcu_read_lock(), in any context that does not interrupt the writer.
 */
void ybd_umap_lookup(const struct ybd_umap *map, u64 start, u64 nr, struct ybd_umap_run *run)
{
	u64 limit;
	u32 seq;

	do {
		seq = read_seqcount_begin(&map->seq);
		if (!next_in_leaf(map, start, &limit, run)) {
			run->kind = YBD_UMAP_NONE;
			run->nr = limit - start;
		} else if (run->start > start) {
			run->kind = YBD_UMAP_NONE;
			run->nr = run->start - start;
		}
	} while (read_seqcount_retry(&map->seq, seq));
	run->start = start;
	run->nr = min(run->nr, nr);
}

/**
 * ybd_umap_next - the first run at or behind a block
 * @map: the map
 * @start: block of the device; a run that has begun before is cut
 * @run: answer
 *
 * As ybd_umap_lookup(). Return: false if there is none.
 */
bool ybd_umap_next(const struct ybd_umap *map, u64 start, struct ybd_umap_run *run)
{
	u64 limit, pos;
	bool found;
	u32 seq;

	do {
		seq = read_seqcount_begin(&map->seq);
		pos = start;
		/* No leaf is empty, so the second one has it. */
		found = next_in_leaf(map, pos, &limit, run);
		if (!found && limit != U64_MAX)
			found = next_in_leaf(map, limit, &limit, run);
	} while (read_seqcount_retry(&map->seq, seq));
	return found;
}

/* -------- nodes, for the writer -------- */

static struct ybd_umap_node *node_take(struct ybd_umap *map, unsigned int level)
{
	struct ybd_umap_node *node = map->spare;

	map->spare = node->next;
	map->nr_spare--;
	map->nr_nodes++;
	node->nr = 0;
	node->level = level;
	return node;
}

static void node_drop(struct ybd_umap *map, struct ybd_umap_node *node)
{
	map->nr_nodes--;
	ybd_umap_node_free(node);
}

static void path_find(const struct ybd_umap *map, u64 block, struct umap_path *path)
{
	struct ybd_umap_node *node = map->root;
	unsigned int level = node->level;

	path->height = level + 1;
	path->node[level] = node;
	while (level) {
		path->slot[level] = inner_find(node, node->nr, block);
		node = node->child[path->slot[level]];
		path->node[--level] = node;
	}
}

/* Where the leaf of the path ends: the key that says so, or NULL. */
static u64 *path_limit(const struct umap_path *path)
{
	unsigned int level;

	for (level = 1; level < path->height; level++) {
		if (path->slot[level] + 1 < path->node[level]->nr)
			return &path->node[level]->key[path->slot[level] + 1];
	}
	return NULL;
}

/* -------- inner nodes -------- */

static void inner_put(struct ybd_umap_node *node, unsigned int at, u64 key,
		      struct ybd_umap_node *child)
{
	WRITE_ONCE(node->key[at], key);
	/*
	 * Pairs with the dependent loads of find_leaf(): readers may count this
	 * slot already, so that set_nr() comes too late for what is in the child.
	 */
	smp_store_release(&node->child[at], child);
}

/* There is room for it. */
static void inner_add(struct ybd_umap_node *node, unsigned int at, u64 key,
		      struct ybd_umap_node *child)
{
	unsigned int i;

	for (i = node->nr; i > at; i--)
		inner_put(node, i, node->key[i - 1], node->child[i - 1]);
	inner_put(node, at, key, child);
	set_nr(node, node->nr + 1);
}

/* Move the children from @from on to the end of @to. */
static void inner_move(struct ybd_umap_node *node, unsigned int from, struct ybd_umap_node *to)
{
	unsigned int i;

	for (i = from; i < node->nr; i++)
		inner_put(to, to->nr + i - from, node->key[i], node->child[i]);
	set_nr(to, to->nr + node->nr - from);
	set_nr(node, from);
}

static void new_root(struct ybd_umap *map, u64 key, struct ybd_umap_node *right)
{
	struct ybd_umap_node *root = node_take(map, right->level + 1);

	inner_put(root, 0, 0, map->root);
	inner_put(root, 1, key, right);
	set_nr(root, 2);
	set_root(map, root);
}

/* Put @child, which has what is from @key on, behind the one of the path. */
static void path_add(struct ybd_umap *map, struct umap_path *path, u64 key,
		     struct ybd_umap_node *child)
{
	struct ybd_umap_node *node, *right;
	unsigned int level, at, half;

	for (level = child->level + 1; level < path->height; level++) {
		node = path->node[level];
		at = path->slot[level] + 1;
		if (node->nr < INNER_MAX) {
			inner_add(node, at, key, child);
			return;
		}
		right = node_take(map, level);
		/* In order: the left one stays full. */
		half = at == node->nr ? at : node->nr / 2;
		inner_move(node, half, right);
		if (at < half || (at == half && right->nr))
			inner_add(node, at, key, child);
		else
			inner_add(right, at - half, key, child);
		key = right->key[0];
		child = right;
	}
	new_root(map, key, child);
}

/* A node became empty: take it out, and those above it that become so. */
static void path_remove(struct ybd_umap *map, struct umap_path *path)
{
	struct ybd_umap_node *node;
	unsigned int level, i;

	/* Readers must not find a node any more when it is dropped. */
	for (level = 1; level < path->height; level++) {
		node = path->node[level];
		for (i = path->slot[level]; i + 1 < node->nr; i++)
			inner_put(node, i, node->key[i + 1], node->child[i + 1]);
		set_nr(node, node->nr - 1);
		node_drop(map, path->node[level - 1]);
		if (node->nr)
			break;
	}
	if (level == path->height) {
		WRITE_ONCE(map->root, NULL);
		node_drop(map, path->node[level - 1]);
		return;
	}
	while (map->root->level && map->root->nr == 1) {
		node = map->root;
		set_root(map, node->child[0]);
		node_drop(map, node);
	}
}

/* -------- leaves -------- */

static void leaf_add(struct ybd_umap_node *leaf, unsigned int at, struct packed_run run)
{
	memmove(&leaf->run[at + 1], &leaf->run[at], (leaf->nr - at) * sizeof(run));
	leaf->run[at] = run;
	set_nr(leaf, leaf->nr + 1);
}

/* The last @nr runs of @leaf become the first ones of @right. */
static void leaf_move_right(struct ybd_umap_node *leaf, struct ybd_umap_node *right,
			    unsigned int nr)
{
	memmove(&right->run[nr], right->run, right->nr * sizeof(*right->run));
	memcpy(right->run, &leaf->run[leaf->nr - nr], nr * sizeof(*right->run));
	set_nr(right, right->nr + nr);
	set_nr(leaf, leaf->nr - nr);
}

/* The first @nr runs of @leaf become the last ones of @left. */
static void leaf_move_left(struct ybd_umap_node *leaf, struct ybd_umap_node *left,
			   unsigned int nr)
{
	memcpy(&left->run[left->nr], leaf->run, nr * sizeof(*left->run));
	set_nr(left, left->nr + nr);
	memmove(leaf->run, &leaf->run[nr], (leaf->nr - nr) * sizeof(*leaf->run));
	set_nr(leaf, leaf->nr - nr);
}

#define LEAF_SLACK	(LEAF_MAX / 8 + 2)
#define LEAF_MERGED	(LEAF_MAX - 2 * LEAF_SLACK)

/* Even out a full leaf with a neighbour that has room. */
static bool leaf_share(struct umap_path *path)
{
	struct ybd_umap_node *leaf = path->node[0], *parent, *other;
	unsigned int slot;

	if (path->height < 2)
		return false;
	parent = path->node[1];
	slot = path->slot[1];
	if (slot + 1 < parent->nr && parent->child[slot + 1]->nr <= LEAF_MAX - LEAF_SLACK) {
		other = parent->child[slot + 1];
		leaf_move_right(leaf, other, (leaf->nr - other->nr) / 2);
		WRITE_ONCE(parent->key[slot + 1], run_start(&other->run[0]));
		return true;
	}
	if (slot && parent->child[slot - 1]->nr <= LEAF_MAX - LEAF_SLACK) {
		other = parent->child[slot - 1];
		leaf_move_left(leaf, other, (leaf->nr - other->nr) / 2);
		WRITE_ONCE(parent->key[slot], run_start(&leaf->run[0]));
		return true;
	}
	return false;
}

/* Take runs [at, at + nr) out of the leaf of the path. */
static void leaf_remove(struct ybd_umap *map, struct umap_path *path, unsigned int at,
			unsigned int nr)
{
	struct ybd_umap_node *leaf = path->node[0], *parent, *other;
	unsigned int slot;

	memmove(&leaf->run[at], &leaf->run[at + nr], (leaf->nr - at - nr) * sizeof(*leaf->run));
	set_nr(leaf, leaf->nr - nr);
	map->nr_runs -= nr;
	if (!leaf->nr) {
		path_remove(map, path);
		return;
	}
	if (leaf->nr > LEAF_MAX / 4 || path->height < 2)
		return;
	/* Few are left: to a neighbour, if that leaves it some room. */
	parent = path->node[1];
	slot = path->slot[1];
	other = slot ? parent->child[slot - 1] : NULL;
	if (other && other->nr + leaf->nr <= LEAF_MERGED) {
		leaf_move_left(leaf, other, leaf->nr);
		path_remove(map, path);
		return;
	}
	other = slot + 1 < parent->nr ? parent->child[slot + 1] : NULL;
	if (other && other->nr + leaf->nr <= LEAF_MERGED) {
		leaf_move_right(leaf, other, leaf->nr);
		WRITE_ONCE(parent->key[slot + 1], run_start(&other->run[0]));
		path_remove(map, path);
	}
}

/* -------- changes -------- */

/* Join @run with its neighbours in the leaf, if it continues them. */
static bool leaf_join(struct ybd_umap *map, struct umap_path *path, unsigned int at,
		      const struct packed_run *run)
{
	struct ybd_umap_node *leaf = path->node[0];
	struct packed_run *left = at ? &leaf->run[at - 1] : NULL;
	struct packed_run *right = at < leaf->nr ? &leaf->run[at] : NULL;

	if (left && run_joins(left, run)) {
		*left = run_part(left, 0, run_len(left) + run_len(run));
		if (right && run_joins(left, right)) {
			*left = run_part(left, 0, run_len(left) + run_len(right));
			leaf_remove(map, path, at, 1);
		}
		return true;
	}
	if (right && run_joins(run, right)) {
		*right = run_part(run, 0, run_len(run) + run_len(right));
		return true;
	}
	return false;
}

/* Add a run where there is none. */
static void umap_add(struct ybd_umap *map, struct packed_run run)
{
	struct ybd_umap_node *leaf, *right;
	struct umap_path path;
	unsigned int at;
	u64 *limit;

again:
	if (!map->root)
		set_root(map, node_take(map, 0));
	path_find(map, run_start(&run), &path);
	leaf = path.node[0];
	at = leaf_find(leaf, leaf->nr, run_start(&run));
	limit = path_limit(&path);
	/* What was there is gone, so the next leaf can begin behind it. */
	if (limit && *limit < run_end(&run))
		WRITE_ONCE(*limit, run_end(&run));
	if (leaf_join(map, &path, at, &run))
		return;
	if (leaf->nr < LEAF_MAX) {
		leaf_add(leaf, at, run);
		map->nr_runs++;
		return;
	}
	if (!limit && at == leaf->nr) {
		/* In order: the left one stays full. */
		right = node_take(map, 0);
		leaf_add(right, 0, run);
		map->nr_runs++;
		path_add(map, &path, run_start(&run), right);
		return;
	}
	if (!leaf_share(&path)) {
		right = node_take(map, 0);
		leaf_move_right(leaf, right, LEAF_MAX / 2);
		path_add(map, &path, run_start(&right->run[0]), right);
	}
	goto again;
}

/* Take [skip, skip + len) of a run out of the count, and say so. */
static void gone_part(struct ybd_umap *map, const struct packed_run *r, u64 skip, u64 len,
		      ybd_umap_gone_t gone, void *ctx)
{
	if (run_is_zero(r))
		return;
	map->nr_data -= len;
	gone(ctx, run_phys(r) + skip, len);
}

/*
 * Clear [start, end) in the leaf of the path. What is cut off behind it is not
 * put back but handed out in @rest, which has no length otherwise. Return: true
 * when nothing behind the leaf can be left of the range.
 */
static bool leaf_clear(struct ybd_umap *map, struct umap_path *path, u64 start, u64 end,
		       ybd_umap_gone_t gone, void *ctx, struct packed_run *rest)
{
	struct ybd_umap_node *leaf = path->node[0];
	unsigned int i = leaf_find(leaf, leaf->nr, start), j;
	struct packed_run *r = &leaf->run[i];
	u64 skip;

	if (i < leaf->nr && run_start(r) < start) {
		skip = start - run_start(r);
		gone_part(map, r, skip, min(run_end(r), end) - start, gone, ctx);
		if (run_end(r) > end) {
			*rest = run_part(r, end - run_start(r), run_end(r) - end);
			*r = run_part(r, 0, skip);
			return true;
		}
		*r = run_part(r, 0, skip);
		i++;
	}
	for (j = i; j < leaf->nr && run_end(&leaf->run[j]) <= end; j++)
		gone_part(map, &leaf->run[j], 0, run_len(&leaf->run[j]), gone, ctx);
	if (j < leaf->nr && run_start(&leaf->run[j]) < end) {
		r = &leaf->run[j];
		skip = end - run_start(r);
		gone_part(map, r, 0, skip, gone, ctx);
		*r = run_part(r, skip, run_len(r) - skip);
	}
	i = j - i;
	if (j < leaf->nr) {
		if (i)
			leaf_remove(map, path, j - i, i);
		return true;
	}
	if (i)
		leaf_remove(map, path, j - i, i);
	return false;
}

static struct packed_run umap_clear(struct ybd_umap *map, u64 start, u64 end,
				    ybd_umap_gone_t gone, void *ctx)
{
	struct packed_run rest = { 0 };
	struct umap_path path;
	u64 *limit, next;

	while (map->root && start < end) {
		path_find(map, start, &path);
		limit = path_limit(&path);
		next = limit ? *limit : U64_MAX;
		if (leaf_clear(map, &path, start, end, gone, ctx, &rest))
			break;
		start = next;
	}
	return rest;
}

/*
 * Inner nodes are only ever taken away when they are empty, so nothing but this
 * bounds the height. Eight levels hold 2^34 runs even in nodes half full.
 */
static bool umap_is_full(const struct ybd_umap *map)
{
	const struct ybd_umap_node *root = map->root;

	return root && root->level == LEVELS - 1 && root->nr == INNER_MAX;
}

/**
 * ybd_umap_set - what these blocks are from now on
 * @map: the map, with at least YBD_UMAP_CHANGE_NODES spare nodes
 * @run: the blocks, at most YBD_UMAP_CHANGE_MAX; below YBD_UMAP_BLOCKS_MAX
 * @gone: is told of blocks of the pool that were mapped there
 * @ctx: for @gone
 *
 * Under the lock of the writers, with interrupts off if one takes it in an
 * interrupt. Does not sleep. Return: 0; -ENOMEM with too few spare nodes, or
 * -EFBIG when the tree can have no further level, and nothing has changed.
 */
int ybd_umap_set(struct ybd_umap *map, const struct ybd_umap_run *run,
		 ybd_umap_gone_t gone, void *ctx)
{
	struct packed_run rest;

	if (unlikely(map->nr_spare < YBD_UMAP_CHANGE_NODES))
		return -ENOMEM;
	if (unlikely(umap_is_full(map)))
		return -EFBIG;
	write_seqcount_begin(&map->seq);
	rest = umap_clear(map, run->start, run->start + run->nr, gone, ctx);
	if (run->kind == YBD_UMAP_DATA)
		map->nr_data += run->nr;
	if (run->kind != YBD_UMAP_NONE) {
		bool zero = run->kind == YBD_UMAP_ZERO;

		umap_add(map, run_pack(run->start, run->nr, zero, zero ? 0 : run->phys));
	}
	/*
	 * Last: it goes behind the run, so if that has split the leaf, there is
	 * room. The other way round both could split all nodes up to the root.
	 */
	if (run_len(&rest))
		umap_add(map, rest);
	write_seqcount_end(&map->seq);
	return 0;
}

/**
 * ybd_umap_give - one spare node more
 * @map: the map
 * @node: from ybd_umap_node_alloc(); the map's from now on
 *
 * Under the lock of the writers.
 */
void ybd_umap_give(struct ybd_umap *map, struct ybd_umap_node *node)
{
	node->next = map->spare;
	map->spare = node;
	map->nr_spare++;
}

u64 ybd_umap_bytes(const struct ybd_umap *map)
{
	return (u64)(map->nr_nodes + map->nr_spare) * NODE_BYTES;
}

/**
 * ybd_umap_init - an empty map, without spare nodes
 * @map: the map
 */
void ybd_umap_init(struct ybd_umap *map)
{
	memset(map, 0, sizeof(*map));
	seqcount_init(&map->seq);
}

/* Take the last leaf off the tree, or an inner node that has none any more. */
static struct ybd_umap_node *detach_last(struct ybd_umap *map)
{
	struct ybd_umap_node *node = map->root, *up = NULL;

	while (node->level && node->nr) {
		up = node;
		node = node->child[node->nr - 1];
	}
	if (up)
		up->nr--;
	else
		map->root = NULL;
	return node;
}

/**
 * ybd_umap_destroy - free all nodes
 * @map: the map; no reader is left. It is empty afterwards, without spare nodes.
 */
void ybd_umap_destroy(struct ybd_umap *map)
{
	struct ybd_umap_node *node;

	while (map->root)
		node_drop(map, detach_last(map));
	while ((node = map->spare)) {
		map->spare = node->next;
		map->nr_spare--;
		ybd_umap_node_free(node);
	}
	map->nr_runs = 0;
	map->nr_data = 0;
}
