// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lvstore/writer.h"
#include "pin.h"

/* Of what has no uuid of its own no pin can be found again, so it has none. */
static bool pin_name(char name[LVS_NAME_MAX], const char *uuid, bool top)
{
	snprintf(name, LVS_NAME_MAX, PIN_PREFIX "%.36s%s", uuid, top ? PIN_TOP : "");
	return strlen(uuid) == 36;
}

/* The pin of @v that is there, or NULL. */
static struct lvw_vol *pin_of(const struct lvw_vol *v, bool top)
{
	char name[LVS_NAME_MAX];
	struct lvw_vol *pin = NULL;

	if (pin_name(name, lvw_vol_uuid(v), top))
		pin = lvw_find(v->w, name);
	return pin && lvw_vol_parent(pin) == v ? pin : NULL;
}

static int no_memory(struct lvs_error *err)
{
	return lvs_err(err, -ENOMEM, "%s", strerror(ENOMEM));
}

/**
 * struct chain - lvols, from the bottom to the top
 * @v: @n of them
 */
struct chain {
	struct lvw_vol **v;
	size_t n;
};

static int chain_of(struct lvw_vol *top, struct chain *c, struct lvs_error *err)
{
	struct lvw_vol *v;
	size_t i;

	c->n = 0;
	for (v = top; v; v = lvw_vol_parent(v))
		c->n++;
	c->v = calloc(c->n, sizeof(*c->v));
	if (!c->v)
		return no_memory(err);
	for (v = top, i = c->n; i--; v = lvw_vol_parent(v))
		c->v[i] = v;
	return 0;
}

/* ---- pin ---- */

static int pin_make(struct lvw_vol *v, bool top, struct lvw_vol **made, size_t *n,
		    struct lvs_error *err)
{
	char name[LVS_NAME_MAX];
	const struct lvw_vol_opts o = { .name = name };
	int rc;

	if (pin_of(v, top))
		return 0;
	if (!pin_name(name, lvw_vol_uuid(v), top))
		return lvs_err(err, -EOPNOTSUPP, "\"%s\" has no uuid to name its pin after",
			       lvw_vol_name(v));
	rc = lvw_vol_clone(v, &o, &made[*n], err);
	*n += !rc;
	return rc;
}

/* The mark of the uppermost comes last: what has it is pinned as a whole. */
static int pin_all(const struct chain *c, struct lvw_vol **made, size_t *n, struct lvs_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < c->n && !rc; i++)
		rc = pin_make(c->v[i], false, made, n, err);
	return rc ? rc : pin_make(c->v[c->n - 1], true, made, n, err);
}

int pin_chain(struct lvw_vol *top, size_t *made, struct lvs_error *err)
{
	struct lvw_vol **v;
	struct chain c;
	int rc;

	*made = 0;
	if (!lvw_vol_read_only(top))
		return lvs_err(err, -EROFS, "\"%s\" is writable: only a read-only lvol can be pinned",
			       lvw_vol_name(top));
	rc = chain_of(top, &c, err);
	if (rc)
		return rc;
	v = calloc(c.n + 1, sizeof(struct lvw_vol *));
	rc = v ? pin_all(&c, v, made, err) : no_memory(err);
	if (rc)
		while (*made && !lvw_vol_delete(v[*made - 1], NULL))
			--*made;
	free(v);
	free(c.v);
	return rc;
}

/* ---- release ---- */

static bool is_pin(const struct lvw_vol *v)
{
	return !strncmp(lvw_vol_name(v), PIN_PREFIX, strlen(PIN_PREFIX));
}

/* Is @v needed by a pinned lvol other than @above, or pinned for itself? */
static bool is_needed(struct lvw_vol *v, const struct lvw_vol *above)
{
	struct lvw_vol *c;

	if (pin_of(v, true))
		return true;
	for (size_t i = 0; (c = lvw_vol_at(v->w, i)); i++)
		if (c != above && lvw_vol_parent(c) == v && !is_pin(c) && pin_of(c, false))
			return true;
	return false;
}

static int check_unused(const struct lvw_vol *pin, struct lvs_error *err)
{
	if (!pin || (!lvw_vol_allocated(pin) && !lvw_vol_clones(pin)))
		return 0;
	return lvs_err(err, -EBUSY, "\"%s\", a pin, is in use: it was %s", lvw_vol_name(pin),
		       lvw_vol_clones(pin) ? "cloned" : "written to");
}

static int drop(struct lvw_vol *pin, size_t *gone, struct lvs_error *err)
{
	int rc = pin ? lvw_vol_delete(pin, err) : 0;

	*gone += pin && !rc;
	return rc;
}

/* The first in the chain, from the bottom, of which the pin is to go. */
static size_t first_to_go(const struct chain *c)
{
	size_t i = c->n - 1;

	/* what lies over the uppermost and is pinned needs all of it */
	for (size_t k = 0; lvw_vol_at(c->v[i]->w, k); k++) {
		struct lvw_vol *v = lvw_vol_at(c->v[i]->w, k);

		if (lvw_vol_parent(v) == c->v[i] && !is_pin(v) && pin_of(v, false))
			return c->n;
	}
	while (i && !is_needed(c->v[i - 1], c->v[i]))
		i--;
	return i;
}

/* The mark goes last, so that what was interrupted is done by the next run. */
static int release_all(const struct chain *c, size_t *gone, struct lvs_error *err)
{
	struct lvw_vol *top = c->v[c->n - 1];
	size_t first = first_to_go(c);
	int rc = check_unused(pin_of(top, true), err);

	for (size_t i = first; i < c->n && !rc; i++)
		rc = check_unused(pin_of(c->v[i], false), err);
	for (size_t i = first; i < c->n && !rc; i++)
		rc = drop(pin_of(c->v[i], false), gone, err);
	return rc ? rc : drop(pin_of(top, true), gone, err);
}

int pin_release(struct lvw_vol *top, size_t *gone, struct lvs_error *err)
{
	struct chain c;
	int rc = chain_of(top, &c, err);

	*gone = 0;
	if (rc)
		return rc;
	rc = release_all(&c, gone, err);
	free(c.v);
	return rc;
}

/* ---- looking ---- */

bool pin_holds(const struct lvs_lvol *l)
{
	char name[LVS_NAME_MAX];
	const struct lvs_lvol *c;

	if (!pin_name(name, lvs_lvol_uuid(l), false) || lvs_lvol_clones(l) < 2)
		return false;
	for (size_t i = 0; (c = lvs_lvol_clone_at(l, i)); i++)
		if (!strcmp(lvs_lvol_name(c), name))
			return true;
	return false;
}
