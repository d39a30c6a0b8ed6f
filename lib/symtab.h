/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known about the running kernel besides its objects: the symbols that kallsyms knows, in
 * its order, sizes of structures, and the exports of all modules with their namespaces.
 */
#ifndef KPATCH_SYMTAB_H
#define KPATCH_SYMTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "hash.h"

/* One symbol of the running kernel. */
struct ksym {
	char *name;
	uint64_t addr;
	char type;		/* nm's letter */
	unsigned int pos;	/* 1, 2, ... among the symbols of this name */
	unsigned int loading_pos;	/* of a module's: position while it loads, if it differs; else 0 */
	char *section;		/* of a module's: where addr counts from; else NULL */
	bool sealed;		/* its ENDBR is gone: calling it through a pointer is a fault */
	struct ksym *next;	/* the next one of this name */
};

/* All symbols of one name. */
struct kname {
	const char *name;
	struct ksym *first, *last;
	unsigned int count;
	UT_hash_handle hh;
};

/* A place in code of which the kernel has taken the ENDBR away. */
struct seal {
	uint64_t addr;
	char *section;		/* of a module's; else NULL */
};

struct kstruct {
	char *name;
	unsigned int size;
	UT_hash_handle hh;
};

/* The symbol table of one object: vmlinux or a module. */
struct symtab {
	struct ksym *syms;	/* in the file's order */
	size_t nsyms, room;
	bool of_module;		/* positions are always given, 0 for a unique name will not do */
	size_t name_max;	/* characters of the longest name that can be looked up */
	struct kname *names;	/* hash */
	struct kstruct *structs;	/* hash */
	struct seal *seals;	/* sorted */
	size_t nseals, seals_room;
};

/*
 * Read a file in the format of "kpatch-image symtab" or the text of "readelf -sW". With by_address
 * the order of a readelf text is made the order of addresses, as kallsyms has it for vmlinux.
 * Returns 0, or -1 after a message.
 */
int symtab_read(struct symtab *tab, const char *path, bool by_address);
/*
 * Make a table by hand: add symbols to a zeroed one, in the order of their positions, and index it at the
 * end. What symtab_add() returns moves with the next call.
 */
struct ksym *symtab_add(struct symtab *tab, const char *name, uint64_t addr, char type);
void symtab_index(struct symtab *tab);

const struct kname *symtab_find(const struct symtab *tab, const char *name);

/* Size of a structure of the target kernel; 0: not known. */
unsigned int symtab_struct_size(const struct symtab *tab, const char *name);

static inline bool ksym_is_global(const struct ksym *k)
{
	return k->type >= 'A' && k->type <= 'Z';
}

static inline bool ksym_is_weak(const struct ksym *k)
{
	return k->type == 'W' || k->type == 'V';
}

static inline bool ksym_is_code(const struct ksym *k)
{
	return k->type == 't' || k->type == 'T' || k->type == 'W' || k->type == 'w';
}

/* A line of Module.symvers. */
struct export {
	char *name;
	char *owner;		/* "vmlinux", or the module's name with underscores */
	char *ns;		/* "" when the symbol is in no namespace */
	UT_hash_handle hh;
};

struct exports {
	struct export *names;	/* hash */
};

int exports_read(struct exports *ex, const char *path);
const struct export *exports_find(const struct exports *ex, const char *name);

#endif
