// SPDX-License-Identifier: GPL-2.0-only
/* The OCI image layout: index.json leads to manifests, through further indexes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../util.h"
#include "image.h"
#include "json.h"

#define NESTED_MAX	4

/**
 * struct desc - a descriptor
 * @digest: .
 * @size: .
 * @index: of an index; else of a manifest
 * @tag: NULL for none; belongs to the JSON
 */
struct desc {
	struct oci_digest digest;
	u64 size;
	bool index;
	const char *tag;
};

/**
 * struct search - looking for a manifest
 * @s: .
 * @ref: tag; NULL for any
 * @want: .
 * @hit: what was found
 * @tag: its name, to be freed
 * @hits: how many different ones
 * @seen: names or platforms that were there, for the message
 */
struct search {
	struct oci_source *s;
	const char *ref;
	const struct oci_platform *want;
	struct desc hit;
	char *tag;
	size_t hits;
	char seen[256];
};

static bool is_index(const char *media)
{
	return !strcmp(media, OCI_MEDIA_INDEX) ||
	       !strcmp(media, "application/vnd.docker.distribution.manifest.list.v2+json");
}

static bool is_manifest(const char *media)
{
	return !strcmp(media, OCI_MEDIA_MANIFEST) ||
	       !strcmp(media, "application/vnd.docker.distribution.manifest.v2+json");
}

static int parse_desc(struct json_object *o, const char *what, struct oci_digest *digest,
		      u64 *size, const char **media, struct ybd_error *err)
{
	const char *text = oci_json_str(o, "digest");
	int rc = oci_digest_parse(text, digest);

	if (rc)
		return ybd_error_set(err, rc == -EINVAL ? -EBADMSG : rc,
				     "%s: the digest is \"%s\": only sha256 is supported", what,
				     text ?: "");
	if (oci_json_u64(o, "size", size))
		return ybd_error_set(err, -EBADMSG, "%s: no size is given", what);
	*media = oci_json_str(o, "mediaType") ?: "";
	return 0;
}

/* ---- choosing ---- */

static void note(struct search *f, const char *text)
{
	size_t len = strlen(f->seen);

	if (!text || !*text)
		return;
	snprintf(f->seen + len, sizeof(f->seen) - len, "%s%s", len ? ", " : "", text);
}

static bool right_tag(const struct search *f, struct json_object *o, const char **tag)
{
	struct json_object *a = oci_json_get(o, "annotations");
	const char *name = oci_json_str(a, "org.opencontainers.image.ref.name");
	const char *full = oci_json_str(a, "io.containerd.image.name");

	*tag = full ?: name;
	if (!f->ref)
		return true;
	return (name && !strcmp(name, f->ref)) || (full && !strcmp(full, f->ref));
}

static bool same_or_none(const char *have, const char *want)
{
	return !have || !want || !strcmp(have, want);
}

static bool right_platform(struct search *f, struct json_object *o)
{
	struct json_object *p = oci_json_get(o, "platform");
	const char *os = oci_json_str(p, "os"), *arch = oci_json_str(p, "architecture");
	char text[96];

	if (!p)
		return true;
	/* what says unknown is no image, but a note about one */
	if (os && arch && strcmp(os, "unknown")) {
		snprintf(text, sizeof(text), "%s/%s", os, arch);
		note(f, text);
	}
	return same_or_none(os, f->want->os) && same_or_none(arch, f->want->arch) &&
	       same_or_none(oci_json_str(p, "variant"), f->want->variant);
}

static int found(struct search *f, const struct desc *d, struct ybd_error *err)
{
	if (f->hits && oci_digest_same(&f->hit.digest, &d->digest))
		return 0;
	if (!f->hits++) {
		f->hit = *d;
		f->tag = d->tag ? strdup(d->tag) : NULL;
		if (d->tag && !f->tag)
			return ybd_error_sys(err, -ENOMEM, "image");
	}
	return 0;
}

static int search_index(struct search *f, struct json_object *index, const char *tag, int depth,
			struct ybd_error *err);

