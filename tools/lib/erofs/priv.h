/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of erofs offer each other:
 *
 *   erofs.c   opening, closing, the superblock
 *   tree.c    inodes and names in memory
 *   node.c    what is asked of them
 *   xattr.c   extended attributes, kept as they are on disk
 *   stream.c  long writes
 *   file.c    regular files
 *   place.c   where metadata go
 *   write.c   metadata written
 *   load.c    metadata read back
 */
#ifndef YBD_EROFS_PRIV_H
#define YBD_EROFS_PRIV_H

#include "erofs.h"
#include "format.h"

/* Of the tree: with what else there is, a conversion keeps below 128 MiB. */
#ifndef ERO_MEMORY_MAX
#define ERO_MEMORY_MAX	(80u << 20)
#endif
#define ERO_CHUNKS_MAX	65536u		/* of a file */
#define ERO_STREAM	(1u << 20)

/**
 * struct ero_inode - an inode in memory
 * @size: bytes of a file or of a symlink's target; of a directory, when it was placed
 * @sec: .
 * @xattr: entries as they are on disk, @xattr_len bytes; NULL for none
 * @target: of a symlink, with a NUL behind it
 * @map: first block of each chunk, when @chunk_bits is not 0
 * @names: of a directory: the first and the last one
 * @blk: first block of a file that is in one piece
 * @rdev: of a device, as the kernel encodes it
 * @xattr_len: .
 * @nsec: .
 * @uid: .
 * @gid: .
 * @links: 0: it is gone
 * @parent: of a directory
 * @nid: when it was placed or read
 * @dir_blk: of a directory, when it was placed: its full blocks, counted from the first of all
 * @mode: .
 * @chunk_bits: bytes of a chunk, as a power of two
 * @tail: how many bytes are behind the inode, when it was placed
 */
struct ero_inode {
	u64 size;
	int64_t sec;
	u8 *xattr;
	union {
		char *target;
		u32 *map;
		u32 names[2];
		u32 blk;
		u32 rdev;
	};
	u32 xattr_len;
	u32 nsec;
	u32 uid;
	u32 gid;
	u32 links;
	u32 parent;
	u32 nid;
	u32 dir_blk;
	u16 mode;
	u16 tail;
	u8 chunk_bits;
};

/**
 * struct ero_dent - a name
 * @dir: .
 * @ino: 0: it was taken away
 * @next: the next one of its directory; 0 for none
 * @name: where its bytes begin
 * @len: .
 */
struct ero_dent {
	u32 dir;
	u32 ino;
	u32 next;
	u32 name;
	u8 len;
};

/**
 * struct ero_tree - all inodes and names
 * @inode: the first two are none
 * @nr: .
 * @room: .
 * @dent: the first one is none
 * @nr_dents: .
 * @dent_room: .
 * @names: bytes of all names
 * @names_len: .
 * @names_room: .
 * @slot: names by hash; 0 = empty; a power of two
 * @slots: .
 * @bytes: memory that all of it takes
 */
struct ero_tree {
	struct ero_inode *inode;
	u32 nr;
	u32 room;
	struct ero_dent *dent;
	u32 nr_dents;
	u32 dent_room;
	char *names;
	u32 names_len;
	u32 names_room;
	u32 *slot;
	u32 slots;
	u64 bytes;
};

/**
 * struct ero_stream - bytes that follow each other, written when there are many
 * @b: .
 * @buf: ERO_STREAM bytes
 * @at: where the first of them goes
 * @fill: how many there are
 */
struct ero_stream {
	struct bytestore *b;
	u8 *buf;
	u64 at;
	u32 fill;
};

/**
 * struct ero_file - the file that is being written
 * @ino: 0 for none
 * @pos: where the last data ended
 * @place: the block that was asked for; 0 for none
 * @begun: there were data
 */
struct ero_file {
	u32 ino;
	u64 pos;
	u64 place;
	bool begun;
};

/**
 * struct ero_room - blocks that are kept for a file
 * @blk: .
 * @nr: .
 * @used: .
 */
struct ero_room {
	u32 blk;
	u32 nr;
	bool used;
};

/**
 * struct erofs - a filesystem that is open
 * @base: what others know of it
 * @b: what it is in
 * @tree: .
 * @data: stream of file data
 * @goal: the next free block; all behind it are
 * @file: .
 * @kept: rooms, in order
 * @nr_kept: .
 * @kept_room: .
 * @newest: newest time so far
 * @uuid: .
 */
