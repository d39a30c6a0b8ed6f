// SPDX-License-Identifier: GPL-2.0-only
/*
 * What does the patch change: macros, declarations, types, functions? Found in the texts of the changed lines, in
 * the kernel's style; for explanations only.
 */
#include <ctype.h>
#include <stdlib.h>

#include "diag.h"
#include "explain.h"

/* Nobody writes more changed lines; who makes them up need not be told everything. */
#define MAX_LINES 200000

/* The brace at the margin that begins the function of a line; 0: it is in none. */
static unsigned int function_brace(struct sources *s, enum side side, struct place_of_source p)
{
	const char *line;

	for (unsigned int first = p.line; p.line && (line = source_line(s, side, p)); p.line--) {
		if (*line == '{')
			return p.line;
		if (*line == '}' && p.line != first)
			return 0;
	}
	return 0;
}

/* Does nothing stand there that a compiler reads? */
static bool says_nothing(const char *line)
{
	line += strspn(line, " \t");
	return !*line || has_prefix(line, "/*") || has_prefix(line, "//") || has_prefix(line, "* ") ||
	       !strcmp(line, "*") || has_prefix(line, "*/");
}

/* Takes where. */
static void add_name(struct sources *s, const char *word, size_t n, enum name_kind kind, char *where)
{
	struct changed_name *c;

	HASH_FIND(hh, s->names, word, n, c);
	if (c) {
		c->kind = kind > c->kind ? kind : c->kind;
		free(where);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->name = xasprintf("%.*s", (int)n, word);
	c->kind = kind;
	c->where = where;
	HASH_ADD_KEYPTR(hh, s->names, c->name, n, c);
}

static bool is_keyword(const char *word, size_t n)
{
	static const char *const words[] = { "int", "long", "char", "short", "unsigned", "signed", "void", "struct",
					     "union", "enum", "static", "inline", "const", "extern", "volatile",
					     "typedef", "if", "else", "return", "bool", "__attribute__", "sizeof" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strlen(words[i]) == n && !memcmp(words[i], word, n))
			return true;
	return false;
}

struct declarations {
	struct sources *s;
	const struct hunk *k;
	const char *line;
};

/* Is it what the line declares: "int b : 3;", "RED = 2,", "int f(int x)" declares f, and not x? */
static void note_declared(void *arg, const char *word, size_t n)
{
	struct declarations *decl = arg;
	const char *next = word + n + strspn(word + n, " \t");
	int depth = 0;

	for (const char *c = decl->line; c < word; c++)
		depth += (*c == '(') - (*c == ')');
	if (depth == 0 && !is_keyword(word, n) && (!*next || strchr(";,=([:}", *next)))
		add_name(decl->s, word, n, NAME_OTHER, hunk_title(decl->k));
}

struct function_name {
	const char *line, *name;
	size_t n;
};

/* The first name with a parenthesis behind it. */
static void find_function_name(void *arg, const char *word, size_t n)
{
	struct function_name *f = arg;

	if (!f->name && word[n] == '(' && !has_prefix(word, "__attribute__") && *f->line != ' ' && *f->line != '\t') {
		f->name = word;
		f->n = n;
	}
}

/* The function whose body begins at *p: its name is on one of the lines before, to which *p is moved. */
static struct function_name function_of_body(struct sources *s, enum side side, struct place_of_source *p)
{
	struct function_name f = { 0 };

	for (unsigned int i = 0; i < 6 && p->line > 1 && !f.name; i++) {
		p->line--;
		f.line = source_line(s, side, *p);
		if (!f.line || !*f.line || *f.line == '}' || *f.line == '#')
			break;
		for_each_word(f.line, find_function_name, &f);
	}
	return f;
}

static void note_function(struct sources *s, enum side side, struct place_of_source p)
{
	struct function_name f = function_of_body(s, side, &p);

	if (f.name)
		add_name(s, f.name, f.n, NAME_FUNCTION, place_title(&s->hunks, side, p));
}

char *enclosing_function(struct sources *s, enum side side, struct place_of_source p)
{
	struct function_name f;

	p.line = function_brace(s, side, p);
	if (!p.line)
		return NULL;
	f = function_of_body(s, side, &p);
	return f.name ? xasprintf("%.*s", (int)f.n, f.name) : NULL;
}

static bool read_line(struct sources *s, enum side side, const struct hunk *k, unsigned int number)
{
	struct place_of_source p = { k->file, number };
	struct declarations decl = { s, k, source_line(s, side, p) };
	const char *macro;
	unsigned int brace;
	size_t n;

	if (!decl.line || says_nothing(decl.line))
		return false;
	macro = macro_of_line(s, side, p, &n);
	if (macro) {
		add_name(s, macro, n, NAME_MACRO, hunk_title(k));
		return true;
	}
	brace = function_brace(s, side, p);
	if (brace) {
		note_function(s, side, (struct place_of_source){ k->file, brace });
		return false;
	}
	for_each_word(decl.line, note_declared, &decl);
	return true;
}

static void read_names(struct sources *s)
{
	unsigned int left = MAX_LINES;

	s->names_read = true;
	for (struct hunk *k = s->hunks.list; k < s->hunks.list + s->hunks.n; k++)
		for (unsigned int line = k->first; line <= k->last && left; line++, left--)
			for (enum side side = ORIG; side <= PATCHED; side++)
				if (line - k->first < k->lines[side])
					k->outside |= read_line(s, side, k, line);
}

const struct changed_name *find_changed_name(struct sources *s, const char *word, size_t n)
{
	struct changed_name *c;

	if (!s->names_read)
		read_names(s);
	HASH_FIND(hh, s->names, word, n, c);
	return c;
}

char *hunks_outside(struct sources *s)
{
	const struct hunk *first = NULL;
	unsigned int more = 0;
	char *title, *text;

	if (!s->names_read)
		read_names(s);
	for (const struct hunk *k = s->hunks.list; k < s->hunks.list + s->hunks.n; k++) {
		if (!k->outside)
			continue;
		more += first != NULL;
		first = first ? first : k;
	}
	if (!first)
		return NULL;
	title = hunk_title(first);
	if (!more)
		return title;
	text = xasprintf("%s and %u more", title, more);
	free(title);
	return text;
}
