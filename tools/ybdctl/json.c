// SPDX-License-Identifier: GPL-2.0-only
#include <json-c/json.h>

#include "dl.h"
#include "json.h"
#include "util.h"

#define JSON_SONAME "libjson-c.so.5"

struct json json;

static const char *(*to_string)(struct json_object *o, int flags);

int json_load(void)
{
	const struct ybd_dl_sym sym[] = {
		{ "json_object_new_object", &json.new_object },
		{ "json_object_new_array", &json.new_array },
		{ "json_object_new_string", &json.new_string },
		{ "json_object_new_uint64", &json.new_u64 },
		{ "json_object_new_boolean", &json.new_bool },
		{ "json_object_object_add", &json.object_add },
		{ "json_object_array_add", &json.array_add },
		{ "json_object_put", &json.put },
		{ "json_object_to_json_string_ext", &to_string },
	};

	return ybd_dl_open(JSON_SONAME, sym, ARRAY_SIZE(sym));
}

const char *json_text(struct json_object *o, bool one_line)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

	if (!one_line)
		flags |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	return to_string(o, flags);
}
