#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: changes that no livepatch can make, and the way out that it names.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr
# shellcheck disable=SC2034 # what the fixtures read
# shellcheck disable=SC2030,SC2031 # each test is a subshell
# shellcheck disable=SC2001 # sed is clearer

bats_require_minimum_version 1.5.0
load diff-fixtures

@test "a changed initial value of existing data" {
	pair <<-'EOT'
		#ifdef PATCHED
		int value = 2, zero = 3;
		static int hidden = 4;
		#else
		int value = 1, zero;
		static int hidden = 3;
		#endif
		int foo(int x) { return hidden += x; }
	EOT
	cdo 2
	sort <<< "$stderr" > said
	sed 's/^create-diff-object: //' said | diff -u - <(sort <<-'EOT'
		refused: file.c: value: the initial value of existing data changed, which has no effect on the running kernel; set the new value in a pre-patch callback
		refused: file.c: zero: the initial value of existing data changed, which has no effect on the running kernel; set the new value in a pre-patch callback
		refused: file.c: hidden: the initial value of existing data changed, which has no effect on the running kernel; set the new value in a pre-patch callback
	EOT
	)
}

@test "a changed pointer in existing data" {
	pair <<-'EOT'
		int one(int x) { return x; }
		int two(int x) { return x + 1; }
		struct ops { int (*fn)(int); const char *name; };
		#ifdef PATCHED
		struct ops ops = { two, "text" };
		struct ops named = { one, "new name" };
		#else
		struct ops ops = { one, "text" };
		struct ops named = { one, "old name" };
		#endif
		struct ops same = { one, "same" };
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: named: the initial value of existing data changed, which has no effect on the running kernel; set the new value in a pre-patch callback
		refused: file.c: ops: the initial value of existing data changed, which has no effect on the running kernel; set the new value in a pre-patch callback
	EOT
}

@test "data that refers to a changed function is not changed by that" {
	pair <<-'EOT'
		int one(int x)
		{
		#ifdef PATCHED
			return x + 1;
		#else
			return x;
		#endif
		}
		struct ops { int (*fn)(int); };
		struct ops ops = { one };
		const struct ops const_ops = { one };
	EOT
	cdo 0
	changes <<-'EOT'
		function one 0
	EOT
}

@test "a changed size of existing data" {
	pair <<-'EOT'
		#ifdef PATCHED
		int table[5];
		int grown[3] = { 1, 2, 3 };
		#else
		int table[4];
		int grown[2] = { 1, 2 };
		#endif
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: grown: the size of existing data changed from 8 to 12 bytes; keep what is new in a shadow variable or in a new variable
		refused: file.c: table: the size of existing data changed from 16 to 20 bytes; keep what is new in a shadow variable or in a new variable
	EOT
}

@test "a changed local constant object: all functions that use it become changed and get the new one" {
	pair <<-'EOT'
		#ifdef PATCHED
		static const int table[] = { 1, 2, 4 };
		#else
		static const int table[] = { 1, 2, 3 };
		#endif
		int first(int x) { return table[x]; }
		int second(int x) { return table[x] * 2; }
		int third(int x) { return x; }
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function first 0
		function second 0
	EOT
	[ "$(bytes output.o .rodata.table)" = 010000000200000004000000 ]
	symbols <<-'EOT'
		__kpatch_new.vmlinux.first.0 GLOBAL FUNC
		__kpatch_new.vmlinux.second.0 GLOBAL FUNC
		first LOCAL FUNC
		second LOCAL FUNC
		table LOCAL OBJECT
	EOT
}

@test "a changed local constant object with a user that cannot be patched" {
	pair <<-'EOT'
		#ifdef PATCHED
		static const int table[] = { 1, 2, 4 };
		#else
		static const int table[] = { 1, 2, 3 };
		#endif
		int first(int x) { return table[x]; }
		notrace int second(int x) { return table[x] * 2; }
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: second(): changed, but it has no ftrace entry (notrace, noinstr, or assembler), so that it cannot be redirected; patch its callers instead
	EOT
}

@test "a changed constant object that others can reach" {
	pair <<-'EOT'
		#ifdef PATCHED
		#define N 4
		#else
		#define N 3
		#endif
		const int global_table[] = { 1, 2, N };
		static const int escaping[] = { 1, 5, N };
		const int *pointer = escaping;
		int first(int x) { return global_table[x] + escaping[x]; }
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: escaping: a constant object changed, and other files or data can refer to it; change the functions that use it instead, or use a pre-patch callback
		refused: file.c: global_table: a constant object changed, and other files or data can refer to it; change the functions that use it instead, or use a pre-patch callback
	EOT
}

@test "a changed constant that other constants refer to: their users change, too" {
	pair <<-'EOT'
		#ifdef PATCHED
		static const int leaf[] = { 1, 2, 4 };
		#else
		static const int leaf[] = { 1, 2, 3 };
		#endif
		static const int *const table[] = { leaf, leaf + 1, leaf + 2 };
		int first(int x) { return *table[x]; }
		int second(int x) { return leaf[x]; }
		int third(int x) { return x; }
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function first 0
		function second 0
	EOT
	relocs .rodata.table <<-'EOT'
		.rodata.table 0x0 64 leaf 0
		.rodata.table 0x8 64 leaf 4
		.rodata.table 0x10 64 leaf 8
	EOT
}

@test "a changed constant object in a section of its own, which something outside walks through" {
	pair <<-'EOT'
		struct entry { int x; };
		#ifdef PATCHED
		#define N 4
		static const struct entry __used __section("my_entries") second = { 7 };
		#else
		#define N 3
		#endif
		static const struct entry __used __section("my_entries") first = { N };
		int foo(int x) { return x; }
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: first: a constant object changed, and other files or data can refer to it; change the functions that use it instead, or use a pre-patch callback
		refused: file.c: second: new entry of section my_entries, which the kernel has read already; leave this part out
	EOT
}

@test "an entry of a list of an unknown kind is removed" {
	pair <<-'EOT'
		struct entry { int x; };
		#ifndef PATCHED
		static struct entry __used __section("my_entries") first = { 7 };
		#endif
		static struct entry __used __section("my_entries") second = { 8 };
		int foo(int x)
		{
		#ifdef PATCHED
			x += 5;
		#endif
			return x;
		}
	EOT
	cdo 2
	messages <<-'EOT'
		warning: file.c: first: the patched file no longer has this static variable; its value is lost to the new code
		refused: file.c: first: removed entry of section my_entries, which the kernel has read already; leave this part out
	EOT
	# With the code that uses it one of its entries goes, which describes nothing else.
	pair -g <<-'EOT'
		#define TPS(x) ({ static const char *___tp_str __used __section("__tracepoint_str") = x; ___tp_str; })
		int foo(int x)
		{
		#ifndef PATCHED
			x += _printk(TPS("first"));
		#endif
			return x;
		}
	EOT
	given_symbols orig.o ___tp_str.0
	cdo 0
	changes <<-'EOT'
		function foo 0
	EOT
}

