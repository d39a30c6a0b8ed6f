// SPDX-License-Identifier: GPL-2.0-only
/*
 * Behind a refusal of layout.c: the type as it was and as it is beside each other, where both are defined, and which of the
 * functions that would be replaced use it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "diag.h"
#include "explain.h"
#include "types.h"

/* Rows of one picture, members that are looked at, characters of a column, and functions that are named. */
#define MAX_ROWS	16
#define MAX_PARTS	4000
#define MAX_TEXT	56
#define MAX_NAMED	8

/* Rows that are shown around a change. */
#define CONTEXT		1

/* A member of either version, or of both. */
struct line {
	const struct part *part[2];
	bool differs;		/* there once, or of another type */
	bool moved;		/* the same at another place */
	bool shown;
};

struct picture {
	const struct type *type[2];
	struct line *lines;
	size_t n;
};

static const struct part *find_part(const struct type *t, const struct part *wanted, size_t from)
{
	for (size_t i = 0; i < t->nparts; i++) {
		const struct part *p = &t->parts[(from + i) % t->nparts];

		if (p->name && wanted->name ? !strcmp(p->name, wanted->name) :
					      !p->name && !wanted->name && (from + i) % t->nparts == from)
			return p;
	}
	return NULL;
}

static bool same_type(const struct part *x, const struct part *y)
{
	char *a, *b;
	bool same;

	if (!x->type || !y->type)
		return x->type == y->type;
	a = member_title(x);
	b = member_title(y);
	same = !strcmp(a, b) && x->type->size == y->type->size;
	free(a);
	free(b);
	return same;
}

static void add_line(struct picture *p, const struct part *was, const struct part *is)
{
	p->lines[p->n++] = (struct line){ .part = { was, is }, .differs = !was || !is || !same_type(was, is),
					  .moved = was && is && was->value != is->value };
}

/*
 * In the order of the patched version; what is gone stands where it was. A member that was moved in front of others
 * stands beside its old version.
 */
static void draw(struct picture *p)
{
	const struct type *orig = p->type[ORIG], *patched = p->type[PATCHED];
	size_t i = 0;

	p->lines = xcalloc(orig->nparts + patched->nparts + 1, sizeof(*p->lines));
	for (size_t j = 0; j < patched->nparts; j++) {
		const struct part *is = &patched->parts[j], *was = find_part(orig, is, i);

		for (; i < orig->nparts && &orig->parts[i] != was && !find_part(patched, &orig->parts[i], j); i++)
			add_line(p, &orig->parts[i], NULL);
		add_line(p, was, is);
		if (was)
			i = was - orig->parts + 1;
	}
	for (; i < orig->nparts; i++)
		if (!find_part(patched, &orig->parts[i], 0))
			add_line(p, &orig->parts[i], NULL);
}

static void show_around(struct picture *p, size_t i)
{
	size_t first = i < CONTEXT ? 0 : i - CONTEXT;

	for (size_t j = first; j <= i + CONTEXT && j < p->n; j++)
		p->lines[j].shown = true;
}

/* What differs, and what stands around it; if members only move, the first ones that do. */
static void choose_lines(struct picture *p)
{
	bool any = false;

	for (size_t i = 0; i < p->n; i++)
		if (p->lines[i].differs) {
			show_around(p, i);
			any = true;
		}
	for (size_t i = 0; i < p->n && !any; i++)
		if (p->lines[i].moved) {
			show_around(p, i);
			any = i + 1 < p->n && !p->lines[i + 1].moved;
		}
}

/* "    8    4  unsigned int flags", "   12.3  :2  int a", "    3  RED": place, size and declaration. */
static char *describe(const struct part *p)
{
	char *decl, *text, place[32], size[24];

	if (!p)
		return xstrdup("");
	if (!p->type)
		return xasprintf("%6" PRId64 "  %s", (int64_t)p->value, p->name ? p->name : "?");
	decl = member_declaration(p);
	if (p->width || p->value % 8)
		snprintf(place, sizeof(place), "%" PRIu64 ".%u", p->value / 8, (unsigned int)(p->value % 8));
	else
		snprintf(place, sizeof(place), "%" PRIu64, p->value / 8);
	if (p->width)
		snprintf(size, sizeof(size), ":%" PRIu64, p->width);
	else
		snprintf(size, sizeof(size), "%" PRIu64, p->type->size);
	text = xasprintf("%6s %5s  %s", place, size, decl);
	free(decl);
	if (strlen(text) > MAX_TEXT)
		strcpy(text + MAX_TEXT - 3, "...");
	return printable(text);
}

