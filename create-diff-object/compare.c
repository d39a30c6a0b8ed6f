// SPDX-License-Identifier: GPL-2.0-only
/*
 * Third pass: what of the patched object does the same as its twin in the original?
 *
 * Two atoms are the same when their bytes are, relocated fields aside, and their relocations mean
 * the same. For code that includes the table entries that describe it: a changed static key
 * changes nothing but an entry of the jump label table.
 */
#include <stdlib.h>

#include "diag.h"
#include "diff.h"

static bool same_atoms(struct atom *a, struct atom *b);

/* Compare bytes and skip the fields of relocations. The relocations are at the same places. */
static bool same_unrelocated_bytes(const struct atom *a, const struct atom *b)
{
	const unsigned char *x = a->sec->data, *y = b->sec->data;
	uint64_t pos = 0;

	if (!x || !y)
		return !x && !y;
	x += a->off;
	y += b->off;
	for (size_t i = 0; i <= a->nrelocs; i++) {
		uint64_t end = i < a->nrelocs ? a->relocs[i].offset - a->off : a->size;

		if (end > pos && memcmp(x + pos, y + pos, end - pos))
			return false;
		if (i < a->nrelocs)
			pos = end + arch_reloc_width(a->relocs[i].type);
	}
	return true;
}

static bool same_strings(const struct atom *a, int64_t aoff, const struct atom *b, int64_t boff)
{
	if (aoff != boff || aoff < 0 || (uint64_t)aoff >= a->size || (uint64_t)boff >= b->size)
		return a->size == b->size && aoff == boff &&
		       !memcmp(a->sec->data + a->off, b->sec->data + b->off, a->size);
	return !strcmp((const char *)a->sec->data + a->off + aoff,
		       (const char *)b->sec->data + b->off + boff);
}

/* Both have no twin: equal things that exist on each side for themselves. */
static bool same_private(struct atom *a, int64_t aoff, struct atom *b, int64_t boff)
{
	char *ka, *kb;
	bool same;

	if (a->kind != b->kind || aoff != boff)
		return false;
	if (is_named(a) != is_named(b))
		return false;
	if (is_named(a)) {
		/* Without a twin, only what every version has a copy of can be the same. */
		if (!a->own_copy || !b->own_copy)
			return false;
		ka = name_key(atom_name(a));
		kb = name_key(atom_name(b));
		same = !strcmp(ka, kb);
		free(ka);
		free(kb);
		if (!same)
			return false;
	}
	return same_atoms(a, b);
}

static bool same_targets(const struct reloc *r, const struct reloc *s)
{
	struct atom *a = r->target, *b = s->target;

	if (!arch_same_reloc(r->type, s->type))
		return false;
	if (!a && !b)
		return r->addend == s->addend && !strcmp(r->sym->name, s->sym->name);
	if (!a || !b)
		return false;
	if (a->twin || b->twin)
		return a->twin == b && r->target_off == s->target_off;
	if (a->kind == ATOM_STRING && b->kind == ATOM_STRING)
		return same_strings(a, r->target_off, b, s->target_off);
	return same_private(a, r->target_off, b, s->target_off);
}

static bool same_relocs(const struct atom *a, const struct atom *b)
{
	if (a->nrelocs != b->nrelocs)
		return false;
	for (size_t i = 0; i < a->nrelocs; i++) {
		if (a->relocs[i].offset - a->off != b->relocs[i].offset - b->off)
			return false;
		if (!arch_reloc_width(a->relocs[i].type))
			return false;
		if (!same_targets(&a->relocs[i], &b->relocs[i]))
			return false;
	}
	return true;
}

/* Table entries are compared in order; the relocation to the code itself is one of theirs. */
static bool same_entries(const struct atom *a, const struct atom *b)
{
	struct atom *x = a->entries, *y = b->entries;

	for (; x && y; x = x->next_entry, y = y->next_entry)
		if (strcmp(x->sec->name, y->sec->name) || !same_atoms(x, y))
			return false;
	return !x && !y;
}

/* Sections that the same bytes mean different things in: they decide how a variable is reached. */
static bool same_kind_of_data(const struct section *a, const struct section *b)
{
	static const char *const kinds[] = { ".data..percpu", ".data..ro_after_init" };

	if (is_writable(a) != is_writable(b))
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (has_prefix(a->name, kinds[i]) != has_prefix(b->name, kinds[i]))
			return false;
	return true;
}

