/* SPDX-License-Identifier: GPL-2.0-only */
/* A trace in memory: requests, marks, and the order of all that happened. */
#ifndef YBD_POWERCUT_LOAD_H
#define YBD_POWERCUT_LOAD_H

#include "trace.h"

#define NEVER UINT32_MAX

/**
 * enum value_kind - what a sector holds
 * @VALUE_UNKNOWN: nobody has looked
 * @VALUE_ZERO: zeroes
 * @VALUE_TAG: what somebody wrote, whole
 * @VALUE_IMAGE: what the image has there
 * @VALUE_OTHER: anything else
 */
enum value_kind {
	VALUE_UNKNOWN,
	VALUE_ZERO,
	VALUE_TAG,
	VALUE_IMAGE,
	VALUE_OTHER,
};

/**
 * struct value - what a sector holds
 * @kind: enum value_kind
 * @dev: of a tag: for which device it was
 * @run: of a tag
 * @op: of a tag; of others: a hash
 * @index: of a tag in a trace: operation + 1 of the history, 0 for none
 * @sector: of a tag and of the image: which sector it was for
 */
struct value {
	u8 kind;
	u16 dev;
	u32 run;
	u32 op;
	u32 index;
	u64 sector;
};

void value_decode(const void *sector, struct value *v);
bool value_equal(const struct value *a, const struct value *b);

/* What zeroes are. */
extern const struct value value_zero;

/**
 * struct request - a write, zeroes, trim or flush
 * @type: enum trace_type
 * @fua: durable when it is done
 * @sector: where
 * @nr: sectors
 * @submit: event
 * @done: event, or NEVER
 * @data: of a write
 * @value: of each sector of a write
 */
struct request {
	u8 type;
	bool fua;
	u64 sector;
	u32 nr;
	u32 submit;
	u32 done;
	const u8 *data;
	struct value *value;
};

enum event_kind {
	EVENT_SUBMIT,
	EVENT_DONE,
	EVENT_MARK,
};

/**
 * struct event - something happened
 * @kind: enum event_kind
 * @n: request or mark
 */
struct event {
	u32 kind;
	u32 n;
};

/**
 * struct trace - all of it
 * @sectors: size of the disk
 * @req: requests, by their numbers
 * @nr_req: how many
 * @event: in order
 * @nr_event: how many
 * @mark: marks, in order
 * @nr_mark: how many
 * @bytes: written
 */
struct trace {
	u64 sectors;
	struct request *req;
	u32 nr_req;
	struct event *event;
	u32 nr_event;
	const struct mark **mark;
	u32 nr_mark;
	u64 bytes;
};

/* Ends the program when that is no trace; a last entry that was cut off is none. */
struct trace *trace_load(const char *path);

#endif
