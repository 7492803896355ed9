// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../util.h"
#include "hot.h"

/* ---- the list ---- */

static u64 hash(const char *name)
{
	u64 h = 0xcbf29ce484222325ull;

	for (; *name; name++)
		h = (h ^ (u8)*name) * 0x100000001b3ull;
	return h ^ h >> 32;
}

/* The slot of a name, or the empty one where it would be. */
static size_t find(const struct hot_list *h, const char *name)
{
	size_t i = hash(name) & (h->size - 1);

	while (h->slot[i] && strcmp(h->name[h->slot[i] - 1], name))
		i = (i + 1) & (h->size - 1);
	return i;
}

static int add(struct hot_list *h, char *line, struct place *p, struct ybd_error *err)
{
	int rc = place_clean(line, p, err);
	size_t i;

	if (rc) {
		ybd_error_prefix(err, "\"%.100s\"", line);
		return rc;
	}
	if (!p->len)
		return ybd_error_set(err, -EBADMSG, "\"%.100s\" is no file", line);
	i = find(h, p->clean);
	if (h->slot[i])
		return 0;
	if (h->nr == HOT_NAMES_MAX)
		return ybd_error_set(err, -EBADMSG, "there are more than %u names", HOT_NAMES_MAX);
	/* never longer than what it was */
	strcpy(line, p->clean);
	h->name[h->nr++] = line;
	h->slot[i] = (u32)h->nr;
	return 0;
}

static int cut(struct hot_list *h, struct ybd_error *err)
{
	char *rest = h->text, *line;
	struct place *p = calloc(1, sizeof(*p));
	size_t n = 0;
	int rc = 0;

	if (!p)
		return ybd_error_sys(err, -ENOMEM, "list");
	while (!rc && (line = strsep(&rest, "\n"))) {
		n++;
		if (*line && *line != '#')
			rc = add(h, line, p, err);
	}
	free(p);
	if (rc)
		ybd_error_prefix(err, "line %zu", n);
	return rc;
}

static void identify(struct hot_list *h)
{
	struct sha256 sum;

	sha256_init(&sum);
	for (size_t i = 0; i < h->nr; i++)
		sha256_update(&sum, h->name[i], strlen(h->name[i]) + 1);
	sha256_final(&sum, h->digest.b);
}

static int read_text(const char *path, struct hot_list *h, struct ybd_error *err)
{
	int fd __cleanup_fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got;

	if (fd < 0)
		return ybd_error_sys(err, -errno, "the list cannot be opened");
	h->text = calloc(1, HOT_FILE_MAX + 2);
	if (!h->text)
		return ybd_error_sys(err, -ENOMEM, "list");
	while ((got = read(fd, h->text + n, HOT_FILE_MAX + 1 - n)) > 0)
		n += (size_t)got;
	if (got < 0)
		return ybd_error_sys(err, -errno, "reading the list");
	if (n > HOT_FILE_MAX)
		return ybd_error_set(err, -EBADMSG, "the list has more than %u bytes",
				     HOT_FILE_MAX);
	if (memchr(h->text, '\0', n))
		return ybd_error_set(err, -EBADMSG, "the list is no text");
	return 0;
}

int hot_list_read(const char *path, struct hot_list *h, struct ybd_error *err)
{
	int rc;

	memset(h, 0, sizeof(*h));
	rc = read_text(path, h, err);
	if (rc)
		goto out;
	h->size = HOT_NAMES_MAX * 2;
	h->slot = calloc(h->size, sizeof(*h->slot));
	h->name = calloc(HOT_NAMES_MAX, sizeof(*h->name));
	h->blk = calloc(HOT_NAMES_MAX, sizeof(*h->blk));
	if (h->slot && h->name && h->blk)
		rc = cut(h, err);
	else
		rc = ybd_error_sys(err, -ENOMEM, "list");
	if (!rc)
		identify(h);
out:
	if (rc) {
		ybd_error_prefix(err, "%s", path);
		hot_list_free(h);
	}
	return rc;
}

void hot_list_free(struct hot_list *h)
{
	free(h->text);
	free(h->name);
	free(h->slot);
	free(h->blk);
	memset(h, 0, sizeof(*h));
}

u64 hot_list_blk(const struct hot_list *h, const char *clean)
{
	u32 at = h->slot[find(h, clean)];

	return at ? h->blk[at - 1] : 0;
}

/* ---- in a layer ---- */

/* How many blocks each has, in @h->blk; the last entry of a name counts. */
static int measure(struct hot_list *h, struct oci_layer_reader *r, struct ybd_error *err)
{
	struct place *p = calloc(1, sizeof(*p));
	const struct oci_entry *t;
	u32 at;

	if (!p)
		return ybd_error_sys(err, -ENOMEM, "layer");
	while (!oci_layer_next(r, &t, err)) {
		if (t->hardlink || !S_ISREG(t->mode) || place_clean(t->name, p, err))
			continue;
		at = h->slot[find(h, p->clean)];
		if (at)
			h->blk[at - 1] = t->sparse ? 0 : t->size / IMGFS_BLOCK +
							 !!(t->size % IMGFS_BLOCK);
	}
	free(p);
	return 0;
}

int hot_list_place(struct hot_list *h, struct imgfs *e, struct oci_source *s,
		   const struct oci_layer *l, struct ybd_error *err)
{
	struct oci_layer_reader *r;
	u64 at, nr;
	int rc;

	memset(h->blk, 0, h->nr * sizeof(*h->blk));
	if (oci_layer_open(s, l, NULL, &r, err))
		return 0;
	rc = measure(h, r, err);
	oci_layer_close(r);
	if (rc)
		return rc;
	for (size_t i = 0; i < h->nr; i++) {
		nr = h->blk[i];
		/* sizes that are lies, or too many: the rest of the list is like any other file */
		at = nr ? imgfs_reserve(e, nr) : 0;
		h->blk[i] = at;
	}
	return 0;
}
