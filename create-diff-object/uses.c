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
