/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The netlink family by hand, without libybd or libnl: requests may be as wrong
 * as a test wants them, and one request is one sendmsg().
 *
 * The kernel serves a request before sendmsg() returns, so nothing here waits:
 * where no answer is queued, none will come.
 */
#ifndef YBD_NL_RAW_H
#define YBD_NL_RAW_H

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/ybd.h>
#include <linux/ybd_map.h>

#include "test.h"

#define NLM_ROOM	(80 * 1024)

/**
 * struct nlr - a socket
 * @fd: the socket
 * @family: number of the family
 * @events: number of its multicast group
 * @seq: of the last request
 * @text: the kernel's words about the last request, or ""
 * @off: attribute that it did not like, bytes from the request, or 0
 * @intr: a dump said that it may be inconsistent
 */
struct nlr {
	int fd;
	u16 family;
	u32 events;
	u32 seq;
	char text[256];
	u32 off;
	bool intr;
};

/* A request in the making; @len bytes of @buf. */
struct nlm {
	size_t len;
	u8 buf[NLM_ROOM] __attribute__((aligned(8)));
};

/* 0 or a negative errno; -ENOENT without the module, with a socket all the same. */
int nlr_open(struct nlr *n);
void nlr_close(struct nlr *n);
int nlr_listen(struct nlr *n);

void nlm_init(struct nlm *m, const struct nlr *n, u8 cmd, u16 flags);
void nlm_put(struct nlm *m, u16 type, const void *data, size_t len);
void nlm_u32(struct nlm *m, u16 type, u32 v);
void nlm_u64(struct nlm *m, u16 type, u64 v);
void nlm_str(struct nlm *m, u16 type, const char *s);
size_t nlm_nest(struct nlm *m, u16 type);
void nlm_end(struct nlm *m, size_t nest);

/* For each answer; an error ends nothing. */
typedef void (*nlr_fn)(const struct nlmsghdr *h, void *arg);

/**
 * nlr_send() - send a request
 * @n: the socket
 * @m: the request; its length and sequence are filled in
 *
 * Return: 0 or a negative errno of sendmsg() itself.
 */
int nlr_send(struct nlr *n, struct nlm *m);

/**
 * nlr_answer() - take what came for the last request
 * @n: the socket
 * @fn: called for each answer; may be NULL
 * @arg: for @fn
 *
 * Return: what the kernel answered; -ENOMSG when there was no answer (or not
 * the end of one), -ENOBUFS when answers were lost.
 */
int nlr_answer(struct nlr *n, nlr_fn fn, void *arg);
int nlr_call(struct nlr *n, struct nlm *m, nlr_fn fn, void *arg);

/* Attributes of an answer, and of a nest; tb has @max + 1 entries. */
void nlr_parse(const struct nlmsghdr *h, const struct nlattr **tb, int max);
void nlr_parse_nest(const struct nlattr *nest, const struct nlattr **tb, int max);
u32 nla_u32v(const struct nlattr *a);
u64 nla_u64v(const struct nlattr *a);
const char *nla_strv(const struct nlattr *a);

/* -------- good requests -------- */

struct image_arg {
	const char *name;
	u64 size;
	u32 block;
	const struct ybd_map_extent *ext;
	u32 nr;
	const int *fds;
	unsigned int nr_fds;
	u32 flags;
	const u8 *identity;	/* 32 bytes, or NULL */
};

struct device_arg {
	const char *name;
	const char *image;
	u64 ram;	/* bound of a RAM upper, 0 for none */
	int cgroup;	/* descriptor + 1, 0 for none */
	u32 block;	/* 0: the image's */
};

/* A memfd with these records, or an end. */
int map_fd(const struct ybd_map_extent *ext, u32 nr);

void image_msg(struct nlm *m, const struct nlr *n, const struct image_arg *a, int map);
void device_msg(struct nlm *m, const struct nlr *n, const struct device_arg *a);
void named_msg(struct nlm *m, const struct nlr *n, u8 cmd, u16 attr, const char *name);

int image_load(struct nlr *n, const struct image_arg *a);
int image_unload(struct nlr *n, const char *name);
/* @id: number of the device, may be NULL */
int device_create(struct nlr *n, const struct device_arg *a, u32 *id);
int device_detach(struct nlr *n, const char *name, bool force);
int info_get(struct nlr *n, u32 *devices, u32 *images);

#endif
