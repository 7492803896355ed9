/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of extfs offer each other:
 *
 *   lib.c     libext2fs, opened when needed
 *   io.c      its io_manager: a cache of metadata blocks, file data in long writes
 *   alloc.c   blocks and inodes
 *   mkfs.c    a new filesystem
 *   extfs.c   opening, closing, errors
 *   inode.c   attributes, links, symlinks, devices
 *   xattr.c   extended attributes
 *   file.c    regular files; the extents of all that has blocks
 *   read.c    what is in one that is not written
 *   dir.c     directories in memory
 *   dirblk.c  their blocks
 */
#ifndef YBD_EXT4_PRIV_H
#define YBD_EXT4_PRIV_H

#include "extfs.h"
#include "lib.h"

/* Metadata blocks that are kept (fewer in the fuzzer), and bytes of file data written at once. */
#ifndef EXTFS_CACHE_BLOCKS
#define EXTFS_CACHE_BLOCKS	4096u
#endif
#define EXTFS_RUN_BYTES		(1u << 20)

/**
 * struct extfs_slot - a block of the cache
 * @blk: its number
 * @next: next slot of the same hash bucket, + 1
 * @dirty: not written yet
 */
struct extfs_slot {
	u64 blk;
	u32 next;
	bool dirty;
};

/**
 * struct extfs_cache - metadata blocks
 * @slot: EXTFS_CACHE_BLOCKS of them
 * @bucket: first slot + 1 of each hash value
 * @data: their bytes
 * @order: room to sort slots in
 * @used: how many slots are taken
 */
struct extfs_cache {
	struct extfs_slot *slot;
	u32 *bucket;
	u8 *data;
	u32 *order;
	u32 used;
};

/**
 * struct extfs_run - file data not written yet: consecutive blocks
 * @data: EXTFS_RUN_BYTES
 * @blk: the first block
 * @nr: blocks
 */
struct extfs_run {
	u8 *data;
	u64 blk;
	u32 nr;
};

/**
 * struct extfs_extent - blocks of a file that follow each other on both sides
 * @lblk: first block of the file
 * @pblk: first block on the filesystem
 * @len: blocks
 */
struct extfs_extent {
	u32 lblk;
	u64 pblk;
	u32 len;
};

/**
 * struct extfs_map - where a file's blocks are
 * @ext: sorted
 * @nr: how many
 * @room: how many fit
 * @blocks: their sum
 */
struct extfs_map {
	struct extfs_extent *ext;
	size_t nr;
	size_t room;
	u64 blocks;
};

/**
 * struct extfs_file - the file that is being written
 * @ino: its inode; 0 for none
 * @inode: .
 * @map: its blocks
 * @size: bytes
 * @pos: where the last data ended
 * @lblk: the block of the file that @block will become
 * @block: a block that is not full yet
 * @fill: bytes of it, 0 for none
 * @at: where its next blocks are looked for; 0: where others are
 * @ready: blocks that are allocated and not written, at the end of @map
 */
struct extfs_file {
	u32 ino;
	struct ext2_inode_large inode;
	struct extfs_map map;
	u64 size;
	u64 pos;
	u32 lblk;
	u8 block[IMGFS_BLOCK];
	u32 fill;
	u64 at;
	u32 ready;
};

struct extfs_dir;

#define EXTFS_DIR_BUCKETS	1024u

/**
 * struct extfs - a filesystem that is open
 * @base: what others know of it
 * @fs: libext2fs's
 * @b: what it is in
 * @cache: metadata blocks
 * @run: file data
 * @goal: where blocks are looked for next
 * @ino_goal: where inodes are looked for next
 * @newest: newest time so far
 * @file: .
 * @dirs: directories in memory, by inode
 * @dir_bytes: memory they take
 */
struct extfs {
	struct imgfs base;
	ext2_filsys fs;
	struct bytestore *b;
	struct extfs_cache cache;
	struct extfs_run run;
	u64 goal;
	u32 ino_goal;
	int64_t newest;
	struct extfs_file file;
	struct extfs_dir *dirs[EXTFS_DIR_BUCKETS];
	size_t dir_bytes;
};

static inline struct extfs *extfs_of(struct imgfs *fs)
{
	return (struct extfs *)fs;
}

