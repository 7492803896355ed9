// SPDX-License-Identifier: GPL-2.0-only
/* The bytes of an lvol, through its flattened map. */
#include <errno.h>

#include "../fdio.h"
#include "store.h"

/* The extent that holds @off, or the first one after it. */
static size_t find_extent(const struct lvs_map *map, u64 off)
{
	size_t lo = 0, hi = map->nr;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (map->ext[mid].start + map->ext[mid].len <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int esnap_read(int fd, u64 off, u8 *buf, size_t len)
{
	return fd < 0 ? -ENODEV : pread_all(fd, buf, len, off);
}

int lvs_map_read(struct lvs_store *s, const struct lvs_map *map, int esnap_fd, uint64_t off,
		 void *buf, size_t len)
{
	u8 *p = buf;

	if (off > map->size || len > map->size - off)
		return -ERANGE;
	for (size_t i = find_extent(map, off); len; i++) {
		const struct lvs_extent *e = i < map->nr ? &map->ext[i] : NULL;
		u64 zeros = e ? (e->start > off ? e->start - off : 0) : len;
		size_t n = zeros < len ? (size_t)zeros : len;
		u64 in, left;
		int rc;

		memset(p, 0, n);
		p += n;
		off += n;
		len -= n;
		if (!len)
			break;
		in = off - e->start;
		left = e->len - in;
		n = left < len ? (size_t)left : len;
		if (e->source == LVS_SOURCE_ESNAP)
			rc = esnap_read(esnap_fd, e->phys + in, p, n);
		else
			rc = lvs_io_read(s->io, e->phys + in, p, n);
		if (rc)
			return rc;
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}
