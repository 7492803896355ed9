/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef YBDCTL_HOTPLUG_H
#define YBDCTL_HOTPLUG_H

#include "types.h"

/**
 * hotplug_removed() - a disk has gone: tell of what stands on it
 * @disk: what it was called
 * @major: its number; the kernel gives it to no other while we hold on to it
 * @minor: .
 *
 * Return: an exit code.
 */
int hotplug_removed(const char *disk, u32 major, u32 minor);

/**
 * hotplug_returned() - hand in what took the place of disks that sources have lost
 *
 * One that is not what it was is told of and left alone. Return: an exit code.
 */
int hotplug_returned(void);

/**
 * hotplug_links() - have udev make the links that it has forgotten
 *
 * Waits for those that it is still to make, ten seconds at most; what is missing then
 * is told of. Does nothing in a program that udev runs, as that would wait for itself.
 */
void hotplug_links(void);

/* Is a block device of that number there? */
bool hotplug_disk_lives(u32 major, u32 minor);

#endif
