// SPDX-License-Identifier: GPL-2.0-only
/* The conversation with the kernel: a socket, requests, answers, errors. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <linux/genetlink.h>
#include <netlink/socket.h>

#include "kmodlib.h"
#include "nl_priv.h"
#include "util.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

/* From the kernel's headers of 6.1 on; older ones may build this. */
#define ATTR_MSG	1	/* NLMSGERR_ATTR_MSG */
#define ATTR_OFFS	2	/* NLMSGERR_ATTR_OFFS */
#define ATTR_MISS_TYPE	5	/* NLMSGERR_ATTR_MISS_TYPE */
#define ATTR_MISS_NEST	6	/* NLMSGERR_ATTR_MISS_NEST */

/* An image of 255 sources is 50 KiB; the kernel fills dumps up to 32 KiB. */
#define BUF_SIZE (128u << 10)

/**
 * struct ybd_nl - a connection
 * @sk: libnl's socket
 * @fd: its descriptor
 * @family: number of the family, GENL_ID_CTRL until it is known
 * @group: number of its multicast group
 * @info: of the module
 * @fill: bytes in @buf
 * @at: where the next message begins
 * @buf: what came last
 */
struct ybd_nl {
	struct nl_sock *sk;
	int fd;
	int family;
	int group;
	struct ybd_info info;
	int fill;
	struct nlmsghdr *at;
	char buf[BUF_SIZE] __aligned(NLMSG_ALIGNTO);
};

const struct ybd_info *ybd_nl_info(const struct ybd_nl *nl)
{
	return &nl->info;
}

/* ---- errors ---- */

/* The extended part of an error or of the end of a dump. */
static void ext_parse(const struct nlmsghdr *h, size_t head,
		      struct nlattr **tb)
{
	const char *p = (const char *)nlmsg_data(h) + head;
	int len = nlmsg_datalen(h) - (int)head;

	memset(tb, 0, (ATTR_MISS_NEST + 1) * sizeof(*tb));
	if (h->nlmsg_flags & NLM_F_ACK_TLVS && len > 0)
		nla_parse(tb, ATTR_MISS_NEST, (struct nlattr *)p, len, NULL);
}

static u32 ext_u32(struct nlattr **tb, int type)
{
	return tb[type] && nla_len(tb[type]) >= (int)sizeof(u32) ?
	       nla_get_u32(tb[type]) : 0;
}

static const char *ext_attr(const struct nlmsghdr *req, struct nlattr **tb,
			    char *buf, size_t len)
{
	if (tb[ATTR_OFFS])
		return nl_attr_name(req, ext_u32(tb, ATTR_OFFS), buf, len);
	if (tb[ATTR_MISS_TYPE])
		return nl_missing_name(req, ext_u32(tb, ATTR_MISS_NEST),
				       ext_u32(tb, ATTR_MISS_TYPE), buf, len);
	return NULL;
}

/* Without words of the kernel's own. */
static const char *plain_reason(int code)
{
	if (code == -EPERM)
		return "this takes CAP_NET_ADMIN and CAP_SYS_ADMIN in the initial user namespace";
	return strerror(-code);
}

/**
 * kernel_error() - turn an error of the kernel into words
 * @req: the request
 * @h: the error, or the end of a dump
 * @head: bytes of @h before the extended part
 * @code: negative errno
 * @what: names the request
 * @err: where to
 */
static int kernel_error(const struct nlmsghdr *req, const struct nlmsghdr *h,
			size_t head, int code, const char *what,
			struct ybd_error *err)
{
	struct nlattr *tb[ATTR_MISS_NEST + 1];
	char text[256], buf[64];
	const char *attr = NULL;

