// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control path: permissions, the meaning of attributes, replies, dumps and
 * events. The shape of requests is checked by the policies in nl_gen.c. No
 * logic of its own: each handler calls one function of image.c or device.c.
 */
#include <linux/capability.h>
#include <linux/module.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "device.h"
#include "image.h"
#include "netlink.h"
#include "nl_gen.h"
#include "source.h"
#include "upper_ram.h"

static struct genl_family ybd_family;

/*
 * GENL_ADMIN_PERM asks for CAP_NET_ADMIN, which many containers have. Opening
 * block devices by number takes more: CAP_SYS_ADMIN, of whoever opened the
 * socket and of whoever sends, in the initial user namespace.
 */
static int check_permission(struct sk_buff *skb, struct netlink_ext_ack *extack)
{
	if (netlink_capable(skb, CAP_SYS_ADMIN) && capable(CAP_SYS_ADMIN))
		return 0;
	NL_SET_ERR_MSG(extack, "CAP_SYS_ADMIN in the initial user namespace is needed");
	return -EPERM;
}

/* The policies of nested attributes have bounded these strings. */
static const char *attr_str(const struct nlattr *attr)
{
	return nla_data(attr);
}

static int require(struct genl_info *info, int attr, const char *what)
{
	if (info->attrs[attr])
		return 0;
	ybd_extack_set(info->extack, what);
	return -EINVAL;
}

#define REQUIRE(info, attr)	require(info, attr, "missing attribute " #attr)

/* -------- filling in answers -------- */

/* More than fill_source() puts: two names and seven numbers. */
#define SOURCE_ROOM	(2 * NLA_HDRLEN + YBD_SOURCE_NAME_LEN + BDEVNAME_SIZE + 128)

