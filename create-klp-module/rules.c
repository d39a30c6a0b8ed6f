// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which livepatch relocations the kernel applies, and when: those of .klp.rela.vmlinux.* with the
 * ordinary ones, while the livepatch module loads; those of .klp.rela.PATCHED.* when the patched
 * module and the livepatch are both there, which is never before the livepatch's own init function
 * runs. By then the kernel has read, sorted, copied or freed some sections.
 */
#include "arch.h"
#include "diag.h"
#include "module.h"

/* The width of the field in the kernel's sscanf() format: MODULE_NAME_LEN less 1. */
#define OBJECT_NAME_MAX 55

/* Sections that are no tables of the architecture, and yet used up while the module loads. */
static const struct {
	const char *name;		/* a trailing '*' stands for any ending */
	const char *what;
} used_up[] = {
	{ ".init*", "initialisation code or data" },
	{ "__dyndbg*", "the table of debug messages" },
	{ ".ctors", "the list of constructors" },
	{ "__trace_printk_fmt", "the list of trace_printk() formats" },
	{ "___srcu_struct_ptrs", "the list of SRCU domains" },
	{ ".gnu.linkonce.this_module", "the module's own structure" },
	{ "__versions", "the list of checksums" },
	{ ".kunit_test_suites", "the list of KUnit suites" },
};

static bool matches(const char *pattern, const char *name)
{
	size_t n = strlen(pattern);

	return pattern[n - 1] == '*' ? !strncmp(name, pattern, n - 1) : !strcmp(name, pattern);
}

/* What the section is, if the kernel is done with it before the patched module is there; or NULL. */
static const char *read_early(const struct section *sec)
{
	const struct arch_table *table = arch_table(sec->name);

	for (size_t i = 0; i < sizeof(used_up) / sizeof(*used_up); i++)
		if (matches(used_up[i].name, sec->name))
			return used_up[i].what;
	if (!table || !table->what)
		return NULL;
	/* Code that runs where it is: not copied into other code, as alternatives are. */
	if (table->kind == TABLE_POOL && strcmp(sec->name, ".altinstr_replacement"))
		return NULL;
	return table->what;
}

static void check_limits(const struct module *mod, const struct symbol *sym)
{
	const struct klp_name *klp = &role_of(mod, sym)->klp;
	size_t max = release_symbol_name_max(&mod->release);
	const char *objects[] = { klp->patched, klp->owner };

	for (int i = 0; i < 2; i++)
		if (strlen(objects[i]) > OBJECT_NAME_MAX)
			diag_refuse(REASON_NAME_LENGTH, "%s: symbol %s: object name %s has %zu characters, the kernel reads %d; this object can't be patched",
				    mod->in.path, sym->name, objects[i], strlen(objects[i]),
				    OBJECT_NAME_MAX);
	if (strlen(klp->name) > max)
		diag_refuse(REASON_NAME_LENGTH, "%s: symbol %s: its name has %zu characters, kernel %u.%u reads %zu; change the patch so that it does without this symbol",
			    mod->in.path, sym->name, strlen(klp->name), mod->release.major,
			    mod->release.minor, max);
}

/*
 * The kernel refuses vmlinux's symbols in a module's part. The reverse it would try to resolve when
 * the livepatch loads, with or without the owner there.
 */
static int check_owner(const struct module *mod, const struct symbol *sym)
{
	const struct klp_name *klp = &role_of(mod, sym)->klp;

	if (is_vmlinux(klp->patched) == is_vmlinux(klp->owner))
		return 0;
	if (is_vmlinux(klp->patched))
		return diag_error("%s: symbol %s: in the part for vmlinux but owned by module %s; create-diff-object must put it into a module's part",
				  mod->in.path, sym->name, klp->owner);
	return diag_error("%s: symbol %s: in the part for module %s but owned by vmlinux; create-diff-object must put it into the part for vmlinux",
			  mod->in.path, sym->name, klp->patched);
}

/* Is object one of the comma-separated names? There dashes are as in file names. */
static bool is_listed(const char *names, const char *object)
{
	while (names && *names) {
		size_t n = strcspn(names, ","), i = 0;

		while (i < n && object[i] == (names[i] == '-' ? '_' : names[i]))
			i++;
		if (i == n && !object[n])
			return true;
		names += n + (names[n] == ',');
	}
	return false;
}

