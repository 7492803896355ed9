// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl connect: NVMe over Fabrics, from the command line or libnvme's configuration. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "connect.h"
#include "fabrics.h"
#include "json.h"
#include "memfile.h"
#include "parse.h"
#include "print.h"
#include "util.h"

/* What a lost link may cost, unless somebody says otherwise. */
#define FAST_IO_FAIL 5

enum { TRANSPORT, TRADDR, TRSVCID, HOST_TRADDR, HOST_IFACE, HOSTNQN, HOSTID,
	KEYRING, TLS_KEY, NR_TEXTS };
enum { IO_QUEUES, WRITE_QUEUES, POLL_QUEUES, QUEUE_SIZE, KEEP_ALIVE, RECONNECT, NR_NUMBERS };

/**
 * struct connect - the command line
 * @all: --all
 * @config: --config
 * @text: values of options that are words, by their place in texts[]
 * @number: those that are numbers, by their place in numbers[]
 * @ctrl_loss: --ctrl-loss-tmo
 * @fast_io_fail: --fast-io-fail-tmo
 * @hdr_digest: --hdr-digest
 * @data_digest: --data-digest
 * @tls: --tls
 * @nqn: of the subsystem
 * @me: this host
 * @options: what the kernel is told when a key is named
 * @code: exit code
 * @nr: controllers that were printed
 */
struct connect {
	bool all;
	const char *config;
	const char *text[NR_TEXTS];
	const char *number[NR_NUMBERS];
	const char *ctrl_loss;
	const char *fast_io_fail;
	bool hdr_digest;
	bool data_digest;
	bool tls;
	const char *nqn;
	struct ybd_fabrics_host me;
	char options[1536];
	int code;
	size_t nr;
};

/*
 * As libnvme's configuration calls them, and the kernel; those of the host are not a
 * port's. libnvme reads which key from there, and uses it only when it has the key too.
 */
static const char *const texts[NR_TEXTS] = {
	[TRANSPORT] = "transport", [TRADDR] = "traddr", [TRSVCID] = "trsvcid",
	[HOST_TRADDR] = "host_traddr", [HOST_IFACE] = "host_iface",
};

static const char *const numbers[NR_NUMBERS] = {
	[IO_QUEUES] = "nr_io_queues", [WRITE_QUEUES] = "nr_write_queues",
	[POLL_QUEUES] = "nr_poll_queues", [QUEUE_SIZE] = "queue_size",
	[KEEP_ALIVE] = "keep_alive_tmo", [RECONNECT] = "reconnect_delay",
};

/* ---- the configuration of one controller ---- */

static int add(struct json_object *o, const char *key, struct json_object *val)
{
	if (!val)
		return -ENOMEM;
	if (json.object_add(o, key, val)) {
		json.put(val);
		return -ENOMEM;
	}
	return 0;
}

static int add_text(struct json_object *o, const char *key, const char *val)
{
	return val && *val ? add(o, key, json.new_string(val)) : 0;
}

/* Numbers were parsed before: they are digits. */
static int fill_port(struct json_object *port, const struct connect *c)
{
	int rc = 0;
	size_t i;

	for (i = 0; !rc && i < NR_TEXTS; i++)
		if (texts[i])
			rc = add_text(port, texts[i], c->text[i]);
	for (i = 0; !rc && i < NR_NUMBERS; i++)
		if (c->number[i])
			rc = add(port, numbers[i], json.new_u64(strtoull(c->number[i], NULL, 10)));
	if (!rc && c->hdr_digest)
		rc = add(port, "hdr_digest", json.new_bool(true));
	if (!rc && c->data_digest)
		rc = add(port, "data_digest", json.new_bool(true));
	if (!rc && c->tls)
		rc = add(port, "tls", json.new_bool(true));
	return rc;
}

/* A list with one new object in it, under @key; NULL without memory. */
static struct json_object *add_list(struct json_object *o, const char *key)
{
	struct json_object *list = json.new_array(), *one;

	if (!list || add(o, key, list))
		return NULL;
	one = json.new_object();
	if (one && json.array_add(list, one)) {
		json.put(one);
		one = NULL;
	}
	return one;
}

static int fill_host(struct json_object *host, const struct connect *c)
{
	struct json_object *subsys, *port;
	int rc = add_text(host, "hostnqn", c->me.nqn);

	if (!rc)
		rc = add_text(host, "hostid", c->me.id);
	subsys = rc ? NULL : add_list(host, "subsystems");
	if (!subsys || add_text(subsys, "nqn", c->nqn))
		return -ENOMEM;
	port = add_list(subsys, "ports");
	return port ? fill_port(port, c) : -ENOMEM;
}

static int who_am_i(struct connect *c, struct ybd_error *err)
{
	struct ybd_fabrics_host *me = &c->me;
	int rc = c->text[HOSTNQN] ? 0 : ybd_fabrics_host(me, err);

	if (rc)
		return rc;
	if (c->text[HOSTNQN]) {
		snprintf(me->nqn, sizeof(me->nqn), "%s", c->text[HOSTNQN]);
		me->id[0] = '\0';
	}
	if (c->text[HOSTID])
		snprintf(me->id, sizeof(me->id), "%s", c->text[HOSTID]);
	return 0;
}

