/* SPDX-License-Identifier: GPL-2.0-only */
/* What ybdctl convert shows: how far it is, and what came of it. */
#ifndef YBDCTL_CONVERT_SHOW_H
#define YBDCTL_CONVERT_SHOW_H

#include "convert/convert.h"

/**
 * struct convert_show - what is shown of a run
 * @c: the image that is converted
 * @src: what it is called
 * @image: its number, from 0
 * @images: how many there are
 * @layer: number of the layer that is being made, from 0
 * @before: bytes of the layers before it that were made, of all images
 * @total: bytes of all layers that will be made
 * @begun: when, in seconds
 * @shown: when progress was shown last
 * @drawn: there is an unfinished line on the terminal
 */
struct convert_show {
	const struct convert *c;
	const char *src;
	size_t image;
	size_t images;
	size_t layer;
	u64 before;
	u64 total;
	double begun;
	double shown;
	bool drawn;
};

/* Before the first image: there are @images, with layers of @total bytes to make. */
void convert_show_begin(struct convert_show *s, size_t images, u64 total);

/* The next image is @c, of @src. */
void convert_show_image(struct convert_show *s, const struct convert *c, const char *src);

/* For struct convert and struct apply_progress; @arg: struct convert_show. */
void convert_show_layer(void *arg, size_t layer);
void convert_show_layer_done(void *arg, size_t layer);
void convert_show_progress(void *arg, u64 read, u64 unpacked, u64 entries);

/* The image is converted, or it failed: no unfinished line is left. */
void convert_show_end(struct convert_show *s);
/* What came of it. */
void convert_show_result(const struct convert_show *s);

#endif
