// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86-64; see disasm.h. Capstone writes the text. Version 4 does not know some of the kernel's instructions (rdsspq,
 * movdir64b, ...), and a wrong length would spoil all that follow: Zydis says how long each is, and writes what
 * Capstone cannot.
 */
#include <Zydis/Zydis.h>
#include <capstone/capstone.h>
#include <stdio.h>
#include <string.h>

#include "disasm.h"

struct decoders {
	bool ready;
	ZydisDecoder zydis;
	ZydisFormatter formatter;
	csh capstone;		/* 0: there is none */
};

static struct decoders *decoders(void)
{
	static struct decoders d;

	if (d.ready)
		return &d;
	d.ready = true;
	ZydisDecoderInit(&d.zydis, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ZydisFormatterInit(&d.formatter, ZYDIS_FORMATTER_STYLE_ATT);
	ZydisFormatterSetProperty(&d.formatter, ZYDIS_FORMATTER_PROP_FORCE_RELATIVE_RIPREL, ZYAN_TRUE);
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &d.capstone) || cs_option(d.capstone, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT))
		d.capstone = 0;
	return &d;
}

static bool by_capstone(struct disasm *out, csh handle, const unsigned char *code, uint64_t address)
{
	cs_insn *insn;
	bool fits;

	if (!handle || !cs_disasm(handle, code, out->length, address, 1, &insn))
		return false;
	fits = insn->size == out->length;
	if (fits)
		snprintf(out->text, sizeof(out->text), "%s%s%s", insn->mnemonic, *insn->op_str ? " " : "", insn->op_str);
	cs_free(insn, 1);
	return fits;
}

void disasm(struct disasm *out, const unsigned char *code, size_t size, uint64_t address)
{
	struct decoders *d = decoders();
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;

	memset(out, 0, sizeof(*out));
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&d->zydis, code, size, &insn, operands))) {
		out->length = 1;
		snprintf(out->text, sizeof(out->text), ".byte 0x%02x", *code);
		return;
	}
	out->length = insn.length;
	out->branch = insn.raw.imm[0].is_relative;
	out->target = address + insn.length + (uint64_t)insn.raw.imm[0].value.s;
	if (by_capstone(out, d->capstone, code, address))
		return;
	if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&d->formatter, &insn, operands, insn.operand_count_visible,
							  out->text, sizeof(out->text), address, NULL)))
		snprintf(out->text, sizeof(out->text), "(%u bytes)", insn.length);
}

unsigned int disasm_length(const unsigned char *code, size_t size)
{
	ZydisDecodedInstruction insn;

	return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoders()->zydis, NULL, code, size, &insn)) ? insn.length : 1;
}
