// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "dispatch.h"
#include "parse.h"
#include "print.h"
#include "utf8.h"

static char path[128] = "ybdctl";
static bool want_json;
static bool want_quiet;

static const struct opt common_opts[] = {
	OPT_FLAG("json", &want_json, "Write JSON."),
	OPT_FLAG("quiet", &want_quiet, "Print no messages (also -q)."),
	OPT_FLAG("help", NULL, "Show this (also -h)."),
	OPT_END
};

const char *cmd_path(void)
{
	return path;
}

void cmd_path_add(const char *word)
{
	size_t len = strlen(path);

	snprintf(path + len, sizeof(path) - len, " %s", word);
}

bool cmd_quiet(void)
{
	return want_quiet;
}

/* ---- how a command ends ---- */

static void __printf(1, 0) say(const char *fmt, va_list ap)
{
	char *raw, *text;

	if (vasprintf(&raw, fmt, ap) < 0)
		return;
	text = utf8_printable(raw);
	fprintf(stderr, "%s: %s\n", path, text ? text : "out of memory");
	free(text);
	free(raw);
}

void cmd_usage(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) >= 0) {
		char *text = utf8_printable(s);

		fprintf(stderr, "%s: %s (see: %s --help)\n", path,
			text ? text : "wrong usage", path);
		free(text);
		free(s);
	}
	va_end(ap);
	print_drop();
	exit(CMD_USAGE);
}

int cmd_exit_code(int code)
{
	switch (-code) {
	case 0:
		return CMD_OK;
	case ENOENT:
	case ENODEV:
	case ENXIO:
	case ENODATA:
		return CMD_NOT_FOUND;
	case EBUSY:
	case EEXIST:
		return CMD_BUSY;
	case EPERM:
	case EACCES:
		return CMD_DENIED;
	case YBD_ENOMODULE:
	case YBD_EABI:
		return CMD_NO_MODULE;
	case EUCLEAN:
	case EBADMSG:
	case EMEDIUMTYPE:
	case EOPNOTSUPP:
	case EROFS:
	case ESTALE:
	case ELOOP:
	case ENOTBLK:
	case ENOTUNIQ:
	case E2BIG:
		return CMD_REFUSED;
	default:
		return CMD_FAILED;
	}
}

int cmd_fail(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	return cmd_exit_code(code);
}

int cmd_fail_err(const struct ybd_error *err)
{
	return cmd_fail(err->code, "%s", err->text);
}

