#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object: how it reads debugging information, what compilers and others may write.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr
# shellcheck disable=SC2034 # what the fixtures read

bats_require_minimum_version 1.5.0
load diff-fixtures

# What both kinds of refusal end in.
WAY_OUT="give the new variable another name, or keep what is new in a shadow variable"

# poke OBJECT OFFSET BYTE...
poke()
{
	local object=$1 offset=$2
	shift 2
	printf "$(printf '\\x%02x' "$@")" | dd of="$object" bs=1 seek="$offset" conv=notrunc status=none
}

# place OBJECT SECTION: "OFFSET SIZE" of its contents in the file, in decimal.
place()
{
	local at size
	read -r at size < <(readelf -SW "$1" | sed -n 's/^ *\[ *[0-9]*\] //p' |
		awk -v name="$2" '$1 == name { print "0x" $4, "0x" $5; exit }')
	echo $((at)) $((size))
}

# dwarf: an object with debugging information by hand, of the entries on standard input: names of the
# abbreviations below, and their attributes. The variable called data is at unit + 0.
dwarf()
{
	{
		cat <<-'EOT'
			.section .text.foo, "ax"
			.globl foo
			.type foo, @function
			foo:
			9:	call __fentry__
			#ifdef PATCHED
				nop
			#endif
				incl data(%rip)
				ret
			.size foo, . - foo
			.section __mcount_loc, "a"
			.quad 9b
			.bss
			.type data, @object
			data: .zero 4
			.size data, 4
			.macro abbreviation number tag children attributes:vararg
				.uleb128 \number, \tag
				.byte \children
				.uleb128 \attributes
			.endm
			.section .debug_abbrev
				abbreviation 1, 0x11, 1, 0, 0				# unit
				abbreviation 2, 0x34, 0, 2, 0x18, 0x49, 0x13, 0, 0	# variable: location, type
				abbreviation 3, 0x13, 1, 0x0b, 0x0b, 0, 0		# structure: size
				abbreviation 4, 0x0d, 0, 0x49, 0x13, 0, 0		# member: type
				abbreviation 5, 0x16, 0, 0x49, 0x13, 0, 0		# typedef: type
				abbreviation 6, 0x0b, 1, 0, 0				# block
				abbreviation 7, 0x0b, 1, 1, 0x13, 0, 0			# block: sibling
				abbreviation 8, 0x0f, 0, 0x49, 0x13, 0, 0		# pointer: type
				abbreviation 12, 0x34, 0, 0x49, 0x13, 0, 0		# variable: type
				abbreviation 10, 0x1d, 1, 0, 0			# inlined function
				abbreviation 11, 0x24, 0, 3, 8, 0x0b, 0x0b, 0x3e, 0x0b, 0, 0	# base type: name, size, encoding
				abbreviation 9, 0x34, 0, 2, 0x18, 0x31, 0x13, 0, 0	# variable: location, origin
				abbreviation 13, 0x13, 0, 0x69, 0x20, 0, 0		# structure: signature
				abbreviation 14, 0x34, 0, 2, 0x18, 0x49, 0x20, 0, 0	# variable: location, type by signature
				abbreviation 15, 0x34, 0, 2, 0x18, 0x49, 0x1c, 0, 0	# variable: location, type in another file
				abbreviation 16, 0x34, 0, 2, 0x18, 0x49, 0x1f20, 0, 0	# the same
				abbreviation 17, 0x34, 0, 2, 0x18, 0x49, 0x24, 0, 0	# the same
				.byte 0
			.macro entry number; .uleb128 \number; .endm
			.macro reference to; .long \to - unit; .endm
			.macro base name encoding; entry 11; .asciz "\name"; .byte 4, \encoding; .endm
			.macro variable type; entry 2; .byte 9, 3; .quad data; reference \type; .endm
			.section .debug_info
			unit:	.long end - . - 4
				.short 4
				.long 0
				.byte 8
				entry 1
		EOT
		cat
		echo '.byte 0; end:'
	} | asm_pair
}

