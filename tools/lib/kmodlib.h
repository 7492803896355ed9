/* SPDX-License-Identifier: GPL-2.0-only */
/* Loading a kernel module; the only user of libkmod, which is opened for it. */
#ifndef YBD_LIB_KMODLIB_H
#define YBD_LIB_KMODLIB_H

#include "error.h"

/**
 * ybd_kmod_load() - modprobe
 * @name: the module
 * @err: why not, and what to do
 *
 * Return: 0 when it is there now; -YBD_ENOMODULE when it is not installed for
 * the running kernel, or not allowed, or does not load; -EPERM without
 * CAP_SYS_MODULE.
 */
int ybd_kmod_load(const char *name, struct ybd_error *err);

#endif
