// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pass beside refuse.c: did the patch change how a global function is called? Its callers in other
 * files go on calling it in the old way, and nothing in the symbols tells: names have no types.
 *
 * The debugging information does. A function's type is written out as text, "int(struct s *, long int)", and
 * the texts are compared. Typedefs keep their names, so a change of words that comes to the same is
 * found as well; it is refused, as nobody needs it in a livepatch.
 */
#include <ctype.h>
#include <dwarf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "types.h"

/* Nothing that a compiler writes is nested any deeper. */
#define MAX_DEPTH 50
/* Descriptions that one function may need, and the length of a name: many more than any has. */
#define MAX_STEPS 1000
#define MAX_NAME 512

struct prototype {
	char *name;
	char *text;		/* return type and types of the parameters */
	UT_hash_handle hh;
};

struct writer {
	const struct section *info;
	unsigned int depth, steps;
};

/* A string of its own. */
static char *format(const char *fmt, ...)
{
	va_list args;
	char *s = NULL;

	va_start(args, fmt);
	if (vasprintf(&s, fmt, args) < 0)
		abort();
	va_end(args);
	return s;
}

static char *write_die(struct writer *w, Dwarf_Die *type, const char *declarator);

/* The type that die is of or points to, around the declarator. NULL: it cannot be read. */
static char *write_type_of(struct writer *w, Dwarf_Die *die, const char *declarator)
{
	Dwarf_Attribute attr;
	Dwarf_Die type;
	char *text;

	if (!dwarf_attr_integrate(die, DW_AT_type, &attr))
		return format("void%s", declarator);
	if (w->depth == MAX_DEPTH || w->steps++ == MAX_STEPS || !dwarf_formref_die(&attr, &type))
		return NULL;
	w->depth++;
	text = write_die(w, &type, declarator);
	w->depth--;
	return text;
}

/* "(int,struct s*)" from the parameters that are described below die. */
static char *write_parameters(struct writer *w, Dwarf_Die *die)
{
	char *list = format("("), *longer, *one;
	const char *comma = "";
	Dwarf_Die child;
	int end;

	for (end = dwarf_child(die, &child); !end; end = dwarf_siblingof(&child, &child)) {
		if (w->steps++ == MAX_STEPS)
			break;
		if (dwarf_tag(&child) == DW_TAG_formal_parameter)
			one = write_type_of(w, &child, "");
		else if (dwarf_tag(&child) == DW_TAG_unspecified_parameters)
			one = format("...");
		else
			continue;
		if (!one)
			break;
		longer = format("%s%s%s", list, comma, one);
		free(one);
		free(list);
		list = longer;
		comma = ",";
	}
	if (end <= 0) {
		free(list);
		return NULL;
	}
	longer = format("%s%s)", list, *comma ? "" : "void");
	free(list);
	return longer;
}

/* A function returning what die says it does, and so on, with the declarator before its parameters. */
static char *write_function(struct writer *w, Dwarf_Die *die, const char *declarator)
{
	char *parameters = write_parameters(w, die), *inner, *text;

	if (!parameters)
		return NULL;
	inner = format("%s%s", declarator, parameters);
	text = write_type_of(w, die, inner);
	free(inner);
	free(parameters);
	return text;
}

/* A pointer's star binds less than the parentheses behind it. */
static char *write_pointer(struct writer *w, Dwarf_Die *die, const char *declarator)
{
	Dwarf_Attribute attr;
	Dwarf_Die to;
	bool inner = dwarf_attr_integrate(die, DW_AT_type, &attr) && dwarf_formref_die(&attr, &to) &&
		     (dwarf_tag(&to) == DW_TAG_subroutine_type || dwarf_tag(&to) == DW_TAG_array_type);
	char *star = format(inner ? "(*%s)" : "*%s", declarator);
	char *text = write_type_of(w, die, star);

	free(star);
	return text;
}

static char *write_qualified(struct writer *w, Dwarf_Die *die, const char *word, const char *declarator)
{
	Dwarf_Attribute attr;
	Dwarf_Die to;
	bool behind = dwarf_attr_integrate(die, DW_AT_type, &attr) && dwarf_formref_die(&attr, &to) &&
		      dwarf_tag(&to) == DW_TAG_pointer_type;
	char *inner, *plain, *text;

	if (behind) {
		/* Of a pointer: it stands behind the star. */
		inner = format(isalpha((unsigned char)*declarator) ? "%s %s" : "%s%s", word, declarator);
		text = write_type_of(w, die, inner);
		free(inner);
		return text;
	}
	plain = write_type_of(w, die, declarator);
	text = plain ? format("%s %s", word, plain) : NULL;
	free(plain);
	return text;
}

static char *write_array(struct writer *w, Dwarf_Die *die, const char *declarator)
{
	char *inner = format("%s", declarator), *longer, *text;
	Dwarf_Attribute attr;
	Dwarf_Die child;
	Dwarf_Word bound;
	int end;

	for (end = dwarf_child(die, &child); !end; end = dwarf_siblingof(&child, &child)) {
		if (w->steps++ == MAX_STEPS)
			break;
		if (dwarf_tag(&child) != DW_TAG_subrange_type)
			continue;
		if (dwarf_attr(&child, DW_AT_upper_bound, &attr) && !dwarf_formudata(&attr, &bound))
			longer = format("%s[%llu]", inner, (unsigned long long)bound + 1);
		else
			longer = format("%s[]", inner);
		free(inner);
		inner = longer;
	}
	text = end > 0 ? write_type_of(w, die, inner) : NULL;
	free(inner);
	return text;
}

