// SPDX-License-Identifier: GPL-2.0-only
/*
 * The power fails: cut [OPTION]... TRACE
 *
 * After events of a trace, all images that a disk may have then: what was durable, and of the rest
 * nothing, everything, everything but one, only one, and random parts torn at 512 bytes. Of each
 * the pool has to be clean, and each sector of each device has to be one that the history allows.
 */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cut.h"
#include "test.h"

static struct options {
	const char *trace;
	const char *base;
	const char *image;
	const char *export;
	const char *image_file;
	u64 image_sectors;
	u64 seed;
	u32 cuts;
	u32 random;
	u32 singles;
	u32 exports;
	u32 jobs;
	u64 enough;
	bool pool;
} opt = { .cuts = 200, .random = 32, .jobs = 1 };

/* What the image has, of @opt.image_file. */
static const u8 *image_bytes;

#define SHOW 8

/* ---- what is wrong ---- */

static void complain(struct cutter *c, const char *fmt, ...) __printf(2, 3);

static void complain(struct cutter *c, const char *fmt, ...)
{
	va_list ap;

	if (c->sum.violations++ >= SHOW)
		return;
	printf("# cut after event %u, %s: ", c->at, c->what);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

static void complain_pool(void *priv, const char *text)
{
	struct cutter *c = priv;

	c->sum.unclean++;
	complain(c, "%s", text);
}

static const char *value_text(const struct value *v, char *buf, size_t len)
{
	static const char *const kinds[] = { "unknown", "zeroes", "", "image", "other" };

	if (v->kind == VALUE_TAG)
		snprintf(buf, len, "operation %#x of run %u, device %u, sector %" PRIu64, v->op,
			 v->run, v->dev, v->sector);
	else
		snprintf(buf, len, "%s %#x", kinds[v->kind], v->op);
	return buf;
}

static void wrong_sector(struct cutter *c, u32 dev, u64 s, const struct value *v, enum verdict is)
{
	const struct sector *x = &c->h->dev[dev].sector[s];
	char text[128];

	c->sum.wrong[is]++;
	complain(c, "%s, sector %" PRIu64 ": %s; it is %s, durable since event %u",
		 c->h->dev[dev].name, s, verdict_text[is], value_text(v, text, sizeof(text)),
		 x->floor);
}

/* ---- one image ---- */

/* What was allowed in one image of a cut is allowed in all. */
static bool is_known(struct cutter *c, u32 dev, u64 block, const struct value *v[BLOCK_SECTORS])
{
	const struct value **fine = c->fine[dev] + block * BLOCK_SECTORS;
	bool same = true;

	for (u32 i = 0; i < BLOCK_SECTORS; i++) {
		v[i] = view_value(c->v, dev, block * BLOCK_SECTORS + i);
		same &= v[i] == fine[i];
	}
	return same;
}

static void check_block(struct cutter *c, u32 dev, u64 block)
{
	const struct value *v[BLOCK_SECTORS];
	bool fine = true;

	if (is_known(c, dev, block, v))
		return;
	for (u32 i = 0; i < BLOCK_SECTORS; i++) {
		u64 s = block * BLOCK_SECTORS + i;
		enum verdict is = history_check(c->h, dev, s, v[i]);

		if (is == IS_OK)
			continue;
		wrong_sector(c, dev, s, v[i], is);
		fine = false;
	}
	if (fine && history_check_block(c->h, dev, block, v) != IS_OK) {
		wrong_sector(c, dev, block * BLOCK_SECTORS, v[0], IS_TORN);
		fine = false;
	}
	if (fine)
		memcpy(c->fine[dev] + block * BLOCK_SECTORS, v, sizeof(v));
}

static bool is_there(struct cutter *c, u32 dev)
{
	const struct device *d = &c->h->dev[dev];
	bool there = view_has(c->v, dev);

	if (d->state == DEVICE_THERE && !there)
		complain(c, "%s is gone", d->name);
	else if (d->state == DEVICE_GONE && there)
		complain(c, "%s is there", d->name);
	return there;
}

static void check_device(struct cutter *c, u32 dev)
{
	const struct device *d = &c->h->dev[dev];
	u64 nr;

	if (d->state == DEVICE_NONE || !is_there(c, dev))
		return;
	nr = view_size(c->v, dev);
	if (nr / BLOCK_SECTORS != d->nr / BLOCK_SECTORS &&
	    nr / BLOCK_SECTORS != d->new_nr / BLOCK_SECTORS)
		complain(c, "%s has %" PRIu64 " sectors, expected %" PRIu64, d->name, nr, d->nr);
	/* or the log of this attach would fit to what is left behind the end of the last one */
	if (!(d->flags & MARK_IDENTITY) && view_epoch(c->v, dev) < d->epoch + d->attached)
		complain(c, "%s has epoch %" PRIu64 ", expected at least %" PRIu64, d->name,
			 view_epoch(c->v, dev), d->epoch + d->attached);
	if (d->flags & MARK_PARTLY && !d->written)
		return;
	if (nr > d->cap)
		nr = d->cap;
	for (u64 b = 0; b < nr / BLOCK_SECTORS; b++)
		check_block(c, dev, b);
}

static void check_image(struct cutter *c, const char *what)
{
	u64 before = c->sum.violations;

	c->what = what;
	c->sum.images++;
	if (view_read(c->v, complain_pool, c))
		for (u32 dev = 1; dev < MAX_DEVICES; dev++)
			check_device(c, dev);
	c->sum.bad += c->sum.violations > before;
}

/* Values that the workload had written and that are not there: the disk does lose things. */
static void count_forgotten(struct cutter *c)
{
	for (u32 dev = 1; dev < MAX_DEVICES; dev++) {
		const struct device *d = &c->h->dev[dev];

		if (d->state != DEVICE_THERE || !view_has(c->v, dev))
			continue;
		for (u32 i = 0; i < d->nr_waiting; i++) {
			const struct op *o = &c->h->op[d->waiting[i]], *is;

			if (o->what != MARK_WRITE || o->sector >= view_size(c->v, dev))
				continue;
			is = history_op(c->h, view_value(c->v, dev, o->sector));
			c->sum.forgotten += !is || is->end < o->begin;
		}
	}
}

/* For others to look at. */
static void export_image(struct cutter *c)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%u.img", opt.export, c->at);
	export_disk(c->m, path);
	snprintf(path, sizeof(path), "%s/%u.txt", opt.export, c->at);
	export_uppers(c->v, path, image_bytes);
}