/* A descriptor of the configuration, or a negative errno. */
static int make_config(struct connect *c, struct ybd_error *err)
{
	struct json_object *root, *host;
	const char *text;
	int rc = who_am_i(c, err);

	if (rc)
		return rc;
	if (json_load())
		return ybd_error_set(err, -ELIBACC,
				     "libjson-c.so.5 is missing: install libjson-c5");
	root = json.new_array();
	host = root ? json.new_object() : NULL;
	rc = !host || json.array_add(root, host) ? -ENOMEM : fill_host(host, c);
	text = rc ? NULL : json_text(root, true);
	rc = text ? ybd_memfile("ybd-connect", text, strlen(text)) : -ENOMEM;
	if (rc < 0)
		ybd_error_sys(err, rc, "configuration");
	if (root)
		json.put(root);
	return rc;
}

/* ---- the same for the kernel, where a key is named ---- */

static void option(struct connect *c, const char *name, const char *val)
{
	size_t n = strlen(c->options);

	if (val && *val)
		snprintf(c->options + n, sizeof(c->options) - n, ",%s=%s", name, val);
}

static int fill_options(struct connect *c, struct ybd_error *err)
{
	size_t i;

	snprintf(c->options, sizeof(c->options), "nqn=%s%s%s%s", c->nqn, c->tls ? ",tls" : "",
		 c->hdr_digest ? ",hdr_digest" : "", c->data_digest ? ",data_digest" : "");
	option(c, "hostnqn", c->me.nqn);
	option(c, "hostid", c->me.id);
	for (i = 0; i < NR_TEXTS; i++)
		if (texts[i])
			option(c, texts[i], c->text[i]);
	for (i = 0; i < NR_NUMBERS; i++)
		option(c, numbers[i], c->number[i]);
	if (strlen(c->options) < sizeof(c->options) - 1)
		return 0;
	return ybd_error_set(err, -E2BIG, "the options have more than %zu bytes",
			     sizeof(c->options) - 2);
}

/* The configuration, and which key. */
static int prepare(struct connect *c, struct ybd_fabrics_tmo *t, struct ybd_error *err)
{
	bool key = c->text[KEYRING] || c->text[TLS_KEY];
	int rc = 0, fd;

	if (key)
		rc = ybd_fabrics_key_find(c->text[KEYRING], c->text[TLS_KEY], &t->key, err);
	if (rc)
		return rc;
	fd = make_config(c, err);
	if (fd < 0 || !key)
		return fd;
	rc = fill_options(c, err);
	if (rc) {
		close(fd);
		return rc;
	}
	t->options = c->options;
	return fd;
}

/* ---- what became of it ---- */

static const struct print_column cols[] = {
	{ "name", "CONTROLLER", false },
	{ "transport", "VIA", false },
	{ "traddr", "ADDRESS", false },
	{ "trsvcid", "PORT", false },
	{ "already", "ALREADY", false },
	{ "nqn", "SUBSYSTEM", false },
	{ }
};

static void print_ctrl(const struct ybd_fabrics_ctrl *c, const struct ybd_error *err,
		       void *arg)
{
	struct connect *cmd = arg;
	int code;

	if (err) {
		code = cmd_fail_err(err);
		cmd->code = cmd->code ? cmd->code : code;
		return;
	}
	cmd->nr++;
	print_object_begin(NULL);
	print_str("name", c->name[0] ? c->name : NULL);
	print_str("transport", c->transport);
	print_str("traddr", c->traddr[0] ? c->traddr : NULL);
	print_str("trsvcid", c->trsvcid[0] ? c->trsvcid : NULL);
	print_str("nqn", c->nqn);
	print_bool("already", c->already);
	print_object_end();
}

static int tmo(const char *opt, const char *text)
{
	u32 val;

	if (!text)
		return YBD_TMO_KEEP;
	if (!strcmp(text, "off"))
		return YBD_TMO_OFF;
	if (parse_seconds(text, &val))
		cmd_usage("--%s: \"%s\" is neither a number of seconds nor off", opt, text);
	return val;
}

