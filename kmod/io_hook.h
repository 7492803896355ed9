/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The completion hook: what is to be done when a bio ends.
 */
#ifndef YBD_IO_HOOK_H
#define YBD_IO_HOOK_H

#include <linux/blkdev.h>
#include "park.h"
#include "upper_pool.h"

struct ybd_device;
struct ybd_source;

/**
 * enum ybd_hook_kind - whose reserve a hook is taken from
 * @YBD_HOOK_BIO: of bios as they come in: may wait for space or a commit
 * @YBD_HOOK_REPLUG: the same, of devices that wait for sources: may wait for these
 * @YBD_HOOK_REST: of what is left behind a merge: may wait for space
 * @YBD_HOOK_PARK: of reads of sources, which may be gone for long
 * @YBD_HOOK_PIECE: of what is on its way to the pool and waits for nothing else
 * @YBD_NR_HOOK_KINDS: how many there are
 *
 * Whoever has a hook can wait for one of a later kind, never for one of its own or
 * of an earlier one. Whoever has entered an upper holds up those that wait for
 * space, so it can wait for the last kind only.
 */
enum ybd_hook_kind {
	YBD_HOOK_BIO,
	YBD_HOOK_REPLUG,
	YBD_HOOK_REST,
	YBD_HOOK_PARK,
	YBD_HOOK_PIECE,
	YBD_NR_HOOK_KINDS,
};

/**
 * struct io_hook - what a hooked bio is to do at its end
 * @end_io: the bio's own completion
 * @private: and its argument
 * @dev: counted in its pcpu->inflight
 * @start: for accounting
 * @sectors: length of the whole bio
 * @op: its operation
 * @kind: reserve that it goes back to
 * @acct: account for it
 * @first: it is a first write, of @piece
 * @entered: it has entered the upper, with @srcu
 * @commit: what it wrote is to be durable before it ends
 * @pool: it is I/O to the pool and nothing else
 * @embedded: its owner frees it
 * @srcu: see ybd_upper_enter()
 * @source: it is a read of this and nothing else, which can be parked, or NULL
 * @piece: of a first write
 * @park: of such a read
 */
struct io_hook {
	bio_end_io_t		*end_io;
	void			*private;
	struct ybd_device	*dev;
	unsigned long		start;
	unsigned int		sectors;
	enum req_op		op;
	u8			kind;
	bool			acct;
	bool			first;
	bool			entered;
	bool			commit;
	bool			pool;
	bool			embedded;
	int			srcu;
	struct ybd_source	*source;
	union {
		struct ybd_piece	piece;
		struct ybd_parkable	park;
	};
};

struct io_hook *ybd_hook_alloc(const struct bio *bio, enum ybd_hook_kind kind);
void ybd_hook_free(struct io_hook *hook);
void ybd_hook_set(struct io_hook *hook, struct ybd_device *dev, struct bio *bio,
		  unsigned int sectors, bool acct);
struct io_hook *ybd_hook(struct ybd_device *dev, struct bio *bio, unsigned int sectors,
			 bool acct, enum ybd_hook_kind kind);
bool ybd_hook_try(struct ybd_device *dev, struct bio *bio, unsigned int sectors, bool acct,
		  enum ybd_hook_kind kind);
void ybd_hook_embedded(struct ybd_device *dev, struct bio *bio, struct io_hook *hook);
void ybd_hook_end(struct bio *bio);

/*
 * A bio with a hook of this device is the rest of one we have split, or one that
 * has waited: it was accounted for when it first came in.
 */
static inline bool ybd_hook_is_rest(const struct ybd_device *dev, const struct bio *bio)
{
	const struct io_hook *hook = bio->bi_private;

	return unlikely(bio->bi_end_io == ybd_hook_end) && hook->dev == dev;
}

int ybd_hook_init(void);
void ybd_hook_exit(void);

#endif /* YBD_IO_HOOK_H */
