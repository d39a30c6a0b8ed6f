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
#include <ctype.h>
#include <stdlib.h>

#include "diag.h"
#include "diff.h"

struct atom_list {
	struct atom **a;
	size_t n, room;
};

/* All things of one kind and one name, numbers aside. */
struct pairing {
	char *key;
	bool numbered;
	struct pairing *next_numbered;
	struct atom_list orig, patched;
	UT_hash_handle hh;
};

/* All functions of one name, clones and cold parts included. */
struct family {
	char *key;
	struct atom_list orig, patched;
	UT_hash_handle hh;
};

struct pairer {
	struct diff *d;
	struct pairing *groups;
	struct pairing *numbered, **numbered_end;	/* those of the groups that are */
	struct family *families;
};

static void push(struct atom_list *l, struct atom *a)
{
	if (l->n == l->room) {
		l->room = l->room ? l->room * 2 : 2;
		l->a = xrealloc(l->a, l->room, sizeof(*l->a));
	}
	l->a[l->n++] = a;
}

static size_t digits(const char *s)
{
	return strspn(s, "0123456789");
}

/*
 * Names that hold __COUNTER__, which shifts when a use is added above them:
 * __UNIQUE_ID_name123, __initcall__kmod_file__123_45_fn6, ___ADDRESSABLE_name123.
 */
static bool strip_counter(char *key)
{
	static const char *const trailing[] = { "__UNIQUE_ID_", "___ADDRESSABLE_", "__BTF_ID__" };
	char *end = key + strlen(key), *from, *to;

	if (has_prefix(key, "__initcall__")) {
		for (from = strstr(key + 12, "__"); from; from = strstr(from + 1, "__")) {
			to = from + 2;
			if (!digits(to) || to[digits(to)] != '_')
				continue;
			to += digits(to) + 1;
			if (!digits(to) || to[digits(to)] != '_')
				continue;
			to += digits(to);
			memmove(from, to, strlen(to) + 1);
			return true;
		}
		return false;
	}
	for (size_t i = 0; i < sizeof(trailing) / sizeof(*trailing); i++) {
		if (!has_prefix(key, trailing[i]))
			continue;
		for (from = end; from > key && isdigit((unsigned char)from[-1]);)
			from--;
		*from = '\0';
		return from < end;
	}
	return false;
}

/* Drop the components that are numbers: "foo.isra.12.cold" becomes "foo.isra.cold". */
char *name_key(const char *name)
{
	char *key = xstrdup(name), *from = key, *to = key;

	while (*from) {
		size_t n;

		if (from > key && *from == '.' && (n = digits(from + 1)) &&
		    (from[n + 1] == '.' || !from[n + 1])) {
			from += n + 1;
			continue;
		}
		*to++ = *from++;
	}
	*to = '\0';
	strip_counter(key);
	return key;
}

/*
 * Things that are made by macros or by the compiler for one function, whose identity nobody cares
 * about: each version of the function has its own. The macros' variables are static locals, so the
 * compiler has numbered them: a variable of the author's own called _rs keeps its name and is
 * none of these. Nor is one called once, whose section with -fdata-sections is .data.once, too.
 */
static bool is_own_copy(const struct atom *a, const char *key, bool numbered)
{
	static const struct {
		const char *name;
		bool writable;
	} known[] = { { "__key", true },	   { "__warned", true },
		      { "__already_done", true },  { "__print_once", true },
		      { "_rs", true },		   { "__func__", false },
		      { "__FUNCTION__", false },   { "__PRETTY_FUNCTION__", false },
		      { "CSWTCH", false },	   { "_entry", false } };
	const char *sec = a->sec->name;

	if (!strcmp(sec, "__dyndbg") || !strcmp(sec, ".data..once"))
		return true;
	if (!strcmp(sec, ".data.once"))
		return strcmp(key, "once");
	if (!numbered || a->kind != ATOM_DATA)
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(key, known[i].name))
			return is_writable(a->sec) == known[i].writable;
	return false;
}

