/* SPDX-License-Identifier: GPL-2.0-only */
/* The fixtures: stores written by SPDK, and what SPDK itself says of them (JSON). */
#ifndef YBD_TEST_LVSTORE_FIXTURE_H
#define YBD_TEST_LVSTORE_FIXTURE_H

#include <json-c/json.h>
#include <stddef.h>

#include "lvstore/lvstore.h"
#include "types.h"

/**
 * struct content - digests of an lvol's content, as in the JSON
 * @sha256: over all of it; "" when it is too large to hash its zeros
 * @sparse: over the number and bytes of each 4096-byte block that is not all zero
 * @blocks: number of those
 * @fast: fast_digest() of the same
 */
struct content {
	char sha256[65];
	char sparse[65];
	u64 blocks;
	u64 fast;
};

/* Read and hash an lvol through its map. 0, or a negative errno. */
int content_hash(struct lvs_store *s, const struct lvs_map *map, int esnap_fd, struct content *c);

/* A member of a JSON object; the test ends when it is missing. */
struct json_object *js(struct json_object *o, const char *key);
const char *js_str(struct json_object *o, const char *key);	/* NULL for null */
u64 js_u64(struct json_object *o, const char *key);

#endif
