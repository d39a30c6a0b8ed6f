#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: tables that describe code. An entry comes along with its code, and no other.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr
# shellcheck disable=SC2034 # what the fixtures read
# shellcheck disable=SC2030,SC2031 # each test is a subshell
# shellcheck disable=SC2001 # sed is clearer

bats_require_minimum_version 1.5.0
load diff-fixtures

# asm: a pair of objects with a changed function foo and an unchanged one, bar. The fixture on
# standard input defines the macro "body NAME", which both contain: the changed one behind a NOP,
# so that all offsets shift.
asm()
{
	cat > all.S <<-'EOT'
		.macro function name
		.section .text.\name, "ax"
		.globl \name
		.type \name, @function
		\name:
		.Lentry_\name:
			call __fentry__
			.pushsection __mcount_loc, "a"
			.quad .Lentry_\name
			.popsection
		.endm
		.macro end name
		.size \name, . - \name
		.endm
	EOT
	cat >> all.S
	cat >> all.S <<-'EOT'
		function bar
			body bar
			ret
		end bar
		function foo
		#ifdef PATCHED
			nop
		#endif
			body foo
			ret
		end foo
	EOT
	asm_pair < all.S
	ksyms D key D other_key T external
}

@test "the bug table" {
	asm <<-'EOT'
		.macro body name
		1:	ud2
			.pushsection __bug_table, "aw"
			.long 1b - ., .Lfile_\name - .
			.word 7, 0x901
			.popsection
			.pushsection .rodata.\name\().str1.1, "aMS", @progbits, 1
			.Lfile_\name: .asciz "\name.c"
			.popsection
		.endm
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
	EOT
	sections <<-'EOT'
		__mcount_loc
		__bug_table
		.text.foo
		.rodata.foo.str1.1
	EOT
	[ "$(bytes output.o __bug_table)" = 000000000000000007000109 ]
	relocs __bug_table <<-'EOT'
		__bug_table 0x0 PC32 foo 6
		__bug_table 0x4 PC32 .rodata.foo.str1.1 0
	EOT
}

@test "the exception table, with fixups in the function and in .fixup" {
	asm <<-'EOT'
		.macro body name
		1:	mov (%rax), %rbx
		2:	mov (%rax), %rcx
		3:	nop
			.pushsection .fixup, "ax"
		4:	mov $\name, %rcx
			jmp 3b
			.popsection
			.pushsection __ex_table, "a"
			.long 1b - ., 3b - ., 5
			.long 2b - ., 4b - ., 6
			.popsection
		.endm
	EOT
	cdo 0
	no_messages
	relocs __ex_table <<-'EOT'
		__ex_table 0x0 PC32 foo 6
		__ex_table 0x4 PC32 foo 12
		__ex_table 0xc PC32 foo 9
		__ex_table 0x10 PC32 .fixup 0
	EOT
	relocs .fixup <<-'EOT'
		.fixup 0x3 32S .kpatch.sym.vmlinux.vmlinux.foo,0 0
		.fixup 0x8 PC32 foo 8
	EOT
	[ "$(bytes output.o __ex_table)" = 000000000000000005000000000000000000000006000000 ]
	[ "$(bytes output.o .fixup)" = 48c7c100000000e900000000 ]
}

@test "alternatives: the taken entries' replacements only, and what these refer to" {
	asm <<-'EOT'
		.macro body name
		1:	call *other_key(%rip)
			.pushsection .altinstructions, "a"
			.long 1b - ., 2f - .
			.word 7, 0
			.byte 6, 5
			.popsection
			.pushsection .altinstr_replacement, "ax"
		2:	call external
			.popsection
		3:	jmp 4f
			.pushsection .altinstr_aux, "ax"
		4:	testb $1, key(%rip)
			jmp 3b
			.popsection
		.endm
	EOT
	cdo 0
	no_messages
	[ "$(bytes output.o .altinstructions)" = 0000000000000000070000000605 ]
	relocs .altinstructions .altinstr_replacement .altinstr_aux <<-'EOT'
		.altinstructions 0x0 PC32 foo 6
		.altinstructions 0x4 PC32 .altinstr_replacement 0
		.altinstr_replacement 0x1 PLT32 .kpatch.sym.vmlinux.vmlinux.external,0 -4
		.altinstr_aux 0x2 PC32 .kpatch.sym.vmlinux.vmlinux.key,0 -5
		.altinstr_aux 0x8 PC32 foo 8
	EOT
	[ "$(bytes output.o .altinstr_replacement)" = e800000000 ]
	reloc_list output.o | grep '^.text.foo .*altinstr_aux'
}

