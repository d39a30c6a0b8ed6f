// SPDX-License-Identifier: GPL-2.0-only
/* What kallsyms knows of a file that has a symbol table; see kallsyms.h. */
#include <elf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "kallsyms.h"

struct symtab {
	const unsigned char *syms;
	size_t nr;
	const char *names;
	size_t names_size;
};

static int open_symtab(struct symtab *st, const struct image *img)
{
	const struct image_section *sec, *names;

	for (size_t i = 1; i < img->nr_sections; i++) {
		sec = &img->sections[i];
		if (sec->type != SHT_SYMTAB || !sec->data)
			continue;
		names = sec->link < img->nr_sections ? &img->sections[sec->link] : NULL;
		if (!names || names->type != SHT_STRTAB || !names->data)
			return diag_error("%s: section %s: no string table belongs to it; "
					  "get the file again", img->path, sec->name);
		st->syms = sec->data;
		st->nr = sec->size / sizeof(Elf64_Sym);
		st->names = (const char *)names->data;
		st->names_size = names->size;
		return 0;
	}
	return diag_error("%s: no symbol table; give the file as its build made it, not stripped",
			  img->path);
}

/* Symbol I in *SYM and its name in *NAME. */
static int get_sym(const struct symtab *st, const struct image *img, size_t i, Elf64_Sym *sym,
		   const char **name)
{
	memcpy(sym, st->syms + i * sizeof(*sym), sizeof(*sym));
	if (sym->st_name >= st->names_size ||
	    !image_name_ends(st->names + sym->st_name, st->names_size - sym->st_name)) {
		diag_error("%s: symbol %zu: its name is damaged; get the file again",
			   img->path, i);
		return -1;
	}
	*name = st->names + sym->st_name;
	return 0;
}

static char nm_type(const Elf64_Sym *sym, const struct image *img)
{
	const struct image_section *sec;
	char type;

	if (sym->st_shndx == SHN_UNDEF)
		return 'U';
	if (ELF64_ST_BIND(sym->st_info) == STB_WEAK)
		return ELF64_ST_TYPE(sym->st_info) == STT_OBJECT ? 'V' : 'W';
	if (sym->st_shndx >= img->nr_sections)
		return ELF64_ST_BIND(sym->st_info) == STB_LOCAL ? 'a' : 'A';

	sec = &img->sections[sym->st_shndx];
	if (sec->flags & SHF_EXECINSTR)
		type = 't';
	else if (!(sec->flags & SHF_ALLOC))
		type = 'n';
	else if (sec->type == SHT_NOBITS)
		type = 'b';
	else
		type = sec->flags & SHF_WRITE ? 'd' : 'r';
	return ELF64_ST_BIND(sym->st_info) == STB_LOCAL ? type : (char)(type - 'a' + 'A');
}

static bool starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/*
 * Does the kernel keep this symbol of a module once the module's init function has returned? Its
 * is_core_symbol() keeps what lies in a section that stays: allocated, not .init*. (.exit* stays as
 * well, with CONFIG_MODULE_UNLOAD=y.) Its loader takes SHF_ALLOC away from .modinfo and from the
 * version tables before it looks. Special indices such as SHN_ABS are above any section's.
 */
static bool is_core_symbol(const Elf64_Sym *sym, const struct image *img)
{
	const struct image_section *sec;

	if (sym->st_shndx == SHN_UNDEF || sym->st_shndx >= img->nr_sections || !sym->st_name)
		return false;
	sec = &img->sections[sym->st_shndx];
	return (sec->flags & SHF_ALLOC) && !starts_with(sec->name, ".init") &&
	       strcmp(sec->name, ".modinfo") && strcmp(sec->name, "__versions") &&
	       !starts_with(sec->name, "__version_ext_");
}

/* A defined symbol of a module, for counting positions. */
struct counted {
	const char *name;
	size_t index;			/* in the symbol table */
	struct kallsym *core;		/* NULL when the kernel drops it after init */
};

static int by_name_and_index(const void *a, const void *b)
{
	const struct counted *x = a, *y = b;
	int ret = strcmp(x->name, y->name);

	return ret ? ret : (x->index > y->index) - (x->index < y->index);
}

/*
 * livepatch also looks symbols up while the module loads, before its init function. The kernel has all
 * defined symbols then, and one of .init.text may stand before one of .text that has the same name.
 */
static void note_loading_positions(struct counted *all, size_t nr)
{
	unsigned int loading = 0, later = 0;

	qsort(all, nr, sizeof(*all), by_name_and_index);
	for (size_t i = 0; i < nr; i++) {
		if (!i || strcmp(all[i].name, all[i - 1].name))
			loading = later = 0;
		loading++;
		if (!all[i].core)
			continue;
		later++;
		if (loading != later)
			all[i].core->loading_pos = loading;
	}
}

