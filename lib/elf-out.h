/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing relocatable objects. The caller creates sections, symbols and relocations in any order;
 * elf_out_write() puts local symbols before global ones, numbers everything, makes the string
 * tables, and writes the file under a temporary name first: a failed run leaves nothing behind.
 */
#ifndef KPATCH_ELF_OUT_H
#define KPATCH_ELF_OUT_H

#include <gelf.h>
#include <stddef.h>
#include <stdint.h>

struct out_symbol {
	char *name;
	struct out_section *sec;	/* NULL: undefined, or shndx says it */
	uint16_t shndx;			/* used when sec is NULL: SHN_UNDEF, SHN_ABS, SHN_LIVEPATCH */
	uint64_t value, size;
	unsigned char bind, type, other;
	unsigned int index;		/* set by elf_out_write() */
};

struct out_reloc {
	uint64_t offset;
	uint32_t type;
	struct out_symbol *sym;
	int64_t addend;
};

struct out_section {
	char *name;
	uint32_t type;			/* SHT_PROGBITS, SHT_NOBITS, SHT_RELA, ... */
	uint64_t flags, align, entsize;
	struct out_section *link;	/* with SHF_LINK_ORDER: the section that it belongs to */
	unsigned char *data;
	size_t size, room;
	/* SHT_RELA only: */
	struct out_section *relocates;
	struct out_reloc *relocs;
	size_t nrelocs, relocs_room;
	/* Other types only: */
	struct out_section *rela;	/* its ordinary relocations, made at the first one */
	struct out_symbol *secsym;	/* its section symbol, made at the first use */
	unsigned int index;		/* set by elf_out_write() */
};

struct elf_out {
	struct out_section **sections;
	size_t nsections, sections_room;
	struct out_symbol **symbols;
	size_t nsymbols, symbols_room;
};

struct out_section *out_section_new(struct elf_out *out, const char *name, uint32_t type,
				    uint64_t flags, uint64_t align, uint64_t entsize);

/*
 * Append size bytes (zeros when data is NULL; only counted for SHT_NOBITS), aligned to align (a
 * power of two, 0 as 1). Code is filled up with NOPs. Returns the offset of the first byte.
 */
uint64_t out_section_append(struct out_section *sec, const void *data, size_t size, uint64_t align);

struct out_symbol *out_symbol_new(struct elf_out *out, const char *name, struct out_section *sec,
				  uint64_t value, uint64_t size, unsigned char bind,
				  unsigned char type);

/* The section symbol of sec. */
struct out_symbol *out_section_symbol(struct elf_out *out, struct out_section *sec);

/* Add an ordinary relocation to sec. */
void out_reloc_add(struct elf_out *out, struct out_section *sec, struct out_reloc reloc);

/* A relocation section of its own for sec, with a name and flags of the caller's. */
struct out_section *out_rela_new(struct elf_out *out, struct out_section *sec, const char *name,
				 uint64_t flags);
void out_rela_add(struct out_section *rela, struct out_reloc reloc);

/* Write the object to path. Returns 0, or -1 after a message. */
int elf_out_write(struct elf_out *out, const char *path);

void elf_out_free(struct elf_out *out);

#endif
