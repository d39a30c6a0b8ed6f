#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: why each function changed, as its report and its messages say.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr
# shellcheck disable=SC2034 # what the fixtures read

bats_require_minimum_version 1.5.0
load diff-fixtures

# because FUNCTION [SED_SCRIPT]: compares what is said to people of a changed function with standard input.
because()
{
	diff -u - <(sed -n "s/^create-diff-object: file.c: changed function[^:]*: $1: //p" <<< "$output")
}

@test "source lines of it changed: those that the author knows, in one hunk and in several" {
	version original <<-'EOT'
		int before(int x)
		{
			return x;
		}

		int foo(int x)
		{
			x += 1;
			barrier();
			x *= 3;
			return x;
		}
	EOT
	version patched <<-'EOT'
		int before(int x)
		{
			/* One
			 * two
			 * three */
			return x;
		}

		int foo(int x)
		{
			x += 2;
			x += x;
			barrier();
			x *= 5;
			return x;
		}
	EOT
	tree_pair
	cdo 0
	changes <<< 'function foo 0'
	reasons <<-'EOT'
		why foo lines - file.c:11-12 file.c:11-12 changed
		why foo lines - file.c:14 file.c:14 changed
	EOT
	because foo <<< 'file.c:11-12 changed; file.c:14 changed'
}

@test "lines were removed: they are those of the original" {
	version original <<-'EOT'
		int foo(int x)
		{
			if (x)
				x *= 2;
			barrier();
			return x;
		}
	EOT
	version patched <<-'EOT'
		int foo(int x)
		{
			barrier();
			return x;
		}
	EOT
	tree_pair
	cdo 0
	reasons <<< 'why foo lines - file.c:3-4 file.c:3-4 removed'
}

@test "lines without code of their own: a declaration, and what stands in front of the function's name" {
	version original <<-'EOT'
		int foo(int x)
		{
			unsigned char y;

			barrier();
			y = x;
			return y;
		}

		__attribute__((optimize("O2")))
		int bar(int x)
		{
			return x * 3;
		}
	EOT
	sed 's/unsigned char/unsigned short/; s/O2/O0/' tree-original/file.c | version patched
	tree_pair
	cdo 0
	reasons <<-'EOT'
		why bar lines - file.c:10 file.c:10 changed
		why foo lines - file.c:3 file.c:3 changed
	EOT
}

@test "without the sources it is known which lines have code" {
	version original <<-'EOT'
		int foo(int x)
		{
			barrier();
			return x * 3;
		}
	EOT
	version patched <<-'EOT'
		int foo(int x)
		{
			barrier();
			return x * 5;
		}
	EOT
	tree_pair
	CDO_OPTIONS=(--changed-lines changed-lines)
	cdo 0
	reasons <<< 'why foo lines - file.c:4 file.c:4 changed'
}

# inlined CONSTANT: helper() in a header, inlined into mid(), and that into foo() and bar().
inlined()
{
	version "$1" include/helper.h <<-EOT
		/* The header's lines count. */
		static inline __attribute__((always_inline))
		int helper(int x)
		{
			return x * $2;
		}
	EOT
	version "$1" <<-'EOT'
		#include "include/helper.h"
		static inline __attribute__((always_inline)) int mid(int x)
		{
			barrier();
			return helper(x) + 1;
		}

		int foo(int x)
		{
			return mid(x);
		}

		int bar(int x)
		{
			return helper(x);
		}

		int other(int x)
		{
			return x;
		}
	EOT
}

@test "a function is inlined into it, directly and by way of another one" {
	inlined original 3
	inlined patched 5
	tree_pair
	cdo 0
	changes <<-'EOT'
		function foo 0
		function bar 0
	EOT
	reasons <<-'EOT'
		why foo inline helper include/helper.h:3 helper() at include/helper.h:3 is inlined into it through mid() at file.c:2
		why bar inline helper include/helper.h:3 helper() at include/helper.h:3 is inlined into it
	EOT
}

