/* SPDX-License-Identifier: GPL-2.0-only */
/* External snapshots: --esnap, and where a store that is written finds them. */
#ifndef YBDCTL_ESNAP_H
#define YBDCTL_ESNAP_H

#include "cmd.h"
#include "lvstore/write.h"
#include "source.h"

#define OPT_ESNAP(list) \
	OPT_LIST("esnap", "UUID=SOURCE", list, "Where the external snapshot UUID is.")

/* Are they UUID=SOURCE? Ends the program otherwise. */
void esnap_check(const struct opt_list *pairs);

/* For lvw_set_esnap(), with a struct ybd_finder that is there as long as the writer. */
int esnap_find(void *finder, const char *id, u64 len, struct lvs_error *err);

#endif