@test "initialisation and exit code and data" {
	pair <<-'EOT'
		#ifdef PATCHED
		#define N 4
		#else
		#define N 3
		#endif
		int __section(".init.text") notrace start(int x) { return x + N; }
		void __section(".exit.text") notrace stop(int *x) { *x = N; }
		int __section(".init.data") setting = N;
		#ifdef PATCHED
		int __section(".init.text") notrace new_start(int x) { return x + 9; }
		#endif
	EOT
	cdo 2
	sed 's/^create-diff-object: //' <<< "$stderr" | sort | diff -u - <(sort <<-'EOT'
		refused: file.c: start(): changed initialisation code, which the running kernel has run and freed; do what it does in a pre-patch callback, or leave this part out
		refused: file.c: new_start(): new initialisation code, which would never run, as the kernel, or the module, has started without it; do what it does in a pre-patch callback, or leave this part out
		refused: file.c: stop(): changed exit code, which cannot be patched; leave this part out
		refused: file.c: setting: changed initialisation data, which the running kernel has used and freed; set what it sets in a pre-patch callback, or leave this part out
	EOT
	)
}

@test "a new initcall" {
	asm_pair <<-'EOT'
		#ifdef PATCHED
			.section .initcall6.init, "a"
			.type start6, @object
			.size start6, 4
		start6:
			.long 1
		#endif
			.section .data.value, "aw"
			.globl value
			.type value, @object
			.size value, 4
		value:	.long 1
	EOT
	cdo 2
	messages <<< "refused: file.c: start6: new initcall (section .initcall6.init), which nobody would ever call; do what it does in a pre-patch callback, or leave this part out"
}

@test "a new global name that another file of the kernel defines" {
	pair <<-'EOT'
		int one(int x) { return x + 1; }
		#ifdef PATCHED
		int two(int x) { return x + 2; }
		int three = 3, four, five;
		static int noinline six(int x) { return x * 6; }
		int __attribute__((weak)) seven(int x) { return six(x) + six(x + 1); }
		#endif
	EOT
	ksyms T two d three B four T six T seven
	cdo 2
	local rest="this name already, from another file, and whoever uses it goes on using that; patch it there, or give the new one another name"
	messages <<-EOT
		refused: file.c: two(): new, but vmlinux has $rest
		refused: file.c: seven(): new, but vmlinux has $rest
		refused: file.c: four: new, but vmlinux has $rest
	EOT
}

@test "every section of initialisation and exit code and data" {
	local section flags what
	while IFS=, read -r section flags what; do
		asm_pair <<-EOT
			.section $section, "$flags"
			.type thing, @$([[ $flags == ax ]] && echo function || echo object)
			.size thing, 8
			thing:
			#ifdef PATCHED
				.quad 0x9090909090909091
			#else
				.quad 0x9090909090909090
			#endif
		EOT
		cdo 2
		messages <<< "refused: file.c: thing$([[ $flags != ax ]] || echo '()'): changed $what"
	done <<-'EOT'
		.init.text,ax,initialisation code, which the running kernel has run and freed; do what it does in a pre-patch callback, or leave this part out
		.init.text.unlikely,ax,initialisation code, which the running kernel has run and freed; do what it does in a pre-patch callback, or leave this part out
		.meminit.text,ax,initialisation code, which the running kernel has run and freed; do what it does in a pre-patch callback, or leave this part out
		.init.data,aw,initialisation data, which the running kernel has used and freed; set what it sets in a pre-patch callback, or leave this part out
		.init.rodata,a,initialisation data, which the running kernel has used and freed; set what it sets in a pre-patch callback, or leave this part out
		.init.setup,a,initialisation data, which the running kernel has used and freed; set what it sets in a pre-patch callback, or leave this part out
		.meminit.data,aw,initialisation data, which the running kernel has used and freed; set what it sets in a pre-patch callback, or leave this part out
		.exit.text,ax,exit code, which cannot be patched; leave this part out
		.exit.data,aw,exit code, which cannot be patched; leave this part out
		.initcall6.init,a,entry of the list of initcalls (section .initcall6.init), which the kernel has read already; leave this part out
		.initcallearly.init,a,entry of the list of initcalls (section .initcallearly.init), which the kernel has read already; leave this part out
		.con_initcall.init,a,entry of the list of initcalls (section .con_initcall.init), which the kernel has read already; leave this part out
		.exitcall.exit,a,entry of the list of exitcalls (section .exitcall.exit), which the kernel has read already; leave this part out
	EOT
}

@test "included code refers to what was freed, whatever its section" {
	for section in .init.data .init.rodata .meminit.data .exit.data .init.text .exit.text; do
		flags=aw type=object
		[[ $section != *.text ]] || flags=ax type=function
		asm_pair <<-EOT
			.section $section, "$flags"
			.type thing, @$type
			.size thing, 8
			thing:	.quad 0
			.section .text.foo, "ax"
			.globl foo
			.type foo, @function
			foo:
			9:	call __fentry__
			#ifdef PATCHED
				mov thing(%rip), %rax
			#endif
				ret
			.size foo, . - foo
			.section __mcount_loc, "a"
			.quad 9b
		EOT
		cdo 2
		messages <<< "refused: file.c: foo(): refers to thing, which the running kernel has freed after initialisation; leave this reference out"
	done
}

@test "a function that refers to very many things that are freed takes no time" {
	local n=80000
	{
		printf '.text\n.globl foo\n.type foo, @function\nfoo:\n9: call __fentry__\n'
		printf 'call freed%d\n' $(seq $n)
		printf '#ifdef PATCHED\nnop\n#endif\nret\n.size foo, . - foo\n.section __mcount_loc, "a"\n.quad 9b\n'
	} | asm_pair
	{ echo 'T foo'; echo 'T __init_begin'; printf 'T freed%d\n' $(seq $n); echo 'T __init_end'; } | symtab
	(ulimit -t 5; "$CDO" --source file.c orig.o patched.o vmlinux symtab symvers livepatch_test output.o) > out 2> err
	(($(grep -c ': warning: file.c: foo(): refers to freed.*; the original does, too' err) == n))
}

@test "included code refers to another object's initialisation code, which kallsyms goes on listing" {
	pair <<-'EOT'
		int start(int);
		int foo(int x)
		{
		#ifdef PATCHED
			return start(x);
		#endif
			return x;
		}
	EOT
	symtab <<-'EOT'
		T foo
		T __init_begin
		T start
		T __init_end
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: foo(): refers to start, which the running kernel has freed after initialisation; leave this reference out
	EOT
	# Code of a module may not, either.
	OBJNAME=patched_mod
	mv symtab vmlinux.symtab
	symtab <<< 'T foo'
	cdo 2 --vmlinux-symtab vmlinux.symtab
	messages <<-'EOT'
		refused: file.c: foo(): refers to start, which the running kernel has freed after initialisation; leave this reference out
	EOT
	OBJNAME=vmlinux
	symtab <<-'EOT'
		T foo
		T __init_begin
		T __init_end
		T start
	EOT
	cdo 0
	changes <<-'EOT'
		function foo 0
		klp vmlinux start 0
	EOT
}

@test "initialisation code that is removed" {
	pair <<-'EOT'
		int foo(int x) { return x; }
		#ifndef PATCHED
		static int __used __section(".init.text") notrace start(int x) { return x + 1; }
		#endif
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: start(): removed initialisation code, which the running kernel has run and freed; do what it does in a pre-patch callback, or leave this part out
	EOT
}

@test "initialisation code that calls a changed function is not changed by that" {
	pair <<-'EOT'
		noinline int foo(int x)
		{
		#ifdef PATCHED
			x *= 3;
		#endif
			return x + 1;
		}
		static int __used __section(".init.text") notrace start(int x) { return foo(x) + foo(1); }
	EOT
	cdo 0
	changes <<-'EOT'
		function foo 0
	EOT
	run -1 has_section output.o .init.text
}

