/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files about types share: types.c reads them, agree.c compares them. */
#ifndef CREATE_DIFF_OBJECT_TYPES_H
#define CREATE_DIFF_OBJECT_TYPES_H

#include <dwarf.h>
#include <elfutils/libdw.h>

#include "diff.h"

/* A member, an enumerator, a parameter, or a dimension. */
struct part {
	const char *name;	/* NULL: none */
	struct type *type;	/* NULL for enumerators and dimensions */
	uint64_t value;		/* a member's place in bits, an enumerator's value, a dimension's length */
	uint64_t width;		/* bit-field: in bits; else 0 */
};

struct type {
	unsigned int tag;	/* DWARF's kind of type; 0: void */
	unsigned int encoding;	/* of a base type */
	const char *name;	/* its own, after struct, union or enum; NULL: none */
	const char *typedef_name;	/* for messages, if it has no other */
	uint64_t size;
	bool by_tag;		/* structure or union that is known by its name only */
	bool unknown;		/* agrees with every other; only ever a part of what is known */
	struct type *to;	/* what is pointed to, an element, what is returned */
	bool to_const;		/* pointer: to what must not be written through it */
	struct part *parts;
	size_t nparts, room;
	const struct type *agrees, *disagrees;	/* the last types that were found to do so */
	uint64_t shape;		/* 0: not asked for yet */
};

/* types.c */
/* The section with the descriptions; NULL: there is none that is read here. */
struct section *info_section(const struct elf_file *file);
/* Puts addresses into a debugging section, as if section N of the object were at N << 32. */
void relocate_debug(struct section *info);

/* agree.c */
/* The type of a member as messages show it: "int", "int : 3". Allocated anew at each call. */
char *member_title(const struct part *p);
/* The same with its name, as C declares it: "char name[16]", "int flag : 3". */
char *member_declaration(const struct part *p);

#endif