@test "where variables are described: in inlined functions, twice, apart from their types" {
	changed="refused: file.c: data: the type of existing data changed from \"int\" to \"float\", and the running kernel's is of the old one; $WAY_OUT"
	types='
		#ifdef PATCHED
		type: base float 4
		#else
		type: base int 5
		#endif'
	dwarf <<< "entry 10; variable type; .byte 0; $types"
	cdo 2
	messages <<< "$changed"
	dwarf <<< "abstract: entry 12; reference type; entry 9; .byte 9, 3; .quad data; reference abstract; $types"
	cdo 2
	messages <<< "$changed"
	# One of size 0 may stand at the same place.
	dwarf <<< "variable empty; variable type; variable empty; empty: entry 3; .byte 0, 0; $types"
	cdo 2
	messages <<< "$changed"
}

# type_units VERSION [FLAGS]: existing variables of changed types, of which the debugging information is in
# type units.
type_units()
{
	pair "-gdwarf-$1" -fdebug-types-section "${@:2}" <<-'EOT'
		#ifdef PATCHED
		struct pair { short b, a; };
		enum colour { RED = 1, GREEN };
		#define OTHER float
		#else
		struct pair { short a, b; };
		enum colour { RED, GREEN };
		#define OTHER int
		#endif
		#ifndef TYPE
		#define TYPE OTHER
		#endif
		static struct pair one, many[2], *pointer, (*call)(struct pair);
		static enum colour colour;
		TYPE data;
		void use(void *, ...);
		void foo(int x)
		{
			static struct pair local;
		#ifdef PATCHED
			x++;
		#endif
			use(&one, many, &pointer, &call, &colour, &data, &local, x);
		}
	EOT
	ksyms T use
}

@test "what is in type units is not known, and what is not, is" {
	changed="refused: file.c: data: the type of existing data changed from \"int\" to \"float\", and the running kernel's is of the old one; $WAY_OUT"
	for version in 4 5; do
		type_units $version
		given [ "$(readelf -SW orig.o | grep -cE ' \.debug_(info|types) .* G ')" -gt 0 ]
		cdo 2
		messages <<< "$changed"
		type_units $version -DTYPE=int
		cdo 0
		no_messages
		# One side has them where they are known.
		compile orig.o file.c "-gdwarf-$version" -DTYPE=int
		cdo 0
		no_messages
	done
	# A macro's variable is told by its name alone.
	pair -gdwarf-5 -fdebug-types-section <<-'EOT'
		struct ratelimit_state { int interval; };
		int limit(struct ratelimit_state *);
		int foo(int x)
		{
			static struct ratelimit_state _rs = { 5 };
		#ifdef PATCHED
			x += 3;
		#endif
			return x + limit(&_rs);
		}
	EOT
	ksyms T limit
	given_symbols orig.o _rs.0
	cdo 0
	no_messages
	changes <<-'EOT'
		function foo 0
		klp vmlinux limit 0
	EOT
}

@test "what stands for a type that is elsewhere is not known, nor what is in another file" {
	for reference in 'entry 2; .byte 9, 3; .quad data; reference elsewhere; elsewhere: entry 13; .quad 1' \
		'entry 14; .byte 9, 3; .quad data; .quad 1' \
		'entry 15; .byte 9, 3; .quad data; .long 1' \
		'entry 16; .byte 9, 3; .quad data; .long 1' \
		'entry 17; .byte 9, 3; .quad data; .quad 1'; do
		dwarf <<< "$reference"
		cdo 0
		no_messages
	done
}

@test "debugging information in a file of its own counts as none" {
	for version in 4 5; do
		pair "-gdwarf-$version" -gsplit-dwarf <<-'EOT'
			#ifdef PATCHED
			static float data;
			#else
			static int data;
			#endif
			void *foo(void) { return &data; }
		EOT
		given [ -e orig.dwo ] && given [ -e patched.dwo ]
		cdo 3
		no_messages
	done
}

