// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pass compare_objects(): what of the patched object does the same as its twin in the original?
 *
 * Two atoms are the same when their bytes are, relocated fields aside, and their relocations mean
 * the same. For code that includes the table entries that describe it: a changed static key
 * changes nothing but an entry of the jump label table.
 */
#include <stdlib.h>

#include "diag.h"
#include "diff.h"

/*
 * What two things without twins hold has been compared. While it is, they count as equal, so that a
 * cycle of references ends; if something on the way turns out to differ, what was found equal in the
 * meantime is forgotten, for that may rest on it.
 */
struct comparison {
	struct {
		const struct atom *a, *b;
	} pair;
	bool same;
	struct comparison *earlier;	/* of those that are not certain */
	UT_hash_handle hh;
};

struct comparer {
	struct comparison *known;	/* hash */
	struct comparison *uncertain;
	unsigned int depth;
};

/* The compiler's nameless things refer to each other two or three deep. */
#define MAX_DEPTH 100

static bool same_atoms(struct comparer *c, struct atom *a, struct atom *b);

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

static bool same_contents(struct comparer *c, struct atom *a, struct atom *b)
{
	struct comparison key = { .pair = { a, b } }, *known;

	HASH_FIND(hh, c->known, &key.pair, sizeof(key.pair), known);
	if (known)
		return known->same;
	if (c->depth == MAX_DEPTH)
		return false;
	known = xcalloc(1, sizeof(*known));
	*known = (struct comparison){ .pair = { a, b }, .same = true, .earlier = c->uncertain };
	c->uncertain = known;
	HASH_ADD(hh, c->known, pair, sizeof(known->pair), known);
	c->depth++;
	known->same = same_atoms(c, a, b);
	c->depth--;
	return known->same;
}

/* The top of a comparison: from here on its result is certain. */
static bool are_same(struct comparer *c, struct atom *a, struct atom *b)
{
	bool same = same_atoms(c, a, b);

	for (struct comparison *u = c->uncertain, *next; u; u = next) {
		next = u->earlier;
		if (same || !u->same)
			continue;
		HASH_DEL(c->known, u);
		free(u);
	}
	c->uncertain = NULL;
	return same;
}

/* Both have no twin: equal things that exist on each side for themselves. */
static bool same_private(struct comparer *c, struct atom *a, int64_t aoff, struct atom *b, int64_t boff)
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
	return same_contents(c, a, b);
}

static bool same_targets(struct comparer *c, const struct reloc *r, const struct reloc *s)
{
	struct atom *a = r->target, *b = s->target;

	if (!arch_same_reloc(r->type, s->type))
		return false;
	if (!a && !b)
		return r->addend == s->addend && !strcmp(r->sym->name, s->sym->name);
	if (!a || !b)
		return false;
	/* What a weak name means is decided elsewhere. */
	if ((symbol_bind(r->sym) == STB_WEAK || symbol_bind(s->sym) == STB_WEAK) && strcmp(r->sym->name, s->sym->name))
		return false;
	if (a->twin || b->twin)
		return a->twin == b && r->target_off == s->target_off;
	if (a->kind == ATOM_STRING && b->kind == ATOM_STRING)
		return same_strings(a, r->target_off, b, s->target_off);
	return same_private(c, a, r->target_off, b, s->target_off);
}

static bool same_relocs(struct comparer *c, const struct atom *a, const struct atom *b)
{
	if (a->nrelocs != b->nrelocs)
		return false;
	for (size_t i = 0; i < a->nrelocs; i++) {
		if (a->relocs[i].offset - a->off != b->relocs[i].offset - b->off)
			return false;
		if (!arch_reloc_width(a->relocs[i].type))
			return false;
		if (!same_targets(c, &a->relocs[i], &b->relocs[i]))
			return false;
	}
	return true;
}

/* Table entries are compared in order; the relocation to the code itself is one of theirs. */
static bool same_entries(struct comparer *c, const struct atom *a, const struct atom *b)
{
	struct atom *x = a->entries, *y = b->entries;

	for (; x && y; x = x->next_entry, y = y->next_entry)
		if (strcmp(x->sec->name, y->sec->name) || !same_atoms(c, x, y))
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

static bool same_atoms(struct comparer *c, struct atom *a, struct atom *b)
{
	if (a->kind == ATOM_DATA && !same_kind_of_data(a->sec, b->sec))
		return false;

	if (a->kind != b->kind || a->size != b->size || a->entry != b->entry ||
	    is_nobits(a->sec) != is_nobits(b->sec))
		return false;
	return same_relocs(c, a, b) && same_unrelocated_bytes(a, b) && same_entries(c, a, b);
}

/* Data that has another size, or is reached in another way, would be misread by the new code. */
static bool can_be_left_out(const struct atom *a)
{
	return a->kind != ATOM_DATA || (a->size == a->twin->size && same_kind_of_data(a->sec, a->twin->sec));
}

/* The next piece, from *i on, of an ordinary section that has neither a name nor a user. */
static struct atom *next_stray(const struct section *sec, size_t *i)
{
	while (sec && *i < sec->natoms) {
		struct atom *a = sec->atoms[(*i)++];

		if (a->kind == ATOM_DATA && !is_named(a) && !a->nuses)
			return a;
	}
	return NULL;
}

static bool has_strays(const struct section *sec)
{
	size_t i = 0;

	return next_stray(sec, &i);
}

static void compare_strays_of(struct diff *d, struct comparer *c, const struct section *so, const struct section *sn)
{
	size_t i = 0, j = 0;

	for (;;) {
		struct atom *a = next_stray(so, &i), *b = next_stray(sn, &j);

		if (!a && !b)
			return;
		if (a && b && are_same(c, a, b))
			continue;
		if ((a && a->ignored) || (b && b->ignored)) {
			leave_out(b && b->ignored ? b : a);
			return;
		}
		diag_refuse(REASON_UNKNOWN_DATA, "%s: section %s: data without a name changed, and what the kernel does with it is not known; leave this part out",
			    d->opt.source, (sn ? sn : so)->name);
		return;
	}
}

/* What nothing refers to is used through its section's start and end: a table not known here. */
static void compare_strays(struct diff *d, struct comparer *c)
{
	for_each_section(&d->patched, sn)
		if (has_strays(sn))
			compare_strays_of(d, c, elf_file_section(&d->orig, sn->name), sn);
	for_each_section(&d->orig, so) {
		struct section *sn;

		if (!has_strays(so))
			continue;
		sn = elf_file_section(&d->patched, so->name);
		if (!has_strays(sn))
			compare_strays_of(d, c, so, sn);
	}
}

int compare_objects(struct diff *d)
{
	struct comparer c = { 0 };

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
			else if (are_same(&c, a->twin, a))
				break;
			else if (a->ignored && can_be_left_out(a))
				leave_out(a);
			else
				a->state = STATE_CHANGED;
			break;
		default:
			break;	/* compared where they are referred to */
		}
	}
	compare_strays(d, &c);
	return 0;
}
