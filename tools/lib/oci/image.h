/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An image: its config and its layers, lowest first. From an OCI layout (a directory or a tar of
 * one) or an archive of docker save. Nothing is believed that has a digest: manifests and config
 * are checked when they are read, layers while they are (layer.h).
 */
#ifndef YBD_OCI_IMAGE_H
#define YBD_OCI_IMAGE_H

#include "source.h"

#define OCI_LAYERS_MAX	512u
#define OCI_JSON_MAX	(4u << 20)
#define OCI_CONFIG_MAX	(8u << 20)

#define OCI_MEDIA_INDEX		"application/vnd.oci.image.index.v1+json"
#define OCI_MEDIA_MANIFEST	"application/vnd.oci.image.manifest.v1+json"
#define OCI_MEDIA_CONFIG	"application/vnd.oci.image.config.v1+json"
#define OCI_MEDIA_LAYER		"application/vnd.oci.image.layer.v1.tar"

/**
 * enum oci_filter - how a layer is compressed
 * @OCI_FILTER_ANY: to be found out: none of them, gzip or zstd
 * @OCI_FILTER_NONE: .
 * @OCI_FILTER_GZIP: .
 * @OCI_FILTER_ZSTD: .
 */
enum oci_filter {
	OCI_FILTER_ANY,
	OCI_FILTER_NONE,
	OCI_FILTER_GZIP,
	OCI_FILTER_ZSTD,
};

/**
 * struct oci_layer - a layer
 * @file: its name in the source
 * @filter: .
 * @has_digest: @digest and @size are known; not so in an archive of docker save
 * @digest: of the file
 * @size: of the file
 * @diff_id: digest of the tar
 * @chain_id: of it and all layers below
 */
struct oci_layer {
	char *file;
	enum oci_filter filter;
	bool has_digest;
	struct oci_digest digest;
	u64 size;
	struct oci_digest diff_id;
	struct oci_digest chain_id;
};

/**
 * struct oci_image - an image
 * @manifest: digest of its manifest; of the config when there is none
 * @config: the config as it is, @config_len bytes
 * @config_len: .
 * @config_digest: .
 * @os: of the config
 * @arch: .
 * @variant: "" for none
 * @tag: the name that it has in the source; NULL for none
 * @layer: @nr of them
 * @nr: .
 */
struct oci_image {
	struct oci_digest manifest;
	char *config;
	size_t config_len;
	struct oci_digest config_digest;
	char *os;
	char *arch;
	char *variant;
	char *tag;
	struct oci_layer *layer;
	size_t nr;
};

/**
 * struct oci_platform - what is wanted
 * @os: .
 * @arch: as Go calls it
 * @variant: NULL for any
 * @given: not just this machine's
 */
struct oci_platform {
	const char *os;
	const char *arch;
	const char *variant;
	bool given;
};

/* Linux on this machine. */
void oci_platform_here(struct oci_platform *p);

/**
 * oci_image_open() - find an image
 * @s: where
 * @ref: tag, or digest of a manifest; NULL when there is only one
 * @want: platform, if there are several
 * @out: to be freed with oci_image_free()
 * @err: why not
 *
 * Return: 0; -ENOENT when it is not there; -ENOTUNIQ when there are several; -EBADMSG, -E2BIG,
 * -EOPNOTSUPP, -EMEDIUMTYPE for what is refused.
 */
int oci_image_open(struct oci_source *s, const char *ref, const struct oci_platform *want,
		   struct oci_image *out, struct ybd_error *err);
void oci_image_free(struct oci_image *img);

/* ---- of image.c, layout.c and docker.c ---- */

/* Take over @config, and what it says of the layers, of which there are @nr. */
int oci_image_config(struct oci_image *img, char *config, size_t len, size_t nr,
		     struct ybd_error *err);
int oci_layout_open(struct oci_source *s, const char *ref, const struct oci_platform *want,
		    struct oci_image *out, struct ybd_error *err);
int oci_docker_open(struct oci_source *s, const char *ref, struct oci_image *out,
		    struct ybd_error *err);

#endif
