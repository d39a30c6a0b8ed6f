// SPDX-License-Identifier: GPL-2.0-only
/* x86-64; see arch.h. */
#include <Zydis/Zydis.h>
#include <stdlib.h>

#include "arch.h"
#include "diag.h"

/*
 * Sections of Debian's 5.10 to 6.18 kernels that are neither ordinary code nor ordinary data. Entry
 * sizes are the target kernel's: struct alt_instr had 12, 13 and 14 bytes within a few years.
 */
static const struct arch_table tables[] = {
	{ "__bug_table", TABLE_ENTRIES, "bug_entry", "BUG_STRUCT_SIZE", 0, .what = "the bug table" },
	{ "__ex_table", TABLE_ENTRIES, "exception_table_entry", "EX_STRUCT_SIZE", 0,
	  .what = "the exception table", .flags = TABLE_HAS_PIECES },
	{ ".altinstructions", TABLE_ENTRIES, "alt_instr", "ALT_STRUCT_SIZE", 0,
	  .what = "the table of alternative instructions", .flags = TABLE_HAS_PIECES },
	{ "__jump_table", TABLE_ENTRIES, "jump_entry", "JUMP_STRUCT_SIZE", 0, .what = "the jump label table",
	  .flags = TABLE_HAS_KEY },
	{ ".static_call_sites", TABLE_ENTRIES, "static_call_site", "STATIC_CALL_STRUCT_SIZE", 0,
	  .what = "the static call table", .flags = TABLE_HAS_KEY },
	{ ".parainstructions", TABLE_ENTRIES, "paravirt_patch_site", "PARA_STRUCT_SIZE", 0,
	  .what = "the paravirt table", .flags = TABLE_LAST_IS_SHORT },
	{ ".smp_locks", TABLE_ENTRIES, NULL, NULL, 4, .what = "the table of lock prefixes" },
	{ ".retpoline_sites", TABLE_ENTRIES, NULL, NULL, 4, .what = "the table of retpolines" },
	{ ".return_sites", TABLE_ENTRIES, NULL, NULL, 4, .what = "the table of returns" },
	{ ".call_sites", TABLE_ENTRIES, NULL, NULL, 4, .what = "the table of calls" },
	{ ".cfi_sites", TABLE_ENTRIES, NULL, NULL, 4, .what = "the table of CFI sites" },
	{ ".kcfi_traps", TABLE_ENTRIES, NULL, NULL, 4, .what = "the table of CFI traps" },
	{ "__mcount_loc", TABLE_ENTRIES, NULL, NULL, 8, .what = "the ftrace table" },
	{ "_kprobe_blacklist", TABLE_ENTRIES, NULL, NULL, 8, .what = "the kprobe blacklist" },
	/* Linux 6.10 and later; its header is an error in modules. */
	{ "runtime_*", TABLE_ENTRIES, NULL, NULL, 4, .what = "a runtime constant",
	  .flags = TABLE_AT_BOOT_ONLY },

	{ ".orc_unwind_ip", TABLE_ORC_IP, NULL, NULL, 4, .what = "the ORC table" },
	{ ".orc_unwind", TABLE_ORC_DATA, "orc_entry", "ORC_STRUCT_SIZE", 0, .what = "the ORC table" },

	{ ".altinstr_replacement", TABLE_POOL, NULL, NULL, 0, .what = "alternative instructions" },
	{ ".altinstr_aux", TABLE_POOL, NULL, NULL, 0, .what = "alternative instructions" },
	{ ".fixup", TABLE_POOL, NULL, NULL, 0, .what = "exception fixups" },

	{ ".init.*", TABLE_REGISTRY, NULL, NULL, 0, .what = "initialisation code or data" },
	{ ".exit.*", TABLE_REGISTRY, NULL, NULL, 0, .what = "exit code or data" },
	{ ".initcall*", TABLE_REGISTRY, NULL, NULL, 0, .what = "the list of initcalls" },
	{ ".con_initcall.init", TABLE_REGISTRY, NULL, NULL, 0, .what = "the list of initcalls" },
	{ ".exitcall*", TABLE_REGISTRY, NULL, NULL, 0, .what = "the list of exitcalls" },
	{ ".meminit.*", TABLE_REGISTRY, NULL, NULL, 0, .what = "initialisation code or data" },
	/* Comes with each entry of ___ksymtab, which says it better. */
	{ "__ksymtab_strings", TABLE_DROPPED, NULL, NULL, 0, .what = NULL },
	{ "___ksymtab*", TABLE_REGISTRY, NULL, NULL, 0, .what = "the list of exported symbols" },
	{ "__ksymtab*", TABLE_REGISTRY, NULL, NULL, 0, .what = "the list of exported symbols" },
	{ "___kcrctab*", TABLE_REGISTRY, NULL, NULL, 0, .what = "the list of exported symbols" },
	{ "__kcrctab*", TABLE_REGISTRY, NULL, NULL, 0, .what = "the list of exported symbols" },
	{ ".export_symbol", TABLE_REGISTRY, NULL, NULL, 0, .what = "the list of exported symbols" },
	{ "__param", TABLE_REGISTRY, NULL, NULL, 0, .what = "the list of module parameters" },
	{ "__modver", TABLE_REGISTRY, NULL, NULL, 0, .what = "the module's version" },
	{ ".modinfo", TABLE_REGISTRY, NULL, NULL, 0, .what = "the module's description" },
	{ ".pci_fixup*", TABLE_REGISTRY, NULL, NULL, 0, .what = "the list of PCI quirks" },
	{ "__tracepoints_ptrs", TABLE_REGISTRY, NULL, NULL, 0, .what = "the list of tracepoints" },
	{ "__tracepoints_strings", TABLE_REGISTRY, NULL, NULL, 0, .what = "the list of tracepoints" },
	{ "_ftrace_events", TABLE_REGISTRY, NULL, NULL, 0, .what = "the list of trace events" },
	{ "_ftrace_eval_map", TABLE_REGISTRY, NULL, NULL, 0, .what = "the list of trace events" },
	{ "__syscalls_metadata", TABLE_REGISTRY, NULL, NULL, 0, .what = "the list of system calls" },
	{ "__bpf_raw_tp_map", TABLE_REGISTRY, NULL, NULL, 0, .what = "the list of tracepoints" },
	{ "_error_injection_whitelist", TABLE_REGISTRY, NULL, NULL, 0,
	  .what = "the list of functions for error injection" },
	{ ".static_call_tramp_key", TABLE_REGISTRY, NULL, NULL, 0, .what = "the list of static calls" },
	{ ".BTF_ids", TABLE_REGISTRY, NULL, NULL, 0, .what = "the list of BTF ids" },

	/* A list of formats for people, in debugfs. */
	{ ".printk_index", TABLE_DROPPED, NULL, NULL, 0, .what = NULL },
	{ ".discard*", TABLE_DROPPED, NULL, NULL, 0, .what = NULL },
	{ ".ibt_endbr_seal", TABLE_DROPPED, NULL, NULL, 0, .what = NULL },
	/* Which tracepoints are used: a check while the kernel is built, which drops it. */
	{ "__tracepoint_check", TABLE_DROPPED, NULL, NULL, 0, .what = NULL },
	/* Of the padding in front of functions; ftrace does not read it on this architecture. */
	{ "__patchable_function_entries", TABLE_DROPPED, NULL, NULL, 0, .what = NULL },
	{ ".llvm_addrsig", TABLE_DROPPED, NULL, NULL, 0, .what = NULL },
	{ ".comment", TABLE_DROPPED, NULL, NULL, 0, .what = NULL },
	{ ".note*", TABLE_DROPPED, NULL, NULL, 0, .what = NULL },
};

