// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: layers of any bytes whatever, two of them, applied to an ext4 or an EROFS in
 * memory. What was applied without an error has to be there again when the filesystem is opened, as a tree, with
 * as many names for each inode as it says.
 *
 * An input is the length of the first layer in records of 512 bytes (two bytes), and both layers.
 * With the uppermost bit of the length the layers are not merged; with the next one it is an EROFS.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/apply.h"
#include "erofs/erofs.h"
#include "ext4/extfs.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max);

#define must(cond) do { if (!(cond)) broken(#cond, __LINE__); } while (0)

static void broken(const char *what, int line)
{
	fprintf(stderr, "line %d: not so: %s\n", line, what);
	abort();
}

/* ---- a store in memory: a filesystem without anything in it, and what was written since ---- */

#define BLOCKS	(IMGFS_SIZE_MIN / IMGFS_BLOCK)

static u8 *blanks[2][BLOCKS], **blank = blanks[0], *page[BLOCKS];
static bool erofs;

static int mem_io(struct bytestore *b, u64 off, void *buf, const void *from, size_t len)
{
	static const u8 zero[IMGFS_BLOCK];

	must(off <= b->size && len <= b->size - off);
	must(off % IMGFS_BLOCK == 0 && len % IMGFS_BLOCK == 0);
	for (size_t at = 0; at < len; at += IMGFS_BLOCK) {
		u8 **p = &page[(off + at) / IMGFS_BLOCK];
		const u8 *below = blank[(off + at) / IMGFS_BLOCK];

		if (buf) {
			memcpy((u8 *)buf + at, *p ? *p : below ? below : zero, IMGFS_BLOCK);
			continue;
		}
		if (!*p)
			*p = malloc(IMGFS_BLOCK);
		memcpy(*p, from ? (const u8 *)from + at : zero, IMGFS_BLOCK);
	}
	return 0;
}

static int mem_read(struct bytestore *b, u64 off, void *buf, size_t len)
{
	return mem_io(b, off, buf, NULL, len);
}

static int mem_write(struct bytestore *b, u64 off, const void *buf, size_t len)
{
	return mem_io(b, off, NULL, buf, len);
}

static int mem_zero(struct bytestore *b, u64 off, u64 len)
{
	return mem_io(b, off, NULL, NULL, len);
}

static int mem_flush(struct bytestore *b)
{
	return 0;
}

static const struct bytestore_ops mem_ops = {
	.read = mem_read,
	.write = mem_write,
	.zero = mem_zero,
	.flush = mem_flush,
};

static struct bytestore store = { .ops = &mem_ops, .size = IMGFS_SIZE_MIN, .unit = 65536 };

static void make_blank(void)
{
	const struct extfs_opts o = { .uuid = "fuzz", .hash_seed = "fuzz" };
	struct ybd_error err = { 0 };
	struct imgfs *e;

	must(!extfs_make(&store, &o, &e, &err));
	must(!imgfs_finish(e, 1, &err));
	memcpy(blanks[0], page, sizeof(page));
	memset(page, 0, sizeof(page));
	blank = blanks[1];
	must(!erofs_make(&store, o.uuid, &e, &err));
	must(!imgfs_finish(e, 1, &err));
	memcpy(blanks[1], page, sizeof(page));
	memset(page, 0, sizeof(page));
}

static void reset(void)
{
	for (size_t i = 0; i < BLOCKS; i++)
		free(page[i]);
	memset(page, 0, sizeof(page));
	memset(&store.err, 0, sizeof(store.err));
}

static int open_fs(struct imgfs **e, struct ybd_error *err)
{
	return erofs ? erofs_open(&store, e, err) : extfs_open(&store, e, err);
}

/* ---- what came of it ---- */

#define INODES	8192

static u16 names[INODES];

static void walk(struct imgfs *e, u32 dir, u32 parent, int depth)
{
	char name[IMGFS_NAME_MAX + 1], target[IMGFS_BLOCK];
	struct ybd_error err = { 0 };
	struct imgfs_node node;
	struct imgfs_attr a;
	size_t pos = 0;
	u32 up;

	must(!imgfs_parent(e, dir, &up, &err) && up == parent);
	if (depth > 200)
		return;
	while (!imgfs_next(e, dir, &pos, name, &node, &err)) {
		must(node.ino < INODES && *name && !strchr(name, '/'));
		must(!imgfs_get_attr(e, node.ino, &a, &err));
		must((a.mode & S_IFMT) == node.mode);
		if (S_ISLNK(node.mode))
			must(!imgfs_readlink(e, node.ino, target, &err) && *target);
		must(!names[node.ino]++ || !S_ISDIR(node.mode));
		if (S_ISDIR(node.mode))
			walk(e, node.ino, dir, depth + 1);
	}
}

