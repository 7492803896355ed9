// SPDX-License-Identifier: GPL-2.0-only
/* What is under an lvol, but not in the store: external snapshots (section 5). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../util.h"
#include "writer.h"

void lvw_set_esnap(struct lvs_writer *w, lvw_esnap_fn *find, void *arg)
{
	w->esnap_find = find;
	w->esnap_arg = arg;
}

void wesnap_free(struct lvs_writer *w)
{
	free(w->esnap_id);
	w->esnap_id = NULL;
}

/*
 * Its id, to be freed, and how many bytes of it @v can show. A store with an lvol that has the flag
 * and no id was not opened.
 */
static char *id_under(const struct lvw_vol *v, u64 *len)
{
	const struct blob_xattr *x;
	u64 clusters = v->clusters;

	while (!vol_flag(v, LVS_INVALID_ESNAP)) {
		v = v->parent;
		clusters = v->clusters < clusters ? v->clusters : clusters;
	}
	*len = clusters * v->w->cluster_size;
	x = vol_xattr(v, LVS_XATTR_ESNAP, true);
	return strndup(x->pub.value, x->pub.len);
}

static int find(struct lvs_writer *w, const char *id, u64 len, struct lvs_error *err)
{
	int fd;

	if (w->esnap_id && !strcmp(w->esnap_id, id) && len <= w->esnap_len)
		return 0;
	if (!w->esnap_find)
		return lvs_err(err, -ENODEV, "the data are in the external snapshot %s", id);
	fd = w->esnap_find(w->esnap_arg, id, len, err);
	if (fd < 0)
		return fd;
	wesnap_free(w);
	w->esnap_id = strdup(id);
	w->esnap_len = len;
	w->esnap_fd = fd;
	return w->esnap_id ? 0 : lvs_err(err, -ENOMEM, "%s", strerror(ENOMEM));
}

static int find_under(struct lvw_vol *v, struct lvs_error *err)
{
	__cleanup_free char *id = NULL;
	u64 len;

	id = id_under(v, &len);
	return id ? find(v->w, id, len, err) : lvs_err(err, -ENOMEM, "%s", strerror(ENOMEM));
}

int wesnap_need(struct lvw_vol *v, struct lvs_error *err)
{
	for (u64 i = 0; i < v->clusters; i++)
		if (map_resolve(v, i) == MAP_ESNAP)
			return find_under(v, err);
	return 0;
}

int wesnap_read(struct lvw_vol *v, u64 off, u8 *buf, size_t len, struct lvs_error *err)
{
	int rc = find_under(v, err);

	if (rc)
		return rc;
	rc = esnap_read(v->w->esnap_fd, off, buf, len);
	return rc ? lvs_err(err, rc, "external snapshot %s: reading at %llu: %s", v->w->esnap_id,
			    (unsigned long long)off, strerror(-rc)) : 0;
}
