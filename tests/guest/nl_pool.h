/* SPDX-License-Identifier: GPL-2.0-only */
/* Good requests about pools and the uppers in them; see nl_raw.h. */
#ifndef YBD_NL_POOL_H
#define YBD_NL_POOL_H

#include "nl_raw.h"

/**
 * struct upper_arg - a device to be made in a pool
 * @name: of the device
 * @image: below it
 * @pool: descriptor
 * @flags: YBD_UPPER_FLAGS_*
 * @size: 0 for the image's
 * @quota: 0 for none
 * @reserve: 0 for none
 */
struct upper_arg {
	const char *name;
	const char *image;
	int pool;
	u32 flags;
	u64 size;
	u64 quota;
	u64 reserve;
};

/**
 * struct upper_info - what an answer says of a device
 * @id: of the device
 * @size: of the device
 * @uuid: of the upper; what follows is 0 of a device without one
 * @flags: of the upper
 * @quota: of the upper
 * @pool_id: of its pool
 * @pool_name: of its pool
 */
struct upper_info {
	u32 id;
	u64 size;
	u8 uuid[16];
	u32 flags;
	u64 quota;
	u32 pool_id;
	char pool_name[64];
};

/**
 * struct pools_info - the pools in use
 * @nr: how many
 * @users: of all
 * @bad: one that has more free segments than it has segments
 */
struct pools_info {
	u32 nr;
	u32 users;
	u32 bad;
};

/* A memfd with a list of one plain file, for which nobody looks. */
int layers_fd(void);

/* @layers: descriptor, or -1 for none. */
void upper_create_msg(struct nlm *m, const struct nlr *n, const struct upper_arg *a, int layers);
/* @image: may be NULL. */
void upper_msg(struct nlm *m, const struct nlr *n, u8 cmd, int pool, const u8 *uuid,
	       const char *image);
void resize_msg(struct nlm *m, const struct nlr *n, const char *name, u64 size);
void detach_msg(struct nlm *m, const struct nlr *n, const char *name, u32 flags);

/* @u may be NULL in all of them. */
int upper_create(struct nlr *n, const struct upper_arg *a, struct upper_info *u);
int upper_attach(struct nlr *n, int pool, const u8 *uuid, const char *image,
		 struct upper_info *u);
int upper_destroy(struct nlr *n, int pool, const u8 *uuid);
int device_resize(struct nlr *n, const char *name, u64 size, struct upper_info *u);
int device_detach_flags(struct nlr *n, const char *name, u32 flags);
int pools_get(struct nlr *n, struct pools_info *p);

/*
 * After a detach that was refused: who has a device open, as far as /proc tells. For programs that run
 * when udev has ended: nobody is known to look at their devices then, and yet one was open twice, for
 * a moment. They try again.
 */
void say_openers(const struct nlr *n);
/* Last case of such a program: it never happened. Else skipped, with the first opener. */
void openers_done(void);

#endif
