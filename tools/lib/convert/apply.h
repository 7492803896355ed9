/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A layer applied to a filesystem, as containerd unpacks one over the directories of those below:
 * entries replace what is there, but directories are merged; whiteouts take away what the layers
 * below have. Where containerd goes by the order of the entries, whiteouts here hide the layers
 * below alone, as the specification says.
 */
#ifndef YBD_CONVERT_APPLY_H
#define YBD_CONVERT_APPLY_H

#include "../oci/layer.h"
#include "lowers.h"

struct hot_list;

/**
 * struct apply_progress - what somebody wants to know meanwhile
 * @fn: called now and then
 * @arg: its own
 */
struct apply_progress {
	void (*fn)(void *arg, u64 read, u64 unpacked, u64 entries);
	void *arg;
};

/**
 * apply_layer() - apply a layer
 * @e: the filesystem
 * @l: after lowers_begin(), when the layer gets a directory of its own; NULL: it is merged
 * @r: the layer; read to its end, and verified
 * @hot: after hot_list_place(); NULL for none
 * @progress: may be NULL
 * @err: why not, with the entry
 *
 * Return: 0; -EBADMSG for what is damaged or leads out of the image; -ENOSPC; -EOPNOTSUPP and
 * others for what ext4 cannot hold.
 */
int apply_layer(struct imgfs *e, struct lowers *l, struct oci_layer_reader *r,
		const struct hot_list *hot, const struct apply_progress *progress,
		struct ybd_error *err);

#endif
