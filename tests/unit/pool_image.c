// SPDX-License-Identifier: GPL-2.0-only
/* A pool with uppers as a file, for tests of the command: pool_image FILE SEED */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pool_make.h"

int main(int argc, char **argv)
{
	static struct mk m;
	int fd;

	if (argc != 3)
		return 2;
	fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return 1;
	mk_everything(&m, strtoull(argv[2], NULL, 10));
	for (u64 i = 0; i < m.blocks; i++) {
		const u8 *b = mk_block(&m, i);

		if ((*b || memcmp(b, b + 1, 4095)) && pwrite(fd, b, 4096, (off_t)i * 4096) != 4096)
			return 1;
	}
	if (ftruncate(fd, (off_t)m.blocks * 4096) || close(fd))
		return 1;
	/* where upper 1 has its list of layers, for who wants to damage it */
	printf("%llu\n", (unsigned long long)m.upper[1].header.layers);
	mk_free(&m);
	return 0;
}
