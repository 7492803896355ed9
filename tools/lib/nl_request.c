// SPDX-License-Identifier: GPL-2.0-only
/* Requests: what goes into them, and the lists that dumps become. */
#include <errno.h>
#include <stdlib.h>

#include "nl_priv.h"
#include "util.h"

/* ---- growing lists ---- */

/**
 * list_room() - room for one more
 * @v: array, in steps of powers of two
 * @n: how many are in it
 * @size: of one
 *
 * Return: where the next one goes, or NULL without memory.
 */
static void *list_room(void **v, size_t n, size_t size)
{
	void *p;

	if (!(n & (n - 1))) {
		p = realloc(*v, (n ? 2 * n : 1) * size);
		if (!p)
			return NULL;
		*v = p;
	}
	return (char *)*v + n * size;
}

static int add_image(const struct nlmsghdr *h, void *arg)
{
	struct ybd_image_list *l = arg;
	struct ybd_image_info *i = list_room((void **)&l->v, l->n,
					     sizeof(*l->v));
	int rc = i ? nl_decode_image(h, i) : -ENOMEM;

	l->n += !rc;
	return rc;
}

static int add_source(const struct nlmsghdr *h, void *arg)
{
	struct ybd_source_list *l = arg;
	struct ybd_source_info *s = list_room((void **)&l->v, l->n,
					      sizeof(*l->v));
	int rc = s ? nl_decode_sources(h, s) : -ENOMEM;

	l->n += !rc;
	return rc;
}

static int add_device(const struct nlmsghdr *h, void *arg)
{
	struct ybd_device_list *l = arg;
	struct ybd_device_info *d = list_room((void **)&l->v, l->n,
					      sizeof(*l->v));
	int rc = d ? nl_decode_device(h, d) : -ENOMEM;

	l->n += !rc;
	return rc;
}

static int add_pool(const struct nlmsghdr *h, void *arg)
{
	struct ybd_pool_list *l = arg;
	struct ybd_pool_info *p = list_room((void **)&l->v, l->n,
					    sizeof(*l->v));
	int rc = p ? nl_decode_pool(h, p) : -ENOMEM;

	l->n += !rc;
	return rc;
}

void ybd_image_list_free(struct ybd_image_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		ybd_image_info_free(&l->v[i]);
	free(l->v);
	*l = (struct ybd_image_list){ 0 };
}

void ybd_source_list_free(struct ybd_source_list *l)
{
	free(l->v);
	*l = (struct ybd_source_list){ 0 };
}

void ybd_device_list_free(struct ybd_device_list *l)
{
	free(l->v);
	*l = (struct ybd_device_list){ 0 };
}

void ybd_pool_list_free(struct ybd_pool_list *l)
{
	free(l->v);
	*l = (struct ybd_pool_list){ 0 };
}

/* ---- dumps ---- */

/*
 * A dump during which something was made or removed is marked as interrupted
 * and asked for again, so that it shows one moment. On a host that makes
 * containers all the time there may be no such moment: after some tries the
 * last answer is taken. It has each thing at most once, and all that was there
 * from its beginning to its end, since the kernel goes through them by number.
 */
#define DUMP_TRIES 8

struct dump {
	u8 cmd;
	const char *what;
	nl_answer_fn add;
	void (*reset)(void *list);
	void *list;
};

static int dump(struct ybd_nl *nl, const struct dump *d, struct ybd_error *err)
{
	int rc = -EAGAIN, tries;
	struct nl_msg *msg;

	for (tries = 0; rc == -EAGAIN && tries < DUMP_TRIES; tries++) {
		d->reset(d->list);
		msg = nl_msg_new(nl, d->cmd, NLM_F_DUMP, 0);
		rc = nl_call(nl, msg, d->add, d->list, d->what, err);
	}
	if (rc == -EAGAIN)
		rc = 0;
	if (rc)
		d->reset(d->list);
	return rc;
}

static void reset_images(void *l)
{
	ybd_image_list_free(l);
}

static void reset_sources(void *l)
{
	ybd_source_list_free(l);
}

static void reset_devices(void *l)
{
	ybd_device_list_free(l);
}

