#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: what counts as changed, and what goes into the output.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr
# shellcheck disable=SC2034 # what the fixtures read
# shellcheck disable=SC2030,SC2031 # each test is a subshell
# shellcheck disable=SC2001 # sed is clearer

bats_require_minimum_version 1.5.0
load diff-fixtures

@test "a changed function is the whole output, other functions stay outside" {
	pair <<-'EOT'
		static int counter;
		int foo(int x)
		{
		#ifdef PATCHED
			x += 5;
		#endif
			counter += x;
			return _printk("%d", x);
		}
		int bar(int x)
		{
			counter -= x;
			return _printk("%x", x);
		}
	EOT
	cdo 0
	no_messages
	infos <<-'EOT'
		file.c: changed function: foo
	EOT
	changes <<-'EOT'
		function foo 0
		klp vmlinux counter 0
	EOT
	sections <<-'EOT'
		.rodata.foo.str1.1
		.text.foo
		__mcount_loc
	EOT
	symbols <<-'EOT'
		__kpatch_new.vmlinux.foo.0 GLOBAL FUNC
		foo LOCAL FUNC
	EOT
	code_relocs .text.foo <<-'EOT'
		.text.foo PC32 .kpatch.sym.vmlinux.vmlinux.counter,0 -4
		.text.foo 32S .rodata.foo.str1.1 0
		.text.foo PLT32 _printk -4
	EOT
	relocs __mcount_loc <<-'EOT'
		__mcount_loc 0x0 64 foo 0
	EOT
}

@test "two equal objects: nothing changed" {
	pair <<-'EOT'
		static int counter;
		int foo(int x) { return counter += x; }
	EOT
	cdo 3
	no_messages
	[ "$output" = "create-diff-object: file.c: nothing changed" ]
}

@test "other comments and other names of local variables: nothing changed" {
	pair <<-'EOT'
		#ifdef PATCHED
		int foo(int value) { int twice = 2 * value; /* another comment */ return _printk("%d", twice); }
		#else
		int foo(int x) { int y = 2 * x; return _printk("%d", y); }
		#endif
	EOT
	cdo 3
}

@test "a new function of the file comes along as a local function, with its data and strings" {
	pair <<-'EOT'
		#ifdef PATCHED
		static int limit = 7;
		static volatile int table[3];
		static noinline int helper(int x) { return _printk("helper %d", x + limit + table[x]); }
		#endif
		int foo(int x)
		{
		#ifdef PATCHED
			if (x)
				return helper(x) + limit++;
		#endif
			return 1;
		}
	EOT
	cdo 0
	changes <<-'EOT'
		new function helper
		function foo 0
		new data table
		new data limit
	EOT
	infos <<-'EOT'
		file.c: new function: helper
		file.c: changed function: foo
		file.c: new data: table
		file.c: new data: limit
	EOT
	symbols <<-'EOT'
		__kpatch_new.vmlinux.foo.0 GLOBAL FUNC
		foo LOCAL FUNC
		helper LOCAL FUNC
		limit LOCAL OBJECT
		table LOCAL OBJECT
	EOT
	code_relocs .text.foo <<-'EOT'
		.text.foo PC32 helper -4
		.text.foo PC32 limit -4
		.text.foo PC32 limit -4
	EOT
	code_relocs .text.helper <<-'EOT'
		.text.helper PC32 limit -4
		.text.helper 32S table 0
		.text.helper 32S .rodata.helper.str1.1 0
		.text.helper PLT32 _printk -4
	EOT
	relocs __mcount_loc <<-'EOT'
		__mcount_loc 0x0 64 helper 0
		__mcount_loc 0x8 64 foo 0
	EOT
	[ "$(bytes output.o .data.limit)" = 07000000 ]
}

@test "a new global function or variable comes along though nothing here uses it, and stays global" {
	pair <<-'EOT'
		int foo(int x) { return x; }
		#ifdef PATCHED
		int added(int x) { return x + 1; }
		int added_data = 3;
		const int added_const[2] = { 4, 5 };
		#endif
	EOT
	cdo 0
	changes <<-'EOT'
		new function added
		new data added_const
		new data added_data
	EOT
	symbols <<-'EOT'
		added GLOBAL FUNC
		added_const GLOBAL OBJECT
		added_data GLOBAL OBJECT
	EOT
}

