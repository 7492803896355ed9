// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/ybd.yaml */
/* YNL-GEN kernel source */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "nl_gen.h"

#include <uapi/linux/ybd.h>

/* Common nested types */
const struct nla_policy ybd_source_nl_policy[YBD_A_SOURCE_PARKED + 1] = {
	[YBD_A_SOURCE_FD] = NLA_POLICY_MIN(NLA_S32, 0),
	[YBD_A_SOURCE_NAME] = { .type = NLA_NUL_STRING, .len = YBD_SOURCE_NAME_LEN, },
	[YBD_A_SOURCE_ID] = { .type = NLA_U32, },
	[YBD_A_SOURCE_DISK] = { .type = NLA_NUL_STRING, },
	[YBD_A_SOURCE_MAJOR] = { .type = NLA_U32, },
	[YBD_A_SOURCE_MINOR] = { .type = NLA_U32, },
	[YBD_A_SOURCE_SIZE] = { .type = NLA_U64, },
	[YBD_A_SOURCE_LOGICAL_BLOCK_SIZE] = { .type = NLA_U32, },
	[YBD_A_SOURCE_IMAGES] = { .type = NLA_U32, },
	[YBD_A_SOURCE_SWAPS] = { .type = NLA_U32, },
	[YBD_A_SOURCE_PARKED] = { .type = NLA_U32, },
};

/* YBD_CMD_INFO_GET - do */
const struct nla_policy ybd_info_get_nl_policy[YBD_A_INFO_ABI + 1] = {
	[YBD_A_INFO_ABI] = { .type = NLA_U32, },
};

/* YBD_CMD_SOURCE_GET - do */
const struct nla_policy ybd_source_get_nl_policy[YBD_A_SOURCES_SOURCE + 1] = {
	[YBD_A_SOURCES_SOURCE] = NLA_POLICY_NESTED(ybd_source_nl_policy),
};

/* YBD_CMD_IMAGE_LOAD - do */
const struct nla_policy ybd_image_load_nl_policy[YBD_A_IMAGE_FLAGS + 1] = {
	[YBD_A_IMAGE_NAME] = { .type = NLA_NUL_STRING, .len = YBD_IMAGE_NAME_LEN, },
	[YBD_A_IMAGE_UUID] = NLA_POLICY_EXACT_LEN(16),
	[YBD_A_IMAGE_SIZE] = { .type = NLA_U64, },
	[YBD_A_IMAGE_LOGICAL_BLOCK_SIZE] = { .type = NLA_U32, },
	[YBD_A_IMAGE_LAYERS] = { .type = NLA_U32, },
	[YBD_A_IMAGE_IDENTITY] = NLA_POLICY_EXACT_LEN(32),
	[YBD_A_IMAGE_MAP_FD] = NLA_POLICY_MIN(NLA_S32, 0),
	[YBD_A_IMAGE_EXTENT_COUNT] = { .type = NLA_U32, },
	[YBD_A_IMAGE_SOURCE] = NLA_POLICY_NESTED(ybd_source_nl_policy),
	[YBD_A_IMAGE_FLAGS] = NLA_POLICY_MASK(NLA_U32, 0x1),
};

/* YBD_CMD_IMAGE_UNLOAD - do */
const struct nla_policy ybd_image_unload_nl_policy[YBD_A_IMAGE_NAME + 1] = {
	[YBD_A_IMAGE_ID] = { .type = NLA_U32, },
	[YBD_A_IMAGE_NAME] = { .type = NLA_NUL_STRING, .len = YBD_IMAGE_NAME_LEN, },
};

/* YBD_CMD_IMAGE_GET - do */
const struct nla_policy ybd_image_get_nl_policy[YBD_A_IMAGE_NAME + 1] = {
	[YBD_A_IMAGE_ID] = { .type = NLA_U32, },
	[YBD_A_IMAGE_NAME] = { .type = NLA_NUL_STRING, .len = YBD_IMAGE_NAME_LEN, },
};

