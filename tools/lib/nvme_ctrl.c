// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "nvme.h"
#include "sysfs.h"
#include "util.h"

static int is_ctrl(const struct dirent *d)
{
	unsigned int n;
	int end = 0;

	return sscanf(d->d_name, "nvme%u%n", &n, &end) == 1 && !d->d_name[end];
}

static void read_one(const char *sysfs, const char *name, struct ybd_nvme_conn *c)
{
	char dir[400];

	snprintf(dir, sizeof(dir), "%s/class/nvme/%.15s", sysfs, name);
	snprintf(c->name, sizeof(c->name), "%.15s", name);
	ybd_sysfs_read(c->transport, sizeof(c->transport), "%s/transport", dir);
	ybd_sysfs_read(c->address, sizeof(c->address), "%s/address", dir);
	ybd_sysfs_read(c->nqn, sizeof(c->nqn), "%s/subsysnqn", dir);
	ybd_sysfs_read(c->hostnqn, sizeof(c->hostnqn), "%s/hostnqn", dir);
	ybd_sysfs_read(c->state, sizeof(c->state), "%s/state", dir);
}

int ybd_nvme_ctrls(const char *sysfs, struct ybd_nvme_ctrls *out)
{
	struct dirent **d;
	char dir[400];
	int n, i;

	*out = (struct ybd_nvme_ctrls){ 0 };
	if (!sysfs)
		sysfs = "/sys";
	snprintf(dir, sizeof(dir), "%s/class/nvme", sysfs);
	n = scandir(dir, &d, is_ctrl, versionsort);
	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	out->v = calloc(n + 1, sizeof(*out->v));
	for (i = 0; i < n; i++) {
		if (out->v)
			read_one(sysfs, d[i]->d_name, &out->v[out->n++]);
		free(d[i]);
	}
	free(d);
	return out->v ? 0 : -ENOMEM;
}

void ybd_nvme_ctrls_free(struct ybd_nvme_ctrls *list)
{
	free(list->v);
	*list = (struct ybd_nvme_ctrls){ 0 };
}

/* Is it "key=want" in "a=b,key=want,c=d"? An empty @want fits all. */
static bool has(const char *address, const char *key, const char *want)
{
	size_t n = strlen(key), len = strlen(want);
	const char *p;

	if (!*want)
		return true;
	for (p = address; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (!strncmp(p, key, n) && p[n] == '=' && !strncmp(p + n + 1, want, len) &&
		    (!p[n + 1 + len] || p[n + 1 + len] == ','))
			return true;
	}
	return false;
}

const char *ybd_nvme_ctrls_find(const struct ybd_nvme_ctrls *list, const char *transport,
				const char *nqn, const char *traddr, const char *trsvcid,
				const char *hostnqn)
{
	const struct ybd_nvme_conn *c;

	for (c = list->v; c && c < list->v + list->n; c++)
		if (!strcmp(c->transport, transport) && !strcmp(c->nqn, nqn) &&
		    strncmp(c->state, "deleting", 8) &&
		    (!hostnqn || !c->hostnqn[0] || !strcmp(c->hostnqn, hostnqn)) &&
		    has(c->address, "traddr", traddr) && has(c->address, "trsvcid", trsvcid))
			return c->name;
	return NULL;
}