static int fill_source(struct sk_buff *skb, const struct ybd_source *source, int type,
		       unsigned int images)
{
	struct nlattr *nest = nla_nest_start(skb, type);
	dev_t dev = source->b.bdev->bd_dev;

	if (!nest)
		return -EMSGSIZE;
	if (nla_put_u32(skb, YBD_A_SOURCE_ID, source->id) ||
	    nla_put_string(skb, YBD_A_SOURCE_NAME, source->name) ||
	    nla_put_string(skb, YBD_A_SOURCE_DISK, dev_name(&source->b.bdev->bd_device)) ||
	    nla_put_u32(skb, YBD_A_SOURCE_MAJOR, MAJOR(dev)) ||
	    nla_put_u32(skb, YBD_A_SOURCE_MINOR, MINOR(dev)) ||
	    nla_put_u64_64bit(skb, YBD_A_SOURCE_SIZE, source->size, 0) ||
	    nla_put_u32(skb, YBD_A_SOURCE_LOGICAL_BLOCK_SIZE,
			(source->block_mask + 1) << SECTOR_SHIFT) ||
	    (images && nla_put_u32(skb, YBD_A_SOURCE_IMAGES, images)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* All but the sources: the first message of a dump may be small. */
static int fill_image_brief(struct sk_buff *skb, const void *object)
{
	const struct ybd_image *image = object;

	if (nla_put_u32(skb, YBD_A_IMAGE_ID, image->id) ||
	    nla_put_string(skb, YBD_A_IMAGE_NAME, image->name) ||
	    nla_put(skb, YBD_A_IMAGE_UUID, sizeof(image->uuid), &image->uuid) ||
	    nla_put_u64_64bit(skb, YBD_A_IMAGE_SIZE,
			      (u64)image->nr_sectors << SECTOR_SHIFT, 0) ||
	    nla_put_u32(skb, YBD_A_IMAGE_LOGICAL_BLOCK_SIZE, image->logical_block_size) ||
	    nla_put_u32(skb, YBD_A_IMAGE_LAYERS, image->layers) ||
	    nla_put_u32(skb, YBD_A_IMAGE_FLAGS, image->flags) ||
	    nla_put(skb, YBD_A_IMAGE_IDENTITY, sizeof(image->identity), image->identity) ||
	    nla_put_u32(skb, YBD_A_IMAGE_EXTENT_COUNT, image->extents) ||
	    nla_put_u32(skb, YBD_A_IMAGE_MAP_KIND,
			ybd_map_is_table(&image->map) ? YBD_MAP_KIND_TABLE :
							YBD_MAP_KIND_EXTENTS) ||
	    nla_put_u64_64bit(skb, YBD_A_IMAGE_MAP_BYTES, image->map.bytes, 0) ||
	    nla_put_u64_64bit(skb, YBD_A_IMAGE_MAPPED_BYTES,
			      image->map.mapped << SECTOR_SHIFT, 0) ||
	    nla_put_u32(skb, YBD_A_IMAGE_DEVICES, image->devices))
		return -EMSGSIZE;
	return 0;
}

static int fill_image(struct sk_buff *skb, const void *object)
{
	const struct ybd_image *image = object;
	unsigned int i;

	if (fill_image_brief(skb, image))
		return -EMSGSIZE;
	for (i = 0; i < image->nr_sources; i++)
		if (fill_source(skb, image->sources[i], YBD_A_IMAGE_SOURCE, 0))
			return -EMSGSIZE;
	return 0;
}

static int fill_stats(struct sk_buff *skb, const struct ybd_device *dev)
{
	struct nlattr *nest = nla_nest_start(skb, YBD_A_DEVICE_STATS);
	enum ybd_stat what;

	BUILD_BUG_ON(YBD_A_STATS_IMAGE_READS + YBD_STAT_WOULD_BLOCK !=
		     YBD_A_STATS_WOULD_BLOCK);
	if (!nest)
		return -EMSGSIZE;
	for (what = 0; what < YBD_STAT_NR; what++)
		if (nla_put_u64_64bit(skb, YBD_A_STATS_IMAGE_READS + what,
				      ybd_device_stat(dev, what), YBD_A_STATS_PAD))
			return -EMSGSIZE;
	if (dev->ram &&
	    (nla_put_u64_64bit(skb, YBD_A_STATS_UPPER_USED, ybd_ram_used(dev->ram),
			       YBD_A_STATS_PAD) ||
	     nla_put_u64_64bit(skb, YBD_A_STATS_UPPER_LIMIT, ybd_ram_limit(dev->ram),
			       YBD_A_STATS_PAD)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int fill_device(struct sk_buff *skb, const void *object)
{
	const struct ybd_device *dev = object;
	unsigned int openers = dev->disk ? disk_openers(dev->disk) : 0;
	char disk_name[DISK_NAME_LEN];

	lockdep_assert_held(&ybd_registry_lock);
	snprintf(disk_name, sizeof(disk_name), "ybd%u", dev->id);
	if (nla_put_u32(skb, YBD_A_DEVICE_ID, dev->id) ||
	    nla_put_string(skb, YBD_A_DEVICE_NAME, dev->name) ||
	    nla_put_string(skb, YBD_A_DEVICE_DISK, disk_name) ||
	    nla_put_u32(skb, YBD_A_DEVICE_MAJOR, ybd_device_major()) ||
	    nla_put_u32(skb, YBD_A_DEVICE_MINOR, dev->id) ||
	    nla_put_u32(skb, YBD_A_DEVICE_IMAGE_ID, dev->image->id) ||
	    nla_put_string(skb, YBD_A_DEVICE_IMAGE_NAME, dev->image->name) ||
	    nla_put_u32(skb, YBD_A_DEVICE_UPPER, dev->upper_kind) ||
	    nla_put_u64_64bit(skb, YBD_A_DEVICE_SIZE,
			      (u64)dev->nr_sectors << SECTOR_SHIFT, 0) ||
	    nla_put_u32(skb, YBD_A_DEVICE_LOGICAL_BLOCK_SIZE,
			(dev->block_mask + 1) << SECTOR_SHIFT) ||
	    nla_put_u32(skb, YBD_A_DEVICE_STATE,
			dev->life == YBD_DEVICE_LIVE ? YBD_DEVICE_STATE_LIVE :
						       YBD_DEVICE_STATE_DETACHED) ||
	    nla_put_u32(skb, YBD_A_DEVICE_OPENERS, openers) ||
	    fill_stats(skb, dev))
		return -EMSGSIZE;
	if (dev->ram && nla_put_u64_64bit(skb, YBD_A_DEVICE_UPPER_LIMIT,
					  ybd_ram_limit(dev->ram), 0))
		return -EMSGSIZE;
	return 0;
}

typedef int (*fill_fn)(struct sk_buff *skb, const void *object);

/* Room for an image with all its sources; others are smaller. */
static size_t answer_size(unsigned int nr_sources)
{
	return NLMSG_GOODSIZE + nr_sources * SOURCE_ROOM;
}

/* The caller holds ybd_registry_lock. */
static int fill_message(struct sk_buff *skb, u32 portid, u32 seq, u8 cmd, fill_fn fill,
			const void *object)
{
	void *hdr = genlmsg_put(skb, portid, seq, &ybd_family, 0, cmd);

	if (!hdr || fill(skb, object))
		return -EMSGSIZE;
	genlmsg_end(skb, hdr);
	return 0;
}

/*
 * Answer in @skb, from genlmsg_new(answer_size()) and consumed. Whoever makes
 * something allocates it before, so that what was made cannot go unanswered.
 */
static int reply(struct sk_buff *skb, struct genl_info *info, u8 cmd, fill_fn fill,
		 const void *object)
{
	int ret;

	mutex_lock(&ybd_registry_lock);
	ret = fill_message(skb, info->snd_portid, info->snd_seq, cmd, fill, object);
	mutex_unlock(&ybd_registry_lock);
	if (ret) {
		nlmsg_free(skb);
		return ret;
	}
	return genlmsg_reply(skb, info);
}

/* Events inform: one that cannot be sent is lost. */
static void notify(u8 cmd, size_t size, fill_fn fill, const void *object)
{
	struct sk_buff *skb;
	int ret;

	if (!genl_has_listeners(&ybd_family, &init_net, YBD_NLGRP_EVENTS))
		return;
	skb = genlmsg_new(size, GFP_KERNEL);
	if (!skb)
		return;
	mutex_lock(&ybd_registry_lock);
	ret = fill_message(skb, 0, 0, cmd, fill, object);
	mutex_unlock(&ybd_registry_lock);
	if (ret)
		nlmsg_free(skb);
	else
		genlmsg_multicast(&ybd_family, skb, 0, YBD_NLGRP_EVENTS, GFP_KERNEL);
}

/* -------- information -------- */

int ybd_nl_info_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	unsigned int devices, images;
	struct sk_buff *msg;
	void *hdr;
	int ret;

	ret = check_permission(skb, info->extack);
	if (ret)
		return ret;
	if (info->attrs[YBD_A_INFO_ABI] &&
	    nla_get_u32(info->attrs[YBD_A_INFO_ABI]) != YBD_ABI_VERSION) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[YBD_A_INFO_ABI],
				    "abi: tool and module are of different versions");
		return -EPROTO;
	}
	mutex_lock(&ybd_registry_lock);
	devices = ybd_device_count();
	images = ybd_image_count();
	mutex_unlock(&ybd_registry_lock);

	msg = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	hdr = genlmsg_put_reply(msg, info, &ybd_family, 0, YBD_CMD_INFO_GET);
	if (!hdr || nla_put_u32(msg, YBD_A_INFO_ABI, YBD_ABI_VERSION) ||
	    nla_put_string(msg, YBD_A_INFO_VERSION, YBD_VERSION) ||
	    nla_put_u32(msg, YBD_A_INFO_DEVICES, devices) ||
	    nla_put_u32(msg, YBD_A_INFO_IMAGES, images)) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

/* -------- sources -------- */

/**
 * struct source_walk - a walk over the sources that fills a message
 * @skb: the message
 * @cb: of a dump, or NULL
 * @info: of a request for one source, or NULL
 * @above: only sources with a larger number
 * @id: only this source, if not 0
 */
struct source_walk {
	struct sk_buff		*skb;
	struct netlink_callback	*cb;
	struct genl_info	*info;
	u32			above;
	u32			id;
};

static int walk_source(struct ybd_source *source, void *arg)
{
	struct source_walk *walk = arg;
	void *hdr;

	if (source->id <= walk->above || (walk->id && source->id != walk->id))
		return 0;
	if (walk->cb)
		hdr = genlmsg_put(walk->skb, NETLINK_CB(walk->cb->skb).portid,
				  walk->cb->nlh->nlmsg_seq, &ybd_family, NLM_F_MULTI,
				  YBD_CMD_SOURCE_GET);
	else
		hdr = genlmsg_put_reply(walk->skb, walk->info, &ybd_family, 0,
					YBD_CMD_SOURCE_GET);
	if (!hdr)
		return -EMSGSIZE;
	if (fill_source(walk->skb, source, YBD_A_SOURCES_SOURCE, source->images)) {
		genlmsg_cancel(walk->skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(walk->skb, hdr);
	walk->above = source->id;
	return walk->id ? 1 : 0;
}

int ybd_nl_source_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *attrs[YBD_A_SOURCE_MAX + 1];
	struct source_walk walk = { .info = info };
	int ret;

	ret = check_permission(skb, info->extack);
	if (ret)
		return ret;
	ret = REQUIRE(info, YBD_A_SOURCES_SOURCE);
	if (ret)
		return ret;
	ret = nla_parse_nested(attrs, YBD_A_SOURCE_MAX, info->attrs[YBD_A_SOURCES_SOURCE],
			       ybd_source_nl_policy, info->extack);
	if (ret)
		return ret;
	if (!attrs[YBD_A_SOURCE_ID] || !nla_get_u32(attrs[YBD_A_SOURCE_ID])) {
		NL_SET_ERR_MSG(info->extack, "source: missing id");
		return -EINVAL;
	}
	walk.id = nla_get_u32(attrs[YBD_A_SOURCE_ID]);
	walk.skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!walk.skb)
		return -ENOMEM;
	ret = ybd_source_for_each(walk_source, &walk);
	if (ret <= 0) {
		nlmsg_free(walk.skb);
		NL_SET_ERR_MSG(info->extack, "no such source");
		return ret ?: -ENOENT;
	}
	return genlmsg_reply(walk.skb, info);
}

int ybd_nl_source_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct source_walk walk = { .skb = skb, .cb = cb, .above = cb->args[0] };
	int ret;

	ret = check_permission(cb->skb, cb->extack);
	if (ret)
		return ret;
	ret = ybd_source_for_each(walk_source, &walk);
	if (ret && !skb->len)
		return ret;
	cb->args[0] = walk.above;
	return skb->len;
}

/* -------- images -------- */

/* Find the image that @info names by number or name, and hold it. */
static struct ybd_image *image_get(struct genl_info *info, int id_attr, int name_attr)
{
	struct nlattr *id = info->attrs[id_attr], *name = info->attrs[name_attr];
	struct ybd_image *image;

	if (!id == !name) {
		GENL_SET_ERR_MSG(info, "image: expected either its id or its name");
		return ERR_PTR(-EINVAL);
	}
	mutex_lock(&ybd_registry_lock);
	image = id ? ybd_image_find(nla_get_u32(id)) : ybd_image_find_name(attr_str(name));
	if (image)
		refcount_inc(&image->ref);
	mutex_unlock(&ybd_registry_lock);
	if (image)
		return image;
	NL_SET_ERR_MSG_ATTR(info->extack, id ?: name, "no such image");
	return ERR_PTR(-ENOENT);
}

static int image_add_source(struct ybd_image *image, const struct nlattr *nest,
			    struct netlink_ext_ack *extack)
{
	struct nlattr *attrs[YBD_A_SOURCE_MAX + 1];
	struct ybd_source *source;
	int ret;

	ret = nla_parse_nested(attrs, YBD_A_SOURCE_MAX, nest, ybd_source_nl_policy, extack);
	if (ret)
		return ret;
	if (!attrs[YBD_A_SOURCE_FD] || !attrs[YBD_A_SOURCE_NAME]) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "source: missing fd or name");
		return -EINVAL;
	}
	source = ybd_source_get_fd(nla_get_s32(attrs[YBD_A_SOURCE_FD]),
				   attr_str(attrs[YBD_A_SOURCE_NAME]), extack);
	if (IS_ERR(source))
		return PTR_ERR(source);
	image->sources[image->nr_sources++] = source;
	return 0;
}

/* Several attributes of one type: info->attrs[] keeps only the last. */
static unsigned int count_sources(struct genl_info *info)
{
	unsigned int nr = 0;
	struct nlattr *attr;
	int rem;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem)
		if (nla_type(attr) == YBD_A_IMAGE_SOURCE)
			nr++;
	return nr;
}

