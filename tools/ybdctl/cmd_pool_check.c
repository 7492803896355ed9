// SPDX-License-Identifier: GPL-2.0-only
/* ybdctl pool check: one line for each thing that is wrong. */
#include <errno.h>
#include <stdio.h>

#include "cmd_pool.h"
#include "names.h"
#include "print.h"

static const char *how_bad(const struct pool_finding *f)
{
	if (f->repaired)
		return "repaired";
	return f->error ? "error" : "note";
}

static void print_finding(const char *path, const struct pool_finding *f)
{
	print_line("%s: %s: %s", path, how_bad(f), f->text);
	if (!print_is_json())
		return;
	print_object_begin(NULL);
	if (f->block == POOL_NO_BLOCK)
		print_str("block", NULL);
	else
		print_u64("block", f->block);
	if (f->upper == POOL_NO_UPPER)
		print_str("upper", NULL);
	else
		print_u64("upper", f->upper);
	print_str("what", f->text);
	print_bool("error", f->error);
	print_bool("repaired", f->repaired);
	print_object_end();
}

static void print_findings(const char *path, const struct pool_report *r)
{
	if (print_is_json())
		print_list_begin("findings", NULL);
	for (size_t i = 0; i < r->nr; i++)
		print_finding(path, &r->find[i]);
	if (print_is_json())
		print_list_end();
	if (r->more)
		print_line("%s: and %zu more", path, r->more);
}

static void print_result(const char *path, const struct pool *p)
{
	bool clean = !pool_report_errors(&p->report);
	const struct pool_totals *t = &p->totals;
	char uuid[YBD_UUID_TEXT_LEN];

	print_findings(path, &p->report);
	print_line("%s: %s: %u uppers, %u of them damaged; %u of %u segments owned, %u metadata, %u free",
		   path, clean ? "clean" : "damaged", t->live + t->fenced, t->broken + t->fenced,
		   t->owned_segments, p->info.layout.nr_segments, t->metadata_segments,
		   t->free_segments);
	if (!print_is_json())
		return;
	print_str("path", path);
	print_str("uuid", ybd_uuid_text(p->info.uuid, uuid));
	print_bool("clean", clean);
	print_u64("more_findings", p->report.more);
	print_u64("uppers", t->live);
	print_u64("damaged_uppers", t->broken + t->fenced);
	print_u64("segments", p->info.layout.nr_segments);
	print_u64("owned_segments", t->owned_segments);
	print_u64("metadata_segments", t->metadata_segments);
	print_u64("free_segments", t->free_segments);
	print_u64("owned_chunks", t->owned_chunks);
	print_u64("leaked_segments", t->leaked_segments);
	print_u64("leaked_chunks", t->leaked_chunks);
}

static int repair(struct pool *p, const char *path, u32 drop, struct ybd_error *err)
{
	struct pool_mend how = { .drop = drop };
	char text[400] = "";
	int rc = 0;

	/* only then it is of interest what else is there */
	if (p->super_bad & 1)
		rc = pool_alien(path, text, sizeof(text), err);
	how.alien = *text ? text : NULL;
	return rc ? rc : pool_repair(p, &how, err);
}

/* An exit code; what was found is printed also when it is not 0. */
static int check_one(const char *path, bool mend, u32 drop)
{
	struct ybd_error err;
	struct pool_io *io;
	struct pool *p;
	int rc = pool_io_open(path, mend ? POOL_IO_WRITE : POOL_IO_CHECK, 0, &io, &err);

	if (rc)
		return pool_busy(path, &err);
	if (io->busy)
		cmd_warn("%s is in use: what is being changed looks damaged", path);
	rc = pool_check(io, &p, &err);
	if (!rc) {
		if (mend && repair(p, path, drop, &err))
			rc = cmd_fail(err.code, "%s: %s", path, err.text);
		if (print_is_json())
			print_object_begin(NULL);
		print_result(path, p);
		if (print_is_json())
			print_object_end();
		if (!rc && pool_report_errors(&p->report))
			rc = cmd_fail(-EUCLEAN, "%s: it is damaged", path);
		pool_close(p);
	} else {
		rc = cmd_fail(rc, "%s: %s", path, err.text);
	}
	pool_io_close(io);
	return rc;
}

int pool_check_run(const struct cmd *cmd, int argc, char **argv)
{
	const char *drop = NULL;
	bool mend = false;
	const struct opt opts[] = {
		OPT_FLAG("repair", &mend, "Mend what can be mended without guessing."),
		OPT_STR("drop-upper", "N", &drop, "Give up a damaged upper (with --repair)."),
		OPT_END
	};
	u32 upper = POOL_NO_UPPER;
	int n = cmd_parse(cmd, opts, argc, argv, 1, argc), rc = CMD_OK;

	if (drop && (!mend || n > 1))
		cmd_usage("--drop-upper needs --repair and a single pool");
	if (drop) {
		u64 val = pool_number("drop-upper", drop);

		upper = val < POOL_NO_UPPER ? (u32)val : POOL_NO_UPPER - 1;
	}
	if (print_is_json())
		print_list_begin("pools", NULL);
	for (int i = 0; i < n; i++) {
		int one = check_one(argv[i], mend, upper);

		rc = rc ? rc : one;
	}
	if (print_is_json())
		print_list_end();
	/* what is wrong is what was asked for */
	if (rc && print_flush(false))
		return cmd_fail(-EIO, "writing to stdout failed");
	return rc;
}
