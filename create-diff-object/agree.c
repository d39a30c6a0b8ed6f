// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two types agree if what was written as one can be read as the other. That is more than equal sizes (an
 * int is no float) and less than equal declarations:
 *
 * - Typedefs and qualifiers are looked through. const is the section's matter.
 * - Integers of one size agree, signed or not, char or not, and so do enumerations and integers: the
 *   representation is the same. A bool is no integer of its size: it holds 0 and 1 only.
 * - Two enumerations must have some enumerator in common, and each of those must have the same value: others
 *   may be added, but not with the value of one that is gone. Only the greatest, if it counts the others (NR_STATES is
 *   one more than they), may have another value if it is the same one on both sides, greater than each other one,
 *   and there are more in common. That a variable holds the count itself, and means none of them, is not seen.
 * - Structures and unions agree if their members do: names, places, widths, types. Their tags may differ.
 * - Behind a pointer, structures and unions are known by their tags. Objects of the kernel that are not
 *   variables of this file are another matter, and often one side of the diff has only the declaration.
 *   What has no tag is compared like the others.
 */
#include <stdlib.h>

#include "diag.h"
#include "types.h"

bool type_is_scalar(const struct type *t)
{
	return t->tag == DW_TAG_base_type || t->tag == DW_TAG_pointer_type || t->tag == DW_TAG_enumeration_type;
}

static bool is_integer(const struct type *t)
{
	if (t->tag == DW_TAG_enumeration_type)
		return true;
	if (t->tag != DW_TAG_base_type)
		return false;
	switch (t->encoding) {
	case DW_ATE_signed:
	case DW_ATE_unsigned:
	case DW_ATE_signed_char:
	case DW_ATE_unsigned_char:
	case DW_ATE_UTF:
		return true;
	default:
		return false;
	}
}

static bool same_name(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : !a && !b;
}

/* Two parts of the same name, or enumerators of the same value, that should be equal. */
struct change {
	const struct part *was, *is;
};

/*
 * Is it called like a count of the others, NR_STATES, STATE_MAX, num_states? One that is not could be a value like each
 * other that objects hold.
 */
static bool is_count(const struct part *p)
{
	static const char *const words[] = { "nr", "num", "max", "count", "cnt", "last", "end" };

	for (const char *word = p->name; word && *word; word += strcspn(word, "_"), word += strspn(word, "_"))
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			if (strcspn(word, "_") == strlen(words[i]) && !strncasecmp(word, words[i], strlen(words[i])))
				return true;
	return false;
}

/* The enumerator that counts the others, and so is the next one behind the greatest; or NULL. */
static const struct part *greatest(const struct type *t)
{
	const struct part *top = NULL, *second = NULL;

	for (size_t i = 0; i < t->nparts; i++) {
		const struct part *p = &t->parts[i];

		/* Negative, or unsigned and huge? Of 8 bytes nothing tells. */
		if (t->size > 4 && (int64_t)p->value < 0)
			return NULL;
		if (!top || (int64_t)p->value > (int64_t)top->value) {
			second = top;
			top = p;
		} else if (!second || (int64_t)p->value > (int64_t)second->value) {
			second = p;
		}
	}
	return top && is_count(top) && (!second || top->value == second->value + 1) ? top : NULL;
}

/*
 * The enumerator of t that is called so; NULL: none. Both lists are in the order of the source, so that what is looked
 * for mostly comes next, at *next.
 */
static const struct part *find_enumerator(const struct type *t, const char *name, size_t *next, unsigned long *steps)
{
	for (size_t n = 0; n < t->nparts && *steps; n++, --*steps) {
		const struct part *p = &t->parts[(*next)++ % t->nparts];

		if (same_name(p->name, name))
			return p;
	}
	return NULL;
}

