// SPDX-License-Identifier: GPL-2.0-only
/* Operations on lvols that change one blob: create, clone, rename, resize, inflate, xattrs. */
#include <errno.h>
#include <stdio.h>

#include "../names.h"
#include "writer.h"

/* name, value and their heads fit into a page's descriptors */
#define XATTR_MAX (LVS_DISK_DESC_LEN - sizeof(struct lvs_disk_desc) - sizeof(struct lvs_disk_xattr))

static int no_memory(struct lvs_error *err)
{
	return lvs_err(err, -ENOMEM, "%s", strerror(ENOMEM));
}

/* ---- what may be asked for ---- */

static int check_new_name(struct lvs_writer *w, const char *name, struct lvs_error *err)
{
	if (!name || !*name || strlen(name) >= LVS_NAME_MAX)
		return lvs_err(err, -EINVAL, "an lvol's name has 1 to %u bytes", LVS_NAME_MAX - 1);
	for (size_t i = 0; i < w->nr_vols; i++)
		if (!strcmp(w->vols[i]->name, name))
			return lvs_err(err, -EEXIST, "there is an lvol \"%s\" already", name);
	return 0;
}

static int check_writable(const struct lvw_vol *v, struct lvs_error *err)
{
	int rc = commit_alive(v->w, err);

	if (!rc && vol_is_ro(v))
		rc = lvs_err(err, -EROFS, "\"%s\" is read-only", v->name);
	return rc;
}

int check_append(const struct lvw_vol *v, struct lvs_error *err)
{
	if (!(v->w->flags & LVW_APPEND) || !vol_is_ro(v))
		return 0;
	return lvs_err(err, -EPERM,
		       "the store's device is in use as a source: read-only lvols such as \"%s\" stay as they are",
		       v->name);
}

static int size_clusters(const struct lvs_writer *w, u64 size, u64 *clusters,
			 struct lvs_error *err)
{
	*clusters = size / w->cluster_size + !!(size % w->cluster_size);
	if (*clusters && *clusters < UINT32_MAX && *clusters <= INT64_MAX / w->cluster_size)
		return 0;
	return lvs_err(err, -EINVAL, "an lvol cannot have %llu bytes", (unsigned long long)size);
}

int want_room(struct lvs_writer *w, u64 pages, u64 clusters, struct lvs_error *err)
{
	for (int attempt = 0; attempt < 2; attempt++) {
		int rc;

		if (w->need + pages <= w->pages.free && clusters <= w->clusters.free)
			return 0;
		rc = attempt ? 0 : commit(w, err);
		if (rc)
			return rc;
	}
	return lvs_err(err, -ENOSPC,
		       "%llu clusters and %llu metadata pages are needed, %llu and %llu are free",
		       (unsigned long long)clusters, (unsigned long long)pages,
		       (unsigned long long)w->clusters.free, (unsigned long long)w->pages.free);
}

int alloc_zero(struct lvw_vol *v, u64 i, struct lvs_error *err)
{
	u32 cluster;
	int rc = map_prepare(v, i);

	if (rc)
		return lvs_err(err, rc, "%s", strerror(-rc));
	cluster = space_alloc(&v->w->clusters);
	if (!cluster)
		return lvs_err(err, -ENOSPC, "no free cluster");
	rc = cluster_write(v->w, cluster, NULL, err);
	if (!rc)
		map_set(v, i, cluster);
	return rc;
}

/* ---- new lvols ---- */

static int choose_uuid(struct lvs_writer *w, const char *given, char *out, struct lvs_error *err)
{
	u8 uuid[16];
	int rc = given ? ybd_uuid_parse(given, uuid) : ybd_uuid_random(uuid);

	if (rc == -EINVAL)
		return lvs_err(err, rc, "\"%s\" is no uuid", given);
	if (rc)
		return lvs_err(err, rc, "no random numbers: %s", strerror(-rc));
	ybd_uuid_text(uuid, out);
	for (size_t i = 0; i < w->nr_vols; i++)
		if (!strcmp(w->vols[i]->uuid, out))
			return lvs_err(err, -EEXIST, "uuid %s is that of lvol \"%s\"", out,
				       w->vols[i]->name);
	return 0;
}

