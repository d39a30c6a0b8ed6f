// SPDX-License-Identifier: GPL-2.0-only
/*
 * Part of pair_objects(): which things have the same name? Names that the compiler has numbered form groups (by
 * what is left without the numbers), and so do all others; functions with their clones and cold parts
 * form families.
 */
#include <stdlib.h>

#include "diag.h"
#include "pair.h"

void list_push(struct atom_list *l, struct atom *a)
{
	if (l->n == l->room) {
		l->room = l->room ? l->room * 2 : 2;
		l->a = xrealloc(l->a, l->room, sizeof(*l->a));
	}
	l->a[l->n++] = a;
}

static struct pairing *new_group(struct pairer *p, char *key, bool numbered)
{
	struct pairing *g = xcalloc(1, sizeof(*g));

	g->key = key;
	HASH_ADD_KEYPTR(hh, p->groups, g->key, strlen(g->key), g);
	g->numbered = numbered;
	if (numbered) {
		*p->numbered_end = g;
		p->numbered_end = &g->next_numbered;
	}
	return g;
}

static void add_to(struct pairer *p, struct atom *a, bool is_patched, char *key)
{
	struct pairing *g;

	HASH_FIND_STR(p->groups, key, g);
	if (!g)
		g = new_group(p, key, key[1] == '#');
	else
		free(key);
	list_push(is_patched ? &g->patched : &g->orig, a);
	a->group = g;
}

static void add_to_group(struct pairer *p, struct atom *a, bool is_patched)
{
	char *name = name_key(atom_name(a)), *key;
	bool numbered = strcmp(name, atom_name(a));

	a->own_copy = is_own_copy(a, name, numbered);
	if (a->own_copy) {
		free(name);
		return;
	}
	key = xcalloc(strlen(name) + 3, 1);
	key[0] = a->kind == ATOM_CODE ? 'c' : a->kind == ATOM_REGISTRY ? 'r' : 'd';
	key[1] = numbered ? '#' : '=';
	strcpy(key + 2, name);
	add_to(p, a, is_patched, key);
	free(name);
}

static bool all_known(const struct atom_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (!l->a[i]->type || !l->a[i]->scope || type_shape(l->a[i]->type) == TYPE_SHAPE_ANY)
			return false;
	return true;
}

static void move_members(struct pairer *p, struct pairing *g, bool is_patched)
{
	struct atom_list *l = is_patched ? &g->patched : &g->orig;

	for (size_t i = 0; i < l->n; i++)
		add_to(p, l->a[i], is_patched, xasprintf("%s %lx %s", g->key,
							 (unsigned long)type_shape(l->a[i]->type), l->a[i]->scope));
	l->n = 0;
}

/*
 * Variables whose types don't agree are different things, however alike their uses are, and so are those of different
 * functions: into whatever these are inlined, their static locals stay theirs.
 */
static void split(struct pairer *p, struct pairing *g)
{
	if (!all_known(&g->orig) || !all_known(&g->patched))
		return;
	move_members(p, g, false);
	move_members(p, g, true);
}

static void add_to_family(struct pairer *p, struct atom *a, bool is_patched, const char *name)
{
	char *key = xstrdup(name);
	struct family *f;

	/* A dot at the beginning belongs to the name. */
	if (strlen(key) > 1 && strchr(key + 1, '.'))
		*strchr(key + 1, '.') = '\0';
	HASH_FIND_STR(p->families, key, f);
	if (!f) {
		f = xcalloc(1, sizeof(*f));
		f->key = key;
		HASH_ADD_KEYPTR(hh, p->families, f->key, strlen(f->key), f);
	} else {
		free(key);
	}
	list_push(is_patched ? &f->patched : &f->orig, a);
}

static void collect(struct pairer *p, struct elf_file *file, bool is_patched)
{
	for_each_atom(file, a) {
		if (!is_named(a))
			continue;
		if (a->kind == ATOM_CODE || a->kind == ATOM_DATA || a->kind == ATOM_REGISTRY)
			add_to_group(p, a, is_patched);
	}
}

/* Which of its names its clones and parts have is not known; so many are asked about. */
#define MAX_NAMES 4

static void collect_families(struct pairer *p, struct elf_file *file, bool is_patched)
{
	for_each_atom(file, a) {
		unsigned int n = 0;

		for (const struct symbol *s = is_code(a->sec) ? a->syms : NULL; s && n < MAX_NAMES; s = s->next, n++)
			add_to_family(p, a, is_patched, s->name);
	}
}

void group_things(struct pairer *p)
{
	struct pairing **last;

	p->numbered_end = &p->numbered;
	collect(p, &p->d->orig, false);
	collect(p, &p->d->patched, true);
	last = p->numbered_end;
	for (struct pairing *g = p->numbered; g; g = g->next_numbered) {
		if (g->key[0] == 'd')
			split(p, g);
		if (&g->next_numbered == last)
			break;
	}
	/* They are asked about what is numbered. */
	if (p->numbered) {
		collect_families(p, &p->d->orig, false);
		collect_families(p, &p->d->patched, true);
	}
}
