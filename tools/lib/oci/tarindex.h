/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the members of an image archive lie: a plain tar that can be read at any place. Only for
 * the archive around an image; its layers are read by libarchive.
 */
#ifndef YBD_OCI_TARINDEX_H
#define YBD_OCI_TARINDEX_H

#include "../error.h"
#include "../types.h"

#define TARINDEX_MEMBERS_MAX	65536u
#define TARINDEX_NAME_MAX	4096u

/**
 * struct tarindex_member - a regular file, or a link to one
 * @name: without "./" in front
 * @link: what it is a link to, as a name in the archive; NULL for a file
 * @off: first byte of the data
 * @size: bytes
 */
struct tarindex_member {
	char *name;
	char *link;
	u64 off;
	u64 size;
};

/**
 * struct tarindex - an archive
 * @m: members in the order of their names; of several with one name the last
 * @nr: how many
 * @room: how many fit
 */
struct tarindex {
	struct tarindex_member *m;
	size_t nr;
	size_t room;
};

/* @fd: a regular file. -EMEDIUMTYPE when it is no tar, -EBADMSG when it is a damaged one. */
int tarindex_read(int fd, struct tarindex *t, struct ybd_error *err);
void tarindex_free(struct tarindex *t);

/* Through links; NULL when there is no such file. */
const struct tarindex_member *tarindex_find(const struct tarindex *t, const char *name);

#endif
