#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: references to places inside of things, behind them, and to nothing at all.

bats_require_minimum_version 1.5.0
load diff-fixtures

@test "a table of a function's own labels belongs to its version, though its bytes are the same" {
	pair <<-'EOF'
		int noinline interpret(const unsigned char *p)
		{
			static const void *const table[3] = { &&a, &&b, &&c };
			int acc = 0;
		next:
			goto *table[*p++];
		a:
		#ifdef PATCHED
			acc += 3;
		#else
			acc += 2;
		#endif
			_printk("a"); goto next;
		b:	acc -= 1; _printk("b"); goto next;
		c:	return acc;
		}
	EOF
	readelf -rW patched.o | grep -q 'rodata.table' # the situation: a table in a section of its own
	cdo 0
	# Bound to a table of the output, not to the kernel's, which leads into the old code.
	[ -z "$(readelf -sW output.o | grep 'kpatch.sym.*table')" ]
	readelf -rW output.o | grep -A 9 "rela.rodata.table" | grep -q 'interpret'
}

@test "branches that the assembler resolved within a section leave no trace under their relocation" {
	pair <<-'EOF'
		int state;
		static int noinline __section(".sched.text") first(int x) { return _printk("%d", x) + state; }
		int noinline __section(".sched.text") second(int x)
		{
			state = first(x) + 1;
		#ifdef PATCHED
			state++;
		#endif
			return first(state) + 2;
		}
	EOF
	cdo 0
	readelf -rW output.o | grep -q 'R_X86_64_PLT32 .*kpatch.sym.vmlinux.vmlinux.first,0 - 4'
	# Each call's displacement is zero, as the module loader demands.
	[ "$(objdump -d -j .text.second output.o | grep -c 'e8 00 00 00 00')" -eq 3 ]
}

@test "const or not, per-CPU or not: the running kernel's variable stays what it is" {
	pair <<-'EOF'
		#ifdef PATCHED
		static int limit[2] = { 5, 6 };
		static int counter __section(".data") = 0;
		#else
		static const int limit[2] = { 5, 6 };
		static int counter __section(".data..percpu") = 0;
		#endif
		int noinline get(int i)
		{
		#ifdef PATCHED
			limit[i]++;
		#endif
			return limit[i] + counter++;
		}
	EOF
	cdo 2
	messages <<-'EOF'
		refused: file.c: counter: the kind of existing data changed (section .data, was .data..percpu), and the running kernel's stays what it is; give the new variable another name
		refused: file.c: limit: the kind of existing data changed (section .data.limit, was .rodata.limit), and the running kernel's stays what it is; give the new variable another name
	EOF
}

@test "a pointer behind the end of a string stays behind this string" {
	pair <<-'EOF'
		int noinline f(int x)
		{
			int s = x;
			for (int i = 0; i < 42; i++) { s = s * 31 + "hello world, this is a long string, 41 ch"[i]; barrier(); }
			for (int i = 0; i < 42; i++) { s = s * 33 + "jello world, this is a long string, 41 ch"[i]; barrier(); }
			for (int i = 0; i < 43; i++) { s = s * 33 + "hello world, this is a long string, 42 cha"[i]; barrier(); }
		#ifdef PATCHED
			s++;
		#endif
			return s;
		}
	EOF
	# The situation: end pointers, as label plus length.
	[ "$(readelf -rW patched.o | grep -cE '\.LC[0-9]+ \+ 2[ab]')" -ge 3 ]
	cdo 0
	# Start and end of each: three different pairs, 42, 42 and 43 bytes apart.
	readelf -rW output.o | sed -n 's/.*R_X86_64_32S .*str1\.8 + //p' | sort -u > ends
	[ "$(wc -l < ends)" -eq 6 ]
}

@test "an alternative of length 0 does not tie its function to the next one's" {
	asm_pair <<-'EOF'
		.macro fn name changed
		.section .text.\name, "ax"
		.globl \name
		.type \name, @function
		\name:
		9:	call __fentry__
		1:	.byte 0x0f, 0x1f, 0x00
		#ifdef PATCHED
			.if \changed
			nop
			.endif
		#endif
		3:	ret
		.size \name, . - \name
		.section __mcount_loc, "a"
		.quad 9b
		.section .altinstr_replacement, "ax"
		2:	.byte 0x90, 0x90, 0x90
		4:
		.section .altinstructions, "a"
		.long 1b - ., 2b - .
		.long 1
		.byte 3, 3
		.long 1b - ., 4b - .
		.long 2
		.byte 3, 0
		.endm
		fn first 0
		fn second 1
	EOF
	cdo 0
	changes <<-'EOF'
		function second 0
	EOF
}

@test "which table comes first in the file makes no difference" {
	asm_pair <<-'EOF'
		#ifdef PATCHED
		.section __bug_table, "aw"
		.section .smp_locks, "a"
		#else
		.section .smp_locks, "a"
		.section __bug_table, "aw"
		#endif
		.section .text.same, "ax"
		.globl same
		.type same, @function
		same:
		9:	call __fentry__
		1:	lock incl (%rdi)
		2:	ud2
			ret
		.size same, . - same
		.section __mcount_loc, "a"
		.quad 9b
		.section .smp_locks, "a"
		.long 1b - .
		.section __bug_table, "aw"
		.long 2b - ., 0
		.short 1, 2
	EOF
	cdo 3
}

@test "an address in front of a new variable is not one inside of the variable before" {
	asm_pair <<-'EOT'
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
	1:
	foo:	call __fentry__
	#ifdef PATCHED
		mov $fresh - 16, %rdi
	#endif
		mov old + 8(%rip), %eax
		ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad 1b
		.section .data..read_mostly, "aw"
		.type old, @object
	old:	.quad 1, 2, 3, 4
		.size old, 32
	#ifdef PATCHED
		.type fresh, @object
	fresh:	.quad 5
		.size fresh, 8
	#endif
	EOT
	given grep -q '\.data\.\.read_mostly + 10' <(readelf -rW patched.o)
	cdo 2
	messages <<-'EOT'
		refused: file.c: foo(): refers either to the inside of old or to a place in front of fresh, which follows it in section .data..read_mostly, and which one cannot be told; put the new one into another section
	EOT
}
