/* SPDX-License-Identifier: GPL-2.0-only */
/* Between cmd_lvol.c, cmd_lvol_data.c and cmd_lvol_export.c. */
#ifndef YBDCTL_CMD_LVOL_H
#define YBDCTL_CMD_LVOL_H

#include "store_write.h"

int lvol_import_run(const struct cmd *cmd, int argc, char **argv);
int lvol_export_run(const struct cmd *cmd, int argc, char **argv);

/* The lvol of this name or uuid; NULL, and @err says that there is none. */
struct lvw_vol *lvol_find(struct lvs_writer *w, const char *name, struct lvs_error *err);
/* What a new or changed one is. */
void lvol_print(const struct lvw_vol *v);
/* Ends the program when no lvol can be called so, or the uuid (NULL: none) is none. */
void lvol_check_names(const char *name, const char *uuid);

#endif
