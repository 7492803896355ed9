// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl attach, resize, set, and destroy for uppers that no device has. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "layerlist.h"
#include "layers.h"
#include "parse.h"
#include "pools.h"
#include "show.h"
#include "util.h"

/* ---- attach ---- */

/**
 * struct known - an image that was put together
 * @next: another one
 * @list: its list of layers, of the upper that it was made for
 * @bytes: length of @list
 * @plan: made of it
 */
struct known {
	struct known *next;
	const u8 *list;
	u32 bytes;
	struct ybd_plan plan;
};

/**
 * struct attach - what is to be attached
 * @source: --source
 * @esnap: --esnap
 * @pool: --pool
 * @replug: --replug-timeout
 * @all: --all
 * @nl: the kernel
 * @finder: where the layers are looked for
 * @known: images, as many uppers have the same
 * @pools: where uppers are looked for
 * @uppers: what was found
 * @devices: what was made
 */
struct attach {
	struct opt_list source;
	struct opt_list esnap;
	const char *pool;
	const char *replug;
	bool all;
	struct ybd_nl *nl;
	struct ybd_finder finder;
	struct known *known;
	struct pool_refs pools;
	struct upper_refs uppers;
	struct ybd_device_list devices;
};

static int make_plan(struct attach *a, const struct upper_ref *u,
		     struct ybd_plan *plan, struct ybd_error *err)
{
	struct ybd_layer *v;
	size_t n;
	int rc = ybd_layers_decode(u->list, u->list_bytes, &v, &n, err);

	if (rc)
		return rc;
	rc = ybd_layers_plan(&a->finder, v, n, plan, err);
	ybd_layers_free(v, n);
	return rc;
}

static int find_plan(struct attach *a, const struct upper_ref *u,
		     struct ybd_plan **out, struct ybd_error *err)
{
	struct known *k;
	int rc;

	for (k = a->known; k; k = k->next) {
		if (k->bytes == u->list_bytes &&
		    !memcmp(k->list, u->list, k->bytes)) {
			*out = &k->plan;
			return 0;
		}
	}
	k = calloc(1, sizeof(*k));
	if (!k)
		return ybd_error_sys(err, -ENOMEM, "image");
	rc = make_plan(a, u, &k->plan, err);
	if (rc) {
		free(k);
		return rc;
	}
	k->list = u->list;
	k->bytes = u->list_bytes;
	k->next = a->known;
	a->known = k;
	*out = &k->plan;
	return 0;
}

/* See that the image is loaded, under whatever name. */
static int load(struct attach *a, struct ybd_plan *p, u32 *id,
		struct ybd_error *err)
{
	struct ybd_image_info info;
	int rc = ybd_plan_find(a->nl, p, id, err);

	if (rc)
		return rc < 0 ? rc : 0;
	rc = ybd_plan_load(a->nl, p, NULL, &info, err);
	if (rc < 0)
		return rc;
	*id = info.id;
	ybd_image_info_free(&info);
	return 0;
}

static int find_image(struct attach *a, const struct upper_ref *u, u32 *id,
		      struct ybd_error *err)
{
	struct ybd_plan *p = NULL;
	int rc;

	if (!u->list)
		return ybd_error_set(err, -EUCLEAN, "%s", u->damage);
	rc = find_plan(a, u, &p, err);
	if (rc)
		return rc;
	if (memcmp(p->identity, u->image_identity, sizeof(p->identity)))
		return ybd_error_set(err, -ESTALE,
				     "its image %s is not what it was when the device was made",
				     p->name);
	return load(a, p, id, err);
}

static int attach_upper(struct attach *a, const struct upper_ref *u,
			struct ybd_error *err)
{
	int fd __cleanup_fd = -1;
	struct ybd_device_info info;
	u32 id = 0;
	int rc = find_image(a, u, &id, err);

	if (!rc) {
		fd = pool_ref_open(u->pool, err);
		rc = fd < 0 ? fd : 0;
	}
	if (!rc)
		rc = ybd_nl_device_attach(a->nl, fd, u->uuid, id,
					  check_replug(a->replug), &info, err);
	if (rc)
		ybd_error_prefix(err, "%s", u->name);
	else
		a->devices.v[a->devices.n++] = info;
	return rc;
}

static bool is_attached(const struct ybd_device_list *l,
			const struct upper_ref *u)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (l->v[i].upper == YBD_UPPER_KIND_POOL &&
		    !memcmp(l->v[i].upper_uuid, u->uuid, sizeof(u->uuid)))
			return true;
	return false;
}