@test "what is inlined is told once, at its new place, if lines are added in front of it, too" {
	inlined original 3
	inlined patched 5
	sed -i 's/^static inline __attr.* int mid/enum { FIRST };\nenum { SECOND };\n&/; s/helper(x) + 1/helper(x) + 2/' tree-patched/file.c
	tree_pair
	cdo 0
	reasons <<-'EOT'
		why foo inline mid file.c:4 mid() at file.c:4 is inlined into it
		why foo inline helper include/helper.h:3 helper() at include/helper.h:3 is inlined into it through mid() at file.c:4
		why bar inline helper include/helper.h:3 helper() at include/helper.h:3 is inlined into it
	EOT
}

@test "a function of which the compiler left no trace is inlined if the source names it and the code does not" {
	inlined original 3
	inlined patched 5
	tree_pair -gno-statement-frontiers -fno-var-tracking
	given [ "$(readelf --debug-dump=info patched.o | grep -c DW_TAG_inlined_subroutine)" -lt 3 ]
	cdo 0
	reasons <<-'EOT'
		why foo inline helper include/helper.h:3 helper() at include/helper.h:3 is inlined into it
		why bar inline helper include/helper.h:3 helper() at include/helper.h:3 is inlined into it
	EOT
}

@test "what was inlined is so no more, as it has changed" {
	version original <<-'EOT'
		static inline __attribute__((always_inline)) int helper(int x)
		{
			return x * 3;
		}

		int foo(int x)
		{
			return helper(x) + 1;
		}
	EOT
	sed 's/inline __attribute__((always_inline))/noinline/' tree-original/file.c | version patched
	tree_pair
	cdo 0
	reasons <<-'EOT'
		why helper new helper - was inlined wherever it was called, or not used
		why foo inline helper file.c:1 helper() at file.c:1 was inlined into it
	EOT
}

@test "the compiler inlines something else, though neither of both changed" {
	version original <<-'EOT'
		extern int a[];
		static int helper(int x)
		{
			for (int i = 0; i < x; i++)
				a[i] = _printk("%d", x + a[i]) + _printk("%x", a[x]);
			return x;
		}

		int foo(int x)
		{
			return helper(x) + 1;
		}

		int bar(int x)
		{
			return x;
		}
	EOT
	sed '/^int bar/,$s/return x;/return helper(x + 2) + 3;/' tree-original/file.c | version patched
	tree_pair
	ksyms D a
	cdo 0
	reasons <<-'EOT'
		why helper new helper - was inlined wherever it was called, or not used
		why foo inlining helper - the compiler no longer inlines helper() into it
		why bar lines - file.c:16 file.c:16 changed
	EOT
}

@test "new functions, and what the compiler made of old ones" {
	version original <<-'EOT'
		static noinline int helper(int x)
		{
			return _printk("%d", x);
		}
		int foo(int x)
		{
			return helper(x);
		}
		EOT
	version patched <<-'EOT'
		static noinline int helper(int x)
		{
			return _printk("%d", x);
		}
		static noinline int fresh(int x)
		{
			return _printk("%x", x);
		}
		int foo(int x)
		{
			return helper(x) + fresh(x);
		}
	EOT
	tree_pair
	cdo 0
	reasons <<-'EOT'
		why fresh new - - new
		why foo lines - file.c:11 file.c:11 changed
	EOT
	infos <<-'EOT'
		file.c: new function: fresh
		file.c: changed function: foo: file.c:11 changed
	EOT
}

@test "its cold part alone differs" {
	version original <<-'EOT'
		void panic_now(void) __attribute__((cold));
		extern int state;
		int foo(int x)
		{
			if (x == 5) {
				panic_now();
				state = 71;
				return 3;
			}
			return x + 1;
		}
	EOT
	sed 's/71/17/' tree-original/file.c | version patched
	tree_pair
	ksyms T panic_now D state
	given_symbols patched.o foo.cold
	cdo 0
	reasons <<-'EOT'
		why foo lines - file.c:7 file.c:7 changed
		why foo cold foo.cold - only its cold part foo.cold differs
	EOT
}

@test "a constant that it refers to changed; it itself did not" {
	version original <<-'EOT'
		static const int table[8] = { 1, 2, 3, 4, 5 };
		int foo(int x)
		{
			return table[x];
		}
	EOT
	sed 's/3,/33,/' tree-original/file.c | version patched
	tree_pair
	cdo 0
	reasons <<< 'why foo constant table - the constant table changed'
}