@test "a piece of such code that belongs to initialisation code is no part of the one before" {
	asm_pair <<-'EOT'
		.macro body
		3:	jmp 4f
			.pushsection .altinstr_aux, "ax"
		4:	testb $1, key(%rip)
			jmp 3b
			.popsection
		.endm
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
	foo:
	9:	call __fentry__
		body
	#ifdef PATCHED
		nop
	#endif
		ret
		.size foo, . - foo
		.section .init.text, "ax"
		.type start, @function
	start:	body
		ret
		.size start, . - start
		.section __mcount_loc, "a"
		.quad 9b
	EOT
	ksyms D key
	cdo 0
	relocs .altinstr_aux <<-'EOT'
		.altinstr_aux 0x2 PC32 .kpatch.sym.vmlinux.vmlinux.key,0 -5
		.altinstr_aux 0x8 PC32 foo 1
	EOT
}

@test "a changed replacement changes the function" {
	asm_pair <<-'EOT'
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:
		9:	call __fentry__
		1:	nop
			.pushsection .altinstructions, "a"
			.long 1b - ., 2f - .
			.word 7, 0
			.byte 1, 1
			.popsection
			.pushsection .altinstr_replacement, "ax"
		#ifdef PATCHED
		2:	clac
		#else
		2:	stac
		#endif
			.popsection
			ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad 9b
	EOT
	cdo 0
	changes <<-'EOT'
		function foo 0
	EOT
	[ "$(bytes output.o .altinstr_replacement)" = 0f01ca ]
}

@test "jump labels and static calls" {
	asm <<-'EOT'
		.macro body name
		1:	.byte 0x0f, 0x1f, 0x44, 0, 0
		2:	nop
			.pushsection __jump_table, "aw"
			.balign 8
			.long 1b - ., 2b - .
			.quad key - . + 1
			.popsection
		3:	call external
			.pushsection .static_call_sites, "aw"
			.long 3b - ., other_key - . + 2
			.popsection
		.endm
	EOT
	cdo 0
	no_messages
	relocs __jump_table .static_call_sites <<-'EOT'
		__jump_table 0x0 PC32 foo 6
		__jump_table 0x4 PC32 foo 11
		__jump_table 0x8 PC64 .kpatch.sym.vmlinux.vmlinux.key,0 1
		.static_call_sites 0x0 PC32 foo 12
		.static_call_sites 0x4 PC32 .kpatch.sym.vmlinux.vmlinux.other_key,0 2
	EOT
	readelf -SW output.o | grep -q ' __jump_table .* WA '
}

@test "only the key of a jump label changed: so did the function" {
	asm_pair <<-'EOT'
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:
		9:	call __fentry__
		1:	.byte 0x0f, 0x1f, 0x44, 0, 0
		2:	ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad 9b
		.section __jump_table, "aw"
		.long 1b - ., 2b - .
		#ifdef PATCHED
		.quad other_key - .
		#else
		.quad key - .
		#endif
	EOT
	given cmp <(bytes orig.o .text.foo) <(bytes patched.o .text.foo)
	ksyms D key D other_key
	cdo 0
	changes <<-'EOT'
		function foo 0
		klp vmlinux other_key 0
	EOT
}

