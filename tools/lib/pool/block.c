// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>

#include "../crc32c.h"
#include "../names.h"
#include "block.h"

static_assert(sizeof(struct ybd_fmt_header) == 64, "header");
static_assert(sizeof(struct ybd_fmt_super) == YBD_FMT_BLOCK_SIZE, "superblock");
static_assert(sizeof(struct ybd_fmt_table) == YBD_FMT_BLOCK_SIZE, "table");
static_assert(sizeof(struct ybd_fmt_upper) == YBD_FMT_BLOCK_SIZE, "upper");
static_assert(sizeof(struct ybd_fmt_log) == YBD_FMT_BLOCK_SIZE, "log");
static_assert(sizeof(struct ybd_fmt_ckpt) == YBD_FMT_BLOCK_SIZE, "checkpoint");
static_assert(sizeof(struct ybd_fmt_layers) == YBD_FMT_BLOCK_SIZE, "layers");

const u8 pool_no_owner[16];

bool pool_is_zero(const void *p, size_t len)
{
	const u8 *b = p;

	return !len || (!*b && !memcmp(b, b + 1, len - 1));
}

u32 pool_block_crc(const void *block)
{
	u8 copy[YBD_FMT_BLOCK_SIZE];

	memcpy(copy, block, sizeof(copy));
	memset(copy + offsetof(struct ybd_fmt_header, crc), 0, sizeof(__le32));
	return crc32c(copy, sizeof(copy));
}

void pool_seal(void *block, u64 magic, const u8 *pool, const u8 *owner, u64 at, u64 seq)
{
	struct ybd_fmt_header *h = block;

	memset(h, 0, sizeof(*h));
	h->magic = cpu_to_le64(magic);
	memcpy(h->pool_uuid, pool, sizeof(h->pool_uuid));
	memcpy(h->owner, owner, sizeof(h->owner));
	h->block = cpu_to_le64(at);
	h->seq = cpu_to_le64(seq);
	h->crc = cpu_to_le32(pool_block_crc(block));
}

static bool differs(char *why, const char *fmt, ...) __printf(2, 3);

static bool differs(char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, POOL_WHY_LEN, fmt, ap);
	va_end(ap);
	return false;
}

static bool same_uuid(char *why, const char *what, const u8 *have, const u8 *want)
{
	char a[YBD_UUID_TEXT_LEN], b[YBD_UUID_TEXT_LEN];

	if (!want || !memcmp(have, want, 16))
		return true;
	return differs(why, "%s %s, expected %s", what, ybd_uuid_text(have, a),
		       ybd_uuid_text(want, b));
}

bool pool_verify(const void *block, u64 magic, const u8 *pool, const u8 *owner, u64 at, char *why)
{
	const struct ybd_fmt_header *h = block;
	u64 have = le64_to_cpu(h->magic);
	u32 crc;

	if (have != magic)
		return differs(why, "magic 0x%016llx, expected 0x%016llx (\"%.8s\")",
			       (unsigned long long)have, (unsigned long long)magic,
			       (const char *)&(__le64){ cpu_to_le64(magic) });
	crc = pool_block_crc(block);
	if (crc != le32_to_cpu(h->crc))
		return differs(why, "crc 0x%08x, expected 0x%08x", le32_to_cpu(h->crc), crc);
	if (!same_uuid(why, "pool uuid", h->pool_uuid, pool))
		return false;
	if (le64_to_cpu(h->block) != at)
		return differs(why, "it was written as block %llu",
			       (unsigned long long)le64_to_cpu(h->block));
	if (!same_uuid(why, "owner", h->owner, owner))
		return false;
	if (h->reserved)
		return differs(why, "reserved bytes are not zero");
	return true;
}

const char *pool_check_name(const u8 *name)
{
	size_t len = strnlen((const char *)name, YBD_FMT_NAME_LEN);

	if (!len)
		return "the name is empty";
	if (!pool_is_zero(name + len, YBD_FMT_NAME_LEN - len) || len == YBD_FMT_NAME_LEN)
		return "the name is not padded with zeroes";
	return NULL;
}