@test "it calls what ftrace cannot redirect" {
	version original <<-'EOT'
		static noinline notrace int helper(int x)
		{
			return x * 3;
		}
		int foo(int x)
		{
			return helper(x);
		}
	EOT
	sed 's/3/5/' tree-original/file.c | version patched
	tree_pair
	cdo 0
	reasons <<-'EOT'
		why helper lines - file.c:3 file.c:3 changed
		why foo carried helper - it calls helper(), which changed and which ftrace cannot redirect
	EOT
	because helper <<< 'file.c:3 changed'
}

# using DEFINITION OLD NEW EXPRESSION: foo() returns the expression, and something in a header changed.
using()
{
	version original include/defs.h <<< "$1"
	version patched include/defs.h <<< "${1//$2/$3}"
	for side in original patched; do
		version $side <<-EOT
			#include "include/defs.h"
			int foo(int x)
			{
				return $4;
			}
		EOT
	done
	tree_pair
	cdo 0
}

@test "a macro changed that it uses, of a header or of lines that go on" {
	using $'#define OTHER 7\n#define SCALE 3' 'SCALE 3' 'SCALE 5' 'x * SCALE'
	reasons <<< 'why foo macro SCALE include/defs.h:2 it uses the macro SCALE, changed at include/defs.h:2'
	using $'#define OTHER 7\n#  define SCALE(x)\t\\\n\t((x) * \\\n\t 3)' ' 3)' ' 5)' 'SCALE(x)'
	reasons <<< 'why foo macro SCALE include/defs.h:4 it uses the macro SCALE, changed at include/defs.h:4'
}

@test "something else changed that its source names" {
	CDO_OPTIONS=('--allow-layout=enum { RED, ... }')
	using $'enum {\n\tRED = 3,\n\tBLUE = 9,\n};' 'RED = 3' 'RED = 5' 'x * RED + BLUE'
	reasons <<< 'why foo name RED include/defs.h:2 it uses RED, which is declared on changed lines (include/defs.h:2)'
}

@test "a type changed that it uses, itself or within another one, and nothing that its source names" {
	CDO_OPTIONS=('--allow-layout=struct s' '--allow-layout=enum e')
	using $'struct s {\n\tint a;\n\tint b;\n};\nstruct t {\n\tstruct s s;\n};' $'\tint a;\n' $'\tlong c;\n\tint a;\n' \
		'((struct t *)(long)x)->s.b'
	reasons <<< 'why foo seen - include/defs.h:2 include/defs.h:2 changed, outside of functions, and its code differs, at +0x8 "movl 0xc(%rdi), %eax" instead of "movl 4(%rdi), %eax"'
	using $'struct s {\n\tint a;\n\tint b;\n};\nstruct t {\n\tstruct s s;\n};' $'\tint a;\n' $'\tlong c;\n\tint a;\n' \
		'({ struct t *t = (void *)(long)x; t->s.b; })'
	reasons <<< 'why foo layout struct s include/defs.h:1 it uses struct s (include/defs.h:1), whose layout changed'
	because foo <<< 'it uses struct s (include/defs.h:1), whose layout changed'
	using $'enum e {\n\tRED = 3,\n};\nextern enum e best;\n#define BEST() RED' 'RED = 3' 'RED = 5' \
		'({ enum e e = BEST(); (int)e + x; })'
	reasons <<< 'why foo layout enum e include/defs.h:1 it uses enum e (include/defs.h:1), whose values changed'
}

@test "what changed outside of functions may matter by way of something else" {
	using $'#define DEEP 3\n#define SCALE DEEP' 'DEEP 3' 'DEEP 5' 'x * SCALE'
	reasons <<< 'why foo seen - include/defs.h:1 include/defs.h:1 changed, outside of functions, and its code differs, at +0x5 "leal (%rdi, %rdi, 4), %eax" instead of "leal (%rdi, %rdi, 2), %eax"'
}

# noise SED_SCRIPT: foo() calls helper(), and its code differs though the same source is compiled; what the patch changes.
noise()
{
	version original <<-'EOT'
		static noinline int helper(int x)
		{
			return _printk("%d", x + 1);
		}
		int foo(int x)
		{
			return helper(x + NOISE);
		}
		int other(int x)
		{
			/* One. */
			return x;
		}
		int proto(int x);
	EOT
	sed "$1" tree-original/file.c | version patched
	tree_pair -DNOISE=1
	(cd tree-patched && compile ../patched.o file.c -include ../prelude.h -g "-fdebug-prefix-map=$PWD=." -DNOISE=2)
	cdo 0
}

