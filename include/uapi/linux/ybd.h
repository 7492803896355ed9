/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/ybd.yaml */
/* YNL-GEN uapi header */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#ifndef _UAPI_LINUX_YBD_H
#define _UAPI_LINUX_YBD_H

#define YBD_GENL_NAME		"ybd"
#define YBD_GENL_VERSION	1

#define YBD_ABI_VERSION		1
#define YBD_NAME_LEN		63
#define YBD_IMAGE_NAME_LEN	127
#define YBD_SOURCE_NAME_LEN	127
#define YBD_MAX_SOURCES		255
#define YBD_MAX_EXTENTS		16777216
#define YBD_REPLUG_MAX		86400000

/**
 * enum ybd_upper_kind - Where the writes of a device go.
 * @YBD_UPPER_KIND_NONE: Nowhere, the device is read-only.
 * @YBD_UPPER_KIND_RAM: Kernel memory, gone with the device.
 * @YBD_UPPER_KIND_POOL: A pool on a local block device.
 */
enum ybd_upper_kind {
	YBD_UPPER_KIND_NONE,
	YBD_UPPER_KIND_RAM,
	YBD_UPPER_KIND_POOL,
};

/**
 * enum ybd_map_kind - How the kernel indexes an image.
 * @YBD_MAP_KIND_TABLE: One entry per cluster.
 * @YBD_MAP_KIND_EXTENTS: Sorted extents behind a bucket index.
 */
enum ybd_map_kind {
	YBD_MAP_KIND_TABLE,
	YBD_MAP_KIND_EXTENTS,
};

/**
 * enum ybd_device_state - Life of a device.
 * @YBD_DEVICE_STATE_LIVE: Takes I/O.
 * @YBD_DEVICE_STATE_DETACHED: Detached by force, waiting for its last opener
 *   to close it; or being detached or, for a moment, resized.
 */
enum ybd_device_state {
	YBD_DEVICE_STATE_LIVE,
	YBD_DEVICE_STATE_DETACHED,
};

/**
 * enum ybd_image_flags
 * @YBD_IMAGE_FLAGS_READ_ONLY: Devices of the image take no upper: something
 *   else may write to the storage, so that nothing lasting should be built on
 *   it.
 */
enum ybd_image_flags {
	YBD_IMAGE_FLAGS_READ_ONLY = 1,
};

/**
 * enum ybd_detach_flags
 * @YBD_DETACH_FLAGS_FORCE: Detach an open device: new I/O fails at once, the
 *   answer comes when all I/O below has drained or after 30 seconds
 *   (EINPROGRESS, and it goes on by itself), the name goes with the last
 *   close.
 * @YBD_DETACH_FLAGS_DESTROY: The upper goes with the device, also one that is
 *   kept in a pool. Volatile and RAM uppers go anyway.
 */
enum ybd_detach_flags {
	YBD_DETACH_FLAGS_FORCE = 1,
	YBD_DETACH_FLAGS_DESTROY = 2,
};

/**
 * enum ybd_upper_flags - What an upper in a pool is.
 * @YBD_UPPER_FLAGS_VOLATILE: What is written is gone after a detach or a
 *   crash. Nothing on the pool says that the upper exists, and flushes cost
 *   nothing.
 * @YBD_UPPER_FLAGS_AUTOSTART: To be attached when the host starts. Told back,
 *   not used: it is user space that does so.
 */
enum ybd_upper_flags {
	YBD_UPPER_FLAGS_VOLATILE = 1,
	YBD_UPPER_FLAGS_AUTOSTART = 2,
};

enum {
	YBD_A_INFO_ABI = 1,
	YBD_A_INFO_VERSION,
	YBD_A_INFO_DEVICES,
	YBD_A_INFO_IMAGES,

	__YBD_A_INFO_MAX
};
#define YBD_A_INFO_MAX (__YBD_A_INFO_MAX - 1)

enum {
	YBD_A_SOURCE_FD = 1,
	YBD_A_SOURCE_NAME,
	YBD_A_SOURCE_ID,
	YBD_A_SOURCE_DISK,
	YBD_A_SOURCE_MAJOR,
	YBD_A_SOURCE_MINOR,
	YBD_A_SOURCE_SIZE,
	YBD_A_SOURCE_LOGICAL_BLOCK_SIZE,
	YBD_A_SOURCE_IMAGES,
	YBD_A_SOURCE_SWAPS,
	YBD_A_SOURCE_PARKED,

	__YBD_A_SOURCE_MAX
};
#define YBD_A_SOURCE_MAX (__YBD_A_SOURCE_MAX - 1)

enum {
	YBD_A_SOURCES_SOURCE = 1,

	__YBD_A_SOURCES_MAX
};
#define YBD_A_SOURCES_MAX (__YBD_A_SOURCES_MAX - 1)

enum {
	YBD_A_IMAGE_ID = 1,
	YBD_A_IMAGE_NAME,
	YBD_A_IMAGE_UUID,
	YBD_A_IMAGE_SIZE,
	YBD_A_IMAGE_LOGICAL_BLOCK_SIZE,
	YBD_A_IMAGE_LAYERS,
	YBD_A_IMAGE_IDENTITY,
	YBD_A_IMAGE_MAP_FD,
	YBD_A_IMAGE_EXTENT_COUNT,
	YBD_A_IMAGE_SOURCE,
	YBD_A_IMAGE_MAP_KIND,
	YBD_A_IMAGE_MAP_BYTES,
	YBD_A_IMAGE_MAPPED_BYTES,
	YBD_A_IMAGE_DEVICES,
	YBD_A_IMAGE_FLAGS,

