// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where metadata go: inodes with what is behind them, so that what fits into a block is in one,
 * then full blocks of directories. Both in the order of a walk, which depends on the tree alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "priv.h"

/* ---- the walk ---- */

int ero_walk_begin(struct ero_walk *w, struct ero_tree *t, struct ybd_error *err)
{
	memset(w, 0, sizeof(*w));
	w->t = t;
	w->seen = calloc(t->nr / 8 + 1, 1);
	w->room = 64;
	w->stack = calloc(w->room, sizeof(*w->stack));
	if (!w->seen || !w->stack) {
		ero_walk_end(w);
		return ybd_error_sys(err, -ENOMEM, "erofs");
	}
	w->stack[w->nr++] = IMGFS_ROOT;
	return 0;
}

void ero_walk_end(struct ero_walk *w)
{
	free(w->seen);
	free(w->stack);
}

static bool seen(struct ero_walk *w, u32 ino)
{
	bool old = w->seen[ino / 8] >> ino % 8 & 1;

	w->seen[ino / 8] |= (u8)(1 << ino % 8);
	return old;
}

static int push(struct ero_walk *w, u32 ino)
{
	if (w->nr == w->room) {
		void *v = reallocarray(w->stack, w->room * 2, sizeof(*w->stack));

		if (!v)
			return -ENOMEM;
		w->stack = v;
		w->room *= 2;
	}
	w->stack[w->nr++] = ino;
	return 0;
}

static int push_dirs(struct ero_walk *w)
{
	struct ero_tree *t = w->t;
	size_t first = w->nr;
	int rc = 0;

	for (u32 d = t->inode[w->dir].names[0]; !rc && (d = ero_tree_live(t, d));
	     d = t->dent[d].next)
		if (S_ISDIR(t->inode[t->dent[d].ino].mode))
			rc = push(w, t->dent[d].ino);
	/* the first one is to be on top */
	for (size_t a = first, b = w->nr; a + 1 < b; a++, b--) {
		u32 x = w->stack[a];

		w->stack[a] = w->stack[b - 1];
		w->stack[b - 1] = x;
	}
	return rc;
}

int ero_walk_next(struct ero_walk *w, u32 *ino, struct ybd_error *err)
{
	struct ero_tree *t = w->t;

	for (;;) {
		w->dent = ero_tree_live(t, w->dent);
		if (!w->dent)
			break;
		*ino = t->dent[w->dent].ino;
		w->dent = t->dent[w->dent].next;
		if (!S_ISDIR(t->inode[*ino].mode) && (t->inode[*ino].links == 1 || !seen(w, *ino)))
			return 0;
	}
	if (w->dir && push_dirs(w))
		return ybd_error_sys(err, -ENOMEM, "erofs");
	if (!w->nr)
		return -ENOENT;
	w->dir = w->stack[--w->nr];
	w->dent = t->inode[w->dir].names[0];
	*ino = w->dir;
	return 0;
}

/* ---- names with dots ---- */

void ero_names_begin(struct ero_names *n, const struct ero_tree *t, u32 dir)
{
	*n = (struct ero_names){
		.t = t, .dir = dir, .dent = ero_tree_live(t, t->inode[dir].names[0]),
	};
}

bool ero_names_next(struct ero_names *n)
{
	const struct ero_dent *d = &n->t->dent[n->dent];
	const char *name = n->t->names + d->name;

	if (n->dots < 2 && (!n->dent || ero_name_cmp("..", n->dots + 1, name, d->len) < 0)) {
		n->name = "..";
		n->len = ++n->dots;
		n->ino = n->len == 1 ? n->dir : n->t->inode[n->dir].parent;
		return true;
	}
	if (!n->dent)
		return false;
	n->name = name;
	n->len = d->len;
	n->ino = d->ino;
	n->dent = ero_tree_live(n->t, d->next);
	return true;
}

/* ---- placing ---- */

/* Bytes of a directory: full blocks but for the last one. */
static int measure(struct erofs *e, u32 ino, struct ybd_error *err)
{
	struct ero_names n;
	u64 full = 0;
	u32 used = 0;
	int rc = ero_tree_sort(&e->tree, ino, err);

	if (rc)
		return rc;
	ero_names_begin(&n, &e->tree, ino);
	while (ero_names_next(&n)) {
		u32 more = (u32)sizeof(struct ero_dirent) + n.len;

		if (used + more > IMGFS_BLOCK) {
			full++;
			used = 0;
		}
		used += more;
	}
	ero_inode(e, ino)->size = full * IMGFS_BLOCK + used;
	return 0;
}

/*
 * @pos: bytes of inodes so far; @blocks: of directories and what else has its own. Data of files
 * have their place already.
 */
static void place_inode(struct ero_inode *i, u64 *pos, u64 *blocks)
{
	u32 bytes = ero_inode_bytes(i), table = 0;
	u64 in = *pos % IMGFS_BLOCK;

	i->tail = 0;
	if (S_ISDIR(i->mode) || S_ISLNK(i->mode)) {
		u32 tail = i->size % IMGFS_BLOCK;

		if (tail && bytes + tail <= IMGFS_BLOCK)
			i->tail = (u16)tail;
		i->dir_blk = (u32)*blocks;
		*blocks += (i->size - i->tail + IMGFS_BLOCK - 1) / IMGFS_BLOCK;
	} else if (S_ISREG(i->mode) && i->chunk_bits) {
		table = ero_chunks(i->size, i->chunk_bits) * (u32)sizeof(u32);
	}
	bytes += i->tail;
	if (in && in + bytes > IMGFS_BLOCK)
		*pos += IMGFS_BLOCK - in;
	i->nid = (u32)(*pos / ERO_SLOT);
	*pos = (*pos + bytes + table + ERO_SLOT - 1) / ERO_SLOT * ERO_SLOT;
}

int ero_place(struct erofs *e, struct ero_plan *p, struct ybd_error *err)
{
	/* a root whose node id is 0 would have the inode number 0, which programs skip */
	u64 pos = ERO_SLOT, blocks = 0, all = ero_blocks(e);
	struct ero_walk w;
	u32 ino;
	int rc = ero_walk_begin(&w, &e->tree, err);

	if (rc)
		return rc;
	p->inodes = 0;
	while (!(rc = ero_walk_next(&w, &ino, err))) {
		if (S_ISDIR(ero_inode(e, ino)->mode))
			rc = measure(e, ino, err);
		if (rc)
			break;
		/* the walk has its first name from before it was sorted */
		if (ino == w.dir)
			w.dent = ero_inode(e, ino)->names[0];
		place_inode(ero_inode(e, ino), &pos, &blocks);
		p->inodes++;
	}
	ero_walk_end(&w);
	if (rc != -ENOENT)
		return rc;
	p->meta = e->goal;
	p->dirs = p->meta + (pos + IMGFS_BLOCK - 1) / IMGFS_BLOCK;
	p->end = p->dirs + blocks;
	return p->end > all ? ero_full(e, err) : 0;
}
