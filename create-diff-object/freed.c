// SPDX-License-Identifier: GPL-2.0-only
/* Part of resolve.c: references to what the running kernel has freed after initialisation. */
#include <stdlib.h>

#include "diag.h"
#include "diff.h"

/*
 * kallsyms goes on listing what the kernel has freed after initialisation. (The kernel's own init
 * area; symtab has no symbols of a module's.)
 */
bool is_freed(const struct symtab *tab, const struct ksym *k)
{
	const struct kname *begin = symtab_find(tab, "__init_begin");
	const struct kname *end = symtab_find(tab, "__init_end");

	return begin && end && !k->section && k->addr >= begin->first->addr &&
	       k->addr < end->first->addr;
}

static void add_references(struct diff *d, const struct atom *orig)
{
	for (size_t i = 0; orig && i < orig->nrelocs; i++) {
		const struct reloc *r = &orig->relocs[i];
		const char *name = r->target && is_named(r->target) ? atom_name(r->target) : r->sym->name;
		struct name_set *s;

		HASH_FIND_STR(d->references, name, s);
		if (s)
			continue;
		s = xcalloc(1, sizeof(*s));
		s->name = xstrdup(name);
		HASH_ADD_KEYPTR(hh, d->references, s->name, strlen(s->name), s);
	}
}

/* Does the original of user, or one of its parts, refer to the name already? They are listed once for each user. */
static bool refers_already(struct diff *d, const struct atom *user, const char *name)
{
	struct name_set *s, *tmp;

	if (!user->twin)
		return false;
	if (d->references_of != user) {
		HASH_ITER(hh, d->references, s, tmp) {
			HASH_DEL(d->references, s);
			free(s->name);
			free(s);
		}
		add_references(d, user->twin);
		add_references(d, user->twin->parent);
		add_references(d, user->twin->child);
		d->references_of = user;
	}
	HASH_FIND_STR(d->references, name, s);
	return s;
}

/*
 * Code may hold references to what is freed: those that it does not use any more, as the original does
 * not (system_state says so, or the symbol is just a mark in the map of the memory).
 */
struct reach *check_freed(struct diff *d, struct reach *r, const struct atom *user)
{
	if (!r->freed || r->kind == REACH_FAILED || r->freed_user == user)
		return r;
	r->freed_user = user;
	if (refers_already(d, user, r->name)) {
		diag_warn("%s: %s: refers to %s, which the running kernel has freed after initialisation; the original does, too, but make sure that the new code does not use it",
			  d->opt.source, atom_title(user), r->name);
		return r;
	}
	diag_refuse(REASON_FREED, "%s: %s: refers to %s, which the running kernel has freed after initialisation; leave this reference out",
		    d->opt.source, atom_title(user), r->name);
	return r;
}
