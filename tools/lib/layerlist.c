// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "layerlist.h"
#include "memfile.h"
#include "names.h"
#include "util.h"

/* "dev:" and a path */
#define SPEC_LEN (PATH_MAX + 8)

/* ---- to disk ---- */

/* The two strings of a layer; at least one zero behind them. */
static size_t text_len(const struct ybd_layer *l)
{
	size_t len = strlen(l->text) + 1;

	if (l->where)
		len += strlen(l->where) + 1;
	return (len + 7) / 8 * 8;
}

static size_t encode_one(const struct ybd_layer *l, u8 *at)
{
	struct ybd_fmt_layer *f = (void *)at;
	size_t len = sizeof(*f) + text_len(l);
	char *text = (char *)at + sizeof(*f);

	f->kind = htole16(l->kind);
	f->len = htole16(len);
	f->size = htole64(l->size);
	memcpy(f->identity, l->identity, sizeof(f->identity));
	memcpy(f->source_uuid, l->source_uuid, sizeof(f->source_uuid));
	memcpy(f->store_uuid, l->store_uuid, sizeof(f->store_uuid));
	memcpy(f->lvol_uuid, l->lvol_uuid, sizeof(f->lvol_uuid));
	text = stpcpy(text, l->text) + 1;
	if (l->where)
		stpcpy(text, l->where);
	return len;
}

int ybd_layers_encode(const struct ybd_layer *v, size_t n, u8 **list,
		      u32 *bytes, struct ybd_error *err)
{
	size_t len = 0, at = 0, i;

	for (i = 0; i < n; i++)
		len += sizeof(struct ybd_fmt_layer) + text_len(&v[i]);
	if (n > YBD_FMT_MAX_LAYERS || len > YBD_FMT_LAYERS_MAX)
		return ybd_error_set(err, -E2BIG,
				     "%zu layers of %zu bytes: a pool keeps at most %u layers of %u bytes",
				     n, len, YBD_FMT_MAX_LAYERS,
				     YBD_FMT_LAYERS_MAX);
	*list = calloc(1, len + 1);
	if (!*list)
		return ybd_error_sys(err, -ENOMEM, "list of layers");
	for (i = n; i--;)
		at += encode_one(&v[i], *list + at);
	*bytes = at;
	return 0;
}

int ybd_layers_file(const struct ybd_plan *p, struct ybd_error *err)
{
	u8 *list __cleanup_free = NULL;
	u32 bytes;
	int rc = ybd_layers_encode(p->layer, p->nr_layer, &list, &bytes, err);

	if (rc)
		return rc;
	rc = ybd_memfile("ybd-layers", list, bytes);
	return rc < 0 ? ybd_error_sys(err, rc, "list of layers") : rc;
}

/* ---- from disk ---- */

static int decode_one(const u8 *at, struct ybd_layer *l)
{
	const struct ybd_fmt_layer *f = (const void *)at;
	size_t len = le16toh(f->len) - sizeof(*f);
	const char *text = (const char *)at + sizeof(*f);
	size_t first = strnlen(text, len) + 1;

	l->kind = le16toh(f->kind);
	l->size = le64toh(f->size);
	memcpy(l->identity, f->identity, sizeof(l->identity));
	memcpy(l->source_uuid, f->source_uuid, sizeof(l->source_uuid));
	memcpy(l->store_uuid, f->store_uuid, sizeof(l->store_uuid));
	memcpy(l->lvol_uuid, f->lvol_uuid, sizeof(l->lvol_uuid));
	l->text = strndup(text, len);
	if (!l->text)
		return -ENOMEM;
	if (first >= len || !text[first])
		return 0;
	l->where = strndup(text + first, len - first);
	return l->where ? 0 : -ENOMEM;
}

static size_t count(const u8 *list, u32 bytes)
{
	size_t n = 0;
	u32 at, len;

	for (at = 0; at < bytes; at += len) {
		if (bytes - at < sizeof(struct ybd_fmt_layer))
			return 0;
		len = le16toh(((const struct ybd_fmt_layer *)(list + at))->len);
		if (len <= sizeof(struct ybd_fmt_layer) || len > bytes - at)
			return 0;
		n++;
	}
	return n;
}