/* ---- all images of a cut ---- */

static void apply_all_but(struct cutter *c, u32 but, u32 end)
{
	for (u32 i = 0; i < end; i++)
		if (i != but)
			image_apply(c->m, i, 8, NULL);
}

/* Each of them is left out once, or as many as there may be at most. */
static void leave_one_out(struct cutter *c)
{
	u32 nr = c->m->nr_pending, step = opt.singles && nr > opt.singles ? nr / opt.singles : 1;

	for (u32 i = step > 1 ? c->rng % step : 0; i < nr; i += step) {
		image_reset(c->m, false);
		apply_all_but(c, i, nr);
		check_image(c, "all but one");
	}
}

static void take_only_one(struct cutter *c)
{
	u32 nr = c->m->nr_pending, step = opt.singles && nr > opt.singles ? nr / opt.singles : 1;

	for (u32 i = step > 1 ? c->rng % step : 0; i < nr; i += step) {
		image_reset(c->m, false);
		image_apply(c->m, i, 8, NULL);
		check_image(c, "only one");
	}
}

/*
 * Anything from few to nearly all of them, whole or torn. Those under way may come in any order,
 * but those that are done only in theirs.
 */
static void some(struct cutter *c)
{
	u32 nr = c->m->nr_pending;
	struct rng r = { c->rng };
	u32 likely = 1 + rng_below(&r, 99), torn = rng_below(&r, 101);

	/* a pool does not rely on trims */
	image_reset(c->m, opt.pool && rng_chance(&r, 25));
	for (u32 i = 0; i < nr; i++) {
		if (!rng_chance(&r, likely))
			continue;
		image_apply(c->m, i, rng_chance(&r, torn) ? rng_below(&r, 8) : 8, &r.s);
	}
	c->rng = rng_next(&r);
}

