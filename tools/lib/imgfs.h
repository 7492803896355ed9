/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A filesystem in the making, or one that is read: what applying layers and writing tars need of
 * it. There are two, ext4/extfs.h and erofs/erofs.h, which open and make it; the calls are the same
 * from then on, and the same calls give the same bytes.
 *
 * Functions return 0 or a negative errno, and take a struct ybd_error that says why. After a
 * failure the filesystem may only be closed with imgfs_abort().
 */
#ifndef YBD_LIB_IMGFS_H
#define YBD_LIB_IMGFS_H

#include "bytestore.h"
#include "error.h"

#define IMGFS_BLOCK	4096u
#define IMGFS_ROOT	2u
#define IMGFS_NAME_MAX	255u
#define IMGFS_SIZE_MIN	(16ull << 20)
#define IMGFS_SIZE_MAX	(16ull << 40)

/**
 * struct imgfs_attr - what an inode is
 * @mode: type and permissions
 * @uid: .
 * @gid: .
 * @major: of a device
 * @minor: of a device
 * @sec: modification time, since 1970; what ext4 cannot store is bounded
 * @nsec: .
 */
struct imgfs_attr {
	u16 mode;
	u32 uid;
	u32 gid;
	u32 major;
	u32 minor;
	int64_t sec;
	u32 nsec;
};

/**
 * struct imgfs_node - an inode as a directory has it
 * @ino: its number
 * @mode: its type alone (S_IFMT)
 */
struct imgfs_node {
	u32 ino;
	u16 mode;
};

/**
 * struct imgfs_xattr - an extended attribute
 * @name: with its prefix, such as "user.x"
 * @value: @len bytes
 * @len: .
 */
struct imgfs_xattr {
	const char *name;
	const void *value;
	size_t len;
};

/**
 * struct imgfs_stat - more of an inode
 * @attr: with the numbers of a device
 * @size: bytes of a regular file
 * @links: names that it has
 */
struct imgfs_stat {
	struct imgfs_attr attr;
	u64 size;
	u32 links;
};

/**
 * struct imgfs_range - data of a regular file
 * @off: byte of the file
 * @at: byte of the filesystem
 * @len: bytes
 */
struct imgfs_range {
	u64 off;
	u64 at;
	u64 len;
};

struct imgfs;

typedef int (*imgfs_xattr_fn)(void *arg, const struct imgfs_xattr *x);

/* What a kind of filesystem does; each is described where it is called, below. */
struct imgfs_ops {
	int (*finish)(struct imgfs *fs, int64_t sec, struct ybd_error *err);
	void (*abort)(struct imgfs *fs);
	int64_t (*newest)(struct imgfs *fs);
	int (*lookup)(struct imgfs *fs, u32 dir, const char *name, size_t len,
		      struct imgfs_node *out, struct ybd_error *err);
	int (*parent)(struct imgfs *fs, u32 dir, u32 *out, struct ybd_error *err);
	int (*next)(struct imgfs *fs, u32 dir, size_t *pos, char name[IMGFS_NAME_MAX + 1],
		    struct imgfs_node *out, struct ybd_error *err);
	int (*link)(struct imgfs *fs, u32 dir, const char *name, size_t len,
		    const struct imgfs_node *node, struct ybd_error *err);
	int (*unlink)(struct imgfs *fs, u32 dir, const char *name, size_t len,
		      struct ybd_error *err);
	int (*mkdir)(struct imgfs *fs, u32 dir, const char *name, size_t len,
		     const struct imgfs_attr *a, u32 *ino, struct ybd_error *err);
	int (*symlink)(struct imgfs *fs, u32 dir, const char *name, size_t len,
		       const struct imgfs_attr *a, const char *target, u32 *ino,
		       struct ybd_error *err);
	int (*mknod)(struct imgfs *fs, u32 dir, const char *name, size_t len,
		     const struct imgfs_attr *a, u32 *ino, struct ybd_error *err);
	int (*set_attr)(struct imgfs *fs, u32 ino, const struct imgfs_attr *a,
			struct ybd_error *err);
	int (*get_attr)(struct imgfs *fs, u32 ino, struct imgfs_attr *a, struct ybd_error *err);
	int (*readlink)(struct imgfs *fs, u32 ino, char target[IMGFS_BLOCK], struct ybd_error *err);
	int (*set_xattrs)(struct imgfs *fs, u32 ino, const struct imgfs_xattr *x, size_t n,
			  struct ybd_error *err);
	int (*has_xattr)(struct imgfs *fs, u32 ino, const char *name, struct ybd_error *err);
	int (*copy_xattrs)(struct imgfs *fs, u32 from, u32 to, const char *but,
			   struct ybd_error *err);
	int (*stat)(struct imgfs *fs, u32 ino, struct imgfs_stat *st, struct ybd_error *err);
	int (*ranges)(struct imgfs *fs, u32 ino, struct imgfs_range **r, size_t *n,
		      struct ybd_error *err);
	int (*read)(struct imgfs *fs, u64 at, void *buf, size_t len, struct ybd_error *err);
	int (*each_xattr)(struct imgfs *fs, u32 ino, imgfs_xattr_fn fn, void *arg,
			  struct ybd_error *err);
	u64 (*reserve)(struct imgfs *fs, u64 nr);
	int (*file_begin)(struct imgfs *fs, const struct imgfs_attr *a, u64 size,
			  struct ybd_error *err);
	void (*file_place)(struct imgfs *fs, u64 blk);
	int (*file_write)(struct imgfs *fs, u64 off, const void *buf, size_t len, u64 more,
			  struct ybd_error *err);
	int (*file_end)(struct imgfs *fs, u32 dir, const char *name, size_t len, u32 *ino,
			struct ybd_error *err);
};

