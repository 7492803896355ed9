// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl create, detach, destroy, list, show, stats: devices. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "detach.h"
#include "layerlist.h"
#include "layers.h"
#include "names.h"
#include "pools.h"
#include "show.h"
#include "unjournaled.h"
#include "util.h"

void check_device_name(const char *name)
{
	const char *why = ybd_check_device_name(name);

	if (why)
		cmd_usage("\"%s\" cannot be the name of a device: %s", name, why);
}

/* ---- create ---- */

/**
 * struct create - a device as it was described on the command line
 * @layers: its image
 * @image: --image; the name of an image, or STORE/LVOL
 * @cgroup: --cgroup
 * @pool: --pool
 * @image_name: --image-name
 * @replug: --replug-timeout
 * @ro: --ro
 * @vol: --volatile
 * @autostart: --autostart
 * @unjournaled: --unjournaled
 * @quota: --quota
 * @reserve: --reserve
 * @ram: --ram
 * @size: --size
 * @block_size: --block-size
 */
struct create {
	struct layers layers;
	const char *image;
	const char *cgroup;
	const char *pool;
	const char *image_name;
	const char *replug;
	bool ro;
	bool vol;
	bool autostart;
	bool unjournaled;
	u64 quota;
	u64 reserve;
	u64 ram;
	u64 size;
	u64 block_size;
};

static int open_cgroup(const char *cgroup, struct ybd_error *err)
{
	char path[PATH_MAX];
	int fd;

	if (cgroup[0] == '/' && !strncmp(cgroup, "/sys/", 5))
		snprintf(path, sizeof(path), "%s", cgroup);
	else
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", cgroup);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? ybd_error_sys(err, -errno, "--cgroup: %s", path) : fd;
}

static bool is_persistent(const struct create *c)
{
	return c->pool && !c->vol;
}

/*
 * Writes that are kept have to be found again after a crash. What is volatile starts over.
 */
static int check_journal(const struct create *c, const struct ybd_plan *p, const char *name,
			 struct ybd_error *err)
{
	int rc = c->unjournaled ? 0 : ybd_plan_unjournaled(p, err);

	if (rc <= 0)
		return rc;
	if (rc == YBD_NEVER_WRITTEN)
		return ybd_error_set(err, -EMEDIUMTYPE,
				     "%s: image \"%s\" is an erofs, which is never written to: there is nothing to keep in a pool (--ro: overlayfs over it takes writes; --unjournaled: make it all the same)",
				     name, p->name);
	return ybd_error_set(err, -EMEDIUMTYPE,
			     "%s: image \"%s\" is an ext4 without a journal: a crash would damage what is kept in a pool (--volatile or --ram: keep nothing; --unjournaled: take it, and run e2fsck after a crash)",
			     name, p->name);
}

/*
 * Load the image and make the device from it. Only for an image that is not
 * loaded: reading a store takes much longer than making a device. And where a
 * pool has to remember the image, of which the kernel knows no layers.
 */
static int create_loading(struct ybd_nl *nl, struct create *c,
			  struct ybd_device_req *req,
			  struct ybd_device_info *out, struct ybd_error *err)
{
	struct ybd_image_info info;
	struct ybd_finder f;
	struct ybd_plan p;
	int rc = layers_plan(&c->layers, &f, &p, err);

	if (rc)
		return rc;
	rc = is_persistent(c) ? check_journal(c, &p, req->name, err) : 0;
	if (!rc && is_persistent(c)) {
		req->layers_fd = ybd_layers_file(&p, err);
		rc = req->layers_fd < 0 ? req->layers_fd : 0;
	}
	if (!rc)
		rc = ybd_plan_load(nl, &p, c->image_name, &info, err);
	ybd_plan_free(&p);
	ybd_finder_exit(&f);
	if (rc < 0)
		return rc;
	req->image_name = NULL;
	req->image_id = info.id;
	ybd_image_info_free(&info);
	return ybd_nl_device_create(nl, req, out, err);
}