static void forget_fine(struct cutter *c)
{
	for (u32 dev = 1; dev < MAX_DEVICES; dev++) {
		free(c->fine[dev]);
		c->fine[dev] = NULL;
		if (c->h->dev[dev].cap)
			c->fine[dev] = xalloc(c->h->dev[dev].cap * sizeof(*c->fine[dev]));
	}
}

static void cut_here(struct cutter *c)
{
	u32 nr = c->m->nr_pending;

	forget_fine(c);
	c->sum.cuts++;
	c->sum.pending += nr;
	if (nr > c->sum.most)
		c->sum.most = nr;
	image_reset(c->m, false);
	check_image(c, "only what is durable");
	count_forgotten(c);
	if (opt.pool) {
		image_reset(c->m, true);
		check_image(c, "only what is durable, nothing trimmed");
	}
	if (!nr)
		return;
	image_reset(c->m, false);
	apply_all_but(c, NEVER, nr);
	check_image(c, "everything");
	if (nr > 1) {
		leave_one_out(c);
		take_only_one(c);
	}
	for (u32 i = 0; i < opt.random; i++) {
		some(c);
		check_image(c, "some, torn");
		if (c->exported && i == c->at % opt.random)
			export_image(c);
	}
}

/* ---- where to cut ---- */

/* Where most is to be found. */
enum place {
	PLACE_SAME,		/* nothing has changed */
	PLACE_OTHER,
	PLACE_PROMISE,		/* somebody was told that something is durable */
	PLACE_STRUCTURE,	/* a header, a table or the like was just written */
	NR_PLACES,
};

static enum place place_of(const struct cutter *c, const struct event *e)
{
	if (e->kind == EVENT_SUBMIT)
		return c->t->req[e->n].type == TRACE_FLUSH ? PLACE_SAME : PLACE_OTHER;
	if (e->kind == EVENT_DONE)
		return c->t->req[e->n].type == TRACE_FLUSH || c->t->req[e->n].fua ?
		       PLACE_PROMISE : PLACE_OTHER;
	/* that something is about to begin only allows more */
	return c->t->mark[e->n]->what == MARK_END || c->t->mark[e->n]->what == MARK_FILE ?
	       PLACE_PROMISE : PLACE_SAME;
}

static void find_places(const struct cutter *c, u8 *place, u32 sum[NR_PLACES])
{
	u64 data = c->v->pool ? c->v->pool->info.layout.data * BLOCK_SECTORS : 0;
	u32 near = 0;

	memset(sum, 0, NR_PLACES * sizeof(*sum));
	for (u32 i = 0; i < c->t->nr_event; i++) {
		const struct event *e = &c->t->event[i];

		if (e->kind == EVENT_DONE && c->t->req[e->n].type != TRACE_FLUSH &&
		    c->t->req[e->n].sector < data)
			near = 4;
		place[i] = place_of(c, e);
		if (near && place[i] != PLACE_SAME) {
			place[i] = PLACE_STRUCTURE;
			near--;
		}
		sum[place[i]]++;
	}
}

/* A third of the cuts in each kind of place, or all of them when there are no more. */
static u32 choose(struct cutter *c, u8 *cut)
{
	struct rng r = { opt.seed };
	u32 sum[NR_PLACES], chosen = 0;

	/* for the layout */
	view_read(c->v, complain_pool, c);
	find_places(c, cut, sum);
	for (u32 i = 0; i < c->t->nr_event; i++) {
		cut[i] = cut[i] != PLACE_SAME &&
			 (!opt.cuts || rng_below(&r, sum[cut[i]]) < opt.cuts / 3);
		chosen += cut[i];
	}
	return chosen;
}