@test "lock prefixes, retpolines, returns and calls" {
	asm <<-'EOT'
		.macro site section
		9:	nop
			.pushsection \section, "a"
			.long 9b - .
			.popsection
		.endm
		.macro body name
			site .smp_locks
			site .retpoline_sites
			site .return_sites
			site .call_sites
			site .smp_locks
		.endm
	EOT
	cdo 0
	no_messages
	relocs .smp_locks .retpoline_sites .return_sites .call_sites <<-'EOT'
		.smp_locks 0x0 PC32 foo 6
		.smp_locks 0x4 PC32 foo 10
		.retpoline_sites 0x0 PC32 foo 7
		.return_sites 0x0 PC32 foo 8
		.call_sites 0x0 PC32 foo 9
	EOT
}

@test "every table whose entries are bare references: those of taken code, compared with it" {
	local section width
	while read -r section width; do
		asm <<-EOT
			.macro body name
			8:	nop
				.pushsection $section, "a"
				.$width 8b $([[ $width == quad ]] || echo '- .')
				.popsection
			.endm
		EOT
		cdo 0
		no_messages
		changes <<-'EOT'
			function foo 0
		EOT
		relocs "$section" <<-EOT
			$section 0x0 $([[ $width == quad ]] && echo 64 || echo PC32) foo 6
		EOT
		# An entry more, and not one byte of code.
		sed -i 's/^#ifdef PATCHED/#if 1/' file.S
		printf '#ifdef PATCHED\n.section %s, "a"\n.%s bar + 5 %s\n#endif\n' "$section" "$width" \
			"$([[ $width == quad ]] || echo '- .')" >> file.S
		compile orig.o file.S
		compile patched.o file.S -DPATCHED
		cdo 0
		changes <<-'EOT'
			function bar 0
		EOT
	done <<-'EOT'
		.smp_locks long
		.retpoline_sites long
		.return_sites long
		.call_sites long
		.cfi_sites long
		.kcfi_traps long
		_kprobe_blacklist quad
	EOT
}

@test "a runtime constant has its value in the kernel's own code only" {
	local section
	for section in runtime_shift_d_hash_shift runtime_ptr_dentry_hashtable; do
		asm <<-EOT
			.macro body name
			9:	shr \$12, %eax
				.pushsection $section, "a"
				.long 9b + 2 - .
				.popsection
			.endm
		EOT
		cdo 2
		messages <<-EOT
			refused: file.c: foo(): uses a runtime constant (section $section), which the kernel puts into its own code at boot, and a livepatch would do without; patch the callers instead
		EOT
	done
}

@test "paravirt entries of several functions stand at multiples of 8" {
	asm <<-'EOT'
		.macro body name
		1:	call *other_key(%rip)
			.pushsection .parainstructions, "a"
			.balign 8
			.quad 1b
			.byte 5, 6
			.popsection
		.endm
		function third
		#ifdef PATCHED
			nop
		#endif
			body third
			ret
		end third
	EOT
	cdo 0
	relocs .parainstructions <<-'EOT'
		.parainstructions 0x0 64 third 6
		.parainstructions 0x10 64 foo 6
	EOT
	readelf -SW output.o | grep -q ' \.parainstructions .* 000020 00   A  0   0  8$'
}

@test "the last paravirt entry gets the padding that it lacks" {
	asm <<-'EOT'
		.macro body name
		1:	call *other_key(%rip)
		2:	call *other_key(%rip)
			.pushsection .parainstructions, "a"
			.balign 8
			.quad 1b
			.byte 5, 6
			.balign 8
			.quad 2b
			.byte 7, 6
			.popsection
		.endm
	EOT
	given [ "$(bytes patched.o .parainstructions | wc -c)" = $((2 * 58 + 1)) ]
	cdo 0
	no_messages
	[ "$(bytes output.o .parainstructions)" = \
		0000000000000000050600000000000000000000000000000706000000000000 ]
	relocs .parainstructions <<-'EOT'
		.parainstructions 0x0 64 foo 6
		.parainstructions 0x10 64 foo 12
	EOT
}

