/* SPDX-License-Identifier: GPL-2.0-only */
/* Between nl.c (the conversation), nl_request.c and nl_model.c (what is said). */
#ifndef YBD_LIB_NL_PRIV_H
#define YBD_LIB_NL_PRIV_H

#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>

#include "nl.h"

/* A message that answers; 0, or a negative errno that ends the call. */
typedef int (*nl_answer_fn)(const struct nlmsghdr *h, void *arg);

/**
 * nl_msg_new() - begin a request
 * @nl: the handle
 * @cmd: of enum ybd_cmd
 * @flags: NLM_F_DUMP or 0
 * @room: bytes of attributes at most
 *
 * Return: the message, or NULL without memory.
 */
struct nl_msg *nl_msg_new(struct ybd_nl *nl, u8 cmd, int flags, size_t room);

/**
 * nl_call() - send a request and take its answers
 * @nl: the handle
 * @msg: the request; freed here
 * @fn: called for each answer; may be NULL
 * @arg: for @fn
 * @what: names the request in errors
 * @err: why not
 *
 * Return: 0 or a negative errno; -EAGAIN when a dump was interrupted by a
 * change, in which case it has to be asked again.
 */
int nl_call(struct ybd_nl *nl, struct nl_msg *msg, nl_answer_fn fn, void *arg,
	    const char *what, struct ybd_error *err);

/* Attributes of a message of this family. */
int nl_parse(const struct nlmsghdr *h, struct nlattr **tb, int max);

/**
 * nl_attr_name() - the attribute at an offset of a request
 * @h: the request, of this family
 * @off: bytes from @h
 * @buf: for the result
 * @len: of @buf
 *
 * Return: its name in the spec, such as "source.fd"; NULL when it is none.
 */
const char *nl_attr_name(const struct nlmsghdr *h, u32 off, char *buf,
			 size_t len);

/**
 * nl_missing_name() - the attribute that a request lacks
 * @h: the request, of this family
 * @nest: offset of the nest that lacks it, or 0
 * @type: the attribute
 * @buf: for the result
 * @len: of @buf
 */
const char *nl_missing_name(const struct nlmsghdr *h, u32 nest, u32 type,
			    char *buf, size_t len);

/* What is missing or too short is left 0. 0, -EBADMSG or -ENOMEM. */
int nl_decode_info(const struct nlmsghdr *h, struct ybd_info *out);
int nl_decode_source(struct nlattr *nest, struct ybd_source_info *out);
int nl_decode_sources(const struct nlmsghdr *h, struct ybd_source_info *out);
int nl_decode_image(const struct nlmsghdr *h, struct ybd_image_info *out);
int nl_decode_device(const struct nlmsghdr *h, struct ybd_device_info *out);
int nl_decode_pool(const struct nlmsghdr *h, struct ybd_pool_info *out);
int nl_decode_event(const struct nlmsghdr *h, struct ybd_event *ev);

#endif
