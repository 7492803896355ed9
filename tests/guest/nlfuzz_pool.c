// SPDX-License-Identifier: GPL-2.0-only
/* Requests about a pool that is there: what ybdctl does not ask, and others may. */
#include <fcntl.h>
#include <linux/ybd_format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nlfuzz.h"

static struct nlm m;

/**
 * struct upper - what an answer says of an upper
 * @id: of the device
 * @uuid: of the upper
 * @flags: of the upper
 * @size: of the device
 * @quota: of the upper
 */
struct upper {
	u32 id;
	u8 uuid[16];
	u32 flags;
	u64 size;
	u64 quota;
};

static void take_upper(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[YBD_A_DEVICE_MAX + 1];
	struct upper *u = arg;

	nlr_parse(h, tb, YBD_A_DEVICE_MAX);
	u->id = nla_u32v(tb[YBD_A_DEVICE_ID]);
	u->size = nla_u64v(tb[YBD_A_DEVICE_SIZE]);
	if (!tb[YBD_A_DEVICE_UPPER_UUID])
		return;
	memcpy(u->uuid, (const u8 *)tb[YBD_A_DEVICE_UPPER_UUID] + NLA_HDRLEN, 16);
	u->flags = nla_u32v(tb[YBD_A_DEVICE_UPPER_FLAGS]);
	u->quota = nla_u64v(tb[YBD_A_DEVICE_QUOTA]);
	ktap_check(nla_u32v(tb[YBD_A_DEVICE_POOL_ID]) != 0, "no number of a pool");
	ktap_check(!strcmp(nla_strv(tb[YBD_A_DEVICE_POOL_NAME]), "fuzz"), "pool \"%s\"",
		   nla_strv(tb[YBD_A_DEVICE_POOL_NAME]));
}

/* One plain file; nobody looks for it. */
static int layers_fd(void)
{
	struct {
		struct ybd_fmt_layer l;
		char text[8];
	} v = { .l = { .kind = YBD_FMT_LAYER_FILE, .len = sizeof(v), .size = MIB }, .text = "/none" };
	int fd = memfd_create("layers", MFD_CLOEXEC);

	if (fd < 0 || write(fd, &v, sizeof(v)) != sizeof(v))
		die("layers: %m");
	return fd;
}

static int create(struct fuzz *f, int pool, const char *name, u32 flags, struct upper *u)
{
	struct device_arg a = { .name = name, .image = "one" };
	int layers = layers_fd(), ret;

	device_msg(&m, &f->n, &a);
	nlm_u32(&m, YBD_A_DEVICE_UPPER, YBD_UPPER_KIND_POOL);
	nlm_u32(&m, YBD_A_DEVICE_POOL_FD, pool);
	nlm_u32(&m, YBD_A_DEVICE_UPPER_FLAGS, flags);
	if (!(flags & YBD_UPPER_FLAGS_VOLATILE))
		nlm_u32(&m, YBD_A_DEVICE_LAYERS_FD, layers);
	ret = nlr_call(&f->n, &m, take_upper, u);
	close(layers);
	return ret;
}

static int by_uuid(struct fuzz *f, u8 cmd, int pool, const u8 *uuid, const char *image,
		   struct upper *u)
{
	nlm_init(&m, &f->n, cmd, 0);
	nlm_u32(&m, YBD_A_DEVICE_POOL_FD, pool);
	nlm_put(&m, YBD_A_DEVICE_UPPER_UUID, uuid, 16);
	if (image)
		nlm_str(&m, YBD_A_DEVICE_IMAGE_NAME, image);
	return nlr_call(&f->n, &m, u ? take_upper : NULL, u);
}

static int attach(struct fuzz *f, int pool, const u8 *uuid, const char *image, struct upper *u)
{
	return by_uuid(f, YBD_CMD_DEVICE_ATTACH, pool, uuid, image, u);
}

static int destroy(struct fuzz *f, int pool, const u8 *uuid)
{
	return by_uuid(f, YBD_CMD_UPPER_DESTROY, pool, uuid, NULL, NULL);
}

static int detach(struct fuzz *f, const char *name, u32 flags)
{
	named_msg(&m, &f->n, YBD_CMD_DEVICE_DETACH, YBD_A_DEVICE_NAME, name);
	nlm_u32(&m, YBD_A_DEVICE_DETACH_FLAGS, flags);
	return nlr_call(&f->n, &m, NULL, NULL);
}

