#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: the last check finds what the passes before it did wrong. They do nothing wrong
# that is known, so each test links the program with a broken pass.

bats_require_minimum_version 1.5.0
load diff-fixtures

# broken FUNCTION...: the program, with these functions replaced by those of the C source on standard
# input, which have "__wrap_" before their names and may call the good ones as "__real_...".
broken()
{
	local options=("${@/#/-Wl,--wrap=}")
	mkdir -p "$BATS_TEST_TMPDIR/broken"
	"$FIXTURE_CC" -std=gnu11 -D_GNU_SOURCE -I"$TOP/lib" -I"$TOP/create-diff-object" -w \
		-o "$BATS_TEST_TMPDIR/broken/create-diff-object" "${options[@]}" -x c - -x none \
		"$TOP"/create-diff-object/*.o "$TOP/lib/libkpatch.a" \
		-ldw -lelf -lZydis -lcapstone -llz4 -lzstd -llzma -lz -lbpf
	CDO=$BATS_TEST_TMPDIR/broken/create-diff-object
}

changed_pair()
{
	pair <<-'EOT'
		void panic_now(void) __attribute__((cold));
		int foo(int x)
		{
			if (x == 5) {
				panic_now();
				return _printk("five");
			}
		#ifdef PATCHED
			x += 5;
		#endif
			return _printk("%d", x);
		}
		#ifdef PATCHED
		int added = 7;
		#endif
	EOT
	given_symbols patched.o foo.cold
	ksyms T panic_now
}

@test "the program links with a pass that is replaced, and works if that is the same" {
	changed_pair
	broken resolve_registrations <<-'EOT'
		int __real_resolve_registrations(void *);
		int __wrap_resolve_registrations(void *d) { return __real_resolve_registrations(d); }
	EOT
	cdo 0
	changes <<-'EOT'
		part foo.cold foo
		function foo 0
		new data added
		klp vmlinux panic_now 0
	EOT
}

@test "a changed function that nobody registered" {
	changed_pair
	broken resolve_registrations <<-'EOT'
		int __wrap_resolve_registrations(void *d) { return 0; }
	EOT
	cdo 1
	messages <<-'EOT'
		error: file.c: foo(): changed, but not registered; please report this
	EOT
}

@test "a .part function and a new variable that are not in the output" {
	asm_pair <<-'EOT'
		.section .text.foo.part.0, "ax"
		.type foo.part.0, @function
		foo.part.0:
		9:	call __fentry__
		#ifdef PATCHED
			nop
		#endif
			ret
		.size foo.part.0, . - foo.part.0
		.section __mcount_loc, "a"
		.quad 9b
		#ifdef PATCHED
		.section .data.added, "aw"
		.globl added
		.type added, @object
		.size added, 8
		added:	.quad 0
		#endif
	EOT
	broken select_atoms <<-'EOT'
		int __wrap_select_atoms(void *d) { return 0; }
	EOT
	cdo 1
	messages <<-'EOT'
		error: file.c: foo.part.0(): changed, but not registered; please report this
		error: file.c: foo.part.0(): changed, but not part of the output; please report this
		error: file.c: added: new, but not part of the output; please report this
	EOT
}

@test "a relocation that reaches out of its section, or points out of what it refers to" {
	changed_pair
	broken out_reloc_add <<-'EOT'
		#include <string.h>
		#include "elf-out.h"
		void __real_out_reloc_add(struct elf_out *, struct out_section *, struct out_reloc);
		void __wrap_out_reloc_add(struct elf_out *out, struct out_section *sec, struct out_reloc r)
		{
			if (!strcmp(sec->name, "__mcount_loc"))
				r.offset++;
			__real_out_reloc_add(out, sec, r);
		}
	EOT
	cdo 1
	messages <<-'EOT'
		error: file.c: relocation 0 of __mcount_loc is out of range; please report this
	EOT
	broken out_reloc_add <<-'EOT'
		#include <string.h>
		#include "elf-out.h"
		void __real_out_reloc_add(struct elf_out *, struct out_section *, struct out_reloc);
		void __wrap_out_reloc_add(struct elf_out *out, struct out_section *sec, struct out_reloc r)
		{
			if (r.sym->sec && r.sym->type == STT_SECTION)
				r.addend += 1000;
			__real_out_reloc_add(out, sec, r);
		}
	EOT
	cdo 1
	[[ $stderr == "create-diff-object: error: file.c: relocation "[0-9]*" of .text."*" points outside of .rodata."*"; please report this" ]]
}
