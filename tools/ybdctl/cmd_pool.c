// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl pool: what the uppers of persistent devices are in. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "blk.h"
#include "cmd_pool.h"
#include "devices.h"
#include "lvstore/lvstore.h"
#include "names.h"
#include "pools.h"
#include "show.h"
#include "print.h"
#include "util.h"

static u64 bytes(u64 blocks)
{
	return blocks << YBD_FMT_BLOCK_SHIFT;
}

u64 pool_number(const char *opt, const char *val)
{
	char *end;
	u64 n;

	errno = 0;
	n = strtoull(val, &end, 10);
	if (errno || *end || *val < '0' || *val > '9')
		cmd_usage("--%s: \"%s\" is no number", opt, val);
	return n;
}

static u64 size_blocks(const char *opt, u64 size)
{
	if (size % YBD_FMT_BLOCK_SIZE)
		cmd_usage("--%s: no multiple of %u", opt, YBD_FMT_BLOCK_SIZE);
	return size >> YBD_FMT_BLOCK_SHIFT;
}

static void print_info(const char *path, const struct pool_info *i)
{
	const struct pool_layout *l = &i->layout;
	char uuid[YBD_UUID_TEXT_LEN];

	print_str("path", path);
	print_str("name", *i->name ? i->name : NULL);
	print_str("uuid", ybd_uuid_text(i->uuid, uuid));
	print_size("size", bytes(l->nr_blocks));
	print_size("max_size", bytes(l->max_blocks));
	print_size("segment_size", bytes(l->segment_blocks));
	print_u64("segments", l->nr_segments);
	print_u64("max_uppers", l->nr_uppers);
	print_u64("small_uppers", pool_small_uppers(l));
}

/* ---- create ---- */

int pool_alien(const char *path, char *text, size_t len, struct ybd_error *err)
{
	__cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct ybd_blk_content c;
	struct lvs_probe p;
	int rc;

	*text = '\0';
	if (fd < 0)
		return ybd_error_sys(err, -errno, "opening");
	rc = ybd_blk_probe(fd, &c, err);
	if (rc == -EUCLEAN)
		snprintf(text, len, "%s", err->text);
	else if (rc)
		return rc;
	else if (c.type[0])
		snprintf(text, len, "%s%s%s%s%s", c.type, c.label[0] ? ", label " : "", c.label,
			 c.uuid[0] ? ", uuid " : "", c.uuid);
	else if (!lvs_probe_fd(fd, &p, NULL))
		snprintf(text, len, "lvstore %s, uuid %s", p.name, p.uuid);
	return 0;
}

/* Is there something that would be lost? */
static int check_empty(struct pool_io *io, const char *path)
{
	struct ybd_error err = { 0 };
	char text[400], uuid[YBD_UUID_TEXT_LEN];
	struct pool_info info;
	int rc = pool_probe(io, &info, &err);

	if (!rc)
		return cmd_fail(-EUCLEAN, "%s: there is a pool on it, name \"%s\", uuid %s (--force: take it)",
				path, info.name, ybd_uuid_text(info.uuid, uuid));
	if (rc != -ENODATA)
		return cmd_fail(rc, "%s: there seems to be a pool on it: %s (--force: take it)",
				path, err.text);
	rc = pool_alien(path, text, sizeof(text), &err);
	if (rc)
		return cmd_fail(rc, "%s: %s (--force: take it)", path, err.text);
	if (*text)
		return cmd_fail(-EUCLEAN, "%s: there is something on it: %s (--force: take it)",
				path, text);
	return CMD_OK;
}

static int create_on(struct pool_io *io, const char *path, const char *name,
		     struct pool_want *want, bool force)
{
	struct pool_info info = { 0 };
	struct ybd_error err = { 0 };
	int rc;

	if (!want->nr_blocks)
		want->nr_blocks = io->nr_blocks;
	rc = pool_layout(want, &info.layout, &err);
	if (rc)
		return cmd_fail(rc, "%s: %s", path, err.text);
	if (!force && !io->created) {
		rc = check_empty(io, path);
		if (rc)
			return rc;
	}
	if (pool_io_extend(io, want->nr_blocks))
		return cmd_fail(-ERANGE, "%s: the device has only %llu bytes", path,
				(unsigned long long)bytes(io->nr_blocks));
	rc = ybd_uuid_random(info.uuid);
	if (rc)
		return cmd_fail(rc, "no random numbers: %s", strerror(-rc));
	snprintf(info.name, sizeof(info.name), "%s", name);
	rc = pool_create(io, &info.layout, info.uuid, name, &err);
	if (rc)
		return cmd_fail(rc, "%s: %s", path, err.text);
	print_info(path, &info);
	return CMD_OK;
}

