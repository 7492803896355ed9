// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl source: NVMe namespaces and what is on them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "blk.h"
#include "cmd.h"
#include "commands.h"
#include "lvstore/lvstore.h"
#include "names.h"
#include "nl.h"
#include "nvme.h"
#include "parse.h"
#include "pool/pool.h"
#include "print.h"
#include "source.h"
#include "util.h"

static const struct print_column list_cols[] = {
	{ "path", "DEVICE", false },
	{ "size", "SIZE", true },
	{ "block_size", "BLOCK", true },
	{ "transport", "VIA", false },
	{ "state", "STATE", false },
	{ "source", "SOURCE", false },
	{ "images", "IMAGES", true },
	{ "content", "CONTENT", false },
	{ }
};

/* ---- what is on it ---- */

static void print_content(const char *kind, const char *type, const char *uuid,
			  const char *label)
{
	char *text __cleanup_free = NULL;

	if (kind && asprintf(&text, "%s%s%s", type ? type : kind,
			     label && *label ? " " : "",
			     label ? label : "") < 0)
		text = NULL;
	print_str_as("content", kind, text);
	print_str("content_type", type);
	print_str("content_uuid", uuid);
	print_str("content_label", label);
}

static void print_blkid(int fd, const char *path)
{
	struct ybd_error err = { 0 };
	struct ybd_blk_content c;
	const char *kind;

	if (ybd_blk_probe(fd, &c, &err)) {
		cmd_warn("%s: %s", path, err.text);
		print_content("unreadable", NULL, NULL, NULL);
		return;
	}
	kind = c.usage[0] ? c.usage : c.type[0] ? "other" : NULL;
	print_content(kind, c.type[0] ? c.type : NULL,
		      c.uuid[0] ? c.uuid : NULL, c.label[0] ? c.label : NULL);
}

/* Is it a pool? Then that is printed; one that is damaged is warned of. */
static bool print_pool(const char *path)
{
	char uuid[YBD_UUID_TEXT_LEN];
	struct ybd_error err = { 0 };
	struct pool_info info;
	struct pool_io *io;
	int rc = pool_io_open(path, POOL_IO_LOOK, 0, &io, &err);

	if (rc)
		return false;
	rc = pool_probe(io, &info, &err);
	pool_io_close(io);
	if (!rc) {
		print_content("pool", NULL, ybd_uuid_text(info.uuid, uuid), info.name);
	} else if (rc == -EUCLEAN || rc == -EOPNOTSUPP) {
		cmd_warn("%s: %s", path, err.text);
		print_content("damaged", "damaged pool", NULL, NULL);
	} else {
		return false;
	}
	return true;
}

/* @fd: negative errno when it does not open */
static void print_on(int fd, const char *path)
{
	struct lvs_error err = { 0 };
	struct lvs_probe p;
	int rc = fd < 0 ? fd : lvs_probe_fd(fd, &p, &err);

	if (!rc) {
		print_content("lvstore", NULL, p.uuid, p.name);
	} else if (rc == -ENODATA) {
		if (!print_pool(path))
			print_blkid(fd, path);
	} else if (rc == -EMEDIUMTYPE || rc == -EUCLEAN || rc == -EOPNOTSUPP) {
		cmd_warn("%s: %s", path, err.text);
		print_content("damaged", "damaged lvstore", NULL, NULL);
	} else {
		cmd_warn("%s: %s", path, err.text[0] ? err.text : strerror(-rc));
		print_content("unreadable", NULL, NULL, NULL);
	}
}

/* ---- which images use it ---- */

/* Those in the kernel; none when the module is not there or does not answer. */
static struct ybd_source_list in_use(void)
{
	struct ybd_source_list list = { 0 };
	struct ybd_nl *nl;

	/* looking at devices is no reason to load the module */
	if (access("/sys/module/ybd", F_OK) || ybd_nl_open(&nl, NULL))
		return list;
	ybd_nl_source_list(nl, &list, NULL);
	ybd_nl_close(nl);
	return list;
}

static u32 images_of(const struct ybd_source_list *used, const char *disk)
{
	size_t i;

	for (i = 0; i < used->n; i++)
		if (!strcmp(used->v[i].disk, disk))
			return used->v[i].images;
	return 0;
}

/* ---- how long the driver may keep I/O ---- */

static void print_seconds(const char *key, u32 val)
{
	if (val == YBD_NVME_FOREVER)
		print_str(key, NULL);
	else
		print_u64(key, val);
}

/* One line for the controller that is the worst. */
static void warn_hold(const struct ybd_nvme_ns *ns, u32 bound)
{
	const struct ybd_nvme_ctrl *c = ns->ctrls;
	u32 hold = ybd_nvme_hold(ns);
	char text[32] = "for ever";
	size_t i;

	if (hold <= bound)
		return;
	for (i = 1; i < ns->nr_ctrls; i++)
		if (ns->ctrls[i].hold > c->hold)
			c = &ns->ctrls[i];
	if (hold != YBD_NVME_FOREVER)
		snprintf(text, sizeof(text), "%u s", hold);
	if (c->hold <= bound)
		cmd_warn("/dev/%s: I/O may be held %s when all paths are gone: lower /sys/block/%s/delayed_removal_secs",
			 ns->disk, text, ns->disk);
	else if (!strcmp(c->transport, "pcie"))
		cmd_warn("/dev/%s: %s may hold I/O %s, twice /sys/module/nvme_core/parameters/io_timeout: lower that",
			 ns->disk, c->name, text);
	else
		cmd_warn("/dev/%s: %s may hold I/O %s when its link is lost: lower /sys/class/nvme/%s/fast_io_fail_tmo",
			 ns->disk, c->name, text, c->name);
}