static int image_add_sources(struct ybd_image *image, struct genl_info *info)
{
	struct nlattr *attr;
	int rem, ret;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		if (nla_type(attr) != YBD_A_IMAGE_SOURCE)
			continue;
		ret = image_add_source(image, attr, info->extack);
		if (ret)
			return ret;
	}
	return 0;
}

/* It is shown in sysfs and in the log. */
static bool name_is_printable(const char *name)
{
	const char *c;

	for (c = name; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return false;
	return *name;
}

static int image_set_attrs(struct ybd_image *image, struct genl_info *info)
{
	u32 block = nla_get_u32(info->attrs[YBD_A_IMAGE_LOGICAL_BLOCK_SIZE]);
	u64 size = nla_get_u64(info->attrs[YBD_A_IMAGE_SIZE]);

	if (block != 512 && block != 4096) {
		NL_SET_ERR_MSG_ATTR(info->extack,
				    info->attrs[YBD_A_IMAGE_LOGICAL_BLOCK_SIZE],
				    "logical-block-size: expected 512 or 4096");
		return -EINVAL;
	}
	if (!size || size & (block - 1) || size > LLONG_MAX) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[YBD_A_IMAGE_SIZE],
				    "size: expected a multiple of the logical block size, above 0, below 8 EiB");
		return -EINVAL;
	}
	if (nla_get_u32(info->attrs[YBD_A_IMAGE_EXTENT_COUNT]) > YBD_MAX_EXTENTS) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[YBD_A_IMAGE_EXTENT_COUNT],
				    "extent-count: more than 16777216");
		return -E2BIG;
	}
	if (!name_is_printable(attr_str(info->attrs[YBD_A_IMAGE_NAME]))) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[YBD_A_IMAGE_NAME],
				    "name: expected printable characters without spaces");
		return -EINVAL;
	}
	image->nr_sectors = size >> SECTOR_SHIFT;
	image->logical_block_size = block;
	strscpy(image->name, attr_str(info->attrs[YBD_A_IMAGE_NAME]), sizeof(image->name));
	if (info->attrs[YBD_A_IMAGE_UUID])
		import_uuid(&image->uuid, nla_data(info->attrs[YBD_A_IMAGE_UUID]));
	if (info->attrs[YBD_A_IMAGE_FLAGS])
		image->flags = nla_get_u32(info->attrs[YBD_A_IMAGE_FLAGS]);
	if (info->attrs[YBD_A_IMAGE_LAYERS])
		image->layers = nla_get_u32(info->attrs[YBD_A_IMAGE_LAYERS]);
	if (info->attrs[YBD_A_IMAGE_IDENTITY])
		memcpy(image->identity, nla_data(info->attrs[YBD_A_IMAGE_IDENTITY]),
		       sizeof(image->identity));
	return 0;
}