static void reset_pools(void *l)
{
	ybd_pool_list_free(l);
}

int ybd_nl_image_list(struct ybd_nl *nl, struct ybd_image_list *out,
		      struct ybd_error *err)
{
	const struct dump d = { YBD_CMD_IMAGE_GET, "listing images",
				add_image, reset_images, out };

	*out = (struct ybd_image_list){ 0 };
	return dump(nl, &d, err);
}

int ybd_nl_source_list(struct ybd_nl *nl, struct ybd_source_list *out,
		       struct ybd_error *err)
{
	const struct dump d = { YBD_CMD_SOURCE_GET, "listing sources",
				add_source, reset_sources, out };

	*out = (struct ybd_source_list){ 0 };
	return dump(nl, &d, err);
}

int ybd_nl_device_list(struct ybd_nl *nl, struct ybd_device_list *out,
		       struct ybd_error *err)
{
	const struct dump d = { YBD_CMD_DEVICE_GET, "listing devices",
				add_device, reset_devices, out };

	*out = (struct ybd_device_list){ 0 };
	return dump(nl, &d, err);
}

int ybd_nl_pool_list(struct ybd_nl *nl, struct ybd_pool_list *out,
		     struct ybd_error *err)
{
	const struct dump d = { YBD_CMD_POOL_GET, "listing pools",
				add_pool, reset_pools, out };

	*out = (struct ybd_pool_list){ 0 };
	return dump(nl, &d, err);
}

/* ---- requests ---- */

static int answer_image(const struct nlmsghdr *h, void *arg)
{
	ybd_image_info_free(arg);
	return nl_decode_image(h, arg);
}

static int answer_device(const struct nlmsghdr *h, void *arg)
{
	return nl_decode_device(h, arg);
}

