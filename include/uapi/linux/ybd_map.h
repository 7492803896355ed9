/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/*
 * The extent map that YBD_CMD_IMAGE_LOAD takes by descriptor: an array of
 * these records and nothing else, in the byte order of the machine.
 */
#ifndef _UAPI_LINUX_YBD_MAP_H
#define _UAPI_LINUX_YBD_MAP_H

#include <linux/types.h>

/**
 * struct ybd_map_extent - one run of an image's blocks
 * @start: first byte of the run in the image, a multiple of 512
 * @phys: first byte of the run on the source, a multiple of 512
 * @len: length in bytes, a multiple of 512, not 0
 * @source: index of the source in the request
 * @reserved: 0
 *
 * Records are sorted by @start and do not overlap. What no record covers
 * reads as zeroes.
 */
struct ybd_map_extent {
	__u64 start;
	__u64 phys;
	__u64 len;
	__u32 source;
	__u32 reserved;
};

#endif /* _UAPI_LINUX_YBD_MAP_H */
