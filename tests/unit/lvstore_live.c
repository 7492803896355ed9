// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stores that another program writes while they are read: lvstore_live JSON-DIR IMAGE-DIR
 *
 * The fixtures of interrupted snapshot operations are the same store after one device write and the
 * next. Here the device turns from one into the other at every read that could tell them apart, so
 * the reader meets every mixture of old and new pages that a scan can meet. Whatever it lists must
 * be right at the end: same content as SPDK reads.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "crc32c.h"
#include "ktap.h"
#include "lvstore_fixture.h"
#include "lvstore_image.h"
#include "util.h"

#define STEPS_MAX 5

static const char *json_dir, *image_dir;

/**
 * struct device - a device that changes while it is read
 * @im: the images that it turns into, one after the other
 * @steps: how many
 * @now: which one it is
 * @turn: after how many moments it turns into the next one, each; the moments are before and after
 *        each read of a piece that is about to change
 * @reads: moments so far
 * @hook: called before and after each 4096-byte piece is read
 * @page: md page that the hook is about
 * @count: for the hook
 * @deleted: lvol that goes, though the last JSON still has it
 */
struct device {
	struct image im[STEPS_MAX];
	unsigned int steps;
	unsigned int now;
	unsigned int turn[STEPS_MAX];
	unsigned int reads;
	void (*hook)(struct device *d, u64 off, bool after);
	u32 page;
	unsigned int count;
	const char *deleted;
};

/* Would this piece look different a write later? */
static bool interesting(const struct device *d, u64 off)
{
	return d->now + 1 < d->steps &&
	       memcmp(d->im[d->now].mem + off, d->im[d->now + 1].mem + off, 4096);
}

/* Before a read that could tell, or right after it. */
static void turn(struct device *d, u64 off, bool after)
{
	(void)after;
	while (interesting(d, off) && d->reads == d->turn[d->now]) {
		d->now++;
		d->reads = 0;
	}
	if (interesting(d, off))
		d->reads++;
}

static int device_read(struct lvs_io *io, u64 off, void *buf, size_t len)
{
	struct device *d = io->priv;
	u64 end = off + len;

	while (off < end) {
		u64 base = off & ~4095ULL;
		size_t n = base + 4096 < end ? base + 4096 - off : end - off;

		d->hook(d, base, false);
		memcpy(buf, d->im[d->now].mem + off, n);
		d->hook(d, base, true);
		buf = (u8 *)buf + n;
		off += n;
	}
	return 0;
}

static int device_open(struct device *d, struct lvs_store **s, struct lvs_error *err)
{
	static const struct lvs_io_ops ops = { .read = device_read };
	struct lvs_io *io;

	d->now = 0;
	d->reads = 0;
	d->count = 0;
	if (lvs_io_open_ops(&ops, d->im[0].len, d, &io))
		return -ENOMEM;
	return lvs_open_io(io, s, err);
}

static void device_free(struct device *d)
{
	for (unsigned int i = 0; i < d->steps; i++)
		image_free(&d->im[i]);
}

/* ---- one write after the other ---- */

static struct json_object *json_lvol(struct json_object *root, const char *name)
{
	struct json_object *lvols = js(root, "lvols");

	for (size_t i = 0; i < json_object_array_length(lvols); i++) {
		struct json_object *j = json_object_array_get_idx(lvols, i);

		if (!strcmp(js_str(j, "name"), name))
			return j;
	}
	return NULL;
}

/* Maps whose content was found right: most orders lead to one of a few. */
static u8 good[64][LVS_IDENTITY_LEN];
static size_t nr_good;

static bool known_good(const u8 id[LVS_IDENTITY_LEN])
{
	for (size_t i = 0; i < nr_good; i++)
		if (!memcmp(good[i], id, LVS_IDENTITY_LEN))
			return true;
	return false;
}

