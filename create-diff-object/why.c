// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pass find_reasons(): why does each function of the output change? Looked for in this order: what made it change, if it
 * does not differ itself; lines of its own source and of what is inlined into it; what its source names and the patch
 * changes elsewhere; types; what the compiler decided otherwise. Only for people: nothing depends on it.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "diag.h"
#include "explain.h"
#include "types.h"

/* Reasons of one kind that are told of one function. */
#define MAX_TOLD 4

const char *const why_names[] = {
	[WHY_NEW] = "new",	   [WHY_LINES] = "lines",   [WHY_INLINE] = "inline",	 [WHY_COLD] = "cold",
	[WHY_CONSTANT] = "constant", [WHY_CARRIED] = "carried", [WHY_MACRO] = "macro", [WHY_NAME] = "name",
	[WHY_LAYOUT] = "layout",     [WHY_INLINING] = "inlining", [WHY_SEEN] = "seen",	 [WHY_NOISE] = "noise",
	[WHY_CODE] = "code",
};

/* What is known about one function while its reasons are looked for. */
struct inquiry {
	struct diff *d;
	struct atom *a;
	struct body *bodies[2];
	struct why **end;
	unsigned int told;	/* of the kind that is being looked for */
};

static bool has_reason(const struct inquiry *q, enum why_kind kind, const char *what, const char *where)
{
	for (const struct why *w = q->a->why; w; w = w->next)
		if (w->kind == kind && !strcmp(w->what ? w->what : "", what ? what : "") &&
		    !strcmp(w->where ? w->where : "", where ? where : ""))
			return true;
	return false;
}

/* Takes where and text; what is copied. */
static void add_reason(struct inquiry *q, enum why_kind kind, const char *what, char *where, char *text)
{
	struct why *w;

	if (q->told >= MAX_TOLD || has_reason(q, kind, what, where)) {
		free(where);
		free(text);
		return;
	}
	q->told++;
	w = xcalloc(1, sizeof(*w));
	*w = (struct why){ .kind = kind, .what = what ? printable(xstrdup(what)) : NULL, .where = where,
			   .text = printable(text) };
	*q->end = w;
	q->end = &w->next;
}

/* ---- source lines ---- */

/* "through mid() at fs/a.c:30": by way of what a body came into the function. */
static char *chain_of(const struct inquiry *q, enum side side, const struct body *b)
{
	char *text = xstrdup("");

	for (unsigned int n = 0; b->into && b->into->into && n < 20; b = b->into, n++) {
		char *at = b->into->at.file ? place_title(&q->d->sources->hunks, side, b->into->at) : NULL;
		char *more = xasprintf("%s%s %s()%s%s", text, n ? "," : " through", b->into->name, at ? " at " : "",
				       at ? at : "");

		free(at);
		free(text);
		text = more;
	}
	return text;
}

static bool has_body(const struct body *list, const char *name)
{
	for (const struct body *b = list; b; b = b->next)
		if (b->into && !strcmp(b->name, name))
			return true;
	return false;
}

/* The same function in the patched version, which is elsewhere if lines were added in front of it. */
static const struct body *patched_body(const struct inquiry *q, const struct body *b)
{
	for (const struct body *p = q->bodies[PATCHED]; p; p = p->next)
		if (p->into && p->at.file && !strcmp(p->name, b->name) && !strcmp(p->at.file, b->at.file))
			return p;
	return NULL;
}

static void tell_inlined(struct inquiry *q, enum side side, const struct body *b)
{
	const struct body *patched = side == ORIG ? patched_body(q, b) : NULL;
	char *at, *chain;

	if (patched) {
		side = PATCHED;
		b = patched;
	}
	at = place_title(&q->d->sources->hunks, side, b->at);

	/* The same function, inlined several times. */
	if (has_reason(q, WHY_INLINE, b->name, at)) {
		free(at);
		return;
	}
	chain = chain_of(q, side, b);
	add_reason(q, WHY_INLINE, b->name, at,
		   xasprintf("%s() at %s %s inlined into it%s", b->name, at,
			     side == PATCHED || has_body(q->bodies[PATCHED], b->name) ? "is" : "was", chain));
	free(chain);
}

