// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/block/ybdN/ybd/: what udev needs. See Documentation/ABI/sysfs-block-ybd.
 */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "device.h"
#include "image.h"

static struct ybd_device *to_ybd(struct device *dev)
{
	return dev_to_disk(dev)->private_data;
}

static ssize_t name_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", to_ybd(dev)->name);
}
static DEVICE_ATTR_RO(name);

static ssize_t image_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", to_ybd(dev)->image->name);
}
static DEVICE_ATTR_RO(image);

static struct attribute *ybd_attrs[] = {
	&dev_attr_name.attr,
	&dev_attr_image.attr,
	NULL,
};

static const struct attribute_group ybd_group = {
	.name = "ybd",
	.attrs = ybd_attrs,
};

const struct attribute_group *ybd_device_groups[] = {
	&ybd_group,
	NULL,
};
