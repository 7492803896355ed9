// SPDX-License-Identifier: GPL-2.0-only
/*
 * ybd: layered lvols on NVMe as block devices with a copy-on-write upper.
 */
#include <linux/module.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>
#include <uapi/linux/ybd.h>

#include "device.h"
#include "io.h"
#include "netlink.h"
#include "pool.h"
#include "slow.h"
#include "upper_ram.h"
#include "ybd.h"

struct workqueue_struct *ybd_wq;
struct workqueue_struct *ybd_log_wq;
struct workqueue_struct *ybd_commit_wq;
struct workqueue_struct *ybd_resend_wq;
struct workqueue_struct *ybd_wait_wq;

static int __init ybd_init(void)
{
	int ret;

	ybd_wq = alloc_workqueue("ybd", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!ybd_wq)
		return -ENOMEM;
	ret = -ENOMEM;
	ybd_commit_wq = alloc_workqueue("ybd_commit", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!ybd_commit_wq)
		goto err_wq;
	ybd_log_wq = alloc_workqueue("ybd_log", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!ybd_log_wq)
		goto err_commit_wq;
	ybd_resend_wq = alloc_workqueue("ybd_resend", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!ybd_resend_wq)
		goto err_log_wq;
	ybd_wait_wq = alloc_workqueue("ybd_wait", WQ_UNBOUND, WQ_MAX_ACTIVE);
	if (!ybd_wait_wq)
		goto err_resend_wq;
	ret = ybd_ram_init();
	if (ret)
		goto err_wait_wq;
	ret = ybd_slow_init();
	if (ret)
		goto err_ram;
	ret = ybd_io_init();
	if (ret)
		goto err_slow;
	ret = ybd_pool_init();
	if (ret)
		goto err_io;
	ret = ybd_device_init();
	if (ret)
		goto err_pool;
	/* Last: from here on devices can be made. */
	ret = ybd_netlink_init();
	if (ret)
		goto err_device;
	return 0;

err_device:
	ybd_device_exit();
err_pool:
	ybd_pool_exit();
err_io:
	ybd_io_exit();
err_slow:
	ybd_slow_exit();
err_ram:
	ybd_ram_exit();
err_wait_wq:
	destroy_workqueue(ybd_wait_wq);
err_resend_wq:
	destroy_workqueue(ybd_resend_wq);
err_log_wq:
	destroy_workqueue(ybd_log_wq);
err_commit_wq:
	destroy_workqueue(ybd_commit_wq);
err_wq:
	destroy_workqueue(ybd_wq);
	return ret;
}

static void __exit ybd_exit(void)
{
	ybd_netlink_exit();
	ybd_device_exit();
	ybd_pool_exit();
	ybd_io_exit();
	ybd_slow_exit();
	ybd_ram_exit();
	destroy_workqueue(ybd_wait_wq);
	destroy_workqueue(ybd_resend_wq);
	destroy_workqueue(ybd_log_wq);
	destroy_workqueue(ybd_commit_wq);
	destroy_workqueue(ybd_wq);
}

module_init(ybd_init);
module_exit(ybd_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Layered SPDK lvols on NVMe as copy-on-write block devices");
MODULE_VERSION(YBD_VERSION);
MODULE_ALIAS_GENL_FAMILY(YBD_GENL_NAME);
