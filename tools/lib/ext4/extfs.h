/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ext4 filesystems written without mounting them, for images: the same calls give the same bytes.
 * Nothing depends on the clock or on chance, and nothing is left for the kernel to do at the first
 * mount. libext2fs does the work below directories; directories are kept in memory and written as a
 * whole, with an index where they have more than one block.
 *
 * Functions return 0 or a negative errno, and take a struct ybd_error that says why. After a
 * failure the filesystem may only be closed with extfs_abort().
 */
#ifndef YBD_EXT4_EXTFS_H
#define YBD_EXT4_EXTFS_H

#include "../bytestore.h"
#include "../error.h"

#define EXTFS_BLOCK	4096u
#define EXTFS_INODE	256u
#define EXTFS_ROOT	2u
#define EXTFS_NAME_MAX	255u
#define EXTFS_SIZE_MIN	(16ull << 20)
#define EXTFS_SIZE_MAX	(16ull << 40)

struct extfs;

/**
 * struct extfs_opts - a new filesystem
 * @uuid: 16 bytes
 * @hash_seed: 16 bytes
 * @no_journal: for what is never written again, or need not outlive a crash
 */
struct extfs_opts {
	u8 uuid[16];
	u8 hash_seed[16];
	bool no_journal;
};

/**
 * struct extfs_attr - what an inode is
 * @mode: type and permissions
 * @uid: .
 * @gid: .
 * @major: of a device
 * @minor: of a device
 * @sec: modification time, since 1970; what ext4 cannot store is bounded
 * @nsec: .
 */
struct extfs_attr {
	u16 mode;
	u32 uid;
	u32 gid;
	u32 major;
	u32 minor;
	int64_t sec;
	u32 nsec;
};

/**
 * extfs_open() - a filesystem that is there
 * @b: what it is in; has to stay
 * @out: end with extfs_finish() or extfs_abort()
 * @err: why not
 */
int extfs_open(struct bytestore *b, struct extfs **out, struct ybd_error *err);

/*
 * One that is only read, until extfs_abort(), whoever has made it: extfs_lookup(), extfs_next(),
 * extfs_readlink() and what is in section "reading". -EOPNOTSUPP for one that cannot be read.
 */
int extfs_look(struct bytestore *b, struct extfs **out, struct ybd_error *err);

/* A new one with nothing but a root directory of mode 0755, of all of @b. */
int extfs_make(struct bytestore *b, const struct extfs_opts *o, struct extfs **out,
	       struct ybd_error *err);

/* Write everything and close; @sec is when that was, for the superblock. Also frees on failure. */
int extfs_finish(struct extfs *e, int64_t sec, struct ybd_error *err);
/* NULL is fine. */
void extfs_abort(struct extfs *e);

/* The newest time that any inode was given, or that the superblock had. */
int64_t extfs_newest(const struct extfs *e);

/* ---- names ---- */

/**
 * struct extfs_node - an inode as a directory has it
 * @ino: its number
 * @mode: its type alone (S_IFMT)
 */
struct extfs_node {
	u32 ino;
	u16 mode;
};

/* -ENOENT without a message when there is no such name. */
int extfs_lookup(struct extfs *e, u32 dir, const char *name, size_t len, struct extfs_node *out,
		 struct ybd_error *err);
int extfs_parent(struct extfs *e, u32 dir, u32 *out, struct ybd_error *err);
/* One more name for an inode; not for a directory. */
int extfs_link(struct extfs *e, u32 dir, const char *name, size_t len,
	       const struct extfs_node *node, struct ybd_error *err);
/* Take a name away, and the inode with its last name. A directory has to be empty. */
int extfs_unlink(struct extfs *e, u32 dir, const char *name, size_t len, struct ybd_error *err);

/**
 * extfs_next() - go through a directory
 * @e: the filesystem
 * @dir: its inode
 * @pos: 0 at first; only names that were there then are sure to be met
 * @name: the name, of at most EXTFS_NAME_MAX bytes and a NUL
 * @out: what it names
 * @err: why not
 *
 * Return: 0; -ENOENT without a message at the end.
 */
int extfs_next(struct extfs *e, u32 dir, size_t *pos, char name[EXTFS_NAME_MAX + 1],
	       struct extfs_node *out, struct ybd_error *err);