	__YBD_A_IMAGE_MAX
};
#define YBD_A_IMAGE_MAX (__YBD_A_IMAGE_MAX - 1)

enum {
	YBD_A_STATS_PAD = 1,
	YBD_A_STATS_IMAGE_READS,
	YBD_A_STATS_HOLE_READS,
	YBD_A_STATS_UPPER_READS,
	YBD_A_STATS_SPLITS,
	YBD_A_STATS_BOUNCES,
	YBD_A_STATS_FIRST_WRITES,
	YBD_A_STATS_COPY_UPS,
	YBD_A_STATS_OVERWRITES,
	YBD_A_STATS_ZEROED,
	YBD_A_STATS_FREED,
	YBD_A_STATS_NO_SPACE,
	YBD_A_STATS_NO_MEMORY,
	YBD_A_STATS_WOULD_BLOCK,
	YBD_A_STATS_UPPER_USED,
	YBD_A_STATS_UPPER_LIMIT,
	YBD_A_STATS_UPPER_MAPPED,
	YBD_A_STATS_UPPER_ALLOCATED,
	YBD_A_STATS_MAP_BYTES,
	YBD_A_STATS_MAP_EXTENTS,
	YBD_A_STATS_LOG_BLOCKS,
	YBD_A_STATS_COMMITS,
	YBD_A_STATS_CHECKPOINTS,

	__YBD_A_STATS_MAX
};
#define YBD_A_STATS_MAX (__YBD_A_STATS_MAX - 1)

enum {
	YBD_A_DEVICE_ID = 1,
	YBD_A_DEVICE_NAME,
	YBD_A_DEVICE_DISK,
	YBD_A_DEVICE_MAJOR,
	YBD_A_DEVICE_MINOR,
	YBD_A_DEVICE_IMAGE_ID,
	YBD_A_DEVICE_IMAGE_NAME,
	YBD_A_DEVICE_UPPER,
	YBD_A_DEVICE_UPPER_LIMIT,
	YBD_A_DEVICE_SIZE,
	YBD_A_DEVICE_LOGICAL_BLOCK_SIZE,
	YBD_A_DEVICE_CGROUP_FD,
	YBD_A_DEVICE_STATE,
	YBD_A_DEVICE_OPENERS,
	YBD_A_DEVICE_DETACH_FLAGS,
	YBD_A_DEVICE_STATS,
	YBD_A_DEVICE_POOL_FD,
	YBD_A_DEVICE_POOL_ID,
	YBD_A_DEVICE_POOL_NAME,
	YBD_A_DEVICE_UPPER_UUID,
	YBD_A_DEVICE_UPPER_FLAGS,
	YBD_A_DEVICE_QUOTA,
	YBD_A_DEVICE_RESERVE,
	YBD_A_DEVICE_LAYERS_FD,
	YBD_A_DEVICE_QUOTA_LEVEL,
	YBD_A_DEVICE_REPLUG_TIMEOUT,

	__YBD_A_DEVICE_MAX
};
#define YBD_A_DEVICE_MAX (__YBD_A_DEVICE_MAX - 1)

enum {
	YBD_A_POOL_ID = 1,
	YBD_A_POOL_UUID,
	YBD_A_POOL_NAME,
	YBD_A_POOL_DISK,
	YBD_A_POOL_MAJOR,
	YBD_A_POOL_MINOR,
	YBD_A_POOL_SIZE,
	YBD_A_POOL_SEGMENT_SIZE,
	YBD_A_POOL_LOGICAL_BLOCK_SIZE,
	YBD_A_POOL_SEGMENTS,
	YBD_A_POOL_FREE_SEGMENTS,
	YBD_A_POOL_METADATA_SEGMENTS,
	YBD_A_POOL_USERS,
	YBD_A_POOL_COMMITS,
	YBD_A_POOL_FLUSHES,
	YBD_A_POOL_FLUSHES_MERGED,
	YBD_A_POOL_LEVEL,
	YBD_A_POOL_FAILURE,
	YBD_A_POOL_PROMISED,

	__YBD_A_POOL_MAX
};
#define YBD_A_POOL_MAX (__YBD_A_POOL_MAX - 1)

enum {
	YBD_CMD_INFO_GET = 1,
	YBD_CMD_SOURCE_GET,
	YBD_CMD_IMAGE_LOAD,
	YBD_CMD_IMAGE_UNLOAD,
	YBD_CMD_IMAGE_GET,
	YBD_CMD_DEVICE_CREATE,
	YBD_CMD_DEVICE_DETACH,
	YBD_CMD_DEVICE_GET,
	YBD_CMD_DEVICE_CREATED_NTF,
	YBD_CMD_DEVICE_DETACHED_NTF,
	YBD_CMD_IMAGE_LOADED_NTF,
	YBD_CMD_IMAGE_UNLOADED_NTF,
	YBD_CMD_DEVICE_ATTACH,
	YBD_CMD_DEVICE_RESIZE,
	YBD_CMD_UPPER_DESTROY,
	YBD_CMD_POOL_GET,
	YBD_CMD_DEVICE_CHANGED_NTF,
	YBD_CMD_DEVICE_QUOTA_NTF,
	YBD_CMD_POOL_LEVEL_NTF,
	YBD_CMD_DEVICE_SET,
	YBD_CMD_SOURCE_SWAP,
	YBD_CMD_SOURCE_SWAPPED_NTF,
	YBD_CMD_POOL_FAILED_NTF,

	__YBD_CMD_MAX
};
#define YBD_CMD_MAX (__YBD_CMD_MAX - 1)

#define YBD_MCGRP_EVENTS	"events"

#endif /* _UAPI_LINUX_YBD_H */
