// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/ybd_map.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image.h"
#include "model_image.h"

#define SECTOR		512
#define MAX_SOURCE	(16ULL << 20)
#define MAX_EXT		4096
#define STRIPE		(1U << 20)
#define DENSE		(10ULL << 20)

static struct ybd_overlay map;
/* Extents are multiples of this: the largest logical block of a source. */
static u32 granule = SECTOR;

/* ---- sources ---- */

static void source_fill(unsigned int source, u64 sector, u8 *buf)
{
	u64 *w = (u64 *)buf;
	u64 x = sector << 16 | source << 8 | 0x51;
	unsigned int i;

	for (i = 0; i < SECTOR / 8; i++)
		w[i] = x += 0xda942042e4dd58b5ULL;
}

static u64 stripe_len(const struct test_image *img, unsigned int i, u64 off)
{
	u64 left = img->source_size[i] - off;

	return left < STRIPE ? left : STRIPE;
}

static void source_write(struct test_image *img, unsigned int i, const char *path)
{
	u8 *buf = xalloc(STRIPE);
	u64 size, off, len, s;
	int fd, lbs;

	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size) || ioctl(fd, BLKSSZGET, &lbs))
		die("%s: %m", path);
	if ((u32)lbs > granule)
		granule = lbs;
	img->source_size[i] = size < MAX_SOURCE ? size : MAX_SOURCE;
	for (off = 0; off < img->source_size[i]; off += len) {
		len = stripe_len(img, i, off);
		for (s = 0; s < len / SECTOR; s++)
			source_fill(i, off / SECTOR + s, buf + s * SECTOR);
		if (pwrite(fd, buf, len, off) != (ssize_t)len)
			die("%s: write: %m", path);
	}
	close(fd);
	free(buf);
	img->fd[i] = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (img->fd[i] < 0)
		die("%s: %m", path);
}

u64 image_check_sources(const struct test_image *img)
{
	u8 *buf = xalloc(STRIPE), want[SECTOR] __attribute__((aligned(8)));
	u64 off, len, s, bad = 0;
	unsigned int i;

	for (i = 0; i < img->nr_sources; i++) {
		for (off = 0; off < img->source_size[i]; off += len) {
			len = stripe_len(img, i, off);
			if (pread(img->fd[i], buf, len, off) != (ssize_t)len)
				die("source %u: read: %m", i);
			for (s = 0; s < len / SECTOR; s++) {
				source_fill(i, off / SECTOR + s, want);
				bad += !!memcmp(want, buf + s * SECTOR, SECTOR);
			}
		}
	}
	free(buf);
	return bad;
}

/* ---- a generated map ---- */

/* Length of the next extent or hole; most are short, some are long. */
static u64 pick_len(struct rng *rng, u64 unit)
{
	return (1 + rng_below(rng, rng_chance(rng, 20) ? 64 : 5)) * unit;
}

static void paint(struct test_image *img, const struct ybd_map_extent *e)
{
	u64 s;

	for (s = 0; s < e->len / SECTOR; s++)
		source_fill(e->source, e->phys / SECTOR + s,
			    img->content + e->start + s * SECTOR);
}

static u64 pick_unit(enum map_style style, struct rng *rng)
{
	static const u32 units[] = { 512, 512, 1536, 4096, 4096, 12288, 65536 };
	u32 unit = units[rng_below(rng, ARRAY_LEN(units))];

	return style == MAP_GENERAL ? (unit + granule - 1) / granule * granule : 65536;
}