static bool same_atoms(struct atom *a, struct atom *b)
{
	bool same;

	if (a->kind == ATOM_DATA && !same_kind_of_data(a->sec, b->sec))
		return false;

	if (a->kind != b->kind || a->size != b->size || a->entry != b->entry ||
	    is_nobits(a->sec) != is_nobits(b->sec))
		return false;
	/* A cycle of references: what is being compared counts as equal until proven otherwise. */
	if (a->comparing)
		return true;
	a->comparing = true;
	same = same_relocs(a, b) && same_unrelocated_bytes(a, b) && same_entries(a, b);
	a->comparing = false;
	return same;
}

static bool is_local_reference(const struct reloc *r, const struct atom *to)
{
	return r->target == to;
}

/*
 * A changed constant object: the running kernel keeps the old one, so that every function of the
 * object that refers to it must become changed and get the new one, and so must the constants that
 * refer to it. That is complete only if nothing else can reach it.
 */
static bool adopt_constant(struct diff *d, struct atom *constant)
{
	bool complete = !is_global_atom(constant), used = false;

	for_each_atom(&d->patched, user) {
		bool refers = false;

		for (size_t i = 0; i < user->nrelocs && !refers; i++)
			refers = is_local_reference(&user->relocs[i], constant);
		if (!refers)
			continue;
		used = true;
		if (user->kind == ATOM_CODE && user->twin)
			user->state = STATE_CHANGED;
		else if (user->kind == ATOM_ENTRY && user->describes && user->describes->twin)
			user->describes->state = STATE_CHANGED;
		else if (user->state == STATE_NEW)
			continue;
		else if (is_constant(user) && user->twin)
			user->state = STATE_CHANGED;
		else if (user->kind != ATOM_CODE)
			complete = false;
	}
	/* What nothing here uses is found by its section: the kernel has such lists. */
	return complete && used;
}

static void adopt_constants(struct diff *d)
{
	bool again;

	do {
		again = false;
		for_each_atom(&d->patched, a) {
			if (a->state != STATE_CHANGED || a->own_copy || !is_constant(a) ||
			    !is_constant(a->twin))
				continue;
			if (!adopt_constant(d, a))
				diag_refuse("%s: %s: a constant object changed, and other files or data can refer to it; change the functions that use it instead, or use a pre-patch callback",
					    d->opt.source, atom_title(a));
			a->own_copy = true;
			again = true;
		}
	} while (again);
}

/* A function and its cold part are replaced together. */
static void spread_to_families(struct diff *d)
{
	for_each_atom(&d->patched, a) {
		if (a->parent && a->state != STATE_SAME && a->parent->twin &&
		    a->parent->state == STATE_SAME)
			a->parent->state = STATE_CHANGED;
		/* A lost or new cold part comes with changed branches, but do not rely on it. */
		if (a->twin && a->state == STATE_SAME && a->child &&
		    (!a->twin->child || a->twin->child != a->child->twin))
			a->state = STATE_CHANGED;
	}
}

/* Is f reached by direct calls only, so that whoever calls it can call another copy? */
static bool is_only_called(struct diff *d, const struct atom *f)
{
	bool called = false;

	for_each_atom(&d->patched, user)
		for (size_t i = 0; i < user->nrelocs; i++) {
			if (user->relocs[i].target != f || user == f)
				continue;
			/* The tables of the function itself, and the pieces that belong to them. */
			if (user->kind == ATOM_POOL || user->kind == ATOM_ENTRY)
				continue;
			if (!is_code(user->sec) || !arch_is_branch(user->sec, &user->relocs[i]))
				return false;
			called |= user->kind == ATOM_CODE;
		}
	return called;
}

/* Every function that calls f is changed with it. Returns whether there was one that was not yet. */
static bool change_callers(struct diff *d, const struct atom *f)
{
	bool news = false;

	for_each_atom(&d->patched, user)
		for (size_t i = 0; i < user->nrelocs; i++) {
			struct atom *top = user->parent ? user->parent : user;

			if (user->relocs[i].target != f || user->kind != ATOM_CODE || top == f ||
			    !top->twin || top->state != STATE_SAME)
				continue;
			top->state = STATE_CHANGED;
			news = true;
		}
	return news;
}

/*
 * A changed function that ftrace cannot redirect, as "inline" functions that the compiler did not
 * inline are (the kernel makes them notrace): if it is local and only called, its callers are replaced
 * together with it and call the new copy. The body of a large system call is one. Code of the
 * sections that must not be traced or probed stays where it is.
 */
