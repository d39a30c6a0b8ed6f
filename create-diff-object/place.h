/* SPDX-License-Identifier: GPL-2.0-only */
/* What place.c finds out and prove.c judges: where the sections of the proof object lie. */
#ifndef CREATE_DIFF_OBJECT_PLACE_H
#define CREATE_DIFF_OBJECT_PLACE_H

#include "diff.h"
#include "running.h"

enum placing {
	NOT_PLACED,	/* nothing says where it is, or several places are as good */
	PLACED,		/* base is certain */
	REFUTED,	/* its bytes or names are at no place; base is the best one, or 0 */
};

/* One section of the proof object. */
struct placed {
	struct symbol **syms;	/* those that the kernel should know, by value */
	size_t nsyms, room;
	bool named;		/* something in it has a name, perhaps a weak one */
	enum placing placing;
	uint64_t base;
};

/* All symbols of one name in the proof object and in the original, in the order of their tables. */
struct proof_name {
	const char *name;
	struct symbol **syms;
	const struct symbol **orig;
	size_t n, room, norig, orig_room;
	bool paired;			/* as many on both sides, and alike */
	UT_hash_handle hh;
};

struct proof {
	struct elf_file obj;
	struct running run;
	struct placed *placed;		/* per section of obj */
	bool sanitized;			/* a sanitizer of undefined behaviour looks at what obj does */
	struct proof_name *names;	/* hash */
};

/* Fills in proof->placed; proof->obj and proof->run are open. */
void place_sections(struct proof *p);

/* A symbol that kallsyms never lists. */
bool is_unlisted(const struct symbol *s);

/* Can sym be the one that the image has by its name, going by the other names of its section? */
bool name_fits(const struct proof *p, const struct symbol *sym);

/* Can the section be there, going by its names and its bytes? */
bool section_fits(const struct proof *p, const struct section *s, uint64_t base);

/* The first byte where the section and the image at base differ, relocated fields aside; its size: none. */
uint64_t first_difference(const struct proof *p, const struct section *s, uint64_t base);

/* Does the field of the image at relocation r of s hold what the places predict? */
bool reloc_agrees(const struct proof *p, const struct section *s, uint64_t base, const struct reloc *r);

/* tables.c */
/*
 * Of a table of entries: the relocation with which the first entry begins that the image has in another form or not at
 * all. NULL: none. Places what such tables refer to.
 */
const struct reloc *wrong_entry(struct diff *d, struct section *s);

#endif
