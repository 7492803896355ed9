// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stores for the tests of ybdctl convert:
 *
 *	store create PATH SIZE CLUSTER-SIZE UUID
 *	store export PATH LVOL FILE		sparse
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lvstore/write.h"

#define CHUNK (1u << 20)

static int fail(const char *what, const struct lvs_error *e)
{
	fprintf(stderr, "store: %s: %s\n", what, e->text);
	return 1;
}

static int create(char **v)
{
	struct lvw_create_opts o = {
		.name = "images",
		.size = strtoull(v[1], NULL, 10),
		.cluster_size = (uint32_t)strtoul(v[2], NULL, 10),
		.uuid = v[3],
	};
	struct lvs_error e = { 0 };
	struct lvs_writer *w;

	if (lvw_create(v[0], &o, &w, &e) || lvw_close(w, &e))
		return fail(v[0], &e);
	return 0;
}

static int copy(struct lvs_store *s, const struct lvs_map *m, int fd)
{
	static char buf[CHUNK], zero[CHUNK];

	if (ftruncate(fd, (off_t)m->size))
		return 1;
	for (size_t i = 0; i < m->nr; i++)
		for (uint64_t at = 0; at < m->ext[i].len; at += CHUNK) {
			uint64_t off = m->ext[i].start + at;
			size_t n = m->ext[i].len - at < CHUNK ? m->ext[i].len - at : CHUNK;

			if (lvs_map_read(s, m, -1, off, buf, n))
				return 1;
			if (memcmp(buf, zero, n) && pwrite(fd, buf, n, (off_t)off) != (ssize_t)n)
				return 1;
		}
	return 0;
}

static int export(char **v)
{
	struct lvs_error e = { 0 };
	const struct lvs_lvol *l;
	struct lvs_store *s;
	struct lvs_map m;
	int fd, rc;

	if (lvs_open_path(v[0], &s, &e))
		return fail(v[0], &e);
	l = lvs_find(s, v[1]);
	if (!l || lvs_flatten(l, &m)) {
		fprintf(stderr, "store: no lvol %s\n", v[1]);
		return 1;
	}
	fd = open(v[2], O_RDWR | O_CREAT | O_TRUNC, 0644);
	rc = fd < 0 || copy(s, &m, fd);
	if (rc)
		perror(v[2]);
	close(fd);
	lvs_map_free(&m);
	lvs_close(s);
	return rc;
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "create"))
		return create(argv + 2);
	if (argc == 5 && !strcmp(argv[1], "export"))
		return export(argv + 2);
	fprintf(stderr, "usage: store create PATH SIZE CLUSTER UUID | export PATH LVOL FILE\n");
	return 2;
}
