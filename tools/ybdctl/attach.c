// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "attach.h"
#include "layerlist.h"
#include "util.h"

/**
 * struct known - an image that was put together
 * @next: another one
 * @list: its list of layers, of the upper that it was made for
 * @bytes: length of @list
 * @plan: made of it
 */
struct known {
	struct known *next;
	const u8 *list;
	u32 bytes;
	struct ybd_plan plan;
};

static int make_plan(struct attach *a, const struct upper_ref *u,
		     struct ybd_plan *plan, struct ybd_error *err)
{
	struct ybd_layer *v;
	size_t n;
	int rc = ybd_layers_decode(u->list, u->list_bytes, &v, &n, err);

	if (rc)
		return rc;
	rc = ybd_layers_plan(&a->finder, v, n, plan, err);
	ybd_layers_free(v, n);
	return rc;
}

static int find_plan(struct attach *a, const struct upper_ref *u,
		     struct ybd_plan **out, struct ybd_error *err)
{
	struct known *k;
	int rc;

	for (k = a->known; k; k = k->next) {
		if (k->bytes == u->list_bytes &&
		    !memcmp(k->list, u->list, k->bytes)) {
			*out = &k->plan;
			return 0;
		}
	}
	k = calloc(1, sizeof(*k));
	if (!k)
		return ybd_error_sys(err, -ENOMEM, "image");
	rc = make_plan(a, u, &k->plan, err);
	if (rc) {
		free(k);
		return rc;
	}
	k->list = u->list;
	k->bytes = u->list_bytes;
	k->next = a->known;
	a->known = k;
	*out = &k->plan;
	return 0;
}

bool attach_image_lives(const struct ybd_image_info *img)
{
	char path[64];
	size_t i;

	for (i = 0; i < img->nr_sources; i++) {
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", img->sources[i].major,
			 img->sources[i].minor);
		if (access(path, F_OK))
			return false;
	}
	return true;
}

/*
 * An image of that content: 1 when it can be used. One whose sources are gone
 * is unloaded, which lets it be loaded from where they are now; if devices
 * still use it, they have to go first.
 */
static int look_at(struct attach *a, const char *name, u32 *id, struct ybd_error *err)
{
	struct ybd_image_info info;
	int rc = ybd_nl_image_get(a->nl, name, &info, err);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	*id = info.id;
	if (attach_image_lives(&info))
		rc = 1;
	else if (info.devices)
		rc = ybd_error_set(err, -EBUSY,
				   "its image \"%s\" is loaded from a source that is gone, and used by %u devices: detach these first",
				   name, info.devices);
	else
		rc = ybd_nl_image_unload(a->nl, name, err);
	ybd_image_info_free(&info);
	return rc;
}

static int find_loaded(struct attach *a, const struct ybd_plan *p, u32 *id,
		       struct ybd_error *err)
{
	struct ybd_image_list list;
	int rc = ybd_nl_image_list(a->nl, &list, err), worst = 0;
	size_t i;

	if (rc)
		return rc;
	for (i = 0; i < list.n && rc != 1; i++) {
		if (!ybd_plan_is(p, &list.v[i]))
			continue;
		rc = look_at(a, list.v[i].name, id, err);
		worst = rc < 0 ? rc : worst;
	}
	ybd_image_list_free(&list);
	return rc == 1 ? rc : worst;
}

/* See that the image is loaded, under whatever name. */
static int load(struct attach *a, struct ybd_plan *p, u32 *id,
		struct ybd_error *err)
{
	struct ybd_image_info info;
	int rc = find_loaded(a, p, id, err);

	if (rc)
		return rc < 0 ? rc : 0;
	rc = ybd_plan_load(a->nl, p, NULL, &info, err);
	if (rc < 0)
		return rc;
	*id = info.id;
	ybd_image_info_free(&info);
	return 0;
}

static int check_plan(struct attach *a, const struct upper_ref *u, struct ybd_plan **out,
		      struct ybd_error *err)
{
	int rc;

	if (!u->list)
		return ybd_error_set(err, -EUCLEAN, "%s", u->damage);
	rc = find_plan(a, u, out, err);
	if (rc)
		return rc;
	if (memcmp((*out)->identity, u->image_identity, sizeof((*out)->identity)))
		return ybd_error_set(err, -ESTALE,
				     "its image %s is not what it was when the device was made",
				     (*out)->name);
	return 0;
}

int attach_try(struct attach *a, const struct upper_ref *u, struct ybd_error *err)
{
	struct ybd_plan *p;
	int rc = check_plan(a, u, &p, err);

	if (rc)
		ybd_error_prefix(err, "%s", u->name);
	return rc;
}

static int find_image(struct attach *a, const struct upper_ref *u, u32 *id,
		      struct ybd_error *err)
{
	struct ybd_plan *p = NULL;
	int rc = check_plan(a, u, &p, err);

	return rc ? rc : load(a, p, id, err);
}

int attach_upper(struct attach *a, const struct upper_ref *u, struct ybd_error *err)
{
	int fd __cleanup_fd = -1;
	struct ybd_device_info info;
	u32 id = 0;
	int rc = find_image(a, u, &id, err);

	if (!rc) {
		fd = pool_ref_open(u->pool, err);
		rc = fd < 0 ? fd : 0;
	}
	if (!rc)
		rc = ybd_nl_device_attach(a->nl, fd, u->uuid, id, a->replug,
					  &info, err);
	if (rc)
		ybd_error_prefix(err, "%s", u->name);
	else
		a->devices.v[a->devices.n++] = info;
	return rc;
}

const struct ybd_device_info *attach_device_of(const struct ybd_device_list *l,
					       const struct upper_ref *u)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (l->v[i].upper == YBD_UPPER_KIND_POOL &&
		    !memcmp(l->v[i].upper_uuid, u->uuid, sizeof(u->uuid)))
			return &l->v[i];
	return NULL;
}

int attach_find(struct attach *a, char *const *names, size_t n, struct ybd_error *err)
{
	int rc = pools_find(a->pool, &a->pools, err);

	if (!rc)
		rc = uppers_find(&a->pools, a->all ? NULL : names, n, &a->uppers, err);
	if (rc)
		return rc;
	a->devices.v = calloc(a->uppers.n + n + 1, sizeof(*a->devices.v));
	return a->devices.v ? 0 : ybd_error_sys(err, -ENOMEM, "list of devices");
}

int attach_begin(struct attach *a, struct ybd_error *err)
{
	int rc = ybd_nl_open(&a->nl, err);

	if (rc)
		return rc;
	rc = ybd_finder_init(&a->finder, a->source.v, a->source.n, a->esnap.v, a->esnap.n, err);
	if (rc) {
		ybd_nl_close(a->nl);
		a->nl = NULL;
	}
	return rc;
}

void attach_end(struct attach *a)
{
	struct known *k;

	while ((k = a->known)) {
		a->known = k->next;
		ybd_plan_free(&k->plan);
		free(k);
	}
	uppers_free(&a->uppers);
	pools_free(&a->pools);
	ybd_device_list_free(&a->devices);
	ybd_finder_exit(&a->finder);
	ybd_nl_close(a->nl);
}