/* ---- list ---- */

static void print_ctrls(const struct ybd_nvme_ns *ns)
{
	size_t i;

	print_list_begin("controllers", NULL);
	for (i = 0; i < ns->nr_ctrls; i++) {
		print_object_begin(NULL);
		print_str("name", ns->ctrls[i].name);
		print_str("transport", ns->ctrls[i].transport);
		print_str("address", ns->ctrls[i].address);
		print_str("state", ns->ctrls[i].state);
		print_seconds("hold_seconds", ns->ctrls[i].hold);
		print_object_end();
	}
	print_list_end();
}

/* The best state of its paths: that is what I/O meets. */
static const char *state_of(const struct ybd_nvme_ns *ns)
{
	size_t i;

	for (i = 0; i < ns->nr_ctrls; i++)
		if (!strcmp(ns->ctrls[i].state, "live"))
			return "live";
	return ns->nr_ctrls ? ns->ctrls[0].state : NULL;
}

static void print_ns(const struct ybd_nvme_ns *ns,
		     const struct ybd_source_list *used, u32 bound)
{
	int fd __cleanup_fd = -1;
	char path[48], id[YBD_NVME_ID_LEN];

	snprintf(path, sizeof(path), "/dev/%s", ns->disk);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	print_object_begin(NULL);
	print_str("path", path);
	print_str("source", ybd_nvme_id(ns, id));
	print_size("size", ns->size);
	print_u64("block_size", ns->lba_size);
	print_bool("read_only", ns->read_only);
	print_u64("nsid", ns->nsid);
	print_str("uuid", ns->uuid[0] ? ns->uuid : NULL);
	print_str("nguid", ns->nguid[0] ? ns->nguid : NULL);
	print_str("eui", ns->eui[0] ? ns->eui : NULL);
	print_str("nqn", ns->nqn);
	print_str("model", ns->model);
	print_str("serial", ns->serial);
	print_str("transport", ns->nr_ctrls ? ns->ctrls[0].transport : NULL);
	print_str("state", state_of(ns));
	print_bool("multipath", ns->multipath);
	print_seconds("hold_seconds", ybd_nvme_hold(ns));
	print_ctrls(ns);
	print_u64("images", images_of(used, ns->disk));
	print_on(fd < 0 ? -errno : fd, path);
	print_object_end();
	warn_hold(ns, bound);
}

static void print_other(const struct ybd_source *s,
			const struct ybd_source_list *used)
{
	print_object_begin(NULL);
	print_str("path", s->path);
	print_str("source", s->name);
	print_size("size", s->size);
	print_u64("block_size", s->block_size);
	print_u64("images", s->is_file ? 0 :
		  images_of(used, strrchr(s->path, '/') + 1));
	print_on(s->fd, s->path);
	print_object_end();
}

static int list_given(int n, char **spec, const struct ybd_source_list *used,
		      u32 bound, struct ybd_error *err)
{
	struct ybd_nvme_ns ns;
	struct ybd_finder f;
	struct ybd_source *s;
	int i, rc;

	rc = ybd_finder_init(&f, NULL, 0, NULL, 0, err);
	for (i = 0; !rc && i < n; i++) {
		rc = ybd_finder_source(&f, spec[i], &s, err);
		if (rc)
			break;
		if (!s->is_file &&
		    !ybd_nvme_get(NULL, strrchr(s->path, '/') + 1, &ns)) {
			print_ns(&ns, used, bound);
			free(ns.ctrls);
		} else {
			print_other(s, used);
		}
	}
	ybd_finder_exit(&f);
	return rc;
}

static int list_nvme(const struct ybd_source_list *used, u32 bound,
		     struct ybd_error *err)
{
	struct ybd_nvme_list list;
	int rc = ybd_nvme_list(NULL, &list);
	size_t i;

	if (rc)
		return ybd_error_sys(err, rc, "listing NVMe namespaces");
	for (i = 0; i < list.n; i++)
		print_ns(&list.v[i], used, bound);
	ybd_nvme_list_free(&list);
	return 0;
}

static int source_list(const struct cmd *cmd, int argc, char **argv)
{
	const char *text = "60";
	const struct opt opts[] = {
		OPT_STR("bound", "SECONDS", &text,
			"Warn where I/O may be held longer (60)."),
		OPT_END
	};
	int n = cmd_parse(cmd, opts, argc, argv, 0, argc), rc;
	struct ybd_source_list used;
	struct ybd_error err = { 0 };
	u32 bound;

	if (parse_seconds(text, &bound))
		cmd_usage("--bound: \"%s\" is no number of seconds", text);
	used = in_use();
	print_list_begin("sources", list_cols);
	if (n)
		rc = list_given(n, argv, &used, bound, &err);
	else
		rc = list_nvme(&used, bound, &err);
	print_list_end();
	ybd_source_list_free(&used);
	return rc ? cmd_fail_err(&err) : CMD_OK;
}

const struct cmd cmd_source[] = {
	{ "list", "[SOURCE...]",
	  "List NVMe namespaces, or the given devices and files, and what is on them.",
	  source_list, NULL },
	{ "swap", "SOURCE DEVICE",
	  "Let a device take the place of a source that vanished.",
	  cmd_source_swap, NULL },
	{ }
};
