// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cmd.h"
#include "devices.h"
#include "loopdev.h"
#include "names.h"
#include "pools.h"
#include "stack.h"
#include "util.h"

/* ---- pools ---- */

static int probe(const char *path, struct pool_info *info, struct ybd_error *err)
{
	struct pool_io *io;
	int rc = pool_io_open(path, POOL_IO_LOOK, 0, &io, err);

	if (!rc) {
		rc = pool_probe(io, info, err);
		pool_io_close(io);
	}
	if (rc)
		ybd_error_prefix(err, "%s", path);
	return rc;
}

static int add_ref(struct pool_refs *refs, const char *path,
		   const struct pool_info *info, struct ybd_error *err)
{
	struct pool_ref *v = reallocarray(refs->v, refs->n + 1, sizeof(*v));

	if (!v)
		return ybd_error_sys(err, -ENOMEM, "%s", path);
	refs->v = v;
	v += refs->n;
	v->path = strdup(path);
	if (!v->path)
		return ybd_error_sys(err, -ENOMEM, "%s", path);
	v->info = *info;
	refs->n++;
	return 0;
}

/**
 * struct search - a look at all block devices
 * @spec: name or uuid, or NULL for all
 * @refs: what was found
 * @rc: error that ended it
 * @err: described
 */
struct search {
	const char *spec;
	struct pool_refs *refs;
	int rc;
	struct ybd_error *err;
};

static bool pool_is(const struct pool_info *i, const char *spec)
{
	char uuid[YBD_UUID_TEXT_LEN];

	return !strcmp(i->name, spec) ||
	       !strcasecmp(ybd_uuid_text(i->uuid, uuid), spec);
}

static int is_holder(const struct dirent *d)
{
	return d->d_name[0] != '.' && strncmp(d->d_name, "ybd", 3);
}

/*
 * What others have built on can be no pool for the kernel; the pool is to be
 * seen on what they have built, such as the map of a multipath device.
 */
static bool is_held(const char *path)
{
	struct dirent **d;
	char dir[300];
	int n, i;

	snprintf(dir, sizeof(dir), "/sys/class/block/%s/holders",
		 strrchr(path, '/') + 1);
	n = scandir(dir, &d, is_holder, NULL);
	for (i = 0; i < n; i++)
		free(d[i]);
	if (n >= 0)
		free(d);
	return n > 0;
}

static int look(const char *path, void *arg)
{
	struct search *s = arg;
	struct pool_info info;
	struct ybd_error err;
	int rc;

	if (s->rc)
		return 0;
	rc = probe(path, &info, &err);
	if (rc && !s->spec &&
	    (rc == -EUCLEAN || rc == -EOPNOTSUPP || rc == -EIO))
		cmd_warn("%s", err.text);
	if (!rc && (!s->spec || pool_is(&info, s->spec)) && !is_held(path))
		s->rc = add_ref(s->refs, path, &info, s->err);
	return rc;
}

/* By its path: also a file in this directory, but after what is called so. */
static int find_path(const char *path, struct pool_refs *out,
		     struct ybd_error *err)
{
	struct pool_info info;
	int rc = probe(path, &info, err);

	return rc ? rc : add_ref(out, path, &info, err);
}

int pools_find(const char *spec, struct pool_refs *out, struct ybd_error *err)
{
	struct search s = { .spec = spec, .refs = out, .err = err };
	int rc;

	*out = (struct pool_refs){ 0 };
	if (spec && strchr(spec, '/'))
		return find_path(spec, out, err);
	if (devices_each(look, &s))
		return ybd_error_set(err, -EIO, "looking for pools");
	rc = s.rc;
	if (!rc && spec && !out->n) {
		if (!access(spec, F_OK))
			rc = find_path(spec, out, err);
		else
			rc = ybd_error_set(err, -ENOENT,
					   "no block device has a pool \"%s\" (see: ybdctl pool list)",
					   spec);
	}
	if (!rc && spec && out->n > 1)
		rc = ybd_error_set(err, -ENOTUNIQ,
				   "pool \"%s\" is on %s and on %s: name the device",
				   spec, out->v[0].path, out->v[1].path);
	if (rc)
		pools_free(out);
	return rc;
}

void pools_free(struct pool_refs *refs)
{
	size_t i;

	for (i = 0; i < refs->n; i++)
		free(refs->v[i].path);
	free(refs->v);
	*refs = (struct pool_refs){ 0 };
}

int pool_ref_open(const struct pool_ref *ref, struct ybd_error *err)
{
	int fd = open(ref->path, O_RDWR | O_CLOEXEC | O_NONBLOCK), rc, loop;
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		rc = ybd_error_sys(err, -errno, "%s", ref->path);
		goto err_close;
	}
	rc = ybd_stack_check(fd, ref->path, err);
	if (rc)
		goto err_close;
	if (!S_ISREG(st.st_mode))
		return fd;
	loop = ybd_loop_open(fd, ref->path, true, err);
	close(fd);
	return loop;
err_close:
	if (fd >= 0)
		close(fd);
	return rc;
}

/* ---- uppers ---- */

bool upper_is(const struct upper_ref *u, const char *name)
{
	char uuid[YBD_UUID_TEXT_LEN];

	return !strcmp(u->name, name) ||
	       !strcasecmp(ybd_uuid_text(u->uuid, uuid), name);
}

