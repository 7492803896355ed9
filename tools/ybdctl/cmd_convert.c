// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl convert: an OCI image becomes a chain of lvols. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "convert/output.h"
#include "print.h"
#include "store_write.h"
#include "util.h"

#define DEFAULT_SIZE	(16ull << 30)

/**
 * struct run - one run of the command
 * @c: .
 * @src: path of the image
 * @hot: --hot-list
 * @ref: tag or digest in it; NULL for none
 * @store: path of the store
 * @output: directory of the layout; NULL for none
 * @output_fd: .
 * @layer: number of the layer that is being made, from 0
 * @before: bytes of the layers before it
 * @total: bytes of all layers that are made
 * @begun: when, in seconds
 * @shown: when progress was shown last
 * @drawn: there is an unfinished line on the terminal
 */
struct run {
	struct convert c;
	struct hot_list hot;
	char *src;
	const char *ref;
	const char *store;
	const char *output;
	int output_fd;
	size_t layer;
	u64 before;
	u64 total;
	double begun;
	double shown;
	bool drawn;
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
static void split_source(struct run *r, char *word)
{
	char *at = strstr(word, "@sha256:"), *p;

	r->src = word;
	if (exists(word, strlen(word)))
		return;
	if (at && exists(word, (size_t)(at - word))) {
		*at = '\0';
		r->ref = at + 1;
		return;
	}
	for (p = strchr(word, ':'); p; p = strchr(p + 1, ':'))
		if (p != word && exists(word, (size_t)(p - word))) {
			*p = '\0';
			r->ref = p + 1;
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

/* ---- progress ---- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void draw(struct run *r, u64 read, u64 unpacked)
{
	char done[PRINT_SIZE_LEN], all[PRINT_SIZE_LEN], rate[PRINT_SIZE_LEN];
	double s = now() - r->begun;

	fprintf(stderr, "\r\033[Klayer %zu of %zu: %s of %s, %s/s", r->layer + 1, r->c.image->nr,
		print_size_text(r->before + read, done), print_size_text(r->total, all),
		print_size_text(s > 0 ? (u64)((double)(r->before + read) / s) : 0, rate));
	r->drawn = true;
}

static void wipe(struct run *r)
{
	if (r->drawn)
		fprintf(stderr, "\r\033[K");
	r->drawn = false;
}

static void event(struct run *r, const char *what, size_t layer)
{
	print_str("event", what);
	print_u64("layer", layer + 1);
	print_u64("layers", r->c.image->nr);
}

static void on_progress(void *arg, u64 read, u64 unpacked, u64 entries)
{
	struct run *r = arg;
	double t = now();

	if (t - r->shown < 0.5)
		return;
	r->shown = t;
	if (print_is_json()) {
		event(r, "progress", r->layer);
		print_u64("read", r->before + read);
		print_u64("total", r->total);
		print_u64("unpacked", unpacked);
		print_u64("entries", entries);
		print_flush(true);
	} else if (!cmd_quiet() && isatty(STDERR_FILENO)) {
		draw(r, read, unpacked);
	}
}

static void on_begin(void *arg, size_t layer)
{
	struct run *r = arg;

	for (size_t i = r->layer; i < layer; i++)
		r->before += r->c.layer[i].made ? r->c.image->layer[i].size : 0;
	r->layer = layer;
}

static void print_layer(const struct run *r, size_t i)
{
	const struct convert_layer *l = &r->c.layer[i];
	char digest[OCI_DIGEST_STRLEN + 1];

	print_str("chain_id", oci_digest_text(&r->c.image->layer[i].chain_id, digest));
	print_str("name", l->there ? l->id.name : NULL);
	print_str("uuid", l->there ? l->id.uuid : NULL);
	print_bool("made", l->made);
	print_size("allocated", l->allocated);
}

static void on_done(void *arg, size_t layer)
{
	struct run *r = arg;

	wipe(r);
	if (!print_is_json())
		return;
	event(r, "layer", layer);
	print_layer(r, layer);
	print_flush(true);
}

/* ---- running ---- */

static const struct print_column layer_cols[] = {
	{ "layer", "LAYER", true },
	{ "name", "LVOL", false },
	{ "made", "MADE", false },
	{ "allocated", "ALLOCATED", true },
	{ }
};

static void print_result(const struct run *r)
{
	const struct oci_image *img = r->c.image;
	const struct convert_layer *top = &r->c.layer[img->nr - 1];
	char digest[OCI_DIGEST_STRLEN + 1], dirs[CHAIN_LOWERDIR_LEN];

	if (print_is_json())
		print_str("event", "image");
	print_str("image", oci_digest_text(&img->manifest, digest));
	print_str("store", lvw_uuid(r->c.w));
	print_str("name", top->id.name);
	print_str("uuid", top->id.uuid);
	print_str("format", r->c.how.format);
	if (chain_is_overlayfs(&r->c.how))
		print_str("lowerdir", chain_lowerdir(img->nr, dirs));
	else if (print_is_json())
		print_str("lowerdir", NULL);
	print_str("fs", r->c.how.fs);
	if (print_is_json() || r->c.how.no_journal)
		print_bool("journal", !r->c.how.no_journal && !chain_is_erofs(&r->c.how));
	print_size("size", r->c.how.size);
	print_list_begin("layers", layer_cols);
	for (size_t i = 0; i < img->nr; i++) {
		print_object_begin(NULL);
		print_u64("layer", i + 1);
		print_layer(r, i);
		print_object_end();
	}
	print_list_end();
	if (print_is_json())
		print_flush(true);
}

static void sum_up(struct run *r)
{
	struct oci_file f;

	for (size_t i = 0; i < r->c.image->nr; i++) {
		struct oci_layer *l = (struct oci_layer *)&r->c.image->layer[i];

		if (!l->has_digest && !oci_source_file(r->c.source, l->file, &f, NULL)) {
			l->size = f.size;
			oci_file_close(&f);
		}
		r->total += l->size;
	}
	r->begun = now();
}

static int with_store(struct run *r, struct ybd_error *err)
{
	const struct apply_progress progress = { .fn = on_progress, .arg = r };
	struct lvs_error e = { 0 };
	int rc = store_open(r->store, &r->c.w, &e), end;

	if (rc)
		return ybd_error_set(err, rc, "%s: %s", r->store, e.text);
	r->c.progress = &progress;
	r->c.begin = on_begin;
	r->c.done = on_done;
	r->c.arg = r;
	sum_up(r);
	rc = convert_image(&r->c, err);
	wipe(r);
	if (!rc && r->output)
		rc = output_write(r->output_fd, &r->c, err);
	if (!rc)
		print_result(r);
	end = lvw_close(r->c.w, &e);
	if (end && !rc)
		rc = ybd_error_set(err, end, "%s: %s", r->store, e.text);
	return rc;
}

static int with_source(struct run *r, const struct oci_platform *want, struct ybd_error *err)
{
	struct oci_image img;
	int rc = oci_source_open(r->src, &r->c.source, err);

	if (rc)
		return rc;
	rc = oci_image_open(r->c.source, r->ref, want, &img, err);
	if (rc) {
		ybd_error_prefix(err, "%s", r->src);
		goto out_source;
	}
	r->c.image = &img;
	r->c.layer = calloc(img.nr, sizeof(*r->c.layer));
	rc = r->c.layer ? 0 : ybd_error_sys(err, -ENOMEM, "image");
	if (!rc && r->output)
		rc = output_begin(r->output, &r->output_fd, err);
	if (!rc)
		rc = with_store(r, err);
	free(r->c.layer);
	oci_image_free(&img);
out_source:
	oci_source_close(r->c.source);
	return rc;
}

int cmd_convert(const struct cmd *cmd, int argc, char **argv)
{
	__cleanup_free char *text = NULL;
	struct run r = {
		.c.how = { .format = "overlaybd", .fs = "ext4", .size = DEFAULT_SIZE },
		.output_fd = -1,
	};
	const char *platform = NULL, *journal = "auto", *hot = NULL;
	struct ybd_error err = { 0 };
	struct oci_platform want;
	int rc;
	const struct opt opts[] = {
		OPT_STR("format", "FORMAT", &r.c.how.format,
			"overlaybd: merged, the default; overlayfs: a directory per layer."),
		OPT_STR("fs", "FS", &r.c.how.fs, "ext4, the default; erofs: read-only."),
		OPT_SIZE("size", &r.c.how.size, "Of the filesystem; 16G by default."),
		OPT_STR("journal", "auto|none", &journal, "none: not for uppers that are kept."),
		OPT_STR("hot-list", "FILE", &hot, "Names of files that are laid out first."),
		OPT_STR("platform", "OS/ARCH", &platform, "Of several; this machine's by default."),
		OPT_STR("output", "DIR", &r.output, "Write an OCI layout that names the lvols."),
		OPT_MORE(store_write_opts),
		OPT_END
	};

	cmd_parse(cmd, opts, argc, argv, 2, 2);
	check_how(&r.c.how, journal);
	oci_platform_here(&want);
	if (platform) {
		text = strdup(platform);
		if (!text)
			return cmd_fail(-ENOMEM, "out of memory");
		parse_platform(text, &want);
	}
	split_source(&r, argv[0]);
	r.store = argv[1];
	rc = hot ? hot_list_read(hot, &r.hot, &err) : 0;
	if (!rc && hot) {
		r.c.hot = &r.hot;
		r.c.how.hot = &r.hot.digest;
	}
	if (!rc)
		rc = with_source(&r, &want, &err);
	hot_list_free(&r.hot);
	if (r.output_fd >= 0)
		close(r.output_fd);
	return rc ? cmd_fail_err(&err) : CMD_OK;
}
