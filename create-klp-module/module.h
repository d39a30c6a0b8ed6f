/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last stage: the linked module in, the module that the kernel's livepatch loader understands
 * out. main.c has the passes in their order. What the loader wants is in the kernel's
 * Documentation/livepatch/module-elf-format.rst, kernel/livepatch/core.c and kernel/module/main.c.
 */
#ifndef KPATCH_KLP_MODULE_H
#define KPATCH_KLP_MODULE_H

#include <stdbool.h>
#include <uthash.h>

#include "elf-file.h"
#include "elf-out.h"
#include "release.h"

#ifndef SHN_LIVEPATCH
#define SHN_LIVEPATCH 0xff20
#endif
#ifndef SHT_LLVM_ADDRSIG
#define SHT_LLVM_ADDRSIG 0x6fff4c03
#endif
#ifndef SHF_RELA_LIVEPATCH
#define SHF_RELA_LIVEPATCH 0x00100000
#endif

#define INTERMEDIATE_PREFIX ".kpatch."
#define INTERMEDIATE_SYM_PREFIX ".kpatch.sym."
#define ALIAS_PREFIX "__kpatch_new."

/* .kpatch.sym.PATCHED.OWNER.NAME,POS, taken apart. */
struct klp_name {
	char *patched;
	char *owner;
	char *name;
	unsigned long pos;
};

enum role {
	ROLE_ORDINARY,
	ROLE_KLP,		/* stands for a symbol that livepatch relocations reach */
	ROLE_ALIAS,		/* the global name of a changed function */
	ROLE_DROPPED,		/* the section of a dropped section symbol does not stay */
};

/* What this program knows about a symbol of the input; same index. */
struct role_of {
	enum role role;
	bool used;		/* by a relocation */
	struct klp_name klp;	/* ROLE_KLP */
	struct symbol *target;	/* ROLE_ALIAS: what replaces it; NULL: its section + its value */
	struct out_symbol *out;	/* NULL: not in the output */
};

/* A livepatch symbol of the output, found by its name. */
struct klp_symbol {
	struct out_symbol *out;
	UT_hash_handle hh;
};

/* An exported symbol that the module imports with its checksum. */
struct version {
	const char *name;
	UT_hash_handle hh;
};

struct module {
	struct elf_file in;
	struct role_of *roles;
	struct out_section **sections;	/* those of the output, by index in the input; or NULL */
	struct elf_out out;
	struct out_symbol null;		/* for relocations against symbol 0 */
	struct klp_symbol *klp_symbols;	/* hash, in the order of their creation */
	struct version *versions;	/* hash */
	bool has_versions;
	/* From .modinfo: */
	const char *depends;		/* modules, with commas between them; NULL: no such line */
	struct release release;		/* of the kernel, in vermagic */
};

/* roles.c: what is each symbol of the input? */
int module_read_roles(struct module *mod);

/* klp-name.c */
bool klp_name_parse(struct klp_name *klp, const char *symbol);
void klp_name_free(struct klp_name *klp);
bool is_vmlinux(const char *object);

/* modinfo.c, versions.c: what do the module's own descriptions say? */
int module_read_modinfo(struct module *mod);
int module_read_versions(struct module *mod, bool no_modversions);

/* rules.c: may each livepatch relocation be one? */
int module_check_relocs(struct module *mod);

/* copy.c: make the output. */
int module_copy_sections(struct module *mod);
void module_copy_symbols(struct module *mod);
void module_copy_relocs(struct module *mod);

/* output.c: will the kernel load it? */
int module_check_output(struct module *mod);

static inline struct role_of *role_of(const struct module *mod, const struct symbol *sym)
{
	return &mod->roles[sym->index];
}

/* The name that a message calls a relocated field's symbol by. */
static inline const char *symbol_name(const struct symbol *sym)
{
	return *sym->name ? sym->name : "(nameless)";
}

#endif
