// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "esnap.h"
#include "layers.h"
#include "names.h"

void layers_init(struct layers *l)
{
	const struct opt opts[] = {
		OPT_LIST("layer", "LAYER", &l->layer,
			 "A layer over those before it: STORE/LVOL, dev:SOURCE, file:PATH."),
		OPT_LIST("source", "SOURCE", &l->source,
			 "Where to look for stores first: device, file, uuid:, nguid:, eui:."),
		OPT_ESNAP(&l->esnap),
		OPT_FLAG("unsafe-writable", &l->unsafe,
			 "Take lvols that something else may write to; devices are read-only."),
		OPT_END
	};

	*l = (struct layers){ .unsafe = false };
	static_assert(sizeof(opts) == sizeof(l->opts), "options");
	memcpy(l->opts, opts, sizeof(opts));
}

void layers_exit(struct layers *l)
{
	free(l->layer.v);
	free(l->source.v);
	free(l->esnap.v);
	free(l->spec.v);
}

void layers_finish(struct layers *l, const char *base)
{
	const char *why;
	size_t i;

	if (base)
		opt_list_add(&l->spec, base);
	for (i = 0; i < l->layer.n; i++)
		opt_list_add(&l->spec, l->layer.v[i]);
	for (i = 0; i < l->spec.n; i++) {
		why = ybd_layer_check(l->spec.v[i]);
		if (why)
			cmd_usage("layer \"%s\": %s", l->spec.v[i], why);
	}
	esnap_check(&l->esnap);
}

const char *layers_name(const struct layers *l, char buf[YBD_IMAGE_NAME_LEN + 1])
{
	size_t len = 0, n, i;

	for (i = 0; i < l->spec.n; i++) {
		n = strlen(l->spec.v[i]);
		if (len + !!i + n > YBD_IMAGE_NAME_LEN)
			return NULL;
		if (i)
			buf[len++] = '+';
		memcpy(buf + len, l->spec.v[i], n);
		len += n;
	}
	buf[len] = '\0';
	return ybd_check_image_name(buf) ? NULL : buf;
}

int layers_plan(const struct layers *l, struct ybd_finder *f,
		struct ybd_plan *p, struct ybd_error *err)
{
	int rc = ybd_finder_init(f, l->source.v, l->source.n, l->esnap.v,
				 l->esnap.n, err);

	if (rc)
		return rc;
	rc = ybd_plan_make(f, l->spec.v, l->spec.n, l->unsafe, p, err);
	if (rc)
		ybd_finder_exit(f);
	return rc;
}
