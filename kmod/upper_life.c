// SPDX-License-Identifier: GPL-2.0-only
/*
 * Uppers in a pool: made, attached, detached, grown and destroyed.
 */
#include <linux/crc32c.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <linux/time64.h>
#include <linux/timekeeping.h>

#include "device.h"
#include "image.h"
#include "netlink.h"
#include "upper_log.h"

/* Segments of a reserve that are taken with one write of the table. */
#define RESERVE_AT_ONCE		32U

/* Another level of the quota is reached, or one is left. */
static void quota_tell_level(struct work_struct *work)
{
	struct ybd_upper *upper = container_of(work, struct ybd_upper, fill.work);
	u8 level = READ_ONCE(upper->fill.level);

	if (level)
		pr_warn_ratelimited("%s: %u%% of its quota of %llu bytes is used\n",
				    upper->dev->name, level,
				    upper->quota << YBD_BLOCK_SHIFT);
	ybd_nl_quota_level(upper->dev);
}

static struct ybd_upper *upper_alloc(struct ybd_pool *pool)
{
	struct ybd_upper *upper = kzalloc(sizeof(*upper), GFP_KERNEL);

	if (!upper)
		return NULL;
	spin_lock_init(&upper->lock);
	if (ybd_upper_space_init(upper)) {
		kfree(upper);
		return NULL;
	}
	ybd_umap_init(&upper->map);
	upper->quota = U64_MAX;
	ybd_fill_init(&upper->fill, quota_tell_level);
	upper->pool = pool;
	ybd_pool_hold(pool);
	return upper;
}

/* ---- the list of layers ---- */

/* Write the list to its chunk; durable with the header. */
static int layers_write(struct ybd_upper *upper, const void *layers, u32 bytes)
{
	struct ybd_fmt_upper *h = upper->log->header;
	u64 first = le64_to_cpu(h->layers);
	u32 nr = DIV_ROUND_UP(bytes, YBD_FMT_LAYERS_BYTES), i, n;
	struct ybd_fmt_layers *b;
	int ret;

	b = ybd_pool_buf_alloc(nr, GFP_KERNEL | __GFP_ZERO);
	if (!b)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		n = min_t(u32, bytes - i * YBD_FMT_LAYERS_BYTES, YBD_FMT_LAYERS_BYTES);
		memcpy(b[i].data, layers + i * YBD_FMT_LAYERS_BYTES, n);
		ybd_fmt_seal(upper->pool, &b[i], YBD_FMT_MAGIC_LAYERS, &upper->uuid,
			     first + i, i);
	}
	ret = ybd_pool_rw(upper->pool, REQ_OP_WRITE, first, b, nr);
	ybd_pool_buf_free(b);
	h->layers_bytes = cpu_to_le32(bytes);
	h->layers_crc = cpu_to_le32(~crc32c(~0, layers, bytes));
	return ret;
}

/* ---- making one ---- */

static_assert(YBD_FMT_UPPER_BLOCKS_MAX == YBD_UMAP_BLOCKS_MAX);

static int check_config(const struct ybd_pool *pool, const struct ybd_device_config *config,
			struct netlink_ext_ack *extack)
{
	bool is_volatile = config->upper_flags & YBD_UPPER_FLAGS_VOLATILE;

	if (config->size & (YBD_BLOCK_SIZE - 1) ||
	    config->size >> YBD_BLOCK_SHIFT > YBD_UMAP_BLOCKS_MAX) {
		NL_SET_ERR_MSG(extack, "size: expected a multiple of 4096, at most 64 TiB, with an upper in a pool");
		return -EINVAL;
	}
	if ((config->logical_block_size >> SECTOR_SHIFT) - 1 < pool->block_mask) {
		NL_SET_ERR_MSG(extack, "logical-block-size: below that of the pool's device");
		return -EINVAL;
	}
	if (config->quota & (YBD_BLOCK_SIZE - 1) || config->reserve & (YBD_BLOCK_SIZE - 1)) {
		NL_SET_ERR_MSG(extack, "quota and reserve: expected multiples of 4096");
		return -EINVAL;
	}
	if (config->quota && config->reserve > config->quota) {
		NL_SET_ERR_MSG(extack, "reserve: above the quota");
		return -EINVAL;
	}
	if (!is_volatile && (!config->layers_bytes ||
			     config->layers_bytes > YBD_FMT_LAYERS_MAX)) {
		NL_SET_ERR_MSG(extack, "layers-fd: a persistent upper needs a list of layers of 1 to 64512 bytes");
		return -EINVAL;
	}
	return 0;
}