static void check(void)
{
	struct ybd_error err = { 0 };
	struct imgfs *e;

	must(!open_fs(&e, &err));
	memset(names, 0, sizeof(names));
	walk(e, IMGFS_ROOT, IMGFS_ROOT, 0);
	/* it opens again, and takes a further layer */
	must(!imgfs_finish(e, 2, &err));
}

/* ---- layers ---- */

static char dir[64];
static int layer_fd = -1;

static void init(void)
{
	char name[80];

	snprintf(dir, sizeof(dir), "/tmp/ybd-convert-fuzz-XXXXXX");
	must(mkdtemp(dir));
	snprintf(name, sizeof(name), "%s/layer", dir);
	layer_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	must(layer_fd >= 0);
	make_blank();
}

__attribute__((destructor))
static void clean_up(void)
{
	char name[80];

	if (layer_fd < 0)
		return;
	snprintf(name, sizeof(name), "%s/layer", dir);
	unlink(name);
	rmdir(dir);
}

/* -errno of the layer; the store is as it was unless it is 0 */
static int apply(const u8 *data, size_t len, size_t nr)
{
	static struct lowers lowers;
	struct oci_layer l = { .file = (char *)"layer", .filter = OCI_FILTER_ANY };
	struct ybd_error err = { 0 };
	struct oci_layer_reader *r;
	struct oci_source *s;
	struct imgfs *e;
	int rc;

	must(!ftruncate(layer_fd, 0) && pwrite(layer_fd, data, len, 0) == (ssize_t)len);
	oci_digest_of(data, len, &l.diff_id);
	must(!oci_source_open(dir, &s, &err));
	rc = oci_layer_open(s, &l, NULL, &r, &err);
	if (rc)
		goto out;
	must(!open_fs(&e, &err));
	if (nr)
		must(!lowers_begin(&lowers, e, nr, &err));
	rc = apply_layer(e, nr ? &lowers : NULL, r, NULL, NULL, &err);
	if (rc)
		imgfs_abort(e);
	else
		must(!imgfs_finish(e, 1, &err));
	oci_layer_close(r);
out:
	must(!rc || (rc < 0 && err.text[0]));
	oci_source_close(s);
	return rc;
}

static size_t first_length(const u8 *data)
{
	return (size_t)(data[0] | (data[1] & 0x3f) << 8) * 512;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	bool apart;
	size_t first;

	if (layer_fd < 0)
		init();
	if (size < 2)
		return 0;
	apart = data[1] & 0x80;
	erofs = data[1] & 0x40;
	blank = blanks[erofs];
	first = first_length(data);
	data += 2;
	size -= 2;
	first = first < size ? first : size;
	reset();
	if (!apply(data, first, apart ? 1 : 0)) {
		check();
		if (!apply(data + first, size - first, apart ? 2 : 0))
			check();
	}
	return 0;
}

/* ---- mutation: headers whose sum is right again ---- */

static void mend(u8 *p, size_t len)
{
	while (len >= 512) {
		unsigned int sum = 8 * ' ';
		char size[13] = "", text[9];
		u64 body;

		for (int i = 0; i < 512; i++)
			sum += i >= 148 && i < 156 ? 0 : p[i];
		if (sum != 8 * ' ') {
			snprintf(text, sizeof(text), "%06o", sum & 0777777);
			memcpy(p + 148, text, 7);
			p[155] = ' ';
		}
		memcpy(size, p + 124, 12);
		body = (strtoull(size, NULL, 8) + 511) / 512 * 512;
		if (body > len - 512)
			return;
		p += 512 + body;
		len -= 512 + body;
	}
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed)
{
	size_t n = LLVMFuzzerMutate(data, size, max), first;

	/* now and then as it is */
	if (n < 2 || seed % 16 == 0)
		return n;
	first = first_length(data);
	first = first < n - 2 ? first : n - 2;
	mend(data + 2, first);
	mend(data + 2 + first, n - 2 - first);
	return n;
}