/* A symbol is either reached by livepatch relocation or imported with its checksum. */
static int check_imports(const struct module *mod, const struct symbol *sym)
{
	const struct klp_name *klp = &role_of(mod, sym)->klp;
	const char *objects[] = { klp->patched, klp->owner };
	struct version *v;

	HASH_FIND_STR(mod->versions, klp->name, v);
	/* Position 0 says that the name is unique. With another one it may be a namesake. */
	if (v && is_vmlinux(klp->owner) && klp->pos == 0)
		return diag_error("%s: symbol %s: %s is imported in __versions too; an export of vmlinux takes ordinary relocations only",
				  mod->in.path, sym->name, klp->name);
	for (int i = 0; i < 2; i++)
		if (is_listed(mod->depends, objects[i]))
			return diag_error("%s: symbol %s: the module depends on %s; what a patched module or its dependencies export takes livepatch relocations only",
					  mod->in.path, sym->name, objects[i]);
	return 0;
}

static int check_klp_reloc(const struct module *mod, const struct section *sec,
			   const struct reloc *r)
{
	const struct klp_name *klp = &role_of(mod, r->sym)->klp;
	unsigned int width = arch_reloc_width(r->type);
	const char *path = mod->in.path, *early = read_early(sec);
	unsigned long at = r->offset;

	if (!is_alloc(sec))
		return diag_error("%s: section %s+0x%lx: livepatch relocation against %s: the section is not loaded; strip debugging information first",
				  path, sec->name, at, r->sym->name);
	if (!width)
		return diag_error("%s: section %s+0x%lx: livepatch relocation against %s: type %u is unknown to the kernel's loader; compile with the kernel's own flags",
				  path, sec->name, at, r->sym->name, r->type);
	if (is_nobits(sec) || r->offset + width > sec->size)
		return diag_error("%s: section %s+0x%lx: livepatch relocation against %s: outside of the section; is the file damaged?",
				  path, sec->name, at, r->sym->name);
	for (unsigned int i = 0; i < width; i++)
		if (sec->data[r->offset + i])
			return diag_error("%s: section %s+0x%lx: livepatch relocation against %s: the field is not zero, and the kernel insists on it; is the file damaged?",
					  path, sec->name, at, r->sym->name);

	/* Copied for each processor out of a section that counts as not loaded by then. */
	if (!strcmp(sec->name, ".data..percpu"))
		diag_refuse(REASON_PER_CPU, "%s: section %s+0x%lx: %s of %s: the kernel applies no relocations to per-CPU data; set the variable in a callback",
			    path, sec->name, at, klp->name, klp->owner);
	else if (early && !is_vmlinux(klp->patched))
		diag_refuse(REASON_MODULE_DEPENDENCY, "%s: section %s+0x%lx: %s of module %s: the kernel is done with %s before module %s is there; change the patch so that this code does without %s",
			    path, sec->name, at, klp->name, klp->owner, early, klp->patched,
			    klp->name);
	return 0;
}

static int check_ordinary_reloc(const struct module *mod, const struct section *sec,
				const struct reloc *r)
{
	unsigned int width = arch_reloc_width(r->type);

	/* What is not loaded is for tools. */
	if (!is_alloc(sec))
		return 0;
	if (!width)
		return diag_error("%s: section %s+0x%lx: relocation against %s: type %u is unknown to the kernel's loader; compile with the kernel's own flags",
				  mod->in.path, sec->name, r->offset, symbol_name(r->sym), r->type);
	if (is_nobits(sec) || r->offset + width > sec->size)
		return diag_error("%s: section %s+0x%lx: relocation against %s: outside of the section; is the file damaged?",
				  mod->in.path, sec->name, r->offset, symbol_name(r->sym));
	return 0;
}

int module_check_relocs(struct module *mod)
{
	int ret = 0;

	for_each_symbol(&mod->in, sym) {
		if (role_of(mod, sym)->role != ROLE_KLP)
			continue;
		check_limits(mod, sym);
		ret |= check_owner(mod, sym);
		ret |= check_imports(mod, sym);
	}
	for_each_section(&mod->in, sec) {
		for_each_reloc(sec, r) {
			if (role_of(mod, r->sym)->role == ROLE_KLP)
				ret |= check_klp_reloc(mod, sec, r);
			else
				ret |= check_ordinary_reloc(mod, sec, r);
		}
	}
	return ret;
}