static int image_require(struct genl_info *info)
{
	return REQUIRE(info, YBD_A_IMAGE_NAME) ?:
	       REQUIRE(info, YBD_A_IMAGE_SIZE) ?:
	       REQUIRE(info, YBD_A_IMAGE_LOGICAL_BLOCK_SIZE) ?:
	       REQUIRE(info, YBD_A_IMAGE_MAP_FD) ?:
	       REQUIRE(info, YBD_A_IMAGE_EXTENT_COUNT);
}

int ybd_nl_image_load_doit(struct sk_buff *skb, struct genl_info *info)
{
	unsigned int nr_sources = count_sources(info);
	struct ybd_image *image;
	struct sk_buff *msg;
	int ret;

	ret = check_permission(skb, info->extack) ?: image_require(info);
	if (ret)
		return ret;
	if (nr_sources > YBD_MAX_SOURCES) {
		GENL_SET_ERR_MSG(info, "source: more than 255");
		return -E2BIG;
	}
	image = ybd_image_alloc(nr_sources);
	if (!image)
		return -ENOMEM;
	msg = genlmsg_new(answer_size(nr_sources), GFP_KERNEL);
	if (!msg) {
		ybd_image_put(image);
		return -ENOMEM;
	}
	ret = image_set_attrs(image, info) ?:
	      image_add_sources(image, info) ?:
	      ybd_image_read_map(image, nla_get_s32(info->attrs[YBD_A_IMAGE_MAP_FD]),
				 nla_get_u32(info->attrs[YBD_A_IMAGE_EXTENT_COUNT]),
				 info->extack) ?:
	      ybd_image_register(image, info->extack);
	if (ret) {
		nlmsg_free(msg);
	} else {
		notify(YBD_CMD_IMAGE_LOADED_NTF, answer_size(nr_sources), fill_image,
		       image);
		ret = reply(msg, info, YBD_CMD_IMAGE_LOAD, fill_image, image);
	}
	ybd_image_put(image);
	return ret;
}