/* YBD_CMD_DEVICE_CREATE - do */
const struct nla_policy ybd_device_create_nl_policy[YBD_A_DEVICE_REPLUG_TIMEOUT + 1] = {
	[YBD_A_DEVICE_NAME] = { .type = NLA_NUL_STRING, .len = YBD_NAME_LEN, },
	[YBD_A_DEVICE_IMAGE_ID] = { .type = NLA_U32, },
	[YBD_A_DEVICE_IMAGE_NAME] = { .type = NLA_NUL_STRING, .len = YBD_IMAGE_NAME_LEN, },
	[YBD_A_DEVICE_UPPER] = NLA_POLICY_MAX(NLA_U32, 2),
	[YBD_A_DEVICE_UPPER_LIMIT] = { .type = NLA_U64, },
	[YBD_A_DEVICE_SIZE] = { .type = NLA_U64, },
	[YBD_A_DEVICE_LOGICAL_BLOCK_SIZE] = { .type = NLA_U32, },
	[YBD_A_DEVICE_CGROUP_FD] = NLA_POLICY_MIN(NLA_S32, 0),
	[YBD_A_DEVICE_POOL_FD] = NLA_POLICY_MIN(NLA_S32, 0),
	[YBD_A_DEVICE_UPPER_FLAGS] = NLA_POLICY_MASK(NLA_U32, 0x3),
	[YBD_A_DEVICE_QUOTA] = { .type = NLA_U64, },
	[YBD_A_DEVICE_RESERVE] = { .type = NLA_U64, },
	[YBD_A_DEVICE_LAYERS_FD] = NLA_POLICY_MIN(NLA_S32, 0),
	[YBD_A_DEVICE_REPLUG_TIMEOUT] = { .type = NLA_U32, },
};

/* YBD_CMD_DEVICE_DETACH - do */
const struct nla_policy ybd_device_detach_nl_policy[YBD_A_DEVICE_DETACH_FLAGS + 1] = {
	[YBD_A_DEVICE_ID] = { .type = NLA_U32, },
	[YBD_A_DEVICE_NAME] = { .type = NLA_NUL_STRING, .len = YBD_NAME_LEN, },
	[YBD_A_DEVICE_DETACH_FLAGS] = NLA_POLICY_MASK(NLA_U32, 0x3),
};

/* YBD_CMD_DEVICE_GET - do */
const struct nla_policy ybd_device_get_nl_policy[YBD_A_DEVICE_NAME + 1] = {
	[YBD_A_DEVICE_ID] = { .type = NLA_U32, },
	[YBD_A_DEVICE_NAME] = { .type = NLA_NUL_STRING, .len = YBD_NAME_LEN, },
};

/* YBD_CMD_DEVICE_ATTACH - do */
const struct nla_policy ybd_device_attach_nl_policy[YBD_A_DEVICE_REPLUG_TIMEOUT + 1] = {
	[YBD_A_DEVICE_POOL_FD] = NLA_POLICY_MIN(NLA_S32, 0),
	[YBD_A_DEVICE_UPPER_UUID] = NLA_POLICY_EXACT_LEN(16),
	[YBD_A_DEVICE_IMAGE_ID] = { .type = NLA_U32, },
	[YBD_A_DEVICE_IMAGE_NAME] = { .type = NLA_NUL_STRING, .len = YBD_IMAGE_NAME_LEN, },
	[YBD_A_DEVICE_REPLUG_TIMEOUT] = { .type = NLA_U32, },
};

/* YBD_CMD_DEVICE_RESIZE - do */
const struct nla_policy ybd_device_resize_nl_policy[YBD_A_DEVICE_SIZE + 1] = {
	[YBD_A_DEVICE_ID] = { .type = NLA_U32, },
	[YBD_A_DEVICE_NAME] = { .type = NLA_NUL_STRING, .len = YBD_NAME_LEN, },
	[YBD_A_DEVICE_SIZE] = { .type = NLA_U64, },
};

/* YBD_CMD_UPPER_DESTROY - do */
const struct nla_policy ybd_upper_destroy_nl_policy[YBD_A_DEVICE_UPPER_UUID + 1] = {
	[YBD_A_DEVICE_POOL_FD] = NLA_POLICY_MIN(NLA_S32, 0),
	[YBD_A_DEVICE_UPPER_UUID] = NLA_POLICY_EXACT_LEN(16),
};

/* YBD_CMD_POOL_GET - do */
const struct nla_policy ybd_pool_get_nl_policy[YBD_A_POOL_UUID + 1] = {
	[YBD_A_POOL_ID] = { .type = NLA_U32, },
	[YBD_A_POOL_UUID] = NLA_POLICY_EXACT_LEN(16),
};

/* YBD_CMD_DEVICE_SET - do */
const struct nla_policy ybd_device_set_nl_policy[YBD_A_DEVICE_REPLUG_TIMEOUT + 1] = {
	[YBD_A_DEVICE_ID] = { .type = NLA_U32, },
	[YBD_A_DEVICE_NAME] = { .type = NLA_NUL_STRING, .len = YBD_NAME_LEN, },
	[YBD_A_DEVICE_REPLUG_TIMEOUT] = { .type = NLA_U32, },
};

/* YBD_CMD_SOURCE_SWAP - do */
const struct nla_policy ybd_source_swap_nl_policy[YBD_A_SOURCES_SOURCE + 1] = {
	[YBD_A_SOURCES_SOURCE] = NLA_POLICY_NESTED(ybd_source_nl_policy),
};

