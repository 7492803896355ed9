/* SPDX-License-Identifier: GPL-2.0-only */
/* Strings from elsewhere (names in a store, a device's label) made harmless. */
#ifndef YBDCTL_UTF8_H
#define YBDCTL_UTF8_H

#include <stddef.h>

/*
 * Copies of @s, to be freed; NULL without memory.
 * utf8_valid(): each byte that is not part of valid UTF-8 is U+FFFD instead.
 * utf8_printable(): besides, control characters are \xNN.
 */
char *utf8_valid(const char *s);
char *utf8_printable(const char *s);

/* Characters of a valid string; as good as columns for what we print. */
size_t utf8_width(const char *s);

#endif
