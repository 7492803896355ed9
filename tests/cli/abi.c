// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded to ybdctl: makes it say that it is of another ABI, to see how the
 * module's refusal reaches the user.
 */
#include <dlfcn.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/ybd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

struct info_get {
	struct nlmsghdr h;
	struct genlmsghdr g;
	struct nlattr abi;
	__u32 value;
};

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	ssize_t (*next)(int fd, const void *buf, size_t len, int flags);
	struct info_get m;
	void *fn = dlsym(RTLD_NEXT, "send");

	memcpy(&next, &fn, sizeof(fn));
	if (len != sizeof(m))
		return next(fd, buf, len, flags);
	memcpy(&m, buf, sizeof(m));
	if (m.h.nlmsg_type > GENL_ID_CTRL && m.g.cmd == YBD_CMD_INFO_GET)
		m.value += 1000;
	return next(fd, &m, sizeof(m), flags);
}
