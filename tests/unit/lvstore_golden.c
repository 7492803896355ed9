// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every fixture, compared with all that SPDK says of it:
 * lvstore_golden JSON-DIR IMAGE-DIR [DIGESTS]
 * lvstore_golden --time IMAGE
 *
 * DIGESTS is written: FIXTURE/LVOL and its fast_digest(), for the suite golden-vm.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ktap.h"
#include "lvstore_fixture.h"

static const char *json_dir, *image_dir, *fixture;
static FILE *digests;

static void same_str(const char *what, const char *key, const char *got, const char *want)
{
	if (!got || !want ? got == want : !strcmp(got, want))
		return;
	ktap_fail("%s: %s is %s, expected %s", what, key, got ? got : "none",
		  want ? want : "none");
}

static void same_u64(const char *what, const char *key, u64 got, u64 want)
{
	if (got != want)
		ktap_fail("%s: %s is %llu, expected %llu", what, key, (unsigned long long)got,
			  (unsigned long long)want);
}

static void check_store(const struct lvs_store *s, struct json_object *root)
{
	struct json_object *j = js(root, "lvstore");

	same_str("store", "uuid", lvs_uuid(s), js_str(j, "uuid"));
	same_str("store", "name", lvs_name(s), js_str(j, "name"));
	same_u64("store", "cluster_size", lvs_cluster_size(s), js_u64(j, "cluster_size"));
	same_u64("store", "block_size", lvs_block_size(s), js_u64(j, "block_size"));
	same_u64("store", "total_data_clusters", lvs_data_clusters(s),
		 js_u64(j, "total_data_clusters"));
	same_u64("store", "free_clusters", lvs_free_clusters(s), js_u64(j, "free_clusters"));
	same_u64("store", "clean", lvs_clean(s), json_object_get_boolean(js(root, "clean")));
	same_u64("store", "version", lvs_version(s), js_u64(root, "super_version"));
}

static void check_probe(int fd, struct json_object *root)
{
	struct json_object *j = js(root, "lvstore");
	struct lvs_error err;
	struct lvs_probe p;

	if (lvs_probe_fd(fd, &p, &err)) {
		ktap_fail("probe: %s", err.text);
		return;
	}
	same_str("probe", "uuid", p.uuid, js_str(j, "uuid"));
	same_str("probe", "name", p.name, js_str(j, "name"));
	same_u64("probe", "cluster_size", p.cluster_size, js_u64(j, "cluster_size"));
}

static void check_clones(const struct lvs_lvol *l, struct json_object *want)
{
	size_t n = json_object_array_length(want);

	same_u64(lvs_lvol_name(l), "number of clones", lvs_lvol_clones(l), n);
	for (size_t i = 0; i < n; i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(want, i));
		bool found = false;

		for (size_t k = 0; k < lvs_lvol_clones(l); k++)
			found |= !strcmp(lvs_lvol_name(lvs_lvol_clone_at(l, k)), name);
		ktap_check(found, "%s: clone %s is missing", lvs_lvol_name(l), name);
	}
}

/* The JSON's runs are consecutive logical clusters, wherever they lie. */
static void check_runs(const struct lvs_lvol *l, struct json_object *want)
{
	size_t nr, at = 0, n = json_object_array_length(want);
	const struct lvs_run *r = lvs_lvol_runs(l, &nr);

	for (size_t i = 0; i < n; i++) {
		struct json_object *w = json_object_array_get_idx(want, i);
		u64 start = json_object_get_uint64(json_object_array_get_idx(w, 0));
		u64 len = json_object_get_uint64(json_object_array_get_idx(w, 1));
		u64 end = at < nr ? r[at].start : 0;

		if (at == nr || r[at].start != start) {
			ktap_fail("%s: no run at cluster %llu", lvs_lvol_name(l),
				  (unsigned long long)start);
			return;
		}
		for (; at < nr && r[at].start == end; at++)
			end += r[at].len;
		same_u64(lvs_lvol_name(l), "end of a run", end, start + len);
	}
	same_u64(lvs_lvol_name(l), "number of runs", nr, at);
}

