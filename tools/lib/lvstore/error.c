// SPDX-License-Identifier: GPL-2.0-only
/* What went wrong, in words. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "store.h"

static void err_fill(struct lvs_error *err, int code, size_t at, const char *fmt, va_list ap)
	__printf(4, 0);

static void err_fill(struct lvs_error *err, int code, size_t at, const char *fmt, va_list ap)
{
	err->code = code;
	vsnprintf(err->text + at, sizeof(err->text) - at, fmt, ap);
}

int lvs_err(struct lvs_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->page = LVS_NO_PAGE;
	err->byte = 0;
	va_start(ap, fmt);
	err_fill(err, code, 0, fmt, ap);
	va_end(ap);
	return code;
}

int lvs_err_page(struct lvs_error *err, int code, const struct lvs_store *s, u32 page,
		 const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!err)
		return code;
	err->page = page;
	err->byte = md_byte(s, page);
	n = snprintf(err->text, sizeof(err->text), "md page %u (byte %llu): ", page,
		     (unsigned long long)err->byte);
	va_start(ap, fmt);
	err_fill(err, code, (size_t)n, fmt, ap);
	va_end(ap);
	return code;
}

int lvs_grow(void *array, size_t *cap, size_t nr, size_t elem)
{
	void **a = array;
	size_t want;
	void *n;

	if (nr < *cap)
		return 0;
	want = *cap ? *cap * 2 : 8;
	n = reallocarray(*a, want, elem);
	if (!n)
		return -ENOMEM;
	*a = n;
	*cap = want;
	return 0;
}
