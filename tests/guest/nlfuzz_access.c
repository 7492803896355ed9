// SPDX-License-Identifier: GPL-2.0-only
/* Who may ask, what dumps show while things change, and what events tell. */
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nlfuzz.h"

static struct nlm m;

/* -------- permissions -------- */

static const struct {
	const char *name;
	u8 cmd;
	u16 flags;
} requests[] = {
	{ "info-get", YBD_CMD_INFO_GET, 0 },
	{ "source-get", YBD_CMD_SOURCE_GET, 0 },
	{ "source-get dump", YBD_CMD_SOURCE_GET, NLM_F_DUMP },
	{ "image-load", YBD_CMD_IMAGE_LOAD, 0 },
	{ "image-unload", YBD_CMD_IMAGE_UNLOAD, 0 },
	{ "image-get", YBD_CMD_IMAGE_GET, 0 },
	{ "image-get dump", YBD_CMD_IMAGE_GET, NLM_F_DUMP },
	{ "device-create", YBD_CMD_DEVICE_CREATE, 0 },
	{ "device-detach", YBD_CMD_DEVICE_DETACH, 0 },
	{ "device-get", YBD_CMD_DEVICE_GET, 0 },
	{ "device-get dump", YBD_CMD_DEVICE_GET, NLM_F_DUMP },
	{ "device-attach", YBD_CMD_DEVICE_ATTACH, 0 },
	{ "device-resize", YBD_CMD_DEVICE_RESIZE, 0 },
	{ "upper-destroy", YBD_CMD_UPPER_DESTROY, 0 },
	{ "pool-get", YBD_CMD_POOL_GET, 0 },
	{ "pool-get dump", YBD_CMD_POOL_GET, NLM_F_DUMP },
};

/* A request that root would get through. */
static void make_request(const struct fuzz *f, unsigned int i)
{
	struct image_arg image = {
		.name = "new", .size = MIB, .ext = good_map, .nr = 2, .fds = f->fd, .nr_fds = 1,
	};
	struct device_arg dev = { .name = "new", .image = "base" };
	static const u8 uuid[16] = { 1 };
	size_t nest;

	nlm_init(&m, &f->n, requests[i].cmd, requests[i].flags);
	if (requests[i].flags)
		return;
	switch (requests[i].cmd) {
	case YBD_CMD_SOURCE_GET:
		nest = nlm_nest(&m, YBD_A_SOURCES_SOURCE);
		nlm_u32(&m, YBD_A_SOURCE_ID, 1);
		nlm_end(&m, nest);
		break;
	case YBD_CMD_IMAGE_LOAD:
		image_msg(&m, &f->n, &image, map_fd(good_map, 2));
		break;
	case YBD_CMD_DEVICE_CREATE:
		device_msg(&m, &f->n, &dev);
		break;
	case YBD_CMD_IMAGE_UNLOAD:
		nlm_str(&m, YBD_A_IMAGE_NAME, "spare");
		break;
	case YBD_CMD_IMAGE_GET:
		nlm_str(&m, YBD_A_IMAGE_NAME, "base");
		break;
	case YBD_CMD_DEVICE_RESIZE:
		nlm_u64(&m, YBD_A_DEVICE_SIZE, 2 * MIB);
		/* fall through */
	case YBD_CMD_DEVICE_DETACH:
	case YBD_CMD_DEVICE_GET:
		nlm_str(&m, YBD_A_DEVICE_NAME, "rw");
		break;
	case YBD_CMD_DEVICE_ATTACH:
		nlm_str(&m, YBD_A_DEVICE_IMAGE_NAME, "base");
		/* fall through */
	case YBD_CMD_UPPER_DESTROY:
		nlm_u32(&m, YBD_A_DEVICE_POOL_FD, f->fd[0]);
		nlm_put(&m, YBD_A_DEVICE_UPPER_UUID, uuid, sizeof(uuid));
		break;
	case YBD_CMD_POOL_GET:
		nlm_u32(&m, YBD_A_POOL_ID, 1);
		break;
	}
}

