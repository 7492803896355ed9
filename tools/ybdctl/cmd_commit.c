// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl commit: what was written to a device becomes an lvol over its image. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd_lvol.h"
#include "commands.h"
#include "commit.h"
#include "esnap.h"
#include "image.h"
#include "names.h"
#include "print.h"

/**
 * struct run - one run of the command
 * @device: NAME
 * @store: of the new lvol, by name or uuid
 * @name: of the new lvol
 * @uuid: --uuid
 * @pool: --pool
 * @below: --below
 * @source: --source
 * @esnap: --esnap
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
	const char *below;
	struct opt_list source;
	struct opt_list esnap;
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
static int find_image(struct run *r, struct lvs_writer *w, struct lvw_vol **below,
		      struct ybd_error *err)
{
	char uuid[YBD_UUID_TEXT_LEN], spec[128];
	const char *layer = spec;
	struct ybd_plan plan;
	bool same;
	int rc;

	*below = r->changes.is_lvol ? lvw_find(w, ybd_uuid_text(r->changes.lvol, uuid)) : NULL;
	if (!*below)
		return ybd_error_set(err, r->changes.is_lvol ? -ENOENT : -EOPNOTSUPP,
				     "the image of %s is not one lvol of store \"%s\": --below says of which one the new one is to be a clone",
				     r->device, r->store);
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

/* The one that the user wants: what is different from it is written, whatever the image is. */
static int find_below(struct run *r, struct lvs_writer *w, struct lvw_vol **below,
		      struct ybd_error *err)
{
	if (!r->below)
		return find_image(r, w, below, err);
	*below = lvw_find(w, r->below);
	if (!*below)
		return ybd_error_set(err, -ENOENT, "store \"%s\" has no lvol \"%s\"", r->store,
				     r->below);
	/* the last cluster may be longer, as it is of what was committed before */
	if (lvw_vol_size(*below) < r->changes.size + lvw_cluster_size(w))
		return 0;
	return ybd_error_set(err, -EFBIG, "lvol \"%s\" has %llu bytes, %s only %llu", r->below,
			     (unsigned long long)lvw_vol_size(*below), r->device,
			     (unsigned long long)r->changes.size);
}

static int copy(struct run *r, struct delta *d, struct ybd_error *err)
{
	const struct changes_ops *ops = r->changes.ops;
	struct lvs_error e = { 0 };
	int rc = 0;

	if (r->below && ops->copy_image)
		rc = ops->copy_image(&r->changes, d, err);
	if (!rc)
		rc = ops->copy(&r->changes, d, err);
	if (rc || !r->below)
		return rc;
	rc = delta_clear(d, r->changes.size, lvw_vol_size(d->v), &e);
	return rc ? ybd_error_set(err, rc, "%s", e.text) : 0;
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
	rc = copy(r, &d, err);
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
	lvw_set_esnap(w, esnap_find, &r->finder);
	rc = make_lvol(r, w, err);
	end = lvw_close(w, &e);
	if (end && !rc)
		rc = ybd_error_set(err, end, "%s: %s", s->path, e.text);
	return rc;
}

static int run(struct run *r, struct ybd_error *err)
{
	int rc = ybd_finder_init(&r->finder, r->source.v, r->source.n, r->esnap.v, r->esnap.n,
				 err);

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
		OPT_STR("below", "LVOL", &r.below,
			"Make a clone of this lvol; by default of the image."),
		OPT_STR("uuid", "UUID", &r.uuid, "Of the new lvol; default a random one."),
		OPT_LIST("source", "SOURCE", &r.source,
			 "Where to look for stores first: device, file, uuid:, nguid:, eui:."),
		OPT_ESNAP(&r.esnap),
		OPT_MORE(store_write_opts),
		OPT_END
	};
	int rc;

	cmd_parse(cmd, opts, argc, argv, 2, 2);
	check_device_name(argv[0]);
	esnap_check(&r.esnap);
	r.device = argv[0];
	split_lvol(&r, argv[1]);
	rc = run(&r, &err);
	free(r.source.v);
	free(r.esnap.v);
	return rc ? cmd_fail_err(&err) : CMD_OK;
}
