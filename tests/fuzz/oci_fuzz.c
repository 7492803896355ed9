// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: images of any manifest whatever. An input that begins with 'T' is an archive, as
 * it is. Else it is pieces with a byte 0xff between them: each becomes a blob, the last one
 * index.json; in a piece, "%n" stands for the digest of piece n and "#n" for its size, so that what
 * has been changed still fits together.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/image.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#define PIECES 10

#define must(cond) do { if (!(cond)) broken(#cond, __LINE__); } while (0)

static void broken(const char *what, int line)
{
	fprintf(stderr, "line %d: not so: %s\n", line, what);
	abort();
}

static char dir[64];

static void path_of(const char *name, char path[256])
{
	snprintf(path, 256, "%s/%s", dir, name);
}

static void put(const char *name, const void *data, size_t len)
{
	char path[256];
	int fd;

	path_of(name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	must(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	close(fd);
}

static void drop(const char *name)
{
	char path[256];

	path_of(name, path);
	remove(path);
}

static void init(void)
{
	char path[256];

	snprintf(dir, sizeof(dir), "/tmp/ybd-oci-fuzz-XXXXXX");
	must(mkdtemp(dir));
	path_of("blobs", path);
	must(!mkdir(path, 0700));
	path_of("blobs/sha256", path);
	must(!mkdir(path, 0700));
}

__attribute__((destructor))
static void clean_up(void)
{
	if (!dir[0])
		return;
	drop("blobs/sha256");
	drop("blobs");
	drop("");
}

static void open_image(const char *path)
{
	const struct oci_platform want = { .os = "linux", .arch = "amd64" };
	static const char *const refs[] = { NULL, "latest" };
	struct ybd_error err = { 0 };
	struct oci_source *s;
	struct oci_image img;

	if (oci_source_open(path, &s, &err)) {
		must(err.text[0]);
		return;
	}
	for (int i = 0; i < 2; i++) {
		int rc = oci_image_open(s, refs[i], &want, &img, &err);

		must(rc <= 0);
		if (rc) {
			must(err.text[0]);
			continue;
		}
		must(img.nr && img.nr <= OCI_LAYERS_MAX && img.config && img.os && img.arch);
		for (size_t k = 0; k < img.nr; k++)
			must(img.layer[k].file);
		oci_image_free(&img);
	}
	oci_source_close(s);
}

/**
 * struct piece - a part of the input
 * @digest: of what it became
 * @size: of what it became
 * @name: of the blob
 */
struct piece {
	struct oci_digest digest;
	size_t size;
	char name[OCI_BLOB_NAME_LEN + 1];
};

static size_t expand(const u8 *p, size_t len, const struct piece *known, int nr, char *out,
		     size_t room)
{
	size_t at = 0;

	for (size_t i = 0; i < len && at + OCI_DIGEST_STRLEN + 1 < room; i++) {
		int n = i + 1 < len ? p[i + 1] - '0' : -1;

		if (n < 0 || n >= nr || (p[i] != '%' && p[i] != '#')) {
			out[at++] = (char)p[i];
			continue;
		}
		if (p[i] == '%')
			at += strlen(oci_digest_text(&known[n].digest, out + at));
		else
			at += (size_t)sprintf(out + at, "%zu", known[n].size);
		i++;
	}
	return at;
}

static void layout(const u8 *data, size_t size)
{
	static char text[1 << 20];
	struct piece known[PIECES];
	int nr = 0;

	for (;;) {
		const u8 *end = memchr(data, 0xff, size);
		size_t len = end ? (size_t)(end - data) : size;
		size_t n = expand(data, len, known, nr, text, sizeof(text));

		if (!end || nr == PIECES - 1) {
			put("index.json", text, n);
			break;
		}
		oci_digest_of(text, n, &known[nr].digest);
		known[nr].size = n;
		oci_blob_name(&known[nr].digest, known[nr].name);
		put(known[nr].name, text, n);
		nr++;
		data += len + 1;
		size -= len + 1;
	}
	open_image(dir);
	while (nr--)
		drop(known[nr].name);
	drop("index.json");
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	char path[256];

	if (!dir[0])
		init();
	if (!size)
		return 0;
	if (data[0] != 'T') {
		layout(data, size);
		return 0;
	}
	put("image.tar", data + 1, size - 1);
	path_of("image.tar", path);
	open_image(path);
	drop("image.tar");
	return 0;
}
