/* SPDX-License-Identifier: GPL-2.0-only */
/* Names that the kernel takes, checked before it is asked; uuids. */
#ifndef YBD_LIB_NAMES_H
#define YBD_LIB_NAMES_H

#include "types.h"

/**
 * ybd_check_device_name() - may a device be called so?
 * @s: the name
 *
 * Return: NULL when it may, else what is wrong with it.
 */
const char *ybd_check_device_name(const char *s);

/* The same for an image. */
const char *ybd_check_image_name(const char *s);

/* A uuid's text into its 16 bytes; 0 or -EINVAL. */
int ybd_uuid_parse(const char *text, u8 out[16]);

#define YBD_UUID_TEXT_LEN 37
/* And back: lower case, with dashes. */
const char *ybd_uuid_text(const u8 uuid[16], char buf[YBD_UUID_TEXT_LEN]);

/* A random one (version 4); 0 or a negative errno. */
int ybd_uuid_random(u8 uuid[16]);

#endif
