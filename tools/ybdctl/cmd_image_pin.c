// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl image pin: keep the lvols of an image from being deleted on the storage side. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd_image.h"
#include "cmd_lvol.h"
#include "layers.h"
#include "names.h"
#include "nvme.h"
#include "pin.h"
#include "print.h"

/**
 * struct run - one run of the command
 * @image: the operand
 * @release: --unpin
 * @loaded: it is the name of an image in the kernel
 * @info: what the kernel says of that
 * @finder: where stores are looked for
 * @lvols: as many as there are layers
 * @changed: pins that were made or deleted
 */
struct run {
	const char *image;
	bool release;
	bool loaded;
	struct ybd_image_info info;
	struct ybd_finder finder;
	size_t lvols;
	size_t changed;
};

/* ---- which lvols ---- */

/* Is it, as far as its form goes, STORE/LVOL? It is split there. */
static bool split_lvol(char *word, char **store, char **lvol)
{
	char *slash = strchr(word, '/');

	if (ybd_layer_check(word) || !strncmp(word, "dev:", 4) || !strncmp(word, "file:", 5))
		return false;
	*slash = '\0';
	*store = word;
	*lvol = slash + 1;
	return true;
}

/*
 * Is an image of that name loaded? That it is not is no error; nor, of STORE/LVOL, that the module
 * does not say.
 */
static int look_up(struct run *r, struct ybd_error *err)
{
	struct ybd_nl *nl;
	int rc;

	if (ybd_check_image_name(r->image) || access("/sys/module/ybd", F_OK))
		return 0;
	rc = ybd_nl_open(&nl, err);
	if (!rc) {
		rc = ybd_nl_image_get(nl, r->image, &r->info, err);
		ybd_nl_close(nl);
	}
	r->loaded = !rc;
	return rc == -ENOENT || strchr(r->image, '/') ? 0 : rc;
}

/*
 * Where to look first: what the user names, else what a loaded image is read from, as
 * a copy of its store may be visible, too. Not all of that need be there.
 */
