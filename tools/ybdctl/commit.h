/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between cmd_commit.c and what it reads from: the upper of a device that is not attached, in its
 * pool (commit_pool.c), or a device (commit_device.c). What is under an upper is copied by
 * commit_image.c where it has to be.
 */
#ifndef YBDCTL_COMMIT_H
#define YBDCTL_COMMIT_H

#include "delta.h"
#include "image.h"
#include "nl.h"

struct changes;

/**
 * struct changes_ops - a place that changes are read from
 * @copy_image: write what the image shows, for an lvol that is a clone of something else; NULL
 *		where @copy writes all that the device shows
 * @copy: write them all; fails when they did not stay the same meanwhile
 * @close: let go of it
 */
struct changes_ops {
	int (*copy_image)(struct changes *c, struct delta *d, struct ybd_error *err);
	int (*copy)(struct changes *c, struct delta *d, struct ybd_error *err);
	void (*close)(struct changes *c);
};

/**
 * struct changes - what was written over an image
 * @ops: its kind
 * @size: bytes of the device
 * @lvol: uuid of the lvol that the image is, or of its uppermost layer
 * @is_lvol: false when the image is known not to be one lvol
 * @identity: of the image
 * @priv: of its kind
 */
struct changes {
	const struct changes_ops *ops;
	u64 size;
	u8 lvol[YBD_UUID_LEN];
	bool is_lvol;
	u8 identity[YBD_IDENTITY_LEN];
	void *priv;
};

/**
 * changes_of_upper() - of a persistent upper that is not attached
 * @name: its name or uuid
 * @pool: where to look; NULL for all block devices
 * @f: where the layers of its image are looked for, until it is closed; the source that the pool
 *     remembers for an lvol is added
 * @c: to be closed
 * @err: why not
 *
 * Return: 0; -ENOENT when there is none; -EUCLEAN when it is damaged.
 */
int changes_of_upper(const char *name, const char *pool, struct ybd_finder *f, struct changes *c,
		     struct ybd_error *err);

/**
 * changes_of_device() - of a device
 * @info: it
 * @nl: the kernel
 * @freeze: freeze a file system that is mounted on it, until the changes are closed
 * @c: to be closed
 * @err: why not
 *
 * Return: 0; -EBUSY when it may be written to meanwhile; -EROFS when it never was.
 */
int changes_of_device(const struct ybd_device_info *info, struct ybd_nl *nl, bool freeze,
		      struct changes *c, struct ybd_error *err);

/**
 * image_copy() - write what an image shows
 * @p: the image
 * @size: bytes of the device; beyond the image there are zeros
 * @d: where to
 * @err: why not
 */
int image_copy(const struct ybd_plan *p, u64 size, struct delta *d, struct ybd_error *err);

#endif
