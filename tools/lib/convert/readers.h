/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Readers of the layers that a run makes, in the order in which it makes them. While one layer is
 * written, those after it are unpacked, of whatever image they are, on the CPUs that are left.
 */
#ifndef YBD_CONVERT_READERS_H
#define YBD_CONVERT_READERS_H

#include "../oci/ahead.h"
#include "../oci/layer.h"
#include "chain.h"

/**
 * struct readers_item - a layer that will be made
 * @source: where it is
 * @layer: .
 * @name: of its lvol
 * @r: its reader; NULL: not opened yet, or it could not be, or it was taken
 */
struct readers_item {
	struct oci_source *source;
	const struct oci_layer *layer;
	const char *name;
	struct oci_layer_reader *r;
};

/**
 * struct readers - the layers of a run
 * @gate: how many are unpacked besides the one that is read
 * @cpus: that this program may use
 * @item: in the order in which they are made
 * @nr: how many there are
 * @next: the first that was not taken
 * @opened: the first that was not opened
 * @bytes: of the files of all
 */
struct readers {
	struct ahead_gate gate;
	unsigned int cpus;
	struct readers_item *item;
	size_t nr;
	size_t next;
	size_t opened;
	u64 bytes;
};

/* @store: path of the store that is written. */
void readers_init(struct readers *q, const char *store);

/* Closes what was not taken. */
void readers_free(struct readers *q);

/*
 * One more layer is expected. @source, @layer and @name stay valid until readers_free(). Return: 0
 * or -ENOMEM.
 */
int readers_add(struct readers *q, struct oci_source *source, const struct oci_layer *layer,
		const char *name);

/* Is the layer with this lvol among those expected? */
bool readers_has(const struct readers *q, const char *name);

/**
 * readers_take() - the reader of a layer, to be read now
 * @q: those expected before it are not read any more
 * @source: of a layer that was not expected
 * @layer: .
 * @out: end with oci_layer_close()
 * @err: why not
 *
 * Opens those that follow, too; should that fail, it will again in their turn.
 *
 * Return: as oci_layer_open().
 */
int readers_take(struct readers *q, struct oci_source *source, const struct oci_layer *layer,
		 struct oci_layer_reader **out, struct ybd_error *err);

#endif
