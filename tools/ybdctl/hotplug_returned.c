// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <syslog.h>

#include "cmd.h"
#include "hotplug.h"
#include "journal.h"
#include "nl.h"
#include "nvme.h"
#include "print.h"
#include "swap.h"
#include "util.h"

bool hotplug_disk_lives(u32 major, u32 minor)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major, minor);
	return !access(path, F_OK);
}

static void take_back(struct ybd_nl *nl, struct ybd_source_info *src, const char *disk)
{
	struct ybd_error err = { 0 };
	u32 parked = src->parked;
	char path[48];

	snprintf(path, sizeof(path), "/dev/%s", disk);
	if (ybd_swap(nl, src, path, false, &err)) {
		ybd_journal(LOG_WARNING, "not-taken-back", "source %s: %s", src->name, err.text);
		print_line("source %s: %s", src->name, err.text);
		return;
	}
	ybd_journal(LOG_NOTICE, "source-back", "source %s is back as %s: %u reads go on",
		    src->name, disk, parked);
	print_line("source %s is back as %s", src->name, disk);
}

/* Only what has an identity can be known again. Two that claim it are for somebody to look at. */
static void look_for(struct ybd_nl *nl, struct ybd_source_info *src,
		     const struct ybd_nvme_list *nvme)
{
	const struct ybd_nvme_ns *found = NULL;
	size_t i, n = 0;

	for (i = 0; i < nvme->n; i++) {
		if (!ybd_nvme_matches(&nvme->v[i], src->name))
			continue;
		found = &nvme->v[i];
		n++;
	}
	if (n == 1)
		take_back(nl, src, found->disk);
	else if (n)
		ybd_journal(LOG_WARNING, "not-taken-back",
			    "source %s: %zu namespaces have that identity: see ybdctl source swap",
			    src->name, n);
}

static int look_for_all(struct ybd_nl *nl, struct ybd_error *err)
{
	struct ybd_source_list sources;
	struct ybd_nvme_list nvme;
	int rc = ybd_nl_source_list(nl, &sources, err);
	size_t i;

	if (rc)
		return rc;
	rc = ybd_nvme_list(NULL, &nvme);
	if (rc) {
		rc = ybd_error_sys(err, rc, "listing NVMe namespaces");
	} else {
		for (i = 0; i < sources.n; i++)
			if (!hotplug_disk_lives(sources.v[i].major, sources.v[i].minor))
				look_for(nl, &sources.v[i], &nvme);
		ybd_nvme_list_free(&nvme);
	}
	ybd_source_list_free(&sources);
	return rc;
}

int hotplug_returned(void)
{
	struct ybd_error err = { 0 };
	struct ybd_nl *nl;
	int rc;

	/* nothing has lost anything then, and this is no reason to load it */
	if (access("/sys/module/ybd", F_OK))
		return CMD_OK;
	rc = ybd_nl_open(&nl, &err);
	if (rc)
		return cmd_fail_err(&err);
	rc = look_for_all(nl, &err);
	ybd_nl_close(nl);
	return rc ? cmd_fail_err(&err) : CMD_OK;
}
