// SPDX-License-Identifier: GPL-2.0-only
/* Images for others to look at: the kernel, and the tools of file systems. */
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "cut.h"
#include "sha256.h"
#include "test.h"

#define AT_ONCE 128u	/* sectors */

void export_disk(const struct image *m, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	u8 buf[AT_ONCE * SECTOR];
	u32 nr;

	if (fd < 0 || ftruncate(fd, (off_t)(m->t->sectors * SECTOR)))
		die("%s: %m", path);
	for (u64 s = 0; s < m->t->sectors; s += nr) {
		nr = m->t->sectors - s < AT_ONCE ? m->t->sectors - s : AT_ONCE;
		image_read(m, s, buf, nr);
		if (!is_zero(buf, nr * SECTOR) &&
		    pwrite(fd, buf, nr * SECTOR, (off_t)(s * SECTOR)) != (ssize_t)nr * SECTOR)
			die("%s: %m", path);
	}
	close(fd);
}

static void export_upper(struct view *v, u32 dev, FILE *f, const u8 *image)
{
	u64 nr = view_size(v, dev);
	u8 sum[SHA256_LEN], buf[SECTOR];
	struct sha256 s;

	sha256_init(&s);
	for (u64 i = 0; i < nr; i++) {
		view_bytes(v, dev, i, image && i < v->h->image_sectors ? image + i * SECTOR : NULL,
			   buf);
		sha256_update(&s, buf, SECTOR);
	}
	sha256_final(&s, sum);
	fprintf(f, "upper %s %" PRIu64 " ", v->h->dev[dev].name, nr * SECTOR);
	for (u32 i = 0; i < SHA256_LEN; i++)
		fprintf(f, "%02x", sum[i]);
	fprintf(f, "\n");
}

void export_uppers(struct view *v, const char *path, const u8 *image)
{
	FILE *f = fopen(path, "w");

	if (!f)
		die("%s: %m", path);
	for (u32 dev = 1; dev < MAX_DEVICES; dev++)
		if (v->io && v->h->dev[dev].state != DEVICE_NONE && view_has(v, dev))
			export_upper(v, dev, f, image);
	for (u32 i = 0; i < MAX_FILES; i++)
		if (v->h->file[i].records)
			fprintf(f, "file %s %u %" PRIu64 "\n", v->h->file[i].name, i,
				v->h->file[i].records);
	if (fclose(f))
		die("%s: %m", path);
}
