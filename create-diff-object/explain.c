// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instead of all passes behind spread_changes(), with --explain: show functions as they were and as they are, side by side,
 * with what their instructions refer to, the source lines that they come from, and why they changed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "diag.h"
#include "explain.h"

/* A column that is narrower shows nothing. */
#define MIN_COLUMN	20

/* Without a terminal a column is as wide as its text, within these; with one, the terminal's width counts. */
#define MIN_FREE_COLUMN	48
#define MAX_COLUMN	100

/* "  1a4  " */
#define OFFSET_WIDTH	7

struct screen {
	unsigned int width;	/* of everything; 0: as wide as it has to be */
	unsigned int column;	/* of one version */
	const char *old, *new, *other, *source, *bold, *plain;	/* colours */
};

static void open_screen(struct screen *s)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR"), *columns = getenv("COLUMNS");
	bool terminal = isatty(STDOUT_FILENO);
	struct winsize size;

	*s = (struct screen){ .old = "", .new = "", .other = "", .source = "", .bold = "", .plain = "" };
	if (columns && atoi(columns) > 0)
		s->width = atoi(columns);
	else if (terminal && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		s->width = size.ws_col;
	if (!terminal || (no_color && *no_color) || !term || !strcmp(term, "dumb"))
		return;
	s->old = "\033[31m";
	s->new = "\033[32m";
	s->other = "\033[33m";
	s->source = "\033[36m";
	s->bold = "\033[1m";
	s->plain = "\033[0m";
}

/* One piece of text of a column, filled up; *rest moves on behind it. What goes on is indented. */
static void print_piece(const struct screen *s, const char **rest, bool first, bool fill, const char *colour)
{
	unsigned int indent = first ? 0 : OFFSET_WIDTH + 2, room = s->column - indent;
	size_t n = strlen(*rest);

	n = n > room ? room : n;
	if (!n)
		indent = 0;
	printf("%*s%s%.*s%s", (int)indent, "", n ? colour : "", (int)n, *rest, n ? s->plain : "");
	if (fill)
		printf("%*s", (int)(s->column - indent - n), "");
	*rest += n;
}

/* Two texts beside each other, with a mark between them, each wrapped in its column. */
static void print_pair(const struct screen *s, const char *left, const char *right, char mark, const char *colours[2])
{
	bool first = true;

	do {
		print_piece(s, &left, first, *right || mark != ' ', colours[ORIG]);
		if (*right || (first && mark != ' '))
			printf(" %s%c%s%s", mark == ' ' ? "" : s->other, first ? mark : ' ', mark == ' ' ? "" : s->plain,
			       *right ? " " : "");
		print_piece(s, &right, first, false, colours[PATCHED]);
		putchar('\n');
		first = false;
	} while (*left || *right);
}

/* A text that is not in two columns. */
static void print_alone(const struct screen *s, const char *text, const char *colour)
{
	struct screen whole = *s;
	const char *colours[2] = { colour, colour };

	whole.column = s->width > MIN_COLUMN ? s->width : UINT16_MAX;
	print_pair(&whole, text, "", ' ', colours);
}

/* ---- one function ---- */

struct view {
	struct diff *d;
	struct screen *screen;
	const struct atom *atom[2];	/* NULL: only one version has it */
	struct body *bodies[2];
	struct place_of_source at[2];	/* the source line that was shown last */
};

static char *insn_line(const struct insn *in)
{
	bool before = (int64_t)in->off < 0;

	return xasprintf("%c%4" PRIx64 "  %s", before ? '-' : ' ', before ? -in->off : in->off, in->text);
}

/* The function that a line is in, if it is not the one that is shown; NULL. */
static const char *inlined_at(const struct view *v, enum side side, struct place_of_source p)
{
	for (const struct body *b = v->bodies[side]; b; b = b->next)
		if (b->at.file && !strcmp(b->at.file, p.file) && p.line >= b->begin && p.line <= b->end)
			return b->into ? b->name : NULL;
	return NULL;
}

