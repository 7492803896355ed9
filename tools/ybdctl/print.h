/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All that ybdctl writes to stdout, as text or as JSON, from the same calls:
 * the two cannot drift apart.
 *
 * The calls build a tree, whose root is an object. As JSON the tree is written
 * as it is (by json-c, which is loaded only then). As text
 *
 * - an object is lines of "key: value", aligned; a nested one is indented,
 * - a list with columns is a table; each object in it is a row, and values
 *   whose key is no column are left out,
 * - a list without columns is one value after the other on one line, or one
 *   object after the other,
 * - a line (print_line()) stands as it is.
 *
 * Keys are lower case with underscores, string literals (they are not copied),
 * and part of the tool's interface: see ybdctl(8). Strings may hold any bytes:
 * control characters and what is not UTF-8 are made harmless in both forms.
 *
 * Nothing is written before print_flush(). Running out of memory ends the
 * program with exit code 1.
 */
#ifndef YBDCTL_PRINT_H
#define YBDCTL_PRINT_H

#include "types.h"

/**
 * struct print_column - a column of a table
 * @key: key of the values shown in it
 * @head: its heading
 * @right: aligned to the right
 *
 * An array of them ends with one whose @key is NULL.
 */
struct print_column {
	const char *key;
	const char *head;
	bool right;
};

/* JSON from now on; the default is text. 0, or a negative errno. */
int print_use_json(void);
/* Is it JSON? For the few places that show less as text. */
bool print_is_json(void);

/* @key: NULL for an element of a list. */
void print_object_begin(const char *key);
void print_object_end(void);
/* @cols: for text; NULL for a list without columns. */
void print_list_begin(const char *key, const struct print_column *cols);
void print_list_end(void);

/* @val: NULL is null in JSON and "-" in text. */
void print_str(const char *key, const char *val);
/* @text: what text shows instead of @val, such as a name with a tree before it. */
void print_str_as(const char *key, const char *val, const char *text);
void print_strf(const char *key, const char *fmt, ...) __printf(2, 3);
void print_u64(const char *key, u64 val);
/* A number of bytes; text shows it with a binary suffix, and exactly. */
void print_size(const char *key, u64 val);
void print_bool(const char *key, bool val);
/* @len bytes as hexadecimal digits. */
void print_hex(const char *key, const u8 *val, size_t len);

/* A line of text; nothing as JSON. */
void print_line(const char *fmt, ...) __printf(1, 2);

/**
 * print_flush() - write what was built and start anew
 * @stream: the output is one of many: JSON on a single line
 *
 * main() calls it when the command has succeeded; a command only between
 * records of a stream. JSON that holds nothing is not written.
 *
 * Return: 0, or the negative errno of writing to stdout.
 */
int print_flush(bool stream);

/* Forget what was built. */
void print_drop(void);

/* "4096", "1.5M", "20G": at most one decimal, rounded. */
#define PRINT_SIZE_LEN 16
const char *print_size_text(u64 val, char buf[PRINT_SIZE_LEN]);

#endif
