#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-diff-object --keep-debug: debugging information of what is in the output.
#
# shellcheck disable=SC2154 # run --separate-stderr sets stderr

bats_require_minimum_version 1.5.0
load diff-fixtures

# before() and the list stay the running kernel's; fresh() is new and is inlined nowhere.
debug_pair()
{
	pair "$@" <<-'EOT'
		struct node { struct node *next; long x; };
		int use(struct node *);
		static struct node list;
		static __used noinline int before(int x)
		{
			return use(&list) + x;
		}
		static inline int inlined(int x)
		{
			return use(&list) * x;
		}
		int foo(int x)
		{
			static int count;
		#ifdef PATCHED
			x += count++;
		#endif
			for (int i = 0; i < x; i++) {
				if (inlined(x))
					return 3;
				barrier();
			}
			return before(x) + unlikely(x == 7);
		}
		static noinline int fresh(int x)
		{
			return use(&list) * x;
		}
		int after(int x)
		{
		#ifdef PATCHED
			x += fresh(x);
		#endif
			return use(&list);
		}
	EOT
	ksyms T use
}

# lines OBJECT FUNCTION: function and line of each byte of it and the 10 behind, inlined ones, too.
lines()
{
	local size
	size=$(readelf -sW "$1" | awk -v name="$2" '$8 == name { print $3; exit }')
	seq 0 $((size + 10)) | xargs printf '0x%x\n' | xargs addr2line -i -f -e "$1" -j ".text.$2"
}

# same_lines OBJECT FUNCTION...: they are those of the patched object, and there are some.
same_lines()
{
	local name
	for name in "${@:2}"; do
		diff -u <(lines patched.o "$name") <(lines "$1" "$name") > difference ||
			{ echo "$name:"; cat difference; return 1; }
		lines "$1" "$name" | grep "^$name\$" > /dev/null
		lines "$1" "$name" | grep -E 'file\.c:[0-9]+' > /dev/null
	done
}

@test "each instruction of what is in the output has its line and its functions" {
	for options in -gdwarf-4 -gdwarf-5 '-gdwarf-5 -g3' '-gdwarf-5 -fdebug-types-section'; do
		# shellcheck disable=SC2086 # several options
		debug_pair $options
		cdo 0 --keep-debug
		changes <<-'EOT'
			new function fresh
			function foo 0
			function after 0
			new data count.0
			klp vmlinux before 0
			klp vmlinux list 0
			klp vmlinux use 0
		EOT
		same_lines output.o foo fresh after
		[[ $options == *types* ]] || lines output.o foo | grep '^inlined$' > /dev/null
		# After the link, too.
		ld -r -o linked.o output.o
		same_lines linked.o foo fresh after
	done
}

@test "nothing but debugging information is added, and without the option nothing" {
	debug_pair -gdwarf-5
	cdo 0
	run -1 has_section output.o .debug_info
	cp output.o without.o
	cdo 0 --keep-debug
	for section in .debug_info .debug_abbrev .debug_line .debug_str; do
		has_section output.o $section
	done
	[ "$(readelf -SW output.o | grep -cE ' \.debug_(line_)?str .* 01  MS ')" = 2 ]
	strip --strip-debug output.o -o output.stripped
	strip --strip-debug without.o -o without.stripped
	for object in output without; do
		readelf -SsrW $object.stripped | sed 's/^File: .*//' > $object.dump
		objdump -s $object.stripped | sed 1,2d >> $object.dump
	done
	diff -u without.dump output.dump
}

@test "what is not in the output has the address -1, and its symbols are not referred to" {
	debug_pair -gdwarf-5
	cdo 0 --keep-debug
	reloc_list output.o | awk '$1 ~ /debug/ { print $4 }' | sort -u | grep -v '^\.debug' |
		diff -u - <(printf '%s\n' .bss.count.0 .text.after .text.foo .text.fresh)
	readelf -wi output.o | awk '
		/DW_TAG_/ { name = "" }
		/DW_AT_name/ { name = $NF }
		/DW_AT_low_pc/ && name == "before" { print name, $NF }
		/DW_AT_location.*DW_OP_addr/ && name == "list" { print name, $NF }' |
		diff -u - <(printf '%s\n' 'list ffffffffffffffff)' 'before 0xffffffffffffffff')
	# Ranges that are not there are empty in the old form, in which great numbers mean something else.
	debug_pair -gdwarf-4
	cdo 0 --keep-debug
	readelf -wR output.o | grep -E ' 0*1 0*1 +\(start == end\)' > /dev/null
	readelf -wR output.o | run ! grep ffff
}

@test "functions that share a section have no lines, and nobody else's" {
	asm_pair -g <<-'EOT'
		.section .text.shared, "ax"
		#ifndef PATCHED
		.macro change; .endm
		#else
		.macro change; nop; .endm
		#endif
		.irp name, one, two
			.globl \name
			.type \name, @function
		\name:	call __fentry__
			change
			ret
			.size \name, . - \name
			.pushsection __mcount_loc, "a"
			.quad \name
			.popsection
		.endr
	EOT
	cdo 0 --keep-debug
	for name in one two; do
		[ "$(addr2line -e output.o -j .text.$name 0 5 | sort -u)" = '??:?' ]
	done
	reloc_list output.o | awk '$1 ~ /debug/ { print $4 }' | sort -u | run ! grep text
}

@test "compressed debugging information cannot be kept" {
	debug_pair -gdwarf-5
	objcopy --compress-debug-sections patched.o
	cdo 0
	cdo 1 --keep-debug
	[[ $stderr == "create-diff-object: error: patched.o: section .debug_"*": compressed; compile with -gz=none to keep it" ]]
}

@test "relocations of debugging information that reach beyond it, or are of unknown types, are left out" {
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
		.section .debug_x
		.quad foo
		.long 0
		.reloc 8, R_X86_64_64, foo
		.reloc 8, R_X86_64_DTPOFF64, foo
	EOT
	cdo 0 --keep-debug
	no_messages
	[ "$(reloc_list output.o | grep debug)" = ".debug_x 0x0 64 .text.foo 0" ]
}
