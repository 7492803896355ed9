// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control path: sources and images.
 */
#include <net/genetlink.h>

#include "device.h"
#include "image.h"
#include "netlink_priv.h"
#include "nl_gen.h"
#include "source.h"

/* -------- sources -------- */

static int fill_source_disk(struct sk_buff *skb, struct ybd_source *source)
{
	struct ybd_backing *backing = ybd_backing_enter(source);
	struct block_device *bdev = backing->b.bdev;
	int ret = 0;

	if (nla_put_string(skb, YBD_A_SOURCE_DISK, dev_name(&bdev->bd_device)) ||
	    nla_put_u32(skb, YBD_A_SOURCE_MAJOR, MAJOR(bdev->bd_dev)) ||
	    nla_put_u32(skb, YBD_A_SOURCE_MINOR, MINOR(bdev->bd_dev)))
		ret = -EMSGSIZE;
	ybd_backing_leave(backing);
	return ret;
}

static int fill_source(struct sk_buff *skb, struct ybd_source *source, int type,
		       unsigned int images)
{
	struct nlattr *nest = nla_nest_start(skb, type);

	if (!nest)
		return -EMSGSIZE;
	if (nla_put_u32(skb, YBD_A_SOURCE_ID, source->id) ||
	    nla_put_string(skb, YBD_A_SOURCE_NAME, source->name) ||
	    fill_source_disk(skb, source) ||
	    nla_put_u64_64bit(skb, YBD_A_SOURCE_SIZE, source->size, 0) ||
	    nla_put_u32(skb, YBD_A_SOURCE_LOGICAL_BLOCK_SIZE,
			(source->block_mask + 1) << SECTOR_SHIFT) ||
	    nla_put_u32(skb, YBD_A_SOURCE_SWAPS, READ_ONCE(source->swaps)) ||
	    nla_put_u32(skb, YBD_A_SOURCE_PARKED, READ_ONCE(source->nr_parked)) ||
	    (images && nla_put_u32(skb, YBD_A_SOURCE_IMAGES, images)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int fill_source_answer(struct sk_buff *skb, const void *object)
{
	struct ybd_source *source = (struct ybd_source *)object;

	return fill_source(skb, source, YBD_A_SOURCES_SOURCE, READ_ONCE(source->images));
}

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
				  walk->cb->nlh->nlmsg_seq, &ybd_nl_family, NLM_F_MULTI,
				  YBD_CMD_SOURCE_GET);
	else
		hdr = genlmsg_put_reply(walk->skb, walk->info, &ybd_nl_family, 0,
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

	ret = ybd_nl_check_permission(skb, info->extack);
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

	ret = ybd_nl_check_permission(cb->skb, cb->extack);
	if (ret)
		return ret;
	ret = ybd_source_for_each(walk_source, &walk);
	if (ret && !skb->len)
		return ret;
	cb->args[0] = walk.above;
	return skb->len;
}

int ybd_nl_source_swap_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *attrs[YBD_A_SOURCE_MAX + 1];
	struct ybd_source *source;
	struct sk_buff *msg;
	int ret;

	ret = ybd_nl_check_permission(skb, info->extack) ?: REQUIRE(info, YBD_A_SOURCES_SOURCE);
	if (ret)
		return ret;
	ret = nla_parse_nested(attrs, YBD_A_SOURCE_MAX, info->attrs[YBD_A_SOURCES_SOURCE],
			       ybd_source_nl_policy, info->extack);
	if (ret)
		return ret;
	if (!attrs[YBD_A_SOURCE_FD] || !attrs[YBD_A_SOURCE_NAME]) {
		NL_SET_ERR_MSG(info->extack, "source: missing fd or name");
		return -EINVAL;
	}
	msg = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	source = ybd_device_swap_source(attrs[YBD_A_SOURCE_ID] ?
					nla_get_u32(attrs[YBD_A_SOURCE_ID]) : 0,
					attr_str(attrs[YBD_A_SOURCE_NAME]),
					nla_get_s32(attrs[YBD_A_SOURCE_FD]), info->extack);
	if (IS_ERR(source)) {
		nlmsg_free(msg);
		return PTR_ERR(source);
	}
	ybd_nl_notify(YBD_CMD_SOURCE_SWAPPED_NTF, answer_size(0), fill_source_answer, source);
	ret = ybd_nl_reply(msg, info, YBD_CMD_SOURCE_SWAP, fill_source_answer, source);
	ybd_source_put(source);
	return ret;
}

/* -------- images -------- */

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

/**
 * ybd_nl_image_get - find the image that a request names, and hold it
 * @info: the request
 * @id_attr: the attribute that has its number
 * @name_attr: the one that has its name; either, not both
 *
 * Return: the image, to be put, or an error.
 */
struct ybd_image *ybd_nl_image_get(struct genl_info *info, int id_attr, int name_attr)
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

	ret = ybd_nl_check_permission(skb, info->extack) ?: image_require(info);
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
		ybd_nl_notify(YBD_CMD_IMAGE_LOADED_NTF, answer_size(nr_sources), fill_image,
			      image);
		ret = ybd_nl_reply(msg, info, YBD_CMD_IMAGE_LOAD, fill_image, image);
	}
	ybd_image_put(image);
	return ret;
}

int ybd_nl_image_unload_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ybd_image *image;
	int ret;

	ret = ybd_nl_check_permission(skb, info->extack);
	if (ret)
		return ret;
	image = ybd_nl_image_get(info, YBD_A_IMAGE_ID, YBD_A_IMAGE_NAME);
	if (IS_ERR(image))
		return PTR_ERR(image);
	ret = ybd_image_unload(image, info->extack);
	if (!ret)
		ybd_nl_notify(YBD_CMD_IMAGE_UNLOADED_NTF, answer_size(image->nr_sources),
			      fill_image, image);
	ybd_image_put(image);
	return ret;
}

int ybd_nl_image_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ybd_image *image;
	struct sk_buff *msg;
	int ret;

	ret = ybd_nl_check_permission(skb, info->extack);
	if (ret)
		return ret;
	image = ybd_nl_image_get(info, YBD_A_IMAGE_ID, YBD_A_IMAGE_NAME);
	if (IS_ERR(image))
		return PTR_ERR(image);
	msg = genlmsg_new(answer_size(image->nr_sources), GFP_KERNEL);
	ret = msg ? ybd_nl_reply(msg, info, YBD_CMD_IMAGE_GET, fill_image, image) : -ENOMEM;
	ybd_image_put(image);
	return ret;
}

static const void *next_image(unsigned long *id)
{
	return ybd_image_next(id);
}

int ybd_nl_image_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return ybd_nl_dump_all(skb, cb, YBD_CMD_IMAGE_GET, fill_image_brief, next_image);
}
