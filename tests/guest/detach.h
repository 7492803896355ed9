/* SPDX-License-Identifier: GPL-2.0-only */
/* udev opens every new disk for an instant, to lock it. Not for ever. */
#ifndef YBD_TEST_DETACH_H
#define YBD_TEST_DETACH_H

#include <unistd.h>

#include "nl.h"

static inline int detach(struct ybd_nl *nl, const char *name, struct ybd_error *err)
{
	int tries, rc = -EBUSY;

	for (tries = 0; rc == -EBUSY && tries < 1000; tries++) {
		if (tries)
			usleep(10000);
		rc = ybd_nl_device_detach(nl, name, 0, err);
	}
	return rc;
}

#endif
