// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../util.h"
#include "output.h"

#define EMPTY_TAR	1024u

static bool is_empty(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;
	bool empty = d;

	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			empty = false;
	if (d)
		closedir(d);
	else if (copy >= 0)
		close(copy);
	return empty;
}

int output_begin(const char *dir, int *fd, struct ybd_error *err)
{
	if (mkdir(dir, 0777) && errno != EEXIST)
		return ybd_error_sys(err, -errno, "%s", dir);
	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return ybd_error_sys(err, -errno, "%s", dir);
	if (is_empty(*fd))
		return 0;
	close(*fd);
	*fd = -1;
	return ybd_error_set(err, -EEXIST, "%s: the directory for the layout is not empty", dir);
}

static int write_file(int dir, const char *name, const void *data, size_t len,
		      struct ybd_error *err)
{
	const u8 *p = data;
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), rc = 0;

	if (fd < 0)
		return ybd_error_sys(err, -errno, "%s", name);
	while (!rc && len) {
		ssize_t n = write(fd, p, len);

		if (n < 0)
			rc = ybd_error_sys(err, -errno, "%s", name);
		p += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	if (close(fd) && !rc)
		rc = ybd_error_sys(err, -errno, "%s", name);
	return rc;
}

static int write_blob(int dir, const void *data, size_t len, struct oci_digest *d,
		      struct ybd_error *err)
{
	char name[OCI_BLOB_NAME_LEN + 1];

	oci_digest_of(data, len, d);
	return write_file(dir, oci_blob_name(d, name), data, len, err);
}

/* ---- JSON ---- */

static void put_string(FILE *f, const char *s)
{
	putc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if ((u8)*s < 0x20)
			fprintf(f, "\\u%04x", (u8)*s);
		else
			putc(*s, f);
	}
	putc('"', f);
}

static void put_desc(FILE *f, const char *media, const struct oci_digest *d, size_t size)
{
	char digest[OCI_DIGEST_STRLEN + 1];

	fprintf(f, "\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu", media,
		oci_digest_text(d, digest), size);
}

/* An annotation; a comma in front of the key separates it from the one before. */
static void put_note(FILE *f, const char *key, const char *val)
{
	if (*key == ',') {
		putc(',', f);
		key++;
	}
	fprintf(f, "\"" OUTPUT_ANNOTATION "%s\":\"%s\"", key, val);
}

static void put_layer(FILE *f, const struct convert *c, size_t i, const struct oci_digest *empty)
{
	const struct convert_layer *l = &c->layer[i];
	char digest[OCI_DIGEST_STRLEN + 1], size[24], dirs[CHAIN_LOWERDIR_LEN];

	fprintf(f, "%s{", i ? "," : "");
	put_desc(f, OCI_MEDIA_LAYER, empty, EMPTY_TAR);
	fprintf(f, ",\"annotations\":{");
	put_note(f, "chain-id", oci_digest_text(&c->image->layer[i].chain_id, digest));
	/* one that is only left as a part of those above it has no lvol of its own */
	if (l->there) {
		put_note(f, ",store.uuid", lvw_uuid(c->w));
		put_note(f, ",lvol.uuid", l->id.uuid);
		put_note(f, ",lvol.name", l->id.name);
	}
	put_note(f, ",format", c->how.format);
	if (chain_is_overlayfs(&c->how))
		put_note(f, ",lowerdir", chain_lowerdir(i + 1, dirs));
	put_note(f, ",fs", c->how.fs);
	if (c->how.hot)
		put_note(f, ",hot-list", oci_digest_text(c->how.hot, digest));
	if (c->how.no_journal)
		put_note(f, ",journal", "none");
	snprintf(size, sizeof(size), "%llu", (unsigned long long)c->how.size);
	put_note(f, ",size", size);
	fprintf(f, "}}");
}

