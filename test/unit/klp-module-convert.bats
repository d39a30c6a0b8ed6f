#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# create-klp-module: what goes where, and what stays as it is.

bats_require_minimum_version 1.5.0
load klp-module-fixtures

setup()
{
	cd "$BATS_TEST_TMPDIR" || return 1
	module_defaults
}

# Two parts, a symbol that both use, names with dots and positions, ordinary calls in between.
two_parts()
{
	cat <<-'END'
	.weak ".kpatch.sym.vmlinux.vmlinux.bar,0"
	.weak ".kpatch.sym.ext4.ext4.baz.isra.0,2"
	.weak ".kpatch.sym.ext4.jbd2.data,1"
	.weak ".kpatch.sym.xfs.jbd2.data,1"
	.section .text.foo,"ax"
	.type foo,@function
	foo:
		call ".kpatch.sym.vmlinux.vmlinux.bar,0"
		call printk
		call ".kpatch.sym.ext4.ext4.baz.isra.0,2"
		mov ".kpatch.sym.ext4.jbd2.data,1"+8(%rip), %eax
		movl $1, ".kpatch.sym.ext4.jbd2.data,1"(%rip)
		call ".kpatch.sym.xfs.jbd2.data,1"
		mov $".kpatch.sym.vmlinux.vmlinux.bar,0", %rdi
	.size foo, .-foo
	.section .data.ptr,"aw"
		.quad 0
		.quad ".kpatch.sym.vmlinux.vmlinux.bar,0" + 16
	END
}

@test "livepatch relocations move into a section for each part and relocated section" {
	two_parts | module
	create-klp-module in.ko out.ko
	expect relocs out.ko <<-'END'
	.rela.text.foo 0x6 R_X86_64_PLT32 printk -0x4
	.klp.rela.vmlinux..text.foo 0x1 R_X86_64_PLT32 .klp.sym.vmlinux.bar,0 -0x4
	.klp.rela.vmlinux..text.foo 0x27 R_X86_64_32S .klp.sym.vmlinux.bar,0 0x0
	.klp.rela.ext4..text.foo 0xb R_X86_64_PLT32 .klp.sym.ext4.baz.isra.0,2 -0x4
	.klp.rela.ext4..text.foo 0x11 R_X86_64_PC32 .klp.sym.jbd2.data,1 0x4
	.klp.rela.ext4..text.foo 0x17 R_X86_64_PC32 .klp.sym.jbd2.data,1 -0x8
	.klp.rela.xfs..text.foo 0x20 R_X86_64_PLT32 .klp.sym.jbd2.data,1 -0x4
	.klp.rela.vmlinux..data.ptr 0x8 R_X86_64_64 .klp.sym.vmlinux.bar,0 0x10
	END
}

@test "the new sections have the loader's flags and come last, emptied ones go" {
	two_parts | module
	create-klp-module in.ko out.ko
	expect sections out.ko <<-'END'
	.text PROGBITS AX 00 1
	.text.foo PROGBITS AX 00 1
	.rela.text.foo RELA I 18 8 .symtab .text.foo
	.modinfo PROGBITS A 00 1
	__versions PROGBITS A 00 1
	.data PROGBITS WA 00 1
	.data.ptr PROGBITS WA 00 1
	.gnu.linkonce.this_module PROGBITS WA 00 1
	.bss NOBITS WA 00 1
	.klp.rela.vmlinux..text.foo RELA AIo 18 8 .symtab .text.foo
	.klp.rela.ext4..text.foo RELA AIo 18 8 .symtab .text.foo
	.klp.rela.xfs..text.foo RELA AIo 18 8 .symtab .text.foo
	.klp.rela.vmlinux..data.ptr RELA AIo 18 8 .symtab .data.ptr
	.symtab SYMTAB - 18 8
	.strtab STRTAB - 00 1
	.shstrtab STRTAB - 00 1
	END
	# "o" in readelf's flags is any flag of the operating system's: 0x00100000 | SHF_INFO_LINK | SHF_ALLOC
	[ "$(readelf -tW out.ko | grep -A 2 'klp.rela' | grep -c '\[0000000000100042\]: ALLOC, INFO LINK, OS (')" -eq 4 ]
}