@test "what another object of the patch defines is reached by name" {
	pair <<-'EOT'
		int added_elsewhere(int);
		int foo(int x)
		{
		#ifdef PATCHED
			x = added_elsewhere(x);
		#endif
			return x + 1;
		}
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: foo(): refers to added_elsewhere, which is neither exported nor in the kernel's symbol table; is it from another configuration?
	EOT
	echo added_elsewhere > elsewhere
	cdo 0 --defined-elsewhere elsewhere
	code_relocs .text.foo <<-'EOT'
		.text.foo PLT32 added_elsewhere -4
	EOT
	changes <<-'EOT'
		function foo 0
	EOT
}

@test "a new but unused static function or variable is left out, and alone changes nothing" {
	pair <<-'EOT'
		int foo(int x) { return x; }
		#ifdef PATCHED
		static __used int unused(int x) { return x + 1; }
		static __used int unused_data = 3;
		#endif
	EOT
	cdo 3
}

@test "a new static function that the change doesn't reach is left out, one that it reaches is not" {
	pair <<-'EOT'
		#ifdef PATCHED
		static __used noinline int unused(int x) { return x + 1; }
		static noinline int used(int x) { return x + 3; }
		int foo(int x) { return used(x); }
		#else
		int foo(int x) { return x; }
		#endif
	EOT
	cdo 0
	changes <<-'EOT'
		new function used
		function foo 0
	EOT
}

@test "only used strings are taken, each once" {
	pair <<-'EOT'
		int bar(int x) { return _printk("only bar") + _printk("shared text"); }
		int foo(int x)
		{
			_printk("shared text");
		#ifdef PATCHED
			_printk("added text");
		#endif
			return 2;
		}
		int baz(int x)
		{
			_printk("shared text");
		#ifdef PATCHED
			_printk("more text");
		#endif
			return 3;
		}
	EOT
	# One section of strings, as without -fdata-sections.
	compile orig.o file.c -fno-data-sections
	compile patched.o file.c -DPATCHED -fno-data-sections
	cdo 0
	changes <<-'EOT'
		function foo 0
		function baz 0
	EOT
	[ "$(bytes output.o .rodata.str1.1 | grep -o 7368617265642074657874 | wc -l)" = 1 ]
	[[ $(bytes output.o .rodata.str1.1) != *$(printf 'only bar' | od -An -tx1 | tr -d ' ')* ]]
	[[ $(bytes output.o .rodata.str1.1) = *$(printf 'added text' | od -An -tx1 | tr -d ' ')00* ]]
	[[ $(bytes output.o .rodata.str1.1) = *$(printf 'more text' | od -An -tx1 | tr -d ' ')00* ]]
	[ "$(bytes output.o .rodata.str1.1 | tr -d '\n' | wc -c)" = $(((12 + 11 + 10) * 2)) ]
}

@test "a changed string changes the functions that use it, and no others" {
	pair <<-'EOT'
		#ifdef PATCHED
		#define TEXT "new text"
		#else
		#define TEXT "old text"
		#endif
		int foo(void) { return _printk(TEXT); }
		int bar(void) { return _printk("bar"); }
	EOT
	cdo 0
	changes <<-'EOT'
		function foo 0
	EOT
}

@test "a string that is the end of another one is found though the assembler has merged them" {
	cat > strings.S <<-'EOT'
		.section .rodata.str1.1, "aMS", @progbits, 1
		#ifdef PATCHED
		.asciz "another one"
		#endif
		long:	.asciz "a long text"
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:	1: call __fentry__
			mov $.rodata.str1.1 + (long - .rodata.str1.1) + 7, %rdi
			call _printk
		#ifdef CHANGED
			nop
		#endif
			ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad 1b
	EOT
	asm_pair < strings.S
	cdo 3
	compile patched.o file.S -DPATCHED -DCHANGED
	cdo 0
	changes <<-'EOT'
		function foo 0
	EOT
	relocs .text.foo <<-'EOT'
		.text.foo 0x1 PLT32 __fentry__ -4
		.text.foo 0x8 32S .rodata.str1.1 7
		.text.foo 0xd PLT32 _printk -4
	EOT
}

