// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pass beside refuse.c: did the patch change how a global function is called? Its callers in other
 * files go on calling it in the old way, and nothing in the symbols tells: names have no types. The debugging
 * information does; what agrees is passed in the same way.
 */
#include <stdlib.h>

#include "diag.h"
#include "types.h"

static struct type *type_of_function(const struct named_types *all, const char *name)
{
	struct function_type *f;

	HASH_FIND_STR(all->functions, name, f);
	return f ? f->type : NULL;
}

int check_prototypes(struct diff *d)
{
	for_each_atom(&d->patched, f) {
		struct type *was, *is;
		char *old, *new;

		if (f->kind != ATOM_CODE || f->state != STATE_CHANGED || !is_global_atom(f))
			continue;
		was = type_of_function(&d->orig_types, atom_name(f));
		is = type_of_function(&d->patched_types, atom_name(f));
		if (!was || !is || types_agree(was, is))
			continue;
		old = type_title(was);
		new = type_title(is);
		/* What its types contain is layout.c's matter, and their author's. */
		if (was->nparts != is->nparts || strcmp(old, new))
			diag_refuse("%s: %s: its type changed from \"%s\" to \"%s\", and callers in other files still use the old one; give the new function another name",
				    d->opt.source, atom_title(f), old, new);
		free(old);
		free(new);
	}
	return 0;
}
