// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>

#include "types.h"
#include "utf8.h"

/* Length of the valid character at @s, its value in @cp; 0 when there is none. */
static size_t decode(const unsigned char *s, u32 *cp)
{
	static const u32 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len, i;

	if (s[0] < 0x80) {
		*cp = s[0];
		return 1;
	}
	len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	*cp = s[0] & (0x7f >> len);
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	if (*cp < least[len] || *cp > 0x10ffff ||
	    (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return len;
}

static bool is_control(u32 cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) ||
	       (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069);
}

static char *clean(const char *in, bool printable)
{
	const unsigned char *s = (const unsigned char *)in;
	char *out, *p;
	u32 cp;
	size_t len;

	/* the worst is a control character: one byte becomes four */
	out = malloc(4 * strlen(in) + 1);
	if (!out)
		return NULL;
	for (p = out; *s; s += len) {
		len = decode(s, &cp);
		if (!len) {
			len = 1;
			p = stpcpy(p, "\xef\xbf\xbd");
		} else if (printable && is_control(cp)) {
			for (size_t i = 0; i < len; i++)
				p += sprintf(p, "\\x%02x", s[i]);
		} else {
			p = mempcpy(p, s, len);
		}
	}
	*p = '\0';
	return out;
}

char *utf8_valid(const char *s)
{
	return clean(s, false);
}

char *utf8_printable(const char *s)
{
	return clean(s, true);
}

size_t utf8_width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}
