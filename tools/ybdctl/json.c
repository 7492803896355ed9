// SPDX-License-Identifier: GPL-2.0-only
#include <dlfcn.h>
#include <errno.h>
#include <json-c/json.h>

#include "json.h"
#include "util.h"

#define JSON_SONAME "libjson-c.so.5"

struct json json;

static const char *(*to_string)(struct json_object *o, int flags);

int json_load(void)
{
	const struct {
		const char *name;
		void *fn;
	} sym[] = {
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
	void *lib = dlopen(JSON_SONAME, RTLD_LAZY), *fn;
	size_t i;

	if (!lib)
		return -ELIBACC;
	for (i = 0; i < ARRAY_SIZE(sym); i++) {
		fn = dlsym(lib, sym[i].name);
		if (!fn)
			return -ELIBACC;
		memcpy(sym[i].fn, &fn, sizeof(fn));
	}
	return 0;
}

const char *json_text(struct json_object *o, bool one_line)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

	if (!one_line)
		flags |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	return to_string(o, flags);
}
