/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ELF model: a relocatable object as sections, symbols and relocations with pointers between
 * them. elf_file_open() checks everything that it hands out (indices, offsets, strings), so that
 * the passes behind it can trust what they read.
 */
#ifndef KPATCH_ELF_FILE_H
#define KPATCH_ELF_FILE_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hash.h"

struct symbol;

struct reloc {
	uint64_t offset;	/* in the section that is relocated */
	uint32_t type;		/* R_X86_64_... */
	uint8_t address_use;	/* enum address_use; set by create-diff-object where it is asked for */
	struct symbol *sym;
	int64_t addend;
	/* Set by create-diff-object: what the relocation means, whatever symbol it is spelled with. */
	struct atom *target;	/* NULL: defined outside of the object */
	int64_t target_off;	/* offset in target */
	struct atom *before;	/* its end may be meant instead of the target's start; NULL: no */
};

struct section {
	unsigned int index;
	const char *name;
	GElf_Shdr sh;
	unsigned char *data;	/* NULL for SHT_NOBITS and empty sections */
	size_t size;		/* as sh.sh_size */
	struct symbol *secsym;	/* the STT_SECTION symbol; assemblers drop unused ones */
	struct reloc *relocs;	/* sorted by offset */
	size_t nrelocs;
	/* Set by create-diff-object: the section cut into atoms, sorted by offset. */
	struct atom **atoms;
	uint64_t *starts;	/* their offsets, apart: a search touches little memory */
	size_t natoms;
	const struct arch_table *table;
};

struct symbol {
	unsigned int index;
	const char *name;
	GElf_Sym sym;
	struct section *sec;	/* NULL: undefined, absolute or common */
	struct atom *atom;	/* set by create-diff-object */
	struct symbol *next;	/* next symbol of the same atom */
};

/*
 * Sections are many, a hundred thousand and more, and looked for by name: an open hash table, so that
 * filling it touches no other section. Those of relocations are not in it.
 */
struct section_slot {
	uint32_t hash;
	uint32_t index;		/* 0: free */
};

struct elf_file {
	const char *path;
	void *image;			/* the file's bytes, when elf_file_open() read them */
	Elf *elf;
	GElf_Ehdr eh;
	struct section *sections;	/* [0] is the null section */
	size_t nsections;
	struct section_slot *by_name;	/* hash */
	size_t by_name_mask;
	struct symbol *symbols;		/* [0] is the null symbol */
	size_t nsymbols;
};

/*
 * Read and check a relocatable object. Returns 0, or -1 after a message. elf_file_close() frees
 * half-opened files too, and accepts a zeroed structure.
 */
int elf_file_open(struct elf_file *file, const char *path);

/* The same for a file that is in memory already and stays there; path is for messages. */
int elf_file_open_memory(struct elf_file *file, const char *path, void *data, size_t size);
void elf_file_close(struct elf_file *file);

/* The index of the first relocation at OFF or behind it; nrelocs: none. */
size_t section_first_reloc(const struct section *s, uint64_t off);

/* The first section of that name, or NULL. */
struct section *elf_file_section(const struct elf_file *file, const char *name);

#define for_each_section(file, s) \
	for (struct section *s = (file)->sections + 1; s < (file)->sections + (file)->nsections; s++)
#define for_each_symbol(file, s) \
	for (struct symbol *s = (file)->symbols + 1; s < (file)->symbols + (file)->nsymbols; s++)
#define for_each_reloc(section, r) \
	for (struct reloc *r = (section)->relocs; r < (section)->relocs + (section)->nrelocs; r++)

static inline bool is_alloc(const struct section *s)
{
	return s->sh.sh_flags & SHF_ALLOC;
}

static inline bool is_code(const struct section *s)
{
	return is_alloc(s) && (s->sh.sh_flags & SHF_EXECINSTR);
}

static inline bool is_writable(const struct section *s)
{
	return s->sh.sh_flags & SHF_WRITE;
}

static inline bool is_nobits(const struct section *s)
{
	return s->sh.sh_type == SHT_NOBITS;
}

static inline bool is_string_section(const struct section *s)
{
	return (s->sh.sh_flags & SHF_MERGE) && (s->sh.sh_flags & SHF_STRINGS) &&
	       s->sh.sh_entsize == 1;
}

static inline bool is_constant_section(const struct section *s)
{
	return (s->sh.sh_flags & SHF_MERGE) && !(s->sh.sh_flags & SHF_STRINGS) &&
	       s->sh.sh_entsize > 0;
}

static inline unsigned int symbol_type(const struct symbol *s)
{
	return GELF_ST_TYPE(s->sym.st_info);
}

static inline unsigned int symbol_bind(const struct symbol *s)
{
	return GELF_ST_BIND(s->sym.st_info);
}

static inline bool is_local_symbol(const struct symbol *s)
{
	return symbol_bind(s) == STB_LOCAL;
}

static inline bool is_section_symbol(const struct symbol *s)
{
	return symbol_type(s) == STT_SECTION;
}

static inline bool is_undefined(const struct symbol *s)
{
	return s->sym.st_shndx == SHN_UNDEF;
}

static inline bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

#endif