static int find_stores(struct run *r, const struct opt_list *source, struct ybd_error *err)
{
	size_t i, n = 0, all = source->n ? 0 : r->info.nr_sources;
	const char **given;
	char (*path)[48];
	int rc;

	if (!all)
		return ybd_finder_init(&r->finder, source->v, source->n, NULL, 0, err);
	given = calloc(all, sizeof(*given) + sizeof(*path));
	if (!given)
		return ybd_error_sys(err, -ENOMEM, "image %s", r->image);
	path = (void *)(given + all);
	for (i = 0; i < all; i++) {
		int fd;

		snprintf(path[i], sizeof(*path), "/dev/%s", r->info.sources[i].disk);
		fd = open(path[i], O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		close(fd);
		given[n++] = path[i];
	}
	rc = ybd_finder_init(&r->finder, given, n, NULL, 0, err);
	free(given);
	return rc;
}

/* The lvol of a loaded image that has a name of its own. */
static int spec_of_image(struct run *r, char spec[128], struct ybd_error *err)
{
	if (!r->loaded)
		return ybd_error_set(err, -ENOENT,
				     "no image \"%s\" is loaded: name its lvol as STORE/LVOL",
				     r->image);
	if (!image_lvol(&r->info, &r->finder, spec))
		return ybd_error_set(err, -ENOENT,
				     "image %s is not one lvol: name each of its lvols as STORE/LVOL",
				     r->image);
	return 0;
}

/* ---- one lvol ---- */

/*
 * Other hosts reach such a store too, and nothing tells whether one of them writes to it: a store
 * that is loaded there and was not changed yet is clean.
 */
static int check_local(const char *path, struct ybd_error *err)
{
	struct ybd_nvme_ns ns;
	char *real = realpath(path, NULL);
	int rc = 0;

	if (!real || store_is_forced() || ybd_nvme_get(NULL, basename(real), &ns)) {
		free(real);
		return 0;
	}
	for (size_t i = 0; i < ns.nr_ctrls && !rc; i++) {
		const char *how = ns.ctrls[i].transport;

		if (!strcmp(how, "tcp") || !strcmp(how, "rdma") || !strcmp(how, "fc"))
			rc = ybd_error_set(err, -EUCLEAN,
					   "%s: it is remote (%s): pin it on the host that serves it, or see that nothing there has it open and use --force",
					   path, how);
	}
	free(ns.ctrls);
	free(real);
	return rc;
}

static int change(struct run *r, struct lvs_writer *w, const char *lvol, struct lvs_error *err)
{
	struct lvw_vol *v = lvol_find(w, lvol, err);
	size_t n = 0;
	int rc;

	if (!v)
		return err->code;
	rc = r->release ? pin_release(v, &n, err) : pin_chain(v, &n, err);
	r->changed += n;
	return rc;
}

static int pin_lvol(struct run *r, const char *store, const char *lvol, struct ybd_error *err)
{
	struct lvs_error e = { 0 };
	struct ybd_source *s;
	struct lvs_writer *w;
	int rc = ybd_finder_store(&r->finder, store, &s, err), end;

	if (!rc)
		rc = check_local(s->path, err);
	if (rc)
		return rc;
	rc = store_open(s->path, &w, &e);
	if (rc)
		return ybd_error_set(err, rc, "%s: %s", s->path, e.text);
	rc = change(r, w, lvol, &e);
	if (rc)
		ybd_error_set(err, rc, "%s: %s", s->path, e.text);
	end = lvw_close(w, &e);
	if (end && !rc)
		rc = ybd_error_set(err, end, "%s: %s", s->path, e.text);
	r->lvols++;
	return rc;
}

/* ---- all of them ---- */

/* STORE/LVOL, or several of them as the names of images join them. */
static int pin_layers(struct run *r, char *words, struct ybd_error *err)
{
	char *word, *save, *store, *lvol;
	int rc = 0;

	for (word = strtok_r(words, "+", &save); word && !rc; word = strtok_r(NULL, "+", &save)) {
		if (!split_lvol(word, &store, &lvol))
			return ybd_error_set(err, -EOPNOTSUPP,
					     "layer \"%s\" of %s is no lvol, and cannot be pinned",
					     word, r->image);
		rc = pin_lvol(r, store, lvol, err);
	}
	return rc;
}

static int run(struct run *r, const struct opt_list *source, struct ybd_error *err)
{
	char words[YBD_IMAGE_NAME_LEN + 1 + 128], *store, *lvol;
	int rc = find_stores(r, source, err);

	if (rc)
		return rc;
	snprintf(words, sizeof(words), "%s", r->image);
	if (!split_lvol(words, &store, &lvol))
		rc = spec_of_image(r, words, err);
	else
		snprintf(words, sizeof(words), "%s", r->image);
	if (!rc)
		rc = pin_layers(r, words, err);
	ybd_finder_exit(&r->finder);
	return rc;
}

static void say(const struct run *r)
{
	if (print_is_json()) {
		print_str("image", r->image);
		print_bool("pinned", !r->release);
		print_u64("layers", r->lvols);
		print_u64("changed", r->changed);
		return;
	}
	if (cmd_quiet())
		return;
	if (r->release)
		print_line(r->changed ? "image %s is no longer pinned" : "image %s was not pinned",
			   r->image);
	else
		print_line(r->changed ? "image %s is pinned" : "image %s was pinned already",
			   r->image);
}

int image_pin(const struct cmd *cmd, int argc, char **argv)
{
	struct opt_list source = { NULL, 0 };
	struct ybd_error err = { 0 };
	struct run r = { 0 };
	const struct opt opts[] = {
		OPT_FLAG("unpin", &r.release, "Let it be deleted again."),
		OPT_LIST("source", "SOURCE", &source,
			 "Where to look for stores first: device, file, uuid:, nguid:, eui:."),
		OPT_MORE(store_write_opts),
		OPT_END
	};
	int rc;

	cmd_parse(cmd, opts, argc, argv, 1, 1);
	r.image = argv[0];
	rc = look_up(&r, &err);
	if (!rc)
		rc = run(&r, &source, &err);
	if (r.loaded)
		ybd_image_info_free(&r.info);
	free(source.v);
	if (rc)
		return cmd_fail_err(&err);
	say(&r);
	return CMD_OK;
}