@test "ORC: the function's entries, a start entry where ranges were merged, and an end" {
	asm_pair <<-'EOT'
		.macro orc at, sp
			.pushsection .orc_unwind_ip, "a"
			.long \at - .
			.popsection
			.pushsection .orc_unwind, "a"
			.word \sp, 0xbeef, 0x15
			.popsection
		.endm
		.section .sched.text, "ax"
		.type first, @function
		first:
		9:	call __fentry__
			orc first, 8
			ret
		.size first, . - first
		.pushsection __mcount_loc, "a"
		.quad 9b
		.popsection
		.globl foo
		.type foo, @function
		foo:
		9:	call __fentry__
			/* No entry at its start: the same as first's. */
			push %rbx
		1:	orc 1b, 16
		#ifdef PATCHED
			nop
		#endif
			pop %rbx
		2:	orc 2b, 8
			ret
		.size foo, . - foo
		.pushsection __mcount_loc, "a"
		.quad 9b
		.popsection
		.type last, @function
		last:
		9:	call __fentry__
			ret
		.size last, . - last
		.pushsection __mcount_loc, "a"
		.quad 9b
		.popsection
	EOT
	cdo 0
	no_messages
	[ "$(bytes output.o .orc_unwind)" = 0800efbe15001000efbe15000800efbe1500000000000000 ]
	relocs .orc_unwind_ip <<-'EOT'
		.orc_unwind_ip 0x0 PC32 .text.foo 0
		.orc_unwind_ip 0x4 PC32 .text.foo 6
		.orc_unwind_ip 0x8 PC32 .text.foo 8
		.orc_unwind_ip 0xc PC32 .text.foo 9
	EOT
}

@test "ORC entries of the other size, and of two sections with entries out of order" {
	FIXTURE_STRUCTS=$(sed 's/orc_entry 6/orc_entry 4/' <<< "$FIXTURE_STRUCTS")
	asm_pair <<-'EOT'
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:
		9:	call __fentry__
		#ifdef PATCHED
			nop
		#endif
		1:	ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad 9b
		.section .orc_unwind_ip, "a"
		.long 1b - ., foo - .
		.section .orc_unwind, "a"
		.word 1, 2, 3, 4
	EOT
	cdo 0
	[ "$(bytes output.o .orc_unwind)" = 030004000100020000000000 ]
	relocs .orc_unwind_ip <<-'EOT'
		.orc_unwind_ip 0x0 PC32 .text.foo 0
		.orc_unwind_ip 0x4 PC32 .text.foo 6
		.orc_unwind_ip 0x8 PC32 .text.foo 7
	EOT
}

@test "ORC of code whose offsets shifted is no change" {
	asm_pair <<-'EOT'
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:
		9:	call __fentry__
		1:	ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad 9b
		.section .orc_unwind_ip, "a"
		.long foo - ., 1b - .
		.section .orc_unwind, "a"
		#ifdef PATCHED
		.word 1, 2, 3, 4, 5, 7
		#else
		.word 1, 2, 3, 4, 5, 6
		#endif
	EOT
	cdo 3
}

@test "entries of a .cold part and of a new function come along" {
	asm_pair <<-'EOT'
		.macro bug
		8:	ud2
			.pushsection __bug_table, "aw"
			.long 8b - ., 0
			.word 7, 0x901
			.popsection
		.endm
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:
		9:	call __fentry__
			je foo.cold
		#ifdef PATCHED
			call added
		#endif
			ret
		.size foo, . - foo
		.pushsection __mcount_loc, "a"
		.quad 9b
		.popsection
		.section .text.unlikely.foo, "ax"
		.type foo.cold, @function
		foo.cold:
			bug
		.size foo.cold, . - foo.cold
		#ifdef PATCHED
		.section .text.added, "ax"
		.type added, @function
		added:
			bug
		.size added, . - added
		#endif
	EOT
	cdo 0
	changes <<-'EOT'
		function foo 0
		part foo.cold foo
		new function added
	EOT
	relocs __bug_table <<-'EOT'
		__bug_table 0x0 PC32 foo.cold 0
		__bug_table 0xc PC32 added 0
	EOT
}

