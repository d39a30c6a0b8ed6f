#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: which symbol a relocation means, and how the running kernel's is reached.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr
# shellcheck disable=SC2034 # what the fixtures read
# shellcheck disable=SC2030,SC2031 # each test is a subshell
# shellcheck disable=SC2001 # sed is clearer

bats_require_minimum_version 1.5.0
load diff-fixtures

# The assembler fixtures' functions: with an ftrace entry, in a section of their own or not.
FUNCTION='
	.macro function name, section
	.ifb \section
	.section .text.\name, "ax"
	.else
	.section \section, "ax"
	.endif
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
	.macro object name, section, size
	.section \section, "aw"
	.type \name, @object
	.size \name, \size
	\name: .zero \size
	.endm
'

# The symbol tables of the other modules of the pretended kernel.
module_symtabs()
{
	mkdir symtabs
	printf 'kpatch-symtab\t1\nobject\tother_mod\nsym\t0\t%s\t%s\t.text\n' \
		t other_export T other_export > symtabs/other_mod
	printf 'sym\t0\tT\tother_second\t.text\n' >> symtabs/other_mod
	printf 'kpatch-symtab\t1\nobject\tthird\nsym\t0\tT\tthird_export\t.text\n' > symtabs/third
	CDO_OPTIONS+=(--module-symtabs symtabs)
}

asm()
{
	{ printf '%s' "$FUNCTION"; cat; } > all.S
	asm_pair < all.S
}

@test "vmlinux exports take ordinary relocations, all else livepatch relocations" {
	pair <<-'EOT'
		int kmalloc(int), gpl_export(int), hidden(int);
		extern int vmlinux_data, hidden_data;
		static int local_data;
		static noinline int local_function(int x) { barrier(); return x + 1; }
		int foo(int x)
		{
		#ifdef PATCHED
			x += 5;
		#endif
			x = kmalloc(x) + gpl_export(x) + hidden(x) + local_function(x);
			vmlinux_data = 1;
			hidden_data = 2;
			local_data = 3;
			return x;
		}
		int bar(int x) { return local_data + local_function(x) * 3; }
	EOT
	given_symbols orig.o local_function
	ksyms T kmalloc T gpl_export T hidden D vmlinux_data D hidden_data
	cdo 0
	changes <<-'EOT'
		function foo 0
		klp vmlinux hidden 0
		klp vmlinux hidden_data 0
		klp vmlinux local_data 0
		klp vmlinux local_function 0
	EOT
	diff -u - <(reloc_list output.o | awk '$1 == ".text.foo" { print $3, $4, $5 }' | sort) <<-'EOT'
		PC32 .kpatch.sym.vmlinux.vmlinux.hidden_data,0 -8
		PC32 .kpatch.sym.vmlinux.vmlinux.local_data,0 -8
		PC32 .kpatch.sym.vmlinux.vmlinux.local_function,0 -4
		PC32 vmlinux_data -8
		PLT32 .kpatch.sym.vmlinux.vmlinux.hidden,0 -4
		PLT32 __fentry__ -4
		PLT32 gpl_export -4
		PLT32 kmalloc -4
	EOT
	# What is left undefined is weak, so that the link accepts it; the exports are not.
	diff -u - <(readelf -sW output.o | awk '$7 == "UND" && $8 != "" { print $5, $8 }' | sort) <<-'EOT'
		GLOBAL __fentry__
		GLOBAL gpl_export
		GLOBAL kmalloc
		GLOBAL vmlinux_data
		WEAK .kpatch.sym.vmlinux.vmlinux.hidden,0
		WEAK .kpatch.sym.vmlinux.vmlinux.hidden_data,0
		WEAK .kpatch.sym.vmlinux.vmlinux.local_data,0
		WEAK .kpatch.sym.vmlinux.vmlinux.local_function,0
	EOT
}

@test "a static name that a module exports, too, is not mistaken for the export" {
	pair <<-'EOT'
		static int vmlinux_data;
		static noinline int kmalloc(int x) { barrier(); return x + vmlinux_data++; }
		int foo(int x)
		{
		#ifdef PATCHED
			x += 5;
		#endif
			return kmalloc(x) + kmalloc(3);
		}
	EOT
	given_symbols orig.o kmalloc
	ksyms T kmalloc D vmlinux_data
	cdo 0
	changes <<-'EOT'
		function foo 0
		klp vmlinux kmalloc 1
	EOT
}

@test "the position counts all symbols of the name: one static and one global" {
	pair <<-'EOT'
		static noinline int helper(int x)
		{
		#ifdef PATCHED
			x += 5;
		#endif
			barrier();
			return x + 1;
		}
		static int state;
		int foo(int x) { return helper(x) + helper(2); }
		int bar(int x)
		{
		#ifdef PATCHED
			x += 5;
		#endif
			return state += x;
		}
	EOT
	given_symbols orig.o helper
	ksyms_first T helper d before D state
	ksyms D unrelated
	cdo 0
	changes <<-'EOT'
		function helper 2
		function bar 0
		klp vmlinux state 2
	EOT
	symbols <<-'EOT'
		__kpatch_new.vmlinux.bar.0 GLOBAL FUNC
		__kpatch_new.vmlinux.helper.2 GLOBAL FUNC
		bar LOCAL FUNC
		helper LOCAL FUNC
	EOT
	code_relocs .text.bar <<-'EOT'
		.text.bar PC32 .kpatch.sym.vmlinux.vmlinux.state,2 -4
		.text.bar PC32 .kpatch.sym.vmlinux.vmlinux.state,2 -4
	EOT
}

