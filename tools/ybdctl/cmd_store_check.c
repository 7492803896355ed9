// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl store check: one line for each thing that is wrong. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cmd_store.h"
#include "lvstore/check.h"
#include "print.h"
#include "util.h"

static void print_finding(const struct lvs_finding *f, void *path)
{
	print_line("%s: %s: %s", (const char *)path, f->error ? "error" : "note", f->text);
	if (!print_is_json())
		return;
	print_object_begin(NULL);
	if (f->page == LVS_NO_PAGE)
		print_str("md_page", NULL);
	else
		print_u64("md_page", f->page);
	print_str("what", f->text);
	print_bool("error", f->error);
	print_object_end();
}

static void print_result(const char *path, const struct lvs_check_result *r)
{
	print_line("%s: %s: %zu lvols; clusters: %llu owned, %llu leaked, %llu free", path,
		   r->errors ? "damaged" : "good", r->lvols,
		   (unsigned long long)r->owned_clusters, (unsigned long long)r->leaked_clusters,
		   (unsigned long long)r->free_clusters);
	if (!print_is_json())
		return;
	print_str("path", path);
	print_str("name", r->probe.name);
	print_str("uuid", r->probe.uuid);
	print_bool("good", !r->errors);
	print_bool("clean", r->probe.clean);
	print_u64("lvols", r->lvols);
	print_u64("owned_clusters", r->owned_clusters);
	print_u64("leaked_clusters", r->leaked_clusters);
	print_u64("free_clusters", r->free_clusters);
}

static int check_fd(int fd, char *path)
{
	struct lvs_check_result r;
	struct lvs_error err;
	int rc;

	if (print_is_json())
		print_list_begin("findings", NULL);
	rc = lvs_check_fd(fd, print_finding, path, &r, &err);
	if (print_is_json())
		print_list_end();
	if (rc)
		return cmd_fail(rc, "%s: %s", path, err.text);
	print_result(path, &r);
	return r.errors ? cmd_fail(-EUCLEAN, "%s: it is damaged", path) : CMD_OK;
}

/* An exit code; what was found is printed also when it is not 0. */
static int check_one(char *path)
{
	__cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc;

	if (fd < 0)
		return cmd_fail(-errno, "%s: %s", path, strerror(errno));
	if (print_is_json())
		print_object_begin(NULL);
	rc = check_fd(fd, path);
	if (print_is_json())
		print_object_end();
	return rc;
}

int store_check_run(const struct cmd *cmd, int argc, char **argv)
{
	int n = cmd_parse(cmd, NULL, argc, argv, 1, argc), rc = CMD_OK;

	if (print_is_json())
		print_list_begin("stores", NULL);
	for (int i = 0; i < n; i++) {
		int one = check_one(argv[i]);

		rc = rc ? rc : one;
	}
	if (print_is_json())
		print_list_end();
	/* what is wrong is what was asked for */
	if (rc && print_flush(false))
		return cmd_fail(-EIO, "writing to stdout failed");
	return rc;
}