static void check_xattrs(const struct lvs_lvol *l, struct json_object *want)
{
	const struct lvs_xattr *x;
	size_t n = 0;

	for (; (x = lvs_lvol_xattr_at(l, n)); n++) {
		char *hex = calloc(x->len + 1, 2);
		struct json_object *w;

		for (size_t i = 0; i < x->len; i++)
			sprintf(hex + 2 * i, "%02x", ((const unsigned char *)x->value)[i]);
		if (json_object_object_get_ex(want, x->name, &w))
			same_str(lvs_lvol_name(l), x->name, hex, json_object_get_string(w));
		else
			ktap_fail("%s: xattr %s is not SPDK's", lvs_lvol_name(l), x->name);
		free(hex);
	}
	same_u64(lvs_lvol_name(l), "number of xattrs", n, json_object_object_length(want));
}

static void check_content(struct lvs_store *s, const struct lvs_lvol *l, struct json_object *j,
			  int esnap_fd)
{
	u8 id[2][LVS_IDENTITY_LEN];
	struct content c;
	struct lvs_map map;

	if (lvs_flatten(l, &map)) {
		ktap_fail("%s: not flattened", lvs_lvol_name(l));
		return;
	}
	for (size_t i = 1; i < map.nr; i++)
		ktap_check(map.ext[i - 1].start + map.ext[i - 1].len <= map.ext[i].start,
			   "%s: extent %zu is out of order", lvs_lvol_name(l), i);
	if (content_hash(s, &map, map.esnap_id ? esnap_fd : -1, &c))
		ktap_fail("%s: content cannot be read", lvs_lvol_name(l));
	if (*c.sha256)
		same_str(lvs_lvol_name(l), "sha256", c.sha256, js_str(j, "sha256"));
	same_str(lvs_lvol_name(l), "sparse_sha256", c.sparse, js_str(j, "sparse_sha256"));
	same_u64(lvs_lvol_name(l), "nonzero_4k_blocks", c.blocks, js_u64(j, "nonzero_4k_blocks"));
	if (digests)
		fprintf(digests, "%s/%s %016llx\n", fixture, lvs_lvol_name(l),
			(unsigned long long)c.fast);
	lvs_identity(l, &map, id[0]);
	map.nr -= map.nr > 0;
	lvs_identity(l, &map, id[1]);
	ktap_check(!map.size || !map.nr || memcmp(id[0], id[1], sizeof(id[0])),
		   "%s: identity does not depend on the map", lvs_lvol_name(l));
	lvs_map_free(&map);
}

static void check_lvol(struct lvs_store *s, struct json_object *j, int esnap_fd)
{
	const char *name = js_str(j, "name");
	const struct lvs_lvol *l = lvs_find(s, name), *p;
	bool esnap = json_object_get_boolean(js(j, "esnap_clone"));

	if (!l) {
		const struct lvs_refusal *r = lvs_find_refusal(s, name);

		ktap_fail("%s: not there: %s", name, r ? r->text : "not refused either");
		return;
	}
	p = lvs_lvol_parent(l);
	ktap_check(l == lvs_find(s, js_str(j, "uuid")), "%s: not found by its uuid", name);
	same_str(name, "uuid", lvs_lvol_uuid(l), js_str(j, "uuid"));
	same_u64(name, "blob_id", lvs_lvol_blob_id(l), js_u64(j, "blob_id"));
	same_u64(name, "size", lvs_lvol_size(l), js_u64(j, "size"));
	same_u64(name, "thin", lvs_lvol_thin(l), json_object_get_boolean(js(j, "thin_provision")));
	same_u64(name, "read_only", lvs_lvol_read_only(l),
		 json_object_get_boolean(js(j, "read_only")));
	same_u64(name, "snapshot", lvs_lvol_is_snapshot(l),
		 json_object_get_boolean(js(j, "snapshot")));
	same_u64(name, "clone", !!p, json_object_get_boolean(js(j, "clone")));
	same_str(name, "parent", p ? lvs_lvol_name(p) : NULL, js_str(j, "base_snapshot"));
	if (!esnap)
		same_u64(name, "parent's id", p ? lvs_lvol_blob_id(p) : UINT64_MAX,
			 js_u64(j, "parent_blob_id"));
	same_u64(name, "depth", lvs_lvol_depth(l), p ? lvs_lvol_depth(p) + 1 : 1);
	same_str(name, "esnap_id", lvs_lvol_esnap_id(l), js_str(j, "esnap_id"));
	same_u64(name, "allocated", lvs_lvol_allocated(l), js_u64(j, "num_allocated_clusters"));
	check_clones(l, js(j, "clones"));
	check_runs(l, js(j, "allocated_runs"));
	check_xattrs(l, js(j, "xattrs_hex"));
	check_content(s, l, j, esnap_fd);
}

