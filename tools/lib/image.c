// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "image.h"
#include "layerlist.h"
#include "memfile.h"
#include "names.h"
#include "sha256.h"
#include "util.h"

static_assert(YBD_IDENTITY_LEN == LVS_IDENTITY_LEN, "identity");
static_assert(YBD_IDENTITY_LEN == SHA256_LEN, "identity");

/**
 * struct layer - a layer that was read
 * @name: canonical
 * @uuid: its uuid
 * @identity: digest of what it shows
 * @ext: @nr extents; sources are numbered as in the plan
 * @size: bytes
 * @block_size: logical
 * @depth: lvols in its chain, or 1
 * @keep: what a pool remembers of it
 */
struct layer {
	char name[160];
	u8 uuid[YBD_UUID_LEN];
	u8 identity[YBD_IDENTITY_LEN];
	struct ybd_map_extent *ext;
	size_t nr;
	u64 size;
	u32 block_size;
	u32 depth;
	struct ybd_layer keep;
};

/* How a source is found again when it has no uuid. */
static const char *source_spec(const struct ybd_source *s)
{
	if (!strncmp(s->name, "nguid:", 6) || !strncmp(s->name, "eui:", 4))
		return s->name;
	return s->path;
}

/* What is left of @l->keep, when everything else is known. */
static int keep_layer(const struct ybd_source *s, struct layer *l,
		      struct ybd_error *err)
{
	struct ybd_layer *k = &l->keep;
	bool named = !ybd_uuid_parse(s->uuid, k->source_uuid);

	k->size = l->size;
	memcpy(k->identity, l->identity, sizeof(k->identity));
	if (k->kind == YBD_FMT_LAYER_LVOL) {
		k->text = strdup(l->name);
		k->where = named ? NULL : strdup(source_spec(s));
		if (!k->where && !named)
			return ybd_error_sys(err, -ENOMEM, "%s", l->name);
	} else if (named) {
		k->text = strdup(s->name);
	} else {
		k->text = strdup(source_spec(s));
	}
	return k->text ? 0 : ybd_error_sys(err, -ENOMEM, "%s", l->name);
}

static void layer_free(struct layer *l)
{
	free(l->ext);
	free(l->keep.text);
	free(l->keep.where);
}

/* The number of a source in the plan; added when it is new. */
static int source_index(struct ybd_plan *p, struct ybd_source *s, u32 *index,
			struct ybd_error *err)
{
	struct ybd_source **v;
	size_t i;

	for (i = 0; i < p->nr_sources; i++) {
		if (p->sources[i] == s) {
			*index = i;
			return 0;
		}
	}
	v = reallocarray(p->sources, i + 1, sizeof(*v));
	if (!v)
		return ybd_error_sys(err, -ENOMEM, "%s", s->path);
	p->sources = v;
	v[i] = s;
	p->nr_sources++;
	*index = i;
	return 0;
}

/* ---- a whole device or file ---- */

