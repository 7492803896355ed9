// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random messages: good ones, put together from pools of good and bad values,
 * and damaged ones. What is refused must change nothing; what is accepted must
 * change just what its command is for.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nlfuzz.h"

#define MAX_OBJECTS	24

static struct nlm m;

static const char *const names[] = {
	"a", "b", "c", "d", "e", "f", "g", "h", "", ".", "-", "a/b", "..", "x y",
	"0123456789012345678901234567890123456789012345678901234567890123",
	"base", "rw",
};

static const char *pick_name(struct fuzz *f)
{
	/* Mostly good ones. */
	return names[rng_below(&f->rng, rng_chance(&f->rng, 85) ? 8 : ARRAY_LEN(names))];
}

static u64 odd_number(struct rng *r)
{
	switch (rng_below(r, 5)) {
	case 0: return rng_below(r, 5);
	case 1: return 1ULL << rng_below(r, 64);
	case 2: return (1ULL << rng_below(r, 64)) - 1;
	case 3: return 512 * rng_below(r, 4096);
	default: return rng_next(r);
	}
}

/* A map, sometimes a hostile one; @nr: what to say of it. */
static int random_map(struct fuzz *f, u64 size, unsigned int nr_fds, u32 *nr)
{
	struct ybd_map_extent rec[16] = { 0 };
	u64 at = 0;
	u32 i;

	*nr = rng_below(&f->rng, ARRAY_LEN(rec) + 1);
	for (i = 0; i < *nr; i++) {
		at += 4096 * rng_below(&f->rng, 4);
		rec[i].start = at;
		rec[i].len = 4096 * (1 + rng_below(&f->rng, 4));
		rec[i].phys = 4096 * rng_below(&f->rng, 1024);
		rec[i].source = nr_fds ? rng_below(&f->rng, nr_fds) : 0;
		at += rec[i].len;
	}
	(void)size;
	if (*nr && rng_chance(&f->rng, 25)) {
		u64 *word = (u64 *)&rec[rng_below(&f->rng, *nr)] + rng_below(&f->rng, 4);

		*word = odd_number(&f->rng);
	}
	i = *nr;
	if (rng_chance(&f->rng, 5))
		*nr = odd_number(&f->rng);
	return map_fd(rec, i);
}

static void random_image(struct fuzz *f, int *map)
{
	static const int bad_fds[] = { 9999, 0, 1, INT32_MAX };
	static const u64 sizes[] = { MIB, 512, 4096, 512 * 1024, 0, 513, 1ULL << 40 };
	int fds[8];
	struct image_arg a = {
		.name = pick_name(f), .fds = fds, .nr_fds = rng_below(&f->rng, 4),
		.size = sizes[rng_chance(&f->rng, 80) ? 0 :
			      rng_below(&f->rng, ARRAY_LEN(sizes))],
		.block = rng_chance(&f->rng, 80) ? 512 : rng_chance(&f->rng, 50) ? 4096 : 777,
		.flags = rng_chance(&f->rng, 10) ? rng_below(&f->rng, 3) : 0,
	};
	unsigned int i;

	for (i = 0; i < a.nr_fds; i++)
		fds[i] = rng_chance(&f->rng, 95) ? f->fd[rng_below(&f->rng, f->nr_disks)] :
			bad_fds[rng_below(&f->rng, ARRAY_LEN(bad_fds))];
	*map = random_map(f, a.size, a.nr_fds, &a.nr);
	image_msg(&m, &f->n, &a, rng_chance(&f->rng, 95) ? *map :
		  bad_fds[rng_below(&f->rng, ARRAY_LEN(bad_fds))]);
}

