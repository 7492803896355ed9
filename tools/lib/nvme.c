// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "nvme.h"
#include "sysfs.h"
#include "util.h"

static const char *root_of(const char *sysfs)
{
	return sysfs ? sysfs : "/sys";
}

static void cleanup_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* ---- identifiers ---- */

/* The hexadecimal digits of @s, lower case; "" when there are not @want of them. */
static void digits(const char *s, char *out, size_t want)
{
	size_t n = 0;

	for (; *s; s++) {
		if (*s == '-' || *s == ' ')
			continue;
		if (!isxdigit((unsigned char)*s) || n == want) {
			n = 0;
			break;
		}
		out[n++] = tolower((unsigned char)*s);
	}
	out[n == want ? n : 0] = '\0';
}

static bool is_nil(const char *s)
{
	return s[strspn(s, "0-")] == '\0';
}

static void read_ids(const char *dir, struct ybd_nvme_ns *ns)
{
	char buf[64], uuid[33];
	size_t i;

	ybd_sysfs_read(buf, sizeof(buf), "%s/eui", dir);
	digits(buf, ns->eui, 16);
	ybd_sysfs_read(buf, sizeof(buf), "%s/nguid", dir);
	digits(buf, ns->nguid, 32);
	ybd_sysfs_read(buf, sizeof(buf), "%s/uuid", dir);
	digits(buf, uuid, 32);
	if (is_nil(ns->eui))
		ns->eui[0] = '\0';
	if (is_nil(ns->nguid))
		ns->nguid[0] = '\0';
	/* without a uuid, the kernel shows the nguid in its place */
	if (is_nil(uuid) || !strcmp(uuid, ns->nguid))
		return;
	for (i = 0; i < sizeof(ns->uuid) - 1 && buf[i]; i++)
		ns->uuid[i] = tolower((unsigned char)buf[i]);
}

const char *ybd_nvme_id(const struct ybd_nvme_ns *ns, char buf[YBD_NVME_ID_LEN])
{
	if (ns->uuid[0])
		snprintf(buf, YBD_NVME_ID_LEN, "uuid:%s", ns->uuid);
	else if (ns->nguid[0])
		snprintf(buf, YBD_NVME_ID_LEN, "nguid:%s", ns->nguid);
	else if (ns->eui[0])
		snprintf(buf, YBD_NVME_ID_LEN, "eui:%s", ns->eui);
	else
		snprintf(buf, YBD_NVME_ID_LEN, "path:/dev/%s", ns->disk);
	return buf;
}

bool ybd_nvme_matches(const struct ybd_nvme_ns *ns, const char *id)
{
	const char *have = NULL;
	char a[33], b[33];
	size_t want = 32;

	if (!strncmp(id, "uuid:", 5))
		have = ns->uuid;
	else if (!strncmp(id, "nguid:", 6))
		have = ns->nguid;
	else if (!strncmp(id, "eui:", 4))
		have = ns->eui;
	if (!have || !have[0])
		return false;
	if (have == ns->eui)
		want = 16;
	digits(have, a, want);
	digits(strchr(id, ':') + 1, b, want);
	return a[0] && !strcmp(a, b);
}

/* ---- controllers ---- */

/* Seconds, or "off"; without the attribute there is no such limit either. */
static u32 read_tmo(const char *dir, const char *attr)
{
	char buf[32];

	if (ybd_sysfs_read(buf, sizeof(buf), "%s/%s", dir, attr) ||
	    !isdigit((unsigned char)buf[0]))
		return YBD_NVME_FOREVER;
	return strtoul(buf, NULL, 10);
}

static u32 add_hold(u32 a, u32 b)
{
	return a > YBD_NVME_FOREVER - b ? YBD_NVME_FOREVER : a + b;
}

/* See ybd_nvme_hold(). A timed out command of fabrics resets at once. */
static u32 read_hold(const char *root, const char *dir,
		     const struct ybd_nvme_ctrl *c)
{
	u32 io = ybd_sysfs_u64("%s/module/nvme_core/parameters/io_timeout", root);
	u32 fail, loss;

	if (!strcmp(c->transport, "pcie"))
		return add_hold(io, io);
	fail = read_tmo(dir, "fast_io_fail_tmo");
	loss = read_tmo(dir, "ctrl_loss_tmo");
	return add_hold(io, fail < loss ? fail : loss);
}

u32 ybd_nvme_hold(const struct ybd_nvme_ns *ns)
{
	u32 hold = 0;
	size_t i;

	for (i = 0; i < ns->nr_ctrls; i++)
		if (ns->ctrls[i].hold > hold)
			hold = ns->ctrls[i].hold;
	return add_hold(hold, ns->removal_delay);
}