/* ---- inodes; each new one gets its first name ---- */

int extfs_mkdir(struct extfs *e, u32 dir, const char *name, size_t len,
		const struct extfs_attr *a, u32 *ino, struct ybd_error *err);
int extfs_symlink(struct extfs *e, u32 dir, const char *name, size_t len,
		  const struct extfs_attr *a, const char *target, u32 *ino,
		  struct ybd_error *err);
/* Device, fifo or socket. */
int extfs_mknod(struct extfs *e, u32 dir, const char *name, size_t len,
		const struct extfs_attr *a, u32 *ino, struct ybd_error *err);

/* Owner, permissions and time of an inode; its type stays. */
int extfs_set_attr(struct extfs *e, u32 ino, const struct extfs_attr *a, struct ybd_error *err);
int extfs_get_attr(struct extfs *e, u32 ino, struct extfs_attr *a, struct ybd_error *err);
/* Content of a symlink, NUL-terminated, below 4096 bytes. */
int extfs_readlink(struct extfs *e, u32 ino, char target[EXTFS_BLOCK], struct ybd_error *err);

/**
 * struct extfs_xattr - an extended attribute
 * @name: with its prefix, such as "user.x"
 * @value: @len bytes
 * @len: .
 */
struct extfs_xattr {
	const char *name;
	const void *value;
	size_t len;
};

/*
 * Set @n attributes; others stay. -E2BIG when they do not fit into inode and one block;
 * -EOPNOTSUPP for a name whose prefix ext4 does not know.
 */
int extfs_set_xattrs(struct extfs *e, u32 ino, const struct extfs_xattr *x, size_t n,
		     struct ybd_error *err);

/* Is there such an attribute? 1, 0 or a negative errno. */
int extfs_has_xattr(struct extfs *e, u32 ino, const char *name, struct ybd_error *err);
/* Set all attributes of @from but those whose names begin with @but, on @to as well. */
int extfs_copy_xattrs(struct extfs *e, u32 from, u32 to, const char *but, struct ybd_error *err);

/* ---- reading ---- */

/**
 * struct extfs_stat - more of an inode
 * @attr: with the numbers of a device
 * @size: bytes of a regular file
 * @links: names that it has
 */
struct extfs_stat {
	struct extfs_attr attr;
	u64 size;
	u32 links;
};

int extfs_stat(struct extfs *e, u32 ino, struct extfs_stat *st, struct ybd_error *err);

/**
 * struct extfs_range - data of a regular file
 * @off: byte of the file
 * @at: byte of the filesystem
 * @len: bytes
 */
struct extfs_range {
	u64 off;
	u64 at;
	u64 len;
};

/* All ranges that are no holes, sorted, inside the file's size; *@r is to be freed. */
int extfs_ranges(struct extfs *e, u32 ino, struct extfs_range **r, size_t *n,
		 struct ybd_error *err);
/* Bytes of a range. */
int extfs_read(struct extfs *e, u64 at, void *buf, size_t len, struct ybd_error *err);

/* Hand each attribute to @fn, which returns 0 or a negative errno that ends it. */
int extfs_each_xattr(struct extfs *e, u32 ino,
		     int (*fn)(void *arg, const struct extfs_xattr *x), void *arg,
		     struct ybd_error *err);

/* ---- regular files ---- */

/*
 * Keep @nr blocks free for files that come later, where data would go next; what there is of
 * metadata may still use them. Their first one, 0: there is not so much room.
 */
u64 extfs_reserve(struct extfs *e, u64 nr);
/* A new file of @size bytes, without a name and without data. */
int extfs_file_begin(struct extfs *e, const struct extfs_attr *a, u64 size,
		     struct ybd_error *err);
/* Its data begin at this block, if that is free; before any data. */
void extfs_file_place(struct extfs *e, u64 blk);
/*
 * Data at @off; offsets only grow. What is left out is a hole. @more: how many bytes are known to
 * follow without a hole, these included, so that they are kept together.
 */
int extfs_file_write(struct extfs *e, u64 off, const void *buf, size_t len, u64 more,
		     struct ybd_error *err);
/* The file is complete: give it its first name. */
int extfs_file_end(struct extfs *e, u32 dir, const char *name, size_t len, u32 *ino,
		   struct ybd_error *err);

#endif