static char *write_named(struct writer *w, Dwarf_Die *type, const char *kind, const char *declarator)
{
	const char *name = die_name(w->info, type);

	if (name && strlen(name) > MAX_NAME)
		return NULL;
	return format("%s%s%s", kind, name ? name : "{...}", declarator);
}

static char *write_die(struct writer *w, Dwarf_Die *type, const char *declarator)
{
	switch (dwarf_tag(type)) {
	case DW_TAG_base_type:
	case DW_TAG_typedef:
		return write_named(w, type, "", declarator);
	case DW_TAG_structure_type:
		return write_named(w, type, "struct ", declarator);
	case DW_TAG_union_type:
		return write_named(w, type, "union ", declarator);
	case DW_TAG_enumeration_type:
		return write_named(w, type, "enum ", declarator);
	case DW_TAG_const_type:
		return write_qualified(w, type, "const", declarator);
	case DW_TAG_volatile_type:
		return write_qualified(w, type, "volatile", declarator);
	case DW_TAG_restrict_type:
	case DW_TAG_atomic_type:
		return write_type_of(w, type, declarator);
	case DW_TAG_pointer_type:
		return write_pointer(w, type, declarator);
	case DW_TAG_subroutine_type:
		return write_function(w, type, declarator);
	case DW_TAG_array_type:
		return write_array(w, type, declarator);
	default:
		return NULL;
	}
}

/*
 * A global function that is defined here. What was inlined somewhere is described twice: what it is, and its own
 * code, which refers to that; the former counts.
 */
static const char *defined_function(const struct section *info, Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	bool external;

	if (dwarf_tag(die) != DW_TAG_subprogram || dwarf_hasattr(die, DW_AT_declaration) ||
	    dwarf_hasattr(die, DW_AT_abstract_origin) ||
	    !dwarf_attr_integrate(die, DW_AT_external, &attr) || dwarf_formflag(&attr, &external) || !external)
		return NULL;
	if (dwarf_attr(die, DW_AT_specification, &attr)) {
		Dwarf_Die declared;

		return dwarf_formref_die(&attr, &declared) ? die_name(info, &declared) : NULL;
	}
	return die_name(info, die);
}

static void free_prototypes(struct prototype *all)
{
	struct prototype *p, *tmp;

	HASH_ITER(hh, all, p, tmp) {
		HASH_DEL(all, p);
		free(p->name);
		free(p->text);
		free(p);
	}
}

static int damaged(const struct elf_file *file)
{
	return diag_error("%s: debugging information: %s; is the file damaged?", file->path, dwarf_errmsg(-1));
}

/* Of the functions of a unit, those that are wanted. */
static int read_unit(struct prototype *wanted, const struct elf_file *file, const struct section *info, Dwarf_Die *unit)
{
	struct prototype *p;
	Dwarf_Die die;
	int end;

	for (end = dwarf_child(unit, &die); !end; end = dwarf_siblingof(&die, &die)) {
		struct writer w = { .info = info };
		const char *name = defined_function(info, &die);

		if (!name)
			continue;
		HASH_FIND_STR(wanted, name, p);
		if (p && !p->text)
			p->text = write_function(&w, &die, "");
	}
	return end < 0 ? damaged(file) : 0;
}

static int read_prototypes(struct prototype *wanted, const struct elf_file *file)
{
	const struct section *info = info_section(file);
	Dwarf *dwarf = dwarf_begin_elf(file->elf, DWARF_C_READ, NULL);
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit;
	uint8_t type;
	int end, err = 0;

	if (!dwarf)
		return damaged(file);
	while (!err && !(end = dwarf_get_units(dwarf, cu, &cu, NULL, &type, &unit, NULL)))
		if (type == DW_UT_compile)
			err = read_unit(wanted, file, info, &unit);
	if (!err && end < 0)
		err = damaged(file);
	dwarf_end(dwarf);
	return err;
}

/* Those whose types are to be compared: without texts yet. */
static struct prototype *changed_functions(const struct diff *d)
{
	struct prototype *all = NULL, *p;

	for_each_atom(&d->patched, f) {
		if (f->kind != ATOM_CODE || f->state != STATE_CHANGED || !is_global_atom(f))
			continue;
		HASH_FIND_STR(all, atom_name(f), p);
		if (p)
			continue;
		p = xcalloc(1, sizeof(*p));
		p->name = xstrdup(atom_name(f));
		HASH_ADD_KEYPTR(hh, all, p->name, strlen(p->name), p);
	}
	return all;
}

int check_prototypes(struct diff *d)
{
	struct prototype *orig, *patched, *a, *b;
	int err = 0;

	if (!info_section(&d->orig) || !info_section(&d->patched))
		return 0;
	orig = changed_functions(d);
	patched = changed_functions(d);
	if (orig && (read_prototypes(orig, &d->orig) || read_prototypes(patched, &d->patched)))
		err = -1;
	for_each_atom(&d->patched, f) {
		if (err || f->kind != ATOM_CODE || f->state != STATE_CHANGED || !is_global_atom(f))
			continue;
		HASH_FIND_STR(orig, atom_name(f), a);
		HASH_FIND_STR(patched, atom_name(f), b);
		if (a->text && b->text && strcmp(a->text, b->text))
			diag_refuse("%s: %s: its type changed from \"%s\" to \"%s\", and callers in other files still use the old one; give the new function another name",
				    d->opt.source, atom_title(f), a->text, b->text);
	}
	free_prototypes(orig);
	free_prototypes(patched);
	return err;
}