@test "what has to do with a variable's address need not be the variable" {
	types='
		#ifdef PATCHED
		type: base float 4
		#else
		type: base int 5
		#endif'
	# A constant: the address.
	dwarf <<< "entry 2; .byte 10, 3; .quad data; .byte 0x9f; reference type; $types"
	cdo 0
	no_messages
	# Something inside of it, behind it, and nowhere.
	for place in 'data + 2' 'data + 4' 'data + 0x7fffffff' elsewhere 'elsewhere + 0x100000000' 'unit' '-1'; do
		dwarf <<< "entry 2; .byte 9, 3; .quad $place; reference type; $types"
		cdo 0
		no_messages
	done
}

@test "types that would take forever to compare do not agree" {
	# Twice as many comparisons on each level, unless all results are kept.
	{
		echo 'variable a1'
		for ((i = 1; i <= 60; i++)); do
			echo "a$i: entry 3; .byte 4; entry 4; reference a$((i + 1)); entry 4; reference a$((i + 1)); .byte 0"
		done
		echo 'a61: base int 5'
	} > straight
	{
		echo 'variable a1'
		for ((i = 1; i <= 60; i++)); do
			echo "a$i: entry 3; .byte 4; entry 4; reference a$((i + 1)); entry 4; reference b$((i + 1)); .byte 0"
			echo "b$i: entry 3; .byte 4; entry 4; reference a$((i + 1)); entry 4; reference b$((i + 1)); .byte 0"
		done
		echo 'a61: base int 5; b61: base int 5'
	} > crossed
	printf '#ifdef PATCHED\n%s\n#else\n%s\n#endif\n' "$(< crossed)" "$(< straight)" | dwarf
	cdo 2
	messages <<-EOT
		refused: file.c: data: the members of the type of existing data, "struct {...}", changed (somewhere inside), and the running kernel's has the old ones; $WAY_OUT
	EOT
}

@test "debugging information does not cut alternative instructions into pieces" {
	asm_pair <<-'EOT'
		.section .text.foo, "ax"
		.globl foo
		.type foo, @function
		foo:
		9:	call __fentry__
		#ifdef PATCHED
			nop
		#endif
		1:	.nops 5
			ret
		.size foo, . - foo
		.section __mcount_loc, "a"
		.quad 9b
		.section .altinstructions, "a"
		.long 1b - ., 2f - .
		.word 1, 2
		.byte 5, 5
		.section .altinstr_replacement, "ax"
		2:	.byte 1, 2, 3, 4, 5
		.section .debug_something
		.quad 2b + 2
	EOT
	cdo 0
	[ "$(bytes output.o .altinstr_replacement)" = 0102030405 ]
}

@test "debugging information that goes round in circles is an error" {
	damaged='is the file damaged?'
	dwarf <<-'EOT'
		variable one
		one: entry 5; reference two
		two: entry 5; reference one
	EOT
	cdo 1
	messages <<< "error: orig.o: debugging information: a type contains itself; $damaged"
	dwarf <<-'EOT'
		variable one
		one: entry 3; .byte 4; entry 4; reference one; .byte 0
	EOT
	cdo 1
	messages <<< "error: orig.o: debugging information: a type contains itself; $damaged"
	# Through a pointer to what has no name: no compiler can write that.
	dwarf <<-'EOT'
		variable one
		one: entry 3; .byte 4; entry 4; reference two; .byte 0
		two: entry 8; reference one
	EOT
	cdo 1
	messages <<< "error: orig.o: debugging information: a type contains itself; $damaged"
	# An entry that says of itself that it is where it comes from.
	dwarf <<-'EOT'
		one: entry 9; .byte 9, 3; .quad data; reference one
	EOT
	cdo 0
	no_messages
}