static void random_device(struct fuzz *f)
{
	struct device_arg a = {
		.name = pick_name(f), .image = pick_name(f),
		.ram = rng_chance(&f->rng, 50) ? MIB : rng_below(&f->rng, 8192),
		.block = rng_chance(&f->rng, 80) ? 0 : 4096,
		.cgroup = rng_chance(&f->rng, 95) ? 0 : 1 + rng_below(&f->rng, 20),
	};

	device_msg(&m, &f->n, &a);
	if (rng_chance(&f->rng, 10))
		nlm_u64(&m, YBD_A_DEVICE_SIZE, odd_number(&f->rng));
	/* There is no pool: all of it is refused. */
	if (rng_chance(&f->rng, 10))
		nlm_u32(&m, YBD_A_DEVICE_UPPER, YBD_UPPER_KIND_POOL);
	if (rng_chance(&f->rng, 10))
		nlm_u32(&m, YBD_A_DEVICE_UPPER_FLAGS, rng_below(&f->rng, 5));
	if (rng_chance(&f->rng, 10))
		nlm_u32(&m, YBD_A_DEVICE_POOL_FD, f->fd[rng_below(&f->rng, f->nr_disks)]);
}

static void random_good(struct fuzz *f, int *map)
{
	static const u8 by_name[] = { YBD_CMD_IMAGE_UNLOAD, YBD_CMD_IMAGE_GET,
		YBD_CMD_DEVICE_DETACH, YBD_CMD_DEVICE_GET, YBD_CMD_DEVICE_RESIZE };
	unsigned int what = rng_below(&f->rng, 8);
	u8 cmd = by_name[rng_below(&f->rng, ARRAY_LEN(by_name))];
	bool image = cmd == YBD_CMD_IMAGE_UNLOAD || cmd == YBD_CMD_IMAGE_GET;

	if (what < 2) {
		random_image(f, map);
	} else if (what < 4) {
		random_device(f);
	} else if (what < 7) {
		nlm_init(&m, &f->n, cmd, 0);
		if (rng_chance(&f->rng, 80))
			nlm_str(&m, image ? YBD_A_IMAGE_NAME : YBD_A_DEVICE_NAME, pick_name(f));
		else
			nlm_u32(&m, image ? YBD_A_IMAGE_ID : YBD_A_DEVICE_ID,
				rng_below(&f->rng, 40));
		if (cmd == YBD_CMD_DEVICE_DETACH && rng_chance(&f->rng, 50))
			nlm_u32(&m, YBD_A_DEVICE_DETACH_FLAGS, rng_below(&f->rng, 5));
		if (cmd == YBD_CMD_DEVICE_RESIZE)
			nlm_u64(&m, YBD_A_DEVICE_SIZE, rng_chance(&f->rng, 50) ?
				odd_number(&f->rng) : MIB * (1 + rng_below(&f->rng, 8)));
	} else {
		static const u8 dumps[] = { YBD_CMD_SOURCE_GET, YBD_CMD_IMAGE_GET,
			YBD_CMD_DEVICE_GET, YBD_CMD_INFO_GET, YBD_CMD_IMAGE_LOAD,
			YBD_CMD_POOL_GET, YBD_CMD_DEVICE_ATTACH };

		nlm_init(&m, &f->n, dumps[rng_below(&f->rng, ARRAY_LEN(dumps))], NLM_F_DUMP);
	}
}

/* Attributes at random, also nested ones. */
static void random_junk(struct fuzz *f, unsigned int depth)
{
	unsigned int i, nr = rng_below(&f->rng, depth ? 6 : 12);
	u8 data[64];

	for (i = 0; i < nr; i++) {
		u16 type = rng_chance(&f->rng, 90) ? rng_below(&f->rng, YBD_A_DEVICE_MAX + 2) :
			rng_next(&f->rng);
		u64 v = odd_number(&f->rng);

		switch (rng_below(&f->rng, 5)) {
		case 0:
			nlm_u32(&m, type, v);
			break;
		case 1:
			nlm_u64(&m, type, v);
			break;
		case 2:
			nlm_str(&m, type, pick_name(f));
			break;
		case 3:
			memset(data, v, sizeof(data));
			nlm_put(&m, type, data, rng_below(&f->rng, sizeof(data)));
			break;
		default:
			if (depth < 4) {
				size_t nest = nlm_nest(&m, type);

				random_junk(f, depth + 1);
				nlm_end(&m, nest);
			}
		}
	}
}

