// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "loopdev.h"
#include "names.h"
#include "source.h"
#include "stack.h"
#include "util.h"

/* ---- one source ---- */

static void source_free(struct ybd_source *s)
{
	if (!s)
		return;
	lvs_close(s->store);
	if (s->dev_fd >= 0 && s->dev_fd != s->fd)
		close(s->dev_fd);
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	free(s);
}

/* A name is for finding the source again; one too long is cut at its front. */
static void name_by_path(struct ybd_source *s, const char *kind)
{
	size_t room = sizeof(s->name) - 1 - strlen(kind);
	size_t len = strlen(s->path);
	char *p = stpcpy(s->name, kind);

	if (len > room)
		p = stpcpy(p, "...");
	room = sizeof(s->name) - 1 - (p - s->name);
	stpcpy(p, s->path + (len > room ? len - room : 0));
}

static void name_device(struct ybd_source *s, const struct ybd_nvme_list *nvme)
{
	const char *disk = strrchr(s->path, '/');
	char id[YBD_NVME_ID_LEN];
	size_t i;

	for (i = 0; disk && i < nvme->n; i++) {
		if (strcmp(nvme->v[i].disk, disk + 1))
			continue;
		snprintf(s->uuid, sizeof(s->uuid), "%s", nvme->v[i].uuid);
		snprintf(s->name, sizeof(s->name), "%s",
			 ybd_nvme_id(&nvme->v[i], id));
		return;
	}
	name_by_path(s, "path:");
}

/* Size and kind of what was opened. */
static int source_stat(struct ybd_source *s, struct ybd_error *err)
{
	struct stat st;
	int lbs = 512;

	if (fstat(s->fd, &st))
		return ybd_error_sys(err, -errno, "%s", s->path);
	if (S_ISREG(st.st_mode)) {
		s->is_file = true;
		s->size = st.st_size;
	} else if (!S_ISBLK(st.st_mode)) {
		return ybd_error_set(err, -ENOTBLK,
				     "%s is neither a block device nor a file",
				     s->path);
	} else if (ioctl(s->fd, BLKGETSIZE64, &s->size) ||
		   ioctl(s->fd, BLKSSZGET, &lbs)) {
		return ybd_error_sys(err, -errno, "%s", s->path);
	}
	s->block_size = lbs;
	return 0;
}

static int source_open(const char *path, struct ybd_source **out,
		       struct ybd_error *err)
{
	struct ybd_source *s = calloc(1, sizeof(*s));
	int rc;

	*out = NULL;
	if (!s)
		return ybd_error_sys(err, -ENOMEM, "%s", path);
	s->fd = -1;
	s->dev_fd = -1;
	s->path = realpath(path, NULL);
	/* not to hang on a FIFO */
	if (s->path)
		s->fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (s->fd < 0) {
		rc = ybd_error_sys(err, -errno, "%s", path);
		source_free(s);
		return rc;
	}
	rc = source_stat(s, err);
	if (rc)
		source_free(s);
	else
		*out = s;
	return rc;
}

int ybd_source_device(struct ybd_source *s, struct ybd_error *err)
{
	int fd, rc;

	if (s->dev_fd >= 0)
		return 0;
	rc = ybd_stack_check(s->fd, s->path, err);
	if (rc)
		return rc;
	fd = s->is_file ? ybd_loop_open(s->fd, s->path, false, err) : s->fd;
	if (fd < 0)
		return fd;
	s->dev_fd = fd;
	return 0;
}

int ybd_source_store(struct ybd_source *s, struct lvs_store **out,
		     struct ybd_error *err)
{
	struct lvs_error lerr = { 0 };
	int rc;

	if (!s->store) {
		rc = lvs_open_fd(s->fd, &s->store, &lerr);
		if (rc)
			return ybd_error_set(err, rc, "%s: %s", s->path,
					     lerr.text[0] ? lerr.text :
					     strerror(-rc));
	}
	*out = s->store;
	return 0;
}

/* ---- finding ---- */

static int read_nvme(struct ybd_finder *f, struct ybd_error *err)
{
	int rc;

	if (f->nvme_read)
		return 0;
	rc = ybd_nvme_list(NULL, &f->nvme);
	if (rc)
		return ybd_error_sys(err, rc, "listing NVMe namespaces");
	f->nvme_read = true;
	return 0;
}

static bool is_id(const char *spec)
{
	return !strncmp(spec, "uuid:", 5) || !strncmp(spec, "nguid:", 6) ||
	       !strncmp(spec, "eui:", 4);
}

/* The path of "uuid:..." and so on. */
static int path_of_id(struct ybd_finder *f, const char *id, char path[48],
		      struct ybd_error *err)
{
	const struct ybd_nvme_ns *hit = NULL;
	int rc = read_nvme(f, err);
	size_t i;

