// SPDX-License-Identifier: GPL-2.0-only
/* Attributes of the family to plain structs, and back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "nl_priv.h"
#include "util.h"

/* ---- names of attributes, for errors ---- */

static const char * const info_names[] = {
	[YBD_A_INFO_ABI] = "abi",
	[YBD_A_INFO_VERSION] = "version",
	[YBD_A_INFO_DEVICES] = "devices",
	[YBD_A_INFO_IMAGES] = "images",
};

static const char * const source_names[] = {
	[YBD_A_SOURCE_FD] = "fd",
	[YBD_A_SOURCE_NAME] = "name",
	[YBD_A_SOURCE_ID] = "id",
	[YBD_A_SOURCE_DISK] = "disk",
	[YBD_A_SOURCE_MAJOR] = "major",
	[YBD_A_SOURCE_MINOR] = "minor",
	[YBD_A_SOURCE_SIZE] = "size",
	[YBD_A_SOURCE_LOGICAL_BLOCK_SIZE] = "logical-block-size",
	[YBD_A_SOURCE_IMAGES] = "images",
};

static const char * const sources_names[] = {
	[YBD_A_SOURCES_SOURCE] = "source",
};

static const char * const image_names[] = {
	[YBD_A_IMAGE_ID] = "id",
	[YBD_A_IMAGE_NAME] = "name",
	[YBD_A_IMAGE_UUID] = "uuid",
	[YBD_A_IMAGE_SIZE] = "size",
	[YBD_A_IMAGE_LOGICAL_BLOCK_SIZE] = "logical-block-size",
	[YBD_A_IMAGE_LAYERS] = "layers",
	[YBD_A_IMAGE_IDENTITY] = "identity",
	[YBD_A_IMAGE_MAP_FD] = "map-fd",
	[YBD_A_IMAGE_EXTENT_COUNT] = "extent-count",
	[YBD_A_IMAGE_SOURCE] = "source",
	[YBD_A_IMAGE_MAP_KIND] = "map-kind",
	[YBD_A_IMAGE_MAP_BYTES] = "map-bytes",
	[YBD_A_IMAGE_MAPPED_BYTES] = "mapped-bytes",
	[YBD_A_IMAGE_DEVICES] = "devices",
	[YBD_A_IMAGE_FLAGS] = "flags",
};

static const char * const device_names[] = {
	[YBD_A_DEVICE_ID] = "id",
	[YBD_A_DEVICE_NAME] = "name",
	[YBD_A_DEVICE_DISK] = "disk",
	[YBD_A_DEVICE_MAJOR] = "major",
	[YBD_A_DEVICE_MINOR] = "minor",
	[YBD_A_DEVICE_IMAGE_ID] = "image-id",
	[YBD_A_DEVICE_IMAGE_NAME] = "image-name",
	[YBD_A_DEVICE_UPPER] = "upper",
	[YBD_A_DEVICE_UPPER_LIMIT] = "upper-limit",
	[YBD_A_DEVICE_SIZE] = "size",
	[YBD_A_DEVICE_LOGICAL_BLOCK_SIZE] = "logical-block-size",
	[YBD_A_DEVICE_CGROUP_FD] = "cgroup-fd",
	[YBD_A_DEVICE_STATE] = "state",
	[YBD_A_DEVICE_OPENERS] = "openers",
	[YBD_A_DEVICE_DETACH_FLAGS] = "detach-flags",
	[YBD_A_DEVICE_STATS] = "stats",
};

static_assert(ARRAY_SIZE(info_names) == YBD_A_INFO_MAX + 1, "info");
static_assert(ARRAY_SIZE(source_names) == YBD_A_SOURCE_MAX + 1, "source");
static_assert(ARRAY_SIZE(sources_names) == YBD_A_SOURCES_MAX + 1, "sources");
static_assert(ARRAY_SIZE(image_names) == YBD_A_IMAGE_MAX + 1, "image");
static_assert(ARRAY_SIZE(device_names) == YBD_A_DEVICE_MAX + 1, "device");

struct attr_set {
	const char * const *names;
	u32 max;
	u32 nest;	/* the attribute that is a nest of sources, or 0 */
};

static struct attr_set attr_set_of(u8 cmd)
{
	switch (cmd) {
	case YBD_CMD_INFO_GET:
		return (struct attr_set){ info_names, YBD_A_INFO_MAX, 0 };
	case YBD_CMD_SOURCE_GET:
		return (struct attr_set){ sources_names, YBD_A_SOURCES_MAX,
					  YBD_A_SOURCES_SOURCE };
	case YBD_CMD_IMAGE_LOAD:
	case YBD_CMD_IMAGE_UNLOAD:
	case YBD_CMD_IMAGE_GET:
		return (struct attr_set){ image_names, YBD_A_IMAGE_MAX,
					  YBD_A_IMAGE_SOURCE };
	default:
		return (struct attr_set){ device_names, YBD_A_DEVICE_MAX, 0 };
	}
}

