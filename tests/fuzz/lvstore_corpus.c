// SPDX-License-Identifier: GPL-2.0-only
/*
 * Seeds for the fuzzer from the fixtures: lvstore_corpus OUT-DIR IMAGE...
 * Each image gives one as it is, and one with "clean" turned round; large ones are left out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lvstore_input.h"

#define SEED_MAX 65536

static const u8 *block_end(const u8 *b, size_t len)
{
	while (len && !b[len - 1])
		len--;
	return b + len;
}

static void put_rec(FILE *out, u32 block, const u8 *b, bool raw)
{
	size_t len = block_end(b, raw ? 4096 : 4088) - b;
	u8 head[INPUT_REC + 4] = {
		raw ? INPUT_RAW : 0, (u8)block, (u8)(block >> 8), (u8)(block >> 16),
		(u8)len, (u8)(len >> 8),
	};

	memcpy(head + INPUT_REC, b + 4088, 4);
	fwrite(head, 1, input_rec_head(head[0]), out);
	fwrite(b, 1, len, out);
}

/* The super block, the masks, the metadata: whatever of them is not zero. */
static void put_seed(FILE *out, const u8 *img, size_t len)
{
	u32 page = get_le32(img + 92) / 4096 ? get_le32(img + 92) / 4096 : 1;
	u32 md = get_le32(img + 48) * page, end = md + get_le32(img + 52) * page;
	u32 blocks = (u32)(len / 4096);
	u8 head[INPUT_HEAD] = {
		(u8)blocks, (u8)(blocks >> 8), (u8)(blocks >> 16), (u8)(blocks >> 24), 20,
	};

	fwrite(head, 1, sizeof(head), out);
	for (u32 b = 0; b < end && b < blocks; b++)
		if (block_end(img + b * 4096ULL, 4096) != img + b * 4096ULL)
			put_rec(out, b, img + b * 4096ULL, b && b < md);
}

static void seed(const char *dir, const char *path, bool other)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	FILE *in = fopen(path, "r"), *out;
	char to[4096];
	size_t len;
	u8 *img;

	snprintf(to, sizeof(to), "%s/%s%s", dir, name, other ? "-turned" : "");
	out = fopen(to, "w");
	if (!in || !out || fseek(in, 0, SEEK_END)) {
		fprintf(stderr, "%s, %s: %s\n", path, to, strerror(errno));
		exit(1);
	}
	len = (size_t)ftell(in);
	rewind(in);
	img = malloc(len);
	if (!img || fread(img, 1, len, in) != len)
		exit(1);
	img[16] ^= other;
	put_seed(out, img, len);
	if (ftell(out) > SEED_MAX)
		remove(to);
	fclose(in);
	fclose(out);
	free(img);
}

int main(int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		seed(argv[1], argv[i], false);
		seed(argv[1], argv[i], true);
	}
	return 0;
}
