/* SPDX-License-Identifier: GPL-2.0-only */
/* All block devices that may hold something of ours. */
#ifndef YBDCTL_DEVICES_H
#define YBDCTL_DEVICES_H

#include "types.h"

/**
 * devices_each() - call a function for each
 * @fn: gets the path of its node; returns -EACCES when it may not look at it
 * @arg: for @fn
 *
 * Not for our own devices, RAM, and single paths to a namespace that is also
 * there as a whole. Warns of those that may not be looked at.
 *
 * Return: an exit code.
 */
int devices_each(int (*fn)(const char *path, void *arg), void *arg);

#endif