static void keep_caps(u64 mask)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];
	int i;

	for (i = 0; i < 2; i++)
		d[i].effective = d[i].permitted = mask >> 32 * i;
	d[0].inheritable = d[1].inheritable = 0;
	if (syscall(SYS_capset, &h, d))
		_exit(100);
}

enum who { WHO_NOBODY, WHO_NET_ADMIN, WHO_SYS_ADMIN, WHO_OLD_SOCKET, WHO_NETNS, WHO_USERNS,
	WHO_USERNS_OLD, WHO_BOTH, NR_WHO };

static const struct {
	const char *name;
	const char *text;	/* what the module says, where it is asked */
	int want;
	int join;		/* answer to joining the group of events */
} whos[] = {
	[WHO_NOBODY] = { "without capabilities", NULL, -EPERM, -EPERM },
	[WHO_NET_ADMIN] = { "with CAP_NET_ADMIN alone",
		"CAP_SYS_ADMIN in the initial user namespace is needed", -EPERM, -EPERM },
	[WHO_SYS_ADMIN] = { "with CAP_SYS_ADMIN alone", NULL, -EPERM, 0 },
	[WHO_OLD_SOCKET] = { "with CAP_NET_ADMIN alone, on root's socket",
		"CAP_SYS_ADMIN in the initial user namespace is needed", -EPERM, 0 },
	[WHO_NETNS] = { "root of another network namespace", NULL, -ENOENT, 0 },
	[WHO_USERNS] = { "root of another user namespace", NULL, -EPERM, -EPERM },
	[WHO_USERNS_OLD] = { "root of another user namespace, on root's socket", NULL,
		-EPERM, -EPERM },
	[WHO_BOTH] = { "root of other user and network namespaces", NULL, -ENOENT, 0 },
};

/* In a child of its own: become @who, with a socket to match. */
static void become(struct fuzz *f, enum who who)
{
	u16 family = f->n.family;
	u32 events = f->n.events;

	switch (who) {
	case WHO_NOBODY:
		keep_caps(0);
		break;
	case WHO_NET_ADMIN:
	case WHO_OLD_SOCKET:
		keep_caps(1ULL << CAP_NET_ADMIN);
		break;
	case WHO_SYS_ADMIN:
		keep_caps(1ULL << CAP_SYS_ADMIN);
		break;
	case WHO_NETNS:
		if (unshare(CLONE_NEWNET))
			_exit(101);
		break;
	case WHO_USERNS:
	case WHO_USERNS_OLD:
		if (unshare(CLONE_NEWUSER))
			_exit(101);
		break;
	default:
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
			_exit(101);
	}
	if (who == WHO_OLD_SOCKET || who == WHO_USERNS_OLD)
		return;
	nlr_open(&f->n);
	/* The family is hidden in other namespaces; its number is no secret. */
	f->n.family = family;
	f->n.events = events;
}

/* Exit status of the child: 0, or 1 + the request that was answered wrongly. */
static int ask_as(struct fuzz *f, enum who who)
{
	unsigned int i;
	int ret;

	become(f, who);
	for (i = 0; i < ARRAY_LEN(requests); i++) {
		make_request(f, i);
		ret = nlr_call(&f->n, &m, NULL, NULL);
		if (ret != whos[who].want ||
		    (whos[who].text && strcmp(f->n.text, whos[who].text))) {
			printf("# %s: %d \"%s\"\n", requests[i].name, ret, f->n.text);
			fflush(stdout);
			return 1 + i;
		}
	}
	ret = nlr_listen(&f->n);
	if (whos[who].join && ret != whos[who].join) {
		printf("# joining the group: %d\n", ret);
		fflush(stdout);
		return 90;
	}
	return 0;
}

static void check_who(struct fuzz *f, enum who who)
{
	struct state before, after;
	int status = 0;
	pid_t pid;

	state_read(&f->n, &before);
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(ask_as(f, who));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("fork: %m");
	state_read(&f->n, &after);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 101) {
		printf("ok %u - refused: %s # SKIP no such namespaces\n", ++ktap.n, whos[who].name);
		goto out;
	}
	ktap_check(WIFEXITED(status) && !WEXITSTATUS(status), "%s: status %#x",
		   WIFEXITED(status) && WEXITSTATUS(status) - 1 < (int)ARRAY_LEN(requests) &&
		   WEXITSTATUS(status) ? requests[WEXITSTATUS(status) - 1].name : "it", status);
	ktap_check(state_same(&before, &after), "something changed");
	ktap_done("refused: %s", whos[who].name);