static int create_device(struct ybd_nl *nl, struct create *c,
			 struct ybd_device_req *req,
			 struct ybd_device_info *out, struct ybd_error *err)
{
	char name[YBD_IMAGE_NAME_LEN + 1];
	int rc = -ENOENT;

	if (is_persistent(c))
		return create_loading(nl, c, req, out, err);
	if (c->image_name)
		req->image_name = c->image_name;
	else if (c->image && !c->layers.layer.n)
		req->image_name = c->image;
	else
		req->image_name = layers_name(&c->layers, name);
	if (req->image_name)
		rc = ybd_nl_device_create(nl, req, out, err);
	if (rc != -ENOENT)
		return rc;
	if (!c->layers.spec.n)
		return ybd_error_set(err, rc,
				     "%s: no image \"%s\" is loaded, and it is no STORE/LVOL either",
				     req->name, c->image);
	return create_loading(nl, c, req, out, err);
}

/* A descriptor of --pool for the kernel, or a negative errno. */
static int open_pool(const char *spec, struct ybd_error *err)
{
	struct pool_refs refs;
	int rc = pools_find(spec, &refs, err);

	if (rc)
		return rc;
	rc = pool_ref_open(&refs.v[0], err);
	pools_free(&refs);
	return rc;
}

static int create_with(struct ybd_nl *nl, struct create *c,
		       struct ybd_device_req *req, struct ybd_device_info *out,
		       struct ybd_error *err)
{
	int rc;

	if (c->pool) {
		req->pool_fd = open_pool(c->pool, err);
		if (req->pool_fd < 0)
			return req->pool_fd;
	}
	rc = create_device(nl, c, req, out, err);
	if (req->layers_fd >= 0)
		close(req->layers_fd);
	if (c->pool)
		close(req->pool_fd);
	return rc;
}

static u32 upper_kind(const struct create *c)
{
	if (c->ro)
		return YBD_UPPER_KIND_NONE;
	return c->pool ? YBD_UPPER_KIND_POOL : YBD_UPPER_KIND_RAM;
}

static int create(struct create *c, const char *name)
{
	struct ybd_device_req req = {
		.name = name,
		.upper = upper_kind(c),
		.upper_limit = c->ram,
		.size = c->size,
		.logical_block_size = c->block_size,
		.cgroup_fd = -1,
		.pool_fd = -1,
		.upper_flags = (c->vol ? YBD_UPPER_FLAGS_VOLATILE : 0) |
			       (c->autostart ? YBD_UPPER_FLAGS_AUTOSTART : 0),
		.quota = c->quota,
		.reserve = c->reserve,
		.layers_fd = -1,
		.replug_timeout = check_replug(c->replug),
	};
	int fd __cleanup_fd = -1;
	struct ybd_error err = { 0 };
	struct ybd_device_info info;
	struct ybd_nl *nl;
	int rc;

	if (c->cgroup) {
		fd = open_cgroup(c->cgroup, &err);
		if (fd < 0)
			return cmd_fail_err(&err);
		req.cgroup_fd = fd;
	}
	rc = ybd_nl_open(&nl, &err);
	if (rc)
		return cmd_fail_err(&err);
	rc = create_with(nl, c, &req, &info, &err);
	ybd_nl_close(nl);
	if (rc)
		return cmd_fail_err(&err);
	if (c->quota && c->quota < info.size)
		cmd_warn("%s: writes fail when they take more than %llu of its %llu bytes",
			 name, (unsigned long long)c->quota,
			 (unsigned long long)info.size);
	if (print_is_json())
		show_device(&info);
	else
		print_line("/dev/%s", info.disk);
	return CMD_OK;
}

