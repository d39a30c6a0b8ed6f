// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pairing: which thing of the patched object is which thing of the original?
 *
 * Names tell, except where the compiler numbers them: the number of foo.constprop.3 or of the
 * static local count.7 is an accident of everything that stands before it in the file, so equal
 * numbers prove nothing. Such names form groups (groups.c), and the functions that refer to their members
 * decide who is who: what the same function refers to first, second, ... on both sides is the same
 * thing (votes.c). What has no name is told by its place (ordered.c).
 */
#include <stdlib.h>

#include "diag.h"
#include "pair.h"

void join(struct atom *orig, struct atom *patched)
{
	orig->twin = patched;
	patched->twin = orig;
}

/* Names that the compiler did not number: one on each side, or as many on both, in order. */
static void pair_plain(struct pairer *p, struct pairing *g)
{
	if (g->orig.n == g->patched.n) {
		for (size_t i = 0; i < g->orig.n; i++)
			join(g->orig.a[i], g->patched.a[i]);
		return;
	}
	if (g->orig.n && g->patched.n)
		diag_refuse(REASON_PAIRING, "%s: %s: the original has %zu things of this name, the patched file %zu; give the new one another name",
			    p->d->opt.source, atom_title(g->patched.a[0]), g->orig.n, g->patched.n);
}

/* The name of what this is the cold part of: foo for foo.cold and foo.cold.3; NULL: it is none. */
static char *parent_name(const struct symbol *s)
{
	const char *dot = strstr(s->name, ".cold");
	char *key, *name = NULL;

	if (!dot)
		return NULL;
	key = name_key(s->name);
	if (is_cold(key)) {
		name = xstrdup(s->name);
		name[dot - s->name] = '\0';
	}
	free(key);
	return name;
}

/* A name that some cold part says its function has, whichever of that one's names it is. */
struct wanted {
	char *name;
	struct atom *parts;	/* linked by next_part */
	UT_hash_handle hh;
};

static struct wanted *list_cold_parts(struct elf_file *file)
{
	struct wanted *all = NULL, *w;
	char *name;

	for_each_atom(file, part) {
		for (const struct symbol *s = is_function(part) ? part->syms : NULL; s; s = s->next) {
			name = parent_name(s);
			if (!name)
				continue;
			HASH_FIND_STR(all, name, w);
			if (!w) {
				w = xcalloc(1, sizeof(*w));
				w->name = name;
				HASH_ADD_KEYPTR(hh, all, w->name, strlen(w->name), w);
			} else {
				free(name);
			}
			part->next_part = w->parts;
			w->parts = part;
			break;
		}
	}
	return all;
}

/* foo.cold, foo.cold.3 and foo.isra.0.cold are parts of foo, foo and foo.isra.0. */
static void find_parents(struct elf_file *file)
{
	struct wanted *all = list_cold_parts(file), *w;

	if (!all)
		return;
	for_each_atom(file, a)
		for (const struct symbol *s = is_function(a) ? a->syms : NULL; s; s = s->next) {
			HASH_FIND_STR(all, s->name, w);
			for (struct atom *part = w ? w->parts : NULL; part; part = part->next_part) {
				if (part == a || part->parent)
					continue;
				part->parent = a;
				a->child = part;
			}
		}
}

/*
 * True when all users of a are functions that the other object doesn't have: they were inlined. Entries of
 * tables only describe code.
 */
static bool all_users_vanished(const struct atom *a)
{
	for (size_t i = 0; i < a->nuses; i++)
		if (a->uses[i].by->kind != ATOM_ENTRY && a->uses[i].by->twin)
			return false;
	return true;
}

static bool is_used(const struct atom *a)
{
	for (size_t i = 0; i < a->nuses; i++)
		if (a->uses[i].by->kind != ATOM_ENTRY)
			return true;
	return false;
}

/* Members of l that have no counterpart and that nothing refers to. */
static struct atom_list unused(const struct atom_list *l)
{
	struct atom_list out = { 0 };

