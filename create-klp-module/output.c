// SPDX-License-Identifier: GPL-2.0-only
/*
 * Last look at the output, without trust in the passes before: what is wrong here would only be
 * noticed when the module is loaded, or never.
 */
#include "diag.h"
#include "module.h"

static bool is_undefined_out(const struct out_symbol *sym)
{
	return !sym->sec && sym->shndx == SHN_UNDEF;
}

static int check_symbol(const struct module *mod, const struct out_symbol *sym)
{
	struct version *v;

	if (has_prefix(sym->name, INTERMEDIATE_PREFIX) || has_prefix(sym->name, ALIAS_PREFIX))
		return diag_error("%s: symbol %s: an intermediate name is left; report this as a bug",
				  mod->in.path, sym->name);
	if (!is_undefined_out(sym) || !mod->has_versions)
		return 0;
	HASH_FIND_STR(mod->versions, sym->name, v);
	if (!v)
		return diag_error("%s: symbol %s: undefined and not in __versions; was the module linked with this kernel's Module.symvers?",
				  mod->in.path, sym->name);
	return 0;
}

static int check_rela(const struct module *mod, const struct out_section *rela)
{
	bool klp = rela->flags & SHF_RELA_LIVEPATCH;

	for (size_t i = 0; i < rela->nrelocs; i++) {
		const struct out_reloc *r = &rela->relocs[i];

		if ((!r->sym->sec && r->sym->shndx == SHN_LIVEPATCH) != klp)
			return diag_error("%s: section %s+0x%lx: symbol %s in the wrong kind of relocation section; report this as a bug",
					  mod->in.path, rela->relocates->name, r->offset,
					  r->sym->name);
	}
	return 0;
}

/* Null, .symtab, .strtab and .shstrtab come to what is in elf_out. The kernel reads e_shnum only. */
static void check_count(const struct module *mod)
{
	size_t n = mod->out.nsections + 4;

	if (n >= SHN_LORESERVE)
		diag_refuse(REASON_LIMIT, "%s: %zu sections, the kernel loads at most %d; split the patch",
			    mod->in.path, n, SHN_LORESERVE - 1);
}

int module_check_output(struct module *mod)
{
	const struct elf_out *out = &mod->out;
	int ret = 0;

	check_count(mod);
	for (size_t i = 0; i < out->nsymbols; i++)
		ret |= check_symbol(mod, out->symbols[i]);
	for (size_t i = 0; i < out->nsections; i++)
		if (out->sections[i]->type == SHT_RELA)
			ret |= check_rela(mod, out->sections[i]);
	return ret;
}