/* As ybd_pool_take_segments(), of which nothing is written. */
static int take_volatile(struct ybd_upper *upper, u32 want, u32 *nr)
{
	u32 got = 0;
	int ret = 0;

	while (got < want && !ret) {
		ret = ybd_pool_take_volatile(upper->pool, &nr[got]);
		if (!ret) {
			got++;
		} else if (ret == -EAGAIN && !got) {
			ybd_pool_discard_wait(upper->pool);
			ret = 0;
		}
	}
	return got ? got : ret;
}

/* As many as one write of the table is for, at most. Return: how many, or an error. */
static int take_some(struct ybd_upper *upper, u32 want)
{
	struct upper_segment *segment[RESERVE_AT_ONCE];
	u32 nr[RESERVE_AT_ONCE], i, n;
	int got = -ENOMEM;

	for (n = 0; n < min(want, RESERVE_AT_ONCE); n++) {
		segment[n] = ybd_upper_segment_alloc(upper, GFP_KERNEL);
		if (!segment[n])
			break;
	}
	if (n && upper->is_volatile)
		got = take_volatile(upper, n, nr);
	else if (n)
		got = ybd_pool_take_segments(upper->pool, upper->place, upper->generation, n,
					     nr);
	for (i = 0; i < n; i++) {
		if ((int)i < got)
			ybd_upper_segment_add(upper, segment[i], nr[i]);
		else
			kfree(segment[i]);
	}
	return got;
}

