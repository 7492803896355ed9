// SPDX-License-Identifier: GPL-2.0-only
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nl_raw.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

/* -------- requests -------- */

void nlm_put(struct nlm *m, u16 type, const void *data, size_t len)
{
	struct nlattr a = { .nla_len = NLA_HDRLEN + len, .nla_type = type };

	if (m->len + NLA_HDRLEN + NLA_ALIGN(len) > sizeof(m->buf))
		die("request too large");
	memcpy(m->buf + m->len, &a, sizeof(a));
	memset(m->buf + m->len + NLA_HDRLEN, 0, NLA_ALIGN(len));
	if (len)
		memcpy(m->buf + m->len + NLA_HDRLEN, data, len);
	m->len += NLA_HDRLEN + NLA_ALIGN(len);
}

void nlm_u32(struct nlm *m, u16 type, u32 v)
{
	nlm_put(m, type, &v, sizeof(v));
}

void nlm_u64(struct nlm *m, u16 type, u64 v)
{
	nlm_put(m, type, &v, sizeof(v));
}

void nlm_str(struct nlm *m, u16 type, const char *s)
{
	nlm_put(m, type, s, strlen(s) + 1);
}

size_t nlm_nest(struct nlm *m, u16 type)
{
	size_t at = m->len;

	nlm_put(m, type | NLA_F_NESTED, NULL, 0);
	return at;
}

void nlm_end(struct nlm *m, size_t nest)
{
	((struct nlattr *)(m->buf + nest))->nla_len = m->len - nest;
}

static void msg_init(struct nlm *m, u16 type, u8 cmd, u8 version, u16 flags)
{
	struct nlmsghdr *h = (struct nlmsghdr *)m->buf;
	struct genlmsghdr *g = NLMSG_DATA(h);

	*h = (struct nlmsghdr){ .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags };
	*g = (struct genlmsghdr){ .cmd = cmd, .version = version };
	m->len = NLMSG_HDRLEN + GENL_HDRLEN;
}

void nlm_init(struct nlm *m, const struct nlr *n, u8 cmd, u16 flags)
{
	msg_init(m, n->family, cmd, YBD_GENL_VERSION, flags ? flags : NLM_F_ACK);
}

/* -------- answers -------- */

static void parse(const u8 *p, size_t len, const struct nlattr **tb, int max)
{
	memset(tb, 0, (max + 1) * sizeof(*tb));
	while (len >= NLA_HDRLEN) {
		const struct nlattr *a = (const struct nlattr *)p;
		int type = a->nla_type & NLA_TYPE_MASK;

		if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
			die("malformed answer");
		if (type <= max)
			tb[type] = a;
		if ((size_t)NLA_ALIGN(a->nla_len) > len)
			break;
		p += NLA_ALIGN(a->nla_len);
		len -= NLA_ALIGN(a->nla_len);
	}
}

void nlr_parse(const struct nlmsghdr *h, const struct nlattr **tb, int max)
{
	parse((const u8 *)h + NLMSG_HDRLEN + GENL_HDRLEN,
	      h->nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN, tb, max);
}

void nlr_parse_nest(const struct nlattr *nest, const struct nlattr **tb, int max)
{
	parse((const u8 *)nest + NLA_HDRLEN, nest->nla_len - NLA_HDRLEN, tb, max);
}

u32 nla_u32v(const struct nlattr *a)
{
	u32 v;

	if (!a || a->nla_len != NLA_HDRLEN + sizeof(v))
		die("an answer lacks a u32");
	memcpy(&v, (const u8 *)a + NLA_HDRLEN, sizeof(v));
	return v;
}

u64 nla_u64v(const struct nlattr *a)
{
	u64 v;

	if (!a || a->nla_len != NLA_HDRLEN + sizeof(v))
		die("an answer lacks a u64");
	memcpy(&v, (const u8 *)a + NLA_HDRLEN, sizeof(v));
	return v;
}

const char *nla_strv(const struct nlattr *a)
{
	if (!a || a->nla_len <= NLA_HDRLEN || ((const char *)a)[a->nla_len - 1])
		die("an answer lacks a string");
	return (const char *)a + NLA_HDRLEN;
}

static int take_error(struct nlr *n, const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);
	const struct nlattr *tb[NLMSGERR_ATTR_MAX + 1];
	size_t at = NLMSG_HDRLEN + sizeof(*e);

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return e->error;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		at += e->msg.nlmsg_len - NLMSG_HDRLEN;
	parse((const u8 *)h + NLMSG_ALIGN(at), h->nlmsg_len - NLMSG_ALIGN(at), tb,
	      NLMSGERR_ATTR_MAX);
	if (tb[NLMSGERR_ATTR_MSG])
		snprintf(n->text, sizeof(n->text), "%s", nla_strv(tb[NLMSGERR_ATTR_MSG]));
	if (tb[NLMSGERR_ATTR_OFFS])
		n->off = nla_u32v(tb[NLMSGERR_ATTR_OFFS]);
	return e->error;
}

