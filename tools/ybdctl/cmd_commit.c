// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl commit: what was written to a device becomes an lvol over its image. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd_lvol.h"
#include "commands.h"
#include "commit.h"
#include "layers.h"
#include "names.h"
#include "print.h"

/**
 * struct run - one run of the command
 * @device: NAME
 * @store: of the new lvol, by name or uuid
 * @name: of the new lvol
 * @uuid: --uuid
 * @pool: --pool
 * @source: --source
 * @freeze: --freeze
 * @finder: where stores are looked for
 * @nl: the kernel; NULL when the module is not there or may not be asked
 * @info: the device
 * @changes: what was written to it
 */
struct run {
	const char *device;
	char *store;
	const char *name;
	const char *uuid;
	const char *pool;
	struct opt_list source;
	bool freeze;
	struct ybd_finder finder;
	struct ybd_nl *nl;
	struct ybd_device_info info;
	struct changes changes;
};

/* ---- where it is read from ---- */

static bool is_device(const struct ybd_device_info *d, const char *name)
{
	char uuid[YBD_UUID_TEXT_LEN];

	if (!strcmp(d->name, name))
		return true;
	return d->upper == YBD_UPPER_KIND_POOL &&
	       !strcasecmp(ybd_uuid_text(d->upper_uuid, uuid), name);
}

/* Is there a device? The module is not loaded to find out that there is none. */
static int find_device(struct run *r, bool *found, struct ybd_error *err)
{
	struct ybd_device_list list;
	int rc;

	*found = false;
	if (access("/sys/module/ybd", F_OK))
		return 0;
	rc = ybd_nl_open(&r->nl, err);
	if (!rc)
		rc = ybd_nl_device_list(r->nl, &list, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < list.n && !*found; i++) {
		*found = is_device(&list.v[i], r->device);
		if (*found)
			r->info = list.v[i];
	}
	ybd_device_list_free(&list);
	return 0;
}

static int open_changes(struct run *r, struct ybd_error *err)
{
	bool found;
	int rc = find_device(r, &found, err);

	if (rc)
		return rc;
	if (found)
		return changes_of_device(&r->info, r->nl, r->freeze, &r->changes, err);
	return changes_of_upper(r->device, r->pool, &r->finder, &r->changes, err);
}

/* ---- where it goes ---- */

/* The lvol that the image is, in a store that nobody else writes now. */
static int find_below(struct run *r, struct lvs_writer *w, struct lvw_vol **below,
		      struct ybd_error *err)
{
	char uuid[YBD_UUID_TEXT_LEN], spec[128];
	const char *layer = spec;
	struct ybd_plan plan;
	bool same;
	int rc;

	*below = lvw_find(w, ybd_uuid_text(r->changes.lvol, uuid));
	if (!*below)
		return ybd_error_set(err, -ENOENT,
				     "store \"%s\" has no lvol %s, over which %s was made",
				     r->store, uuid, r->device);
	snprintf(spec, sizeof(spec), "%s/%s", lvw_uuid(w), uuid);
	rc = ybd_plan_make(&r->finder, &layer, 1, false, &plan, err);
	if (rc)
		return rc;
	same = !memcmp(plan.identity, r->changes.identity, sizeof(plan.identity));
	ybd_plan_free(&plan);
	if (same)
		return 0;
	return ybd_error_set(err, -ESTALE,
			     "the image of %s is not lvol \"%s\" of store \"%s\" as that is now",
			     r->device, lvw_vol_name(*below), r->store);
}

static int make_lvol(struct run *r, struct lvs_writer *w, struct ybd_error *err)
{
	struct lvs_error e = { 0 };
	struct lvw_vol *below;
	struct delta d;
	int rc = find_below(r, w, &below, err);

	if (rc)
		return rc;
	rc = delta_begin(&d, w, below, r->name, r->uuid, r->changes.size, &e);
	if (rc)
		return ybd_error_set(err, rc, "%s", e.text);
	rc = r->changes.ops->copy(&r->changes, &d, err);
	if (rc) {
		delta_abort(&d);
		return rc;
	}
	rc = delta_finish(&d, &e);
	if (rc)
		return ybd_error_set(err, rc, "%s", e.text);
	lvol_print(d.v);
	print_size("written", d.changed);
	return 0;
}

static int with_store(struct run *r, struct ybd_error *err)
{
	struct lvs_error e = { 0 };
	struct ybd_source *s;
	struct lvs_writer *w;
	int rc = ybd_finder_store(&r->finder, r->store, &s, err), end;

	if (rc)
		return rc;
	rc = store_open(s->path, &w, &e);
	if (rc)
		return ybd_error_set(err, rc, "%s: %s", s->path, e.text);
	rc = make_lvol(r, w, err);
	end = lvw_close(w, &e);
	if (end && !rc)
		rc = ybd_error_set(err, end, "%s: %s", s->path, e.text);
	return rc;
}

static int run(struct run *r, struct ybd_error *err)
{
	int rc = ybd_finder_init(&r->finder, r->source.v, r->source.n, NULL, 0, err);

	if (rc)
		return rc;
	rc = open_changes(r, err);
	if (!rc) {
		rc = with_store(r, err);
		r->changes.ops->close(&r->changes);
	}
	if (r->nl)
		ybd_nl_close(r->nl);
	ybd_finder_exit(&r->finder);
	return rc;
}

static void split_lvol(struct run *r, char *word)
{
	char *slash = strchr(word, '/');

	if (ybd_layer_check(word) || !strncmp(word, "dev:", 4) || !strncmp(word, "file:", 5))
		cmd_usage("\"%s\" is not STORE/LVOL", word);
	*slash = '\0';
	r->store = word;
	r->name = slash + 1;
	lvol_check_names(r->name, r->uuid);
}

int cmd_commit(const struct cmd *cmd, int argc, char **argv)
{
	struct run r = { 0 };
	struct ybd_error err = { 0 };
	const struct opt opts[] = {
		OPT_FLAG("freeze", &r.freeze, "Freeze the file system while it is read."),
		OPT_STR("pool", "POOL", &r.pool,
			"Look only here: name, uuid, device or file."),
		OPT_STR("uuid", "UUID", &r.uuid, "Of the new lvol; default a random one."),
		OPT_LIST("source", "SOURCE", &r.source,
			 "Where to look for stores first: device, file, uuid:, nguid:, eui:."),
		OPT_MORE(store_write_opts),
		OPT_END
	};
	int rc;

	cmd_parse(cmd, opts, argc, argv, 2, 2);
	check_device_name(argv[0]);
	r.device = argv[0];
	split_lvol(&r, argv[1]);
	rc = run(&r, &err);
	free(r.source.v);
	return rc ? cmd_fail_err(&err) : CMD_OK;
}