static int read_index(struct search *f, const struct desc *d, int depth, struct ybd_error *err)
{
	struct json_object *o;
	size_t len, before = f->hits;
	char *text;
	int rc;

	if (depth > NESTED_MAX)
		return ybd_error_set(err, -EBADMSG, "more than %d indexes in one another",
				     NESTED_MAX);
	rc = oci_source_blob(f->s, &d->digest, d->size, OCI_JSON_MAX, &text, &len, err);
	if (rc)
		return rc;
	rc = oci_json_parse(text, len, "an image index", &o, err);
	free(text);
	if (rc)
		return rc;
	rc = search_index(f, o, d->tag, depth, err);
	oci_json_put(o);
	/* of one index the first that fits, as the others do */
	if (f->hits > before + 1)
		f->hits = before + 1;
	return rc;
}

static int search_index(struct search *f, struct json_object *index, const char *tag, int depth,
			struct ybd_error *err)
{
	struct json_object *list = oci_json_get(index, "manifests"), *o;
	const char *media;
	struct desc d;
	int rc;

	for (size_t i = 0; i < oci_json_len(list); i++) {
		o = oci_json_at(list, i);
		rc = parse_desc(o, "index", &d.digest, &d.size, &media, err);
		if (rc)
			return rc;
		d.tag = tag;
		if (!depth && !right_tag(f, o, &d.tag)) {
			note(f, d.tag);
			continue;
		}
		if (!depth && !f->ref)
			note(f, d.tag);
		if (!right_platform(f, o))
			continue;
		d.index = is_index(media);
		if (!d.index && !is_manifest(media))
			return ybd_error_set(err, -EOPNOTSUPP,
					     "index: media type \"%s\" is not supported", media);
		rc = d.index ? read_index(f, &d, depth + 1, err) : found(f, &d, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int by_tag(struct search *f, struct ybd_error *err)
{
	struct json_object *o;
	char *text;
	size_t len;
	int rc = oci_source_text(f->s, "index.json", OCI_JSON_MAX, &text, &len, err);

	if (rc)
		return rc;
	rc = oci_json_parse(text, len, "index.json", &o, err);
	free(text);
	if (rc)
		return rc;
	rc = search_index(f, o, NULL, 0, err);
	oci_json_put(o);
	if (rc || f->hits == 1)
		return rc;
	if (!f->hits)
		return ybd_error_set(err, -ENOENT, "no image %s%sfor %s/%s%s%s", f->ref ?: "",
				     f->ref ? " " : "", f->want->os, f->want->arch,
				     f->seen[0] ? "; there is " : "", f->seen);
	return ybd_error_set(err, -ENOTUNIQ,
			     "there are %zu images%s%s: name one by its tag, as SRC:TAG, or by its digest",
			     f->hits, f->seen[0] ? " for " : "", f->seen);
}

/* A digest names a manifest or an index, whether index.json lists it or not. */
static int by_digest(struct search *f, const struct oci_digest *digest, struct ybd_error *err)
{
	struct desc d = { .digest = *digest, .size = UINT64_MAX };
	struct json_object *o;
	char *text;
	size_t len;
	int rc = oci_source_blob(f->s, digest, UINT64_MAX, OCI_JSON_MAX, &text, &len, err);

	if (rc)
		return rc;
	rc = oci_json_parse(text, len, "the manifest", &o, err);
	free(text);
	if (rc)
		return rc;
	d.index = oci_json_get(o, "manifests");
	f->ref = NULL;
	rc = d.index ? search_index(f, o, NULL, 1, err) : found(f, &d, err);
	oci_json_put(o);
	if (!rc && !f->hits)
		rc = ybd_error_set(err, -ENOENT, "no image for %s/%s; there is %s", f->want->os,
				   f->want->arch, f->seen);
	return rc;
}

/* ---- the manifest ---- */

static int layer_filter(const char *media, enum oci_filter *out)
{
	static const char *const tar[] = {
		OCI_MEDIA_LAYER,
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.foreign.diff.tar",
	};
	static const struct {
		const char *tail;
		enum oci_filter filter;
	} tails[] = {
		{ "", OCI_FILTER_NONE },
		{ "+gzip", OCI_FILTER_GZIP },
		{ ".gzip", OCI_FILTER_GZIP },
		{ "+zstd", OCI_FILTER_ZSTD },
		{ ".zstd", OCI_FILTER_ZSTD },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tar); i++) {
		size_t len = strlen(tar[i]);

		if (strncmp(media, tar[i], len))
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(tails); k++)
			if (!strcmp(media + len, tails[k].tail)) {
				*out = tails[k].filter;
				return 0;
			}
	}
	return -EOPNOTSUPP;
}

static int take_layers(struct oci_image *img, struct json_object *list, struct ybd_error *err)
{
	size_t nr = oci_json_len(list);
	char what[32], name[OCI_BLOB_NAME_LEN + 1];
	const char *media;
	int rc;

	if (nr > OCI_LAYERS_MAX)
		return ybd_error_set(err, -E2BIG, "the image has %zu layers, more than %u", nr,
				     OCI_LAYERS_MAX);
	img->layer = calloc(nr + 1, sizeof(*img->layer));
	if (!img->layer)
		return ybd_error_sys(err, -ENOMEM, "manifest");
	for (; img->nr < nr; img->nr++) {
		struct oci_layer *l = &img->layer[img->nr];

		snprintf(what, sizeof(what), "layer %zu", img->nr + 1);
		rc = parse_desc(oci_json_at(list, img->nr), what, &l->digest, &l->size, &media,
				err);
		if (rc)
			return rc;
		if (layer_filter(media, &l->filter))
			return ybd_error_set(err, -EOPNOTSUPP,
					     "%s: media type \"%s\" is not supported", what, media);
		l->has_digest = true;
		l->file = strdup(oci_blob_name(&l->digest, name));
		if (!l->file)
			return ybd_error_sys(err, -ENOMEM, "manifest");
	}
	return 0;
}

static int take_config(struct oci_source *s, struct oci_image *img, struct json_object *o,
		       struct ybd_error *err)
{
	struct oci_digest digest;
	const char *media;
	char *text;
	size_t len;
	u64 size;
	int rc = parse_desc(o, "config", &digest, &size, &media, err);

