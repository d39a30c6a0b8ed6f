/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The symbols that the running kernel's kallsyms knows, in the order in which livepatch counts
 * positions: for a kernel decoded from the tables in its image (a shipped one has no .symtab), for a
 * module from its symbol table.
 */
#ifndef KPATCH_KALLSYMS_H
#define KPATCH_KALLSYMS_H

#include <stddef.h>
#include <stdint.h>

#include "image.h"

struct kallsym {
	uint64_t addr;			/* kernel: address; module: value within its section */
	const char *name;		/* no blanks, not empty */
	const char *section;		/* module: its section's name, inside the image; else NULL */
	unsigned int loading_pos;	/* module: position while it loads where that differs; else 0 */
	char type;			/* nm's letter; 'A' for the kernel's per-CPU data */
};

struct kallsyms {
	struct kallsym *syms;
	size_t nr;
	char *names;			/* what the names point into; NULL when inside the image */
};

/*
 * Read the symbols of IMG, which must stay open as long as *KS is used.
 * Returns 0, or -1 after a message.
 */
int kallsyms_read(struct kallsyms *ks, const struct image *img);
void kallsyms_free(struct kallsyms *ks);

/* Used by kallsyms_read(), in kallsyms-symtab.c: from the .symtab of a module or a vmlinux. */
int kallsyms_read_module(struct kallsyms *ks, const struct image *img);
int kallsyms_read_vmlinux(struct kallsyms *ks, const struct image *img);

#endif
