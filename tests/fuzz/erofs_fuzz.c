// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: an EROFS of any bytes whatever is read back. What is taken has to be a tree, in
 * which everything can be asked for; it is changed, written, and has to be the same tree when it is
 * read again.
 *
 * An input is the superblock, whose checksum is put right, and the blocks from block 1 on. With
 * YBD_EROFS_SEEDS=DIR seeds are written there, which the writer has made, and nothing else happens.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "crc32c.h"
#include "erofs/erofs.h"
#include "erofs/format.h"
#include "util.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#define must(cond) do { if (!(cond)) broken(#cond, __LINE__); } while (0)

static void broken(const char *what, int line)
{
	fprintf(stderr, "line %d: not so: %s\n", line, what);
	abort();
}

/* ---- a disk in memory ---- */

static u8 disk[IMGFS_SIZE_MIN];
static u64 used;

static int disk_read(struct bytestore *b, u64 off, void *buf, size_t len)
{
	must(off <= sizeof(disk) && len <= sizeof(disk) - off);
	memcpy(buf, disk + off, len);
	return 0;
}

static int disk_write(struct bytestore *b, u64 off, const void *buf, size_t len)
{
	must(off <= sizeof(disk) && len <= sizeof(disk) - off);
	must(off % IMGFS_BLOCK == 0 && len % IMGFS_BLOCK == 0);
	memcpy(disk + off, buf, len);
	used = off + len > used ? off + len : used;
	return 0;
}

static int disk_zero(struct bytestore *b, u64 off, u64 len)
{
	must(off <= sizeof(disk) && len <= sizeof(disk) - off);
	memset(disk + off, 0, len);
	return 0;
}

static int disk_flush(struct bytestore *b)
{
	return 0;
}

static const struct bytestore_ops ops = { disk_read, disk_write, disk_zero, disk_flush };
static struct bytestore store = { .ops = &ops, .size = sizeof(disk), .unit = IMGFS_BLOCK };

/* ---- looking at all of it ---- */

/**
 * struct sum - what a tree comes to; the same whatever the numbers of its inodes are
 * @names: how many
 * @hash: of all that was seen, in the order of the names
 */
struct sum {
	u64 names;
	u64 hash;
};

static void mix(struct sum *s, const void *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		s->hash = (s->hash ^ ((const u8 *)p)[i]) * 0x100000001b3ull;
}

static int mix_xattr(void *arg, const struct imgfs_xattr *x)
{
	must(strlen(x->name) <= IMGFS_NAME_MAX && x->len <= 0xffff);
	mix(arg, x->name, strlen(x->name));
	mix(arg, x->value, x->len);
	return 0;
}

static void look_file(struct imgfs *fs, u32 ino, u64 size, struct sum *s)
{
	struct ybd_error err = { 0 };
	struct imgfs_range *r;
	u8 buf[64];
	u64 pos = 0;
	size_t n;

	must(!imgfs_ranges(fs, ino, &r, &n, &err));
	for (size_t i = 0; i < n; i++) {
		must(r[i].off >= pos && r[i].len && r[i].len <= size - r[i].off);
		must(r[i].at <= sizeof(disk) && r[i].len <= sizeof(disk) - r[i].at);
		pos = r[i].off + r[i].len;
		must(!imgfs_read(fs, r[i].at, buf, r[i].len < 64 ? r[i].len : 64, &err));
		mix(s, &r[i], sizeof(r[i]));
	}
	free(r);
}

