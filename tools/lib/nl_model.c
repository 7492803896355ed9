// SPDX-License-Identifier: GPL-2.0-only
/* Attributes of the family: their names, and answers as plain structs. */
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
	[YBD_A_SOURCE_SWAPS] = "swaps",
	[YBD_A_SOURCE_PARKED] = "parked",
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
	[YBD_A_DEVICE_POOL_FD] = "pool-fd",
	[YBD_A_DEVICE_POOL_ID] = "pool-id",
	[YBD_A_DEVICE_POOL_NAME] = "pool-name",
	[YBD_A_DEVICE_UPPER_UUID] = "upper-uuid",
	[YBD_A_DEVICE_UPPER_FLAGS] = "upper-flags",
	[YBD_A_DEVICE_QUOTA] = "quota",
	[YBD_A_DEVICE_RESERVE] = "reserve",
	[YBD_A_DEVICE_LAYERS_FD] = "layers-fd",
	[YBD_A_DEVICE_QUOTA_LEVEL] = "quota-level",
	[YBD_A_DEVICE_REPLUG_TIMEOUT] = "replug-timeout",
};

static const char * const pool_names[] = {
	[YBD_A_POOL_ID] = "id",
	[YBD_A_POOL_UUID] = "uuid",
	[YBD_A_POOL_NAME] = "name",
	[YBD_A_POOL_DISK] = "disk",
	[YBD_A_POOL_MAJOR] = "major",
	[YBD_A_POOL_MINOR] = "minor",
	[YBD_A_POOL_SIZE] = "size",
	[YBD_A_POOL_SEGMENT_SIZE] = "segment-size",
	[YBD_A_POOL_LOGICAL_BLOCK_SIZE] = "logical-block-size",
	[YBD_A_POOL_SEGMENTS] = "segments",
	[YBD_A_POOL_FREE_SEGMENTS] = "free-segments",
	[YBD_A_POOL_METADATA_SEGMENTS] = "metadata-segments",
	[YBD_A_POOL_USERS] = "users",
	[YBD_A_POOL_COMMITS] = "commits",
	[YBD_A_POOL_FLUSHES] = "flushes",
	[YBD_A_POOL_FLUSHES_MERGED] = "flushes-merged",
	[YBD_A_POOL_LEVEL] = "level",
	[YBD_A_POOL_FAILURE] = "failure",
	[YBD_A_POOL_PROMISED] = "promised",
};

static_assert(ARRAY_SIZE(info_names) == YBD_A_INFO_MAX + 1, "info");
static_assert(ARRAY_SIZE(source_names) == YBD_A_SOURCE_MAX + 1, "source");
static_assert(ARRAY_SIZE(sources_names) == YBD_A_SOURCES_MAX + 1, "sources");
static_assert(ARRAY_SIZE(image_names) == YBD_A_IMAGE_MAX + 1, "image");
static_assert(ARRAY_SIZE(device_names) == YBD_A_DEVICE_MAX + 1, "device");
static_assert(ARRAY_SIZE(pool_names) == YBD_A_POOL_MAX + 1, "pool");

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
	case YBD_CMD_SOURCE_SWAP:
		return (struct attr_set){ sources_names, YBD_A_SOURCES_MAX,
					  YBD_A_SOURCES_SOURCE };
	case YBD_CMD_IMAGE_LOAD:
	case YBD_CMD_IMAGE_UNLOAD:
	case YBD_CMD_IMAGE_GET:
		return (struct attr_set){ image_names, YBD_A_IMAGE_MAX,
					  YBD_A_IMAGE_SOURCE };
	case YBD_CMD_POOL_GET:
		return (struct attr_set){ pool_names, YBD_A_POOL_MAX, 0 };
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

int nl_decode_source(struct nlattr *nest, struct ybd_source_info *out)
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
	get_u32(tb, YBD_A_SOURCE_SWAPS, &out->swaps);
	get_u32(tb, YBD_A_SOURCE_PARKED, &out->parked);
	return 0;
}

