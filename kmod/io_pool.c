// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes to an upper in a pool. The front of a bio is one piece: to where the
 * upper has it already, a first write of whole blocks, or less than a block,
 * which has to be merged with what is below. Each goes down as it is; what is
 * left comes round again.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>

#include "compat.h"
#include "device.h"
#include "io.h"
#include "io_hook.h"
#include "io_remap.h"
#include "slow.h"
#include "trace.h"
#include "upper_pool.h"

/**
 * struct pool_write - a write on its way
 * @dev: the device
 * @bio: what is left of it
 * @sectors: of it all
 * @hook: for it, got before the upper was entered, or NULL
 * @acct: account for it
 * @hooked: that is seen to, or done already
 * @commit: it is to be durable when it ends
 */
struct pool_write {
	struct ybd_device	*dev;
	struct bio		*bio;
	unsigned int		sectors;
	struct io_hook		*hook;
	bool			acct;
	bool			hooked;
	bool			commit;
};

/*
 * A hook for all of the bio is there, or will be set already. False only for a
 * NOWAIT one. May wait for what waits for space: not inside the upper.
 */
static bool hook_get(struct pool_write *w)
{
	if (!w->hooked && !w->hook)
		w->hook = ybd_hook_alloc(w->bio, ybd_io_hook_kind(w->dev));
	return w->hooked || w->hook;
}

/* Set that hook; hook_get() went before. */
static struct io_hook *hook_set(struct pool_write *w)
{
	struct io_hook *hook = w->hook;

	ybd_hook_set(hook, w->dev, w->bio, w->sectors, w->acct);
	hook->commit = w->commit;
	w->bio->bi_opf &= ~REQ_FUA;
	w->hooked = true;
	w->hook = NULL;
	return hook;
}

/* Both. False only for a NOWAIT one. */
static bool hook_all(struct pool_write *w)
{
	if (!hook_get(w))
		return false;
	if (!w->hooked)
		hook_set(w);
	return true;
}

/* It ends here, before anything or with an error. */
static void end_write(struct pool_write *w, blk_status_t status)
{
	struct ybd_device *dev = w->dev;
	enum req_op op = bio_op(w->bio);

	if (w->hook)
		ybd_hook_free(w->hook);
	if (status == BLK_STS_AGAIN) {
		ybd_io_would_block(dev, w->bio);
		return;
	}
	if (!w->hooked && w->acct)
		ybd_acct_end(dev->fast.part0, op, w->sectors,
			     ybd_acct_start(dev->fast.part0, op, w->sectors, jiffies));
	if (status)
		w->bio->bi_status = status;
	bio_endio(w->bio);
}

/* A first write that was prepared and is not done. */
static void undo_piece(struct pool_write *w, const struct ybd_piece *piece)
{
	if (piece->kind == YBD_PIECE_FIRST)
		ybd_upper_written(w->dev->upper, piece, BLK_STS_AGAIN);
}

/*
 * Where all that the map has is durable, an overwrite can be made so by the
 * device below. Otherwise its mapping comes first.
 */
static bool fua_below(const struct pool_write *w, const struct ybd_piece *piece)
{
	return w->commit && !w->hooked && piece->kind == YBD_PIECE_DATA &&
	       piece->sectors == bio_sectors(w->bio) && ybd_upper_is_clean(w->dev->upper);
}

/*
 * What is sent for one piece, which may be all there is, and its hook; NULL only
 * for a NOWAIT bio. Nothing is chained to what is sent: its error is the pool's.
 */
static struct io_hook *hook_piece(struct pool_write *w, const struct ybd_piece *piece,
				  struct bio **bio)
{
	bool alone = piece->sectors == bio_sectors(w->bio) && !bio_flagged(w->bio, BIO_CHAIN);

	*bio = w->bio;
	if (alone && !w->hooked)
		return hook_set(w);
	if (!alone) {
		if (!w->hooked)
			hook_set(w);
		*bio = ybd_io_part(w->dev, w->bio, piece->sectors, YBD_IO_POOL);
		if (!*bio)
			return NULL;
	}
	return ybd_hook(w->dev, *bio, piece->sectors, false, YBD_HOOK_PIECE);
}

