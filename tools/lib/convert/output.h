/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What was converted, as an OCI layout: the image's own config, and for each layer a tiny one whose
 * annotations say which lvol holds it.
 */
#ifndef YBD_CONVERT_OUTPUT_H
#define YBD_CONVERT_OUTPUT_H

#include "convert.h"

#define OUTPUT_ANNOTATION	"io.ybd."

/* Make the directory, which must not be there or be empty. 0 or a negative errno. */
int output_begin(const char *dir, int *fd, struct ybd_error *err);

/* Can these be in one layout? -ENOTUNIQ when a tag would name two of them. */
int output_check(const struct convert *const *c, size_t nr, struct ybd_error *err);

/* Write the layout of @nr images that have been converted. */
int output_write(int fd, const struct convert *const *c, size_t nr, struct ybd_error *err);

#endif
