#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object --explain: both versions of a function side by side.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr
# shellcheck disable=SC2034 # what the fixtures read
# shellcheck disable=SC2030,SC2031 # each test is a subshell

bats_require_minimum_version 1.5.0
load diff-fixtures

# explain CODE FUNCTION...: nothing is written, whatever comes out.
explain()
{
	local code=$1 name names=()
	shift
	for name; do
		names+=(--explain "$name")
	done
	rm -f output.o report
	run --separate-stderr env -u COLUMNS ${WIDTH:+COLUMNS=$WIDTH} "$CDO" --report report --source file.c "${CDO_OPTIONS[@]}" \
		"${names[@]}" orig.o patched.o "$OBJNAME" symtab symvers livepatch_test output.o
	((status == code)) || { echo "exit status $status, expected $code"; echo "$stderr$output"; return 1; }
	nothing_left_behind
}

shown()
{
	diff -u - <(printf '%s\n' "$output")
}

# The example of most tests: a call more, and what stands behind it moves.
example()
{
	asm_pair "$@" <<-'EOT'
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:	call __fentry__
			mov counter(%rip), %eax
			test %eax, %eax
			je 1f
			mov $text, %rdi
		#ifdef PATCHED
			movq $table+8, counter+4(%rip)
			call _printk
		#else
			call other
		#endif
			.byte 0x06
			rdsspq %rax
		1:	mov %gs:percpu, %rax
			jmp foo
		.size foo, . - foo
		.globl same
		.section .text.same, "ax"
		.type same, @function
		same:	call __fentry__
			ret
		.size same, . - same
		.section .rodata.str1.1, "aMS", @progbits, 1
		text:	.asciz "a \"text\" of more than forty characters\n\001 in all"
		.section __mcount_loc, "a"
		.quad foo, same
		#ifdef PATCHED
		.section .data.table, "aw"
		.type table, @object
		table:	.quad 1, 2
		.size table, . - table
		#endif
	EOT
	ksyms D counter A percpu T other
}

@test "a changed function: what is the same, what differs, what is there once; all that they refer to" {
	example
	explain 0 foo
	[ -z "$stderr" ]
	shown <<-'EOT'
		foo() of file.c: changed
		  its code differs, at +0x16 "movq $table+0x8, counter+0x4(%rip)" instead of "callq other"

		original                                                                 patched
		    0  callq __fentry__                                                      0  callq __fentry__
		    5  movl counter(%rip), %eax                                              5  movl counter(%rip), %eax
		    b  testl %eax, %eax                                                      b  testl %eax, %eax
		    d  je +0x21                                                              d  je +0x2c
		    f  movq $"a \"text\" of more than forty characters\n\001...", %rdi       f  movq $"a \"text\" of more than forty characters\n\001...", %rdi
		   16  callq other                                                     |    16  movq $table+0x8, counter+0x4(%rip)
		                                                                       >    21  callq _printk
		   1b  .byte 0x06                                                           26  .byte 0x06
		   1c  rdsspq %rax                                                          27  rdsspq %rax
		   21  movq %gs:percpu, %rax                                                2c  movq %gs:percpu, %rax
		   2a  jmp +0x0                                                             35  jmp +0x0
	EOT
}

@test "a function that did not change is shown once, and so is what one version has only" {
	example
	explain 0 same
	shown <<-'EOT'
		same() of file.c: did not change

		    0  callq __fentry__
		    5  retq
	EOT
	pair <<-'EOT'
		#ifdef PATCHED
		int fresh(int x) { return x + 2; }
		#else
		int gone(int x) { return x + 3; }
		#endif
		int foo(int x) { return x; }
	EOT
	explain 0 fresh gone
	shown <<-'EOT'
		fresh() of file.c: new

		    0  callq __fentry__
		    5  leal 2(%rdi), %eax
		    8  retq

		gone() of file.c: removed

		    0  callq __fentry__
		    5  leal 3(%rdi), %eax
		    8  retq
	EOT
}