@test "a global function whose name static ones have, too" {
	pair <<-'EOT'
		int helper(int x)
		{
		#ifdef PATCHED
			x += 5;
		#endif
			return x + 1;
		}
	EOT
	ksyms_first t helper t other d helper
	ksyms t helper
	cdo 0
	changes <<-'EOT'
		function helper 3
	EOT
}

@test "a per-CPU variable, static or not, is found among the type A symbols" {
	pair <<-'EOT'
		static int __section(".data..percpu") counter;
		int __section(".data..percpu") global_counter;
		int foo(int x)
		{
		#ifdef PATCHED
			x += 5;
		#endif
			asm volatile("addl %0, %%gs:counter(%%rip)" :: "r" (x));
			asm volatile("addl %0, %%gs:global_counter(%%rip)" :: "r" (x));
			return x;
		}
		int *bar(void) { return &counter; }
	EOT
	given grep -q ' A	counter\|	A	counter' symtab
	cdo 0
	changes <<-'EOT'
		function foo 0
		klp vmlinux counter 0
		klp vmlinux global_counter 0
	EOT
	code_relocs .text.foo <<-'EOT'
		.text.foo PC32 .kpatch.sym.vmlinux.vmlinux.counter,0 -4
		.text.foo PC32 .kpatch.sym.vmlinux.vmlinux.global_counter,0 -4
	EOT
}

@test "per-CPU variables in one section: each is found, and a new one comes along" {
	pair <<-'EOT'
		#define percpu __section(".data..percpu")
		static int percpu first = 1;
		#ifdef PATCHED
		static int percpu added = 9;
		#endif
		static int percpu second = 2;
		int foo(int x)
		{
			asm volatile("addl %0, %%gs:%P1(%%rip)" :: "r" (x), "i" (&first));
			asm volatile("addl %0, %%gs:%P1(%%rip)" :: "r" (x), "i" (&second));
		#ifdef PATCHED
			asm volatile("addl %0, %%gs:%P1(%%rip)" :: "r" (x), "i" (&added));
		#endif
			return x;
		}
	EOT
	cdo 0
	changes <<-'EOT'
		function foo 0
		new data added
		klp vmlinux first 0
		klp vmlinux second 0
	EOT
	code_relocs .text.foo <<-'EOT'
		.text.foo PC32 .kpatch.sym.vmlinux.vmlinux.first,0 -4
		.text.foo PC32 .kpatch.sym.vmlinux.vmlinux.second,0 -4
		.text.foo PC32 added -4
	EOT
	[ "$(bytes output.o .data..percpu)" = 09000000 ]
}

@test "an immediate behind the displacement does not hide which variable is meant" {
	asm <<-'EOT'
		object first, .data..read_mostly, 4
		object second, .data..read_mostly, 4
		object third, .data..read_mostly, 4
		object fourth, .data..read_mostly, 4
		.globl foo
		function foo
		#ifdef PATCHED
			nop
		#endif
			movb $1, first(%rip)
			movw $1, second(%rip)
			movl $1, third(%rip)
			cmpl $0x12345678, fourth(%rip)
			cmpb $1, fourth(%rip)
			testl $1, second(%rip)
			movl third(%rip), %eax
			addl $5, second+2(%rip)
			movl $.data..read_mostly + 8, %edi
			ret
		end foo
	EOT
	cdo 0
	changes <<-'EOT'
		function foo 0
		klp vmlinux first 0
		klp vmlinux fourth 0
		klp vmlinux second 0
		klp vmlinux third 0
	EOT
	relocs <<-'EOT'
		.text.foo 0x8 PC32 .kpatch.sym.vmlinux.vmlinux.first,0 -5
		.text.foo 0x10 PC32 .kpatch.sym.vmlinux.vmlinux.second,0 -6
		.text.foo 0x18 PC32 .kpatch.sym.vmlinux.vmlinux.third,0 -8
		.text.foo 0x22 PC32 .kpatch.sym.vmlinux.vmlinux.fourth,0 -8
		.text.foo 0x2c PC32 .kpatch.sym.vmlinux.vmlinux.fourth,0 -5
		.text.foo 0x33 PC32 .kpatch.sym.vmlinux.vmlinux.second,0 -8
		.text.foo 0x3d PC32 .kpatch.sym.vmlinux.vmlinux.third,0 -4
		.text.foo 0x43 PC32 .kpatch.sym.vmlinux.vmlinux.second,0 -3
		.text.foo 0x49 32 .kpatch.sym.vmlinux.vmlinux.third,0 0
	EOT
}

