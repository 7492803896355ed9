// SPDX-License-Identifier: GPL-2.0-only
/* Seeds for pool_fuzz: pool_corpus DIR. Each changes some fields of some blocks. */
#include <stdio.h>
#include <stdlib.h>

#include "pool_input.h"
#include "types.h"

static void put(FILE *out, u16 block, u16 off, u8 op, u8 width, u64 val)
{
	u8 r[INPUT_REC];

	memcpy(r, &block, 2);
	memcpy(r + 2, &off, 2);
	r[4] = op;
	r[5] = width;
	memcpy(r + 6, &val, 8);
	fwrite(r, 1, sizeof(r), out);
}

int main(int argc, char **argv)
{
	static const u64 vals[] = { 0, 1, 0xffffffff, 1ULL << 48, ~0ULL, 512 };
	char path[4096];

	if (argc != 2)
		return 2;
	for (int i = 0; i < 240; i++) {
		FILE *out;

		snprintf(path, sizeof(path), "%s/%03d", argv[1], i);
		out = fopen(path, "w");
		if (!out)
			return 1;
		fputc(i % INPUT_POOLS, out);
		/* a field of the first ones, and something of any other block */
		put(out, i, 64 + 8 * (i % 28), INPUT_SET, 3, vals[i % 6]);
		put(out, i * 7, 8 * (i % 9), i % INPUT_OPS, 2, i * 5);
		if (i & 1)
			put(out, i * 3, 96, INPUT_ADD | (i & 2 ? INPUT_BAD_CRC : 0), 0, 1);
		fclose(out);
	}
	return 0;
}