int ybd_nl_image_unload_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ybd_image *image;
	int ret;

	ret = check_permission(skb, info->extack);
	if (ret)
		return ret;
	image = image_get(info, YBD_A_IMAGE_ID, YBD_A_IMAGE_NAME);
	if (IS_ERR(image))
		return PTR_ERR(image);
	ret = ybd_image_unload(image, info->extack);
	if (!ret)
		notify(YBD_CMD_IMAGE_UNLOADED_NTF, answer_size(image->nr_sources),
		       fill_image, image);
	ybd_image_put(image);
	return ret;
}

int ybd_nl_image_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ybd_image *image;
	struct sk_buff *msg;
	int ret;

	ret = check_permission(skb, info->extack);
	if (ret)
		return ret;
	image = image_get(info, YBD_A_IMAGE_ID, YBD_A_IMAGE_NAME);
	if (IS_ERR(image))
		return PTR_ERR(image);
	msg = genlmsg_new(answer_size(image->nr_sources), GFP_KERNEL);
	ret = msg ? reply(msg, info, YBD_CMD_IMAGE_GET, fill_image, image) : -ENOMEM;
	ybd_image_put(image);
	return ret;
}

static int dump_one(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd,
		    fill_fn fill, const void *object)
{
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				&ybd_family, NLM_F_MULTI, cmd);

	if (!hdr)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, hdr);
	if (fill(skb, object)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

/* What both dumps share: cb->args[0] is the number to go on from. */
static int dump_all(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd,
		    fill_fn fill, const void *(*next)(unsigned long *id))
{
	unsigned long id = cb->args[0];
	const void *object;
	int ret;

	ret = check_permission(cb->skb, cb->extack);
	if (ret)
		return ret;
	mutex_lock(&ybd_registry_lock);
	cb->seq = ybd_registry_generation;
	while ((object = next(&id))) {
		ret = dump_one(skb, cb, cmd, fill, object);
		if (ret)
			break;
		id++;
	}
	mutex_unlock(&ybd_registry_lock);
	cb->args[0] = id;
	/* An object that fits no message must not end as an empty answer. */
	return skb->len ?: ret;
}

static const void *next_image(unsigned long *id)
{
	return ybd_image_next(id);
}

int ybd_nl_image_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_all(skb, cb, YBD_CMD_IMAGE_GET, fill_image_brief, next_image);
}