	if (rc)
		return rc;
	if (strcmp(media, OCI_MEDIA_CONFIG) &&
	    strcmp(media, "application/vnd.docker.container.image.v1+json"))
		return ybd_error_set(err, -EOPNOTSUPP,
				     "config: media type \"%s\" is not supported; this is no container image",
				     media);
	rc = oci_source_blob(s, &digest, size, OCI_CONFIG_MAX, &text, &len, err);
	return rc ? rc : oci_image_config(img, text, len, img->nr, err);
}

static int read_manifest(struct search *f, struct oci_image *img, struct ybd_error *err)
{
	struct json_object *o;
	char *text;
	size_t len;
	u64 version;
	int rc = oci_source_blob(f->s, &f->hit.digest, f->hit.size, OCI_JSON_MAX, &text, &len, err);

	if (rc)
		return rc;
	rc = oci_json_parse(text, len, "the manifest", &o, err);
	free(text);
	if (rc)
		return rc;
	img->manifest = f->hit.digest;
	if (oci_json_u64(o, "schemaVersion", &version) || version != 2)
		rc = ybd_error_set(err, -EOPNOTSUPP, "the manifest is not of schema version 2");
	if (!rc)
		rc = take_layers(img, oci_json_get(o, "layers"), err);
	if (!rc)
		rc = take_config(f->s, img, oci_json_get(o, "config"), err);
	oci_json_put(o);
	return rc;
}

int oci_layout_open(struct oci_source *s, const char *ref, const struct oci_platform *want,
		    struct oci_image *out, struct ybd_error *err)
{
	struct search f = { .s = s, .ref = ref, .want = want };
	struct oci_digest d;
	int rc;

	if (ref && !oci_digest_parse(ref, &d))
		rc = by_digest(&f, &d, err);
	else
		rc = by_tag(&f, err);
	if (rc) {
		free(f.tag);
		return rc;
	}
	out->tag = f.tag;
	return read_manifest(&f, out, err);
}