/* The attribute among those from @a on that covers byte @off of the message. */
static const struct nlattr *attr_at(const struct nlmsghdr *h,
				    const struct nlattr *a, int len, u32 off)
{
	u32 start;

	for (; nla_ok(a, len); a = nla_next(a, &len)) {
		start = (const char *)a - (const char *)h;
		if (off >= start && off < start + a->nla_len)
			return a;
	}
	return NULL;
}

static const struct nlattr *attr_top(const struct nlmsghdr *h, u32 off)
{
	const struct genlmsghdr *g = nlmsg_data(h);

	return attr_at(h, genlmsg_attrdata(g, 0), genlmsg_attrlen(g, 0), off);
}

static const char *name_in(const char * const *names, u32 max, u32 type)
{
	return type <= max && names[type] ? names[type] : "?";
}

const char *nl_attr_name(const struct nlmsghdr *h, u32 off, char *buf,
			 size_t len)
{
	const struct genlmsghdr *g = nlmsg_data(h);
	struct attr_set set = attr_set_of(g->cmd);
	const struct nlattr *top = attr_top(h, off), *in = NULL;

	if (!top)
		return NULL;
	snprintf(buf, len, "%s", name_in(set.names, set.max, nla_type(top)));
	if (set.nest && (u32)nla_type(top) == set.nest)
		in = attr_at(h, nla_data(top), nla_len(top), off);
	if (in)
		snprintf(buf, len, "source.%s",
			 name_in(source_names, YBD_A_SOURCE_MAX, nla_type(in)));
	return buf;
}

const char *nl_missing_name(const struct nlmsghdr *h, u32 nest, u32 type,
			    char *buf, size_t len)
{
	const struct genlmsghdr *g = nlmsg_data(h);
	struct attr_set set = attr_set_of(g->cmd);

	if (nest)
		snprintf(buf, len, "source.%s",
			 name_in(source_names, YBD_A_SOURCE_MAX, type));
	else
		snprintf(buf, len, "%s", name_in(set.names, set.max, type));
	return buf;
}

/* ---- decoding; what is missing or too short is left 0 ---- */

static void get_u32(struct nlattr **tb, int type, u32 *out)
{
	if (tb[type] && nla_len(tb[type]) >= (int)sizeof(*out))
		*out = nla_get_u32(tb[type]);
}

static void get_u64(struct nlattr **tb, int type, u64 *out)
{
	if (tb[type] && nla_len(tb[type]) >= (int)sizeof(*out))
		*out = nla_get_u64(tb[type]);
}

static void get_str(struct nlattr **tb, int type, char *out, size_t size)
{
	if (tb[type])
		nla_strlcpy(out, tb[type], size);
}

static void get_bytes(struct nlattr **tb, int type, void *out, size_t size)
{
	if (tb[type] && nla_len(tb[type]) >= (int)size)
		memcpy(out, nla_data(tb[type]), size);
}

static int parse_nest(struct nlattr *nest, struct nlattr **tb, int max)
{
	return nla_parse(tb, max, nla_data(nest), nla_len(nest), NULL) < 0 ?
	       -EBADMSG : 0;
}

int nl_parse(const struct nlmsghdr *h, struct nlattr **tb, int max)
{
	const struct genlmsghdr *g = nlmsg_data(h);

	if (nlmsg_datalen(h) < (int)GENL_HDRLEN)
		return -EBADMSG;
	return nla_parse(tb, max, genlmsg_attrdata(g, 0),
			 genlmsg_attrlen(g, 0), NULL) < 0 ? -EBADMSG : 0;
}

int nl_decode_info(const struct nlmsghdr *h, struct ybd_info *out)
{
	struct nlattr *tb[YBD_A_INFO_MAX + 1];
	int rc = nl_parse(h, tb, YBD_A_INFO_MAX);

	memset(out, 0, sizeof(*out));
	if (rc)
		return rc;
	get_u32(tb, YBD_A_INFO_ABI, &out->abi);
	get_str(tb, YBD_A_INFO_VERSION, out->version, sizeof(out->version));
	get_u32(tb, YBD_A_INFO_DEVICES, &out->devices);
	get_u32(tb, YBD_A_INFO_IMAGES, &out->images);
	return 0;
}

