// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes the output: sections and symbols as they stand in the input, so that the two can be
 * compared, and the livepatch relocations behind them.
 */
#include <stdlib.h>

#include "diag.h"
#include "module.h"

/* Symbol and string tables are made anew. */
static bool is_rebuilt(const struct module *mod, const struct section *sec)
{
	switch (sec->sh.sh_type) {
	case SHT_NULL:
	case SHT_SYMTAB:
	case SHT_SYMTAB_SHNDX:
		return true;
	case SHT_STRTAB:
		return !strcmp(sec->name, ".strtab") || !strcmp(sec->name, ".shstrtab");
	case SHT_LLVM_ADDRSIG:
		/* Symbol indices for a linker's use; this was the last link. */
		return true;
	}
	return false;
}

static bool is_copied_type(uint32_t type)
{
	switch (type) {
	case SHT_PROGBITS:
	case SHT_NOBITS:
	case SHT_NOTE:
	case SHT_STRTAB:
	case SHT_INIT_ARRAY:
	case SHT_FINI_ARRAY:
	case SHT_PREINIT_ARRAY:
	case SHT_X86_64_UNWIND:
		return true;
	}
	return false;
}

static bool is_klp_reloc(const struct module *mod, const struct reloc *r)
{
	return role_of(mod, r->sym)->role == ROLE_KLP;
}

/* Did livepatch relocations make up all of a relocation section? */
static bool all_moved(const struct module *mod, const struct section *sec)
{
	for_each_reloc(sec, r)
		if (!is_klp_reloc(mod, r))
			return false;
	return sec->nrelocs > 0;
}

static int copy_section(struct module *mod, const struct section *sec)
{
	const struct section *relocated = &mod->in.sections[sec->sh.sh_info];
	struct out_section **out = &mod->sections[sec->index];

	if (is_rebuilt(mod, sec))
		return 0;
	if (sec->sh.sh_type == SHT_RELA) {
		if (!all_moved(mod, relocated))
			*out = out_rela_new(&mod->out, NULL, sec->name, sec->sh.sh_flags);
		return 0;
	}
	if (sec->sh.sh_type == SHT_GROUP)
		return diag_error("%s: section %s: a section group; link with --force-group-allocation",
				  mod->in.path, sec->name);
	if (!is_copied_type(sec->sh.sh_type))
		return diag_error("%s: section %s: type 0x%x is unknown; is this the module after the final link?",
				  mod->in.path, sec->name, sec->sh.sh_type);
	*out = out_section_new(&mod->out, sec->name, sec->sh.sh_type, sec->sh.sh_flags,
			       sec->sh.sh_addralign, sec->sh.sh_entsize);
	if (sec->size)
		out_section_append(*out, sec->data, sec->size, 1);
	return 0;
}

/* The references between sections, once all are there. */
static int connect_section(struct module *mod, const struct section *sec)
{
	struct out_section *out = mod->sections[sec->index];
	struct out_section *relocated;

	if (sec->sh.sh_type == SHT_RELA) {
		/* Also where all relocations moved and no section of this name stays. */
		relocated = mod->sections[sec->sh.sh_info];
		if (!relocated || relocated->type == SHT_RELA)
			return diag_error("%s: section %s: relocates what is not code or data; is the file damaged?",
					  mod->in.path, sec->name);
		if (out) {
			out->relocates = relocated;
			relocated->rela = out;
		}
	} else if (out && sec->sh.sh_flags & SHF_LINK_ORDER) {
		if (sec->sh.sh_link < mod->in.nsections)
			out->link = mod->sections[sec->sh.sh_link];
		if (sec->sh.sh_link && !out->link)
			return diag_error("%s: section %s: belongs to section %u, which does not exist; is the file damaged?",
					  mod->in.path, sec->name, sec->sh.sh_link);
	}
	return 0;
}

/* Symbols of sections that do not stay go with them, if nothing needs them. */
static int check_dropped(struct module *mod, const struct symbol *sym)
{
	struct role_of *role = role_of(mod, sym);

	if (!sym->sec || mod->sections[sym->sec->index])
		return 0;
	if (role->used)
		return diag_error("%s: symbol %s: in section %s, which does not stay, and yet relocations use it; is the file damaged?",
				  mod->in.path, symbol_name(sym), sym->sec->name);
	role->role = ROLE_DROPPED;
	return 0;
}

