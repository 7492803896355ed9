// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "names.h"
#include "show.h"

const struct print_column show_device_cols[] = {
	{ "name", "NAME", false },
	{ "path", "DEVICE", false },
	{ "size", "SIZE", true },
	{ "image", "IMAGE", false },
	{ "upper", "UPPER", false },
	{ "pool", "POOL", false },
	{ "upper_used", "USED", true },
	{ "upper_limit", "LIMIT", true },
	{ "state", "STATE", false },
	{ "openers", "OPEN", true },
	{ }
};

const struct print_column show_stats_cols[] = {
	{ "name", "NAME", false },
	{ "image_reads", "IMAGE-READS", true },
	{ "hole_reads", "HOLE-READS", true },
	{ "upper_reads", "UPPER-READS", true },
	{ "splits", "SPLITS", true },
	{ "first_writes", "FIRST-WRITES", true },
	{ "overwrites", "OVERWRITES", true },
	{ "upper_used", "USED", true },
	{ "upper_mapped", "MAPPED", true },
	{ "commits", "COMMITS", true },
	{ "checkpoints", "CHECKPOINTS", true },
	{ }
};

const struct print_column show_image_cols[] = {
	{ "name", "NAME", false },
	{ "size", "SIZE", true },
	{ "layers", "LAYERS", true },
	{ "extents", "EXTENTS", true },
	{ "map", "MAP", false },
	{ "map_bytes", "MEMORY", true },
	{ "devices", "DEVICES", true },
	{ }
};

static const char *upper_text(u32 kind)
{
	static const char * const text[] = {
		[YBD_UPPER_KIND_NONE] = "none",
		[YBD_UPPER_KIND_RAM] = "ram",
		[YBD_UPPER_KIND_POOL] = "pool",
	};

	return kind <= YBD_UPPER_KIND_POOL ? text[kind] : "unknown";
}

static void show_pool_upper(const struct ybd_device_info *d)
{
	char uuid[YBD_UUID_TEXT_LEN];

	print_str("pool", *d->pool_name ? d->pool_name : NULL);
	print_u64("pool_id", d->pool_id);
	print_str("upper_uuid", ybd_uuid_text(d->upper_uuid, uuid));
	print_bool("volatile", d->upper_flags & YBD_UPPER_FLAGS_VOLATILE);
	print_bool("autostart", d->upper_flags & YBD_UPPER_FLAGS_AUTOSTART);
	if (d->quota)
		print_size("quota", d->quota);
	else
		print_str("quota", NULL);
	print_u64("quota_level", d->quota_level);
	print_size("reserve", d->reserve);
	print_size("upper_used", d->stats.upper_mapped);
	print_size("upper_limit", d->quota ? d->quota : d->size);
}

/* What the kind is called where people read it. */
static const char *upper_word(const struct ybd_device_info *d)
{
	if (d->upper != YBD_UPPER_KIND_POOL)
		return upper_text(d->upper);
	return d->upper_flags & YBD_UPPER_FLAGS_VOLATILE ? "volatile" : "persistent";
}

static const char *state_text(u32 state)
{
	static const char * const text[] = {
		[YBD_DEVICE_STATE_LIVE] = "live",
		[YBD_DEVICE_STATE_DETACHED] = "detached",
	};

	return state <= YBD_DEVICE_STATE_DETACHED ? text[state] : "unknown";
}

void show_device(const struct ybd_device_info *d)
{
	print_str("name", d->name);
	print_u64("id", d->id);
	print_strf("path", "/dev/%s", d->disk);
	print_strf("number", "%u:%u", d->major, d->minor);
	print_str("image", d->image_name);
	print_u64("image_id", d->image_id);
	print_size("size", d->size);
	print_u64("logical_block_size", d->logical_block_size);
	print_str_as("upper", upper_text(d->upper), upper_word(d));
	if (d->upper == YBD_UPPER_KIND_POOL)
		show_pool_upper(d);
	if (d->upper == YBD_UPPER_KIND_RAM) {
		print_size("upper_used", d->stats.upper_used);
		print_size("upper_limit", d->upper_limit);
	}
	print_str("state", state_text(d->state));
	print_u64("openers", d->openers);
	print_u64("replug_timeout_ms", d->replug_timeout);
}

