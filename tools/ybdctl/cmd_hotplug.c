// SPDX-License-Identifier: GPL-2.0-only
/*
 * ybdctl hotplug: one run for each disk that comes or goes, by udev.
 *
 * A run does not ask what happened: it looks at all that is there, hands in what
 * sources have lost and is back, and attaches what starts by itself and has its
 * sources. So no event can come in the wrong order, too late or twice, and a name
 * that means another disk by now does no harm.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>

#include "attach.h"
#include "commands.h"
#include "hotplug.h"
#include "journal.h"
#include "print.h"
#include "ticket.h"
#include "util.h"

#define RUN_DIR "/run/ybd"
/*
 * How long a pass waits, once, for devices to be closed that are to be made anew:
 * what looks at each disk now and then must not leave one dead for good.
 */
#define CLOSE_WAIT_MS 5000
#define CLOSE_STEP_MS 20

/**
 * struct pass - a look at all there is
 * @a: how devices are made
 * @devices: those that are there
 * @pools: those that the module has open
 * @held: uppers whose devices are dead, could be made anew, and are open
 * @nr_held: how many
 * @waiting: uppers that lack something
 * @why: what the first of them lacks
 * @code: exit code
 */
struct pass {
	struct attach a;
	struct ybd_device_list devices;
	struct ybd_pool_list pools;
	const struct upper_ref **held;
	size_t nr_held;
	size_t waiting;
	struct ybd_error why;
	int code;
};

/* ---- a device whose image or pool has lost its disk ---- */

static bool pool_lives(const struct pass *p, const struct ybd_device_info *d)
{
	size_t i;

	for (i = 0; i < p->pools.n; i++)
		if (p->pools.v[i].id == d->pool_id)
			return hotplug_disk_lives(p->pools.v[i].major, p->pools.v[i].minor);
	return true;
}

static bool is_alive(const struct pass *p, const struct ybd_device_info *d)
{
	struct ybd_image_info img;
	bool alive;

	if (ybd_nl_image_get(p->a.nl, d->image_name, &img, NULL))
		return true;
	alive = attach_image_lives(&img) && pool_lives(p, d);
	ybd_image_info_free(&img);
	return alive;
}

static int detach_dead(struct pass *p, const struct ybd_device_info *d, struct ybd_error *err)
{
	int rc = ybd_nl_device_detach(p->a.nl, d->name, 0, err);

	if (rc == -EBUSY)
		ybd_error_set(err, rc,
			      "%s: is open, and reads from a disk that is gone: stop what uses it",
			      d->name);
	/* somebody was faster */
	return rc == -ENODEV ? 0 : rc;
}

/*
 * It can be made anew when its layers are there again and nobody has it open:
 * what was written is in the pool, and nothing else is lost with it.
 */
static int let_go(struct pass *p, const struct upper_ref *u,
		  const struct ybd_device_info *d, struct ybd_error *err)
{
	int rc = attach_try(&p->a, u, err);

	if (rc)
		return rc;
	rc = detach_dead(p, d, err);
	if (rc == -EBUSY)
		p->held[p->nr_held++] = u;
	return rc;
}

/* ---- all uppers ---- */

/* Is it only that something is not there, not yet or not any more? */
static bool is_absence(int rc)
{
	switch (-rc) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
	case ENODATA:
	case EIO:
	case EBUSY:
		return true;
	default:
		return false;
	}
}

static void wait_for_more(struct pass *p, const struct ybd_error *err)
{
	if (!p->waiting++)
		p->why = *err;
}

static void make_device(struct pass *p, const struct upper_ref *u, int rc,
			struct ybd_error *err)
{
	const struct ybd_device_info *d;
	int code;

	if (!rc)
		rc = attach_upper(&p->a, u, err);
	if (!rc) {
		d = &p->a.devices.v[p->a.devices.n - 1];
		ybd_journal(LOG_NOTICE, "attached", "%s: attached as /dev/%s", d->name, d->disk);
		print_line("%s /dev/%s", d->name, d->disk);
	} else if (is_absence(rc)) {
		wait_for_more(p, err);
	} else {
		ybd_journal(LOG_ERR, "refused", "%s", err->text);
		code = cmd_fail_err(err);
		p->code = p->code ? p->code : code;
	}
}

