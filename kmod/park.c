// SPDX-License-Identifier: GPL-2.0-only
/*
 * I/O to a source that is gone. A read that a device with a replug timeout sends
 * to a source is hooked and remembers what it was. If it comes back with an error
 * of the kind that a lost path gives, it is parked on the source: it goes out again
 * when another block device has come in the source's place, or ends with the error
 * when the device's timeout is over, counted from when it came back.
 *
 * Nothing decides beforehand that a source is gone: a new read goes to what there
 * is, comes back at once, and is parked. So there is no state that could be wrong,
 * and a source that answers again by itself (a controller that was connected again
 * keeps its block device) is found by sending what is parked once a second, unless
 * the disk is known to be dead.
 *
 * Parked bios are on source->parked, linked by bi_next, under source->lock, which
 * is taken with interrupts off, as reads end in interrupts. There are at most as
 * many as were submitted. Whoever takes a bio off the list, and nobody else, sends
 * or ends it, without the lock. A parked bio counts as I/O of its device.
 */
#include <linux/bio.h>
#include <linux/blk-cgroup.h>
#include <linux/cgroup.h>
#include <linux/jiffies.h>

#include "device.h"
#include "image.h"
#include "io_hook.h"
#include "park.h"
#include "source.h"

/* How late a bio may end, and how often the source is tried again. */
#define PARK_TICK	(HZ / 10)
#define PARK_TRY_TICKS	10

/*
 * Is it what a lost path gives? 6.1 and surprise removal give a plain EIO. A
 * namespace that was detached is an invalid one to its controller, and Linux makes
 * NOTSUPP of that; a read is never unsupported otherwise. Left out is what another
 * path or another controller would say as well: MEDIUM, PROTECTION, TARGET (a
 * block out of range), and what is no answer of a device.
 */
static bool park_is_path_error(blk_status_t status)
{
	switch (status) {
	case BLK_STS_IOERR:
	case BLK_STS_TRANSPORT:
	case BLK_STS_OFFLINE:
	case BLK_STS_TIMEOUT:
	case BLK_STS_NOTSUPP:
		return true;
	default:
		return false;
	}
}

/**
 * ybd_park_arm - make a hooked read one that can be parked
 * @hook: of it
 * @bio: a read of nothing else but @source, that nothing is chained to
 * @source: where it goes
 * @backing: from ybd_backing_enter(); left at its end
 * @phys: sector there
 *
 * The caller remaps and submits it. Any context.
 */
void ybd_park_arm(struct io_hook *hook, struct bio *bio, struct ybd_source *source,
		  struct ybd_backing *backing, sector_t phys)
{
	struct ybd_parkable *park = &hook->park;

	hook->source = source;
	park->backing = backing;
	/* The bio itself forgets it when it ends, before it is known to be parked. */
	park->css = bio_blkcg_css(bio);
	if (park->css)
		css_get(park->css);
	park->iter = bio->bi_iter;
	park->iter.bi_sector = phys;
	park->opf = bio->bi_opf;
	park->waited = false;
}

/* It is not sent again. Any context. */
static void park_disarm(struct io_hook *hook)
{
	hook->source = NULL;
	if (hook->park.css)
		css_put(hook->park.css);
}

/* Put it on the list, if its device waits; @nr is its backing's. Any context. */
static bool park_add(struct io_hook *hook, struct bio *bio, u32 nr)
{
	struct ybd_parkable *park = &hook->park;
	struct ybd_source *source = hook->source;
	struct ybd_device *dev = hook->dev;
	unsigned long flags;

	spin_lock_irqsave(&source->lock, flags);
	/* ybd_park_drop() sets one of them and then takes the lock. */
	if (READ_ONCE(dev->unparked) || !READ_ONCE(dev->fast.replug)) {
		spin_unlock_irqrestore(&source->lock, flags);
		return false;
	}
	if (!park->waited || park->nr != nr) {
		park->waited = true;
		park->since = jiffies;
		park->nr = nr;
	}
	if (bio_list_empty(&source->parked))
		source->beats = 0;
	bio_list_add(&source->parked, bio);
	source->nr_parked++;
	queue_delayed_work(ybd_commit_wq, &source->tick, PARK_TICK);
	/* It was below when another block device came. */
	if (nr != source->swaps)
		queue_work(ybd_resend_wq, &source->resend);
	spin_unlock_irqrestore(&source->lock, flags);
	return true;
}

/**
 * ybd_park_end - a hooked read of a source has come back
 * @hook: of it; armed
 * @bio: the read
 *
 * Any context. Return: true if it is parked, and not to be touched; its hook stays
 * and ends it later.
 */
bool ybd_park_end(struct io_hook *hook, struct bio *bio)
{
	struct ybd_backing *backing = hook->park.backing;
	u32 nr = backing->nr;

	/* That device may go now, and callers like to look. */
	bio->bi_bdev = hook->dev->fast.part0;
	ybd_backing_leave(backing);
	if (unlikely(bio->bi_status) && park_is_path_error(bio->bi_status) &&
	    park_add(hook, bio, nr))
		return true;
	park_disarm(hook);
	return false;
}

/* Past its bound, or nobody is to wait for it: it ends with the error it has. */
static void park_give_up(struct bio *bio)
{
	park_disarm(bio->bi_private);
	bio->bi_status = BLK_STS_IOERR;
	bio_endio(bio);
}