static int add_ctrl(struct ybd_nvme_ns *ns, const char *root, const char *dir,
		    const char *name)
{
	struct ybd_nvme_ctrl *v, *c;

	v = reallocarray(ns->ctrls, ns->nr_ctrls + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	ns->ctrls = v;
	c = &v[ns->nr_ctrls++];
	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", name);
	ybd_sysfs_read(c->transport, sizeof(c->transport), "%s/transport", dir);
	ybd_sysfs_read(c->address, sizeof(c->address), "%s/address", dir);
	ybd_sysfs_read(c->state, sizeof(c->state), "%s/state", dir);
	c->hold = read_hold(root, dir, c);
	return 0;
}

/*
 * The head nvme1n2 has the subsystem as its device, in which are the
 * controllers; those that reach the namespace have a hidden disk nvme1c3n2.
 */
static int add_paths(struct ybd_nvme_ns *ns, const char *root,
		     const char *subsys)
{
	DIR *d __cleanup(cleanup_dir) = opendir(subsys);
	unsigned int inst, head, ctrl;
	char dir[512], path[640];
	struct dirent *e;
	int rc, end;

	if (!d || sscanf(ns->disk, "nvme%un%u", &inst, &head) != 2)
		return 0;
	while ((e = readdir(d))) {
		end = 0;
		if (sscanf(e->d_name, "nvme%u%n", &ctrl, &end) != 1 ||
		    e->d_name[end])
			continue;
		if (snprintf(dir, sizeof(dir), "%s/%s", subsys, e->d_name) >=
		    (int)sizeof(dir))
			continue;
		snprintf(path, sizeof(path), "%s/nvme%uc%un%u", dir, inst, ctrl,
			 head);
		if (access(path, F_OK))
			continue;
		rc = add_ctrl(ns, root, dir, e->d_name);
		if (rc)
			return rc;
	}
	return 0;
}

static int compare_ctrls(const void *a, const void *b)
{
	const struct ybd_nvme_ctrl *x = a, *y = b;

	return strverscmp(x->name, y->name);
}

/* What the subsystem or the one controller says; @dev is the disk's device. */
static int read_device(const char *root, const char *dev,
		       struct ybd_nvme_ns *ns)
{
	char name[32], path[600];
	const char *base;
	int rc;

	ybd_sysfs_read(ns->nqn, sizeof(ns->nqn), "%s/subsysnqn", dev);
	ybd_sysfs_read(ns->model, sizeof(ns->model), "%s/model", dev);
	ybd_sysfs_read(ns->serial, sizeof(ns->serial), "%s/serial", dev);
	snprintf(path, sizeof(path), "%s/transport", dev);
	if (access(path, F_OK)) {
		ns->multipath = true;
		rc = add_paths(ns, root, dev);
	} else {
		char *real __cleanup_free = realpath(dev, NULL);

		base = real ? strrchr(real, '/') + 1 : "?";
		snprintf(name, sizeof(name), "%s", base);
		rc = add_ctrl(ns, root, dev, name);
	}
	if (ns->nr_ctrls)
		qsort(ns->ctrls, ns->nr_ctrls, sizeof(*ns->ctrls),
		      compare_ctrls);
	return rc;
}

/* ---- namespaces ---- */

int ybd_nvme_get(const char *sysfs, const char *disk, struct ybd_nvme_ns *out)
{
	char dir[400], dev[440];
	unsigned int a, b;
	int end = 0, rc;

	memset(out, 0, sizeof(*out));
	if (sscanf(disk, "nvme%un%u%n", &a, &b, &end) != 2 || disk[end] ||
	    strlen(disk) >= sizeof(out->disk))
		return -ENODEV;
	if (snprintf(dir, sizeof(dir), "%s/block/%s", root_of(sysfs), disk) >=
	    (int)sizeof(dir) || access(dir, F_OK))
		return -ENODEV;
	snprintf(out->disk, sizeof(out->disk), "%s", disk);
	read_ids(dir, out);
	out->nsid = ybd_sysfs_u64("%s/nsid", dir);
	out->size = ybd_sysfs_u64("%s/size", dir) * 512;
	out->lba_size = ybd_sysfs_u64("%s/queue/logical_block_size", dir);
	out->read_only = ybd_sysfs_u64("%s/ro", dir);
	snprintf(dev, sizeof(dev), "%s/device", dir);
	out->removal_delay = ybd_sysfs_u64("%s/delayed_removal_secs", dir);
	rc = read_device(root_of(sysfs), dev, out);
	if (rc)
		free(out->ctrls);
	return rc;
}

static int compare_ns(const void *a, const void *b)
{
	const struct ybd_nvme_ns *x = a, *y = b;

	return strverscmp(x->disk, y->disk);
}

static int add_ns(const char *sysfs, const char *disk,
		  struct ybd_nvme_list *out)
{
	struct ybd_nvme_ns *v;
	int rc;

	/* the disks of paths; the head stands for them */
	if (ybd_sysfs_u64("%s/block/%s/hidden", root_of(sysfs), disk))
		return 0;
	v = reallocarray(out->v, out->n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	out->v = v;
	rc = ybd_nvme_get(sysfs, disk, &v[out->n]);
	if (!rc)
		out->n++;
	return rc == -ENODEV ? 0 : rc;
}

int ybd_nvme_list(const char *sysfs, struct ybd_nvme_list *out)
{
	DIR *d __cleanup(cleanup_dir) = NULL;
	struct dirent *e;
	char dir[400];
	int rc;

	*out = (struct ybd_nvme_list){ 0 };
	snprintf(dir, sizeof(dir), "%s/block", root_of(sysfs));
	d = opendir(dir);
	while (d && (e = readdir(d))) {
		rc = add_ns(sysfs, e->d_name, out);
		if (rc) {
			ybd_nvme_list_free(out);
			return rc;
		}
	}
	if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), compare_ns);
	return 0;
}

void ybd_nvme_list_free(struct ybd_nvme_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		free(list->v[i].ctrls);
	free(list->v);
	*list = (struct ybd_nvme_list){ 0 };
}
