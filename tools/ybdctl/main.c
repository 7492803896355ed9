// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd_lvol.h"
#include "commands.h"
#include "dispatch.h"
#include "print.h"

static const char about[] =
	"One root file system block device per container, from SPDK lvol snapshots.";

static const struct cmd commands[] = {
	{ "source", NULL, "Find what images can be read from.", NULL, cmd_source },
	{ "store", NULL, "Make SPDK lvstores, look into them.", NULL, cmd_store },
	{ "lvol", NULL, "Make and change the lvols in them.", NULL, cmd_lvol },
	{ "pool", NULL, "Make pools for what is written, check them.", NULL, cmd_pool },
	{ "image", NULL, "Load images, look at them, unload them.", NULL, cmd_image },
	{ "convert", "SRC... STORE", "Turn OCI images into chains of lvols.", cmd_convert, NULL },
	{ "commit", "NAME STORE/LVOL", "Turn what was written to a device into an lvol.",
	  cmd_commit, NULL },
	{ "export", "DEV|FILE LVOL FILE|-", "Write an lvol's contents to a file, or as a tar.",
	  lvol_export_run, NULL },
	{ "create", "NAME", "Make a block device from an image.", cmd_create, NULL },
	{ "attach", "NAME...|--all", "Bring back devices that are in a pool.",
	  cmd_attach, NULL },
	{ "resize", "NAME SIZE", "Make a device larger.", cmd_resize, NULL },
	{ "set", "NAME", "Change a property of a device.", cmd_set, NULL },
	{ "detach", "NAME...|--all", "Remove devices; what was only in memory is gone.",
	  cmd_detach, NULL },
	{ "destroy", "NAME...", "Remove devices and all that was written to them.",
	  cmd_destroy, NULL },
	{ "connect", "[NQN]", "Connect NVMe over Fabrics.", cmd_connect, NULL },
	{ "disconnect", "[NQN|CONTROLLER]...", "Disconnect it.", cmd_disconnect, NULL },
	{ "wait", NULL, "Wait until sources are there.", cmd_wait, NULL },
	{ "hotplug", "[DISK]", "A disk has come or gone: attach what can be.",
	  cmd_hotplug, NULL },
	{ "list", NULL, "List devices.", cmd_list, NULL },
	{ "show", "NAME...", "Show devices.", cmd_show, NULL },
	{ "stats", "[NAME...]", "Show the counters of devices.", cmd_stats, NULL },
	{ "monitor", NULL, "Show events as they come.", cmd_monitor, NULL },
	{ "mount", "NAME DIR", "Mount the file system on a device.", cmd_mount, NULL },
	{ "umount", "NAME DIR", "Unmount it.", cmd_umount, NULL },
	{ "version", NULL, "Show the versions of tool and module.", cmd_version, NULL },
	{ }
};

static const struct cmd *find(const struct cmd *table, const char *word)
{
	for (; table->name; table++)
		if (!strcmp(table->name, word))
			return table;
	return NULL;
}

/* The command that the words name; *argv and *argc are moved behind them. */
static const struct cmd *choose(int *argc, char ***argv)
{
	const struct cmd *table = commands, *c = NULL;
	const char *word, *help = about;

	for (; *argc; --*argc, ++*argv) {
		word = **argv;
		if (cmd_common(word))
			continue;
		if (!strcmp(word, "-h") || !strcmp(word, "--help")) {
			cmd_help_group(table, help);
			exit(print_flush(false) ? CMD_FAILED : CMD_OK);
		}
		if (!strcmp(word, "--version"))
			word = "version";
		if (word[0] == '-')
			cmd_usage("unknown option %s", word);
		c = find(table, word);
		if (!c)
			cmd_usage("unknown command \"%s\"", word);
		cmd_path_add(c->name);
		if (c->run) {
			--*argc;
			++*argv;
			return c;
		}
		table = c->sub;
		help = c->help;
	}
	cmd_usage("a command is missing");
}

int main(int argc, char **argv)
{
	const struct cmd *cmd;
	int rc;

	argc--;
	argv++;
	cmd = choose(&argc, &argv);
	rc = cmd->run(cmd, argc, argv);
	if (rc)
		print_drop();
	else if (print_flush(false))
		rc = cmd_fail(-EIO, "writing to stdout failed");
	return rc;
}