/* Ordinary code and data, which most sections are: no table has such a name. */
static bool is_ordinary(const char *section)
{
	return has_prefix(section, ".text") || has_prefix(section, ".rodata") ||
	       has_prefix(section, ".bss") || has_prefix(section, ".rela") ||
	       (has_prefix(section, ".data") && section[5] != '.');
}

const struct arch_table *arch_table(const char *section)
{
	if (is_ordinary(section))
		return NULL;
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		const char *name = tables[i].name;
		size_t n = strlen(name);

		if (name[n - 1] == '*' ? !strncmp(section, name, n - 1) : !strcmp(section, name))
			return &tables[i];
	}
	return NULL;
}

uint16_t arch_machine(void)
{
	return EM_X86_64;
}

const char *arch_name(void)
{
	return "x86-64";
}

unsigned int arch_reloc_width(uint32_t type)
{
	switch (type) {
	case R_X86_64_64:
	case R_X86_64_PC64:
		return 8;
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
	case R_X86_64_32:
	case R_X86_64_32S:
		return 4;
	default:
		return 0;
	}
}

bool arch_reloc_is_pcrel(uint32_t type)
{
	return type == R_X86_64_PC32 || type == R_X86_64_PLT32 || type == R_X86_64_PC64;
}

bool arch_same_reloc(uint32_t a, uint32_t b)
{
	/* Without a PLT, PLT32 is PC32. */
	return a == b || ((a == R_X86_64_PLT32 || a == R_X86_64_PC32) &&
			  (b == R_X86_64_PLT32 || b == R_X86_64_PC32));
}

