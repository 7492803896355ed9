/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/ybd.yaml */
/* YNL-GEN kernel header */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#ifndef _LINUX_YBD_GEN_H
#define _LINUX_YBD_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/ybd.h>

/* Common nested types */
extern const struct nla_policy ybd_source_nl_policy[YBD_A_SOURCE_PARKED + 1];

extern const struct nla_policy ybd_info_get_nl_policy[YBD_A_INFO_ABI + 1];

extern const struct nla_policy ybd_source_get_nl_policy[YBD_A_SOURCES_SOURCE + 1];

extern const struct nla_policy ybd_image_load_nl_policy[YBD_A_IMAGE_FLAGS + 1];

extern const struct nla_policy ybd_image_unload_nl_policy[YBD_A_IMAGE_NAME + 1];

extern const struct nla_policy ybd_image_get_nl_policy[YBD_A_IMAGE_NAME + 1];

extern const struct nla_policy ybd_device_create_nl_policy[YBD_A_DEVICE_REPLUG_TIMEOUT + 1];

extern const struct nla_policy ybd_device_detach_nl_policy[YBD_A_DEVICE_DETACH_FLAGS + 1];

extern const struct nla_policy ybd_device_get_nl_policy[YBD_A_DEVICE_NAME + 1];

extern const struct nla_policy ybd_device_attach_nl_policy[YBD_A_DEVICE_REPLUG_TIMEOUT + 1];

extern const struct nla_policy ybd_device_resize_nl_policy[YBD_A_DEVICE_SIZE + 1];

extern const struct nla_policy ybd_upper_destroy_nl_policy[YBD_A_DEVICE_UPPER_UUID + 1];

extern const struct nla_policy ybd_pool_get_nl_policy[YBD_A_POOL_UUID + 1];

extern const struct nla_policy ybd_device_set_nl_policy[YBD_A_DEVICE_REPLUG_TIMEOUT + 1];

extern const struct nla_policy ybd_source_swap_nl_policy[YBD_A_SOURCES_SOURCE + 1];

/* Ops table for ybd */
extern const struct genl_ops ybd_nl_ops[14];

int ybd_nl_info_get_doit(struct sk_buff *skb, struct genl_info *info);
int ybd_nl_source_get_doit(struct sk_buff *skb, struct genl_info *info);
int ybd_nl_source_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int ybd_nl_image_load_doit(struct sk_buff *skb, struct genl_info *info);
int ybd_nl_image_unload_doit(struct sk_buff *skb, struct genl_info *info);
int ybd_nl_image_get_doit(struct sk_buff *skb, struct genl_info *info);
int ybd_nl_image_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int ybd_nl_device_create_doit(struct sk_buff *skb, struct genl_info *info);
int ybd_nl_device_detach_doit(struct sk_buff *skb, struct genl_info *info);
int ybd_nl_device_get_doit(struct sk_buff *skb, struct genl_info *info);
int ybd_nl_device_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int ybd_nl_device_attach_doit(struct sk_buff *skb, struct genl_info *info);
int ybd_nl_device_resize_doit(struct sk_buff *skb, struct genl_info *info);
int ybd_nl_upper_destroy_doit(struct sk_buff *skb, struct genl_info *info);
int ybd_nl_pool_get_doit(struct sk_buff *skb, struct genl_info *info);
int ybd_nl_pool_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int ybd_nl_device_set_doit(struct sk_buff *skb, struct genl_info *info);
int ybd_nl_source_swap_doit(struct sk_buff *skb, struct genl_info *info);

enum {
	YBD_NLGRP_EVENTS,
};

#endif /* _LINUX_YBD_GEN_H */
