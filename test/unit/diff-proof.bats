#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: the original is found in what the kernel runs, or it is not the original. The kernels
# are linked at test time, of the proof object and of others around it.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr

bats_require_minimum_version 1.5.0
load diff-fixtures
load proof-fixtures

CAUSES='usual causes: another compiler version, another configuration, source of another version'

# Three objects of one kernel have things of the same names; helper() and counter of file.c are the second.
same_names()
{
	object first <<< 'static int counter = 1; static noinline int helper(int x) { return x * 9 + counter++; }
		int first(int x) { return helper(x); }'
	object third <<< 'static int counter = 3; static noinline int helper(int x) { return x * 7 + counter++; }
		int third(int x) { return helper(x); }'
	pair <<-'EOT'
		static int counter = 2;
		static noinline int helper(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			return x * 5 + counter++;
		}
		int foo(int x) { return helper(x) + _printk("foo"); }
	EOT
	proof
}

@test "of several things of one name the place in the image says which one it is" {
	same_names
	link_kernel first.o proof.o third.o
	cdo 0
	no_messages
	changes <<-'EOT'
		function helper 2
		klp vmlinux counter 2
	EOT
	# The order of the link decides, nothing else.
	link_kernel third.o first.o proof.o
	cdo 0
	changes <<-'EOT'
		function helper 3
		klp vmlinux counter 3
	EOT
}

@test "code that is there twice is told apart by what it refers to, and by what refers to it" {
	object twin <<< 'static int counter = 2; static noinline int helper(int x) { return x * 5 + counter++; }
		int twin(int x) { return helper(x); }'
	same_names
	given cmp -s <(bytes twin.o .text | cut -c 1-20) <(bytes proof.o .text | cut -c 1-20)
	link_kernel twin.o proof.o
	cdo 0
	changes <<-'EOT'
		function helper 2
		klp vmlinux counter 2
	EOT
}

@test "code that cannot be told apart is refused when it must be replaced, and only then" {
	printf '%s\n' '.section .sched.text, "ax"; .type same, @function' \
		'same: call __fentry__; lea 5(%rdi), %rax; ret; .size same, . - same' > same.S
	compile twin.o same.S
	sed 's/5(/6(/' same.S > other.S
	cat > common.S <<-'EOT'
		.text
		.globl foo
		.type foo, @function
	1:
	foo:	call __fentry__
		mov $FOO, %eax
		ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad 1b
		.quad same
	EOT
	cat same.S common.S > orig.S
	cat other.S common.S > changed.S
	compile proof.o orig.S -DFOO=1
	compile orig.o orig.S -DFOO=1
	CDO_OPTIONS=(--proof proof.o --image image)
	link_kernel twin.o proof.o
	compile patched.o orig.S -DFOO=2
	cdo 0
	changes <<< 'function foo 0'
	compile patched.o changed.S -DFOO=1
	cdo 2
	messages <<-'EOT'
		refused: file.c: same(): its place in the kernel image cannot be told with certainty; patch its callers instead
	EOT
}

@test "one byte of a function differs: an error that names it, the offset and both sides" {
	same_names
	link_kernel first.o proof.o third.o
	poke foo 5 cc
	cdo 1
	messages <<-EOT
		error: file.c: foo+0x5: the kernel has $(peek image foo 5) here, the compiled source $(peek proof.o foo 5); $CAUSES
	EOT
}

@test "with --skip-image-check a difference is a warning, and only names that are there once are found" {
	same_names
	link_kernel first.o proof.o third.o
	poke foo 5 cc
	cdo 2 --skip-image-check
	messages <<-EOT
		warning: file.c: foo+0x5: the kernel has $(peek image foo 5) here, the compiled source $(peek proof.o foo 5); $CAUSES
		refused: file.c: helper(): its place in the kernel image cannot be told with certainty; patch its callers instead
	EOT
	link_kernel proof.o
	poke foo 5 cc
	cdo 0 --skip-image-check
	messages <<-EOT
		warning: file.c: foo+0x5: the kernel has $(peek image foo 5) here, the compiled source $(peek proof.o foo 5); $CAUSES
	EOT
	changes <<-'EOT'
		function helper 0
		klp vmlinux counter 0
	EOT
}

