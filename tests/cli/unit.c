// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of what ybdctl and its library do without a kernel. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs.h"
#include "image.h"
#include "ktap.h"
#include "layerlist.h"
#include "names.h"
#include "nvme.h"
#include "overlay.h"
#include "parse.h"
#include "print.h"
#include "ticket.h"
#include "utf8.h"
#include "util.h"

#define check_eq(a, b, fmt, ...) \
	ktap_check((a) == (b), "%s:%d: " fmt, __FILE__, __LINE__, ##__VA_ARGS__)

/* ---- sizes ---- */

static void test_parse_size(void)
{
	static const struct {
		const char *text;
		int rc;
		u64 val;
	} t[] = {
		{ "0", 0, 0 }, { "1", 0, 1 }, { "007", 0, 7 },
		{ "4096", 0, 4096 }, { "1K", 0, 1024 }, { "1k", 0, 1024 },
		{ "3M", 0, 3 << 20 }, { "2g", 0, 2ULL << 30 },
		{ "5T", 0, 5ULL << 40 },
		{ "9223372036854775807", 0, INT64_MAX },
		{ "9223372036854775808", -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "8388607T", 0, 8388607ULL << 40 },
		{ "8388608T", -ERANGE, 0 },
		{ "", -EINVAL, 0 }, { "K", -EINVAL, 0 }, { "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 }, { " 1", -EINVAL, 0 }, { "1 ", -EINVAL, 0 },
		{ "1KB", -EINVAL, 0 }, { "1.5G", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 }, { "1P", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		u64 val = 42;
		int rc = parse_size(t[i].text, &val);

		check_eq(rc, t[i].rc, "\"%s\" gives %d", t[i].text, rc);
		check_eq(val, rc ? 42 : t[i].val, "\"%s\" is %llu", t[i].text,
			 (unsigned long long)val);
	}
	ktap_done("sizes are parsed");
}

static void test_print_size(void)
{
	static const struct {
		u64 val;
		const char *text;
	} t[] = {
		{ 0, "0" }, { 1, "1" }, { 1023, "1023" }, { 1024, "1K" },
		{ 1536, "1.5K" }, { 1048575, "1M" }, { 1 << 20, "1M" },
		{ (5 << 20) / 2, "2.5M" }, { 100 << 20, "100M" },
		{ (1 << 30) - 1, "1G" }, { 3ULL << 40, "3T" },
		{ UINT64_MAX, "16E" }, { INT64_MAX, "8E" },
		{ 1ULL << 60, "1E" }, { 123456789, "118M" },
	};
	char buf[PRINT_SIZE_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		print_size_text(t[i].val, buf);
		ktap_check(!strcmp(buf, t[i].text), "%llu is \"%s\", not \"%s\"",
			   (unsigned long long)t[i].val, buf, t[i].text);
	}
	ktap_done("sizes are printed");
}

/* ---- names ---- */

static void test_names(void)
{
	static const char * const good[] = { "a", "A9", "web-1", "_x", "a.b_c-d" };
	static const char * const bad[] = {
		"", ".", "..", ".a", "-a", "a b", "a/b", "a\n", "\xc3\xa4", "a:b",
	};
	char name[200];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		ktap_check(!ybd_check_device_name(good[i]), "%s is refused",
			   good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ktap_check(ybd_check_device_name(bad[i]), "\"%s\" is taken",
			   bad[i]);
	memset(name, 'x', sizeof(name));
	name[63] = '\0';
	ktap_check(!ybd_check_device_name(name), "63 characters are refused");
	name[63] = 'x';
	name[64] = '\0';
	ktap_check(ybd_check_device_name(name), "64 characters are taken");
	name[64] = 'x';
	name[127] = '\0';
	ktap_check(!ybd_check_image_name(name), "127 characters are refused");
	name[127] = 'x';
	name[128] = '\0';
	ktap_check(ybd_check_image_name(name), "128 characters are taken");
	ktap_check(!ybd_check_image_name("images/final+dev:uuid:x"), "image");
	ktap_check(ybd_check_image_name("a b"), "a blank is taken");
	ktap_check(ybd_check_image_name(""), "an empty image name is taken");
	ktap_done("names are checked");
}

static void test_layer_specs(void)
{
	static const char * const good[] = {
		"s/l", "s/l/m", "dev:/dev/x", "dev:uuid:1", "file:x", "file:/a/b",
	};
	static const char * const bad[] = {
		"", "s", "/l", "s/", "dev:", "file:", "uuid:x",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		ktap_check(!ybd_layer_check(good[i]), "%s is refused", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ktap_check(ybd_layer_check(bad[i]), "\"%s\" is taken", bad[i]);
	ktap_done("layers are checked");
}

static void test_uuid(void)
{
	static const char text[] = "029a3bc0-ce40-47bb-916f-2347922f0196";
	static const char * const bad[] = {
		"", "029a3bc0", "029a3bc0-ce40-47bb-916f-2347922f019",
		"029a3bc0-ce40-47bb-916f-2347922f01960",
		"029a3bc0xce40-47bb-916f-2347922f0196",
		"029a3bc0-ce40-47bb-916f-2347922f019g",
	};
	char buf[YBD_UUID_TEXT_LEN];
	u8 uuid[16];

	ktap_check(!ybd_uuid_parse(text, uuid), "not taken");
	ktap_check(!strcmp(ybd_uuid_text(uuid, buf), text), "became %s", buf);
	ktap_check(!ybd_uuid_parse("029A3BC0-CE40-47BB-916F-2347922F0196", uuid) &&
		   !strcmp(ybd_uuid_text(uuid, buf), text), "upper case");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ktap_check(ybd_uuid_parse(bad[i], uuid), "\"%s\" is taken", bad[i]);
	ktap_done("uuids go back and forth");
}

static void test_utf8(void)
{
	static const struct {
		const char *in;
		const char *valid;
		const char *printable;
	} t[] = {
		{ "plain", "plain", "plain" },
		{ "a\x1b[1m", "a\x1b[1m", "a\\x1b[1m" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		  "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		  "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "\xff", "\xef\xbf\xbd", "\xef\xbf\xbd" },
		{ "\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
		  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xe2\x80\xae", "\xe2\x80\xae", "\\xe2\\x80\\xae" },
		{ "a\nb", "a\nb", "a\\x0ab" },
		{ "\x7f", "\x7f", "\\x7f" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		char *v = utf8_valid(t[i].in), *p = utf8_printable(t[i].in);

		ktap_check(!strcmp(v, t[i].valid), "%zu: valid is %s", i, v);
		ktap_check(!strcmp(p, t[i].printable), "%zu: printable is %s", i, p);
		free(v);
		free(p);
	}
	check_eq(utf8_width("\xc3\xa4x"), 2, "width");
	ktap_done("strings from elsewhere are made harmless");
}

/* ---- overlaying extent maps ---- */

#define BLOCKS 64
#define BLOCK 512

/* What a map says of each block: 0 is a hole, else source and physical block. */
static void model_put(u64 model[BLOCKS], const struct ybd_map_extent *e, size_t nr)
{
	for (; nr--; e++)
		for (u64 b = 0; b < e->len / BLOCK; b++)
			model[e->start / BLOCK + b] =
				((u64)e->source + 1) << 32 | (e->phys / BLOCK + b);
}

static bool map_matches(const struct ybd_overlay *o, const u64 want[BLOCKS])
{
	u64 have[BLOCKS] = { 0 };
	u64 at = 0;

	for (size_t i = 0; i < o->nr; i++) {
		if (o->ext[i].start < at || !o->ext[i].len)
			return false;
		at = o->ext[i].start + o->ext[i].len;
	}
	if (at > o->size)
		return false;
	model_put(have, o->ext, o->nr);
	return !memcmp(have, want, sizeof(have));
}

static size_t random_layer(struct ybd_map_extent *e, u32 source, u64 *size)
{
	u64 at = 0, end = 1 + rand() % BLOCKS;
	size_t nr = 0;

	*size = end * BLOCK;
	while (at < end) {
		u64 len = 1 + rand() % 8;

		if (len > end - at)
			len = end - at;
		if (rand() % 2) {
			e[nr].start = at * BLOCK;
			e[nr].len = len * BLOCK;
			e[nr].phys = (u64)(rand() % 100) * BLOCK;
			e[nr].source = source;
			e[nr].reserved = 0;
			nr++;
		}
		at += len;
	}
	return nr;
}

static void test_overlay_random(unsigned int seed)
{
	struct ybd_map_extent e[BLOCKS];

	srand(seed);
	for (int round = 0; round < 20000; round++) {
		struct ybd_overlay o = { 0 };
		u64 model[BLOCKS] = { 0 }, size, most = 0;
		int layers = 1 + rand() % 6;

		for (int l = 0; l < layers; l++) {
			size_t nr = random_layer(e, rand() % 3, &size);

			model_put(model, e, nr);
			most = size > most ? size : most;
			check_eq(ybd_overlay_add(&o, e, nr, size), 0, "add");
		}
		ktap_check(map_matches(&o, model), "round %d: wrong map", round);
		check_eq(o.size, most, "round %d: wrong size", round);
		ybd_overlay_free(&o);
	}
	ktap_done("random layers: each block is of the topmost that has it (seed %u)",
		  seed);
}

static void test_overlay_merge(void)
{
	const struct ybd_map_extent low = { 0, 0, 100 * BLOCK, 0, 0 };
	const struct ybd_map_extent mid = { 10 * BLOCK, 10 * BLOCK, 5 * BLOCK, 0, 0 };
	const struct ybd_map_extent cut = { 20 * BLOCK, 0, BLOCK, 1, 0 };
	struct ybd_overlay o = { 0 };

	check_eq(ybd_overlay_add(&o, &low, 1, 100 * BLOCK), 0, "add");
	check_eq(ybd_overlay_add(&o, &mid, 1, 50 * BLOCK), 0, "add");
	check_eq(o.nr, 1, "what continues is %zu extents", o.nr);
	check_eq(ybd_overlay_add(&o, &cut, 1, 50 * BLOCK), 0, "add");
	check_eq(o.nr, 3, "what was cut is %zu extents", o.nr);
	check_eq(ybd_overlay_add(&o, NULL, 0, 200 * BLOCK), 0, "an empty layer");
	check_eq(o.nr, 3, "an empty layer changes it");
	check_eq(o.size, 200 * BLOCK, "size %llu", (unsigned long long)o.size);
	ybd_overlay_free(&o);
	ktap_done("extents that continue are joined");
}

static void test_overlay_bad(void)
{
	static const struct {
		const char *why;
		struct ybd_map_extent e[2];
		size_t nr;
	} t[] = {
		{ "empty", { { 0, 0, 0, 0, 0 } }, 1 },
		{ "beyond the end", { { 512, 0, 1024, 0, 0 } }, 1 },
		{ "wraps", { { UINT64_MAX - 511, 0, 1024, 0, 0 } }, 1 },
		{ "huge", { { 0, 0, UINT64_MAX, 0, 0 } }, 1 },
		{ "phys wraps", { { 0, UINT64_MAX - 511, 1024, 0, 0 } }, 1 },
		{ "unsorted", { { 512, 0, 512, 0, 0 }, { 0, 0, 512, 0, 0 } }, 2 },
		{ "overlap", { { 0, 0, 1024, 0, 0 }, { 512, 0, 512, 0, 0 } }, 2 },
	};
	const struct ybd_map_extent ok = { 0, 0, 512, 7, 0 };
	struct ybd_overlay o = { 0 };

	check_eq(ybd_overlay_add(&o, &ok, 1, 512), 0, "add");
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		check_eq(ybd_overlay_add(&o, t[i].e, t[i].nr, 1024), -EINVAL,
			 "%s is taken", t[i].why);
		ktap_check(o.nr == 1 && o.size == 512, "%s changed it", t[i].why);
	}
	ybd_overlay_free(&o);
	ktap_done("unsound layers are refused and change nothing");
}

/* ---- mount options ---- */

static void check_options(const char *type, const char *user, bool ro,
			  unsigned long flags, const char *data)
{
	struct fs_options o;

	check_eq(fs_options(type, user, ro, &o), 0, "%s %s", type, user);
	check_eq(o.flags, flags, "%s %s: flags %lx", type, user, o.flags);
	ktap_check(!strcmp(o.data, data), "%s %s: \"%s\"", type, user, o.data);
}

static void test_fs(void)
{
	struct fs_options o;
	char big[1000];

	check_options("ext4", NULL, false, 0, "");
	check_options("ext4", NULL, true, MS_RDONLY, "noload");
	check_options("ext2", NULL, true, MS_RDONLY, "");
	check_options("xfs", NULL, false, 0, "nouuid");
	check_options("xfs", NULL, true, MS_RDONLY, "nouuid,norecovery");
	check_options("xfs", "ro", false, MS_RDONLY, "nouuid,norecovery");
	check_options("xfs", "rw", true, MS_RDONLY, "nouuid,norecovery");
	check_options("erofs", "nosuid,nodev", true,
		      MS_RDONLY | MS_NOSUID | MS_NODEV, "");
	check_options("ext4", "noatime,,discard,", false, MS_NOATIME, "discard");
	check_options("ext4", "noexec,exec,data=ordered", false, 0, "data=ordered");
	check_options("ext4", "context=\"a_u:b_t:s0:c1,c2\",noatime", false,
		      MS_NOATIME, "context=\"a_u:b_t:s0:c1,c2\"");
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	check_eq(fs_options("ext4", big, false, &o), -E2BIG, "too long");
	ktap_check(!fs_check("ext4") && !fs_check("xfs") && !fs_check("squashfs"),
		   "a good type is refused");
	ktap_check(fs_check("btrfs") && fs_check("") && fs_check("swap"),
		   "a bad type is taken");
	ktap_done("options for mount(2)");
}

/* ---- NVMe namespaces, from a sysfs that is made up ---- */

static char sysfs[32];

static void put(const char *path, const char *text)
{
	char cmd[512], full[300];
	FILE *f;

	snprintf(cmd, sizeof(cmd), "mkdir -p \"$(dirname %s/%s)\"", sysfs, path);
	ktap_check(!system(cmd), "%s", cmd);
	snprintf(full, sizeof(full), "%s/%s", sysfs, path);
	f = fopen(full, "w");
	ktap_check(f && fputs(text, f) >= 0 && !fclose(f), "%s", full);
}

static void sysfs_link(const char *to, const char *path)
{
	char full[300];

	snprintf(full, sizeof(full), "%s/%s", sysfs, path);
	ktap_check(!symlink(to, full), "%s", full);
}

static void make_pcie(void)
{
	put("module/nvme_core/parameters/io_timeout", "30\n");
	put("devices/c0/nvme0/transport", "pcie\n");
	put("devices/c0/nvme0/state", "live\n");
	put("devices/c0/nvme0/address", "0000:01:00.0\n");
	put("devices/c0/nvme0/subsysnqn", "nqn.x\n");
	put("devices/c0/nvme0/model", "DPU disk   ");
	put("block/nvme0n1/size", "262144\n");
	put("block/nvme0n1/queue/logical_block_size", "512\n");
	put("block/nvme0n1/nsid", "7\n");
	put("block/nvme0n1/ro", "1\n");
	put("block/nvme0n1/uuid", "029A3BC0-ce40-47bb-916f-2347922f0001\n");
	put("block/nvme0n1/nguid", "00000000-0000-0000-0000-000000000000\n");
	put("block/nvme0n1/eui", "52 54 00 00 59 42 00 01\n");
	sysfs_link("../../devices/c0/nvme0", "block/nvme0n1/device");
}

static void make_multipath(void)
{
	put("devices/nvme-subsys1/subsysnqn", "nqn.y\n");
	put("devices/nvme-subsys1/nvme1/transport", "tcp\n");
	put("devices/nvme-subsys1/nvme1/state", "connecting\n");
	put("devices/nvme-subsys1/nvme1/nvme1c1n2/hidden", "1\n");
	put("devices/nvme-subsys1/nvme1/ctrl_loss_tmo", "600\n");
	put("devices/nvme-subsys1/nvme1/fast_io_fail_tmo", "5\n");
	put("devices/nvme-subsys1/nvme2/ctrl_loss_tmo", "off\n");
	put("devices/nvme-subsys1/nvme2/fast_io_fail_tmo", "off\n");
	put("devices/nvme-subsys1/nvme2/transport", "rdma\n");
	put("devices/nvme-subsys1/nvme2/state", "live\n");
	put("devices/nvme-subsys1/nvme2/nvme1c2n2/hidden", "1\n");
	put("devices/nvme-subsys1/nvme3/transport", "tcp\n");
	put("block/nvme1c1n2/hidden", "1\n");
	put("block/nvme1c2n2/hidden", "1\n");
	put("block/nvme1n2/size", "8\n");
	/* without a uuid the kernel shows the nguid in its place */
	put("block/nvme1n2/nguid", "01020304-0506-0708-090a-0b0c0d0e0f10\n");
	put("block/nvme1n2/uuid", "01020304-0506-0708-090a-0b0c0d0e0f10\n");
	sysfs_link("../../devices/nvme-subsys1", "block/nvme1n2/device");
}

static void check_pcie(const struct ybd_nvme_ns *n)
{
	char id[YBD_NVME_ID_LEN];

	ktap_check(!strcmp(n->disk, "nvme0n1"), "disk %s", n->disk);
	ktap_check(!strcmp(ybd_nvme_id(n, id),
			   "uuid:029a3bc0-ce40-47bb-916f-2347922f0001"), "%s", id);
	ktap_check(!n->nguid[0] && !strcmp(n->eui, "5254000059420001"),
		   "nguid \"%s\", eui \"%s\"", n->nguid, n->eui);
	ktap_check(n->size == 1 << 27 && n->lba_size == 512 && n->nsid == 7 &&
		   n->read_only, "numbers");
	ktap_check(!strcmp(n->model, "DPU disk"), "model \"%s\"", n->model);
	ktap_check(n->nr_ctrls == 1 && !strcmp(n->ctrls[0].name, "nvme0") &&
		   !strcmp(n->ctrls[0].transport, "pcie") &&
		   !strcmp(n->ctrls[0].state, "live"), "controllers");
	ktap_check(ybd_nvme_matches(n, "uuid:029A3BC0ce4047bb916f2347922f0001"),
		   "uuid does not match");
	ktap_check(ybd_nvme_matches(n, "eui:52-54-00-00-59-42-00-01"),
		   "eui does not match");
	ktap_check(!ybd_nvme_matches(n, "eui:5254000059420002") &&
		   !ybd_nvme_matches(n, "nguid:") && !ybd_nvme_matches(n, "uuid:") &&
		   !ybd_nvme_matches(n, "nguid:00000000000000000000000000000000"),
		   "matches what it is not");
}

/* How long I/O may be kept: an abort and a reset; the first limit; no limit. */
static void check_hold(const struct ybd_nvme_ns *pcie,
		       const struct ybd_nvme_ns *head)
{
	struct ybd_nvme_ns slow = *head;

	check_eq(pcie->multipath, false, "PCIe is a head");
	check_eq(ybd_nvme_hold(pcie), 60, "PCIe: %u s", ybd_nvme_hold(pcie));
	check_eq(head->multipath, true, "the head is none");
	check_eq(head->ctrls[0].hold, 35, "tcp: %u s", head->ctrls[0].hold);
	check_eq(ybd_nvme_hold(head), YBD_NVME_FOREVER, "a path without limit");
	slow.nr_ctrls = 1;
	slow.removal_delay = 10;
	check_eq(ybd_nvme_hold(&slow), 45, "removal: %u s", ybd_nvme_hold(&slow));
}

static void test_nvme(void)
{
	struct ybd_nvme_list list;
	char cmd[64], id[YBD_NVME_ID_LEN];

	snprintf(sysfs, sizeof(sysfs), "/tmp/ybd-sysfs-XXXXXX");
	ktap_check(mkdtemp(sysfs), "%s", sysfs);
	make_pcie();
	make_multipath();
	put("block/sda/size", "1\n");
	put("block/nvme0n1p1/size", "1\n");
	check_eq(ybd_nvme_list(sysfs, &list), 0, "list");
	check_eq(list.n, 2, "%zu namespaces", list.n);
	if (list.n == 2) {
		check_pcie(&list.v[0]);
		ktap_check(!strcmp(ybd_nvme_id(&list.v[1], id),
				   "nguid:0102030405060708090a0b0c0d0e0f10"), "%s", id);
		check_eq(list.v[1].nr_ctrls, 2, "%zu paths", list.v[1].nr_ctrls);
		ktap_check(!strcmp(list.v[1].nqn, "nqn.y"), "nqn");
		check_hold(&list.v[0], &list.v[1]);
		ktap_check(list.v[1].nr_ctrls == 2 &&
			   !strcmp(list.v[1].ctrls[1].transport, "rdma"), "path");
	}
	ybd_nvme_list_free(&list);
	check_eq(ybd_nvme_list("/nowhere", &list), 0, "no sysfs");
	snprintf(cmd, sizeof(cmd), "rm -rf %s", sysfs);
	ktap_check(!system(cmd), "%s", cmd);
	ktap_done("NVMe namespaces and their paths");
}

/* ---- one run for many events ---- */

/**
 * struct shared - between processes
 * @events: that have happened
 * @seen: of these, how many a pass that has ended had seen
 * @passes: that were made
 * @inside: passes that are under way
 * @wrong: a run whose event nobody saw, or that was not alone
 * @go: all processes are there
 */
struct shared {
	atomic_int events;
	atomic_int seen;
	atomic_int passes;
	atomic_int inside;
	atomic_int wrong;
	atomic_int go;
};

/* The run for an event; one in four is killed in the middle of its work. */
static void one_run(struct shared *s, const char *dir, int n)
{
	struct ticket t;
	int event, saw, rc;

	while (!s->go)
		usleep(1000);
	event = atomic_fetch_add(&s->events, 1) + 1;
	rc = ticket_wait(&t, dir, NULL);
	if (rc < 0)
		s->wrong++;
	if (rc == 1) {
		saw = s->events;
		if (atomic_fetch_add(&s->inside, 1))
			s->wrong++;
		usleep(2000);
		s->inside--;
		if (n % 4 == 3)
			_exit(0);
		s->passes++;
		if (saw > s->seen)
			s->seen = saw;
		ticket_done(&t);
	}
	if (s->seen < event)
		s->wrong++;
	_exit(0);
}

static void test_ticket(void)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char dir[] = "/tmp/ybd-ticket-XXXXXX", cmd[64];
	enum { RUNS = 80 };

	ktap_check(mkdtemp(dir) && s != MAP_FAILED, "%s", dir);
	for (int i = 0; i < RUNS; i++)
		if (!fork())
			one_run(s, dir, i);
	s->go = 1;
	while (wait(NULL) > 0)
		;
	check_eq(s->events, RUNS, "%d events", s->events);
	check_eq(s->wrong, 0, "%d runs went wrong", s->wrong);
	ktap_check(s->passes > 0 && s->passes < RUNS / 2, "%d passes for %d events",
		   s->passes, RUNS);
	munmap(s, sizeof(*s));
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ktap_check(!system(cmd), "%s", cmd);
	ktap_done("runs for events: one at a time, and few");
}

/* ---- the layers of an image, to a pool and back ---- */

static void write_file(const char *path, const char *text, off_t size)
{
	FILE *f = fopen(path, "w");

	ktap_check(f && fputs(text, f) >= 0 && !fclose(f) && !truncate(path, size),
		   "%s", path);
}

/* Find again what @list says; what came out. */
static int plan_again(const u8 *list, u32 bytes, struct ybd_plan *p,
		      struct ybd_error *err)
{
	struct ybd_finder f;
	struct ybd_layer *v;
	size_t n;
	int rc = ybd_layers_decode(list, bytes, &v, &n, err);

	if (rc)
		return rc;
	rc = ybd_finder_init(&f, NULL, 0, NULL, 0, err);
	if (!rc) {
		rc = ybd_layers_plan(&f, v, n, p, err);
		if (!rc)
			check_eq(n, 2, "%zu layers", n);
		ybd_finder_exit(&f);
	}
	ybd_layers_free(v, n);
	return rc;
}

static void check_layers(const struct ybd_plan *p, const char *store)
{
	const struct ybd_layer *l = p->layer;

	check_eq(p->nr_layer, 2, "%zu layers", p->nr_layer);
	check_eq(l[0].kind, YBD_FMT_LAYER_LVOL, "kind %u", l[0].kind);
	ktap_check(!strcmp(l[0].text, "images/final"), "text \"%s\"", l[0].text);
	ktap_check(l[0].where && !strcmp(l[0].where, store), "where \"%s\"",
		   l[0].where);
	check_eq(l[1].kind, YBD_FMT_LAYER_FILE, "kind %u", l[1].kind);
	ktap_check(!l[1].where, "a file is where it is");
}

static void test_layers(const char *images)
{
	char dir[] = "/tmp/ybd-layers-XXXXXX", top[64], cmd[64];
	char img[512], *store;
	const char *spec[2];
	struct ybd_error err = { 0 };
	struct ybd_plan a, b;
	const char *given;
	struct ybd_finder f;
	u8 *list = NULL;
	u32 bytes = 0;
	int rc;

	ktap_check(mkdtemp(dir), "%s", dir);
	snprintf(top, sizeof(top), "file:%s/top", dir);
	snprintf(img, sizeof(img), "%s/rootfs.img", images);
	store = realpath(img, NULL);
	write_file(top + 5, "one", 8192);
	given = img;
	spec[0] = "images/final";
	spec[1] = top;
	rc = ybd_finder_init(&f, &given, 1, NULL, 0, &err);
	check_eq(rc, 0, "finder: %s", err.text);
	rc = ybd_plan_make(&f, spec, 2, false, &a, &err);
	check_eq(rc, 0, "plan: %s", err.text);
	check_layers(&a, store ? store : "");
	rc = ybd_layers_encode(a.layer, a.nr_layer, &list, &bytes, &err);
	check_eq(rc, 0, "encode: %s", err.text);
	check_eq(bytes % 8, 0, "%u bytes", bytes);
	check_eq(((struct ybd_fmt_layer *)list)->kind, YBD_FMT_LAYER_FILE,
		 "the topmost comes first");
	rc = plan_again(list, bytes, &b, &err);
	check_eq(rc, 0, "again: %s", err.text);
	if (!rc) {
		ktap_check(!memcmp(a.identity, b.identity, sizeof(a.identity)),
			   "the identity is another one");
		ktap_check(!strcmp(a.name, b.name), "\"%s\"", b.name);
		ybd_plan_free(&b);
	}
	/* another file of that name */
	write_file(top + 5, "two", 16384);
	rc = plan_again(list, bytes, &b, &err);
	check_eq(rc, -ESTALE, "%d", rc);
	ktap_check(strstr(err.text, "layer 1, /tmp/ybd-layers-"), "%s", err.text);
	for (u32 n = 0; n < bytes; n += 8)
		if (n != ((struct ybd_fmt_layer *)list)->len)
			check_eq(plan_again(list, n, &b, &err), -EUCLEAN, "%u bytes", n);
	free(list);
	free(store);
	ybd_plan_free(&a);
	ybd_finder_exit(&f);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ktap_check(!system(cmd), "%s", cmd);
	ktap_done("the layers of an image, to a pool and back");
}

static void test_layers_limits(void)
{
	struct ybd_layer v[YBD_FMT_MAX_LAYERS + 1] = { 0 };
	struct ybd_error err;
	char text[PATH_MAX];
	u8 *list;
	u32 bytes;
	size_t i;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (i = 0; i <= YBD_FMT_MAX_LAYERS; i++)
		v[i] = (struct ybd_layer){ .kind = YBD_FMT_LAYER_LVOL, .text = "a/b" };
	check_eq(ybd_layers_encode(v, YBD_FMT_MAX_LAYERS + 1, &list, &bytes, &err),
		 -E2BIG, "too many");
	check_eq(ybd_layers_encode(v, YBD_FMT_MAX_LAYERS, &list, &bytes, &err), 0,
		 "%s", err.text);
	check_eq(bytes, YBD_FMT_MAX_LAYERS * (sizeof(struct ybd_fmt_layer) + 8),
		 "%u bytes", bytes);
	free(list);
	for (i = 0; i < 16; i++)
		v[i].text = text;
	check_eq(ybd_layers_encode(v, 16, &list, &bytes, &err), -E2BIG, "too long");
	ktap_done("a list of layers that is too long is refused");
}

int main(int argc, char **argv)
{
	unsigned int seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;

	ktap_plan(14);
	test_parse_size();
	test_print_size();
	test_names();
	test_layer_specs();
	test_uuid();
	test_utf8();
	test_overlay_random(seed);
	test_overlay_merge();
	test_overlay_bad();
	test_fs();
	test_nvme();
	test_ticket();
	test_layers(argc > 2 ? argv[2] : "build/fixtures/lvstore");
	test_layers_limits();
	return ktap_exit();
}