/* The end of a dump carries its error, and the text behind it. */
static int take_done(struct nlr *n, const struct nlmsghdr *h)
{
	const struct nlattr *tb[NLMSGERR_ATTR_MAX + 1];
	int error = 0;

	if (h->nlmsg_len < NLMSG_HDRLEN + sizeof(error))
		return 0;
	memcpy(&error, NLMSG_DATA(h), sizeof(error));
	if (h->nlmsg_flags & NLM_F_ACK_TLVS) {
		parse((const u8 *)h + NLMSG_HDRLEN + sizeof(error),
		      h->nlmsg_len - NLMSG_HDRLEN - sizeof(error), tb, NLMSGERR_ATTR_MAX);
		if (tb[NLMSGERR_ATTR_MSG])
			snprintf(n->text, sizeof(n->text), "%s",
				 nla_strv(tb[NLMSGERR_ATTR_MSG]));
	}
	return error;
}

int nlr_send(struct nlr *n, struct nlm *m)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	struct nlmsghdr *h = (struct nlmsghdr *)m->buf;

	h->nlmsg_len = m->len;
	h->nlmsg_seq = ++n->seq;
	n->text[0] = 0;
	n->off = 0;
	n->intr = false;
	if (sendto(n->fd, m->buf, m->len, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return 0;
}

int nlr_answer(struct nlr *n, nlr_fn fn, void *arg)
{
	static __thread u8 buf[256 * 1024] __attribute__((aligned(8)));

	for (;;) {
		ssize_t got = recv(n->fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);
		const struct nlmsghdr *h = (const struct nlmsghdr *)buf;

		if (got < 0)
			return errno == EAGAIN ? -ENOMSG : -errno;
		if ((size_t)got > sizeof(buf))
			die("answer of %zd bytes", got);
		for (; NLMSG_OK(h, (size_t)got); h = NLMSG_NEXT(h, got)) {
			if (h->nlmsg_seq != n->seq)
				continue;
			if (h->nlmsg_flags & NLM_F_DUMP_INTR)
				n->intr = true;
			if (h->nlmsg_type == NLMSG_ERROR)
				return take_error(n, h);
			if (h->nlmsg_type == NLMSG_DONE)
				return take_done(n, h);
			if (fn)
				fn(h, arg);
		}
	}
}

int nlr_call(struct nlr *n, struct nlm *m, nlr_fn fn, void *arg)
{
	int ret = nlr_send(n, m);

	return ret ? ret : nlr_answer(n, fn, arg);
}

/* -------- the socket -------- */

static void take_family(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[CTRL_ATTR_MAX + 1], *g[CTRL_ATTR_MCAST_GRP_MAX + 1], *one[2];
	struct nlr *n = arg;

	nlr_parse(h, tb, CTRL_ATTR_MAX);
	if (tb[CTRL_ATTR_FAMILY_ID])
		memcpy(&n->family, (const u8 *)tb[CTRL_ATTR_FAMILY_ID] + NLA_HDRLEN, 2);
	if (!tb[CTRL_ATTR_MCAST_GROUPS])
		return;
	/* There is just one group. */
	nlr_parse_nest(tb[CTRL_ATTR_MCAST_GROUPS], one, 1);
	if (!one[1])
		return;
	nlr_parse_nest(one[1], g, CTRL_ATTR_MCAST_GRP_MAX);
	n->events = nla_u32v(g[CTRL_ATTR_MCAST_GRP_ID]);
}

int nlr_open(struct nlr *n)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK };
	int one = 1, room = 8 << 20, ret;
	struct nlm *m;

	memset(n, 0, sizeof(*n));
	n->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (n->fd < 0)
		return -errno;
	if (bind(n->fd, (struct sockaddr *)&sa, sizeof(sa)))
		goto err;
	setsockopt(n->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(n->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	setsockopt(n->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	if (setsockopt(n->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		setsockopt(n->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	m = malloc(sizeof(*m));
	if (!m)
		die("out of memory");
	msg_init(m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, NLM_F_ACK);
	nlm_str(m, CTRL_ATTR_FAMILY_NAME, YBD_GENL_NAME);
	ret = nlr_call(n, m, take_family, n);
	free(m);
	if (!ret || ret == -ENOENT)
		return ret;
	close(n->fd);
	return ret;
err:
	ret = -errno;
	close(n->fd);
	return ret;
}

void nlr_close(struct nlr *n)
{
	close(n->fd);
}

int nlr_listen(struct nlr *n)
{
	if (setsockopt(n->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &n->events,
		       sizeof(n->events)))
		return -errno;
	return 0;
}

/* -------- good requests -------- */

int map_fd(const struct ybd_map_extent *ext, u32 nr)
{
	size_t bytes = nr * sizeof(*ext);
	int fd = memfd_create("map", MFD_CLOEXEC);

	if (fd < 0 || (bytes && write(fd, ext, bytes) != (ssize_t)bytes))
		die("map: %m");
	return fd;
}

void image_msg(struct nlm *m, const struct nlr *n, const struct image_arg *a, int map)
{
	unsigned int i;
	size_t nest;
	char name[32];

	nlm_init(m, n, YBD_CMD_IMAGE_LOAD, 0);
	nlm_str(m, YBD_A_IMAGE_NAME, a->name);
	nlm_u64(m, YBD_A_IMAGE_SIZE, a->size);
	nlm_u32(m, YBD_A_IMAGE_LOGICAL_BLOCK_SIZE, a->block ? a->block : 512);
	nlm_u32(m, YBD_A_IMAGE_MAP_FD, map);
	nlm_u32(m, YBD_A_IMAGE_EXTENT_COUNT, a->nr);
	if (a->flags)
		nlm_u32(m, YBD_A_IMAGE_FLAGS, a->flags);
	if (a->identity)
		nlm_put(m, YBD_A_IMAGE_IDENTITY, a->identity, 32);
	for (i = 0; i < a->nr_fds; i++) {
		snprintf(name, sizeof(name), "path:test%u", i);
		nest = nlm_nest(m, YBD_A_IMAGE_SOURCE);
		nlm_u32(m, YBD_A_SOURCE_FD, a->fds[i]);
		nlm_str(m, YBD_A_SOURCE_NAME, name);
		nlm_end(m, nest);
	}
}

void device_msg(struct nlm *m, const struct nlr *n, const struct device_arg *a)
{
	nlm_init(m, n, YBD_CMD_DEVICE_CREATE, 0);
	nlm_str(m, YBD_A_DEVICE_NAME, a->name);
	nlm_str(m, YBD_A_DEVICE_IMAGE_NAME, a->image);
	if (a->ram) {
		nlm_u32(m, YBD_A_DEVICE_UPPER, YBD_UPPER_KIND_RAM);
		nlm_u64(m, YBD_A_DEVICE_UPPER_LIMIT, a->ram);
	}
	if (a->cgroup)
		nlm_u32(m, YBD_A_DEVICE_CGROUP_FD, a->cgroup - 1);
	if (a->block)
		nlm_u32(m, YBD_A_DEVICE_LOGICAL_BLOCK_SIZE, a->block);
}

void named_msg(struct nlm *m, const struct nlr *n, u8 cmd, u16 attr, const char *name)
{
	nlm_init(m, n, cmd, 0);
	nlm_str(m, attr, name);
}

static struct nlm *scratch(void)
{
	static __thread struct nlm m;

	return &m;
}

int image_load(struct nlr *n, const struct image_arg *a)
{
	int map = map_fd(a->ext, a->nr), ret;

	image_msg(scratch(), n, a, map);
	ret = nlr_call(n, scratch(), NULL, NULL);
	close(map);
	return ret;
}

int image_unload(struct nlr *n, const char *name)
{
	named_msg(scratch(), n, YBD_CMD_IMAGE_UNLOAD, YBD_A_IMAGE_NAME, name);
	return nlr_call(n, scratch(), NULL, NULL);
}

static void take_device_id(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[YBD_A_DEVICE_MAX + 1];

	nlr_parse(h, tb, YBD_A_DEVICE_MAX);
	*(u32 *)arg = nla_u32v(tb[YBD_A_DEVICE_ID]);
}

int device_create(struct nlr *n, const struct device_arg *a, u32 *id)
{
	u32 unused;

	device_msg(scratch(), n, a);
	return nlr_call(n, scratch(), take_device_id, id ? id : &unused);
}

int device_detach(struct nlr *n, const char *name, bool force)
{
	named_msg(scratch(), n, YBD_CMD_DEVICE_DETACH, YBD_A_DEVICE_NAME, name);
	if (force)
		nlm_u32(scratch(), YBD_A_DEVICE_DETACH_FLAGS, YBD_DETACH_FLAGS_FORCE);
	return nlr_call(n, scratch(), NULL, NULL);
}

static void take_info(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[YBD_A_INFO_MAX + 1];
	u32 *v = arg;

	nlr_parse(h, tb, YBD_A_INFO_MAX);
	v[0] = nla_u32v(tb[YBD_A_INFO_DEVICES]);
	v[1] = nla_u32v(tb[YBD_A_INFO_IMAGES]);
}

int info_get(struct nlr *n, u32 *devices, u32 *images)
{
	u32 v[2] = { 0 };
	int ret;

	nlm_init(scratch(), n, YBD_CMD_INFO_GET, 0);
	ret = nlr_call(n, scratch(), take_info, v);
	*devices = v[0];
	*images = v[1];
	return ret;
}