static int check_xattr(const char *name, size_t len, struct lvs_error *err)
{
	if (!*name)
		return lvs_err(err, -EINVAL, "an xattr without a name");
	if (!strcmp(name, "name") || !strcmp(name, "uuid"))
		return lvs_err(err, -EPERM, "xattr \"%s\" is the lvol's own", name);
	if (strlen(name) > XATTR_MAX || len > XATTR_MAX - strlen(name))
		return lvs_err(err, -E2BIG, "xattr of %zu and %zu bytes: %zu fit into a page",
			       strlen(name), len, XATTR_MAX);
	return 0;
}

/* As SPDK: the name in its whole field when the lvol is new. */
static int put_names(struct lvw_vol *v, const struct lvw_vol_opts *o)
{
	snprintf(v->name, sizeof(v->name), "%s", o->name);
	memset(v->name + strlen(v->name), 0, sizeof(v->name) - strlen(v->name));
	if (vol_xattr_put(v, "name", v->name, sizeof(v->name), false) ||
	    vol_xattr_put(v, "uuid", v->uuid, LVS_UUID_LEN, false))
		return -ENOMEM;
	for (size_t i = 0; i < o->nr_xattrs; i++)
		if (vol_xattr_put(v, o->xattrs[i].name, o->xattrs[i].value, o->xattrs[i].len,
				  false))
			return -ENOMEM;
	return 0;
}

int vol_from_opts(struct lvs_writer *w, const struct lvw_vol_opts *o, struct lvw_vol **out,
		  struct lvs_error *err)
{
	char uuid[YBD_UUID_TEXT_LEN];
	int rc = commit_alive(w, err);

	if (!rc)
		rc = check_new_name(w, o->name, err);
	if (!rc)
		rc = choose_uuid(w, o->uuid, uuid, err);
	for (size_t i = 0; i < o->nr_xattrs && !rc; i++)
		rc = check_xattr(o->xattrs[i].name, o->xattrs[i].len, err);
	if (!rc)
		rc = commit_begin(w, err);
	if (!rc)
		rc = want_room(w, 1, 0, err);
	if (rc)
		return rc;
	rc = vol_new(w, out);
	if (rc)
		return lvs_err(err, rc, "%s", strerror(-rc));
	memcpy((*out)->uuid, uuid, sizeof(uuid));
	if (!put_names(*out, o))
		return 0;
	vol_discard(*out);
	return no_memory(err);
}

/* Into the list and onto the device. */
static int vol_publish(struct lvw_vol *v, struct lvs_error *err)
{
	if (vol_insert(v))
		return no_memory(err);
	if (vol_dirty_chain(v))
		return commit_die(v->w, -ENOMEM, err, "a new lvol");
	return commit(v->w, err);
}

static int create_map(struct lvw_vol *v, u64 clusters, bool thin, struct lvs_error *err)
{
	int rc;

	if (map_init(v, clusters))
		return no_memory(err);
	if (thin)
		vol_flag_set(v, LVS_INVALID_THIN);
	rc = want_room(v->w, vol_chain_len(v) + 1 + (thin ? 0 : v->nr_slots * 2),
		       thin ? 0 : clusters, err);
	for (u64 i = 0; i < clusters && !thin && !rc; i++)
		rc = alloc_zero(v, i, err);
	return rc;
}

int lvw_vol_create(struct lvs_writer *w, const struct lvw_vol_opts *o, uint64_t size, bool thin,
		   struct lvw_vol **out, struct lvs_error *err)
{
	struct lvw_vol *v;
	u64 clusters;
	int rc = size_clusters(w, size, &clusters, err);

	if (!rc)
		rc = vol_from_opts(w, o, &v, err);
	if (rc)
		return rc;
	rc = create_map(v, clusters, thin, err);
	if (rc) {
		vol_discard(v);
		return rc;
	}
	if (out)
		*out = v;
	return vol_publish(v, err);
}

int lvw_vol_clone(struct lvw_vol *snap, const struct lvw_vol_opts *o, struct lvw_vol **out,
		  struct lvs_error *err)
{
	struct lvs_writer *w = snap->w;
	struct lvw_vol *v;
	int rc;