@test "a call goes to the changed function's copy, its address stays the original's" {
	pair <<-'EOT'
		typedef int fn(int);
		int foo(int x)
		{
		#ifdef PATCHED
			x *= 3;
		#endif
			return x + 1;
		}
		static noinline int local_one(int x)
		{
		#ifdef PATCHED
			x *= 5;
		#endif
			barrier();
			return x + 1;
		}
		extern fn *hook, *hook2;
		#ifdef PATCHED
		static struct ops { fn *a, *b; } new_ops = { foo, local_one };
		extern struct ops *ops;
		static fn *volatile new_table[] = { foo, local_one };
		#endif
		int user(int x)
		{
			hook = foo;
			hook2 = local_one;
			if (hook2 == local_one)
				x++;
		#ifdef PATCHED
			ops = &new_ops;
			return foo(x) + local_one(x) + new_table[x & 1](x);
		#endif
			return foo(x) + local_one(x);
		}
	EOT
	FIXTURE_CFLAGS+=(-fno-inline)
	compile orig.o file.c
	compile patched.o file.c -DPATCHED
	ksyms D hook D hook2 D ops
	cdo 0
	changes <<-'EOT'
		function foo 0
		function local_one 0
		function user 0
		new data new_table
		new data new_ops
		klp vmlinux foo 0
		klp vmlinux hook 0
		klp vmlinux hook2 0
		klp vmlinux local_one 0
		klp vmlinux ops 0
	EOT
	relocs .data.new_ops .data.new_table <<-'EOT'
		.data.new_table 0x0 64 .kpatch.sym.vmlinux.vmlinux.foo,0 0
		.data.new_table 0x8 64 .kpatch.sym.vmlinux.vmlinux.local_one,0 0
		.data.new_ops 0x0 64 .kpatch.sym.vmlinux.vmlinux.foo,0 0
		.data.new_ops 0x8 64 .kpatch.sym.vmlinux.vmlinux.local_one,0 0
	EOT
	diff -u <(reloc_list output.o | awk '$1 == ".text.user" && /foo|local_one/ { print $3, $4, $5 }' |
		sort | uniq -c | awk '{ $1 = $1; print }') - <<-'EOT'
		1 32S .kpatch.sym.vmlinux.vmlinux.foo,0 0
		1 32S .kpatch.sym.vmlinux.vmlinux.local_one,0 0
		1 PC32 local_one -4
		1 PLT32 foo -4
	EOT
}

@test "a taken address is the original's in every type of relocation, with and without a prefix" {
	for prefix in 0 16; do
		asm_pair <<-EOT
			.macro function name
			.section .text.\name, "ax"
			.if $prefix
			.type __pfx_\name, @function
			__pfx_\name: .fill $prefix, 1, 0x90
			.size __pfx_\name, . - __pfx_\name
			.endif
			.type \name, @function
			\name:
			9:	call __fentry__
			.pushsection __mcount_loc, "a"
			.quad 9b
			.popsection
			#ifdef PATCHED
				nop
			#endif
			.endm
			function target
				ret
			.size target, . - target
			.globl user
			function user
				mov \$target, %rdi
				mov \$target, %edi
				movabs \$target, %rdi
				lea target(%rip), %rdi
				push \$target
				cmpq \$target, %rax
			#ifdef PATCHED
				mov \$table, %rdi
			#endif
				ret
			.size user, . - user
			#ifdef PATCHED
			.section .data.table, "aw"
			.type table, @object
			table:	.quad target
				.long target - .
				.long target
			.size table, . - table
			#endif
		EOT
		cdo 0
		changes <<-'EOT'
			function target 0
			function user 0
			new data table
			klp vmlinux target 0
		EOT
		diff -u - <(reloc_list output.o | awk '$4 ~ /target/ && $1 != "__mcount_loc" { print $1, $3, $4, $5 }') <<-'EOT'
			.text.user 32S .kpatch.sym.vmlinux.vmlinux.target,0 0
			.text.user 32 .kpatch.sym.vmlinux.vmlinux.target,0 0
			.text.user 64 .kpatch.sym.vmlinux.vmlinux.target,0 0
			.text.user PC32 .kpatch.sym.vmlinux.vmlinux.target,0 -4
			.text.user 32S .kpatch.sym.vmlinux.vmlinux.target,0 0
			.text.user 32S .kpatch.sym.vmlinux.vmlinux.target,0 0
			.data.table 64 .kpatch.sym.vmlinux.vmlinux.target,0 0
			.data.table PC32 .kpatch.sym.vmlinux.vmlinux.target,0 0
			.data.table 32 .kpatch.sym.vmlinux.vmlinux.target,0 0
		EOT
	done
}

