// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control path: devices.
 */
#include <net/genetlink.h>

#include "device.h"
#include "image.h"
#include "netlink.h"
#include "netlink_priv.h"
#include "nl_gen.h"
#include "pool.h"
#include "upper_pool.h"
#include "upper_ram.h"

/* -------- filling in answers -------- */

static int fill_upper_stats(struct sk_buff *skb, const struct ybd_upper_info *u)
{
	if (nla_put_u64_64bit(skb, YBD_A_STATS_UPPER_MAPPED, u->mapped, YBD_A_STATS_PAD) ||
	    nla_put_u64_64bit(skb, YBD_A_STATS_UPPER_ALLOCATED, u->allocated,
			      YBD_A_STATS_PAD) ||
	    nla_put_u64_64bit(skb, YBD_A_STATS_MAP_BYTES, u->map_bytes, YBD_A_STATS_PAD) ||
	    nla_put_u64_64bit(skb, YBD_A_STATS_MAP_EXTENTS, u->extents, YBD_A_STATS_PAD) ||
	    nla_put_u64_64bit(skb, YBD_A_STATS_LOG_BLOCKS, u->log_blocks,
			      YBD_A_STATS_PAD) ||
	    nla_put_u64_64bit(skb, YBD_A_STATS_COMMITS, u->commits, YBD_A_STATS_PAD) ||
	    nla_put_u64_64bit(skb, YBD_A_STATS_CHECKPOINTS, u->checkpoints,
			      YBD_A_STATS_PAD))
		return -EMSGSIZE;
	return 0;
}

/* @upper: of a device that has an upper in a pool, or NULL. */
static int fill_stats(struct sk_buff *skb, const struct ybd_device *dev,
		      const struct ybd_upper_info *upper)
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
	if (upper && fill_upper_stats(skb, upper))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* What an upper in a pool adds to its device. */
static int fill_upper(struct sk_buff *skb, const struct ybd_device *dev,
		      const struct ybd_upper_info *upper)
{
	struct ybd_pool_info pool;

	ybd_pool_info(ybd_upper_pool(dev->upper), &pool);
	if (nla_put_u32(skb, YBD_A_DEVICE_POOL_ID, pool.id) ||
	    nla_put_string(skb, YBD_A_DEVICE_POOL_NAME, pool.name) ||
	    nla_put(skb, YBD_A_DEVICE_UPPER_UUID, sizeof(upper->uuid), &upper->uuid) ||
	    nla_put_u32(skb, YBD_A_DEVICE_UPPER_FLAGS, upper->flags) ||
	    nla_put_u64_64bit(skb, YBD_A_DEVICE_QUOTA, upper->quota, 0) ||
	    nla_put_u64_64bit(skb, YBD_A_DEVICE_RESERVE, upper->reserve, 0) ||
	    nla_put_u32(skb, YBD_A_DEVICE_QUOTA_LEVEL, upper->quota_level))
		return -EMSGSIZE;
	return 0;
}

static int fill_device(struct sk_buff *skb, const void *object)
{
	const struct ybd_device *dev = object;
	struct ybd_upper_info upper;
	unsigned int openers = dev->disk ? disk_openers(dev->disk) : 0;
	char disk_name[DISK_NAME_LEN];

	lockdep_assert_held(&ybd_registry_lock);
	if (dev->upper)
		ybd_upper_info(dev->upper, &upper);
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
	    nla_put_u32(skb, YBD_A_DEVICE_REPLUG_TIMEOUT, READ_ONCE(dev->fast.replug)) ||
	    fill_stats(skb, dev, dev->upper ? &upper : NULL) ||
	    (dev->upper && fill_upper(skb, dev, &upper)))
		return -EMSGSIZE;
	if (dev->ram && nla_put_u64_64bit(skb, YBD_A_DEVICE_UPPER_LIMIT,
					  ybd_ram_limit(dev->ram), 0))
		return -EMSGSIZE;
	return 0;
}