	if (!vol_is_ro(snap))
		return lvs_err(err, -EINVAL, "\"%s\" is writable: only a snapshot has clones",
			       snap->name);
	rc = vol_from_opts(w, o, &v, err);
	if (rc)
		return rc;
	v->parent = snap;
	vol_flag_set(v, LVS_INVALID_THIN);
	if (map_init(v, snap->clusters) ||
	    vol_xattr_put_id(v, LVS_XATTR_SNAP, LVS_BLOB_ID(snap->root)))
		rc = no_memory(err);
	else
		rc = want_room(w, vol_chain_len(v), 0, err);
	if (rc) {
		vol_discard(v);
		return rc;
	}
	if (out)
		*out = v;
	return vol_publish(v, err);
}

/* ---- changes of one ---- */

static int rename_it(struct lvw_vol *v, const char *name, struct lvs_error *err)
{
	int rc = check_new_name(v->w, name, err);

	if (!rc)
		rc = commit_begin(v->w, err);
	if (!rc)
		rc = want_room(v->w, vol_chain_len(v) + 1, 0, err);
	if (rc)
		return rc;
	if (vol_dirty_chain(v) || vol_xattr_put(v, "name", name, strlen(name) + 1, false))
		return no_memory(err);
	snprintf(v->name, sizeof(v->name), "%s", name);
	return 0;
}

int lvw_vol_rename(struct lvw_vol *v, const char *name, struct lvs_error *err)
{
	int rc = commit_alive(v->w, err);

	if (!rc)
		rc = check_append(v, err);
	if (!rc && !strcmp(v->name, name))
		return 0;
	if (!rc)
		rc = rename_it(v, name, err);
	return rc ? rc : commit(v->w, err);
}

int lvw_vol_publish(struct lvw_vol *v, const char *name, struct lvs_error *err)
{
	int rc = check_writable(v, err);

	if (!rc)
		rc = rename_it(v, name, err);
	if (rc)
		return rc;
	vol_set_ro(v);
	return commit(v->w, err);
}

int lvw_vol_set_read_only(struct lvw_vol *v, struct lvs_error *err)
{
	int rc = commit_alive(v->w, err);

	if (rc || vol_is_ro(v))
		return rc;
	rc = commit_begin(v->w, err);
	if (!rc)
		rc = want_room(v->w, vol_chain_len(v), 0, err);
	if (rc)
		return rc;
	vol_set_ro(v);
	if (vol_dirty(v))
		return no_memory(err);
	return commit(v->w, err);
}

/* Does the parent show through at @i where a longer @v has nothing? */
static bool shows_parent(const struct lvw_vol *v, u64 i)
{
	return !map_get(v, i) && map_below(v, i);
}

/* Where, at most, something has to be allocated when @v grows to @clusters. */
static u64 growth_end(const struct lvw_vol *v, u64 clusters)
{
	if (!vol_flag(v, LVS_INVALID_THIN) || vol_flag(v, LVS_INVALID_ESNAP))
		return clusters;
	if (!v->parent)
		return 0;
	return clusters < v->parent->clusters ? clusters : v->parent->clusters;
}

/* Clusters to allocate: all of a thick one, else where the parent would show. */
static u64 count_growth(const struct lvw_vol *v, u64 clusters)
{
	u64 n = 0;

	if (!vol_flag(v, LVS_INVALID_THIN))
		return clusters - v->clusters;
	for (u64 i = v->clusters; i < growth_end(v, clusters); i++)
		n += !!map_below(v, i);
	return n;
}

static int grow_vol(struct lvw_vol *v, u64 clusters, struct lvs_error *err)
{
	bool thin = vol_flag(v, LVS_INVALID_THIN);
	u64 from = v->clusters, n = count_growth(v, clusters), slots = map_slots(clusters);
	int rc;

	/* the longer table too */
	rc = want_room(v->w, vol_chain_len(v) + 2 + (n ? slots * 2 : 1) + slots / 250, n, err);
	if (!rc && map_resize(v, clusters))
		return commit_die(v->w, -ENOMEM, err, "resizing");
	for (u64 i = from; i < growth_end(v, clusters) && n && !rc; i++)
		if (!thin || shows_parent(v, i))
			rc = alloc_zero(v, i, err);
	return rc;
}

