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

# in_front INSTRUCTION: the patched foo() has it. On standard input, what a shared section holds: "var NAME, SIZE" for
# each variable.
in_front()
{
	{
		cat <<-EOT
			.macro var name, size
				.type \name, @object
				\name: .zero \size, 1
				.size \name, \size
			.endm
			.section .text.foo, "ax"
			.globl foo
			.type foo, @function
		1:
		foo:	call __fentry__
		#ifdef PATCHED
			$1
		#endif
			mov old + 8(%rip), %eax
			ret
			.size foo, . - foo
			.section __mcount_loc, "a"
			.quad 1b
			.section .data..read_mostly, "aw"
		EOT
		cat
	} | asm_pair
}

# either_or A B: what is said of a place inside of A that may be in front of B.
either_or()
{
	cdo 2
	messages <<-EOT
		refused: file.c: foo(): refers either to the inside of $1 or to a place in front of $2, which follows it in section .data..read_mostly, and which one cannot be told; put new variables into another section, and keep the old ones
	EOT
}

@test "an address in front of a new variable is not one inside of the variable before" {
	in_front 'mov $fresh - 16, %rdi' <<-'EOT'
		var old, 32
		#ifdef PATCHED
		var fresh, 8
		#endif
	EOT
	given grep -q '\.data\.\.read_mostly + 10' <(readelf -rW patched.o)
	either_or old fresh
	# Nor of one further away.
	in_front 'lea fresh - 16(%rip), %rdi' <<-'EOT'
		var old, 32
		var small, 4
		var other, 4
		#ifdef PATCHED
		var fresh, 8
		#endif
	EOT
	either_or old fresh
}

@test "an address in front of an old variable is not one inside of a new one" {
	in_front 'mov next - 4(, %rax, 4), %edi' <<-'EOT'
		var old, 32
		#ifdef PATCHED
		var fresh, 8
		#endif
		var next, 16
	EOT
	given grep -q '\.data\.\.read_mostly + 24' <(readelf -rW patched.o)
	either_or fresh next
	# Nor one inside of what is no longer as far in front of it.
	in_front 'mov next - 12(, %rax, 4), %edi' <<-EOT
		var old, 32
		#ifdef PATCHED
		var next, 16
		var other, 8
		#else
		var other, 8
		var next, 16
		#endif
	EOT
	either_or old next
}

@test "an address inside of a variable, or in front of one that stays behind it, is what it was" {
	in_front 'mov $next - 4, %rdi' <<-'EOT'
		#ifdef PATCHED
		var fresh, 8
		#endif
		var old, 32
		var next, 16
	EOT
	cdo 0
	no_messages
	relocs .text.foo <<-'EOT'
		.text.foo 0x1 PLT32 __fentry__ -4
		.text.foo 0x8 32S .kpatch.sym.vmlinux.vmlinux.old,0 28
		.text.foo 0xe PC32 .kpatch.sym.vmlinux.vmlinux.old,0 4
	EOT
	# Loaded from there, it is no address; and the start of a variable is just that.
	for place in 'mov old + 16(%rip), %edi' 'mov $old, %rdi'; do
		in_front "$place" <<-'EOT'
			var old, 32
			#ifdef PATCHED
			var fresh, 8
			#endif
		EOT
		cdo 0
		no_messages
	done
	# A symbol says what is meant, and a macro's variable has no neighbours.
	in_front 'mov $old + 16, %rdi' <<-'EOT'
		.globl old
		var old, 32
		#ifdef PATCHED
		var fresh, 8
		#endif
	EOT
	cdo 0
	no_messages
	in_front 'mov $old + 16, %rdi; mov $_rs.0 + 4, %rdi' <<-'EOT'
		var old, 32
		#ifdef PATCHED
		var _rs.0, 8
		#endif
	EOT
	cdo 0
	no_messages
	# A static key of a jump label, with its mark.
	in_front '.section __jump_table, "aw"; .long foo - ., 1b - .; .quad old + 1 - .; .section .text.foo' <<-'EOT'
		var old, 32
		#ifdef PATCHED
		var fresh, 8
		#endif
	EOT
	given grep -q '__jump_table .* \.data\.\.read_mostly 1$' <(reloc_list patched.o)
	cdo 0
	no_messages
}

@test "nobody goes in front of a number or a pointer" {
	pair -g <<-'EOT'
		#define shared __section(".data..read_mostly")
		int call(void *);
		#ifdef STRUCTURE
		static shared struct { int a; } fresh = { 5 };
		#elif defined(PATCHED)
		static int shared fresh = 5;
		#endif
		static int shared number = 7;
		static int shared old[4] = { 1 };
		#ifdef PATCHED
		#define N call(&fresh)
		#else
		#define N 1
		#endif
		int foo(void) { return call(&old[2]) + call(&number) + N; }
	EOT
	ksyms T call
	given [ "$(readelf -sW patched.o | awk '$8 ~ /^(old|number|fresh)$/ { print $2, $8 }' | sort |
		cut -d' ' -f 2 | xargs)" = "old number fresh" ]
	cdo 0
	no_messages
	compile patched.o file.c -g -DPATCHED -DSTRUCTURE
	cdo 2
	[[ $stderr == *"refers either to the inside of old or to a place in front of fresh, which follows it in section .data..read_mostly"* ]]
}