static bool is_cold(const char *key)
{
	size_t n = strlen(key);

	return n > 5 && !strcmp(key + n - 5, ".cold");
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
	if (!g) {
		g = xcalloc(1, sizeof(*g));
		g->key = key;
		HASH_ADD_KEYPTR(hh, p->groups, g->key, strlen(g->key), g);
		g->numbered = numbered;
		if (numbered) {
			*p->numbered_end = g;
			p->numbered_end = &g->next_numbered;
		}
	} else {
		free(key);
	}
	push(is_patched ? &g->patched : &g->orig, a);
	a->group = g;
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

static void join(struct atom *orig, struct atom *patched)
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

/* Registrations with a counter in their name: the same bytes first, then the order. */
static bool same_bytes(const struct atom *a, const struct atom *b)
{
	return a->size == b->size && a->nrelocs == b->nrelocs &&
	       (!a->sec->data || !b->sec->data ||
		!memcmp(a->sec->data + a->off, b->sec->data + b->off, a->size));
}

static void pair_registry(struct pairing *g)
{
	size_t j = 0;

	if (g->orig.n == g->patched.n) {
		for (size_t i = 0; i < g->orig.n; i++)
			join(g->orig.a[i], g->patched.a[i]);
		return;
	}
	/* One was added or removed: walk both lists in step. */
	for (size_t i = 0; i < g->orig.n; i++)
		for (size_t k = j; k < g->patched.n; k++)
			if (same_bytes(g->orig.a[i], g->patched.a[k])) {
				join(g->orig.a[i], g->patched.a[k]);
				j = k + 1;
				break;
			}
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

/* The members of numbered groups that a function and its parts refer to, in order, once each. */
static void references(struct atom_list *out, const struct atom *user)
{
	for (size_t i = 0; i < user->nrelocs; i++) {
		struct atom *t = user->relocs[i].target;

		if (!t || t->twin || !t->group || !t->group->numbered || t->parent)
			continue;
		for (size_t j = 0; j < out->n; j++)
			if (out->a[j] == t)
				goto next;
		push(out, t);
next:;
	}
}

static void vote(struct atom *orig, struct atom *patched)
{
	if (orig->vote && orig->vote != patched)
		orig->vote_conflict = true;
	if (patched->vote && patched->vote != orig)
		patched->vote_conflict = true;
	orig->vote = patched;
	patched->vote = orig;
}

/*
 * Both lists hold what the two versions of one user refer to. Within each group: the same number
 * on both sides are paired in order; otherwise those whose size is there once on both sides.
 */
static size_t count_size(const struct atom_list *l, const struct pairing *g, uint64_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->a[i]->group == g && l->a[i]->size == size;
	return n;
}

static size_t count_group(const struct atom_list *l, const struct pairing *g)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->a[i]->group == g;
	return n;
}

static struct atom *nth_of_group(const struct atom_list *l, const struct pairing *g, size_t n)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->a[i]->group == g && !n--)
			return l->a[i];
	return NULL;
}

static struct atom *of_size(const struct atom_list *l, const struct pairing *g, uint64_t size)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->a[i]->group == g && l->a[i]->size == size)
			return l->a[i];
	return NULL;
}

/* The compiler numbers the members of a group in the order of the source, or against it. */
static struct atom *same_rank(const struct atom_list *from, const struct atom *a,
			      const struct atom_list *to)
{
	size_t rank = 0;

	for (size_t i = 0; i < from->n; i++)
		rank += from->a[i]->group == a->group &&
			strverscmp(atom_name(from->a[i]), atom_name(a)) < 0;
	for (size_t i = 0; i < to->n; i++) {
		size_t n = 0;

		if (to->a[i]->group != a->group)
			continue;
		for (size_t j = 0; j < to->n; j++)
			n += to->a[j]->group == a->group &&
			     strverscmp(atom_name(to->a[j]), atom_name(to->a[i])) < 0;
		if (n == rank)
			return to->a[i];
	}
	return NULL;
}