/* -------- devices -------- */

/* Find the device that @info names by number or name, and hold it. */
static struct ybd_device *device_get(struct genl_info *info)
{
	struct nlattr *id = info->attrs[YBD_A_DEVICE_ID];
	struct nlattr *name = info->attrs[YBD_A_DEVICE_NAME];
	struct ybd_device *dev;

	if (!id == !name) {
		GENL_SET_ERR_MSG(info, "device: expected either its id or its name");
		return ERR_PTR(-EINVAL);
	}
	mutex_lock(&ybd_registry_lock);
	dev = id ? ybd_device_find(nla_get_u32(id)) : ybd_device_find_name(attr_str(name));
	if (dev && (dev->life == YBD_DEVICE_NEW || !refcount_inc_not_zero(&dev->ref)))
		dev = NULL;
	mutex_unlock(&ybd_registry_lock);
	if (dev)
		return dev;
	NL_SET_ERR_MSG_ATTR(info->extack, id ?: name, "no such device");
	return ERR_PTR(-ENODEV);
}

static void device_config(struct ybd_device_config *config, struct genl_info *info,
			  struct ybd_image *image)
{
	struct nlattr **attrs = info->attrs;

	*config = (struct ybd_device_config) {
		.name = attr_str(attrs[YBD_A_DEVICE_NAME]),
		.image = image,
		.size = (u64)image->nr_sectors << SECTOR_SHIFT,
		.logical_block_size = image->logical_block_size,
		.cgroup_fd = -1,
	};
	if (attrs[YBD_A_DEVICE_UPPER])
		config->upper_kind = nla_get_u32(attrs[YBD_A_DEVICE_UPPER]);
	if (attrs[YBD_A_DEVICE_UPPER_LIMIT])
		config->upper_limit = nla_get_u64(attrs[YBD_A_DEVICE_UPPER_LIMIT]);
	if (attrs[YBD_A_DEVICE_SIZE])
		config->size = nla_get_u64(attrs[YBD_A_DEVICE_SIZE]);
	if (attrs[YBD_A_DEVICE_LOGICAL_BLOCK_SIZE])
		config->logical_block_size =
			nla_get_u32(attrs[YBD_A_DEVICE_LOGICAL_BLOCK_SIZE]);
	if (attrs[YBD_A_DEVICE_CGROUP_FD])
		config->cgroup_fd = nla_get_s32(attrs[YBD_A_DEVICE_CGROUP_FD]);
}