out:
	state_free(&before);
	state_free(&after);
}

void test_permissions(struct fuzz *f)
{
	struct image_arg spare = { .name = "spare", .size = MIB };
	enum who who;

	fuzz_setup(f);
	if (image_load(&f->n, &spare))
		die("load: %s", f->n.text);
	for (who = 0; who < NR_WHO; who++)
		check_who(f, who);
	image_unload(&f->n, "spare");
	fuzz_teardown(f);
}

/* -------- dumps while things change -------- */

#define STEADY		150
#define DUMPS		40

static void churn(struct fuzz *f)
{
	struct device_arg a = { .image = "base" };
	char name[32];
	unsigned int i;

	if (nlr_open(&f->n))
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (i = 0;; i = (i + 1) % 8) {
		snprintf(name, sizeof(name), "churn%u", i);
		a.name = name;
		if (device_create(&f->n, &a, NULL) || device_detach(&f->n, name, true))
			_exit(1);
	}
}

struct seen {
	unsigned int times[STEADY];
};

static void see_device(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[YBD_A_DEVICE_MAX + 1];
	struct seen *seen = arg;
	unsigned int i;

	nlr_parse(h, tb, YBD_A_DEVICE_MAX);
	if (sscanf(nla_strv(tb[YBD_A_DEVICE_NAME]), "steady%u", &i) == 1 && i < STEADY)
		seen->times[i]++;
}

static void see_image(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[YBD_A_IMAGE_MAX + 1];
	struct seen *seen = arg;
	unsigned int i;

	nlr_parse(h, tb, YBD_A_IMAGE_MAX);
	if (sscanf(nla_strv(tb[YBD_A_IMAGE_NAME]), "steady%u", &i) == 1 && i < STEADY)
		seen->times[i]++;
}

static void check_dumps(struct fuzz *f, u8 cmd, nlr_fn fn, const char *what)
{
	unsigned int i, d, interrupted = 0;

	for (d = 0; d < DUMPS; d++) {
		struct seen seen = { 0 };
		int ret;

		nlm_init(&m, &f->n, cmd, NLM_F_DUMP);
		ret = nlr_call(&f->n, &m, fn, &seen);
		ktap_check(!ret, "dump %u: %d", d, ret);
		interrupted += f->n.intr;
		for (i = 0; i < STEADY; i++)
			ktap_check(seen.times[i] == 1, "dump %u: steady%u seen %u times", d, i,
				   seen.times[i]);
	}
	printf("# %u of %u dumps said that something had changed\n", interrupted, DUMPS);
	ktap_done("dumps of %s: what stays is in them once", what);
}

/* More than fits one message: a dump of it must still be whole. */
static void check_large(struct fuzz *f)
{
	struct image_arg a = { .name = "large", .size = MIB, .ext = good_map, .nr = 2,
		.nr_fds = 255 };
	struct state s;
	const char *bad;
	int fds[255], i;

	for (i = 0; i < 255; i++)
		fds[i] = f->fd[0];
	a.fds = fds;
	i = image_load(&f->n, &a);
	ktap_check(!i, "load: %d (%s)", i, f->n.text);
	named_msg(&m, &f->n, YBD_CMD_IMAGE_GET, YBD_A_IMAGE_NAME, "large");
	i = nlr_call(&f->n, &m, NULL, NULL);
	ktap_check(!i, "get: %d", i);
	bad = state_read(&f->n, &s);
	ktap_check(!bad, "%s", bad);
	state_free(&s);
	i = image_unload(&f->n, "large");
	ktap_check(!i, "unload: %d", i);
	ktap_done("an image of 255 sources is shown, alone and in dumps");
}

