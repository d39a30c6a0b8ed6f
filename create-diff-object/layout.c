// SPDX-License-Identifier: GPL-2.0-only
/*
 * Behind select_atoms(): does the patch change what the data of existing objects mean?
 *
 * Structures in memory were made by the old code, and other code of the kernel goes on to read them in the
 * old way; enumerators are stored in them. So a type that both versions of the file define, and that does not
 * agree with what it was (agree.c), is refused whenever anything of the file is replaced. That no object of it
 * outlives a call, or that only replaced code makes and reads it, is not to be seen from here: the author
 * says so with --allow-layout or KPATCH_ALLOW_LAYOUT().
 *
 * A file whose code stays the same is not replaced, and does not care: it uses nothing that moved.
 */
#include <stdlib.h>

#include "diag.h"
#include "explain.h"
#include "types.h"

/* So many types are shown, and so many members of each that are new, and that are lost. */
#define MAX_SHOWN	10
#define MAX_MEMBERS	3

/* How often names of members are compared for one message: what was made to take forever is not told. */
#define MAX_STEPS	1000000

/* Nothing that an author writes is nested any deeper. */
#define MAX_DEPTH	20

static bool has_member(const struct type *t, const char *name, size_t from, unsigned long *steps)
{
	/* Both lists are in the order of the source, so that what is looked for mostly comes next. */
	for (size_t n = 0; n < t->nparts && *steps; n++, --*steps) {
		const char *other = t->parts[(from + n) % t->nparts].name;

		if (other && !strcmp(other, name))
			return true;
	}
	return !*steps;
}

/* "new member flags ("unsigned int"), ...", of what is in one and not in the other; NULL: nothing. */
static char *members_only_in(const struct type *in, const struct type *other, const char *what)
{
	unsigned long steps = MAX_STEPS;
	char *text = NULL;
	unsigned int n = 0;

	for (size_t i = 0; i < in->nparts; i++) {
		const struct part *p = &in->parts[i];
		char *type, *more;

		if (!p->name || !p->type || has_member(other, p->name, i, &steps))
			continue;
		if (++n > MAX_MEMBERS)
			break;
		type = member_title(p);
		more = xasprintf("%s%s%s %s (\"%s\")", text ? text : "", text ? ", " : "", what, p->name, type);
		free(type);
		free(text);
		text = more;
	}
	return text;
}

static char *describe(struct type *a, struct type *b)
{
	char *gained = members_only_in(b, a, "new member"), *lost = members_only_in(a, b, "lost member"), *text;

	if (!gained && !lost) {
		text = type_difference(a, b);
		return text ? text : xstrdup("somewhere inside");
	}
	text = xasprintf("%s%s%s, %lu bytes instead of %lu", gained ? gained : "", gained && lost ? ", " : "",
			 lost ? lost : "", (unsigned long)b->size, (unsigned long)a->size);
	free(gained);
	free(lost);
	return text;
}

static bool is_definition(const struct type *t)
{
	return t->tag == DW_TAG_structure_type || t->tag == DW_TAG_union_type || t->tag == DW_TAG_enumeration_type;
}

/* Both are the type of one name, which is looked at for itself. */
static bool same_definition(const struct type *a, const struct type *b)
{
	const char *x = a->name ? a->name : a->typedef_name, *y = b->name ? b->name : b->typedef_name;

	return a->tag == b->tag && is_definition(a) && x && y && !strcmp(x, y);
}

static bool same_dimensions(const struct type *a, const struct type *b)
{
	for (size_t i = 0; i < a->nparts && a->nparts == b->nparts; i++)
		if (a->parts[i].value != b->parts[i].value)
			return false;
	return a->nparts == b->nparts && a->to && b->to;
}

/*
 * Does a type that does not agree with its old version differ in itself, and not only in the types of other names that
 * it contains?
 */
static bool differs_itself(struct type *a, struct type *b, unsigned int depth)
{
	bool inside = false;

	if (!depth || a->tag != b->tag || a->tag == DW_TAG_enumeration_type || !is_definition(a) ||
	    a->nparts != b->nparts)
		return true;
	for (size_t i = 0; i < a->nparts; i++) {
		const struct part *x = &a->parts[i], *y = &b->parts[i];
		struct type *of_x = x->type, *of_y = y->type;

		if (!x->name != !y->name || (x->name && strcmp(x->name, y->name)) || x->width != y->width ||
		    !of_x || !of_y)
			return true;
		if (types_agree(of_x, of_y))
			continue;
		while (of_x->tag == DW_TAG_array_type && of_y->tag == DW_TAG_array_type &&
		       same_dimensions(of_x, of_y)) {
			of_x = of_x->to;
			of_y = of_y->to;
		}
		if (!same_definition(of_x, of_y) && differs_itself(of_x, of_y, depth - 1))
			return true;
		inside = true;
	}
	return !inside;
}

static bool is_allowed(struct diff *d, const char *name)
{
	struct name_set *s;

	HASH_FIND_STR(d->opt.allowed_layouts, name, s);
	if (s)
		s->used = true;
	return s;
}

static void refuse(struct diff *d, const struct named_type *was, const struct named_type *is)
{
	char *change = describe(was->type, is->type), *renamed;
	bool new;

	if (is->type->tag != DW_TAG_enumeration_type && strcmp(was->name, is->name)) {
		renamed = xasprintf("was %s, %s", was->name, change);
		free(change);
		change = renamed;
	}

	if (is->type->tag == DW_TAG_enumeration_type)
		new = diag_refuse(REASON_VALUES, "%s: %s changes (%s), and objects in memory hold the old values; put new ones behind the others, or say --allow-layout='%s' if no object holds one",
				  d->opt.source, is->name, change, is->name);
	else
		new = diag_refuse(REASON_LAYOUT, "%s: %s changes (%s), and objects in memory have the old layout; keep what is new in a shadow field (man kpatch-shadow.h), or say --allow-layout='%s' if no object outlives a call",
				  d->opt.source, is->name, change, is->name);
	free(change);
	if (!new)
		return;
	show_layout(d, was, is);
	show_shadow_fields(d, was, is);
}

