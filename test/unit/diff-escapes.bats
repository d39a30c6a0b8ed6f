#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: what code does with the address of a constant that changed. Objects in memory have that of the old one.
#
# shellcheck disable=SC2034 # what the fixtures read

bats_require_minimum_version 1.5.0
load diff-fixtures

OPS='
struct ops { int (*run)(int); int limit; };
struct file { long x[3]; const struct ops *ops; };
static noinline int run(int x) { barrier(); return x; }
#ifdef PATCHED
#define LIMIT 4
#else
#define LIMIT 3
#endif
static const struct ops my_ops = { run, LIMIT };
int keep(const struct ops *), use(void *);
'

# pair_with_ops: as pair, with OPS in front of what is on standard input.
pair_with_ops()
{
	{ echo "$OPS"; cat; } | pair "$@"
	ksyms T keep T use
}

# uses OBJECT FUNCTION REGEXP: the function has an instruction like this.
uses()
{
	objdump -d --no-show-raw-insn -j ".text.$2" "$1" | grep -E "$3" > /dev/null
}

@test "a changed table of operations whose address is compared with that in an object" {
	pair_with_ops <<-'EOT'
		int check(struct file *f) { return f->ops != &my_ops ? -22 : f->x[0]; }
		int check_twice(struct file *f) { return f->ops == &my_ops && f->x[0] ? use(f) : f[1].ops == &my_ops; }
		int limit(void) { return *(volatile int *)&my_ops.limit; }
	EOT
	given uses patched.o check 'cmpq +\$0x0,0x18\(%rdi\)'
	cdo 2
	messages <<-'EOT'
		refused: file.c: my_ops: a constant object changed, and check() compares its address with what objects hold, which is that of the old one; change the functions that use it instead
		refused: file.c: my_ops: a constant object changed, and check_twice() compares its address with what objects hold, which is that of the old one; change the functions that use it instead
	EOT
}

@test "the same, with what a register holds" {
	pair_with_ops <<-'EOT'
		int check(const struct ops *ops) { return ops != &my_ops ? -22 : 0; }
	EOT
	given uses patched.o check 'cmp +\$0x0,%rdi'
	cdo 2
	messages <<-'EOT'
		refused: file.c: my_ops: a constant object changed, and check() compares its address with what objects hold, which is that of the old one; change the functions that use it instead
	EOT
}

@test "a changed constant whose address is stored: in an object, in a variable, as that of an element" {
	pair_with_ops <<-'EOT'
		static const int names[8] = { 1, 2, 3, LIMIT };
		const int *current;
		struct dev { long x; const int *name; };
		void set_ops(struct file *f) { f->ops = &my_ops; }
		void set_name(struct dev *d) { d->name = &names[2]; }
		void set_current(void) { current = names; }
		void set_indexed(const int **p, long i) { p[i] = names; }
		int read_name(int i) { return names[i]; }
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: names: a constant object changed, and set_name() puts its address into objects: those that are there already keep that of the old one; change the functions that use it instead, or use a pre-patch callback
		refused: file.c: names: a constant object changed, and set_current() puts its address into objects: those that are there already keep that of the old one; change the functions that use it instead, or use a pre-patch callback
		refused: file.c: names: a constant object changed, and set_indexed() puts its address into objects: those that are there already keep that of the old one; change the functions that use it instead, or use a pre-patch callback
		refused: file.c: my_ops: a constant object changed, and set_ops() puts its address into objects: those that are there already keep that of the old one; change the functions that use it instead, or use a pre-patch callback
	EOT
}

@test "a new function that compares or stores it is no better" {
	pair_with_ops <<-'EOT'
		#ifdef PATCHED
		static noinline int fresh(struct file *f) { return f->ops == &my_ops; }
		int foo(struct file *f) { return fresh(f); }
		#else
		int foo(struct file *f) { return my_ops.limit; }
		#endif
		int limit(void) { return *(volatile int *)&my_ops.limit; }
	EOT
	cdo 2
	messages <<-'EOT'
		refused: file.c: my_ops: a constant object changed, and fresh() compares its address with what objects hold, which is that of the old one; change the functions that use it instead
	EOT
}