@test "the address of a changed exported function is reached by an ordinary relocation" {
	pair <<-'EOT'
		typedef int fn(int);
		int kmalloc(int x)
		{
		#ifdef PATCHED
			x *= 3;
		#endif
			return x + 1;
		}
		extern fn *hook;
		int user(int x)
		{
			hook = kmalloc;
		#ifdef PATCHED
			x *= 3;
		#endif
			return x + kmalloc(x);
		}
	EOT
	FIXTURE_CFLAGS+=(-fno-inline)
	compile orig.o file.c
	compile patched.o file.c -DPATCHED
	ksyms D hook
	cdo 0
	changes <<-'EOT'
		function kmalloc 0
		function user 0
		klp vmlinux hook 0
	EOT
	# Two symbols of one name: the copy is local, the reference to the original is undefined.
	readelf -sW output.o | awk '$8 == "kmalloc" { print $4, $5, $7 == "UND" ? "UND" : "here" }' |
		sort | diff -u - <(printf 'FUNC LOCAL here\nNOTYPE GLOBAL UND\n')
	code_relocs .text.user <<-'EOT'
		.text.user PC32 .kpatch.sym.vmlinux.vmlinux.hook,0 -8
		.text.user 32S kmalloc 0
		.text.user PLT32 kmalloc -4
	EOT
	readelf -sW output.o > syms
	undefined=$(awk '$8 == "kmalloc" && $7 == "UND" { sub(":", "", $1); printf "%08x", $1 }' syms)
	readelf -rW output.o | grep -q "${undefined}0000000b R_X86_64_32S .* kmalloc + 0"
	run -1 grep -c "${undefined}00000004" <(readelf -rW output.o)
}

@test "a function that calls itself calls its new version" {
	pair <<-'EOT'
		int foo(int x)
		{
		#ifdef PATCHED
			x += 2;
		#endif
			if (x < 1000)
				barrier();
			return x > 5 ? foo(x - 4) * foo(x - 7) : 1;
		}
	EOT
	given grep -q foo <(objdump -dr patched.o | grep -E 'R_X86.*foo|call.*foo')
	cdo 0
	changes <<-'EOT'
		function foo 0
	EOT
	run -1 grep kpatch.sym <(reloc_list output.o)
}

@test "mutual recursion of equal functions is equal" {
	pair <<-'EOT'
		int foo(int x);
		noinline int bar(int x) { return x ? foo(x - 1) * 3 : 1; }
		noinline int foo(int x) { return x ? bar(x - 1) * 5 : 2; }
		static int *p, *q;
		static void *ring[2] = { &p, ring };
		void *get(void) { return ring; }
	EOT
	cdo 3
}

@test "a nameless thing that refers to itself is not equal to a longer ring" {
	asm_pair <<-'EOT'
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
	foo:	call __fentry__
		mov $.Lring, %rax
		ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad foo
		.section .rodata.first, "a"
	.Lring:	.quad 1
	#ifdef PATCHED
		.quad .Lsecond
		.section .rodata.second, "a"
	.Lsecond: .quad 2
	#endif
		.quad .Lring
	EOT
	given_symbols orig.o foo
	cdo 0
	changes <<-'EOT'
		function foo 0
	EOT
}

@test "a relocation that ends at another place is a change" {
	pair <<-'EOT'
		static int a[8];
		#ifdef PATCHED
		int *foo(void) { return &a[3]; }
		int *bar(long x) { return (void *)((long)a + 4 * x - 4 * 2); }
		#else
		int *foo(void) { return &a[2]; }
		int *bar(long x) { return (void *)((long)a + 4 * x - 4 * 1); }
		#endif
		int *baz(void) { return &a[2]; }
	EOT
	cdo 0
	changes <<-'EOT'
		function foo 0
		function bar 0
		klp vmlinux a 0
	EOT
	code_relocs .text.foo .text.bar <<-'EOT'
		.text.foo 32S .kpatch.sym.vmlinux.vmlinux.a,0 12
		.text.bar 64 .kpatch.sym.vmlinux.vmlinux.a,0 -8
	EOT
}