static int run(struct connect *c, struct ybd_fabrics_tmo *t)
{
	int fd __cleanup_fd = -1, rc;
	struct ybd_error err = { 0 };
	char path[64];

	rc = c->tls ? ybd_fabrics_tls(&err) : 0;
	if (!rc && !c->all) {
		fd = prepare(c, t, &err);
		rc = fd < 0 ? fd : 0;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (rc)
		return cmd_fail_err(&err);
	print_list_begin("controllers", cols);
	rc = ybd_fabrics_connect(c->all ? c->config : path, t, print_ctrl, c, &err);
	print_list_end();
	if (rc && !c->code)
		return cmd_fail_err(&err);
	/* those that failed do not hide the others */
	if (c->code && c->nr && print_flush(false))
		return cmd_fail(-EIO, "writing to stdout failed");
	return c->code;
}

/* ---- the command line ---- */

static void check_one(struct connect *c)
{
	const char *t = c->text[TRANSPORT];
	size_t i;
	u32 val;

	if (!t)
		cmd_usage("--transport is missing: tcp, rdma or loop");
	if (strcmp(t, "tcp") && strcmp(t, "rdma") && strcmp(t, "loop"))
		cmd_usage("--transport: \"%s\" is none of tcp, rdma and loop", t);
	if (!!strcmp(t, "loop") == !c->text[TRADDR])
		cmd_usage(c->text[TRADDR] ? "--traddr: loop has no address" :
			  "--traddr is missing: the address of the target");
	if (c->tls && strcmp(t, "tcp"))
		cmd_usage("--tls is for tcp");
	if ((c->text[KEYRING] || c->text[TLS_KEY]) && !c->tls)
		cmd_usage("--keyring and --tls-key need --tls");
	if (strlen(c->nqn) > 223)
		cmd_usage("the NQN is longer than 223 bytes");
	for (i = 0; i < NR_NUMBERS; i++)
		if (c->number[i] && (parse_seconds(c->number[i], &val) || !val))
			cmd_usage("\"%s\" is no number from 1", c->number[i]);
	/* IANA's port */
	if (strcmp(t, "loop") && !c->text[TRSVCID])
		c->text[TRSVCID] = "4420";
}

static void check_all(const struct connect *c, int n)
{
	bool other = c->hdr_digest || c->data_digest;
	size_t i;

	if (n)
		cmd_usage("--all and an NQN exclude each other");
	for (i = 0; i < NR_TEXTS; i++)
		other = other || c->text[i];
	for (i = 0; i < NR_NUMBERS; i++)
		other = other || c->number[i];
	if (other)
		cmd_usage("--all takes what is in the file: only --config, --ctrl-loss-tmo, --fast-io-fail-tmo and --tls go with it");
}

int cmd_connect(const struct cmd *cmd, int argc, char **argv)
{
	struct connect c = { .config = CONNECT_CONFIG };
	const struct opt opts[] = {
		OPT_FLAG("all", &c.all, "What the configuration file has."),
		OPT_STR("config", "FILE", &c.config, "That file (" CONNECT_CONFIG ")."),
		OPT_STR("transport", "NAME", &c.text[TRANSPORT], "tcp, rdma or loop."),
		OPT_STR("traddr", "ADDRESS", &c.text[TRADDR], "Address of the target."),
		OPT_STR("trsvcid", "PORT", &c.text[TRSVCID], "Its port (4420)."),
		OPT_STR("host-traddr", "ADDRESS", &c.text[HOST_TRADDR], "Address of this host."),
		OPT_STR("host-iface", "NAME", &c.text[HOST_IFACE], "Interface of this host."),
		OPT_STR("hostnqn", "NQN", &c.text[HOSTNQN], "Instead of /etc/nvme/hostnqn."),
		OPT_STR("hostid", "UUID", &c.text[HOSTID], "Instead of /etc/nvme/hostid."),
		OPT_STR("io-queues", "N", &c.number[IO_QUEUES], "I/O queues."),
		OPT_STR("write-queues", "N", &c.number[WRITE_QUEUES], "More of them for writes."),
		OPT_STR("poll-queues", "N", &c.number[POLL_QUEUES], "More of them for polling."),
		OPT_STR("queue-size", "N", &c.number[QUEUE_SIZE], "Entries of a queue."),
		OPT_STR("keep-alive-tmo", "SECONDS", &c.number[KEEP_ALIVE], "Keep-alive."),
		OPT_STR("reconnect-delay", "SECONDS", &c.number[RECONNECT],
			"Between attempts to connect again."),
		OPT_STR("ctrl-loss-tmo", "SECONDS", &c.ctrl_loss,
			"Give a lost controller up after that; off: never."),
		OPT_STR("fast-io-fail-tmo", "SECONDS", &c.fast_io_fail,
			"Fail I/O when its link is lost that long (5); off: never."),
		OPT_FLAG("hdr-digest", &c.hdr_digest, "Checksums of headers (tcp)."),
		OPT_FLAG("data-digest", &c.data_digest, "Checksums of data (tcp)."),
		OPT_FLAG("tls", &c.tls, "Encrypt (tcp)."),
		OPT_STR("tls-key", "IDENTITY", &c.text[TLS_KEY], "With that key."),
		OPT_STR("keyring", "NAME", &c.text[KEYRING], "From that keyring."),
		OPT_END
	};
	int n = cmd_parse(cmd, opts, argc, argv, 0, 1);
	struct ybd_fabrics_tmo t = {
		.ctrl_loss = tmo("ctrl-loss-tmo", c.ctrl_loss),
		.fast_io_fail = tmo("fast-io-fail-tmo", c.fast_io_fail),
		.fast_io_fail_default = FAST_IO_FAIL,
		.tls = c.tls,
	};

	if (!c.all && !n)
		cmd_usage("too few operands: the NQN of a subsystem, or --all");
	c.nqn = n ? argv[0] : NULL;
	if (c.all)
		check_all(&c, n);
	else
		check_one(&c);
	return run(&c, &t);
}