@test "a call that goes elsewhere in the kernel is an error that names both functions" {
	same_names
	object wrong <<< 'int elsewhere(const char *s, ...) { return *s; }'
	compile proof.o file.c -fno-function-sections -fno-data-sections -D_printk=elsewhere
	link_kernel first.o proof.o third.o wrong.o
	proof
	call=$(readelf -rW proof.o | awk '$5 == "_printk" { print $1 }')
	printf -v call %x $((0x$call - 0x$(nm proof.o | awk '$3 == "foo" { print $1 }')))
	cdo 1
	messages <<-EOT
		error: file.c: foo+0x$call: the kernel refers to elsewhere+0x0 here, the compiled source to _printk+0x0; $CAUSES
	EOT
	# Without the check, what refers elsewhere is at no certain place.
	cdo 2 --skip-image-check
	messages <<-EOT
		warning: file.c: foo+0x$call: the kernel refers to elsewhere+0x0 here, the compiled source to _printk+0x0; $CAUSES
		refused: file.c: helper(): its place in the kernel image cannot be told with certainty; patch its callers instead
	EOT
}

@test "a reference to another variable of the object than the source has is an error" {
	local field value
	same_names
	link_kernel first.o proof.o third.o
	cdo 0
	field=$(readelf -rW proof.o | awk '$5 == ".data" && $1 ~ /^0/ { print $1; exit }')
	value=$(nm proof.o | awk '$3 == "helper" { print $1 }')
	given test -n "$field"
	# The n-th byte of the section lies in the image where that of helper() is, which is at its start.
	given test $((0x$value)) -eq 0
	poke foo $((0x$field - 0x$(nm proof.o | awk '$3 == "foo" { print $1 }'))) 00
	cdo 1
	[[ $stderr == "create-diff-object: error: file.c: helper+0x"*": the kernel refers to "*" here, the compiled source to .data"*"; $CAUSES" ]]
}

@test "a string, a constant, an initial value or a table of the compiler that differs is an error" {
	pair <<-'EOT'
		int value = 77;
		static const int table[3] = { 1, 2, 3 };
		int foo(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			return table[x] + _printk("the text") + value;
		}
	EOT
	proof
	link_kernel proof.o
	cdo 0
	poke value 0 4e
	cdo 1
	messages <<-EOT
		error: file.c: value+0x0: the kernel has 4e 00 00 00 here, the compiled source 4d 00 00 00; $CAUSES
	EOT
	poke value 0 4d
	poke table 4 09
	cdo 1
	messages <<-EOT
		error: file.c: table+0x4: the kernel has 09 00 00 00 03 00 00 00 here, the compiled source 02 00 00 00 03 00 00 00; $CAUSES
	EOT
	poke table 4 02
	cdo 0
	sed -i 's/the text/the TEXT/' image
	cdo 1
	[[ $stderr == "create-diff-object: error: file.c: foo+0x"*": the kernel refers to "*" here, the compiled source to .LC0+0x0; $CAUSES" ||
	   $stderr == "create-diff-object: error: file.c: foo+0x"*": the kernel refers to "*" here, the compiled source to .rodata.str1.1+0x0; $CAUSES" ]]
}

@test "a section without names is found by what refers to it, and compared, too" {
	asm_pair <<-'EOT'
		.section .text, "ax"
		.globl foo
		.type foo, @function
	1:
	foo:	call __fentry__
		movsd .Lnameless+8, %xmm0
	#ifdef PATCHED
		nop
	#endif
		ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad 1b
		.section .rodata, "a"
	.Lnameless: .quad 0x1122334455667788, 0x99aabbccddeeff00
	EOT
	cp orig.o proof.o
	CDO_OPTIONS=(--proof proof.o --image image)
	object before <<< 'const long before = 5;'
	link_kernel before.o proof.o
	cdo 0
	poke before 16 01
	cdo 1
	messages <<-EOT
		error: file.c: .rodata+0x8: the kernel has 01 ff ee dd cc bb aa 99 here, the compiled source 00 ff ee dd cc bb aa 99; $CAUSES
	EOT
}

