// SPDX-License-Identifier: GPL-2.0-only
/* Opening and closing a store that is written; see store_write.h. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "nl.h"
#include "store_write.h"
#include "sysfs.h"

static bool force, append;

const struct opt store_write_opts[] = {
	OPT_FLAG("force", &force, "Also when it was not unloaded cleanly: no target has it now."),
	OPT_FLAG("append", &append, "Also when this host reads images from it: only add to it."),
	OPT_END
};

bool store_is_forced(void)
{
	return force;
}

static bool device_in_use(dev_t dev)
{
	struct ybd_source_list list;
	struct ybd_error err;
	struct ybd_nl *nl;
	bool found = false;

	if (access("/sys/module/ybd", F_OK) || ybd_nl_open(&nl, &err))
		return false;
	if (!ybd_nl_source_list(nl, &list, &err)) {
		for (size_t i = 0; i < list.n; i++)
			found |= makedev(list.v[i].major, list.v[i].minor) == dev;
		ybd_source_list_free(&list);
	}
	ybd_nl_close(nl);
	return found;
}

/* The module takes a file through a loop device; others use it through one as well. */
static bool file_in_use(const struct stat *file)
{
	DIR *dir = opendir("/sys/block");
	struct dirent *d;
	bool found = false;

	while (dir && !found && (d = readdir(dir))) {
		char path[4096];
		struct stat st;

		if (strncmp(d->d_name, "loop", 4) ||
		    ybd_sysfs_read(path, sizeof(path), "/sys/block/%s/loop/backing_file",
				   d->d_name))
			continue;
		found = !stat(path, &st) && st.st_dev == file->st_dev &&
			st.st_ino == file->st_ino;
	}
	if (dir)
		closedir(dir);
	return found;
}

bool store_in_use(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	return S_ISBLK(st.st_mode) ? device_in_use(st.st_rdev) : file_in_use(&st);
}

int store_open(const char *path, struct lvs_writer **w, struct lvs_error *err)
{
	bool in_use = store_in_use(path);
	unsigned int flags = (in_use ? LVW_APPEND : 0) | (force ? LVW_FORCE : 0);

	if (!in_use || append)
		return lvw_open(path, flags, w, err);
	err->code = -EBUSY;
	snprintf(err->text, sizeof(err->text),
		 "this host reads from it (--append: only add to it)");
	return -EBUSY;
}

int store_open_write(const char *path, struct lvs_writer **w)
{
	struct lvs_error err;
	int rc = store_open(path, w, &err);

	return rc ? cmd_fail(rc, "%s: %s", path, err.text) : 0;
}

int store_end(struct lvs_writer *w, const char *path, int rc, struct lvs_error *err)
{
	struct lvs_error closing;

	/* what failed for good reasons has changed nothing; the store is closed as ever */
	if (!rc)
		rc = lvw_close(w, err);
	else if (lvw_close(w, &closing))
		cmd_warn("%s: %s", path, closing.text);
	return rc ? cmd_fail(rc, "%s: %s", path, err->text) : CMD_OK;
}