@test "a livepatch symbol is global, in SHN_LIVEPATCH, and there once for all parts" {
	two_parts | module
	create-klp-module in.ko out.ko
	# The linker's order of globals is its own affair.
	{ symbols out.ko | grep LOCAL; symbols out.ko | grep GLOBAL | LC_ALL=C sort -k 7; } > sorted
	expect cat sorted <<-'END'
	0000000000000000 0 SECTION LOCAL DEFAULT .text .text
	0000000000000000 0 SECTION LOCAL DEFAULT .text.foo .text.foo
	0000000000000000 0 SECTION LOCAL DEFAULT .modinfo .modinfo
	0000000000000000 0 SECTION LOCAL DEFAULT __versions __versions
	0000000000000000 0 SECTION LOCAL DEFAULT .data .data
	0000000000000000 0 SECTION LOCAL DEFAULT .data.ptr .data.ptr
	0000000000000000 0 SECTION LOCAL DEFAULT .gnu.linkonce.this_module .gnu.linkonce.this_module
	0000000000000000 0 SECTION LOCAL DEFAULT .bss .bss
	0000000000000000 0 FILE LOCAL DEFAULT ABS code.o
	0000000000000000 43 FUNC LOCAL DEFAULT .text.foo foo
	0000000000000000 0 NOTYPE GLOBAL DEFAULT LIVEPATCH .klp.sym.ext4.baz.isra.0,2
	0000000000000000 0 NOTYPE GLOBAL DEFAULT LIVEPATCH .klp.sym.jbd2.data,1
	0000000000000000 0 NOTYPE GLOBAL DEFAULT LIVEPATCH .klp.sym.vmlinux.bar,0
	0000000000000000 0 NOTYPE GLOBAL DEFAULT .gnu.linkonce.this_module __this_module
	0000000000000000 0 NOTYPE GLOBAL DEFAULT UND printk
	END
}

@test "symbols that differ in owner, name or position stay apart" {
	module <<-'END'
	.weak ".kpatch.sym.a.a.same,1"
	.weak ".kpatch.sym.a.a.same,2"
	.weak ".kpatch.sym.a.b.same,1"
	.weak ".kpatch.sym.a.a.same.0,1"
	.data
	.quad ".kpatch.sym.a.a.same,1", ".kpatch.sym.a.a.same,2", ".kpatch.sym.a.b.same,1"
	.quad ".kpatch.sym.a.a.same.0,1"
	END
	create-klp-module in.ko out.ko
	expect relocs out.ko <<-'END'
	.klp.rela.a..data 0x0 R_X86_64_64 .klp.sym.a.same,1 0x0
	.klp.rela.a..data 0x8 R_X86_64_64 .klp.sym.a.same,2 0x0
	.klp.rela.a..data 0x10 R_X86_64_64 .klp.sym.b.same,1 0x0
	.klp.rela.a..data 0x18 R_X86_64_64 .klp.sym.a.same.0,1 0x0
	END
}

@test "the global name of a changed function gives way to its local one" {
	module <<-'END'
	.globl __kpatch_new.vmlinux.foo.0, __kpatch_new.vmlinux.bar.0, __kpatch_new.vmlinux.unused.0
	.globl twin
	.type twin,@function
	.section .text.foo,"ax"
		nop
	other:	nop
	label:
	foo:
	.type foo,@function
	__kpatch_new.vmlinux.foo.0:
		ret
	.size foo, .-foo
	__kpatch_new.vmlinux.bar.0:
	__kpatch_new.vmlinux.unused.0:
	twin:
		ret
	END
	# The generated code is another object: the assembler can't resolve the names.
	echo '.data; .quad __kpatch_new.vmlinux.foo.0, __kpatch_new.vmlinux.bar.0 + 4' |
		gcc -x assembler -c -o klp.o -
	ld -r -o in2.ko in.ko klp.o
	create-klp-module in2.ko out.ko
	expect relocs out.ko <<-'END'
	.rela.data 0x0 R_X86_64_64 foo 0x0
	.rela.data 0x8 R_X86_64_64 .text.foo 0x7
	END
	run ! grep -q '__kpatch_new' out.ko
	[ "$(symbols out.ko | grep -c "SECTION LOCAL DEFAULT .text.foo ")" -eq 1 ]
	symbols out.ko | grep -qx '0000000000000002 1 FUNC LOCAL DEFAULT .text.foo foo'
}

@test "a function's prefix keeps its symbol apart from the function at offset 16" {
	module <<-'END'
	.globl __kpatch_new.vmlinux.foo.0
	.section .text.foo,"ax"
	.type __pfx_foo,@function
	__pfx_foo: .skip 16, 0x90
	.type foo,@function
	foo:
	__kpatch_new.vmlinux.foo.0: ret
	END
	echo '.data; .quad __kpatch_new.vmlinux.foo.0' | gcc -x assembler -c -o klp.o -
	ld -r -o in2.ko in.ko klp.o
	create-klp-module in2.ko out.ko
	expect relocs out.ko <<< '.rela.data 0x0 R_X86_64_64 foo 0x0'
}

