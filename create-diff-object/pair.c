// SPDX-License-Identifier: GPL-2.0-only
/*
 * Second pass: which thing of the patched object is which thing of the original?
 *
 * Names tell, except where the compiler numbers them: the number of foo.constprop.3 or of the
 * static local count.7 is an accident of everything that stands before it in the file, so equal
 * numbers prove nothing. Such names form groups (by what is left without the numbers), and the
 * functions that refer to them decide who is who: what the same function refers to first, second,
 * ... on both sides is the same thing.
 */
#include <stdlib.h>

#include "diag.h"
#include "pair.h"

static void push(struct atom_list *l, struct atom *a)
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

static void add_to_group(struct pairer *p, struct atom *a, bool is_patched)
{
	char *name = name_key(atom_name(a)), *key;
	bool numbered = strcmp(name, atom_name(a));
	struct pairing *g;

	a->own_copy = is_own_copy(a, name, numbered);
	if (a->own_copy) {
		free(name);
		return;
	}
	key = xasprintf("%c%c%s", a->kind == ATOM_CODE ? 'c' : a->kind == ATOM_REGISTRY ? 'r' : 'd',
			numbered ? '#' : '=', name);
	free(name);
	HASH_FIND_STR(p->groups, key, g);
	if (!g)
		g = new_group(p, key, numbered);
	else
		free(key);
	push(is_patched ? &g->patched : &g->orig, a);
	a->group = g;
}

/* The types of a group's members. Those of one set agree, directly or through others. */
struct type_sets {
	struct type **types;
	size_t *set;		/* of the type at this index: the index of one that stands for it */
	size_t n;
	bool unknown;		/* a member's type is not known: it could be any */
};

static size_t type_index(const struct type_sets *s, const struct type *type)
{
	size_t i = 0;

	while (i < s->n && s->types[i] != type)
		i++;
	return i;
}

static void add_types(struct type_sets *s, const struct atom_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		if (!l->a[i]->type)
			s->unknown = true;
		else if (type_index(s, l->a[i]->type) == s->n)
			s->types[s->n++] = l->a[i]->type;
	}
}

static void unite_sets(struct type_sets *s)
{
	for (size_t i = 0; i < s->n; i++) {
		s->set[i] = i;
		for (size_t j = 0; j < i; j++) {
			size_t old = s->set[i];

			if (old == s->set[j] || !types_agree(s->types[i], s->types[j]))
				continue;
			for (size_t k = 0; k <= i; k++)
				if (s->set[k] == old)
					s->set[k] = s->set[j];
		}
	}
}

static void move_set(const struct type_sets *s, size_t set, struct atom_list *from,
		     struct atom_list *to, struct pairing *group)
{
	size_t kept = 0;

	for (size_t i = 0; i < from->n; i++) {
		struct atom *a = from->a[i];

		if (s->set[type_index(s, a->type)] == set) {
			push(to, a);
			a->group = group;
		} else {
			from->a[kept++] = a;
		}
	}
	from->n = kept;
}

/* Variables whose types don't agree are different things, however alike their uses are. */
static void split_by_type(struct pairer *p, struct pairing *g)
{
	struct type_sets s = { 0 };

	s.types = xcalloc(g->orig.n + g->patched.n, sizeof(*s.types));
	s.set = xcalloc(g->orig.n + g->patched.n, sizeof(*s.set));
	add_types(&s, &g->orig);
	add_types(&s, &g->patched);
	if (!s.unknown && s.n > 1) {
		unite_sets(&s);
		for (size_t i = 0; i < s.n; i++) {
			struct pairing *other;

			if (s.set[i] != i || s.set[0] == i)
				continue;
			other = new_group(p, xasprintf("%s %zu", g->key, i), true);
			move_set(&s, i, &g->orig, &other->orig, other);
			move_set(&s, i, &g->patched, &other->patched, other);
		}
	}
	free(s.types);
	free(s.set);
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
	push(is_patched ? &f->patched : &f->orig, a);
}