static int resize(struct fuzz *f, const char *name, u64 size, struct upper *u)
{
	named_msg(&m, &f->n, YBD_CMD_DEVICE_RESIZE, YBD_A_DEVICE_NAME, name);
	nlm_u64(&m, YBD_A_DEVICE_SIZE, size);
	return nlr_call(&f->n, &m, take_upper, u);
}

/* Pools that are in use; their users. */
static void take_pool(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[YBD_A_POOL_MAX + 1];
	u32 *v = arg;

	nlr_parse(h, tb, YBD_A_POOL_MAX);
	v[0]++;
	v[1] += nla_u32v(tb[YBD_A_POOL_USERS]);
	ktap_check(nla_u32v(tb[YBD_A_POOL_FREE_SEGMENTS]) <=
		   nla_u32v(tb[YBD_A_POOL_SEGMENTS]), "free segments");
}

static void pools(struct fuzz *f, u32 nr, u32 users)
{
	u32 v[2] = { 0 };
	int ret;

	nlm_init(&m, &f->n, YBD_CMD_POOL_GET, NLM_F_DUMP);
	ret = nlr_call(&f->n, &m, take_pool, v);
	ktap_check(!ret && v[0] == nr && v[1] == users, "%d: %u pools with %u users, expected %u, %u",
		   ret, v[0], v[1], nr, users);
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
	struct image_arg a = { .size = MIB };
	u8 identity[32] = { 0 };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		int map = map_fd(NULL, 0);

		a.name = names[i];
		identity[0] = i + 1;
		image_msg(&m, &f->n, &a, map);
		nlm_put(&m, YBD_A_IMAGE_IDENTITY, identity, sizeof(identity));
		if (nlr_call(&f->n, &m, NULL, NULL))
			die("load %s: %s", names[i], f->n.text);
		close(map);
	}
}

static void life(struct fuzz *f, int pool)
{
	struct upper u = { 0 }, v = { 0 };

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

	expect(f, attach(f, pool, u.uuid, "one", NULL), -EBUSY, "upper: it is attached");
	expect(f, destroy(f, pool, u.uuid), -EBUSY, "upper: it is attached");
	expect(f, attach(f, pool, v.uuid, "one", NULL), -ENOENT,
	       "upper-uuid: the pool has no such upper");
	expect(f, destroy(f, pool, v.uuid), -ENOENT, "upper-uuid: the pool has no such upper");
	pools(f, 1, 2);
	ktap_done("refused: what is attached, and what is volatile");

	expect(f, detach(f, "vol", 0), 0, NULL);
	expect(f, detach(f, "per", 0), 0, NULL);
	pools(f, 0, 0);
	expect(f, attach(f, pool, u.uuid, "two", NULL), -ESTALE,
	       "image: its identity is not that of the image the upper was made over");
	pools(f, 0, 0);
	expect(f, create(f, pool, "per", 0, &v), -EEXIST, NULL);
	pools(f, 0, 0);
	ktap_done("refused: another image, and the name of an upper that is detached");

	memset(&v, 0, sizeof(v));
	expect(f, attach(f, pool, u.uuid, "one", &v), 0, NULL);
	ktap_check(!memcmp(u.uuid, v.uuid, 16) && v.flags == u.flags && v.size == u.size,
		   "another upper");
	ktap_done("attach");

	expect(f, resize(f, "per", 2 * MIB + 512, &v), -EINVAL, NULL);
	expect(f, resize(f, "per", MIB / 2, &v), -EINVAL, NULL);
	expect(f, resize(f, "per", 4 * MIB, &v), 0, NULL);
	ktap_check(v.size == 4 * MIB, "size %llu", (unsigned long long)v.size);
	expect(f, detach(f, "per", 0), 0, NULL);
	expect(f, attach(f, pool, u.uuid, "one", &v), 0, NULL);
	ktap_check(v.size == 4 * MIB, "size %llu", (unsigned long long)v.size);
	ktap_done("resize, and it lasts");

	expect(f, detach(f, "per", YBD_DETACH_FLAGS_DESTROY), 0, NULL);
	expect(f, attach(f, pool, u.uuid, "one", NULL), -ENOENT,
	       "upper-uuid: the pool has no such upper");
	expect(f, create(f, pool, "per", 0, &u), 0, NULL);
	expect(f, detach(f, "per", 0), 0, NULL);
	expect(f, destroy(f, pool, u.uuid), 0, NULL);
	expect(f, destroy(f, pool, u.uuid), -ENOENT, "upper-uuid: the pool has no such upper");
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
