/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From the layers that a user names to an image in the kernel.
 *
 * A layer is
 *   STORE/LVOL   an lvol with all below it; both by name or uuid
 *   dev:SOURCE   a whole block device: a path, or "uuid:...", "nguid:...",
 *		  "eui:..." of an NVMe namespace
 *   file:PATH    a whole plain file
 *
 * Layers are given from the bottom to the top, as in an OCI manifest. A block
 * is read from the topmost layer that has it. An lvol has the clusters that
 * are allocated in it or in what it is a clone of; a device or a file has all
 * of its blocks, holes too. The image is as large as the largest layer.
 */
#ifndef YBD_LIB_IMAGE_H
#define YBD_LIB_IMAGE_H

#include "model.h"
#include "nl.h"
#include "overlay.h"
#include "source.h"

/**
 * ybd_layer_check() - is it of the form of a layer?
 * @spec: what the user gave
 *
 * Return: NULL when it is, else what is wrong with it.
 */
const char *ybd_layer_check(const char *spec);

/**
 * struct ybd_layer - what a pool remembers of a layer, see struct ybd_fmt_layer
 * @kind: enum ybd_fmt_layer_kind
 * @size: bytes
 * @identity: of its contents
 * @source_uuid: of the namespace, or zeroes
 * @store_uuid: of the lvstore, or zeroes
 * @lvol_uuid: of the lvol, or zeroes
 * @text: name of an lvol; where a device or a file is, as a source is named
 * @where: of an lvol: where the store is, when that is no namespace with a
 *	   uuid; else NULL
 */
struct ybd_layer {
	u16 kind;
	u64 size;
	u8 identity[YBD_IDENTITY_LEN];
	u8 source_uuid[YBD_UUID_LEN];
	u8 store_uuid[YBD_UUID_LEN];
	u8 lvol_uuid[YBD_UUID_LEN];
	char *text;
	char *where;
};

/**
 * struct ybd_plan - an image that could be loaded
 * @name: what it is called: STORE/LVOL by their names, joined with "+"
 * @uuid: of the topmost layer
 * @identity: changes whenever the content could have changed
 * @map: where each block is
 * @logical_block_size: what the topmost layer was made with
 * @layers: how many, with all lvols of each chain
 * @flags: of enum ybd_image_flags
 * @sources: @nr_sources that @map reads, as it numbers them; the finder's
 * @layer: @nr_layer layers that the user named, from the bottom to the top
 */
struct ybd_plan {
	char name[YBD_IMAGE_NAME_LEN + 1];
	u8 uuid[YBD_UUID_LEN];
	u8 identity[YBD_IDENTITY_LEN];
	struct ybd_overlay map;
	u32 logical_block_size;
	u32 layers;
	u32 flags;
	struct ybd_source **sources;
	size_t nr_sources;
	struct ybd_layer *layer;
	size_t nr_layer;
};

/**
 * ybd_plan_make() - read the layers and lay them one over the other
 * @f: where to look; has to outlive the plan
 * @layers: @nr of them, from the bottom to the top
 * @nr: at least 1
 * @unsafe: take lvols that something else may write to
 * @out: the plan; to be freed
 * @err: why not
 *
 * Return: 0; -ENOENT when a store, lvol, device or file is not there; -EROFS
 * when an lvol is writable and @unsafe is not set; -EUCLEAN and so on for what
 * is damaged.
 */
int ybd_plan_make(struct ybd_finder *f, const char *const *layers, size_t nr,
		  bool unsafe, struct ybd_plan *out, struct ybd_error *err);
void ybd_plan_free(struct ybd_plan *p);

/**
 * ybd_plan_load() - see that the kernel has the image
 * @nl: the kernel
 * @p: the plan
 * @name: what to call it; NULL for @p->name
 * @out: the image; to be freed
 * @err: why not
 *
 * Return: 1 when it was loaded, 0 when it was there already with the same
 * content; -EEXIST when another one has the name; another negative errno.
 */
int ybd_plan_load(struct ybd_nl *nl, struct ybd_plan *p, const char *name,
		  struct ybd_image_info *out, struct ybd_error *err);

/**
 * ybd_plan_find() - an image that is loaded with that content, under any name
 * @nl: the kernel
 * @p: the plan
 * @id: its number
 * @err: why it cannot be said
 *
 * Return: 1 when there is one, 0 when there is none, or a negative errno.
 */
int ybd_plan_find(struct ybd_nl *nl, const struct ybd_plan *p, u32 *id,
		  struct ybd_error *err);

/* Does the image have the content that the plan describes? */
bool ybd_plan_is(const struct ybd_plan *p, const struct ybd_image_info *img);

#endif