/* "fs/a.c:12 helper(): return x;"; NULL: the same as before, or not known. */
static char *source_of(struct view *v, enum side side, const struct insn *in)
{
	struct place_of_source p;
	const char *text, *inlined;
	char *place, *line;

	if (!in)
		return NULL;
	p = place_of_code(v->d, side, v->atom[side], in->off + v->atom[side]->entry);
	if (!p.file || (v->at[side].file && p.line == v->at[side].line && !strcmp(p.file, v->at[side].file)))
		return NULL;
	v->at[side] = p;
	text = source_line(v->d->sources, side, p);
	if (text)
		text += strspn(text, " \t");
	place = place_title(&v->d->sources->hunks, side, p);
	inlined = inlined_at(v, side, p);
	line = xasprintf("%s%s%s%s%s%s", place, inlined ? " in " : "", inlined ? inlined : "", inlined ? "()" : "",
			 text ? ": " : "", text ? text : "");
	free(place);
	/* Tabs in it would be as wide as they like. */
	for (char *c = line; *c; c++)
		if (*c == '\t')
			*c = ' ';
	return printable(line);
}

/* Is it the same line that both versions come to, whatever number the author has for it? */
static bool same_source(struct view *v)
{
	const struct place_of_source *p = v->at;
	const char *was = source_line(v->d->sources, ORIG, p[ORIG]), *is = source_line(v->d->sources, PATCHED, p[PATCHED]);

	return p[ORIG].line == p[PATCHED].line && !strcmp(p[ORIG].file, p[PATCHED].file) &&
	       (was && is ? !strcmp(was, is) : was == is);
}

static void print_source(struct view *v, const struct row *r)
{
	char *was = source_of(v, ORIG, r->insn[ORIG]), *is = source_of(v, PATCHED, r->insn[PATCHED]);
	const char *colours[2] = { v->screen->source, v->screen->source };

	if (!was && !is)
		return;
	if (was && is && same_source(v))
		print_alone(v->screen, is, v->screen->source);
	else
		print_pair(v->screen, was ? was : "", is ? is : "", ' ', colours);
	free(was);
	free(is);
}

/* Space in front of the entry, for other entries: it says nothing, unless it differs. */
static bool is_prefix(const struct insn *in)
{
	return in && (int64_t)in->off < 0;
}

static void print_row(struct view *v, const struct row *r)
{
	const struct screen *s = v->screen;
	const char *colours[2] = { r->same ? "" : s->old, r->same ? "" : s->new };
	char *was = r->insn[ORIG] ? insn_line(r->insn[ORIG]) : xstrdup("");
	char *is = r->insn[PATCHED] ? insn_line(r->insn[PATCHED]) : xstrdup("");

	print_source(v, r);
	print_pair(s, was, is, r->same ? ' ' : !*was ? '>' : !*is ? '<' : '|', colours);
	free(was);
	free(is);
}

/* Half of the screen, or what the longest instruction takes. */
static void choose_column(struct screen *s, const struct code code[2])
{
	size_t widest = MIN_FREE_COLUMN - OFFSET_WIDTH;

	for (unsigned int side = 0; side < 2; side++)
		for (size_t i = 0; i < code[side].n; i++)
			if (strlen(code[side].insns[i].text) > widest)
				widest = strlen(code[side].insns[i].text);
	widest += OFFSET_WIDTH;
	if (s->width)
		widest = s->width > 3 ? (s->width - 3) / 2 : 0;
	else if (widest > MAX_COLUMN)
		widest = MAX_COLUMN;
	s->column = widest > MIN_COLUMN ? widest : MIN_COLUMN;
}

/* One version only, as there is no other, or both are the same. */
static void print_one(struct view *v, enum side side, const struct code *code)
{
	for (size_t i = 0; i < code->n; i++) {
		char *source, *line;

		if (is_prefix(&code->insns[i]))
			continue;
		source = source_of(v, side, &code->insns[i]);
		line = insn_line(&code->insns[i]);
		if (source)
			print_alone(v->screen, source, v->screen->source);
		print_alone(v->screen, line, "");
		free(source);
		free(line);
	}
}

static void print_both(struct view *v, const struct code code[2])
{
	const char *colours[2] = { v->screen->bold, v->screen->bold };
	struct rows rows;

	align_code(&rows, &code[ORIG], &code[PATCHED]);
	choose_column(v->screen, code);
	print_pair(v->screen, "original", "patched", ' ', colours);
	for (size_t i = 0; i < rows.n; i++)
		if (!rows.list[i].same || !is_prefix(rows.list[i].insn[ORIG]))
			print_row(v, &rows.list[i]);
	free(rows.list);
}