@test "compiler noise: the first instruction that differs" {
	noise s/One/Two/
	reasons <<< 'why foo noise - - compiler noise: the same source, other code, at +0x9 "addl $2, %edi" instead of "addl $1, %edi"'
}

@test "the parameter of a prototype that changed is not what a function means by that name" {
	noise 's/proto(int x)/proto(long x)/'
	reasons <<< 'why foo seen - file.c:14 file.c:14 changed, outside of functions, and its code differs, at +0x9 "addl $2, %edi" instead of "addl $1, %edi"'
}

@test "compiler noise, and it calls a function that changed" {
	noise 's/x + 1)/x + 2)/'
	reasons <<-'EOT'
		why helper lines - file.c:3 file.c:3 changed
		why foo noise helper - compiler noise: the same source, other code, perhaps because helper() that it calls changed, at +0x9 "addl $2, %edi" instead of "addl $1, %edi"
	EOT
}

@test "without debugging information, or without knowing what the patch changes, the code differs" {
	noise s/One/Two/
	CDO_OPTIONS=()
	cdo 0
	reasons <<< 'why foo code - - its code differs, at +0x9 "addl $2, %edi" instead of "addl $1, %edi"'
	[[ $output == "create-diff-object: file.c: changed function: foo"$'\n'* ]]
	strip --strip-debug orig.o patched.o
	CDO_OPTIONS=(--changed-lines changed-lines --trees tree-)
	cdo 0
	reasons <<< 'why foo code - - its code differs, at +0x9 "addl $2, %edi" instead of "addl $1, %edi"'
}

# far REPEAT: foo() branches over that many instructions, behind which one is added if PATCHED is defined.
far()
{
	asm_pair <<-EOT
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:	call __fentry__
			je 1f
			.rept $1
			incl %eax
			.endr
		#ifdef PATCHED
			decl %eax
		#endif
		1:	jne 1b
		#ifdef LOOP
			je foo
		#else
			je 1b
		#endif
			ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad foo
	EOT
}

@test "the first difference is what was added, however far behind, and not the branch over it" {
	for n in 10 255 256 3000; do
		far "$n"
		cdo 0
		[[ $(grep '^why' report) =~ ', at +0x'[0-9a-f]+' "decl %eax" instead of "nothing"'$ ]]
	done
}

@test "a branch to another place, if nothing else differs" {
	far 10
	compile patched.o file.S -DLOOP
	cdo 0
	[[ $(grep '^why' report) == *', at +0x1d "je +0x0" instead of "je +0x1b"' ]]
}

@test "a changed entry of a table, and no instruction" {
	asm_pair <<-'EOT'
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:	call __fentry__
		1:	lock incl counter(%rip)
		2:	lock incl counter(%rip)
			ret
		.size foo, . - foo
		.section .smp_locks, "a"
		#ifdef PATCHED
		.long 2b - .
		#else
		.long 1b - .
		#endif
		.section __mcount_loc, "a"
		.quad foo
	EOT
	ksyms D counter
	cdo 0
	reasons <<< 'why foo code - - its code differs, in the tables that describe it (jump labels, alternatives, bugs)'
}

@test "functions that moved between sections, and that are gone" {
	pair <<-'EOT'
		#ifdef PATCHED
		__attribute__((cold)) int moved(int x) { return x + 2; }
		int foo(int x) { return x + 3; }
		#else
		int moved(int x) { return x + 2; }
		static noinline int gone(int x) { return _printk("%d", x); }
		int foo(int x) { return gone(x); }
		#endif
	EOT
	cdo 0
	reasons <<-'EOT'
		why foo code - - its code differs, at +0x5 "leal 3(%rdi), %eax" instead of "subq $8, %rsp"
		moved moved .text .text.unlikely
		removed gone
	EOT
}

@test "a list of changed lines that is none is an error" {
	pair <<< 'int foo(int x) { return x; }'
	echo 'file.c 1 2' > changed-lines
	cdo 1 --changed-lines changed-lines
	messages <<< 'error: changed-lines: not a list of changed lines; make it with kpatch-build'
	cdo 1 --changed-lines none
	messages <<< 'error: none: No such file or directory; is the path right?'
}