static void collect(struct pairer *p, struct elf_file *file, bool is_patched)
{
	for_each_atom(file, a) {
		if (!is_named(a))
			continue;
		if (a->kind == ATOM_CODE || a->kind == ATOM_DATA || a->kind == ATOM_REGISTRY)
			add_to_group(p, a, is_patched);
		if (is_code(a->sec))
			add_to_family(p, a, is_patched);
	}
}

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
		diag_refuse("%s: %s: the original has %zu things of this name, the patched file %zu; give the new one another name",
			    p->d->opt.source, atom_title(g->patched.a[0]), g->orig.n, g->patched.n);
}

/* An entry of a registry and its place among those of its name. */
struct placed_entry {
	const struct atom *a;
	size_t place;
};

static int by_bytes(const struct atom *a, const struct atom *b)
{
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	if (a->nrelocs != b->nrelocs)
		return a->nrelocs < b->nrelocs ? -1 : 1;
	return a->sec->data && b->sec->data ?
		       memcmp(a->sec->data + a->off, b->sec->data + b->off, a->size) : 0;
}

static int by_bytes_and_place(const void *x, const void *y)
{
	const struct placed_entry *a = x, *b = y;
	int order = by_bytes(a->a, b->a);

	return order ? order : (a->place > b->place) - (a->place < b->place);
}

