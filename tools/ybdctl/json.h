/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few functions of json-c that print.c needs. The library is opened when
 * JSON is asked for, so that no other run pays for loading it.
 */
#ifndef YBDCTL_JSON_H
#define YBDCTL_JSON_H

#include "types.h"

struct json_object;

/**
 * struct json - functions of json-c; valid once json_load() has succeeded
 * @new_object: of json_object_new_object() and so on
 * @new_array: .
 * @new_string: .
 * @new_u64: .
 * @new_bool: .
 * @object_add: takes the value over; 0 or negative
 * @array_add: takes the value over; 0 or negative
 * @put: frees a value
 */
struct json {
	struct json_object *(*new_object)(void);
	struct json_object *(*new_array)(void);
	struct json_object *(*new_string)(const char *s);
	struct json_object *(*new_u64)(uint64_t val);
	struct json_object *(*new_bool)(int val);
	int (*object_add)(struct json_object *o, const char *key,
			  struct json_object *val);
	int (*array_add)(struct json_object *o, struct json_object *val);
	int (*put)(struct json_object *o);
};

extern struct json json;

/* Open the library. 0; -ELIBACC when it is not there or lacks something. */
int json_load(void);

/* As text: on one line, or laid out. Belongs to @o; NULL without memory. */
const char *json_text(struct json_object *o, bool one_line);

#endif