	for (size_t i = 0; i < l->n; i++)
		if (!l->a[i]->twin && l->a[i]->kind == ATOM_DATA && !is_used(l->a[i]))
			list_push(&out, l->a[i]);
	return out;
}

/*
 * Variables of a macro that are there for their section only (tracepoint_string(): the compiler reads
 * ___tp_str's initial value instead of the variable): as many on both sides are the same, in the order of
 * their places.
 */
static void pair_unused(struct pairing *g)
{
	struct atom_list orig = unused(&g->orig);
	struct atom_list patched = unused(&g->patched);

	for (size_t i = 0; orig.n == patched.n && i < orig.n; i++)
		if (!strcmp(orig.a[i]->sec->name, patched.a[i]->sec->name) &&
		    types_agree(orig.a[i]->type, patched.a[i]->type))
			join(orig.a[i], patched.a[i]);
	free(orig.a);
	free(patched.a);
}

static bool in_one_function(const struct atom *a, const struct atom *b)
{
	return a->scope && b->scope && *a->scope && !strcmp(a->scope, b->scope);
}

static bool same_declaration(const struct pairing *g, const struct atom *a, const struct atom *b)
{
	if (a->scope && b->scope)
		return in_one_function(a, b) && ((g->orig.n == 1 && g->patched.n == 1) ||
						 (a->line && a->line == b->line));
	return a->size == b->size && (all_users_vanished(a) || all_users_vanished(b));
}

/*
 * What no reference decided. One left on each side is the same thing if both are declared in the same function, and
 * are all that this declares by that name, or stand at the same line. If that is not known, and the sizes are the same,
 * it is if its users on one side have vanished as functions of their own: they were inlined, or are not any more. If
 * the function is still there and just doesn't refer to it, it is another thing.
 */
static void pair_leftovers(struct pairer *p)
{
	for (struct pairing *g = p->numbered; g; g = g->next_numbered) {
		struct atom *a = NULL, *b = NULL;
		size_t na = 0, nb = 0;

		pair_unused(g);
		for (size_t i = 0; i < g->orig.n; i++)
			if (!g->orig.a[i]->twin && !g->orig.a[i]->parent) {
				a = g->orig.a[i];
				na++;
			}
		for (size_t i = 0; i < g->patched.n; i++)
			if (!g->patched.a[i]->twin && !g->patched.a[i]->parent) {
				b = g->patched.a[i];
				nb++;
			}
		if (na != 1 || nb != 1 || a->vote_conflict || b->vote_conflict)
			continue;
		/* A clone is found through its callers only: which constants it holds depends on them. */
		if (a->kind == ATOM_CODE || (types_agree(a->type, b->type) && same_declaration(g, a, b)))
			join(a, b);
	}
}

/* Static locals that a function has lost, or gained. */
struct declared {
	char *key;
	struct atom *orig, *patched;	/* the last one of each */
	size_t norig, npatched;
	UT_hash_handle hh;
};

static bool is_left(const struct atom *a)
{
	return a->kind == ATOM_DATA && !a->twin && a->group && a->group->numbered && a->scope && *a->scope &&
	       is_writable(a->sec) && is_used(a);
}

/* key is not needed any more afterwards. */
static void declare(struct declared **all, struct atom *a, bool is_patched, char *key)
{
	struct declared *d;

	HASH_FIND_STR(*all, key, d);
	if (!d) {
		d = xcalloc(1, sizeof(*d));
		d->key = key;
		HASH_ADD_KEYPTR(hh, *all, d->key, strlen(d->key), d);
	} else {
		free(key);
	}
	if (is_patched) {
		d->patched = a;
		d->npatched++;
	} else {
		d->orig = a;
		d->norig++;
	}
}

static char *key_of(const struct atom *a, const char *scope)
{
	char *name = name_key(atom_name(a)), *key = xasprintf("%s %s", name, scope);

	free(name);
	return key;
}

/*
 * A static local whose type the patch changes is existing data of a new type like each other variable: what refuses
 * those (refuse.c) has to know which one it was. Other types made other groups of them.
 */
