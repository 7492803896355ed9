// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <libnvme.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#include "dl.h"
#include "fabrics.h"
#include "kmodlib.h"
#include "nvme.h"
#include "sysfs.h"
#include "util.h"

#define NVME_SONAME "libnvme.so.1"
#define FABRICS_DEV "/dev/nvme-fabrics"

static struct {
	typeof(nvme_create_root) *create_root;
	typeof(nvme_free_tree) *free_tree;
	typeof(nvme_read_config) *read_config;
	typeof(nvme_first_host) *first_host;
	typeof(nvme_next_host) *next_host;
	typeof(nvme_host_get_hostnqn) *host_nqn;
	typeof(nvme_first_subsystem) *first_subsystem;
	typeof(nvme_next_subsystem) *next_subsystem;
	typeof(nvme_subsystem_first_ctrl) *first_ctrl;
	typeof(nvme_subsystem_next_ctrl) *next_ctrl;
	typeof(nvme_subsystem_get_nqn) *subsystem_nqn;
	typeof(nvme_ctrl_get_config) *ctrl_config;
	typeof(nvme_ctrl_get_transport) *ctrl_transport;
	typeof(nvme_ctrl_get_traddr) *ctrl_traddr;
	typeof(nvme_ctrl_get_trsvcid) *ctrl_trsvcid;
	typeof(nvme_ctrl_get_host_traddr) *ctrl_host_traddr;
	typeof(nvme_ctrl_get_host_iface) *ctrl_host_iface;
	typeof(nvme_create_ctrl) *create_ctrl;
	typeof(nvme_free_ctrl) *free_ctrl;
	typeof(nvmf_add_ctrl) *add_ctrl;
	int (*connect_ctrl)(nvme_ctrl_t c);
	long (*lookup_keyring)(const char *name);
	typeof(nvme_errno_to_string) *strerror;
	typeof(nvmf_hostnqn_from_file) *hostnqn_from_file;
	typeof(nvmf_hostnqn_generate) *hostnqn_generate;
	typeof(nvmf_hostid_from_file) *hostid_from_file;
} nvme;

static int load_library(struct ybd_error *err)
{
	const struct ybd_dl_sym sym[] = {
		{ "nvme_create_root", &nvme.create_root },
		{ "nvme_free_tree", &nvme.free_tree },
		{ "nvme_read_config", &nvme.read_config },
		{ "nvme_first_host", &nvme.first_host },
		{ "nvme_next_host", &nvme.next_host },
		{ "nvme_host_get_hostnqn", &nvme.host_nqn },
		{ "nvme_first_subsystem", &nvme.first_subsystem },
		{ "nvme_next_subsystem", &nvme.next_subsystem },
		{ "nvme_subsystem_first_ctrl", &nvme.first_ctrl },
		{ "nvme_subsystem_next_ctrl", &nvme.next_ctrl },
		{ "nvme_subsystem_get_nqn", &nvme.subsystem_nqn },
		{ "nvme_ctrl_get_config", &nvme.ctrl_config },
		{ "nvme_ctrl_get_transport", &nvme.ctrl_transport },
		{ "nvme_ctrl_get_traddr", &nvme.ctrl_traddr },
		{ "nvme_ctrl_get_trsvcid", &nvme.ctrl_trsvcid },
		{ "nvme_ctrl_get_host_traddr", &nvme.ctrl_host_traddr },
		{ "nvme_ctrl_get_host_iface", &nvme.ctrl_host_iface },
		{ "nvme_create_ctrl", &nvme.create_ctrl },
		{ "nvme_free_ctrl", &nvme.free_ctrl },
		{ "nvmf_add_ctrl", &nvme.add_ctrl },
		{ "nvme_errno_to_string", &nvme.strerror },
		{ "nvmf_hostnqn_from_file", &nvme.hostnqn_from_file },
		{ "nvmf_hostnqn_generate", &nvme.hostnqn_generate },
		{ "nvmf_hostid_from_file", &nvme.hostid_from_file },
	};
	/* since 1.11; the other way to connect is wrong there for what is configured */
	const struct ybd_dl_sym more = { "nvmf_connect_ctrl", &nvme.connect_ctrl };

	if (nvme.create_root)
		return 0;
	if (!ybd_dl_open(NVME_SONAME, sym, ARRAY_SIZE(sym))) {
		ybd_dl_open(NVME_SONAME, &more, 1);
		return 0;
	}
	nvme.create_root = NULL;
	return ybd_error_set(err, -ELIBACC, "%s is missing: install libnvme1",
			     NVME_SONAME);
}