void test_dumps(struct fuzz *f)
{
	struct device_arg dev = { .image = "base" };
	struct image_arg image = { .size = MIB };
	unsigned int i;
	char name[32];
	pid_t pid;
	int status;

	fuzz_setup(f);
	check_large(f);
	dev.name = image.name = name;
	for (i = 0; i < STEADY; i++) {
		snprintf(name, sizeof(name), "steady%u", i);
		if (device_create(&f->n, &dev, NULL) || image_load(&f->n, &image))
			die("%s: %s", name, f->n.text);
	}
	fflush(stdout);
	pid = fork();
	if (!pid)
		churn(f);
	check_dumps(f, YBD_CMD_DEVICE_GET, see_device, "devices");
	check_dumps(f, YBD_CMD_IMAGE_GET, see_image, "images");
	ktap_check(!waitpid(pid, &status, WNOHANG), "the other client failed");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	for (i = 0; i < STEADY; i++) {
		snprintf(name, sizeof(name), "steady%u", i);
		ktap_check(!device_detach(&f->n, name, false) && !image_unload(&f->n, name),
			   "%s: %s", name, f->n.text);
	}
	for (i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "churn%u", i);
		device_detach(&f->n, name, true);
	}
	ktap_done("all of them go");
	fuzz_teardown(f);
}

/* -------- events -------- */

static bool expect_event(struct nlr *n, u8 cmd, u16 attr, const char *name)
{
	static u8 buf[64 * 1024] __attribute__((aligned(8)));
	const struct nlmsghdr *h = (const struct nlmsghdr *)buf;
	const struct genlmsghdr *g = NLMSG_DATA(h);
	const struct nlattr *tb[32];
	ssize_t got = recv(n->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (got < 0) {
		ktap_fail("no event %u: %m", cmd);
		return false;
	}
	nlr_parse(h, tb, 31);
	ktap_check(g->cmd == cmd && tb[attr] && !strcmp(nla_strv(tb[attr]), name),
		   "event %u of %s, expected %u of %s", g->cmd,
		   tb[attr] ? nla_strv(tb[attr]) : "nothing", cmd, name);
	return true;
}

void test_events(struct fuzz *f)
{
	struct image_arg image = { .name = "ev-image", .size = MIB };
	struct device_arg dev = { .name = "ev-dev", .image = "ev-image", .ram = MIB };
	struct nlr n;
	u8 byte;

	if (nlr_open(&n) || nlr_listen(&n))
		die("listen: %m");
	if (image_load(&f->n, &image) || device_create(&f->n, &dev, NULL))
		die("%s", f->n.text);
	named_msg(&m, &f->n, YBD_CMD_DEVICE_RESIZE, YBD_A_DEVICE_NAME, "ev-dev");
	nlm_u64(&m, YBD_A_DEVICE_SIZE, 2 * MIB);
	if (nlr_call(&f->n, &m, NULL, NULL))
		die("resize: %s", f->n.text);
	/* What is refused is no event. */
	device_create(&f->n, &dev, NULL);
	image_unload(&f->n, "ev-image");
	if (device_detach(&f->n, "ev-dev", true) || image_unload(&f->n, "ev-image"))
		die("%s", f->n.text);
	expect_event(&n, YBD_CMD_IMAGE_LOADED_NTF, YBD_A_IMAGE_NAME, "ev-image");
	expect_event(&n, YBD_CMD_DEVICE_CREATED_NTF, YBD_A_DEVICE_NAME, "ev-dev");
	expect_event(&n, YBD_CMD_DEVICE_CHANGED_NTF, YBD_A_DEVICE_NAME, "ev-dev");
	expect_event(&n, YBD_CMD_DEVICE_DETACHED_NTF, YBD_A_DEVICE_NAME, "ev-dev");
	expect_event(&n, YBD_CMD_IMAGE_UNLOADED_NTF, YBD_A_IMAGE_NAME, "ev-image");
	ktap_check(recv(n.fd, &byte, 1, MSG_DONTWAIT) < 0, "there are more events");
	nlr_close(&n);
	ktap_done("events: load, create, resize, detach, unload, once each");
}
