/* SPDX-License-Identifier: GPL-2.0-only */
/* KTAP for tests written in C: one result line per case, "# " lines say what was wrong. */
#ifndef YBD_TEST_KTAP_H
#define YBD_TEST_KTAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "types.h"

struct ktap {
	unsigned int n;		/* cases so far */
	unsigned int failed;
	bool bad;		/* the present case failed */
};

/* One for all files of a program. */
struct ktap ktap __attribute__((weak));

static inline void ktap_plan(unsigned int n)
{
	printf("KTAP version 1\n1..%u\n", n);
}

/* Note a failure of the present case. */
static inline __printf(1, 2) void ktap_fail(const char *fmt, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	ktap.bad = true;
}

#define ktap_check(cond, ...) do { if (!(cond)) ktap_fail(__VA_ARGS__); } while (0)

/* The present case is over. */
static inline __printf(1, 2) void ktap_done(const char *fmt, ...)
{
	va_list ap;

	printf("%s %u - ", ktap.bad ? "not ok" : "ok", ++ktap.n);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	ktap.failed += ktap.bad;
	ktap.bad = false;
}

static inline int ktap_exit(void)
{
	return ktap.failed ? 1 : 0;
}

#endif
