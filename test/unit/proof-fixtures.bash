# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2094 # diff-fixtures reads them; symtab is a word, too
#
# Kernels and modules that are linked at test time, of the proof object and of others around it. Goes with
# diff-fixtures.

# proof: proof.o, of the source of pair(), as the distribution compiled it.
proof()
{
	compile proof.o file.c -fno-function-sections -fno-data-sections "$@"
	CDO_OPTIONS=(--proof proof.o --image image)
}

# object NAME [FLAGS]: NAME.o, another object of the kernel, from standard input.
object()
{
	local name=$1
	shift
	{ printf '%s#line 1\n' "$FIXTURE_PRELUDE"; cat; } > "$name.c"
	compile "$name.o" "$name.c" -fno-function-sections -fno-data-sections "$@"
}

# link_kernel OBJECT...: image, and symtab in the order of addresses, as kallsyms has it.
link_kernel()
{
	object printk <<< 'int _printk(const char *s, ...) { return *s; } void __fentry__(void) {}'
	echo 'SECTIONS { . = 0xffffffff81000000;
		.text : { *(.text .text.unlikely .sched.text .init.text) } .rodata : { *(.rodata*) }
		.data : { *(.data*) __start_static_call_sites = .; *(.static_call_sites) __stop_static_call_sites = .; } __bug_table : { *(__bug_table) } __ex_table : { *(__ex_table) } __mcount_loc : { *(__mcount_loc) } .bss : { *(.bss*) } }' > script
	ld -T script -e 0 -z noexecstack --no-warn-rwx-segments -o image "$@" printk.o
	kernel_symtab
}

kernel_symtab()
{
	{ symtab_header; nm -n image | awk '{ printf "sym\t%s\t%s\t%s\n", $1, $2, $3 }'; } > symtab
}

# link_module OBJECT...: image, a module called patched_mod.
link_module()
{
	OBJNAME=patched_mod
	cat > head.S <<-'EOT'
		.section .modinfo, "a"
		.asciz "name=patched_mod"
		.section .gnu.linkonce.this_module, "aw"
		.zero 256
		.section .note.GNU-stack, ""
	EOT
	compile head.o head.S
	ld -r -o image head.o "$@"
	"$TOP/kpatch-image/kpatch-image" symtab image > symtab
	{ symtab_header; printf 'sym\t1000\tT\t_printk\n'; } > vmlinux-symtab
	CDO_OPTIONS+=(--vmlinux-symtab vmlinux-symtab)
}

# poke SYMBOL OFFSET BYTE: overwrite one byte (two hexadecimal digits) of a function or variable of image.
poke()
{
	local value section start offset
	read -r value section < <(readelf -sW image | awk -v name="$1" '$8 == name { print $2, $7; exit }')
	read -r start offset < <(readelf -SW image | sed 's/^ *\[ *//; s/\]//' |
		awk -v n="$section" '$1 == n { print $4, $5 }')
	printf '%b' "\\x$3" | dd of=image bs=1 conv=notrunc status=none \
		seek=$((0x$value - 0x$start + 0x$offset + $2))
}

# peek FILE SYMBOL OFFSET: up to 8 bytes of a function or variable, as messages show them.
peek()
{
	local value size section start offset n
	read -r value size section < <(readelf -sW "$1" | awk -v name="$2" '$8 == name { print $2, $3, $7; exit }')
	read -r start offset < <(readelf -SW "$1" | sed 's/^ *\[ *//; s/\]//' |
		awk -v n="$section" '$1 == n { print $4, $5 }')
	n=$((size - $3 < 8 ? size - $3 : 8))
	od -An -tx1 -j $((0x$value - 0x$start + 0x$offset + $3)) -N "$n" "$1" | sed 's/^ //'
}