static int put_source(struct nl_msg *msg, const struct ybd_source_req *s)
{
	struct nlattr *nest = nla_nest_start(msg, YBD_A_IMAGE_SOURCE);

	if (!nest || nla_put_s32(msg, YBD_A_SOURCE_FD, s->fd) ||
	    nla_put_string(msg, YBD_A_SOURCE_NAME, s->name))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

static int put_image(struct nl_msg *msg, const struct ybd_image_req *r)
{
	size_t i;
	int rc = 0;

	if (nla_put_string(msg, YBD_A_IMAGE_NAME, r->name) ||
	    nla_put(msg, YBD_A_IMAGE_UUID, sizeof(r->uuid), r->uuid) ||
	    nla_put_u64(msg, YBD_A_IMAGE_SIZE, r->size) ||
	    nla_put_u32(msg, YBD_A_IMAGE_LOGICAL_BLOCK_SIZE,
			r->logical_block_size) ||
	    nla_put_u32(msg, YBD_A_IMAGE_LAYERS, r->layers) ||
	    nla_put(msg, YBD_A_IMAGE_IDENTITY, sizeof(r->identity),
		    r->identity) ||
	    nla_put_s32(msg, YBD_A_IMAGE_MAP_FD, r->map_fd) ||
	    nla_put_u32(msg, YBD_A_IMAGE_EXTENT_COUNT, r->extents) ||
	    nla_put_u32(msg, YBD_A_IMAGE_FLAGS, r->flags))
		return -EMSGSIZE;
	for (i = 0; !rc && i < r->nr_sources; i++)
		rc = put_source(msg, &r->sources[i]);
	return rc;
}

int ybd_nl_image_load(struct ybd_nl *nl, const struct ybd_image_req *req,
		      struct ybd_image_info *out, struct ybd_error *err)
{
	size_t room = 512 + req->nr_sources * (YBD_SOURCE_NAME_LEN + 32);
	struct nl_msg *msg = nl_msg_new(nl, YBD_CMD_IMAGE_LOAD, 0, room);
	struct ybd_image_info info = { 0 };
	int rc = msg ? put_image(msg, req) : 0;

	if (rc) {
		nlmsg_free(msg);
		return ybd_error_set(err, rc, "%s: the request is too long",
				     req->name);
	}
	rc = nl_call(nl, msg, answer_image, &info, req->name, err);
	if (!rc && out)
		*out = info;
	else
		ybd_image_info_free(&info);
	return rc;
}

/* A request that has only the name of something. */
static struct nl_msg *msg_named(struct ybd_nl *nl, u8 cmd, int type,
				const char *name)
{
	struct nl_msg *msg = nl_msg_new(nl, cmd, 0, strlen(name) + 64);

	if (msg && nla_put_string(msg, type, name)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

int ybd_nl_image_unload(struct ybd_nl *nl, const char *name,
			struct ybd_error *err)
{
	return nl_call(nl, msg_named(nl, YBD_CMD_IMAGE_UNLOAD,
				     YBD_A_IMAGE_NAME, name),
		       NULL, NULL, name, err);
}

int ybd_nl_image_get(struct ybd_nl *nl, const char *name,
		     struct ybd_image_info *out, struct ybd_error *err)
{
	int rc;

	memset(out, 0, sizeof(*out));
	rc = nl_call(nl, msg_named(nl, YBD_CMD_IMAGE_GET, YBD_A_IMAGE_NAME,
				   name),
		     answer_image, out, name, err);
	if (rc)
		ybd_image_info_free(out);
	return rc;
}

static int put_upper(struct nl_msg *msg, const struct ybd_device_req *r)
{
	if (nla_put_s32(msg, YBD_A_DEVICE_POOL_FD, r->pool_fd) ||
	    nla_put_u32(msg, YBD_A_DEVICE_UPPER_FLAGS, r->upper_flags) ||
	    (r->quota && nla_put_u64(msg, YBD_A_DEVICE_QUOTA, r->quota)) ||
	    (r->reserve && nla_put_u64(msg, YBD_A_DEVICE_RESERVE, r->reserve)) ||
	    (r->layers_fd >= 0 &&
	     nla_put_s32(msg, YBD_A_DEVICE_LAYERS_FD, r->layers_fd)))
		return -EMSGSIZE;
	return 0;
}

static int put_device(struct nl_msg *msg, const struct ybd_device_req *r)
{
	if (nla_put_string(msg, YBD_A_DEVICE_NAME, r->name) ||
	    (r->image_name ?
	     nla_put_string(msg, YBD_A_DEVICE_IMAGE_NAME, r->image_name) :
	     nla_put_u32(msg, YBD_A_DEVICE_IMAGE_ID, r->image_id)) ||
	    nla_put_u32(msg, YBD_A_DEVICE_UPPER, r->upper) ||
	    (r->upper_limit &&
	     nla_put_u64(msg, YBD_A_DEVICE_UPPER_LIMIT, r->upper_limit)) ||
	    (r->size && nla_put_u64(msg, YBD_A_DEVICE_SIZE, r->size)) ||
	    (r->logical_block_size &&
	     nla_put_u32(msg, YBD_A_DEVICE_LOGICAL_BLOCK_SIZE,
			 r->logical_block_size)) ||
	    (r->cgroup_fd >= 0 &&
	     nla_put_s32(msg, YBD_A_DEVICE_CGROUP_FD, r->cgroup_fd)) ||
	    (r->replug_timeout &&
	     nla_put_u32(msg, YBD_A_DEVICE_REPLUG_TIMEOUT, r->replug_timeout)) ||
	    (r->upper == YBD_UPPER_KIND_POOL && put_upper(msg, r)))
		return -EMSGSIZE;
	return 0;
}

int ybd_nl_device_create(struct ybd_nl *nl, const struct ybd_device_req *req,
			 struct ybd_device_info *out, struct ybd_error *err)
{
	struct nl_msg *msg = nl_msg_new(nl, YBD_CMD_DEVICE_CREATE, 0, 512);

	if (msg && put_device(msg, req)) {
		nlmsg_free(msg);
		return ybd_error_set(err, -EMSGSIZE,
				     "%s: the request is too long", req->name);
	}
	return nl_call(nl, msg, answer_device, out, req->name, err);
}

int ybd_nl_device_detach(struct ybd_nl *nl, const char *name, u32 flags,
			 struct ybd_error *err)
{
	struct nl_msg *msg = msg_named(nl, YBD_CMD_DEVICE_DETACH,
				       YBD_A_DEVICE_NAME, name);

	if (msg && flags && nla_put_u32(msg, YBD_A_DEVICE_DETACH_FLAGS, flags)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return nl_call(nl, msg, NULL, NULL, name, err);
}

int ybd_nl_device_get(struct ybd_nl *nl, const char *name,
		      struct ybd_device_info *out, struct ybd_error *err)
{
	return nl_call(nl, msg_named(nl, YBD_CMD_DEVICE_GET, YBD_A_DEVICE_NAME,
				     name),
		       answer_device, out, name, err);
}

/* What names an upper in a pool. */
static struct nl_msg *msg_upper(struct ybd_nl *nl, u8 cmd, int pool_fd,
				const u8 uuid[YBD_UUID_LEN])
{
	struct nl_msg *msg = nl_msg_new(nl, cmd, 0, 128);

	if (msg && (nla_put_s32(msg, YBD_A_DEVICE_POOL_FD, pool_fd) ||
		    nla_put(msg, YBD_A_DEVICE_UPPER_UUID, YBD_UUID_LEN, uuid))) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

int ybd_nl_device_attach(struct ybd_nl *nl, int pool_fd,
			 const u8 uuid[YBD_UUID_LEN], u32 image_id,
			 u32 replug_timeout, struct ybd_device_info *out,
			 struct ybd_error *err)
{
	struct nl_msg *msg = msg_upper(nl, YBD_CMD_DEVICE_ATTACH, pool_fd, uuid);

	if (msg && (nla_put_u32(msg, YBD_A_DEVICE_IMAGE_ID, image_id) ||
		    (replug_timeout &&
		     nla_put_u32(msg, YBD_A_DEVICE_REPLUG_TIMEOUT, replug_timeout)))) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return nl_call(nl, msg, answer_device, out, "attaching", err);
}

int ybd_nl_device_resize(struct ybd_nl *nl, const char *name, u64 size,
			 struct ybd_device_info *out, struct ybd_error *err)
{
	struct nl_msg *msg = msg_named(nl, YBD_CMD_DEVICE_RESIZE,
				       YBD_A_DEVICE_NAME, name);

	if (msg && nla_put_u64(msg, YBD_A_DEVICE_SIZE, size)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return nl_call(nl, msg, answer_device, out, name, err);
}

int ybd_nl_device_set_replug(struct ybd_nl *nl, const char *name,
			     u32 replug_timeout, struct ybd_device_info *out,
			     struct ybd_error *err)
{
	struct nl_msg *msg = msg_named(nl, YBD_CMD_DEVICE_SET,
				       YBD_A_DEVICE_NAME, name);

	if (msg && nla_put_u32(msg, YBD_A_DEVICE_REPLUG_TIMEOUT, replug_timeout)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return nl_call(nl, msg, answer_device, out, name, err);
}

static int answer_sources(const struct nlmsghdr *h, void *arg)
{
	return nl_decode_sources(h, arg);
}

int ybd_nl_source_swap(struct ybd_nl *nl, u32 id, const char *name, int fd,
		       struct ybd_source_info *out, struct ybd_error *err)
{
	struct nl_msg *msg = nl_msg_new(nl, YBD_CMD_SOURCE_SWAP, 0,
					strlen(name) + 128);
	struct nlattr *nest = NULL;

	if (msg)
		nest = nla_nest_start(msg, YBD_A_SOURCES_SOURCE);
	if (msg && (!nest || nla_put_u32(msg, YBD_A_SOURCE_ID, id) ||
		    nla_put_string(msg, YBD_A_SOURCE_NAME, name) ||
		    nla_put_s32(msg, YBD_A_SOURCE_FD, fd))) {
		nlmsg_free(msg);
		msg = NULL;
	} else if (msg) {
		nla_nest_end(msg, nest);
	}
	return nl_call(nl, msg, answer_sources, out, name, err);
}

int ybd_nl_upper_destroy(struct ybd_nl *nl, int pool_fd,
			 const u8 uuid[YBD_UUID_LEN], struct ybd_error *err)
{
	return nl_call(nl, msg_upper(nl, YBD_CMD_UPPER_DESTROY, pool_fd, uuid),
		       NULL, NULL, "destroying", err);
}
