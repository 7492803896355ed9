// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "lvstore_image.h"

static void bail(const char *what)
{
	printf("Bail out! %s\n", what);
	fflush(stdout);
	exit(1);
}

void image_load(struct image *im, const char *dir, const char *name)
{
	struct lvs_io *io;
	char path[4096];
	struct stat st;
	int fd;

	memset(im, 0, sizeof(*im));
	im->bad_page = LVS_NO_PAGE;
	snprintf(path, sizeof(path), "%s/%s.img", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		bail(path);
	im->len = (size_t)st.st_size;
	im->mapped = im->len;
	im->mem = mmap(NULL, im->len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	close(fd);
	if (im->mem == MAP_FAILED)
		bail(path);
	if (lvs_io_open_mem(im->mem, im->len, &io))
		bail("out of memory");
	im->s.io = io;
	if (lvs_read_super(&im->s, NULL))
		bail("a fixture without a super block");
	lvs_io_close(io);
	im->s.io = NULL;
}

void image_free(struct image *im)
{
	munmap(im->mem, im->mapped);
}

void image_fix_super(struct image *im)
{
	put_le32(im->mem + LVS_DISK_CRC_LEN, crc32c(im->mem, LVS_DISK_CRC_LEN));
}

void image_fix_page(struct image *im, u32 page)
{
	u8 *p = im->mem + md_byte(&im->s, page);

	put_le32(p + LVS_DISK_CRC_LEN, crc32c(p, LVS_DISK_CRC_LEN));
}

u8 *image_desc(struct image *im, u32 page, u8 type, unsigned int nth)
{
	u8 *d = image_page(im, page)->desc, *end = d + LVS_DISK_DESC_LEN;

	while (end - d >= 5 && (d[0] || get_le32(d + 1))) {
		if (d[0] == type && !nth--)
			return d + 5;
		d += 5 + get_le32(d + 1);
	}
	bail("a fixture without the expected descriptor");
	return NULL;
}

u8 *image_xattr(struct image *im, u32 page, const char *name)
{
	u8 *d = image_page(im, page)->desc, *end = d + LVS_DISK_DESC_LEN;

	for (; end - d >= 9 && (d[0] || get_le32(d + 1)); d += 5 + get_le32(d + 1)) {
		size_t n = get_le16(d + 5);

		if ((d[0] == LVS_DESC_XATTR || d[0] == LVS_DESC_XATTR_INTERNAL) &&
		    n == strlen(name) && !memcmp(d + 9, name, n))
			return d + 9 + n;
	}
	bail("a fixture without the expected xattr");
	return NULL;
}

static int image_read(struct lvs_io *io, u64 off, void *buf, size_t len)
{
	struct image *im = io->priv;
	u64 bad = md_byte(&im->s, im->bad_page);

	if (im->bad_page != LVS_NO_PAGE && off <= bad && bad < off + len)
		return -EIO;
	memcpy(buf, im->mem + off, len);
	return 0;
}

int image_open(struct image *im, struct lvs_store **s, struct lvs_error *err)
{
	static const struct lvs_io_ops ops = { .read = image_read };
	struct lvs_io *io;

	if (lvs_io_open_ops(&ops, im->len, im, &io))
		bail("out of memory");
	return lvs_open_io(io, s, err);
}

u32 image_root(struct image *im, const char *name)
{
	struct lvs_error err;
	struct lvs_store *s;
	u32 root = 0;

	if (image_open(im, &s, &err))
		bail(err.text);
	if (!lvs_find(s, name))
		bail("a fixture without the expected lvol");
	root = (u32)lvs_lvol_blob_id(lvs_find(s, name));
	lvs_close(s);
	return root;
}
