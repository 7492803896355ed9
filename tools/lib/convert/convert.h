/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An image becomes a chain of lvols: for each layer a clone of what is below, the layer applied,
 * and made read-only. Being read-only is what tells that it is complete.
 */
#ifndef YBD_CONVERT_CONVERT_H
#define YBD_CONVERT_CONVERT_H

#include "../lvstore/write.h"
#include "apply.h"
#include "chain.h"
#include "hot.h"
#include "readers.h"

/* Names of the lvols' user xattrs. */
#define CONVERT_XATTR_CHAIN	"ybd.chain-id"
#define CONVERT_XATTR_DIFF	"ybd.diff-id"
#define CONVERT_XATTR_HOW	"ybd.convert"

/**
 * struct convert_layer - what became of a layer
 * @id: .
 * @there: the store has it; not so for one that was deleted from below others
 * @made: it was not there before
 * @allocated: bytes that the store holds for it alone
 */
struct convert_layer {
	struct chain_id id;
	bool there;
	bool made;
	u64 allocated;
};

/**
 * struct convert - a conversion
 * @source: where the layers are
 * @image: .
 * @w: the store
 * @how: .
 * @hot: files to lay out first; NULL for none. Also @how.hot
 * @progress: for each layer; may be NULL
 * @begin: called before a layer is made, with its number from 0; may be NULL
 * @done: called when there is a further layer; may be NULL
 * @arg: for the two
 * @layer: as many as the image has, filled in
 * @readers: of all images of the run
 */
struct convert {
	struct oci_source *source;
	const struct oci_image *image;
	struct lvs_writer *w;
	struct chain_how how;
	struct hot_list *hot;
	const struct apply_progress *progress;
	void (*begin)(void *arg, size_t layer);
	void (*done)(void *arg, size_t layer);
	void *arg;
	struct convert_layer *layer;
	struct readers *readers;
};

/**
 * convert_expect() - say what the conversion will make, before the first one of the run begins
 * @c: .
 * @err: why not
 *
 * Called for all images of the run, in the order in which they will be converted. It fills in the
 * ids of the layers.
 *
 * Return: 0 or -ENOMEM.
 */
int convert_expect(struct convert *c, struct ybd_error *err);

/**
 * convert_image() - make the layers that the store does not have
 * @c: after convert_expect()
 * @err: why not, with the layer and the entry
 *
 * Return: 0; else all that this call has made is gone again: the store holds what it did before,
 * but for what a killed run had left of a layer. Two cases are as after a kill, with the layers
 * that were complete: after an error of the store the writer is dead; and a store that is open
 * with LVW_APPEND gives up no layer that is complete.
 */
int convert_image(struct convert *c, struct ybd_error *err);

#endif
