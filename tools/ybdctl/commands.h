/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands that main.c knows, besides the groups of cmd.h. */
#ifndef YBDCTL_COMMANDS_H
#define YBDCTL_COMMANDS_H

#include "cmd.h"

int cmd_create(const struct cmd *cmd, int argc, char **argv);
int cmd_attach(const struct cmd *cmd, int argc, char **argv);
int cmd_resize(const struct cmd *cmd, int argc, char **argv);
int cmd_set(const struct cmd *cmd, int argc, char **argv);
int cmd_detach(const struct cmd *cmd, int argc, char **argv);
int cmd_destroy(const struct cmd *cmd, int argc, char **argv);
int cmd_connect(const struct cmd *cmd, int argc, char **argv);
int cmd_disconnect(const struct cmd *cmd, int argc, char **argv);
int cmd_commit(const struct cmd *cmd, int argc, char **argv);
int cmd_convert(const struct cmd *cmd, int argc, char **argv);
int cmd_hotplug(const struct cmd *cmd, int argc, char **argv);
int cmd_wait(const struct cmd *cmd, int argc, char **argv);
int cmd_list(const struct cmd *cmd, int argc, char **argv);
int cmd_show(const struct cmd *cmd, int argc, char **argv);
int cmd_stats(const struct cmd *cmd, int argc, char **argv);
int cmd_monitor(const struct cmd *cmd, int argc, char **argv);
int cmd_mount(const struct cmd *cmd, int argc, char **argv);
int cmd_source_swap(const struct cmd *cmd, int argc, char **argv);
int cmd_umount(const struct cmd *cmd, int argc, char **argv);
int cmd_version(const struct cmd *cmd, int argc, char **argv);

/**
 * destroy_uppers() - the rest of destroy: what no device has
 * @pool: where to look; NULL for all block devices
 * @names: @n names
 * @errs: of each, what was wrong; -ENODEV where there is no such device, which
 *	  becomes 0 when the upper is destroyed
 * @n: how many
 */
void destroy_uppers(const char *pool, char **names, struct ybd_error *errs,
		    size_t n);

/* Ends the program when no device can be called so. */
void check_device_name(const char *name);

/* --replug-timeout in milliseconds, 0 when it is NULL; ends it when it is none. */
u32 check_replug(const char *seconds);

#endif
