/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The JSON of image manifests, read by json-c within bounds: the caller bounds the length, this
 * bounds the depth, and a value of another type than asked for is as good as none.
 */
#ifndef YBD_OCI_JSON_H
#define YBD_OCI_JSON_H

#include "../error.h"
#include "../types.h"

struct json_object;

#define OCI_JSON_DEPTH	32

/**
 * oci_json_parse() - read a document
 * @text: @len bytes; a single JSON object or array, with nothing behind it but white space
 * @len: bytes
 * @what: what is being read, for the message
 * @out: the document; free with oci_json_put()
 * @err: why not
 *
 * Return: 0; -EBADMSG when it is no JSON, with the byte; -ELIBACC without json-c; -ENOMEM.
 */
int oci_json_parse(const char *text, size_t len, const char *what, struct json_object **out,
		   struct ybd_error *err);
void oci_json_put(struct json_object *o);

/* A member of an object; NULL when @o is no object or has no such member. */
struct json_object *oci_json_get(struct json_object *o, const char *key);
/* A member that is a string without NUL in it; NULL when there is none. */
const char *oci_json_str(struct json_object *o, const char *key);
/* A member that is an integer from 0 on. 0 or -ENOENT. */
int oci_json_u64(struct json_object *o, const char *key, u64 *out);

/* Length of an array; 0 for anything else. */
size_t oci_json_len(struct json_object *o);
/* NULL beyond the end. */
struct json_object *oci_json_at(struct json_object *o, size_t i);
/* An element that is a string without NUL in it; else NULL. */
const char *oci_json_str_at(struct json_object *o, size_t i);

#endif