static void check_name(const char *name)
{
	const char *why = *name ? ybd_check_device_name(name) : NULL;

	if (why)
		cmd_usage("--name: \"%s\": %s", name, why);
}

static int pool_create_run(const struct cmd *cmd, int argc, char **argv)
{
	u64 size = 0, max_size = 0, segment_size = 0;
	const char *name = "", *uppers = NULL;
	struct pool_want want = { 0 };
	bool force = false;
	const struct opt opts[] = {
		OPT_STR("name", "NAME", &name, "What the pool is called."),
		OPT_SIZE("size", &size, "Size of the pool; makes or extends a file."),
		OPT_SIZE("max-size", &max_size, "Size it can grow to; default is four times."),
		OPT_SIZE("segment-size", &segment_size, "What an upper takes at once, 256K-64M."),
		OPT_STR("uppers", "N", &uppers, "Room for so many; default as many as 1% holds."),
		OPT_FLAG("force", &force, "Whatever is there: it is lost."),
		OPT_END
	};
	struct ybd_error err;
	struct pool_io *io;
	bool created;
	int rc;

	cmd_parse(cmd, opts, argc, argv, 1, 1);
	check_name(name);
	want.nr_blocks = size_blocks("size", size);
	want.max_blocks = size_blocks("max-size", max_size);
	want.segment_blocks = size_blocks("segment-size", segment_size);
	if (uppers)
		want.nr_uppers = pool_number("uppers", uppers);
	rc = pool_io_open(argv[0], POOL_IO_WRITE, size, &io, &err);
	if (rc)
		return pool_busy(argv[0], &err);
	created = io->created;
	rc = create_on(io, argv[0], name, &want, force);
	pool_io_close(io);
	if (rc && created)
		unlink(argv[0]);
	return rc;
}

/* ---- list ---- */

static const struct print_column list_cols[] = {
	{ "path", "DEVICE", false },
	{ "name", "NAME", false },
	{ "uuid", "UUID", false },
	{ "size", "SIZE", true },
	{ "segment_size", "SEGMENT", true },
	{ "max_uppers", "UPPERS", true },
	{ "in_use", "IN-USE", false },
	{ }
};

static int probe_path(const char *path, struct pool_info *info, struct ybd_error *err)
{
	struct pool_io *io;
	int rc = pool_io_open(path, POOL_IO_LOOK, 0, &io, err);

	if (rc)
		return rc;
	rc = pool_probe(io, info, err);
	pool_io_close(io);
	return rc;
}

static void print_row(const char *path, const struct pool_info *info,
		      const struct ybd_pool_list *open)
{
	print_object_begin(NULL);
	print_info(path, info);
	print_bool("in_use", pool_in_use(open, path, info->uuid));
	print_object_end();
}

static int list_device(const char *path, void *open)
{
	struct pool_info info;
	struct ybd_error err;
	int rc = probe_path(path, &info, &err);

	if (!rc)
		print_row(path, &info, open);
	else if (rc == -EUCLEAN || rc == -EOPNOTSUPP || rc == -EIO)
		cmd_warn("%s: %s", path, err.text);
	return rc;
}

static int list_given(int n, char **paths, const struct ybd_pool_list *open)
{
	struct pool_info info;
	struct ybd_error err;
	int rc;

	for (int i = 0; i < n; i++) {
		rc = probe_path(paths[i], &info, &err);
		if (rc)
			return cmd_fail(rc, "%s: %s", paths[i], err.text);
		print_row(paths[i], &info, open);
	}
	return CMD_OK;
}

static int pool_list_run(const struct cmd *cmd, int argc, char **argv)
{
	int n = cmd_parse(cmd, NULL, argc, argv, 0, argc), rc;
	struct ybd_pool_list open;

	pools_in_use(&open);
	print_list_begin("pools", list_cols);
	rc = n ? list_given(n, argv, &open) : devices_each(list_device, &open);
	print_list_end();
	ybd_pool_list_free(&open);
	return rc;
}

/* ---- show ---- */

