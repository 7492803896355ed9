/* SPDX-License-Identifier: GPL-2.0-only */
/* Small things of the C language that every file may want. */
#ifndef YBD_LIB_UTIL_H
#define YBD_LIB_UTIL_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#ifndef __aligned
#define __aligned(n) __attribute__((aligned(n)))
#endif

/* Nothing but zeros, or nothing at all? */
static inline bool mem_is_zero(const void *p, size_t len)
{
	const char *c = p;

	return !len || (!*c && !memcmp(c, c + 1, len - 1));
}

/* A variable that is released when it goes out of scope. */
#define __cleanup(fn) __attribute__((cleanup(fn)))

static inline void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define __cleanup_fd __cleanup(cleanup_fd)
#define __cleanup_free __cleanup(cleanup_free)
#define __cleanup_file __cleanup(cleanup_file)

#endif
