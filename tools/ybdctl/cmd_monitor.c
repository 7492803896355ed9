// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl monitor: events, as they come. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "names.h"
#include "nl.h"
#include "show.h"

/* With milliseconds, in UTC. */
static void print_time(char buf[32])
{
	struct timespec ts;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	len = strftime(buf, 26, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + len, 6, ".%03uZ",
		 (unsigned int)(ts.tv_nsec / 1000000) % 1000);
}

static const char *kind_text(enum ybd_event_kind kind)
{
	static const char * const text[] = {
		[YBD_EVENT_DEVICE_CREATED] = "device-created",
		[YBD_EVENT_DEVICE_DETACHED] = "device-detached",
		[YBD_EVENT_DEVICE_CHANGED] = "device-changed",
		[YBD_EVENT_DEVICE_QUOTA] = "device-quota",
		[YBD_EVENT_IMAGE_LOADED] = "image-loaded",
		[YBD_EVENT_IMAGE_UNLOADED] = "image-unloaded",
		[YBD_EVENT_POOL_LEVEL] = "pool-level",
		[YBD_EVENT_POOL_FAILED] = "pool-failed",
		[YBD_EVENT_SOURCE_SWAPPED] = "source-swapped",
		[YBD_EVENT_LOST] = "lost",
	};

	return text[kind];
}

static bool is_device(enum ybd_event_kind kind)
{
	return kind == YBD_EVENT_DEVICE_CREATED ||
	       kind == YBD_EVENT_DEVICE_DETACHED ||
	       kind == YBD_EVENT_DEVICE_CHANGED ||
	       kind == YBD_EVENT_DEVICE_QUOTA;
}

/* What the event is of, for people. */
static void print_event_line(const struct ybd_event *ev, const char *now)
{
	const char *kind = kind_text(ev->kind);

	if (ev->kind == YBD_EVENT_LOST)
		print_line("%s lost: some events were dropped here", now);
	else if (ev->kind == YBD_EVENT_POOL_LEVEL)
		print_line("%s %s %s /dev/%s %u%%", now, kind,
			   *ev->pool.name ? ev->pool.name : "-", ev->pool.disk, ev->pool.level);
	else if (ev->kind == YBD_EVENT_POOL_FAILED)
		print_line("%s %s %s /dev/%s %s", now, kind,
			   *ev->pool.name ? ev->pool.name : "-", ev->pool.disk, ev->pool.failure);
	else if (ev->kind == YBD_EVENT_SOURCE_SWAPPED)
		print_line("%s %s %s /dev/%s", now, kind, ev->source.name, ev->source.disk);
	else if (ev->kind == YBD_EVENT_DEVICE_QUOTA)
		print_line("%s %s %s /dev/%s %u%%", now, kind, ev->device.name,
			   ev->device.disk, ev->device.quota_level);
	else if (is_device(ev->kind))
		print_line("%s %s %s /dev/%s %s", now, kind, ev->device.name,
			   ev->device.disk, ev->device.image_name);
	else
		print_line("%s %s %s", now, kind, ev->image.name);
}

static void print_pool_event(const struct ybd_pool_info *p)
{
	char uuid[YBD_UUID_TEXT_LEN];

	print_str("pool_uuid", ybd_uuid_text(p->uuid, uuid));
	print_str("pool_name", *p->name ? p->name : NULL);
	show_open_pool("pool", p);
}

static void print_event(const struct ybd_event *ev)
{
	char now[32];

	print_time(now);
	print_event_line(ev, now);
	if (!print_is_json())
		return;
	print_str("time", now);
	print_str("event", kind_text(ev->kind));
	if (ev->kind == YBD_EVENT_LOST)
		return;
	if (ev->kind == YBD_EVENT_POOL_LEVEL || ev->kind == YBD_EVENT_POOL_FAILED) {
		print_pool_event(&ev->pool);
		return;
	}
	if (ev->kind == YBD_EVENT_SOURCE_SWAPPED) {
		print_object_begin("source");
		show_source(&ev->source);
		print_object_end();
		return;
	}
	print_object_begin(is_device(ev->kind) ? "device" : "image");
	if (is_device(ev->kind))
		show_device(&ev->device);
	else
		show_image(&ev->image);
	print_object_end();
}

/* So that a script knows from when on it misses nothing. */
static int print_listening(void)
{
	char now[32];

	print_time(now);
	print_line("%s listening", now);
	if (print_is_json()) {
		print_str("time", now);
		print_str("event", "listening");
	}
	return print_flush(true);
}

int cmd_monitor(const struct cmd *cmd, int argc, char **argv)
{
	struct ybd_error err = { 0 };
	struct ybd_event ev;
	struct ybd_nl *nl;
	int rc;

	cmd_parse(cmd, NULL, argc, argv, 0, 0);
	if (ybd_nl_open(&nl, &err))
		return cmd_fail_err(&err);
	rc = ybd_nl_events_start(nl, &err);
	if (!rc && print_listening())
		rc = ybd_error_set(&err, -EIO, "writing to stdout failed");
	while (!rc) {
		rc = ybd_nl_event_next(nl, STDOUT_FILENO, &ev, &err);
		if (rc)
			break;
		print_event(&ev);
		ybd_image_info_free(&ev.image);
		if (print_flush(true))
			rc = ybd_error_set(&err, -EIO,
					   "writing to stdout failed");
	}
	ybd_nl_close(nl);
	/* as when there had been something to write */
	if (rc == -EPIPE)
		raise(SIGPIPE);
	return cmd_fail_err(&err);
}