@test "an entry of the ftrace table for each included function that has one, and no other" {
	pair <<-'EOT'
		#ifdef PATCHED
		static noinline int traced(int x) { barrier(); return x * 3; }
		static notrace noinline int untraced(int x) { barrier(); return x * 5; }
		int foo(int x) { return traced(x) + untraced(x) + traced(2) + untraced(3); }
		#else
		int foo(int x) { return x; }
		#endif
		int bar(int x) { return x + 1; }
	EOT
	given_symbols patched.o traced untraced
	cdo 0
	relocs __mcount_loc <<-'EOT'
		__mcount_loc 0x0 64 traced 0
		__mcount_loc 0x8 64 foo 0
	EOT
	readelf -SW output.o | grep -q ' __mcount_loc .* 000010 '
}

@test "a pr_debug descriptor belongs to its version, with its strings and its key's entry" {
	asm <<-'EOT'
		.macro body name
		1:	.byte 0x0f, 0x1f, 0x44, 0, 0
			mov $.Ldesc_\name, %rdi
			.pushsection __dyndbg, "aw"
			.type __UNIQUE_ID_ddebug_\name\()1.2, @object
			.size __UNIQUE_ID_ddebug_\name\()1.2, 24
			__UNIQUE_ID_ddebug_\name\()1.2:
			.Ldesc_\name:
			.quad .Lfunc_\name, 5, 0
			.popsection
			.pushsection .rodata.str1.1, "aMS", @progbits, 1
			.Lfunc_\name: .asciz "in \name"
			.popsection
			.pushsection __jump_table, "aw"
			.long 1b - ., 1b - .
			.quad .Ldesc_\name + 16 - .
			.popsection
		.endm
	EOT
	cdo 0
	no_messages
	[ "$(bytes output.o __dyndbg)" = 000000000000000005000000000000000000000000000000 ]
	relocs __dyndbg __jump_table <<-'EOT'
		__dyndbg 0x0 64 .rodata.str1.1 0
		__jump_table 0x0 PC32 foo 6
		__jump_table 0x4 PC32 foo 6
		__jump_table 0x8 PC64 __UNIQUE_ID_ddebug_foo1.2 16
	EOT
}

@test "the index of printk formats is no part of the kernel's behaviour" {
	asm <<-'EOT'
		.macro body name
			mov $1f, %rdi
			.pushsection .rodata.str1.1, "aMS", @progbits, 1
		1:	.asciz "format of \name"
			.popsection
			.pushsection .printk_index, "aw"
			.quad 2f
		#ifdef PATCHED
			.quad 2f
		#endif
			.popsection
			.pushsection .rodata._entry.\name, "a"
		2:	.quad 1b
			.popsection
		.endm
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
	EOT
	run -1 has_section output.o .printk_index
}

@test "a module's jump label with a key of vmlinux, of the module, and a tracepoint's" {
	OBJNAME=patched_mod
	asm <<-'EOT'
		.macro label key
		1:	.byte 0x0f, 0x1f, 0x44, 0, 0
			.pushsection __jump_table, "aw"
			.long 1b - ., 1b - .
			.quad \key - .
			.popsection
		.endm
		.macro body name
			label vmlinux_data
			label hidden_key
		#ifdef OWN
			label own_key
		#endif
		#ifdef TRACEPOINT
			# Told of once.
			label __tracepoint_mod + 8
			label __tracepoint_mod + 8
		#endif
		.endm
	EOT
	ksyms D own_key D __tracepoint_mod
	{ OBJNAME=vmlinux symtab_header; ksym_lines <<< 'D hidden_key'; } > vmlinux.symtab
	cdo 0 --vmlinux-symtab vmlinux.symtab
	no_messages
	relocs __jump_table <<-'EOT'
		__jump_table 0x0 PC32 foo 6
		__jump_table 0x4 PC32 foo 6
		__jump_table 0x8 PC64 vmlinux_data 0
		__jump_table 0x10 PC32 foo 11
		__jump_table 0x14 PC32 foo 11
		__jump_table 0x18 PC64 .kpatch.sym.vmlinux.vmlinux.hidden_key,0 0
	EOT
	compile orig.o file.S -DTRACEPOINT
	compile patched.o file.S -DPATCHED -DTRACEPOINT
	cdo 0 --vmlinux-symtab vmlinux.symtab
	messages <<-'EOT'
		warning: file.c: foo(): the tracepoint mod belongs to a module, so the patched function does not trace it
	EOT
	[ "$(reloc_list output.o | grep -c '^__jump_table')" = 6 ]
	compile orig.o file.S -DOWN
	compile patched.o file.S -DPATCHED -DOWN
	cdo 2 --vmlinux-symtab vmlinux.symtab
	messages <<-'EOT'
		refused: file.c: foo(): uses the static key or static call own_key of a module, which may be loaded after the livepatch; use KPATCH_STATIC_BRANCH() or KPATCH_STATIC_CALL() instead (man kpatch-macros.h)
	EOT
}