	if (rc)
		return rc;
	for (i = 0; i < f->nvme.n; i++) {
		if (!ybd_nvme_matches(&f->nvme.v[i], id))
			continue;
		if (hit)
			return ybd_error_set(err, -ENOTUNIQ,
					     "%s is more than one namespace: /dev/%s and /dev/%s",
					     id, hit->disk, f->nvme.v[i].disk);
		hit = &f->nvme.v[i];
	}
	if (!hit)
		return ybd_error_set(err, -ENOENT,
				     "%s: no such NVMe namespace (see: ybdctl source list)",
				     id);
	snprintf(path, 48, "/dev/%s", hit->disk);
	return 0;
}

/*
 * The device with the store of this name or uuid, by a finder of its own: what
 * it has to open for that was not named by the user.
 */
static int path_of_store(const char *store, char **path, struct ybd_error *err)
{
	struct ybd_source *s;
	struct ybd_finder f;
	int rc = ybd_finder_init(&f, NULL, 0, NULL, 0, err);

	if (rc)
		return rc;
	rc = ybd_finder_store(&f, store, &s, err);
	if (!rc) {
		*path = strdup(s->path);
		if (!*path)
			rc = ybd_error_sys(err, -ENOMEM, "%s", store);
	}
	ybd_finder_exit(&f);
	return rc;
}

/*
 * A word without a slash: a file here, the uuid of a namespace, or a store.
 * Where there are two of these it is not guessed which is meant.
 */
static int path_of_word(struct ybd_finder *f, const char *word, char **path,
			struct ybd_error *err)
{
	char id[48], dev[48], here[PATH_MAX];
	bool is_here = !access(word, F_OK);
	struct ybd_error other = { 0 };
	u8 uuid[16];
	int rc;

	rc = path_of_store(word, path, &other);
	if (!ybd_uuid_parse(word, uuid) && !is_here &&
	    snprintf(id, sizeof(id), "uuid:%s", word) < (int)sizeof(id) &&
	    !path_of_id(f, id, dev, NULL)) {
		if (!rc && strcmp(realpath(dev, here) ? here : dev, *path)) {
			free(*path);
			*path = NULL;
			return ybd_error_set(err, -ENOTUNIQ,
					     "%s is a namespace, %s, and a store: write uuid:%s or the device",
					     word, dev, word);
		}
		free(*path);
		*path = strdup(dev);
		return *path ? 0 : ybd_error_sys(err, -ENOMEM, "%s", word);
	}

	if (!rc && is_here) {
		rc = ybd_error_set(err, -ENOTUNIQ,
				   "%s is a file in this directory and a store on %s: write ./%s or %s",
				   word, *path, word, *path);
		free(*path);
		*path = NULL;
		return rc;
	}
	if (!rc || (is_here && rc != -ENOMEM && rc != -ENOTUNIQ))
		return 0;
	if (rc == -ENOENT)
		return ybd_error_set(err, rc,
				     "%s: no such file, and no NVMe namespace holds a store of that name (see: ybdctl source list)",
				     word);
	return ybd_error_set(err, rc, "%s", other.text);
}

static struct ybd_source *find_open(const struct ybd_finder *f,
				    const char *path)
{
	char *real __cleanup_free = realpath(path, NULL);
	struct ybd_source *s;

	for (s = f->sources; s; s = s->next)
		if (real && !strcmp(s->path, real))
			return s;
	return NULL;
}

int ybd_finder_source(struct ybd_finder *f, const char *spec,
		      struct ybd_source **out, struct ybd_error *err)
{
	char *found __cleanup_free = NULL;
	struct ybd_source *s, **end;
	char path[48];
	int rc = 0;

	if (is_id(spec)) {
		rc = path_of_id(f, spec, path, err);
		spec = path;
	} else if (!strchr(spec, '/')) {
		rc = path_of_word(f, spec, &found, err);
		spec = found ? found : spec;
	}
	if (rc)
		return rc;
	*out = find_open(f, spec);
	if (*out)
		return 0;
	rc = source_open(spec, &s, err);
	if (rc)
		return rc;
	if (!s->is_file) {
		rc = read_nvme(f, err);
		name_device(s, &f->nvme);
	} else {
		name_by_path(s, "file:");
	}
	for (end = &f->sources; *end; end = &(*end)->next)
		;
	*end = s;
	*out = s;
	return rc;
}

int ybd_finder_init(struct ybd_finder *f, const char *const *given, size_t nr,
		    const char *const *esnap, size_t nr_esnap,
		    struct ybd_error *err)
{
	struct ybd_source *s;
	size_t i;
	int rc;

	*f = (struct ybd_finder){ .esnap = esnap, .nr_esnap = nr_esnap };
	for (i = 0; i < nr; i++) {
		rc = ybd_finder_source(f, given[i], &s, err);
		if (rc) {
			ybd_finder_exit(f);
			return rc;
		}
	}
	for (s = f->sources; s; s = s->next)
		f->nr_given++;
	return 0;
}