@test "each section has its place, and tables that link or boot rewrite have none" {
	asm_pair <<-'EOT'
		.text
		.globl foo
		.type foo, @function
	1:
	foo:	call __fentry__
	2:	ud2
	3:	mov second(%rip), %eax
	#ifdef PATCHED
		nop
	#endif
		ret
		.size foo, . - foo
		.section .sched.text, "ax"
		.globl bar
		.type bar, @function
	4:
	bar:	call __fentry__
		mov first(%rip), %eax
		ret
		.size bar, . - bar
		.section __mcount_loc, "a"
		.quad 1b, 4b
		.section __bug_table, "aw"
		.long 2b - ., 0
		.word 1, 2
		.section __ex_table, "a"
		.long 2b - ., 3b - ., 0
		.data
		.type first, @object
	first:	.long 7
		.size first, 4
		.bss
		.type second, @object
	second:	.zero 4
		.size second, 4
	EOT
	cp orig.o proof.o
	CDO_OPTIONS=(--proof proof.o --image image)
	object before <<< 'int before = 5, before_bss; int before_text(void) { return before; }
		int __section(".sched.text") before_sched(void) { return 1; }'
	link_kernel before.o proof.o
	cdo 0 -d
	for section in .text .sched.text .data .bss; do
		[[ $stderr == *"file.c: section $section: at ffffffff81"* ]]
	done
	changes <<-'EOT'
		function foo 0
		klp vmlinux second 0
	EOT
}

@test "alternatives, keys, bugs and all else that tables say of code is compared, entry by entry" {
	local table common=(-DFEATURE=7 -DLINE=3 -DREPLACEMENT=clac -DKEY=key -DCALL_KEY=key -DLANDING=5b '-DFILE="a.c"')
	asm_pair "${common[@]}" <<-'EOT'
		.text
		.globl foo
		.type foo, @function
	1:
	foo:	call __fentry__
	2:	ud2
	3:	.byte 0x0f, 0x1f, 0x44, 0, 0
	4:	call foo
	5:
	#ifdef PATCHED
		nop
	#endif
		ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad 1b
		.section .altinstr_replacement, "ax"
	6:	REPLACEMENT
	7:	call foo
	8:
		.section .altinstructions, "a"
		.long 4b - ., 7b - .
		.word 3, 0
		.byte 8b - 7b, 5
		.long 2b - ., 6b - .
		.word FEATURE, 0
		.byte 7b - 6b, 2
		.section __bug_table, "aw"
		.long 2b - ., 9f - .
		.word LINE, 2
		.section __jump_table, "aw"
		.long 3b - ., 5b - .
		.quad KEY - .
		.section .static_call_sites, "aw"
		.long 4b - ., CALL_KEY - .
		.section __ex_table, "a"
		.long 2b - ., LANDING - ., 0
		.section .rodata.str1.1, "aMS", @progbits, 1
	9:	.asciz FILE
	EOT
	object before <<< 'int key, other_key; int before(void) { return 1; }'
	cp orig.o proof.o
	CDO_OPTIONS=(--proof proof.o --image image)
	for table in FEATURE=8:.altinstructions REPLACEMENT=stac: KEY=other_key:__jump_table LINE=4:__bug_table \
		'FILE="b.c":__bug_table' CALL_KEY=other_key:.static_call_sites LANDING=3b:__ex_table; do
		compile shipped.o file.S "${common[@]}" "-U${table%%=*}" "-D${table%:*}"
		link_kernel before.o shipped.o
		cdo 1
		if [[ $table == *: ]]; then
			[[ $stderr == "create-diff-object: error: file.c: .altinstr_replacement+0x2: the kernel has cb "*" here, the compiled source ca "*"; $CAUSES" ]]
		else
			[[ $stderr == "create-diff-object: error: file.c: foo+0x"*": the kernel has another entry of the "*" (section ${table#*:}) for this place than the compiled source, or none; $CAUSES" ]]
		fi
	done
	link_kernel before.o orig.o
	cdo 0
}

