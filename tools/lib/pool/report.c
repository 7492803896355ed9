// SPDX-License-Identifier: GPL-2.0-only
/* What is wrong, in words. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "priv.h"

int pool_room(void *array, size_t *cap, size_t nr, size_t elem)
{
	void **a = array;
	size_t want = *cap ? *cap * 2 : 16;
	void *p;

	if (nr < *cap)
		return 0;
	p = reallocarray(*a, want, elem);
	if (!p)
		return -ENOMEM;
	*a = p;
	*cap = want;
	return 0;
}

static int say(struct pool *p, struct pool_at at, const char *fmt, va_list ap) __printf(3, 0);

static int say(struct pool *p, struct pool_at at, const char *fmt, va_list ap)
{
	struct pool_report *r = &p->report;
	char text[512];
	int len = 0;

	if (r->nr >= POOL_FINDINGS) {
		r->more++;
		return 0;
	}
	if (pool_room(&r->find, &r->cap, r->nr, sizeof(*r->find)))
		return -ENOMEM;
	if (at.block != POOL_NO_BLOCK)
		len = snprintf(text, sizeof(text), "block %llu: ", (unsigned long long)at.block);
	vsnprintf(text + len, sizeof(text) - (size_t)len, fmt, ap);
	r->find[r->nr] = (struct pool_finding){
		.block = at.block,
		.upper = at.upper,
		.error = at.error,
		.fix = at.fix,
		.text = strdup(text),
	};
	return r->find[r->nr++].text ? 0 : -ENOMEM;
}

int pool_say(struct pool *p, struct pool_at at, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = say(p, at, fmt, ap);
	va_end(ap);
	return rc;
}

int pool_upper_error(struct pool *p, u32 upper, u64 block, const char *fmt, ...)
{
	struct pool_at at = { .block = block, .upper = upper, .error = true };
	va_list ap;
	int rc;

	p->upper[upper].broken = true;
	va_start(ap, fmt);
	rc = say(p, at, fmt, ap);
	va_end(ap);
	return rc;
}

bool pool_report_errors(const struct pool_report *r)
{
	for (size_t i = 0; i < r->nr; i++)
		if (r->find[i].error && !r->find[i].repaired)
			return true;
	return r->more;
}

void pool_report_free(struct pool_report *r)
{
	for (size_t i = 0; i < r->nr; i++)
		free(r->find[i].text);
	free(r->find);
	memset(r, 0, sizeof(*r));
}
