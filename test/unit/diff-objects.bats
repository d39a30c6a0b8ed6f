#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: options, unusual and damaged inputs.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr
# shellcheck disable=SC2034 # what the fixtures read
# shellcheck disable=SC2030,SC2031 # each test is a subshell
# shellcheck disable=SC2001 # sed is clearer

bats_require_minimum_version 1.5.0
load diff-fixtures

changed_pair()
{
	pair "$@" <<-'EOT'
		static int counter;
		int foo(int x)
		{
		#ifdef PATCHED
			x += 5;
		#endif
			counter += x;
			return _printk("%d", x);
		}
	EOT
}

expect_foo()
{
	cdo 0
	changes <<-'EOT'
		function foo 0
		klp vmlinux counter 0
	EOT
}

@test "wrong options and numbers of arguments are errors with exit code 1" {
	run -1 "$CDO"
	[[ $output == *"7 arguments are needed"* ]]
	run -1 "$CDO" 1 2 3 4 5 6
	[[ $output == *"7 arguments are needed"* ]]
	run -1 "$CDO" 1 2 3 4 5 6 7 8
	[[ $output == *"too many arguments"* ]]
	run -1 "$CDO" --no-such-option 1 2 3 4 5 6 7
	run -1 "$CDO" --report
	changed_pair
	run -1 "$CDO" --proof orig.o orig.o patched.o vmlinux symtab symvers name output.o
	[[ $output == *"--proof and --image go together"* ]]
	nothing_left_behind
}

@test "--help and --version" {
	run -0 "$CDO" --help
	[[ $output == *"ORIG.o PATCHED.o OBJNAME SYMTAB SYMVERS MODNAME OUTPUT.o"* ]]
	run -0 "$CDO" --version
	[[ $output == "create-diff-object (kpatch-shadow) "[0-9]* ]]
}

@test "every option of --help is in the manual page, and the other way round" {
	diff -u <("$CDO" --help | grep -oE -- '--[a-z-]+' | sort -u) \
		<(sed 's/\\-/-/g' "$TOP/man/create-diff-object.1" \
		"$TOP/man/kpatch-macros.h.7" | grep -oE -- '--[a-z-]+' | sort -u)
}