struct erofs {
	struct imgfs base;
	struct bytestore *b;
	struct ero_tree tree;
	struct ero_stream data;
	u64 goal;
	struct ero_file file;
	struct ero_room *kept;
	size_t nr_kept;
	size_t kept_room;
	int64_t newest;
	u8 uuid[16];
};

static inline struct erofs *erofs_of(struct imgfs *fs)
{
	return (struct erofs *)fs;
}

static inline struct ero_inode *ero_inode(struct erofs *e, u32 ino)
{
	return &e->tree.inode[ino];
}

/* How many there are: the last number says hole. */
static inline u64 ero_blocks(const struct erofs *e)
{
	u64 nr = e->b->size / IMGFS_BLOCK;

	return nr < ERO_HOLE ? nr : ERO_HOLE;
}

/* What @b says of its failure. */
int ero_store_error(const struct bytestore *b, struct ybd_error *err, const char *what);
/* "the filesystem is full" */
int ero_full(const struct erofs *e, struct ybd_error *err);

/* tree.c: 0 or a negative errno, with a message */
int ero_tree_init(struct ero_tree *t, struct ybd_error *err);
void ero_tree_free(struct ero_tree *t);
/* Memory that is not the tree's own, but belongs to it; negative: it was given back. */
int ero_tree_charge(struct ero_tree *t, int64_t bytes, struct ybd_error *err);
/* A new inode, all 0; pointers to others do not outlive it. */
int ero_tree_inode(struct ero_tree *t, u32 *ino, struct ybd_error *err);
int ero_tree_add(struct ero_tree *t, u32 dir, const char *name, size_t len, u32 ino,
		 struct ybd_error *err);
/* 0 for none. */
u32 ero_tree_find(const struct ero_tree *t, u32 dir, const char *name, size_t len);
/* Names of a directory in the order of their bytes. */
int ero_tree_sort(struct ero_tree *t, u32 dir, struct ybd_error *err);
/* The next name that is there, from @dent on; 0 for none. */
u32 ero_tree_live(const struct ero_tree *t, u32 dent);
/* What an inode holds besides itself. */
void ero_inode_drop(struct ero_tree *t, struct ero_inode *i);

/* node.c: what imgfs.h describes */
int ero_lookup(struct imgfs *fs, u32 dir, const char *name, size_t len, struct imgfs_node *out,
	       struct ybd_error *err);
int ero_parent(struct imgfs *fs, u32 dir, u32 *out, struct ybd_error *err);
int ero_next(struct imgfs *fs, u32 dir, size_t *pos, char name[IMGFS_NAME_MAX + 1],
	     struct imgfs_node *out, struct ybd_error *err);
int ero_link(struct imgfs *fs, u32 dir, const char *name, size_t len,
	     const struct imgfs_node *node, struct ybd_error *err);
int ero_unlink(struct imgfs *fs, u32 dir, const char *name, size_t len, struct ybd_error *err);
int ero_mkdir(struct imgfs *fs, u32 dir, const char *name, size_t len,
	      const struct imgfs_attr *a, u32 *ino, struct ybd_error *err);
int ero_symlink(struct imgfs *fs, u32 dir, const char *name, size_t len,
		const struct imgfs_attr *a, const char *target, u32 *ino, struct ybd_error *err);
int ero_mknod(struct imgfs *fs, u32 dir, const char *name, size_t len,
	      const struct imgfs_attr *a, u32 *ino, struct ybd_error *err);
int ero_set_attr(struct imgfs *fs, u32 ino, const struct imgfs_attr *a, struct ybd_error *err);
int ero_get_attr(struct imgfs *fs, u32 ino, struct imgfs_attr *a, struct ybd_error *err);
int ero_readlink(struct imgfs *fs, u32 ino, char target[IMGFS_BLOCK], struct ybd_error *err);
int ero_stat(struct imgfs *fs, u32 ino, struct imgfs_stat *st, struct ybd_error *err);
/* An inode without a name, of these attributes. */
int ero_new_inode(struct erofs *e, const struct imgfs_attr *a, u32 *ino, struct ybd_error *err);
/* Its first name. */
int ero_first_name(struct erofs *e, u32 dir, const char *name, size_t len, u32 ino,
		   struct ybd_error *err);

/* xattr.c */
int ero_set_xattrs(struct imgfs *fs, u32 ino, const struct imgfs_xattr *x, size_t n,
		   struct ybd_error *err);
int ero_has_xattr(struct imgfs *fs, u32 ino, const char *name, struct ybd_error *err);
int ero_copy_xattrs(struct imgfs *fs, u32 from, u32 to, const char *but, struct ybd_error *err);
int ero_each_xattr(struct imgfs *fs, u32 ino, imgfs_xattr_fn fn, void *arg,
		   struct ybd_error *err);
