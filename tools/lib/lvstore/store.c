// SPDX-License-Identifier: GPL-2.0-only
/* Opening a store: everything is read here, once; and what an open store says of itself. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "store.h"

/* how often to begin again when the super block has changed under the reader */
#define OPEN_ATTEMPTS 4

static void store_clear(struct lvs_store *s)
{
	struct lvs_io *io = s->io;

	for (size_t i = 0; i < s->nr_blobs; i++)
		blob_free(s->blobs[i]);
	for (size_t i = 0; i < s->nr_refusals; i++)
		if (s->refusals[i].blob_id == LVS_NO_BLOB)
			free((void *)s->refusals[i].text);
	free(s->refusals);
	free(s->blobs);
	free(s->lvols);
	md_free(s);
	memset(s, 0, sizeof(*s));
	s->io = io;
}

static int load_blobs(struct lvs_store *s)
{
	for (size_t i = 0; i < s->nr_roots; i++) {
		int rc = lvs_grow(&s->blobs, &s->cap_blobs, s->nr_blobs, sizeof(*s->blobs));

		if (!rc)
			rc = blob_load(s, s->roots[i], &s->blobs[s->nr_blobs]);
		if (rc < 0)
			return rc;
		s->nr_blobs += !rc;
	}
	return 0;
}

static u64 count_bits(const u8 *bits, u64 n)
{
	u64 count = 0;

	for (u64 i = 0; i < n / 8; i++)
		count += (u64)__builtin_popcount(bits[i]);
	for (u64 i = n & ~7ULL; i < n; i++)
		count += md_bit(bits, i);
	return count;
}

/* As SPDK's RPC says right after loading: see lvs_free_clusters(). */
static void count_free(struct lvs_store *s)
{
	u64 used;

	if (s->clean)
		used = count_bits(s->used_clusters, s->total_clusters);
	else
		used = s->md_clusters + s->claims;
	s->free_clusters = used < s->total_clusters ? s->total_clusters - used : 0;
}

static int open_once(struct lvs_store *s, struct lvs_error *err)
{
	int rc = lvs_read_super(s, err);

	if (rc)
		return rc;
	rc = md_init(s);
	if (!rc && s->clean)
		rc = md_load_masks(s);
	if (!rc)
		rc = md_load(s);
	if (!rc)
		rc = load_blobs(s);
	if (!rc && !s->clean)
		rc = live_settle(s);
	if (rc)
		return lvs_err(err, rc, "%s", strerror(-rc));
	count_free(s);
	return tree_build(s, err);
}

/*
 * SPDK clears "clean" before its first change of metadata. So when the super block is the same
 * afterwards, the masks of a clean store were true all the time.
 */
static int open_settled(struct lvs_store *s, struct lvs_error *err)
{
	for (int i = 0; i < OPEN_ATTEMPTS; i++) {
		int rc, same;

		store_clear(s);
		rc = open_once(s, err);
		if (rc && rc != -EUCLEAN && rc != -EBUSY)
			return rc;
		/* what is damaged may only have been read while it was written */
		same = lvs_super_same(s);
		if (same < 0)
			return lvs_err(err, same, "super block (byte 0): %s", strerror(-same));
		if (same)
			return rc;
	}
	return lvs_err(err, -EBUSY,
		       "super block (byte 0): kept changing while it was read: the store is in use");
}

int lvs_open_io(struct lvs_io *io, struct lvs_store **out, struct lvs_error *err)
{
	struct lvs_store *s = calloc(1, sizeof(*s));
	int rc;

	if (!s) {
		lvs_io_close(io);
		return lvs_err(err, -ENOMEM, "%s", strerror(ENOMEM));
	}
	s->io = io;
	rc = open_settled(s, err);
	if (rc) {
		lvs_close(s);
		return rc;
	}
	md_free(s);
	*out = s;
	return 0;
}

static int open_fd(int fd, struct lvs_io **io, struct lvs_error *err)
{
	int rc = lvs_io_open_fd(fd, io);

	if (rc == -EINVAL)
		return lvs_err(err, rc, "neither a block device nor a regular file");
	return rc ? lvs_err(err, rc, "cannot be read: %s", strerror(-rc)) : 0;
}

int lvs_open_fd(int fd, struct lvs_store **out, struct lvs_error *err)
{
	struct lvs_io *io;
	int rc = open_fd(fd, &io, err);

	return rc ? rc : lvs_open_io(io, out, err);
}

int lvs_open_path(const char *path, struct lvs_store **out, struct lvs_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

	if (fd < 0)
		return lvs_err(err, -errno, "%s: %s", path, strerror(errno));
	rc = lvs_open_fd(fd, out, err);
	close(fd);
	return rc;
}

void lvs_close(struct lvs_store *s)
{
	if (!s)
		return;
	store_clear(s);
	lvs_io_close(s->io);
	free(s);
}

/* The lvstore's own blob alone; what is wrong with it leaves the names empty. */
static int probe_super_blob(struct lvs_store *s)
{
	struct lvs_lvol *l;
	u32 page = (u32)s->super_blob;
	int rc;

	if (s->super_blob >> 32 != 1 || page >= s->md_len)
		return 0;
	s->clean = false;	/* no masks */
	rc = md_init(s);
	if (!rc)
		rc = blob_load(s, page, &l);
	if (rc)
		return rc < 0 ? rc : 0;
	if (tree_super_blob(s, l, NULL)) {
		s->uuid[0] = 0;
		s->name[0] = 0;
	}
	blob_free(l);
	return 0;
}

int lvs_probe_fd(int fd, struct lvs_probe *p, struct lvs_error *err)
{
	struct lvs_store s = { 0 };
	int rc = open_fd(fd, &s.io, err);

	memset(p, 0, sizeof(*p));
	if (rc)
		return rc;
	rc = lvs_read_super(&s, err);
	if (!rc) {
		p->cluster_size = s.cluster_size;
		p->size = s.size;
		p->clean = s.clean;
		rc = probe_super_blob(&s);
		memcpy(p->uuid, s.uuid, sizeof(p->uuid));
		memcpy(p->name, s.name, sizeof(p->name));
	}
	store_clear(&s);
	lvs_io_close(s.io);
	return rc;
}

const char *lvs_uuid(const struct lvs_store *s)
{
	return s->uuid;
}

const char *lvs_name(const struct lvs_store *s)
{
	return s->name;
}

uint32_t lvs_cluster_size(const struct lvs_store *s)
{
	return s->cluster_size;
}

uint32_t lvs_block_size(const struct lvs_store *s)
{
	return s->block_size;
}

uint64_t lvs_size(const struct lvs_store *s)
{
	return s->size;
}

uint64_t lvs_data_clusters(const struct lvs_store *s)
{
	return s->total_clusters - s->md_clusters;
}

uint64_t lvs_free_clusters(const struct lvs_store *s)
{
	return s->free_clusters;
}

bool lvs_clean(const struct lvs_store *s)
{
	return s->clean;
}

uint32_t lvs_version(const struct lvs_store *s)
{
	return s->version;
}

size_t lvs_refusals(const struct lvs_store *s)
{
	return s->nr_refusals;
}

const struct lvs_refusal *lvs_refusal_at(const struct lvs_store *s, size_t i)
{
	return i < s->nr_refusals ? &s->refusals[i] : NULL;
}
