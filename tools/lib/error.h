/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One error as it travels up to the command: a negative errno for the program
 * and one line of text for the reader, which says what, where and what to do.
 */
#ifndef YBD_LIB_ERROR_H
#define YBD_LIB_ERROR_H

#include <errno.h>

#include "types.h"

/*
 * Two conditions that errno has no good word for. Both end up as exit code 6
 * of ybdctl, so nothing else may use them.
 */
#define YBD_ENOMODULE	ENOPKG		/* the module is not there */
#define YBD_EABI	EPROTONOSUPPORT	/* module and tool are of different ABI */

/**
 * struct ybd_error - why a call failed
 * @code: negative errno, 0 while nothing failed
 * @text: one line, no newline at its end, no program name in front
 */
struct ybd_error {
	int code;
	char text[640];
};

/**
 * ybd_error_set() - describe a failure
 * @err: where to; may be NULL
 * @code: negative errno
 * @fmt: what failed; strerror() is not added
 *
 * Return: @code, so that "return ybd_error_set(...)" is one statement.
 */
int ybd_error_set(struct ybd_error *err, int code, const char *fmt, ...)
	__printf(3, 4);

/**
 * ybd_error_sys() - describe a failed system call
 * @err: where to; may be NULL
 * @code: negative errno
 * @fmt: what failed; ": " and strerror() are added
 *
 * Return: @code.
 */
int ybd_error_sys(struct ybd_error *err, int code, const char *fmt, ...)
	__printf(3, 4);

/**
 * ybd_error_prefix() - say where a failure that is already described happened
 * @err: may be NULL
 * @fmt: put in front of the text, with ": " between
 */
void ybd_error_prefix(struct ybd_error *err, const char *fmt, ...)
	__printf(2, 3);

#endif