void cmd_warn(const char *fmt, ...)
{
	va_list ap;

	if (want_quiet)
		return;
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

/* ---- help ---- */

static void help_opt(const struct opt *o)
{
	int len = printf("  --%s%s%s", o->name, o->arg ? " " : "",
			 o->arg ? o->arg : "");

	printf("%*s%s%s\n", len < 26 ? 26 - len : 2, "", o->help,
	       o->type == OPT_TYPE_LIST ? " May be repeated." : "");
}

static void help_opts(const struct opt *o)
{
	for (; o && o->type != OPT_TYPE_END; o++) {
		if (o->type == OPT_TYPE_MORE)
			help_opts(o->dst);
		else
			help_opt(o);
	}
}

static void help_cmd(const struct cmd *cmd, const struct opt *opts)
{
	printf("usage: %s%s%s [options]\n%s\n\n", path, cmd->args ? " " : "",
	       cmd->args ? cmd->args : "", cmd->help);
	help_opts(opts);
	help_opts(common_opts);
}

void cmd_help_group(const struct cmd *table, const char *help)
{
	const struct cmd *c;

	printf("usage: %s COMMAND ...\n%s\n\n", path, help);
	for (c = table; c->name; c++)
		printf("  %-10s %s\n", c->name, c->help);
	printf("\n%s COMMAND --help tells more.\n", path);
}

/* ---- options ---- */

static const struct opt *find(const struct opt *o, const char *name, size_t len)
{
	const struct opt *hit;

	for (; o && o->type != OPT_TYPE_END; o++) {
		if (o->type == OPT_TYPE_MORE) {
			hit = find(o->dst, name, len);
			if (hit)
				return hit;
		} else if (strlen(o->name) == len &&
			   !strncmp(o->name, name, len)) {
			return o;
		}
	}
	return NULL;
}

void opt_list_add(struct opt_list *l, const char *val)
{
	const char **v = realloc(l->v, (l->n + 1) * sizeof(*v));

	if (!v)
		cmd_usage("out of memory");
	l->v = v;
	l->v[l->n++] = val;
}

static void set(const struct opt *o, const char *val)
{
	switch (o->type) {
	case OPT_TYPE_FLAG:
		*(bool *)o->dst = true;
		break;
	case OPT_TYPE_STR:
		*(const char **)o->dst = val;
		break;
	case OPT_TYPE_SIZE:
		if (parse_size(val, o->dst))
			cmd_usage("--%s: \"%s\" is no size, such as 4096, 512K or 20G",
				  o->name, val);
		break;
	case OPT_TYPE_LIST:
		opt_list_add(o->dst, val);
		break;
	case OPT_TYPE_MORE:
	case OPT_TYPE_END:
		break;
	}
}

#define MAX_OPTS 32

static void refuse_twice(const struct opt *o, const struct opt **seen)
{
	size_t i;

	if (o->type == OPT_TYPE_LIST)
		return;
	for (i = 0; i < MAX_OPTS && seen[i]; i++)
		if (seen[i] == o)
			cmd_usage("--%s is given twice", o->name);
	assert(i < MAX_OPTS);
	seen[i] = o;
}

/**
 * common() - is it an option that every command has?
 * @word: the word
 *
 * Does not return for --help; @cmd is NULL for a group.
 */
static bool common(const char *word, const struct cmd *cmd,
		   const struct opt *opts)
{
	if (!strcmp(word, "-h") || !strcmp(word, "--help")) {
		if (!cmd)
			return false;
		help_cmd(cmd, opts);
		exit(print_flush(false) ? CMD_FAILED : CMD_OK);
	}
	if (!strcmp(word, "-q") || !strcmp(word, "--quiet"))
		want_quiet = true;
	else if (!strcmp(word, "--json"))
		want_json = true;
	else
		return false;
	return true;
}

bool cmd_common(const char *word)
{
	return common(word, NULL, NULL);
}

/* One option at argv[*i]; *i is moved to its value when that is a word. */
static void take_option(const struct opt *opts, int argc, char **argv,
			int *i, const struct opt **seen)
{
	const char *word = argv[*i], *eq = strchr(word, '='), *val = NULL;
	size_t len = eq ? (size_t)(eq - word) : strlen(word);
	const struct opt *o = NULL;

	if (len > 2 && word[1] == '-')
		o = find(opts, word + 2, len - 2);
	else if (!strcmp(word, "-o"))
		o = find(opts, "options", 7);
	if (!o)
		cmd_usage("unknown option %.*s", (int)len, word);
	refuse_twice(o, seen);
	if (o->type == OPT_TYPE_FLAG && eq)
		cmd_usage("--%s takes no value", o->name);
	if (o->type != OPT_TYPE_FLAG) {
		if (!eq && *i + 1 >= argc)
			cmd_usage("--%s needs a value: %s", o->name, o->arg);
		val = eq ? eq + 1 : argv[++*i];
		if (!*val)
			cmd_usage("--%s needs a value: %s", o->name, o->arg);
	}
	set(o, val);
}

int cmd_parse(const struct cmd *cmd, const struct opt *opts, int argc,
	      char **argv, int min, int max)
{
	bool only_operands = false;
	const struct opt *seen[MAX_OPTS] = { NULL };
	int i, n = 0;

	for (i = 0; i < argc; i++) {
		char *word = argv[i];

		if (only_operands || word[0] != '-' || !word[1]) {
			argv[n++] = word;
			continue;
		}
		if (!strcmp(word, "--"))
			only_operands = true;
		else if (!common(word, cmd, opts))
			take_option(opts, argc, argv, &i, seen);
	}
	if (n < min)
		cmd_usage("too few operands, wanted: %s", cmd->args);
	if (n > max)
		cmd_usage("unexpected operand \"%s\"", argv[max]);
	if (want_json && print_use_json())
		exit(cmd_fail(-ELIBACC, "--json needs libjson-c.so.5: install libjson-c5"));
	return n;
}