static void add_layer(struct test_image *img, enum map_style style, u64 size, struct rng *rng)
{
	struct ybd_map_extent *ext = xalloc(MAX_EXT * sizeof(*ext));
	u64 pos = 0, unit, room;
	size_t nr = 0;

	while (nr < MAX_EXT) {
		struct ybd_map_extent *e = &ext[nr];

		unit = pick_unit(style, rng);
		pos += rng_chance(rng, 30) ? 0 : pick_len(rng, unit);
		/* what is huge is mostly empty, which makes it extents */
		if (pos > DENSE && pos < size - DENSE / 8)
			pos = (size - DENSE / 8) / granule * granule;
		if (pos >= size)
			break;
		e->start = pos;
		e->source = style == MAP_CLUSTER ? 0 : rng_below(rng, img->nr_sources);
		e->len = pick_len(rng, unit);
		/* a size need not be one of whole granules: that end is a hole */
		if (e->len > size - pos)
			e->len = (size - pos) / granule * granule;
		if (!e->len)
			break;
		room = img->source_size[e->source] - e->len;
		unit = style == MAP_GENERAL && rng_chance(rng, 50) ? 4096 : unit;
		e->phys = rng_below(rng, room / unit + 1) * unit;
		pos += e->len;
		paint(img, e);
		nr++;
	}
	if (ybd_overlay_add(&map, ext, nr, size))
		die("overlay: %m");
	free(ext);
}

void image_generate(struct test_image *img, const char *const *sources, unsigned int nr,
		    enum map_style style, unsigned int layers, struct rng *rng)
{
	unsigned int i;

	img->name = "model";
	img->nr_sources = nr;
	for (i = 0; i < nr; i++)
		source_write(img, i, sources[i]);
	/* tables need whole clusters; else the end is anywhere in a block */
	if (style != MAP_GENERAL)
		img->size &= ~65535ULL;
	img->content = xalloc(img->size);
	while (layers--)
		add_layer(img, style, img->size, rng);
}

static int map_fd(void)
{
	int fd = memfd_create("map", MFD_CLOEXEC);
	ssize_t len = map.nr * sizeof(*map.ext);

	if (fd < 0 || write(fd, map.ext, len) != len)
		die("map: %m");
	return fd;
}

void image_load(struct test_image *img, struct ybd_nl *nl)
{
	struct ybd_source_req src[MAX_SOURCES];
	struct ybd_image_req req = {
		.name = img->name,
		.size = img->size,
		.logical_block_size = img->block_size,
		.layers = 1,
		.extents = map.nr,
		.sources = src,
		.nr_sources = img->nr_sources,
	};
	struct ybd_image_info info;
	struct ybd_error err = { 0 };
	char names[MAX_SOURCES][16];
	unsigned int i;

	for (i = 0; i < img->nr_sources; i++) {
		snprintf(names[i], sizeof(names[i]), "model:%u", i);
		src[i] = (struct ybd_source_req){ img->fd[i], names[i] };
	}
	req.map_fd = map_fd();
	if (ybd_nl_image_load(nl, &req, &info, &err))
		die("image: %s", err.text);
	close(req.map_fd);
	printf("# image of %" PRIu64 " bytes: %u extents as %s, %u sources\n", img->size,
	       info.extents, info.map_kind == YBD_MAP_KIND_TABLE ? "a table" : "extents",
	       img->nr_sources);
	ybd_image_info_free(&info);
}

/* ---- an lvol ---- */

void image_from_lvol(struct test_image *img, const char *spec, const char *source,
		     struct ybd_nl *nl)
{
	struct ybd_image_info info;
	struct ybd_error err = { 0 };
	struct ybd_finder f;
	struct ybd_plan p;
	size_t i;

	if (ybd_finder_init(&f, &source, 1, NULL, 0, &err) ||
	    ybd_plan_make(&f, &spec, 1, false, &p, &err))
		die("%s: %s", spec, err.text);
	img->size = p.map.size;
	img->block_size = p.logical_block_size;
	img->content = xalloc(img->size);
	for (i = 0; i < p.map.nr; i++) {
		const struct ybd_map_extent *e = &p.map.ext[i];

		if (pread(p.sources[e->source]->fd, img->content + e->start, e->len,
			  e->phys) != (ssize_t)e->len)
			die("%s: read: %m", spec);
	}
	img->name = "model";
	if (ybd_plan_load(nl, &p, img->name, &info, &err) < 0)
		die("%s: %s", spec, err.text);
	printf("# image %s of %" PRIu64 " bytes: %u extents\n", spec, img->size, info.extents);
	ybd_image_info_free(&info);
	ybd_plan_free(&p);
	ybd_finder_exit(&f);
}
