// SPDX-License-Identifier: GPL-2.0-only
/* First pass: what is each symbol of the linked module? */
#include "diag.h"
#include "module.h"

/* Sections and symbols of the form that this program writes. */
static bool is_converted(const struct module *mod)
{
	for_each_section(&mod->in, s)
		if (s->sh.sh_flags & SHF_RELA_LIVEPATCH || has_prefix(s->name, ".klp.rela."))
			return true;
	for_each_symbol(&mod->in, s)
		if (s->sym.st_shndx == SHN_LIVEPATCH || has_prefix(s->name, ".klp.sym."))
			return true;
	return false;
}

static int read_klp(struct module *mod, const struct symbol *s)
{
	struct role_of *role = role_of(mod, s);

	if (!has_prefix(s->name, INTERMEDIATE_SYM_PREFIX) ||
	    !klp_name_parse(&role->klp, s->name))
		return diag_error("%s: symbol %s: not of the form .kpatch.sym.PATCHED.OWNER.NAME,POS; is create-diff-object of this version?",
				  mod->in.path, s->name);
	if (!is_undefined(s) || is_local_symbol(s))
		return diag_error("%s: symbol %s: defined in this module; a livepatch symbol must be undefined",
				  mod->in.path, s->name);
	/* While the module loads the kernel can know more symbols of the name than later. */
	if (!is_vmlinux(role->klp.owner) && role->klp.pos == 0)
		return diag_error("%s: symbol %s: position 0; a module's symbols are counted from 1",
				  mod->in.path, s->name);
	role->role = ROLE_KLP;
	return 0;
}

/* The changed function itself: local, so that nothing but its registration binds to it. */
static struct symbol *find_function(const struct module *mod, const struct symbol *alias)
{
	for_each_symbol(&mod->in, s)
		if (s->sec == alias->sec && s->sym.st_value == alias->sym.st_value &&
		    is_local_symbol(s) && symbol_type(s) == STT_FUNC &&
		    !has_prefix(s->name, ALIAS_PREFIX))
			return s;
	return NULL;
}

static int read_alias(struct module *mod, const struct symbol *s)
{
	if (!s->sec)
		return diag_error("%s: symbol %s: not defined; was the object with this function linked?",
				  mod->in.path, s->name);
	role_of(mod, s)->role = ROLE_ALIAS;
	role_of(mod, s)->target = find_function(mod, s);
	return 0;
}

int module_read_roles(struct module *mod)
{
	int ret = 0;

	if (is_converted(mod))
		return diag_error("%s: already has livepatch relocations; give the module as it was linked",
				  mod->in.path);
	mod->roles = xcalloc(mod->in.nsymbols, sizeof(*mod->roles));
	for_each_section(&mod->in, sec)
		for_each_reloc(sec, r)
			role_of(mod, r->sym)->used = true;
	for_each_symbol(&mod->in, s) {
		if (is_undefined(s) && !role_of(mod, s)->used)
			role_of(mod, s)->role = ROLE_DROPPED;
		else if (is_section_symbol(s))
			continue;
		else if (has_prefix(s->name, INTERMEDIATE_PREFIX))
			ret |= read_klp(mod, s);
		else if (has_prefix(s->name, ALIAS_PREFIX))
			ret |= read_alias(mod, s);
		else if (s->sym.st_shndx == SHN_COMMON)
			ret |= diag_error("%s: symbol %s: a common symbol; compile with -fno-common",
					  mod->in.path, s->name);
	}
	return ret;
}