/* Is the content that of the last state, read now that all writes are done? */
static void check_lvol(struct lvs_store *s, const struct lvs_lvol *l, struct json_object *j)
{
	u8 id[LVS_IDENTITY_LEN];
	struct content c;
	struct lvs_map map;

	if (lvs_flatten(l, &map)) {
		ktap_fail("%s: not flattened", lvs_lvol_name(l));
		return;
	}
	lvs_identity(l, &map, id);
	if (known_good(id)) {
		lvs_map_free(&map);
		return;
	}
	if (content_hash(s, &map, -1, &c))
		ktap_fail("%s: content cannot be read", lvs_lvol_name(l));
	if (strcmp(c.sparse, js_str(j, "sparse_sha256")))
		ktap_fail("%s: wrong content", lvs_lvol_name(l));
	else if (nr_good < ARRAY_SIZE(good))
		memcpy(good[nr_good++], id, sizeof(id));
	lvs_map_free(&map);
}

static void check_store(struct device *d, struct lvs_store *s, struct json_object *last)
{
	struct json_object *lvols = js(last, "lvols");

	for (size_t i = 0; i < lvs_refusals(s); i++)
		ktap_fail("refused: %s", lvs_refusal_at(s, i)->text);
	for (size_t i = 0; i < json_object_array_length(lvols); i++) {
		struct json_object *j = json_object_array_get_idx(lvols, i);
		const struct lvs_lvol *l = lvs_find(s, js_str(j, "name"));

		/* what was made behind the scan's back need not be seen */
		if (!l)
			continue;
		d->now = d->steps - 1;
		check_lvol(s, l, j);
	}
}

static struct json_object *load_json(const char *name)
{
	struct json_object *root;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.json", json_dir, name);
	root = json_object_from_file(path);
	if (root)
		return root;
	printf("Bail out! %s\n", path);
	exit(1);
}

/* lvols that are there before and after all writes are always seen */
static void check_seen(const struct device *d, struct lvs_store *s, struct json_object *first,
		       struct json_object *last)
{
	struct json_object *lvols = js(first, "lvols");

	for (size_t i = 0; i < json_object_array_length(lvols); i++) {
		const char *name = js_str(json_object_array_get_idx(lvols, i), "name");

		if (json_lvol(last, name) && (!d->deleted || strcmp(name, d->deleted)))
			ktap_check(lvs_find(s, name), "%s is not seen", name);
	}
}

static void one_order(struct device *d, struct json_object *first, struct json_object *last)
{
	struct lvs_error err;
	struct lvs_store *s;

	if (device_open(d, &s, &err)) {
		ktap_fail("open: %s", err.text);
		return;
	}
	check_store(d, s, last);
	check_seen(d, s, first, last);
	if (ktap.bad)
		ktap_fail("...with turns after %u, %u, %u, %u reads", d->turn[0], d->turn[1],
			  d->turn[2], d->turn[3]);
	lvs_close(s);
}

/* A turn after so many reads and then nothing: past the last interesting read. */
#define NEVER 24

/* Every pair of turns, the others at once or never; then others at random, but always the same. */
static unsigned int orders(struct device *d, struct json_object *first, struct json_object *last)
{
	unsigned int n = 0, turns = d->steps - 1, seed = 1;

	for (unsigned int k = 0; k + 1 < turns; k++)
		for (unsigned int i = 0; i < NEVER * NEVER && !ktap.bad; i++, n++) {
			for (unsigned int t = 0; t < turns; t++)
				d->turn[t] = t < k ? 0 : NEVER;
			d->turn[k] = i / NEVER;
			d->turn[k + 1] = i % NEVER;
			one_order(d, first, last);
		}
	for (unsigned int i = 0; i < 1000 && turns > 2 && !ktap.bad; i++, n++) {
		for (unsigned int t = 0; t < turns; t++)
			d->turn[t] = (unsigned int)rand_r(&seed) % 12;
		one_order(d, first, last);
	}
	return n;
}

/*
 * The two writes of a deletion that no fixture ends with, as SPDK cannot load the state between
 * them: the clone's root gets the snapshot's parent, then the snapshot's root is zeroed.
 */
