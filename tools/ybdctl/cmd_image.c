// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl image: extent maps in the kernel. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd_image.h"
#include "layers.h"
#include "names.h"
#include "print.h"
#include "show.h"

static void check_name(const char *name)
{
	const char *why = ybd_check_image_name(name);

	if (why)
		cmd_usage("\"%s\" cannot be the name of an image: %s", name, why);
}

/* ---- load ---- */

static void print_loaded(const struct ybd_image_info *info, bool fresh)
{
	if (print_is_json()) {
		print_bool("loaded", fresh);
		show_image(info);
		show_sources(info);
		return;
	}
	if (cmd_quiet())
		return;
	if (!fresh)
		print_line("image %s was loaded already", info->name);
	else
		print_line("image %s is loaded: %u extents, %llu bytes of memory",
			   info->name, info->extents,
			   (unsigned long long)info->map_bytes);
}

static int load(const struct layers *l, const char *name)
{
	struct ybd_image_info info;
	struct ybd_error err = { 0 };
	struct ybd_finder f;
	struct ybd_nl *nl;
	struct ybd_plan p;
	int rc;

	rc = ybd_nl_open(&nl, &err);
	if (rc)
		return cmd_fail_err(&err);
	rc = layers_plan(l, &f, &p, &err);
	if (rc)
		goto out_close;
	rc = ybd_plan_load(nl, &p, name, &info, &err);
	if (rc >= 0) {
		print_loaded(&info, rc);
		ybd_image_info_free(&info);
	}
	ybd_plan_free(&p);
	ybd_finder_exit(&f);
out_close:
	ybd_nl_close(nl);
	return rc < 0 ? cmd_fail_err(&err) : CMD_OK;
}

static int image_load(const struct cmd *cmd, int argc, char **argv)
{
	const char *name = NULL;
	struct layers l;
	const struct opt opts[] = {
		OPT_STR("name", "NAME", &name,
			"What to call the image; by default after its layers."),
		OPT_MORE(l.opts),
		OPT_END
	};
	int n;

	layers_init(&l);
	n = cmd_parse(cmd, opts, argc, argv, 0, 1);
	layers_finish(&l, n ? argv[0] : NULL);
	if (!l.spec.n)
		cmd_usage("no layer is given: name an lvol as STORE/LVOL, or use --layer");
	if (name)
		check_name(name);
	n = load(&l, name);
	layers_exit(&l);
	return n;
}

/* ---- list, show ---- */

static int image_list(const struct cmd *cmd, int argc, char **argv)
{
	struct ybd_image_list list;
	struct ybd_error err = { 0 };
	struct ybd_nl *nl;
	size_t i;
	int rc;

	cmd_parse(cmd, NULL, argc, argv, 0, 0);
	if (ybd_nl_open(&nl, &err))
		return cmd_fail_err(&err);
	rc = ybd_nl_image_list(nl, &list, &err);
	ybd_nl_close(nl);
	if (rc)
		return cmd_fail_err(&err);
	print_list_begin("images", show_image_cols);
	for (i = 0; i < list.n; i++) {
		print_object_begin(NULL);
		show_image(&list.v[i]);
		print_object_end();
	}
	print_list_end();
	ybd_image_list_free(&list);
	return CMD_OK;
}

static int show_one(struct ybd_nl *nl, const char *name, struct ybd_error *err)
{
	struct ybd_image_info info;
	int rc = ybd_nl_image_get(nl, name, &info, err);

	if (rc)
		return rc;
	print_object_begin(NULL);
	show_image(&info);
	show_sources(&info);
	print_object_end();
	ybd_image_info_free(&info);
	return 0;
}

static int image_show(const struct cmd *cmd, int argc, char **argv)
{
	struct ybd_error err = { 0 };
	struct ybd_nl *nl;
	int i, n, rc = 0;

	n = cmd_parse(cmd, NULL, argc, argv, 1, argc);
	for (i = 0; i < n; i++)
		check_name(argv[i]);
	if (ybd_nl_open(&nl, &err))
		return cmd_fail_err(&err);
	print_list_begin("images", NULL);
	for (i = 0; !rc && i < n; i++)
		rc = show_one(nl, argv[i], &err);
	print_list_end();
	ybd_nl_close(nl);
	return rc ? cmd_fail_err(&err) : CMD_OK;
}

/* ---- unload ---- */

static int unload(struct ybd_nl *nl, const char *name, int code)
{
	struct ybd_error err = { 0 };
	int rc;

	if (!ybd_nl_image_unload(nl, name, &err))
		return code;
	rc = cmd_fail_err(&err);
	return code ? code : rc;
}

static int unload_all(struct ybd_nl *nl)
{
	struct ybd_error err = { 0 };
	struct ybd_image_list list;
	int code = CMD_OK;
	size_t i;

	if (ybd_nl_image_list(nl, &list, &err))
		return cmd_fail_err(&err);
	for (i = 0; i < list.n; i++)
		code = unload(nl, list.v[i].name, code);
	ybd_image_list_free(&list);
	return code;
}

static int image_unload(const struct cmd *cmd, int argc, char **argv)
{
	bool all = false;
	const struct opt opts[] = {
		OPT_FLAG("all", &all, "All images."),
		OPT_END
	};
	int i, n = cmd_parse(cmd, opts, argc, argv, 0, argc), code = CMD_OK;
	struct ybd_error err = { 0 };
	struct ybd_nl *nl;

	if (all && n)
		cmd_usage("--all and names exclude each other");
	if (!all && !n)
		cmd_usage("too few operands: name images, or --all");
	for (i = 0; i < n; i++)
		check_name(argv[i]);
	/* without the module there are none */
	if (all && access("/sys/module/ybd", F_OK))
		return CMD_OK;
	if (ybd_nl_open(&nl, &err))
		return cmd_fail_err(&err);
	if (all)
		code = unload_all(nl);
	for (i = 0; i < n; i++)
		code = unload(nl, argv[i], code);
	ybd_nl_close(nl);
	return code;
}

