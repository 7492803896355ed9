/* SPDX-License-Identifier: GPL-2.0-only */
/* All that the module shows of itself, as sorted lines that can be compared. */
#ifndef YBD_NL_STATE_H
#define YBD_NL_STATE_H

#include "nl_raw.h"

/**
 * struct state - what exists
 * @line: @n of them, sorted: 'D' devices, 'I' images, 'S' sources; without
 *	what others may change at any time (openers, statistics)
 * @devices: how many, by the dump
 * @images: likewise
 * @sources: likewise
 */
struct state {
	char **line;
	size_t n;
	u32 devices;
	u32 images;
	u32 sources;
};

/* Dumps everything; NULL, or what does not fit together. */
const char *state_read(struct nlr *n, struct state *s);
void state_free(struct state *s);

/* Count lines of @kind that only one has; what differs goes to stdout if @show. */
void state_diff(const struct state *a, const struct state *b, char kind,
		unsigned int *gone, unsigned int *come, bool show);
bool state_same(const struct state *a, const struct state *b);

/* Name of the @i'th line of @kind, or NULL. */
const char *state_name(const struct state *s, char kind, unsigned int i, char buf[160]);

#endif
