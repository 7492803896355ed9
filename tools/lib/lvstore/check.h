/* SPDX-License-Identifier: GPL-2.0-only */
/* Does everything in a store agree with everything else? Reads only. */
#ifndef YBD_LVSTORE_CHECK_H
#define YBD_LVSTORE_CHECK_H

#include "lvstore.h"

/**
 * struct lvs_finding - something that is not as it should be
 * @error: it is damage; else it is only worth knowing
 * @page: md page, or LVS_NO_PAGE
 * @text: one line
 */
struct lvs_finding {
	bool error;
	uint32_t page;
	const char *text;
};

typedef void (*lvs_finding_fn)(const struct lvs_finding *f, void *arg);

/**
 * struct lvs_check_result - the sum
 * @probe: name, uuid, size, clean
 * @lvols: lvols that can be read
 * @errors: findings that are damage
 * @notes: others
 * @owned_clusters: clusters that some lvol has
 * @leaked_clusters: marked used, and nobody's
 * @free_clusters: neither
 */
struct lvs_check_result {
	struct lvs_probe probe;
	size_t lvols;
	size_t errors;
	size_t notes;
	uint64_t owned_clusters;
	uint64_t leaked_clusters;
	uint64_t free_clusters;
};

/**
 * lvs_check_fd() - check a store
 * @fd: open for reading; stays the caller's
 * @fn: called for each finding
 * @arg: for it
 * @r: the sum
 * @err: why it could not be checked
 *
 * A store whose super block cannot be used is one finding, and 0 is returned.
 *
 * Return: 0; -ENODATA or -EMEDIUMTYPE when there is no lvstore; -ENOMEM; an I/O error.
 */
int lvs_check_fd(int fd, lvs_finding_fn fn, void *arg, struct lvs_check_result *r,
		 struct lvs_error *err);

#endif