@test "source of another version: a function that the kernel does not have, or has changed, is named" {
	same_names
	sed -i 's/int foo(/int added(int x) { return x; }\n&/' file.c
	cp proof.o shipped.o
	proof
	link_kernel first.o shipped.o third.o
	cdo 1
	messages <<-EOT
		error: file.c: added(): in the compiled source, but the kernel has nothing of this name; $CAUSES
	EOT
	# The names are there, but not where they should be: the nearest thing to it is compared.
	sed -i 's/.*int added.*//; s/x \* 5/x * 5 * x + 77 * x/' file.c
	proof
	cdo 1
	[[ $stderr == "create-diff-object: error: file.c: "*": the kernel has "*" here, the compiled source "*"; $CAUSES" ]]
	[ "$(wc -l <<< "$stderr")" -eq 1 ]
}

@test "a weak definition that another object overrides does not hinder the others" {
	object strong <<< 'int arch_report(void) { return 5; }'
	pair <<-'EOT'
		int __attribute__((weak)) arch_report(void)
		{
		#ifdef WEAK
			return _printk("weak");
		#endif
			return 0;
		}
		int foo(int x)
		{
		#if defined PATCHED && !defined WEAK
			x += 3;
		#endif
			return arch_report() + x;
		}
	EOT
	proof
	link_kernel strong.o proof.o
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		klp vmlinux arch_report 0
	EOT
	compile patched.o file.c -DPATCHED -DWEAK
	cdo 2
	messages <<-'EOT'
		refused: file.c: arch_report(): weak, and the kernel runs another object's definition of it instead, at ffffffff81000000 between the beginning and foo; patch that one
	EOT
}

@test "a weak definition that another object overrides does not become a strong one" {
	object strong <<< 'int arch_report(void) { return 5; }'
	pair <<-'EOT'
		#ifndef PATCHED
		__attribute__((weak))
		#endif
		int arch_report(void) { return 0; }
		int foo(int x) { return arch_report() + x; }
	EOT
	proof
	link_kernel strong.o proof.o
	cdo 2
	messages <<-'EOT'
		refused: file.c: arch_report(): weak, and the kernel runs another object's definition of it instead, at ffffffff81000000 between the beginning and foo; patch that one
	EOT
	# If nothing overrides it, nothing is lost.
	link_kernel proof.o
	cdo 0
	no_messages
	changes <<< 'function foo 0'
}

@test "in a module positions are those of its symbol table, whatever the addresses" {
	same_names
	link_module third.o proof.o first.o
	cdo 0
	changes <<-'EOT'
		function helper 2
		klp patched_mod counter 2
	EOT
	# A shipped file has its symbols in any order.
	awk -F '\t' '$4 == "helper" { line[++n] = $0; next } { print }
		END { print line[3]; print line[1]; print line[2] }' symtab > symtab.new
	mv symtab.new symtab
	cdo 0
	changes <<-'EOT'
		function helper 3
		klp patched_mod counter 2
	EOT
}

@test "initialisation and exit code of a module is proven, too" {
	pair <<-'EOT'
		static int state;
		static int __section(".init.text") notrace __used start(int x) { return x + 5; }
		static int __section(".exit.text") notrace __used stop(int x) { return x + 6; }
		int foo(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			return x + state++;
		}
	EOT
	proof
	link_module proof.o
	cdo 0 -d
	[[ $stderr != *"not placed"* ]]
	poke stop 2 07
	cdo 1
	messages <<-EOT
		error: file.c: stop+0x2: the kernel has 07 c3 here, the compiled source 06 c3; $CAUSES
	EOT
}

@test "an image of another kind, or none" {
	same_names
	link_module first.o proof.o
	cdo 0
	OBJNAME=vmlinux
	cdo 1
	messages <<< 'error: image: not the image of vmlinux; give the file that the kernel runs'
	rm image
	cdo 1
	messages <<< 'error: image: No such file or directory; give a kernel image or a module'
	rm proof.o
	cdo 1
	messages <<< 'error: proof.o: No such file or directory; is the path right?'
}

