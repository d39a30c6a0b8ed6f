#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: objects that no compiler writes. What the fuzzer found, one test each, and what it
# would be unlikely to find.
# shellcheck disable=SC2034,SC2154 # used through ${!field}; set by bats

bats_require_minimum_version 1.5.0
load diff-fixtures
load proof-fixtures

# section_header OBJECT SECTION: where the header of SECTION is in the file.
section_header()
{
	local start index
	start=$(readelf -hW "$1" | sed -n 's/.*Start of section headers: *\([0-9]*\).*/\1/p')
	index=$(readelf -SW "$1" | sed -n 's/^ *\[ *\([0-9]*\)\] \([^ ]*\) .*/\1 \2/p' |
		awk -v name="$2" '$2 == name { print $1; exit }')
	[[ -n $index ]] || { echo "$1 has no section $2" >&2; return 1; }
	echo $((start + 64 * index))
}

# contents OBJECT SECTION: where the contents of SECTION are in the file.
contents()
{
	readelf -SW "$1" | sed -n 's/^ *\[ *[0-9]*\] //p' |
		awk -v name="$2" '$1 == name { print "0x" $4; exit }' | { read -r at; echo $((at)); }
}

# poke OBJECT OFFSET WIDTH VALUE: overwrite a little-endian field.
poke()
{
	local value=$(($4)) bytes='' i
	for ((i = 0; i < $3; i++)); do
		bytes+=$(printf '\\x%02x' $((value >> 8 * i & 255)))
	done
	printf '%b' "$bytes" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# Fields of section headers, by their offset.
readonly SH_TYPE=4 SH_FLAGS=8 SH_OFFSET=24 SH_SIZE=32 SH_LINK=40 SH_INFO=44 SH_ADDRALIGN=48 SH_ENTSIZE=56

# poke_section OBJECT SECTION FIELD WIDTH VALUE
poke_section()
{
	poke "$1" $(($(section_header "$1" "$2") + $3)) "$4" "$5"
}

tables_pair()
{
	asm_pair <<-'EOT'
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:
		9:	call __fentry__
		#ifdef PATCHED
			nop
		#endif
			incl counter(%rip)
			mov $text, %rdi
			ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad 9b
		.section .orc_unwind_ip, "a"
		.long foo - ., 9b + 5 - .
		.section .orc_unwind, "a"
		.zero 12
		.bss
		.type counter, @object
		counter: .zero 4
		.size counter, 4
		.section .rodata.str1.1, "aMS", @progbits, 1
		text: .asciz "text"
	EOT
}

@test "a relocation whose addend would overflow is an error" {
	tables_pair
	poke patched.o $(($(contents patched.o .rela.text.foo) + 24 + 16)) 8 0x7fffffffffffffff
	cdo 1
	messages <<< "error: patched.o: section .rela.text.foo: relocation 1 is out of range; is the file damaged?"
	poke patched.o $(($(contents patched.o .rela.text.foo) + 24 + 16)) 8 0x8000000000000000
	cdo 1
	messages <<< "error: patched.o: section .rela.text.foo: relocation 1 is out of range; is the file damaged?"
}

@test "code and tables without contents are an error" {
	tables_pair
	cp patched.o good.o
	for section in .text.foo .orc_unwind __mcount_loc; do
		cp good.o patched.o
		poke_section patched.o $section $SH_TYPE 4 8	# SHT_NOBITS
		cdo 1
		messages <<< "error: patched.o: section $section: has no contents; is the file damaged?"
	done
}

@test "relocations that are marked to be loaded are no data" {
	tables_pair
	poke_section patched.o .rela.text.foo $SH_FLAGS 8 2	# SHF_ALLOC
	cdo 1
	messages <<< "error: patched.o: section .rela.text.foo: neither code nor data, but marked to be loaded; is the file damaged?"
}

@test "a relocation behind the last entry of the ORC table, or within one, is an error" {
	tables_pair
	cp patched.o good.o
	for offset in 8 2; do
		cp good.o patched.o
		poke patched.o $(($(contents patched.o .rela.orc_unwind_ip) + 24)) 8 $offset
		cdo 1
		messages <<< "error: patched.o: section .orc_unwind_ip: a relocation is out of range; is the file damaged?"
	done
}

@test "sections and entries of impossible sizes are errors" {
	local expected section field width value
	tables_pair
	cp patched.o good.o
	while read -r section field width value expected; do
		cp good.o patched.o
		poke_section patched.o "$section" "${!field}" "$width" "$value"
		cdo 1
		[[ $stderr == *"$expected"* ]] || { echo "$section $field: $stderr"; return 1; }
	done <<-'EOT'
		.text.foo SH_SIZE 8 0x7fffffffffffffff .text.foo
		.text.foo SH_OFFSET 8 0xfffffffffffffff0 .text.foo
		.text.foo SH_ADDRALIGN 8 3 section .text.foo: impossible alignment; is the file damaged?
		.text.foo SH_ADDRALIGN 8 0x4000000000000000 section .text.foo: impossible alignment; is the file damaged?
		.bss SH_SIZE 8 0xffffffffffff section .bss: impossible size; is the file damaged?
		.rela.text.foo SH_INFO 4 0 section .rela.text.foo: relocates nothing; is the file damaged?
		.rela.text.foo SH_INFO 4 0xffffffff section .rela.text.foo: relocates nothing; is the file damaged?
		.symtab SH_LINK 4 0 the symbol table has no strings; is the file damaged?
		.symtab SH_LINK 4 0x10000 the symbol table has no strings; is the file damaged?
		.rodata.str1.1 SH_SIZE 8 4 section .rodata.str1.1: its last string does not end; is the file damaged?
	EOT
}

@test "an alignment of 0 means none, and strings of size 0 are not strings" {
	tables_pair
	poke_section orig.o .text.foo $SH_ADDRALIGN 8 0
	poke_section patched.o .text.foo $SH_ADDRALIGN 8 0
	cdo 0
	changes <<-'EOT'
		function foo 0
		klp vmlinux counter 0
	EOT
	poke_section orig.o .rodata.str1.1 $SH_ENTSIZE 8 0
	poke_section patched.o .rodata.str1.1 $SH_ENTSIZE 8 0
	cdo 2
	messages <<-'EOT'
		refused: file.c: foo(): refers to text, which is neither exported nor in the kernel's symbol table; is it from another configuration?
	EOT
}

@test "a string table that does not end" {
	local at size
	tables_pair
	at=$(contents patched.o .strtab)
	size=$(readelf -SW patched.o | sed -n 's/^ *\[ *[0-9]*\] //p' | awk '$1 == ".strtab" { print "0x" $5 }')
	poke patched.o $((at + size - 1)) 1 0x78
	cdo 1
	[[ $stderr == "create-diff-object: error: patched.o: symbol name: "*"; is the file damaged?" ]]
}

@test "a symbol in a section that does not exist, by number and by extended number" {
	local at
	tables_pair
	at=$(($(contents patched.o .symtab) + 24 * $(readelf -sW patched.o |
		awk '$8 == "foo" { print $1 + 0 }')))
	cp patched.o good.o
	poke patched.o $((at + 6)) 2 0xfe00
	cdo 1
	messages <<< "error: patched.o: symbol foo: section 65024 does not exist; is the file damaged?"
	# SHN_XINDEX without a table of extended numbers.
	cp good.o patched.o
	poke patched.o $((at + 6)) 2 0xffff
	cdo 1
	messages <<< "error: patched.o: symbol foo: section 0 does not exist; is the file damaged?"
}

@test "a symbol that reaches beyond its section" {
	local at
	tables_pair
	at=$(($(contents patched.o .symtab) + 24 * $(readelf -sW patched.o |
		awk '$8 == "foo" { print $1 + 0 }')))
	poke patched.o $((at + 16)) 8 0xffffffffffffffff
	cdo 1
	messages <<< "error: patched.o: symbol foo: outside of section .text.foo; is the file damaged?"
}

@test "symbol names of 1,000 characters: handled, and refused only where the kernel would have to know them" {
	local long
	long=$(printf 'n%.0s' {1..1000})
	pair "-Dfresh=$long" <<-'EOT'
		static noinline int fresh(int x) { return _printk("%d", x); }
		#ifdef PATCHED
		int foo(int x) { return fresh(x) + 1; }
		#else
		int foo(int x) { return x; }
		#endif
	EOT
	given has_symbol patched.o "$long"
	cdo 0
	changes <<-EOT
		new function $long
		function foo 0
	EOT
	pair "-Dknown=$long" <<-'EOT'
		static int known;
		int foo(int x)
		{
		#ifdef PATCHED
			x++;
		#endif
			return known += x;
		}
	EOT
	cdo 2
	messages <<-EOT
		refused: file.c: ${long:0:60}...: the name has 1000 characters, and the kernel cannot look up more than 511; shorten it
	EOT
}

@test "a name of 64 KiB" {
	long=$(head -c 65536 /dev/zero | tr '\0' n)
	{
		printf '.globl %s\n.section .text.foo,"ax"\n.globl foo\n.type foo,@function\n' "$long"
		printf 'foo:\n9: call __fentry__\n#ifdef PATCHED\nnop\n#endif\ncall %s\nret\n.size foo,.-foo\n' "$long"
		printf '.section __mcount_loc,"a"\n.quad 9b\n'
	} > file.S
	compile orig.o file.S
	compile patched.o file.S -DPATCHED
	symtab <<< "T foo"$'\n'"T $long"
	cdo 2
	messages <<-EOT
		refused: file.c: ${long:0:60}...: the name has 65536 characters, and the kernel cannot look up more than 511; shorten it
	EOT
}

@test "70,000 sections" {
	{
		seq 1 70000 | sed 's/.*/.section .text.f&,"ax"; f&: ret/'
		cat <<-'EOT'
			.section .text.foo, "ax"
			.globl foo
			.type foo, @function
			foo:
			9:	call __fentry__
			#ifdef PATCHED
				nop
			#endif
				call f70000
				ret
			.size foo, . - foo
			.section __mcount_loc, "a"
			.quad 9b
		EOT
	} > file.S
	compile orig.o file.S
	compile patched.o file.S -DPATCHED
	symtab <<< $'T foo\nt f70000'
	cdo 0
	changes <<-'EOT'
		function foo 0
		klp vmlinux f70000 0
	EOT
}

@test "sections without contents that are larger than any kernel, one by one or together" {
	asm_pair <<-'EOT'
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
	foo:	call __fentry__
	#ifdef PATCHED
		nop
	#endif
		ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad foo
		.section .bss.first, "aw", @nobits
		.zero 0x50000000
		.section .bss.second, "aw", @nobits
		.zero 0x30000001
	EOT
	cdo 1
	messages <<-'EOT'
		error: orig.o: section .bss.second: impossible size; is the file damaged?
	EOT
}

@test "a proof object whose strings have no contents is not proven" {
	pair <<-'EOT'
		int foo(int x)
		{
		#ifdef PATCHED
			x += 3;
		#endif
			return x + _printk("the text");
		}
	EOT
	proof
	link_kernel proof.o
	cdo 0
	poke_section proof.o .rodata.str1.1 $SH_TYPE 4 8
	cdo 1
	[[ $stderr == "create-diff-object: error: file.c: foo+0x"*": the kernel refers to "*" here, the compiled source to .rodata.str1.1+0x0; usual causes: "* ]]
}