static bool is_wanted(const struct upper_ref *u, char *const *names, size_t n)
{
	size_t i;

	if (!names)
		return u->flags & YBD_FMT_UPPER_AUTOSTART;
	for (i = 0; i < n; i++)
		if (upper_is(u, names[i]))
			return true;
	return false;
}

static int read_upper(struct pool *p, u32 n, struct upper_ref *u)
{
	struct ybd_error err;
	int rc = pool_layers_read(p, n, &u->list, &err);

	u->list_bytes = p->upper[n].layers_bytes;
	if (rc != -EUCLEAN)
		return rc;
	u->list = NULL;
	u->damage = strdup(err.text);
	return u->damage ? 0 : -ENOMEM;
}

static int add_upper(struct upper_refs *refs, const struct upper_ref *u)
{
	struct upper_ref *v = reallocarray(refs->v, refs->n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	refs->v = v;
	v[refs->n++] = *u;
	return 0;
}

static int search_pool(struct pool *p, const struct pool_ref *ref,
		       char *const *names, size_t n, struct upper_refs *out)
{
	int rc = 0;

	for (u32 i = 0; !rc && i < p->info.layout.nr_uppers; i++) {
		struct upper_ref u = { .pool = ref };

		if (p->upper[i].place != POOL_PLACE_LIVE)
			continue;
		memcpy(u.uuid, p->upper[i].uuid, sizeof(u.uuid));
		memcpy(u.name, p->upper[i].name, sizeof(u.name));
		u.flags = p->upper[i].flags;
		memcpy(u.image_identity, p->upper[i].image_identity,
		       sizeof(u.image_identity));
		if (!is_wanted(&u, names, n))
			continue;
		rc = read_upper(p, i, &u);
		if (!rc)
			rc = add_upper(out, &u);
		if (rc) {
			free(u.list);
			free(u.damage);
		}
	}
	return rc;
}

static int search_ref(const struct pool_ref *ref, char *const *names, size_t n,
		      struct upper_refs *out, struct ybd_error *err)
{
	struct pool_io *io;
	struct pool *p;
	int rc = pool_io_open(ref->path, POOL_IO_LOOK, 0, &io, err);

	if (!rc) {
		rc = pool_open(io, POOL_READ_LIVE, &p, err);
		if (!rc) {
			rc = search_pool(p, ref, names, n, out);
			if (rc)
				ybd_error_sys(err, rc, "reading the pool");
			pool_close(p);
		}
		pool_io_close(io);
	}
	if (rc)
		ybd_error_prefix(err, "%s", ref->path);
	return rc;
}

int uppers_find(const struct pool_refs *pools, char *const *names, size_t n,
		struct upper_refs *out, struct ybd_error *err)
{
	int rc = 0;
	size_t i;

	*out = (struct upper_refs){ 0 };
	for (i = 0; i < pools->n && rc != -ENOMEM; i++) {
		rc = search_ref(&pools->v[i], names, n, out, err);
		if (rc && rc != -ENOMEM)
			cmd_warn("%s", err->text);
	}
	if (rc == -ENOMEM)
		uppers_free(out);
	return rc == -ENOMEM ? rc : 0;
}

void uppers_free(struct upper_refs *refs)
{
	size_t i;

	for (i = 0; i < refs->n; i++) {
		free(refs->v[i].list);
		free(refs->v[i].damage);
	}
	free(refs->v);
	*refs = (struct upper_refs){ 0 };
}

int upper_pick(const struct upper_refs *refs, const char *name,
	       const struct upper_ref **out, struct ybd_error *err)
{
	char a[YBD_UUID_TEXT_LEN], b[YBD_UUID_TEXT_LEN];
	const struct upper_ref *u, *hit = NULL;
	size_t i;

	for (i = 0; i < refs->n; i++) {
		u = &refs->v[i];
		if (!upper_is(u, name))
			continue;
		if (hit)
			return ybd_error_set(err, -ENOTUNIQ,
					     "%s is in %s as %s, in %s as %s: say which with --pool or by its uuid",
					     name, hit->pool->path,
					     ybd_uuid_text(hit->uuid, a),
					     u->pool->path,
					     ybd_uuid_text(u->uuid, b));
		hit = u;
	}
	*out = hit;
	return hit ? 0 : ybd_error_set(err, -ENOENT, "%s: no pool has it (see: ybdctl pool list, pool show)",
				       name);
}

/* ---- what the module has ---- */

void pools_in_use(struct ybd_pool_list *out)
{
	struct ybd_error err;
	struct ybd_nl *nl;

	*out = (struct ybd_pool_list){ 0 };
	if (access("/sys/module/ybd", F_OK) || ybd_nl_open(&nl, &err))
		return;
	ybd_nl_pool_list(nl, out, &err);
	ybd_nl_close(nl);
}

/* A copy of a pool has its uuid too; of a file only that can be compared. */
const struct ybd_pool_info *pool_in_use(const struct ybd_pool_list *list,
					const char *path, const u8 uuid[16])
{
	struct stat st;
	size_t i;

	if (stat(path, &st))
		return NULL;
	for (i = 0; i < list->n; i++) {
		const struct ybd_pool_info *p = &list->v[i];

		if (memcmp(p->uuid, uuid, sizeof(p->uuid)))
			continue;
		if (!S_ISBLK(st.st_mode) ||
		    st.st_rdev == makedev(p->major, p->minor))
			return p;
	}
	return NULL;
}
