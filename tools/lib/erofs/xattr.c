// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../util.h"
#include "priv.h"

#define VALUE_MAX	0xffffu
#define ENTRIES_MAX	(0xfffeu * 4)	/* what the inode can count */
#define ACL_VERSION	2u		/* of the form that ACLs have as xattrs */

static const struct prefix {
	const char *text;
	u8 index;
	bool whole;		/* the name ends there */
} prefixes[] = {
	{ "user.", 1, false },
	{ "system.posix_acl_access", 2, true },
	{ "system.posix_acl_default", 3, true },
	{ "trusted.", 4, false },
	{ "security.", 6, false },
};

static const struct prefix *prefix_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		const struct prefix *p = &prefixes[i];
		size_t len = strlen(p->text);

		if (!strncmp(name, p->text, len) && !name[len] == p->whole &&
		    strlen(name) <= IMGFS_NAME_MAX)
			return p;
	}
	return NULL;
}

static const struct prefix *prefix_at(u8 index)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (prefixes[i].index == index)
			return &prefixes[i];
	return NULL;
}

/* ---- entries ---- */

static u32 entry_bytes(const u8 *p)
{
	struct ero_xattr_disk d;

	memcpy(&d, p, sizeof(d));
	return (u32)(sizeof(d) + d.name_len + le16toh(d.value_len) + 3) & ~3u;
}

bool ero_xattrs_sound(const u8 *p, u32 len)
{
	const struct prefix *x;
	struct ero_xattr_disk d;

	while (len) {
		if (len < sizeof(d) || entry_bytes(p) > len)
			return false;
		memcpy(&d, p, sizeof(d));
		x = prefix_at(d.prefix);
		if (!x || x->whole != !d.name_len || memchr(p + sizeof(d), '\0', d.name_len) ||
		    strlen(x->text) + d.name_len > IMGFS_NAME_MAX)
			return false;
		len -= entry_bytes(p);
		p += entry_bytes(p);
	}
	return true;
}

static u32 find(const struct ero_inode *i, const char *name)
{
	const struct prefix *x = prefix_of(name);
	const char *rest = x ? name + strlen(x->text) : NULL;
	struct ero_xattr_disk d;

	for (u32 at = 0; x && at < i->xattr_len; at += entry_bytes(i->xattr + at)) {
		memcpy(&d, i->xattr + at, sizeof(d));
		if (d.prefix == x->index && d.name_len == strlen(rest) &&
		    !memcmp(i->xattr + at + sizeof(d), rest, d.name_len))
			return at;
	}
	return i->xattr_len;
}

int ero_has_xattr(struct imgfs *fs, u32 ino, const char *name, struct ybd_error *err)
{
	const struct ero_inode *i = ero_inode(erofs_of(fs), ino);

	return find(i, name) < i->xattr_len;
}

int ero_each_xattr(struct imgfs *fs, u32 ino, imgfs_xattr_fn fn, void *arg,
		   struct ybd_error *err)
{
	const struct ero_inode *i = ero_inode(erofs_of(fs), ino);
	char name[IMGFS_NAME_MAX + 1];
	struct ero_xattr_disk d;
	struct imgfs_xattr x = { .name = name };
	int rc;

	for (u32 at = 0; at < i->xattr_len; at += entry_bytes(i->xattr + at)) {
		memcpy(&d, i->xattr + at, sizeof(d));
		snprintf(name, sizeof(name), "%s%.*s", prefix_at(d.prefix)->text, d.name_len,
			 (const char *)i->xattr + at + sizeof(d));
		x.value = i->xattr + at + sizeof(d) + d.name_len;
		x.len = le16toh(d.value_len);
		rc = fn(arg, &x);
		if (rc)
			return err && err->code == rc ? rc :
			       ybd_error_sys(err, rc, "xattrs of inode %u", ino);
	}
	return 0;
}

/* ---- setting ---- */