/* As it was when it was sent first, and off it goes. */
static void park_send(struct bio *bio)
{
	struct io_hook *hook = bio->bi_private;
	struct ybd_parkable *park = &hook->park;

	/*
	 * It has ended once: the count of what it waits for is gone where the
	 * device below had split it, and so is what those below have noted.
	 */
	atomic_set(&bio->__bi_remaining, 1);
	bio_clear_flag(bio, BIO_QOS_THROTTLED);
	bio_clear_flag(bio, BIO_QOS_MERGED);
	bio->bi_status = BLK_STS_OK;
	bio->bi_iter = park->iter;
	/*
	 * Whoever could not wait has long gone away. And its cgroup is charged, but
	 * must not hold it back: others' reads wait behind it. Metadata is what
	 * cgroups' controllers let through on credit.
	 */
	bio->bi_opf = (park->opf & ~REQ_NOWAIT) | REQ_META;
	park->backing = ybd_backing_enter(hook->source);
	bio_set_dev(bio, park->backing->b.bdev);
	bio_associate_blkg_from_css(bio, park->css);
	bio_set_flag(bio, BIO_BPS_THROTTLED);
	submit_bio_noacct(bio);
}

/* The next one, which is nobody else's from here on; or NULL. */
static struct bio *park_pop(struct ybd_source *source)
{
	struct bio *bio;

	spin_lock_irq(&source->lock);
	bio = bio_list_pop(&source->parked);
	if (bio)
		source->nr_parked--;
	spin_unlock_irq(&source->lock);
	return bio;
}

/*
 * One by one: sending can block, and what is not sent meanwhile is to be found by
 * those who end it. Not for ever: some of them may come back at once.
 */
static void park_resend_work(struct work_struct *work)
{
	struct ybd_source *source = container_of(work, struct ybd_source, resend);
	unsigned int left = READ_ONCE(source->nr_parked);
	struct blk_plug plug;
	struct bio *bio;

	blk_start_plug(&plug);
	while (left-- && (bio = park_pop(source)))
		park_send(bio);
	blk_finish_plug(&plug);
}

/**
 * ybd_park_resend - the source may answer again
 * @source: held
 *
 * Any context.
 */
void ybd_park_resend(struct ybd_source *source)
{
	queue_work(ybd_resend_wq, &source->resend);
}

typedef bool (*park_pick_fn)(const struct io_hook *hook, const void *arg);

/* Take those that @pick wants off the list. The caller holds source->lock. */
static void park_take(struct ybd_source *source, struct bio_list *taken, park_pick_fn pick,
		      const void *arg)
{
	struct bio_list all = source->parked;
	struct bio *bio;

	lockdep_assert_held(&source->lock);
	bio_list_init(&source->parked);
	while ((bio = bio_list_pop(&all))) {
		if (pick(bio->bi_private, arg)) {
			source->nr_parked--;
			bio_list_add(taken, bio);
		} else {
			bio_list_add(&source->parked, bio);
		}
	}
}

static bool park_is_over(const struct io_hook *hook, const void *now)
{
	unsigned long bound = msecs_to_jiffies(READ_ONCE(hook->dev->fast.replug));

	return *(const unsigned long *)now - hook->park.since >= bound;
}

static bool park_is_of(const struct io_hook *hook, const void *dev)
{
	return hook->dev == dev;
}

/* Is it worth trying? Its disk is not, once it is dead. */
static bool park_may_answer(struct ybd_source *source)
{
	struct block_device *bdev;

	lockdep_assert_held(&source->lock);
	bdev = rcu_dereference_protected(source->backing,
					 lockdep_is_held(&source->lock))->b.bdev;
	return !test_bit(GD_DEAD, &bdev->bd_disk->state);
}

static void park_tick_work(struct work_struct *work)
{
	struct ybd_source *source = container_of(work, struct ybd_source, tick.work);
	struct bio_list over = BIO_EMPTY_LIST;
	struct bio *bio;
	unsigned long now;

	spin_lock_irq(&source->lock);
	/* With the lock: nothing was parked later than this. */
	now = jiffies;
	park_take(source, &over, park_is_over, &now);
	if (!bio_list_empty(&source->parked)) {
		queue_delayed_work(ybd_commit_wq, &source->tick, PARK_TICK);
		if (!(++source->beats % PARK_TRY_TICKS) && park_may_answer(source))
			queue_work(ybd_resend_wq, &source->resend);
	}
	spin_unlock_irq(&source->lock);
	while ((bio = bio_list_pop(&over)))
		park_give_up(bio);
}

/**
 * ybd_park_drop - a device no longer waits: end what it has parked
 * @dev: its replug timeout is 0, or @unparked is set; held
 *
 * Process context. Nothing of it is parked any more when this returns, but what is
 * just being sent again comes back first.
 */
void ybd_park_drop(struct ybd_device *dev)
{
	struct bio_list list = BIO_EMPTY_LIST;
	unsigned int i;
	struct bio *bio;

	for (i = 0; i < dev->image->nr_sources; i++) {
		struct ybd_source *source = dev->image->sources[i];

		spin_lock_irq(&source->lock);
		park_take(source, &list, park_is_of, dev);
		spin_unlock_irq(&source->lock);
	}
	while ((bio = bio_list_pop(&list)))
		park_give_up(bio);
}

void ybd_park_init(struct ybd_source *source)
{
	bio_list_init(&source->parked);
	INIT_DELAYED_WORK(&source->tick, park_tick_work);
	INIT_WORK(&source->resend, park_resend_work);
}

/* No device has the source any more, so nothing is parked. May sleep. */
void ybd_park_exit(struct ybd_source *source)
{
	WARN_ON_ONCE(!bio_list_empty(&source->parked));
	cancel_delayed_work_sync(&source->tick);
	cancel_work_sync(&source->resend);
}