int nl_decode_sources(const struct nlmsghdr *h, struct ybd_source_info *out)
{
	struct nlattr *tb[YBD_A_SOURCES_MAX + 1];
	int rc = nl_parse(h, tb, YBD_A_SOURCES_MAX);

	memset(out, 0, sizeof(*out));
	if (rc || !tb[YBD_A_SOURCES_SOURCE])
		return rc;
	return nl_decode_source(tb[YBD_A_SOURCES_SOURCE], out);
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
		rc = nl_decode_source((struct nlattr *)a, v++);
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

int nl_decode_image(const struct nlmsghdr *h, struct ybd_image_info *out)
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
		STAT(UPPER_MAPPED, upper_mapped),
		STAT(UPPER_ALLOCATED, upper_allocated),
		STAT(MAP_BYTES, map_bytes),
		STAT(MAP_EXTENTS, map_extents),
		STAT(LOG_BLOCKS, log_blocks),
		STAT(COMMITS, commits),
		STAT(CHECKPOINTS, checkpoints),
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

int nl_decode_device(const struct nlmsghdr *h, struct ybd_device_info *out)
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
	get_u32(tb, YBD_A_DEVICE_POOL_ID, &out->pool_id);
	get_str(tb, YBD_A_DEVICE_POOL_NAME, out->pool_name,
		sizeof(out->pool_name));
	get_bytes(tb, YBD_A_DEVICE_UPPER_UUID, out->upper_uuid,
		  sizeof(out->upper_uuid));
	get_u32(tb, YBD_A_DEVICE_UPPER_FLAGS, &out->upper_flags);
	get_u64(tb, YBD_A_DEVICE_QUOTA, &out->quota);
	get_u64(tb, YBD_A_DEVICE_RESERVE, &out->reserve);
	get_u32(tb, YBD_A_DEVICE_QUOTA_LEVEL, &out->quota_level);
	get_u32(tb, YBD_A_DEVICE_REPLUG_TIMEOUT, &out->replug_timeout);
	if (tb[YBD_A_DEVICE_STATS])
		rc = decode_stats(tb[YBD_A_DEVICE_STATS], &out->stats);
	return rc;
}

int nl_decode_pool(const struct nlmsghdr *h, struct ybd_pool_info *out)
{
	struct nlattr *tb[YBD_A_POOL_MAX + 1];
	int rc = nl_parse(h, tb, YBD_A_POOL_MAX);

	memset(out, 0, sizeof(*out));
	if (rc)
		return rc;
	get_u32(tb, YBD_A_POOL_ID, &out->id);
	get_bytes(tb, YBD_A_POOL_UUID, out->uuid, sizeof(out->uuid));
	get_str(tb, YBD_A_POOL_NAME, out->name, sizeof(out->name));
	get_str(tb, YBD_A_POOL_DISK, out->disk, sizeof(out->disk));
	get_u32(tb, YBD_A_POOL_MAJOR, &out->major);
	get_u32(tb, YBD_A_POOL_MINOR, &out->minor);
	get_u64(tb, YBD_A_POOL_SIZE, &out->size);
	get_u64(tb, YBD_A_POOL_SEGMENT_SIZE, &out->segment_size);
	get_u32(tb, YBD_A_POOL_LOGICAL_BLOCK_SIZE, &out->logical_block_size);
	get_u32(tb, YBD_A_POOL_SEGMENTS, &out->segments);
	get_u32(tb, YBD_A_POOL_FREE_SEGMENTS, &out->free_segments);
	get_u32(tb, YBD_A_POOL_METADATA_SEGMENTS, &out->metadata_segments);
	get_u32(tb, YBD_A_POOL_USERS, &out->users);
	get_u64(tb, YBD_A_POOL_COMMITS, &out->commits);
	get_u64(tb, YBD_A_POOL_FLUSHES, &out->flushes);
	get_u64(tb, YBD_A_POOL_FLUSHES_MERGED, &out->flushes_merged);
	get_u32(tb, YBD_A_POOL_LEVEL, &out->level);
	get_str(tb, YBD_A_POOL_FAILURE, out->failure, sizeof(out->failure));
	get_u64(tb, YBD_A_POOL_PROMISED, &out->promised);
	return 0;
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
		return nl_decode_device(h, &ev->device);
	case YBD_CMD_DEVICE_DETACHED_NTF:
		ev->kind = YBD_EVENT_DEVICE_DETACHED;
		return nl_decode_device(h, &ev->device);
	case YBD_CMD_DEVICE_CHANGED_NTF:
		ev->kind = YBD_EVENT_DEVICE_CHANGED;
		return nl_decode_device(h, &ev->device);
	case YBD_CMD_DEVICE_QUOTA_NTF:
		ev->kind = YBD_EVENT_DEVICE_QUOTA;
		return nl_decode_device(h, &ev->device);
	case YBD_CMD_POOL_LEVEL_NTF:
		ev->kind = YBD_EVENT_POOL_LEVEL;
		return nl_decode_pool(h, &ev->pool);
	case YBD_CMD_POOL_FAILED_NTF:
		ev->kind = YBD_EVENT_POOL_FAILED;
		return nl_decode_pool(h, &ev->pool);
	case YBD_CMD_SOURCE_SWAPPED_NTF:
		ev->kind = YBD_EVENT_SOURCE_SWAPPED;
		return nl_decode_sources(h, &ev->source);
	case YBD_CMD_IMAGE_LOADED_NTF:
		ev->kind = YBD_EVENT_IMAGE_LOADED;
		return nl_decode_image(h, &ev->image);
	case YBD_CMD_IMAGE_UNLOADED_NTF:
		ev->kind = YBD_EVENT_IMAGE_UNLOADED;
		return nl_decode_image(h, &ev->image);
	default:
		return -ENOMSG;	/* of a newer module */
	}
}