/* -------- devices -------- */

/* One that is being made or freed while this is on its way is not shown. */
static int fill_device_event(struct sk_buff *skb, const void *object)
{
	const struct ybd_device *dev = object;

	lockdep_assert_held(&ybd_registry_lock);
	if (ybd_device_find(dev->id) != dev || dev->life == YBD_DEVICE_NEW)
		return -ENODEV;
	return fill_device(skb, dev);
}

/**
 * ybd_nl_quota_level - tell who listens that a quota has reached or left a level
 * @dev: whose; it may be about to go, but is not freed before this returns
 */
void ybd_nl_quota_level(struct ybd_device *dev)
{
	ybd_nl_notify(YBD_CMD_DEVICE_QUOTA_NTF, answer_size(0), fill_device_event, dev);
}

/**
 * ybd_nl_device_detached - tell who listens that a detach has ended
 * @dev: the caller has a reference
 */
void ybd_nl_device_detached(struct ybd_device *dev)
{
	ybd_nl_notify(YBD_CMD_DEVICE_DETACHED_NTF, answer_size(0), fill_device, dev);
}

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

/* Of a request that may have one. */
static int get_replug(struct genl_info *info, u32 *replug)
{
	struct nlattr *attr = info->attrs[YBD_A_DEVICE_REPLUG_TIMEOUT];

	*replug = attr ? nla_get_u32(attr) : 0;
	if (*replug <= YBD_REPLUG_MAX)
		return 0;
	NL_SET_ERR_MSG_ATTR(info->extack, attr,
			    "replug-timeout: expected at most a day, 86400000 milliseconds");
	return -EINVAL;
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
	if (attrs[YBD_A_DEVICE_UPPER_FLAGS])
		config->upper_flags = nla_get_u32(attrs[YBD_A_DEVICE_UPPER_FLAGS]);
	if (attrs[YBD_A_DEVICE_QUOTA])
		config->quota = nla_get_u64(attrs[YBD_A_DEVICE_QUOTA]);
	if (attrs[YBD_A_DEVICE_RESERVE])
		config->reserve = nla_get_u64(attrs[YBD_A_DEVICE_RESERVE]);
}

/* Tell everybody of @dev, and whoever asked for it. Drops the reference on it. */
static int device_made(struct ybd_device *dev, struct sk_buff *msg, struct genl_info *info,
		       u8 event, u8 cmd)
{
	int ret;

	ybd_nl_notify(event, answer_size(0), fill_device, dev);
	ret = ybd_nl_reply(msg, info, cmd, fill_device, dev);
	ybd_device_put(dev);
	return ret;
}

int ybd_nl_device_create_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ybd_device_config config;
	struct ybd_image *image;
	struct ybd_device *dev;
	struct sk_buff *msg;
	u32 replug;
	int ret;

	ret = ybd_nl_check_permission(skb, info->extack) ?: REQUIRE(info, YBD_A_DEVICE_NAME) ?:
	      get_replug(info, &replug);
	if (ret)
		return ret;
	image = ybd_nl_image_get(info, YBD_A_DEVICE_IMAGE_ID, YBD_A_DEVICE_IMAGE_NAME);
	if (IS_ERR(image))
		return PTR_ERR(image);
	msg = genlmsg_new(answer_size(0), GFP_KERNEL);
	if (!msg) {
		ybd_image_put(image);
		return -ENOMEM;
	}
	device_config(&config, info, image);
	config.replug = replug;
	ret = ybd_nl_config_pool(&config, info);
	dev = ret ? ERR_PTR(ret) : ybd_device_create(&config, info->extack);
	ybd_nl_config_release(&config);
	ybd_image_put(image);
	if (IS_ERR(dev)) {
		nlmsg_free(msg);
		return PTR_ERR(dev);
	}
	return device_made(dev, msg, info, YBD_CMD_DEVICE_CREATED_NTF,
			   YBD_CMD_DEVICE_CREATE);
}

