/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ext4 filesystems written without mounting them, for images; see ../imgfs.h. Nothing is left for
 * the kernel to do at the first mount. libext2fs does the work below directories; directories are
 * kept in memory and written as a whole, with an index where they have more than one block.
 */
#ifndef YBD_EXT4_EXTFS_H
#define YBD_EXT4_EXTFS_H

#include "../imgfs.h"

#define EXTFS_INODE	256u

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
 * extfs_open() - a filesystem that is there
 * @b: what it is in; has to stay
 * @out: end with imgfs_finish() or imgfs_abort()
 * @err: why not
 */
int extfs_open(struct bytestore *b, struct imgfs **out, struct ybd_error *err);

/*
 * One that is only read, until imgfs_abort(), whoever has made it: imgfs_lookup(), imgfs_next(),
 * imgfs_readlink() and what is in section "reading". -EOPNOTSUPP for one that cannot be read.
 */
int extfs_look(struct bytestore *b, struct imgfs **out, struct ybd_error *err);

/* A new one with nothing but a root directory of mode 0755, of all of @b. */
int extfs_make(struct bytestore *b, const struct extfs_opts *o, struct imgfs **out,
	       struct ybd_error *err);

#endif
