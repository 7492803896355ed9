/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libraries that only some commands need are opened when they are needed:
 * loading one costs every start of the program a few hundred thousand
 * instructions, kernel included. The headers are used as ever, so that the
 * compiler checks the types.
 */
#ifndef YBD_LIB_DL_H
#define YBD_LIB_DL_H

#include "types.h"

/**
 * struct ybd_dl_sym - a function to find
 * @name: in the library
 * @fn: the pointer that is set; of any type of function pointer
 */
struct ybd_dl_sym {
	const char *name;
	void *fn;
};

/**
 * ybd_dl_open() - open a library
 * @soname: with its version
 * @sym: functions to find
 * @n: how many
 *
 * Return: 0; -ELIBACC when it is not there or lacks one.
 */
int ybd_dl_open(const char *soname, const struct ybd_dl_sym *sym, size_t n);

#endif
