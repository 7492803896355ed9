// SPDX-License-Identifier: GPL-2.0-only
#include "../dl.h"
#include "../util.h"
#include "lib.h"

#define EXT2FS_SONAME "libext2fs.so.2"

struct e2_functions e2;

static const struct error_table *error_table;

int e2_load(struct ybd_error *err)
{
	const struct ybd_dl_sym sym[] = {
		{ "ext2fs_initialize", &e2.initialize },
		{ "ext2fs_open2", &e2.open2 },
		{ "ext2fs_flush2", &e2.flush2 },
		{ "ext2fs_free", &e2.free },
		{ "ext2fs_read_bitmaps", &e2.read_bitmaps },
		{ "ext2fs_init_csum_seed", &e2.init_csum_seed },
		{ "ext2fs_block_alloc_stats2", &e2.block_alloc_stats2 },
		{ "ext2fs_block_alloc_stats_range", &e2.block_alloc_stats_range },
		{ "ext2fs_inode_alloc_stats2", &e2.inode_alloc_stats2 },
		{ "ext2fs_new_block2", &e2.new_block2 },
		{ "ext2fs_get_free_blocks2", &e2.get_free_blocks2 },
		{ "ext2fs_block_bitmap_loc_set", &e2.block_bitmap_loc_set },
		{ "ext2fs_inode_bitmap_loc_set", &e2.inode_bitmap_loc_set },
		{ "ext2fs_inode_table_loc_set", &e2.inode_table_loc_set },
		{ "ext2fs_group_desc_csum_set", &e2.group_desc_csum_set },
		{ "ext2fs_bg_free_blocks_count", &e2.bg_free_blocks_count },
		{ "ext2fs_bg_flags_set", &e2.bg_flags_set },
		{ "ext2fs_bg_flags_test", &e2.bg_flags_test },
		{ "ext2fs_blocks_count", &e2.blocks_count },
		{ "ext2fs_blocks_count_set", &e2.blocks_count_set },
		{ "ext2fs_find_first_zero_generic_bmap", &e2.find_first_zero_generic_bmap },
		{ "ext2fs_find_first_set_generic_bmap", &e2.find_first_set_generic_bmap },
		{ "ext2fs_test_generic_bmap", &e2.test_generic_bmap },
		{ "ext2fs_read_inode_full", &e2.read_inode_full },
		{ "ext2fs_write_inode_full", &e2.write_inode_full },
		{ "ext2fs_create_inode_cache", &e2.create_inode_cache },
		{ "ext2fs_create_resize_inode", &e2.create_resize_inode },
		{ "ext2fs_add_journal_inode2", &e2.add_journal_inode2 },
		{ "ext2fs_read_dir_block4", &e2.read_dir_block4 },
		{ "ext2fs_write_dir_block4", &e2.write_dir_block4 },
		{ "ext2fs_bmap2", &e2.bmap2 },
		{ "ext2fs_dirhash", &e2.dirhash },
		{ "ext2fs_extent_open2", &e2.extent_open2 },
		{ "ext2fs_extent_get", &e2.extent_get },
		{ "ext2fs_extent_insert", &e2.extent_insert },
		{ "ext2fs_extent_fix_parents", &e2.extent_fix_parents },
		{ "ext2fs_extent_free", &e2.extent_free },
		{ "ext2fs_punch", &e2.punch },
		{ "ext2fs_free_ext_attr", &e2.free_ext_attr },
		{ "ext2fs_xattrs_open", &e2.xattrs_open },
		{ "ext2fs_xattrs_close", &e2.xattrs_close },
		{ "ext2fs_xattrs_read", &e2.xattrs_read },
		{ "ext2fs_xattrs_write", &e2.xattrs_write },
		{ "ext2fs_xattrs_iterate", &e2.xattrs_iterate },
		{ "ext2fs_xattr_get", &e2.xattr_get },
		{ "ext2fs_xattr_set", &e2.xattr_set },
		{ "et_ext2_error_table", &error_table },
	};

	if (error_table || !ybd_dl_open(EXT2FS_SONAME, sym, ARRAY_SIZE(sym)))
		return 0;
	return ybd_error_set(err, -ELIBACC, "ext4 needs %s, 1.46 or later: install libext2fs2",
			     EXT2FS_SONAME);
}

const char *e2_error_text(errcode_t e)
{
	if (e >= 0 && e < 256)
		return strerror((int)e);
	if (e < error_table->base || e >= error_table->base + error_table->n_msgs)
		return "unknown error of libext2fs";
	return error_table->msgs[e - error_table->base];
}