/* Damage what is there: bytes, lengths, order, repetition, the end. */
static void mutate(struct fuzz *f)
{
	const size_t head = NLMSG_HDRLEN + GENL_HDRLEN;
	size_t at, len, room = m.len - head;
	unsigned int times = 1 + rng_below(&f->rng, 3);

	while (times--) {
		at = head + rng_below(&f->rng, room + 1);
		switch (rng_below(&f->rng, 7)) {
		case 0:		/* a byte; of the header too, but not its type */
			m.buf[rng_chance(&f->rng, 90) ? at : NLMSG_HDRLEN +
			      rng_below(&f->rng, GENL_HDRLEN)] = rng_next(&f->rng);
			break;
		case 1:		/* a bit */
			m.buf[at] ^= 1 << rng_below(&f->rng, 8);
			break;
		case 2:		/* the end */
			m.len = head + rng_below(&f->rng, room + 1);
			break;
		case 3:		/* all of it once more */
			if (room && m.len + room < sizeof(m.buf) / 2) {
				memcpy(m.buf + m.len, m.buf + head, room);
				m.len += room;
			}
			break;
		case 4:		/* a part over another */
			len = rng_below(&f->rng, room / 2 + 1) & ~3UL;
			at = head + (rng_below(&f->rng, room - len + 1) & ~3UL);
			memmove(m.buf + at, m.buf + head + (rng_below(&f->rng, room - len + 1) &
							    ~3UL), len);
			break;
		case 5:		/* a length */
			at = head + (rng_below(&f->rng, room + 1) & ~3UL);
			m.buf[at] = rng_next(&f->rng);
			m.buf[at + 1] = rng_chance(&f->rng, 50) ? 0 : rng_next(&f->rng);
			break;
		default:	/* more */
			random_junk(f, 1);
		}
		room = m.len - head;
	}
}

static void random_message(struct fuzz *f, int *map)
{
	*map = -1;
	/* What lies behind the end of a message must not be the last one's. */
	memset(m.buf, 0, 4096);
	if (rng_chance(&f->rng, 10)) {
		nlm_init(&m, &f->n, rng_below(&f->rng, YBD_CMD_MAX + 3),
			 rng_chance(&f->rng, 20) ? NLM_F_DUMP : 0);
		random_junk(f, 0);
		return;
	}
	random_good(f, map);
	if (rng_chance(&f->rng, 40))
		mutate(f);
}

/* Lines that must have gone and come when a command was accepted. */
static bool as_it_should(u8 cmd, bool dump, const struct state *a, const struct state *b)
{
	unsigned int dev[2], img[2], src[2], want[4] = { 0 };

	state_diff(a, b, 'D', &dev[0], &dev[1], false);
	state_diff(a, b, 'I', &img[0], &img[1], false);
	state_diff(a, b, 'S', &src[0], &src[1], false);
	if (!dump) {
		bool resize = cmd == YBD_CMD_DEVICE_RESIZE && dev[0];

		want[0] = cmd == YBD_CMD_DEVICE_DETACH || resize;
		want[1] = cmd == YBD_CMD_DEVICE_CREATE || resize;
		want[2] = cmd == YBD_CMD_IMAGE_UNLOAD;
		want[3] = cmd == YBD_CMD_IMAGE_LOAD;
	}
	if (dev[0] == want[0] && dev[1] == want[1] && img[0] == want[2] && img[1] == want[3] &&
	    (want[2] || want[3] || !(src[0] + src[1])))
		return true;
	state_diff(a, b, 'D', &dev[0], &dev[1], true);
	state_diff(a, b, 'I', &img[0], &img[1], true);
	state_diff(a, b, 'S', &src[0], &src[1], true);
	return false;
}

static void show_message(void)
{
	size_t i;

	printf("# message:");
	for (i = 0; i < m.len && i < 512; i++)
		printf("%s%02x", i % 32 ? "" : "\n# ", m.buf[i]);
	printf("\n");
}

