// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl lvol: make and change the lvols of a store. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd_lvol.h"
#include "esnap.h"
#include "names.h"
#include "parse.h"
#include "print.h"

/* ---- common ---- */

struct lvw_vol *lvol_find(struct lvs_writer *w, const char *name, struct lvs_error *err)
{
	struct lvw_vol *v = lvw_find(w, name);

	if (!v) {
		err->code = -ENOENT;
		snprintf(err->text, sizeof(err->text), "no lvol \"%s\"", name);
	}
	return v;
}

void lvol_print(const struct lvw_vol *v)
{
	const struct lvw_vol *parent = lvw_vol_parent(v);

	print_str("name", lvw_vol_name(v));
	print_str("uuid", lvw_vol_uuid(v));
	print_strf("blob_id", "0x%llx", (unsigned long long)lvw_vol_blob_id(v));
	print_size("size", lvw_vol_size(v));
	print_str("parent", parent ? lvw_vol_name(parent) : NULL);
	print_bool("thin", lvw_vol_thin(v));
	print_bool("read_only", lvw_vol_read_only(v));
	print_u64("allocated_clusters", lvw_vol_allocated(v));
}

void lvol_check_names(const char *name, const char *uuid)
{
	u8 bytes[16];

	if (!*name || strlen(name) > 63)
		cmd_usage("an lvol's name has 1 to 63 bytes");
	if (uuid && ybd_uuid_parse(uuid, bytes))
		cmd_usage("--uuid: \"%s\" is no uuid", uuid);
}

static u64 size_operand(const char *what, const char *text)
{
	u64 size;

	if (parse_size(text, &size) || !size)
		cmd_usage("%s: \"%s\" is no size", what, text);
	return size;
}

/**
 * struct change - what a command does to a store that is open
 * @run: 0 or a negative errno; @v is the lvol of the second operand
 * @args: the operands
 * @uuid: of a new lvol, or NULL
 * @out: the lvol to be shown afterwards, or NULL
 * @finder: where external snapshots are looked for, or NULL
 */
struct change {
	int (*run)(struct change *c, struct lvw_vol *v, struct lvs_error *err);
	char **args;
	const char *uuid;
	struct lvw_vol *out;
	struct ybd_finder *finder;
};

/* Open the store, find the lvol, do it, close the store. */
static int change_lvol(struct change *c)
{
	struct lvs_writer *w;
	struct lvs_error err = { 0 };
	struct lvw_vol *v;
	int rc = store_open_write(c->args[0], &w);

	if (rc)
		return rc;
	if (c->finder)
		lvw_set_esnap(w, esnap_find, c->finder);
	v = lvol_find(w, c->args[1], &err);
	rc = v ? c->run(c, v, &err) : err.code;
	if (!rc && c->out)
		lvol_print(c->out);
	return store_end(w, c->args[0], rc, &err);
}

/* Commands whose only options are those of all. */
static int simple(const struct cmd *cmd, int argc, char **argv, int operands, struct change *c)
{
	const struct opt opts[] = {
		OPT_MORE(store_write_opts),
		OPT_END
	};

	cmd_parse(cmd, opts, argc, argv, operands, operands);
	c->args = argv;
	return change_lvol(c);
}

/* Commands that make an lvol of another one. */
static int derive(const struct cmd *cmd, int argc, char **argv, struct change *c)
{
	const struct opt opts[] = {
		OPT_STR("uuid", "UUID", &c->uuid, "Its uuid; default a random one."),
		OPT_MORE(store_write_opts),
		OPT_END
	};

	cmd_parse(cmd, opts, argc, argv, 3, 3);
	lvol_check_names(argv[2], c->uuid);
	c->args = argv;
	return change_lvol(c);
}

/* ---- create ---- */

static int lvol_create_run(const struct cmd *cmd, int argc, char **argv)
{
	struct lvw_vol_opts o = { 0 };
	bool thick = false;
	u64 size = 0;
	const struct opt opts[] = {
		OPT_SIZE("size", &size, "Its size, rounded up to clusters."),
		OPT_FLAG("thick", &thick, "Take all of the space now."),
		OPT_STR("uuid", "UUID", &o.uuid, "Its uuid; default a random one."),
		OPT_MORE(store_write_opts),
		OPT_END
	};
	struct lvs_writer *w;
	struct lvs_error err;
	struct lvw_vol *v;
	int rc;

	cmd_parse(cmd, opts, argc, argv, 2, 2);
	if (!size)
		cmd_usage("--size is missing");
	lvol_check_names(argv[1], o.uuid);
	rc = store_open_write(argv[0], &w);
	if (rc)
		return rc;
	o.name = argv[1];
	rc = lvw_vol_create(w, &o, size, !thick, &v, &err);
	if (!rc)
		lvol_print(v);
	return store_end(w, argv[0], rc, &err);
}

/* ---- of another one ---- */