/* ---- verify ---- */

/*
 * The lvol whose uuid the image has, as STORE/LVOL by uuid, looked for on the
 * sources of the image. Good for an image of one layer, whatever its name is.
 */
bool image_lvol(const struct ybd_image_info *info, struct ybd_finder *f, char spec[128])
{
	char uuid[YBD_UUID_TEXT_LEN], path[48];
	struct lvs_store *store;
	struct ybd_source *s;
	size_t i;

	ybd_uuid_text(info->uuid, uuid);
	for (i = 0; i < info->nr_sources; i++) {
		snprintf(path, sizeof(path), "/dev/%s", info->sources[i].disk);
		if (ybd_finder_source(f, path, &s, NULL) ||
		    ybd_source_store(s, &store, NULL) || !lvs_find(store, uuid))
			continue;
		snprintf(spec, 128, "%s/%s", lvs_uuid(store), uuid);
		return true;
	}
	return false;
}

/* Compare with what the layers are now. */
static int verify_layers(const struct layers *l, const struct ybd_image_info *info,
			 struct ybd_finder *f, struct ybd_error *err)
{
	bool unsafe = l->unsafe || info->flags & YBD_IMAGE_FLAGS_READ_ONLY;
	struct ybd_plan p;
	int rc;

	rc = ybd_plan_make(f, l->spec.v, l->spec.n, unsafe, &p, err);
	if (rc)
		return rc;
	if (!ybd_plan_is(&p, info))
		rc = ybd_error_set(err, -ESTALE,
				   "image %s is not what its layers are now: they were changed on the storage side after it was loaded",
				   info->name);
	ybd_plan_free(&p);
	return rc;
}

/*
 * Without layers on the command line: the lvol that the image names by its
 * uuid, or the layers that its name tells, whichever is the same. An image that
 * has another name and several layers needs them on the command line.
 */
static int verify_guess(struct layers *l, const struct ybd_image_info *info,
			struct ybd_finder *f, struct ybd_error *err)
{
	char spec[128], name[YBD_IMAGE_NAME_LEN + 1], *word, *save;
	const char *one = spec;
	int rc = -ENOENT;

	if (image_lvol(info, f, spec)) {
		l->spec = (struct opt_list){ &one, 1 };
		rc = verify_layers(l, info, f, err);
		l->spec = (struct opt_list){ NULL, 0 };
		if (!rc)
			return 0;
	}
	snprintf(name, sizeof(name), "%s", info->name);
	for (word = strtok_r(name, "+", &save); word;
	     word = strtok_r(NULL, "+", &save)) {
		if (!ybd_layer_check(word)) {
			opt_list_add(&l->spec, word);
			continue;
		}
		if (rc != -ENOENT)
			return rc;
		return ybd_error_set(err, -ENOENT,
				     "%s: its name does not tell the layers: give them as they were when it was loaded",
				     info->name);
	}
	return verify_layers(l, info, f, err);
}

static int verify_found(struct layers *l, const struct ybd_image_info *info,
			struct ybd_error *err)
{
	struct ybd_finder f;
	int rc = ybd_finder_init(&f, l->source.v, l->source.n, l->esnap.v,
				 l->esnap.n, err);

	if (rc)
		return rc;
	if (l->spec.n)
		rc = verify_layers(l, info, &f, err);
	else
		rc = verify_guess(l, info, &f, err);
	ybd_finder_exit(&f);
	return rc;
}

static int verify(struct layers *l, const char *name)
{
	struct ybd_image_info info;
	struct ybd_error err = { 0 };
	struct ybd_nl *nl;
	int rc;

	rc = ybd_nl_open(&nl, &err);
	if (rc)
		return cmd_fail_err(&err);
	rc = ybd_nl_image_get(nl, name, &info, &err);
	ybd_nl_close(nl);
	if (rc)
		return cmd_fail_err(&err);
	rc = verify_found(l, &info, &err);
	if (!rc && print_is_json())
		show_image(&info);
	else if (!rc && !cmd_quiet())
		print_line("image %s is what its layers are", name);
	ybd_image_info_free(&info);
	return rc ? cmd_fail_err(&err) : CMD_OK;
}

static int image_verify(const struct cmd *cmd, int argc, char **argv)
{
	struct layers l;
	int n;

	layers_init(&l);
	n = cmd_parse(cmd, l.opts, argc, argv, 1, 2);
	check_name(argv[0]);
	layers_finish(&l, n > 1 ? argv[1] : NULL);
	n = verify(&l, argv[0]);
	layers_exit(&l);
	return n;
}

const struct cmd cmd_image[] = {
	{ "load", "[STORE/LVOL]", "Load an extent map into the kernel.",
	  image_load, NULL },
	{ "list", NULL, "List the images that are loaded.", image_list, NULL },
	{ "show", "NAME...", "Show images and what they are read from.",
	  image_show, NULL },
	{ "unload", "NAME...|--all", "Unload images that no device uses.",
	  image_unload, NULL },
	{ "verify", "NAME [STORE/LVOL]",
	  "Compare an image with what its layers are now.", image_verify, NULL },
	{ "pin", "NAME|STORE/LVOL", "Keep its lvols from being deleted on the storage side.",
	  image_pin, NULL },
	{ }
};