/* All that is there goes; false if something will not. */
static bool clear(struct fuzz *f)
{
	struct state s;
	char name[160];
	unsigned int i;
	bool ok = true;

	state_read(&f->n, &s);
	for (i = 0; state_name(&s, 'D', i, name); i++) {
		int ret = device_detach(&f->n, name, true);

		if (ret) {
			ktap_fail("detach %s: %d %s", name, ret, f->n.text);
			ok = false;
		}
	}
	for (i = 0; state_name(&s, 'I', i, name); i++) {
		/* By number: a name may hold anything. */
		nlm_init(&m, &f->n, YBD_CMD_IMAGE_UNLOAD, 0);
		nlm_str(&m, YBD_A_IMAGE_NAME, name);
		if (nlr_call(&f->n, &m, NULL, NULL)) {
			ktap_fail("unload %s: %s", name, f->n.text);
			ok = false;
		}
	}
	state_free(&s);
	return ok;
}

void test_random(struct fuzz *f)
{
	unsigned int i, accepted = 0, changed = 0;
	struct state now, next;
	const char *bad;

	bad = state_read(&f->n, &now);
	for (i = 0; i < f->messages && !bad && !ktap.bad; i++) {
		int map, ret;
		bool dump;
		u8 cmd;

		random_message(f, &map);
		cmd = m.buf[NLMSG_HDRLEN];
		dump = ((struct nlmsghdr *)m.buf)->nlmsg_flags & NLM_F_DUMP;
		ret = nlr_call(&f->n, &m, NULL, NULL);
		if (map >= 0)
			close(map);
		if (ret == -ENOMSG && m.len < NLMSG_HDRLEN + GENL_HDRLEN)
			ret = -EINVAL;
		ktap_check(ret != -ENOMSG && ret != -ENOBUFS, "message %u: no answer", i);
		bad = state_read(&f->n, &next);
		if (bad)
			ktap_fail("message %u: %s", i, bad);
		else if (ret ? !state_same(&now, &next) : !as_it_should(cmd, dump, &now, &next))
			ktap_fail("message %u, command %u, answered %d %s", i, cmd, ret,
				  f->n.text);
		accepted += !ret;
		changed += !state_same(&now, &next);
		if (ktap.bad)
			show_message();
		state_free(&now);
		now = next;
		if (now.devices + now.images > MAX_OBJECTS) {
			clear(f);
			state_free(&now);
			bad = state_read(&f->n, &now);
		}
	}
	state_free(&now);
	printf("# %u messages, %u accepted, %u changed something\n", i, accepted, changed);
	clear(f);
	ktap_done("random messages: what is refused changes nothing");
}

static void pair_child(struct fuzz *f)
{
	unsigned int i;
	int map;

	if (nlr_open(&f->n))
		_exit(1);
	for (i = 0; i < f->messages; i++) {
		random_message(f, &map);
		nlr_call(&f->n, &m, NULL, NULL);
		if (map >= 0)
			close(map);
		if (!(i % 64))
			clear(f);
	}
	_exit(0);
}

void test_pair(struct fuzz *f)
{
	struct state s;
	const char *bad;
	int i, status;
	pid_t pid[2];

	fflush(stdout);
	for (i = 0; i < 2; i++) {
		rng_next(&f->rng);
		pid[i] = fork();
		if (!pid[i]) {
			/* What it says of races is of no interest. */
			if (!freopen("/dev/null", "w", stdout))
				_exit(1);
			pair_child(f);
		}
	}
	for (i = 0; i < 2; i++) {
		if (waitpid(pid[i], &status, 0) != pid[i] || status)
			ktap_fail("client %d: status %#x", i, status);
	}
	bad = state_read(&f->n, &s);
	ktap_check(!bad, "%s", bad);
	state_free(&s);
	clear(f);
	ktap_done("random messages of two clients at once: all that is left goes");
}