@test "only the ftrace entry differs: changed, and refused" {
	pair <<-'EOT'
		#ifdef PATCHED
		notrace
		#endif
		int foo(int x) { return x; }
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: foo(): changed, but it has no ftrace entry (notrace, noinstr, or assembler), so that it cannot be redirected; patch its callers instead
	EOT
}

@test "a function may move between .text, .text.unlikely and .text.hot, changed or not" {
	pair <<-'EOT'
		#ifdef PATCHED
		__attribute__((cold)) int foo(int x) { return x + 6; }
		__attribute__((hot)) int bar(int x) { return x + 2; }
		int baz(int x) { return x + 4; }
		#else
		int foo(int x) { return x + 1; }
		int bar(int x) { return x + 2; }
		__attribute__((cold)) int baz(int x) { return x + 3; }
		#endif
		int same(int x) { return x + 5; }
	EOT
	given has_section patched.o .text.unlikely.foo
	given has_section patched.o .text.hot.bar
	given has_section orig.o .text.unlikely.baz
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		function baz 0
	EOT
	sections <<-'EOT'
		.text.foo
		__mcount_loc
		.text.baz
	EOT
}

@test "a function with a prefix may move between sections, changed or not" {
	asm_pair <<-'EOT'
		.macro function name, section
		.section \section\().\name, "ax"
		.type __pfx_\name, @function
		__pfx_\name: .fill 16, 1, 0x90
		.size __pfx_\name, . - __pfx_\name
		.globl \name
		.type \name, @function
		\name:
		9:	call __fentry__
		.pushsection __mcount_loc, "a"
		.quad 9b
		.popsection
		.endm
		#ifdef PATCHED
		#define N 4
		function foo, .text.unlikely
		#else
		#define N 3
		function foo, .text
		#endif
			mov $N, %eax
			ret
		.size foo, . - foo
		#ifdef PATCHED
		function bar, .text.hot
		#else
		function bar, .text.unlikely
		#endif
			mov $7, %eax
			ret
		.size bar, . - bar
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
	EOT
	relocs .text.foo __mcount_loc <<-'EOT'
		.text.foo 0x11 PLT32 __fentry__ -4
		__mcount_loc 0x0 64 foo 0
	EOT
}

@test "the changed functions are those of the output, whatever the order of the sections" {
	pair <<-'EOT'
		#ifdef PATCHED
		#define N 3
		#else
		#define N 2
		#endif
		int f1(int x) { return x + N; }
		int f2(int x) { return x + 1; }
		int f3(int x) { return x * N; }
		#ifdef PATCHED
		int f5(int x) { return x * 7; }
		int f4(int x) { return x * 9; }
		#else
		int f4(int x) { return x * 9; }
		int f5(int x) { return x * 7; }
		#endif
	EOT
	cdo 0
	changes <<-'EOT'
		function f1 0
		function f3 0
	EOT
}

@test "the same input gives the same output, byte by byte" {
	pair <<-'EOT'
		static int counter, second;
		static noinline int helper(int x) { static int calls; return _printk("%d", calls++ + x); }
		int foo(int x)
		{
		#ifdef PATCHED
			x += helper(second);
		#endif
			counter += x;
			return helper(x) + _printk("text");
		}
	EOT
	cdo 0
	mv output.o first.o
	mv report first.report
	cdo 0
	cmp first.o output.o
	cmp first.report report
}

@test "the .cold part alone changed: the parent is registered and both are in the output" {
	pair <<-'EOT'
		void panic_now(void) __attribute__((cold));
		extern int state;
		int foo(int x)
		{
			if (x == 5) {
				panic_now();
				state = x;
		#ifdef PATCHED
				state = 17;
				barrier();
				state = 18;
		#else
				state = 71;
				barrier();
				state = 81;
		#endif
				return 3;
			}
			return x + 1;
		}
		int bar(int x)
		{
			if (x == 5) {
				panic_now();
				state = x;
			}
			return x + 1;
		}
	EOT
	given_symbols orig.o foo.cold
	given_symbols patched.o foo.cold
	given cmp <(bytes orig.o .text.foo) <(bytes patched.o .text.foo)
	ksyms T panic_now D state
	cdo 0
	no_messages
	changes <<-'EOT'
		part foo.cold foo
		function foo 0
		klp vmlinux panic_now 0
		klp vmlinux state 0
	EOT
	infos <<-'EOT'
		file.c: changed function: foo: only its cold part foo.cold differs
	EOT
	relocs __mcount_loc <<-'EOT'
		__mcount_loc 0x0 64 foo 0
	EOT
	[[ $(reloc_list output.o) == *".text.foo "*" foo.cold "* ]]
	[[ $(reloc_list output.o) == *".text.unlikely.foo.cold "*" foo "* ]]
}

