// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a run begins with: prepare pool FILE BYTES, prepare image FILE BYTES
 *
 * In the image every sector can be told from any other.
 */
#include "pool/pool.h"
#include "test.h"
#include "trace.h"

static void make_pool(const char *path, u64 bytes)
{
	struct pool_want want = { .nr_blocks = bytes / BLOCK };
	static const u8 uuid[16] = "power cut pool";
	struct ybd_error err = { 0 };
	struct pool_layout l;
	struct pool_io *io;

	if (pool_layout(&want, &l, &err) ||
	    pool_io_open(path, POOL_IO_WRITE, bytes, &io, &err) ||
	    pool_create(io, &l, uuid, "local", &err))
		die("%s", err.text);
	pool_io_close(io);
}

static void make_image(const char *path, u64 bytes)
{
	struct tag t = { .magic = TAG_MAGIC };
	FILE *f = fopen(path, "w");
	u8 buf[SECTOR];

	if (!f)
		die("%s: %m", path);
	for (; t.sector < bytes / SECTOR; t.sector++) {
		tag_fill(buf, &t);
		if (fwrite(buf, SECTOR, 1, f) != 1)
			die("%s: %m", path);
	}
	if (fclose(f))
		die("%s: %m", path);
}

int main(int argc, char **argv)
{
	u64 bytes = argc == 4 ? strtoull(argv[3], NULL, 0) : 0;

	if (bytes && !strcmp(argv[1], "pool"))
		make_pool(argv[2], bytes);
	else if (bytes && !strcmp(argv[1], "image"))
		make_image(argv[2], bytes);
	else
		die("prepare pool|image FILE BYTES");
	return 0;
}
