// SPDX-License-Identifier: GPL-2.0-only
/* SHA-1 is what version 5 is made of; nothing here is a matter of security. */
#include "uuid5.h"

#define NAME_MAX_LEN 1024

static u32 rol(u32 v, int n)
{
	return v << n | v >> (32 - n);
}

static u32 get_be32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static void sha1_block(u32 h[5], const u8 *p)
{
	u32 w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	for (int i = 0; i < 16; i++)
		w[i] = get_be32(p + 4 * i);
	for (int i = 16; i < 80; i++)
		w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (int i = 0; i < 80; i++) {
		u32 f, k, t;

		if (i < 20) {
			f = (b & c) | (~b & d);
			k = 0x5a827999;
		} else if (i < 40) {
			f = b ^ c ^ d;
			k = 0x6ed9eba1;
		} else if (i < 60) {
			f = (b & c) | (b & d) | (c & d);
			k = 0x8f1bbcdc;
		} else {
			f = b ^ c ^ d;
			k = 0xca62c1d6;
		}
		t = rol(a, 5) + f + e + k + w[i];
		e = d;
		d = c;
		c = rol(b, 30);
		b = a;
		a = t;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

void uuid5(const char *name, u8 out[16])
{
	/* 3c1dbd0e-7c43-4a5b-9b9f-0f3d6b6f1c52, drawn once */
	static const u8 space[16] = {
		0x3c, 0x1d, 0xbd, 0x0e, 0x7c, 0x43, 0x4a, 0x5b,
		0x9b, 0x9f, 0x0f, 0x3d, 0x6b, 0x6f, 0x1c, 0x52,
	};
	u32 h[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
	u8 msg[NAME_MAX_LEN + 128] = { 0 };
	size_t len = strlen(name), total;

	assert(len <= NAME_MAX_LEN);
	memcpy(msg, space, sizeof(space));
	memcpy(msg + sizeof(space), name, len);
	len += sizeof(space);
	msg[len] = 0x80;
	total = (len + 9 + 63) / 64 * 64;
	for (int i = 0; i < 8; i++)
		msg[total - 1 - i] = (u8)((u64)len * 8 >> (8 * i));
	for (size_t i = 0; i < total; i += 64)
		sha1_block(h, msg + i);
	for (int i = 0; i < 16; i++)
		out[i] = (u8)(h[i / 4] >> (24 - 8 * (i % 4)));
	out[6] = (out[6] & 0x0f) | 0x50;
	out[8] = (out[8] & 0x3f) | 0x80;
}
