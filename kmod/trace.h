/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints. Devices are named by number: N of /dev/ybdN is the minor.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ybd

#if !defined(YBD_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define YBD_TRACE_H

#include <linux/blkdev.h>
#include <linux/tracepoint.h>

DECLARE_EVENT_CLASS(ybd_range,
	TP_PROTO(dev_t dev, sector_t sector, unsigned int nr),
	TP_ARGS(dev, sector, nr),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(sector_t, sector)
		__field(unsigned int, nr)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->sector = sector;
		__entry->nr = nr;
	),
	TP_printk("ybd%u sector=%llu nr_sectors=%u", MINOR(__entry->dev),
		  (unsigned long long)__entry->sector, __entry->nr)
);

/* A bio came in; sector and length are the device's. */
TRACE_EVENT(ybd_submit,
	TP_PROTO(dev_t dev, struct bio *bio),
	TP_ARGS(dev, bio),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(sector_t, sector)
		__field(unsigned int, nr)
		__field(unsigned int, op)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->sector = bio->bi_iter.bi_sector;
		__entry->nr = bio_sectors(bio);
		__entry->op = (__force unsigned int)bio_op(bio);
	),
	TP_printk("ybd%u op=%u sector=%llu nr_sectors=%u", MINOR(__entry->dev),
		  __entry->op, (unsigned long long)__entry->sector, __entry->nr)
);

/* A read goes to a source. */
TRACE_EVENT(ybd_remap,
	TP_PROTO(dev_t dev, sector_t sector, unsigned int nr, dev_t source,
		 sector_t phys),
	TP_ARGS(dev, sector, nr, source, phys),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(dev_t, source)
		__field(sector_t, sector)
		__field(sector_t, phys)
		__field(unsigned int, nr)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->source = source;
		__entry->sector = sector;
		__entry->phys = phys;
		__entry->nr = nr;
	),
	TP_printk("ybd%u sector=%llu nr_sectors=%u -> %u:%u sector=%llu",
		  MINOR(__entry->dev), (unsigned long long)__entry->sector, __entry->nr,
		  MAJOR(__entry->source), MINOR(__entry->source),
		  (unsigned long long)__entry->phys)
);

/* The first nr_sectors were cut off what is left of a bio. */
DEFINE_EVENT(ybd_range, ybd_split,
	TP_PROTO(dev_t dev, sector_t sector, unsigned int nr),
	TP_ARGS(dev, sector, nr)
);

/* The upper took over a block. */
DEFINE_EVENT(ybd_range, ybd_cow,
	TP_PROTO(dev_t dev, sector_t sector, unsigned int nr),
	TP_ARGS(dev, sector, nr)
);

/* A write shorter than a block waits for the block to be read. */
DEFINE_EVENT(ybd_range, ybd_copy_up,
	TP_PROTO(dev_t dev, sector_t sector, unsigned int nr),
	TP_ARGS(dev, sector, nr)
);

/* A write of the log of a device's upper: blocks seq to seq + blocks - 1. */
TRACE_EVENT(ybd_commit,
	TP_PROTO(dev_t dev, u64 seq, unsigned int blocks, unsigned int records),
	TP_ARGS(dev, seq, blocks, records),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, seq)
		__field(unsigned int, blocks)
		__field(unsigned int, records)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->seq = seq;
		__entry->blocks = blocks;
		__entry->records = records;
	),
	TP_printk("ybd%u seq=%llu blocks=%u records=%u", MINOR(__entry->dev),
		  __entry->seq, __entry->blocks, __entry->records)
);

/* A checkpoint of a device's upper; the log behind it begins with seq. */
TRACE_EVENT(ybd_checkpoint,
	TP_PROTO(dev_t dev, u64 seq, unsigned int blocks, u64 records),
	TP_ARGS(dev, seq, blocks, records),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, seq)
		__field(unsigned int, blocks)
		__field(u64, records)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->seq = seq;
		__entry->blocks = blocks;
		__entry->records = records;
	),
	TP_printk("ybd%u seq=%llu blocks=%u records=%llu", MINOR(__entry->dev),
		  __entry->seq, __entry->blocks, __entry->records)
);

#endif /* YBD_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
