/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The NVMe namespaces of this host and what they are known by. All of it is
 * in sysfs: no library, no ioctl and no privilege is needed to look.
 */
#ifndef YBD_LIB_NVME_H
#define YBD_LIB_NVME_H

#include "error.h"

/**
 * struct ybd_nvme_ctrl - a controller, one of the paths to a namespace
 * @name: nvmeN
 * @transport: pcie, tcp, rdma, loop, fc
 * @address: as the kernel shows it
 * @state: live, connecting, resetting, deleting, dead, new
 * @hold: see ybd_nvme_hold()
 */
struct ybd_nvme_ctrl {
	char name[16];
	char transport[16];
	char address[256];
	char state[32];
	u32 hold;
};

#define YBD_NVME_FOREVER UINT32_MAX

/**
 * struct ybd_nvme_ns - a namespace
 * @disk: its block device; with native multipath the head, never a path
 * @nqn: of its subsystem
 * @model: of its subsystem
 * @serial: of its subsystem
 * @nsid: its number in the subsystem
 * @uuid: as text; "" for none
 * @nguid: 32 hexadecimal digits; "" for none
 * @eui: 16 hexadecimal digits; "" for none
 * @size: bytes
 * @lba_size: bytes
 * @read_only: the kernel would not write to it
 * @multipath: @disk is a head
 * @removal_delay: seconds for which a head outlives its last path
 * @ctrls: @nr_ctrls paths; freed with the list
 */
struct ybd_nvme_ns {
	char disk[32];
	char nqn[256];
	char model[64];
	char serial[32];
	u32 nsid;
	char uuid[37];
	char nguid[33];
	char eui[17];
	u64 size;
	u32 lba_size;
	bool read_only;
	bool multipath;
	u32 removal_delay;
	struct ybd_nvme_ctrl *ctrls;
	size_t nr_ctrls;
};

/* struct ybd_nvme_list - all namespaces, by name; @v: @n of them */
struct ybd_nvme_list {
	struct ybd_nvme_ns *v;
	size_t n;
};

/**
 * ybd_nvme_list() - the namespaces that are there now
 * @sysfs: where sysfs is; NULL for /sys
 * @out: the list; to be freed
 *
 * Return: 0, also when there are none, or -ENOMEM.
 */
int ybd_nvme_list(const char *sysfs, struct ybd_nvme_list *out);
void ybd_nvme_list_free(struct ybd_nvme_list *list);

/**
 * ybd_nvme_get() - what is known of one disk
 * @sysfs: where sysfs is; NULL for /sys
 * @disk: its kernel name
 * @out: @out->ctrls is to be freed
 *
 * Return: 0; -ENODEV when it is no namespace; -ENOMEM.
 */
int ybd_nvme_get(const char *sysfs, const char *disk, struct ybd_nvme_ns *out);

/*
 * For how many seconds the driver may keep I/O when the namespace does not
 * answer, before it fails: on PCIe the time for an abort and the time for a
 * reset, on fabrics the time to notice and then that until which the controller
 * fails I/O or is given up. With several paths it is that of the slowest.
 * YBD_NVME_FOREVER where nothing ends it.
 */
u32 ybd_nvme_hold(const struct ybd_nvme_ns *ns);

#define YBD_NVME_ID_LEN 64
/*
 * The best it is known by: "uuid:...", else "nguid:...", else "eui:...", else
 * "path:/dev/...".
 */
const char *ybd_nvme_id(const struct ybd_nvme_ns *ns, char buf[YBD_NVME_ID_LEN]);

/*
 * Is it the one that "uuid:...", "nguid:..." or "eui:..." names? Dashes and
 * case do not matter.
 */
bool ybd_nvme_matches(const struct ybd_nvme_ns *ns, const char *id);

/**
 * struct ybd_nvme_conn - a controller, whether or not it has namespaces
 * @name: nvmeN
 * @transport: as in struct ybd_nvme_ctrl
 * @address: "traddr=...,trsvcid=..." on fabrics
 * @nqn: of its subsystem
 * @hostnqn: of this host, on fabrics
 * @state: as in struct ybd_nvme_ctrl
 */
struct ybd_nvme_conn {
	char name[16];
	char transport[16];
	char address[256];
	char nqn[256];
	char hostnqn[256];
	char state[32];
};

/* struct ybd_nvme_ctrls - all controllers, by name; @v: @n of them */
struct ybd_nvme_ctrls {
	struct ybd_nvme_conn *v;
	size_t n;
};

/* The controllers that are there now; 0 also when there are none, or -errno. */
int ybd_nvme_ctrls(const char *sysfs, struct ybd_nvme_ctrls *out);
void ybd_nvme_ctrls_free(struct ybd_nvme_ctrls *list);

/*
 * The name of the one that has these, or NULL. @traddr and @trsvcid may be "",
 * @hostnqn NULL, for any. One that is being deleted is not it.
 */
const char *ybd_nvme_ctrls_find(const struct ybd_nvme_ctrls *list, const char *transport,
				const char *nqn, const char *traddr, const char *trsvcid,
				const char *hostnqn);

#endif
