/* SPDX-License-Identifier: GPL-2.0-only */
/* EROFS on disk: what of it is used here. All numbers are little-endian. */
#ifndef YBD_EROFS_FORMAT_H
#define YBD_EROFS_FORMAT_H

#include <assert.h>

#include "../types.h"

#define ERO_MAGIC		0xe0f5e1e2u
#define ERO_SUPER_OFFSET	1024u
#define ERO_COMPAT_CHECKSUM	0x1u
#define ERO_COMPAT_MTIME	0x2u	/* times are those of modification */
#define ERO_INCOMPAT_CHUNKED	0x4u
#define ERO_BLOCK_BITS		12u
#define ERO_SLOT		32u	/* what node ids count */

/**
 * struct ero_super - the superblock
 * @magic: ERO_MAGIC
 * @checksum: crc32c of the block from here on, with this field 0
 * @compat: .
 * @block_bits: ERO_BLOCK_BITS
 * @slots: further 16 bytes of superblock
 * @root: node id of the root
 * @inodes: how many
 * @sec: when it was made
 * @nsec: .
 * @blocks: how many; here: where the next layer begins, before it is rounded up
 * @meta: block that node ids count from
 * @xattrs: block of shared xattrs
 * @uuid: .
 * @label: .
 * @incompat: .
 * @rest: compression, devices, long prefixes; 0
 */
struct ero_super {
	u32 magic;
	u32 checksum;
	u32 compat;
	u8 block_bits;
	u8 slots;
	u16 root;
	u64 inodes;
	u64 sec;
	u32 nsec;
	u32 blocks;
	u32 meta;
	u32 xattrs;
	u8 uuid[16];
	u8 label[16];
	u32 incompat;
	u8 rest[44];
} __packed;
static_assert(sizeof(struct ero_super) == 128, "superblock");

/* Layouts of what an inode has, in bits 1 to 3 of its format; bit 0: of 64 bytes. */
#define ERO_FORMAT_LONG		1u
#define ERO_PLAIN		0u	/* blocks that follow each other */
#define ERO_INLINE		2u	/* the last one is behind the inode */
#define ERO_CHUNKS		4u	/* a table behind the inode */

#define ERO_CHUNK_BITS		0x1fu	/* a chunk has 2^(these) blocks */
#define ERO_HOLE		0xffffffffu

/**
 * struct ero_inode_disk - an inode; xattrs follow, then the inline tail or the table of chunks
 * @format: .
 * @xattr_units: of 4 bytes, the first one being the header as a whole; 0: no xattrs
 * @mode: .
 * @pad: .
 * @size: .
 * @at: block, device number, or what chunks are
 * @ino: only what 32 bit programs see
 * @uid: .
 * @gid: .
 * @sec: .
 * @nsec: .
 * @links: .
 * @pad2: .
 */
struct ero_inode_disk {
	u16 format;
	u16 xattr_units;
	u16 mode;
	u16 pad;
	u64 size;
	u32 at;
	u32 ino;
	u32 uid;
	u32 gid;
	u64 sec;
	u32 nsec;
	u32 links;
	u8 pad2[16];
} __packed;
static_assert(sizeof(struct ero_inode_disk) == 64, "inode");

#define ERO_XATTR_HEAD		12u	/* all 0: none is shared, no filter */

/**
 * struct ero_xattr_disk - an xattr; its name behind the prefix and its value follow, to 4 bytes
 * @name_len: .
 * @prefix: .
 * @value_len: .
 */
struct ero_xattr_disk {
	u8 name_len;
	u8 prefix;
	u16 value_len;
} __packed;

/**
 * struct ero_dirent - a name of a directory's block
 * @nid: what it names
 * @name: where its bytes begin in the block; they end where the next one's begin
 * @type: .
 * @pad: .
 */
struct ero_dirent {
	u64 nid;
	u16 name;
	u8 type;
	u8 pad;
} __packed;
static_assert(sizeof(struct ero_dirent) == 12, "name");

#endif