@test "a field that only the shipped module relocates is a difference" {
	object helpers <<< 'int helper(int x) { return x * 3; }'
	{ printf '%s#line 1\n' "$FIXTURE_PRELUDE"; cat; } > shipped.c <<-'EOT'
		int helper(int); int (*hook)(int); struct { long n; int (*f)(int); } ops = { 1, VALUE };
		int foo(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			hook = HOOK;
			return x;
		}
	EOT
	cp shipped.c file.c
	for where in HOOK VALUE; do
		compile shipped.o shipped.c -fno-function-sections -fno-data-sections -DHOOK=0 -DVALUE=0 "-U$where" "-D$where=helper"
		compile proof.o file.c -fno-function-sections -fno-data-sections -DHOOK=0 -DVALUE=0
		compile orig.o file.c -DHOOK=0 -DVALUE=0
		compile patched.o file.c -DHOOK=0 -DVALUE=0 -DPATCHED
		CDO_OPTIONS=(--proof proof.o --image image)
		link_module helpers.o shipped.o
		cdo 1
		[[ $stderr == "create-diff-object: error: file.c: "*"+0x"*": the kernel has a reference here, the compiled source 00 00 00 00"*"; $CAUSES" ]]
	done
}

@test "variables that the kernel has under other names or in another order are a difference" {
	pair <<-'EOT'
		static int AA = 1, BB = 2, counter = 3;
		int foo(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			return x + AA++;
		}
		int bar(int x) { return x + BB++ + counter++; }
	EOT
	object other <<< 'static int counter = 77; int other(void) { return counter++; }'
	sed 's/counter/cnt/; s/return x + BB++ + counter/return x + BB++ + cnt/' file.c > shipped.c
	compile shipped.o shipped.c -fno-function-sections -fno-data-sections -DAA=bb -DBB=aa
	compile proof.o file.c -fno-function-sections -fno-data-sections -DAA=aa -DBB=bb
	compile orig.o file.c -DAA=aa -DBB=bb
	compile patched.o file.c -DAA=aa -DBB=bb -DPATCHED
	CDO_OPTIONS=(--proof proof.o --image image)
	link_kernel other.o shipped.o
	cdo 1
	[[ $stderr == *"; $CAUSES"* ]]
}

@test "with --skip-image-check a name that is there once, but with others around it, is another file's" {
	object other <<< 'static noinline int helper(int x) { barrier(); return x * 99; } int other(int x) { return helper(x); }'
	pair <<-'EOT'
		static noinline int helper(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			barrier();
			return x * 5;
		}
		int foo(int x) { return helper(x) + 1; }
	EOT
	sed 's/helper/hlp/' file.c > shipped.c
	compile shipped.o shipped.c -fno-function-sections -fno-data-sections
	proof
	link_kernel other.o shipped.o
	cdo 1
	cdo 2 --skip-image-check
	[[ $stderr == *"refused: file.c: helper(): not in the symbol table of vmlinux; is this file part of it, and is the source that of the running kernel?" ]]
}

@test "another source version differs in many places: 20 are shown, the rest is counted" {
	many() {
		local i
		for ((i = 0; i < 30; i++)); do
			printf '.section .data.v%d, "aw"; .globl v%d; .type v%d, @object; v%d: .long %s; .size v%d, 4\n' \
				$i $i $i $i "$1 + $i" $i
		done
	}
	many 100 > ours.S
	compile proof.o ours.S
	asm_pair < ours.S
	many 200 > theirs.S
	compile theirs.o theirs.S
	link_kernel theirs.o
	CDO_OPTIONS=(--proof proof.o --image image)
	cdo 1
	[ "$(grep -c ': the kernel has [cd][0-9a-f] 00 00 00 here, the compiled source ' <<< "$stderr")" -eq 20 ]
	tail -n 1 <<< "$stderr" | diff -u - <(echo 'create-diff-object: warning: file.c: 10 more sections differ')
	cdo 3 --skip-image-check
	[ "$(wc -l <<< "$stderr")" -eq 21 ]
}

