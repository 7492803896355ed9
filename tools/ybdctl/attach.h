/* SPDX-License-Identifier: GPL-2.0-only */
/* Making devices of uppers that are in pools: for attach, and for hotplug. */
#ifndef YBDCTL_ATTACH_H
#define YBDCTL_ATTACH_H

#include "layers.h"
#include "pools.h"
#include "source.h"

struct known;

/**
 * struct attach - what is to be attached
 * @source: --source
 * @esnap: --esnap
 * @pool: --pool
 * @replug: milliseconds that reads wait for a source that vanished
 * @all: --all
 * @nl: the kernel
 * @finder: where the layers are looked for
 * @known: images, as many uppers have the same
 * @pools: where uppers are looked for
 * @uppers: what was found
 * @devices: what was made
 */
struct attach {
	struct opt_list source;
	struct opt_list esnap;
	const char *pool;
	u32 replug;
	bool all;
	struct ybd_nl *nl;
	struct ybd_finder finder;
	struct known *known;
	struct pool_refs pools;
	struct upper_refs uppers;
	struct ybd_device_list devices;
};

/**
 * attach_begin() - open the kernel and the sources that were named
 * @a: with @source, @esnap, @pool, @replug and @all set, the rest zero
 * @err: why not
 *
 * Return: 0, or a negative errno.
 */
int attach_begin(struct attach *a, struct ybd_error *err);
/* Release all that is in it but the options, whichever of these was called. */
void attach_end(struct attach *a);

/**
 * attach_find() - look for uppers
 * @a: gets @pools, @uppers, and room in @devices
 * @names: @n of them; not looked at with @all
 * @n: how many
 * @err: why not
 */
int attach_find(struct attach *a, char *const *names, size_t n, struct ybd_error *err);

/**
 * attach_upper() - make the device of an upper
 * @a: gets it in @devices
 * @u: the upper, one of @a->uppers
 * @err: why not
 *
 * Return: 0; -ENOENT when a layer is not there; -ESTALE when one is not what it
 * was; -EBUSY when the image is loaded from sources that have vanished, and in
 * use.
 */
int attach_upper(struct attach *a, const struct upper_ref *u, struct ybd_error *err);

/* Are the layers there, and what they were? As attach_upper() would say. */
int attach_try(struct attach *a, const struct upper_ref *u, struct ybd_error *err);

/* The device that has it, or NULL. */
const struct ybd_device_info *attach_device_of(const struct ybd_device_list *l,
					       const struct upper_ref *u);

/*
 * Are all block devices that it reads from still there? The kernel holds on to
 * one that was removed, so its number belongs to no other.
 */
bool attach_image_lives(const struct ybd_image_info *img);

#endif