@test "instructions that old decoders measure wrongly stand in front of such an immediate" {
	asm <<-'EOT'
		object first, .data..read_mostly, 4
		object second, .data..read_mostly, 4
		.globl foo
		function foo
		#ifdef PATCHED
			nop
		#endif
			endbr64
			rdsspq %rax
			movdir64b (%rdi), %rsi
			vpaddd %zmm1, %zmm2, %zmm3{%k1}
			rdpkru
			clac
			vmovdqu64 0x40(%rdi), %zmm0
			movb $1, second(%rip)
			movb $1, first(%rip)
			ret
		end foo
	EOT
	cdo 0
	diff -u - <(reloc_list output.o | awk '$1 == ".text.foo" && /kpatch/ { print $3, $4, $5 }') <<-'EOT'
		PC32 .kpatch.sym.vmlinux.vmlinux.second,0 -5
		PC32 .kpatch.sym.vmlinux.vmlinux.first,0 -5
	EOT
}

@test "data embedded in code does not hide what the code behind it means" {
	asm <<-'EOT'
		object first, .data..read_mostly, 4
		object second, .data..read_mostly, 4
		.globl foo
		function foo
		#ifdef PATCHED
			nop
		#endif
			jmp 1f
			.byte 0x06, 0x0e, 0x27
		1:	movb $1, second(%rip)
			movb $1, first(%rip)
			ret
		end foo
	EOT
	cdo 0
	diff -u - <(reloc_list output.o | awk '$1 == ".text.foo" && /kpatch/ { print $3, $4, $5 }') <<-'EOT'
		PC32 .kpatch.sym.vmlinux.vmlinux.second,0 -5
		PC32 .kpatch.sym.vmlinux.vmlinux.first,0 -5
	EOT
}

@test "a pointer one past the end of an array, or to what follows it: refused where it matters" {
	pair <<-'EOT'
		#define shared __section(".data..read_mostly")
		static int shared table[4] = { 1 };
		#ifdef BETWEEN
		static int shared added[4] = { 2 };
		#endif
		static int shared other[4] = { 3 };
		#ifdef BEHIND
		static int shared added[4] = { 2 };
		#endif
		int sum(int);
		int foo(int x)
		{
			int *p;

			for (p = table; p < table + 4; p++)
				x += sum(*p);
		#ifdef PATCHED
			x++;
		#endif
		#ifdef NEITHER
			for (p = other; p < other + 4; p++)
				x += sum(*p);
		#endif
		#if defined(BETWEEN) || defined(BEHIND)
			for (p = added; p < added + 4; p++)
				x += sum(*p);
		#endif
			return x;
		}
		int bar(int x) { return table[x] + other[x]; }
	EOT
	ksyms T sum
	compile patched.o file.c -DPATCHED -DBETWEEN
	given grep -q '^.text.foo .* .data..read_mostly 16$' <(reloc_list patched.o)
	cdo 2
	messages <<-'EOT'
		refused: file.c: foo(): refers either to the end of added or to table, which follows it in section .data..read_mostly, and which one cannot be told; put the new one into another section
		refused: file.c: foo(): refers either to the end of other or to added, which follows it in section .data..read_mostly, and which one cannot be told; put the new one into another section
	EOT

	# Without anything new in between both mean the same place.
	compile patched.o file.c -DPATCHED -DNEITHER
	cdo 0
	code_relocs .text.foo <<-'EOT'
		.text.foo 32S .kpatch.sym.vmlinux.vmlinux.table,0 0
		.text.foo PLT32 .kpatch.sym.vmlinux.vmlinux.sum,0 -4
		.text.foo 32S .kpatch.sym.vmlinux.vmlinux.table,0 16
		.text.foo 32S .kpatch.sym.vmlinux.vmlinux.other,0 0
		.text.foo PLT32 .kpatch.sym.vmlinux.vmlinux.sum,0 -4
		.text.foo 32S .kpatch.sym.vmlinux.vmlinux.table,0 0
	EOT
}

@test "a pointer one past the end with a section per variable" {
	pair <<-'EOT'
		static int table[4] = { 1 }, other[4] = { 2 };
		int sum(int);
		int foo(int x)
		{
			int *p;

		#ifdef PATCHED
			x++;
		#endif
			for (p = table; p < table + 4; p++)
				x += sum(*p);
			for (p = other; p < other + 4; p++)
				x += sum(*p);
			return x;
		}
	EOT
	ksyms T sum
	cdo 0
	code_relocs .text.foo <<-'EOT'
		.text.foo 32S .kpatch.sym.vmlinux.vmlinux.table,0 0
		.text.foo PLT32 .kpatch.sym.vmlinux.vmlinux.sum,0 -4
		.text.foo 32S .kpatch.sym.vmlinux.vmlinux.table,0 16
		.text.foo 32S .kpatch.sym.vmlinux.vmlinux.other,0 0
		.text.foo PLT32 .kpatch.sym.vmlinux.vmlinux.sum,0 -4
		.text.foo 32S .kpatch.sym.vmlinux.vmlinux.other,0 16
	EOT
}

@test "large addends survive" {
	asm <<-'EOT'
		.globl foo
		function foo
		#ifdef PATCHED
			nop
		#endif
			movabs $page + 0x80000000, %rax
			movabs $page - 0x7fffffffffff, %rax
			ret
		end foo
		object page, .bss..page_aligned, 4096
	EOT
	cdo 0
	relocs <<-'EOT'
		.text.foo 0x8 64 .kpatch.sym.vmlinux.vmlinux.page,0 2147483648
		.text.foo 0x12 64 .kpatch.sym.vmlinux.vmlinux.page,0 -140737488355327
	EOT
}