static void attach_one(struct pass *p, const struct upper_ref *u)
{
	const struct ybd_device_info *d = attach_device_of(&p->devices, u);
	size_t held = p->nr_held;
	struct ybd_error err = { 0 };
	int rc = 0;

	if (d && is_alive(p, d))
		return;
	if (d)
		rc = let_go(p, u, d, &err);
	if (p->nr_held == held)
		make_device(p, u, rc, &err);
}

/* Once more those that are open. */
static void attach_held(struct pass *p, bool last)
{
	size_t nr = p->nr_held, i;

	p->nr_held = 0;
	for (i = 0; i < nr; i++) {
		const struct upper_ref *u = p->held[i];
		struct ybd_error err = { 0 };
		int rc = detach_dead(p, attach_device_of(&p->devices, u), &err);

		if (rc == -EBUSY && !last)
			p->held[p->nr_held++] = u;
		else
			make_device(p, u, rc, &err);
	}
}

/* All others first: nothing waits for those but they themselves. */
static void attach_all(struct pass *p)
{
	const struct timespec pause = { .tv_nsec = CLOSE_STEP_MS * 1000000 };
	size_t i;

	for (i = 0; i < p->a.uppers.n; i++)
		attach_one(p, &p->a.uppers.v[i]);
	for (i = 1; p->nr_held; i++) {
		nanosleep(&pause, NULL);
		attach_held(p, i == CLOSE_WAIT_MS / CLOSE_STEP_MS);
	}
}

static void attach_them(struct pass *p)
{
	struct ybd_error err = { 0 };

	p->held = calloc(p->a.uppers.n, sizeof(*p->held));
	if (!p->held) {
		p->code = cmd_fail(-ENOMEM, "out of memory");
		return;
	}
	if (ybd_nl_device_list(p->a.nl, &p->devices, &err) ||
	    ybd_nl_pool_list(p->a.nl, &p->pools, &err)) {
		p->code = cmd_fail_err(&err);
	} else {
		attach_all(p);
	}
	if (p->waiting) {
		ybd_journal(LOG_INFO, "waiting", "%zu of %zu devices wait: %s", p->waiting,
			    p->a.uppers.n, p->why.text);
		print_line("%zu of %zu wait: %s", p->waiting, p->a.uppers.n, p->why.text);
	}
	ybd_pool_list_free(&p->pools);
	ybd_device_list_free(&p->devices);
	free(p->held);
}

/* An exit code. Not each host that has a disk is to load the module. */
static int look_at_all(void)
{
	struct pass p = { .a.all = true, .code = hotplug_returned() };
	struct ybd_error err = { 0 };

	if (attach_find(&p.a, NULL, 0, &err) ||
	    (p.a.uppers.n && attach_begin(&p.a, &err)))
		p.code = cmd_fail_err(&err);
	else if (p.a.uppers.n)
		attach_them(&p);
	attach_end(&p.a);
	return p.code;
}

static int run(void)
{
	struct ybd_error err = { 0 };
	struct ticket t;
	int rc = ticket_wait(&t, RUN_DIR, &err), code;

	if (rc < 0)
		return cmd_fail_err(&err);
	if (!rc)
		return CMD_OK;
	code = look_at_all();
	/* a refusal is as final as a success; others may have better luck */
	if (code == CMD_OK || code == CMD_REFUSED)
		ticket_done(&t);
	else
		ticket_drop(&t);
	hotplug_links();
	if (code && print_flush(false))
		return cmd_fail(-EIO, "writing to stdout failed");
	return code;
}

/* The operand is for whoever reads the list of processes, and for the journal. */
int cmd_hotplug(const struct cmd *cmd, int argc, char **argv)
{
	const char *removed = NULL;
	u32 major, minor;
	const struct opt opts[] = {
		OPT_STR("removed", "MAJOR:MINOR", &removed,
			"The disk of that number has gone: say who used it."),
		OPT_END
	};
	int n = cmd_parse(cmd, opts, argc, argv, 0, 1), end = 0;

	if (!removed)
		return run();
	if (sscanf(removed, "%u:%u%n", &major, &minor, &end) != 2 || removed[end])
		cmd_usage("--removed: \"%s\" is no number of a device, such as 259:0", removed);
	return hotplug_removed(n ? argv[0] : removed, major, minor);
}