/* A sum over all places where users refer to t: which instruction, and which part of t. */
static uint64_t usage(const struct atom_list *users, const struct atom *t)
{
	uint64_t sum = t->size;

	for (size_t i = 0; i < users->n; i++) {
		const struct atom *u = users->a[i];

		for (size_t j = 0; j < u->nrelocs; j++) {
			const struct reloc *r = &u->relocs[j];
			uint64_t h = r->type;

			if (r->target != t)
				continue;
			h = h * 1099511628211u + (uint64_t)r->target_off;
			/* Opcode and ModRM byte. */
			if (is_code(u->sec) && r->offset >= u->off + 2)
				h = h * 1099511628211u + u->sec->data[r->offset - 2] * 256u +
				    u->sec->data[r->offset - 1];
			sum += h * 1099511628211u;
		}
	}
	return sum;
}

static struct atom *same_usage(const struct atom_list *from_users, const struct atom_list *from,
			       const struct atom *a, const struct atom_list *to_users,
			       const struct atom_list *to)
{
	uint64_t how = usage(from_users, a);
	struct atom *b = NULL;

	for (size_t i = 0; i < from->n; i++)
		if (from->a[i] != a && from->a[i]->group == a->group &&
		    usage(from_users, from->a[i]) == how)
			return NULL;
	for (size_t i = 0; i < to->n; i++) {
		if (to->a[i]->group != a->group || usage(to_users, to->a[i]) != how)
			continue;
		if (b)
			return NULL;
		b = to->a[i];
	}
	return b;
}

/* Users of one version of a function, and what of the groups they refer to. */
struct side {
	const struct atom_list *users;
	struct atom_list refs;
};

/*
 * Which b is a? The compiler moves references about, so that their order alone proves nothing: the
 * order of the numbers must say the same. If it doesn't, or if there are more on one side, the way
 * in which they are used decides.
 */
static struct atom *counterpart(const struct side *orig, const struct side *patched,
				const struct atom *a, size_t nth)
{
	const struct pairing *g = a->group;
	struct atom *b;

	if (count_group(&orig->refs, g) == count_group(&patched->refs, g)) {
		b = nth_of_group(&patched->refs, g, nth);
		if (b == same_rank(&orig->refs, a, &patched->refs))
			return b;
	} else if (count_size(&orig->refs, g, a->size) == 1 &&
		   count_size(&patched->refs, g, a->size) == 1) {
		return of_size(&patched->refs, g, a->size);
	}
	return same_usage(orig->users, &orig->refs, a, patched->users, &patched->refs);
}

static void vote_by_references(struct side *orig, struct side *patched, bool sure)
{
	for (size_t i = 0; i < orig->refs.n; i++) {
		struct atom *a = orig->refs.a[i], *b;
		size_t n = 0, members = count_group(&patched->refs, a->group);

		if (!members || (sure && (members > 1 || count_group(&orig->refs, a->group) > 1)))
			continue;
		for (size_t j = 0; j < i; j++)
			n += orig->refs.a[j]->group == a->group;
		b = counterpart(orig, patched, a, n);
		if (b) {
			vote(a, b);
			continue;
		}
		/* One of these, or none: nobody knows. */
		a->vote_conflict = true;
		for (size_t j = 0; j < patched->refs.n; j++)
			if (patched->refs.a[j]->group == a->group &&
			    patched->refs.a[j]->size == a->size)
				patched->refs.a[j]->vote_conflict = true;
	}
}

static bool pair_by_votes(struct pairer *p)
{
	bool progress = false;

	for (struct pairing *g = p->numbered; g; g = g->next_numbered)
		for (size_t i = 0; i < g->orig.n; i++) {
			struct atom *a = g->orig.a[i], *b = a->vote;

			if (!a->twin && b && !b->twin && b->vote == a && !a->vote_conflict &&
			    !b->vote_conflict) {
				join(a, b);
				progress = true;
			}
		}
	return progress;
}

static void forget_votes_on(const struct atom_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		l->a[i]->vote = NULL;
		l->a[i]->vote_conflict = false;
	}
}

static void forget_votes(struct pairer *p)
{
	for (struct pairing *g = p->numbered; g; g = g->next_numbered) {
		forget_votes_on(&g->orig);
		forget_votes_on(&g->patched);
	}
}

static void vote_of_users(const struct atom_list *orig_users, const struct atom_list *patched_users,
			  bool sure)
{
	struct side orig = { .users = orig_users }, patched = { .users = patched_users };

	for (size_t i = 0; i < orig_users->n; i++)
		references(&orig.refs, orig_users->a[i]);
	for (size_t i = 0; i < patched_users->n; i++)
		references(&patched.refs, patched_users->a[i]);
	vote_by_references(&orig, &patched, sure);
	free(orig.refs.a);
	free(patched.refs.a);
}