/* Where writes go. */
static void check_upper(const struct create *c)
{
	if (c->ro && c->ram)
		cmd_usage("--ro and --ram exclude each other");
	if (c->pool && (c->ro || c->ram))
		cmd_usage("--pool and --%s exclude each other", c->ro ? "ro" : "ram");
	if (!c->pool && (c->vol || c->autostart || c->unjournaled || c->quota || c->reserve))
		cmd_usage("--%s needs --pool", c->vol ? "volatile" :
			  c->autostart ? "autostart" :
			  c->unjournaled ? "unjournaled" :
			  c->quota ? "quota" : "reserve");
	if (!c->ro && !c->ram && !c->pool)
		cmd_usage("where do writes go? --ram SIZE, --pool POOL, or --ro for a read-only device");
	if (c->ro && c->cgroup)
		cmd_usage("--cgroup is for --ram: a read-only device takes no memory for writes");
	if (c->pool && c->cgroup)
		cmd_usage("--cgroup is for --ram: what is written to a pool takes no memory");
	if (c->layers.unsafe && !c->ro)
		cmd_usage("--unsafe-writable needs --ro: the lvol may change below");
	if (c->ram && c->ram < 8192)
		cmd_usage("--ram is less than a block and its index, 8192 bytes");
}

static void check_pool(const struct create *c)
{
	if (c->vol && c->autostart)
		cmd_usage("--volatile and --autostart exclude each other: nothing is left to start");
	if (c->quota % 4096 || c->reserve % 4096)
		cmd_usage("--%s: no multiple of 4096",
			  c->quota % 4096 ? "quota" : "reserve");
	if (c->quota && c->reserve > c->quota)
		cmd_usage("--reserve is more than --quota");
}

static void create_check(struct create *c, const char *name)
{
	const char *why;

	check_device_name(name);
	if (!c->image && !c->layers.layer.n)
		cmd_usage("an image is missing: --image STORE/LVOL");
	if (c->image_name) {
		why = ybd_check_image_name(c->image_name);
		if (why)
			cmd_usage("\"%s\" cannot be the name of an image: %s",
				  c->image_name, why);
	}
	check_upper(c);
	check_pool(c);
	check_replug(c->replug);
	if (c->block_size && c->block_size != 512 && c->block_size != 4096)
		cmd_usage("--block-size is neither 512 nor 4096");
}

/* What --image names: an image that is loaded, or else a layer. */
static void create_layers(struct create *c)
{
	const char *why = c->image ? ybd_check_image_name(c->image) : NULL;

	if (why)
		cmd_usage("\"%s\" cannot be the name of an image: %s", c->image,
			  why);
	if (c->image && !c->layers.layer.n && ybd_layer_check(c->image)) {
		if (is_persistent(c))
			cmd_usage("--image: the pool has to remember the layers: name them as STORE/LVOL, or add --volatile");
		return;	/* then it has to be loaded */
	}
	layers_finish(&c->layers, c->image);
}

int cmd_create(const struct cmd *cmd, int argc, char **argv)
{
	struct create c = { 0 };
	const struct opt opts[] = {
		OPT_STR("image", "STORE/LVOL", &c.image,
			"The image, by the name of a loaded one or as a layer; the lowest layer."),
		OPT_MORE(c.layers.opts),
		OPT_STR("image-name", "NAME", &c.image_name,
			"What to call the image when it has to be loaded."),
		OPT_SIZE("ram", &c.ram, "Keep writes in memory, at most so many bytes."),
		OPT_FLAG("ro", &c.ro, "A read-only device."),
		OPT_STR("pool", "POOL", &c.pool,
			"Keep writes in a pool: its name, uuid, device or file."),
		OPT_FLAG("volatile", &c.vol,
			 "What is in the pool is gone after a detach or a crash."),
		OPT_SIZE("quota", &c.quota,
			 "Most that it may take of the pool; by default its size."),
		OPT_SIZE("reserve", &c.reserve, "So much of the pool is kept for it."),
		OPT_FLAG("autostart", &c.autostart, "For attach --all."),
		OPT_STR("replug-timeout", "SECONDS", &c.replug,
			"How long reads wait for a source that is gone; by default not."),
		OPT_FLAG("unjournaled", &c.unjournaled,
			 "Also over an ext2, ext3 or ext4 without a journal."),
		OPT_SIZE("size", &c.size, "Size, at least the image's, which is the default."),
		OPT_SIZE("block-size", &c.block_size,
			 "Logical block size, 512 or 4096; by default the image's."),
		OPT_STR("cgroup", "PATH", &c.cgroup,
			"Memory cgroup that pays for --ram."),
		OPT_END
	};
	int code;

	layers_init(&c.layers);
	cmd_parse(cmd, opts, argc, argv, 1, 1);
	create_check(&c, argv[0]);
	create_layers(&c);
	code = create(&c, argv[0]);
	layers_exit(&c.layers);
	return code;
}

