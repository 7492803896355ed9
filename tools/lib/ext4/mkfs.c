// SPDX-License-Identifier: GPL-2.0-only
/*
 * A new filesystem: all metadata at its front, the smallest journal behind them, no backups of
 * superblock and descriptors (each would be a unit of the store in every layer, and an image can be
 * made again), inode tables initialised, as the store reads zeros where nothing was written.
 */
#include <sys/stat.h>

#include "priv.h"

#define JOURNAL_BLOCKS	1024u
#define GROW_TIMES	64u		/* descriptors are kept for that many times the size */

static void fill_params(const struct extfs *e, struct ext2_super_block *p)
{
	u64 blocks = e->b->size / IMGFS_BLOCK;
	u64 groups = (blocks + 8 * IMGFS_BLOCK - 1) / (8 * IMGFS_BLOCK);
	u64 gdt = (groups * GROW_TIMES + 63) / 64;

	memset(p, 0, sizeof(*p));
	p->s_rev_level = EXT2_DYNAMIC_REV;
	p->s_log_block_size = 2;
	p->s_log_cluster_size = 2;
	p->s_inode_size = EXTFS_INODE;
	p->s_desc_size = 64;
	p->s_log_groups_per_flex = 4;
	p->s_max_mnt_count = -1;
	p->s_feature_compat = EXT2_FEATURE_COMPAT_EXT_ATTR | EXT2_FEATURE_COMPAT_RESIZE_INODE |
			      EXT2_FEATURE_COMPAT_DIR_INDEX | EXT4_FEATURE_COMPAT_SPARSE_SUPER2;
	p->s_feature_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS |
				EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_FLEX_BG;
	p->s_feature_ro_compat = EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
				 EXT4_FEATURE_RO_COMPAT_HUGE_FILE |
				 EXT4_FEATURE_RO_COMPAT_DIR_NLINK |
				 EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE |
				 EXT4_FEATURE_RO_COMPAT_METADATA_CSUM;
	p->s_reserved_gdt_blocks = gdt > 1024 ? 1024 : (u16)gdt;
	e2.blocks_count_set(p, blocks);
	p->s_inodes_count = (u32)(blocks / 4 < 0x7fffffff ? blocks / 4 : 0x7fffffff);
}

static errcode_t take(struct extfs *e, blk64_t *goal)
{
	blk64_t blk;
	errcode_t rc = e2.new_block2(e->fs, *goal, NULL, &blk);

	if (!rc) {
		e2.block_alloc_stats2(e->fs, blk, 1);
		*goal = blk;
	}
	return rc;
}

/* Bitmaps and inode tables one behind the other, in the order of the groups. */
static errcode_t place_tables(struct extfs *e)
{
	ext2_filsys fs = e->fs;
	blk64_t goal = 0;
	errcode_t rc;
	dgrp_t g;

	for (g = 0; g < fs->group_desc_count; g++) {
		rc = take(e, &goal);
		if (rc)
			return rc;
		e2.block_bitmap_loc_set(fs, g, goal);
	}
	for (g = 0; g < fs->group_desc_count; g++) {
		rc = take(e, &goal);
		if (rc)
			return rc;
		e2.inode_bitmap_loc_set(fs, g, goal);
	}
	for (g = 0; g < fs->group_desc_count; g++) {
		rc = e2.get_free_blocks2(fs, goal, e2.blocks_count(fs->super) - 1,
					 (int)fs->inode_blocks_per_group, fs->block_map, &goal);
		if (rc)
			return rc;
		e2.block_alloc_stats_range(fs, goal, fs->inode_blocks_per_group, 1);
		e2.inode_table_loc_set(fs, g, goal);
		e2.bg_flags_set(fs, g, EXT2_BG_INODE_ZEROED);
		e2.group_desc_csum_set(fs, g);
	}
	return 0;
}

static void identify(struct extfs *e, const struct extfs_opts *o)
{
	struct ext2_super_block *s = e->fs->super;

	memcpy(s->s_uuid, o->uuid, sizeof(s->s_uuid));
	memcpy(s->s_hash_seed, o->hash_seed, sizeof(o->hash_seed));
	s->s_def_hash_version = EXT2_HASH_HALF_MD4;
	/* whatever this machine's char is */
	s->s_flags = (s->s_flags & ~EXT2_FLAGS_UNSIGNED_HASH) | EXT2_FLAGS_SIGNED_HASH;
	s->s_checksum_type = EXT2_CRC32C_CHKSUM;
	s->s_default_mount_opts = EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL;
	s->s_checkinterval = 0;
	s->s_mkfs_time = 0;
	s->s_mkfs_time_hi = 0;
	e2.init_csum_seed(e->fs);
}

static int root(struct extfs *e, struct ybd_error *err)
{
	struct imgfs_attr a = { .mode = S_IFDIR | 0755 };
	struct ext2_inode_large inode;
	int rc;

	e2.inode_alloc_stats2(e->fs, EXT2_ROOT_INO, 1, 1);
	extfs_inode_fill(e, &inode, &a);
	inode.i_links_count = 2;
	rc = extfs_inode_write(e, EXT2_ROOT_INO, &inode, err);
	return rc ? rc : extfs_dir_new(e, EXT2_ROOT_INO, EXT2_ROOT_INO, err);
}

int extfs_layout(struct extfs *e, const struct extfs_opts *o, struct ybd_error *err)
{
	struct ext2_super_block p;
	errcode_t rc;
	u32 ino;

	fill_params(e, &p);
	rc = e2.initialize("image", EXT2_FLAG_64BITS, &p, extfs_io_manager(e), &e->fs);
	if (rc) {
		e->fs = NULL;
		return extfs_fail(e, rc, err, "laying out the ext4");
	}
	/* never by the clock; what it sets is overwritten when the layer is complete */
	e->fs->now = 1;
	identify(e, o);
	rc = place_tables(e);
	if (rc)
		return extfs_fail(e, rc, err, "placing the tables of the ext4");
	e2.inode_alloc_stats2(e->fs, EXT2_BAD_INO, 1, 0);
	for (ino = EXT2_ROOT_INO + 1; ino < EXT2_GOOD_OLD_FIRST_INO; ino++)
		e2.inode_alloc_stats2(e->fs, ino, 1, 0);
	rc = e2.create_inode_cache(e->fs, 16);
	if (!rc)
		rc = e2.create_resize_inode(e->fs);
	if (!rc && !o->no_journal)
		rc = e2.add_journal_inode2(e->fs, JOURNAL_BLOCKS, 0, EXT2_MKJOURNAL_NO_MNT_CHECK);
	if (rc)
		return extfs_fail(e, rc, err, "making the journal of the ext4");
	extfs_alloc_init(e);
	return root(e, err);
}
