/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies between the front of a bio and memory; the bio is advanced.
 */
#ifndef YBD_BIO_COPY_H
#define YBD_BIO_COPY_H

#include <linux/bio.h>
#include <linux/highmem.h>

/* Fill the first @len bytes of @bio from @mem, or with zeroes if it is NULL. */
static inline void ybd_bio_fill(struct bio *bio, const void *mem, unsigned int len)
{
	while (len) {
		struct bio_vec bv = bio_iter_iovec(bio, bio->bi_iter);
		unsigned int n = min(len, bv.bv_len);

		if (mem) {
			memcpy_to_page(bv.bv_page, bv.bv_offset, mem, n);
			mem += n;
		} else {
			memzero_page(bv.bv_page, bv.bv_offset, n);
		}
		bio_advance_iter_single(bio, &bio->bi_iter, n);
		len -= n;
	}
}

/* Copy the @len bytes of @bio at @iter to @mem; @iter is advanced. */
static inline void ybd_bio_drain(struct bio *bio, struct bvec_iter *iter, void *mem,
				 unsigned int len)
{
	if (bio_op(bio) == REQ_OP_WRITE_ZEROES) {
		memset(mem, 0, len);
		iter->bi_size -= len;
		iter->bi_sector += len >> SECTOR_SHIFT;
		return;
	}
	while (len) {
		struct bio_vec bv = bio_iter_iovec(bio, *iter);
		unsigned int n = min(len, bv.bv_len);

		memcpy_from_page(mem, bv.bv_page, bv.bv_offset, n);
		bio_advance_iter_single(bio, iter, n);
		mem += n;
		len -= n;
	}
}

#endif /* YBD_BIO_COPY_H */