int module_copy_sections(struct module *mod)
{
	int ret = 0;

	mod->sections = xcalloc(mod->in.nsections, sizeof(*mod->sections));
	for_each_section(&mod->in, sec)
		ret |= copy_section(mod, sec);
	if (ret)
		return ret;
	for_each_section(&mod->in, sec)
		ret |= connect_section(mod, sec);
	for_each_symbol(&mod->in, sym)
		ret |= check_dropped(mod, sym);
	return ret;
}

static void copy_symbol(struct module *mod, const struct symbol *sym)
{
	struct role_of *role = role_of(mod, sym);
	struct out_section *sec = sym->sec ? mod->sections[sym->sec->index] : NULL;

	role->out = out_symbol_new(&mod->out, is_section_symbol(sym) ? "" : sym->name, sec,
				   sym->sym.st_value, sym->sym.st_size, symbol_bind(sym),
				   symbol_type(sym));
	role->out->other = sym->sym.st_other;
	if (!sec)
		role->out->shndx = sym->sym.st_shndx;
	else if (is_section_symbol(sym) && is_local_symbol(sym) && !sym->sym.st_value)
		sec->secsym = role->out;
}

/* One symbol for all parts of the livepatch that use it. */
static struct out_symbol *klp_symbol(struct module *mod, const struct symbol *sym)
{
	const struct klp_name *klp = &role_of(mod, sym)->klp;
	char *name = xasprintf(".klp.sym.%s.%s,%lu", klp->owner, klp->name, klp->pos);
	struct klp_symbol *k;

	HASH_FIND_STR(mod->klp_symbols, name, k);
	if (!k) {
		k = xcalloc(1, sizeof(*k));
		k->out = out_symbol_new(&mod->out, name, NULL, 0, 0, STB_GLOBAL, STT_NOTYPE);
		k->out->shndx = SHN_LIVEPATCH;
		HASH_ADD_KEYPTR(hh, mod->klp_symbols, k->out->name, strlen(k->out->name), k);
	}
	free(name);
	return k->out;
}

void module_copy_symbols(struct module *mod)
{
	for_each_symbol(&mod->in, sym)
		if (role_of(mod, sym)->role == ROLE_ORDINARY)
			copy_symbol(mod, sym);
	for_each_symbol(&mod->in, sym)
		if (role_of(mod, sym)->role == ROLE_KLP)
			role_of(mod, sym)->out = klp_symbol(mod, sym);
}

/* An ordinary relocation; one that names a changed function by its alias gets the function. */
static void copy_reloc(struct module *mod, struct out_section *sec, const struct reloc *r)
{
	struct out_reloc out = { .offset = r->offset, .type = r->type, .addend = r->addend };
	const struct role_of *role = role_of(mod, r->sym);

	if (r->sym->index == 0) {
		out.sym = &mod->null;
	} else if (role->role != ROLE_ALIAS) {
		out.sym = role->out;
	} else if (role->target) {
		out.sym = role_of(mod, role->target)->out;
	} else {
		out.sym = out_section_symbol(&mod->out, mod->sections[r->sym->sec->index]);
		out.addend += r->sym->sym.st_value;
	}
	out_reloc_add(&mod->out, sec, out);
}

/*
 * Move the livepatch relocations of a section into one section for each object whose loading makes
 * them due. The objects are few, so that searching through the new sections is fast enough.
 */
static void move_relocs(struct module *mod, const struct section *sec)
{
	size_t first = mod->out.nsections;

	for_each_reloc(sec, r) {
		struct out_section *rela = NULL;
		char *name;

		if (!is_klp_reloc(mod, r))
			continue;
		name = xasprintf(".klp.rela.%s.%s", role_of(mod, r->sym)->klp.patched, sec->name);
		for (size_t i = first; i < mod->out.nsections && !rela; i++)
			if (!strcmp(mod->out.sections[i]->name, name))
				rela = mod->out.sections[i];
		if (!rela)
			rela = out_rela_new(&mod->out, mod->sections[sec->index], name,
					    SHF_ALLOC | SHF_INFO_LINK | SHF_RELA_LIVEPATCH);
		out_rela_add(rela, (struct out_reloc){ .offset = r->offset, .type = r->type,
						       .sym = role_of(mod, r->sym)->out,
						       .addend = r->addend });
		diag_debug("%s+0x%lx: %s in %s", sec->name, r->offset, role_of(mod, r->sym)->out->name,
			   name);
		free(name);
	}
}

void module_copy_relocs(struct module *mod)
{
	for_each_section(&mod->in, sec)
		for_each_reloc(sec, r)
			if (!is_klp_reloc(mod, r))
				copy_reloc(mod, mod->sections[sec->index], r);
	for_each_section(&mod->in, sec)
		move_relocs(mod, sec);
}