void show_stats(const struct ybd_stats *s)
{
	print_u64("image_reads", s->image_reads);
	print_u64("hole_reads", s->hole_reads);
	print_u64("upper_reads", s->upper_reads);
	print_u64("splits", s->splits);
	print_u64("bounces", s->bounces);
	print_u64("first_writes", s->first_writes);
	print_u64("copy_ups", s->copy_ups);
	print_u64("overwrites", s->overwrites);
	print_u64("zeroed", s->zeroed);
	print_u64("freed", s->freed);
	print_u64("no_space", s->no_space);
	print_u64("no_memory", s->no_memory);
	print_u64("would_block", s->would_block);
	print_size("upper_used", s->upper_used);
	print_size("upper_limit", s->upper_limit);
	print_size("upper_mapped", s->upper_mapped);
	print_size("upper_allocated", s->upper_allocated);
	print_size("map_bytes", s->map_bytes);
	print_u64("map_extents", s->map_extents);
	print_u64("log_blocks", s->log_blocks);
	print_u64("commits", s->commits);
	print_u64("checkpoints", s->checkpoints);
}

void show_source(const struct ybd_source_info *s)
{
	print_str("name", s->name);
	print_u64("id", s->id);
	print_strf("path", "/dev/%s", s->disk);
	print_size("size", s->size);
	print_u64("logical_block_size", s->logical_block_size);
	print_u64("images", s->images);
	print_u64("swaps", s->swaps);
	print_u64("parked", s->parked);
}

void show_sources(const struct ybd_image_info *i)
{
	static const struct print_column cols[] = {
		{ "name", "SOURCE", false },
		{ "path", "DEVICE", false },
		{ "size", "SIZE", true },
		{ "logical_block_size", "BLOCK", true },
		{ }
	};
	size_t n;

	print_list_begin("sources", cols);
	for (n = 0; n < i->nr_sources; n++) {
		const struct ybd_source_info *s = &i->sources[n];

		print_object_begin(NULL);
		print_str("name", s->name);
		print_u64("id", s->id);
		print_strf("path", "/dev/%s", s->disk);
		print_strf("number", "%u:%u", s->major, s->minor);
		print_size("size", s->size);
		print_u64("logical_block_size", s->logical_block_size);
		print_u64("swaps", s->swaps);
		print_u64("parked", s->parked);
		print_object_end();
	}
	print_list_end();
}

void show_image(const struct ybd_image_info *i)
{
	char uuid[YBD_UUID_TEXT_LEN];

	print_str("name", i->name);
	print_u64("id", i->id);
	print_str("uuid", ybd_uuid_text(i->uuid, uuid));
	print_hex("identity", i->identity, sizeof(i->identity));
	print_size("size", i->size);
	print_u64("logical_block_size", i->logical_block_size);
	print_u64("layers", i->layers);
	print_bool("read_only", i->flags & YBD_IMAGE_FLAGS_READ_ONLY);
	print_u64("extents", i->extents);
	print_str("map", i->map_kind == YBD_MAP_KIND_TABLE ? "table" : "extents");
	print_size("map_bytes", i->map_bytes);
	print_size("mapped_bytes", i->mapped_bytes);
	print_u64("devices", i->devices);
}

/* What the kernel knows of a pool: what is on the pool itself is older. */
void show_open_pool(const char *member, const struct ybd_pool_info *p)
{
	print_object_begin(member);
	print_u64("id", p->id);
	print_strf("path", "/dev/%s", p->disk);
	print_u64("users", p->users);
	print_u64("logical_block_size", p->logical_block_size);
	print_size("free", p->free_segments * p->segment_size);
	print_size("metadata", p->metadata_segments * p->segment_size);
	print_size("promised", p->promised);
	print_u64("level", p->level);
	print_str("failure", *p->failure ? p->failure : NULL);
	print_u64("commits", p->commits);
	print_u64("flushes", p->flushes);
	print_u64("flushes_merged", p->flushes_merged);
	print_object_end();
}
