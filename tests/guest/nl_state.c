// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>

#include "nl_state.h"

static void add_line(struct state *s, const char *text)
{
	s->line = realloc(s->line, (s->n + 1) * sizeof(*s->line));
	if (!s->line)
		die("out of memory");
	s->line[s->n] = strdup(text);
	if (!s->line[s->n++])
		die("out of memory");
}

static void take_device(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[YBD_A_DEVICE_MAX + 1];
	struct state *s = arg;
	char text[512];

	nlr_parse(h, tb, YBD_A_DEVICE_MAX);
	snprintf(text, sizeof(text), "D %s %u %s image %u %s upper %u size %" PRIu64
		 " block %u state %u", nla_strv(tb[YBD_A_DEVICE_NAME]),
		 nla_u32v(tb[YBD_A_DEVICE_ID]), nla_strv(tb[YBD_A_DEVICE_DISK]),
		 nla_u32v(tb[YBD_A_DEVICE_IMAGE_ID]), nla_strv(tb[YBD_A_DEVICE_IMAGE_NAME]),
		 nla_u32v(tb[YBD_A_DEVICE_UPPER]), nla_u64v(tb[YBD_A_DEVICE_SIZE]),
		 nla_u32v(tb[YBD_A_DEVICE_LOGICAL_BLOCK_SIZE]),
		 nla_u32v(tb[YBD_A_DEVICE_STATE]));
	add_line(s, text);
	s->devices++;
}

static void take_image(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[YBD_A_IMAGE_MAX + 1];
	struct state *s = arg;
	char text[512];

	nlr_parse(h, tb, YBD_A_IMAGE_MAX);
	snprintf(text, sizeof(text), "I %s %u size %" PRIu64 " block %u extents %u kind %u map %"
		 PRIu64 " mapped %" PRIu64 " flags %u layers %u",
		 nla_strv(tb[YBD_A_IMAGE_NAME]), nla_u32v(tb[YBD_A_IMAGE_ID]),
		 nla_u64v(tb[YBD_A_IMAGE_SIZE]), nla_u32v(tb[YBD_A_IMAGE_LOGICAL_BLOCK_SIZE]),
		 nla_u32v(tb[YBD_A_IMAGE_EXTENT_COUNT]), nla_u32v(tb[YBD_A_IMAGE_MAP_KIND]),
		 nla_u64v(tb[YBD_A_IMAGE_MAP_BYTES]), nla_u64v(tb[YBD_A_IMAGE_MAPPED_BYTES]),
		 nla_u32v(tb[YBD_A_IMAGE_FLAGS]), nla_u32v(tb[YBD_A_IMAGE_LAYERS]));
	add_line(s, text);
	s->images++;
}

static void take_source(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *one[2], *tb[YBD_A_SOURCE_MAX + 1];
	struct state *s = arg;
	char text[512];

	nlr_parse(h, one, 1);
	if (!one[1])
		die("an answer lacks the source");
	nlr_parse_nest(one[1], tb, YBD_A_SOURCE_MAX);
	snprintf(text, sizeof(text), "S %s %u %s %u:%u size %" PRIu64 " block %u images %u",
		 nla_strv(tb[YBD_A_SOURCE_NAME]), nla_u32v(tb[YBD_A_SOURCE_ID]),
		 nla_strv(tb[YBD_A_SOURCE_DISK]), nla_u32v(tb[YBD_A_SOURCE_MAJOR]),
		 nla_u32v(tb[YBD_A_SOURCE_MINOR]), nla_u64v(tb[YBD_A_SOURCE_SIZE]),
		 nla_u32v(tb[YBD_A_SOURCE_LOGICAL_BLOCK_SIZE]),
		 nla_u32v(tb[YBD_A_SOURCE_IMAGES]));
	add_line(s, text);
	s->sources++;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

const char *state_read(struct nlr *n, struct state *s)
{
	static const struct {
		u8 cmd;
		nlr_fn fn;
	} dumps[] = {
		{ YBD_CMD_DEVICE_GET, take_device },
		{ YBD_CMD_IMAGE_GET, take_image },
		{ YBD_CMD_SOURCE_GET, take_source },
	};
	static __thread struct nlm m;
	u32 devices, images;
	unsigned int i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < ARRAY_LEN(dumps); i++) {
		nlm_init(&m, n, dumps[i].cmd, NLM_F_DUMP);
		if (nlr_call(n, &m, dumps[i].fn, s))
			return "a dump failed";
		if (n->intr)
			return "a dump was interrupted";
	}
	qsort(s->line, s->n, sizeof(*s->line), by_text);
	if (info_get(n, &devices, &images))
		return "info failed";
	if (devices != s->devices || images != s->images)
		return "info and dumps count differently";
	return NULL;
}

void state_free(struct state *s)
{
	while (s->n)
		free(s->line[--s->n]);
	free(s->line);
	memset(s, 0, sizeof(*s));
}

void state_diff(const struct state *a, const struct state *b, char kind,
		unsigned int *gone, unsigned int *come, bool show)
{
	size_t i = 0, j = 0;

	*gone = *come = 0;
	while (i < a->n || j < b->n) {
		int c = i == a->n ? 1 : j == b->n ? -1 : strcmp(a->line[i], b->line[j]);
		const char *line = c <= 0 ? a->line[i] : b->line[j];

		i += c <= 0;
		j += c >= 0;
		if (!c || *line != kind)
			continue;
		if (c < 0)
			++*gone;
		else
			++*come;
		if (show)
			printf("# %c %s\n", c < 0 ? '-' : '+', line);
	}
}

bool state_same(const struct state *a, const struct state *b)
{
	size_t i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if (strcmp(a->line[i], b->line[i]))
			return false;
	return true;
}

const char *state_name(const struct state *s, char kind, unsigned int i, char buf[160])
{
	size_t l;

	for (l = 0; l < s->n; l++)
		if (*s->line[l] == kind && !i--)
			return sscanf(s->line[l] + 2, "%159s", buf) == 1 ? buf : NULL;
	return NULL;
}
