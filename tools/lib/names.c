// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <linux/ybd.h>

#include "names.h"

static bool device_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

const char *ybd_check_device_name(const char *s)
{
	const char *p;

	if (!*s)
		return "it is empty";
	if (*s == '.' || *s == '-')
		return "it begins with a dot or a dash";
	for (p = s; *p; p++)
		if (!device_char(*p))
			return "only A-Z a-z 0-9 . _ - may be in it";
	if (p - s > YBD_NAME_LEN)
		return "it is longer than 63 characters";
	return NULL;
}

const char *ybd_check_image_name(const char *s)
{
	const char *p;

	if (!*s)
		return "it is empty";
	for (p = s; *p; p++)
		if (*p < 0x21 || *p > 0x7e)
			return "only printable ASCII without blanks may be in it";
	if (p - s > YBD_IMAGE_NAME_LEN)
		return "it is longer than 127 characters";
	return NULL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int ybd_uuid_parse(const char *text, u8 out[16])
{
	int i, hi, lo;

	for (i = 0; i < 16; i++) {
		if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return -EINVAL;
		hi = hex_digit(text[0]);
		lo = hi < 0 ? -1 : hex_digit(text[1]);
		if (lo < 0)
			return -EINVAL;
		out[i] = hi << 4 | lo;
		text += 2;
	}
	return *text ? -EINVAL : 0;
}

const char *ybd_uuid_text(const u8 u[16], char buf[YBD_UUID_TEXT_LEN])
{
	snprintf(buf, YBD_UUID_TEXT_LEN,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9],
		 u[10], u[11], u[12], u[13], u[14], u[15]);
	return buf;
}

int ybd_uuid_random(u8 uuid[16])
{
	ssize_t n = getrandom(uuid, 16, 0);

	if (n != 16)
		return n < 0 ? -errno : -EIO;
	uuid[6] = (uuid[6] & 0x0f) | 0x40;	/* version 4 */
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
	return 0;
}
