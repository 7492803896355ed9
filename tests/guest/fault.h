/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of ybd-fault share. */
#ifndef YBD_FAULT_H
#define YBD_FAULT_H

#include "../unit/ktap.h"
#include "nl_raw.h"
#include "nl_state.h"

#define MIB		(1024u * 1024)
/* Far from what takes most: loading the module, some 3,200 with kmemleak's own. */
#define MAX_NTH		100000
#define BLOCK		4096u

/**
 * struct fault - how it was called, and a socket
 * @n: the socket
 * @rng: of what is random
 * @nr_ops: random operations
 * @all: each allocation fails once, not only some
 */
struct fault {
	struct nlr n;
	struct rng rng;
	unsigned int nr_ops;
	bool all;
};

extern struct fault fault;

/**
 * struct command - a request in which everything fails that can
 * @name: of the case
 * @make: the request
 * @undo: of a success, or NULL
 * @kind: of the line of the state that comes or goes, or 0
 * @goes: it goes; otherwise it comes
 * @changes: it does both: another line comes for it
 * @redo: again what a success took away
 * @settle: after each try: whatever has come of it, back to where it began
 * @part: as for fail_next(); of those that take long less is tried
 */
struct command {
	const char *name;
	void (*make)(struct nlm *m);
	void (*undo)(void);
	char kind;
	bool goes;
	bool changes;
	void (*redo)(void);
	void (*settle)(void);
	unsigned int part;
};

void fault_command(const struct command *c);
/* Detach a device that nobody has open for long, see say_openers(): 0 or a negative errno. */
int fault_detach(const char *name, u32 flags);
/* 0, or an end. */
void must(int ret, const char *what);

/* Uppers in the pool on @disk, over the image "base" of @size, which is @content. */
void test_pools(const char *disk, const char *lower, const u8 *content, u64 size);

#endif