@test "initialisation code that only moves is unchanged" {
	pair <<-'EOT'
		int foo(int x)
		{
		#ifdef PATCHED
			barrier();
			x *= 3;
		#endif
			return x + 1;
		}
		extern int a, b;
		#ifndef PATCHED
		#define FIRST static int __used __section(".init.text") notrace one(int x) { return a + x; }
		#define SECOND static int __used __section(".init.text") notrace two(int x) { return one(b) + x; }
		#else
		static int one(int x);
		#define FIRST static int __used __section(".init.text") notrace two(int x) { return one(b) + x; }
		#define SECOND static int __used __section(".init.text") notrace noinline one(int x) { return a + x; }
		#endif
		FIRST
		SECOND
	EOT
	FIXTURE_CFLAGS+=(-fno-inline -fno-toplevel-reorder)
	compile orig.o file.c
	compile patched.o file.c -DPATCHED
	given [ "$(nm orig.o | grep ' one$')" != "$(nm patched.o | grep ' one$')" ]
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
	EOT
}

@test "included code refers to initialisation data: refused, unless the original does" {
	pair <<-'EOT'
		static int __section(".init.data") setting = 5;
		static int __used __section(".init.text") notrace start(int x) { return setting += x; }
		int foo(int x)
		{
		#ifdef PATCHED
			x *= setting;
		#endif
			return x;
		}
		int bar(int x)
		{
		#ifdef PATCHED
			x *= 2;
		#endif
			return setting += x;
		}
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: foo(): refers to setting, which the running kernel has freed after initialisation; leave this reference out
		warning: file.c: bar(): refers to setting, which the running kernel has freed after initialisation; the original does, too, but make sure that the new code does not use it
	EOT
	# What another object has, known by its place between the kernel's own marks.
	pair <<-'EOT'
		extern char _sinittext[], early_setting[];
		long foo(long x)
		{
		#ifdef PATCHED
			x *= (long)early_setting;
		#endif
			return x + (long)_sinittext;
		}
	EOT
	symtab <<-'EOT'
		T foo
		T __init_begin
		T _sinittext
		D early_setting
		T __init_end
	EOT
	cdo 2
	[[ $stderr == *"refused: file.c: foo(): refers to early_setting, which"* ]]
	[[ $stderr == *"warning: file.c: foo(): refers to _sinittext, which"* ]]
	[ "$(wc -l <<< "$stderr")" -eq 2 ]
}

@test "functions without an ftrace entry are named, all of them" {
	pair <<-'EOT'
		#ifdef PATCHED
		#define N 4
		#else
		#define N 3
		#endif
		notrace int foo(int x) { return x + N; }
		notrace int __section(".noinstr.text") bar(int x) { return x + N; }
		#define TEXT2(x) #x
		#define TEXT(x) TEXT2(x)
		asm(".section .text.assembled,\"ax\"; .globl assembled; .type assembled, @function\n"
			"assembled: mov $" TEXT(N) ", %eax; ret; .size assembled, . - assembled; .text");
		int traced(int x) { return x + N; }
	EOT
	cdo 2
	sed 's/^create-diff-object: //' <<< "$stderr" | sort | diff -u - <(sort <<-'EOT'
		refused: file.c: assembled(): changed, but it has no ftrace entry (notrace, noinstr, or assembler), so that it cannot be redirected; patch its callers instead
		refused: file.c: foo(): changed, but it has no ftrace entry (notrace, noinstr, or assembler), so that it cannot be redirected; patch its callers instead
		refused: file.c: bar(): changed, but it has no ftrace entry (notrace, noinstr, or assembler), so that it cannot be redirected; patch its callers instead
	EOT
	)
}

@test "a static function without an ftrace entry is replaced together with its callers" {
	pair <<-'EOT'
		static noinline notrace int helper(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			barrier();
			return x + 1;
		}
		static noinline notrace int between(int x) { return helper(x) * 3 + helper(5); }
		int foo(int x) { return between(x) + between(3); }
		int bar(int x) { return helper(x) + 7; }
		int baz(int x) { return x; }
	EOT
	given_symbols orig.o helper between
	cdo 0
	no_messages
	changes <<-'EOT'
		copy function helper
		copy function between
		function foo 0
		function bar 0
	EOT
	run -1 grep kpatch.sym <(reloc_list output.o)
	[ "$(reloc_list output.o | grep -c '^.text.between .* helper -4$')" = 2 ]
	[ "$(reloc_list output.o | grep -c '^.text.foo .* between -4$')" = 2 ]
}

@test "initialisation code that calls such a function has run: in vmlinux, but not in a module that is loaded later" {
	pair <<-'EOT'
		static noinline notrace int helper(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			barrier();
			return x + 1;
		}
		int foo(int x) { return helper(x) + helper(3); }
		int __section(".init.text") start(int x) { return helper(x) * 2; }
	EOT
	given_symbols orig.o helper
	cdo 0
	no_messages
	changes <<-'EOT'
		copy function helper
		function foo 0
	EOT
	OBJNAME=patched_mod
	symtab_of orig.o > symtab
	cdo 2
	messages <<-'EOT'
		refused: file.c: helper(): changed, but it has no ftrace entry (notrace, noinstr, or assembler), so that it cannot be redirected; patch its callers instead
	EOT
}

@test "a static function without an ftrace entry that something points to, or that only others call" {
	pair <<-'EOT'
		#ifdef PATCHED
		#define N 4
		#else
		#define N 3
		#endif
		static noinline notrace int pointed(int x) { barrier(); return x + N; }
		static noinline notrace __used int unused(int x) { barrier(); return x + N; }
		static noinline notrace int early(int x) { barrier(); return x * N; }
		static int __section(".init.text") notrace __used start(int x) { return early(x) + early(2); }
		static noinline notrace int last(int x) { barrier(); return x * 2 * N; }
		notrace int uses_last(int x) { return last(x) + last(2); }
		int foo(int x) { return pointed(x); }
		int (*hook)(int) = pointed;
	EOT
	given_symbols orig.o pointed unused early last
	cdo 2
	why="changed, but it has no ftrace entry (notrace, noinstr, or assembler), so that it cannot be redirected; patch its callers instead"
	sed 's/^create-diff-object: //' <<< "$stderr" | sort | diff -u - <(sort <<-EOT
		refused: file.c: early(): $why
		refused: file.c: pointed(): $why
		refused: file.c: unused(): $why
		refused: file.c: uses_last(): $why
	EOT
	)
}

@test "nameless assembler code" {
	asm_pair <<-'EOT'
		.section .entry.text, "ax"
		#ifdef PATCHED
			mov $1, %eax
		#else
			mov $2, %eax
		#endif
			call something
			ret
	EOT
	ksyms T something
	cdo 2
	messages <<-'EOT'
		refused: file.c: .entry.text+0x0: changed code that belongs to no function; assembler code cannot be patched
	EOT
}

@test "an unknown table without names that changes" {
	asm_pair <<-'EOT'
		.section .new_table, "a"
		#ifdef PATCHED
			.quad something, 5
		#else
			.quad something, 6
		#endif
		.section .newer_table, "aw"
		#ifdef PATCHED
			.quad 7
		#endif
			.quad something
		.section .same_table, "a"
			.quad something, 5
		.section .old_table, "a"
		#ifndef PATCHED
			.quad something, 5
		#endif
	EOT
	ksyms T something
	cdo 2
	messages <<-'EOT'
		refused: file.c: section .new_table: data without a name changed, and what the kernel does with it is not known; leave this part out
		refused: file.c: section .newer_table: data without a name changed, and what the kernel does with it is not known; leave this part out
		refused: file.c: section .old_table: data without a name changed, and what the kernel does with it is not known; leave this part out
	EOT
}