/* To the pool, as data over data or as a first write. */
static void send_piece(struct pool_write *w, const struct ybd_piece *piece, int srcu)
{
	struct ybd_device *dev = w->dev;
	bool fua = fua_below(w, piece);
	struct io_hook *hook;
	struct bio *bio;

	if (fua)
		w->commit = false;
	hook = hook_piece(w, piece, &bio);
	if (unlikely(!hook)) {
		undo_piece(w, piece);
		ybd_upper_leave(dev->upper, srcu);
		end_write(w, BLK_STS_AGAIN);
		return;
	}
	if (fua)
		bio->bi_opf |= REQ_FUA;
	hook->pool = true;
	if (piece->kind == YBD_PIECE_FIRST) {
		trace_ybd_cow(disk_devt(dev->disk), bio->bi_iter.bi_sector, piece->sectors);
		ybd_stat_add(dev->pcpu, YBD_STAT_FIRST_WRITES,
			     piece->sectors / YBD_BLOCK_SECTORS);
		hook->first = true;
		hook->piece = *piece;
		/* Nobody else finds these blocks. */
		ybd_upper_leave(dev->upper, srcu);
	} else {
		ybd_stat_inc(dev->pcpu, YBD_STAT_OVERWRITES);
		hook->entered = true;
		hook->srcu = srcu;
	}
	ybd_io_remap(dev, bio, ybd_upper_bdev(dev->upper), piece->phys, piece->sectors);
}

/*
 * The front of a bio is going to be merged, and may have to wait for space: for
 * those, that is, who have entered the upper. A bio leaves it when all that is
 * chained to it has ended, so what is left must not have this front chained to it
 * when it enters: it goes on as a bio of its own.
 */
static struct bio *cut_merge(struct pool_write *w, unsigned int sectors)
{
	struct bio *front = ybd_io_cut(w->dev, w->bio, sectors, YBD_IO_MERGE);
	struct bio *rest = ybd_io_clone(w->bio, YBD_IO_REST);

	ybd_hook(w->dev, rest, bio_sectors(rest), false, YBD_HOOK_REST);
	submit_bio_noacct(rest);
	/* It ends with the two. */
	bio_endio(w->bio);
	return front;
}

/* Less than a block. */
static void merge_piece(struct pool_write *w, const struct ybd_piece *piece)
{
	struct bio *bio = w->bio;

	if (bio->bi_opf & REQ_NOWAIT) {
		end_write(w, BLK_STS_AGAIN);
		return;
	}
	hook_all(w);
	if (piece->sectors < bio_sectors(bio))
		bio = cut_merge(w, piece->sectors);
	ybd_slow_merge(w->dev, bio, piece->lower_zero);
}

static void write_data(struct pool_write *w)
{
	struct ybd_upper *upper = w->dev->upper;
	struct ybd_piece piece;
	blk_status_t status;
	int srcu;

	if (!hook_get(w)) {
		end_write(w, BLK_STS_AGAIN);
		return;
	}
	do {
		srcu = ybd_upper_enter(upper);
		status = ybd_upper_write_piece(upper, w->bio, &piece);
		if (likely(!status) && piece.kind != YBD_PIECE_SLOW) {
			send_piece(w, &piece, srcu);
			return;
		}
		ybd_upper_leave(upper, srcu);
	} while (status == BLK_STS_RESOURCE && !ybd_upper_refill(upper, w->bio));
	if (!status) {
		merge_piece(w, &piece);
	} else if (status == BLK_STS_DEV_RESOURCE) {
		hook_all(w);
		ybd_upper_wait(upper, w->bio);
	} else {
		end_write(w, status);
	}
}

/* ---- zeroes ---- */

/* Part of a block at one end: data, if zeroes are to be written. */
static bool zero_edge(struct pool_write *w, unsigned int sectors)
{
	struct bio *bio = w->bio;

	if (bio_op(bio) == REQ_OP_DISCARD) {
		bio_advance(bio, sectors << SECTOR_SHIFT);
		return true;
	}
	/* Not a split that sends the rest round: the rest is done here. */
	if (sectors < bio_sectors(bio)) {
		bio = ybd_io_cut(w->dev, bio, sectors, YBD_IO_MERGE);
		ybd_slow_merge(w->dev, bio, false);
		return true;
	}
	ybd_slow_merge(w->dev, bio, false);
	return false;
}

