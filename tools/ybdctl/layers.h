/* SPDX-License-Identifier: GPL-2.0-only */
/* The options that say which image, for image load, image verify and create. */
#ifndef YBDCTL_LAYERS_H
#define YBDCTL_LAYERS_H

#include "cmd.h"
#include "image.h"

/**
 * struct layers - an image as it was named on the command line
 * @layer: --layer
 * @source: --source
 * @esnap: --esnap
 * @unsafe: --unsafe-writable
 * @spec: base and @layer together, from the bottom to the top
 * @opts: the options themselves
 */
struct layers {
	struct opt_list layer;
	struct opt_list source;
	struct opt_list esnap;
	bool unsafe;
	struct opt_list spec;
	struct opt opts[5];
};

/* Empty, with @l->opts to be put into a table by OPT_MORE(). */
void layers_init(struct layers *l);

void layers_exit(struct layers *l);

/* Put @base (NULL for none) under the layers, and check all. May end the program. */
void layers_finish(struct layers *l, const char *base);

/* The layers joined with "+": a name that the image may be loaded under. */
const char *layers_name(const struct layers *l, char buf[YBD_IMAGE_NAME_LEN + 1]);

/* Make the plan. @f is to be exited and @p to be freed when it succeeds. */
int layers_plan(const struct layers *l, struct ybd_finder *f,
		struct ybd_plan *p, struct ybd_error *err);

#endif
