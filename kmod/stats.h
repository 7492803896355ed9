/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters of a device, one copy per CPU.
 */
#ifndef YBD_STATS_H
#define YBD_STATS_H

#include <linux/percpu.h>
#include <linux/types.h>

/* The order is that of YBD_A_STATS_IMAGE_READS and on; netlink_device.c relies on it. */
enum ybd_stat {
	YBD_STAT_IMAGE_READS,
	YBD_STAT_HOLE_READS,
	YBD_STAT_UPPER_READS,
	YBD_STAT_SPLITS,
	YBD_STAT_BOUNCES,
	YBD_STAT_FIRST_WRITES,
	YBD_STAT_COPY_UPS,
	YBD_STAT_OVERWRITES,
	YBD_STAT_ZEROED,
	YBD_STAT_FREED,
	YBD_STAT_NO_SPACE,
	YBD_STAT_NO_MEMORY,
	YBD_STAT_WOULD_BLOCK,
	YBD_STAT_NR,
};

/**
 * struct ybd_pcpu - what I/O counts on each CPU
 * @inflight: I/O begun minus I/O ended here; only the sum over all CPUs means
 *	something
 * @stat: the counters
 */
struct ybd_pcpu {
	long	inflight;
	u64	stat[YBD_STAT_NR];
};

#define ybd_stat_add(pcpu, what, n)	this_cpu_add((pcpu)->stat[what], n)
#define ybd_stat_inc(pcpu, what)	this_cpu_inc((pcpu)->stat[what])

#endif /* YBD_STATS_H */