static void tell_lines(struct inquiry *q, const struct hunk *k)
{
	char *lines = hunk_title(k);

	if (k->lines[PATCHED])
		add_reason(q, WHY_LINES, NULL, lines, xasprintf("%s changed", lines));
	else
		add_reason(q, WHY_LINES, NULL, lines, xasprintf("%s removed", lines));
}

static void find_in_bodies(struct inquiry *q, bool inlined)
{
	static const enum side sides[] = { PATCHED, ORIG };
	const struct hunks *h = &q->d->sources->hunks;

	q->told = 0;
	for (unsigned int s = 0; s < 2; s++)
		for (const struct body *b = q->bodies[sides[s]]; b; b = b->next) {
			const struct hunk *k;
			size_t i = 0;

			if (!b->at.file || !b->end || !b->into == inlined)
				continue;
			while ((k = next_hunk(h, b->at.file, b->begin, b->end, &i)))
				if (inlined)
					tell_inlined(q, sides[s], b);
				else
					tell_lines(q, k);
		}
}

/* Without the texts it is not known where functions end, but which lines have code. */
static void find_by_code(struct inquiry *q)
{
	const struct atom *parts[] = { q->a->twin, q->a, q->a->twin ? q->a->twin->child : NULL, q->a->child };

	q->told = 0;
	for (unsigned int p = 0; p < 4; p++) {
		enum side side = p % 2 ? PATCHED : ORIG;
		struct code code;

		if (!parts[p])
			continue;
		read_code(&code, side, parts[p], SIZE_MAX);
		for (size_t i = 0; i < code.n; i++) {
			struct place_of_source at =
				place_of_code(q->d, side, parts[p], code.insns[i].off + parts[p]->entry);
			const struct hunk *k = hunk_of(&q->d->sources->hunks, at);

			if (k)
				tell_lines(q, k);
		}
		free_code(&code);
	}
}

/* ---- names that mean something else now ---- */

struct name_search {
	struct inquiry *q;
	enum side side;
};

/* Does it refer to a function of this name? */
static bool calls(const struct atom *a, const char *name)
{
	for (size_t i = 0; i < a->nrelocs; i++) {
		const struct reloc *r = &a->relocs[i];
		const char *other = r->target && is_named(r->target) ? atom_name(r->target) : r->sym->name;
		size_t n = strlen(name);

		/* Or to what the compiler made of it. */
		if (!strncmp(other, name, n) && (!other[n] || other[n] == '.'))
			return true;
	}
	return false;
}

static void match_name(void *arg, const char *word, size_t n)
{
	struct name_search *s = arg;
	const struct changed_name *c = find_changed_name(s->q->d->sources, word, n);

	if (!c)
		return;
	/* The one that is asked for is the function itself. */
	if (s->q->bodies[s->side] && !strcmp(c->name, s->q->bodies[s->side]->name))
		return;
	/* Of little that is inlined the compiler leaves no trace. */
	if (c->kind == NAME_FUNCTION && !calls(s->q->a, c->name) && !calls(s->q->a->twin, c->name))
		add_reason(s->q, WHY_INLINE, c->name, xstrdup(c->where),
			   xasprintf("%s() at %s is inlined into it", c->name, c->where));
	if (c->kind == NAME_MACRO)
		add_reason(s->q, WHY_MACRO, c->name, xstrdup(c->where),
			   xasprintf("it uses the macro %s, changed at %s", c->name, c->where));
	if (c->kind == NAME_OTHER)
		add_reason(s->q, WHY_NAME, c->name, xstrdup(c->where),
			   xasprintf("it uses %s, which is declared on changed lines (%s)", c->name, c->where));
}