@test "a narrow screen: both columns are wrapped" {
	example
	WIDTH=66 explain 0 foo
	diff -u - <(sed -n '5,12p' <<< "$output") <<-'EOT'
		    0  callq __fentry__               0  callq __fentry__
		    5  movl counter(%rip), %eax       5  movl counter(%rip), %eax
		    b  testl %eax, %eax               b  testl %eax, %eax
		    d  je +0x21                       d  je +0x2c
		    f  movq $"a \"text\" of mor       f  movq $"a \"text\" of mor
		         e than forty character            e than forty character
		         s\n\001...", %rdi                 s\n\001...", %rdi
		   16  callq other              |    16  movq $table+0x8, counter
	EOT
	((66 >= $(wc -L <<< "$(sed 1,3d <<< "$output")")))
	# Nothing is that narrow.
	WIDTH=1 explain 0 foo
	((43 >= $(wc -L <<< "$(sed 1,3d <<< "$output")")))
}

@test "branches inside of the function differ if they lead to other places" {
	asm_pair <<-'EOT'
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:	call __fentry__
		#ifdef PATCHED
			nop
			je 2f
		#else
			je 1f
		#endif
		1:	inc %eax
		2:	jne 1b
			ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad foo
	EOT
	explain 0 foo
	diff -u - <(sed -n '4,$p' <<< "$output") <<-'EOT'
		original                                           patched
		    0  callq __fentry__                                0  callq __fentry__
		                                                 >     5  nop
		    5  je +0x7                                   |     6  je +0xa
		    7  incl %eax                                       8  incl %eax
		    9  jne +0x7                                        a  jne +0x8
		    b  retq                                            c  retq
	EOT
}

@test "source lines, as their author counts them, those of inlined functions, and the cold part" {
	version original include/helper.h <<-'EOT'
		static inline int helper(int x)
		{
			return x * 3;
		}
	EOT
	version original <<-'EOT'
		#include "include/helper.h"
		void panic_now(void) __attribute__((cold));
		int foo(int x)
		{
			if (x == 5)
				panic_now();
			_printk("%x", x);
			return helper(x);
		}
	EOT
	version patched include/helper.h < tree-original/include/helper.h
	sed '2i/* More\n\tlines. */' tree-original/file.c | sed 's/%x/%d/; s/x == 5/x == 7/' | version patched
	tree_pair
	ksyms T panic_now
	explain 0 foo
	given_symbols patched.o foo.cold
	shown <<-'EOT'
		foo() of file.c: changed
		  file.c:7 changed
		  file.c:9 changed

		original                                           patched
		file.c:6: {
		    0  callq __fentry__                                0  callq __fentry__
		    5  pushq %rbx                                      5  pushq %rbx
		    6  movl %edi, %ebx                                 6  movl %edi, %ebx
		file.c:5: if (x == 5)                              file.c:7: if (x == 7)
		    8  cmpl $5, %edi                             |     8  cmpl $7, %edi
		    b  je foo.cold                                     b  je foo.cold
		file.c:7: _printk("%x", x);                        file.c:9: _printk("%d", x);
		   11  movl %ebx, %esi                                11  movl %ebx, %esi
		   13  movq $"%x", %rdi                          |    13  movq $"%d", %rdi
		   1a  xorl %eax, %eax                                1a  xorl %eax, %eax
		   1c  callq _printk                                  1c  callq _printk
		include/helper.h:3 in helper(): return x * 3;
		   21  leal (%rbx, %rbx, 2), %eax                     21  leal (%rbx, %rbx, 2), %eax
		file.c:11: }
		   24  popq %rbx                                      24  popq %rbx
		   25  retq                                           25  retq

		foo.cold()

		original                                           patched
		file.c:8: panic_now();
		    0  callq panic_now                                 0  callq panic_now
		    5  jmp foo+0x11                                    5  jmp foo+0x11
	EOT
}

