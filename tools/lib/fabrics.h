/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NVMe over Fabrics, by libnvme, which is opened when it is first needed.
 *
 * What is to be connected is said by libnvme's own configuration, JSON in a
 * file. Its struct nvme_fabrics_config is of another shape in each release, so
 * no field of it is used here, and a program built with one works with all.
 */
#ifndef YBD_LIB_FABRICS_H
#define YBD_LIB_FABRICS_H

#include "error.h"

/**
 * struct ybd_fabrics_host - who this host is
 * @nqn: /etc/nvme/hostnqn, else made from the machine's uuid
 * @id: /etc/nvme/hostid; "" when there is none
 */
struct ybd_fabrics_host {
	char nqn[224];
	char id[40];
};

int ybd_fabrics_host(struct ybd_fabrics_host *out, struct ybd_error *err);

/**
 * struct ybd_fabrics_key - what a connection is to be encrypted with
 * @keyring: serial number of the keyring, 0 for the kernel's own choice
 * @key: of a key in it, 0 for the kernel's own choice
 */
struct ybd_fabrics_key {
	long keyring;
	long key;
};

/* What ybd_fabrics_connect() leaves as it is. */
#define YBD_TMO_KEEP	INT32_MIN
#define YBD_TMO_OFF	(-1)

/**
 * struct ybd_fabrics_tmo - timeouts that are set after connecting, in seconds; TLS
 * @ctrl_loss: until the controller is given up, YBD_TMO_OFF for never; libnvme
 *	       does not take that from its configuration
 * @fast_io_fail: until I/O fails while the link is lost, YBD_TMO_OFF for not
 * @fast_io_fail_default: of a controller that was connected now and has none
 * @tls: a connection in clear is an error
 * @key: so is one with another key
 * @options: as the kernel takes them, for the only controller of the configuration:
 *	     libnvme does not take a key from there; NULL to leave it to libnvme
 */
struct ybd_fabrics_tmo {
	int ctrl_loss;
	int fast_io_fail;
	int fast_io_fail_default;
	bool tls;
	struct ybd_fabrics_key key;
	const char *options;
};

/**
 * struct ybd_fabrics_ctrl - a controller of the configuration
 * @name: nvmeN; "" when it is not connected
 * @transport: tcp, rdma, loop, fc
 * @nqn: of the subsystem
 * @traddr: address; "" for none
 * @trsvcid: port; "" for none
 * @already: it was connected before
 */
struct ybd_fabrics_ctrl {
	char name[16];
	char transport[16];
	char nqn[224];
	char traddr[256];
	char trsvcid[16];
	bool already;
};

/**
 * ybd_fabrics_fn() - called for each controller of a configuration
 * @c: the controller
 * @err: why it could not be connected, or NULL
 * @arg: of ybd_fabrics_connect()
 */
typedef void (*ybd_fabrics_fn)(const struct ybd_fabrics_ctrl *c,
			       const struct ybd_error *err, void *arg);

/**
 * ybd_fabrics_connect() - see that controllers are connected
 * @config: file with the configuration
 * @tmo: timeouts
 * @fn: hears of each; discovery controllers are left out
 * @arg: for @fn
 * @err: what was wrong first
 *
 * The others are connected also when one cannot be.
 *
 * Return: 0; -ENODATA when none is described; -EBADMSG when the file is none;
 * -ELIBACC without libnvme; or an error of connecting.
 */
int ybd_fabrics_connect(const char *config, const struct ybd_fabrics_tmo *tmo,
			ybd_fabrics_fn fn, void *arg, struct ybd_error *err);

/* The same without connecting: @fn hears what is described, and what is there. */
int ybd_fabrics_look(const char *config, ybd_fabrics_fn fn, void *arg,
		     struct ybd_error *err);

/**
 * ybd_fabrics_tls() - can connections be encrypted?
 * @err: why not
 *
 * Return: 0; -EOPNOTSUPP when the kernel or libnvme cannot.
 */
int ybd_fabrics_tls(struct ybd_error *err);

/**
 * ybd_fabrics_key_find() - a key that is in the kernel
 * @keyring: name of its keyring, NULL for the kernel's ".nvme"
 * @identity: of the key, NULL for whichever the kernel chooses from the keyring
 * @out: the key
 * @err: what is missing
 *
 * To be called when ybd_fabrics_tls() said yes.
 *
 * Return: 0; -ENOENT when the keyring or the key is not there; or the kernel's error.
 */
int ybd_fabrics_key_find(const char *keyring, const char *identity,
			 struct ybd_fabrics_key *out, struct ybd_error *err);

#endif
