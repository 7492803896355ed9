// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl store list and show: what is in an lvstore. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd_store.h"
#include "devices.h"
#include "lvstore/lvstore.h"
#include "pin.h"
#include "print.h"
#include "util.h"

/* ---- list ---- */

static const struct print_column list_cols[] = {
	{ "path", "DEVICE", false },
	{ "name", "NAME", false },
	{ "uuid", "UUID", false },
	{ "size", "SIZE", true },
	{ "cluster_size", "CLUSTER", true },
	{ "clean", "CLEAN", false },
	{ }
};

static int open_source(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

static int probe_path(const char *path, struct lvs_probe *p,
		      struct lvs_error *err)
{
	__cleanup_fd int fd = open_source(path);

	err->text[0] = '\0';
	if (fd < 0)
		return fd;
	return lvs_probe_fd(fd, p, err);
}

static void print_probe(const char *path, const struct lvs_probe *p)
{
	print_object_begin(NULL);
	print_str("path", path);
	print_str("name", p->name);
	print_str("uuid", p->uuid);
	print_size("size", p->size);
	print_size("cluster_size", p->cluster_size);
	print_bool("clean", p->clean);
	print_object_end();
}

static const char *why(const struct lvs_error *err, int rc)
{
	return err->text[0] ? err->text : strerror(-rc);
}

static int list_given(int n, char **paths)
{
	struct lvs_error err;
	struct lvs_probe p;
	int rc;

	for (int i = 0; i < n; i++) {
		rc = probe_path(paths[i], &p, &err);
		if (rc)
			return cmd_fail(rc, "%s: %s", paths[i], why(&err, rc));
		print_probe(paths[i], &p);
	}
	return CMD_OK;
}

/* -EACCES when it may not be looked at. */
static int list_device(const char *path, void *arg)
{
	struct lvs_error err;
	struct lvs_probe p;
	int rc = probe_path(path, &p, &err);

	if (!rc)
		print_probe(path, &p);
	else if (rc == -EUCLEAN || rc == -EOPNOTSUPP || rc == -EIO)
		cmd_warn("%s: %s", path, why(&err, rc));
	return rc;
}

static int store_list(const struct cmd *cmd, int argc, char **argv)
{
	int n = cmd_parse(cmd, NULL, argc, argv, 0, argc), rc;

	print_list_begin("stores", list_cols);
	rc = n ? list_given(n, argv) : devices_each(list_device, NULL);
	print_list_end();
	return rc;
}

/* ---- show ---- */

static const struct print_column lvol_cols[] = {
	{ "name", "NAME", false },
	{ "uuid", "UUID", false },
	{ "size", "SIZE", true },
	{ "allocated", "ALLOCATED", true },
	{ "thin", "THIN", false },
	{ "read_only", "RO", false },
	{ "pinned", "PINNED", false },
	{ "esnap_id", "EXTERNAL SNAPSHOT", false },
	{ "pending", "PENDING", false },
	{ }
};

static const struct print_column refused_cols[] = {
	{ "name", "NAME", false },
	{ "blob_id", "BLOB", false },
	{ "reason", "REFUSED BECAUSE", false },
	{ }
};

#define INDENT_MAX 32

/* Two columns per step from the base of the chain; very deep ones in figures. */
static void print_tree_name(const char *name, unsigned int depth)
{
	char text[2 * INDENT_MAX + 16 + 64];

	if (depth <= INDENT_MAX)
		snprintf(text, sizeof(text), "%*s%s", (int)(2 * depth), "",
			 name);
	else
		snprintf(text, sizeof(text), "%*s(+%u) %s", 2 * INDENT_MAX, "",
			 depth - INDENT_MAX, name);
	print_str_as("name", name, text);
}

static void print_clones(const struct lvs_lvol *l)
{
	print_list_begin("clones", NULL);
	for (size_t i = 0; i < lvs_lvol_clones(l); i++)
		print_str(NULL, lvs_lvol_name(lvs_lvol_clone_at(l, i)));
	print_list_end();
}

static const char *pending_text(const struct lvs_lvol *l)
{
	switch (lvs_lvol_pending(l)) {
	case LVS_PENDING_CREATE:
		return "create";
	case LVS_PENDING_REMOVE:
		return "delete";
	default:
		return NULL;
	}
}

static void print_lvol(const struct lvs_store *s, const struct lvs_lvol *l,
		       unsigned int depth)
{
	const struct lvs_lvol *parent = lvs_lvol_parent(l);

	print_object_begin(NULL);
	print_tree_name(lvs_lvol_name(l), depth);
	print_str("uuid", lvs_lvol_uuid(l));
	print_strf("blob_id", "0x%llx",
		   (unsigned long long)lvs_lvol_blob_id(l));
	print_size("size", lvs_lvol_size(l));
	print_str("parent", parent ? lvs_lvol_name(parent) : NULL);
	print_str("parent_uuid", parent ? lvs_lvol_uuid(parent) : NULL);
	print_u64("depth", lvs_lvol_depth(l));
	print_bool("thin", lvs_lvol_thin(l));
	print_bool("read_only", lvs_lvol_read_only(l));
	print_bool("chain_read_only", lvs_chain_read_only(l, NULL));
	print_bool("pinned", pin_holds(l));
	print_bool("snapshot", lvs_lvol_is_snapshot(l));
	print_clones(l);
	print_u64("clusters", lvs_lvol_size(l) / lvs_cluster_size(s));
	print_u64("allocated_clusters", lvs_lvol_allocated(l));
	print_size("allocated", lvs_lvol_allocated(l) * lvs_cluster_size(s));
	print_str("esnap_id", lvs_lvol_esnap_id(l));
	print_str("pending", pending_text(l));
	print_object_end();
}

/**
 * struct step - a place on the way through the tree
 * @l: the lvol
 * @next: which of its clones comes next
 */
struct step {
	const struct lvs_lvol *l;
	size_t next;
};

/*
 * A base and everything above it, parents first. Not by recursion: how deep a
 * chain is, is up to who wrote the store.
 */
static void print_tree(const struct lvs_store *s, const struct lvs_lvol *base,
		       struct step *path)
{
	size_t n = 0;

	path[n++] = (struct step){ base, 0 };
	print_lvol(s, base, 0);
	while (n) {
		struct step *top = &path[n - 1];
		const struct lvs_lvol *l = lvs_lvol_clone_at(top->l, top->next);

		if (!l) {
			n--;
			continue;
		}
		top->next++;
		print_lvol(s, l, (unsigned int)n);
		path[n++] = (struct step){ l, 0 };
	}
}

/* A base has no parent, or one that could not be listed. */
static bool is_base(const struct lvs_lvol *l)
{
	const struct lvs_lvol *p = lvs_lvol_parent(l);

	return !p || !lvs_lvol_listed(p);
}

static int print_lvols(const struct lvs_store *s)
{
	__cleanup_free struct step *path =
		calloc(lvs_lvols(s) + 1, sizeof(*path));

	if (!path)
		return -ENOMEM;
	print_list_begin("lvols", lvol_cols);
	for (size_t i = 0; i < lvs_lvols(s); i++)
		if (is_base(lvs_lvol_at(s, i)))
			print_tree(s, lvs_lvol_at(s, i), path);
	print_list_end();
	return 0;
}

static void print_refusals(const struct lvs_store *s)
{
	if (!print_is_json() && !lvs_refusals(s))
		return;
	print_list_begin("refused", refused_cols);
	for (size_t i = 0; i < lvs_refusals(s); i++) {
		const struct lvs_refusal *r = lvs_refusal_at(s, i);

		print_object_begin(NULL);
		print_str("name", *r->name ? r->name : NULL);
		print_str("uuid", *r->uuid ? r->uuid : NULL);
		if (r->blob_id == UINT64_MAX)
			print_str("blob_id", NULL);
		else
			print_strf("blob_id", "0x%llx",
				   (unsigned long long)r->blob_id);
		if (r->page == LVS_NO_PAGE) {
			print_str("md_page", NULL);
			print_str("byte", NULL);
		} else {
			print_u64("md_page", r->page);
			print_u64("byte", r->byte);
		}
		print_str("reason", r->text);
		print_object_end();
	}
	print_list_end();
}

static void print_store(const char *path, const struct lvs_store *s)
{
	print_str("path", path);
	print_str("name", lvs_name(s));
	print_str("uuid", lvs_uuid(s));
	print_size("size", lvs_size(s));
	print_size("cluster_size", lvs_cluster_size(s));
	print_u64("block_size", lvs_block_size(s));
	print_u64("data_clusters", lvs_data_clusters(s));
	print_u64("free_clusters", lvs_free_clusters(s));
	print_size("free", lvs_free_clusters(s) * lvs_cluster_size(s));
	print_bool("clean", lvs_clean(s));
}

static int store_show(const struct cmd *cmd, int argc, char **argv)
{
	struct lvs_store *s;
	struct lvs_error err;
	int rc;

	cmd_parse(cmd, NULL, argc, argv, 1, 1);
	__cleanup_fd int fd = open_source(argv[0]);

	if (fd < 0)
		return cmd_fail(fd, "%s: %s", argv[0], strerror(-fd));
	rc = lvs_open_fd(fd, &s, &err);
	if (rc)
		return cmd_fail(rc, "%s: %s", argv[0], err.text);
	print_store(argv[0], s);
	rc = print_lvols(s);
	print_refusals(s);
	lvs_close(s);
	return rc ? cmd_fail(rc, "%s: %s", argv[0], strerror(-rc)) : CMD_OK;
}

const struct cmd cmd_store[] = {
	{ "list", "[DEV|FILE]...",
	  "List lvstores: those of all block devices, or those given.",
	  store_list, NULL },
	{ "show", "DEV|FILE", "Show an lvstore and its lvols, as a tree.",
	  store_show, NULL },
	{ "create", "DEV|FILE", "Make an lvstore.", store_create_run, NULL },
	{ "grow", "DEV|FILE", "Make an lvstore larger.", store_grow_run, NULL },
	{ "check", "DEV|FILE...", "Verify everything that is not data.", store_check_run, NULL },
	{ "destroy", "DEV|FILE", "Make it no lvstore any more.", store_destroy_run, NULL },
	{ }
};
