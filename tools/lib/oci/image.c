// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "../util.h"
#include "image.h"
#include "json.h"

void oci_platform_here(struct oci_platform *p)
{
	static const char *const arch[][2] = {
		{ "x86_64", "amd64" }, { "aarch64", "arm64" }, { "i686", "386" },
		{ "armv7l", "arm" }, { "ppc64le", "ppc64le" }, { "riscv64", "riscv64" },
		{ "s390x", "s390x" }, { "loongarch64", "loong64" },
	};
	struct utsname u;

	*p = (struct oci_platform){ .os = "linux", .arch = "unknown" };
	if (uname(&u))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(arch); i++)
		if (!strcmp(u.machine, arch[i][0]))
			p->arch = arch[i][1];
}

static int set_text(char **dst, const char *s)
{
	*dst = strdup(s ?: "");
	return *dst ? 0 : -ENOMEM;
}

static int take_diff_ids(struct oci_image *img, struct json_object *ids, size_t nr,
			 struct ybd_error *err)
{
	if (oci_json_len(ids) != nr)
		return ybd_error_set(err, -EBADMSG,
				     "the config lists %zu layers, the manifest %zu",
				     oci_json_len(ids), nr);
	for (size_t i = 0; i < nr; i++) {
		const char *text = oci_json_str_at(ids, i);
		struct oci_layer *l = &img->layer[i];
		int rc = oci_digest_parse(text, &l->diff_id);

		if (rc)
			return ybd_error_set(err, rc == -EINVAL ? -EBADMSG : rc,
					     "the config's digest of layer %zu is \"%s\": only sha256 is supported",
					     i + 1, text ?: "");
		oci_chain_next(i ? &img->layer[i - 1].chain_id : NULL, &l->diff_id,
			       &l->chain_id);
	}
	return 0;
}

int oci_image_config(struct oci_image *img, char *config, size_t len, size_t nr,
		     struct ybd_error *err)
{
	struct json_object *o, *fs;
	const char *type;
	int rc;

	img->config = config;
	img->config_len = len;
	oci_digest_of(config, len, &img->config_digest);
	rc = oci_json_parse(config, len, "the image's config", &o, err);
	if (rc)
		return rc;
	fs = oci_json_get(o, "rootfs");
	type = oci_json_str(fs, "type");
	if (!type || strcmp(type, "layers"))
		rc = ybd_error_set(err, -EBADMSG, "the image's config has no rootfs of layers");
	if (!rc)
		rc = take_diff_ids(img, oci_json_get(fs, "diff_ids"), nr, err);
	if (!rc && (set_text(&img->os, oci_json_str(o, "os")) ||
		    set_text(&img->arch, oci_json_str(o, "architecture")) ||
		    set_text(&img->variant, oci_json_str(o, "variant"))))
		rc = ybd_error_sys(err, -ENOMEM, "config");
	oci_json_put(o);
	return rc;
}

static int check_platform(const struct oci_image *img, const struct oci_platform *want,
			  struct ybd_error *err)
{
	if (!want->given || (!strcmp(img->os, want->os) && !strcmp(img->arch, want->arch)))
		return 0;
	return ybd_error_set(err, -ENOENT, "the image is for %s/%s, not for %s/%s", img->os,
			     img->arch, want->os, want->arch);
}

int oci_image_open(struct oci_source *s, const char *ref, const struct oci_platform *want,
		   struct oci_image *out, struct ybd_error *err)
{
	int rc;

	memset(out, 0, sizeof(*out));
	if (oci_source_has(s, "index.json"))
		rc = oci_layout_open(s, ref, want, out, err);
	else if (oci_source_has(s, "manifest.json"))
		rc = oci_docker_open(s, ref, out, err);
	else
		rc = ybd_error_set(err, -EMEDIUMTYPE,
				   "no image: there is neither index.json nor manifest.json");
	if (!rc && !out->nr)
		rc = ybd_error_set(err, -EOPNOTSUPP, "the image has no layers");
	if (!rc)
		rc = check_platform(out, want, err);
	if (rc)
		oci_image_free(out);
	return rc;
}

void oci_image_free(struct oci_image *img)
{
	for (size_t i = 0; i < img->nr; i++)
		free(img->layer[i].file);
	free(img->layer);
	free(img->config);
	free(img->os);
	free(img->arch);
	free(img->variant);
	free(img->tag);
	memset(img, 0, sizeof(*img));
}