/* Returns whether the type changed, and not only in what it contains. */
static bool compare_layout(struct diff *d, const struct named_type *was, const struct named_type *is)
{
	struct changed_type *c;

	if (types_agree(was->type, is->type) || !differs_itself(was->type, is->type, MAX_DEPTH))
		return false;
	c = xcalloc(1, sizeof(*c));
	*c = (struct changed_type){ was, is, NULL };
	*d->changed_types_end = c;
	d->changed_types_end = &c->next;
	return true;
}

/* An enumerator of the original. Each source has one of a name, outside of functions. */
struct enumerator {
	const char *name;
	const struct named_type *in;
	UT_hash_handle hh;
};

static struct enumerator *list_enumerators(const struct named_types *all)
{
	struct enumerator *list = NULL, *e;

	for (const struct named_type *n = all->list; n; n = n->next)
		for (size_t i = 0; n->type->tag == DW_TAG_enumeration_type && !n->function && i < n->type->nparts; i++) {
			const char *name = n->type->parts[i].name;

			if (!name)
				continue;
			HASH_FIND_STR(list, name, e);
			if (e)
				continue;
			e = xcalloc(1, sizeof(*e));
			e->name = name;
			e->in = n;
			HASH_ADD_KEYPTR(hh, list, e->name, strlen(e->name), e);
		}
	return list;
}

/*
 * An enumeration may have another name now, or, if it has none, another first enumerator, by which it is called here:
 * what it was is told by its other enumerators.
 */
static void compare_renamed_enumerations(struct diff *d)
{
	struct enumerator *list = list_enumerators(&d->orig_types), *e, *tmp;
	struct named_type *known;

	for (const struct named_type *is = d->patched_types.list; is; is = is->next) {
		const struct named_type *was = NULL;

		if (is->type->tag != DW_TAG_enumeration_type || is->function || !is->name)
			continue;
		HASH_FIND_STR(d->orig_types.by_name, is->name, known);
		for (size_t i = 0; !known && i < is->type->nparts; i++) {
			e = NULL;
			if (is->type->parts[i].name)
				HASH_FIND_STR(list, is->type->parts[i].name, e);
			if (!e || e->in == was)
				continue;
			was = e->in;
			if (compare_layout(d, was, is))
				break;
		}
	}
	HASH_ITER(hh, list, e, tmp) {
		HASH_DEL(list, e);
		free(e);
	}
}

/* A name that the patch gives to something, or takes from it, stands on lines that it changes; others are only used or not. */
static bool is_on_changed_lines(struct diff *d, enum side side, const struct named_type *n)
{
	const struct hunks *h = &d->sources->hunks;
	struct place_of_source p;

	if (!h->n)
		return true;
	p = place_of_entry(d, side, n->entry);
	return p.file && hunk_of(h, p);
}

/* Is at least half of the members there under the same name? */
static bool has_most_members(const struct type *was, const struct type *is, unsigned long *steps)
{
	size_t found = 0;

	for (size_t i = 0; i < was->nparts; i++)
		found += was->parts[i].name && has_member(is, was->parts[i].name, i, steps);
	return found && 2 * found >= was->nparts;
}

/* Is it a structure or union that only one version has under this name? */
static bool is_renamed(const struct named_type *n, const struct named_types *other)
{
	struct named_type *known;

	if (!n->name || n->function ||
	    (n->type->tag != DW_TAG_structure_type && n->type->tag != DW_TAG_union_type))
		return false;
	HASH_FIND_STR(other->by_name, n->name, known);
	return !known;
}

/* Objects that are in memory stay what they are when the patch calls their structure by another name. */
static void compare_renamed_structures(struct diff *d)
{
	unsigned long steps = MAX_STEPS;

	for (const struct named_type *is = d->patched_types.list; is; is = is->next) {
		if (!is_renamed(is, &d->orig_types) || !is_on_changed_lines(d, PATCHED, is))
			continue;
		for (const struct named_type *was = d->orig_types.list; was && steps; was = was->next, steps--)
			if (was->type->tag == is->type->tag && is_renamed(was, &d->patched_types) &&
			    has_most_members(was->type, is->type, &steps) && is_on_changed_lines(d, ORIG, was) &&
			    compare_layout(d, was, is))
				break;
	}
}

void find_changed_types(struct diff *d)
{
	d->changed_types_end = &d->changed_types;
	for (struct named_type *first = d->patched_types.by_name; first; first = first->hh.next) {
		struct named_type *was, *is = first;

		HASH_FIND_STR(d->orig_types.by_name, first->name, was);
		for (; was && is; was = was->next_same, is = is->next_same)
			compare_layout(d, was, is);
	}
	compare_renamed_enumerations(d);
	compare_renamed_structures(d);
}

int check_layouts(struct diff *d)
{
	size_t shown = 0, more = 0;

	if (!d->taken)
		return 0;
	find_changed_types(d);
	for (const struct changed_type *c = d->changed_types; c; c = c->next) {
		if (is_allowed(d, c->is->name))
			continue;
		if (shown++ < MAX_SHOWN)
			refuse(d, c->was, c->is);
		else
			more++;
	}
	if (more)
		diag_refuse(REASON_LAYOUT, "%s: %zu more types change", d->opt.source, more);
	return 0;
}
