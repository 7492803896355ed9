// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../fdio.h"
#include "../util.h"
#include "tarindex.h"

#define RECORD		512u
#define PAX_MAX		(1u << 20)
#define LINKS_MAX	8

/**
 * struct header - a record of ustar, as far as it is needed
 * @name: .
 * @pad1: mode, uid, gid
 * @size: octal, or binary with the highest bit set
 * @pad2: mtime
 * @chksum: sum of all bytes, itself taken as spaces
 * @type: .
 * @linkname: .
 * @magic: .
 * @pad3: owner's names and device numbers
 * @prefix: what stands before @name
 * @pad4: .
 */
struct header {
	char name[100];
	char pad1[24];
	u8 size[12];
	char pad2[12];
	char chksum[8];
	char type;
	char linkname[100];
	char magic[8];
	char pad3[80];
	char prefix[155];
	char pad4[12];
};

static_assert(sizeof(struct header) == RECORD, "a record of a tar");

/**
 * struct state - reading an archive
 * @fd: .
 * @end: its size
 * @pos: of the next record
 * @name: of the next member, from a header before it; NULL for none
 * @link: .
 * @size: .
 * @has_size: .
 */
struct state {
	int fd;
	u64 end;
	u64 pos;
	char *name;
	char *link;
	u64 size;
	bool has_size;
};

static int read_at(struct state *s, u64 off, void *buf, size_t len, struct ybd_error *err)
{
	int rc;

	if (off > s->end || len > s->end - off)
		return ybd_error_set(err, -EBADMSG, "the archive is cut short at byte %llu",
				     (unsigned long long)s->end);
	rc = pread_all(s->fd, buf, len, off);
	return rc ? ybd_error_sys(err, rc, "reading at byte %llu", (unsigned long long)off) : 0;
}

static bool octal(const char *s, size_t len, u64 *out)
{
	u64 v = 0;

	while (len && *s == ' ') {
		s++;
		len--;
	}
	for (; len && *s >= '0' && *s <= '7'; s++, len--) {
		if (v >> 60)
			return false;
		v = v << 3 | (u64)(*s - '0');
	}
	*out = v;
	return !len || *s == ' ' || !*s;
}

static bool number(const u8 *s, size_t len, u64 *out)
{
	u64 v = 0;

	if (!(s[0] & 0x80))
		return octal((const char *)s, len, out);
	if (s[0] != 0x80)
		return false;
	for (size_t i = 1; i < len; i++) {
		if (v >> 55)
			return false;
		v = v << 8 | s[i];
	}
	*out = v;
	return true;
}

static bool sum_fits(const struct header *h)
{
	const u8 *p = (const u8 *)h;
	const size_t at = offsetof(struct header, chksum);
	u64 want, sum = 0;

	for (size_t i = 0; i < RECORD; i++)
		sum += i >= at && i < at + sizeof(h->chksum) ? ' ' : p[i];
	return octal(h->chksum, sizeof(h->chksum), &want) && want == sum;
}

static bool all_zero(const struct header *h)
{
	static const struct header zero;

	return !memcmp(h, &zero, sizeof(zero));
}

/* Without "./", double and trailing slashes: as the names are asked for. */
static char *plain_name(const char *s)
{
	char *out = malloc(strlen(s) + 1), *p = out;

	if (!out)
		return NULL;
	while (*s) {
		if (*s == '/' || (*s == '.' && (s[1] == '/' || !s[1]))) {
			s++;
			continue;
		}
		if (p != out)
			*p++ = '/';
		while (*s && *s != '/')
			*p++ = *s++;
	}
	*p = '\0';
	return out;
}

static void set_name(char **dst, const char *s, size_t len)
{
	free(*dst);
	*dst = strndup(s, len);
}

