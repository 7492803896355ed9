// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "cmd.h"
#include "hotplug.h"
#include "journal.h"
#include "nl.h"
#include "print.h"
#include "util.h"

/**
 * struct names - some of many names, in one line
 * @text: the first ones
 * @n: how many there are
 */
struct names {
	char text[256];
	size_t n;
};

static void add_name(struct names *l, const char *name)
{
	size_t len = strlen(l->text);

	l->n++;
	if (len + strlen(name) + 8 < sizeof(l->text))
		snprintf(l->text + len, sizeof(l->text) - len, "%s%s", len ? ", " : "", name);
	else if (strcmp(l->text + len - 3, "..."))
		snprintf(l->text + len, sizeof(l->text) - len, ", ...");
}

static void say(const char *event, const char *text)
{
	ybd_journal(LOG_WARNING, event, "%s", text);
	print_line("%s", text);
}

static void tell_source(const char *disk, const struct ybd_source_info *s,
			const struct ybd_image_info *img, const struct ybd_device_list *devices)
{
	struct names l = { .text = "" };
	char text[1024];
	size_t i;

	for (i = 0; i < devices->n; i++)
		if (devices->v[i].image_id == img->id)
			add_name(&l, devices->v[i].name);
	snprintf(text, sizeof(text),
		 "source %s (%s) of image %s is gone: reads of it fail until it is back; %zu devices%s%s",
		 s->name, disk, img->name, l.n, l.n ? ": " : "", l.text);
	say("source-gone", text);
}

static int tell_images(struct ybd_nl *nl, const char *disk, u32 major, u32 minor,
		       const struct ybd_device_list *devices, struct ybd_error *err)
{
	struct ybd_image_list list;
	struct ybd_image_info img;
	int rc = ybd_nl_image_list(nl, &list, err);
	size_t i, k;

	if (rc)
		return rc;
	for (i = 0; i < list.n; i++) {
		/* unloaded meanwhile */
		if (ybd_nl_image_get(nl, list.v[i].name, &img, NULL))
			continue;
		for (k = 0; k < img.nr_sources; k++)
			if (img.sources[k].major == major && img.sources[k].minor == minor)
				tell_source(disk, &img.sources[k], &img, devices);
		ybd_image_info_free(&img);
	}
	ybd_image_list_free(&list);
	return 0;
}

static int tell_pools(struct ybd_nl *nl, const char *disk, u32 major, u32 minor,
		      const struct ybd_device_list *devices, struct ybd_error *err)
{
	struct ybd_pool_list pools;
	int rc = ybd_nl_pool_list(nl, &pools, err);
	char text[1024];
	size_t i, k;

	if (rc)
		return rc;
	for (i = 0; i < pools.n; i++) {
		struct names l = { .text = "" };

		if (pools.v[i].major != major || pools.v[i].minor != minor)
			continue;
		for (k = 0; k < devices->n; k++)
			if (devices->v[k].upper == YBD_UPPER_KIND_POOL &&
			    devices->v[k].pool_id == pools.v[i].id)
				add_name(&l, devices->v[k].name);
		snprintf(text, sizeof(text), "pool %s (%s) is gone: detach %zu devices%s%s",
			 pools.v[i].name, disk, l.n, l.n ? ": " : "", l.text);
		say("pool-gone", text);
	}
	ybd_pool_list_free(&pools);
	return 0;
}

int hotplug_removed(const char *disk, u32 major, u32 minor)
{
	struct ybd_device_list devices = { 0 };
	struct ybd_error err = { 0 };
	struct ybd_nl *nl;
	int rc;

	/* nothing stands on it then, and this is no reason to load it */
	if (access("/sys/module/ybd", F_OK))
		return CMD_OK;
	rc = ybd_nl_open(&nl, &err);
	if (rc)
		return cmd_fail_err(&err);
	rc = ybd_nl_device_list(nl, &devices, &err);
	if (!rc)
		rc = tell_images(nl, disk, major, minor, &devices, &err);
	if (!rc)
		rc = tell_pools(nl, disk, major, minor, &devices, &err);
	ybd_device_list_free(&devices);
	ybd_nl_close(nl);
	return rc ? cmd_fail_err(&err) : CMD_OK;
}
