// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>

#include "fs.h"
#include "util.h"

/**
 * struct fs_type - a file system
 * @name: as libblkid names it
 * @always: data that it needs in any case, or NULL
 * @ro: data that a read-only view needs, or NULL
 */
static const struct fs_type {
	const char *name;
	const char *always;
	const char *ro;
} types[] = {
	{ "ext2", NULL, NULL },
	{ "ext3", NULL, "noload" },
	{ "ext4", NULL, "noload" },
	{ "xfs", "nouuid", "norecovery" },
	{ "erofs", NULL, NULL },
	{ "squashfs", NULL, NULL },
};

static const struct {
	const char *name;
	unsigned long set;
	unsigned long clear;
} flags[] = {
	{ "defaults", 0, 0 },
	{ "ro", MS_RDONLY, 0 },
	{ "rw", 0, MS_RDONLY },
	{ "nosuid", MS_NOSUID, 0 },
	{ "suid", 0, MS_NOSUID },
	{ "nodev", MS_NODEV, 0 },
	{ "dev", 0, MS_NODEV },
	{ "noexec", MS_NOEXEC, 0 },
	{ "exec", 0, MS_NOEXEC },
	{ "sync", MS_SYNCHRONOUS, 0 },
	{ "async", 0, MS_SYNCHRONOUS },
	{ "dirsync", MS_DIRSYNC, 0 },
	{ "noatime", MS_NOATIME, 0 },
	{ "atime", 0, MS_NOATIME },
	{ "nodiratime", MS_NODIRATIME, 0 },
	{ "diratime", 0, MS_NODIRATIME },
	{ "relatime", MS_RELATIME, 0 },
	{ "norelatime", 0, MS_RELATIME },
	{ "strictatime", MS_STRICTATIME, 0 },
	{ "lazytime", MS_LAZYTIME, 0 },
};

static const struct fs_type *find_type(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i].name, name))
			return &types[i];
	return NULL;
}

const char *fs_check(const char *type)
{
	if (!*type)
		return "there is no file system that libblkid knows on it";
	if (!strcmp(type, "btrfs"))
		return "btrfs mixes up file systems of one uuid, as those of an image are";
	if (!find_type(type))
		return "only ext2, ext3, ext4, xfs, erofs and squashfs (mount(8) takes others)";
	return NULL;
}

static int add(struct fs_options *o, const char *word, size_t n)
{
	size_t len = strlen(o->data);

	if (len + n + 2 > sizeof(o->data))
		return -E2BIG;
	if (len)
		o->data[len++] = ',';
	memcpy(o->data + len, word, n);
	o->data[len + n] = '\0';
	return 0;
}

static bool take_flag(struct fs_options *o, const char *word, size_t n)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		if (strlen(flags[i].name) != n ||
		    strncmp(flags[i].name, word, n))
			continue;
		o->flags |= flags[i].set;
		o->flags &= ~flags[i].clear;
		return true;
	}
	return false;
}

/* Length of the first option; a comma in quotes does not end it (SELinux). */
static size_t word_len(const char *s)
{
	bool quoted = false;
	size_t n;

	for (n = 0; s[n] && (quoted || s[n] != ','); n++)
		if (s[n] == '"')
			quoted = !quoted;
	return n;
}

static int add_user(struct fs_options *o, const char *user)
{
	size_t n;
	int rc;

	while (user && *user) {
		n = word_len(user);
		if (n && !take_flag(o, user, n)) {
			rc = add(o, user, n);
			if (rc)
				return rc;
		}
		user += n + (user[n] == ',');
	}
	return 0;
}

int fs_options(const char *type, const char *user, bool ro,
	       struct fs_options *out)
{
	const struct fs_type *t = find_type(type);
	int rc;

	*out = (struct fs_options){ .flags = ro ? MS_RDONLY : 0 };
	rc = add_user(out, user);
	if (ro)
		out->flags |= MS_RDONLY;
	if (!rc && t && t->always)
		rc = add(out, t->always, strlen(t->always));
	if (!rc && t && t->ro && out->flags & MS_RDONLY)
		rc = add(out, t->ro, strlen(t->ro));
	return rc;
}