@test "a module's key in code that is not included is no trouble" {
	OBJNAME=patched_mod
	asm <<-'EOT'
		.macro body name
		.endm
		function other
		1:	.byte 0x0f, 0x1f, 0x44, 0, 0
			.pushsection __jump_table, "aw"
			.long 1b - ., 1b - .
			.quad own_key - .
			.popsection
			ret
		end other
	EOT
	ksyms D own_key
	{ OBJNAME=vmlinux symtab_header; ksym_lines <<< 'D hidden_key'; } > vmlinux.symtab
	cdo 0 --vmlinux-symtab vmlinux.symtab
	no_messages
}

@test "a module's static call with a key of vmlinux, of the module, and a tracepoint's" {
	OBJNAME=patched_mod
	asm <<-'EOT'
		.macro site key
		1:	call external
			.pushsection .static_call_sites, "aw"
			.long 1b - ., \key - .
			.popsection
		.endm
		.macro body name
			site hidden_key
		#ifdef OWN
			site own_key
		#endif
		#ifdef TRACEPOINT
			site __SCK__tp_func_mod
		#endif
		.endm
	EOT
	ksyms D own_key D __SCK__tp_func_mod
	{ OBJNAME=vmlinux symtab_header; ksym_lines <<< 'D hidden_key'; } > vmlinux.symtab
	cdo 0 --vmlinux-symtab vmlinux.symtab
	no_messages
	relocs .static_call_sites <<-'EOT'
		.static_call_sites 0x0 PC32 foo 6
		.static_call_sites 0x4 PC32 .kpatch.sym.vmlinux.vmlinux.hidden_key,0 0
	EOT
	compile orig.o file.S -DTRACEPOINT
	compile patched.o file.S -DPATCHED -DTRACEPOINT
	cdo 0 --vmlinux-symtab vmlinux.symtab
	messages <<-'EOT'
		warning: file.c: foo(): the tracepoint mod belongs to a module, so the patched function does not trace it
	EOT
	[ "$(reloc_list output.o | grep -c '^.static_call_sites')" = 2 ]
	compile orig.o file.S -DOWN
	compile patched.o file.S -DPATCHED -DOWN
	cdo 2 --vmlinux-symtab vmlinux.symtab
	messages <<-'EOT'
		refused: file.c: foo(): uses the static key or static call own_key of a module, which may be loaded after the livepatch; use KPATCH_STATIC_BRANCH() or KPATCH_STATIC_CALL() instead (man kpatch-macros.h)
	EOT
}

@test "a pr_debug of a module's function has a key of its own, which is there" {
	OBJNAME=patched_mod
	asm <<-'EOT'
		.macro body name
		1:	.byte 0x0f, 0x1f, 0x44, 0, 0
			mov $.Ldesc_\name, %rdi
			.pushsection __dyndbg, "aw"
			.type __UNIQUE_ID_ddebug_\name\()1.2, @object
			.size __UNIQUE_ID_ddebug_\name\()1.2, 24
			__UNIQUE_ID_ddebug_\name\()1.2:
			.Ldesc_\name:
			.quad .Lfunc_\name, 5, 0
			.popsection
			.pushsection .rodata.str1.1, "aMS", @progbits, 1
			.Lfunc_\name: .asciz "in \name"
			.popsection
			.pushsection __jump_table, "aw"
			.long 1b - ., 1b - .
			.quad .Ldesc_\name + 16 - .
			.popsection
		.endm
	EOT
	{ OBJNAME=vmlinux symtab_header; ksym_lines <<< 'D nothing'; } > vmlinux.symtab
	cdo 0 --vmlinux-symtab vmlinux.symtab
	no_messages
	relocs __dyndbg __jump_table <<-'EOT'
		__dyndbg 0x0 64 .rodata.str1.1 0
		__jump_table 0x0 PC32 foo 6
		__jump_table 0x4 PC32 foo 6
		__jump_table 0x8 PC64 __UNIQUE_ID_ddebug_foo1.2 16
	EOT
}

