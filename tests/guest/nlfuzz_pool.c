// SPDX-License-Identifier: GPL-2.0-only
/* Requests about a pool that is there: what ybdctl does not ask, and others may. */
#include <fcntl.h>
#include <unistd.h>

#include "nl_pool.h"
#include "nlfuzz.h"

static int create(struct fuzz *f, int pool, const char *name, u32 flags, struct upper_info *u)
{
	struct upper_arg a = { .name = name, .image = "one", .pool = pool, .flags = flags };
	int ret = upper_create(&f->n, &a, u);

	if (ret)
		return ret;
	ktap_check(u->pool_id != 0, "no number of a pool");
	ktap_check(!strcmp(u->pool_name, "fuzz"), "pool \"%s\"", u->pool_name);
	return 0;
}

static void pools(struct fuzz *f, u32 nr, u32 users)
{
	struct pools_info p;
	int ret = pools_get(&f->n, &p);

	ktap_check(!ret && p.nr == nr && p.users == users,
		   "%d: %u pools with %u users, expected %u, %u", ret, p.nr, p.users, nr, users);
	ktap_check(!p.bad, "free segments");
}

static void expect(struct fuzz *f, int ret, int want, const char *text)
{
	ktap_check(ret == want, "%d \"%s\", expected %d", ret, f->n.text, want);
	if (text)
		ktap_check(!strcmp(f->n.text, text), "it says \"%s\"", f->n.text);
}

static void load_images(struct fuzz *f)
{
	static const char *const names[] = { "one", "two" };
	u8 identity[32] = { 0 };
	struct image_arg a = { .size = MIB, .identity = identity };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		a.name = names[i];
		identity[0] = i + 1;
		if (image_load(&f->n, &a))
			die("load %s: %s", names[i], f->n.text);
	}
}

static void life(struct fuzz *f, int pool)
{
	struct upper_info u = { 0 }, v = { 0 };

	pools(f, 0, 0);
	expect(f, create(f, pool, "per", YBD_UPPER_FLAGS_AUTOSTART, &u), 0, NULL);
	ktap_check(u.flags == YBD_UPPER_FLAGS_AUTOSTART && u.size == MIB, "flags %u", u.flags);
	pools(f, 1, 1);
	expect(f, create(f, pool, "per", 0, &v), -EEXIST, NULL);
	expect(f, create(f, pool, "per", YBD_UPPER_FLAGS_VOLATILE, &v), -EEXIST, NULL);
	expect(f, create(f, pool, "vol", YBD_UPPER_FLAGS_VOLATILE, &v), 0, NULL);
	ktap_check(v.flags == YBD_UPPER_FLAGS_VOLATILE, "flags %u", v.flags);
	ktap_check(memcmp(u.uuid, v.uuid, 16), "two uppers have one uuid");
	pools(f, 1, 2);
	ktap_done("a persistent and a volatile device in a pool");

	expect(f, upper_attach(&f->n, pool, u.uuid, "one", NULL), -EBUSY, "upper: it is attached");
	expect(f, upper_destroy(&f->n, pool, u.uuid), -EBUSY, "upper: it is attached");
	expect(f, upper_attach(&f->n, pool, v.uuid, "one", NULL), -ENOENT,
	       "upper-uuid: the pool has no such upper");
	expect(f, upper_destroy(&f->n, pool, v.uuid), -ENOENT, "upper-uuid: the pool has no such upper");
	pools(f, 1, 2);
	ktap_done("refused: what is attached, and what is volatile");

	expect(f, device_detach_flags(&f->n, "vol", 0), 0, NULL);
	expect(f, device_detach_flags(&f->n, "per", 0), 0, NULL);
	pools(f, 0, 0);
	expect(f, upper_attach(&f->n, pool, u.uuid, "two", NULL), -ESTALE,
	       "image: its identity is not that of the image the upper was made over");
	pools(f, 0, 0);
	expect(f, create(f, pool, "per", 0, &v), -EEXIST, NULL);
	pools(f, 0, 0);
	ktap_done("refused: another image, and the name of an upper that is detached");

	memset(&v, 0, sizeof(v));
	expect(f, upper_attach(&f->n, pool, u.uuid, "one", &v), 0, NULL);
	ktap_check(!memcmp(u.uuid, v.uuid, 16) && v.flags == u.flags && v.size == u.size,
		   "another upper");
	ktap_done("attach");

	expect(f, device_resize(&f->n, "per", 2 * MIB + 512, &v), -EINVAL, NULL);
	expect(f, device_resize(&f->n, "per", MIB / 2, &v), -EINVAL, NULL);
	expect(f, device_resize(&f->n, "per", 4 * MIB, &v), 0, NULL);
	ktap_check(v.size == 4 * MIB, "size %llu", (unsigned long long)v.size);
	expect(f, device_detach_flags(&f->n, "per", 0), 0, NULL);
	expect(f, upper_attach(&f->n, pool, u.uuid, "one", &v), 0, NULL);
	ktap_check(v.size == 4 * MIB, "size %llu", (unsigned long long)v.size);
	ktap_done("resize, and it lasts");

	expect(f, device_detach_flags(&f->n, "per", YBD_DETACH_FLAGS_DESTROY), 0, NULL);
	expect(f, upper_attach(&f->n, pool, u.uuid, "one", NULL), -ENOENT,
	       "upper-uuid: the pool has no such upper");
	expect(f, create(f, pool, "per", 0, &u), 0, NULL);
	expect(f, device_detach_flags(&f->n, "per", 0), 0, NULL);
	expect(f, upper_destroy(&f->n, pool, u.uuid), 0, NULL);
	expect(f, upper_destroy(&f->n, pool, u.uuid), -ENOENT, "upper-uuid: the pool has no such upper");
	pools(f, 0, 0);
	ktap_done("destroy: attached and not");
}

void test_pool(struct fuzz *f)
{
	int fd;

	if (!f->pool)
		return;
	load_images(f);
	fd = open(f->pool, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("%s: %m", f->pool);
	life(f, fd);
	close(fd);
	if (image_unload(&f->n, "one") || image_unload(&f->n, "two"))
		die("unload: %s", f->n.text);
}