/* Up to @want segments; not all that there is, if that is not enough anyway. */
static int take_segments(struct ybd_upper *upper, u64 want, struct netlink_ext_ack *extack)
{
	int ret;

	if (want - upper->nr_segments > ybd_pool_free_segments(upper->pool)) {
		NL_SET_ERR_MSG(extack, "reserve: the pool has not so much left");
		return -ENOSPC;
	}
	while (upper->nr_segments < want) {
		ret = take_some(upper, want - upper->nr_segments);
		if (ret == -ENOSPC)
			NL_SET_ERR_MSG(extack, "reserve: the pool has not so much left");
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Segments that are the upper's however much it has written. */
static int take_reserve(struct ybd_upper *upper, u64 reserve, struct netlink_ext_ack *extack)
{
	u64 want = DIV_ROUND_UP_ULL(reserve >> YBD_BLOCK_SHIFT,
				    pool_segment_blocks(upper->pool));

	upper->keep_segments = min_t(u64, want, upper->pool->nr_segments);
	return want <= upper->nr_segments ? 0 : take_segments(upper, want, extack);
}

/* What the next checkpoint may need is promised from the beginning. */
static int promise_room(struct ybd_upper *upper, struct netlink_ext_ack *extack)
{
	bool ok;

	spin_lock_irq(&upper->lock);
	ok = ybd_log_room(upper, POOL_NEED_DATA);
	spin_unlock_irq(&upper->lock);
	if (ok)
		return 0;
	NL_SET_ERR_MSG(extack, "pool: full");
	return -ENOSPC;
}

static void fill_header(struct ybd_upper *upper, const struct ybd_device_config *config)
{
	struct ybd_fmt_upper *h = upper->log->header;

	h->state = cpu_to_le32(YBD_FMT_UPPER_LIVE);
	if (config->upper_flags & YBD_UPPER_FLAGS_AUTOSTART)
		h->flags = cpu_to_le32(YBD_FMT_UPPER_AUTOSTART);
	h->block_size = cpu_to_le32(config->logical_block_size);
	h->epoch = cpu_to_le64(1);
	h->nr_blocks = cpu_to_le64(config->size >> YBD_BLOCK_SHIFT);
	h->quota_blocks = cpu_to_le64(config->quota >> YBD_BLOCK_SHIFT);
	h->reserve_blocks = cpu_to_le64(config->reserve >> YBD_BLOCK_SHIFT);
	h->created = cpu_to_le64(ktime_get_real_seconds());
	memcpy(h->image_identity, config->image->identity, sizeof(h->image_identity));
}

/* Everything that the header names, and then the header. */
static int write_new(struct ybd_upper *upper, const struct ybd_device_config *config,
		     struct netlink_ext_ack *extack)
{
	struct ybd_pool *pool = upper->pool;
	struct upper_log *log = upper->log;
	u32 chunk[2];
	int ret;

	ret = ybd_pool_take_chunks(pool, upper->place, upper->generation, POOL_NEED_DATA, 2,
				   chunk);
	if (ret) {
		if (ret == -ENOSPC)
			NL_SET_ERR_MSG(extack, "pool: full");
		return ret;
	}
	log->layers_chunk = chunk[0];
	ret = ybd_chunk_list_add(&log->log_chunks, chunk[1]);
	if (ret)
		return ret;
	pool_lock_meta(pool);
	log->header->layers = cpu_to_le64(pool_chunk_start(pool, chunk[0]));
	log->at.block = pool_chunk_start(pool, chunk[1]);
	pool_unlock_meta(pool);
	log->at.seq = 1;
	fill_header(upper, config);
	log->header->log = cpu_to_le64(log->at.block);
	log->header->log_seq = cpu_to_le64(log->at.seq);
	log->header->committed_seq = cpu_to_le64(log->at.seq);
	ret = take_reserve(upper, config->reserve, extack) ?:
	      promise_room(upper, extack) ?:
	      layers_write(upper, config->layers, config->layers_bytes);
	if (ret)
		return ret;
	ret = ybd_pool_header_write(pool, upper->place, log->header);
	if (ret)
		NL_SET_ERR_MSG(extack, "pool: the header of the upper cannot be written");
	return ret;
}

static int create_persistent(struct ybd_upper *upper, const struct ybd_device_config *config,
			     struct netlink_ext_ack *extack)
{
	struct ybd_pool *pool = upper->pool;
	int ret;

	uuid_gen(&upper->uuid);
	upper->log = ybd_log_alloc(upper);
	if (!upper->log)
		return -ENOMEM;
	pool_lock_meta(pool);
	ret = ybd_pool_place_take(pool, config->name, &upper->uuid, upper->log->header,
				  &upper->place, extack);
	pool_unlock_meta(pool);
	if (ret)
		return ret;
	upper->has_place = true;
	upper->is_read = true;
	upper->generation = le32_to_cpu(upper->log->header->generation);
	return write_new(upper, config, extack);
}

/**
 * ybd_upper_create - make an upper
 * @dev: whose; its name is taken
 * @config: what it is to be
 * @extack: told why when refused
 *
 * A persistent one is on disk when it returns. May sleep. Return: the upper or
 * an error pointer.
 */
struct ybd_upper *ybd_upper_create(struct ybd_device *dev,
				   const struct ybd_device_config *config,
				   struct netlink_ext_ack *extack)
{
	struct ybd_upper *upper;
	int ret;

	ret = check_config(config->pool, config, extack);
	if (ret)
		return ERR_PTR(ret);
	upper = upper_alloc(config->pool);
	if (!upper)
		return ERR_PTR(-ENOMEM);
	upper->dev = dev;
	upper->flags = config->upper_flags;
	upper->is_volatile = config->upper_flags & YBD_UPPER_FLAGS_VOLATILE;
	upper->reserve = config->reserve;
	if (config->quota)
		upper->quota = config->quota >> YBD_BLOCK_SHIFT;
	if (upper->is_volatile)
		ret = take_reserve(upper, config->reserve, extack);
	else
		ret = create_persistent(upper, config, extack);
	if (ret) {
		/* The header may be there, even if writing it has failed. */
		upper->destroy = true;
		ybd_upper_free(upper);
		return ERR_PTR(ret);
	}
	return upper;
}

/* ---- attaching ---- */

/* The place is the caller's from here on. */
static int claim_place(struct ybd_upper *upper, const uuid_t *uuid,
		       struct netlink_ext_ack *extack)
{
	struct ybd_fmt_upper *h = upper->log->header;
	struct ybd_pool *pool = upper->pool;
	struct pool_place *place;
	uuid_t owner;
	int ret;

	place = ybd_pool_place_find(pool, uuid, &upper->place);
	if (!place) {
		NL_SET_ERR_MSG(extack, "upper-uuid: the pool has no such upper");
		return -ENOENT;
	}
	if (place->attached) {
		NL_SET_ERR_MSG(extack, "upper: it is attached");
		return -EBUSY;
	}
	ret = ybd_pool_header_read(pool, upper->place, h);
	if (ret) {
		NL_SET_ERR_MSG(extack, "upper: its header cannot be read");
		return ret;
	}
	/* The older of its slots, when the newer one went bad since, may differ. */
	import_uuid(&owner, h->h.owner);
	if (!uuid_equal(&owner, uuid) || le32_to_cpu(h->state) != YBD_FMT_UPPER_LIVE ||
	    le32_to_cpu(h->generation) != place->generation) {
		NL_SET_ERR_MSG(extack, "upper: its header is damaged: run ybdctl pool check");
		return -EUCLEAN;
	}
	upper->uuid = *uuid;
	upper->generation = place->generation;
	place->attached = true;
	upper->has_place = true;
	return 0;
}

static int check_identity(const struct ybd_fmt_upper *h, const struct ybd_image *image,
			  struct netlink_ext_ack *extack)
{
	if (memcmp(h->image_identity, image->identity, sizeof(h->image_identity))) {
		NL_SET_ERR_MSG(extack, "image: its identity is not that of the image the upper was made over");
		return -ESTALE;
	}
	return 0;
}

/* What the header says of the device. */
static void config_from_header(struct ybd_upper *upper, struct ybd_device_config *config)
{
	const struct ybd_fmt_upper *h = upper->log->header;

	config->name = h->name;
	config->upper_kind = YBD_UPPER_KIND_POOL;
	config->pool = upper->pool;
	config->size = le64_to_cpu(h->nr_blocks) << YBD_BLOCK_SHIFT;
	config->logical_block_size = le32_to_cpu(h->block_size);
	config->cgroup_fd = -1;
	config->quota = le64_to_cpu(h->quota_blocks) << YBD_BLOCK_SHIFT;
	config->reserve = le64_to_cpu(h->reserve_blocks) << YBD_BLOCK_SHIFT;
	if (le32_to_cpu(h->flags) & YBD_FMT_UPPER_AUTOSTART)
		config->upper_flags = YBD_UPPER_FLAGS_AUTOSTART;
	/* Not to be written again. */
	config->layers_bytes = le32_to_cpu(h->layers_bytes);
}

/* The header, with a higher epoch: nothing that comes before it is appended. */
static int raise_epoch(struct ybd_upper *upper, struct netlink_ext_ack *extack)
{
	struct ybd_fmt_upper *h = upper->log->header;
	int ret;

	if (ybd_is_mutant(YBD_MUTANT_NO_EPOCH))
		return 0;
	le64_add_cpu(&h->epoch, 1);
	ret = ybd_pool_header_write(upper->pool, upper->place, h);
	if (ret)
		NL_SET_ERR_MSG(extack, "upper: its header cannot be written");
	return ret;
}

static int attach(struct ybd_upper *upper, const uuid_t *uuid,
		  struct ybd_device_config *config, struct netlink_ext_ack *extack)
{
	struct ybd_pool *pool = upper->pool;
	int ret;

	upper->log = ybd_log_alloc(upper);
	if (!upper->log)
		return -ENOMEM;
	pool_lock_meta(pool);
	ret = claim_place(upper, uuid, extack);
	if (!ret)
		config_from_header(upper, config);
	ret = ret ?: check_identity(upper->log->header, config->image, extack) ?:
	      check_config(pool, config, extack);
	pool_unlock_meta(pool);
	ret = ret ?: ybd_log_read(upper, extack);
	if (ret)
		return ret;
	upper->flags = config->upper_flags;
	upper->reserve = config->reserve;
	if (config->quota)
		upper->quota = config->quota >> YBD_BLOCK_SHIFT;
	/* A full pool must not keep anybody from his data. */
	if (take_reserve(upper, config->reserve, NULL))
		pr_warn("%s: the pool is too full for its reserve\n", config->name);
	if (promise_room(upper, NULL))
		pr_warn("%s: the pool is full\n", config->name);
	return raise_epoch(upper, extack);
}

/**
 * ybd_upper_attach - read an upper that is on disk
 * @pool: the pool
 * @uuid: of the upper
 * @config: @image is set; the rest is filled in from the header. @name is valid
 *	as long as the upper.
 * @extack: told why when refused
 *
 * upper->dev is to be set by the caller before anything is written. May sleep.
 * Return: the upper or an error pointer.
 */
struct ybd_upper *ybd_upper_attach(struct ybd_pool *pool, const uuid_t *uuid,
				   struct ybd_device_config *config,
				   struct netlink_ext_ack *extack)
{
	struct ybd_upper *upper = upper_alloc(pool);
	int ret;

	if (!upper)
		return ERR_PTR(-ENOMEM);
	ret = attach(upper, uuid, config, extack);
	if (ret) {
		ybd_upper_free(upper);
		return ERR_PTR(ret);
	}
	return upper;
}

/* Whose it is. Before anything is written. */
void ybd_upper_set_device(struct ybd_upper *upper, struct ybd_device *dev)
{
	upper->dev = dev;
}

/* ---- the end ---- */

/* A last commit, and the header says that the log ends there. */
static void close_log(struct ybd_upper *upper)
{
	struct upper_log *log = upper->log;
	int ret;

	if (ybd_upper_has_failed(upper) || ybd_log_sync(upper))
		return;
	mutex_lock(&log->header_lock);
	log->header->committed_seq = cpu_to_le64(log->at.seq);
	ret = ybd_pool_header_write(upper->pool, upper->place, log->header);
	mutex_unlock(&log->header_lock);
	if (ret)
		pr_err("%s: the header cannot be written (%d)\n", log->header->name, ret);
}

/**
 * ybd_upper_stop - the device takes no more I/O
 * @upper: no I/O of it is under way
 *
 * What a persistent upper has is durable then. May sleep.
 */
void ybd_upper_stop(struct ybd_upper *upper)
{
	if (upper->stopped)
		return;
	upper->stopped = true;
	if (upper->log && !upper->destroy)
		close_log(upper);
}

/* The upper is on disk no more; or if it still is, nobody has it. */
static int destroy_on_disk(struct ybd_upper *upper)
{
	struct ybd_fmt_upper *h = upper->log->header;
	struct ybd_pool *pool = upper->pool;
	struct pool_place *place;
	int ret;

	h->state = cpu_to_le32(YBD_FMT_UPPER_FREE);
	pool_lock_meta(pool);
	ret = ybd_pool_header_write(pool, upper->place, h);
	if (!ret) {
		ybd_pool_give_all(pool, upper->place, upper->generation);
		ybd_pool_place_drop(pool, upper->place);
	} else {
		place = xa_load(&pool->places, upper->place);
		place->attached = false;
	}
	upper->has_place = false;
	pool_unlock_meta(pool);
	if (ret)
		pr_err("%s: pool %pUb: it cannot be destroyed (%d)\n", h->name, &pool->uuid,
		       ret);
	return ret;
}

static void detach_on_disk(struct ybd_upper *upper)
{
	bool in_order = upper->stopped && !ybd_upper_has_failed(upper);
	struct ybd_pool *pool = upper->pool;
	struct pool_place *place;

	/* Before somebody else attaches it, who would find the chunk and give it back too. */
	if (in_order)
		ybd_log_give_ahead(upper->log);
	pool_lock_meta(pool);
	place = xa_load(&pool->places, upper->place);
	place->attached = false;
	pool_unlock_meta(pool);
	if (in_order)
		ybd_pool_tables_tidy(pool);
}

/**
 * ybd_upper_free - free an upper
 * @upper: ybd_upper_stop() was called, or nothing was ever written to it
 *
 * May sleep.
 */
void ybd_upper_free(struct ybd_upper *upper)
{
	struct ybd_pool *pool = upper->pool;

	ybd_upper_space_stop(upper);
	if (upper->log)
		ybd_log_stop(upper->log);
	ybd_upper_space_exit(upper);
	ybd_fill_exit(&upper->fill);
	if (upper->has_place && upper->destroy)
		destroy_on_disk(upper);
	else if (upper->has_place)
		detach_on_disk(upper);
	ybd_log_free(upper->log);
	ybd_umap_destroy(&upper->map);
	kfree(upper);
	ybd_pool_put(pool);
}

/* It is to be gone with its device. */
void ybd_upper_set_destroy(struct ybd_upper *upper)
{
	WRITE_ONCE(upper->destroy, true);
}

/**
 * ybd_upper_destroy - destroy an upper that is not attached
 * @pool: the pool
 * @uuid: of the upper
 * @extack: told why when refused
 *
 * One that cannot be attached because it is damaged can be destroyed. May
 * sleep. Return: 0, -ENOENT, -EBUSY while it is attached, or an I/O error.
 */
int ybd_upper_destroy(struct ybd_pool *pool, const uuid_t *uuid,
		      struct netlink_ext_ack *extack)
{
	struct ybd_upper *upper = upper_alloc(pool);
	int ret = -ENOMEM;

	if (!upper)
		return -ENOMEM;
	upper->log = ybd_log_alloc(upper);
	if (upper->log) {
		pool_lock_meta(pool);
		ret = claim_place(upper, uuid, extack);
		pool_unlock_meta(pool);
		if (!ret) {
			ret = destroy_on_disk(upper);
			if (ret)
				NL_SET_ERR_MSG(extack, "upper: its header cannot be written");
		}
	}
	ybd_upper_free(upper);
	return ret;
}

/**
 * ybd_upper_resize - the device becomes larger
 * @upper: the upper
 * @size: in bytes
 * @extack: told why when refused
 *
 * Durable when it returns. May sleep. Return: 0 or a negative errno.
 */
int ybd_upper_resize(struct ybd_upper *upper, u64 size, struct netlink_ext_ack *extack)
{
	struct upper_log *log = upper->log;
	__le64 was;
	int ret;

	if (size & (YBD_BLOCK_SIZE - 1) || size >> YBD_BLOCK_SHIFT > YBD_UMAP_BLOCKS_MAX) {
		NL_SET_ERR_MSG(extack, "size: expected a multiple of 4096, at most 64 TiB, with an upper in a pool");
		return -EINVAL;
	}
	if (!log)
		return 0;
	mutex_lock(&log->header_lock);
	was = log->header->nr_blocks;
	log->header->nr_blocks = cpu_to_le64(size >> YBD_BLOCK_SHIFT);
	ret = ybd_pool_header_write(upper->pool, upper->place, log->header);
	if (ret) {
		log->header->nr_blocks = was;
		NL_SET_ERR_MSG(extack, "upper: its header cannot be written");
	}
	mutex_unlock(&log->header_lock);
	return ret;
}

struct ybd_pool *ybd_upper_pool(const struct ybd_upper *upper)
{
	return upper->pool;
}

/**
 * ybd_upper_info - an upper in numbers
 * @upper: the upper
 * @info: filled in
 */
void ybd_upper_info(struct ybd_upper *upper, struct ybd_upper_info *info)
{
	struct upper_log *log = upper->log;
	unsigned long flags;

	memset(info, 0, sizeof(*info));
	info->uuid = upper->uuid;
	info->flags = upper->flags;
	if (upper->quota != U64_MAX)
		info->quota = upper->quota << YBD_BLOCK_SHIFT;
	info->reserve = upper->reserve;
	spin_lock_irqsave(&upper->lock, flags);
	info->quota_level = upper->fill.level;
	info->mapped = upper->map.nr_data << YBD_BLOCK_SHIFT;
	info->allocated = ((u64)upper->nr_segments << upper->pool->segment_shift)
			  << YBD_BLOCK_SHIFT;
	info->map_bytes = ybd_umap_bytes(&upper->map);
	info->extents = upper->map.nr_runs;
	if (log) {
		info->log_blocks = log->part_blocks;
		info->commits = log->nr_commits;
		info->checkpoints = log->nr_ckpts;
	}
	spin_unlock_irqrestore(&upper->lock, flags);
}