@test "special sections of a module's part must not need the module's symbols" {
	OBJNAME=patched_mod
	asm <<-'EOT'
		.macro body name
		1:	nop
			.pushsection .altinstructions, "a"
			.long 1b - ., 2f - .
			.word 7, 0
			.byte 1, 5
			.popsection
			.pushsection .altinstr_replacement, "ax"
		2:	call own_function
			.popsection
		.endm
	EOT
	ksyms T own_function
	{ OBJNAME=vmlinux symtab_header; ksym_lines <<< 'D hidden_key'; } > vmlinux.symtab
	cdo 2 --vmlinux-symtab vmlinux.symtab
	messages <<-'EOT'
		refused: file.c: .altinstr_replacement+0x5: alternative instructions refers to own_function of the module patched_mod, and would be used before that is loaded; leave this part out
	EOT
}

@test "new code with an entry whose key is new, too" {
	asm <<-'EOT'
		.macro body name
		.endm
		#ifdef PATCHED
		.section .data.new_key, "aw"
		.globl new_key
		.type new_key, @object
		.size new_key, 16
		new_key: .quad 1, 1
		function added
		1:	.byte 0x0f, 0x1f, 0x44, 0, 0
			.pushsection __jump_table, "aw"
			.long 1b - ., 1b - .
			.quad new_key - .
			.popsection
			ret
		end added
		#endif
	EOT
	cdo 0
	relocs __jump_table <<-'EOT'
		__jump_table 0x0 PC32 added 5
		__jump_table 0x4 PC32 added 5
		__jump_table 0x8 PC64 new_key 0
	EOT
}

@test "an entry size that the symbol table doesn't tell: the error names structure and variable" {
	asm <<-'EOT'
		.macro body name
		1:	ud2
			.pushsection __bug_table, "aw"
			.long 1b - ., 0
			.word 7, 0x901
			.popsection
		.endm
	EOT
	sed -i '/bug_entry/d' symtab
	cdo 1
	messages <<-'EOT'
		error: section __bug_table: the size of struct bug_entry is not known; give a symbol table made by kpatch-image, or set BUG_STRUCT_SIZE
	EOT
	BUG_STRUCT_SIZE=12 cdo 0
	BUG_STRUCT_SIZE=0xc cdo 0
	[ "$(bytes output.o __bug_table | wc -c)" = 25 ]
	for bad in 0 -12 twelve 12x 99999999999; do
		BUG_STRUCT_SIZE=$bad cdo 1
		messages <<-EOT
			error: BUG_STRUCT_SIZE=$bad: not the size of a structure; give it in bytes
		EOT
	done
	BUG_STRUCT_SIZE='' cdo 1
}

@test "an entry size that doesn't fit: the symbol table is another kernel's" {
	asm <<-'EOT'
		.macro body name
		1:	ud2
			.pushsection __bug_table, "aw"
			.long 1b - ., 0
			.word 7, 0x901
			.popsection
		.endm
	EOT
	for size in 7 10 11 13 14 16; do
		BUG_STRUCT_SIZE=$size cdo 1
		[[ $stderr == *"section __bug_table: its size 0x18 is no multiple of the entry size $size; does the symbol table belong to this kernel?" ]]
	done
	for size in 4 6 8; do
		BUG_STRUCT_SIZE=$size cdo 1
		[[ $stderr == *"section __bug_table: entry 1 of 0x$size bytes does not begin with a place in code; does the symbol table belong to this kernel?" ]]
	done
}