int ybd_fabrics_host(struct ybd_fabrics_host *out, struct ybd_error *err)
{
	char *nqn __cleanup_free = NULL, *id __cleanup_free = NULL;
	int rc = load_library(err);

	if (rc)
		return rc;
	nqn = nvme.hostnqn_from_file();
	if (!nqn)
		nqn = nvme.hostnqn_generate();
	if (!nqn)
		return ybd_error_set(err, -ENOENT,
				     "/etc/nvme/hostnqn is missing (nvme gen-hostnqn makes one), and --hostnqn is not given");
	id = nvme.hostid_from_file();
	snprintf(out->nqn, sizeof(out->nqn), "%s", nqn);
	snprintf(out->id, sizeof(out->id), "%s", id ? id : "");
	return 0;
}

/* ---- what the kernel offers ---- */

static int need_fabrics(struct ybd_error *err)
{
	if (!access(FABRICS_DEV, F_OK))
		return 0;
	return ybd_kmod_load("nvme-fabrics", err);
}

int ybd_fabrics_tls(struct ybd_error *err)
{
	const struct ybd_dl_sym sym = { "nvme_lookup_keyring", &nvme.lookup_keyring };
	char buf[1024];
	int rc = need_fabrics(err);

	if (rc)
		return rc;
	/* the options that it takes, joined by commas */
	rc = ybd_sysfs_read(buf, sizeof(buf), FABRICS_DEV);
	if (rc)
		return ybd_error_sys(err, rc, FABRICS_DEV);
	if (!strstr(buf, ",tls"))
		return ybd_error_set(err, -EOPNOTSUPP,
				     "TLS: this kernel has none for NVMe/TCP (CONFIG_NVME_TCP_TLS)");
	if (ybd_dl_open(NVME_SONAME, &sym, 1))
		return ybd_error_set(err, -EOPNOTSUPP,
				     "TLS: this %s is too old for it, 1.5 is needed",
				     NVME_SONAME);
	return 0;
}

/* "psk;uid;gid;perm;IDENTITY" */
static bool key_is(int32_t key, const char *identity)
{
	char text[1024];
	const char *p = text;
	long n = syscall(SYS_keyctl, KEYCTL_DESCRIBE, key, text, sizeof(text));

	if (n <= 0 || n > (long)sizeof(text) || strncmp(text, "psk;", 4))
		return false;
	for (int i = 0; i < 4 && p; i++) {
		p = strchr(p, ';');
		p = p ? p + 1 : NULL;
	}
	return p && !strcmp(p, identity);
}

/*
 * Searching does not do: the kernel takes a key for the one whose identity is the beginning of the
 * other's, or the other way round.
 */
static int find_key(struct ybd_fabrics_key *out, const char *identity)
{
	int32_t *v = NULL;
	long n = 0, len;

	for (;;) {
		len = syscall(SYS_keyctl, KEYCTL_READ, out->keyring, v, n);
		if (len < 0) {
			free(v);
			return -errno;
		}
		if (len <= n)
			break;
		free(v);
		v = malloc((size_t)len);
		if (!v)
			return -ENOMEM;
		n = len;
	}
	for (long i = 0; i < len / (long)sizeof(*v) && !out->key; i++)
		if (key_is(v[i], identity))
			out->key = v[i];
	free(v);
	return out->key ? 0 : -ENOENT;
}

