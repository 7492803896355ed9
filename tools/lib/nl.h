/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests to the kernel module. Only nl*.c know that it is netlink.
 *
 * Functions return 0 or a negative errno and describe failures in @err, with
 * the kernel's own words and the attribute that it did not like. A handle
 * belongs to one thread at a time; different handles are independent.
 */
#ifndef YBD_LIB_NL_H
#define YBD_LIB_NL_H

#include "error.h"
#include "model.h"

struct ybd_nl;

/**
 * ybd_nl_open() - connect to the module
 * @out: the handle; to be closed
 * @err: why not
 *
 * Loads the module when it is not there, and makes sure that it speaks this
 * program's ABI.
 *
 * Return: 0; -YBD_ENOMODULE without the module; -YBD_EABI when it is of
 * another ABI; -EPERM without CAP_NET_ADMIN and CAP_SYS_ADMIN, or in another
 * user or network namespace.
 */
int ybd_nl_open(struct ybd_nl **out, struct ybd_error *err);
void ybd_nl_close(struct ybd_nl *nl);

/* What the module said when the handle was opened. */
const struct ybd_info *ybd_nl_info(const struct ybd_nl *nl);

/**
 * ybd_nl_image_load() - make an image
 * @nl: the handle
 * @req: what it is to be
 * @out: what it became; to be freed, NULL when it does not matter
 * @err: why not
 *
 * Return: 0; -EEXIST when the name is taken.
 */
int ybd_nl_image_load(struct ybd_nl *nl, const struct ybd_image_req *req,
		      struct ybd_image_info *out, struct ybd_error *err);
int ybd_nl_image_unload(struct ybd_nl *nl, const char *name,
			struct ybd_error *err);
int ybd_nl_image_get(struct ybd_nl *nl, const char *name,
		     struct ybd_image_info *out, struct ybd_error *err);
void ybd_image_info_free(struct ybd_image_info *info);

/**
 * struct ybd_image_list - all images
 * @v: @n of them
 */
struct ybd_image_list {
	struct ybd_image_info *v;
	size_t n;
};

/*
 * Lists are whole even while other programs make and remove things: what was
 * there all the time is in it once. They are empty when the call fails, and
 * are to be freed else.
 */
int ybd_nl_image_list(struct ybd_nl *nl, struct ybd_image_list *out,
		      struct ybd_error *err);
void ybd_image_list_free(struct ybd_image_list *list);

/* struct ybd_source_list - all sources; @v: @n of them */
struct ybd_source_list {
	struct ybd_source_info *v;
	size_t n;
};

int ybd_nl_source_list(struct ybd_nl *nl, struct ybd_source_list *out,
		       struct ybd_error *err);
void ybd_source_list_free(struct ybd_source_list *list);

/**
 * ybd_nl_device_create() - make a device
 * @nl: the handle
 * @req: what it is to be
 * @out: what it became: its node is usable
 * @err: why not
 *
 * Return: 0; -EEXIST when the name is taken; -ENOENT without the image.
 */
int ybd_nl_device_create(struct ybd_nl *nl, const struct ybd_device_req *req,
			 struct ybd_device_info *out, struct ybd_error *err);
/* @flags: of enum ybd_detach_flags */
int ybd_nl_device_detach(struct ybd_nl *nl, const char *name, u32 flags,
			 struct ybd_error *err);
int ybd_nl_device_get(struct ybd_nl *nl, const char *name,
		      struct ybd_device_info *out, struct ybd_error *err);

/* struct ybd_device_list - all devices; @v: @n of them */
struct ybd_device_list {
	struct ybd_device_info *v;
	size_t n;
};

int ybd_nl_device_list(struct ybd_nl *nl, struct ybd_device_list *out,
		       struct ybd_error *err);
void ybd_device_list_free(struct ybd_device_list *list);

/**
 * ybd_nl_device_attach() - make the device of an upper that is in a pool
 * @nl: the handle
 * @pool_fd: the pool, open for reading and writing
 * @uuid: of the upper
 * @image_id: the image that it was made over
 * @replug_timeout: milliseconds that reads wait for a source that is gone, or 0
 * @out: what it became: its node is usable
 * @err: why not
 *
 * Return: 0; -EEXIST when the name is taken; -EBUSY when it is attached.
 */
int ybd_nl_device_attach(struct ybd_nl *nl, int pool_fd,
			 const u8 uuid[YBD_UUID_LEN], u32 image_id,
			 u32 replug_timeout, struct ybd_device_info *out,
			 struct ybd_error *err);
/* Its reads wait for a source that is gone for so many milliseconds, or not. */
int ybd_nl_device_set_replug(struct ybd_nl *nl, const char *name,
			     u32 replug_timeout, struct ybd_device_info *out,
			     struct ybd_error *err);

/**
 * ybd_nl_source_swap() - another block device takes the place of one that is gone
 * @nl: the handle
 * @id: number of the source
 * @name: its identity
 * @fd: the new device, open for reading
 * @out: what the source is now
 * @err: why not
 *
 * Says nothing about contents: see ybd_swap_verify().
 */
int ybd_nl_source_swap(struct ybd_nl *nl, u32 id, const char *name, int fd,
		       struct ybd_source_info *out, struct ybd_error *err);
/* Make it @size bytes large, which is more than it has. */
int ybd_nl_device_resize(struct ybd_nl *nl, const char *name, u64 size,
			 struct ybd_device_info *out, struct ybd_error *err);
/* One that is not attached. */
int ybd_nl_upper_destroy(struct ybd_nl *nl, int pool_fd,
			 const u8 uuid[YBD_UUID_LEN], struct ybd_error *err);

/* struct ybd_pool_list - pools that the module has open; @v: @n of them */
struct ybd_pool_list {
	struct ybd_pool_info *v;
	size_t n;
};

int ybd_nl_pool_list(struct ybd_nl *nl, struct ybd_pool_list *out,
		     struct ybd_error *err);
void ybd_pool_list_free(struct ybd_pool_list *list);

/**
 * ybd_nl_events_start() - listen to events from now on
 * @nl: the handle, which can do nothing else afterwards
 * @err: why not
 */
int ybd_nl_events_start(struct ybd_nl *nl, struct ybd_error *err);

/**
 * ybd_nl_event_next() - wait for the next event
 * @nl: a handle that listens
 * @reader: what events are written to, so that waiting ends when nobody reads
 *	    them any more; -1
 * @ev: what happened; free @ev->image with ybd_image_info_free()
 * @err: why not
 *
 * Return: 0; -EINTR when a signal came; -EPIPE when the reader has gone.
 */
int ybd_nl_event_next(struct ybd_nl *nl, int reader, struct ybd_event *ev,
		      struct ybd_error *err);

#endif