/* "LEN KEY=VALUE\n" records; those of interest. */
static int pax(struct state *s, char *text, size_t len, struct ybd_error *err)
{
	while (len) {
		char *end, *eq, *key;
		unsigned long n = strtoul(text, &end, 10);
		size_t val;

		if (end == text || *end != ' ' || n > len || n < (size_t)(end - text) + 3 ||
		    text[n - 1] != '\n')
			return ybd_error_set(err, -EBADMSG, "a damaged extended header before byte %llu",
					     (unsigned long long)s->pos);
		key = end + 1;
		eq = memchr(key, '=', n - (size_t)(key - text));
		if (eq) {
			val = n - (size_t)(eq + 1 - text) - 1;
			if (!strncmp(key, "path=", 5))
				set_name(&s->name, eq + 1, val);
			else if (!strncmp(key, "linkpath=", 9))
				set_name(&s->link, eq + 1, val);
			else if (!strncmp(key, "size=", 5))
				s->has_size = sscanf(eq + 1, "%lu", &s->size) == 1;
		}
		text += n;
		len -= n;
	}
	return 0;
}

/* The body of a header that describes the next member. */
static int read_special(struct state *s, char type, u64 size, struct ybd_error *err)
{
	__cleanup_free char *text = NULL;
	int rc;

	if (size > PAX_MAX)
		return ybd_error_set(err, -EBADMSG, "a header of %llu bytes at byte %llu",
				     (unsigned long long)size, (unsigned long long)s->pos);
	text = calloc(1, size + 1);
	if (!text)
		return ybd_error_sys(err, -ENOMEM, "archive");
	rc = read_at(s, s->pos, text, size, err);
	if (rc)
		return rc;
	if (type == 'L')
		set_name(&s->name, text, size);
	else if (type == 'K')
		set_name(&s->link, text, size);
	else
		rc = pax(s, text, size, err);
	return rc;
}

static int add(struct tarindex *t, const char *name, const char *link, u64 off, u64 size,
	       struct ybd_error *err)
{
	struct tarindex_member *m;

	if (t->nr == TARINDEX_MEMBERS_MAX)
		return ybd_error_set(err, -E2BIG, "the archive has more than %u members",
				     TARINDEX_MEMBERS_MAX);
	if (t->nr == t->room) {
		m = reallocarray(t->m, t->room * 2 + 64, sizeof(*m));
		if (!m)
			return ybd_error_sys(err, -ENOMEM, "archive");
		t->m = m;
		t->room = t->room * 2 + 64;
	}
	m = &t->m[t->nr++];
	*m = (struct tarindex_member){ .off = off, .size = size };
	m->name = plain_name(name);
	m->link = link ? strdup(link) : NULL;
	if (!m->name || (link && !m->link))
		return ybd_error_sys(err, -ENOMEM, "archive");
	return 0;
}

/* The target of a symlink as a name in the archive; docker makes "../ID/layer.tar". */
static char *symlink_target(const char *name, const char *to)
{
	char *out, *slash;
	size_t dir = 0;

	slash = strrchr(name, '/');
	if (slash)
		dir = (size_t)(slash - name);
	while (!strncmp(to, "../", 3) && dir) {
		to += 3;
		while (dir && name[dir - 1] != '/')
			dir--;
		dir -= dir ? 1 : 0;
	}
	if (asprintf(&out, "%.*s%s%s", (int)dir, name, dir ? "/" : "", to) < 0)
		return NULL;
	return out;
}

static int take_member(struct state *s, struct tarindex *t, const struct header *h, u64 size,
		       struct ybd_error *err)
{
	char name[sizeof(h->prefix) + sizeof(h->name) + 2], link[sizeof(h->linkname) + 1];
	const char *n = s->name ?: name, *l = s->link ?: link;
	__cleanup_free char *plain = NULL, *to = NULL;

	if (!memcmp(h->magic, "ustar\0", 6) && h->prefix[0])
		snprintf(name, sizeof(name), "%.*s/%.*s", (int)sizeof(h->prefix), h->prefix,
			 (int)sizeof(h->name), h->name);
	else
		snprintf(name, sizeof(name), "%.*s", (int)sizeof(h->name), h->name);
	snprintf(link, sizeof(link), "%.*s", (int)sizeof(h->linkname), h->linkname);
	if (strlen(n) > TARINDEX_NAME_MAX || strlen(l) > TARINDEX_NAME_MAX)
		return ybd_error_set(err, -ENAMETOOLONG, "a name of %zu bytes in the archive",
				     strlen(n));
	plain = plain_name(n);
	if (!plain)
		return ybd_error_sys(err, -ENOMEM, "archive");
	switch (h->type) {
	case '0':
	case '\0':
	case '7':
		return add(t, plain, NULL, s->pos, size, err);
	case '1':
		to = plain_name(l);
		return add(t, plain, to ?: "", 0, 0, err);
	case '2':
		to = symlink_target(plain, l);
		return add(t, plain, to ?: "", 0, 0, err);
	default:
		return 0;
	}
}

