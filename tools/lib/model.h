/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel module knows, as plain data. Field by field these are the
 * attributes of Documentation/netlink/specs/ybd.yaml, which says what they
 * mean; here is only what differs.
 */
#ifndef YBD_LIB_MODEL_H
#define YBD_LIB_MODEL_H

#include <linux/ybd.h>

#include "types.h"

#define YBD_UUID_LEN		16
#define YBD_IDENTITY_LEN	32
#define YBD_DISK_LEN		31
#define YBD_POOL_NAME_LEN	63

struct ybd_info {
	u32 abi;
	char version[64];
	u32 devices;
	u32 images;
};

struct ybd_source_info {
	u32 id;
	char name[YBD_SOURCE_NAME_LEN + 1];
	char disk[YBD_DISK_LEN + 1];
	u32 major;
	u32 minor;
	u64 size;
	u32 logical_block_size;
	u32 images;
	u32 swaps;
	u32 parked;
};

/**
 * struct ybd_image_info - an image in the kernel
 * @sources: @nr_sources of them; freed by ybd_image_info_free()
 */
struct ybd_image_info {
	u32 id;
	char name[YBD_IMAGE_NAME_LEN + 1];
	u8 uuid[YBD_UUID_LEN];
	u64 size;
	u32 logical_block_size;
	u32 layers;
	u8 identity[YBD_IDENTITY_LEN];
	u32 extents;
	u32 map_kind;
	u64 map_bytes;
	u64 mapped_bytes;
	u32 devices;
	u32 flags;
	struct ybd_source_info *sources;
	size_t nr_sources;
};

struct ybd_stats {
	u64 image_reads;
	u64 hole_reads;
	u64 upper_reads;
	u64 splits;
	u64 bounces;
	u64 first_writes;
	u64 copy_ups;
	u64 overwrites;
	u64 zeroed;
	u64 freed;
	u64 no_space;
	u64 no_memory;
	u64 would_block;
	u64 upper_used;
	u64 upper_limit;
	u64 upper_mapped;
	u64 upper_allocated;
	u64 map_bytes;
	u64 map_extents;
	u64 log_blocks;
	u64 commits;
	u64 checkpoints;
};

struct ybd_device_info {
	u32 id;
	char name[YBD_NAME_LEN + 1];
	char disk[YBD_DISK_LEN + 1];
	u32 major;
	u32 minor;
	u32 image_id;
	char image_name[YBD_IMAGE_NAME_LEN + 1];
	u32 upper;
	u64 upper_limit;
	u64 size;
	u32 logical_block_size;
	u32 state;
	u32 openers;
	u32 pool_id;
	char pool_name[YBD_POOL_NAME_LEN + 1];
	u8 upper_uuid[YBD_UUID_LEN];
	u32 upper_flags;
	u64 quota;
	u64 reserve;
	u32 quota_level;
	u32 replug_timeout;
	struct ybd_stats stats;
};

struct ybd_pool_info {
	u32 id;
	u8 uuid[YBD_UUID_LEN];
	char name[YBD_POOL_NAME_LEN + 1];
	char disk[YBD_DISK_LEN + 1];
	u32 major;
	u32 minor;
	u64 size;
	u64 segment_size;
	u32 logical_block_size;
	u32 segments;
	u32 free_segments;
	u32 metadata_segments;
	u32 users;
	u64 commits;
	u64 flushes;
	u64 flushes_merged;
	u32 level;
	char failure[128];
	u64 promised;
};

/**
 * struct ybd_source_req - a source of an image that is to be loaded
 * @fd: the block device, open for reading; the caller's
 * @name: its identity
 */
struct ybd_source_req {
	int fd;
	const char *name;
};

/**
 * struct ybd_image_req - an image that is to be loaded
 * @map_fd: file of @extents records of struct ybd_map_extent; the caller's
 */
struct ybd_image_req {
	const char *name;
	u8 uuid[YBD_UUID_LEN];
	u64 size;
	u32 logical_block_size;
	u32 layers;
	u8 identity[YBD_IDENTITY_LEN];
	int map_fd;
	u32 extents;
	u32 flags;
	const struct ybd_source_req *sources;
	size_t nr_sources;
};

/**
 * struct ybd_device_req - a device that is to be made
 * @image_name: used when it is not NULL, else @image_id
 * @upper_limit: 0 with an upper of kind none
 * @size: 0 for the image's
 * @logical_block_size: 0 for the image's
 * @cgroup_fd: -1 for none
 * @pool_fd: of an upper in a pool: the device, open for reading and writing
 * @upper_flags: of such an upper
 * @quota: of such an upper; 0 for as much as the device has
 * @reserve: of such an upper
 * @layers_fd: of a persistent one: file with the list of layers; else -1
 * @replug_timeout: milliseconds, or 0
 */
struct ybd_device_req {
	const char *name;
	const char *image_name;
	u32 image_id;
	u32 upper;
	u64 upper_limit;
	u64 size;
	u32 logical_block_size;
	int cgroup_fd;
	int pool_fd;
	u32 upper_flags;
	u64 quota;
	u64 reserve;
	int layers_fd;
	u32 replug_timeout;
};

enum ybd_event_kind {
	YBD_EVENT_DEVICE_CREATED,
	YBD_EVENT_DEVICE_DETACHED,
	YBD_EVENT_DEVICE_CHANGED,
	YBD_EVENT_DEVICE_QUOTA,
	YBD_EVENT_IMAGE_LOADED,
	YBD_EVENT_IMAGE_UNLOADED,
	YBD_EVENT_POOL_LEVEL,
	YBD_EVENT_POOL_FAILED,
	YBD_EVENT_SOURCE_SWAPPED,
	YBD_EVENT_LOST,
};

/**
 * struct ybd_event - something that happened
 * @kind: what; YBD_EVENT_LOST says that events were dropped before this
 * @device: of a device event
 * @image: of an image event; to be freed
 * @pool: of a pool event
 * @source: of a source event
 */
struct ybd_event {
	enum ybd_event_kind kind;
	struct ybd_device_info device;
	struct ybd_image_info image;
	struct ybd_pool_info pool;
	struct ybd_source_info source;
};

#endif
