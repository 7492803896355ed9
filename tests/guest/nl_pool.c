// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ybd_format.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit/ktap.h"
#include "nl_pool.h"

static struct nlm *scratch(void)
{
	static __thread struct nlm m;

	return &m;
}

static void take_upper(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[YBD_A_DEVICE_MAX + 1];
	struct upper_info *u = arg;

	nlr_parse(h, tb, YBD_A_DEVICE_MAX);
	u->id = nla_u32v(tb[YBD_A_DEVICE_ID]);
	u->size = nla_u64v(tb[YBD_A_DEVICE_SIZE]);
	if (!tb[YBD_A_DEVICE_UPPER_UUID])
		return;
	memcpy(u->uuid, (const u8 *)tb[YBD_A_DEVICE_UPPER_UUID] + NLA_HDRLEN, 16);
	u->flags = nla_u32v(tb[YBD_A_DEVICE_UPPER_FLAGS]);
	u->quota = nla_u64v(tb[YBD_A_DEVICE_QUOTA]);
	u->pool_id = nla_u32v(tb[YBD_A_DEVICE_POOL_ID]);
	snprintf(u->pool_name, sizeof(u->pool_name), "%s",
		 nla_strv(tb[YBD_A_DEVICE_POOL_NAME]));
}

static int call_upper(struct nlr *n, struct upper_info *u)
{
	return nlr_call(n, scratch(), u ? take_upper : NULL, u);
}

int layers_fd(void)
{
	struct {
		struct ybd_fmt_layer l;
		char text[8];
	} v = { .l = { .kind = YBD_FMT_LAYER_FILE, .len = sizeof(v), .size = 1 << 20 },
		.text = "/none" };
	int fd = memfd_create("layers", MFD_CLOEXEC);

	if (fd < 0 || write(fd, &v, sizeof(v)) != sizeof(v))
		die("layers: %m");
	return fd;
}

void upper_create_msg(struct nlm *m, const struct nlr *n, const struct upper_arg *a, int layers)
{
	struct device_arg d = { .name = a->name, .image = a->image };

	device_msg(m, n, &d);
	nlm_u32(m, YBD_A_DEVICE_UPPER, YBD_UPPER_KIND_POOL);
	nlm_u32(m, YBD_A_DEVICE_POOL_FD, a->pool);
	nlm_u32(m, YBD_A_DEVICE_UPPER_FLAGS, a->flags);
	if (a->size)
		nlm_u64(m, YBD_A_DEVICE_SIZE, a->size);
	if (a->quota)
		nlm_u64(m, YBD_A_DEVICE_QUOTA, a->quota);
	if (a->reserve)
		nlm_u64(m, YBD_A_DEVICE_RESERVE, a->reserve);
	if (layers >= 0)
		nlm_u32(m, YBD_A_DEVICE_LAYERS_FD, layers);
}

void upper_msg(struct nlm *m, const struct nlr *n, u8 cmd, int pool, const u8 *uuid,
	       const char *image)
{
	nlm_init(m, n, cmd, 0);
	nlm_u32(m, YBD_A_DEVICE_POOL_FD, pool);
	nlm_put(m, YBD_A_DEVICE_UPPER_UUID, uuid, 16);
	if (image)
		nlm_str(m, YBD_A_DEVICE_IMAGE_NAME, image);
}

void resize_msg(struct nlm *m, const struct nlr *n, const char *name, u64 size)
{
	named_msg(m, n, YBD_CMD_DEVICE_RESIZE, YBD_A_DEVICE_NAME, name);
	nlm_u64(m, YBD_A_DEVICE_SIZE, size);
}

void detach_msg(struct nlm *m, const struct nlr *n, const char *name, u32 flags)
{
	named_msg(m, n, YBD_CMD_DEVICE_DETACH, YBD_A_DEVICE_NAME, name);
	nlm_u32(m, YBD_A_DEVICE_DETACH_FLAGS, flags);
}

int upper_create(struct nlr *n, const struct upper_arg *a, struct upper_info *u)
{
	int layers = a->flags & YBD_UPPER_FLAGS_VOLATILE ? -1 : layers_fd(), ret;

	upper_create_msg(scratch(), n, a, layers);
	ret = call_upper(n, u);
	if (layers >= 0)
		close(layers);
	return ret;
}

int upper_attach(struct nlr *n, int pool, const u8 *uuid, const char *image,
		 struct upper_info *u)
{
	upper_msg(scratch(), n, YBD_CMD_DEVICE_ATTACH, pool, uuid, image);
	return call_upper(n, u);
}

int upper_destroy(struct nlr *n, int pool, const u8 *uuid)
{
	upper_msg(scratch(), n, YBD_CMD_UPPER_DESTROY, pool, uuid, NULL);
	return call_upper(n, NULL);
}

int device_resize(struct nlr *n, const char *name, u64 size, struct upper_info *u)
{
	resize_msg(scratch(), n, name, size);
	return call_upper(n, u);
}

int device_detach_flags(struct nlr *n, const char *name, u32 flags)
{
	detach_msg(scratch(), n, name, flags);
	return call_upper(n, NULL);
}

static void take_pool(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[YBD_A_POOL_MAX + 1];
	struct pools_info *p = arg;

	nlr_parse(h, tb, YBD_A_POOL_MAX);
	p->nr++;
	p->users += nla_u32v(tb[YBD_A_POOL_USERS]);
	p->bad += nla_u32v(tb[YBD_A_POOL_FREE_SEGMENTS]) > nla_u32v(tb[YBD_A_POOL_SEGMENTS]);
}

int pools_get(struct nlr *n, struct pools_info *p)
{
	memset(p, 0, sizeof(*p));
	nlm_init(scratch(), n, YBD_CMD_POOL_GET, NLM_F_DUMP);
	return nlr_call(n, scratch(), take_pool, p);
}

static unsigned int openers_said;
static char opener[256];

void say_openers(const struct nlr *n)
{
	/* the kernel's count first: what takes a moment may be over then */
	FILE *f = popen("ybdctl list; ls -l /proc/[0-9]*/fd 2>/dev/null | grep /dev/ybd; ps axo pid,ppid,comm",
			"r");
	char line[256];

	if (!openers_said++)
		snprintf(opener, sizeof(opener), "%s", n->text);
	printf("# detach: %s\n", n->text);
	while (f && fgets(line, sizeof(line), f)) {
		printf("# %s", line);
		if (openers_said == 1 && strstr(line, "-> /dev/ybd"))
			snprintf(opener, sizeof(opener), "%.*s", (int)strcspn(line, "\n"), line);
	}
	if (f)
		pclose(f);
}

void openers_done(void)
{
	if (openers_said)
		printf("ok %u - nobody had a device open # SKIP but %u times, for a moment: %s\n",
		       ++ktap.n, openers_said, opener);
	else
		ktap_done("nobody had a device open");
}
