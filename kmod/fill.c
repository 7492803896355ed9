// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fill levels of pools and quotas, and the parameter that sets them for the host.
 */
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

#include "fill.h"
#include "ybd.h"

#define FILL_LEVELS_MAX	4
/* A level is left when so many percent more are free: no event for each block. */
#define FILL_HYSTERESIS	2

u32 ybd_fill_levels = 80 | 90 << 8 | 95 << 16;

static u8 fill_level(u32 levels, unsigned int i)
{
	return levels >> (8 * i);
}

/* "80,90,95": rising, each 3 to 99; empty for none. */
static int fill_levels_set(const char *val, const struct kernel_param *kp)
{
	char copy[32], *next = copy, *word;
	unsigned int nr = 0;
	u8 level, last = FILL_HYSTERESIS;
	u32 levels = 0;
	int ret;

	if (strscpy(copy, val, sizeof(copy)) < 0)
		return -EINVAL;
	next = strim(copy);
	if (!*next)
		next = NULL;
	while ((word = strsep(&next, ","))) {
		ret = kstrtou8(word, 10, &level);
		if (ret)
			return ret;
		if (nr == FILL_LEVELS_MAX || level <= last || level > 99)
			return -EINVAL;
		levels |= (u32)level << (8 * nr++);
		last = level;
	}
	WRITE_ONCE(ybd_fill_levels, levels);
	return 0;
}

static int fill_levels_get(char *buf, const struct kernel_param *kp)
{
	u32 levels = READ_ONCE(ybd_fill_levels);
	unsigned int i;
	int len = 0;

	for (i = 0; i < FILL_LEVELS_MAX && fill_level(levels, i); i++)
		len += sysfs_emit_at(buf, len, "%s%u", i ? "," : "", fill_level(levels, i));
	return len + sysfs_emit_at(buf, len, "\n");
}

static const struct kernel_param_ops fill_levels_ops = {
	.set = fill_levels_set,
	.get = fill_levels_get,
};

module_param_cb(fill_levels, &fill_levels_ops, NULL, 0644);
MODULE_PARM_DESC(fill_levels, "percentages of a pool or a quota at which it is told: up to 4, rising, 3 to 99 (80,90,95)");

/* The least use that is at least @percent of @total. */
static u64 fill_at(u64 total, u8 percent)
{
	return div_u64(total * percent + 99, 100);
}

/**
 * ybd_fill_moved - a level may have been reached or left
 * @fill: see ybd_fill_update()
 * @used: see there
 * @total: see there
 */
void ybd_fill_moved(struct ybd_fill *fill, u64 used, u64 total)
{
	u32 levels = READ_ONCE(ybd_fill_levels);
	u8 was = fill->level, level = 0, next = 0;
	unsigned int i;

	for (i = 0; i < FILL_LEVELS_MAX && fill_level(levels, i); i++) {
		u8 l = fill_level(levels, i);

		if (used < fill_at(total, l <= was ? l - FILL_HYSTERESIS : l)) {
			next = l;
			break;
		}
		level = l;
	}
	fill->levels = levels;
	fill->level = level;
	fill->above = next ? fill_at(total, next) : U64_MAX;
	fill->below = level ? fill_at(total, level - FILL_HYSTERESIS) : 0;
	if (level != was)
		queue_work(ybd_wait_wq, &fill->work);
}

/**
 * ybd_fill_init - nothing is used yet
 * @fill: what is filled
 * @tell: what to do in process context when its level has changed
 */
void ybd_fill_init(struct ybd_fill *fill, work_func_t tell)
{
	INIT_WORK(&fill->work, tell);
	fill->levels = READ_ONCE(ybd_fill_levels);
	/* What there is to compute is computed with the first use. */
	fill->above = 0;
	fill->below = 0;
	fill->level = 0;
}

/* Nothing is told any more. May sleep. */
void ybd_fill_exit(struct ybd_fill *fill)
{
	cancel_work_sync(&fill->work);
}