/* Without the entry at @at; 0 bytes are none at all. */
static void cut(struct ero_tree *t, struct ero_inode *i, u32 at)
{
	u32 n = entry_bytes(i->xattr + at);

	memmove(i->xattr + at, i->xattr + at + n, i->xattr_len - at - n);
	i->xattr_len -= n;
	ero_tree_charge(t, -(int64_t)n, NULL);
	if (i->xattr_len)
		return;
	free(i->xattr);
	i->xattr = NULL;
}

static int append(struct ero_tree *t, struct ero_inode *i, const struct prefix *p,
		  const struct imgfs_xattr *x, struct ybd_error *err)
{
	const char *rest = x->name + strlen(p->text);
	struct ero_xattr_disk d = {
		.name_len = (u8)strlen(rest), .prefix = p->index,
		.value_len = htole16((u16)x->len),
	};
	u32 n = (u32)(sizeof(d) + d.name_len + x->len + 3) & ~3u;
	u8 *v;
	int rc = ero_tree_charge(t, n, err);

	if (rc)
		return rc;
	v = realloc(i->xattr, i->xattr_len + n);
	if (!v) {
		ero_tree_charge(t, -(int64_t)n, NULL);
		return ybd_error_sys(err, -ENOMEM, "xattrs");
	}
	i->xattr = v;
	v += i->xattr_len;
	i->xattr_len += n;
	memset(v, 0, n);
	memcpy(v, &d, sizeof(d));
	memcpy(v + sizeof(d), rest, d.name_len);
	if (x->len)
		memcpy(v + sizeof(d) + d.name_len, x->value, x->len);
	return 0;
}

/* A header, and entries of 8 bytes. */
static bool is_acl(const struct imgfs_xattr *x)
{
	u32 version;

	if (x->len < sizeof(version) || (x->len - sizeof(version)) % 8)
		return false;
	memcpy(&version, x->value, sizeof(version));
	return le32toh(version) == ACL_VERSION;
}

static int set(struct erofs *e, u32 ino, const struct imgfs_xattr *x, struct ybd_error *err)
{
	struct ero_inode *i = ero_inode(e, ino);
	const struct prefix *p = prefix_of(x->name);
	u32 at;

	if (!p)
		return ybd_error_set(err, -EOPNOTSUPP, "erofs cannot store the xattr %s", x->name);
	if (p->whole && !is_acl(x))
		return ybd_error_set(err, -EBADMSG, "the xattr %s is no ACL", x->name);
	at = find(i, x->name);
	if (at < i->xattr_len)
		cut(&e->tree, i, at);
	if (x->len > VALUE_MAX || i->xattr_len + x->len + IMGFS_NAME_MAX + 8 > ENTRIES_MAX)
		return ybd_error_set(err, -E2BIG,
				     "the xattr %s does not fit: erofs holds %u bytes in each, %u in all",
				     x->name, VALUE_MAX, ENTRIES_MAX);
	return append(&e->tree, i, p, x, err);
}

int ero_set_xattrs(struct imgfs *fs, u32 ino, const struct imgfs_xattr *x, size_t n,
		   struct ybd_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++)
		rc = set(erofs_of(fs), ino, &x[i], err);
	return rc;
}

/**
 * struct copying - attributes on their way
 * @e: .
 * @to: where they go
 * @but: the beginning of names that stay
 * @err: .
 */
struct copying {
	struct erofs *e;
	u32 to;
	const char *but;
	struct ybd_error *err;
};

static int copy_one(void *arg, const struct imgfs_xattr *x)
{
	const struct copying *c = arg;

	return strncmp(x->name, c->but, strlen(c->but)) ? set(c->e, c->to, x, c->err) : 0;
}

int ero_copy_xattrs(struct imgfs *fs, u32 from, u32 to, const char *but, struct ybd_error *err)
{
	struct copying c = { .e = erofs_of(fs), .to = to, .but = but, .err = err };

	return from == to ? 0 : ero_each_xattr(fs, from, copy_one, &c, err);
}