static void identity_of_source(const struct ybd_source *s,
			       u8 out[YBD_IDENTITY_LEN])
{
	struct sha256 h;
	char text[512];
	struct stat st;

	sha256_init(&h);
	snprintf(text, sizeof(text), "ybd source 1\n%s\n%llu\n", s->name,
		 (unsigned long long)s->size);
	sha256_update(&h, text, strlen(text));
	if (s->is_file && !fstat(s->fd, &st)) {
		/* st_dev may be another one after each boot */
		snprintf(text, sizeof(text), "%llu %lld.%09ld\n",
			 (unsigned long long)st.st_ino,
			 (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
		sha256_update(&h, text, strlen(text));
	}
	sha256_final(&h, out);
}

static int read_whole(struct ybd_finder *f, struct ybd_plan *p,
		      const char *spec, bool file, struct layer *l,
		      struct ybd_error *err)
{
	struct ybd_source *s;
	u32 index = 0;
	int rc = ybd_finder_source(f, spec, &s, err);

	if (!rc)
		rc = source_index(p, s, &index, err);
	if (rc)
		return rc;
	if (file != s->is_file)
		return ybd_error_set(err, -ENOTBLK, "%s is %s: say %s%s",
				     spec, file ? "a block device" : "a file",
				     file ? "dev:" : "file:", spec);
	if (!s->size || s->size % 512)
		return ybd_error_set(err, -EUCLEAN,
				     "%s: its size, %llu bytes, is no multiple of 512",
				     spec, (unsigned long long)s->size);
	l->ext = calloc(1, sizeof(*l->ext));
	if (!l->ext)
		return ybd_error_sys(err, -ENOMEM, "%s", spec);
	l->ext[0] = (struct ybd_map_extent){ .len = s->size, .source = index };
	l->nr = 1;
	l->size = s->size;
	l->block_size = s->block_size;
	l->depth = 1;
	snprintf(l->name, sizeof(l->name), "%s%s", file ? "" : "dev:", s->name);
	identity_of_source(s, l->identity);
	if (ybd_uuid_parse(s->uuid, l->uuid))
		memcpy(l->uuid, l->identity, sizeof(l->uuid));
	l->keep.kind = file ? YBD_FMT_LAYER_FILE : YBD_FMT_LAYER_DEVICE;
	return keep_layer(s, l, err);
}

/* ---- an lvol ---- */

static int find_lvol(const struct lvs_store *store, const char *name,
		     const struct ybd_source *s, const struct lvs_lvol **out,
		     struct ybd_error *err)
{
	const struct lvs_refusal *why;

	*out = lvs_find(store, name);
	if (*out)
		return 0;
	why = lvs_find_refusal(store, name);
	if (why)
		return ybd_error_set(err, -EUCLEAN, "lvol \"%s\" on %s: %s",
				     name, s->path, why->text);
	return ybd_error_set(err, -ENOENT,
			     "lvstore \"%s\" on %s has no lvol \"%s\" (see: ybdctl store show %s)",
			     lvs_name(store), s->path, name, s->path);
}

static int check_read_only(const struct lvs_lvol *lvol, bool unsafe,
			   struct ybd_plan *p, struct ybd_error *err)
{
	const struct lvs_lvol *why = NULL;
	bool removing;

	if (lvs_chain_read_only(lvol, &why))
		return 0;
	if (unsafe) {
		p->flags |= YBD_IMAGE_FLAGS_READ_ONLY;
		return 0;
	}
	removing = why && lvs_lvol_pending(why) == LVS_PENDING_REMOVE;
	return ybd_error_set(err, -EROFS,
			     "lvol \"%s\" cannot be an image: \"%s\" %s (make a snapshot of it; or --unsafe-writable for read-only devices at your own risk)",
			     lvs_lvol_name(lvol), lvs_lvol_name(why ? why : lvol),
			     removing ? "is being deleted" : "is writable");
}

/* Sources in the order of enum lvs_source. */
static int lvol_sources(struct ybd_finder *f, struct ybd_plan *p,
			struct ybd_source *s, const struct lvs_map *map,
			u32 index[2], struct ybd_error *err)
{
	struct ybd_source *esnap;
	int rc = source_index(p, s, &index[LVS_SOURCE_STORE], err);

	if (rc || !map->esnap_len)
		return rc;
	rc = ybd_finder_esnap(f, map->esnap_id, map->esnap_len, &esnap, err);
	if (!rc)
		rc = source_index(p, esnap, &index[LVS_SOURCE_ESNAP], err);
	return rc;
}

static int take_extents(const struct lvs_map *map, const u32 index[2],
			struct layer *l, struct ybd_error *err)
{
	size_t i;

	l->ext = calloc(map->nr + 1, sizeof(*l->ext));
	if (!l->ext)
		return ybd_error_sys(err, -ENOMEM, "%s", l->name);
	for (i = 0; i < map->nr; i++) {
		l->ext[i].start = map->ext[i].start;
		l->ext[i].phys = map->ext[i].phys;
		l->ext[i].len = map->ext[i].len;
		l->ext[i].source = index[map->ext[i].source];
	}
	l->nr = map->nr;
	l->size = map->size;
	return 0;
}

static void name_lvol(const struct lvs_store *store,
		      const struct lvs_lvol *lvol, struct layer *l)
{
	snprintf(l->name, sizeof(l->name), "%s/%s", lvs_name(store),
		 lvs_lvol_name(lvol));
	if (!lvs_name(store)[0] || !lvs_lvol_name(lvol)[0] ||
	    strchr(lvs_name(store), '/') || ybd_check_image_name(l->name))
		snprintf(l->name, sizeof(l->name), "%s/%s", lvs_uuid(store),
			 lvs_lvol_uuid(lvol));
}

static int flatten(struct ybd_finder *f, struct ybd_plan *p,
		   struct ybd_source *s, const struct lvs_lvol *lvol,
		   struct layer *l, struct ybd_error *err)
{
	u32 index[2] = { 0, 0 };
	struct lvs_map map;
	int rc = lvs_flatten(lvol, &map);

	if (rc)
		return ybd_error_sys(err, rc, "%s", l->name);
	rc = lvol_sources(f, p, s, &map, index, err);
	if (!rc)
		rc = take_extents(&map, index, l, err);
	if (!rc) {
		lvs_identity(lvol, &map, l->identity);
		if (ybd_uuid_parse(lvs_lvol_uuid(lvol), l->uuid))
			memcpy(l->uuid, l->identity, sizeof(l->uuid));
	}
	lvs_map_free(&map);
	return rc;
}

static int read_lvol(struct ybd_finder *f, struct ybd_plan *p, const char *spec,
		     bool unsafe, struct layer *l, struct ybd_error *err)
{
	const char *slash = strchr(spec, '/');
	const struct lvs_lvol *lvol;
	struct lvs_store *store;
	struct ybd_source *s;
	char name[128];
	int rc;

	if (!slash || slash - spec >= (int)sizeof(name))
		return ybd_error_set(err, -EINVAL, "\"%s\" %s", spec,
				     "is no layer");
	snprintf(name, sizeof(name), "%.*s", (int)(slash - spec), spec);
	rc = ybd_finder_store(f, name, &s, err);
	if (!rc)
		rc = ybd_source_store(s, &store, err);
	if (!rc)
		rc = find_lvol(store, slash + 1, s, &lvol, err);
	if (!rc)
		rc = check_read_only(lvol, unsafe, p, err);
	if (rc)
		return rc;
	name_lvol(store, lvol, l);
	l->block_size = lvs_block_size(store);
	l->depth = lvs_lvol_depth(lvol);
	rc = flatten(f, p, s, lvol, l, err);
	if (rc)
		return rc;
	l->keep.kind = YBD_FMT_LAYER_LVOL;
	/* one without goes by its name */
	ybd_uuid_parse(lvs_uuid(store), l->keep.store_uuid);
	ybd_uuid_parse(lvs_lvol_uuid(lvol), l->keep.lvol_uuid);
	return keep_layer(s, l, err);
}

/* ---- the plan ---- */

const char *ybd_layer_check(const char *spec)
{
	const char *slash = strchr(spec, '/');

	if (!strncmp(spec, "dev:", 4) || !strncmp(spec, "file:", 5))
		return strchr(spec, ':')[1] ? NULL : "the path is missing";
	if (!slash || slash == spec || !slash[1])
		return "wanted STORE/LVOL, dev:SOURCE or file:PATH";
	if (slash - spec > 64)
		return "the store's name is longer than 64 characters";
	return NULL;
}

static int read_layer(struct ybd_finder *f, struct ybd_plan *p,
		      const char *spec, bool unsafe, struct layer *l,
		      struct ybd_error *err)
{
	memset(l, 0, sizeof(*l));
	if (!strncmp(spec, "dev:", 4))
		return read_whole(f, p, spec + 4, false, l, err);
	if (!strncmp(spec, "file:", 5))
		return read_whole(f, p, spec + 5, true, l, err);
	return read_lvol(f, p, spec, unsafe, l, err);
}

/* Layers joined by "+"; what does not fit makes the name empty for good. */
static void join_name(struct ybd_plan *p, const char *name, bool first)
{
	size_t len = strlen(p->name);

	if (!first && !len)
		return;
	if (snprintf(p->name + len, sizeof(p->name) - len, "%s%s",
		     first ? "" : "+", name) >= (int)(sizeof(p->name) - len) ||
	    ybd_check_image_name(name))
		p->name[0] = '\0';
}

/* The plan takes over what @l->keep points to. */
static int take_keep(struct ybd_plan *p, struct layer *l, struct ybd_error *err)
{
	struct ybd_layer *v = reallocarray(p->layer, p->nr_layer + 1, sizeof(*v));

	if (!v)
		return ybd_error_sys(err, -ENOMEM, "%s", l->name);
	p->layer = v;
	v[p->nr_layer++] = l->keep;
	l->keep = (struct ybd_layer){ 0 };
	return 0;
}

static int add_layer(struct ybd_plan *p, struct layer *l, bool first,
		     struct ybd_error *err)
{
	struct sha256 h;
	int rc;

	rc = ybd_overlay_add(&p->map, l->ext, l->nr, l->size);
	if (rc)
		return ybd_error_sys(err, rc, "%s", l->name);
	rc = take_keep(p, l, err);
	if (rc)
		return rc;
	join_name(p, l->name, first);
	memcpy(p->uuid, l->uuid, sizeof(p->uuid));
	p->logical_block_size = l->block_size;
	p->layers += l->depth;
	if (first) {
		memcpy(p->identity, l->identity, sizeof(p->identity));
		return 0;
	}
	sha256_init(&h);
	sha256_update(&h, "ybd layer 1\n", 12);
	sha256_update(&h, p->identity, sizeof(p->identity));
	sha256_update(&h, l->identity, sizeof(l->identity));
	sha256_final(&h, p->identity);
	return 0;
}

/*
 * What is hidden by layers above is not read. A source of which nothing is to
 * be seen needs no loop device, and the kernel need not hold it.
 */
static int drop_hidden(struct ybd_plan *p, struct ybd_error *err)
{
	u32 *index __cleanup_free = calloc(p->nr_sources + 1, sizeof(*index));
	u32 n = 0;
	size_t i;

	if (!index)
		return ybd_error_sys(err, -ENOMEM, "%s", p->name);
	for (i = 0; i < p->map.nr; i++)
		index[p->map.ext[i].source] = 1;
	for (i = 0; i < p->nr_sources; i++) {
		if (!index[i])
			continue;
		p->sources[n] = p->sources[i];
		index[i] = n++;
	}
	for (i = 0; i < p->map.nr; i++)
		p->map.ext[i].source = index[p->map.ext[i].source];
	p->nr_sources = n;
	return 0;
}

/* What the kernel would refuse anyway, in better words. */
static int check_limits(const struct ybd_plan *p, struct ybd_error *err)
{
	if (p->nr_sources > YBD_MAX_SOURCES)
		return ybd_error_set(err, -E2BIG,
				     "the image is read from %zu sources, at most %u are supported",
				     p->nr_sources, YBD_MAX_SOURCES);
	if (p->map.nr > YBD_MAX_EXTENTS)
		return ybd_error_set(err, -E2BIG,
				     "the image has %zu extents, at most %u are supported",
				     p->map.nr, YBD_MAX_EXTENTS);
	if (!p->map.size)
		return ybd_error_set(err, -EUCLEAN, "%s: it is empty, of size 0",
				     p->name);
	return 0;
}

static int finish(struct ybd_plan *p, struct ybd_error *err)
{
	int rc = drop_hidden(p, err);

	if (!rc)
		rc = check_limits(p, err);
	if (rc)
		return rc;
	/* blocks are 512 or 4096 bytes, and the image a multiple of one */
	p->logical_block_size = p->logical_block_size == 4096 &&
				!(p->map.size % 4096) ? 4096 : 512;
	if (!p->name[0])
		snprintf(p->name, sizeof(p->name),
			 "layers:%02x%02x%02x%02x%02x%02x%02x%02x",
			 p->identity[0], p->identity[1], p->identity[2],
			 p->identity[3], p->identity[4], p->identity[5],
			 p->identity[6], p->identity[7]);
	return 0;
}

int ybd_plan_make(struct ybd_finder *f, const char *const *layers, size_t nr,
		  bool unsafe, struct ybd_plan *out, struct ybd_error *err)
{
	struct layer l;
	int rc = 0;
	size_t i;

	*out = (struct ybd_plan){ 0 };
	for (i = 0; !rc && i < nr; i++) {
		rc = read_layer(f, out, layers[i], unsafe, &l, err);
		if (!rc)
			rc = add_layer(out, &l, !i, err);
		layer_free(&l);
	}
	if (!rc)
		rc = finish(out, err);
	if (rc)
		ybd_plan_free(out);
	return rc;
}

void ybd_plan_free(struct ybd_plan *p)
{
	ybd_overlay_free(&p->map);
	free(p->sources);
	ybd_layers_free(p->layer, p->nr_layer);
	*p = (struct ybd_plan){ 0 };
}

/* ---- loading ---- */

/* The map in a file; a descriptor or errno. */
static int map_file(const struct ybd_plan *p, struct ybd_error *err)
{
	int fd = ybd_memfile("ybd-map", p->map.ext,
			     p->map.nr * sizeof(*p->map.ext));

	if (fd >= 0)
		return fd;
	return ybd_error_sys(err, fd, "%s: writing the map", p->name);
}

bool ybd_plan_is(const struct ybd_plan *p, const struct ybd_image_info *img)
{
	return !memcmp(p->identity, img->identity, sizeof(p->identity)) &&
	       p->flags == img->flags && p->map.size == img->size;
}

int ybd_plan_find(struct ybd_nl *nl, const struct ybd_plan *p, u32 *id,
		  struct ybd_error *err)
{
	struct ybd_image_list list;
	int rc = ybd_nl_image_list(nl, &list, err);
	size_t i;

	if (rc)
		return rc;
	for (i = 0; i < list.n && !rc; i++) {
		if (!ybd_plan_is(p, &list.v[i]))
			continue;
		*id = list.v[i].id;
		rc = 1;
	}
	ybd_image_list_free(&list);
	return rc;
}

static int send_load(struct ybd_nl *nl, struct ybd_plan *p, const char *name,
		     int map_fd, struct ybd_image_info *out,
		     struct ybd_error *err)
{
	struct ybd_source_req *src __cleanup_free = NULL;
	struct ybd_image_req req = {
		.name = name,
		.size = p->map.size,
		.logical_block_size = p->logical_block_size,
		.layers = p->layers,
		.map_fd = map_fd,
		.extents = p->map.nr,
		.flags = p->flags,
		.nr_sources = p->nr_sources,
	};
	size_t i;
	int rc;

	src = calloc(p->nr_sources + 1, sizeof(*src));
	if (!src)
		return ybd_error_sys(err, -ENOMEM, "%s", name);
	for (i = 0; i < p->nr_sources; i++) {
		rc = ybd_source_device(p->sources[i], err);
		if (rc)
			return rc;
		src[i].fd = p->sources[i]->dev_fd;
		src[i].name = p->sources[i]->name;
	}
	req.sources = src;
	memcpy(req.uuid, p->uuid, sizeof(req.uuid));
	memcpy(req.identity, p->identity, sizeof(req.identity));
	return ybd_nl_image_load(nl, &req, out, err);
}

/* An image of the name is there: ours, or another? */
static int compare_loaded(struct ybd_nl *nl, const struct ybd_plan *p,
			  const char *name, struct ybd_image_info *out,
			  struct ybd_error *err)
{
	int rc = ybd_nl_image_get(nl, name, out, err);

	if (rc)
		return rc;
	if (ybd_plan_is(p, out))
		return 0;
	ybd_image_info_free(out);
	return ybd_error_set(err, -EEXIST,
			     "image \"%s\" is loaded with other content: unload it, or give this one another name with --name",
			     name);
}

int ybd_plan_load(struct ybd_nl *nl, struct ybd_plan *p, const char *name,
		  struct ybd_image_info *out, struct ybd_error *err)
{
	int fd __cleanup_fd = -1;
	int rc, tries;

	if (!name)
		name = p->name;
	/* loaded first by somebody else, and unloaded before we look: again */
	for (tries = 0; tries < 3; tries++) {
		rc = compare_loaded(nl, p, name, out, err);
		if (rc != -ENOENT)
			return rc;
		if (fd < 0)
			fd = map_file(p, err);
		if (fd < 0)
			return fd;
		rc = send_load(nl, p, name, fd, out, err);
		if (rc != -EEXIST)
			return rc ? rc : 1;
	}
	return rc;
}
