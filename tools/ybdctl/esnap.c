// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "esnap.h"
#include "names.h"

static void check_pair(const char *pair)
{
	const char *eq = strchr(pair, '=');
	char text[YBD_UUID_TEXT_LEN];
	u8 uuid[16];

	if (eq && eq[1] && eq - pair == YBD_UUID_TEXT_LEN - 1) {
		memcpy(text, pair, YBD_UUID_TEXT_LEN - 1);
		text[YBD_UUID_TEXT_LEN - 1] = '\0';
		if (!ybd_uuid_parse(text, uuid))
			return;
	}
	cmd_usage("--esnap: \"%s\" is not UUID=SOURCE", pair);
}

void esnap_check(const struct opt_list *pairs)
{
	for (size_t i = 0; i < pairs->n; i++)
		check_pair(pairs->v[i]);
}

int esnap_find(void *finder, const char *id, u64 len, struct lvs_error *err)
{
	struct ybd_error e = { 0 };
	struct ybd_source *s;
	int rc = ybd_finder_esnap(finder, id, len, &s, &e);

	if (!rc)
		return s->fd;
	if (err) {
		err->code = rc;
		snprintf(err->text, sizeof(err->text), "%.*s",
			 (int)sizeof(err->text) - 1, e.text);
	}
	return rc;
}
