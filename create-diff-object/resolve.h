/* SPDX-License-Identifier: GPL-2.0-only */
/* What resolve.c finds in the running kernel, for it and register.c. */
#ifndef CREATE_DIFF_OBJECT_RESOLVE_H
#define CREATE_DIFF_OBJECT_RESOLVE_H

#include "diff.h"

enum found {
	FOUND,
	FOUND_NONE,
	FOUND_SEVERAL,
	FOUND_UNPLACED,	/* not found with certainty in the shipped image */
	FOUND_MOVING,	/* a module's: has another position while that is loaded */
};

/*
 * The symbol of a name that can be meant, going by names alone: the link allows one global symbol
 * of a name, and of the local ones only those in this object's kind of section are candidates: code, 1 or 0, or
 * -1 if the kind is not known. *pos is the position to name to the kernel; sym may be NULL.
 */
enum found find_by_name(const struct symtab *tab, const char *name, bool local, int code, unsigned int *pos,
			const struct ksym **sym);

/*
 * The same for a symbol that the original defines: its place in the image tells, if there is a proof.
 * Where the place is not certain, a name that the kernel has once needs none, to be referred to; but code
 * that is replaced must be known to be what the kernel runs.
 */
enum found find_defined(const struct diff *d, const struct symbol *s, bool replaced, unsigned int *pos,
			const struct ksym **sym);

/*
 * Of several names at one place, a global one is the surest. A weak one may be another object's in the running
 * kernel; it is chosen if there is none but such. NULL: it has no name.
 */
const struct symbol *surest_name(struct atom *a);

#endif
