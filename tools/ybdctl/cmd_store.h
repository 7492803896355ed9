/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of ybdctl store that are not in cmd_store.c. */
#ifndef YBDCTL_CMD_STORE_H
#define YBDCTL_CMD_STORE_H

#include "cmd.h"

int store_create_run(const struct cmd *cmd, int argc, char **argv);
int store_grow_run(const struct cmd *cmd, int argc, char **argv);
int store_destroy_run(const struct cmd *cmd, int argc, char **argv);
int store_check_run(const struct cmd *cmd, int argc, char **argv);

#endif
