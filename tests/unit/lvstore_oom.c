// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each allocation in turn fails: lvstore_oom IMAGE-DIR
 *
 * Opening and flattening must then say -ENOMEM and lose nothing; LeakSanitizer watches.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ktap.h"
#include "lvstore_image.h"
#include "util.h"

/* allocations until one fails; 0: none does */
static unsigned long fail_at;
static bool failed;

static bool fail_now(void)
{
	if (!fail_at || --fail_at)
		return false;
	failed = true;
	return true;
}

/* The linker sends the library's calls to __wrap_, and __real_ is libc (--wrap). */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_reallocarray(void *p, size_t n, size_t m);
void *__real_aligned_alloc(size_t a, size_t n);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_reallocarray(void *p, size_t n, size_t m);
void *__wrap_aligned_alloc(size_t a, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);

void *__wrap_malloc(size_t n)
{
	return fail_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t m)
{
	return fail_now() ? NULL : __real_calloc(n, m);
}

void *__wrap_reallocarray(void *p, size_t n, size_t m)
{
	return fail_now() ? NULL : __real_reallocarray(p, n, m);
}

void *__wrap_aligned_alloc(size_t a, size_t n)
{
	return fail_now() ? NULL : __real_aligned_alloc(a, n);
}

char *__wrap_strdup(const char *s)
{
	return fail_now() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
	return fail_now() ? NULL : __real_strndup(s, n);
}

static int flatten_all(struct lvs_store *s)
{
	int rc = 0;

	for (size_t i = 0; i < lvs_lvols(s) && !rc; i++) {
		struct lvs_map m;

		rc = lvs_flatten(lvs_lvol_at(s, i), &m);
		if (!rc)
			lvs_map_free(&m);
	}
	return rc;
}

static int open_and_flatten(const struct image *im)
{
	struct lvs_store *s;
	struct lvs_error err;
	struct lvs_io *io;
	int rc = lvs_io_open_mem(im->mem, im->len, &io);

	if (rc)
		return rc;
	rc = lvs_open_io(io, &s, &err);
	if (rc) {
		ktap_check(err.code == rc && *err.text, "an error without a text");
		return rc;
	}
	rc = flatten_all(s);
	lvs_close(s);
	return rc;
}

static void each_allocation(const char *dir, const char *name)
{
	unsigned long n = 1;
	struct image im;
	int rc;

	image_load(&im, dir, name);
	for (; ; n++) {
		failed = false;
		fail_at = n;
		rc = open_and_flatten(&im);
		fail_at = 0;
		if (!failed)
			break;
		ktap_check(rc == -ENOMEM, "allocation %lu fails: %d", n, rc);
	}
	ktap_check(!rc, "nothing fails: %d", rc);
	printf("# %lu allocations\n", n - 1);
	image_free(&im);
	ktap_done("lvstore out of memory: %s", name);
}

int main(int argc, char **argv)
{
	static const char *const images[] = {
		"chain5", "esnap", "rle", "unclean-snapdelete-02", "xattrs",
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s IMAGE-DIR\n", argv[0]);
		return 2;
	}
	ktap_plan(ARRAY_SIZE(images));
	for (size_t i = 0; i < ARRAY_SIZE(images); i++)
		each_allocation(argv[1], images[i]);
	return ktap_exit();
}
