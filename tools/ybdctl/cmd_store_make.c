// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl store create, grow and destroy. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd_pool.h"
#include "cmd_store.h"
#include "lvstore/wio.h"
#include "names.h"
#include "print.h"
#include "store_write.h"

static void print_made(const char *path, struct lvs_writer *w)
{
	print_str("path", path);
	print_str("name", lvw_name(w));
	print_str("uuid", lvw_uuid(w));
	print_size("size", lvw_size(w));
	print_size("cluster_size", lvw_cluster_size(w));
	print_u64("data_clusters", lvw_data_clusters(w));
	print_u64("free_clusters", lvw_free_clusters(w));
	print_size("free", lvw_free_clusters(w) * lvw_cluster_size(w));
}

/* ---- create ---- */

static int check_pool(const char *path)
{
	struct pool_info info;
	struct ybd_error err;
	struct pool_io *io;
	int rc = pool_io_open(path, POOL_IO_LOOK, 0, &io, &err);

	if (rc)
		return cmd_fail(rc, "%s: %s", path, err.text);
	rc = pool_probe(io, &info, &err);
	pool_io_close(io);
	if (!rc)
		return cmd_fail(-EUCLEAN, "%s: there is a pool on it, name \"%s\" (--force: take it)",
				path, info.name);
	if (rc != -ENODATA)
		return cmd_fail(rc, "%s: there seems to be a pool on it: %s (--force: take it)",
				path, err.text);
	return CMD_OK;
}

/* Is there something that would be lost? */
static int check_empty(const char *path)
{
	struct ybd_error err = { 0 };
	char text[400];
	int rc;

	if (access(path, F_OK))
		return CMD_OK;
	rc = check_pool(path);
	if (rc)
		return rc;
	rc = pool_alien(path, text, sizeof(text), &err);
	if (rc)
		return cmd_fail(rc, "%s: %s (--force: take it)", path, err.text);
	if (*text)
		return cmd_fail(-EUCLEAN, "%s: there is something on it: %s (--force: take it)",
				path, text);
	return CMD_OK;
}

static void check_sizes(u64 cluster, u64 block)
{
	if (cluster & (cluster - 1) || (cluster && cluster < 4096) || cluster > 1u << 30)
		cmd_usage("--cluster-size: no power of two from 4K to 1G");
	if (block && block != 512 && block != 4096)
		cmd_usage("--block-size: neither 512 nor 4096");
}

static void check_text(const char *name, const char *uuid)
{
	u8 bytes[16];

	if (!name)
		cmd_usage("--name is missing");
	if (!*name || strlen(name) > 63)
		cmd_usage("--name: 1 to 63 bytes");
	if (uuid && ybd_uuid_parse(uuid, bytes))
		cmd_usage("--uuid: \"%s\" is no uuid", uuid);
}

int store_create_run(const struct cmd *cmd, int argc, char **argv)
{
	const char *name = NULL, *uuid = NULL;
	u64 size = 0, cluster = 0, block = 0;
	struct lvw_create_opts o = { 0 };
	bool force = false;
	const struct opt opts[] = {
		OPT_STR("name", "NAME", &name, "What the store is called."),
		OPT_STR("uuid", "UUID", &uuid, "Its uuid; default a random one."),
		OPT_SIZE("size", &size, "Its size; default as much as there is."),
		OPT_SIZE("cluster-size", &cluster, "In which space is taken; default 1M."),
		OPT_SIZE("block-size", &block, "Of the device it will be used on: 512 or 4096."),
		OPT_FLAG("force", &force, "Whatever is there: it is lost."),
		OPT_END
	};
	struct lvs_writer *w;
	struct lvs_error err;
	int rc;

	cmd_parse(cmd, opts, argc, argv, 1, 1);
	check_sizes(cluster, block);
	check_text(name, uuid);
	if (store_in_use(argv[0]))
		return cmd_fail(-EBUSY, "%s: this host reads from it", argv[0]);
	rc = force ? CMD_OK : check_empty(argv[0]);
	if (rc)
		return rc;
	o = (struct lvw_create_opts){
		.name = name, .uuid = uuid, .cluster_size = (u32)cluster, .size = size,
		.block_size = (u32)block, .force = force,
	};
	rc = lvw_create(argv[0], &o, &w, &err);
	if (rc)
		return cmd_fail(rc, "%s: %s", argv[0], err.text);
	print_made(argv[0], w);
	return store_end(w, argv[0], 0, &err);
}

/* ---- grow ---- */

int store_grow_run(const struct cmd *cmd, int argc, char **argv)
{
	u64 size = 0;
	const struct opt opts[] = {
		OPT_SIZE("size", &size, "New size; default as much as there is."),
		OPT_MORE(store_write_opts),
		OPT_END
	};
	struct lvs_writer *w;
	struct lvs_error err;
	int rc;

	cmd_parse(cmd, opts, argc, argv, 1, 1);
	rc = store_open_write(argv[0], &w);
	if (rc)
		return rc;
	rc = lvw_grow(w, size, &err);
	if (!rc)
		print_made(argv[0], w);
	return store_end(w, argv[0], rc, &err);
}

/* ---- destroy ---- */

/* Is there a store, and nothing in it that would be lost? */
static int check_unused(const char *path, bool force)
{
	struct lvs_store *s;
	struct lvs_error err;
	size_t n;
	int rc = lvs_open_path(path, &s, &err);

	if (rc == -EUCLEAN && force)
		return CMD_OK;
	if (rc)
		return cmd_fail(rc, "%s: %s%s", path, err.text,
				rc == -EUCLEAN ? " (--force: destroy it)" : "");
	n = lvs_lvols(s) + lvs_refusals(s);
	rc = lvs_clean(s);
	lvs_close(s);
	if (n && !force)
		return cmd_fail(-EBUSY, "%s: %zu lvols are in it (--force gives them up)", path, n);
	if (!rc && !force)
		return cmd_fail(-EUCLEAN,
				"%s: not unloaded cleanly: SPDK may have it loaded (--force: destroy it)",
				path);
	return CMD_OK;
}

static int wipe(const char *path)
{
	struct wio *io;
	int rc = wio_open(path, 0, &io);

	if (rc)
		return cmd_fail(rc, "%s: %s", path,
				rc == -EBUSY ? "in use by another program" : strerror(-rc));
	rc = wio_zero(io, 0, 4096);
	if (!rc)
		rc = wio_sync(io);
	wio_close(io);
	return rc ? cmd_fail(rc, "%s: %s", path, strerror(-rc)) : CMD_OK;
}

int store_destroy_run(const struct cmd *cmd, int argc, char **argv)
{
	bool force = false;
	const struct opt opts[] = {
		OPT_FLAG("force", &force, "Also one that is damaged or has lvols: they are lost."),
		OPT_END
	};
	int rc;

	cmd_parse(cmd, opts, argc, argv, 1, 1);
	if (store_in_use(argv[0]))
		return cmd_fail(-EBUSY, "%s: this host reads from it", argv[0]);
	rc = check_unused(argv[0], force);
	return rc ? rc : wipe(argv[0]);
}