bool arch_is_branch(const struct section *sec, const struct reloc *r)
{
	unsigned char op;

	if (!is_code(sec) || !sec->data || r->offset < 1)
		return false;
	if (r->type == R_X86_64_PLT32)
		return true;
	if (r->type != R_X86_64_PC32)
		return false;
	/*
	 * The byte before the displacement is e8 (call), e9 (jmp), or the second byte of 0f 8x
	 * (jcc). In a memory operand it is a ModRM byte with mod 0 and r/m 5, none of these.
	 */
	op = sec->data[r->offset - 1];
	if (op == 0xe8 || op == 0xe9)
		return true;
	return r->offset >= 2 && sec->data[r->offset - 2] == 0x0f && (op & 0xf0) == 0x80;
}

bool arch_takes_address(const struct section *sec, const struct reloc *r)
{
	/* LEA is the only instruction that does this with an address relative to itself. */
	if (is_code(sec) && sec->data && arch_reloc_is_pcrel(r->type))
		return r->offset >= 2 && sec->data[r->offset - 2] == 0x8d;
	return true;
}

bool arch_has_landing_mark(const struct section *sec, uint64_t offset)
{
	static const unsigned char endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };

	return sec->data && offset <= sec->size && sec->size - offset >= sizeof(endbr64) &&
	       !memcmp(sec->data + offset, endbr64, sizeof(endbr64));
}

/*
 * The instruction at offset at of sec; false if there is none, as in data between functions. What
 * matters here is its length: a decoder must know what the kernel writes as bytes because its
 * assembler may not know it (ENDBR64, RDSSP, MOVDIR64B, ...).
 */
static bool decode(const struct section *sec, uint64_t at, uint64_t end, ZydisDecodedInstruction *insn)
{
	static ZydisDecoder decoder;
	static bool ready;

	if (!ready) {
		ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
		ready = true;
	}
	return ZYAN_SUCCESS(
		ZydisDecoderDecodeInstruction(&decoder, NULL, sec->data + at, end - at, insn));
}

/* The instruction that offset is in, *start being where one at or before it starts: as for arch_pcrel_end(). */
static bool find_instruction(const struct section *sec, uint64_t *start, uint64_t offset, ZydisDecodedInstruction *insn)
{
	for (uint64_t at = *start; at <= offset;) {
		*start = at;
		if (!decode(sec, at, sec->size, insn)) {
			at++;
			continue;
		}
		if (at + insn->length > offset)
			return true;
		at += insn->length;
	}
	return false;
}

int arch_pcrel_end(const struct section *sec, uint64_t *start, uint64_t offset)
{
	ZydisDecodedInstruction insn;

	if (!find_instruction(sec, start, offset, &insn) || insn.raw.disp.size != 32 || *start + insn.raw.disp.offset != offset)
		return -1;
	return (int)(*start + insn.length - offset);
}

/* rdi, rsi, rdx, rcx, r8, r9 for arguments, rax for what is returned. */
static bool is_passing(unsigned int reg)
{
	return reg <= 2 || (reg >= 6 && reg <= 9);
}