static void finish_delete(struct device *d, const char *snap, const char *clone)
{
	const char *name = "unclean-snapdelete-02";
	struct image *im = &d->im[d->steps];
	u32 s, c;

	d->steps += 2;
	image_load(&im[0], image_dir, name);
	image_load(&im[1], image_dir, name);
	s = image_root(&im[0], snap);
	c = image_root(&im[0], clone);
	for (int i = 0; i < 2; i++) {
		memcpy(image_xattr(&im[i], c, "SNAP"), image_xattr(&im[i], s, "SNAP"), 8);
		image_fix_page(&im[i], c);
	}
	memset(image_page(&im[1], s), 0, 4096);
	d->deleted = snap;
}

static void sequence(const char *const *names, const char *snap, const char *clone)
{
	struct device d = { .hook = turn };
	struct json_object *first = load_json(names[0]), *last = NULL;
	unsigned int n;

	for (n = 0; names[n]; n++) {
		image_load(&d.im[d.steps++], image_dir, names[n]);
		json_object_put(last);
		last = load_json(names[n]);
	}
	if (snap)
		finish_delete(&d, snap, clone);
	nr_good = 0;
	n = orders(&d, first, last);
	printf("# %u orders of reads and writes\n", n);
	device_free(&d);
	json_object_put(first);
	json_object_put(last);
	ktap_done("lvstore live: from %s, %u writes", names[0], d.steps - 1);
}

/* ---- writers that never stop ---- */

/* The page gets another xattr value, and a good crc, at every read. */
static void rewrite_page(struct device *d, u64 off, bool after)
{
	struct image *im = &d->im[0];

	if (after || off != md_byte(&im->s, d->page))
		return;
	put_le32(image_xattr(im, d->page, "uuid"), 0x30303030 + (++d->count & 7));
	image_fix_page(im, d->page);
}

/* The last cluster that the extent page names moves to and fro. */
static void rewrite_extents(struct device *d, u64 off, bool after)
{
	struct image *im = &d->im[0];
	u8 *page = im->mem + md_byte(&im->s, d->page);

	if (after || off != md_byte(&im->s, d->page))
		return;
	put_le32(page + 25, ++d->count % 2 ? 0 : 1000);
	image_fix_page(im, d->page);
}

static void rewrite_super(struct device *d, u64 off, bool after)
{
	struct image *im = &d->im[0];

	if (after || off)
		return;
	put_le32(im->mem + 16, ++d->count % 2);
	image_fix_super(im);
}

static void torn_page(struct device *d, u64 off, bool after)
{
	struct image *im = &d->im[0];

	if (after || off != md_byte(&im->s, d->page))
		return;
	/* bad at the first two reads */
	if (d->count < 3)
		im->mem[off + 4095] ^= d->count != 1;
	d->count++;
}

static void load_unclean(struct device *d, const char *name)
{
	d->steps = 1;
	image_load(&d->im[0], image_dir, name);
	put_le32(d->im[0].mem + 16, 0);
	image_fix_super(&d->im[0]);
}

static void endless_root(void)
{
	struct device d = { .hook = rewrite_page };
	const struct lvs_refusal *r = NULL;
	struct lvs_error err;
	struct lvs_store *s;

	load_unclean(&d, "chain5");
	d.page = image_root(&d.im[0], "snap-03");
	if (device_open(&d, &s, &err)) {
		ktap_fail("%s", err.text);
	} else {
		for (size_t i = 0; i < lvs_refusals(s); i++)
			if (lvs_refusal_at(s, i)->page == d.page)
				r = lvs_refusal_at(s, i);
		ktap_check(r && strstr(r->text, "kept changing"), "the reason is: %s",
			   r ? r->text : "none");
		ktap_check(lvs_find(s, "snap-02") && lvs_find(s, "mid-clone"),
			   "others are left out too");
		ktap_check(!lvs_find(s, "work"), "a clone of it is listed");
		lvs_close(s);
	}
	device_free(&d);
	ktap_done("lvstore live: an lvol that never holds still");
}

