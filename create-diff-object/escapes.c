// SPDX-License-Identifier: GPL-2.0-only
/*
 * Beside spread.c: a changed constant is a new one at another place, and all code of its file uses that from now on. But
 * objects in memory go on holding the address of the old one, if the code puts it there: "file->f_op = &foo_fops". What
 * compares it with that of the new one ("file->f_op != &foo_fops") would take each of them for something else.
 */
#include <stdlib.h>

#include "diag.h"
#include "diff.h"

/* What instructions do with all addresses in a function: found in one go through its code. */
static enum address_use address_use(struct atom *code, const struct reloc *r)
{
	uint64_t insn = code->off + code->entry;

	for (size_t i = 0; !code->operands_known && i < code->nrelocs; i++)
		code->relocs[i].address_use = arch_address_use(code->sec, &insn, code->relocs[i].offset);
	code->operands_known = true;
	return r->address_use;
}

static bool is_function_of_kernel(const struct diff *d, const char *name)
{
	const struct kname *kn = symtab_find(&d->own_symtab, name);

	if (!kn)
		kn = symtab_find(&d->vmlinux_symtab, name);
	return kn && ksym_is_code(kn->first);
}

/* A table of operations, as objects point to: not only numbers and texts. */
static bool holds_functions(const struct diff *d, const struct atom *constant)
{
	for (size_t i = 0; i < constant->nrelocs; i++) {
		const struct reloc *r = &constant->relocs[i];

		if (r->target ? r->target->kind == ATOM_CODE : is_function_of_kernel(d, r->sym->name))
			return true;
	}
	return false;
}

void check_escapes(struct diff *d, struct atom *constant)
{
	bool functions = holds_functions(d, constant);
	const struct atom *warned = NULL;

	for (size_t i = 0; i < constant->nuses; i++) {
		const struct reloc *r = constant->uses[i].reloc;
		struct atom *user = constant->uses[i].by;

		if (user->kind != ATOM_CODE || user->left_out)
			continue;
		switch (address_use(user, r)) {
		case ADDRESS_REACHED:
			break;
		case ADDRESS_STORED:
			diag_refuse(REASON_CONSTANT_DATA, "%s: %s: a constant object changed, and %s puts its address into objects: those that are there already keep that of the old one; change the functions that use it instead, or use a pre-patch callback",
				    d->opt.source, atom_title(constant), atom_title(user));
			break;
		case ADDRESS_MATCHED:
			/* The end of a loop, forwards; and backwards, where nothing points to the table. */
			if (r->target_off || !functions)
				break;
			/* fall through */
		case ADDRESS_COMPARED:
			diag_refuse(REASON_CONSTANT_DATA, "%s: %s: a constant object changed, and %s compares its address with what objects hold, which is that of the old one; change the functions that use it instead",
				    d->opt.source, atom_title(constant), atom_title(user));
			break;
		case ADDRESS_PASSED:
			if (!functions || user == warned)
				break;
			warned = user;
			diag_warn("%s: %s: a constant object with functions changed, and %s passes its address on; see that nothing keeps that: what is there already has the old one, and the new one goes with the livepatch",
				  d->opt.source, atom_title(constant), atom_title(user));
			break;
		}
	}
}