static const struct print_column upper_cols[] = {
	{ "upper", "UPPER", true },
	{ "name", "NAME", false },
	{ "uuid", "UUID", false },
	{ "size", "SIZE", true },
	{ "owned", "OWNED", true },
	{ "quota", "QUOTA", true },
	{ "state", "STATE", false },
	{ }
};

static void print_upper(const struct pool *p, u32 n)
{
	const struct pool_upper *u = &p->upper[n];
	bool known = u->place == POOL_PLACE_LIVE;
	char uuid[YBD_UUID_TEXT_LEN];

	print_object_begin(NULL);
	print_u64("upper", n);
	print_str("name", known ? u->name : NULL);
	print_str("uuid", known ? ybd_uuid_text(u->uuid, uuid) : NULL);
	if (known) {
		print_size("size", bytes(u->nr_blocks));
		if (u->quota_blocks)
			print_size("quota", bytes(u->quota_blocks));
		else
			print_str("quota", NULL);
		print_size("reserve", bytes(u->reserve_blocks));
		print_u64("block_size", u->block_size);
		print_bool("autostart", u->flags & YBD_FMT_UPPER_AUTOSTART);
		print_u64("created", u->created);
		print_hex("image_identity", u->image_identity, sizeof(u->image_identity));
		print_u64("generation", u->generation);
		print_u64("epoch", u->epoch);
	}
	print_size("owned", bytes((u64)u->segments * p->info.layout.segment_blocks));
	print_u64("chunks", u->chunks);
	print_str("state", known ? "live" : "damaged");
	print_object_end();
}

static void print_uppers(const struct pool *p)
{
	if (!print_is_json() && !p->totals.live && !p->totals.fenced)
		return;
	print_list_begin("uppers", upper_cols);
	for (u32 n = 0; n < p->info.layout.nr_uppers; n++)
		if (p->upper[n].place == POOL_PLACE_LIVE || p->upper[n].place == POOL_PLACE_FENCED)
			print_upper(p, n);
	print_list_end();
}

static void print_pool(const char *path, const struct pool *p)
{
	u64 seg = bytes(p->info.layout.segment_blocks);
	const struct ybd_pool_info *k;
	struct ybd_pool_list open;

	pools_in_use(&open);
	k = pool_in_use(&open, path, p->info.uuid);
	print_info(path, &p->info);
	print_bool("in_use", k);
	print_size("free", p->totals.free_segments * seg);
	print_size("owned", p->totals.owned_segments * seg);
	print_size("metadata", p->totals.metadata_segments * seg);
	print_u64("live", p->totals.live);
	print_bool("damaged", pool_report_errors(&p->report));
	if (k)
		show_open_pool("kernel", k);
	ybd_pool_list_free(&open);
}

static int pool_show_run(const struct cmd *cmd, int argc, char **argv)
{
	struct ybd_error err;
	struct pool_io *io;
	struct pool *p;
	int rc;

	cmd_parse(cmd, NULL, argc, argv, 1, 1);
	rc = pool_io_open(argv[0], POOL_IO_LOOK, 0, &io, &err);
	if (rc)
		return cmd_fail(rc, "%s: %s", argv[0], err.text);
	rc = pool_open(io, POOL_READ_ALL, &p, &err);
	if (!rc) {
		print_pool(argv[0], p);
		print_uppers(p);
		pool_close(p);
	}
	pool_io_close(io);
	return rc ? cmd_fail(rc, "%s: %s", argv[0], err.text) : CMD_OK;
}

/* ---- what is in use ---- */

/* Of a pool that the module has, "somebody else" is not much of an answer. */
int pool_busy(const char *path, const struct ybd_error *err)
{
	struct ybd_pool_list open = { 0 };
	struct pool_info info;
	struct ybd_error why;
	const char *who = err->text;

	if (err->code == -EBUSY && !probe_path(path, &info, &why)) {
		pools_in_use(&open);
		if (pool_in_use(&open, path, info.uuid))
			who = "devices are attached from it (see: ybdctl list)";
	}
	ybd_pool_list_free(&open);
	return cmd_fail(err->code, "%s: %s", path, who);
}

/* ---- grow ---- */

