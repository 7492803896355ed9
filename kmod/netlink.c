// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control path: the family, permissions, replies, dumps and events, and
 * what there is to say of the module itself. The shape of requests is checked
 * by the policies in nl_gen.c, the meaning of attributes by the file for the
 * kind of object. No logic of its own: each handler calls one function of
 * image.c, device.c or the pool's.
 */
#include <linux/capability.h>
#include <linux/module.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "device.h"
#include "image.h"
#include "netlink.h"
#include "netlink_priv.h"
#include "nl_gen.h"

/**
 * ybd_nl_check_permission - may whoever sent this request do so?
 * @skb: the request
 * @extack: says why not
 *
 * GENL_ADMIN_PERM asks for CAP_NET_ADMIN, which many containers have. Opening
 * block devices by number takes more: CAP_SYS_ADMIN, of whoever opened the
 * socket and of whoever sends, in the initial user namespace.
 *
 * Return: 0 or -EPERM.
 */
int ybd_nl_check_permission(struct sk_buff *skb, struct netlink_ext_ack *extack)
{
	if (netlink_capable(skb, CAP_SYS_ADMIN) && capable(CAP_SYS_ADMIN))
		return 0;
	NL_SET_ERR_MSG(extack, "CAP_SYS_ADMIN in the initial user namespace is needed");
	return -EPERM;
}

/**
 * ybd_nl_require - an attribute has to be there
 * @info: the request
 * @attr: which
 * @what: what is said if it is not; a literal
 *
 * Return: 0 or -EINVAL.
 */
int ybd_nl_require(struct genl_info *info, int attr, const char *what)
{
	if (info->attrs[attr])
		return 0;
	ybd_extack_set(info->extack, what);
	return -EINVAL;
}

/* -------- answers and events -------- */

/* The caller holds ybd_registry_lock. */
static int fill_message(struct sk_buff *skb, u32 portid, u32 seq, u8 cmd, fill_fn fill,
			const void *object)
{
	void *hdr = genlmsg_put(skb, portid, seq, &ybd_nl_family, 0, cmd);

	if (!hdr || fill(skb, object))
		return -EMSGSIZE;
	genlmsg_end(skb, hdr);
	return 0;
}

/**
 * ybd_nl_reply - answer a request with an object
 * @skb: for the answer, from genlmsg_new(answer_size()) and consumed
 * @info: the request
 * @cmd: of the answer
 * @fill: fills it in
 * @object: for @fill
 *
 * Whoever makes something allocates @skb before, so that what was made cannot
 * go unanswered. Return: 0 or an error.
 */
int ybd_nl_reply(struct sk_buff *skb, struct genl_info *info, u8 cmd, fill_fn fill,
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

/**
 * ybd_nl_notify - tell who listens of an object
 * @cmd: the event
 * @size: answer_size() of @object
 * @fill: fills the event in
 * @object: for @fill
 *
 * Events inform: one that cannot be sent is lost.
 */
void ybd_nl_notify(u8 cmd, size_t size, fill_fn fill, const void *object)
{
	struct sk_buff *skb;
	int ret;

	if (!genl_has_listeners(&ybd_nl_family, &init_net, YBD_NLGRP_EVENTS))
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
		genlmsg_multicast(&ybd_nl_family, skb, 0, YBD_NLGRP_EVENTS, GFP_KERNEL);
}

static int dump_one(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd,
		    fill_fn fill, const void *object)
{
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				&ybd_nl_family, NLM_F_MULTI, cmd);

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

/**
 * ybd_nl_dump_all - a message of a dump of the registry
 * @skb: the message
 * @cb: of the dump
 * @cmd: of the answers
 * @fill: fills one in
 * @next: sets the number it is given to that of the first object from there
 *	on and returns that, or NULL; under ybd_registry_lock
 *
 * What both dumps share: cb->args[0] is the number to go on from.
 *
 * Return: bytes in @skb, 0 at the end, or an error.
 */
int ybd_nl_dump_all(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd,
		    fill_fn fill, const void *(*next)(unsigned long *id))
{
	unsigned long id = cb->args[0];
	const void *object;
	int ret;

	ret = ybd_nl_check_permission(cb->skb, cb->extack);
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

/* -------- information -------- */

int ybd_nl_info_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	unsigned int devices, images;
	struct sk_buff *msg;
	void *hdr;
	int ret;

	ret = ybd_nl_check_permission(skb, info->extack);
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
	hdr = genlmsg_put_reply(msg, info, &ybd_nl_family, 0, YBD_CMD_INFO_GET);
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

/* -------- the family -------- */

static const struct genl_multicast_group ybd_mcgrps[] = {
	[YBD_NLGRP_EVENTS] = {
		.name = YBD_MCGRP_EVENTS,
		.flags = GENL_MCAST_CAP_SYS_ADMIN,
	},
};

struct genl_family ybd_nl_family __ro_after_init = {
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
	return genl_register_family(&ybd_nl_family);
}

void ybd_netlink_exit(void)
{
	genl_unregister_family(&ybd_nl_family);
}