static void forget_special(struct state *s)
{
	free(s->name);
	free(s->link);
	s->name = NULL;
	s->link = NULL;
	s->has_size = false;
}

/* One header and what belongs to it; *@end when it is the last. */
static int step(struct state *s, struct tarindex *t, bool *end, struct ybd_error *err)
{
	struct header h;
	u64 at = s->pos, size;
	int rc = read_at(s, at, &h, sizeof(h), err);

	if (rc)
		return rc;
	if (all_zero(&h)) {
		*end = true;
		return 0;
	}
	if (!sum_fits(&h) || !number(h.size, sizeof(h.size), &size))
		return ybd_error_set(err, at ? -EBADMSG : -EMEDIUMTYPE,
				     at ? "a damaged tar header at byte %llu" :
				     "neither a directory nor a plain tar (byte %llu); a compressed archive has to be unpacked first",
				     (unsigned long long)at);
	s->pos += RECORD;
	if (s->has_size && h.type != 'x' && h.type != 'L' && h.type != 'K')
		size = s->size;
	/* links have no data, whatever their size says */
	if (h.type == '1' || h.type == '2')
		size = 0;
	if (size > s->end - s->pos)
		return ybd_error_set(err, -EBADMSG,
				     "the archive is cut short: the member at byte %llu goes on to byte %llu of %llu",
				     (unsigned long long)at, (unsigned long long)(s->pos + size),
				     (unsigned long long)s->end);
	if (h.type == 'x' || h.type == 'L' || h.type == 'K') {
		rc = read_special(s, h.type, size, err);
	} else if (h.type != 'g') {
		rc = take_member(s, t, &h, size, err);
		forget_special(s);
	}
	s->pos += (size + RECORD - 1) / RECORD * RECORD;
	*end = s->pos >= s->end;
	return rc;
}

static int by_name(const void *a, const void *b)
{
	const struct tarindex_member *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	/* the later one is found first: links only come after what they lead to */
	return c ? c : (x->off > y->off ? -1 : x->off < y->off);
}

int tarindex_read(int fd, struct tarindex *t, struct ybd_error *err)
{
	struct state s = { .fd = fd };
	bool end = false;
	struct stat st;
	int rc = 0;

	memset(t, 0, sizeof(*t));
	if (fstat(fd, &st))
		return ybd_error_sys(err, -errno, "archive");
	s.end = (u64)st.st_size;
	if (!S_ISREG(st.st_mode) || s.end < RECORD)
		return ybd_error_set(err, -EMEDIUMTYPE,
				     "neither a directory nor a plain tar; a compressed archive has to be unpacked first");
	while (!rc && !end)
		rc = step(&s, t, &end, err);
	forget_special(&s);
	if (rc) {
		tarindex_free(t);
		return rc;
	}
	if (t->nr)
		qsort(t->m, t->nr, sizeof(*t->m), by_name);
	return 0;
}

void tarindex_free(struct tarindex *t)
{
	for (size_t i = 0; i < t->nr; i++) {
		free(t->m[i].name);
		free(t->m[i].link);
	}
	free(t->m);
	memset(t, 0, sizeof(*t));
}

static const struct tarindex_member *find_name(const struct tarindex *t, const char *name)
{
	size_t lo = 0, hi = t->nr;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(t->m[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->nr && !strcmp(t->m[lo].name, name) ? &t->m[lo] : NULL;
}

const struct tarindex_member *tarindex_find(const struct tarindex *t, const char *name)
{
	const struct tarindex_member *m = find_name(t, name);

	for (int i = 0; m && m->link && i < LINKS_MAX; i++)
		m = find_name(t, m->link);
	return m && !m->link ? m : NULL;
}