/* What imgfs.h describes. */
int extfs_finish(struct imgfs *fs, int64_t sec, struct ybd_error *err);
void extfs_abort(struct imgfs *fs);
int64_t extfs_newest(struct imgfs *fs);
int extfs_lookup(struct imgfs *fs, u32 dir, const char *name, size_t len, struct imgfs_node *out,
		 struct ybd_error *err);
int extfs_parent(struct imgfs *fs, u32 dir, u32 *out, struct ybd_error *err);
int extfs_next(struct imgfs *fs, u32 dir, size_t *pos, char name[IMGFS_NAME_MAX + 1],
	       struct imgfs_node *out, struct ybd_error *err);
int extfs_link(struct imgfs *fs, u32 dir, const char *name, size_t len,
	       const struct imgfs_node *node, struct ybd_error *err);
int extfs_unlink(struct imgfs *fs, u32 dir, const char *name, size_t len, struct ybd_error *err);
int extfs_mkdir(struct imgfs *fs, u32 dir, const char *name, size_t len, const struct imgfs_attr *a,
		u32 *ino, struct ybd_error *err);
int extfs_symlink(struct imgfs *fs, u32 dir, const char *name, size_t len,
		  const struct imgfs_attr *a, const char *target, u32 *ino, struct ybd_error *err);
int extfs_mknod(struct imgfs *fs, u32 dir, const char *name, size_t len, const struct imgfs_attr *a,
		u32 *ino, struct ybd_error *err);
int extfs_set_attr(struct imgfs *fs, u32 ino, const struct imgfs_attr *a, struct ybd_error *err);
int extfs_get_attr(struct imgfs *fs, u32 ino, struct imgfs_attr *a, struct ybd_error *err);
int extfs_readlink(struct imgfs *fs, u32 ino, char target[IMGFS_BLOCK], struct ybd_error *err);
int extfs_set_xattrs(struct imgfs *fs, u32 ino, const struct imgfs_xattr *x, size_t n,
		     struct ybd_error *err);
int extfs_has_xattr(struct imgfs *fs, u32 ino, const char *name, struct ybd_error *err);
int extfs_copy_xattrs(struct imgfs *fs, u32 from, u32 to, const char *but, struct ybd_error *err);
int extfs_stat(struct imgfs *fs, u32 ino, struct imgfs_stat *st, struct ybd_error *err);
int extfs_ranges(struct imgfs *fs, u32 ino, struct imgfs_range **r, size_t *n,
		 struct ybd_error *err);
int extfs_read(struct imgfs *fs, u64 at, void *buf, size_t len, struct ybd_error *err);
int extfs_each_xattr(struct imgfs *fs, u32 ino, imgfs_xattr_fn fn, void *arg,
		     struct ybd_error *err);
u64 extfs_reserve(struct imgfs *fs, u64 nr);
int extfs_file_begin(struct imgfs *fs, const struct imgfs_attr *a, u64 size, struct ybd_error *err);
void extfs_file_place(struct imgfs *fs, u64 blk);
int extfs_file_write(struct imgfs *fs, u64 off, const void *buf, size_t len, u64 more,
		     struct ybd_error *err);
int extfs_file_end(struct imgfs *fs, u32 dir, const char *name, size_t len, u32 *ino,
		   struct ybd_error *err);

/* Describe an error of libext2fs, or that of the store below when that is the reason. */
int extfs_fail(struct extfs *e, errcode_t rc, struct ybd_error *err, const char *fmt, ...)
	__printf(4, 5);

/* io.c */
int extfs_io_init(struct extfs *e, struct ybd_error *err);
void extfs_io_free(struct extfs *e);
/* The io_manager; whatever is opened with it belongs to the extfs that was named last. */
io_manager extfs_io_manager(struct extfs *e);
/* Blocks of file data; not through the cache. 0 or a negative errno. */
int extfs_io_data(struct extfs *e, u64 blk, const void *buf, u32 nr);
/* What the cache has of these is not wanted any more: they are going to hold something else. */
void extfs_io_forget(struct extfs *e, u64 blk, u64 nr);
/* 0 or a negative errno. */
int extfs_io_flush(struct extfs *e);