static void look(struct imgfs *fs, u32 ino, struct sum *s)
{
	char target[IMGFS_BLOCK];
	struct ybd_error err = { 0 };
	struct imgfs_stat st;
	struct imgfs_attr a;

	must(!imgfs_stat(fs, ino, &st, &err) && !imgfs_get_attr(fs, ino, &a, &err));
	must(a.mode == st.attr.mode && a.nsec < 1000000000 && st.links);
	mix(s, &a.mode, sizeof(a.mode));
	mix(s, &a.uid, sizeof(a.uid));
	mix(s, &a.sec, sizeof(a.sec));
	mix(s, &a.major, sizeof(a.major));
	mix(s, &a.minor, sizeof(a.minor));
	mix(s, &st.size, sizeof(st.size));
	mix(s, &st.links, sizeof(st.links));
	must(!imgfs_each_xattr(fs, ino, mix_xattr, s, &err));
	must(imgfs_has_xattr(fs, ino, "user.none", &err) >= 0);
	if (S_ISLNK(a.mode)) {
		must(!imgfs_readlink(fs, ino, target, &err) && *target);
		mix(s, target, strlen(target));
	}
	if (S_ISREG(a.mode))
		look_file(fs, ino, st.size, s);
}

static void walk(struct imgfs *fs, u32 dir, struct sum *s, int depth)
{
	char name[IMGFS_NAME_MAX + 1];
	struct ybd_error err = { 0 };
	struct imgfs_node node, again;
	size_t pos = 0;
	u32 up;

	look(fs, dir, s);
	while (!imgfs_next(fs, dir, &pos, name, &node, &err)) {
		s->names++;
		mix(s, name, strlen(name) + 1);
		must(*name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, ".."));
		must(!imgfs_lookup(fs, dir, name, strlen(name), &again, &err));
		must(again.ino == node.ino && again.mode == node.mode);
		if (!S_ISDIR(node.mode)) {
			look(fs, node.ino, s);
			continue;
		}
		must(!imgfs_parent(fs, node.ino, &up, &err) && up == dir);
		if (depth < 200)
			walk(fs, node.ino, s, depth + 1);
	}
}

/* ---- changing it ---- */

static const struct imgfs_attr dir_attr = { .mode = S_IFDIR | 0755, .sec = 7 };
static const struct imgfs_attr file_attr = { .mode = S_IFREG | 0644, .uid = 70000, .nsec = 9 };
static const struct imgfs_attr link_attr = { .mode = S_IFLNK | 0777, .sec = -5 };
static const struct imgfs_attr dev_attr = { .mode = S_IFCHR | 0600, .major = 259, .minor = 70000 };

/* A file with holes between pieces of @step bytes, or of one piece. */
static int put_file(struct imgfs *fs, u32 dir, const char *name, u64 size, u64 step,
		    struct ybd_error *err)
{
	static u8 data[5000];
	u32 ino;
	int rc = imgfs_file_begin(fs, &file_attr, size, err);

	for (u64 off = 0; !rc && off < size; off += step) {
		size_t n = size - off < sizeof(data) ? (size_t)(size - off) : sizeof(data);

		rc = imgfs_file_write(fs, off, data, n, step < sizeof(data) ? size - off : n, err);
		step = step < sizeof(data) ? n : step;
	}
	return rc ? rc : imgfs_file_end(fs, dir, name, strlen(name), &ino, err);
}

/* In a directory of that name, unless something is called so. -EEXIST. */
static int change(struct imgfs *fs, const char *name, struct ybd_error *err)
{
	const struct imgfs_xattr x[] = { { "user.a", "value", 5 }, { "trusted.b", "", 0 },
					 { "user.a", "other", 5 } };
	struct imgfs_node node = { .mode = S_IFREG };
	u32 dir, ino;
	int rc = imgfs_mkdir(fs, IMGFS_ROOT, name, strlen(name), &dir_attr, &dir, err);

	if (!rc)
		rc = put_file(fs, dir, "whole", 9000, 1, err);
	if (!rc)
		rc = put_file(fs, dir, "holes", 300000, 70000, err);
	if (!rc)
		rc = imgfs_symlink(fs, dir, "link", 4, &link_attr, "to/somewhere", &ino, err);
	if (!rc)
		rc = imgfs_mknod(fs, dir, "dev", 3, &dev_attr, &node.ino, err);
	if (!rc)
		rc = imgfs_set_xattrs(fs, node.ino, x, ARRAY_SIZE(x), err);
	if (!rc)
		rc = imgfs_link(fs, dir, "again", 5, &node, err);
	if (!rc)
		rc = imgfs_copy_xattrs(fs, node.ino, dir, "trusted.", err);
	return rc ? rc : imgfs_unlink(fs, dir, "dev", 3, err);
}