@test "every known table with entries is cut by its size from the environment" {
	local section var size
	while read -r section var size; do
		asm <<-EOT
			.macro body name
			1:	nop
				.pushsection $section, "a"
				.long 1b - .
				.zero $((size - 4))
				.popsection
			.endm
		EOT
		sed -i '/^struct/d' symtab
		cdo 1
		[[ $stderr == *"section $section: the size of struct "*"is not known"*"set $var" ]]
		env=$(printf '%s' "$size")
		export "$var=$env"
		cdo 0
		[ "$(bytes output.o "$section" | wc -c)" = $((2 * size + 1)) ]
		unset "$var"
	done <<-'EOT'
		__bug_table BUG_STRUCT_SIZE 16
		__ex_table EX_STRUCT_SIZE 12
		.altinstructions ALT_STRUCT_SIZE 13
		__jump_table JUMP_STRUCT_SIZE 24
		.static_call_sites STATIC_CALL_STRUCT_SIZE 8
		.parainstructions PARA_STRUCT_SIZE 24
	EOT
}

@test "the padding in front of a function comes along, without a symbol of its own" {
	FIXTURE_CFLAGS+=("-fpatchable-function-entry=16,16")
	pair <<-'EOT'
		int foo(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			return x * 5;
		}
		int bar(int x) { return x * 7; }
	EOT
	given has_section orig.o __patchable_function_entries
	given_not has_symbol orig.o __pfx_foo
	cdo 0
	changes <<-'EOT'
		function foo 0
	EOT
	sections <<-'EOT'
		.text.foo
		__mcount_loc
	EOT
	[ "$(bytes output.o .text.foo | cut -c 1-32)" = 90909090909090909090909090909090 ]
	readelf -sW output.o | grep -qE ' 0+10 .* FUNC .* foo$'
	relocs __mcount_loc <<-'EOT'
		__mcount_loc 0x0 64 foo 0
	EOT
}

@test "a new function that must not be traced or probed stays in its section" {
	pair <<-'EOT'
		#ifdef PATCHED
		static int notrace noinline __section(".noinstr.text") quiet(int x) { barrier(); return x * 3; }
		static int notrace noinline __section(".kprobes.text") silent(int x) { barrier(); return x * 5; }
		static int noinline plain(int x) { barrier(); return x * 7; }
		#endif
		int foo(int x)
		{
		#ifdef PATCHED
			return quiet(x) + silent(x) + plain(x);
		#endif
			return x;
		}
	EOT
	cdo 0
	sections <<-'EOT'
		.noinstr.text
		.kprobes.text
		.text.plain
		__mcount_loc
		.text.foo
	EOT
}

@test "what the sanitizer of undefined behaviour tells of a place in the code is copied with the code" {
	pair -fsanitize=shift <<-'EOT'
		int foo(int x)
		{
		#ifdef PATCHED
			x = 3 << x;
		#endif
			return 1 << x;
		}
		int bar(int x) { return 2 << x; }
	EOT
	ksyms T __ubsan_handle_shift_out_of_bounds
	# What bar() refers to has another number now, and says the same.
	given [ "$(readelf -SW orig.o | grep -c ' \.data\.\.Lubsan_data[0-9]')" -eq 2 ]
	given [ "$(readelf -SW patched.o | grep -c ' \.data\.\.Lubsan_data[0-9]')" -eq 3 ]
	cdo 0
	no_messages
	changes <<-'EOT'
		part foo.cold foo
		function foo 0
		klp vmlinux __ubsan_handle_shift_out_of_bounds 0
	EOT
	[ "$(reloc_list output.o | awk '$1 ~ /^\.text/ && $4 ~ /ubsan_data/ { print $4 }' | sort -u | wc -l)" -eq 2 ]
	[ "$(reloc_list output.o | awk '$1 ~ /^\.data\.\.Lubsan_data/ { print $2, $4 }' | sort | uniq -c | sed 's/^ *//')" = "2 0x0 .rodata.str1.1
2 0x10 .data..Lubsan_type0
2 0x18 .data..Lubsan_type0" ]
}