@test "functions that share a section: a local call binds to the right one" {
	asm <<-'EOT'
		function helper, .sched.text
			mov $1, %eax
			ret
		end helper
		function other, .sched.text
			mov $2, %eax
			ret
			.fill 200, 1, 0x90
		end other
		.globl foo
		function foo, .sched.text
		#ifdef PATCHED
			nop
		#endif
			call helper
			call other
			jmp helper
		end foo
		.globl bar
		function bar, .sched.text
			call other
			ret
		end bar
	EOT
	given_not grep -q '^.sched.text .*helper' <(reloc_list patched.o)
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		klp vmlinux helper 0
		klp vmlinux other 0
	EOT
	relocs .text.foo <<-'EOT'
		.text.foo 0x1 PLT32 __fentry__ -4
		.text.foo 0x7 PLT32 .kpatch.sym.vmlinux.vmlinux.helper,0 -4
		.text.foo 0xc PLT32 .kpatch.sym.vmlinux.vmlinux.other,0 -4
		.text.foo 0x11 PLT32 .kpatch.sym.vmlinux.vmlinux.helper,0 -4
	EOT
}

@test "functions that share a section: calls of a changed one go to the copy, of equal ones do not" {
	asm <<-'EOT'
		function helper, .sched.text
		#ifdef PATCHED
			mov $7, %eax
		#endif
			ret
		end helper
		function caller, .sched.text
			call helper
			ret
		end caller
		.globl foo
		function foo, .sched.text
		#ifdef PATCHED
			nop
		#endif
			call helper
			call caller
			ret
		end foo
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function helper 0
		function foo 0
		klp vmlinux caller 0
	EOT
	relocs .text.foo <<-'EOT'
		.text.foo 0x1 PLT32 __fentry__ -4
		.text.foo 0x7 PLT32 helper -4
		.text.foo 0xc PLT32 .kpatch.sym.vmlinux.vmlinux.caller,0 -4
	EOT
}

@test "functions that share a section: addresses that the assembler resolved mean what they meant" {
	asm <<-'EOT'
		function helper, .sched.text
			ret
		end helper
		function hook, .sched.text
		#ifdef PATCHED
			mov $7, %eax
		#endif
			ret
		end hook
		.globl foo
		function foo, .sched.text
		#ifdef PATCHED
			nop
		#endif
			lea helper(%rip), %rdi
			lea hook(%rip), %rsi
			mov helper(%rip), %ecx
			lea 1f(%rip), %rax
		1:
			ret
		end foo
	EOT
	[ "$(reloc_list patched.o | grep '^\.sched\.text ' | grep -cv __fentry__)" = 0 ]
	cdo 0
	no_messages
	changes <<-'EOT'
		function hook 0
		function foo 0
		klp vmlinux helper 0
		klp vmlinux hook 0
	EOT
	relocs .text.foo <<-'EOT'
		.text.foo 0x1 PLT32 __fentry__ -4
		.text.foo 0x9 PC32 .kpatch.sym.vmlinux.vmlinux.helper,0 -4
		.text.foo 0x10 PC32 .kpatch.sym.vmlinux.vmlinux.hook,0 -4
		.text.foo 0x16 PC32 .kpatch.sym.vmlinux.vmlinux.helper,0 -4
	EOT
}

@test "a short jump to another function of the section cannot be moved" {
	asm <<-'EOT'
		function helper, .sched.text
			ret
		end helper
		.globl foo
		function foo, .sched.text
		#ifdef PATCHED
			nop
		#endif
			jmp helper
		end foo
	EOT
	sed -i 's/jmp helper/.byte 0xeb, helper - . - 1/' file.S
	compile orig.o file.S
	compile patched.o file.S -DPATCHED
	cdo 2
	messages <<-'EOT'
		refused: file.c: foo(): has a short jump to another function of section .sched.text; move one of them to another section
	EOT
}

@test "padding in front of functions belongs to none of them" {
	asm <<-'EOT'
		function first, .sched.text
		#ifdef PATCHED
			nop
		#endif
			ret
		end first
		.p2align 4
		.globl foo
		function foo, .sched.text
			ret
		end foo
		.p2align 6
		.globl bar
		function bar, .sched.text
			ret
		end bar
	EOT
	cdo 0
	changes <<-'EOT'
		function first 0
	EOT
}

@test "prefix symbols belong to the function that starts where they end" {
	asm <<-'EOT'
		.macro prefixed name
		.section .text.\name, "ax"
		.p2align 4
		.type __pfx_\name, @function
		__pfx_\name:
			.fill 16, 1, 0x90
		.size __pfx_\name, . - __pfx_\name
		function \name
		.endm
		.globl foo
		prefixed foo
		#ifdef PATCHED
			nop
		#endif
			mov $foo, %rdi
			mov $bar, %rsi
			call bar
			ret
		end foo
		.globl bar
		prefixed bar
		#ifdef PATCHED
			nop
		#endif
			call same
			ret
		end bar
		prefixed same
			ret
		end same
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		function bar 0
		klp vmlinux bar 0
		klp vmlinux foo 0
		klp vmlinux same 0
	EOT
	# A taken address is the original's, at its entry; a call goes to the copy's entry.
	relocs .text.foo .text.bar <<-'EOT'
		.text.foo 0x11 PLT32 __fentry__ -4
		.text.foo 0x19 32S .kpatch.sym.vmlinux.vmlinux.foo,0 0
		.text.foo 0x20 32S .kpatch.sym.vmlinux.vmlinux.bar,0 0
		.text.foo 0x25 PLT32 bar -4
		.text.bar 0x11 PLT32 __fentry__ -4
		.text.bar 0x17 PC32 .kpatch.sym.vmlinux.vmlinux.same,0 -4
	EOT
	relocs __mcount_loc <<-'EOT'
		__mcount_loc 0x0 64 foo 0
		__mcount_loc 0x8 64 bar 0
	EOT
	# Both names of the entry stand behind the prefix.
	diff -u - <(readelf -sW output.o | awk '$8 ~ /foo/ && $7 != "UND" { print $2, $8 }' | sort) <<-'EOT'
		0000000000000010 __kpatch_new.vmlinux.foo.0
		0000000000000010 foo
	EOT
}

