// SPDX-License-Identifier: GPL-2.0-only
#include <json-c/json.h>

#include "../dl.h"
#include "../util.h"
#include "json.h"

#define JSON_SONAME "libjson-c.so.5"

static struct {
	typeof(json_tokener_new_ex) *new_ex;
	typeof(json_tokener_free) *free;
	typeof(json_tokener_parse_ex) *parse_ex;
	typeof(json_tokener_get_error) *get_error;
	typeof(json_tokener_get_parse_end) *parse_end;
	typeof(json_tokener_error_desc) *error_desc;
	typeof(json_object_get_type) *type;
	typeof(json_object_object_get_ex) *get_ex;
	typeof(json_object_get_string) *string;
	typeof(json_object_get_string_len) *string_len;
	typeof(json_object_get_int64) *int64;
	typeof(json_object_array_length) *length;
	typeof(json_object_array_get_idx) *get_idx;
	typeof(json_object_put) *put;
} jc;

static int load_library(void)
{
	const struct ybd_dl_sym sym[] = {
		{ "json_tokener_new_ex", &jc.new_ex },
		{ "json_tokener_free", &jc.free },
		{ "json_tokener_parse_ex", &jc.parse_ex },
		{ "json_tokener_get_error", &jc.get_error },
		{ "json_tokener_get_parse_end", &jc.parse_end },
		{ "json_tokener_error_desc", &jc.error_desc },
		{ "json_object_get_type", &jc.type },
		{ "json_object_object_get_ex", &jc.get_ex },
		{ "json_object_get_string", &jc.string },
		{ "json_object_get_string_len", &jc.string_len },
		{ "json_object_get_int64", &jc.int64 },
		{ "json_object_array_length", &jc.length },
		{ "json_object_array_get_idx", &jc.get_idx },
		{ "json_object_put", &jc.put },
	};

	return jc.put ? 0 : ybd_dl_open(JSON_SONAME, sym, ARRAY_SIZE(sym));
}

static bool only_space(const char *p, size_t len)
{
	for (; len; p++, len--)
		if (!strchr(" \t\r\n", *p) || !*p)
			return false;
	return true;
}

int oci_json_parse(const char *text, size_t len, const char *what, struct json_object **out,
		   struct ybd_error *err)
{
	struct json_tokener *tok;
	struct json_object *o;
	enum json_tokener_error e;
	size_t end;

	if (load_library())
		return ybd_error_set(err, -ELIBACC,
				     "reading images needs %s: install libjson-c5", JSON_SONAME);
	if (len > INT32_MAX)
		return ybd_error_set(err, -E2BIG, "%s: %zu bytes of JSON are too many", what, len);
	tok = jc.new_ex(OCI_JSON_DEPTH);
	if (!tok)
		return ybd_error_sys(err, -ENOMEM, "%s", what);
	o = jc.parse_ex(tok, text, (int)len);
	e = jc.get_error(tok);
	end = jc.parse_end(tok);
	jc.free(tok);
	if (e == json_tokener_success && o && only_space(text + end, len - end) &&
	    (jc.type(o) == json_type_object || jc.type(o) == json_type_array)) {
		*out = o;
		return 0;
	}
	if (o)
		jc.put(o);
	return ybd_error_set(err, -EBADMSG, "%s: no valid JSON at byte %zu: %s", what, end,
			     e == json_tokener_continue ? "it ends too early" :
			     e == json_tokener_success ? "one object was expected" :
			     jc.error_desc(e));
}

void oci_json_put(struct json_object *o)
{
	if (o)
		jc.put(o);
}

struct json_object *oci_json_get(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	if (!o || jc.type(o) != json_type_object || !jc.get_ex(o, key, &v))
		return NULL;
	return v;
}

static const char *as_string(struct json_object *o)
{
	const char *s;

	if (!o || jc.type(o) != json_type_string)
		return NULL;
	s = jc.string(o);
	return s && strlen(s) == (size_t)jc.string_len(o) ? s : NULL;
}

const char *oci_json_str(struct json_object *o, const char *key)
{
	return as_string(oci_json_get(o, key));
}

int oci_json_u64(struct json_object *o, const char *key, u64 *out)
{
	struct json_object *v = oci_json_get(o, key);
	int64_t n;

	if (!v || jc.type(v) != json_type_int)
		return -ENOENT;
	n = jc.int64(v);
	if (n < 0)
		return -ENOENT;
	*out = (u64)n;
	return 0;
}

size_t oci_json_len(struct json_object *o)
{
	return o && jc.type(o) == json_type_array ? jc.length(o) : 0;
}

struct json_object *oci_json_at(struct json_object *o, size_t i)
{
	return i < oci_json_len(o) ? jc.get_idx(o, i) : NULL;
}

const char *oci_json_str_at(struct json_object *o, size_t i)
{
	return as_string(oci_json_at(o, i));
}
