/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel runs of the patched kernel object: the shipped image with its names. Sections of the
 * proof object are looked for in it.
 *
 * A module has no addresses before it is loaded. They are made up, with the section's number in the
 * upper half, so that the same code serves both.
 */
#ifndef CREATE_DIFF_OBJECT_RUNNING_H
#define CREATE_DIFF_OBJECT_RUNNING_H

#include "elf-file.h"
#include "image.h"
#include "symtab.h"

struct running {
	struct image image;
	struct elf_file module;		/* the image again, with its relocations, if it is a module */
	struct symtab module_names;	/* all of its symbols, those that are gone after its init, too */
	const struct symtab *names;	/* what there is in the image, by name */
	const struct symtab *kallsyms;	/* what the running kernel knows; addresses as it has them */
};

/* What a relocated field of the image means: an address or, in a module, an undefined symbol. */
struct field {
	const char *name;	/* NULL: value is an address */
	uint64_t value;		/* symbol + addend; with a name: the addend */
};

/*
 * Read the image of the kernel object called objname, whose symbols kallsyms has. Returns 0, or -1 after a
 */
int running_open(struct running *run, const char *path, const char *objname,
		 const struct symtab *kallsyms);

/* Are there size bytes at addr, in one section, whether or not the file has their contents? */
bool running_covers(const struct running *run, uint64_t addr, uint64_t size);

/* The size bytes at addr; NULL: outside of the image, or not in the file (.bss). */
const unsigned char *running_bytes(const struct running *run, uint64_t addr, uint64_t size);

/* Read the field that a relocation of this type would change. Returns whether there is one. */
bool running_field(const struct running *run, uint64_t addr, uint32_t type, struct field *f);

/*
 * Where, from addr on, does the image have the next relocation of its own? addr + size: nowhere in these
 * bytes. A linked kernel has none.
 */
uint64_t running_next_reloc(const struct running *run, uint64_t addr, uint64_t size);

/*
 * Where is the image's table that is made of sections of this name: a section, or, in a kernel, what lies between
 * symbols? Returns whether there is one.
 */
bool running_table(const struct running *run, const char *name, uint64_t *from, uint64_t *to);

/* Does the name stand at addr? */
bool running_has(const struct running *run, const char *name, uint64_t addr);

/* Does any name stand at addr? For the image of a kernel only, whose names are in the order of their addresses. */
bool running_has_any(const struct running *run, uint64_t addr);

/* The symbol that the running kernel knows by this name at this address, or NULL. */
const struct ksym *running_ksym(const struct running *run, const char *name, uint64_t addr);

/* "name+0x10", for people: what is at addr. Allocated. */
char *running_title(const struct running *run, uint64_t addr);

#endif