@test "prefixes of both kinds, of a function with an alias, belong to the one function" {
	asm <<-'EOT'
		.macro prefix name
		.type \name, @function
		.globl \name
		\name:
		.endm
		.section .text.foo, "ax"
		.p2align 4
		prefix __pfx_foo
		prefix __pfx_foo_alias
			.fill 11, 1, 0x90
		prefix __cfi_foo
		prefix __cfi_foo_alias
			.byte 0xb8, 1, 2, 3, 4
		.size __pfx_foo, . - __pfx_foo
		.size __pfx_foo_alias, . - __pfx_foo
		.size __cfi_foo, . - __cfi_foo
		.size __cfi_foo_alias, . - __cfi_foo
		.globl foo_alias
		.type foo_alias, @function
		foo_alias:
		.globl foo
		function foo
		#ifdef PATCHED
			nop
		#endif
			ret
		end foo
		.size foo_alias, . - foo
		.globl user
		function user
		#ifdef PATCHED
			nop
		#endif
			call foo_alias
			mov $foo_alias, %rdi
			ret
		end user
	EOT
	given_symbols patched.o __pfx_foo __pfx_foo_alias __cfi_foo __cfi_foo_alias
	cdo 0
	no_messages
	name=$(sed -n 's/^function.\(foo[a-z_]*\).*/\1/p' report)
	[[ $name == foo || $name == foo_alias ]]
	changes <<-EOT
		function $name 0
		function user 0
		klp vmlinux $name 0
	EOT
	relocs .text.user __mcount_loc <<-EOT
		__mcount_loc 0x0 64 $name 0
		__mcount_loc 0x8 64 user 0
		.text.user 0x1 PLT32 __fentry__ -4
		.text.user 0x7 PLT32 $name -4
		.text.user 0xe 32S .kpatch.sym.vmlinux.vmlinux.$name,0 0
	EOT
	# All 16 bytes of the prefix come along, and the names of the entry stand behind them.
	[[ $(bytes output.o ".text.$name") == 9090909090909090909090b801020304e800000000* ]]
	diff -u - <(readelf -sW output.o | awk '$8 ~ /foo/ && $7 != "UND" { print $2, $8 }' | sort) <<-EOT
		0000000000000010 __kpatch_new.vmlinux.$name.0
		0000000000000010 $name
	EOT
}

@test "another prefix is another function" {
	asm <<-'EOT'
		.section .text.foo, "ax"
		.type __cfi_foo, @function
		__cfi_foo:
		#ifdef PATCHED
			.byte 0xb8, 1, 2, 3, 5
		#else
			.byte 0xb8, 1, 2, 3, 4
		#endif
		.size __cfi_foo, . - __cfi_foo
		.globl foo
		function foo
			ret
		end foo
	EOT
	cdo 0
	changes <<-'EOT'
		function foo 0
	EOT
}

@test "prefixed functions that share a section" {
	asm <<-'EOT'
		.macro prefixed name
		.section .sched.text, "ax"
		.p2align 4
		.type __pfx_\name, @function
		__pfx_\name:
			.fill 16, 1, 0x90
		.size __pfx_\name, . - __pfx_\name
		function \name, .sched.text
		.endm
		prefixed first
		#ifdef PATCHED
			.fill 20, 1, 0x90
		#endif
			call second
			mov $second, %rax
			ret
		end first
		prefixed second
			call first
			ret
		end second
	EOT
	cdo 0
	changes <<-'EOT'
		function first 0
		klp vmlinux second 0
	EOT
	relocs .text.first <<-'EOT'
		.text.first 0x11 PLT32 __fentry__ -4
		.text.first 0x2a PLT32 .kpatch.sym.vmlinux.vmlinux.second,0 -4
		.text.first 0x31 32S .kpatch.sym.vmlinux.vmlinux.second,0 0
	EOT
}

@test "aliases: one registration, under the global name" {
	pair <<-'EOT'
		static int __do_it(int x)
		{
		#ifdef PATCHED
			x += 5;
		#endif
			return x;
		}
		int do_it(int x) __attribute__((alias("__do_it")));
		int __attribute__((weak, alias("__do_it"))) do_it_too(int x);
		int user(int x)
		{
		#ifdef PATCHED
			x += 7;
		#endif
			asm volatile("call do_it; call __do_it" : "+r" (x));
			return x;
		}
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function do_it 0
		function user 0
	EOT
	[ "$(readelf -sW output.o | grep -c __kpatch_new)" = 2 ]
	# Calls by any of the names go to the copy.
	diff -u - <(reloc_list output.o | awk '$1 == ".text.user" && !/fentry/ { print $3, $4 }') <<-'EOT'
		PLT32 do_it
		PC32 do_it
	EOT
}