static int open_external(struct json_object *root)
{
	struct json_object *list = js(root, "external_files");
	char path[4096];

	if (!json_object_array_length(list))
		return -1;
	snprintf(path, sizeof(path), "%s/%s", image_dir,
		 js_str(json_object_array_get_idx(list, 0), "file"));
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void golden(const char *name)
{
	struct json_object *root, *lvols;
	struct lvs_store *s;
	struct lvs_error err;
	char path[4096];
	int fd, ext;

	fixture = name;
	snprintf(path, sizeof(path), "%s/%s.json", json_dir, name);
	root = json_object_from_file(path);
	snprintf(path, sizeof(path), "%s/%s.img", image_dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (!root || fd < 0) {
		ktap_fail("%s: %s", path, strerror(errno));
		return;
	}
	if (lvs_open_fd(fd, &s, &err)) {
		ktap_fail("%s", err.text);
		return;
	}
	check_probe(fd, root);
	close(fd);
	ext = open_external(root);
	check_store(s, root);
	lvols = js(root, "lvols");
	same_u64("store", "number of lvols", lvs_lvols(s), json_object_array_length(lvols));
	for (size_t i = 0; i < json_object_array_length(lvols); i++)
		check_lvol(s, json_object_array_get_idx(lvols, i), ext);
	for (size_t i = 0; i < lvs_refusals(s); i++)
		ktap_fail("refused: %s", lvs_refusal_at(s, i)->text);
	if (ext >= 0)
		close(ext);
	lvs_close(s);
	json_object_put(root);
}

static int is_json(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 5 && !strcmp(d->d_name + n - 5, ".json");
}

/* How long opening, and flattening every lvol, takes: the least of ten runs. */
static int time_open(const char *path)
{
	double best_open = 1e9, best_flat = 1e9;

	for (int i = 0; i < 10; i++) {
		struct timespec t[3];
		struct lvs_store *s;
		struct lvs_error err;
		double a, b;

		clock_gettime(CLOCK_MONOTONIC, &t[0]);
		if (lvs_open_path(path, &s, &err)) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		clock_gettime(CLOCK_MONOTONIC, &t[1]);
		for (size_t k = 0; k < lvs_lvols(s); k++) {
			struct lvs_map m;

			if (!lvs_flatten(lvs_lvol_at(s, k), &m))
				lvs_map_free(&m);
		}
		clock_gettime(CLOCK_MONOTONIC, &t[2]);
		a = (t[1].tv_sec - t[0].tv_sec) * 1e3 + (t[1].tv_nsec - t[0].tv_nsec) / 1e6;
		b = (t[2].tv_sec - t[1].tv_sec) * 1e3 + (t[2].tv_nsec - t[1].tv_nsec) / 1e6;
		best_open = a < best_open ? a : best_open;
		best_flat = b < best_flat ? b : best_flat;
		lvs_close(s);
	}
	printf("open %.2f ms, flatten all %.2f ms\n", best_open, best_flat);
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent **d;
	int n;

	if (argc == 3 && !strcmp(argv[1], "--time"))
		return time_open(argv[2]);
	if (argc != 3 && argc != 4) {
		fprintf(stderr, "usage: %s JSON-DIR IMAGE-DIR [DIGESTS] | --time IMAGE\n",
			argv[0]);
		return 2;
	}
	if (argc == 4) {
		digests = fopen(argv[3], "w");
		if (!digests) {
			fprintf(stderr, "%s: %s\n", argv[3], strerror(errno));
			return 2;
		}
	}
	json_dir = argv[1];
	image_dir = argv[2];
	n = scandir(json_dir, &d, is_json, alphasort);
	ktap_plan(n < 0 ? 0 : (unsigned int)n);
	for (int i = 0; i < n; i++) {
		d[i]->d_name[strlen(d[i]->d_name) - 5] = 0;
		golden(d[i]->d_name);
		ktap_done("lvstore fixture %s", d[i]->d_name);
		free(d[i]);
	}
	if (n >= 0)
		free(d);
	if (digests && fclose(digests)) {
		fprintf(stderr, "%s: %s\n", argv[3], strerror(errno));
		return 2;
	}
	return n > 0 ? ktap_exit() : 1;
}
