// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fast_digest.h"
#include "lvstore_fixture.h"

#define CHUNK (1024u * 1024u)
/* beyond this only the sparse digest is made */
#define FULL_MAX (256ull << 20)

static void hex_digest(EVP_MD_CTX *h, char out[65])
{
	unsigned char d[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	EVP_DigestFinal_ex(h, d, &n);
	for (unsigned int i = 0; i < n && i < 32; i++)
		sprintf(out + 2 * i, "%02x", d[i]);
}

static void hash_blocks(EVP_MD_CTX *h, struct content *c, u64 off, const u8 *buf,
			size_t len)
{
	static const u8 zero[4096];

	for (size_t i = 0; i < len; i += 4096) {
		u64 nr = (off + i) / 4096;
		u8 le[8];

		if (!memcmp(buf + i, zero, 4096))
			continue;
		for (int b = 0; b < 8; b++)
			le[b] = (u8)(nr >> (8 * b));
		EVP_DigestUpdate(h, le, sizeof(le));
		EVP_DigestUpdate(h, buf + i, 4096);
		c->fast = fast_digest(c->fast, nr, buf + i);
		c->blocks++;
	}
}

/* Where the next bytes lie that the map has; the size when there are none. */
static u64 next_mapped(const struct lvs_map *map, u64 off)
{
	for (size_t i = 0; i < map->nr; i++)
		if (map->ext[i].start + map->ext[i].len > off)
			return map->ext[i].start > off ? map->ext[i].start : off;
	return map->size;
}

int content_hash(struct lvs_store *s, const struct lvs_map *map, int esnap_fd, struct content *c)
{
	EVP_MD_CTX *full = EVP_MD_CTX_new(), *sparse = EVP_MD_CTX_new();
	bool all = map->size <= FULL_MAX;
	u8 *buf = malloc(CHUNK);
	int rc = 0;

	memset(c, 0, sizeof(*c));
	EVP_DigestInit_ex(full, EVP_sha256(), NULL);
	EVP_DigestInit_ex(sparse, EVP_sha256(), NULL);
	for (u64 off = 0; off < map->size && !rc;) {
		size_t n;

		if (!all) {
			off = next_mapped(map, off);
			if (off == map->size)
				break;
		}
		n = map->size - off < CHUNK ? map->size - off : CHUNK;
		rc = lvs_map_read(s, map, esnap_fd, off, buf, n);
		if (all)
			EVP_DigestUpdate(full, buf, n);
		hash_blocks(sparse, c, off, buf, n);
		off += n;
	}
	if (all)
		hex_digest(full, c->sha256);
	hex_digest(sparse, c->sparse);
	EVP_MD_CTX_free(full);
	EVP_MD_CTX_free(sparse);
	free(buf);
	return rc;
}

struct json_object *js(struct json_object *o, const char *key)
{
	struct json_object *v;

	if (json_object_object_get_ex(o, key, &v))
		return v;
	printf("Bail out! no \"%s\" in the fixture's JSON\n", key);
	exit(1);
}

const char *js_str(struct json_object *o, const char *key)
{
	struct json_object *v = js(o, key);

	return v ? json_object_get_string(v) : NULL;
}

u64 js_u64(struct json_object *o, const char *key)
{
	struct json_object *v = js(o, key);

	/* blob ids are hexadecimal text */
	if (json_object_is_type(v, json_type_string))
		return strtoull(json_object_get_string(v), NULL, 16);
	return json_object_get_uint64(v);
}
