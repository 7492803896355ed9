// SPDX-License-Identifier: GPL-2.0-only
/* SHA-256 as in FIPS 180-4: by instructions of the CPU where it has them, for whole images. */
#if defined(__x86_64__) && !defined(__CHECKER__)
#include <immintrin.h>
#endif

#include "sha256.h"

static const u32 sha256_k[64] __attribute__((aligned(16))) = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
	0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
	0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
	0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
	0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static u32 ror(u32 v, int n)
{
	return v >> n | v << (32 - n);
}

static void sha256_block(struct sha256 *s, const u8 *p)
{
	u32 w[64], v[8];

	for (int i = 0; i < 16; i++)
		w[i] = (u32)p[4 * i] << 24 | (u32)p[4 * i + 1] << 16 |
		       (u32)p[4 * i + 2] << 8 | p[4 * i + 3];
	for (int i = 16; i < 64; i++) {
		u32 a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) +
		       w[i - 7] + (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
	}
	memcpy(v, s->h, sizeof(v));
	for (int i = 0; i < 64; i++) {
		u32 t1 = v[7] + (ror(v[4], 6) ^ ror(v[4], 11) ^ ror(v[4], 25)) +
			 ((v[4] & v[5]) ^ (~v[4] & v[6])) + sha256_k[i] + w[i];
		u32 t2 = (ror(v[0], 2) ^ ror(v[0], 13) ^ ror(v[0], 22)) +
			 ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		s->h[i] += v[i];
}

#if defined(__x86_64__) && !defined(__CHECKER__)
#define SHA256_NI 1

/*
 * The CPU keeps the chaining value as (a b e f) and (c d g h), and does two rounds with one
 * instruction; four words of the message are made from the sixteen before them.
 */
__attribute__((target("sha,sse4.1")))
static void sha256_blocks_ni(struct sha256 *s, const u8 *p, size_t nr)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll);
	__m128i dcba = _mm_loadu_si128((const void *)s->h);
	__m128i hgfe = _mm_loadu_si128((const void *)(s->h + 4));
	__m128i cdab = _mm_shuffle_epi32(dcba, 0xb1);
	__m128i efgh = _mm_shuffle_epi32(hgfe, 0x1b);
	__m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
	__m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);

	for (; nr; nr--, p += 64) {
		const __m128i abef_was = abef, cdgh_was = cdgh;
		__m128i w[4];

		for (int i = 0; i < 16; i++) {
			__m128i k = _mm_load_si128((const void *)(sha256_k + 4 * i)), m;

			if (i < 4) {
				m = _mm_loadu_si128((const void *)(p + 16 * i));
				m = _mm_shuffle_epi8(m, swap);
			} else {
				m = _mm_sha256msg1_epu32(w[i % 4], w[(i + 1) % 4]);
				m = _mm_add_epi32(m, _mm_alignr_epi8(w[(i + 3) % 4],
								     w[(i + 2) % 4], 4));
				m = _mm_sha256msg2_epu32(m, w[(i + 3) % 4]);
			}
			w[i % 4] = m;
			k = _mm_add_epi32(k, m);
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, k);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(k, 0x0e));
		}
		abef = _mm_add_epi32(abef, abef_was);
		cdgh = _mm_add_epi32(cdgh, cdgh_was);
	}
	cdab = _mm_shuffle_epi32(abef, 0x1b);
	efgh = _mm_shuffle_epi32(cdgh, 0xb1);
	dcba = _mm_blend_epi16(cdab, efgh, 0xf0);
	hgfe = _mm_alignr_epi8(efgh, cdab, 8);
	_mm_storeu_si128((void *)s->h, dcba);
	_mm_storeu_si128((void *)(s->h + 4), hgfe);
}

/* gcc 12 does not know it by name */
static bool have_ni(void)
{
	static int known = -1;
	u32 a = 7, b, c = 0, d;

	int is = __atomic_load_n(&known, __ATOMIC_RELAXED);

	if (is < 0) {
		__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
		is = (b >> 29 & 1) && __builtin_cpu_supports("sse4.1");
		__atomic_store_n(&known, is, __ATOMIC_RELAXED);
	}
	return is;
}
#endif

static void sha256_blocks(struct sha256 *s, const u8 *p, size_t nr)
{
#ifdef SHA256_NI
	if (have_ni()) {
		sha256_blocks_ni(s, p, nr);
		return;
	}
#endif
	for (; nr; nr--, p += 64)
		sha256_block(s, p);
}

void sha256_init(struct sha256 *s)
{
	static const u32 h[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};

	memcpy(s->h, h, sizeof(h));
	s->total = 0;
}

void sha256_update(struct sha256 *s, const void *data, size_t len)
{
	const u8 *p = data;
	size_t have = s->total % 64;

	s->total += len;
	if (have) {
		size_t n = len < 64 - have ? len : 64 - have;

		memcpy(s->buf + have, p, n);
		p += n;
		len -= n;
		if (have + n < 64)
			return;
		sha256_blocks(s, s->buf, 1);
	}
	sha256_blocks(s, p, len / 64);
	if (len % 64)
		memcpy(s->buf, p + len / 64 * 64, len % 64);
}

void sha256_final(struct sha256 *s, u8 out[SHA256_LEN])
{
	u64 bits = s->total * 8;
	u8 pad[72] = { 0x80 };
	size_t n = (s->total % 64 < 56 ? 56 : 120) - s->total % 64;

	for (int i = 0; i < 8; i++)
		pad[n + i] = (u8)(bits >> (56 - 8 * i));
	sha256_update(s, pad, n + 8);
	for (int i = 0; i < 32; i++)
		out[i] = (u8)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}