/* x of enumeration a is not in b. The new one that has its value there, if none of the old ones does; or NULL. */
static const struct part *successor(const struct type *a, const struct type *b, const struct part *x,
				    unsigned long *steps)
{
	const struct part *found = NULL;
	size_t next = 0;

	for (size_t i = 0; i < b->nparts && *steps; i++, --*steps) {
		if (b->parts[i].value != x->value)
			continue;
		if (find_enumerator(a, b->parts[i].name, &next, steps))
			return NULL;
		found = &b->parts[i];
	}
	return found;
}

static bool enumerators_agree(const struct type *a, const struct type *b, unsigned long *steps,
			      struct change *change)
{
	const struct part *last = greatest(a), *new_last = greatest(b);
	struct change taken_over = { 0 };
	bool common = false;
	size_t next = 0;

	if (!a->nparts || !b->nparts)
		return true;
	for (size_t i = 0; i < a->nparts && *steps; i++) {
		const struct part *x = &a->parts[i], *y = find_enumerator(b, x->name, &next, steps), *z;

		if (!y) {
			z = x == last ? NULL : successor(a, b, x, steps);
			if (z)
				taken_over = (struct change){ x, z };
			continue;
		}
		if (x->value == y->value) {
			common = true;
			continue;
		}
		*change = (struct change){ x, y };
		if (x != last || y != new_last)
			return false;
	}
	if (common && taken_over.was)
		*change = taken_over;
	return *steps && common && !taken_over.was;
}

/* What is not done after that many steps was made to take forever. */
#define MAX_STEPS 1000000

static bool agree(struct type *a, struct type *b, unsigned long *steps);

static bool agree_inside(struct type *a, struct type *b, unsigned long *steps)
{
	struct change change;

	if (is_integer(a) && is_integer(b))
		return a->size == b->size && enumerators_agree(a, b, steps, &change);
	if (a->tag != b->tag || a->size != b->size || a->encoding != b->encoding ||
	    a->by_tag != b->by_tag || a->nparts != b->nparts)
		return false;
	if (a->by_tag)
		return same_name(a->name, b->name);
	if (!a->to != !b->to || (a->to && !agree(a->to, b->to, steps)))
		return false;
	for (size_t i = 0; i < a->nparts; i++) {
		const struct part *x = &a->parts[i], *y = &b->parts[i];

		if (x->value != y->value || x->width != y->width || !same_name(x->name, y->name) ||
		    !x->type != !y->type || (x->type && !agree(x->type, y->type, steps)))
			return false;
	}
	return true;
}

static bool agree(struct type *a, struct type *b, unsigned long *steps)
{
	if (a == b || a->agrees == b || a->unknown || b->unknown)
		return true;
	if (!*steps || a->disagrees == b)
		return false;
	--*steps;
	if (agree_inside(a, b, steps)) {
		a->agrees = b;
		return true;
	}
	/* Or it took too long. */
	if (*steps)
		a->disagrees = b;
	return false;
}

bool types_agree(struct type *orig, struct type *patched)
{
	unsigned long steps = MAX_STEPS;

	return !orig || !patched || agree(orig, patched, &steps);
}

/* How deep a shape looks, and how wide. */
#define SHAPE_DEPTH 3
#define SHAPE_PARTS 32

