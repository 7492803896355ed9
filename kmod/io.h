/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data path: classify, split, remap, account.
 */
#ifndef YBD_IO_H
#define YBD_IO_H

#include <linux/blk_types.h>

struct ybd_device;

void ybd_submit_bio(struct bio *bio);

int ybd_io_init(void);
void ybd_io_exit(void);

#endif /* YBD_IO_H */