# callers FUNCTION: a pair whose keep() calls FUNCTION(), and whose foo() is changed.
callers()
{
	sed "s/CALLED/$1/" <<-'EOT' | pair
		int CALLED(int);
		extern int limit;
		int keep(int x) { return CALLED(x) + limit; }
		int foo(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			return x + 1;
		}
	EOT
	proof
}

@test "what the kernel calls, or refers to, by a name that it does not have is another thing" {
	callers new_helper
	object other <<< 'int old_helper(int x) { return x * 7; } int old_limit = 3;'
	sed 's/new_helper/old_helper/' file.c > shipped.c
	compile shipped.o shipped.c -fno-function-sections -fno-data-sections -Dlimit=old_limit
	link_kernel shipped.o other.o
	cdo 1
	[[ $stderr == "create-diff-object: error: file.c: keep+0x"*": the kernel refers to old_helper+0x0 here, the compiled source to new_helper+0x0; $CAUSES" ]]
	callers old_helper
	kernel_symtab
	cdo 1
	[[ $stderr == "create-diff-object: error: file.c: keep+0x"*": the kernel refers to old_limit+0x0 here, the compiled source to limit+0x0; $CAUSES" ]]
	callers new_helper
	compile shipped.o shipped.c -fno-function-sections -fno-data-sections
	object other <<< 'int old_helper(int x) { return x * 7; } int limit = 3;'
	link_module shipped.o other.o
	cdo 1
	[[ $stderr == "create-diff-object: error: file.c: keep+0x"*": the kernel refers to old_helper+0x0 here, the compiled source to new_helper+0x0; $CAUSES" ]]
	# What the linker makes is data, and has no other name; what is weak and missing is nowhere.
	OBJNAME=vmlinux
	callers old_helper
	object other <<< 'int old_helper(int x) { return x * 7; } int before = 3, made[2];'
	link_kernel proof.o other.o --defsym=limit=made+4
	sed -i '/\tlimit$/d' symtab
	cdo 0
	sed -i 's/^int keep/extern int maybe(int) __attribute__((weak)); int weak(int x) { return maybe ? maybe(x) : 0; } &/' file.c
	for object in orig.o patched.o; do
		compile "$object" file.c ${PATCHED[@]+"${PATCHED[@]}"}
		PATCHED=(-DPATCHED)
	done
	proof
	link_kernel proof.o other.o --defsym=limit=made+4
	cdo 0
	# kallsyms leaves its own tables out, which are weak.
	sed -i 's/^extern int maybe/extern int table[] __attribute__((weak)); int tables(int x) { return table[x]; } &/' file.c
	PATCHED=()
	for object in orig.o patched.o; do
		compile "$object" file.c ${PATCHED[@]+"${PATCHED[@]}"}
		PATCHED=(-DPATCHED)
	done
	proof
	link_kernel proof.o other.o --defsym=limit=made+4 --defsym=table=made+4
	sed -i '/\ttable$/d; /\tlimit$/d' symtab
	cdo 0
}

@test "a variable whose name others have, too, is not what the kernel has by another name" {
	pair <<-'EOT'
		static int counter;
		int keep(int x) { return counter += x; }
		int foo(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			return x + 1;
		}
	EOT
	for object in first third; do
		object $object <<< "static int counter; int $object(int x) { return counter -= x; }"
	done
	compile shipped.o file.c -fno-function-sections -fno-data-sections -Dcounter=total
	proof
	link_kernel first.o shipped.o third.o
	cdo 1
	[[ $stderr == "create-diff-object: error: file.c: keep+0x"*": the kernel refers to total+0x0 here, the compiled source to .bss+0x"*"; $CAUSES" ]]
	link_kernel first.o proof.o third.o
	cdo 0
}

@test "what only the original has, not the proof object, is not what the kernel has by this name" {
	pair <<-'EOT'
		static int __used helper(int x) { return x * 3; }
		int foo(int x)
		{
		#ifdef PATCHED
			x += helper(x);
		#endif
			return x + 1;
		}
	EOT
	compile orig.o file.c -fno-inline
	compile patched.o file.c -fno-inline -DPATCHED
	object other <<< 'static int __used helper(int x) { return x * 7; }'
	proof -Dhelper=other_helper
	link_kernel proof.o other.o
	cdo 2
	messages <<< "refused: file.c: foo(): refers to helper, which is neither exported nor in the kernel's symbol table; is it from another configuration?"
}

