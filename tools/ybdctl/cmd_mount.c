// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl mount, umount: the file system on a device. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "blk.h"
#include "commands.h"
#include "fs.h"
#include "mounts.h"
#include "nl.h"
#include "print.h"
#include "util.h"

static int get_device(const char *name, struct ybd_device_info *out,
		      struct ybd_error *err)
{
	struct ybd_nl *nl;
	int rc = ybd_nl_open(&nl, err);

	if (rc)
		return rc;
	rc = ybd_nl_device_get(nl, name, out, err);
	ybd_nl_close(nl);
	return rc;
}

/* ---- mount ---- */

/* What is on the device, and may it be written to? */
static int look(const char *path, struct ybd_blk_content *content, bool *ro,
		struct ybd_error *err)
{
	int fd __cleanup_fd = open(path, O_RDONLY | O_CLOEXEC);
	int val = 0, rc;

	if (fd < 0 || ioctl(fd, BLKROGET, &val))
		return ybd_error_sys(err, -errno, "%s", path);
	*ro |= val;
	rc = ybd_blk_probe(fd, content, err);
	if (rc)
		ybd_error_prefix(err, "%s", path);
	return rc;
}

static int do_mount(const char *path, const char *dir, const char *type,
		    const struct fs_options *o, struct ybd_error *err)
{
	if (!mount(path, dir, type, o->flags, o->data))
		return 0;
	if (errno == ENODEV)
		return ybd_error_set(err, -EOPNOTSUPP,
				     "%s: this kernel has no %s", path, type);
	return ybd_error_sys(err, -errno,
			     "mounting %s (%s%s%s) on %s (the kernel log says more)",
			     path, type, o->data[0] ? ", " : "", o->data, dir);
}

static int mount_device(const struct ybd_device_info *d, const char *dir,
			const char *user, bool ro, struct ybd_error *err)
{
	struct ybd_blk_content content;
	struct fs_options o;
	char path[48];
	const char *why;
	int rc;

	snprintf(path, sizeof(path), "/dev/%s", d->disk);
	rc = look(path, &content, &ro, err);
	if (rc)
		return rc;
	why = fs_check(content.type);
	if (why)
		return ybd_error_set(err, -EMEDIUMTYPE, "%s (%s%s%s): %s",
				     d->name, path, content.type[0] ? ", " : "",
				     content.type, why);
	rc = fs_options(content.type, user, ro, &o);
	if (rc)
		return ybd_error_set(err, rc, "the options of -o are too long");
	rc = do_mount(path, dir, content.type, &o, err);
	if (rc || !print_is_json())
		return rc;
	print_str("name", d->name);
	print_str("path", path);
	print_str("directory", dir);
	print_str("type", content.type);
	print_str("options", o.data);
	print_bool("read_only", o.flags & MS_RDONLY);
	return 0;
}

int cmd_mount(const struct cmd *cmd, int argc, char **argv)
{
	const char *options = NULL;
	bool ro = false;
	const struct opt opts[] = {
		OPT_FLAG("ro", &ro, "Read-only, without replaying the journal."),
		OPT_STR("options", "OPTIONS", &options,
			"As of mount(8) (also -o): noatime, context=... and so on."),
		OPT_END
	};
	struct ybd_error err = { 0 };
	struct ybd_device_info d;
	int rc;

	cmd_parse(cmd, opts, argc, argv, 2, 2);
	check_device_name(argv[0]);
	rc = get_device(argv[0], &d, &err);
	if (!rc)
		rc = mount_device(&d, argv[1], options, ro, &err);
	return rc ? cmd_fail_err(&err) : CMD_OK;
}

/* ---- umount ---- */

static bool is_dir(const struct mount_entry *m, void *dir)
{
	return !strcmp(m->dir, dir);
}

static int unmount(const struct ybd_device_info *d, const char *dir,
		   struct ybd_error *err)
{
	char *real __cleanup_free = realpath(dir, NULL);

	if (!real)
		return ybd_error_sys(err, -errno, "%s", dir);
	if (!mounts_find(makedev(d->major, d->minor), is_dir, real))
		return ybd_error_set(err, -ENOENT,
				     "device %s is not mounted on %s", d->name,
				     dir);
	if (umount2(real, UMOUNT_NOFOLLOW))
		return ybd_error_sys(err, -errno, "unmounting %s", dir);
	return 0;
}

int cmd_umount(const struct cmd *cmd, int argc, char **argv)
{
	struct ybd_error err = { 0 };
	struct ybd_device_info d;
	int rc;

	cmd_parse(cmd, NULL, argc, argv, 2, 2);
	check_device_name(argv[0]);
	rc = get_device(argv[0], &d, &err);
	if (!rc)
		rc = unmount(&d, argv[1], &err);
	return rc ? cmd_fail_err(&err) : CMD_OK;
}