@test "a removed global function or variable" {
	pair <<-'EOT'
		#ifndef PATCHED
		int gone(int x) { return x; }
		int gone_data = 3;
		int hidden(int x) { return x; }
		#else
		/* The running kernel's stays what it is. */
		static __used int hidden(int x) { return x; }
		#endif
		int foo(int x) { return x + 1; }
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: gone(): the patch removes this global function or changes its linkage, and other files may call it; keep it, perhaps with an empty body
		refused: file.c: gone_data: the patch removes this global variable, and other files may use it; keep it
	EOT
}

# typed_pair [FLAGS]: a pair with debugging information, as the driver compiles it.
typed_pair()
{
	pair -g -fno-var-tracking -gno-statement-frontiers "$@"
}

@test "a changed type of a global function" {
	typed_pair <<-'EOT'
		struct s;
		#ifdef PATCHED
		int more(int x, int y) { return x + y; }
		long result(int x) { return x + 1; }
		int kind(struct s **p, int (*fn)(struct s *, long)) { return !p && fn; }
		int same(int other_name, struct s *(*renamed)(int)) { return other_name + 2; }
		static long local(long x) { barrier(); return x + 2; }
		#else
		int more(int x) { return x; }
		int result(int x) { return x; }
		int kind(struct s **p, int (*fn)(struct s *, int)) { return !p; }
		int same(int x, struct s *(*fn)(int)) { return x; }
		static noinline int local(int x) { barrier(); return x; }
		#endif
		int user(int x) { return local(x) + local(2); }
	EOT
	cdo 2
	refusals <<-'EOT'
		refused: file.c: more(): its type changed from "int (int)" to "int (int, int)", and callers in other files still use the old one; give the new function another name
		refused: file.c: result(): its type changed from "int (int)" to "long int (int)", and callers in other files still use the old one; give the new function another name
		refused: file.c: kind(): its type changed from "int (struct s **, int (*)(struct s *, int))" to "int (struct s **, int (*)(struct s *, long int))", and callers in other files still use the old one; give the new function another name
	EOT
}

@test "the type of a function is written as C writes it, also of one that is inlined" {
	typed_pair <<-'EOT'
		#ifdef PATCHED
		#define MORE , int more
		#define PLUS + more
		#define AND , 1
		#else
		#define MORE
		#define PLUS
		#define AND
		#endif
		typedef unsigned int u32;
		enum kind { ONE };
		union both { u32 a; char b[4]; };
		int one(const char *const *words, volatile u32 *reg, enum kind k MORE) { return *reg + !words[k] PLUS; }
		struct pair *two(int (*row)[3], union both u, int list[] MORE) { return (void *)(long)(**row + u.a + *list PLUS); }
		void (*three(int x MORE))(u32) { return (void *)(long)(x PLUS); }
		int four(const char *text MORE, ...) { return *text PLUS; }
		__attribute__((always_inline)) inline int five(u32 x MORE);
		int five(u32 x MORE) { return x * 3 PLUS; }
		int user(int x) { return x ? five(x AND) : 0; }
	EOT
	cdo 2
	refusals <<-'EOT'
		refused: file.c: one(): its type changed from "int (char **, unsigned int *, enum kind)" to "int (char **, unsigned int *, enum kind, int)", and callers in other files still use the old one; give the new function another name
		refused: file.c: two(): its type changed from "struct pair *(int (*)[3], union both, int *)" to "struct pair *(int (*)[3], union both, int *, int)", and callers in other files still use the old one; give the new function another name
		refused: file.c: three(): its type changed from "void (*(int))(unsigned int)" to "void (*(int, int))(unsigned int)", and callers in other files still use the old one; give the new function another name
		refused: file.c: four(): its type changed from "int (char *, ...)" to "int (char *, int, ...)", and callers in other files still use the old one; give the new function another name
		refused: file.c: five(): its type changed from "int (unsigned int)" to "int (unsigned int, int)", and callers in other files still use the old one; give the new function another name
	EOT
}

@test "the last one of many parameters changes" {
	typed_pair <<-'EOT'
		#ifdef PATCHED
		#define N 2
		long foo(int a, int b, int c, int d, int e, int f, int g, int h, int i, long j) { return a + j * N; }
		#else
		#define N 1
		long foo(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j) { return a + j * N; }
		#endif
	EOT
	cdo 2
	[[ $stderr == *"refused: file.c: foo(): its type changed from \"long int (int, int, int, int, int, int, int, int, int, int)\" to "* ]]
	# More than a message shows.
	typed_pair <<-'EOT'
		#ifdef PATCHED
		#define T long
		#else
		#define T int
		#endif
		long foo(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k, int l, int m, int n, int o,
			 int p, T q) { return q; }
	EOT
	cdo 2
	[[ $stderr == *"refused: file.c: foo(): its type changed from "* ]]
}

@test "a changed type of a static function whose address the kernel has already" {
	typed_pair <<-'EOT'
		struct s { int (*call)(int); };
		#ifdef PATCHED
		static noinline int stored(int x, long *y) { barrier(); return x + *y; }
		static noinline int called(int x, long *y) { barrier(); return x + 2 * *y; }
		static noinline int wrapper(int x) { long y = 3; return stored(x, &y) + called(x, &y); }
		void set(struct s *s) { s->call = wrapper; }
		#else
		static noinline int stored(int x) { barrier(); return x + 1; }
		static noinline int called(int x) { barrier(); return x + 2; }
		void set(struct s *s) { s->call = stored; }
		static int wrapper(int x) { return called(x); }
		#endif
		int use(int x) { return wrapper(x); }
	EOT
	cdo 2
	refusals <<-'EOT'
		refused: file.c: stored(): its type changed from "int (int)" to "int (int, long int *)", and what has its address already calls it in the old way; give the new function another name
	EOT
}

@test "a static function may change its type when it becomes global, a global one may not when it becomes static" {
	pair -g -fdebug-prefix-map="$PWD"=. <<-'EOT'
		#ifdef PATCHED
		int opened(int a, int b) { barrier(); return a + b; }
		static noinline int closed(int a, int b) { barrier(); return a - b; }
		int foo(int x) { return opened(x, 1) + closed(x, 2) + closed(3, x); }
		#else
		static noinline int opened(int a) { barrier(); return a; }
		noinline int closed(int a) { barrier(); return a; }
		int foo(int x) { return opened(x) + closed(x) + closed(3) + opened(2); }
		#endif
	EOT
	given_symbols orig.o opened
	given_symbols patched.o closed
	cdo 2
	messages <<-'EOT'
		refused: file.c: closed(): its type changed from "int (int)" to "int (int, int)", and callers in other files still use the old one; give the new function another name
		    closed() was defined at file.c:6, is defined at file.c:3
	EOT
}

@test "a changed type of a function: where it was and is defined, and what had its address" {
	typed_pair -fdebug-prefix-map="$PWD"=. <<-'EOT'
		struct s { int (*call)(int); };
		#ifdef PATCHED
		#define AND , long y
		#define PLUS + y
		#define OF(fn) (int (*)(int))fn

		int global(int x AND) { return x + 7 PLUS; }
		#else
		#define AND
		#define PLUS
		#define OF(fn) fn
		int global(int x) { return x + 7; }
		#endif
		static noinline int called(int x AND) { barrier(); return x + 1 PLUS; }
		struct s table = { OF(called) };
		void set(struct s *s) { s[0].call = OF(called); s[1].call = OF(called); }
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: called(): its type changed from "int (int)" to "int (int, long int)", and what has its address already calls it in the old way; give the new function another name
		    called() is defined at file.c:14
		    its address is in set(), table
		refused: file.c: global(): its type changed from "int (int)" to "int (int, long int)", and callers in other files still use the old one; give the new function another name
		    global() was defined at file.c:12, is defined at file.c:7
	EOT
}

