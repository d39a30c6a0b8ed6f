/* SPDX-License-Identifier: GPL-2.0-only */
/* Instructions as text, for people. What decides anything decodes through arch.h instead. */
#ifndef KPATCH_DISASM_H
#define KPATCH_DISASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISASM_TEXT 192

struct disasm {
	unsigned int length;		/* in bytes, at least 1 */
	char text[DISASM_TEXT];		/* "movq %rax, 8(%rsp)"; a byte that is no instruction is ".byte 0xff" */
	bool branch;			/* to a place relative to itself */
	uint64_t target;		/* that place */
};

/* The instruction that code, of which there are size bytes (1 or more), begins with, as if it were at address. */
void disasm(struct disasm *out, const unsigned char *code, size_t size, uint64_t address);

/* Its length alone. */
unsigned int disasm_length(const unsigned char *code, size_t size);

#endif