/* ---- detach ---- */

#define MAX_WORKERS 16

/**
 * struct batch - devices to detach
 * @names: @n of them
 * @n: how many
 * @flags: of enum ybd_detach_flags
 * @deadline: until when udev is waited for
 * @next: the next one that nobody works on
 * @err: one for each
 */
struct batch {
	char **names;
	unsigned int n;
	u32 flags;
	u64 deadline;
	atomic_uint next;
	struct ybd_error *err;
};

/*
 * The kernel waits for grace periods when it removes a disk. Requests on
 * several sockets wait for them together.
 */
static void *worker(void *arg)
{
	struct ybd_error err = { 0 };
	struct ybd_nl *nl = NULL;
	struct batch *b = arg;
	unsigned int i;
	int rc;

	rc = ybd_nl_open(&nl, &err);
	for (i = atomic_fetch_add(&b->next, 1); i < b->n;
	     i = atomic_fetch_add(&b->next, 1)) {
		if (rc)
			b->err[i] = err;
		else
			ybd_detach(nl, b->names[i], b->flags, b->deadline,
				   &b->err[i]);
	}
	ybd_nl_close(nl);
	return NULL;
}

static void run_workers(struct batch *b)
{
	unsigned int want = b->n < MAX_WORKERS ? b->n : MAX_WORKERS;
	unsigned int n = 0, i;
	pthread_t id[MAX_WORKERS];

	/* this thread is one of them; fewer than wanted do as well */
	while (n + 1 < want && !pthread_create(&id[n], NULL, worker, b))
		n++;
	worker(b);
	for (i = 0; i < n; i++)
		pthread_join(id[i], NULL);
}

/* @pool: for destroy, where else to look; NULL for everywhere */
static int detach(char **names, unsigned int n, u32 flags, const char *pool)
{
	struct batch b = { .names = names, .n = n, .flags = flags };
	int rc, code = CMD_OK;
	unsigned int i;

	for (i = 0; i < n; i++)
		check_device_name(names[i]);
	b.deadline = ybd_detach_deadline();
	b.err = calloc(b.n, sizeof(*b.err));
	if (!b.err)
		return cmd_fail(-ENOMEM, "out of memory");
	run_workers(&b);
	if (flags & YBD_DETACH_FLAGS_DESTROY)
		destroy_uppers(pool, names, b.err, n);
	for (i = 0; i < b.n; i++) {
		if (!b.err[i].code)
			continue;
		rc = cmd_fail_err(&b.err[i]);
		if (!code)
			code = rc;
	}
	free(b.err);
	return code;
}

static int get_all(struct ybd_device_list *list, struct ybd_error *err)
{
	struct ybd_nl *nl;
	int rc = ybd_nl_open(&nl, err);

	if (rc)
		return rc;
	rc = ybd_nl_device_list(nl, list, err);
	ybd_nl_close(nl);
	return rc;
}

/* All that are there now; without the module there are none. */
static int detach_all(u32 flags)
{
	struct ybd_device_list list = { 0 };
	struct ybd_error err = { 0 };
	char **names;
	size_t i;
	int code;

	if (access("/sys/module/ybd", F_OK))
		return CMD_OK;
	if (get_all(&list, &err))
		return cmd_fail_err(&err);
	names = calloc(list.n + 1, sizeof(*names));
	for (i = 0; names && i < list.n; i++)
		names[i] = list.v[i].name;
	code = names ? detach(names, list.n, flags, NULL) : cmd_fail(-ENOMEM, "out of memory");
	free(names);
	ybd_device_list_free(&list);
	return code;
}

