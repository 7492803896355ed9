// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "names.h"
#include "swap.h"
#include "util.h"

/* A name that says what the thing is, not where it is. */
static bool is_identity(const char *name)
{
	return strncmp(name, "path:", 5) && strncmp(name, "file:", 5);
}

int ybd_swap_check(const struct ybd_source_info *src,
		   const struct ybd_source *dev, struct ybd_error *err)
{
	if (dev->is_file)
		return ybd_error_set(err, -ENOTBLK, "%s is a file", dev->path);
	if (is_identity(src->name) && strcmp(src->name, dev->name))
		return ybd_error_set(err, -ESTALE,
				     "%s is %s, expected %s", dev->path,
				     dev->name, src->name);
	if (dev->size != src->size)
		return ybd_error_set(err, -ESTALE,
				     "%s has %llu bytes, source %s has %llu",
				     dev->path, (unsigned long long)dev->size,
				     src->name, (unsigned long long)src->size);
	if (dev->block_size != src->logical_block_size)
		return ybd_error_set(err, -ESTALE,
				     "%s has logical blocks of %u bytes, source %s has %u",
				     dev->path, dev->block_size, src->name,
				     src->logical_block_size);
	return 0;
}

static bool reads_from(const struct ybd_image_info *img,
		       const struct ybd_source_info *src)
{
	size_t i;

	for (i = 0; i < img->nr_sources; i++)
		if (img->sources[i].id == src->id)
			return true;
	return false;
}

/* Is it made of the device, and not of another one that has the same? */
static bool plan_reads(const struct ybd_plan *p, const struct ybd_source *dev)
{
	size_t i;

	for (i = 0; i < p->nr_sources; i++)
		if (p->sources[i] == dev)
			return true;
	return false;
}

/* 1 when these layers are the image, 0 when not; or why that cannot be said. */
static int try_layers(struct ybd_finder *f, const struct ybd_image_info *img,
		      const struct ybd_source *dev, const char *const *layers,
		      size_t n, struct ybd_error *err)
{
	struct ybd_plan p;
	int rc = ybd_plan_make(f, layers, n,
			       img->flags & YBD_IMAGE_FLAGS_READ_ONLY, &p, err);

	if (rc)
		return rc;
	rc = ybd_plan_is(&p, img) && plan_reads(&p, dev);
	ybd_plan_free(&p);
	return rc;
}

/* The lvol that the image is of, by uuids: whatever the image was called. */
static int try_lvol(struct ybd_finder *f, const struct ybd_image_info *img,
		    struct ybd_source *dev, struct ybd_error *err)
{
	char spec[2 * YBD_UUID_TEXT_LEN + 2], uuid[YBD_UUID_TEXT_LEN];
	const char *layer = spec;
	struct lvs_store *store;
	int rc = ybd_source_store(dev, &store, err);

	if (rc)
		return rc;
	snprintf(spec, sizeof(spec), "%s/%s", lvs_uuid(store),
		 ybd_uuid_text(img->uuid, uuid));
	return try_layers(f, img, dev, &layer, 1, err);
}

/* The layers that its name is joined from. */
static int try_name(struct ybd_finder *f, const struct ybd_image_info *img,
		    const struct ybd_source *dev, struct ybd_error *err)
{
	const char *layer[YBD_IMAGE_NAME_LEN / 2 + 1];
	char name[YBD_IMAGE_NAME_LEN + 1], *save, *one;
	size_t n = 0;

	snprintf(name, sizeof(name), "%s", img->name);
	for (one = strtok_r(name, "+", &save); one; one = strtok_r(NULL, "+", &save)) {
		if (ybd_layer_check(one))
			return ybd_error_set(err, -ENOENT,
					     "its layers are not known: its name, \"%s\", does not say them",
					     img->name);
		layer[n++] = one;
	}
	return try_layers(f, img, dev, layer, n, err);
}

static int verify_image(struct ybd_finder *f, const struct ybd_image_info *img,
			struct ybd_source *dev, struct ybd_error *err)
{
	struct ybd_error by_name = { 0 };
	int rc = try_lvol(f, img, dev, err), named;

	if (rc > 0)
		return 0;
	named = try_name(f, img, dev, &by_name);
	if (named > 0)
		return 0;
	/* that it is another one says more than that it is not found */
	if (!rc || !named)
		return ybd_error_set(err, -ESTALE,
				     "%s: image %s is not what it was when it was loaded",
				     dev->path, img->name);
	/* what it was read from is not there, in whichever words say more */
	if (rc == -ENODATA)
		*err = by_name;
	ybd_error_prefix(err, "%s: image %s", dev->path, img->name);
	if (err->code == -ENOENT)
		err->code = -ESTALE;
	return err->code;
}

static int verify_named(struct ybd_nl *nl, struct ybd_finder *f,
			const struct ybd_source_info *src, const char *name,
			struct ybd_source *dev, struct ybd_error *err)
{
	struct ybd_image_info img;
	int rc = ybd_nl_image_get(nl, name, &img, err);

	if (rc == -ENOENT)
		return 0;	/* unloaded meanwhile */
	if (rc)
		return rc;
	if (reads_from(&img, src))
		rc = verify_image(f, &img, dev, err);
	ybd_image_info_free(&img);
	return rc;
}

int ybd_swap_verify(struct ybd_nl *nl, struct ybd_finder *f,
		    const struct ybd_source_info *src, struct ybd_source *dev,
		    struct ybd_error *err)
{
	struct ybd_image_list list;
	int rc = ybd_swap_check(src, dev, err);
	size_t i;

	if (!rc)
		rc = ybd_nl_image_list(nl, &list, err);
	if (rc)
		return rc;
	for (i = 0; !rc && i < list.n; i++)
		rc = verify_named(nl, f, src, list.v[i].name, dev, err);
	ybd_image_list_free(&list);
	return rc;
}

int ybd_swap(struct ybd_nl *nl, struct ybd_source_info *src, const char *path, bool trust,
	     struct ybd_error *err)
{
	struct ybd_finder f;
	int rc = ybd_finder_init(&f, &path, 1, NULL, 0, err);

	if (rc)
		return rc;
	if (trust)
		rc = ybd_swap_check(src, f.sources, err);
	else
		rc = ybd_swap_verify(nl, &f, src, f.sources, err);
	if (!rc)
		rc = ybd_source_device(f.sources, err);
	if (!rc)
		rc = ybd_nl_source_swap(nl, src->id, src->name, f.sources->dev_fd, src, err);
	ybd_finder_exit(&f);
	return rc;
}