int ybd_fabrics_key_find(const char *keyring, const char *identity,
			 struct ybd_fabrics_key *out, struct ybd_error *err)
{
	const char *name = keyring ? keyring : ".nvme";
	int rc;

	out->keyring = nvme.lookup_keyring(name);
	out->key = 0;
	if (out->keyring <= 0)
		return ybd_error_set(err, -ENOENT, "TLS: no keyring \"%s\" (see /proc/keys)",
				     name);
	if (!identity)
		return 0;
	/* keys are looked at only in what the process has; this ends with it */
	if (syscall(SYS_keyctl, KEYCTL_LINK, out->keyring, KEY_SPEC_PROCESS_KEYRING))
		return ybd_error_sys(err, -errno, "TLS: keyring %s", name);
	rc = find_key(out, identity);
	if (rc == -ENOENT)
		return ybd_error_set(err, rc, "TLS: no key \"%s\" in keyring %s", identity, name);
	return rc ? ybd_error_sys(err, rc, "TLS: keyring %s", name) : 0;
}

/* ---- connecting ---- */

/**
 * struct walk - through a configuration
 * @tmo: NULL to look only
 * @fn: hears of each
 * @arg: for it
 * @have: what is connected
 * @root: libnvme's tree
 * @nr: controllers that were described
 * @rc: the first error
 * @err: described
 */
struct walk {
	const struct ybd_fabrics_tmo *tmo;
	ybd_fabrics_fn fn;
	void *arg;
	struct ybd_nvme_ctrls have;
	nvme_root_t root;
	size_t nr;
	int rc;
	struct ybd_error *err;
};

/* libnvme's own numbers begin at 1000. */
static int explain(int e, bool tls, struct ybd_error *err)
{
	const char *hint = "";
	int rc = -EIO;

	if (e < ENVME_CONNECT_RESOLVE)
		rc = e && e != ENOPKG && e != EPROTONOSUPPORT ? -e : -EIO;
	else if (e == ENVME_CONNECT_RESOLVE)
		rc = -ENOENT;
	else if (e == ENVME_CONNECT_CONNREFUSED)
		rc = -ECONNREFUSED;
	/* what each of these looks like here depends on who notices first */
	if (tls && rc != -ENOENT && rc != -ECONNREFUSED)
		hint = "; TLS wants the same key, and tlshd, on both sides";
	else if (e == ENVME_CONNECT_WRITE)
		hint = "; a target that wants TLS refuses like this";
	return ybd_error_set(err, rc, "%s (the kernel log says more%s)",
			     e < ENVME_CONNECT_RESOLVE ? strerror(e) : nvme.strerror(e), hint);
}

static int write_tmo(const char *name, const char *attr, int val,
		     struct ybd_error *err)
{
	char path[128], text[16];
	int fd, n, rc = 0;

	snprintf(path, sizeof(path), "/sys/class/nvme/%s/%s", name, attr);
	n = snprintf(text, sizeof(text), "%d", val);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	/* as on the loop transport of older kernels */
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || write(fd, text, n) != n)
		rc = ybd_error_sys(err, -errno, "%s", path);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int set_tmo(const struct walk *w, const struct ybd_fabrics_ctrl *c,
		   struct ybd_error *err)
{
	int fail = w->tmo->fast_io_fail, rc = 0;
	char now[32];

	ybd_sysfs_read(now, sizeof(now), "/sys/class/nvme/%s/fast_io_fail_tmo", c->name);
	if (fail == YBD_TMO_KEEP && !c->already && !strcmp(now, "off"))
		fail = w->tmo->fast_io_fail_default;
	if (w->tmo->ctrl_loss != YBD_TMO_KEEP)
		rc = write_tmo(c->name, "ctrl_loss_tmo", w->tmo->ctrl_loss, err);
	if (!rc && fail != YBD_TMO_KEEP)
		rc = write_tmo(c->name, "fast_io_fail_tmo", fail, err);
	return rc;
}