/* Of those that were chosen, some spread over all of the trace are exported. */
static void choose_exports(u8 *cut, u32 nr, u32 chosen)
{
	for (u32 i = 0, n = 0; i < nr && opt.export; i++) {
		if (!cut[i])
			continue;
		n++;
		if ((u64)n * opt.exports / chosen >
		    (u64)(n - 1) * opt.exports / chosen)
			cut[i] = 2;
	}
}

static void cut_some(struct cutter *c, const u8 *cut, u32 job)
{
	for (u32 i = 0, n = 0; i < c->t->nr_event; i++) {
		if (!cut[i] || n++ % opt.jobs != job)
			continue;
		c->at = i + 1;
		c->exported = cut[i] == 2;
		c->rng = tag_mix(opt.seed + i);
		if (opt.enough && c->sum.violations >= opt.enough)
			break;
		image_advance(c->m, i + 1);
		history_advance(c->h, i + 1);
		cut_here(c);
	}
}

/* ---- several processes, as there are several processors ---- */

static void add(struct sums *to, const struct sums *s)
{
	to->cuts += s->cuts;
	to->images += s->images;
	to->bad += s->bad;
	to->violations += s->violations;
	to->unclean += s->unclean;
	to->forgotten += s->forgotten;
	to->pending += s->pending;
	to->most = to->most > s->most ? to->most : s->most;
	for (u32 i = 0; i < NR_VERDICTS; i++)
		to->wrong[i] += s->wrong[i];
}

static void run_jobs(struct cutter *c, const u8 *cut)
{
	struct sums s;
	int fd[2], status, bad = 0;
	ssize_t len;

	if (pipe(fd))
		die("pipe: %m");
	fflush(stdout);
	for (u32 job = 0; job < opt.jobs; job++) {
		if (fork())
			continue;
		c->job = job;
		cut_some(c, cut, job);
		fflush(stdout);
		if (write(fd[1], &c->sum, sizeof(c->sum)) != sizeof(c->sum))
			_exit(2);
		_exit(0);
	}
	close(fd[1]);
	while ((len = read(fd[0], &s, sizeof(s))) == sizeof(s))
		add(&c->sum, &s);
	while (wait(&status) > 0)
		bad |= status;
	if (bad || len)
		die("a process of it failed");
}

/* ---- start and end ---- */

/*
 * What was there before the workload began is what an upper may have as long as nothing else is
 * durable. Whoever looks at an image that a run has left has the disk from before it as base.
 */
static void take_device(struct device *d, struct view *v, u32 dev)
{
	u64 nr = view_size(v, dev);

	d->initial = xalloc((nr + 1) * sizeof(struct value));
	d->nr_initial = nr;
	d->epoch = view_epoch(v, dev);
	for (u64 s = 0; s < nr; s++)
		d->initial[s] = *view_value(v, dev, s);
}

static void take_initial(struct cutter *c)
{
	struct image *m = image_open(c->t, opt.base);
	struct history *h = history_open(c->t, opt.image_sectors);
	struct view *v;

	/* the devices that there will be, to look for what they begin with */
	history_advance(h, c->t->nr_event);
	v = view_open(m, h, opt.pool);
	if (!opt.base || !view_read(v, complain_pool, c))
		return;
	for (u32 dev = 1; dev < MAX_DEVICES; dev++)
		if (h->dev[dev].state != DEVICE_NONE && view_has(v, dev))
			take_device(&c->h->dev[dev], v, dev);
}

static u32 count_trims(const struct trace *t)
{
	u32 nr = 0;

	for (u32 i = 0; i < t->nr_req; i++)
		nr += t->req[i].type == TRACE_TRIM;
	return nr;
}

