/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files that read debugging information for explanations share: bodies.c, entries.c. */
#ifndef CREATE_DIFF_OBJECT_BODIES_H
#define CREATE_DIFF_OBJECT_BODIES_H

#include <dwarf.h>
#include <elfutils/libdw.h>

#include "explain.h"

struct function_entry {
	uint64_t addr;
	Dwarf_Die die, unit;
	UT_hash_handle hh;
};

struct debug {
	const struct elf_file *file;
	const struct section *info;
	Dwarf *dwarf;		/* NULL: there is none, or it cannot be read */
	struct function_entry *functions;	/* hash, by address */
	struct known_path *paths;		/* hash */
	uint64_t left;		/* entries, and bytes on the way to the next one, that may still be passed */
};

/* bodies.c */
/* Allow as much to be passed as a compiler's entries need, several times. */
void renew_budget(struct debug *g);
/* Go on to the next entry of the same list; false at its end, or when too much was passed. */
bool next_debug_entry(struct debug *g, Dwarf_Die *die);
/* NULL: it has none. */
const char *entry_name(const struct debug *g, Dwarf_Die *die);
struct place_of_source entry_place(struct debug *g, Dwarf_Die *die);
struct function_entry *function_entry_of(struct debug *g, const struct atom *a);

#endif