@test "clones are found by the function's name, and changed functions by the name of the original" {
	asm_pair <<-'EOT'
		.macro function name constant
		.section .text.\name, "ax"
		.type \name, @function
		\name:	call __fentry__
			mov $\constant, %eax
			ret
		.size \name, . - \name
		.pushsection __mcount_loc, "a"
		.quad \name
		.popsection
		.endm
		#ifdef PATCHED
		function foo.isra.5 2
		#else
		function foo.isra.3 1
		#endif
		function foo.constprop.0 7
		function food 7
	EOT
	explain 0 foo
	[ "$(grep ' of file.c: ' <<< "$output")" = "foo.isra.3() of file.c: changed
foo.constprop.0() of file.c: did not change" ]
	explain 0 foo.isra.3
	[ "$(grep -c ' of file.c: ' <<< "$output")" = 1 ]
	explain 0 foo.isra.5
	[ "$(grep ' of file.c: ' <<< "$output")" = "foo.isra.3() of file.c: changed" ]
}

@test "the prefix of a function is shown if it differs" {
	local filler
	for filler in 0x90 0xcc; do
		asm_pair -DFILLER=$filler <<-'EOT'
			.section .text.foo, "ax"
			.type __pfx_foo, @function
			__pfx_foo:
				nop
			#ifdef PATCHED
				.byte FILLER
			#else
				nop
			#endif
			.size __pfx_foo, 2
			.globl foo
			.type foo, @function
			foo:	call __fentry__
			#ifdef PATCHED
				incl %eax
			#endif
				ret
			.size foo, . - foo
			.section __mcount_loc, "a"
			.quad foo
		EOT
		explain 0 foo
		sed -n '5p' <<< "$output"
		if [ $filler = 0x90 ]; then
			[ "$(sed -n '5p' <<< "$output")" = "    0  callq __fentry__                                0  callq __fentry__" ]
		else
			[ "$(sed -n '5p' <<< "$output")" = "-   1  nop                                       | -   1  int3" ]
		fi
	done
}

@test "what the compiler numbers is the same under another number" {
	asm_pair <<-'EOT'
		#ifdef PATCHED
		#define COUNT count.5
		#else
		#define COUNT count.3
		#endif
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:	call __fentry__
			incl COUNT(%rip)
		#ifdef PATCHED
			nop
		#endif
			ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad foo
		.section .bss.COUNT, "aw", @nobits
		.type COUNT, @object
		COUNT:	.zero 4
		.size COUNT, 4
	EOT
	explain 0 foo
	diff -u - <(sed -n '4,$p' <<< "$output") <<-'EOT'
		original                                           patched
		    0  callq __fentry__                                0  callq __fentry__
		    5  incl count.3(%rip)                              5  incl count.5(%rip)
		                                                 >     b  nop
		    b  retq                                            c  retq
	EOT
}

@test "a function without code of its own, and one that is none" {
	pair -g <<-'EOT'
		static inline int helper(int x) { return x * 5; }
		int foo(int x) { return helper(x) + 1; }
		int bar(int x) { return helper(x) + 2; }
	EOT
	explain 1 helper nothing foo
	messages <<-'EOT'
		error: file.c: helper() has no code of its own, it is inlined into foo(), bar(); give one of these
		error: file.c: has no function nothing(); give one that it defines
	EOT
	[[ $output == "foo() of file.c: did not change"* ]]
}

# on_terminal [VARIABLE=VALUE]...: what a terminal of 100 columns would get.
on_terminal()
{
	env -u NO_COLOR -u COLUMNS TERM=xterm "$@" script -qec "stty cols 100; '$CDO' --source file.c --explain foo orig.o patched.o vmlinux symtab symvers x output.o" \
		/dev/null < /dev/null | tr -d '\r'
}

@test "colours on a terminal that wants them, and its width" {
	example
	run on_terminal
	[[ $output == *$'\n\e[31m   16  callq other\e[0m                               \e[33m|\e[0m \e[32m   16  movq $table+0x8, counter+0x4(%rip)\e[0m\n'* ]]
	[[ $output == $'\e[1mfoo()\e[0m of file.c: changed\n'* ]]
	for setting in NO_COLOR=1 TERM=dumb; do
		run on_terminal "$setting"
		[[ $output != *$'\e'* ]]
		[[ $output == *$'\n   16  callq other                               |    16  movq $table+0x8, counter+0x4(%rip)\n'* ]]
	done
	run on_terminal NO_COLOR=
	[[ $output == *$'\e[31m'* ]]
}

@test "what is shown has no control characters of the objects and sources" {
	for side in original patched; do
		printf 'int foo(int x)\n{\n\treturn _printk("a"); /* \e[2J\tx */\n}\n' | version $side
	done
	tree_pair
	explain 0 foo
	[[ $output == *'file.c:3: return _printk("a"); /* ?[2J x */'* ]]
	CDO_OPTIONS=()
	pair <<-'EOT'
		extern int bad;
		int foo(int x) { return bad; }
	EOT
	for object in orig.o patched.o; do
		objcopy --redefine-sym "bad=bad"$'\e'"[2Jname" $object
	done
	symtab <<< 'T foo'
	explain 0 foo
	[[ $output == *'movl bad?[2Jname(%rip), %eax'* ]]
}
