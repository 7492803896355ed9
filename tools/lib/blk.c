// SPDX-License-Identifier: GPL-2.0-only
#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "blk.h"
#include "dl.h"
#include "util.h"

#define BLKID_SONAME "libblkid.so.1"

static struct {
	typeof(blkid_new_probe) *new;
	typeof(blkid_free_probe) *free;
	typeof(blkid_probe_set_device) *set_device;
	typeof(blkid_probe_enable_superblocks) *superblocks;
	typeof(blkid_probe_set_superblocks_flags) *flags;
	typeof(blkid_probe_enable_partitions) *partitions;
	typeof(blkid_do_safeprobe) *probe;
	typeof(blkid_probe_lookup_value) *value;
} blkid;

static int load_library(void)
{
	const struct ybd_dl_sym sym[] = {
		{ "blkid_new_probe", &blkid.new },
		{ "blkid_free_probe", &blkid.free },
		{ "blkid_probe_set_device", &blkid.set_device },
		{ "blkid_probe_enable_superblocks", &blkid.superblocks },
		{ "blkid_probe_set_superblocks_flags", &blkid.flags },
		{ "blkid_probe_enable_partitions", &blkid.partitions },
		{ "blkid_do_safeprobe", &blkid.probe },
		{ "blkid_probe_lookup_value", &blkid.value },
	};

	if (blkid.new)
		return 0;
	return ybd_dl_open(BLKID_SONAME, sym, ARRAY_SIZE(sym));
}

static void value(blkid_probe pr, const char *name, char *out, size_t len)
{
	const char *s = NULL;

	if (blkid.value(pr, name, &s, NULL) || !s)
		s = "";
	snprintf(out, len, "%s", s);
}

static void take(blkid_probe pr, struct ybd_blk_content *out)
{
	value(pr, "TYPE", out->type, sizeof(out->type));
	value(pr, "USAGE", out->usage, sizeof(out->usage));
	value(pr, "UUID", out->uuid, sizeof(out->uuid));
	value(pr, "LABEL", out->label, sizeof(out->label));
	if (out->type[0])
		return;
	value(pr, "PTTYPE", out->type, sizeof(out->type));
	value(pr, "PTUUID", out->uuid, sizeof(out->uuid));
	if (out->type[0])
		snprintf(out->usage, sizeof(out->usage), "partitions");
}

int ybd_blk_probe(int fd, struct ybd_blk_content *out, struct ybd_error *err)
{
	blkid_probe pr;
	int rc = load_library();

	memset(out, 0, sizeof(*out));
	if (rc)
		return ybd_error_set(err, rc, "%s is missing: install libblkid1",
				     BLKID_SONAME);
	/* what was cached of it may be older than what the storage side wrote */
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	pr = blkid.new();
	if (!pr)
		return ybd_error_sys(err, -ENOMEM, "libblkid");
	errno = 0;
	if (blkid.set_device(pr, fd, 0, 0)) {
		rc = ybd_error_sys(err, errno ? -errno : -EIO, "libblkid");
		goto out;
	}
	blkid.superblocks(pr, 1);
	blkid.flags(pr, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE |
		    BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL);
	blkid.partitions(pr, 1);
	errno = 0;
	rc = blkid.probe(pr);
	if (!rc)
		take(pr, out);
	if (rc == -2)
		rc = ybd_error_set(err, -EUCLEAN,
				   "more than one signature on it (see wipefs(8))");
	else if (rc == -1)
		rc = ybd_error_sys(err, errno ? -errno : -EIO, "probing");
	else
		rc = 0;
out:
	blkid.free(pr);
	return rc;
}
