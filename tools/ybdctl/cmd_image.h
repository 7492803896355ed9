/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of "ybdctl image" have in common. */
#ifndef YBDCTL_CMD_IMAGE_H
#define YBDCTL_CMD_IMAGE_H

#include "cmd.h"
#include "image.h"

/**
 * image_lvol() - the lvol that an image of one layer is, whatever the image is called
 * @info: the image
 * @f: where to look besides the sources of the image
 * @spec: STORE/LVOL, both by uuid
 *
 * Return: was it found?
 */
bool image_lvol(const struct ybd_image_info *info, struct ybd_finder *f, char spec[128]);

/* ybdctl image pin */
int image_pin(const struct cmd *cmd, int argc, char **argv);

#endif
