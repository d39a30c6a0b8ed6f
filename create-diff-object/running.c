// SPDX-License-Identifier: GPL-2.0-only
/* The shipped image, by address and by name; see running.h. */
#include <stdlib.h>

#include "arch.h"
#include "diag.h"
#include "running.h"

#define MODULE_SECTION_SHIFT 40

static uint64_t module_address(size_t section, uint64_t value)
{
	return ((uint64_t)section << MODULE_SECTION_SHIFT) + value;
}

/* A module's file has more names than kallsyms keeps: those of its initialisation. */
static void read_module_names(struct running *run)
{
	for_each_symbol(&run->module, s)
		if (s->sec && *s->name && !is_section_symbol(s))
			symtab_add(&run->module_names, s->name,
				   module_address(s->sec->index, s->sym.st_value), 't');
	symtab_index(&run->module_names);
}

int running_open(struct running *run, const char *path, const char *objname,
		 const struct symtab *kallsyms)
{
	if (image_open(&run->image, path))
		return -1;
	if (run->image.module == !strcmp(objname, "vmlinux"))
		return diag_error("%s: not the image of %s; give the file that the kernel runs", path,
				  objname);
	run->kallsyms = run->names = kallsyms;
	if (!run->image.module)
		return 0;
	if (elf_file_open_memory(&run->module, path, run->image.elf.data, run->image.elf.size))
		return -1;
	read_module_names(run);
	run->names = &run->module_names;
	return 0;
}

static const struct image_section *section_at(const struct running *run, uint64_t addr, uint64_t size)
{
	const struct image_section *s;
	size_t n;

	if (run->image.module) {
		n = addr >> MODULE_SECTION_SHIFT;
		if (n >= run->image.nr_sections)
			return NULL;
		s = &run->image.sections[n];
		addr -= module_address(n, 0);
		return addr <= s->size && size <= s->size - addr ? s : NULL;
	}
	s = image_section_at(&run->image, addr);
	return s && size <= s->size - (addr - s->addr) ? s : NULL;
}

bool running_covers(const struct running *run, uint64_t addr, uint64_t size)
{
	return section_at(run, addr, size);
}

const unsigned char *running_bytes(const struct running *run, uint64_t addr, uint64_t size)
{
	const struct image_section *s = section_at(run, addr, size);

	if (!s || !s->data)
		return NULL;
	return s->data + (run->image.module ? addr - module_address(s - run->image.sections, 0) :
					      addr - s->addr);
}

/* The first relocation at or behind addr in its section; NULL: none. */
static const struct reloc *module_reloc_from(const struct running *run, uint64_t addr)
{
	const struct section *s = &run->module.sections[addr >> MODULE_SECTION_SHIFT];
	size_t lo;

	addr -= module_address(s->index, 0);
	lo = section_first_reloc(s, addr);
	return lo < s->nrelocs ? &s->relocs[lo] : NULL;
}

static const struct reloc *module_reloc(const struct running *run, uint64_t addr)
{
	const struct reloc *r = module_reloc_from(run, addr);

	return r && module_address(addr >> MODULE_SECTION_SHIFT, r->offset) == addr ? r : NULL;
}

uint64_t running_next_reloc(const struct running *run, uint64_t addr, uint64_t size)
{
	const struct reloc *r = run->image.module && section_at(run, addr, size) ?
					module_reloc_from(run, addr) : NULL;
	uint64_t at = r ? module_address(addr >> MODULE_SECTION_SHIFT, r->offset) : 0;

	return r && at < addr + size ? at : addr + size;
}

static bool module_field(const struct running *run, uint64_t addr, uint32_t type, struct field *f)
{
	const struct reloc *r = module_reloc(run, addr);

	if (!r || arch_reloc_width(r->type) != arch_reloc_width(type) ||
	    arch_reloc_is_pcrel(r->type) != arch_reloc_is_pcrel(type))
		return false;
	f->name = r->sym->sec ? NULL : r->sym->name;
	f->value = r->addend;
	if (r->sym->sec)
		f->value += module_address(r->sym->sec->index, r->sym->sym.st_value);
	return true;
}

bool running_field(const struct running *run, uint64_t addr, uint32_t type, struct field *f)
{
	unsigned int width = arch_reloc_width(type);
	const unsigned char *bytes = running_bytes(run, addr, width);
	int32_t narrow;

	if (!bytes || !width)
		return false;
	if (run->image.module)
		return module_field(run, addr, type, f);
	f->name = NULL;
	if (width == 8) {
		memcpy(&f->value, bytes, 8);
	} else {
		memcpy(&narrow, bytes, 4);
		f->value = (int64_t)narrow;
	}
	if (arch_reloc_is_pcrel(type))
		f->value += addr;
	return true;
}

bool running_table(const struct running *run, const char *name, uint64_t *from, uint64_t *to)
{
	const struct image_section *s = image_section(&run->image, name);
	const char *word = name + strspn(name, ".");
	char *start = xasprintf("__start_%s", word), *stop = xasprintf("__stop_%s", word);
	const struct kname *first = symtab_find(run->names, start), *end = symtab_find(run->names, stop);

	free(start);
	free(stop);
	if (s) {
		*from = run->image.module ? module_address(s - run->image.sections, 0) : s->addr;
		*to = *from + s->size;
	} else if (!run->image.module && first && end) {
		*from = first->first->addr;
		*to = end->first->addr;
	} else {
		return false;
	}
	return *from <= *to && running_covers(run, *from, *to - *from);
}

bool running_has(const struct running *run, const char *name, uint64_t addr)
{
	const struct kname *kn = symtab_find(run->names, name);

	for (const struct ksym *k = kn ? kn->first : NULL; k; k = k->next)
		if (k->addr == addr)
			return true;
	return false;
}

bool running_has_any(const struct running *run, uint64_t addr)
{
	size_t lo = 0, hi = run->names->nsyms;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (run->names->syms[mid].addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < run->names->nsyms && run->names->syms[lo].addr == addr;
}

/* Where kallsyms' symbol is; in a module the section is found by its name. */
static bool ksym_is_at(const struct running *run, const struct ksym *k, uint64_t addr)
{
	const struct image_section *s;

	if (!run->image.module)
		return k->addr == addr;
	s = k->section ? image_section(&run->image, k->section) : NULL;
	return s && module_address(s - run->image.sections, k->addr) == addr;
}

const struct ksym *running_ksym(const struct running *run, const char *name, uint64_t addr)
{
	const struct kname *kn = symtab_find(run->kallsyms, name);

	for (const struct ksym *k = kn ? kn->first : NULL; k; k = k->next)
		if (ksym_is_at(run, k, addr))
			return k;
	return NULL;
}

char *running_title(const struct running *run, uint64_t addr)
{
	const struct ksym *best = NULL;

	for (size_t i = 0; i < run->names->nsyms; i++) {
		const struct ksym *k = &run->names->syms[i];

		if (k->addr <= addr && (!best || k->addr > best->addr))
			best = k;
	}
	if (!best)
		return xasprintf("%lx", (unsigned long)addr);
	return xasprintf("%s+0x%lx", best->name, (unsigned long)(addr - best->addr));
}
