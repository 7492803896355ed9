// SPDX-License-Identifier: GPL-2.0-only
/*
 * The recorder as a plugin of nbdkit: the export "marks" takes what the workload says, any other is
 * the disk. The parameters are those of struct record_config.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "record.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL
#define MARKS_SIZE (1 << 20)

static struct record_config config = { .lie_every = 1 };
static struct record *disk;
/* What a handle points at. */
static char is_disk, is_marks;

static int number(const char *key, const char *value, unsigned int *out)
{
	return nbdkit_parse_unsigned(key, value, out);
}

static int set_lie(const char *value)
{
	if (!strcmp(value, "flush"))
		config.lie = LIE_FLUSH;
	else if (!strcmp(value, "fua"))
		config.lie = LIE_FUA;
	else if (strcmp(value, "none"))
		return -1;
	return 0;
}

static int set_path(const char **path, const char *value)
{
	*path = nbdkit_absolute_path(value);
	return *path ? 0 : -1;
}

static int plugin_config(const char *key, const char *value)
{
	int64_t size;

	if (!strcmp(key, "size")) {
		size = nbdkit_parse_size(value);
		config.sectors = size / SECTOR;
		return size < 0 ? -1 : 0;
	}
	if (!strcmp(key, "base"))
		return set_path(&config.base, value);
	if (!strcmp(key, "file"))
		return set_path(&config.file, value);
	if (!strcmp(key, "trace"))
		return set_path(&config.trace, value);
	if (!strcmp(key, "marks-only")) {
		config.marks_only = nbdkit_parse_bool(value) == 1;
		return 0;
	}
	if (!strcmp(key, "delay"))
		return number(key, value, &config.delay);
	if (!strcmp(key, "evict"))
		return number(key, value, &config.evict);
	if (!strcmp(key, "seed"))
		return nbdkit_parse_uint64_t(key, value, &config.seed);
	if (!strcmp(key, "lie"))
		return set_lie(value);
	if (!strcmp(key, "lie-every"))
		return number(key, value, &config.lie_every);
	nbdkit_error("unknown parameter %s", key);
	return -1;
}

static int plugin_get_ready(void)
{
	disk = record_open(&config);
	if (disk)
		return 0;
	nbdkit_error("no disk: %m");
	return -1;
}

static void plugin_unload(void)
{
	record_close(disk);
}

static void *plugin_open(int readonly)
{
	(void)readonly;
	return strcmp(nbdkit_export_name(), "marks") ? &is_disk : &is_marks;
}

static int64_t plugin_get_size(void *handle)
{
	return handle == &is_marks ? MARKS_SIZE : (int64_t)(record_sectors(disk) * SECTOR);
}

static int plugin_block_size(void *handle, uint32_t *min, uint32_t *preferred, uint32_t *max)
{
	(void)handle;
	*min = SECTOR;
	*preferred = BLOCK;
	*max = 32 << 20;
	return 0;
}

static int plugin_can_fua(void *handle)
{
	(void)handle;
	return NBDKIT_FUA_NATIVE;
}

static int plugin_can_multi_conn(void *handle)
{
	(void)handle;
	return 1;
}

static int answer(int rc)
{
	if (!rc)
		return 0;
	nbdkit_set_error(-rc);
	return -1;
}

static int plugin_pread(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
	(void)flags;
	if (handle == &is_disk)
		return answer(record_read(disk, offset / SECTOR, buf, count / SECTOR));
	memset(buf, 0, count);
	return 0;
}

static int plugin_pwrite(void *handle, const void *buf, uint32_t count, uint64_t offset,
			 uint32_t flags)
{
	if (handle == &is_marks)
		return answer(record_marks(disk, buf, count));
	return answer(record_write(disk, offset / SECTOR, buf, count / SECTOR,
				   flags & NBDKIT_FLAG_FUA));
}

static int plugin_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	if (handle == &is_marks)
		return 0;
	if (flags & NBDKIT_FLAG_FAST_ZERO)
		return answer(-EOPNOTSUPP);
	return answer(record_zero(disk, offset / SECTOR, count / SECTOR, flags & NBDKIT_FLAG_FUA));
}

static int plugin_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	if (handle == &is_marks)
		return 0;
	return answer(record_trim(disk, offset / SECTOR, count / SECTOR, flags & NBDKIT_FLAG_FUA));
}

static int plugin_flush(void *handle, uint32_t flags)
{
	(void)flags;
	return handle == &is_marks ? 0 : answer(record_flush(disk));
}

static struct nbdkit_plugin plugin = {
	.name = "record",
	.longname = "a disk that loses what was not flushed",
	.config = plugin_config,
	.config_help = "size=, base=, file=, trace=, marks-only=, delay=, evict=, seed=, lie=, lie-every=",
	.get_ready = plugin_get_ready,
	.unload = plugin_unload,
	.open = plugin_open,
	.get_size = plugin_get_size,
	.block_size = plugin_block_size,
	.can_fua = plugin_can_fua,
	.can_multi_conn = plugin_can_multi_conn,
	.pread = plugin_pread,
	.pwrite = plugin_pwrite,
	.zero = plugin_zero,
	.trim = plugin_trim,
	.flush = plugin_flush,
};

NBDKIT_REGISTER_PLUGIN(plugin)