@test "undefined symbols that nothing uses go, used ones and defined ones stay" {
	module <<-'END'
	.globl unused, defined
	.weak ".kpatch.sym.vmlinux.vmlinux.unused,0"
	defined:
	call printk
	END
	readelf -sW in.ko | grep -q ' UND unused$'
	create-klp-module in.ko out.ko
	[ "$(symbols out.ko | awk '$4 != "LOCAL" { print $6, $7 }' | sort)" = \
		$'.gnu.linkonce.this_module __this_module\n.text defined\nUND printk' ]
}

@test "everything else stays: kinds of sections, contents, flags, order, symbols" {
	cat > part.c <<-'END'
	int printk(const char *, ...);
	static int counter = 5;
	static int zeroes[1000];
	const char *text[] = { "one", "two" };
	__attribute__((visibility("hidden"))) int hidden(int i) { return printk(text[i], counter++); }
	__attribute__((weak)) int weak(int i) { return hidden(i) + zeroes[i]; }
	END
	cat > part.S <<-'END'
	.section .note.test,"a",@note
	.long 4, 4, 1
	.asciz "abc"
	.long 7
	.section .init_array,"aw",@init_array
	.balign 8
	.quad 0
	.section .ordered,"ao",@progbits,.data
	.byte 1
	.section .rodata.cst16,"aM",@progbits,16
	.balign 16
	.octa 0x1234
	.section .debug_test,"",@progbits
	.quad weak
	.set absolute, 0x1234
	.globl absolute
	END
	gcc -c -g -O1 -fcf-protection=none -mcmodel=kernel -fno-pic -ffunction-sections -o c.o part.c
	gcc -c -o s.o part.S
	mod_source | gcc -x assembler -c -o mod.o -
	ld -r -o in.ko c.o s.o mod.o
	create-klp-module in.ko out.ko
	sections in.ko | grep -q '^.ordered PROGBITS AL '
	sections in.ko | grep -q '^.note.test NOTE A '
	sections in.ko > before
	sections out.ko > after
	diff before after
	symbols in.ko > before
	symbols out.ko > after
	diff before after
	relocs in.ko | sed 's/ -0x/ -0x/' > before
	relocs out.ko > after
	diff before after
	[ "$(wc -l < before)" -gt 20 ]
	objdump -s -j .text -j .text.weak -j .data -j .note.test -j .rodata.cst16 -j .ordered in.ko | sed 1,2d > before
	objdump -s -j .text -j .text.weak -j .data -j .note.test -j .rodata.cst16 -j .ordered out.ko | sed 1,2d > after
	diff before after
	# Section symbols have no names of their own.
	run ! grep -F .text.weak <(readelf -p .strtab out.ko)
	# What the ordered section belongs to is a section number.
	n=$(readelf -SW out.ko | sed -nE 's/^ *\[ *([0-9]+)\] \.data .*/\1/p')
	readelf -SW out.ko | grep -E " \.ordered +PROGBITS .* AL +$n +0 +1$"
}

@test "the strings of .modinfo survive, imports of namespaces among them" {
	MODINFO+=('import_ns=CXL' 'import_ns=DMA_BUF' 'kpatch_shadow=a.b id=1')
	two_parts | module
	create-klp-module in.ko out.ko
	readelf -p .modinfo out.ko | sed -n 's/^ *\[ *[0-9a-f]*\] *//p' > said
	expect cat said <<-'END'
	license=GPL
	livepatch=Y
	depends=
	vermagic=6.1.0-56-cloud-amd64 SMP preempt
	import_ns=CXL
	import_ns=DMA_BUF
	kpatch_shadow=a.b id=1
	END
}

@test "the same input gives the same output, and the output can replace the input" {
	two_parts | module
	create-klp-module in.ko one.ko
	create-klp-module in.ko two.ko
	cmp one.ko two.ko
	create-klp-module in.ko in.ko
	cmp one.ko in.ko
}

@test "--debug says what becomes of each livepatch relocation" {
	module <<-'END'
	.weak ".kpatch.sym.vmlinux.vmlinux.bar,3"
	.data
	.quad 0, ".kpatch.sym.vmlinux.vmlinux.bar,3"
	END
	run create-klp-module --debug in.ko out.ko
	[ "$status" -eq 0 ]
	[ "$output" = "create-klp-module: debug: .data+0x8: .klp.sym.vmlinux.bar,3 in .klp.rela.vmlinux..data" ]
}

@test "sections are counted up to what the kernel's header field holds" {
	sections_asm() { awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) print ".section .d" i ",\"a\"\n.byte 1" }'; }
	# .text, .data, .bss, .modinfo, this_module, __versions; null, .symtab, .strtab, .shstrtab
	sections_asm $((65279 - 10)) | module
	create-klp-module in.ko out.ko
	readelf -h out.ko | grep -q 'Number of section headers: *65279$'
	rm out.ko
	sections_asm $((65279 - 9)) | module
	fails_with 2 "refused: in.ko: 65280 sections, the kernel loads at most 65279; split the patch"
}
