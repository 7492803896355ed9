// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control path: pools, and the uppers in them.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <net/genetlink.h>

#include "device.h"
#include "netlink.h"
#include "netlink_priv.h"
#include "nl_gen.h"
#include "pool.h"
#include "upper_pool.h"

/* -------- pools -------- */

static int fill_pool(struct sk_buff *skb, const struct ybd_pool_info *p)
{
	if (nla_put_u32(skb, YBD_A_POOL_ID, p->id) ||
	    nla_put(skb, YBD_A_POOL_UUID, sizeof(p->uuid), &p->uuid) ||
	    nla_put_string(skb, YBD_A_POOL_NAME, p->name) ||
	    nla_put_string(skb, YBD_A_POOL_DISK, p->disk) ||
	    nla_put_u32(skb, YBD_A_POOL_MAJOR, MAJOR(p->dev)) ||
	    nla_put_u32(skb, YBD_A_POOL_MINOR, MINOR(p->dev)) ||
	    nla_put_u64_64bit(skb, YBD_A_POOL_SIZE, p->size, 0) ||
	    nla_put_u64_64bit(skb, YBD_A_POOL_SEGMENT_SIZE, p->segment_size, 0) ||
	    nla_put_u32(skb, YBD_A_POOL_LOGICAL_BLOCK_SIZE, p->block_size) ||
	    nla_put_u32(skb, YBD_A_POOL_SEGMENTS, p->segments) ||
	    nla_put_u32(skb, YBD_A_POOL_FREE_SEGMENTS, p->free_segments) ||
	    nla_put_u32(skb, YBD_A_POOL_METADATA_SEGMENTS, p->metadata_segments) ||
	    nla_put_u32(skb, YBD_A_POOL_LEVEL, p->level) ||
	    (p->failure && nla_put_string(skb, YBD_A_POOL_FAILURE, p->failure)) ||
	    nla_put_u32(skb, YBD_A_POOL_USERS, p->users) ||
	    nla_put_u64_64bit(skb, YBD_A_POOL_COMMITS, p->commits, 0) ||
	    nla_put_u64_64bit(skb, YBD_A_POOL_FLUSHES, p->flushes, 0) ||
	    nla_put_u64_64bit(skb, YBD_A_POOL_FLUSHES_MERGED, p->flushes_merged, 0) ||
	    nla_put_u64_64bit(skb, YBD_A_POOL_PROMISED, p->promised, 0))
		return -EMSGSIZE;
	return 0;
}

static int fill_pool_event(struct sk_buff *skb, const void *object)
{
	struct ybd_pool_info p;

	ybd_pool_info((struct ybd_pool *)object, &p);
	return fill_pool(skb, &p);
}

/**
 * ybd_nl_pool_level - tell who listens that a pool has reached or left a level
 * @pool: which
 */
void ybd_nl_pool_level(struct ybd_pool *pool)
{
	ybd_nl_notify(YBD_CMD_POOL_LEVEL_NTF, answer_size(0), fill_pool_event, pool);
}

/**
 * ybd_nl_pool_failed - tell who listens that a pool is not written any more
 * @pool: which
 */
void ybd_nl_pool_failed(struct ybd_pool *pool)
{
	ybd_nl_notify(YBD_CMD_POOL_FAILED_NTF, answer_size(0), fill_pool_event, pool);
}

/**
 * struct pool_walk - a walk over the pools that fills a message
 * @skb: the message
 * @cb: of a dump, or NULL
 * @info: of a request for one pool, or NULL
 * @above: only pools with a larger number; they come in its order
 */
struct pool_walk {
	struct sk_buff		*skb;
	struct netlink_callback	*cb;
	struct genl_info	*info;
	u32			above;
};

static bool is_asked_for(const struct genl_info *info, const struct ybd_pool_info *p)
{
	struct nlattr *id = info->attrs[YBD_A_POOL_ID];

	if (id)
		return nla_get_u32(id) == p->id;
	return !memcmp(nla_data(info->attrs[YBD_A_POOL_UUID]), &p->uuid, sizeof(p->uuid));
}