/**
 * struct imgfs - a filesystem
 * @ops: its kind
 */
struct imgfs {
	const struct imgfs_ops *ops;
};

/* Write everything and close; @sec is when that was, for the superblock. Also frees on failure. */
static inline int imgfs_finish(struct imgfs *fs, int64_t sec, struct ybd_error *err)
{
	return fs->ops->finish(fs, sec, err);
}

/* NULL is fine. */
static inline void imgfs_abort(struct imgfs *fs)
{
	if (fs)
		fs->ops->abort(fs);
}

/* The newest time that any inode was given, or that the superblock had. */
static inline int64_t imgfs_newest(struct imgfs *fs)
{
	return fs->ops->newest(fs);
}

/* ---- names ---- */

/* -ENOENT without a message when there is no such name. */
static inline int imgfs_lookup(struct imgfs *fs, u32 dir, const char *name, size_t len,
			       struct imgfs_node *out, struct ybd_error *err)
{
	return fs->ops->lookup(fs, dir, name, len, out, err);
}

static inline int imgfs_parent(struct imgfs *fs, u32 dir, u32 *out, struct ybd_error *err)
{
	return fs->ops->parent(fs, dir, out, err);
}

/**
 * imgfs_next() - go through a directory
 * @fs: the filesystem
 * @dir: its inode
 * @pos: 0 at first; only names that were there then are sure to be met
 * @name: the name, of at most IMGFS_NAME_MAX bytes and a NUL
 * @out: what it names
 * @err: why not
 *
 * Return: 0; -ENOENT without a message at the end.
 */
static inline int imgfs_next(struct imgfs *fs, u32 dir, size_t *pos, char name[IMGFS_NAME_MAX + 1],
			     struct imgfs_node *out, struct ybd_error *err)
{
	return fs->ops->next(fs, dir, pos, name, out, err);
}

/* One more name for an inode; not for a directory. */
static inline int imgfs_link(struct imgfs *fs, u32 dir, const char *name, size_t len,
			     const struct imgfs_node *node, struct ybd_error *err)
{
	return fs->ops->link(fs, dir, name, len, node, err);
}

/* Take a name away, and the inode with its last name. A directory has to be empty. */
static inline int imgfs_unlink(struct imgfs *fs, u32 dir, const char *name, size_t len,
			       struct ybd_error *err)
{
	return fs->ops->unlink(fs, dir, name, len, err);
}

/* ---- inodes; each new one gets its first name ---- */

static inline int imgfs_mkdir(struct imgfs *fs, u32 dir, const char *name, size_t len,
			      const struct imgfs_attr *a, u32 *ino, struct ybd_error *err)
{
	return fs->ops->mkdir(fs, dir, name, len, a, ino, err);
}

static inline int imgfs_symlink(struct imgfs *fs, u32 dir, const char *name, size_t len,
				const struct imgfs_attr *a, const char *target, u32 *ino,
				struct ybd_error *err)
{
	return fs->ops->symlink(fs, dir, name, len, a, target, ino, err);
}