/*
 * The only one of its group that a function refers to is surer than one of several: inlining
 * changes their order. What the sure votes pair does not take part in the others.
 */
static void collect_votes(struct pairer *p, bool sure)
{
	struct family *f, *tmp;

	forget_votes(p);
	HASH_ITER(hh, p->families, f, tmp)
		vote_of_users(&f->orig, &f->patched, sure);
	for_each_atom(&p->d->orig, a) {
		struct atom_list orig = { .a = &a, .n = 1 }, patched = { .a = &a->twin, .n = 1 };

		if (a->nrelocs && a->twin && !is_code(a->sec))
			vote_of_users(&orig, &patched, sure);
	}
}

/* Does a function of this object refer to a that has a counterpart in the other object? */
struct user_list {
	struct atom *of;
	struct atom_list users;
	UT_hash_handle hh;
};

static struct user_list *list_users(struct elf_file *file)
{
	struct user_list *users = NULL, *u;

	for_each_atom(file, a) {
		for (size_t i = 0; i < a->nrelocs; i++) {
			struct atom *t = a->relocs[i].target;

			if (!t || t->twin || !t->group || a->kind == ATOM_ENTRY)
				continue;
			HASH_FIND_PTR(users, &t, u);
			if (!u) {
				u = xcalloc(1, sizeof(*u));
				u->of = t;
				HASH_ADD_PTR(users, of, u);
			}
			if (!u->users.n || u->users.a[u->users.n - 1] != a)
				push(&u->users, a);
		}
	}
	return users;
}

static void free_users(struct user_list *users)
{
	struct user_list *u, *tmp;

	HASH_ITER(hh, users, u, tmp) {
		HASH_DEL(users, u);
		free(u->users.a);
		free(u);
	}
}

/* True when all users of a are functions that the other object doesn't have: they were inlined. */
static bool all_users_vanished(struct user_list *users, struct atom *a)
{
	struct user_list *u;

	HASH_FIND_PTR(users, &a, u);
	if (!u)
		return true;
	for (size_t i = 0; i < u->users.n; i++)
		if (u->users.a[i]->twin)
			return false;
	return true;
}

/* Members of l that have no counterpart and that nothing refers to. */
static struct atom_list unused(const struct atom_list *l, struct user_list *users)
{
	struct atom_list out = { 0 };
	struct user_list *u;

	for (size_t i = 0; i < l->n; i++) {
		HASH_FIND_PTR(users, &l->a[i], u);
		if (!u && !l->a[i]->twin && l->a[i]->kind == ATOM_DATA)
			push(&out, l->a[i]);
	}
	return out;
}

/*
 * Variables of a macro that are there for their section only (tracepoint_string(): the compiler reads
 * ___tp_str's initial value instead of the variable): as many on both sides are the same, in the order of
 * their places.
 */
static void pair_unused(struct pairing *g, struct user_list *orig_users,
			struct user_list *patched_users)
{
	struct atom_list orig = unused(&g->orig, orig_users);
	struct atom_list patched = unused(&g->patched, patched_users);

	for (size_t i = 0; orig.n == patched.n && i < orig.n; i++)
		if (!strcmp(orig.a[i]->sec->name, patched.a[i]->sec->name))
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
	struct user_list *orig_users = list_users(&p->d->orig);
	struct user_list *patched_users = list_users(&p->d->patched);

	for (struct pairing *g = p->numbered; g; g = g->next_numbered) {
		struct atom *a = NULL, *b = NULL;
		size_t na = 0, nb = 0;

		pair_unused(g, orig_users, patched_users);
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
		    (a->size == b->size && (all_users_vanished(orig_users, a) ||
					    all_users_vanished(patched_users, b))))
			join(a, b);
	}
	free_users(orig_users);
	free_users(patched_users);
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
	do {
		do
			collect_votes(&p, true);
		while (pair_by_votes(&p));
		collect_votes(&p, false);
	} while (pair_by_votes(&p));
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