static void find_names(struct inquiry *q)
{
	q->told = 0;
	for (enum side side = PATCHED + 1; side-- > ORIG;)
		for (const struct body *b = q->bodies[side]; b; b = b->next) {
			struct name_search s = { q, side };
			struct place_of_source p = b->at;
			const char *line;

			for (p.line = b->begin; b->end && p.line <= b->end; p.line++) {
				line = source_line(q->d->sources, side, p);
				if (line)
					for_each_word(line, match_name, &s);
			}
		}
}

/* ---- types ---- */

static void find_layouts(struct inquiry *q)
{
	q->told = 0;
	for (const struct changed_type *c = q->d->changed_types; c; c = c->next) {
		struct place_of_source p;
		char *where;

		if (!uses_type(q->d, PATCHED, q->a, c->is->entry))
			continue;
		p = place_of_entry(q->d, PATCHED, c->is->entry);
		where = p.file ? place_title(&q->d->sources->hunks, PATCHED, p) : NULL;
		add_reason(q, WHY_LAYOUT, c->is->name, where,
			   xasprintf("it uses %s%s%s%s, whose %s changed", c->is->name, where ? " (" : "",
				     where ? where : "", where ? ")" : "",
				     c->is->type->tag == DW_TAG_enumeration_type ? "values" : "layout"));
	}
}

/* ---- what the compiler decided ---- */

static void find_inlining(struct inquiry *q)
{
	q->told = 0;
	for (const struct body *b = q->bodies[PATCHED]; b; b = b->next)
		if (b->into && !has_body(q->bodies[ORIG], b->name))
			add_reason(q, WHY_INLINING, b->name, NULL, xasprintf("the compiler inlines %s() into it now", b->name));
	for (const struct body *b = q->bodies[ORIG]; b; b = b->next)
		if (b->into && !has_body(q->bodies[PATCHED], b->name))
			add_reason(q, WHY_INLINING, b->name, NULL,
				   xasprintf("the compiler no longer inlines %s() into it", b->name));
}

static bool differ(const struct row *r)
{
	return !r->insn[ORIG] || !r->insn[PATCHED] || strcmp(r->insn[ORIG]->norm, r->insn[PATCHED]->norm);
}

/*
 * The first row with other instructions, or else with a branch that leads to another place: mostly that is so because of
 * what follows. NULL: none; if not all was read, it is not known where branches lead.
 */
static const struct row *first_row(const struct rows *rows, bool all)
{
	for (size_t i = 0; i < rows->n; i++)
		if (differ(&rows->list[i]))
			return &rows->list[i];
	for (size_t i = 0; i < rows->n && all; i++)
		if (!rows->list[i].same)
			return &rows->list[i];
	return NULL;
}

/* "at +0x15 `movl $1, %eax' instead of `movl $2, %eax'"; NULL: no instruction differs. Not more is read than it takes. */
static char *first_difference(const struct atom *orig, const struct atom *patched)
{
	const struct atom *atoms[2] = { orig, patched };
	char *text = NULL;
	bool all = false;

	for (size_t limit = 256; !text && !all; limit *= 8) {
		struct code code[2];
		const struct row *row;
		struct rows rows;

		for (enum side side = ORIG; side <= PATCHED; side++)
			read_code(&code[side], side, atoms[side], limit);
		all = code[ORIG].n < limit && code[PATCHED].n < limit;
		align_code(&rows, &code[ORIG], &code[PATCHED]);
		row = first_row(&rows, all);
		if (row) {
			const struct insn *was = row->insn[ORIG], *is = row->insn[PATCHED];

			text = xasprintf("at %s+0x%" PRIx64 " \"%s\" instead of \"%s\"",
					 patched->parent ? atom_name(patched) : "", is ? is->off : was->off,
					 is ? is->text : "nothing", was ? was->text : "nothing");
		}
		free(rows.list);
		free_code(&code[ORIG]);
		free_code(&code[PATCHED]);
	}
	return text;
}

static char *how_it_differs(const struct atom *a)
{
	char *text = first_difference(a->twin, a);

	if (!text && a->child && a->twin->child)
		text = first_difference(a->twin->child, a->child);
	return text ? text : xstrdup("in the tables that describe it (jump labels, alternatives, bugs)");
}

