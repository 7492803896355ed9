/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The layers of an image as a pool remembers them, so that it can be put
 * together again after a reboot: struct ybd_fmt_layer and back.
 */
#ifndef YBD_LIB_LAYERLIST_H
#define YBD_LIB_LAYERLIST_H

#include <linux/ybd_format.h>

#include "image.h"

/**
 * ybd_layers_encode() - in the form on disk, the topmost first
 * @v: @n of them, from the bottom to the top
 * @n: how many
 * @list: to be freed with free(3)
 * @bytes: length of @list
 * @err: why not
 *
 * Return: 0; -E2BIG when a pool has no room for them.
 */
int ybd_layers_encode(const struct ybd_layer *v, size_t n, u8 **list,
		      u32 *bytes, struct ybd_error *err);

/**
 * ybd_layers_decode() - and back
 * @list: of that form, verified by pool_layers_read()
 * @bytes: length of @list
 * @v: from the bottom to the top; to be freed with ybd_layers_free()
 * @n: how many
 * @err: why not
 */
int ybd_layers_decode(const u8 *list, u32 bytes, struct ybd_layer **v,
		      size_t *n, struct ybd_error *err);
void ybd_layers_free(struct ybd_layer *v, size_t n);

/* The list in a file that nobody can change any more; a descriptor or errno. */
int ybd_layers_file(const struct ybd_plan *p, struct ybd_error *err);

/**
 * ybd_layers_plan() - find the layers again and make a plan of them
 * @f: where to look
 * @v: @n of them, from the bottom to the top
 * @n: how many
 * @out: the plan; to be freed
 * @err: why not
 *
 * Return: as ybd_plan_make(); -ESTALE when a layer is there, but not with what
 * it had.
 */
int ybd_layers_plan(struct ybd_finder *f, const struct ybd_layer *v, size_t n,
		    struct ybd_plan *out, struct ybd_error *err);

#endif