# sanitized PATH: a kernel whose file.c was compiled as PATH, with a sanitizer that tells where things are.
sanitized()
{
	pair -fsanitize=shift <<-'EOT'
		int foo(int x)
		{
		#ifdef PATCHED
			x += 5;
		#endif
			return 1 << x;
		}
	EOT
	proof -fsanitize=shift
	mkdir -p "${1%/*}"
	cp file.c "$1"
	compile built.o "$1" -fsanitize=shift -fno-function-sections -fno-data-sections
	object sanitizer <<< 'void __ubsan_handle_shift_out_of_bounds(void *data, void *a, void *b) {}'
	link_kernel built.o sanitizer.o
}

@test "a sanitizer may tell of the same file in another directory, and of no other" {
	sanitized "$PWD/build/linux-1.2/file.c"
	given [ "$(strings image | grep -c "^$PWD/build/linux-1.2/file.c$")" -eq 1 ]
	cdo 0
	no_messages
	changes <<-'EOT'
		part foo.cold foo
		function foo 0
		klp vmlinux __ubsan_handle_shift_out_of_bounds 0
	EOT
	sanitized "$PWD/build/linux-1.2/myfile.c"
	cdo 1
	[[ $stderr == "create-diff-object: error: file.c: .data+0x0: the kernel refers to "*" here, the compiled source to .rodata.str1.1+0x0; $CAUSES" ]]
	sanitized build/file.c
	cdo 1
	[[ $stderr == "create-diff-object: error: file.c: .data+0x0: the kernel refers to "* ]]
}

@test "without a sanitizer the name of a file is a text like any other" {
	pair -DNAME='"file.c"' <<-'EOT'
		const char *foo(int x)
		{
		#ifdef PATCHED
			x += 5;
		#endif
			return NAME + (x & 1);
		}
	EOT
	proof -DNAME='"file.c"'
	compile built.o file.c -fno-function-sections -fno-data-sections -DNAME='"/build/file.c"'
	link_kernel built.o
	cdo 1
	[[ $stderr == "create-diff-object: error: file.c: foo+0x"*": the kernel refers to "* ]]
}

@test "which tracepoints are used is checked when the kernel is built, and is not in it" {
	pair <<-'EOT'
		#ifndef KERNEL
		static const char __used __section("__tracepoint_check") __trace_check_event[] = "event";
		#endif
		int foo(int x)
		{
		#ifdef PATCHED
			x += 5;
		#endif
			return x + 1;
		}
	EOT
	proof
	compile built.o file.c -fno-function-sections -fno-data-sections -DKERNEL
	link_kernel built.o
	cdo 0
	no_messages
	changes <<< 'function foo 0'
}

@test "of two functions at one place either may have given its name to the padding" {
	asm_pair <<-'EOT'
		.section .text.foo, "ax"
		#ifdef KERNEL
		#define PADDING __pfx_alias
		#else
		#define PADDING __pfx_foo
		#endif
		.globl PADDING, foo, alias
		.type PADDING, @function
		PADDING: .fill 16, 1, 0x90
		.size PADDING, 16
		.type foo, @function
		.type alias, @function
		foo:
		alias:
		9:	call __fentry__
		#ifdef PATCHED
			nop
		#endif
			mov $3, %eax
			ret
		.size foo, . - foo
		.size alias, . - foo
		.section __mcount_loc, "a"
		.quad 9b
	EOT
	compile proof.o file.S
	CDO_OPTIONS=(--proof proof.o --image image)
	compile built.o file.S -DKERNEL
	link_kernel built.o
	cdo 0
	no_messages
	grep -qx $'function\tfoo\t0\t.*' report || grep -qx $'function\talias\t0\t.*' report
	# The name in front of another function is no excuse for code that differs.
	poke foo 5 b9
	cdo 1
}
