// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pass resolve_registrations(): by which name and position does the kernel find the functions that are replaced?
 */
#include <stdlib.h>

#include "diag.h"
#include "resolve.h"

/*
 * A weak function that another object overrides: its name belongs to the other one in the running
 * kernel, and patching it by name would replace that.
 */
bool is_overridden(struct diff *d, const struct symbol *s)
{
	const struct symtab *tab = &d->own_symtab;
	const char *before = "the beginning", *after = "the end";
	const struct ksym *k = NULL, *proven;
	unsigned int pos;

	if (symbol_bind(s) != STB_WEAK)
		return false;
	if (find_by_name(tab, s->name, false, true, &pos, &k) != FOUND || ksym_is_weak(k))
		return false;
	/* With a proof there is no doubt. */
	if (d->proof && proven_symbol(d, s, &proven) == PROVEN)
		return false;
	if (k > tab->syms)
		before = k[-1].name;
	if (k + 1 < tab->syms + tab->nsyms)
		after = k[1].name;
	diag_refuse(REASON_WEAK, "%s: %s(): weak, and the kernel runs another object's definition of it instead, at %lx between %s and %s; patch that one",
		    d->opt.source, s->name, (unsigned long)k->addr, before, after);
	return true;
}

static void register_function(struct diff *d, struct atom *a)
{
	struct registration *reg;
	const struct symbol *s = surest_name(a->twin);
	enum found found;
	unsigned int pos;
	char *c;

	if (strlen(s->name) > d->own_symtab.name_max) {
		diag_refuse(REASON_NAME_LENGTH, "%s: %.60s...(): the name has %zu characters, and the kernel cannot look up more than %zu; patch its callers instead",
			    d->opt.source, s->name, strlen(s->name), d->own_symtab.name_max);
		return;
	}
	if (is_overridden(d, s))
		return;
	found = find_defined(d, s, true, &pos, NULL);
	if (found == FOUND_SEVERAL) {
		diag_refuse(REASON_AMBIGUOUS_SYMBOL, "%s: %s(): the kernel has %u symbols of this name, and which one this is is not known; give the image and the proof object, so that it can be found by its place",
			    d->opt.source, s->name, symtab_find(&d->own_symtab, s->name)->count);
		return;
	}
	if (found == FOUND_UNPLACED) {
		diag_refuse(REASON_AMBIGUOUS_SYMBOL, "%s: %s(): its place in the kernel image cannot be told with certainty; patch its callers instead",
			    d->opt.source, s->name);
		return;
	}
	if (found == FOUND_MOVING) {
		diag_refuse(REASON_AMBIGUOUS_SYMBOL, "%s: %s(): its position among those of its name changes while the module %s is loaded; patch its callers instead",
			    d->opt.source, s->name, d->opt.objname);
		return;
	}
	if (found == FOUND_NONE) {
		diag_refuse(REASON_UNKNOWN_SYMBOL, "%s: %s(): not in the symbol table of %s; is this file part of it, and is the source that of the running kernel?",
			    d->opt.source, s->name, d->opt.objname);
		return;
	}

	if (d->nregistrations == d->registrations_room) {
		d->registrations_room = d->registrations_room ? d->registrations_room * 2 : 16;
		d->registrations = xrealloc(d->registrations, d->registrations_room, sizeof(*d->registrations));
	}
	reg = &d->registrations[d->nregistrations++];
	a->registration = d->nregistrations;
	reg->atom = a;
	reg->old_name = s->name;
	reg->pos = pos;
	reg->link_name = xasprintf("__kpatch_new.%s.%s.%u", d->opt.objname, s->name, pos);
	for (c = reg->link_name; *c; c++)
		if (!strchr("_.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", *c))
			*c = '_';
}

int resolve_registrations(struct diff *d)
{
	for (struct atom *a = d->taken; a; a = a->next_taken)
		if (a->kind == ATOM_CODE && a->state == STATE_CHANGED && !a->parent &&
		    !a->carried && is_named(a) && a->has_fentry && a->twin->has_fentry)
			register_function(d, a);
	return 0;
}
