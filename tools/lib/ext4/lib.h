/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The functions of libext2fs that are used, by their own names without the prefix. What the headers
 * have as inline functions or macros over these must not be called.
 */
#ifndef YBD_EXT4_LIB_H
#define YBD_EXT4_LIB_H

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>

#include "../error.h"

/* Valid after e2_load(). */
struct e2_functions {
	typeof(ext2fs_initialize) *initialize;
	typeof(ext2fs_open2) *open2;
	typeof(ext2fs_flush2) *flush2;
	typeof(ext2fs_free) *free;
	typeof(ext2fs_read_bitmaps) *read_bitmaps;
	typeof(ext2fs_init_csum_seed) *init_csum_seed;
	typeof(ext2fs_block_alloc_stats2) *block_alloc_stats2;
	typeof(ext2fs_block_alloc_stats_range) *block_alloc_stats_range;
	typeof(ext2fs_inode_alloc_stats2) *inode_alloc_stats2;
	typeof(ext2fs_new_block2) *new_block2;
	typeof(ext2fs_get_free_blocks2) *get_free_blocks2;
	typeof(ext2fs_block_bitmap_loc_set) *block_bitmap_loc_set;
	typeof(ext2fs_inode_bitmap_loc_set) *inode_bitmap_loc_set;
	typeof(ext2fs_inode_table_loc_set) *inode_table_loc_set;
	typeof(ext2fs_group_desc_csum_set) *group_desc_csum_set;
	typeof(ext2fs_bg_free_blocks_count) *bg_free_blocks_count;
	typeof(ext2fs_bg_flags_set) *bg_flags_set;
	typeof(ext2fs_bg_flags_test) *bg_flags_test;
	typeof(ext2fs_blocks_count) *blocks_count;
	typeof(ext2fs_blocks_count_set) *blocks_count_set;
	typeof(ext2fs_find_first_zero_generic_bmap) *find_first_zero_generic_bmap;
	typeof(ext2fs_find_first_set_generic_bmap) *find_first_set_generic_bmap;
	typeof(ext2fs_test_generic_bmap) *test_generic_bmap;
	typeof(ext2fs_read_inode_full) *read_inode_full;
	typeof(ext2fs_write_inode_full) *write_inode_full;
	typeof(ext2fs_create_inode_cache) *create_inode_cache;
	typeof(ext2fs_create_resize_inode) *create_resize_inode;
	typeof(ext2fs_add_journal_inode2) *add_journal_inode2;
	typeof(ext2fs_read_dir_block4) *read_dir_block4;
	typeof(ext2fs_write_dir_block4) *write_dir_block4;
	typeof(ext2fs_bmap2) *bmap2;
	typeof(ext2fs_dirhash) *dirhash;
	typeof(ext2fs_extent_open2) *extent_open2;
	typeof(ext2fs_extent_get) *extent_get;
	typeof(ext2fs_extent_insert) *extent_insert;
	typeof(ext2fs_extent_fix_parents) *extent_fix_parents;
	typeof(ext2fs_extent_free) *extent_free;
	typeof(ext2fs_punch) *punch;
	typeof(ext2fs_free_ext_attr) *free_ext_attr;
	typeof(ext2fs_xattrs_open) *xattrs_open;
	typeof(ext2fs_xattrs_close) *xattrs_close;
	typeof(ext2fs_xattrs_read) *xattrs_read;
	typeof(ext2fs_xattrs_write) *xattrs_write;
	typeof(ext2fs_xattrs_iterate) *xattrs_iterate;
	typeof(ext2fs_xattr_get) *xattr_get;
	typeof(ext2fs_xattr_set) *xattr_set;
};

extern struct e2_functions e2;

/* Open the library. 0 or -ELIBACC. */
int e2_load(struct ybd_error *err);

/* What libext2fs calls an error of its own; valid after e2_load(). */
const char *e2_error_text(errcode_t e);

#endif