/*
 * Before that only one that is in no subsystem can be connected: one like it,
 * which becomes the tree's, with the configuration that the first one has.
 */
static int connect_copy(nvme_root_t root, nvme_host_t h, nvme_ctrl_t ctrl,
			const struct ybd_fabrics_ctrl *c)
{
	nvme_ctrl_t new;
	int e;

	new = nvme.create_ctrl(root, c->nqn, c->transport, c->traddr[0] ? c->traddr : NULL,
			       nvme.ctrl_host_traddr(ctrl), nvme.ctrl_host_iface(ctrl),
			       c->trsvcid[0] ? c->trsvcid : NULL);
	if (!new || !nvme.add_ctrl(h, new, nvme.ctrl_config(ctrl)))
		return new ? 0 : -1;
	e = errno;
	nvme.free_ctrl(new);
	errno = e;
	return -1;
}

/* With a key of that number, which libnvme has no call for. 0, or -1 and errno. */
static int connect_key(const struct ybd_fabrics_tmo *t)
{
	int fd __cleanup_fd = -1, n;
	char text[2048];

	n = snprintf(text, sizeof(text), "%s,keyring=0x%lx", t->options, t->key.keyring);
	if (t->key.key && n < (int)sizeof(text))
		n += snprintf(text + n, sizeof(text) - n, ",tls_key=0x%lx", t->key.key);
	if (n >= (int)sizeof(text)) {
		errno = E2BIG;
		return -1;
	}
	fd = open(FABRICS_DEV, O_RDWR | O_CLOEXEC);
	return fd >= 0 && write(fd, text, n) == n ? 0 : -1;
}

/* The kernel has the last word whether it is connected. */
static void find_name(struct ybd_fabrics_ctrl *c, const char *hostnqn)
{
	struct ybd_nvme_ctrls list;
	const char *name;

	if (ybd_nvme_ctrls(NULL, &list))
		return;
	name = ybd_nvme_ctrls_find(&list, c->transport, c->nqn, c->traddr, c->trsvcid, hostnqn);
	snprintf(c->name, sizeof(c->name), "%s", name ? name : "");
	ybd_nvme_ctrls_free(&list);
}

static int connect_one(struct walk *w, nvme_host_t h, nvme_ctrl_t ctrl,
		       struct ybd_fabrics_ctrl *c, struct ybd_error *err)
{
	int rc, e;

	errno = 0;
	if (w->tmo->options)
		rc = connect_key(w->tmo);
	else if (nvme.connect_ctrl)
		rc = nvme.connect_ctrl(ctrl);
	else
		rc = connect_copy(w->root, h, ctrl, c);
	if (rc) {
		e = errno;
		if (e != EALREADY && e != ENVME_CONNECT_ALREADY)
			return explain(e, w->tmo->tls, err);
		c->already = true;
	}
	find_name(c, nvme.host_nqn(h));
	return 0;
}

/* The kernel says with which key, so that nobody has to take our word for it. */
static int check_tls(const struct walk *w, const struct ybd_fabrics_ctrl *c,
		     struct ybd_error *err)
{
	long want = w->tmo->key.key;
	char key[64];

	ybd_sysfs_read(key, sizeof(key), "/sys/class/nvme/%s/tls_key", c->name);
	if (!key[0])
		return ybd_error_set(err, -EEXIST,
				     "%s is connected without TLS: disconnect it first", c->name);
	if (want && strtol(key, NULL, 16) != want)
		return ybd_error_set(err, -EEXIST,
				     "%s is connected with another key, %s: disconnect it first",
				     c->name, key);
	return 0;
}

static void copy(char *to, size_t len, const char *from)
{
	snprintf(to, len, "%s", from && strcmp(from, "none") ? from : "");
}

