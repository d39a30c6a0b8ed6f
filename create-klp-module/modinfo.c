// SPDX-License-Identifier: GPL-2.0-only
/* What .modinfo says: strings of the form key=value. */
#include <stdio.h>

#include "diag.h"
#include "module.h"

static const char *modinfo_find(const struct section *sec, const char *key)
{
	size_t n = strlen(key);

	for (size_t at = 0, len; sec->data && at < sec->size; at += len + 1) {
		const char *s = (const char *)sec->data + at;

		len = strnlen(s, sec->size - at);
		if (at + len < sec->size && !strncmp(s, key, n) && s[n] == '=')
			return s + n + 1;
	}
	return NULL;
}

int module_read_modinfo(struct module *mod)
{
	const struct section *sec = elf_file_section(&mod->in, ".modinfo");
	const char *path = mod->in.path;
	const char *livepatch, *vermagic;
	int ret = 0;

	if (!sec || !elf_file_section(&mod->in, ".gnu.linkonce.this_module"))
		return diag_error("%s: no section %s; give the module after the final link, with its .mod.o",
				  path, sec ? ".gnu.linkonce.this_module" : ".modinfo");
	livepatch = modinfo_find(sec, "livepatch");
	if (!livepatch || strcmp(livepatch, "Y"))
		ret = diag_error("%s: section .modinfo: no livepatch=Y; the generated code must have MODULE_INFO(livepatch, \"Y\")",
				 path);
	vermagic = modinfo_find(sec, "vermagic");
	if (!vermagic)
		return diag_error("%s: section .modinfo: no vermagic=; was the module linked without its .mod.o?",
				  path);
	if (!release_parse(&mod->release, vermagic))
		return diag_error("%s: section .modinfo: vermagic=%s: no kernel release; it must be the shipped kernel's",
				  path, vermagic);
	mod->depends = modinfo_find(sec, "depends");
	return ret;
}