/* A changed function that it calls: the compiler uses what it knows of one. NULL: none. */
static const struct atom *changed_callee(const struct atom *a)
{
	for (size_t i = 0; i < a->nrelocs; i++) {
		const struct atom *t = a->relocs[i].target;

		if (t && t != a && is_function(t) && t->state != STATE_SAME && t->parent != a &&
		    arch_is_branch(a->sec, &a->relocs[i]))
			return t;
	}
	return NULL;
}

static void tell_noise(struct inquiry *q)
{
	const struct atom *callee = changed_callee(q->a);
	char *how = how_it_differs(q->a), *outside = hunks_outside(q->d->sources);

	q->told = 0;
	if (!q->d->sources->hunks.n || (!q->bodies[ORIG] && !q->bodies[PATCHED]))
		add_reason(q, WHY_CODE, NULL, NULL, xasprintf("its code differs, %s", how));
	else if (outside)
		add_reason(q, WHY_SEEN, NULL, xstrdup(outside),
			   xasprintf("%s changed, outside of functions, and its code differs, %s", outside, how));
	else if (callee)
		add_reason(q, WHY_NOISE, atom_name(callee), NULL,
			   xasprintf("compiler noise: the same source, other code, perhaps because %s() that it calls changed, %s",
				     atom_name(callee), how));
	else
		add_reason(q, WHY_NOISE, NULL, NULL, xasprintf("compiler noise: the same source, other code, %s", how));
	free(how);
	free(outside);
}

/* ---- all of it ---- */

static void explain_difference(struct inquiry *q)
{
	q->bodies[ORIG] = bodies_of(q->d, ORIG, q->a->twin);
	q->bodies[PATCHED] = bodies_of(q->d, PATCHED, q->a);
	find_in_bodies(q, false);
	find_in_bodies(q, true);
	if (!q->a->why && q->d->sources->hunks.n)
		find_by_code(q);
	if (!q->a->why)
		find_names(q);
	if (!q->a->why)
		find_layouts(q);
	if (!q->a->why)
		find_inlining(q);
	if (!q->a->why)
		tell_noise(q);
}

static void explain_new(struct inquiry *q)
{
	char *key = name_key(atom_name(q->a));
	struct function_type *f;

	/* Clones and parts of what was there already. */
	key[strcspn(key, ".")] = '\0';
	HASH_FIND_STR(q->d->orig_types.functions, key, f);
	if (f)
		add_reason(q, WHY_NEW, key, NULL,
			   strcmp(key, atom_name(q->a)) ?
				   xasprintf("made by the compiler out of %s()", key) :
				   xasprintf("was inlined wherever it was called, or not used"));
	else
		add_reason(q, WHY_NEW, NULL, NULL, xstrdup("new"));
	free(key);
}

static void explain_changed(struct inquiry *q)
{
	const struct atom *a = q->a, *cause = a->cause;

	if (cause && cause->kind == ATOM_DATA) {
		add_reason(q, WHY_CONSTANT, atom_name(cause), NULL, xasprintf("the constant %s changed", atom_name(cause)));
	} else if (cause && cause->carried) {
		add_reason(q, WHY_CARRIED, atom_name(cause), NULL,
			   xasprintf("it calls %s(), which changed and which ftrace cannot redirect", atom_name(cause)));
	} else if (cause && cause->parent == a) {
		explain_difference(q);
		q->told = 0;
		add_reason(q, WHY_COLD, atom_name(cause), NULL, xasprintf("only its cold part %s differs", atom_name(cause)));
	} else {
		explain_difference(q);
	}
}

void explain_function(struct diff *d, struct atom *a)
{
	struct inquiry q = { .d = d, .a = a, .end = &a->why };

	if (!is_function(a) || a->parent || a->why)
		return;
	if (a->state == STATE_NEW)
		explain_new(&q);
	else if (a->state == STATE_CHANGED)
		explain_changed(&q);
}

int find_reasons(struct diff *d)
{
	for (struct atom *a = d->taken; a; a = a->next_taken)
		explain_function(d, a);
	return 0;
}