static int decode_source(struct nlattr *nest, struct ybd_source_info *out)
{
	struct nlattr *tb[YBD_A_SOURCE_MAX + 1];
	int rc = parse_nest(nest, tb, YBD_A_SOURCE_MAX);

	memset(out, 0, sizeof(*out));
	if (rc)
		return rc;
	get_u32(tb, YBD_A_SOURCE_ID, &out->id);
	get_str(tb, YBD_A_SOURCE_NAME, out->name, sizeof(out->name));
	get_str(tb, YBD_A_SOURCE_DISK, out->disk, sizeof(out->disk));
	get_u32(tb, YBD_A_SOURCE_MAJOR, &out->major);
	get_u32(tb, YBD_A_SOURCE_MINOR, &out->minor);
	get_u64(tb, YBD_A_SOURCE_SIZE, &out->size);
	get_u32(tb, YBD_A_SOURCE_LOGICAL_BLOCK_SIZE,
		&out->logical_block_size);
	get_u32(tb, YBD_A_SOURCE_IMAGES, &out->images);
	return 0;
}

/* The sources of an image are one attribute each: nla_parse() keeps the last. */
static int decode_sources(const struct nlmsghdr *h, struct ybd_image_info *out)
{
	const struct genlmsghdr *g = nlmsg_data(h);
	struct ybd_source_info *v;
	const struct nlattr *a;
	size_t n = 0;
	int rem, rc;

	nla_for_each_attr(a, genlmsg_attrdata(g, 0), genlmsg_attrlen(g, 0), rem)
		n += nla_type(a) == YBD_A_IMAGE_SOURCE;
	if (!n)
		return 0;
	v = calloc(n, sizeof(*v));
	if (!v)
		return -ENOMEM;
	out->sources = v;
	nla_for_each_attr(a, genlmsg_attrdata(g, 0), genlmsg_attrlen(g, 0), rem) {
		if (nla_type(a) != YBD_A_IMAGE_SOURCE)
			continue;
		rc = decode_source((struct nlattr *)a, v++);
		if (rc)
			return rc;
		out->nr_sources++;
	}
	return 0;
}

void ybd_image_info_free(struct ybd_image_info *info)
{
	free(info->sources);
	info->sources = NULL;
	info->nr_sources = 0;
}

static int decode_image(const struct nlmsghdr *h, struct ybd_image_info *out)
{
	struct nlattr *tb[YBD_A_IMAGE_MAX + 1];
	int rc = nl_parse(h, tb, YBD_A_IMAGE_MAX);

	memset(out, 0, sizeof(*out));
	if (rc)
		return rc;
	get_u32(tb, YBD_A_IMAGE_ID, &out->id);
	get_str(tb, YBD_A_IMAGE_NAME, out->name, sizeof(out->name));
	get_bytes(tb, YBD_A_IMAGE_UUID, out->uuid, sizeof(out->uuid));
	get_u64(tb, YBD_A_IMAGE_SIZE, &out->size);
	get_u32(tb, YBD_A_IMAGE_LOGICAL_BLOCK_SIZE, &out->logical_block_size);
	get_u32(tb, YBD_A_IMAGE_LAYERS, &out->layers);
	get_bytes(tb, YBD_A_IMAGE_IDENTITY, out->identity,
		  sizeof(out->identity));
	get_u32(tb, YBD_A_IMAGE_EXTENT_COUNT, &out->extents);
	get_u32(tb, YBD_A_IMAGE_MAP_KIND, &out->map_kind);
	get_u64(tb, YBD_A_IMAGE_MAP_BYTES, &out->map_bytes);
	get_u64(tb, YBD_A_IMAGE_MAPPED_BYTES, &out->mapped_bytes);
	get_u32(tb, YBD_A_IMAGE_DEVICES, &out->devices);
	get_u32(tb, YBD_A_IMAGE_FLAGS, &out->flags);
	rc = decode_sources(h, out);
	if (rc)
		ybd_image_info_free(out);
	return rc;
}