/* Is its memory operand on the stack, as far as that can be seen? Kernels with frame pointers reach it by rbp. */
static bool is_on_stack(const ZydisDecodedInstruction *insn)
{
	unsigned int base = insn->raw.modrm.rm;

	if (base == 4)
		base = insn->raw.sib.base;
	return !insn->raw.rex.B && (base == 4 || (base == 5 && insn->raw.modrm.mod));
}

enum address_use arch_address_use(const struct section *sec, uint64_t *start, uint64_t offset)
{
	ZydisDecodedInstruction insn;
	unsigned int reg;
	bool has_modrm;

	if (!sec->data || !find_instruction(sec, start, offset, &insn))
		return ADDRESS_REACHED;
	has_modrm = insn.attributes & ZYDIS_ATTRIB_HAS_MODRM;
	if (insn.mnemonic == ZYDIS_MNEMONIC_LEA) {
		reg = insn.raw.modrm.reg | insn.raw.rex.R << 3;
		return insn.raw.modrm.rm == 5 && !insn.raw.modrm.mod && is_passing(reg) ? ADDRESS_PASSED : ADDRESS_REACHED;
	}
	if (!insn.raw.imm[0].size || *start + insn.raw.imm[0].offset != offset ||
	    (insn.mnemonic != ZYDIS_MNEMONIC_MOV && insn.mnemonic != ZYDIS_MNEMONIC_CMP))
		return ADDRESS_REACHED;
	if (has_modrm && insn.raw.modrm.mod != 3) {
		if (is_on_stack(&insn))
			return ADDRESS_REACHED;
		return insn.mnemonic == ZYDIS_MNEMONIC_CMP ? ADDRESS_COMPARED : ADDRESS_STORED;
	}
	reg = (has_modrm ? insn.raw.modrm.rm : insn.opcode & 7) | insn.raw.rex.B << 3;
	if (insn.mnemonic == ZYDIS_MNEMONIC_CMP)
		return ADDRESS_MATCHED;
	return is_passing(reg) ? ADDRESS_PASSED : ADDRESS_REACHED;
}

void arch_find_outward(const struct section *sec, uint64_t start, uint64_t end,
		       void (*fn)(void *arg, const struct reloc *r, unsigned int width), void *arg)
{
	ZydisDecodedInstruction insn;

	for (uint64_t at = start; at < end;) {
		struct reloc r = { 0 };
		unsigned int width = 0;
		uint64_t next, target = 0;

		if (!decode(sec, at, end, &insn)) {
			at++;
			continue;
		}
		next = at + insn.length;
		if (insn.raw.imm[0].is_relative) {
			r = (struct reloc){ .offset = at + insn.raw.imm[0].offset, .type = R_X86_64_PLT32 };
			width = insn.raw.imm[0].size / 8;
			target = next + (uint64_t)insn.raw.imm[0].value.s;
		} else if (insn.attributes & ZYDIS_ATTRIB_HAS_MODRM && !insn.raw.modrm.mod && insn.raw.modrm.rm == 5) {
			r = (struct reloc){ .offset = at + insn.raw.disp.offset, .type = R_X86_64_PC32 };
			width = insn.raw.disp.size / 8;
			target = next + (uint64_t)insn.raw.disp.value;
		}
		r.addend = (int64_t)(target - (next - r.offset));
		if (width && (target < start || target >= end) && target <= sec->size)
			fn(arg, &r, width);
		at = next;
	}
}

/*
 * struct alt_instr ends in the lengths of the instruction and of its replacement; in 5.13 and before a
 * third one follows, and only then the structure has 13 bytes.
 */
bool arch_entry_is_empty(const struct section *sec, uint64_t offset, uint64_t size)
{
	if (!sec->table || !sec->table->struct_name || strcmp(sec->table->struct_name, "alt_instr") ||
	    !sec->data || size < 12 || offset + size > sec->size)
		return false;
	return !sec->data[offset + size - (size == 13 ? 2 : 1)];
}

uint32_t arch_table_reloc(void)
{
	return R_X86_64_PC32;
}

int arch_field_end(const struct section *sec, const struct reloc *r)
{
	return is_code(sec) && arch_reloc_is_pcrel(r->type) ? 4 : 0;
}

bool arch_is_prefix_symbol(const char *name)
{
	return has_prefix(name, "__pfx_") || has_prefix(name, "__cfi_");
}
