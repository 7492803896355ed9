// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>

#include "digest.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int oci_digest_parse(const char *s, struct oci_digest *d)
{
	const size_t head = strlen(OCI_DIGEST_PREFIX);

	if (!s || !strchr(s, ':'))
		return -EINVAL;
	if (strncmp(s, OCI_DIGEST_PREFIX, head))
		return -EOPNOTSUPP;
	s += head;
	if (strlen(s) != 2 * SHA256_LEN)
		return -EINVAL;
	for (size_t i = 0; i < SHA256_LEN; i++) {
		int hi = hex_digit(s[2 * i]), lo = hex_digit(s[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		d->b[i] = (u8)(hi << 4 | lo);
	}
	return 0;
}

const char *oci_digest_text(const struct oci_digest *d, char buf[OCI_DIGEST_STRLEN + 1])
{
	char *p = buf + sprintf(buf, "%s", OCI_DIGEST_PREFIX);

	for (size_t i = 0; i < SHA256_LEN; i++)
		p += sprintf(p, "%02x", d->b[i]);
	return buf;
}

void oci_digest_of(const void *data, size_t len, struct oci_digest *d)
{
	struct sha256 s;

	sha256_init(&s);
	sha256_update(&s, data, len);
	sha256_final(&s, d->b);
}

void oci_chain_next(const struct oci_digest *parent, const struct oci_digest *diff_id,
		    struct oci_digest *out)
{
	char text[2 * OCI_DIGEST_STRLEN + 2];

	if (!parent) {
		*out = *diff_id;
		return;
	}
	oci_digest_text(parent, text);
	text[OCI_DIGEST_STRLEN] = ' ';
	oci_digest_text(diff_id, text + OCI_DIGEST_STRLEN + 1);
	oci_digest_of(text, strlen(text), out);
}