int ybd_layers_decode(const u8 *list, u32 bytes, struct ybd_layer **v,
		      size_t *n, struct ybd_error *err)
{
	size_t nr = count(list, bytes), i;
	int rc = 0;

	*v = NULL;
	*n = 0;
	if (!nr)
		return ybd_error_set(err, -EUCLEAN, "its list of layers is damaged");
	*v = calloc(nr, sizeof(**v));
	if (!*v)
		return ybd_error_sys(err, -ENOMEM, "list of layers");
	*n = nr;
	for (i = nr; i-- && !rc;) {
		rc = decode_one(list, &(*v)[i]);
		list += le16toh(((const struct ybd_fmt_layer *)list)->len);
	}
	if (rc) {
		ybd_layers_free(*v, nr);
		*v = NULL;
		return ybd_error_sys(err, rc, "list of layers");
	}
	return 0;
}

void ybd_layers_free(struct ybd_layer *v, size_t n)
{
	size_t i;

	for (i = 0; v && i < n; i++) {
		free(v[i].text);
		free(v[i].where);
	}
	free(v);
}

/* ---- finding them again ---- */

static bool is_zero(const u8 uuid[16])
{
	static const u8 zero[16];

	return !memcmp(uuid, zero, sizeof(zero));
}

/* As a user would name it, but by uuids where it has them. */
static void make_spec(const struct ybd_layer *l, char spec[SPEC_LEN])
{
	char a[YBD_UUID_TEXT_LEN], b[YBD_UUID_TEXT_LEN];

	switch (l->kind) {
	case YBD_FMT_LAYER_LVOL:
		if (is_zero(l->store_uuid) || is_zero(l->lvol_uuid))
			snprintf(spec, SPEC_LEN, "%s", l->text);
		else
			snprintf(spec, SPEC_LEN, "%s/%s",
				 ybd_uuid_text(l->store_uuid, a),
				 ybd_uuid_text(l->lvol_uuid, b));
		break;
	case YBD_FMT_LAYER_DEVICE:
		if (is_zero(l->source_uuid))
			snprintf(spec, SPEC_LEN, "dev:%s", l->text);
		else
			snprintf(spec, SPEC_LEN, "dev:uuid:%s",
				 ybd_uuid_text(l->source_uuid, a));
		break;
	default:
		snprintf(spec, SPEC_LEN, "file:%s", l->text);
	}
}

/*
 * A store that is not on a namespace is looked for where it was. If it is not
 * there any more it may be elsewhere, where the user has said or on some
 * namespace; so that is no error yet.
 */
static int add_source(struct ybd_finder *f, const struct ybd_layer *l,
		      struct ybd_error *err)
{
	struct ybd_source *s;
	int rc;

	if (l->kind != YBD_FMT_LAYER_LVOL || !l->where)
		return 0;
	rc = ybd_finder_source(f, l->where, &s, err);
	return rc == -ENOMEM ? rc : 0;
}

static int compare(const struct ybd_plan *p, const struct ybd_layer *v,
		   struct ybd_error *err)
{
	size_t i;

	for (i = 0; i < p->nr_layer; i++)
		if (memcmp(p->layer[i].identity, v[i].identity,
			   sizeof(v[i].identity)))
			return ybd_error_set(err, -ESTALE,
					     "layer %zu, %s, is not what it was when the device was made",
					     i, v[i].text);
	return 0;
}

static int plan(struct ybd_finder *f, const struct ybd_layer *v, size_t n,
		const char **specs, struct ybd_plan *out, struct ybd_error *err)
{
	int rc = 0;
	size_t i;

	for (i = 0; !rc && i < n; i++) {
		char *spec = malloc(SPEC_LEN);

		if (!spec)
			return ybd_error_sys(err, -ENOMEM, "list of layers");
		specs[i] = spec;
		make_spec(&v[i], spec);
		rc = add_source(f, &v[i], err);
	}
	if (!rc)
		rc = ybd_plan_make(f, specs, n, false, out, err);
	if (rc)
		return rc;
	rc = compare(out, v, err);
	if (rc)
		ybd_plan_free(out);
	return rc;
}

int ybd_layers_plan(struct ybd_finder *f, const struct ybd_layer *v, size_t n,
		    struct ybd_plan *out, struct ybd_error *err)
{
	const char **specs = calloc(n + 1, sizeof(*specs));
	size_t i;
	int rc;

	if (!specs)
		return ybd_error_sys(err, -ENOMEM, "list of layers");
	rc = plan(f, v, n, specs, out, err);
	for (i = 0; i < n; i++)
		free((char *)specs[i]);
	free(specs);
	return rc;
}