/* Device, fifo or socket. */
static inline int imgfs_mknod(struct imgfs *fs, u32 dir, const char *name, size_t len,
			      const struct imgfs_attr *a, u32 *ino, struct ybd_error *err)
{
	return fs->ops->mknod(fs, dir, name, len, a, ino, err);
}

/* Owner, permissions and time of an inode; its type stays. */
static inline int imgfs_set_attr(struct imgfs *fs, u32 ino, const struct imgfs_attr *a,
				 struct ybd_error *err)
{
	return fs->ops->set_attr(fs, ino, a, err);
}

static inline int imgfs_get_attr(struct imgfs *fs, u32 ino, struct imgfs_attr *a,
				 struct ybd_error *err)
{
	return fs->ops->get_attr(fs, ino, a, err);
}

/* Content of a symlink, NUL-terminated, below 4096 bytes. */
static inline int imgfs_readlink(struct imgfs *fs, u32 ino, char target[IMGFS_BLOCK],
				 struct ybd_error *err)
{
	return fs->ops->readlink(fs, ino, target, err);
}

/*
 * Set @n attributes; others stay. -E2BIG when they do not fit; -EOPNOTSUPP for a name whose prefix
 * the filesystem does not know.
 */
static inline int imgfs_set_xattrs(struct imgfs *fs, u32 ino, const struct imgfs_xattr *x, size_t n,
				   struct ybd_error *err)
{
	return fs->ops->set_xattrs(fs, ino, x, n, err);
}

/* Is there such an attribute? 1, 0 or a negative errno. */
static inline int imgfs_has_xattr(struct imgfs *fs, u32 ino, const char *name,
				  struct ybd_error *err)
{
	return fs->ops->has_xattr(fs, ino, name, err);
}

/* Set all attributes of @from but those whose names begin with @but, on @to as well. */
static inline int imgfs_copy_xattrs(struct imgfs *fs, u32 from, u32 to, const char *but,
				    struct ybd_error *err)
{
	return fs->ops->copy_xattrs(fs, from, to, but, err);
}

/* ---- reading ---- */

static inline int imgfs_stat(struct imgfs *fs, u32 ino, struct imgfs_stat *st,
			     struct ybd_error *err)
{
	return fs->ops->stat(fs, ino, st, err);
}

/* All ranges that are no holes, sorted, inside the file's size; *@r is to be freed. */
static inline int imgfs_ranges(struct imgfs *fs, u32 ino, struct imgfs_range **r, size_t *n,
			       struct ybd_error *err)
{
	return fs->ops->ranges(fs, ino, r, n, err);
}

/* Bytes of a range. */
static inline int imgfs_read(struct imgfs *fs, u64 at, void *buf, size_t len, struct ybd_error *err)
{
	return fs->ops->read(fs, at, buf, len, err);
}

/* Hand each attribute to @fn, which returns 0 or a negative errno that ends it. */
static inline int imgfs_each_xattr(struct imgfs *fs, u32 ino, imgfs_xattr_fn fn, void *arg,
				   struct ybd_error *err)
{
	return fs->ops->each_xattr(fs, ino, fn, arg, err);
}

/* ---- regular files ---- */

/*
 * Keep @nr blocks free for files that come later, where data would go next; what there is of
 * metadata may still use them. Their first one, 0: there is not so much room.
 */
static inline u64 imgfs_reserve(struct imgfs *fs, u64 nr)
{
	return fs->ops->reserve(fs, nr);
}

/* A new file of @size bytes, without a name and without data. */
static inline int imgfs_file_begin(struct imgfs *fs, const struct imgfs_attr *a, u64 size,
				   struct ybd_error *err)
{
	return fs->ops->file_begin(fs, a, size, err);
}

/* Its data begin at this block, if that is free; before any data. */
static inline void imgfs_file_place(struct imgfs *fs, u64 blk)
{
	fs->ops->file_place(fs, blk);
}

/*
 * Data at @off; offsets only grow. What is left out is a hole. @more: how many bytes are known to
 * follow without a hole, these included, so that they are kept together.
 */
static inline int imgfs_file_write(struct imgfs *fs, u64 off, const void *buf, size_t len, u64 more,
				   struct ybd_error *err)
{
	return fs->ops->file_write(fs, off, buf, len, more, err);
}

/* The file is complete: give it its first name. */
static inline int imgfs_file_end(struct imgfs *fs, u32 dir, const char *name, size_t len, u32 *ino,
				 struct ybd_error *err)
{
	return fs->ops->file_end(fs, dir, name, len, ino, err);
}

#endif