/* Ops table for ybd */
const struct genl_ops ybd_nl_ops[14] = {
	{
		.cmd		= YBD_CMD_INFO_GET,
		.doit		= ybd_nl_info_get_doit,
		.policy		= ybd_info_get_nl_policy,
		.maxattr	= YBD_A_INFO_ABI,
		.flags		= GENL_ADMIN_PERM,
	},
	{
		.cmd		= YBD_CMD_SOURCE_GET,
		.doit		= ybd_nl_source_get_doit,
		.dumpit		= ybd_nl_source_get_dumpit,
		.policy		= ybd_source_get_nl_policy,
		.maxattr	= YBD_A_SOURCES_SOURCE,
		.flags		= GENL_ADMIN_PERM,
	},
	{
		.cmd		= YBD_CMD_IMAGE_LOAD,
		.doit		= ybd_nl_image_load_doit,
		.policy		= ybd_image_load_nl_policy,
		.maxattr	= YBD_A_IMAGE_FLAGS,
		.flags		= GENL_ADMIN_PERM,
	},
	{
		.cmd		= YBD_CMD_IMAGE_UNLOAD,
		.doit		= ybd_nl_image_unload_doit,
		.policy		= ybd_image_unload_nl_policy,
		.maxattr	= YBD_A_IMAGE_NAME,
		.flags		= GENL_ADMIN_PERM,
	},
	{
		.cmd		= YBD_CMD_IMAGE_GET,
		.doit		= ybd_nl_image_get_doit,
		.dumpit		= ybd_nl_image_get_dumpit,
		.policy		= ybd_image_get_nl_policy,
		.maxattr	= YBD_A_IMAGE_NAME,
		.flags		= GENL_ADMIN_PERM,
	},
	{
		.cmd		= YBD_CMD_DEVICE_CREATE,
		.doit		= ybd_nl_device_create_doit,
		.policy		= ybd_device_create_nl_policy,
		.maxattr	= YBD_A_DEVICE_REPLUG_TIMEOUT,
		.flags		= GENL_ADMIN_PERM,
	},
	{
		.cmd		= YBD_CMD_DEVICE_DETACH,
		.doit		= ybd_nl_device_detach_doit,
		.policy		= ybd_device_detach_nl_policy,
		.maxattr	= YBD_A_DEVICE_DETACH_FLAGS,
		.flags		= GENL_ADMIN_PERM,
	},
	{
		.cmd		= YBD_CMD_DEVICE_GET,
		.doit		= ybd_nl_device_get_doit,
		.dumpit		= ybd_nl_device_get_dumpit,
		.policy		= ybd_device_get_nl_policy,
		.maxattr	= YBD_A_DEVICE_NAME,
		.flags		= GENL_ADMIN_PERM,
	},
	{
		.cmd		= YBD_CMD_DEVICE_ATTACH,
		.doit		= ybd_nl_device_attach_doit,
		.policy		= ybd_device_attach_nl_policy,
		.maxattr	= YBD_A_DEVICE_REPLUG_TIMEOUT,
		.flags		= GENL_ADMIN_PERM,
	},
	{
		.cmd		= YBD_CMD_DEVICE_RESIZE,
		.doit		= ybd_nl_device_resize_doit,
		.policy		= ybd_device_resize_nl_policy,
		.maxattr	= YBD_A_DEVICE_SIZE,
		.flags		= GENL_ADMIN_PERM,
	},
	{
		.cmd		= YBD_CMD_UPPER_DESTROY,
		.doit		= ybd_nl_upper_destroy_doit,
		.policy		= ybd_upper_destroy_nl_policy,
		.maxattr	= YBD_A_DEVICE_UPPER_UUID,
		.flags		= GENL_ADMIN_PERM,
	},
	{
		.cmd		= YBD_CMD_POOL_GET,
		.doit		= ybd_nl_pool_get_doit,
		.dumpit		= ybd_nl_pool_get_dumpit,
		.policy		= ybd_pool_get_nl_policy,
		.maxattr	= YBD_A_POOL_UUID,
		.flags		= GENL_ADMIN_PERM,
	},
	{
		.cmd		= YBD_CMD_DEVICE_SET,
		.doit		= ybd_nl_device_set_doit,
		.policy		= ybd_device_set_nl_policy,
		.maxattr	= YBD_A_DEVICE_REPLUG_TIMEOUT,
		.flags		= GENL_ADMIN_PERM,
	},
	{
		.cmd		= YBD_CMD_SOURCE_SWAP,
		.doit		= ybd_nl_source_swap_doit,
		.policy		= ybd_source_swap_nl_policy,
		.maxattr	= YBD_A_SOURCES_SOURCE,
		.flags		= GENL_ADMIN_PERM,
	},
};