@test "an address on the stack, in a loop or of a table of numbers is for the call only" {
	pair_with_ops <<-'EOT'
		static const struct ops table[4] = { { run, 1 }, { run, 2 }, { run, 3 }, { run, LIMIT } };
		static const int numbers[8] = { 1, 2, 3, LIMIT };
		int on_stack(void) { struct file f = { .ops = &my_ops }; return use(&f); }
		int forwards(void) { int n = 0; for (const struct ops *o = table; o < table + 4; o++) n += o->run(o->limit); return n; }
		int backwards(void) { int n = 0; for (const int *p = numbers + 7; p >= numbers; p--) n += use((void *)(long)*p); return n; }
		int passed(void) { return use((void *)numbers); }
		int same(const int *p) { return p == numbers; }
	EOT
	given uses patched.o on_stack 'movq +\$0x0,0x18\(%rsp\)'
	given uses patched.o forwards 'cmp +\$0x0,%r'
	given uses patched.o same 'cmp +\$0x0,%r'
	cdo 0
	no_messages
	changes <<-'EOT'
		function on_stack 0
		function forwards 0
		function backwards 0
		function passed 0
		function same 0
		klp vmlinux run 0
		klp vmlinux use 0
	EOT
}

@test "a changed table of operations that is passed on or returned: a warning" {
	pair_with_ops <<-'EOT'
		const struct ops *get(void) { return &my_ops; }
		int give(void) { return keep(&my_ops) + 1; }
	EOT
	cdo 0
	messages <<-'EOT'
		warning: file.c: my_ops: a constant object with functions changed, and get() passes its address on; see that nothing keeps that: what is there already has the old one, and the new one goes with the livepatch
		warning: file.c: my_ops: a constant object with functions changed, and give() passes its address on; see that nothing keeps that: what is there already has the old one, and the new one goes with the livepatch
	EOT
}

@test "functions of other files make a table of operations, too, and other things do not" {
	pair <<-'EOT'
		#ifdef PATCHED
		#define LIMIT 4
		#else
		#define LIMIT 3
		#endif
		int outside(int), use(const void *);
		extern char variable[];
		static const struct { int (*run)(int); int limit; } ops = { outside, LIMIT };
		static const struct { char *name; int limit; } text = { variable, LIMIT };
		int give_ops(void) { return use(&ops); }
		int give_text(void) { return use(&text); }
	EOT
	ksyms T use T outside D variable
	cdo 0
	messages <<-'EOT'
		warning: file.c: ops: a constant object with functions changed, and give_ops() passes its address on; see that nothing keeps that: what is there already has the old one, and the new one goes with the livepatch
	EOT
}

@test "every form of instruction that stores or compares an address, and others that look like one" {
	asm_pair <<-'EOS'
		.macro function name, insn:vararg
		.section .text.\name, "ax"
		.globl \name
		.type \name, @function
		\name:
		9: call __fentry__
		\insn
		ret
		.size \name, . - \name
		.section __mcount_loc, "a"
		.quad 9b
		.endm
		function store_base, movq $table, (%rdi)
		function store_r12, movq $table, (%r12)
		function store_r13, movq $table, 8(%r13)
		function store_far, movq $table, 0x1000(%rbx)
		function store_index, movq $table, (, %rax, 8)
		function store_fixed, movq $table, variable
		function store_percpu, movq $table, %gs:variable(%rip)
		function compare, cmpq $table, 0x1000(%rbx, %rcx, 4)
		function compare_rip, cmpq $table, variable(%rip)
		function stack, movq $table, 0x1000(%rsp)
		function frame, cmpq $table, -8(%rbp)
		function read, movq table(%rip), %rdi
		function read_index, movq table(, %rax, 8), %rdi
		function read_immediate, cmpq $5, table(%rip)
		function pass_lea, leaq table(%rip), %rdx
		function pass_r9, movq $table, %r9
		function pass_eax, movl $table, %eax
		function loop_rbx, movl $table, %ebx
		function loop_r15, movq $table, %r15
		function loop_lea, leaq table(%rip), %r10
		.data
		.globl variable
		.type variable, @object
		variable: .quad 0
		.size variable, 8
		.section .rodata.table, "a"
		.type table, @object
		table:
		.quad store_base
		#ifdef PATCHED
		.quad 1
		#else
		.quad 2
		#endif
		.size table, 16
	EOS
	cdo 2
	messages < <(
		for f in store_base store_r12 store_r13 store_far store_index store_fixed store_percpu; do
			echo "refused: file.c: table: a constant object changed, and $f() puts its address into objects: those that are there already keep that of the old one; change the functions that use it instead, or use a pre-patch callback"
		done
		for f in compare compare_rip; do
			echo "refused: file.c: table: a constant object changed, and $f() compares its address with what objects hold, which is that of the old one; change the functions that use it instead"
		done
		for f in pass_lea pass_r9 pass_eax; do
			echo "warning: file.c: table: a constant object with functions changed, and $f() passes its address on; see that nothing keeps that: what is there already has the old one, and the new one goes with the livepatch"
		done)
}
