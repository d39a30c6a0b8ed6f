// SPDX-License-Identifier: GPL-2.0-only
/*
 * What debugging information says about one type: where it is defined, which functions have to do with it, how the
 * source spells the type of a member. As in bodies.c, what cannot be read is not known.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "bodies.h"
#include "diag.h"

/* What is by value within what is by value... */
#define MAX_DEPTH	8
#define MAX_SCOPES	200

static bool find_entry(struct debug *g, uint64_t entry, Dwarf_Die *die)
{
	return g->dwarf && dwarf_offdie(g->dwarf, entry, die);
}

struct place_of_source place_of_entry(struct diff *d, enum side side, uint64_t entry)
{
	struct debug *g = open_debug(d, side);
	Dwarf_Die die;

	return find_entry(g, entry, &die) ? entry_place(g, &die) : (struct place_of_source){ 0 };
}

/* The type of what die describes. */
static bool type_entry(Dwarf_Die *die, Dwarf_Die *type)
{
	Dwarf_Attribute attr;

	return dwarf_attr_integrate(die, DW_AT_type, &attr) && dwarf_formref_die(&attr, type);
}

/* ---- who uses it ---- */

struct use_search {
	struct debug *g;
	uint64_t entry;
	unsigned int scopes;
};

/* Is it that type, a pointer to it, an array of it, or a structure that holds it? */
static bool leads_to(struct use_search *s, Dwarf_Die type, unsigned int depth)
{
	Dwarf_Die member, inner;

	for (bool more = true; more && s->g->left; s->g->left--) {
		switch (dwarf_tag(&type)) {
		case DW_TAG_pointer_type:
		case DW_TAG_array_type:
		case DW_TAG_typedef:
		case DW_TAG_const_type:
		case DW_TAG_volatile_type:
			if (!type_entry(&type, &type))
				return false;
			break;
		default:
			more = false;
		}
	}
	if (dwarf_dieoffset(&type) == s->entry)
		return true;
	if ((dwarf_tag(&type) != DW_TAG_structure_type && dwarf_tag(&type) != DW_TAG_union_type) || !depth ||
	    dwarf_child(&type, &member))
		return false;
	do {
		if (dwarf_tag(&member) == DW_TAG_member && type_entry(&member, &inner) &&
		    dwarf_tag(&inner) != DW_TAG_pointer_type && leads_to(s, inner, depth - 1))
			return true;
	} while (next_debug_entry(s->g, &member));
	return false;
}

static bool scope_uses(struct use_search *s, Dwarf_Die *parent)
{
	Dwarf_Die die, type;
	bool found = false;

	if (s->scopes == MAX_SCOPES || dwarf_child(parent, &die))
		return false;
	s->scopes++;
	do {
		if (!s->g->left)
			break;
		s->g->left--;
		switch (dwarf_tag(&die)) {
		case DW_TAG_formal_parameter:
		case DW_TAG_variable:
			found = type_entry(&die, &type) && leads_to(s, type, MAX_DEPTH);
			break;
		case DW_TAG_lexical_block:
		case DW_TAG_inlined_subroutine:
			found = scope_uses(s, &die);
			break;
		default:
			break;
		}
	} while (!found && next_debug_entry(s->g, &die));
	s->scopes--;
	return found;
}

bool uses_type(struct diff *d, enum side side, const struct atom *a, uint64_t entry)
{
	struct use_search s = { .g = open_debug(d, side), .entry = entry };
	struct function_entry *f = function_entry_of(s.g, a);

	if (!f)
		return false;
	renew_budget(s.g);
	return scope_uses(&s, &f->die);
}

/* ---- how it is spelled ---- */

static char *spell(struct debug *g, Dwarf_Die *die, unsigned int depth);

/* "TYPE *", "const TYPE": the type that die leads to, with something around it. */
static char *spell_around(struct debug *g, Dwarf_Die *die, const char *before, const char *behind, unsigned int depth)
{
	char *inner, *text;
	Dwarf_Die to;

	inner = type_entry(die, &to) ? spell(g, &to, depth - 1) : xstrdup("void");
	if (!inner || inner[strlen(inner) - 1] == ']') {
		free(inner);
		return NULL;
	}
	if (*behind && inner[strlen(inner) - 1] == '*')
		behind++;
	text = xasprintf("%s%s%s", before, inner, behind);
	free(inner);
	return text;
}

static char *spell_array(struct debug *g, Dwarf_Die *die, unsigned int depth)
{
	char *text, *more;
	Dwarf_Die range;
	Dwarf_Attribute attr;
	Dwarf_Word n;

	text = spell_around(g, die, "", "", depth);
	if (!text || dwarf_child(die, &range))
		goto unknown;
	do {
		if (dwarf_tag(&range) != DW_TAG_subrange_type)
			continue;
		if (dwarf_attr(&range, DW_AT_count, &attr) && !dwarf_formudata(&attr, &n))
			;
		else if (dwarf_attr(&range, DW_AT_upper_bound, &attr) && !dwarf_formudata(&attr, &n))
			n++;
		else
			goto unknown;	/* a flexible array is no field */
		more = xasprintf("%s[%" PRIu64 "]", text, (uint64_t)n);
		free(text);
		text = more;
	} while (next_debug_entry(g, &range) && strlen(text) < 200);
	return text;
unknown:
	free(text);
	return NULL;
}

/* NULL: it takes more than a name, as a pointer to a function does. */
static char *spell(struct debug *g, Dwarf_Die *die, unsigned int depth)
{
	const char *keyword = "", *name;

	if (!depth || !g->left)
		return NULL;
	g->left--;
	switch (dwarf_tag(die)) {
	case DW_TAG_pointer_type:
		return spell_around(g, die, "", " *", depth);
	case DW_TAG_const_type:
		return spell_around(g, die, "const ", "", depth);
	case DW_TAG_volatile_type:
		return spell_around(g, die, "volatile ", "", depth);
	case DW_TAG_array_type:
		return spell_array(g, die, depth);
	case DW_TAG_structure_type:
		keyword = "struct ";
		break;
	case DW_TAG_union_type:
		keyword = "union ";
		break;
	case DW_TAG_enumeration_type:
		keyword = "enum ";
		break;
	case DW_TAG_typedef:
	case DW_TAG_base_type:
		break;
	default:
		return NULL;
	}
	name = entry_name(g, die);
	return name && *name ? xasprintf("%s%s", keyword, name) : NULL;
}

char *spell_member_type(struct diff *d, enum side side, uint64_t entry, const char *member)
{
	struct debug *g = open_debug(d, side);
	Dwarf_Die die, child, type;
	const char *name;

	if (!find_entry(g, entry, &die) || dwarf_child(&die, &child))
		return NULL;
	renew_budget(g);
	do {
		name = dwarf_tag(&child) == DW_TAG_member ? entry_name(g, &child) : NULL;
		if (name && !strcmp(name, member))
			return type_entry(&child, &type) ? spell(g, &type, 20) : NULL;
	} while (next_debug_entry(g, &child));
	return NULL;
}