static int report(const struct cutter *c)
{
	const struct sums *s = &c->sum;

	printf("# %s: %u events, %u requests, %u of them discards, %" PRIu64
	       " MiB written, %u operations\n", opt.trace, c->t->nr_event, c->t->nr_req,
	       count_trims(c->t), c->t->bytes >> 20, c->h->nr_op);
	printf("# %u cut points, %" PRIu64 " images, %" PRIu64 " violations in %" PRIu64 "\n",
	       s->cuts, s->images, s->violations, s->bad);
	if (s->cuts)
		printf("# %.1f writes not durable at a cut, at most %u; %" PRIu64
		       " written values not there in what was durable\n",
		       (double)s->pending / s->cuts, s->most, s->forgotten);
	if (s->unclean)
		printf("# %" PRIu64 " complaints of the pool's check\n", s->unclean);
	for (u32 i = 1; i < NR_VERDICTS; i++)
		if (s->wrong[i])
			printf("# %" PRIu64 " sectors: %s\n", s->wrong[i], verdict_text[i]);
	return s->violations ? 1 : 0;
}

/* One image that a disk has left, against the history up to its end. */
static void check_file(struct cutter *c)
{
	char path[4096];

	c->at = c->t->nr_event;
	history_advance(c->h, c->at);
	forget_fine(c);
	check_image(c, opt.image);
	count_forgotten(c);
	c->sum.cuts = 1;
	if (!opt.export)
		return;
	snprintf(path, sizeof(path), "%s/end.txt", opt.export);
	export_uppers(c->v, path, image_bytes);
}

static void usage(void)
{
	puts("cut [--base FILE] [--pool] [--cuts N] [--random N] [--singles N] [--seed N]\n"
	     "    [--image-file FILE] [--export DIR --exports N] [--jobs N] [--enough N] TRACE\n"
	     "cut --image FILE [--base FILE] [--pool] [--image-file FILE] [--export DIR] TRACE");
	exit(2);
}

static void load_image(void)
{
	int fd = open(opt.image_file, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *mem;

	if (fd < 0 || fstat(fd, &st))
		die("%s: %m", opt.image_file);
	mem = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (mem == MAP_FAILED)
		die("%s: %m", opt.image_file);
	close(fd);
	image_bytes = mem;
	opt.image_sectors = st.st_size / SECTOR;
}

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "base", 1, NULL, 'b' }, { "image", 1, NULL, 'i' }, { "pool", 0, NULL, 'p' },
		{ "cuts", 1, NULL, 'c' }, { "random", 1, NULL, 'r' }, { "singles", 1, NULL, '1' },
		{ "seed", 1, NULL, 's' }, { "export", 1, NULL, 'e' }, { "exports", 1, NULL, 'n' },
		{ "image-file", 1, NULL, 'f' }, { "jobs", 1, NULL, 'j' }, { "enough", 1, NULL, 'E' },
		{ NULL, 0, NULL, 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (o) {
		case 'b': opt.base = optarg; break;
		case 'i': opt.image = optarg; break;
		case 'p': opt.pool = true; break;
		case 'c': opt.cuts = atoi(optarg); break;
		case 'r': opt.random = atoi(optarg); break;
		case '1': opt.singles = atoi(optarg); break;
		case 's': opt.seed = strtoull(optarg, NULL, 0); break;
		case 'e': opt.export = optarg; break;
		case 'n': opt.exports = atoi(optarg); break;
		case 'f': opt.image_file = optarg; break;
		case 'j': opt.jobs = atoi(optarg) > 0 ? atoi(optarg) : 1; break;
		case 'E': opt.enough = strtoull(optarg, NULL, 0); break;
		default: usage();
		}
	}
	if (optind + 1 != argc)
		usage();
	opt.trace = argv[optind];
	if (opt.image_file)
		load_image();
}

int main(int argc, char **argv)
{
	struct cutter c = { .what = "at first" };
	u8 *cut;

	parse(argc, argv);
	c.t = trace_load(opt.trace);
	c.m = image_open(c.t, opt.image ? opt.image : opt.base);
	c.h = history_open(c.t, opt.image_sectors);
	take_initial(&c);
	c.v = view_open(c.m, c.h, opt.pool);
	if (opt.image) {
		check_file(&c);
		return report(&c);
	}
	cut = xalloc(c.t->nr_event + 1);
	choose_exports(cut, c.t->nr_event, choose(&c, cut));
	run_jobs(&c, cut);
	history_advance(c.h, c.t->nr_event);
	return report(&c);
}
