/* SPDX-License-Identifier: GPL-2.0-only */
/* A fixture in memory, to be damaged: page by page, with the crc put right again. */
#ifndef YBD_TEST_LVSTORE_IMAGE_H
#define YBD_TEST_LVSTORE_IMAGE_H

#include "lvstore/store.h"

/**
 * struct image - a store in memory
 * @mem: private mapping of the file
 * @mapped: its length
 * @len: its bytes; may be made smaller
 * @bad_page: md page whose reads fail, or LVS_NO_PAGE
 * @s: geometry
 */
struct image {
	u8 *mem;
	size_t mapped;
	size_t len;
	u32 bad_page;
	struct lvs_store s;
};

/* Read a fixture, as it is; the test ends when that fails. */
void image_load(struct image *im, const char *dir, const char *name);
void image_free(struct image *im);

static inline struct lvs_disk_super *image_super(struct image *im)
{
	return (struct lvs_disk_super *)im->mem;
}

static inline struct lvs_disk_page *image_page(struct image *im, u32 page)
{
	return (struct lvs_disk_page *)(im->mem + md_byte(&im->s, page));
}

/* Put the crc of the super block, of a page right. */
void image_fix_super(struct image *im);
void image_fix_page(struct image *im, u32 page);

/* The payload of the @nth descriptor of @type in a page; the test ends when there is none. */
u8 *image_desc(struct image *im, u32 page, u8 type, unsigned int nth);
/* The value of an xattr in a root. */
u8 *image_xattr(struct image *im, u32 page, const char *name);

/* Root page of the lvol of this name. */
u32 image_root(struct image *im, const char *name);

/* Open what the image is now. */
int image_open(struct image *im, struct lvs_store **s, struct lvs_error *err);

#endif
