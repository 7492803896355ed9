// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"
#include "devices.h"
#include "sysfs.h"
#include "util.h"

static int is_candidate(const struct dirent *d)
{
	static const char *const skip[] = {
		"ybd", "ram", "zram", "nbd", "sr", "fd", "mtd",
	};

	if (d->d_name[0] == '.')
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(skip); i++)
		if (!strncmp(d->d_name, skip[i], strlen(skip[i])))
			return 0;
	/* "nvme0c1n1" */
	return !ybd_sysfs_u64("/sys/class/block/%s/hidden", d->d_name);
}

int devices_each(int (*fn)(const char *path, void *arg), void *arg)
{
	struct dirent **d;
	int n = scandir("/sys/class/block", &d, is_candidate, versionsort);
	int denied = 0;
	char path[300];

	if (n < 0)
		return cmd_fail(-errno, "/sys/class/block: %s", strerror(errno));
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "/dev/%s", d[i]->d_name);
		for (char *c = path; *c; c++)
			if (*c == '!')	/* sysfs has no slash in names */
				*c = '/';
		denied += fn(path, arg) == -EACCES;
		free(d[i]);
	}
	free(d);
	if (denied)
		cmd_warn("%d of %d block devices may not be read: not root",
			 denied, n);
	return CMD_OK;
}
