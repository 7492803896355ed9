// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "priv.h"

int ero_stream_init(struct ero_stream *s, struct bytestore *b)
{
	memset(s, 0, sizeof(*s));
	s->b = b;
	s->buf = malloc(ERO_STREAM);
	return s->buf ? 0 : ybd_error_sys(&b->err, -ENOMEM, "erofs");
}

/* Bytes, or zeros, that follow what is there; written a buffer at a time. */
static int follow(struct ero_stream *s, const u8 *p, u64 len)
{
	while (len) {
		u32 n = ERO_STREAM - s->fill;

		n = len < n ? (u32)len : n;
		if (p)
			memcpy(s->buf + s->fill, p, n);
		else
			memset(s->buf + s->fill, 0, n);
		s->fill += n;
		p = p ? p + n : NULL;
		len -= n;
		if (s->fill == ERO_STREAM) {
			int rc = s->b->ops->write(s->b, s->at, s->buf, ERO_STREAM);

			if (rc)
				return rc;
			s->at += ERO_STREAM;
			s->fill = 0;
		}
	}
	return 0;
}

int ero_stream_zero(struct ero_stream *s, u64 end)
{
	return follow(s, NULL, end - s->at - s->fill);
}

int ero_stream_flush(struct ero_stream *s)
{
	u32 n = (s->fill + IMGFS_BLOCK - 1) / IMGFS_BLOCK * IMGFS_BLOCK;
	int rc;

	if (!n)
		return 0;
	memset(s->buf + s->fill, 0, n - s->fill);
	rc = s->b->ops->write(s->b, s->at, s->buf, n);
	s->at += n;
	s->fill = 0;
	return rc;
}

int ero_stream_put(struct ero_stream *s, u64 at, const void *buf, size_t len)
{
	u64 end = s->at + s->fill, block = at / IMGFS_BLOCK * IMGFS_BLOCK;
	int rc = 0;

	if (at < end || block > end) {
		rc = ero_stream_flush(s);
		s->at = block;
		end = block;
	}
	if (!rc && at > end)
		rc = ero_stream_zero(s, at);
	return rc ? rc : follow(s, buf, len);
}