@test "only the parent of a .cold part changed: the part comes along" {
	pair <<-'EOT'
		void panic_now(void) __attribute__((cold));
		extern int state;
		int foo(int x)
		{
			if (x == 5) {
				panic_now();
				state = 1;
				return 3;
			}
		#ifdef PATCHED
			return x + 2;
		#else
			return x + 1;
		#endif
		}
	EOT
	given_symbols patched.o foo.cold
	given cmp <(bytes orig.o .text.unlikely.foo) <(bytes patched.o .text.unlikely.foo)
	ksyms T panic_now D state
	cdo 0
	changes <<-'EOT'
		part foo.cold foo
		function foo 0
		klp vmlinux panic_now 0
		klp vmlinux state 0
	EOT
	code_relocs .text.foo <<-'EOT'
		.text.foo PC32 foo.cold -4
	EOT
}

@test "a .cold part appears or vanishes with the change" {
	pair <<-'EOT'
		void panic_now(void) __attribute__((cold));
		extern int state;
		int foo(int x)
		{
		#ifdef PATCHED
			if (x == 5) {
				panic_now();
				state = 1;
				return 3;
			}
		#endif
			return x + 1;
		}
		int bar(int x)
		{
		#ifndef PATCHED
			if (x == 5) {
				panic_now();
				state = 1;
				return 3;
			}
		#endif
			return x + 1;
		}
	EOT
	given_symbols patched.o foo.cold
	given_symbols orig.o bar.cold
	ksyms T panic_now D state
	cdo 0
	no_messages
	changes <<-'EOT'
		part foo.cold foo
		function foo 0
		function bar 0
		klp vmlinux panic_now 0
		klp vmlinux state 0
	EOT
}

@test "cold parts with a number, without one, and of a clone belong to their functions" {
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
		.macro cold name
		.section .text.unlikely.\name, "ax"
		.type \name, @function
		\name:
		#ifdef PATCHED
			nop
		#endif
			ud2
		.size \name, . - \name
		.endm
		#ifdef PATCHED
		#define ONE one.cold.7
		#define TWO two.isra.4.cold.8
		#define CLONE two.isra.4
		#else
		#define ONE one.cold.3
		#define TWO two.isra.1.cold.4
		#define CLONE two.isra.1
		#endif
		function one
			je ONE
			ret
		.size one, . - one
		cold ONE
		function CLONE
			je TWO
			ret
		.size CLONE, . - CLONE
		cold TWO
		function three
			je three.cold
			call CLONE
			ret
		.size three, . - three
		cold three.cold
	EOT
	cdo 0
	no_messages
	changes <<-'EOT'
		function one 0
		part one.cold.3 one
		function two.isra.1 0
		part two.isra.1.cold.4 two.isra.1
		function three 0
		part three.cold three
	EOT
	# None of the parts has an entry of the ftrace table.
	relocs __mcount_loc <<-'EOT'
		__mcount_loc 0x0 64 one 0
		__mcount_loc 0x8 64 two.isra.1 0
		__mcount_loc 0x10 64 three 0
	EOT
}

@test "a .part function with an ftrace entry of its own is registered by its name" {
	cat > part.S <<-'EOT'
		.macro function name, section
		.section \section, "ax"
		.type \name, @function
		\name:
		9:	call __fentry__
		.pushsection __mcount_loc, "a"
		.quad 9b
		.popsection
		.endm
		.globl foo
		function foo, .text.foo
			call foo.part.0
			ret
		.size foo, . - foo
		function foo.part.0, .text.foo.part.0
		#ifdef PATCHED
			mov $2, %eax
		#else
			mov $1, %eax
		#endif
			ret
		.size foo.part.0, . - foo.part.0
	EOT
	asm_pair < part.S
	cdo 0
	changes <<-'EOT'
		function foo.part.0 0
	EOT
	symbols <<-'EOT'
		__kpatch_new.vmlinux.foo.part.0.0 GLOBAL FUNC
		foo.part.0 LOCAL FUNC
	EOT
}

