#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: how the votes of those that refer to numbered things are counted.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr
# shellcheck disable=SC2034 # what the fixtures read

bats_require_minimum_version 1.5.0
load diff-fixtures

# Functions of assembler, and variables v.N. V(A, B) is the one that the compiler numbered A, and B in the patched file.
MACROS='
	#ifdef PATCHED
	#define V(a, b) v.##b
	#else
	#define V(a, b) v.##a
	#endif
	#define X V(1, 1)
	#define Y V(2, 2)
	#define Z V(3, 3)
	.macro function name
	.section .text.\name, "ax"
	.globl \name
	function_here \name
	.endm
	.macro function_here name
	.type \name, @function
	\name:
	.Lentry_\name:
		call __fentry__
		.pushsection __mcount_loc, "a"
		.quad .Lentry_\name
		.popsection
	.endm
	.macro end name
		ret
		.size \name, . - \name
	.endm
	.macro variable name, size=4
	.section .bss.\name, "aw", @nobits
	.type \name, @object
	.size \name, \size
	\name:	.zero \size
	.endm
	.macro variables names:vararg
	.irp name, \names
	variable \name
	.endr
	.endm
'

# votes: the source on standard input.
votes()
{
	{ printf '%s' "$MACROS"; cat; } > votes.S
	asm_pair < votes.S
}

# refers FUNCTION NAME...: what of the running kernel's numbered variables the new FUNCTION refers to, in order.
refers()
{
	reloc_list output.o | sed -n "s/^\.text\.$1 [^ ]* [^ ]* \.kpatch\.sym\.vmlinux\.vmlinux\.\([a-z]*\.[0-9]*\),0 .*/\1/p" |
		diff -u - <(printf '%s\n' "${@:2}")
}

# doubts NAME...: refused for doubts about these, and nothing else is said.
doubts()
{
	cdo 2
	printf "%s\n" "$@" |
		sed "s/.*/refused: file.c: &: cannot tell which & of the original this is; give the variables or functions of this name different names/" |
		messages
}

@test "who is sure once others are known outvotes who is not" {
	# foo() alone would exchange the two; what bar() says of the third one makes it sure of the first.
	votes <<-'EOT'
		function foo
		#ifdef PATCHED
			incl Y(%rip)
			decl X(%rip)
		#else
			incl X(%rip)
			decl Y(%rip)
		#endif
		end foo
		function bar
			incl X(%rip)
			decl Z(%rip)
		end bar
		variables X, Y, Z
	EOT
	cdo 0
	no_messages
	refers foo v.2 v.1
}

@test "two that are used in another way than those at their places: refused" {
	votes <<-'EOT'
		function foo
		#ifdef PATCHED
			negl X(%rip)
			notl Y(%rip)
		#else
			incl X(%rip)
			decl Y(%rip)
		#endif
		end foo
		variables X, Y
	EOT
	doubts v.1 v.2
}

@test "those left over by one that moved are in order again" {
	votes <<-'EOT'
		function foo
		#ifdef PATCHED
			decl Z(%rip)
		#endif
			incl X(%rip)
			incl Y(%rip)
		#ifndef PATCHED
			decl Z(%rip)
		#endif
		end foo
		variables X, Y
		variable Z, 2
	EOT
	cdo 0
	no_messages
	refers foo v.3 v.1 v.2
}

@test "the part that an instruction uses tells things apart" {
	votes <<-'EOT'
		function foo
		#ifdef PATCHED
			incl 4 + Y(%rip)
			incl X(%rip)
		#else
			incl X(%rip)
			incl 4 + Y(%rip)
		#endif
		end foo
		variable X, 8
		variable Y, 8
	EOT
	cdo 0
	no_messages
	refers foo v.2 v.1
}

@test "cold parts belong to their functions, whatever their order says" {
	# The two clones exchange their numbers and their places.
	votes <<-'EOT'
		.macro clone name, number
		.section .text.\name, "ax"
		function_here \name
			mov $\number, %eax
			jne \name\().cold
		end \name
		.section .text.unlikely.\name, "ax"
		.type \name\().cold, @function
		\name\().cold:
			mov $\number, %ecx
		end \name\().cold
		.endm
		#ifdef PATCHED
		#define ONE clone.isra.1
		#define TWO clone.isra.0
			clone TWO, 2
			clone ONE, 1
		#else
		#define ONE clone.isra.0
		#define TWO clone.isra.1
			clone ONE, 1
			clone TWO, 2
		#endif
		function foo
			call ONE
		end foo
		function bar
			call TWO
		end bar
	EOT
	given_symbols patched.o clone.isra.0.cold clone.isra.1.cold
	cdo 3
	no_messages
}

@test "of two that may be the one that is left, neither is said to be lost" {
	votes <<-'EOT'
		function foo
			incl X(%rip)
		#ifndef PATCHED
			incl Y(%rip)
		#endif
		end foo
		variables X
		#ifndef PATCHED
		variables Y
		#endif
	EOT
	doubts v.1
}

@test "what two take for theirs is refused, and neither of the two is said to be lost" {
	votes <<-'EOT'
		function foo
			incl X(%rip)
		end foo
		function bar
		#ifdef PATCHED
			decl X(%rip)
		#else
			decl Y(%rip)
		#endif
		end bar
		variables X
		#ifndef PATCHED
		variables Y
		#endif
	EOT
	doubts v.1
}

@test "a function and its cold part vote together, by whichever of its names that part is called" {
	local name
	for name in first second; do
		votes <<-EOT
			.globl second
			.set second, first
			function first
			#ifndef PATCHED
				incl V(1, 2)(%rip)
			#endif
				jne $name.cold
			end first
			.section .text.unlikely.$name, "ax"
			.type $name.cold, @function
			$name.cold:
			#ifdef PATCHED
				incl V(1, 2)(%rip)
			#endif
			end $name.cold
			function bar
				incl V(2, 1)(%rip)
			end bar
			variables X, Y
		EOT
		cdo 0
		no_messages
		reloc_list output.o | grep -o 'v\.[0-9],0' | diff -u - <(echo v.1,0)
	done
}
