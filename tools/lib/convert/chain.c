// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "../uuid5.h"
#include "chain.h"

#define TEXT_MAX	384

const char *chain_how_text(const struct chain_how *how, char text[CHAIN_HOW_LEN])
{
	char hot[OCI_DIGEST_STRLEN + 1] = "";

	if (how->hot)
		oci_digest_text(how->hot, hot);
	snprintf(text, CHAIN_HOW_LEN, "%s %s%s%s%s %llu", how->format, how->fs,
		 how->no_journal ? ",nojournal" : "", how->hot ? ",hot=" : "", hot,
		 (unsigned long long)how->size);
	return text;
}

/* Whatever changes what is made of a layer changes the number in it. */
static void text_of(const struct oci_digest *chain, const struct chain_how *how, const char *what,
		    char text[TEXT_MAX])
{
	char digest[OCI_DIGEST_STRLEN + 1], own[CHAIN_HOW_LEN];

	snprintf(text, TEXT_MAX, "ybd convert 2\n%s\n%s\n%s\n", what, chain_how_text(how, own),
		 oci_digest_text(chain, digest));
}

bool chain_is_overlayfs(const struct chain_how *how)
{
	return !strcmp(how->format, "overlayfs");
}

bool chain_is_erofs(const struct chain_how *how)
{
	return !strcmp(how->fs, "erofs");
}

const char *chain_lowerdir(size_t nr, char text[CHAIN_LOWERDIR_LEN])
{
	size_t at = 0;

	for (text[0] = '\0'; nr && at < CHAIN_LOWERDIR_LEN; nr--)
		at += (size_t)snprintf(text + at, CHAIN_LOWERDIR_LEN - at, "%zu%s", nr,
				       nr > 1 ? ":" : "");
	return text;
}

/* RFC 4648, without padding. */
static void base32(const u8 *p, size_t len, char *out)
{
	static const char digit[] = "abcdefghijklmnopqrstuvwxyz234567";
	u32 bits = 0, have = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | p[i];
		for (have += 8; have >= 5; have -= 5)
			*out++ = digit[bits >> (have - 5) & 31];
	}
	if (have)
		*out++ = digit[bits << (5 - have) & 31];
	*out = '\0';
}

void chain_identify(const struct oci_digest *chain, const struct chain_how *how,
		    struct chain_id *out)
{
	char text[TEXT_MAX];
	struct oci_digest d;
	u8 uuid[16];

	text_of(chain, how, "lvol", text);
	oci_digest_of(text, strlen(text), &d);
	base32(d.b, sizeof(d.b), out->name);
	uuid5(text, uuid);
	ybd_uuid_text(uuid, out->uuid);
}

void chain_fs_ids(const struct oci_digest *chain, const struct chain_how *how, u8 uuid[16],
		  u8 seed[16])
{
	char text[TEXT_MAX];

	text_of(chain, how, "uuid", text);
	uuid5(text, uuid);
	text_of(chain, how, "hash seed", text);
	uuid5(text, seed);
}