@test "an alias that becomes another function's, or a function of its own, is refused" {
	for change in 'int __attribute__((alias("fop"))) bar(int x);' 'int bar(int x) { return x * 11; }'; do
		pair "-DCHANGE=$change" <<-'EOT'
			int foo(int x) { return x * 5; }
			int fop(int x) { return x * 7; }
			#ifdef PATCHED
			CHANGE
			#else
			int __attribute__((alias("foo"))) bar(int x);
			#endif
		EOT
		cdo 2
		[[ $stderr == *"refused: file.c: bar(): the patch gives this name to another thing, and who has bound to it goes on using the old one; give the new one another name"* ]]
	done
}

@test "the caller of a function without ftrace entry may be an alternative" {
	asm_pair <<-'EOT'
		.macro function name fentry
		.section .text.\name, "ax"
		.type \name, @function
		\name:
		.if \fentry
		9:	call __fentry__
			.pushsection __mcount_loc, "a"
			.quad 9b
			.popsection
		.endif
		.endm
		function f 0
			.pushsection .orc_unwind_ip, "a"; .long f - .; .popsection
			.pushsection .orc_unwind, "a"; .zero 6; .popsection
		#ifdef PATCHED
			nop
		#endif
			ret
		.size f, . - f
		.globl g
		function g 1
		1:	nopl 0(%rax,%rax)
			.pushsection .altinstructions, "a"; .long 1b - ., 2f - .; .word 1, 2; .byte 5, 5; .popsection
			.pushsection .altinstr_replacement, "ax"; 2: call f; .popsection
			ret
		.size g, . - g
		.globl h
		function h 1
			call f
			ret
		.size h, . - h
	EOT
	cdo 0
	changes <<-'EOT'
		copy function f
		function g 0
		function h 0
	EOT
}

@test "a function without ftrace entry whose address the original takes is not replaced with its callers" {
	pair <<-'EOT'
		void *pointer;
		static int notrace noinline f(int x)
		{
			barrier();
		#ifdef PATCHED
			return x * 5;
		#endif
			return x * 3;
		}
		int foo(int x)
		{
		#ifndef PATCHED
			pointer = f;
		#endif
			return f(x);
		}
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: f(): changed, but it has no ftrace entry (notrace, noinstr, or assembler), so that it cannot be redirected; patch its callers instead
	EOT
}

@test "what another object of the patch makes global is the running kernel's, under the name and position that it has" {
	pair <<-'EOT'
		int was_static(int);
		extern int static_data;
		int foo(int x)
		{
		#ifdef PATCHED
			x = was_static(x) + static_data;
		#endif
			return x + 1;
		}
	EOT
	ksyms t was_static d static_data T static_data
	printf 'was_static\tother.c\nstatic_data\tother.c\n' > elsewhere
	cdo 0 --defined-elsewhere elsewhere
	code_relocs .text.foo <<-'EOT'
		.text.foo PLT32 .kpatch.sym.vmlinux.vmlinux.was_static,0 -4
		.text.foo PC32 .kpatch.sym.vmlinux.vmlinux.static_data,1 -4
	EOT
	changes <<-'EOT'
		function foo 0
		klp vmlinux static_data 1
		klp vmlinux was_static 0
	EOT
	# Which one it is must be certain.
	ksyms t was_static
	cdo 2 --defined-elsewhere elsewhere
	messages <<-'EOT'
		refused: file.c: foo(): refers to was_static, which the patch makes global in other.c, and which of the kernel's 2 symbols of this name that is cannot be told here; add a new global function to other.c that uses it, and call that
	EOT
}

@test "of what another object makes global, the address may be taken if the kernel may call it through that" {
	pair <<-'EOT'
		int was_static(int);
		void *foo(void)
		{
		#ifdef PATCHED
			return was_static;
		#endif
			return 0;
		}
	EOT
	ksyms t was_static
	printf 'was_static\tother.c\n' > elsewhere
	cdo 0 --defined-elsewhere elsewhere
	printf 'seal\tffffffff81000010\n' >> symtab
	cdo 2 --defined-elsewhere elsewhere
	messages <<-'EOT'
		refused: file.c: foo(): takes the address of was_static(), which nothing in the kernel does: a call through a pointer would end in a trap (IBT); take the address of a new function that calls it
	EOT
}
