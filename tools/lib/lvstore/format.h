/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SPDK blobstore as it lies on the device. Everything is little-endian and packed; the section
 * numbers are those of Documentation/lvstore.rst.
 */
#ifndef YBD_LVSTORE_FORMAT_H
#define YBD_LVSTORE_FORMAT_H

#include "../types.h"

#define LVS_DISK_PAGE		4096u	/* bytes of a page that carry structure */
#define LVS_DISK_CRC_LEN	4092u	/* bytes that a page's crc covers */

#define LVS_SIGNATURE		"SPDKBLOB"
#define LVS_BSTYPE		"LVOLSTORE\0\0\0\0\0\0"
#define LVS_VERSION_MIN		1u
#define LVS_VERSION_MAX		3u
#define LVS_CLUSTER_MIN		4096u
#define LVS_MD_PAGE_MAX		65536u

/* Super block: section 2. */
struct lvs_disk_super {
	__u8 signature[8];
	__le32 version;
	__le32 length;
	__le32 clean;
	__le64 super_blob;
	__le32 cluster_size;
	__le32 used_page_mask_start;
	__le32 used_page_mask_len;
	__le32 used_cluster_mask_start;
	__le32 used_cluster_mask_len;
	__le32 md_start;
	__le32 md_len;
	__u8 bstype[16];
	__le32 used_blobid_mask_start;
	__le32 used_blobid_mask_len;
	__le64 size;
	__le32 io_unit_size;
	__le32 md_page_size;
	__u8 reserved[3996];
	__le32 crc;
} __packed;

static_assert(sizeof(struct lvs_disk_super) == LVS_DISK_PAGE, "super block size");
static_assert(offsetof(struct lvs_disk_super, super_blob) == 20, "super_blob");
static_assert(offsetof(struct lvs_disk_super, bstype) == 56, "bstype");
static_assert(offsetof(struct lvs_disk_super, size) == 80, "size");
static_assert(offsetof(struct lvs_disk_super, crc) == LVS_DISK_CRC_LEN, "super crc");

/* Head of a used-page, used-cluster or used-blobid mask; the bits follow: section 3. */
struct lvs_disk_mask {
	__u8 type;
	__le32 length;		/* in bits */
} __packed;

static_assert(sizeof(struct lvs_disk_mask) == 5, "mask head size");

enum lvs_disk_mask_type {
	LVS_MASK_PAGES = 0,
	LVS_MASK_CLUSTERS = 1,
	LVS_MASK_BLOBIDS = 2,
};

/* Metadata page: section 4. */
#define LVS_DISK_DESC_LEN	4072u
#define LVS_NO_NEXT		0xffffffffu

struct lvs_disk_page {
	__le64 id;
	__le32 seq;
	__le32 reserved;
	__u8 desc[LVS_DISK_DESC_LEN];
	__le32 next;
	__le32 crc;
} __packed;

static_assert(sizeof(struct lvs_disk_page) == LVS_DISK_PAGE, "md page size");
static_assert(offsetof(struct lvs_disk_page, desc) == 16, "descriptors");
static_assert(offsetof(struct lvs_disk_page, next) == 4088, "next");

/* Blob id of the blob whose root is md page p: bit 32 and the page. */
#define LVS_BLOB_ID(p)		(1ULL << 32 | (p))
#define LVS_NO_BLOB		(~0ULL)

struct lvs_disk_desc {
	__u8 type;
	__le32 length;		/* of the payload */
} __packed;

static_assert(sizeof(struct lvs_disk_desc) == 5, "descriptor head size");

enum lvs_disk_desc_type {
	LVS_DESC_PADDING = 0,
	LVS_DESC_EXTENT_RLE = 1,
	LVS_DESC_XATTR = 2,
	LVS_DESC_FLAGS = 3,
	LVS_DESC_XATTR_INTERNAL = 4,
	LVS_DESC_EXTENT_TABLE = 5,
	LVS_DESC_EXTENT_PAGE = 6,
};

struct lvs_disk_flags {
	__le64 invalid;
	__le64 data_ro;
	__le64 md_ro;
} __packed;

static_assert(sizeof(struct lvs_disk_flags) == 24, "flags size");

#define LVS_INVALID_THIN	BIT(0)
#define LVS_INVALID_XATTR	BIT(1)
#define LVS_INVALID_TABLE	BIT(2)
#define LVS_INVALID_ESNAP	BIT(3)
#define LVS_INVALID_KNOWN	0xfu
#define LVS_DATA_RO_READ_ONLY	BIT(0)
#define LVS_DATA_RO_KNOWN	0x1u
#define LVS_MD_RO_KNOWN		0x3u

/* Head of an xattr's payload; the name (no NUL) and the value follow. */
struct lvs_disk_xattr {
	__le16 name_len;
	__le16 value_len;
} __packed;

static_assert(sizeof(struct lvs_disk_xattr) == 4, "xattr head size");

#define LVS_EXTENTS_PER_PAGE	512u	/* clusters of one extent page: fixed */
#define LVS_NAME_MAX		64u	/* with NUL */
#define LVS_UUID_LEN		37u	/* text with NUL */

#define LVS_XATTR_SNAP		"SNAP"
#define LVS_XATTR_ESNAP		"EXTSNAP"
#define LVS_XATTR_SNAP_CREATE	"SNAPTMP"
#define LVS_XATTR_SNAP_REMOVE	"SNAPRM"

#endif
