/* SPDX-License-Identifier: GPL-2.0-only */
/* Random operations on a store that is written, and a plain model of what must come of them. */
#ifndef YBD_TEST_LVSTORE_PLAY_H
#define YBD_TEST_LVSTORE_PLAY_H

#include "lvstore_disk.h"

#define PLAY_VOLS	14
#define PLAY_VERSIONS	4096

/**
 * struct version - what an lvol held from some step on
 * @step: number of the operation that made it so
 * @data: the bytes
 * @len: how many
 */
struct version {
	unsigned int step;
	u8 *data;
	size_t len;
};

/**
 * struct mvol - an lvol as it should be
 * @used: there is one
 * @name: its name
 * @uuid: its uuid
 * @len: bytes
 * @data: what it holds
 * @ro: read-only
 * @thick: not thin
 * @parent: uuid of its parent, or ""
 * @born: step that made it
 * @gone: step that deleted it; 0: none
 * @old: what it held before, when versions are kept
 * @nr_old: how many
 */
struct mvol {
	bool used;
	char name[64];
	char uuid[37];
	size_t len;
	u8 *data;
	bool ro;
	bool thick;
	char parent[37];
	unsigned int born;
	unsigned int gone;
	struct version *old;
	size_t nr_old;
};

/**
 * struct play - a store, and its model
 * @d: the disk
 * @w: open for writing
 * @vol: the lvols
 * @step: operations done
 * @committed: the last step after which everything was on the disk
 * @keep: keep versions, and lvols that are gone
 * @dead: lvols that are gone
 * @nr_dead: how many
 * @log: what the last step was, for messages
 * @spaces: steps that ended in ENOSPC
 * @max_clusters: largest lvol
 */
struct play {
	struct disk d;
	struct lvs_writer *w;
	struct mvol vol[PLAY_VOLS];
	unsigned int step;
	unsigned int committed;
	bool keep;
	struct mvol *dead;
	size_t nr_dead;
	char log[200];
	unsigned int spaces;
	u64 max_clusters;
};

/* A random number from 0 to @n - 1: the test's own. */
u64 play_rnd(u64 n);
/* A new store of @len bytes on a disk that can grow to @limit. */
void play_init(struct play *p, size_t len, size_t limit, u32 cluster, u32 md_pages);
void play_free(struct play *p);
/* One random operation; what is not as it should be is a ktap failure. */
void play_step(struct play *p);
void play_close(struct play *p);
void play_reopen(struct play *p, unsigned int flags);
/* Does the open writer say what the model says? */
void play_check_writer(struct play *p);
/* Does a reader of the closed store? And is nothing leaked, and are free clusters zero? */
void play_check_closed(struct play *p);
/* Free clusters read zero, pages of the metadata that nobody uses too. */
void play_check_free(const u8 *mem, struct lvs_store *s);

#endif