static int walk_pool(struct ybd_pool *pool, void *arg)
{
	struct pool_walk *walk = arg;
	struct ybd_pool_info p;
	void *hdr;

	ybd_pool_info(pool, &p);
	if (p.id <= walk->above || (walk->info && !is_asked_for(walk->info, &p)))
		return 0;
	if (walk->cb)
		hdr = genlmsg_put(walk->skb, NETLINK_CB(walk->cb->skb).portid,
				  walk->cb->nlh->nlmsg_seq, &ybd_nl_family, NLM_F_MULTI,
				  YBD_CMD_POOL_GET);
	else
		hdr = genlmsg_put_reply(walk->skb, walk->info, &ybd_nl_family, 0,
					YBD_CMD_POOL_GET);
	if (!hdr)
		return -EMSGSIZE;
	if (fill_pool(walk->skb, &p)) {
		genlmsg_cancel(walk->skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(walk->skb, hdr);
	walk->above = p.id;
	return walk->info ? 1 : 0;
}

int ybd_nl_pool_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = info->attrs[YBD_A_POOL_ID];
	struct nlattr *uuid = info->attrs[YBD_A_POOL_UUID];
	struct pool_walk walk = { .info = info };
	int ret;

	ret = ybd_nl_check_permission(skb, info->extack);
	if (ret)
		return ret;
	if (!id == !uuid) {
		GENL_SET_ERR_MSG(info, "pool: expected either its id or its uuid");
		return -EINVAL;
	}
	walk.skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!walk.skb)
		return -ENOMEM;
	ret = ybd_pool_for_each(walk_pool, &walk);
	if (ret <= 0) {
		nlmsg_free(walk.skb);
		if (ret)
			return ret;
		NL_SET_ERR_MSG_ATTR(info->extack, id ?: uuid, "no such pool is in use");
		return -ENOENT;
	}
	return genlmsg_reply(walk.skb, info);
}

int ybd_nl_pool_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct pool_walk walk = { .skb = skb, .cb = cb, .above = cb->args[0] };
	int ret;

	ret = ybd_nl_check_permission(cb->skb, cb->extack);
	if (ret)
		return ret;
	ret = ybd_pool_for_each(walk_pool, &walk);
	if (ret && !skb->len)
		return ret;
	cb->args[0] = walk.above;
	return skb->len;
}

/* -------- uppers -------- */

/**
 * struct rule - an attribute that does not go with the others
 * @attr: which
 * @why: what is said about it
 */
struct rule {
	int		attr;
	const char	*why;
};

static int refuse_attrs(struct genl_info *info, const struct rule *rule, size_t nr)
{
	for (; nr--; rule++) {
		if (!info->attrs[rule->attr])
			continue;
		NL_SET_BAD_ATTR(info->extack, info->attrs[rule->attr]);
		ybd_extack_set(info->extack, rule->why);
		return -EINVAL;
	}
	return 0;
}

static int check_multiple(struct genl_info *info, int attr, const char *why)
{
	if (!info->attrs[attr] || !(nla_get_u64(info->attrs[attr]) & (YBD_BLOCK_SIZE - 1)))
		return 0;
	NL_SET_BAD_ATTR(info->extack, info->attrs[attr]);
	ybd_extack_set(info->extack, why);
	return -EINVAL;
}