int cmd_detach(const struct cmd *cmd, int argc, char **argv)
{
	bool force = false, all = false;
	const struct opt opts[] = {
		OPT_FLAG("all", &all, "All devices."),
		OPT_FLAG("force", &force,
			 "Also when it is open: I/O fails from now on."),
		OPT_END
	};
	int n = cmd_parse(cmd, opts, argc, argv, 0, argc);
	u32 flags = force ? YBD_DETACH_FLAGS_FORCE : 0;

	if (all && n)
		cmd_usage("--all and names exclude each other");
	if (!all && !n)
		cmd_usage("too few operands: name devices, or --all");
	return all ? detach_all(flags) : detach(argv, n, flags, NULL);
}

int cmd_destroy(const struct cmd *cmd, int argc, char **argv)
{
	const char *pool = NULL;
	bool force = false;
	const struct opt opts[] = {
		OPT_FLAG("force", &force,
			 "Also when it is open: I/O fails from now on."),
		OPT_STR("pool", "POOL", &pool,
			"Look only here for one that is not attached."),
		OPT_END
	};
	int n = cmd_parse(cmd, opts, argc, argv, 1, argc);
	u32 flags = YBD_DETACH_FLAGS_DESTROY;

	return detach(argv, n, flags | (force ? YBD_DETACH_FLAGS_FORCE : 0), pool);
}

/* ---- list, show, stats ---- */

/* The devices of these names, as a list. */
static int get_named(int n, char **names, struct ybd_device_list *list,
		     struct ybd_error *err)
{
	struct ybd_nl *nl;
	int rc = ybd_nl_open(&nl, err);

	*list = (struct ybd_device_list){ calloc(n, sizeof(*list->v)), 0 };
	if (!rc && !list->v)
		rc = ybd_error_sys(err, -ENOMEM, "list");
	for (; !rc && n--; names++) {
		rc = ybd_nl_device_get(nl, *names, &list->v[list->n], err);
		list->n += !rc;
	}
	ybd_nl_close(nl);
	if (rc)
		ybd_device_list_free(list);
	return rc;
}

static void show_full(const struct ybd_device_info *d)
{
	show_device(d);
	print_object_begin("stats");
	show_stats(&d->stats);
	print_object_end();
}

static void show_counters(const struct ybd_device_info *d)
{
	print_str("name", d->name);
	show_stats(&d->stats);
}

static void print_list(const char *key, const struct print_column *cols,
		       const struct ybd_device_list *list,
		       void (*show)(const struct ybd_device_info *d))
{
	size_t i;

	print_list_begin(key, cols);
	for (i = 0; i < list->n; i++) {
		print_object_begin(NULL);
		show(&list->v[i]);
		print_object_end();
	}
	print_list_end();
}

int cmd_list(const struct cmd *cmd, int argc, char **argv)
{
	struct ybd_device_list list;
	struct ybd_error err = { 0 };

	cmd_parse(cmd, NULL, argc, argv, 0, 0);
	if (get_all(&list, &err))
		return cmd_fail_err(&err);
	print_list("devices", show_device_cols, &list, show_full);
	ybd_device_list_free(&list);
	return CMD_OK;
}

int cmd_show(const struct cmd *cmd, int argc, char **argv)
{
	int i, n = cmd_parse(cmd, NULL, argc, argv, 1, argc);
	struct ybd_device_list list;
	struct ybd_error err = { 0 };

	for (i = 0; i < n; i++)
		check_device_name(argv[i]);
	if (get_named(n, argv, &list, &err))
		return cmd_fail_err(&err);
	print_list("devices", NULL, &list, show_full);
	ybd_device_list_free(&list);
	return CMD_OK;
}

int cmd_stats(const struct cmd *cmd, int argc, char **argv)
{
	int i, n = cmd_parse(cmd, NULL, argc, argv, 0, argc);
	struct ybd_device_list list;
	struct ybd_error err = { 0 };

	for (i = 0; i < n; i++)
		check_device_name(argv[i]);
	if (n ? get_named(n, argv, &list, &err) : get_all(&list, &err))
		return cmd_fail_err(&err);
	print_list("stats", n == 1 ? NULL : show_stats_cols, &list,
		   show_counters);
	ybd_device_list_free(&list);
	return CMD_OK;
}
