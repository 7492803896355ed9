// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "journal.h"
#include "util.h"

static bool send_journal(int prio, const char *event, const char *text)
{
	int fd __cleanup_fd = -1;
	const struct sockaddr_un to = { AF_UNIX, "/run/systemd/journal/socket" };
	char buf[1536];
	int n;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	n = snprintf(buf, sizeof(buf),
		     "PRIORITY=%d\nSYSLOG_IDENTIFIER=ybdctl\nYBD_EVENT=%s\nMESSAGE=%s\n",
		     prio, event, text);
	return sendto(fd, buf, n, MSG_NOSIGNAL, (const void *)&to, sizeof(to)) == n;
}

static void send_kmsg(int prio, const char *text)
{
	int fd __cleanup_fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		dprintf(fd, "<%d>ybdctl: %s\n", prio, text);
}

void ybd_journal(int prio, const char *event, const char *fmt, ...)
{
	char text[1024], *c;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* a name may have any bytes, and a newline would begin another field */
	for (c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
	if (!send_journal(prio, event, text))
		send_kmsg(prio, text);
}
