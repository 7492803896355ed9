/* SPDX-License-Identifier: GPL-2.0-only */
/* Does what an image holds survive a crash under writes? */
#ifndef YBD_LIB_UNJOURNALED_H
#define YBD_LIB_UNJOURNALED_H

#include "image.h"

/**
 * ybd_plan_unjournaled() - does the image hold an ext2, ext3 or ext4 without a journal?
 * @p: the image
 * @err: why it cannot be said
 *
 * Return: 1, 0 (also for anything else), or a negative errno.
 */
int ybd_plan_unjournaled(const struct ybd_plan *p, struct ybd_error *err);

#endif
