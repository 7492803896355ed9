/* SPDX-License-Identifier: GPL-2.0-only */
/* Pools by the names that users have for them, and the uppers in them. */
#ifndef YBDCTL_POOLS_H
#define YBDCTL_POOLS_H

#include "nl.h"
#include "pool/pool.h"

/**
 * struct pool_ref - where a pool is
 * @path: device or file
 * @info: its superblock
 */
struct pool_ref {
	char *path;
	struct pool_info info;
};

/**
 * struct pool_refs - several of them
 * @v: @n of them
 */
struct pool_refs {
	struct pool_ref *v;
	size_t n;
};

/**
 * pools_find() - find pools
 * @spec: the name or uuid of one, its block device or file; NULL for those of
 *	  all block devices, where damaged ones are warned of
 * @out: the one, or all; to be freed
 * @err: why not
 *
 * Return: 0; -ENOENT when it is not there; -ENOTUNIQ when several are called
 * so; as pool_probe() for a device or file that is named.
 */
int pools_find(const char *spec, struct pool_refs *out, struct ybd_error *err);
void pools_free(struct pool_refs *refs);

/**
 * pool_ref_open() - for the kernel
 * @ref: the pool; one in a file becomes a loop device
 * @err: why not
 *
 * Return: a descriptor, open for reading and writing and not claimed, or a
 * negative errno.
 */
int pool_ref_open(const struct pool_ref *ref, struct ybd_error *err);

/**
 * struct upper_ref - an upper that was found in a pool
 * @pool: where; one of those that were searched
 * @uuid: its uuid
 * @name: its name
 * @flags: YBD_FMT_UPPER_*
 * @image_identity: of its image
 * @list: its list of layers; NULL when that was damaged
 * @list_bytes: length of @list
 * @damage: then, what is wrong with it
 */
struct upper_ref {
	const struct pool_ref *pool;
	u8 uuid[16];
	char name[YBD_FMT_NAME_LEN];
	u32 flags;
	u8 image_identity[32];
	u8 *list;
	u32 list_bytes;
	char *damage;
};

/**
 * struct upper_refs - several of them
 * @v: @n of them
 */
struct upper_refs {
	struct upper_ref *v;
	size_t n;
};

/**
 * uppers_find() - look through the directories of pools
 * @pools: where; to live as long as @out
 * @names: @n names or uuids; NULL for all that start by themselves
 * @n: how many
 * @out: all that fit, in no order; to be freed
 * @err: why not
 *
 * A pool that cannot be read is warned of.
 */
int uppers_find(const struct pool_refs *pools, char *const *names, size_t n,
		struct upper_refs *out, struct ybd_error *err);
void uppers_free(struct upper_refs *refs);

/* Is it called so? */
bool upper_is(const struct upper_ref *u, const char *name);

/**
 * upper_pick() - the one of that name or uuid
 * @refs: those that were found
 * @name: name or uuid
 * @out: it
 * @err: why not
 *
 * Return: 0, -ENOENT or -ENOTUNIQ.
 */
int upper_pick(const struct upper_refs *refs, const char *name,
	       const struct upper_ref **out, struct ybd_error *err);

/**
 * pools_in_use() - what the module has open
 * @out: empty when the module is not there or may not be asked; to be freed
 *
 * Does not load the module.
 */
void pools_in_use(struct ybd_pool_list *out);

/* What the module knows of the pool, or NULL. */
const struct ybd_pool_info *pool_in_use(const struct ybd_pool_list *list,
					const char *path, const u8 uuid[16]);

#endif