static void pair_retyped(struct pairer *p)
{
	struct declared *all = NULL;

	for_each_atom(&p->d->orig, a)
		if (is_left(a))
			declare(&all, a, false, key_of(a, a->scope));
	for_each_atom(&p->d->patched, b)
		if (is_left(b))
			declare(&all, b, true, key_of(b, b->scope));
	for (struct declared *d = all; d; d = d->hh.next)
		if (d->norig == 1 && d->npatched == 1 && !types_agree(d->orig->type, d->patched->type))
			join(d->orig, d->patched);
}

static bool has_function(const struct named_types *in, const char *name)
{
	struct function_type *s;

	HASH_FIND_STR(in->functions, name, s);
	return s;
}

/*
 * The static local of a function that is not there any more, and one of a function that was not there before: it has
 * another name now.
 */
static void pair_renamed(struct pairer *p)
{
	struct declared *all = NULL;

	for_each_atom(&p->d->orig, a)
		if (is_left(a) && !has_function(&p->d->patched_types, a->scope))
			declare(&all, a, false, key_of(a, ""));
	for_each_atom(&p->d->patched, b)
		if (is_left(b) && !has_function(&p->d->orig_types, b->scope))
			declare(&all, b, true, key_of(b, ""));
	for (struct declared *d = all; d; d = d->hh.next) {
		if (d->norig != 1 || d->npatched != 1)
			continue;
		diag_warn("%s: %s of %s() is taken for that of %s(), which is gone; if it is none, give it another name",
			  p->d->opt.source, atom_title(d->patched), d->patched->scope, d->orig->scope);
		join(d->orig, d->patched);
	}
}

static void pair_cold_parts(struct diff *d)
{
	for_each_atom(&d->orig, a)
		if (a->child && a->twin && a->twin->child && !a->child->twin)
			join(a->child, a->twin->child);
}

/* Votes on it, or on what it is said to be, disagree. */
static bool is_doubtful(const struct atom *a)
{
	return a->vote_conflict || (a->vote && a->vote->vote_conflict);
}

static void report_conflicts(struct pairer *p)
{
	/* Clones of a function can do without: their callers get new ones. Constants are told by what they hold. */
	for_each_atom(&p->d->patched, a)
		if (!a->twin && is_doubtful(a) && a->kind == ATOM_DATA && is_writable(a->sec))
			diag_refuse(REASON_PAIRING, "%s: %s: cannot tell which %s of the original this is; give the variables or functions of this name different names",
				    p->d->opt.source, atom_title(a), atom_title(a));
}

static void report_static_locals(struct pairer *p)
{
	for_each_atom(&p->d->orig, a) {
		if (a->kind == ATOM_DATA && a->group && !a->twin && !is_global_atom(a) &&
		    is_writable(a->sec) && !is_doubtful(a))
			diag_warn("%s: %s: the patched file no longer has this static variable; its value is lost to the new code",
				  p->d->opt.source, atom_title(a));
	}
	for_each_atom(&p->d->patched, b) {
		if (b->kind == ATOM_DATA && b->group && b->group->numbered && !b->twin &&
		    is_writable(b->sec) && !is_doubtful(b))
			diag_info("%s: %s: new static variable, starts with its initial value",
				  p->d->opt.source, atom_title(b));
	}
}

int pair_objects(struct diff *d)
{
	struct pairer p = { .d = d };
	struct pairing *g, *tmp;

	find_parents(&d->orig);
	find_parents(&d->patched);
	group_things(&p);
	HASH_ITER(hh, p.groups, g, tmp) {
		if (g->key[0] == 'r')
			pair_registry(g);
		else if (!g->numbered)
			pair_plain(&p, g);
		/* One clone on each side; cold parts follow their parents. */
		else if (g->key[0] == 'c' && g->orig.n == 1 && g->patched.n == 1 &&
			 !is_cold(g->key))
			join(g->orig.a[0], g->patched.a[0]);
	}
	pair_nameless(&p);
	pair_by_votes(&p);
	pair_leftovers(&p);
	pair_retyped(&p);
	pair_renamed(&p);
	pair_cold_parts(d);
	report_conflicts(&p);
	report_static_locals(&p);
	return 0;
}