/* Do the attributes that say what the upper is go together? */
static int check_pool_attrs(struct genl_info *info, const struct ybd_device_config *config)
{
	static const struct rule others[] = {
		{ YBD_A_DEVICE_POOL_FD, "pool-fd: expected only with upper 2 (pool)" },
		{ YBD_A_DEVICE_UPPER_FLAGS, "upper-flags: expected only with upper 2 (pool)" },
		{ YBD_A_DEVICE_QUOTA, "quota: expected only with upper 2 (pool)" },
		{ YBD_A_DEVICE_RESERVE, "reserve: expected only with upper 2 (pool)" },
		{ YBD_A_DEVICE_LAYERS_FD, "layers-fd: expected only with upper 2 (pool)" },
	};
	static const struct rule pool[] = {
		{ YBD_A_DEVICE_UPPER_LIMIT, "upper-limit: expected only with upper 1 (ram)" },
		{ YBD_A_DEVICE_CGROUP_FD, "cgroup-fd: expected only with upper 1 (ram)" },
	};
	static const struct rule vol[] = {
		{ YBD_A_DEVICE_LAYERS_FD, "layers-fd: expected only for a persistent upper" },
	};
	static const char no_pool[] =
		"missing attribute pool-fd: expected a descriptor of the pool, upper is 2 (pool)";
	int ret;

	if (config->upper_kind != YBD_UPPER_KIND_POOL)
		return refuse_attrs(info, others, ARRAY_SIZE(others));
	ret = refuse_attrs(info, pool, ARRAY_SIZE(pool)) ?:
	      ybd_nl_require(info, YBD_A_DEVICE_POOL_FD, no_pool) ?:
	      check_multiple(info, YBD_A_DEVICE_QUOTA, "quota: expected a multiple of 4096") ?:
	      check_multiple(info, YBD_A_DEVICE_RESERVE,
			     "reserve: expected a multiple of 4096");
	if (ret)
		return ret;
	if (config->quota && config->reserve > config->quota) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[YBD_A_DEVICE_RESERVE],
				    "reserve: expected no more than quota");
		return -EINVAL;
	}
	if (!(config->upper_flags & YBD_UPPER_FLAGS_VOLATILE))
		return ybd_nl_require(info, YBD_A_DEVICE_LAYERS_FD,
				      "missing attribute layers-fd: expected a list of layers, the upper is persistent");
	if (config->upper_flags & YBD_UPPER_FLAGS_AUTOSTART) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[YBD_A_DEVICE_UPPER_FLAGS],
				    "upper-flags: expected autostart (2) only for a persistent upper");
		return -EINVAL;
	}
	return refuse_attrs(info, vol, ARRAY_SIZE(vol));
}

/* As far as all who read the list rely on it; returns the bytes it has, or 0. */
static u32 layer_len(const void *at, u32 left)
{
	const struct ybd_fmt_layer *layer = at;
	u32 len, kind;

	if (left < sizeof(*layer))
		return 0;
	len = le16_to_cpu(layer->len);
	kind = le16_to_cpu(layer->kind);
	if (len % 8 || len <= sizeof(*layer) || len > left || layer->reserved ||
	    kind < YBD_FMT_LAYER_LVOL || kind > YBD_FMT_LAYER_FILE ||
	    layer->text[len - sizeof(*layer) - 1])
		return 0;
	return len;
}

static int check_layers(const void *list, u32 bytes, struct netlink_ext_ack *extack)
{
	u32 at, len, nr = 0;

	for (at = 0; at < bytes; at += len) {
		len = layer_len(list + at, bytes - at);
		if (!len || ++nr > YBD_FMT_MAX_LAYERS) {
			NL_SET_ERR_MSG(extack, "layers-fd: expected 1 to 256 layers, and nothing else");
			return -EINVAL;
		}
	}
	return 0;
}

/* Read once, so that what was checked is what is used. @config owns the list. */
static int read_layers(struct ybd_device_config *config, struct file *file,
		       struct netlink_ext_ack *extack)
{
	loff_t size, pos = 0;
	ssize_t got;
	void *list;

