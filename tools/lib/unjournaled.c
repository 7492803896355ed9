// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <unistd.h>

#include "unjournaled.h"
#include "util.h"

#define SECTOR		512u
#define BLOCK		4096u	/* what devices that are opened with O_DIRECT can be asked for */
#define SUPER		1024u	/* where ext4's superblock begins; these are in its first sector: */
#define MAGIC_AT	0x38u
#define COMPAT_AT	0x5cu
#define MAGIC		0xef53u
#define HAS_JOURNAL	0x4u
#define EROFS_MAGIC	0xe0f5e1e2u	/* of a superblock at the same place */

/* A sector of the image; zeros where nothing covers it. */
static int read_sector(const struct ybd_plan *p, u64 off, u8 *sector, struct ybd_error *err)
{
	u8 block[BLOCK] __aligned(BLOCK);
	const struct ybd_map_extent *e = p->map.ext, *end = e + p->map.nr;
	u64 phys;
	ssize_t n;

	memset(sector, 0, SECTOR);
	while (e < end && e->start + e->len <= off)
		e++;
	if (e == end || e->start > off)
		return 0;
	phys = e->phys + (off - e->start);
	n = pread(p->sources[e->source]->fd, block, BLOCK, (off_t)(phys / BLOCK * BLOCK));
	if (n < 0)
		return ybd_error_sys(err, -errno, "%s", p->sources[e->source]->path);
	if ((size_t)n < phys % BLOCK + SECTOR)
		return ybd_error_set(err, -EIO, "%s: it ends too early",
				     p->sources[e->source]->path);
	memcpy(sector, block + phys % BLOCK, SECTOR);
	return 0;
}

int ybd_plan_unjournaled(const struct ybd_plan *p, struct ybd_error *err)
{
	u8 sector[SECTOR];
	u32 compat, first;
	u16 magic;
	int rc = read_sector(p, SUPER, sector, err);

	if (rc)
		return rc;
	memcpy(&first, sector, sizeof(first));
	memcpy(&magic, sector + MAGIC_AT, sizeof(magic));
	memcpy(&compat, sector + COMPAT_AT, sizeof(compat));
	if (le32toh(first) == EROFS_MAGIC)
		return YBD_NEVER_WRITTEN;
	return le16toh(magic) == MAGIC && !(le32toh(compat) & HAS_JOURNAL) ? YBD_UNJOURNALED : 0;
}
