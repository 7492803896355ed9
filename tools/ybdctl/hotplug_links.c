// SPDX-License-Identifier: GPL-2.0-only
/*
 * The links /dev/ybd/NAME, which are udev's. When udevd ends, as it does when it is
 * upgraded, it forgets the events that it has not come to (before systemd 258): then a
 * device has no link, or one that leads to what had that number before.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "hotplug.h"
#include "journal.h"
#include "nl.h"

#define UDEV_CONTROL "/run/udev/control"
/* It has much to do at times: it is asked again every second, for ten seconds. */
#define LINK_STEP_MS 100
#define LINK_ASK_STEPS (1000 / LINK_STEP_MS)
#define LINK_STEPS (10 * LINK_ASK_STEPS)

static bool link_is_right(const struct ybd_device_info *d)
{
	char path[sizeof("/dev/ybd/") + YBD_NAME_LEN], want[sizeof("../") + YBD_DISK_LEN];
	char is[sizeof(want)];
	ssize_t n;

	snprintf(path, sizeof(path), "/dev/ybd/%s", d->name);
	snprintf(want, sizeof(want), "../%s", d->disk);
	n = readlink(path, is, sizeof(is));
	return n == (ssize_t)strlen(want) && !memcmp(is, want, n);
}

/* The kernel sends the event again. A device that is gone by now has none. */
static void ask_again(const struct ybd_device_info *d)
{
	static const char change[] = "change";
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/block/%s/uevent", d->disk);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, change, strlen(change)) < 0)
		ybd_journal(LOG_WARNING, "no-link", "%s: %m", path);
	close(fd);
}

static void tell(const struct ybd_device_info *d)
{
	ybd_journal(LOG_WARNING, "no-link", "%s: udev has made no link /dev/ybd/%s to /dev/%s",
		    d->name, d->name, d->disk);
}

/* The number of devices without a right link; @act is done about each, if not NULL. */
static size_t count_missing(struct ybd_nl *nl, void (*act)(const struct ybd_device_info *d))
{
	struct ybd_device_list devices;
	size_t missing = 0, i;

	if (ybd_nl_device_list(nl, &devices, NULL))
		return 0;
	for (i = 0; i < devices.n; i++) {
		if (link_is_right(&devices.v[i]))
			continue;
		missing++;
		if (act)
			act(&devices.v[i]);
	}
	ybd_device_list_free(&devices);
	return missing;
}

void hotplug_links(void)
{
	const struct timespec pause = { .tv_nsec = LINK_STEP_MS * 1000000 };
	struct ybd_nl *nl;
	unsigned int step;

	/* udev would wait for itself: it runs this, and says so by the event's number */
	if (getenv("SEQNUM") || access(UDEV_CONTROL, F_OK) || access("/sys/module/ybd", F_OK))
		return;
	if (ybd_nl_open(&nl, NULL))
		return;
	for (step = 1; step < LINK_STEPS; step++) {
		if (!count_missing(nl, step % LINK_ASK_STEPS ? NULL : ask_again))
			break;
		nanosleep(&pause, NULL);
	}
	if (step == LINK_STEPS)
		count_missing(nl, tell);
	ybd_nl_close(nl);
}
