// SPDX-License-Identifier: GPL-2.0-only
/*
 * Part of cut_into_atoms(): where is an atom referred to? The passes behind it ask that of many atoms,
 * and must not look through the whole object for each.
 */
#include <stdlib.h>

#include "diag.h"
#include "diff.h"

void list_uses(struct elf_file *file)
{
	struct use *room;
	size_t n = 0;

	for_each_atom(file, user)
		for (size_t i = 0; i < user->nrelocs; i++)
			if (user->relocs[i].target) {
				user->relocs[i].target->nuses++;
				n++;
			}
	/* One array for all, which stays until the end. */
	room = xcalloc(n, sizeof(*room));
	for_each_atom(file, a) {
		a->uses = room;
		room += a->nuses;
		a->nuses = 0;
	}
	for_each_atom(file, b)
		for (size_t i = 0; i < b->nrelocs; i++) {
			struct atom *t = b->relocs[i].target;

			if (t)
				t->uses[t->nuses++] = (struct use){ .by = b, .reloc = &b->relocs[i] };
		}
}

/* Branches to the rest of the function are no calls. */
static bool is_call(const struct atom *by, const struct reloc *r)
{
	const struct atom *t = r->target;

	return arch_is_branch(by->sec, r) && (!t || (t != by && t->parent != by && by->parent != t));
}

const struct reloc *call_behind(const struct use *u)
{
	for (const struct reloc *r = u->reloc + 1; r < u->by->relocs + u->by->nrelocs; r++)
		if (is_call(u->by, r))
			return r;
	return NULL;
}