@test "const is taken off what a parameter points to, or put on what is returned: a warning, as old callers may rely on it" {
	typed_pair <<-'EOT'
		typedef const char text_t;
		#ifdef PATCHED
		#define N 2
		#define WAS_CONST
		#define GETS const
		#else
		#define N 1
		#define WAS_CONST const
		#define GETS
		#endif
		int loses(int x, WAS_CONST char *p) { return x + *p * N; }
		int gains(GETS char *p) { return *p * N; }
		GETS int *result(long x) { return (int *)(x + N); }
		WAS_CONST int *writable(long x) { return (int *)(x + N); }
		int value(WAS_CONST int x) { return x + N; }
		int deeper(WAS_CONST char *const *p) { return **p + N; }
		#ifdef PATCHED
		int behind(char *p) { return *p * 3; }
		int unchanged(char *p) { return *p; }
		#else
		int behind(volatile text_t *p) { return *p * 4; }
		int unchanged(const char *p) { return *p; }
		#endif
		static noinline int called(WAS_CONST int *p) { barrier(); return *p + N; }
		static noinline int stored(WAS_CONST int *p) { barrier(); return *p - N; }
		int user(int x) { return called(&x) + called(0); }
		void set(int (**p)(WAS_CONST int *)) { *p = stored; }
	EOT
	cdo 0
	messages <<-'EOT'
		warning: file.c: stored(): its parameter 1, "int *", points to const no more, and what has its address may still pass constants; see that it writes to none
		warning: file.c: loses(): its parameter 2, "char *", points to const no more, and callers in other files may still pass constants; see that it writes to none
		warning: file.c: result(): what it returns, "int *", points to const now, and callers in other files may still write there; see that it is nothing they cannot write to
		warning: file.c: deeper(): its parameter 1, "char **", points to const no more, and callers in other files may still pass constants; see that it writes to none
		warning: file.c: behind(): its parameter 1, "char *", points to const no more, and callers in other files may still pass constants; see that it writes to none
	EOT
}

@test "__init is put on a function or taken off it: the kernel has it where it was, or not at all" {
	pair <<-'EOT'
		#define __init __section(".init.text") notrace
		#define __initdata __section(".init.data")
		#ifdef PATCHED
		#define BEFORE
		#define AFTER(x) x
		#define N 2
		#else
		#define BEFORE __init
		#define AFTER(x)
		#define N 1
		#endif
		noinline int AFTER(__init) put_on(int x) { barrier(); return x + N; }
		noinline int BEFORE taken_off(int x) { barrier(); return x + N; }
		static noinline __used int AFTER(__init) same_code(int x) { barrier(); return x + 7; }
		int AFTER(__initdata) data_on = 3;
		#ifdef PATCHED
		int data_off = 4;
		#else
		int __initdata data_off = 4;
		#endif
		int foo(int x) { return x + N; }
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: put_on(): becomes initialisation code, and the running kernel goes on using it where it is; leave out the attribute
		refused: file.c: same_code(): becomes initialisation code, and the running kernel goes on using it where it is; leave out the attribute
		refused: file.c: data_on: becomes initialisation data, and the running kernel goes on using it where it is; leave out the attribute
		refused: file.c: taken_off(): is initialisation code no more, and the running kernel has freed what it had; leave it as it is, and give the new one another name
		refused: file.c: data_off: is initialisation data no more, and the running kernel has freed what it had; leave it as it is, and give the new one another name
	EOT
}

@test "a static function that is only given to others which change with it may change its type" {
	local rest='and what has its address already calls it in the old way; give the new function another name'
	typed_pair <<-'EOT'
		#ifdef PATCHED
		#define N 2
		typedef int (fn_t)(int, char *);
		#define ARG , "x"
		#define PARAM , char *text
		#define ANY_BEFORE fn_t *
		#define ANY_NOW void *
		#else
		#define N 1
		typedef int (fn_t)(int);
		#define ARG
		#define PARAM
		#define ANY_BEFORE void *
		#define ANY_NOW fn_t *
		#endif
		extern int (*kept)(int);
		int elsewhere(void *);
		static noinline int walk(int n, fn_t *fn) { for (; n; n--) if (fn(n ARG) == N) return n; return 0; }
		static noinline int keep(void *fn) { kept = fn; return N; }
		static noinline int given(int x PARAM) { barrier(); return x * N; }
		static noinline int also_given(int x PARAM) { barrier(); return x + N; }
		static noinline int given_as_pointer(int x PARAM) { barrier(); return x / N; }
		static noinline int given_to_others(int x PARAM) { barrier(); return x - N; }
		static noinline int stored(int x PARAM) { barrier(); return x & N; }
		static noinline int before(ANY_BEFORE fn) { kept = (void *)fn; return N + 3; }
		static noinline int now(ANY_NOW fn) { kept = (void *)fn; return N + 7; }
		static noinline int same(fn_t *fn) { return ((int (*)(int, char *))fn)(1, 0); }
		static noinline int given_before(int x PARAM) { barrier(); return x | N; }
		static noinline int given_now(int x PARAM) { barrier(); return x ^ N; }
		static noinline int given_to_same(int x PARAM) { barrier(); return x << N; }
		int one(int n) { return n > 7 ? walk(n, given) + N : walk(n - 1, also_given); }
		int two(int n) { return walk(n, also_given) + keep(given_as_pointer) + N; }
		int three(int n) { return walk(n, given_to_others) + elsewhere(given_to_others) + N; }
		int four(int n, void **p) { *p = stored; return N; }
		int five(int n) { return before(given_before) + now(given_now) + same(given_to_same) + N; }
	EOT
	ksyms T elsewhere D kept
	cdo 2
	refusals <<-EOT
		refused: file.c: given_as_pointer(): its type changed from "int (int)" to "int (int, char *)", $rest
		refused: file.c: given_to_others(): its type changed from "int (int)" to "int (int, char *)", $rest
		refused: file.c: stored(): its type changed from "int (int)" to "int (int, char *)", $rest
		refused: file.c: given_before(): its type changed from "int (int)" to "int (int, char *)", $rest
		refused: file.c: given_now(): its type changed from "int (int)" to "int (int, char *)", $rest
		refused: file.c: given_to_same(): its type changed from "int (int)" to "int (int, char *)", $rest
	EOT
}

@test "what gives a function away, or what it is given to, stays as it is: its type must stay, too" {
	typed_pair <<-'EOT'
		typedef int (fn_t)();
		#ifdef PATCHED
		#define PARAM , char *text
		#define N 2
		#else
		#define PARAM
		#define N 1
		#endif
		static noinline int walk(int n, fn_t *fn) { for (; n; n--) if (fn(n, "x")) return n; return 0; }
		static noinline int given(int x PARAM) { barrier(); return x * N; }
		int one(int n) { return walk(n, given) + 1; }
	EOT
	cdo 2
	refusals <<-'EOT'
		refused: file.c: given(): its type changed from "int (int)" to "int (int, char *)", and what has its address already calls it in the old way; give the new function another name
	EOT
}

