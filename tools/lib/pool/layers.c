// SPDX-License-Identifier: GPL-2.0-only
/* The list of layers of an upper: a list of struct ybd_fmt_layer in up to one chunk. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../crc32c.h"
#include "priv.h"

bool pool_in_data(const struct pool *p, u64 block)
{
	return block >= p->info.layout.data && block < pool_data_end(&p->info.layout);
}

u64 pool_chunk_end(const struct pool *p, u64 block)
{
	return block - block % YBD_FMT_CHUNK_BLOCKS + YBD_FMT_CHUNK_BLOCKS;
}

int pool_use_chunk(struct pool_walk *w, u64 block, enum pool_purpose purpose)
{
	u64 place = (block - w->p->info.layout.data) / YBD_FMT_CHUNK_BLOCKS;
	int rc = pool_room(&w->use, &w->cap_use, w->nr_use, sizeof(*w->use));

	if (!rc)
		w->use[w->nr_use++] = (struct pool_use){ place, w->n, purpose };
	return rc;
}

/* One layer at the start of @len bytes. 0: @why says what is wrong with it. */
static u32 check_layer(const u8 *b, u32 len, char *why)
{
	const struct ybd_fmt_layer *l = (const void *)b;
	u32 n, kind;

	if (len < sizeof(*l)) {
		snprintf(why, POOL_WHY_LEN, "%u bytes are left, expected at least %zu", len,
			 sizeof(*l));
		return 0;
	}
	n = le16_to_cpu(l->len);
	kind = le16_to_cpu(l->kind);
	if (n % 8 || n <= sizeof(*l) || n > len)
		snprintf(why, POOL_WHY_LEN, "len %u, expected a multiple of 8 from %zu to %u", n,
			 sizeof(*l) + 8, len);
	else if (kind < YBD_FMT_LAYER_LVOL || kind > YBD_FMT_LAYER_FILE)
		snprintf(why, POOL_WHY_LEN, "kind %u, expected 1 to 3", kind);
	else if (l->reserved)
		snprintf(why, POOL_WHY_LEN, "reserved bytes are not zero");
	else if (l->text[n - sizeof(*l) - 1])
		snprintf(why, POOL_WHY_LEN, "the text does not end");
	else
		return n;
	return 0;
}

static int check_list(struct pool_walk *w, const u8 *list)
{
	struct pool_upper *u = w->u;
	u32 at = 0, n, crc = crc32c(list, u->layers_bytes);
	char why[POOL_WHY_LEN];

	if (crc != u->layers_crc)
		return pool_upper_error(w->p, w->n, u->layers,
					"list of layers of upper %u: crc 0x%08x, expected 0x%08x",
					w->n, crc, u->layers_crc);
	for (; at < u->layers_bytes; at += n) {
		n = check_layer(list + at, u->layers_bytes - at, why);
		if (!n)
			return pool_upper_error(w->p, w->n, u->layers, "layer %u of upper %u: %s",
						u->nr_layers, w->n, why);
		if (++u->nr_layers > YBD_FMT_MAX_LAYERS)
			return pool_upper_error(w->p, w->n, u->layers,
						"upper %u has more than %u layers", w->n,
						YBD_FMT_MAX_LAYERS);
	}
	return 0;
}

/* Block @i of the list into @list. 0; 1 when it is damaged and was reported; -ENOMEM. */
static int take_block(struct pool_walk *w, u32 i, u8 *list)
{
	u32 off = i * YBD_FMT_LAYERS_BYTES, n = w->u->layers_bytes - off;
	const struct ybd_fmt_layers *b;
	char why[POOL_WHY_LEN];

	b = pool_block(w->p, w->u->layers + i, why);
	if (b && !pool_verify(b, YBD_FMT_MAGIC_LAYERS, w->p->info.uuid, w->u->uuid,
			      w->u->layers + i, why))
		b = NULL;
	if (b && le64_to_cpu(b->h.seq) != i) {
		snprintf(why, sizeof(why), "seq %llu, expected %u",
			 (unsigned long long)le64_to_cpu(b->h.seq), i);
		b = NULL;
	}
	if (!b)
		return pool_upper_error(w->p, w->n, w->u->layers + i,
					"list of layers of upper %u: %s", w->n, why) ?: 1;
	memcpy(list + off, b->data, n < sizeof(b->data) ? n : sizeof(b->data));
	return 0;
}

/* *@out is NULL when it is damaged, which was reported. */
static int read_list(struct pool_walk *w, u8 **out)
{
	struct pool_upper *u = w->u;
	u32 nr = (u->layers_bytes + YBD_FMT_LAYERS_BYTES - 1) / YBD_FMT_LAYERS_BYTES;
	int rc = 0;
	u8 *list;

	*out = NULL;
	if (nr > pool_chunk_end(w->p, u->layers) - u->layers)
		return pool_upper_error(w->p, w->n, u->layers,
					"list of layers of upper %u: its %u blocks do not fit into the chunk",
					w->n, nr);
	list = malloc(u->layers_bytes);
	if (!list)
		return -ENOMEM;
	for (u32 i = 0; i < nr && !rc; i++)
		rc = take_block(w, i, list);
	if (!rc)
		rc = check_list(w, list);
	if (!rc && !u->broken)
		*out = list;
	else
		free(list);
	return rc < 0 ? rc : 0;
}

int pool_layers_walk(struct pool_walk *w)
{
	int rc = pool_use_chunk(w, w->u->layers, POOL_FOR_LAYERS);
	u8 *list;

	if (rc)
		return rc;
	rc = read_list(w, &list);
	free(list);
	return rc;
}

int pool_layers_read(struct pool *p, u32 n, u8 **list, struct ybd_error *err)
{
	struct pool_walk w = { .p = p, .n = n, .u = &p->upper[n] };
	const struct pool_report *r = &p->report;
	size_t nr = r->nr;
	int rc;

	w.u->nr_layers = 0;
	w.u->broken = false;
	rc = read_list(&w, list);
	if (rc)
		return ybd_error_sys(err, rc, "list of layers");
	if (*list)
		return 0;
	return ybd_error_set(err, -EUCLEAN, "%s",
			     r->nr > nr ? r->find[nr].text : "its list of layers is damaged");
}