@test "zero-size keys at one address stay what they are" {
	pair <<-'EOT'
		struct key { };
		void init(void *, int);
		extern int after;
		static struct key first_key, second_key;
		int foo(int x)
		{
		#ifdef PATCHED
			x++;
		#endif
			init(&first_key, x);
			init(&second_key, x);
			return x;
		}
	EOT
	ksyms T init
	cdo 0
	no_messages
	grep -c '^function.foo.0' report
	run -1 grep '^new' report
}

@test "a zero-size key at the end of a shared section" {
	asm <<-'EOT'
		object data, .data..shared, 8
		.type key, @object
		.size key, 0
		key:
		.type key2, @object
		.size key2, 0
		key2:
		.globl foo
		function foo
		#ifdef PATCHED
			nop
		#endif
			mov $key, %rdi
			mov $key2, %rdi
			mov $data, %rsi
			ret
		end foo
	EOT
	cdo 0
	no_messages
	# The three are at or next to one place, and it is theirs in the running kernel.
	reloc_list output.o | awk '$1 == ".text.foo" && /kpatch/ { print $3, $4, $5 }' > got
	[ "$(sed -n 3p got)" = "32S .kpatch.sym.vmlinux.vmlinux.data,0 0" ]
	[[ $(sed -n 1p got) == "32S .kpatch.sym.vmlinux.vmlinux."@(key,0 0|key2,0 0|data,0 8) ]]
	[[ $(sed -n 2p got) == "32S .kpatch.sym.vmlinux.vmlinux."@(key,0 0|key2,0 0|data,0 8) ]]
}

@test "namespaces of the used exports are reported, each once" {
	pair <<-'EOT'
		int cxl_export(int), dma_export(int);
		int foo(int x)
		{
		#ifdef PATCHED
			x = cxl_export(x) + cxl_export(3);
		#endif
			return x + 1;
		}
		int bar(int x) { return dma_export(x); }
	EOT
	cdo 0
	changes <<-'EOT'
		function foo 0
		namespace CXL
	EOT
}

@test "an export for a list of modules is reached like what is not exported" {
	printf '0x0000000d\tkvm_only\tvmlinux\tEXPORT_SYMBOL_GPL\tmodule:kvm,kvm-amd\n' >> symvers
	pair <<-'EOT'
		int kvm_only(int), cxl_export(int), here(int);
		int foo(int x)
		{
		#ifdef PATCHED
			x = kvm_only(x) + cxl_export(3);
		#endif
			return x + 1;
		}
	EOT
	ksyms t kvm_only T kvm_only T cxl_export
	cdo 0
	changes <<-'EOT'
		function foo 0
		namespace CXL
		klp vmlinux kvm_only 2
	EOT
	# For a module of the list, too: the livepatch is none of them.
	OBJNAME=patched_mod
	mv symtab vmlinux.symtab
	symtab <<< 'T foo'
	cdo 0 --vmlinux-symtab vmlinux.symtab
	changes <<-'EOT'
		function foo 1
		namespace CXL
		klp vmlinux kvm_only 2
	EOT
	code_relocs .text.foo <<-'EOT'
		.text.foo PLT32 .kpatch.sym.vmlinux.vmlinux.kvm_only,2 -4
		.text.foo PLT32 cxl_export -4
	EOT
}

@test "the address of a changed function that is exported for a list of modules only" {
	printf '0x0000000d\tkvm_only\tvmlinux\tEXPORT_SYMBOL_GPL\tmodule:kvm\n' >> symvers
	pair <<-'EOT'
		int (*hook)(int);
		int kvm_only(int x)
		{
		#ifdef PATCHED
			hook = kvm_only;
		#endif
			return x + 1;
		}
	EOT
	cdo 0
	changes <<-'EOT'
		function kvm_only 0
		klp vmlinux hook 0
		klp vmlinux kvm_only 0
	EOT
}

@test "what a module has itself is not mistaken for an export of that name" {
	OBJNAME=patched_mod
	pair <<-'EOT'
		int gpl_export(int), kmalloc(int);
		int foo(int x)
		{
		#ifdef PATCHED
			x = kmalloc(x);
		#endif
			return gpl_export(x) + 1;
		}
	EOT
	ksyms t kmalloc T gpl_export
	cdo 0
	changes <<-'EOT'
		function foo 1
		klp patched_mod gpl_export 1
	EOT
	code_relocs .text.foo <<-'EOT'
		.text.foo PLT32 kmalloc -4
		.text.foo PLT32 .kpatch.sym.patched_mod.patched_mod.gpl_export,1 -4
	EOT
	# The kernel itself may have what a module exports for its own.
	OBJNAME=vmlinux
	pair <<-'EOT'
		int other_export(int);
		int foo(int x)
		{
		#ifdef PATCHED
			x++;
		#endif
			return other_export(x) + 1;
		}
	EOT
	ksyms T other_export
	cdo 0
	changes <<-'EOT'
		function foo 0
		klp vmlinux other_export 0
	EOT
}