@test "types of global functions that stay the same, in other words or not" {
	typed_pair <<-'EOT'
		#ifdef PATCHED
		#define N 4
		#define NAME renamed
		int added(int x, int y) { return x + y; }
		#else
		#define N 3
		#define NAME name
		#endif
		int foo(const char *NAME, unsigned long n, ...) { return n + N; }
		int bar(void) { return N; }
		int (*table(int x))(int) { return 0 * N; }
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		new function added
		function foo 0
		function bar 0
	EOT
}

@test "a static function that becomes global is no trouble, a removed static one neither" {
	pair <<-'EOT'
		#ifdef PATCHED
		int seen(int x) { return x + 7; }
		#else
		static __used noinline int seen(int x) { return x + 7; }
		static noinline int removed(int x) { return x * 2; }
		#endif
		int foo(int x)
		{
		#ifdef PATCHED
			return x + 1;
		#else
			return removed(x);
		#endif
		}
	EOT
	given_symbols orig.o removed
	cdo 0
	no_messages
	grep -P '^function\tfoo\t0' report
}

@test "new and removed exports" {
	pair <<-'EOT'
		#define EXPORT(name) \
			static const char __used __section("__ksymtab_strings") __kstrtab_##name[] = #name; \
			static void *__used __section("___ksymtab+" #name) __ksymtab_##name[2] = { name, 0 };
		int foo(int x) { return x; }
		int bar(int x) { return x; }
		int baz(int x) { return x; }
		EXPORT(baz)
		#ifdef PATCHED
		EXPORT(foo)
		#else
		EXPORT(bar)
		#endif
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: __ksymtab_foo: new EXPORT_SYMBOL; a livepatch cannot export or hide a symbol of the kernel: leave this part out
		refused: file.c: __ksymtab_bar: removed EXPORT_SYMBOL; a livepatch cannot export or hide a symbol of the kernel: leave this part out
	EOT
}

@test "a changed or new module parameter, an initcall, a tracepoint list" {
	pair <<-'EOT'
		#ifdef PATCHED
		#define N 4
		static int __used __section("__param") __param_second[2] = { 3, 4 };
		static int __used __section("__tracepoints_ptrs") __tracepoint_ptr_x = 5;
		#else
		#define N 3
		#endif
		static int __used __section("__param") __param_first[2] = { 1, N };
		int foo(int x) { return x; }
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: __param_first: changed entry of the list of module parameters (section __param), which the kernel has read already; leave this part out
		refused: file.c: __param_second: new entry of the list of module parameters (section __param), which the kernel has read already; leave this part out
		refused: file.c: __tracepoint_ptr_x: new entry of the list of tracepoints (section __tracepoints_ptrs), which the kernel has read already; leave this part out
	EOT
}

@test "every known list: a changed entry, a new one and one that is removed" {
	local section what
	while IFS=, read -r section what; do
		asm_pair <<-EOT
			.macro entry name, value
			.section $section, "a"
			.type \name, @object
			.size \name, 8
			\name:	.quad \value
			.endm
			#ifdef PATCHED
			entry first, 2
			entry added, 3
			#else
			entry first, 1
			entry gone, 3
			#endif
		EOT
		cdo 2
		if [[ $section == *ksymtab* ]]; then
			why="EXPORT_SYMBOL; a livepatch cannot export or hide a symbol of the kernel: leave this part out"
		else
			why="entry of $what (section $section), which the kernel has read already; leave this part out"
		fi
		messages <<-EOT
			refused: file.c: first: changed $why
			refused: file.c: added: new $why
			refused: file.c: gone: removed $why
		EOT
	done <<-'EOT'
		___ksymtab+name,
		___ksymtab_gpl+name,
		__ksymtab,
		__ksymtab_gpl,
		___kcrctab+name,the list of exported symbols
		__kcrctab_gpl,the list of exported symbols
		.export_symbol,the list of exported symbols
		__param,the list of module parameters
		__modver,the module's version
		.modinfo,the module's description
		.pci_fixup_early,the list of PCI quirks
		__tracepoints_ptrs,the list of tracepoints
		__tracepoints_strings,the list of tracepoints
		_ftrace_events,the list of trace events
		_ftrace_eval_map,the list of trace events
		__syscalls_metadata,the list of system calls
		__bpf_raw_tp_map,the list of tracepoints
		_error_injection_whitelist,the list of functions for error injection
		.static_call_tramp_key,the list of static calls
		.BTF_ids,the list of BTF ids
	EOT
}

@test "a tracepoint itself, new, changed or removed" {
	pair <<-'EOT'
		struct tracepoint { const char *name; long key[3]; };
		#define TRACEPOINT(name, n) struct tracepoint __used __section("__tracepoints") \
			__tracepoint_##name = { #name, { n } };
		#ifdef PATCHED
		TRACEPOINT(first, 2)
		TRACEPOINT(added, 1)
		#else
		TRACEPOINT(first, 1)
		TRACEPOINT(gone, 1)
		#endif
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: __tracepoint_added: new entry of section __tracepoints, which the kernel has read already; leave this part out
		refused: file.c: __tracepoint_first: the initial value of existing data changed, which has no effect on the running kernel; set the new value in a pre-patch callback
		refused: file.c: __tracepoint_gone: the patch removes this global variable, and other files may use it; keep it
	EOT
}

@test "the import of a namespace that the patch adds to a file is made by the livepatch itself" {
	pair <<-'EOT'
		int cxl_export(int);
		#ifdef PATCHED
		static const char __used __section(".modinfo") __UNIQUE_ID_import_ns7[] = "import_ns=CXL";
		int foo(int x) { return cxl_export(x); }
		#else
		int foo(int x) { return x; }
		#endif
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: __UNIQUE_ID_import_ns7: new entry of the module's description (section .modinfo), which the kernel has read already; leave this part out
	EOT
	sed -i /import_ns/d file.c
	compile patched.o file.c -DPATCHED
	cdo 0
	changes <<-'EOT'
		function foo 0
		namespace CXL
	EOT
}

@test "nameless entries added to a list" {
	asm_pair <<-'EOT'
		.globl foo
		.type foo, @function
		.section .text.foo, "ax"
		foo:	ret
		.size foo, . - foo
		.section _error_injection_whitelist, "aw"
			.quad foo, 1
		#ifdef PATCHED
			.quad foo, 2
		#endif
		.section .initcall6.init, "a"
		#ifdef PATCHED
			.long foo - .
		#endif
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: _error_injection_whitelist+0x0: changed entry of the list of functions for error injection (section _error_injection_whitelist), which the kernel has read already; leave this part out
		refused: file.c: section .initcall6.init: entries of the list of initcalls were added or removed, which the kernel has read already; leave this part out
	EOT
}

@test "a weak function whose running definition is another object's" {
	pair <<-'EOT'
		int __attribute__((weak)) report(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			return x;
		}
	EOT
	symtab <<-'EOT'
		t before
		T report
		t after
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: report(): weak, and the kernel runs another object's definition of it instead, at 100010 between before and after; patch that one
	EOT
	symtab <<< 'W report'
	cdo 0
	no_messages
}

@test "a function that the running kernel doesn't have" {
	pair <<-'EOT'
		static noinline int helper(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			barrier();
			return x + 1;
		}
		int foo(int x) { return helper(x) + helper(3); }
	EOT
	symtab <<< 'T foo'
	cdo 2
	messages <<-'EOT'
		refused: file.c: helper(): not in the symbol table of vmlinux; is this file part of it, and is the source that of the running kernel?
	EOT
}

@test "a static function whose name several static ones have" {
	pair <<-'EOT'
		static noinline int helper(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			barrier();
			return x + 1;
		}
		static int counter;
		int foo(int x) { return helper(x) + helper(3) + counter++; }
	EOT
	ksyms t helper
	cdo 2
	messages <<-'EOT'
		refused: file.c: helper(): the kernel has 2 symbols of this name, and which one this is is not known; give the image and the proof object, so that it can be found by its place
	EOT
}

@test "a reference to a variable whose name several have" {
	pair <<-'EOT'
		static int counter;
		int foo(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			return x + counter++;
		}
	EOT
	ksyms d counter
	cdo 2
	messages <<-'EOT'
		refused: file.c: foo(): refers to counter, and the kernel has 2 symbols of this name; give the image and the proof object, so that it can be found by its place
	EOT
}

@test "names that are too long for the kernel" {
	local name
	name=$(printf 'x%.0s' {1..512})
	pair "-DNAME=$name" <<-'EOT'
		static int NAME;
		int foo(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			return x + NAME++;
		}
	EOT
	cdo 2
	messages <<-EOT
		refused: file.c: ${name:0:60}...: the name has 512 characters, and the kernel cannot look up more than 511; shorten it
	EOT
	name=${name:1}
	compile orig.o file.c "-DNAME=$name"
	compile patched.o file.c -DPATCHED "-DNAME=$name"
	symtab_of orig.o > symtab
	cdo 0
	changes <<-EOT
		function foo 0
		klp vmlinux $name 0
	EOT
}

@test "a changed function with a name that is too long" {
	local name
	name=$(printf 'x%.0s' {1..512})
	pair "-DNAME=$name" <<-'EOT'
		int NAME(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			return x;
		}
	EOT
	cdo 2
	messages <<-EOT
		refused: file.c: ${name:0:60}...(): the name has 512 characters, and the kernel cannot look up more than 511; patch its callers instead
	EOT
}

@test "before 6.1 names of 128 characters are too long" {
	local name
	name=$(printf 'x%.0s' {1..128})
	pair "-DNAME=$name" <<-'EOT'
		int NAME(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			return x;
		}
	EOT
	sed -i $'2a release\t6.0.19-fake' symtab
	cdo 2
	messages <<-EOT
		refused: file.c: ${name:0:60}...(): the name has 128 characters, and the kernel cannot look up more than 127; patch its callers instead
	EOT
	sed -i 's/6\.0\.19/6.1.0/' symtab
	cdo 0
	sed -i 's/6\.1\.0/five/' symtab
	cdo 1
	messages <<< 'error: symtab: line 3 is damaged; make the file again'
}

@test "a cold part whose function is elsewhere" {
	asm_pair <<-'EOT'
		.section .text.unlikely.foo, "ax"
		.type foo.cold, @function
		foo.cold:
		#ifdef PATCHED
			mov $1, %eax
		#else
			mov $2, %eax
		#endif
			ret
		.size foo.cold, . - foo.cold
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: foo.cold(): changed, but it is a part of a function that is not in this file, and ftrace cannot redirect it alone; move the change to its caller
	EOT
}

@test "a reference to the cold part of another function, which did not change, is refused" {
	asm_pair <<-'EOT'
		.macro function name
		.section .text.\name, "ax"
		.globl \name
		.type \name, @function
		\name:
		9:	call __fentry__
			.pushsection __mcount_loc, "a"
			.quad 9b
			.popsection
		.endm
		function foo
			jne foo.cold
			ret
		.size foo, . - foo
		.section .text.unlikely.foo, "ax"
		.type foo.cold, @function
		foo.cold:
			mov $2, %eax
			ret
		.size foo.cold, . - foo.cold
		function bar
		#ifdef PATCHED
			mov $foo.cold, %rdi
		#endif
			ret
		.size bar, . - bar
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: bar(): refers to the inside of foo.cold(), which did not change; leave this part out
	EOT
}

@test "several refusals of different passes come in one run" {
	pair <<-'EOT'
		#ifdef PATCHED
		#define N 4
		#else
		#define N 3
		#endif
		int value = N;
		int __section(".init.text") notrace start(int x) { return x + N; }
		int nowhere(int);
		int foo(int x) { return N == 4 ? nowhere(x) : x; }
		notrace int bar(int x) { return x + N; }
	EOT
	cdo 2
	sed 's/^create-diff-object: //' <<< "$stderr" | sort | diff -u - <(sort <<-'EOT'
		refused: file.c: value: the initial value of existing data changed, which has no effect on the running kernel; set the new value in a pre-patch callback
		refused: file.c: start(): changed initialisation code, which the running kernel has run and freed; do what it does in a pre-patch callback, or leave this part out
		refused: file.c: bar(): changed, but it has no ftrace entry (notrace, noinstr, or assembler), so that it cannot be redirected; patch its callers instead
		refused: file.c: foo(): refers to nowhere, which is neither exported nor in the kernel's symbol table; is it from another configuration?
	EOT
	)
}

@test "a section of unknown meaning that refers to included code" {
	asm_pair <<-'EOT'
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:
		9:	call __fentry__
		#ifdef PATCHED
			nop
		#endif
		8:	ret
		.size foo, . - foo
		.section .text.bar, "ax"
		.globl bar
		.type bar, @function
		bar:
		7:	ret
		.size bar, . - bar
		.section __mcount_loc, "a"
		.quad 9b
		.section .new_table, "a"
		.long 7b - .
		#ifndef ONLY_BAR
		.long 8b - .
		#endif
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: section .new_table: data without a name changed, and what the kernel does with it is not known; leave this part out
		refused: file.c: foo(): section .new_table refers to it, and its meaning is not known; please report this section
	EOT
	compile orig.o file.S -DONLY_BAR
	compile patched.o file.S -DPATCHED -DONLY_BAR
	cdo 0
}

@test "a PCI quirk's hook can be changed, the list of quirks cannot" {
	local quirk='
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:
		9:	call __fentry__
		#ifdef PATCHED
			nop
		#endif
			ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad 9b
		.section .pci_fixup_header, "a"
		.short 0x8086, 0x7000
		.long foo - .'
	asm_pair <<< "$quirk"
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
	EOT
	run -1 has_section output.o .pci_fixup_header
	asm_pair <<< "${quirk/0x7000/ID}"
	compile orig.o file.S -DID=0x7000
	compile patched.o file.S -DPATCHED -DID=0x7001
	cdo 2
	messages <<-'EOT'
		refused: file.c: .pci_fixup_header+0x0: changed entry of the list of PCI quirks (section .pci_fixup_header), which the kernel has read already; leave this part out
	EOT
}

@test "the address of a function that has lost its ENDBR: refused in code and in data, calls are not" {
	pair <<-'EOT'
		int sealed(int), open(int), gpl_export(int);
		#ifdef PATCHED
		int (*pointer)(int) = sealed;
		int (*good_pointer)(int) = open;
		int take(int (*f)(int));
		int first(int x) { return take(sealed) + take(gpl_export); }
		int second(int x) { return take(open); }
		#endif
		int foo(int x)
		{
		#ifdef PATCHED
			return sealed(x) + 1;
		#endif
			return x;
		}
	EOT
	ksyms T sealed t alias T open T gpl_export T take
	at=$(awk '$4 == "sealed" || $4 == "gpl_export" { print $2 }' symtab)
	printf 'seal\t%s\n' $at >> symtab
	cdo 2
	messages <<-'EOT'
		refused: file.c: first(): takes the address of sealed(), which nothing in the kernel does: a call through a pointer would end in a trap (IBT); take the address of a new function that calls it
		refused: file.c: first(): takes the address of gpl_export(), which nothing in the kernel does: a call through a pointer would end in a trap (IBT); take the address of a new function that calls it
		refused: file.c: pointer: takes the address of sealed(), which nothing in the kernel does: a call through a pointer would end in a trap (IBT); take the address of a new function that calls it
	EOT
	# Without the seals all of it is fine.
	sed -i '/^seal/d' symtab
	cdo 0
	no_messages
}

@test "whatever instruction loads it, an address is taken; calls, jumps and table entries take none" {
	local line at=0000000000400000
	cat > source <<-'EOT'
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
	foo:	call __fentry__
	#ifdef PATCHED
	1:	call sealed
		jne sealed
		LINE
	#endif
		jmp alias
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad foo
	#ifdef PATCHED
		.section __ex_table, "a"
		.long 1b - ., sealed - ., 1
	#endif
	EOT
	for line in nop 'lea sealed(%rip), %rax' 'mov $sealed, %rax' 'movabs $sealed, %rax' 'push $alias'; do
		asm_pair "-DLINE=$line" < source
		printf 'sym\t%s\t%s\t%s\n' $at T sealed $at t other $at T alias >> symtab
		printf 'seal\t%s\n' $at >> symtab
		if [[ $line == nop ]]; then
			cdo 0
			continue
		fi
		cdo 2
		[[ $line =~ sealed|alias ]]
		messages <<-EOT
			refused: file.c: foo(): takes the address of ${BASH_REMATCH[0]}(), which nothing in the kernel does: a call through a pointer would end in a trap (IBT); take the address of a new function that calls it
		EOT
	done
}

# has_endbr OBJECT FUNCTION
has_endbr()
{
	objdump -d -j ".text.$2" "$1" | grep -A1 "<$2>:" | grep -q endbr64
}

@test "the address of a static function that the compiler gave no ENDBR: refused, but not that of a new one that calls it" {
	pair -fcf-protection=branch -DFUNCTION=taken <<-'EOT'
		int take(int (*f)(int));
		static noinline int hidden(int x) { barrier(); return x * 7; }
		static noinline int taken(int x) { barrier(); return x * 9; }
		int bar(int x) { return hidden(x) + take(taken); }
		#ifdef PATCHED
		static int calls_hidden(int x) { return hidden(x) + 1; }
		#endif
		int foo(int x)
		{
		#ifdef PATCHED
			return take(FUNCTION);
		#endif
			return x;
		}
	EOT
	given has_endbr orig.o taken
	given has_endbr patched.o taken
	run -1 has_endbr orig.o hidden
	ksyms T take
	for function in taken calls_hidden; do
		compile patched.o file.c -DPATCHED -DFUNCTION=$function -fcf-protection=branch
		cdo 0
	done
	compile patched.o file.c -DPATCHED -DFUNCTION=hidden -fcf-protection=branch
	given has_endbr patched.o hidden
	cdo 2
	messages <<-'EOT'
		refused: file.c: foo(): takes the address of hidden(), which nothing in the kernel does: a call through a pointer would end in a trap (IBT); take the address of a new function that calls it
	EOT
}

@test "the seals of a module count within their section, and those of vmlinux for its functions" {
	pair <<-'EOT'
		static int __used noinline own(int x) { barrier(); return x * 7; }
		int vm_function(int), take(int (*f)(int));
		int foo(int x)
		{
		#ifdef PATCHED
			return take(own) + take(vm_function);
		#endif
			return x;
		}
	EOT
	OBJNAME=patched_mod
	{ symtab_header; printf 'sym\t%s\n' $'10\tt\town\t.text' $'20\tT\tfoo\t.text' $'30\tT\ttake\t.text'; } > symtab
	{ OBJNAME=vmlinux symtab_header; printf 'sym\t1000\tT\tvm_function\n'; } > vmlinux-symtab
	printf 'seal\t10\t.init.text\n' >> symtab
	cdo 0 --vmlinux-symtab vmlinux-symtab
	printf 'seal\t10\t.text\n' >> symtab
	printf 'seal\t1000\n' >> vmlinux-symtab
	cdo 2 --vmlinux-symtab vmlinux-symtab
	messages <<-'EOT'
		refused: file.c: foo(): takes the address of own(), which nothing in the kernel does: a call through a pointer would end in a trap (IBT); take the address of a new function that calls it
		refused: file.c: foo(): takes the address of vm_function(), which nothing in the kernel does: a call through a pointer would end in a trap (IBT); take the address of a new function that calls it
	EOT
}

@test "with -fcommon a new variable without an initial value has no place" {
	pair -fcommon -DVALUE= <<-'EOT'
		int old;
		#ifdef PATCHED
		int fresh VALUE;
		int foo(void) { return ++old + ++fresh; }
		#else
		int foo(void) { return ++old; }
		#endif
	EOT
	given [ "$(readelf -sW patched.o | awk '$7 == "COM" { print $8 }' | sort | xargs)" = "fresh old" ]
	cdo 2
	messages <<-'EOT'
		refused: file.c: fresh: a new variable without an initial value, which this compiler leaves to the linker (COMMON); give it an initial value, or declare it static
	EOT
	# Another file may have it already; and both ways out.
	ksyms D fresh
	cdo 0
	no_messages
	symtab_of orig.o > symtab
	compile patched.o file.c -fcommon -DPATCHED '-DVALUE== 0'
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		new data fresh
		klp vmlinux old 0
	EOT
	sed -i 's/int fresh/static int fresh/' file.c
	compile patched.o file.c -fcommon -DPATCHED -DVALUE=
	cdo 0
	no_messages
}

@test "with -fcommon existing variables keep their size and their lack of an initial value, too" {
	for other in 'int old[4];' 'int old[2] = { 1 };'; do
		pair -fcommon -DOTHER="$other" <<-'EOT'
			#ifdef PATCHED
			OTHER
			#else
			int old[2];
			#endif
			int foo(void) { return old[0]; }
		EOT
		given [ "$(readelf -sW orig.o | awk '$7 == "COM" { print $8 }')" = old ]
		cdo 2
		messages <<-'EOT'
			refused: file.c: old: the size or the initial value of existing data changed, which the linker places (COMMON); keep what is new in a shadow variable or in a new variable
		EOT
	done
}

@test "refusals and errors for other programs, with a word for the reason" {
	pair <<-'EOT'
		#ifdef PATCHED
		int value = 2;
		#else
		int value = 1;
		#endif
		#ifdef PATCHED
		int notrace foo(int x) { return value + x; }
		#else
		int notrace foo(int x) { return value - x; }
		#endif
	EOT
	CDO_OPTIONS+=(--findings findings)
	cdo 2
	sort findings | diff -u - <(cat <<-'EOT'
		refused	data-value	file.c: value: the initial value of existing data changed, which has no effect on the running kernel; set the new value in a pre-patch callback
		refused	no-ftrace	file.c: foo(): changed, but it has no ftrace entry (notrace, noinstr, or assembler), so that it cannot be redirected; patch its callers instead
	EOT
	)
	printf 'no ELF' > orig.o
	cdo 1
	cut -f 1,2 findings | diff -u - <(printf 'error\tinput\n')
	CDO_OPTIONS=(--findings missing/findings)
	cdo 1
	[[ $stderr == "create-diff-object: error: missing/findings: No such file or directory; can the directory be written?" ]]
}
