/* SPDX-License-Identifier: GPL-2.0-only */
/* Content digests as OCI writes them: "sha256:" and 64 lower-case digits. */
#ifndef YBD_OCI_DIGEST_H
#define YBD_OCI_DIGEST_H

#include "../sha256.h"

#define OCI_DIGEST_PREFIX	"sha256:"
#define OCI_DIGEST_STRLEN	(7 + 2 * SHA256_LEN)

/**
 * struct oci_digest - a SHA-256 digest
 * @b: its bytes
 */
struct oci_digest {
	u8 b[SHA256_LEN];
};

/* 0; -EINVAL when it is no such text; -EOPNOTSUPP for another algorithm. @s may be NULL. */
int oci_digest_parse(const char *s, struct oci_digest *d);
/* The text, in @buf. */
const char *oci_digest_text(const struct oci_digest *d, char buf[OCI_DIGEST_STRLEN + 1]);
/* Of @len bytes. */
void oci_digest_of(const void *data, size_t len, struct oci_digest *d);

static inline bool oci_digest_same(const struct oci_digest *a, const struct oci_digest *b)
{
	return !memcmp(a->b, b->b, sizeof(a->b));
}

/**
 * oci_chain_next() - the chain ID one layer further up
 * @parent: chain ID of all layers below; NULL for the lowest layer
 * @diff_id: digest of the layer's uncompressed tar
 * @out: may be @parent
 */
void oci_chain_next(const struct oci_digest *parent, const struct oci_digest *diff_id,
		    struct oci_digest *out);

#endif
