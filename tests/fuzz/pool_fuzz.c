// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: the check and the repair of pools, over good pools with blocks of metadata
 * changed. Beyond not crashing: a check writes nothing, a repair that is repeated changes nothing,
 * and what it says to have mended is not found again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "pool/pool.h"
#include "pool_mutate.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#define must(cond) do { if (!(cond)) broken(#cond, __LINE__); } while (0)

#define BLOCK	YBD_FMT_BLOCK_SIZE

static void broken(const char *what, int line)
{
	fprintf(stderr, "line %d: not so: %s\n", line, what);
	abort();
}

/**
 * struct base - a good pool, which is changed
 * @b: it
 * @writes: writes that changed something
 */
struct base {
	struct mutant b;
	u32 writes;
};

static struct base *make_base(u32 which)
{
	struct base *b = calloc(1, sizeof(*b));

	must(b);
	mut_make(&b->b, which);
	return b;
}

/* ---- the device ---- */

static int base_read(struct pool_io *io, u64 block, void *buf, u32 nr)
{
	struct base *b = io->priv;

	memcpy(buf, mk_block(&b->b.m, block), (size_t)nr * BLOCK);
	return 0;
}

static int base_write(struct pool_io *io, u64 block, const void *buf, u32 nr, bool fua)
{
	struct base *b = io->priv;

	must(nr == 1 && fua);
	b->writes += !!memcmp(mk_block(&b->b.m, block), buf, BLOCK);
	mut_save(&b->b, block);
	memcpy(mk_block(&b->b.m, block), buf, BLOCK);
	return 0;
}

static int base_flush(struct pool_io *io)
{
	return 0;
}

/* Most of the directory was never used. */
static u64 base_next_data(struct pool_io *io, u64 block)
{
	struct base *b = io->priv;

	while (block < b->b.m.blocks && !b->b.data[block])
		block++;
	return block;
}

static struct pool_io *open_base(struct base *b, bool writable)
{
	static const struct pool_io_ops ops = {
		.read = base_read,
		.write = base_write,
		.flush = base_flush,
		.next_data = base_next_data,
	};
	struct pool_io *io;

	must(!pool_io_open_ops(&ops, b->b.m.blocks, writable, b, &io));
	return io;
}

/* ---- what must hold ---- */

static void check_report(const struct pool *p)
{
	for (size_t i = 0; i < p->report.nr; i++) {
		const struct pool_finding *f = &p->report.find[i];

		must(*f->text && !strchr(f->text, '\n'));
		must(f->upper == POOL_NO_UPPER || f->upper < p->info.layout.nr_uppers);
	}
	must(p->totals.free_segments + p->totals.owned_segments + p->totals.metadata_segments <=
	     p->info.layout.nr_segments);
}

static struct pool *check(struct pool_io *io)
{
	struct ybd_error err = { 0 };
	struct pool *p;
	int rc = pool_check(io, &p, &err);

	if (rc) {
		must(err.code == rc && *err.text && rc != -ENOMEM);
		return NULL;
	}
	check_report(p);
	return p;
}

static void not_again(const struct pool *before, const struct pool *after)
{
	for (size_t i = 0; i < before->report.nr; i++)
		for (size_t k = 0; k < after->report.nr && before->report.find[i].repaired; k++)
			must(strcmp(before->report.find[i].text, after->report.find[k].text));
}

static void check_repair(struct base *b, struct pool_io *io, struct pool *p)
{
	struct pool_mend how = { .drop = POOL_NO_UPPER };
	struct ybd_error err = { 0 };
	bool sound = !pool_report_errors(&p->report);
	struct pool *again;

	if (pool_repair(p, &how, &err))
		must(err.code == -EOPNOTSUPP);
	if (err.code)
		return;
	again = check(io);
	must(again);
	not_again(p, again);
	must(!sound || !pool_report_errors(&again->report));
	/* what could only be seen now is mended now; then there is an end */
	must(!pool_repair(again, &how, &err));
	pool_close(again);
	again = check(io);
	must(again);
	b->writes = 0;
	must(!pool_repair(again, &how, &err) && !b->writes);
	pool_close(again);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct base *bases[INPUT_POOLS];
	struct pool_io *io;
	struct base *b;
	struct pool *p;

	if (size < INPUT_HEAD + INPUT_REC)
		return -1;
	if (!bases[data[0] % INPUT_POOLS])
		bases[data[0] % INPUT_POOLS] = make_base(data[0] % INPUT_POOLS);
	b = bases[data[0] % INPUT_POOLS];
	mut_change(&b->b, data + INPUT_HEAD, size - INPUT_HEAD);
	io = open_base(b, true);
	b->writes = 0;
	p = check(io);
	must(!b->writes);
	if (p) {
		check_repair(b, io, p);
		pool_close(p);
	}
	pool_io_close(io);
	mut_restore(&b->b);
	return 0;
}