	ext_parse(h, head, tb);
	if (req->nlmsg_type != GENL_ID_CTRL)
		attr = ext_attr(req, tb, buf, sizeof(buf));
	if (tb[ATTR_MSG])
		nla_strlcpy(text, tb[ATTR_MSG], sizeof(text));
	else
		snprintf(text, sizeof(text), "%s", plain_reason(code));
	/* most of the kernel's words begin with it */
	if (!attr || !strncmp(text, attr, strlen(attr)))
		return ybd_error_set(err, code, "%s: %s", what, text);
	return ybd_error_set(err, code, "%s: %s (%s: %s)", what, text,
			     tb[ATTR_OFFS] ? "attribute" : "missing attribute",
			     attr);
}

/* ---- messages ---- */

struct nl_msg *nl_msg_new(struct ybd_nl *nl, u8 cmd, int flags, size_t room)
{
	int ctrl = nl->family == GENL_ID_CTRL;
	struct nl_msg *msg = nlmsg_alloc_size(NLMSG_HDRLEN + GENL_HDRLEN +
					      room + NLMSG_ALIGNTO);

	if (msg && !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, nl->family, 0,
				flags, cmd, ctrl ? 1 : YBD_GENL_VERSION)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

/* Receive; 0 or a negative errno. */
static int fill(struct ybd_nl *nl)
{
	ssize_t n;

	do {
		n = recv(nl->fd, nl->buf, sizeof(nl->buf), MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if ((size_t)n > sizeof(nl->buf))
		return -EMSGSIZE;
	nl->fill = n;
	nl->at = (struct nlmsghdr *)nl->buf;
	return 0;
}

/* The next message; NULL when another fill() is needed. */
static const struct nlmsghdr *next_msg(struct ybd_nl *nl)
{
	struct nlmsghdr *h = nl->at;

	if (!h || !nlmsg_ok(h, nl->fill)) {
		nl->at = NULL;
		return NULL;
	}
	nl->at = nlmsg_next(h, &nl->fill);
	return h;
}

/* The end of a request or of a dump: 0 or the kernel's error. */
static int take_end(const struct nlmsghdr *req, const struct nlmsghdr *h,
		    const char *what, struct ybd_error *err)
{
	const struct nlmsgerr *e = nlmsg_data(h);
	size_t head = sizeof(int);
	int code = 0;

	if (nlmsg_datalen(h) >= (int)sizeof(code))
		memcpy(&code, nlmsg_data(h), sizeof(code));
	if (!code)
		return 0;
	if (h->nlmsg_type == NLMSG_ERROR) {
		if (nlmsg_datalen(h) < (int)sizeof(*e))
			return ybd_error_set(err, -EBADMSG,
					     "%s: garbled answer of the kernel",
					     what);
		head = sizeof(*e);
		if (!(h->nlmsg_flags & NLM_F_CAPPED))
			head += e->msg.nlmsg_len - sizeof(e->msg);
		head = NLMSG_ALIGN(head);
	}
	return kernel_error(req, h, head, code, what, err);
}

/**
 * struct call - a request under way
 * @req: the request
 * @fn: takes answers
 * @arg: for @fn
 * @what: names the request
 * @rc: first error of @fn
 * @interrupted: the dump saw a change
 */
struct call {
	const struct nlmsghdr *req;
	nl_answer_fn fn;
	void *arg;
	const char *what;
	int rc;
	bool interrupted;
};

/* Take one message: 1 when it was the last one, 0, or a negative errno. */
static int take(struct call *c, const struct nlmsghdr *h, struct ybd_error *err)
{
	int rc;

	if (h->nlmsg_seq != c->req->nlmsg_seq)
		return 0;
	if (h->nlmsg_flags & NLM_F_DUMP_INTR)
		c->interrupted = true;
	if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
		rc = take_end(c->req, h, c->what, err);
		return rc ? rc : 1;
	}
	if (h->nlmsg_type == c->req->nlmsg_type && c->fn && !c->rc)
		c->rc = c->fn(h, c->arg);
	return 0;
}

static int take_all(struct ybd_nl *nl, struct call *c, struct ybd_error *err)
{
	const struct nlmsghdr *h;
	int rc;

	for (;;) {
		rc = fill(nl);
		if (rc)
			return ybd_error_sys(err, rc, "%s: netlink", c->what);
		while ((h = next_msg(nl))) {
			rc = take(c, h, err);
			if (rc)
				return rc < 0 ? rc : 0;
		}
	}
}

int nl_call(struct ybd_nl *nl, struct nl_msg *msg, nl_answer_fn fn, void *arg,
	    const char *what, struct ybd_error *err)
{
	struct call c = { .fn = fn, .arg = arg, .what = what };
	int rc;

	if (!msg)
		return ybd_error_sys(err, -ENOMEM, "%s", what);
	c.req = nlmsg_hdr(msg);
	nl_complete_msg(nl->sk, msg);
	if (send(nl->fd, c.req, c.req->nlmsg_len, 0) < 0)
		rc = ybd_error_sys(err, -errno, "%s: netlink", what);
	else
		rc = take_all(nl, &c, err);
	nlmsg_free(msg);
	if (!rc && c.rc)
		rc = ybd_error_sys(err, c.rc, "%s: the kernel's answer", what);
	if (!rc && c.interrupted)
		rc = ybd_error_sys(err, -EAGAIN, "%s", what);
	return rc;
}

/* ---- connecting ---- */

static int find_group(struct nlattr *groups)
{
	struct nlattr *tb[CTRL_ATTR_MCAST_GRP_MAX + 1];
	const struct nlattr *a;
	int rem;

	nla_for_each_nested(a, groups, rem) {
		if (nla_parse(tb, CTRL_ATTR_MCAST_GRP_MAX, nla_data(a),
			      nla_len(a), NULL) < 0)
			continue;
		if (tb[CTRL_ATTR_MCAST_GRP_NAME] &&
		    tb[CTRL_ATTR_MCAST_GRP_ID] &&
		    !nla_strcmp(tb[CTRL_ATTR_MCAST_GRP_NAME],
				YBD_MCGRP_EVENTS))
			return nla_get_u32(tb[CTRL_ATTR_MCAST_GRP_ID]);
	}
	return 0;
}

/**
 * struct family - where a family is
 * @id: its number
 * @group: of its multicast group "events"
 */
struct family {
	int id;
	int group;
};

static int answer_family(const struct nlmsghdr *h, void *arg)
{
	struct nlattr *tb[CTRL_ATTR_MAX + 1];
	int rc = nl_parse(h, tb, CTRL_ATTR_MAX);
	struct family *f = arg;

	if (rc)
		return rc;
	if (tb[CTRL_ATTR_FAMILY_ID])
		f->id = nla_get_u16(tb[CTRL_ATTR_FAMILY_ID]);
	if (tb[CTRL_ATTR_MCAST_GROUPS])
		f->group = find_group(tb[CTRL_ATTR_MCAST_GROUPS]);
	return 0;
}

/* Look the family up; the kernel loads the module by its alias meanwhile. */
static int resolve(struct ybd_nl *nl, struct family *f, struct ybd_error *err)
{
	struct nl_msg *msg = nl_msg_new(nl, CTRL_CMD_GETFAMILY, 0, 64);

	if (msg && nla_put_string(msg, CTRL_ATTR_FAMILY_NAME, YBD_GENL_NAME)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return nl_call(nl, msg, answer_family, f, "looking for the module", err);
}

static int find_family(struct ybd_nl *nl, struct ybd_error *err)
{
	struct family f = { 0 };
	int rc = resolve(nl, &f, err);

	if (rc == -ENOENT && access("/sys/module/ybd", F_OK)) {
		rc = ybd_kmod_load("ybd", err);
		if (!rc)
			rc = resolve(nl, &f, err);
	}
	if (rc == -ENOENT)
		return ybd_error_set(err, -EPERM,
				     "the module answers in the initial network namespace only, and this is another one");
	if (rc)
		return rc;
	nl->family = f.id;
	nl->group = f.group;
	return 0;
}

static int answer_info(const struct nlmsghdr *h, void *arg)
{
	return nl_decode_info(h, arg);
}

static int check_abi(struct ybd_nl *nl, struct ybd_error *err)
{
	struct nl_msg *msg = nl_msg_new(nl, YBD_CMD_INFO_GET, 0, 64);
	int rc;

	if (msg && nla_put_u32(msg, YBD_A_INFO_ABI, YBD_ABI_VERSION)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	rc = nl_call(nl, msg, answer_info, &nl->info, "asking the module", err);
	if (rc == -EPERM || rc == -ENOMEM)
		return rc;
	if (!rc && nl->info.abi == YBD_ABI_VERSION)
		return 0;
	if (!rc)
		return ybd_error_set(err, -YBD_EABI,
				     "the module speaks ABI %u, this ybdctl %u: install both from one release",
				     nl->info.abi, YBD_ABI_VERSION);
	if (err)
		err->code = -YBD_EABI;
	return -YBD_EABI;
}

static int connect_socket(struct ybd_nl *nl, struct ybd_error *err)
{
	int one = 1;

	nl->family = GENL_ID_CTRL;
	nl->sk = nl_socket_alloc();
	if (!nl->sk)
		return ybd_error_sys(err, -ENOMEM, "netlink socket");
	if (genl_connect(nl->sk))
		return ybd_error_sys(err, -errno, "netlink socket");
	nl->fd = nl_socket_get_fd(nl->sk);
	/* without these, errors are only shorter */
	setsockopt(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(nl->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return 0;
}

int ybd_nl_open(struct ybd_nl **out, struct ybd_error *err)
{
	/* not zeroed: most of it is the buffer */
	struct ybd_nl *nl = malloc(sizeof(*nl));
	int rc;

	*out = NULL;
	if (!nl)
		return ybd_error_sys(err, -ENOMEM, "netlink socket");
	memset(nl, 0, offsetof(struct ybd_nl, buf));
	rc = connect_socket(nl, err);
	if (!rc)
		rc = find_family(nl, err);
	if (!rc)
		rc = check_abi(nl, err);
	if (rc) {
		ybd_nl_close(nl);
		return rc;
	}
	*out = nl;
	return 0;
}

void ybd_nl_close(struct ybd_nl *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->sk);
	free(nl);
}

/* ---- events ---- */

int ybd_nl_events_start(struct ybd_nl *nl, struct ybd_error *err)
{
	int group = nl->group;

	if (!group)
		return ybd_error_set(err, -YBD_EABI,
				     "the module has no events");
	if (setsockopt(nl->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
		       sizeof(group)))
		return ybd_error_sys(err, -errno, "listening to events");
	return 0;
}

/* As fill(), but a signal ends it, and so does that @reader has gone. */
static int fill_event(struct ybd_nl *nl, int reader)
{
	struct pollfd p[] = {
		{ .fd = nl->fd, .events = POLLIN },
		{ .fd = reader },	/* only for what is always told */
	};
	ssize_t n;

	if (poll(p, 2, -1) < 0)
		return -errno;
	if (p[1].revents)
		return -EPIPE;
	n = recv(nl->fd, nl->buf, sizeof(nl->buf), MSG_TRUNC);
	if (n < 0)
		return -errno;
	nl->fill = (size_t)n > sizeof(nl->buf) ? 0 : n;
	nl->at = (struct nlmsghdr *)nl->buf;
	return 0;
}

int ybd_nl_event_next(struct ybd_nl *nl, int reader, struct ybd_event *ev,
		      struct ybd_error *err)
{
	const struct nlmsghdr *h;
	int rc;

	memset(ev, 0, sizeof(*ev));
	for (;;) {
		while ((h = next_msg(nl))) {
			if (h->nlmsg_type != nl->family)
				continue;
			rc = nl_decode_event(h, ev);
			if (!rc)
				return 0;
			if (rc == -ENOMEM)
				return ybd_error_sys(err, rc, "event");
		}
		rc = fill_event(nl, reader);
		if (rc == -ENOBUFS) {
			ev->kind = YBD_EVENT_LOST;
			return 0;
		}
		if (rc)
			return ybd_error_sys(err, rc, "event");
	}
}