static void carry_to_callers(struct diff *d)
{
	bool again;

	do {
		again = false;
		for_each_atom(&d->patched, f) {
			if (f->kind != ATOM_CODE || f->state != STATE_CHANGED || f->carried ||
			    f->parent || !is_named(f) || (f->has_fentry && f->twin->has_fentry))
				continue;
			if (is_global_atom(f) || is_global_atom(f->twin) ||
			    !has_prefix(f->sec->name, ".text") || !is_only_called(d, f))
				continue;
			f->carried = true;
			again |= change_callers(d, f);
		}
	} while (again);
}

static void mark_referenced(struct elf_file *file)
{
	for_each_atom(file, a)
		for (size_t i = 0; i < a->nrelocs; i++)
			if (a->relocs[i].target)
				a->relocs[i].target->referenced = true;
}

/* The next piece, from *i on, of an ordinary section that has neither a name nor a user. */
static struct atom *next_stray(const struct section *sec, size_t *i)
{
	while (sec && *i < sec->natoms) {
		struct atom *a = sec->atoms[(*i)++];

		if (a->kind == ATOM_DATA && !is_named(a) && !a->referenced)
			return a;
	}
	return NULL;
}

static bool has_strays(const struct section *sec)
{
	size_t i = 0;

	return next_stray(sec, &i);
}

static void compare_strays_of(struct diff *d, const struct section *so, const struct section *sn)
{
	size_t i = 0, j = 0;

	for (;;) {
		struct atom *a = next_stray(so, &i), *b = next_stray(sn, &j);

		if (!a && !b)
			return;
		if (a && b && same_atoms(a, b))
			continue;
		diag_refuse("%s: section %s: data without a name changed, and what the kernel does with it is not known; leave this part out",
			    d->opt.source, (sn ? sn : so)->name);
		return;
	}
}

/* What nothing refers to is used through its section's start and end: a table not known here. */
static void compare_strays(struct diff *d)
{
	mark_referenced(&d->orig);
	mark_referenced(&d->patched);
	for_each_section(&d->patched, sn)
		if (has_strays(sn))
			compare_strays_of(d, elf_file_section(&d->orig, sn->name), sn);
	for_each_section(&d->orig, so) {
		struct section *sn;

		if (!has_strays(so))
			continue;
		sn = elf_file_section(&d->patched, so->name);
		if (!has_strays(sn))
			compare_strays_of(d, so, sn);
	}
}

/* Does r refer to a place inside of a function that is replaced? */
static bool is_inside_changed(const struct reloc *r)
{
	const struct atom *t = r->target;

	if (!t || t->kind != ATOM_CODE || !t->twin)
		return false;
	if (t->parent)
		return t->parent->state == STATE_CHANGED;
	return t->state == STATE_CHANGED && r->target_off != (int64_t)t->entry;
}

/*
 * A table of places inside of a function (switch statements, labels whose address is taken) belongs to
 * this version of it, even if its bytes are the same: the kernel's leads into the old code. Returns
 * whether there was one that was not known to be changed.
 */
static bool change_inner_tables(struct diff *d)
{
	bool news = false;

	for_each_atom(&d->patched, a) {
		if (a->kind != ATOM_DATA || !a->twin || a->own_copy || a->state != STATE_SAME)
			continue;
		for (size_t i = 0; i < a->nrelocs; i++)
			if (is_inside_changed(&a->relocs[i])) {
				a->state = STATE_CHANGED;
				a->inner_table = true;
				news = true;
				break;
			}
	}
	return news;
}

int compare_objects(struct diff *d)
{
	for_each_atom(&d->patched, a) {
		switch (a->kind) {
		case ATOM_CODE:
		case ATOM_DATA:
		case ATOM_REGISTRY:
			if (a->own_copy)
				break;
			/* Nameless data is compared where it is referred to. */
			if (!is_named(a) && !a->twin && a->kind != ATOM_CODE)
				break;
			if (!a->twin)
				a->state = STATE_NEW;
			else if (!same_atoms(a->twin, a))
				a->state = STATE_CHANGED;
			break;
		default:
			break;	/* compared where they are referred to */
		}
	}
	compare_strays(d);
	do {
		adopt_constants(d);
		spread_to_families(d);
		carry_to_callers(d);
	} while (change_inner_tables(d));
	return 0;
}