/* The first one, from place on, that has the bytes of a; NULL: none. */
static const struct placed_entry *find_entry(const struct placed_entry *sorted, size_t n,
					     const struct atom *a, size_t place)
{
	const struct placed_entry wanted = { .a = a, .place = place };
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (by_bytes_and_place(&sorted[mid], &wanted) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && !by_bytes(sorted[lo].a, a) ? &sorted[lo] : NULL;
}

/*
 * Registrations with a counter in their name. If one was added or removed, both lists are walked in step:
 * each has the next one of the same bytes as its counterpart.
 */
static void pair_registry(struct pairing *g)
{
	struct placed_entry *sorted;
	size_t next = 0;

	if (g->orig.n == g->patched.n) {
		for (size_t i = 0; i < g->orig.n; i++)
			join(g->orig.a[i], g->patched.a[i]);
		return;
	}
	sorted = xcalloc(g->patched.n, sizeof(*sorted));
	for (size_t i = 0; i < g->patched.n; i++)
		sorted[i] = (struct placed_entry){ .a = g->patched.a[i], .place = i };
	qsort(sorted, g->patched.n, sizeof(*sorted), by_bytes_and_place);
	for (size_t i = 0; i < g->orig.n; i++) {
		const struct placed_entry *e = find_entry(sorted, g->patched.n, g->orig.a[i], next);

		if (!e)
			continue;
		next = e->place + 1;
		join(g->orig.a[i], g->patched.a[e->place]);
	}
	free(sorted);
}

static size_t count_nameless(const struct section *sec)
{
	size_t n = 0;

	for (size_t i = 0; i < sec->natoms; i++)
		n += !is_named(sec->atoms[i]);
	return n;
}

/* Nameless code and parts of registries: section by section, in order. */
static void pair_nameless(struct pairer *p)
{
	for_each_section(&p->d->orig, so) {
		struct section *sn;

		if (!(so->table ? so->table->kind == TABLE_REGISTRY : is_code(so)) ||
		    !count_nameless(so))
			continue;
		sn = elf_file_section(&p->d->patched, so->name);
		if (!sn || count_nameless(sn) != count_nameless(so))
			continue;
		for (size_t i = 0, j = 0; i < so->natoms; i++) {
			if (is_named(so->atoms[i]))
				continue;
			while (is_named(sn->atoms[j]))
				j++;
			join(so->atoms[i], sn->atoms[j++]);
		}
	}
}

/* foo.cold, foo.cold.3 and foo.isra.0.cold are parts of foo, foo and foo.isra.0. */
static void find_parents(struct elf_file *file)
{
	struct by_name {
		const char *name;
		struct atom *a;
		UT_hash_handle hh;
	} *index = NULL, *e, *tmp;

	for_each_atom(file, a) {
		if (!is_function(a))
			continue;
		HASH_FIND_STR(index, atom_name(a), e);
		if (e)
			continue;
		e = xcalloc(1, sizeof(*e));
		e->name = atom_name(a);
		e->a = a;
		HASH_ADD_KEYPTR(hh, index, e->name, strlen(e->name), e);
	}
	for_each_atom(file, c) {
		char *key, *name, *dot;

		if (!is_function(c))
			continue;
		key = name_key(atom_name(c));
		if (is_cold(key)) {
			name = xstrdup(atom_name(c));
			dot = strstr(name, ".cold");
			*dot = '\0';
			HASH_FIND_STR(index, name, e);
			if (e && e->a != c) {
				c->parent = e->a;
				e->a->child = c;
			}
			free(name);
		}
		free(key);
	}
	HASH_ITER(hh, index, e, tmp) {
		HASH_DEL(index, e);
		free(e);
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
			push(&out, l->a[i]);
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

/*
 * What no reference decided. One left on each side, of the same size, is the same thing if its
 * users on one side have vanished as functions of their own: they were inlined, or are not any
 * more. If the function is still there and just doesn't refer to it, it is another thing.
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
		if (na != 1 || nb != 1)
			continue;
		/* A clone is found through its callers only: which constants it holds depends on them. */
		if (a->kind == ATOM_CODE ||
		    (a->size == b->size && types_agree(a->type, b->type) &&
		     (all_users_vanished(a) || all_users_vanished(b))))
			join(a, b);
	}
}

static void pair_cold_parts(struct diff *d)
{
	for_each_atom(&d->orig, a)
		if (a->child && a->twin && a->twin->child && !a->child->twin)
			join(a->child, a->twin->child);
}

static void report_conflicts(struct pairer *p)
{
	/* Clones of a function can do without: their callers get new ones. */
	for_each_atom(&p->d->patched, a)
		if (!a->twin && a->vote_conflict && a->kind == ATOM_DATA)
			diag_refuse("%s: %s: cannot tell which %s of the original this is; give the variables or functions of this name different names",
				    p->d->opt.source, atom_title(a), atom_title(a));
}

static void report_static_locals(struct pairer *p)
{
	for_each_atom(&p->d->orig, a) {
		if (a->kind == ATOM_DATA && a->group && !a->twin && !is_global_atom(a) &&
		    is_writable(a->sec) && !a->vote_conflict)
			diag_warn("%s: %s: the patched file no longer has this static variable; its value is lost to the new code",
				  p->d->opt.source, atom_title(a));
	}
	for_each_atom(&p->d->patched, b) {
		if (b->kind == ATOM_DATA && b->group && b->group->numbered && !b->twin &&
		    is_writable(b->sec) && !b->vote_conflict)
			diag_info("%s: %s: new static variable, starts with its initial value",
				  p->d->opt.source, atom_title(b));
	}
}

int pair_objects(struct diff *d)
{
	struct pairer p = { .d = d };
	struct pairing *g, *gtmp;
	struct family *f, *ftmp;

	p.numbered_end = &p.numbered;
	find_parents(&d->orig);
	find_parents(&d->patched);
	collect(&p, &d->orig, false);
	collect(&p, &d->patched, true);
	for (g = p.numbered; g; g = g->next_numbered)
		if (g->key[0] == 'd')
			split_by_type(&p, g);
	HASH_ITER(hh, p.groups, g, gtmp) {
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
	pair_cold_parts(d);
	report_conflicts(&p);
	report_static_locals(&p);

	HASH_ITER(hh, p.groups, g, gtmp) {
		HASH_DEL(p.groups, g);
		free(g->key);
		free(g->orig.a);
		free(g->patched.a);
		free(g);
	}
	HASH_ITER(hh, p.families, f, ftmp) {
		HASH_DEL(p.families, f);
		free(f->key);
		free(f->orig.a);
		free(f->patched.a);
		free(f);
	}
	for_each_atom(&d->orig, a)
		a->group = NULL;
	for_each_atom(&d->patched, a)
		a->group = NULL;
	return 0;
}
