/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which names a layer has made. Whiteouts hide what is in the layers below, wherever in the layer
 * they stand: what the layer itself has made stays.
 */
#ifndef YBD_CONVERT_TOUCHED_H
#define YBD_CONVERT_TOUCHED_H

#include "../types.h"

/**
 * struct touched - a set of names
 * @slot: hashes of (directory, name); 0 = empty; a power of two of them
 * @size: .
 * @used: .
 */
struct touched {
	u64 *slot;
	size_t size;
	size_t used;
};

/* 0 or -ENOMEM. */
int touched_add(struct touched *t, u32 dir, const char *name, size_t len);
bool touched_has(const struct touched *t, u32 dir, const char *name, size_t len);
void touched_free(struct touched *t);

#endif
