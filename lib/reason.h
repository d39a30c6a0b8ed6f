/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why a livepatch was refused or not made, as programs read it: the words of "reason" in the report of
 * kpatch-build --json (doc/report.schema.json has the same set). People read the message.
 */
#ifndef KPATCH_REASON_H
#define KPATCH_REASON_H

#define KPATCH_REASONS(X) \
	X(AMBIGUOUS_REFERENCE, "ambiguous-reference")	/* into the gap between two things */ \
	X(AMBIGUOUS_SYMBOL, "ambiguous-symbol")		/* which of the kernel's of one name */ \
	X(ASSEMBLER, "assembler") \
	X(BOOT_CODE, "boot-code")			/* the kernel replaces it by its own at boot */ \
	X(CONSTANT_DATA, "constant-data")		/* that others can refer to */ \
	X(DATA_REFERENCE, "data-reference")		/* of existing data, into a changed function */ \
	X(DATA_SIZE, "data-size") \
	X(DATA_TYPE, "data-type") \
	X(DATA_VALUE, "data-value")			/* initial value of existing data */ \
	X(EXIT_CODE, "exit-code") \
	X(EXPORT, "export")				/* added, changed or removed */ \
	X(FIXED_ADDRESS, "fixed-address") \
	X(FREED, "freed")				/* a reference to what is gone after initialisation */ \
	X(IBT, "ibt")					/* address of a function without ENDBR */ \
	X(INIT_CODE, "init-code") \
	X(INIT_DATA, "init-data") \
	X(INNER_REFERENCE, "inner-reference")		/* into a function that did not change */ \
	X(INPUT, "input")				/* damaged, missing or impossible input */ \
	X(INTERNAL, "internal")				/* a check of our own failed */ \
	X(LAYOUT, "layout")				/* of a structure or union */ \
	X(LIMIT, "limit")				/* more than the kernel loads */ \
	X(MODULE_DEPENDENCY, "module-dependency") \
	X(NAME_LENGTH, "name-length") \
	X(NAME_REUSED, "name-reused")			/* for another thing */ \
	X(NO_FTRACE, "no-ftrace")			/* no entry by which a function is redirected */ \
	X(PAIRING, "pairing")				/* which of the original's it is */ \
	X(PER_CPU, "per-cpu") \
	X(PROOF, "proof")				/* the source is not what the kernel runs */ \
	X(PROTOTYPE, "prototype") \
	X(REMOVED, "removed")				/* something that others may use */ \
	X(SHORT_JUMP, "short-jump") \
	X(STATIC_KEY, "static-key")			/* of a module */ \
	X(TABLE_ENTRY, "table-entry")			/* that the kernel has read already */ \
	X(UNKNOWN_DATA, "unknown-data") \
	X(UNKNOWN_SECTION, "unknown-section") \
	X(UNKNOWN_SYMBOL, "unknown-symbol")		/* the kernel does not know it */ \
	X(VALUES, "values")				/* of an enumeration */ \
	X(WEAK, "weak")					/* another definition is used */

enum reason {
#define REASON_ENUM(id, word) REASON_##id,
	KPATCH_REASONS(REASON_ENUM)
#undef REASON_ENUM
};

#endif
