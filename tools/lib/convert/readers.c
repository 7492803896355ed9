// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "../oci/spool.h"
#include "../util.h"
#include "readers.h"

/* Most layers are small, and unpacked at once. */
#define WINDOW		8u
#define EARLY_MAX	7u

static unsigned int count_cpus(void)
{
	cpu_set_t set;

	/* fails when there are more than the set has room for */
	if (sched_getaffinity(0, sizeof(set), &set))
		return EARLY_MAX + 1;
	return (unsigned int)CPU_COUNT(&set);
}

void readers_init(struct readers *q, const char *store)
{
	unsigned int early;

	*q = (struct readers){ .cpus = count_cpus() };
	early = q->cpus > EARLY_MAX ? EARLY_MAX : q->cpus > 2 ? q->cpus - 1 : 1;
	ahead_gate_init(&q->gate, early, spool_room(store));
}

void readers_free(struct readers *q)
{
	for (size_t i = q->next; i < q->opened; i++)
		oci_layer_close(q->item[i].r);
	free(q->item);
	ahead_gate_destroy(&q->gate);
}

int readers_add(struct readers *q, struct oci_source *source, const struct oci_layer *layer,
		const char *name)
{
	struct readers_item *n = reallocarray(q->item, q->nr + 1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	q->item = n;
	n[q->nr++] = (struct readers_item){ source, layer, name, NULL };
	q->bytes += layer->size;
	return 0;
}

bool readers_has(const struct readers *q, const char *name)
{
	for (size_t i = 0; i < q->nr; i++)
		if (!strcmp(q->item[i].name, name))
			return true;
	return false;
}

/* The expected layer goes; what was expected before it too. NULL: there is no reader of it. */
static struct oci_layer_reader *take(struct readers *q, const struct oci_layer *layer)
{
	struct oci_layer_reader *r;
	size_t i = q->next;

	while (i < q->nr && q->item[i].layer != layer)
		i++;
	if (i == q->nr)
		return NULL;
	for (; q->next < i; q->next++)
		oci_layer_close(q->item[q->next].r);
	r = q->item[i].r;
	q->item[i].r = NULL;
	q->next = i + 1;
	if (q->opened < q->next)
		q->opened = q->next;
	return r;
}

/* With one CPU there is nothing to gain but that the next layer's file is read already. */
static void open_ahead(struct readers *q)
{
	bool many = q->cpus > 1;
	struct ybd_error later;

	while (q->opened < q->nr && q->opened - q->next < (many ? WINDOW : 1)) {
		struct readers_item *i = &q->item[q->opened++];

		if (oci_layer_open(i->source, i->layer, many ? &q->gate : NULL, &i->r, &later))
			i->r = NULL;
	}
}

int readers_take(struct readers *q, struct oci_source *source, const struct oci_layer *layer,
		 struct oci_layer_reader **out, struct ybd_error *err)
{
	int rc = 0;

	*out = take(q, layer);
	if (!*out)
		rc = oci_layer_open(source, layer, NULL, out, err);
	if (!rc)
		open_ahead(q);
	return rc;
}
