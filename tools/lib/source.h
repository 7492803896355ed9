/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sources: where an image's data can come from. A finder knows those that the
 * user named and all NVMe namespaces; it looks into each only when it has to.
 */
#ifndef YBD_LIB_SOURCE_H
#define YBD_LIB_SOURCE_H

#include <linux/ybd.h>

#include "error.h"
#include "lvstore/lvstore.h"
#include "nvme.h"

/**
 * struct ybd_source - a block device, or a file
 * @next: in the finder
 * @path: of the device or file
 * @name: identity for the kernel: "uuid:...", "nguid:...", "eui:..." of a
 *	  namespace; else "path:..." of a device, "file:..." of a file
 * @uuid: of a namespace, as text; else ""
 * @is_file: a regular file
 * @fd: open for reading
 * @dev_fd: block device for the kernel: @fd or a loop device; -1 until
 *	    ybd_source_device()
 * @size: bytes
 * @block_size: logical, bytes; 512 for a file
 * @probed: @probe_rc and @probe are valid
 * @probe_rc: what lvs_probe_fd() said
 * @probe: the lvstore on it
 * @store: that lvstore read, once ybd_source_store() has done so
 */
struct ybd_source {
	struct ybd_source *next;
	char *path;
	char name[YBD_SOURCE_NAME_LEN + 1];
	char uuid[37];
	bool is_file;
	int fd;
	int dev_fd;
	u64 size;
	u32 block_size;
	bool probed;
	int probe_rc;
	struct lvs_probe probe;
	struct lvs_store *store;
};

/**
 * struct ybd_finder - where to look
 * @sources: those opened until now
 * @nr_given: the first so many of them were named by the user
 * @nvme: all namespaces
 * @nvme_read: @nvme was read
 * @nvme_open: the namespaces are among @sources
 * @esnap: @nr_esnap pairs "UUID=SOURCE" that say where external snapshots are
 */
struct ybd_finder {
	struct ybd_source *sources;
	size_t nr_given;
	struct ybd_nvme_list nvme;
	bool nvme_read;
	bool nvme_open;
	const char *const *esnap;
	size_t nr_esnap;
};

/**
 * ybd_finder_init() - begin
 * @f: the finder
 * @given: @nr sources that the user named: paths or "uuid:..." and so on
 * @nr: how many
 * @esnap: @nr_esnap pairs "UUID=SOURCE"; not copied
 * @nr_esnap: how many
 * @err: why not
 *
 * Return: 0, or a negative errno with nothing to be released.
 */
int ybd_finder_init(struct ybd_finder *f, const char *const *given, size_t nr,
		    const char *const *esnap, size_t nr_esnap,
		    struct ybd_error *err);
/* Closes all sources. */
void ybd_finder_exit(struct ybd_finder *f);

/*
 * Each of these gives a source that belongs to the finder, or fails with
 * -ENOENT when there is none, -ENOTUNIQ when there are several, or an error of
 * opening it. Sources that the user named come first: others are looked at
 * only when it is none of these.
 */
int ybd_finder_source(struct ybd_finder *f, const char *spec,
		      struct ybd_source **out, struct ybd_error *err);
/* The one that holds the lvstore of this name or uuid. */
int ybd_finder_store(struct ybd_finder *f, const char *store,
		     struct ybd_source **out, struct ybd_error *err);
/* The external snapshot of this id; -EUCLEAN when it has less than @len bytes. */
int ybd_finder_esnap(struct ybd_finder *f, const char *id, u64 len,
		     struct ybd_source **out, struct ybd_error *err);
/* The lvstore on it, read; belongs to the source. */
int ybd_source_store(struct ybd_source *s, struct lvs_store **out,
		     struct ybd_error *err);

/* See that @s->dev_fd is a block device that the kernel can take. */
int ybd_source_device(struct ybd_source *s, struct ybd_error *err);

#endif
