// SPDX-License-Identifier: GPL-2.0-only
/* The archive of docker save: manifest.json names config and layers, without digests. */
#include <errno.h>
#include <stdlib.h>

#include "image.h"
#include "json.h"

static bool has_tag(struct json_object *image, const char *ref)
{
	struct json_object *tags = oci_json_get(image, "RepoTags");

	for (size_t i = 0; i < oci_json_len(tags); i++) {
		const char *tag = oci_json_str_at(tags, i), *colon;

		if (!tag)
			continue;
		colon = strrchr(tag, ':');
		if (!strcmp(tag, ref) || (colon && !strcmp(colon + 1, ref)))
			return true;
	}
	return false;
}

static struct json_object *choose(struct json_object *list, const char *ref, size_t *hits)
{
	struct json_object *hit = NULL;

	*hits = 0;
	for (size_t i = 0; i < oci_json_len(list); i++)
		if (!ref || has_tag(oci_json_at(list, i), ref)) {
			hit = oci_json_at(list, i);
			++*hits;
		}
	return hit;
}

static int take_layers(struct oci_image *img, struct json_object *list, struct ybd_error *err)
{
	size_t nr = oci_json_len(list);

	if (nr > OCI_LAYERS_MAX)
		return ybd_error_set(err, -E2BIG, "the image has %zu layers, more than %u", nr,
				     OCI_LAYERS_MAX);
	img->layer = calloc(nr + 1, sizeof(*img->layer));
	if (!img->layer)
		return ybd_error_sys(err, -ENOMEM, "manifest.json");
	for (; img->nr < nr; img->nr++) {
		const char *file = oci_json_str_at(list, img->nr);

		if (!file)
			return ybd_error_set(err, -EBADMSG, "manifest.json: layer %zu has no name",
					     img->nr + 1);
		img->layer[img->nr].filter = OCI_FILTER_ANY;
		img->layer[img->nr].file = strdup(file);
		if (!img->layer[img->nr].file)
			return ybd_error_sys(err, -ENOMEM, "manifest.json");
	}
	return 0;
}

static int take_image(struct oci_source *s, struct oci_image *img, struct json_object *o,
		      struct ybd_error *err)
{
	const char *config = oci_json_str(o, "Config"), *tag;
	char *text;
	size_t len;
	int rc;

	if (!config)
		return ybd_error_set(err, -EBADMSG, "manifest.json names no config");
	rc = take_layers(img, oci_json_get(o, "Layers"), err);
	if (!rc)
		rc = oci_source_text(s, config, OCI_CONFIG_MAX, &text, &len, err);
	if (!rc)
		rc = oci_image_config(img, text, len, img->nr, err);
	if (rc)
		return rc;
	img->manifest = img->config_digest;
	tag = oci_json_str_at(oci_json_get(o, "RepoTags"), 0);
	if (tag) {
		img->tag = strdup(tag);
		if (!img->tag)
			return ybd_error_sys(err, -ENOMEM, "manifest.json");
	}
	return 0;
}

int oci_docker_open(struct oci_source *s, const char *ref, struct oci_image *out,
		    struct ybd_error *err)
{
	struct json_object *o, *image;
	char *text;
	size_t len, hits;
	int rc = oci_source_text(s, "manifest.json", OCI_JSON_MAX, &text, &len, err);

	if (rc)
		return rc;
	rc = oci_json_parse(text, len, "manifest.json", &o, err);
	free(text);
	if (rc)
		return rc;
	image = choose(o, ref, &hits);
	if (!hits)
		rc = ybd_error_set(err, -ENOENT, "no image %s in the archive", ref ?: "");
	else if (hits > 1)
		rc = ybd_error_set(err, -ENOTUNIQ,
				   "there are %zu images: name one by its tag, as SRC:TAG", hits);
	else
		rc = take_image(s, out, image, err);
	oci_json_put(o);
	return rc;
}