/* What was read: are these entries, one behind the other? */
bool ero_xattrs_sound(const u8 *p, u32 len);

/* stream.c: 0 or a negative errno, with the message of @b */
int ero_stream_init(struct ero_stream *s, struct bytestore *b);
/*
 * Bytes for @at. What they leave out of a block is zeros. Where they do not follow what was put
 * before, that is written, and they begin somewhere else.
 */
int ero_stream_put(struct ero_stream *s, u64 at, const void *buf, size_t len);
/* The same for zeros up to @end, which follow what was put before. */
int ero_stream_zero(struct ero_stream *s, u64 end);
int ero_stream_flush(struct ero_stream *s);

/* file.c */
u64 ero_reserve(struct imgfs *fs, u64 nr);
int ero_file_begin(struct imgfs *fs, const struct imgfs_attr *a, u64 size, struct ybd_error *err);
void ero_file_place(struct imgfs *fs, u64 blk);
int ero_file_write(struct imgfs *fs, u64 off, const void *buf, size_t len, u64 more,
		   struct ybd_error *err);
int ero_file_end(struct imgfs *fs, u32 dir, const char *name, size_t len, u32 *ino,
		 struct ybd_error *err);
int ero_ranges(struct imgfs *fs, u32 ino, struct imgfs_range **r, size_t *n,
	       struct ybd_error *err);
int ero_read(struct imgfs *fs, u64 at, void *buf, size_t len, struct ybd_error *err);
/* Its last name is gone. */
void ero_file_gone(struct erofs *e, const struct ero_inode *i);
/* Bits of a chunk of a file of that size. */
u8 ero_chunk_bits(u64 size);
static inline u32 ero_chunks(u64 size, u8 bits)
{
	return (u32)((size >> bits) + !!(size & ((1ull << bits) - 1)));
}

/* place.c */

/**
 * struct ero_walk - all inodes, in the order in which they are on disk: a directory, what it has
 * that is no directory, then each of its directories
 * @t: .
 * @seen: a bit for each inode with several names
 * @stack: directories to come
 * @nr: .
 * @room: .
 * @dir: .
 * @dent: of @dir: the next one; 0: it is done
 */
struct ero_walk {
	struct ero_tree *t;
	u8 *seen;
	u32 *stack;
	size_t nr;
	size_t room;
	u32 dir;
	u32 dent;
};

int ero_walk_begin(struct ero_walk *w, struct ero_tree *t, struct ybd_error *err);
/* 0; -ENOENT without a message at the end. */
int ero_walk_next(struct ero_walk *w, u32 *ino, struct ybd_error *err);
void ero_walk_end(struct ero_walk *w);

/**
 * struct ero_names - names of a directory with "." and "..", in the order of their bytes
 * @t: .
 * @dir: .
 * @dent: the next one
 * @dots: how many of the two there were
 * @name: .
 * @len: .
 * @ino: .
 */
struct ero_names {
	const struct ero_tree *t;
	u32 dir;
	u32 dent;
	u32 dots;
	const char *name;
	u32 len;
	u32 ino;
};

void ero_names_begin(struct ero_names *n, const struct ero_tree *t, u32 dir);
bool ero_names_next(struct ero_names *n);

/* Compare names as EROFS sorts them. */
int ero_name_cmp(const char *a, size_t a_len, const char *b, size_t b_len);

/**
 * struct ero_plan - where everything goes
 * @meta: block of the first inode
 * @dirs: block of the first block of directories, and of what else does not fit behind an inode
 * @end: the first block behind all
 * @inodes: how many
 */
struct ero_plan {
	u64 meta;
	u64 dirs;
	u64 end;
	u64 inodes;
};

int ero_place(struct erofs *e, struct ero_plan *p, struct ybd_error *err);
/* Bytes of an inode with its xattrs. */
static inline u32 ero_inode_bytes(const struct ero_inode *i)
{
	return (u32)sizeof(struct ero_inode_disk) +
	       (i->xattr_len ? ERO_XATTR_HEAD + i->xattr_len : 0);
}

/* write.c */
int ero_write_tree(struct erofs *e, const struct ero_plan *p, struct ybd_error *err);

/* load.c: -EOPNOTSUPP, -EUCLEAN */
int ero_load(struct erofs *e, const struct ero_super *s, struct ybd_error *err);

/* Types of directory entries. */
u8 ero_type(u16 mode);

#endif
