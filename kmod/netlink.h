/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control path: a generic netlink family.
 */
#ifndef YBD_NETLINK_H
#define YBD_NETLINK_H

struct ybd_device;
struct ybd_pool;

void ybd_nl_pool_level(struct ybd_pool *pool);
void ybd_nl_pool_failed(struct ybd_pool *pool);
void ybd_nl_quota_level(struct ybd_device *dev);
void ybd_nl_device_detached(struct ybd_device *dev);
int ybd_netlink_init(void);
void ybd_netlink_exit(void);

#endif /* YBD_NETLINK_H */
