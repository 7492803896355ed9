// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl version: of this program and of the module, if it is there. */
#include <unistd.h>

#include "commands.h"
#include "nl.h"
#include "print.h"
#include "sysfs.h"

/* Only what an ordinary user may read, when the module does not answer. */
static void print_from_sysfs(void)
{
	char version[64];

	if (ybd_sysfs_read(version, sizeof(version),
			   "/sys/module/ybd/version"))
		return;
	print_line("module %s", version);
	if (print_is_json()) {
		print_object_begin("module");
		print_str("version", version);
		print_object_end();
	}
}

static void print_module(const struct ybd_info *info)
{
	print_line("module %s (ABI %u), %u devices, %u images", info->version,
		   info->abi, info->devices, info->images);
	if (!print_is_json())
		return;
	print_object_begin("module");
	print_str("version", info->version);
	print_u64("abi", info->abi);
	print_u64("devices", info->devices);
	print_u64("images", info->images);
	print_object_end();
}

int cmd_version(const struct cmd *cmd, int argc, char **argv)
{
	struct ybd_error err = { 0 };
	struct ybd_nl *nl;
	int rc = 0;

	cmd_parse(cmd, NULL, argc, argv, 0, 0);
	print_line("ybdctl %s (ABI %u)", YBD_VERSION, YBD_ABI_VERSION);
	if (print_is_json()) {
		print_str("version", YBD_VERSION);
		print_u64("abi", YBD_ABI_VERSION);
	}
	/* asking for the version is no reason to load the module */
	if (access("/sys/module/ybd", F_OK)) {
		print_line("module not loaded");
		if (print_is_json())
			print_str("module", NULL);
		return CMD_OK;
	}
	if (!ybd_nl_open(&nl, &err)) {
		print_module(ybd_nl_info(nl));
		ybd_nl_close(nl);
	} else if (err.code == -YBD_EABI) {
		rc = cmd_fail_err(&err);
	} else {
		print_from_sysfs();
	}
	return rc;
}
