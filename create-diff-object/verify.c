// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pass verify_output(): the last check. Whatever the passes before did, an output that loses a change or
 * points outside of itself is not written. A violation is a bug of this program.
 */
#include <stdlib.h>

#include "diag.h"
#include "diff.h"

/* Registered, or a part of what is, or brought along by callers, which are changed with it. */
static bool is_redirected(const struct atom *a)
{
	const struct atom *top = a->parent ? a->parent : a;

	return top->carried || top->registration;
}

static int check_changes(struct diff *d)
{
	int err = 0;

	for_each_atom(&d->patched, a) {
		if (a->state == STATE_SAME)
			continue;
		if (a->kind == ATOM_CODE && a->state == STATE_CHANGED && !is_redirected(a))
			err = diag_fault(REASON_INTERNAL, "%s: %s: changed, but not registered; please report this",
					 d->opt.source, atom_title(a));
		/* New static things that no included code uses are not needed. */
		if (!a->taken && !a->left_out && (a->state == STATE_CHANGED || is_global_atom(a)))
			err = diag_fault(REASON_INTERNAL, "%s: %s: %s, but not part of the output; please report this",
					 d->opt.source, atom_title(a),
					 a->state == STATE_NEW ? "new" : "changed");
	}
	return err;
}

static int check_relocs(struct diff *d)
{
	for (size_t i = 0; i < d->out.nsections; i++) {
		const struct out_section *rela = d->out.sections[i];

		if (rela->type != SHT_RELA)
			continue;
		for (size_t j = 0; j < rela->nrelocs; j++) {
			const struct out_reloc *r = &rela->relocs[j];
			unsigned int width = arch_reloc_width(r->type);

			if (!width || r->offset + width > rela->relocates->size || !r->sym)
				return diag_fault(REASON_INTERNAL, "%s: relocation %zu of %s is out of range; please report this",
						  d->opt.source, j, rela->relocates->name);
			/* References to the end of a thing are legal, beyond it they are not. */
			if (r->sym->sec && r->sym->type == STT_SECTION &&
			    (r->addend < -8 || r->addend > (int64_t)r->sym->sec->size + 8))
				return diag_fault(REASON_INTERNAL, "%s: relocation %zu of %s points outside of %s; please report this",
						  d->opt.source, j, rela->relocates->name,
						  r->sym->sec->name);
		}
	}
	return 0;
}

int verify_output(struct diff *d)
{
	if (check_changes(d))
		return -1;
	return check_relocs(d);
}
