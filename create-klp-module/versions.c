// SPDX-License-Identifier: GPL-2.0-only
/*
 * The checksums of imported symbols. Kernels from 6.14 on can have names of any length in
 * __version_ext_names, beside __versions or instead of it.
 */
#include "diag.h"
#include "module.h"

/* struct modversion_info of x86-64: the checksum in a long, and the name. */
enum {
	VERSION_SIZE = 64,
	VERSION_NAME = 8,
};

static void version_add(struct module *mod, const char *name)
{
	struct version *v;

	HASH_FIND_STR(mod->versions, name, v);
	if (v)
		return;
	v = xcalloc(1, sizeof(*v));
	v->name = name;
	HASH_ADD_KEYPTR(hh, mod->versions, v->name, strlen(v->name), v);
}

static int read_fixed(struct module *mod, const struct section *sec)
{
	if (is_nobits(sec) || sec->size % VERSION_SIZE)
		return diag_error("%s: section __versions: not made of entries of %d bytes; is the kernel's architecture x86-64?",
				  mod->in.path, VERSION_SIZE);
	for (size_t at = 0; at < sec->size; at += VERSION_SIZE) {
		const char *name = (const char *)sec->data + at + VERSION_NAME;

		if (strnlen(name, VERSION_SIZE - VERSION_NAME) == VERSION_SIZE - VERSION_NAME)
			return diag_error("%s: section __versions: entry %zu: name without end; is the file damaged?",
					  mod->in.path, at / VERSION_SIZE);
		version_add(mod, name);
	}
	return 0;
}

static int read_extended(struct module *mod, const struct section *names)
{
	const struct section *crcs = elf_file_section(&mod->in, "__version_ext_crcs");
	size_t n = 0;

	if (is_nobits(names) || (names->size && names->data[names->size - 1]))
		return diag_error("%s: section __version_ext_names: name without end; is the file damaged?",
				  mod->in.path);
	for (size_t at = 0; at < names->size;) {
		const char *name = (const char *)names->data + at;

		/* The C string that modpost writes them as ends in a NUL of its own. */
		if (*name) {
			version_add(mod, name);
			n++;
		}
		at += strlen(name) + 1;
	}
	if (!crcs || is_nobits(crcs) || crcs->size != n * sizeof(uint32_t))
		return diag_error("%s: section __version_ext_crcs: not one checksum for each of %zu names; is the file damaged?",
				  mod->in.path, n);
	return 0;
}

int module_read_versions(struct module *mod, bool no_modversions)
{
	const struct section *fixed = elf_file_section(&mod->in, "__versions");
	const struct section *extended = elf_file_section(&mod->in, "__version_ext_names");

	mod->has_versions = fixed || extended;
	if (!mod->has_versions && !no_modversions)
		return diag_error("%s: no section __versions; link the module with its .mod.o, or give --no-modversions if the kernel has no CONFIG_MODVERSIONS",
				  mod->in.path);
	if (fixed && read_fixed(mod, fixed))
		return -1;
	if (extended && read_extended(mod, extended))
		return -1;
	return 0;
}
