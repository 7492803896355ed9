// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl source swap: a namespace that vanished is back. */
#include <errno.h>
#include <stdio.h>

#include "cmd.h"
#include "commands.h"
#include "nl.h"
#include "print.h"
#include "show.h"
#include "swap.h"
#include "util.h"

/* By its identity, its number, or the device that it has or had. */
static bool is_meant(const struct ybd_source_info *s, const char *spec)
{
	char number[16], path[YBD_DISK_LEN + 8];

	snprintf(number, sizeof(number), "%u", s->id);
	snprintf(path, sizeof(path), "/dev/%s", s->disk);
	return !strcmp(s->name, spec) || !strcmp(number, spec) ||
	       !strcmp(path, spec);
}

static int find_source(struct ybd_nl *nl, const char *spec,
		       struct ybd_source_info *out, struct ybd_error *err)
{
	struct ybd_source_list list;
	int rc = ybd_nl_source_list(nl, &list, err);
	size_t i, n = 0;

	if (rc)
		return rc;
	for (i = 0; i < list.n; i++) {
		if (!is_meant(&list.v[i], spec))
			continue;
		*out = list.v[i];
		n++;
	}
	ybd_source_list_free(&list);
	if (!n)
		return ybd_error_set(err, -ENOENT,
				     "%s: no image that is loaded reads from such a source", spec);
	if (n > 1)
		return ybd_error_set(err, -ENOTUNIQ,
				     "%s: %zu sources are meant by that: name one by its number",
				     spec, n);
	return 0;
}

int cmd_source_swap(const struct cmd *cmd, int argc, char **argv)
{
	bool trust = false;
	const struct opt opts[] = {
		OPT_FLAG("trust", &trust,
			 "Do not compare contents: DEVICE has what was there."),
		OPT_END
	};
	struct ybd_error err = { 0 };
	struct ybd_source_info src;
	struct ybd_nl *nl;
	int rc;

	cmd_parse(cmd, opts, argc, argv, 2, 2);
	if (ybd_nl_open(&nl, &err))
		return cmd_fail_err(&err);
	rc = find_source(nl, argv[0], &src, &err);
	if (!rc)
		rc = ybd_swap(nl, &src, argv[1], trust, &err);
	ybd_nl_close(nl);
	if (rc)
		return cmd_fail_err(&err);
	if (print_is_json())
		show_source(&src);
	return CMD_OK;
}