@test "debugging information that is nested without end is an error" {
	{
		echo 'variable type1'
		for ((i = 1; i <= 300; i++)); do
			echo "type$i: entry 8; reference type$((i + 1))"
		done
		echo 'type301: entry 3; .byte 4; .byte 0'
	} | dwarf
	cdo 1
	messages <<< "error: orig.o: debugging information: its types are nested too deeply; is the file damaged?"
	{
		for ((i = 1; i <= 300; i++)); do echo 'entry 6'; done
		for ((i = 1; i <= 300; i++)); do echo '.byte 0'; done
	} | dwarf
	cdo 1
	messages <<< "error: orig.o: debugging information: its scopes are nested too deeply; is the file damaged?"
}

@test "entries that overlap do not take forever" {
	# The sibling of each block is its first child.
	{
		for ((i = 1; i <= 100; i++)); do echo "entry 7; reference next$i; next$i:"; done
		echo 'variable type; type: entry 3; .byte 4; .byte 0'
		for ((i = 1; i <= 100; i++)); do echo '.byte 0'; done
	} | dwarf
	cdo 1
	messages <<< "error: orig.o: debugging information: its entries overlap; is the file damaged?"
}

# nested N: structures, each inside of the one before, without a word about where they end, and of each a variable.
nested()
{
	awk -v n="$1" 'BEGIN {
		for (i = 1; i <= n; i++) print "type" i ": entry 3; .byte 4"
		for (i = 1; i <= n; i++) print ".byte 0"
		for (i = 1; i <= n; i++) print "variable type" i
	}' | dwarf
}

@test "entries inside of each other are not walked through again and again" {
	nested 100
	cdo 0
	no_messages
	nested 1000
	cdo 1
	messages <<< "error: orig.o: debugging information: its entries are nested too deeply; is the file damaged?"
}

@test "a reference to no entry, and an unknown abbreviation, are errors" {
	dwarf <<< 'variable unit + 0x1000'
	cdo 1
	[[ $stderr == "create-diff-object: error: orig.o: debugging information: "*"; is the file damaged?" ]]
	dwarf <<< 'variable one; one: entry 77'
	cdo 1
	[[ $stderr == "create-diff-object: error: orig.o: debugging information: "*"; is the file damaged?" ]]
}

@test "damaged debugging information: an error, or survived, and never a crash" {
	pair -g <<-'EOT'
		enum colour { RED, GREEN = -2 };
		struct node { struct node *next; int a : 3, b : 4; union { long l; char c[8]; }; enum colour e; };
		static struct node first, *head[2][3];
		static int (*call)(struct node *, ...);
		static inline int helper(int x) { static int count; return count += x; }
		int foo(int x)
		{
			static long count;
		#ifdef PATCHED
			x++;
		#endif
			count += helper(x) + call(&first) + call(head[0][1]);
			return count;
		}
	EOT
	cp patched.o good.o
	cdo 0
	# A tenth of the bytes, another one each time.
	for section in .debug_info .debug_abbrev; do
		read -r at size < <(place good.o $section)
		for ((i = RANDOM % 10; i < size; i += 10)); do
			byte=$((RANDOM % 256))
			cp good.o patched.o
			poke patched.o $((at + i)) $byte
			rm -f output.o
			code=0
			"$CDO" -q orig.o patched.o vmlinux symtab symvers name output.o 2> said || code=$?
			((code <= 2)) || { echo "$section+$i=$byte: exit status $code"; cat said; return 1; }
			((code != 1)) || [[ $(< said) == *"error: patched.o: debugging information: "*"; is the file damaged?" ]] ||
				{ echo "$section+$i=$byte:"; cat said; return 1; }
		done
	done
	# Without what it refers to.
	for section in .debug_abbrev .debug_str; do
		objcopy --rename-section $section=other good.o patched.o
		code=0
		"$CDO" -q orig.o patched.o vmlinux symtab symvers name output.o 2> said || code=$?
		((code <= 2)) || { echo "without $section: exit status $code"; cat said; return 1; }
	done
}
