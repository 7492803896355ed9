// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl wait: for scripts that need a source which is on its way. */
#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "commands.h"
#include "parse.h"
#include "print.h"
#include "source.h"
#include "util.h"

/* Events are only a reason to look earlier: they may be lost, or of elsewhere. */
#define LOOK_MS 1000

static u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

/* The kernel's own events: the node of a disk is there before its event. */
static int listen_uevents(void)
{
	const struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);

	if (fd >= 0 && bind(fd, (const void *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void wait_event(int fd, u64 ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[4096];

	poll(&p, 1, ms < LOOK_MS ? ms : LOOK_MS);
	/* also when the queue has overrun */
	while (fd >= 0 && (recv(fd, buf, sizeof(buf), 0) >= 0 || errno == ENOBUFS))
		;
}

static int look(const struct opt_list *specs, struct ybd_finder *f, struct ybd_error *err)
{
	struct ybd_source *s;
	size_t i;
	int rc = ybd_finder_init(f, NULL, 0, NULL, 0, err);

	for (i = 0; !rc && i < specs->n; i++) {
		rc = ybd_finder_source(f, specs->v[i], &s, err);
		if (!rc && !s->size)
			rc = ybd_error_set(err, -ENXIO, "%s: is empty", s->path);
	}
	if (rc)
		ybd_finder_exit(f);
	return rc;
}

static bool may_come(int rc)
{
	return rc == -ENOENT || rc == -ENODEV || rc == -ENXIO || rc == -EIO;
}

static void print_sources(const struct ybd_finder *f)
{
	const struct ybd_source *s;

	if (print_is_json())
		print_list_begin("sources", NULL);
	for (s = f->sources; s; s = s->next) {
		print_line("%s", s->path);
		if (!print_is_json())
			continue;
		print_object_begin(NULL);
		print_str("path", s->path);
		print_str("source", s->name);
		print_object_end();
	}
	if (print_is_json())
		print_list_end();
}

int cmd_wait(const struct cmd *cmd, int argc, char **argv)
{
	int fd __cleanup_fd = -1, rc;
	struct opt_list specs = { 0 };
	const char *timeout = "60";
	const struct opt opts[] = {
		OPT_LIST("source", "SOURCE", &specs, "Device, uuid:, nguid:, eui: or store."),
		OPT_STR("timeout", "SECONDS", &timeout, "How long (60); 0: only look."),
		OPT_END
	};
	struct ybd_error err = { 0 };
	struct ybd_finder f;
	u64 end, now;
	u32 seconds;

	cmd_parse(cmd, opts, argc, argv, 0, 0);
	if (!specs.n)
		cmd_usage("--source is missing: what to wait for");
	if (parse_seconds(timeout, &seconds))
		cmd_usage("--timeout: \"%s\" is no number of seconds", timeout);
	/* before the first look, so that nothing is missed after it */
	fd = listen_uevents();
	end = now_ms() + seconds * 1000ull;
	while ((rc = look(&specs, &f, &err)) && may_come(rc)) {
		now = now_ms();
		if (now >= end)
			break;
		wait_event(fd, end - now);
	}
	if (!rc) {
		print_sources(&f);
		ybd_finder_exit(&f);
	}
	free(specs.v);
	if (may_come(rc) && seconds)
		ybd_error_prefix(&err, "not there after %u s", seconds);
	return rc ? cmd_fail_err(&err) : CMD_OK;
}