/* An exit code: that of the first failure. */
static int attach_all(struct attach *a)
{
	struct ybd_error err = { 0 };
	struct ybd_device_list list;
	int code = CMD_OK, one;
	size_t i;

	if (ybd_nl_device_list(a->nl, &list, &err))
		return cmd_fail_err(&err);
	for (i = 0; i < a->uppers.n; i++) {
		if (is_attached(&list, &a->uppers.v[i]) ||
		    !attach_upper(a, &a->uppers.v[i], &err))
			continue;
		one = cmd_fail_err(&err);
		code = code ? code : one;
	}
	ybd_device_list_free(&list);
	return code;
}

static int attach_named(struct attach *a, char **names, size_t n)
{
	const struct upper_ref *u;
	struct ybd_error err = { 0 };
	int code = CMD_OK, rc;
	size_t i;

	for (i = 0; i < n; i++) {
		rc = upper_pick(&a->uppers, names[i], &u, &err);
		if (!rc)
			rc = attach_upper(a, u, &err);
		if (rc)
			rc = cmd_fail_err(&err);
		code = code ? code : rc;
	}
	return code;
}

static void print_attached(const struct attach *a, bool several)
{
	const struct ybd_device_info *d = a->devices.v;
	size_t i;

	if (!several && a->devices.n) {
		if (print_is_json())
			show_device(d);
		else
			print_line("/dev/%s", d->disk);
		return;
	}
	if (print_is_json() && several)
		print_list_begin("devices", NULL);
	for (i = 0; i < a->devices.n; i++) {
		print_line("%s /dev/%s", d[i].name, d[i].disk);
		if (!print_is_json())
			continue;
		print_object_begin(NULL);
		show_device(&d[i]);
		print_object_end();
	}
	if (print_is_json() && several)
		print_list_end();
}

static int attach(struct attach *a, char **names, size_t n)
{
	struct ybd_error err = { 0 };
	int code;

	if (pools_find(a->pool, &a->pools, &err) ||
	    uppers_find(&a->pools, a->all ? NULL : names, n, &a->uppers, &err))
		return cmd_fail_err(&err);
	a->devices.v = calloc(a->uppers.n + n + 1, sizeof(*a->devices.v));
	if (!a->devices.v)
		return cmd_fail(-ENOMEM, "out of memory");
	code = a->all ? attach_all(a) : attach_named(a, names, n);
	print_attached(a, a->all || n > 1);
	/* those that failed do not hide the others */
	if (code && print_flush(false))
		return cmd_fail(-EIO, "writing to stdout failed");
	return code;
}

static int attach_open(struct attach *a, char **names, size_t n)
{
	struct ybd_error err = { 0 };
	struct known *k;
	int code;

	if (ybd_nl_open(&a->nl, &err))
		return cmd_fail_err(&err);
	if (ybd_finder_init(&a->finder, a->source.v, a->source.n, a->esnap.v,
			    a->esnap.n, &err)) {
		ybd_nl_close(a->nl);
		return cmd_fail_err(&err);
	}
	code = attach(a, names, n);
	while ((k = a->known)) {
		a->known = k->next;
		ybd_plan_free(&k->plan);
		free(k);
	}
	uppers_free(&a->uppers);
	pools_free(&a->pools);
	ybd_device_list_free(&a->devices);
	ybd_finder_exit(&a->finder);
	ybd_nl_close(a->nl);
	return code;
}

int cmd_attach(const struct cmd *cmd, int argc, char **argv)
{
	struct attach a = { 0 };
	const struct opt opts[] = {
		OPT_FLAG("all", &a.all,
			 "All that were made with --autostart and are not attached."),
		OPT_STR("pool", "POOL", &a.pool,
			"Look only here: name, uuid, device or file."),
		OPT_STR("replug-timeout", "SECONDS", &a.replug,
			"How long reads wait for a source that is gone; by default not."),
		OPT_LIST("source", "SOURCE", &a.source,
			 "Where to look for stores first: device, file, uuid:, nguid:, eui:."),
		OPT_LIST("esnap", "UUID=SOURCE", &a.esnap,
			 "Where the external snapshot UUID is."),
		OPT_END
	};
	int i, n = cmd_parse(cmd, opts, argc, argv, 0, argc), code;

	if (a.all && n)
		cmd_usage("--all and names exclude each other");
	if (!a.all && !n)
		cmd_usage("too few operands: name devices, or --all");
	for (i = 0; i < n; i++)
		check_device_name(argv[i]);
	check_replug(a.replug);
	layers_check_esnap(&a.esnap);
	code = attach_open(&a, argv, n);
	free(a.source.v);
	free(a.esnap.v);
	return code;
}

