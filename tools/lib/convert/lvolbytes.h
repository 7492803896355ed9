/* SPDX-License-Identifier: GPL-2.0-only */
/* An lvol that is being written, as a bytestore. */
#ifndef YBD_CONVERT_LVOLBYTES_H
#define YBD_CONVERT_LVOLBYTES_H

#include "../bytestore.h"
#include "../lvstore/write.h"

/**
 * struct lvolbytes - see bytestore.h
 * @b: the store
 * @w: .
 * @v: .
 */
struct lvolbytes {
	struct bytestore b;
	struct lvs_writer *w;
	struct lvw_vol *v;
};

/* The first @size bytes of @v. */
void lvolbytes_init(struct lvolbytes *l, struct lvs_writer *w, struct lvw_vol *v, u64 size);

#endif
