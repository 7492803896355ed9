// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl convert: OCI images become chains of lvols. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "convert/output.h"
#include "convert_show.h"
#include "store_write.h"
#include "util.h"

#define DEFAULT_SIZE	(16ull << 30)

/**
 * struct image - an image to convert
 * @word: what it is called on the command line
 * @path: of it
 * @ref: tag or digest in it; NULL for none
 * @img: .
 * @c: its @image is set when @img is there
 */
struct image {
	char *word;
	char *path;
	const char *ref;
	struct oci_image img;
	struct convert c;
};

/**
 * struct run - one run of the command
 * @how: .
 * @hot: --hot-list
 * @has_hot: there is one
 * @store: path of the store
 * @w: it
 * @output: directory of the layout; NULL for none
 * @output_fd: .
 * @image: in the order in which they are converted
 * @list: their conversions
 * @nr: how many there are
 * @readers: .
 * @show: .
 * @progress: to it
 */
struct run {
	struct chain_how how;
	struct hot_list hot;
	bool has_hot;
	const char *store;
	struct lvs_writer *w;
	const char *output;
	int output_fd;
	struct image *image;
	const struct convert **list;
	size_t nr;
	struct readers readers;
	struct convert_show show;
	struct apply_progress progress;
};

/* ---- the command line ---- */

static bool exists(const char *path, size_t len)
{
	char name[4096];
	struct stat st;

	if (len >= sizeof(name))
		return false;
	memcpy(name, path, len);
	name[len] = '\0';
	return !stat(name, &st);
}

/* PATH, PATH:TAG or PATH@DIGEST; a path that is there is taken as it is. */
static void split_source(struct image *i, char *word)
{
	char *at = strstr(word, "@sha256:"), *p;

	i->path = word;
	if (exists(word, strlen(word)))
		return;
	if (at && exists(word, (size_t)(at - word))) {
		*at = '\0';
		i->ref = at + 1;
		return;
	}
	for (p = strchr(word, ':'); p; p = strchr(p + 1, ':'))
		if (p != word && exists(word, (size_t)(p - word))) {
			*p = '\0';
			i->ref = p + 1;
			return;
		}
}

static void parse_platform(char *text, struct oci_platform *p)
{
	char *slash = strchr(text, '/'), *second;

	if (!slash || slash == text || !slash[1])
		cmd_usage("--platform: \"%s\" is no platform, such as linux/amd64", text);
	*slash = '\0';
	second = strchr(slash + 1, '/');
	if (second)
		*second = '\0';
	*p = (struct oci_platform){
		.os = text, .arch = slash + 1, .variant = second ? second + 1 : NULL,
		.given = true,
	};
}

static void check_how(struct chain_how *how, const char *journal)
{
	if (strcmp(journal, "auto") && strcmp(journal, "none"))
		cmd_usage("--journal: \"%s\" is neither auto nor none", journal);
	how->no_journal = !strcmp(journal, "none");
	if (strcmp(how->format, "overlaybd") && strcmp(how->format, "overlayfs"))
		cmd_usage("--format: \"%s\" is not supported; overlaybd and overlayfs are",
			  how->format);
	if (strcmp(how->fs, "ext4") && !chain_is_erofs(how))
		cmd_usage("--fs: \"%s\" is not supported; ext4 and erofs are", how->fs);
	if (how->no_journal && chain_is_erofs(how))
		cmd_usage("--journal none is for ext4: erofs never has a journal");
	if (how->size < IMGFS_SIZE_MIN || how->size > IMGFS_SIZE_MAX ||
	    how->size % IMGFS_BLOCK)
		cmd_usage("--size: from 16M to 16T, a multiple of 4096");
}

/* ---- running ---- */

/* In archives of docker save nothing tells before. */
static void find_sizes(struct image *i)
{
	struct oci_file f;

	for (size_t k = 0; k < i->img.nr; k++) {
		struct oci_layer *l = &i->img.layer[k];

		if (!l->has_digest && !oci_source_file(i->c.source, l->file, &f, NULL)) {
			l->size = f.size;
			oci_file_close(&f);
		}
	}
}

/* All are known before the first one is begun. */
static int expect_images(struct run *r, struct ybd_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < r->nr && !rc; i++) {
		find_sizes(&r->image[i]);
		r->image[i].c.w = r->w;
		rc = convert_expect(&r->image[i].c, err);
	}
	convert_show_begin(&r->show, r->nr, r->readers.bytes);
	return rc;
}

static int convert_one(struct run *r, struct image *i, struct ybd_error *err)
{
	int rc;

	i->c.progress = &r->progress;
	i->c.begin = convert_show_layer;
	i->c.done = convert_show_layer_done;
	i->c.arg = &r->show;
	convert_show_image(&r->show, &i->c, i->word);
	rc = convert_image(&i->c, err);
	convert_show_end(&r->show);
	if (rc && r->nr > 1)
		ybd_error_prefix(err, "%s", i->word);
	return rc;
}