	if (!(file->f_mode & FMODE_READ) || !S_ISREG(file_inode(file)->i_mode)) {
		NL_SET_ERR_MSG(extack, "layers-fd: expected a readable regular file");
		return -EINVAL;
	}
	size = i_size_read(file_inode(file));
	if (size <= 0 || size > YBD_FMT_LAYERS_MAX) {
		NL_SET_ERR_MSG(extack, "layers-fd: expected 1 to 64512 bytes");
		return -EINVAL;
	}
	list = kvmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!list)
		return -ENOMEM;
	config->layers = list;
	config->layers_bytes = size;
	while (pos < size) {
		got = kernel_read(file, list + pos, size - pos, &pos);
		if (got <= 0) {
			NL_SET_ERR_MSG(extack, "layers-fd: cannot be read");
			return got ?: -EIO;
		}
	}
	return check_layers(list, size, extack);
}

static int config_layers(struct ybd_device_config *config, struct genl_info *info)
{
	struct nlattr *attr = info->attrs[YBD_A_DEVICE_LAYERS_FD];
	struct file *file;
	int ret;

	if (!attr)
		return 0;
	file = fget(nla_get_s32(attr));
	if (!file) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "layers-fd: expected an open descriptor");
		return -EBADF;
	}
	ret = read_layers(config, file, info->extack);
	if (ret)
		NL_SET_BAD_ATTR(info->extack, attr);
	fput(file);
	return ret;
}

/* The pool of a request; to be put. */
static struct ybd_pool *pool_get_fd(struct genl_info *info)
{
	struct nlattr *attr = info->attrs[YBD_A_DEVICE_POOL_FD];
	struct ybd_pool *pool = ybd_pool_get_fd(nla_get_s32(attr), info->extack);

	if (IS_ERR(pool))
		NL_SET_BAD_ATTR(info->extack, attr);
	return pool;
}

/**
 * ybd_nl_config_pool - what a request says of an upper in a pool
 * @config: what it says otherwise; to be released in any case
 * @info: the request
 *
 * Return: 0 or an error.
 */
int ybd_nl_config_pool(struct ybd_device_config *config, struct genl_info *info)
{
	struct ybd_pool *pool;
	int ret;

	ret = check_pool_attrs(info, config) ?: config_layers(config, info);
	if (ret || config->upper_kind != YBD_UPPER_KIND_POOL)
		return ret;
	pool = pool_get_fd(info);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	config->pool = pool;
	return 0;
}

/**
 * ybd_nl_config_release - let go of what ybd_nl_config_pool() took
 * @config: of the device
 */
void ybd_nl_config_release(struct ybd_device_config *config)
{
	if (config->pool)
		ybd_pool_put(config->pool);
	kvfree(config->layers);
}

/* The upper that a request names, which is in @pool. */
static void upper_uuid(struct genl_info *info, uuid_t *uuid)
{
	import_uuid(uuid, nla_data(info->attrs[YBD_A_DEVICE_UPPER_UUID]));
}

/**
 * ybd_nl_attach_upper - a device for the upper that a request names
 * @info: the request
 * @image: below the upper
 * @replug: of the device
 *
 * Return: the device, to be put, or an error.
 */
struct ybd_device *ybd_nl_attach_upper(struct genl_info *info, struct ybd_image *image,
				       u32 replug)
{
	struct ybd_pool *pool = pool_get_fd(info);
	struct ybd_device *dev;
	uuid_t uuid;

	if (IS_ERR(pool))
		return ERR_CAST(pool);
	upper_uuid(info, &uuid);
	dev = ybd_device_attach(pool, &uuid, image, replug, info->extack);
	ybd_pool_put(pool);
	return dev;
}

int ybd_nl_upper_destroy_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ybd_pool *pool;
	uuid_t uuid;
	int ret;

	ret = ybd_nl_check_permission(skb, info->extack) ?:
	      REQUIRE(info, YBD_A_DEVICE_POOL_FD) ?:
	      REQUIRE(info, YBD_A_DEVICE_UPPER_UUID);
	if (ret)
		return ret;
	pool = pool_get_fd(info);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	upper_uuid(info, &uuid);
	ret = ybd_upper_destroy(pool, &uuid, info->extack);
	ybd_pool_put(pool);
	return ret;
}
