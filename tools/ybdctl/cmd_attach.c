// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl attach, resize, set, and destroy for uppers that no device has. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "attach.h"
#include "commands.h"
#include "esnap.h"
#include "parse.h"
#include "pools.h"
#include "show.h"
#include "util.h"

/* ---- attach ---- */

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
		if (attach_device_of(&list, &a->uppers.v[i]) ||
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

	if (attach_find(a, names, n, &err))
		return cmd_fail_err(&err);
	code = a->all ? attach_all(a) : attach_named(a, names, n);
	print_attached(a, a->all || n > 1);
	/* those that failed do not hide the others */
	if (code && print_flush(false))
		return cmd_fail(-EIO, "writing to stdout failed");
	return code;
}

int cmd_attach(const struct cmd *cmd, int argc, char **argv)
{
	struct attach a = { 0 };
	const char *replug = NULL;
	const struct opt opts[] = {
		OPT_FLAG("all", &a.all,
			 "All that were made with --autostart and are not attached."),
		OPT_STR("pool", "POOL", &a.pool,
			"Look only here: name, uuid, device or file."),
		OPT_STR("replug-timeout", "SECONDS", &replug,
			"How long reads wait for a source that is gone; by default not."),
		OPT_LIST("source", "SOURCE", &a.source,
			 "Where to look for stores first: device, file, uuid:, nguid:, eui:."),
		OPT_ESNAP(&a.esnap),
		OPT_END
	};
	int i, n = cmd_parse(cmd, opts, argc, argv, 0, argc), code;
	struct ybd_error err = { 0 };

	if (a.all && n)
		cmd_usage("--all and names exclude each other");
	if (!a.all && !n)
		cmd_usage("too few operands: name devices, or --all");
	for (i = 0; i < n; i++)
		check_device_name(argv[i]);
	a.replug = check_replug(replug);
	esnap_check(&a.esnap);
	if (attach_begin(&a, &err)) {
		code = cmd_fail_err(&err);
	} else {
		code = attach(&a, argv, n);
		attach_end(&a);
	}
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