void ybd_finder_exit(struct ybd_finder *f)
{
	struct ybd_source *s, *next;

	for (s = f->sources; s; s = next) {
		next = s->next;
		source_free(s);
	}
	ybd_nvme_list_free(&f->nvme);
	*f = (struct ybd_finder){ 0 };
}

/* All namespaces among the sources; those that do not open are left out. */
static int open_nvme(struct ybd_finder *f, struct ybd_error *err)
{
	struct ybd_source *s;
	char path[48];
	int rc = read_nvme(f, err);
	size_t i;

	if (rc || f->nvme_open)
		return rc;
	for (i = 0; i < f->nvme.n; i++) {
		snprintf(path, sizeof(path), "/dev/%s", f->nvme.v[i].disk);
		rc = ybd_finder_source(f, path, &s, err);
		if (rc == -EACCES || rc == -EPERM || rc == -ENOMEM)
			return rc;
	}
	f->nvme_open = true;
	return 0;
}

static bool holds_store(struct ybd_source *s, const char *store)
{
	if (!s->probed) {
		s->probe_rc = lvs_probe_fd(s->fd, &s->probe, NULL);
		s->probed = true;
	}
	return !s->probe_rc && (!strcasecmp(s->probe.uuid, store) ||
				!strcmp(s->probe.name, store));
}

/* Among sources @from up to @to: 0 with *out, or NULL when it is none of them. */
static int search_store(struct ybd_finder *f, const char *store, size_t from,
			size_t to, struct ybd_source **out,
			struct ybd_error *err)
{
	struct ybd_source *s;
	size_t i = 0;

	*out = NULL;
	for (s = f->sources; s && i < to; s = s->next, i++) {
		if (i < from || !holds_store(s, store))
			continue;
		if (*out)
			return ybd_error_set(err, -ENOTUNIQ,
					     "lvstore \"%s\" is on %s and on %s: name it by its uuid, or its device by --source",
					     store, (*out)->path, s->path);
		*out = s;
	}
	return 0;
}

/* Why none of the sources that were named is it, in the words of the first. */
static int no_store(const struct ybd_finder *f, const char *store,
		    struct ybd_error *err)
{
	const struct ybd_source *s = f->sources;
	struct lvs_error lerr = { 0 };
	struct lvs_probe p;
	int rc;

	if (!f->nr_given)
		return ybd_error_set(err, -ENOENT,
				     "no NVMe namespace holds lvstore \"%s\" (see: ybdctl source list; --source names another device)",
				     store);
	rc = s->probe_rc ? lvs_probe_fd(s->fd, &p, &lerr) : 0;
	if (f->nr_given == 1 && rc && rc != -ENODATA)
		return ybd_error_set(err, rc, "%s: %s", s->path, lerr.text);
	return ybd_error_set(err, -ENOENT,
			     "lvstore \"%s\" is neither on the given sources nor on any NVMe namespace",
			     store);
}

int ybd_finder_store(struct ybd_finder *f, const char *store,
		     struct ybd_source **out, struct ybd_error *err)
{
	int rc = search_store(f, store, 0, f->nr_given, out, err);

	if (rc || *out)
		return rc;
	rc = open_nvme(f, err);
	if (!rc)
		rc = search_store(f, store, f->nr_given, SIZE_MAX, out, err);
	if (!rc && !*out)
		rc = no_store(f, store, err);
	return rc;
}

static int find_esnap(struct ybd_finder *f, const char *id,
		      struct ybd_source **out, struct ybd_error *err)
{
	char spec[64];
	size_t i, len;
	int rc;

	for (i = 0; i < f->nr_esnap; i++) {
		len = strcspn(f->esnap[i], "=");
		if (len == strlen(id) && !strncasecmp(f->esnap[i], id, len))
			return ybd_finder_source(f, f->esnap[i] + len + 1, out,
						 err);
	}
	if (snprintf(spec, sizeof(spec), "uuid:%s", id) < (int)sizeof(spec)) {
		rc = ybd_finder_source(f, spec, out, err);
		if (rc != -ENOENT)
			return rc;
	}
	return ybd_error_set(err, -ENOENT,
			     "external snapshot %s: no NVMe namespace has this uuid; say where it is with --esnap %s=DEV",
			     id, id);
}

int ybd_finder_esnap(struct ybd_finder *f, const char *id, u64 len,
		     struct ybd_source **out, struct ybd_error *err)
{
	int rc = find_esnap(f, id, out, err);

	if (rc)
		return rc;
	if ((*out)->size < len)
		return ybd_error_set(err, -EUCLEAN,
				     "external snapshot %s on %s has %llu bytes, the lvol needs %llu of it",
				     id, (*out)->path, (unsigned long long)(*out)->size,
				     (unsigned long long)len);
	/* what was cached of it may be older than what the storage side wrote */
	posix_fadvise((*out)->fd, 0, 0, POSIX_FADV_DONTNEED);
	return 0;
}