static int pool_grow_run(const struct cmd *cmd, int argc, char **argv)
{
	struct pool_info info;
	struct ybd_error err;
	struct pool_io *io;
	u64 size = 0;
	const struct opt opts[] = {
		OPT_SIZE("size", &size, "New size; default as much as the device has."),
		OPT_END
	};
	int rc;

	cmd_parse(cmd, opts, argc, argv, 1, 1);
	size = size_blocks("size", size);
	rc = pool_io_open(argv[0], POOL_IO_WRITE, 0, &io, &err);
	if (rc)
		return pool_busy(argv[0], &err);
	rc = pool_probe(io, &info, &err);
	if (!rc && !size)
		size = io->nr_blocks < info.layout.max_blocks ? io->nr_blocks :
		       info.layout.max_blocks;
	if (!rc)
		rc = pool_grow(io, size, &info, &err);
	pool_io_close(io);
	if (rc)
		return cmd_fail(rc, "%s: %s", argv[0], err.text);
	print_info(argv[0], &info);
	return CMD_OK;
}

/* ---- destroy ---- */

/* Is there a pool, and nothing in it that would be lost? */
static int check_unused(struct pool_io *io, const char *path, bool force)
{
	struct ybd_error err;
	struct pool *p;
	u32 live, fenced;
	int rc = pool_open(io, POOL_READ_ALL, &p, &err);

	if (rc == -ENODATA || (rc && !force))
		return cmd_fail(rc, "%s: %s", path, err.text);
	if (rc)
		return CMD_OK;
	live = p->totals.live;
	fenced = p->totals.fenced;
	pool_close(p);
	if ((live || fenced) && !force)
		return cmd_fail(-EBUSY, "%s: %u uppers are in it, %u of them damaged (--force gives them up)",
				path, live + fenced, fenced);
	return CMD_OK;
}

static int pool_destroy_run(const struct cmd *cmd, int argc, char **argv)
{
	bool force = false;
	const struct opt opts[] = {
		OPT_FLAG("force", &force, "Also one that is damaged or has uppers: they are lost."),
		OPT_END
	};
	struct ybd_error err;
	struct pool_io *io;
	int rc;

	cmd_parse(cmd, opts, argc, argv, 1, 1);
	rc = pool_io_open(argv[0], POOL_IO_WRITE, 0, &io, &err);
	if (rc)
		return pool_busy(argv[0], &err);
	rc = check_unused(io, argv[0], force);
	if (!rc && pool_destroy(io, &err))
		rc = cmd_fail(err.code, "%s: %s", argv[0], err.text);
	pool_io_close(io);
	return rc;
}

/* ---- udev ---- */

/* What the builtin blkid of udev says of what it knows. */
static int pool_udev_run(const struct cmd *cmd, int argc, char **argv)
{
	char uuid[YBD_UUID_TEXT_LEN];
	struct pool_info info;
	struct ybd_error err;
	int rc;

	cmd_parse(cmd, NULL, argc, argv, 1, 1);
	rc = probe_path(argv[0], &info, &err);
	if (rc)
		return rc == -ENODATA ? CMD_NOT_FOUND : cmd_fail(rc, "%s: %s", argv[0], err.text);
	ybd_uuid_text(info.uuid, uuid);
	print_line("ID_FS_TYPE=ybd_pool");
	print_line("ID_FS_USAGE=other");
	print_line("ID_FS_VERSION=%u", YBD_FMT_VERSION);
	print_line("ID_FS_UUID=%s", uuid);
	print_line("ID_FS_UUID_ENC=%s", uuid);
	/* other characters have a meaning to udev */
	if (*info.name && !ybd_check_device_name(info.name)) {
		print_line("ID_FS_LABEL=%s", info.name);
		print_line("ID_FS_LABEL_ENC=%s", info.name);
	}
	return CMD_OK;
}

const struct cmd cmd_pool[] = {
	{ "create", "DEV|FILE", "Make a pool.", pool_create_run, NULL },
	{ "list", "[DEV|FILE]...", "List pools: those of all block devices, or those given.",
	  pool_list_run, NULL },
	{ "show", "DEV|FILE", "Show a pool and the uppers in it.", pool_show_run, NULL },
	{ "check", "DEV|FILE...", "Verify everything that is not data, offline; mend it.",
	  pool_check_run, NULL },
	{ "grow", "DEV|FILE", "Make a pool larger, offline.", pool_grow_run, NULL },
	{ "destroy", "DEV|FILE", "Make it no pool any more.", pool_destroy_run, NULL },
	{ "udev", "DEV", "What udev's rules ask for.", pool_udev_run, NULL },
	{ }
};