static void print_code(struct view *v, bool differs)
{
	struct code code[2] = { 0 };

	for (enum side side = ORIG; side <= PATCHED; side++)
		if (v->atom[side])
			read_code(&code[side], side, v->atom[side], SIZE_MAX);
	if (differs)
		print_both(v, code);
	else
		print_one(v, v->atom[PATCHED] ? PATCHED : ORIG, &code[v->atom[PATCHED] ? PATCHED : ORIG]);
	free_code(&code[ORIG]);
	free_code(&code[PATCHED]);
}

/* orig or patched, and their cold parts: NULL if there is none. */
static void show_function(struct diff *d, struct screen *s, struct atom *orig, struct atom *patched)
{
	struct view v = { .d = d, .screen = s, .atom = { orig, patched } };
	const struct atom *cold[2] = { orig ? orig->child : NULL, patched ? patched->child : NULL };
	bool differs = orig && patched && patched->state != STATE_SAME;
	const struct atom *one = orig ? orig : patched;
	const char *name;

	if (!one)
		return;
	name = atom_name(one);
	printf("%s%s()%s of %s: %s\n", s->bold, name, s->plain, d->opt.source,
	       !orig ? "new" : !patched ? "removed" : differs ? "changed" : "did not change");
	if (patched)
		explain_function(d, patched);
	for (const struct why *w = patched ? patched->why : NULL; w; w = w->next)
		if (w->kind != WHY_NEW || w->what)
			printf("  %s\n", w->text);
	for (enum side side = ORIG; side <= PATCHED; side++)
		if (v.atom[side])
			v.bodies[side] = bodies_of(d, side, v.atom[side]);
	putchar('\n');
	print_code(&v, differs);
	if (cold[ORIG] || cold[PATCHED]) {
		v.atom[ORIG] = cold[ORIG];
		v.atom[PATCHED] = cold[PATCHED];
		memset(v.at, 0, sizeof(v.at));
		printf("\n%s%s()%s\n\n", s->bold, atom_name(cold[ORIG] ? cold[ORIG] : cold[PATCHED]), s->plain);
		print_code(&v, differs && cold[ORIG] && cold[PATCHED]);
	}
	putchar('\n');
}

/* ---- which functions ---- */

/* By its own name, or as one that the compiler made of it: foo.isra.0. */
static bool is_called(const struct atom *a, const char *name)
{
	size_t n = strlen(name);

	if (!is_function(a) || a->parent)
		return false;
	for (const struct symbol *s = a->syms; s; s = s->next)
		if (!strncmp(s->name, name, n) && (!s->name[n] || s->name[n] == '.'))
			return true;
	return false;
}

static bool show_all(struct diff *d, struct screen *s, const char *name)
{
	bool found = false;

	for_each_atom(&d->patched, a) {
		if (!is_called(a, name) && !(a->twin && is_called(a->twin, name)))
			continue;
		show_function(d, s, a->twin, a);
		found = true;
	}
	for_each_atom(&d->orig, b) {
		if (!is_called(b, name) || b->twin)
			continue;
		show_function(d, s, b, NULL);
		found = true;
	}
	return found;
}

static bool has_inlined(struct diff *d, const struct atom *a, const char *name)
{
	for (const struct body *b = bodies_of(d, PATCHED, a); b; b = b->next)
		if (b->into && !strcmp(b->name, name))
			return true;
	return false;
}

static int not_found(struct diff *d, const char *name)
{
	char *into = NULL, *more;

	for_each_atom(&d->patched, a) {
		if (!is_function(a) || a->parent || !has_inlined(d, a, name))
			continue;
		more = xasprintf("%s%s%s()", into ? into : "", into ? ", " : "", atom_name(a));
		free(into);
		into = more;
	}
	if (into)
		diag_error("%s: %s() has no code of its own, it is inlined into %s; give one of these", d->opt.source, name,
			   into);
	else
		diag_error("%s: has no function %s(); give one that it defines", d->opt.source, name);
	free(into);
	return -1;
}

int explain_functions(struct diff *d)
{
	struct screen s;
	int err = 0;

	find_changed_types(d);
	open_screen(&s);
	for (const struct name_set *n = d->opt.explained; n; n = n->hh.next)
		if (!show_all(d, &s, n->name))
			err = not_found(d, n->name);
	if (fflush(stdout))
		err = diag_error("standard output: cannot write; is the disk full?");
	return err;
}