/* ---- destroy ---- */

static int destroy_upper(struct ybd_nl *nl, const struct upper_ref *u,
			 struct ybd_error *err)
{
	int fd __cleanup_fd = pool_ref_open(u->pool, err);
	int rc = fd < 0 ? fd : ybd_nl_upper_destroy(nl, fd, u->uuid, err);

	if (rc)
		ybd_error_prefix(err, "%s", u->name);
	return rc;
}

/* The kernel's "no such device" stands where there is no upper either. */
static void destroy_found(struct ybd_nl *nl, const struct upper_refs *uppers,
			  char **names, struct ybd_error *errs, size_t n)
{
	const struct upper_ref *u;
	struct ybd_error err = { 0 };
	size_t i;
	int rc;

	for (i = 0; i < n; i++) {
		if (errs[i].code != -ENODEV)
			continue;
		rc = upper_pick(uppers, names[i], &u, &err);
		if (rc == -ENOENT)
			continue;
		if (!rc)
			rc = destroy_upper(nl, u, &err);
		if (rc)
			errs[i] = err;
		else
			errs[i].code = 0;
	}
}

void destroy_uppers(const char *pool, char **names, struct ybd_error *errs,
		    size_t n)
{
	struct ybd_error err = { 0 };
	struct pool_refs pools;
	struct upper_refs uppers;
	struct ybd_nl *nl;
	size_t i;

	for (i = 0; i < n && errs[i].code != -ENODEV; i++)
		;
	if (i == n)
		return;
	if (pools_find(pool, &pools, &err)) {
		errs[i] = err;
		return;
	}
	if (uppers_find(&pools, names, n, &uppers, &err) ||
	    ybd_nl_open(&nl, &err)) {
		errs[i] = err;
		pools_free(&pools);
		return;
	}
	destroy_found(nl, &uppers, names, errs, n);
	ybd_nl_close(nl);
	uppers_free(&uppers);
	pools_free(&pools);
}

/* ---- resize ---- */

int cmd_resize(const struct cmd *cmd, int argc, char **argv)
{
	struct ybd_error err = { 0 };
	struct ybd_device_info info;
	struct ybd_nl *nl;
	u64 size;
	int rc;

	cmd_parse(cmd, NULL, argc, argv, 2, 2);
	check_device_name(argv[0]);
	if (parse_size(argv[1], &size) || !size)
		cmd_usage("\"%s\" is no size", argv[1]);
	if (ybd_nl_open(&nl, &err))
		return cmd_fail_err(&err);
	rc = ybd_nl_device_resize(nl, argv[0], size, &info, &err);
	ybd_nl_close(nl);
	if (rc)
		return cmd_fail_err(&err);
	if (print_is_json())
		show_device(&info);
	return CMD_OK;
}

/* ---- set ---- */

u32 check_replug(const char *seconds)
{
	u32 ms = 0;

	if (seconds && (parse_milliseconds(seconds, &ms) || ms > YBD_REPLUG_MAX))
		cmd_usage("--replug-timeout: \"%s\" is no number of seconds up to %u",
			  seconds, YBD_REPLUG_MAX / 1000);
	return ms;
}

int cmd_set(const struct cmd *cmd, int argc, char **argv)
{
	const char *replug = NULL;
	const struct opt opts[] = {
		OPT_STR("replug-timeout", "SECONDS", &replug,
			"How long reads wait for a source that is gone; 0 for not at all."),
		OPT_END
	};
	struct ybd_error err = { 0 };
	struct ybd_device_info info;
	struct ybd_nl *nl;
	u32 ms;
	int rc;

	cmd_parse(cmd, opts, argc, argv, 1, 1);
	check_device_name(argv[0]);
	if (!replug)
		cmd_usage("what is to be set? --replug-timeout SECONDS");
	ms = check_replug(replug);
	if (ybd_nl_open(&nl, &err))
		return cmd_fail_err(&err);
	rc = ybd_nl_device_set_replug(nl, argv[0], ms, &info, &err);
	ybd_nl_close(nl);
	if (rc)
		return cmd_fail_err(&err);
	if (print_is_json())
		show_device(&info);
	return CMD_OK;
}
