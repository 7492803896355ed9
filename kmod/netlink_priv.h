/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the control path share.
 */
#ifndef YBD_NETLINK_PRIV_H
#define YBD_NETLINK_PRIV_H

#include <linux/blkdev.h>
#include <net/genetlink.h>

#include "ybd.h"

struct ybd_device;
struct ybd_device_config;
struct ybd_image;

/* ---- netlink.c: the family, requests, answers and events ---- */

extern struct genl_family ybd_nl_family;

/* The policies of nested attributes have bounded these strings. */
static inline const char *attr_str(const struct nlattr *attr)
{
	return nla_data(attr);
}

int ybd_nl_check_permission(struct sk_buff *skb, struct netlink_ext_ack *extack);
int ybd_nl_require(struct genl_info *info, int attr, const char *what);

#define REQUIRE(info, attr)	ybd_nl_require(info, attr, "missing attribute " #attr)

/* More than fill_source() puts: two names and seven numbers. */
#define SOURCE_ROOM	(2 * NLA_HDRLEN + YBD_SOURCE_NAME_LEN + BDEVNAME_SIZE + 128)

typedef int (*fill_fn)(struct sk_buff *skb, const void *object);

/* Room for an image with all its sources; others are smaller. */
static inline size_t answer_size(unsigned int nr_sources)
{
	return NLMSG_GOODSIZE + nr_sources * SOURCE_ROOM;
}

int ybd_nl_reply(struct sk_buff *skb, struct genl_info *info, u8 cmd, fill_fn fill,
		 const void *object);
void ybd_nl_notify(u8 cmd, size_t size, fill_fn fill, const void *object);
int ybd_nl_dump_all(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd,
		    fill_fn fill, const void *(*next)(unsigned long *id));

/* ---- netlink_image.c: sources and images ---- */

struct ybd_image *ybd_nl_image_get(struct genl_info *info, int id_attr, int name_attr);

/* ---- netlink_pool.c: pools, and the uppers in them ---- */

int ybd_nl_config_pool(struct ybd_device_config *config, struct genl_info *info);
void ybd_nl_config_release(struct ybd_device_config *config);
struct ybd_device *ybd_nl_attach_upper(struct genl_info *info, struct ybd_image *image,
				       u32 replug);

#endif /* YBD_NETLINK_PRIV_H */
