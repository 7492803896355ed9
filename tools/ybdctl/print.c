// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "json.h"
#include "print.h"
#include "utf8.h"

enum node_type {
	NODE_OBJECT,
	NODE_LIST,
	NODE_STR,
	NODE_U64,
	NODE_BOOL,
	NODE_NULL,
	NODE_LINE,
};

/**
 * struct node - a value of the tree
 * @next: the next one in the same object or list
 * @child: first member
 * @last: last member
 * @parent: object or list that it is in
 * @key: NULL in a list
 * @cols: columns of a list
 * @type: what it is
 * @num: of NODE_U64 and NODE_BOOL
 * @str: of NODE_STR, as given
 * @text: what text shows; made harmless
 */
struct node {
	struct node *next;
	struct node *child;
	struct node *last;
	struct node *parent;
	const char *key;
	const struct print_column *cols;
	enum node_type type;
	u64 num;
	char *str;
	char *text;
};

static struct node root = { .type = NODE_OBJECT };
static struct node *open_node = &root;
static bool use_json;

static void *must(void *p)
{
	if (!p) {
		fputs("ybdctl: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

int print_use_json(void)
{
	int rc = json_load();

	if (!rc)
		use_json = true;
	return rc;
}

bool print_is_json(void)
{
	return use_json;
}

/* ---- building ---- */

static struct node *node_add(const char *key, enum node_type type)
{
	struct node *n = must(calloc(1, sizeof(*n)));

	n->key = key;
	n->type = type;
	n->parent = open_node;
	if (open_node->last)
		open_node->last->next = n;
	else
		open_node->child = n;
	open_node->last = n;
	return n;
}

void print_object_begin(const char *key)
{
	open_node = node_add(key, NODE_OBJECT);
}

void print_object_end(void)
{
	assert(open_node->type == NODE_OBJECT && open_node->parent);
	open_node = open_node->parent;
}

void print_list_begin(const char *key, const struct print_column *cols)
{
	open_node = node_add(key, NODE_LIST);
	open_node->cols = cols;
}

void print_list_end(void)
{
	assert(open_node->type == NODE_LIST);
	open_node = open_node->parent;
}

void print_str_as(const char *key, const char *val, const char *text)
{
	struct node *n = node_add(key, val ? NODE_STR : NODE_NULL);

	if (val)
		n->str = must(utf8_valid(val));
	n->text = must(utf8_printable(text ? text : "-"));
}

void print_str(const char *key, const char *val)
{
	print_str_as(key, val, val && *val ? val : NULL);
}

void print_strf(const char *key, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int rc;

	va_start(ap, fmt);
	rc = vasprintf(&s, fmt, ap);
	va_end(ap);
	must(rc < 0 ? NULL : s);
	print_str(key, s);
	free(s);
}

static void node_text(struct node *n, const char *text)
{
	n->text = must(strdup(text));
}

void print_u64(const char *key, u64 val)
{
	struct node *n = node_add(key, NODE_U64);
	char buf[24];

	n->num = val;
	snprintf(buf, sizeof(buf), "%llu", (unsigned long long)val);
	node_text(n, buf);
}

const char *print_size_text(u64 val, char buf[PRINT_SIZE_LEN])
{
	static const char unit[] = "KMGTPE";
	unsigned int u = 0;
	u64 tenths;

	if (val < 1024) {
		snprintf(buf, PRINT_SIZE_LEN, "%u", (unsigned int)val);
		return buf;
	}
	while (unit[u + 1] && val >> (10 * (u + 2)))
		u++;
	/* whole units and tenths apart, so that nothing overflows */
	tenths = (val >> (10 * (u + 1))) * 10 +
		 (((val >> (10 * u)) & 1023) * 10 + 512) / 1024;
	if (tenths >= 10240 && unit[u + 1]) {
		tenths = 10;
		u++;
	}
	if (tenths % 10 && tenths < 1000)
		snprintf(buf, PRINT_SIZE_LEN, "%u.%u%c",
			 (unsigned int)(tenths / 10),
			 (unsigned int)(tenths % 10), unit[u]);
	else
		snprintf(buf, PRINT_SIZE_LEN, "%u%c",
			 (unsigned int)((tenths + 5) / 10), unit[u]);
	return buf;
}

void print_size(const char *key, u64 val)
{
	struct node *n = node_add(key, NODE_U64);
	char buf[PRINT_SIZE_LEN];

	n->num = val;
	node_text(n, print_size_text(val, buf));
}

void print_bool(const char *key, bool val)
{
	struct node *n = node_add(key, NODE_BOOL);

	n->num = val;
	node_text(n, val ? "yes" : "no");
}

void print_hex(const char *key, const u8 *val, size_t len)
{
	char *s = must(malloc(2 * len + 1));
	size_t i;

	s[0] = '\0';
	for (i = 0; i < len; i++)
		snprintf(s + 2 * i, 3, "%02x", val[i]);
	print_str(key, s);
	free(s);
}

void print_line(const char *fmt, ...)
{
	struct node *n;
	va_list ap;
	char *s;
	int rc;

	if (use_json)
		return;
	va_start(ap, fmt);
	rc = vasprintf(&s, fmt, ap);
	va_end(ap);
	must(rc < 0 ? NULL : s);
	n = node_add(NULL, NODE_LINE);
	n->text = must(utf8_printable(s));
	free(s);
}

static void node_free_children(struct node *n)
{
	struct node *c, *next;

	for (c = n->child; c; c = next) {
		next = c->next;
		node_free_children(c);
		free(c->str);
		free(c->text);
		free(c);
	}
	n->child = NULL;
	n->last = NULL;
}

void print_drop(void)
{
	node_free_children(&root);
	open_node = &root;
}

/* ---- text ---- */

static void text_members(const struct node *n, unsigned int indent);

static void text_pad(size_t n)
{
	printf("%*s", (int)n, "");
}

static bool is_value(const struct node *n)
{
	return n->type != NODE_OBJECT && n->type != NODE_LIST &&
	       n->type != NODE_LINE;
}

static const struct node *member(const struct node *n, const char *key)
{
	const struct node *c;

	for (c = n->child; c; c = c->next)
		if (c->key && c->text && !strcmp(c->key, key))
			return c;
	return NULL;
}

static const char *cell_text(const struct node *row, const char *key)
{
	const struct node *c = member(row, key);

	return c ? c->text : "-";
}

static size_t column_width(const struct node *list,
			   const struct print_column *col)
{
	size_t w = strlen(col->head), len;
	const struct node *row;

	for (row = list->child; row; row = row->next) {
		len = utf8_width(cell_text(row, col->key));
		if (len > w)
			w = len;
	}
	return w;
}

/* @row: NULL for the headings */
static void text_row(const struct node *list, const struct node *row,
		     const size_t *width)
{
	const struct print_column *col;
	const char *s;
	size_t pad;

	for (col = list->cols; col->key; col++, width++) {
		s = row ? cell_text(row, col->key) : col->head;
		pad = *width - utf8_width(s);
		if (col != list->cols)
			fputs("  ", stdout);
		if (col->right)
			text_pad(pad);
		fputs(s, stdout);
		if (!col->right && col[1].key)
			text_pad(pad);
	}
	putchar('\n');
}

static void text_table(const struct node *list, unsigned int indent)
{
	const struct print_column *col;
	const struct node *row;
	size_t n = 0, *width;

	for (col = list->cols; col->key; col++)
		n++;
	width = must(calloc(n + 1, sizeof(*width)));
	for (n = 0, col = list->cols; col->key; col++)
		width[n++] = column_width(list, col);
	text_pad(indent);
	text_row(list, NULL, width);
	for (row = list->child; row; row = row->next) {
		text_pad(indent);
		text_row(list, row, width);
	}
	free(width);
}

static void text_key(const char *key, size_t width)
{
	const char *p;

	for (p = key; *p; p++)
		putchar(*p == '_' ? ' ' : *p);
	putchar(':');
	text_pad(width - strlen(key));
}

static void text_list(const struct node *n, size_t width, unsigned int indent)
{
	const struct node *c;

	if (n->cols) {
		if (n->parent->child != n)
			putchar('\n');
		text_table(n, indent);
		return;
	}
	if (!n->child || is_value(n->child)) {
		text_pad(indent);
		text_key(n->key, width + 1);
		for (c = n->child; c; c = c->next)
			printf("%s%s", c->text, c->next ? ", " : "");
		puts(n->child ? "" : "-");
		return;
	}
	for (c = n->child; c; c = c->next) {
		if (c != n->child)
			putchar('\n');
		text_members(c, indent);
	}
}

static void text_members(const struct node *n, unsigned int indent)
{
	const struct node *c;
	size_t width = 0;

	for (c = n->child; c; c = c->next)
		if (c->key && c->type != NODE_OBJECT && strlen(c->key) > width)
			width = strlen(c->key);
	for (c = n->child; c; c = c->next) {
		if (c->type == NODE_LIST) {
			text_list(c, width, indent);
			continue;
		}
		text_pad(indent);
		if (c->type == NODE_OBJECT) {
			text_key(c->key, strlen(c->key));
			putchar('\n');
			text_members(c, indent + 2);
			continue;
		}
		if (c->key)
			text_key(c->key, width + 1);
		puts(c->text);
	}
}

/* ---- JSON ---- */

static struct json_object *to_json(const struct node *n)
{
	struct json_object *o, *v;
	const struct node *c;

	switch (n->type) {
	case NODE_STR:
		return must(json.new_string(n->str));
	case NODE_U64:
		return must(json.new_u64(n->num));
	case NODE_BOOL:
		return must(json.new_bool(n->num));
	case NODE_NULL:
	case NODE_LINE:
		return NULL;
	case NODE_LIST:
	case NODE_OBJECT:
		break;
	}
	o = must(n->type == NODE_LIST ? json.new_array() : json.new_object());
	for (c = n->child; c; c = c->next) {
		v = to_json(c);
		must(n->type == NODE_LIST ?
		     !json.array_add(o, v) ? o : NULL :
		     !json.object_add(o, c->key, v) ? o : NULL);
	}
	return o;
}

int print_flush(bool stream)
{
	struct json_object *o;

	if (!use_json) {
		text_members(&root, 0);
	} else if (root.child) {
		o = to_json(&root);
		puts(must((void *)json_text(o, stream)));
		json.put(o);
	}
	print_drop();
	errno = 0;
	if (fflush(stdout) || ferror(stdout))
		return errno ? -errno : -EIO;
	return 0;
}