static void write_zeroes(struct pool_write *w)
{
	struct bio *bio = w->bio;
	blk_status_t status = BLK_STS_OK;
	unsigned int done;

	if ((bio->bi_iter.bi_sector | bio_sectors(bio)) & (YBD_BLOCK_SECTORS - 1) &&
	    bio->bi_opf & REQ_NOWAIT) {
		end_write(w, BLK_STS_AGAIN);
		return;
	}
	/* It ends here, but others may have to wait for it, or it for a commit. */
	if (!hook_all(w)) {
		end_write(w, BLK_STS_AGAIN);
		return;
	}
	while (!status && bio_sectors(bio)) {
		sector_t sector = bio->bi_iter.bi_sector;
		unsigned int within = sector & (YBD_BLOCK_SECTORS - 1);
		unsigned int nr = bio_sectors(bio) / YBD_BLOCK_SECTORS;

		if (within || !nr) {
			if (!zero_edge(w, min(bio_sectors(bio), YBD_BLOCK_SECTORS - within)))
				return;
			continue;
		}
		status = ybd_upper_zero_blocks(w->dev->upper, bio, sector / YBD_BLOCK_SECTORS,
					       nr, &done);
		/* A full pool must not keep what can be freed further on. */
		if (status == BLK_STS_NOSPC && bio_op(bio) == REQ_OP_DISCARD)
			status = BLK_STS_OK;
		if (!status)
			bio_advance(bio, (size_t)done << YBD_BLOCK_SHIFT);
		if (!(bio->bi_opf & REQ_NOWAIT))
			cond_resched();
	}
	end_write(w, status);
}

/* ---- what is to be durable ---- */

/* What was written before is to be durable before this. */
static void flush_first(struct pool_write *w)
{
	struct ybd_device *dev = w->dev;
	struct bio *bio = w->bio;
	struct io_hook *hook;

	if (bio->bi_opf & REQ_NOWAIT && bio_sectors(bio)) {
		end_write(w, BLK_STS_AGAIN);
		return;
	}
	w->acct &= !!bio_sectors(bio);
	w->commit &= !!bio_sectors(bio);
	if (!hook_all(w)) {
		end_write(w, BLK_STS_AGAIN);
		return;
	}
	/* Nothing but the device's own cache. */
	if (!bio_sectors(bio) && ybd_upper_is_clean(dev->upper)) {
		hook = bio->bi_private;
		hook->pool = !bio_flagged(bio, BIO_CHAIN);
		bio_set_dev(bio, ybd_upper_bdev(dev->upper));
		submit_bio_noacct(bio);
		return;
	}
	ybd_upper_commit(dev->upper, bio, true);
}

/**
 * ybd_io_pool_write - write, discard, write zeroes, flush
 * @dev: a device with an upper in a pool
 * @bio: for it
 *
 * Process context; may sleep unless the bio is REQ_NOWAIT.
 */
void ybd_io_pool_write(struct ybd_device *dev, struct bio *bio)
{
	struct pool_write w = {
		.dev = dev,
		.bio = bio,
		.sectors = bio_sectors(bio),
		.hooked = ybd_hook_is_rest(dev, bio),
	};

	if (!w.hooked) {
		w.acct = blk_queue_io_stat(dev->fast.queue);
		/* User space may turn the cache off: then no flush will come. */
		if (ybd_upper_is_persistent(dev->upper))
			w.commit = bio->bi_opf & REQ_FUA || !bdev_write_cache(dev->fast.part0);
		if (!w.acct && w.sectors)
			ybd_io_count(dev, bio_op(bio), w.sectors);
	}
	if (unlikely(bio->bi_opf & REQ_PREFLUSH) && ybd_upper_is_persistent(dev->upper)) {
		flush_first(&w);
		return;
	}
	if (unlikely(!w.sectors)) {
		bio_endio(bio);
		return;
	}
	if (!READ_ONCE(dev->fast.written))
		WRITE_ONCE(dev->fast.written, true);
	if (likely(bio_op(bio) == REQ_OP_WRITE))
		write_data(&w);
	else
		write_zeroes(&w);
}