static u32 extent_page(struct image *im, const char *lvol)
{
	return get_le32(image_desc(im, image_root(im, lvol), LVS_DESC_EXTENT_TABLE, 0) + 8);
}

static void endless_extents(const char *lvol, bool listed)
{
	struct device d = { .hook = rewrite_extents };
	struct lvs_error err;
	struct lvs_store *s;

	load_unclean(&d, "chain5");
	d.page = extent_page(&d.im[0], lvol);
	if (device_open(&d, &s, &err)) {
		ktap_fail("%s", err.text);
	} else {
		ktap_check(!!lvs_find(s, lvol) == listed, "%s is %slisted", lvol,
			   listed ? "not " : "");
		lvs_close(s);
	}
	device_free(&d);
	ktap_done("lvstore live: %s lvol that gets new clusters all the time",
		  listed ? "a writable" : "a read-only");
}

static void endless_super(void)
{
	struct device d = { .hook = rewrite_super };
	struct lvs_error err;
	struct lvs_store *s;
	int rc;

	load_unclean(&d, "chain5");
	rc = device_open(&d, &s, &err);
	ktap_check(rc == -EBUSY, "open is %d, expected %d", rc, -EBUSY);
	if (!rc)
		lvs_close(s);
	device_free(&d);
	ktap_done("lvstore live: a super block that never holds still");
}

/* The super block's crc is wrong when it is read first. */
static void torn_super_read(struct device *d, u64 off, bool after)
{
	u8 *mem = d->im[0].mem;

	if (off)
		return;
	if (!d->count)
		mem[4095] ^= 1;
	if (d->count == 1 && after)
		mem[4095] ^= 1;
	d->count++;
}

static void torn_super(void)
{
	struct device d = { .hook = torn_super_read };
	struct lvs_error err;
	struct lvs_store *s;

	load_unclean(&d, "chain5");
	if (device_open(&d, &s, &err)) {
		ktap_fail("%s", err.text);
	} else {
		ktap_check(lvs_lvols(s) == 9 && !lvs_refusals(s), "not all lvols are there");
		lvs_close(s);
	}
	device_free(&d);
	ktap_done("lvstore live: a super block read while it was written");
}

static void torn_root(void)
{
	struct device d = { .hook = torn_page };
	struct lvs_error err;
	struct lvs_store *s;

	load_unclean(&d, "chain5");
	d.page = image_root(&d.im[0], "snap-03");
	if (device_open(&d, &s, &err)) {
		ktap_fail("%s", err.text);
	} else {
		ktap_check(lvs_find(s, "snap-03"), "it is left out: %s",
			   lvs_refusals(s) ? lvs_refusal_at(s, 0)->text : "no reason");
		lvs_close(s);
	}
	device_free(&d);
	ktap_done("lvstore live: a page read while it was written");
}

int main(int argc, char **argv)
{
	static const char *const delete[] = {
		"unclean-snapdelete-00", "unclean-snapdelete-01", "unclean-snapdelete-02", NULL
	};
	static const char *const delete_end[] = { "unclean-snapdelete-02", NULL };
	static const char *const delete_base[] = {
		"unclean-basedelete-00", "unclean-basedelete-01", "unclean-basedelete-02",
		"unclean-basedelete-03", NULL
	};
	static const char *const create[] = {
		"unclean-snapcreate-00", "unclean-snapcreate-01", "unclean-snapcreate-03", NULL
	};

	if (argc != 3) {
		fprintf(stderr, "usage: %s JSON-DIR IMAGE-DIR\n", argv[0]);
		return 2;
	}
	json_dir = argv[1];
	image_dir = argv[2];
	ktap_plan(10);
	sequence(delete, "s1", "a");
	sequence(delete_end, "s1", "a");
	sequence(delete_base, NULL, NULL);
	sequence(create, NULL, NULL);
	endless_root();
	endless_extents("work", true);
	endless_extents("snap-03", false);
	endless_super();
	torn_super();
	torn_root();
	return ktap_exit();
}