int ybd_nl_device_attach_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ybd_image *image;
	struct ybd_device *dev;
	struct sk_buff *msg;
	u32 replug;
	int ret;

	ret = ybd_nl_check_permission(skb, info->extack) ?:
	      REQUIRE(info, YBD_A_DEVICE_POOL_FD) ?:
	      REQUIRE(info, YBD_A_DEVICE_UPPER_UUID) ?:
	      get_replug(info, &replug);
	if (ret)
		return ret;
	image = ybd_nl_image_get(info, YBD_A_DEVICE_IMAGE_ID, YBD_A_DEVICE_IMAGE_NAME);
	if (IS_ERR(image))
		return PTR_ERR(image);
	msg = genlmsg_new(answer_size(0), GFP_KERNEL);
	dev = msg ? ybd_nl_attach_upper(info, image, replug) : ERR_PTR(-ENOMEM);
	ybd_image_put(image);
	if (IS_ERR(dev)) {
		nlmsg_free(msg);
		return PTR_ERR(dev);
	}
	return device_made(dev, msg, info, YBD_CMD_DEVICE_CREATED_NTF,
			   YBD_CMD_DEVICE_ATTACH);
}

int ybd_nl_device_resize_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ybd_device *dev;
	struct sk_buff *msg;
	int ret;

	ret = ybd_nl_check_permission(skb, info->extack) ?: REQUIRE(info, YBD_A_DEVICE_SIZE);
	if (ret)
		return ret;
	dev = device_get(info);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	msg = genlmsg_new(answer_size(0), GFP_KERNEL);
	ret = msg ? ybd_device_resize(dev, nla_get_u64(info->attrs[YBD_A_DEVICE_SIZE]),
				      info->extack) : -ENOMEM;
	if (ret) {
		nlmsg_free(msg);
		ybd_device_put(dev);
		return ret;
	}
	return device_made(dev, msg, info, YBD_CMD_DEVICE_CHANGED_NTF,
			   YBD_CMD_DEVICE_RESIZE);
}

int ybd_nl_device_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ybd_device *dev;
	struct sk_buff *msg;
	u32 replug;
	int ret;

	ret = ybd_nl_check_permission(skb, info->extack) ?:
	      REQUIRE(info, YBD_A_DEVICE_REPLUG_TIMEOUT) ?:
	      get_replug(info, &replug);
	if (ret)
		return ret;
	dev = device_get(info);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	msg = genlmsg_new(answer_size(0), GFP_KERNEL);
	if (!msg) {
		ybd_device_put(dev);
		return -ENOMEM;
	}
	ybd_device_set_replug(dev, replug);
	return device_made(dev, msg, info, YBD_CMD_DEVICE_CHANGED_NTF, YBD_CMD_DEVICE_SET);
}

int ybd_nl_device_detach_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ybd_device *dev;
	u32 flags = 0;
	int ret;

	ret = ybd_nl_check_permission(skb, info->extack);
	if (ret)
		return ret;
	if (info->attrs[YBD_A_DEVICE_DETACH_FLAGS])
		flags = nla_get_u32(info->attrs[YBD_A_DEVICE_DETACH_FLAGS]);
	dev = device_get(info);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	ret = ybd_device_detach(dev, flags, info->extack);
	ybd_device_put(dev);
	return ret;
}

int ybd_nl_device_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ybd_device *dev;
	struct sk_buff *msg;
	int ret;

	ret = ybd_nl_check_permission(skb, info->extack);
	if (ret)
		return ret;
	dev = device_get(info);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	msg = genlmsg_new(answer_size(0), GFP_KERNEL);
	ret = msg ? ybd_nl_reply(msg, info, YBD_CMD_DEVICE_GET, fill_device, dev) : -ENOMEM;
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
	return ybd_nl_dump_all(skb, cb, YBD_CMD_DEVICE_GET, fill_device, next_device);
}
