/* SPDX-License-Identifier: GPL-2.0-only */
/* Is an image for writes that are kept, and have to survive a crash? */
#ifndef YBD_LIB_UNJOURNALED_H
#define YBD_LIB_UNJOURNALED_H

#include "image.h"

#define YBD_UNJOURNALED		1	/* ext2, ext3 or ext4 without a journal */
#define YBD_NEVER_WRITTEN	2	/* EROFS: nothing would ever be kept */

/**
 * ybd_plan_unjournaled() - does the image hold something that a persistent upper is not for?
 * @p: the image
 * @err: why it cannot be said
 *
 * Return: one of the above, 0 for anything else, or a negative errno.
 */
int ybd_plan_unjournaled(const struct ybd_plan *p, struct ybd_error *err);

#endif