int ybd_nl_device_create_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ybd_device_config config;
	struct ybd_image *image;
	struct ybd_device *dev;
	struct sk_buff *msg;
	int ret;

	ret = check_permission(skb, info->extack) ?: REQUIRE(info, YBD_A_DEVICE_NAME);
	if (ret)
		return ret;
	image = image_get(info, YBD_A_DEVICE_IMAGE_ID, YBD_A_DEVICE_IMAGE_NAME);
	if (IS_ERR(image))
		return PTR_ERR(image);
	msg = genlmsg_new(answer_size(0), GFP_KERNEL);
	if (!msg) {
		ybd_image_put(image);
		return -ENOMEM;
	}
	device_config(&config, info, image);
	dev = ybd_device_create(&config, info->extack);
	ybd_image_put(image);
	if (IS_ERR(dev)) {
		nlmsg_free(msg);
		return PTR_ERR(dev);
	}
	notify(YBD_CMD_DEVICE_CREATED_NTF, answer_size(0), fill_device, dev);
	ret = reply(msg, info, YBD_CMD_DEVICE_CREATE, fill_device, dev);
	ybd_device_put(dev);
	return ret;
}

int ybd_nl_device_detach_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ybd_device *dev;
	u32 flags = 0;
	int ret;

	ret = check_permission(skb, info->extack);
	if (ret)
		return ret;
	if (info->attrs[YBD_A_DEVICE_DETACH_FLAGS])
		flags = nla_get_u32(info->attrs[YBD_A_DEVICE_DETACH_FLAGS]);
	dev = device_get(info);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	ret = ybd_device_detach(dev, flags & YBD_DETACH_FLAGS_FORCE, info->extack);
	if (!ret)
		notify(YBD_CMD_DEVICE_DETACHED_NTF, answer_size(0), fill_device, dev);
	ybd_device_put(dev);
	return ret;
}

int ybd_nl_device_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ybd_device *dev;
	struct sk_buff *msg;
	int ret;

	ret = check_permission(skb, info->extack);
	if (ret)
		return ret;
	dev = device_get(info);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	msg = genlmsg_new(answer_size(0), GFP_KERNEL);
	ret = msg ? reply(msg, info, YBD_CMD_DEVICE_GET, fill_device, dev) : -ENOMEM;
	ybd_device_put(dev);
	return ret;
}

/* A device that is still being made is not shown. */
static const void *next_device(unsigned long *id)
{
	struct ybd_device *dev;

	while ((dev = ybd_device_next(id)) && dev->life == YBD_DEVICE_NEW)
		++*id;
	return dev;
}

int ybd_nl_device_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_all(skb, cb, YBD_CMD_DEVICE_GET, fill_device, next_device);
}

/* -------- the family -------- */

static const struct genl_multicast_group ybd_mcgrps[] = {
	[YBD_NLGRP_EVENTS] = {
		.name = YBD_MCGRP_EVENTS,
		.flags = GENL_MCAST_CAP_SYS_ADMIN,
	},
};

static struct genl_family ybd_family __ro_after_init = {
	.name		= YBD_GENL_NAME,
	.version	= YBD_GENL_VERSION,
	.netnsok	= false,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.ops		= ybd_nl_ops,
	.n_ops		= ARRAY_SIZE(ybd_nl_ops),
	.mcgrps		= ybd_mcgrps,
	.n_mcgrps	= ARRAY_SIZE(ybd_mcgrps),
};

int ybd_netlink_init(void)
{
	return genl_register_family(&ybd_family);
}

void ybd_netlink_exit(void)
{
	genl_unregister_family(&ybd_family);
}
