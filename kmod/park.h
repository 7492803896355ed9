/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * I/O to a source that is gone: it waits for the source to come back.
 */
#ifndef YBD_PARK_H
#define YBD_PARK_H

#include <linux/blk_types.h>
#include <linux/types.h>

struct cgroup_subsys_state;
struct io_hook;
struct ybd_backing;
struct ybd_device;
struct ybd_source;

/**
 * struct ybd_parkable - what it takes to send a hooked read again
 * @backing: where it is now; entered
 * @css: the cgroup that it is charged to; one reference, or NULL
 * @iter: of the bio when it was sent
 * @opf: the same; drivers leave marks of their own in there
 * @since: jiffies, when it came back first from the backing that has @nr
 * @nr: of the backing it came back from last
 * @waited: both are set
 */
struct ybd_parkable {
	struct ybd_backing	*backing;
	struct cgroup_subsys_state *css;
	struct bvec_iter	iter;
	blk_opf_t		opf;
	unsigned long		since;
	u32			nr;
	bool			waited;
};

void ybd_park_arm(struct io_hook *hook, struct bio *bio, struct ybd_source *source,
		  struct ybd_backing *backing, sector_t phys);
bool ybd_park_end(struct io_hook *hook, struct bio *bio);
void ybd_park_drop(struct ybd_device *dev);
void ybd_park_resend(struct ybd_source *source);

void ybd_park_init(struct ybd_source *source);
void ybd_park_exit(struct ybd_source *source);

#endif /* YBD_PARK_H */
