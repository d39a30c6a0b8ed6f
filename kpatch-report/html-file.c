// SPDX-License-Identifier: GPL-2.0-only
/* Patches and functions in the page, line by line; see html.h. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "html.h"

/* So many lines around a difference are shown, and what is between them is folded if it is more than that. */
#define CONTEXT 8

struct line {
	char *text;
	const char *class;	/* NULL: none */
};

struct lines {
	struct line *list;
	size_t n, room;
};

/* What the mark between two columns says, which stands at column: |, < or >. */
static const char *class_of_mark(const char *line, size_t column)
{
	if (strlen(line) <= column || line[column - 1] != ' ')
		return NULL;
	switch (line[column]) {
	case '|':
		return "mod";
	case '<':
		return "del";
	case '>':
		return "add";
	}
	return NULL;
}

/* A line of --explain: the mark stands two places in front of the second column's heading. */
static const char *class_of_pair(const char *line, size_t *column)
{
	const char *second = strstr(line, " patched");

	if (!strncmp(line, "original ", 9) && second && !strcmp(second, " patched"))
		*column = second - line - 1;
	if (*line != ' ')
		return "at";
	return *column ? class_of_mark(line, *column) : NULL;
}

/*
 * A line of what is told behind a message: text, which may be wrapped; a picture of a layout, with a mark as above; or
 * something to paste, which is indented.
 */
static const char *class_of_detail(const char *line, size_t *column)
{
	static const char *const heads[][2] = {
		{ "offset  size  original ", "offset  size  patched" },
		{ " value  original ", " value  patched" },
	};

	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		const char *second = strstr(line, heads[i][1]);

		if (second && second - line > 2 && !strncmp(line, heads[i][0], strlen(heads[i][0]))) {
			*column = second - line - 2;
			return "at";
		}
	}
	if (strstr(line, "  "))
		return *column ? class_of_mark(line, *column) : NULL;
	*column = 0;
	return "text";
}

static const char *class_of_diff(const char *line)
{
	return *line == '+' ? "add" : *line == '-' ? "del" : !strncmp(line, "@@", 2) ? "at" : NULL;
}

static bool is_difference(const struct line *l)
{
	return l->class && strcmp(l->class, "at");
}

static void put_line(FILE *out, const struct line *l)
{
	fprintf(out, l->class ? "<span class=\"%s\">" : "<span>", l->class);
	html_put(out, *l->text ? l->text : " ");
	fputs("</span>", out);
}

void html_put_detail(FILE *out, const char *line, size_t *column)
{
	struct line l = { .text = (char *)line, .class = class_of_detail(line, column) };

	put_line(out, &l);
}

/* The lines from..to, none of which differs. */
static void put_same(FILE *out, const struct lines *lines, size_t from, size_t to)
{
	size_t before = from ? CONTEXT : 0, behind = to < lines->n ? CONTEXT : 0;
	bool fold = to - from > before + behind + CONTEXT;

	for (size_t i = from; i < to; i++) {
		if (fold && i == from + before)
			fprintf(out, "<details><summary>%zu lines without a difference</summary>",
				to - from - before - behind);
		put_line(out, &lines->list[i]);
		if (fold && i + 1 == to - behind)
			fputs("</details>", out);
	}
}

static void put_lines(FILE *out, const struct lines *lines)
{
	size_t from = 0;

	for (size_t i = 0; i < lines->n; i++) {
		if (!is_difference(&lines->list[i]))
			continue;
		put_same(out, lines, from, i);
		put_line(out, &lines->list[i]);
		from = i + 1;
	}
	put_same(out, lines, from, lines->n);
}

static void read_lines(FILE *in, struct lines *lines, bool pairs)
{
	size_t column = 0, room = 0;
	char *text = NULL;
	ssize_t len;

	while ((len = getline(&text, &room, in)) >= 0) {
		if (len && text[len - 1] == '\n')
			text[len - 1] = '\0';
		if (lines->n == lines->room) {
			lines->room = lines->room ? lines->room * 2 : 256;
			lines->list = xrealloc(lines->list, lines->room, sizeof(*lines->list));
		}
		lines->list[lines->n++] = (struct line){
			.text = xstrdup(text),
			.class = pairs ? class_of_pair(text, &column) : class_of_diff(text),
		};
	}
	free(text);
}

int html_put_file(FILE *out, const char *path, bool pairs)
{
	struct lines lines = { 0 };
	FILE *in = fopen(path, "re");
	int ret = 0;

	if (!in)
		return diag_error("%s: %s; is the path right?", path, strerror(errno));
	read_lines(in, &lines, pairs);
	if (ferror(in))
		ret = diag_error("%s: cannot be read", path);
	fclose(in);
	fputs("<pre>", out);
	if (pairs)
		put_lines(out, &lines);
	else
		for (size_t i = 0; i < lines.n; i++)
			put_line(out, &lines.list[i]);
	fputs("</pre>\n", out);
	for (size_t i = 0; i < lines.n; i++)
		free(lines.list[i].text);
	free(lines.list);
	return ret;
}
