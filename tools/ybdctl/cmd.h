/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a command of ybdctl is: an entry in a table, a function, and its options.
 *
 *	static int store_show(const struct cmd *cmd, int argc, char **argv)
 *	{
 *		bool all = false;
 *		const struct opt opts[] = {
 *			OPT_FLAG("all", &all, "Show refused lvols too."),
 *			OPT_END
 *		};
 *		int n = cmd_parse(cmd, opts, argc, argv, 1, 1);
 *
 *		...argv[0] .. argv[n - 1] are the operands...
 *		return cmd_fail(-ENOENT, "%s: no lvstore here", argv[0]);
 *	}
 *
 *	const struct cmd cmd_store[] = {
 *		{ "show", "DEV|FILE", "Show an lvstore and its lvols.", store_show },
 *		{ }
 *	};
 *
 * stdout is only written through print.h, and only when the command succeeds.
 * stderr gets one line when it fails.
 */
#ifndef YBDCTL_CMD_H
#define YBDCTL_CMD_H

#include "error.h"
#include "types.h"

#ifndef __noreturn
#define __noreturn __attribute__((noreturn))
#endif

/**
 * enum cmd_exit - exit codes of ybdctl; an interface, see ybdctl(8)
 * @CMD_OK: done, or nothing to do
 * @CMD_FAILED: failed for a reason that has no code of its own
 * @CMD_USAGE: the command line is wrong; nothing was done
 * @CMD_NOT_FOUND: a store, lvol, image, device or file does not exist
 * @CMD_BUSY: in use, or the name is taken
 * @CMD_DENIED: not permitted
 * @CMD_NO_MODULE: the kernel module is not there or of another ABI
 * @CMD_REFUSED: the input is damaged, unsupported or not safe to use
 */
enum cmd_exit {
	CMD_OK = 0,
	CMD_FAILED = 1,
	CMD_USAGE = 2,
	CMD_NOT_FOUND = 3,
	CMD_BUSY = 4,
	CMD_DENIED = 5,
	CMD_NO_MODULE = 6,
	CMD_REFUSED = 7,
};

/**
 * struct cmd - a command, or a group of them
 * @name: the word on the command line
 * @args: operands, for the help; NULL for none
 * @help: what it does, one line
 * @run: does it; @argv begins behind the command's own words; returns an exit
 *	 code
 * @sub: commands below it, ended by an empty one; NULL when @run is set
 */
struct cmd {
	const char *name;
	const char *args;
	const char *help;
	int (*run)(const struct cmd *cmd, int argc, char **argv);
	const struct cmd *sub;
};

/* one table per cmd_*.c */
extern const struct cmd cmd_source[];
extern const struct cmd cmd_store[];
extern const struct cmd cmd_pool[];
extern const struct cmd cmd_image[];
extern const struct cmd cmd_lvol[];

/* ---- options ---- */

enum opt_type {
	OPT_TYPE_END,
	OPT_TYPE_FLAG,
	OPT_TYPE_STR,
	OPT_TYPE_SIZE,
	OPT_TYPE_LIST,
	OPT_TYPE_MORE,
};

/**
 * struct opt_list - the values of an option that may be given several times
 * @v: in the order of the command line; to be freed
 * @n: how many
 */
struct opt_list {
	const char **v;
	size_t n;
};

/* One more at the end. */
void opt_list_add(struct opt_list *l, const char *val);

/**
 * struct opt - a long option; the only short ones are -h, -q and -o
 * @type: what it takes
 * @name: without the dashes
 * @arg: name of its value in the help; NULL for a flag
 * @help: what it does, one line
 * @dst: where its value goes: bool, const char *, u64 or struct opt_list; or
 *	 the table of OPT_MORE()
 */
struct opt {
	enum opt_type type;
	const char *name;
	const char *arg;
	const char *help;
	void *dst;
};

#define OPT_FLAG(n, d, h)	{ OPT_TYPE_FLAG, n, NULL, h, 1 ? (d) : (bool *)0 }
#define OPT_STR(n, a, d, h)	{ OPT_TYPE_STR, n, a, h, 1 ? (d) : (const char **)0 }
/* bytes, with an optional K, M, G or T */
#define OPT_SIZE(n, d, h)	{ OPT_TYPE_SIZE, n, "SIZE", h, 1 ? (d) : (u64 *)0 }
/* may be given several times; all others only once */
#define OPT_LIST(n, a, d, h)	{ OPT_TYPE_LIST, n, a, h, 1 ? (d) : (struct opt_list *)0 }
/* another table, ended by OPT_END */
#define OPT_MORE(t)		{ OPT_TYPE_MORE, NULL, NULL, NULL, (void *)(t) }
#define OPT_END			{ OPT_TYPE_END, NULL, NULL, NULL, NULL }

/**
 * cmd_parse() - take the options out of a command line
 * @cmd: the command, for the help
 * @opts: its options, ended by OPT_END; --help, --json and --quiet are every
 *	  command's and not listed; NULL for no others
 * @argc: number of words
 * @argv: the words; the operands are moved to its front
 * @min: least number of operands
 * @max: largest number of operands
 *
 * Options are spelled out (no abbreviations), as "--size 4G" or "--size=4G",
 * before or after operands; "--" ends them. --help and a wrong command line
 * end the program, so nothing may be held when this is called.
 *
 * Return: the number of operands.
 */
int cmd_parse(const struct cmd *cmd, const struct opt *opts, int argc,
	      char **argv, int min, int max);

/* The words of the command that runs, such as "ybdctl store show". */
const char *cmd_path(void);
/* --quiet was given: no messages, only what was asked for. */
bool cmd_quiet(void);

/* ---- how a command ends ---- */

/* End the program: the command line is wrong. */
void cmd_usage(const char *fmt, ...) __printf(1, 2) __noreturn;

/* The exit code for a negative errno; 0 for 0. */
int cmd_exit_code(int code);

/**
 * cmd_fail() - say on stderr why the command fails
 * @code: negative errno
 * @fmt: one line; strerror() is not added
 *
 * Return: the exit code for @code.
 */
int cmd_fail(int code, const char *fmt, ...) __printf(2, 3);

/* The same for an error of the library. */
int cmd_fail_err(const struct ybd_error *err);

/* A line on stderr that is no failure; not with --quiet. */
void cmd_warn(const char *fmt, ...) __printf(1, 2);

#endif