static void visit(struct walk *w, nvme_host_t h, nvme_subsystem_t s, nvme_ctrl_t ctrl)
{
	struct ybd_fabrics_ctrl c = { 0 };
	struct ybd_error err = { 0 };
	const char *name;
	int rc = 0;

	copy(c.transport, sizeof(c.transport), nvme.ctrl_transport(ctrl));
	copy(c.traddr, sizeof(c.traddr), nvme.ctrl_traddr(ctrl));
	copy(c.trsvcid, sizeof(c.trsvcid), nvme.ctrl_trsvcid(ctrl));
	copy(c.nqn, sizeof(c.nqn), nvme.subsystem_nqn(s));
	if (!strcmp(c.nqn, NVME_DISC_SUBSYS_NAME))
		return;
	w->nr++;
	name = ybd_nvme_ctrls_find(&w->have, c.transport, c.nqn, c.traddr, c.trsvcid,
				   nvme.host_nqn(h));
	copy(c.name, sizeof(c.name), name);
	c.already = name;
	if (w->tmo && !name)
		rc = connect_one(w, h, ctrl, &c, &err);
	if (!rc && w->tmo && w->tmo->tls)
		rc = check_tls(w, &c, &err);
	if (!rc && w->tmo && c.name[0])
		rc = set_tmo(w, &c, &err);
	if (rc)
		ybd_error_prefix(&err, "%s%s%s %s", c.transport, *c.traddr ? " " : "",
				 c.traddr, c.nqn);
	w->fn(&c, rc ? &err : NULL, w->arg);
	if (rc && !w->rc) {
		w->rc = rc;
		if (w->err)
			*w->err = err;
	}
}

static void visit_all(struct walk *w)
{
	nvme_ctrl_t c, next;
	nvme_subsystem_t s;
	nvme_host_t h;

	for (h = nvme.first_host(w->root); h; h = nvme.next_host(w->root, h)) {
		for (s = nvme.first_subsystem(h); s; s = nvme.next_subsystem(h, s)) {
			for (c = nvme.first_ctrl(s); c; c = next) {
				/* the tree changes when one is connected */
				next = nvme.next_ctrl(s, c);
				visit(w, h, s, c);
			}
		}
	}
}

static int walk(struct walk *w, const char *config)
{
	int rc = load_library(w->err);

	if (!rc && w->tmo)
		rc = need_fabrics(w->err);
	if (rc)
		return rc;
	if (access(config, R_OK))
		return ybd_error_sys(w->err, -errno, "%s", config);
	rc = ybd_nvme_ctrls(NULL, &w->have);
	if (rc)
		return ybd_error_sys(w->err, rc, "listing NVMe controllers");
	/* it writes to stderr, where our one line goes */
	w->root = nvme.create_root(stderr, LOG_EMERG);
	if (!w->root) {
		rc = ybd_error_sys(w->err, -ENOMEM, "libnvme");
	} else if (nvme.read_config(w->root, config)) {
		rc = ybd_error_set(w->err, -EBADMSG,
				   "%s is no configuration of libnvme: an array of hosts in JSON is wanted, see nvme-config-schema(5) or nvme connect --dump-config",
				   config);
	} else {
		visit_all(w);
		if (!w->nr)
			rc = ybd_error_set(w->err, -ENODATA,
					   "%s: no controller is described in it (each host needs a hostnqn)",
					   config);
	}
	if (w->root)
		nvme.free_tree(w->root);
	ybd_nvme_ctrls_free(&w->have);
	return rc ? rc : w->rc;
}

int ybd_fabrics_connect(const char *config, const struct ybd_fabrics_tmo *tmo,
			ybd_fabrics_fn fn, void *arg, struct ybd_error *err)
{
	struct walk w = { .tmo = tmo, .fn = fn, .arg = arg, .err = err };

	return walk(&w, config);
}

int ybd_fabrics_look(const char *config, ybd_fabrics_fn fn, void *arg,
		     struct ybd_error *err)
{
	struct walk w = { .fn = fn, .arg = arg, .err = err };

	return walk(&w, config);
}
