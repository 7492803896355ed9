/* SPDX-License-Identifier: GPL-2.0-only */
/* Between cmd_pool.c and cmd_pool_check.c. */
#ifndef YBDCTL_CMD_POOL_H
#define YBDCTL_CMD_POOL_H

#include "cmd.h"
#include "pool/pool.h"

int pool_check_run(const struct cmd *cmd, int argc, char **argv);

/**
 * pool_alien() - what is on a device besides a pool?
 * @path: device or file
 * @text: what it is, for a message; "" when there is nothing
 * @len: of @text
 * @err: why it cannot be said
 */
int pool_alien(const char *path, char *text, size_t len, struct ybd_error *err);

/* @path could not be opened: say why, and who has it. An exit code. */
int pool_busy(const char *path, const struct ybd_error *err);

/* A decimal number of an option; ends the program when it is none. */
u64 pool_number(const char *opt, const char *val);

#endif