/* Written as it is, it is read as it was. */
static void again(struct imgfs *fs)
{
	struct sum before = { 0 }, after = { 0 };
	struct ybd_error err = { 0 };
	int rc;

	walk(fs, IMGFS_ROOT, &before, 0);
	rc = imgfs_finish(fs, 1, &err);
	must(!rc || rc == -ENOSPC);
	if (rc)
		return;
	must(!erofs_open(&store, &fs, &err));
	walk(fs, IMGFS_ROOT, &after, 0);
	must(before.names == after.names);
	imgfs_abort(fs);
}

/* ---- inputs ---- */

static void put_checksum(void)
{
	struct ero_super *s = (struct ero_super *)(disk + ERO_SUPER_OFFSET);

	s->checksum = 0;
	s->checksum = htole32(~crc32c(s, IMGFS_BLOCK - ERO_SUPER_OFFSET));
}

static void fill(const u8 *data, size_t size)
{
	size_t head = size < sizeof(struct ero_super) ? size : sizeof(struct ero_super);

	memset(disk, 0, used > IMGFS_BLOCK ? used : IMGFS_BLOCK);
	memcpy(disk + ERO_SUPER_OFFSET, data, head);
	size -= head;
	must(size <= sizeof(disk) - IMGFS_BLOCK);
	memcpy(disk + IMGFS_BLOCK, data + head, size);
	used = IMGFS_BLOCK + size;
	put_checksum();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct ybd_error err = { 0 };
	struct imgfs *fs;
	struct sum sum = { 0 };
	int rc;

	fill(data, size);
	rc = erofs_open(&store, &fs, &err);
	must(!rc || (rc < 0 && err.text[0]));
	if (rc)
		return 0;
	walk(fs, IMGFS_ROOT, &sum, 0);
	rc = change(fs, "changed", &err);
	if (rc == -EEXIST || rc == -ENOSPC || rc == -EOPNOTSUPP) {
		imgfs_abort(fs);
		return 0;
	}
	must(!rc);
	again(fs);
	return 0;
}

/* ---- seeds ---- */

static void save(const char *dir, int n)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%d", dir, n);
	f = fopen(path, "w");
	must(f);
	must(fwrite(disk + ERO_SUPER_OFFSET, sizeof(struct ero_super), 1, f) == 1);
	must(fwrite(disk + IMGFS_BLOCK, used - IMGFS_BLOCK, 1, f) == 1);
	must(!fclose(f));
}

static void make_seeds(const char *dir)
{
	static const u8 uuid[16] = "fuzz";
	struct ybd_error err = { 0 };
	char name[300];
	struct imgfs *fs;
	u32 ino;

	must(!erofs_make(&store, uuid, &fs, &err) && !imgfs_finish(fs, 1, &err));
	save(dir, 0);
	must(!erofs_open(&store, &fs, &err) && !change(fs, "a", &err) && !change(fs, "b", &err));
	must(!imgfs_finish(fs, 2, &err));
	save(dir, 1);
	memset(name, 'n', sizeof(name));
	must(!erofs_open(&store, &fs, &err));
	for (int i = 0; i < 60; i++) {
		int len = snprintf(name, sizeof(name), "%02d", i);

		name[len] = 'n';
		must(!imgfs_mkdir(fs, IMGFS_ROOT, name, 100 + (size_t)i, &dir_attr, &ino, &err));
	}
	must(!imgfs_finish(fs, 3, &err));
	save(dir, 2);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *dir = getenv("YBD_EROFS_SEEDS");

	if (!dir)
		return 0;
	make_seeds(dir);
	exit(0);
}
