// SPDX-License-Identifier: GPL-2.0-only
/* Which clusters and metadata pages are in use; see writer.h. Number 0 is never free. */
#include <errno.h>
#include <stdlib.h>

#include "writer.h"

#define WORDS(n) (((n) + 63) / 64)

int space_init(struct space *s, u64 nr)
{
	memset(s, 0, sizeof(*s));
	s->used = calloc(WORDS(nr) + 1, sizeof(*s->used));
	if (!s->used)
		return -ENOMEM;
	s->nr = nr;
	s->free = nr;
	return 0;
}

void space_free(struct space *s)
{
	free(s->used);
	free(s->freed);
	memset(s, 0, sizeof(*s));
}

bool space_is_used(const struct space *s, u64 i)
{
	return s->used[i / 64] >> (i % 64) & 1;
}

bool space_take(struct space *s, u64 i)
{
	if (space_is_used(s, i))
		return false;
	s->used[i / 64] |= 1ULL << (i % 64);
	s->free--;
	return true;
}

u32 space_alloc(struct space *s)
{
	u64 i = s->next;

	while (i < s->nr && space_is_used(s, i))
		i = s->used[i / 64] == ~0ULL ? (i / 64 + 1) * 64 : i + 1;
	s->next = i;
	if (i >= s->nr)
		return 0;
	space_take(s, i);
	return (u32)i;
}

void space_drop(struct space *s, u32 i)
{
	s->used[i / 64] &= ~(1ULL << (i % 64));
	s->free++;
	if (i < s->next)
		s->next = i;
}

int space_give_back(struct space *s, u32 i)
{
	int rc = lvs_grow(&s->freed, &s->cap_freed, s->nr_freed, sizeof(*s->freed));

	if (!rc)
		s->freed[s->nr_freed++] = i;
	return rc;
}

void space_settle(struct space *s)
{
	for (size_t i = 0; i < s->nr_freed; i++)
		space_drop(s, s->freed[i]);
	s->nr_freed = 0;
}

int space_extend(struct space *s, u64 nr)
{
	u64 *n = reallocarray(s->used, WORDS(nr) + 1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	memset(n + WORDS(s->nr), 0, (WORDS(nr) + 1 - WORDS(s->nr)) * sizeof(*n));
	s->used = n;
	s->free += nr - s->nr;
	s->nr = nr;
	return 0;
}