static int decode_stats(struct nlattr *nest, struct ybd_stats *out)
{
	static const struct {
		int type;
		size_t at;
	} map[] = {
#define STAT(attr, field) \
		{ YBD_A_STATS_##attr, offsetof(struct ybd_stats, field) }
		STAT(IMAGE_READS, image_reads),
		STAT(HOLE_READS, hole_reads),
		STAT(UPPER_READS, upper_reads),
		STAT(SPLITS, splits),
		STAT(BOUNCES, bounces),
		STAT(FIRST_WRITES, first_writes),
		STAT(COPY_UPS, copy_ups),
		STAT(OVERWRITES, overwrites),
		STAT(ZEROED, zeroed),
		STAT(FREED, freed),
		STAT(NO_SPACE, no_space),
		STAT(NO_MEMORY, no_memory),
		STAT(WOULD_BLOCK, would_block),
		STAT(UPPER_USED, upper_used),
		STAT(UPPER_LIMIT, upper_limit),
#undef STAT
	};
	struct nlattr *tb[YBD_A_STATS_MAX + 1];
	int rc = parse_nest(nest, tb, YBD_A_STATS_MAX);
	size_t i;

	static_assert(ARRAY_SIZE(map) == YBD_A_STATS_MAX - 1, "stats");
	if (rc)
		return rc;
	for (i = 0; i < ARRAY_SIZE(map); i++)
		get_u64(tb, map[i].type, (u64 *)((char *)out + map[i].at));
	return 0;
}

static int decode_device(const struct nlmsghdr *h, struct ybd_device_info *out)
{
	struct nlattr *tb[YBD_A_DEVICE_MAX + 1];
	int rc = nl_parse(h, tb, YBD_A_DEVICE_MAX);

	memset(out, 0, sizeof(*out));
	if (rc)
		return rc;
	get_u32(tb, YBD_A_DEVICE_ID, &out->id);
	get_str(tb, YBD_A_DEVICE_NAME, out->name, sizeof(out->name));
	get_str(tb, YBD_A_DEVICE_DISK, out->disk, sizeof(out->disk));
	get_u32(tb, YBD_A_DEVICE_MAJOR, &out->major);
	get_u32(tb, YBD_A_DEVICE_MINOR, &out->minor);
	get_u32(tb, YBD_A_DEVICE_IMAGE_ID, &out->image_id);
	get_str(tb, YBD_A_DEVICE_IMAGE_NAME, out->image_name,
		sizeof(out->image_name));
	get_u32(tb, YBD_A_DEVICE_UPPER, &out->upper);
	get_u64(tb, YBD_A_DEVICE_UPPER_LIMIT, &out->upper_limit);
	get_u64(tb, YBD_A_DEVICE_SIZE, &out->size);
	get_u32(tb, YBD_A_DEVICE_LOGICAL_BLOCK_SIZE, &out->logical_block_size);
	get_u32(tb, YBD_A_DEVICE_STATE, &out->state);
	get_u32(tb, YBD_A_DEVICE_OPENERS, &out->openers);
	if (tb[YBD_A_DEVICE_STATS])
		rc = decode_stats(tb[YBD_A_DEVICE_STATS], &out->stats);
	return rc;
}

int nl_decode_event(const struct nlmsghdr *h, struct ybd_event *ev)
{
	const struct genlmsghdr *g = nlmsg_data(h);

	memset(ev, 0, sizeof(*ev));
	if (nlmsg_datalen(h) < (int)GENL_HDRLEN)
		return -EBADMSG;
	switch (g->cmd) {
	case YBD_CMD_DEVICE_CREATED_NTF:
		ev->kind = YBD_EVENT_DEVICE_CREATED;
		return decode_device(h, &ev->device);
	case YBD_CMD_DEVICE_DETACHED_NTF:
		ev->kind = YBD_EVENT_DEVICE_DETACHED;
		return decode_device(h, &ev->device);
	case YBD_CMD_IMAGE_LOADED_NTF:
		ev->kind = YBD_EVENT_IMAGE_LOADED;
		return decode_image(h, &ev->image);
	case YBD_CMD_IMAGE_UNLOADED_NTF:
		ev->kind = YBD_EVENT_IMAGE_UNLOADED;
		return decode_image(h, &ev->image);
	default:
		return -ENOMSG;	/* of a newer module */
	}
}

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
	int rc = i ? decode_image(h, i) : -ENOMEM;

	l->n += !rc;
	return rc;
}

static int add_source(const struct nlmsghdr *h, void *arg)
{
	struct nlattr *tb[YBD_A_SOURCES_MAX + 1];
	int rc = nl_parse(h, tb, YBD_A_SOURCES_MAX);
	struct ybd_source_list *l = arg;
	struct ybd_source_info *s;

	if (rc || !tb[YBD_A_SOURCES_SOURCE])
		return rc;
	s = list_room((void **)&l->v, l->n, sizeof(*l->v));
	rc = s ? decode_source(tb[YBD_A_SOURCES_SOURCE], s) : -ENOMEM;
	l->n += !rc;
	return rc;
}

static int add_device(const struct nlmsghdr *h, void *arg)
{
	struct ybd_device_list *l = arg;
	struct ybd_device_info *d = list_room((void **)&l->v, l->n,
					      sizeof(*l->v));
	int rc = d ? decode_device(h, d) : -ENOMEM;

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

/* ---- requests ---- */

static int answer_image(const struct nlmsghdr *h, void *arg)
{
	ybd_image_info_free(arg);
	return decode_image(h, arg);
}

static int answer_device(const struct nlmsghdr *h, void *arg)
{
	return decode_device(h, arg);
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
	     nla_put_s32(msg, YBD_A_DEVICE_CGROUP_FD, r->cgroup_fd)))
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
