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

static bool all_types_known(const struct atom_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (!l->a[i]->type || type_shape(l->a[i]->type) == TYPE_SHAPE_ANY)
			return false;
	return true;
}

/* Those that have not the shape of what comes first in the group go to others. */
static void move_shapes(struct pairer *p, struct pairing *g, uint64_t shape, bool is_patched)
{
	struct atom_list *l = is_patched ? &g->patched : &g->orig;
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct atom *a = l->a[i];
		uint64_t other = type_shape(a->type);

		if (other == shape)
			l->a[kept++] = a;
		else
			add_to(p, a, is_patched, xasprintf("%s %lx", g->key, (unsigned long)other));
	}
	l->n = kept;
}

/* Variables whose types don't agree are different things, however alike their uses are. */
static void split_by_type(struct pairer *p, struct pairing *g)
{
	uint64_t shape;

	/* What is not known could be any. */
	if (!all_types_known(&g->orig) || !all_types_known(&g->patched))
		return;
	shape = type_shape((g->orig.n ? g->orig.a[0] : g->patched.a[0])->type);
	move_shapes(p, g, shape, false);
	move_shapes(p, g, shape, true);
}

static void add_to_family(struct pairer *p, struct atom *a, bool is_patched)
{
	const char *name = atom_name(a);
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

static void collect_families(struct pairer *p, struct elf_file *file, bool is_patched)
{
	for_each_atom(file, a)
		if (is_named(a) && is_code(a->sec))
			add_to_family(p, a, is_patched);
}

void group_things(struct pairer *p)
{
	p->numbered_end = &p->numbered;
	collect(p, &p->d->orig, false);
	collect(p, &p->d->patched, true);
	for (struct pairing *g = p->numbered; g; g = g->next_numbered)
		if (g->key[0] == 'd')
			split_by_type(p, g);
	/* They are asked about what is numbered. */
	if (p->numbered) {
		collect_families(p, &p->d->orig, false);
		collect_families(p, &p->d->patched, true);
	}
}
