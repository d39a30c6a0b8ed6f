/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the passes need to know about a processor and about the kernel's tables for it. One file
 * per architecture implements this (arch-x86_64.c); no pass asks which one it is.
 */
#ifndef KPATCH_ARCH_H
#define KPATCH_ARCH_H

#include "elf-file.h"

/* The architecture: its e_machine, and what people call it. */
uint16_t arch_machine(void);
const char *arch_name(void);

enum table_kind {
	/*
	 * An array of entries that describe code. An entry belongs to the code that its first
	 * relocated field points to and is taken together with it.
	 */
	TABLE_ENTRIES,
	/* The addresses of the ORC unwind table; the entries are in the TABLE_ORC_DATA section. */
	TABLE_ORC_IP,
	TABLE_ORC_DATA,
	/* Nameless pieces that entries or code refer to; a piece starts where a reference points. */
	TABLE_POOL,
	/*
	 * Read by the link or at boot or load time to register something. What is in there for the
	 * running kernel has had its effect: it can neither be changed nor added to.
	 */
	TABLE_REGISTRY,
	/* Meant for tools of the kernel's build only, and not part of the kernel. */
	TABLE_DROPPED,
};

/* Entries refer to pieces of a TABLE_POOL section that belong to them. */
#define TABLE_HAS_PIECES	1
/* The last field of an entry refers to a key, which the kernel uses when the entry is loaded. */
#define TABLE_HAS_KEY		2
/* The compiler's assembler aligns each entry, but does not fill up the last one. */
#define TABLE_LAST_IS_SHORT	4
/* Used once, at boot, for the kernel's own code: that of a module would keep its placeholders. */
#define TABLE_AT_BOOT_ONLY	8

struct arch_table {
	const char *name;	/* of the section; a trailing '*' stands for any ending */
	enum table_kind kind;
	/*
	 * Size of an entry: of this structure in the target kernel, or, where the entry is a bare
	 * pointer, fixed.
	 */
	const char *struct_name;
	const char *env;	/* environment variable that gives it, for kpatch's wrappers */
	unsigned int fixed_size;
	const char *what;	/* for messages: "the exception table" */
	unsigned int flags;	/* TABLE_HAS_..., TABLE_LAST_... */
};

/* The table that a section is, or NULL for ordinary code and data. */
const struct arch_table *arch_table(const char *section);

/* Bytes that a relocation of this type changes; 0: a type that kernel objects never have. */
unsigned int arch_reloc_width(uint32_t type);

/* Is the relocated field relative to its own position? */
bool arch_reloc_is_pcrel(uint32_t type);

/* Do both do the same? Calls of static and of global functions are spelled differently. */
bool arch_same_reloc(uint32_t a, uint32_t b);

/* Does the relocation belong to a direct call or jump? */
bool arch_is_branch(const struct section *sec, const struct reloc *r);

/* Can the relocated field yield an address that is not accessed, as of the end of an array? */
bool arch_takes_address(const struct section *sec, const struct reloc *r);

/* What an instruction does with an address that is one of its operands. */
enum address_use {
	ADDRESS_REACHED,	/* nothing: what is at that address, or near it, is read, written or called */
	ADDRESS_STORED,		/* puts it into memory, other than the stack */
	ADDRESS_COMPARED,	/* compares it with what is in such memory */
	ADDRESS_MATCHED,	/* compares it with a register */
	ADDRESS_PASSED,		/* puts it into a register that arguments or results are passed in */
};

/* Of the field at offset; *start is as for arch_pcrel_end(). */
enum address_use arch_address_use(const struct section *sec, uint64_t *start, uint64_t offset);

/* Does the code at this offset of sec begin with the mark without which a call through a pointer is a trap? */
bool arch_has_landing_mark(const struct section *sec, uint64_t offset);

/*
 * Position-relative fields count from the end of their instruction, which is 4 bytes behind the
 * field's start, or more if an immediate operand follows. Returns that distance for a field at
 * offset, decoding the code that starts at *start (an instruction's first byte); -1 when it cannot
 * be decoded. *start moves on to the instruction that has the field, for the next field behind it.
 */
int arch_pcrel_end(const struct section *sec, uint64_t *start, uint64_t offset);

/*
 * The assembler resolves what leads from one function to another of the same section by itself. Calls fn for each
 * direct branch and each operand in [start, end) that leaves this range: with the relocation that would do the same,
 * its addend counting from the start of the section, and with the width of the field. There may be one already.
 */
void arch_find_outward(const struct section *sec, uint64_t start, uint64_t end,
		       void (*fn)(void *arg, const struct reloc *r, unsigned int width), void *arg);

/*
 * The entry of a table at offset: does its second relocated field refer to nothing? An alternative of
 * length 0 points to whatever stands behind it.
 */
bool arch_entry_is_empty(const struct section *sec, uint64_t offset, uint64_t size);

/* The relocation type of position-relative fields in tables of the ORC unwinder. */
uint32_t arch_table_reloc(void);

/*
 * Position-relative fields of code count from the end of their instruction. How far is that from the
 * field's start, if no operand follows? 0 for all other fields.
 */
int arch_field_end(const struct section *sec, const struct reloc *r);

/*
 * Bytes of code that stand in front of a function's entry under a symbol of their own (__pfx_foo,
 * __cfi_foo): is name such a symbol?
 */
bool arch_is_prefix_symbol(const char *name);

/* The section that lists the places of calls to ftrace, and the size of its entries. */
#define ARCH_MCOUNT_SECTION "__mcount_loc"

#endif