/* alloc.c */
void extfs_alloc_init(struct extfs *e);
/* Up to @want consecutive blocks, at least one. -ENOSPC. */
int extfs_alloc_blocks(struct extfs *e, u64 want, u64 *blk, u64 *got, struct ybd_error *err);
void extfs_free_blocks(struct extfs *e, u64 blk, u64 nr);
int extfs_alloc_inode(struct extfs *e, bool dir, u32 *ino, struct ybd_error *err);

/* mkfs.c */
int extfs_layout(struct extfs *e, const struct extfs_opts *o, struct ybd_error *err);

/* inode.c */
int extfs_inode_read(struct extfs *e, u32 ino, struct ext2_inode_large *inode,
		     struct ybd_error *err);
int extfs_inode_write(struct extfs *e, u32 ino, struct ext2_inode_large *inode,
		      struct ybd_error *err);
/* A new inode as it is before it has blocks. */
void extfs_inode_fill(struct extfs *e, struct ext2_inode_large *inode,
		      const struct imgfs_attr *a);
/* One more or less subdirectory. */
int extfs_inode_links(struct extfs *e, u32 ino, int change, struct ybd_error *err);
/* Its last name is gone: blocks, xattrs and the inode itself. */
int extfs_inode_free(struct extfs *e, u32 ino, struct ext2_inode_large *inode,
		     struct ybd_error *err);

/* file.c */
int extfs_map_add(struct extfs_map *m, u32 lblk, u64 pblk, u32 len);
/* Write @m into a new inode, which is written as well. */
int extfs_map_store(struct extfs *e, u32 ino, struct ext2_inode_large *inode,
		    const struct extfs_map *m, struct ybd_error *err);

/* dir.c */
/* Begin a directory that is not on disk yet. */
int extfs_dir_new(struct extfs *e, u32 ino, u32 parent, struct ybd_error *err);
int extfs_dir_add(struct extfs *e, u32 dir, const char *name, size_t len, u32 ino, u16 mode,
		  struct ybd_error *err);
int extfs_dir_del(struct extfs *e, u32 dir, const char *name, size_t len,
		  struct ybd_error *err);
bool extfs_dir_empty(struct extfs *e, u32 dir);
/* It is going to be freed: do not write it. */
void extfs_dir_drop(struct extfs *e, u32 dir);
/* Write all that have changed, and free them. */
int extfs_dirs_flush(struct extfs *e, struct ybd_error *err);
void extfs_dirs_free(struct extfs *e);

/* dirblk.c */

/**
 * struct extfs_dent - a name in a directory
 * @ino: 0 for one that was taken away
 * @name: where its bytes begin in the directory's names
 * @hash: of the name, for the directory in memory
 * @len: bytes of the name
 * @type: EXT2_FT_*
 */
struct extfs_dent {
	u32 ino;
	u32 name;
	u32 hash;
	u8 len;
	u8 type;
};

/**
 * struct extfs_dir - a directory in memory
 * @next: of the same bucket
 * @ino: .
 * @parent: .
 * @dent: names in the order in which they came
 * @nr: of @dent
 * @room: of @dent
 * @live: without those that were taken away
 * @index: hash table: place in @dent + 1, 0 = empty; a power of two
 * @index_size: .
 * @names: all bytes of names
 * @names_len: .
 * @names_room: .
 * @dirty: differs from what is on disk
 * @fresh: not on disk yet
 */
struct extfs_dir {
	struct extfs_dir *next;
	u32 ino;
	u32 parent;
	struct extfs_dent *dent;
	u32 nr;
	u32 room;
	u32 live;
	u32 *index;
	u32 index_size;
	char *names;
	u32 names_len;
	u32 names_room;
	bool dirty;
	bool fresh;
};

/* Blocks of a directory: *@nr of IMGFS_BLOCK bytes each, to be freed; *@indexed: with an index. */
int extfs_dir_build(struct extfs *e, const struct extfs_dir *d, u8 **blocks, u32 *nr,
		    bool *indexed, struct ybd_error *err);
/* Names of one block, handed to @fn. */
int extfs_dir_parse(const u8 *block, int (*fn)(void *arg, const char *name, u8 len, u32 ino,
					       u8 type), void *arg);

#endif
