// SPDX-License-Identifier: GPL-2.0-only
/* Not by recursion: how deep a tree is, is up to who wrote the image. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "remove.h"

/**
 * struct frame - a directory on the way down
 * @ino: .
 * @names: all of its names, each with a NUL behind it
 * @end: bytes of them
 * @at: the next one
 * @now: the one that is being removed
 */
struct frame {
	u32 ino;
	char *names;
	size_t end;
	size_t at;
	const char *now;
};

/**
 * struct stack - all directories on the way down
 * @f: .
 * @nr: .
 * @room: .
 */
struct stack {
	struct frame *f;
	size_t nr;
	size_t room;
};

static int list_names(struct imgfs *e, struct frame *f, struct ybd_error *err)
{
	char name[IMGFS_NAME_MAX + 1], *v;
	struct imgfs_node node;
	size_t pos = 0, room = 0, len;
	int rc;

	while (!(rc = imgfs_next(e, f->ino, &pos, name, &node, err))) {
		len = strlen(name) + 1;
		if (f->end + len > room) {
			room = room * 2 + 1024;
			v = realloc(f->names, room);
			if (!v)
				return ybd_error_sys(err, -ENOMEM, "directory");
			f->names = v;
		}
		memcpy(f->names + f->end, name, len);
		f->end += len;
	}
	return rc == -ENOENT ? 0 : rc;
}

static int push(struct imgfs *e, struct stack *s, u32 ino, struct ybd_error *err)
{
	if (s->nr == s->room) {
		struct frame *f = reallocarray(s->f, s->room * 2 + 16, sizeof(*f));

		if (!f)
			return ybd_error_sys(err, -ENOMEM, "directory");
		s->f = f;
		s->room = s->room * 2 + 16;
	}
	s->f[s->nr] = (struct frame){ .ino = ino };
	return list_names(e, &s->f[s->nr++], err);
}

static bool is_empty(struct imgfs *e, u32 ino, struct ybd_error *err)
{
	char name[IMGFS_NAME_MAX + 1];
	struct imgfs_node node;
	size_t pos = 0;

	return imgfs_next(e, ino, &pos, name, &node, err) == -ENOENT;
}

/* The content of the topmost directory is done: take the directory itself, if that may be. */
static int pop(struct imgfs *e, struct stack *s, const struct touched *keep,
	       struct ybd_error *err)
{
	struct frame *top = &s->f[--s->nr], *in;
	u32 ino = top->ino;

	free(top->names);
	if (!s->nr)
		return 0;
	in = &s->f[s->nr - 1];
	if (keep && (touched_has(keep, in->ino, in->now, strlen(in->now)) ||
		     !is_empty(e, ino, err)))
		return 0;
	return imgfs_unlink(e, in->ino, in->now, strlen(in->now), err);
}

static int one(struct imgfs *e, struct stack *s, const struct touched *keep,
	       struct ybd_error *err)
{
	struct frame *top = &s->f[s->nr - 1];
	struct imgfs_node node;
	size_t len;
	int rc;

	if (top->at >= top->end)
		return pop(e, s, keep, err);
	top->now = top->names + top->at;
	len = strlen(top->now);
	top->at += len + 1;
	rc = imgfs_lookup(e, top->ino, top->now, len, &node, err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	if (S_ISDIR(node.mode))
		return push(e, s, node.ino, err);
	if (keep && touched_has(keep, top->ino, top->now, len))
		return 0;
	return imgfs_unlink(e, top->ino, top->now, len, err);
}

static int run(struct imgfs *e, struct stack *s, int rc, const struct touched *keep,
	       struct ybd_error *err)
{
	while (!rc && s->nr)
		rc = one(e, s, keep, err);
	while (s->nr)
		free(s->f[--s->nr].names);
	free(s->f);
	return rc;
}

int remove_content(struct imgfs *e, u32 dir, const struct touched *keep, struct ybd_error *err)
{
	struct stack s = { 0 };

	return run(e, &s, push(e, &s, dir, err), keep, err);
}

int remove_tree(struct imgfs *e, u32 dir, const char *name, size_t len,
		const struct touched *keep, struct ybd_error *err)
{
	struct imgfs_node node;
	int rc = imgfs_lookup(e, dir, name, len, &node, err);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	if (S_ISDIR(node.mode)) {
		rc = remove_content(e, node.ino, keep, err);
		if (rc || (keep && !is_empty(e, node.ino, err)))
			return rc;
	}
	if (keep && touched_has(keep, dir, name, len))
		return 0;
	return imgfs_unlink(e, dir, name, len, err);
}
