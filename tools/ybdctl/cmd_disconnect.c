// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl disconnect: controllers of NVMe over Fabrics, unless something stands on them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "connect.h"
#include "fabrics.h"
#include "nvme.h"
#include "print.h"
#include "util.h"

/**
 * struct gone - what is to be disconnected
 * @list: all controllers
 * @pick: of each, whether it is one
 * @nr: how many are
 */
struct gone {
	struct ybd_nvme_ctrls list;
	bool *pick;
	size_t nr;
};

static bool is_fabrics(const struct ybd_nvme_conn *c)
{
	return strcmp(c->transport, "pcie") && strcmp(c->transport, "apple-nvme");
}

static void pick(struct gone *g, size_t i)
{
	g->nr += !g->pick[i];
	g->pick[i] = true;
}

/* By the name of a controller or the NQN of its subsystem; how many that are. */
static size_t pick_named(struct gone *g, const char *name)
{
	size_t i, n = 0;

	for (i = 0; i < g->list.n; i++) {
		const struct ybd_nvme_conn *c = &g->list.v[i];

		if (!is_fabrics(c) || (strcmp(c->name, name) && strcmp(c->nqn, name)))
			continue;
		pick(g, i);
		n++;
	}
	return n;
}

static void pick_described(const struct ybd_fabrics_ctrl *c, const struct ybd_error *err,
			   void *arg)
{
	if (c->name[0])
		pick_named(arg, c->name);
}

static bool goes(const struct gone *g, const char *name)
{
	size_t i;

	for (i = 0; i < g->list.n; i++)
		if (!strcmp(g->list.v[i].name, name))
			return g->pick[i];
	return false;
}

/* Would it lose its last path? A path that does not work now is none. */
static bool loses_all(const struct gone *g, const struct ybd_nvme_ns *ns)
{
	bool some = false;
	size_t i;

	for (i = 0; i < ns->nr_ctrls; i++) {
		if (goes(g, ns->ctrls[i].name))
			some = true;
		else if (!strcmp(ns->ctrls[i].state, "live"))
			return false;
	}
	return some;
}

/* A source, a pool, a mounted file system, device mapper: all claim the device. */
static bool is_claimed(const char *disk)
{
	char path[48];
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", disk);
	fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == EBUSY;
}

static int check_unused(const struct gone *g, struct ybd_error *err)
{
	struct ybd_nvme_list list;
	int rc = ybd_nvme_list(NULL, &list);
	size_t i;

	if (rc)
		return ybd_error_sys(err, rc, "listing NVMe namespaces");
	for (i = 0; !rc && i < list.n; i++)
		if (loses_all(g, &list.v[i]) && is_claimed(list.v[i].disk))
			rc = ybd_error_set(err, -EBUSY,
					   "/dev/%s is in use: unmount it, detach what stands on it and unload its images, or use --force",
					   list.v[i].disk);
	ybd_nvme_list_free(&list);
	return rc;
}

/* Returns when the controller and its namespaces have gone. */
static int disconnect_one(const struct ybd_nvme_conn *c, struct ybd_error *err)
{
	char path[128];
	int fd, rc = 0;

	snprintf(path, sizeof(path), "/sys/class/nvme/%s/delete_controller", c->name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	/* somebody was faster */
	if (rc == -ENOENT || rc == -ENODEV)
		return 0;
	return rc ? ybd_error_sys(err, rc, "%s", path) : 0;
}

static int disconnect_picked(const struct gone *g)
{
	struct ybd_error err = { 0 };
	int code = CMD_OK, one;
	size_t i;

	if (print_is_json())
		print_list_begin("controllers", NULL);
	for (i = 0; i < g->list.n; i++) {
		if (!g->pick[i])
			continue;
		if (disconnect_one(&g->list.v[i], &err)) {
			one = cmd_fail_err(&err);
			code = code ? code : one;
			continue;
		}
		if (print_is_json())
			print_str(NULL, g->list.v[i].name);
		print_line("%s", g->list.v[i].name);
	}
	if (print_is_json())
		print_list_end();
	return code;
}

/* Names that fit nothing are an error only when nothing fits: it is done then. */
static int choose(struct gone *g, const char *config, char **names, int n,
		  struct ybd_error *err)
{
	int rc = ybd_nvme_ctrls(NULL, &g->list), i;

	if (rc)
		return ybd_error_sys(err, rc, "listing NVMe controllers");
	g->pick = calloc(g->list.n + 1, sizeof(*g->pick));
	if (!g->pick)
		return ybd_error_sys(err, -ENOMEM, "list");
	if (!n)
		return ybd_fabrics_look(config, pick_described, g, err);
	for (i = 0; i < n; i++) {
		if (pick_named(g, names[i]))
			continue;
		/* what is not connected is disconnected; other names are typing errors */
		if (strncmp(names[i], "nqn.", 4))
			return ybd_error_set(err, -ENOENT,
					     "%s: no controller of NVMe over Fabrics, and no NQN",
					     names[i]);
	}
	return 0;
}

int cmd_disconnect(const struct cmd *cmd, int argc, char **argv)
{
	const char *config = CONNECT_CONFIG;
	bool all = false, force = false;
	const struct opt opts[] = {
		OPT_FLAG("all", &all, "What the configuration file has."),
		OPT_STR("config", "FILE", &config, "That file (" CONNECT_CONFIG ")."),
		OPT_FLAG("force", &force, "Also what is in use: I/O to it fails."),
		OPT_END
	};
	int n = cmd_parse(cmd, opts, argc, argv, 0, argc), rc, code;
	struct ybd_error err = { 0 };
	struct gone g = { 0 };

	if (all && n)
		cmd_usage("--all and names exclude each other");
	if (!all && !n)
		cmd_usage("too few operands: NQNs, controllers, or --all");
	rc = choose(&g, config, argv, n, &err);
	if (!rc && !force)
		rc = check_unused(&g, &err);
	code = rc ? cmd_fail_err(&err) : disconnect_picked(&g);
	ybd_nvme_ctrls_free(&g.list);
	free(g.pick);
	return code;
}
