/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A source that vanished and came back: is it what it was?
 */
#ifndef YBD_LIB_SWAP_H
#define YBD_LIB_SWAP_H

#include "image.h"

/**
 * ybd_swap_verify() - may a device take the place of a source?
 * @nl: the kernel, for the images that read from the source
 * @f: where to look; was given @dev
 * @src: the source as the kernel knows it
 * @dev: the device; one of @f
 * @err: why not
 *
 * Its identity, size and block size have to be the source's, and each image that
 * reads from the source, put together again from what is on the device now, has to
 * have the identity that the loaded one has: the uuids of store and lvols and the
 * place of each cluster.
 *
 * Return: 0; -ESTALE when it is another one, or has other contents; another
 * negative errno when that cannot be said.
 */
int ybd_swap_verify(struct ybd_nl *nl, struct ybd_finder *f,
		    const struct ybd_source_info *src, struct ybd_source *dev,
		    struct ybd_error *err);

/* As much of it as does not need the contents to be read. */
int ybd_swap_check(const struct ybd_source_info *src,
		   const struct ybd_source *dev, struct ybd_error *err);

/**
 * ybd_swap() - let a device take the place of a source
 * @nl: the kernel
 * @src: the source; as it is afterwards when it returns 0
 * @path: of the device
 * @trust: what is on it need not be compared
 * @err: why not
 *
 * Return: as ybd_swap_verify(), or an error of the kernel.
 */
int ybd_swap(struct ybd_nl *nl, struct ybd_source_info *src, const char *path, bool trust,
	     struct ybd_error *err);

#endif
