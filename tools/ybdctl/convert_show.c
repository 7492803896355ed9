// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "convert_show.h"
#include "print.h"

/* ---- progress ---- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void convert_show_begin(struct convert_show *s, size_t images, u64 total)
{
	*s = (struct convert_show){ .images = images, .total = total, .begun = now() };
}

/* Layers that were there have not been read: they do not count. */
static void count_layers(struct convert_show *s, size_t end)
{
	for (size_t i = s->layer; i < end; i++)
		s->before += s->c->layer[i].made ? s->c->image->layer[i].size : 0;
	s->layer = end;
}

void convert_show_image(struct convert_show *s, const struct convert *c, const char *src)
{
	if (s->c)
		s->image++;
	s->c = c;
	s->src = src;
	s->layer = 0;
}

static void draw(struct convert_show *s, u64 read)
{
	char done[PRINT_SIZE_LEN], all[PRINT_SIZE_LEN], rate[PRINT_SIZE_LEN];
	double t = now() - s->begun;

	fprintf(stderr, "\r\033[K");
	if (s->images > 1)
		fprintf(stderr, "image %zu of %zu, ", s->image + 1, s->images);
	fprintf(stderr, "layer %zu of %zu: %s of %s, %s/s", s->layer + 1, s->c->image->nr,
		print_size_text(s->before + read, done), print_size_text(s->total, all),
		print_size_text(t > 0 ? (u64)((double)(s->before + read) / t) : 0, rate));
	s->drawn = true;
}

static void wipe(struct convert_show *s)
{
	if (s->drawn)
		fprintf(stderr, "\r\033[K");
	s->drawn = false;
}

static void event(const struct convert_show *s, const char *what)
{
	print_str("event", what);
	if (s->images > 1)
		print_str("source", s->src);
}

static void layer_event(const struct convert_show *s, const char *what, size_t layer)
{
	event(s, what);
	print_u64("layer", layer + 1);
	print_u64("layers", s->c->image->nr);
}

void convert_show_progress(void *arg, u64 read, u64 unpacked, u64 entries)
{
	struct convert_show *s = arg;
	double t = now();

	if (t - s->shown < 0.5)
		return;
	s->shown = t;
	if (print_is_json()) {
		layer_event(s, "progress", s->layer);
		print_u64("read", s->before + read);
		print_u64("total", s->total);
		print_u64("unpacked", unpacked);
		print_u64("entries", entries);
		print_flush(true);
	} else if (!cmd_quiet() && isatty(STDERR_FILENO)) {
		draw(s, read);
	}
}

void convert_show_layer(void *arg, size_t layer)
{
	count_layers(arg, layer);
}

/* ---- what came of it ---- */

static void print_layer(const struct convert *c, size_t i)
{
	const struct convert_layer *l = &c->layer[i];
	char digest[OCI_DIGEST_STRLEN + 1];

	print_str("chain_id", oci_digest_text(&c->image->layer[i].chain_id, digest));
	print_str("name", l->there ? l->id.name : NULL);
	print_str("uuid", l->there ? l->id.uuid : NULL);
	print_bool("made", l->made);
	print_size("allocated", l->allocated);
}

void convert_show_layer_done(void *arg, size_t layer)
{
	struct convert_show *s = arg;

	wipe(s);
	if (!print_is_json())
		return;
	layer_event(s, "layer", layer);
	print_layer(s->c, layer);
	print_flush(true);
}

void convert_show_end(struct convert_show *s)
{
	wipe(s);
	count_layers(s, s->c->image->nr);
}

static const struct print_column layer_cols[] = {
	{ "layer", "LAYER", true },
	{ "name", "LVOL", false },
	{ "made", "MADE", false },
	{ "allocated", "ALLOCATED", true },
	{ }
};

void convert_show_result(const struct convert_show *s)
{
	const struct convert *c = s->c;
	const struct oci_image *img = c->image;
	const struct convert_layer *top = &c->layer[img->nr - 1];
	char digest[OCI_DIGEST_STRLEN + 1], dirs[CHAIN_LOWERDIR_LEN];

	if (print_is_json())
		event(s, "image");
	else if (s->image)
		print_line("%s", "");
	if (!print_is_json() && s->images > 1)
		print_str("source", s->src);
	print_str("image", oci_digest_text(&img->manifest, digest));
	print_str("store", lvw_uuid(c->w));
	print_str("name", top->id.name);
	print_str("uuid", top->id.uuid);
	print_str("format", c->how.format);
	if (chain_is_overlayfs(&c->how))
		print_str("lowerdir", chain_lowerdir(img->nr, dirs));
	else if (print_is_json())
		print_str("lowerdir", NULL);
	print_str("fs", c->how.fs);
	if (print_is_json() || c->how.no_journal)
		print_bool("journal", !c->how.no_journal && !chain_is_erofs(&c->how));
	print_size("size", c->how.size);
	print_list_begin("layers", layer_cols);
	for (size_t i = 0; i < img->nr; i++) {
		print_object_begin(NULL);
		print_u64("layer", i + 1);
		print_layer(c, i);
		print_object_end();
	}
	print_list_end();
	/* what cannot be written is said at the end, as for all commands */
	if (print_is_json() || s->image + 1 < s->images)
		print_flush(true);
}
