/* SPDX-License-Identifier: GPL-2.0-only */
/* Extent maps of several layers, laid one over the other. Pure. */
#ifndef YBD_LIB_OVERLAY_H
#define YBD_LIB_OVERLAY_H

#include <linux/ybd_map.h>

#include "types.h"

/**
 * struct ybd_overlay - a map under construction
 * @ext: @nr extents, sorted, not overlapping, merged where they touch
 * @nr: how many
 * @size: bytes; what no extent covers reads as zeroes
 *
 * All zero is the map of no layer.
 */
struct ybd_overlay {
	struct ybd_map_extent *ext;
	size_t nr;
	u64 size;
};

/**
 * ybd_overlay_add() - lay a layer over what is there
 * @o: what is there
 * @ext: extents of the layer: sorted, not overlapping, inside @size
 * @nr: how many
 * @size: bytes of the layer
 *
 * The new layer's extents win; where it has none, what was there before shows
 * through. The result is as large as the larger of the two.
 *
 * Return: 0; -EINVAL when @ext is not as it has to be; -ENOMEM. @o is
 * unchanged when it fails.
 */
int ybd_overlay_add(struct ybd_overlay *o, const struct ybd_map_extent *ext,
		    size_t nr, u64 size);

void ybd_overlay_free(struct ybd_overlay *o);

#endif