static int put_manifest(FILE *f, const struct convert *c, const struct oci_digest *empty)
{
	const struct oci_image *img = c->image;
	char digest[OCI_DIGEST_STRLEN + 1];

	fprintf(f, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":{", OCI_MEDIA_MANIFEST);
	put_desc(f, OCI_MEDIA_CONFIG, &img->config_digest, img->config_len);
	fprintf(f, "},\"layers\":[");
	for (size_t i = 0; i < img->nr; i++)
		put_layer(f, c, i, empty);
	fprintf(f, "],\"annotations\":{");
	put_note(f, "source.manifest", oci_digest_text(&img->manifest, digest));
	fprintf(f, "}}\n");
	return ferror(f);
}

static void put_image(FILE *f, const struct oci_image *img, const struct oci_digest *manifest,
		      size_t size)
{
	fprintf(f, "{");
	put_desc(f, OCI_MEDIA_MANIFEST, manifest, size);
	fprintf(f, ",\"platform\":{\"architecture\":");
	put_string(f, img->arch);
	fprintf(f, ",\"os\":");
	put_string(f, img->os);
	if (img->variant[0]) {
		fprintf(f, ",\"variant\":");
		put_string(f, img->variant);
	}
	fprintf(f, "}");
	if (img->tag) {
		fprintf(f, ",\"annotations\":{\"org.opencontainers.image.ref.name\":");
		put_string(f, img->tag);
		fprintf(f, "}");
	}
	fprintf(f, "}");
}

static int write_manifest(int fd, const struct convert *c, const struct oci_digest *empty,
			  struct oci_digest *manifest, size_t *len, struct ybd_error *err)
{
	__cleanup_free char *text = NULL;
	FILE *f = open_memstream(&text, len);
	int bad = !f || put_manifest(f, c, empty);

	if ((f && fclose(f)) || bad)
		return ybd_error_sys(err, -ENOMEM, "the manifest");
	return write_blob(fd, text, *len, manifest, err);
}

/* Config and manifest of each; they go into the index. */
static int write_images(int fd, const struct convert *const *c, size_t nr, FILE *index,
			struct ybd_error *err)
{
	static const u8 empty_tar[EMPTY_TAR];
	struct oci_digest empty, config, manifest;
	size_t len;
	int rc = write_blob(fd, empty_tar, EMPTY_TAR, &empty, err);

	for (size_t i = 0; i < nr && !rc; i++) {
		const struct oci_image *img = c[i]->image;

		rc = write_blob(fd, img->config, img->config_len, &config, err);
		if (!rc)
			rc = write_manifest(fd, c[i], &empty, &manifest, &len, err);
		if (rc)
			break;
		fputs(i ? "," : "", index);
		put_image(index, img, &manifest, len);
	}
	return rc;
}

int output_write(int fd, const struct convert *const *c, size_t nr, struct ybd_error *err)
{
	static const char version[] = "{\"imageLayoutVersion\":\"1.0.0\"}\n";
	__cleanup_free char *text = NULL;
	size_t len = 0;
	FILE *index;
	int rc, bad;

	if (mkdirat(fd, "blobs", 0777) || mkdirat(fd, "blobs/sha256", 0777))
		return ybd_error_sys(err, -errno, "blobs/sha256");
	index = open_memstream(&text, &len);
	if (!index)
		return ybd_error_sys(err, -ENOMEM, "index.json");
	fprintf(index, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[",
		OCI_MEDIA_INDEX);
	rc = write_images(fd, c, nr, index, err);
	fprintf(index, "]}\n");
	bad = ferror(index);
	bad |= fclose(index);
	if (bad && !rc)
		rc = ybd_error_sys(err, -ENOMEM, "index.json");
	if (!rc)
		rc = write_file(fd, "oci-layout", version, strlen(version), err);
	return rc ? rc : write_file(fd, "index.json", text, len, err);
}

int output_check(const struct convert *const *c, size_t nr, struct ybd_error *err)
{
	for (size_t i = 0; i < nr; i++) {
		const char *tag = c[i]->image->tag;

		for (size_t k = 0; tag && k < i; k++)
			if (c[k]->image->tag && !strcmp(c[k]->image->tag, tag))
				return ybd_error_set(err, -ENOTUNIQ,
						     "two of the images have the tag \"%s\": write them to layouts of their own",
						     tag);
	}
	return 0;
}
