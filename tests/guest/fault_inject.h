/* SPDX-License-Identifier: GPL-2.0-only */
/* Faults that the kernel injects into itself: allocations and requests that fail. */
#ifndef YBD_FAULT_INJECT_H
#define YBD_FAULT_INJECT_H

#include "test.h"

/* Opens what is below; ends the program, as one that was skipped, where there is no such thing. */
void fail_init(void);

/* The @nth that can fail in this thread does; 0: none. */
void fail_set(unsigned int nth);
/* Stop; was one injected? */
bool fail_end(void);
/* Which one is tried after @nth: the next one if @all, else the larger the fewer. */
unsigned int fail_next(struct rng *rng, bool all, unsigned int nth, unsigned int part);

/*
 * Of all allocations below the module's functions, by whomever, @percent fail; 0: none any more.
 * Returns how many did.
 */
unsigned int fail_in_module(unsigned int percent);
/* The same of all requests to @disk. */
unsigned int fail_requests(const char *disk, unsigned int percent);

/* Only allocations below ("require"), or not below ("reject"), what lies between. */
void fail_range(const char *what, unsigned long start, unsigned long end);
/* Where a function of the kernel begins and ends. */
bool find_symbol(const char *name, unsigned long *start, unsigned long *end);

#endif
