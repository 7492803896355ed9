/* SPDX-License-Identifier: GPL-2.0-only */
/* UUIDs of names (RFC 4122, version 5): the same name gives the same UUID. */
#ifndef YBD_LIB_UUID5_H
#define YBD_LIB_UUID5_H

#include "types.h"

/* Of @name in the namespace of ybd. */
void uuid5(const char *name, u8 out[16]);
#endif