@test "a module's object: its own symbols, another module's, the kernel's" {
	OBJNAME=patched_mod
	pair <<-'EOT'
		int kmalloc(int), hidden(int), other_export(int), mod_export(int), sibling(int);
		static int state;
		int foo(int x)
		{
			x += other_export(x);
		#ifdef PATCHED
			x += kmalloc(x) + hidden(x) + mod_export(x) + sibling(x);
			state++;
		#endif
			return x + state;
		}
		int bar(void) { return state++; }
	EOT
	ksyms T mod_export T sibling
	{ OBJNAME=vmlinux symtab_header; printf 'T kmalloc\nT hidden\nT sibling\n' | ksym_lines; } > vmlinux.symtab
	module_symtabs
	cdo 0 --vmlinux-symtab vmlinux.symtab
	no_messages
	changes <<-'EOT'
		function foo 1
		klp vmlinux hidden 0
		klp patched_mod mod_export 1
		klp other_mod other_export 2
		klp patched_mod sibling 1
		klp patched_mod state 1
	EOT
	diff -u - <(reloc_list output.o | awk '$1 == ".text.foo" { print $3, $4 }' | sort -u) <<-'EOT'
		PC32 .kpatch.sym.patched_mod.patched_mod.state,1
		PLT32 .kpatch.sym.patched_mod.other_mod.other_export,2
		PLT32 .kpatch.sym.patched_mod.patched_mod.mod_export,1
		PLT32 .kpatch.sym.patched_mod.patched_mod.sibling,1
		PLT32 .kpatch.sym.vmlinux.vmlinux.hidden,0
		PLT32 __fentry__
		PLT32 kmalloc
	EOT
	symbols <<-'EOT'
		__kpatch_new.patched_mod.foo.1 GLOBAL FUNC
		foo LOCAL FUNC
	EOT
}

@test "a module's positions are those of its symbol table, and always given" {
	OBJNAME=patched_mod
	pair <<-'EOT'
		static int state;
		static noinline int helper(int x)
		{
		#ifdef PATCHED
			x += 5;
		#endif
			barrier();
			return x + state++;
		}
		int foo(int x) { return helper(x) + helper(2); }
	EOT
	given_symbols orig.o helper
	printf 'kpatch-symtab\t1\nobject\tpatched_mod\n' > symtab
	printf 'sym\t%016x\t%s\t%s\t%s\n' 256 T helper .text 16 d state .data 0 t helper .text >> symtab
	{ OBJNAME=vmlinux symtab_header; ksym_lines <<< 'T nothing'; } > vmlinux.symtab
	cdo 0 --vmlinux-symtab vmlinux.symtab
	no_messages
	changes <<-'EOT'
		function helper 2
		klp patched_mod state 1
	EOT
}

@test "a symbol whose position changes while the module loads is not named" {
	OBJNAME=patched_mod
	pair <<-'EOT'
		static noinline int helper(int x) { return x * x; }
		int foo(int x)
		{
		#ifdef PATCHED
			x += 5;
		#endif
			return helper(x) + helper(2);
		}
		int bar(int x)
		{
		#ifdef PATCHED
			x += 5;
		#endif
			return x;
		}
	EOT
	given_symbols orig.o helper
	printf 'kpatch-symtab\t1\nobject\tpatched_mod\n' > symtab
	printf 'sym\t0\t%s\t%s\t%s%s\n' T foo .text '' T bar .text $'\t2' t helper .text $'\t2' >> symtab
	{ OBJNAME=vmlinux symtab_header; ksym_lines <<< 'T nothing'; } > vmlinux.symtab
	cdo 2 --vmlinux-symtab vmlinux.symtab
	messages <<-'EOT'
		refused: file.c: bar(): its position among those of its name changes while the module patched_mod is loaded; patch its callers instead
		refused: file.c: foo(): refers to helper, whose position among those of its name changes while the module patched_mod is loaded; avoid the reference, or give the code what it needs as a copy
	EOT
}

@test "a new reference to a module that the patched one doesn't depend on" {
	OBJNAME=patched_mod
	pair <<-'EOT'
		int other_export(int), other_second(int), third_export(int);
		int foo(int x)
		{
		#ifdef PATCHED
			x += third_export(x) + other_second(x);
		#endif
			return x + 1;
		}
		int bar(int x) { return other_export(x); }
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: foo(): a new reference to third_export of the module third, on which patched_mod does not depend: it may be missing when patched_mod is loaded; use symbol_get() or leave this part out
		refused: file.c: foo(): refers to other_second of the module other_mod, whose symbol table is not known; give the directory with it as --module-symtabs
	EOT
	module_symtabs
	cdo 2
	messages <<-'EOT'
		refused: file.c: foo(): a new reference to third_export of the module third, on which patched_mod does not depend: it may be missing when patched_mod is loaded; use symbol_get() or leave this part out
	EOT
	cdo 0 --depends abc,third,xyz
	no_messages
	changes <<-'EOT'
		function foo 1
		klp other_mod other_second 1
		klp third third_export 1
	EOT
	cdo 2 --depends thir,third2
}

