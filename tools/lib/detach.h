/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Removing a device that udev may still be looking at.
 *
 * udev opens and locks the node of every new block device for as long as its
 * rules run. Somebody who makes a device and removes it at once would find it
 * open.
 */
#ifndef YBD_LIB_DETACH_H
#define YBD_LIB_DETACH_H

#include "nl.h"

/* How long udev is waited for. Under load it has work all the time. */
#define YBD_DETACH_WAIT_MS 5000

/* The end of that time when it begins now. */
u64 ybd_detach_deadline(void);

/**
 * ybd_detach() - remove a device
 * @nl: the kernel
 * @name: of the device
 * @flags: of enum ybd_detach_flags
 * @deadline: until when udev is waited for; several devices can share one
 * @err: why not
 *
 * One that is open is tried again as long as udev has something to do, and once
 * more when it is done. Without udev, or when it is idle, there is no waiting,
 * and there is none for a forced detach.
 *
 * Return: 0; -EBUSY when it is open, -ENODEV when there is none of the name.
 */
int ybd_detach(struct ybd_nl *nl, const char *name, u32 flags, u64 deadline,
	       struct ybd_error *err);

#endif