static int do_snapshot(struct change *c, struct lvw_vol *v, struct lvs_error *err)
{
	const struct lvw_vol_opts o = { .name = c->args[2], .uuid = c->uuid };

	return lvw_vol_snapshot(v, &o, &c->out, err);
}

static int lvol_snapshot_run(const struct cmd *cmd, int argc, char **argv)
{
	struct change c = { .run = do_snapshot };

	return derive(cmd, argc, argv, &c);
}

static int do_clone(struct change *c, struct lvw_vol *v, struct lvs_error *err)
{
	const struct lvw_vol_opts o = { .name = c->args[2], .uuid = c->uuid };

	return lvw_vol_clone(v, &o, &c->out, err);
}

static int lvol_clone_run(const struct cmd *cmd, int argc, char **argv)
{
	struct change c = { .run = do_clone };

	return derive(cmd, argc, argv, &c);
}

/* ---- changes ---- */

static int do_delete(struct change *c, struct lvw_vol *v, struct lvs_error *err)
{
	return lvw_vol_delete(v, err);
}

static int lvol_delete_run(const struct cmd *cmd, int argc, char **argv)
{
	struct change c = { .run = do_delete };

	return simple(cmd, argc, argv, 2, &c);
}

static int do_rename(struct change *c, struct lvw_vol *v, struct lvs_error *err)
{
	return lvw_vol_rename(v, c->args[2], err);
}

static int lvol_rename_run(const struct cmd *cmd, int argc, char **argv)
{
	struct change c = { .run = do_rename };

	return simple(cmd, argc, argv, 3, &c);
}

static int do_resize(struct change *c, struct lvw_vol *v, struct lvs_error *err)
{
	u64 size = 0;

	parse_size(c->args[2], &size);
	c->out = v;
	return lvw_vol_resize(v, size, err);
}

static int lvol_resize_run(const struct cmd *cmd, int argc, char **argv)
{
	struct change c = { .run = do_resize };
	const struct opt opts[] = {
		OPT_MORE(store_write_opts),
		OPT_END
	};

	cmd_parse(cmd, opts, argc, argv, 3, 3);
	size_operand("size", argv[2]);
	c.args = argv;
	return change_lvol(&c);
}

static int do_set_ro(struct change *c, struct lvw_vol *v, struct lvs_error *err)
{
	return lvw_vol_set_read_only(v, err);
}

static int lvol_set_ro_run(const struct cmd *cmd, int argc, char **argv)
{
	struct change c = { .run = do_set_ro };

	return simple(cmd, argc, argv, 2, &c);
}

static int do_inflate(struct change *c, struct lvw_vol *v, struct lvs_error *err)
{
	c->out = v;
	return lvw_vol_inflate(v, err);
}

static int lvol_inflate_run(const struct cmd *cmd, int argc, char **argv)
{
	struct ybd_finder finder;
	struct change c = { .run = do_inflate, .args = argv, .finder = &finder };
	struct opt_list esnap = { 0 };
	struct ybd_error err = { 0 };
	const struct opt opts[] = {
		OPT_ESNAP(&esnap),
		OPT_MORE(store_write_opts),
		OPT_END
	};
	int rc;

	cmd_parse(cmd, opts, argc, argv, 2, 2);
	esnap_check(&esnap);
	rc = ybd_finder_init(&finder, NULL, 0, esnap.v, esnap.n, &err);
	if (rc) {
		rc = cmd_fail_err(&err);
	} else {
		rc = change_lvol(&c);
		ybd_finder_exit(&finder);
	}
	free(esnap.v);
	return rc;
}

const struct cmd cmd_lvol[] = {
	{ "create", "DEV|FILE NAME", "Make an lvol.", lvol_create_run, NULL },
	{ "snapshot", "DEV|FILE LVOL NAME", "Make a snapshot, whose clone the lvol becomes.",
	  lvol_snapshot_run, NULL },
	{ "clone", "DEV|FILE LVOL NAME", "Make a writable clone of a read-only lvol.",
	  lvol_clone_run, NULL },
	{ "delete", "DEV|FILE LVOL", "Delete an lvol; of a snapshot its clone keeps the data.",
	  lvol_delete_run, NULL },
	{ "rename", "DEV|FILE LVOL NAME", "Give an lvol another name.", lvol_rename_run, NULL },
	{ "resize", "DEV|FILE LVOL SIZE", "Make an lvol larger or smaller.", lvol_resize_run,
	  NULL },
	{ "set-ro", "DEV|FILE LVOL", "Make an lvol read-only, for good.", lvol_set_ro_run, NULL },
	{ "inflate", "DEV|FILE LVOL", "Give an lvol all of its data, and no parent.",
	  lvol_inflate_run, NULL },
	{ "import", "DEV|FILE NAME FILE|-", "Make an lvol of a file's contents.",
	  lvol_import_run, NULL },
	{ "export", "DEV|FILE LVOL FILE|-", "Write an lvol's contents to a file, or as a tar.",
	  lvol_export_run, NULL },
	{ }
};
