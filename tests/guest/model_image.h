/* SPDX-License-Identifier: GPL-2.0-only */
/* Images for the model checker, and what their content is. */
#ifndef YBD_MODEL_IMAGE_H
#define YBD_MODEL_IMAGE_H

#include "nl.h"
#include "test.h"

#define MAX_SOURCES 8

/* How the extents of a generated image are cut. */
enum map_style {
	MAP_CLUSTER,	/* 64 KiB, one source: a table */
	MAP_MULTI,	/* 64 KiB, all sources: a wide table */
	MAP_GENERAL,	/* from 512 bytes: extents */
};

/**
 * struct test_image - an image in the kernel
 * @name: its name
 * @size: bytes
 * @block_size: logical
 * @content: its content, found without the kernel module
 * @fd: @nr_sources sources
 * @source_size: how much of each was written, 0 when it was not
 */
struct test_image {
	const char *name;
	u64 size;
	u32 block_size;
	u8 *content;
	int fd[MAX_SOURCES];
	u64 source_size[MAX_SOURCES];
	unsigned int nr_sources;
};

/* Write known data to the sources and lay an image of @layers over them. */
void image_generate(struct test_image *img, const char *const *sources, unsigned int nr,
		    enum map_style style, unsigned int layers, struct rng *rng);
/* Or take an lvol and read it here, through the map that user space has made. */
void image_from_lvol(struct test_image *img, const char *spec, const char *source,
		     struct ybd_nl *nl);
void image_load(struct test_image *img, struct ybd_nl *nl);
/* Number of sectors of generated sources that changed. */
u64 image_check_sources(const struct test_image *img);

#endif
