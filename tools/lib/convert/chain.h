/* SPDX-License-Identifier: GPL-2.0-only */
/* What the lvol of a layer is called: the same for the same chain of layers, made the same way. */
#ifndef YBD_CONVERT_CHAIN_H
#define YBD_CONVERT_CHAIN_H

#include "../names.h"
#include "../oci/digest.h"

#define CHAIN_NAME_LEN		52
#define CHAIN_LOWERDIR_LEN	2048

/**
 * struct chain_how - what besides the layers decides what an lvol holds
 * @format: "overlaybd" or "overlayfs"
 * @fs: "ext4" or "erofs"
 * @no_journal: the ext4 has none
 * @size: of the filesystem
 * @hot: digest of the list of files that are laid out first; NULL for none
 */
struct chain_how {
	const char *format;
	const char *fs;
	bool no_journal;
	u64 size;
	const struct oci_digest *hot;
};

/**
 * struct chain_id - names of a layer with all below it
 * @name: of the lvol: base32 of a SHA-256, in lower case
 * @uuid: of the lvol
 */
struct chain_id {
	char name[CHAIN_NAME_LEN + 1];
	char uuid[YBD_UUID_TEXT_LEN];
};

void chain_identify(const struct oci_digest *chain, const struct chain_how *how,
		    struct chain_id *out);

#define CHAIN_HOW_LEN 192

/* "FORMAT FS SIZE", as it is in names and in the lvol's xattr. */
const char *chain_how_text(const struct chain_how *how, char text[CHAIN_HOW_LEN]);

/* Each layer in a directory of its own, rather than merged? */
bool chain_is_overlayfs(const struct chain_how *how);

bool chain_is_erofs(const struct chain_how *how);

/* The directories of @nr layers, LOWERS_MAX at most, as overlayfs wants them: "3:2:1". */
const char *chain_lowerdir(size_t nr, char text[CHAIN_LOWERDIR_LEN]);

/* UUID, and hash seed of an ext4, of the filesystem whose lowest layer is @chain. */
void chain_fs_ids(const struct oci_digest *chain, const struct chain_how *how, u8 uuid[16],
		  u8 seed[16]);

#endif