static void print_line(const char *left, const char *right, char mark, int width)
{
	char *text = xasprintf("%-*s %c %s", width, left, mark, right);
	size_t n = strlen(text);

	while (n && text[n - 1] == ' ')
		text[--n] = '\0';
	diag_detail("%s", text);
	free(text);
}

static bool has_values(const struct picture *p)
{
	return p->type[PATCHED]->tag == DW_TAG_enumeration_type;
}

static void print_heads(const struct picture *p, int width)
{
	if (has_values(p))
		print_line(" value  original", " value  patched", ' ', width);
	else
		print_line("offset  size  original", "offset  size  patched", ' ', width);
}

static void print_sizes(const struct picture *p, int width)
{
	uint64_t was = p->type[ORIG]->size, is = p->type[PATCHED]->size;
	char *left, *right;

	if (has_values(p))
		return;
	left = xasprintf("%12" PRIu64 "  in all", was);
	right = xasprintf("%12" PRIu64 "  in all", is);
	print_line(left, right, was == is ? ' ' : '|', width);
	free(left);
	free(right);
}

static void print_picture(const struct picture *p)
{
	char *left[MAX_ROWS], *right[MAX_ROWS], mark[MAX_ROWS];
	size_t n = 0, more = 0, last = 0;
	int width = 24;
	bool gap[MAX_ROWS];

	for (size_t i = 0; i < p->n; i++) {
		const struct line *l = &p->lines[i];

		if (!l->shown || n == MAX_ROWS) {
			more += l->differs || l->moved;
			continue;
		}
		gap[n] = i > last;
		last = i + 1;
		left[n] = describe(l->part[ORIG]);
		right[n] = describe(l->part[PATCHED]);
		mark[n] = !l->part[ORIG] ? '>' : !l->part[PATCHED] ? '<' : l->differs || l->moved ? '|' : ' ';
		if ((int)strlen(left[n]) > width)
			width = strlen(left[n]);
		n++;
	}
	print_heads(p, width);
	for (size_t i = 0; i < n; i++) {
		if (gap[i])
			print_line("     ...", "     ...", ' ', width);
		print_line(left[i], right[i], mark[i], width);
		free(left[i]);
		free(right[i]);
	}
	if (last < p->n)
		print_line("     ...", "     ...", ' ', width);
	print_sizes(p, width);
	if (more && has_values(p))
		diag_detail("%zu more %s of another value", more, more == 1 ? "enumerator" : "enumerators");
	else if (more)
		diag_detail("%zu more %s at another place or of another type", more, more == 1 ? "member" : "members");
}

void show_places(struct diff *d, const char *name, struct place_of_source was, struct place_of_source is)
{
	const struct hunks *h = &d->sources->hunks;
	char *a, *b;

	if (!was.file || !is.file)
		return;
	a = place_title(h, ORIG, was);
	b = place_title(h, PATCHED, is);
	if (strcmp(a, b))
		diag_detail("%s was defined at %s, is defined at %s", name, a, b);
	else
		diag_detail("%s is defined at %s", name, a);
	free(a);
	free(b);
}

static void print_functions(struct diff *d, const struct named_type *is)
{
	size_t n = 0, more = 0;
	char *list = NULL, *next;

	for_each_atom(&d->patched, a) {
		struct place_of_source at;
		char *place;

		if (!is_function(a) || a->parent || a->state == STATE_SAME || !uses_type(d, PATCHED, a, is->entry))
			continue;
		if (n++ == MAX_NAMED) {
			n = MAX_NAMED;
			more++;
			continue;
		}
		at = place_of_function(d, PATCHED, a);
		place = at.file ? place_title(&d->sources->hunks, PATCHED, at) : NULL;
		next = xasprintf("%s%s%s()%s%s", list ? list : "", list ? ", " : "", atom_name(a), place ? " at " : "",
				 place ? place : "");
		free(list);
		free(place);
		list = next;
	}
	if (list && more)
		diag_detail("changed functions that use it: %s and %zu more", list, more);
	else if (list)
		diag_detail("changed functions that use it: %s", list);
	free(list);
}

void show_layout(struct diff *d, const struct named_type *was, const struct named_type *is)
{
	struct picture p = { .type = { was->type, is->type } };

	show_places(d, is->name, place_of_entry(d, ORIG, was->entry), place_of_entry(d, PATCHED, is->entry));
	if (was->type->nparts <= MAX_PARTS && is->type->nparts <= MAX_PARTS) {
		draw(&p);
		choose_lines(&p);
		print_picture(&p);
		free(p.lines);
	}
	print_functions(d, is);
}