int kallsyms_read_module(struct kallsyms *ks, const struct image *img)
{
	struct counted *all;
	struct symtab st;
	size_t nr = 0;
	int ret = -1;

	*ks = (struct kallsyms) { 0 };
	if (open_symtab(&st, img))
		return -1;
	ks->syms = xcalloc(st.nr, sizeof(*ks->syms));
	all = xcalloc(st.nr, sizeof(*all));

	for (size_t i = 1; i < st.nr; i++) {
		struct kallsym *out = &ks->syms[ks->nr];
		const char *name;
		Elf64_Sym sym;

		if (get_sym(&st, img, i, &sym, &name))
			goto out;
		if (sym.st_shndx == SHN_UNDEF)
			continue;
		all[nr] = (struct counted) { .name = name, .index = i };
		if (is_core_symbol(&sym, img)) {
			*out = (struct kallsym) {
				.addr = sym.st_value,
				.name = name,
				.section = img->sections[sym.st_shndx].name,
				.type = nm_type(&sym, img),
			};
			if (!image_is_word(name) || !image_is_word(out->section)) {
				diag_error("%s: symbol %zu: a blank in its name or its section's; "
					   "get the file again", img->path, i);
				goto out;
			}
			all[nr].core = out;
			ks->nr++;
		}
		nr++;
	}
	note_loading_positions(all, nr);
	ret = 0;
out:
	free(all);
	if (ret)
		kallsyms_free(ks);
	return ret;
}

/* What the kernel's build leaves out of the tables, as far as x86-64 has it. */
static bool is_listed(const char *name, char type)
{
	static const char *const prefixes[] = {
		"$", ".L", "__crc_", "__kstrtab_", "__kstrtabns_", "__kcfi_typeid_", "__efistub_",
		"init_per_cpu__",
	};

	if (strchr("aAnNU", type))
		return false;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (starts_with(name, prefixes[i]))
			return false;
	return true;
}

static bool made_by_linker(const char *name)
{
	size_t len = strlen(name);

	if (len < 8 || !starts_with(name, "__"))
		return false;
	return starts_with(name, "__start_") || starts_with(name, "__stop_") ||
	       starts_with(name, "__end_") || !strcmp(name + len - 6, "_start") ||
	       !strcmp(name + len - 4, "_end");
}

/* The order of entries with one address; sympos depends on it. */
static int by_address(const void *a, const void *b)
{
	const struct kallsym *x = a, *y = b;
	int vx, vy;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	vx = x->type == 'W' || x->type == 'w';
	vy = y->type == 'W' || y->type == 'w';
	if (vx != vy)
		return vx - vy;
	vx = made_by_linker(x->name);
	vy = made_by_linker(y->name);
	if (vx != vy)
		return vx - vy;
	vx = (int)strspn(x->name, "_");
	vy = (int)strspn(y->name, "_");
	return vx != vy ? vx - vy : strcmp(x->name, y->name);
}

int kallsyms_read_vmlinux(struct kallsyms *ks, const struct image *img)
{
	uint64_t percpu_start = 1, percpu_end = 0;
	struct symtab st;

	*ks = (struct kallsyms) { 0 };
	if (open_symtab(&st, img))
		return -1;
	ks->syms = xcalloc(st.nr, sizeof(*ks->syms));

	for (size_t i = 1; i < st.nr; i++) {
		const char *name;
		Elf64_Sym sym;
		char type;

		if (get_sym(&st, img, i, &sym, &name)) {
			kallsyms_free(ks);
			return -1;
		}
		if (ELF64_ST_TYPE(sym.st_info) == STT_FILE ||
		    ELF64_ST_TYPE(sym.st_info) == STT_SECTION)
			continue;
		if (!strcmp(name, "__per_cpu_start"))
			percpu_start = sym.st_value;
		if (!strcmp(name, "__per_cpu_end"))
			percpu_end = sym.st_value;
		type = nm_type(&sym, img);
		if (!is_listed(name, type))
			continue;
		if (!image_is_word(name)) {
			diag_error("%s: symbol %zu: a blank in its name; get the file again",
				   img->path, i);
			kallsyms_free(ks);
			return -1;
		}
		ks->syms[ks->nr++] = (struct kallsym) {
			.addr = sym.st_value, .name = name, .type = type,
		};
	}
	for (size_t i = 0; i < ks->nr; i++)
		if (ks->syms[i].addr >= percpu_start && ks->syms[i].addr <= percpu_end)
			ks->syms[i].type = 'A';
	qsort(ks->syms, ks->nr, sizeof(*ks->syms), by_address);
	return 0;
}