@test "code of vmlinux cannot refer to a module's export" {
	pair <<-'EOT'
		int other_export(int);
		int foo(int x)
		{
		#ifdef PATCHED
			x += other_export(x);
		#endif
			return x + 1;
		}
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: foo(): refers to other_export, which the module other_mod exports; code of the kernel itself cannot depend on a module
	EOT
}

@test "entries of tables that refer to the end of a function, of its section and of a variable's" {
	asm <<-'EOT'
		.section .data..keys, "aw"
		.type key, @object
		.size key, 8
		key:	.quad 0
		.type empty, @object
		.size empty, 0
		empty:
		.globl foo
		function foo
		#ifdef PATCHED
			nop
		#endif
			call external
		.Lend_foo:
		end foo
		.section __jump_table, "aw"
		.long foo + 5 - ., .Lend_foo - .
		.quad empty - .
		.section .static_call_sites, "aw"
		.long foo + 6 - ., empty + 2 - .
		.section .orc_unwind_ip, "a"
		.long foo - ., .Lend_foo - .
		.section .orc_unwind, "a"
		.word 1, 2, 3, 0, 0, 0
	EOT
	given [ "$(bytes patched.o .text.foo | wc -c)" = $((2 * 11 + 1)) ]
	ksyms T external
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		klp vmlinux empty 0
		klp vmlinux external 0
	EOT
	relocs __jump_table .static_call_sites .orc_unwind_ip <<-'EOT'
		__jump_table 0x0 PC32 foo 5
		__jump_table 0x4 PC32 foo 11
		__jump_table 0x8 PC64 .kpatch.sym.vmlinux.vmlinux.empty,0 0
		.static_call_sites 0x0 PC32 foo 6
		.static_call_sites 0x4 PC32 .kpatch.sym.vmlinux.vmlinux.empty,0 2
		.orc_unwind_ip 0x0 PC32 .text.foo 0
		.orc_unwind_ip 0x4 PC32 .text.foo 11
	EOT
	# The end is an end once.
	[ "$(bytes output.o .orc_unwind)" = 010002000300000000000000 ]
}

@test "a reference to a weak function means the definition that the kernel runs" {
	asm <<-'EOT'
		.weak report
		function report
			ret
		end report
		.globl foo
		function foo
		#ifdef PATCHED
			nop
		#endif
			call report
			mov $report, %rdi
			ret
		end foo
	EOT
	for letter in T W; do
		symtab <<< $'t report\nT foo\n'"$letter report"
		cdo 0
		changes <<-'EOT'
			function foo 0
			klp vmlinux report 2
		EOT
		relocs .text.foo <<-'EOT'
			.text.foo 0x1 PLT32 __fentry__ -4
			.text.foo 0x7 PLT32 .kpatch.sym.vmlinux.vmlinux.report,2 -4
			.text.foo 0xe 32S .kpatch.sym.vmlinux.vmlinux.report,2 0
		EOT
	done
}

@test "a weak reference that nothing defines is refused" {
	pair <<-'EOT'
		int __attribute__((weak)) nowhere(int);
		int foo(int x)
		{
		#ifdef PATCHED
			x += 5;
		#endif
			return nowhere ? nowhere(x) : x;
		}
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: foo(): refers to nowhere, which is neither exported nor in the kernel's symbol table; is it from another configuration?
	EOT
}

@test "the text of readelf -sW is a symbol table, too: vmlinux in the order of addresses" {
	pair <<-'EOT'
		static noinline int helper(int x)
		{
		#ifdef PATCHED
			x += 5;
		#endif
			barrier();
			return x + 1;
		}
		static int state;
		int foo(int x) { return helper(x) + helper(2) + state++; }
	EOT
	cat > symtab <<-'EOT'

		Symbol table '.symtab' contains 7 entries:
		   Num:    Value          Size Type    Bind   Vis      Ndx Name
		     0: 0000000000000000     0 NOTYPE  LOCAL  DEFAULT  UND
		     1: 0000000000000000     0 FILE    LOCAL  DEFAULT  ABS helper
		     2: ffffffff81000000     0 SECTION LOCAL  DEFAULT    1 helper
		     3: ffffffff81000300    16 FUNC    LOCAL  DEFAULT    1 helper
		     4: ffffffff81000200    16 OBJECT  GLOBAL DEFAULT    2 helper
		     5: ffffffff81000100    16 FUNC    GLOBAL DEFAULT    1 helper
		     6: ffffffff81000400    16 FUNC    GLOBAL DEFAULT    1 foo
	EOT
	cdo 0
	changes <<-'EOT'
		function helper 3
	EOT
	OBJNAME=some_module
	cdo 0
	changes <<-'EOT'
		function helper 1
	EOT
}

@test "a reference into the middle of a function means that version of it" {
	asm <<-'EOT'
		.globl foo
		function foo
		#ifdef PATCHED
			nop
		#endif
			lea 1f(%rip), %rax
			mov $1f, %rdi
			mov .Ltable(,%rdi,8), %rsi
		1:	ret
		end foo
		.section .rodata.foo, "a"
		.Ltable: .quad 1b
	EOT
	cdo 0
	relocs .text.foo .rodata.foo <<-'EOT'
		.text.foo 0x1 PLT32 __fentry__ -4
		.text.foo 0x10 32S foo 28
		.text.foo 0x18 32S .rodata.foo 0
		.rodata.foo 0x0 64 foo 28
	EOT
}