int lvw_vol_resize(struct lvw_vol *v, uint64_t size, struct lvs_error *err)
{
	u64 clusters;
	int rc = size_clusters(v->w, size, &clusters, err);

	if (!rc)
		rc = check_writable(v, err);
	if (rc || clusters == v->clusters)
		return rc;
	rc = commit_begin(v->w, err);
	if (!rc && clusters > v->clusters) {
		rc = grow_vol(v, clusters, err);
	} else if (!rc) {
		rc = want_room(v->w, vol_chain_len(v) + 2, 0, err);
		if (!rc && map_resize(v, clusters))
			return commit_die(v->w, -ENOMEM, err, "resizing");
	}
	return rc ? rc : commit(v->w, err);
}

static int inflate_cluster(struct lvw_vol *v, u64 i, struct lvs_error *err)
{
	struct lvs_writer *w = v->w;
	u32 cluster;
	int rc;

	if (!map_below(v, i))
		return alloc_zero(v, i, err);
	rc = cluster_read_below(v, i, w->copy, err);
	if (!rc && map_prepare(v, i))
		rc = no_memory(err);
	if (rc)
		return rc;
	cluster = space_alloc(&w->clusters);
	if (!cluster)
		return lvs_err(err, -ENOSPC, "no free cluster");
	rc = cluster_write(w, cluster, w->copy, err);
	if (!rc)
		map_set(v, i, cluster);
	return rc;
}

static int inflate_all(struct lvw_vol *v, struct lvs_error *err)
{
	int rc = want_room(v->w, vol_chain_len(v) + 2 + v->nr_slots * 2 + v->nr_slots / 250,
			   v->clusters - v->allocated, err);

	for (u64 i = 0; i < v->clusters && !rc; i++)
		if (!map_get(v, i))
			rc = inflate_cluster(v, i, err);
	return rc;
}

int lvw_vol_inflate(struct lvw_vol *v, struct lvs_error *err)
{
	int rc = check_writable(v, err);

	if (rc || !vol_flag(v, LVS_INVALID_THIN))
		return rc;
	rc = wesnap_need(v, err);
	if (!rc)
		rc = commit_begin(v->w, err);
	if (!rc)
		rc = inflate_all(v, err);
	if (rc)
		return rc;
	if (vol_dirty_chain(v))
		return no_memory(err);
	vol_xattr_drop(v, LVS_XATTR_SNAP, true);
	vol_xattr_drop(v, LVS_XATTR_ESNAP, true);
	vol_flag_clear(v, LVS_INVALID_THIN | LVS_INVALID_ESNAP);
	if (v->parent)
		v->parent->nr_clones--;
	v->parent = NULL;
	return commit(v->w, err);
}

/* ---- user xattrs ---- */

const struct lvs_xattr *lvw_vol_xattr_at(const struct lvw_vol *v, size_t i)
{
	for (size_t k = 0; k < v->nr_xattrs; k++)
		if (!v->xattrs[k].internal && !i--)
			return &v->xattrs[k].pub;
	return NULL;
}

const struct lvs_xattr *lvw_vol_xattr(const struct lvw_vol *v, const char *name)
{
	const struct blob_xattr *x = vol_xattr(v, name, false);

	return x ? &x->pub : NULL;
}

int lvw_vol_xattr_set(struct lvw_vol *v, const char *name, const void *value, size_t len,
		      struct lvs_error *err)
{
	int rc = commit_alive(v->w, err);

	if (!rc)
		rc = check_xattr(name, len, err);
	if (!rc && !value && !vol_xattr(v, name, false))
		rc = lvs_err(err, -ENODATA, "\"%s\" has no xattr \"%s\"", v->name, name);
	if (!rc)
		rc = commit_begin(v->w, err);
	/* one more may push each of the others into a page of its own, at worst two pages */
	if (!rc)
		rc = want_room(v->w, vol_chain_len(v) + 2, 0, err);
	if (rc)
		return rc;
	if (vol_dirty_chain(v))
		return no_memory(err);
	if (!value)
		vol_xattr_drop(v, name, false);
	else if (vol_xattr_put(v, name, value, len, false))
		return no_memory(err);
	return 0;
}
