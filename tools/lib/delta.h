/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A read-only lvol in the making: a clone of another one, and what is different. It has its name
 * when it is complete; what a killed program has left of it is deleted by the next.
 */
#ifndef YBD_LIB_DELTA_H
#define YBD_LIB_DELTA_H

#include "lvstore/write.h"
#include "types.h"

/* User xattr of one that is not complete: the name that it is to have. */
#define DELTA_XATTR	"ybd.unfinished"
/* It is called this and its uuid until then. */
#define DELTA_PREFIX	"commit-"

/**
 * struct delta - an lvol in the making
 * @w: its store
 * @v: it
 * @name: what it is to be called
 * @buf: what is below, a cluster at most
 * @changed: bytes that were written, as they are different
 * @data: of delta_clear(): between where that looked last and here, there is nothing
 */
struct delta {
	struct lvs_writer *w;
	struct lvw_vol *v;
	const char *name;
	u8 *buf;
	u64 changed;
	u64 data;
};

/**
 * delta_begin() - make the clone
 * @d: to be ended by delta_finish() or delta_abort()
 * @below: the lvol that it is a clone of, read-only
 * @name: its name, once it is complete
 * @uuid: its uuid as text; NULL for a random one
 * @size: bytes, at least those of @below
 * @err: why not
 *
 * Return: 0; -EEXIST when the name is taken; -EBUSY when @below is itself what a killed program has
 * left; as lvw_vol_clone() and lvw_vol_resize().
 */
int delta_begin(struct delta *d, struct lvs_writer *w, struct lvw_vol *below, const char *name,
		const char *uuid, u64 size, struct lvs_error *err);

/* These bytes; those that are there already take no room. */
int delta_write(struct delta *d, u64 off, const void *buf, size_t len, struct lvs_error *err);
/* These bytes are zeros. */
int delta_zero(struct delta *d, u64 off, u64 len, struct lvs_error *err);
/* So are those from @off to @end; clusters that are nowhere are left alone. For ascending @off. */
int delta_clear(struct delta *d, u64 off, u64 end, struct lvs_error *err);

/* It is complete. When this fails it is gone, like the rest of @d. */
int delta_finish(struct delta *d, struct lvs_error *err);
/* It is not to be. */
void delta_abort(struct delta *d);

#endif
