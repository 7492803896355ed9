// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "detach.h"

/* There while udev has events to work on; what libudev looks at too. */
#define UDEV_QUEUE "/run/udev/queue"

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

u64 ybd_detach_deadline(void)
{
	return now_ms() + YBD_DETACH_WAIT_MS;
}

/* Sleep a little if udev has something to do; false when there is no point. */
static bool wait_for_udev(u64 deadline)
{
	const struct timespec ts = { .tv_nsec = 10 * 1000000 };

	if (access(UDEV_QUEUE, F_OK) || now_ms() >= deadline)
		return false;
	nanosleep(&ts, NULL);
	return true;
}

int ybd_detach(struct ybd_nl *nl, const char *name, u32 flags, u64 deadline,
	       struct ybd_error *err)
{
	bool again = !(flags & YBD_DETACH_FLAGS_FORCE);
	int rc = ybd_nl_device_detach(nl, name, flags, err);

	/* udev may have closed it between the refusal and the look at the queue */
	while (rc == -EBUSY && again) {
		again = wait_for_udev(deadline);
		rc = ybd_nl_device_detach(nl, name, flags, err);
	}
	if (!rc && err)
		err->code = 0;
	return rc;
}