static int convert_all(struct run *r, struct ybd_error *err)
{
	int rc = expect_images(r, err);

	for (size_t i = 0; i < r->nr && !rc; i++) {
		rc = convert_one(r, &r->image[i], err);
		/* the layout is written before the last one is said to be done */
		if (!rc && r->output && i == r->nr - 1)
			rc = output_write(r->output_fd, r->list, r->nr, err);
		if (!rc)
			convert_show_result(&r->show);
	}
	return rc;
}

static int with_store(struct run *r, struct ybd_error *err)
{
	struct lvs_error e = { 0 };
	int rc = store_open(r->store, &r->w, &e), end;

	if (rc)
		return ybd_error_set(err, rc, "%s: %s", r->store, e.text);
	readers_init(&r->readers, r->store);
	r->progress = (struct apply_progress){ .fn = convert_show_progress, .arg = &r->show };
	rc = convert_all(r, err);
	readers_free(&r->readers);
	end = lvw_close(r->w, &e);
	if (end && !rc)
		rc = ybd_error_set(err, end, "%s: %s", r->store, e.text);
	return rc;
}

static int open_image(struct run *r, struct image *i, const struct oci_platform *want,
		      struct ybd_error *err)
{
	int rc = oci_source_open(i->path, &i->c.source, err);

	if (rc) {
		i->c.source = NULL;
		return rc;
	}
	rc = oci_image_open(i->c.source, i->ref, want, &i->img, err);
	if (rc) {
		ybd_error_prefix(err, "%s", i->path);
		return rc;
	}
	i->c.image = &i->img;
	i->c.how = r->how;
	i->c.hot = r->has_hot ? &r->hot : NULL;
	i->c.readers = &r->readers;
	i->c.layer = calloc(i->img.nr, sizeof(*i->c.layer));
	return i->c.layer ? 0 : ybd_error_sys(err, -ENOMEM, "image");
}

static void close_images(struct run *r)
{
	for (size_t k = 0; k < r->nr; k++) {
		struct image *i = &r->image[k];

		free(i->c.layer);
		if (i->c.image)
			oci_image_free(&i->img);
		if (i->c.source)
			oci_source_close(i->c.source);
		free(i->word);
	}
	free(r->image);
	free(r->list);
}

static int with_images(struct run *r, char **argv, const struct oci_platform *want,
		       struct ybd_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < r->nr && !rc; i++) {
		r->list[i] = &r->image[i].c;
		r->image[i].word = strdup(argv[i]);
		if (!r->image[i].word)
			return ybd_error_sys(err, -ENOMEM, "image");
		split_source(&r->image[i], argv[i]);
		rc = open_image(r, &r->image[i], want, err);
	}
	if (!rc && r->output)
		rc = output_check(r->list, r->nr, err);
	if (!rc && r->output)
		rc = output_begin(r->output, &r->output_fd, err);
	return rc ? rc : with_store(r, err);
}

static int run_images(struct run *r, int nr, char **argv, const struct oci_platform *want,
		      struct ybd_error *err)
{
	int rc;

	r->image = calloc((size_t)nr, sizeof(*r->image));
	r->list = calloc((size_t)nr, sizeof(*r->list));
	r->nr = r->image ? (size_t)nr : 0;
	rc = r->image && r->list ? with_images(r, argv, want, err) :
				   ybd_error_sys(err, -ENOMEM, "image");
	close_images(r);
	if (r->output_fd >= 0)
		close(r->output_fd);
	return rc;
}

int cmd_convert(const struct cmd *cmd, int argc, char **argv)
{
	__cleanup_free char *text = NULL;
	struct run r = {
		.how = { .format = "overlaybd", .fs = "ext4", .size = DEFAULT_SIZE },
		.output_fd = -1,
	};
	const char *platform = NULL, *journal = "auto", *hot = NULL;
	struct ybd_error err = { 0 };
	struct oci_platform want;
	int rc;
	const struct opt opts[] = {
		OPT_STR("format", "FORMAT", &r.how.format,
			"overlaybd: merged, the default; overlayfs: a directory per layer."),
		OPT_STR("fs", "FS", &r.how.fs, "ext4, the default; erofs: read-only."),
		OPT_SIZE("size", &r.how.size, "Of the filesystem; 16G by default."),
		OPT_STR("journal", "auto|none", &journal, "none: not for uppers that are kept."),
		OPT_STR("hot-list", "FILE", &hot, "Names of files that are laid out first."),
		OPT_STR("platform", "OS/ARCH", &platform, "Of several; this machine's by default."),
		OPT_STR("output", "DIR", &r.output, "Write an OCI layout that names the lvols."),
		OPT_MORE(store_write_opts),
		OPT_END
	};

	argc = cmd_parse(cmd, opts, argc, argv, 2, argc);
	check_how(&r.how, journal);
	oci_platform_here(&want);
	if (platform) {
		text = strdup(platform);
		if (!text)
			return cmd_fail(-ENOMEM, "out of memory");
		parse_platform(text, &want);
	}
	r.store = argv[argc - 1];
	rc = hot ? hot_list_read(hot, &r.hot, &err) : 0;
	if (!rc && hot) {
		r.has_hot = true;
		r.how.hot = &r.hot.digest;
	}
	if (!rc)
		rc = run_images(&r, argc - 1, argv, &want, &err);
	hot_list_free(&r.hot);
	return rc ? cmd_fail_err(&err) : CMD_OK;
}
