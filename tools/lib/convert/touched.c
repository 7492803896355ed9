// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include "touched.h"

/* 64 bits: two names with the same hash are not met by chance. */
static u64 hash(u32 dir, const char *name, size_t len)
{
	u64 h = 0xcbf29ce484222325ull ^ dir * 0x9e3779b97f4a7c15ull;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (u8)name[i]) * 0x100000001b3ull;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ull;
	h ^= h >> 32;
	return h ?: 1;
}

static size_t find(const struct touched *t, u64 h)
{
	size_t i = h & (t->size - 1);

	while (t->slot[i] && t->slot[i] != h)
		i = (i + 1) & (t->size - 1);
	return i;
}

static int grow(struct touched *t)
{
	struct touched n = { .size = t->size ? t->size * 2 : 1024, .used = t->used };

	n.slot = calloc(n.size, sizeof(*n.slot));
	if (!n.slot)
		return -ENOMEM;
	for (size_t i = 0; i < t->size; i++)
		if (t->slot[i])
			n.slot[find(&n, t->slot[i])] = t->slot[i];
	free(t->slot);
	*t = n;
	return 0;
}

int touched_add(struct touched *t, u32 dir, const char *name, size_t len)
{
	u64 h = hash(dir, name, len);
	size_t i;

	if ((t->used + 1) * 4 > t->size * 3) {
		int rc = grow(t);

		if (rc)
			return rc;
	}
	i = find(t, h);
	if (!t->slot[i])
		t->used++;
	t->slot[i] = h;
	return 0;
}

bool touched_has(const struct touched *t, u32 dir, const char *name, size_t len)
{
	return t->size && t->slot[find(t, hash(dir, name, len))];
}

void touched_free(struct touched *t)
{
	free(t->slot);
	memset(t, 0, sizeof(*t));
}
