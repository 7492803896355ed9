/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that are read first when a container starts: a list of their names, and where in the layer
 * that is being applied they go. They lie in front of all else that the layer adds, in the order of
 * the list. How much room they need is found by going through the layer once before.
 */
#ifndef YBD_CONVERT_HOT_H
#define YBD_CONVERT_HOT_H

#include "../oci/layer.h"
#include "path.h"

#define HOT_NAMES_MAX	65536u
#define HOT_FILE_MAX	(4u << 20)

/**
 * struct hot_list - the files
 * @text: the list as it was read, cut into names
 * @name: as place_clean() leaves them, in order; each once
 * @nr: how many
 * @slot: place in @name + 1, by hash; 0 = empty
 * @size: of @slot, a power of two
 * @digest: of the names
 * @blk: in the layer that is being applied: where each goes; 0 for none
 */
struct hot_list {
	char *text;
	const char **name;
	size_t nr;
	u32 *slot;
	size_t size;
	struct oci_digest digest;
	u64 *blk;
};

/**
 * hot_list_read() - read a list
 * @path: a file with a name on each line; empty ones and what follows a "#" at the beginning of a
 *        line do not count
 * @h: the list; to be freed
 * @err: why not, with the line
 *
 * Return: 0; -EBADMSG and -EOPNOTSUPP for what is no list; as open(2).
 */
int hot_list_read(const char *path, struct hot_list *h, struct ybd_error *err);
void hot_list_free(struct hot_list *h);

/*
 * See what the layer has of the list, and reserve room in @e. A layer that is damaged is not
 * complained of here: it is read again.
 */
int hot_list_place(struct hot_list *h, struct imgfs *e, struct oci_source *s,
		   const struct oci_layer *l, struct ybd_error *err);

/* Where the data of an entry go, by its clean name; 0: anywhere. */
u64 hot_list_blk(const struct hot_list *h, const char *clean);

#endif