@test "every refusal, error and warning is in the manual page" {
	# Compared by their first fixed words of some length.
	sed -n 's/.*diag_\(refuse([A-Za-z_]*, \|warn(\)"\(.*\)",\{0,1\}.*/\2/p' "$TOP"/create-diff-object/*.c |
		sed 's/^%s: \(%s: \|%s(): \|%\.60s\.*(\{0,1\})\{0,1\}: \|section %s: \)\{0,1\}//; s/%[a-z.0-9]*/X/g' |
		grep -oE '[a-zA-Z ,()-]{12,}' | sort -u > said
	[ -s said ]
	sed 's/\\-/-/g; s/\\fI[^\\]*\\f[PR]/X/g; s/\\f.//g; s/\\(aq/'\''/g' "$TOP/man/create-diff-object.1" \
		"$TOP/man/kpatch-macros.h.7" |
		tr '\n' ' ' | tr -s ' ' > page
	missing=0
	while IFS= read -r words; do
		words=${words# }
		grep -qF -- "${words% }" page || { echo "not in the manual page: $words"; missing=1; }
	done < said
	((!missing))
}

@test "missing files are named" {
	changed_pair
	for file in orig.o patched.o symtab symvers; do
		mv $file kept
		cdo 1
		messages <<-EOT
			error: $file: No such file or directory; is the path right?
		EOT
		mv kept $file
	done
	cdo 1 --defined-elsewhere nowhere
	messages <<-'EOT'
		error: nowhere: No such file or directory; is the path right?
	EOT
}

@test "an output or report that cannot be written leaves nothing behind" {
	changed_pair
	run -1 --separate-stderr "$CDO" orig.o patched.o vmlinux symtab symvers name no/such/output.o
	[[ $stderr == *"error: no/such/output.o"*": No such file or directory; can the directory be written?" ]]
	cdo 1 --report no/such/report
	messages <<-'EOT'
		error: no/such/report: No such file or directory; can the directory be written?
	EOT
	cdo 1 --report /dev/full
	messages <<-'EOT'
		error: /dev/full: cannot write; is the disk full?
	EOT
	[ -c /dev/full ]
}

@test "an older output survives a failure" {
	changed_pair
	sed -i '/foo/d' symtab
	echo old > output.o
	run -2 "$CDO" orig.o patched.o vmlinux symtab symvers name output.o
	[ "$(cat output.o)" = old ]
}

@test "--quiet says nothing but refusals and warnings; --source names the file" {
	changed_pair
	cdo 0 --quiet
	[ -z "$output$stderr" ]
	cdo 0 --source fs/other.c
	[[ $output == "create-diff-object: fs/other.c: changed function: foo"* ]]
}

@test "files that are no object files of this machine" {
	changed_pair
	cp orig.o good.o
	echo text > orig.o
	cdo 1
	messages <<< "error: orig.o: not an ELF file; give an object file"
	: > orig.o
	cdo 1
	ld -r -m elf_x86_64 -o orig.o good.o
	ld -o orig.o good.o --unresolved-symbols=ignore-all -e foo
	cdo 1
	messages <<< "error: orig.o: not a relocatable object; give a .o file"
	"$FIXTURE_CC" -m32 -ffreestanding -x c -c -o orig.o - <<< 'int foo;' || skip "no -m32"
	cdo 1
	messages <<< "error: orig.o: not an object of x86-64; other architectures are not supported yet"
}

@test "a stripped object" {
	changed_pair
	objcopy --strip-all orig.o
	cdo 1
	messages <<< "error: orig.o: no symbol table; was it stripped?"
}

@test "damaged lines of the symbol table and of Module.symvers are named" {
	changed_pair
	cp symtab good
	echo $'sym\txyz\tT\tname' >> symtab
	cdo 1
	messages <<< "error: symtab: line $(wc -l < symtab) is damaged; make the file again"
	{ cat good; echo $'sym\t10\tTT\tname'; } > symtab
	cdo 1
	{ cat good; echo $'struct\tbug_entry\t0'; } > symtab
	cdo 1
	head -c 20 good > symtab
	cdo 1
	messages <<< "error: symtab: no symbols; is it the output of kpatch-image symtab or readelf -sW?"
	{ cat good; echo $'new_kind_of_line\t1\t2'; } > symtab
	expect_foo
	echo 'one two three four' >> symvers
	cdo 1
	messages <<< "error: symvers: line $(wc -l < symvers) is damaged; is it a Module.symvers?"
}

@test "objects without STT_FILE symbols, and with several of one name" {
	changed_pair
	objcopy --strip-symbol=file.c --strip-symbol= orig.o
	given_not grep -q ' FILE ' <(readelf -sW orig.o)
	expect_foo
	printf '.file "file.c"\nnop\n' | "$FIXTURE_CC" -x assembler -c -o more.o -
	ld -r -o both.o patched.o more.o
	given [ "$(readelf -sW both.o | grep -c ' FILE .* file.c$')" = 2 ]
	mv both.o patched.o
	cdo 2
	messages <<-'EOT'
		refused: file.c: .text+0x0: changed code that belongs to no function; assembler code cannot be patched
	EOT
}

@test "section symbols on one side only" {
	cat > file.S <<-'EOT'
		.section .text.foo, "ax"
		.type foo, @function
		#ifdef GLOBAL
		.globl foo
		#endif
		foo:	mov $1, %eax
			ret
		.size foo, . - foo
		.section .text.user, "ax"
		.globl user
		.type user, @function
		user:	mov $foo, %rdi
			call foo
			ret
		.size user, . - user
	EOT
	compile orig.o file.S
	compile patched.o file.S -DGLOBAL
	given grep -q 'SECTION .* .text.foo' <(readelf -sW orig.o)
	given_not grep -q 'SECTION .* .text.foo' <(readelf -sW patched.o)
	symtab_of orig.o > symtab
	cdo 3
	# And the other way round.
	mv orig.o old.o
	mv patched.o orig.o
	mv old.o patched.o
	symtab_of orig.o > symtab
	cdo 3
}

@test "functions that share a section whose symbol the assembler dropped" {
	asm_pair <<-'EOT'
		.section .sched.text, "ax"
		.type helper, @function
		helper:	mov $1, %eax
			ret
		.size helper, . - helper
		.type other, @function
		other:	mov $2, %eax
			ret
		.size other, . - other
		.globl foo
		.type foo, @function
		foo:	call __fentry__
		#ifdef PATCHED
			nop
		#endif
			call other
			call helper
			ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad foo
	EOT
	given_not grep -q 'SECTION .* .sched.text' <(readelf -sW orig.o)
	given_not grep -q 'SECTION .* .sched.text' <(readelf -sW patched.o)
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		klp vmlinux helper 0
		klp vmlinux other 0
	EOT
	relocs .text.foo <<-'EOT'
		.text.foo 0x1 PLT32 __fentry__ -4
		.text.foo 0x7 PLT32 .kpatch.sym.vmlinux.vmlinux.other,0 -4
		.text.foo 0xc PLT32 .kpatch.sym.vmlinux.vmlinux.helper,0 -4
	EOT
}

@test "names of 300 characters" {
	name=$(printf 'n%.0s' {1..300})
	changed_pair "-Dfoo=$name" "-Dcounter=c$name"
	cdo 0
	changes <<-EOT
		function $name 0
		klp vmlinux c$name 0
	EOT
}

@test "more than 65536 sections" {
	{
		seq 1 66000 | sed 's/.*/.section .text.f&,"ax"; f&: ret/'
		cat <<-'EOT'
			.section .text.foo, "ax"
			.globl foo
			.type foo, @function
			foo:
			9:	call __fentry__
			#ifdef PATCHED
				call f65999
			#endif
				call f66000
				ret
			.size foo, . - foo
			.section __mcount_loc, "a"
			.quad 9b
		EOT
	} > file.S
	compile orig.o file.S
	compile patched.o file.S -DPATCHED
	given grep -q 'Number of section headers: *0 (6' <(readelf -hW orig.o)
	symtab <<< $'T foo\nt f65999\nt f66000'
	cdo 0
	changes <<-'EOT'
		function foo 0
		klp vmlinux f65999 0
		klp vmlinux f66000 0
	EOT
}

@test "an object without anything in it" {
	printf '/* nothing */\n' > file.c
	compile orig.o file.c
	compile patched.o file.c
	symtab <<< 'T foo'
	cdo 3
}

@test "debugging information and other sections that are not loaded do not matter" {
	changed_pair
	compile patched.o file.c -DPATCHED -g
	expect_foo
	run -1 grep debug <(readelf -SW output.o)
}

@test "COMDAT groups: the functions in them are functions like others" {
	asm_pair <<-'EOT'
		.section .text.foo, "axG", @progbits, foo, comdat
		.weak foo
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
	EOT
	cdo 0
	changes <<-'EOT'
		function foo 0
	EOT
	run -1 has_section output.o .group
}

@test "a relocation type that the kernel doesn't know" {
	asm_pair <<-'EOT'
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:
		9:	call __fentry__
		#ifdef PATCHED
			nop
		#endif
			mov external@GOTPCREL(%rip), %rax
			ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad 9b
	EOT
	ksyms D external
	cdo 1
	[[ $stderr == *"patched.o: section .text.foo: relocation type "*" is not known; was the object compiled for the kernel?" ]]
}

@test "mapping symbols, labels and constants of the compiler name nothing" {
	asm_pair <<-'EOT'
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		"$x":
		foo:
		9:	call __fentry__
		#ifdef PATCHED
			nop
		#endif
		"$d.1":
		.Lmiddle:
			mov $.LC0, %rdi
			mov $.LC1, %rsi
			ret
		.size foo, . - foo
		.section .rodata.foo, "a"
		"$d":
		.LC0: .quad 5
		.section .rodata.cst8, "aM", @progbits, 8
		.quad 6
		.LC1: .quad 7
		.section __mcount_loc, "a"
		.quad 9b
	EOT
	# -L keeps the assembler's labels in the symbol table.
	compile orig.o file.S -Wa,-L
	compile patched.o file.S -DPATCHED -Wa,-L
	given_symbols patched.o '$x' '$d' '$d.1' .LC0 .LC1 .Lmiddle
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
	EOT
	symbols <<-'EOT'
		__kpatch_new.vmlinux.foo.0 GLOBAL FUNC
		foo LOCAL FUNC
	EOT
	relocs .text.foo <<-'EOT'
		.text.foo 0x1 PLT32 __fentry__ -4
		.text.foo 0x9 32S .rodata.foo 0
		.text.foo 0x10 32S .rodata.cst8 0
	EOT
	[ "$(bytes output.o .rodata.cst8)" = 0700000000000000 ]
}

@test "absolute symbols are numbers; a reference to a fixed address is refused" {
	asm_pair <<-'EOT'
		.globl number
		.set number, 0x1234
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:
		9:	call __fentry__
		#ifdef PATCHED
			nop
		#endif
			mov $number, %rdi
		#ifdef CALL
			call number
		#endif
			ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad 9b
	EOT
	given grep -q ' ABS number$' <(readelf -sW patched.o)
	ksyms D number
	cdo 0
	changes <<-'EOT'
		function foo 0
	EOT
	relocs .text.foo <<-'EOT'
		.text.foo 0x1 PLT32 __fentry__ -4
	EOT
	# Its relocation is against no symbol at all.
	compile orig.o file.S -DCALL
	compile patched.o file.S -DPATCHED -DCALL
	cdo 2
	messages <<< "refused: file.c: foo(): refers to a fixed address and not to a symbol; reach it through a pointer"
}

@test "a common variable of the original is found by its name, a new one is refused" {
	asm_pair <<-'EOT'
		.comm old, 8, 8
		#ifdef NEW
		.comm new, 8, 8
		#endif
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:
		9:	call __fentry__
			incl old(%rip)
		#ifdef PATCHED
			nop
		#endif
		#ifdef NEW
			incl new(%rip)
		#endif
			ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad 9b
	EOT
	given grep -q ' COM old$' <(readelf -sW patched.o)
	cdo 0
	changes <<-'EOT'
		function foo 0
		klp vmlinux old 0
	EOT
	compile patched.o file.S -DPATCHED -DNEW
	cdo 2
	messages <<-'EOT'
		refused: file.c: new: a new variable without an initial value, which this compiler leaves to the linker (COMMON); give it an initial value, or declare it static
	EOT
}

@test "sections for tools and for the build are no part of the comparison or of the output" {
	for section in .discard .discard.unreachable .discard.addressable .llvm_addrsig .comment .note.odd \
		.printk_index .ibt_endbr_seal __tracepoint_check; do
		asm_pair <<-EOT
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
			.section __mcount_loc, "a"
			.quad 9b
			.section $section, "a"
			.quad 8b
			#ifdef PATCHED
			.type named, @object
			.size named, 8
			named: .quad 8b
			#endif
		EOT
		cdo 0
		no_messages
		changes <<-'EOT'
			function foo 0
		EOT
		run -1 has_section output.o "$section"
	done
}

@test "an output of more than 65280 sections" {
	local n=65300
	{
		echo '#ifdef PATCHED'
		seq 1 $n | sed 's/.*/.section .data.v&,"aw"; .type v&,@object; .size v&,4; v&: .long &/'
		printf '%s\n' '#endif' '.section .text.foo, "ax"' '.globl foo' '.type foo, @function' \
			'foo:' '9: call __fentry__' '#ifdef PATCHED'
		seq 1 $n | sed 's/.*/mov $v&, %eax/'
		printf '%s\n' '#endif' 'ret' '.size foo, . - foo' '.section __mcount_loc, "a"' '.quad 9b'
	} > file.S
	compile orig.o file.S
	compile patched.o file.S -DPATCHED
	symtab <<< 'T foo'
	run -0 "$CDO" -q orig.o patched.o vmlinux symtab symvers name output.o
	readelf -hSsrW output.o > list
	given grep -q 'Number of section headers: *0 (65' list
	# Each reference is to the variable of that name, and that is in the section of that name.
	awk '$3 == "R_X86_64_32" { print $5 }' list | diff -q - <(seq 1 $n | sed 's/^/v/')
	sed -n 's/^ *\[ *\([0-9]*\)\] \.data\.\(v[0-9]*\) .*/\1 \2/p' list > sections
	[ "$(wc -l < sections)" = $n ]
	awk '$4 == "OBJECT" { print $7, $8 }' list | sort -n | diff -q - sections
}

# An object with some of everything, small enough to be damaged many times.
rich_pair()
{
	pair <<-'EOT'
		extern int external_data;
		void external(void) __attribute__((cold));
		static int counter __section(".data..read_mostly"), other __section(".data..read_mostly");
		static const int table[] = { 1, 2, 3 };
		static noinline int helper(int x)
		{
			static int count;
			asm volatile("1: ud2; .pushsection __bug_table,\"aw\"; .long 1b - ., 0; .word 1, 2; .popsection");
			return count++ + x + table[x];
		}
		static int __section(".init.text") notrace __used start(int x) { return x + counter; }
		static int (*initcall)(int) __section(".initcall6.init") __used = start;
		int __section(".sched.text") sleeper(int x) { return helper(x) + 1; }
		int __section(".sched.text") waiter(int x)
		{
			asm volatile("1: call external; .pushsection .altinstructions,\"a\"; .long 1b - ., 2f - .; .word 1, 2; .byte 5, 5; .popsection;"
				".pushsection .altinstr_replacement,\"ax\"; 2: call external; .popsection");
			return sleeper(x) + helper(2);
		}
		int foo(int x)
		{
		#ifdef PATCHED
			static int count, added;
			x += 5 + count++ - added++;
		#endif
			counter = 1;
			if (x == 7) {
				external();
				other = 2;
			}
			return _printk("text %d", x) + helper(x) + external_data;
		}
		asm(".pushsection .orc_unwind_ip,\"a\"; .long foo - ., helper - .; .popsection;"
			".pushsection .orc_unwind,\"a\"; .zero 12; .popsection");
	EOT
	ksyms T external D external_data
}

@test "damaged input: errors or refusals, never a crash, and nothing left behind" {
	local sanitized=$BATS_FILE_TMPDIR/create-diff-object
	"$FIXTURE_CC" -std=gnu11 -D_GNU_SOURCE -DKPATCH_VERSION='"0"' -I"$TOP/lib" -w -O1 -g \
		-fsanitize=address,undefined -fno-sanitize-recover=all \
		-o "$sanitized" "$TOP"/create-diff-object/*.c "$TOP"/lib/*.c \
		-lelf -ldw -lZydis -lcapstone -llz4 -lzstd -llzma -lz -lbpf || skip "no sanitizers"
	cat > mutate.c <<-'EOT'
		#include <stdio.h>
		#include <stdlib.h>
		int main(int argc, char **argv)
		{
			static unsigned char b[1 << 20];
			unsigned long n = fread(b, 1, sizeof(b), stdin), seed = atol(argv[1]), i;

			srandom(seed);
			if (seed % 8 == 0) {
				n = random() % n;
			} else {
				for (i = 0; i <= seed % 3; i++) {
					unsigned char *p = &b[random() % n];

					if (seed % 5 == 0)
						*p = 0xff;
					else if (seed % 7 == 0)
						*p = 0;
					else
						*p ^= 1 << random() % 8;
				}
			}
			return fwrite(b, 1, n, stdout) != n;
		}
	EOT
	"$FIXTURE_CC" -O1 -w -o mutate mutate.c
	rich_pair
	# The base must be good, or nothing behind the first check is tried.
	CDO=$sanitized
	export ASAN_OPTIONS=detect_leaks=0:exitcode=99 UBSAN_OPTIONS=exitcode=99
	cdo 0

	rm output.o report
	local file i status codes=() started=$SECONDS
	mkdir good
	cp orig.o patched.o symtab symvers good
	for ((i = 1; i <= ${FUZZ_ROUNDS:-120}; i++)); do
		((SECONDS - started < ${FUZZ_SECONDS:-60})) || break
		for file in orig.o patched.o symtab symvers; do
			./mutate $((i * 4)) < good/$file > $file
			((i % 2)) || ./mutate $((i * 4 + 1)) < good/$file > $file
			status=0
			"$sanitized" --report report orig.o patched.o vmlinux symtab symvers name output.o \
				> said 2>&1 || status=$?
			codes[status]=$((${codes[status]-0} + 1))
			if ((status > 3)) || grep -qE 'runtime error|AddressSanitizer' said; then
				cp $file "$BATS_FILE_TMPDIR/crash-$file-$i"
				echo "exit status $status with $file damaged by seed $i"
				cat said
				return 1
			fi
			((!status)) || nothing_left_behind
			rm -f output.o report
			cp good/$file $file
		done
	done
	echo "exit codes: ${codes[*]@K}"
	# Not all of it was turned away at the door.
	((codes[0] && codes[1] && codes[2]))
}
