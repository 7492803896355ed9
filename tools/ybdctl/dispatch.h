/* SPDX-License-Identifier: GPL-2.0-only */
/* Between main.c, which finds the command, and cmd.c, which parses for it. */
#ifndef YBDCTL_DISPATCH_H
#define YBDCTL_DISPATCH_H

#include "cmd.h"

/* A further word of the command, for messages. */
void cmd_path_add(const char *word);

/* Take --json or --quiet in front of a command's words; false when it is neither. */
bool cmd_common(const char *word);

/* Print the help of a group of commands. */
void cmd_help_group(const struct cmd *table, const char *help);

#endif
