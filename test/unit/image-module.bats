#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# kpatch-image on modules: which symbols the kernel keeps, and at which positions.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr
# shellcheck disable=SC2094 # symtab is a subcommand, not the file

bats_require_minimum_version 1.5.0
load image-fixtures

setup()
{
	cd "$BATS_TEST_TMPDIR" || return 1
	module some-module
}

@test "a module's symbols come in its own order, without what the kernel drops" {
	run -0 kpatch-image symtab some-module.ko
	diff - <(printf '%s\n' "$output") <<-'EOT'
		kpatch-symtab	1
		object	some_module
		release	6.1.0-fake
		sym	0000000000000000	t	cleanup	.exit.text
		sym	0000000000000000	t	first	.text
		sym	0000000000000001	t	twice	.text	2
		sym	0000000000000000	d	data	.data
		sym	0000000000000000	d	percpu	.data..percpu
		sym	0000000000000000	r	ro	.rodata
		sym	0000000000000000	b	bss	.bss
		sym	0000000000000005	t	twice	.text.unlikely	3
		sym	0000000000000000	D	__this_module	.gnu.linkonce.this_module
		sym	0000000000000008	W	weak	.text
		sym	0000000000000007	T	global	.text
		sym	0000000000000008	D	gdata	.data
		sym	0000000000000010	V	wdata	.data
	EOT
}

@test "the positions of a name that .init.text has too are marked, others are not" {
	kpatch-image symtab some-module.ko | awk -F '\t' '$1 == "sym" && NF == 6 { print $4, $6 }' |
		diff - <(printf 'twice 2\ntwice 3\n')
	# With the one of .init.text behind the others nothing moves.
	ld -r -o some-module.ko main.o unlikely.o init.o
	kpatch-image symtab some-module.ko > symtab
	grep -q $'\ttwice\t' symtab
	run -1 grep -P '\ttwice\t[^\t]+\t' symtab
}

@test "a packed module gives the same as the plain one" {
	kpatch-image symtab some-module.ko > plain
	xz --check=crc32 -k some-module.ko
	zstd -q some-module.ko
	gzip -k some-module.ko
	for suffix in xz zst gz; do
		kpatch-image symtab some-module.ko.$suffix | cmp - plain
	done
}

@test "without name= in .modinfo the name comes from struct module" {
	sed -i '/name=/d' main.S
	cat macros.S main.S | as -o main.o -
	ld -r -o other.ko init.o main.o unlikely.o
	kpatch-image symtab other.ko | grep -qx $'object\tsome_module'
}

@test "the release of a module is the first word of its vermagic" {
	run -0 kpatch-image release some-module.ko
	[ "$output" = 6.1.0-fake ]
}

@test "an object file that is no module is refused" {
	run -1 --separate-stderr kpatch-image symtab init.o
	[ "$stderr" = "kpatch-image: error: init.o: an object file, but no module; give the .ko file" ]
}

@test "a stripped module is an error, not a module without symbols" {
	objcopy -O elf64-x86-64 --strip-all -K __this_module some-module.ko stripped.ko
	strip --strip-all stripped.ko
	run -1 --separate-stderr kpatch-image symtab stripped.ko
	[ "$stderr" = "kpatch-image: error: stripped.ko: no symbol table; give the file as its build made it, not stripped" ]
}

@test "a module's own BTF is not used" {
	run -1 --separate-stderr kpatch-image struct some-module.ko bug_entry
	[ "$stderr" = "kpatch-image: error: some-module.ko: a module's BTF is no use without its kernel's; give the kernel image" ]
}

@test "a module for another machine is refused" {
	le16 183 | poke some-module.ko 18
	run -1 --separate-stderr kpatch-image symtab some-module.ko
	[ "$stderr" = "kpatch-image: error: some-module.ko: made for another machine (ELF number 183); give a kernel or a module for x86-64" ]
}

@test "a blank in a symbol's name is an error: it would end a field of the output" {
	objcopy --redefine-sym 'first=fi st' some-module.ko blank.ko
	run -1 --separate-stderr kpatch-image symtab blank.ko -o out
	[[ $stderr == "kpatch-image: error: blank.ko: symbol "*": a blank in its name or its section's; get the file again" ]]
	[ ! -e out ]
}

@test "functions of a module that lose their ENDBR are listed by section and value" {
	run -1 grep '^seal' <(kpatch-image symtab some-module.ko)
	echo '.section .ibt_endbr_seal, "a"; .long global - .; .text; .byte 1; here: ret
		.section .ibt_endbr_seal, "a"; .long here - .' | as -o seal.o
	ld -r -o sealed.ko init.o main.o unlikely.o seal.o
	value=$(nm sealed.ko | awk '$3 == "here" { print $1 }')
	kpatch-image symtab sealed.ko | grep '^seal' | diff - <(printf 'seal\t0000000000000007\t.text\nseal\t%s\t.text\n' "$value")
}
