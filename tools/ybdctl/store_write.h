/* SPDX-License-Identifier: GPL-2.0-only */
/* A store that a command writes: is it in use, and what does a failure mean? */
#ifndef YBDCTL_STORE_WRITE_H
#define YBDCTL_STORE_WRITE_H

#include "cmd.h"
#include "lvstore/write.h"

/* --force and --append, for OPT_MORE(): all commands have them that write a store. */
extern const struct opt store_write_opts[];

/**
 * store_open() - open a store as the options say
 * @path: device or file
 * @w: the store
 * @err: why not
 *
 * Return: 0; -EBUSY when this host reads from it and --append is not given; else as lvw_open().
 */
int store_open(const char *path, struct lvs_writer **w, struct lvs_error *err);

/**
 * store_open_write() - the same, and say why not
 * @path: device or file
 * @w: the store
 *
 * Return: 0, or an exit code when that has been said.
 */
int store_open_write(const char *path, struct lvs_writer **w);

/* --force: whoever gave it knows that no target has the store. */
bool store_is_forced(void);

/* Does this host read from it? The module has it as a source, or a loop device is over it. */
bool store_in_use(const char *path);

/**
 * store_end() - close it after a command
 * @w: the store
 * @path: for the message
 * @rc: what the command came to: 0 or a negative errno
 * @err: why, when @rc is not 0; also filled by this
 *
 * Return: an exit code; a failure has been said.
 */
int store_end(struct lvs_writer *w, const char *path, int rc, struct lvs_error *err);

#endif
