/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control path: a generic netlink family.
 */
#ifndef YBD_NETLINK_H
#define YBD_NETLINK_H

int ybd_netlink_init(void);
void ybd_netlink_exit(void);

#endif /* YBD_NETLINK_H */