static uint64_t mix(uint64_t h, uint64_t value)
{
	h = (h ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 32;
}

static uint64_t mix_name(uint64_t h, const char *name)
{
	for (; name && *name; name++)
		h = h * 31 + (unsigned char)*name;
	return mix(h, 0);
}

static uint64_t shape(const struct type *t, unsigned int depth, bool *known)
{
	uint64_t h = mix(is_integer(t) ? DW_TAG_base_type : t->tag, t->size);

	if (t->unknown)
		*known = false;
	if (is_integer(t))
		return h;
	h = mix(mix(mix(h, t->encoding), t->by_tag), t->nparts);
	if (t->by_tag)
		return mix_name(h, t->name);
	if (!depth)
		return h;
	if (t->to)
		h = mix(h, shape(t->to, depth - 1, known));
	for (size_t i = 0; i < t->nparts && i < SHAPE_PARTS; i++) {
		const struct part *p = &t->parts[i];

		h = mix_name(mix(mix(h, p->value), p->width), p->name);
		if (p->type)
			h = mix(h, shape(p->type, depth - 1, known));
	}
	return h;
}

uint64_t type_shape(struct type *t)
{
	bool known = true;

	if (!t->shape) {
		t->shape = shape(t, SHAPE_DEPTH, &known) | 1;
		if (!known)
			t->shape = TYPE_SHAPE_ANY;
	}
	return t->shape;
}

static char *declare(const struct type *t, const char *declarator, unsigned int depth);

/* "(int, struct foo *)" */
static char *parameters(const struct type *t, unsigned int depth)
{
	char *list = xstrdup("("), *next, *param;

	for (size_t i = 0; i < t->nparts; i++) {
		bool enough = depth == 0 || i == 16;
		const struct part *p = &t->parts[i];

		param = p->type && !enough ? declare(p->type, "", depth - 1) : xstrdup("...");
		next = xasprintf("%s%s%s", list, i ? ", " : "", param);
		free(param);
		free(list);
		list = next;
		if (enough)
			break;
	}
	next = xasprintf("%s)", list);
	free(list);
	return next;
}

/* As C writes it: what is declared in the middle, "int (*)[4]". */
static char *declare(const struct type *t, const char *declarator, unsigned int depth)
{
	const char *name = t->name ? t->name : t->typedef_name, *keyword = "";
	char *inner, *text;

	if (depth == 0 && t->to)
		return xasprintf("... %s", declarator);
	if (t->tag == DW_TAG_pointer_type && t->to) {
		bool braces = t->to->tag == DW_TAG_array_type || t->to->tag == DW_TAG_subroutine_type;

		inner = xasprintf(braces ? "(*%s)" : "*%s", declarator);
	} else if (t->tag == DW_TAG_subroutine_type && t->to) {
		char *list = parameters(t, depth - 1);

		inner = xasprintf("%s%s", declarator, list);
		free(list);
	} else if (t->tag == DW_TAG_array_type && t->to) {
		inner = xstrdup(declarator);
		for (size_t i = 0; i < t->nparts && i < 4; i++) {
			text = t->parts[i].value == UINT64_MAX ?
				       xasprintf("%s[]", inner) :
				       xasprintf("%s[%lu]", inner, (unsigned long)t->parts[i].value);
			free(inner);
			inner = text;
		}
	} else {
		if (t->tag == DW_TAG_structure_type)
			keyword = "struct ";
		else if (t->tag == DW_TAG_union_type)
			keyword = "union ";
		else if (t->tag == DW_TAG_enumeration_type)
			keyword = "enum ";
		if (!t->name && name)
			keyword = "";
		if (!name)
			name = t->tag ? "{...}" : "void";
		return xasprintf("%s%s%s%s", keyword, name,
				 *declarator && *declarator != '[' ? " " : "", declarator);
	}
	text = declare(t->to, inner, depth - 1);
	free(inner);
	return text;
}

char *type_title(const struct type *t)
{
	return declare(t, "", 8);
}

/* ---- what differs ---- */

/* The member of t that is called as wanted, the one at index i first. */
static const struct part *find_member(const struct type *t, const struct part *wanted, size_t i,
				      unsigned long *steps)
{
	if (i < t->nparts && same_name(t->parts[i].name, wanted->name))
		return &t->parts[i];
	for (size_t j = 0; wanted->name && j < t->nparts && *steps; j++, --*steps)
		if (same_name(t->parts[j].name, wanted->name))
			return &t->parts[j];
	return NULL;
}

/* "int", "int : 3" */
char *member_title(const struct part *p)
{
	char *type = type_title(p->type), *text;

	if (!p->width)
		return type;
	text = xasprintf("%s : %lu", type, (unsigned long)p->width);
	free(type);
	return text;
}

char *member_declaration(const struct part *p)
{
	char *text = declare(p->type, p->name ? p->name : "", 8), *bits;

	if (!p->width)
		return text;
	bits = xasprintf("%s : %lu", text, (unsigned long)p->width);
	free(text);
	return bits;
}

static char *difference(struct type *a, struct type *b, unsigned long *steps);

/* What differs between x of structure a, and y, which is called the same; NULL: nothing. */
static char *member_difference(const char *of, const struct part *x, const struct part *y, unsigned long *steps)
{
	const char *name = x->name ? x->name : "without a name";
	bool bits = (x->value | y->value) % 8;
	char *old, *new, *text;

	if (x->value != y->value)
		return xasprintf("%s: member %s was at %s%lu, is at %s%lu", of, name, bits ? "bit " : "",
				 (unsigned long)(bits ? x->value : x->value / 8), bits ? "bit " : "",
				 (unsigned long)(bits ? y->value : y->value / 8));
	if (x->width == y->width && agree(x->type, y->type, steps))
		return NULL;
	old = member_title(x);
	new = member_title(y);
	text = strcmp(old, new) ? xasprintf("%s: member %s was \"%s\", is \"%s\"", of, name, old, new) :
				  difference(x->type, y->type, steps);
	free(old);
	free(new);
	return text;
}

static char *members_difference(const struct type *a, const struct type *b, unsigned long *steps)
{
	char *of = type_title(a), *text = NULL;
	const struct part *p, *other;

	for (size_t i = 0; i < a->nparts && *steps && !text; i++) {
		p = &a->parts[i];
		other = find_member(b, p, i, steps);
		if (other)
			text = member_difference(of, p, other, steps);
		else if (*steps)
			text = xasprintf("%s: member %s is gone", of, p->name ? p->name : "without a name");
	}
	for (size_t i = 0; i < b->nparts && *steps && !text; i++) {
		p = &b->parts[i];
		if (!find_member(a, p, i, steps) && *steps)
			text = xasprintf("%s: member %s is new", of, p->name ? p->name : "without a name");
	}
	if (!text && a->size != b->size)
		text = xasprintf("%s was %lu bytes long, is %lu", of, (unsigned long)a->size,
				 (unsigned long)b->size);
	free(of);
	return text;
}

static char *enumerators_difference(const struct type *a, const struct type *b, unsigned long *steps)
{
	struct change change = { 0 };
	char *of, *other, *text = NULL;

	if (enumerators_agree(a, b, steps, &change) || !*steps) {
		if (!*steps || a->size == b->size || a->tag != DW_TAG_enumeration_type || b->tag != a->tag)
			return NULL;
		of = type_title(a);
		text = xasprintf("%s was %lu bytes long, is %lu", of, (unsigned long)a->size, (unsigned long)b->size);
		free(of);
		return text;
	}
	of = type_title(a);
	other = type_title(b);
	if (change.was && change.was->name && change.is->name && strcmp(change.was->name, change.is->name))
		text = xasprintf("%s: %ld was %s, is %s", of, (long)change.was->value, change.was->name,
				 change.is->name);
	else if (change.was && change.was->name)
		text = xasprintf("%s: %s was %ld, is %ld", of, change.was->name, (long)change.was->value,
				 (long)change.is->value);
	else if (!change.was && !strcmp(of, other))
		text = xasprintf("%s: all enumerators are new", of);
	free(of);
	free(other);
	return text;
}

static char *difference(struct type *a, struct type *b, unsigned long *steps)
{
	if (is_integer(a) && is_integer(b))
		return enumerators_difference(a, b, steps);
	if (a->tag != b->tag || a->by_tag || b->by_tag)
		return NULL;
	if (a->to && b->to && !agree(a->to, b->to, steps))
		return difference(a->to, b->to, steps);
	if (a->tag == DW_TAG_structure_type || a->tag == DW_TAG_union_type)
		return members_difference(a, b, steps);
	return NULL;
}

char *type_difference(struct type *orig, struct type *patched)
{
	unsigned long steps = MAX_STEPS;

	return difference(orig, patched, &steps);
}
